//! The cache of the Remote Execution API, version 2, over gRPC.

mod capabilities;
mod execution;
mod status;
mod stream;

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;
use bazel_remote_apis::google::rpc;
use tokio::sync::OnceCell;
use tonic::Code;
use tonic::Request;
use tonic::Response;
use tonic::Status;
use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::Uri;
use tonic::metadata::MetadataMap;

use crate::remote::action::ANSWER_SIZE_MAX;
use crate::remote::action::ActionKey;
use crate::remote::action::Blob;
use crate::remote::action::Name;
use crate::remote::execute::Content;
use crate::remote::fault::Fault;
use crate::remote::grpc::capabilities::Capabilities;
use crate::remote::grpc::status::fault;
use crate::remote::grpc::status::is_missing;
use crate::remote::pace::sending_time;
use crate::remote::packing::PACK_FROM;
use crate::remote::packing::packed;
use crate::remote::packing::unpacked;
use crate::remote::web::Web;

type Cas = api::content_addressable_storage_client::ContentAddressableStorageClient<Web>;
type ActionCache = api::action_cache_client::ActionCacheClient<Web>;

/// The digest function of all digests here.
const SHA256: i32 = api::digest_function::Value::Sha256 as i32;

/// zstd, as the API numbers it.
const ZSTD: i32 = api::compressor::Value::Zstd as i32;

/// Bytes that a message has beside those of its blobs, for each of them.
const BLOB_OVERHEAD: u64 = 512;

/// Names that are asked for in one message.
const NAMES_MAX: usize = 5_000;

/// A server of the Remote Execution API.
pub(super) struct GrpcWire {
    web: Web,
    origin: Uri,
    headers: MetadataMap,
    instance: String,
    timeout: Duration,
    /// What the server can do, once it was asked.
    capabilities: OnceCell<Capabilities>,
    /// Shared by jobs that the server has not let go of.
    under_way: Arc<()>,
}

impl GrpcWire {
    /// Returns the server at `origin`; nothing is asked yet.
    pub(super) fn new(
        web: Web,
        origin: Uri,
        headers: HeaderMap,
        instance: String,
        timeout: Duration,
    ) -> Self {
        Self {
            web,
            origin,
            headers: MetadataMap::from_headers(headers),
            instance,
            timeout,
            capabilities: OnceCell::new(),
            under_way: Arc::default(),
        }
    }

    /// Returns whether jobs run there, or are being cancelled.
    pub(super) fn has_jobs(&self) -> bool {
        Arc::strong_count(&self.under_way) > 1
    }

    /// Returns what the server can do; it is asked once.
    pub(super) async fn capabilities(&self) -> Result<&Capabilities, Fault> {
        let ask = || Capabilities::ask(self);
        self.capabilities.get_or_try_init(ask).await
    }

    /// Returns the description of a result, if there is one.
    pub(super) async fn action(&self, key: &ActionKey) -> Result<Option<api::ActionResult>, Fault> {
        self.capabilities().await?;
        let request = self.request(api::GetActionResultRequest {
            instance_name: self.instance.clone(),
            action_digest: Some(key.name.digest()),
            digest_function: SHA256,
            ..api::GetActionResultRequest::default()
        });
        let mut client = self.action_cache();
        let answer = self.timed(0, client.get_action_result(request)).await?;
        found(answer)
    }

    async fn check_takes_results(&self) -> Result<(), Fault> {
        match self.capabilities().await?.takes_results {
            true => Ok(()),
            false => {
                let text = "its action cache cannot be updated";
                Err(Fault::NotTaken(text.to_owned()))
            }
        }
    }

    /// Stores the description of a result.
    pub(super) async fn put_action(
        &self,
        key: &ActionKey,
        result: &api::ActionResult,
    ) -> Result<(), Fault> {
        self.check_takes_results().await?;
        let request = self.request(api::UpdateActionResultRequest {
            instance_name: self.instance.clone(),
            action_digest: Some(key.name.digest()),
            action_result: Some(result.clone()),
            digest_function: SHA256,
            ..api::UpdateActionResultRequest::default()
        });
        let mut client = self.action_cache();
        let answer = self.timed(0, client.update_action_result(request)).await?;
        answer.map(|_| ()).map_err(|status| fault(&status))
    }

