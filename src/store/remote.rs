//! What others keep of results, as far as this room and the engine know it.
//!
//! A [`RemoteStore`] answers by key what it has, hands out bytes by name, and takes
//! results to hand on. It never fails: what cannot be had is not there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;
use sha2::Digest as _;

use crate::digest::Digest;
use crate::store::OutputRef;
use crate::store::Store;
use crate::store::StoredResult;
use crate::store::Warning;

/// The name that remote caches know bytes by: their SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Returns the name of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Returns the name of all that `reader` gives, and how many bytes that is.
    ///
    /// # Errors
    ///
    /// If reading fails.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = sha2::Sha256::new();
        let mut buffer = vec![0; 1 << 17];
        let mut size = 0;
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok((Self(hasher.finalize().into()), size)),
                count => {
                    hasher.update(&buffer[..count]);
                    size += count as u64;
                }
            }
        }
    }

    /// Returns the name that `text` writes, which is 64 lower-case hexadecimal
    /// digits, as [`Digest`]s are written.
    pub fn parse(text: &str) -> Option<Self> {
        let digest: Digest = text.parse().ok()?;
        (digest.to_string() == text).then(|| Self(*digest.as_bytes()))
    }
}

/// A writer that names what it writes.
pub struct Sha256Writer<W> {
    hasher: sha2::Sha256,
    size: u64,
    out: W,
}

impl<W: Write> Sha256Writer<W> {
    /// Returns a writer to `out`.
    pub fn new(out: W) -> Self {
        Self {
            hasher: sha2::Sha256::new(),
            size: 0,
            out,
        }
    }

    /// Returns the name of what was written, and how many bytes it has.
    pub fn finish(self) -> (Sha256, u64) {
        (Sha256(self.hasher.finalize().into()), self.size)
    }
}

impl<W: Write> Write for Sha256Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

/// Bytes by both of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteBlob {
    /// What they are called here.
    pub output: OutputRef,
    /// What they are called there.
    pub sha256: Sha256,
}

/// A result that others have. What it says of itself is checked when the bytes
/// are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteResult {
    /// The outputs by name.
    pub outputs: BTreeMap<String, RemoteBlob>,
    /// What describes what the key was made of, by name.
    pub manifest: BTreeMap<String, RemoteBlob>,
    /// How long the task ran, in milliseconds.
    pub cost_ms: u64,
}

impl RemoteResult {
    /// Returns all blobs, each once.
    pub fn blobs(&self) -> Vec<RemoteBlob> {
        let mut seen = BTreeSet::new();
        let blobs = self.outputs.values().chain(self.manifest.values());
        let first = |blob: &&RemoteBlob| seen.insert(blob.output.digest);
        blobs.filter(first).copied().collect()
    }

    /// Returns the bytes of all outputs.
    pub fn size(&self) -> u64 {
        self.outputs.values().map(|blob| blob.output.size).sum()
    }

    /// Returns the result as it will be when it is here.
    pub fn stored(&self) -> StoredResult {
        let outputs = self.outputs.iter();
        let manifest = self.manifest.iter();
        StoredResult {
            outputs: outputs.map(|(n, blob)| (n.clone(), blob.output)).collect(),
            manifest: manifest
                .map(|(n, blob)| (n.clone(), blob.output.digest))
                .collect(),
            cost_ms: self.cost_ms,
            used_day: 0,
        }
    }
}

/// A result to hand on, with its bytes.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The key of what the task read.
    pub key: Digest,
    /// The kind of task.
    pub kind: &'static str,
    /// What it gave.
    pub result: RemoteResult,
    /// The bytes of all its blobs.
    pub bytes: HashMap<Digest, Arc<Vec<u8>>>,
}

/// Results that others keep: a remote cache. Nothing here fails.
pub trait RemoteStore: Send + Sync {
    /// Returns the results under `keys`, as far as there are some. The keys are
    /// asked for side by side.
    fn look_up(&self, keys: &[Digest]) -> HashMap<Digest, RemoteResult>;

    /// Returns the bytes of `blobs` in their order, each as both of its names say;
    /// none if one cannot be had.
    fn fetch(&self, blobs: &[RemoteBlob]) -> Option<Vec<Vec<u8>>>;

    /// Returns whether results are taken.
    fn takes_offers(&self) -> bool;

    /// Takes a result, to hand it on while other work goes on.
    fn offer(&self, offer: Offer);

