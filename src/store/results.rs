//! Results by key: what a task gave for what it read.

use std::collections::BTreeMap;
use std::collections::HashMap;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::params;
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

const LOOK_UP: &str = "SELECT outputs, manifest, cost_ms, used_day FROM results WHERE key = ?1";

const RECORD: &str = "INSERT OR REPLACE INTO results \
    (key, kind, outputs, manifest, cost_ms, used_day) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

impl Store {
    /// Returns the result recorded under `key`, if there is one. Whether its
    /// bytes are still there is [`Store::contains`]'s business.
    pub fn result(&self, key: Digest) -> Option<StoredResult> {
        self.read(|connection| look_up(connection, key)).flatten()
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
    let row = statement
        .query_row([key.as_bytes()], |row| {
            let outputs: String = row.get(0)?;
            let manifest: String = row.get(1)?;
            Ok((outputs, manifest, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    Ok(
        row.and_then(|(outputs, manifest, cost_ms, used_day): (_, _, i64, _)| {
            Some(StoredResult {
                outputs: serde_json::from_str(&outputs).ok()?,
                manifest: serde_json::from_str(&manifest).ok()?,
                cost_ms: cost_ms.unsigned_abs(),
                used_day,
            })
        }),
    )
}
