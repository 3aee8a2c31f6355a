//! Promises to the user, one file each.

#![allow(clippy::unwrap_used)]

mod shared;
mod rooms;
mod featurizer_goldens;
mod dialogue_goldens;
mod network_goldens;
mod ted_goldens;
mod store_faults;
mod archive_safety;
