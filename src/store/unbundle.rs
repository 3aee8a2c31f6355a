//! Reads a cache file, which may be hostile, and takes its results over.
//!
//! The whole file is verified before anything is kept. Sizes are believed only
//! when they add up to the length of the file, so none can ask for more memory
//! than there are bytes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use rusqlite::params;
use serde::Serialize;

use crate::digest::Digest;
use crate::store::BUNDLE_VERSION;
use crate::store::BundleFlaw;
use crate::store::Bundled;
use crate::store::BundledResult;
use crate::store::CacheError;
use crate::store::Store;
use crate::store::Warning;
use crate::store::bundle::END_SIZE;
use crate::store::bundle::HEADER_SIZE;
use crate::store::bundle::Index;
use crate::store::bundle::MAGIC;

/// The largest index that is read.
const INDEX_SIZE_MAX: u64 = 64 << 20;

/// The longest name of a kind, an output or a part of a description, in bytes.
const NAME_SIZE_MAX: usize = 1_024;

/// A verified cache file.
#[derive(Debug)]
pub struct Bundle {
    path: PathBuf,
    file: Mutex<File>,
    index: Index,
    /// Where the bytes of each blob begin, and how many they are.
    places: BTreeMap<Digest, (u64, u64)>,
    bytes: u64,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// What the file holds.
    pub file: Bundled,
    /// Results that are new here.
    pub new: usize,
    /// Results that were here already, the same.
    pub known: usize,
    /// Kinds and keys of results that were here with other outputs: ours are
    /// kept. One of the two is wrong, or the task is not deterministic.
    pub different: Vec<(String, Digest)>,
}

impl Bundle {
    /// Reads the file at `path` and verifies all of it.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or anything is not exactly as an export writes it.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        let read_error = |source| CacheError::Read {
            path: path.to_owned(),
            source,
        };
        let is_file = fs::metadata(path).map_err(read_error)?.is_file();
        if !is_file {
            // It is read twice, which a pipe cannot be.
            let source = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
            return Err(read_error(source));
        }
        Self::read(File::open(path).map_err(read_error)?, path)
    }

    /// Reads an open file from its beginning and verifies all of it; `path` is what
    /// errors call it.
    ///
    /// # Errors
    ///
    /// As [`Bundle::open`].
    pub fn read(mut file: File, path: &Path) -> Result<Self, CacheError> {
        let read_error = |source| CacheError::Read {
            path: path.to_owned(),
            source,
        };
        let bytes = file.metadata().map_err(read_error)?.len();
        file.rewind().map_err(read_error)?;
        let mut reader = Hashing {
            hasher: blake3::Hasher::new(),
            file: BufReader::with_capacity(1 << 16, &file),
        };
        let verified = verified(&mut reader, bytes).map_err(|failure| match failure {
            Failure::Read(source) => read_error(source),
            Failure::Flaw(source) => CacheError::Bundle {
                path: path.to_owned(),
                source,
            },
        });
        let (index, places) = verified?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
            index,
            places,
            bytes,
        })
    }

    /// Returns the results it holds, ascending by key.
    pub fn results(&self) -> &[BundledResult] {
        &self.index.results
    }

    /// Returns the bytes of a blob it holds.
    ///
    /// # Errors
    ///
    /// If it has none of this digest, cannot be read, or was changed since it
    /// was verified.
    pub fn blob(&self, digest: Digest) -> Result<Vec<u8>, CacheError> {
        let (start, size) = *self
            .places
            .get(&digest)
            .ok_or(CacheError::Changed { digest })?;
        let read = || {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::new();
            (&mut *file).take(size).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        let bytes = read().map_err(|source| CacheError::Read {
            path: self.path.clone(),
            source,
        })?;
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(self.flaw(BundleFlaw::WrongDigest {
                expected: digest,
                found,
            }));
        }
        Ok(bytes)
    }

    /// Returns `flaw` as an error about this file.
    pub fn flaw(&self, flaw: BundleFlaw) -> CacheError {
        CacheError::Bundle {
            path: self.path.clone(),
            source: flaw,
        }
    }

    /// Takes all results over that `store` does not have. Bytes come first, and
    /// all results in one transaction after them.
    ///
    /// # Errors
    ///
    /// If the file changed since it was verified, or the store cannot keep it.
    pub fn import_into(&self, store: &Store) -> Result<Imported, CacheError> {
        let mut imported = Imported {
            file: self.index.told(self.bytes),
            new: 0,
            known: 0,
            different: Vec::new(),
        };
        let mut new = Vec::new();
        for result in &self.index.results {
            match store.result(result.key) {
                None => new.push(result),
                Some(found) if found.outputs == result.outputs => {
                    imported.known += 1;
                    // Ours may have lost its bytes.
                    new.push(result);
                }
                Some(_) => imported.different.push((result.kind.clone(), result.key)),
            }
        }
        imported.new = new.len() - imported.known;
        let wanted: BTreeSet<Digest> = new.iter().flat_map(|result| result.blobs()).collect();
        for digest in wanted {
            let (_, size) = self.places[&digest];
            if !store.contains(digest, size) && store.put_blob(&self.blob(digest)?).is_none() {
                return Err(not_stored(store));
            }
        }
        if !store.adopt(&new) {
            return Err(not_stored(store));
        }
        Ok(imported)
    }
}

