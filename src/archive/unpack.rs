//! The bytes of an archive to a verified model.
//!
//! Everything here treats its input as hostile: sizes are bounded before they
//! are believed, and nothing is returned before all of it was verified.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;

use flate2::bufread::GzDecoder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tar::Archive;
use tar::Entry;
use tar::EntryType;

use crate::archive::ARCHIVE_FORMAT;
use crate::archive::ArchiveError;
use crate::archive::Files;
use crate::archive::Flaw;
use crate::archive::Manifest;
use crate::archive::ManifestEntry;
use crate::archive::Model;
use crate::archive::names::FINGERPRINT;
use crate::archive::names::MANIFEST;
use crate::archive::names::METADATA;
use crate::archive::names::Part;
use crate::archive::names::part_of;
use crate::archive::pack::canonical_json;

/// The most that a reader takes from an archive before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Number of entries.
    pub entries: usize,
    /// Bytes in one entry.
    pub entry_bytes: u64,
    /// Bytes in all entries together.
    pub total_bytes: u64,
    /// How many times larger than the compressed file the content may be…
    pub ratio: u64,
    /// …once it is larger than this many bytes.
    pub ratio_from_bytes: u64,
}

impl Default for Limits {
    /// 65,536 entries, 2 GiB each, 4 GiB together; at most 200 times the file
    /// from 64 MiB on (weights shrink by less than 2, JSON by less than 50).
    fn default() -> Self {
        Self {
            entries: 1 << 16,
            entry_bytes: 2 << 30,
            total_bytes: 4 << 30,
            ratio: 200,
            ratio_from_bytes: 64 << 20,
        }
    }
}

impl Limits {
    pub(super) fn check_entry_count(&self, count: usize) -> Result<(), Flaw> {
        check("entries", count as u64, self.entries as u64)
    }

    pub(super) fn check_entry_bytes(&self, path: &str, size: u64) -> Result<(), Flaw> {
        check(&format!("bytes in `{path}`"), size, self.entry_bytes)
    }

    pub(super) fn check_total_bytes(&self, size: u64) -> Result<(), Flaw> {
        check("bytes in all entries", size, self.total_bytes)
    }

    /// Returns whether `unpacked` bytes may come out of `packed` ones.
    pub(super) fn ratio_is_fine(&self, unpacked: u64, packed: u64) -> bool {
        unpacked <= self.ratio_from_bytes || unpacked / self.ratio <= packed
    }
}

fn check(what: &str, found: u64, limit: u64) -> Result<(), Flaw> {
    if found <= limit {
        return Ok(());
    }
    Err(Flaw::TooLarge {
        what: what.to_owned(),
        limit,
    })
}

/// Reads and verifies the archive at `path`, within the default limits.
///
/// # Errors
///
/// If the file cannot be read or is not a usable archive.
pub fn read_model(path: &Path) -> Result<Model, ArchiveError> {
    let read_error = |source| ArchiveError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read_error)?;
    let packed_bytes = file.metadata().map_err(read_error)?.len();
    let bytes = BufReader::with_capacity(1 << 16, file);
    unpack(bytes, packed_bytes, &Limits::default()).map_err(|source| ArchiveError::Unusable {
        path: path.to_owned(),
        source,
    })
}

/// Reads and verifies an archive, holding at most what `limits` allows.
/// `packed_bytes` is the length of the whole archive, for the ratio.
///
/// # Errors
///
/// The first flaw that is found, in the order in which the bytes come.
pub fn unpack(bytes: impl BufRead, packed_bytes: u64, limits: &Limits) -> Result<Model, Flaw> {
    let entries = read_entries(bytes, packed_bytes, limits)?;
    check_format(&entries)?;
    verify(&entries)?;
    let fingerprint = document(&entries, FINGERPRINT)?;
    let metadata = document(&entries, METADATA)?;
    let (core, nlu) = in_parts(entries)?;
    let model = Model {
        core,
        nlu,
        fingerprint,
        metadata,
    };
    check_listed_files(&model)?;
    Ok(model)
}

