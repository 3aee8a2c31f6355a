//! How panels pass through a side, forward and back.

use crate::features::FeatureRows;
use crate::matrix::Layout;
use crate::matrix::Panel;
use crate::matrix::Write;
use crate::matrix::add;
use crate::matrix::drop_elements;
use crate::matrix::gelu;
use crate::matrix::gelu_backward;
use crate::matrix::pack;
use crate::matrix::padded;
use crate::nlu::diet::input::Input;
use crate::nlu::diet::input::Unified;
use crate::nlu::diet::masking::Masked;
use crate::nlu::diet::packing::Packing;
use crate::nlu::diet::side::Pooling;
use crate::nlu::diet::side::Side;
use crate::nn::Draw;
use crate::nn::FeedForward;
use crate::nn::FeedForwardCache;
use crate::nn::Gradients;
use crate::nn::Parameters;
use crate::nn::TransformerCache;

/// The messages that a [`Side`] works on in one step.
#[derive(Clone, Copy)]
pub(crate) struct Messages<'a> {
    /// Their features; `None` for one-hot labels.
    pub rows: Option<&'a FeatureRows>,
    /// Which messages, in order.
    pub chosen: &'a [u32],
}

/// One panel on its way through a side, and what it leaves behind for the way
/// back. Reused from step to step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Piece {
    /// Where the messages lie.
    pub layout: Layout,
    /// Lane of each message's last position.
    last: Vec<u32>,
    draw: Option<Draw>,
    /// Whether all positions are encoded, not only the last ones.
    is_whole: bool,
    unified: Unified,
    hidden: FeedForwardCache,
    hidden_out: Panel,
    /// Tokens that are hidden from the transformer.
    pub masked: Masked,
    transformer: TransformerCache,
    transformed: Panel,
    /// `[units, lanes]`: encoded positions; only the last ones, in the lanes of
    /// `embedding`, when no other is wanted.
    pub encoded: Panel,
    pooled: Panel,
    after: FeedForwardCache,
    after_out: Panel,
    /// `[embedding_dimension, messages]`.
    pub embedding: Panel,
}

/// Branches of a step's draw; 0 and 1 are those of sparse values.
const DENSE: u64 = 2;
const HIDDEN: u64 = 3;
const TRANSFORMER: u64 = 4;
const AFTER: u64 = 5;
const UNIFY: u64 = 6;
const MASK: u64 = 7;

impl Side {
    /// Lays out the messages.
    pub fn pack(&self, messages: Messages<'_>) -> Packing {
        match messages.rows {
            Some(rows) => Packing::new(rows, messages.chosen, self.positions()),
            None => Packing {
                layouts: pack(&vec![1; messages.chosen.len()]),
                ..Packing::default()
            },
        }
    }

    /// Fills one input panel a layout.
    pub fn read(
        &self,
        parameters: &Parameters,
        messages: Messages<'_>,
        packing: &Packing,
        training: Option<Draw>,
        panels: &mut Vec<Panel>,
    ) {
        panels.resize_with(packing.layouts.len(), Panel::default);
        for (panel, layout) in panels.iter_mut().zip(&packing.layouts) {
            panel.reset(self.input.panel_units(), layout.width);
        }
        match (&self.input, messages.rows) {
            (Input::OneHot(_), _) => {
                for (panel, layout) in panels.iter_mut().zip(&packing.layouts) {
                    for (lane, span) in layout.spans.iter().enumerate() {
                        let label = messages.chosen[layout.first_sentence + lane];
                        panel.set_column(span.start as usize, label as usize, &[1.0]);
                    }
                }
            }
            (input, Some(rows)) => {
                let dropout = (training, self.input_dropout.sparse);
                input.fill(parameters, rows, packing, dropout, panels);
            }
            (Input::Rows(_), None) => unreachable!("sides of rows are given rows"),
        }
    }

