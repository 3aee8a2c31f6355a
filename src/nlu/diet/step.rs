//! One step of training: from a batch of examples to the gradients of all weights.
//!
//! ```text
//!   panels ─▶ forward (in parallel) ─▶ losses of the batch ─▶ backward (in slots) ─▶ input layers
//! ```
//!
//! Work is cut by the lengths of the messages and never by the number of
//! threads; gradients are added slot by slot.

use rayon::prelude::*;

use crate::matrix::Panel;
use crate::nlu::diet::LabelFeatures;
use crate::nlu::diet::Options;
use crate::nlu::diet::TrainingData;
use crate::nlu::diet::network::Network;
use crate::nlu::diet::network::label_loss;
use crate::nlu::diet::packing::Packing;
use crate::nlu::diet::passage::Messages;
use crate::nlu::diet::passage::Piece;
use crate::nlu::diet::side::Side;
use crate::nlu::diet::tags::PanelTags;
use crate::nlu::diet::tags::TagPiece;
use crate::nn::Crf;
use crate::nn::DotBatch;
use crate::nn::DotLoss;
use crate::nn::DotLossResult;
use crate::nn::Draw;
use crate::nn::Gradients;
use crate::nn::Parameters;
use crate::nn::in_slots;
use crate::nn::scale_factors;

/// What a step tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct StepReport {
    /// Sum of all losses, each a mean over the batch.
    pub loss: f32,
    /// Share of examples whose label was at least as similar as its negatives.
    pub label_accuracy: f32,
}

/// Branches of a step's draw.
const TEXT: u64 = 0;
const LABEL: u64 = 1;
const NEGATIVES: u64 = 2;
const OTHER_TOKENS: u64 = 3;

/// Memory of a step, reused by the next.
#[derive(Default)]
pub(crate) struct Workspace {
    text: SideWork,
    label: SideWork,
    /// Of every text panel.
    tags: Vec<PanelWork>,
    /// Gradients of the last step, to be added in this order.
    pub slots: Vec<Gradients>,
    whole: Gradients,
}

/// What one side works with in a step.
#[derive(Default)]
struct SideWork {
    packing: Packing,
    inputs: Vec<Panel>,
    pieces: Vec<Piece>,
    input_gradients: Vec<Panel>,
    embedding_gradients: Vec<Panel>,
}

/// The tags of one text panel.
#[derive(Default)]
struct PanelWork {
    /// Per head the right tag of each lane.
    right: Vec<Vec<u32>>,
    /// Per head.
    pieces: Vec<TagPiece>,
    /// Per head one a message with tokens.
    factors: Vec<Vec<f32>>,
}

/// A batch and what it is trained on.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// The options.
    pub options: &'a Options,
    /// All training data.
    pub data: &'a TrainingData,
    /// Examples of the batch.
    pub examples: &'a [u32],
    /// Labels to encode, as [`Network::encoded_labels`] gives them.
    pub labels: &'a [u32],
    /// A number for each token that tokens with the same features share; empty if none
    /// are hidden.
    pub token_kinds: &'a [u32],
    /// Names the random numbers of this step.
    pub draw: Draw,
}

impl Batch<'_> {
    fn branch(&self, branch: u64) -> Option<Draw> {
        Some(self.draw.at(branch))
    }

    fn texts(&self) -> Messages<'_> {
        Messages {
            rows: Some(&self.data.text),
            chosen: self.examples,
        }
    }

    fn labels(&self) -> Messages<'_> {
        let rows = match &self.data.label_features {
            LabelFeatures::Identity => None,
            LabelFeatures::Bag(rows) | LabelFeatures::Text(rows) => Some(rows),
        };
        Messages {
            rows,
            chosen: self.labels,
        }
    }
}

