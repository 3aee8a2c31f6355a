//! Removes what is old or too much: results first, in one transaction, then
//! the files that no result needs any more.
//!
//! A process killed in between leaves files that no row names; the next
//! collection finds them by looking through the folder. What counts as old is
//! the day of the last use. A result that the caller needs is never removed,
//! even where that leaves more than the limit.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fs;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use serde::Serialize;

use crate::digest::Digest;
use crate::store::Alone;
use crate::store::Census;
use crate::store::ResultRow;
use crate::store::Store;
use crate::store::WitnessRow;
use crate::store::blobs::blob_path;
use crate::store::census::census;
use crate::store::folder::Role;
use crate::store::folder::listing;
use crate::store::witnesses::forget_old_witnesses;
use crate::store::witnesses::remove_results;
use crate::store::witnesses::witness_rows;

/// How much a cache may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CacheLimits {
    /// Size of all blobs and witnesses, in bytes; none for no limit.
    pub max_bytes: Option<u64>,
    /// Days since the last use; none for no limit.
    pub max_age_days: Option<u32>,
}

impl Default for CacheLimits {
    /// 5 GB, and 30 days since the last use.
    fn default() -> Self {
        Self {
            max_bytes: Some(5_000_000_000),
            max_age_days: Some(30),
        }
    }
}

impl CacheLimits {
    /// Returns the day of a last use that is not too old yet.
    fn oldest_day(&self, today: u32) -> u32 {
        let days = self.max_age_days.unwrap_or(u32::MAX);
        today.saturating_sub(days)
    }
}

/// How long a file that no row names must have been lying there, when it is not
/// sure that no other process is about to name it.
const UNSURE_AGE_S: u64 = 3_600;

/// Runs that are kept for reports.
const RUNS_KEPT: u32 = 1_000;

/// The name in `meta` of the day of the last collection.
const LAST_DAY: &str = "collected_day";

/// What a collection removed, or would remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Results that were not used for too long.
    pub too_old: usize,
    /// Results that were too much, the longest unused ones.
    pub too_much: usize,
    /// Witnesses of last runs: of projects that nobody came back to for too long,
    /// and those that stand on a result that goes.
    pub witnesses: usize,
    /// Their size, in bytes.
    pub witness_bytes: u64,
    /// Blobs that no result needs any more.
    pub blobs: usize,
    /// Their size, in bytes.
    pub blob_bytes: u64,
    /// Files that the database did not list.
    pub orphans: usize,
    /// Their size, in bytes.
    pub orphan_bytes: u64,
    /// Results that stay.
    pub results_kept: usize,
    /// Of these, the ones that the present project needs.
    pub results_needed: usize,
    /// The size of the blobs and witnesses that stay, in bytes.
    pub bytes_kept: u64,
}

/// Which rows are to go.
#[derive(Clone, Debug, Default)]
struct Choice {
    results: Vec<Digest>,
    /// Blobs, and whether each is a file.
    blobs: BTreeMap<Digest, bool>,
    told: Collected,
}

impl Store {
    /// Returns whether a collection is due: none has been made today.
    pub fn is_collection_due(&self) -> bool {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        let day = self.read(|connection| {
            let row = connection.query_row(sql, [LAST_DAY], |row| row.get::<_, String>(0));
            row.optional()
        });
        // A clock that was set back makes one more collection, not none for years.
        self.is_writable() && day.flatten() != Some(self.today().to_string())
    }

    /// Tells what [`Store::collect`] would remove.
    pub fn collectable(
        &self,
        limits: &CacheLimits,
        needed: &BTreeSet<Digest>,
    ) -> Option<Collected> {
        let census = self.census()?;
        let mut told = choose(&census, limits, needed, self.today()).told;
        let listed = |digest: &Digest| census.blobs.get(digest).is_some_and(|row| !row.is_inline);
        for file in self.orphans(limits, true, &listed) {
            told.orphans += 1;
            told.orphan_bytes += file.1;
        }
        Some(told)
    }

