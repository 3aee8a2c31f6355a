//! Shows one assistant after the other: a heading above what it tells, and a
//! line on standard output when it is over.

use std::process;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::api::MemberNotice;
use crate::api::MemberObserver;
use crate::api::MemberReport;
use crate::api::MemberState;
use crate::api::Notice;
use crate::cli::args::PlaceArguments;
use crate::cli::exit::Exit;
use crate::cli::output::complain;
use crate::cli::output::print;
use crate::cli::screen::Screen;
use crate::cli::workspace::text;
use crate::data::Member;
use crate::diagnostic::has_errors;
use crate::engine::Event;

/// Where assistants are shown.
#[derive(Clone)]
pub struct Stage(Arc<Mutex<Scene>>);

/// The assistant that is shown now.
struct Scene {
    quiet: bool,
    json: bool,
    /// Whether standard output is taken by a display.
    is_taken: bool,
    screen: Screen,
    has_heading: bool,
    /// Whether the screen has shown more than that all is as before.
    is_used: bool,
    /// Lines for standard output: many assistants can be over at once.
    lines: String,
    exit: Exit,
}

impl Stage {
    /// Returns a stage on which nobody has been shown.
    pub fn new(place: &PlaceArguments, is_taken: bool) -> Self {
        Self(Arc::new(Mutex::new(Scene {
            quiet: place.quiet,
            json: place.json,
            is_taken,
            screen: Screen::new(place.quiet),
            has_heading: false,
            is_used: false,
            lines: String::new(),
            exit: Exit::Done,
        })))
    }

    /// Returns an observer that shows what it is told here.
    pub fn observer(&self) -> MemberObserver {
        let stage = self.clone();
        MemberObserver::new(move |member, notice| match notice {
            MemberNotice::Begun => {}
            MemberNotice::Told(notice) => stage.scene().tell(member, &notice),
            MemberNotice::Over(report) => stage.scene().end(report),
            MemberNotice::CaughtUp => stage.scene().write(),
        })
    }

    /// Returns whether all could be shown.
    pub fn exit(&self) -> Exit {
        self.scene().exit
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Scene {
    /// Shows a notice. Places in it start at the assistant's folder, which the
    /// heading therefore names.
    fn tell(&mut self, member: &Member, notice: &Notice) {
        if !self.has_heading && !self.quiet && is_shown(notice) {
            self.write();
            complain(&format!("{} in {}:", member.name, member.folder.display()));
            self.has_heading = true;
        }
        self.is_used |= !matches!(notice, Notice::AsBefore { .. });
        match notice {
            Notice::Task(Event::Waiting { task, holder }) if *holder == this_process() => {
                let (task, holder) = (task.clone(), "another assistant".to_owned());
                let waiting = Event::Waiting { task, holder };
                self.screen.show(&Notice::Task(waiting));
            }
            notice => self.screen.show(notice),
        }
    }

    /// Shows what came of an assistant, and makes room for the next.
    fn end(&mut self, report: &MemberReport) {
        if report.state == MemberState::Failed || report.code > 0 {
            self.write();
            self.screen.show_notes();
        }
        if let Some(error) = &report.error {
            complain(&format!("error: {}: {error}", report.name));
        }
        let line = match self.quiet {
            true => report.model.clone(),
            false => text::line(report),
        };
        if let Some(line) = line.filter(|_| !self.json) {
            match self.is_taken {
                true => self.screen.show(&Notice::Success(line)),
                false => {
                    self.lines.push_str(&line);
                    self.lines.push('\n');
                }
            }
        }
        match self.is_used {
            true => self.screen = Screen::new(self.quiet),
            false => self.screen.begin(),
        }
        self.is_used = false;
        self.has_heading = false;
    }

    /// Writes the lines that wait to standard output.
    fn write(&mut self) {
        if let Some(lines) = self.lines.strip_suffix('\n') {
            self.exit = self.exit.worse(print(lines, Exit::Done));
            self.lines.clear();
        }
    }
}

/// Returns how this process is called by those who wait for it.
fn this_process() -> String {
    format!("process {}", process::id())
}

/// Returns whether a notice gives a line at once.
fn is_shown(notice: &Notice) -> bool {
    match notice {
        Notice::Task(event) => matches!(
            event,
            Event::Started { .. }
                | Event::Waiting { .. }
                | Event::Spared { .. }
                | Event::NotStored { .. }
                | Event::OutputLost { .. }
                | Event::StoreWarning { .. }
        ),
        Notice::Diagnosed(findings) => has_errors(&findings.diagnostics),
        Notice::AsBefore { .. } => false,
        Notice::Warning(_) | Notice::Info(_) | Notice::Success(_) => true,
        Notice::Began(_)
        | Notice::Ended(_)
        | Notice::Opened(_)
        | Notice::LookedAt(_)
        | Notice::Planned(_) => false,
    }
}
