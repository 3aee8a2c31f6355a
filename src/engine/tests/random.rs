//! Random graphs, edited at random: what the cache gives is what a run without
//! a cache gives.

use std::num::NonZeroUsize;

use proptest::prelude::*;

use super::*;
use crate::engine::TaskId;

/// One task of a random graph: which earlier tasks it reads, its leaf and its
/// option. The function forgets most of what it reads, so that edits are cut
/// off in many places.
#[derive(Clone, Debug)]
struct Sketch {
    reads: Vec<usize>,
    leaf: u8,
    option: u8,
    is_forgetful: bool,
}

fn sketch() -> impl Strategy<Value = Sketch> {
    (
        prop::collection::vec(any::<usize>(), 0..3),
        0..3u8,
        0..2u8,
        any::<bool>(),
    )
        .prop_map(|(reads, leaf, option, is_forgetful)| Sketch {
            reads,
            leaf,
            option,
            is_forgetful,
        })
}

/// An edit: a task gets another leaf or option, or the last task goes.
#[derive(Clone, Debug)]
enum Edit {
    Leaf(usize, u8),
    Option(usize, u8),
    Forgets(usize),
    DropLast,
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<usize>(), 0..3u8).prop_map(|(task, leaf)| Edit::Leaf(task, leaf)),
        (any::<usize>(), 0..2u8).prop_map(|(task, option)| Edit::Option(task, option)),
        any::<usize>().prop_map(Edit::Forgets),
        Just(Edit::DropLast),
    ]
}

fn apply(sketches: &mut Vec<Sketch>, edit: &Edit) {
    let count = sketches.len();
    match edit {
        Edit::Leaf(task, leaf) => sketches[task % count].leaf = *leaf,
        Edit::Option(task, option) => sketches[task % count].option = *option,
        Edit::Forgets(task) => sketches[task % count].is_forgetful ^= true,
        Edit::DropLast if count > 1 => {
            sketches.pop();
        }
        Edit::DropLast => {}
    }
}

fn drawn(sketches: &[Sketch]) -> Graph {
    let mut graph = Graph::new();
    let mut ids: Vec<TaskId> = Vec::new();
    for (index, sketch) in sketches.iter().enumerate() {
        let mut inputs = vec![leaf("leaf", &sketch.leaf.to_string())];
        for (slot, read) in sketch.reads.iter().enumerate().filter(|_| index > 0) {
            inputs.push(Input::output(format!("r{slot}"), ids[read % index], "out"));
        }
        let mut task = task(&format!("t{index}"), inputs);
        let option = sketch.option;
        task.options = json!({ "option": option });
        task.version = 1 + u32::from(sketch.is_forgetful);
        let keep = if sketch.is_forgetful { 1 } else { 32 };
        task.run = Box::new(move |context| {
            let mut out = join(context)?;
            let bytes = out.get_mut("out").unwrap();
            bytes.push(option);
            *bytes = Digest::of(bytes).as_bytes()[..keep]
                .iter()
                .map(|byte| byte & 0x81)
                .collect();
            Ok(out)
        });
        ids.push(graph.add(task));
    }
    graph
}

fn outputs(graph: &Graph, store: &Store, jobs: usize) -> Vec<Vec<u8>> {
    let plan = plan(graph, store, PlanSettings::default());
    let jobs = NonZeroUsize::new(jobs).unwrap();
    let settings = Settings {
        jobs,
        ..Settings::default()
    };
    let on_event = |_| {};
    let results = execute(graph, &plan, store, &settings, &on_event);
    assert!(results.is_success());
    graph
        .ids()
        .map(|id| results.output(id, "out").unwrap().to_vec())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_warm_run_gives_what_a_cold_one_gives(
        mut sketches in prop::collection::vec(sketch(), 1..9),
        edits in prop::collection::vec(edit(), 1..8),
        jobs in 1..4usize,
    ) {
        let warm = Store::in_memory();
        for edit in &edits {
            let graph = drawn(&sketches);
            prop_assert_eq!(outputs(&graph, &warm, jobs), outputs(&graph, &Store::in_memory(), 1));
            apply(&mut sketches, edit);
        }
    }

    #[test]
    fn a_plan_tells_the_truth(
        mut sketches in prop::collection::vec(sketch(), 1..9),
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        use crate::engine::Outcome;
        use crate::engine::Stale;
        use crate::engine::State;
        let store = Store::in_memory();
        for edit in &edits {
            let graph = drawn(&sketches);
            let plan = plan(&graph, &store, PlanSettings::default());
            let on_event = |_| {};
            let results = execute(&graph, &plan, &store, &Settings::default(), &on_event);
            for planned in plan.tasks() {
                let outcome = results.outcome(planned.id);
                let is_twin = matches!(planned.reasons(), [Stale::SameAs { .. }]);
                match &planned.state {
                    State::Fresh => prop_assert_eq!(outcome, Outcome::Reused),
                    State::Remote => prop_assert!(false, "there is no remote cache"),
                    State::Stale(_) if is_twin => prop_assert_eq!(outcome, Outcome::Spared),
                    State::Stale(_) => prop_assert!(matches!(outcome, Outcome::Ran { .. }), "{:?}", outcome),
                    State::MayBeSpared(_) => prop_assert!(outcome.is_success()),
                }
            }
            apply(&mut sketches, edit);
        }
    }
}
