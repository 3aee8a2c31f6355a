//! The steps of a training, each a pure function of the files it is given: for
//! build tools that keep, share and distribute results themselves.
//!
//! ```text
//!   files ─▶ [import] ─┬─ NLU portion ──▶ [train] ── results ─┐
//!                      ├─ Core portion ─▶ [train] ── results ─┤
//!                      └─ package portion ────────────────────┴▶ [package] ─▶ archive
//! ```
//!
//! No cache, no clock and no network is used, and the archive is that of
//! [`train`](crate::api::train), to the byte. Results are files as
//! [`export_cache`](crate::api::export_cache) writes them: packaging knows them by
//! their keys, so that results of another project or of an older step are refused.

mod portion;
mod baggage;
mod remote_executor;

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::Findings;
use crate::api::Notice;
use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::cache::open_bundle;
use crate::api::run_tasks::Tasks;
use crate::api::run_tasks::packaged;
use crate::api::run_tasks::run_tasks;
use crate::api::shared::threads;
use crate::api::task_name;
use crate::api::train::training;
use crate::archive::TrainingType;
use crate::archive::write_if_changed;
use crate::engine::Plan;
use crate::engine::PlanSettings;
use crate::engine::Results;
use crate::engine::TaskId;
use crate::engine::plan;
use crate::import::FileKind;
use crate::import::Want;
use crate::recipe::ARCHIVE;
use crate::recipe::Order;
use crate::recipe::Recipe;
use crate::recipe::recipe;
use crate::store::CacheError;
use crate::store::Export;
use crate::store::Store;
use crate::store::may_export_to;

use portion::Portion;
use portion::Step;
use portion::must_be_free;

pub use portion::PORTION_VERSION;
pub use portion::PortionError;
pub(super) use remote_executor::Sender;

/// Where the portions of a project go.
#[derive(Clone, Debug)]
pub struct PortionPaths {
    /// What [`exec_train`] reads to train the NLU half.
    pub nlu: PathBuf,
    /// What [`exec_train`] reads to train the Core half.
    pub core: PathBuf,
    /// What [`exec_package`] reads.
    pub package: PathBuf,
}

/// What a step works on.
#[derive(Clone, Debug, Default)]
pub struct ExecOptions {
    /// The portion.
    pub portion: PathBuf,
    /// Results of other steps.
    pub results: Vec<PathBuf>,
    /// What is written.
    pub out: PathBuf,
    /// Threads and who is told what happens.
    pub run: RunSettings,
}

/// Reads and checks a project, and writes what each step reads of it. The cache and
/// the output of `options` are not used.
///
/// # Errors
///
/// As [`train`](crate::api::train), before anything is trained.
pub fn exec_import(options: &TrainOptions, paths: &PortionPaths) -> Result<(), TrainError> {
    let recipe = training(options, Want::All).checked_graph()?;
    for (step, path) in [
        (Step::Nlu, &paths.nlu),
        (Step::Core, &paths.core),
        (Step::Package, &paths.package),
    ] {
        Portion::of(step, &recipe).write(path)?;
    }
    Ok(())
}

/// Returns every file that [`exec_import`] and the steps after it would open, sorted,
/// whatever is wrong in them, and whether a component of the pipeline names it: the
/// steps after it open those.
///
/// # Errors
///
/// If the project's folder or a file that is there cannot be read.
pub fn exec_reads(options: &TrainOptions) -> Result<Vec<(PathBuf, bool)>, TrainError> {
    let imported = training(options, Want::All).read()?;
    let files = imported.files.into_iter();
    let reads = files.map(|file| (file.path, file.kinds.contains(&FileKind::Component)));
    Ok(reads.collect())
}

/// Trains one half, or only those of its `tasks` that are named, and writes the
/// results. Tasks above those that are named must be among the results given. A half
/// that the project does not train has no results, and its file says so.
///
/// # Errors
///
/// If a file is not what the steps before write, no task is called so, results of
/// tasks above are missing, or a task fails.
pub fn exec_train(options: &ExecOptions, tasks: &[String]) -> Result<(), TrainError> {
    let portion = Portion::read(&options.portion)?;
    if portion.of == Step::Package {
        return Err(other_step(options, "portion of NLU or Core").into());
    }
    // Before hours of work that could not be put anywhere.
    may_export_to(&options.out)?;
    let store = Store::in_memory();
    let Some(training_type) = portion.training_type else {
        store.export(&BTreeSet::new(), Export::Step, &options.out)?;
        return Ok(());
    };
    let bench = Bench::new(portion, training_type, store, options)?;
    let wanted = bench.wanted(tasks)?;
    bench.run(&options.run, &wanted, |results| {
        let keys = wanted.iter().filter_map(|&id| results.key(id)).collect();
        let written = bench.store.export(&keys, Export::Step, &options.out)?;
        match written.results == keys.len() {
            true => Ok(()),
            false => Err(CacheError::NotStored {
                cause: "a result is too large to be held in memory".to_owned(),
            }
            .into()),
        }
    })
}

