//! What happens during a run, as values that every display reads.

use std::fmt;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Serialize;

use crate::digest::Digest;
use crate::engine::Stale;
use crate::engine::TaskId;
use crate::store::Warning;

/// A task as events name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TaskRef {
    /// Its place in the graph.
    pub id: TaskId,
    /// Whose task it is.
    pub project: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Something that happened during a run.
///
/// Events of one task always come in the same order; those of different tasks
/// mix as the threads go when there is more than one worker. Before all others
/// come the reused tasks of the plan, in the order of the graph. [`EventLog`]
/// brings a whole run into one order.
///
/// All but [`Event::Progress`] are told on the thread of the worker that they
/// happened on, which is named `worker-1`, `worker-2`…; what comes before and
/// after the workers, on the caller's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The plan found its result in the cache.
    Reused {
        /// The task.
        task: TaskRef,
    },
    /// It was planned to run or may be spared, and its result was found: what
    /// it reads came out the same, or the same work was done elsewhere.
    Spared {
        /// The task.
        task: TaskRef,
    },
    /// It runs on another machine; if that does not work, it runs here.
    Sent {
        /// The task.
        task: TaskRef,
    },
    /// Its result was fetched from the remote cache.
    Fetched {
        /// The task.
        task: TaskRef,
        /// The sizes of all its outputs, in bytes.
        size: u64,
    },
    /// Another process does the same work; this one waits for it.
    Waiting {
        /// The task.
        task: TaskRef,
        /// Who works on it, as that process described itself.
        holder: String,
    },
    /// It starts to run.
    Started {
        /// The task.
        task: TaskRef,
        /// Its key.
        key: Digest,
        /// Why.
        reasons: Vec<Stale>,
    },
    /// It got a step further.
    Progress {
        /// The task.
        task: TaskRef,
        /// Steps done.
        done: u64,
        /// Steps in all; 0 when unknown.
        total: u64,
        /// A line about the last step.
        text: String,
    },
    /// It ran.
    Finished {
        /// The task.
        task: TaskRef,
        /// How long it took.
        ms: u64,
    },
    /// One of its outputs was read from the cache, for a task that runs or for
    /// the caller.
    Loaded {
        /// The task whose output it is.
        task: TaskRef,
        /// The output.
        output: String,
        /// Its size in bytes.
        size: u64,
        /// How long reading took, in microseconds.
        took_us: u64,
    },
    /// Its result was written to the cache.
    Stored {
        /// The task.
        task: TaskRef,
        /// The sizes of all its outputs, in bytes.
        size: u64,
        /// How long writing took, in microseconds.
        took_us: u64,
    },
    /// It ran, but its inputs were edited meanwhile: the outputs are used and
    /// not stored.
    NotStored {
        /// The task.
        task: TaskRef,
    },
    /// An output that the cache promised could not be had, so the task runs
    /// after all.
    OutputLost {
        /// The task.
        task: TaskRef,
        /// The output.
        output: String,
    },
    /// It failed.
    Failed {
        /// The task.
        task: TaskRef,
        /// The error and its causes.
        message: String,
    },
    /// It did not run, because a task it reads failed or the run was stopped.
    Skipped {
        /// The task.
        task: TaskRef,
        /// The failed task it depends on; none when the run was stopped.
        because: Option<TaskRef>,
    },
    /// The cache is not what it should be; the run goes on.
    StoreWarning {
        /// What is wrong.
        warning: Warning,
    },
}

impl Event {
    /// Returns the task it is about; none for a warning about the cache.
    pub fn task(&self) -> Option<&TaskRef> {
        match self {
            Self::Reused { task }
            | Self::Spared { task }
            | Self::Sent { task }
            | Self::Fetched { task, .. }
            | Self::Waiting { task, .. }
            | Self::Started { task, .. }
            | Self::Progress { task, .. }
            | Self::Finished { task, .. }
            | Self::Loaded { task, .. }
            | Self::Stored { task, .. }
            | Self::NotStored { task }
            | Self::OutputLost { task, .. }
            | Self::Failed { task, .. }
            | Self::Skipped { task, .. } => Some(task),
            Self::StoreWarning { .. } => None,
        }
    }
}

impl fmt::Display for Event {
    /// Writes one line without times: the same run gives the same text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reused { task } => write!(f, "reuse   {task}"),
            Self::Spared { task } => write!(f, "spare   {task}"),
            Self::Sent { task } => write!(f, "send    {task}"),
            Self::Fetched { task, .. } => write!(f, "fetch   {task}"),
            Self::Waiting { task, .. } => write!(f, "wait    {task}"),
            Self::Started { task, reasons, .. } => {
                let reasons: Vec<String> = reasons.iter().map(Stale::to_string).collect();
                write!(f, "run     {task}: {}", reasons.join("; "))
            }
            Self::Progress {
                task, done, total, ..
            } => write!(f, "step    {task} {done}/{total}"),
            Self::Finished { task, .. } => write!(f, "done    {task}"),
            Self::Loaded { task, output, .. } => write!(f, "load    {task}: `{output}`"),
            Self::Stored { task, .. } => write!(f, "store   {task}"),
            Self::NotStored { task } => write!(f, "drop    {task}: inputs changed meanwhile"),
            Self::OutputLost { task, output } => write!(f, "lost    {task}: `{output}`"),
            Self::Failed { task, message } => write!(f, "fail    {task}: {message}"),
            Self::Skipped {
                task,
                because: Some(failed),
            } => write!(f, "skip    {task}: `{failed}` failed"),
            Self::Skipped { task, .. } => write!(f, "skip    {task}: stopped"),
            Self::StoreWarning { warning } => write!(f, "warning {warning}"),
        }
    }
}

/// Collects the events of a run, for tests and reports.
#[derive(Debug, Default)]
pub struct EventLog {
    events: Mutex<Vec<Event>>,
}

impl EventLog {
    /// Returns an empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event. Traffic with the cache is left out: who asks first for an
    /// output that several tasks read depends on the threads.
    pub fn push(&self, event: Event) {
        if matches!(event, Event::Loaded { .. } | Event::Stored { .. }) {
            return;
        }
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event);
    }

    /// Returns the events sorted by their task's place in the graph, warnings
    /// first, those of one task as they came: the same for any number of
    /// workers.
    pub fn events(&self) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let mut events = events.clone();
        events.sort_by_key(|event| event.task().map(|task| task.id));
        events
    }

    /// Returns [`EventLog::events`] as text, one line each.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for event in self.events() {
            writeln!(text, "{event}").expect("writing to a string never fails");
        }
        text
    }
}
