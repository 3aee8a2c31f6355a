//! Stories and rules as blocks: names that stand twice, stories that say the
//! same, checkpoints that lead nowhere.

use std::hash::BuildHasher;
use std::hash::Hash;
use std::hash::Hasher;

use foldhash::HashMap;
use foldhash::HashMapExt;
use foldhash::HashSet;
use foldhash::HashSetExt;
use foldhash::fast::RandomState;

use crate::check::about;
use crate::data::Event;
use crate::data::Step;
use crate::data::StoryGraph;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Suggestions;
use crate::diagnostic::shortened;
use crate::import::Extent;

/// Checkpoints that an `or` made.
const GENERATED: &str = "GENR_";

/// Says what is odd about blocks; what they lack only if all were read.
pub fn check(stories: &StoryGraph, extent: Extent, said: &mut Vec<Diagnostic>) {
    let steps = &stories.steps;
    repeated_names(steps, said);
    if extent != Extent::Whole {
        return;
    }
    repeated_content(steps, said);
    loose_ends(steps, said);
}

fn kind(step: &Step) -> &'static str {
    if step.is_rule { "rule" } else { "story" }
}

/// Whether two steps were cut from the same block.
fn same_block(one: &Step, other: &Step) -> bool {
    let (a, b) = (&one.place, &other.place);
    a.file == b.file && a.line == b.line && a.column == b.column
}

fn repeated_names(steps: &[Step], said: &mut Vec<Diagnostic>) {
    let mut first: HashMap<(&str, bool), &Step> = HashMap::new();
    let mut told: HashSet<(&str, u32, u32)> = HashSet::new();
    let mut sorted: Vec<&Step> = steps.iter().collect();
    sorted.sort_by_key(|step| (&step.place.file, step.place.line, step.place.column));
    for step in sorted {
        let name = step.block_name.as_str();
        let other = *first.entry((name, step.is_rule)).or_insert(step);
        let place = &step.place;
        if name.is_empty()
            || same_block(step, other)
            || !told.insert((&place.file, place.line, place.column))
        {
            continue;
        }
        let shown = shortened(name);
        let message = format!("{} `{shown}` has the name of another one", kind(step));
        let about = about("W450", place, name, message);
        said.push(about.note(format!("the other one is at {}", other.place)));
    }
}

fn repeated_content(steps: &[Step], said: &mut Vec<Diagnostic>) {
    let hashes = RandomState::default();
    let mut first: HashMap<u64, Vec<&Step>> = HashMap::with_capacity(steps.len());
    for step in steps {
        let alike = first.entry(hash(step, &hashes)).or_default();
        let Some(other) = alike.iter().find(|other| says_the_same(step, other)) else {
            alike.push(step);
            continue;
        };
        if !same_block(step, other) {
            let kind = kind(step);
            let name = &step.block_name;
            let (shown, first) = (shortened(name), shortened(&other.block_name));
            let message = format!("{kind} `{shown}` says what `{first}` says");
            let about = about("N463", &step.place, name, message);
            said.push(about.note(format!("`{first}` is at {}", other.place)));
        }
    }
}

/// Whether two steps differ in their names at most.
fn says_the_same(one: &Step, other: &Step) -> bool {
    one.is_rule == other.is_rule
        && one.start_checkpoints == other.start_checkpoints
        && one.end_checkpoints == other.end_checkpoints
        && one.events == other.events
}

/// Returns a hash of the names in a step: those that say the same have the same.
fn hash(step: &Step, hashes: &RandomState) -> u64 {
    let mut hasher = hashes.build_hasher();
    hash_events(&step.events, &mut hasher);
    for checkpoint in step.start_checkpoints.iter().chain(&step.end_checkpoints) {
        checkpoint.name.hash(&mut hasher);
    }
    hasher.finish()
}

fn hash_events(events: &[Event], hasher: &mut impl Hasher) {
    for event in events {
        match event {
            Event::User(utterance) => {
                (&utterance.intent, &utterance.text).hash(hasher);
                for found in utterance.entities.iter() {
                    (&found.entity, &found.role, &found.group).hash(hasher);
                    found.value.hash(hasher);
                }
            }
            Event::Action(name) => name.hash(hasher),
            Event::BotText(text) => text.hash(hasher),
            Event::Slot { name, value } => {
                name.hash(hasher);
                value.hash(hasher);
            }
            Event::ActiveLoop(name) => name.hash(hasher),
            Event::Or(events) => {
                events.len().hash(hasher);
                hash_events(events, hasher);
            }
        }
    }
}

fn loose_ends(steps: &[Step], said: &mut Vec<Diagnostic>) {
    let starts: HashSet<&str> = steps
        .iter()
        .flat_map(|step| &step.start_checkpoints)
        .map(|checkpoint| checkpoint.name.as_str())
        .collect();
    let mut near = Suggestions::new(starts.iter().copied());
    let mut told: HashSet<&str> = HashSet::new();
    for step in steps {
        for end in &step.end_checkpoints {
            let name = end.name.as_str();
            if !starts.contains(name) && !name.starts_with(GENERATED) && told.insert(name) {
                let message = format!("no story goes on from checkpoint `{}`", shortened(name));
                let about = about("W462", &step.place, &step.block_name, message);
                said.push(about.suggest_of(name, &mut near));
            }
        }
    }
}
