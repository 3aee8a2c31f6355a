//! Makes one domain of the parts that files gave.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::data::Domain;
use crate::data::Entity;
use crate::data::Intent;
use crate::data::Place;
use crate::data::Places;
use crate::data::SessionConfig;
use crate::data::Slot;
use crate::diagnostic::Diagnostic;
use crate::import::dialect::Dialect;
use crate::import::domain::DomainPart;
use crate::import::domain::forms::FormPart;
use crate::import::names::DEFAULT_SLOTS;
use crate::import::responses::NamedResponse;

/// Merges parts in the order of files, by the rules of a version of Rasa.
///
/// See [`Dialect`] for what these are. Which definition counts is said in a
/// warning; that two files say the same is a note.
pub fn merge(parts: Vec<DomainPart>, dialect: Dialect) -> (Domain, Vec<Diagnostic>) {
    let mut merge = Merge {
        dialect,
        groups: parts.iter().map(|part| part.group).collect(),
        several: parts.iter().filter(|part| !part.is_empty()).count() > 1,
        said: Vec::new(),
    };
    let mut columns = Columns::default();
    for part in parts {
        columns.take(part);
    }
    merge.drop_forms(&mut columns);
    let triggers = std::mem::take(&mut columns.triggers);
    let domain = merge.domain(columns);
    let mut said = merge.said;
    check_forms(&domain, &mut said);
    check_triggers(&domain, &triggers, &mut said);
    (domain, said)
}

/// How columns of several files become one.
struct Merge {
    dialect: Dialect,
    /// The group of each file, in file order: a group is one path that was named.
    groups: Vec<usize>,
    /// Whether more than one file defines anything.
    several: bool,
    said: Vec<Diagnostic>,
}

/// The parts, section by section; each section one list a file.
#[derive(Default)]
struct Columns {
    intents: Vec<Vec<Intent>>,
    entities: Vec<Vec<Entity>>,
    slots: Vec<Vec<Slot>>,
    responses: Vec<Vec<NamedResponse>>,
    actions: Vec<Vec<(String, Place)>>,
    forms: Vec<Vec<FormPart>>,
    e2e_actions: Vec<Vec<String>>,
    sessions: Vec<Option<SessionConfig>>,
    stores: Vec<Option<bool>>,
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
        self.e2e_actions.push(part.e2e_actions);
        // The default counts as not written.
        let session = part.session.filter(|s| *s != SessionConfig::default());
        self.sessions.push(session);
        self.stores.push(part.store_entities_as_slots);
        self.triggers.extend(part.triggers);
    }
}

impl Merge {
    fn domain(&mut self, columns: Columns) -> Domain {
        let mut intents = self.named("intent", columns.intents);
        intents.sort_by(|a, b| a.name.cmp(&b.name));
        let forms = self.named("form", columns.forms);
        let mut slots = self.named("slot", columns.slots);
        add_form_mappings(&mut slots, &forms);
        let mut entities = self.named("entity", columns.entities);
        let mut actions = self.named("action", columns.actions);
        if self.several && self.dialect == Dialect::Two {
            entities.sort_by(|a, b| a.name.cmp(&b.name));
            actions.sort_by(|a, b| a.0.cmp(&b.0));
        }
        let mut e2e_actions: Vec<String> = columns.e2e_actions.into_iter().flatten().collect();
        if self.several {
            e2e_actions.sort();
            e2e_actions.dedup();
        }
        let responses = self.named("response", columns.responses);
        let response_places = responses.iter();
        let response_places = response_places.map(|one| (one.name.clone(), one.place.clone()));
        Domain {
            response_places: Places(response_places.collect()),
            action_places: Places(actions.iter().cloned().collect()),
            intents,
            entities,
            slots,
            responses: responses
                .into_iter()
                .map(|response| (response.name, response.variations))
                .collect::<BTreeMap<_, _>>(),
            actions: actions.into_iter().map(|(name, _)| name).collect(),
            e2e_actions,
            session: self.single(columns.sessions).unwrap_or_default(),
            store_entities_as_slots: self.single(columns.stores).unwrap_or(true),
            forms: forms.into_iter().map(|part| part.form).collect(),
        }
    }

    /// Merges one list a file into one. A file's own repeats count once.
    fn named<T: Named>(&mut self, what: &str, files: Vec<Vec<T>>) -> Vec<T> {
        let files = match self.dialect {
            Dialect::Two => self.folders(what, files),
            Dialect::Three => files,
        };
        self.first_wins(what, files)
    }

    /// Merges the files of each folder by the rules of Rasa 2: the last file
    /// that has a name wins, in the order of first mention.
    fn folders<T: Named>(&mut self, what: &str, files: Vec<Vec<T>>) -> Vec<Vec<T>> {
        let mut folders: Vec<Vec<T>> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        let mut last = None;
        for (file, group) in files.into_iter().zip(self.groups.clone()) {
            if last != Some(group) {
                folders.push(Vec::new());
                index.clear();
                last = Some(group);
            }
            let Some(folder) = folders.last_mut() else {
                continue;
            };
            for item in without_repeats(file) {
                match index.get(item.name()) {
                    Some(&at) => {
                        let about = twice(what, &item, &folder[at], "the later one counts");
                        self.said.push(about);
                        folder[at] = item;
                    }
                    None => {
                        index.insert(item.name().to_owned(), folder.len());
                        folder.push(item);
                    }
                }
            }
        }
        folders
    }

