//! Cuts stories and rules into steps between checkpoints, in canonical order.
//!
//! An `or` becomes one copy of its step for each alternative; all of them end in
//! a generated checkpoint, from which the story goes on. Such a checkpoint is
//! named after the content of the whole story and its number within it, so that
//! the name of a story, its file and its place there cannot be seen in it, and
//! two stories never meet by accident.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::io;
use std::ops::Range;

use crate::data::Checkpoint;
use crate::data::Event;
use crate::data::Place;
use crate::data::STORY_START;
use crate::data::Step;
use crate::data::StoryGraph;
use crate::diagnostic::Diagnostic;
use crate::digest::Digest;
use crate::import::stories::Block;
use crate::import::stories::Item;

/// How generated checkpoints of an `or` start; Rasa's start so too.
const GENERATED: &str = "GENR_OR_";

/// Events that copies of one block's steps may have together. Each `or` and each
/// checkpoint but the first copies what stands before it, so a file could ask
/// for a number of events that is the square of its size.
const COPY_LIMIT: usize = 1 << 20;

/// A block as steps.
#[derive(Debug)]
pub struct Cut {
    steps: Vec<Step>,
    /// What is said if they become too much.
    said: Option<Diagnostic>,
}

/// Cuts a block into steps.
///
/// Test stories have their `or` as one event: `Item::Or` of utterances in
/// blocks that were read for a test.
pub fn cut(block: Block, or: Or) -> Cut {
    let (mut steps, said) = match or {
        Or::Copies => expand(block),
        Or::OneEvent => (vec![one_step(block)], None),
    };
    named_by_content(&mut steps);
    steps.shrink_to_fit();
    Cut { steps, said }
}

/// Returns the steps of all blocks, blocks sorted by content, and what is said
/// about them.
pub fn graph(cuts: Vec<Cut>) -> (StoryGraph, Vec<Diagnostic>) {
    let mut said = Vec::new();
    let mut blocks = Vec::with_capacity(cuts.len());
    for cut in cuts {
        said.extend(cut.said);
        blocks.push(cut.steps);
    }
    let steps = sorted(blocks).into_iter().flatten().collect();
    (StoryGraph { steps }, said)
}

/// What becomes of an `or`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Or {
    /// A copy of the step for each alternative, for training.
    Copies,
    /// One [`Event::Or`], for tests.
    OneEvent,
}

/// The steps of a block while it is cut.
struct Cutter {
    template: Step,
    done: Vec<Step>,
    open: Vec<Step>,
    or_count: usize,
    /// Checkpoints since the last event, and how many steps were open before.
    row: HashSet<String>,
    kind_count: usize,
    /// Events that may still be copied; none once it was too much.
    copies_left: Option<usize>,
}

/// Cuts a block. The `n`th generated checkpoint is named `GENR_OR_n` for now.
///
/// Rasa 3.6: a step that ends in several checkpoints becomes a copy for each;
/// the next step starts from any of them.
fn expand(block: Block) -> (Vec<Step>, Option<Diagnostic>) {
    let starts = match block.starts.is_empty() {
        true => vec![checkpoint(STORY_START)],
        false => block.starts,
    };
    let template = Step {
        block_name: block.name,
        is_rule: block.is_rule,
        start_checkpoints: starts,
        place: block.place,
        ..Step::default()
    };
    let mut cutter = Cutter {
        template,
        done: Vec::new(),
        open: Vec::new(),
        or_count: 0,
        row: HashSet::new(),
        kind_count: 0,
        copies_left: Some(COPY_LIMIT),
    };
    for item in block.items {
        match item {
            Item::Event(event, place) => cutter.event(event, place),
            Item::Or(mut events, _) => cutter.or(&mut events),
            Item::Checkpoint(name) => cutter.end(&name),
        }
    }
    cutter.done.append(&mut cutter.open);
    for step in &mut cutter.done {
        step.events.shrink_to_fit();
        step.event_places.shrink_to_fit();
    }
    let said = cutter
        .copies_left
        .is_none()
        .then(|| too_much(&cutter.template));
    (cutter.done, said)
}

fn too_much(block: &Step) -> Diagnostic {
    let what = format!(
        "`or` and checkpoints make more than {COPY_LIMIT} events of `{}`",
        block.block_name
    );
    Diagnostic::new("E032", block.place.clone(), what)
        .length(block.block_name.chars().count() as u32)
        .help("split it into stories that are joined by checkpoints")
}

