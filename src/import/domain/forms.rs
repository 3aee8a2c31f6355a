//! Reads `forms`: lists of slots as in Rasa 3, maps of slots to mappings as in
//! Rasa 2.

use crate::data::Form;
use crate::data::MappingCondition;
use crate::data::MappingKind;
use crate::data::SlotMapping;
use crate::import::domain::slots;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// A form, and the slot mappings that it brings along in Rasa 2.
#[derive(Clone, Debug)]
pub struct FormPart {
    /// The form.
    pub form: Form,
    /// Mappings by slot, for the slots of the domain.
    pub mappings: Vec<(String, Vec<SlotMapping>)>,
}

/// Reads the map of all forms.
pub fn read(node: &Node, reading: &mut Reading) -> Vec<FormPart> {
    if let Yaml::List(items) = &node.yaml
        && !items.is_empty()
    {
        let about = reading
            .about("E207", node, "`forms` is a map of forms, not a list")
            .help("forms of the old SDK are custom actions: list them under `actions`");
        reading.diagnostics.push(about);
        return Vec::new();
    }
    if !matches!(&node.yaml, Yaml::List(_)) {
        reading.expect_map(node, "`forms`");
    }
    node.entries()
        .iter()
        .map(|entry| form(&entry.key, &entry.at, &entry.value, reading))
        .collect()
}

fn form(name: &str, at: &Node, node: &Node, reading: &mut Reading) -> FormPart {
    let mut part = FormPart {
        form: Form {
            name: name.to_owned(),
            place: reading.place(at),
            ..Form::default()
        },
        mappings: Vec::new(),
    };
    if !matches!(node.yaml, Yaml::Map(_)) {
        if !node.is_null() {
            let what = format!("form `{name}` is a map with `required_slots`");
            reading.say("E207", node, what);
        }
        return part;
    }
    let ignored = node.get("ignored_intents");
    part.form.ignored_intents = reading.names(ignored, "`ignored_intents`");
    match node.get("required_slots") {
        Some(slots) => required_slots(slots, &mut part, reading),
        None if ignored.is_some() => {
            let what = format!("form `{name}` has `ignored_intents` but no `required_slots`");
            reading.say("E207", at, what);
        }
        // Rasa 2.0 to 2.5: the slots stood directly below the form.
        None => required_slots(node, &mut part, reading),
    }
    part
}

fn required_slots(node: &Node, part: &mut FormPart, reading: &mut Reading) {
    if matches!(node.yaml, Yaml::List(_)) {
        part.form.required_slots = reading.names(Some(node), "a required slot");
        return;
    }
    reading.expect_map(node, "`required_slots`");
    for entry in node.entries() {
        part.form.required_slots.push(entry.key.clone());
        let mut mappings = slots::mappings(&entry.key, &entry.value, reading);
        for mapping in &mut mappings {
            mapping.conditions = vec![condition(&part.form.name, &entry.key, &mapping.kind)];
        }
        part.mappings.push((entry.key.clone(), mappings));
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
