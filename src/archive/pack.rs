//! A model to the bytes of its archive: the same model, the same bytes.

use std::mem;

use serde::Serialize;
use tar::EntryType;
use tar::Header;

use crate::archive::Flaw;
use crate::archive::Limits;
use crate::archive::Manifest;
use crate::archive::ManifestEntry;
use crate::archive::Model;
use crate::archive::TrainingType;
use crate::archive::gzip::Gzip;
use crate::archive::names::FINGERPRINT;
use crate::archive::names::MANIFEST;
use crate::archive::names::METADATA;
use crate::archive::names::part_of;
use crate::archive::unpack::check_listed_files;
use crate::digest::Digest;

/// The fastest level: level 6 takes three times as long to make a tenth less.
const LEVEL: u32 = 1;

/// How files with weights end, which are stored as they are: most of an archive, of
/// which compression would spare a twelfth.
const WEIGHTS: &str = ".safetensors";

/// A tar file is a row of blocks of this many bytes.
const BLOCK_BYTES: usize = 512;

/// An archive in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The bytes of the `.tar.gz` file.
    pub bytes: Vec<u8>,
    /// The digest of the manifest, which names the model.
    pub digest: Digest,
    /// Which parts the model has; the archive's name starts with it.
    pub training_type: TrainingType,
}

/// Packs `model`.
///
/// The bytes depend on the model alone. They also are a function of the version
/// of the compression library; the digest is not.
///
/// # Errors
///
/// If a path may not stand in an archive, a component lists a file that is not
/// there, or the model exceeds what a reader takes by default.
pub fn pack(model: &Model) -> Result<Packed, Flaw> {
    let fingerprint = canonical_json(&model.fingerprint);
    let metadata = canonical_json(&model.metadata);
    let mut entries: Vec<(String, &[u8])> = vec![
        (FINGERPRINT.to_owned(), &fingerprint),
        (METADATA.to_owned(), &metadata),
    ];
    for (folder, files) in [("core", &model.core), ("nlu", &model.nlu)] {
        for (path, bytes) in files {
            let path = format!("{folder}/{path}");
            part_of(&path)?;
            entries.push((path, bytes));
        }
    }
    check_listed_files(model)?;
    let manifest = canonical_json(&Manifest {
        entries: entries
            .iter()
            .map(|(path, bytes)| (path.clone(), ManifestEntry::of(bytes)))
            .collect(),
    });
    entries.push((MANIFEST.to_owned(), &manifest));
    entries.sort();
    check_limits(&entries)?;
    Ok(Packed {
        bytes: compress(&entries),
        digest: Digest::of(&manifest),
        training_type: model.metadata.training_type,
    })
}

/// Returns the one way to write a document.
pub(super) fn canonical_json<T: Serialize>(document: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(document)
        .expect("documents have string keys and no failing parts");
    bytes.push(b'\n');
    bytes
}

/// Refuses what [`unpack`](crate::archive::unpack) would refuse by default.
fn check_limits(entries: &[(String, &[u8])]) -> Result<(), Flaw> {
    let limits = Limits::default();
    let mut total = 0;
    limits.check_entry_count(entries.len())?;
    for (path, bytes) in entries {
        limits.check_entry_bytes(path, bytes.len() as u64)?;
        total += bytes.len() as u64;
        limits.check_total_bytes(total)?;
    }
    Ok(())
}

/// Lays out the tar file: a header and whole blocks for each entry, then two
/// empty blocks. Each piece of it is told whether it is to be stored.
fn tar(entries: &[(String, &[u8])], mut take: impl FnMut(&[u8], bool)) {
    let mut small = Vec::new();
    for (path, bytes) in entries {
        small.extend_from_slice(header(path, bytes.len() as u64).as_bytes());
        if path.ends_with(WEIGHTS) {
            take(&mem::take(&mut small), false);
            take(bytes, true);
        } else {
            small.extend_from_slice(bytes);
        }
        let padding = bytes.len().next_multiple_of(BLOCK_BYTES) - bytes.len();
        small.resize(small.len() + padding, 0);
    }
    small.resize(small.len() + 2 * BLOCK_BYTES, 0);
    take(&small, false);
}

/// Returns a header that says nothing but path and size.
fn header(path: &str, size: u64) -> Header {
    let mut header = Header::new_ustar();
    let name = &mut header.as_old_mut().name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    header
}

/// Compresses, unless that would look like a decompression bomb to a reader:
/// such an archive (huge and almost empty) is stored as it is.
fn compress(entries: &[(String, &[u8])]) -> Vec<u8> {
    let content: usize = entries.iter().map(|(_, bytes)| bytes.len()).sum();
    let gzip = |has_deflate: bool| {
        let mut gzip = Gzip::with_capacity(content);
        let mut size = 0;
        tar(entries, |piece, is_stored| {
            size += piece.len() as u64;
            match has_deflate && !is_stored {
                true => gzip.deflate(piece, LEVEL),
                false => gzip.store(piece),
            }
        });
        (gzip.finish(), size)
    };
    let (bytes, size) = gzip(true);
    match Limits::default().ratio_is_fine(size, bytes.len() as u64) {
        true => bytes,
        false => gzip(false).0,
    }
}
