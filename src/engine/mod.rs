//! Graph, key, plan, stale reasons, schedule, events.
//!
//! ```text
//!   recipe ──▶ Graph ──▶ [plan] ──▶ Plan ──▶ [execute] ──▶ Results
//!                          │                    │  │
//!                        store               store └──▶ Events
//! ```
//!
//! A [`Task`] is a pure function with declared inputs. Its key is the hash of
//! what it reads; a result found under the key is used instead of running it.
//! [`plan`] says what would run and why, [`execute`] does exactly that. What a
//! task computes is none of this room's business.
//!
//! # What is in a key
//!
//! | value | in the key? | why |
//! |---|---|---|
//! | task kind | yes | another function |
//! | algorithm version of the kind | yes | raised when the function's output changes |
//! | options | yes, canonical | after defaults, so that writing a default changes nothing |
//! | role and digest of each input | yes, sorted by role | what is read; the role says as what |
//! | key layout version | yes, as the hash context | a new layout must not meet old keys |
//! | task name, stage, project | no | the same work elsewhere has the same result |
//! | key of the task an input comes from | no | only its output counts: that is the early cut-off |
//! | paths, times, threads, host | no | they do not change the result |
//! | version of the program | no | a release would throw every result away |
//!
//! [`Task`]: crate::engine::Task
//! [`plan`]: crate::engine::plan()
//! [`execute`]: crate::engine::execute()

mod task;
mod items;
mod graph;
mod key;
mod stale;
mod compare;
mod plan;
mod explain;
mod history;
mod since;
mod event;
mod memory;
mod execute;
mod slot;
mod places;
mod results;
mod settle;
mod call;
mod reads;
mod closing;
mod remote;
mod remote_executor;
mod recheck;
#[cfg(test)]
mod tests;

pub use event::Event;
pub use event::EventLog;
pub use event::TaskRef;
pub use execute::CancelFlag;
pub use execute::OnFailure;
pub use execute::Outcome;
pub use execute::Settings;
pub use execute::execute;
pub use explain::PreImage;
pub use explain::Row;
pub use explain::RowPart;
pub use explain::RowState;
pub use explain::SideBySide;
pub use explain::pre_image;
pub use explain::side_by_side;
pub use graph::Graph;
pub use graph::TaskId;
pub use history::PastTime;
pub use history::past_times;
pub use items::Item;
pub use items::ItemChange;
pub use items::Items;
pub use key::KeySink;
pub use key::Manifest;
pub use key::ManifestInput;
pub use key::Part;
pub use key::key_of;
pub use memory::Budget;
pub use memory::Held;
pub use memory::Memory;
pub use memory::Sizes;
pub use memory::memory_estimates;
pub use places::Places;
pub use plan::Plan;
pub use plan::PlanSettings;
pub use plan::Planned;
pub use plan::State;
pub use plan::plan;
pub use plan::plan_with;
pub use reads::OutputError;
pub use recheck::Difference;
pub use recheck::Recheck;
pub use recheck::Verdict;
pub use recheck::recheck;
pub use recheck::sample;
pub use remote_executor::RemoteExecutor;
pub use remote_executor::RemoteTask;
pub use results::Results;
pub use since::since_outputs;
pub use stale::Stale;
pub use task::Input;
pub use task::Leaf;
pub use task::Outputs;
pub use task::Run;
pub use task::Source;
pub use task::Task;
pub use task::TaskContext;
pub use task::TaskError;
pub use task::TaskPlaces;
pub use task::Turn;
