//! How notices look on a terminal, in a log and as JSON.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use indicatif::MultiProgress;
use indicatif::ProgressBar;
use indicatif::ProgressStyle;

use crate::api::Findings;
use crate::api::Notice;
use crate::cli::amounts::Count;
use crate::cli::amounts::shown_size;
use crate::cli::output::complain;
use crate::cli::output::locked;
use crate::diagnostic::Paint;
use crate::diagnostic::Severity;
use crate::diagnostic::has_errors;
use crate::diagnostic::render_grouped;
use crate::engine::Event;
use crate::engine::Stale;

/// How long a task must run before its bar appears.
const BAR_AFTER: Duration = Duration::from_millis(300);

/// How long a task must have taken for its end to be told.
const WORTH_TELLING_MS: u64 = 100;

/// Columns that a bar with everything beside it needs.
const FULL_WIDTH: u16 = 78;

/// Shows what happens on standard error: a line a task, and bars for the tasks
/// that train where a person is watching.
pub struct Screen {
    quiet: bool,
    paint: Paint,
    /// None where nobody watches: a log takes no bars.
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<String, Running>>,
    reused: Mutex<usize>,
    /// Tasks whose result was fetched, and bytes.
    fetched: Mutex<(usize, u64)>,
    notes: Mutex<Vec<Findings>>,
    /// Warnings that were shown in a run before.
    earlier: AtomicUsize,
}

/// A running task on the screen.
struct Running {
    since: Instant,
    bar: Option<ProgressBar>,
}

impl Screen {
    /// Returns a screen for standard error: colours and bars only on a terminal;
    /// no colours where `NO_COLOR` is set, neither where `TERM` is `dumb`, and no
    /// bars in the log of a CI service, terminal or not.
    pub fn new(quiet: bool) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let watched = std::io::stderr().is_terminal() && !is_dumb;
        Self {
            quiet,
            paint: match watched && !is_set("NO_COLOR") {
                true => Paint::Coloured,
                false => Paint::Plain,
            },
            bars: (watched && !quiet && !is_set("CI")).then(MultiProgress::new),
            running: Mutex::default(),
            reused: Mutex::default(),
            fetched: Mutex::default(),
            notes: Mutex::default(),
            earlier: AtomicUsize::default(),
        }
    }

    /// Forgets what waits from an earlier training.
    pub fn begin(&self) {
        locked(&self.notes).clear();
        *locked(&self.reused) = 0;
        *locked(&self.fetched) = (0, 0);
        self.earlier.store(0, Ordering::Relaxed);
    }

    /// Shows a notice.
    pub fn show(&self, notice: &Notice) {
        match notice {
            Notice::Task(event) => self.task(event),
            Notice::Diagnosed(findings) => self.findings(findings),
            Notice::AsBefore { warnings, .. } => {
                self.earlier.fetch_add(*warnings, Ordering::Relaxed);
            }
            Notice::Warning(text) => self.warning(text),
            Notice::Info(text) | Notice::Success(text) => self.line(text),
            Notice::Began(_)
            | Notice::Ended(_)
            | Notice::Opened(_)
            | Notice::LookedAt(_)
            | Notice::Planned(_) => {}
        }
    }

    /// Shows diagnostics with their source lines: all of them at once if there is
    /// an error, errors alone when quiet. Otherwise they wait until something is
    /// done that they are about, so that a run with nothing to do is one line.
    fn findings(&self, findings: &Findings) {
        let has_errors = has_errors(&findings.diagnostics);
        let is_shown = |severity| match severity {
            Severity::Error => true,
            Severity::Warning | Severity::Note => !self.quiet && has_errors,
        };
        let (now, later): (Vec<_>, Vec<_>) = findings
            .diagnostics
            .iter()
            .cloned()
            .partition(|diagnostic| is_shown(diagnostic.severity));
        if !now.is_empty() {
            self.above_bars(&render_grouped(&now, &findings.sources, self.paint));
        }
        if !self.quiet && !later.is_empty() {
            let mut notes = locked(&self.notes);
            notes.push(Findings {
                diagnostics: later,
                sources: findings.sources.clone(),
            });
        }
    }

    /// Returns how many warnings wait, or were shown in a run before.
    pub fn waiting_warnings(&self) -> usize {
        let waiting = locked(&self.notes);
        let all = waiting.iter().flat_map(|findings| &findings.diagnostics);
        let waiting = all.filter(|one| one.severity == Severity::Warning).count();
        waiting + self.earlier.load(Ordering::Relaxed)
    }

    /// Shows the warnings and notes that waited.
    pub fn show_notes(&self) {
        let mut notes = locked(&self.notes);
        for findings in notes.drain(..) {
            self.above_bars(&render_grouped(
                &findings.diagnostics,
                &findings.sources,
                self.paint,
            ));
        }
    }

    /// Shows a warning that has no place in a file.
    fn warning(&self, text: &str) {
        if !self.quiet {
            self.above_bars(&format!("warning: {text}"));
        }
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            self.above_bars(text);
        }
    }

    fn task(&self, event: &Event) {
        match event {
            Event::Progress {
                task,
                done,
                total,
                text,
            } => self.step(&task.name, *done, *total, text),
            Event::Started { task, reasons, .. } => {
                self.show_notes();
                self.show_reused();
                self.line(&format!("run    {task}{}", because(reasons)));
                self.start(&task.name);
            }
            Event::Finished { task, ms } => {
                self.stop(&task.name);
                if *ms >= WORTH_TELLING_MS {
                    self.line(&format!("done   {task} in {}", duration(*ms)));
                }
            }
            // The error that ends the run says why, once.
            Event::Failed { task, .. } | Event::Skipped { task, .. } => self.stop(&task.name),
            Event::NotStored { task } => {
                self.stop(&task.name);
                self.line(&format!(
                    "drop   {task}: what it reads was edited meanwhile"
                ));
            }
            Event::Waiting { task, holder } => {
                self.line(&format!("wait   {task}: {holder} does the same work"));
            }
            Event::Spared { task } => {
                self.line(&format!("spared {task}: its result is there already"));
            }
            Event::OutputLost { task, output } => {
                self.line(&format!("lost   {task}: `{output}` is made again"));
            }
            Event::StoreWarning { warning } => self.warning(&warning.to_string()),
            Event::Sent { task } => self.line(&format!("send   {task} to another machine")),
            Event::Fetched { size, .. } => {
                let mut fetched = locked(&self.fetched);
                *fetched = (fetched.0 + 1, fetched.1 + size);
            }
            Event::Reused { .. } => *locked(&self.reused) += 1,
            Event::Loaded { .. } | Event::Stored { .. } => {}
        }
    }

    /// Says in one line how much need not be done, before the first task that is.
    fn show_reused(&self) {
        let count = std::mem::take(&mut *locked(&self.reused));
        if count > 0 {
            self.line(&format!("reuse  {}", Count(count, "task")));
        }
        let (count, bytes) = std::mem::take(&mut *locked(&self.fetched));
        if count > 0 {
            let (tasks, size) = (Count(count, "task"), shown_size(bytes));
            self.line(&format!("fetch  {tasks} ({size}) from the remote cache"));
        }
    }

    fn start(&self, task: &str) {
        if self.bars.is_some() {
            let running = Running {
                since: Instant::now(),
                bar: None,
            };
            locked(&self.running).insert(task.to_owned(), running);
        }
    }

    fn step(&self, task: &str, done: u64, total: u64, text: &str) {
        let mut all = locked(&self.running);
        let (Some(bars), Some(running)) = (&self.bars, all.get_mut(task)) else {
            return;
        };
        if running.bar.is_none() && running.since.elapsed() < BAR_AFTER {
            return;
        }
        let bar = running.bar.get_or_insert_with(|| {
            // Steps that were done before the bar appeared count for its rate.
            let bar = new_bar(task, total)
                .with_elapsed(running.since.elapsed())
                .with_position(done)
                .with_message(text.to_owned());
            bars.add(bar)
        });
        bar.set_message(text.to_owned());
        bar.set_position(done);
    }

    fn stop(&self, task: &str) {
        if let Some(bar) = locked(&self.running).remove(task).and_then(|one| one.bar) {
            bar.finish_and_clear();
        }
    }

    /// Prints a line where bars do not draw over it.
    fn above_bars(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| complain(text)),
            None => complain(text),
        }
    }
}

