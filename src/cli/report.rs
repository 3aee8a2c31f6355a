//! A dry run's report as text and as JSON.

use crate::cli::amounts::Count;
use crate::cli::amounts::shown_size;
use crate::cli::screen::duration;
use crate::cli::screen::told;
use crate::engine::Stale;
use crate::recipe::Report;
use crate::recipe::Stage;
use crate::recipe::TaskReport;
use crate::recipe::TaskState;

/// Returns the report as one JSON object (`schemas/dry-run.schema.json`).
pub fn as_json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report has string keys and plain values")
}

/// Returns the tasks of each stage that has some, stages in their order.
pub fn by_stage(report: &Report) -> Vec<(&str, Vec<&TaskReport>)> {
    let mut stages: Vec<(&str, Vec<&TaskReport>)> = Stage::ALL
        .iter()
        .map(|stage| (stage.name(), Vec::new()))
        .collect();
    for task in &report.tasks {
        match stages.iter_mut().find(|(stage, _)| *stage == task.stage) {
            Some((_, tasks)) => tasks.push(task),
            None => stages.push((&task.stage, vec![task])),
        }
    }
    stages.retain(|(_, tasks)| !tasks.is_empty());
    stages
}

/// Returns the state in one short word.
pub fn state_word(state: TaskState) -> &'static str {
    match state {
        TaskState::Fresh => "fresh",
        TaskState::Remote => "fetch",
        TaskState::Stale => "stale",
        TaskState::MayBeSpared => "maybe",
    }
}

/// Returns the report for a person: stale tasks by stage, each with its reasons.
pub fn as_text(report: &Report) -> String {
    let is_stale =
        |task: &&TaskReport| matches!(task.state, TaskState::Stale | TaskState::MayBeSpared);
    let stale = || report.tasks.iter().filter(is_stale);
    let mut lines = Vec::new();
    if stale().next().is_some() || report.code > 0 || to_fetch(report).is_some() {
        lines.push(format!("{}:", headline(report)));
    }
    let width = stale().map(|task| task.name.len()).max().unwrap_or(0);
    for (stage, tasks) in by_stage(report) {
        let mut tasks = tasks.into_iter().filter(is_stale).peekable();
        if tasks.peek().is_some() {
            lines.push(format!("  {stage}"));
        }
        lines.extend(tasks.flat_map(|task| task_lines(task, width)));
    }
    lines.extend(report.texts.iter().cloned());
    lines.join("\n")
}

/// Returns how much is stale, as the first line of a report.
pub fn headline(report: &Report) -> String {
    let all = report.tasks.len();
    let spared = report
        .tasks
        .iter()
        .filter(|task| task.state == TaskState::MayBeSpared)
        .count();
    let estimate = match report.estimate_ms {
        Some(ms) => format!(", about {}", duration(ms)),
        None => String::new(),
    };
    let fetch = to_fetch(report);
    let fetched = match &fetch {
        Some(fetch) => format!("; {fetch}"),
        None => String::new(),
    };
    match (report.stale_count, spared) {
        (0, 0) if fetch.is_some() => format!("nothing of {all} tasks is stale{fetched}"),
        (0, 0) if report.code > 0 => {
            "all results are in the cache, but no such model is in the output folder".to_owned()
        }
        (0, 0) => format!("all {all} tasks are fresh"),
        (stale, 0) => format!("{stale} of {all} tasks are stale{estimate}{fetched}"),
        (stale, _) => {
            format!("{stale} of {all} tasks are stale, {spared} more may be{estimate}{fetched}")
        }
    }
}

/// Returns how much will be fetched from the remote cache, if something is.
fn to_fetch(report: &Report) -> Option<String> {
    let sizes = report.tasks.iter().filter_map(|task| task.fetch_size);
    let (count, bytes) = sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
    (count > 0).then(|| {
        let results = Count(count, "result");
        format!("{results} ({}) from the remote cache", shown_size(bytes))
    })
}

/// Reasons of a task that a report for a person gives; the rest is counted.
const REASONS_SHOWN: usize = 4;

/// A task's name with its first reason; further reasons below.
fn task_lines(task: &TaskReport, width: usize) -> Vec<String> {
    let time = task
        .last_ms
        .map_or(String::new(), |ms| format!(" [{}]", duration(ms)));
    let mut reasons = told(&task.reasons).into_iter().map(Stale::to_string);
    let first = reasons.next().unwrap_or_default();
    let mut lines = vec![format!("    {:width$}  {first}{time}", task.name)];
    let rest: Vec<String> = reasons.collect();
    for reason in rest.iter().take(REASONS_SHOWN - 1) {
        lines.push(format!("    {:width$}  {reason}", ""));
    }
    if rest.len() >= REASONS_SHOWN {
        let more = rest.len() + 1 - REASONS_SHOWN;
        lines.push(format!("    {:width$}  and {more} more reasons", ""));
    }
    lines
}
