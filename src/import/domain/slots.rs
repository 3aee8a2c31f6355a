//! Reads `slots` and their mappings.

use serde_json::Value;

use crate::data::MappingCondition;
use crate::data::MappingKind;
use crate::data::Places;
use crate::data::Slot;
use crate::data::SlotKind;
use crate::data::SlotMapping;
use crate::import::reading::Reading;
use crate::import::yaml::Entry;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// Slot types by name.
const TYPES: &[&str] = &["text", "bool", "list", "float", "categorical", "any"];

/// Where slot mappings take their values from.
const MAPPINGS: &[&str] = &[
    "from_entity",
    "from_intent",
    "from_trigger_intent",
    "from_text",
    "custom",
];

/// Keys of a slot.
const KEYS: &[&str] = &[
    "type",
    "initial_value",
    "value_reset_delay",
    "auto_fill",
    "influence_conversation",
    "values",
    "min_value",
    "max_value",
    "mappings",
];

/// Keys of a mapping.
const MAPPING_KEYS: &[&str] = &[
    "type",
    "entity",
    "role",
    "group",
    "intent",
    "not_intent",
    "value",
    "action",
    "conditions",
];

/// Keys of a mapping's condition.
const CONDITION_KEYS: &[&str] = &["active_loop", "requested_slot"];

/// What one note says about several slots of a file.
#[derive(Default)]
struct Old<'n> {
    /// Slots without `mappings`.
    unmapped: Vec<&'n Node>,
    /// Types `unfeaturized`.
    unfeaturized: Vec<&'n Node>,
}

/// Reads the map of all slots.
///
/// Rasa 2.8: a slot is filled by an entity of its name, unless `auto_fill` is
/// false, and by forms. Differs from Rasa: 3.6 refuses slots without `mappings`;
/// here they are read by the rules of 2.8, whatever the file's version.
pub fn read(node: &Node, reading: &mut Reading) -> Vec<Slot> {
    if node.is_null() {
        let about = reading
            .about("E010", node, "`slots` must be a map, not empty")
            .help("take the line away, or write `slots: {}`");
        reading.diagnostics.push(about);
    }
    reading.expect_map(node, "`slots`");
    let mut old = Old::default();
    let mut slots = Vec::new();
    for entry in node.entries() {
        slots.push(slot(entry, &mut old, reading));
    }
    tell(&old, reading);
    slots
}

/// Notes what is written as in Rasa 2.
fn tell(old: &Old<'_>, reading: &mut Reading) {
    if let Some(first) = old.unmapped.first() {
        let what = match old.unmapped.len() {
            1 => "one slot has no `mappings`".to_owned(),
            count => format!("{count} slots have no `mappings`"),
        };
        let about = reading
            .about("N221", first, what)
            .note("they are filled as in Rasa 2: by the entity of the same name, and by forms")
            .help("add `mappings` to each, as Rasa 3 wants: `[{type: from_entity, entity: …}]`, or `[{type: custom}]` if only actions set it");
        reading.diagnostics.push(about);
    }
    if let Some(first) = old.unfeaturized.first() {
        let what = match old.unfeaturized.len() {
            1 => "type `unfeaturized` is read as `any`".to_owned(),
            count => format!("type `unfeaturized` is read as `any` ({count} slots)"),
        };
        let about = reading
            .about("N224", first, what)
            .help("write `any`, or `text` with `influence_conversation: false`");
        reading.diagnostics.push(about);
    }
}

