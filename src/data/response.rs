//! What a bot may say, of which a domain may hold tens of thousands of pieces.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde_json::Number;
use serde_json::Value;

/// One variation of a response: the map as written (`text`, `buttons`,
/// `image`, `custom`, `channel`, `condition`, …). A clone shares it: several
/// parts of a project hold the same responses.
#[derive(Clone, PartialEq)]
pub struct Response(Arc<[Entry]>);

/// A value within a response: what [`Value`] holds, in a tenth of the memory,
/// and as JSON the same.
#[derive(Clone, PartialEq)]
pub enum Content {
    /// Nothing.
    Null,
    /// True or false.
    Flag(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Box<str>),
    /// A list.
    List(Box<[Content]>),
    /// A map, sorted by its keys.
    Map(Box<[Entry]>),
}

/// A key and its value.
pub type Entry = (Cow<'static, str>, Content);

/// Keys that need no memory of their own, sorted.
const USUAL_KEYS: [&str; 16] = [
    "attachment",
    "button_type",
    "buttons",
    "channel",
    "condition",
    "custom",
    "id",
    "image",
    "metadata",
    "name",
    "payload",
    "quick_replies",
    "text",
    "title",
    "type",
    "value",
];

impl Response {
    /// Returns the variation with these entries; of a key's values the last.
    pub fn of<'k, K: Into<Cow<'k, str>>>(entries: impl IntoIterator<Item = (K, Content)>) -> Self {
        Self(sorted(entries).into())
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Content> {
        value_of(&self.0, key)
    }
}

impl Content {
    /// Returns the map with these entries; of a key's values the last.
    pub fn map<'k, K: Into<Cow<'k, str>>>(entries: impl IntoIterator<Item = (K, Content)>) -> Self {
        Self::Map(sorted(entries).into())
    }

    /// Returns the text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the items, if this is a list.
    pub fn as_list(&self) -> Option<&[Content]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the value of a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Content> {
        match self {
            Self::Map(entries) => value_of(entries, key),
            _ => None,
        }
    }
}

fn value_of<'e>(entries: &'e [Entry], key: &str) -> Option<&'e Content> {
    let at = entries.binary_search_by(|(known, _)| (**known).cmp(key));
    at.ok().map(|at| &entries[at].1)
}

fn sorted<'k, K: Into<Cow<'k, str>>>(
    entries: impl IntoIterator<Item = (K, Content)>,
) -> Vec<Entry> {
    let entries = entries.into_iter();
    let entries = entries.map(|(key, value)| (kept(key.into()), value));
    let mut entries: Vec<Entry> = entries.collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries.dedup_by(|later, kept| {
        let repeats = later.0 == kept.0;
        if repeats {
            std::mem::swap(later, kept);
        }
        repeats
    });
    entries
}

fn kept(key: Cow<'_, str>) -> Cow<'static, str> {
    match USUAL_KEYS.binary_search(&&*key) {
        Ok(at) => Cow::Borrowed(USUAL_KEYS[at]),
        Err(_) => Cow::Owned(key.into_owned()),
    }
}

impl From<Value> for Content {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(flag) => Self::Flag(flag),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text.into()),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => {
                Self::map(map.into_iter().map(|(key, value)| (key, value.into())))
            }
        }
    }
}

impl From<BTreeMap<String, Value>> for Response {
    fn from(map: BTreeMap<String, Value>) -> Self {
        Self::of(map.into_iter().map(|(key, value)| (key, value.into())))
    }
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_map(&self.0, serializer)
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Flag(flag) => flag.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Map(entries) => serialize_map(entries, serializer),
        }
    }
}

fn serialize_map<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|(key, value)| (key, value)))
}

impl<'de> Deserialize<'de> for Response {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.0.iter().map(|(key, value)| (key, value)))
            .finish()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => text.fmt(f),
            Self::List(items) => items.fmt(f),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| (key, value));
                f.debug_map().entries(entries).finish()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use serde_json::json;

    #[test]
    fn a_response_is_the_same_json_as_the_map_it_was_written_as() {
        let map = json!({
            "text": "Hé \"{name}\"",
            "own": {"b": [1, -2, 0.5, 1e300], "a": null, "": {}},
            "buttons": [{"title": "Yes", "payload": "/yes", "ask": false}],
        });
        let response: Response = serde_json::from_value(map.clone()).unwrap();
        let text = serde_json::to_string(&response).unwrap();
        assert_eq!(text, serde_json::to_string(&map).unwrap());
        assert_eq!(Digest::of_value(&response), Digest::of_value(&map));
        assert_eq!(response.get("text").unwrap().as_str(), map["text"].as_str());
        let button = &response.get("buttons").unwrap().as_list().unwrap()[0];
        assert_eq!(button.get("payload").unwrap().as_str(), Some("/yes"));
        assert!(button.get("image").is_none() && response.get("a").is_none());
    }

    #[test]
    fn of_a_key_that_comes_twice_the_last_value_counts() {
        let content = |text: &str| Content::Text(text.into());
        let twice = Response::of([
            ("z", content("1")),
            ("a", content("2")),
            ("z", content("3")),
        ]);
        assert_eq!(
            serde_json::to_value(&twice).unwrap(),
            json!({"a": "2", "z": "3"})
        );
    }

    #[test]
    fn usual_keys_are_sorted() {
        assert!(USUAL_KEYS.is_sorted());
    }
}