impl Cutter {
    /// Sees to it that there is a step that goes on.
    fn go_on(&mut self) {
        self.row.clear();
        let goes_on = |step: &Step| step.end_checkpoints.is_empty();
        if !self.open.is_empty() && self.open.iter().all(goes_on) {
            return;
        }
        let open = std::mem::take(&mut self.open);
        let (ended, going): (Vec<Step>, Vec<Step>) = open
            .into_iter()
            .partition(|step| !step.end_checkpoints.is_empty());
        self.open = match going.is_empty() {
            false => going,
            true => {
                let mut next = self.template.clone();
                if !ended.is_empty() {
                    let ends = ended.iter().flat_map(|step| &step.end_checkpoints);
                    let mut names: Vec<&str> = ends.map(|end| end.name.as_str()).collect();
                    names.sort_unstable();
                    names.dedup();
                    next.start_checkpoints = names.into_iter().map(checkpoint).collect();
                }
                vec![next]
            }
        };
        self.done.extend(ended);
    }

    /// Returns whether these of the open steps may be copied so many times.
    fn may_copy(&mut self, steps: Range<usize>, times: usize) -> bool {
        let events = self.open[steps].iter().map(|step| step.events.len() + 1);
        let wanted = events.sum::<usize>().saturating_mul(times);
        self.copies_left = self.copies_left.and_then(|left| left.checked_sub(wanted));
        self.copies_left.is_some()
    }

    fn event(&mut self, event: Event, place: Place) {
        self.go_on();
        let Some((last, others)) = self.open.split_last_mut() else {
            return;
        };
        for step in others {
            step.events.push(event.clone());
            step.event_places.push(place.clone());
        }
        last.events.push(event);
        last.event_places.push(place);
    }

    /// Copies the open steps for each alternative. Alternatives are sorted by
    /// content: their order in the file has no meaning.
    fn or(&mut self, events: &mut [(Event, Place)]) {
        self.go_on();
        events.sort_by_cached_key(|(event, _)| {
            serde_json::to_string(event).expect("events are plain values")
        });
        if !self.may_copy(0..self.open.len(), events.len()) {
            return;
        }
        let name = format!("{GENERATED}{}", self.or_count);
        self.or_count += 1;
        let mut copies = Vec::with_capacity(self.open.len() * events.len());
        for step in &self.open {
            for (event, place) in events.iter() {
                let mut copy = step.clone();
                copy.events.push(event.clone());
                copy.event_places.push(place.clone());
                copy.end_checkpoints = vec![checkpoint(&name)];
                copies.push(copy);
            }
        }
        self.open = copies;
    }

    /// Ends the open steps in a checkpoint; those that ended in another one
    /// already are copied.
    ///
    /// Differs from Rasa: steps that end in two checkpoints are copied for the
    /// third once and not twice, or `n` checkpoints in a row would make `2ⁿ`
    /// steps. Equal steps lead to the same conversations.
    fn end(&mut self, name: &str) {
        if self.row.is_empty() {
            self.kind_count = self.open.len();
        }
        if !self.row.insert(name.to_owned()) {
            return;
        }
        let ends = vec![checkpoint(name)];
        if self.open.iter().all(|step| step.end_checkpoints.is_empty()) {
            for step in &mut self.open {
                step.end_checkpoints = ends.clone();
            }
        } else if self.may_copy(0..self.kind_count, 1) {
            for index in 0..self.kind_count {
                self.open.push(Step {
                    end_checkpoints: ends.clone(),
                    ..self.open[index].clone()
                });
            }
        }
    }
}

fn checkpoint(name: &str) -> Checkpoint {
    Checkpoint {
        name: name.to_owned(),
        conditions: BTreeMap::new(),
    }
}

