//! Splits examples, class by class.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::convert::emit::Tree;
use crate::convert::split::Split;
use crate::convert::split::SplitOptions;
use crate::convert::split::place;
use crate::convert::split::sides;
use crate::convert::written::Entry;
use crate::convert::written::Kind;
use crate::convert::written::Line;
use crate::convert::written::NluFile;
use crate::convert::written::Response;
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

/// Splits the NLU data of all files.
pub fn split(files: Vec<NluFile>, options: &SplitOptions) -> Split {
    let mut classes: BTreeMap<String, Vec<Example>> = BTreeMap::new();
    let mut rest: BTreeMap<(Kind, String), Vec<Line>> = BTreeMap::new();
    let mut responses: BTreeMap<String, Response> = BTreeMap::new();
    for file in files {
        for entry in file.entries {
            if entry.kind != Kind::Intent {
                let lines = rest.entry((entry.kind, entry.name)).or_default();
                lines.extend(entry.examples);
                continue;
            }
            let class = classes.entry(entry.name.clone()).or_default();
            let metadata = entry.metadata;
            class.extend(entry.examples.into_iter().map(|line| Example {
                place: place_of(&entry.name, &line.text, options),
                metadata: metadata.clone(),
                line,
            }));
        }
        let named = file.responses.into_iter();
        responses.extend(named.map(|response| (response.name.clone(), response)));
    }
    let mut training = NluFile::default();
    let mut test = NluFile::default();
    for (label, mut examples) in classes {
        examples.sort_by(|a, b| a.key().cmp(&b.key()));
        examples.dedup();
        let places: Vec<u64> = examples.iter().map(|example| example.place).collect();
        let sides = sides(&places, options.training_fraction);
        for (example, trains) in examples.into_iter().zip(sides) {
            add(
                &label,
                example,
                if trains { &mut training } else { &mut test },
            );
        }
    }
    let count = |file: &NluFile| file.entries.iter().map(|entry| entry.examples.len()).sum();
    let (training_count, test_count) = (count(&training), count(&test));
    let nlg = [&training, &test].map(|part| answers(part, &responses));
    for ((kind, name), mut examples) in rest {
        if kind == Kind::Synonym || kind == Kind::Regex {
            examples.sort_by(|a, b| a.text.cmp(&b.text));
            examples.dedup();
        }
        training.entries.push(entry(kind, name, None, examples));
    }
    let mut files = vec![
        ("training_data.yml".to_owned(), training.text()),
        ("test_data.yml".to_owned(), test.text()),
    ];
    for (name, nlg) in ["nlg_training_data.yml", "nlg_test_data.yml"]
        .into_iter()
        .zip(nlg)
    {
        if !nlg.responses.is_empty() {
            files.push((name.to_owned(), nlg.text()));
        }
    }
    Split {
        files,
        training_count,
        test_count,
        ..Split::default()
    }
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
fn answers(part: &NluFile, responses: &BTreeMap<String, Response>) -> NluFile {
    let labels = part.entries.iter().map(|entry| entry.name.as_str());
    let labels: BTreeSet<&str> = labels.filter(|label| label.contains('/')).collect();
    let found = labels
        .iter()
        .filter_map(|label| responses.get(&format!("utter_{label}")));
    NluFile {
        responses: found.cloned().collect(),
        ..NluFile::default()
    }
}
