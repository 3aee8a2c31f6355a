//! The two protocols behind one face: results by action, bytes by name.

use std::sync::Arc;

use bazel_remote_apis::build::bazel::remote::execution::v2::ActionResult;

use crate::remote::action::ActionKey;
use crate::remote::action::Blob;
use crate::remote::action::Name;
use crate::remote::execute::Job;
use crate::remote::fault::Fault;
use crate::remote::grpc::GrpcWire;
use crate::remote::http::HttpWire;

/// A server, whatever it speaks. Each function is one call, or a few that belong
/// together; none is made again when it fails.
pub(super) enum Wire {
    /// The Remote Execution API.
    Grpc(GrpcWire),
    /// The simple HTTP cache.
    Http(HttpWire),
}

impl Wire {
    /// Returns the description of a result, if there is one.
    pub(super) async fn action(&self, key: &ActionKey) -> Result<Option<ActionResult>, Fault> {
        match self {
            Self::Grpc(wire) => wire.action(key).await,
            Self::Http(wire) => wire.action(key).await,
        }
    }

    /// Stores the description of a result, whose blobs must be there.
    pub(super) async fn put_action(
        &self,
        key: &ActionKey,
        result: &ActionResult,
    ) -> Result<(), Fault> {
        match self {
            Self::Grpc(wire) => wire.put_action(key, result).await,
            Self::Http(wire) => wire.put_action(key, result).await,
        }
    }

    /// Cuts blobs of these sizes into groups that one call takes.
    pub(super) async fn groups(&self, sizes: &[u64]) -> Result<Vec<Vec<usize>>, Fault> {
        match self {
            Self::Grpc(wire) => wire.groups(sizes).await,
            Self::Http(_) => Ok((0..sizes.len()).map(|index| vec![index]).collect()),
        }
    }

    /// Returns the bytes of a group of blobs, as far as they are there; they are
    /// not checked.
    pub(super) async fn read(&self, names: &[Name]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        match self {
            Self::Grpc(wire) => wire.read(names).await,
            Self::Http(wire) => {
                let mut blobs = Vec::with_capacity(names.len());
                for name in names {
                    blobs.push(wire.read(*name).await?);
                }
                Ok(blobs)
            }
        }
    }

    /// Returns those of `names` that the server does not have.
    pub(super) async fn missing(&self, names: &[Name]) -> Result<Vec<Name>, Fault> {
        match self {
            Self::Grpc(wire) => wire.missing(names).await,
            Self::Http(wire) => {
                let mut missing = Vec::new();
                for name in names {
                    if !wire.has(*name).await? {
                        missing.push(*name);
                    }
                }
                Ok(missing)
            }
        }
    }

    /// Runs a job; returns the bytes of the file that it writes.
    pub(super) async fn execute(&self, job: &Job) -> Result<Vec<u8>, Fault> {
        match self {
            Self::Grpc(wire) => wire.execute(job).await,
            Self::Http(_) => Err(Fault::Lasting("an HTTP cache executes nothing".to_owned())),
        }
    }

    /// Returns whether jobs run there, or are being cancelled.
    pub(super) fn has_jobs(&self) -> bool {
        match self {
            Self::Grpc(wire) => wire.has_jobs(),
            Self::Http(_) => false,
        }
    }

    /// Stores a group of blobs.
    pub(super) async fn write(&self, blobs: &[Blob]) -> Result<(), Fault> {
        match self {
            Self::Grpc(wire) => wire.write(blobs).await,
            Self::Http(wire) => {
                for (name, bytes) in blobs {
                    wire.write(*name, bytes).await?;
                }
                Ok(())
            }
        }
    }
}

/// Joins bytes with their names.
pub(super) fn blob(name: Name, bytes: &Arc<Vec<u8>>) -> Blob {
    (name, Arc::clone(bytes))
}
