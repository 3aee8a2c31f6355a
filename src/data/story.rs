//! Stories and rules as steps between checkpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::data::Annotation;
use crate::data::Place;

/// The checkpoint at which every story without a start checkpoint begins.
pub const STORY_START: &str = "STORY_START";

/// All stories and rules of a project, in canonical order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoryGraph {
    /// Pieces of stories and rules; `or` is expanded into copies. Blocks are
    /// sorted by content; the steps of one block stay in order.
    pub steps: Vec<Step>,
}

/// A piece of a story or rule between two checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The story's or rule's name. It is for messages only: a renamed story is
    /// the same story.
    #[serde(skip)]
    pub block_name: String,
    /// Whether the block is a rule.
    pub is_rule: bool,
    /// Checkpoints it may start from; [`STORY_START`] alone by default.
    pub start_checkpoints: Vec<Checkpoint>,
    /// Checkpoints it ends in; none means that the story ends here.
    pub end_checkpoints: Vec<Checkpoint>,
    /// What happens, in order. A rule's snippet marker is `Action("...")`.
    pub events: Vec<Event>,
    /// Where the block starts.
    #[serde(skip)]
    pub place: Place,
    /// Where each event was written, as long as `events`; empty when unknown.
    #[serde(skip)]
    pub event_places: Vec<Place>,
}

/// A named joint between steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Name; generated ones start with `GENR_`.
    pub name: String,
    /// Slot values that a conversation must have to pass.
    pub conditions: BTreeMap<String, Value>,
}

/// Something that happens in a story. Much of it happens in many stories: names,
/// and messages that are an intent alone, share their memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The user says something.
    User(Arc<Utterance>),
    /// The bot runs the action of this name.
    Action(Arc<str>),
    /// The bot says this text (end-to-end).
    BotText(String),
    /// A slot gets a value.
    Slot {
        /// The slot's name.
        name: Arc<str>,
        /// The value; null empties the slot.
        value: Value,
    },
    /// A form becomes active, or none is any more.
    ActiveLoop(Option<String>),
    /// One of these messages and slot values (test stories only: training
    /// expands them).
    Or(Vec<Event>),
}

/// A user message of a story.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Utterance {
    /// The intent; in training stories without response key.
    pub intent: Option<String>,
    /// `base/key` when the step named a retrieval intent with its key.
    pub intent_response_key: Option<String>,
    /// The text of an end-to-end step or test story, without annotations.
    pub text: Option<String>,
    /// Entities; `start` and `end` are 0 unless the text is annotated. A clone shares
    /// them: conversations hold them too.
    pub entities: Arc<[Annotation]>,
}
