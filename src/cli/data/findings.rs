//! Findings of `data validate` as text and as JSON.

use serde::Serialize;

use crate::api::Findings;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Paint;
use crate::diagnostic::Severity;
use crate::diagnostic::render_grouped;
use crate::import::Counts;

/// The version of the JSON object; raised when a key changes its meaning.
const REPORT_VERSION: u32 = 1;

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

/// Returns the findings for a person, then how much was read, if that is to be
/// told, and how many there are.
pub fn as_text(
    findings: &Findings,
    count: &Count,
    counts: Option<&Counts>,
    paint: Paint,
) -> String {
    let mut text = render_grouped(&findings.diagnostics, &findings.sources, paint);
    if !text.is_empty() {
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
