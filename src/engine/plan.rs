//! What would run, and why: found by looking only.
//!
//! A dry run prints a [`Plan`], a real run executes one; there is no second
//! way to find out what is stale.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use crate::digest::Digest;
use crate::engine::Graph;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::TaskId;
use crate::engine::compare::History;
use crate::engine::key::KeyInput;
use crate::engine::key::task_key;
use crate::store::LastRun;
use crate::store::OutputRef;
use crate::store::RemoteResult;
use crate::store::RemoteStore;
use crate::store::Store;
use crate::store::StoredResult;

/// How to plan.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanSettings {
    /// Whether every task is to run, whatever the cache holds.
    pub force: bool,
}

/// What is known of a task before anything runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", content = "reasons", rename_all = "snake_case")]
pub enum State {
    /// Its result is in the cache.
    Fresh,
    /// Its result is in the remote cache: it is fetched, and runs only if that
    /// does not work.
    Remote,
    /// All that it reads is known and its result is not in the cache: it will
    /// run. There is at least one reason.
    Stale(Vec<Stale>),
    /// It reads an output of a task that is not fresh: it runs, unless that
    /// output comes out as it was. The last reason is [`Stale::Upstream`];
    /// before it stands what has changed for the task itself.
    MayBeSpared(Vec<Stale>),
}

/// One task of a plan.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The task.
    pub id: TaskId,
    /// Whether it will run.
    pub state: State,
    /// Its key; none while an input is unknown.
    pub key: Option<Digest>,
    /// How long it took when it last ran, in milliseconds.
    pub estimate_ms: Option<u64>,
    /// Its result, if it is fresh or to be fetched.
    pub(crate) result: Option<StoredResult>,
    /// Its result as the remote cache has it, if it is to be fetched.
    pub(crate) remote: Option<Arc<RemoteResult>>,
    /// The earlier task that does the same work.
    pub(crate) twin: Option<TaskId>,
}

impl Planned {
    /// Returns whether its result is in the cache.
    pub fn is_fresh(&self) -> bool {
        self.state == State::Fresh
    }

    /// Returns whether it will or may run.
    pub fn is_stale(&self) -> bool {
        matches!(self.state, State::Stale(_) | State::MayBeSpared(_))
    }

    /// Returns how many bytes are to be fetched for it.
    pub fn fetch_size(&self) -> Option<u64> {
        self.remote.as_ref().map(|result| result.size())
    }

    /// Returns why it will or may run; empty if it is fresh or to be fetched.
    pub fn reasons(&self) -> &[Stale] {
        match &self.state {
            State::Fresh | State::Remote => &[],
            State::Stale(reasons) | State::MayBeSpared(reasons) => reasons,
        }
    }
}

/// What would run, and why. Belongs to the graph it was made for.
#[derive(Debug)]
pub struct Plan {
    tasks: Vec<Planned>,
    pub(crate) is_forced: bool,
    /// The last run of each task, by project and name.
    pub(crate) last_runs: BTreeMap<Arc<str>, BTreeMap<String, LastRun>>,
}

impl Plan {
    /// Returns all tasks in the order of the graph.
    pub fn tasks(&self) -> &[Planned] {
        &self.tasks
    }

    /// Returns the task `id`.
    ///
    /// # Panics
    ///
    /// If `id` is of another graph.
    pub fn task(&self, id: TaskId) -> &Planned {
        &self.tasks[id.index()]
    }

    /// Returns the tasks that will or may run.
    pub fn stale(&self) -> impl Iterator<Item = &Planned> {
        self.tasks.iter().filter(|task| task.is_stale())
    }

    /// Returns whether every result is in the cache.
    pub fn is_all_fresh(&self) -> bool {
        self.tasks.iter().all(Planned::is_fresh)
    }

    /// Returns the sum of the estimates of all tasks that will or may run, in
    /// milliseconds; tasks that never ran count for nothing.
    pub fn estimate_ms(&self) -> u64 {
        self.stale().filter_map(|task| task.estimate_ms).sum()
    }
}

/// Finds out what would run. Reads the store, writes nothing.
pub fn plan(graph: &Graph, store: &Store, settings: PlanSettings) -> Plan {
    plan_with(graph, store, None, settings)
}

