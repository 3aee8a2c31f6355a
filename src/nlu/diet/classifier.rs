//! `DIETClassifier` in a pipeline: what a prediction means for a message.

use crate::data;
use crate::nlu::Entity;
use crate::nlu::Files;
use crate::nlu::Intent;
use crate::nlu::KindTags;
use crate::nlu::Message;
use crate::nlu::TagSet;
use crate::nlu::Tagging;
use crate::nlu::diet::Model;
use crate::nlu::diet::ModelError;
use crate::nlu::diet::Options;
use crate::nlu::diet::TokenTags;
use crate::nlu::diet::rank;
use crate::nlu::entities_of_kinds;
use crate::nlu::repair;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// The name that entities carry as their extractor.
const EXTRACTOR: &str = "DIETClassifier";

/// A `DIETClassifier` that is ready to work on messages.
#[derive(Clone, Debug)]
pub struct Classifier {
    options: Options,
    /// `None` when there was nothing to train on.
    model: Option<Model>,
}

impl Classifier {
    /// Returns a classifier; without a model it says that it does not know.
    pub fn new(options: Options, model: Option<Model>) -> Self {
        Self { options, model }
    }

    /// Loads a classifier from its options and the files of its model, of which
    /// there are none when there was nothing to train on.
    ///
    /// # Errors
    ///
    /// If the options make no sense, or the files are no model.
    pub fn load(options: &data::Options, files: &Files) -> Result<Self, ModelError> {
        let options = Options::parse(options)?.options;
        let model = match files.is_empty() {
            true => None,
            false => Some(Model::from_files(files)?),
        };
        Ok(Self { options, model })
    }

    /// Sets the intent of a message and adds entities.
    ///
    /// Rasa 3.6: an intent that was set before is overwritten, also by none when
    /// the message has no features; entities found before are kept.
    pub fn process(&self, message: &mut Message) {
        let model = self.model.as_ref();
        let rows = message.features(&self.options.featurizers);
        let scores = model.zip(rows).and_then(|(model, rows)| {
            let rows = model.reads(&rows).then_some(rows)?;
            model.scores(&rows).pop().flatten()
        });
        let known = model.zip(scores);
        if self.options.intent_classification {
            let ranked = known.as_ref().map(|(model, scores)| {
                let ranked = rank(&scores.labels, &self.options);
                let name = |label: usize| model.labels()[label].as_str();
                let intents = ranked
                    .iter()
                    .map(|&(l, c)| Intent::named(name(l), f64::from(c)));
                intents.collect::<Vec<_>>()
            });
            let ranking = ranked.unwrap_or_default();
            message.intent = Some(ranking.first().cloned().unwrap_or_default());
            message.intent_ranking = Some(ranking);
        }
        if let (Some((model, scores)), Some(document)) = (known, &message.document) {
            let found = self.entities(model, &message.text, document, &scores.tags);
            message.entities.extend(found);
        }
    }

    fn entities(
        &self,
        model: &Model,
        text: &str,
        document: &Document,
        tags: &[TokenTags],
    ) -> Vec<Entity> {
        let named: Vec<KindTags> = model
            .tags()
            .iter()
            .zip(tags)
            .map(|(set, tags)| {
                let (names, confidences) = consistent(set, tags);
                (set.kind(), names, confidences)
            })
            .collect();
        let tokens = document.tokens(Attribute::Text);
        let split = &self.options.split_entities_by_comma;
        entities_of_kinds(text, tokens, &named, split, EXTRACTOR)
    }
}

/// Returns the names of tags, repaired where they contradict each other.
fn consistent(set: &TagSet, tags: &TokenTags) -> (Vec<String>, Vec<f64>) {
    let mut names: Vec<String> = tags.ids.iter().map(|&id| set.name(id)).collect();
    let mut confidences: Vec<f64> = tags.confidences.iter().map(|&c| f64::from(c)).collect();
    if set.tagging() == Tagging::Bilou {
        repair(&mut names, &mut confidences);
    }
    (names, confidences)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_model_an_earlier_intent_is_overwritten_by_none() {
        let mut message = Message::new("hello");
        message.intent = Some(Intent::named("greet", 1.0));
        let classifier = Classifier::load(&data::Options::new(), &Files::new()).unwrap();
        classifier.process(&mut message);
        assert_eq!(message.intent, Some(Intent::default()));
        assert_eq!(message.intent_ranking, Some(Vec::new()));
        assert!(message.entities.is_empty());
    }

    #[test]
    fn a_classifier_of_entities_leaves_the_intent_alone() {
        let mut message = Message::new("hello");
        message.intent = Some(Intent::named("greet", 1.0));
        let options = Options {
            intent_classification: false,
            ..Options::default()
        };
        Classifier::new(options, None).process(&mut message);
        assert_eq!(message.intent, Some(Intent::named("greet", 1.0)));
    }
}
