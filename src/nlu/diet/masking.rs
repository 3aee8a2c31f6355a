//! Masked tokens: some of those that a text is made of are hidden from the transformer,
//! and told from the others around them.
//!
//! ```text
//!   positions ──▶ masked ──▶ transformer ──▶ encoded ──▶ predicted ─┐
//!       └───────────────── as they were ───────────────▶ right ─────┴─▶ loss
//! ```
//!
//! Rasa 3.6: `InputMask` and `DIET._mask_loss`.

use std::collections::HashMap;

use crate::features::FeatureRows;
use crate::matrix::Layout;
use crate::matrix::Panel;
use crate::matrix::Write;
use crate::nlu::diet::Options;
use crate::nn::Draw;
use crate::nn::Gradients;
use crate::nn::Linear;
use crate::nn::LinearOptions;
use crate::nn::Parameters;
use crate::nn::Stream;
use crate::nn::TensorId;

/// Probability that a token is chosen.
const CHOSEN: f32 = 0.15;

/// What becomes of chosen tokens, as probabilities; the others stay as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shares {
    /// The mask takes their place.
    pub mask: f32,
    /// Another position does.
    pub other: f32,
}

/// Rasa's.
pub(crate) const SHARES: Shares = Shares {
    mask: 0.7,
    other: 0.1,
};

/// What hides tokens, and the layers that compare them.
#[derive(Clone, Debug)]
pub(crate) struct Masking {
    /// `[units]` of a position before the transformer: what stands for a token.
    mask: TensorId,
    /// From encoded positions to the space in which tokens are compared.
    predicted: Linear,
    /// To it from positions as they were.
    right: Linear,
    has_sentence: bool,
    /// What becomes of chosen tokens.
    pub shares: Shares,
}

/// The chosen tokens of one panel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masked {
    /// Their lanes, ascending.
    pub lanes: Vec<u32>,
    stands: Vec<Stand>,
    /// All positions, with what stands in the chosen lanes.
    pub input: Panel,
    encoded: Panel,
    before: Panel,
    /// `[embedding_dimension, tokens]`: what was told from those around them.
    pub predicted: Panel,
    /// `[embedding_dimension, tokens]`: what they are.
    pub right: Panel,
    /// Gradients of these two.
    pub d_predicted: Panel,
    pub d_right: Panel,
}

/// What stands in the place of a chosen token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Mask,
    Other(u32),
    Itself,
}

impl Masking {
    /// Adds the tensors below `text/mask`.
    pub fn new(
        parameters: &mut Parameters,
        options: &Options,
        (before, encoded): (usize, usize),
        has_sentence: bool,
        stream: &mut Stream,
    ) -> Self {
        let values = stream.glorot_uniform(1, before);
        let mask = parameters.add("text/mask/vector", &[before], values, 0.0);
        let linear = LinearOptions {
            density: 1.0,
            l2: options.regularization_constant,
            bias: true,
        };
        let mut layer = |name: &str, units: usize| {
            let shape = (units, options.embedding_dimension);
            let name = format!("text/mask/{name}");
            Linear::new(parameters, &name, shape, linear, stream)
        };
        Self {
            mask,
            predicted: layer("predicted", encoded),
            right: layer("right", before),
            has_sentence,
            shares: SHARES,
        }
    }

    /// Chooses tokens of a panel and puts something in their places.
    ///
    /// Differs from Rasa: what stands for a token that is exchanged comes from another
    /// position of the same panel, never from padding, of which there is none.
    pub fn hide(
        &self,
        parameters: &Parameters,
        layout: &Layout,
        draw: Draw,
        before: &Panel,
        masked: &mut Masked,
    ) {
        let Masked { lanes, stands, .. } = masked;
        lanes.clear();
        stands.clear();
        let beside = u32::from(self.has_sentence);
        for span in &layout.spans {
            for lane in span.start..(span.start + span.count).saturating_sub(beside) {
                if draw.at(0).falls(lane, CHOSEN) {
                    lanes.push(lane);
                    stands.push(self.stand(layout, draw, lane));
                }
            }
        }
        masked.input.clone_from(before);
        let mask = parameters.values(self.mask);
        for (&lane, stand) in masked.lanes.iter().zip(&masked.stands) {
            match *stand {
                Stand::Mask => masked.input.set_column(lane as usize, 0, mask),
                Stand::Other(other) => {
                    let other = before.column(other as usize);
                    masked.input.set_column(lane as usize, 0, &other);
                }
                Stand::Itself => {}
            }
        }
    }

