//! Examples that contradict each other, or are too few.

use std::collections::BTreeMap;

use foldhash::HashMap;
use foldhash::HashMapExt;
use foldhash::HashSet;
use foldhash::HashSetExt;

use crate::check::about;
use crate::check::uses::Uses;
use crate::data::Example;
use crate::data::Place;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::Suggestions;
use crate::diagnostic::shortened;
use crate::diagnostic::shortened_to;
use crate::import::Extent;
use crate::import::Extents;

/// Examples of an intent or entity below which it is hardly learned; Rasa's
/// number.
const ENOUGH: usize = 2;

/// Code points of a text that messages show.
const SHOWN: usize = 60;

/// Says what is odd about examples; what there is too little of only if all was
/// read.
pub fn check(project: &Project, uses: &Uses<'_>, extents: Extents, said: &mut Vec<Diagnostic>) {
    check_labels(&project.nlu.examples, said);
    annotated_twice(&project.nlu.examples, said);
    if extents.nlu == Extent::Whole {
        too_few(project, said);
    }
    if extents.domain == Extent::Whole {
        parts(project, uses, said);
    }
}

fn label(example: &Example) -> &str {
    let key = example.intent_response_key.as_deref();
    key.or(example.intent.as_deref()).unwrap_or_default()
}

/// Says which texts stand under two intents.
pub fn check_labels(examples: &[Example], said: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&str, &Example> = HashMap::new();
    let mut told: HashSet<(&str, &str)> = HashSet::new();
    for example in examples.iter().filter(|one| !label(one).is_empty()) {
        let other = *first.entry(&example.text).or_insert(example);
        let (here, there) = (label(example), label(other));
        if here == there || !told.insert((&example.text, here)) {
            continue;
        }
        let (here, there) = (shortened(here), shortened(there));
        let message = format!(
            "`{}` is an example of both `{there}` and `{here}`",
            shortened_to(SHOWN, &example.text)
        );
        let about = about("W340", &example.place, &example.text, message)
            .note(format!("`{there}` has it at {}", other.place))
            .help("keep it under the intent that it means, or join the two intents");
        said.push(about);
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
                let message = format!("{kind} `{}` has one example only", shortened(name));
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
                shortened_to(SHOWN, &one.text),
                shortened(label(one))
            );
            let about = about("W354", &other.place, &other.text, message);
            said.push(about.note(format!("differently at {}", one.place)));
        }
    }
}

/// The roles or groups that a domain lists for an entity.
struct Listed<'d> {
    names: HashSet<&'d str>,
    near: Suggestions<'d>,
}

impl<'d> Listed<'d> {
    fn of(names: &'d [String]) -> Self {
        let names = names.iter().map(String::as_str);
        Self {
            names: names.clone().collect(),
            near: Suggestions::new(names),
        }
    }
}

/// Says which roles and groups of annotations the domain does not list. Slots
/// are filled from them all the same; stories cannot tell them.
fn parts(project: &Project, uses: &Uses<'_>, said: &mut Vec<Diagnostic>) {
    let entities = project.domain.entities.iter();
    let mut entities: HashMap<&str, [Listed<'_>; 2]> = entities
        .map(|entity| {
            let lists = [Listed::of(&entity.roles), Listed::of(&entity.groups)];
            (entity.name.as_str(), lists)
        })
        .collect();
    let mut told: HashSet<(&str, &str, &str)> = HashSet::new();
    for example in &project.nlu.examples {
        for annotation in &example.entities {
            let entity = annotation.entity.as_str();
            let Some(lists) = entities.get_mut(entity) else {
                continue;
            };
            let parts = [("role", &annotation.role), ("group", &annotation.group)];
            for ((kind, name), listed) in parts.into_iter().zip(lists) {
                let Some(name) = name.as_deref() else {
                    continue;
                };
                if listed.names.contains(name) || !told.insert((kind, entity, name)) {
                    continue;
                }
                let message = format!(
                    "{kind} `{}` of entity `{}` is not listed in the domain",
                    shortened(name),
                    shortened(entity)
                );
                let mut about = Diagnostic::new("W356", example.place.clone(), message)
                    .help(format!("list it under `{kind}s` of the entity: without it stories cannot tell the {kind}"))
                    .suggest_of(name, &mut listed.near);
                if !uses.story_parts.contains(&(kind, entity, name)) {
                    about.severity = Severity::Note;
                }
                said.push(about);
            }
        }
    }
}
