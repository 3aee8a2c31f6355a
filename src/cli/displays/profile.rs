//! `--profile`: where the time of a run went, in a few lines at its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::api::Notice;
use crate::api::Phase;
use crate::api::PlannedTask;
use crate::cli::amounts::shown_size;
use crate::cli::displays::Heard;
use crate::cli::displays::process::Usage;
use crate::cli::displays::process::usage;
use crate::cli::screen::duration;
use crate::engine::Event;
use crate::engine::TaskId;
use crate::engine::TaskRef;

/// Tasks that are named as the slowest.
const SLOWEST_TOLD: usize = 5;

/// What a run did so far.
#[derive(Default)]
pub struct Profile {
    since: Duration,
    before: Usage,
    began: Option<Duration>,
    phases: BTreeMap<Phase, Duration>,
    plan: Arc<Vec<PlannedTask>>,
    ran: BTreeMap<TaskId, (TaskRef, u64)>,
    reused: usize,
    spared: usize,
    reads: Traffic,
    writes: Traffic,
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
    /// The task's name.
    pub task: String,
    /// How long, in milliseconds.
    pub ms: u64,
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
    /// How long each phase took, in milliseconds, by name.
    pub phases: BTreeMap<String, u64>,
    /// Tasks that ran.
    pub ran: usize,
    /// Tasks whose result the plan found in the cache.
    pub reused: usize,
    /// Tasks whose result was found once what they read had settled.
    pub spared: usize,
    /// Outputs read from the cache.
    pub reads: Traffic,
    /// Results written to the cache.
    pub writes: Traffic,
    /// The tasks that took longest, the longest first.
    pub slowest: Vec<Timed>,
    /// The chain of tasks that ran, each reading the one before, that took
    /// longest: no number of workers makes the run shorter.
    pub critical_path: Vec<Timed>,
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

    /// Counts what was heard.
    pub fn hear(&mut self, heard: &Heard<'_>) {
        match heard.notice {
            Notice::Began(_) => self.began = Some(heard.at),
            Notice::Ended(phase) => {
                let began = self.began.take().unwrap_or(heard.at);
                *self.phases.entry(*phase).or_default() += heard.at.saturating_sub(began);
            }
            Notice::Planned(tasks) => self.plan = Arc::clone(tasks),
            Notice::Task(event) => self.count(event),
            _ => {}
        }
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::Reused { .. } => self.reused += 1,
            Event::Spared { .. } => self.spared += 1,
            Event::Finished { task, ms } => {
                self.ran.insert(task.id, (task.clone(), *ms));
            }
            Event::Loaded { size, took_us, .. } => self.reads.add(*size, *took_us),
            Event::Stored { size, took_us, .. } => self.writes.add(*size, *took_us),
            _ => {}
        }
    }

    /// Returns the summary of a run that ends at `at`.
    pub fn summary(&self, at: Duration) -> Summary {
        let now = usage();
        let cpu = now.cpu.zip(self.before.cpu);
        let phases = self.phases.iter();
        let mut slowest: Vec<Timed> = self.ran.values().map(timed).collect();
        slowest.sort_by(|a, b| b.ms.cmp(&a.ms).then_with(|| a.task.cmp(&b.task)));
        slowest.truncate(SLOWEST_TOLD);
        Summary {
            wall_ms: millis(at.saturating_sub(self.since)),
            cpu_ms: cpu.map(|(now, before)| millis(now.saturating_sub(before))),
            peak_bytes: now.peak_bytes,
            phases: phases
                .map(|(phase, time)| (phase.to_string(), millis(*time)))
                .collect(),
            ran: self.ran.len(),
            reused: self.reused,
            spared: self.spared,
            reads: self.reads,
            writes: self.writes,
            slowest,
            critical_path: self.critical_path(),
        }
    }

    /// The longest chain, found in one pass: tasks stand after those they read.
    fn critical_path(&self) -> Vec<Timed> {
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
            path.extend(self.ran.get(&self.plan[index].task.id).map(timed));
            last = best[index].1;
        }
        path.reverse();
        path
    }
}

impl Traffic {
    fn add(&mut self, bytes: u64, us: u64) {
        self.count += 1;
        self.bytes += bytes;
        self.us += us;
    }
}

fn timed((task, ms): &(TaskRef, u64)) -> Timed {
    Timed {
        task: task.name.to_string(),
        ms: *ms,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
        let phases = [Phase::Import, Phase::Plan, Phase::Run, Phase::Place];
        let phases = phases.iter().filter_map(|phase| {
            let name = phase.to_string();
            Some(format!("{name} {}", duration(*self.phases.get(&name)?)))
        });
        let phases: Vec<String> = phases.collect();
        lines.push(format!("  phases    {}", phases.join(", ")));
        lines.push(format!("  tasks     {}", self.hits()));
        lines.push(format!(
            "  cache     read {} in {}, wrote {} in {}",
            shown_size(self.reads.bytes),
            duration(self.reads.us / 1_000),
            shown_size(self.writes.bytes),
            duration(self.writes.us / 1_000),
        ));
        let names = self.slowest.iter().map(|timed| timed.task.chars().count());
        let width = names.max().unwrap_or(0);
        for (place, timed) in self.slowest.iter().enumerate() {
            let title = if place == 0 { "slowest" } else { "" };
            let time = duration(timed.ms);
            lines.push(format!("  {title:8}  {:width$}  {time}", timed.task));
        }
        if !self.critical_path.is_empty() {
            let whole: u64 = self.critical_path.iter().map(|timed| timed.ms).sum();
            let names: Vec<&str> = self
                .critical_path
                .iter()
                .map(|timed| &*timed.task)
                .collect();
            let names = names.join(" > ");
            lines.push(format!(
                "  longest   {} in a chain: {names}",
                duration(whole)
            ));
        }
        lines.join("\n")
    }

    fn hits(&self) -> String {
        let (hits, all) = (
            self.reused + self.spared,
            self.reused + self.spared + self.ran,
        );
        let percent = (hits * 100).checked_div(all).unwrap_or(0);
        format!(
            "{} ran, {} reused, {} spared: hit rate {percent} %",
            self.ran, self.reused, self.spared
        )
    }
}
