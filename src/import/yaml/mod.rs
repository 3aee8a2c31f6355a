//! Reads YAML into a tree whose every node knows its line and column.
//!
//! ```text
//!   bytes ──▶ text (UTF-8, line ends, \u) ──▶ parse ──▶ tree ──▶ node ──▶ readers
//!                                                                 └─ scalar (what a plain word means)
//! ```
//!
//! A file is parsed once; it may be hostile: depth, aliases and numbers of
//! nodes are bounded, and all work is linear in the size of the file.

pub mod text;
pub mod scalar;
pub mod node;
pub mod environment;
mod slice;
mod tree;
mod hint;
mod lenient;
mod quotes;
mod cause;
mod full;
mod quick;
mod parse;

pub use environment::Environment;
pub use node::Entry;
pub use node::Mistake;
pub use node::Node;
pub use node::Scalar;
pub use node::Style;
pub use node::Yaml;
pub use parse::mended;
pub use parse::parse;
pub use slice::Slice;
