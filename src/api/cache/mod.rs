//! Looking after the cache: what is in it, whether it is sound, keeping it
//! small, carrying it elsewhere, removing it.
//!
//! A training treats whatever is wrong with its cache as a warning. Here the
//! cache itself is the subject, and what is wrong with it is an error or a
//! finding.

mod stats;
mod check;
mod carry;

pub use carry::CacheExport;
pub(super) use carry::check_keys;
pub use carry::export_cache;
pub use carry::import_cache;
pub use carry::open_bundle;
pub use check::CacheCheck;
pub use check::RecheckReport;
pub use check::RecheckVerdict;
pub use check::RecheckedOutput;
pub use check::Sample;
pub use check::check_cache;
pub use stats::AgeGroup;
pub use stats::CacheStats;
pub use stats::HitRate;
pub use stats::KindStats;
pub use stats::Largest;
pub use stats::cache_stats;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde::Serializer;

use crate::api::CacheSettings;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::chain;
use crate::api::in_project;
use crate::api::train::training;
use crate::digest::Digest;
use crate::engine::Graph;
use crate::engine::Plan;
use crate::engine::PlanSettings;
use crate::engine::plan;
use crate::import::Want;
use crate::store::Access;
use crate::store::CacheError;
use crate::store::Cleared;
use crate::store::Collected;
use crate::store::Store;
use crate::store::StoreSettings;
use crate::store::Warning;
use crate::store::clear;

/// How long to sleep while another process uses the cache.
const PAUSE: Duration = Duration::from_millis(100);

/// Removes from the cache what is beyond its limits, except what the project of
/// `options` needs; with `dry_run` tells what would go. None if there is no cache.
///
/// Needed is what a training of the project as it is now would find, and what its
/// last runs used. While another process uses the cache this waits.
///
/// # Errors
///
/// If the cache cannot be opened or written to, or waiting was interrupted.
pub fn collect_cache(
    options: &TrainOptions,
    dry_run: bool,
) -> Result<Option<Collected>, TrainError> {
    let run = &options.run;
    let access = if dry_run {
        Access::ReadOnly
    } else {
        Access::ReadWrite
    };
    let Some(store) = open(run, access)? else {
        return Ok(None);
    };
    let needed = needed(options, &store);
    let collected = if dry_run {
        store.collectable(&run.cache_limits, &needed)
    } else {
        let mut waiting = Waiting::new(run);
        let alone = loop {
            match store.alone() {
                Some(alone) => break alone,
                None if waiting.goes_on() => {}
                None => return Err(TrainError::Interrupted),
            }
        };
        store.collect(&alone, &run.cache_limits, &needed)
    };
    match collected {
        Some(collected) => Ok(Some(collected)),
        None => Err(refused(&store).into()),
    }
}

/// Removes the cache and nothing else; what it did is none of a training's
/// business, which starts from an empty one. While another process uses the
/// cache this waits.
///
/// # Errors
///
/// If the folder is not a cache, a file cannot be removed, or waiting was
/// interrupted.
pub fn clear_cache(run: &RunSettings) -> Result<Cleared, TrainError> {
    let waiting = std::cell::RefCell::new(Waiting::new(run));
    let cleared = clear(&folder(run)?, &|| waiting.borrow_mut().goes_on())?;
    cleared.ok_or(TrainError::Interrupted)
}

/// Waits until nobody else uses the cache, and says so once.
struct Waiting<'a> {
    run: &'a RunSettings,
    has_told: bool,
}

impl<'a> Waiting<'a> {
    fn new(run: &'a RunSettings) -> Self {
        Self {
            run,
            has_told: false,
        }
    }

    /// Sleeps a little; returns false when the user has had enough.
    fn goes_on(&mut self) -> bool {
        if !self.has_told {
            let text = "waiting: another process uses the cache".to_owned();
            self.run.observer.tell(Notice::Info(text));
            self.has_told = true;
        }
        thread::sleep(PAUSE);
        !self.run.cancel.is_set()
    }
}

/// Returns the cache folder that `run` names.
fn folder(run: &RunSettings) -> Result<PathBuf, CacheError> {
    match &run.cache {
        CacheSettings::Folder(folder) => Ok(in_project(&run.project, folder)),
        CacheSettings::Off => Err(CacheError::NoFolder),
    }
}

/// Writes a path as text; what is not UTF-8 in it is replaced.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Opens the cache; none if there is none. Nothing is created.
fn open(run: &RunSettings, access: Access) -> Result<Option<Store>, CacheError> {
    let folder = folder(run)?;
    if !folder.join("results.db").exists() {
        return Ok(None);
    }
    let store = Store::open(&StoreSettings::new(&folder, access));
    for warning in store.take_warnings() {
        match warning {
            Warning::Damaged {
                moved_to: Some(_), ..
            }
            | Warning::NoLog { .. } => run.observer.tell(Notice::Warning(warning.to_string())),
            Warning::ReadOnly { .. } if access == Access::ReadOnly => {}
            refusal => return Err(CacheError::Unusable(refusal)),
        }
    }
    // An empty file is a database that nobody has filled yet.
    Ok(store.folder().is_some().then_some(store))
}

/// Returns why the store refused what was just asked of it.
fn refused(store: &Store) -> CacheError {
    let cause = match store.take_warnings().into_iter().last() {
        Some(Warning::NotStored { cause }) => cause,
        Some(warning) => return CacheError::Unusable(warning),
        None => "it is read-only".to_owned(),
    };
    CacheError::NotStored { cause }
}

/// The project of `options` as a graph, and what of it is in the cache.
struct Planned {
    graph: Graph,
    plan: Plan,
}

impl Planned {
    /// Returns the keys of all tasks whose result is in the cache.
    fn fresh_keys(&self) -> BTreeSet<Digest> {
        let fresh = self.plan.tasks().iter().filter(|task| task.is_fresh());
        fresh.filter_map(|task| task.key).collect()
    }
}

/// Plans a training of the project.
fn planned(options: &TrainOptions, store: &Store) -> Result<Planned, TrainError> {
    let (recipe, _) = training(options, Want::All).graph()?;
    let plan = plan(&recipe.graph, store, PlanSettings::default());
    Ok(Planned {
        graph: recipe.graph,
        plan,
    })
}

/// Returns the keys of all results that the project needs: those that it would
/// use now, and those that its last runs used. A project that is not there needs
/// nothing.
fn needed(options: &TrainOptions, store: &Store) -> BTreeSet<Digest> {
    let run = &options.run;
    let root = fs::canonicalize(&run.project).unwrap_or_else(|_| run.project.clone());
    let prefix = format!("{}|", root.display());
    let last = store.last_keys(&|project| project.starts_with(&prefix));
    let mut keys: BTreeSet<Digest> = last.into_iter().collect();
    let is_there = |path: &Path| in_project(&run.project, path).exists();
    let mut paths = options.training_files.iter().chain([&options.config]);
    if !paths.any(|path| is_there(path)) {
        return keys;
    }
    let mut silent = options.clone();
    silent.run.observer = Observer::default();
    match planned(&silent, store) {
        Ok(planned) => keys.extend(planned.fresh_keys()),
        Err(error) => {
            let text = format!(
                "the project cannot be read, so what its last runs used is kept: {}",
                chain(&error)
            );
            run.observer.tell(Notice::Warning(text));
        }
    }
    keys
}
