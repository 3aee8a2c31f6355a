//! Reads `responses`, which domain files and NLU files share.

use serde_json::Value;

use crate::data::Content;
use crate::data::Place;
use crate::data::Response;
use crate::import::reading::Reading;
use crate::import::yaml::Entry;
use crate::import::yaml::Node;
use crate::import::yaml::Style;
use crate::import::yaml::Yaml;

/// A response with the place of its name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedResponse {
    /// Such as `utter_greet`.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// Its variations, as written.
    pub variations: Vec<Response>,
}

/// How the variations of a response may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variations {
    /// As maps, as in `responses`.
    Maps,
    /// As maps or as texts, as in `templates` of Rasa 1 and before.
    MapsAndTexts,
}

/// Keys of a variation, with what their values are.
const KEYS: &[(&str, Shape)] = &[
    ("id", Shape::Text),
    ("text", Shape::Text),
    ("image", Shape::Text),
    ("custom", Shape::Map),
    ("buttons", Shape::Buttons),
    ("button_type", Shape::Text),
    ("quick_replies", Shape::Buttons),
    ("attachment", Shape::Map),
    ("elements", Shape::Maps),
    ("channel", Shape::Text),
    ("metadata", Shape::Any),
    ("condition", Shape::Maps),
];

/// What the value of a key is.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Any,
    Text,
    Map,
    Maps,
    /// Maps in which `title` and `payload` are texts.
    Buttons,
}

impl Shape {
    /// Returns whether a value is empty or of this shape.
    fn fits(self, value: &Node) -> bool {
        let is_text = |node: &Node| node.is_null() || node.text().is_some();
        let is_map = |node: &Node| node.is_null() || matches!(node.yaml, Yaml::Map(_));
        let all = |fits: &dyn Fn(&Node) -> bool| match &value.yaml {
            Yaml::List(items) => items.iter().all(fits),
            _ => value.is_null(),
        };
        let is_button = |node: &Node| {
            let mut texts = ["title", "payload"]
                .into_iter()
                .filter_map(|key| node.get(key));
            is_map(node) && texts.all(is_text)
        };
        match self {
            Shape::Any => true,
            Shape::Text => is_text(value),
            Shape::Map => is_map(value),
            Shape::Maps => all(&is_map),
            Shape::Buttons => all(&is_button),
        }
    }
}

/// Reads the map of all responses.
///
/// Rasa 2 and 3: a response without variations, keys of a variation that are
/// not known and values of another shape are refused.
pub fn read(node: &Node, allowed: Variations, reading: &mut Reading) -> Vec<NamedResponse> {
    if node.is_null() {
        let about = reading
            .about("E010", node, "`responses` must be a map, not empty")
            .help("take the line away, or write `responses: {}`");
        reading.diagnostics.push(about);
    }
    reading.expect_map(node, "`responses`");
    node.entries()
        .iter()
        .map(|entry| NamedResponse {
            name: entry.key.to_string(),
            place: reading.place(&entry.at),
            variations: variations(entry, allowed, reading),
        })
        .collect()
}

/// Reads the variations of one response; each needs a text or custom content.
fn variations(entry: &Entry, allowed: Variations, reading: &mut Reading) -> Vec<Response> {
    let what = format!("response `{}`", entry.key);
    if entry.value.is_null() {
        let about = reading
            .about("E219", &entry.at, format!("{what} has no variations"))
            .help("write `- text: …` below it");
        reading.diagnostics.push(about);
    }
    let mut variations = Vec::new();
    for item in reading.list(&entry.value, &what) {
        match item.text() {
            Some(text) if allowed == Variations::MapsAndTexts => {
                variations.push(Response::of([("text", Content::Text(text.into()))]));
            }
            _ => variations.extend(variation(item, &what, reading)),
        }
    }
    variations
}

fn variation(item: &Node, what: &str, reading: &mut Reading) -> Option<Response> {
    if !matches!(item.yaml, Yaml::Map(_)) {
        let mut about = reading.about("E209", item, format!("a variation of {what} is a map"));
        if item.text().is_some() {
            about = about.help("write `- text: …`");
        }
        reading.diagnostics.push(about);
        return None;
    }
    let text = item.get("text").is_some_and(|text| !text.is_null());
    let custom = item
        .get("custom")
        .is_some_and(|node| matches!(node.to_json(), Value::Object(map) if !map.is_empty()));
    for entry in item.entries() {
        key(entry, what, reading);
    }
    if !text && !custom {
        let message = format!("a variation of {what} has neither `text` nor `custom`");
        reading.say("E209", item, message);
        return None;
    }
    let entries = item.entries().iter();
    let entries = entries.map(|entry| (entry.key.as_str(), content(&entry.value)));
    Some(Response::of(entries))
}

fn content(node: &Node) -> Content {
    match &node.yaml {
        Yaml::Scalar(scalar) if scalar.style == Style::Plain => node.to_json().into(),
        Yaml::Scalar(scalar) => Content::Text(scalar.text.as_str().into()),
        Yaml::List(items) => Content::List(items.iter().map(content).collect()),
        Yaml::Map(entries) => {
            let entries = entries.iter();
            Content::map(entries.map(|entry| (entry.key.as_str(), content(&entry.value))))
        }
    }
}

/// Checks one key of a variation and its value.
fn key(entry: &Entry, what: &str, reading: &mut Reading) {
    let known = KEYS.iter().find(|(key, _)| *key == entry.key);
    let Some((key, shape)) = known else {
        let message = format!("a variation of {what} has the unknown key `{}`", entry.key);
        let about = reading
            .about("E220", &entry.at, message)
            .help("put what is your own under `custom` or `metadata`")
            .suggest(&entry.key, KEYS.iter().map(|(key, _)| *key));
        reading.diagnostics.push(about);
        return;
    };
    let value = &entry.value;
    let keys: &[&str] = match *key {
        "buttons" | "quick_replies" => &["title", "payload"],
        "condition" => &["type", "name", "value"],
        _ => &[],
    };
    if let Yaml::List(items) = &value.yaml {
        for item in items {
            let what = format_args!("an item of `{key}`");
            reading.misspelt("W261", item, what, keys);
        }
    }
    if shape.fits(value) {
        return;
    }
    let what = format!("`{key}` of {what}");
    match shape {
        Shape::Any => {}
        Shape::Text => {
            reading.text_or_null(Some(value), &what);
        }
        Shape::Map => reading.expect_map(value, &what),
        Shape::Maps => maps(value, &what, reading),
        Shape::Buttons => {
            maps(value, &what, reading);
            for button in reading.list(value, &what) {
                for key in ["title", "payload"] {
                    let what = format!("`{key}` in {what}");
                    reading.text_or_null(button.get(key), &what);
                }
            }
        }
    }
}

fn maps(value: &Node, what: &str, reading: &mut Reading) {
    for item in reading.list(value, what) {
        reading.expect_map(item, &format!("an item of {what}"));
    }
}
