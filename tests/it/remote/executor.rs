//! The part of the server in this process that runs what it is told to, each in a
//! folder of its own, and tells of it what a test wants it to.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::longrunning;
use bazel_remote_apis::google::longrunning::operation::Result as Ended;
use bazel_remote_apis::google::protobuf;
use bazel_remote_apis::google::rpc;
use prost::Message;
use tabella::store::Sha256;
use tempfile::TempDir;
use tonic::Code;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::codegen::tokio_stream;
use tonic::codegen::tokio_stream::StreamExt;

use crate::remote::reapi::Answer;
use crate::remote::reapi::Reapi;
use crate::remote::reapi::Stream;

/// What is wrong with a task that was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    #[default]
    None,
    /// Its output has another byte than its digest says.
    OtherBytes,
    /// Its output is in no store.
    NotStored,
    /// Its output is larger than anything.
    Endless,
    /// It wrote nothing.
    NoOutput,
    /// What it wrote is what the task before it wrote.
    OfAnother,
    /// What it wrote is no result.
    Garbage,
    /// It was successful, and there is no result.
    NoResult,
    /// What tells of it is no such message.
    Nonsense,
    /// It printed as much as no message takes.
    LongStdout,
    /// What it printed is said to be as much as no disk takes.
    HugeStdout,
    /// What it read got lost before it ran; the first time.
    LostInput,
    /// The server has a bad day.
    Internal,
    /// It is never over.
    NeverOver,
    /// It is never begun, and nobody is told.
    NeverHeard,
    /// The server says nothing before the task is over, which takes three seconds.
    Late,
    /// The server falls silent once it has the task.
    FallsSilent,
    /// The stream is cut before it is over; so many are.
    Cut(usize),
    /// It says that it failed.
    Failed,
}

/// What became of what the server was told to run.
#[derive(Debug, Default)]
pub struct Jobs {
    /// How many were to be run.
    pub asked: AtomicUsize,
    /// How many streams were cut.
    pub cuts: AtomicUsize,
    /// The names of those that nobody wanted any more.
    pub cancelled: Mutex<Vec<String>>,
    /// What was written last.
    last: Mutex<Option<Vec<u8>>>,
    /// Those that are over, by their number.
    over: Mutex<HashMap<usize, api::ExecuteResponse>>,
}

type News = Result<longrunning::Operation, Status>;

fn digest_of(bytes: &[u8]) -> api::Digest {
    api::Digest {
        hash: Sha256::of(bytes).to_string(),
        size_bytes: bytes.len() as i64,
    }
}

fn operation(number: usize, result: Option<Ended>) -> longrunning::Operation {
    longrunning::Operation {
        name: format!("jobs/{number}"),
        done: result.is_some(),
        result,
        ..longrunning::Operation::default()
    }
}

fn response(message: &api::ExecuteResponse) -> Ended {
    Ended::Response(protobuf::Any {
        type_url: "type.googleapis.com/build.bazel.remote.execution.v2.ExecuteResponse".to_owned(),
        value: message.encode_to_vec(),
    })
}

impl Reapi {
    fn keep(&self, bytes: Vec<u8>) -> api::Digest {
        let digest = digest_of(&bytes);
        let mut blobs = self.blobs.lock().unwrap();
        blobs.insert(digest.hash.clone(), bytes);
        digest
    }

    fn message<T: Message + Default>(&self, digest: &Option<api::Digest>) -> T {
        T::decode(self.blob(digest).unwrap().as_slice()).unwrap()
    }

