//! What is checked before anything trains, and how much of it a training tells.

use std::collections::HashMap;
use std::sync::Arc;

use crate::api::Findings;
use crate::check::check_project;
use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::arrange;
use crate::diagnostic::has_errors;
use crate::diagnostic::is_lint;
use crate::import::Imported;

/// How a project is checked before it is trained: Rasa 3.6's `--skip-validation`
/// and its siblings.
#[derive(Clone, Debug, Default)]
pub struct Validation {
    /// Checks only what cannot be trained at all.
    pub skip: bool,
    /// Refuses to train when there is a warning.
    pub fail_on_warnings: bool,
    /// How many turns stories are compared over; all if `None`.
    pub max_history: Option<usize>,
}

/// Findings of one code that a training shows; further ones are counted.
const SHOWN: usize = 5;

/// Takes what the readers said, and adds what the parts of the project say
/// against each other, as far as they could be read.
pub fn findings(imported: &mut Imported, validation: &Validation) -> Vec<Diagnostic> {
    let mut diagnostics = std::mem::take(&mut imported.diagnostics);
    if !validation.skip {
        let Imported {
            project,
            sources,
            extents,
            ..
        } = &*imported;
        diagnostics.extend(check_project(project, sources, *extents));
        arrange(&mut diagnostics);
    }
    diagnostics
}

/// Returns whether findings keep a project from being trained.
pub fn must_stop(findings: &Findings, validation: &Validation) -> bool {
    let is_warning = |one: &Diagnostic| one.severity == Severity::Warning;
    has_errors(&findings.diagnostics)
        || validation.fail_on_warnings && findings.diagnostics.iter().any(is_warning)
}

/// Returns what a training shows of its findings: no remarks on style, few of
/// each code, and how many warnings were left out. Where it stops, all that stops
/// it.
pub fn told(findings: &Findings, validation: &Validation) -> Arc<Findings> {
    let fails = must_stop(findings, validation);
    let mut shown: HashMap<&str, usize> = HashMap::new();
    let mut kept = Vec::new();
    let mut left_out = 0;
    for diagnostic in &findings.diagnostics {
        let stops = match diagnostic.severity {
            Severity::Error => true,
            Severity::Warning => fails && validation.fail_on_warnings,
            Severity::Note => false,
        };
        let count = shown.entry(diagnostic.code).or_default();
        *count += 1;
        if stops || !is_lint(diagnostic.code) && *count <= SHOWN {
            kept.push(diagnostic.clone());
        } else {
            left_out += usize::from(diagnostic.severity == Severity::Warning);
        }
    }
    if left_out > 0 {
        let what = match left_out {
            1 => "1 more warning about the project's files is not shown".to_owned(),
            _ => format!("{left_out} more warnings about the project's files are not shown"),
        };
        let about = Diagnostic::new("N500", Place::default(), what);
        kept.push(about.help("see `tabella data validate`"));
    }
    Arc::new(Findings {
        diagnostics: kept,
        sources: findings.sources.clone(),
    })
}
