//! One question over HTTP, bounded in time and size.

use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

/// The largest answer that is read: Duckling's are some kilobytes.
const MAX_ANSWER_SIZE: u64 = 4 << 20;

/// How many bytes of an answer that says what is wrong are shown.
const SHOWN: usize = 200;

/// Asks servers, and gives up in time.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: Agent,
    timeout: Duration,
}

/// Returns why a server cannot be asked at an address.
pub(super) fn check(url: &str) -> Result<(), String> {
    let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    let reason = match uri.scheme_str() {
        Some("http") if !has_host => "it names no host",
        Some("http") if !has_port_or_none(&uri) => "its port is none of 1 to 65535",
        Some("http") if url.contains('?') => "it has a query (`?`), and must end with a path",
        Some("http") if url.contains('#') => "it has a fragment (`#`), and must end with a path",
        Some("http") => return Ok(()),
        Some("https") => "encrypted connections are not built in; write `http://`",
        _ => "it is not an address such as `http://localhost:8000`",
    };
    Err(reason.to_owned())
}

/// Whether the port of an address is one, if it has one.
fn has_port_or_none(uri: &Uri) -> bool {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let server = authority.rsplit('@').next().unwrap_or_default();
    match server.strip_prefix(uri.host().unwrap_or_default()) {
        None | Some("") => true,
        Some(_) => uri.port_u16().is_some_and(|port| port > 0),
    }
}

/// Returns an address without the name and the password in it.
pub(super) fn shown(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = url.split_at(start);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}***{}", &rest[at..]),
        None => url.to_owned(),
    }
}

/// Returns where a server takes texts.
pub(super) fn parse_url(url: &str) -> String {
    format!("{}/parse", url.strip_suffix('/').unwrap_or(url))
}

impl Client {
    /// Returns a client that waits so long for each answer.
    pub fn new(timeout: Duration) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build();
        let agent = Agent::new_with_config(config);
        Self { agent, timeout }
    }

    /// Sends a form and returns the answer.
    ///
    /// # Errors
    ///
    /// What went wrong, in one sentence that names the address.
    pub fn post(&self, url: &str, form: &[(&'static str, String)]) -> Result<Vec<u8>, String> {
        let wrong = |error| self.sentence(url, error);
        let form = form.iter().map(|(name, value)| (*name, value.as_str()));
        let mut response = self.agent.post(url).send_form(form).map_err(wrong)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_ANSWER_SIZE);
        let answer = body.read_to_vec().map_err(wrong)?;
        if status == 200 {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(&answer[..answer.len().min(SHOWN)]).into_owned();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let url = shown(url);
        Err(format!("{url} answers with status {status}: {text}"))
    }

    fn sentence(&self, asked: &str, error: ureq::Error) -> String {
        let url = shown(asked);
        match error {
            ureq::Error::Timeout(_) => {
                format!("{url} gives no answer in {} s", self.timeout.as_secs_f64())
            }
            ureq::Error::BodyExceedsLimit(size) => {
                format!("{url} answers with more than {size} bytes")
            }
            error => {
                let error = error.to_string().replace(asked, &url);
                format!("{url} cannot be asked: {error}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_would_ask_another_server_are_refused() {
        for good in [
            "http://duckling",
            "http://duckling:8000/",
            "http://me:secret@[::1]:65535/duckling",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, told) in [
            ("http://duckling:0", "port"),
            ("http://duckling:65536", "port"),
            ("http://duckling:99999/", "port"),
            ("http://duckling:8000?x=1", "query"),
            ("http://duckling:8000/#x", "fragment"),
        ] {
            let reason = check(bad).unwrap_err();
            assert!(reason.contains(told), "{bad}: {reason}");
        }
        assert!(check("http://duckling:").is_err());
    }

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(shown("http://me:se@cret@x:8/parse"), "http://***@x:8/parse");
        assert_eq!(shown("me:secret@x"), "***@x");
        assert_eq!(shown("http://x/a@b"), "http://x/a@b");
        let client = Client::new(Duration::from_secs(1));
        let told = client.post("http://me:secret@127.0.0.1:1/parse", &[]);
        let told = told.unwrap_err();
        assert!(told.contains("http://***@127.0.0.1:1/parse"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}
