//! Many assistants at once: which there are, which are meant, which a change
//! affects, and what training or looking at each of them gives.
//!
//! ```text
//!   tabella.yml ──▶ Members ──▶ select ──▶ affected ──▶ roll ──▶ crew ──▶ MemberReport each
//!                                             ▲
//!                         git, list of files ─┘
//! ```
//!
//! An assistant is trained as if it were alone in its folder, by the same
//! function and to the same archive. What is shared is the cache, opened once,
//! the threads, and by that the work: a task that several assistants have in
//! common runs in the first that comes to it, and the others wait and find its
//! result.
//!
//! Assistants that have nothing to do are found first, all at once, by witnesses of
//! their last runs. Of the others only as many are in memory as run side by side.

mod error;
mod open;
mod select;
mod member;
mod report;
mod turns;
mod guard;
mod roll;
mod crew;
mod changes;
mod git;
mod reads;
mod affected;
mod validate;

pub use affected::AFFECTED_REPORT_VERSION;
pub use affected::AffectedMember;
pub use affected::AffectedReport;
pub use affected::affected_members;
pub use changes::Changes;
pub use crew::WorkspaceOptions;
pub use crew::train_members;
pub use error::UnknownName;
pub use error::WorkspaceError;
pub use open::OpenWorkspace;
pub use open::WORKSPACE_FILE;
pub use open::open_workspace;
pub use report::MemberReport;
pub use report::MemberState;
pub use report::MemberTask;
pub use report::WORKSPACE_REPORT_VERSION;
pub use report::WorkspaceReport;
pub use turns::MemberNotice;
pub use turns::MemberObserver;
pub use validate::MemberValidation;
pub use validate::SharedFinding;
pub use validate::ValidatedMember;
pub use validate::ValidatedMembers;
pub use validate::validate_members;
