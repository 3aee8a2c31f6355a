//! Brings domains of Rasa 1 and 2 into the form of 3.1, as edits of their text.
//!
//! | before | after |
//! |---|---|
//! | `version: "2.0"`, or none | `version: "3.1"` |
//! | `templates`, variations as plain texts | `responses`, variations with `text` |
//! | slots filled by entities of their name and by forms | slots with `mappings` |
//! | `auto_fill`, type `unfeaturized`, class paths | gone, `any`, short names |
//! | forms as maps of slots to mappings | forms with a list of `required_slots` |
//! | forms that fill slots that are nowhere | slots that stories do not see |
//! | forms as a list of names | forms, and `actions` of the same names |
//! | `triggers` of intents | rules |
//! | action `respond_faq` of a retrieval intent | `utter_faq` |
//!
//! All else – comments, order, quotes, anchors – stays as it is written. A comment
//! in a part that goes is kept on a line of its own.

mod slots;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::convert::domain::slots::Mapping;
use crate::convert::emit::Tree;
use crate::convert::emit::word;
use crate::convert::lines;
use crate::convert::names;
use crate::convert::source::Edits;
use crate::convert::source::Piece;
use crate::convert::source::Shape;
use crate::convert::source::Source;

/// The new form of a domain.
#[derive(Debug, Default)]
pub struct Migrated {
    /// Edits of each file, in the order given.
    pub edits: Vec<Edits>,
    /// What was added to each file: its line, and what to say.
    pub notes: Vec<Vec<(u32, String)>>,
    /// Intents with the action that each triggered.
    pub triggers: Vec<(String, String)>,
}

/// What is to happen with `triggers` of intents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triggers {
    /// They stay.
    Keep,
    /// They are taken out, to become rules.
    Take,
}

/// Migrates the files of one domain together: forms in one of them may fill
/// slots of another.
///
/// `retrieval` has the retrieval intents, whose actions had other names.
pub fn migrate(files: &[&Source], retrieval: &BTreeSet<String>, triggers: Triggers) -> Migrated {
    let plan = Plan::of(files);
    let mut migrated = Migrated::default();
    migrated.notes.resize(files.len(), Vec::new());
    for added in plan.added.values() {
        migrated.notes[added.from].push((added.line, added.what.clone()));
    }
    for (number, source) in files.iter().enumerate() {
        let mut file = File {
            source,
            plan: &plan,
            edits: Edits::default(),
        };
        file.slots();
        file.added_slots(number);
        file.forms();
        file.actions(retrieval);
        file.responses();
        if triggers == Triggers::Take {
            migrated.triggers.extend(file.triggers());
        }
        migrated.edits.push(file.edits);
    }
    migrated
}

/// What the files say together.
#[derive(Default)]
struct Plan {
    /// The mappings of each slot that are not as written.
    mappings: BTreeMap<String, Vec<Mapping>>,
    /// Whether some form has mappings of its own, by slot.
    entities: BTreeSet<String>,
    actions: BTreeSet<String>,
    /// Slots that forms fill but no file has.
    added: BTreeMap<String, Added>,
}

/// A slot that a form fills but no file has.
struct Added {
    /// The file of the form, its line and what to say about it.
    from: usize,
    line: u32,
    what: String,
    /// The file that gets the slot.
    file: usize,
    mappings: Vec<Mapping>,
}

impl Added {
    /// Returns the slot. Rasa 2 kept no value for it that a story could see.
    fn tree(&self) -> Tree {
        let mappings = Tree::List(self.mappings.iter().map(Mapping::tree).collect());
        Tree::Map(vec![
            ("type".to_owned(), Tree::text("text")),
            (
                "influence_conversation".to_owned(),
                Tree::Word("false".to_owned()),
            ),
            ("mappings".to_owned(), mappings),
        ])
    }
}

