//! Witnesses: what stands for a whole run that would find nothing to do.
//!
//! Which files were looked at, and what the outcome was, the caller packs; here
//! it is bytes, sealed with their digest, so that a damaged row is a miss. Behind
//! what was looked at lie the digest of what there is to tell, and the seal, which
//! holds without reading that.
//!
//! A witness goes with any result that it stands on: what is removed from the cache
//! is removed together with all that vouches for it. The database itself sees to
//! it, by a trigger, should somebody remove a result who knows nothing of witnesses;
//! so that who reads a witness need not look up its results.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::params;
use rusqlite::types::Type;

use crate::digest::Digest;
use crate::store::Store;
use crate::store::results::costs;

/// What stands for the last run of a project, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWitness {
    /// Of all that decides the outcome apart from files.
    pub key: Digest,
    /// The keys of the results that the outcome stands on, each once.
    pub results: Vec<Digest>,
    /// What was looked at.
    pub looks: Vec<u8>,
    /// What there is to tell.
    pub told: Vec<u8>,
}

/// A witness as it lies in the database, without what it tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Whose it is.
    pub project: String,
    /// Of all that decides the outcome apart from files.
    pub key: Digest,
    /// The day of its last use, counted from 1970-01-01.
    pub used_day: u32,
    /// The keys of the results that the outcome stands on, 32 bytes each.
    results: Box<[u8]>,
    /// What was looked at, the digest of what there is to tell, and the seal.
    sealed: Box<[u8]>,
}

/// The digest of what there is to tell, and the seal, behind what was looked at.
const SEAL_SIZE: usize = 64;

impl Witness {
    /// Returns the keys of the results that the outcome stands on.
    pub fn results(&self) -> Vec<Digest> {
        let (keys, _) = self.results.as_chunks::<32>();
        keys.iter().copied().map(Digest::from_bytes).collect()
    }

    /// Returns what was looked at.
    pub fn looks(&self) -> &[u8] {
        &self.sealed[..self.sealed.len() - SEAL_SIZE]
    }

    /// Returns the digest of what there is to tell.
    fn told(&self) -> Digest {
        let (told, _) = self.sealed[self.looks().len()..]
            .split_first_chunk()
            .expect("a witness has a seal");
        Digest::from_bytes(*told)
    }
}

/// A witness that was used, and what was looked at if that is to be kept anew.
pub type Renewal<'a> = (&'a Witness, Option<Vec<u8>>);

const ONE: &str = "SELECT project, key, results, used_day, looks FROM witnesses \
    WHERE project = ?1";
const SOME: &str = "SELECT project, key, results, used_day, looks FROM witnesses \
    WHERE project BETWEEN ?1 AND ?2";
const WHOLE: &str = "SELECT project, key, results, used_day, looks, told \
    FROM witnesses LEFT JOIN witness_tasks USING (project) ORDER BY project";
const PUT: &str = "INSERT OR REPLACE INTO witnesses \
    (project, key, results, used_day, looks) VALUES (?1, ?2, ?3, ?4, ?5)";
const PUT_TOLD: &str = "INSERT OR REPLACE INTO witness_tasks (project, told) VALUES (?1, ?2)";
const RENEW: &str = "UPDATE witnesses SET used_day = ?3, looks = ?4 \
    WHERE project = ?1 AND looks = ?2";

impl Store {
    /// Returns the witness of `project`; none if there is none, or it is damaged.
    pub fn witness(&self, project: &str) -> Option<Witness> {
        self.read_witnesses(|connection| {
            let mut statement = connection.prepare_cached(ONE)?;
            let mut rows = statement.query([project])?;
            rows.next()?.map_or(Ok(None), witness)
        })
    }

    /// Returns the witnesses of the projects from `first` to `last` by name, but no
    /// damaged ones.
    pub fn witnesses(&self, first: &str, last: &str) -> Vec<Witness> {
        let found = self.read_witnesses(|connection| {
            let mut found = Vec::new();
            let mut statement = connection.prepare_cached(SOME)?;
            let mut rows = statement.query([first, last])?;
            while let Some(row) = rows.next()? {
                found.extend(witness(row)?);
            }
            Ok(Some(found))
        });
        found.unwrap_or_default()
    }

