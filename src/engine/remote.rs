//! Results of others: fetched before a run where the plan found them, during it
//! where a key was not known before; and offered when a task ran.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use crate::digest::Digest;
use crate::engine::Event;
use crate::engine::Manifest;
use crate::engine::Outcome;
use crate::engine::Outputs;
use crate::engine::Plan;
use crate::engine::Planned;
use crate::engine::TaskId;
use crate::engine::compare::MANIFEST;
use crate::engine::results::Results;
use crate::store::NewResult;
use crate::store::RemoteBlob;
use crate::store::RemoteResult;
use crate::store::RemoteStore;

/// Results that are fetched at the same time.
const SIDE_BY_SIDE: usize = 8;

/// What came of fetching a result.
#[derive(Clone)]
enum Brought {
    /// It is in the store.
    Stored,
    /// It is here, and the store does not keep it.
    Held(Arc<Outputs>),
}

/// The bytes of a result by name: of its outputs, and of its description.
type Bytes = (Outputs, BTreeMap<String, Vec<u8>>);

impl Results<'_> {
    /// Fetches what the plan found elsewhere. Returns for each task whether it is
    /// settled: those are not whose result did not come, and those below them,
    /// as what they read may come out differently.
    pub(crate) fn bring(&self, plan: &Plan) -> Vec<bool> {
        let brought = match self.remote {
            Some(remote) => self.bring_all(remote, plan),
            None => HashMap::new(),
        };
        let mut is_settled: Vec<bool> = Vec::with_capacity(self.graph.len());
        for planned in plan.tasks() {
            let mut upstreams = self.graph.upstreams(planned.id).into_iter();
            let is_below = upstreams.any(|above: TaskId| !is_settled[above.index()]);
            let came = planned.key.and_then(|key| brought.get(&key));
            let is_here = match (planned.is_fresh(), planned.remote.is_some(), came) {
                (true, ..) => true,
                (false, true, Some(came)) if !is_below => {
                    self.settle_brought(planned, came);
                    true
                }
                _ => false,
            };
            is_settled.push(is_here && !is_below);
        }
        self.warnings();
        is_settled
    }

    /// Fetches each result once, several at a time.
    fn bring_all(&self, remote: &dyn RemoteStore, plan: &Plan) -> HashMap<Digest, Brought> {
        let mut wanted: Vec<&Planned> = Vec::new();
        let mut keys = BTreeSet::new();
        for planned in plan.tasks() {
            if planned.remote.is_some() && planned.key.is_some_and(|key| keys.insert(key)) {
                wanted.push(planned);
            }
        }
        // The last ones are what the archive is made of.
        let left = Mutex::new(wanted);
        let brought = Mutex::new(HashMap::new());
        let take = || left.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let work = || {
            while let Some(planned) = take() {
                if self.cancel.is_set() {
                    return;
                }
                let (Some(key), Some(result)) = (planned.key, &planned.remote) else {
                    continue;
                };
                if let Some(came) = self.bring_one(remote, planned.id, key, result) {
                    let mut brought = brought.lock().unwrap_or_else(PoisonError::into_inner);
                    brought.insert(key, came);
                }
            }
        };
        let count = keys.len().min(SIDE_BY_SIDE);
        thread::scope(|scope| {
            for _ in 0..count {
                scope.spawn(work);
            }
        });
        brought.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches a result, checks that it is of this key, and stores it.
    fn bring_one(
        &self,
        remote: &dyn RemoteStore,
        id: TaskId,
        key: Digest,
        result: &RemoteResult,
    ) -> Option<Brought> {
        let (outputs, manifest) = fetched(remote, key, result)?;
        let is_stored = self.record(
            id,
            &NewResult {
                key,
                kind: self.graph.task(id).kind,
                outputs: &outputs,
                manifest: &manifest,
                cost_ms: result.cost_ms,
            },
        );
        if !is_stored {
            return Some(Brought::Held(Arc::new(outputs)));
        }
        let names = result.blobs().into_iter();
        let names = names.map(|blob| (blob.output.digest, blob.sha256));
        self.store.keep_sha256(names);
        Some(Brought::Stored)
    }

    /// Settles a task with what was fetched for it.
    fn settle_brought(&self, planned: &Planned, came: &Brought) {
        let (Some(key), Some(result)) = (planned.key, &planned.result) else {
            return;
        };
        let mut slot = self.slot(planned.id);
        match came {
            Brought::Stored => slot.take_stored(key, result),
            Brought::Held(outputs) => {
                let outputs = Outputs::clone(outputs);
                slot.take_outputs(key, outputs, result.cost_ms, false);
            }
        }
        slot.outcome = Some(Outcome::Fetched);
        drop(slot);
        for upstream in self.graph.upstreams(planned.id) {
            self.release(upstream);
        }
        self.tell_fetched(planned.id);
    }

    /// Tells that a task's result was fetched.
    pub(super) fn tell_fetched(&self, id: TaskId) {
        let sizes = self.digests(id).into_values().map(|output| output.size);
        self.emit(Event::Fetched {
            task: self.task_ref(id),
            size: sizes.sum(),
        });
    }

    /// Uses the result that others have under a key that was not known when the
    /// run was planned, if there is one.
    pub(super) fn take_remote(&self, id: TaskId, key: Digest) -> bool {
        let Some(remote) = self.remote else {
            return false;
        };
        let Some(result) = remote.look_up(&[key]).remove(&key) else {
            return false;
        };
        match self.bring_one(remote, id, key, &result) {
            Some(Brought::Stored) => self.take_found(id, key),
            Some(Brought::Held(outputs)) => {
                let outputs = Outputs::clone(&outputs);
                let is_whole = self.has_required(id, &outputs);
                if is_whole {
                    let cost_ms = result.cost_ms;
                    self.slot(id).take_outputs(key, outputs, cost_ms, false);
                }
                is_whole
            }
            None => false,
        }
    }

    /// Offers what a task gave to others; its outputs are in its slot.
    pub(super) fn offer(&self, id: TaskId, key: Digest, manifest: BTreeMap<String, Vec<u8>>) {
        let Some(remote) = self.remote.filter(|remote| remote.takes_offers()) else {
            return;
        };
        let (outputs, cost_ms) = {
            let slot = self.slot(id);
            (slot.bytes.clone(), slot.cost_ms)
        };
        let manifest = manifest.into_iter();
        let manifest = manifest.map(|(name, one)| (name, Arc::new(one))).collect();
        let kind = self.graph.task(id).kind;
        remote.offer(self.store.offer(key, kind, [outputs, manifest], cost_ms));
    }
}

