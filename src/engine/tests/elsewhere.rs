//! Tasks that run on other machines, and where there is no place for them there.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use super::memory::counted_tasks;
use super::*;
use crate::engine::Budget;
use crate::engine::Memory;
use crate::engine::Outcome;
use crate::engine::RemoteExecutor;
use crate::engine::RemoteTask;
use crate::engine::TaskId;

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
        memory: Some(Memory {
            budget: &Budget::new(19),
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
    for (largest, most_here) in [(19, 1), (9, 0)] {
        let elsewhere = Elsewhere::new(3, true);
        let (outcomes, here) = with_elsewhere(&elsewhere, largest);
        assert!(outcomes.iter().all(Outcome::is_success), "{outcomes:?}");
        assert_eq!(elsewhere.most.load(Ordering::SeqCst), 3);
        // Beside those, what fits here runs here.
        assert!(here <= most_here, "{here}");
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

/// A machine with a single place, where each task waits until `is_over`.
struct Single<'a> {
    is_over: &'a (dyn Fn() -> bool + Sync),
    ran: &'a Mutex<Vec<String>>,
    graph: &'a Graph,
}

/// Waits until something is so, which it must be in the end.
fn wait_until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "waited for too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl RemoteExecutor for Single<'_> {
    fn takes(&self, _: TaskId) -> bool {
        true
    }

    fn jobs(&self) -> NonZeroUsize {
        NonZeroUsize::MIN
    }

    fn run(&self, sent: &RemoteTask<'_>) -> Option<Outputs> {
        wait_until(self.is_over);
        let name = &self.graph.task(sent.task).name;
        self.ran.lock().unwrap().push(format!("{name} there"));
        Some(Outputs::from([("out".to_owned(), Vec::new())]))
    }
}

/// A task that notes that it runs, then waits until `is_over`.
fn noting(
    name: &str,
    inputs: Vec<Input>,
    ran: &Arc<Mutex<Vec<String>>>,
    is_over: impl Fn() -> bool + Send + Sync + 'static,
) -> Task {
    let (ran, own) = (Arc::clone(ran), name.to_owned());
    let mut task = task(name, inputs);
    task.run = Box::new(move |_| {
        ran.lock().unwrap().push(format!("{own} here"));
        wait_until(&is_over);
        Ok(Outputs::from([("out".to_owned(), Vec::new())]))
    });
    task
}

/// Runs a graph with one job here and one elsewhere.
fn run_with(graph: &Graph, single: &Single<'_>) {
    let store = Store::in_memory();
    let plan = plan(graph, &store, PlanSettings::default());
    let settings = Settings {
        executor: Some(single),
        ..Settings::default()
    };
    let results = execute(graph, &plan, &store, &settings, &|_| ());
    assert!(results.is_success(), "{:?}", results.failures());
}

#[test]
fn a_long_task_runs_here_when_all_places_elsewhere_are_taken_and_none_runs_twice() {
    let ran: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut graph = Graph::new();
    for name in ["a", "b", "c", "d"] {
        let mut task = noting(name, vec![leaf("x", name)], &ran, || true);
        task.turn = Turn::Long;
        graph.add(task);
    }
    let has_run_here = || {
        ran.lock()
            .unwrap()
            .iter()
            .any(|name| name.ends_with("here"))
    };
    run_with(
        &graph,
        &Single {
            is_over: &has_run_here,
            ran: &ran,
            graph: &graph,
        },
    );
    let ran = ran.lock().unwrap();
    let names: BTreeSet<&str> = ran.iter().filter_map(|name| name.get(..1)).collect();
    assert_eq!((ran.len(), names.len()), (4, 4), "{ran:?}");
    assert!(ran.iter().any(|name| name.ends_with("there")), "{ran:?}");
}

#[test]
fn a_task_that_can_only_run_here_does_not_wait_for_long_ones() {
    let ran: Arc<Mutex<Vec<String>>> = Arc::default();
    let has = |name: &'static str| {
        let ran = Arc::clone(&ran);
        move || ran.lock().unwrap().iter().any(|one| one == name)
    };
    let mut graph = Graph::new();
    let mut sent = noting("sent", vec![leaf("x", "a")], &ran, || true);
    sent.turn = Turn::Long;
    let sent = graph.add(sent);
    // It takes the only place here until what comes after `sent` has run.
    let mut lent = noting("lent", vec![leaf("x", "b")], &ran, has("short here"));
    lent.turn = Turn::Long;
    graph.add(lent);
    let after = vec![Input::output("x", sent, "out")];
    graph.add(noting("short", after, &ran, || true));
    run_with(
        &graph,
        &Single {
            is_over: &has("lent here"),
            ran: &ran,
            graph: &graph,
        },
    );
    let ran = ran.lock().unwrap();
    assert_eq!(*ran, ["lent here", "sent there", "short here"]);
}
