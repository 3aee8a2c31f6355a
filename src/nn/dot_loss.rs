//! The dot-product loss between embedded inputs and embedded labels.

use crate::matrix::exp;
use crate::matrix::exp_each;
use crate::matrix::ln;
use crate::matrix::ln_each;
use crate::nn::random::Draw;

/// How two embeddings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Similarity {
    /// `a·b`.
    Inner,
    /// `a·b / (|a|·|b|)`.
    Cosine,
}

/// What is made of the similarities of one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LossKind {
    /// Softmax cross-entropy of the right label against the negatives.
    CrossEntropy {
        /// `constrain_similarities`: adds the sigmoid cross-entropy of each
        /// similarity, and the softmax takes only input–label pairs.
        constrain: bool,
    },
    /// Hinges on both sides.
    Margin {
        /// μ⁺, `maximum_positive_similarity`.
        positive: f32,
        /// μ⁻, `maximum_negative_similarity`.
        negative: f32,
        /// `use_maximum_negative_similarity`: only the nearest negative counts.
        nearest_only: bool,
        /// λ, `negative_margin_scale`.
        scale: f32,
    },
}

/// Options of the loss.
#[derive(Clone, Copy, Debug)]
pub struct DotLoss {
    /// Cross-entropy or margin.
    pub kind: LossKind,
    /// Inner product or cosine.
    pub similarity: Similarity,
    /// `scale_loss`: inputs that are right already weigh less.
    pub scale_loss: bool,
    /// `number_of_negative_examples`, of inputs and of labels each.
    pub negatives: usize,
}

/// Embedded inputs and labels of a batch.
#[derive(Clone, Copy, Debug)]
pub struct DotBatch<'a> {
    /// E, the embedding dimension.
    pub dimension: usize,
    /// `[N, E]`, row-major: one row an example, or a turn of a dialogue.
    pub inputs: &'a [f32],
    /// `[L, E]`, row-major: all labels; or `[L + N, E]`: then the label of each
    /// input as well, where dropout has made another encoding of it.
    pub labels: &'a [f32],
    /// L, how many labels there are.
    pub kinds: usize,
    /// `[N]`; the label that is right for each input.
    pub label_of: &'a [u32],
    /// `[L]`; labels of the same number are alike: none of them is a negative of an input
    /// whose right label is another. Each is like itself alone if `None`.
    pub alike: Option<&'a [u32]>,
    /// `[N]`; share of each input in the loss, `1/N` if `None`. A turn of a dialogue of
    /// T turns in a batch of B dialogues has `1/(B·T)`.
    pub shares: Option<&'a [f32]>,
}

/// Loss, accuracy and gradients of a batch.
#[derive(Clone, Debug, Default)]
pub struct DotLossResult {
    /// Weighted sum of the losses of the inputs.
    pub loss: f32,
    /// Share of inputs whose label is at least as similar as its negatives.
    pub accuracy: f32,
    /// `[N, E]`; gradient of the loss.
    pub d_inputs: Vec<f32>,
    /// As long as `labels`; gradient of the loss.
    pub d_labels: Vec<f32>,
}

/// One compared pair of rows of one input, and the gradient of its similarity.
#[derive(Clone, Copy)]
struct Pair {
    left: Row,
    right: Row,
    group: Group,
    similarity: f32,
    gradient: f32,
}

#[derive(Clone, Copy)]
enum Row {
    Input(usize),
    Label(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Positive,
    InputLabel,
    LabelLabel,
    InputInput,
    LabelInput,
}

impl DotLoss {
    /// Computes the loss and its gradients; `draw` names the negatives of this step.
    ///
    /// Each input is compared with its label and with negatives drawn with replacement:
    /// inputs of the batch and labels. A negative with the label of the input counts as
    /// similarity −10⁹, which is to say not at all. The mean of the sigmoid terms runs
    /// over all `1 + 4·negatives` pairs nonetheless (Rasa 3 `SingleLabelDotProductLoss`).
    ///
    /// # Panics
    ///
    /// If the sizes disagree or a label does not exist.
    pub fn apply(&self, batch: DotBatch<'_>, draw: Draw) -> DotLossResult {
        let count = batch.label_of.len();
        assert_eq!(batch.inputs.len(), count * batch.dimension);
        let inputs = Rows::new(batch.inputs, batch.dimension, self.similarity);
        let labels = Rows::new(batch.labels, batch.dimension, self.similarity);
        assert!([batch.kinds, batch.kinds + count].contains(&labels.count()));
        let mut pairs = Vec::with_capacity(count);
        let mut losses = Vec::with_capacity(count);
        for input in 0..count {
            let mut own = self.pairs(batch, &inputs, &labels, input, draw);
            losses.push(self.loss(&mut own));
            pairs.push(own);
        }
        let right = pairs.iter().filter(|own| is_right(own)).count();
        let factors = match self.scale_loss {
            true => scale_factors(&losses),
            false => vec![1.0; count],
        };
        let (mut d_inputs, mut d_labels) = (inputs.zeros(), labels.zeros());
        let mut loss = 0.0;
        for (input, own) in pairs.iter().enumerate() {
            let share = batch
                .shares
                .map_or(1.0 / count as f32, |shares| shares[input]);
            let weight = factors[input] * share;
            loss += losses[input] * weight;
            for pair in own.iter().filter(|pair| pair.gradient != 0.0) {
                let by = pair.gradient * weight;
                let value = |row| match row {
                    Row::Input(at) => inputs.row(at),
                    Row::Label(at) => labels.row(at),
                };
                for (to, from) in [(pair.left, pair.right), (pair.right, pair.left)] {
                    let sums = match to {
                        Row::Input(at) => &mut d_inputs[at * batch.dimension..],
                        Row::Label(at) => &mut d_labels[at * batch.dimension..],
                    };
                    for (sum, value) in sums.iter_mut().zip(value(from)) {
                        *sum += by * value;
                    }
                }
            }
        }
        inputs.through_norm(&mut d_inputs);
        labels.through_norm(&mut d_labels);
        DotLossResult {
            loss,
            accuracy: right as f32 / count.max(1) as f32,
            d_inputs,
            d_labels,
        }
    }

