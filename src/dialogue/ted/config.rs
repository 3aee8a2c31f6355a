//! Options of `TEDPolicy`, with Rasa's names and defaults.

use serde::Serialize;
use serde::Serializer;
use serde_json::json;

use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::ted::batch::Attribute;
use crate::nlu::diet::BatchStrategy;
use crate::nlu::diet::LossType;
use crate::nlu::diet::Similarity;

/// Options of the network after defaults: what a training run depends on.
///
/// Options that only steer Rasa's logs, and those of end-to-end texts, are not
/// kept: they change nothing here. Serialised, they are options that
/// [`Options::parse`] reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Options {
    /// Rank of the policy among those that are equally sure.
    pub priority: i64,
    /// How stories are cut into examples: `max_history` and `featurizer`.
    #[serde(serialize_with = "as_written")]
    pub featurizer: TrackerFeaturizer,
    /// Widths to which the attributes of a turn are brought.
    pub dense_dimension: TurnWidths,
    /// Width of an encoded intent or action.
    pub encoding_dimension: usize,
    /// Width of the transformer over the turns of a dialogue.
    pub transformer_size: usize,
    /// Layers of that transformer; 0 for none.
    pub number_of_transformer_layers: usize,
    /// Heads of each layer.
    pub number_of_attention_heads: usize,
    /// Whether keys know their distance from the query.
    pub use_key_relative_attention: bool,
    /// Whether values know their distance from the query.
    pub use_value_relative_attention: bool,
    /// Distances beyond this are treated alike.
    pub max_relative_position: usize,
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
    /// Width of the space in which dialogues and actions are compared.
    pub embedding_dimension: usize,
    /// Wrong actions and wrong dialogues drawn for each example.
    pub number_of_negative_examples: usize,
    /// How dialogues and actions are compared.
    pub similarity_type: Similarity,
    /// What is minimised.
    pub loss_type: LossType,
    /// How many actions keep their confidence; 0 for all.
    pub ranking_length: usize,
    /// Whether the kept confidences are made to sum to 1.
    pub renormalize_confidences: bool,
    /// What the margin loss raises the right action's similarity to.
    pub maximum_positive_similarity: f32,
    /// What the margin loss lowers wrong actions' similarity to.
    pub maximum_negative_similarity: f32,
    /// Whether the margin loss counts only the worst wrong action.
    pub use_maximum_negative_similarity: bool,
    /// Whether examples that are already predicted well count less.
    pub scale_loss: bool,
    /// Weight of the sum of squared weights.
    pub regularization_constant: f32,
    /// Weight of the margin loss between wrong pairs.
    pub negative_margin_scale: f32,
    /// Share of encodings and of the transformer's activations dropped while
    /// training.
    pub drop_rate_dialogue: f32,
    /// Share of inputs dropped while training.
    pub drop_rate: f32,
    /// Share of attention dropped while training.
    pub drop_rate_attention: f32,
    /// Share of weights that a randomly connected layer keeps.
    pub connection_density: f32,
    /// Whether stored sparse values are dropped while training.
    pub use_sparse_input_dropout: bool,
    /// Whether the dense form of the input is dropped while training.
    pub use_dense_input_dropout: bool,
    /// Whether similarities of wrong pairs are pushed towards minus infinity.
    pub constrain_similarities: bool,
}

/// One width for each attribute of a turn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TurnWidths {
    /// For the user's intent.
    pub intent: usize,
    /// For the bot's previous action.
    pub action_name: usize,
    /// For the active form.
    pub active_loop: usize,
    /// For the user's entities.
    pub entities: usize,
    /// For the slots.
    pub slots: usize,
}

impl TurnWidths {
    /// Returns the width of one attribute.
    pub(crate) fn of(&self, attribute: Attribute) -> usize {
        match attribute {
            Attribute::Intent => self.intent,
            Attribute::ActionName => self.action_name,
            Attribute::ActiveLoop => self.active_loop,
            Attribute::Entities => self.entities,
            Attribute::Slots => self.slots,
        }
    }
}

impl Default for Options {
    /// Rasa 3.6's `TEDPolicy` defaults.
    fn default() -> Self {
        Self {
            priority: 1,
            featurizer: TrackerFeaturizer::max_history(None),
            dense_dimension: TurnWidths {
                intent: 20,
                action_name: 20,
                active_loop: 20,
                entities: 20,
                slots: 20,
            },
            encoding_dimension: 50,
            transformer_size: 128,
            number_of_transformer_layers: 1,
            number_of_attention_heads: 4,
            use_key_relative_attention: false,
            use_value_relative_attention: false,
            max_relative_position: 5,
            batch_size: [64, 256],
            batch_strategy: BatchStrategy::Balanced,
            epochs: 1,
            random_seed: None,
            learning_rate: 0.001,
            embedding_dimension: 20,
            number_of_negative_examples: 20,
            similarity_type: Similarity::Inner,
            loss_type: LossType::CrossEntropy,
            ranking_length: 0,
            renormalize_confidences: false,
            maximum_positive_similarity: 0.8,
            maximum_negative_similarity: -0.2,
            use_maximum_negative_similarity: true,
            scale_loss: true,
            regularization_constant: 0.001,
            negative_margin_scale: 0.8,
            drop_rate_dialogue: 0.1,
            drop_rate: 0.0,
            drop_rate_attention: 0.0,
            connection_density: 0.2,
            use_sparse_input_dropout: true,
            use_dense_input_dropout: true,
            constrain_similarities: false,
        }
    }
}

impl Options {
    /// Returns whether confidences are probabilities.
    ///
    /// Rasa 3.6: with margin loss they are the similarities themselves.
    pub fn softmax_confidence(&self) -> bool {
        self.loss_type == LossType::CrossEntropy
    }
}

/// Writes a featurizer as the option that gives it.
fn as_written<S: Serializer>(
    featurizer: &TrackerFeaturizer,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let entry = match featurizer {
        TrackerFeaturizer::MaxHistory {
            max_history,
            remove_duplicates,
        } => json!({
            "name": "MaxHistoryTrackerFeaturizer",
            "max_history": max_history,
            "remove_duplicates": remove_duplicates,
        }),
        TrackerFeaturizer::FullDialogue => json!({ "name": "FullDialogueTrackerFeaturizer" }),
    };
    [entry].serialize(serializer)
}
