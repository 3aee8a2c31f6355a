//! Connections: plain or with TLS, HTTP/1.1 or HTTP/2, kept open between calls.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem;
use rustls::pki_types::pem::PemObject;
use tonic::body::Body;

use crate::data::Remote;
use crate::remote::RemoteError;
use crate::remote::address::Protocol;

/// Makes requests. Clones share their connections.
pub(super) type Web = Client<HttpsConnector<HttpConnector>, Body>;

/// Returns what makes requests to `remote`; nothing is connected yet.
pub(super) fn web(remote: &Remote, protocol: Protocol) -> Result<Web, RemoteError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(Duration::from_millis(remote.timeout_ms)));
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(tls(remote)?)
        .https_or_http();
    let connector = match protocol {
        Protocol::Http => tls.enable_http1().wrap_connector(http),
        Protocol::Grpc => tls.enable_http2().wrap_connector(http),
    };
    let mut client = Client::builder(TokioExecutor::new());
    client
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_only(protocol == Protocol::Grpc)
        // A connection that died while a task runs on another machine is noticed.
        .http2_keep_alive_interval(Some(ALIVE))
        .http2_keep_alive_timeout(ALIVE)
        // As much as may be on its way before the other side says that it came.
        .http2_initial_stream_window_size(WINDOW)
        .http2_initial_connection_window_size(2 * WINDOW);
    Ok(client.build(connector))
}

/// How often it is asked whether the other side is there, and how long that waits.
const ALIVE: Duration = Duration::from_secs(20);

/// Bytes on their way in one stream.
const WINDOW: u32 = 4 << 20;

fn tls(remote: &Remote) -> Result<ClientConfig, RemoteError> {
    let provider = Arc::new(ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows the default versions");
    let builder = versions.with_root_certificates(roots(remote)?);
    match (&remote.client_certificate, &remote.client_key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => {
            let chain = certificates("the client certificate", certificate)?;
            let what = "the key of the client certificate";
            let secret = PrivateKeyDer::from_pem_file(key).map_err(|e| unread(what, key, e))?;
            let config = builder.with_client_auth_cert(chain, secret);
            config.map_err(|error| RemoteError::Certificate {
                what: "the client certificate",
                path: certificate.clone(),
                why: error.to_string(),
            })
        }
        _ => Err(RemoteError::HalfCertificate),
    }
}

/// Returns whom to believe: those named, or those that browsers believe.
fn roots(remote: &Remote) -> Result<RootCertStore, RemoteError> {
    let Some(path) = &remote.ca else {
        return Ok(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        });
    };
    let what = "the certificate authority";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(what, path)? {
        let added = roots.add(certificate);
        added.map_err(|error| RemoteError::Certificate {
            what,
            path: path.clone(),
            why: error.to_string(),
        })?;
    }
    Ok(roots)
}

fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, RemoteError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| unread(what, path, error))?;
    match found.is_empty() {
        true => Err(unread(what, path, pem::Error::NoItemsFound)),
        false => Ok(found),
    }
}

/// Says what is wrong with a file of certificates or keys; nothing of it is shown.
fn unread(what: &'static str, path: &Path, error: pem::Error) -> RemoteError {
    let path = path.to_owned();
    match error {
        pem::Error::Io(source) => RemoteError::Read { what, path, source },
        pem::Error::NoItemsFound => RemoteError::Certificate {
            what,
            path,
            why: "there is none in it (PEM is wanted)".to_owned(),
        },
        _ => RemoteError::Certificate {
            what,
            path,
            why: "it is no valid PEM file".to_owned(),
        },
    }
}