impl Plan {
    fn of(files: &[&Source]) -> Self {
        let mut plan = Self::default();
        for source in files {
            plan.entities.extend(listed(source, "entities"));
            plan.actions.extend(listed(source, "actions"));
        }
        let mut filled: BTreeMap<String, Vec<Mapping>> = BTreeMap::new();
        let has_slots = |source: &&Source| source.root.entry("slots").is_some();
        let has_slots = files.iter().position(has_slots);
        for source in files {
            for (_, name, slot) in named(source, "slots") {
                let own = source.get(slot, "mappings").filter(|own| !own.is_null());
                let own = own.map(Piece::items).unwrap_or_default();
                let own = own.iter().map(|piece| Mapping::read(source, piece));
                filled
                    .entry(name.to_owned())
                    .or_insert_with(|| own.collect());
            }
        }
        let written = filled.clone();
        for (from, source) in files.iter().enumerate() {
            for (form, slot, line, mappings) in form_mappings(source) {
                let known = filled.get_mut(&slot).unwrap_or_else(|| {
                    let added = plan.added.entry(slot.clone()).or_insert_with(|| Added {
                        from,
                        line,
                        what: format!(
                            "slot `{slot}` of form `{form}` is not under `slots`: it is added \
                             there, as text that stories do not see"
                        ),
                        file: has_slots.unwrap_or(from),
                        mappings: Vec::new(),
                    });
                    &mut added.mappings
                });
                slots::add_form(&form, &slot, mappings, known);
            }
        }
        for (name, added) in &mut plan.added {
            slots::add_defaults(name, false, &plan.entities, &mut added.mappings);
        }
        for source in files {
            for (_, name, slot) in named(source, "slots") {
                let is_old = source.get(slot, "mappings").is_none_or(Piece::is_null);
                if let Some(mappings) = filled.get_mut(name).filter(|_| is_old) {
                    let auto_fill = source.get(slot, "auto_fill").and_then(Piece::text);
                    let auto_fill =
                        !auto_fill.is_some_and(|fill| fill.eq_ignore_ascii_case("false"));
                    slots::add_defaults(name, auto_fill, &plan.entities, mappings);
                }
            }
        }
        filled.retain(|name, mappings| written.get(name) != Some(mappings));
        plan.mappings = filled;
        plan
    }
}

/// Returns the names that a section lists, alone or with options.
fn listed(source: &Source, section: &str) -> Vec<String> {
    let list = source.get(&source.root, section);
    let items = list.map(Piece::items).unwrap_or_default();
    let name = |item: &Piece| match &source.meant(item).shape {
        Shape::Scalar(name, _) => Some(name.clone()),
        Shape::Map(entries, _) => Some(entries.first()?.0.text()?.to_owned()),
        _ => None,
    };
    items.iter().filter_map(name).collect()
}

/// Returns key, name and value of each entry of a section.
fn named<'s>(source: &'s Source, section: &str) -> Vec<(&'s Piece, &'s str, &'s Piece)> {
    let section = source.get(&source.root, section);
    let entries = section.map(Piece::entries).unwrap_or_default().iter();
    entries
        .filter_map(|(key, value)| Some((key, key.text()?, value)))
        .collect()
}

/// Returns the forms of a file, listed or mapped, with their values.
fn forms(source: &Source) -> Vec<(&Piece, &str, &Piece)> {
    let mut forms = named(source, "forms");
    let list = source.get(&source.root, "forms").map(Piece::items);
    for item in list.unwrap_or_default() {
        let entries = item.entries().iter();
        forms.extend(entries.filter_map(|(key, value)| Some((key, key.text()?, value))));
    }
    forms
}

/// Returns the map of slots to mappings that a form of Rasa 2 holds.
///
/// Rasa 2.0 to 2.5: the slots stood directly below the form.
fn slot_map<'s>(source: &'s Source, form: &'s Piece) -> Option<&'s Piece> {
    let form = source.meant(form);
    let slots = match form.get("required_slots") {
        Some(slots) => source.meant(slots),
        None if form.get("ignored_intents").is_none() => form,
        None => return None,
    };
    matches!(slots.shape, Shape::Map(..)).then_some(slots)
}

