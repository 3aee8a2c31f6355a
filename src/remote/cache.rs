//! The remote cache as the engine sees it: it waits for calls, and stops waiting
//! when the user has had enough.

use std::collections::HashMap;
use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::data::Remote;
use crate::data::RemoteMode;
use crate::digest::Digest;
use crate::remote::Job;
use crate::remote::RemoteError;
use crate::remote::Uploaded;
use crate::remote::action::ActionKey;
use crate::remote::action::Name;
use crate::remote::action::remote_result;
use crate::remote::address::Address;
use crate::remote::address::Protocol;
use crate::remote::grpc::GrpcWire;
use crate::remote::headers::Headers;
use crate::remote::http::HttpWire;
use crate::remote::line::Line;
use crate::remote::line::locked;
use crate::remote::pace::fetch_time;
use crate::remote::pace::look_up_time;
use crate::remote::seeding::Seeding;
use crate::remote::uploads::Uploads;
use crate::remote::web::web;
use crate::remote::wire::Wire;
use crate::store::Offer;
use crate::store::RemoteBlob;
use crate::store::RemoteResult;
use crate::store::RemoteStore;
use crate::store::Warning;

/// Look-ups at the same time.
pub(super) const SIDE_BY_SIDE: usize = 32;

/// Threads that calls are made on.
const THREADS: usize = 2;

/// How often one who waits looks whether the user has had enough.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the end of a run waits for a server to hear that jobs are cancelled.
const FAREWELL: Duration = Duration::from_secs(1);

/// A cache on another machine. Nothing is connected before the first look-up.
pub struct RemoteCache {
    pub(super) line: Arc<Line>,
    identity: Digest,
    mode: RemoteMode,
    upload_wait: Duration,
    pub(super) uploads: Arc<Uploads>,
    pub(super) seeding: Mutex<Seeding>,
    /// Keys that the server does not have.
    missed: Mutex<HashSet<Digest>>,
    is_cancelled: Box<dyn Fn() -> bool + Send + Sync>,
    runtime: OnceLock<Option<Runtime>>,
}

impl fmt::Debug for RemoteCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteCache")
            .field("at", &self.line.shown())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

