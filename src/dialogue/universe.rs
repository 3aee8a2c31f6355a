//! The index spaces of a domain: every intent, entity label, slot feature,
//! action and form that policies can see, in Rasa's order.
//!
//! A [`Universe`] knows no response texts, so a changed text reaches no policy.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use foldhash::HashSet;
use foldhash::HashSetExt;
use serde_json::Value;

use crate::data::Domain;
use crate::data::Entity;
use crate::data::Form;
use crate::data::MappingKind;
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
#[derive(Clone, Debug, PartialEq)]
pub struct Universe {
    intents: Vec<String>,
    entities: Vec<String>,
    entity_states: Vec<String>,
    slots: Vec<Slot>,
    slot_states: Vec<String>,
    actions: Vec<String>,
    forms: Vec<Form>,
    store_entities_as_slots: bool,
    /// Which entities messages show, by intent. Not the labels themselves: they would
    /// be as many as intents times entities.
    shown: BTreeMap<String, Shown>,
    /// Whose label each of `entity_states` is.
    labels: BTreeMap<String, Vec<Label>>,
    action_index: BTreeMap<String, usize>,
    slot_index: BTreeMap<String, usize>,
    /// Indices of the slots that an entity type may fill.
    filled: BTreeMap<String, Vec<usize>>,
    /// Indices of the slots that have a value from the start.
    initial: Vec<usize>,
}

/// Which entities messages of an intent show.
#[derive(Clone, Debug, PartialEq)]
enum Shown {
    /// All of them.
    All,
    /// Those of these types or labels.
    Only(BTreeSet<String>),
    /// All but those of these types.
    AllBut(BTreeSet<String>),
}

