//! Reads what LUIS exports: `utterances` with entities whose end is their last
//! letter.

use crate::data::Pattern;
use crate::import::json::entities;
use crate::import::json::entities::Marked;
use crate::import::nlu::NluPart;
use crate::import::reading::Reading;
use crate::import::yaml::Node;

/// The newest schema that Rasa was tested with.
const NEWEST: u32 = 7;

/// Reads a file.
///
/// Rasa 2.8 and 3.6: regular expressions come from `regex_features` that are
/// activated and from `regex_entities`.
pub fn read(root: &Node, reading: &mut Reading) -> NluPart {
    let mut part = NluPart::default();
    version(root, reading);
    for item in entities::items(root, "utterances", reading) {
        utterance(item, &mut part, reading);
    }
    for item in entities::items(root, "regex_features", reading) {
        let activated = item.get("activated");
        if reading.flag(activated, "`activated`") == Some(true) {
            pattern(item, "pattern", &mut part, reading);
        }
    }
    for item in entities::items(root, "regex_entities", reading) {
        pattern(item, "regexPattern", &mut part, reading);
    }
    part
}

fn version(root: &Node, reading: &mut Reading) {
    let Some((text, node)) = entities::text(root, "luis_schema_version", reading) else {
        return;
    };
    let major = text
        .split('.')
        .next()
        .and_then(|part| part.parse::<u32>().ok());
    if major.is_none_or(|major| major > NEWEST) {
        let what = format!("schema `{text}` of LUIS is not known: it is read as one of {NEWEST}.0");
        reading.say("W328", node, what);
    }
}

fn utterance(item: &Node, part: &mut NluPart, reading: &mut Reading) {
    let Some((text, node)) = entities::example_text(item, reading) else {
        return;
    };
    let label = entities::text(item, "intent", reading);
    let mut marked = Marked::new(text);
    let mut found = Vec::new();
    let items = item.get("entities").filter(|node| !node.is_null());
    let items = items.map_or(&[][..], |node| reading.list(node, "`entities`"));
    for entity in items {
        let mut missing = |key: &str| entities::required(entity, key, reading);
        let (Some(start), Some(end), Some(kind)) =
            (missing("startPos"), missing("endPos"), missing("entity"))
        else {
            continue;
        };
        let Some(mut annotation) = marked.entity(entity, (start, end), 1, reading) else {
            continue;
        };
        annotation.entity = reading
            .text(kind, "`entity`")
            .unwrap_or_default()
            .to_owned();
        annotation.role = entities::text(entity, "role", reading).map(|role| role.0.to_owned());
        if !annotation.entity.is_empty() {
            found.push(annotation);
        }
    }
    marked.finish(reading);
    entities::add_example((text, node), label, found, part, reading);
}

fn pattern(item: &Node, key: &str, part: &mut NluPart, reading: &mut Reading) {
    let name = entities::text(item, "name", reading);
    let pattern = entities::text(item, key, reading);
    match (name, pattern) {
        (Some((name, _)), Some((pattern, node))) => part.data.patterns.push(Pattern {
            name: name.to_owned(),
            pattern: pattern.to_owned(),
            place: reading.place(node),
        }),
        _ => {
            let what = format!("a regular expression needs `name` and `{key}`");
            reading.say("E326", item, what);
        }
    }
}
