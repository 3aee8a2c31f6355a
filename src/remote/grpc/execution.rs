//! The Execution service: an action is queued, run, and waited for.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::longrunning;
use bazel_remote_apis::google::longrunning::operation::Result as Ended;
use bazel_remote_apis::google::rpc;
use prost::Message;
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio::time::timeout_at;
use tonic::Code;
use tonic::Status;
use tonic::Streaming;

use crate::remote::action::ANSWER_SIZE_MAX;
use crate::remote::action::Blob;
use crate::remote::action::Name;
use crate::remote::execute::Content;
use crate::remote::execute::Job;
use crate::remote::execute::JobAction;
use crate::remote::fault::Fault;
use crate::remote::grpc::GrpcWire;
use crate::remote::grpc::SHA256;
use crate::remote::grpc::capabilities::Capabilities;
use crate::remote::grpc::status::fault;
use crate::remote::pace::seconds;
use crate::remote::web::Web;
use crate::store::Sha256;

type Execution = api::execution_client::ExecutionClient<Web>;
type Operations = longrunning::operations_client::OperationsClient<Web>;
type Stream = Streaming<longrunning::Operation>;

/// After so many time-outs without news of a job the server is asked whether it is still
/// there: some say nothing, not even that they have heard of it, until it is over.
const SILENCE: u32 = 12;

/// So many times in a row it may fail to answer that: the task may be well all the same.
const PROBES_MAX: u32 = 3;

/// How often a stream of news may be cut.
const CUTS_MAX: u32 = 5;

/// How long a server may take to hear that a job is cancelled.
const CANCEL_WAIT: Duration = Duration::from_secs(1);

/// Bytes that are shown of what a program complained of.
const COMPLAINT_SIZE: u64 = 64 * 1_024;

/// Bytes of what a program writes.
const OUTPUT_SIZE_MAX: u64 = 1 << 30;

impl GrpcWire {
    /// Runs a job; returns the bytes of the file that it writes, unchecked but for
    /// their name.
    pub(in crate::remote) async fn execute(&self, job: &Job) -> Result<Vec<u8>, Fault> {
        let capabilities = self.capabilities().await?;
        if !capabilities.executes {
            return Err(Fault::Lasting("it executes nothing".to_owned()));
        }
        let action = job.action(capabilities.knows_output_paths);
        self.bring(&action).await?;
        let mut skips_cache = false;
        loop {
            let (result, is_cached) = self.run(job, &action, skips_cache).await?;
            match result.exit_code {
                0 => return self.output(job, &result).await,
                // Some servers keep what failed.
                _ if is_cached && !skips_cache => skips_cache = true,
                code => {
                    let complaint = self.complaint(&result).await;
                    let text = format!("the task ended with {code} there: {complaint}");
                    return Err(Fault::Lasting(text));
                }
            }
        }
    }

    /// Stores what the server does not have of an action.
    async fn bring(&self, action: &JobAction) -> Result<(), Fault> {
        let names: Vec<Name> = action.blobs.iter().map(|(name, _)| *name).collect();
        let absent = self.absent(&names).await?;
        let is_absent = |(name, _): &&(Name, Content)| absent.contains(name);
        let blobs: Vec<&(Name, Content)> = action.blobs.iter().filter(is_absent).collect();
        let sizes: Vec<u64> = blobs.iter().map(|(name, _)| name.size).collect();
        for group in self.groups(&sizes).await? {
            if let [one] = group[..]
                && self.is_streamed(sizes[one]).await?
            {
                let (name, content) = blobs[one];
                block_in_place(|| content.check(*name))?;
                self.write_stream(*name, content).await?;
                continue;
            }
            let read = |&index: &usize| {
                let (name, content) = blobs[index];
                block_in_place(|| content.read(*name))
            };
            let some: Result<Vec<Blob>, Fault> = group.iter().map(read).collect();
            self.write(&some?).await?;
        }
        Ok(())
    }

