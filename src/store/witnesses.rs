//! Witnesses: what stands for a whole run that would find nothing to do.
//!
//! Which files were looked at, and what the outcome was, the caller packs; here
//! it is bytes, sealed with their digest, so that a damaged row is a miss. Behind
//! what was looked at lie the digest of what there is to tell, and the seal, which
//! holds without reading that.
//!
//! A witness goes with any result that it stands on: what is removed from the cache
//! is removed together with all that vouches for it. Who reads one still counts
//! the results: an older program knows no witnesses to remove.

use std::collections::HashSet;

use rusqlite::Connection;
use rusqlite::Row;
use rusqlite::params;
use rusqlite::types::Type;

use crate::digest::Digest;
use crate::store::Store;
use crate::store::results::costs;

/// What stands for the last run of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Of all that decides the outcome apart from files.
    pub key: Digest,
    /// The keys of the results that the outcome stands on, each once.
    pub results: Vec<Digest>,
    /// The day of its last use, counted from 1970-01-01.
    pub used_day: u32,
    /// What was looked at.
    pub looks: Vec<u8>,
    /// What there is to tell.
    pub told: Vec<u8>,
}

/// A witness where it lies in the database, without what it tells.
#[derive(Clone, Copy, Debug)]
pub struct WitnessRef<'a> {
    /// Whose it is.
    pub project: &'a str,
    /// Of all that decides the outcome apart from files.
    pub key: Digest,
    /// The keys of the results that the outcome stands on, 32 bytes each.
    pub results: &'a [u8],
    /// The day of its last use, counted from 1970-01-01.
    pub used_day: u32,
    /// What was looked at.
    pub looks: &'a [u8],
}

impl WitnessRef<'_> {
    /// Returns the keys of the results that the outcome stands on.
    pub fn results(&self) -> Vec<Digest> {
        let (keys, _) = self.results.as_chunks::<32>();
        keys.iter().copied().map(Digest::from_bytes).collect()
    }
}

const ONE: &str = "SELECT project, key, results, used_day, looks, told FROM witnesses \
    WHERE project = ?1";
const ALL: &str = "SELECT project, key, results, used_day, looks FROM witnesses ORDER BY project";
const WHOLE: &str =
    "SELECT project, key, results, used_day, looks, told FROM witnesses ORDER BY project";
const PUT: &str = "INSERT OR REPLACE INTO witnesses \
    (project, key, results, used_day, looks, told) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

impl Store {
    /// Returns the witness of `project`; none if there is none, or it is damaged.
    pub fn witness(&self, project: &str) -> Option<Witness> {
        self.read_witnesses(|connection| {
            let mut statement = connection.prepare_cached(ONE)?;
            let mut rows = statement.query([project])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let Some((found, is_told)) = witness(row)? else {
                return Ok(None);
            };
            let told: Vec<u8> = row.get(5)?;
            Ok((Digest::of(&told) == is_told).then(|| Witness {
                key: found.key,
                results: found.results(),
                used_day: found.used_day,
                looks: found.looks.to_vec(),
                told,
            }))
        })
    }