impl Network {
    /// Returns every label once and, if something of labels is dropped, those of
    /// some examples after them.
    ///
    /// Rasa 3.6: an example is compared with an encoding of its label of its own,
    /// and with one of every other label that all examples share.
    pub fn encoded_labels(&self, data: &TrainingData, examples: &[u32]) -> Vec<u32> {
        let mut labels: Vec<u32> = (0..data.labels.len() as u32).collect();
        if self.label.as_ref().is_some_and(Side::drops) {
            labels.extend(examples.iter().map(|&at| data.label_ids[at as usize]));
        }
        labels
    }

    /// Computes the losses of a batch and leaves the gradients in `work.slots`.
    pub fn step(&self, batch: Batch<'_>, work: &mut Workspace) -> StepReport {
        let parameters = &self.parameters;
        let mut report = StepReport::default();
        work.text
            .forward(parameters, &self.text, batch.texts(), batch.branch(TEXT));
        let crfs: Vec<Crf> = self.heads.iter().map(|head| head.crf(parameters)).collect();
        self.score_tags(batch, &crfs, work);
        for head in 0..self.heads.len() {
            report.loss += weigh_lessons(batch, head, &mut work.tags);
        }
        if let Some(label) = &self.label {
            work.label
                .forward(parameters, label, batch.labels(), batch.branch(LABEL));
            let result = compare(batch, &work.text, &work.label);
            report.loss += result.loss;
            report.label_accuracy = result.accuracy;
            let dimension = batch.options.embedding_dimension;
            work.text.spread(&result.d_inputs, dimension);
            work.label.spread(&result.d_labels, dimension);
        }
        if self.text.masking.is_some() {
            report.loss += work.text.compare_hidden(batch);
        }
        self.backward(batch, &crfs, work);
        report
    }

    /// Scores the tags of all panels and compares them with the right ones.
    fn score_tags(&self, batch: Batch<'_>, crfs: &[Crf], work: &mut Workspace) {
        let packing = &work.text.packing;
        work.tags
            .resize_with(packing.layouts.len(), PanelWork::default);
        for own in &mut work.tags {
            own.right.resize(self.heads.len(), Vec::new());
            own.pieces.resize_with(self.heads.len(), TagPiece::default);
            own.factors.resize(self.heads.len(), Vec::new());
            own.right.iter_mut().for_each(Vec::clear);
        }
        for (head, column) in batch.data.tags.iter().enumerate() {
            for place in &packing.sequence {
                let right = &mut work.tags[place.panel as usize].right[head];
                let lane = place.lane as usize;
                right.resize(right.len().max(lane + 1), 0);
                right[lane] = column.ids[place.row as usize];
            }
        }
        let panels = work.tags.par_iter_mut().zip(&work.text.pieces);
        panels.for_each(|(own, piece)| {
            for (head, (layers, crf)) in self.heads.iter().zip(crfs).enumerate() {
                let PanelWork { right, pieces, .. } = &mut *own;
                let tags = PanelTags {
                    layout: &piece.layout,
                    has_sentence: self.has_sentence,
                    entities: &right[0],
                };
                layers.forward(&self.parameters, &piece.encoded, tags, &mut pieces[head]);
                layers.learn(crf, &right[head], tags, &mut pieces[head]);
            }
        });
    }

    fn backward(&self, batch: Batch<'_>, crfs: &[Crf], work: &mut Workspace) {
        let parameters = &self.parameters;
        let mut items: Vec<Item<'_>> = Vec::new();
        let tags = work
            .tags
            .iter_mut()
            .map(Some)
            .chain(std::iter::repeat_with(|| None));
        items.extend(
            work.text
                .items(&self.text, self.label.is_some())
                .zip(tags)
                .map(|(item, tags)| Item { tags, ..item }),
        );
        if let Some(label) = &self.label {
            items.extend(work.label.items(label, true));
        }
        // The last slot of the step before is that of the input layers.
        work.whole = work.slots.pop().unwrap_or_default();
        in_slots(&mut work.slots, &mut items, |gradients, item| {
            let encoded = match &mut item.tags {
                Some(tags) if !self.heads.is_empty() => {
                    Some(self.tags_backward(gradients, crfs, item.piece, tags))
                }
                _ => None,
            };
            let embedding = item.embedding_gradient;
            let (input, output) = (item.input, &mut *item.input_gradient);
            let piece = &mut *item.piece;
            item.side.backward(
                parameters, gradients, input, piece, embedding, encoded, output,
            );
        });
        work.whole.clear();
        let whole = &mut work.whole;
        let texts = (&self.text, batch.texts(), batch.branch(TEXT));
        work.text.read_backward(parameters, whole, texts);
        if let Some(label) = &self.label {
            let labels = (label, batch.labels(), batch.branch(LABEL));
            work.label.read_backward(parameters, whole, labels);
        }
        work.slots.push(std::mem::take(&mut work.whole));
    }

