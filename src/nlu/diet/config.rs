//! Options of `DIETClassifier`, with Rasa's names and defaults.

use crate::data;
use crate::nlu::SplitByComma;
use crate::nlu::diet::Columns;
use crate::nlu::diet::HeldOut;
use crate::nlu::diet::reader::OptionProblems;
use crate::nlu::diet::reader::Reader;
use crate::nlu::diet::settings::finish;
use crate::nlu::diet::settings::read_network;
use serde::Serialize;

/// The names of options that are written only where they are not the default.
pub const UNWRITTEN: [&str; 5] = [
    "use_masked_language_model",
    "evaluate_on_number_of_examples",
    "evaluate_every_number_of_epochs",
    "checkpoint_model",
    "early_stopping",
];

/// Options of the network after defaults: what a training run depends on.
///
/// They are written under the names that a user would write, so that
/// [`Options::parse`] reads them back.
///
/// Options that only steer Rasa's logs are not kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Options {
    /// Widths of the feed-forward layers between features and transformer.
    pub hidden_layers_sizes: Sides<Vec<usize>>,
    /// Width of the transformer; 0 without one.
    pub transformer_size: usize,
    /// Layers of the transformer; 0 for none.
    pub number_of_transformer_layers: usize,
    /// Heads of each layer.
    pub number_of_attention_heads: usize,
    /// Whether keys know their distance from the query.
    pub use_key_relative_attention: bool,
    /// Whether values know their distance from the query.
    pub use_value_relative_attention: bool,
    /// Distances beyond this are treated alike.
    pub max_relative_position: usize,
    /// Whether a token sees only those before it.
    pub unidirectional_encoder: bool,
    /// Examples in a batch of the first and of the last epoch.
    pub batch_size: [usize; 2],
    /// How batches are drawn.
    pub batch_strategy: BatchStrategy,
    /// Passes over the training data.
    pub epochs: usize,
    /// Seed, if the user chose one.
    pub random_seed: Option<u64>,
    /// Step size of Adam.
    pub learning_rate: f32,
    /// Width of the space in which texts and labels are compared.
    pub embedding_dimension: usize,
    /// Width to which sparse features are brought.
    pub dense_dimension: Sides<usize>,
    /// Width to which sequence and sentence features are brought if they differ.
    pub concat_dimension: Sides<usize>,
    /// Wrong labels and wrong inputs drawn for each example.
    pub number_of_negative_examples: usize,
    /// How texts and labels are compared.
    pub similarity_type: Similarity,
    /// What is minimised.
    pub loss_type: LossType,
    /// How many labels a prediction ranks; 0 for Rasa's ten.
    pub ranking_length: usize,
    /// What the margin loss raises the right label's similarity to.
    pub maximum_positive_similarity: f32,
    /// What the margin loss lowers wrong labels' similarity to.
    pub maximum_negative_similarity: f32,
    /// Whether the margin loss counts only the worst wrong label.
    pub use_maximum_negative_similarity: bool,
    /// Whether examples that are already predicted well count less.
    pub scale_loss: bool,
    /// Weight of the sum of squared weights.
    pub regularization_constant: f32,
    /// Weight of the margin loss between wrong pairs.
    pub negative_margin_scale: f32,
    /// Share of activations dropped while training.
    pub drop_rate: f32,
    /// Share of attention dropped while training.
    pub drop_rate_attention: f32,
    /// Share of weights that a randomly connected layer keeps.
    pub connection_density: f32,
    /// Whether stored sparse values are dropped while training.
    pub use_sparse_input_dropout: bool,
    /// Whether the dense form of the input is dropped while training.
    pub use_dense_input_dropout: bool,
    /// Whether intents are learnt.
    pub intent_classification: bool,
    /// Whether entities are learnt.
    pub entity_recognition: bool,
    /// Whether entity tags say where in the entity a token stands.
    #[serde(rename = "BILOU_flag")]
    pub bilou_flag: bool,
    /// Aliases of the featurizers to use; empty for all.
    pub featurizers: Vec<String>,
    /// Whether a comma ends an entity.
    pub split_entities_by_comma: SplitByComma,
    /// Whether similarities of wrong pairs are pushed towards minus infinity.
    pub constrain_similarities: bool,
    /// Whether the ranked confidences are made to sum to 1.
    pub renormalize_confidences: bool,
    /// Whether a last batch of less than half the size is left out.
    pub drop_small_last_batch: bool,
    /// Whether some tokens are hidden while training, and told from those around them.
    #[serde(skip_serializing_if = "is_false")]
    pub use_masked_language_model: bool,
    /// Examples that are asked instead of learnt.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// One value for texts and one for labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sides<T> {
    /// For the text of a message.
    pub text: T,
    /// For a label.
    pub label: T,
}

