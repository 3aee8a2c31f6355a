//! Splits examples, class by class.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::convert::emit::Tree;
use crate::convert::rest::Rest;
use crate::convert::rest::label;
use crate::convert::split::Split;
use crate::convert::split::SplitOptions;
use crate::convert::split::place;
use crate::convert::split::sides;
use crate::convert::written::Entry;
use crate::convert::written::Kind;
use crate::convert::written::Line;
use crate::convert::written::NluFile;
use crate::convert::written::Response;
use crate::data;
use crate::import::annotation;

/// An example with the metadata of its intent.
#[derive(Clone, Debug, PartialEq)]
struct Example {
    line: Line,
    metadata: Option<Tree>,
    place: u64,
}

impl Example {
    /// Returns what examples are sorted and told apart by.
    fn key(&self) -> (String, &str, String) {
        let flow = |tree: &Option<Tree>| tree.as_ref().map(Tree::flow).unwrap_or_default();
        (
            flow(&self.metadata),
            &self.line.text,
            flow(&self.line.metadata),
        )
    }
}

/// The examples of a label, or those without one.
#[derive(Default)]
struct Class {
    written: Vec<Example>,
    /// Those that YAML has no way to say.
    left: Vec<data::Example>,
}

impl Class {
    /// Brings examples into an order that does not tell of files, each once; returns
    /// the places of all of them.
    fn arrange(&mut self, options: &SplitOptions) -> Vec<u64> {
        self.written.sort_by(|a, b| a.key().cmp(&b.key()));
        self.written.dedup();
        let key = |example: &data::Example| {
            let entities = serde_json::to_string(&example.entities);
            (example.text.clone(), entities.unwrap_or_default())
        };
        self.left.sort_by_cached_key(key);
        self.left
            .dedup_by(|a, b| (&a.text, &a.entities) == (&b.text, &b.entities));
        let written = self.written.iter().map(|example| example.place);
        let left = self.left.iter();
        let left = left.map(|one| place(options, &(label(one), &one.text, &one.entities)));
        written.chain(left).collect()
    }
}

/// One of the two parts.
#[derive(Default)]
struct Part {
    written: NluFile,
    rest: Rest,
    count: usize,
}

/// Splits the NLU data of all files, and what is left of them.
pub fn split(files: Vec<NluFile>, mut left: Rest, options: &SplitOptions) -> Split {
    let mut classes: BTreeMap<Option<String>, Class> = BTreeMap::new();
    let mut rest: BTreeMap<(Kind, String), Vec<Line>> = BTreeMap::new();
    let mut responses: BTreeMap<String, Response> = BTreeMap::new();
    for file in files {
        for entry in file.entries {
            if entry.kind != Kind::Intent {
                let lines = rest.entry((entry.kind, entry.name)).or_default();
                lines.extend(entry.examples);
                continue;
            }
            let class = classes.entry(Some(entry.name.clone())).or_default();
            let metadata = entry.metadata;
            class
                .written
                .extend(entry.examples.into_iter().map(|line| Example {
                    place: place_of(&entry.name, &line.text, options),
                    metadata: metadata.clone(),
                    line,
                }));
        }
        let named = file.responses.into_iter();
        responses.extend(named.map(|response| (response.name.clone(), response)));
    }
    for example in left.take_examples() {
        let class = classes.entry(label(&example).map(str::to_owned));
        class.or_default().left.push(example);
    }
    let [mut training, test] = parts(classes, options);
    let nlg = [&training, &test].map(|part| answers(part, &responses));
    for ((kind, name), mut examples) in rest {
        if kind == Kind::Synonym || kind == Kind::Regex {
            examples.sort_by(|a, b| a.text.cmp(&b.text));
            examples.dedup();
        }
        let table = entry(kind, name, None, examples);
        training.written.entries.push(table);
    }
    left.sort();
    training.rest.extend(left);
    let (training_count, test_count) = (training.count, test.count);
    Split {
        files: texts([training, test], nlg),
        training_count,
        test_count,
        ..Split::default()
    }
}

/// Returns the examples that train, and those that are tested with.
fn parts(classes: BTreeMap<Option<String>, Class>, options: &SplitOptions) -> [Part; 2] {
    let mut parts = [Part::default(), Part::default()];
    for (label, mut class) in classes {
        let places = class.arrange(options);
        let sides = sides(&places, options.training_fraction);
        let mut sides = sides.into_iter().map(usize::from).map(|trains| 1 - trains);
        for (example, side) in class.written.into_iter().zip(&mut sides) {
            let name = label.as_deref().unwrap_or_default();
            add(name, example, &mut parts[side].written);
            parts[side].count += 1;
        }
        for (example, side) in class.left.into_iter().zip(sides) {
            parts[side].rest.put_examples([example]);
            parts[side].count += 1;
        }
    }
    parts
}

/// Returns names and texts of the files of both parts; `nlg` are their responses.
fn texts(parts: [Part; 2], nlg: [NluFile; 2]) -> Vec<(String, String)> {
    let names = ["training_data", "test_data"];
    let mut files = Vec::new();
    for (name, part) in names.iter().zip(&parts) {
        files.push((format!("{name}.yml"), part.written.text()));
    }
    for (name, part) in names.iter().zip(&parts) {
        if !part.rest.is_empty() {
            files.push((format!("{name}_rest.json"), part.rest.text()));
        }
    }
    for (name, nlg) in names.iter().zip(nlg) {
        if !nlg.responses.is_empty() {
            files.push((format!("nlg_{name}.yml"), nlg.text()));
        }
    }
    files
}

/// Returns the place of an example, however it is annotated.
fn place_of(label: &str, text: &str, options: &SplitOptions) -> u64 {
    let read = annotation::read(text);
    place(options, &(label, read.text, read.entities))
}

fn entry(kind: Kind, name: String, metadata: Option<Tree>, examples: Vec<Line>) -> Entry {
    Entry {
        kind,
        name,
        comments: Vec::new(),
        metadata,
        examples,
    }
}

/// Adds an example to the entry of its intent, or to a new one.
fn add(label: &str, example: Example, file: &mut NluFile) {
    match file.entries.last_mut() {
        Some(last) if last.name == label && last.metadata == example.metadata => {
            last.examples.push(example.line);
        }
        _ => {
            let name = label.to_owned();
            let new = entry(Kind::Intent, name, example.metadata, vec![example.line]);
            file.entries.push(new);
        }
    }
}

/// Returns the responses of the retrieval intents in a part.
fn answers(part: &Part, responses: &BTreeMap<String, Response>) -> NluFile {
    let written = part.written.entries.iter().map(|entry| entry.name.as_str());
    let labels: BTreeSet<&str> = written.chain(part.rest.labels()).collect();
    let labels = labels.into_iter().filter(|label| label.contains('/'));
    let found = labels.filter_map(|label| responses.get(&format!("utter_{label}")));
    NluFile {
        responses: found.cloned().collect(),
        ..NluFile::default()
    }
}