/// Makes one step of a block of test stories; its checkpoints stay.
fn one_step(block: Block) -> Step {
    let mut step = Step {
        block_name: block.name,
        is_rule: block.is_rule,
        start_checkpoints: block.starts,
        place: block.place,
        ..Step::default()
    };
    if step.start_checkpoints.is_empty() {
        step.start_checkpoints.push(checkpoint(STORY_START));
    }
    for item in block.items {
        let (event, place) = match item {
            Item::Event(event, place) => (event, place),
            Item::Or(events, place) => {
                let events = events.into_iter().map(|(event, _)| event);
                (Event::Or(events.collect()), place)
            }
            Item::Checkpoint(name) => {
                step.end_checkpoints.push(checkpoint(&name));
                continue;
            }
        };
        step.events.push(event);
        step.event_places.push(place);
    }
    step.events.shrink_to_fit();
    step.event_places.shrink_to_fit();
    step
}

/// Gives generated checkpoints their names.
fn named_by_content(steps: &mut [Step]) {
    let is_generated = |checkpoint: &Checkpoint| checkpoint.name.starts_with(GENERATED);
    if steps
        .iter()
        .any(|step| step.end_checkpoints.iter().any(is_generated))
    {
        let digest = Digest::of(&content(steps)).to_string();
        for step in steps {
            let starts = step.start_checkpoints.iter_mut();
            for checkpoint in starts.chain(&mut step.end_checkpoints) {
                if let Some(number) = checkpoint.name.strip_prefix(GENERATED) {
                    checkpoint.name = format!("{GENERATED}{}_{number}", &digest[..16]);
                }
            }
        }
    }
}

/// Returns what the blocks are sorted by: their steps as JSON.
fn content(steps: &[Step]) -> Vec<u8> {
    serde_json::to_vec(steps).expect("steps are plain values")
}

/// Bytes at the start of a block's content by which most blocks differ: its first
/// message and action are there.
const START: usize = 256;

/// Returns blocks sorted by content, without having that of all at once: those
/// whose contents start alike are sorted once more.
fn sorted(blocks: Vec<Vec<Step>>) -> Vec<Vec<Step>> {
    let with_start = |steps: Vec<Step>| (start_of_content(&steps), steps);
    let mut blocks: Vec<(Box<[u8]>, Vec<Step>)> = blocks.into_iter().map(with_start).collect();
    blocks.sort_by(|a, b| a.0.cmp(&b.0));
    for alike in blocks.chunk_by_mut(|a, b| a.0 == b.0) {
        if alike.len() > 1 {
            alike.sort_by_cached_key(|(_, steps)| content(steps));
        }
    }
    blocks.into_iter().map(|(_, steps)| steps).collect()
}

fn start_of_content(steps: &[Step]) -> Box<[u8]> {
    let mut start = Start(Vec::with_capacity(START));
    // What comes after it is not taken, and so not written.
    let _ = serde_json::to_writer(&mut start, steps);
    start.0.into()
}

/// Takes the first bytes of what is written.
struct Start(Vec<u8>);

impl io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(START - self.0.len());
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_in_a_row_make_a_step_each() {
        let checkpoints = (0..12).map(|number| Item::Checkpoint(format!("c{number}")));
        let said = |text: &str| Item::Event(Event::BotText(text.to_owned()), Place::default());
        let mut items = vec![said("before")];
        items.extend(checkpoints);
        items.push(said("after"));
        let block = Block {
            name: "story".to_owned(),
            place: Place::default(),
            is_rule: false,
            starts: Vec::new(),
            items,
        };
        let steps = graph(vec![cut(block, Or::Copies)]).0.steps;
        assert_eq!(steps.len(), 13);
        assert_eq!(steps[12].start_checkpoints.len(), 12);
    }

    #[test]
    fn blocks_that_start_alike_are_sorted_by_all_of_their_content() {
        let block = |number: usize, actions: usize| {
            let action = |n| Event::Action(format!("action_{n}").into());
            let events = (0..actions).map(action).chain([action(number)]);
            let items = events.map(|event| Item::Event(event, Place::default()));
            let block = Block {
                name: "story".to_owned(),
                place: Place::default(),
                is_rule: false,
                starts: Vec::new(),
                items: items.collect(),
            };
            cut(block, Or::Copies)
        };
        let lengths = [0, 30, 2, 30, 29, 1];
        let blocks = (0..60)
            .rev()
            .map(|number| block(number, lengths[number % 6]));
        let steps = graph(blocks.collect()).0.steps;
        let contents: Vec<String> = steps
            .iter()
            .map(|step| serde_json::to_string(&[step]).unwrap())
            .collect();
        assert_eq!(contents.len(), 60);
        assert!(contents.is_sorted());
    }
}
