//! Puts story steps in an order in which each comes after those it continues,
//! cutting the cycles that checkpoints can make.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::data::Checkpoint;
use crate::data::STORY_START;
use crate::data::Step;

const GENERATED_PREFIX: &str = "GENR_";

/// A step with its checkpoints after cycles were cut.
#[derive(Clone, Debug)]
pub struct Joint<'a> {
    /// The step, whose own checkpoints are no longer looked at.
    pub step: &'a Step,
    /// Where it may start.
    pub starts: Vec<Checkpoint>,
    /// Where it ends; none means that the story ends.
    pub ends: Vec<Checkpoint>,
}

/// Story steps without cycles, in topological order.
#[derive(Clone, Debug, Default)]
pub struct OrderedSteps<'a> {
    /// The steps.
    pub steps: Vec<Joint<'a>>,
    /// Start checkpoint that continues a cut end checkpoint.
    sources: BTreeMap<String, String>,
}

impl OrderedSteps<'_> {
    /// Returns the start checkpoint at which conversations that end in `end`
    /// go on.
    pub fn continuation<'a>(&'a self, end: &'a str) -> &'a str {
        self.sources.get(end).map_or(end, String::as_str)
    }
}

/// Returns steps without cycles, each after those it continues.
///
/// # Source
///
/// Rasa 3.6 `StoryGraph.with_cycles_removed` and `topological_sort`. Ids are
/// positions in the canonical order of steps.
pub fn ordered_steps<'a>(steps: impl IntoIterator<Item = &'a Step>) -> OrderedSteps<'a> {
    let mut joints: BTreeMap<usize, Joint<'_>> = steps
        .into_iter()
        .map(|step| Joint {
            step,
            starts: starts(step),
            ends: step.end_checkpoints.clone(),
        })
        .enumerate()
        .collect();
    let (_, cyclic_edges) = topological_sort(&joints);
    let mut cut = Cut::default();
    for (number, (from, to)) in cyclic_edges.into_iter().enumerate() {
        cut.edge(&mut joints, from, to, number);
    }
    cut.remove_unused(&mut joints);
    let (order, _) = topological_sort(&joints);
    OrderedSteps {
        steps: order
            .into_iter()
            .filter_map(|id| joints.remove(&id))
            .collect(),
        sources: cut.sources,
    }
}

fn starts(step: &Step) -> Vec<Checkpoint> {
    if !step.start_checkpoints.is_empty() {
        return step.start_checkpoints.clone();
    }
    vec![Checkpoint {
        name: STORY_START.to_owned(),
        conditions: BTreeMap::new(),
    }]
}

/// Returns the ids in topological order and the edges that close cycles.
///
/// Depth first, roots from the largest id down, successors from the smallest
/// up, as Rasa does; with a stack of its own, so that long chains of
/// checkpoints are safe.
fn topological_sort(joints: &BTreeMap<usize, Joint<'_>>) -> (Vec<usize>, BTreeSet<(usize, usize)>) {
    let successors = successors(joints);
    let mut reversed = Vec::with_capacity(joints.len());
    let mut removed = BTreeSet::new();
    let mut open: BTreeSet<usize> = BTreeSet::new();
    let mut done: BTreeSet<usize> = BTreeSet::new();
    for &root in joints.keys().rev() {
        if done.contains(&root) {
            continue;
        }
        open.insert(root);
        let mut stack = vec![(root, 0)];
        while let Some((id, next)) = stack.last_mut() {
            let id = *id;
            let Some(&successor) = successors[&id].get(*next) else {
                open.remove(&id);
                done.insert(id);
                reversed.push(id);
                stack.pop();
                continue;
            };
            *next += 1;
            if open.contains(&successor) {
                removed.insert((id, successor));
            } else if !done.contains(&successor) {
                open.insert(successor);
                stack.push((successor, 0));
            }
        }
    }
    reversed.reverse();
    (reversed, removed)
}

fn successors(joints: &BTreeMap<usize, Joint<'_>>) -> BTreeMap<usize, Vec<usize>> {
    let mut by_start: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (&id, joint) in joints {
        for start in &joint.starts {
            by_start.entry(&start.name).or_default().insert(id);
        }
    }
    let following = |joint: &Joint<'_>| -> Vec<usize> {
        let ids: BTreeSet<usize> = joint
            .ends
            .iter()
            .filter_map(|end| by_start.get(end.name.as_str()))
            .flatten()
            .copied()
            .collect();
        ids.into_iter().collect()
    };
    joints
        .iter()
        .map(|(&id, joint)| (id, following(joint)))
        .collect()
}

/// What cutting cycles leaves behind.
#[derive(Default)]
struct Cut {
    sources: BTreeMap<String, String>,
    overlapping: BTreeSet<String>,
}