    /// Returns those of `names` that the server does not have. Whoever asks wants
    /// to store them: where no result can be, that is told before any byte is sent.
    pub(super) async fn missing(&self, names: &[Name]) -> Result<Vec<Name>, Fault> {
        self.check_takes_results().await?;
        self.absent(names).await
    }

    /// Returns those of `names` that the server does not have.
    async fn absent(&self, names: &[Name]) -> Result<Vec<Name>, Fault> {
        let mut missing = Vec::new();
        for some in names.chunks(NAMES_MAX) {
            let request = self.request(api::FindMissingBlobsRequest {
                instance_name: self.instance.clone(),
                blob_digests: some.iter().map(Name::digest).collect(),
                digest_function: SHA256,
            });
            let mut client = self.cas();
            let answer = self.timed(0, client.find_missing_blobs(request)).await?;
            let answer = answer.map_err(|status| fault(&status))?.into_inner();
            let told = answer.missing_blob_digests.into_iter();
            let told: HashSet<(String, i64)> = told.map(|one| (one.hash, one.size_bytes)).collect();
            missing.extend(some.iter().filter(|name| told.contains(&pair(name))));
        }
        Ok(missing)
    }

    /// Cuts blobs of these sizes into groups that go into one message each; a blob
    /// that is too large for any is alone.
    pub(super) async fn groups(&self, sizes: &[u64]) -> Result<Vec<Vec<usize>>, Fault> {
        let limit = self.capabilities().await?.batch_size;
        Ok(groups(sizes, limit))
    }

