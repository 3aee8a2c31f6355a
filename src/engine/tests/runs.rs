//! Failures, cancelling, lost outputs, parallel runs.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

use expect_test::expect;

use super::*;
use crate::engine::CancelFlag;
use crate::engine::Event;
use crate::engine::Outcome;
use crate::engine::OutputError;
use crate::engine::State;
use crate::engine::TaskId;

fn failing(name: &str, inputs: Vec<Input>) -> Task {
    let mut task = task(name, inputs);
    task.run = Box::new(|_| Err(TaskError::message("no luck")));
    task
}

/// A task that fails, one that needs it, and one that does not.
fn broken() -> Graph {
    let mut graph = Graph::new();
    let bad = graph.add(failing("bad", vec![leaf("text", "a")]));
    let below = graph.add(task("below", vec![Input::output("bad", bad, "out")]));
    graph.add(task("further", vec![Input::output("below", below, "out")]));
    graph.add(task("apart", vec![leaf("text", "b")]));
    graph
}

#[test]
fn a_failure_skips_what_depends_on_it_and_nothing_else() {
    check(
        &broken(),
        &Store::in_memory(),
        expect![[r#"
        run     bad: never run before
        fail    bad: no luck
        skip    below: `bad` failed
        skip    further: `bad` failed
        run     apart: never run before
        done    apart
    "#]],
    );
}

#[test]
fn a_failure_can_stop_the_run() {
    let graph = broken();
    let store = Store::in_memory();
    let plan = plan(&graph, &store, PlanSettings::default());
    let log = EventLog::new();
    let on_event = |event| log.push(event);
    let results = execute(&graph, &plan, &store, &Settings::default(), &on_event);
    expect![[r#"
        run     bad: never run before
        fail    bad: no luck
        skip    below: `bad` failed
        skip    further: `bad` failed
        skip    apart: stopped
    "#]]
    .assert_eq(&log.text());
    assert!(!results.is_success());
    let failures: Vec<String> = results
        .failures()
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(failures, ["no luck"]);
    let below = graph.ids().nth(1).unwrap();
    let error = results.output(below, "out").unwrap_err();
    assert_eq!(
        error,
        OutputError::NotSettled {
            task: "below".to_owned()
        }
    );
}

#[test]
fn a_panic_is_an_error_of_its_task() {
    let mut graph = Graph::new();
    let mut bad = task("bad", vec![]);
    bad.run = Box::new(|_| panic!("index {} out of range", 7));
    graph.add(bad);
    graph.add(task("apart", vec![leaf("text", "b")]));
    check(
        &graph,
        &Store::in_memory(),
        expect![[r#"
        run     bad: never run before
        fail    bad: panicked: index 7 out of range
        run     apart: never run before
        done    apart
    "#]],
    );
}

#[test]
fn a_missing_output_is_an_error_of_the_task_that_owes_it() {
    let mut graph = Graph::new();
    let one = graph.add(task("one", vec![leaf("text", "a")]));
    graph.add(task("two", vec![Input::output("x", one, "model")]));
    check(
        &graph,
        &Store::in_memory(),
        expect![[r#"
        run     one: never run before
        fail    one: it gave no output `model`
        skip    two: `one` failed
    "#]],
    );
}

#[test]
fn cancelling_skips_what_has_not_started() {
    let cancel = CancelFlag::new();
    let mut graph = Graph::new();
    let flag = cancel.clone();
    let mut first = task("first", vec![leaf("text", "a")]);
    first.run = Box::new(move |context| {
        flag.set();
        context.check_cancelled()?;
        join(context)
    });
    graph.add(first);
    graph.add(task("second", vec![leaf("text", "b")]));
    let store = Store::in_memory();
    let plan = plan(&graph, &store, PlanSettings::default());
    let log = EventLog::new();
    let settings = Settings {
        cancel,
        ..Settings::default()
    };
    execute(&graph, &plan, &store, &settings, &|event| log.push(event));
    expect![[r#"
        run     first: never run before
        skip    first: stopped
        skip    second: stopped
    "#]]
    .assert_eq(&log.text());
}

#[test]
fn inputs_edited_during_the_run_are_not_stored() {
    let graph = graph(&Knobs::default());
    let store = Store::in_memory();
    let edited = graph.ids().nth(1).unwrap();
    let plan = plan(&graph, &store, PlanSettings::default());
    let log = EventLog::new();
    let on_event = |event| log.push(event);
    let unchanged = |id| id != edited;
    let settings = Settings {
        inputs_unchanged: &unchanged,
        ..Settings::default()
    };
    let results = execute(&graph, &plan, &store, &settings, &on_event);
    assert!(results.is_success());
    assert!(results.output(edited, "out").is_ok());
    expect![[r#"
        run     upper: never run before
        done    upper
        run     left: never run before; depends on `upper`
        drop    left: inputs changed meanwhile
        done    left
        run     right: never run before; depends on `upper`
        done    right
        run     pack: never run before; depends on `left`, `right`
        done    pack
    "#]]
    .assert_eq(&log.text());
    check(
        &graph,
        &store,
        expect![[r#"
        reuse   upper
        run     left: never run before
        done    left
        reuse   right
        spare   pack
    "#]],
    );
}

#[test]
fn a_run_with_nothing_to_do_reads_no_outputs() {
    let graph = graph(&Knobs::default());
    let store = Store::in_memory();
    run(&graph, &store, &|_| {});
    let count = store.blobs_read();
    let on_event = |_| {};
    let results = run(&graph, &store, &on_event);
    assert_eq!(store.blobs_read(), count);
    let last = graph.ids().next_back().unwrap();
    assert!(results.output(last, "out").is_ok());
    assert_eq!(store.blobs_read(), count + 1);
}

#[test]
fn one_worker_and_eight_give_the_same_outputs_and_log() {
    let mut logs = Vec::new();
    for jobs in [1, 8] {
        let graph = wide(40);
        let store = Store::in_memory();
        let log = EventLog::new();
        let on_event = |event| log.push(event);
        let plan = plan(&graph, &store, PlanSettings::default());
        let jobs = NonZeroUsize::new(jobs).unwrap();
        let settings = Settings {
            jobs,
            ..Settings::default()
        };
        let results = execute(&graph, &plan, &store, &settings, &on_event);
        let last = graph.ids().next_back().unwrap();
        logs.push((log.text(), results.digests(last)));
    }
    assert_eq!(logs[0], logs[1]);
}

/// `count` tasks side by side and one that reads them all.
fn wide(count: usize) -> Graph {
    let mut graph = Graph::new();
    let mut inputs = Vec::new();
    for index in 0..count {
        let id = graph.add(task(
            &format!("t{index}"),
            vec![leaf("text", &index.to_string())],
        ));
        inputs.push(Input::output(format!("i{index}"), id, "out"));
    }
    graph.add(task("all", inputs));
    graph
}

#[test]
fn independent_tasks_run_at_the_same_time() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    let mut graph = Graph::new();
    for name in ["one", "two"] {
        let mut task = task(name, vec![leaf("text", name)]);
        task.run = Box::new(|context| {
            RUNNING.fetch_add(1, Ordering::SeqCst);
            let begin = Instant::now();
            while RUNNING.load(Ordering::SeqCst) < 2 {
                if begin.elapsed().as_secs() > 20 {
                    return Err(TaskError::message("alone"));
                }
                std::thread::yield_now();
            }
            join(context)
        });
        graph.add(task);
    }
    let store = Store::in_memory();
    let plan = plan(&graph, &store, PlanSettings::default());
    let jobs = NonZeroUsize::new(2).unwrap();
    let settings = Settings {
        jobs,
        ..Settings::default()
    };
    assert!(execute(&graph, &plan, &store, &settings, &|_| {}).is_success());
}

#[test]
fn ten_thousand_tasks_are_planned_and_run_without_a_quadratic_step() {
    let store = Store::in_memory();
    let begin = Instant::now();
    let graph = chains(100, 100);
    run(&graph, &store, &|_| {});
    let plan = plan(&graph, &store, PlanSettings::default());
    assert!(plan.tasks().iter().all(|task| task.state == State::Fresh));
    // A quadratic step would take minutes; this is for a busy machine.
    assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
}

#[test]
fn a_plan_with_nothing_to_do_asks_the_cache_the_same_few_times_for_any_number_of_tasks() {
    let queries = |chain_count| {
        let store = Store::in_memory();
        let graph = chains(chain_count, 10);
        run(&graph, &store, &|_| {});
        let before = store.queries_made();
        let plan = plan(&graph, &store, PlanSettings::default());
        assert_eq!(plan.stale().count(), 0);
        store.queries_made() - before
    };
    assert_eq!(queries(1), 3);
    assert_eq!(queries(200), 3);
}

#[test]
fn renaming_all_tasks_takes_time_in_proportion_to_their_number() {
    let renamed = |count: usize| {
        let store = Store::in_memory();
        let named = |prefix: &str| {
            let mut graph = Graph::new();
            for index in 0..count {
                let text = format!("{prefix}{index}");
                graph.add(task(&text, vec![leaf("x", &text)]));
            }
            graph
        };
        run(&named("old"), &store, &|_| {});
        let graph = named("new");
        let begin = Instant::now();
        let plan = plan(&graph, &store, PlanSettings::default());
        assert_eq!(plan.stale().count(), count);
        begin.elapsed()
    };
    // Sixteen times as many take 256 times as long where each looks at all.
    let (few, many) = (renamed(250), renamed(4_000));
    assert!(many < few * 100, "{few:?} and {many:?}");
}

/// `count` chains of `length` tasks.
fn chains(count: usize, length: usize) -> Graph {
    let mut graph = Graph::new();
    for chain in 0..count {
        let mut last: Option<TaskId> = None;
        for index in 0..length {
            let input = match last {
                Some(id) => Input::output("x", id, "out"),
                None => leaf("x", &chain.to_string()),
            };
            last = Some(graph.add(task(&format!("{chain}.{index}"), vec![input])));
        }
    }
    graph
}

#[test]
fn events_are_values_that_serialise() {
    let graph = graph(&Knobs::default());
    let event = Event::Finished {
        task: graph.task_ref(graph.ids().next().unwrap()).clone(),
        ms: 12,
    };
    let text = serde_json::to_string(&event).unwrap();
    expect![[r#"{"event":"finished","task":{"id":0,"project":"p","name":"upper"},"ms":12}"#]]
        .assert_eq(&text);
    assert!(Outcome::Ran { ms: 1 }.is_success());
}

#[test]
fn only_the_tasks_that_may_run_do_and_what_reads_others_waits_for_nothing() {
    let mut graph = Graph::new();
    let left = graph.add(task("left", vec![leaf("text", "a")]));
    let right = graph.add(task("right", vec![leaf("text", "b")]));
    let both = vec![
        Input::output("left", left, "out"),
        Input::output("right", right, "out"),
    ];
    let both = graph.add(task("both", both));
    let store = Store::in_memory();
    let outcomes = |only: &[TaskId]| {
        let only = only.iter().copied().collect();
        let settings = Settings {
            only: Some(&only),
            ..Settings::default()
        };
        let plan = plan(&graph, &store, PlanSettings::default());
        let results = execute(&graph, &plan, &store, &settings, &|_| {});
        [left, right, both].map(|id| (results.outcome(id), results.key(id).is_some()))
    };
    let skipped = || (Outcome::Skipped { because: None }, false);
    let is_run =
        |(outcome, has_key): &(Outcome, bool)| matches!(outcome, Outcome::Ran { .. }) && *has_key;

    let [first, second, third] = outcomes(&[left]);
    assert!(is_run(&first), "{first:?}");
    assert_eq!([second, third], [skipped(), skipped()]);

    // What `both` reads is not there, and may not be made.
    let [first, second, third] = outcomes(&[both]);
    assert_eq!(first, (Outcome::Reused, true));
    assert_eq!([second, third], [skipped(), skipped()]);

    let [first, second, third] = outcomes(&[right, both]);
    assert_eq!(first, (Outcome::Reused, true));
    assert!(is_run(&second) && is_run(&third), "{second:?} {third:?}");
}
