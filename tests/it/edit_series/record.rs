//! What a commit made stale and what training did about it, as text that a
//! person can check against the patch.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;

use tabella::engine::ItemChange;
use tabella::engine::Stale;
use tabella::recipe::Report;
use tabella::recipe::TaskReport;
use tabella::recipe::TaskState;

use crate::histories::Touched;

/// Changed pieces that a record lists; the rest is counted.
const PIECES_LISTED: usize = 6;

/// What became of each task of a training.
pub struct Log(BTreeMap<String, &'static str>);

impl Log {
    /// Reads a log, a line an event.
    pub fn new(text: &str) -> Self {
        let words = [("run ", "ran"), ("spare ", "spared"), ("reuse ", "reused")];
        let outcome = |line: &str| {
            let (mark, word) = words.iter().find(|(mark, _)| line.starts_with(mark))?;
            let task = line[mark.len()..].trim_start().split(':').next()?;
            Some((task.to_owned(), *word))
        };
        Self(text.lines().filter_map(outcome).collect())
    }

    /// Returns whether a task ran.
    pub fn ran(&self, task: &str) -> bool {
        self.0.get(task) == Some(&"ran")
    }

    fn count(&self, word: &str) -> usize {
        self.0.values().filter(|one| **one == word).count()
    }
}

/// Returns the line above a commit: its name and what its patch changes.
pub fn heading(name: &str, touched: &[Touched]) -> String {
    let files: Vec<String> = touched
        .iter()
        .map(|file| format!("{} +{} -{}", file.path, file.added, file.removed))
        .collect();
    format!("{name}  {}", files.join(", "))
        .trim_end()
        .to_owned()
        + "\n"
}

/// Returns what a commit with mistakes gives.
pub fn mistakes(text: &str) -> String {
    format!("  not trained: {}\n\n", text.replace('\n', "\n    "))
}

/// Returns what is stale, why, and what happened.
pub fn tasks(report: &Report, log: &Log) -> String {
    let mut text = format!("  dry run {}: ", report.code);
    match report.code {
        0 => text += "nothing is stale\n",
        _ => {
            let parts: Vec<String> = report
                .parts
                .iter()
                .map(|part| format!("{part:?}"))
                .collect();
            let counts = [log.count("ran"), log.count("spared"), log.count("reused")];
            let [ran, spared, reused] = counts;
            let parts = parts.join(", ");
            writeln!(text, "{parts}; {ran} ran, {spared} spared, {reused} reused").unwrap();
        }
    }
    let mut changes = Changes::default();
    let lines: Vec<String> = report
        .tasks
        .iter()
        .filter(|task| task.state != TaskState::Fresh)
        .map(|task| line(task, log, &mut changes))
        .collect();
    if report
        .tasks
        .iter()
        .any(|task| task.reasons == [Stale::NeverRun])
        && lines.len() == report.tasks.len()
    {
        return text + "\n";
    }
    text + &changes.text() + &lines.concat() + "\n"
}

/// A task that is not fresh.
fn line(task: &TaskReport, log: &Log, changes: &mut Changes) -> String {
    let announced = match task.state {
        TaskState::Fresh | TaskState::Remote => "fresh",
        TaskState::Stale => "stale",
        TaskState::MayBeSpared => "perhaps",
    };
    let reasons = task.reasons.iter().map(|reason| why(task, reason, changes));
    let reasons: Vec<String> = reasons.collect();
    let happened = log.0.get(&task.name).unwrap_or(&"?");
    let line = format!(
        "  {announced:<7} {happened:<6} {:<36} {}",
        task.name,
        reasons.join("; ")
    );
    line.trim_end().to_owned() + "\n"
}

fn why(task: &TaskReport, reason: &Stale, changes: &mut Changes) -> String {
    match reason {
        Stale::InputChanged {
            from: Some(from), ..
        } => format!("output of {from}"),
        Stale::InputChanged {
            role,
            changes: pieces,
            ..
        } => changes.label(task, role, pieces),
        Stale::Upstream { tasks } => {
            let tasks: Vec<&str> = tasks.iter().map(|task| number(task)).collect();
            format!("below {}", tasks.join(", "))
        }
        other => other.to_string(),
    }
}

/// Returns a task's name without that of its component: `nlu.4`.
fn number(task: &str) -> &str {
    let mut dots = task.match_indices('.').map(|(at, _)| at);
    dots.nth(1).map_or(task, |at| &task[..at])
}

/// Values that changed, each with the pieces that did, in the order in which
/// tasks name them.
#[derive(Default)]
struct Changes(Vec<(String, Vec<ItemChange>)>);

impl Changes {
    /// Returns what a task calls a value. Two tasks may mean different things
    /// by one name: a policy knows less of the domain than the archive.
    fn label(&mut self, task: &TaskReport, role: &str, pieces: &[ItemChange]) -> String {
        let mut known = self.0.iter();
        let is_role = |label: &str| label == role || label.starts_with(&format!("{role} of "));
        if let Some((label, _)) = known.find(|(label, known)| is_role(label) && known == pieces) {
            return label.clone();
        }
        let is_taken = self.0.iter().any(|(label, _)| is_role(label));
        let label = match is_taken {
            true => format!("{role} of {}", task.name),
            false => role.to_owned(),
        };
        self.0.push((label.clone(), pieces.to_vec()));
        label
    }

    /// Lists each piece once, where the first value has it.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut listed: BTreeSet<String> = BTreeSet::new();
        for (label, pieces) in &self.0 {
            writeln!(text, "  {label}: {}", counts(pieces)).unwrap();
            let lines = pieces.iter().map(ItemChange::to_string);
            let new =
                lines.filter(|line| listed.insert(line.replace("annotated example", "example")));
            let new: Vec<String> = new.collect();
            for line in new.iter().take(PIECES_LISTED) {
                writeln!(text, "    {line}").unwrap();
            }
            if let Some(more @ 1..) = new.len().checked_sub(PIECES_LISTED) {
                writeln!(text, "    and {more} more").unwrap();
            }
        }
        text
    }
}

fn counts(pieces: &[ItemChange]) -> String {
    let count = |is: fn(&ItemChange) -> bool, word: &str| {
        let count = pieces.iter().filter(|piece| is(piece)).count();
        (count > 0).then(|| format!("{count} {word}"))
    };
    let counts = [
        count(
            |piece| matches!(piece, ItemChange::Changed { .. }),
            "changed",
        ),
        count(|piece| matches!(piece, ItemChange::Added { .. }), "added"),
        count(
            |piece| matches!(piece, ItemChange::Removed { .. }),
            "removed",
        ),
        count(|piece| matches!(piece, ItemChange::Reordered), "reordered"),
    ];
    counts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
