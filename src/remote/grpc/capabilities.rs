//! What a server says that it can do.

use bazel_remote_apis::build::bazel::remote::execution::v2 as api;

use crate::remote::action::ANSWER_SIZE_MAX;
use crate::remote::fault::Fault;
use crate::remote::grpc::BLOB_OVERHEAD;
use crate::remote::grpc::GrpcWire;
use crate::remote::grpc::SHA256;
use crate::remote::grpc::ZSTD;
use crate::remote::grpc::status::fault;
use crate::remote::web::Web;

type Client = api::capabilities_client::CapabilitiesClient<Web>;

/// What matters here of a server's capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::remote) struct Capabilities {
    /// Bytes of all blobs of one message, overhead included.
    pub(in crate::remote) batch_size: u64,
    /// Whether results can be stored.
    pub(in crate::remote) takes_results: bool,
    /// Whether streams and answers may be packed with zstd.
    pub(in crate::remote) streams_zstd: bool,
    /// Whether several blobs may be sent packed with zstd.
    pub(in crate::remote) batches_zstd: bool,
    /// Whether it runs actions.
    pub(in crate::remote) executes: bool,
    /// Whether an action names its outputs as the API does since 2.1.
    pub(in crate::remote) knows_output_paths: bool,
}

/// Bytes of a message: what every gRPC library lets pass, less some for the rest.
const MESSAGE_SIZE: u64 = ANSWER_SIZE_MAX as u64 - 64 * 1_024;

impl Capabilities {
    /// Asks the server.
    pub(super) async fn ask(wire: &GrpcWire) -> Result<Self, Fault> {
        let request = wire.request(api::GetCapabilitiesRequest {
            instance_name: wire.instance.clone(),
        });
        let mut client = Client::with_origin(wire.web.clone(), wire.origin.clone());
        let answer = wire.timed(0, client.get_capabilities(request)).await?;
        let answer = answer.map_err(|status| fault(&status))?;
        Self::of(&answer.into_inner())
    }

    /// Reads what the server says; refuses one that cannot be used.
    fn of(said: &api::ServerCapabilities) -> Result<Self, Fault> {
        let low = said.low_api_version.as_ref().map_or(2, |low| low.major);
        let high = said.high_api_version.as_ref().map_or(2, |high| high.major);
        if low > 2 || high < 2 {
            let text = "it does not speak version 2 of the Remote Execution API";
            return Err(Fault::Lasting(text.to_owned()));
        }
        let Some(cache) = &said.cache_capabilities else {
            return Err(Fault::Lasting("it has no cache".to_owned()));
        };
        // What says nothing of digests is from a time with one kind.
        if !cache.digest_functions.is_empty() && !cache.digest_functions.contains(&SHA256) {
            let text = "it does not know blobs by their SHA-256";
            return Err(Fault::Lasting(text.to_owned()));
        }
        let batch = u64::try_from(cache.max_batch_total_size_bytes).unwrap_or(0);
        let execution = said.execution_capabilities.as_ref();
        let high_minor = said.high_api_version.as_ref().map_or(0, |high| high.minor);
        let updates = cache.action_cache_update_capabilities.as_ref();
        Ok(Self {
            // 0 stands for no limit of its own; one that fits nothing is none.
            batch_size: match batch {
                0..=BLOB_OVERHEAD => MESSAGE_SIZE,
                batch => batch.min(MESSAGE_SIZE),
            },
            takes_results: updates.is_none_or(|updates| updates.update_enabled),
            streams_zstd: cache.supported_compressors.contains(&ZSTD),
            executes: execution.is_some_and(|execution| execution.exec_enabled),
            knows_output_paths: high > 2 || high_minor >= 1,
            batches_zstd: cache.supported_batch_update_compressors.contains(&ZSTD),
        })
    }
}

#[cfg(test)]
mod tests {
    use bazel_remote_apis::build::bazel::semver::SemVer;

    use super::*;

    fn server(cache: api::CacheCapabilities) -> api::ServerCapabilities {
        api::ServerCapabilities {
            cache_capabilities: Some(cache),
            ..api::ServerCapabilities::default()
        }
    }

    #[test]
    fn limits_of_the_server_are_kept() {
        let of = |max_batch_total_size_bytes| {
            let cache = api::CacheCapabilities {
                max_batch_total_size_bytes,
                ..api::CacheCapabilities::default()
            };
            Capabilities::of(&server(cache)).unwrap().batch_size
        };
        assert_eq!(of(1_000_000), 1_000_000);
        assert_eq!(of(i64::MAX), MESSAGE_SIZE);
        for none in [0, -5, 3] {
            assert_eq!(of(none), MESSAGE_SIZE);
        }
    }

    #[test]
    fn a_server_without_sha256_or_of_another_version_is_refused() {
        let md5 = api::CacheCapabilities {
            digest_functions: vec![api::digest_function::Value::Md5.into()],
            ..api::CacheCapabilities::default()
        };
        assert!(Capabilities::of(&server(md5)).is_err());
        let mut newer = server(api::CacheCapabilities::default());
        let major = 3;
        newer.low_api_version = Some(SemVer {
            major,
            ..SemVer::default()
        });
        assert!(Capabilities::of(&newer).is_err());
        assert!(Capabilities::of(&api::ServerCapabilities::default()).is_err());
    }
}
