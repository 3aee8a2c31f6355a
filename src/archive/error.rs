//! What can go wrong around an archive: the world ([`ArchiveError`]) and the
//! archive itself ([`Flaw`]).

use std::io;
use std::path::PathBuf;

use crate::digest::Digest;

/// An archive that cannot be found, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or folder could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is not a model that is safe to use.
    #[error("not a usable model archive: `{}`", path.display())]
    Unusable {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        source: Flaw,
    },
    /// A model name that is not a plain file name.
    #[error("a model name {reason}: `{name}`")]
    ModelName {
        /// The name that was given.
        name: String,
        /// The rule it breaks, as the rest of the sentence.
        reason: &'static str,
    },
    /// There is no model where one was looked for.
    #[error("no model (`*.tar.gz`) in `{}`", folder.display())]
    NoModel {
        /// The folder.
        folder: PathBuf,
    },
    /// The pointer to the latest model is not what Tabella writes.
    #[error("not a pointer to a model; delete it and train again: `{}`", path.display())]
    Pointer {
        /// The pointer's path.
        path: PathBuf,
    },
}

/// A reason for not using the bytes of an archive, or for not packing a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// The gzip or tar layer is damaged, cut off or something else altogether.
    #[error("damaged or cut off")]
    Damaged {
        /// What the decoder says.
        source: io::Error,
    },
    /// Something follows the end of the archive.
    #[error("bytes after the end of the archive")]
    TrailingBytes,
    /// A limit is exceeded.
    #[error("{what} over the limit of {limit}")]
    TooLarge {
        /// What was counted: `entries`, `bytes in <entry>`, ….
        what: String,
        /// The most that is allowed.
        limit: u64,
    },
    /// An entry's path is not UTF-8.
    #[error("an entry's path is not UTF-8: `{lossy}`")]
    PathNotUtf8 {
        /// The path with replacement characters.
        lossy: String,
    },
    /// An entry's path breaks a rule.
    #[error("an entry's path {reason}: `{path}`")]
    Path {
        /// The path.
        path: String,
        /// The rule it breaks, as the rest of the sentence.
        reason: &'static str,
    },
    /// An entry is not a regular file.
    #[error("an entry is not a regular file but {kind}: `{path}`")]
    NotAFile {
        /// The entry's path.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// Two entries have the same path.
    #[error("an entry stands twice: `{path}`")]
    Twice {
        /// The path.
        path: String,
    },
    /// An entry that must be there is not.
    #[error("an entry is missing: `{path}`")]
    Missing {
        /// The path.
        path: String,
    },
    /// An entry that the manifest does not list.
    #[error("an entry is not in the manifest: `{path}`")]
    Unlisted {
        /// The path.
        path: String,
    },
    /// An entry's content is not what the manifest says.
    #[error("digest of `{path}` is {found}, the manifest says {expected}")]
    WrongDigest {
        /// The entry's path.
        path: String,
        /// The digest that the manifest gives.
        expected: Digest,
        /// The digest of the bytes that are there.
        found: Digest,
    },
    /// An entry's length is not what the manifest says.
    #[error("size of `{path}` is {found} bytes, the manifest says {expected}")]
    WrongSize {
        /// The entry's path.
        path: String,
        /// The size that the manifest gives, in bytes.
        expected: u64,
        /// The size of what is there, in bytes.
        found: u64,
    },
    /// One of the three documents is not readable.
    #[error("not a valid document: `{path}`")]
    Document {
        /// The document's path.
        path: String,
        /// What the reader says.
        source: serde_json::Error,
    },
    /// One of the three documents is not written in the one way it can be.
    #[error("not in canonical form: `{path}`")]
    NotCanonical {
        /// The document's path.
        path: String,
    },
    /// The archive is of a format that this version does not know.
    #[error("archive format {found} is newer than this version reads ({known}); update tabella")]
    NewerFormat {
        /// The archive's format.
        found: u64,
        /// The newest format that is known here.
        known: u32,
    },
}

impl Flaw {
    /// Returns the path of the entry that it is about; none if it is about the
    /// archive as a whole.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Path { path, .. }
            | Self::NotAFile { path, .. }
            | Self::Twice { path }
            | Self::Missing { path }
            | Self::Unlisted { path }
            | Self::WrongDigest { path, .. }
            | Self::WrongSize { path, .. }
            | Self::Document { path, .. }
            | Self::NotCanonical { path } => Some(path),
            Self::PathNotUtf8 { lossy } => Some(lossy),
            Self::Damaged { .. }
            | Self::TrailingBytes
            | Self::TooLarge { .. }
            | Self::NewerFormat { .. } => None,
        }
    }
}