    /// Returns what a witness tells; none if that is damaged, or another one came
    /// meanwhile.
    pub fn told(&self, witness: &Witness) -> Option<Vec<u8>> {
        let told = self.read_witnesses(|connection| {
            let sql = "SELECT told FROM witness_tasks WHERE project = ?1";
            let mut statement = connection.prepare_cached(sql)?;
            let row = statement.query_row([&witness.project], |row| row.get::<_, Vec<u8>>(0));
            row.optional()
        });
        told.filter(|told| Digest::of(told) == witness.told())
    }

    /// Reads, unless the database is of a version without witnesses.
    fn read_witnesses<T>(
        &self,
        query: impl FnMut(&Connection) -> rusqlite::Result<Option<T>>,
    ) -> Option<T> {
        if !self.has_witnesses() {
            return None;
        }
        self.read(query).flatten()
    }

    /// Keeps the witness of `project` in place of an older one, unless a result
    /// that it stands on was removed meanwhile. A store that cannot be written to
    /// stays as it is.
    pub fn put_witness(&self, project: &str, new: &NewWitness) {
        self.write(|connection| {
            if costs(connection, &new.results)?.len() != new.results.len() {
                return Ok(());
            }
            let results: Vec<u8> = new.results.iter().flat_map(|key| *key.as_bytes()).collect();
            let sealed = sealed(new.key, &results, &new.looks, Digest::of(&new.told));
            let row = params![project, new.key.as_bytes(), results, self.today(), sealed];
            connection.prepare_cached(PUT)?.execute(row)?;
            let row = params![project, new.told];
            connection.prepare_cached(PUT_TOLD)?.execute(row)?;
            Ok(())
        });
    }

    /// Notes that witnesses, and the results that they stand on, were used today,
    /// and keeps what was looked at anew: all in one transaction. A witness that
    /// another took the place of meanwhile is left alone.
    pub fn renew_witnesses(&self, renewals: &[Renewal<'_>]) {
        if renewals.is_empty() || !self.is_writable() {
            return;
        }
        let today = self.today();
        self.write(|connection| {
            let sql = "UPDATE results SET used_day = ?2 WHERE key = ?1";
            let mut result = connection.prepare_cached(sql)?;
            let mut renew = connection.prepare_cached(RENEW)?;
            for (old, looks) in renewals {
                let sealed = match looks {
                    Some(looks) => sealed(old.key, &old.results, looks, old.told()),
                    None => old.sealed.to_vec(),
                };
                renew.execute(params![old.project, old.sealed, today, sealed])?;
                if old.used_day != today {
                    for key in old.results() {
                        result.execute(params![key.as_bytes(), today])?;
                    }
                }
            }
            Ok(())
        });
    }

    /// Returns what witnesses take and stand on.
    pub(super) fn witness_rows(&self) -> Vec<WitnessRow> {
        self.read_witnesses(|connection| witness_rows(connection).map(Some))
            .unwrap_or_default()
    }

    /// Returns the projects whose witness is damaged.
    pub(super) fn damaged_witnesses(&self) -> Vec<String> {
        let damaged = self.read_witnesses(|connection| {
            let mut damaged = Vec::new();
            let mut statement = connection.prepare(WHOLE)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let told: Option<Vec<u8>> = row.get(5)?;
                let told = told.map(|told| Digest::of(&told));
                if told.is_none() || witness(row)?.map(|found| found.told()) != told {
                    damaged.push(row.get(0)?);
                }
            }
            Ok(Some(damaged))
        });
        damaged.unwrap_or_default()
    }
}

/// Reads a row of [`ONE`], [`SOME`] or [`WHOLE`]; none if it is damaged.
fn witness(row: &Row<'_>) -> rusqlite::Result<Option<Witness>> {
    let blob = |index: usize| {
        let value = row.get_ref(index)?;
        value.as_blob().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(index, Type::Blob, Box::new(error))
        })
    };
    let key = Digest::from_bytes(row.get(1)?);
    let results = blob(2)?;
    let sealed = blob(4)?;
    let is_whole = sealed.len() >= SEAL_SIZE
        && sealed
            .split_last_chunk::<32>()
            .is_some_and(|(sealed, seal)| seal_of(key, results, sealed).as_bytes() == seal);
    if !is_whole {
        return Ok(None);
    }
    Ok(Some(Witness {
        project: row.get(0)?,
        key,
        used_day: row.get(3)?,
        results: results.into(),
        sealed: sealed.into(),
    }))
}

