//! `ResponseSelector` in a pipeline: what it learns from, what it says.
//!
//! What was learnt lies in the files of the network. The texts of the responses
//! are no part of that, unless labels are known by them: they lie beside it in
//! `responses.json`, so that a changed text trains nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::data;
use crate::data::Example;
use crate::data::Response;
use crate::nlu::Files;
use crate::nlu::Message;
use crate::nlu::RankedResponse;
use crate::nlu::SelectedResponse;
use crate::nlu::Selection;
use crate::nlu::diet::Corpus;
use crate::nlu::diet::LabelReading;
use crate::nlu::diet::Model;
use crate::nlu::diet::ModelError;
use crate::nlu::diet::TrainingData;
use crate::nlu::diet::rank;
use crate::nlu::selector::Options;
use crate::tokenize::Attribute;

/// The file that holds [`Responses`].
pub const RESPONSES: &str = "responses.json";

/// What a selector may say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Responses {
    /// Every retrieval intent of the training data, sorted.
    pub retrieval_intents: Vec<String>,
    /// Variations by name, such as `utter_faq/opening`.
    pub responses: BTreeMap<String, Vec<Response>>,
}

impl Responses {
    /// Returns what the selectors of a project may say.
    pub fn of(examples: &[Example], responses: &BTreeMap<String, Vec<Response>>) -> Self {
        let with_key = examples
            .iter()
            .filter(|example| example.intent_response_key.is_some());
        let intents: BTreeSet<&String> = with_key.filter_map(|e| e.intent.as_ref()).collect();
        Self {
            retrieval_intents: intents.into_iter().cloned().collect(),
            responses: responses.clone(),
        }
    }

    /// Returns the bytes of [`RESPONSES`]; equal responses have equal bytes.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("responses are plain values")
    }

    /// Returns the response key of a response with this text.
    fn key_of_text(&self, text: &str) -> Option<&str> {
        let mut all = self.responses.iter();
        let (name, _) = all.find(|(_, variations)| {
            let texts = variations
                .iter()
                .filter_map(|variation| variation.get("text"));
            texts.into_iter().any(|own| own.as_str() == Some(text))
        })?;
        name.strip_prefix(UTTER)
    }
}

/// What stands before a response key in the name of its response.
const UTTER: &str = "utter_";

impl Options {
    /// Returns the attribute by which labels are known.
    pub fn label_attribute(&self) -> Attribute {
        match self.use_text_as_label {
            true => Attribute::Response,
            false => Attribute::IntentResponseKey,
        }
    }

    /// Returns what the selector learns from: the examples of its retrieval
    /// intent, or of all of them. `corpus.labels` are the features of
    /// [`Options::label_attribute`].
    ///
    /// # Panics
    ///
    /// If the parts of the corpus are of different lengths.
    pub fn training_data(&self, corpus: Corpus<'_>) -> TrainingData {
        let label = |example: &Example| self.label_of(example);
        let reading = match self.use_text_as_label {
            true => LabelReading::Text,
            false => LabelReading::Bag,
        };
        TrainingData::new(corpus, Some(&label), reading, Vec::new())
    }

    /// Returns what an example is learnt as; none if it is not.
    pub fn label_of(&self, example: &Example) -> Option<String> {
        let wanted = self.retrieval_intent.is_none() || self.retrieval_intent == example.intent;
        let key = example.intent_response_key.as_ref().filter(|_| wanted)?;
        match self.use_text_as_label {
            true => example.response.clone(),
            false => Some(key.clone()),
        }
    }
}

/// A `ResponseSelector` that is ready to work on messages.
#[derive(Clone, Debug)]
pub struct Selector {
    options: Options,
    /// `None` when there was nothing to train on.
    model: Option<Model>,
    responses: Responses,
}

impl Selector {
    /// Returns a selector; without a model it chooses nothing.
    pub fn new(options: Options, model: Option<Model>, responses: Responses) -> Self {
        Self {
            options,
            model,
            responses,
        }
    }

    /// Loads a selector from its options, the files of its network (none when
    /// there was nothing to train on) and [`RESPONSES`].
    ///
    /// # Errors
    ///
    /// If the options make no sense, or the files are not what was written.
    pub fn load(options: &data::Options, files: &Files) -> Result<Self, ModelError> {
        let options = Options::parse(options)?.options;
        let mut files = files.clone();
        let responses = files
            .remove(RESPONSES)
            .ok_or(ModelError::Missing(RESPONSES))?;
        let model = match files.is_empty() {
            true => None,
            false => Some(Model::from_files(&files)?),
        };
        Ok(Self {
            options,
            model,
            responses: serde_json::from_slice(&responses).map_err(ModelError::Responses)?,
        })
    }

    /// Adds the chosen response and the ranking of all.
    ///
    /// Rasa 3.6: a key without response is answered with the key itself.
    ///
    /// Differs from Rasa: where nothing can be chosen there is no response, and
    /// not one of the text `None`.
    pub fn process(&self, message: &mut Message) {
        let rows = message.features(&self.options.network.featurizers);
        let model = self.model.as_ref();
        let ranked = model.zip(rows).and_then(|(model, rows)| {
            let rows = model.reads(&rows).then_some(rows)?;
            let scores = model.scores(&rows).pop().flatten()?;
            let ranked = rank(&scores.labels, &self.options.network);
            let named = ranked
                .iter()
                .map(|&(label, c)| (&*model.labels()[label], f64::from(c)));
            Some(self.selection(&named.collect::<Vec<_>>()))
        });
        let said = message.response_selector.get_or_insert_default();
        said.all_retrieval_intents
            .clone_from(&self.responses.retrieval_intents);
        let key = self.options.key().to_owned();
        said.selections.insert(key, ranked.unwrap_or_default());
    }

