//! From a plan to what a dry run tells.

use std::collections::BTreeSet;

use crate::archive::Fingerprint;
use crate::engine::Plan;
use crate::engine::Planned;
use crate::engine::Stale;
use crate::engine::State;
use crate::recipe::Part;
use crate::recipe::REPORT_VERSION;
use crate::recipe::Recipe;
use crate::recipe::Report;
use crate::recipe::Stage;
use crate::recipe::TaskReport;
use crate::recipe::TaskState;
use crate::recipe::package::part_of_role;

/// The code of a forced training, not combined with others (Rasa 2.4).
const FORCED: u8 = 8;

/// Returns what a dry run tells of `plan`. `beyond` are parts that are stale
/// although no task is: the archive in place is another one, or there is none.
pub fn report(recipe: &Recipe, plan: &Plan, beyond: BTreeSet<Part>, is_forced: bool) -> Report {
    let mut parts = beyond;
    for planned in plan.stale() {
        parts.extend(stale_parts(recipe, planned));
    }
    let tasks: Vec<TaskReport> = plan
        .tasks()
        .iter()
        .map(|planned| task_report(recipe, planned))
        .collect();
    let known: Vec<u64> = plan
        .stale()
        .filter_map(|planned| planned.estimate_ms)
        .collect();
    let (code, texts) = code_and_texts(&parts, is_forced);
    Report {
        report_version: REPORT_VERSION,
        code,
        parts: parts.into_iter().collect(),
        texts,
        stale_count: tasks
            .iter()
            .filter(|task| task.state == TaskState::Stale)
            .count(),
        estimate_ms: (!known.is_empty()).then(|| known.iter().sum()),
        tasks,
    }
}

/// Returns the code of a dry run and a sentence for each stale part.
///
/// # Source
///
/// Rasa 2.4 `dry_run_result`.
pub fn code_and_texts(parts: &BTreeSet<Part>, is_forced: bool) -> (u8, Vec<String>) {
    if is_forced {
        return (FORCED, vec!["the training was forced".to_owned()]);
    }
    if parts.is_empty() {
        return (
            0,
            vec!["nothing is stale: no training is required".to_owned()],
        );
    }
    let texts = parts
        .iter()
        .map(|part| part.sentence().to_owned())
        .collect();
    (parts.iter().map(|part| part.code()).sum(), texts)
}

/// The parts of the archive that a stale task concerns.
fn stale_parts(recipe: &Recipe, planned: &Planned) -> BTreeSet<Part> {
    let task = recipe.graph.task(planned.id);
    if task.stage != Stage::Package.name() {
        let part = if task.name.starts_with("core.") {
            Part::Core
        } else {
            Part::Nlu
        };
        return BTreeSet::from([part]);
    }
    let reasons = planned.reasons().iter();
    reasons
        .flat_map(|reason| packaging_parts(recipe, reason))
        .collect()
}

/// The parts that a reason for packaging again is about.
fn packaging_parts(recipe: &Recipe, reason: &Stale) -> Vec<Part> {
    let trained = || {
        let parts = recipe.parts.iter().copied();
        parts.filter(|part| *part != Part::Responses).collect()
    };
    match reason {
        Stale::InputChanged { role, .. } => match part_of_role(role) {
            Some(part) => vec![part],
            None => trained(),
        },
        // The half that comes or goes brings its texts along.
        Stale::InputAdded { role } | Stale::InputRemoved { role } => match part_of_role(role) {
            Some(Part::Responses) => Vec::new(),
            Some(part) => vec![part],
            None => trained(),
        },
        Stale::OptionChanged { name, .. } if name == "training_type" => Vec::new(),
        // The tasks above speak for themselves.
        Stale::Upstream { .. } => Vec::new(),
        Stale::NeverRun => recipe.parts.iter().copied().collect(),
        _ => trained(),
    }
}

/// Returns the parts in which the models of two fingerprints differ.
pub fn fingerprint_parts(old: &Fingerprint, new: &Fingerprint) -> BTreeSet<Part> {
    let mut parts = BTreeSet::new();
    let core = |print: &Fingerprint| (print.core_config, print.domain, print.stories);
    let nlu = |print: &Fingerprint| (print.nlu_config, print.messages);
    if core(old) != core(new) || old.version != new.version {
        parts.insert(Part::Core);
    }
    if nlu(old) != nlu(new) || old.version != new.version {
        parts.insert(Part::Nlu);
    }
    if old.nlg != new.nlg {
        parts.insert(Part::Responses);
    }
    parts
}

fn task_report(recipe: &Recipe, planned: &Planned) -> TaskReport {
    let task = recipe.graph.task(planned.id);
    let reasons = planned.reasons().to_vec();
    let reads = recipe.graph.upstreams(planned.id).into_iter();
    let reads = reads.map(|id| recipe.graph.task(id).name.clone());
    TaskReport {
        name: task.name.clone(),
        stage: task.stage.clone(),
        kind: task.kind.to_owned(),
        key: planned.key,
        reads: reads.collect(),
        state: match planned.state {
            State::Fresh => TaskState::Fresh,
            State::Remote => TaskState::Remote,
            State::Stale(_) => TaskState::Stale,
            State::MayBeSpared(_) => TaskState::MayBeSpared,
        },
        why: reasons.iter().map(Stale::to_string).collect(),
        reasons,
        last_ms: planned.estimate_ms,
        fetch_size: planned.fetch_size(),
        runs: None,
    }
}
