//! Runs fresh tasks again to see whether they give what the cache says: finds
//! results that were tampered with, and tasks that do not give the same each
//! time. Nothing is stored.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::engine::Event;
use crate::engine::Graph;
use crate::engine::Outputs;
use crate::engine::Plan;
use crate::engine::Source;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::call::call;
use crate::engine::results::with_causes;
use crate::engine::task::Given;
use crate::store::OutputRef;
use crate::store::Store;
use crate::store::StoredResult;

/// What running a fresh task again gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recheck {
    /// The task.
    pub task: TaskId,
    /// Its key.
    pub key: Digest,
    /// Whether it gave what the cache says.
    pub verdict: Verdict,
}

/// Whether a task gave what the cache says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did.
    Same,
    /// It gave something else.
    Different(Vec<Difference>),
    /// It failed, though the cache has a result; the error and its causes.
    Failed(String),
    /// It could not run: the cache has lost what it reads.
    InputLost {
        /// As what the task reads it.
        role: String,
    },
}

/// An output that came out differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub output: String,
    /// Its digest in the cache; none if the cache has no such output.
    pub stored: Option<Digest>,
    /// Its digest now; none if the task gave no such output.
    pub again: Option<Digest>,
}

/// Returns `percent` of the fresh tasks, at least one if there are any. Which
/// ones depends on their keys and on `seed` alone.
pub fn sample(plan: &Plan, percent: u32, seed: u64) -> Vec<TaskId> {
    let fresh = plan.tasks().iter().filter_map(|task| {
        let key = task.key.filter(|_| task.is_fresh())?;
        let mut bytes = seed.to_le_bytes().to_vec();
        bytes.extend(key.as_bytes());
        Some((Digest::of(&bytes), task.id))
    });
    let mut fresh: Vec<(Digest, TaskId)> = fresh.collect();
    fresh.sort();
    let wanted = (fresh.len() as u64 * u64::from(percent)).div_ceil(100);
    fresh.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    let mut ids: Vec<TaskId> = fresh.into_iter().map(|(_, id)| id).collect();
    ids.sort();
    ids
}

/// Runs the fresh tasks `ids` again, one after the other; none for those that
/// are not fresh, nor for those after a cancellation. The plan must be of this
/// graph and store.
pub fn recheck(
    graph: &Graph,
    plan: &Plan,
    store: &Store,
    ids: &[TaskId],
    cancel: &CancelFlag,
    on_event: &(dyn Fn(Event) + Sync),
) -> Vec<Recheck> {
    let mut rechecks = Vec::new();
    for &id in ids {
        let planned = plan.task(id);
        let (Some(key), Some(result)) = (planned.key, &planned.result) else {
            continue;
        };
        if cancel.is_set() {
            break;
        }
        let verdict = match given(graph, plan, store, id) {
            Err(role) => Verdict::InputLost { role },
            Ok(given) => match run(graph, id, key, given, cancel, on_event) {
                Ok(outputs) => compared(result, &outputs),
                Err(TaskError::Cancelled) => break,
                Err(error) => Verdict::Failed(with_causes(&error)),
            },
        };
        rechecks.push(Recheck {
            task: id,
            key,
            verdict,
        });
    }
    rechecks
}

/// Gets the contents of all inputs; the role of the first that is lost.
fn given<'a>(
    graph: &'a Graph,
    plan: &Plan,
    store: &Store,
    id: TaskId,
) -> Result<BTreeMap<&'a str, Given>, String> {
    let bytes = |task: TaskId, output: &str| {
        let result = plan.task(task).result.as_ref()?;
        store.blob(result.outputs.get(output)?.digest)
    };
    let mut given = BTreeMap::new();
    for input in &graph.task(id).inputs {
        let contents = match &input.source {
            Source::Leaf(leaf) => Given::Leaf(leaf.clone()),
            Source::Output { task, output } => match bytes(*task, output) {
                Some(bytes) => Given::Bytes(Arc::new(bytes)),
                None => return Err(input.role.clone()),
            },
        };
        given.insert(input.role.as_str(), contents);
    }
    Ok(given)
}

fn run(
    graph: &Graph,
    id: TaskId,
    key: Digest,
    given: BTreeMap<&str, Given>,
    cancel: &CancelFlag,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Outputs, TaskError> {
    let task_ref = graph.task_ref(id);
    on_event(Event::Started {
        task: task_ref.clone(),
        key,
        reasons: Vec::new(),
    });
    let begin = Instant::now();
    let outputs = call(graph.task(id), task_ref, given, cancel, on_event)?;
    on_event(Event::Finished {
        task: task_ref.clone(),
        ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    Ok(outputs)
}

fn compared(stored: &StoredResult, again: &Outputs) -> Verdict {
    let again: BTreeMap<&str, OutputRef> = again
        .iter()
        .map(|(name, bytes)| (name.as_str(), OutputRef::of(bytes)))
        .collect();
    let names: BTreeSet<&str> = stored.outputs.keys().map(String::as_str).collect();
    let names = names.into_iter().chain(again.keys().copied());
    let names: BTreeSet<&str> = names.collect();
    let difference = |name: &str| {
        let difference = Difference {
            output: name.to_owned(),
            stored: stored.outputs.get(name).map(|output| output.digest),
            again: again.get(name).map(|output| output.digest),
        };
        (difference.stored != difference.again).then_some(difference)
    };
    let differences: Vec<Difference> = names.into_iter().filter_map(difference).collect();
    match differences.is_empty() {
        true => Verdict::Same,
        false => Verdict::Different(differences),
    }
}
