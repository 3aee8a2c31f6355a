//! One side of the network and what it is made of: from features of texts, or of
//! labels, to points of the space in which both are compared.
//!
//! ```text
//!   rows ─▶ input ─▶ hidden layers ─▶ transformer, GELU ─▶ pooled ─▶ hidden layers ─▶ embedding
//!                                            └──▶ encoded positions, for tags
//! ```
//!
//! A text is read in order and pooled to its last position; a label that is a
//! bag of words is summed, and its hidden layers come after that. How panels pass
//! through a side stands in `passage`.

use crate::nlu::diet::Columns;
use crate::nlu::diet::Options;
use crate::nlu::diet::input::Input;
use crate::nlu::diet::input::RowsInput;
use crate::nlu::diet::input::Widths;
use crate::nlu::diet::masking::Masking;
use crate::nlu::diet::packing::Positions;
use crate::nn::FeedForward;
use crate::nn::Linear;
use crate::nn::LinearOptions;
use crate::nn::Parameters;
use crate::nn::Stream;
use crate::nn::Transformer;
use crate::nn::TransformerOptions;

/// How the positions of a message become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The last one is taken.
    Last,
    /// They are added.
    Sum,
}

/// What is dropped from a side's input while training.
#[derive(Clone, Copy, Debug)]
pub(super) struct InputDropout {
    /// Probability for each stored value.
    pub sparse: Option<f32>,
    /// Probability for each feature after the sparse layer.
    pub dense: Option<f32>,
}

/// The layers of one side.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(super) input: Input,
    pub(super) input_dropout: InputDropout,
    /// Of every position.
    pub(super) hidden: FeedForward,
    /// What hides tokens from the transformer while training.
    pub(crate) masking: Option<Masking>,
    pub(super) transformer: Option<Transformer>,
    pub(super) pooling: Pooling,
    /// Of the pooled position.
    pub(super) after: FeedForward,
    pub(super) embed: Option<Linear>,
    /// Features of an encoded position.
    pub units: usize,
    /// Whether all encoded positions are wanted, for tags.
    pub(super) all_encoded: bool,
}

/// What a [`Side`] is built from beside the options.
struct Parts<'a> {
    name: &'a str,
    dense_units: usize,
    concat_units: usize,
    input_dropout: InputDropout,
    hidden: &'a [usize],
    after: &'a [usize],
    transformer: bool,
    masked: bool,
    pooling: Pooling,
    all_encoded: bool,
    embed: bool,
}

impl Side {
    /// Adds the side that reads texts, below `text/`.
    pub fn text(
        parameters: &mut Parameters,
        options: &Options,
        columns: Columns,
        has_tags: bool,
        has_labels: bool,
        stream: &mut Stream,
    ) -> Self {
        let rate = |used: bool| used.then_some(options.drop_rate).filter(|&rate| rate > 0.0);
        let parts = Parts {
            name: "text",
            dense_units: options.dense_dimension.text,
            concat_units: options.concat_dimension.text,
            input_dropout: InputDropout {
                sparse: rate(options.use_sparse_input_dropout),
                dense: rate(options.use_dense_input_dropout),
            },
            hidden: &options.hidden_layers_sizes.text,
            after: &[],
            transformer: options.number_of_transformer_layers > 0,
            masked: options.masks(columns),
            pooling: Pooling::Last,
            all_encoded: has_tags,
            embed: has_labels,
        };
        Self::new(
            parameters,
            options,
            parts,
            InputShape::Rows(columns),
            stream,
        )
    }

    /// Adds the side that reads the texts of labels, below `label/`.
    ///
    /// Rasa 3.6: as for texts, but nothing of the input is dropped.
    pub fn label_text(
        parameters: &mut Parameters,
        options: &Options,
        columns: Columns,
        stream: &mut Stream,
    ) -> Self {
        let parts = Parts {
            hidden: &options.hidden_layers_sizes.label,
            after: &[],
            transformer: options.number_of_transformer_layers > 0,
            pooling: Pooling::Last,
            ..Parts::label(options)
        };
        Self::new(
            parameters,
            options,
            parts,
            InputShape::Rows(columns),
            stream,
        )
    }

    /// Adds the side that reads labels as bags of words, below `label/`.
    pub fn label_bag(
        parameters: &mut Parameters,
        options: &Options,
        columns: Columns,
        stream: &mut Stream,
    ) -> Self {
        let parts = Parts::label(options);
        Self::new(
            parameters,
            options,
            parts,
            InputShape::Rows(columns),
            stream,
        )
    }

