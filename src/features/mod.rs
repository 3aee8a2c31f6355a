//! Tokens and dialogue states to matrices.
//!
//! ```text
//!   tokenize::Document ──▶ [features] ──▶ FeatureRows ──▶ nlu, dialogue
//! ```
//!
//! Each featurizer that learns is a module with `Options` (Rasa 3.6's names and
//! defaults), `fit(&Options, corpus) -> Fitted` and `Fitted::rows`. What was
//! fitted is plain JSON with sorted maps; rows have a binary form, see
//! [`FeatureRows::to_bytes`].

mod rows;
mod encode;
mod half;
pub mod count_vectors;
pub mod language_model;
pub mod lexical_syntactic;
mod ngrams;
pub mod patterns;
pub mod regex;
mod vocabulary;
pub mod word_vectors;

pub use encode::DecodeError;
pub use rows::FeatureRows;
