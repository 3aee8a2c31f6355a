//! The graph of tasks: each task stands after those it reads.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use crate::engine::Source;
use crate::engine::Task;
use crate::engine::TaskRef;

/// A task's place in its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TaskId(u32);

impl TaskId {
    /// Returns the place as an index, counted from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn from_index(index: usize) -> Self {
        Self(u32::try_from(index).expect("a graph has fewer than 2^32 tasks"))
    }
}

/// Tasks in an order in which they could run.
///
/// A task can only read tasks that were added before it, so a graph has no
/// cycles and its order is topological.
#[derive(Default)]
pub struct Graph {
    tasks: Vec<Task>,
    refs: Vec<TaskRef>,
    /// Project and name of every task, to find two of one name.
    names: HashSet<(Arc<str>, Arc<str>)>,
    /// `dependants[i]`: the tasks that read task `i`, ascending, each once.
    dependants: Vec<Vec<TaskId>>,
}

impl Graph {
    /// Returns a graph without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task and returns its id.
    ///
    /// # Panics
    ///
    /// If the project has a task of that name already, two inputs have the same
    /// role, or an input's task is not in this graph: the caller makes the
    /// names, so each is a mistake of ours.
    pub fn add(&mut self, task: Task) -> TaskId {
        let id = TaskId::from_index(self.tasks.len());
        let name: Arc<str> = task.name.as_str().into();
        let is_new = self.names.insert((task.project.clone(), name.clone()));
        assert!(is_new, "two tasks are named `{name}`");
        let roles: BTreeSet<&str> = task.inputs.iter().map(|i| i.role.as_str()).collect();
        assert!(
            roles.len() == task.inputs.len(),
            "two inputs of `{name}` have the same role"
        );
        for upstream in upstreams(&task) {
            assert!(upstream < id, "`{name}` reads a task that does not exist");
            self.dependants[upstream.index()].push(id);
        }
        self.refs.push(TaskRef {
            id,
            project: task.project.clone(),
            name,
        });
        self.tasks.push(task);
        self.dependants.push(Vec::new());
        id
    }

    /// Returns the task `id`.
    ///
    /// # Panics
    ///
    /// If `id` is of another, larger graph.
    pub fn task(&self, id: TaskId) -> &Task {
        &self.tasks[id.index()]
    }

    /// Returns the ids of all tasks in topological order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = TaskId> + use<> {
        (0..self.tasks.len()).map(TaskId::from_index)
    }

    /// Returns how many tasks there are.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Returns whether there are no tasks.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Returns the tasks that `id` reads, ascending, each once.
    pub fn upstreams(&self, id: TaskId) -> BTreeSet<TaskId> {
        upstreams(self.task(id))
    }

    /// Returns the tasks that read `id`, ascending.
    pub fn dependants(&self, id: TaskId) -> &[TaskId] {
        &self.dependants[id.index()]
    }

    /// Returns whether `project` has a task of this name.
    pub(crate) fn has_name(&self, project: &Arc<str>, name: &str) -> bool {
        self.names.contains(&(project.clone(), name.into()))
    }

    /// Returns the name of `id` as events carry it.
    pub fn task_ref(&self, id: TaskId) -> &TaskRef {
        &self.refs[id.index()]
    }
}

fn upstreams(task: &Task) -> BTreeSet<TaskId> {
    let of_input = |source: &Source| match source {
        Source::Output { task, .. } => Some(*task),
        Source::Leaf(_) => None,
    };
    let inputs = task.inputs.iter();
    inputs.filter_map(|input| of_input(&input.source)).collect()
}
