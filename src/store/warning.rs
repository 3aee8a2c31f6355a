//! What can be wrong with a cache, none of which fails a build.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Something wrong with the cache. The run goes on with what works.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "warning", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The folder cannot be written to: results are read from it, not kept.
    ReadOnly {
        /// The cache folder.
        folder: PathBuf,
    },
    /// The folder cannot be used at all.
    Unusable {
        /// The cache folder.
        folder: PathBuf,
        /// The error.
        cause: String,
    },
    /// A newer program made it; it is left alone.
    Newer {
        /// The cache folder.
        folder: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// `results.db` belongs to another program; it is left alone.
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The database was damaged and has been put aside.
    Damaged {
        /// Where it is now; none if it could not be moved.
        moved_to: Option<PathBuf>,
        /// What the damage showed as.
        cause: String,
    },
    /// Other processes kept the database locked for too long.
    Busy {
        /// The cache folder.
        folder: PathBuf,
    },
    /// The disk has no locks, without which processes would spoil each other's
    /// writing.
    NoLocks {
        /// The cache folder.
        folder: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// The disk has no shared memory for a write-ahead log; the database works,
    /// but writers and readers wait for each other.
    NoLog {
        /// The cache folder.
        folder: PathBuf,
    },
    /// Results of this run could not be kept.
    NotStored {
        /// The error.
        cause: String,
    },
    /// Stored bytes were not what they should be and have been removed.
    BlobDamaged {
        /// The digest they should have had.
        digest: String,
    },
    /// The remote cache is not what it should be.
    Remote {
        /// What is wrong, and what it means.
        cause: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly { folder } => write!(
                f,
                "the cache `{}` is read-only: nothing new is kept in it",
                folder.display()
            ),
            Self::Unusable { folder, cause } => write!(
                f,
                "the cache `{}` cannot be used, going on without it: {cause}",
                folder.display()
            ),
            Self::Newer {
                folder,
                found,
                known,
            } => write!(
                f,
                "the cache `{}` was made by a newer version (its format is {found}, \
                 known up to {known}), going on without it",
                folder.display()
            ),
            Self::Foreign { file } => write!(
                f,
                "`{}` was not made by this program, going on without a cache",
                file.display()
            ),
            Self::Damaged {
                moved_to: Some(file),
                cause,
            } => write!(
                f,
                "the cache was damaged ({cause}) and starts anew; the old one is `{}`",
                file.display()
            ),
            Self::Damaged { cause, .. } => {
                write!(f, "the cache is damaged, going on without it: {cause}")
            }
            Self::Busy { folder } => write!(
                f,
                "the cache `{}` is locked by other processes, going on without it",
                folder.display()
            ),
            Self::NoLocks { folder, cause } => write!(
                f,
                "files on the disk of the cache `{}` cannot be locked ({cause}), going on \
                 without it; `--cache-dir` names a folder on another disk",
                folder.display()
            ),
            Self::NoLog { folder } => write!(
                f,
                "the disk of the cache `{}` has no write-ahead log: it works, but slower",
                folder.display()
            ),
            Self::NotStored { cause } => {
                write!(f, "results of this run are not kept: {cause}")
            }
            Self::BlobDamaged { digest } => {
                write!(f, "a damaged entry of the cache was removed: `{digest}`")
            }
            Self::Remote { cause } => write!(f, "remote cache: {cause}"),
        }
    }
}
