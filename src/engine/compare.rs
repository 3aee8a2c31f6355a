//! Reasons: the difference between what a task reads and what its last run read.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::digest::Digest;
use crate::engine::Graph;
use crate::engine::ItemChange;
use crate::engine::Items;
use crate::engine::Manifest;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::Task;
use crate::engine::TaskId;
use crate::engine::key::KeyInput;
use crate::store::LastRun;
use crate::store::Store;

/// The name under which a result keeps its manifest.
pub(crate) const MANIFEST: &str = Manifest::NAME;

/// Returns the name under which a result keeps the pieces of the input `role`.
pub(crate) fn items_name(role: &str) -> String {
    format!("items/{role}")
}

/// Runs of other names that are compared when a task has none of its own.
const RELATIVES_MAX: usize = 8;

/// Keys of runs, by project and kind.
type Gone = HashMap<(Arc<str>, String), Vec<Digest>>;

/// What ran last, in all projects of a graph.
pub(crate) struct History<'a> {
    graph: &'a Graph,
    store: &'a Store,
    last_runs: BTreeMap<Arc<str>, BTreeMap<String, LastRun>>,
    /// Keys of the runs whose task is no longer in its project, by project and
    /// kind; few of each.
    gone: OnceCell<Gone>,
}

/// A former run with the description of what it read.
pub(crate) struct Former {
    pub(crate) key: Digest,
    pub(crate) manifest: Manifest,
    /// Digests of the stored pieces by name.
    stored: BTreeMap<String, Digest>,
}

impl<'a> History<'a> {
    pub(crate) fn new(graph: &'a Graph, store: &'a Store) -> Self {
        let mut last_runs = BTreeMap::new();
        for id in graph.ids() {
            let project = &graph.task(id).project;
            if !last_runs.contains_key(project) {
                last_runs.insert(project.clone(), store.last_runs(project));
            }
        }
        Self {
            graph,
            store,
            last_runs,
            gone: OnceCell::new(),
        }
    }

    pub(crate) fn into_last_runs(self) -> BTreeMap<Arc<str>, BTreeMap<String, LastRun>> {
        self.last_runs
    }

    /// Returns the keys of the last runs of the graph's tasks.
    pub(crate) fn last_keys(&self) -> Vec<Digest> {
        let runs = self.graph.ids().filter_map(|id| self.last_run(id));
        runs.map(|run| run.key).collect()
    }

    /// Returns the last run of the same name in the same project.
    pub(crate) fn last_run(&self, id: TaskId) -> Option<&LastRun> {
        let task = self.graph.task(id);
        self.last_runs.get(&task.project)?.get(&task.name)
    }

