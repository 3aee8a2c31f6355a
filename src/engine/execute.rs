//! Executes a plan: workers take tasks whose inputs are settled.
//!
//! ```text
//!   waiting ─▶ ready ─▶ looked up ─▶ locked ─▶ looked up ─▶ running ─▶ stored ─▶ done
//!                           │                      │            │
//!                           └──────── spared ◀─────┘            └─▶ failed
//! ```
//!
//! - *waiting*: an input's task is not settled yet.
//! - *ready*: taken in order of [`Turn`], then of the graph; long tasks are held
//!   back until every check has settled.
//! - *looked up*: the key is known now. If the tasks above ran to the same
//!   outputs, it is an old key with a result: the early cut-off.
//! - *locked*: no other process does the same work; the second look-up finds
//!   what one did while we waited.
//! - *stored*: recorded only if the caller's inputs are what they were.
//!
//! With a remote cache, what it has of the plan is fetched before all this, and
//! whoever holds the lock asks it for a key that was not known before.
//!
//! Tasks that are fresh in the plan or fetched never enter this picture, and their outputs
//! are read only when a task that runs, or the caller, asks for them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;

use serde::Serialize;

use crate::engine::Budget;
use crate::engine::Event;
use crate::engine::Graph;
use crate::engine::Memory;
use crate::engine::Places;
use crate::engine::Plan;
use crate::engine::RemoteExecutor;
use crate::engine::Sizes;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::engine::memory::MEMORY_PAUSE;
use crate::engine::memory::Need;
use crate::engine::memory::Taken;
use crate::engine::memory::last_outputs;
use crate::engine::memory::sum;
use crate::engine::results::Results;
use crate::store::RemoteStore;
use crate::store::Store;

/// Set from anywhere to stop a run; clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag {
    own: Arc<AtomicBool>,
    parent: Option<Arc<CancelFlag>>,
}

impl CancelFlag {
    /// Returns a flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a flag that is set when this one is, and that can be set without
    /// setting this one.
    pub fn child(&self) -> Self {
        Self {
            own: Arc::default(),
            parent: Some(Arc::new(self.clone())),
        }
    }

    /// Sets the flag for good.
    pub fn set(&self) {
        self.own.store(true, Ordering::Relaxed);
    }

    /// Returns whether the flag is set.
    pub fn is_set(&self) -> bool {
        let parent = self.parent.as_ref();
        self.own.load(Ordering::Relaxed) || parent.is_some_and(|parent| parent.is_set())
    }
}

/// What to do when a task fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Start nothing new; what is running ends. With several workers it depends
    /// on their speed what had been started.
    Stop,
    /// Run everything that does not depend on the failed task.
    KeepGoing,
}

/// How to execute a plan.
pub struct Settings<'a> {
    /// How many tasks may run at once. Results do not depend on it.
    pub jobs: NonZeroUsize,
    /// Places for these and for those on other machines, if other runs beside this one
    /// take from them as well.
    pub places: Option<Arc<Places>>,
    /// What to do when a task fails.
    pub on_failure: OnFailure,
    /// The tasks that may run; none for all that are stale. What they read must be
    /// fresh or among them, else they do not run either.
    pub only: Option<&'a BTreeSet<TaskId>>,
    /// Stops the run when set.
    pub cancel: CancelFlag,
    /// Says after a task ran whether the sources of its leaves are still what
    /// they were when the graph was made. If not, the outputs are used and not
    /// stored.
    pub inputs_unchanged: &'a (dyn Fn(TaskId) -> bool + Sync),
    /// The remote cache that the plan was made with, if there was one.
    pub remote: Option<&'a dyn RemoteStore>,
    /// Machines that run tasks that take long, if there are some.
    pub executor: Option<&'a dyn RemoteExecutor>,
    /// How much memory the tasks may take; none for as much as they want.
    pub memory: Option<Memory<'a>>,
    /// When the run began, in milliseconds since 1970-01-01 UTC; only kept for
    /// reports.
    pub started_ms: u64,
}