    /// Notes that something given was not what it should be, and is not used.
    fn refuse(&self, what: &str);

    /// Returns the warnings that came up since the last call.
    fn take_warnings(&self) -> Vec<Warning>;
}

impl Store {
    /// Returns the SHA-256 of `bytes`, whose digest is given: it is kept beside the
    /// digest, so that it is computed once.
    pub fn sha256(&self, digest: Digest, bytes: &[u8]) -> Sha256 {
        let known = self.read(|connection| kept_sha256(connection, digest));
        if let Some(sha256) = known.flatten() {
            return sha256;
        }
        let sha256 = Sha256::of(bytes);
        self.keep_sha256([(digest, sha256)]);
        sha256
    }

    /// Returns a result as it is handed on.
    pub fn offer(
        &self,
        key: Digest,
        kind: &'static str,
        [outputs, manifest]: [BTreeMap<String, Arc<Vec<u8>>>; 2],
        cost_ms: u64,
    ) -> Offer {
        let mut bytes = HashMap::new();
        let mut named = |all: BTreeMap<String, Arc<Vec<u8>>>| -> BTreeMap<String, RemoteBlob> {
            let all = all.into_iter().map(|(name, one)| {
                let output = OutputRef::of(&one);
                let sha256 = self.sha256(output.digest, &one);
                bytes.insert(output.digest, one);
                (name, RemoteBlob { output, sha256 })
            });
            all.collect()
        };
        let result = RemoteResult {
            outputs: named(outputs),
            manifest: named(manifest),
            cost_ms,
        };
        Offer {
            key,
            kind,
            result,
            bytes,
        }
    }

    /// Returns a result that is here as it is handed on; none if not all of it is.
    pub fn kept_offer(&self, key: Digest, kind: &'static str) -> Option<Offer> {
        let StoredResult {
            outputs,
            manifest,
            cost_ms,
            ..
        } = self.result(key)?;
        let outputs = outputs.into_iter();
        let outputs = outputs
            .map(|(name, output)| (name, output.digest))
            .collect();
        let read = |all: BTreeMap<String, Digest>| -> Option<BTreeMap<String, Arc<Vec<u8>>>> {
            let all = all.into_iter();
            all.map(|(name, digest)| Some((name, Arc::new(self.blob(digest)?))))
                .collect()
        };
        Some(self.offer(key, kind, [read(outputs)?, read(manifest)?], cost_ms))
    }

    /// Keeps names of blobs, as far as the blobs are here.
    pub fn keep_sha256(&self, names: impl IntoIterator<Item = (Digest, Sha256)>) {
        self.write(|connection| {
            let sql = "UPDATE blobs SET sha256 = ?2 WHERE digest = ?1 AND sha256 IS NULL";
            let mut statement = connection.prepare_cached(sql)?;
            for (digest, sha256) in names {
                statement.execute(params![digest.as_bytes(), sha256.0])?;
            }
            Ok(())
        });
    }
}

fn kept_sha256(connection: &Connection, digest: Digest) -> rusqlite::Result<Option<Sha256>> {
    let sql = "SELECT sha256 FROM blobs WHERE digest = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row([digest.as_bytes()], |row| row.get::<_, Option<Vec<u8>>>(0));
    let bytes = row.optional()?.flatten();
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(Sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_nothing_is_the_one_that_everybody_knows() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Sha256::of(b"").to_string(), text);
        assert_eq!(Sha256::parse(text), Some(Sha256::of(b"")));
        let bytes = vec![7; 300_000];
        let read = Sha256::of_reader(bytes.as_slice()).unwrap();
        assert_eq!(read, (Sha256::of(&bytes), 300_000));
        assert_eq!(Sha256::parse(&text.to_uppercase()), None);
        assert_eq!(Sha256::parse(&text[1..]), None);
    }

    #[test]
    fn a_name_is_computed_once_for_each_blob() {
        let store = Store::in_memory();
        let digest = store.put_blob(b"hello").unwrap();
        assert_eq!(store.sha256(digest, b"hello"), Sha256::of(b"hello"));
        // What was computed is kept: the bytes are not looked at again.
        assert_eq!(store.sha256(digest, b"other"), Sha256::of(b"hello"));
        let unknown = Digest::of(b"not stored");
        assert_eq!(store.sha256(unknown, b"one"), Sha256::of(b"one"));
        assert_eq!(store.sha256(unknown, b"two"), Sha256::of(b"two"));
    }
}
