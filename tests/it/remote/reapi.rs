//! A server of the Remote Execution API in this process, which has what the real
//! ones at hand have not: zstd, small limits, streams that end too soon.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::bytestream as stream;
use bazel_remote_apis::google::longrunning::operations_server::OperationsServer;
use bazel_remote_apis::google::rpc;
use tonic::Code;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::Streaming;
use tonic::codegen::tokio_stream;

use crate::remote::executor::Jobs;
use crate::remote::executor::Lie;
use crate::remote::servers::free_port;

pub(super) type Answer<T> = Result<Response<T>, Status>;
pub(super) type Stream<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

const ZSTD: i32 = api::compressor::Value::Zstd as i32;

/// What is special about a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    pub zstd: bool,
    /// Bytes of all blobs in a message; 0 for no limit of its own.
    pub batch: i64,
    /// Whether results are refused.
    pub is_read_only: bool,
    /// How many streams to it, and as many from it, end before their time.
    pub cuts: usize,
    /// Whether every blob of a batch is refused, though the call goes well.
    pub refuses_blobs: bool,
    /// Whether it runs what it is told to.
    pub executes: bool,
}

/// What was asked of it.
#[derive(Debug, Default)]
pub struct Counts {
    pub capabilities: AtomicUsize,
    pub batches: AtomicUsize,
    pub streams: AtomicUsize,
    /// Bytes of blobs in streams, as they were sent.
    pub stream_bytes: AtomicUsize,
    pub packed: AtomicUsize,
    pub write_cuts: AtomicUsize,
    pub read_cuts: AtomicUsize,
    pub largest_batch: AtomicUsize,
}

impl Counts {
    pub fn of(count: &AtomicUsize) -> usize {
        count.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
pub struct Reapi {
    pub url: String,
    habits: Habits,
    pub counts: Arc<Counts>,
    /// What is wrong with the tasks that it runs.
    pub lie: Arc<Mutex<Lie>>,
    pub jobs: Arc<Jobs>,
    pub(super) blobs: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    results: Arc<Mutex<HashMap<String, api::ActionResult>>>,
    /// Uploads that did not come to their end.
    pending: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

fn count(count: &AtomicUsize, more: usize) {
    count.fetch_add(more, Ordering::SeqCst);
}

impl Reapi {
    /// Starts a server; it ends with the process.
    pub fn new(habits: Habits) -> Self {
        let port = free_port();
        let server = Self {
            url: format!("grpc://127.0.0.1:{port}"),
            habits,
            counts: Arc::default(),
            lie: Arc::default(),
            jobs: Arc::default(),
            blobs: Arc::default(),
            results: Arc::default(),
            pending: Arc::default(),
        };
        let it = server.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let cas = api::content_addressable_storage_server::ContentAddressableStorageServer::new(
                it.clone(),
            );
            let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
            let served = tonic::transport::Server::builder()
                .add_service(cas.max_decoding_message_size(16 << 20))
                .add_service(api::action_cache_server::ActionCacheServer::new(it.clone()))
                .add_service(api::capabilities_server::CapabilitiesServer::new(
                    it.clone(),
                ))
                .add_service(stream::byte_stream_server::ByteStreamServer::new(
                    it.clone(),
                ))
                .add_service(api::execution_server::ExecutionServer::new(it.clone()))
                .add_service(OperationsServer::new(it))
                .serve(address);
            runtime.block_on(served).unwrap();
        });
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::yield_now();
        }
        server
    }

    pub(super) fn blob(&self, digest: &Option<api::Digest>) -> Option<Vec<u8>> {
        let hash = &digest.as_ref()?.hash;
        self.blobs.lock().unwrap().get(hash).cloned()
    }

    /// Returns whether the next stream is to be cut.
    fn cuts(&self, cuts: &AtomicUsize) -> bool {
        let more = |n: usize| (n < self.habits.cuts).then_some(n + 1);
        cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .is_ok()
    }
}

fn status(code: Code) -> Option<rpc::Status> {
    Some(rpc::Status {
        code: code as i32,
        ..rpc::Status::default()
    })
}

/// Returns hash and whether it is packed, of a resource's name.
fn named(resource: &str) -> (String, bool) {
    let parts: Vec<&str> = resource.split('/').collect();
    let hash = parts[parts.len() - 2].to_owned();
    (hash, parts.contains(&"compressed-blobs"))
}

