//! Reads Rasa's JSON format, `{"rasa_nlu_data": {"common_examples": […], …}}`.

use serde_json::Value;

use crate::data::Annotation;
use crate::data::Lookup;
use crate::data::Pattern;
use crate::import::json::entities;
use crate::import::json::entities::Marked;
use crate::import::lookups::LookupFile;
use crate::import::nlu;
use crate::import::nlu::NluPart;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// What `rasa_nlu_data` may hold.
const SECTIONS: [&str; 6] = [
    "common_examples",
    "regex_features",
    "lookup_tables",
    "entity_synonyms",
    "intent_examples",
    "entity_examples",
];

/// Reads a file.
///
/// Rasa 2.8 and 3.6: no other key may stand beside `rasa_nlu_data`, and
/// `intent_examples` and `entity_examples` are not read. Differs from Rasa: the
/// latter is said.
pub fn read(root: &Node, reading: &mut Reading) -> NluPart {
    let mut part = NluPart::default();
    for entry in root.entries() {
        if entry.key != *"rasa_nlu_data" {
            let what = format!("key `{}` cannot stand beside `rasa_nlu_data`", &*entry.key);
            let about = reading
                .about("E327", &entry.at, what)
                .help("move it into `rasa_nlu_data`, or out of the file");
            reading.diagnostics.push(about);
        }
    }
    let Some(data) = root.get("rasa_nlu_data") else {
        return part;
    };
    reading.expect_map(data, "`rasa_nlu_data`");
    unread(data, reading);
    for item in entities::items(data, "common_examples", reading) {
        example(item, &mut part, reading);
    }
    for item in entities::items(data, "regex_features", reading) {
        pattern(item, &mut part, reading);
    }
    for item in entities::items(data, "lookup_tables", reading) {
        lookup(item, &mut part, reading);
    }
    for item in entities::items(data, "entity_synonyms", reading) {
        synonyms(item, &mut part, reading);
    }
    part
}

/// Names the sections that are not read.
fn unread(data: &Node, reading: &mut Reading) {
    for entry in data.entries() {
        let key: &str = &entry.key;
        let is_empty = matches!(&entry.value.yaml, Yaml::List(items) if items.is_empty());
        match key {
            "intent_examples" | "entity_examples" if !is_empty => {
                let what = format!("`{key}` is not read");
                let about = reading
                    .about("W333", &entry.at, what)
                    .help("move its items to `common_examples`");
                reading.diagnostics.push(about);
            }
            _ if SECTIONS.contains(&key) => {}
            _ => {
                let what = format!("section `{key}` is not known");
                let about = reading.about("W333", &entry.at, what);
                reading.diagnostics.push(about.suggest(key, SECTIONS));
            }
        }
    }
}

fn example(item: &Node, part: &mut NluPart, reading: &mut Reading) {
    let Some((text, node)) = entities::example_text(item, reading) else {
        return;
    };
    let label = entities::text(item, "intent", reading);
    let mut marked = Marked::new(text);
    let mut found = Vec::new();
    for entity in entities::items(item, "entities", reading) {
        found.extend(annotation(entity, &mut marked, reading));
    }
    marked.finish(reading);
    entities::add_example((text, node), label, found, part, reading);
}

fn annotation<'t>(
    node: &'t Node,
    marked: &mut Marked<'t>,
    reading: &mut Reading,
) -> Option<Annotation> {
    let mut missing = |key: &str| entities::required(node, key, reading);
    let (start, end, kind) = (missing("start")?, missing("end")?, missing("entity")?);
    let mut entity = marked.entity(node, (start, end), 0, reading)?;
    entity.entity = reading.text(kind, "`entity`")?.to_owned();
    let mut own = |key: &str| Some(entities::text(node, key, reading)?.0.to_owned());
    entity.role = own("role");
    entity.group = own("group");
    if let Some(value) = node.get("value").filter(|value| !value.is_null()) {
        match value.to_json() {
            value @ (Value::String(_) | Value::Number(_)) => entity.value = value,
            _ => reading.wrong(value, "`value`", "text or a number"),
        }
    }
    Some(entity)
}

fn pattern(item: &Node, part: &mut NluPart, reading: &mut Reading) {
    let mut missing = |key: &str| entities::required(item, key, reading);
    let (Some(name), Some(pattern)) = (missing("name"), missing("pattern")) else {
        return;
    };
    let (name, text) = (
        reading.text(name, "`name`"),
        reading.text(pattern, "`pattern`"),
    );
    if let (Some(name), Some(text)) = (name, text) {
        part.data.patterns.push(Pattern {
            name: name.to_owned(),
            pattern: text.to_owned(),
            place: reading.place(pattern),
        });
    }
}

/// Reads a lookup table: a list of phrases, or the path of a file with one a
/// line.
fn lookup(item: &Node, part: &mut NluPart, reading: &mut Reading) {
    let mut missing = |key: &str| entities::required(item, key, reading);
    let (Some(name), Some(elements)) = (missing("name"), missing("elements")) else {
        return;
    };
    let Some(name) = reading.text(name, "`name`").map(str::to_owned) else {
        return;
    };
    let place = reading.place(elements);
    if let Some(path) = elements.text() {
        let path = path.to_owned();
        part.lookup_files.push(LookupFile { name, path, place });
        return;
    }
    let items = reading.list(elements, "`elements`").iter();
    let phrases = items.filter_map(|item| reading.text(item, "a phrase of a lookup table"));
    let phrases = phrases.collect();
    part.data.lookups.push(Lookup {
        name,
        elements: phrases,
        place,
    });
}

fn synonyms(item: &Node, part: &mut NluPart, reading: &mut Reading) {
    let Some(value) = item.get("value").filter(|_| item.get("synonyms").is_some()) else {
        let what = "an entry without `value` or `synonyms` is left out";
        return reading.say("W336", item, what);
    };
    let place = reading.place(value);
    let Some(value) = reading.word(value, "`value`") else {
        return;
    };
    if !nlu::is_short(value, &place, reading) {
        return;
    }
    for synonym in entities::items(item, "synonyms", reading) {
        if let Some(text) = reading.word(synonym, "a synonym") {
            let place = reading.place(synonym);
            part.synonyms
                .push((text.to_owned(), value.to_owned(), place));
        }
    }
}