/// An entity type, one of its roles or one of its groups.
#[derive(Clone, Debug, PartialEq)]
struct Label {
    entity: String,
    influences: bool,
    /// Whether it is the type itself.
    is_plain: bool,
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
        let numbered = slots.iter().enumerate();
        let initial = numbered.filter(|(_, slot)| !slot.initial_value.is_null());
        let initial = initial.map(|(at, _)| at).collect();
        Self {
            intents: intents(domain),
            entities: entities.iter().map(|e| e.name.clone()).collect(),
            entity_states: entity_states(&entities),
            slot_states: slot_states(&slots),
            filled: filled(&slots),
            initial,
            slots,
            actions,
            forms: domain.forms.clone(),
            store_entities_as_slots: domain.store_entities_as_slots,
            shown: shown(domain),
            labels: labels(&domain.entities),
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

    /// Returns the slots that entities of these types may fill, in their order.
    pub fn filled_by<'u>(
        &'u self,
        types: impl Iterator<Item = &'u str>,
    ) -> impl Iterator<Item = &'u Slot> {
        let places = types.filter_map(|name| self.filled.get(name)).flatten();
        let places: BTreeSet<usize> = places.copied().collect();
        places.into_iter().map(|at| &self.slots[at])
    }

    /// Returns the slots that have a value from the start.
    pub fn initial_slots(&self) -> impl Iterator<Item = &Slot> {
        self.initial.iter().map(|&at| &self.slots[at])
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
        let Some(shown) = intent.and_then(|intent| self.shown.get(intent)) else {
            return true;
        };
        let mut owners = self.labels.get(label).into_iter().flatten();
        matches!(shown, Shown::Only(used) if used.contains(label))
            || owners.any(|owner| owner.is_in(shown))
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

/// Returns what is shown with each intent: with a default one that the domain does
/// not list, everything.
fn shown(domain: &Domain) -> BTreeMap<String, Shown> {
    let default = DEFAULT_INTENTS.iter();
    let default = default.map(|name| ((*name).to_owned(), Shown::All));
    let listed = domain.intents.iter().map(|intent| {
        let names = |names: &[String]| names.iter().cloned().collect();
        let shown = match &intent.used_entities {
            UsedEntities::All => Shown::All,
            UsedEntities::Only(used) => Shown::Only(names(used)),
            UsedEntities::AllBut(ignored) => Shown::AllBut(names(ignored)),
        };
        (intent.name.clone(), shown)
    });
    default.chain(listed).collect()
}

/// Returns whose labels there are; two types may have one of the same name.
fn labels(entities: &[Entity]) -> BTreeMap<String, Vec<Label>> {
    let mut labels: BTreeMap<String, Vec<Label>> = BTreeMap::new();
    for entity in entities {
        let mut add = |name: String, is_plain: bool| {
            labels.entry(name).or_default().push(Label {
                entity: entity.name.clone(),
                influences: entity.influences,
                is_plain,
            });
        };
        add(entity.name.clone(), true);
        roles(entity)
            .chain(groups(entity))
            .for_each(|label| add(label, false));
    }
    labels
}

impl Label {
    /// Rasa 3.6: an entity that does not influence the conversation loses its own
    /// label with intents that use all entities, but keeps its roles and groups.
    fn is_in(&self, shown: &Shown) -> bool {
        let is_seen = self.influences || !self.is_plain;
        match shown {
            Shown::All => is_seen,
            Shown::Only(used) => used.contains(&self.entity),
            Shown::AllBut(ignored) => is_seen && !ignored.contains(&self.entity),
        }
    }
}

/// Returns the slots that an entity of each type may fill, in their order.
fn filled(slots: &[Slot]) -> BTreeMap<String, Vec<usize>> {
    let mut filled: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, slot) in slots.iter().enumerate() {
        let mapped = slot.mappings.iter().filter_map(|one| match &one.kind {
            MappingKind::FromEntity { entity, .. } => Some(entity),
            _ => None,
        });
        for entity in mapped.chain(slot.auto_fill.then_some(&slot.name)) {
            let places = filled.entry(entity.clone()).or_default();
            if places.last() != Some(&at) {
                places.push(at);
            }
        }
    }
    filled
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::Intent;

    /// All labels that are shown with an intent, one by one.
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

    fn entity() -> impl Strategy<Value = Entity> {
        let names = || prop::collection::vec("[ab]", 0..3);
        let name = prop::sample::select(vec!["a", "b", "c", "a#b"]);
        (name, names(), names(), any::<bool>()).prop_map(|(name, roles, groups, influences)| {
            Entity {
                name: name.to_owned(),
                roles,
                groups,
                influences,
                ..Entity::default()
            }
        })
    }

    fn used() -> impl Strategy<Value = UsedEntities> {
        let names =
            || prop::collection::vec(prop::sample::select(vec!["a", "b", "a#a", "z"]), 0..3);
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        prop_oneof![
            Just(UsedEntities::All),
            names().prop_map(move |names| UsedEntities::Only(owned(names))),
            names().prop_map(move |names| UsedEntities::AllBut(owned(names))),
        ]
    }

    /// Each pair of them would be four billion names.
    #[test]
    fn intents_and_slots_are_not_multiplied_with_entities() {
        let count = 1 << 16;
        let names = (0..count).map(|number| format!("n{number}"));
        let names: Vec<String> = names.collect();
        let intent = |name: &String| Intent {
            name: name.clone(),
            ..Intent::default()
        };
        let entity = |name: &String| Entity {
            name: name.clone(),
            influences: true,
            ..Entity::default()
        };
        let slot = |name: &String| Slot {
            auto_fill: true,
            ..default_slot(name, SlotKind::Text)
        };
        let universe = Universe::new(&Domain {
            intents: names.iter().map(intent).collect(),
            entities: names.iter().map(entity).collect(),
            slots: names.iter().map(slot).collect(),
            ..Domain::default()
        });
        for name in &names {
            assert!(universe.is_entity_used(Some(name), "n7"));
            let filled: Vec<&Slot> = universe.filled_by([name.as_str()].into_iter()).collect();
            assert_eq!(filled.len(), 1);
        }
        assert_eq!(universe.initial_slots().count(), 0);
    }

    proptest! {
        #[test]
        fn an_intent_shows_the_labels_that_it_uses(
            entities in prop::collection::vec(entity(), 0..4),
            used in used(),
        ) {
            let intent = Intent {
                name: "i".to_owned(),
                used_entities: used,
                ..Intent::default()
            };
            let universe = Universe::new(&Domain {
                intents: vec![intent.clone()],
                entities: entities.clone(),
                ..Domain::default()
            });
            let want = used_entities(&intent, &entities);
            for label in ["a", "b", "c", "z", "a#a", "a#b", "b#a", "b#b", "c#b", "a#b#a"] {
                let is_used = universe.is_entity_used(Some("i"), label);
                prop_assert_eq!(is_used, want.contains(label), "{}", label);
            }
        }
    }
}
