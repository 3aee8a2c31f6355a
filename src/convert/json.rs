//! NLU data in JSON – Rasa's own, LUIS's, Wit's and Dialogflow's – to `nlu`.
//!
//! JSON has no comments and examples have no order, so the data are written as
//! they are read. Phrases of tables in files of their own are written out.

use std::collections::BTreeMap;
use std::path::Path;

use crate::convert::annotated::annotated;
use crate::convert::emit::Tree;
use crate::convert::notes::Notes;
use crate::convert::written::Entry;
use crate::convert::written::Kind;
use crate::convert::written::Line;
use crate::convert::written::NluFile;
use crate::data::Example;
use crate::data::NluData;
use crate::diagnostic::Severity;
use crate::import::ImportError;
use crate::import::Sources;
use crate::import::Want;
use crate::import::import_project;

/// Converts a file of JSON data; the language of `sources` is that of the examples
/// of Dialogflow beside it. What is remarkable in the data goes to the notes.
///
/// # Errors
///
/// If the file, or one that belongs to it, cannot be read.
pub fn nlu(sources: &Sources, path: &Path, notes: &mut Notes) -> Result<NluFile, ImportError> {
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
fn file(data: &NluData, notes: &mut Notes) -> NluFile {
    let mut entries: BTreeMap<(Kind, String), Vec<Line>> = BTreeMap::new();
    let mut add = |kind: Kind, name: &str, written: Line, notes: &mut Notes, line: u32| {
        let text = &written.text;
        let is_kept = *text == text.trim_matches([' ', '\r', '\n']) && !text.is_empty();
        let is_line = kind == Kind::Intent || !text.contains('\n');
        match is_kept && is_line {
            true => entries
                .entry((kind, name.to_owned()))
                .or_default()
                .push(written),
            false => {
                let what = format!("{} {text:?} of `{name}` cannot be kept", kind.key());
                notes.say("W601", line, what);
            }
        }
    };
    for example in &data.examples {
        let label = example.intent_response_key.as_ref();
        let line = example.place.line;
        match label.or(example.intent.as_ref()) {
            Some(label) => {
                let written = Line {
                    text: marked(example, notes),
                    metadata: example.metadata.as_ref().map(Tree::json),
                };
                add(Kind::Intent, label, written, notes, line);
            }
            None => {
                let what = format!(
                    "message {:?} without an intent cannot be kept",
                    example.text
                );
                notes.say("W601", line, what);
            }
        }
    }
    for (text, value) in &data.synonyms {
        add(Kind::Synonym, value, plain(text), notes, 0);
    }
    for pattern in &data.patterns {
        let written = plain(&pattern.pattern);
        add(
            Kind::Regex,
            &pattern.name,
            written,
            notes,
            pattern.place.line,
        );
    }
    for lookup in &data.lookups {
        for element in lookup.elements.iter() {
            let line = lookup.place.line;
            add(Kind::Lookup, &lookup.name, plain(element), notes, line);
        }
    }
    NluFile {
        entries: entries.into_iter().map(entry).collect(),
        ..NluFile::default()
    }
}

/// Returns a line without metadata.
fn plain(text: &str) -> Line {
    Line {
        text: text.to_owned(),
        metadata: None,
    }
}

fn entry(((kind, name), examples): ((Kind, String), Vec<Line>)) -> Entry {
    Entry {
        kind,
        name,
        comments: Vec::new(),
        metadata: None,
        examples,
    }
}

/// Returns a message with its entities marked, as many as can be.
fn marked(example: &Example, notes: &mut Notes) -> String {
    let mut kept = example.entities.clone();
    loop {
        if let Some(text) = annotated(&example.text, &kept) {
            return text;
        }
        let Some(lost) = kept.pop() else {
            let what = format!("{:?} reads as if it had annotations", example.text);
            notes.say("W601", example.place.line, what);
            return example.text.clone();
        };
        let what = format!(
            "entity `{}` of {:?} cannot be kept",
            lost.entity, example.text
        );
        notes.say("W601", example.place.line, what);
    }
}
