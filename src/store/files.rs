//! The stat cache: which file had which digest when it was last read.
//!
//! A row is trusted only when size, both times, inode and device are the same,
//! and the file had come to rest before it was hashed: its change time must lie
//! [`REST_NS`] before the hashing began. An edit that keeps the size and sets
//! the modification time back still changes the change time, which no program
//! can set.
//!
//! The table of one project is one value in the database: a version byte, then
//! for each file, ascending by path, the path's length (`u32`) and bytes, size,
//! mtime, ctime, inode, device, hashing time (8 bytes each, little-endian, times
//! in nanoseconds since 1970) and the 32 bytes of the digest; at the end the
//! digest of all that.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::Path;

use rusqlite::OptionalExtension;
use rusqlite::params;

use crate::digest::Digest;
use crate::store::Store;

/// How long a file must have been at rest before it was hashed, in
/// nanoseconds: two seconds, the coarsest clock of the file systems in use.
pub const REST_NS: i64 = 2_000_000_000;

/// What the file system says about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    /// Size in bytes.
    pub size: u64,
    /// Last change of the contents, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of contents or attributes, nanoseconds since 1970.
    pub ctime_ns: i64,
    /// The file's number on its device.
    pub inode: u64,
    /// The device.
    pub device: u64,
}

impl FileStamp {
    /// Returns the stamp of a file; none where the system does not say enough
    /// to rely on.
    #[cfg(unix)]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let ns =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Some(Self {
            size: metadata.size(),
            mtime_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }

    /// Returns the stamp of a file; none where the system does not say enough
    /// to rely on.
    #[cfg(not(unix))]
    pub fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    stamp: FileStamp,
    /// When the hashing began.
    hashed_ns: i64,
    digest: Digest,
}

/// The stat cache of one project, in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTable {
    rows: BTreeMap<Vec<u8>, Row>,
    is_changed: bool,
}

const TABLE_VERSION: u8 = 1;

impl FileTable {
    /// Returns an empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the digest of the file at `path` if its `stamp` proves that it
    /// has not changed since it was hashed.
    pub fn digest(&self, path: &Path, stamp: &FileStamp) -> Option<Digest> {
        let row = self.rows.get(path.as_os_str().as_encoded_bytes())?;
        let was_at_rest = row.stamp.ctime_ns.saturating_add(REST_NS) < row.hashed_ns;
        (row.stamp == *stamp && was_at_rest).then_some(row.digest)
    }

    /// Notes that the file at `path`, found with `stamp` *before* it was read,
    /// has this digest; `hashed_ns` is the clock at that time.
    pub fn insert(&mut self, path: &Path, stamp: FileStamp, hashed_ns: i64, digest: Digest) {
        let path = path.as_os_str().as_encoded_bytes().to_vec();
        self.rows.insert(
            path,
            Row {
                stamp,
                hashed_ns,
                digest,
            },
        );
        self.is_changed = true;
    }

    /// Forgets all files for which `is_there` is false.
    pub fn retain(&mut self, is_there: impl Fn(&[u8]) -> bool) {
        let count = self.rows.len();
        self.rows.retain(|path, _| is_there(path));
        self.is_changed |= self.rows.len() != count;
    }

    /// Returns whether the table differs from the stored one.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    fn packed(&self) -> Vec<u8> {
        let mut bytes = vec![TABLE_VERSION];
        for (path, row) in &self.rows {
            let length = u32::try_from(path.len()).expect("paths are shorter than 4 GiB");
            bytes.extend(length.to_le_bytes());
            bytes.extend(path);
            bytes.extend(row.stamp.size.to_le_bytes());
            bytes.extend(row.stamp.mtime_ns.to_le_bytes());
            bytes.extend(row.stamp.ctime_ns.to_le_bytes());
            bytes.extend(row.stamp.inode.to_le_bytes());
            bytes.extend(row.stamp.device.to_le_bytes());
            bytes.extend(row.hashed_ns.to_le_bytes());
            bytes.extend(row.digest.as_bytes());
        }
        let digest = Digest::of(&bytes);
        bytes.extend(digest.as_bytes());
        bytes
    }

    /// Reads a packed table; none if it is damaged or of another version.
    pub(super) fn unpacked(bytes: &[u8]) -> Option<Self> {
        let (bytes, digest) = bytes.split_last_chunk::<32>()?;
        if Digest::of(bytes).as_bytes() != digest {
            return None;
        }
        let mut rest = bytes;
        if take::<1>(&mut rest)? != [TABLE_VERSION] {
            return None;
        }
        let mut rows = BTreeMap::new();
        while !rest.is_empty() {
            let length = u32::from_le_bytes(take(&mut rest)?) as usize;
            let (path, after) = rest.split_at_checked(length)?;
            rest = after;
            rows.insert(path.to_vec(), row(&mut rest)?);
        }
        Some(Self {
            rows,
            is_changed: false,
        })
    }
}

