//! The files of a cache folder, told apart by their names alone.
//!
//! Nothing here follows a link or opens a file: what is not named as this
//! program names its files is somebody else's, and is left alone.

use std::fs;
use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serializer;

use crate::digest::Digest;

/// What a file of the cache folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The database's log, or what belongs to it.
    Log,
    /// The database.
    Database,
    /// A damaged database that was put aside.
    Aside,
    /// The bytes of this digest.
    Blob(Digest),
    /// What a killed process was writing.
    Temporary,
    /// The lock of a task; of no use when nobody holds it.
    TaskLock,
    /// A lock that is always there.
    Lock,
}

/// One file of a cache folder.
#[derive(Clone, Debug)]
pub(super) struct CacheFile {
    pub(super) path: PathBuf,
    pub(super) role: Role,
    pub(super) size: u64,
    modified: Option<SystemTime>,
}

impl CacheFile {
    /// Returns how long ago it was written, in seconds; 0 if that is not known
    /// or lies in the future.
    pub(super) fn age_s(&self) -> u64 {
        let since = self.modified.and_then(|time| time.elapsed().ok());
        since.map_or(0, |time| time.as_secs())
    }
}

/// All files of a cache folder, by path.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: Vec<CacheFile>,
    /// Files and folders that are not the cache's.
    pub(super) unknown: Vec<PathBuf>,
}

impl Listing {
    fn take(&mut self, path: PathBuf, metadata: &Metadata, role: Option<Role>) {
        match role.filter(|_| metadata.is_file()) {
            Some(role) => self.files.push(CacheFile {
                path,
                role,
                size: metadata.len(),
                modified: metadata.modified().ok(),
            }),
            None => self.unknown.push(path),
        }
    }
}

/// Writes paths as text; what is not UTF-8 in them is replaced.
pub(super) fn lossy<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

/// Returns the files of `folder`; empty if it is not there.
pub(super) fn listing(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for (path, name, metadata) in entries(folder)? {
        match name.as_str() {
            "blobs" if metadata.is_dir() => blobs(&path, &mut listing)?,
            "locks" if metadata.is_dir() => {
                for (path, name, metadata) in entries(&path)? {
                    listing.take(path, &metadata, lock_role(&name));
                }
            }
            name => listing.take(path, &metadata, database_role(name)),
        }
    }
    Ok(listing)
}

fn blobs(folder: &Path, listing: &mut Listing) -> io::Result<()> {
    for (path, prefix, metadata) in entries(folder)? {
        if !metadata.is_dir() || !is_hex(&prefix, 2) {
            listing.unknown.push(path);
            continue;
        }
        for (path, name, metadata) in entries(&path)? {
            listing.take(path, &metadata, blob_role(&prefix, &name));
        }
    }
    Ok(())
}

/// A path with its name and what it is, links not followed.
type Found = (PathBuf, String, Metadata);

/// Returns what is in `folder`, sorted by name; nothing if it is not there. What
/// disappears meanwhile is left out.
fn entries(folder: &Path) -> io::Result<Vec<Found>> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read?,
    };
    let mut found = Vec::new();
    for entry in read {
        let entry = entry?;
        let Ok(metadata) = fs::symlink_metadata(entry.path()) else {
            continue;
        };
        // A name that is not text is not one of ours, and stays so lossily.
        let name = entry.file_name().to_string_lossy().into_owned();
        found.push((entry.path(), name, metadata));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn database_role(name: &str) -> Option<Role> {
    let rest = name.strip_prefix("results.db")?;
    match rest {
        "" => return Some(Role::Database),
        "-wal" | "-shm" | "-journal" => return Some(Role::Log),
        _ => {}
    }
    let number = rest.strip_prefix(".damaged-")?;
    let number = number.strip_suffix("-wal").unwrap_or(number);
    let number = number.strip_suffix("-shm").unwrap_or(number);
    is_number(number).then_some(Role::Aside)
}

fn lock_role(name: &str) -> Option<Role> {
    match name {
        "creation" | "users" => Some(Role::Lock),
        _ => is_hex(name, 64).then_some(Role::TaskLock),
    }
}

fn blob_role(prefix: &str, name: &str) -> Option<Role> {
    if let Some(rest) = name.strip_prefix("tmp-") {
        let (process, number) = rest.split_once('-')?;
        return (is_number(process) && is_number(number)).then_some(Role::Temporary);
    }
    let is_ours = is_hex(name, 64) && name.starts_with(prefix);
    name.parse().ok().filter(|_| is_ours).map(Role::Blob)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_that_the_cache_gives_are_its_own() {
        let hex = Digest::of(b"x").to_string();
        assert_eq!(database_role("results.db"), Some(Role::Database));
        assert_eq!(database_role("results.db-wal"), Some(Role::Log));
        assert_eq!(database_role("results.db.damaged-3-shm"), Some(Role::Aside));
        for name in ["results.db.bak", "results.db.damaged-", "results", "x.db"] {
            assert_eq!(database_role(name), None, "{name}");
        }
        assert_eq!(lock_role(&hex), Some(Role::TaskLock));
        assert_eq!(lock_role("mine"), None);
        assert_eq!(
            blob_role(&hex[..2], &hex),
            Some(Role::Blob(Digest::of(b"x")))
        );
        assert_eq!(blob_role("tt", "tmp-1-0"), Some(Role::Temporary));
        for name in ["tmp-1", "tmp-a-b", "notes.txt", &hex.to_uppercase()] {
            assert_eq!(blob_role(&hex[..2], name), None, "{name}");
        }
        assert_eq!(blob_role("00", &hex), None);
    }
}
