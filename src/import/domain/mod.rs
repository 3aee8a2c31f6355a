//! Reads the sections of one domain file; `merge` makes one domain of several.

mod slots;
mod forms;
mod merge;

use std::collections::HashMap;

use crate::data::Entity;
use crate::data::Intent;
use crate::data::Place;
use crate::data::SessionConfig;
use crate::data::Slot;
use crate::data::UsedEntities;
use crate::diagnostic::Diagnostic;
use crate::import::domain::forms::FormPart;
use crate::import::names::DEFAULT_ACTIONS;
use crate::import::reading::Reading;
use crate::import::responses;
use crate::import::responses::NamedResponse;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

pub use merge::merge;

/// The version of the domain format, which decides whether slots need mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Slots are filled by entities of the same name and by forms.
    Two,
    /// Slots have `mappings`.
    Three,
}

/// What one file says.
#[derive(Debug, Default)]
pub struct DomainPart {
    intents: Vec<Intent>,
    entities: Vec<Entity>,
    slots: Vec<Slot>,
    responses: Vec<NamedResponse>,
    actions: Vec<(String, Place)>,
    forms: Vec<FormPart>,
    e2e_actions: Vec<String>,
    session: Option<SessionConfig>,
    store_entities_as_slots: Option<bool>,
    /// Places of `triggers`, checked when all actions are known.
    triggers: Vec<(String, Place)>,
}

/// Sections of a domain and of the other files that may stand in the same file.
const KNOWN_KEYS: &[&str] = &[
    "version",
    "intents",
    "entities",
    "slots",
    "responses",
    "actions",
    "forms",
    "e2e_actions",
    "session_config",
    "config",
    "templates",
    "nlu",
    "stories",
    "rules",
];

/// Reads the domain sections of a file.
pub fn read(root: &Node, reading: &mut Reading) -> DomainPart {
    let mut part = DomainPart::default();
    let format = format(root);
    for entry in root.entries() {
        let value = &entry.value;
        match entry.key.as_str() {
            "intents" => intents(value, &mut part, reading),
            "entities" => entities(value, &mut part, reading),
            "slots" => part.slots = slots::read(value, format, reading),
            "responses" => part.responses = responses::read(value, reading),
            "actions" => actions(value, &mut part, reading),
            "forms" => part.forms = forms::read(value, reading),
            "e2e_actions" => part.e2e_actions = reading.names(Some(value), "`e2e_actions`"),
            "session_config" => part.session = Some(session(value, reading)),
            "config" => {
                let store = value.get("store_entities_as_slots");
                let what = "`store_entities_as_slots`";
                part.store_entities_as_slots = reading.flag(store, what);
            }
            "templates" => {
                let about = reading
                    .about("E211", &entry.at, "`templates` of Rasa 1 is not read yet")
                    .help("rename the section to `responses`");
                reading.diagnostics.push(about);
            }
            key if KNOWN_KEYS.contains(&key) => {}
            key => {
                let about = reading
                    .about("W218", &entry.at, format!("unknown section `{key}`"))
                    .suggest(key, KNOWN_KEYS.iter().copied());
                // An unknown section is only worth a word if it looks like a typo.
                if about.help.is_some() {
                    reading.diagnostics.push(about);
                }
            }
        }
    }
    part
}

/// Returns which rules a file is read by.
///
/// Differs from Rasa: 3.6 reads every file as 3.1 and refuses slots without
/// mappings. Here a file of version 2, or one without version whose slots all
/// lack mappings, is read by the rules of Rasa 2.
fn format(root: &Node) -> Format {
    match root.get("version").and_then(Node::text) {
        Some(version) if version.starts_with('2') => Format::Two,
        Some(_) => Format::Three,
        None => {
            let slots = root.get("slots").map(Node::entries).unwrap_or_default();
            let mapped = slots
                .iter()
                .any(|slot| slot.value.get("mappings").is_some());
            match mapped || slots.is_empty() {
                true => Format::Three,
                false => Format::Two,
            }
        }
    }
}

/// A name or a map of one name to options, as intents, entities and actions
/// are listed.
fn named<'n>(
    item: &'n Node,
    what: &str,
    reading: &mut Reading,
) -> Option<(String, Place, Option<&'n Node>)> {
    if !matches!(item.yaml, Yaml::Map(_)) {
        let name = reading.word(item, what)?;
        return Some((name.to_owned(), reading.place(item), None));
    }
    let [entry] = item.entries() else {
        let message = format!("{what} with options is a map of one name");
        reading.say("E010", item, message);
        return None;
    };
    if entry.value.is_null() {
        let message = format!("`{}` is followed by a colon and nothing", entry.key);
        let about = reading
            .about("E208", &entry.at, message)
            .help("take the colon away, or indent the options below the name");
        reading.diagnostics.push(about);
        return Some((entry.key.clone(), reading.place(&entry.at), None));
    }
    let options = Some(&entry.value);
    Some((entry.key.clone(), reading.place(&entry.at), options))
}

