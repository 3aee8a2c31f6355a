//! Parses JSON into the tree of [`yaml`](crate::import::yaml), every node with
//! its line and column, in linear time and bounded depth.

use std::collections::HashMap;

use crate::import::yaml::Entry;
use crate::import::yaml::Mistake;
use crate::import::yaml::Node;
use crate::import::yaml::Scalar;
use crate::import::yaml::Style;
use crate::import::yaml::Yaml;

/// Lists and maps inside each other at most.
const DEPTH_LIMIT: usize = 64;

/// Keys of a map from which on a table finds those that stand twice.
const FEW_KEYS: usize = 16;

/// A value, and what is odd about it.
#[derive(Debug)]
pub struct Parsed {
    /// The value.
    pub root: Node,
    /// Keys that stand twice in a map. Python and Rasa: the latter counts.
    pub repeated: Vec<Mistake>,
}

/// Parses a text that is one value.
///
/// # Errors
///
/// The first thing that is not JSON.
pub fn parse(text: &str) -> Result<Parsed, Mistake> {
    parse_at(text, 1, 1)
}

/// Parses a text that stands at a line and column of a file.
///
/// # Errors
///
/// The first thing that is not JSON.
pub fn parse_at(text: &str, line: u32, column: u32) -> Result<Parsed, Mistake> {
    let mut parser = Parser::new(text, line, column);
    let root = parser.value(0)?;
    parser.skip_blanks();
    match parser.peek() {
        None => Ok(Parsed {
            root,
            repeated: parser.repeated,
        }),
        Some(_) => Err(parser.wrong("the end of the JSON value")),
    }
}

/// Returns the bytes of the value that a text starts with.
pub fn length_of_value(text: &str) -> Option<usize> {
    let mut parser = Parser::new(text, 1, 1);
    parser.value(0).ok()?;
    Some(parser.at)
}

