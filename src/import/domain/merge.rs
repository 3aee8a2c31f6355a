//! Makes one domain of the parts that files gave.
//!
//! Neither the order nor the names of files can be seen in what comes out, but
//! where two define the same thing differently, which is said.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;
use foldhash::HashMapExt;
use foldhash::HashSet;
use foldhash::HashSetExt;

use crate::data::Domain;
use crate::data::Entity;
use crate::data::Intent;
use crate::data::Place;
use crate::data::Places;
use crate::data::SessionConfig;
use crate::data::Slot;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Suggestions;
use crate::import::check::HasDomain;
use crate::import::dialect::Dialect;
use crate::import::domain::DomainPart;
use crate::import::domain::forms::FormPart;
use crate::import::names::DEFAULT_SLOTS;
use crate::import::responses::NamedResponse;

/// Merges parts in the order of files, by the rules of a version of Rasa.
///
/// See [`Dialect`] for what these are. Which definition counts is said in a
/// warning; that two files say the same is a note.
/// Names are compared only if there is a domain that could be read.
pub fn merge(
    parts: Vec<DomainPart>,
    dialect: Dialect,
    has_domain: HasDomain,
) -> (Domain, Vec<Diagnostic>) {
    let mut merge = Merge {
        dialect,
        groups: parts.iter().map(|part| part.group).collect(),
        said: Vec::new(),
    };
    let mut columns = Columns::default();
    for part in parts {
        columns.take(part);
    }
    drop_forms(&mut columns);
    let triggers = std::mem::take(&mut columns.triggers);
    let domain = merge.domain(columns);
    let mut said = merge.said;
    if has_domain == HasDomain::Yes {
        check_forms(&domain, &mut said);
        check_triggers(&domain, &triggers, &mut said);
    }
    (domain, said)
}

/// How columns of several files become one.
struct Merge {
    dialect: Dialect,
    /// The group of each file, in file order: a group is one path that was named.
    groups: Vec<usize>,
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
    sessions: Vec<Option<(SessionConfig, Place)>>,
    stores: Vec<Option<(bool, Place)>>,
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
        let session = part
            .session
            .filter(|(session, _)| *session != SessionConfig::default());
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
        let entities = self.named("entity", columns.entities);
        let actions = self.named("action", columns.actions);
        let is_in_several = is_in_several(&columns.e2e_actions);
        let mut e2e_actions: Vec<String> = columns.e2e_actions.into_iter().flatten().collect();
        if is_in_several {
            e2e_actions.sort();
            e2e_actions.dedup();
        }
        let responses = self.named("response", columns.responses);
        let response_places = responses.iter();
        let response_places = response_places.map(|one| (one.name.clone(), one.place.clone()));
        Domain {
            response_places: Places(Arc::new(response_places.collect())),
            action_places: Places(Arc::new(actions.iter().cloned().collect())),
            intents,
            entities,
            slots,
            responses: responses
                .into_iter()
                .map(|response| (response.name, response.variations))
                .collect::<BTreeMap<_, _>>()
                .into(),
            actions: actions.into_iter().map(|(name, _)| name).collect(),
            e2e_actions,
            session: self
                .single("session_config", columns.sessions)
                .unwrap_or_default(),
            store_entities_as_slots: self
                .single("store_entities_as_slots", columns.stores)
                .unwrap_or(true),
            forms: forms.into_iter().map(|part| part.form).collect(),
        }
    }

    /// Merges one list a file into one. A file's own repeats count once.
    ///
    /// The list of one file keeps its order, and what several files list is
    /// sorted by name. Rasa 2.8 sorts entities and actions after each merge, and
    /// appends the rest; differs from Rasa: 3.6 has later files first.
    fn named<T: Named>(&mut self, what: &str, files: Vec<Vec<T>>) -> Vec<T> {
        let is_in_several = is_in_several(&files);
        let files = match self.dialect {
            Dialect::Two => self.folders(what, files),
            Dialect::Three => files,
        };
        let mut merged = self.first_wins(what, files);
        if is_in_several {
            merged.sort_by(|a, b| a.name().cmp(b.name()));
        }
        merged
    }

    /// Merges the files of each folder by the rules of Rasa 2: the last file
    /// that has a name wins.
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

    /// Keeps of each name the item of the first list that has it.
    fn first_wins<T: Named>(&mut self, what: &str, files: Vec<Vec<T>>) -> Vec<T> {
        let mut kept: Vec<T> = Vec::new();
        let mut index: HashMap<String, usize> = HashMap::new();
        for file in files {
            for item in without_repeats(file) {
                match index.get(item.name()) {
                    Some(&at) => {
                        let about = twice(what, &item, &kept[at], "the first one counts");
                        self.said.push(about);
                    }
                    None => {
                        index.insert(item.name().to_owned(), kept.len());
                        kept.push(item);
                    }
                }
            }
        }
        kept
    }

    /// Returns the value of the file that counts, and says so where another has
    /// another one.
    fn single<T: PartialEq>(&mut self, key: &str, files: Vec<Option<(T, Place)>>) -> Option<T> {
        let mut found: Option<(usize, T, Place)> = None;
        for (one, &group) in files.into_iter().zip(&self.groups) {
            let Some((value, place)) = one else { continue };
            let Some((of, first, first_place)) = &found else {
                found = Some((group, value, place));
                continue;
            };
            let is_later = *of == group && self.dialect == Dialect::Two;
            if *first != value {
                let counts = match is_later {
                    true => "the later one counts",
                    false => "the first one counts",
                };
                let message = format!("`{key}` is set in two files: {counts}");
                let about = Diagnostic::new("W212", place.clone(), message);
                let about = about.length(key.chars().count() as u32);
                self.said
                    .push(about.note(format!("first at {first_place}")));
            }
            if is_later {
                found = Some((group, value, place));
            }
        }
        found.map(|(_, value, _)| value)
    }
}

