//! What the tasks of a run gave, and how a single task is settled.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Instant;

use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::engine::Event;
use crate::engine::Graph;
use crate::engine::Manifest;
use crate::engine::Outcome;
use crate::engine::Outputs;
use crate::engine::Plan;
use crate::engine::Planned;
use crate::engine::RemoteExecutor;
use crate::engine::Settings;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::State;
use crate::engine::Task;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::TaskRef;
use crate::engine::compare::MANIFEST;
use crate::engine::compare::items_name;
use crate::engine::key::KeyInput;
use crate::engine::key::task_key;
use crate::engine::memory::Need;
use crate::engine::plan::lost_output;
use crate::engine::plan::required_outputs;
use crate::engine::remote_executor::Places;
use crate::engine::remote_executor::Sent;
use crate::engine::slot::Slot;
use crate::engine::task::Given;
use crate::store::Locked;
use crate::store::NewResult;
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
    /// Tasks that may run on this machine, and on others, at once.
    places_here: Places,
    pub(super) places_there: Places,
    pub(super) cancel: CancelFlag,
    inputs_unchanged: &'a (dyn Fn(TaskId) -> bool + Sync),
    on_event: &'a (dyn Fn(Event) + Sync),
    /// For each task the outputs that others read.
    pub(super) required: Vec<BTreeSet<String>>,
    pub(super) slots: Vec<Mutex<Slot>>,
    /// Held while a settled task runs again because its output was lost.
    pub(super) reruns: Vec<Mutex<()>>,
}

