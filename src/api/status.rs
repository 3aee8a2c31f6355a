//! What is stale and why, task by task: `status`, `explain` and `key` look at the
//! plan that a training would execute, and run and write nothing.

use serde::Serialize;

use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::task_name::find;
use crate::api::train::training;
use crate::api::training::Prepared;
use crate::engine::PreImage;
use crate::engine::SideBySide;
use crate::engine::past_times;
use crate::engine::pre_image;
use crate::engine::side_by_side;
use crate::import::Want;
use crate::recipe::Report;
use crate::recipe::TaskReport;

/// A task, and what it was made of beside what it is made of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskExplanation {
    /// The task in the plan.
    pub task: TaskReport,
    /// The two manifests.
    #[serde(flatten)]
    pub manifests: SideBySide,
}

/// A task's key and what it is the hash of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskKey {
    /// The task's name.
    pub task: String,
    /// What is hashed.
    #[serde(flatten)]
    pub image: PreImage,
}

/// Returns the plan of a training with how long each task took in past runs.
///
/// # Errors
///
/// As [`train`](crate::api::train).
pub fn status(options: &TrainOptions) -> Result<Report, TrainError> {
    let (mut report, prepared) = looked_at(options)?;
    let times = past_times(&prepared.recipe.graph, &prepared.store);
    for (task, times) in report.tasks.iter_mut().zip(times) {
        task.runs = Some(times);
    }
    Ok(report)
}

/// Explains the tasks that `name` means: one by its name, by its component's
/// name or by how its name starts, or all that a pattern with `*` and `?` takes.
///
/// # Errors
///
/// As [`train`](crate::api::train), and if no task or more than one is meant.
pub fn explain(options: &TrainOptions, name: &str) -> Result<Vec<TaskExplanation>, TrainError> {
    let (report, prepared) = looked_at(options)?;
    let Prepared {
        recipe,
        plan,
        store,
        ..
    } = &prepared;
    let explained = find(&recipe.graph, name)?.into_iter().map(|id| {
        let task = report.tasks[id.index()].clone();
        let manifests = side_by_side(&recipe.graph, store, plan, id);
        TaskExplanation { task, manifests }
    });
    Ok(explained.collect())
}

/// Returns the keys of the tasks that `name` means, as for [`explain`].
///
/// # Errors
///
/// As [`explain`].
pub fn keys(options: &TrainOptions, name: &str) -> Result<Vec<TaskKey>, TrainError> {
    let (_, prepared) = looked_at(options)?;
    let graph = &prepared.recipe.graph;
    let keys = find(graph, name)?.into_iter().map(|id| TaskKey {
        task: graph.task(id).name.clone(),
        image: pre_image(graph, &prepared.plan, id),
    });
    Ok(keys.collect())
}

/// Returns the plan of a training without doing any of it.
pub fn looked_at(options: &TrainOptions) -> Result<(Report, Prepared), TrainError> {
    let options = TrainOptions {
        dry_run: true,
        ..options.clone()
    };
    let training = training(&options, Want::All);
    let prepared = training.prepare()?;
    Ok((training.report(&prepared), prepared))
}
