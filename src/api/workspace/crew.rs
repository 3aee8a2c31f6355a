//! Trains assistants side by side, or looks at them: a few workers take one
//! after the other.

use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use crate::api::Findings;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::TrainingResult;
use crate::api::Wants;
use crate::api::WitnessSettings;
use crate::api::chain;
use crate::api::remote::hand_over;
use crate::api::shared::Shared;
use crate::api::shared::glance;
use crate::api::train::training;
use crate::api::workspace::MemberNotice;
use crate::api::workspace::MemberObserver;
use crate::api::workspace::MemberReport;
use crate::api::workspace::MemberState;
use crate::api::workspace::MemberTask;
use crate::api::workspace::OpenWorkspace;
use crate::api::workspace::WorkspaceReport;
use crate::api::workspace::guard::guarded;
use crate::api::workspace::member::Folders;
use crate::api::workspace::member::member_options;
use crate::api::workspace::member::shown_path;
use crate::api::workspace::roll::Called;
use crate::api::workspace::roll::Present;
use crate::api::workspace::roll::call_roll;
use crate::api::workspace::roll::may_call_roll;
use crate::api::workspace::turns::Turns;
use crate::data::Member;
use crate::diagnostic::SourceMap;
use crate::engine::Event;
use crate::import::Want;
use crate::recipe::Report;
use crate::recipe::TaskState;
use crate::store::Access;

/// How assistants of a workspace are trained, or looked at.
#[derive(Clone, Debug, Default)]
pub struct WorkspaceOptions {
    /// What all assistants have in common. Project, config, domain, data and
    /// output are those of each assistant. `jobs` counts tasks of all assistants
    /// together. The observer is told what is about all of them: the cache.
    pub all: TrainOptions,
    /// Starts no other assistant when one has failed.
    pub fail_fast: bool,
    /// Who is told what happens to each, as if one came after the other.
    pub observer: MemberObserver,
    /// Who is told at once, as it happens, from any thread.
    pub live: MemberObserver,
    /// What is told beside the usual.
    pub wants: Wants,
}

/// Stack of a worker, in bytes: as much as the main thread of a process has.
const STACK_SIZE: usize = 8 << 20;

/// Trains assistants side by side, each as [`train`](crate::api::train) does; in
/// a dry run tells what is stale. One that fails keeps no other from being
/// trained.
///
/// What becomes of each assistant is in the report.
pub fn train_members(
    workspace: &OpenWorkspace,
    members: &[Arc<Member>],
    options: &WorkspaceOptions,
) -> WorkspaceReport {
    let since = Instant::now();
    let turns = Arc::new(Turns::new(members.to_vec(), options.observer.clone()));
    let folders = Folders::new(&workspace.root);
    let mut called = roll(&folders, members, options);
    let present = called
        .as_mut()
        .map(|called| mem::take(&mut called.present))
        .unwrap_or_default();
    let left = tell_present(members, present, options, &turns);
    let is_over = left.is_empty() && !called.as_ref().is_some_and(Called::has_renewals);
    let shared = (!is_over).then(|| train_left(&folders, members, left, called, options, &turns));
    let is_handed = hand_over(&options.all.run);
    let reports = turns.reports();
    let is_trained = |report: &MemberReport| report.state == MemberState::Trained;
    if let Some(shared) = shared {
        let run = &options.all.run;
        if is_handed {
            shared.note_handed(run);
        }
        if reports.iter().any(is_trained) {
            shared.tidy(&run.cache_limits, &run.observer);
        }
    }
    let file = workspace.file.to_string_lossy().into_owned();
    WorkspaceReport::new(file, reports, ms(since))
}

/// Calls the roll, if there is a cache, and nobody wants to know of each assistant
/// what was looked at. A cache that has something to complain about is left to those
/// who open it to train.
fn roll(
    folders: &Folders<'_>,
    members: &[Arc<Member>],
    options: &WorkspaceOptions,
) -> Option<Called> {
    if options.wants.looks || !may_call_roll(&options.all) {
        return None;
    }
    let store = glance(&options.all.run)?;
    let called = call_roll(folders, members, &options.all, &store);
    called.filter(|_| store.take_warnings().is_empty())
}