/// Returns form, slot, its line and mappings of all forms of Rasa 2 in a file.
fn form_mappings(source: &Source) -> Vec<(String, String, u32, Vec<Mapping>)> {
    let mut found = Vec::new();
    for (_, form, value) in forms(source) {
        let slots = slot_map(source, value).map(Piece::entries);
        for (slot, mappings) in slots.unwrap_or_default() {
            let items = source.meant(mappings).items().iter();
            let mappings = items.map(|piece| Mapping::read(source, piece)).collect();
            let line = source.line(slot.range.start);
            let slot = slot.text().unwrap_or_default().to_owned();
            found.push((form.to_owned(), slot, line, mappings));
        }
    }
    found
}

/// One file while it is edited.
struct File<'s> {
    source: &'s Source,
    plan: &'s Plan,
    edits: Edits,
}

impl<'s> File<'s> {
    fn slots(&mut self) {
        for (key, name, slot) in named(self.source, "slots") {
            let mappings = self.plan.mappings.get(name);
            let tree = mappings.map(|list| Tree::List(list.iter().map(Mapping::tree).collect()));
            match &slot.shape {
                Shape::Map(..) => self.slot(slot, tree),
                Shape::Alias(_) => {
                    if let Some(tree) = tree {
                        let alias = self.source.text[slot.range.clone()].to_owned();
                        let indent = self.source.column(key.range.start) + 2;
                        let blanks = " ".repeat(indent);
                        let list = tree.behind_key(indent);
                        let new = format!("\n{blanks}<<: {alias}\n{blanks}mappings:{list}");
                        let new = new.trim_end().to_owned();
                        self.edits.replace(slot.range.clone(), new);
                    }
                }
                _ => {}
            }
        }
    }

    /// Adds the slots that forms fill but no file has.
    fn added_slots(&mut self, number: usize) {
        let added = self.plan.added.iter();
        let added = added.filter(|(_, added)| added.file == number);
        let slots: Vec<(String, Tree)> = added
            .map(|(name, added)| (name.clone(), added.tree()))
            .collect();
        if slots.is_empty() {
            return;
        }
        let source = self.source;
        match source.root.entry("slots") {
            Some((_, section)) if !section.entries().is_empty() => {
                for (name, slot) in &slots {
                    lines::append_entry(source, section, name, slot, &mut self.edits);
                }
            }
            Some((key, section)) => {
                let from = source.behind_colon(key);
                let range = from..source.end(section).max(from);
                let new = format!(" {}", Tree::Map(slots).flow());
                self.edits.replace(range, new);
            }
            None => {
                let text = format!("\nslots:{}", Tree::Map(slots).behind_key(2));
                lines::insert_below(source, source.text.trim_end().len(), &text, &mut self.edits);
            }
        }
    }

    fn slot(&mut self, slot: &'s Piece, mappings: Option<Tree>) {
        if let Some(kind) = slot.get("type")
            && let Some(new) = kind.text().and_then(slots::new_type)
        {
            self.edits.replace(kind.range.clone(), new);
        }
        let mut removed = Vec::new();
        removed.extend(slot.entry("auto_fill"));
        if mappings.is_some() {
            removed.extend(slot.entry("mappings"));
        }
        lines::remove_entries(self.source, slot, &removed, &mut self.edits);
        if let Some(mappings) = mappings {
            lines::append_entry(self.source, slot, "mappings", &mappings, &mut self.edits);
        }
    }

    fn forms(&mut self) {
        let Some((key, section)) = self.source.root.entry("forms") else {
            return;
        };
        if let Shape::List(items, is_flow) = &section.shape {
            if !items.is_empty() {
                self.listed_forms(key, section, items, *is_flow);
            }
            return;
        }
        for (_, _, form) in named(self.source, "forms") {
            if let Some(slots) = slot_map(self.source, form) {
                self.form(form, slots);
            }
        }
    }

