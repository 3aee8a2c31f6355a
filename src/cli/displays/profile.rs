//! `--profile`: where the time of a run went, in a few lines at its end.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::api::Notice;
use crate::api::Phase;
use crate::api::PlannedTask;
use crate::cli::amounts::Count;
use crate::cli::amounts::shown_size;
use crate::cli::displays::Heard;
use crate::cli::displays::process::Usage;
use crate::cli::displays::process::usage;
use crate::cli::screen::duration;
use crate::engine::Event;
use crate::engine::TaskId;
use crate::engine::TaskRef;

/// Tasks, and assistants, that are named as the slowest.
const SLOWEST_TOLD: usize = 5;

/// What a run did so far.
#[derive(Default)]
pub struct Profile {
    since: Duration,
    before: Usage,
    /// What goes on, by assistant; of one project without a name.
    shares: BTreeMap<Option<String>, Share>,
    done: Vec<Done>,
}

/// What a project, or one of several assistants, did so far.
#[derive(Default)]
struct Share {
    since: Duration,
    began: Option<Duration>,
    phases: BTreeMap<Phase, Duration>,
    plan: Arc<Vec<PlannedTask>>,
    ran: BTreeMap<TaskId, (TaskRef, u64)>,
    reused: usize,
    spared: usize,
    fetched: usize,
    /// Its tasks, if it was not read: all are reused.
    unread: Option<usize>,
    reads: Traffic,
    writes: Traffic,
}

/// What one that is over did.
struct Done {
    name: Option<String>,
    ms: u64,
    phases: BTreeMap<Phase, Duration>,
    ran: usize,
    reused: usize,
    spared: usize,
    fetched: usize,
    is_unread: bool,
    reads: Traffic,
    writes: Traffic,
    slowest: Vec<Timed>,
    critical_path: Vec<Timed>,
}

/// Traffic with the cache in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Outputs read, or results written.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How long it took, in microseconds, summed over the workers.
    pub us: u64,
}

/// A task and how long it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timed {
    /// The assistant whose task it is, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assistant: Option<String>,
    /// The task's name.
    pub task: String,
    /// How long, in milliseconds.
    pub ms: u64,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// An assistant and what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AssistantSummary {
    /// Its name.
    pub name: String,
    /// From its start to its end, waiting for others included, in milliseconds.
    pub ms: u64,
    /// Tasks that ran.
    pub ran: usize,
    /// Tasks whose result the plan found in the cache.
    pub reused: usize,
    /// Tasks whose result was found once what they read had settled.
    pub spared: usize,
    /// Tasks whose result was fetched from the remote cache.
    #[serde(skip_serializing_if = "is_none")]
    pub fetched: usize,
}

/// The summary of a run (`schemas/training.schema.json`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// From start to end, in milliseconds.
    pub wall_ms: u64,
    /// CPU time of all threads, in milliseconds; `None` where unknown.
    pub cpu_ms: Option<u64>,
    /// The most memory that the process had at once, in bytes; `None` where
    /// unknown.
    pub peak_bytes: Option<u64>,
    /// How long each phase took, in milliseconds, by name; summed over several
    /// assistants.
    pub phases: BTreeMap<String, u64>,
    /// Tasks that ran.
    pub ran: usize,
    /// Tasks whose result the plan found in the cache.
    pub reused: usize,
    /// Tasks whose result was found once what they read had settled.
    pub spared: usize,
    /// Tasks whose result was fetched from the remote cache.
    #[serde(skip_serializing_if = "is_none")]
    pub fetched: usize,
    /// Projects that were not read, as all was as it had been.
    pub unread: usize,
    /// Outputs read from the cache.
    pub reads: Traffic,
    /// Results written to the cache.
    pub writes: Traffic,
    /// The tasks that took longest, the longest first.
    pub slowest: Vec<Timed>,
    /// The chain of tasks that ran, each reading the one before, that took
    /// longest: no number of workers makes the run shorter.
    pub critical_path: Vec<Timed>,
    /// What each assistant did, by name, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assistants: Option<Vec<AssistantSummary>>,
}

impl Profile {
    /// Returns the profile of a run that begins at `since`.
    pub fn new(since: Duration) -> Self {
        Self {
            since,
            before: usage(),
            ..Self::default()
        }
    }

    /// Begins an assistant.
    pub fn begin_assistant(&mut self, at: Duration, name: &str) {
        self.share(Some(name)).since = at;
    }

    /// Ends an assistant; one that was not begun did nothing.
    pub fn end_assistant(&mut self, at: Duration, name: &str) {
        let name = Some(name.to_owned());
        if let Some(share) = self.shares.remove(&name) {
            self.done.push(share.done(name, at));
        }
    }