    /// Adds the gradients of the input layers, given those of the input panels.
    pub fn read_backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        messages: Messages<'_>,
        packing: &Packing,
        training: Option<Draw>,
        input_gradients: &[Panel],
    ) {
        let Some(rows) = messages.rows else { return };
        let dropout = (training, self.input_dropout.sparse);
        let panels = input_gradients;
        self.input
            .fill_backward(parameters, gradients, rows, packing, dropout, panels);
    }

    /// Takes one panel from its input (which dropout changes) to its embedding.
    ///
    /// `training` must differ from panel to panel and step to step.
    pub fn forward(
        &self,
        parameters: &Parameters,
        layout: &Layout,
        training: Option<Draw>,
        input: &mut Panel,
        piece: &mut Piece,
    ) {
        piece.layout.clone_from(layout);
        piece.last = layout.last_lanes();
        piece.draw = training;
        piece.is_whole = self.all_encoded || training.is_some() && self.masking.is_some();
        self.drop_dense(training, input);
        let draw = |branch| training.map(|draw| draw.at(branch));
        let mut x: &Panel = input;
        if self.input.is_unified() {
            let unified = &mut piece.unified;
            self.input
                .unify(parameters, layout, draw(UNIFY), x, unified);
            x = &unified.out;
        }
        if has_layers(&self.hidden) {
            let out = &mut piece.hidden_out;
            self.hidden
                .forward(parameters, draw(HIDDEN), x, &mut piece.hidden, out);
            x = out;
        }
        let before = x;
        let masking = self.masking.as_ref().zip(draw(MASK));
        if let Some((masking, draw)) = masking {
            masking.hide(parameters, layout, draw, before, &mut piece.masked);
        }
        let seen = match masking {
            Some(_) => &piece.masked.input,
            None => before,
        };
        match &self.transformer {
            Some(transformer) => {
                let needed = (!piece.is_whole).then_some(&piece.last[..]);
                let (cache, out) = (&mut piece.transformer, &mut piece.transformed);
                let draw = draw(TRANSFORMER);
                transformer.forward(parameters, layout, needed, draw, seen, cache, out);
                piece.encoded.reshape(out.features(), out.width());
                gelu(&out.data, &mut piece.encoded.data);
            }
            None => piece.encoded.clone_from(seen),
        }
        if let Some((masking, _)) = masking {
            let (encoded, masked) = (&piece.encoded, &mut piece.masked);
            masking.embed(parameters, before, encoded, masked);
        }
        if self.embed.is_some() {
            self.embed_forward(parameters, piece);
        }
    }

    /// Drops features that come from sparse ones, or their gradients.
    fn drop_dense(&self, training: Option<Draw>, panel: &mut Panel) {
        let Some((rate, draw)) = self.input_dropout.dense.zip(training) else {
            return;
        };
        let width = panel.width();
        for features in self.input.dropped() {
            let own = features.start * width..features.end * width;
            drop_elements(draw.at(DENSE).dropout(rate), &mut panel.data[own]);
        }
    }

    fn embed_forward(&self, parameters: &Parameters, piece: &mut Piece) {
        let Some(embed) = &self.embed else { return };
        match self.pooling {
            Pooling::Last if self.is_pooled(piece) => piece.pooled.clone_from(&piece.encoded),
            Pooling::Last => piece.pooled.gather(&piece.encoded, &piece.last),
            Pooling::Sum => {
                let messages = piece.layout.spans.len();
                piece
                    .pooled
                    .reset(piece.encoded.features(), padded(messages));
                let owners = owners(&piece.layout);
                piece.encoded.scatter_add(&mut piece.pooled, &owners);
            }
        }
        let mut x = &piece.pooled;
        if has_layers(&self.after) {
            let (cache, out) = (&mut piece.after, &mut piece.after_out);
            let draw = piece.draw.map(|draw| draw.at(AFTER));
            self.after.forward(parameters, draw, x, cache, out);
            x = out;
        }
        embed.forward(parameters, x, &mut piece.embedding);
    }

    /// Returns whether the encoded lanes are the last positions already.
    fn is_pooled(&self, piece: &Piece) -> bool {
        !piece.is_whole && self.pooling == Pooling::Last
    }

    /// Adds the gradients of one panel and writes that of its input.
    ///
    /// `embedding_gradient` is zero in lanes without a message, and
    /// `encoded_gradient` (that of the tags) in lanes without a position.
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        input: &Panel,
        piece: &mut Piece,
        embedding_gradient: Option<&Panel>,
        encoded_gradient: Option<Panel>,
        input_gradient: &mut Panel,
    ) {
        let mut dy = match embedding_gradient {
            Some(gradient) => self.embed_backward(parameters, gradients, piece, gradient),
            None => Panel::new(piece.encoded.features(), piece.encoded.width()),
        };
        if let Some(gradient) = encoded_gradient {
            add(&gradient.data, &mut dy.data);
        }
        let has_hidden = has_layers(&self.hidden);
        let masking = self.masking.as_ref().filter(|_| piece.draw.is_some());
        if let Some(masking) = masking {
            masking.predicted_backward(parameters, gradients, &piece.masked, &mut dy);
        }
        if let Some(transformer) = &self.transformer {
            gelu_backward(&piece.transformed.data, &mut dy.data);
            let x = match (has_hidden, self.input.is_unified()) {
                _ if masking.is_some() => &piece.masked.input,
                (true, _) => &piece.hidden_out,
                (false, true) => &piece.unified.out,
                (false, false) => input,
            };
            let (layout, cache) = (&piece.layout, &mut piece.transformer);
            let mut dx = Panel::default();
            transformer.backward(
                parameters,
                gradients,
                layout,
                x,
                cache,
                &mut dy,
                Some(&mut dx),
            );
            dy = dx;
        }
        if let Some(masking) = masking {
            masking.hide_backward(parameters, gradients, &piece.masked, &mut dy);
        }
        if has_hidden {
            self.hidden
                .backward(parameters, gradients, &piece.hidden, &mut dy);
        }
        if self.input.is_unified() {
            let unified = &piece.unified;
            dy = self
                .input
                .unify_backward(parameters, gradients, unified, &dy);
        }
        std::mem::swap(input_gradient, &mut dy);
        self.drop_dense(piece.draw, input_gradient);
    }

    /// Returns the gradient of the encoded positions.
    fn embed_backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        piece: &mut Piece,
        gradient: &Panel,
    ) -> Panel {
        let embed = self.embed.as_ref().expect("a side with embeddings embeds");
        let has_after = has_layers(&self.after);
        let x = if has_after {
            &piece.after_out
        } else {
            &piece.pooled
        };
        let mut dx = Panel::default();
        let write = Write::Replace;
        embed.backward(parameters, gradients, x, gradient, Some((&mut dx, write)));
        if has_after {
            self.after
                .backward(parameters, gradients, &piece.after, &mut dx);
        }
        if self.is_pooled(piece) {
            return dx;
        }
        let mut spread = Panel::new(piece.encoded.features(), piece.encoded.width());
        match self.pooling {
            Pooling::Last => dx.scatter_add(&mut spread, &piece.last),
            Pooling::Sum => spread.gather(&dx, &owners(&piece.layout)),
        }
        spread
    }
}

/// Returns which message of the panel each lane belongs to.
fn owners(layout: &Layout) -> Vec<u32> {
    let spans = layout.spans.iter().enumerate();
    spans
        .flat_map(|(message, span)| (0..span.count).map(move |_| message as u32))
        .collect()
}

fn has_layers(feed_forward: &FeedForward) -> bool {
    !feed_forward.layers.is_empty()
}
