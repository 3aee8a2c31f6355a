//! What the NLU data says: annotated messages, synonyms, patterns, lookup
//! tables and the texts of retrieval responses.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::data::PhraseList;
use crate::data::Place;
use crate::data::Places;
use crate::data::Response;

/// All NLU training data of a project, in canonical order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NluData {
    /// Annotated messages without duplicates, sorted by content.
    pub examples: Vec<Example>,
    /// Text to value, as written (`EntitySynonymMapper` lower-cases).
    pub synonyms: BTreeMap<String, String>,
    /// Regular expressions, sorted by name and pattern.
    pub patterns: Vec<Pattern>,
    /// Lookup tables, sorted by name.
    pub lookups: Vec<Lookup>,
    /// Responses of retrieval intents: names that contain `/`.
    pub responses: BTreeMap<String, Vec<Response>>,
    /// Where each synonym was written, in its own list or as an annotation.
    #[serde(skip)]
    pub synonym_places: Places,
    /// Where the name of each response of the NLU files was written.
    #[serde(skip)]
    pub response_places: Places,
}

/// A message with its intent and entities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The text without annotations.
    pub text: String,
    /// The intent, without response key.
    pub intent: Option<String>,
    /// The full label such as `faq/opening`, for retrieval intents.
    pub intent_response_key: Option<String>,
    /// The text of the response that belongs to the key.
    pub response: Option<String>,
    /// Entities in order of writing.
    pub entities: Vec<Annotation>,
    /// `metadata` of the intent it stands under. No component reads it, and it
    /// is in no task's key; but two examples that differ in it are two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_metadata: Option<Arc<Value>>,
    /// `metadata` of the example itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
    /// Where the example was written.
    #[serde(skip)]
    pub place: Place,
    /// Where its intent was named; unknown where the format has no such place.
    #[serde(skip)]
    pub intent_place: Place,
}

/// A marked piece of a message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Annotation {
    /// First code point of the piece, counted from 0.
    pub start: usize,
    /// One past its last code point.
    pub end: usize,
    /// Entity type.
    pub entity: String,
    /// What the piece means; the piece itself unless annotated otherwise.
    pub value: Value,
    /// Role within the message.
    pub role: Option<String>,
    /// Group within the message.
    pub group: Option<String>,
}

/// A named regular expression (Python syntax).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// Name; an entity type when `RegexEntityExtractor` is to use it.
    pub name: String,
    /// The expression.
    pub pattern: String,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// A table of phrases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// Name; an entity type when `RegexEntityExtractor` is to use it.
    pub name: String,
    /// The phrases, in order of writing.
    pub elements: PhraseList,
    /// Where the table starts.
    #[serde(skip)]
    pub place: Place,
}
