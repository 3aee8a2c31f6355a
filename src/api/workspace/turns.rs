//! Tells what happens to assistants that run side by side as if they ran one
//! after the other, in the order of the workspace.
//!
//! The first one that is not over is told of as it happens; what others tell
//! waits for their turn.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::api::Findings;
use crate::api::Notice;
use crate::api::workspace::MemberReport;
use crate::data::Member;
use crate::diagnostic::SourceMap;
use crate::engine::Event;

/// Something about one assistant.
#[derive(Debug)]
pub enum MemberNotice<'a> {
    /// Its turn has come. Told only to one who is told at once.
    Begun,
    /// What its training tells.
    Told(Notice),
    /// It is over.
    Over(&'a MemberReport),
    /// All is told that is over so far; what comes next may take its time.
    CaughtUp,
}

/// Whoever listens to all assistants; by default nobody. It is told which assistant
/// a notice is about.
#[derive(Clone, Default)]
pub struct MemberObserver(Option<Listen>);

type Listen = Arc<dyn Fn(&Member, MemberNotice<'_>) + Send + Sync>;

impl MemberObserver {
    /// Returns an observer that hands every notice to `listen`: where it is told in
    /// turn one at a time, where it is told at once from any thread.
    pub fn new(listen: impl Fn(&Member, MemberNotice<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listen)))
    }

    pub(super) fn tell(&self, member: &Member, notice: MemberNotice<'_>) {
        if let Some(listen) = &self.0 {
            listen(member, notice);
        }
    }

    /// Returns whether anybody listens.
    pub(super) fn is_listening(&self) -> bool {
        self.0.is_some()
    }
}

impl fmt::Debug for MemberObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemberObserver")
    }
}

/// Brings notices into the order of the assistants.
pub struct Turns {
    observer: MemberObserver,
    queue: Mutex<Queue>,
}

struct Queue {
    members: Vec<Arc<Member>>,
    /// The assistant whose turn it is.
    current: usize,
    /// What waits to be told, of each assistant.
    waiting: Vec<Vec<Notice>>,
    reports: Vec<Option<MemberReport>>,
}

impl Turns {
    /// Returns the turns of these assistants.
    pub fn new(members: Vec<Arc<Member>>, observer: MemberObserver) -> Self {
        let queue = Queue {
            current: 0,
            waiting: members.iter().map(|_| Vec::new()).collect(),
            reports: members.iter().map(|_| None).collect(),
            members,
        };
        Self {
            observer,
            queue: Mutex::new(queue),
        }
    }

    /// Tells something about the assistant `at`, now or when it is its turn.
    pub fn tell(&self, at: usize, notice: Notice) {
        let mut queue = self.queue();
        if at == queue.current {
            let told = MemberNotice::Told(notice);
            self.observer.tell(&queue.members[at], told);
        } else if let Some(notice) = worth_keeping(notice) {
            queue.waiting[at].push(notice);
        }
    }

    /// Notes that an assistant is over, and tells what waited for that.
    pub fn over(&self, at: usize, report: MemberReport) {
        self.over_all([(at, Vec::new(), report)]);
    }

    /// Notes of several assistants what they told and that they are over, and tells
    /// what waited for that.
    pub fn over_all(&self, ended: impl IntoIterator<Item = (usize, Vec<Notice>, MemberReport)>) {
        let mut queue = self.queue();
        let before = queue.current;
        for (at, told, report) in ended {
            queue.waiting[at].extend(told);
            queue.reports[at] = Some(report);
            // At once, so that what many have to tell need not wait together.
            if at == queue.current {
                self.go_on(&mut queue);
            }
        }
        if let Some(last) = queue.members[before..queue.current].last() {
            self.observer.tell(last, MemberNotice::CaughtUp);
        }
    }