/// How batches are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStrategy {
    /// Every batch holds the labels in their shares, rare ones at least once.
    Balanced,
    /// Shuffled examples one after the other.
    Sequence,
}

/// How a text and a label are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// Inner product.
    Inner,
    /// Cosine of the angle.
    Cosine,
}

/// What is minimised for intents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossType {
    /// Cross entropy over the right label and sampled wrong ones.
    CrossEntropy,
    /// Hinge loss with two margins.
    Margin,
}

/// Options as read, with what should be said about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed<T> {
    /// The options after defaults.
    pub options: T,
    /// Names that are no option of the component, sorted.
    pub unknown: Vec<String>,
    /// Advice for the user, one sentence each.
    pub remarks: Vec<String>,
}

impl Default for Options {
    /// Rasa 3.6's `DIETClassifier` defaults.
    fn default() -> Self {
        Self {
            hidden_layers_sizes: Sides {
                text: Vec::new(),
                label: Vec::new(),
            },
            transformer_size: 256,
            number_of_transformer_layers: 2,
            number_of_attention_heads: 4,
            use_key_relative_attention: false,
            use_value_relative_attention: false,
            max_relative_position: 5,
            unidirectional_encoder: false,
            batch_size: [64, 256],
            batch_strategy: BatchStrategy::Balanced,
            epochs: 300,
            random_seed: None,
            learning_rate: 0.001,
            embedding_dimension: 20,
            dense_dimension: Sides {
                text: 128,
                label: 20,
            },
            concat_dimension: Sides {
                text: 128,
                label: 20,
            },
            number_of_negative_examples: 20,
            similarity_type: Similarity::Inner,
            loss_type: LossType::CrossEntropy,
            ranking_length: 10,
            maximum_positive_similarity: 0.8,
            maximum_negative_similarity: -0.4,
            use_maximum_negative_similarity: true,
            scale_loss: false,
            regularization_constant: 0.002,
            negative_margin_scale: 0.8,
            drop_rate: 0.2,
            drop_rate_attention: 0.0,
            connection_density: 0.2,
            use_sparse_input_dropout: true,
            use_dense_input_dropout: true,
            intent_classification: true,
            entity_recognition: true,
            bilou_flag: true,
            featurizers: Vec::new(),
            split_entities_by_comma: SplitByComma::default(),
            constrain_similarities: false,
            renormalize_confidences: false,
            drop_small_last_batch: false,
            use_masked_language_model: false,
            held_out: None,
        }
    }
}

impl Options {
    /// Reads the options of a `DIETClassifier`.
    ///
    /// # Errors
    ///
    /// If a value is wrong, not supported or contradicts another; all such
    /// options are named.
    pub fn parse(user: &data::Options) -> Result<Parsed<Self>, OptionProblems> {
        let mut reader = Reader::new(user);
        let own = Self {
            intent_classification: reader.flag("intent_classification", true),
            entity_recognition: reader.flag("entity_recognition", true),
            ..Self::default()
        };
        let options = read_network(&mut reader, own);
        finish(reader, options)
    }

    /// Returns whether tokens of texts with these features are hidden while training.
    ///
    /// Rasa 3.6: not if tokens have no features.
    pub(crate) fn masks(&self, texts: Columns) -> bool {
        let has_transformer = self.number_of_transformer_layers > 0;
        self.use_masked_language_model && has_transformer && texts.has_sequence()
    }

