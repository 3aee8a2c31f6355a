//! The network: turns to a vector each, a transformer over the turns of a
//! conversation, and one space for conversations and actions.
//!
//! ```text
//!   tables ─▶ dense ─▶ encoding ─┐ gather, dropout                  ┌─▶ similarity
//!                                └▶ turns ─▶ transformer ─▶ embed ──┤
//!   every action ─▶ encoding ─▶ embed ──────────────────────────────┘
//! ```

use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::ted::Options;
use crate::dialogue::ted::batch::ATTRIBUTES;
use crate::dialogue::ted::batch::Attribute;
use crate::dialogue::ted::batch::FeatureNames;
use crate::matrix::Panel;
use crate::nn::Linear;
use crate::nn::LinearOptions;
use crate::nn::Parameters;
use crate::nn::SparseInput;
use crate::nn::Stream;
use crate::nn::Transformer;
use crate::nn::TransformerOptions;

/// Layers and weights.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// All weights.
    pub parameters: Parameters,
    pub(super) encoders: Vec<AttributeEncoder>,
    pub(super) transformer: Option<Transformer>,
    pub(super) embed_dialogue: Linear,
    pub(super) encode_label: Linear,
    pub(super) embed_label: Linear,
    pub(super) drop_rate_dialogue: f32,
    /// Rates of sparse and dense input dropout.
    pub(super) input_drop_rates: [f32; 2],
    outputs: Outputs,
    /// Features of a turn's vector.
    pub(super) turn_width: usize,
    pub(super) actions: usize,
}

/// How one attribute gets into a turn's vector.
#[derive(Clone, Debug)]
pub(super) struct AttributeEncoder {
    pub(super) attribute: Attribute,
    pub(super) dense: SparseInput,
    pub(super) encoding: Option<Linear>,
    /// Its first feature in a turn's vector, and how many it has.
    pub(super) from: usize,
    pub(super) width: usize,
}

/// Which turns of a window are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outputs {
    /// The first, which is the newest.
    First,
    /// All of them: whole dialogues, oldest first.
    All,
    /// The last: a prediction from a whole dialogue.
    Last,
}

impl Network {
    /// Returns a network with random weights; `present` are the attributes that
    /// occur in the training data, others have no weights.
    ///
    /// # Panics
    ///
    /// If no attribute is present.
    pub fn new(
        options: &Options,
        names: &FeatureNames,
        present: [bool; ATTRIBUTES],
        stream: &mut Stream,
    ) -> Self {
        Self::with(Parameters::new(), options, names, present, stream)
    }

    /// Returns a network whose weights will be read from a file.
    ///
    /// # Panics
    ///
    /// If no attribute is present.
    pub fn unset(options: &Options, names: &FeatureNames, present: [bool; ATTRIBUTES]) -> Self {
        let stream = &mut Stream::new(0);
        Self::with(Parameters::unset(), options, names, present, stream)
    }

    fn with(
        mut parameters: Parameters,
        options: &Options,
        names: &FeatureNames,
        present: [bool; ATTRIBUTES],
        stream: &mut Stream,
    ) -> Self {
        let layers = LinearOptions {
            density: options.connection_density,
            l2: options.regularization_constant,
            bias: true,
        };
        let embedding = LinearOptions {
            density: 1.0,
            ..layers
        };
        let mut encoders = Vec::new();
        let mut turn_width = 0;
        for attribute in Attribute::ALL
            .into_iter()
            .filter(|&at| present[at as usize])
        {
            let columns = names.of(attribute).len();
            let encoder = AttributeEncoder::new(
                &mut parameters,
                options,
                (attribute, columns),
                turn_width,
                stream,
            );
            turn_width += encoder.width;
            encoders.push(encoder);
        }
        assert!(turn_width > 0, "no attribute occurs");
        let transformer = (options.number_of_transformer_layers > 0).then(|| {
            let options = transformer_options(options, turn_width);
            Transformer::new(&mut parameters, "transformer.dialogue", options, stream)
        });
        let hidden = match &transformer {
            Some(_) => options.transformer_size,
            None => turn_width,
        };
        let shape = (hidden, options.embedding_dimension);
        let embed_dialogue =
            Linear::new(&mut parameters, "embed.dialogue", shape, embedding, stream);
        let actions = names.action_name.len();
        let shape = (actions, options.encoding_dimension);
        let encode_label = Linear::new(
            &mut parameters,
            "encoding.label_action_name",
            shape,
            layers,
            stream,
        );
        let shape = (options.encoding_dimension, options.embedding_dimension);
        let embed_label = Linear::new(&mut parameters, "embed.label", shape, embedding, stream);
        Self {
            parameters,
            encoders,
            transformer,
            embed_dialogue,
            encode_label,
            embed_label,
            drop_rate_dialogue: options.drop_rate_dialogue,
            input_drop_rates: input_drop_rates(options),
            outputs: match options.featurizer {
                TrackerFeaturizer::MaxHistory { .. } => Outputs::First,
                TrackerFeaturizer::FullDialogue => Outputs::All,
            },
            turn_width,
            actions,
        }
    }

    /// Returns the number of actions.
    pub fn action_count(&self) -> usize {
        self.actions
    }

    /// Returns which turns are answered while training.
    pub fn outputs(&self) -> Outputs {
        self.outputs
    }
}

impl AttributeEncoder {
    /// Returns the features of this attribute in a panel of turns.
    pub fn rows_of<'a>(&self, turns: &'a mut Panel) -> &'a mut [f32] {
        let width = turns.width();
        &mut turns.data[self.from * width..(self.from + self.width) * width]
    }

    fn new(
        parameters: &mut Parameters,
        options: &Options,
        (attribute, columns): (Attribute, usize),
        from: usize,
        stream: &mut Stream,
    ) -> Self {
        let (name, l2) = (attribute.name(), options.regularization_constant);
        let units = options.dense_dimension.of(attribute);
        let dense = format!("sparse_to_dense.{name}");
        let dense = SparseInput::new(parameters, &dense, (columns, units), l2, stream);
        let is_encoded = matches!(attribute, Attribute::Intent | Attribute::ActionName);
        let encoding = is_encoded.then(|| {
            let layer = LinearOptions {
                density: options.connection_density,
                l2,
                bias: true,
            };
            let shape = (units, options.encoding_dimension);
            Linear::new(
                parameters,
                &format!("encoding.{name}"),
                shape,
                layer,
                stream,
            )
        });
        Self {
            attribute,
            dense,
            width: encoding.map_or(units, |encoding| encoding.outputs),
            encoding,
            from,
        }
    }
}

fn transformer_options(options: &Options, inputs: usize) -> TransformerOptions {
    TransformerOptions {
        inputs,
        units: options.transformer_size,
        layers: options.number_of_transformer_layers,
        heads: options.number_of_attention_heads,
        density: options.connection_density,
        l2: options.regularization_constant,
        dropout: options.drop_rate_dialogue,
        attention_dropout: options.drop_rate_attention,
        causal: options.featurizer == TrackerFeaturizer::FullDialogue,
        key_relative: options.use_key_relative_attention,
        value_relative: options.use_value_relative_attention,
        max_distance: options.max_relative_position,
    }
}

fn input_drop_rates(options: &Options) -> [f32; 2] {
    [
        options.use_sparse_input_dropout,
        options.use_dense_input_dropout,
    ]
    .map(|is_used| if is_used { options.drop_rate } else { 0.0 })
}
