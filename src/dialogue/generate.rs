//! Makes training conversations of stories and rules.
//!
//! Conversations grow step by step from checkpoint to checkpoint; two that
//! policies could not tell apart are one. Afterwards whole stories are glued at
//! random (augmentation), so that policies learn to look past what came before.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use rayon::prelude::*;

use crate::data::Checkpoint;
use crate::data::Place;
use crate::data::STORY_START;
use crate::data::StoryGraph;
use crate::dialogue::Event;
use crate::dialogue::SlotsShown;
use crate::dialogue::Tracker;
use crate::dialogue::Trackers;
use crate::dialogue::Universe;
use crate::dialogue::shared_events::KnownEvents;
use crate::dialogue::story_order::Joint;
use crate::dialogue::story_order::OrderedSteps;
use crate::dialogue::story_order::ordered_steps;
use crate::dialogue::story_steps::explicit_events;
use crate::digest::Digest;

/// At most this many times the augmentation factor of glued conversations.
const AUGMENTED_PER_FACTOR: usize = 10;
/// Times that glued stories pass through all steps.
const AUGMENTATION_PHASES: usize = 3;
const SHUFFLE_SEED: u64 = 42;
/// Bytes that the text of most states has at most.
const STATE_SIZE: usize = 256;

/// Returns the conversations that policies learn from: stories, glued stories,
/// then rules. `augmentation` 0 glues nothing; Rasa's default is 50.
///
/// # Source
///
/// Rasa 3.6 `TrainingDataGenerator.generate` with `remove_duplicates`.
///
/// Differs from Rasa: which stories are glued is drawn from SplitMix64 seeded
/// with 42 and not from Python's Mersenne Twister.
pub fn training_trackers(graph: &StoryGraph, universe: &Universe, augmentation: usize) -> Trackers {
    let of_kind = |is_rule: bool| {
        graph
            .steps
            .iter()
            .filter(move |step| step.is_rule == is_rule)
    };
    let stories = ordered_steps(of_kind(false));
    let mut all = Generator::new(universe, augmentation, false).run(&stories);
    let of_rules = Generator::new(universe, 0, true).run(&ordered_steps(of_kind(true)));
    all.trackers.extend(of_rules.trackers);
    all.unreached_checkpoints
        .extend(of_rules.unreached_checkpoints);
    all.unreached_checkpoints.sort();
    all.unreached_checkpoints.dedup();
    all
}

/// An event of a step, and where it is written.
type Placed = (Arc<Event>, Place);

/// A conversation under way.
#[derive(Clone)]
struct Growing {
    tracker: Tracker,
    /// Digest of all states before the present one.
    past: Digest,
}

impl Growing {
    fn new(tracker: Tracker) -> Self {
        Self {
            tracker,
            past: Digest::of(b""),
        }
    }

    /// Adds an event; `text` is memory for that of states.
    fn push(&mut self, (event, place): &Placed, universe: &Universe, text: &mut String) {
        if event.as_action().is_some() {
            self.past = self.states_digest(universe, text);
        }
        self.tracker.push_placed(Arc::clone(event), place.clone());
    }

    /// Digest of all states, the present one included.
    fn states_digest(&self, universe: &Universe, text: &mut String) -> Digest {
        let state = self.tracker.situation().seen(universe, SlotsShown::All);
        let mut both = [0; 64];
        both[..32].copy_from_slice(self.past.as_bytes());
        both[32..].copy_from_slice(state.digest(text).as_bytes());
        Digest::of(&both)
    }

    /// A copy that goes on after its story: without the final listening, which
    /// the next story begins with.
    fn reopened(&self, universe: &Universe) -> Self {
        let mut tracker = Tracker::new(&self.tracker.name);
        tracker.is_rule = self.tracker.is_rule;
        tracker.is_augmented = true;
        let mut copy = Self::new(tracker);
        let events = self.tracker.events();
        let mut text = String::new();
        for (index, event) in events
            .iter()
            .enumerate()
            .take(events.len().saturating_sub(1))
        {
            let placed = (Arc::clone(event), self.tracker.place(index));
            copy.push(&placed, universe, &mut text);
        }
        copy
    }

