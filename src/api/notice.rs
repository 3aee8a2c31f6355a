//! What a training tells while it runs.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::digest::Digest;
use crate::engine::Event;
use crate::engine::Graph;
use crate::engine::Plan;
use crate::engine::State;
use crate::engine::TaskId;
use crate::engine::TaskRef;
use crate::import::Looks;

/// Something worth telling the user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// A task started, went a step further, finished, was reused…
    Task(Event),
    /// A part of the run began.
    Began(Phase),
    /// A part of the run is over, whether it went well or not.
    Ended(Phase),
    /// The project's files were opened: all of them, sorted.
    Opened(Vec<PathBuf>),
    /// All that was looked at for it, also in vain, or would be; told only to one
    /// who [wants it](Wants::looks).
    LookedAt(Arc<Looks>),
    /// What will run; told only to one who [wants it](Wants::plan).
    Planned(Arc<Vec<PlannedTask>>),
    /// What is wrong or remarkable in the project's files.
    Diagnosed(Arc<Findings>),
    /// The project was not read, as all is as it was in a run before: there is
    /// nothing to do.
    AsBefore {
        /// How many warnings about the project's files were told then.
        warnings: usize,
        /// How many tasks there are.
        tasks: usize,
        /// How that is known.
        by: KnownBy,
    },
    /// Something that the user may want to change.
    Warning(String),
    /// Something to know.
    Info(String),
    /// Something went well.
    Success(String),
}

/// How it is known that files are as they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// By their stamps: none was opened.
    Stamps,
    /// By the contents of those whose stamps are others, or too young.
    Contents,
}

/// A part of a run. They come one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The project's files are read and checked.
    Import,
    /// What is stale is found out.
    Plan,
    /// Tasks run.
    Run,
    /// The archive is put in its place.
    Place,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Import => "import",
            Self::Plan => "plan",
            Self::Run => "run",
            Self::Place => "place",
        })
    }
}

/// A task as it was planned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedTask {
    /// The task.
    pub task: TaskRef,
    /// Stage, such as `train NLU`.
    pub stage: String,
    /// Which function it is, such as `nlu.diet`.
    pub kind: &'static str,
    /// Its key; none while an input is unknown.
    pub key: Option<Digest>,
    /// The tasks that it reads, ascending.
    pub reads: Vec<TaskId>,
    /// Whether it will run, and why.
    #[serde(flatten)]
    pub state: State,
    /// How long it took when it last ran, in milliseconds.
    pub estimate_ms: Option<u64>,
}

/// Returns the tasks of a plan in the order of its graph.
pub fn planned_tasks(graph: &Graph, plan: &Plan) -> Vec<PlannedTask> {
    let tasks = plan.tasks().iter().map(|planned| {
        let task = graph.task(planned.id);
        PlannedTask {
            task: graph.task_ref(planned.id).clone(),
            stage: task.stage.clone(),
            kind: task.kind,
            key: planned.key,
            reads: graph.upstreams(planned.id).into_iter().collect(),
            state: planned.state.clone(),
            estimate_ms: planned.estimate_ms,
        }
    });
    tasks.collect()
}

/// Diagnostics with the texts they are about.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// In the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
    /// The files' texts, to show lines of.
    pub sources: SourceMap,
}

/// Whoever listens to notices; by default nobody.
#[derive(Clone, Default)]
pub struct Observer {
    listen: Option<Arc<dyn Fn(Notice) + Send + Sync>>,
    wants: Wants,
}

/// What somebody wants to know that takes time and memory to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The plan: every task there is.
    pub plan: bool,
    /// All that was looked at: every file there is.
    pub looks: bool,
}

impl Observer {
    /// Returns an observer that hands every notice to `listen`, from any thread.
    pub fn new(listen: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self {
            listen: Some(Arc::new(listen)),
            wants: Wants::default(),
        }
    }

    /// Returns an observer that is told this, too.
    pub fn wanting(self, wants: Wants) -> Self {
        Self { wants, ..self }
    }

    /// Returns what is worth the time to make.
    pub(super) fn wants(&self) -> Wants {
        self.wants
    }

    /// Does a part of the run, and tells that it begins and ends.
    pub(super) fn phase<T>(&self, phase: Phase, work: impl FnOnce() -> T) -> T {
        self.tell(Notice::Began(phase));
        let done = work();
        self.tell(Notice::Ended(phase));
        done
    }

    /// Tells something.
    pub fn tell(&self, notice: Notice) {
        if let Some(listen) = &self.listen {
            listen(notice);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.listen.is_some() {
            "Observer(listening)"
        } else {
            "Observer(nobody)"
        })
    }
}
