//! Addresses of remote caches.

use tonic::codegen::http::Uri;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::http::uri::Scheme;

use crate::remote::RemoteError;

/// How a server is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// The Remote Execution API over gRPC.
    Grpc,
    /// `/ac` and `/cas` over HTTP.
    Http,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) protocol: Protocol,
    /// The address with `http` or `https`; its path has no slash at the end.
    pub(super) base: Uri,
    /// The address as messages name it.
    pub(super) shown: String,
}

impl Address {
    /// Reads an address.
    pub(super) fn parse(url: &str) -> Result<Self, RemoteError> {
        let refuse = |why| {
            let url = without_password(url);
            Err(RemoteError::Address { url, why })
        };
        let Some((scheme, rest)) = url.split_once("://") else {
            return refuse("begins with grpc://, grpcs://, http:// or https://, unlike this one");
        };
        let (protocol, tls) = match scheme.to_ascii_lowercase().as_str() {
            "grpc" => (Protocol::Grpc, false),
            "grpcs" => (Protocol::Grpc, true),
            "http" => (Protocol::Http, false),
            "https" => (Protocol::Http, true),
            _ => {
                return refuse(
                    "begins with grpc://, grpcs://, http:// or https://, unlike this one",
                );
            }
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return refuse(
                "must not have a name and password in it, which others can see: write a header \
                 `Authorization: Basic …` into a file for `--remote-header-file`",
            );
        }
        if protocol == Protocol::Grpc && !path.is_empty() {
            return refuse("has a path, which gRPC has none of (`--remote-instance` names one)");
        }
        if rest.contains(['?', '#']) {
            return refuse("must end with a path, without `?` and `#`");
        }
        let base = Uri::builder()
            .scheme(if tls { Scheme::HTTPS } else { Scheme::HTTP })
            .authority(authority)
            .path_and_query(if path.is_empty() { "/" } else { path })
            .build();
        match base {
            Ok(base) if base.host().is_some_and(|host| !host.is_empty()) => Ok(Self {
                protocol,
                base,
                shown: format!("{}://{authority}{path}", scheme.to_ascii_lowercase()),
            }),
            _ => refuse("has no host"),
        }
    }

    /// Returns the address of `path` (from `/` on) below this one.
    pub(super) fn at(&self, path: &str) -> Uri {
        let mut parts = self.base.clone().into_parts();
        let below = format!("{}{path}", self.base.path().trim_end_matches('/'));
        parts.path_and_query = PathAndQuery::try_from(below).ok();
        Uri::from_parts(parts).expect("a path below an address is one")
    }
}

/// Returns what can be shown of an address that is refused.
fn without_password(url: &str) -> String {
    let url = &url[..url.find(['?', '#']).unwrap_or(url.len())];
    match (url.find("://"), url.rfind('@')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}://…{}", &url[..start], &url[end..])
        }
        (None, Some(end)) => format!("…{}", &url[end..]),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        match Address::parse(url) {
            Ok(address) => format!("{} {}", address.shown, address.at("/ac/12")),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn four_schemes_are_known() {
        assert_eq!(
            shown("HTTP://cache:8080"),
            "http://cache:8080 http://cache:8080/ac/12"
        );
        assert_eq!(
            shown("https://cache/bots/"),
            "https://cache/bots https://cache/bots/ac/12"
        );
        let grpc = Address::parse("grpcs://[::1]:443/").unwrap();
        assert_eq!(
            (grpc.protocol, grpc.shown.as_str()),
            (Protocol::Grpc, "grpcs://[::1]:443")
        );
        assert_eq!(grpc.base.to_string(), "https://[::1]:443/");
        for url in [
            "",
            "cache:80",
            "ftp://cache",
            "http://",
            "http:///x",
            "grpc://cache/x",
        ] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        let error = shown("https://ci:s3cret@cache/x");
        assert!(error.contains("`https://…@cache/x`"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
        let error = shown("https://cache/x?token=s3cret");
        assert!(!error.contains("s3cret"), "{error}");
    }
}
