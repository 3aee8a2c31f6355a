//! Digest to bytes, key to result: a cache that cannot break a build.
//!
//! ```text
//!   import ──▶ FileTable ┐
//!   engine ──▶ results   ├──▶ [Store] ──▶ results.db + blobs/aa/<digest> + locks/
//!              blobs     │
//!              last runs ┘
//! ```
//!
//! [`Store::open`] never fails and no later call does: whatever is wrong with
//! the folder becomes a [`Warning`], and the store answers with misses. Bytes
//! are checked against their digest whenever they are read; a result is
//! recorded in one transaction after all its bytes are in place, so that a
//! process killed at any moment leaves a miss behind and never half a result.
//!
//! The tables are described in `schemas/cache.sql`.
//!
//! [`Store::open`]: crate::store::Store::open
//! [`Warning`]: crate::store::Warning

mod warning;
mod schema;
mod database;
mod blobs;
mod results;
mod runs;
mod files;
mod lock;

pub use database::Access;
pub use database::Store;
pub use database::StoreSettings;
pub use files::FileStamp;
pub use files::FileTable;
pub use lock::Locked;
pub use lock::TaskLock;
pub use results::NewResult;
pub use results::OutputRef;
pub use results::StoredResult;
pub use runs::LastRun;
pub use runs::PastRun;
pub use runs::RunRecord;
pub use schema::APPLICATION_ID;
pub use schema::SCHEMA;
pub use schema::VERSION;
pub use warning::Warning;
