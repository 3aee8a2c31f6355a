//! Results by key: what a task gave for what it read.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::iter::repeat_n;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use rusqlite::params_from_iter;
use serde::Deserialize;
use serde::Serialize;

use crate::digest::Digest;
use crate::store::Store;

/// One stored output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRef {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
}

impl OutputRef {
    /// Returns the reference to `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
        }
    }
}

/// A result as the store knows it, without the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredResult {
    /// The outputs by name.
    pub outputs: BTreeMap<String, OutputRef>,
    /// Digests of the blobs that describe what the key was made of, by a name
    /// of the caller's choice.
    pub manifest: BTreeMap<String, Digest>,
    /// How long the task ran, in milliseconds.
    pub cost_ms: u64,
    /// The day of its last use, counted from 1970-01-01.
    pub used_day: u32,
}

/// A result to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct NewResult<'a> {
    /// The key of what the task read.
    pub key: Digest,
    /// The kind of task.
    pub kind: &'a str,
    /// The outputs by name.
    pub outputs: &'a BTreeMap<String, Vec<u8>>,
    /// Bytes that describe what the key was made of, by name.
    pub manifest: &'a BTreeMap<String, Vec<u8>>,
    /// How long the task ran, in milliseconds.
    pub cost_ms: u64,
}

const LOOK_UP: &str =
    "SELECT key, outputs, manifest, cost_ms, used_day FROM results WHERE key = ?1";

const LOOK_UP_ALL: &str =
    "SELECT key, outputs, manifest, cost_ms, used_day FROM results WHERE key IN";

const COSTS: &str = "SELECT key, cost_ms FROM results WHERE key IN";

const SIZES: &str = "SELECT digest, size FROM blobs WHERE bytes IS NOT NULL AND digest IN";

const RECORD: &str = "INSERT OR REPLACE INTO results \
    (key, kind, outputs, manifest, cost_ms, used_day) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

impl Store {
    /// Returns the result recorded under `key`, if there is one. Whether its
    /// bytes are still there is [`Store::contains`]'s business.
    pub fn result(&self, key: Digest) -> Option<StoredResult> {
        self.read(|connection| look_up(connection, key)).flatten()
    }

    /// Returns the results recorded under `keys`, as far as there are some: in few
    /// queries, however many keys.
    pub fn results(&self, keys: &[Digest]) -> HashMap<Digest, StoredResult> {
        self.read(|connection| look_up_all(connection, keys))
            .unwrap_or_default()
    }

    /// Returns how long the tasks of those results ran that are recorded under
    /// `keys`, in milliseconds: what is least to read of them.
    pub fn costs(&self, keys: &[Digest]) -> HashMap<Digest, u64> {
        self.read(|connection| costs(connection, keys))
            .unwrap_or_default()
    }

    /// Returns the sizes of those blobs that are inside the database: in few
    /// queries, however many digests.
    pub fn sizes_inside(&self, digests: &[Digest]) -> HashMap<Digest, u64> {
        self.read(|connection| {
            let mut sizes = HashMap::new();
            in_chunks(connection, SIZES, digests, |row| {
                let size: i64 = row.get(1)?;
                sizes.insert(Digest::from_bytes(row.get(0)?), size.unsigned_abs());
                Ok(())
            })?;
            Ok(sizes)
        })
        .unwrap_or_default()
    }

    /// Stores the bytes of `result` and then records it, in one transaction.
    ///
    /// Returns whether it can be found again from now on; if not, the reason is
    /// among the warnings.
    pub fn record(&self, result: &NewResult<'_>) -> bool {
        let mut inline = Vec::new();
        let everything = result.outputs.values().chain(result.manifest.values());
        for bytes in everything {
            match self.put_file(bytes) {
                Some(blob) => inline.push(blob),
                None => return false,
            }
        }
        let outputs: BTreeMap<&str, OutputRef> = result
            .outputs
            .iter()
            .map(|(name, bytes)| (name.as_str(), OutputRef::of(bytes)))
            .collect();
        let manifest: BTreeMap<&str, Digest> = result
            .manifest
            .iter()
            .map(|(name, bytes)| (name.as_str(), Digest::of(bytes)))
            .collect();
        let outputs = serde_json::to_string(&outputs).expect("names and digests are JSON");
        let manifest = serde_json::to_string(&manifest).expect("names and digests are JSON");
        let today = self.today();
        let recorded = self.write(|connection| {
            for blob in &inline {
                blob.insert(connection)?;
            }
            let cost_ms = i64::try_from(result.cost_ms).unwrap_or(i64::MAX);
            connection.prepare_cached(RECORD)?.execute(params![
                result.key.as_bytes(),
                result.kind,
                outputs,
                manifest,
                cost_ms,
                today,
            ])?;
            Ok(())
        });
        recorded.is_some()
    }

