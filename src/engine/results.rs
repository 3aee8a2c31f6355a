//! What the tasks of a run gave.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::engine::Event;
use crate::engine::Graph;
use crate::engine::Outcome;
use crate::engine::Places;
use crate::engine::Plan;
use crate::engine::Planned;
use crate::engine::RemoteExecutor;
use crate::engine::Settings;
use crate::engine::TaskId;
use crate::engine::TaskRef;
use crate::engine::plan::required_outputs;
use crate::engine::slot::Slot;
use crate::store::OutputRef;
use crate::store::RemoteStore;
use crate::store::Store;

/// What the tasks of a run gave. Outputs of tasks that did not run stay in the
/// store until somebody asks for them.
pub struct Results<'a> {
    pub(super) graph: &'a Graph,
    pub(super) store: &'a Store,
    pub(super) remote: Option<&'a dyn RemoteStore>,
    pub(super) executor: Option<&'a dyn RemoteExecutor>,
    pub(super) places: Arc<Places>,
    pub(super) cancel: CancelFlag,
    pub(super) inputs_unchanged: &'a (dyn Fn(TaskId) -> bool + Sync),
    pub(super) on_event: &'a (dyn Fn(Event) + Sync),
    /// For each task the outputs that others read.
    pub(super) required: Vec<BTreeSet<String>>,
    pub(super) slots: Vec<Mutex<Slot>>,
    /// Held while a settled task runs again because its output was lost.
    pub(super) reruns: Vec<Mutex<()>>,
}

/// Why a task could not be settled.
pub(super) enum Failure {
    Cancelled,
    Error(String),
    TooLarge { estimate: u64 },
}

impl<'a> Results<'a> {
    pub(crate) fn new(
        graph: &'a Graph,
        plan: &Plan,
        store: &'a Store,
        settings: &Settings<'a>,
        on_event: &'a (dyn Fn(Event) + Sync),
    ) -> Self {
        let results = Self {
            graph,
            store,
            remote: settings.remote,
            executor: settings.executor,
            places: settings.places(),
            cancel: settings.cancel.clone(),
            inputs_unchanged: settings.inputs_unchanged,
            on_event,
            required: required_outputs(graph),
            slots: graph.ids().map(|_| Mutex::default()).collect(),
            reruns: graph.ids().map(|_| Mutex::default()).collect(),
        };
        results.warnings();
        for planned in plan.tasks() {
            results.begin(plan, planned);
        }
        results
    }

    /// Fills the slot of a fresh task and counts the readers of others.
    fn begin(&self, plan: &Plan, planned: &Planned) {
        let id = planned.id;
        let dependants = self.graph.dependants(id).iter();
        let mut slot = self.slot(id);
        slot.reader_count = dependants.filter(|&&d| !plan.task(d).is_fresh()).count();
        if let (Some(key), Some(result), true) = (planned.key, &planned.result, planned.is_fresh())
        {
            slot.outcome = Some(Outcome::Reused);
            slot.take_stored(key, result);
            drop(slot);
            self.emit(Event::Reused {
                task: self.task_ref(id),
            });
        }
    }

    /// Returns what became of the task `id`.
    ///
    /// # Panics
    ///
    /// If `id` is of another graph.
    pub fn outcome(&self, id: TaskId) -> Outcome {
        let outcome = self.slot(id).outcome.clone();
        outcome.expect("every task has an outcome when the run is over")
    }

    /// Returns whether every task has outputs.
    pub fn is_success(&self) -> bool {
        let mut ids = self.graph.ids();
        ids.all(|id| self.outcome(id).is_success())
    }

    /// Returns the tasks that failed, with the error and its causes.
    pub fn failures(&self) -> Vec<(TaskId, String)> {
        let failure = |id| Some((id, self.outcome(id).message()?));
        self.graph.ids().filter_map(failure).collect()
    }

    /// Returns the digests of the outputs of `id` by name; empty if it has none.
    pub fn digests(&self, id: TaskId) -> BTreeMap<String, OutputRef> {
        self.slot(id).outputs.clone()
    }

    /// Notes that one reader of `id` less may come.
    pub(super) fn release(&self, id: TaskId) {
        let mut slot = self.slot(id);
        slot.reader_count = slot.reader_count.saturating_sub(1);
        drop(slot);
        self.forget_stored(id);
    }

    /// Drops bytes that nobody waits for and the store has.
    pub(super) fn forget_stored(&self, id: TaskId) {
        let mut slot = self.slot(id);
        if slot.reader_count == 0 && slot.is_stored {
            slot.bytes.clear();
        }
    }

    /// Returns the keys of all results that the run used or made.
    pub fn keys(&self) -> BTreeSet<Digest> {
        let keys = self.graph.ids().filter_map(|id| self.slot(id).key);
        keys.collect()
    }

    /// Returns the key under which the result of `id` is stored; none if it has no
    /// result.
    pub fn key(&self, id: TaskId) -> Option<Digest> {
        self.slot(id).key
    }

    /// Returns the key of a result that the store has.
    pub(super) fn stored_key(&self, id: TaskId) -> Option<Digest> {
        let slot = self.slot(id);
        slot.key.filter(|_| slot.is_stored)
    }

    pub(super) fn slot(&self, id: TaskId) -> MutexGuard<'_, Slot> {
        let slot = &self.slots[id.index()];
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn task_ref(&self, id: TaskId) -> TaskRef {
        self.graph.task_ref(id).clone()
    }

    pub(super) fn emit(&self, event: Event) {
        (self.on_event)(event);
    }

    pub(super) fn warnings(&self) {
        let of_remote = self.remote.map(|remote| remote.take_warnings());
        let warnings = self.store.take_warnings().into_iter();
        for warning in warnings.chain(of_remote.unwrap_or_default()) {
            self.emit(Event::StoreWarning { warning });
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Error(message) => f.write_str(message),
            Self::TooLarge { estimate } => {
                let outcome = Outcome::TooLarge {
                    estimate: *estimate,
                };
                f.write_str(&outcome.message().unwrap_or_default())
            }
        }
    }
}

/// Returns how long ago `begin` was, in milliseconds.
pub(super) fn millis(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Returns how long ago `begin` was, in microseconds.
pub(super) fn micros(begin: Instant) -> u64 {
    u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Returns an error and its causes as one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
