//! Trainings that learn from some examples of a project only: what depends on each
//! example alone is computed for all of them, once for all such trainings.
//!
//! ```text
//!   all messages ─▶ tokenizer ─▶ documents ─▶ dense featurizer ─▶ rows
//!                                    │                             │
//!   numbers of the learned ──────────┼─────────────────────────────┤
//!                                    ▼                             ▼
//!                          documents of the learned       rows of the learned
//! ```
//!
//! The tasks in the first line are those of a training with the whole project. A
//! featurizer that learns itself, such as a vocabulary, reads the learned alone.

use std::sync::Arc;

use serde_json::Value;

use crate::data::Component;
use crate::data::NluData;
use crate::data::Project;
use crate::engine::Input;
use crate::engine::Leaf;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::features::FeatureRows;
use crate::recipe::Draft;
use crate::recipe::Order;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::nlu::ATTRIBUTES;
use crate::recipe::nlu::DOCUMENTS;
use crate::recipe::nlu::decoded;
use crate::recipe::nlu::json_bytes;
use crate::recipe::nlu::rows_output;
use crate::recipe::slices::messages;
use crate::tokenize::Document;

/// Algorithm versions: raised when the output for the same input changes.
const DOCUMENTS_VERSION: u32 = 2;
const ROWS_VERSION: u32 = 1;

/// The examples that a training learns from, among all of its project.
pub struct Fold {
    /// The messages of the whole project.
    pub messages: Leaf,
    /// How many there are.
    pub examples: usize,
    /// The numbers of the learned: `Vec<u32>`.
    learned: Leaf,
}

/// Returns the project without the examples that are not learnt from.
///
/// # Panics
///
/// If the order names an example that is not there.
pub fn learned(project: &Arc<Project>, order: &Order) -> Arc<Project> {
    let Some(learned) = &order.learned else {
        return Arc::clone(project);
    };
    let all = &project.nlu.examples;
    let examples = learned.iter().map(|&number| all[number as usize].clone());
    let nlu = &project.nlu;
    Arc::new(Project {
        config: project.config.clone(),
        domain: project.domain.clone(),
        stories: project.stories.clone(),
        nlu: NluData {
            examples: examples.collect(),
            synonyms: nlu.synonyms.clone(),
            patterns: nlu.patterns.clone(),
            lookups: nlu.lookups.clone(),
            responses: nlu.responses.clone(),
            synonym_places: nlu.synonym_places.clone(),
            response_places: nlu.response_places.clone(),
        },
    })
}

impl Fold {
    /// Returns what the order chooses of a project; none if all is learnt.
    pub fn of(project: &Arc<Project>, order: &Order) -> Option<Self> {
        let learned = order.learned.as_ref()?;
        Some(Self {
            messages: messages(project),
            examples: project.nlu.examples.len(),
            learned: Leaf::of_value(Arc::new(learned.to_vec())),
        })
    }

    /// Returns the task that chooses the documents of the learned.
    pub fn documents(&self, place: usize, component: &Component, all: TaskId) -> Draft {
        let outputs = DOCUMENTS.map(|output| Input::output(output, all, output));
        let kind = ("nlu.learned.documents", DOCUMENTS_VERSION);
        self.draft(
            place,
            component,
            kind,
            outputs.into(),
            |context, numbers| {
                let chosen = DOCUMENTS.map(|output| {
                    let documents: Vec<Document> = decoded(context, output)?;
                    let chosen: Option<Vec<&Document>> =
                        numbers.iter().map(|&at| documents.get(at)).collect();
                    Ok((output.to_owned(), json_bytes(&chosen.ok_or_else(odd)?)?))
                });
                chosen.into_iter().collect()
            },
        )
    }

    /// Returns the task that chooses the rows of the learned.
    pub fn rows(&self, place: usize, component: &Component, all: TaskId) -> Draft {
        let outputs = ATTRIBUTES.map(rows_output);
        let inputs = outputs.map(|output| Input::output(output.clone(), all, output));
        let kind = ("nlu.learned.rows", ROWS_VERSION);
        self.draft(place, component, kind, inputs.into(), |context, numbers| {
            let chosen = ATTRIBUTES.map(rows_output).map(|output| {
                let rows = FeatureRows::from_bytes(context.bytes(&output)?);
                let rows = rows.map_err(TaskError::failed)?;
                let are_there = numbers.iter().all(|&at| at < rows.messages());
                let chosen = are_there.then(|| rows.select(numbers)).ok_or_else(odd)?;
                Ok((output, chosen.to_bytes()))
            });
            chosen.into_iter().collect()
        })
    }

    fn draft(
        &self,
        place: usize,
        component: &Component,
        (kind, version): (&'static str, u32),
        mut inputs: Vec<Input>,
        choose: fn(&TaskContext<'_>, &[usize]) -> Result<Outputs, TaskError>,
    ) -> Draft {
        inputs.push(Input::leaf("learned", self.learned.clone()));
        Draft {
            name: format!("nlu.{place}.{}.learned", component.name),
            stage: Stage::Featurize,
            kind,
            version,
            options: Value::Object(serde_json::Map::new()),
            inputs,
            turn: Turn::Usual,
            places: places_of(component),
            run: Box::new(move |context| {
                let numbers: &Vec<u32> = context.value("learned")?;
                let numbers: Vec<usize> = numbers.iter().map(|&at| at as usize).collect();
                choose(context, &numbers)
            }),
        }
    }
}

fn odd() -> TaskError {
    TaskError::message("there are fewer examples than are learnt from")
}