    /// Shows every witness that is not damaged to `visit`, by project: one scan,
    /// and no copy.
    pub fn each_witness(&self, mut visit: impl FnMut(WitnessRef<'_>)) {
        self.read_witnesses(|connection| {
            let mut statement = connection.prepare_cached(ALL)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Some((found, _)) = witness(row)? {
                    visit(found);
                }
            }
            Ok(Some(()))
        });
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
    pub fn put_witness(&self, project: &str, new: &Witness) {
        self.write(|connection| {
            if costs(connection, &new.results)?.len() != new.results.len() {
                return Ok(());
            }
            let results: Vec<u8> = new.results.iter().flat_map(|key| *key.as_bytes()).collect();
            let looks = sealed(new.key, &results, &new.looks, Digest::of(&new.told));
            let day = new.used_day;
            let mut statement = connection.prepare_cached(PUT)?;
            statement.execute(params![
                project,
                new.key.as_bytes(),
                results,
                day,
                looks,
                new.told
            ])?;
            Ok(())
        });
    }

    /// Notes that the witness of `project`, and the results under `keys` that it
    /// stands on, were used today: in one transaction.
    pub fn touch_witness(&self, project: &str, keys: &[Digest]) {
        let today = self.today();
        self.write(|connection| {
            let mut witness = connection
                .prepare_cached("UPDATE witnesses SET used_day = ?2 WHERE project = ?1")?;
            let mut result =
                connection.prepare_cached("UPDATE results SET used_day = ?2 WHERE key = ?1")?;
            witness.execute(params![project, today])?;
            for key in keys {
                result.execute(params![key.as_bytes(), today])?;
            }
            Ok(())
        });
    }

    /// Counts the witnesses that were last used before `day`, and their bytes.
    pub(super) fn old_witnesses(&self, day: u32) -> (usize, u64) {
        self.read_witnesses(|connection| old_witnesses(connection, day).map(Some))
            .unwrap_or_default()
    }

    /// Returns the projects whose witness is damaged.
    pub(super) fn damaged_witnesses(&self) -> Vec<String> {
        let damaged = self.read_witnesses(|connection| {
            let mut damaged = Vec::new();
            let mut statement = connection.prepare(WHOLE)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let is_told = witness(row)?.map(|(_, is_told)| is_told);
                let told: Vec<u8> = row.get(5)?;
                if is_told != Some(Digest::of(&told)) {
                    damaged.push(row.get(0)?);
                }
            }
            Ok(Some(damaged))
        });
        damaged.unwrap_or_default()
    }
}

/// Reads a row as far as [`WitnessRef`] goes, and the digest of what it tells; none
/// if it is damaged.
fn witness<'a>(row: &'a Row<'_>) -> rusqlite::Result<Option<(WitnessRef<'a>, Digest)>> {
    let blob = |index: usize| {
        let value = row.get_ref(index)?;
        value.as_blob().map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(index, Type::Blob, Box::new(error))
        })
    };
    let key = Digest::from_bytes(row.get(1)?);
    let results = blob(2)?;
    let Some((sealed, seal)) = blob(4)?.split_last_chunk::<32>() else {
        return Ok(None);
    };
    let Some((looks, told)) = sealed.split_last_chunk::<32>() else {
        return Ok(None);
    };
    if seal_of(key, results, sealed).as_bytes() != seal {
        return Ok(None);
    }
    let found = WitnessRef {
        project: row.get_ref(0)?.as_str().unwrap_or_default(),
        key,
        results,
        used_day: row.get(3)?,
        looks,
    };
    Ok(Some((found, Digest::from_bytes(*told))))
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

/// Removes the witnesses that stand on one of these results.
pub(super) fn forget_witnesses(
    connection: &Connection,
    gone: &HashSet<Digest>,
) -> rusqlite::Result<()> {
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

/// Removes the witnesses that were last used before `day`; returns how many, and
/// their size in bytes.
pub(super) fn forget_old_witnesses(
    connection: &Connection,
    day: u32,
) -> rusqlite::Result<(usize, u64)> {
    let found = old_witnesses(connection, day)?;
    connection
        .prepare_cached("DELETE FROM witnesses WHERE used_day < ?1")?
        .execute([day])?;
    Ok(found)
}

/// Counts the witnesses that were last used before `day`, and their bytes.
fn old_witnesses(connection: &Connection, day: u32) -> rusqlite::Result<(usize, u64)> {
    let sql = "SELECT count(*), \
        coalesce(sum(length(results) + length(looks) + length(told)), 0) \
        FROM witnesses WHERE used_day < ?1";
    connection.prepare_cached(sql)?.query_row([day], |row| {
        let count = row.get::<_, u32>(0)? as usize;
        Ok((count, row.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// Removes all witnesses: for who removes something that anybody may stand on.
pub(super) fn forget_all_witnesses(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM witnesses")?
        .execute([])?;
    Ok(())
}