    /// Puts the files of an action into a folder.
    fn lay_out(&self, root: &Option<api::Digest>, folder: &Path) {
        let tree: api::Directory = self.message(root);
        for file in &tree.files {
            let path = folder.join(&file.name);
            fs::write(&path, self.blob(&file.digest).unwrap()).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&path, mode).unwrap();
        }
        for below in &tree.directories {
            let path = folder.join(&below.name);
            fs::create_dir(&path).unwrap();
            self.lay_out(&below.digest, &path);
        }
    }

    /// Runs an action as it should be run.
    fn run(&self, action: &Option<api::Digest>) -> api::ActionResult {
        let action: api::Action = self.message(action);
        let command: api::Command = self.message(&action.command_digest);
        let folder = TempDir::new().unwrap();
        self.lay_out(&action.input_root_digest, folder.path());
        let mut program = Command::new(&command.arguments[0]);
        program.args(&command.arguments[1..]).env_clear();
        program.current_dir(folder.path());
        let output = loop {
            match program.output() {
                // A process that another thread has just begun holds the file open still.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                    thread::sleep(Duration::from_millis(10));
                }
                output => break output.unwrap(),
            }
        };
        #[allow(deprecated)] // It speaks 2.0.
        let path = command.output_files[0].clone();
        let written = fs::read(folder.path().join(&path)).unwrap_or_default();
        api::ActionResult {
            output_files: vec![api::OutputFile {
                path,
                digest: Some(self.keep(written)),
                ..api::OutputFile::default()
            }],
            exit_code: output.status.code().unwrap_or(255),
            stderr_raw: output.stderr,
            ..api::ActionResult::default()
        }
    }

    /// Runs an action, and tells what `lie` makes of it.
    fn told(&self, action: &Option<api::Digest>, lie: Lie) -> api::ExecuteResponse {
        let mut result = self.run(action);
        let file = &mut result.output_files[0];
        let written = self.blob(&file.digest).unwrap();
        let before = self.jobs.last.lock().unwrap().replace(written.clone());
        match lie {
            Lie::OtherBytes => {
                let hash = digest_of(&written).hash;
                let mut blobs = self.blobs.lock().unwrap();
                blobs.get_mut(&hash).unwrap()[0] ^= 1;
            }
            Lie::NotStored => {
                let digest = file.digest.as_ref().unwrap();
                self.blobs.lock().unwrap().remove(&digest.hash);
            }
            Lie::Endless => file.digest.as_mut().unwrap().size_bytes = i64::MAX,
            Lie::NoOutput => result.output_files.clear(),
            Lie::OfAnother => {
                let other = before.unwrap_or_else(|| written.clone());
                file.digest = Some(self.keep(other));
            }
            Lie::Garbage => file.digest = Some(self.keep(b"no result at all".to_vec())),
            Lie::LongStdout => result.stdout_raw = vec![b'x'; 32 << 20],
            Lie::HugeStdout => {
                result.stdout_digest = Some(api::Digest {
                    hash: Sha256::of(b"").to_string(),
                    size_bytes: i64::MAX,
                });
            }
            Lie::Failed => {
                result.exit_code = 3;
                result.stderr_raw = b"first\n\x1b[31mno room\x07\n\n".to_vec();
            }
            _ => {}
        }
        api::ExecuteResponse {
            result: (lie != Lie::NoResult).then_some(result),
            ..api::ExecuteResponse::default()
        }
    }

    fn ended(&self, action: &Option<api::Digest>, lie: Lie) -> api::ExecuteResponse {
        let failed = |code: Code, message: &str| api::ExecuteResponse {
            status: Some(rpc::Status {
                code: code as i32,
                message: message.to_owned(),
                ..rpc::Status::default()
            }),
            ..api::ExecuteResponse::default()
        };
        match lie {
            Lie::LostInput => {
                *self.lie.lock().unwrap() = Lie::None;
                let mut blobs = self.blobs.lock().unwrap();
                blobs.retain(|_, bytes| bytes.len() > 1 << 20);
                failed(Code::FailedPrecondition, "a blob is missing")
            }
            Lie::Internal => failed(Code::Internal, "a bad day"),
            _ => self.told(action, lie),
        }
    }

    /// Returns the news of a job that is over, of which the stream may be cut.
    fn last_news(&self, number: usize, lie: Lie) -> News {
        let more = |n: usize| matches!(lie, Lie::Cut(cuts) if n < cuts).then_some(n + 1);
        let cuts = &self.jobs.cuts;
        if cuts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .is_ok()
        {
            return Err(Status::unavailable("cut"));
        }
        let over = self.jobs.over.lock().unwrap()[&number].clone();
        let result = match lie {
            Lie::Nonsense => Ended::Response(protobuf::Any {
                type_url: String::new(),
                value: b"\xff\xff\xff\xffno message".to_vec(),
            }),
            _ => response(&over),
        };
        Ok(operation(number, Some(result)))
    }
}

