//! Why a task has to run: one variant a reason, one sentence a variant.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::engine::ItemChange;

/// A reason why a task has to run, or may have to.
///
/// Reasons are the difference between what the task reads now and what its last
/// run in the same project read; both come from the description that the key is
/// hashed from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stale {
    /// No run of it is known.
    NeverRun,
    /// The user wants it to run.
    Forced,
    /// Under its name, another kind of task ran last time.
    KindChanged {
        /// The kind of the last run.
        old: String,
        /// The kind now.
        new: String,
    },
    /// The program computes it differently now.
    AlgorithmChanged {
        /// The version of the last run.
        old: u32,
        /// The version now.
        new: u32,
    },
    /// An option has another value.
    OptionChanged {
        /// The option.
        name: String,
        /// Its value in the last run; none if it had no such option.
        old: Option<Value>,
        /// Its value now; none if it is gone.
        new: Option<Value>,
        /// Where it is written, as `file:line`, or else its task; empty when
        /// unknown.
        place: String,
    },
    /// It reads something that it did not read before.
    InputAdded {
        /// As what it is read.
        role: String,
    },
    /// It no longer reads something.
    InputRemoved {
        /// As what it was read.
        role: String,
    },
    /// Something it reads has other contents.
    InputChanged {
        /// As what it is read.
        role: String,
        /// The task that made it; none for a value at hand.
        from: Option<String>,
        /// The pieces that changed; empty when the value has no known pieces.
        changes: Vec<ItemChange>,
    },
    /// Its last result is not in the cache any more, so that what changed since
    /// cannot be told either.
    ResultLost,
    /// Its result is known, but an output cannot be had any more.
    OutputLost {
        /// The output.
        output: String,
    },
    /// The remote cache had its result when the run was planned, and did not give
    /// it, or not what it should be.
    NotFetched,
    /// Tasks that it reads are stale; if their outputs come out the same, it is
    /// spared.
    Upstream {
        /// Their names.
        tasks: Vec<String>,
    },
    /// Another stale task of this run does the very same work, which this one
    /// will take over.
    SameAs {
        /// The name of the other task.
        task: String,
    },
}

/// Changed pieces that a sentence names; the rest is counted.
const PIECES_SHOWN: usize = 3;

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeverRun => f.write_str("never run before"),
            Self::Forced => f.write_str("forced"),
            Self::KindChanged { old, new } => write!(f, "was a `{old}`, is a `{new}`"),
            Self::AlgorithmChanged { old, new } => {
                write!(f, "its algorithm changed from version {old} to {new}")
            }
            Self::OptionChanged {
                name,
                old,
                new,
                place,
            } => {
                option_sentence(f, name, old, new)?;
                match place.is_empty() {
                    true => Ok(()),
                    false => write!(f, " ({place})"),
                }
            }
            Self::InputAdded { role } => write!(f, "also reads `{role}` now"),
            Self::InputRemoved { role } => write!(f, "no longer reads `{role}`"),
            Self::InputChanged {
                role,
                from,
                changes,
            } => input_sentence(f, role, from.as_deref(), changes),
            Self::ResultLost => f.write_str("its result is no longer in the cache"),
            Self::OutputLost { output } => write!(f, "its output `{output}` was lost"),
            Self::NotFetched => f.write_str("its result could not be fetched"),
            Self::Upstream { tasks } => names_sentence(f, tasks),
            Self::SameAs { task } => write!(f, "the same work as `{task}`"),
        }
    }
}

fn option_sentence(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    old: &Option<Value>,
    new: &Option<Value>,
) -> fmt::Result {
    match (old, new) {
        (Some(old), Some(new)) => write!(f, "option `{name}` changed from {old} to {new}"),
        (None, Some(new)) => write!(f, "option `{name}` is new: {new}"),
        (Some(old), None) => write!(f, "option `{name}` is gone, was {old}"),
        (None, None) => write!(f, "option `{name}` changed"),
    }
}

fn input_sentence(
    f: &mut fmt::Formatter<'_>,
    role: &str,
    from: Option<&str>,
    changes: &[ItemChange],
) -> fmt::Result {
    write!(f, "`{role}` changed")?;
    if let Some(task) = from {
        write!(f, " (made by `{task}`)")?;
    }
    for (index, change) in changes.iter().take(PIECES_SHOWN).enumerate() {
        let separator = if index == 0 { ": " } else { ", " };
        write!(f, "{separator}{change}")?;
    }
    if changes.len() > PIECES_SHOWN {
        write!(f, " and {} more", changes.len() - PIECES_SHOWN)?;
    }
    Ok(())
}

fn names_sentence(f: &mut fmt::Formatter<'_>, tasks: &[String]) -> fmt::Result {
    f.write_str("depends on ")?;
    for (index, task) in tasks.iter().take(PIECES_SHOWN).enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}`{task}`")?;
    }
    if tasks.len() > PIECES_SHOWN {
        write!(f, " and {} more", tasks.len() - PIECES_SHOWN)?;
    }
    Ok(())
}