    /// Counts what was heard.
    pub fn hear(&mut self, heard: &Heard<'_>) {
        let share = self.share(heard.assistant);
        match heard.notice {
            Notice::Began(_) => share.began = Some(heard.at),
            Notice::Ended(phase) => {
                let began = share.began.take().unwrap_or(heard.at);
                *share.phases.entry(*phase).or_default() += heard.at.saturating_sub(began);
            }
            Notice::Planned(tasks) => share.plan = Arc::clone(tasks),
            Notice::AsBefore { tasks, .. } => share.unread = Some(*tasks),
            Notice::Task(event) => share.count(event),
            _ => {}
        }
    }

    fn share(&mut self, assistant: Option<&str>) -> &mut Share {
        let since = self.since;
        let key = assistant.map(str::to_owned);
        self.shares.entry(key).or_insert_with(|| Share {
            since,
            ..Share::default()
        })
    }

    /// Returns the summary of a run that ends at `at`.
    pub fn summary(&mut self, at: Duration) -> Summary {
        let now = usage();
        let cpu = now.cpu.zip(self.before.cpu);
        let mut done = std::mem::take(&mut self.done);
        let rest = std::mem::take(&mut self.shares).into_iter();
        done.extend(rest.map(|(name, share)| share.done(name, at)));
        done.sort_by(|a, b| a.name.cmp(&b.name));
        let mut phases: BTreeMap<String, Duration> = BTreeMap::new();
        for (phase, time) in done.iter().flat_map(|one| &one.phases) {
            *phases.entry(phase.to_string()).or_default() += *time;
        }
        let length = |one: &&Done| one.critical_path.iter().map(|timed| timed.ms).sum::<u64>();
        let longest = done.iter().max_by_key(length);
        let slowest = done.iter().flat_map(|one| one.slowest.iter().cloned());
        let assistants: Vec<AssistantSummary> = done.iter().filter_map(Done::summary).collect();
        Summary {
            wall_ms: millis(at.saturating_sub(self.since)),
            cpu_ms: cpu.map(|(now, before)| millis(now.saturating_sub(before))),
            peak_bytes: now.peak_bytes,
            phases: phases
                .into_iter()
                .map(|(phase, time)| (phase, millis(time)))
                .collect(),
            ran: done.iter().map(|one| one.ran).sum(),
            reused: done.iter().map(|one| one.reused).sum(),
            spared: done.iter().map(|one| one.spared).sum(),
            fetched: done.iter().map(|one| one.fetched).sum(),
            unread: done.iter().filter(|one| one.is_unread).count(),
            reads: done.iter().map(|one| one.reads).sum(),
            writes: done.iter().map(|one| one.writes).sum(),
            slowest: slowest_of(slowest.collect()),
            critical_path: longest.map_or_else(Vec::new, |one| one.critical_path.clone()),
            assistants: (!assistants.is_empty()).then_some(assistants),
        }
    }
}

impl Share {
    fn count(&mut self, event: &Event) {
        match event {
            Event::Reused { .. } => self.reused += 1,
            Event::Spared { .. } => self.spared += 1,
            Event::Fetched { .. } => self.fetched += 1,
            Event::Finished { task, ms } => {
                self.ran.insert(task.id, (task.clone(), *ms));
            }
            Event::Loaded { size, took_us, .. } => self.reads.add(*size, *took_us),
            Event::Stored { size, took_us, .. } => self.writes.add(*size, *took_us),
            _ => {}
        }
    }

    /// Returns what is worth keeping when it is over: neither plan nor tasks.
    fn done(self, name: Option<String>, at: Duration) -> Done {
        let timed = |(task, ms): &(TaskRef, u64)| Timed {
            assistant: name.clone(),
            task: task.name.to_string(),
            ms: *ms,
        };
        Done {
            ms: millis(at.saturating_sub(self.since)),
            ran: self.ran.len(),
            reused: self.unread.unwrap_or(self.reused),
            spared: self.spared,
            fetched: self.fetched,
            is_unread: self.unread.is_some(),
            reads: self.reads,
            writes: self.writes,
            slowest: slowest_of(self.ran.values().map(timed).collect()),
            critical_path: self.critical_path().into_iter().map(timed).collect(),
            phases: self.phases,
            name,
        }
    }

    /// The longest chain, found in one pass: tasks stand after those they read.
    fn critical_path(&self) -> Vec<&(TaskRef, u64)> {
        let mut best: Vec<(u64, Option<usize>)> = Vec::with_capacity(self.plan.len());
        for planned in self.plan.iter() {
            let above = planned.reads.iter().map(|id| id.index());
            let before = above.max_by_key(|&index| (best[index].0, index));
            let own = self.ran.get(&planned.task.id).map_or(0, |(_, ms)| *ms);
            best.push((own + before.map_or(0, |index| best[index].0), before));
        }
        let mut path = Vec::new();
        let mut last = (0..best.len()).max_by_key(|&index| (best[index].0, index));
        while let Some(index) = last {
            path.extend(self.ran.get(&self.plan[index].task.id));
            last = best[index].1;
        }
        path.reverse();
        path
    }
}