    /// Returns the gradient of the encoded positions of a panel.
    fn tags_backward(
        &self,
        gradients: &mut Gradients,
        crfs: &[Crf],
        piece: &Piece,
        own: &mut PanelWork,
    ) -> Panel {
        let mut encoded = Panel::new(piece.encoded.features(), piece.encoded.width());
        let PanelWork {
            right,
            pieces,
            factors,
        } = own;
        let tags = PanelTags {
            layout: &piece.layout,
            has_sentence: self.has_sentence,
            entities: &right[0],
        };
        for (head, (layers, crf)) in self.heads.iter().zip(crfs).enumerate() {
            let (piece, factors) = (&mut pieces[head], &factors[head]);
            let parameters = &self.parameters;
            layers.backward(
                parameters,
                gradients,
                crf,
                tags,
                piece,
                factors,
                &mut encoded,
            );
        }
        encoded
    }
}

/// One panel of one side on its way back.
struct Item<'a> {
    side: &'a Side,
    input: &'a Panel,
    piece: &'a mut Piece,
    input_gradient: &'a mut Panel,
    embedding_gradient: Option<&'a Panel>,
    tags: Option<&'a mut PanelWork>,
}

impl SideWork {
    /// Takes messages from their features to their embeddings.
    fn forward(
        &mut self,
        parameters: &Parameters,
        side: &Side,
        messages: Messages<'_>,
        draw: Option<Draw>,
    ) {
        self.packing = side.pack(messages);
        let (packing, inputs) = (&self.packing, &mut self.inputs);
        side.read(parameters, messages, packing, draw, inputs);
        self.pieces
            .resize_with(packing.layouts.len(), Piece::default);
        let panels = self.pieces.par_iter_mut().zip(inputs);
        let panels = panels.zip(&packing.layouts).enumerate();
        panels.for_each(|(at, ((piece, input), layout))| {
            let draw = draw.map(|draw| draw.at(PANELS + at as u64));
            side.forward(parameters, layout, draw, input, piece);
        });
    }

    /// Returns the embeddings of all messages, `[messages, dimension]`.
    fn embeddings(&self, dimension: usize) -> Vec<f32> {
        let mut rows = Vec::with_capacity(self.packing.messages() * dimension);
        for piece in &self.pieces {
            for message in 0..piece.layout.spans.len() {
                rows.extend(piece.embedding.column(message));
            }
        }
        rows
    }

    /// Deals out the gradients of all embeddings to the panels.
    fn spread(&mut self, gradients: &[f32], dimension: usize) {
        self.embedding_gradients
            .resize_with(self.pieces.len(), Panel::default);
        let mut rows = gradients.chunks_exact(dimension);
        for (panel, piece) in self.embedding_gradients.iter_mut().zip(&self.pieces) {
            panel.reset(dimension, piece.embedding.width());
            for message in 0..piece.layout.spans.len() {
                let row = rows.next().expect("every message has a gradient");
                panel.set_column(message, 0, row);
            }
        }
    }

