//! What YAML has no way to say, as Rasa's JSON, which Rasa 3 reads all the same: texts
//! whose annotations overlap or hold a bracket, phrases of two lines, examples without
//! an intent.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::convert::notes::Notes;
use crate::data::Annotation;
use crate::data::Example;
use crate::data::Place;

/// What is left of a file when all else of it is YAML.
#[derive(Debug, Default)]
pub struct Rest {
    examples: Vec<Value>,
    patterns: Vec<Value>,
    /// Phrases by table, in order.
    tables: Phrases,
    /// Texts by what they mean, in order.
    synonyms: Phrases,
    /// What each is, and where it was written.
    told: Vec<(String, Place)>,
}

/// Texts under names, in order of first appearance.
type Phrases = Vec<(String, Vec<String>)>;

impl Rest {
    /// Takes a message; `what` says so.
    pub fn example(&mut self, example: &Example, what: String) {
        let label = example.intent_response_key.as_ref();
        let label = label.or(example.intent.as_ref());
        let entities: Vec<Value> = example.entities.iter().map(entity).collect();
        let parts = [
            ("text", Some(json!(example.text))),
            ("intent", label.map(|label| json!(label))),
            (
                "entities",
                (!entities.is_empty()).then_some(Value::Array(entities)),
            ),
        ];
        self.examples.push(object(parts));
        self.told.push((what, example.place.clone()));
    }

    /// Takes a pattern.
    pub fn pattern(&mut self, name: &str, pattern: &str, what: String, place: &Place) {
        self.patterns
            .push(json!({ "name": name, "pattern": pattern }));
        self.told.push((what, place.clone()));
    }

    /// Takes a phrase of a lookup table.
    pub fn phrase(&mut self, table: &str, phrase: &str, what: String, place: &Place) {
        add(&mut self.tables, table, phrase);
        self.told.push((what, place.clone()));
    }

    /// Takes a text that means a value.
    pub fn synonym(&mut self, value: &str, text: &str, what: String, place: &Place) {
        add(&mut self.synonyms, value, text);
        self.told.push((what, place.clone()));
    }

    /// Returns whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Says what stays in JSON.
    pub fn tell_kept(&self, notes: &mut Notes) {
        for (what, place) in &self.told {
            notes.say_at("N604", place, format!("{what} stays in JSON"));
            notes.help("YAML has no way to say it; Rasa reads both files");
        }
    }

    /// Says what is lost where there is no file for it.
    pub fn tell_lost(&self, notes: &mut Notes) {
        for (what, place) in &self.told {
            notes.say_at("W601", place, format!("{what} cannot be kept"));
        }
    }

    /// Returns the text of the file.
    pub fn text(&self) -> String {
        let named = |phrases: &Phrases, name: &str, texts: &str| -> Option<Value> {
            let item = |(one, all): &(String, Vec<String>)| {
                object([(name, Some(json!(one))), (texts, Some(json!(all)))])
            };
            (!phrases.is_empty()).then(|| phrases.iter().map(item).collect())
        };
        let list = |items: &[Value]| (!items.is_empty()).then(|| json!(items));
        let data = object([
            ("common_examples", list(&self.examples)),
            ("regex_features", list(&self.patterns)),
            ("lookup_tables", named(&self.tables, "name", "elements")),
            (
                "entity_synonyms",
                named(&self.synonyms, "value", "synonyms"),
            ),
        ]);
        let file = json!({ "rasa_nlu_data": data });
        let text = serde_json::to_string_pretty(&file).expect("they are plain values");
        text + "\n"
    }
}

/// Returns a map of the values that are there.
fn object<const N: usize>(parts: [(&str, Option<Value>); N]) -> Value {
    let parts = parts.into_iter();
    let parts = parts.filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(parts.collect::<Map<_, _>>())
}

fn entity(found: &Annotation) -> Value {
    object([
        ("start", Some(json!(found.start))),
        ("end", Some(json!(found.end))),
        ("entity", Some(json!(found.entity))),
        ("value", Some(found.value.clone())),
        ("role", found.role.as_ref().map(|role| json!(role))),
        ("group", found.group.as_ref().map(|group| json!(group))),
    ])
}

fn add(phrases: &mut Phrases, name: &str, text: &str) {
    match phrases.iter_mut().find(|(known, _)| known == name) {
        Some((_, texts)) => texts.push(text.to_owned()),
        None => phrases.push((name.to_owned(), vec![text.to_owned()])),
    }
}