    /// Returns whether the confidences of a prediction are probabilities.
    ///
    /// Rasa 3.6: with margin loss they are the similarities themselves.
    pub fn softmax_confidence(&self) -> bool {
        self.loss_type == LossType::CrossEntropy
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    fn user(value: Value) -> data::Options {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn nothing_written_gives_the_defaults_and_a_word_about_epochs() {
        let parsed = Options::parse(&user(json!({}))).unwrap();
        assert_eq!(parsed.options, Options::default());
        assert_eq!(parsed.unknown, Vec::<String>::new());
        assert_eq!(parsed.remarks, ["`epochs` is not set: 300 is used"]);
    }

    #[test]
    fn a_partial_map_keeps_the_other_default_and_unknown_names_are_told() {
        let written = json!({
            "epochs": 1, "dense_dimension": {"text": 16}, "batch_size": 8, "learning_rate": 1,
            "split_entities_by_comma": {"address": false}, "epoch": 3,
        });
        let parsed = Options::parse(&user(written)).unwrap();
        assert_eq!(
            parsed.options.dense_dimension,
            Sides {
                text: 16,
                label: 20
            }
        );
        assert_eq!(parsed.options.batch_size, [8, 8]);
        assert_eq!(parsed.options.learning_rate, 1.0);
        let each = [("address".to_owned(), false)].into();
        assert_eq!(
            parsed.options.split_entities_by_comma,
            SplitByComma::Each(each)
        );
        assert_eq!(parsed.unknown, ["epoch"]);
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let written = json!({
            "epochs": -1, "drop_rate": 1.0, "loss_type": "hinge", "transformer_size": 30,
            "share_hidden_layers": true, "early_stopping": 2, "evaluate_every_number_of_epochs": 0,
            "evaluate_on_number_of_examples": 9,
            "model_confidence": "linear_norm", "hidden_layers_sizes": [1],
        });
        let problems = Options::parse(&user(written)).unwrap_err();
        let want = expect_test::expect![[r#"
            `epochs` must be a whole number of at least 0, not `-1`
            `evaluate_every_number_of_epochs` must be -1 or a whole number above 0, not `0`
            `hidden_layers_sizes` must be a map of `text` and `label` to lists of whole numbers above 0, not `[1]`
            `drop_rate` must be a number from 0 to below 1, not `1.0`
            `loss_type` must be one of `cross_entropy`, `softmax`, `margin`, not `"hinge"`
            `model_confidence` must be one of `softmax`, `auto`, not `"linear_norm"`
            `share_hidden_layers: true` is not supported
            `transformer_size` 30 is not a multiple of `number_of_attention_heads` 4
        "#]];
        let shown: Vec<String> = problems
            .0
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect();
        want.assert_eq(&shown.concat());
    }

    #[test]
    fn how_often_is_asked_is_written_only_where_something_follows_from_the_answers() {
        let written = |more: Value| {
            let mut options = json!({"epochs": 9, "evaluate_on_number_of_examples": 5});
            let more = more.as_object().cloned().unwrap_or_default();
            options.as_object_mut().unwrap().extend(more);
            let parsed = Options::parse(&user(options)).unwrap();
            serde_json::to_value(parsed.options).unwrap()
        };
        let often = written(json!({"evaluate_every_number_of_epochs": 1}));
        assert_eq!(often, written(json!({})));
        let stopped = written(json!({"early_stopping": 3}));
        assert_eq!(stopped["evaluate_every_number_of_epochs"], 1);
        // Without examples that are held out it was never looked at.
        let parsed = Options::parse(&user(json!({"evaluate_every_number_of_epochs": 0})));
        assert_eq!(parsed.unwrap().options.held_out, None);
    }

    #[test]
    fn margin_loss_compares_by_angle_unless_told_otherwise() {
        let parsed = Options::parse(&user(json!({"loss_type": "margin"}))).unwrap();
        assert_eq!(parsed.options.similarity_type, Similarity::Cosine);
        assert!(!parsed.options.softmax_confidence());
    }

    #[test]
    fn options_are_read_back_from_their_json() {
        let written = json!({
            "epochs": 2, "split_entities_by_comma": {"address": false}, "drop_rate": 0.3,
            "number_of_transformer_layers": 0, "max_relative_position": null,
        });
        let held_out = json!({
            "epochs": 9, "evaluate_on_number_of_examples": 5, "checkpoint_model": true,
            "early_stopping": 3, "use_masked_language_model": true,
        });
        let last_alone = json!({
            "epochs": 9, "evaluate_on_number_of_examples": 5,
            "evaluate_every_number_of_epochs": -1, "checkpoint_model": true,
        });
        let margin = json!({"epochs": 1, "loss_type": "margin"});
        for written in [written, margin, held_out, last_alone] {
            let options = Options::parse(&user(written)).unwrap().options;
            let again = Options::parse(&user(serde_json::to_value(&options).unwrap())).unwrap();
            assert_eq!(again.options, options);
            assert_eq!(again.unknown, Vec::<String>::new());
        }
    }
}
