//! Failures, cancelling, lost outputs, parallel runs.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use expect_test::expect;

use super::*;
use crate::engine::CancelFlag;
use crate::engine::Event;
use crate::engine::Outcome;
use crate::engine::OutputError;
use crate::engine::RemoteExecutor;
use crate::engine::RemoteTask;
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
            memory: Some(crate::engine::Memory {
                budget: &crate::engine::Budget::new(limit),
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
fn counted_tasks(
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
    let budget = crate::engine::Budget::new(19);
    std::thread::scope(|scope| {
        for prefix in ["a", "b", "c"] {
            let graph = counted(prefix, &running, &most);
            let budget = &budget;
            scope.spawn(move || {
                let store = Store::in_memory();
                let plan = plan(&graph, &store, PlanSettings::default());
                let settings = Settings {
                    jobs: NonZeroUsize::new(2).unwrap(),
                    memory: Some(crate::engine::Memory {
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
        memory: Some(crate::engine::Memory {
            budget: &crate::engine::Budget::new(9),
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

/// Machines that wait until so many tasks are there, and give what tasks give, or
/// nothing.
struct Elsewhere {
    wanted: usize,
    gives: bool,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Elsewhere {
    fn new(wanted: usize, gives: bool) -> Self {
        Self {
            wanted,
            gives,
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        }
    }
}

impl RemoteExecutor for Elsewhere {
    fn takes(&self, _: TaskId) -> bool {
        true
    }

    fn jobs(&self) -> NonZeroUsize {
        NonZeroUsize::new(3).unwrap()
    }

    fn run(&self, _: &RemoteTask<'_>) -> Option<Outputs> {
        let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let end = Instant::now() + Duration::from_secs(20);
        while self.most.load(Ordering::SeqCst) < self.wanted && Instant::now() < end {
            std::thread::yield_now();
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        self.gives
            .then(|| Outputs::from([("out".to_owned(), Vec::new())]))
    }
}

/// Runs twenty tasks of 10 bytes that take long, of which none may need more than
/// `largest`, where there is room for one; returns what became of them, and how
/// many ran here at once at most.
fn with_elsewhere(elsewhere: &dyn RemoteExecutor, largest: u64) -> (Vec<Outcome>, usize) {
    let (running, most) = (Arc::default(), Arc::default());
    let mut graph = Graph::new();
    for mut task in counted_tasks("t", &running, &most) {
        task.turn = Turn::Long;
        graph.add(task);
    }
    let store = Store::in_memory();
    let plan = plan(&graph, &store, PlanSettings::default());
    let settings = Settings {
        jobs: NonZeroUsize::new(2).unwrap(),
        on_failure: OnFailure::KeepGoing,
        executor: Some(elsewhere),
        memory: Some(crate::engine::Memory {
            budget: &crate::engine::Budget::new(19),
            largest,
            estimate: &|_, _| 10,
        }),
        ..Settings::default()
    };
    let results = execute(&graph, &plan, &store, &settings, &|_| ());
    let outcomes = graph.ids().map(|id| results.outcome(id)).collect();
    (outcomes, most.load(Ordering::SeqCst))
}

#[test]
fn what_runs_elsewhere_takes_no_memory_here() {
    for largest in [19, 9] {
        let elsewhere = Elsewhere::new(3, true);
        let (outcomes, here) = with_elsewhere(&elsewhere, largest);
        assert!(outcomes.iter().all(Outcome::is_success), "{outcomes:?}");
        assert_eq!(elsewhere.most.load(Ordering::SeqCst), 3);
        assert_eq!(here, 0);
    }
}

#[test]
fn what_falls_back_to_this_machine_waits_until_it_fits_into_memory() {
    let (outcomes, here) = with_elsewhere(&Elsewhere::new(3, false), 19);
    assert!(outcomes.iter().all(Outcome::is_success), "{outcomes:?}");
    assert_eq!(here, 1);
    let (outcomes, here) = with_elsewhere(&Elsewhere::new(3, false), 9);
    let too_large = Outcome::TooLarge { estimate: 10 };
    assert!(outcomes.iter().all(|one| *one == too_large), "{outcomes:?}");
    assert_eq!(here, 0);
}

/// Machines that are there when tasks are chosen, and no longer when those are sent.
#[derive(Default)]
struct Fickle(Mutex<BTreeSet<TaskId>>);

impl RemoteExecutor for Fickle {
    fn takes(&self, task: TaskId) -> bool {
        self.0.lock().unwrap().insert(task)
    }

    fn jobs(&self) -> NonZeroUsize {
        NonZeroUsize::new(3).unwrap()
    }

    fn run(&self, _: &RemoteTask<'_>) -> Option<Outputs> {
        panic!("nothing is sent");
    }
}

#[test]
fn what_falls_back_before_it_is_sent_takes_memory_as_well() {
    let (outcomes, here) = with_elsewhere(&Fickle::default(), 19);
    assert!(outcomes.iter().all(Outcome::is_success), "{outcomes:?}");
    assert_eq!(here, 1);
    let (outcomes, here) = with_elsewhere(&Fickle::default(), 9);
    let too_large = Outcome::TooLarge { estimate: 10 };
    assert!(outcomes.iter().all(|one| *one == too_large), "{outcomes:?}");
    assert_eq!(here, 0);
}

#[test]
fn memory_is_estimated_from_what_is_read_and_from_the_last_run() {
    let store = Store::in_memory();
    let estimates = |knobs: &Knobs| {
        let graph = graph(knobs);
        let plan = plan(&graph, &store, PlanSettings::default());
        let estimate = |_: &Task, sizes: crate::engine::Sizes| {
            sizes.outputs.map_or(1_000, |size| size * 100) + sizes.inputs
        };
        let estimates = crate::engine::memory_estimates(&graph, &plan, &store, &estimate);
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
