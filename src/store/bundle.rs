//! Results of one cache as one file, to be carried to another.
//!
//! The same results give the same bytes. The file is written and read as a
//! stream: no more than the index and one blob are in memory.
//!
//! # Format 1
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `tabcache`, in ASCII |
//! | 4 | the version of the format, 1, little-endian |
//! | 4 | zero |
//! | 8 | size of the index in bytes, little-endian, at most 64 MiB |
//! | … | the index: JSON without spaces, in the one way it can be written |
//! | … | the bytes of all blobs, one after the other, in the order of the index |
//! | 32 | BLAKE3 digest of everything before |
//!
//! The index is `{"results": […], "blobs": […]}`: results ascending by key,
//! each with `key`, `kind`, `outputs` (name to digest and size), `manifest`
//! (name to digest) and `cost_ms`; blobs ascending by digest, each with `digest`
//! and `size`. Every blob is named by a result, every name has its blob, and
//! the sizes add up to the length of the file. There are no paths in it and
//! nothing is compressed: a declared size can never be larger than the file.
//!
//! A digest says that bytes are what was exported, not that the export told the
//! truth: whoever can write this file decides what the models are that come out
//! of it. `tabella cache verify --rerun` finds that out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process;

use serde::Deserialize;
use serde::Serialize;

use crate::digest::Digest;
use crate::store::CacheError;
use crate::store::OutputRef;
use crate::store::ResultRow;
use crate::store::Store;

/// What a cache file begins with.
pub(super) const MAGIC: &[u8; 8] = b"tabcache";

/// The version of the format.
pub const BUNDLE_VERSION: u32 = 1;

/// Magic, version, zero and the size of the index.
pub(super) const HEADER_SIZE: u64 = 24;

/// The digest at the end.
pub(super) const END_SIZE: u64 = 32;

/// What the content of a cache file is hashed in.
const CONTENT_CONTEXT: &str = "tabella cache content v1";

/// How many names are tried for the file while it is written.
const ATTEMPTS: u32 = 100;

/// What a cache file lists.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub(super) results: Vec<BundledResult>,
    pub(super) blobs: Vec<BundledBlob>,
}

/// A result in a cache file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundledResult {
    /// The key of what the task read.
    pub key: Digest,
    /// The kind of task.
    pub kind: String,
    /// The outputs by name.
    pub outputs: BTreeMap<String, OutputRef>,
    /// Digests of the blobs that describe what the key was made of.
    pub manifest: BTreeMap<String, Digest>,
    /// How long the task ran, in milliseconds.
    pub cost_ms: u64,
}

/// A blob in a cache file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BundledBlob {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// What was written to, or read from, a cache file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Bundled {
    /// How many results.
    pub results: usize,
    /// How many blobs.
    pub blobs: usize,
    /// The size of the file, in bytes.
    pub bytes: u64,
    /// Names what the results are, whenever and however fast they were made: two
    /// machines that trained the same give the same.
    pub content: Digest,
}

/// What results are exported for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// To be used by other caches, with how long each took; nothing to export is a
    /// mistake.
    Cache,
    /// As the output of one step of a build: the same bytes however fast the
    /// machine was, even if there is nothing to do.
    Step,
}

impl Index {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an index has string keys and plain values")
    }

    pub(super) fn told(&self, bytes: u64) -> Bundled {
        let content = |result: &BundledResult| {
            let parts = (result.key, &result.kind, &result.outputs, &result.manifest);
            Digest::of_value(&parts)
        };
        let content: Vec<Digest> = self.results.iter().map(content).collect();
        Bundled {
            results: self.results.len(),
            blobs: self.blobs.len(),
            bytes,
            content: Digest::of_value_in(CONTENT_CONTEXT, &content),
        }
    }
}

impl BundledResult {
    fn of(row: &ResultRow, purpose: Export) -> Self {
        Self {
            key: row.key,
            kind: row.kind.clone(),
            outputs: row.outputs.clone(),
            manifest: row.manifest.clone(),
            cost_ms: match purpose {
                Export::Cache => row.cost_ms,
                Export::Step => 0,
            },
        }
    }

    /// Returns the digests of all blobs that the result names.
    pub(super) fn blobs(&self) -> impl Iterator<Item = Digest> {
        let outputs = self.outputs.values().map(|output| output.digest);
        outputs.chain(self.manifest.values().copied())
    }
}

impl Store {
    /// Writes the results under `keys` to the file `path`, which appears complete
    /// or not at all. Keys that have no whole result are left out. A file that is
    /// there is replaced only if it is such a file.
    ///
    /// # Errors
    ///
    /// If there is nothing to write, the path is another file's, it cannot be
    /// written, or the cache changes meanwhile.
    pub fn export(
        &self,
        keys: &BTreeSet<Digest>,
        purpose: Export,
        path: &Path,
    ) -> Result<Bundled, CacheError> {
        may_export_to(path)?;
        let index = self.index(keys, purpose);
        if index.results.is_empty() && purpose == Export::Cache {
            let folder = self.folder().unwrap_or(Path::new("")).to_owned();
            return Err(CacheError::NothingToExport { folder });
        }
        let write_error = |source| CacheError::Write {
            path: path.to_owned(),
            source,
        };
        let mut unfinished = Unfinished::beside(path).map_err(write_error)?;
        let bytes = self.write_bundle(&index, &mut BufWriter::new(&mut unfinished.file), path)?;
        unfinished.file.sync_all().map_err(write_error)?;
        fs::rename(&unfinished.path, path).map_err(write_error)?;
        Ok(index.told(bytes))
    }

