//! Tasks that run on other machines: the engine decides which, hands over what is
//! above them, and takes what comes back as it takes what a task gives here.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Instant;

use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::engine::Event;
use crate::engine::Outputs;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::engine::memory::Need;
use crate::engine::memory::Taken;
use crate::engine::places::Anywhere;
use crate::engine::places::Place;
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

/// What comes of a task that may be sent.
pub(super) enum Sending<'a> {
    /// It ran elsewhere.
    Gave(Sent),
    /// It is to run here, in this place, with the memory that it has taken: all places
    /// elsewhere were taken.
    Here(Place<'a>, Option<Taken<'a>>),
    /// It is to run here when its turn comes: it could not be sent, or gave nothing.
    Failed,
}

impl Results<'_> {
    /// Returns whether a task takes long enough to be worth running elsewhere, and
    /// can be.
    pub(super) fn may_be_sent(&self, id: TaskId) -> bool {
        let is_long = self.graph.task(id).turn == Turn::Long;
        is_long && self.executor.is_some_and(|executor| executor.takes(id))
    }

    /// Runs a task elsewhere, if it may be sent and all above it is in the store, unless
    /// there is a place for it here first.
    pub(super) fn sent<'s>(&'s self, id: TaskId, key: Digest, need: &Need<'s>) -> Sending<'s> {
        let executor = self.executor.filter(|_| self.may_be_sent(id));
        let above = executor.and_then(|_| self.keys_above(id));
        let (Some(executor), Some(above)) = (executor, above) else {
            return Sending::Failed;
        };
        let mut fits = || need.try_take();
        let _place = match self.places.anywhere(&self.cancel, &mut fits) {
            Some(Anywhere::There(place)) => place,
            Some(Anywhere::Here(place, memory)) => return Sending::Here(place, memory),
            None => return Sending::Failed,
        };
        if !executor.takes(id) {
            return Sending::Failed;
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
        match outputs.filter(|outputs| self.has_required(id, outputs)) {
            Some(outputs) => Sending::Gave(Sent {
                outputs,
                cost_ms: millis(begin),
            }),
            None => Sending::Failed,
        }
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