/// Trains the assistants at the places `left`, and keeps what is new of those that
/// have nothing to do; returns what all shared.
fn train_left(
    folders: &Folders<'_>,
    members: &[Arc<Member>],
    left: Vec<usize>,
    called: Option<Called>,
    options: &WorkspaceOptions,
    turns: &Arc<Turns>,
) -> Arc<Shared> {
    let access = match options.all.dry_run {
        true => Access::ReadOnly,
        false => Access::ReadWrite,
    };
    let mut all = options.all.clone();
    let num_threads = all.nlu_additional_arguments.num_threads;
    let shared = Arc::new(Shared::open(&all.run, access, num_threads));
    if let Some(mut called) = called {
        all.run.witness = asked_before(all.run.witness);
        if let Some(store) = &shared.store {
            called.renew(store);
        }
        shared.keep(called.results);
    }
    let jobs = jobs(&all);
    all.run.jobs = Some((jobs / left.len().max(1)).max(1));
    all.run.shared = Some(Arc::clone(&shared));
    let workers = fan_out(&all, jobs, left.len());
    let crew = Crew {
        folders,
        members,
        left,
        all: &all,
        options,
        turns,
        next: AtomicUsize::new(0),
        has_failed: AtomicBool::new(false),
    };
    crew.work(workers);
    shared
}

/// Tells of the assistants that have nothing to do; returns the places of the others.
fn tell_present(
    members: &[Arc<Member>],
    present: Vec<Present>,
    options: &WorkspaceOptions,
    turns: &Turns,
) -> Vec<usize> {
    let mut is_left = vec![true; members.len()];
    let ended = present.into_iter().map(|Present { at, heard }| {
        is_left[at] = false;
        let outcome = heard.outcome;
        let mut told = vec![Notice::AsBefore {
            warnings: outcome.warning_count as usize,
            tasks: outcome.task_count as usize,
            by: heard.by,
        }];
        told.extend(outcome.said.into_iter().map(Notice::Warning));
        let dry_run = options.all.dry_run;
        let state = match dry_run {
            true => MemberState::Fresh,
            false => MemberState::UpToDate,
        };
        let model = outcome.model.to_string_lossy().into_owned();
        let report = MemberReport {
            model: (!dry_run).then_some(model),
            task_count: outcome.task_count as usize,
            ..blank(&members[at], state)
        };
        tell_live(&options.live, &members[at], &told, &report);
        (at, told, report)
    });
    turns.over_all(ended);
    let left = is_left.into_iter().enumerate();
    left.filter_map(|(at, is_left)| is_left.then_some(at))
        .collect()
}

/// Tells at once of an assistant that has nothing to do.
fn tell_live(live: &MemberObserver, member: &Member, told: &[Notice], report: &MemberReport) {
    if live.is_listening() {
        live.tell(member, MemberNotice::Begun);
        for notice in told {
            live.tell(member, MemberNotice::Told(notice.clone()));
        }
        live.tell(member, MemberNotice::Over(report));
    }
}

/// Returns how the witnesses of those are treated that they said nothing for.
fn asked_before(settings: WitnessSettings) -> WitnessSettings {
    match settings {
        WitnessSettings::Ask { program } => WitnessSettings::Asked { program },
        other => other,
    }
}

/// Returns how many assistants are trained side by side: as many as there are jobs here
/// and places on other machines, which they share.
fn fan_out(all: &TrainOptions, jobs: usize, members: usize) -> usize {
    let there = all.run.remote_exec.as_ref();
    let there = there.map_or(0, |exec| exec.jobs.get());
    jobs.saturating_add(there).min(members)
}

/// How many tasks may run at the same time.
fn jobs(options: &TrainOptions) -> usize {
    let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
    options.run.jobs.unwrap_or_else(cores)
}

/// Workers, and what they share.
struct Crew<'a> {
    folders: &'a Folders<'a>,
    members: &'a [Arc<Member>],
    /// The places of those that are to be worked on.
    left: Vec<usize>,
    all: &'a TrainOptions,
    options: &'a WorkspaceOptions,
    turns: &'a Arc<Turns>,
    /// The one of these that the next free worker takes.
    next: AtomicUsize,
    has_failed: AtomicBool,
}

