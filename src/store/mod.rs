//! Digest to bytes, key to result: a cache that cannot break a build.
//!
//! ```text
//!   engine ──▶ results   ┐
//!              blobs     ├──▶ [Store] ──▶ results.db + blobs/aa/<digest> + locks/
//!              last runs │
//!      api ──▶ witnesses ┘
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
//!
//! # Looking after it
//!
//! A cache can be checked and repaired ([`Store::check`]), kept within limits
//! ([`Store::collect`]), carried elsewhere as one file ([`Store::export`],
//! [`Bundle`]) and removed ([`clear`]). Those who use a cache share a lock, and
//! whoever removes results must be alone ([`Alone`]).
//!
//! [`Store::check`]: crate::store::Store::check
//! [`Store::collect`]: crate::store::Store::collect
//! [`Store::export`]: crate::store::Store::export
//! [`Bundle`]: crate::store::Bundle
//! [`clear`]: crate::store::clear()
//! [`Alone`]: crate::store::Alone

mod warning;
mod error;
mod schema;
mod database;
mod blobs;
mod results;
mod remote;
mod runs;
mod witnesses;
mod lock;
mod presence;
mod folder;
mod census;
mod check;
mod collect;
mod bundle;
mod unbundle;
mod clear;

pub use bundle::BUNDLE_VERSION;
pub use bundle::Bundled;
pub use bundle::BundledResult;
pub use bundle::Export;
pub use bundle::may_be_replaced;
pub use bundle::may_export_to;
pub use census::BlobRow;
pub use census::Census;
pub use census::ResultRow;
pub use check::CheckSettings;
pub use check::Leftovers;
pub use check::Problem;
pub use check::Verification;
pub use clear::Cleared;
pub use clear::clear;
pub use collect::CacheLimits;
pub use collect::Collected;
pub use database::Access;
pub use database::Store;
pub use database::StoreSettings;
pub use error::BundleFlaw;
pub use error::CacheError;
pub use lock::Locked;
pub use lock::TaskLock;
pub use presence::Alone;
pub use remote::Offer;
pub use remote::RemoteBlob;
pub use remote::RemoteResult;
pub use remote::RemoteStore;
pub use remote::Sha256;
pub use remote::Sha256Writer;
pub use results::NewResult;
pub use results::OutputRef;
pub use results::StoredResult;
pub use runs::LastRun;
pub use runs::PastRun;
pub use runs::RunRecord;
pub use schema::APPLICATION_ID;
pub use schema::SCHEMA;
pub use schema::VERSION;
pub use unbundle::Bundle;
pub use unbundle::Imported;
pub use warning::Warning;
pub use witnesses::NewWitness;
pub use witnesses::Renewal;
pub use witnesses::Witness;
pub use witnesses::WitnessRow;
