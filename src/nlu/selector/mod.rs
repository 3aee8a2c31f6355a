//! `ResponseSelector`: learns which response of a retrieval intent is meant.
//!
//! It is the network of [`diet`](crate::nlu::diet) over other labels.

mod config;
mod component;

pub use component::RESPONSES;
pub use component::Responses;
pub use component::Selector;
pub use config::Options;