#[tonic::async_trait]
impl api::capabilities_server::Capabilities for Reapi {
    async fn get_capabilities(
        &self,
        _: Request<api::GetCapabilitiesRequest>,
    ) -> Answer<api::ServerCapabilities> {
        count(&self.counts.capabilities, 1);
        let is_silent = *self.lie.lock().unwrap() == Lie::FallsSilent;
        if is_silent && self.jobs.asked.load(Ordering::SeqCst) > 0 {
            std::future::pending::<()>().await;
        }
        let compressors = if self.habits.zstd {
            vec![0, ZSTD]
        } else {
            vec![0]
        };
        Ok(Response::new(api::ServerCapabilities {
            cache_capabilities: Some(api::CacheCapabilities {
                digest_functions: vec![1],
                max_batch_total_size_bytes: self.habits.batch,
                supported_compressors: compressors.clone(),
                supported_batch_update_compressors: compressors,
                action_cache_update_capabilities: Some(api::ActionCacheUpdateCapabilities {
                    update_enabled: !self.habits.is_read_only,
                }),
                ..api::CacheCapabilities::default()
            }),
            execution_capabilities: self.habits.executes.then(|| api::ExecutionCapabilities {
                digest_function: 1,
                exec_enabled: true,
                ..api::ExecutionCapabilities::default()
            }),
            ..api::ServerCapabilities::default()
        }))
    }
}

#[tonic::async_trait]
impl api::action_cache_server::ActionCache for Reapi {
    async fn get_action_result(
        &self,
        request: Request<api::GetActionResultRequest>,
    ) -> Answer<api::ActionResult> {
        let hash = request.into_inner().action_digest.unwrap().hash;
        let found = self.results.lock().unwrap().get(&hash).cloned();
        found
            .map(Response::new)
            .ok_or_else(|| Status::not_found("no"))
    }

    async fn update_action_result(
        &self,
        request: Request<api::UpdateActionResultRequest>,
    ) -> Answer<api::ActionResult> {
        let request = request.into_inner();
        let (hash, result) = (
            request.action_digest.unwrap().hash,
            request.action_result.unwrap(),
        );
        let mut all = result.output_files.iter();
        if !all.all(|file| self.blob(&file.digest).is_some()) {
            return Err(Status::failed_precondition("a blob is missing"));
        }
        self.results.lock().unwrap().insert(hash, result.clone());
        Ok(Response::new(result))
    }
}

#[tonic::async_trait]
impl api::content_addressable_storage_server::ContentAddressableStorage for Reapi {
    async fn find_missing_blobs(
        &self,
        request: Request<api::FindMissingBlobsRequest>,
    ) -> Answer<api::FindMissingBlobsResponse> {
        let digests = request.into_inner().blob_digests.into_iter();
        let missing = digests.filter(|digest| self.blob(&Some(digest.clone())).is_none());
        Ok(Response::new(api::FindMissingBlobsResponse {
            missing_blob_digests: missing.collect(),
        }))
    }

    async fn batch_update_blobs(
        &self,
        request: Request<api::BatchUpdateBlobsRequest>,
    ) -> Answer<api::BatchUpdateBlobsResponse> {
        count(&self.counts.batches, 1);
        let requests = request.into_inner().requests;
        let size: usize = requests.iter().map(|one| one.data.len()).sum();
        self.counts.largest_batch.fetch_max(size, Ordering::SeqCst);
        let responses = requests.into_iter().map(|one| {
            let digest = one.digest.clone().unwrap();
            let data = match one.compressor {
                ZSTD => {
                    count(&self.counts.packed, 1);
                    zstd::decode_all(one.data.as_slice()).unwrap()
                }
                _ => one.data,
            };
            let code = match self.habits.refuses_blobs {
                true => Code::InvalidArgument,
                false => {
                    self.blobs.lock().unwrap().insert(digest.hash, data);
                    Code::Ok
                }
            };
            api::batch_update_blobs_response::Response {
                digest: one.digest,
                status: status(code),
            }
        });
        Ok(Response::new(api::BatchUpdateBlobsResponse {
            responses: responses.collect(),
        }))
    }

    async fn batch_read_blobs(
        &self,
        request: Request<api::BatchReadBlobsRequest>,
    ) -> Answer<api::BatchReadBlobsResponse> {
        count(&self.counts.batches, 1);
        let request = request.into_inner();
        let packs = request.acceptable_compressors.contains(&ZSTD);
        let responses = request.digests.into_iter().rev().map(|digest| {
            let found = self.blob(&Some(digest.clone()));
            let code = if found.is_some() {
                Code::Ok
            } else {
                Code::NotFound
            };
            let mut data = found.unwrap_or_default();
            let compressor = if packs { ZSTD } else { 0 };
            if packs {
                count(&self.counts.packed, 1);
                data = zstd::encode_all(data.as_slice(), 1).unwrap();
            }
            api::batch_read_blobs_response::Response {
                digest: Some(digest),
                data,
                compressor,
                status: status(code),
            }
        });
        Ok(Response::new(api::BatchReadBlobsResponse {
            responses: responses.collect(),
        }))
    }