/// Reads one slot. One that cannot be read is of type `any`, so that its name is
/// known.
fn slot<'n>(entry: &'n Entry, old: &mut Old<'n>, reading: &mut Reading) -> Slot {
    let (name, at, node) = (&entry.key, &entry.at, &entry.value);
    if !matches!(node.yaml, Yaml::Map(_)) {
        let what = format!("slot `{name}` is a map with a `type`");
        reading.say("E205", at, what);
    }
    reading.misspelt("W261", node, format_args!("slot `{name}`"), KEYS);
    let mapped = node.get("mappings").filter(|node| !node.is_null());
    if mapped.is_none() && matches!(node.yaml, Yaml::Map(_)) {
        old.unmapped.push(at);
    }
    let initial_value = node.get("initial_value").map_or(Value::Null, Node::to_json);
    let kind = match node.yaml {
        Yaml::Map(_) => kind(name, at, node, old, reading),
        _ => None,
    };
    let is_read = kind.is_some();
    let kind = kind.unwrap_or(SlotKind::Any);
    let influence = node.get("influence_conversation");
    let influences = reading.flag(influence, "`influence_conversation`");
    if let (true, SlotKind::Any, Some(true), Some(at)) = (is_read, &kind, influences, influence) {
        let what = format!("slot `{name}` of type `any` cannot influence");
        let about = reading
            .about("E205", at, what)
            .help("set it to false, or give the slot another type");
        reading.diagnostics.push(about);
    }
    if let (SlotKind::Float { min, max }, Some(value)) = (&kind, initial_value.as_f64())
        && !(*min..=*max).contains(&value)
    {
        let what = format!("initial value {value} is not between {min} and {max}");
        let at = node.get("initial_value").unwrap_or(node);
        reading.say("W214", at, what);
    }
    let auto_fill = reading.flag(node.get("auto_fill"), "`auto_fill`");
    Slot {
        name: name.to_string(),
        influences: influences.unwrap_or(true) && kind != SlotKind::Any,
        auto_fill: mapped.is_none() && auto_fill.unwrap_or(true),
        kind,
        initial_value,
        mappings: mapped.map_or_else(Vec::new, |list| mappings(name, list, reading)),
        place: reading.place(at),
    }
}

/// Returns the type that a class path of Rasa's own slots means, as archives of
/// Rasa 2 hold them: `rasa.shared.core.slots.TextSlot`, and `rasa.core.slots` or
/// `rasa_core.slots` before.
fn own_class(written: &str) -> Option<String> {
    let (module, class) = written.rsplit_once('.')?;
    let modules = [
        "rasa.shared.core.slots",
        "rasa.core.slots",
        "rasa_core.slots",
    ];
    let class = class
        .strip_suffix("Slot")
        .filter(|_| modules.contains(&module))?;
    Some(match class {
        "Boolean" => "bool".to_owned(),
        class => class.to_lowercase(),
    })
}

/// Reads the type with its own options.
fn kind<'n>(
    name: &str,
    at: &Node,
    node: &'n Node,
    old: &mut Old<'n>,
    reading: &mut Reading,
) -> Option<SlotKind> {
    let Some(node_type) = node.get("type").filter(|node| !node.is_null()) else {
        let about = reading
            .about("E202", at, format!("slot `{name}` has no `type`"))
            .help(format!("one of {}", TYPES.join(", ")));
        reading.diagnostics.push(about);
        return None;
    };
    let written = reading.text(node_type, "a slot's `type`")?;
    let own = own_class(written);
    match own.as_deref().unwrap_or(written) {
        "text" => Some(SlotKind::Text),
        "bool" => Some(SlotKind::Bool),
        "list" => Some(SlotKind::List),
        "any" => Some(SlotKind::Any),
        "unfeaturized" => {
            old.unfeaturized.push(node_type);
            Some(SlotKind::Any)
        }
        "float" => Some(float(name, node, reading)),
        "categorical" => Some(categorical(name, node, reading)),
        _ => {
            let about = match written.contains('.') {
                true => reading
                    .about(
                        "E202",
                        node_type,
                        format!("slot type `{written}` is Python code"),
                    )
                    .help("slots of own classes cannot be trained without that code"),
                false => reading
                    .about("E202", node_type, format!("unknown slot type `{written}`"))
                    .help(format!("one of {}", TYPES.join(", ")))
                    .suggest(&written.to_lowercase(), TYPES.iter().copied()),
            };
            reading.diagnostics.push(about);
            None
        }
    }
}

fn float(name: &str, node: &Node, reading: &mut Reading) -> SlotKind {
    let min = reading
        .number(node.get("min_value"), "`min_value`")
        .unwrap_or(0.0);
    let max = reading
        .number(node.get("max_value"), "`max_value`")
        .unwrap_or(1.0);
    if min >= max {
        let at = node
            .get("min_value")
            .or(node.get("max_value"))
            .unwrap_or(node);
        let what =
            format!("slot `{name}` has `min_value` {min} that is not below `max_value` {max}");
        reading.say("E205", at, what);
    }
    SlotKind::Float { min, max }
}

