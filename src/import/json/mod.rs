//! Reads training data in JSON: Rasa's own format, and what LUIS, Wit and
//! Dialogflow export.
//!
//! ```text
//!   text ──▶ parse (tree with places) ──▶ rasa | luis | wit | dialogflow ──▶ NluPart
//! ```
//!
//! The tree is that of YAML files, so that all readers ask it the same way. The
//! parser is one of its own because YAML's reads other escapes, has other words
//! for null and true, and forbids tabs.

mod parse;
mod entities;
mod rasa;
mod luis;
mod wit;
mod dialogflow;

use std::path::Path;
use std::sync::Arc;

use crate::import::nlu::NluPart;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

pub use dialogflow::examples_path;
pub use dialogflow::no_examples;
pub use parse::length_of_value;
pub use parse::parse;
pub use parse::parse_at;

/// What a JSON file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Rasa's `rasa_nlu_data`.
    Rasa,
    /// An export of LUIS.
    Luis,
    /// An export of Wit.
    Wit,
    /// An intent of Dialogflow; its examples are in a file beside it.
    DialogflowIntent,
    /// An entity type of Dialogflow; its entries are in a file beside it.
    DialogflowEntities,
    /// Examples or entries of Dialogflow.
    DialogflowExamples,
    /// A description of an agent or package of Dialogflow, which is not data.
    DialogflowOther,
}

/// Keys in quotes of which one is in every file of training data.
const MARKS: &[&str] = &[
    "\"utterances\"",
    "\"luis_schema_version\"",
    "\"rasa_nlu_data\"",
    "\"supportedLanguages\"",
    "\"responses\"",
    "\"isEnum\"",
];

/// Keys in quotes that only training data has.
const SURE_MARKS: &[&str] = &["\"luis_schema_version\"", "\"rasa_nlu_data\""];

/// Returns whether a text could be training data at all; all others need not be
/// parsed.
pub fn may_be(path: &Path, text: &str) -> bool {
    is_examples(path) || MARKS.iter().any(|mark| text.contains(mark))
}

/// Returns whether a text is meant as training data, even if it is not JSON.
pub fn is_meant(path: &Path, text: &str) -> bool {
    is_examples(path) || SURE_MARKS.iter().any(|mark| text.contains(mark))
}

/// Returns what a file holds, or `None` if it is no training data.
///
/// Rasa 2.8 and 3.6: the first of these that fits.
pub fn recognise(path: &Path, root: &Node) -> Option<Kind> {
    let has = |key: &str| root.get(key).is_some();
    let is_map = matches!(root.yaml, Yaml::Map(_));
    match () {
        () if has("luis_schema_version") => Some(Kind::Luis),
        () if has("utterances") => Some(Kind::Wit),
        () if has("rasa_nlu_data") => Some(Kind::Rasa),
        () if has("supportedLanguages") => Some(Kind::DialogflowOther),
        () if has("version") && root.entries().len() == 1 => Some(Kind::DialogflowOther),
        () if has("responses") => Some(Kind::DialogflowIntent),
        () if has("isEnum") => Some(Kind::DialogflowEntities),
        () if !is_map && is_examples(path) => Some(Kind::DialogflowExamples),
        () => None,
    }
}

/// Returns whether a path is that of Dialogflow's examples or entries.
fn is_examples(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains("_usersays_") || name.contains("_entries_")
}

/// The file of examples or entries that belongs to a file of Dialogflow.
#[derive(Debug)]
pub struct Examples {
    /// Its path as shown.
    pub file: Arc<str>,
    /// Its tree, if it could be parsed.
    pub root: Option<Node>,
}

/// Reads a file.
pub fn read(
    kind: Kind,
    root: &Node,
    examples: Option<&Examples>,
    reading: &mut Reading,
) -> NluPart {
    match (kind, examples) {
        (Kind::Rasa, _) => rasa::read(root, reading),
        (Kind::Luis, _) => luis::read(root, reading),
        (Kind::Wit, _) => wit::read(root, reading),
        (Kind::DialogflowIntent, Some(examples)) => dialogflow::intent(root, examples, reading),
        (Kind::DialogflowEntities, Some(examples)) => {
            dialogflow::entity_type(root, examples, reading)
        }
        _ => NluPart::default(),
    }
}

#[cfg(test)]
mod tests;