impl Crew<'_> {
    /// Works with so many threads, or as many as the system gives; this one is
    /// left to do it all if it gives none.
    fn work(&self, workers: usize) {
        if self.left.is_empty() {
            return;
        }
        thread::scope(|scope| {
            let start = |number| {
                thread::Builder::new()
                    .name(format!("assistant-{number}"))
                    .stack_size(STACK_SIZE)
                    .spawn_scoped(scope, || self.take_turns())
            };
            let started = (1..=workers).map(start).take_while(Result::is_ok);
            if started.count() == 0 {
                self.take_turns();
            }
        });
    }

    /// Takes one assistant after the other until there are none left.
    fn take_turns(&self) {
        loop {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&at) = self.left.get(next) else {
                return;
            };
            let member = &self.members[at];
            let is_over = self.all.run.cancel.is_set()
                || self.options.fail_fast && self.has_failed.load(Ordering::Relaxed);
            let report = match is_over {
                true => blank(member, MemberState::NotStarted),
                false => self.report(at, member),
            };
            if report.state == MemberState::Failed {
                self.has_failed.store(true, Ordering::Relaxed);
            }
            let over = MemberNotice::Over(&report);
            self.options.live.tell(member, over);
            self.turns.over(at, report);
        }
    }

    /// Trains an assistant, and keeps what is worth telling of it.
    fn report(&self, at: usize, member: &Member) -> MemberReport {
        let since = Instant::now();
        let mut options = member_options(self.folders, member, self.all);
        let started: Arc<Mutex<Vec<MemberTask>>> = Arc::default();
        let (turns, tasks) = (Arc::clone(self.turns), Arc::clone(&started));
        let (live, told_of) = (self.options.live.clone(), member.clone());
        live.tell(member, MemberNotice::Begun);
        let observer = Observer::new(move |notice| {
            if let Notice::Task(Event::Started { task, reasons, .. }) = &notice {
                let name = task.name.to_string();
                let why = reasons.iter().map(ToString::to_string).collect();
                let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
                tasks.push(MemberTask { name, why });
            }
            if live.is_listening() {
                live.tell(&told_of, MemberNotice::Told(notice.clone()));
            }
            turns.tell(at, notice);
        });
        options.run.observer = observer.wanting(self.options.wants);
        let result = guarded(|| training(&options, Want::All).run());
        let mut started = started.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = std::mem::take(&mut *started);
        MemberReport {
            ms: ms(since),
            ..match result {
                Ok(result) => done(member, result, tasks),
                Err(error) => failed(member, error, tasks),
            }
        }
    }
}

fn done(member: &Member, result: TrainingResult, tasks: Vec<MemberTask>) -> MemberReport {
    if let Some(report) = &result.dry_run_results {
        return planned(member, report, result.tasks);
    }
    let state = match (result.ran, result.is_new) {
        (0, false) => MemberState::UpToDate,
        (0, true) => MemberState::Restored,
        _ => MemberState::Trained,
    };
    MemberReport {
        model: result.model.map(|path| path.to_string_lossy().into_owned()),
        task_count: result.tasks,
        tasks,
        ..blank(member, state)
    }
}

fn planned(member: &Member, report: &Report, task_count: usize) -> MemberReport {
    let state = match report.code {
        0 => MemberState::Fresh,
        _ => MemberState::Stale,
    };
    let stale = report
        .tasks
        .iter()
        .filter(|task| matches!(task.state, TaskState::Stale | TaskState::MayBeSpared));
    let stale = stale.map(|task| MemberTask {
        name: task.name.clone(),
        why: task.why.clone(),
    });
    MemberReport {
        code: report.code,
        task_count,
        tasks: stale.collect(),
        estimate_ms: report.estimate_ms,
        ..blank(member, state)
    }
}

fn failed(member: &Member, error: TrainError, tasks: Vec<MemberTask>) -> MemberReport {
    let mut report = MemberReport {
        error: Some(chain(&error)),
        tasks,
        ..blank(member, MemberState::Failed)
    };
    report.failure = Some(Box::new(match error {
        // The lines were shown; the texts of all files need not be held.
        TrainError::Mistakes(findings) => {
            report.diagnostics.clone_from(&findings.diagnostics);
            TrainError::Mistakes(Arc::new(Findings {
                diagnostics: findings.diagnostics.clone(),
                sources: SourceMap::default(),
            }))
        }
        error => error,
    }));
    report
}

/// Returns a report that says nothing but the state.
fn blank(member: &Member, state: MemberState) -> MemberReport {
    MemberReport {
        name: member.name.clone(),
        folder: shown_path(&member.folder),
        config: shown_path(&member.config),
        state,
        code: 0,
        model: None,
        task_count: 0,
        tasks: Vec::new(),
        estimate_ms: None,
        ms: 0,
        error: None,
        diagnostics: Vec::new(),
        failure: None,
    }
}

fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::RemoteExec;

    #[test]
    fn as_many_are_under_way_as_there_are_jobs_and_places_elsewhere() {
        let fanned = |jobs: usize, there: usize, members: usize| {
            let mut all = TrainOptions::default();
            all.run.remote_exec = NonZeroUsize::new(there).map(|jobs| RemoteExec {
                jobs,
                ..RemoteExec::default()
            });
            fan_out(&all, jobs, members)
        };
        assert_eq!(fanned(2, 8, 100), 10);
        assert_eq!(fanned(2, 8, 3), 3);
        assert_eq!(fanned(4, 2, 100), 6);
        assert_eq!(fanned(2, 0, 100), 2);
    }
}
