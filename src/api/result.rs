//! What a training answers.

use std::path::PathBuf;

use crate::recipe::Report;

/// The outcome of a training, as Rasa's `TrainingResult`.
#[derive(Clone, Debug, Default)]
pub struct TrainingResult {
    /// The archive; `None` after a dry run.
    pub model: Option<PathBuf>,
    /// 0 after a training. After a dry run 0 when nothing is stale, else the sum
    /// of 1 (Core), 2 (NLU) and 4 (responses), or 8 when training is forced.
    pub code: u8,
    /// Tasks that were run.
    pub ran: usize,
    /// Tasks whose result was fetched from the remote cache.
    pub fetched: usize,
    /// Tasks there are.
    pub tasks: usize,
    /// Whether the archive had to be written.
    pub is_new: bool,
    /// What a dry run found, task by task.
    pub dry_run_results: Option<Report>,
}