impl Cut {
    /// Lets step `from` end in a sink of its own instead of flowing into `to`.
    fn edge(
        &mut self,
        joints: &mut BTreeMap<usize, Joint<'_>>,
        from: usize,
        to: usize,
        number: usize,
    ) {
        let name = |part: &str| format!("{GENERATED_PREFIX}CYCL_{part}_{number}");
        let (sink, connector, source) = (name("SINK"), name("CONN"), name("SRC"));
        self.sources.insert(sink.clone(), source.clone());

        let starts: BTreeSet<&str> = joints[&to]
            .starts
            .iter()
            .map(|cp| cp.name.as_str())
            .collect();
        let overlap: BTreeSet<String> = joints[&from]
            .ends
            .iter()
            .filter(|end| starts.contains(end.name.as_str()))
            .map(|end| end.name.clone())
            .collect();

        let mut needs_connector = false;
        for (&id, joint) in joints.iter_mut() {
            let mut additional: Vec<Checkpoint> = Vec::new();
            for start in joint.starts.iter().filter(|cp| overlap.contains(&cp.name)) {
                let name = if id == to { &source } else { &connector };
                needs_connector |= id != to;
                let checkpoint = Checkpoint {
                    name: name.clone(),
                    conditions: start.conditions.clone(),
                };
                if !joint.starts.contains(&checkpoint) && !additional.contains(&checkpoint) {
                    additional.push(checkpoint);
                }
            }
            joint.starts.extend(additional);
        }
        let ends = &mut joints.get_mut(&from).expect("edges join known steps").ends;
        ends.retain(|end| !overlap.contains(&end.name));
        ends.push(unconditional(sink));
        if needs_connector {
            ends.push(unconditional(connector));
        }
        self.overlapping.extend(overlap);
    }

    /// Removes checkpoints that lost their other side, and steps that are left
    /// without any.
    fn remove_unused(&self, joints: &mut BTreeMap<usize, Joint<'_>>) {
        let starts: BTreeSet<&str> = joints
            .values()
            .flat_map(|joint| &joint.starts)
            .map(|start| start.name.as_str())
            .collect();
        let ends: BTreeSet<&str> = joints
            .values()
            .flat_map(|joint| &joint.ends)
            .map(|end| {
                self.sources
                    .get(&end.name)
                    .map_or(end.name.as_str(), String::as_str)
            })
            .collect();
        let unused: BTreeSet<String> = starts
            .symmetric_difference(&ends)
            .filter(|name| **name != STORY_START)
            .map(|name| (*name).to_owned())
            .collect();
        let is_cycle = |name: &str| name.starts_with("GENR_CYCL_");
        joints.retain(|_, joint| {
            let had_ends = !joint.ends.is_empty();
            joint.starts.retain(|start| {
                let is_left_over = self.overlapping.contains(&start.name) || is_cycle(&start.name);
                !(is_left_over && unused.contains(&start.name))
            });
            joint.ends.retain(|end| {
                let continuation = self.sources.get(&end.name).unwrap_or(&end.name);
                !(is_cycle(&end.name) && unused.contains(continuation))
            });
            !joint.starts.is_empty() && (!had_ends || !joint.ends.is_empty())
        });
    }
}

fn unconditional(name: String) -> Checkpoint {
    Checkpoint {
        name,
        conditions: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Event;
    use crate::data::StoryGraph;

    fn step(name: &str, starts: &[&str], ends: &[&str]) -> Step {
        let checkpoints = |names: &[&str]| {
            names
                .iter()
                .map(|name| unconditional((*name).to_owned()))
                .collect()
        };
        Step {
            block_name: name.into(),
            start_checkpoints: checkpoints(starts),
            end_checkpoints: checkpoints(ends),
            events: vec![Event::Action(name.into())],
            ..Step::default()
        }
    }

    fn order(steps: Vec<Step>) -> Vec<String> {
        let graph = StoryGraph { steps };
        ordered_steps(&graph.steps)
            .steps
            .iter()
            .map(|joint| joint.step.block_name.clone())
            .collect()
    }

    #[test]
    fn a_step_comes_after_those_it_continues() {
        let order = order(vec![
            step("last", &["b"], &[]),
            step("middle", &["a"], &["b"]),
            step("first", &[STORY_START], &["a"]),
        ]);
        assert_eq!(order, ["first", "middle", "last"]);
    }

    #[test]
    fn a_cycle_is_cut_and_can_be_entered_once_more() {
        let graph = StoryGraph {
            steps: vec![
                step("in", &[STORY_START], &["a"]),
                step("again", &["a"], &["a"]),
                step("out", &["a"], &[]),
            ],
        };
        let ordered = ordered_steps(&graph.steps);
        let again = ordered
            .steps
            .iter()
            .find(|joint| joint.step.block_name == "again")
            .unwrap();
        assert!(again.ends.iter().all(|end| end.name != "a"));
        let sink = &again.ends[0].name;
        let source = ordered.continuation(sink);
        assert!(again.starts.iter().any(|start| start.name == source));
    }
}
