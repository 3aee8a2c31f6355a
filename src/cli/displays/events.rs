//! `--json-events`: a line of JSON for everything that happens, written as it
//! happens (`schemas/events.schema.json`).
//!
//! A training's first line is `run_started`, its last `run_finished`, also when it
//! failed, was interrupted or met a bug. Lines about one of several assistants have
//! its name, and mix with those of the others; `assistant_started` and
//! `assistant_finished` stand around them. With `--watch` there are several, with
//! lines of what is watched and what has changed after each; the last line of all is
//! `watch_finished`, unless a bug ended it. A stream that ends otherwise is one of a
//! process that was killed, or of a disk that was full.

use std::process;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::api::KnownBy;
use crate::api::MemberReport;
use crate::api::MemberState;
use crate::api::Notice;
use crate::api::Phase;
use crate::api::PlannedTask;
use crate::cli::displays::End;
use crate::cli::displays::Heard;
use crate::cli::displays::Start;
use crate::cli::displays::Summary;
use crate::cli::displays::end::shown;
use crate::cli::displays::sink::Sink;
use crate::cli::exit::Exit;
use crate::data::Member;
use crate::diagnostic::Diagnostic;
use crate::engine::Event;

/// The version of the lines: raised when a reader of it could misread them.
const EVENTS_VERSION: u32 = 1;

/// A line.
#[derive(Serialize)]
struct Line<'a, E> {
    /// When, in microseconds since the first line's clock started; never less
    /// than the line before.
    us: u64,
    /// Which round.
    round: u32,
    /// The assistant that it is about, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    assistant: Option<&'a str>,
    /// The worker that it happened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<u32>,
    #[serde(flatten)]
    event: E,
}

/// What is told beside the events of tasks.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Own<'a> {
    RunStarted {
        events_version: u32,
        program: &'static str,
        process: u32,
        started_ms: u64,
        options: &'a Value,
    },
    AssistantStarted {
        folder: String,
        config: String,
    },
    AssistantFinished {
        state: MemberState,
        code: u8,
        error: Option<&'a str>,
        model: Option<String>,
        ran: usize,
        tasks: usize,
        ms: u64,
    },
    NothingChanged {
        by: KnownBy,
        warnings: usize,
        tasks: usize,
    },
    PhaseStarted {
        phase: Phase,
    },
    PhaseFinished {
        phase: Phase,
    },
    FilesOpened {
        files: Vec<String>,
    },
    Planned {
        tasks: &'a [PlannedTask],
    },
    Diagnosed {
        diagnostics: &'a [Diagnostic],
    },
    Told {
        level: &'static str,
        text: &'a str,
    },
    WatchFinished {
        code: u8,
    },
    RunFinished {
        outcome: &'static str,
        code: u8,
        error: Option<&'a str>,
        model: Option<&'a str>,
        ran: usize,
        tasks: usize,
        #[serde(skip_serializing_if = "Option::is_none")]
        profile: Option<&'a Summary>,
    },
}

/// The stream.
pub struct EventStream {
    sink: Sink,
    round: u32,
    last: Duration,
}

impl EventStream {
    /// Returns a stream to `sink`.
    pub fn new(sink: Sink) -> Self {
        Self {
            sink,
            round: 0,
            last: Duration::ZERO,
        }
    }

    /// Returns whether the reader has left.
    pub fn is_unread(&self) -> bool {
        self.sink.is_unread()
    }

    /// Begins a round; returns a warning if writing failed.
    pub fn begin(&mut self, at: Duration, start: &Start, started_ms: u64) -> Option<String> {
        self.round = start.round;
        let event = Own::RunStarted {
            events_version: EVENTS_VERSION,
            program: concat!("tabella ", env!("CARGO_PKG_VERSION")),
            process: process::id(),
            started_ms,
            options: &(start.options)(),
        };
        self.write(at, None, event)
    }

    /// Begins an assistant.
    pub fn begin_assistant(&mut self, at: Duration, member: &Member) -> Option<String> {
        let event = Own::AssistantStarted {
            folder: match member.folder.as_os_str().is_empty() {
                true => ".".to_owned(),
                false => shown(&member.folder),
            },
            config: shown(&member.config),
        };
        self.write(at, Some(&member.name), event)
    }

