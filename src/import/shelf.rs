//! Where the bytes of files come from: the disk, or memory. A file is read
//! once, whole, and within bounds; whatever is hashed is what is parsed.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::import::ImportError;
use crate::import::looks::Eyes;
use crate::import::looks::FileStamp;
use crate::import::looks::Look;
use crate::import::looks::Seen;
use crate::import::looks::clock_ns;

/// Bytes that a file may have: 1 GiB. A hundred times the largest project that
/// we know of has files of half that.
pub const FILE_LIMIT: usize = 1 << 30;

/// Files by path.
#[derive(Clone, Copy, Debug)]
pub enum Shelf<'a> {
    /// Those of the file system; what is looked at is noted.
    Disk(&'a Eyes),
    /// These; no other is looked for.
    Memory(&'a BTreeMap<PathBuf, &'a [u8]>),
}

impl Shelf<'_> {
    /// Returns whether there is a file at a path.
    pub fn has_file(self, path: &Path) -> bool {
        match self {
            Self::Disk(eyes) => eyes.kind(path) == Seen::File,
            Self::Memory(files) => files.contains_key(path),
        }
    }

    /// Returns what is at a path. In memory a folder is what holds a file.
    pub fn kind(self, path: &Path) -> Seen {
        match self {
            Self::Disk(eyes) => eyes.kind(path),
            Self::Memory(files) if files.contains_key(path) => Seen::File,
            Self::Memory(files) => match below(files, path).next() {
                Some(_) => Seen::Folder,
                None => Seen::Nothing,
            },
        }
    }

    /// Returns the bytes of a file of at most `limit` bytes; a mistake if it is
    /// larger, or a pipe, device or socket: reading those may never end.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn load(
        self,
        path: &Path,
        shown: &Arc<str>,
        limit: usize,
    ) -> Result<Result<Whole, Diagnostic>, ImportError> {
        let loaded = match self {
            Self::Disk(eyes) => load(path, limit, eyes),
            Self::Memory(files) => match files.get(path) {
                Some(bytes) if bytes.len() > limit => Ok(Err(Refusal::TooLarge)),
                Some(bytes) => Ok(Ok(Whole::of(bytes.to_vec()))),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        };
        match loaded {
            Ok(loaded) => Ok(loaded.map_err(|refusal| refusal.diagnostic(shown, limit))),
            Err(source) => Err(ImportError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }
}

/// Returns the files in memory below a folder, sorted by path.
pub fn below<'f>(
    files: &'f BTreeMap<PathBuf, &[u8]>,
    folder: &'f Path,
) -> impl Iterator<Item = &'f PathBuf> {
    let from = files.range(folder.to_owned()..).map(|(path, _)| path);
    from.take_while(move |path| path.starts_with(folder))
}

/// A file's bytes and their digest.
#[derive(Debug)]
pub struct Whole {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub digest: Digest,
}

impl Whole {
    /// Returns `bytes` with their digest.
    pub fn of(bytes: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Self { bytes, digest }
    }
}

/// Why a file that is there is not read.
enum Refusal {
    NotRegular,
    TooLarge,
}

impl Refusal {
    fn diagnostic(&self, shown: &Arc<str>, limit: usize) -> Diagnostic {
        let place = Place {
            file: shown.clone(),
            ..Place::default()
        };
        match self {
            Self::NotRegular => {
                let what = format!("`{shown}` is a pipe, device or socket");
                Diagnostic::new("E031", place, what).help("write what it gives into a file")
            }
            Self::TooLarge => {
                let what = format!("`{shown}` is larger than {} MiB", limit >> 20);
                Diagnostic::new("E030", place, what).help("split it into several files")
            }
        }
    }
}

/// Returns the bytes of a file once more, if they are still those of this digest.
pub fn bytes_again(path: &Path, digest: Digest) -> Option<Vec<u8>> {
    let loaded = load(path, FILE_LIMIT, &Eyes::default()).ok()?;
    let whole = loaded.ok()?;
    (whole.digest == digest).then_some(whole.bytes)
}

fn load(path: &Path, limit: usize, eyes: &Eyes) -> io::Result<Result<Whole, Refusal>> {
    let since_ns = clock_ns();
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Ok(Err(Refusal::NotRegular));
    }
    let size = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    if size > limit {
        return Ok(Err(Refusal::TooLarge));
    }
    // It may grow or shrink meanwhile: what is read counts.
    let mut bytes = Vec::with_capacity(size + 1);
    let file = File::open(path)?;
    let stamp = FileStamp::of(&file.metadata()?);
    file.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Ok(Err(Refusal::TooLarge));
    }
    let whole = Whole::of(bytes);
    let seen = Seen::Bytes(whole.digest);
    eyes.add(
        path,
        Look {
            seen,
            stamp,
            since_ns,
        },
    );
    Ok(Ok(whole))
}
