//! Reads `slot_was_set`: slots with their values, or named alone.

use serde_json::Value;
use serde_json::json;

use crate::data::Event;
use crate::data::Place;
use crate::data::SlotKind;
use crate::import::stories::Block;
use crate::import::stories::BlockReader;
use crate::import::stories::Item;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

impl BlockReader<'_, '_> {
    pub(super) fn slots(&mut self, step: &Node, block: &mut Block) {
        for (event, place) in self.slot_events(step) {
            block.items.push(Item::Event(event, place));
        }
    }

    pub(super) fn slot_events(&mut self, step: &Node) -> Vec<(Event, Place)> {
        let Some(node) = step.get("slot_was_set") else {
            return Vec::new();
        };
        let mut events = Vec::new();
        for item in self.reading.list(node, "`slot_was_set`") {
            if let Yaml::Map(entries) = &item.yaml {
                for entry in entries {
                    let place = self.reading.place(&entry.at);
                    self.check_slot("W424", &entry.key, &entry.at);
                    let value = entry.value.to_json();
                    let name = self.known.name(&entry.key);
                    events.push((Event::Slot { name, value }, place));
                }
            } else if let Some(name) = self.reading.text(item, "a slot's name") {
                let value = self.default_value(name, item);
                let place = self.reading.place(item);
                let name = self.known.name(name);
                events.push((Event::Slot { name, value }, place));
            }
        }
        events
    }

    /// Reports a slot that the domain does not have.
    pub(super) fn check_slot(&mut self, code: &'static str, name: &str, node: &Node) {
        let place = self.reading.place(node);
        let about = self.known.unknown_slot(code, name, &place, node.length);
        self.reading.diagnostics.extend(about);
    }

    /// Returns the value that a slot named without one gets.
    ///
    /// Rasa 3.6: something for text and list slots, null for all others.
    fn default_value(&mut self, name: &str, node: &Node) -> Value {
        self.check_slot("E406", name, node);
        let (value, influences) = match self.known.names.slots.get(name) {
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
}
