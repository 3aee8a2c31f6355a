//! What is known of one task during a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::digest::Digest;
use crate::engine::Outcome;
use crate::engine::Outputs;
use crate::store::OutputRef;
use crate::store::StoredResult;

/// What is known of one task.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) outcome: Option<Outcome>,
    pub(super) key: Option<Digest>,
    pub(super) cost_ms: u64,
    pub(super) outputs: BTreeMap<String, OutputRef>,
    /// Bytes that are at hand.
    pub(super) bytes: BTreeMap<String, Arc<Vec<u8>>>,
    /// Whether the store has the result, so that bytes need not be held.
    pub(super) is_stored: bool,
    /// How many tasks that may still run read this one.
    pub(super) reader_count: usize,
}

impl Slot {
    pub(super) fn take_stored(&mut self, key: Digest, result: &StoredResult) {
        self.key = Some(key);
        self.cost_ms = result.cost_ms;
        self.outputs = result.outputs.clone();
        self.bytes.clear();
        self.is_stored = true;
    }

    pub(super) fn take_outputs(
        &mut self,
        key: Digest,
        outputs: Outputs,
        cost_ms: u64,
        is_stored: bool,
    ) {
        self.key = Some(key);
        self.cost_ms = cost_ms;
        self.is_stored = is_stored;
        let refs = outputs
            .iter()
            .map(|(name, bytes)| (name.clone(), OutputRef::of(bytes)));
        self.outputs = refs.collect();
        let bytes = outputs
            .into_iter()
            .map(|(name, bytes)| (name, Arc::new(bytes)));
        self.bytes = bytes.collect();
    }

    pub(super) fn outcome_name(&self) -> &'static str {
        match self.outcome {
            Some(Outcome::Reused) => "reused",
            Some(Outcome::Spared) => "spared",
            Some(Outcome::Fetched) => "fetched",
            Some(Outcome::Ran { .. }) => "ran",
            Some(Outcome::Failed { .. } | Outcome::TooLarge { .. }) => "failed",
            Some(Outcome::Skipped { .. }) | None => "skipped",
        }
    }
}
