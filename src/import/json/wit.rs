//! Reads what Wit exports: `utterances` whose entities are `type:role`.

use serde_json::Value;

use crate::data::Annotation;
use crate::import::json::entities;
use crate::import::json::entities::Marked;
use crate::import::nlu::NluPart;
use crate::import::reading::Reading;
use crate::import::yaml::Node;

/// The intent of utterances that have none.
const NO_INTENT: &str = "out_of_scope";

/// Reads a file.
///
/// Rasa 2.8: an utterance without `entities` is passed over, one without intent
/// is out of scope, and the piece's text, `body`, is the entity's value.
pub fn read(root: &Node, reading: &mut Reading) -> NluPart {
    let mut part = NluPart::default();
    for item in entities::items(root, "utterances", reading) {
        if item.get("entities").is_some_and(|node| !node.is_null()) {
            utterance(item, &mut part, reading);
        }
    }
    part
}

fn utterance(item: &Node, part: &mut NluPart, reading: &mut Reading) {
    let Some((text, node)) = entities::example_text(item, reading) else {
        return;
    };
    let label = match item.get("intent") {
        None => Some((NO_INTENT, node)),
        Some(_) => entities::text(item, "intent", reading),
    };
    let mut marked = Marked::new(text);
    let mut found = Vec::new();
    for entity in entities::items(item, "entities", reading) {
        found.extend(annotation(entity, &mut marked, reading));
    }
    marked.finish(reading);
    entities::add_example((text, node), label, found, part, reading);
}

fn annotation<'t>(
    node: &'t Node,
    marked: &mut Marked<'t>,
    reading: &mut Reading,
) -> Option<Annotation> {
    let mut missing = |key: &str| entities::required(node, key, reading);
    let (start, end, kind) = (missing("start")?, missing("end")?, missing("entity")?);
    let mut entity = marked.entity(node, (start, end), 0, reading)?;
    let name = reading.text(kind, "`entity`")?;
    let (name, role) = match name.rsplit_once(':') {
        Some((name, role)) => (name, Some(role)),
        None => (name, None),
    };
    entity.entity = name.to_owned();
    entity.role = role.filter(|role| !role.is_empty()).map(str::to_owned);
    let value = ["value", "body"].into_iter().find_map(|key| node.get(key));
    if let Some(value @ (Value::String(_) | Value::Number(_))) = value.map(Node::to_json) {
        entity.value = value;
    }
    Some(entity)
}
