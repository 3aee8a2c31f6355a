//! Files that are written whole or not at all.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Writes a file beside its place and moves it there.
///
/// # Errors
///
/// If that fails; then the file is as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let (new, mut file) = fresh_file(folder)?;
    let done = file.write_all(bytes).and_then(|()| fs::rename(&new, path));
    if done.is_err() {
        let _ = fs::remove_file(&new);
    }
    done
}

/// Opens a file that nobody has, hidden and of a name that any disk takes, no
/// matter how long the name is that it gets in the end.
pub fn fresh_file(folder: &Path) -> io::Result<(PathBuf, fs::File)> {
    let process = std::process::id();
    let mut count = 0_u32;
    loop {
        let new = folder.join(format!(".new-{process}-{count}"));
        let opened = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&new);
        match opened {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => count += 1,
            opened => return Ok((new, opened?)),
        }
    }
}