    /// Removes results beyond `limits`, except those under the keys `needed`,
    /// and everything that no result names; none if the database refuses.
    pub fn collect(
        &self,
        alone: &Alone<'_>,
        limits: &CacheLimits,
        needed: &BTreeSet<Digest>,
    ) -> Option<Collected> {
        let today = self.today();
        let (choice, listed) = self.write(|connection| {
            let mut census = census(connection)?;
            census.witnesses = witness_rows(connection)?;
            let choice = choose(&census, limits, needed, today);
            forget_old_witnesses(connection, limits.oldest_day(today))?;
            remove_rows(connection, &choice, today)?;
            let stay = |digest: &Digest| !choice.blobs.contains_key(digest);
            let files = census.blobs.iter().filter(|(_, row)| !row.is_inline);
            let files = files.map(|(digest, _)| *digest).filter(stay);
            let listed: BTreeSet<Digest> = files.collect();
            Ok((choice, listed))
        })?;
        let mut told = choice.told;
        if let Some(folder) = self.folder() {
            for (&digest, _) in choice.blobs.iter().filter(|(_, is_file)| **is_file) {
                // One that cannot be removed now is an orphan of the next time.
                let _ = fs::remove_file(blob_path(folder, digest));
            }
        }
        for (path, size) in self.orphans(limits, alone.is_sure(), &|d| listed.contains(d)) {
            if fs::remove_file(&path).is_ok() {
                told.orphans += 1;
                told.orphan_bytes += size;
            }
        }
        if alone.is_sure() {
            self.remove_empty_folders();
            self.shrink();
        }
        Some(told)
    }

    /// Returns the files that are of no use, with their sizes.
    fn orphans(
        &self,
        limits: &CacheLimits,
        is_sure: bool,
        is_listed: &dyn Fn(&Digest) -> bool,
    ) -> Vec<(std::path::PathBuf, u64)> {
        let Some(listing) = self.folder().and_then(|folder| listing(folder).ok()) else {
            return Vec::new();
        };
        let age_s = if is_sure { 0 } else { UNSURE_AGE_S };
        let aside_age_s = u64::from(limits.max_age_days.unwrap_or(u32::MAX)) * 86_400;
        let is_orphan = |role, age| match role {
            Role::Blob(digest) => !is_listed(&digest) && age >= age_s,
            Role::Temporary | Role::TaskLock => age >= age_s,
            // Kept for a while, for who wants to know what had happened.
            Role::Aside => age >= aside_age_s,
            Role::Database | Role::Log | Role::Lock => false,
        };
        let files = listing.files.into_iter();
        files
            .filter(|file| is_orphan(file.role, file.age_s()))
            .map(|file| (file.path, file.size))
            .collect()
    }