/// Sorts entries into the files of Core and of NLU, by their paths below those.
pub(super) fn in_parts(entries: Files) -> Result<(Files, Files), Flaw> {
    let (mut core, mut nlu) = (Files::new(), Files::new());
    for (path, bytes) in entries {
        let files = match part_of(&path)? {
            Part::Core => &mut core,
            Part::Nlu => &mut nlu,
            Part::Document => continue,
        };
        let below = path.split_once('/').map_or("", |(_, below)| below);
        files.insert(below.to_owned(), bytes);
    }
    Ok((core, nlu))
}

/// Refuses a model whose metadata names a file that it does not have.
pub(super) fn check_listed_files(model: &Model) -> Result<(), Flaw> {
    match missing_files(model).next() {
        Some(path) => Err(Flaw::Missing { path }),
        None => Ok(()),
    }
}

/// Returns the files that the metadata names and the model does not have.
pub(super) fn missing_files(model: &Model) -> impl Iterator<Item = String> {
    let metadata = &model.metadata;
    let components = metadata.pipeline.iter().chain(&metadata.policies);
    let is_there = |path: &str| match path.split_once('/') {
        Some(("core", below)) => model.core.contains_key(below),
        Some(("nlu", below)) => model.nlu.contains_key(below),
        _ => false,
    };
    let paths = components.flat_map(|component| &component.files);
    paths.filter(move |path| !is_there(path)).cloned()
}

/// Reads every entry and the end of the archive; path to bytes.
fn read_entries(bytes: impl BufRead, packed_bytes: u64, limits: &Limits) -> Result<Files, Flaw> {
    let mut tar = Archive::new(Guarded::new(bytes, packed_bytes, limits));
    let mut entries = Files::new();
    let mut total_bytes = 0;
    // Raw: extended headers are shown instead of obeyed, and so refused below.
    for entry in tar.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        let path = regular_file_path(&entry)?;
        let size = entry.header().entry_size().map_err(damaged)?;
        limits.check_entry_bytes(&path, size)?;
        total_bytes += size;
        limits.check_total_bytes(total_bytes)?;
        limits.check_entry_count(entries.len() + 1)?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(damaged)?;
        if content.len() as u64 != size {
            return Err(damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        if entries.insert(path.clone(), content).is_some() {
            return Err(Flaw::Twice { path });
        }
    }
    check_end(tar.into_inner())?;
    Ok(entries)
}

/// Returns the path of an entry that may be read.
pub(super) fn regular_file_path<R: Read>(entry: &Entry<R>) -> Result<String, Flaw> {
    let bytes = entry.path_bytes();
    let Ok(path) = std::str::from_utf8(&bytes) else {
        return Err(Flaw::PathNotUtf8 {
            lossy: String::from_utf8_lossy(&bytes).into_owned(),
        });
    };
    if let Some(kind) = unwanted(entry.header().entry_type()) {
        return Err(Flaw::NotAFile {
            path: path.to_owned(),
            kind,
        });
    }
    part_of(path)?;
    Ok(path.to_owned())
}

/// Says what an entry is that is not a regular file.
fn unwanted(kind: EntryType) -> Option<&'static str> {
    match kind {
        EntryType::Regular => None,
        EntryType::Directory => Some("a folder"),
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Link => Some("a hard link"),
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Fifo => Some("a pipe"),
        EntryType::XHeader | EntryType::XGlobalHeader => Some("an extended header"),
        EntryType::GNULongName | EntryType::GNULongLink => Some("a long name"),
        _ => Some("of an unknown kind"),
    }
}

/// Reads to the end of the gzip member, so that its checksum is compared, and
/// refuses anything but zeros in it and anything at all behind it.
pub(super) fn check_end<R: BufRead>(mut guarded: Guarded<R>) -> Result<(), Flaw> {
    let mut buffer = [0; 4096];
    loop {
        let count = guarded.read(&mut buffer).map_err(damaged)?;
        if count == 0 {
            break;
        }
        if buffer[..count].iter().any(|byte| *byte != 0) {
            return Err(Flaw::TrailingBytes);
        }
    }
    let mut rest = guarded.gzip.into_inner();
    match rest.fill_buf().map_err(damaged)? {
        [] => Ok(()),
        _ => Err(Flaw::TrailingBytes),
    }
}

