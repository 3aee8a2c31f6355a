//! Messages such as `/greet{"name": "Ann"}`, which say their intent and
//! entities outright.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Value;

use super::message::Entity;
use super::message::Intent;
use super::message::Message;

/// What slash messages may name. Rasa 3 puts the `RegexMessageHandler` into
/// every pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlashMessages {
    /// The intents of the domain, default intents included.
    pub intents: BTreeSet<String>,
    /// The entity types of the domain.
    pub entities: BTreeSet<String>,
}

impl SlashMessages {
    /// Returns the message that `text` spells out, or `None` when it does not
    /// start with `/` or names no intent of the domain.
    ///
    /// The form is `/intent@confidence{"entity": value}` with the last two
    /// optional; a list of values gives several entities. Entities stand where
    /// the JSON stands. A confidence that is no number or above 1 counts as 1;
    /// entity types that the domain does not have are dropped, and so is JSON
    /// that cannot be read.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `RegexMessageHandler`.
    pub fn read(&self, text: &str) -> Option<Message> {
        let trimmed = text.trim();
        let rest = trimmed.strip_prefix('/')?;
        let name_end = rest.find(['{', '@']).unwrap_or(rest.len());
        let name = rest[..name_end].trim();
        if !self.intents.contains(name) {
            return None;
        }
        let after_name = &rest[name_end..];
        let (confidence, json) = split_confidence(after_name);
        let start = trimmed.chars().count() - json.chars().count();
        let intent = Intent::named(name, confidence);
        Some(Message {
            text: trimmed.to_owned(),
            intent: Some(intent.clone()),
            intent_ranking: Some(vec![intent]),
            entities: self.entities(json, start, trimmed.chars().count()),
            ..Message::default()
        })
    }

    fn entities(&self, json: &str, start: usize, end: usize) -> Vec<Entity> {
        let Ok(Pairs(pairs)) = serde_json::from_str::<Pairs>(json) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, value) in pairs {
            let values = match value {
                Value::Array(values) => values,
                value => vec![value],
            };
            if !self.entities.contains(&name) {
                continue;
            }
            found.extend(values.into_iter().map(|value| Entity {
                entity: name.clone(),
                start,
                end,
                value,
                extractor: Some("RegexMessageHandler".to_owned()),
                ..Entity::default()
            }));
        }
        found
    }
}

/// Splits `@0.5{…}` into the confidence and the JSON.
fn split_confidence(text: &str) -> (f64, &str) {
    let Some(number) = text.strip_prefix('@') else {
        return (1.0, text);
    };
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let end = number.find(|c| !is_number(c)).unwrap_or(number.len());
    let confidence = number[..end].parse().unwrap_or(1.0);
    (f64::min(confidence, 1.0), &number[end..])
}

/// A JSON object in the order of writing.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn domain() -> SlashMessages {
        SlashMessages {
            intents: BTreeSet::from(["greet".into()]),
            entities: BTreeSet::from(["name".into(), "age".into()]),
        }
    }

    #[test]
    fn intent_confidence_and_entities_are_read() {
        let message = domain().read(r#"/greet@0.5{"name": ["Ann", "Bo"], "age": 3, "x": 1}"#);
        let message = message.unwrap();
        assert_eq!(message.intent, Some(Intent::named("greet", 0.5)));
        let values: Vec<&Value> = message.entities.iter().map(|e| &e.value).collect();
        assert_eq!(values, [&json!("Ann"), &json!("Bo"), &json!(3)]);
        assert_eq!(
            (message.entities[0].start, message.entities[0].end),
            (10, 51)
        );
    }

    #[test]
    fn what_the_domain_does_not_have_stays_text() {
        assert_eq!(domain().read("/other"), None);
        assert_eq!(domain().read("greet"), None);
        let message = domain().read("/greet@7{oops").unwrap();
        assert_eq!(message.intent, Some(Intent::named("greet", 1.0)));
        assert!(message.entities.is_empty());
    }
}
