//! What `--remote` or `remote:` of `tabella.yml` says: where results of others are
//! found. No secret is in here, only where secrets are.

use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::data::RemoteExec;

/// A remote cache. Paths are as they were written, or below the folder of the
/// file they were written in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// Its address: `grpc://`, `grpcs://`, `http://` or `https://`.
    pub url: String,
    /// What may be done with it.
    pub mode: RemoteMode,
    /// Which of several caches of one server; only for gRPC.
    pub instance: String,
    /// How long it may be silent, in milliseconds.
    pub timeout_ms: u64,
    /// How long the end of a run waits for results to be uploaded, in milliseconds.
    pub upload_wait_ms: u64,
    /// A file of headers, `Name: value` each, that every request has.
    pub header_file: Option<PathBuf>,
    /// An environment variable with such lines.
    pub header_env: Option<String>,
    /// Certificates (PEM) of those who may say that the server is who it says;
    /// without them, those that browsers believe.
    pub ca: Option<PathBuf>,
    /// The certificate (PEM) by which the server knows who asks.
    pub client_certificate: Option<PathBuf>,
    /// The key (PEM) of that certificate.
    pub client_key: Option<PathBuf>,
    /// How tasks run on the machines behind it, if they are to.
    pub exec: Option<RemoteExec>,
}

impl Remote {
    /// Default of [`Remote::timeout_ms`].
    pub const TIMEOUT_MS: u64 = 5_000;

    /// Default of [`Remote::upload_wait_ms`].
    pub const UPLOAD_WAIT_MS: u64 = 60_000;

    /// Returns the cache at `url`, with defaults.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            mode: RemoteMode::Read,
            instance: String::new(),
            timeout_ms: Self::TIMEOUT_MS,
            upload_wait_ms: Self::UPLOAD_WAIT_MS,
            header_file: None,
            header_env: None,
            ca: None,
            client_certificate: None,
            client_key: None,
            exec: None,
        }
    }
}

/// Reads a time above 0: `500ms`, `5s`, `2m`.
pub fn time_ms(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        _ => return None,
    };
    let ms = number.checked_mul(unit)?;
    (1..=TIME_MAX_MS).contains(&ms).then_some(ms)
}

/// A day: more is not meant.
const TIME_MAX_MS: u64 = 86_400_000;

/// What may be done with a remote cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemoteMode {
    /// Results are used; nothing is uploaded.
    #[default]
    Read,
    /// Results are used, and those that the server lacks are uploaded.
    ReadWrite,
}

impl RemoteMode {
    /// The names of the modes.
    pub const NAMES: [&str; 2] = ["read", "read-write"];

    /// Returns the mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "read" => Some(Self::Read),
            "read-write" => Some(Self::ReadWrite),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(time_ms("500ms"), Some(500));
        assert_eq!(time_ms("5 s"), Some(5_000));
        assert_eq!(time_ms("2m"), Some(120_000));
        for wrong in ["", "5", "0s", "-1s", "1h", "99999999999999999999s", "2000m"] {
            assert_eq!(time_ms(wrong), None, "{wrong}");
        }
    }
}