/// Finds out what would run when what is not in the store may be fetched from
/// `remote`, if there is one. It is asked level by level: what a task reads must be
/// known before its key is. Nothing is fetched.
pub fn plan_with(
    graph: &Graph,
    store: &Store,
    remote: Option<&dyn RemoteStore>,
    settings: PlanSettings,
) -> Plan {
    let history = History::new(graph, store);
    let mut planner = Planner {
        graph,
        settings,
        required: required_outputs(graph),
        known: Known::new(store, &history),
        history,
        remote: remote.map(|remote| RemoteKnown {
            remote,
            answers: HashMap::new(),
            unasked: HashSet::new(),
        }),
        stale_keys: HashMap::new(),
        tasks: Vec::with_capacity(graph.len()),
    };
    planner.look_at_all();
    while planner.ask_far() {
        planner.look_at_all();
    }
    Plan {
        is_forced: settings.force,
        tasks: planner.tasks,
        last_runs: planner.history.into_last_runs(),
    }
}

/// Returns for each task the outputs that others read.
pub(crate) fn required_outputs(graph: &Graph) -> Vec<BTreeSet<String>> {
    let mut required = vec![BTreeSet::new(); graph.len()];
    for id in graph.ids() {
        for input in &graph.task(id).inputs {
            if let Source::Output { task, output } = &input.source {
                required[task.index()].insert(output.clone());
            }
        }
    }
    required
}

/// Returns the first output that is wanted and not to be had; `is_there` says
/// whether the bytes of an output are.
pub(crate) fn lost_output(
    result: &StoredResult,
    required: &BTreeSet<String>,
    is_there: impl Fn(&OutputRef) -> bool,
) -> Option<String> {
    let unknown = required
        .iter()
        .find(|name| !result.outputs.contains_key(*name));
    let gone = || {
        let mut outputs = result.outputs.iter();
        outputs.find(|(_, output)| !is_there(output))
    };
    unknown
        .cloned()
        .or_else(|| gone().map(|(name, _)| name.clone()))
}

/// What the store holds of the last runs of a graph's tasks: nearly all that a
/// plan asks for, in few queries.
struct Known<'a> {
    store: &'a Store,
    results: HashMap<Digest, StoredResult>,
    /// Sizes of outputs inside the database.
    sizes: HashMap<Digest, u64>,
}

impl<'a> Known<'a> {
    fn new(store: &'a Store, history: &History<'_>) -> Self {
        let results = store.results(&history.last_keys());
        let outputs = results.values().flat_map(|result| result.outputs.values());
        let mut digests: Vec<Digest> = outputs.map(|output| output.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        let sizes = store.sizes_inside(&digests);
        Self {
            store,
            results,
            sizes,
        }
    }

    fn result(&self, key: Digest) -> Option<StoredResult> {
        let known = self.results.get(&key).cloned();
        known.or_else(|| self.store.result(key))
    }

    fn has(&self, output: &OutputRef) -> bool {
        match self.sizes.get(&output.digest) {
            Some(&size) if !self.store.keeps_as_file(output) => size == output.size,
            _ => self.store.contains(output.digest, output.size),
        }
    }
}

/// What the remote cache was asked for, and what it will be asked for.
struct RemoteKnown<'a> {
    remote: &'a dyn RemoteStore,
    answers: HashMap<Digest, Option<Arc<RemoteResult>>>,
    unasked: HashSet<Digest>,
}

/// What is known of a result elsewhere.
enum RemoteAnswer {
    Found(Arc<RemoteResult>),
    NotThere,
    /// It will be known in the next round.
    Unasked,
}

struct Planner<'a> {
    graph: &'a Graph,
    settings: PlanSettings,
    required: Vec<BTreeSet<String>>,
    known: Known<'a>,
    history: History<'a>,
    remote: Option<RemoteKnown<'a>>,
    /// The first stale task of each key.
    stale_keys: HashMap<Digest, TaskId>,
    /// The tasks before the present one.
    tasks: Vec<Planned>,
}

impl<'a> Planner<'a> {
    /// Looks at every task in the order of the graph.
    fn look_at_all(&mut self) {
        self.tasks.clear();
        self.stale_keys.clear();
        for id in self.graph.ids() {
            let planned = self.planned(id);
            self.tasks.push(planned);
        }
    }

    /// Asks the remote cache for what came up; returns whether it had to be asked.
    fn ask_far(&mut self) -> bool {
        let Some(known) = &mut self.remote else {
            return false;
        };
        let mut keys: Vec<Digest> = known.unasked.drain().collect();
        if keys.is_empty() {
            return false;
        }
        keys.sort_unstable();
        let mut found = known.remote.look_up(&keys);
        for key in keys {
            known.answers.insert(key, found.remove(&key).map(Arc::new));
        }
        true
    }

