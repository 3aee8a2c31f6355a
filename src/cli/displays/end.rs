//! How a round of training ended, of one project or of several assistants.

use std::path::Path;

use crate::api::MemberReport;
use crate::api::MemberState;
use crate::api::TrainError;
use crate::api::TrainingResult;
use crate::api::WorkspaceReport;
use crate::api::chain;
use crate::cli::amounts::Count;
use crate::cli::exit::Exit;

/// How a round ended.
pub struct End {
    /// How the program would end now.
    pub exit: Exit,
    /// Why it gave nothing, or not all.
    pub error: Option<String>,
    /// The archive of a project.
    pub model: Option<String>,
    /// Tasks that ran.
    pub ran: usize,
    /// Tasks there are.
    pub tasks: usize,
}

impl End {
    /// Returns the end of a project's training.
    pub fn of(exit: Exit, result: &Result<TrainingResult, TrainError>) -> Self {
        match result {
            Ok(result) => Self {
                exit,
                error: None,
                model: result.model.as_deref().map(shown),
                ran: result.ran,
                tasks: result.tasks,
            },
            Err(error) => Self::failed(exit, chain(error)),
        }
    }

    /// Returns the end of the training of assistants.
    pub fn of_all(exit: Exit, report: &WorkspaceReport) -> Self {
        let all = &report.assistants;
        let count = report.counts.get(&MemberState::Failed).copied();
        let failed = |count| format!("{count} of {} failed", Count(all.len(), "assistant"));
        // What is stale did not run.
        let ran = |one: &&MemberReport| one.state != MemberState::Stale;
        Self {
            exit,
            error: count.map(failed),
            model: None,
            ran: all.iter().filter(ran).map(|one| one.tasks.len()).sum(),
            tasks: all.iter().map(|one| one.task_count).sum(),
        }
    }

    /// Returns the end of a training that gave nothing.
    pub fn failed(exit: Exit, error: String) -> Self {
        Self {
            exit,
            error: Some(error),
            model: None,
            ran: 0,
            tasks: 0,
        }
    }
}

/// Returns a path as it is told: without `./`.
pub fn shown(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}