/// Makes the archive of a project from the results of its halves.
///
/// # Errors
///
/// If a file is not what the steps before write, results are missing, or the
/// archive cannot be written.
pub fn exec_package(options: &ExecOptions) -> Result<(), TrainError> {
    let portion = Portion::read(&options.portion)?;
    let (Step::Package, Some(training_type)) = (portion.of, portion.training_type) else {
        return Err(other_step(options, "portion for packaging").into());
    };
    must_be_free(&options.out, GZIP)?;
    let bench = Bench::new(portion, training_type, Store::in_memory(), options)?;
    let wanted = BTreeSet::from([bench.recipe.package]);
    bench.run(&options.run, &wanted, |results| {
        let archive = packaged(&bench.recipe, results, ARCHIVE)?;
        write_if_changed(&options.out, &archive)?;
        Ok(())
    })
}

/// What an archive begins with.
const GZIP: &[u8] = &[0x1f, 0x8b];

fn other_step(options: &ExecOptions, wanted: &'static str) -> PortionError {
    PortionError::OtherStep {
        path: options.portion.clone(),
        wanted,
    }
}

/// A portion as a graph, with the results that were given.
struct Bench {
    recipe: Recipe,
    store: Arc<Store>,
    plan: Plan,
    given: Vec<PathBuf>,
}

impl Bench {
    fn new(
        portion: Portion,
        training_type: TrainingType,
        store: Store,
        options: &ExecOptions,
    ) -> Result<Self, TrainError> {
        let order = Order {
            training_type,
            augmentation: portion.augmentation,
            persist_nlu_data: portion.persist_nlu_data,
            project_name: "".into(),
            learned: portion.learned,
        };
        let pool = threads(options.run.jobs)?;
        let project = Arc::new(portion.project);
        let recipe = recipe(&project, &order, pool).map_err(|diagnostics| {
            let found = Arc::new(Findings {
                diagnostics,
                ..Findings::default()
            });
            let observer = &options.run.observer;
            observer.tell(Notice::Diagnosed(Arc::clone(&found)));
            TrainError::Mistakes(found)
        })?;
        for path in &options.results {
            open_bundle(path)?.import_into(&store)?;
        }
        let plan = plan(&recipe.graph, &store, PlanSettings::default());
        Ok(Self {
            recipe,
            store: Arc::new(store),
            plan,
            given: options.results.clone(),
        })
    }

    /// Returns the tasks of these names; without any, all but packaging.
    fn wanted(&self, names: &[String]) -> Result<BTreeSet<TaskId>, TrainError> {
        let graph = &self.recipe.graph;
        if names.is_empty() {
            return Ok(graph
                .ids()
                .filter(|&id| id != self.recipe.package)
                .collect());
        }
        let mut wanted = BTreeSet::new();
        for name in names {
            wanted.extend(task_name::find(graph, name)?);
        }
        Ok(wanted)
    }

    /// Runs the tasks in `wanted` that have no result, then uses the results.
    fn run(
        &self,
        run: &RunSettings,
        wanted: &BTreeSet<TaskId>,
        then: impl FnOnce(&Results<'_>) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        self.must_have_all_above(wanted)?;
        let tasks = Tasks {
            recipe: &self.recipe,
            plan: &self.plan,
            store: &self.store,
            memory: None,
            only: Some(wanted),
            handed: HashSet::new(),
            places: None,
        };
        run_tasks(run, tasks, then)
    }

    /// Fails if a task reads one that has no result and is not wanted.
    fn must_have_all_above(&self, wanted: &BTreeSet<TaskId>) -> Result<(), TrainError> {
        let graph = &self.recipe.graph;
        let above = wanted.iter().flat_map(|&id| graph.upstreams(id));
        let above: BTreeSet<TaskId> = above.collect();
        let is_missing = |id: &TaskId| !wanted.contains(id) && !self.plan.task(*id).is_fresh();
        let missing = above.into_iter().filter(is_missing);
        let tasks: Vec<String> = missing.map(|id| graph.task(id).name.clone()).collect();
        match tasks.is_empty() {
            true => Ok(()),
            false => Err(TrainError::NoResults {
                tasks,
                given: self.given.clone(),
            }),
        }
    }
}