    /// Adds the side of labels of which nothing is known but which one it is.
    pub fn label_identity(
        parameters: &mut Parameters,
        options: &Options,
        labels: usize,
        stream: &mut Stream,
    ) -> Self {
        let parts = Parts::label(options);
        Self::new(
            parameters,
            options,
            parts,
            InputShape::OneHot(labels),
            stream,
        )
    }

    fn new(
        parameters: &mut Parameters,
        options: &Options,
        parts: Parts<'_>,
        shape: InputShape,
        stream: &mut Stream,
    ) -> Self {
        let (name, l2) = (parts.name, options.regularization_constant);
        let shape = match shape {
            InputShape::Rows(columns) if !parts.looks_at_all() => {
                InputShape::Rows(columns.of_last())
            }
            other => other,
        };
        let input = match shape {
            InputShape::OneHot(labels) => Input::OneHot(labels),
            InputShape::Rows(columns) => {
                let widths = Widths {
                    sparse_units: parts.dense_units,
                    unified: parts.concat_units,
                    shares: (options.connection_density, l2, options.drop_rate),
                };
                Input::Rows(RowsInput::new(parameters, name, columns, widths, stream))
            }
        };
        let units = input.units();
        let layers = |parameters: &mut Parameters, inputs, sizes: &[usize], stream: &mut Stream| {
            let shares = (options.connection_density, l2, options.drop_rate);
            FeedForward::new(parameters, name, inputs, sizes, shares, stream)
        };
        let hidden = layers(parameters, units, parts.hidden, stream);
        let before = hidden.outputs();
        let transformer = parts.transformer.then(|| {
            let name = format!("{name}/transformer");
            Transformer::new(
                parameters,
                &name,
                transformer_options(options, before),
                stream,
            )
        });
        let units = transformer
            .as_ref()
            .map_or(before, |_| options.transformer_size);
        let masking = parts.masked.then(|| {
            let has_sentence = matches!(shape, InputShape::Rows(columns) if columns.has_sentence());
            Masking::new(parameters, options, (before, units), has_sentence, stream)
        });
        let after = layers(parameters, units, parts.after, stream);
        let embed = parts.embed.then(|| {
            let linear = LinearOptions {
                density: 1.0,
                l2,
                bias: true,
            };
            let shape = (after.outputs(), options.embedding_dimension);
            Linear::new(parameters, &format!("{name}/embed"), shape, linear, stream)
        });
        Self {
            input,
            input_dropout: parts.input_dropout,
            hidden,
            masking,
            transformer,
            pooling: parts.pooling,
            after,
            embed,
            units,
            all_encoded: parts.all_encoded,
        }
    }

    /// Returns whether a message is encoded anew each time while training, because
    /// something of it is dropped.
    pub fn drops(&self) -> bool {
        let InputDropout { sparse, dense } = self.input_dropout;
        let in_layers = self.input.drops() || self.hidden.drops() || self.after.drops();
        let in_transformer = self.transformer.as_ref().is_some_and(Transformer::drops);
        sparse.is_some() || dense.is_some() || in_layers || in_transformer
    }

    /// Returns the positions of a message that this side looks at.
    pub fn positions(&self) -> Positions {
        match self.transformer.is_some() || self.all_encoded || self.pooling == Pooling::Sum {
            true => Positions::All,
            false => Positions::Last,
        }
    }
}

/// The features that a side is made for.
#[derive(Clone, Copy)]
enum InputShape {
    Rows(Columns),
    OneHot(usize),
}

impl<'a> Parts<'a> {
    fn looks_at_all(&self) -> bool {
        self.transformer || self.all_encoded || self.pooling == Pooling::Sum
    }

    /// A bag of words, of which nothing is dropped.
    fn label(options: &'a Options) -> Self {
        Self {
            name: "label",
            dense_units: options.dense_dimension.label,
            concat_units: options.concat_dimension.label,
            input_dropout: InputDropout {
                sparse: None,
                dense: None,
            },
            hidden: &[],
            after: &options.hidden_layers_sizes.label,
            transformer: false,
            masked: false,
            pooling: Pooling::Sum,
            all_encoded: false,
            embed: true,
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
        dropout: options.drop_rate,
        attention_dropout: options.drop_rate_attention,
        causal: options.unidirectional_encoder,
        key_relative: options.use_key_relative_attention,
        value_relative: options.use_value_relative_attention,
        max_distance: options.max_relative_position,
    }
}
