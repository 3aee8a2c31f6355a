//! How long tasks took in past runs, as a run's report keeps it.

use std::collections::BTreeMap;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::engine::Graph;
use crate::engine::Task;
use crate::store::Store;

/// How long a task took in a past run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PastTime {
    /// When the run began, in milliseconds since 1970-01-01 UTC.
    pub started_ms: u64,
    /// How long the task took, in milliseconds.
    pub ms: u64,
}

/// The key of a report below which times stand, by project and task.
const TIMES: &str = "ms";

/// Runs that are looked through; those of all projects of a cache are one list.
const RUNS_READ: u32 = 200;

/// Times that are told of each task.
const TIMES_TOLD: usize = 10;

/// The times of one run, while its report is made.
#[derive(Default)]
pub(crate) struct RunTimes<'a>(BTreeMap<&'a str, BTreeMap<&'a str, u64>>);

impl<'a> RunTimes<'a> {
    pub(crate) fn add(&mut self, task: &'a Task, ms: u64) {
        let project = self.0.entry(&task.project).or_default();
        project.insert(&task.name, ms);
    }

    /// Returns the report of a run with these counts.
    pub(crate) fn report(&self, counts: &BTreeMap<&str, u64>) -> Value {
        let mut report = json!(counts);
        report[TIMES] = json!(self.0);
        report
    }
}

/// Returns how long each task of the graph took in the last runs in which it
/// ran, the newest first. Reads the store, writes nothing.
pub fn past_times(graph: &Graph, store: &Store) -> Vec<Vec<PastTime>> {
    let mut index: HashMap<(&str, &str), usize> = HashMap::new();
    for id in graph.ids() {
        let task = graph.task(id);
        index.insert((&task.project, &task.name), id.index());
    }
    let mut times = vec![Vec::new(); graph.len()];
    for run in store.past_runs(RUNS_READ) {
        let projects = run.report.get(TIMES).and_then(Value::as_object);
        for (project, tasks) in projects.into_iter().flatten() {
            for (task, ms) in tasks.as_object().into_iter().flatten() {
                let place = index.get(&(project.as_str(), task.as_str()));
                if let (Some(&place), Some(ms)) = (place, ms.as_u64())
                    && times[place].len() < TIMES_TOLD
                {
                    let started_ms = run.started_ms;
                    times[place].push(PastTime { started_ms, ms });
                }
            }
        }
    }
    times
}
