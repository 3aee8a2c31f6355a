//! `TEDPolicy`: learns the next action with a transformer over the turns of a
//! conversation.
//!
//! ```text
//!   Example ──▶ batch ──▶ network ──▶ train ──▶ Model ──▶ weights (two files)
//!   State ────▶ batch ──▶ network ──▶ predict ──▶ one confidence an action
//! ```
//!
//! Stories of intents and action names only: what users and bots say word for word
//! (Rasa's end-to-end stories) is refused before anything is trained.

mod config;
mod reading;
mod batch;
mod network;
mod pass;
mod dialogues;
mod actions;
mod train;
mod predict;
mod weights;

pub use config::Options;
pub use config::TurnWidths;
pub use predict::Model;
pub use train::EpochReport;
pub use train::TrainError;
pub use train::check_stories;
pub use train::examples;
pub use train::train;
pub use weights::FILES;
pub use weights::ModelError;

/// The policy's class name.
pub const NAME: &str = "TEDPolicy";

#[cfg(test)]
mod tests;