    /// Compares what was told of hidden tokens with what they are, leaves the gradients,
    /// and returns the loss.
    ///
    /// Rasa 3.6: the other tokens that each is compared with are those hidden in the
    /// batch. Differs from Rasa: where none are, there is no loss; it takes the first
    /// token of the batch.
    fn compare_hidden(&mut self, batch: Batch<'_>) -> f32 {
        let dimension = batch.options.embedding_dimension;
        let mut kind_of: Vec<Vec<u32>> = vec![Vec::new(); self.pieces.len()];
        for place in &self.packing.sequence {
            let kinds = &mut kind_of[place.panel as usize];
            let lane = place.lane as usize;
            kinds.resize(kinds.len().max(lane + 1), 0);
            kinds[lane] = batch.token_kinds[place.row as usize];
        }
        let (mut told, mut right, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        for (piece, kind_of) in self.pieces.iter().zip(&kind_of) {
            let masked = &piece.masked;
            for (at, &lane) in masked.lanes.iter().enumerate() {
                told.extend(masked.predicted.column(at));
                right.extend(masked.right.column(at));
                kinds.push(kind_of[lane as usize]);
            }
        }
        let own: Vec<u32> = (0..kinds.len() as u32).collect();
        let embedded = DotBatch {
            dimension,
            inputs: &told,
            labels: &right,
            kinds: kinds.len(),
            label_of: &own,
            alike: Some(&kinds),
            shares: None,
        };
        let loss = DotLoss {
            scale_loss: false,
            ..label_loss(batch.options)
        };
        let result = loss.apply(embedded, batch.draw.at(OTHER_TOKENS));
        let mut d_told = result.d_inputs.chunks_exact(dimension);
        let mut d_right = result.d_labels.chunks_exact(dimension);
        for piece in &mut self.pieces {
            let masked = &mut piece.masked;
            let width = masked.predicted.width();
            masked.d_predicted.reset(dimension, width);
            masked.d_right.reset(dimension, width);
            let gradients = d_told.by_ref().zip(d_right.by_ref());
            for (at, (told, right)) in gradients.take(masked.lanes.len()).enumerate() {
                masked.d_predicted.set_column(at, 0, told);
                masked.d_right.set_column(at, 0, right);
            }
        }
        result.loss
    }

    fn items<'a>(
        &'a mut self,
        side: &'a Side,
        has_embeddings: bool,
    ) -> impl Iterator<Item = Item<'a>> {
        self.input_gradients
            .resize_with(self.pieces.len(), Panel::default);
        let embedding_gradients = &self.embedding_gradients;
        let panels = self
            .inputs
            .iter()
            .zip(&mut self.pieces)
            .zip(&mut self.input_gradients);
        panels
            .enumerate()
            .map(move |(at, ((input, piece), input_gradient))| Item {
                side,
                input,
                piece,
                input_gradient,
                embedding_gradient: has_embeddings.then(|| &embedding_gradients[at]),
                tags: None,
            })
    }

    fn read_backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        (side, messages, draw): (&Side, Messages<'_>, Option<Draw>),
    ) {
        let (packing, panels) = (&self.packing, &self.input_gradients);
        side.read_backward(parameters, gradients, messages, packing, draw, panels);
    }
}

/// Draws of panels come after those of the input layers.
const PANELS: u64 = 16;

/// Compares the texts of a batch with their labels.
fn compare(batch: Batch<'_>, text: &SideWork, label: &SideWork) -> DotLossResult {
    let dimension = batch.options.embedding_dimension;
    let examples = batch.examples.iter();
    let label_of: Vec<u32> = examples
        .map(|&at| batch.data.label_ids[at as usize])
        .collect();
    let embedded = DotBatch {
        dimension,
        inputs: &text.embeddings(dimension),
        labels: &label.embeddings(dimension),
        kinds: batch.data.labels.len(),
        label_of: &label_of,
        alike: None,
        shares: None,
    };
    let draw = batch.draw.at(NEGATIVES);
    label_loss(batch.options).apply(embedded, draw)
}

