//! `--trace`: the run as a picture, for `chrome://tracing`, Perfetto and Speedscope.
//!
//! The file is an array in the Trace Event Format: a track for the phases of the
//! run, one for each worker with a complete event (`X`) a task, the reading and
//! writing of the cache inside it, and counters of the cache's bytes. Of several
//! assistants each has a group of such tracks, a process to the viewers, called as
//! it is. The file is written as the run goes on; without its last line, as after
//! `kill -9`, the viewers still take it.

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

/// The trace of a run, or of all rounds while files are watched.
pub struct Trace {
    out: Out,
    is_closed: bool,
    round: Option<Duration>,
    /// What goes on, by assistant; of one project, and of all together, without a
    /// name.
    groups: BTreeMap<Option<String>, Group>,
    read: u64,
    written: u64,
}

/// A project's part of the trace.
struct Group {
    /// What the viewers take for the number of a process.
    number: u32,
    tracks: BTreeSet<u32>,
    since: Option<Duration>,
    phase: Option<(Phase, Duration)>,
    tasks: BTreeMap<TaskId, Open>,
    waits: BTreeMap<TaskId, Open>,
}

/// A task that runs or waits.
struct Open {
    name: String,
    at: Duration,
    track: u32,
    args: Value,
}

/// A stretch of time on a track.
struct Span<'a> {
    name: &'a str,
    category: &'static str,
    since: Duration,
    until: Duration,
    track: u32,
    args: Value,
}

impl Trace {
    /// Returns a trace to `sink`.
    pub fn new(sink: Sink) -> Self {
        Self {
            out: Out {
                sink,
                is_first: true,
                warning: None,
            },
            is_closed: false,
            round: None,
            groups: BTreeMap::from([(None, Group::new(process::id()))]),
            read: 0,
            written: 0,
        }
    }

    /// Returns whether the reader has left.
    pub fn is_unread(&self) -> bool {
        self.out.sink.is_unread()
    }

    /// Begins a round; returns a warning if writing failed.
    pub fn begin(&mut self, at: Duration) -> Option<String> {
        self.round = Some(at);
        let (group, out) = self.group(None);
        group.track(MAIN, out);
        self.out.warning.take()
    }

    /// Begins an assistant.
    pub fn begin_assistant(&mut self, at: Duration, name: &str) {
        self.group(Some(name)).0.since = Some(at);
    }

    /// Ends an assistant, also one that was not begun.
    pub fn end_assistant(&mut self, at: Duration, name: &str) -> Option<String> {
        let is_known = self.groups.contains_key(&Some(name.to_owned()));
        if is_known {
            let (group, out) = self.group(Some(name));
            group.end(at, out);
            if let Some(since) = group.since.take() {
                let span = Span {
                    name,
                    category: "assistant",
                    since,
                    until: at,
                    track: MAIN,
                    args: json!({}),
                };
                group.complete(span, out);
            }
        }
        self.out.warning.take()
    }

    /// Takes in what was heard.
    pub fn hear(&mut self, heard: &Heard<'_>) -> Option<String> {
        let at = heard.at;
        let traffic = match heard.notice {
            Notice::Task(Event::Loaded { size, .. }) => (*size, 0),
            Notice::Task(Event::Stored { size, .. }) => (0, *size),
            _ => (0, 0),
        };
        let (group, out) = self.group(heard.assistant);
        match heard.notice {
            Notice::Began(phase) => group.phase = Some((*phase, at)),
            Notice::Ended(_) => group.end_phase(at, out),
            Notice::AsBefore { .. } => {
                group.instant(at, "nothing changed: the project was not read", out);
            }
            Notice::Warning(text) => group.instant(at, text, out),
            Notice::Task(event) => group.task(at, event, out),
            _ => {}
        }
        if traffic != (0, 0) {
            self.count(at, traffic);
        }
        self.out.warning.take()
    }