/// Reads from left to right; `at` only grows.
struct Parser<'t> {
    text: &'t str,
    /// The next byte.
    at: usize,
    /// A byte up to which lines and columns were counted.
    counted: usize,
    line: u32,
    column: u32,
    repeated: Vec<Mistake>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, line: u32, column: u32) -> Self {
        Self {
            text,
            at: 0,
            counted: 0,
            line,
            column,
            repeated: Vec::new(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Counts up to the next byte and returns its line and column.
    fn place(&mut self) -> (u32, u32) {
        let passed = &self.text[self.counted..self.at];
        self.line += passed.matches('\n').count() as u32;
        self.column = match passed.rfind('\n') {
            Some(at) => 1 + passed[at + 1..].chars().count() as u32,
            None => self.column + passed.chars().count() as u32,
        };
        self.counted = self.at;
        (self.line, self.column)
    }

    fn mistake(&mut self, message: String) -> Mistake {
        let (line, column) = self.place();
        Mistake {
            code: "E023",
            line,
            column,
            length: 1,
            message,
            help: None,
        }
    }

    /// Returns the mistake that something else stands here than `wanted`.
    fn wrong(&mut self, wanted: &str) -> Mistake {
        let found = match self.text[self.at..].chars().next() {
            Some(letter) => format!("`{}`", letter.escape_debug()),
            None => "the end of the text".to_owned(),
        };
        self.mistake(format!(
            "not valid JSON: {wanted} was expected, not {found}"
        ))
    }

    fn value(&mut self, depth: usize) -> Result<Node, Mistake> {
        self.skip_blanks();
        if depth > DEPTH_LIMIT {
            let what = format!("JSON is nested deeper than {DEPTH_LIMIT} lists and maps");
            return Err(self.mistake(what));
        }
        let (line, column) = self.place();
        let (yaml, length) = match self.peek() {
            Some(b'{') => (self.map(depth)?, 1),
            Some(b'[') => (self.list(depth)?, 1),
            Some(b'"') => {
                let start = self.at;
                let text = self.string()?;
                let length = self.text[start..self.at].chars().count() as u32;
                (scalar(&text, Style::Quoted), length)
            }
            _ => {
                let word = self.word()?;
                (scalar(word, Style::Plain), word.len() as u32)
            }
        };
        Ok(Node {
            line,
            column,
            length,
            yaml,
        })
    }

    fn list(&mut self, depth: usize) -> Result<Yaml, Mistake> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.takes(b']') {
            return Ok(Yaml::List(items));
        }
        loop {
            self.no_end_after_comma(b']')?;
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            if self.takes(b']') {
                return Ok(Yaml::List(items));
            }
            if !self.takes(b',') {
                return Err(self.wrong("`,` or `]`"));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Yaml, Mistake> {
        let mut map = Map::default();
        self.at += 1;
        self.skip_blanks();
        if self.takes(b'}') {
            return Ok(Yaml::Map(map.entries));
        }
        loop {
            self.no_end_after_comma(b'}')?;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in double quotes"));
            }
            let at = self.value(depth + 1)?;
            self.skip_blanks();
            if !self.takes(b':') {
                return Err(self.wrong("`:`"));
            }
            let value = self.value(depth + 1)?;
            self.repeated.extend(map.insert(at, value));
            self.skip_blanks();
            if self.takes(b'}') {
                return Ok(Yaml::Map(map.entries));
            }
            if !self.takes(b',') {
                return Err(self.wrong("`,` or `}`"));
            }
        }
    }

    /// Refuses the end of a list or map where an item must stand.
    fn no_end_after_comma(&mut self, end: u8) -> Result<(), Mistake> {
        self.skip_blanks();
        if self.peek() != Some(end) {
            return Ok(());
        }
        let what = "not valid JSON: nothing stands after the last comma".to_owned();
        Err(self.mistake(what).help("take that comma away"))
    }

    /// Moves over a byte if it is next.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    /// Reads a number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<&'t str, Mistake> {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let word = &rest[..end];
        if !matches!(word, "true" | "false" | "null") && !is_number(word) {
            return Err(self.wrong("a value"));
        }
        self.at += end;
        Ok(word)
    }

    /// Reads a text in quotes.
    fn string(&mut self) -> Result<String, Mistake> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let stop = |c: char| c == '"' || c == '\\' || c < ' ';
            let end = rest.find(stop).unwrap_or(rest.len());
            text.push_str(&rest[..end]);
            self.at += end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.wrong("`\"` at the end of a text")),
            }
        }
    }

    /// Reads an escape; a pair of surrogates is one character.
    fn escape(&mut self) -> Result<char, Mistake> {
        let letter = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.mistake("not valid JSON: no such escape".to_owned())),
        };
        self.at += 2;
        Ok(letter)
    }

    fn unicode(&mut self) -> Result<char, Mistake> {
        let unit = |at: usize| -> Option<u16> {
            let hex = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
            let good = hex.bytes().all(|b| b.is_ascii_hexdigit());
            good.then(|| u16::from_str_radix(hex, 16).ok()).flatten()
        };
        let Some(first) = unit(self.at) else {
            return Err(self.mistake("not valid JSON: `\\u` needs 4 hex digits here".to_owned()));
        };
        let second = unit(self.at + 6);
        let units = [first, second.unwrap_or_default()];
        let (letter, length) = match char::from_u32(u32::from(first)) {
            Some(letter) => (Some(letter), 6),
            None => (char::decode_utf16(units).next().and_then(Result::ok), 12),
        };
        let Some(letter) = letter else {
            return Err(self.mistake("half of a surrogate pair".to_owned()));
        };
        self.at += length;
        Ok(letter)
    }
}

/// A map while it is read.
#[derive(Default)]
struct Map {
    entries: Vec<Entry>,
    /// Index of each key, once there are more than a few.
    index: HashMap<String, usize>,
}

impl Map {
    /// Adds an entry, or replaces the one of the same key and says so.
    fn insert(&mut self, at: Node, value: Node) -> Option<Mistake> {
        let key = match &at.yaml {
            Yaml::Scalar(scalar) => scalar.text.clone(),
            _ => return None,
        };
        let known = match self.entries.len() < FEW_KEYS {
            true => self.entries.iter().position(|entry| entry.key == key),
            false => self.find(&key),
        };
        let Some(known) = known else {
            self.entries.push(Entry { key, at, value });
            return None;
        };
        let what = format!("key `{}` stands twice here: the latter counts", &*key);
        let first = &self.entries[known].at;
        let help = format!("the first is in line {}", first.line);
        let mistake = at.mistake("W025", what).help(help);
        self.entries[known] = Entry { key, at, value };
        Some(mistake)
    }

