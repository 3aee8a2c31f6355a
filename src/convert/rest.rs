//! What YAML has no way to say, as Rasa's JSON, which Rasa 3 reads all the same: texts
//! whose annotations overlap or hold a bracket, phrases of two lines, examples without
//! an intent.

use std::collections::HashMap;
use std::collections::hash_map::Entry::Occupied;
use std::collections::hash_map::Entry::Vacant;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::convert::notes::Notes;
use crate::data::Annotation;
use crate::data::Example;
use crate::data::Place;

/// What is left of files when all else of them is YAML.
#[derive(Debug, Default)]
pub struct Rest {
    examples: Vec<Example>,
    /// Name and expression of each.
    patterns: Vec<(String, String)>,
    /// Phrases by table, in order.
    tables: Phrases,
    /// Texts by what they mean, in order.
    synonyms: Phrases,
    /// What each is, and where it was written.
    told: Vec<(String, Place)>,
}

/// Texts under names, in order of first appearance.
#[derive(Debug, Default)]
struct Phrases {
    named: Vec<(String, Vec<String>)>,
    /// Where each name stands.
    index: HashMap<String, usize>,
}

impl Rest {
    /// Takes a message; `what` says so.
    pub fn example(&mut self, example: &Example, what: String) {
        self.examples.push(example.clone());
        self.told.push((what, example.place.clone()));
    }

    /// Takes a pattern.
    pub fn pattern(&mut self, name: &str, pattern: &str, what: String, place: &Place) {
        self.patterns.push((name.to_owned(), pattern.to_owned()));
        self.told.push((what, place.clone()));
    }

    /// Takes a phrase of a lookup table.
    pub fn phrase(&mut self, table: &str, phrase: &str, what: String, place: &Place) {
        self.tables.add(table, [phrase.to_owned()]);
        self.told.push((what, place.clone()));
    }

    /// Takes a text that means a value.
    pub fn synonym(&mut self, value: &str, text: &str, what: String, place: &Place) {
        self.synonyms.add(value, [text.to_owned()]);
        self.told.push((what, place.clone()));
    }

    /// Takes what is left of another file.
    pub fn extend(&mut self, other: Self) {
        self.examples.extend(other.examples);
        self.patterns.extend(other.patterns);
        self.tables.extend(other.tables);
        self.synonyms.extend(other.synonyms);
        self.told.extend(other.told);
    }

    /// Hands out the messages.
    pub fn take_examples(&mut self) -> Vec<Example> {
        std::mem::take(&mut self.examples)
    }

    /// Returns the labels of messages, as often as they come.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.examples.iter().filter_map(label)
    }

    /// Puts messages back.
    pub fn put_examples(&mut self, examples: impl IntoIterator<Item = Example>) {
        self.examples.extend(examples);
    }

    /// Brings all but messages and tables, whose order is theirs, into an order that
    /// does not tell of files.
    pub fn sort(&mut self) {
        self.patterns.sort();
        self.patterns.dedup();
        self.synonyms.sort();
    }

    /// Returns whether nothing is left.
    pub fn is_empty(&self) -> bool {
        let phrases = [&self.tables, &self.synonyms];
        self.examples.is_empty()
            && self.patterns.is_empty()
            && phrases.iter().all(|phrases| phrases.named.is_empty())
    }

    /// Says what stays in JSON.
    pub fn tell_kept(&self, notes: &mut Notes) {
        for (what, place) in &self.told {
            notes.say_at("N604", place, format!("{what} stays in JSON"));
            notes.help("YAML has no way to say it; Rasa reads both files");
        }
    }

    /// Returns the text of the file.
    pub fn text(&self) -> String {
        let named =
            |phrases: &Phrases, name: &str, texts: &str| -> Option<Value> {
                let phrases = phrases.named.iter();
                list(phrases.map(|(one, all)| {
                    object([(name, Some(json!(one))), (texts, Some(json!(all)))])
                }))
            };
        let patterns = self.patterns.iter();
        let patterns = patterns.map(|(name, pattern)| json!({ "name": name, "pattern": pattern }));
        let data = object([
            ("common_examples", list(self.examples.iter().map(message))),
            ("regex_features", list(patterns)),
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

/// Returns the label of a message, in full, if it has one.
pub fn label(example: &Example) -> Option<&str> {
    let label = example.intent_response_key.as_deref();
    label.or(example.intent.as_deref())
}

/// Returns a list, if there is anything in it.
fn list(items: impl Iterator<Item = Value>) -> Option<Value> {
    let items: Vec<Value> = items.collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

/// Returns a map of the values that are there.
fn object<const N: usize>(parts: [(&str, Option<Value>); N]) -> Value {
    let parts = parts.into_iter();
    let parts = parts.filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(parts.collect::<Map<_, _>>())
}

fn message(example: &Example) -> Value {
    object([
        ("text", Some(json!(example.text))),
        ("intent", label(example).map(|label| json!(label))),
        ("entities", list(example.entities.iter().map(entity))),
    ])
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

impl Phrases {
    fn add(&mut self, name: &str, texts: impl IntoIterator<Item = String>) {
        let at = match self.index.entry(name.to_owned()) {
            Occupied(known) => *known.get(),
            Vacant(free) => {
                self.named.push((name.to_owned(), Vec::new()));
                *free.insert(self.named.len() - 1)
            }
        };
        self.named[at].1.extend(texts);
    }

    fn extend(&mut self, other: Self) {
        for (name, texts) in other.named {
            self.add(&name, texts);
        }
    }

    /// Sorts names and texts; each text is there once.
    fn sort(&mut self) {
        for (_, texts) in &mut self.named {
            texts.sort();
            texts.dedup();
        }
        self.named.sort();
        let numbered = self.named.iter().enumerate();
        self.index = numbered.map(|(at, (name, _))| (name.clone(), at)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_take_no_quadratic_time() {
        let mut rest = Rest::default();
        let place = Place::default();
        for name in 0..200_000 {
            for text in ["a\nb", "c\nd"] {
                rest.synonym(&format!("value {name}"), text, String::new(), &place);
            }
        }
        let mut all = Rest::default();
        all.extend(rest);
        assert_eq!(all.synonyms.named.len(), 200_000);
        assert!(all.synonyms.named.iter().all(|(_, texts)| texts.len() == 2));
    }
}
