//! Reads `remote` of `tabella.yml`: an address, or a map with one.

use std::path::PathBuf;

use crate::data::Remote;
use crate::data::RemoteMode;
use crate::data::time_ms;
use crate::import::workspace::Reader;
use crate::import::workspace::normal;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// Keys of `remote`.
const KEYS: &[&str] = &[
    "url",
    "mode",
    "instance",
    "timeout",
    "upload_wait",
    "header_file",
    "header_env",
    "ca",
    "client_certificate",
    "client_key",
    "exec",
];

/// How addresses begin.
const SCHEMES: [&str; 4] = ["grpc://", "grpcs://", "http://", "https://"];

impl Reader<'_> {
    /// Reads the remote cache; none if there is none, or no address of one.
    pub(super) fn remote(&mut self, node: Option<&Node>) -> Option<Remote> {
        let node = node.filter(|node| !node.is_null())?;
        let is_map = matches!(node.yaml, Yaml::Map(_));
        if !is_map {
            return Some(Remote::new(self.url(node, "`remote`")?));
        }
        self.check_keys(node, KEYS);
        let Some(url) = node.get("url").filter(|url| !url.is_null()) else {
            let about = self.reading.about("E712", node, "`remote` without `url`");
            let about = about.help("write `url: grpcs://cache.example.org`");
            self.reading.diagnostics.push(about);
            return None;
        };
        let default = Remote::new(self.url(url, "`url`")?);
        let text = |this: &mut Self, key: &str| {
            this.reading
                .text_or_null(node.get(key), &format!("`{key}`"))
        };
        Some(Remote {
            mode: self.mode(node.get("mode")),
            instance: text(self, "instance").unwrap_or_default(),
            timeout_ms: self.time(node, "timeout").unwrap_or(default.timeout_ms),
            upload_wait_ms: self
                .time(node, "upload_wait")
                .unwrap_or(default.upload_wait_ms),
            header_file: self.file(node, "header_file"),
            header_env: text(self, "header_env"),
            ca: self.file(node, "ca"),
            client_certificate: self.file(node, "client_certificate"),
            client_key: self.file(node, "client_key"),
            exec: self.exec(node.get("exec"), &default.url),
            ..default
        })
    }

    fn url(&mut self, node: &Node, what: &str) -> Option<String> {
        let url = self.reading.text(node, what)?;
        let lower = url.to_ascii_lowercase();
        if SCHEMES.iter().any(|scheme| lower.starts_with(scheme)) {
            return Some(url.to_owned());
        }
        let what = format!("{what} is no address of a remote cache");
        let about = self.reading.about("E712", node, what);
        let about = about.help(format!("begin it with one of {}", SCHEMES.join(", ")));
        self.reading.diagnostics.push(about);
        None
    }

    fn mode(&mut self, node: Option<&Node>) -> RemoteMode {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return RemoteMode::default();
        };
        let name = self.reading.text(node, "`mode`").unwrap_or("read");
        RemoteMode::named(name).unwrap_or_else(|| {
            let what = format!("`{name}` is no mode of a remote cache");
            let names = RemoteMode::NAMES;
            let about = self.reading.about("E712", node, what);
            let about = about.help(format!("one of {}", names.join(", ")));
            let about = about.suggest(name, names);
            self.reading.diagnostics.push(about);
            RemoteMode::default()
        })
    }

    pub(super) fn time(&mut self, node: &Node, key: &str) -> Option<u64> {
        let node = node.get(key).filter(|node| !node.is_null())?;
        let text = self.reading.word(node, &format!("`{key}`"))?;
        let time = time_ms(text);
        if time.is_none() {
            let what = format!("`{key}` is no time: `{text}`");
            let about = self.reading.about("E712", node, what);
            let about = about.help("write `5s`, `500ms` or `2m`");
            self.reading.diagnostics.push(about);
        }
        time
    }

    /// Returns a path. Whether it exists is seen when it is needed: who trains
    /// without the remote cache need not have its secrets.
    fn file(&mut self, node: &Node, key: &str) -> Option<PathBuf> {
        let node = node.get(key).filter(|node| !node.is_null())?;
        let path = self.path(node, &format!("`{key}`"))?;
        Some(normal(&self.root.join(path)))
    }
}
