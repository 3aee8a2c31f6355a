//! How good predictions are: accuracy, precision, recall and F1.
//!
//! All functions take `(expected, predicted)` pairs. Which messages count is the
//! caller's: `rasa test` leaves out messages without expected intent, and takes
//! the second-ranked intent where the first is `nlu_fallback`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use super::tags::best_overlap;
use crate::tokenize::Token;

/// The label of a token outside all entities.
pub const NO_ENTITY: &str = "no_entity";

/// Precision, recall and F1, each between 0 and 1, with the number of expected
/// occurrences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Correct among predicted; 0 when nothing was predicted.
    pub precision: f64,
    /// Correct among expected; 0 when nothing was expected.
    pub recall: f64,
    /// Harmonic mean of the two; 0 when both are.
    #[serde(rename = "f1-score")]
    pub f1: f64,
    /// How often it was expected.
    pub support: u64,
}

impl Scores {
    fn of(correct: u64, predicted: u64, expected: u64) -> Self {
        let precision = share(correct, predicted);
        let recall = share(correct, expected);
        Self {
            precision,
            recall,
            f1: share(2 * correct, predicted + expected),
            support: expected,
        }
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64
}

/// Scores by label and over all labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// By label that was expected, but for the excluded one.
    pub labels: BTreeMap<String, Scores>,
    /// Share of pairs that agree, excluded labels included.
    pub accuracy: f64,
    /// Over all occurrences of these labels together.
    #[serde(rename = "micro avg")]
    pub micro: Scores,
    /// Mean over labels.
    #[serde(rename = "macro avg")]
    pub macro_mean: Scores,
    /// Mean over labels, weighted by how often each was expected.
    #[serde(rename = "weighted avg")]
    pub weighted: Scores,
    /// By expected label, how often which other one was predicted instead.
    pub confused_with: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Scores labels; `excluded` (such as [`NO_ENTITY`]) is neither a label of its
/// own nor part of any average, but mistaking a label for it counts. That a label
/// was predicted that is nowhere expected lowers no label's precision; it is no
/// hit for the label that was expected instead.
///
/// # Source
///
/// Rasa 3.6 `get_evaluation_metrics`: scikit-learn's `classification_report` of
/// the expected labels, with `zero_division=0`; the sum over labels runs in the
/// order of their names.
pub fn report(pairs: &[(String, String)], excluded: Option<&str>) -> Report {
    let mut counts: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    let mut confused: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut agreeing = 0;
    for (expected, predicted) in pairs {
        counts.entry(expected).or_default()[2] += 1;
        counts.entry(predicted).or_default()[1] += 1;
        if expected == predicted {
            counts.entry(expected).or_default()[0] += 1;
            agreeing += 1;
        } else if Some(expected.as_str()) != excluded {
            let instead = confused.entry(expected.clone()).or_default();
            *instead.entry(predicted.clone()).or_default() += 1;
        }
    }
    counts.retain(|label, [.., expected]| *expected > 0 && Some(*label) != excluded);
    let mut sums = [0; 3];
    for count in counts.values() {
        (0..3).for_each(|at| sums[at] += count[at]);
    }
    let labels: BTreeMap<String, Scores> = counts
        .iter()
        .map(|(label, &[correct, predicted, expected])| {
            (
                (*label).to_owned(),
                Scores::of(correct, predicted, expected),
            )
        })
        .collect();
    Report {
        accuracy: share(agreeing, pairs.len() as u64),
        micro: Scores::of(sums[0], sums[1], sums[2]),
        macro_mean: mean(&labels, |_| 1.0),
        weighted: mean(&labels, |scores| scores.support as f64),
        labels,
        confused_with: confused,
    }
}

fn mean(labels: &BTreeMap<String, Scores>, weight: impl Fn(&Scores) -> f64) -> Scores {
    let mut mean = Scores::default();
    let mut total = 0.0;
    for scores in labels.values() {
        let weight = weight(scores);
        mean.precision += weight * scores.precision;
        mean.recall += weight * scores.recall;
        mean.f1 += weight * scores.f1;
        mean.support += scores.support;
        total += weight;
    }
    if total > 0.0 {
        mean.precision /= total;
        mean.recall /= total;
        mean.f1 /= total;
    }
    mean
}

/// A span of text with what it is, expected or predicted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First code point.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// Entity type, role and group.
    pub label: (String, Option<String>, Option<String>),
}

