//! Real servers on loopback, each for one test: nginx as a simple HTTP cache, and
//! buildbox-casd as one of the Remote Execution API.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::PoisonError;

use tempfile::TempDir;

use crate::shared::shared;

/// A server that ends with the test.
pub struct Server {
    pub url: String,
    script: PathBuf,
    variables: Vec<(&'static str, String)>,
    state: PathBuf,
    _folder: Option<TempDir>,
}

/// Versions of BuildStream that bring a server: one that speaks the API from 2.0
/// on, one that speaks it from 2.1 on.
pub const CASD: [&str; 2] = ["2.5.0", "2.8.1"];

/// Only one server is installed at a time.
static STARTING: Mutex<()> = Mutex::new(());

impl Server {
    /// Starts nginx; none, with a word on standard error, if it cannot be had.
    pub fn nginx() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let port = free_port();
        let home = folder.path().join("nginx");
        let server = Self {
            url: format!("http://127.0.0.1:{port}"),
            script: recipe("recipes/start_http_cache.sh")?,
            variables: vec![
                ("HTTPC_PORT", port.to_string()),
                ("HTTPC_HOME", home.display().to_string()),
            ],
            state: home,
            _folder: Some(folder),
        };
        server.start()
    }

    /// Starts a server of the Remote Execution API; none, with a word on standard
    /// error, if it cannot be had.
    pub fn casd(version: &str) -> Option<Self> {
        let port = free_port();
        // What is installed stays for the next run of the tests.
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("casd");
        let server = Self {
            url: format!("grpc://127.0.0.1:{port}"),
            script: recipe("recipes/start_reapi.sh")?,
            variables: vec![
                ("REAPI_PORT", port.to_string()),
                ("REAPI_VER", version.to_owned()),
                ("REAPI_HOME", home.display().to_string()),
            ],
            state: home.join(format!("state-{port}")),
            _folder: None,
        };
        server.start()
    }

    fn start(self) -> Option<Self> {
        let _alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let output = self.command("start").output().unwrap();
        if output.status.success() {
            return Some(self);
        }
        skip(&format!(
            "{} does not start:\n{}",
            self.script.display(),
            String::from_utf8_lossy(&output.stderr)
        ));
        None
    }

    fn command(&self, what: &str) -> Command {
        let mut command = Command::new(&self.script);
        command.arg(what).stdin(Stdio::null());
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Returns the requests that nginx has answered, as `GET /ac/… 200`, without
    /// names.
    pub fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.state.join("logs/access.log")).unwrap_or_default();
        let request = |line: &str| {
            let (_, rest) = line.split_once('"')?;
            let (request, rest) = rest.split_once('"')?;
            let mut words = request.split(' ');
            let (method, path) = (words.next()?, words.next()?);
            let kind = path.rsplit('/').nth(1)?;
            Some(format!("{method} {kind} {}", rest.trim().get(..3)?))
        };
        let requests = log.lines().filter_map(request);
        requests
            .filter(|request| !request.starts_with("GET  "))
            .collect()
    }

    /// Returns the files of nginx's cache: `ac` or `cas`.
    pub fn files(&self, kind: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.state.join("store").join(kind)).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.command("stop").output();
        let _ = fs::remove_dir_all(&self.state);
    }
}

/// Returns a script that starts a server.
fn recipe(path: &str) -> Option<PathBuf> {
    let found = shared(path);
    if found.is_none() {
        skip(&format!("there is no {path}"));
    }
    found
}

/// Says that a test is skipped, which it must not be where all must run.
#[track_caller]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
    assert!(env::var("CI").as_deref() != Ok("true"), "{why}");
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
