//! Reads `stories` and `rules`: each becomes a [`Block`] of items, which
//! `blocks` turns into steps between checkpoints.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use crate::data::Annotation;
use crate::data::Checkpoint;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Place;
use crate::data::SlotKind;
use crate::data::Utterance;
use crate::diagnostic::Diagnostic;
use crate::import::annotation;
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
    /// One of several things happens.
    Or(Vec<Event>, Place),
    /// A checkpoint after the start.
    Checkpoint(String),
}

/// What the domain says that reading stories needs.
#[derive(Debug)]
pub struct Known<'d> {
    /// Type, and whether it influences, by slot.
    slots: BTreeMap<&'d str, (&'d SlotKind, bool)>,
    entities: BTreeSet<&'d str>,
    has_domain: HasDomain,
}

impl<'d> Known<'d> {
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

/// Reads the stories and then the rules of a file.
pub fn read(root: &Node, reading: &mut Reading, known: &Known<'_>, purpose: Purpose) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (section, key) in [("stories", "story"), ("rules", "rule")] {
        let Some(node) = root.get(section) else {
            continue;
        };
        for item in reading.list(node, &format!("`{section}`")) {
            let mut reader = BlockReader {
                reading,
                known,
                purpose,
                is_rule: key == "rule",
            };
            blocks.extend(reader.block(item, key));
        }
    }
    blocks
}

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
            let about = self
                .reading
                .about(
                    "W403",
                    item,
                    format!("an entry without `{key}` is left out"),
                )
                .help(format!("write `- {key}: name` and `steps` below it"));
            self.reading.diagnostics.push(about);
            return None;
        };
        let name = match name_node.is_null() {
            true => "",
            false => self
                .reading
                .word(name_node, &format!("the name of a {key}"))?,
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
                        .about("W401", step, "a condition that is not known is left out")
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

    /// Reads a step; the first key that is known says what it is.
    fn step(&mut self, step: &Node, block: &mut Block) {
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
        let found = STEPS.iter().find(|key| step.get(key).is_some());
        match found {
            Some(&"intent") | Some(&"user") => {
                if self.is_rule && step.get("intent").is_none() {
                    self.not_in_rules(step, "a `user` step without intent");
                } else if let Some(utterance) = self.utterance(step) {
                    let place = self.step_place(step, &["intent", "user"]);
                    block.items.push(Item::Event(Event::User(utterance), place));
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
                    .about("W401", step, "a step that is not known is left out")
                    .help(format!("one of {}", STEPS.join(", ")))
                    .suggest(key, STEPS.iter().copied());
                self.reading.diagnostics.push(about);
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

    /// Reads an `intent` or `user` step.
    fn utterance(&mut self, step: &Node) -> Option<Utterance> {
        let mut utterance = Utterance::default();
        if let Some(node) = step.get("intent") {
            let name = self.reading.text(node, "`intent`")?.trim();
            let bare = name.trim_start_matches('/');
            if bare != name {
                let about = self
                    .reading
                    .about("W408", node, format!("intent `{name}` starts with `/`"))
                    .help(format!("write `{bare}`"));
                self.reading.diagnostics.push(about);
            }
            self.intent(bare, node, &mut utterance);
        }
        if let Some(node) = step.get("user").filter(|node| !node.is_null()) {
            let written = self.reading.text(node, "`user`")?.trim();
            self.user_text(written, node, &mut utterance);
        }
        if let Some(node) = step.get("entities")
            && utterance.entities.is_empty()
        {
            for item in self.reading.list(node, "`entities`") {
                utterance.entities.extend(self.entity(item));
            }
        }
        Some(utterance)
    }

    /// Takes over an intent's name; `base/key` is the base in training.
    fn intent(&mut self, name: &str, node: &Node, utterance: &mut Utterance) {
        utterance.intent = Some(name.to_owned());
        let Some((base, _)) = name.split_once('/') else {
            return;
        };
        utterance.intent_response_key = Some(name.to_owned());
        if self.purpose == Purpose::Training {
            utterance.intent = Some(base.to_owned());
            let what = format!("retrieval intent `{name}` is written with its response key");
            let about = self.reading.about("W409", node, what).help(format!(
                "write `{base}`: stories know the base intent alone"
            ));
            self.reading.diagnostics.push(about);
        }
    }

    /// Reads an annotated text, or `/intent{"entity": "value"}`.
    fn user_text(&mut self, written: &str, node: &Node, utterance: &mut Utterance) {
        if let Some(command) = written.strip_prefix('/') {
            let (name, json) = match command.find('{') {
                Some(at) => (&command[..at], &command[at..]),
                None => (command, ""),
            };
            utterance.text = Some(written.to_owned());
            utterance
                .intent
                .get_or_insert_with(|| name.trim().to_owned());
            if let Ok(Value::Object(map)) = serde_json::from_str(json) {
                let entities = map.into_iter().map(|(entity, value)| Annotation {
                    entity,
                    value,
                    ..Annotation::default()
                });
                utterance.entities = entities.collect();
            }
            return;
        }
        let annotated = annotation::read(written);
        for (_, what) in annotated.mistakes {
            self.reading.say("E306", node, what);
        }
        for entity in &annotated.entities {
            self.check_entity(&entity.entity, node);
        }
        utterance.text = Some(annotated.text);
        utterance.entities = annotated.entities;
    }

    /// Reads an item of `entities`: a type, or a map of type to value with
    /// maybe a role and a group.
    fn entity(&mut self, item: &Node) -> Option<Annotation> {
        if let Some(name) = item.text() {
            self.check_entity(name, item);
            return Some(Annotation {
                entity: name.to_owned(),
                value: json!(""),
                ..Annotation::default()
            });
        }
        let named =
            |entry: &&crate::import::yaml::Entry| !["role", "group"].contains(&entry.key.as_str());
        let Some(entry) = item.entries().iter().find(named) else {
            let what = "an entity is a type, or a map of type to value";
            self.reading.say("E010", item, what);
            return None;
        };
        self.check_entity(&entry.key, &entry.at);
        let mut word = |key: &str| {
            let node = item.get(key).filter(|node| !node.is_null())?;
            self.reading.word(node, key).map(str::to_owned)
        };
        Some(Annotation {
            entity: entry.key.to_string(),
            value: entry.value.to_json(),
            role: word("role"),
            group: word("group"),
            ..Annotation::default()
        })
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
        let event = Event::Action(name.to_owned());
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

    fn slots(&mut self, step: &Node, block: &mut Block) {
        for (event, place) in self.slot_events(step) {
            block.items.push(Item::Event(event, place));
        }
    }

    fn slot_events(&mut self, step: &Node) -> Vec<(Event, Place)> {
        let Some(node) = step.get("slot_was_set") else {
            return Vec::new();
        };
        let mut events = Vec::new();
        for item in self.reading.list(node, "`slot_was_set`") {
            if let Yaml::Map(entries) = &item.yaml {
                for entry in entries {
                    let place = self.reading.place(&entry.at);
                    self.check_slot(&entry.key, &entry.at);
                    let value = entry.value.to_json();
                    let name = entry.key.to_string();
                    events.push((Event::Slot { name, value }, place));
                }
            } else if let Some(name) = self.reading.text(item, "a slot's name") {
                let value = self.default_value(name, item);
                let place = self.reading.place(item);
                let name = name.to_owned();
                events.push((Event::Slot { name, value }, place));
            }
        }
        events
    }

    /// Reports an entity that the domain does not have.
    fn check_entity(&mut self, name: &str, node: &Node) {
        if self.known.has_domain == HasDomain::No || self.known.entities.contains(name) {
            return;
        }
        let known = self.known.entities.iter().copied();
        let what = format!("entity `{name}` is not in the domain");
        let about = self.reading.about("W417", node, what).suggest(name, known);
        self.reading.diagnostics.push(about);
    }

    /// Reports a slot that the domain does not have.
    fn check_slot(&mut self, name: &str, node: &Node) {
        let is_known = self.known.slots.contains_key(name) || DEFAULT_SLOTS.contains(&name);
        if is_known || self.known.has_domain == HasDomain::No {
            return;
        }
        let known = self.known.slots.keys().copied();
        let about = self
            .reading
            .about("E406", node, format!("slot `{name}` is not in the domain"))
            .help("define it under `slots` of the domain")
            .suggest(name, known);
        self.reading.diagnostics.push(about);
    }

    /// Returns the value that a slot named without one gets.
    ///
    /// Rasa 3.6: something for text and list slots, null for all others.
    fn default_value(&mut self, name: &str, node: &Node) -> Value {
        self.check_slot(name, node);
        let (value, influences) = match self.known.slots.get(name) {
            Some((SlotKind::Text, influences)) => (json!("filled"), *influences),
            Some((SlotKind::List, influences)) => (json!(["filled"]), *influences),
            Some((_, influences)) => (Value::Null, *influences),
            None => (Value::Null, false),
        };
        if influences && value.is_null() {
            let about = self
                .reading
                .about(
                    "W407",
                    node,
                    format!("slot `{name}` is named without its value"),
                )
                .help(format!(
                    "write `- {name}: value`; without it the slot counts as empty"
                ));
            self.reading.diagnostics.push(about);
        }
        value
    }

    /// Reads a checkpoint: conditions are allowed before the first event.
    fn checkpoint(&mut self, step: &Node, block: &mut Block) {
        let Some(node) = step.get("checkpoint") else {
            return;
        };
        let Some(name) = self.reading.word(node, "`checkpoint`") else {
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
        let mut values = BTreeMap::new();
        if conditions.is_some() {
            for (event, _) in self.slot_events(step) {
                if let Event::Slot { name, value } = event {
                    values.insert(name, value);
                }
            }
        }
        block.starts.push(Checkpoint {
            name: name.to_owned(),
            conditions: values,
        });
    }

    /// Reads an `or`; one item that cannot stand there drops it all, as in Rasa.
    fn or(&mut self, step: &Node, block: &mut Block) {
        let Some(node) = step.get("or") else { return };
        let mut events = Vec::new();
        for item in self.reading.list(node, "`or`") {
            let is_user = item.get("intent").is_some() || item.get("user").is_some();
            if is_user {
                events.extend(self.utterance(item).map(Event::User));
            } else if item.get("slot_was_set").is_some() && self.purpose == Purpose::Training {
                let slots = self.slot_events(item);
                events.extend(slots.into_iter().map(|(event, _)| event));
            } else {
                let what = "an item that cannot stand in an `or`: the whole `or` is left out";
                let about = self
                    .reading
                    .about("W412", item, what)
                    .help("only `intent`, `user` and, in training, `slot_was_set` can");
                self.reading.diagnostics.push(about);
                return;
            }
        }
        let place = self.reading.place(node);
        match events.len() {
            0 => {}
            1 => block
                .items
                .extend(events.pop().map(|event| Item::Event(event, place))),
            _ => block.items.push(Item::Or(events, place)),
        }
    }
}

/// Returns the marker of a rule that applies anywhere in a conversation.
fn snippet(place: Place) -> Item {
    Item::Event(Event::Action("...".to_owned()), place)
}

/// Returns a diagnostic about a name in a story.
pub fn about_name(code: &'static str, place: &Place, name: &str, message: String) -> Diagnostic {
    Diagnostic::new(code, place.clone(), message).length(name.chars().count() as u32)
}
