//! Reads `exec` below `remote` of `tabella.yml`: true, or a map of how tasks run
//! on other machines.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use crate::data::RemoteExec;
use crate::import::workspace::Reader;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// Keys of `exec`.
const KEYS: &[&str] = &[
    "jobs",
    "properties",
    "task_timeout",
    "queue_timeout",
    "priority",
];

/// More tasks at once are not meant.
const JOBS_MAX: i64 = 1_000_000;

impl Reader<'_> {
    /// Reads how tasks run on the machines behind the server at `url`; none if they
    /// do not.
    pub(super) fn exec(&mut self, node: Option<&Node>, url: &str) -> Option<RemoteExec> {
        let node = node.filter(|node| !node.is_null())?;
        let exec = match &node.yaml {
            Yaml::Map(_) => self.exec_map(node),
            _ => match self.reading.flag(Some(node), "`exec`")? {
                true => RemoteExec::default(),
                false => return None,
            },
        };
        if !url.to_ascii_lowercase().starts_with("grpc") {
            let what = "an HTTP cache runs no tasks, as `exec` wants";
            let about = self.reading.about("E712", node, what);
            let about = about.help("begin `url` with grpc:// or grpcs://, or leave `exec` out");
            self.reading.diagnostics.push(about);
        }
        Some(exec)
    }

    fn exec_map(&mut self, node: &Node) -> RemoteExec {
        self.check_keys(node, KEYS);
        let default = RemoteExec::default();
        let jobs = self.whole(node, "jobs", 1..=JOBS_MAX);
        let jobs = jobs.and_then(|jobs| NonZeroUsize::new(usize::try_from(jobs).ok()?));
        let priority = self.whole(node, "priority", i32::MIN.into()..=i32::MAX.into());
        let priority = priority.and_then(|priority| i32::try_from(priority).ok());
        let mut time = |key: &str, default: u64| self.time(node, key).unwrap_or(default);
        RemoteExec {
            jobs: jobs.unwrap_or(default.jobs),
            task_timeout_ms: time("task_timeout", default.task_timeout_ms),
            queue_timeout_ms: time("queue_timeout", default.queue_timeout_ms),
            priority: priority.unwrap_or(default.priority),
            properties: self.properties(node.get("properties")),
        }
    }

    /// Reads names and their values; a value may be a number or a truth value, and is
    /// taken by its letters.
    fn properties(&mut self, node: Option<&Node>) -> Vec<(String, String)> {
        let Some(node) = node.filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        self.reading.expect_map(node, "`properties`");
        let mut properties = Vec::new();
        for entry in node.entries() {
            let name = entry.key.to_string();
            let what = format!("property `{name}`");
            if name.is_empty() {
                self.reading
                    .say("E712", &entry.at, "a property without a name");
            }
            if let Some(value) = self.reading.word(&entry.value, &what) {
                properties.push((name, value.to_owned()));
            }
        }
        properties
    }

    /// Reads a whole number of a range.
    fn whole(&mut self, node: &Node, key: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let node = node.get(key).filter(|node| !node.is_null())?;
        let number = node.to_json().as_i64();
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let (from, to) = range.into_inner();
            let what = format!("`{key}` is a whole number from {from} to {to}");
            self.reading.say("E712", node, what);
        }
        number
    }
}