    /// Writes the counters of the cache's bytes.
    fn count(&mut self, at: Duration, (read, written): (u64, u64)) {
        self.read += read;
        self.written += written;
        self.out.write(&json!({
            "name": "bytes of the cache",
            "ph": "C",
            "ts": micros(at),
            "pid": process::id(),
            "tid": MAIN,
            "args": { "read": self.read, "written": self.written },
        }));
    }

    /// Ends a round: what goes on was stopped.
    pub fn end(&mut self, at: Duration) -> Option<String> {
        for group in self.groups.values_mut() {
            group.end(at, &mut self.out);
        }
        if let Some(since) = self.round.take() {
            let (group, out) = self.group(None);
            let span = Span {
                name: "train",
                category: "round",
                since,
                until: at,
                track: MAIN,
                args: json!({}),
            };
            group.complete(span, out);
        }
        self.out.warning.take()
    }

    /// Writes the end of the file.
    pub fn close(&mut self, at: Duration) -> Option<String> {
        if self.is_closed {
            return None;
        }
        let warning = self.end(at);
        self.is_closed = true;
        let end = if self.out.is_first { "[\n]\n" } else { "\n]\n" };
        warning.or(self.out.sink.write(end))
    }

    /// Returns the group of an assistant, and where to write.
    fn group(&mut self, assistant: Option<&str>) -> (&mut Group, &mut Out) {
        // The process itself is the first of the groups.
        let number = process::id().saturating_add(self.groups.len() as u32);
        let out = &mut self.out;
        let key = assistant.map(str::to_owned);
        let group = self.groups.entry(key).or_insert_with(|| {
            let group = Group::new(number);
            group.called(assistant.unwrap_or_default(), out);
            group
        });
        (group, out)
    }
}

impl Group {
    fn new(number: u32) -> Self {
        Self {
            number,
            tracks: BTreeSet::new(),
            since: None,
            phase: None,
            tasks: BTreeMap::new(),
            waits: BTreeMap::new(),
        }
    }

    /// Tells what the group is called.
    fn called(&self, name: &str, out: &mut Out) {
        out.write(&json!({
            "name": "process_name",
            "ph": "M",
            "pid": self.number,
            "tid": MAIN,
            "args": { "name": name },
        }));
    }

    fn task(&mut self, at: Duration, event: &Event, out: &mut Out) {
        let track = worker().unwrap_or(MAIN);
        match event {
            Event::Waiting { task, holder } => {
                let open = Open {
                    name: format!("wait for {holder}"),
                    at,
                    track,
                    args: json!({ "task": task.name }),
                };
                self.waits.insert(task.id, open);
            }
            Event::Started { task, key, reasons } => {
                self.end_wait(task.id, at, out);
                let reasons: Vec<String> = reasons.iter().map(Stale::to_string).collect();
                let open = Open {
                    name: task.name.to_string(),
                    at,
                    track,
                    args: json!({ "key": key, "project": task.project, "reasons": reasons }),
                };
                self.tasks.insert(task.id, open);
            }
            Event::Finished { task, ms } => self.end_task(task.id, at, ("ms", json!(ms)), out),
            Event::Failed { task, message } => {
                self.end_task(task.id, at, ("failed", json!(message)), out);
            }
            Event::Skipped { task, .. } => {
                self.end_task(task.id, at, ("stopped", json!(true)), out);
            }
            Event::Spared { task } => {
                self.end_wait(task.id, at, out);
                self.instant(at, &format!("spared {task}"), out);
            }
            Event::Sent { task } => self.instant(at, &format!("sent {task}"), out),
            Event::Fetched { task, size } => {
                self.end_wait(task.id, at, out);
                self.instant(at, &format!("fetched {task} ({size} bytes)"), out);
            }
            Event::Loaded {
                task,
                output,
                size,
                took_us,
            } => {
                let args = json!({ "bytes": size, "output": output, "task": task.name });
                self.traffic(at, *took_us, "read from the cache", args, out);
            }
            Event::Stored {
                task,
                size,
                took_us,
            } => {
                let args = json!({ "bytes": size, "task": task.name });
                self.traffic(at, *took_us, "write to the cache", args, out);
            }
            Event::OutputLost { task, output } => {
                self.instant(at, &format!("lost `{output}` of {task}"), out);
            }
            Event::StoreWarning { warning } => self.instant(at, &warning.to_string(), out),
            _ => {}
        }
    }