/// Refuses formats that are not known, before anything else about the
/// documents is believed or complained of.
pub(super) fn check_format(entries: &Files) -> Result<(), Flaw> {
    #[derive(serde::Deserialize)]
    struct FormatOnly {
        archive_format: u64,
    }
    let FormatOnly { archive_format } = parse(entries, METADATA)?;
    if archive_format > u64::from(ARCHIVE_FORMAT) {
        return Err(Flaw::NewerFormat {
            found: archive_format,
            known: ARCHIVE_FORMAT,
        });
    }
    Ok(())
}

/// Compares every entry with the manifest, in both directions.
fn verify(entries: &Files) -> Result<(), Flaw> {
    let manifest: Manifest = document(entries, MANIFEST)?;
    for (path, expected) in &manifest.entries {
        let bytes = entry(entries, path)?;
        let found = ManifestEntry::of(bytes);
        if found.size != expected.size {
            return Err(Flaw::WrongSize {
                path: path.clone(),
                expected: expected.size,
                found: found.size,
            });
        }
        if found.digest != expected.digest {
            return Err(Flaw::WrongDigest {
                path: path.clone(),
                expected: expected.digest,
                found: found.digest,
            });
        }
    }
    let unlisted = entries
        .keys()
        .find(|path| *path != MANIFEST && !manifest.entries.contains_key(*path));
    match unlisted {
        Some(path) => Err(Flaw::Unlisted { path: path.clone() }),
        None => Ok(()),
    }
}

/// Returns a document that is written in the one way it can be; this also
/// rules out keys that stand twice.
pub(super) fn document<T: DeserializeOwned + Serialize>(
    entries: &Files,
    path: &str,
) -> Result<T, Flaw> {
    let document: T = parse(entries, path)?;
    if canonical_json(&document) != entry(entries, path)? {
        return Err(Flaw::NotCanonical {
            path: path.to_owned(),
        });
    }
    Ok(document)
}

fn parse<T: DeserializeOwned>(entries: &Files, path: &str) -> Result<T, Flaw> {
    serde_json::from_slice(entry(entries, path)?).map_err(|source| Flaw::Document {
        path: path.to_owned(),
        source,
    })
}

fn entry<'a>(entries: &'a Files, path: &str) -> Result<&'a [u8], Flaw> {
    match entries.get(path) {
        Some(bytes) => Ok(bytes),
        None => Err(Flaw::Missing {
            path: path.to_owned(),
        }),
    }
}

/// Names the flaw behind an error of the decoders. A limit travels through
/// them as the inner error.
pub(super) fn damaged(source: io::Error) -> Flaw {
    match source.downcast::<Flaw>() {
        Ok(flaw) => flaw,
        Err(source) => Flaw::Damaged { source },
    }
}

/// A decompressor that stops at the limits on all it gives out, entries or not.
pub(super) struct Guarded<R> {
    gzip: GzDecoder<R>,
    packed_bytes: u64,
    unpacked: u64,
    limits: Limits,
}

impl<R: BufRead> Guarded<R> {
    pub(super) fn new(bytes: R, packed_bytes: u64, limits: &Limits) -> Self {
        Self {
            gzip: GzDecoder::new(bytes),
            packed_bytes,
            unpacked: 0,
            limits: *limits,
        }
    }
}

impl<R: BufRead> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.gzip.read(buffer)?;
        self.unpacked += count as u64;
        // Headers and padding come on top of the content.
        let slack = (self.limits.entries as u64)
            .saturating_mul(2048)
            .saturating_add(4096);
        check(
            "bytes unpacked",
            self.unpacked,
            self.limits.total_bytes.saturating_add(slack),
        )
        .map_err(io::Error::other)?;
        if !self.limits.ratio_is_fine(self.unpacked, self.packed_bytes) {
            return Err(io::Error::other(Flaw::TooLarge {
                what: "compression ratio".to_owned(),
                limit: self.limits.ratio,
            }));
        }
        Ok(count)
    }
}
