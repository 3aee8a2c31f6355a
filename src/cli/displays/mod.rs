//! What else a training tells than its lines on standard error: a stream of
//! events, a trace, a summary. It is of one project, or of several assistants
//! side by side, whose names are then told.
//!
//! ```text
//!   api ──▶ Notice ──▶ [Displays] ──▶ Screen       lines and bars
//!                          ├────────▶ EventStream  --json-events
//!                          ├────────▶ Trace        --trace
//!                          └────────▶ Profile      --profile
//! ```
//!
//! All of them read the same notices, and none can fail a training: a file that
//! cannot be written any more is one warning.

mod end;
mod events;
mod process;
mod profile;
mod sink;
mod trace;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use serde_json::Value;

use crate::api::MemberNotice;
use crate::api::Notice;
use crate::api::Wants;
use crate::api::in_project;
use crate::api::real_path;
use crate::cli::args::PlaceArguments;
use crate::cli::args::RunFlags;
pub use crate::cli::displays::end::End;
use crate::cli::displays::events::EventStream;
pub use crate::cli::displays::process::in_use;
use crate::cli::displays::profile::Profile;
pub use crate::cli::displays::profile::Summary;
use crate::cli::displays::sink::Sink;
use crate::cli::displays::trace::Trace;
use crate::cli::exit::Exit;
use crate::cli::output::complain;
use crate::cli::output::locked;
use crate::cli::product::Kept;
use crate::cli::product::Product;
use crate::cli::screen::Screen;
use crate::data::Member;
use crate::engine::Event;

/// A round of training as it begins: what was asked for.
pub struct Start<'a> {
    /// Which round it is, from 1; more than one only when files are watched.
    pub round: u32,
    /// Returns folders, files and options, if somebody wants to know.
    pub options: &'a dyn Fn() -> Value,
}

/// A notice and when it came, from the start of the program's work.
struct Heard<'a> {
    at: Duration,
    /// The assistant that it is about, if there are several.
    assistant: Option<&'a str>,
    notice: &'a Notice,
}

/// Returns why these displays cannot be opened: two that write to one file would
/// spoil each other's lines, and none may write over what is kept. A device such as
/// `/dev/null` may be shared.
fn refusal(flags: &RunFlags, project: &Path, json: bool, kept: &Kept) -> Option<String> {
    let output = Path::new("-");
    let place = |path: &Path| match path == output {
        true => path.to_owned(),
        false => real_path(&in_project(project, path)),
    };
    let events = flags.json_events.as_deref().map(place);
    let trace = flags.trace.as_deref().map(place);
    if let (Some(events), Some(trace)) = (&events, &trace)
        && events == trace
        && fs::metadata(events).map_or(true, |there| there.is_file())
    {
        let place = events.display();
        let text = format!("`--json-events` and `--trace` would both write to `{place}`");
        return Some(text);
    }
    let is_taken = [events, trace]
        .iter()
        .flatten()
        .any(|place| place == output);
    let text = "`--json` and a display that goes to `-` both want standard output";
    if json && is_taken {
        return Some(text.to_owned());
    }
    let written = [
        (Product::Events, &flags.json_events),
        (Product::Trace, &flags.trace),
    ];
    let mut written = written
        .into_iter()
        .filter_map(|(product, path)| Some((product, path.as_deref()?)))
        .filter(|(_, path)| *path != output);
    written.find_map(|(product, path)| kept.refusal(product, &in_project(project, path)))
}

/// All who are told what happens.
pub struct Displays {
    since: Instant,
    screen: Arc<Screen>,
    events: Option<Mutex<EventStream>>,
    trace: Option<Mutex<Trace>>,
    profile: Option<Mutex<Profile>>,
    owns_output: bool,
}

impl Displays {
    /// Opens what the flags ask for, or says why that cannot be.
    ///
    /// # Errors
    ///
    /// How the program ends then.
    pub fn open(
        flags: &RunFlags,
        place: &PlaceArguments,
        kept: &Kept,
        screen: Arc<Screen>,
    ) -> Result<Arc<Self>, Exit> {
        if let Some(text) = refusal(flags, &place.project, place.json, kept) {
            complain(&format!("error: {text}"));
            return Err(Exit::Usage);
        }
        let opened = Self::opened(flags, &place.project, screen);
        opened.map(Arc::new).map_err(|(path, error)| {
            complain(&format!("error: cannot write `{path}`: {error}"));
            Exit::InputOutput
        })
    }

    fn opened(
        flags: &RunFlags,
        project: &Path,
        screen: Arc<Screen>,
    ) -> Result<Self, (String, io::Error)> {
        let sink = |path: &Path| match path == Path::new("-") {
            true => Ok(Sink::of_output()),
            false => Sink::create(&in_project(project, path))
                .map_err(|error| (path.display().to_string(), error)),
        };
        let events = flags.json_events.as_deref().map(sink).transpose()?;
        let trace = flags.trace.as_deref().map(sink).transpose()?;
        let to_output = |path: &Option<_>| path.as_deref() == Some(Path::new("-"));
        Ok(Self {
            since: Instant::now(),
            screen,
            events: events.map(|sink| Mutex::new(EventStream::new(sink))),
            trace: trace.map(|sink| Mutex::new(Trace::new(sink))),
            profile: flags.profile.then(Mutex::default),
            owns_output: to_output(&flags.json_events) || to_output(&flags.trace),
        })
    }

