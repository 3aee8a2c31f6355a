//! How much memory a task is estimated to take.
//!
//! What a network takes while it trains follows from its weights: themselves,
//! their gradients and the two moments of Adam, and what is packed beside them;
//! and from the features of all examples, decoded and put in numbers. The weights
//! are known from the last run of the same task; of one that never ran those of
//! the default options are assumed, whatever its own are: a wider network is
//! underestimated until it has run, and a narrower one overestimated.
//!
//! The factors were fitted to the growth of the process while it trained three
//! assistants of 160 to 500 examples with default networks, one task at a time:
//! on those three they came within a fifth, mostly above. Nothing was measured of
//! other networks, of larger data, or of tasks that run side by side.

use crate::engine::Sizes;
use crate::engine::Task;

/// A mebibyte.
const MIB: u64 = 1 << 20;

/// Returns the estimate for `task`, in bytes.
pub fn memory_estimate(task: &Task, sizes: Sizes) -> u64 {
    let weights = |default: u64| sizes.outputs.unwrap_or(default);
    match task.kind {
        "nlu.diet" | "nlu.response_selector" => 5 * weights(12 * MIB) + 14 * sizes.inputs,
        "core.ted" => 6 * weights(MIB) + 150 * sizes.inputs,
        // It holds what it packs, and the archive.
        "package" => 2 * weights(MIB) + 2 * sizes.inputs,
        _ => weights(MIB) + 10 * sizes.inputs + MIB,
    }
}
