//! NLU data in JSON – Rasa's own, LUIS's, Wit's and Dialogflow's – to `nlu`.
//!
//! JSON has no comments. Intents, patterns and tables come in the order in which
//! they are written, synonyms in that of the alphabet. Phrases of tables in files
//! of their own are written out. What YAML has no way to say is left over.

use std::collections::HashMap;
use std::path::Path;

use crate::convert::annotated::annotated;
use crate::convert::emit::Tree;
use crate::convert::notes::Notes;
use crate::convert::rest::Rest;
use crate::convert::written::Entry;
use crate::convert::written::Kind;
use crate::convert::written::Line;
use crate::convert::written::NluFile;
use crate::data::Annotation;
use crate::data::Example;
use crate::data::NluData;
use crate::data::Place;
use crate::diagnostic::Severity;
use crate::import::ImportError;
use crate::import::Sources;
use crate::import::Want;
use crate::import::import_project;

/// What YAML strips from both ends of a text.
const BLANKS: [char; 3] = [' ', '\r', '\n'];

/// Converts a file of JSON data, as far as YAML can say it; the language of `sources`
/// is that of the examples of Dialogflow beside it. What is remarkable in the data
/// goes to the notes.
///
/// # Errors
///
/// If the file, or one that belongs to it, cannot be read.
pub fn nlu(
    sources: &Sources,
    path: &Path,
    notes: &mut Notes,
) -> Result<(NluFile, Rest), ImportError> {
    let path = path.strip_prefix(&sources.root).unwrap_or(path);
    let imported = import_project(&Sources {
        root: sources.root.clone(),
        data: vec![path.to_owned()],
        want: Want::Nlu,
        language: sources.language.clone(),
        ..Sources::default()
    })?;
    let said = imported.diagnostics.into_iter();
    let said = said.filter(|diagnostic| diagnostic.severity != Severity::Note);
    notes.diagnostics.extend(said);
    Ok(file(&imported.project.nlu, notes))
}

/// Returns NLU data as they are written.
fn file(data: &NluData, notes: &mut Notes) -> (NluFile, Rest) {
    let mut writer = Writer {
        notes,
        rest: Rest::default(),
        entries: Vec::new(),
        index: HashMap::new(),
    };
    for example in in_order(&data.examples, |example| &example.place) {
        writer.example(example);
    }
    for (text, value) in &data.synonyms {
        writer.phrase(Kind::Synonym, value, text, &Place::default());
    }
    for pattern in in_order(&data.patterns, |pattern| &pattern.place) {
        writer.pattern(&pattern.name, &pattern.pattern, &pattern.place);
    }
    for lookup in in_order(&data.lookups, |lookup| &lookup.place) {
        for element in lookup.elements.iter() {
            writer.phrase(Kind::Lookup, &lookup.name, element, &lookup.place);
        }
    }
    let file = NluFile {
        entries: writer.entries,
        ..NluFile::default()
    };
    (file, writer.rest)
}

/// Returns items as they were written one after the other.
fn in_order<T>(items: &[T], place: impl Fn(&T) -> &Place) -> Vec<&T> {
    let mut items: Vec<&T> = items.iter().collect();
    items.sort_by_key(|item| {
        let place = place(item);
        (place.file.clone(), place.line, place.column)
    });
    items
}

/// Entries while they are written, in order of first appearance.
struct Writer<'n> {
    notes: &'n mut Notes,
    rest: Rest,
    entries: Vec<Entry>,
    index: HashMap<(Kind, String), usize>,
}

