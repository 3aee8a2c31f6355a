//! What a project says, whatever format its files have: conversions are compared
//! by it, here and when they are fuzzed.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;
use tabella::data::Project;

/// Returns what a project says, whatever its version and order.
pub fn meaning(project: &Project) -> Value {
    let mut text = serde_json::to_string(project).unwrap();
    for intent in project.domain.intents.iter().filter(|i| i.is_retrieval) {
        let name = &intent.name;
        text = text.replace(&format!("\"respond_{name}\""), &format!("\"utter_{name}\""));
    }
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["config"] = Value::Null;
    let domain = &mut value["domain"];
    for intent in domain["intents"].as_array_mut().unwrap() {
        intent["triggers"] = Value::Null;
    }
    let entities: BTreeSet<String> = domain["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entity| entity["name"].as_str().unwrap().to_owned())
        .collect();
    for slot in domain["slots"].as_array_mut().unwrap() {
        one_condition_each(slot, &entities);
    }
    for key in ["slots", "forms", "actions", "entities"] {
        sort(&mut domain[key]);
    }
    sort(&mut value["stories"]["steps"]);
    // A table whose file is not there holds nothing.
    let lookups = value["nlu"]["lookups"].as_array_mut().unwrap();
    lookups.retain(|lookup| lookup["elements"] != json!([]));
    value
}

fn sort(list: &mut Value) {
    let list = list.as_array_mut().unwrap();
    list.sort_by_key(Value::to_string);
    list.dedup();
}

/// Cuts mappings into one for each of their conditions, and adds the one that
/// `auto_fill` means.
fn one_condition_each(slot: &mut Value, entities: &BTreeSet<String>) {
    let mut mappings = Vec::new();
    for mapping in slot["mappings"].as_array().unwrap() {
        let mut conditions = mapping["conditions"].as_array().unwrap().clone();
        if conditions.is_empty() {
            conditions.push(Value::Null);
        }
        for condition in conditions {
            let mut mapping = mapping.clone();
            mapping["conditions"] = condition;
            if mapping["kind"] != json!({"type": "custom", "action": null}) {
                mappings.push(mapping);
            }
        }
    }
    let name = slot["name"].as_str().unwrap().to_owned();
    if slot["auto_fill"] == true && entities.contains(&name) {
        mappings.push(json!({
            "kind": {"type": "from_entity", "entity": name, "role": null, "group": null},
            "intents": [], "not_intents": [], "conditions": null,
        }));
    }
    slot["auto_fill"] = json!(false);
    slot["mappings"] = mappings.into();
    sort(&mut slot["mappings"]);
}
