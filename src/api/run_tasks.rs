//! Executes the plan of a project's graph, with the settings of a run.

use std::collections::BTreeSet;
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
use crate::engine::Event;
use crate::engine::Memory;
use crate::engine::OnFailure;
use crate::engine::Outcome;
use crate::engine::Plan;
use crate::engine::RemoteExecutor;
use crate::engine::Results;
use crate::engine::Settings;
use crate::engine::TaskId;
use crate::engine::execute;
use crate::recipe::Recipe;
use crate::store::Store;

/// Executes `plan`, which must be of this recipe and store, within `memory`, or
/// `only` some of its tasks; then uses the results.
///
/// # Errors
///
/// If the run was interrupted, or a task failed; else those of `then`.
pub fn run_tasks<T>(
    run: &RunSettings,
    recipe: &Recipe,
    plan: &Plan,
    store: &Store,
    memory: Option<&OwnMemory>,
    only: Option<&BTreeSet<TaskId>>,
    then: impl FnOnce(&Results<'_>) -> Result<T, TrainError>,
) -> Result<T, TrainError> {
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
    match failure(run.on_failure, recipe, &results, memory) {
        Some(error) => Err(error),
        None => then(&results),
    }
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