impl Writer<'_> {
    fn add(&mut self, kind: Kind, name: &str, line: Line) {
        let next = self.entries.len();
        let at = *self.index.entry((kind, name.to_owned())).or_insert(next);
        if at == next {
            self.entries.push(Entry {
                kind,
                name: name.to_owned(),
                comments: Vec::new(),
                metadata: None,
                examples: Vec::new(),
            });
        }
        self.entries[at].examples.push(line);
    }

    /// Writes a message, if all of it can be written.
    fn example(&mut self, example: &Example) {
        let label = example.intent_response_key.as_ref();
        let Some(label) = label.or(example.intent.as_ref()) else {
            let what = format!("example {:?} without an intent", example.text);
            return self.rest.example(example, what);
        };
        let what = format!("example {:?} of intent `{label}`", example.text);
        let (text, entities) = stripped(example);
        let Some(written) = annotated(text, &entities) else {
            return self.rest.example(example, what);
        };
        if text.len() < example.text.len() {
            self.stripped(&what, &example.place);
        }
        let written = Line {
            text: written,
            metadata: example.metadata.as_ref().map(Tree::json),
        };
        self.add(Kind::Intent, label, written);
    }

    /// Writes a phrase of a lookup table, or a text that means a value.
    fn phrase(&mut self, kind: Kind, name: &str, phrase: &str, place: &Place) {
        let what = match kind {
            Kind::Synonym => format!("synonym {phrase:?} of `{name}`"),
            _ => format!("phrase {phrase:?} of {} `{name}`", kind.key()),
        };
        let text = phrase.trim_matches(BLANKS);
        if text.is_empty() || text.contains('\n') {
            return match kind {
                Kind::Synonym => self.rest.synonym(name, phrase, what, place),
                _ => self.rest.phrase(name, phrase, what, place),
            };
        }
        if text.len() < phrase.len() {
            self.stripped(&what, place);
        }
        self.add(kind, name, plain(text));
    }

    /// Writes a pattern; blanks at its ends are written so that they stay.
    fn pattern(&mut self, name: &str, pattern: &str, place: &Place) {
        if !is_verbose(pattern) && !pattern.is_empty() {
            return self.add(Kind::Regex, name, plain(&on_one_line(pattern)));
        }
        let text = pattern.trim_matches(BLANKS);
        if text.is_empty() || text.contains('\n') {
            let what = format!("pattern {pattern:?} of regex `{name}`");
            return self.rest.pattern(name, pattern, what, place);
        }
        // Blanks mean nothing in a verbose pattern.
        self.add(Kind::Regex, name, plain(text));
    }

    fn stripped(&mut self, what: &str, place: &Place) {
        let what = format!("{what} loses the blanks at its ends");
        self.notes.say_at("W601", place, what);
    }
}

/// Returns a line without metadata.
fn plain(text: &str) -> Line {
    Line {
        text: text.to_owned(),
        metadata: None,
    }
}

/// Returns a message without the blanks at its ends, and its entities.
fn stripped(example: &Example) -> (&str, Vec<Annotation>) {
    let all = example.text.as_str();
    let text = all.trim_matches(BLANKS);
    if text.len() == all.len() {
        return (text, example.entities.clone());
    }
    let before = all.chars().take_while(|l| BLANKS.contains(l)).count();
    let count = text.chars().count();
    let piece = |text: &str, start: usize, end: usize| -> String {
        text.chars().skip(start).take(end - start).collect()
    };
    let moved = example.entities.iter().map(|entity| {
        let mut moved = entity.clone();
        moved.start = entity.start.saturating_sub(before).min(count);
        moved.end = entity.end.saturating_sub(before).min(count);
        if entity.value == *piece(all, entity.start, entity.end) {
            moved.value = piece(text, moved.start, moved.end).into();
        }
        moved
    });
    (text, moved.collect())
}

/// Returns whether blanks mean nothing in a pattern, or in a part of it.
fn is_verbose(pattern: &str) -> bool {
    pattern.match_indices("(?").any(|(at, mark)| {
        let rest = &pattern[at + mark.len()..];
        let flags = rest.find(|letter: char| !letter.is_ascii_lowercase() && letter != 'L');
        rest[..flags.unwrap_or(rest.len())].contains('x')
    })
}

/// Returns a pattern that matches the same, on one line and without blanks at its
/// ends: `[ ]` for ` `, `\n` for a line break.
fn on_one_line(pattern: &str) -> String {
    let start = pattern.len() - pattern.trim_start_matches(BLANKS).len();
    let end = pattern.trim_end_matches(BLANKS).len();
    let mut written = String::with_capacity(pattern.len());
    let mut is_escaped = false;
    for (at, letter) in pattern.char_indices() {
        let is_edge = at < start || at >= end;
        let new = match letter {
            '\n' => "\\n",
            '\r' if is_edge => "\\r",
            ' ' if is_edge => "[ ]",
            _ => {
                is_escaped = letter == '\\' && !is_escaped;
                written.push(letter);
                continue;
            }
        };
        if std::mem::take(&mut is_escaped) {
            written.pop();
        }
        written.push_str(new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_keep_the_blanks_at_their_ends() {
        assert_eq!(on_one_line(" a\\d "), "[ ]a\\d[ ]");
        assert_eq!(on_one_line("a b"), "a b");
        assert_eq!(on_one_line("a\\ "), "a[ ]");
        assert_eq!(on_one_line("a\\\\ "), "a\\\\[ ]");
        assert_eq!(on_one_line("\ra\nb\\\nc"), "\\ra\\nb\\nc");
        assert!(is_verbose("(?ix) a "));
        assert!(!is_verbose("(?P<x> a)|(?:x)"));
    }
}