impl Done {
    fn summary(&self) -> Option<AssistantSummary> {
        Some(AssistantSummary {
            name: self.name.clone()?,
            ms: self.ms,
            ran: self.ran,
            reused: self.reused,
            spared: self.spared,
            fetched: self.fetched,
        })
    }
}

impl Traffic {
    fn add(&mut self, bytes: u64, us: u64) {
        self.count += 1;
        self.bytes += bytes;
        self.us += us;
    }
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            count: sum.count + one.count,
            bytes: sum.bytes + one.bytes,
            us: sum.us + one.us,
        })
    }
}

/// Returns the tasks that took longest, the longest first.
fn slowest_of(mut tasks: Vec<Timed>) -> Vec<Timed> {
    tasks.sort_by(|a, b| {
        let order = b.ms.cmp(&a.ms).then_with(|| a.task.cmp(&b.task));
        order.then_with(|| a.assistant.cmp(&b.assistant))
    });
    tasks.truncate(SLOWEST_TOLD);
    tasks
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Timed {
    /// Returns the task's name, after that of its assistant.
    fn name(&self) -> String {
        match &self.assistant {
            Some(assistant) => format!("{assistant}: {}", self.task),
            None => self.task.clone(),
        }
    }
}

impl Summary {
    /// Returns the summary for a person.
    pub fn text(&self) -> String {
        let mut lines = vec![format!(
            "profile: {} from start to end",
            duration(self.wall_ms)
        )];
        if let Some(ms) = self.cpu_ms {
            lines[0].push_str(&format!(", {} of CPU", duration(ms)));
        }
        if let Some(bytes) = self.peak_bytes {
            lines[0].push_str(&format!(", {} at most in memory", shown_size(bytes)));
        }
        lines.extend(self.phases_line());
        lines.push(format!("  tasks     {}", self.hits()));
        lines.push(format!(
            "  cache     read {} in {}, wrote {} in {}",
            shown_size(self.reads.bytes),
            duration(self.reads.us / 1_000),
            shown_size(self.writes.bytes),
            duration(self.writes.us / 1_000),
        ));
        let slowest = self.slowest.iter().map(|timed| (timed.name(), timed.ms));
        lines.extend(table("slowest", slowest.collect()));
        if !self.critical_path.is_empty() {
            let whole: u64 = self.critical_path.iter().map(|timed| timed.ms).sum();
            let names = self.critical_path.iter().map(|timed| &*timed.task);
            let names: Vec<&str> = names.collect();
            let whose = self.critical_path[0].assistant.as_ref();
            let whose = whose.map_or(String::new(), |name| format!(" of {name}"));
            lines.push(format!(
                "  longest   {} in a chain{whose}: {}",
                duration(whole),
                names.join(" > ")
            ));
        }
        if let Some(assistants) = &self.assistants {
            let mut times: Vec<(String, u64)> = assistants
                .iter()
                .map(|one| (one.name.clone(), one.ms))
                .collect();
            times.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            times.truncate(SLOWEST_TOLD);
            lines.extend(table("by name", times));
        }
        lines.join("\n")
    }

    /// Tells the time of each phase; none if nothing was read.
    fn phases_line(&self) -> Option<String> {
        let phases = [Phase::Import, Phase::Plan, Phase::Run, Phase::Place];
        let phases = phases.iter().filter_map(|phase| {
            let name = phase.to_string();
            Some(format!("{name} {}", duration(*self.phases.get(&name)?)))
        });
        let phases: Vec<String> = phases.collect();
        let summed = match &self.assistants {
            Some(_) => " (summed)",
            None => "",
        };
        (!phases.is_empty()).then(|| format!("  phases    {}{summed}", phases.join(", ")))
    }

    fn hits(&self) -> String {
        let (hits, all) = (
            self.reused + self.spared + self.fetched,
            self.reused + self.spared + self.fetched + self.ran,
        );
        let percent = (hits * 100).checked_div(all).unwrap_or(0);
        let unread = match (self.unread, &self.assistants) {
            (0, _) => String::new(),
            (_, None) => "; nothing changed, so the project was not read".to_owned(),
            (count, Some(all)) => format!(
                "; nothing changed in {count} of {}, which were not read",
                Count(all.len(), "assistant")
            ),
        };
        let fetched = match self.fetched {
            0 => String::new(),
            count => format!(", {count} fetched"),
        };
        format!(
            "{} ran, {} reused, {} spared{fetched}: hit rate {percent} %{unread}",
            self.ran, self.reused, self.spared
        )
    }
}

/// Returns a line for each name and its time, the first with a title.
fn table(title: &str, times: Vec<(String, u64)>) -> Vec<String> {
    let width = times.iter().map(|(name, _)| name.chars().count());
    let width = width.max().unwrap_or(0);
    let line = |(place, (name, ms)): (usize, &(String, u64))| {
        let title = if place == 0 { title } else { "" };
        format!("  {title:8}  {name:width$}  {}", duration(*ms))
    };
    times.iter().enumerate().map(line).collect()
}
