//! Reads what Dialogflow exports: an intent or entity type in one file, and its
//! examples or entries for each language in files beside it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::data::Annotation;
use crate::data::Lookup;
use crate::data::Pattern;
use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::import::json::Examples;
use crate::import::json::Kind;
use crate::import::json::entities;
use crate::import::nlu::NluPart;
use crate::import::reading::Reading;
use crate::import::yaml::Node;

/// A piece of text that only looks like an entity.
const IGNORED: &str = "@sys.ignore";

/// Returns the word in the names of files that belong to one of this kind.
fn infix(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::DialogflowIntent => Some("usersays"),
        Kind::DialogflowEntities => Some("entries"),
        _ => None,
    }
}

/// Returns the path of the examples or entries in a language that belong to a
/// file.
pub fn examples_path(path: &Path, kind: Kind, language: &str) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    Some(path.with_file_name(format!("{stem}_{}_{language}.json", infix(kind)?)))
}

/// Returns what to say about a file without examples or entries in a language;
/// `files` are those of the project.
pub fn no_examples<'f>(
    file: Arc<str>,
    path: &Path,
    kind: Kind,
    language: &str,
    files: impl Iterator<Item = &'f PathBuf>,
) -> Diagnostic {
    let place = Place {
        file,
        ..Place::default()
    };
    let what = format!("there are no examples in language `{language}` for this file");
    let about = Diagnostic::new("W329", place, what);
    let other = files
        .filter_map(|other| language_of(other, path, kind))
        .min();
    about.help(match other {
        Some(other) => {
            format!("those in `{other}` are read with `language: {other}` in the config")
        }
        None => "export them from Dialogflow together with it".to_owned(),
    })
}

/// Returns the language of a file of examples or entries, if it belongs to the
/// file at `path`.
fn language_of(other: &Path, path: &Path, kind: Kind) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let start = format!("{stem}_{}_", infix(kind)?);
    let name = other.file_name()?.to_str()?;
    let language = name.strip_prefix(&start)?.strip_suffix(".json")?;
    (other.parent() == path.parent()).then(|| language.to_owned())
}

/// Runs a reader on the examples, with diagnostics that name their file.
fn in_file(
    examples: &Examples,
    reading: &mut Reading,
    read: impl FnOnce(&[Node], &mut Reading) -> NluPart,
) -> NluPart {
    let Some(root) = &examples.root else {
        return NluPart::default();
    };
    let mut theirs = Reading::new(examples.file.clone());
    let items = theirs.list(root, "a file of examples");
    let part = read(items, &mut theirs);
    reading.diagnostics.append(&mut theirs.diagnostics);
    part
}

/// Reads an intent with its examples.
pub fn intent(root: &Node, examples: &Examples, reading: &mut Reading) -> NluPart {
    let Some(label) = entities::required(root, "name", reading) else {
        return NluPart::default();
    };
    let Some(name) = reading.text(label, "`name`") else {
        return NluPart::default();
    };
    in_file(examples, reading, |items, reading| {
        let mut part = NluPart::default();
        for item in items {
            let Some(chunks) = entities::required(item, "data", reading) else {
                continue;
            };
            let (text, found) = join(chunks, reading);
            entities::add_example(
                (&text, item),
                Some((name, label)),
                found,
                &mut part,
                reading,
            );
        }
        part
    })
}

/// Joins the chunks of an example; those with a type are entities.
fn join(chunks: &Node, reading: &mut Reading) -> (String, Vec<Annotation>) {
    let mut joined = String::new();
    let mut found = Vec::new();
    let mut count = 0;
    for chunk in reading.list(chunks, "`data`") {
        let Some((text, _)) = entities::text(chunk, "text", reading) else {
            continue;
        };
        let end = count + text.chars().count();
        let alias = entities::text(chunk, "alias", reading);
        let kind = alias.or_else(|| entities::text(chunk, "meta", reading));
        if let Some((kind, _)) = kind.filter(|(kind, _)| *kind != IGNORED) {
            found.push(Annotation {
                start: count,
                end,
                entity: kind.to_owned(),
                value: Value::String(text.to_owned()),
                ..Annotation::default()
            });
        }
        joined.push_str(text);
        count = end;
    }
    (joined, found)
}

/// Reads an entity type with its entries.
///
/// Rasa 2.8 and 3.6: all entries are synonyms; those of `isRegexp` are regular
/// expressions too, those of all others phrases of a lookup table, unless they
/// name other entities (`@`).
pub fn entity_type(root: &Node, examples: &Examples, reading: &mut Reading) -> NluPart {
    let Some((name, _)) = entities::text(root, "name", reading) else {
        return NluPart::default();
    };
    let is_pattern = reading.flag(root.get("isRegexp"), "`isRegexp`") == Some(true);
    in_file(examples, reading, |items, reading| {
        let mut part = NluPart::default();
        let mut phrases = Vec::new();
        for item in items {
            entry(item, name, is_pattern, &mut part, &mut phrases, reading);
        }
        if !phrases.is_empty() {
            part.data.lookups.push(Lookup {
                name: name.to_owned(),
                elements: phrases.into(),
                place: reading.at(1, 1),
            });
        }
        part
    })
}

fn entry(
    item: &Node,
    name: &str,
    is_pattern: bool,
    part: &mut NluPart,
    phrases: &mut Vec<String>,
    reading: &mut Reading,
) {
    let value = entities::text(item, "value", reading).map(|value| value.0);
    for synonym in entities::items(item, "synonyms", reading) {
        let Some(text) = reading.word(synonym, "a synonym") else {
            continue;
        };
        let place = reading.place(synonym);
        if is_pattern {
            part.data.patterns.push(Pattern {
                name: name.to_owned(),
                pattern: text.to_owned(),
                place: place.clone(),
            });
        } else if !text.contains('@') {
            phrases.push(text.to_owned());
        }
        if let Some(value) = value {
            part.synonyms
                .push((text.to_owned(), value.to_owned(), place));
        }
    }
}
