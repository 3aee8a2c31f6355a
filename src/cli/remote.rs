//! The remote cache that is asked for: by flags, by the environment, or by the
//! workspace file.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::FalseyValueParser;

use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::in_project;
use crate::cli::args::PlaceArguments;
use crate::cli::args::at_least_one;
use crate::cli::environment::environment;
use crate::data::Remote;
use crate::data::RemoteExec;
use crate::data::RemoteMode;
use crate::data::time_ms;
use crate::engine::CancelFlag;
use crate::remote::RemoteCache;
use crate::remote::RemoteError;

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

/// Running tasks on the machines behind the server.
#[derive(Clone, Debug, Args)]
pub struct RemoteExecArguments {
    /// Run tasks that take long on the machines behind the gRPC server of `--remote` [default: false, or as the workspace says]
    #[arg(long, value_name = "BOOL", env = "TABELLA_REMOTE_EXEC", global = true, num_args = 0..=1,
        require_equals = true, default_missing_value = "true", value_parser = FalseyValueParser::new())]
    pub remote_exec: Option<bool>,
    /// How many tasks may run there at once; what finds all these places taken takes a free job here instead, and none runs twice [default: 8]
    #[arg(long, value_name = "N", env = "TABELLA_REMOTE_JOBS", global = true, value_parser = at_least_one)]
    pub remote_jobs: Option<usize>,
    /// What the machines must be, as the server calls it, such as OSFamily=linux; may be repeated
    #[arg(long, value_name = "NAME=VALUE", global = true, value_parser = property)]
    pub remote_property: Vec<(String, String)>,
    /// How long a task may run there, such as 20m [default: 60m]
    #[arg(long, value_name = "TIME", global = true, value_parser = time)]
    pub remote_task_timeout: Option<u64>,
    /// How long a task may wait for a machine there, such as 2m [default: 10m]
    #[arg(long, value_name = "TIME", global = true, value_parser = time)]
    pub remote_queue_timeout: Option<u64>,
    /// Which tasks the server runs first: those with smaller numbers [default: 0]
    #[arg(long, value_name = "N", global = true, allow_negative_numbers = true)]
    pub remote_priority: Option<i32>,
}

impl RemoteExecArguments {
    /// Returns how tasks run on other machines, if they are to; `of_workspace` is what
    /// the workspace says of its server, where that is the one that is used.
    pub fn settings(&self, of_workspace: Option<RemoteExec>) -> Option<RemoteExec> {
        if !self.remote_exec.unwrap_or(of_workspace.is_some()) {
            return None;
        }
        let mut exec = of_workspace.unwrap_or_default();
        let jobs = self.remote_jobs.and_then(NonZeroUsize::new);
        exec.jobs = jobs.unwrap_or(exec.jobs);
        exec.task_timeout_ms = self.remote_task_timeout.unwrap_or(exec.task_timeout_ms);
        exec.queue_timeout_ms = self.remote_queue_timeout.unwrap_or(exec.queue_timeout_ms);
        exec.priority = self.remote_priority.unwrap_or(exec.priority);
        if !self.remote_property.is_empty() {
            exec.properties.clone_from(&self.remote_property);
        }
        Some(exec)
    }
}

/// Fails if tasks are to run on other machines, and no server is known.
pub fn must_have_server(run: &RunSettings) -> Result<(), TrainError> {
    match run.remote_exec.is_some() && run.remote.is_none() {
        true => Err(RemoteError::NoServer.into()),
        false => Ok(()),
    }
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!(
            "a name and a value such as `OSFamily=linux` are needed, not `{text}`"
        )),
    }
}

/// The environment variable that may hold headers.
const HEADERS: &str = "TABELLA_REMOTE_HEADERS";

impl RemoteArguments {
    /// Returns whether there are secrets, or the wish to write, for a server that only
    /// the workspace names.
    fn are_without_address(&self) -> bool {
        let files = [
            &self.remote_header_file,
            &self.remote_client_certificate,
            &self.remote_client_key,
        ];
        let has_secrets = files.iter().any(|file| file.is_some());
        let writes = self.remote_mode == Some(RemoteMode::ReadWrite);
        self.given().is_none() && (has_secrets || writes)
    }

    /// Returns the address that is given, by a flag or the environment.
    fn given(&self) -> Option<&str> {
        self.remote.as_deref().filter(|url| !url.is_empty())
    }

    /// Returns how tasks run behind the server of the workspace, if that is the one that
    /// is used and the workspace says so.
    pub fn exec_of_workspace(&self, of_workspace: Option<Remote>) -> Option<RemoteExec> {
        of_workspace.filter(|_| self.given().is_none())?.exec
    }

    /// Returns the remote cache that is asked for; that of the workspace is `of_workspace`.
    /// What flags and the environment say of secrets and of writing counts for a server
    /// that they name: a workspace file does not decide where that goes.
    fn settings(&self, of_workspace: Option<Remote>, place: &PlaceArguments) -> Option<Remote> {
        let given = self.given();
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
        if given.is_some() {
            remote.mode = self.remote_mode.unwrap_or(remote.mode);
        }
        remote.timeout_ms = self.remote_timeout.unwrap_or(remote.timeout_ms);
        remote.upload_wait_ms = self.remote_upload_wait.unwrap_or(remote.upload_wait_ms);
        if let Some(instance) = &self.remote_instance {
            remote.instance.clone_from(instance);
        }
        let url = given;
        for (given, place) in [
            (&self.remote_header_file, &mut remote.header_file),
            (&self.remote_ca, &mut remote.ca),
            (
                &self.remote_client_certificate,
                &mut remote.client_certificate,
            ),
            (&self.remote_client_key, &mut remote.client_key),
        ] {
            if let (Some(file), Some(_)) = (given, url) {
                *place = path(file);
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
    let arguments = &place.remote;
    if of_workspace.is_some() && arguments.are_without_address() {
        return Err(RemoteError::NoAddress.into());
    }
    let Some(remote) = arguments.settings(of_workspace, place) else {
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
