//! Files that are written whole or not at all.

use std::fs;
use std::io;
use std::path::Path;

/// Writes a file beside its place and moves it there.
///
/// # Errors
///
/// If that fails; then the file is as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    // Short, so that any name that the disk takes can be written.
    let new = folder.join(format!(".new-{}", std::process::id()));
    let done = fs::write(&new, bytes).and_then(|()| fs::rename(&new, path));
    if done.is_err() {
        let _ = fs::remove_file(&new);
    }
    done
}
