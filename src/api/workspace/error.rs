//! Why assistants of a workspace could not be found or told apart.

use std::io;
use std::path::PathBuf;

/// What was asked of a workspace and cannot be answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkspaceError {
    /// There is no workspace file.
    #[error(
        "there is no `tabella.yml` in `{}` or a folder above it, which would list the assistants",
        from.display()
    )]
    NoFile {
        /// Where the search began.
        from: PathBuf,
    },
    /// Names that no assistant has, or patterns that take none.
    #[error("{}", unknown(words, names))]
    Unknown {
        /// What was asked for.
        words: Vec<UnknownName>,
        /// All names there are.
        names: Vec<String>,
    },
    /// The program `git` is not there.
    #[error("there is no program `git` to ask what changed; give a list with `--changed`")]
    NoGit,
    /// Git could not be started.
    #[error("cannot start `git`")]
    Git {
        /// Why.
        source: io::Error,
    },
    /// The workspace is in no repository that git opens.
    #[error("git finds no repository in `{}`: {said}", folder.display())]
    NoRepository {
        /// The workspace's folder.
        folder: PathBuf,
        /// What git says.
        said: String,
    },
    /// Git does not know the revision.
    #[error(
        "git knows no revision `{revision}` here; a shallow clone has few: fetch more of the history"
    )]
    UnknownRevision {
        /// What was asked for.
        revision: String,
    },
    /// Git failed.
    #[error("git failed: {said}")]
    GitFailed {
        /// What it says.
        said: String,
    },
}

/// A name that no assistant has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// What was asked for.
    pub word: String,
    /// What was probably meant.
    pub meant: Option<String>,
}

/// Names that a message lists.
const NAMES_LISTED: usize = 20;

fn unknown(words: &[UnknownName], names: &[String]) -> String {
    let said = words.iter().map(|unknown| match &unknown.meant {
        Some(meant) => format!("`{}` (did you mean `{meant}`?)", unknown.word),
        None => format!("`{}`", unknown.word),
    });
    let said: Vec<String> = said.collect();
    let said = format!("the workspace has no assistant {}", said.join(", "));
    if words.iter().all(|unknown| unknown.meant.is_some()) {
        return said;
    }
    let listed = names.iter().take(NAMES_LISTED);
    let listed: Vec<String> = listed.map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMES_LISTED) {
        0 => format!("{said}; there are {}", listed.join(", ")),
        more => format!("{said}; there are {} and {more} more", listed.join(", ")),
    }
}
