//! Removes a whole cache, and nothing but the cache.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;

use crate::store::APPLICATION_ID;
use crate::store::CacheError;
use crate::store::database::DATABASE;
use crate::store::folder::Listing;
use crate::store::folder::Role;
use crate::store::folder::listing;
use crate::store::folder::lossy;
use crate::store::presence::take_alone;

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cleared {
    /// How many files.
    pub files: usize,
    /// Their size, in bytes.
    pub bytes: u64,
    /// Files and folders that are not the cache's: they were left alone.
    #[serde(serialize_with = "lossy")]
    pub unknown: Vec<PathBuf>,
}

/// Removes the cache in `folder`: its files by name, then the folders that are
/// empty. `wait` is called while another process uses it and returns whether to
/// go on waiting; if not, nothing is removed and none returned.
///
/// # Errors
///
/// If the folder is not a cache, or a file cannot be removed.
pub fn clear(folder: &Path, wait: &dyn Fn() -> bool) -> Result<Option<Cleared>, CacheError> {
    let read_error = |source| CacheError::Read {
        path: folder.to_owned(),
        source,
    };
    let found = listing(folder).map_err(read_error)?;
    if found.files.is_empty() && found.unknown.is_empty() {
        return Ok(Some(Cleared::default()));
    }
    if !is_cache(folder, &found).map_err(read_error)? {
        return Err(CacheError::NotACache {
            folder: folder.to_owned(),
        });
    }
    let _alone = loop {
        match take_alone(folder) {
            Some(lock) => break lock,
            None if wait() => {}
            None => return Ok(None),
        }
    };
    // Listed again: others have been at work until now.
    remove(folder, listing(folder).map_err(read_error)?).map(Some)
}

/// Returns whether the folder is one that this program made. A database says so
/// in its header; where it is damaged or gone, the locks do.
fn is_cache(folder: &Path, found: &Listing) -> io::Result<bool> {
    let has_locks = found.files.iter().any(|file| file.role == Role::Lock);
    match File::open(folder.join(DATABASE)) {
        Ok(file) => Ok(match made_by(file)? {
            Some(id) => id == APPLICATION_ID,
            None => has_locks,
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(has_locks),
        Err(error) => Err(error),
    }
}

/// Returns the `application_id` of a database; none if it is not one.
fn made_by(file: File) -> io::Result<Option<i32>> {
    let mut header = Vec::new();
    file.take(100).read_to_end(&mut header)?;
    let is_database = header.starts_with(b"SQLite format 3\0") && header.len() == 100;
    let id = header.get(68..72).and_then(|bytes| bytes.try_into().ok());
    Ok(id.filter(|_| is_database).map(i32::from_be_bytes))
}

fn remove(folder: &Path, mut found: Listing) -> Result<Cleared, CacheError> {
    let mut cleared = Cleared {
        unknown: std::mem::take(&mut found.unknown),
        ..Cleared::default()
    };
    // The log first: one without its database would be applied to the next one.
    found.files.sort_by_key(|file| match file.role {
        Role::Log => 0,
        Role::Database => 1,
        Role::Lock => 3,
        _ => 2,
    });
    for file in found.files {
        match fs::remove_file(&file.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                let path = file.path;
                return Err(CacheError::Write { path, source });
            }
            _ => {
                cleared.files += 1;
                cleared.bytes += file.size;
            }
        }
    }
    // Folders that hold something of somebody else's are not empty, and stay.
    let blobs = folder.join("blobs");
    if fs::symlink_metadata(&blobs).is_ok_and(|found| found.is_dir()) {
        for entry in fs::read_dir(&blobs).into_iter().flatten().flatten() {
            let _ = fs::remove_dir(entry.path());
        }
    }
    for path in [&blobs, &folder.join("locks"), folder] {
        let _ = fs::remove_dir(path);
    }
    Ok(cleared)
}