    fn meets(&self, checkpoint: &Checkpoint, universe: &Universe) -> bool {
        let now = self.tracker.situation();
        checkpoint
            .conditions
            .iter()
            .all(|(slot, value)| now.slot(universe, slot) == value)
    }
}

struct Generator<'a> {
    universe: &'a Universe,
    augmentation: usize,
    is_rule: bool,
    seen_ends: HashSet<Digest>,
    random: SplitMix64,
    known: KnownEvents,
}

/// Conversations waiting at each start checkpoint.
type Active = BTreeMap<String, Vec<Growing>>;

/// Checkpoints that a phase has met.
#[derive(Default)]
struct Met {
    used: BTreeSet<String>,
    unused: BTreeSet<String>,
}

impl<'a> Generator<'a> {
    fn new(universe: &'a Universe, augmentation: usize, is_rule: bool) -> Self {
        Self {
            universe,
            augmentation,
            is_rule,
            seen_ends: HashSet::new(),
            random: SplitMix64(SHUFFLE_SEED),
            known: KnownEvents::default(),
        }
    }

    fn run(mut self, ordered: &OrderedSteps<'_>) -> Trackers {
        let mut tracker = Tracker::new("");
        tracker.is_rule = self.is_rule;
        let mut active = Active::from([(STORY_START.to_owned(), vec![Growing::new(tracker)])]);
        let mut finished: Vec<Growing> = Vec::new();
        let mut story_ends: Vec<Growing> = Vec::new();
        let mut met = Met::default();
        let mut unreached: BTreeSet<String> = BTreeSet::new();
        let mut previously_unused = BTreeSet::new();
        let phases = if self.augmentation > 0 {
            AUGMENTATION_PHASES
        } else {
            0
        };
        let mut reached = false;
        let mut phase = 0;
        while !ordered.steps.is_empty() && (!reached || phase < phases) {
            if active.values().all(Vec::is_empty) {
                break;
            }
            met.unused.clear();
            self.phase(ordered, reached, &mut active, &mut met, &mut story_ends);
            phase += 1;
            if !reached {
                let unused = unused_checkpoints(&active, &met);
                active.retain(|name, _| name != STORY_START && unused.contains(name));
                reached = unused == previously_unused || active.values().all(Vec::is_empty);
                previously_unused = unused;
                if reached {
                    unreached = previously_unused.difference(&met.used).cloned().collect();
                    for name in &unreached {
                        finished.extend(active.remove(name).unwrap_or_default());
                    }
                    phase = 0;
                }
            }
            if reached {
                met.used.clear();
                active = self.augmentation_starts(&story_ends);
            }
        }
        finished.extend(story_ends);
        self.finish(finished, unreached)
    }

    /// Returns what happens in a step. Most of it happens in many, and most steps
    /// are passed once: it is not kept.
    fn events_of(&mut self, joint: &Joint<'_>) -> Vec<Placed> {
        let known = &mut self.known;
        let share = |(event, place)| (known.share(event), place);
        let events = explicit_events(joint, self.universe).into_iter();
        events.map(share).collect()
    }

    /// Lets all waiting conversations pass through all steps once.
    fn phase(
        &mut self,
        ordered: &OrderedSteps<'_>,
        is_augmenting: bool,
        active: &mut Active,
        met: &mut Met,
        story_ends: &mut Vec<Growing>,
    ) {
        for joint in &ordered.steps {
            let mut incoming = self.incoming(joint, active, met);
            if incoming.is_empty() {
                continue;
            }
            if is_augmenting {
                self.random.shuffle(&mut incoming);
                incoming.truncate(self.augmentation.saturating_mul(AUGMENTED_PER_FACTOR));
            }
            let events = self.events_of(joint);
            let outgoing = self.pass(joint, &events, incoming);
            let text = &mut String::new();
            if joint.ends.is_empty() {
                for growing in outgoing {
                    if self
                        .seen_ends
                        .insert(growing.states_digest(self.universe, text))
                    {
                        story_ends.push(growing);
                    }
                }
                continue;
            }
            for end in &joint.ends {
                let start = ordered.continuation(&end.name);
                let waiting = active.entry(start.to_owned()).or_default();
                waiting.extend(outgoing.iter().cloned());
                if met.used.contains(start) {
                    met.unused.insert(start.to_owned());
                }
            }
        }
    }