    fn stand(&self, layout: &Layout, draw: Draw, lane: u32) -> Stand {
        let chance = draw.at(1).uniform(lane);
        if chance < self.shares.mask {
            Stand::Mask
        } else if chance < self.shares.mask + self.shares.other {
            Stand::Other(draw.at(2).below(lane, layout.tokens()) as u32)
        } else {
            Stand::Itself
        }
    }

    /// Brings the chosen tokens, as told and as they are, to the space in which they are
    /// compared.
    pub fn embed(
        &self,
        parameters: &Parameters,
        before: &Panel,
        encoded: &Panel,
        masked: &mut Masked,
    ) {
        masked.encoded.gather(encoded, &masked.lanes);
        masked.before.gather(before, &masked.lanes);
        let told = &mut masked.predicted;
        self.predicted.forward(parameters, &masked.encoded, told);
        let right = &mut masked.right;
        self.right.forward(parameters, &masked.before, right);
    }

    /// Adds what the predictions ask of the encoded positions to their gradient.
    pub fn predicted_backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        masked: &Masked,
        encoded: &mut Panel,
    ) {
        let mut dx = Panel::default();
        let (x, dy) = (&masked.encoded, &masked.d_predicted);
        let write = Some((&mut dx, Write::Replace));
        self.predicted.backward(parameters, gradients, x, dy, write);
        dx.scatter_add(encoded, &masked.lanes);
    }

    /// Turns the gradient of what the transformer was given into that of the positions
    /// as they were.
    ///
    /// Rasa 3.6: no gradient runs to the position that stands for another.
    pub fn hide_backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        masked: &Masked,
        gradient: &mut Panel,
    ) {
        let zeros = vec![0.0; gradient.features()];
        for (&lane, stand) in masked.lanes.iter().zip(&masked.stands) {
            if *stand == Stand::Mask {
                let own = gradients.of(parameters, self.mask);
                crate::matrix::add(&gradient.column(lane as usize), own);
            }
            if *stand != Stand::Itself {
                gradient.set_column(lane as usize, 0, &zeros);
            }
        }
        let mut dx = Panel::default();
        let (x, dy) = (&masked.before, &masked.d_right);
        let write = Some((&mut dx, Write::Replace));
        self.right.backward(parameters, gradients, x, dy, write);
        dx.scatter_add(gradient, &masked.lanes);
    }
}

/// Returns for each token a number that tokens with the same features share.
///
/// Rasa 3.6: by the dense features if there are any, else by the sparse ones, of which
/// it takes a random projection.
pub(crate) fn token_kinds(rows: &FeatureRows) -> Vec<u32> {
    let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut features = Vec::new();
    let tokens = 0..rows.sequence.rows();
    let kinds = tokens.map(|token| {
        features.clear();
        if rows.dense_sequence.cols() > 0 {
            let values = rows.dense_sequence.row(token).iter();
            features.extend(values.map(|value| value.to_bits()));
        } else {
            let (columns, values) = rows.sequence.row(token);
            features.extend(columns);
            features.extend(values.iter().map(|value| value.to_bits()));
        }
        let next = known.len() as u32;
        match known.get(&features) {
            Some(kind) => *kind,
            None => *known.entry(features.clone()).or_insert(next),
        }
    });
    kinds.collect()
}
