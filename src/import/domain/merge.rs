//! Makes one domain of the parts that files gave.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::data::Domain;
use crate::data::Place;
use crate::data::SessionConfig;
use crate::diagnostic::Diagnostic;
use crate::import::domain::DomainPart;
use crate::import::names::DEFAULT_SLOTS;

/// Merges parts in the order of files, in which the first wins.
///
/// Rasa 3.6: of two definitions the first file's is kept, with a warning; but
/// what the later files list comes first in the order of slots, actions and
/// forms, which decides about indices.
pub fn merge(parts: Vec<DomainPart>) -> (Domain, Vec<Diagnostic>) {
    let mut said = Vec::new();
    let mut columns = Columns::default();
    for part in parts {
        columns.take(part);
    }
    let mut intents = first_wins("intent", columns.intents, &mut said);
    intents.sort_by(|a, b| a.name.cmp(&b.name));
    let forms = first_wins("form", columns.forms, &mut said);
    let mut slots = first_wins("slot", columns.slots, &mut said);
    add_form_mappings(&mut slots, &forms);
    let form_names: HashSet<&str> = forms.iter().map(|form| form.form.name.as_str()).collect();
    let several = columns.actions.len() > 1;
    let actions: Vec<String> = first_wins("action", columns.actions, &mut said)
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !(several && form_names.contains(name.as_str())))
        .collect();
    let responses = first_wins("response", columns.responses, &mut said);
    let domain = Domain {
        intents,
        entities: first_wins("entity", columns.entities, &mut said),
        slots,
        responses: responses
            .into_iter()
            .map(|response| (response.name, response.variations))
            .collect::<BTreeMap<_, _>>(),
        actions,
        e2e_actions: columns.e2e_actions,
        session: columns.session.unwrap_or_default(),
        store_entities_as_slots: columns.store_entities_as_slots.unwrap_or(true),
        forms: forms.into_iter().map(|part| part.form).collect(),
    };
    check_forms(&domain, &mut said);
    check_triggers(&domain, &columns.triggers, &mut said);
    (domain, said)
}

/// The parts, section by section; each section one list a file.
#[derive(Default)]
struct Columns {
    intents: Vec<Vec<crate::data::Intent>>,
    entities: Vec<Vec<crate::data::Entity>>,
    slots: Vec<Vec<crate::data::Slot>>,
    responses: Vec<Vec<crate::import::responses::NamedResponse>>,
    actions: Vec<Vec<(String, Place)>>,
    forms: Vec<Vec<crate::import::domain::forms::FormPart>>,
    e2e_actions: Vec<String>,
    session: Option<SessionConfig>,
    store_entities_as_slots: Option<bool>,
    triggers: Vec<(String, Place)>,
}

impl Columns {
    fn take(&mut self, part: DomainPart) {
        self.intents.push(part.intents);
        self.entities.push(part.entities);
        self.slots.push(part.slots);
        self.responses.push(part.responses);
        self.actions.push(part.actions);
        self.forms.push(part.forms);
        self.triggers.extend(part.triggers);
        let first = self.intents.len() == 1;
        self.e2e_actions.extend(part.e2e_actions);
        if !first {
            self.e2e_actions.sort();
            self.e2e_actions.dedup();
        }
        // The default counts as not written.
        let session = part.session.filter(|s| *s != SessionConfig::default());
        self.session = self.session.take().or(session);
        self.store_entities_as_slots = self
            .store_entities_as_slots
            .or(part.store_entities_as_slots);
    }
}

/// Something with a name and a place.
trait Named {
    fn name(&self) -> &str;
    fn place(&self) -> &Place;
}

macro_rules! named {
    ($($type:ty => $name:ident, $place:ident;)*) => {
        $(impl Named for $type {
            fn name(&self) -> &str { &self.$name }
            fn place(&self) -> &Place { &self.$place }
        })*
    };
}

named! {
    crate::data::Intent => name, place;
    crate::data::Entity => name, place;
    crate::data::Slot => name, place;
    crate::import::responses::NamedResponse => name, place;
}

impl Named for (String, Place) {
    fn name(&self) -> &str {
        &self.0
    }

    fn place(&self) -> &Place {
        &self.1
    }
}

impl Named for crate::import::domain::forms::FormPart {
    fn name(&self) -> &str {
        &self.form.name
    }

    fn place(&self) -> &Place {
        &self.form.place
    }
}

/// Merges one list a file into one: values of the first file that has the name,
/// names of the last file first. A file's own repeats count once.
fn first_wins<T: Named>(what: &str, files: Vec<Vec<T>>, said: &mut Vec<Diagnostic>) -> Vec<T> {
    let mut winner: HashMap<String, T> = HashMap::new();
    let mut order: Vec<Vec<String>> = Vec::new();
    for file in files {
        let mut names = Vec::with_capacity(file.len());
        let mut own: HashSet<String> = HashSet::with_capacity(file.len());
        for item in file {
            let name = item.name().to_owned();
            if !own.insert(name.clone()) {
                continue;
            }
            names.push(name.clone());
            match winner.get(&name) {
                Some(first) => said.push(twice(what, &item, first)),
                None => {
                    winner.insert(name, item);
                }
            }
        }
        order.push(names);
    }
    let names = order.into_iter().rev().flatten();
    names.filter_map(|name| winner.remove(&name)).collect()
}

fn twice<T: Named>(what: &str, item: &T, first: &T) -> Diagnostic {
    let name = item.name();
    let message = format!("{what} `{name}` is defined in two files: the first one counts");
    Diagnostic::new("W212", item.place().clone(), message)
        .length(name.chars().count() as u32)
        .note(format!("first at {}", first.place()))
}

/// Gives slots the mappings that forms of Rasa 2 have for them.
fn add_form_mappings(
    slots: &mut [crate::data::Slot],
    forms: &[crate::import::domain::forms::FormPart],
) {
    let index: HashMap<String, usize> = slots
        .iter()
        .enumerate()
        .map(|(index, slot)| (slot.name.clone(), index))
        .collect();
    for (slot, mappings) in forms.iter().flat_map(|form| &form.mappings) {
        if let Some(index) = index.get(slot) {
            slots[*index].mappings.extend(mappings.iter().cloned());
        }
    }
}

/// Reports required slots that the domain does not have.
fn check_forms(domain: &Domain, said: &mut Vec<Diagnostic>) {
    let slots: HashSet<&str> = domain.slots.iter().map(|slot| slot.name.as_str()).collect();
    for form in &domain.forms {
        for slot in &form.required_slots {
            if !slots.contains(slot.as_str()) && !DEFAULT_SLOTS.contains(&slot.as_str()) {
                let message = format!("form `{}` asks for unknown slot `{slot}`", form.name);
                let known = domain.slots.iter().map(|slot| slot.name.as_str());
                said.push(
                    Diagnostic::new("E206", form.place.clone(), message)
                        .length(form.name.chars().count() as u32)
                        .help("define it under `slots`")
                        .suggest(slot, known),
                );
            }
        }
    }
}

/// Reports `triggers` that name no action.
fn check_triggers(domain: &Domain, triggers: &[(String, Place)], said: &mut Vec<Diagnostic>) {
    for (action, place) in triggers {
        if !crate::import::check::is_action(domain, action) {
            let message = format!("unknown action `{action}`");
            said.push(
                Diagnostic::new("E210", place.clone(), message)
                    .length(action.chars().count() as u32)
                    .suggest(action, domain.actions.iter().map(String::as_str)),
            );
        }
    }
}