/// Reads the values of a categorical slot; they are compared in lower case.
fn categorical(name: &str, node: &Node, reading: &mut Reading) -> SlotKind {
    let mut values = Vec::new();
    let list = node
        .get("values")
        .map(|list| reading.list(list, "`values`"));
    for item in list.unwrap_or_default() {
        match item.to_json() {
            Value::Null => {
                let what = format!("an empty value of slot `{name}` is left out");
                reading.say("W214", item, what);
            }
            Value::Bool(flag) => values.push(flag.to_string()),
            _ => values.extend(reading.word(item, "a value").map(str::to_lowercase)),
        }
    }
    SlotKind::Categorical { values }
}

/// Reads the mappings of a slot.
pub fn mappings(slot: &str, node: &Node, reading: &mut Reading) -> Vec<SlotMapping> {
    if !matches!(node.yaml, Yaml::List(_)) {
        let what = format!(
            "the mappings of slot `{slot}` are a list, not {}",
            node.kind()
        );
        reading.say("E204", node, what);
        return Vec::new();
    }
    reading
        .list(node, "`mappings`")
        .iter()
        .filter_map(|item| mapping(slot, item, reading))
        .collect()
}

fn mapping(slot: &str, node: &Node, reading: &mut Reading) -> Option<SlotMapping> {
    let what = format_args!("a mapping of slot `{slot}`");
    reading.misspelt("W261", node, what, MAPPING_KEYS);
    let Some(kind) = node.get("type").and_then(Node::text) else {
        let about = reading
            .about(
                "E204",
                node,
                format!("a mapping of slot `{slot}` has no `type`"),
            )
            .help(format!("one of {}", MAPPINGS.join(", ")));
        reading.diagnostics.push(about);
        return None;
    };
    let missing = |key: &str, reading: &mut Reading| {
        let what = format!("a `{kind}` mapping of slot `{slot}` needs `{key}`");
        let about = reading.about("E204", node, what);
        let help = format!("write `{key}: …` below `type`, in the same column");
        reading.diagnostics.push(about.help(help));
    };
    let value = node
        .get("value")
        .map(Node::to_json)
        .filter(|v| !v.is_null());
    let kind = match kind {
        "from_entity" => {
            let Some(entity) = reading.text_or_null(node.get("entity"), "`entity`") else {
                missing("entity", reading);
                return None;
            };
            MappingKind::FromEntity {
                entity,
                role: reading.text_or_null(node.get("role"), "`role`"),
                group: reading.text_or_null(node.get("group"), "`group`"),
            }
        }
        "from_intent" | "from_trigger_intent" => {
            let Some(value) = value else {
                missing("value", reading);
                return None;
            };
            match kind {
                "from_intent" => MappingKind::FromIntent { value },
                _ => MappingKind::FromTriggerIntent { value },
            }
        }
        "from_text" => MappingKind::FromText,
        "custom" => MappingKind::Custom {
            action: reading.text_or_null(node.get("action"), "`action`"),
        },
        _ => {
            let at = node.get("type").unwrap_or(node);
            let about = reading
                .about("E204", at, format!("unknown mapping type `{kind}`"))
                .help(format!("one of {}", MAPPINGS.join(", ")))
                .suggest(kind, MAPPINGS.iter().copied());
            reading.diagnostics.push(about);
            return None;
        }
    };
    Some(SlotMapping {
        kind,
        intents: reading.names(node.get("intent"), "`intent`"),
        not_intents: reading.names(node.get("not_intent"), "`not_intent`"),
        conditions: conditions(node.get("conditions"), reading),
        places: places(node, reading),
    })
}

/// Returns where the names of a mapping stand.
fn places(node: &Node, reading: &Reading) -> Places {
    let mut places = Places::default();
    for key in ["entity", "intent", "not_intent", "action"] {
        reading.places(node.get(key), &mut places);
    }
    if let Some(Yaml::List(conditions)) = node.get("conditions").map(|node| &node.yaml) {
        for condition in conditions {
            reading.places(condition.get("active_loop"), &mut places);
        }
    }
    places
}

fn conditions(node: Option<&Node>, reading: &mut Reading) -> Vec<MappingCondition> {
    let Some(node) = node else { return Vec::new() };
    reading
        .list(node, "`conditions`")
        .iter()
        .map(|item| {
            reading.expect_map(item, "a condition");
            reading.misspelt("W261", item, "a condition", CONDITION_KEYS);
            MappingCondition {
                active_loop: reading.text_or_null(item.get("active_loop"), "`active_loop`"),
                requested_slot: reading
                    .text_or_null(item.get("requested_slot"), "`requested_slot`"),
            }
        })
        .collect()
}
