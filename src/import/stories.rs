//! Reads `stories` and `rules`: each becomes a [`Block`] of items, which
//! `blocks` turns into steps between checkpoints.

mod slots;
mod user;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use foldhash::HashMap;
use foldhash::HashSet;
use serde_json::Value;

use crate::data::Checkpoint;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Place;
use crate::data::SlotKind;
use crate::data::Utterance;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Suggestions;
use crate::diagnostic::shortened;
use crate::import::check::HasDomain;
use crate::import::names::DEFAULT_SLOTS;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// What stories are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To learn from: intents lose their response keys, `or` becomes copies.
    Training,
    /// To test with: all is kept as written.
    Test,
}

/// A story or rule as written.
#[derive(Debug)]
pub struct Block {
    /// Its name.
    pub name: String,
    /// Where its name stands.
    pub place: Place,
    /// Whether it is a rule.
    pub is_rule: bool,
    /// Checkpoints before its first event.
    pub starts: Vec<Checkpoint>,
    /// What follows.
    pub items: Vec<Item>,
}

/// A piece of a block.
#[derive(Debug)]
pub enum Item {
    /// Something happens.
    Event(Event, Place),
    /// One of several things happens; each stands at a place of its own.
    Or(Vec<(Event, Place)>, Place),
    /// A checkpoint after the start.
    Checkpoint(String),
}

/// What the domain says that reading stories needs.
#[derive(Debug)]
pub struct Names<'d> {
    /// Type, and whether it influences, by slot.
    slots: BTreeMap<&'d str, (&'d SlotKind, bool)>,
    entities: BTreeSet<&'d str>,
    has_domain: HasDomain,
}

impl<'d> Names<'d> {
    /// Takes what is needed out of a domain.
    pub fn new(domain: &'d Domain, has_domain: HasDomain) -> Self {
        let slots = domain.slots.iter();
        let entities = domain.entities.iter().map(|entity| entity.name.as_str());
        Self {
            slots: slots
                .map(|slot| (slot.name.as_str(), (&slot.kind, slot.influences)))
                .collect(),
            entities: entities.collect(),
            has_domain,
        }
    }
}

/// The same while one file is read, with what unknown names may have meant.
#[derive(Debug)]
pub struct Known<'n> {
    names: &'n Names<'n>,
    /// Names that events of the file share.
    shared_names: RefCell<HashSet<Arc<str>>>,
    /// Messages that are an intent alone, by its name.
    shared_messages: RefCell<HashMap<String, Arc<Utterance>>>,
    near_slots: RefCell<Option<Suggestions<'n>>>,
    near_entities: RefCell<Option<Suggestions<'n>>>,
}

impl<'n> Known<'n> {
    /// Starts on a file.
    pub fn new(names: &'n Names<'n>) -> Self {
        Self {
            names,
            shared_names: RefCell::default(),
            shared_messages: RefCell::default(),
            near_slots: RefCell::default(),
            near_entities: RefCell::default(),
        }
    }

    /// Returns a name in the memory that it shares with others of the file.
    pub fn name(&self, name: &str) -> Arc<str> {
        let mut names = self.shared_names.borrow_mut();
        if let Some(known) = names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        names.insert(Arc::clone(&name));
        name
    }

    /// Returns a message; one that is an intent alone shares its memory with others
    /// of the file.
    pub fn utterance(&self, utterance: Utterance) -> Arc<Utterance> {
        let Some(intent) = utterance.intent.as_ref().filter(|_| {
            utterance.entities.is_empty()
                && utterance.text.is_none()
                && utterance.intent_response_key.is_none()
        }) else {
            return Arc::new(utterance);
        };
        let mut messages = self.shared_messages.borrow_mut();
        if let Some(known) = messages.get(intent) {
            return Arc::clone(known);
        }
        let intent = intent.clone();
        let message = Arc::new(utterance);
        messages.insert(intent, Arc::clone(&message));
        message
    }

    /// Returns a diagnostic about an entity that the domain does not have.
    pub fn unknown_entity(&self, name: &str, place: &Place, length: u32) -> Option<Diagnostic> {
        let entities = &self.names.entities;
        if self.names.has_domain == HasDomain::No || entities.contains(name) {
            return None;
        }
        let what = format!("entity `{}` is not in the domain", shortened(name));
        let about = Diagnostic::new("W417", place.clone(), what).length(length);
        let mut near = self.near_entities.borrow_mut();
        let near = near.get_or_insert_with(|| Suggestions::new(entities.iter().copied()));
        Some(about.suggest_of(name, near))
    }