    /// Returns the keys of all results, with their kinds, by the digest of each
    /// output that they gave.
    pub fn keys_by_output(&self) -> HashMap<Digest, Vec<(Digest, String)>> {
        self.read(keys_by_output).unwrap_or_default()
    }

    /// Notes that the results under `keys` were used today. Those that already
    /// have today's date need not be given; a store that cannot be written to
    /// stays as it is.
    pub fn touch(&self, keys: &[Digest]) {
        if keys.is_empty() || !self.is_writable() {
            return;
        }
        let today = self.today();
        self.write(|connection| {
            let sql = "UPDATE results SET used_day = ?2 WHERE key = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            for key in keys {
                statement.execute(params![key.as_bytes(), today])?;
            }
            Ok(())
        });
    }
}

fn keys_by_output(
    connection: &Connection,
) -> rusqlite::Result<HashMap<Digest, Vec<(Digest, String)>>> {
    let mut statement = connection.prepare_cached("SELECT key, kind, outputs FROM results")?;
    let rows = statement.query_map([], |row| {
        let outputs: String = row.get(2)?;
        Ok((Digest::from_bytes(row.get(0)?), row.get(1)?, outputs))
    })?;
    let mut keys: HashMap<Digest, Vec<(Digest, String)>> = HashMap::new();
    for row in rows {
        let (key, kind, outputs): (Digest, String, String) = row?;
        let outputs: BTreeMap<String, OutputRef> =
            serde_json::from_str(&outputs).unwrap_or_default();
        for output in outputs.into_values() {
            keys.entry(output.digest)
                .or_default()
                .push((key, kind.clone()));
        }
    }
    Ok(keys)
}

fn look_up(connection: &Connection, key: Digest) -> rusqlite::Result<Option<StoredResult>> {
    let mut statement = connection.prepare_cached(LOOK_UP)?;
    let row = statement.query_row([key.as_bytes()], stored).optional()?;
    Ok(row.flatten())
}

/// Reads a row of [`LOOK_UP`]; none if its JSON is damaged.
fn stored(row: &Row<'_>) -> rusqlite::Result<Option<StoredResult>> {
    let outputs: String = row.get(1)?;
    let manifest: String = row.get(2)?;
    let (Ok(outputs), Ok(manifest)) = (
        serde_json::from_str(&outputs),
        serde_json::from_str(&manifest),
    ) else {
        return Ok(None);
    };
    Ok(Some(StoredResult {
        outputs,
        manifest,
        cost_ms: row.get::<_, i64>(3)?.unsigned_abs(),
        used_day: row.get(4)?,
    }))
}

fn look_up_all(
    connection: &Connection,
    keys: &[Digest],
) -> rusqlite::Result<HashMap<Digest, StoredResult>> {
    let mut results = HashMap::with_capacity(keys.len());
    in_chunks(connection, LOOK_UP_ALL, keys, |row| {
        let key = Digest::from_bytes(row.get(0)?);
        results.extend(stored(row)?.map(|result| (key, result)));
        Ok(())
    })?;
    Ok(results)
}

/// Returns the costs of those results that there are.
pub(super) fn costs(
    connection: &Connection,
    keys: &[Digest],
) -> rusqlite::Result<HashMap<Digest, u64>> {
    let mut costs = HashMap::with_capacity(keys.len());
    in_chunks(connection, COSTS, keys, |row| {
        let cost_ms: i64 = row.get(1)?;
        costs.insert(Digest::from_bytes(row.get(0)?), cost_ms.unsigned_abs());
        Ok(())
    })?;
    Ok(costs)
}

/// Digests that one query asks for.
const CHUNK: usize = 64;

/// Asks `sql`, which ends before the list of an `IN`, for all `digests`.
fn in_chunks(
    connection: &Connection,
    sql: &str,
    digests: &[Digest],
    mut take: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let places = vec!["?"; CHUNK].join(", ");
    let mut statement = connection.prepare_cached(&format!("{sql} ({places})"))?;
    for chunk in digests.chunks(CHUNK) {
        // The last query asks for the last digest several times.
        let padded = chunk
            .iter()
            .chain(repeat_n(&chunk[chunk.len() - 1], CHUNK - chunk.len()));
        let mut rows = statement.query(params_from_iter(padded.map(Digest::as_bytes)))?;
        while let Some(row) = rows.next()? {
            take(row)?;
        }
    }
    Ok(())
}
