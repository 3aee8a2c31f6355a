//! `--trace`: the run as a picture, for `chrome://tracing`, Perfetto and Speedscope.
//!
//! The file is an array in the Trace Event Format: a track for the phases of the
//! run, one for each worker with a complete event (`X`) a task, the reading and
//! writing of the cache inside it, and counters of the cache's bytes. It is
//! written as the run goes on; without its last line, as after `kill -9`, the
//! viewers still take it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::process;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;

use crate::api::Notice;
use crate::api::Phase;
use crate::cli::displays::Heard;
use crate::cli::displays::events::worker;
use crate::cli::displays::sink::Sink;
use crate::engine::Event;
use crate::engine::Stale;
use crate::engine::TaskId;

/// The track of what no worker does.
const MAIN: u32 = 0;

/// A task that runs or waits.
struct Open {
    name: String,
    at: Duration,
    track: u32,
    args: Value,
}

/// The trace of a run, or of all rounds while files are watched.
pub struct Trace {
    sink: Sink,
    is_first: bool,
    is_closed: bool,
    tracks: BTreeSet<u32>,
    phase: Option<(Phase, Duration)>,
    round: Option<Duration>,
    tasks: BTreeMap<TaskId, Open>,
    waits: BTreeMap<TaskId, Open>,
    read: u64,
    written: u64,
}

impl Trace {
    /// Returns a trace to `sink`.
    pub fn new(sink: Sink) -> Self {
        Self {
            sink,
            is_first: true,
            is_closed: false,
            tracks: BTreeSet::new(),
            phase: None,
            round: None,
            tasks: BTreeMap::new(),
            waits: BTreeMap::new(),
            read: 0,
            written: 0,
        }
    }

    /// Returns whether the reader has left.
    pub fn is_unread(&self) -> bool {
        self.sink.is_unread()
    }

    /// Begins a round; returns a warning if writing failed.
    pub fn begin(&mut self, at: Duration) -> Option<String> {
        self.round = Some(at);
        self.track(MAIN)
    }

    /// Takes in what was heard.
    pub fn hear(&mut self, heard: &Heard<'_>) -> Option<String> {
        let at = heard.at;
        match heard.notice {
            Notice::Began(phase) => {
                self.phase = Some((*phase, at));
                None
            }
            Notice::Ended(_) => self.end_phase(at),
            Notice::Warning(text) => self.instant(at, text),
            Notice::Task(event) => self.task(at, event),
            _ => None,
        }
    }

    fn task(&mut self, at: Duration, event: &Event) -> Option<String> {
        match event {
            Event::Waiting { task, holder } => {
                let open = Open {
                    name: format!("wait for {holder}"),
                    at,
                    track: worker().unwrap_or(MAIN),
                    args: json!({ "task": task.name }),
                };
                self.waits.insert(task.id, open);
                None
            }
            Event::Started { task, key, reasons } => {
                let waited = self.end_wait(task.id, at);
                let reasons: Vec<String> = reasons.iter().map(Stale::to_string).collect();
                let open = Open {
                    name: task.name.to_string(),
                    at,
                    track: worker().unwrap_or(MAIN),
                    args: json!({ "key": key, "project": task.project, "reasons": reasons }),
                };
                self.tasks.insert(task.id, open);
                waited
            }
            Event::Finished { task, ms } => self.end_task(task.id, at, "ms", json!(ms)),
            Event::Failed { task, message } => self.end_task(task.id, at, "failed", json!(message)),
            Event::Skipped { task, .. } => self.end_task(task.id, at, "stopped", json!(true)),
            Event::Spared { task } => {
                let waited = self.end_wait(task.id, at);
                waited.or(self.instant(at, &format!("spared {task}")))
            }
            Event::Loaded {
                task,
                output,
                size,
                took_us,
            } => {
                self.read += size;
                let args = json!({ "bytes": size, "output": output, "task": task.name });
                self.traffic(at, *took_us, "read from the cache", args)
            }
            Event::Stored {
                task,
                size,
                took_us,
            } => {
                self.written += size;
                let args = json!({ "bytes": size, "task": task.name });
                self.traffic(at, *took_us, "write to the cache", args)
            }
            Event::OutputLost { task, output } => {
                self.instant(at, &format!("lost `{output}` of {task}"))
            }
            Event::StoreWarning { warning } => self.instant(at, &warning.to_string()),
            _ => None,
        }
    }