/// Returns whether more than one file has something in its list.
fn is_in_several<T>(files: &[Vec<T>]) -> bool {
    files.iter().filter(|list| !list.is_empty()).count() > 1
}

/// Drops actions that are forms of another file.
///
/// Rasa drops those that are forms of a file which counts more. Differs from
/// Rasa: of any, so that it does not matter which file counts more.
fn drop_forms(columns: &mut Columns) {
    // The one file that has a form of a name, or none if several have.
    let mut files: HashMap<&str, Option<usize>> = HashMap::new();
    for (file, forms) in columns.forms.iter().enumerate() {
        for part in forms {
            let known = files.entry(&part.form.name).or_insert(Some(file));
            *known = known.filter(|known| *known == file);
        }
    }
    for (file, actions) in columns.actions.iter_mut().enumerate() {
        actions.retain(|(name, _)| match files.get(name.as_str()) {
            None => true,
            Some(only) => *only == Some(file),
        });
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
    let mut near = Suggestions::new(slots.iter().copied());
    for form in &domain.forms {
        for slot in &form.required_slots {
            if !slots.contains(slot.as_str()) && !DEFAULT_SLOTS.contains(&slot.as_str()) {
                let message = format!("form `{}` asks for unknown slot `{slot}`", form.name);
                said.push(
                    Diagnostic::new("W206", form.place.clone(), message)
                        .length(form.name.chars().count() as u32)
                        .help("define it under `slots`")
                        .suggest_of(slot, &mut near),
                );
            }
        }
    }
}

/// Reports `triggers` that name no action.
fn check_triggers(domain: &Domain, triggers: &[(String, Place)], said: &mut Vec<Diagnostic>) {
    let known = crate::import::check::actions(domain);
    let mut near = Suggestions::new(domain.actions.iter().map(String::as_str));
    for (action, place) in triggers {
        if !known.contains(action.as_str()) {
            let message = format!("unknown action `{action}`");
            said.push(
                Diagnostic::new("E210", place.clone(), message)
                    .length(action.chars().count() as u32)
                    .suggest_of(action, &mut near),
            );
        }
    }
}
