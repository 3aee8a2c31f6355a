//! A model explained: what it was made of, and what of that the project would
//! make differently now.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::in_project;
use crate::api::status::looked_at;
use crate::api::training::Prepared;
use crate::archive::ComponentEntry;
use crate::archive::Model;
use crate::archive::TrainingType;
use crate::archive::latest_model;
use crate::archive::read_model;
use crate::digest::Digest;
use crate::engine::ItemChange;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::since_outputs;
use crate::recipe::Recipe;
use crate::recipe::contents;

/// What a model was made of, and how the project differs from that.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelExplanation {
    /// The archive.
    pub model: String,
    /// The version of Tabella that trained it.
    pub tabella_version: String,
    /// Which parts it has.
    pub training_type: TrainingType,
    /// Its pipeline and policies, with all options.
    pub components: Vec<ComponentEntry>,
    /// Whether nothing that the archive tells differs from the project.
    pub is_current: bool,
    /// What the archive itself tells that the project has differently, by the
    /// roles of the package task. Of training data it tells only whether it is
    /// the same.
    pub differences: BTreeMap<String, Vec<ItemChange>>,
    /// For each task, in the order of the graph, what it reads differently from
    /// the run that made this model's files.
    pub tasks: Vec<TaskSince>,
}

/// What changed for a task since the run that made a model's files.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskSince {
    /// The task.
    pub task: String,
    /// What it reads differently; none when the cache does not remember the run.
    pub reasons: Option<Vec<Stale>>,
}

/// Explains the model at `path`, an archive or a folder whose latest is meant.
///
/// # Errors
///
/// If the model is missing or wrong, and as [`train`](crate::api::train).
pub fn explain_model(
    options: &TrainOptions,
    path: &std::path::Path,
) -> Result<ModelExplanation, TrainError> {
    let path = latest_model(&in_project(&options.run.project, path))?;
    let model = read_model(&path)?;
    let (_, prepared) = looked_at(options)?;
    let differences = differences(&model, &prepared.recipe)?;
    let is_current = differences.is_empty()
        && model.metadata.training_type == prepared.training_type
        && model.metadata.tabella_version == env!("CARGO_PKG_VERSION");
    let components = model
        .metadata
        .pipeline
        .iter()
        .chain(&model.metadata.policies);
    Ok(ModelExplanation {
        model: path.display().to_string(),
        tabella_version: model.metadata.tabella_version.clone(),
        training_type: model.metadata.training_type,
        components: components.cloned().collect(),
        is_current,
        differences,
        tasks: tasks(&model, &prepared),
    })
}

/// Compares what the archive tells with what the package task would read now.
fn differences(
    model: &Model,
    recipe: &Recipe,
) -> Result<BTreeMap<String, Vec<ItemChange>>, TrainError> {
    let then = contents(model)?;
    let mut differences = BTreeMap::new();
    for input in &recipe.graph.task(recipe.package).inputs {
        let Source::Leaf(leaf) = &input.source else {
            continue;
        };
        if let (Some(old), Some(new)) = (then.get(input.role.as_str()), leaf.items()) {
            let changes = new.changes_since(old);
            if !changes.is_empty() {
                differences.insert(input.role.clone(), changes);
            }
        }
    }
    Ok(differences)
}

/// Finds the runs that made the model's files and compares what they read.
fn tasks(model: &Model, prepared: &Prepared) -> Vec<TaskSince> {
    let Prepared {
        recipe,
        plan,
        store,
        ..
    } = prepared;
    let mut made = vec![Vec::new(); recipe.graph.len()];
    for file in &recipe.packaged {
        let bytes = match file.path.split_once('/') {
            Some(("core", path)) => model.core.get(path),
            Some((_, path)) => model.nlu.get(path),
            None => None,
        };
        made[file.task.index()].extend(bytes.map(|bytes| Digest::of(bytes)));
    }
    let since = since_outputs(&recipe.graph, store, plan, &made);
    let ids = recipe.graph.ids().filter(|id| *id != recipe.package);
    ids.map(|id| TaskSince {
        task: recipe.graph.task(id).name.clone(),
        reasons: since[id.index()].clone(),
    })
    .collect()
}
