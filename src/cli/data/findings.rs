//! Findings of `data validate` as text and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::Findings;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Paint;
use crate::diagnostic::Severity;
use crate::diagnostic::is_lint;
use crate::diagnostic::render;
use crate::diagnostic::title;
use crate::diagnostic::visible;
use crate::import::Counts;

/// The version of the JSON object; raised when a key changes its meaning.
const REPORT_VERSION: u32 = 1;

/// Findings of one code that are shown with their lines. Further ones, and
/// remarks on style if there are more, become a list.
const WITH_LINES: usize = 10;
const REMARKS_WITH_LINES: usize = 2;

/// Places that such a list names.
const LISTED: usize = 25;

/// How many diagnostics there are of each severity.
pub struct Count {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Count {
    /// Counts.
    pub fn of(diagnostics: &[Diagnostic]) -> Self {
        let of = |severity| {
            let all = diagnostics.iter();
            all.filter(|one| one.severity == severity).count()
        };
        Self {
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            notes: of(Severity::Note),
        }
    }

    /// Returns how many there are, for a person.
    pub fn words(&self) -> String {
        let counts = [
            (self.errors, "error"),
            (self.warnings, "warning"),
            (self.notes, "note"),
        ];
        let parts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| match count {
                1 => format!("1 {what}"),
                _ => format!("{count} {what}s"),
            })
            .collect();
        match parts.is_empty() {
            true => "nothing to complain about".to_owned(),
            false => parts.join(", "),
        }
    }

    /// Returns the last line of the output.
    fn sentence(&self) -> String {
        let words = self.words();
        match self.errors + self.warnings + self.notes {
            0 => words,
            _ => format!("{words}; `tabella explain-code CODE` says more"),
        }
    }
}

/// The JSON object (`schemas/validation.schema.json`).
#[derive(Serialize)]
struct Report<'f> {
    report_version: u32,
    errors: usize,
    warnings: usize,
    notes: usize,
    counts: &'f Counts,
    diagnostics: &'f [Diagnostic],
}

/// Returns the findings as one JSON object.
pub fn as_json(diagnostics: &[Diagnostic], count: &Count, counts: &Counts) -> String {
    let report = Report {
        report_version: REPORT_VERSION,
        errors: count.errors,
        warnings: count.warnings,
        notes: count.notes,
        counts,
        diagnostics,
    };
    serde_json::to_string_pretty(&report).expect("a report has plain values")
}

/// Returns the findings for a person: lists of what there is much of, then the
/// rest with its lines, then how much was read, if that is to be told, and how
/// many there are.
pub fn as_text(
    findings: &Findings,
    count: &Count,
    counts: Option<&Counts>,
    paint: Paint,
) -> String {
    let mut by_code: BTreeMap<(&str, Severity), Vec<&Diagnostic>> = BTreeMap::new();
    for one in &findings.diagnostics {
        by_code
            .entry((one.code, one.severity))
            .or_default()
            .push(one);
    }
    let mut text = String::new();
    let mut with_lines: Vec<Diagnostic> = Vec::new();
    for ((code, severity), all) in &by_code {
        let shown = match (severity, is_lint(code)) {
            (Severity::Error, _) => all.len(),
            (_, true) if all.len() > REMARKS_WITH_LINES => 0,
            _ => all.len().min(WITH_LINES),
        };
        with_lines.extend(all[..shown].iter().copied().cloned());
        if let [first, ..] = &all[shown..] {
            text.push_str(&list(first, &all[shown..], shown, paint));
            text.push('\n');
        }
    }
    crate::diagnostic::arrange(&mut with_lines);
    text.push_str(&render(&with_lines, &findings.sources, paint));
    if !with_lines.is_empty() {
        text.push('\n');
    }
    if let Some(counts) = counts {
        text.push_str(&read(counts));
        text.push('\n');
    }
    text + &count.sentence()
}

/// Says how much was read.
fn read(counts: &Counts) -> String {
    let of = |count: usize, one: &str, many: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {many}"),
    };
    let Counts {
        domain,
        nlu,
        stories,
    } = counts;
    format!(
        "read {} of {} with {}; {} and {}; a domain of {}, {} and {}",
        of(nlu.examples, "example", "examples"),
        of(nlu.intents, "intent", "intents"),
        of(nlu.entities, "entity", "entities"),
        of(stories.blocks - stories.rules, "story", "stories"),
        of(stories.rules, "rule", "rules"),
        of(domain.user_actions, "action", "actions"),
        of(domain.slots, "slot", "slots"),
        of(domain.forms, "form", "forms"),
    )
}

/// Returns diagnostics of one code as a list of places and messages.
fn list(first: &Diagnostic, all: &[&Diagnostic], shown: usize, paint: Paint) -> String {
    let title = title(first.code).unwrap_or_default();
    let head = match shown {
        0 => format!("{title} ({} times)", all.len()),
        _ => format!("{title} ({} times more)", all.len()),
    };
    let head = Diagnostic {
        message: head,
        place: Default::default(),
        note: None,
        help: first.help.clone().filter(|help| {
            let is_same = |one: &&Diagnostic| one.help.as_ref() == Some(help);
            all.iter().copied().all(|one| is_same(&one))
        }),
        ..first.clone()
    };
    let empty = Default::default();
    let rendered = render(&[head], &empty, paint);
    let (head, rest) = rendered.split_once('\n').unwrap_or((&rendered, ""));
    let mut text = format!("{head}\n");
    let place = |one: &Diagnostic| match one.place.is_known() {
        true => one.place.to_string(),
        false => one.place.file.to_string(),
    };
    let listed = &all[..all.len().min(LISTED)];
    let width = listed.iter().map(|one| place(one).chars().count()).max();
    let width = width.unwrap_or(0);
    for one in listed {
        let note = one.note.as_ref();
        let note = note.map_or(String::new(), |note| format!(" ({note})"));
        let line = format!("  {:width$}  {}{note}", place(one), one.message);
        text.push_str(visible(&line).trim_end());
        text.push('\n');
    }
    if all.len() > LISTED {
        text.push_str(&format!(
            "  and {} more, which `--json` lists\n",
            all.len() - LISTED
        ));
    }
    text + rest
}