fn not_stored(store: &Store) -> CacheError {
    let warnings = store.take_warnings().into_iter();
    let cause = warnings.last().map(|warning| match warning {
        Warning::NotStored { cause } => cause,
        other => other.to_string(),
    });
    CacheError::NotStored {
        cause: cause.unwrap_or_else(|| "it is read-only".to_owned()),
    }
}

impl Store {
    /// Records results whose blobs are all in place; those that are known stay
    /// as they are.
    fn adopt(&self, results: &[&BundledResult]) -> bool {
        let today = self.today();
        let sql = "INSERT OR IGNORE INTO results \
                   (key, kind, outputs, manifest, cost_ms, used_day) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let adopted = self.write(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            for result in results {
                statement.execute(params![
                    result.key.as_bytes(),
                    result.kind,
                    serde_json::to_string(&result.outputs).expect("names and digests are JSON"),
                    serde_json::to_string(&result.manifest).expect("names and digests are JSON"),
                    i64::try_from(result.cost_ms).unwrap_or(i64::MAX),
                    today,
                ])?;
            }
            Ok(())
        });
        adopted.is_some()
    }
}

/// Why a file was not verified.
enum Failure {
    Read(io::Error),
    Flaw(BundleFlaw),
}

impl From<BundleFlaw> for Failure {
    fn from(flaw: BundleFlaw) -> Self {
        Self::Flaw(flaw)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// A reader that hashes what it reads.
struct Hashing<R> {
    hasher: blake3::Hasher,
    file: R,
}

impl<R: Read> Hashing<R> {
    /// Reads `size` bytes, no more than the caller knows the file to have.
    fn take(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let found = (&mut self.file).take(size).read_to_end(&mut bytes)?;
        if found as u64 != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    /// Reads `size` bytes without holding them, and returns their digest.
    fn digest(&mut self, size: u64) -> io::Result<Digest> {
        let mut own = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        let mut rest = size;
        while rest > 0 {
            let wanted = usize::try_from(rest).map_or(buffer.len(), |rest| rest.min(buffer.len()));
            let count = self.file.read(&mut buffer[..wanted])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            own.update(&buffer[..count]);
            self.hasher.update(&buffer[..count]);
            rest -= count as u64;
        }
        Ok(Digest::from_bytes(*own.finalize().as_bytes()))
    }
}

/// The index, and where the bytes of each blob begin and how many they are.
type Verified = (Index, BTreeMap<Digest, (u64, u64)>);

/// Reads a whole file of `length` bytes.
fn verified<R: Read>(reader: &mut Hashing<R>, length: u64) -> Result<Verified, Failure> {
    let index_size = index_size(reader, length)?;
    let index = index(reader, index_size)?;
    let start = HEADER_SIZE + index_size;
    let sizes = index.blobs.iter().map(|blob| blob.size);
    let content = sizes.fold(start, u64::saturating_add);
    let expected = content.saturating_add(END_SIZE);
    if expected != length {
        let found = length;
        return Err(BundleFlaw::Length { expected, found }.into());
    }
    check_index(&index)?;
    let mut places = BTreeMap::new();
    let mut place = start;
    for blob in &index.blobs {
        let found = reader.digest(blob.size)?;
        if found != blob.digest {
            let expected = blob.digest;
            return Err(BundleFlaw::WrongDigest { expected, found }.into());
        }
        places.insert(blob.digest, (place, blob.size));
        place += blob.size;
    }
    let end = *reader.hasher.finalize().as_bytes();
    if reader.take(END_SIZE)? != end {
        return Err(BundleFlaw::WrongEnd.into());
    }
    Ok((index, places))
}

/// Reads the header; returns the size of the index.
fn index_size<R: Read>(reader: &mut Hashing<R>, length: u64) -> Result<u64, Failure> {
    if length < HEADER_SIZE + END_SIZE {
        return Err(BundleFlaw::NotOurs.into());
    }
    let header = reader.take(HEADER_SIZE)?;
    let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| header[at + i]));
    if &header[..8] != MAGIC {
        return Err(BundleFlaw::NotOurs.into());
    }
    let (found, known) = (number(8), BUNDLE_VERSION);
    if found > known {
        return Err(BundleFlaw::Newer { found, known }.into());
    }
    if found != known || number(12) != 0 {
        return Err(BundleFlaw::NotOurs.into());
    }
    let size = u64::from(number(16)) | u64::from(number(20)) << 32;
    if size > INDEX_SIZE_MAX {
        let limit = INDEX_SIZE_MAX;
        let what = "its index";
        return Err(BundleFlaw::TooLarge { what, size, limit }.into());
    }
    let expected = HEADER_SIZE + size + END_SIZE;
    if expected > length {
        let found = length;
        return Err(BundleFlaw::Length { expected, found }.into());
    }
    Ok(size)
}

/// Reads the index, which is written in the one way it can be; this also rules
/// out keys that stand twice.
fn index<R: Read>(reader: &mut Hashing<R>, size: u64) -> Result<Index, Failure> {
    let json = reader.take(size)?;
    let index: Index =
        serde_json::from_slice(&json).map_err(|source| BundleFlaw::Index { source })?;
    if index.to_json() != json {
        return Err(BundleFlaw::NotCanonical.into());
    }
    Ok(index)
}

/// Checks that results and blobs name each other, each once and in order.
fn check_index(index: &Index) -> Result<(), BundleFlaw> {
    check_order(index.results.iter().map(|result| result.key))?;
    check_order(index.blobs.iter().map(|blob| blob.digest))?;
    let mut unnamed: BTreeMap<Digest, u64> = index
        .blobs
        .iter()
        .map(|blob| (blob.digest, blob.size))
        .collect();
    let sizes = unnamed.clone();
    for result in &index.results {
        let names = result.outputs.keys().chain(result.manifest.keys());
        if !names.chain([&result.kind]).all(|name| is_name(name)) {
            return Err(BundleFlaw::Name);
        }
        let key = result.key;
        for output in result.outputs.values() {
            if sizes.get(&output.digest) != Some(&output.size) {
                let digest = output.digest;
                return Err(BundleFlaw::Missing { key, digest });
            }
        }
        for digest in result.blobs() {
            if !sizes.contains_key(&digest) {
                return Err(BundleFlaw::Missing { key, digest });
            }
            unnamed.remove(&digest);
        }
    }
    match unnamed.into_keys().next() {
        Some(digest) => Err(BundleFlaw::Unlisted { digest }),
        None => Ok(()),
    }
}

fn check_order(digests: impl Iterator<Item = Digest>) -> Result<(), BundleFlaw> {
    let mut last = None;
    for digest in digests {
        if last >= Some(digest) {
            return Err(BundleFlaw::Order { digest });
        }
        last = Some(digest);
    }
    Ok(())
}

/// Whether a name is one that a task could have: it may end up on a screen.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_SIZE_MAX && !name.chars().any(char::is_control)
}
