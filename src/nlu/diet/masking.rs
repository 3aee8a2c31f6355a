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
use crate::matrix::Span;
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
    /// Differs from Rasa: what stands for a token that is exchanged is any token of the
    /// same panel; there it may be noise, in the place of a whole message or of padding.
    pub fn hide(
        &self,
        parameters: &Parameters,
        layout: &Layout,
        draw: Draw,
        before: &Panel,
        masked: &mut Masked,
    ) {
        let beside = u32::from(self.has_sentence);
        let of_message = |span: &Span| span.start..(span.start + span.count).max(beside) - beside;
        let tokens: Vec<u32> = layout.spans.iter().flat_map(of_message).collect();
        let chosen = |lane: &u32| draw.at(0).falls(*lane, CHOSEN);
        masked.lanes.clear();
        masked.lanes.extend(tokens.iter().copied().filter(chosen));
        let stands = masked.lanes.iter();
        let stands = stands.map(|&lane| self.stand(&tokens, draw, lane));
        masked.stands = stands.collect();
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

    fn stand(&self, tokens: &[u32], draw: Draw, lane: u32) -> Stand {
        let chance = draw.at(1).uniform(lane);
        if chance < self.shares.mask {
            Stand::Mask
        } else if chance < self.shares.mask + self.shares.other {
            Stand::Other(tokens[draw.at(2).below(lane, tokens.len())])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::pack;
    use crate::nn::in_slots;

    const OTHERS: Shares = Shares {
        mask: 0.0,
        other: 1.0,
    };

    /// A panel of ten messages of five tokens, each with a number of its own, and a
    /// position for the whole.
    fn hidden(shares: Shares) -> (Masking, Parameters, Panel, Masked) {
        let mut parameters = Parameters::new();
        let (options, mut stream) = (Options::default(), Stream::new(3));
        let mut masking = Masking::new(&mut parameters, &options, (2, 2), true, &mut stream);
        masking.shares = shares;
        let layout = &pack(&[6; 10])[0];
        let mut before = Panel::new(2, layout.width);
        for lane in 0..60 {
            before.set_column(lane, 0, &[lane as f32, 1.0]);
        }
        let mut masked = Masked::default();
        masking.hide(&parameters, layout, Draw::new(5), &before, &mut masked);
        masking.embed(&parameters, &before, &before, &mut masked);
        (masking, parameters, before, masked)
    }

    #[test]
    fn tokens_are_exchanged_for_tokens_and_whole_messages_stay() {
        let (.., before, masked) = hidden(OTHERS);
        assert!((3..15).contains(&masked.lanes.len()), "{masked:?}");
        for lane in 0..60_u32 {
            let (was, is) = (
                before.column(lane as usize),
                masked.input.column(lane as usize),
            );
            if !masked.lanes.contains(&lane) {
                assert_eq!(was, is);
            }
            assert!(lane % 6 < 5 || !masked.lanes.contains(&lane));
            assert!(is[0] as u32 == lane || is[0] as u32 % 6 < 5);
        }
    }

    #[test]
    fn no_gradient_runs_through_what_stands_for_a_token() {
        let right = |shares| {
            let (masking, parameters, before, mut masked) = hidden(shares);
            let width = masked.right.width();
            masked.d_right = Panel::new(masked.right.features(), width);
            let mut dy = Panel::new(2, before.width());
            dy.data.fill(1.0);
            let mut slots = Vec::new();
            in_slots(&mut slots, &mut [&mut dy], |gradients, dy| {
                masking.hide_backward(&parameters, gradients, &masked, dy);
            });
            let lanes = masked.lanes.clone();
            let mask = slots[0].get(masking.mask).map(<[f32]>::to_vec);
            let of_hidden = lanes.iter().map(|&lane| dy.column(lane as usize));
            let of_hidden: f32 = of_hidden.flatten().sum();
            let all: f32 = dy.data.iter().sum();
            (
                lanes.len() as f32,
                of_hidden,
                all - before.data.len() as f32,
                mask,
            )
        };
        let (count, of_hidden, lost, mask) = right(OTHERS);
        assert_eq!((of_hidden, lost, mask), (0.0, -2.0 * count, None));
        let masks = Shares {
            mask: 1.0,
            other: 0.0,
        };
        let (count, of_hidden, lost, mask) = right(masks);
        assert_eq!((of_hidden, lost), (0.0, -2.0 * count));
        assert_eq!(mask, Some(vec![count, count]));
    }
}
