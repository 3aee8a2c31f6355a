//! Other machines: a cache of results that several share over the network, and workers
//! that run tasks.
//!
//! ```text
//!   engine ──▶ [RemoteCache] ──▶ line ──▶ wire ─┬─▶ grpc: ActionCache, CAS, ByteStream
//!                    │         retries,         └─▶ http: /ac/<sha256>, /cas/<sha256>
//!                 uploads      breaker
//! ```
//!
//! The same server may run tasks: a [`Job`] is an action whose folder holds the
//! program and what it reads.
//!
//! Two protocols carry one shape: a result is an `ActionResult` of the [Remote
//! Execution API] under the SHA-256 of an `Action` that has the task's key as its
//! salt; outputs are blobs under their SHA-256. [`mod@action`] says it in full.
//!
//! # What it may cost
//!
//! Nothing here fails a run. What cannot be had is a miss. Calls that failed for
//! something that may pass are made again after a pause; a server that is silent
//! for longer than the time-out, cannot be reached, refuses who asks or keeps
//! answering nonsense is not asked again in this run, and is told of once. The
//! time that look-ups and fetches may take beyond what is usual is limited by the
//! time-out as well, so that a slow server costs one time-out and not one for each
//! task.
//!
//! # What is trusted
//!
//! Whoever can write to the cache decides what its readers train: bytes are
//! checked against both of their digests, a result against its name set and the
//! description of its key, and sizes are bounded, but that the outputs are those
//! that the task gives can only be known by running it. So writing is for
//! machines that are trusted (CI), and reading is the default. Headers, which may
//! hold tokens, come from a file or an environment variable and are in no message.
//!
//! [Remote Execution API]: https://github.com/bazelbuild/remote-apis

mod error;
mod address;
mod headers;
mod fault;
mod pace;
mod patience;
mod web;
pub mod action;
mod packing;
mod tree;
mod execute;
mod spool;
mod http;
mod grpc;
mod wire;
mod line;
mod uploads;
mod cache;
mod seeding;

pub use cache::RemoteCache;
pub use error::RemoteError;
pub use execute::Job;
pub use execute::JobFile;
pub use spool::Spool;
pub use uploads::Uploaded;
