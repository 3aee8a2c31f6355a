//! Why a training gave nothing.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::api::Findings;
use crate::api::PortionError;
use crate::api::WorkspaceError;
use crate::archive::ArchiveError;
use crate::archive::Flaw;
use crate::diagnostic::Severity;
use crate::import::ImportError;
use crate::recipe::ContentError;
use crate::remote::RemoteError;
use crate::store::CacheError;

/// The longest message that is parsed, in bytes. Networks compare each word with
/// each other, so that time and memory grow with the square of the words.
pub const MAX_MESSAGE_SIZE: usize = 16 * 1024;

/// A training, or the use of a model, that could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The project's files hold mistakes; nothing was trained.
    #[error("{}", mistakes(.0))]
    Mistakes(Arc<Findings>),
    /// A file could not be read.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// There is neither NLU data nor a story or rule.
    ///
    /// Differs from Rasa: 2.4 prints this and exits with 0.
    #[error(
        "no training data; give files or folders with NLU examples, stories or rules with `--data`"
    )]
    NoTrainingData,
    /// `train_nlu` found no NLU data.
    #[error("no NLU data; give files or folders with `nlu:` sections with `--nlu`")]
    NoNluData,
    /// Every message is the only one of its intent: what is tested with could not
    /// have been learned.
    #[error(
        "nothing to test with: each message is the only one of its intent; give intents with two or more"
    )]
    NothingToTest,
    /// `train_core` found neither a story nor a rule.
    #[error("no stories or rules; give files or folders with `--stories`")]
    NoStories,
    /// `train_core` has no domain to train for.
    #[error("no valid domain, which Core training needs; give one with `--domain`")]
    NoDomain,
    /// Stories with texts were given to `train_core`, which has no NLU part.
    #[error("stories with `user:` or `bot:` texts need the NLU part too; use `tabella train`")]
    EndToEndNeedsNlu,
    /// Finetuning was asked for.
    #[error("finetuning is not there yet; train without a model to finetune: `{}`", model.display())]
    NoFinetuning {
        /// The model that was given.
        model: PathBuf,
    },
    /// A task failed.
    #[error("`{task}` failed: {message}")]
    Task {
        /// The task's name.
        task: String,
        /// What it says.
        message: String,
        /// Whether the mistake is ours: no change of the project is asked for.
        is_bug: bool,
    },
    /// Tasks failed, and what does not depend on them was done.
    #[error("{}", failures(failed, skipped))]
    Tasks {
        /// The tasks that failed, in the order of the graph; at least one.
        failed: Vec<FailedTask>,
        /// The tasks that did not run for it, in the order of the graph.
        skipped: Vec<SkippedTask>,
    },
    /// A task needs more memory than there may be, by estimate.
    #[error(
        "`{task}` is estimated to need {}, beside {} that the program has already: more than the \
         {} allowed; {} run",
        mebibytes(estimate),
        mebibytes(in_use),
        mebibytes(max_bytes),
        if *has_begun { "it was not" } else { "nothing was" }
    )]
    Memory {
        /// The task that needs most.
        task: String,
        /// How much, in bytes.
        estimate: u64,
        /// What the process has before any task runs, in bytes.
        in_use: u64,
        /// How much it may have.
        max_bytes: u64,
        /// Whether others ran: it was not known that this one would have to.
        has_begun: bool,
    },
    /// No task is called so.
    #[error("there is no task `{word}`; {}", instead(meant, tasks))]
    NoTask {
        /// What was asked for.
        word: String,
        /// What was probably meant.
        meant: Option<String>,
        /// All tasks.
        tasks: Vec<String>,
    },
    /// More than one task could be meant.
    #[error(
        "`{word}` could be {}; say more, or use a pattern with `*`",
        quoted(tasks)
    )]
    SeveralTasks {
        /// What was asked for.
        word: String,
        /// The tasks that could be meant.
        tasks: Vec<String>,
    },
    /// A question about a workspace has no answer.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The archive could not be written or read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file is not the portion of a project that a step needs.
    #[error(transparent)]
    Portion(#[from] PortionError),
    /// A step was not given what steps before it make.
    #[error(
        "there is no result of {} in {}: give the files that `tabella exec train` made from the portions \
         of the same `tabella exec import`",
        listed(tasks),
        among(given)
    )]
    NoResults {
        /// The tasks whose results are missing.
        tasks: Vec<String>,
        /// The files that were given.
        given: Vec<PathBuf>,
    },
    /// A command about the cache could not be done.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The model cannot be packed.
    #[error("the model cannot be packed: {0}")]
    Pack(#[from] Flaw),
    /// A component of the archive is not what it should be.
    #[error("`{component}` of the model cannot be loaded: {reason}")]
    Load {
        /// The component.
        component: String,
        /// Why not.
        reason: String,
    },
    /// The model has no part that the use needs.
    #[error("the model has no {part} part: `{}`", model.display())]
    MissingPart {
        /// The part, as the user calls it.
        part: &'static str,
        /// The model.
        model: PathBuf,
    },
    /// The system gives no threads to compute with.
    #[error("cannot start threads")]
    Threads(#[source] rayon::ThreadPoolBuildError),
    /// The remote cache that was asked for cannot be one.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The run was interrupted; results of finished tasks are kept.
    #[error("interrupted; what was finished is kept")]
    Interrupted,
    /// A message is longer than a model reads.
    #[error("the message has {size} bytes; at most {MAX_MESSAGE_SIZE} are read")]
    TooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// A folder could not be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// A task that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedTask {
    /// The task's name.
    pub task: String,
    /// What it says.
    pub message: String,
    /// Whether the mistake is ours.
    pub is_bug: bool,
}

impl FailedTask {
    /// Returns the failure of `task` with what the engine says of it.
    pub(super) fn new(task: String, message: String) -> Self {
        let is_bug = message.starts_with("panicked");
        let message = match is_bug {
            true => format!("{message}: a bug in Tabella, please report it with these lines"),
            false => message,
        };
        Self {
            task,
            message,
            is_bug,
        }
    }
}

/// A task that did not run because another failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedTask {
    /// The task's name.
    pub task: String,
    /// The failed task that it depends on.
    pub because: Option<String>,
}

