//! Tabella trains Rasa assistants the way a good build system compiles code.
//!
//! The rooms below are listed in the order in which they may be used: a room
//! uses only rooms above it (`tests/it/rooms.rs` keeps it so). Two staircases
//! meet in [`recipe`]:
//!
//! ```text
//! WHAT is computed                                           WHEN it is computed
//! YAML ─▶ import ─▶ data ─▶ tokenize ─▶ features ─▶ nn ─▶    digest ─▶ store, remote ─▶ engine
//!                                         nlu, dialogue ─▶ archive                  │
//!                                                   └──────────┬────────────────────┘
//!                                                            recipe ─▶ api, cli
//! ```
//!
//! The left one compiles and tests without a store; the right one has no
//! chatbot word in it.

#![deny(clippy::print_stdout, clippy::print_stderr)]

// Names bytes by what they contain; canonical encoding of values.
pub mod digest;
// What an assistant project *is*: plain values without behaviour.
pub mod data;
// Says what is wrong and where.
pub mod diagnostic;
// Files to `data`, all mistakes at once.
pub mod import;
// Data files to data files: older formats to YAML 3.1, training data in two.
pub mod convert;
// Text to spans.
pub mod tokenize;
// Dense and sparse matrices, products, reductions.
pub mod matrix;
// Tokens and dialogue states to matrices.
pub mod features;
// Layers, forward beside backward, losses, Adam, seeded random.
pub mod nn;
// Learns and predicts intents, entities and responses.
pub mod nlu;
// Stories to trackers; policies; the ensemble.
pub mod dialogue;
// What parts of a project say against each other.
pub mod check;
// What a model's answers are worth: scores, reports, pictures, gates.
pub mod evaluation;
// The model as one file, same bytes every time; safe reading.
pub mod archive;
// Digest to bytes, key to result: SQLite, verified.
pub mod store;
// A remote cache, by the Remote Execution API or by HTTP, and tasks that run on other
// machines.
pub mod remote;
// Graph, key, plan, stale reasons, schedule, events.
pub mod engine;
// Turns a project into a graph: the one room that knows both sides.
pub mod recipe;
// `train` and its siblings, with Rasa's names and defaults.
pub mod api;
// What the user types and sees; the only room that prints.
pub mod cli;
