//! Where a path leads, however it is spelled.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Returns the path without links and dots, so that the same place is the same
/// path. What is not there yet lies in the folder that is.
pub fn real_path(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for there in path.ancestors() {
        if let Ok(real) = fs::canonicalize(there) {
            let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
            return match rest.as_os_str().is_empty() {
                true => real,
                false => real.join(rest),
            };
        }
    }
    path
}
