//! What every target does with its input: reads it as files of a project, from
//! memory or from a folder, and uses whatever came of it.

#[path = "../../tests/it/meaning.rs"]
mod meaning;
mod folder;

use std::path::Path;

use tabella::api::TrainError;
use tabella::api::ValidateOptions;
use tabella::api::validate;
use tabella::data::Project;
use tabella::diagnostic::Diagnostic;
use tabella::diagnostic::Paint;
use tabella::diagnostic::Severity;
use tabella::diagnostic::SourceMap;
use tabella::diagnostic::page;
use tabella::diagnostic::render;
use tabella::diagnostic::render_grouped;
use tabella::diagnostic::sarif;
use tabella::diagnostic::title;
use tabella::digest::Digest;
use tabella::import::import_texts;

pub use folder::Folder;
pub use meaning::meaning;

/// Enough of a domain for stories to be compared with.
pub const DOMAIN: &str = "version: \"3.1\"
intents: [greet, faq]
entities: [city]
slots:
  city: {type: text, mappings: [{type: from_entity, entity: city}]}
  size: {type: categorical, values: [a, b], mappings: [{type: custom}]}
actions: [action_x]
forms: {f: {required_slots: [city]}}
responses:
  utter_greet: [{text: hi}]
";

/// Reads files, given as path and content.
///
/// # Panics
///
/// If something promised does not hold: a file in memory cannot fail to be
/// read, places are in the files they name, what was read can be shown and
/// named, and is the same when read again.
pub fn read(files: &[(&str, &[u8])]) {
    let imported = import_texts(files).expect("files in memory can be read");
    show(&imported.diagnostics, &imported.sources);
    let digest = Digest::of_value(&imported.project);
    let json = serde_json::to_string(&imported.project).expect("a project is plain values");
    let again: Project = serde_json::from_str(&json).expect("what was written can be read");
    assert_eq!(digest, Digest::of_value(&again), "{json}");
}

/// Looks for everything that `data validate` looks for, and shows it.
///
/// # Panics
///
/// As [`show`].
pub fn check(files: &[(&str, &[u8])]) {
    let files = files.iter().map(|(name, bytes)| (Path::new(*name), *bytes));
    let folder = Folder::new("project", files);
    let options = ValidateOptions {
        project: folder.path,
        ..ValidateOptions::default()
    };
    match validate(&options) {
        Ok(validated) => show(&validated.findings.diagnostics, &validated.findings.sources),
        // There is half a project, or none.
        Err(
            TrainError::NoTrainingData
            | TrainError::NoNluData
            | TrainError::NoStories
            | TrainError::NoDomain,
        ) => {}
        Err(error) => panic!("{error:?}"),
    }
}

/// Shows diagnostics in every way there is.
///
/// # Panics
///
/// If a place is not in the file it names, a code has no page, or a message is not
/// one line.
pub fn show(diagnostics: &[Diagnostic], sources: &SourceMap) {
    for diagnostic in diagnostics {
        check_place(diagnostic, sources);
        let code = diagnostic.code;
        assert!(title(code).is_some() && page(code).is_some(), "{code}");
        assert!(!diagnostic.message.contains('\n'), "{diagnostic:?}");
    }
    let shown = render(diagnostics, sources, Paint::Plain);
    assert!(shown.is_empty() == diagnostics.is_empty());
    let steering = |c: char| c.is_control() && c != '\n';
    assert!(!shown.contains(steering), "{shown:?}");
    let grouped = render_grouped(diagnostics, sources, Paint::Coloured);
    assert!(grouped.is_empty() == diagnostics.is_empty());
    serde_json::to_string(diagnostics).expect("diagnostics are plain values");
    sarif::log(diagnostics, Path::new("."));
}

fn check_place(diagnostic: &Diagnostic, sources: &SourceMap) {
    let place = &diagnostic.place;
    let Some(text) = sources.text(&place.file) else {
        return;
    };
    if !place.is_known() {
        return;
    }
    let line = text.split('\n').nth(place.line as usize - 1);
    let line = line.unwrap_or_else(|| panic!("no such line: {diagnostic:?}"));
    let count = line.chars().count() as u32;
    assert!(place.column <= count + 1, "no such column: {diagnostic:?}");
}

/// Returns what is wrong with files, with the places.
pub fn errors(diagnostics: &[Diagnostic]) -> Vec<String> {
    let errors = diagnostics.iter();
    let errors = errors.filter(|one| one.severity == Severity::Error);
    errors
        .map(|one| format!("{} {} {}", one.code, one.place, one.message))
        .collect()
}