/// A bar that fits into one line of the terminal, however narrow it is.
fn new_bar(task: &str, total: u64) -> ProgressBar {
    let columns = console::Term::stderr()
        .size_checked()
        .map(|(_, columns)| columns);
    let is_narrow = columns.is_some_and(|columns| columns < FULL_WIDTH);
    let (template, name) = match is_narrow {
        // The component's name alone, without its place.
        true => (
            "{prefix:14!} {pos}/{len} {eta} {wide_msg}",
            task.rsplit('.').next(),
        ),
        false => (
            "{prefix:24!} [{bar:20}] {pos:>4}/{len} {eta:>4} left {wide_msg}",
            Some(task),
        ),
    };
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    let bar = ProgressBar::new(total).with_style(style.progress_chars("=> "));
    bar.set_prefix(name.unwrap_or(task).to_owned());
    bar
}

/// The first reason of a task, as the rest of its line.
fn because(reasons: &[Stale]) -> String {
    match told(reasons).as_slice() {
        [] => String::new(),
        [one] => format!(": {one}"),
        [first, rest @ ..] => format!(": {first} (and {} more)", rest.len()),
    }
}

/// Returns the reasons that tell something: that a task waits for others goes
/// without saying when it has a reason of its own.
pub fn told(reasons: &[Stale]) -> Vec<&Stale> {
    let of_its_own = |reason: &&Stale| !matches!(reason, Stale::Upstream { .. });
    let own: Vec<&Stale> = reasons.iter().filter(of_its_own).collect();
    if own.is_empty() {
        return reasons.iter().collect();
    }
    own
}

/// Returns a duration as a person says it: `7 ms`, `1.4 s`, `3 min 20 s`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_speech() {
        assert_eq!(duration(7), "7 ms");
        assert_eq!(duration(1_400), "1.4 s");
        assert_eq!(duration(200_000), "3 min 20 s");
    }
}
