//! The universe an assistant lives in: intents, entities, slots, responses,
//! actions and forms.
//!
//! Default intents, default actions and default slots are *not* stored here:
//! `dialogue::Universe` adds them where indices are made.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::data::Place;
use crate::data::Places;
use crate::data::Response;

/// A merged domain, in the form of Rasa 3.1 whatever version it was written in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// Intents, sorted by name; default intents only if the user listed them.
    pub intents: Vec<Intent>,
    /// Entity types as the file lists them; those of several files by name.
    pub entities: Vec<Entity>,
    /// Slots as the file lists them, those of several files by name; default
    /// slots not included.
    pub slots: Vec<Slot>,
    /// Variations by response name, in file order. There may be tens of thousands,
    /// and several parts of a project hold them: a clone shares them.
    pub responses: Arc<BTreeMap<String, Vec<Response>>>,
    /// Custom actions as the file lists them; those of several files by name.
    pub actions: Vec<String>,
    /// Forms as the file lists them; those of several files by name.
    pub forms: Vec<Form>,
    /// Bot texts used as actions (`e2e_actions` and `bot:` steps of stories).
    pub e2e_actions: Vec<String>,
    /// `session_config`.
    pub session: SessionConfig,
    /// `config.store_entities_as_slots`, true unless written.
    pub store_entities_as_slots: bool,
    /// Where the name of each response was written.
    #[serde(skip)]
    pub response_places: Places,
    /// Where each custom action was listed.
    #[serde(skip)]
    pub action_places: Places,
}

/// An intent and the entities that its messages may carry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Name, without response key.
    pub name: String,
    /// Which entities are featurized with this intent.
    pub used_entities: UsedEntities,
    /// Whether its messages are answered by a response selector.
    pub is_retrieval: bool,
    /// Action that a `MappingPolicy` of Rasa 2 would run.
    pub triggers: Option<String>,
    /// Where the entities that it uses or ignores were listed.
    #[serde(skip)]
    pub entity_places: Places,
    /// Where the intent was listed.
    #[serde(skip)]
    pub place: Place,
}

/// `use_entities` and `ignore_entities` of an intent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum UsedEntities {
    /// Every entity of the domain, with all roles and groups.
    #[default]
    All,
    /// Only these entity types, sorted.
    Only(Vec<String>),
    /// All entity types but these, sorted.
    AllBut(Vec<String>),
}

/// An entity type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Name of the type.
    pub name: String,
    /// Roles, as listed.
    pub roles: Vec<String>,
    /// Groups, as listed.
    pub groups: Vec<String>,
    /// `influence_conversation` of Rasa 3; true unless written.
    pub influences: bool,
    /// Where the entity was listed.
    #[serde(skip)]
    pub place: Place,
}

/// A named memory cell of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Name.
    pub name: String,
    /// Type with its own options.
    pub kind: SlotKind,
    /// Value before anything is said; null when not written.
    pub initial_value: Value,
    /// Whether policies see the slot.
    pub influences: bool,
    /// Whether an entity of the same name fills it (Rasa 2's `auto_fill`).
    pub auto_fill: bool,
    /// How it is filled, in order. Slots of a 2.x domain get the mappings that
    /// their forms gave them.
    pub mappings: Vec<SlotMapping>,
    /// Where the slot was defined.
    #[serde(skip)]
    pub place: Place,
}

/// The type of a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum SlotKind {
    /// Some text; only whether it is set is seen by policies.
    Text,
    /// True or false.
    Bool,
    /// A list; only whether it is non-empty is seen.
    List,
    /// A number, scaled to `[0, 1]` between the two bounds.
    Float {
        /// Lower bound.
        min: f64,
        /// Upper bound.
        max: f64,
    },
    /// One of some values, lower-cased, without the implied `__other__`.
    Categorical {
        /// The values in file order.
        values: Vec<String>,
    },
    /// Anything; never seen by policies.
    Any,
}

/// One way to fill a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotMapping {
    /// Where the value comes from.
    pub kind: MappingKind,
    /// Intents that allow the mapping; empty allows all.
    pub intents: Vec<String>,
    /// Intents that forbid it.
    pub not_intents: Vec<String>,
    /// When it applies; empty means always.
    pub conditions: Vec<MappingCondition>,
    /// Where the names in it were written.
    #[serde(skip)]
    pub places: Places,
}

/// Where a slot mapping takes its value from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum MappingKind {
    /// An entity of this type, role and group.
    FromEntity {
        /// Entity type.
        entity: String,
        /// Role, if one is asked for.
        role: Option<String>,
        /// Group, if one is asked for.
        group: Option<String>,
    },
    /// A fixed value when an intent is seen.
    FromIntent {
        /// The value.
        value: Value,
    },
    /// A fixed value when an intent starts the form.
    FromTriggerIntent {
        /// The value.
        value: Value,
    },
    /// The whole text.
    FromText,
    /// A custom action's doing.
    Custom {
        /// The action, if one is named.
        action: Option<String>,
    },
}

/// `conditions` of a slot mapping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingCondition {
    /// The form that must be active; `None` for `active_loop: null`.
    pub active_loop: Option<String>,
    /// The slot that must be asked for.
    pub requested_slot: Option<String>,
}

/// A form: slots that are asked for until all are filled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Form {
    /// Name, also the name of its action.
    pub name: String,
    /// Slots in the order in which they are asked.
    pub required_slots: Vec<String>,
    /// Intents that fill nothing while the form is active.
    pub ignored_intents: Vec<String>,
    /// Where the form was defined.
    #[serde(skip)]
    pub place: Place,
}

/// `session_config`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionConfig {
    /// Minutes of silence after which a new session starts; 0 for never.
    pub expiration_minutes: f64,
    /// Whether slots outlive a session.
    pub carry_over_slots: bool,
}

impl Default for SessionConfig {
    /// Rasa's defaults: 60 minutes, slots carried over.
    fn default() -> Self {
        Self {
            expiration_minutes: 60.0,
            carry_over_slots: true,
        }
    }
}
