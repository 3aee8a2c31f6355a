//! Executes the plan of a project's graph, with the settings of a run.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use crate::api::FailedTask;
use crate::api::Notice;
use crate::api::Phase;
use crate::api::RunSettings;
use crate::api::SkippedTask;
use crate::api::TrainError;
use crate::api::exec::Sender;
use crate::api::memory::OwnMemory;
use crate::digest::Digest;
use crate::engine::Event;
use crate::engine::Memory;
use crate::engine::OnFailure;
use crate::engine::Outcome;
use crate::engine::Places;
use crate::engine::Plan;
use crate::engine::RemoteExecutor;
use crate::engine::Results;
use crate::engine::Settings;
use crate::engine::TaskId;
use crate::engine::execute;
use crate::recipe::Recipe;
use crate::store::Store;

/// What is to be executed.
pub struct Tasks<'a> {
    /// The graph.
    pub recipe: &'a Recipe,
    /// What of it would run: a plan of this graph and store.
    pub plan: &'a Plan,
    /// The cache.
    pub store: &'a Arc<Store>,
    /// How much memory there is for tasks, if there is a limit.
    pub memory: Option<&'a OwnMemory>,
    /// The tasks that may run, if not all of them.
    pub only: Option<&'a BTreeSet<TaskId>>,
    /// Keys of results that the remote cache has, as far as that is known.
    pub handed: HashSet<Digest>,
    /// Places for tasks, if runs beside this one take from them as well.
    pub places: Option<Arc<Places>>,
}

/// Executes a plan; then uses the results. What was here before is handed to the remote
/// cache in the background, also when a task failed.
///
/// # Errors
///
/// If the run was interrupted, or a task failed; else those of `then`.
pub fn run_tasks<T>(
    run: &RunSettings,
    tasks: Tasks<'_>,
    then: impl FnOnce(&Results<'_>) -> Result<T, TrainError>,
) -> Result<T, TrainError> {
    let Tasks {
        recipe,
        plan,
        store,
        memory,
        only,
        handed,
        places,
    } = tasks;
    let observer = &run.observer;
    // What runs beside a failed task is not worth waiting for.
    let stops = run.on_failure == OnFailure::Stop;
    let stop = run.cancel.child();
    let on_event = |event| {
        if stops && matches!(event, Event::Failed { .. }) {
            stop.set();
        }
        observer.tell(Notice::Task(event));
    };
    let sender = sender(run, recipe, store);
    let settings = Settings {
        jobs: jobs(run),
        places,
        memory: memory.map(|memory| Memory {
            budget: &memory.budget,
            largest: memory.left(),
            estimate: &*memory.estimate,
        }),
        on_failure: run.on_failure,
        only,
        cancel: stop.clone(),
        // Leaves are values in memory, parsed from one reading of each file:
        // an edit meanwhile cannot reach them.
        inputs_unchanged: &|_| true,
        remote: run.remote(),
        executor: sender.as_ref().map(|sender| sender as &dyn RemoteExecutor),
        started_ms: now_ms(),
    };
    let results = observer.phase(Phase::Run, || {
        execute(&recipe.graph, plan, store, &settings, &on_event)
    });
    if run.cancel.is_set() {
        return Err(TrainError::Interrupted);
    }
    seed(run, recipe, store, &results, handed);
    match failure(run.on_failure, recipe, &results, memory) {
        Some(error) => Err(error),
        None => then(&results),
    }
}

/// Hands results that were here already to the remote cache, in the background, unless
/// they are known to be there.
fn seed(
    run: &RunSettings,
    recipe: &Recipe,
    store: &Arc<Store>,
    results: &Results<'_>,
    mut known: HashSet<Digest>,
) {
    let Some(remote) = run.remote.as_ref().filter(|one| one.handed_to().is_some()) else {
        return;
    };
    let mut here = HashMap::new();
    for id in recipe.graph.ids() {
        let Some(key) = results.key(id) else { continue };
        match results.outcome(id) {
            Outcome::Reused | Outcome::Spared => {
                here.insert(key, recipe.graph.task(id).kind);
            }
            // It was offered, or is there; so is that of others of the same work.
            _ => {
                known.insert(key);
            }
        }
    }
    here.retain(|key, _| !known.contains(key));
    let keys = here.keys().copied().collect();
    let store = Arc::clone(store);
    remote.seed(keys, move |key| store.kept_offer(key, here.get(&key)?));
}

/// Returns what sends tasks to other machines, if that was asked for.
pub fn sender<'a>(
    run: &'a RunSettings,
    recipe: &'a Recipe,
    store: &'a Store,
) -> Option<Sender<'a>> {
    let (settings, remote) = (run.remote_exec.as_ref()?, run.remote.as_deref()?);
    Some(Sender::new(settings, remote, recipe, store))
}

/// Returns places for tasks of runs side by side, here and elsewhere, where some are
/// elsewhere.
pub fn places(run: &RunSettings) -> Option<Arc<Places>> {
    let exec = run.remote_exec.as_ref()?;
    Some(Arc::new(Places::new(jobs(run), exec.jobs.get())))
}

/// Returns how many tasks may run at once.
pub fn jobs(run: &RunSettings) -> NonZeroUsize {
    let cores = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    run.jobs.and_then(NonZeroUsize::new).unwrap_or_else(cores)
}

/// Returns what failed, if something did: the first task alone where it ended
/// the run, else all of them with what did not run for it.
fn failure(
    on_failure: OnFailure,
    recipe: &Recipe,
    results: &Results<'_>,
    memory: Option<&OwnMemory>,
) -> Option<TrainError> {
    let name = |id| recipe.graph.task(id).name.clone();
    let mut failed = Vec::new();
    for (id, message) in results.failures() {
        failed.push(FailedTask::new(name(id), message));
    }
    let first = failed.first()?;
    let mut too_large = recipe
        .graph
        .ids()
        .filter_map(|id| match results.outcome(id) {
            Outcome::TooLarge { estimate } => Some((id, estimate)),
            _ => None,
        });
    if let (Some((id, estimate)), Some(memory)) = (too_large.next(), memory) {
        return Some(memory.refusal(name(id), estimate, true));
    }
    if on_failure == OnFailure::Stop {
        return Some(TrainError::from(first.clone()));
    }
    let skipped = recipe
        .graph
        .ids()
        .filter_map(|id| match results.outcome(id) {
            Outcome::Skipped { because } => Some(SkippedTask {
                task: name(id),
                because: because.map(name),
            }),
            _ => None,
        });
    let skipped = skipped.collect();
    Some(TrainError::Tasks { failed, skipped })
}

/// Returns an output of the package task.
///
/// # Errors
///
/// If it can no longer be read.
pub fn packaged(
    recipe: &Recipe,
    results: &Results<'_>,
    name: &str,
) -> Result<Arc<Vec<u8>>, TrainError> {
    let output = results.output(recipe.package, name);
    output.map_err(|error| TrainError::Task {
        task: "package".to_owned(),
        message: error.to_string(),
        is_bug: false,
    })
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| time.as_millis() as u64)
}
