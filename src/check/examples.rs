//! Examples that contradict each other, or are too few.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use crate::check::about;
use crate::data::Example;
use crate::data::Place;
use crate::data::Project;
use crate::diagnostic::Diagnostic;

/// Examples of an intent or entity below which it is hardly learned; Rasa's
/// number.
const ENOUGH: usize = 2;

/// Says what is odd about examples.
pub fn check(project: &Project, said: &mut Vec<Diagnostic>) {
    check_labels(&project.nlu.examples, said);
    too_few(project, said);
    annotated_twice(&project.nlu.examples, said);
    parts(project, said);
}

fn label(example: &Example) -> &str {
    let key = example.intent_response_key.as_deref();
    key.or(example.intent.as_deref()).unwrap_or_default()
}

/// Says which texts stand under two intents.
pub fn check_labels(examples: &[Example], said: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, &Example> = HashMap::new();
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    for example in examples {
        let other = *first.entry(&example.text).or_insert(example);
        let (here, there) = (label(example), label(other));
        if here == there || !told.insert((&example.text, here)) {
            continue;
        }
        let message = format!(
            "`{}` is an example of both `{there}` and `{here}`",
            shortened(&example.text)
        );
        let about = about("W340", &example.place, &example.text, message)
            .note(format!("`{there}` has it at {}", other.place))
            .help("keep it under the intent that it means, or join the two intents");
        said.push(about);
    }
}

/// A text as messages quote it.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn too_few(project: &Project, said: &mut Vec<Diagnostic>) {
    let mut intents: BTreeMap<&str, (usize, &Place)> = BTreeMap::new();
    let mut entities: BTreeMap<&str, (usize, &Place)> = BTreeMap::new();
    for example in &project.nlu.examples {
        if let Some(intent) = &example.intent {
            intents.entry(intent).or_insert((0, &example.place)).0 += 1;
        }
        for entity in &example.entities {
            let entry = entities.entry(&entity.entity);
            entry.or_insert((0, &example.place)).0 += 1;
        }
    }
    let found = [("W344", "intent", intents), ("W355", "entity", entities)];
    for (code, kind, counts) in found {
        for (name, (count, place)) in counts {
            if count < ENOUGH {
                let message = format!("{kind} `{name}` has one example only");
                let help = "add more: a model learns from what examples have in common";
                said.push(Diagnostic::new(code, place.clone(), message).help(help));
            }
        }
    }
}

/// Says which texts of one intent have different annotations. Examples are
/// sorted, so such texts are neighbours.
fn annotated_twice(examples: &[Example], said: &mut Vec<Diagnostic>) {
    for pair in examples.windows(2) {
        let [one, other] = pair else { continue };
        if one.text == other.text && label(one) == label(other) && one.entities != other.entities {
            let message = format!(
                "`{}` is annotated in two ways under `{}`",
                shortened(&one.text),
                label(one)
            );
            let about = about("W354", &other.place, &other.text, message);
            said.push(about.note(format!("differently at {}", one.place)));
        }
    }
}

/// Says which roles and groups of annotations the domain does not list.
fn parts(project: &Project, said: &mut Vec<Diagnostic>) {
    let domain = &project.domain;
    let entities: HashMap<&str, &crate::data::Entity> = domain
        .entities
        .iter()
        .map(|entity| (entity.name.as_str(), entity))
        .collect();
    let mut told: HashSet<(&str, &str, &str)> = HashSet::new();
    for example in &project.nlu.examples {
        for annotation in &example.entities {
            let Some(entity) = entities.get(annotation.entity.as_str()) else {
                continue;
            };
            let parts = [
                ("role", &annotation.role, &entity.roles),
                ("group", &annotation.group, &entity.groups),
            ];
            for (kind, name, known) in parts {
                let Some(name) = name else { continue };
                if known.contains(name) || !told.insert((kind, &annotation.entity, name)) {
                    continue;
                }
                let message = format!(
                    "{kind} `{name}` of entity `{}` is not listed in the domain",
                    annotation.entity
                );
                let about = Diagnostic::new("W356", example.place.clone(), message)
                    .help(format!("list it under `{kind}s` of the entity: without it stories cannot tell the {kind}"))
                    .suggest(name, known.iter().map(String::as_str));
                said.push(about);
            }
        }
    }
}