impl RemoteCache {
    /// Returns the cache that `remote` describes. `variable` looks up the
    /// environment; `is_cancelled` says that whoever waits shall not any more.
    ///
    /// # Errors
    ///
    /// If the address is none, or a file of headers or certificates cannot be used.
    pub fn new(
        remote: &Remote,
        variable: &dyn Fn(&str) -> Option<String>,
        is_cancelled: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Self, RemoteError> {
        let address = Address::parse(&remote.url)?;
        let headers = Headers::of(remote, variable)?;
        let web = web(remote, address.protocol)?;
        let timeout = Duration::from_millis(remote.timeout_ms);
        let shown = address.shown.clone();
        let map = headers.map.clone();
        let wire = match address.protocol {
            Protocol::Grpc => {
                let instance = remote.instance.clone();
                Wire::Grpc(GrpcWire::new(web, address.base, map, instance, timeout))
            }
            Protocol::Http => Wire::Http(HttpWire {
                web,
                address,
                headers: map,
                timeout,
            }),
        };
        let takes_uploads = remote.mode == RemoteMode::ReadWrite;
        let identity = Digest::of_value(&(&shown, &remote.instance));
        Ok(Self {
            line: Arc::new(Line::new(wire, shown, headers, timeout, takes_uploads)),
            identity,
            mode: remote.mode,
            upload_wait: Duration::from_millis(remote.upload_wait_ms),
            uploads: Arc::new(Uploads::new()),
            seeding: Mutex::default(),
            missed: Mutex::default(),
            is_cancelled: Box::new(is_cancelled),
            runtime: OnceLock::new(),
        })
    }

    /// Returns the server's address, as messages name it.
    pub fn address(&self) -> &str {
        self.line.shown()
    }

    /// Returns what tells it from other caches, if results are to be handed to it.
    pub fn handed_to(&self) -> Option<Digest> {
        (self.mode == RemoteMode::ReadWrite).then_some(self.identity)
    }

    /// Returns whether the user has had enough.
    pub(super) fn is_cancelled(&self) -> bool {
        (self.is_cancelled)()
    }

    /// Begins another run: a server that was given up is asked again.
    pub fn begin(&self) {
        self.line.begin();
        locked(&self.seeding).begin();
        locked(&self.missed).clear();
    }

    /// Waits until all results are uploaded, for as long as the settings say at
    /// most, and for a moment until jobs are cancelled that nobody waits for. Returns
    /// what became of the results of this run.
    pub fn finish(&self) -> Uploaded {
        self.see_off_jobs();
        let is_over = || !self.line.takes_uploads() || (self.is_cancelled)();
        self.uploads.finish(self.upload_wait, &is_over)
    }

    fn see_off_jobs(&self) {
        let end = Instant::now() + FAREWELL;
        while self.line.has_jobs() && Instant::now() < end {
            thread::sleep(PAUSE);
        }
    }

    /// Returns whether jobs can be run there, as far as is known.
    pub fn executes(&self) -> bool {
        self.line.executes()
    }

    /// Runs no more jobs there in this run, and says why.
    pub fn stop_executing(&self, why: &str) {
        self.line.stop_executing(why);
    }

    /// Says once in a run which tasks are not sent, and why.
    pub fn keep_here(&self, why: String) {
        self.line.keep_here(why);
    }

    /// Runs a job on a machine behind the server; returns the bytes of the file
    /// that it writes. Nothing, if the user, or whoever waits for it, had enough before.
    ///
    /// # Errors
    ///
    /// What went wrong, in words.
    pub fn execute(
        &self,
        job: &Job,
        is_over: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<u8>>, String> {
        let (line, job) = (Arc::clone(&self.line), job.clone());
        self.wait_unless(is_over, async move { line.execute(&job).await })
            .transpose()
    }

    /// Returns how long [`RemoteCache::finish`] waits at most.
    pub fn upload_wait(&self) -> Duration {
        self.upload_wait
    }

    /// Returns where calls are made; none if the system gives no threads.
    fn runtime(&self) -> Option<&Runtime> {
        let start = || {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(THREADS).thread_name("remote");
            builder.enable_all().build().ok()
        };
        self.runtime.get_or_init(start).as_ref()
    }

    /// Waits for `work`; none if the user had enough before.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.wait_unless(&|| false, work)
    }

    /// Waits for `work` until `is_over`.
    fn wait_unless<T: Send + 'static>(
        &self,
        is_over: &dyn Fn() -> bool,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (send, receive) = mpsc::channel();
        let task = self.runtime()?.spawn(async move {
            // Nobody may be waiting any more.
            let _ = send.send(work.await);
        });
        loop {
            match receive.recv_timeout(PAUSE) {
                Ok(done) => return Some(done),
                Err(RecvTimeoutError::Timeout) if (self.is_cancelled)() || is_over() => {
                    task.abort();
                    return None;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
}

impl Drop for RemoteCache {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take().flatten() {
            runtime.shutdown_background();
        }
    }
}

impl RemoteStore for RemoteCache {
    fn look_up(&self, keys: &[Digest]) -> HashMap<Digest, RemoteResult> {
        let mut asked = keys.to_vec();
        {
            let missed = locked(&self.missed);
            asked.retain(|key| !missed.contains(key));
        }
        if asked.is_empty() || self.line.is_down() {
            return HashMap::new();
        }
        let count = asked.len();
        let line = Arc::clone(&self.line);
        let wanted = asked.clone();
        let work = async move {
            let answers = look_up_all(Arc::clone(&line), wanted);
            line.patiently(look_up_time(count), answers).await
        };
        let answers = self.wait(work).flatten().unwrap_or_default();
        let mut missed = locked(&self.missed);
        missed.extend(asked.into_iter().filter(|key| !answers.contains_key(key)));
        answers
    }

    fn fetch(&self, blobs: &[RemoteBlob]) -> Option<Vec<Vec<u8>>> {
        if self.line.is_down() {
            return None;
        }
        let line = Arc::clone(&self.line);
        let names: Vec<Name> = blobs.iter().map(Name::from).collect();
        let size = names.iter().map(|name| name.size).sum();
        let usual = fetch_time(names.len(), size);
        let work = async move { line.patiently(usual, line.read(&names)).await };
        let found = self.wait(work)???;
        let is_named =
            |(blob, bytes): (&RemoteBlob, &Vec<u8>)| Digest::of(bytes) == blob.output.digest;
        if !blobs.iter().zip(&found).all(is_named) {
            self.line.refuse("a result names other bytes than it has");
            return None;
        }
        Some(found)
    }

    fn takes_offers(&self) -> bool {
        self.line.takes_uploads()
    }

    fn offer(&self, offer: Offer) {
        if self.mode == RemoteMode::ReadWrite
            && let Some(runtime) = self.runtime()
        {
            self.uploads.take(&self.line, offer, runtime.handle());
        }
    }

    fn refuse(&self, what: &str) {
        self.line.refuse(what);
    }

    fn take_warnings(&self) -> Vec<Warning> {
        self.line.take_warnings()
    }
}

/// Asks for all keys, many at a time.
async fn look_up_all(line: Arc<Line>, keys: Vec<Digest>) -> HashMap<Digest, RemoteResult> {
    let mut found = HashMap::new();
    let mut calls = JoinSet::new();
    let mut keys = keys.into_iter();
    loop {
        while calls.len() < SIDE_BY_SIDE
            && let Some(key) = keys.next()
        {
            let line = Arc::clone(&line);
            calls.spawn(async move { (key, look_up(&line, key).await) });
        }
        match calls.join_next().await {
            Some(Ok((key, Some(result)))) => {
                found.insert(key, result);
            }
            Some(_) => {}
            None => return found,
        }
    }
}

async fn look_up(line: &Line, key: Digest) -> Option<RemoteResult> {
    if line.is_down() {
        return None;
    }
    let message = line.action(&ActionKey::of(key)).await?;
    match remote_result(&message) {
        Ok(result) => Some(result),
        Err(why) => {
            line.refuse(&format!("what describes a result cannot be: {why}"));
            None
        }
    }
}
