//! The network of the BERT family: sub-tokens to vectors. Only the way forward.
//!
//! Activations are panels, one lane a sub-token; sentences lie side by side and do not
//! see each other. Each number is one sum in a fixed order, whatever else is in the panel.
//!
//! Not `nn`'s transformer: that one learns, norms before its layers and not behind, and
//! stands further down the walk.

use crate::features::language_model::ModelConfig;
use crate::features::language_model::WeightsError;
use crate::features::language_model::config::Activation;
use crate::features::language_model::weights::LayerTensors;
use crate::features::language_model::weights::Pair;
use crate::features::language_model::weights::Tensor;
use crate::features::language_model::weights::Tensors;
use crate::matrix::Layout;
use crate::matrix::Panel;
use crate::matrix::Span;
use crate::matrix::Strided;
use crate::matrix::Write;
use crate::matrix::add;
use crate::matrix::gelu;
use crate::matrix::gelu_tanh;
use crate::matrix::gemm;
use crate::matrix::layer_norm;
use crate::matrix::padded;
use crate::matrix::scale;
use crate::matrix::softmax_columns;

/// A network with its weights.
pub struct Network {
    config: ModelConfig,
    /// `[V, C]`.
    words: Tensor,
    /// `[positions, C]`.
    positions: Vec<f32>,
    /// `[C]`, of the type that all sub-tokens have; zeros if there are no types.
    own_type: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    norm_attention: Norm,
    widen: Linear,
    narrow: Linear,
    norm: Norm,
}

/// Panels that are used again from layer to layer.
#[derive(Default)]
struct Scratch {
    query: Panel,
    key: Panel,
    value: Panel,
    mixed: Panel,
    middle: Panel,
    wide: Panel,
    active: Panel,
}

impl Network {
    /// Puts a network together.
    ///
    /// # Errors
    ///
    /// If a weight is not finite.
    pub fn new(config: ModelConfig, tensors: Tensors<Tensor>) -> Result<Self, WeightsError> {
        let own_type = match tensors.types {
            Some(types) => types.into_values()?[..config.width].to_vec(),
            None => vec![0.0; config.width],
        };
        let layers = tensors.layers.into_iter().map(Layer::new);
        Ok(Self {
            words: tensors.words.finite()?,
            positions: tensors.positions.into_values()?,
            own_type,
            norm: Norm::new(tensors.norm)?,
            layers: layers.collect::<Result<_, _>>()?,
            config,
        })
    }

    /// Returns its shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns what the last layer makes of the sub-tokens of a panel's sentences.
    ///
    /// # Shapes
    ///
    /// - `inputs`: one a span, as many sub-tokens as it has lanes
    /// - the result: `[C, layout.width]`
    ///
    /// # Panics
    ///
    /// If a sub-token is not in the vocabulary, or a sentence longer than there are
    /// positions.
    pub fn forward(&self, layout: &Layout, inputs: &[&[u32]]) -> Panel {
        let mut x = self.embedded(layout, inputs);
        let mut scratch = Scratch::default();
        for layer in &self.layers {
            self.layer(layer, &layout.spans, &mut x, &mut scratch);
        }
        x
    }

    /// Returns `LN(word + position + type)` of each sub-token.
    fn embedded(&self, layout: &Layout, inputs: &[&[u32]]) -> Panel {
        let width = self.config.width;
        let mut sums = Panel::new(width, layout.width);
        let mut vector = vec![0.0; width];
        for (span, &input) in layout.spans.iter().zip(inputs) {
            let lanes = span.start as usize..;
            for ((lane, &id), position) in lanes.zip(input).zip(self.positions_of(input)) {
                self.words.row(id as usize, &mut vector);
                let own = &self.positions[position * width..(position + 1) * width];
                for ((value, kind), own) in vector.iter_mut().zip(&self.own_type).zip(own) {
                    *value = (*value + kind) + own;
                }
                sums.set_column(lane, 0, &vector);
            }
        }
        let mut x = Panel::default();
        self.norm.forward(&sums, self.config.epsilon, &mut x);
        x
    }

    /// Returns the position of each sub-token. RoBERTa counts from behind the padding's,
    /// and gives padding its own without counting it.
    fn positions_of(&self, input: &[u32]) -> Vec<usize> {
        let (padding, mut next) = (self.config.padding, self.config.first_position());
        let skips_padding = self.config.architecture.skips_padding();
        let position = |&id: &u32| match skips_padding && id == padding {
            true => padding as usize,
            false => {
                next += 1;
                next - 1
            }
        };
        input.iter().map(position).collect()
    }

    /// Replaces `x` by what a layer makes of it.
    fn layer(&self, layer: &Layer, spans: &[Span], x: &mut Panel, scratch: &mut Scratch) {
        let epsilon = self.config.epsilon;
        layer.query.forward(x, &mut scratch.query);
        layer.key.forward(x, &mut scratch.key);
        layer.value.forward(x, &mut scratch.value);
        self.attend(spans, scratch);
        layer.output.forward(&scratch.mixed, &mut scratch.middle);
        add(&x.data, &mut scratch.middle.data);
        layer.norm_attention.forward(&scratch.middle, epsilon, x);
        layer.widen.forward(x, &mut scratch.wide);
        let wide = &scratch.wide;
        scratch.active.reshape(wide.features(), wide.width());
        match self.config.activation {
            Activation::Gelu => gelu(&wide.data, &mut scratch.active.data),
            Activation::GeluTanh => gelu_tanh(&wide.data, &mut scratch.active.data),
        }
        layer.narrow.forward(&scratch.active, &mut scratch.middle);
        add(&x.data, &mut scratch.middle.data);
        layer.norm.forward(&scratch.middle, epsilon, x);
    }

