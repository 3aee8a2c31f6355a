//! Collects the tasks of one assistant and the files they give to its archive.

use std::sync::Arc;

use rayon::ThreadPool;
use serde_json::Value;

use crate::data::Component;
use crate::engine::Graph;
use crate::engine::Input;
use crate::engine::Outputs;
use crate::engine::Task;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::TaskPlaces;
use crate::engine::Turn;
use crate::recipe::Stage;
use crate::recipe::pieces::file_line;

/// What a task does.
pub type Function = Box<dyn Fn(&TaskContext<'_>) -> Result<Outputs, TaskError> + Send + Sync>;

/// A task before it has a place in the graph.
pub struct Draft {
    /// The name in the user's words.
    pub name: String,
    /// Where it is shown.
    pub stage: Stage,
    /// Which function it is.
    pub kind: &'static str,
    /// The version of its algorithm.
    pub version: u32,
    /// Its options after defaults.
    pub options: Value,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// When it starts.
    pub turn: Turn,
    /// Where the user wrote it.
    pub places: TaskPlaces,
    /// What it does.
    pub run: Function,
}

/// Returns where a component and its options are written.
pub fn places_of(component: &Component) -> TaskPlaces {
    let options = component.option_places.iter();
    TaskPlaces {
        task: file_line(&component.place),
        options: options
            .map(|(name, place)| (name.clone(), file_line(&place.name)))
            .collect(),
    }
}

/// An output that goes into the archive.
#[derive(Clone, Debug)]
pub struct Packaged {
    /// The path there, with `core/` or `nlu/` before it.
    pub path: String,
    /// The task that gives it.
    pub task: TaskId,
    /// The output's name.
    pub output: String,
}

/// The graph of an assistant while it is made.
pub struct Builder {
    /// The tasks so far.
    pub graph: Graph,
    /// Outputs that the archive takes.
    pub packaged: Vec<Packaged>,
    /// Paths at which the archive takes the responses of retrieval intents.
    pub response_files: Vec<String>,
    project: Arc<str>,
    pool: Arc<ThreadPool>,
}

impl Builder {
    /// Returns a builder without tasks. `project` tells projects that share a
    /// cache apart, for reasons only; tasks run their numeric work in `pool`.
    pub fn new(project: Arc<str>, pool: Arc<ThreadPool>) -> Self {
        Self {
            graph: Graph::new(),
            packaged: Vec::new(),
            response_files: Vec::new(),
            project,
            pool,
        }
    }

    /// Adds a task.
    pub fn add(&mut self, draft: Draft) -> TaskId {
        let pool = Arc::clone(&self.pool);
        let run = draft.run;
        self.graph.add(Task {
            project: Arc::clone(&self.project),
            name: draft.name,
            stage: draft.stage.name().to_owned(),
            kind: draft.kind,
            version: draft.version,
            options: draft.options,
            inputs: draft.inputs,
            turn: draft.turn,
            places: draft.places,
            run: Box::new(move |context| pool.install(|| run(context))),
        })
    }

    /// Puts an output of a task into the archive.
    pub fn pack(&mut self, task: TaskId, output: &str, path: String) {
        self.packaged.push(Packaged {
            path,
            task,
            output: output.to_owned(),
        });
    }
}