impl Default for Settings<'_> {
    /// Returns one worker that stops at the first failure, for leaves that come
    /// from nowhere outside.
    fn default() -> Self {
        Self {
            jobs: NonZeroUsize::MIN,
            places: None,
            on_failure: OnFailure::Stop,
            only: None,
            cancel: CancelFlag::new(),
            inputs_unchanged: &|_| true,
            remote: None,
            executor: None,
            memory: None,
            started_ms: 0,
        }
    }
}

impl Settings<'_> {
    /// Returns how many tasks may run elsewhere at once.
    fn there(&self) -> usize {
        self.executor.map_or(0, |there| there.jobs().get())
    }

    pub(super) fn places(&self) -> Arc<Places> {
        let own = || Arc::new(Places::new(self.jobs, self.there()));
        self.places.clone().unwrap_or_else(own)
    }

    /// Returns how many threads take tasks. Who waits for another machine keeps none of
    /// this one's tasks waiting, nor do those that might as well run there.
    fn workers(&self, places: &Places) -> usize {
        match self.executor {
            Some(_) => places.count().saturating_add(1),
            None => self.jobs.get(),
        }
    }
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Fresh in the plan.
    Reused,
    /// Found in the cache after the tasks above it had settled.
    Spared,
    /// Its result was fetched from the remote cache.
    Fetched,
    /// It ran.
    Ran {
        /// How long, in milliseconds.
        ms: u64,
    },
    /// It failed.
    Failed {
        /// The error and its causes.
        message: String,
    },
    /// It did not run: it is estimated to need more memory than there is.
    TooLarge {
        /// How much, in bytes.
        estimate: u64,
    },
    /// It did not run: a task it reads failed, or the run was stopped.
    Skipped {
        /// The failed task.
        because: Option<TaskId>,
    },
}

impl Outcome {
    /// Returns why it failed, if it did.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::Failed { message } => Some(message.clone()),
            Self::TooLarge { estimate } => {
                let mib = estimate.div_ceil(1 << 20);
                Some(format!(
                    "it is estimated to need {mib} MiB, more than it may"
                ))
            }
            _ => None,
        }
    }

    /// Returns whether the task has outputs.
    pub fn is_success(&self) -> bool {
        matches!(
            self,
            Self::Reused | Self::Spared | Self::Fetched | Self::Ran { .. }
        )
    }
}

/// Stack of a worker, in bytes: as much as the main thread of a process has.
const STACK_SIZE: usize = 8 << 20;

/// Executes exactly `plan`, which must be of this graph and store.
///
/// Results do not depend on the number of jobs. Nothing here fails: what became
/// of each task is in the results.
///
/// # Panics
///
/// If `plan` was made for a graph of another size, or no thread can be started.
pub fn execute<'a>(
    graph: &'a Graph,
    plan: &Plan,
    store: &'a Store,
    settings: &Settings<'a>,
    on_event: &'a (dyn Fn(Event) + Sync),
) -> Results<'a> {
    assert!(plan.tasks().len() == graph.len(), "a plan of another graph");
    let results = Results::new(graph, plan, store, settings, on_event);
    let is_settled = results.bring(plan);
    let last = settings.memory.map(|_| last_outputs(graph, plan, store));
    let need = |id: TaskId| match (&settings.memory, &last) {
        (Some(memory), Some(last)) => {
            let sizes = Sizes {
                inputs: results.input_size(id),
                is_partial: false,
                outputs: last[id.index()].as_ref().map(sum),
            };
            (memory.estimate)(graph.task(id), sizes)
        }
        _ => 0,
    };
    let budget = settings.memory.map(|memory| memory.budget);
    let is_sent = |id: TaskId| results.may_be_sent(id);
    let memory = ScheduledMemory {
        budget,
        need: &need,
        is_sent: &is_sent,
    };
    let schedule = Schedule::new(graph, plan, &is_settled, settings.only, memory);
    if !schedule.is_empty() {
        let workers = settings.workers(&results.places);
        let workers = workers.min(schedule.waiting_count());
        thread::scope(|scope| {
            for number in 1..=workers {
                thread::Builder::new()
                    .name(format!("worker-{number}"))
                    .stack_size(STACK_SIZE)
                    .spawn_scoped(scope, || work(&schedule, &results, plan, settings))
                    .expect("threads can be started");
            }
        });
    }
    drop(schedule);
    results.close(plan, settings.started_ms);
    results
}