/// Gives every lesson its factor in the gradient, and returns the loss.
///
/// Rasa 3.6: the mean of the negative log-likelihoods, each scaled like the loss
/// of a label if `scale_loss` is set.
fn weigh_lessons(batch: Batch<'_>, head: usize, tags: &mut [PanelWork]) -> f32 {
    let lessons = tags.iter().flat_map(|panel| &panel.pieces[head].lessons);
    let losses: Vec<f32> = lessons.map(|lesson| -lesson.log_likelihood).collect();
    let scales = match batch.options.scale_loss {
        true => scale_factors(&losses),
        false => vec![1.0; losses.len()],
    };
    let share = 1.0 / batch.examples.len() as f32;
    let mut factors = scales.iter().map(|scale| scale * share);
    for panel in tags {
        let count = panel.pieces[head].lessons.len();
        panel.factors[head] = factors.by_ref().take(count).collect();
    }
    let weighted = losses.iter().zip(&scales);
    weighted.map(|(loss, scale)| loss * scale * share).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Csr;
    use crate::nlu::diet::Sides;
    use crate::nlu::diet::masking::Shares;
    use crate::nlu::diet::masking::token_kinds;
    use crate::nlu::diet::network::Shape;
    use crate::nlu::diet::samples::Learnt;
    use crate::nlu::diet::samples::add_dense;
    use crate::nlu::diet::samples::tiny_options;
    use crate::nlu::diet::samples::toy;
    use crate::nlu::diet::samples::word_rows;
    use crate::nn::Stream;
    use crate::nn::TensorId;

    /// Compares the gradient of each tensor with finite differences: along the
    /// gradient itself, and along a random direction.
    fn check_gradients(options: &Options, data: &TrainingData) {
        let shape = Shape::of(data);
        let mut network = Network::new(options, &shape, &mut Stream::new(3));
        if let Some(masking) = &mut network.text.masking {
            // No gradient runs to a position that stands for another.
            masking.shares = Shares {
                mask: 0.6,
                other: 0.0,
            };
        }
        let examples: Vec<u32> = (0..data.text.messages() as u32).collect();
        let labels = network.encoded_labels(data, &examples);
        let batch = Batch {
            options,
            data,
            examples: &examples,
            labels: &labels,
            token_kinds: &token_kinds(&data.text),
            draw: Draw::new(5),
        };
        let mut work = Workspace::default();
        network.step(batch, &mut work);
        let mut gradients: Vec<(TensorId, Vec<f32>)> = Vec::new();
        for id in network.parameters.ids() {
            let mut sum = vec![0.0; network.parameters.values(id).len()];
            for slot in work.slots.iter().filter_map(|slot| slot.get(id)) {
                crate::matrix::add(slot, &mut sum);
            }
            gradients.push((id, sum));
        }
        let mut stream = Stream::new(8);
        for (id, gradient) in gradients {
            let name = network.parameters.name(id).to_owned();
            let random: Vec<f32> = gradient.iter().map(|_| stream.uniform() - 0.5).collect();
            for direction in [gradient.clone(), random] {
                let length = direction
                    .iter()
                    .map(|value| value * value)
                    .sum::<f32>()
                    .sqrt();
                assert!(length > 0.0, "`{name}` has no gradient");
                const BY: f32 = 4e-3;
                let mut loss_at = |by: f32| {
                    let parameters = &mut network.parameters;
                    let before = parameters.values(id).to_vec();
                    parameters.update(id, |values| {
                        for (value, step) in values.iter_mut().zip(&direction) {
                            *value += by * step / length;
                        }
                    });
                    let loss = network.step(batch, &mut Workspace::default()).loss;
                    let parameters = &mut network.parameters;
                    parameters.update(id, |values| values.copy_from_slice(&before));
                    loss
                };
                let (plus, minus) = (loss_at(BY), loss_at(-BY));
                let slope = (plus - minus) / (2.0 * BY);
                let products = gradient.iter().zip(&direction);
                let want = products.map(|(g, d)| g * d).sum::<f32>() / length;
                assert!(
                    (slope - want).abs() < 2e-3 + 0.02 * want.abs(),
                    "`{name}`: {slope} by differences, {want} by the way back"
                );
            }
        }
    }

    #[test]
    fn gradients_of_all_tensors_agree_with_finite_differences() {
        let options = Options {
            use_key_relative_attention: true,
            use_value_relative_attention: true,
            max_relative_position: 2,
            drop_rate_attention: 0.1,
            ..tiny_options()
        };
        check_gradients(&options, &toy(9, Learnt::All));
        check_gradients(&options, &toy(9, Learnt::Labels));
        check_gradients(&options, &toy(9, Learnt::Tags));
    }

    #[test]
    fn gradients_agree_where_tokens_are_hidden() {
        let options = Options {
            use_masked_language_model: true,
            ..tiny_options()
        };
        check_gradients(&options, &toy(30, Learnt::All));
        check_gradients(&options, &toy(30, Learnt::Labels));
        let options = Options {
            hidden_layers_sizes: Sides {
                text: vec![6],
                label: vec![],
            },
            ..options
        };
        let mut data = toy(30, Learnt::All);
        add_dense(&mut data.text, 3, 2);
        check_gradients(&options, &data);
    }

    #[test]
    fn a_hidden_token_is_told_from_those_around_it() {
        let options = Options {
            use_masked_language_model: true,
            drop_rate: 0.0,
            ..tiny_options()
        };
        let data = toy(30, Learnt::Labels);
        let examples: Vec<u32> = (0..30).collect();
        let network = Network::new(&options, &Shape::of(&data), &mut Stream::new(3));
        let labels = network.encoded_labels(&data, &examples);
        let loss = |kinds: &[u32]| {
            let batch = Batch {
                options: &options,
                data: &data,
                examples: &examples,
                labels: &labels,
                token_kinds: kinds,
                draw: Draw::new(5),
            };
            network.step(batch, &mut Workspace::default()).loss
        };
        let kinds = token_kinds(&data.text);
        let tokens = data.text.sequence.rows();
        // Words are the only features: as many kinds as words.
        assert_eq!(kinds.iter().max(), Some(&8));
        // Where all are alike there is nothing to tell them from.
        let (told, alike) = (loss(&kinds), loss(&vec![0; tokens]));
        assert!(told > alike + 1.0, "{told} {alike}");
    }

    #[test]
    fn gradients_agree_with_dense_features() {
        let options = Options {
            concat_dimension: Sides { text: 6, label: 5 },
            ..tiny_options()
        };
        // Beside the sparse ones alike; of another width each; of messages alone.
        for (sequence, sentence) in [(3, 3), (3, 2), (0, 4)] {
            let mut data = toy(9, Learnt::All);
            add_dense(&mut data.text, sequence, sentence);
            check_gradients(&options, &data);
        }
        let mut data = toy(9, Learnt::All);
        let tokens = data.text.sequence.rows();
        data.text.sequence = Csr::new(0);
        (0..tokens).for_each(|_| data.text.sequence.push_row([]));
        add_dense(&mut data.text, 5, 5);
        check_gradients(&options, &data);
        let options = Options {
            hidden_layers_sizes: Sides {
                text: vec![6],
                label: vec![],
            },
            number_of_transformer_layers: 0,
            ..options
        };
        check_gradients(&options, &data);
    }

    #[test]
    fn gradients_agree_with_hidden_layers_and_labels_that_are_texts() {
        let options = Options {
            hidden_layers_sizes: Sides {
                text: vec![6, 5],
                label: vec![5],
            },
            unidirectional_encoder: true,
            constrain_similarities: false,
            ..tiny_options()
        };
        let mut data = toy(9, Learnt::All);
        check_gradients(&options, &data);
        let texts = [vec![0, 1, 2], vec![3, 4], vec![1, 5]];
        data.label_features = LabelFeatures::Text(word_rows(&texts, 6));
        check_gradients(&options, &data);
        data.tags.clear();
        data.label_features = LabelFeatures::Identity;
        let options = Options {
            number_of_transformer_layers: 0,
            ..options
        };
        check_gradients(&options, &data);
    }
}
