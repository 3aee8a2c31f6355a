//! What every target does with its input: reads it as files of a project, from
//! memory, and uses whatever came of it.

use tabella::data::Project;
use tabella::diagnostic::Paint;
use tabella::diagnostic::render;
use tabella::digest::Digest;
use tabella::import::Imported;
use tabella::import::import_texts;

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
    check_places(&imported);
    let shown = render(&imported.diagnostics, &imported.sources, Paint::Plain);
    assert!(shown.is_empty() == imported.diagnostics.is_empty());
    let digest = Digest::of_value(&imported.project);
    let json = serde_json::to_string(&imported.project).expect("a project is plain values");
    let again: Project = serde_json::from_str(&json).expect("what was written can be read");
    assert_eq!(digest, Digest::of_value(&again), "{json}");
}

fn check_places(imported: &Imported) {
    for diagnostic in &imported.diagnostics {
        let place = &diagnostic.place;
        if let Some(text) = imported.sources.text(&place.file) {
            let line_count = text.split('\n').count() as u32;
            assert!(place.line <= line_count, "{diagnostic:?}");
        }
    }
}