    /// Ends a round: what goes on was stopped.
    pub fn end(&mut self, at: Duration) -> Option<String> {
        let mut warning = None;
        let tasks: Vec<TaskId> = self.tasks.keys().copied().collect();
        for task in tasks {
            warning = warning.or(self.end_task(task, at, "stopped", json!(true)));
        }
        let waits: Vec<TaskId> = self.waits.keys().copied().collect();
        for task in waits {
            warning = warning.or(self.end_wait(task, at));
        }
        warning = warning.or(self.end_phase(at));
        let round = self.round.take();
        let whole =
            round.and_then(|since| self.complete("train", "round", since, at, MAIN, json!({})));
        warning.or(whole)
    }

    /// Writes the end of the file.
    pub fn close(&mut self, at: Duration) -> Option<String> {
        if self.is_closed {
            return None;
        }
        let warning = self.end(at);
        self.is_closed = true;
        let end = if self.is_first { "[\n]\n" } else { "\n]\n" };
        warning.or(self.sink.write(end))
    }

    fn end_phase(&mut self, at: Duration) -> Option<String> {
        let (phase, since) = self.phase.take()?;
        self.complete(&phase.to_string(), "phase", since, at, MAIN, json!({}))
    }

    fn end_task(&mut self, id: TaskId, at: Duration, key: &str, value: Value) -> Option<String> {
        let mut open = self.tasks.remove(&id)?;
        open.args[key] = value;
        self.complete(&open.name, "task", open.at, at, open.track, open.args)
    }

    fn end_wait(&mut self, id: TaskId, at: Duration) -> Option<String> {
        let open = self.waits.remove(&id)?;
        self.complete(&open.name, "wait", open.at, at, open.track, open.args)
    }

    /// Writes a reading or writing that ended at `at`, and the counters after it.
    fn traffic(&mut self, at: Duration, us: u64, name: &str, args: Value) -> Option<String> {
        let since = at.saturating_sub(Duration::from_micros(us));
        let track = worker().unwrap_or(MAIN);
        let warning = self.complete(name, "cache", since, at, track, args);
        let counters = json!({ "read": self.read, "written": self.written });
        let counted = self.write(&json!({
            "name": "bytes of the cache",
            "ph": "C",
            "ts": micros(at),
            "pid": process::id(),
            "tid": MAIN,
            "args": counters,
        }));
        warning.or(counted)
    }

    fn instant(&mut self, at: Duration, name: &str) -> Option<String> {
        let track = worker().unwrap_or(MAIN);
        let named = self.track(track);
        let written = self.write(&json!({
            "name": name,
            "cat": "notice",
            "ph": "i",
            "s": "t",
            "ts": micros(at),
            "pid": process::id(),
            "tid": track,
        }));
        named.or(written)
    }

    fn complete(
        &mut self,
        name: &str,
        category: &str,
        since: Duration,
        until: Duration,
        track: u32,
        args: Value,
    ) -> Option<String> {
        let named = self.track(track);
        let (since, until) = (micros(since), micros(until));
        let written = self.write(&json!({
            "name": name,
            "cat": category,
            "ph": "X",
            "ts": since,
            "dur": until.saturating_sub(since),
            "pid": process::id(),
            "tid": track,
            "args": args,
        }));
        named.or(written)
    }

    /// Names a track when it is first used.
    fn track(&mut self, track: u32) -> Option<String> {
        if !self.tracks.insert(track) {
            return None;
        }
        let name = match track {
            MAIN => "run".to_owned(),
            number => format!("worker {number}"),
        };
        self.write(&json!({
            "name": "thread_name",
            "ph": "M",
            "pid": process::id(),
            "tid": track,
            "args": { "name": name },
        }))
    }

    fn write(&mut self, event: &Value) -> Option<String> {
        let before = if self.is_first { "[\n" } else { ",\n" };
        self.is_first = false;
        self.sink.write(&format!("{before}{event}"))
    }
}

fn micros(at: Duration) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(u64::MAX)
}