    /// Writes what [`Store::export`] would write to a file, with the results under
    /// `keys`, to `out`.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or the cache changes meanwhile.
    pub fn export_into(
        &self,
        keys: &BTreeSet<Digest>,
        purpose: Export,
        out: &mut impl Write,
    ) -> Result<Bundled, CacheError> {
        let index = self.index(keys, purpose);
        let bytes = self.write_bundle(&index, out, Path::new(""))?;
        Ok(index.told(bytes))
    }

    /// Lists the results whose bytes are all there, having read them.
    fn index(&self, keys: &BTreeSet<Digest>, purpose: Export) -> Index {
        let rows = self.rows(keys);
        let mut sizes: BTreeMap<Digest, Option<u64>> = BTreeMap::new();
        let mut size = |digest| {
            let read = || self.blob(digest).map(|bytes| bytes.len() as u64);
            *sizes.entry(digest).or_insert_with(read)
        };
        let mut index = Index::default();
        let mut blobs = BTreeMap::new();
        for row in &rows {
            let of_row: Vec<(Digest, Option<u64>)> =
                row.blobs().map(|digest| (digest, size(digest))).collect();
            let whole: Option<Vec<(Digest, u64)>> = of_row
                .into_iter()
                .map(|(digest, size)| Some((digest, size?)))
                .collect();
            if let Some(whole) = whole {
                blobs.extend(whole);
                index.results.push(BundledResult::of(row, purpose));
            }
        }
        let blobs = blobs.into_iter();
        index.blobs = blobs
            .map(|(digest, size)| BundledBlob { digest, size })
            .collect();
        index
    }

    /// Writes a whole cache file; returns its length.
    fn write_bundle(
        &self,
        index: &Index,
        out: &mut impl Write,
        path: &Path,
    ) -> Result<u64, CacheError> {
        let write_error = |source| CacheError::Write {
            path: path.to_owned(),
            source,
        };
        let mut out = Hashing {
            hasher: blake3::Hasher::new(),
            size: 0,
            out,
        };
        let json = index.to_json();
        let mut header = MAGIC.to_vec();
        header.extend(BUNDLE_VERSION.to_le_bytes());
        header.extend(0_u32.to_le_bytes());
        header.extend((json.len() as u64).to_le_bytes());
        out.put(&header).map_err(write_error)?;
        out.put(&json).map_err(write_error)?;
        for blob in &index.blobs {
            let digest = blob.digest;
            let bytes = self.blob(digest).ok_or(CacheError::Changed { digest })?;
            out.put(&bytes).map_err(write_error)?;
        }
        let end = *out.hasher.finalize().as_bytes();
        out.put(&end).map_err(write_error)?;
        out.out.flush().map_err(write_error)?;
        Ok(out.size)
    }
}

/// Fails if an export to `path` would: something else is there, or no folder for it.
///
/// # Errors
///
/// Why it would.
pub fn may_export_to(path: &Path) -> Result<(), CacheError> {
    if !may_be_replaced(path, MAGIC)? {
        let path = path.to_owned();
        return Err(CacheError::Occupied { path });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let about = fs::metadata(Path::new(".").join(folder));
    match about.map(|about| about.is_dir()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(io::ErrorKind::NotADirectory.into()),
        Err(source) => Err(source),
    }
    .map_err(|source| CacheError::Write {
        path: path.to_owned(),
        source,
    })
}

/// Returns whether a file that begins with `begin` may be written at `path`: nothing is
/// there, or a file that is empty or begins so.
///
/// # Errors
///
/// If what is there cannot be read.
pub fn may_be_replaced(path: &Path, begin: &[u8]) -> Result<bool, CacheError> {
    let read_error = |source| CacheError::Read {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => return Ok(false),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(read_error(error)),
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(read_error)?;
    let mut file = file.take(begin.len() as u64);
    file.read_to_end(&mut start).map_err(read_error)?;
    Ok(start.is_empty() || start == begin)
}

/// A writer that hashes and counts what passes.
struct Hashing<W> {
    hasher: blake3::Hasher,
    size: u64,
    out: W,
}

impl<W: Write> Hashing<W> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// A file under a name that nobody looks for; removed when dropped, unless it
/// was renamed.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn beside(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        // A name can be as long as the file system takes already.
        let name: String = name.to_string_lossy().chars().take(40).collect();
        let mut attempt = 0;
        loop {
            let hidden = format!(".{}-{attempt}-{name}", process::id());
            let path = path.with_file_name(hidden);
            match File::create_new(&path) {
                Ok(file) => return Ok(Self { path, file }),
                // Somebody else's; it is left alone.
                Err(error)
                    if error.kind() == io::ErrorKind::AlreadyExists && attempt < ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After the rename there is nothing to remove, and that is as it should be.
        let _ = fs::remove_file(&self.path);
    }
}
