//! What a task is: a pure function, what it reads, and how it may fail.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;

use serde::Serialize;

use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::engine::Items;
use crate::engine::TaskId;

/// The named outputs of a task. The names are the task's own choice, but the
/// same task gives the same names each time.
pub type Outputs = BTreeMap<String, Vec<u8>>;

/// The function of a task. It reads nothing but its [`TaskContext`] and what it
/// captured, and all that it captured must be in the task's options or inputs.
pub type Run = Box<dyn Fn(&TaskContext<'_>) -> Result<Outputs, TaskError> + Send + Sync>;

/// When a task starts, among those that could start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Before all others: it can find that the input is wrong.
    Check,
    /// In the order of the graph.
    #[default]
    Usual,
    /// After every check: it takes long, and would be for nothing.
    Long,
}

/// One step of the work.
pub struct Task {
    /// Whose task it is: reasons are found by comparing with the last run of
    /// the same name in the same project. Not in the key.
    pub project: Arc<str>,
    /// The name in the user's words, unique in its project. Not in the key.
    pub name: String,
    /// The stage it is shown under. Not in the key.
    pub stage: String,
    /// Which function it is.
    pub kind: &'static str,
    /// The version of that function's algorithm: raised when its output for the
    /// same input changes.
    pub version: u32,
    /// Its options after defaults. Each entry of an object is one option;
    /// anything else counts as a single option named `options`, null as none.
    pub options: serde_json::Value,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// When it starts. Not in the key.
    pub turn: Turn,
    /// Where the user wrote it, for reasons. Not in the key.
    pub places: TaskPlaces,
    /// What it does.
    pub run: Run,
}

/// Where the user wrote what a task is, as `file:line`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskPlaces {
    /// The task as a whole; empty when unknown.
    pub task: String,
    /// The options that were written.
    pub options: BTreeMap<String, String>,
}

impl TaskPlaces {
    /// Returns where the option `name` is written; one that is not has the place
    /// of its task. Of a name with dots, such as `featurizer.max_history`, the
    /// user may have written the last piece alone.
    pub fn of_option(&self, name: &str) -> &str {
        let written = |name: &str| self.options.get(name);
        let last = name.rsplit('.').next();
        let first = name.split('.').next();
        written(name)
            .or_else(|| written(last?))
            .or_else(|| written(first?))
            .unwrap_or(&self.task)
    }
}

/// One thing a task reads.
#[derive(Clone, Debug)]
pub struct Input {
    /// As what the task reads it; unique among its inputs.
    pub role: String,
    /// Where it comes from.
    pub source: Source,
}

impl Input {
    /// Returns an input that is a value at hand.
    pub fn leaf(role: impl Into<String>, leaf: Leaf) -> Self {
        Self {
            role: role.into(),
            source: Source::Leaf(leaf),
        }
    }

    /// Returns an input that is the output `output` of `task`.
    pub fn output(role: impl Into<String>, task: TaskId, output: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            source: Source::Output {
                task,
                output: output.into(),
            },
        }
    }
}

/// Where an input comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A value that was at hand before anything ran.
    Leaf(Leaf),
    /// What another task made.
    Output {
        /// The task.
        task: TaskId,
        /// The name of its output.
        output: String,
    },
}

/// A value that is at hand before anything runs. Cloning it is cheap.
#[derive(Clone)]
pub struct Leaf {
    digest: Digest,
    value: Arc<dyn Any + Send + Sync>,
    items: Option<Arc<LazyItems>>,
}

/// Pieces that are made when somebody asks: a run with nothing to do never does.
struct LazyItems {
    made: OnceLock<Items>,
    make: Box<dyn Fn() -> Items + Send + Sync>,
}