    /// Replaces the slots of a form by the list of their names.
    fn form(&mut self, form: &'s Piece, slots: &'s Piece) {
        let names = slots.entries().iter().filter_map(|(key, _)| key.text());
        let names = Tree::List(names.map(Tree::text).collect());
        let required = form.entry("required_slots");
        if matches!(form.shape, Shape::Alias(_)) {
            return;
        }
        let is_flow = form.is_flow() || slots.is_flow() || slots.entries().is_empty();
        let is_alias = required.is_some_and(|(_, v)| matches!(v.shape, Shape::Alias(_)));
        if is_flow || is_alias {
            let (range, new) = match required {
                Some((_, written)) => (written.range.clone(), names.flow()),
                None => (
                    form.range.clone(),
                    format!("{{required_slots: {}}}", names.flow()),
                ),
            };
            self.edits.replace(range, new);
            return;
        }
        let indent = self.source.column(slots.entries()[0].0.range.start);
        let blanks = " ".repeat(indent);
        let mut new = match required {
            Some(_) => String::new(),
            None => format!("required_slots:\n{blanks}"),
        };
        new += &self.slot_names(slots, indent);
        let range = slots.entries()[0].0.range.start..self.source.end(slots);
        self.edits.replace(range, new.trim_end_matches(['\n', ' ']));
    }

    /// Returns the lines of a list of slots, with the comments that stood among
    /// their mappings. The first line's blanks are left out.
    fn slot_names(&self, slots: &Piece, indent: usize) -> String {
        let blanks = " ".repeat(indent);
        let mut lines = String::new();
        let mut from = slots.range.start;
        for (slot, mappings) in slots.entries() {
            let to = self.source.end(mappings).max(slot.range.end);
            let to = self.source.line_end(to).min(self.source.text.len());
            for comment in self.source.comments_in(from..to) {
                lines += &format!("{comment}\n{blanks}");
            }
            lines += &format!("- {}\n{blanks}", word(slot.text().unwrap_or_default()));
            from = to;
        }
        lines
    }

    /// Turns a list of forms into a map; names alone are custom actions too.
    fn listed_forms(&mut self, key: &Piece, section: &Piece, items: &'s [Piece], is_flow: bool) {
        let mut map = Vec::new();
        let mut actions = Vec::new();
        let mut comments = Vec::new();
        let mut from = key.range.end;
        for item in items {
            let to = self.source.line_end(self.source.end(item));
            comments.push(self.source.comments_in(from..to));
            from = to;
            let form = |slots: Tree| Tree::Map(vec![("required_slots".to_owned(), slots)]);
            match item.text() {
                Some(name) => {
                    map.push((name.to_owned(), form(Tree::List(Vec::new()))));
                    actions.push(name.to_owned());
                }
                None => {
                    for (name, value) in item.entries() {
                        let slots = slot_map(self.source, value).map(Piece::entries);
                        let names = slots.unwrap_or_default().iter();
                        let names = names.filter_map(|(key, _)| key.text()).map(Tree::text);
                        let name = name.text().unwrap_or_default().to_owned();
                        map.push((name, form(Tree::List(names.collect()))));
                    }
                }
            }
        }
        let range = self.source.behind_colon(key)..self.source.end(section);
        let new = match is_flow {
            true => format!(" {}", Tree::Map(map).flow()),
            false => {
                let indent = self.source.column(key.range.start) + 2;
                let blanks = " ".repeat(indent);
                let mut new = String::new();
                for (at, entry) in map.into_iter().enumerate() {
                    for comment in comments.get(at).into_iter().flatten() {
                        new += &format!("\n{blanks}{comment}");
                    }
                    new += &format!("\n{}", Tree::Map(vec![entry]).block(indent).trim_end());
                }
                new
            }
        };
        let end = self.source.line_end(range.end);
        let tail = self.source.comments_in(range.end..end);
        let cut = match tail.first().filter(|_| !is_flow) {
            // The last item's comment was moved above it.
            Some(_) => range.start..range.end + self.source.text[range.end..end].trim_end().len(),
            None => range,
        };
        self.edits.replace(cut, new);
        self.add_actions(&actions);
    }

    /// Renames actions that have other names now.
    fn actions(&mut self, retrieval: &BTreeSet<String>) {
        let list = self.source.root.get("actions");
        for item in list.map(Piece::items).unwrap_or_default() {
            let Some(name) = item.text() else { continue };
            let new = names::action(name, retrieval);
            if new != name && !self.plan.actions.contains(&new) {
                self.edits.replace(item.range.clone(), word(&new));
            }
        }
    }

