//! What can be wrong with the settings of a remote cache. What is wrong with the
//! cache itself is no error: see [`Warning::Remote`](crate::store::Warning).

use std::io;
use std::path::PathBuf;

/// Settings with which no remote cache can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address is none.
    #[error("the address of the remote cache {why}: `{url}`")]
    Address {
        /// The address, without what may be a password.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file with headers or certificates could not be read.
    #[error("cannot read {what} of the remote cache, `{}`", path.display())]
    Read {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The environment variable with headers is not set.
    #[error("the headers of the remote cache are to be in `{name}`, which is not set")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// A line is no header.
    #[error("line {line} of {place} is no header: write `Name: value`")]
    Header {
        /// Where the line stands.
        place: String,
        /// Its number, from 1.
        line: usize,
    },
    /// Certificates or keys are not what they should be.
    #[error("{what} of the remote cache cannot be used, `{}`: {why}", path.display())]
    Certificate {
        /// What it should be.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Tasks are to run on other machines, and no server is named.
    #[error(
        "`--remote-exec` needs the server of a remote cache: name one with `--remote grpc://…`"
    )]
    NoServer,
    /// Secrets of the user's for a server that only a workspace file names.
    #[error(
        "the workspace file names the remote cache, and does not decide where headers and keys of flags \
         and the environment go, nor what is written to: give its address with `--remote` or \
         TABELLA_REMOTE, too"
    )]
    NoAddress,
    /// A client certificate without its key, or the other way round.
    #[error("a client certificate for the remote cache needs its key, and a key its certificate")]
    HalfCertificate,
}
