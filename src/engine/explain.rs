//! A task explained: what its last run was made of beside what it is made of
//! now, and the very bytes that its key is the hash of.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::digest::Digest;
use crate::digest::encode;
use crate::engine::Graph;
use crate::engine::Input;
use crate::engine::ItemChange;
use crate::engine::KeySink;
use crate::engine::Manifest;
use crate::engine::Part;
use crate::engine::Plan;
use crate::engine::Source;
use crate::engine::TaskId;
use crate::engine::compare::Former;
use crate::engine::compare::History;
use crate::engine::key::KEY_CONTEXT;
use crate::engine::key::describe;
use crate::engine::plan::split_inputs;
use crate::store::Store;

/// Two manifests side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideBySide {
    /// The key now; none while an input is unknown.
    pub key: Option<Digest>,
    /// The key of the run that is compared with; none if no run is known.
    pub last_key: Option<Digest>,
    /// Kind, version, options by name, inputs by role.
    pub rows: Vec<Row>,
}

/// One part of a key, then and now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What it is.
    pub part: RowPart,
    /// The option or role; empty for others.
    pub name: String,
    /// How now differs from then.
    pub state: RowState,
    /// What it was; the digest of an input.
    pub old: Option<Value>,
    /// What it is.
    pub new: Option<Value>,
    /// The task that makes the input.
    pub from: Option<String>,
    /// Where the option is written, as `file:line`; empty when unknown.
    pub place: String,
    /// Which pieces of the input differ, as far as it has known pieces.
    pub changes: Vec<ItemChange>,
}

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowPart {
    /// The kind of task.
    Kind,
    /// The version of its algorithm.
    Version,
    /// An option.
    Option,
    /// An input.
    Input,
}

/// How a part differs from what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// It is as it was.
    Same,
    /// It was something else.
    Changed,
    /// It was not there, or no former run is known.
    Added,
    /// It is no longer there.
    Removed,
    /// The task that makes the input has to run first.
    Unknown,
}

/// Returns what `id` is made of beside what its last run was made of.
///
/// # Panics
///
/// If `plan` or `id` is of another graph.
pub fn side_by_side(graph: &Graph, store: &Store, plan: &Plan, id: TaskId) -> SideBySide {
    let task = graph.task(id);
    let (known, _) = split_inputs(graph, plan.tasks(), id);
    let history = History::new(graph, store);
    let former = history.nearest(id, &known);
    let now = Manifest::of(task, &known);
    let then = former.as_ref().map(|former| &former.manifest);
    let mut rows = vec![
        row(
            RowPart::Kind,
            "",
            then.map(|m| json!(m.kind)),
            Some(json!(now.kind)),
        ),
        row(
            RowPart::Version,
            "",
            then.map(|m| json!(m.version)),
            Some(json!(now.version)),
        ),
    ];
    let (new_options, old_options) = (flat(&now.options), then.map(|m| flat(&m.options)));
    for name in names(&new_options, old_options.as_ref()) {
        let old = old_options.as_ref().and_then(|all| all.get(name).cloned());
        let mut row = row(RowPart::Option, name, old, new_options.get(name).cloned());
        row.place = task.places.of_option(name).to_owned();
        rows.push(row);
    }
    let inputs: BTreeMap<String, &Input> = task
        .inputs
        .iter()
        .map(|input| (input.role.clone(), input))
        .collect();
    for role in names(&inputs, then.map(|m| &m.inputs)) {
        let input = inputs.get(role).copied();
        rows.push(input_row(
            graph,
            &history,
            role,
            input,
            &now,
            former.as_ref(),
        ));
    }
    SideBySide {
        key: plan.task(id).key,
        last_key: former.map(|former| former.key),
        rows,
    }
}

/// Options with the entries of maps as options of their own, as reasons have
/// them.
fn flat(options: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    for (name, value) in options {
        flatten(name, value, &mut flat);
    }
    flat
}

fn flatten(name: &str, value: &Value, flat: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                flatten(&format!("{name}.{key}"), value, flat);
            }
        }
        value => {
            flat.insert(name.to_owned(), value.clone());
        }
    }
}

fn names<'a, A, B>(
    now: &'a BTreeMap<String, A>,
    then: Option<&'a BTreeMap<String, B>>,
) -> BTreeSet<&'a String> {
    let then = then.into_iter().flat_map(BTreeMap::keys);
    now.keys().chain(then).collect()
}

fn row(part: RowPart, name: &str, old: Option<Value>, new: Option<Value>) -> Row {
    Row {
        part,
        name: name.to_owned(),
        state: match (&old, &new) {
            (None, _) => RowState::Added,
            (_, None) => RowState::Removed,
            (old, new) if old == new => RowState::Same,
            _ => RowState::Changed,
        },
        old,
        new,
        from: None,
        place: String::new(),
        changes: Vec::new(),
    }
}

fn input_row(
    graph: &Graph,
    history: &History<'_>,
    role: &str,
    input: Option<&Input>,
    now: &Manifest,
    former: Option<&Former>,
) -> Row {
    let old = former.and_then(|former| former.manifest.inputs.get(role));
    let new = now.inputs.get(role).map(|input| json!(input.digest));
    let mut row = row(RowPart::Input, role, old.map(|old| json!(old.digest)), new);
    row.from = match input.map(|input| &input.source) {
        Some(Source::Output { task, .. }) => Some(graph.task(*task).name.clone()),
        Some(Source::Leaf(_)) => None,
        None => old.and_then(|old| old.from.clone()),
    };
    if input.is_some() && row.new.is_none() {
        row.state = RowState::Unknown;
    }
    if let (RowState::Changed, Some(input), Some(former)) = (row.state, input, former) {
        row.changes = history.item_changes(role, &input.source, former);
    }
    row
}

/// What a key is the hash of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PreImage {
    /// The context of BLAKE3's key derivation.
    pub context: &'static str,
    /// The parts in order; an input that is not known yet is not among them.
    pub parts: Vec<Value>,
    /// Roles that are not known yet, with the task that has to run first.
    pub unknown: BTreeMap<String, String>,
    /// The hash; none while an input is not known.
    pub key: Option<Digest>,
    /// The parts in canonical encoding, one after the other: what is hashed.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl KeySink for PreImage {
    fn part(&mut self, part: Part<'_>) {
        encode(&part, &mut self.bytes).expect("JSON values can be encoded");
        self.parts.push(json!(part));
    }
}

/// Returns what the key of `id` is the hash of, from the same description.
///
/// # Panics
///
/// If `plan` or `id` is of another graph.
pub fn pre_image(graph: &Graph, plan: &Plan, id: TaskId) -> PreImage {
    let task = graph.task(id);
    let (known, _) = split_inputs(graph, plan.tasks(), id);
    let is_known: BTreeSet<&str> = known.iter().map(|input| input.role).collect();
    let unknown = task.inputs.iter().filter_map(|input| match &input.source {
        Source::Output { task, .. } if !is_known.contains(input.role.as_str()) => {
            Some((input.role.clone(), graph.task(*task).name.clone()))
        }
        _ => None,
    });
    let mut image = PreImage {
        context: KEY_CONTEXT,
        parts: Vec::new(),
        unknown: unknown.collect(),
        key: plan.task(id).key,
        bytes: Vec::new(),
    };
    describe(task, &known, &mut image);
    image
}
