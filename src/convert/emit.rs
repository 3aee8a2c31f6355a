//! Writes values as YAML that both YAML 1.1 and 1.2 read as meant.

use saphyr_parser::ScalarStyle;
use serde_json::Value;

use crate::convert::source::Piece;
use crate::convert::source::Shape;
use crate::convert::source::Source;
use crate::import::yaml::scalar;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// A scalar as it is written, on one line.
    Word(String),
    /// A list.
    List(Vec<Tree>),
    /// A map, in order.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Returns the tree of a text.
    pub fn text(text: &str) -> Self {
        Self::Word(word(text))
    }

    /// Returns the tree of a JSON value.
    pub fn json(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::List(items.iter().map(Self::json).collect()),
            Value::Object(map) => {
                let entries = map.iter();
                Self::Map(
                    entries
                        .map(|(key, value)| (key.clone(), Self::json(value)))
                        .collect(),
                )
            }
            plain => Self::Word(plain.to_string()),
        }
    }

    /// Returns the tree of a value that a file holds, aliases expanded.
    pub fn piece(source: &Source, piece: &Piece) -> Self {
        match &source.meant(piece).shape {
            Shape::Scalar(text, ScalarStyle::Plain) if !scalar::is_text(text) => {
                match text.is_empty() {
                    true => Self::Word("null".to_owned()),
                    false => Self::Word(text.clone()),
                }
            }
            Shape::Scalar(text, _) => Self::text(text),
            Shape::List(items, _) => {
                let items = items.iter();
                Self::List(items.map(|item| Self::piece(source, item)).collect())
            }
            Shape::Map(entries, _) => {
                let entries = entries.iter();
                let named = entries.filter_map(|(key, value)| Some((key.text()?, value)));
                let trees = named.map(|(key, value)| (key.to_owned(), Self::piece(source, value)));
                Self::Map(trees.collect())
            }
            Shape::Alias(_) => Self::Word("null".to_owned()),
        }
    }

    /// Writes the value in brackets and braces, on one line.
    pub fn flow(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::flow).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(entries) => {
                let entries = entries.iter();
                let entries: Vec<String> = entries
                    .map(|(key, value)| format!("{}: {}", word(key), value.flow()))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    /// Writes the value behind a key or dash: on the same line if it is a word or
    /// empty, else in lines below that are indented by `indent`.
    pub fn behind_key(&self, indent: usize) -> String {
        match self {
            Self::List(items) if !items.is_empty() => format!("\n{}", self.block(indent)),
            Self::Map(entries) if !entries.is_empty() => format!("\n{}", self.block(indent)),
            _ => format!(" {}\n", self.flow()),
        }
    }

    /// Writes a list or map that is not empty in lines of its own, all indented
    /// by `indent`.
    pub fn block(&self, indent: usize) -> String {
        let blanks = " ".repeat(indent);
        match self {
            Self::List(items) => {
                let items = items.iter().map(|item| match item {
                    Self::Map(entries) if !entries.is_empty() => {
                        let inner = item.block(indent + 2);
                        format!("{blanks}- {}", &inner[indent + 2..])
                    }
                    Self::List(inner) if !inner.is_empty() => {
                        let inner = item.block(indent + 2);
                        format!("{blanks}- {}", &inner[indent + 2..])
                    }
                    item => format!("{blanks}- {}\n", item.flow()),
                });
                items.collect()
            }
            Self::Map(entries) => entries
                .iter()
                .map(|(key, value)| {
                    let deeper = match value {
                        Self::List(_) => indent,
                        _ => indent + 2,
                    };
                    format!("{blanks}{}:{}", word(key), value.behind_key(deeper))
                })
                .collect(),
            Self::Word(word) => format!("{blanks}{word}\n"),
        }
    }
}

/// Words that are no text in YAML 1.1 or 1.2, in lower case.
const NO_TEXT: &[&str] = &[
    "null", "true", "false", "yes", "no", "on", "off", "y", "n", "~", "",
];

/// Returns a text as a scalar on one line: plain if nobody could misread it.
pub fn word(text: &str) -> String {
    match is_plain(text) {
        true => text.to_owned(),
        false => quoted(text),
    }
}