/// Takes one ready task after the other until there are none left.
fn work(schedule: &Schedule<'_>, results: &Results<'_>, plan: &Plan, settings: &Settings<'_>) {
    let _guard = StopOnPanic(schedule);
    while let Some(Scheduled { id, bytes, is_owed }) = schedule.next(&settings.cancel) {
        let need = match &settings.memory {
            Some(memory) => Need::of(memory, bytes, is_owed),
            None => Need::default(),
        };
        let is_success = results.settle(plan.task(id), plan.is_forced, &need);
        let stops = !is_success && settings.on_failure == OnFailure::Stop;
        schedule.settled(id, is_success, stops);
    }
}

/// Stops the other workers when this one panics, which only a caller's function
/// can make it do; else they would wait for ever.
struct StopOnPanic<'a, 's>(&'a Schedule<'s>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.queue().is_stopped = true;
            self.0.changed.notify_all();
        }
    }
}

/// Which tasks can start.
struct Schedule<'a> {
    graph: &'a Graph,
    /// The tasks that wait for the same work to be done under another name.
    twins: BTreeMap<TaskId, Vec<TaskId>>,
    memory: ScheduledMemory<'a>,
    queue: Mutex<Queue<'a>>,
    changed: Condvar,
}

/// What tasks take memory from before they start.
#[derive(Clone, Copy)]
struct ScheduledMemory<'a> {
    budget: Option<&'a Budget>,
    /// How much a task whose inputs are settled is estimated to need.
    need: &'a (dyn Fn(TaskId) -> u64 + Sync),
    /// Whether a task is to run elsewhere, where it takes nothing of this.
    is_sent: &'a (dyn Fn(TaskId) -> bool + Sync),
}

/// A task that is to start.
struct Scheduled {
    id: TaskId,
    /// What it is estimated to need.
    bytes: u64,
    /// Whether it has not taken that.
    is_owed: bool,
}

struct Queue<'a> {
    /// How many settled inputs each task still waits for; none for those that are
    /// fresh or may not run.
    waits: Vec<Option<usize>>,
    ready: BTreeSet<(Turn, TaskId)>,
    /// What the tasks that are ready need, and what those have that run.
    needs: BTreeMap<TaskId, u64>,
    taken: BTreeMap<TaskId, Taken<'a>>,
    /// How many checks have not settled.
    check_count: usize,
    running_count: usize,
    is_stopped: bool,
}

