//! Everything that is wrong with an archive, at once: for a person who wants to
//! know, where [`unpack`](crate::archive::unpack) stops at the first flaw.
//!
//! The limits are the same, and so is what counts as a flaw. Reading ends where
//! the bytes themselves cannot be believed any further.

use std::io::BufRead;
use std::io::Read;

use tar::Archive;

use crate::archive::Files;
use crate::archive::Flaw;
use crate::archive::Limits;
use crate::archive::Manifest;
use crate::archive::ManifestEntry;
use crate::archive::Metadata;
use crate::archive::Model;
use crate::archive::names::FINGERPRINT;
use crate::archive::names::MANIFEST;
use crate::archive::names::METADATA;
use crate::archive::unpack::Guarded;
use crate::archive::unpack::check_end;
use crate::archive::unpack::check_format;
use crate::archive::unpack::damaged;
use crate::archive::unpack::document;
use crate::archive::unpack::in_parts;
use crate::archive::unpack::missing_files;
use crate::archive::unpack::regular_file_path;
use crate::digest::Digest;

/// What an archive holds and what is wrong with it.
#[derive(Debug, Default)]
pub struct Examination {
    /// Everything that is wrong; an archive without flaws is one that
    /// [`unpack`](crate::archive::unpack) takes.
    pub flaws: Vec<Flaw>,
    /// How many entries were read.
    pub entries: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// The digest of the manifest, which names the model.
    pub digest: Option<Digest>,
    /// The model, as far as it can be put together; none of an archive that was
    /// cut off. **Not safe to use** if there are flaws.
    pub model: Option<Model>,
}

/// Reads an archive to the end, or as far as possible. `packed_bytes` is the
/// length of the whole archive.
pub fn examine(bytes: impl BufRead, packed_bytes: u64, limits: &Limits) -> Examination {
    let mut examination = Examination::default();
    let mut entries = Files::new();
    let is_whole = match read(bytes, packed_bytes, limits, &mut entries, &mut examination) {
        Ok(()) => true,
        Err(flaw) => {
            let is_whole = matches!(flaw, Flaw::TrailingBytes);
            examination.flaws.push(flaw);
            is_whole
        }
    };
    examination.entries = entries.len();
    examination.bytes = entries.values().map(|bytes| bytes.len() as u64).sum();
    if entries.is_empty() && !is_whole {
        // Whatever it is, it is no archive: what all it lacks goes without saying.
        return examination;
    }
    examination.digest = entries.get(MANIFEST).map(|bytes| Digest::of(bytes));
    if let Err(flaw) = check_format(&entries) {
        let is_newer = matches!(flaw, Flaw::NewerFormat { .. });
        examination.flaws.push(flaw);
        if is_newer {
            return examination;
        }
    }
    compare(&entries, is_whole, &mut examination.flaws);
    if is_whole {
        put_together(entries, &mut examination);
    }
    examination
}

/// Reads every entry that may be read. An error is where reading ended.
fn read(
    bytes: impl BufRead,
    packed_bytes: u64,
    limits: &Limits,
    entries: &mut Files,
    examination: &mut Examination,
) -> Result<(), Flaw> {
    let mut tar = Archive::new(Guarded::new(bytes, packed_bytes, limits));
    let (mut total_bytes, mut count) = (0, 0);
    for entry in tar.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let size = entry.header().entry_size().map_err(damaged)?;
        count += 1;
        limits.check_entry_count(count)?;
        let path = match regular_file_path(&entry) {
            Ok(path) => path,
            Err(flaw) => {
                examination.flaws.push(flaw);
                continue;
            }
        };
        limits.check_entry_bytes(&path, size)?;
        total_bytes += size;
        limits.check_total_bytes(total_bytes)?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        if content.len() as u64 != size {
            return Err(damaged(std::io::ErrorKind::UnexpectedEof.into()));
        }
        if entries.contains_key(&path) {
            examination.flaws.push(Flaw::Twice { path });
            continue;
        }
        entries.insert(path, content);
    }
    check_end(tar.into_inner())
}

/// Compares every entry with the manifest, in both directions. In an archive
/// that was cut off nobody is told what all is missing.
fn compare(entries: &Files, is_whole: bool, flaws: &mut Vec<Flaw>) {
    if !is_whole && !entries.contains_key(MANIFEST) {
        return;
    }
    let manifest: Manifest = match document(entries, MANIFEST) {
        Ok(manifest) => manifest,
        Err(flaw) => return flaws.push(flaw),
    };
    for (path, expected) in &manifest.entries {
        let Some(bytes) = entries.get(path) else {
            if is_whole {
                flaws.push(Flaw::Missing { path: path.clone() });
            }
            continue;
        };
        let (path, found) = (path.clone(), ManifestEntry::of(bytes));
        if found.size != expected.size {
            flaws.push(Flaw::WrongSize {
                path,
                expected: expected.size,
                found: found.size,
            });
        } else if found.digest != expected.digest {
            flaws.push(Flaw::WrongDigest {
                path,
                expected: expected.digest,
                found: found.digest,
            });
        }
    }
    let is_unlisted = |path: &&String| *path != MANIFEST && !manifest.entries.contains_key(*path);
    let unlisted = entries.keys().filter(is_unlisted);
    flaws.extend(unlisted.map(|path| Flaw::Unlisted { path: path.clone() }));
}

/// Puts the model of a whole archive together, if its documents can be read.
fn put_together(entries: Files, examination: &mut Examination) {
    let fingerprint = document(&entries, FINGERPRINT);
    let metadata = document::<Metadata>(&entries, METADATA);
    let (fingerprint, metadata) = match (fingerprint, metadata) {
        (Ok(fingerprint), Ok(metadata)) => (fingerprint, metadata),
        (fingerprint, metadata) => {
            let flaws = fingerprint.err().into_iter().chain(metadata.err());
            let known: Vec<Option<String>> = examination.flaws.iter().map(path_of).collect();
            // One flaw a document is enough.
            let is_new = |flaw: &Flaw| !known.contains(&path_of(flaw));
            examination.flaws.extend(flaws.filter(is_new));
            return;
        }
    };
    let Ok((core, nlu)) = in_parts(entries) else {
        unreachable!("paths were checked when the entries were read");
    };
    let model = Model {
        core,
        nlu,
        fingerprint,
        metadata,
    };
    let known: Vec<Option<String>> = examination.flaws.iter().map(path_of).collect();
    let missing = missing_files(&model).filter(|path| !known.contains(&Some(path.clone())));
    let missing: Vec<Flaw> = missing.map(|path| Flaw::Missing { path }).collect();
    examination.flaws.extend(missing);
    examination.model = Some(model);
}

fn path_of(flaw: &Flaw) -> Option<String> {
    flaw.path().map(str::to_owned)
}