    /// The conversations that reach a step, each sequence of states once.
    fn incoming(&self, joint: &Joint<'_>, active: &Active, met: &mut Met) -> Vec<Growing> {
        let mut incoming = Vec::new();
        let mut seen = BTreeSet::new();
        let mut text = String::new();
        for start in &joint.starts {
            match active.get(&start.name) {
                Some(waiting) if !waiting.is_empty() => {
                    let passing = waiting.iter().filter(|g| g.meets(start, self.universe));
                    for growing in passing {
                        if seen.insert(growing.states_digest(self.universe, &mut text)) {
                            incoming.push(growing.clone());
                        }
                    }
                    met.used.insert(start.name.clone());
                }
                _ if !met.used.contains(&start.name) => {
                    met.unused.insert(start.name.clone());
                }
                _ => {}
            }
        }
        incoming
    }

    fn pass(&self, joint: &Joint<'_>, events: &[Placed], incoming: Vec<Growing>) -> Vec<Growing> {
        let pass_one = |mut growing: Growing| {
            growing.tracker.name = joined(&growing.tracker.name, &joint.step.block_name);
            if growing.tracker.events().is_empty() {
                growing.tracker.reserve(events.len());
            }
            let mut text = String::with_capacity(STATE_SIZE);
            for event in events {
                growing.push(event, self.universe, &mut text);
            }
            growing
        };
        // Most steps are passed by one: waking threads would cost more than that.
        match incoming.len() {
            1 => incoming.into_iter().map(pass_one).collect(),
            _ => incoming.into_par_iter().map(pass_one).collect(),
        }
    }

    fn augmentation_starts(&mut self, story_ends: &[Growing]) -> Active {
        if self.augmentation == 0 {
            return Active::new();
        }
        let mut indices: Vec<usize> = (0..story_ends.len()).collect();
        self.random.shuffle(&mut indices);
        indices.truncate(self.augmentation);
        let starts = indices
            .into_iter()
            .map(|index| story_ends[index].reopened(self.universe))
            .collect();
        Active::from([(STORY_START.to_owned(), starts)])
    }

    fn finish(mut self, finished: Vec<Growing>, unreached: BTreeSet<String>) -> Trackers {
        let (mut augmented, mut trackers): (Vec<Tracker>, Vec<Tracker>) = finished
            .into_iter()
            .map(|growing| growing.tracker)
            .partition(|tracker| tracker.is_augmented);
        self.random.shuffle(&mut augmented);
        augmented.truncate(self.augmentation.saturating_mul(AUGMENTED_PER_FACTOR));
        trackers.append(&mut augmented);
        Trackers {
            trackers,
            unreached_checkpoints: unreached
                .into_iter()
                .filter(|name| name != STORY_START && !name.starts_with("GENR_"))
                .collect(),
        }
    }
}

fn unused_checkpoints(active: &Active, met: &Met) -> BTreeSet<String> {
    let waiting = active.keys().filter(|name| !met.used.contains(*name));
    met.unused.iter().chain(waiting).cloned().collect()
}

fn joined(name: &str, block: &str) -> String {
    if name.is_empty() {
        return block.to_owned();
    }
    if block.is_empty() || name.split(" > ").any(|part| part == block) {
        return name.to_owned();
    }
    format!("{name} > {block}")
}

/// Steele, Lea and Flood's generator: integers only, so the same everywhere.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Fisher and Yates's shuffle, from the end.
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let product = u128::from(self.next()) * (last as u128 + 1);
            items.swap(last, (product >> 64) as usize);
        }
    }
}
