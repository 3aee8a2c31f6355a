//! Writes files that nothing may be overwritten by: none if one is in the way.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// A file to be written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Where the file that is there, or that it was made of, is kept.
    pub backup: Option<Backup>,
}

/// An original that makes room.
#[derive(Clone, Debug)]
pub struct Backup {
    /// The original.
    pub from: PathBuf,
    /// Where it is kept.
    pub to: PathBuf,
}

/// Why nothing was written, or not all.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Files would be overwritten.
    #[error("nothing is written: {} is there already", shown(.0))]
    Exists(Vec<PathBuf>),
    /// A file could not be written, after `count` others that were.
    #[error("cannot write `{}`", path.display())]
    Write {
        path: PathBuf,
        source: io::Error,
        count: usize,
    },
}

/// Returns some paths for a sentence.
fn shown(paths: &[PathBuf]) -> String {
    let more = paths.len().saturating_sub(3);
    let paths = paths.iter().take(3);
    let mut paths: Vec<String> = paths.map(|path| format!("`{}`", path.display())).collect();
    if more > 0 {
        paths.push(format!("{more} more"));
    }
    paths.join(", ")
}

/// Writes files; each appears whole or not at all.
///
/// # Errors
///
/// Before anything is written, if a file is there already that nobody keeps.
pub fn write(files: &[Written]) -> Result<(), WriteError> {
    check(files)?;
    for (count, file) in files.iter().enumerate() {
        write_one(file).map_err(|source| WriteError::Write {
            path: file.path.clone(),
            source,
            count,
        })?;
    }
    Ok(())
}

/// Looks whether files could be written.
///
/// # Errors
///
/// If a file is there already that nobody keeps.
pub fn check(files: &[Written]) -> Result<(), WriteError> {
    let mut there: Vec<PathBuf> = Vec::new();
    for file in files {
        let is_kept = file.backup.as_ref().is_some_and(|b| b.from == file.path);
        let backup = file.backup.as_ref().map(|backup| &backup.to);
        let taken = [Some(&file.path).filter(|_| !is_kept), backup];
        let taken = taken.into_iter().flatten();
        there.extend(
            taken
                .filter(|path| path.symlink_metadata().is_ok())
                .cloned(),
        );
    }
    match there.is_empty() {
        true => Ok(()),
        false => Err(WriteError::Exists(there)),
    }
}

/// Keeps the original, writes beside it and renames: whatever happens in between,
/// one of both files is there. A link that is written to stays one.
fn write_one(file: &Written) -> io::Result<()> {
    let path = match file.path.is_symlink() {
        true => fs::canonicalize(&file.path)?,
        false => file.path.clone(),
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!(".{name}.new{}", std::process::id()));
    let mut handle = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&new)?;
    let outcome = handle
        .write_all(&file.bytes)
        .and_then(|()| handle.sync_all());
    let outcome = outcome.and_then(|()| match &file.backup {
        Some(backup) if backup.from == file.path => {
            // The original stays until the new file takes its place.
            let permissions = fs::metadata(&backup.from)?.permissions();
            fs::copy(&backup.from, &backup.to)?;
            fs::set_permissions(&new, permissions)
        }
        _ => Ok(()),
    });
    let outcome = outcome.and_then(|()| fs::rename(&new, &path));
    if outcome.is_err() {
        // What is half there is no use; that it stays is no second failure.
        let _ = fs::remove_file(&new);
    }
    outcome?;
    match &file.backup {
        Some(backup) if backup.from != file.path => fs::rename(&backup.from, &backup.to),
        _ => Ok(()),
    }
}
