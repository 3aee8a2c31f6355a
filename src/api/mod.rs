//! `train` and its siblings, with Rasa's names and defaults.
//!
//! ```text
//!   options ──▶ import ──▶ situation ──▶ recipe ──▶ plan ──▶ execute ──▶ archive in place
//!                                                    └────▶ dry_run_result
//! ```
//!
//! The functions are those of Rasa 2.4's `rasa.train`; what differs says so. A
//! call reads the project's folder and the cache it is given, and nothing else
//! of its surroundings. What happens meanwhile is told to an [`Observer`].

mod shared;
mod options;
mod notice;
mod error;
mod result;
mod situation;
mod checks;
mod training;
mod witness;
mod train;
mod task_name;
mod status;
mod validate;
mod assistant;
mod evaluate;
mod cache;
mod model_check;
mod model_explained;
mod diff;
mod workspace;

pub use assistant::Assistant;
pub use cache::AgeGroup;
pub use cache::CacheCheck;
pub use cache::CacheExport;
pub use cache::CacheStats;
pub use cache::HitRate;
pub use cache::KindStats;
pub use cache::Largest;
pub use cache::RecheckReport;
pub use cache::RecheckVerdict;
pub use cache::RecheckedOutput;
pub use cache::cache_stats;
pub use cache::check_cache;
pub use cache::clear_cache;
pub use cache::collect_cache;
pub use cache::export_cache;
pub use cache::import_cache;
pub use checks::Validation;
pub use diff::Answer;
pub use diff::AnswerDiff;
pub use diff::DIFF_VERSION;
pub use diff::DiffOptions;
pub use diff::FieldDiff;
pub use diff::FileDiff;
pub use diff::MessageFlip;
pub use diff::ModelDiff;
pub use diff::StoryDiff;
pub use diff::StoryFlip;
pub use diff::TensorDiff;
pub use diff::TensorState;
pub use diff::TurnFlip;
pub use diff::diff;
pub use error::MAX_MESSAGE_SIZE;
pub use error::TrainError;
pub use error::chain;
pub use evaluate::CoreScores;
pub use evaluate::NluScores;
pub use evaluate::test_core;
pub use evaluate::test_nlu;
pub use model_check::ModelCheck;
pub use model_check::ModelProblem;
pub use model_check::check_model;
pub use model_explained::ModelExplanation;
pub use model_explained::TaskSince;
pub use model_explained::explain_model;
pub use notice::Findings;
pub use notice::Notice;
pub use notice::Observer;
pub use options::CacheSettings;
pub use options::CoreArguments;
pub use options::DEFAULT_AUGMENTATION;
pub use options::NluArguments;
pub use options::RunSettings;
pub use options::TrainCoreOptions;
pub use options::TrainNluOptions;
pub use options::TrainOptions;
pub use result::TrainingResult;
pub use shared::Shared;
pub use status::TaskExplanation;
pub use status::TaskKey;
pub use status::explain;
pub use status::keys;
pub use status::status;
pub use train::dry_run_result;
pub use train::handle_domain_if_not_exists;
pub use train::train;
pub use train::train_async;
pub use train::train_core;
pub use train::train_core_async;
pub use train::train_core_result;
pub use train::train_nlu;
pub use train::train_nlu_async;
pub use train::train_nlu_result;
pub use training::in_project;
pub use validate::Subject;
pub use validate::ValidateOptions;
pub use validate::Validated;
pub use validate::validate;
pub use witness::WitnessSettings;
pub use workspace::MemberNotice;
pub use workspace::MemberObserver;
pub use workspace::MemberReport;
pub use workspace::MemberState;
pub use workspace::MemberTask;
pub use workspace::OpenWorkspace;
pub use workspace::UnknownName;
pub use workspace::WORKSPACE_FILE;
pub use workspace::WORKSPACE_REPORT_VERSION;
pub use workspace::WorkspaceError;
pub use workspace::WorkspaceOptions;
pub use workspace::WorkspaceReport;
pub use workspace::open_workspace;
pub use workspace::train_members;
