//! What is in a cache, in numbers.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::api::RunSettings;
use crate::api::cache::folder;
use crate::api::cache::lossy;
use crate::api::cache::open;
use crate::api::cache::refused;
use crate::digest::Digest;
use crate::store::Access;
use crate::store::CacheError;
use crate::store::CacheLimits;
use crate::store::Census;
use crate::store::PastRun;

/// What is in a cache (`schemas/cache-stats.schema.json`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CacheStats {
    /// The version of this form: 1.
    pub stats_version: u32,
    /// Where it is.
    #[serde(serialize_with = "lossy")]
    pub folder: PathBuf,
    /// How many results.
    pub results: usize,
    /// How many blobs.
    pub blobs: usize,
    /// The size of all blobs and of the records of last runs, in bytes: what the
    /// limit is about.
    pub bytes: u64,
    /// The size of all files of the cache, in bytes.
    pub disk_bytes: u64,
    /// How much it may hold.
    pub limits: CacheLimits,
    /// Results by the kind of task, the largest kind first.
    pub kinds: Vec<KindStats>,
    /// Results by their last use, the latest first.
    pub ages: Vec<AgeGroup>,
    /// How often the last runs found what they needed.
    pub recent_runs: HitRate,
    /// The largest outputs, the largest first.
    pub largest: Vec<Largest>,
}

/// Results of one kind of task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindStats {
    /// The kind.
    pub kind: String,
    /// How many results.
    pub results: usize,
    /// The size of their blobs, in bytes; those that kinds share count for each.
    pub bytes: u64,
}

/// Results that were last used about the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgeGroup {
    /// Not more than this many days ago, and more than the group before; none
    /// for all the rest.
    pub within_days: Option<u32>,
    /// How many results.
    pub results: usize,
    /// The size of their blobs, in bytes.
    pub bytes: u64,
}

/// How often runs found what they needed. Runs with nothing to do at all are not
/// recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HitRate {
    /// How many runs are counted.
    pub runs: usize,
    /// Tasks in these runs.
    pub tasks: u64,
    /// Tasks whose result was found.
    pub hits: u64,
}

/// One large output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Largest {
    /// The kind of task that made it.
    pub kind: String,
    /// Its name.
    pub output: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Days that the groups of [`CacheStats::ages`] end with.
const AGES: [Option<u32>; 4] = [Some(0), Some(7), Some(30), None];

/// Runs that the hit rate is about.
const RECENT_RUNS: u32 = 20;

/// How many of the largest outputs are told.
const LARGEST: usize = 5;

/// Counts what is in the cache. One that is not there is empty.
///
/// # Errors
///
/// If it cannot be read.
pub fn cache_stats(run: &RunSettings) -> Result<CacheStats, CacheError> {
    let (mut census, mut runs, mut disk_bytes, mut today) = (Census::default(), Vec::new(), 0, 0);
    if let Some(store) = open(run, Access::ReadOnly)? {
        census = store.census().ok_or_else(|| refused(&store))?;
        runs = store.past_runs(RECENT_RUNS);
        disk_bytes = store.disk_bytes();
        today = store.today();
    }
    Ok(CacheStats {
        stats_version: 1,
        folder: folder(run)?,
        results: census.results.len() + census.unreadable.len(),
        blobs: census.blobs.len(),
        bytes: census.bytes(),
        disk_bytes,
        limits: run.cache_limits,
        kinds: kinds(&census),
        ages: ages(&census, today),
        recent_runs: hit_rate(&runs),
        largest: largest(&census),
    })
}

/// The size of a set of blobs, in bytes.
fn size(census: &Census, blobs: &BTreeSet<Digest>) -> u64 {
    let sizes = blobs.iter().filter_map(|digest| census.blobs.get(digest));
    sizes.map(|blob| blob.size).sum()
}

fn kinds(census: &Census) -> Vec<KindStats> {
    let mut kinds: BTreeMap<&str, (usize, BTreeSet<Digest>)> = BTreeMap::new();
    for row in &census.results {
        let (count, blobs) = kinds.entry(&row.kind).or_default();
        *count += 1;
        blobs.extend(row.blobs());
    }
    let stats = kinds.into_iter().map(|(kind, (results, blobs))| KindStats {
        kind: kind.to_owned(),
        results,
        bytes: size(census, &blobs),
    });
    let mut stats: Vec<KindStats> = stats.collect();
    stats.sort_by_key(|kind| std::cmp::Reverse(kind.bytes));
    stats
}

fn ages(census: &Census, today: u32) -> Vec<AgeGroup> {
    let group = |used_day: u32| {
        let age = today.saturating_sub(used_day);
        AGES.iter()
            .position(|days| days.is_none_or(|days| age <= days))
            .expect("the last group has no end")
    };
    let mut groups: [(usize, BTreeSet<Digest>); AGES.len()] = Default::default();
    for row in &census.results {
        let (count, blobs) = &mut groups[group(row.used_day)];
        *count += 1;
        blobs.extend(row.blobs());
    }
    let groups = AGES.into_iter().zip(groups);
    let told = groups.map(|(within_days, (results, blobs))| AgeGroup {
        within_days,
        results,
        bytes: size(census, &blobs),
    });
    told.collect()
}

fn hit_rate(runs: &[PastRun]) -> HitRate {
    let count = |run: &PastRun, name: &str| run.report[name].as_u64().unwrap_or(0);
    let of = |names: &[&str]| -> u64 {
        let counts = runs
            .iter()
            .flat_map(|run| names.iter().map(|name| count(run, name)));
        counts.sum()
    };
    HitRate {
        runs: runs.len(),
        tasks: of(&["reused", "spared", "ran", "failed"]),
        hits: of(&["reused", "spared"]),
    }
}

fn largest(census: &Census) -> Vec<Largest> {
    let outputs = census.results.iter().flat_map(|row| {
        let outputs = row.outputs.iter();
        outputs.map(move |(name, output)| (output.size, &row.kind, name))
    });
    let mut outputs: Vec<_> = outputs.collect();
    outputs.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
    let largest = outputs.into_iter().take(LARGEST);
    let told = largest.map(|(bytes, kind, output)| Largest {
        kind: kind.clone(),
        output: output.clone(),
        bytes,
    });
    told.collect()
}
