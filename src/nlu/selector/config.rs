//! Options of `ResponseSelector`, with Rasa's names and defaults.

use serde::Serialize;
use serde_json::Value;

use crate::data;
use crate::nlu::diet;
use crate::nlu::diet::OptionProblems;
use crate::nlu::diet::Parsed;
use crate::nlu::diet::Reader;
use crate::nlu::diet::Sides;

/// Options of a `ResponseSelector` after defaults.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Options {
    /// The intent whose responses are told apart; `None` for all of them.
    pub retrieval_intent: Option<String>,
    /// Whether a label is known by its response's text instead of its name.
    pub use_text_as_label: bool,
    /// Options of the network.
    #[serde(flatten)]
    pub network: diet::Options,
}

impl Default for Options {
    /// Rasa 3.6's `ResponseSelector` defaults.
    fn default() -> Self {
        let sizes = vec![256, 128];
        Self {
            retrieval_intent: None,
            use_text_as_label: false,
            network: diet::Options {
                hidden_layers_sizes: Sides {
                    text: sizes.clone(),
                    label: sizes,
                },
                number_of_transformer_layers: 0,
                transformer_size: 0,
                dense_dimension: Sides {
                    text: 512,
                    label: 512,
                },
                concat_dimension: Sides {
                    text: 512,
                    label: 512,
                },
                scale_loss: true,
                connection_density: 1.0,
                use_sparse_input_dropout: false,
                use_dense_input_dropout: false,
                intent_classification: true,
                entity_recognition: false,
                bilou_flag: false,
                ..diet::Options::default()
            },
        }
    }
}

impl Options {
    /// Reads the options of a `ResponseSelector`.
    ///
    /// # Errors
    ///
    /// If a value is wrong, not supported or contradicts another; all such
    /// options are named.
    pub fn parse(user: &data::Options) -> Result<Parsed<Self>, OptionProblems> {
        let mut reader = Reader::new(user);
        let wanted = "null or the name of an intent";
        let options = Self {
            retrieval_intent: reader.read("retrieval_intent", None, wanted, |value| match value {
                Value::Null => Some(None),
                other => other.as_str().map(|name| Some(name.to_owned())),
            }),
            use_text_as_label: reader.flag("use_text_as_label", false),
            network: diet::read_network(&mut reader, Self::default().network),
        };
        let network = &options.network;
        let hidden = &network.hidden_layers_sizes;
        if network.number_of_transformer_layers > 0
            && !(hidden.text.is_empty() && hidden.label.is_empty())
        {
            let sentence = "with transformer layers, `hidden_layers_sizes` of `text` and `label` \
                            are better left empty";
            reader.remarks.push(sentence.to_owned());
        }
        diet::finish(reader, options)
    }

    /// Returns the key of this selector's prediction within a message: its
    /// retrieval intent, or `default`.
    pub fn key(&self) -> &str {
        self.retrieval_intent.as_deref().unwrap_or("default")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(value: Value) -> data::Options {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_selector_has_defaults_of_its_own() {
        let parsed = Options::parse(&user(json!({"epochs": 5}))).unwrap();
        assert_eq!(parsed.options.network.epochs, 5);
        assert_eq!(parsed.options.network.hidden_layers_sizes.label, [256, 128]);
        assert!(parsed.options.network.scale_loss && !parsed.options.network.entity_recognition);
        assert_eq!(parsed.options.key(), "default");
        assert_eq!(parsed.remarks, Vec::<String>::new());
    }

    #[test]
    fn layers_without_a_size_get_one_and_advice() {
        let written = json!({
            "epochs": 5, "number_of_transformer_layers": 1, "retrieval_intent": "faq",
        });
        let parsed = Options::parse(&user(written)).unwrap();
        assert_eq!(parsed.options.network.transformer_size, 256);
        assert_eq!(parsed.options.key(), "faq");
        assert_eq!(parsed.remarks.len(), 2);
    }
}
