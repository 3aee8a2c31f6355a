//! How much memory tasks are estimated to take, so that no more of them run at
//! once than fit.
//!
//! This room knows sizes of inputs and outputs in bytes; what a task makes of them
//! is the caller's estimate, and it is never more than that.

use std::collections::BTreeMap;

use crate::engine::Graph;
use crate::engine::Plan;
use crate::engine::Source;
use crate::engine::Task;
use crate::engine::TaskId;
use crate::store::OutputRef;
use crate::store::Store;

/// How much memory the tasks of a run may take.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    /// For all tasks that run at once, in bytes. A task that alone is estimated
    /// above it runs alone.
    pub limit: u64,
    /// Returns the estimate for a task, in bytes.
    pub estimate: &'a (dyn Fn(&Task, Sizes) -> u64 + Sync),
}

/// What is known of a task's sizes before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The outputs of other tasks that it reads, in bytes; those that are not
    /// known yet count for nothing.
    pub inputs: u64,
    /// Its outputs when it ran last; none if that is not known.
    pub outputs: Option<u64>,
}

/// Returns an estimate for each task that will or may run, from what the store
/// has of it and of what it reads. Reads the store, writes nothing.
pub fn memory_estimates(
    graph: &Graph,
    plan: &Plan,
    store: &Store,
    estimate: &dyn Fn(&Task, Sizes) -> u64,
) -> Vec<(TaskId, u64)> {
    let outputs = last_outputs(graph, plan, store);
    let stale = plan.stale().map(|planned| {
        let task = graph.task(planned.id);
        let inputs = task.inputs.iter().map(|input| match &input.source {
            Source::Output { task, output } => {
                let known = outputs[task.index()].as_ref();
                known
                    .and_then(|known| known.get(output))
                    .map_or(0, |output| output.size)
            }
            Source::Leaf(_) => 0,
        });
        let sizes = Sizes {
            inputs: inputs.sum(),
            outputs: outputs[planned.id.index()].as_ref().map(sum),
        };
        (planned.id, estimate(task, sizes))
    });
    stale.collect()
}

/// Returns for each task the outputs that it has, or had when it ran last.
pub(crate) fn last_outputs(
    graph: &Graph,
    plan: &Plan,
    store: &Store,
) -> Vec<Option<BTreeMap<String, OutputRef>>> {
    let tasks = plan.tasks().iter().map(|planned| {
        if let Some(result) = &planned.result {
            return Some(result.outputs.clone());
        }
        let task = graph.task(planned.id);
        let last = plan.last_runs.get(&task.project)?.get(&task.name)?;
        Some(store.result(last.key)?.outputs)
    });
    tasks.collect()
}

/// Returns the bytes of all outputs.
pub(crate) fn sum(outputs: &BTreeMap<String, OutputRef>) -> u64 {
    outputs.values().map(|output| output.size).sum()
}