    fn selection(&self, ranked: &[(&str, f64)]) -> Selection {
        let key = |label: &str| match self.options.use_text_as_label {
            true => self
                .responses
                .key_of_text(label)
                .unwrap_or(label)
                .to_owned(),
            false => label.to_owned(),
        };
        let ranking = ranked.iter().map(|(label, confidence)| RankedResponse {
            confidence: *confidence,
            intent_response_key: key(label),
        });
        let ranking: Vec<RankedResponse> = ranking.collect();
        let response = ranking.first().map(|first| {
            let action = format!("{UTTER}{}", first.intent_response_key);
            let known = self.responses.responses.get(&action).cloned();
            SelectedResponse {
                responses: known.unwrap_or_else(|| vec![text_response(&first.intent_response_key)]),
                confidence: first.confidence,
                intent_response_key: Some(first.intent_response_key.clone()),
                utter_action: Some(action),
            }
        });
        Selection {
            response: response.unwrap_or_default(),
            ranking,
        }
    }
}

fn text_response(text: &str) -> Response {
    Response::from(BTreeMap::from([("text".to_owned(), text.into())]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::count_vectors;
    use crate::nlu::diet::LabelFeatures;
    use crate::tokenize::Tokenizer;

    fn said(options: Options, ranked: &[(&str, f64)]) -> Selection {
        let name = "utter_faq/opening".to_owned();
        let responses = Responses {
            retrieval_intents: vec!["faq".into()],
            responses: BTreeMap::from([(name, vec![text_response("At nine.")])]),
        };
        Selector::new(options, None, responses).selection(ranked)
    }

    #[test]
    fn the_response_of_the_first_key_is_chosen() {
        let ranked = [("faq/opening", 0.75), ("faq/seat", 0.25)];
        let selection = said(Options::default(), &ranked);
        assert_eq!(selection.response.responses, [text_response("At nine.")]);
        assert_eq!(
            selection.response.utter_action.as_deref(),
            Some("utter_faq/opening")
        );
        assert_eq!(selection.ranking[1].intent_response_key, "faq/seat");
    }

    #[test]
    fn a_key_without_response_answers_for_itself() {
        let selection = said(Options::default(), &[("faq/seat", 1.0)]);
        assert_eq!(selection.response.responses, [text_response("faq/seat")]);
    }

    #[test]
    fn a_text_that_is_a_label_leads_to_its_key() {
        let options = Options {
            use_text_as_label: true,
            ..Options::default()
        };
        let selection = said(options, &[("At nine.", 1.0)]);
        let key = selection.response.intent_response_key;
        assert_eq!(key.as_deref(), Some("faq/opening"));
    }

    #[test]
    fn the_examples_of_the_retrieval_intent_are_learnt_from() {
        let example = |intent: &str, key: Option<&str>, response: Option<&str>| Example {
            text: "hello there".into(),
            intent: Some(intent.into()),
            intent_response_key: key.map(str::to_owned),
            response: response.map(str::to_owned),
            ..Example::default()
        };
        let examples = [
            example("faq", Some("faq/seat"), Some("Sit.")),
            example("greet", None, None),
            example("chat", Some("chat/joke"), Some("Ha.")),
            example("faq", Some("faq/bag"), Some("One bag.")),
        ];
        let tokenizer = Tokenizer::new(&Default::default()).unwrap();
        let documents = tokenizer.examples(&examples);
        let vectors = count_vectors::fit(&Default::default(), &documents).unwrap();
        let mut options = Options {
            retrieval_intent: Some("faq".into()),
            ..Options::default()
        };
        let learnt = |options: &Options| {
            let corpus = Corpus {
                examples: &examples,
                documents: &documents,
                texts: &vectors.rows(&documents, Attribute::Text),
                labels: &vectors.rows(&documents, options.label_attribute()),
            };
            options.training_data(corpus)
        };
        let data = learnt(&options);
        assert_eq!(data.labels, ["faq/bag", "faq/seat"]);
        assert_eq!(data.label_ids, [1, 0]);
        assert!(
            matches!(&data.label_features, LabelFeatures::Bag(rows) if rows.tokens(0).len() == 2)
        );
        options.use_text_as_label = true;
        let data = learnt(&options);
        assert_eq!(data.labels, ["One bag.", "Sit."]);
        assert!(matches!(data.label_features, LabelFeatures::Text(_)));
        options.retrieval_intent = None;
        assert_eq!(learnt(&options).labels.len(), 3);
        let said = Responses::of(&examples, &BTreeMap::new());
        assert_eq!(said.retrieval_intents, ["chat", "faq"]);
    }

    #[test]
    fn without_a_model_nothing_is_chosen() {
        let mut message = Message::new("hello");
        let selector = Selector::new(Options::default(), None, Responses::default());
        selector.process(&mut message);
        let said = message.response_selector.unwrap();
        assert_eq!(said.selections["default"], Selection::default());
    }
}