    /// Returns a diagnostic about a slot that the domain does not have.
    ///
    /// Rasa: a value for it changes nothing. An error only where the type of the
    /// slot decides what its value is: there Rasa reads no further.
    pub fn unknown_slot(
        &self,
        code: &'static str,
        name: &str,
        place: &Place,
        length: u32,
    ) -> Option<Diagnostic> {
        let slots = &self.names.slots;
        let is_known = slots.contains_key(name) || DEFAULT_SLOTS.contains(&name);
        if is_known || self.names.has_domain == HasDomain::No {
            return None;
        }
        let what = format!("slot `{}` is not in the domain", shortened(name));
        let about = Diagnostic::new(code, place.clone(), what)
            .length(length)
            .help("define it under `slots` of the domain");
        let mut near = self.near_slots.borrow_mut();
        let near = near.get_or_insert_with(|| Suggestions::new(slots.keys().copied()));
        Some(about.suggest_of(name, near))
    }
}

/// Reads the stories and then the rules of a file, takes them out of its tree, and
/// hands over each when it was read.
pub fn read(
    root: &mut Node,
    reading: &mut Reading,
    known: &Known<'_>,
    purpose: Purpose,
    mut take: impl FnMut(Block),
) {
    for (section, key) in [("stories", "story"), ("rules", "rule")] {
        let Some(node) = root.take(section) else {
            continue;
        };
        for item in reading.items(node, &format!("`{section}`")) {
            let mut reader = BlockReader {
                reading,
                known,
                purpose,
                is_rule: key == "rule",
            };
            if let Some(block) = reader.block(&item, key) {
                take(block);
            }
        }
    }
}

/// Keys that say what a step is, in the order in which they are looked for.
const STEPS: &[&str] = &[
    "intent",
    "user",
    "or",
    "action",
    "bot",
    "checkpoint",
    "slot_was_set",
    "active_loop",
    "metadata",
];

/// Reads one block; `is_rule` decides which steps it may have.
struct BlockReader<'r, 'd> {
    reading: &'r mut Reading,
    known: &'r Known<'d>,
    purpose: Purpose,
    is_rule: bool,
}

impl BlockReader<'_, '_> {
    fn block(&mut self, item: &Node, key: &str) -> Option<Block> {
        let Some(name_node) = item.get(key) else {
            let what = format!("an entry of this section is none without `{key}`");
            let first = item.entries().first().map(|entry| &*entry.key);
            let about = self
                .reading
                .about("E403", item, what)
                .help(format!("write `- {key}: name` and `steps` below it"))
                .suggest(first.unwrap_or_default(), [key]);
            self.reading.diagnostics.push(about);
            return None;
        };
        self.check_keys(item, key);
        let name = match name_node.is_null() {
            true => {
                let what = format!("a {key} without a name");
                self.reading.say("W419", name_node, what);
                ""
            }
            false => self
                .reading
                .text(name_node, &format!("the name of a {key}"))?,
        };
        let steps = item.get("steps").filter(|steps| !steps.is_null());
        let steps = steps.map(|steps| self.reading.list(steps, "`steps`"));
        let Some(steps) = steps.filter(|steps| !steps.is_empty()) else {
            let what = format!("{key} `{name}` has no steps: it is left out");
            self.reading.say("W402", name_node, what);
            return None;
        };
        let mut block = Block {
            name: name.to_owned(),
            place: self.reading.place(name_node),
            is_rule: self.is_rule,
            starts: Vec::new(),
            items: Vec::new(),
        };
        if self.is_rule {
            self.conditions(item, &mut block);
        }
        for step in steps {
            self.step(step, &mut block);
        }
        let waits = item.get("wait_for_user_input");
        let waits = self.reading.flag(waits, "`wait_for_user_input`");
        if self.is_rule && waits == Some(false) {
            let place = block.place.clone();
            block.items.push(snippet(place));
        }
        Some(block)
    }

    /// Reads a rule's conditions and puts the snippet marker behind them,
    /// unless the rule holds at the start of a conversation.
    fn conditions(&mut self, item: &Node, block: &mut Block) {
        if let Some(node) = item.get("condition") {
            for step in self.reading.list(node, "`condition`") {
                if step.get("active_loop").is_some() {
                    self.active_loop(step, block);
                } else if step.get("slot_was_set").is_some() {
                    self.slots(step, block);
                } else {
                    let about = self
                        .reading
                        .about("E401", step, "a condition is none that is known")
                        .help("one of active_loop, slot_was_set");
                    self.reading.diagnostics.push(about);
                }
            }
        }
        let start = item.get("conversation_start");
        let start = self.reading.flag(start, "`conversation_start`");
        if start != Some(true) {
            let place = block.place.clone();
            block.items.push(snippet(place));
        }
    }

