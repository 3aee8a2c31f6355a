//! Answers in numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::evaluation::Answer;
use crate::evaluation::Answers;
use crate::evaluation::Calibration;
use crate::evaluation::Choice;
use crate::nlu::FALLBACK_INTENT;
use crate::nlu::score;

/// Stands for no answer among labels.
pub(super) const NO_LABEL: &str = "None";

/// Scores of an NLU part, as `tabella test nlu --json` prints them. Averages
/// are those of scikit-learn's classification report.
#[derive(Clone, Debug, Serialize)]
pub struct NluScores {
    /// Messages that were parsed.
    pub examples: usize,
    /// How well intents were told apart; a fallback is undone.
    pub intent: Averages,
    /// How well tokens were labelled, by all extractors together; `no_entity`
    /// counts in no average.
    pub entity: Averages,
    /// How well responses were selected; absent without retrieval intents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<Averages>,
    /// Whether the confidence of intents means what it says; absent without
    /// intents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// How well it was noticed that the assistant is not meant; absent unless the
    /// messages have such intents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_scope: Option<OutOfScope>,
}

/// Accuracy and averages over labels.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Averages {
    /// Share that is right.
    pub accuracy: f64,
    /// F1 over all decisions together.
    pub micro_f1: f64,
    /// Mean of the labels' F1.
    pub macro_f1: f64,
    /// Mean of the labels' F1, weighted by how often they occur.
    pub weighted_f1: f64,
    /// Scores of each label.
    pub labels: BTreeMap<String, score::Scores>,
}

/// How well messages are told from others that no intent is meant for. A message
/// is turned down if the answer is an intent for such messages, `nlu_fallback` or
/// nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutOfScope {
    /// Messages that are out of scope.
    pub messages: usize,
    /// The share of them that is turned down.
    pub recall: f64,
    /// The share of all other messages that is turned down.
    pub false_alarms: f64,
}

impl Averages {
    fn of(report: score::Report) -> Self {
        Self {
            accuracy: report.accuracy,
            micro_f1: report.micro.f1,
            macro_f1: report.macro_mean.f1,
            weighted_f1: report.weighted.f1,
            labels: report.labels,
        }
    }
}

impl NluScores {
    /// Returns the scores of answers; `out_of_scope` are the intents of messages
    /// that the assistant is not meant for.
    pub fn of(answers: &Answers, out_of_scope: &[String]) -> Self {
        let messages = &answers.messages;
        let intents: Vec<&Choice> = messages.iter().filter_map(|a| a.intent.as_ref()).collect();
        let responses = messages.iter().filter_map(|a| a.response.as_ref());
        let responses: Vec<_> = responses.map(|choice| choice.pair(NO_LABEL)).collect();
        let tokens: Vec<_> = messages.iter().flat_map(|a| a.token_pairs(None)).collect();
        let sureness: Vec<_> = intents
            .iter()
            .map(|c| (c.confidence, c.is_right()))
            .collect();
        let intents: Vec<_> = intents.iter().map(|choice| choice.pair(NO_LABEL)).collect();
        let all = |pairs: &[(String, String)]| Averages::of(score::report(pairs, None));
        Self {
            examples: messages.len(),
            intent: all(&intents),
            entity: Averages::of(score::report(&tokens, Some(score::NO_ENTITY))),
            response: (!responses.is_empty()).then(|| all(&responses)),
            calibration: Calibration::of(&sureness),
            out_of_scope: OutOfScope::of(messages, out_of_scope),
        }
    }
}

impl OutOfScope {
    fn of(answers: &[Answer], intents: &[String]) -> Option<Self> {
        let mut counts = [(0, 0); 2];
        for answer in answers {
            let Some(choice) = &answer.intent else {
                continue;
            };
            let (messages, turned_down) =
                &mut counts[usize::from(intents.contains(&choice.expected))];
            *messages += 1;
            let is_turned_down = answer.answered.as_ref().is_none_or(|intent| {
                intent.is_empty() || intent == FALLBACK_INTENT || intents.contains(intent)
            });
            *turned_down += usize::from(is_turned_down);
        }
        let share = |(messages, turned_down): (usize, usize)| match messages {
            0 => 0.0,
            messages => turned_down as f64 / messages as f64,
        };
        let [others, beyond] = counts;
        (beyond.0 > 0).then(|| Self {
            messages: beyond.0,
            recall: share(beyond),
            false_alarms: share(others),
        })
    }
}
