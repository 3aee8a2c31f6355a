//! How much memory tasks are estimated to take, so that no more of them run at
//! once than fit.
//!
//! This room knows sizes of inputs and outputs in bytes; what a task makes of them
//! is the caller's estimate, and it is never more than that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use crate::engine::CancelFlag;
use crate::engine::Graph;
use crate::engine::Plan;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::State;
use crate::engine::Task;
use crate::engine::TaskId;
use crate::engine::results::Failure;
use crate::store::OutputRef;
use crate::store::Store;

/// How long a worker waits before it asks again for memory that others have.
pub(super) const MEMORY_PAUSE: Duration = Duration::from_millis(50);

/// How much memory the tasks of a run may take.
#[derive(Clone, Copy)]
pub struct Memory<'a> {
    /// What all tasks that run at once take from, those of other runs beside this
    /// one included.
    pub budget: &'a Budget,
    /// What a single task may need, in bytes: one that is estimated above it fails
    /// when it would have to run.
    pub largest: u64,
    /// Returns the estimate for a task, in bytes.
    pub estimate: &'a (dyn Fn(&Task, Sizes) -> u64 + Sync),
}

/// Memory that the tasks of one run, or of several at once, take from. Nothing is
/// allocated here: it is counted.
#[derive(Debug)]
pub struct Budget {
    /// In bytes.
    limit: u64,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// What running tasks need, and how many there are.
    by_tasks: u64,
    task_count: usize,
    /// What is held beside them.
    beside: u64,
}

impl Budget {
    /// Returns a budget of so many bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit,
            used: Mutex::default(),
        }
    }

    /// Counts bytes that are held whether they fit or not, such as a project in
    /// memory, until the guard is dropped.
    pub fn hold(self: Arc<Self>, bytes: u64) -> Held {
        self.used().beside += bytes;
        Held {
            budget: self,
            bytes,
        }
    }

    /// Takes what a task needs, if it fits. What never fits may be had while no
    /// other task runs.
    pub(crate) fn take(&self, bytes: u64) -> Option<Taken<'_>> {
        let mut used = self.used();
        let in_use = used.by_tasks.saturating_add(used.beside);
        if used.task_count > 0 && bytes > self.limit.saturating_sub(in_use) {
            return None;
        }
        used.by_tasks += bytes;
        used.task_count += 1;
        Some(Taken {
            budget: self,
            bytes,
        })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes that are held beside tasks.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.used().beside -= self.bytes;
    }
}

/// Bytes that a task has.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut used = self.budget.used();
        used.by_tasks -= self.bytes;
        used.task_count -= 1;
    }
}

/// What a task needs when it runs here, beside what it has taken.
#[derive(Default)]
pub(super) struct Need<'a> {
    /// The estimate, in bytes.
    bytes: u64,
    /// Whether that is more than any task may need.
    is_too_much: bool,
    /// What it has still to take from, if it was to run elsewhere.
    owed_to: Option<&'a Budget>,
}

impl<'a> Need<'a> {
    /// Returns the need of a task that is estimated so.
    pub(super) fn of(memory: &Memory<'a>, bytes: u64, is_owed: bool) -> Self {
        Self {
            bytes,
            is_too_much: bytes > memory.largest,
            owed_to: is_owed.then_some(memory.budget),
        }
    }

    /// Fails if it can never be had.
    pub(super) fn check(&self) -> Result<(), Failure> {
        match self.is_too_much {
            true => Err(Failure::TooLarge {
                estimate: self.bytes,
            }),
            false => Ok(()),
        }
    }

    /// Returns whether it has something still to take.
    pub(super) fn is_owed(&self) -> bool {
        self.owed_to.is_some()
    }

    /// Returns what is owed, if it can be had at once; none if it cannot, or never.
    pub(super) fn try_take(&self) -> Option<Option<Taken<'a>>> {
        match self.owed_to {
            _ if self.is_too_much => None,
            Some(budget) => budget.take(self.bytes).map(Some),
            None => Some(None),
        }
    }

    /// Waits until what is owed can be had. Whoever waits must hold nothing that
    /// others wait for who have memory.
    pub(super) fn take(&self, cancel: &CancelFlag) -> Result<Option<Taken<'a>>, Failure> {
        self.check()?;
        let Some(budget) = self.owed_to else {
            return Ok(None);
        };
        while !cancel.is_set() {
            if let Some(taken) = budget.take(self.bytes) {
                return Ok(Some(taken));
            }
            thread::sleep(MEMORY_PAUSE);
        }
        Err(Failure::Cancelled)
    }
}

/// What is known of a task's sizes before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The outputs of other tasks that it reads, in bytes; those that are not
    /// known yet count for nothing.
    pub inputs: u64,
    /// Whether some of those are not known.
    pub is_partial: bool,
    /// Its outputs when it ran last; none if that is not known.
    pub outputs: Option<u64>,
}

/// Returns an estimate for each task that will run, from what the store has of it
/// and of what it reads; not for those that run only if what they read comes out
/// differently. Reads the store, writes nothing.
pub fn memory_estimates(
    graph: &Graph,
    plan: &Plan,
    store: &Store,
    estimate: &dyn Fn(&Task, Sizes) -> u64,
) -> Vec<(TaskId, u64)> {
    let outputs = last_outputs(graph, plan, store);
    let stale = plan.stale().filter(|planned| will_run(&planned.state));
    let stale = stale.map(|planned| {
        let task = graph.task(planned.id);
        let mut sizes = Sizes {
            outputs: outputs[planned.id.index()].as_ref().map(sum),
            ..Sizes::default()
        };
        for input in &task.inputs {
            if let Source::Output { task, output } = &input.source {
                let known = outputs[task.index()].as_ref();
                match known.and_then(|known| known.get(output)) {
                    Some(output) => sizes.inputs += output.size,
                    None => sizes.is_partial = true,
                }
            }
        }
        (planned.id, estimate(task, sizes))
    });
    stale.collect()
}

/// Returns whether a task has a reason of its own to run, beside those that it
/// reads from.
fn will_run(state: &State) -> bool {
    match state {
        State::Fresh | State::Remote => false,
        State::Stale(_) => true,
        State::MayBeSpared(reasons) => {
            let is_own = |reason: &Stale| !matches!(reason, Stale::Upstream { .. });
            reasons.iter().any(is_own)
        }
    }
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