    /// Reports keys that a story or rule cannot have; both Rasas refuse them.
    fn check_keys(&mut self, item: &Node, key: &str) {
        let known: &[&str] = match self.is_rule {
            false => &["story", "metadata", "steps"],
            true => &[
                "rule",
                "metadata",
                "steps",
                "condition",
                "conversation_start",
                "wait_for_user_input",
            ],
        };
        for entry in item.entries() {
            if !known.contains(&&*entry.key) {
                let what = format!("a {key} has no `{}`", entry.key);
                let about = self
                    .reading
                    .about("E435", &entry.at, what)
                    .help(format!("one of {}", known.join(", ")))
                    .suggest(&entry.key, known.iter().copied());
                self.reading.diagnostics.push(about);
            }
        }
    }

    /// Reports keys that cannot stand beside the one which says what a step is.
    ///
    /// Rasa: both versions refuse them, except `metadata`, which no code reads.
    fn check_step_keys(&mut self, step: &Node, kind: &str) {
        let beside: &[&str] = match kind {
            "intent" | "user" => &["intent", "user", "entities"],
            "checkpoint" => &["checkpoint", "slot_was_set"],
            _ => &[],
        };
        for entry in step.entries() {
            let key = &*entry.key;
            if key == kind || key == "metadata" || beside.contains(&key) {
                continue;
            }
            let what = format!("`{key}` cannot stand beside `{kind}` in one step");
            let about = self.reading.about("E436", &entry.at, what);
            let about = match STEPS.contains(&key) {
                true => about.help(format!("start a step of its own: `- {key}: …`")),
                false => about.suggest(key, beside.iter().chain(STEPS).copied()),
            };
            self.reading.diagnostics.push(about);
        }
    }

    /// Reads a step; the first key that is known says what it is.
    fn step(&mut self, step: &Node, block: &mut Block) {
        let found = STEPS.iter().find(|key| step.get(key).is_some());
        if let Some(kind) = found {
            self.check_step_keys(step, kind);
        }
        match found {
            Some(&"intent") | Some(&"user") => {
                if self.is_rule && step.get("intent").is_none() {
                    self.not_in_rules(step, "a `user` step without intent");
                } else if let Some(utterance) = self.utterance(step) {
                    let place = self.step_place(step, &["intent", "user"]);
                    let event = Event::User(self.known.utterance(utterance));
                    block.items.push(Item::Event(event, place));
                }
            }
            Some(&"or") => self.or(step, block),
            Some(&"action") => self.action(step, block),
            Some(&"bot") if self.is_rule => self.not_in_rules(step, "a `bot` step"),
            Some(&"bot") => {
                let node = step.get("bot").unwrap_or(step);
                if let Some(text) = self.reading.text(node, "`bot`") {
                    let event = Event::BotText(text.to_owned());
                    let place = self.reading.place(node);
                    block.items.push(Item::Event(event, place));
                }
            }
            Some(&"checkpoint") if self.is_rule => self.not_in_rules(step, "a `checkpoint`"),
            Some(&"checkpoint") => self.checkpoint(step, block),
            Some(&"slot_was_set") => self.slots(step, block),
            Some(&"active_loop") => self.active_loop(step, block),
            Some(_) => {}
            None => {
                let key = step.entries().first().map(|entry| entry.key.as_str());
                let key = key.or(step.text()).unwrap_or_default();
                let about = self
                    .reading
                    .about("E401", step, "a step is none that is known")
                    .help(format!("one of {}", STEPS.join(", ")));
                let glued = key.split_once(':').filter(|(key, _)| STEPS.contains(key));
                self.reading.diagnostics.push(match glued {
                    Some((key, value)) => {
                        about.help(format!("write `{key}: {}`", shortened(value)))
                    }
                    None if key == "form" => about.help("write `active_loop: …`"),
                    None if key == "slot" => about.help("write `slot_was_set: …`"),
                    None => about.suggest(key, STEPS.iter().copied()),
                });
            }
        }
    }

    fn not_in_rules(&mut self, step: &Node, what: &str) {
        let about = self
            .reading
            .about("E411", step, format!("{what} cannot stand in a rule"))
            .help("write a story instead");
        self.reading.diagnostics.push(about);
    }

    /// Returns the place of the first of the keys' values.
    fn step_place(&self, step: &Node, keys: &[&str]) -> Place {
        let value = keys.iter().find_map(|key| step.get(key));
        self.reading.place(value.unwrap_or(step))
    }

