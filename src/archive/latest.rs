//! Which model of a folder is the one to use.
//!
//! `latest.json` stands beside the archives: `{"archive": "<file name>"}`. It
//! is a plain file, as symbolic links do not survive every checkout, archive
//! and file system.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Deserialize;
use serde::Serialize;

use crate::archive::ArchiveError;
use crate::archive::names::EXTENSION;
use crate::archive::pack::canonical_json;
use crate::archive::place::write_if_changed;

/// The pointer's file name.
const POINTER: &str = "latest.json";

/// A pointer is a few hundred bytes; more is something else.
const POINTER_BYTES_MAX: u64 = 4096;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pointer {
    archive: String,
}

/// Returns the archive that `path` stands for.
///
/// 1. A file is itself.
/// 2. A folder with a `latest.json` whose archive is there: that archive.
/// 3. Otherwise the `*.tar.gz` of the folder (not of folders in it, nor hidden)
///    that was modified last; of several modified at the same moment, the one
///    whose name sorts last.
///
/// Differs from Rasa: a path that does not exist is an error, where Rasa looks
/// for the newest archive beside it; and Rasa has no pointer.
///
/// # Source
///
/// Rasa 3.6 `rasa.model.get_latest_model`.
///
/// # Errors
///
/// If there is no such path, no model in the folder, or the pointer is not one.
pub fn latest_model(path: &Path) -> Result<PathBuf, ArchiveError> {
    let read_error = |source| ArchiveError::Read {
        path: path.to_owned(),
        source,
    };
    if !fs::metadata(path).map_err(read_error)?.is_dir() {
        return Ok(path.to_owned());
    }
    if let Some(archive) = pointed_to(path)? {
        return Ok(archive);
    }
    match newest(path).map_err(read_error)? {
        Some(archive) => Ok(archive),
        None => Err(ArchiveError::NoModel {
            folder: path.to_owned(),
        }),
    }
}

/// Makes the pointer beside `archive` name it; a pointer that does already is
/// left untouched.
///
/// # Errors
///
/// If the pointer cannot be written.
pub fn point_to(archive: &Path) -> Result<(), ArchiveError> {
    let (path, bytes) = pointer(archive);
    write_if_changed(&path, &bytes)?;
    Ok(())
}

/// Returns the pointer beside `archive` that names it: its path and its bytes.
pub fn pointer(archive: &Path) -> (PathBuf, Vec<u8>) {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let pointer = Pointer {
        archive: name.into_owned(),
    };
    (archive.with_file_name(POINTER), canonical_json(&pointer))
}

/// Returns the archive that the pointer of `folder` names, if both are there.
fn pointed_to(folder: &Path) -> Result<Option<PathBuf>, ArchiveError> {
    let path = folder.join(POINTER);
    let unreadable = |source| ArchiveError::Read {
        path: path.clone(),
        source,
    };
    let size = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    if size > POINTER_BYTES_MAX {
        return Err(ArchiveError::Pointer { path });
    }
    let bytes = fs::read(&path).map_err(unreadable)?;
    let Ok(Pointer { archive: name }) = serde_json::from_slice(&bytes) else {
        return Err(ArchiveError::Pointer { path });
    };
    if !name.ends_with(EXTENSION) || name.contains(['/', '\\', ':', '\0']) {
        return Err(ArchiveError::Pointer { path });
    }
    let archive = folder.join(name);
    Ok(archive.is_file().then_some(archive))
}

/// Returns the archive that was modified last.
fn newest(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut best: Option<(SystemTime, OsString)> = None;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let shown = name.to_string_lossy();
        if shown.starts_with('.') || !shown.ends_with(EXTENSION) {
            continue;
        }
        // A link to nowhere is no model.
        let Ok(metadata) = fs::metadata(entry.path()) else {
            continue;
        };
        if metadata.is_file() {
            best = best.max(Some((metadata.modified()?, name)));
        }
    }
    Ok(best.map(|(_, name)| folder.join(name)))
}