    /// Tells of the current assistant and those after it, as far as they are over.
    fn go_on(&self, queue: &mut Queue) {
        self.catch_up(queue);
        while let Some(Some(report)) = queue.reports.get(queue.current) {
            let member = &queue.members[queue.current];
            self.observer.tell(member, MemberNotice::Over(report));
            queue.current += 1;
            self.catch_up(queue);
        }
    }

    /// Tells what waited for the turn that begins.
    fn catch_up(&self, queue: &mut Queue) {
        let at = queue.current;
        let Some(waiting) = queue.waiting.get_mut(at).map(mem::take) else {
            return;
        };
        for notice in waiting {
            let told = MemberNotice::Told(notice);
            self.observer.tell(&queue.members[at], told);
        }
    }

    /// Returns the reports, in order.
    pub fn reports(&self) -> Vec<MemberReport> {
        let mut queue = self.queue();
        let reports = mem::take(&mut queue.reports);
        reports.into_iter().flatten().collect()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns what of a notice is worth telling later: no progress, nothing about
/// when the run began or which files it opened, and of files only the lines that
/// something is said about.
fn worth_keeping(notice: Notice) -> Option<Notice> {
    match notice {
        Notice::Task(Event::Progress { .. } | Event::Reused { .. }) => None,
        Notice::Began(_) | Notice::Ended(_) | Notice::Opened(_) => None,
        Notice::LookedAt(_) | Notice::Planned(_) => None,
        Notice::Diagnosed(findings) => Some(Notice::Diagnosed(Arc::new(trimmed(&findings)))),
        notice => Some(notice),
    }
}

/// Returns findings with texts of which only the lines that are shown are left;
/// what was before them is empty, so that they keep their numbers.
fn trimmed(findings: &Findings) -> Findings {
    let mut shown: BTreeMap<&Arc<str>, BTreeSet<usize>> = BTreeMap::new();
    for diagnostic in &findings.diagnostics {
        let place = &diagnostic.place;
        let lines = shown.entry(&place.file).or_default();
        lines.extend((place.line as usize).checked_sub(1));
    }
    let mut sources = SourceMap::default();
    for (file, lines) in shown {
        let Some(text) = findings.sources.text(file) else {
            continue;
        };
        let end = lines.last().map_or(0, |last| last + 1);
        let kept = text.split('\n').take(end).enumerate();
        let kept = kept.map(|(at, line)| if lines.contains(&at) { line } else { "" });
        let kept: Vec<&str> = kept.collect();
        sources.insert(file.clone(), kept.join("\n").into());
    }
    Findings {
        diagnostics: findings.diagnostics.clone(),
        sources,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Place;
    use crate::diagnostic::Diagnostic;
    use crate::diagnostic::Paint;
    use crate::diagnostic::render;

    #[test]
    fn what_waits_keeps_the_lines_that_are_shown_and_no_more() {
        let file: Arc<str> = "data/nlu.yml".into();
        let at = |line| {
            let place = Place {
                file: Arc::clone(&file),
                line,
                column: 3,
            };
            Diagnostic::new("W451", place, "odd")
        };
        let mut findings = Findings {
            diagnostics: vec![at(0), at(2), at(4), at(2), at(99)],
            sources: SourceMap::default(),
        };
        let long = "x".repeat(1_000);
        let text = format!("{long}\n- second\n{long}\n- fourth\n{long}\n");
        findings.sources.insert(Arc::clone(&file), text.into());
        let kept = trimmed(&findings);
        let shown =
            |findings: &Findings| render(&findings.diagnostics, &findings.sources, Paint::Plain);
        assert_eq!(shown(&kept), shown(&findings));
        assert_eq!(kept.sources.text(&file), Some("\n- second\n\n- fourth\n\n"));
    }

    #[test]
    fn what_nobody_shows_does_not_wait() {
        assert!(worth_keeping(Notice::Opened(vec!["nlu.yml".into()])).is_none());
        assert!(worth_keeping(Notice::Info("known".to_owned())).is_some());
    }
}
