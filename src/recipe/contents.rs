//! What an archive tells of itself, as the pieces that reasons name: so that two
//! models, or a model and a project, can be compared piece by piece.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::archive::Files;
use crate::archive::Fingerprint;
use crate::archive::Model;
use crate::archive::TrainingType;
use crate::data::Domain;
use crate::data::Places;
use crate::data::Response;
use crate::digest::Digest;
use crate::engine::Item;
use crate::engine::Items;
use crate::nlu::selector::RESPONSES;
use crate::nlu::selector::Responses;
use crate::recipe::pieces;

/// The role under which the labels that networks learned stand. It is no input
/// of a task: a project that was not trained has none.
pub const LABELS: &str = "labels";

/// A document in an archive that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` of the model cannot be read: {reason}")]
pub struct ContentError {
    /// The file.
    pub file: String,
    /// Why not.
    pub reason: String,
}

/// Returns what a model tells of itself, under the roles that the package task
/// reads it as, and [`LABELS`].
///
/// # Errors
///
/// If a document in it is not what it should be.
pub fn contents(model: &Model) -> Result<BTreeMap<&'static str, Items>, ContentError> {
    let metadata = &model.metadata;
    let identity = pieces::single("assistant_id", &metadata.assistant_id);
    let mut roles = BTreeMap::from([("assistant", Items(vec![identity]))]);
    if metadata.training_type != TrainingType::Core {
        let mut pipeline = pieces::components(&metadata.pipeline, &[]);
        pipeline
            .0
            .push(pieces::single("language", &metadata.language));
        roles.insert("nlu: pipeline", pipeline);
        roles.insert("nlu: fingerprint", nlu_print(&model.fingerprint));
        roles.insert(LABELS, labels(&model.nlu)?);
        roles.insert("nlu: responses", selections(&model.nlu)?);
    }
    if metadata.training_type != TrainingType::Nlu {
        let policies = pieces::components(&metadata.policies, &[]);
        roles.insert("core: policies", policies);
        roles.insert("core: fingerprint", core_print(&model.fingerprint));
        let domain: Domain = document(&model.core, "domain.json")?;
        roles.insert("core: domain", pieces::domain(&domain));
        let responses: BTreeMap<String, Vec<Response>> = document(&model.core, "responses.json")?;
        roles.insert(
            "responses",
            pieces::responses(&responses, &Places::default()),
        );
    }
    Ok(roles)
}

fn nlu_print(print: &Fingerprint) -> Items {
    pieces::halves(
        print.nlu_config,
        None,
        Some(print.nlu_labels),
        print.messages,
    )
}

fn core_print(print: &Fingerprint) -> Items {
    pieces::halves(print.core_config, Some(print.domain), None, print.stories)
}

fn document<T: DeserializeOwned>(files: &Files, name: &str) -> Result<T, ContentError> {
    let wrong = |reason: String| ContentError {
        file: name.to_owned(),
        reason,
    };
    let bytes = files
        .get(name)
        .ok_or_else(|| wrong("it is missing".to_owned()))?;
    serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))
}

/// What the selectors may say; all of a model say the same.
fn selections(nlu: &Files) -> Result<Items, ContentError> {
    let below = format!("/{RESPONSES}");
    let Some(name) = nlu.keys().find(|name| name.ends_with(&below)) else {
        return Ok(Items::default());
    };
    let said: Responses = document(nlu, name)?;
    let mut items = pieces::responses(&said.responses, &Places::default());
    items
        .0
        .extend(pieces::retrieval_intents(&said.retrieval_intents).0);
    Ok(items)
}

/// The labels that each network learned to tell apart.
fn labels(nlu: &Files) -> Result<Items, ContentError> {
    let mut items = Vec::new();
    for name in nlu.keys().filter(|name| name.ends_with("/model.json")) {
        let model: Value = document(nlu, name)?;
        let component = name.split('/').next().unwrap_or(name);
        let texts = |list: &Value| -> Vec<String> {
            let list = list.as_array().into_iter().flatten();
            list.filter_map(|text| text.as_str().map(str::to_owned))
                .collect()
        };
        for label in texts(&model["labels"]) {
            items.push(label_item("label", &label, component));
        }
        for tags in model["tags"].as_array().into_iter().flatten() {
            let kind = tags["kind"].as_str().unwrap_or("tag");
            for label in texts(&tags["labels"]) {
                items.push(label_item(kind, &label, component));
            }
        }
    }
    Ok(Items(items))
}

fn label_item(kind: &str, label: &str, component: &str) -> Item {
    let name = format!("{kind} `{label}` of `{component}`");
    Item::new(name, Digest::of(label.as_bytes()), "")
}