    /// Keeps the value of the first list that has a name, and the names of the
    /// last list first.
    fn first_wins<T: Named>(&mut self, what: &str, files: Vec<Vec<T>>) -> Vec<T> {
        let mut winner: HashMap<String, T> = HashMap::new();
        let mut order: Vec<Vec<String>> = Vec::new();
        for file in files {
            let mut names = Vec::with_capacity(file.len());
            for item in without_repeats(file) {
                let name = item.name().to_owned();
                names.push(name.clone());
                match winner.get(&name) {
                    Some(first) => {
                        let about = twice(what, &item, first, "the first one counts");
                        self.said.push(about);
                    }
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

    /// Returns the value of the file that counts.
    fn single<T>(&self, files: Vec<Option<T>>) -> Option<T> {
        let mut found: Option<(usize, T)> = None;
        for (value, &group) in files.into_iter().zip(&self.groups) {
            let Some(value) = value else { continue };
            let in_one_folder = found.as_ref().is_some_and(|(of, _)| *of == group);
            if found.is_none() || (in_one_folder && self.dialect == Dialect::Two) {
                found = Some((group, value));
            }
        }
        found.map(|(_, value)| value)
    }

    /// Drops actions that are forms of a file which counts more: an earlier
    /// path's, and of the same folder an earlier one with Rasa 3, a later one
    /// with Rasa 2.
    fn drop_forms(&self, columns: &mut Columns) {
        let mut earlier: HashSet<String> = HashSet::new();
        let mut start = 0;
        for folder in self.groups.chunk_by(|a, b| a == b) {
            let mut own: HashSet<String> = HashSet::new();
            let mut files: Vec<usize> = (start..start + folder.len()).collect();
            if self.dialect == Dialect::Two {
                files.reverse();
            }
            for file in files {
                let kept = |name: &String| !own.contains(name) && !earlier.contains(name);
                columns.actions[file].retain(|(name, _)| kept(name));
                let forms = columns.forms[file].iter();
                own.extend(forms.map(|part| part.form.name.clone()));
            }
            earlier.extend(own);
            start += folder.len();
        }
    }
}

/// Returns the first item of each name.
fn without_repeats<T: Named>(file: Vec<T>) -> Vec<T> {
    let mut own: HashSet<String> = HashSet::with_capacity(file.len());
    let mut file = file;
    file.retain(|item| own.insert(item.name().to_owned()));
    file
}

/// Something with a name and a place.
trait Named {
    fn name(&self) -> &str;
    fn place(&self) -> &Place;
    /// Whether two items of one name say the same.
    fn is_like(&self, other: &Self) -> bool;
}

macro_rules! named {
    ($($type:ty => $name:ident, $place:ident;)*) => {
        $(impl Named for $type {
            fn name(&self) -> &str { &self.$name }
            fn place(&self) -> &Place { &self.$place }
            fn is_like(&self, other: &Self) -> bool { self == other }
        })*
    };
}

named! {
    Intent => name, place;
    Entity => name, place;
    Slot => name, place;
    NamedResponse => name, place;
}

impl Named for (String, Place) {
    fn name(&self) -> &str {
        &self.0
    }

    fn place(&self) -> &Place {
        &self.1
    }

    fn is_like(&self, _: &Self) -> bool {
        true
    }
}

impl Named for FormPart {
    fn name(&self) -> &str {
        &self.form.name
    }

    fn place(&self) -> &Place {
        &self.form.place
    }

    fn is_like(&self, other: &Self) -> bool {
        self.form == other.form && self.mappings == other.mappings
    }
}

/// Says that a name is defined in two files, and which of them counts.
fn twice<T: Named>(what: &str, item: &T, first: &T, counts: &str) -> Diagnostic {
    let name = item.name();
    let (code, message) = match item.is_like(first) {
        true => ("N229", format!("{what} `{name}` is listed in two files")),
        false => {
            let message = format!("{what} `{name}` is defined in two files: {counts}");
            ("W212", message)
        }
    };
    Diagnostic::new(code, item.place().clone(), message)
        .length(name.chars().count() as u32)
        .note(format!("first at {}", first.place()))
}

/// Gives slots the mappings that forms of Rasa 2 have for them.
fn add_form_mappings(slots: &mut [Slot], forms: &[FormPart]) {
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
                    Diagnostic::new("W206", form.place.clone(), message)
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
    let known = crate::import::check::actions(domain);
    for (action, place) in triggers {
        if !known.contains(action.as_str()) {
            let message = format!("unknown action `{action}`");
            said.push(
                Diagnostic::new("E210", place.clone(), message)
                    .length(action.chars().count() as u32)
                    .suggest(action, domain.actions.iter().map(String::as_str)),
            );
        }
    }
}