    /// Returns whether standard output is taken by one of the displays.
    pub fn owns_output(&self) -> bool {
        self.owns_output
    }

    /// Returns whether a reader of the events or the trace has left.
    pub fn are_unread(&self) -> bool {
        let events = self.events.as_ref().map(|it| locked(it).is_unread());
        let trace = self.trace.as_ref().map(|it| locked(it).is_unread());
        events.unwrap_or(false) || trace.unwrap_or(false)
    }

    /// Returns what these want to know: the stream of events all tasks, also those
    /// that are fresh, and the summary which of them reads which.
    pub fn wants(&self) -> Wants {
        Wants {
            plan: self.events.is_some() || self.profile.is_some(),
            looks: false,
        }
    }

    /// Begins a round. If it is not [ended](Round::end), as after a panic, it ends
    /// as a bug.
    pub fn begin(&self, start: &Start<'_>) -> Round<'_> {
        let at = self.since.elapsed();
        self.screen.begin();
        if let Some(events) = &self.events {
            let warning = locked(events).begin(at, start, now_ms());
            self.warn(warning);
        }
        if let Some(profile) = &self.profile {
            *locked(profile) = Profile::new(at);
        }
        if let Some(trace) = &self.trace {
            let warning = locked(trace).begin(at);
            self.warn(warning);
        }
        Round {
            displays: self,
            since: Instant::now(),
            is_over: false,
        }
    }

    /// Tells all of them, and the screen.
    pub fn tell(&self, notice: &Notice) {
        self.screen.show(notice);
        self.hear(None, notice);
    }

    /// Tells all of them what is about one of several assistants; on the screen it
    /// is shown by others.
    pub fn tell_of(&self, member: &Member, notice: &MemberNotice<'_>) {
        let at = self.since.elapsed();
        let name = member.name.as_str();
        match notice {
            MemberNotice::Told(notice) => self.hear(Some(name), notice),
            MemberNotice::Begun => {
                if let Some(events) = &self.events {
                    let warning = locked(events).begin_assistant(at, member);
                    self.warn(warning);
                }
                if let Some(trace) = &self.trace {
                    locked(trace).begin_assistant(at, name);
                }
                if let Some(profile) = &self.profile {
                    locked(profile).begin_assistant(at, name);
                }
            }
            MemberNotice::Over(report) => {
                if let Some(events) = &self.events {
                    let warning = locked(events).end_assistant(at, report);
                    self.warn(warning);
                }
                if let Some(trace) = &self.trace {
                    let warning = locked(trace).end_assistant(at, name);
                    self.warn(warning);
                }
                if let Some(profile) = &self.profile {
                    locked(profile).end_assistant(at, name);
                }
            }
            MemberNotice::CaughtUp => {}
        }
    }

    fn hear(&self, assistant: Option<&str>, notice: &Notice) {
        let heard = Heard {
            at: self.since.elapsed(),
            assistant,
            notice,
        };
        if let Some(events) = &self.events {
            let warning = locked(events).hear(&heard);
            self.warn(warning);
        }
        // Steps come by the thousand; no summary or trace is made of them.
        if matches!(notice, Notice::Task(Event::Progress { .. })) {
            return;
        }
        if let Some(profile) = &self.profile {
            locked(profile).hear(&heard);
        }
        if let Some(trace) = &self.trace {
            let warning = locked(trace).hear(&heard);
            self.warn(warning);
        }
    }

    /// Tells that files are watched no more.
    pub fn end_watch(&self, exit: Exit) {
        if let Some(events) = &self.events {
            let warning = locked(events).end_watch(self.since.elapsed(), exit);
            self.warn(warning);
        }
    }

    /// Closes what was opened.
    pub fn close(&self) {
        if let Some(trace) = &self.trace {
            let warning = locked(trace).close(self.since.elapsed());
            self.warn(warning);
        }
    }

    fn warn(&self, warning: Option<String>) {
        if let Some(text) = warning {
            self.screen.show(&Notice::Warning(text));
        }
    }
}

/// A round that goes on.
pub struct Round<'a> {
    displays: &'a Displays,
    since: Instant,
    is_over: bool,
}

impl Round<'_> {
    /// Returns how long it has gone on.
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Ends the round; returns the summary, if one was asked for.
    pub fn end(mut self, end: &End) -> Option<Summary> {
        self.is_over = true;
        let displays = self.displays;
        let at = displays.since.elapsed();
        let summary = displays
            .profile
            .as_ref()
            .map(|profile| locked(profile).summary(at));
        if let Some(events) = &displays.events {
            let warning = locked(events).end(at, end, summary.as_ref());
            displays.warn(warning);
        }
        if let Some(trace) = &displays.trace {
            let warning = locked(trace).end(at);
            displays.warn(warning);
        }
        summary
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let at = self.displays.since.elapsed();
            if let Some(events) = &self.displays.events {
                let warning = locked(events).end_as_bug(at);
                self.displays.warn(warning);
            }
            self.displays.close();
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |time| time.as_millis() as u64)
}
