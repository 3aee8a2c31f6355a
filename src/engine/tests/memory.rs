//! Memory that tasks are estimated to take.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use super::*;
use crate::engine::Budget;
use crate::engine::Memory;
use crate::engine::Outcome;
use crate::engine::Sizes;
use crate::engine::memory_estimates;

/// Eight tasks that each wait for one more to run beside them, if `in_pairs`.
fn at_once(in_pairs: bool, most: &Arc<AtomicUsize>) -> Graph {
    let running = Arc::new(AtomicUsize::new(0));
    let pair = Arc::new(std::sync::Barrier::new(2));
    let mut graph = Graph::new();
    for index in 0..8 {
        let (most, running, pair) = (most.clone(), running.clone(), pair.clone());
        let mut task = task(&format!("{index}"), vec![leaf("x", &index.to_string())]);
        task.run = Box::new(move |_| {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            if in_pairs {
                pair.wait();
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(Outputs::from([("out".to_owned(), vec![index])]))
        });
        graph.add(task);
    }
    graph
}

#[test]
fn tasks_wait_until_they_fit_into_memory() {
    // What does not fit at all runs alone.
    for (limit, want) in [(0, 1), (19, 1), (20, 2), (29, 2)] {
        let most = Arc::new(AtomicUsize::new(0));
        let graph = at_once(want == 2, &most);
        let store = Store::in_memory();
        let plan = plan(&graph, &store, PlanSettings::default());
        let settings = Settings {
            jobs: NonZeroUsize::new(4).unwrap(),
            memory: Some(Memory {
                budget: &Budget::new(limit),
                largest: u64::MAX,
                estimate: &|_, _| 10,
            }),
            ..Settings::default()
        };
        let results = execute(&graph, &plan, &store, &settings, &|_| ());
        assert!(results.is_success());
        assert_eq!(most.load(Ordering::SeqCst), want, "limit {limit}");
    }
}

/// Tasks that count how many of them run at once.
pub(super) fn counted_tasks(
    prefix: &str,
    running: &Arc<AtomicUsize>,
    most: &Arc<AtomicUsize>,
) -> impl Iterator<Item = Task> {
    (0..20).map(move |index| {
        let (most, running) = (most.clone(), running.clone());
        let name = format!("{prefix}{index}");
        let mut task = task(&name, vec![leaf("x", &name)]);
        task.run = Box::new(move |_| {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(Outputs::from([("out".to_owned(), Vec::new())]))
        });
        task
    })
}

fn counted(prefix: &str, running: &Arc<AtomicUsize>, most: &Arc<AtomicUsize>) -> Graph {
    let mut graph = Graph::new();
    for task in counted_tasks(prefix, running, most) {
        graph.add(task);
    }
    graph
}

#[test]
fn runs_side_by_side_take_from_one_budget() {
    let (running, most) = (Arc::default(), Arc::default());
    let budget = Budget::new(19);
    std::thread::scope(|scope| {
        for prefix in ["a", "b", "c"] {
            let graph = counted(prefix, &running, &most);
            let budget = &budget;
            scope.spawn(move || {
                let store = Store::in_memory();
                let plan = plan(&graph, &store, PlanSettings::default());
                let settings = Settings {
                    jobs: NonZeroUsize::new(2).unwrap(),
                    memory: Some(Memory {
                        budget,
                        largest: 19,
                        estimate: &|_, _| 10,
                    }),
                    ..Settings::default()
                };
                assert!(execute(&graph, &plan, &store, &settings, &|_| ()).is_success());
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn a_task_that_is_too_large_fails_when_it_would_have_to_run() {
    let store = Store::in_memory();
    run(&graph(&Knobs::default()), &store, &|_| ());
    let edited = graph(&Knobs {
        rate: json!(0.7),
        ..Knobs::default()
    });
    let plan = plan(&edited, &store, PlanSettings::default());
    let settings = Settings {
        memory: Some(Memory {
            budget: &Budget::new(9),
            largest: 9,
            estimate: &|_, _| 10,
        }),
        ..Settings::default()
    };
    let results = execute(&edited, &plan, &store, &settings, &|_| ());
    let outcomes: Vec<Outcome> = edited.ids().map(|id| results.outcome(id)).collect();
    let count = |want: &Outcome| outcomes.iter().filter(|outcome| *outcome == want).count();
    assert_eq!(
        count(&Outcome::TooLarge { estimate: 10 }),
        1,
        "{outcomes:?}"
    );
    assert_eq!(count(&Outcome::Reused), 2, "{outcomes:?}");
    let message = &results.failures()[0].1;
    assert!(message.contains("estimated to need 1 MiB"), "{message}");
}

#[test]
fn memory_is_estimated_from_what_is_read_and_from_the_last_run() {
    let store = Store::in_memory();
    let estimates = |knobs: &Knobs| {
        let graph = graph(knobs);
        let plan = plan(&graph, &store, PlanSettings::default());
        let estimate =
            |_: &Task, sizes: Sizes| sizes.outputs.map_or(1_000, |size| size * 100) + sizes.inputs;
        let estimates = memory_estimates(&graph, &plan, &store, &estimate);
        let all: Vec<u64> = estimates.into_iter().map(|(_, bytes)| bytes).collect();
        all
    };
    assert_eq!(estimates(&Knobs::default()), [1_000; 4]);
    run(&graph(&Knobs::default()), &store, &|_| ());
    // `left` gives what it reads, with six bytes around it.
    let edited = Knobs {
        rate: json!(0.7),
        ..Knobs::default()
    };
    let size = "HELLO:A\nBYE:B".len() as u64;
    let estimated = estimates(&edited);
    // The task below it runs only if what it reads comes out differently.
    assert_eq!(estimated, [(size + 6) * 100 + size]);
}
