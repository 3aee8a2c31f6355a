//! Scores as a person reads them.

use std::fmt::Write;

use serde::Serialize;

use crate::api::Spread;
use crate::evaluation::NluScores;
use crate::evaluation::Verdict;

/// Returns scores as JSON.
pub fn json<T: Serialize>(scores: &T) -> String {
    serde_json::to_string_pretty(scores).expect("scores have string keys and plain values")
}

/// Returns what is told of a fold that is done.
pub fn fold(fold: usize, count: usize, scores: &NluScores) -> String {
    format!(
        "fold {} of {count}: {} messages, intent accuracy {:.3}, entity F1 {:.3}",
        fold + 1,
        scores.examples,
        scores.intent.accuracy,
        scores.entity.micro_f1
    )
}

/// Returns the scores of an NLU part; with folds, how much they differ and how many
/// messages were not tested.
pub fn nlu(scores: &NluScores, folds: Option<&(Spread, usize)>, verdicts: &[Verdict]) -> String {
    let mut text = format!("{} messages", scores.examples);
    if let Some((spread, untested)) = folds {
        let _ = write!(text, " in {} folds", spread.examples.len());
        if *untested > 0 {
            let _ = write!(
                text,
                "; {untested} not tested: no other message has their intent"
            );
        }
    }
    text.push('\n');
    let spread = folds.map(|(spread, _)| spread);
    let rows = [
        (
            "intent",
            Some(&scores.intent),
            spread.map(|s| &s.intent_accuracy),
        ),
        ("entity", Some(&scores.entity), None),
        (
            "response",
            scores.response.as_ref(),
            spread.map(|s| &s.response_accuracy),
        ),
    ];
    for (name, averages, by_fold) in rows {
        let Some(averages) = averages else { continue };
        let deviation = by_fold.map_or_else(String::new, |all| format!(" ± {:.3}", deviation(all)));
        let _ = writeln!(
            text,
            "  {name:<9} accuracy {:.3}{deviation}  F1 micro {:.3}  macro {:.3}  weighted {:.3}",
            averages.accuracy, averages.micro_f1, averages.macro_f1, averages.weighted_f1
        );
    }
    if let Some(calibration) = &scores.calibration {
        let error = calibration.expected_error;
        let _ = writeln!(text, "  confidence is off by {error:.3} on average");
    }
    if let Some(beyond) = &scores.out_of_scope {
        let _ = writeln!(
            text,
            "  out of scope: {:.3} of {} messages turned down, and {:.3} of all others",
            beyond.recall, beyond.messages, beyond.false_alarms
        );
    }
    for verdict in verdicts {
        let is_met = if verdict.is_met { "met" } else { "NOT MET" };
        let _ = writeln!(
            text,
            "  gate {}: {is_met} ({:.4})",
            verdict.gate, verdict.value
        );
    }
    text.trim_end().to_owned()
}

/// Returns the standard deviation of a sample.
fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    if count < 2.0 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2));
    (squares.sum::<f64>() / (count - 1.0)).sqrt()
}