    type GetTreeStream = Stream<api::GetTreeResponse>;

    async fn get_tree(&self, _: Request<api::GetTreeRequest>) -> Answer<Self::GetTreeStream> {
        Err(Status::unimplemented("no trees"))
    }

    async fn split_blob(
        &self,
        _: Request<api::SplitBlobRequest>,
    ) -> Answer<api::SplitBlobResponse> {
        Err(Status::unimplemented("no"))
    }

    type GetChunkMappingStream = Stream<api::GetChunkMappingResponse>;

    async fn get_chunk_mapping(
        &self,
        _: Request<api::GetChunkMappingRequest>,
    ) -> Answer<Self::GetChunkMappingStream> {
        Err(Status::unimplemented("no"))
    }

    async fn register_chunk_mapping(
        &self,
        _: Request<Streaming<api::RegisterChunkMappingRequest>>,
    ) -> Answer<api::RegisterChunkMappingResponse> {
        Err(Status::unimplemented("no"))
    }

    async fn splice_blob(
        &self,
        _: Request<api::SpliceBlobRequest>,
    ) -> Answer<api::SpliceBlobResponse> {
        Err(Status::unimplemented("no"))
    }
}

#[tonic::async_trait]
impl stream::byte_stream_server::ByteStream for Reapi {
    type ReadStream = Stream<stream::ReadResponse>;

    async fn read(&self, request: Request<stream::ReadRequest>) -> Answer<Self::ReadStream> {
        count(&self.counts.streams, 1);
        let request = request.into_inner();
        let (hash, packs) = named(&request.resource_name);
        let Some(bytes) = self.blobs.lock().unwrap().get(&hash).cloned() else {
            return Err(Status::not_found("no"));
        };
        // The offset is that of the blob as it is, also when it is packed.
        let mut rest = bytes[request.read_offset as usize..].to_vec();
        if packs {
            count(&self.counts.packed, 1);
            rest = zstd::encode_all(rest.as_slice(), 1).unwrap();
        }
        let is_cut = self.cuts(&self.counts.read_cuts);
        if is_cut {
            rest.truncate(rest.len() / 2);
        }
        count(&self.counts.stream_bytes, rest.len());
        let pieces: Vec<Vec<u8>> = rest.chunks(100_000).map(<[u8]>::to_vec).collect();
        let mut answers: Vec<Result<stream::ReadResponse, Status>> = pieces
            .into_iter()
            .map(|data| Ok(stream::ReadResponse { data }))
            .collect();
        if is_cut {
            answers.push(Err(Status::unavailable("cut")));
        }
        Ok(Response::new(Box::pin(tokio_stream::iter(answers))))
    }

    async fn write(
        &self,
        request: Request<Streaming<stream::WriteRequest>>,
    ) -> Answer<stream::WriteResponse> {
        count(&self.counts.streams, 1);
        let mut messages = request.into_inner();
        let mut resource = String::new();
        let mut bytes = Vec::new();
        let is_cut = self.cuts(&self.counts.write_cuts);
        while let Some(message) = messages.message().await? {
            if resource.is_empty() {
                resource = message.resource_name.clone();
                bytes = self
                    .pending
                    .lock()
                    .unwrap()
                    .remove(&resource)
                    .unwrap_or_default();
            }
            if message.write_offset as usize != bytes.len() {
                return Err(Status::invalid_argument("another offset"));
            }
            count(&self.counts.stream_bytes, message.data.len());
            bytes.extend_from_slice(&message.data);
            if is_cut && !message.finish_write {
                self.pending.lock().unwrap().insert(resource, bytes);
                return Err(Status::unavailable("cut"));
            }
        }
        let committed_size = bytes.len() as i64;
        let (hash, is_packed) = named(&resource);
        if is_packed {
            count(&self.counts.packed, 1);
            bytes = zstd::decode_all(bytes.as_slice()).unwrap();
        }
        self.blobs.lock().unwrap().insert(hash, bytes);
        Ok(Response::new(stream::WriteResponse { committed_size }))
    }

    async fn query_write_status(
        &self,
        request: Request<stream::QueryWriteStatusRequest>,
    ) -> Answer<stream::QueryWriteStatusResponse> {
        let resource = request.into_inner().resource_name;
        let pending = self.pending.lock().unwrap();
        Ok(Response::new(stream::QueryWriteStatusResponse {
            committed_size: pending.get(&resource).map_or(0, |bytes| bytes.len() as i64),
            complete: false,
        }))
    }
}