    /// Runs an action and waits for it; returns its result, and whether it was there
    /// already.
    async fn run(
        &self,
        job: &Job,
        action: &JobAction,
        skip_cache_lookup: bool,
    ) -> Result<(api::ActionResult, bool), Fault> {
        let time = job.timeout + job.queue_timeout;
        let end = Instant::now() + time;
        let request = self.request(api::ExecuteRequest {
            instance_name: self.instance.clone(),
            skip_cache_lookup,
            action_digest: Some(action.name.digest()),
            execution_policy: Some(api::ExecutionPolicy {
                priority: job.priority,
            }),
            digest_function: SHA256,
            ..api::ExecuteRequest::default()
        });
        let mut running = Running::new(self);
        let mut client = self.execution();
        let answer = self.news(end, client.execute(request)).await?;
        let answer = answer.ok_or_else(|| not_over(time))?;
        let mut stream = answer.map_err(|status| not_begun(&status))?.into_inner();
        let mut cuts = 0;
        loop {
            match self.news(end, stream.message()).await? {
                None => return Err(not_over(time)),
                Some(Ok(Some(operation))) => {
                    if !operation.name.is_empty() {
                        running.name.clone_from(&operation.name);
                    }
                    if operation.done {
                        running.name.clear();
                        return ended(operation);
                    }
                }
                Some(cut) => {
                    let fault = match cut {
                        Err(status) => fault(&status),
                        Ok(_) => Fault::Passing("the stream ended".to_owned()),
                    };
                    cuts += 1;
                    if !fault.may_pass() || running.name.is_empty() || cuts > CUTS_MAX {
                        return Err(fault);
                    }
                    let news = self.wait_for(&running.name, end).await?;
                    stream = news.ok_or_else(|| not_over(time))?;
                }
            }
        }
    }

    /// Waits for news until `end`, as long as the server is there; none if none came. One
    /// that is there no more has lost the job, which is not begun again there: it may still
    /// run.
    async fn news<T>(
        &self,
        end: Instant,
        news: impl Future<Output = T>,
    ) -> Result<Option<T>, Fault> {
        let mut news = pin!(news);
        let mut failed = 0;
        loop {
            let silence = if failed == 0 { SILENCE } else { 1 };
            let pause = end.min(Instant::now() + silence * self.timeout);
            match timeout_at(pause, &mut news).await {
                Ok(came) => return Ok(Some(came)),
                Err(_) if pause == end => return Ok(None),
                Err(_) => {}
            }
            match Capabilities::ask(self).await {
                Ok(_) => failed = 0,
                Err(fault) => {
                    failed += 1;
                    if failed == PROBES_MAX {
                        return Err(Fault::Lasting(fault.text().to_owned()));
                    }
                }
            }
        }
    }

    /// Returns the news of a job that runs already.
    async fn wait_for(&self, name: &str, end: Instant) -> Result<Option<Stream>, Fault> {
        let request = self.request(api::WaitExecutionRequest {
            name: name.to_owned(),
        });
        let mut client = self.execution();
        let answer = self.news(end, client.wait_execution(request)).await?;
        let answer = answer.transpose().map_err(|status| fault(&status))?;
        Ok(answer.map(tonic::Response::into_inner))
    }

    /// Returns the file that a job wrote.
    async fn output(&self, job: &Job, result: &api::ActionResult) -> Result<Vec<u8>, Fault> {
        let mut files = result.output_files.iter();
        let file = files.find(|file| file.path == job.output);
        let wrong = |what: &str| Fault::Wrong(what.to_owned());
        let missing = || Fault::Wrong(format!("the task did not write `{}` there", job.output));
        let digest = file.and_then(|file| file.digest.as_ref());
        let name = name(digest.ok_or_else(missing)?, OUTPUT_SIZE_MAX);
        let name = name.ok_or_else(|| wrong("what the task wrote has a digest that cannot be"))?;
        let bytes = self.read(&[name]).await?.pop().flatten();
        let bytes = bytes.ok_or_else(|| wrong("what the task wrote is not to be had"))?;
        match Name::of(&bytes) == name {
            true => Ok(bytes),
            false => Err(wrong("what the task wrote are other bytes")),
        }
    }

