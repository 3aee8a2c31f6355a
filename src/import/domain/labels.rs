//! Reads `intents`, `entities` and `actions`: lists of names, each maybe with
//! options.

use foldhash::HashMap;
use foldhash::HashMapExt;

use crate::data::Entity;
use crate::data::Intent;
use crate::data::Place;
use crate::data::UsedEntities;
use crate::diagnostic::Diagnostic;
use crate::import::domain::DomainPart;
use crate::import::names::DEFAULT_ACTIONS;
use crate::import::reading::Reading;
use crate::import::yaml::Entry;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// A name with its place, and its options if it has some.
type Named<'n> = (String, Place, Option<&'n Node>);

/// Returns the names of an item: one, or those of a map of names to options.
fn named<'n>(item: &'n Node, what: &str, reading: &mut Reading) -> Vec<Named<'n>> {
    let Yaml::Map(entries) = &item.yaml else {
        let name = reading.text(item, what).map(str::to_owned);
        let place = reading.place(item);
        return name.map(|name| (name, place, None)).into_iter().collect();
    };
    let is_map = |entry: &Entry| matches!(entry.value.yaml, Yaml::Map(_));
    if entries.len() > 1 && !entries.iter().all(is_map) {
        let message = format!("{what} with options is a map of one name");
        let about = reading
            .about("E226", item, message)
            .help("indent the options further than the name: `- name:`, then `    option: …`");
        reading.diagnostics.push(about);
        let first = entries.first();
        let named = first.map(|one| (one.key.to_string(), reading.place(&one.at), None));
        return named.into_iter().collect();
    }
    let options = |entry: &'n Entry| {
        let place = reading.place(&entry.at);
        if is_nothing(&entry.value) {
            let message = format!("`{}` is followed by a colon and nothing", entry.key);
            let about = reading
                .about("E208", &entry.at, message)
                .help("take the colon away, or indent the options below the name");
            reading.diagnostics.push(about);
            return (entry.key.to_string(), place, None);
        }
        reading.expect_map(&entry.value, &format!("the options of {what}"));
        (entry.key.to_string(), place, Some(&entry.value))
    };
    entries.iter().map(options).collect()
}

fn is_nothing(node: &Node) -> bool {
    match &node.yaml {
        Yaml::Map(entries) => entries.is_empty(),
        Yaml::List(items) => items.is_empty(),
        Yaml::Scalar(_) => node.is_null(),
    }
}

/// Options of an intent.
const INTENT_KEYS: &[&str] = &[
    "use_entities",
    "ignore_entities",
    "is_retrieval_intent",
    "triggers",
    // Archives of Rasa 1 have it in place of the first two.
    "used_entities",
];

/// Options of an entity.
const ENTITY_KEYS: &[&str] = &["roles", "groups", "influence_conversation"];

/// Reads `intents`.
pub fn intents(node: &Node, part: &mut DomainPart, reading: &mut Reading) {
    let items = reading.list(node, "`intents`").iter();
    let items: Vec<Named<'_>> = items
        .flat_map(|item| named(item, "an intent", reading))
        .collect();
    for (name, place, options) in items {
        let mut intent = Intent {
            name,
            place,
            ..Intent::default()
        };
        if let Some(options) = options {
            let what = format_args!("intent `{}`", intent.name);
            reading.misspelt("W261", options, what, INTENT_KEYS);
            intent.used_entities = used_entities(options, reading);
            for key in ["use_entities", "ignore_entities"] {
                reading.places(options.get(key), &mut intent.entity_places);
            }
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

/// Reads `entities`.
pub fn entities(node: &Node, part: &mut DomainPart, reading: &mut Reading) {
    let items = reading.list(node, "`entities`").iter();
    let items: Vec<Named<'_>> = items
        .flat_map(|item| named(item, "an entity", reading))
        .collect();
    for (name, place, options) in items {
        let mut entity = Entity {
            name,
            place,
            influences: true,
            ..Entity::default()
        };
        if let Some(options) = options {
            let what = format_args!("entity `{}`", entity.name);
            reading.misspelt("W261", options, what, ENTITY_KEYS);
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
pub fn actions(node: &Node, part: &mut DomainPart, reading: &mut Reading) {
    let items = reading.list(node, "`actions`").iter();
    let items: Vec<Named<'_>> = items
        .flat_map(|item| named(item, "an action", reading))
        .collect();
    for (name, _, options) in &items {
        if let Some(options) = options {
            let what = format_args!("action `{name}`");
            reading.misspelt("W261", options, what, &["send_domain"]);
        }
    }
    let names = items.into_iter().map(|(name, place, _)| (name, place));
    part.actions.extend(names);
    let listed = part
        .actions
        .iter()
        .map(|(name, place)| (name.as_str(), place));
    report_repeats("action", listed, reading);
    part.actions
        .retain(|(name, _)| !DEFAULT_ACTIONS.contains(&name.as_str()));
}

/// Reports names that one file lists twice.
pub fn report_repeats<'a>(
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
