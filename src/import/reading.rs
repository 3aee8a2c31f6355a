//! What every reader of a file needs: its name, its mistakes so far, and ways
//! to ask a node for a value of some shape, complaining if it is another.

use std::fmt::Display;
use std::sync::Arc;

use crate::data::Place;
use crate::data::Places;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::shortened;
use crate::import::written::old_boolean;
use crate::import::yaml::Mistake;
use crate::import::yaml::Node;
use crate::import::yaml::Scalar;
use crate::import::yaml::Yaml;

/// A file that is being read.
#[derive(Debug)]
pub struct Reading {
    /// The path as shown.
    pub file: Arc<str>,
    /// What was said about it.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// Starts on a file.
    pub fn new(file: Arc<str>) -> Self {
        Self {
            file,
            diagnostics: Vec::new(),
        }
    }

    /// Returns where a node stands.
    pub fn place(&self, node: &Node) -> Place {
        self.at(node.line, node.column)
    }

    /// Returns a place in this file.
    pub fn at(&self, line: u32, column: u32) -> Place {
        Place {
            file: self.file.clone(),
            line,
            column,
        }
    }

    /// Returns a diagnostic about a node.
    pub fn about(&self, code: &'static str, node: &Node, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.place(node), message).length(node.length)
    }

    /// Says something about a node.
    pub fn say(&mut self, code: &'static str, node: &Node, message: impl Into<String>) {
        let diagnostic = self.about(code, node, message);
        self.diagnostics.push(diagnostic);
    }

    /// Warns of keys of a map that are none of `known` but near to one: Rasa passes
    /// over them without a word. What is near to none may be another program's.
    pub fn misspelt(
        &mut self,
        code: &'static str,
        node: &Node,
        what: impl Display,
        known: &[&str],
    ) {
        for entry in node.entries() {
            let key = entry.key.as_str();
            if known.contains(&key) {
                continue;
            }
            let message = format!("{what} has no `{}`: it is not read", shortened(key));
            let about = self.about(code, &entry.at, message);
            let about = about.suggest(key, known.iter().copied());
            if about.help.is_some() {
                self.diagnostics.push(about);
            }
        }
    }

    /// Says what the parser found.
    pub fn say_mistake(&mut self, mistake: Mistake) {
        let place = self.at(mistake.line, mistake.column);
        let mut diagnostic =
            Diagnostic::new(mistake.code, place, mistake.message).length(mistake.length);
        diagnostic.help = mistake.help;
        self.diagnostics.push(diagnostic);
    }

    /// Says that a node should have been something else.
    pub fn wrong(&mut self, node: &Node, what: &str, wanted: &str) {
        let message = format!("{what} must be {wanted}, not {}", node.kind());
        let mut diagnostic = self.about("E010", node, message);
        if wanted == "text" && matches!(node.yaml, Yaml::Scalar(_)) && !node.is_null() {
            diagnostic.help = Some("put it in quotes if text is meant".to_owned());
        }
        if wanted == "text" && matches!(node.yaml, Yaml::List(_)) {
            diagnostic.help =
                Some("write one here, and each other one as an entry or step".to_owned());
        }
        self.diagnostics.push(diagnostic);
    }

    /// Says what to do about the last thing that was said, if it was not said yet.
    fn help(&mut self, help: &str) {
        if let Some(last) = self.diagnostics.last_mut() {
            last.help.get_or_insert_with(|| help.to_owned());
        }
    }

    /// Returns the items of a list; null is empty, anything else a mistake.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.yaml {
            Yaml::List(items) => items,
            _ => {
                if !node.is_null() {
                    self.wrong(node, what, "a list");
                    self.help("put `- ` before each item, on a line of its own");
                }
                &[]
            }
        }
    }

    /// Returns the items of a list as [`list`](Self::list) does. Each can be dropped
    /// when it was read: a tree takes more memory than what is read out of it.
    pub fn items(&mut self, node: Node, what: &str) -> Vec<Node> {
        self.list(&node, what);
        match node.yaml {
            Yaml::List(items) => items,
            _ => Vec::new(),
        }
    }

    /// Says so if a node is neither a map nor null.
    pub fn expect_map(&mut self, node: &Node, what: &str) {
        if !matches!(node.yaml, Yaml::Map(_)) && !node.is_null() {
            self.wrong(node, what, "a map");
        }
    }

    /// Returns the text of a node; anything else is a mistake.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.text();
        if text.is_none() {
            self.wrong(node, what, "text");
        }
        text
    }

    /// Returns the text of a node; null is none, anything else a mistake.
    pub fn text_or_null(&mut self, node: Option<&Node>, what: &str) -> Option<String> {
        let node = node.filter(|node| !node.is_null())?;
        self.text(node, what).map(str::to_owned)
    }

    /// Returns the written form of any scalar: names that are numbers are taken
    /// by their letters.
    pub fn word<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match &node.yaml {
            Yaml::Scalar(Scalar { text, .. }) if !node.is_null() => Some(text),
            _ => {
                self.wrong(node, what, "text");
                None
            }
        }
    }

    /// Returns one name or a list of names; null is none.
    pub fn names(&mut self, node: Option<&Node>, what: &str) -> Vec<String> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        match &node.yaml {
            Yaml::List(items) => items
                .iter()
                .filter_map(|item| self.word(item, what).map(str::to_owned))
                .collect(),
            _ => self
                .word(node, what)
                .map(str::to_owned)
                .into_iter()
                .collect(),
        }
    }

    /// Adds where each name stands, of one or of a list of names.
    pub fn places(&self, node: Option<&Node>, places: &mut Places) {
        let Some(node) = node else { return };
        match &node.yaml {
            Yaml::List(items) => {
                for item in items {
                    self.places(Some(item), places);
                }
            }
            Yaml::Scalar(Scalar { text, .. }) => {
                let place = self.place(node);
                Arc::make_mut(&mut places.0)
                    .entry(text.to_string())
                    .or_insert(place);
            }
            Yaml::Map(_) => {}
        }
    }

    /// Returns true or false; null is none, anything else a mistake.
    pub fn flag(&mut self, node: Option<&Node>, what: &str) -> Option<bool> {
        let node = node.filter(|node| !node.is_null())?;
        let flag = node.to_json().as_bool();
        if flag.is_none() {
            self.wrong(node, what, "true or false");
            let meant = node.text().and_then(old_boolean);
            if let (Some(meant), Some(last)) = (meant, self.diagnostics.last_mut()) {
                last.help = Some(format!("write `{meant}`: in YAML 1.2 this is text"));
            }
        }
        flag
    }

    /// Returns a number; null is none, anything else a mistake.
    pub fn number(&mut self, node: Option<&Node>, what: &str) -> Option<f64> {
        let node = node.filter(|node| !node.is_null())?;
        let number = node.to_json().as_f64();
        if number.is_none() {
            self.wrong(node, what, "a number");
        }
        number
    }
}