/// Returns `looks` with the digest of what there is to tell and that of the whole
/// row behind them.
fn sealed(key: Digest, results: &[u8], looks: &[u8], told: Digest) -> Vec<u8> {
    let sealed = [looks, told.as_bytes()].concat();
    let seal = seal_of(key, results, &sealed);
    [&sealed, seal.as_bytes().as_slice()].concat()
}

fn seal_of(key: Digest, results: &[u8], sealed: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.as_bytes());
    hasher.update(&(results.len() as u64).to_le_bytes());
    hasher.update(results);
    hasher.update(sealed);
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

/// Removes results, and of the witnesses those that stand on one of them.
pub(super) fn remove_results(
    connection: &Connection,
    gone: &HashSet<Digest>,
) -> rusqlite::Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    forget_witnesses(connection, gone)?;
    // Else a trigger takes all witnesses.
    let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES ('removing', '')";
    connection.execute(sql, [])?;
    let mut result = connection.prepare_cached("DELETE FROM results WHERE key = ?1")?;
    for key in gone {
        result.execute([key.as_bytes()])?;
    }
    connection.execute("DELETE FROM meta WHERE name = 'removing'", [])?;
    Ok(())
}

/// Removes the witnesses that stand on one of these results.
fn forget_witnesses(connection: &Connection, gone: &HashSet<Digest>) -> rusqlite::Result<()> {
    if gone.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached("SELECT project, results FROM witnesses")?;
    let mut rows = statement.query([])?;
    let mut forgotten = Vec::new();
    while let Some(row) = rows.next()? {
        let results: Vec<u8> = row.get(1)?;
        let (keys, rest) = results.as_chunks::<32>();
        let is_gone = |key: &[u8; 32]| gone.contains(&Digest::from_bytes(*key));
        if !rest.is_empty() || keys.iter().any(is_gone) {
            forgotten.push(row.get::<_, String>(0)?);
        }
    }
    drop(rows);
    for project in &forgotten {
        forget_witness(connection, project)?;
    }
    Ok(())
}

/// Removes the witness of `project`, if there is one.
pub(super) fn forget_witness(connection: &Connection, project: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM witnesses WHERE project = ?1";
    connection.prepare_cached(sql)?.execute([project])?;
    Ok(())
}

/// Removes the witnesses that were last used before `day`.
pub(super) fn forget_old_witnesses(connection: &Connection, day: u32) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM witnesses WHERE used_day < ?1")?
        .execute([day])?;
    // What a database tool has left of them.
    let sql = "DELETE FROM witness_tasks WHERE project NOT IN (SELECT project FROM witnesses)";
    connection.execute(sql, [])?;
    Ok(())
}

/// What a witness takes, and what it stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessRow {
    /// The keys of the results that it stands on.
    pub results: Vec<Digest>,
    /// How many bytes, without the tree that it hangs in.
    pub size: u64,
    /// The day of its last use, counted from 1970-01-01.
    pub used_day: u32,
}

/// Returns what each witness takes and stands on.
pub(super) fn witness_rows(connection: &Connection) -> rusqlite::Result<Vec<WitnessRow>> {
    let sql = "SELECT results, used_day, 2 * length(project) + length(key) + length(results) \
        + length(looks) + coalesce(length(told), 0) \
        FROM witnesses LEFT JOIN witness_tasks USING (project)";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        let results: Vec<u8> = row.get(0)?;
        let (keys, _) = results.as_chunks::<32>();
        Ok(WitnessRow {
            results: keys.iter().copied().map(Digest::from_bytes).collect(),
            used_day: row.get(1)?,
            size: row.get::<_, i64>(2)?.unsigned_abs(),
        })
    })?;
    rows.collect()
}

/// Removes all witnesses: for who removes something that anybody may stand on.
pub(super) fn forget_all_witnesses(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM witnesses")?
        .execute([])?;
    Ok(())
}
