//! Headers that every request has. Their values may be secret: they are in no
//! message and in no debug output.

use std::fmt;
use std::fs;

use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::HeaderName;
use tonic::codegen::http::HeaderValue;

use crate::data::Remote;
use crate::remote::RemoteError;

/// Headers of every request.
#[derive(Clone, Default)]
pub(super) struct Headers {
    pub(super) map: HeaderMap,
    /// Where they were found, for the one who has to look there.
    pub(super) place: Option<String>,
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Headers({} from {:?})", self.map.len(), self.place)
    }
}

impl Headers {
    /// Reads the headers that `remote` names; `variable` looks up the environment.
    pub(super) fn of(
        remote: &Remote,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, RemoteError> {
        let mut headers = Self::default();
        if let Some(path) = &remote.header_file {
            let text = fs::read_to_string(path).map_err(|source| RemoteError::Read {
                what: "the headers",
                path: path.clone(),
                source,
            })?;
            headers.add(&text, format!("`{}`", path.display()))?;
        }
        if let Some(name) = &remote.header_env {
            let Some(text) = variable(name) else {
                let name = name.clone();
                return Err(RemoteError::NoVariable { name });
            };
            headers.add(&text, format!("the environment variable `{name}`"))?;
        }
        Ok(headers)
    }

    /// Adds lines `Name: value`; empty ones and those with `#` count for nothing.
    fn add(&mut self, text: &str, place: String) -> Result<(), RemoteError> {
        let text = text.trim_start_matches('\u{feff}');
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = header(line) else {
                let line = index + 1;
                return Err(RemoteError::Header { place, line });
            };
            self.map.append(name, value);
        }
        self.place = Some(match self.place.take() {
            Some(first) => format!("{first} and {place}"),
            None => place,
        });
        Ok(())
    }

    /// Returns what a server said, fit for a line of a message: without control
    /// characters, not long, and without the value of any header.
    pub(super) fn harmless(&self, text: &str) -> String {
        let mut text: String = text.to_owned();
        for value in self.map.values() {
            let Ok(value) = value.to_str() else { continue };
            let last = value.rsplit(' ').next().unwrap_or(value);
            for secret in [value, last] {
                if secret.len() >= SECRET_FROM {
                    text = text.replace(secret, "…");
                }
            }
        }
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let mut short: String = text.chars().take(SHOWN_CHARS).map(plain).collect();
        if text.chars().nth(SHOWN_CHARS).is_some() {
            short.push('…');
        }
        short.trim().to_owned()
    }
}

/// Characters that are shown of what a server says.
const SHOWN_CHARS: usize = 200;

/// Shorter values are words that stand in any message.
const SECRET_FROM: usize = 4;

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
    let mut value = HeaderValue::from_str(value.trim()).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Headers, RemoteError> {
        let remote = Remote {
            header_env: Some("HEADERS".to_owned()),
            ..Remote::new("http://cache")
        };
        Headers::of(&remote, &|_| Some(text.to_owned()))
    }

    #[test]
    fn lines_are_headers() {
        let headers =
            read("\u{feff}# a token\r\nAuthorization: Bearer a:b\r\n\r\nx-team:bots").unwrap();
        assert_eq!(headers.map["authorization"], "Bearer a:b");
        assert_eq!(headers.map["x-team"], "bots");
        let place = headers.place.as_deref();
        assert_eq!(place, Some("the environment variable `HEADERS`"));
    }

    #[test]
    fn what_is_no_header_is_named_by_its_line_alone() {
        let error = read("x-team: bots\nBearer s3cret").unwrap_err().to_string();
        assert!(error.contains("line 2 of"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn no_value_is_shown() {
        let headers = read("Authorization: Bearer s3cret").unwrap();
        assert!(!format!("{headers:?}").contains("s3cret"));
        let told = headers.harmless("no\nBearer s3cret, s3cret");
        assert_eq!(told, "no …, …");
    }
}
