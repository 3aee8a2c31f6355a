//! Counts the ways through stories before anybody goes them.
//!
//! Where stories meet at a checkpoint, each that comes goes on as each that
//! starts there: `n` meetings in a row, such as those of `or`, make `2ⁿ`
//! conversations of a story of `n` lines.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::data::Place;
use crate::data::STORY_START;
use crate::data::StoryGraph;
use crate::dialogue::story_order::Joint;
use crate::dialogue::story_order::OrderedSteps;
use crate::dialogue::story_order::ordered_steps;
use crate::digest::Digest;

/// Times that conversations may pass through a step, beyond once for each step.
const WAYS_LIMIT: u64 = 1 << 17;

/// Stories that become too many conversations to learn from.
#[derive(Debug, thiserror::Error)]
#[error(
    "`or` and checkpoints make more than {WAYS_LIMIT} conversations of the stories up to `{story}`"
)]
pub struct TooManyWays {
    /// The story at which they became too many.
    pub story: String,
    /// Where it was written.
    pub place: Place,
}

/// Sees to it that stories and rules are not too many conversations.
///
/// Differs from Rasa: which takes them all on, for as long as memory lasts.
///
/// # Errors
///
/// If they are.
pub fn check_ways(graph: &StoryGraph) -> Result<(), TooManyWays> {
    let of_kind = |is_rule: bool| {
        graph
            .steps
            .iter()
            .filter(move |step| step.is_rule == is_rule)
    };
    check_kind(&ordered_steps(of_kind(false)))?;
    check_kind(&ordered_steps(of_kind(true)))
}

fn check_kind(ordered: &OrderedSteps<'_>) -> Result<(), TooManyWays> {
    // Equal steps lead to the same conversations, which are kept once. Whether steps
    // are equal is asked only where it matters: few projects come near the limit.
    let mut known = HashSet::new();
    count_ways(ordered, |_| true)
        .or_else(|_| count_ways(ordered, |joint| known.insert(content(joint))))
}

/// Goes through the steps that count, and fails where conversations become too many.
fn count_ways(
    ordered: &OrderedSteps<'_>,
    mut counts: impl FnMut(&Joint<'_>) -> bool,
) -> Result<(), TooManyWays> {
    let mut waiting: HashMap<&str, u64> = HashMap::from([(STORY_START, 1)]);
    let mut left = WAYS_LIMIT + ordered.steps.len() as u64;
    for joint in ordered.steps.iter().filter(|joint| counts(joint)) {
        let starts: HashSet<&str> = joint.starts.iter().map(|start| &*start.name).collect();
        let ways = starts.iter().filter_map(|name| waiting.get(name));
        let ways = ways.fold(0, |sum: u64, ways| sum.saturating_add(*ways));
        let Some(rest) = left.checked_sub(ways) else {
            return Err(TooManyWays {
                story: joint.step.block_name.clone(),
                place: joint.step.place.clone(),
            });
        };
        left = rest;
        for end in &joint.ends {
            let there = waiting.entry(ordered.continuation(&end.name)).or_default();
            *there = there.saturating_add(ways);
        }
    }
    Ok(())
}

fn content(joint: &Joint<'_>) -> Digest {
    let content = (&joint.starts, &joint.ends, &joint.step.events);
    Digest::of(&serde_json::to_vec(&content).expect("steps are plain values"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Checkpoint;
    use crate::data::Event;
    use crate::data::Step;

    fn checkpoint(number: usize) -> Vec<Checkpoint> {
        vec![Checkpoint {
            name: format!("c{number}"),
            ..Checkpoint::default()
        }]
    }

    /// A row of meetings, each reached by so many steps that differ, or are alike.
    fn row(meetings: usize, steps: usize, differ: bool) -> StoryGraph {
        let step = |meeting: usize, number: usize| Step {
            block_name: "story".to_owned(),
            start_checkpoints: match meeting {
                0 => Vec::new(),
                _ => checkpoint(meeting),
            },
            end_checkpoints: checkpoint(meeting + 1),
            events: vec![Event::Action(match differ {
                true => format!("action_{number}").into(),
                false => "action".into(),
            })],
            ..Step::default()
        };
        let steps = (0..meetings).flat_map(|meeting| (0..steps).map(move |n| step(meeting, n)));
        StoryGraph {
            steps: steps.collect(),
        }
    }

    #[test]
    fn a_row_of_alternatives_is_told_before_it_is_gone() {
        assert!(check_ways(&row(14, 2, true)).is_ok());
        let error = check_ways(&row(40, 2, true)).unwrap_err();
        assert_eq!(error.story, "story");
        assert!(check_ways(&row(1_000, 1, true)).is_ok());
        assert!(check_ways(&row(200, 2, true)).is_err());
    }

    #[test]
    fn equal_steps_and_stories_that_never_meet_count_once() {
        assert!(check_ways(&row(40, 2, false)).is_ok());
        assert!(check_ways(&row(1, 200_000, true)).is_ok());
    }
}