    /// Returns what is known of a result elsewhere.
    fn remote_answer(&mut self, id: TaskId, key: Digest) -> RemoteAnswer {
        let Some(known) = &mut self.remote else {
            return RemoteAnswer::NotThere;
        };
        let Some(answer) = known.answers.get(&key) else {
            known.unasked.insert(key);
            return RemoteAnswer::Unasked;
        };
        let required = &self.required[id.index()];
        let is_whole = |result: &&Arc<RemoteResult>| {
            let mut names = required.iter();
            names.all(|name| result.outputs.contains_key(name))
        };
        match answer.as_ref().filter(is_whole) {
            Some(result) => RemoteAnswer::Found(Arc::clone(result)),
            None => RemoteAnswer::NotThere,
        }
    }

    /// Returns whether this round is not the last, so that reasons are not needed.
    fn goes_on(&self) -> bool {
        self.remote
            .as_ref()
            .is_some_and(|remote| !remote.unasked.is_empty())
    }

    fn planned(&mut self, id: TaskId) -> Planned {
        let graph = self.graph;
        let (known, unknown) = split_inputs(graph, &self.tasks, id);
        let key = unknown.is_empty().then(|| task_key(graph.task(id), &known));
        let mut planned = Planned {
            id,
            state: State::Fresh,
            key,
            estimate_ms: self.history.last_run(id).map(|run| run.cost_ms),
            result: None,
            remote: None,
            twin: None,
        };
        if self.settings.force {
            planned.state = State::Stale(vec![Stale::Forced]);
            return planned;
        }
        let Some(key) = key else {
            if self.goes_on() {
                planned.state = State::MayBeSpared(Vec::new());
                return planned;
            }
            let mut reasons = self.history.changes(id, &known, None);
            let tasks = unknown.iter().map(|&task| graph.task(task).name.clone());
            reasons.push(Stale::Upstream {
                tasks: tasks.collect(),
            });
            planned.state = State::MayBeSpared(reasons);
            return planned;
        };
        self.look_up(&mut planned, key, &known);
        planned
    }

    /// Settles a task whose key is known.
    fn look_up(&mut self, planned: &mut Planned, key: Digest, inputs: &[KeyInput<'_>]) {
        let id = planned.id;
        if let Some(&first) = self.stale_keys.get(&key) {
            let task = self.graph.task(first).name.clone();
            planned.state = State::Stale(vec![Stale::SameAs { task }]);
            planned.twin = Some(first);
            return;
        }
        let known = self.known.result(key);
        let lost = known.as_ref().and_then(|result| {
            planned.estimate_ms = Some(result.cost_ms);
            let is_there = |output: &OutputRef| self.known.has(output);
            lost_output(result, &self.required[id.index()], is_there)
        });
        if known.is_some() && lost.is_none() {
            planned.result = known;
            return;
        }
        planned.state = match (self.remote_answer(id, key), lost) {
            (RemoteAnswer::Found(result), _) => {
                planned.estimate_ms = Some(result.cost_ms);
                planned.result = Some(result.stored());
                planned.remote = Some(result);
                State::Remote
            }
            (RemoteAnswer::Unasked, _) => State::Stale(Vec::new()),
            (RemoteAnswer::NotThere, Some(output)) => {
                State::Stale(vec![Stale::OutputLost { output }])
            }
            (RemoteAnswer::NotThere, None) => {
                State::Stale(self.history.changes(id, inputs, Some(key)))
            }
        };
        if planned.is_stale() {
            self.stale_keys.insert(key, id);
        }
    }
}

/// Splits the inputs of `id` into those whose contents are known and the tasks
/// that have to settle first.
pub(crate) fn split_inputs<'a>(
    graph: &'a Graph,
    tasks: &[Planned],
    id: TaskId,
) -> (Vec<KeyInput<'a>>, BTreeSet<TaskId>) {
    let mut known = Vec::new();
    let mut unknown = BTreeSet::new();
    for input in &graph.task(id).inputs {
        let role = input.role.as_str();
        match &input.source {
            Source::Leaf(leaf) => known.push(KeyInput {
                role,
                digest: leaf.digest(),
                from: None,
            }),
            Source::Output { task, output } => {
                let result = tasks[task.index()].result.as_ref();
                match result.and_then(|result| result.outputs.get(output)) {
                    Some(output) => known.push(KeyInput {
                        role,
                        digest: output.digest,
                        from: Some(&graph.task(*task).name),
                    }),
                    None => {
                        unknown.insert(*task);
                    }
                }
            }
        }
    }
    (known, unknown)
}
