//! The remote cache that is asked for: by flags, by the environment, or by the
//! workspace file.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::api::TrainError;
use crate::api::in_project;
use crate::cli::args::PlaceArguments;
use crate::cli::environment::environment;
use crate::data::Remote;
use crate::data::RemoteMode;
use crate::data::time_ms;
use crate::engine::CancelFlag;
use crate::remote::RemoteCache;

/// Where results of others are found. A token is on no command line, where all
/// users of the machine could read it.
#[derive(Clone, Debug, Args)]
pub struct RemoteArguments {
    /// A cache of results that others share: grpc[s]://HOST:PORT or http[s]://HOST/PATH, or none [default: none, or that of the workspace]
    #[arg(long, value_name = "URL", env = "TABELLA_REMOTE", global = true)]
    pub remote: Option<String>,
    /// Whether results are uploaded, too: read or read-write [default: read]
    #[arg(long, value_name = "MODE", env = "TABELLA_REMOTE_MODE", global = true, value_parser = mode)]
    pub remote_mode: Option<RemoteMode>,
    /// Which of several caches of one gRPC server
    #[arg(
        long,
        value_name = "NAME",
        env = "TABELLA_REMOTE_INSTANCE",
        global = true
    )]
    pub remote_instance: Option<String>,
    /// How long the server may be silent before it is not asked any more, such as 500ms [default: 5s]
    #[arg(long, value_name = "TIME", env = "TABELLA_REMOTE_TIMEOUT", global = true, value_parser = time)]
    pub remote_timeout: Option<u64>,
    /// How long the end of a run waits for uploads [default: 60s]
    #[arg(long, value_name = "TIME", env = "TABELLA_REMOTE_UPLOAD_WAIT", global = true, value_parser = time)]
    pub remote_upload_wait: Option<u64>,
    /// A file of headers for every request, `Name: value` a line; TABELLA_REMOTE_HEADERS may hold such lines itself
    #[arg(
        long,
        value_name = "FILE",
        env = "TABELLA_REMOTE_HEADER_FILE",
        global = true
    )]
    pub remote_header_file: Option<PathBuf>,
    /// Certificates (PEM) of those who may vouch for the server [default: those that browsers believe]
    #[arg(long, value_name = "FILE", env = "TABELLA_REMOTE_CA", global = true)]
    pub remote_ca: Option<PathBuf>,
    /// The certificate (PEM) by which the server knows who asks
    #[arg(
        long,
        value_name = "FILE",
        env = "TABELLA_REMOTE_CLIENT_CERTIFICATE",
        global = true
    )]
    pub remote_client_certificate: Option<PathBuf>,
    /// The key (PEM) of that certificate
    #[arg(
        long,
        value_name = "FILE",
        env = "TABELLA_REMOTE_CLIENT_KEY",
        global = true
    )]
    pub remote_client_key: Option<PathBuf>,
}

/// The environment variable that may hold headers.
const HEADERS: &str = "TABELLA_REMOTE_HEADERS";

impl RemoteArguments {
    /// Returns the remote cache that is asked for; that of the workspace is `of_workspace`.
    fn settings(&self, of_workspace: Option<Remote>, place: &PlaceArguments) -> Option<Remote> {
        let given = self.remote.as_deref().filter(|url| !url.is_empty());
        let mut remote = match given {
            Some("none") => return None,
            // Nothing of the workspace's goes to another server, least its secrets.
            Some(url) => {
                let has_headers = environment().contains_key(HEADERS);
                Remote {
                    header_env: has_headers.then(|| HEADERS.to_owned()),
                    ..Remote::new(url)
                }
            }
            None => of_workspace?,
        };
        let path = |path: &PathBuf| Some(in_project(&place.project, path));
        remote.mode = self.remote_mode.unwrap_or(remote.mode);
        remote.timeout_ms = self.remote_timeout.unwrap_or(remote.timeout_ms);
        remote.upload_wait_ms = self.remote_upload_wait.unwrap_or(remote.upload_wait_ms);
        if let Some(instance) = &self.remote_instance {
            remote.instance.clone_from(instance);
        }
        for (given, place) in [
            (&self.remote_header_file, &mut remote.header_file),
            (&self.remote_ca, &mut remote.ca),
            (
                &self.remote_client_certificate,
                &mut remote.client_certificate,
            ),
            (&self.remote_client_key, &mut remote.client_key),
        ] {
            if let Some(given) = given {
                *place = path(given);
            }
        }
        Some(remote)
    }
}

/// Returns the remote cache that is asked for, or else that of the workspace.
pub fn remote(
    place: &PlaceArguments,
    of_workspace: Option<Remote>,
    cancel: &CancelFlag,
) -> Result<Option<Arc<RemoteCache>>, TrainError> {
    let Some(remote) = place.remote.settings(of_workspace, place) else {
        return Ok(None);
    };
    let variable = |name: &str| environment().remove(name);
    let flag = cancel.clone();
    let cache = RemoteCache::new(&remote, &variable, move || flag.is_set())?;
    Ok(Some(Arc::new(cache)))
}

fn mode(text: &str) -> Result<RemoteMode, String> {
    let names = RemoteMode::NAMES.join("` or `");
    RemoteMode::named(text).ok_or_else(|| format!("`{names}` is needed, not `{text}`"))
}

fn time(text: &str) -> Result<u64, String> {
    let needed = || format!("a time such as `5s`, `500ms` or `2m` is needed, not `{text}`");
    time_ms(text).ok_or_else(needed)
}
