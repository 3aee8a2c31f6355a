//! Precision, recall and F1 of everything that test stories compare.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;

use crate::data::Annotation;
use crate::dialogue::Event;
use crate::dialogue::evaluate::Evaluation;
use crate::dialogue::evaluate::Outcome;
use crate::dialogue::evaluate::wanted_intent;

/// Scores of one label, or an average of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// Share of predictions of the label that are right; 0 of none.
    pub precision: f64,
    /// Share of its occurrences that were predicted; 0 of none.
    pub recall: f64,
    /// Harmonic mean of both.
    #[serde(rename = "f1-score")]
    pub f1: f64,
    /// How often it occurs.
    pub support: usize,
}

/// Scores of all labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// By label: actions, intents, and entities as `[text](type)`.
    pub labels: BTreeMap<String, Score>,
    /// Share of pairs that agree; 0 of none.
    pub accuracy: f64,
    /// Mean over labels.
    pub macro_avg: Score,
    /// Mean over labels, weighted by support.
    pub weighted_avg: Score,
}

/// Returns the scores of actions, intents and entities together.
///
/// # Source
///
/// Rasa 3.6 `EvaluationStore.serialise` and scikit-learn's
/// `classification_report`.
pub fn report(evaluation: &Evaluation) -> Report {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for turn in evaluation.conversations.iter().flat_map(|c| &c.turns) {
        match (turn.event.as_ref(), &turn.outcome) {
            (Event::Action(gold), Some(Outcome::Action { predicted, .. })) => {
                pairs.push((gold.label().to_owned(), predicted.clone()));
            }
            (Event::User(gold), Some(Outcome::Message { intent, entities })) => {
                let none = || "None".to_owned();
                let wanted = wanted_intent(gold).map_or_else(none, str::to_owned);
                pairs.push((wanted, intent.clone().unwrap_or_else(none)));
                let text = gold.text.as_deref().unwrap_or_default();
                pairs.extend(entity_pairs(text, &gold.entities, entities));
            }
            _ => {}
        }
    }
    scores(&pairs)
}

/// Entities side by side, by place and type; `None` where one side has none.
fn entity_pairs(
    text: &str,
    gold: &[Annotation],
    predicted: &[Annotation],
) -> Vec<(String, String)> {
    let sorted = |entities: &[Annotation]| {
        let mut sorted: Vec<_> = entities
            .iter()
            .map(|e| ((e.start, e.end, e.entity.clone()), label(text, e)))
            .collect();
        sorted.sort();
        sorted
    };
    let mut gold = sorted(gold).into_iter().peekable();
    let mut predicted = sorted(predicted).into_iter().peekable();
    let mut pairs = Vec::new();
    let none = || "None".to_owned();
    loop {
        let order = match (gold.peek(), predicted.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((gold, _)), Some((predicted, _))) => gold.cmp(predicted),
        };
        let wanted = if order.is_le() { gold.next() } else { None };
        let found = if order.is_ge() {
            predicted.next()
        } else {
            None
        };
        let name = |entity: Option<(_, String)>| entity.map_or_else(none, |(_, label)| label);
        pairs.push((name(wanted), name(found)));
    }
}

fn label(text: &str, entity: &Annotation) -> String {
    let len = entity.end.saturating_sub(entity.start);
    let piece: String = text.chars().skip(entity.start).take(len).collect();
    format!("[{piece}]({})", entity.entity)
}

fn scores(pairs: &[(String, String)]) -> Report {
    let names: BTreeSet<&str> = pairs
        .iter()
        .flat_map(|(gold, predicted)| [gold.as_str(), predicted.as_str()])
        .collect();
    let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut predicted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut right: BTreeMap<&str, usize> = BTreeMap::new();
    for (gold, guess) in pairs {
        *wanted.entry(gold).or_default() += 1;
        *predicted.entry(guess).or_default() += 1;
        if gold == guess {
            *right.entry(gold).or_default() += 1;
        }
    }
    let count = |counts: &BTreeMap<&str, usize>, name| counts.get(name).copied().unwrap_or(0);
    let mut report = Report {
        accuracy: ratio(right.values().sum(), pairs.len()),
        ..Report::default()
    };
    for name in names {
        let right = count(&right, name);
        let support = count(&wanted, name);
        let score = score(right, count(&predicted, name), support);
        report.labels.insert(name.to_owned(), score);
    }
    let labels = report.labels.len() as f64;
    report.macro_avg = mean(&report.labels, pairs.len(), |_| 1.0 / labels);
    let all = pairs.len() as f64;
    report.weighted_avg = mean(&report.labels, pairs.len(), |s| s.support as f64 / all);
    report
}

fn score(right: usize, predicted: usize, support: usize) -> Score {
    Score {
        precision: ratio(right, predicted),
        recall: ratio(right, support),
        f1: ratio(2 * right, predicted + support),
        support,
    }
}

fn ratio(part: usize, all: usize) -> f64 {
    if all == 0 {
        0.0
    } else {
        part as f64 / all as f64
    }
}

fn mean(labels: &BTreeMap<String, Score>, support: usize, weight: impl Fn(&Score) -> f64) -> Score {
    let mut mean = Score {
        support,
        ..Score::default()
    };
    for score in labels.values() {
        let weight = weight(score);
        mean.precision += weight * score.precision;
        mean.recall += weight * score.recall;
        mean.f1 += weight * score.f1;
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_three_pairs_are_those_done_by_hand() {
        let pair = |gold: &str, guess: &str| (gold.to_owned(), guess.to_owned());
        let report = scores(&[pair("a", "a"), pair("a", "b"), pair("b", "b")]);
        assert_eq!(report.accuracy, 2.0 / 3.0);
        let a = report.labels["a"];
        assert_eq!(
            (a.precision, a.recall, a.f1, a.support),
            (1.0, 0.5, 2.0 / 3.0, 2)
        );
        assert_eq!(report.macro_avg.precision, 0.75);
    }
}