/// What a stream tells next.
#[derive(Clone, Copy)]
enum Next {
    Queued,
    Over,
}

impl Reapi {
    /// Returns the news of a job; when it is over, `over` is told.
    fn news(
        &self,
        number: usize,
        pieces: &[Next],
        lie: Lie,
        action: Option<api::Digest>,
    ) -> Stream<longrunning::Operation> {
        let it = self.clone();
        let news = tokio_stream::iter(pieces.to_vec()).then(move |next| {
            let (it, action) = (it.clone(), action.clone());
            async move {
                match next {
                    Next::Queued => return Ok(operation(number, None)),
                    Next::Over if lie == Lie::NeverOver => std::future::pending().await,
                    Next::Over => {}
                }
                let work = move || {
                    if action.is_some() {
                        let over = it.ended(&action, lie);
                        it.jobs.over.lock().unwrap().insert(number, over);
                    }
                    it.last_news(number, lie)
                };
                tokio::task::spawn_blocking(work).await.unwrap()
            }
        });
        Box::pin(news)
    }
}

#[tonic::async_trait]
impl api::execution_server::Execution for Reapi {
    type ExecuteStream = Stream<longrunning::Operation>;

    async fn execute(&self, request: Request<api::ExecuteRequest>) -> Answer<Self::ExecuteStream> {
        let number = self.jobs.asked.fetch_add(1, Ordering::SeqCst);
        let lie = *self.lie.lock().unwrap();
        if lie == Lie::Late {
            tokio::time::sleep(Duration::from_secs(6)).await;
        }
        if matches!(lie, Lie::NeverHeard | Lie::FallsSilent) {
            std::future::pending::<()>().await;
        }
        let action = request.into_inner().action_digest;
        let news = self.news(number, &[Next::Queued, Next::Over], lie, action);
        Ok(Response::new(news))
    }

    type WaitExecutionStream = Stream<longrunning::Operation>;

    async fn wait_execution(
        &self,
        request: Request<api::WaitExecutionRequest>,
    ) -> Answer<Self::WaitExecutionStream> {
        let name = request.into_inner().name;
        let number = name.rsplit('/').next().unwrap().parse().unwrap();
        let lie = *self.lie.lock().unwrap();
        let news = self.news(number, &[Next::Over], lie, None);
        Ok(Response::new(news))
    }
}

#[tonic::async_trait]
impl longrunning::operations_server::Operations for Reapi {
    async fn list_operations(
        &self,
        _: Request<longrunning::ListOperationsRequest>,
    ) -> Answer<longrunning::ListOperationsResponse> {
        Err(Status::unimplemented("no"))
    }

    async fn get_operation(
        &self,
        _: Request<longrunning::GetOperationRequest>,
    ) -> Answer<longrunning::Operation> {
        Err(Status::unimplemented("no"))
    }

    async fn delete_operation(
        &self,
        _: Request<longrunning::DeleteOperationRequest>,
    ) -> Answer<protobuf::Empty> {
        Err(Status::unimplemented("no"))
    }

    async fn cancel_operation(
        &self,
        request: Request<longrunning::CancelOperationRequest>,
    ) -> Answer<protobuf::Empty> {
        let name = request.into_inner().name;
        self.jobs.cancelled.lock().unwrap().push(name);
        Ok(Response::new(protobuf::Empty::default()))
    }

    async fn wait_operation(
        &self,
        _: Request<longrunning::WaitOperationRequest>,
    ) -> Answer<longrunning::Operation> {
        Err(Status::unimplemented("no"))
    }
}