    /// Writes `mixed`: for each sub-token the values of its sentence, weighted by
    /// `softmax(q·k / √depth)`, head by head.
    fn attend(&self, spans: &[Span], scratch: &mut Scratch) {
        let Scratch {
            query,
            key,
            value,
            mixed,
            ..
        } = scratch;
        let depth = self.config.width / self.config.heads;
        mixed.reset(self.config.width, query.width());
        for span in spans.iter().filter(|span| span.count > 0) {
            for head in 0..self.config.heads {
                let piece = Piece {
                    feature: head * depth,
                    depth,
                    start: span.start as usize,
                    count: span.count as usize,
                };
                piece.attend(query, key, value, mixed);
            }
        }
    }
}

/// One head of one sentence.
struct Piece {
    feature: usize,
    depth: usize,
    start: usize,
    count: usize,
}

impl Piece {
    fn attend(&self, query: &Panel, key: &Panel, value: &Panel, mixed: &mut Panel) {
        let lanes = padded(self.count);
        let mut queries = vec![0.0; self.depth * lanes];
        for (feature, row) in queries.chunks_exact_mut(lanes).enumerate() {
            let from = &query.row(self.feature + feature)[self.start..];
            row[..self.count].copy_from_slice(&from[..self.count]);
        }
        // Keys are rows and queries are lanes.
        let mut scores = vec![0.0; self.count * lanes];
        let keys = self.matrix(key, (1, key.width()));
        let shape = (self.count, lanes, self.depth);
        let to = (&mut scores[..], lanes);
        gemm(shape, keys, (&queries, lanes), to, Write::Replace);
        scale(1.0 / (self.depth as f32).sqrt(), &mut scores);
        softmax_columns(&mut scores, lanes);
        let values = self.matrix(value, (value.width(), 1));
        let shape = (self.depth, lanes, self.count);
        let to = (&mut queries[..], lanes);
        gemm(shape, values, (&scores, lanes), to, Write::Replace);
        let width = mixed.width();
        for (feature, row) in queries.chunks_exact(lanes).enumerate() {
            let at = (self.feature + feature) * width + self.start;
            mixed.data[at..at + self.count].copy_from_slice(&row[..self.count]);
        }
    }

    /// Returns the head's features of the sentence, or their transpose.
    fn matrix<'a>(&self, panel: &'a Panel, (row, col): (usize, usize)) -> Strided<'a> {
        let data = &panel.data[self.feature * panel.width() + self.start..];
        Strided { data, row, col }
    }
}

impl Layer {
    fn new(tensors: LayerTensors<Tensor>) -> Result<Self, WeightsError> {
        Ok(Self {
            query: Linear::new(tensors.query)?,
            key: Linear::new(tensors.key)?,
            value: Linear::new(tensors.value)?,
            output: Linear::new(tensors.output)?,
            norm_attention: Norm::new(tensors.norm_attention)?,
            widen: Linear::new(tensors.widen)?,
            narrow: Linear::new(tensors.narrow)?,
            norm: Norm::new(tensors.norm)?,
        })
    }
}

/// `y = W·x + b` in each lane.
struct Linear {
    /// `[outputs, inputs]`, row-major.
    weight: Vec<f32>,
    /// `[outputs]`.
    bias: Vec<f32>,
}

impl Linear {
    fn new(tensors: Pair<Tensor>) -> Result<Self, WeightsError> {
        Ok(Self {
            weight: tensors.weight.into_values()?,
            bias: tensors.bias.into_values()?,
        })
    }

    fn forward(&self, x: &Panel, y: &mut Panel) {
        let (outputs, inputs, width) = (self.bias.len(), x.features(), x.width());
        y.reshape(outputs, width);
        for (row, &bias) in y.data.chunks_exact_mut(width).zip(&self.bias) {
            row.fill(bias);
        }
        let weight = Strided {
            data: &self.weight,
            row: inputs,
            col: 1,
        };
        let shape = (outputs, width, inputs);
        let to = (&mut y.data[..], width);
        gemm(shape, weight, (&x.data, width), to, Write::Add);
    }
}

/// Layer normalisation.
struct Norm {
    /// `[C]`.
    gain: Vec<f32>,
    /// `[C]`.
    bias: Vec<f32>,
}

impl Norm {
    fn new(tensors: Pair<Tensor>) -> Result<Self, WeightsError> {
        Ok(Self {
            gain: tensors.weight.into_values()?,
            bias: tensors.bias.into_values()?,
        })
    }

    fn forward(&self, x: &Panel, epsilon: f32, y: &mut Panel) {
        y.reshape(x.features(), x.width());
        let mut mean = vec![0.0; x.width()];
        let mut inverse = vec![0.0; x.width()];
        layer_norm(
            &x.data,
            &self.gain,
            &self.bias,
            epsilon,
            &mut y.data,
            &mut mean,
            &mut inverse,
        );
    }
}