    /// Returns the pairs of an input, the positive one first, without bad negatives.
    fn pairs(
        &self,
        batch: DotBatch<'_>,
        inputs: &Rows,
        labels: &Rows,
        input: usize,
        draw: Draw,
    ) -> Vec<Pair> {
        let own = batch.label_of[input] as usize;
        let right = match labels.count() > batch.kinds {
            true => batch.kinds + input,
            false => own,
        };
        let kind = |label: usize| match batch.alike {
            Some(kinds) => kinds[label] as usize,
            None => label,
        };
        let mut pairs = Vec::with_capacity(1 + 4 * self.negatives);
        let mut push = |left, right, group| {
            let value = |row| match row {
                Row::Input(at) => inputs.row(at),
                Row::Label(at) => labels.row(at),
            };
            let products = value(left).iter().zip(value(right));
            pairs.push(Pair {
                left,
                right,
                group,
                similarity: products.map(|(a, b)| a * b).sum(),
                gradient: 0.0,
            });
        };
        push(Row::Input(input), Row::Label(right), Group::Positive);
        for negative in 0..self.negatives {
            let element = (input * self.negatives + negative) as u32;
            let label = draw.at(0).below(element, batch.kinds);
            if kind(label) != kind(own) {
                let row = Row::Label(label);
                push(Row::Input(input), row, Group::InputLabel);
                push(Row::Label(right), row, Group::LabelLabel);
            }
            let other = draw.at(1).below(element, inputs.count());
            if kind(batch.label_of[other] as usize) != kind(own) {
                let row = Row::Input(other);
                push(Row::Input(input), row, Group::InputInput);
                push(Row::Label(right), row, Group::LabelInput);
            }
        }
        pairs
    }

