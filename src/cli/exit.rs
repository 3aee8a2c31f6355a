//! How the program ends: the exit codes and what they mean.

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;

use crate::api::Findings;
use crate::api::PortionError;
use crate::api::TrainError;
use crate::api::WorkspaceError;
use crate::archive::ArchiveError;
use crate::diagnostic::Severity;
use crate::import::ImportError;
use crate::remote::RemoteError;
use crate::store::CacheError;
use crate::store::Warning;

/// The exit codes, apart from those of a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// `train --dry-run` found something stale: its code, 1 to 8.
    Stale(u8),
    /// `diff` compared models that are not the same.
    Different,
    /// `test` found a model that is not as good as a gate asks for.
    BelowGate,
    /// The command line is wrong.
    Usage,
    /// The project's files, or a model, are wrong.
    BadInput,
    /// A file, folder or model is not there.
    NoInput,
    /// A task would need more memory than it may have.
    Memory,
    /// A bug in Tabella.
    Internal,
    /// Reading or writing failed.
    InputOutput,
    /// Ctrl-C or a termination signal.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

impl Exit {
    /// Returns the number that the program ends with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Stale(code) => code,
            Exit::Different => 1,
            Exit::BelowGate => 10,
            Exit::Usage => 64,
            Exit::BadInput => 65,
            Exit::NoInput => 66,
            Exit::Memory => 69,
            Exit::Internal => 70,
            Exit::InputOutput => 74,
            Exit::Interrupted => 130,
        }
    }

    /// Returns how the program ends after `error`.
    pub fn after(error: &TrainError) -> Self {
        match error {
            TrainError::Mistakes(findings) if all_is_missing(findings) => Exit::NoInput,
            TrainError::Mistakes(_)
            | TrainError::EndToEndNeedsNlu
            | TrainError::TooLong { .. }
            | TrainError::Pack(_) => Exit::BadInput,
            TrainError::NoFinetuning { .. }
            | TrainError::NoTask { .. }
            | TrainError::SeveralTasks { .. } => Exit::Usage,
            TrainError::NoTrainingData
            | TrainError::NoNluData
            | TrainError::NothingToTest
            | TrainError::NoStories
            | TrainError::NoDomain => Exit::NoInput,
            TrainError::Task { is_bug: true, .. } => Exit::Internal,
            TrainError::Tasks { failed, .. } if failed.iter().any(|one| one.is_bug) => {
                Exit::Internal
            }
            TrainError::Task { .. } | TrainError::Tasks { .. } | TrainError::Load { .. } => {
                Exit::BadInput
            }
            TrainError::MissingPart { .. } | TrainError::NoResults { .. } => Exit::BadInput,
            TrainError::Portion(error) => match (io_kind(error), error) {
                (Some(ErrorKind::NotFound), _) => Exit::NoInput,
                (_, PortionError::Read { .. }) => Exit::InputOutput,
                _ => Exit::BadInput,
            },
            TrainError::Import(error) => Self::after_import(error),
            TrainError::Archive(error) => Self::after_archive(error),
            TrainError::Workspace(error) => Self::after_workspace(error),
            TrainError::Cache(error) => Self::after_cache(error),
            TrainError::Write { .. } | TrainError::Threads(_) => Exit::InputOutput,
            TrainError::Remote(error) => Self::after_remote(error),
            TrainError::Memory { .. } => Exit::Memory,
            TrainError::Interrupted => Exit::Interrupted,
        }
    }

    fn after_import(error: &ImportError) -> Self {
        match io_kind(error) {
            Some(ErrorKind::NotFound) => Exit::NoInput,
            _ => Exit::InputOutput,
        }
    }

    fn after_remote(error: &RemoteError) -> Self {
        match error {
            RemoteError::Read { .. } => match io_kind(error) {
                Some(ErrorKind::NotFound) => Exit::NoInput,
                _ => Exit::InputOutput,
            },
            _ => Exit::Usage,
        }
    }

    fn after_workspace(error: &WorkspaceError) -> Self {
        match error {
            WorkspaceError::NoFile { .. }
            | WorkspaceError::NoGit
            | WorkspaceError::NoRepository { .. } => Exit::NoInput,
            WorkspaceError::Git { .. } | WorkspaceError::GitFailed { .. } => Exit::InputOutput,
            _ => Exit::Usage,
        }
    }

    /// Returns the worse of two ends, for a run with several.
    pub fn worse(self, other: Self) -> Self {
        let badness = |exit: Self| match exit {
            Exit::Done => 0,
            Exit::Stale(_) | Exit::Different | Exit::BelowGate => 1,
            Exit::Usage => 2,
            Exit::NoInput => 3,
            Exit::BadInput => 4,
            Exit::Memory => 5,
            Exit::InputOutput => 6,
            Exit::Internal => 7,
            Exit::Interrupted => 8,
        };
        if badness(other) > badness(self) {
            return other;
        }
        self
    }

    fn after_cache(error: &CacheError) -> Self {
        match error {
            CacheError::NoFolder | CacheError::NothingToExport { .. } => Exit::NoInput,
            CacheError::NotACache { .. }
            | CacheError::Bundle { .. }
            | CacheError::Occupied { .. } => Exit::BadInput,
            CacheError::Unusable(
                Warning::Newer { .. } | Warning::Foreign { .. } | Warning::Damaged { .. },
            ) => Exit::BadInput,
            CacheError::Read { .. } => match io_kind(error) {
                Some(ErrorKind::NotFound) => Exit::NoInput,
                _ => Exit::InputOutput,
            },
            _ => Exit::InputOutput,
        }
    }

    fn after_archive(error: &ArchiveError) -> Self {
        match error {
            ArchiveError::NoModel { .. } => Exit::NoInput,
            ArchiveError::ModelName { .. } => Exit::Usage,
            ArchiveError::Unusable { .. } | ArchiveError::Pointer { .. } => Exit::BadInput,
            _ => match io_kind(error) {
                Some(ErrorKind::NotFound) => Exit::NoInput,
                _ => Exit::InputOutput,
            },
        }
    }
}

/// Whether the only mistakes are paths that were named and do not exist.
fn all_is_missing(findings: &Findings) -> bool {
    let mut errors = findings
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .peekable();
    errors.peek().is_some() && errors.all(|diagnostic| diagnostic.code == "E003")
}

/// The kind of the system's error that caused `error`, if one did.
fn io_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::FailedTask;

    #[test]
    fn a_bug_in_any_of_the_tasks_that_failed_is_a_bug() {
        let tasks = |bugs: &[bool]| {
            let failed = bugs.iter().map(|is_bug| FailedTask {
                task: "nlu.0.WhitespaceTokenizer".to_owned(),
                message: "x".to_owned(),
                is_bug: *is_bug,
            });
            Exit::after(&TrainError::Tasks {
                failed: failed.collect(),
                skipped: Vec::new(),
            })
        };
        assert_eq!(tasks(&[false, true]), Exit::Internal);
        assert_eq!(tasks(&[false, false]), Exit::BadInput);
    }
}