    /// Adds names to the list of actions.
    fn add_actions(&mut self, names: &[String]) {
        let new: Vec<&String> = names
            .iter()
            .filter(|name| !self.plan.actions.contains(*name))
            .collect();
        if new.is_empty() {
            return;
        }
        let tree = Tree::List(new.iter().map(|name| Tree::text(name)).collect());
        let source = self.source;
        let listed = source
            .root
            .get("actions")
            .filter(|list| !list.items().is_empty());
        match listed {
            Some(list) if list.is_flow() => {
                let at = source.end(&list.items()[list.items().len() - 1]);
                let flow = tree.flow();
                let inner = flow.trim_start_matches('[').trim_end_matches(']');
                self.edits.insert(at, format!(", {inner}"));
            }
            Some(list) => {
                let last = &list.items()[list.items().len() - 1];
                let first = list.items()[0].range.start;
                let line = source.line_start(first);
                let indent =
                    source.text[line..].len() - source.text[line..].trim_start_matches(' ').len();
                lines::insert_below(
                    source,
                    source.end(last),
                    &tree.block(indent),
                    &mut self.edits,
                );
            }
            None if source.root.entry("actions").is_some() => {
                if let Some((key, list)) = source.root.entry("actions") {
                    let range =
                        source.behind_colon(key)..source.end(list).max(source.behind_colon(key));
                    self.edits.replace(range, format!(" {}", tree.flow()));
                }
            }
            None => {
                let text = format!("\nactions:{}", tree.behind_key(0));
                lines::insert_below(source, source.text.trim_end().len(), &text, &mut self.edits);
            }
        }
    }

    /// Renames `templates` and gives variations that are plain texts a key.
    fn responses(&mut self) {
        let source = self.source;
        if let Some((key, _)) = source.root.entry("templates")
            && source.root.entry("responses").is_none()
        {
            self.edits.replace(key.range.clone(), "responses");
        }
        for section in ["templates", "responses"] {
            for (_, _, variations) in named(source, section) {
                for variation in variations.items() {
                    if let Some(text) = variation.text().filter(|_| !variation.is_null()) {
                        let new = format!("text: {}", word(text));
                        let new = match variations.is_flow() {
                            true => format!("{{{new}}}"),
                            false => new,
                        };
                        let range = self.whole_scalar(variation);
                        self.edits.replace(range, new);
                    }
                }
            }
        }
    }

    /// Returns the range of an item's scalar, from the mark of a block scalar on.
    fn whole_scalar(&self, item: &Piece) -> Range<usize> {
        let end = self.source.end(item);
        match &item.shape {
            Shape::Scalar(_, style) if lines::is_block(*style) => {
                let before = &self.source.text[..item.range.start];
                let mark = before.rfind(['|', '>']).unwrap_or(item.range.start);
                mark..end
            }
            _ => item.range.start..end,
        }
    }

    /// Takes `triggers` out of intents.
    fn triggers(&mut self) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        let list = self.source.root.get("intents");
        for item in list.map(Piece::items).unwrap_or_default() {
            let [(name, options)] = item.entries() else {
                continue;
            };
            let Some(entry) = options.entry("triggers") else {
                continue;
            };
            let (Some(name), Some(action)) = (name.text(), entry.1.text()) else {
                continue;
            };
            if entry.1.is_null() {
                continue;
            }
            taken.push((name.to_owned(), action.to_owned()));
            if options.entries().len() > 1 {
                lines::remove_entries(self.source, options, &[entry], &mut self.edits);
                continue;
            }
            // Without options the intent is its name alone.
            let end = self.source.end(item);
            let comments = self.source.comments_in(item.range.start..end);
            let indent = self.source.column(item.range.start);
            let blanks = " ".repeat(indent);
            let comments: Vec<String> = comments.iter().map(|c| format!("{c}\n{blanks}")).collect();
            let new = match comments.is_empty() {
                true => word(name),
                false => format!("{}{}", comments.concat(), word(name)),
            };
            self.edits.replace(item.range.start..end, new);
        }
        taken
    }
}
