//! Finds stories that contradict each other: what a policy sees is the same,
//! and one story goes on with one action, another with another.

use std::collections::BTreeMap;
use std::collections::HashMap;

use rayon::prelude::*;

use crate::data::Place;
use crate::diagnostic::shortened;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::RULE_SNIPPET;
use crate::dialogue::SlotsShown;
use crate::dialogue::Tracker;
use crate::dialogue::Trackers;
use crate::dialogue::Universe;
use crate::dialogue::state::Seen;
use crate::dialogue::state::SeenAction;
use crate::digest::Digest;

/// A point at which stories go on in different ways.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// What happened last, such as ``intent `greet` ``.
    pub after: String,
    /// The ways to go on by action: at least two.
    pub ways: BTreeMap<String, Way>,
}

/// One of the ways in which stories go on.
#[derive(Clone, Debug, Default)]
pub struct Way {
    /// Names of the first stories that go on so, and where each does.
    pub stories: Vec<(String, Place)>,
    /// How many stories go on so.
    pub count: usize,
}

/// Stories that a way names at most.
const NAMED: usize = 3;

/// A turn that can be compared with others. There are many: of digests it has as
/// many bits as keep different things apart.
#[derive(Clone, Copy)]
struct Moment {
    /// What a policy sees before the action.
    seen: u128,
    /// What follows: the action's label.
    action: u64,
    /// Index of the story.
    story: u32,
    /// Index of the action within its story.
    turn: u32,
}

/// Returns all conflicts between the stories of `trackers`, rules apart;
/// `max_history` is how many turns a policy looks back, all if `None`.
///
/// The time is linear in the number of turns, but for a sort of theirs.
///
/// # Source
///
/// Rasa 3.6 `find_story_conflicts`. Differs from Rasa: stories that no policy
/// could tell apart count as one, and the texts of end-to-end messages are
/// compared as written, not token by token.
pub fn conflicts(
    trackers: &Trackers,
    universe: &Universe,
    max_history: Option<usize>,
) -> Vec<Conflict> {
    let stories: Vec<&Tracker> = trackers.stories().collect();
    let numbered = stories.par_iter().enumerate();
    let moments: Vec<Box<[Moment]>> = numbered
        .map(|(index, story)| moments(index, story, universe, max_history).into())
        .collect();
    let mut all = Vec::with_capacity(moments.iter().map(|of_one| of_one.len()).sum());
    // Those of a story are let go when they have been taken over.
    for moments in moments {
        all.extend_from_slice(&moments);
    }
    let mut found: HashMap<u128, Conflict> = HashMap::new();
    let mut order: Vec<u128> = Vec::new();
    for moments in disputed(all).chunk_by(|a, b| a.story == b.story) {
        let story = stories[moments[0].story as usize];
        let mut moments = moments.iter().peekable();
        let mut turn = 0;
        story.each_turn(|index, now, executed| {
            let moment = moments.next_if(|moment| moment.turn == turn);
            turn += 1;
            let Some(moment) = moment else {
                return;
            };
            let conflict = found.entry(moment.seen).or_insert_with(|| {
                order.push(moment.seen);
                Conflict {
                    after: after(&now.seen(universe, SlotsShown::All)),
                    ways: BTreeMap::new(),
                }
            });
            let way = conflict.ways.entry(executed.label().to_owned());
            let way = way.or_default();
            way.count += 1;
            if way.stories.len() < NAMED {
                // Most ways are those of one story.
                way.stories.reserve_exact(1);
                way.stories.push((story.name.clone(), story.place(index)));
            }
        });
    }
    order
        .into_iter()
        .filter_map(|seen| found.remove(&seen))
        .collect()
}

/// The turns of a story that follow something: what a conversation begins with
/// is no policy's choice.
fn moments(
    index: usize,
    story: &Tracker,
    universe: &Universe,
    max_history: Option<usize>,
) -> Vec<Moment> {
    let mut states: Vec<Digest> = Vec::new();
    let mut text = String::new();
    let mut whole = Digest::of(b"");
    let mut moments = Vec::new();
    story.each_turn(|_, now, executed| {
        let turn = states.len();
        let state = now.seen(universe, SlotsShown::All).digest(&mut text);
        whole = joined(&[whole, state]);
        states.push(state);
        if now.latest_action().is_none()
            || executed.is_unpredictable
            || executed.is_name(RULE_SNIPPET)
        {
            return;
        }
        let seen = match max_history {
            None => whole,
            Some(count) => joined(&states[(turn + 1).saturating_sub(count)..]),
        };
        let action = Digest::of(executed.label().as_bytes());
        moments.push(Moment {
            seen: bits(seen),
            action: bits(action) as u64,
            story: index as u32,
            turn: turn as u32,
        });
    });
    moments
}