impl<'a> Schedule<'a> {
    fn new(
        graph: &'a Graph,
        plan: &Plan,
        is_settled: &[bool],
        only: Option<&BTreeSet<TaskId>>,
        memory: ScheduledMemory<'a>,
    ) -> Self {
        let need = memory.need;
        let mut twins: BTreeMap<TaskId, Vec<TaskId>> = BTreeMap::new();
        let mut waits = Vec::with_capacity(graph.len());
        let mut ready = BTreeSet::new();
        let mut check_count = 0;
        for task in plan.tasks() {
            let may_run = only.is_none_or(|only| only.contains(&task.id));
            if is_settled[task.id.index()] || !may_run {
                waits.push(None);
                continue;
            }
            check_count += usize::from(graph.task(task.id).turn == Turn::Check);
            let mut count = 0;
            for upstream in graph.upstreams(task.id) {
                count += usize::from(!is_settled[upstream.index()]);
            }
            if let Some(twin) = task.twin.filter(|twin| !is_settled[twin.index()]) {
                twins.entry(twin).or_default().push(task.id);
                count += 1;
            }
            if count == 0 {
                ready.insert((graph.task(task.id).turn, task.id));
            }
            waits.push(Some(count));
        }
        let queue = Queue {
            waits,
            needs: ready.iter().map(|&(_, id)| (id, need(id))).collect(),
            taken: BTreeMap::new(),
            ready,
            check_count,
            running_count: 0,
            is_stopped: false,
        };
        Self {
            graph,
            twins,
            memory,
            queue: Mutex::new(queue),
            changed: Condvar::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue<'a>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.queue().ready.is_empty()
    }

    fn waiting_count(&self) -> usize {
        self.queue().waits.iter().flatten().count()
    }

    /// Waits for a task whose turn it is and takes the first in the graph's
    /// order; none when there will be no more.
    fn next(&self, cancel: &CancelFlag) -> Option<Scheduled> {
        let mut queue = self.queue();
        loop {
            if queue.is_stopped || cancel.is_set() {
                return None;
            }
            if let Some(taken) = queue.take_first(self.memory) {
                queue.running_count += 1;
                return Some(taken);
            }
            if queue.running_count == 0 && queue.ready.is_empty() {
                return None;
            }
            queue = self.wait(queue);
        }
    }

    /// Waits until a task of this run has settled, or, where memory is missing that
    /// other runs may have, for a moment.
    fn wait<'q>(&self, queue: MutexGuard<'q, Queue<'a>>) -> MutexGuard<'q, Queue<'a>> {
        match self.memory.budget.is_some() && !queue.ready.is_empty() {
            true => {
                let waited = self.changed.wait_timeout(queue, MEMORY_PAUSE);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            false => {
                let waited = self.changed.wait(queue);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    /// Notes that a task is settled, and makes ready what waited for it.
    fn settled(&self, id: TaskId, is_success: bool, stops: bool) {
        let mut queue = self.queue();
        queue.running_count -= 1;
        queue.taken.remove(&id);
        queue.check_count -= usize::from(self.graph.task(id).turn == Turn::Check);
        queue.is_stopped |= stops;
        if is_success {
            let twins = self.twins.get(&id).map_or(&[][..], Vec::as_slice);
            for &dependant in self.graph.dependants(id).iter().chain(twins) {
                if let Some(count) = &mut queue.waits[dependant.index()] {
                    *count -= 1;
                    if *count == 0 {
                        let turn = self.graph.task(dependant).turn;
                        queue.ready.insert((turn, dependant));
                        queue.needs.insert(dependant, (self.memory.need)(dependant));
                    }
                }
            }
        }
        drop(queue);
        self.changed.notify_all();
    }
}

impl<'a> Queue<'a> {
    /// Takes the first task whose turn it is and that fits into memory, or needs none
    /// here. When nothing else can happen, long tasks start without the checks – what
    /// those wait for failed, or is long –, and one that never fits starts alone.
    fn take_first(&mut self, memory: ScheduledMemory<'a>) -> Option<Scheduled> {
        let is_alone = self.running_count == 0;
        let is_held = |turn| turn == Turn::Long && self.check_count > 0 && !is_alone;
        let candidates = self.ready.iter().filter(|(turn, _)| !is_held(*turn));
        let (first, taken) = candidates.copied().find_map(|first| match memory.budget {
            Some(budget) if !(memory.is_sent)(first.1) => {
                Some((first, Some(budget.take(self.needs[&first.1])?)))
            }
            _ => Some((first, None)),
        })?;
        let id = first.1;
        self.ready.remove(&first);
        let is_owed = memory.budget.is_some() && taken.is_none();
        self.taken.extend(taken.map(|taken| (id, taken)));
        Some(Scheduled {
            id,
            bytes: self.needs.remove(&id).unwrap_or(0),
            is_owed,
        })
    }
}
