//! Finds the folder of recorded outputs and real assistants that tests compare
//! with. It is not part of this repository.

use std::env;
use std::path::Path;
use std::path::PathBuf;

/// Returns `part` of the shared folder: from `TABELLA_SHARED`, or a folder
/// `shared` beside the checkout or further up. Without it the test that asked
/// says on standard error that it was skipped, and gets `None`.
///
/// # Panics
///
/// If `TABELLA_SHARED` is set but `part` is not there: then nothing may be
/// skipped silently.
pub fn shared(part: &str) -> Option<PathBuf> {
    if let Some(folder) = env::var_os("TABELLA_SHARED") {
        let path = PathBuf::from(folder).join(part);
        assert!(
            path.exists(),
            "TABELLA_SHARED is set, but {} is not there",
            path.display()
        );
        return Some(path);
    }
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .skip(1)
        .map(|folder| folder.join("shared").join(part))
        .find(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: no shared folder with `{part}`; set TABELLA_SHARED");
    }
    found
}
