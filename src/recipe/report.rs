//! What a dry run tells: every task, whether it is stale and why, and the code
//! that Rasa 2.4 would answer with.

use serde::Serialize;

use crate::digest::Digest;
use crate::engine::PastTime;
use crate::engine::Stale;
use crate::recipe::Part;

/// The version of the report's JSON form (`schemas/dry-run.schema.json`).
pub const REPORT_VERSION: u32 = 2;

/// The plan of a training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub report_version: u32,
    /// 0 when nothing is stale, the sum of the stale parts' codes, or 8.
    pub code: u8,
    /// The stale parts.
    pub parts: Vec<Part>,
    /// One sentence for each part, as Rasa words it, or for why there is
    /// nothing to do.
    pub texts: Vec<String>,
    /// Tasks that will run, not counting those that may be spared.
    pub stale_count: usize,
    /// What the stale tasks took when they ran last, in milliseconds; `None`
    /// when that is not known of any of them.
    pub estimate_ms: Option<u64>,
    /// Every task in the order of the graph.
    pub tasks: Vec<TaskReport>,
}

/// One task of a plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskReport {
    /// Name, such as `nlu.4.DIETClassifier`.
    pub name: String,
    /// Stage, such as `train NLU`.
    pub stage: String,
    /// Which function it is, such as `nlu.diet`.
    pub kind: String,
    /// Its key; none while an input is unknown.
    pub key: Option<Digest>,
    /// Names of the tasks that it reads, in the order of the graph.
    pub reads: Vec<String>,
    /// Whether it will run.
    pub state: TaskState,
    /// Why, one sentence a reason.
    pub why: Vec<String>,
    /// The same reasons as data.
    pub reasons: Vec<Stale>,
    /// How long it took last, in milliseconds.
    pub last_ms: Option<u64>,
    /// How many bytes are fetched for it, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch_size: Option<u64>,
    /// How long it took in past runs, the newest first; only in a status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<Vec<PastTime>>,
}

/// Whether a task will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Its result is in the cache.
    Fresh,
    /// Its result is in the remote cache, and will be fetched.
    Remote,
    /// It will run.
    Stale,
    /// It depends on a stale task, and will run unless that comes out the same.
    MayBeSpared,
}
