//! What tasks read: outputs at hand, in the store, or made again because the store has
//! lost them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Instant;

use crate::digest::Digest;
use crate::engine::Event;
use crate::engine::Outcome;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::TaskId;
use crate::engine::call::Work;
use crate::engine::key::KeyInput;
use crate::engine::key::task_key;
use crate::engine::memory::Need;
use crate::engine::remote_executor::Sending;
use crate::engine::results::Failure;
use crate::engine::results::Results;
use crate::engine::results::micros;
use crate::engine::task::Given;

/// An output that could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// The task has no outputs, because it failed or did not run.
    #[error("`{task}` has no outputs: it failed or did not run")]
    NotSettled {
        /// The task's name.
        task: String,
    },
    /// The task has no output of this name.
    #[error("`{task}` has no output `{output}`")]
    Unknown {
        /// The task's name.
        task: String,
        /// The output.
        output: String,
    },
    /// The cache lost the output, and the task failed when it ran again.
    #[error("an output of `{task}` was lost and making it again failed: {message}")]
    Rerun {
        /// The task's name.
        task: String,
        /// The error and its causes.
        message: String,
    },
}

/// An output's digest and bytes.
type Found = (Digest, Arc<Vec<u8>>);

/// The contents of a task's inputs, and their digests, by role.
pub(super) type Loaded<'a> = (BTreeMap<&'a str, Given>, BTreeMap<&'a str, Digest>);

impl<'a> Results<'a> {
    /// Returns the output `name` of the task `id`, read from the store if need
    /// be. If the store has lost it, the task runs again.
    ///
    /// # Errors
    ///
    /// If the task has no outputs or not this one, or if it failed when it had
    /// to run again.
    pub fn output(&self, id: TaskId, name: &str) -> Result<Arc<Vec<u8>>, OutputError> {
        let task = self.graph.task(id).name.clone();
        let is_success = self
            .slot(id)
            .outcome
            .as_ref()
            .is_some_and(Outcome::is_success);
        if !is_success {
            return Err(OutputError::NotSettled { task });
        }
        if !self.slot(id).outputs.contains_key(name) {
            let output = name.to_owned();
            return Err(OutputError::Unknown { task, output });
        }
        let loaded = self.bytes(id, name);
        self.warnings();
        loaded
            .map(|(_, bytes)| bytes)
            .map_err(|failure| OutputError::Rerun {
                task,
                message: failure.to_string(),
            })
    }

    /// Returns the inputs of `id` as its key sees them.
    pub(super) fn key_inputs(&self, id: TaskId) -> Result<Vec<KeyInput<'a>>, Failure> {
        let graph = self.graph;
        let mut inputs = Vec::new();
        for input in &graph.task(id).inputs {
            let (digest, from) = match &input.source {
                Source::Leaf(leaf) => (leaf.digest(), None),
                Source::Output { task, output } => {
                    let from = graph.task(*task).name.as_str();
                    (self.known_digest(*task, output)?, Some(from))
                }
            };
            inputs.push(KeyInput {
                role: &input.role,
                digest,
                from,
            });
        }
        Ok(inputs)
    }

    fn known_digest(&self, id: TaskId, output: &str) -> Result<Digest, Failure> {
        let slot = self.slot(id);
        let found = slot.outputs.get(output).map(|output| output.digest);
        found.ok_or_else(|| {
            let name = &self.graph.task(id).name;
            Failure::Error(format!("`{name}` has no output `{output}`"))
        })
    }

    /// Returns how many bytes `id` reads of other tasks, as far as they are settled.
    pub(crate) fn input_size(&self, id: TaskId) -> u64 {
        let inputs = self.graph.task(id).inputs.iter();
        let sizes = inputs.map(|input| match &input.source {
            Source::Output { task, output } => {
                let slot = self.slot(*task);
                slot.outputs.get(output).map_or(0, |output| output.size)
            }
            Source::Leaf(_) => 0,
        });
        sizes.sum()
    }

    /// Gets the contents of all inputs of `id`.
    pub(super) fn load(&self, id: TaskId) -> Result<Loaded<'a>, Failure> {
        let mut given = BTreeMap::new();
        let mut digests = BTreeMap::new();
        for input in &self.graph.task(id).inputs {
            let role = input.role.as_str();
            let (digest, contents) = match &input.source {
                Source::Leaf(leaf) => (leaf.digest(), Given::Leaf(leaf.clone())),
                Source::Output { task, output } => {
                    let (digest, bytes) = self.bytes(*task, output)?;
                    (digest, Given::Bytes(bytes))
                }
            };
            given.insert(role, contents);
            digests.insert(role, digest);
        }
        Ok((given, digests))
    }

    /// Returns an output's digest and bytes: those at hand, the store's, or
    /// those of another run of the task.
    pub(super) fn bytes(&self, id: TaskId, name: &str) -> Result<Found, Failure> {
        if let Some(found) = self.bytes_found(id, name)? {
            return Ok(found);
        }
        let rerun = &self.reruns[id.index()];
        let _running = rerun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.bytes_found(id, name)? {
            return Ok(found);
        }
        self.run_again(id, name)?;
        match self.bytes_found(id, name)? {
            Some(found) => Ok(found),
            None => Err(Failure::Error(format!("output `{name}` was lost twice"))),
        }
    }

    fn bytes_found(&self, id: TaskId, name: &str) -> Result<Option<Found>, Failure> {
        let digest = self.known_digest(id, name)?;
        if let Some(bytes) = self.slot(id).bytes.get(name) {
            return Ok(Some((digest, bytes.clone())));
        }
        let begin = Instant::now();
        let Some(bytes) = self.store.blob(digest).map(Arc::new) else {
            return Ok(None);
        };
        self.emit(Event::Loaded {
            task: self.task_ref(id),
            output: name.to_owned(),
            size: bytes.len() as u64,
            took_us: micros(begin),
        });
        let mut slot = self.slot(id);
        if slot.reader_count > 1 {
            slot.bytes.insert(name.to_owned(), bytes.clone());
        }
        Ok(Some((digest, bytes)))
    }

    /// Runs a settled task once more, because its output `name` was lost.
    fn run_again(&self, id: TaskId, name: &str) -> Result<(), Failure> {
        let output = name.to_owned();
        self.emit(Event::OutputLost {
            task: self.task_ref(id),
            output: output.clone(),
        });
        let (given, _) = self.load(id)?;
        // Loading may have run other tasks again: only now are the digests final.
        let inputs = self.key_inputs(id)?;
        let key = task_key(self.graph.task(id), &inputs);
        self.tell_started(id, key, vec![Stale::OutputLost { output }]);
        let work = match self.sent(id, key, &Need::default()) {
            Sending::Gave(sent) => Work::Sent(sent),
            Sending::Here(place, _) => Work::Call(given, Some(place)),
            Sending::Failed => Work::Call(given, None),
        };
        let ms = self.run(id, key, &inputs, work)?;
        let task = self.task_ref(id);
        self.emit(Event::Finished { task, ms });
        let mut slot = self.slot(id);
        slot.outcome = Some(Outcome::Ran { ms });
        Ok(())
    }
}
