//! What a model is worth, told from its answers to labelled messages.
//!
//! ```text
//! messages ─▶ model ─▶ answers ─┬▶ scores ─▶ gates
//!                               └▶ report files: JSON, confusion, histograms
//! ```
//!
//! Which messages a model is asked is the caller's: a test set, or each fold of
//! its training data in turn ([`folds`]).

mod answers;
mod calibration;
mod confusion;
mod files;
mod folds;
mod gate;
mod histogram;
mod picture;
mod scores;

pub use answers::Answer;
pub use answers::Answers;
pub use answers::Choice;
pub use calibration::Bin;
pub use calibration::Calibration;
pub use confusion::Confusion;
pub use files::ReportFiles;
pub use files::ReportFlags;
pub use files::report_files;
pub use files::report_names;
pub use folds::folds;
pub use gate::Bound;
pub use gate::Gate;
pub use gate::GateError;
pub use gate::Verdict;
pub use histogram::histogram;
pub use picture::Anchor;
pub use picture::Color;
pub use picture::Direction;
pub use picture::Picture;
pub use scores::Averages;
pub use scores::NluScores;
pub use scores::OutOfScope;
