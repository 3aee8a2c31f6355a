//! How much memory the tasks of a training may take: what the process has beside
//! them is taken off the limit.

use std::sync::Arc;

use crate::api::MemoryLimit;
use crate::api::TrainError;
use crate::api::shared::SharedMemory;
use crate::api::training::Prepared;
use crate::engine::Budget;
use crate::engine::Held;
use crate::engine::Sizes;
use crate::engine::Task;
use crate::recipe::DataSize;

/// What a project in memory takes of each byte of its files, and what it takes at
/// least. A guess on the safe side: large projects were seen to take 3 to 4 bytes.
const PER_BYTE: u64 = 8;
const AT_LEAST: u64 = 1 << 20;

/// Estimates how many bytes a task takes.
type Estimate = dyn Fn(&Task, Sizes) -> u64 + Sync;

/// The memory of a training.
pub struct OwnMemory {
    /// What its tasks take from, together with those of others that run beside.
    pub budget: Arc<Budget>,
    /// Returns the estimate for a task, in bytes.
    pub estimate: Box<Estimate>,
    limit: MemoryLimit,
    /// What the process has beside tasks, in bytes.
    in_use: u64,
    /// The project itself, where it is one of several.
    _held: Option<Held>,
}

impl OwnMemory {
    /// Returns the memory of a project's training: its own, or its part of what
    /// several share.
    pub fn new(limit: MemoryLimit, shared: Option<SharedMemory>, prepared: &Prepared) -> Self {
        let size = DataSize::of(&prepared.recipe);
        let estimate = move |task: &Task, sizes: Sizes| size.memory_estimate(task, sizes);
        let (budget, in_use, held) = match shared {
            Some(SharedMemory { budget, in_use }) => {
                // What the process has now is of others, too.
                let own = footprint(prepared);
                let held = Arc::clone(&budget).hold(own);
                (budget, in_use + own, Some(held))
            }
            None => {
                let in_use = (limit.in_use)();
                let left = limit.max_bytes.saturating_sub(in_use);
                (Arc::new(Budget::new(left)), in_use, None)
            }
        };
        Self {
            budget,
            estimate: Box::new(estimate),
            limit,
            in_use,
            _held: held,
        }
    }

    /// Returns what a single task may need, in bytes.
    pub fn left(&self) -> u64 {
        self.limit.max_bytes.saturating_sub(self.in_use)
    }

    /// Returns that a task needs more.
    pub fn refusal(&self, task: String, estimate: u64, has_begun: bool) -> TrainError {
        TrainError::Memory {
            task,
            estimate,
            in_use: self.in_use,
            max_bytes: self.limit.max_bytes,
            has_begun,
        }
    }
}

/// Returns what a project is estimated to take in memory.
fn footprint(prepared: &Prepared) -> u64 {
    let stamps = prepared.looks.seen.values().filter_map(|look| look.stamp);
    let bytes: u64 = stamps.map(|stamp| stamp.size).sum();
    AT_LEAST + PER_BYTE * bytes
}