    /// Returns the loss of one input and leaves its gradients in the pairs.
    fn loss(&self, pairs: &mut [Pair]) -> f32 {
        match self.kind {
            LossKind::CrossEntropy { constrain } => {
                let mut loss = softmax_loss(pairs, constrain);
                if constrain {
                    loss += sigmoid_loss(pairs, 1 + 4 * self.negatives);
                }
                loss
            }
            LossKind::Margin {
                positive,
                negative,
                nearest_only,
                scale,
            } => {
                let mut loss = hinge(&mut pairs[0], positive, -1.0, 1.0);
                if nearest_only {
                    loss += nearest(pairs, Group::InputLabel, negative, 1.0);
                } else {
                    let others = pairs.iter_mut();
                    loss += others
                        .filter(|pair| pair.group == Group::InputLabel)
                        .map(|pair| hinge(pair, negative, 1.0, 1.0))
                        .sum::<f32>();
                }
                for group in [Group::LabelLabel, Group::InputInput, Group::LabelInput] {
                    loss += nearest(pairs, group, negative, scale);
                }
                loss
            }
        }
    }
}

/// Adds `ln Σ exp s − s₀` over all pairs, or over input–label pairs only.
fn softmax_loss(pairs: &mut [Pair], input_label_only: bool) -> f32 {
    let counts = |pair: &Pair| {
        let within = matches!(pair.group, Group::LabelLabel | Group::InputInput);
        !(input_label_only && within)
    };
    let mut top = f32::NEG_INFINITY;
    for pair in pairs.iter().filter(|pair| counts(pair)) {
        top = top.max(pair.similarity);
    }
    let counted = pairs.iter().filter(|pair| counts(pair));
    let mut powers: Vec<f32> = counted.map(|pair| pair.similarity - top).collect();
    exp_each(&mut powers);
    let sum: f32 = powers.iter().fold(0.0, |sum, power| sum + power);
    let counted = pairs.iter_mut().filter(|pair| counts(pair));
    for (pair, power) in counted.zip(powers) {
        pair.gradient += power / sum;
    }
    pairs[0].gradient -= 1.0;
    ln(sum) + top - pairs[0].similarity
}

/// Adds the mean of `ln(1 + e^s) − z·s` with z 1 for the positive pair.
fn sigmoid_loss(pairs: &mut [Pair], count: usize) -> f32 {
    let mut small: Vec<f32> = pairs.iter().map(|pair| -pair.similarity.abs()).collect();
    exp_each(&mut small);
    let mut logarithms: Vec<f32> = small.iter().map(|small| 1.0 + small).collect();
    ln_each(&mut logarithms);
    let mut sum = 0.0;
    for (pair, (small, logarithm)) in pairs.iter_mut().zip(small.into_iter().zip(logarithms)) {
        let wanted = f32::from(u8::from(pair.group == Group::Positive));
        let s = pair.similarity;
        sum += s.max(0.0) - wanted * s + logarithm;
        let sigmoid = if s >= 0.0 { 1.0 } else { small } / (1.0 + small);
        pair.gradient += (sigmoid - wanted) / count as f32;
    }
    sum / count as f32
}

/// Adds `scale · max(0, margin + sign · s)`.
fn hinge(pair: &mut Pair, margin: f32, sign: f32, scale: f32) -> f32 {
    let over = margin + sign * pair.similarity;
    if over <= 0.0 {
        return 0.0;
    }
    pair.gradient += sign * scale;
    over * scale
}

/// Adds the hinge of the most similar pair of a group.
fn nearest(pairs: &mut [Pair], group: Group, margin: f32, scale: f32) -> f32 {
    let of_group = pairs.iter_mut().filter(|pair| pair.group == group);
    let nearest = of_group.reduce(|a, b| if b.similarity > a.similarity { b } else { a });
    nearest.map_or(0.0, |pair| hinge(pair, margin, 1.0, scale))
}

fn is_right(pairs: &[Pair]) -> bool {
    let mut others = pairs.iter().filter(|pair| pair.group == Group::InputLabel);
    others.all(|pair| pair.similarity <= pairs[0].similarity)
}

/// Returns `((1 − p) / 0.5)⁴` with `p = e^(−loss)` per item, or all 1 if no p is above
/// one half. No gradient runs through it (Rasa 3 `_scale_loss`).
pub fn scale_factors(losses: &[f32]) -> Vec<f32> {
    let right = losses.iter().map(|&loss| exp(-loss));
    let right: Vec<f32> = right.collect();
    if right.iter().all(|&p| p <= 0.5) {
        return vec![1.0; losses.len()];
    }
    let squared = right.iter().map(|p| (1.0 - p) / 0.5 * ((1.0 - p) / 0.5));
    squared.map(|square| square * square).collect()
}

/// Rows to compare, of length 1 if the similarity is cosine.
struct Rows {
    dimension: usize,
    values: Vec<f32>,
    /// Length of each row before; empty if it does not matter.
    lengths: Vec<f32>,
}

impl Rows {
    fn new(values: &[f32], dimension: usize, similarity: Similarity) -> Self {
        let mut values = values.to_vec();
        let mut lengths = Vec::new();
        if similarity == Similarity::Cosine {
            for row in values.chunks_exact_mut(dimension) {
                let squares: f32 = row.iter().map(|value| value * value).sum();
                // TensorFlow's `l2_normalize` keeps squares above 10⁻¹².
                let length = squares.max(1e-12).sqrt();
                row.iter_mut().for_each(|value| *value /= length);
                lengths.push(length);
            }
        }
        Self {
            dimension,
            values,
            lengths,
        }
    }

    fn count(&self) -> usize {
        self.values.len() / self.dimension
    }

    fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.dimension..(at + 1) * self.dimension]
    }

    fn zeros(&self) -> Vec<f32> {
        vec![0.0; self.values.len()]
    }

    /// Turns gradients of the rows into those of the rows before normalisation.
    fn through_norm(&self, gradients: &mut [f32]) {
        for (at, length) in self.lengths.iter().enumerate() {
            let row = self.row(at);
            let own = &mut gradients[at * self.dimension..(at + 1) * self.dimension];
            let along: f32 = own.iter().zip(row).map(|(g, n)| g * n).sum();
            for (g, n) in own.iter_mut().zip(row) {
                *g = (*g - along * n) / length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::random::Stream;

    fn loss(kind: LossKind, similarity: Similarity) -> DotLoss {
        DotLoss {
            kind,
            similarity,
            scale_loss: false,
            negatives: 4,
        }
    }

    #[test]
    fn cross_entropy_of_known_similarities_is_as_by_hand() {
        // One input, two labels: every drawn input is bad, drawn labels may be.
        let labels = [1.0, 0.0, 0.0, 1.0];
        let batch = DotBatch {
            dimension: 2,
            inputs: &[2.0, 0.5],
            labels: &labels,
            kinds: 2,
            label_of: &[0],
            alike: None,
            shares: None,
        };
        let draw = Draw::new(4);
        let others = (0..4).filter(|&k| draw.at(0).below(k, 2) == 1).count() as f64;
        assert!(others > 0.0);
        let kind = LossKind::CrossEntropy { constrain: false };
        let plain = loss(kind, Similarity::Inner).apply(batch, draw);
        let sum = 2_f64.exp() + others * 0.5_f64.exp() + others;
        assert!((f64::from(plain.loss) - (sum.ln() - 2.0)).abs() < 1e-5);
        assert_eq!(plain.accuracy, 1.0);
        let kind = LossKind::CrossEntropy { constrain: true };
        let both = loss(kind, Similarity::Inner).apply(batch, draw);
        let soft = (2_f64.exp() + others * 0.5_f64.exp()).ln() - 2.0;
        let sigmoid =
            (1.0 + (-2_f64).exp()).ln() + others * ((1.0 + 0.5_f64.exp()).ln() + 2_f64.ln());
        assert!((f64::from(both.loss) - soft - sigmoid / 17.0).abs() < 1e-5);
        let margin = LossKind::Margin {
            positive: 2.5,
            negative: -0.4,
            nearest_only: true,
            scale: 0.8,
        };
        let hinged = loss(margin, Similarity::Inner).apply(batch, draw);
        assert!((hinged.loss - 0.5 - 0.1).abs() < 1e-6);
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let mut stream = Stream::new(9);
        let (count, kinds, dimension) = (7, 4, 5);
        let mut noise =
            |n: usize| -> Vec<f32> { (0..n).map(|_| 2.0 * stream.uniform() - 1.0).collect() };
        let inputs = noise(count * dimension);
        let (shared, apart) = (noise(kinds * dimension), noise((kinds + count) * dimension));
        let label_of: Vec<u32> = (0..count as u32).map(|k| k % kinds as u32).collect();
        let shares = noise(count);
        let margin = |nearest_only| LossKind::Margin {
            positive: 0.8,
            negative: 0.4,
            nearest_only,
            scale: 0.8,
        };
        for kind in [
            LossKind::CrossEntropy { constrain: false },
            LossKind::CrossEntropy { constrain: true },
            margin(true),
            margin(false),
        ] {
            for (similarity, labels) in [
                (Similarity::Inner, &shared),
                (Similarity::Cosine, &shared),
                (Similarity::Inner, &apart),
            ] {
                let at = |inputs: &[f32], labels: &[f32]| {
                    let batch = DotBatch {
                        dimension,
                        inputs,
                        labels,
                        kinds,
                        label_of: &label_of,
                        alike: None,
                        shares: Some(&shares),
                    };
                    loss(kind, similarity).apply(batch, Draw::new(1))
                };
                let result = at(&inputs, labels);
                let check = |gradient: f32, plus: f32, minus: f32| {
                    let slope = (plus - minus) / 2e-3;
                    assert!(
                        (gradient - slope).abs() < 3e-3,
                        "{kind:?} {gradient} {slope}"
                    );
                };
                for k in 0..inputs.len() {
                    let (mut plus, mut minus) = (inputs.clone(), inputs.clone());
                    plus[k] += 1e-3;
                    minus[k] -= 1e-3;
                    check(
                        result.d_inputs[k],
                        at(&plus, labels).loss,
                        at(&minus, labels).loss,
                    );
                }
                for k in 0..labels.len() {
                    let (mut plus, mut minus) = (labels.clone(), labels.clone());
                    plus[k] += 1e-3;
                    minus[k] -= 1e-3;
                    check(
                        result.d_labels[k],
                        at(&inputs, &plus).loss,
                        at(&inputs, &minus).loss,
                    );
                }
            }
        }
    }

    #[test]
    fn losses_are_scaled_only_once_something_is_right() {
        assert_eq!(scale_factors(&[1.0, 2.0]), [1.0, 1.0]);
        let factors = scale_factors(&[0.1, 3.0]);
        let p = (-0.1_f64).exp();
        assert!((f64::from(factors[0]) - ((1.0 - p) / 0.5).powi(4)).abs() < 1e-6);
        assert!(factors[1] > 1.0);
    }
}