/// Returns the label of each token: `entity`, with `.group` and `.role` where
/// the span has them, of the span that shares most characters with the token;
/// [`NO_ENTITY`] outside.
pub fn token_labels(tokens: &[Token], spans: &[Span]) -> Vec<String> {
    let label = |token: &Token| {
        let best = best_overlap(token, spans.iter().map(|span| (span.start, span.end)));
        best.map_or_else(|| NO_ENTITY.to_owned(), |at| joined(&spans[at]))
    };
    tokens.iter().map(label).collect()
}

fn joined(span: &Span) -> String {
    let (entity, role, group) = &span.label;
    let parts = [Some(entity), group.as_ref(), role.as_ref()];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        owned.collect()
    }

    #[test]
    fn a_small_report_is_what_one_computes_by_hand() {
        let report = report(
            &pairs(&[("a", "a"), ("a", "b"), ("b", "b"), ("c", "b")]),
            None,
        );
        assert_eq!(report.accuracy, 0.5);
        let b = report.labels["b"];
        assert_eq!(
            (b.precision, b.recall, b.f1, b.support),
            (1.0 / 3.0, 1.0, 0.5, 1)
        );
        assert_eq!(
            report.labels["c"],
            Scores {
                support: 1,
                ..Scores::default()
            }
        );
        assert_eq!(report.micro.f1, 0.5);
        assert!((report.macro_mean.f1 - (2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert!((report.weighted.precision - (2.0 + 1.0 / 3.0) / 4.0).abs() < 1e-12);
        assert_eq!(report.confused_with["a"]["b"], 1);
    }

    #[test]
    fn tokens_outside_entities_are_not_scored_but_misses_are() {
        let tokens = vec![
            Token::new("New", 0),
            Token::new("York", 4),
            Token::new("x", 9),
        ];
        let span = |start, end| Span {
            start,
            end,
            label: ("city".into(), Some("to".into()), None),
        };
        let expected = token_labels(&tokens, &[span(0, 8)]);
        let found = token_labels(&tokens, &[span(4, 10)]);
        let pairs: Vec<_> = expected.into_iter().zip(found).collect();
        let report = report(&pairs, Some(NO_ENTITY));
        assert_eq!(report.labels.keys().collect::<Vec<_>>(), ["city.to"]);
        // One token found, one missed, one too many.
        assert_eq!((report.micro.precision, report.micro.recall), (0.5, 0.5));
        assert_eq!(report.micro.f1, 0.5);
    }

    #[test]
    fn a_label_that_is_nowhere_expected_is_in_no_average() {
        // What Rasa 3.6.21 says of these.
        let all = report(&pairs(&[("a", "a"), ("a", "b"), ("c", "c")]), None);
        assert_eq!((all.micro.precision, all.micro.recall), (1.0, 2.0 / 3.0));
        assert!((all.macro_mean.f1 - 0.833_333_333_333_333_3).abs() < 1e-15);
        assert!((all.weighted.f1 - 0.777_777_777_777_777_7).abs() < 1e-15);
        let tokens = [("a", "a"), ("no", "b"), ("c", "c"), ("no", "c")];
        let all = report(&pairs(&tokens), Some("no"));
        assert!((all.micro.f1 - 0.8).abs() < 1e-15);
        assert_eq!(all.accuracy, 0.5);
    }

    #[test]
    fn nothing_scores_nothing() {
        assert_eq!(report(&[], None), Report::default());
    }
}