    /// Returns the last line that a program complained of.
    async fn complaint(&self, result: &api::ActionResult) -> String {
        let digest = result.stderr_digest.as_ref();
        let name = digest.and_then(|digest| name(digest, COMPLAINT_SIZE));
        let bytes = match name {
            Some(name) => self.read(&[name]).await.ok().and_then(|mut all| all.pop()),
            None => Some(Some(result.stderr_raw.clone())),
        };
        let text = bytes.flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let last = text.lines().rfind(|line| !line.trim().is_empty());
        last.unwrap_or("without a word").to_owned()
    }

    fn execution(&self) -> Execution {
        Execution::with_origin(self.web.clone(), self.origin.clone())
            .max_decoding_message_size(ANSWER_SIZE_MAX)
    }
}

fn name(digest: &api::Digest, size_max: u64) -> Option<Name> {
    let size = u64::try_from(digest.size_bytes).ok()?;
    let sha256 = Sha256::parse(&digest.hash)?;
    (size <= size_max).then_some(Name { sha256, size })
}

/// Reads what a job that is over tells.
fn ended(operation: longrunning::Operation) -> Result<(api::ActionResult, bool), Fault> {
    let wrong = |what: &str| Fault::Wrong(what.to_owned());
    match operation.result {
        Some(Ended::Response(any)) => {
            let response = api::ExecuteResponse::decode(any.value.as_slice())
                .map_err(|_| wrong("what should tell of a task is no such message"))?;
            let status = response.status.unwrap_or_default();
            if status.code != 0 {
                return Err(not_run(status));
            }
            let result = response
                .result
                .ok_or_else(|| wrong("a task without a result"))?;
            Ok((result, response.cached_result))
        }
        Some(Ended::Error(status)) => Err(not_run(status)),
        None => Err(wrong("a task that is over without a result")),
    }
}

/// Says that a job took longer than it may, waiting for a machine included.
fn not_over(time: Duration) -> Fault {
    Fault::Lasting(format!("the task was not over within {}", seconds(time)))
}

/// Says what it means that a server does not take a job: one that has lost what
/// was brought to it is brought it again.
fn not_begun(status: &Status) -> Fault {
    match status.code() {
        Code::FailedPrecondition => Fault::Passing(status.message().to_owned()),
        _ => fault(status),
    }
}

/// Says what it means that a job was not run: a worker that was lost is not the
/// last, and what got lost of a job's files can be brought again.
fn not_run(status: rpc::Status) -> Fault {
    let text = format!("the task was not run there: {}", status.message);
    match Code::from_i32(status.code) {
        Code::Unavailable | Code::Aborted | Code::ResourceExhausted | Code::FailedPrecondition => {
            Fault::Passing(text)
        }
        _ => Fault::Lasting(text),
    }
}

/// A job that runs; when nobody waits any more, the server is told so.
struct Running {
    client: Operations,
    /// Held until the server was told.
    under_way: Arc<()>,
    metadata: tonic::metadata::MetadataMap,
    /// Its name there; empty while there is none, and when it is over.
    name: String,
}

impl Running {
    fn new(wire: &GrpcWire) -> Self {
        Self {
            client: Operations::with_origin(wire.web.clone(), wire.origin.clone()),
            under_way: Arc::clone(&wire.under_way),
            metadata: wire.headers.clone(),
            name: String::new(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let (Ok(runtime), false) = (Handle::try_current(), self.name.is_empty()) else {
            return;
        };
        let name = std::mem::take(&mut self.name);
        let mut request = tonic::Request::new(longrunning::CancelOperationRequest { name });
        *request.metadata_mut() = self.metadata.clone();
        let mut client = self.client.clone();
        let under_way = Arc::clone(&self.under_way);
        runtime.spawn(async move {
            // Whether the server listens is its business.
            let _ = timeout(CANCEL_WAIT, client.cancel_operation(request)).await;
            drop(under_way);
        });
    }
}
