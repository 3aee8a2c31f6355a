//! A dry run's report as text and as JSON.

use crate::cli::screen::duration;
use crate::cli::screen::told;
use crate::engine::Stale;
use crate::recipe::Report;
use crate::recipe::TaskReport;
use crate::recipe::TaskState;

/// Returns the report as one JSON object (`schemas/dry-run.schema.json`).
pub fn as_json(report: &Report) -> String {
    serde_json::to_string_pretty(report).expect("a report has string keys and plain values")
}

/// Returns the report for a person: stale tasks by stage, each with its reasons.
pub fn as_text(report: &Report) -> String {
    let stale: Vec<&TaskReport> = report
        .tasks
        .iter()
        .filter(|task| task.state != TaskState::Fresh)
        .collect();
    let mut lines = Vec::new();
    if !stale.is_empty() {
        lines.push(headline(report));
    } else if report.code > 0 {
        lines.push(
            "all results are in the cache, but no such model is in the output folder:".to_owned(),
        );
    }
    let width = stale.iter().map(|task| task.name.len()).max().unwrap_or(0);
    let mut stage = "";
    for task in stale {
        if task.stage != stage {
            stage = &task.stage;
            lines.push(format!("  {stage}"));
        }
        lines.extend(task_lines(task, width));
    }
    for text in &report.texts {
        lines.push(text.clone());
    }
    lines.join("\n")
}

fn headline(report: &Report) -> String {
    let spared = report
        .tasks
        .iter()
        .filter(|task| task.state == TaskState::MayBeSpared)
        .count();
    let estimate = match report.estimate_ms {
        Some(ms) => format!(", about {}", duration(ms)),
        None => String::new(),
    };
    let all = report.tasks.len();
    match spared {
        0 => format!("{} of {all} tasks are stale{estimate}:", report.stale_count),
        _ => format!(
            "{} of {all} tasks are stale, {spared} more may be{estimate}:",
            report.stale_count
        ),
    }
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
