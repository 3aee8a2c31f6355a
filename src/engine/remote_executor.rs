//! Tasks that run on other machines: the engine decides which, hands over what is
//! above them, and takes what comes back as it takes what a task gives here.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::engine::Event;
use crate::engine::Outputs;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::engine::results::Results;
use crate::engine::results::millis;

/// Machines that run tasks. Nothing here fails a run: what is not run there is run
/// here.
pub trait RemoteExecutor: Sync {
    /// Returns whether this task can be run there at the moment.
    fn takes(&self, task: TaskId) -> bool;

    /// Returns how many tasks may run there at once.
    fn jobs(&self) -> NonZeroUsize;

    /// Runs a task there; returns what it gave, or nothing if that did not work.
    fn run(&self, task: &RemoteTask<'_>) -> Option<Outputs>;
}

/// A task to be run elsewhere.
pub struct RemoteTask<'a> {
    /// The task.
    pub task: TaskId,
    /// Its key, under which what it gives is known.
    pub key: Digest,
    /// The keys of the results of all tasks above it; the store has them.
    pub above: BTreeSet<Digest>,
    /// The outputs that others read: without one of them it is no result.
    pub required: &'a BTreeSet<String>,
    /// Set when the user has had enough.
    pub cancel: &'a CancelFlag,
}

/// What a task gave elsewhere.
pub(super) struct Sent {
    pub(super) outputs: Outputs,
    pub(super) cost_ms: u64,
}

/// How often one who waits for a place looks whether to go on.
const PAUSE: Duration = Duration::from_millis(50);

/// Places of which only so many can be taken at once.
pub(super) struct Places {
    free: Mutex<usize>,
    changed: Condvar,
}

/// A place that is taken.
pub(super) struct Place<'a>(&'a Places);

impl Places {
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(count),
            changed: Condvar::new(),
        }
    }

    /// Waits for a place; none if the run is cancelled before.
    pub(super) fn take(&self, cancel: &CancelFlag) -> Option<Place<'_>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if cancel.is_set() {
                return None;
            }
            if *free > 0 {
                break;
            }
            let waited = self.changed.wait_timeout(free, PAUSE);
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        Some(Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free += 1;
        drop(free);
        self.0.changed.notify_one();
    }
}

impl Results<'_> {
    /// Returns whether a task takes long enough to be worth running elsewhere, and
    /// can be.
    pub(super) fn may_be_sent(&self, id: TaskId) -> bool {
        let is_long = self.graph.task(id).turn == Turn::Long;
        is_long && self.executor.is_some_and(|executor| executor.takes(id))
    }

    /// Runs a task elsewhere, if it may be sent and all above it is in the store;
    /// none if it is to run here.
    pub(super) fn sent(&self, id: TaskId, key: Digest) -> Option<Sent> {
        let executor = self.executor.filter(|_| self.may_be_sent(id))?;
        let above = self.keys_above(id)?;
        let _place = self.places_there.take(&self.cancel)?;
        if !executor.takes(id) {
            return None;
        }
        self.emit(Event::Sent {
            task: self.task_ref(id),
        });
        let task = RemoteTask {
            task: id,
            key,
            above,
            required: &self.required[id.index()],
            cancel: &self.cancel,
        };
        // Waiting is no cost of the task.
        let begin = Instant::now();
        let outputs = executor.run(&task);
        let outputs = outputs.filter(|outputs| self.has_required(id, outputs))?;
        let cost_ms = millis(begin);
        Some(Sent { outputs, cost_ms })
    }

    /// Returns the keys of all tasks above; none if the store lacks one.
    fn keys_above(&self, id: TaskId) -> Option<BTreeSet<Digest>> {
        let mut keys = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut left: Vec<TaskId> = self.graph.upstreams(id).into_iter().collect();
        while let Some(above) = left.pop() {
            if seen.insert(above) {
                keys.insert(self.stored_key(above)?);
                left.extend(self.graph.upstreams(above));
            }
        }
        Some(keys)
    }
}
