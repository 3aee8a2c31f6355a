//! Bytes by their digest: small ones inside the database, big ones as files.
//!
//! A file is written under a temporary name in the same folder, and renamed
//! when it is whole. It is never trusted for being there: bytes whose digest
//! is not their name are removed and count as a miss.

use std::env;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::digest::Digest;
use crate::store::OutputRef;
use crate::store::Store;
use crate::store::Warning;
use crate::store::witnesses::forget_all_witnesses;

/// Bytes up to this size are kept inside the database. SQLite's own measurement
/// (*Internal Versus External BLOBs*) has the break-even near 100 kB for reads;
/// ours stays low because every row also passes through the log.
pub(super) const INLINE_SIZE_MAX: usize = 16 * 1024;

/// A blob whose file, if it needs one, is in place; only its row is missing.
pub(super) struct PendingRow<'a> {
    digest: Digest,
    size: usize,
    /// The bytes, when they belong into the database.
    inline: Option<&'a [u8]>,
}

impl PendingRow<'_> {
    /// Writes the row.
    pub(super) fn insert(&self, connection: &Connection) -> rusqlite::Result<()> {
        let sql = "INSERT INTO blobs (digest, size, bytes) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (digest) DO UPDATE SET size = excluded.size, bytes = excluded.bytes";
        let size = i64::try_from(self.size).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(sql)?;
        statement.execute(params![self.digest.as_bytes(), size, self.inline])?;
        Ok(())
    }
}

impl Store {
    /// Returns the bytes of `digest`, checked; none if they cannot be had.
    pub fn blob(&self, digest: Digest) -> Option<Vec<u8>> {
        self.count_blob();
        let row = self
            .read(|connection| inline_bytes(connection, digest))
            .flatten();
        let bytes = match row {
            Some(bytes) => bytes,
            None => {
                let path = blob_path(self.folder()?, digest);
                fs::read(path).ok()?
            }
        };
        if Digest::of(&bytes) == digest {
            return Some(bytes);
        }
        self.remove_blob(digest);
        self.warn(Warning::BlobDamaged {
            digest: digest.to_string(),
        });
        None
    }

    /// Returns whether the bytes of `digest`, `size` bytes long, seem to be
    /// there. They are not read; [`Store::blob`] may still refuse them.
    pub fn contains(&self, digest: Digest, size: u64) -> bool {
        if size > INLINE_SIZE_MAX as u64
            && let Some(folder) = self.folder()
        {
            let found = fs::metadata(blob_path(folder, digest));
            return found.is_ok_and(|file| file.len() == size);
        }
        self.read(|connection| {
            let sql = "SELECT size FROM blobs WHERE digest = ?1 AND bytes IS NOT NULL";
            let mut statement = connection.prepare_cached(sql)?;
            statement
                .query_row([digest.as_bytes()], |row| row.get::<_, i64>(0))
                .optional()
        })
        .flatten()
        .is_some_and(|found| found.unsigned_abs() == size)
    }

    /// Returns whether the bytes of an output are a file of this store: those that are
    /// too many for a database, unless that is in memory.
    pub fn keeps_as_file(&self, output: &OutputRef) -> bool {
        output.size > INLINE_SIZE_MAX as u64 && self.folder().is_some()
    }

    /// Stores `bytes` and returns their digest; none if they could not be kept.
    pub fn put_blob(&self, bytes: &[u8]) -> Option<Digest> {
        let row = self.put_file(bytes)?;
        self.write(|connection| row.insert(connection))?;
        Some(row.digest)
    }

    /// Puts the file of `bytes` in place, if they need one.
    pub(super) fn put_file<'a>(&self, bytes: &'a [u8]) -> Option<PendingRow<'a>> {
        if !self.is_writable() {
            return None;
        }
        let digest = Digest::of(bytes);
        let size = bytes.len();
        let Some(folder) = self.folder().filter(|_| size > INLINE_SIZE_MAX) else {
            return Some(PendingRow {
                digest,
                size,
                inline: Some(bytes),
            });
        };
        let path = blob_path(folder, digest);
        let is_there = fs::metadata(&path).is_ok_and(|file| file.len() == size as u64);
        if !is_there && let Err(error) = write_file(&path, bytes) {
            self.stop_writing(&error.to_string());
            return None;
        }
        Some(PendingRow {
            digest,
            size,
            inline: None,
        })
    }

    fn remove_blob(&self, digest: Digest) {
        if !self.is_writable() {
            return;
        }
        if let Some(folder) = self.folder() {
            // Whether it was a file or a row, what is left is a miss.
            let _ = fs::remove_file(blob_path(folder, digest));
        }
        self.write(|connection| {
            forget_all_witnesses(connection)?;
            let sql = "DELETE FROM blobs WHERE digest = ?1";
            connection.prepare_cached(sql)?.execute([digest.as_bytes()])
        });
    }
}

impl Store {
    /// Returns a new file on the disk of the cache, or, without one that can be written
    /// to, in the system's folder for files of a moment. It has no name, and is gone when
    /// nobody has it open any more, however the process ends.
    ///
    /// # Errors
    ///
    /// If none can be made.
    pub fn scratch(&self) -> io::Result<File> {
        let folder = self.folder().filter(|_| self.is_writable());
        let in_cache = folder.map(|folder| nameless(&folder.join("blobs").join("00")));
        match in_cache {
            Some(Ok(file)) => Ok(file),
            _ => nameless(&env::temp_dir()),
        }
    }
}

/// How many names are tried for a file that has none in the end.
const ATTEMPTS: u32 = 1_000;

/// Makes a file in `folder` and takes its name away.
fn nameless(folder: &Path) -> io::Result<File> {
    fs::create_dir_all(folder)?;
    let mut attempt = 0;
    loop {
        let path = folder.join(temporary_name());
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            // Somebody else's; it is left alone.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Returns a name that this process has given to no other file.
fn temporary_name() -> String {
    let count = TEMPORARY_COUNT.fetch_add(1, Ordering::Relaxed);
    format!("tmp-{}-{count}", process::id())
}

/// Returns the bytes of a blob that the database holds.
pub(super) fn inline_bytes(
    connection: &Connection,
    digest: Digest,
) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = "SELECT bytes FROM blobs WHERE digest = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row([digest.as_bytes()], |row| row.get(0));
    Ok(row.optional()?.flatten())
}

/// Returns where the file of `digest` belongs in the cache folder.
pub(super) fn blob_path(folder: &Path, digest: Digest) -> PathBuf {
    let name = digest.to_string();
    folder.join("blobs").join(&name[..2]).join(name)
}

static TEMPORARY_COUNT: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` under a temporary name in the same folder, then renames.
fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().expect("a blob's path has a folder");
    fs::create_dir_all(folder)?;
    let temporary = folder.join(temporary_name());
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The disk may be full: leave no half file behind.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}