    fn remove_empty_folders(&self) {
        let blobs = self.folder().map(|folder| folder.join("blobs"));
        let entries = blobs.and_then(|blobs| fs::read_dir(blobs).ok());
        for entry in entries.into_iter().flatten().flatten() {
            // One that is not empty stays.
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The witnesses that stay, by the results that they stand on.
struct Standing<'a> {
    rows: Vec<Option<&'a WitnessRow>>,
    on: HashMap<Digest, Vec<usize>>,
}

impl<'a> Standing<'a> {
    fn new(rows: impl Iterator<Item = &'a WitnessRow>) -> Self {
        let rows: Vec<_> = rows.map(Some).collect();
        let mut on: HashMap<Digest, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            for key in row.iter().flat_map(|row| &row.results) {
                on.entry(*key).or_default().push(at);
            }
        }
        Self { rows, on }
    }

    fn bytes(&self) -> u64 {
        self.rows.iter().flatten().map(|row| row.size).sum()
    }

    /// Drops those that stand on a result, which goes; returns their size in bytes.
    fn fall(&mut self, key: &Digest, told: &mut Collected) -> u64 {
        let mut bytes = 0;
        for at in self.on.remove(key).unwrap_or_default() {
            if let Some(row) = self.rows[at].take() {
                told.witnesses += 1;
                bytes += row.size;
            }
        }
        told.witness_bytes += bytes;
        bytes
    }
}

/// Decides what goes. First what is too old; then, the longest unused first,
/// what is too much.
fn choose(census: &Census, limits: &CacheLimits, needed: &BTreeSet<Digest>, today: u32) -> Choice {
    let mut choice = Choice {
        results: census.unreadable.clone(),
        ..Choice::default()
    };
    let is_needed = |row: &ResultRow| needed.contains(&row.key);
    // A last use that lies in the future was noted by a clock that was wrong.
    let age = |row: &ResultRow| today.saturating_sub(row.used_day);
    let is_old = |row: &ResultRow| limits.max_age_days.is_some_and(|days| age(row) > days);
    let (old, mut kept): (Vec<&ResultRow>, Vec<&ResultRow>) = census
        .results
        .iter()
        .partition(|row| is_old(row) && !is_needed(row));
    choice.told.too_old = old.len();
    choice.results.extend(old.iter().map(|row| row.key));
    let oldest_day = limits.oldest_day(today);
    let (old, standing): (Vec<&WitnessRow>, Vec<&WitnessRow>) = census
        .witnesses
        .iter()
        .partition(|row| row.used_day < oldest_day);
    choice.told.witnesses = old.len();
    choice.told.witness_bytes = old.iter().map(|row| row.size).sum();
    let mut standing = Standing::new(standing.into_iter());
    for key in &choice.results {
        standing.fall(key, &mut choice.told);
    }
    kept.sort_by_key(|row| {
        let run = census.last_runs.get(&row.key).copied().unwrap_or(0);
        (row.used_day, run, row.key)
    });
    let mut users: BTreeMap<Digest, usize> = BTreeMap::new();
    for digest in kept.iter().flat_map(|row| row.blobs()) {
        *users.entry(digest).or_default() += 1;
    }
    let size = |digest: &Digest| census.blobs.get(digest).map_or(0, |blob| blob.size);
    let mut bytes: u64 = users.keys().map(size).sum::<u64>() + standing.bytes();
    let limit = limits.max_bytes.unwrap_or(u64::MAX);
    let mut stay = Vec::new();
    for row in kept {
        if bytes <= limit || is_needed(row) {
            stay.push(row);
            continue;
        }
        choice.told.too_much += 1;
        choice.results.push(row.key);
        bytes -= standing.fall(&row.key, &mut choice.told);
        for digest in row.blobs() {
            let count = users.get_mut(&digest).expect("counted above");
            *count -= 1;
            if *count == 0 {
                users.remove(&digest);
                bytes -= size(&digest);
            }
        }
    }
    let unnamed = census
        .blobs
        .iter()
        .filter(|(digest, _)| !users.contains_key(digest));
    choice.blobs = unnamed
        .map(|(digest, row)| (*digest, !row.is_inline))
        .collect();
    choice.told.blobs = choice.blobs.len();
    choice.told.blob_bytes = choice.blobs.keys().map(size).sum();
    choice.told.results_kept = stay.len();
    choice.told.results_needed = stay.iter().filter(|row| is_needed(row)).count();
    choice.told.bytes_kept = bytes;
    choice
}

fn remove_rows(connection: &Connection, choice: &Choice, today: u32) -> rusqlite::Result<()> {
    remove_results(connection, &choice.results.iter().copied().collect())?;
    let mut blob = connection.prepare_cached("DELETE FROM blobs WHERE digest = ?1")?;
    for digest in choice.blobs.keys() {
        blob.execute([digest.as_bytes()])?;
    }
    // Old runs are of no use to anybody; the last key of a task explains the next
    // one as long as its run is kept.
    let sql = "DELETE FROM runs WHERE id <= (SELECT coalesce(max(id), 0) FROM runs) - ?1";
    connection.execute(sql, [RUNS_KEPT])?;
    connection.execute(
        "DELETE FROM run_tasks WHERE run NOT IN (SELECT id FROM runs) \
         AND key NOT IN (SELECT key FROM results)",
        [],
    )?;
    let sql = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)";
    connection.execute(sql, (LAST_DAY, today.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::BlobRow;
    use crate::store::OutputRef;

    /// A census of results named by a letter, each with the day of its last use
    /// and its blobs, which are named by a letter too and have 10 bytes.
    fn census(results: &[(&str, u32, &[&str])]) -> Census {
        let mut census = Census::default();
        for (name, used_day, blobs) in results {
            let mut outputs = BTreeMap::new();
            for blob in *blobs {
                let digest = Digest::of(blob.as_bytes());
                outputs.insert((*blob).to_owned(), OutputRef { digest, size: 10 });
                let row = BlobRow {
                    size: 10,
                    is_inline: false,
                };
                census.blobs.insert(digest, row);
            }
            census.results.push(ResultRow {
                key: Digest::of(name.as_bytes()),
                kind: (*name).to_owned(),
                outputs,
                manifest: BTreeMap::new(),
                cost_ms: 1,
                used_day: *used_day,
            });
        }
        census
    }

    #[track_caller]
    fn check(limits: (Option<u64>, Option<u32>), needed: &[&str], want: &str) {
        let census = census(&[
            ("a", 60, &["1", "2"]),
            ("b", 90, &["2", "3"]),
            ("c", 99, &["4"]),
            ("d", 200, &["5"]),
        ]);
        let limits = CacheLimits {
            max_bytes: limits.0,
            max_age_days: limits.1,
        };
        let needed = needed.iter().map(|name| Digest::of(name.as_bytes()));
        let choice = choose(&census, &limits, &needed.collect(), 100);
        let name = |key: &Digest| {
            let row = census.results.iter().find(|row| row.key == *key).unwrap();
            row.kind.clone()
        };
        let names: Vec<String> = choice.results.iter().map(name).collect();
        let told = &choice.told;
        let text = format!(
            "{} -{} ={}",
            names.join(""),
            told.blob_bytes,
            told.bytes_kept
        );
        assert_eq!(text, want);
    }

    #[test]
    fn what_was_not_used_for_too_long_goes() {
        check((None, None), &[], " -0 =50");
        check((None, Some(40)), &[], " -0 =50");
        check((None, Some(39)), &[], "a -10 =40");
        check((None, Some(0)), &[], "abc -40 =10");
    }

    #[test]
    fn the_longest_unused_goes_when_there_is_too_much() {
        check((Some(50), None), &[], " -0 =50");
        check((Some(49), None), &[], "a -10 =40");
        check((Some(39), None), &[], "ab -30 =20");
        check((Some(0), None), &[], "abcd -50 =0");
    }

    #[test]
    fn witnesses_count_and_go_with_what_they_stand_on() {
        let mut census = census(&[("a", 90, &["1"]), ("b", 99, &["2"])]);
        let on = |names: &[&str], used_day| WitnessRow {
            results: names
                .iter()
                .map(|name| Digest::of(name.as_bytes()))
                .collect(),
            size: 5,
            used_day,
        };
        census.witnesses = vec![on(&["a"], 99), on(&["a", "b"], 99), on(&["b"], 20)];
        let kept = |max_bytes, max_age_days| {
            let limits = CacheLimits {
                max_bytes: Some(max_bytes),
                max_age_days: Some(max_age_days),
            };
            let told = choose(&census, &limits, &BTreeSet::new(), 100).told;
            (told.results_kept, told.witnesses, told.bytes_kept)
        };
        assert_eq!(kept(35, 80), (2, 0, 35));
        assert_eq!(kept(34, 80), (1, 2, 15), "the oldest result and all on it");
        assert_eq!(kept(35, 50), (2, 1, 30), "nobody came back to one");
        assert_eq!(kept(30, 50), (2, 1, 30));
        assert_eq!(kept(29, 50), (1, 3, 10));
        assert_eq!(kept(35, 5), (1, 3, 10), "one result is too old");
    }

    #[test]
    fn what_is_needed_stays_whatever_the_limits() {
        check((Some(0), Some(0)), &["a", "d"], "bc -20 =30");
        check((Some(29), None), &["a"], "bcd -30 =20");
    }
}