    fn find(&mut self, key: &str) -> Option<usize> {
        for at in self.index.len()..self.entries.len() {
            self.index.insert(self.entries[at].key.to_string(), at);
        }
        self.index.get(key).copied()
    }
}

fn scalar(text: &str, style: Style) -> Yaml {
    Yaml::Scalar(Scalar {
        text: text.into(),
        style,
    })
}

/// Returns whether a word is a number as JSON writes them.
fn is_number(word: &str) -> bool {
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn every_node_knows_its_place() {
        let parsed = parse("{\n\t\"é\": [1,\n  \"\\ud83c\\udf55x\"]}").unwrap();
        let list = parsed.root.get("é").unwrap();
        let Yaml::List(items) = &list.yaml else {
            panic!("a list was read");
        };
        let shown: Vec<(u32, u32, u32)> = items
            .iter()
            .map(|item| (item.line, item.column, item.length))
            .collect();
        assert_eq!((list.line, list.column), (2, 7));
        assert_eq!(shown, [(2, 8, 1), (3, 3, 15)]);
        assert_eq!(items[1].text(), Some("🍕x"));
    }

    #[test]
    fn what_is_not_json_is_named_with_its_place() {
        let shown = |text: &str| {
            let mistake = parse(text).unwrap_err();
            assert_eq!(mistake.code, "E023");
            (mistake.line, mistake.column)
        };
        assert_eq!(shown(""), (1, 1));
        assert_eq!(shown("{\"a\" 1}"), (1, 6));
        assert_eq!(shown("{\n \"a\": nul}"), (2, 7));
        assert_eq!(shown("[1, 02]"), (1, 5));
        assert_eq!(shown("[1] 2"), (1, 5));
        assert_eq!(shown("{a: 1}"), (1, 2));
        assert_eq!(shown("{\"a\": 1, }"), (1, 10));
        assert_eq!(shown("[1,]"), (1, 4));
        assert_eq!(shown("[\"\\ud83c\"]"), (1, 3));
        assert_eq!(shown("[\"\\x\"]"), (1, 3));
        assert_eq!(shown("\"a\nb\""), (1, 3));
        assert_eq!(shown(&"[".repeat(100_000)), (1, 66));
    }

    #[test]
    fn the_latter_of_two_keys_counts() {
        let keys: Vec<String> = (0..40).map(|n| format!("\"k{n}\": {n}")).collect();
        let text = format!("{{{}, \"k3\": \"x\"}}", keys.join(", "));
        let parsed = parse(&text).unwrap();
        assert_eq!(parsed.root.get("k3").unwrap().text(), Some("x"));
        assert_eq!(parsed.repeated.len(), 1);
        assert_eq!(parsed.repeated[0].code, "W025");
    }

    #[test]
    fn a_value_knows_its_length() {
        assert_eq!(length_of_value("{\"a\": \"}\"}: b"), Some(10));
        assert_eq!(length_of_value("{a"), None);
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        let long = format!("[{}0]", "0,".repeat(200_000));
        assert!(parse(&long).is_ok());
        let keys: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":0")).collect();
        assert!(parse(&format!("{{{}}}", keys.join(","))).is_ok());
        assert!(parse(&format!("\"{}\"", "\\u00e9".repeat(200_000))).is_ok());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9f64).prop_map(Value::from),
            any::<String>().prop_map(Value::String),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            let maps = prop::collection::btree_map(any::<String>(), inner.clone(), 0..4);
            prop_oneof![
                prop::collection::vec(inner, 0..4).prop_map(Value::Array),
                maps.prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_as_json_is_read_back(value in any_value()) {
            let written = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(parse(&written).unwrap().root.to_json(), value);
        }

        #[test]
        fn no_text_is_read_that_is_not_json(text in "[\\[\\]{}\",:0-9a-z\\\\ .+-]{0,12}") {
            let oracle = serde_json::from_str::<Value>(&text).is_ok();
            prop_assert_eq!(parse(&text).is_ok(), oracle, "{}", text);
        }
    }
}
