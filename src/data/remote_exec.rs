//! How tasks run on the machines behind a remote cache: what `--remote-exec` or
//! `exec:` below `remote:` of `tabella.yml` says.

use std::num::NonZeroUsize;

use serde::Deserialize;
use serde::Serialize;

/// How tasks run on other machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteExec {
    /// How many may run there at once, of all assistants of a workspace
    /// together, but at least one for each that is under way.
    pub jobs: NonZeroUsize,
    /// What the machines must be: names and values that the server knows.
    pub properties: Vec<(String, String)>,
    /// How long a task may run there, in milliseconds.
    pub task_timeout_ms: u64,
    /// How long a task may wait for a machine there, in milliseconds.
    pub queue_timeout_ms: u64,
    /// Which tasks the server runs first: those with smaller numbers; 0 is usual.
    pub priority: i32,
}

impl RemoteExec {
    /// Default of [`RemoteExec::jobs`].
    pub const JOBS: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not 0");

    /// Default of [`RemoteExec::task_timeout_ms`].
    pub const TASK_TIMEOUT_MS: u64 = 3_600_000;

    /// Default of [`RemoteExec::queue_timeout_ms`].
    pub const QUEUE_TIMEOUT_MS: u64 = 600_000;
}

impl Default for RemoteExec {
    fn default() -> Self {
        Self {
            jobs: Self::JOBS,
            properties: Vec::new(),
            task_timeout_ms: Self::TASK_TIMEOUT_MS,
            queue_timeout_ms: Self::QUEUE_TIMEOUT_MS,
            priority: 0,
        }
    }
}