fn row(rest: &mut &[u8]) -> Option<Row> {
    Some(Row {
        stamp: FileStamp {
            size: u64::from_le_bytes(take(rest)?),
            mtime_ns: i64::from_le_bytes(take(rest)?),
            ctime_ns: i64::from_le_bytes(take(rest)?),
            inode: u64::from_le_bytes(take(rest)?),
            device: u64::from_le_bytes(take(rest)?),
        },
        hashed_ns: i64::from_le_bytes(take(rest)?),
        digest: Digest::from_bytes(take(rest)?),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

impl Store {
    /// Returns the stat cache of the project at `root`; empty if there is none.
    pub fn file_table(&self, root: &str) -> FileTable {
        let packed: Option<Vec<u8>> = self
            .read(|connection| {
                let sql = "SELECT packed FROM files WHERE root = ?1";
                let mut statement = connection.prepare_cached(sql)?;
                statement.query_row([root], |row| row.get(0)).optional()
            })
            .flatten();
        packed
            .and_then(|bytes| FileTable::unpacked(&bytes))
            .unwrap_or_default()
    }

    /// Stores the stat cache of the project at `root`, if it changed.
    pub fn put_file_table(&self, root: &str, table: &FileTable) {
        if !table.is_changed() || !self.is_writable() {
            return;
        }
        let packed = table.packed();
        self.write(|connection| {
            let sql = "INSERT OR REPLACE INTO files (root, packed) VALUES (?1, ?2)";
            connection
                .prepare_cached(sql)?
                .execute(params![root, packed])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    fn stamp() -> FileStamp {
        FileStamp {
            size: 10,
            mtime_ns: HOUR_NS,
            ctime_ns: HOUR_NS,
            inode: 7,
            device: 1,
        }
    }

    fn table(hashed_ns: i64) -> FileTable {
        let mut table = FileTable::new();
        table.insert(Path::new("a.yml"), stamp(), hashed_ns, Digest::of(b"a"));
        table
    }

    #[test]
    fn a_file_is_trusted_only_when_every_field_agrees() {
        let table = table(2 * HOUR_NS);
        let path = Path::new("a.yml");
        assert_eq!(table.digest(path, &stamp()), Some(Digest::of(b"a")));
        let others = [
            FileStamp {
                size: 11,
                ..stamp()
            },
            FileStamp {
                mtime_ns: 0,
                ..stamp()
            },
            FileStamp {
                ctime_ns: HOUR_NS + 1,
                ..stamp()
            },
            FileStamp {
                inode: 8,
                ..stamp()
            },
            FileStamp {
                device: 2,
                ..stamp()
            },
        ];
        for other in others {
            assert_eq!(table.digest(path, &other), None, "{other:?}");
        }
        assert_eq!(table.digest(Path::new("b.yml"), &stamp()), None);
    }

    #[test]
    fn a_file_hashed_soon_after_its_change_is_not_trusted() {
        let path = Path::new("a.yml");
        assert_eq!(table(HOUR_NS + REST_NS).digest(path, &stamp()), None);
        assert!(
            table(HOUR_NS + REST_NS + 1)
                .digest(path, &stamp())
                .is_some()
        );
    }

    #[test]
    fn a_packed_table_comes_back_and_a_damaged_one_is_empty() {
        let table = table(2 * HOUR_NS);
        let mut packed = table.packed();
        let read = FileTable::unpacked(&packed).unwrap();
        assert_eq!(read.rows, table.rows);
        for index in 0..packed.len() {
            packed[index] ^= 1;
            assert_eq!(FileTable::unpacked(&packed), None);
            packed[index] ^= 1;
            assert_eq!(FileTable::unpacked(&packed[..index]), None);
        }
    }
}
