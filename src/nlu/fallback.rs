//! `FallbackClassifier`: says so when no intent is likely or two are.

use serde::Deserialize;
use serde::Serialize;

use super::message::Intent;
use super::message::Message;

/// The intent of a message that was not understood.
pub const FALLBACK_INTENT: &str = "nlu_fallback";

/// Options of the classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FallbackOptions {
    /// Confidence below which the intent counts as not understood.
    pub threshold: f64,
    /// Difference below which the best two intents count as ambiguous.
    pub ambiguity_threshold: f64,
}

impl Default for FallbackOptions {
    fn default() -> Self {
        Self {
            threshold: 0.3,
            ambiguity_threshold: 0.1,
        }
    }
}

/// The classifier.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FallbackClassifier {
    /// Its options.
    pub options: FallbackOptions,
}

impl FallbackClassifier {
    /// Replaces the intent by `nlu_fallback`, with the threshold as confidence,
    /// and puts it in front of the ranking.
    pub fn process(&self, message: &mut Message) {
        let confidence = message
            .intent
            .as_ref()
            .map_or(0.0, |intent| intent.confidence);
        let ranking = message.intent_ranking.get_or_insert_default();
        let ambiguous = match &ranking[..] {
            [first, second, ..] => {
                first.confidence - second.confidence < self.options.ambiguity_threshold
            }
            _ => false,
        };
        if confidence < self.options.threshold || ambiguous {
            let fallback = Intent::named(FALLBACK_INTENT, self.options.threshold);
            ranking.insert(0, fallback.clone());
            message.intent = Some(fallback);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(confidences: &[f64]) -> Message {
        let ranking: Vec<Intent> = confidences.iter().map(|&c| Intent::named("a", c)).collect();
        let mut message = Message::new("x");
        message.intent = ranking.first().cloned();
        message.intent_ranking = Some(ranking);
        FallbackClassifier::default().process(&mut message);
        message
    }

    #[test]
    fn unlikely_and_ambiguous_intents_fall_back() {
        for confidences in [&[0.2][..], &[0.5, 0.45], &[]] {
            let message = parsed(confidences);
            assert_eq!(message.intent, Some(Intent::named("nlu_fallback", 0.3)));
            assert_eq!(message.intent_ranking.unwrap().len(), confidences.len() + 1);
        }
        assert_eq!(parsed(&[0.5, 0.3]).intent, Some(Intent::named("a", 0.5)));
    }
}