/// Returns the bytes of a result; none if one cannot be had, or what describes the
/// key describes another.
fn fetched(remote: &dyn RemoteStore, key: Digest, result: &RemoteResult) -> Option<Bytes> {
    let blobs = result.blobs();
    let bytes = remote.fetch(&blobs)?;
    let names = blobs.iter().map(|blob| blob.output.digest);
    let mut by_digest: HashMap<Digest, Vec<u8>> = names.zip(bytes).collect();
    let mut uses: HashMap<Digest, usize> = HashMap::new();
    for blob in result.outputs.values().chain(result.manifest.values()) {
        *uses.entry(blob.output.digest).or_default() += 1;
    }
    let mut named = |all: &BTreeMap<String, RemoteBlob>| -> Option<BTreeMap<String, Vec<u8>>> {
        let all = all.iter().map(|(name, blob)| {
            let digest = blob.output.digest;
            let left = uses.get_mut(&digest)?;
            *left -= 1;
            // Most are the only ones of their bytes, and need no copy.
            let bytes = match *left {
                0 => by_digest.remove(&digest)?,
                _ => by_digest.get(&digest)?.clone(),
            };
            Some((name.clone(), bytes))
        });
        all.collect()
    };
    let (outputs, manifest) = (named(&result.outputs)?, named(&result.manifest)?);
    let described = manifest.get(MANIFEST);
    let described = described.and_then(|bytes| serde_json::from_slice::<Manifest>(bytes).ok());
    if described.is_none_or(|manifest| manifest.key() != key) {
        remote.refuse("a result stands under a key that is not its own");
        return None;
    }
    Some((outputs, manifest))
}
