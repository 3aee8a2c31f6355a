//! Writes NLU data and responses as YAML 3.1: messages with their annotations, as
//! a person would write them.

use crate::convert::emit::Tree;
use crate::convert::emit::fits_in_block;
use crate::convert::emit::quoted;
use crate::convert::emit::word;
use crate::convert::lines::VERSION;
use crate::convert::source::Piece;
use crate::convert::source::Source;

/// What an entry of `nlu` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Messages of an intent.
    Intent,
    /// Texts that mean a value.
    Synonym,
    /// Regular expressions.
    Regex,
    /// Phrases.
    Lookup,
}

impl Kind {
    /// Returns the key of the entry.
    pub fn key(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Synonym => "synonym",
            Self::Regex => "regex",
            Self::Lookup => "lookup",
        }
    }

    /// Returns the kind of a key.
    pub fn of(key: &str) -> Option<Self> {
        let all = [Self::Intent, Self::Synonym, Self::Regex, Self::Lookup];
        all.into_iter().find(|kind| kind.key() == key)
    }
}

/// An entry of `nlu`.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it holds.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Lines of comment above it, without `#`.
    pub comments: Vec<String>,
    /// Its own metadata.
    pub metadata: Option<Tree>,
    /// Its lines.
    pub examples: Vec<Line>,
}

/// A line of an entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The text, with annotations.
    pub text: String,
    /// Its own metadata.
    pub metadata: Option<Tree>,
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Its name, such as `utter_faq/opening`.
    pub name: String,
    /// Lines of comment above it, without `#`.
    pub comments: Vec<String>,
    /// Its variations.
    pub variations: Vec<Tree>,
}

/// A file of NLU data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NluFile {
    /// The entries of `nlu`.
    pub entries: Vec<Entry>,
    /// The responses.
    pub responses: Vec<Response>,
    /// Comments at the end.
    pub comments: Vec<String>,
}

impl NluFile {
    /// Takes the NLU data out of a YAML file, as its readers do; comments are left.
    pub fn read(source: &Source) -> Self {
        let mut file = Self::default();
        let items = source.get(&source.root, "nlu").map(Piece::items);
        for item in items.unwrap_or_default() {
            file.entries.extend(Entry::read(source, source.meant(item)));
        }
        let responses = source.get(&source.root, "responses").map(Piece::entries);
        for (name, variations) in responses.unwrap_or_default() {
            let variations = source.meant(variations).items().iter();
            file.responses.push(Response {
                name: name.text().unwrap_or_default().to_owned(),
                comments: Vec::new(),
                variations: variations.map(|v| Tree::piece(source, v)).collect(),
            });
        }
        file
    }

    /// Returns the text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("version: \"{VERSION}\"\n");
        if !self.entries.is_empty() {
            text.push_str("\nnlu:\n");
            let entries: Vec<String> = self.entries.iter().map(Entry::text).collect();
            text.push_str(&entries.join("\n"));
        }
        if !self.responses.is_empty() {
            text.push_str("\nresponses:\n");
            for response in &self.responses {
                text.push_str(&comment_lines(&response.comments, 2));
                let variations = Tree::List(response.variations.clone());
                let name = word(&response.name);
                text.push_str(&format!("  {name}:{}", variations.behind_key(2)));
            }
        }
        if !self.comments.is_empty() {
            text.push('\n');
            text.push_str(&comment_lines(&self.comments, 0));
        }
        text
    }
}

impl Entry {
    /// Reads an entry of `nlu`; the first known key says what it is.
    fn read(source: &Source, item: &Piece) -> Option<Self> {
        let kinds = [Kind::Intent, Kind::Synonym, Kind::Regex, Kind::Lookup];
        let found = kinds
            .into_iter()
            .find_map(|kind| Some((kind, source.get(item, kind.key())?)));
        let (kind, name) = found?;
        let metadata = |piece: &Piece| {
            let metadata = source.get(piece, "metadata").filter(|m| !m.is_null());
            metadata.map(|metadata| Tree::piece(source, metadata))
        };
        let mut entry = Self {
            kind,
            name: name.text()?.trim().to_owned(),
            comments: Vec::new(),
            metadata: metadata(item),
            examples: Vec::new(),
        };
        let examples = source.get(item, "examples");
        match examples.map(|examples| (examples.text(), examples.items())) {
            Some((Some(block), _)) => {
                let lines = block.split('\n').filter_map(|line| line.strip_prefix('-'));
                let lines = lines.map(|line| line.trim_matches([' ', '\r']));
                entry.examples.extend(lines.map(|text| Line {
                    text: text.to_owned(),
                    metadata: None,
                }));
            }
            Some((None, items)) => {
                for item in items.iter().map(|item| source.meant(item)) {
                    let text = source.get(item, "text").and_then(Piece::text);
                    let text = text.unwrap_or_default().trim_matches([' ', '\r', '\n']);
                    entry.examples.push(Line {
                        text: text.to_owned(),
                        metadata: metadata(item),
                    });
                }
            }
            None => {}
        }
        entry.examples.retain(|line| !line.text.is_empty());
        Some(entry)
    }

    fn text(&self) -> String {
        let mut text = comment_lines(&self.comments, 0);
        text.push_str(&format!("- {}: {}\n", self.kind.key(), word(&self.name)));
        if let Some(metadata) = &self.metadata {
            text.push_str(&format!("  metadata:{}", metadata.behind_key(4)));
        }
        if self.examples.is_empty() {
            return text;
        }
        text.push_str("  examples:");
        let has_metadata = self.examples.iter().any(|line| line.metadata.is_some());
        let fits = self.examples.iter().all(|line| fits_in_block(&line.text));
        if self.kind == Kind::Intent && (has_metadata || !fits) {
            text.push_str(&self.list());
        } else if fits {
            text.push_str(" |\n");
            for line in &self.examples {
                text.push_str(&format!("    - {}\n", line.text));
            }
        } else {
            let lines = self
                .examples
                .iter()
                .map(|line| format!("- {}\n", line.text));
            text.push_str(&format!(" {}\n", quoted(&lines.collect::<String>())));
        }
        text
    }

    fn list(&self) -> String {
        let lines = self.examples.iter().map(|line| {
            let mut map = vec![("text".to_owned(), Tree::text(&line.text))];
            let metadata = line.metadata.clone();
            map.extend(metadata.map(|metadata| ("metadata".to_owned(), metadata)));
            Tree::Map(map)
        });
        Tree::List(lines.collect()).behind_key(2)
    }
}

/// Returns lines of comment.
pub fn comment_lines(comments: &[String], indent: usize) -> String {
    let blanks = " ".repeat(indent);
    let lines = comments.iter().map(|line| match line.trim_end() {
        "" => format!("{blanks}#\n"),
        line => format!("{blanks}# {line}\n"),
    });
    lines.collect()
}