impl From<FailedTask> for TrainError {
    fn from(failed: FailedTask) -> Self {
        Self::Task {
            task: failed.task,
            message: failed.message,
            is_bug: failed.is_bug,
        }
    }
}

/// How many names a message has, before it only counts.
const LISTED: usize = 3;

fn listed(tasks: &[String]) -> String {
    let first: Vec<String> = tasks
        .iter()
        .take(LISTED)
        .map(|one| format!("`{one}`"))
        .collect();
    match tasks.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more tasks", first.join(", ")),
    }
}

fn among(files: &[PathBuf]) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|file| format!("`{}`", file.display()))
        .collect();
    match files.is_empty() {
        true => "no file at all".to_owned(),
        false => files.join(", "),
    }
}

/// All that failed and all that was skipped, a line each below a first one.
fn failures(failed: &[FailedTask], skipped: &[SkippedTask]) -> String {
    let mut text = match failed.len() {
        1 => "1 task failed".to_owned(),
        count => format!("{count} tasks failed"),
    };
    match skipped.len() {
        0 => {}
        1 => text.push_str(", and 1 did not run for it"),
        count => text.push_str(&format!(", and {count} did not run for it")),
    }
    for one in failed {
        text.push_str(&format!("\n  failed  {}: {}", one.task, one.message));
    }
    for one in skipped {
        let because = match &one.because {
            Some(task) => format!("`{task}` failed"),
            None => "the run was stopped".to_owned(),
        };
        text.push_str(&format!("\n  skipped {}: {because}", one.task));
    }
    text
}

impl From<ContentError> for TrainError {
    fn from(error: ContentError) -> Self {
        Self::Load {
            component: error.file,
            reason: error.reason,
        }
    }
}

fn mebibytes(bytes: &u64) -> String {
    format!("{:.1} MiB", *bytes as f64 / f64::from(1 << 20))
}

/// How many mistakes there are, as the last line after they were shown.
fn mistakes(findings: &Findings) -> String {
    let errors = findings
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .count();
    let warnings = findings
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Warning)
        .count();
    match errors {
        0 if warnings == 1 => {
            "1 warning in the project's files, and none is allowed; nothing was done".to_owned()
        }
        0 => format!(
            "{warnings} warnings in the project's files, and none is allowed; nothing was done"
        ),
        1 => "1 mistake in the project's files; nothing was done".to_owned(),
        _ => format!("{errors} mistakes in the project's files; nothing was done"),
    }
}

/// Names that a message lists.
const NAMES_LISTED: usize = 20;

fn instead(meant: &Option<String>, tasks: &[String]) -> String {
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", quoted(tasks)),
    }
}

fn quoted(names: &[String]) -> String {
    let listed = names.iter().take(NAMES_LISTED);
    let listed: Vec<String> = listed.map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(NAMES_LISTED) {
        None | Some(0) => listed.join(", "),
        Some(more) => format!("{} and {more} more", listed.join(", ")),
    }
}

/// Returns `error` and its causes as one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
