//! `EntitySynonymMapper`: what an entity says becomes what it means.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::message::Message;
use crate::data::NluData;
use crate::tokenize::CodePoints;

/// Lower-cased text to value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Synonyms {
    values: BTreeMap<String, String>,
}

impl Synonyms {
    /// Collects synonyms, then what annotated pieces mean; the later wins.
    ///
    /// # Source
    ///
    /// Recorded from Rasa 3.6.21: every value also stands for itself, whatever
    /// the case it is written in, and so does a piece that means itself.
    pub fn fit(data: &NluData) -> Self {
        let mut synonyms = Self::default();
        for (text, value) in &data.synonyms {
            synonyms.add(text, value);
        }
        for example in &data.examples {
            let points = CodePoints::of(&example.text);
            for entity in &example.entities {
                let piece = points.slice(&example.text, entity.start, entity.end);
                synonyms.add(piece, &text_of(&entity.value));
            }
        }
        synonyms
    }

    fn add(&mut self, text: &str, value: &str) {
        for text in [text, value] {
            self.values.insert(text.to_lowercase(), value.to_owned());
        }
    }

    /// Returns the values by lower-cased text.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Replaces the values of the entities found so far, and marks those.
    pub fn process(&self, message: &mut Message) {
        for entity in &mut message.entities {
            if let Some(value) = self.values.get(&text_of(&entity.value).to_lowercase()) {
                entity.value = Value::String(value.clone());
                entity.processors.push("EntitySynonymMapper".to_owned());
            }
        }
    }
}

/// Python's `str` of a JSON value.
fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::Entity;
    use super::*;

    #[test]
    fn values_are_found_whatever_the_case() {
        let synonyms = Synonyms::fit(&NluData {
            synonyms: BTreeMap::from([("NYC".into(), "New York".into())]),
            ..NluData::default()
        });
        let mut message = Message::new("");
        for value in ["nyc", "NEW YORK", "Rome"] {
            message.entities.push(Entity {
                value: value.into(),
                ..Entity::default()
            });
        }
        synonyms.process(&mut message);
        let values: Vec<&str> = message
            .entities
            .iter()
            .filter_map(|e| e.value.as_str())
            .collect();
        assert_eq!(values, ["New York", "New York", "Rome"]);
        assert_eq!(message.entities[0].processors, ["EntitySynonymMapper"]);
        assert!(message.entities[2].processors.is_empty());
    }
}
