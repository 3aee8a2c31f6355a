//! The index spaces of a domain: every intent, entity label, slot feature,
//! action and form that policies can see, in Rasa's order.
//!
//! A [`Universe`] knows no response texts, so a changed text reaches no policy.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::data::Domain;
use crate::data::Entity;
use crate::data::Form;
use crate::data::Intent;
use crate::data::Place;
use crate::data::Slot;
use crate::data::SlotKind;
use crate::data::UsedEntities;
use crate::dialogue::slot_features;

/// Waits for the user.
pub const ACTION_LISTEN: &str = "action_listen";
/// Stands for "anything may have happened" in rules.
pub const RULE_SNIPPET: &str = "...";
/// What `UnexpecTEDIntentPolicy` predicts.
pub const ACTION_UNLIKELY_INTENT: &str = "action_unlikely_intent";
/// The slot that a form asks for.
pub const REQUESTED_SLOT: &str = "requested_slot";

/// The actions every assistant has, in Rasa 3.6's order.
pub const DEFAULT_ACTIONS: [&str; 13] = [
    ACTION_LISTEN,
    "action_restart",
    "action_session_start",
    "action_default_fallback",
    "action_deactivate_loop",
    "action_revert_fallback_events",
    "action_default_ask_affirmation",
    "action_default_ask_rephrase",
    "action_two_stage_fallback",
    ACTION_UNLIKELY_INTENT,
    "action_back",
    RULE_SNIPPET,
    "action_extract_slots",
];

/// The intents every assistant has.
pub const DEFAULT_INTENTS: [&str; 5] = [
    "restart",
    "back",
    "out_of_scope",
    "session_start",
    "nlu_fallback",
];

/// Everything about a domain that dialogue policies can see.
///
/// # Source
///
/// Rasa 3.6 `Domain`: `intents`, `entity_states`, `slot_states`,
/// `action_names_or_texts`, `form_names`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Universe {
    intents: Vec<String>,
    entities: Vec<String>,
    entity_states: Vec<String>,
    slots: Vec<Slot>,
    slot_states: Vec<String>,
    actions: Vec<String>,
    forms: Vec<Form>,
    store_entities_as_slots: bool,
    /// Labels that an intent does not take from `entity_states`, by intent.
    used_entities: BTreeMap<String, BTreeSet<String>>,
    action_index: BTreeMap<String, usize>,
    slot_index: BTreeMap<String, usize>,
}

impl Universe {
    /// Returns the index spaces of `domain`, defaults included.
    pub fn new(domain: &Domain) -> Self {
        let actions = actions(domain);
        let mut entities: Vec<&Entity> = domain.entities.iter().collect();
        entities.sort_by(|a, b| a.name.cmp(&b.name));
        let slots = slots(domain);
        let action_index = index(actions.iter());
        let slot_index = index(slots.iter().map(|slot| &slot.name));
        let used_entities = domain
            .intents
            .iter()
            .map(|intent| (intent.name.clone(), used_entities(intent, &domain.entities)))
            .chain(default_intents(domain))
            .collect();
        Self {
            intents: intents(domain),
            entities: entities.iter().map(|e| e.name.clone()).collect(),
            entity_states: entity_states(&entities),
            slot_states: slot_states(&slots),
            slots,
            actions,
            forms: domain.forms.clone(),
            store_entities_as_slots: domain.store_entities_as_slots,
            used_entities,
            action_index,
            slot_index,
        }
    }

    /// Returns all intents, sorted, default intents included.
    pub fn intents(&self) -> &[String] {
        &self.intents
    }

    /// Returns the entity types, sorted.
    pub fn entities(&self) -> &[String] {
        &self.entities
    }

    /// Returns entity types, then all `type#role`, then all `type#group`.
    pub fn entity_states(&self) -> &[String] {
        &self.entity_states
    }

    /// Returns all slots, default slots last.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Returns the slot of this name.
    pub fn slot(&self, name: &str) -> Option<&Slot> {
        self.slot_index.get(name).map(|&index| &self.slots[index])
    }

    /// Returns one name `slot_i` for each feature of each slot.
    pub fn slot_states(&self) -> &[String] {
        &self.slot_states
    }

    /// Returns action names, then end-to-end texts: the space of all predictions.
    pub fn actions(&self) -> &[String] {
        &self.actions
    }

    /// Returns the index of an action name or text.
    pub fn action_index(&self, action: &str) -> Option<usize> {
        self.action_index.get(action).copied()
    }

    /// Returns the forms in domain order.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// Returns whether entities fill slots right after a user message.
    pub fn stores_entities_as_slots(&self) -> bool {
        self.store_entities_as_slots
    }