impl Leaf {
    /// Returns a leaf that is known by the canonical encoding of `value`.
    ///
    /// # Panics
    ///
    /// As [`Digest::of_value`].
    pub fn of_value<T: Serialize + Send + Sync + 'static>(value: Arc<T>) -> Self {
        Self::with_digest(Digest::of_value(&*value), value)
    }

    /// Returns a leaf of plain bytes, to be read by [`TaskContext::bytes`].
    pub fn of_bytes(bytes: Arc<Vec<u8>>) -> Self {
        Self::with_digest(Digest::of(&bytes), bytes)
    }

    /// Returns a leaf whose digest the caller vouches for: equal digests must
    /// mean equal values.
    pub fn with_digest<T: Send + Sync + 'static>(digest: Digest, value: Arc<T>) -> Self {
        Self {
            digest,
            value,
            items: None,
        }
    }

    /// Adds how to tell the pieces that the value consists of, so that a reason
    /// can name the ones that changed. They are not in the key, and made once,
    /// when they are needed. Values of other digests must differ in their pieces
    /// or in their order.
    pub fn with_items(mut self, make: impl Fn() -> Items + Send + Sync + 'static) -> Self {
        self.items = Some(Arc::new(LazyItems {
            made: OnceLock::new(),
            make: Box::new(make),
        }));
        self
    }

    /// Returns the digest of the value.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the pieces, if they were given.
    pub fn items(&self) -> Option<&Items> {
        let lazy = self.items.as_deref()?;
        Some(lazy.made.get_or_init(&lazy.make))
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaf({})", self.digest)
    }
}

/// One input as the running task finds it.
pub(crate) enum Given {
    /// A value at hand.
    Leaf(Leaf),
    /// The bytes another task made.
    Bytes(Arc<Vec<u8>>),
}

/// What a running task is given.
pub struct TaskContext<'a> {
    pub(crate) inputs: BTreeMap<&'a str, Given>,
    pub(crate) cancel: &'a CancelFlag,
    pub(crate) progress: &'a (dyn Fn(u64, u64, &str) + Sync),
}

impl TaskContext<'_> {
    /// Returns the bytes of the input `role`: another task's output, or a leaf
    /// made by [`Leaf::of_bytes`].
    ///
    /// # Errors
    ///
    /// If there is no such input, or it is a leaf of another type.
    pub fn bytes(&self, role: &str) -> Result<&[u8], TaskError> {
        match self.inputs.get(role) {
            Some(Given::Bytes(bytes)) => Ok(bytes),
            Some(Given::Leaf(leaf)) => match leaf.value.downcast_ref::<Vec<u8>>() {
                Some(bytes) => Ok(bytes),
                None => Err(TaskError::message(format!("input `{role}` is not bytes"))),
            },
            None => Err(TaskError::message(format!("there is no input `{role}`"))),
        }
    }

    /// Returns the value of the leaf `role`.
    ///
    /// # Errors
    ///
    /// If there is no such input, or it is not a leaf of type `T`.
    pub fn value<T: Send + Sync + 'static>(&self, role: &str) -> Result<&T, TaskError> {
        let value = match self.inputs.get(role) {
            Some(Given::Leaf(leaf)) => leaf.value.downcast_ref::<T>(),
            _ => None,
        };
        value.ok_or_else(|| {
            let wanted = std::any::type_name::<T>();
            TaskError::message(format!("there is no leaf `{role}` of type `{wanted}`"))
        })
    }

    /// Returns the roles of all inputs, ascending.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.inputs.keys().copied()
    }

    /// Returns whether the user wants the run to stop. A long task asks from
    /// time to time and then returns [`TaskError::Cancelled`].
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_set()
    }

    /// Returns an error when the run was cancelled, for use with `?`.
    ///
    /// # Errors
    ///
    /// [`TaskError::Cancelled`] if so.
    pub fn check_cancelled(&self) -> Result<(), TaskError> {
        if self.is_cancelled() {
            return Err(TaskError::Cancelled);
        }
        Ok(())
    }

    /// Tells how far the task is: `done` of `total` steps, and a line about
    /// the last one (a loss, say). Never reaches the result.
    pub fn progress(&self, done: u64, total: u64, text: &str) {
        (self.progress)(done, total, text);
    }
}

/// Why a task gave no outputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It failed by its own account; the text is that of the cause.
    #[error(transparent)]
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// It stopped because the run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// It panicked.
    #[error("panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
}

impl TaskError {
    /// Returns the failure that `error` describes.
    pub fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Failed(error.into())
    }

    /// Returns a failure with this text.
    pub fn message(text: impl Into<String>) -> Self {
        Self::Failed(text.into().into())
    }
}