fn intents(node: &Node, part: &mut DomainPart, reading: &mut Reading) {
    for item in reading.list(node, "`intents`") {
        let Some((name, place, options)) = named(item, "an intent", reading) else {
            continue;
        };
        let mut intent = Intent {
            name,
            place,
            ..Intent::default()
        };
        if let Some(options) = options {
            reading.expect_map(options, "the options of an intent");
            intent.used_entities = used_entities(options, reading);
            let retrieval = options.get("is_retrieval_intent");
            intent.is_retrieval = reading
                .flag(retrieval, "`is_retrieval_intent`")
                .unwrap_or(false);
            if let Some(node) = options.get("triggers") {
                intent.triggers = reading.text_or_null(Some(node), "`triggers`");
                let action = intent.triggers.clone();
                part.triggers
                    .extend(action.map(|action| (action, reading.place(node))));
            }
        }
        part.intents.push(intent);
    }
    let listed = part.intents.iter().map(|i| (i.name.as_str(), &i.place));
    report_repeats("intent", listed, reading);
}

/// Reads `use_entities` and `ignore_entities`. What is in both is ignored.
fn used_entities(options: &Node, reading: &mut Reading) -> UsedEntities {
    let ignored = sorted(reading.names(options.get("ignore_entities"), "`ignore_entities`"));
    let used = match options.get("use_entities") {
        None => None,
        Some(node) => match node.to_json() {
            serde_json::Value::Bool(true) => None,
            serde_json::Value::Bool(false) | serde_json::Value::Null => Some(Vec::new()),
            _ => Some(sorted(reading.names(Some(node), "`use_entities`"))),
        },
    };
    let Some(mut used) = used else {
        return match ignored.is_empty() {
            true => UsedEntities::All,
            false => UsedEntities::AllBut(ignored),
        };
    };
    for name in &ignored {
        if used.contains(name) {
            let message = format!("entity `{name}` is both used and ignored: it is ignored");
            reading.say("W213", options, message);
        }
    }
    used.retain(|name| !ignored.contains(name));
    UsedEntities::Only(used)
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

fn entities(node: &Node, part: &mut DomainPart, reading: &mut Reading) {
    for item in reading.list(node, "`entities`") {
        let Some((name, place, options)) = named(item, "an entity", reading) else {
            continue;
        };
        let mut entity = Entity {
            name,
            place,
            influences: true,
            ..Entity::default()
        };
        if let Some(options) = options {
            reading.expect_map(options, "the options of an entity");
            entity.roles = reading.names(options.get("roles"), "`roles`");
            entity.groups = reading.names(options.get("groups"), "`groups`");
            let influences = options.get("influence_conversation");
            entity.influences = reading
                .flag(influences, "`influence_conversation`")
                .unwrap_or(true);
        }
        part.entities.push(entity);
    }
    let listed = part.entities.iter().map(|e| (e.name.as_str(), &e.place));
    report_repeats("entity", listed, reading);
}

/// Reads `actions`; default actions among them are left out, as Rasa does.
fn actions(node: &Node, part: &mut DomainPart, reading: &mut Reading) {
    for item in reading.list(node, "`actions`") {
        if let Some((name, place, _)) = named(item, "an action", reading) {
            part.actions.push((name, place));
        }
    }
    let listed = part
        .actions
        .iter()
        .map(|(name, place)| (name.as_str(), place));
    report_repeats("action", listed, reading);
    part.actions
        .retain(|(name, _)| !DEFAULT_ACTIONS.contains(&name.as_str()));
}

/// Reports names that one file lists twice.
fn report_repeats<'a>(
    what: &str,
    listed: impl Iterator<Item = (&'a str, &'a Place)>,
    reading: &mut Reading,
) {
    let mut first: HashMap<&str, &Place> = HashMap::new();
    for (name, place) in listed {
        if let Some(first) = first.get(name) {
            let message = format!("{what} `{name}` is listed twice");
            let about = Diagnostic::new("E201", place.clone(), message)
                .length(name.chars().count() as u32)
                .note(format!("first at {first}"));
            reading.diagnostics.push(about);
        } else {
            first.insert(name, place);
        }
    }
}

fn session(node: &Node, reading: &mut Reading) -> SessionConfig {
    reading.expect_map(node, "`session_config`");
    let default = SessionConfig::default();
    let minutes = node.get("session_expiration_time");
    let carry = node.get("carry_over_slots_to_new_session");
    SessionConfig {
        expiration_minutes: reading
            .number(minutes, "`session_expiration_time`")
            .unwrap_or(default.expiration_minutes),
        carry_over_slots: reading
            .flag(carry, "`carry_over_slots_to_new_session`")
            .unwrap_or(default.carry_over_slots),
    }
}
