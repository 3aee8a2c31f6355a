//! The list of what an archive holds, by which every entry is verified.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::digest::Digest;

/// `manifest.json`: digest and size of every entry but itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Path in the archive to what is there.
    pub entries: BTreeMap<String, ManifestEntry>,
}

/// What the manifest says about one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// The BLAKE3 digest of the entry's bytes.
    pub digest: Digest,
    /// The entry's size in bytes.
    pub size: u64,
}

impl ManifestEntry {
    /// Describes `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        }
    }
}
