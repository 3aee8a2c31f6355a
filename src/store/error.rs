//! Why a command about the cache itself could not be done. Builds never see
//! these: for them everything is a [`Warning`].

use std::io;
use std::path::PathBuf;

use crate::digest::Digest;
use crate::store::Warning;

/// A command about the cache that could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// No folder was named and there is none by default.
    #[error("there is no cache folder; name one with `--cache-dir` or `TABELLA_CACHE_DIR`")]
    NoFolder,
    /// The cache cannot be opened for what is asked.
    #[error("{}", refusal(.0))]
    Unusable(Warning),
    /// The folder was not made by this program.
    #[error("not a cache of this program, so nothing in it was touched: `{}`", folder.display())]
    NotACache {
        /// The folder.
        folder: PathBuf,
    },
    /// There is nothing to export.
    #[error("no result of this project is in the cache; train first: `{}`", folder.display())]
    NothingToExport {
        /// The cache folder.
        folder: PathBuf,
    },
    /// Another process changed the cache while it was read.
    #[error("the cache changed while it was read; try again (`{digest}` is gone)")]
    Changed {
        /// What was there before.
        digest: Digest,
    },
    /// Something could not be kept.
    #[error("the cache cannot be written: {cause}")]
    NotStored {
        /// Why not.
        cause: String,
    },
    /// The file is not a cache file that is safe to import.
    #[error("not a usable cache file, nothing was imported: `{}`", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BundleFlaw,
    },
    /// What stands where an export is to be written is something else.
    #[error("not a cache export, so it is not replaced: `{}`; name another file", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file or folder could not be written or removed.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What a warning says when there is nothing to go on with.
fn refusal(warning: &Warning) -> String {
    match warning {
        Warning::ReadOnly { folder } => {
            format!("the cache `{}` cannot be written to", folder.display())
        }
        Warning::Unusable { folder, cause } => {
            format!("the cache `{}` cannot be used: {cause}", folder.display())
        }
        Warning::Newer {
            folder,
            found,
            known,
        } => format!(
            "the cache `{}` was made by a newer version (its format is {found}, known up to \
             {known}); update tabella",
            folder.display()
        ),
        Warning::Foreign { file } => {
            format!("`{}` was not made by this program", file.display())
        }
        Warning::Damaged { cause, .. } => {
            format!("the cache's database is damaged: {cause}; `tabella cache verify --repair`")
        }
        Warning::Busy { folder } => format!(
            "the cache `{}` is locked by other processes; try again",
            folder.display()
        ),
        other => other.to_string(),
    }
}

/// A reason for not importing a cache file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleFlaw {
    /// It does not begin as one.
    #[error("it was not made by `tabella cache export`")]
    NotOurs,
    /// A newer program made it.
    #[error("its format {found} is newer than this version reads ({known}); update tabella")]
    Newer {
        /// Its version.
        found: u32,
        /// The newest that is known.
        known: u32,
    },
    /// It says that something in it is larger than anything can be.
    #[error("too large: {what} has {size} bytes, at most {limit} are read")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The size it declares.
        size: u64,
        /// The largest allowed.
        limit: u64,
    },
    /// The file has another length than what it declares adds up to.
    #[error("the file has {found} bytes, what it lists adds up to {expected}")]
    Length {
        /// The sum.
        expected: u64,
        /// The file's length.
        found: u64,
    },
    /// The index cannot be read.
    #[error("its index cannot be read")]
    Index {
        /// Why not.
        source: serde_json::Error,
    },
    /// The index is not written in the one way it can be.
    #[error("its index is not in canonical form")]
    NotCanonical,
    /// Entries are not in ascending order, or one stands twice.
    #[error("an entry stands twice or out of order: `{digest}`")]
    Order {
        /// The entry.
        digest: Digest,
    },
    /// A name that no task has.
    #[error("a name in the index is empty, too long or has control characters")]
    Name,
    /// A result names bytes that are not in the file, or of another size.
    #[error("the result `{key}` names `{digest}`, which is not in the file in that size")]
    Missing {
        /// The result.
        key: Digest,
        /// The bytes.
        digest: Digest,
    },
    /// Bytes that no result names.
    #[error("no result names `{digest}`")]
    Unlisted {
        /// The bytes.
        digest: Digest,
    },
    /// Bytes are not what their name says.
    #[error("the bytes of `{expected}` have the digest `{found}`")]
    WrongDigest {
        /// The digest they should have.
        expected: Digest,
        /// The digest they have.
        found: Digest,
    },
    /// The digest at the end does not fit what stands before it.
    #[error("the digest at its end does not fit its content")]
    WrongEnd,
    /// A result stands under a key that its own description does not give.
    #[error(
        "the result of `{kind}` stands under a key that its description does not give: `{key}`"
    )]
    WrongKey {
        /// The key it stands under.
        key: Digest,
        /// The kind of task.
        kind: String,
    },
}
