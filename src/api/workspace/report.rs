//! What came of each assistant of a workspace.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::TrainError;
use crate::diagnostic::Diagnostic;

/// The version of the report's JSON form
/// (`schemas/workspace-report.schema.json`).
pub const WORKSPACE_REPORT_VERSION: u32 = 1;

/// What came of training assistants, or of looking at them.
#[derive(Debug, Serialize)]
pub struct WorkspaceReport {
    /// [`WORKSPACE_REPORT_VERSION`].
    pub report_version: u32,
    /// The workspace file.
    pub workspace: String,
    /// All codes of dry runs, as bits: 0 when nothing is stale, or after a
    /// training.
    pub code: u8,
    /// How many assistants there are in each state that some are in.
    pub counts: BTreeMap<MemberState, usize>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The assistants, in the order of the workspace.
    pub assistants: Vec<MemberReport>,
}

/// What came of one assistant.
#[derive(Debug, Serialize)]
pub struct MemberReport {
    /// Its name.
    pub name: String,
    /// Its folder, from that of the workspace.
    pub folder: String,
    /// Its config, from the folder of the workspace.
    pub config: String,
    /// How it is now.
    pub state: MemberState,
    /// The code of a dry run, as of one assistant; 0 after a training.
    pub code: u8,
    /// The archive; none after a dry run or a failure.
    pub model: Option<String>,
    /// How many tasks it has; 0 if its files could not be read.
    pub task_count: usize,
    /// Tasks that ran or, after a dry run, would, with the reasons; in the order
    /// in which they started, or that of the graph.
    pub tasks: Vec<MemberTask>,
    /// What the stale tasks took when they ran last, in milliseconds; only after
    /// a dry run, if it is known of any of them.
    pub estimate_ms: Option<u64>,
    /// How long it took, in milliseconds, time spent on waiting for others that
    /// do the same work included.
    pub ms: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// The mistakes that kept it from being trained.
    pub diagnostics: Vec<Diagnostic>,
    /// The failure itself.
    #[serde(skip)]
    pub failure: Option<Box<TrainError>>,
}

/// A task that ran or would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberTask {
    /// Name, such as `nlu.4.DIETClassifier`.
    pub name: String,
    /// Why, one sentence a reason.
    pub why: Vec<String>,
}

/// How an assistant is after the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// Tasks ran, and the archive is in its place.
    Trained,
    /// No task ran, but the archive had to be written.
    Restored,
    /// No task ran, and the archive was there.
    UpToDate,
    /// A dry run found nothing stale.
    Fresh,
    /// A dry run found something stale.
    Stale,
    /// It failed; there is no new archive.
    Failed,
    /// Its turn did not come: another failed, or the run was interrupted.
    NotStarted,
}

impl WorkspaceReport {
    /// Returns the report on these assistants.
    pub(super) fn new(workspace: String, assistants: Vec<MemberReport>, ms: u64) -> Self {
        let mut counts = BTreeMap::new();
        for member in &assistants {
            *counts.entry(member.state).or_default() += 1;
        }
        Self {
            report_version: WORKSPACE_REPORT_VERSION,
            workspace,
            code: assistants.iter().fold(0, |code, member| code | member.code),
            counts,
            ms,
            assistants,
        }
    }
}
