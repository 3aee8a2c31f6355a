//! A message on its way through the pipeline, and what is said of it at the end.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::data::Response;
use crate::features::FeatureRows;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// An intent with its confidence. The field order is that of Rasa's JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// Name; `None` when nothing was predicted.
    pub name: Option<String>,
    /// Between 0 and 1.
    pub confidence: f64,
    /// The label with response key, once a selector chose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_retrieval_intent_name: Option<String>,
}

impl Intent {
    /// Returns the intent of this name.
    pub fn named(name: &str, confidence: f64) -> Self {
        Self {
            name: Some(name.to_owned()),
            confidence,
            full_retrieval_intent_name: None,
        }
    }
}

/// A piece of a message that was found. The field order is that of Rasa's JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// Entity type.
    pub entity: String,
    /// First code point, counted from 0.
    pub start: usize,
    /// One past the last code point.
    pub end: usize,
    /// The piece as the extractor repeats it; only servers do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Confidence of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_entity: Option<f64>,
    /// Role within the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Confidence of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_role: Option<f64>,
    /// Group within the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Confidence of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_group: Option<f64>,
    /// What the piece means.
    pub value: Value,
    /// Confidence of an extractor that does not learn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What else the extractor knows of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_info: Option<Value>,
    /// The component that found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extractor: Option<String>,
    /// The components that changed it since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<String>,
}

/// What the response selectors say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ResponseSelection {
    /// Every retrieval intent of the training data.
    pub all_retrieval_intents: Vec<String>,
    /// By the retrieval intent that the selector is for, or `default`.
    #[serde(flatten)]
    pub selections: BTreeMap<String, Selection>,
}

/// What one response selector says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Selection {
    /// The chosen response.
    pub response: SelectedResponse,
    /// The responses, best first.
    pub ranking: Vec<RankedResponse>,
}

/// The response that a selector chose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SelectedResponse {
    /// Its variations.
    pub responses: Vec<Response>,
    /// Between 0 and 1.
    pub confidence: f64,
    /// The full label such as `faq/opening`.
    pub intent_response_key: Option<String>,
    /// The action that says it.
    pub utter_action: Option<String>,
}

/// A response in a ranking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RankedResponse {
    /// Between 0 and 1.
    pub confidence: f64,
    /// The full label.
    pub intent_response_key: String,
}

/// A message while it is being understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// What the user wrote.
    pub text: String,
    /// The text's tokens; `None` before a tokenizer ran.
    pub document: Option<Document>,
    /// The names of the regular expressions that match at each token of the text;
    /// empty before a featurizer looked for them.
    pub patterns: Vec<BTreeSet<String>>,
    /// Alias and features of the text for each featurizer, in pipeline order.
    pub features: Vec<(String, FeatureRows)>,
    /// The best intent; `None` before a classifier ran.
    pub intent: Option<Intent>,
    /// All intents, best first; `None` unless a classifier ranks.
    pub intent_ranking: Option<Vec<Intent>>,
    /// Entities, in the order in which they were found.
    pub entities: Vec<Entity>,
    /// What the response selectors say.
    pub response_selector: Option<ResponseSelection>,
    /// What went wrong and cost the message an answer, a sentence each.
    pub warnings: Vec<String>,
}

impl Message {
    /// Returns a message of which only the text is known.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    /// Returns the features of the featurizers that a classifier names, side by
    /// side in pipeline order; all when it names none. `None` when there are
    /// none.
    pub fn features(&self, aliases: &[String]) -> Option<FeatureRows> {
        let chosen: Vec<&FeatureRows> = self
            .features
            .iter()
            .filter(|(alias, _)| aliases.is_empty() || aliases.contains(alias))
            .map(|(_, rows)| rows)
            .collect();
        match chosen.is_empty() {
            true => None,
            false => Some(FeatureRows::hstack(&chosen)),
        }
    }

    /// Returns what is to be answered.
    ///
    /// # Source
    ///
    /// Rasa 3.6: an intent with a response selector gets the full label that the
    /// selector chose.
    pub fn into_parse(self) -> Parse {
        let text_tokens = self.document.as_ref().map(|document| {
            let tokens = document.tokens(Attribute::Text).iter();
            tokens.map(|token| [token.start, token.end]).collect()
        });
        let mut intent = self.intent.unwrap_or_default();
        if let (Some(name), Some(selector)) = (&intent.name, &self.response_selector)
            && selector.all_retrieval_intents.contains(name)
            && let Some(selection) = selector.selections.get(name)
        {
            intent.full_retrieval_intent_name = selection.response.intent_response_key.clone();
        }
        Parse {
            text: self.text,
            intent,
            entities: self.entities,
            text_tokens,
            intent_ranking: self.intent_ranking,
            response_selector: self.response_selector,
            warnings: self.warnings,
        }
    }
}

/// What `/model/parse` answers. The field order is that of Rasa 3.6.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parse {
    /// What the user wrote.
    pub text: String,
    /// The best intent.
    pub intent: Intent,
    /// Entities, in the order in which they were found.
    pub entities: Vec<Entity>,
    /// Start and end of each token, in code points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_tokens: Option<Vec<[usize; 2]>>,
    /// All intents, best first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_ranking: Option<Vec<Intent>>,
    /// What the response selectors say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_selector: Option<ResponseSelection>,
    /// What went wrong on the way, a sentence each. Not part of the answer: Rasa
    /// logs it.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_message_has_rasas_fields_in_rasas_order() {
        let json = serde_json::to_string(&Message::new("hi").into_parse()).unwrap();
        assert_eq!(
            json,
            r#"{"text":"hi","intent":{"name":null,"confidence":0.0},"entities":[]}"#
        );
    }
}
