//! The simple HTTP cache: `GET`, `HEAD` and `PUT` of `/ac/<sha256>` and
//! `/cas/<sha256>`, as Bazel uses it.

use std::sync::Arc;
use std::time::Duration;

use bazel_remote_apis::build::bazel::remote::execution::v2::ActionResult;
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Error;
use prost::Message;
use tonic::body::Body;
use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::HeaderValue;
use tonic::codegen::http::Method;
use tonic::codegen::http::Request;
use tonic::codegen::http::Response;
use tonic::codegen::http::StatusCode;
use tonic::codegen::http::header::CONTENT_LENGTH;
use tonic::codegen::http::header::CONTENT_TYPE;

use crate::remote::action::ANSWER_SIZE_MAX;
use crate::remote::action::ActionKey;
use crate::remote::action::Name;
use crate::remote::address::Address;
use crate::remote::fault::Fault;
use crate::remote::fault::with_causes;
use crate::remote::pace::Pace;
use crate::remote::pace::sending_time;
use crate::remote::packing::Sink;
use crate::remote::web::Web;

/// A server of the simple HTTP cache.
pub(super) struct HttpWire {
    pub(super) web: Web,
    pub(super) address: Address,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
}

/// What a server answers with, before its body.
type Answer = Response<Incoming>;

impl HttpWire {
    /// Returns the description of a result, if there is one.
    pub(super) async fn action(&self, key: &ActionKey) -> Result<Option<ActionResult>, Fault> {
        let path = format!("/ac/{}", key.name.sha256);
        let Some(bytes) = self.get(&path, ANSWER_SIZE_MAX as u64, false).await? else {
            return Ok(None);
        };
        let message = ActionResult::decode(bytes.as_slice());
        let what = "what should describe a result is no such message";
        message.map(Some).map_err(|_| Fault::Wrong(what.to_owned()))
    }

    /// Returns the bytes of a blob, if they are there.
    pub(super) async fn read(&self, name: Name) -> Result<Option<Vec<u8>>, Fault> {
        self.get(&format!("/cas/{}", name.sha256), name.size, true)
            .await
    }

    /// Returns whether a blob is there.
    pub(super) async fn has(&self, name: Name) -> Result<bool, Fault> {
        let path = format!("/cas/{}", name.sha256);
        let asked = self.ask(Method::HEAD, &path, Bytes::new());
        let answer = Pace::new(self.timeout).step(asked).await??;
        match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(false),
            status if status.is_success() => {
                // A blob of another length is a damaged one: it is written again.
                let length = length(&answer);
                Ok(length.is_none_or(|length| length == name.size))
            }
            status => Err(fault(status)),
        }
    }

    /// Stores the bytes of a blob.
    pub(super) async fn write(&self, name: Name, bytes: &Arc<Vec<u8>>) -> Result<(), Fault> {
        let bytes = Bytes::from_owner(Shared(Arc::clone(bytes)));
        self.put(&format!("/cas/{}", name.sha256), bytes).await
    }

    /// Stores the description of a result.
    pub(super) async fn put_action(
        &self,
        key: &ActionKey,
        result: &ActionResult,
    ) -> Result<(), Fault> {
        let path = format!("/ac/{}", key.name.sha256);
        self.put(&path, result.encode_to_vec().into()).await
    }

    /// Gets at most `size` bytes, and exactly as many if the length is known.
    async fn get(&self, path: &str, size: u64, is_exact: bool) -> Result<Option<Vec<u8>>, Fault> {
        let mut pace = Pace::new(self.timeout);
        let asked = self.ask(Method::GET, path, Bytes::new());
        let answer = pace.step(asked).await??;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status => return Err(fault(status)),
        }
        let wrong = |length| Fault::Wrong(format!("{length} bytes came where {size} were wanted"));
        let length = length(&answer);
        match length {
            Some(length) if length > size || (is_exact && length != size) => {
                return Err(wrong(length));
            }
            _ => {}
        }
        let mut sink = Sink::new(Vec::new(), size, false)?;
        let mut body = answer.into_body();
        while let Some(frame) = pace.step(body.frame()).await? {
            let frame = frame.map_err(|error| Fault::Passing(with_causes(&error)))?;
            if let Some(piece) = frame.data_ref() {
                pace.came(piece.len())?;
                sink.take(piece)?;
            }
        }
        let bytes = sink.into_bytes();
        match length.or(is_exact.then_some(size)) {
            Some(length) if length > bytes.len() as u64 => {
                Err(Fault::Passing("the connection was cut".to_owned()))
            }
            _ => Ok(Some(bytes)),
        }
    }

    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), Fault> {
        let time = sending_time(self.timeout, bytes.len());
        let asked = self.ask(Method::PUT, path, bytes);
        let answer = tokio::time::timeout(time, asked).await;
        let answer = answer.map_err(|_| Fault::Slow)??;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                Err(Fault::NotTaken(answer.status().to_string()))
            }
            status => Err(fault(status)),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, Fault> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(self.address.at(path));
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
            if method == Method::PUT {
                headers.insert(CONTENT_TYPE, OCTETS);
                headers.insert(CONTENT_LENGTH, body.len().into());
            }
        }
        let request = request.body(Body::new(Full::new(body)));
        let request = request.expect("method, address and headers are valid");
        self.web
            .request(request)
            .await
            .map_err(|error| broken(&error))
    }
}

/// What a blob or a result is sent as.
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// Bytes that are sent without a copy.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn length<T>(answer: &Response<T>) -> Option<u64> {
    answer
        .headers()
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Says what a status means that is neither success nor a miss.
fn fault(status: StatusCode) -> Fault {
    let text = status.to_string();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Fault::Refused(text),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => Fault::Refused(text),
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Fault::Passing(text),
        status if status.is_redirection() => {
            Fault::Lasting(format!("{text}: redirections are not followed"))
        }
        _ => Fault::Lasting(text),
    }
}

/// Says what a request that got no answer means: certificates do not get better.
pub(super) fn broken(error: &Error) -> Fault {
    let text = with_causes(error);
    match text.contains("certificate") || text.contains("invalid dnsname") {
        true => Fault::Lasting(text),
        false => Fault::Passing(text),
    }
}