    /// Ends an assistant, also one that was not begun.
    pub fn end_assistant(&mut self, at: Duration, report: &MemberReport) -> Option<String> {
        // What is stale did not run.
        let ran = match report.state {
            MemberState::Stale => 0,
            _ => report.tasks.len(),
        };
        let event = Own::AssistantFinished {
            state: report.state,
            code: report.code,
            error: report.error.as_deref(),
            model: report.model.as_ref().map(shown),
            ran,
            tasks: report.task_count,
            ms: report.ms,
        };
        self.write(at, Some(&report.name), event)
    }

    /// Writes what was heard.
    pub fn hear(&mut self, heard: &Heard<'_>) -> Option<String> {
        let told = |level, text| Own::Told { level, text };
        let own = match heard.notice {
            Notice::Task(event) => return self.write_task(heard, event),
            Notice::Began(phase) => Own::PhaseStarted { phase: *phase },
            Notice::Ended(phase) => Own::PhaseFinished { phase: *phase },
            Notice::Opened(files) => Own::FilesOpened {
                files: files.iter().map(shown).collect(),
            },
            Notice::Planned(tasks) => Own::Planned { tasks },
            Notice::Diagnosed(findings) => Own::Diagnosed {
                diagnostics: &findings.diagnostics,
            },
            // The files that were opened are told already.
            Notice::LookedAt(_) => return None,
            Notice::AsBefore {
                warnings,
                tasks,
                by,
            } => Own::NothingChanged {
                by: *by,
                warnings: *warnings,
                tasks: *tasks,
            },
            Notice::Warning(text) => told("warning", text),
            Notice::Info(text) => told("info", text),
            Notice::Success(text) => told("success", text),
        };
        self.write(heard.at, heard.assistant, own)
    }

    /// Ends a round.
    pub fn end(&mut self, at: Duration, end: &End, profile: Option<&Summary>) -> Option<String> {
        let outcome = match (end.exit, &end.error) {
            (Exit::Interrupted, _) => "interrupted",
            (_, None) => "done",
            (_, Some(_)) => "failed",
        };
        let event = Own::RunFinished {
            outcome,
            code: end.exit.code(),
            error: end.error.as_deref(),
            model: end.model.as_deref(),
            ran: end.ran,
            tasks: end.tasks,
            profile,
        };
        self.write(at, None, event)
    }

    /// Ends the watching.
    pub fn end_watch(&mut self, at: Duration, exit: Exit) -> Option<String> {
        let code = exit.code();
        self.write(at, None, Own::WatchFinished { code })
    }

    /// Ends a round that a bug ended.
    pub fn end_as_bug(&mut self, at: Duration) -> Option<String> {
        let bug = End::failed(Exit::Internal, "a bug in Tabella".to_owned());
        self.end(at, &bug, None)
    }

    fn write_task(&mut self, heard: &Heard<'_>, event: &Event) -> Option<String> {
        if let Event::StoreWarning { warning } = event
            && serde_json::to_value(warning).is_err()
        {
            // It is about a path that is not text.
            let (level, text) = ("warning", &*warning.to_string());
            return self.write(heard.at, heard.assistant, Own::Told { level, text });
        }
        let worker = worker();
        self.write_line(heard.at, heard.assistant, worker, event)
    }

    fn write(&mut self, at: Duration, assistant: Option<&str>, event: Own<'_>) -> Option<String> {
        self.write_line(at, assistant, None, event)
    }

    fn write_line<E: Serialize>(
        &mut self,
        at: Duration,
        assistant: Option<&str>,
        worker: Option<u32>,
        event: E,
    ) -> Option<String> {
        // Threads look at the clock before they wait for their turn to write.
        self.last = self.last.max(at);
        let line = Line {
            us: u64::try_from(self.last.as_micros()).unwrap_or(u64::MAX),
            round: self.round,
            assistant,
            worker,
            event,
        };
        let mut text = serde_json::to_string(&line).expect("events are plain values");
        text.push('\n');
        self.sink.write(&text)
    }
}

/// Returns the number of the worker whose thread this is.
pub fn worker() -> Option<u32> {
    let thread = std::thread::current();
    thread.name()?.strip_prefix("worker-")?.parse().ok()
}
