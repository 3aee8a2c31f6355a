//! A status as a tree of stages.

use crate::cli::report::by_stage;
use crate::cli::report::headline;
use crate::cli::report::state_word;
use crate::cli::screen::duration;
use crate::cli::screen::told;
use crate::recipe::Report;
use crate::recipe::TaskReport;
use crate::recipe::TaskState;

/// Fresh tasks of a stage that are named; more are counted.
const FRESH_NAMED: usize = 4;

/// Returns the tree: stale tasks with their reasons, fresh ones by name or count.
pub fn tree(report: &Report) -> String {
    let mut lines = vec![headline(report)];
    let width = report.tasks.iter().filter(|task| is_shown(task));
    let width = width.map(|task| task.name.len()).max().unwrap_or(0);
    let stages = by_stage(report);
    for (index, (stage, tasks)) in stages.iter().enumerate() {
        let is_last = index + 1 == stages.len();
        let (branch, stem) = branch(is_last);
        lines.push(format!("{branch}{stage}"));
        lines.extend(stage_lines(tasks, width).map(|line| format!("{stem}{line}")));
    }
    lines.extend(report.texts.iter().cloned());
    lines.join("\n")
}

fn is_shown(task: &TaskReport) -> bool {
    task.state != TaskState::Fresh
}

/// What stands before an entry, and before the lines below it.
fn branch(is_last: bool) -> (&'static str, &'static str) {
    match is_last {
        true => ("└─ ", "   "),
        false => ("├─ ", "│  "),
    }
}

fn stage_lines(tasks: &[&TaskReport], width: usize) -> impl Iterator<Item = String> {
    let fresh: Vec<&TaskReport> = tasks.iter().copied().filter(|t| !is_shown(t)).collect();
    let mut entries: Vec<Vec<String>> = tasks
        .iter()
        .filter(|task| is_shown(task))
        .map(|task| task_lines(task, width))
        .collect();
    if !fresh.is_empty() {
        entries.push(vec![format!("fresh  {}", names(&fresh))]);
    }
    let count = entries.len();
    entries
        .into_iter()
        .enumerate()
        .flat_map(move |(index, lines)| {
            let (branch, stem) = branch(index + 1 == count);
            let before = move |line| if line == 0 { branch } else { stem };
            let lines = lines.into_iter().enumerate();
            lines.map(move |(line, text)| format!("{}{text}", before(line)))
        })
}

fn names(fresh: &[&TaskReport]) -> String {
    if fresh.len() > FRESH_NAMED {
        return format!("{} tasks", fresh.len());
    }
    let names: Vec<&str> = fresh.iter().map(|task| task.name.as_str()).collect();
    names.join(", ")
}

/// A task with its state and time, and its reasons below.
fn task_lines(task: &TaskReport, width: usize) -> Vec<String> {
    let time = task.last_ms.map(duration).unwrap_or_default();
    let word = state_word(task.state);
    let first = format!("{word:<5}  {:<width$}  {time}", task.name);
    let mut lines = vec![first.trim_end().to_owned()];
    let reasons = told(&task.reasons).into_iter();
    lines.extend(reasons.map(|reason| format!("       {reason}")));
    lines
}