    /// Returns what changed for the task since its last run. `known` are the
    /// inputs whose contents are known. With a `key` there is at least one
    /// reason; without, there may be none.
    pub(crate) fn changes(
        &self,
        id: TaskId,
        known: &[KeyInput<'_>],
        key: Option<Digest>,
    ) -> Vec<Stale> {
        let task = self.graph.task(id);
        if let Some(last) = self.last_run(id) {
            if Some(last.key) == key {
                return vec![Stale::ResultLost];
            }
            return match self.former(last.key) {
                Some(former) => self.difference(task, known, &former),
                None => vec![Stale::ResultLost],
            };
        }
        let relatives = self.relatives(task);
        let differences = relatives
            .iter()
            .map(|former| self.difference(task, known, former));
        match differences.min_by_key(Vec::len) {
            Some(reasons) if !reasons.is_empty() || key.is_none() => reasons,
            _ => vec![Stale::NeverRun],
        }
    }

    /// Returns runs of the same kind whose task is no longer in the project:
    /// the task may have been one of them before it got another name.
    fn relatives(&self, task: &Task) -> Vec<Former> {
        let gone = self.gone.get_or_init(|| self.find_gone());
        let keys = gone.get(&(task.project.clone(), task.kind.to_owned()));
        let keys = keys.into_iter().flatten();
        keys.filter_map(|key| self.former(*key)).collect()
    }

    fn find_gone(&self) -> Gone {
        let mut gone = Gone::new();
        for (project, runs) in &self.last_runs {
            for (name, run) in runs {
                if self.graph.has_name(project, name) {
                    continue;
                }
                let keys = gone.entry((project.clone(), run.kind.clone())).or_default();
                if keys.len() < RELATIVES_MAX {
                    keys.push(run.key);
                }
            }
        }
        gone
    }

    /// Returns what the result under `key` was made of, if the store remembers.
    pub(crate) fn former(&self, key: Digest) -> Option<Former> {
        let stored = self.store.result(key)?.manifest;
        let manifest = self.json(*stored.get(MANIFEST)?)?;
        Some(Former {
            key,
            manifest,
            stored,
        })
    }

    /// Returns the run that reasons compare with: the last one of the same name,
    /// or the nearest of the same kind whose task is gone.
    pub(crate) fn nearest(&self, id: TaskId, known: &[KeyInput<'_>]) -> Option<Former> {
        if let Some(last) = self.last_run(id) {
            return self.former(last.key);
        }
        let task = self.graph.task(id);
        let relatives = self.relatives(task).into_iter();
        relatives.min_by_key(|former| self.difference(task, known, former).len())
    }

    fn json<T: DeserializeOwned>(&self, digest: Digest) -> Option<T> {
        serde_json::from_slice(&self.store.blob(digest)?).ok()
    }

    /// Returns how `task`, as far as its inputs are known, differs from a former
    /// run.
    pub(crate) fn difference(
        &self,
        task: &Task,
        known: &[KeyInput<'_>],
        former: &Former,
    ) -> Vec<Stale> {
        let now = Manifest::of(task, known);
        let old = &former.manifest;
        if now.kind != old.kind {
            return vec![Stale::KindChanged {
                old: old.kind.clone(),
                new: now.kind,
            }];
        }
        let mut reasons = Vec::new();
        if now.version != old.version {
            reasons.push(Stale::AlgorithmChanged {
                old: old.version,
                new: now.version,
            });
        }
        option_changes(task, &now, old, &mut reasons);
        self.input_changes(task, &now, former, &mut reasons);
        reasons
    }

    fn input_changes(
        &self,
        task: &Task,
        now: &Manifest,
        former: &Former,
        reasons: &mut Vec<Stale>,
    ) {
        for input in &task.inputs {
            let role = input.role.clone();
            let Some(old) = former.manifest.inputs.get(&role) else {
                reasons.push(Stale::InputAdded { role });
                continue;
            };
            let Some(new) = now.inputs.get(&role).filter(|new| new.digest != old.digest) else {
                continue;
            };
            reasons.push(Stale::InputChanged {
                from: new.from.clone(),
                changes: self.item_changes(&role, &input.source, former),
                role,
            });
        }
        let roles: BTreeSet<&str> = task.inputs.iter().map(|i| i.role.as_str()).collect();
        for role in former.manifest.inputs.keys() {
            if !roles.contains(role.as_str()) {
                reasons.push(Stale::InputRemoved { role: role.clone() });
            }
        }
    }

    /// Returns which pieces of an input differ; none when it has no known pieces.
    pub(crate) fn item_changes(
        &self,
        role: &str,
        source: &Source,
        former: &Former,
    ) -> Vec<ItemChange> {
        let Source::Leaf(leaf) = source else {
            return Vec::new();
        };
        let stored = former.stored.get(&items_name(role));
        let old: Option<Items> = stored.and_then(|digest| self.json(*digest));
        let (Some(new), Some(old)) = (leaf.items(), old) else {
            return Vec::new();
        };
        let changes = new.changes_since(&old);
        match changes.is_empty() {
            true => vec![ItemChange::Reordered],
            false => changes,
        }
    }
}

fn option_changes(task: &Task, now: &Manifest, old: &Manifest, reasons: &mut Vec<Stale>) {
    let names: BTreeSet<&String> = now.options.keys().chain(old.options.keys()).collect();
    for name in names {
        let (old, new) = (old.options.get(name), now.options.get(name));
        option_change(task, name, old, new, reasons);
    }
}

/// Compares one option; of two maps each entry is an option of its own.
fn option_change(
    task: &Task,
    name: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    reasons: &mut Vec<Stale>,
) {
    if old == new {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
        let keys: BTreeSet<&String> = new.keys().chain(old.keys()).collect();
        for key in keys {
            let name = format!("{name}.{key}");
            option_change(task, &name, old.get(key), new.get(key), reasons);
        }
        return;
    }
    reasons.push(Stale::OptionChanged {
        name: name.to_owned(),
        old: old.cloned(),
        new: new.cloned(),
        place: task.places.of_option(name).to_owned(),
    });
}
