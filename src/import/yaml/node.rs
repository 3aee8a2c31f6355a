//! The tree of a YAML file: values that know where they were written.

use serde_json::Value;

use crate::import::yaml::Slice;
use crate::import::yaml::scalar;

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in code points, counted from 1.
    pub column: u32,
    /// Code points on that line, at least 1.
    pub length: u32,
    /// The value.
    pub yaml: Yaml,
}

/// The three shapes of a value.
#[derive(Clone, Debug)]
pub enum Yaml {
    /// A word, number or text.
    Scalar(Scalar),
    /// A list.
    List(Vec<Node>),
    /// A map, in order of writing, without duplicate keys.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key's text.
    pub key: Slice,
    /// Where the key stands; its value is the key's text.
    pub at: Node,
    /// The value.
    pub value: Node,
}

/// The text of a scalar and how it was written.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The text after unquoting.
    pub text: Slice,
    /// How it was written.
    pub style: Style,
}

/// How a scalar was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: it may be a number, a boolean or null.
    Plain,
    /// In quotes, or with a tag or variable that makes it text.
    Quoted,
    /// As a literal block (`|`): line `k` of the text, from 0, stands in the
    /// file at line `first_line + k`, indented by `indent` columns.
    Literal {
        /// The file's line of the first line of text.
        first_line: u32,
        /// Columns that are not part of the text.
        indent: u32,
    },
    /// As a folded block (`>`).
    Folded,
}

/// Something in a file that cannot be read, at its place.
#[derive(Clone, Debug)]
pub struct Mistake {
    /// The diagnostic's code.
    pub code: &'static str,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in code points, counted from 1.
    pub column: u32,
    /// Code points to underline.
    pub length: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Mistake {
    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl Node {
    /// Returns the value of a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()
            .iter()
            .find(|entry| entry.key == *key)
            .map(|entry| &entry.value)
    }

    /// Takes the value of a key out of a map that has it, and leaves an empty list
    /// there.
    pub fn take(&mut self, key: &str) -> Option<Node> {
        let Yaml::Map(entries) = &mut self.yaml else {
            return None;
        };
        let entry = entries.iter_mut().find(|entry| entry.key == *key)?;
        let Node {
            line,
            column,
            length,
            ..
        } = entry.value;
        let empty = Node {
            line,
            column,
            length,
            yaml: Yaml::List(Vec::new()),
        };
        Some(std::mem::replace(&mut entry.value, empty))
    }

    /// Returns the entries of a map; none of anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.yaml {
            Yaml::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Returns the text, if this is a scalar that means text.
    pub fn text(&self) -> Option<&str> {
        match &self.yaml {
            Yaml::Scalar(Scalar { text, style }) => {
                let is_text = *style != Style::Plain || scalar::is_text(text);
                is_text.then_some(text)
            }
            _ => None,
        }
    }

    /// Returns whether this is null.
    pub fn is_null(&self) -> bool {
        match &self.yaml {
            Yaml::Scalar(scalar) => scalar.style == Style::Plain && scalar::is_null(&scalar.text),
            _ => false,
        }
    }

    /// Returns the value without places.
    pub fn to_json(&self) -> Value {
        match &self.yaml {
            Yaml::Scalar(scalar) if scalar.style == Style::Plain => {
                scalar::plain_value(&scalar.text)
            }
            Yaml::Scalar(scalar) => Value::String(scalar.text.to_string()),
            Yaml::List(items) => items.iter().map(Node::to_json).collect(),
            Yaml::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.to_string(), entry.value.to_json()))
                .collect(),
        }
    }

    /// Returns the word for what this is, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.yaml {
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "a map",
            Yaml::Scalar(_) if self.text().is_some() => "text",
            Yaml::Scalar(_) => match self.to_json() {
                Value::Null => "empty",
                Value::Bool(_) => "true or false",
                Value::Number(_) => "a number",
                _ => "text",
            },
        }
    }

    /// Returns a mistake at this node.
    pub fn mistake(&self, code: &'static str, message: impl Into<String>) -> Mistake {
        Mistake {
            code,
            line: self.line,
            column: self.column,
            length: self.length,
            message: message.into(),
            help: None,
        }
    }
}