/// How a task comes to its outputs.
pub(super) enum Work<'g> {
    /// It ran elsewhere.
    Sent(Sent),
    /// It is called with these inputs.
    Call(BTreeMap<&'g str, Given>),
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
            places_here: Places::new(settings.jobs.get()),
            places_there: Places::new(settings.executor.map_or(0, |there| there.jobs().get())),
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

    /// Settles a task whose inputs are settled; returns whether it has outputs.
    /// One that needs more memory than there can be fails unless its result is found,
    /// or made elsewhere.
    pub(super) fn settle(&self, planned: &Planned, is_forced: bool, need: &Need<'_>) -> bool {
        let id = planned.id;
        let outcome = match self.find_or_run(planned, is_forced, need) {
            Ok(outcome) => outcome,
            Err(Failure::Cancelled) => Outcome::Skipped { because: None },
            Err(Failure::Error(message)) => Outcome::Failed { message },
            Err(Failure::TooLarge { estimate }) => Outcome::TooLarge { estimate },
        };
        match &outcome {
            Outcome::Spared => self.emit(Event::Spared {
                task: self.task_ref(id),
            }),
            Outcome::Fetched => self.tell_fetched(id),
            Outcome::Ran { ms } => self.emit(Event::Finished {
                task: self.task_ref(id),
                ms: *ms,
            }),
            Outcome::Failed { .. } | Outcome::TooLarge { .. } => self.emit(Event::Failed {
                task: self.task_ref(id),
                message: outcome.message().unwrap_or_default(),
            }),
            Outcome::Skipped { .. } => self.emit(Event::Skipped {
                task: self.task_ref(id),
                because: None,
            }),
            Outcome::Reused => {}
        }
        let is_success = outcome.is_success();
        self.slot(id).outcome = Some(outcome);
        for upstream in self.graph.upstreams(id) {
            self.release(upstream);
        }
        self.forget_stored(id);
        self.warnings();
        is_success
    }

    fn find_or_run(
        &self,
        planned: &Planned,
        is_forced: bool,
        need: &Need<'_>,
    ) -> Result<Outcome, Failure> {
        let id = planned.id;
        let mut fell_back = None;
        let mut taken_late = None;
        loop {
            let inputs = self.key_inputs(id)?;
            let key = task_key(self.graph.task(id), &inputs);
            if !is_forced && (self.take_found(id, key) || self.take_twin(planned, key)) {
                return Ok(Outcome::Spared);
            }
            let task = self.task_ref(id);
            let on_wait = |holder: &str| {
                let (task, holder) = (task.clone(), holder.to_owned());
                self.emit(Event::Waiting { task, holder });
            };
            let lock = self.store.lock(key, &on_wait, &|| self.cancel.is_set());
            let has_waited = matches!(lock, Locked::AfterWaiting(_));
            if matches!(lock, Locked::Cancelled) {
                return Err(Failure::Cancelled);
            }
            if (!is_forced || has_waited) && self.take_found(id, key) {
                return Ok(Outcome::Spared);
            }
            if !is_forced && planned.key != Some(key) && self.take_remote(id, key) {
                return Ok(Outcome::Fetched);
            }
            let is_sent = fell_back.is_none() && taken_late.is_none() && self.may_be_sent(id);
            if !is_sent && fell_back.is_none() && taken_late.is_none() {
                need.check()?;
                if need.is_owed() {
                    // It was to run elsewhere when it was given no memory.
                    drop(lock);
                    taken_late = Some(need.take(&self.cancel)?);
                    continue;
                }
            }
            let (given, digests) = self.load(id)?;
            let is_same = |input: &KeyInput<'_>| digests[input.role] == input.digest;
            if !inputs.iter().all(is_same) {
                // A lost output was made again and came out differently.
                continue;
            }
            let reasons = match planned.state {
                State::Remote => vec![Stale::NotFetched],
                _ => planned.reasons().to_vec(),
            };
            if fell_back.is_none() {
                self.tell_started(id, key, reasons);
            }
            let work = match is_sent {
                true => {
                    drop(given);
                    let Some(sent) = self.sent(id, key) else {
                        // Whoever waits for the lock may have the memory that is missing.
                        drop(lock);
                        fell_back = Some(need.take(&self.cancel)?);
                        continue;
                    };
                    Work::Sent(sent)
                }
                false => Work::Call(given),
            };
            let ms = self.run(id, key, &inputs, work)?;
            return Ok(Outcome::Ran { ms });
        }
    }

    /// Uses the stored result of `key`, if there is one.
    pub(super) fn take_found(&self, id: TaskId, key: Digest) -> bool {
        let Some(result) = self.store.result(key) else {
            return false;
        };
        let is_there = |output: &OutputRef| self.store.contains(output.digest, output.size);
        let is_whole = lost_output(&result, &self.required[id.index()], is_there).is_none();
        if is_whole {
            self.slot(id).take_stored(key, &result);
        }
        is_whole
    }

    /// Returns whether there is every output that others read.
    pub(super) fn has_required(&self, id: TaskId, outputs: &Outputs) -> bool {
        let mut required = self.required[id.index()].iter();
        required.all(|name| outputs.contains_key(name))
    }

    /// Uses what the task that does the same work gave.
    fn take_twin(&self, planned: &Planned, key: Digest) -> bool {
        let Some(twin) = planned.twin else {
            return false;
        };
        let (outputs, bytes, cost_ms, is_stored) = {
            let twin = self.slot(twin);
            if twin.key != Some(key) {
                return false;
            }
            (
                twin.outputs.clone(),
                twin.bytes.clone(),
                twin.cost_ms,
                twin.is_stored,
            )
        };
        let mut slot = self.slot(planned.id);
        slot.key = Some(key);
        slot.outputs = outputs;
        slot.bytes = bytes;
        slot.cost_ms = cost_ms;
        slot.is_stored = is_stored;
        true
    }

    /// Tells that a task begins, here or elsewhere.
    pub(super) fn tell_started(&self, id: TaskId, key: Digest, reasons: Vec<Stale>) {
        self.emit(Event::Started {
            task: self.task_ref(id),
            key,
            reasons,
        });
    }

    /// Runs a task, if it did not run elsewhere, and stores its result; returns how
    /// long it took.
    pub(super) fn run(
        &self,
        id: TaskId,
        key: Digest,
        inputs: &[KeyInput<'_>],
        work: Work<'_>,
    ) -> Result<u64, Failure> {
        let task = self.graph.task(id);
        let (outputs, cost_ms) = match work {
            Work::Sent(sent) => (sent.outputs, sent.cost_ms),
            Work::Call(given) => {
                let place = self.places_here.take(&self.cancel);
                let _place = place.ok_or(Failure::Cancelled)?;
                // Waiting is no cost of the task.
                let begin = Instant::now();
                (self.call(id, task, given)?, millis(begin))
            }
        };
        let mut required = self.required[id.index()].iter();
        if let Some(name) = required.find(|name| !outputs.contains_key(*name)) {
            return Err(Failure::Error(format!("it gave no output `{name}`")));
        }
        let is_unchanged = (self.inputs_unchanged)(id);
        let manifest = described(task, inputs);
        let is_stored = if is_unchanged {
            self.record(
                id,
                &NewResult {
                    key,
                    kind: task.kind,
                    outputs: &outputs,
                    manifest: &manifest,
                    cost_ms,
                },
            )
        } else {
            let task = self.task_ref(id);
            self.emit(Event::NotStored { task });
            false
        };
        self.slot(id).take_outputs(key, outputs, cost_ms, is_stored);
        if is_unchanged {
            self.offer(id, key, manifest);
        }
        Ok(cost_ms)
    }

    /// Records a result; returns whether it can be found again.
    pub(super) fn record(&self, id: TaskId, result: &NewResult<'_>) -> bool {
        let begin = Instant::now();
        let is_stored = self.store.record(result);
        if is_stored {
            self.emit(Event::Stored {
                task: self.task_ref(id),
                size: result
                    .outputs
                    .values()
                    .map(|bytes| bytes.len() as u64)
                    .sum(),
                took_us: micros(begin),
            });
        }
        is_stored
    }

    /// Calls the task's function.
    fn call(
        &self,
        id: TaskId,
        task: &Task,
        given: BTreeMap<&str, Given>,
    ) -> Result<Outputs, Failure> {
        let outputs = call(
            task,
            self.graph.task_ref(id),
            given,
            &self.cancel,
            self.on_event,
        );
        outputs.map_err(|error| match error {
            TaskError::Cancelled => Failure::Cancelled,
            error => Failure::Error(with_causes(&error)),
        })
    }

    /// Notes that one reader of `id` less may come.
    pub(super) fn release(&self, id: TaskId) {
        let mut slot = self.slot(id);
        slot.reader_count = slot.reader_count.saturating_sub(1);
        drop(slot);
        self.forget_stored(id);
    }

    /// Drops bytes that nobody waits for and the store has.
    fn forget_stored(&self, id: TaskId) {
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

/// Calls a task's function; a panic in it is an error of the task.
pub(super) fn call(
    task: &Task,
    task_ref: &TaskRef,
    given: BTreeMap<&str, Given>,
    cancel: &CancelFlag,
    on_event: &(dyn Fn(Event) + Sync),
) -> Result<Outputs, TaskError> {
    let progress = |done, total, text: &str| {
        on_event(Event::Progress {
            task: task_ref.clone(),
            done,
            total,
            text: text.to_owned(),
        });
    };
    let context = TaskContext {
        inputs: given,
        cancel,
        progress: &progress,
    };
    let called = catch_unwind(AssertUnwindSafe(|| (task.run)(&context)));
    called.unwrap_or_else(|panic| {
        let message = panic_message(&*panic);
        Err(TaskError::Panicked { message })
    })
}

/// Returns what is stored beside a result to explain the next run: the manifest
/// of the key, and the pieces of each leaf that has some.
fn described(task: &Task, inputs: &[KeyInput<'_>]) -> BTreeMap<String, Vec<u8>> {
    let manifest = serde_json::to_vec(&Manifest::of(task, inputs)).expect("a manifest is JSON");
    let mut described = BTreeMap::from([(MANIFEST.to_owned(), manifest)]);
    for input in &task.inputs {
        if let Source::Leaf(leaf) = &input.source
            && let Some(items) = leaf.items()
        {
            let items = serde_json::to_vec(items).expect("items are JSON");
            described.insert(items_name(&input.role), items);
        }
    }
    described
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        return (*text).to_owned();
    }
    let text = panic.downcast_ref::<String>();
    text.cloned()
        .unwrap_or_else(|| "without a message".to_owned())
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
