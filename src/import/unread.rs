//! Names files that no reader takes although they look like training data or a
//! domain: one wrong letter in the name of a section makes Rasa pass over the
//! whole file without a word.
//!
//! Files of other programs may lie in the same folders. They are told by what
//! they lack: a section whose name is near to one of ours *and* whose value has
//! the shape of ours.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::import::reading::Reading;
use crate::import::yaml;
use crate::import::yaml::Environment;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// Sections of training data that are lists, and the keys of their entries.
const LISTS: &[(&str, &[&str])] = &[
    ("nlu", &["intent", "synonym", "regex", "lookup"]),
    ("stories", &["story"]),
    ("rules", &["rule"]),
];

/// How many letters of a section's name may be wrong.
const NEAR: usize = 2;

/// Pairs of bytes by which letters of two bytes are told, as those of section names.
const WIDE: usize = 4;

/// Bytes of a file that is looked at: what is larger is hardly written by hand.
const SIZE_LIMIT: usize = 16 << 20;

/// Says so if a file that nobody reads is none that anybody can read: in UTF-16, with
/// or without a mark that says so, or what a disk leaves that failed.
pub fn look_at_text(bytes: &[u8], reading: &Reading) -> Option<Diagnostic> {
    let has_mark = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
    if !has_mark && !bytes.contains(&0) {
        return None;
    }
    let is_wide = bytes.chunks_exact(2).take(WIDE).all(|pair| {
        let zeros = pair.iter().filter(|byte| **byte == 0);
        zeros.count() == 1
    });
    let (what, help) = match has_mark || is_wide {
        true => ("is UTF-16", "save it as UTF-8"),
        false => (
            "holds NUL characters, which no text does",
            "bring back an older copy, or take it away",
        ),
    };
    let what = format!("`{}` {what}: nothing of it is read", reading.file);
    let about = Diagnostic::new("W026", reading.at(0, 0), what);
    Some(about.help(help))
}

/// Says so if a YAML file that nobody reads looks as if it was meant to be.
pub fn look_at_yaml(bytes: &[u8], reading: &Reading) -> Option<Diagnostic> {
    let about = look_at_text(bytes, reading);
    if about.is_some() || bytes.len() > SIZE_LIMIT {
        return about;
    }
    let text = yaml::text::decode(bytes).ok()?.into();
    let root = yaml::parse(&text, &mut Environment::new(&BTreeMap::new())).ok()?;
    match &root.yaml {
        Yaml::List(items) => list(items, reading),
        _ => root.entries().iter().find_map(|entry| {
            let key = &*entry.key;
            let meant = meant(key, &entry.value)?;
            let what = format!("`{key}` is no section: nothing of this file is read");
            let about = reading.about("W026", &entry.at, what);
            Some(match key == meant {
                true => about.help(format!("write `{meant}:` at the start of a line")),
                false => about.help(format!("did you mean `{meant}`?")),
            })
        }),
    }
}

/// A file that is one list, as a section is without its name.
fn list(items: &[Node], reading: &Reading) -> Option<Diagnostic> {
    let (section, entry) = items
        .iter()
        .find_map(|item| Some((section_of(item)?, item)))?;
    let what = format!("a list of `{section}` without its name: nothing of this file is read");
    let about = reading.about("W026", entry, what);
    Some(about.help(format!("write `{section}:` above it")))
}

/// Returns the section that has entries of this kind.
fn section_of(entry: &Node) -> Option<&'static str> {
    let found = LISTS
        .iter()
        .find(|(_, keys)| keys.iter().any(|key| entry.get(key).is_some()));
    found.map(|(section, _)| *section)
}

/// Returns the section that a key was meant to name, judged by its value too.
fn meant(key: &str, value: &Node) -> Option<&'static str> {
    let section = match &value.yaml {
        Yaml::List(items) => items.iter().find_map(section_of)?,
        Yaml::Map(entries) => {
            let mut names = entries.iter().map(|entry| &*entry.key);
            names
                .any(|name| name.starts_with("utter_"))
                .then_some("responses")?
        }
        _ => return None,
    };
    let is_near = key.len() <= section.len() + NEAR
        && strsim::damerau_levenshtein(&key.to_lowercase(), section) <= NEAR;
    is_near.then_some(section)
}
