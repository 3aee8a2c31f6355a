//! What came of assistants, as text and as JSON.

use serde::Serialize;

use crate::api::AffectedMember;
use crate::api::AffectedReport;
use crate::api::MemberReport;
use crate::api::MemberState;
use crate::api::MemberTask;
use crate::api::WorkspaceReport;
use crate::cli::displays::Summary;
use crate::cli::screen::duration;

/// Stale tasks that are named of each assistant; the rest is counted.
const TASKS_SHOWN: usize = 5;

/// Changed files that are named of each assistant; the rest is counted.
const FILES_SHOWN: usize = 5;

/// Returns the report as one JSON object
/// (`schemas/workspace-report.schema.json`).
pub fn json(report: &WorkspaceReport, profile: Option<&Summary>) -> String {
    #[derive(Serialize)]
    struct Told<'a> {
        #[serde(flatten)]
        report: &'a WorkspaceReport,
        #[serde(skip_serializing_if = "Option::is_none")]
        profile: Option<&'a Summary>,
    }
    let told = Told { report, profile };
    serde_json::to_string(&told).expect("a report has string keys and plain values")
}

/// Returns what came of one assistant; none if it failed, which is said where
/// errors are.
pub fn line(report: &MemberReport) -> Option<String> {
    let name = &report.name;
    let model = report.model.as_deref().unwrap_or_default();
    let tasks = report.task_count;
    let time = duration(report.ms);
    Some(match report.state {
        MemberState::Trained => {
            let ran = report.tasks.len();
            format!("{name}: trained {model}: {ran} of {tasks} tasks in {time}")
        }
        MemberState::Restored => {
            format!("{name}: restored {model} from the cache ({tasks} tasks, {time})")
        }
        MemberState::UpToDate => {
            format!("{name}: nothing to do: {model} is up to date ({tasks} tasks, {time})")
        }
        MemberState::Fresh => format!("{name}: all {tasks} tasks are fresh"),
        MemberState::Stale => stale(report),
        MemberState::NotStarted => format!("{name}: not started"),
        MemberState::Failed => return None,
    })
}

/// Returns what is stale of an assistant, a line a task.
fn stale(report: &MemberReport) -> String {
    let (name, tasks) = (&report.name, report.task_count);
    if report.tasks.is_empty() {
        return format!(
            "{name}: all results are in the cache, but no such model is in the output folder"
        );
    }
    let estimate = report
        .estimate_ms
        .map(|ms| format!(", about {}", duration(ms)));
    let mut lines = vec![format!(
        "{name}: {} of {tasks} tasks are stale or may be{}",
        report.tasks.len(),
        estimate.unwrap_or_default()
    )];
    let shown = || report.tasks.iter().take(TASKS_SHOWN);
    let width = shown().map(|task| task.name.len()).max().unwrap_or(0);
    lines.extend(shown().map(|task| task_line(task, width)));
    if report.tasks.len() > TASKS_SHOWN {
        let more = report.tasks.len() - TASKS_SHOWN;
        lines.push(format!("  and {more} more"));
    }
    lines.join("\n")
}

fn task_line(task: &MemberTask, width: usize) -> String {
    let first = task.why.first().map_or("", String::as_str);
    let more = match task.why.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    format!("  {:width$}  {first}{more}", task.name)
}

/// Returns how many assistants are in which state.
pub fn sum(report: &WorkspaceReport) -> String {
    let count = match report.assistants.len() {
        0 => return "nothing to do: no assistant is affected".to_owned(),
        1 => "1 assistant".to_owned(),
        count => format!("{count} assistants"),
    };
    let states = report.counts.iter();
    let states = states.map(|(state, count)| format!("{count} {}", word(*state)));
    let states: Vec<String> = states.collect();
    format!("{count} in {}: {}", duration(report.ms), states.join(", "))
}

/// Returns which assistants are affected, and by which files.
pub fn affected(report: &AffectedReport) -> String {
    let mut lines: Vec<String> = report.assistants.iter().map(because).collect();
    let files = match report.changed_count {
        1 => "1 changed file".to_owned(),
        count => format!("{count} changed files"),
    };
    let since = report.since.as_ref();
    let since = since.map_or(String::new(), |since| format!(" since {since}"));
    let (affected, all) = (report.affected.len(), report.assistant_count);
    lines.push(format!(
        "{affected} of {all} assistants are affected by {files}{since}"
    ));
    lines.join("\n")
}

/// Returns why an assistant is affected.
fn because(member: &AffectedMember) -> String {
    let mut reasons = Vec::new();
    if member.file_count > 0 {
        reasons.push(listed(&member.files, member.file_count));
    }
    if member.untold_count > 0 {
        let untold = listed(&member.untold, member.untold_count);
        reasons.push(format!("it may be, git tells nothing of {untold}"));
    }
    if let Some(error) = &member.error {
        reasons.push(format!("it may be, {error}"));
    }
    format!("{}: {}", member.name, reasons.join("; "))
}

/// Returns the first of some files, and how many more there are.
fn listed(files: &[String], count: usize) -> String {
    let shown = &files[..files.len().min(FILES_SHOWN)];
    match count - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn word(state: MemberState) -> &'static str {
    match state {
        MemberState::Trained => "trained",
        MemberState::Restored => "restored",
        MemberState::UpToDate => "up to date",
        MemberState::Fresh => "fresh",
        MemberState::Stale => "stale",
        MemberState::Failed => "failed",
        MemberState::NotStarted => "not started",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_parted() {
        let mut member = AffectedMember {
            name: "a".to_owned(),
            folder: "bots/a".to_owned(),
            config: "bots/a/config.yml".to_owned(),
            files: vec!["bots/a/config.yml".to_owned()],
            file_count: 1,
            untold: vec!["/x/n.yml".to_owned()],
            untold_count: 3,
            error: Some("cannot read `x`".to_owned()),
        };
        let want = "a: bots/a/config.yml; it may be, git tells nothing of /x/n.yml and 2 more; \
                    it may be, cannot read `x`";
        assert_eq!(because(&member), want);
        (member.files, member.file_count) = (Vec::new(), 0);
        member.untold_count = 0;
        assert_eq!(because(&member), "a: it may be, cannot read `x`");
    }
}
