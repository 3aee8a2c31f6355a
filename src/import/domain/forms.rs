//! Reads `forms`: lists of slots as in Rasa 3, maps of slots to mappings as in
//! Rasa 2, names alone as in Rasa 1.

use crate::data::Form;
use crate::data::MappingCondition;
use crate::data::MappingKind;
use crate::data::SlotMapping;
use crate::import::domain::slots;
use crate::import::reading::Reading;
use crate::import::yaml::Entry;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// A form, and the slot mappings that it brings along in Rasa 2.
#[derive(Clone, Debug)]
pub struct FormPart {
    /// The form.
    pub form: Form,
    /// Mappings by slot, for the slots of the domain.
    pub mappings: Vec<(String, Vec<SlotMapping>)>,
    /// Whether it was listed by its name alone, so that its code is an action.
    pub is_action: bool,
}

/// How the forms of one file are written, for one note about all of them.
#[derive(Default)]
struct Old<'n> {
    names: Vec<&'n Node>,
    maps: Vec<&'n Node>,
}

/// Reads all forms.
///
/// Rasa 2.8: a list of names is the form of Rasa 1, whose forms are custom
/// actions of the SDK. Differs from Rasa: a list may hold maps, too, and 3.6
/// would refuse all but the form of Rasa 3.
pub fn read(node: &Node, reading: &mut Reading) -> Vec<FormPart> {
    let mut old = Old::default();
    let mut forms = Vec::new();
    match &node.yaml {
        Yaml::List(items) => {
            for item in items {
                match &item.yaml {
                    Yaml::Map(entries) => {
                        let read = entries.iter().map(|entry| form(entry, &mut old, reading));
                        forms.extend(read);
                    }
                    _ => forms.extend(sdk_form(item, &mut old, reading)),
                }
            }
        }
        Yaml::Map(entries) => {
            forms.extend(entries.iter().map(|entry| form(entry, &mut old, reading)));
        }
        Yaml::Scalar(_) => {
            let about = reading
                .about(
                    "E207",
                    node,
                    format!("`forms` must be a map of forms, not {}", node.kind()),
                )
                .help("take the line away, or write `forms: {}`");
            reading.diagnostics.push(about);
        }
    }
    tell(&old, reading);
    forms
}

/// Notes that forms are written as in Rasa 1 or 2.
fn tell(old: &Old<'_>, reading: &mut Reading) {
    if let Some(first) = old.names.first() {
        let what = match old.names.len() {
            1 => "a form is listed by its name, as in Rasa 1".to_owned(),
            count => format!("{count} forms are listed by their names, as in Rasa 1"),
        };
        let about = reading
            .about("N222", first, what)
            .note("each is read as a form and as the custom action of its name")
            .help("write `forms: {name: {required_slots: […]}}`");
        reading.diagnostics.push(about);
    }
    if let Some(first) = old.maps.first() {
        let what = match old.maps.len() {
            1 => "a form holds slot mappings, as in Rasa 2".to_owned(),
            count => format!("{count} forms hold slot mappings, as in Rasa 2"),
        };
        let about = reading
            .about("N223", first, what)
            .note("the mappings are read as those of the slots, while the form is active")
            .help("list the slots' names under `required_slots`, and put their `mappings` under `slots`");
        reading.diagnostics.push(about);
    }
}

fn empty(name: &str, at: &Node, reading: &Reading) -> FormPart {
    FormPart {
        form: Form {
            name: name.to_owned(),
            place: reading.place(at),
            ..Form::default()
        },
        mappings: Vec::new(),
        is_action: false,
    }
}

fn sdk_form<'n>(item: &'n Node, old: &mut Old<'n>, reading: &mut Reading) -> Option<FormPart> {
    let name = reading.text(item, "a form")?;
    old.names.push(item);
    Some(FormPart {
        is_action: true,
        ..empty(name, item, reading)
    })
}

fn form<'n>(entry: &'n Entry, old: &mut Old<'n>, reading: &mut Reading) -> FormPart {
    let (name, at, node) = (&entry.key, &entry.at, &entry.value);
    let mut part = empty(name, at, reading);
    let Yaml::Map(entries) = &node.yaml else {
        if !node.is_null() {
            let what = format!("form `{name}` is a map with `required_slots`");
            reading.say("E207", node, what);
        }
        return part;
    };
    let is_misspelt = misspelt(entry, reading);
    let ignored = node.get("ignored_intents");
    part.form.ignored_intents = reading.names(ignored, "`ignored_intents`");
    match node.get("required_slots") {
        Some(slots) => required_slots(slots, at, &mut part, old, reading),
        None if is_misspelt => {}
        None if ignored.is_some() => {
            let what = format!("form `{name}` has `ignored_intents` but no `required_slots`");
            reading.say("E207", at, what);
        }
        // Rasa 2.0 to 2.5: the slots stood directly below the form.
        None if !entries.is_empty() => required_slots(node, at, &mut part, old, reading),
        None => {}
    }
    part
}

/// Keys of a form.
const KEYS: &[&str] = &["required_slots", "ignored_intents"];

/// Warns of keys that are near to those of a form, and returns whether there is
/// one. A list of slot mappings is none: Rasa 2.0 has them below the slot's name.
fn misspelt(entry: &Entry, reading: &mut Reading) -> bool {
    let of_slots = |one: &Entry| match &one.value.yaml {
        Yaml::List(items) => items.iter().all(|item| matches!(item.yaml, Yaml::Map(_))),
        _ => false,
    };
    if entry.value.entries().iter().all(of_slots) {
        return false;
    }
    let count = reading.diagnostics.len();
    let what = format_args!("form `{}`", entry.key);
    reading.misspelt("W261", &entry.value, what, KEYS);
    reading.diagnostics.len() > count
}

fn required_slots<'n>(
    node: &'n Node,
    at: &'n Node,
    part: &mut FormPart,
    old: &mut Old<'n>,
    reading: &mut Reading,
) {
    if matches!(node.yaml, Yaml::List(_)) {
        part.form.required_slots = reading.names(Some(node), "a required slot");
        return;
    }
    reading.expect_map(node, "`required_slots`");
    if !node.entries().is_empty() {
        old.maps.push(at);
    }
    for entry in node.entries() {
        part.form.required_slots.push(entry.key.to_string());
        let mut mappings = slots::mappings(&entry.key, &entry.value, reading);
        for mapping in &mut mappings {
            mapping.conditions = vec![condition(&part.form.name, &entry.key, &mapping.kind)];
        }
        part.mappings.push((entry.key.to_string(), mappings));
    }
}

/// Returns the condition under which Rasa 2 uses a form's mapping: the form is
/// active and, for values that any message could give, the slot is asked for.
/// `rasa data migrate` of Rasa 3 writes the same.
fn condition(form: &str, slot: &str, kind: &MappingKind) -> MappingCondition {
    let asked = matches!(kind, MappingKind::FromIntent { .. } | MappingKind::FromText);
    MappingCondition {
        active_loop: Some(form.to_owned()),
        requested_slot: asked.then(|| slot.to_owned()),
    }
}
