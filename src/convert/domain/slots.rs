//! Works out the slot mappings that a domain of Rasa 2 means.

use std::collections::BTreeSet;

use crate::convert::emit::Tree;
use crate::convert::source::Piece;
use crate::convert::source::Source;

/// A mapping, and when it applies.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// All keys but `conditions`, in order.
    body: Vec<(String, Tree)>,
    conditions: Vec<Tree>,
}

impl Mapping {
    /// Returns a mapping as it is written.
    pub fn read(source: &Source, piece: &Piece) -> Self {
        let mut body = match Tree::piece(source, piece) {
            Tree::Map(entries) => entries,
            _ => Vec::new(),
        };
        let conditions = body.iter().position(|(key, _)| key == "conditions");
        let conditions = conditions.map(|at| body.remove(at).1);
        let conditions = match conditions {
            Some(Tree::List(conditions)) => conditions,
            _ => Vec::new(),
        };
        Self { body, conditions }
    }

    fn of(kind: &str, rest: &[(&str, &str)]) -> Self {
        let entries = [("type", kind)].into_iter().chain(rest.iter().copied());
        Self {
            body: entries
                .map(|(key, value)| (key.to_owned(), Tree::text(value)))
                .collect(),
            conditions: Vec::new(),
        }
    }

    /// Returns whether the value is asked for while the form runs: any message
    /// could give it.
    fn is_asked(&self) -> bool {
        let free = ["from_entity", "from_trigger_intent"].map(Tree::text);
        let kind = self.body.iter().find(|(key, _)| key == "type");
        !kind.is_some_and(|(_, kind)| free.contains(kind))
    }

    /// Returns the mapping to be written.
    pub fn tree(&self) -> Tree {
        let mut entries = self.body.clone();
        if !self.conditions.is_empty() {
            let conditions = Tree::List(self.conditions.clone());
            entries.push(("conditions".to_owned(), conditions));
        }
        Tree::Map(entries)
    }
}

/// Adds the mappings that a form has for a slot, each while the form is active.
///
/// `rasa data migrate` of Rasa 3: a mapping that another form has too gets one
/// more condition, and one that takes any message applies only while its slot is
/// asked for.
pub fn add_form(form: &str, slot: &str, new: Vec<Mapping>, mappings: &mut Vec<Mapping>) {
    for mapping in new {
        let mut condition = vec![("active_loop".to_owned(), Tree::text(form))];
        if mapping.is_asked() {
            condition.push(("requested_slot".to_owned(), Tree::text(slot)));
        }
        let condition = Tree::Map(condition);
        let known = mappings
            .iter_mut()
            .find(|known| known.body == mapping.body && !known.conditions.is_empty());
        match known {
            Some(known) if known.conditions.contains(&condition) => {}
            Some(known) => known.conditions.push(condition),
            None => mappings.push(Mapping {
                conditions: vec![condition],
                ..mapping
            }),
        }
    }
}

/// Adds what Rasa 2 does without being told: an entity fills the slot of its
/// name. A slot that nothing fills is left to custom actions.
///
/// Differs from Rasa: `rasa data migrate` overlooks entities that have options.
pub fn add_defaults(
    slot: &str,
    auto_fill: bool,
    entities: &BTreeSet<String>,
    mappings: &mut Vec<Mapping>,
) {
    let own = Mapping::of("from_entity", &[("entity", slot)]);
    if auto_fill && entities.contains(slot) && !mappings.contains(&own) {
        mappings.push(own);
    }
    if mappings.is_empty() {
        mappings.push(Mapping::of("custom", &[]));
    }
}

/// Returns the name that Rasa 3 has for a slot type, if it is another.
///
/// `unfeaturized` is `any`; types may be written as class paths of Rasa.
pub fn new_type(written: &str) -> Option<String> {
    let class = written.rsplit('.').next().unwrap_or(written);
    let is_rasas = written.starts_with("rasa.") || written.starts_with("rasa_core.");
    let short = match class.strip_suffix("Slot").filter(|_| is_rasas) {
        Some("Boolean") => "bool".to_owned(),
        Some(kind) => kind.to_lowercase(),
        None => written.to_owned(),
    };
    let short = match short.as_str() {
        "unfeaturized" => "any".to_owned(),
        _ => short,
    };
    (short != written).then_some(short)
}