    /// Returns whether messages of `intent` may show the entity `label`
    /// (`type`, `type#role` or `type#group`). An unknown intent shows all.
    pub fn is_entity_used(&self, intent: Option<&str>, label: &str) -> bool {
        match intent.and_then(|intent| self.used_entities.get(intent)) {
            Some(used) => used.contains(label),
            None => true,
        }
    }
}

fn index<'a>(names: impl Iterator<Item = &'a String>) -> BTreeMap<String, usize> {
    let mut index = BTreeMap::new();
    for (i, name) in names.enumerate() {
        index.entry(name.clone()).or_insert(i);
    }
    index
}

fn intents(domain: &Domain) -> Vec<String> {
    let names: BTreeSet<String> = domain
        .intents
        .iter()
        .map(|intent| intent.name.clone())
        .chain(DEFAULT_INTENTS.map(str::to_owned))
        .collect();
    names.into_iter().collect()
}

/// Default intents that the domain does not list; they use every entity.
fn default_intents(domain: &Domain) -> Vec<(String, BTreeSet<String>)> {
    DEFAULT_INTENTS
        .iter()
        .filter(|name| !domain.intents.iter().any(|intent| intent.name == **name))
        .map(|name| {
            let intent = Intent {
                name: (*name).to_owned(),
                ..Intent::default()
            };
            (
                intent.name.clone(),
                used_entities(&intent, &domain.entities),
            )
        })
        .collect()
}

fn roles(entity: &Entity) -> impl Iterator<Item = String> + '_ {
    entity
        .roles
        .iter()
        .map(|role| format!("{}#{role}", entity.name))
}

fn groups(entity: &Entity) -> impl Iterator<Item = String> + '_ {
    entity
        .groups
        .iter()
        .map(|group| format!("{}#{group}", entity.name))
}

fn entity_states(entities: &[&Entity]) -> Vec<String> {
    entities
        .iter()
        .map(|entity| entity.name.clone())
        .chain(entities.iter().flat_map(|entity| roles(entity)))
        .chain(entities.iter().flat_map(|entity| groups(entity)))
        .collect()
}

/// Rasa 3.6: an entity that does not influence the conversation loses its own
/// label with intents that use all entities, but keeps its roles and groups.
fn used_entities(intent: &Intent, entities: &[Entity]) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for entity in entities {
        let (plain, labels) = match &intent.used_entities {
            UsedEntities::All => (entity.influences, true),
            UsedEntities::Only(names) => {
                let named = names.contains(&entity.name);
                (named, named)
            }
            UsedEntities::AllBut(names) => {
                let named = names.contains(&entity.name);
                (entity.influences && !named, !named)
            }
        };
        if plain {
            used.insert(entity.name.clone());
        }
        if labels {
            used.extend(roles(entity).chain(groups(entity)));
        }
    }
    if let UsedEntities::Only(names) = &intent.used_entities {
        used.extend(names.iter().cloned());
    }
    used
}

fn actions(domain: &Domain) -> Vec<String> {
    let listed = domain.actions.iter().chain(domain.responses.keys());
    let listed = listed.chain(domain.forms.iter().map(|form| &form.name));
    let listed = listed.chain(&domain.e2e_actions).map(String::as_str);
    let mut seen: HashSet<&str> = HashSet::new();
    let all = DEFAULT_ACTIONS.iter().copied().chain(listed);
    let first = all.filter(|name| seen.insert(name));
    first.map(str::to_owned).collect()
}

fn slots(domain: &Domain) -> Vec<Slot> {
    let mut slots = domain.slots.clone();
    let mut add = |name: &str, kind: SlotKind| {
        if !slots.iter().any(|slot| slot.name == name) {
            slots.push(default_slot(name, kind));
        }
    };
    if !domain.forms.is_empty() {
        add(REQUESTED_SLOT, SlotKind::Text);
    }
    if domain
        .actions
        .iter()
        .any(|name| name == "action_query_knowledge_base")
    {
        add("knowledge_base_listed_objects", SlotKind::Text);
        add("knowledge_base_last_object", SlotKind::Text);
        add("knowledge_base_last_object_type", SlotKind::Text);
    }
    add("session_started_metadata", SlotKind::Any);
    slots
}

fn default_slot(name: &str, kind: SlotKind) -> Slot {
    Slot {
        name: name.to_owned(),
        kind,
        initial_value: Value::Null,
        influences: false,
        auto_fill: false,
        mappings: Vec::new(),
        place: Place::default(),
    }
}

fn slot_states(slots: &[Slot]) -> Vec<String> {
    slots
        .iter()
        .flat_map(|slot| (0..slot_features::count(slot)).map(|i| format!("{}_{i}", slot.name)))
        .collect()
}