/// Returns whether a text can stand without quotes anywhere, also in brackets.
fn is_plain(text: &str) -> bool {
    let starts_well = text
        .chars()
        .next()
        .is_some_and(|first| first.is_alphabetic() || matches!(first, '_' | '/' | '('));
    let is_quiet = |letter: char| {
        letter.is_alphanumeric()
            || matches!(
                letter,
                ' ' | '_'
                    | '-'
                    | '/'
                    | '.'
                    | '('
                    | ')'
                    | '?'
                    | '!'
                    | '\''
                    | '+'
                    | '='
                    | ';'
                    | '~'
                    | '^'
                    | '<'
                    | '>'
            )
    };
    starts_well
        && !text.ends_with(' ')
        && text.chars().all(is_quiet)
        && !NO_TEXT.contains(&text.to_lowercase().as_str())
}

/// Returns a text in double quotes.
///
/// Escapes are those that also stand when a file of plain ASCII has its `\u`
/// escapes decoded before it is parsed, as Rasa does.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{85}' => quoted.push_str("\\N"),
            '\u{2028}' => quoted.push_str("\\L"),
            '\u{2029}' => quoted.push_str("\\P"),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => {
                quoted.push_str(&format!("\\x{:02x}", letter as u32));
            }
            '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                quoted.push_str(&format!("\\u{:04x}", letter as u32));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// Returns whether a text is one line that a literal block can hold.
pub fn fits_in_block(text: &str) -> bool {
    let is_printable = |letter: char| {
        !matches!(
            letter,
            '\u{0}'..='\u{8}'
                | '\n'..='\u{1f}'
                | '\u{7f}'..='\u{9f}'
                | '\u{2028}'
                | '\u{2029}'
                | '\u{feff}'
                | '\u{fffe}'
                | '\u{ffff}'
        )
    };
    // A file of plain ASCII has its `\u` escapes decoded, in blocks too.
    let has_escape = text.contains("\\u") || text.contains("\\U");
    text.chars().all(is_printable) && !has_escape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::yaml;
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    /// Reads a text with our reader, as from a file.
    fn ours(text: &str) -> Value {
        let values = BTreeMap::new();
        let text = yaml::text::decode(text.as_bytes()).unwrap().into();
        let root = yaml::parse(&text, &mut yaml::Environment::new(&values));
        root.unwrap().to_json()
    }

    #[track_caller]
    fn check(value: &Value) {
        let tree = Tree::json(value);
        for text in [
            format!("v:{}", tree.behind_key(2)),
            format!("v: {}\n", tree.flow()),
        ] {
            let theirs: Value = serde_yaml::from_str(&text).unwrap();
            assert_eq!(theirs["v"], *value, "{text}");
            assert_eq!(ours(&text)["v"], *value, "{text}");
        }
    }

    #[test]
    fn texts_that_look_like_something_else_are_quoted() {
        for text in [
            "yes",
            "No",
            "1",
            "1_000",
            "12:30",
            "",
            " a",
            "a ",
            "a: b",
            "a #b",
            "- a",
            "${X}",
            "2020-01-01",
            "a\\u0041",
            "~",
            "=",
            "<<",
            "*a",
            "a\nb",
            "\u{85}",
            "\u{feff}",
            "\u{7}",
        ] {
            assert!(word(text).starts_with('"'), "{text}");
            check(&json!(text));
        }
    }

    #[test]
    fn plain_words_stay_plain() {
        for text in [
            "greet",
            "utter_faq/opening",
            "let us go",
            "größe",
            "饭店_form",
        ] {
            assert_eq!(word(text), text);
        }
    }

    #[test]
    fn lists_and_maps_nest() {
        check(&json!({"a": [1, {"b": [["x"], []], "c": {}}, null, true, 0.5]}));
    }

    proptest! {
        #[test]
        fn every_text_is_read_as_it_was(text in "\\PC*|.*|[-\\\\u#:{}\\[\\]\"' a\n\t0]*") {
            check(&json!(text));
        }

        #[test]
        fn what_fits_in_a_block_is_read_as_it_was(text in "\\PC*|[-\\\\u#:{}\\[\\]\"' a\t0]*") {
            prop_assume!(fits_in_block(&text));
            let file = format!("v: |\n  - {text}\n");
            let want = format!("- {text}\n");
            let theirs: Value = serde_yaml::from_str(&file).unwrap();
            prop_assert_eq!(theirs["v"].as_str(), Some(&*want));
            let own = ours(&file);
            prop_assert_eq!(own["v"].as_str(), Some(&*want));
        }
    }
}
