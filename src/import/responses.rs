//! Reads `responses`, which domain files and NLU files share.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::data::Place;
use crate::data::Response;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// A response with the place of its name.
#[derive(Clone, Debug)]
pub struct NamedResponse {
    /// Such as `utter_greet`.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// Its variations, as written.
    pub variations: Vec<Response>,
}

/// Reads the map of all responses.
pub fn read(node: &Node, reading: &mut Reading) -> Vec<NamedResponse> {
    reading.expect_map(node, "`responses`");
    node.entries()
        .iter()
        .map(|entry| NamedResponse {
            name: entry.key.clone(),
            place: reading.place(&entry.at),
            variations: variations(&entry.value, &entry.key, reading),
        })
        .collect()
}

/// Reads the variations of one response; each needs a text or custom content.
fn variations(node: &Node, name: &str, reading: &mut Reading) -> Vec<Response> {
    let what = format!("response `{name}`");
    let mut variations = Vec::new();
    for item in reading.list(node, &what) {
        if !matches!(item.yaml, Yaml::Map(_)) {
            let mut about = reading.about("E209", item, format!("a variation of {what} is a map"));
            if item.text().is_some() {
                about = about.help("write `- text: …`");
            }
            reading.diagnostics.push(about);
            continue;
        }
        let text = item.get("text").is_some_and(|text| !text.is_null());
        let custom = item
            .get("custom")
            .is_some_and(|node| matches!(node.to_json(), Value::Object(map) if !map.is_empty()));
        if !text && !custom {
            let message = format!("a variation of {what} has neither `text` nor `custom`");
            reading.say("E209", item, message);
            continue;
        }
        let map: BTreeMap<String, Value> = item
            .entries()
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.to_json()))
            .collect();
        variations.push(Response(map));
    }
    variations
}
