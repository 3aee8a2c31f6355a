//! What ran last: the key each task had, to explain the next run and to
//! estimate how long it takes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rusqlite::Connection;
use rusqlite::params;

use crate::digest::Digest;
use crate::store::Store;
use crate::store::witnesses::forget_witness;

/// The last run of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// The key it had.
    pub key: Digest,
    /// Its kind.
    pub kind: String,
    /// How long it took when it ran, in milliseconds.
    pub cost_ms: u64,
}

/// A run to be recorded.
#[derive(Clone, Debug, Default)]
pub struct RunRecord {
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub started_ms: u64,
    /// The tasks whose key is new, by project and name.
    pub tasks: BTreeMap<(String, String), LastRun>,
    /// Counts of the run, and how long each task took, as JSON.
    pub report: serde_json::Value,
}

/// A run that was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRun {
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub started_ms: u64,
    /// Its report, as it was recorded.
    pub report: serde_json::Value,
}

impl Store {
    /// Returns the last run of every task of `project`, by name.
    pub fn last_runs(&self, project: &str) -> BTreeMap<String, LastRun> {
        self.read(|connection| last_runs(connection, project))
            .unwrap_or_default()
    }

    /// Returns the last runs, `count` at most, the newest first.
    pub fn past_runs(&self, count: u32) -> Vec<PastRun> {
        self.read(|connection| past_runs(connection, count))
            .unwrap_or_default()
    }

    /// Records a run. A store that cannot be written to stays as it is.
    pub fn record_run(&self, run: &RunRecord) {
        if !self.is_writable() {
            return;
        }
        self.write(|connection| record_run(connection, run));
    }
}

fn last_runs(
    connection: &Connection,
    project: &str,
) -> rusqlite::Result<BTreeMap<String, LastRun>> {
    let sql = "SELECT name, key, kind, cost_ms FROM run_tasks WHERE project = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([project], |row| {
        let run = LastRun {
            key: Digest::from_bytes(row.get(1)?),
            kind: row.get(2)?,
            cost_ms: row.get::<_, i64>(3)?.unsigned_abs(),
        };
        Ok((row.get(0)?, run))
    })?;
    rows.collect()
}

fn past_runs(connection: &Connection, count: u32) -> rusqlite::Result<Vec<PastRun>> {
    let sql = "SELECT started_ms, report FROM runs ORDER BY id DESC LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([count], |row| {
        let report: String = row.get(1)?;
        Ok(PastRun {
            started_ms: row.get::<_, i64>(0)?.unsigned_abs(),
            report: serde_json::from_str(&report).unwrap_or_default(),
        })
    })?;
    rows.collect()
}

fn record_run(connection: &Connection, run: &RunRecord) -> rusqlite::Result<()> {
    let started_ms = i64::try_from(run.started_ms).unwrap_or(i64::MAX);
    connection.execute(
        "INSERT INTO runs (started_ms, report) VALUES (?1, ?2)",
        params![started_ms, run.report.to_string()],
    )?;
    let id = connection.last_insert_rowid();
    let sql = "INSERT OR REPLACE INTO run_tasks (project, name, key, kind, cost_ms, run) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let projects: BTreeSet<&String> = run.tasks.keys().map(|(project, _)| project).collect();
    for project in projects {
        // It spoke of the run before.
        forget_witness(connection, project)?;
    }
    let mut statement = connection.prepare_cached(sql)?;
    for ((project, name), task) in &run.tasks {
        let cost_ms = i64::try_from(task.cost_ms).unwrap_or(i64::MAX);
        statement.execute(params![
            project,
            name,
            task.key.as_bytes(),
            task.kind,
            cost_ms,
            id
        ])?;
    }
    Ok(())
}
