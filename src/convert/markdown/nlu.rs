//! `## intent:greet` and its like to `nlu`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::convert::markdown::lines;
use crate::convert::markdown::unescaped;
use crate::convert::notes::Notes;
use crate::convert::rest::Rest;
use crate::convert::written::Entry;
use crate::convert::written::Kind;
use crate::convert::written::Line;
use crate::convert::written::NluFile;
use crate::data::PhraseList;
use crate::import::markdown::Heading;
use crate::import::markdown::heading;

/// Where the files of lookup tables are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'p> {
    root: &'p Path,
    file: &'p Path,
}

impl<'p> Tables<'p> {
    /// Looks in the project's folder, then beside a file of the project.
    pub fn new(root: &'p Path, file: &'p Path) -> Self {
        let file = file.strip_prefix(root).unwrap_or(file);
        Self { root, file }
    }

    /// Returns the path, from the project's folder on, that YAML knows as one.
    fn find(&self, written: &str) -> Option<String> {
        let beside = self.file.parent().unwrap_or(Path::new("")).join(written);
        let mut paths = [PathBuf::from(written), beside].into_iter();
        let path = paths.find(|path| self.root.join(path).is_file())?;
        let path = path.to_str()?;
        Some(match path.contains(['/', '.']) {
            true => path.to_owned(),
            false => format!("./{path}"),
        })
    }

    /// Returns the phrases of a file that was found.
    fn phrases(&self, path: &str) -> Option<PhraseList> {
        let bytes = fs::read(self.root.join(path)).ok();
        let mut bytes = bytes.filter(|bytes| bytes.len() <= PhraseList::SIZE_LIMIT)?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        String::from_utf8(bytes).ok().map(PhraseList::of_lines)
    }
}

/// A file that a lookup table names.
struct TableFile {
    /// The table's name.
    table: String,
    line: u32,
    path: String,
}

/// Converts Markdown NLU data. The phrases of a lookup table may be in a file of
/// their own, whose path stays its only element; a table that has phrases too
/// gets those of the file. What YAML has no way to say goes to the rest.
pub fn nlu(text: &str, tables: &Tables<'_>, rest: &mut Rest, notes: &mut Notes) -> NluFile {
    let mut reader = Reader {
        tables,
        rest,
        notes,
        file: NluFile::default(),
        files: Vec::new(),
        comments: Vec::new(),
        is_open: false,
    };
    for line in lines(text) {
        reader.comments.extend(line.comments);
        if !line.text.is_empty() {
            reader.line(line.number, line.text);
        }
    }
    reader.fill_tables();
    reader.file.comments = reader.comments;
    reader.file
}

struct Reader<'r> {
    tables: &'r Tables<'r>,
    rest: &'r mut Rest,
    notes: &'r mut Notes,
    file: NluFile,
    files: Vec<TableFile>,
    /// Comments that stand above what comes next.
    comments: Vec<String>,
    /// Whether the last heading took what stands below it.
    is_open: bool,
}

impl Reader<'_> {
    fn line(&mut self, number: u32, text: String) {
        if let Some(item) = text.strip_prefix(['-', '*', '+']) {
            let item = item.trim().to_owned();
            match self.file.entries.last().filter(|_| self.is_open) {
                Some(_) => self.item(number, &item),
                None => self.lost(number, text),
            }
        } else if text.starts_with('#') {
            self.heading(number, text);
        } else {
            self.other(number, text);
        }
    }

    fn heading(&mut self, number: u32, text: String) {
        let found = match heading(&text) {
            Some(Heading::Section(kind, name)) => Kind::of(kind).zip(Some(name.to_owned())),
            Some(Heading::Unknown(_)) => {
                self.is_open = false;
                None
            }
            Some(Heading::Untyped) | None => None,
        };
        let Some((kind, name)) = found else {
            match text.contains(':') {
                true => self.lost(number, text),
                false => self.comments.push(text),
            }
            return;
        };
        self.is_open = true;
        self.file.entries.push(Entry {
            kind,
            name,
            comments: std::mem::take(&mut self.comments),
            metadata: None,
            examples: Vec::new(),
        });
    }

    fn lost(&mut self, number: u32, text: String) {
        let what = "a line that means nothing is kept as a comment";
        self.notes.say("W601", number, what);
        self.comments.push(text);
    }

    fn item(&mut self, number: u32, item: &str) {
        let Some(entry) = self.file.entries.last_mut() else {
            return;
        };
        entry.comments.append(&mut self.comments);
        // A regular expression has the same escapes; there they mean the same.
        let text = match entry.kind {
            Kind::Regex => item.to_owned(),
            _ => unescaped(item),
        };
        if text.contains('\n') && entry.kind != Kind::Intent {
            let (kind, name) = (entry.kind.key(), &entry.name);
            let what = format!("{kind} {text:?} of `{name}`");
            let place = self.notes.at(number);
            match entry.kind {
                Kind::Synonym => self.rest.synonym(name, &text, what, &place),
                _ => self.rest.phrase(name, &text, what, &place),
            }
        } else if !text.is_empty() {
            entry.examples.push(Line {
                text,
                metadata: None,
            });
        }
    }

    /// Reads a line that is neither item nor heading: in a lookup table it names
    /// a file.
    fn other(&mut self, number: u32, text: String) {
        let entry = self.file.entries.last_mut().filter(|_| self.is_open);
        let Some(entry) = entry.filter(|entry| entry.kind == Kind::Lookup) else {
            return self.lost(number, text);
        };
        let Some(path) = self.tables.find(&text) else {
            let what = "a file that is not there is kept as a comment";
            self.notes.say("W601", number, what);
            self.comments.push(text);
            return;
        };
        entry.comments.append(&mut self.comments);
        self.files.push(TableFile {
            table: entry.name.clone(),
            line: number,
            path,
        });
    }

    /// Gives tables the paths of their files, or the files' phrases: behind all
    /// other phrases of the same name, where the reader has them.
    fn fill_tables(&mut self) {
        // The lines of each table, and its last entry.
        let mut tables: HashMap<String, (usize, usize)> = HashMap::new();
        for (at, entry) in self.file.entries.iter().enumerate() {
            if entry.kind == Kind::Lookup {
                let table = tables.entry(entry.name.clone()).or_default();
                *table = (table.0 + entry.examples.len(), at);
            }
        }
        for file in &self.files {
            let table = tables.entry(file.table.clone()).or_default();
            table.0 += 1;
        }
        for TableFile { table, line, path } in std::mem::take(&mut self.files) {
            let (lines, last) = tables.get(&table).copied().unwrap_or_default();
            let entry = &mut self.file.entries[last];
            let plain = |text: &str| Line {
                text: text.to_owned(),
                metadata: None,
            };
            if lines == 1 {
                entry.examples.push(plain(&path));
                continue;
            }
            let what = match self.tables.phrases(&path) {
                Some(phrases) => {
                    entry.examples.extend(phrases.iter().map(plain));
                    format!("lookup table `{table}` gets the phrases of `{path}`, not its name")
                }
                None => {
                    entry.comments.push(path.clone());
                    format!("`{path}` cannot be read: lookup table `{table}` does without it")
                }
            };
            self.notes.say("W601", line, what);
        }
    }
}
