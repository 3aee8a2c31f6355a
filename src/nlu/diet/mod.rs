//! `DIETClassifier`: learns intents and entities with one transformer.
//!
//! ```text
//!   data::Options ─▶ config ─────────────┐
//!   Corpus ─▶ prepare ─▶ TrainingData ─▶ train ─▶ Model ─▶ files
//!                                          │         └──▶ classifier ─▶ Message
//!              network: two sides, tag heads; step: forward, losses, backward
//!              held_out: examples that are asked from time to time
//! ```
//!
//! A text and each label become points of one space, and the nearest label wins;
//! tokens are tagged by conditional random fields over the same transformer. The
//! mathematics of a prediction is Rasa 3.6's to 1e-4, its quirks included.

mod reader;
mod held_out;
mod config;
mod settings;
mod data;
mod prepare;
mod packing;
mod input;
mod masking;
mod side;
mod passage;
mod tags;
mod network;
mod step;
mod train;
mod weights;
mod predict;
mod ranking;
mod classifier;
#[cfg(test)]
mod samples;

pub use classifier::Classifier;
pub use config::BatchStrategy;
pub use config::LossType;
pub use config::Options;
pub use config::Parsed;
pub use config::Sides;
pub use config::Similarity;
pub use config::UNWRITTEN;
pub use data::Columns;
pub use data::LabelFeatures;
pub use data::TagColumn;
pub use data::TrainingData;
pub use data::with_features;
pub use held_out::Evaluation;
pub use held_out::HELD_OUT;
pub use held_out::HeldOut;
pub use predict::Scores;
pub use predict::TokenTags;
pub use prepare::Corpus;
pub(crate) use prepare::LabelReading;
pub use ranking::rank;
pub use reader::OptionProblem;
pub use reader::OptionProblems;
pub(crate) use reader::Range;
pub(crate) use reader::Reader;
pub(crate) use reader::count;
pub(crate) use settings::finish;
pub(crate) use settings::read_network;
pub use train::EpochReport;
pub use train::TrainError;
pub use train::train;
pub use weights::FILES;
pub use weights::Model;
pub use weights::ModelError;