    /// Returns the bytes of a group of blobs, as far as they are there.
    pub(super) async fn read(&self, names: &[Name]) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        let capabilities = self.capabilities().await?;
        match names {
            [one] if one.size + BLOB_OVERHEAD > capabilities.batch_size => Ok(vec![
                self.read_stream(*one, capabilities.streams_zstd).await?,
            ]),
            _ => self.read_batch(names, capabilities).await,
        }
    }

    async fn read_batch(
        &self,
        names: &[Name],
        capabilities: &Capabilities,
    ) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        let acceptable = if capabilities.streams_zstd {
            vec![ZSTD]
        } else {
            Vec::new()
        };
        let request = self.request(api::BatchReadBlobsRequest {
            instance_name: self.instance.clone(),
            digests: names.iter().map(Name::digest).collect(),
            acceptable_compressors: acceptable,
            digest_function: SHA256,
        });
        let size: u64 = names.iter().map(|name| name.size).sum();
        let mut client = self.cas();
        let answer = self.timed(size, client.batch_read_blobs(request)).await?;
        let answer = answer.map_err(|status| fault(&status))?.into_inner();
        let mut blobs = vec![None; names.len()];
        let wanted = names.iter().enumerate().map(|(at, name)| (pair(name), at));
        // Each is answered once: what is taken out is not unpacked again.
        let mut wanted: HashMap<(String, i64), usize> = wanted.collect();
        for response in answer.responses {
            let code = response.status.as_ref().map_or(0, |status| status.code);
            let digest = response.digest.unwrap_or_default();
            let Some(at) = wanted.remove(&(digest.hash, digest.size_bytes)) else {
                continue;
            };
            if code == 0 {
                blobs[at] = Some(match response.compressor {
                    0 => response.data,
                    ZSTD => unpacked(&response.data, names[at].size)?,
                    _ => return Err(Fault::Wrong("a blob is packed in a strange way".to_owned())),
                });
            } else if !is_missing(Code::from_i32(code)) {
                return Err(of_blob(response.status));
            }
        }
        Ok(blobs)
    }

    /// Stores a group of blobs.
    pub(super) async fn write(&self, blobs: &[Blob]) -> Result<(), Fault> {
        if let [(name, bytes)] = blobs
            && self.is_streamed(name.size).await?
        {
            let content = Content::Held(Arc::clone(bytes));
            return self.write_stream(*name, &content).await;
        }
        let packs = self.capabilities().await?.batches_zstd;
        self.write_batch(blobs, packs).await
    }

    /// Returns whether a blob of this size is too large for a message.
    async fn is_streamed(&self, size: u64) -> Result<bool, Fault> {
        let limit = self.capabilities().await?.batch_size;
        Ok(size + BLOB_OVERHEAD > limit)
    }

    async fn write_batch(&self, blobs: &[Blob], packs: bool) -> Result<(), Fault> {
        let requests = blobs.iter().map(|(name, bytes)| {
            let smaller = if packs && bytes.len() >= PACK_FROM {
                packed(bytes)
            } else {
                None
            };
            api::batch_update_blobs_request::Request {
                digest: Some(name.digest()),
                compressor: if smaller.is_some() { ZSTD } else { 0 },
                data: smaller.unwrap_or_else(|| bytes.to_vec()),
            }
        });
        let request = self.request(api::BatchUpdateBlobsRequest {
            instance_name: self.instance.clone(),
            requests: requests.collect(),
            digest_function: SHA256,
        });
        let size: u64 = blobs.iter().map(|(name, _)| name.size).sum();
        let mut client = self.cas();
        let answer = self.timed(size, client.batch_update_blobs(request)).await?;
        let answer = answer.map_err(|status| fault(&status))?.into_inner();
        // That the call went well says nothing of a single blob.
        let is_refused = |one: &api::batch_update_blobs_response::Response| {
            one.status.as_ref().is_some_and(|s| s.code != 0)
        };
        match answer.responses.into_iter().find(is_refused) {
            Some(refused) => Err(of_blob(refused.status)),
            None => Ok(()),
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        *request.metadata_mut() = self.headers.clone();
        request
    }

    /// Waits for an answer, longer when `size` bytes go along.
    async fn timed<T>(
        &self,
        size: u64,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<Result<Response<T>, Status>, Fault> {
        let time = sending_time(self.timeout, size as usize);
        let answer = tokio::time::timeout(time, call).await;
        answer.map_err(|_| Fault::Slow)
    }

    fn cas(&self) -> Cas {
        Cas::with_origin(self.web.clone(), self.origin.clone())
            .max_decoding_message_size(2 * ANSWER_SIZE_MAX)
    }

    fn action_cache(&self) -> ActionCache {
        ActionCache::with_origin(self.web.clone(), self.origin.clone())
            .max_decoding_message_size(ANSWER_SIZE_MAX)
    }
}

/// A name as answers have it.
fn pair(name: &Name) -> (String, i64) {
    let digest = name.digest();
    (digest.hash, digest.size_bytes)
}

/// Returns what an answer holds; that something is not there is no fault.
fn found<T>(answer: Result<Response<T>, Status>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer.into_inner())),
        Err(status) if is_missing(status.code()) => Ok(None),
        Err(status) => Err(fault(&status)),
    }
}

/// Says what the status of a single blob means.
fn of_blob(status: Option<rpc::Status>) -> Fault {
    let status = status.unwrap_or_default();
    fault(&Status::new(Code::from_i32(status.code), status.message))
}

/// Cuts sizes into groups that are at most `limit` in sum, overhead included.
fn groups(sizes: &[u64], limit: u64) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut open = Vec::new();
    let mut sum = 0;
    for (index, size) in sizes.iter().enumerate() {
        let size = size + BLOB_OVERHEAD;
        if size > limit {
            groups.push(vec![index]);
            continue;
        }
        if sum + size > limit {
            groups.push(std::mem::take(&mut open));
            sum = 0;
        }
        open.push(index);
        sum += size;
    }
    if !open.is_empty() {
        groups.push(open);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_fit_into_a_message_and_hold_every_blob_once() {
        let sizes = [100, 5_000, 100, 300, 600, 0];
        let groups = groups(&sizes, 2_000);
        assert_eq!(groups, [vec![1], vec![0, 2], vec![3, 4], vec![5]]);
    }
}