fn joined(digests: &[Digest]) -> Digest {
    if let [one, other] = digests {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(one.as_bytes());
        bytes[32..].copy_from_slice(other.as_bytes());
        return Digest::of(&bytes);
    }
    let bytes: Vec<u8> = digests.iter().flat_map(|one| *one.as_bytes()).collect();
    Digest::of(&bytes)
}

fn bits(digest: Digest) -> u128 {
    let (half, _) = digest.as_bytes().split_at(16);
    u128::from_le_bytes(half.try_into().expect("half of 32 bytes"))
}

/// Returns the turns before which the same is seen as before another one that goes
/// on otherwise, in the order of stories.
fn disputed(mut moments: Vec<Moment>) -> Vec<Moment> {
    moments.sort_unstable_by_key(|moment| moment.seen);
    let alike = moments.chunk_by(|a, b| a.seen == b.seen);
    let disputed = alike.filter(|alike| alike.iter().any(|one| one.action != alike[0].action));
    let mut disputed: Vec<Moment> = disputed.flatten().copied().collect();
    disputed.sort_unstable_by_key(|moment| (moment.story, moment.turn));
    disputed
}

/// What happened last, for a message.
fn after(seen: &Seen<'_>) -> String {
    match seen.prev_action {
        Some(SeenAction::Name(name)) if name != ACTION_LISTEN => {
            format!("action `{}`", shortened(name))
        }
        Some(SeenAction::Text(text)) => format!("the bot's `{}`", shortened(text)),
        _ => match (seen.text, seen.intent) {
            (_, Some(intent)) => format!("intent `{}`", shortened(intent)),
            (Some(text), None) => format!("the user's `{}`", shortened(text)),
            (None, None) => "the start".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Checkpoint;
    use crate::data::Domain;
    use crate::data::Event;
    use crate::data::Intent;
    use crate::data::STORY_START;
    use crate::data::Step;
    use crate::data::StoryGraph;
    use crate::data::Utterance;
    use crate::dialogue::training_trackers;

    /// A story as `intent action action intent action …`; actions start with
    /// `utter_`.
    fn story(name: &str, words: &str) -> Step {
        let event = |word: &str| match word.starts_with("utter_") {
            true => Event::Action(word.into()),
            false => {
                let utterance = Utterance {
                    intent: Some(word.to_owned()),
                    ..Utterance::default()
                };
                Event::User(utterance.into())
            }
        };
        Step {
            block_name: name.to_owned(),
            start_checkpoints: vec![Checkpoint {
                name: STORY_START.to_owned(),
                ..Checkpoint::default()
            }],
            events: words.split(' ').map(event).collect(),
            ..Step::default()
        }
    }

    fn found(stories: &[(&str, &str)], max_history: Option<usize>) -> Vec<String> {
        let intents = ["hi", "yes", "no"].map(|name| Intent {
            name: name.to_owned(),
            ..Intent::default()
        });
        let universe = Universe::new(&Domain {
            intents: intents.into(),
            actions: ["utter_a", "utter_b"].map(str::to_owned).into(),
            ..Domain::default()
        });
        let steps = stories.iter().map(|(name, words)| story(name, words));
        let graph = StoryGraph {
            steps: steps.collect(),
        };
        let trackers = training_trackers(&graph, &universe, 0);
        let shown = |conflict: Conflict| {
            let ways: BTreeMap<String, usize> = conflict
                .ways
                .into_iter()
                .map(|(action, way)| (action, way.count))
                .collect();
            format!("{} {ways:?}", conflict.after)
        };
        conflicts(&trackers, &universe, max_history)
            .into_iter()
            .map(shown)
            .collect()
    }

    #[test]
    fn the_same_past_with_another_action_is_a_conflict() {
        let stories = [("one", "hi utter_a"), ("two", "hi utter_b yes utter_a")];
        assert_eq!(
            found(&stories, None),
            [r#"intent `hi` {"utter_a": 1, "utter_b": 1}"#]
        );
    }

    #[test]
    fn stories_that_part_at_an_intent_agree() {
        let stories = [
            ("one", "hi utter_a yes utter_a"),
            ("two", "hi utter_a no utter_b"),
        ];
        assert!(found(&stories, None).is_empty());
    }

    #[test]
    fn a_short_memory_sees_conflicts_that_a_long_one_does_not() {
        let stories = [
            ("one", "no utter_a yes utter_a"),
            ("two", "hi utter_a yes utter_b"),
        ];
        assert!(found(&stories, None).is_empty());
        assert_eq!(
            found(&stories, Some(1)),
            [r#"intent `yes` {"utter_a": 1, "utter_b": 1}"#]
        );
    }

    #[test]
    fn a_story_can_contradict_itself() {
        let stories = [("one", "hi utter_a yes utter_a yes utter_b")];
        assert!(found(&stories, None).is_empty());
        assert_eq!(found(&stories, Some(1)).len(), 1);
    }
}
