//! Everything that the database lists, read in one go: what checks, statistics
//! and the removal of old results start from.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::Row;
use serde::de::DeserializeOwned;

use crate::digest::Digest;
use crate::store::OutputRef;
use crate::store::Store;
use crate::store::WitnessRow;
use crate::store::folder::listing;

/// A result as the database lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRow {
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
    /// The day of its last use, counted from 1970-01-01.
    pub used_day: u32,
}

impl ResultRow {
    /// Returns the digests of all blobs that the result names; one can stand
    /// twice.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> {
        let outputs = self.outputs.values().map(|output| output.digest);
        outputs.chain(self.manifest.values().copied())
    }
}

/// A blob as the database lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobRow {
    /// How many bytes.
    pub size: u64,
    /// Whether the bytes are in the database, and not a file.
    pub is_inline: bool,
}

/// All that the database lists.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// The results, ascending by key.
    pub results: Vec<ResultRow>,
    /// Keys of results whose row cannot be read.
    pub unreadable: Vec<Digest>,
    /// The blobs by digest.
    pub blobs: BTreeMap<Digest, BlobRow>,
    /// For each key that is the last one of a task, the run in which it became so.
    pub last_runs: BTreeMap<Digest, i64>,
    /// What stands for the last run of each project.
    pub witnesses: Vec<WitnessRow>,
}

impl Census {
    /// Returns the size of all blobs and witnesses, in bytes.
    pub fn bytes(&self) -> u64 {
        let blobs = self.blobs.values().map(|blob| blob.size);
        let witnesses = self.witnesses.iter().map(|witness| witness.size);
        blobs.chain(witnesses).fold(0, u64::saturating_add)
    }
}

impl Store {
    /// Returns all that the database lists; none if it refuses.
    pub fn census(&self) -> Option<Census> {
        let mut census = self.read(|connection| {
            let snapshot = connection.unchecked_transaction()?;
            census(&snapshot)
        })?;
        census.witnesses = self.witness_rows();
        Some(census)
    }

    /// Returns the results under `keys` that can be read, ascending by key.
    pub(super) fn rows(&self, keys: &BTreeSet<Digest>) -> Vec<ResultRow> {
        let rows = self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{ROWS} WHERE key = ?1"))?;
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                let mut rows = statement.query([key.as_bytes()])?;
                if let Some(row) = rows.next()? {
                    found.extend(result_row(row)?);
                }
            }
            Ok(found)
        });
        rows.unwrap_or_default()
    }

    /// Returns the size of all files of the cache, in bytes.
    pub fn disk_bytes(&self) -> u64 {
        let listing = self.folder().and_then(|folder| listing(folder).ok());
        let files = listing.into_iter().flat_map(|listing| listing.files);
        files.map(|file| file.size).sum()
    }

    /// Returns the keys that tasks had in their last run, for the projects whose
    /// name `is_meant`.
    pub fn last_keys(&self, is_meant: &dyn Fn(&str) -> bool) -> Vec<Digest> {
        let rows = self.read(|connection| {
            let mut statement = connection.prepare("SELECT project, key FROM run_tasks")?;
            let rows = statement.query_map([], |row| {
                let project: String = row.get(0)?;
                Ok((project, Digest::from_bytes(row.get(1)?)))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        let rows = rows.unwrap_or_default().into_iter();
        rows.filter(|(project, _)| is_meant(project))
            .map(|(_, key)| key)
            .collect()
    }
}

/// Reads all that `connection` lists but witnesses: an older database has none.
pub(super) fn census(connection: &Connection) -> rusqlite::Result<Census> {
    let mut census = Census::default();
    results(connection, &mut census)?;
    let mut statement = connection.prepare("SELECT digest, size, bytes IS NOT NULL FROM blobs")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let blob = BlobRow {
            size: row.get::<_, i64>(1)?.unsigned_abs(),
            is_inline: row.get(2)?,
        };
        census.blobs.insert(Digest::from_bytes(row.get(0)?), blob);
    }
    let mut statement = connection.prepare("SELECT key, max(run) FROM run_tasks GROUP BY key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = Digest::from_bytes(row.get(0)?);
        census.last_runs.insert(key, row.get(1)?);
    }
    Ok(census)
}

/// What there is of a result, without an end.
const ROWS: &str = "SELECT key, kind, outputs, manifest, cost_ms, used_day FROM results";

fn results(connection: &Connection, census: &mut Census) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("{ROWS} ORDER BY key"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match result_row(row)? {
            Ok(result) => census.results.push(result),
            Err(key) => census.unreadable.push(key),
        }
    }
    Ok(())
}

/// Reads a row of [`ROWS`]; the key alone if it is damaged.
fn result_row(row: &Row<'_>) -> rusqlite::Result<Result<ResultRow, Digest>> {
    let key = Digest::from_bytes(row.get(0)?);
    let outputs = json(&row.get::<_, String>(2)?);
    let manifest = json(&row.get::<_, String>(3)?);
    let used_day = u32::try_from(row.get::<_, i64>(5)?);
    let (Some(outputs), Some(manifest), Ok(used_day)) = (outputs, manifest, used_day) else {
        return Ok(Err(key));
    };
    Ok(Ok(ResultRow {
        key,
        kind: row.get(1)?,
        outputs,
        manifest,
        cost_ms: row.get::<_, i64>(4)?.unsigned_abs(),
        used_day,
    }))
}

fn json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
