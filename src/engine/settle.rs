//! How a single task is settled: by a result that is found, or by running it.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::engine::Event;
use crate::engine::Outcome;
use crate::engine::Outputs;
use crate::engine::Planned;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::State;
use crate::engine::TaskId;
use crate::engine::call::Work;
use crate::engine::key::KeyInput;
use crate::engine::key::task_key;
use crate::engine::memory::Need;
use crate::engine::plan::lost_output;
use crate::engine::remote_executor::Sending;
use crate::engine::results::Failure;
use crate::engine::results::Results;
use crate::engine::task::Given;
use crate::store::Locked;
use crate::store::OutputRef;

impl<'a> Results<'a> {
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
        // What it takes here, once it is not to run elsewhere any more.
        let mut memory = None;
        let mut is_told = false;
        loop {
            let inputs = self.key_inputs(id)?;
            let key = task_key(self.graph.task(id), &inputs);
            if !is_forced && (self.take_found(id, key) || self.take_twin(planned, key)) {
                return Ok(Outcome::Spared);
            }
            let lock = self.lock(id, key)?;
            let has_waited = matches!(lock, Locked::AfterWaiting(_));
            if (!is_forced || has_waited) && self.take_found(id, key) {
                return Ok(Outcome::Spared);
            }
            if !is_forced && planned.key != Some(key) && self.take_remote(id, key) {
                return Ok(Outcome::Fetched);
            }
            let is_sent = memory.is_none() && self.may_be_sent(id);
            if !is_sent && memory.is_none() {
                need.check()?;
                if need.is_owed() {
                    // It was to run elsewhere when it was given no memory.
                    drop(lock);
                    memory = Some(need.take(&self.cancel)?);
                    continue;
                }
            }
            // What runs elsewhere takes no memory here.
            let given = match is_sent && self.has_stored_inputs(id) {
                true => BTreeMap::new(),
                false => match self.given(id, &inputs)? {
                    Some(given) => given,
                    None => continue,
                },
            };
            if !is_told {
                self.tell_started(id, key, reasons(planned));
                is_told = true;
            }
            if !is_sent {
                let ms = self.run(id, key, &inputs, Work::Call(given, None))?;
                return Ok(Outcome::Ran { ms });
            }
            drop(given);
            let (work, _memory) = match self.sent(id, key, need) {
                Sending::Gave(sent) => (Work::Sent(sent), None),
                Sending::Here(place, memory) => match self.given(id, &inputs)? {
                    Some(given) => (Work::Call(given, Some(place)), memory),
                    None => continue,
                },
                Sending::Failed => {
                    // Whoever waits for the lock may have the memory that is missing.
                    drop(lock);
                    memory = Some(need.take(&self.cancel)?);
                    continue;
                }
            };
            let ms = self.run(id, key, &inputs, work)?;
            return Ok(Outcome::Ran { ms });
        }
    }

    /// Waits until no other process does the same work.
    fn lock(&self, id: TaskId, key: Digest) -> Result<Locked, Failure> {
        let task = self.task_ref(id);
        let on_wait = |holder: &str| {
            let (task, holder) = (task.clone(), holder.to_owned());
            self.emit(Event::Waiting { task, holder });
        };
        let lock = self.store.lock(key, &on_wait, &|| self.cancel.is_set());
        match lock {
            Locked::Cancelled => Err(Failure::Cancelled),
            lock => Ok(lock),
        }
    }

    /// Returns whether all that a task reads of others is in the store, as far as that can
    /// be told without reading it.
    fn has_stored_inputs(&self, id: TaskId) -> bool {
        let mut inputs = self.graph.task(id).inputs.iter();
        inputs.all(|input| match &input.source {
            Source::Leaf(_) => true,
            Source::Output { task, output } => {
                let slot = self.slot(*task);
                let output = slot.outputs.get(output).filter(|_| slot.is_stored);
                output.is_some_and(|output| self.store.contains(output.digest, output.size))
            }
        })
    }

    /// Returns what a task is called with; none if a lost output was made again and came
    /// out differently.
    fn given(
        &self,
        id: TaskId,
        inputs: &[KeyInput<'_>],
    ) -> Result<Option<BTreeMap<&str, Given>>, Failure> {
        let (given, digests) = self.load(id)?;
        let is_same = |input: &KeyInput<'_>| digests[input.role] == input.digest;
        Ok(inputs.iter().all(is_same).then_some(given))
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
}

/// Returns why a task runs that the plan has so.
fn reasons(planned: &Planned) -> Vec<Stale> {
    match planned.state {
        State::Remote => vec![Stale::NotFetched],
        _ => planned.reasons().to_vec(),
    }
}