    fn action(&mut self, step: &Node, block: &mut Block) {
        let Some(node) = step.get("action") else {
            return;
        };
        if node.is_null() {
            self.reading
                .say("W414", step, "an action without a name is left out");
            return;
        }
        let Some(name) = self.reading.text(node, "`action`") else {
            return;
        };
        let name = match name.trim() {
            "" => {
                self.reading
                    .say("W414", node, "an action without a name is left out");
                return;
            }
            "action_deactivate_form" => {
                let what = "`action_deactivate_form` is now `action_deactivate_loop`";
                self.reading.say("W413", node, what);
                "action_deactivate_loop"
            }
            name => name,
        };
        let place = self.reading.place(node);
        let event = Event::Action(self.known.name(name));
        block.items.push(Item::Event(event, place));
    }

    fn active_loop(&mut self, step: &Node, block: &mut Block) {
        let Some(node) = step.get("active_loop") else {
            return;
        };
        let place = self.reading.place(node);
        let name = self.reading.text_or_null(Some(node), "`active_loop`");
        block
            .items
            .push(Item::Event(Event::ActiveLoop(name), place));
    }

    /// Reads a checkpoint: conditions are allowed before the first event.
    fn checkpoint(&mut self, step: &Node, block: &mut Block) {
        let Some(node) = step.get("checkpoint") else {
            return;
        };
        if node.is_null() {
            let what = "a checkpoint without a name is left out";
            self.reading.say("W440", node, what);
            return;
        }
        let Some(name) = self.reading.text(node, "`checkpoint`") else {
            return;
        };
        let conditions = step.get("slot_was_set");
        if !block.items.is_empty() {
            if let Some(conditions) = conditions {
                let what = "conditions of a checkpoint after the start are left out";
                self.reading.say("W410", conditions, what);
            }
            block.items.push(Item::Checkpoint(name.to_owned()));
            return;
        }
        if let Some(conditions) = self.checkpoint_conditions(name, conditions) {
            block.starts.push(Checkpoint {
                name: name.to_owned(),
                conditions,
            });
        }
    }

    /// Returns the slot values that a checkpoint asks for.
    ///
    /// Rasa: one slot without a value, and the whole checkpoint is left out.
    fn checkpoint_conditions(
        &mut self,
        name: &str,
        node: Option<&Node>,
    ) -> Option<BTreeMap<String, Value>> {
        let mut values = BTreeMap::new();
        let items = node.map(|node| self.reading.list(node, "`slot_was_set`"));
        for item in items.unwrap_or_default() {
            if !matches!(item.yaml, Yaml::Map(_)) {
                let what = format!("checkpoint `{name}` is left out: a condition has no value");
                let about = self
                    .reading
                    .about("W438", item, what)
                    .help("write `- slot: value`");
                self.reading.diagnostics.push(about);
                return None;
            }
            for entry in item.entries() {
                self.check_slot("W424", &entry.key, &entry.at);
                values.insert(entry.key.to_string(), entry.value.to_json());
            }
        }
        Some(values)
    }

    /// Reads an `or`.
    ///
    /// Rasa 3.6: alternatives are user messages with an intent, and values of
    /// slots, each for itself. A message without intent drops the whole step.
    fn or(&mut self, step: &Node, block: &mut Block) {
        let Some(node) = step.get("or") else { return };
        let mut events = Vec::new();
        for item in self.reading.list(node, "`or`") {
            if item.get("intent").is_some() {
                self.check_step_keys(item, "intent");
                let place = self.step_place(item, &["intent"]);
                let utterance = self.utterance(item);
                let utterance = utterance.map(|one| Event::User(self.known.utterance(one)));
                events.extend(utterance.map(|event| (event, place)));
            } else if item.get("slot_was_set").is_some() {
                self.check_step_keys(item, "slot_was_set");
                events.extend(self.slot_events(item));
            } else {
                self.not_in_or(item);
                return;
            }
        }
        let place = self.reading.place(node);
        match events.len() {
            0 => {}
            1 => block
                .items
                .extend(events.pop().map(|(event, place)| Item::Event(event, place))),
            _ => block.items.push(Item::Or(events, place)),
        }
    }

    fn not_in_or(&mut self, item: &Node) {
        let about = match item.get("user") {
            Some(user) => self
                .reading
                .about(
                    "W437",
                    user,
                    "an alternative without `intent`: the whole `or` is left out",
                )
                .help("write the `intent` beside the text"),
            None => self
                .reading
                .about("E412", item, "an item cannot stand in an `or`")
                .help("only `intent`, with or without `user`, and `slot_was_set` can"),
        };
        self.reading.diagnostics.push(about);
    }
}

/// Returns the marker of a rule that applies anywhere in a conversation.
fn snippet(place: Place) -> Item {
    Item::Event(Event::Action("...".into()), place)
}

/// Returns a diagnostic about a name in a story.
pub fn about_name(code: &'static str, place: &Place, name: &str, message: String) -> Diagnostic {
    Diagnostic::new(code, place.clone(), message).length(name.chars().count() as u32)
}
