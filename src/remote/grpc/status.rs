//! What the statuses of gRPC mean here.

use std::error::Error;

use tonic::Code;
use tonic::Status;

use crate::remote::fault::Fault;
use crate::remote::fault::with_causes;
use crate::remote::http::broken;

/// Returns whether something is just not there.
pub(super) fn is_missing(code: Code) -> bool {
    code == Code::NotFound
}

/// Says what a status means that is neither success nor a miss.
pub(super) fn fault(status: &Status) -> Fault {
    let text = text(status);
    if let Some(fault) = of_connection(status) {
        return fault;
    }
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Fault::Refused(text),
        Code::Unavailable | Code::ResourceExhausted | Code::Aborted | Code::Cancelled => {
            Fault::Passing(text)
        }
        Code::DeadlineExceeded => Fault::Slow,
        Code::DataLoss | Code::OutOfRange | Code::InvalidArgument | Code::FailedPrecondition => {
            Fault::Wrong(text)
        }
        // It is HTTP, and no gRPC: a page that says why not.
        Code::Internal if text.contains("response with status") => Fault::Lasting(text),
        // What cannot be decoded, a library calls an internal error.
        Code::Internal if text.contains("decode") || text.contains("protocol error") => {
            Fault::Wrong(text)
        }
        _ => Fault::Lasting(text),
    }
}

/// Says what it means that there was no answer at all.
fn of_connection(status: &Status) -> Option<Fault> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper_util::client::legacy::Error>() {
            return Some(broken(error));
        }
        if error.is::<hyper::Error>() || error.is::<std::io::Error>() {
            return Some(Fault::Passing(with_causes(error)));
        }
        cause = error.source();
    }
    None
}

fn text(status: &Status) -> String {
    let code = format!("{:?}", status.code());
    match status.message() {
        "" => code,
        message => format!("{code}: {message}"),
    }
}
