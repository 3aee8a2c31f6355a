//! What changed since the runs that made some outputs, whenever those were.

use std::collections::HashMap;

use crate::digest::Digest;
use crate::engine::Graph;
use crate::engine::Plan;
use crate::engine::Source;
use crate::engine::Stale;
use crate::engine::TaskId;
use crate::engine::compare::Former;
use crate::engine::compare::History;
use crate::engine::plan::split_inputs;
use crate::store::Store;

/// Returns for each task what it reads differently from the run that made its
/// outputs `made`, given by their digests. A task of which no output is given is
/// followed from the tasks that read it. None where the store remembers no such
/// run.
///
/// # Panics
///
/// If `plan` or `made` is of another graph.
pub fn since_outputs(
    graph: &Graph,
    store: &Store,
    plan: &Plan,
    made: &[Vec<Digest>],
) -> Vec<Option<Vec<Stale>>> {
    let history = History::new(graph, store);
    let keys = store.keys_by_output();
    let mut made = made.to_vec();
    let mut since = vec![None; graph.len()];
    for id in graph.ids().rev() {
        let (known, _) = split_inputs(graph, plan.tasks(), id);
        let task = graph.task(id);
        let candidates = candidates(graph, &keys, id, &made[id.index()]);
        let formers = candidates.iter().filter_map(|key| history.former(*key));
        let differ = |former: &Former| history.difference(task, &known, former);
        let nearest = formers
            .map(|former| (differ(&former), former))
            .min_by_key(|(reasons, _)| reasons.len());
        let Some((reasons, former)) = nearest else {
            continue;
        };
        for input in &task.inputs {
            if let Source::Output { task, .. } = &input.source
                && let Some(read) = former.manifest.inputs.get(&input.role)
            {
                made[task.index()].push(read.digest);
            }
        }
        since[id.index()] = Some(reasons);
    }
    since
}

/// Keys of results of the same kind that have all of the outputs.
fn candidates(
    graph: &Graph,
    keys: &HashMap<Digest, Vec<(Digest, String)>>,
    id: TaskId,
    made: &[Digest],
) -> Vec<Digest> {
    let kind = graph.task(id).kind;
    let of = |output: &Digest| -> Vec<Digest> {
        let found = keys.get(output).map(Vec::as_slice).unwrap_or_default();
        let same_kind = found.iter().filter(|(_, of)| of == kind);
        same_kind.map(|(key, _)| *key).collect()
    };
    let mut made = made.iter();
    let Some(first) = made.next() else {
        return Vec::new();
    };
    made.fold(of(first), |mut left, output| {
        let those = of(output);
        left.retain(|key| those.contains(key));
        left
    })
}
