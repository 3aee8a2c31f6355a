//! Runs a task: calls its function, unless it ran elsewhere, and stores what it gave.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::time::Instant;

use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::engine::Event;
use crate::engine::Manifest;
use crate::engine::Outputs;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::Task;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::TaskRef;
use crate::engine::compare::MANIFEST;
use crate::engine::compare::items_name;
use crate::engine::key::KeyInput;
use crate::engine::places::Place;
use crate::engine::remote_executor::Sent;
use crate::engine::results::Failure;
use crate::engine::results::Results;
use crate::engine::results::micros;
use crate::engine::results::millis;
use crate::engine::results::with_causes;
use crate::engine::task::Given;
use crate::store::NewResult;

/// How a task comes to its outputs.
pub(super) enum Work<'g> {
    /// It ran elsewhere.
    Sent(Sent),
    /// It is called with these inputs, in this place if it has one.
    Call(BTreeMap<&'g str, Given>, Option<Place<'g>>),
}

impl Results<'_> {
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
            Work::Call(given, place) => {
                let place = place.or_else(|| self.places.here(&self.cancel));
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
