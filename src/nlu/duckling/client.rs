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
    match uri.scheme_str() {
        Some("http") if has_host => Ok(()),
        Some("https") => Err("encrypted connections are not built in; write `http://`".to_owned()),
        _ => Err("it is not an address such as `http://localhost:8000`".to_owned()),
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
        Err(format!("{url} answers with status {status}: {text}"))
    }

    fn sentence(&self, url: &str, error: ureq::Error) -> String {
        match error {
            ureq::Error::Timeout(_) => {
                format!("{url} gives no answer in {} s", self.timeout.as_secs_f64())
            }
            ureq::Error::BodyExceedsLimit(size) => {
                format!("{url} answers with more than {size} bytes")
            }
            error => format!("{url} cannot be asked: {error}"),
        }
    }
}