    /// Ends all that goes on: it was stopped.
    fn end(&mut self, at: Duration, out: &mut Out) {
        let tasks: Vec<TaskId> = self.tasks.keys().copied().collect();
        for task in tasks {
            self.end_task(task, at, ("stopped", json!(true)), out);
        }
        let waits: Vec<TaskId> = self.waits.keys().copied().collect();
        for task in waits {
            self.end_wait(task, at, out);
        }
        self.end_phase(at, out);
    }

    fn end_phase(&mut self, at: Duration, out: &mut Out) {
        if let Some((phase, since)) = self.phase.take() {
            let span = Span {
                name: &phase.to_string(),
                category: "phase",
                since,
                until: at,
                track: MAIN,
                args: json!({}),
            };
            self.complete(span, out);
        }
    }

    fn end_task(&mut self, id: TaskId, at: Duration, (key, value): (&str, Value), out: &mut Out) {
        if let Some(mut open) = self.tasks.remove(&id) {
            open.args[key] = value;
            self.complete(open.until(at, "task"), out);
        }
    }

    fn end_wait(&mut self, id: TaskId, at: Duration, out: &mut Out) {
        if let Some(open) = self.waits.remove(&id) {
            self.complete(open.until(at, "wait"), out);
        }
    }

    /// Writes a reading or writing that ended at `at`.
    fn traffic(&mut self, at: Duration, us: u64, name: &str, args: Value, out: &mut Out) {
        let span = Span {
            name,
            category: "cache",
            since: at.saturating_sub(Duration::from_micros(us)),
            until: at,
            track: worker().unwrap_or(MAIN),
            args,
        };
        self.complete(span, out);
    }

    fn instant(&mut self, at: Duration, name: &str, out: &mut Out) {
        let track = worker().unwrap_or(MAIN);
        self.track(track, out);
        out.write(&json!({
            "name": name,
            "cat": "notice",
            "ph": "i",
            "s": "t",
            "ts": micros(at),
            "pid": self.number,
            "tid": track,
        }));
    }

    fn complete(&mut self, span: Span<'_>, out: &mut Out) {
        self.track(span.track, out);
        let (since, until) = (micros(span.since), micros(span.until));
        out.write(&json!({
            "name": span.name,
            "cat": span.category,
            "ph": "X",
            "ts": since,
            "dur": until.saturating_sub(since),
            "pid": self.number,
            "tid": span.track,
            "args": span.args,
        }));
    }

    /// Names a track when it is first used.
    fn track(&mut self, track: u32, out: &mut Out) {
        if !self.tracks.insert(track) {
            return;
        }
        let name = match track {
            MAIN => "run".to_owned(),
            number => format!("worker {number}"),
        };
        out.write(&json!({
            "name": "thread_name",
            "ph": "M",
            "pid": self.number,
            "tid": track,
            "args": { "name": name },
        }));
    }
}

impl Open {
    fn until(&self, until: Duration, category: &'static str) -> Span<'_> {
        Span {
            name: &self.name,
            category,
            since: self.at,
            until,
            track: self.track,
            args: self.args.clone(),
        }
    }
}

/// Where the events go.
struct Out {
    sink: Sink,
    is_first: bool,
    /// Why nothing more is written, until somebody has been told.
    warning: Option<String>,
}

impl Out {
    fn write(&mut self, event: &Value) {
        let before = if self.is_first { "[\n" } else { ",\n" };
        self.is_first = false;
        let warning = self.sink.write(&format!("{before}{event}"));
        self.warning = self.warning.take().or(warning);
    }
}

fn micros(at: Duration) -> u64 {
    u64::try_from(at.as_micros()).unwrap_or(u64::MAX)
}
