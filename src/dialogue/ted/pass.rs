//! What a batch leaves behind on its way through the network, for the way back.

use crate::dialogue::ted::actions::ActionPass;
use crate::matrix::Layout;
use crate::matrix::Panel;
use crate::nn::Draw;
use crate::nn::Placed;
use crate::nn::TransformerCache;

/// A batch on its way through the network; reuse it from step to step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pass {
    pub(super) tables: Vec<TablePass>,
    /// Windows of the batch, a panel each.
    pub pieces: Vec<Piece>,
    pub(super) actions: ActionPass,
    pub(super) training: Option<Draw>,
}

/// The rows of one attribute.
#[derive(Clone, Debug, Default)]
pub(super) struct TablePass {
    /// Row of the table for each lane.
    pub(super) placed: Vec<Placed>,
    /// `[units, lanes]`.
    pub(super) dense: Panel,
    /// `[encoding, lanes]` before the activation.
    pub(super) encoding: Panel,
    /// `[width, lanes]`: what turns take.
    pub(super) encoded: Panel,
    /// `[width, lanes]`: gradient of `encoded`.
    pub(super) gradient: Panel,
}

/// Windows that share a panel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Piece {
    /// Index among the pieces: names its random numbers.
    pub(super) at: u64,
    pub(super) layout: Layout,
    /// Lanes that are answered; none for all.
    pub(super) needed: Option<Vec<u32>>,
    /// For each attribute and lane the lane of its table plus 1, or 0.
    pub(super) sources: Vec<Vec<u32>>,
    pub(super) turns: Panel,
    pub(super) cache: TransformerCache,
    pub(super) hidden: Panel,
    pub(super) active: Panel,
    /// `[embedding, outputs]`: one lane for each answered turn, in order.
    pub embedded: Panel,
    /// Gradient of `embedded`, zero in lanes without an answered turn.
    pub gradient: Panel,
    /// `[turn_width, lanes]`: gradient of `turns` before dropout.
    pub(super) turns_gradient: Panel,
}

/// All actions.
impl Pass {
    /// Returns the embeddings of all actions, one lane each.
    pub fn actions(&self) -> &Panel {
        &self.actions.embedded
    }

    /// Returns the embeddings of the first `count` actions, `[count, embedding]`.
    pub fn action_rows(&self, count: usize) -> Vec<f32> {
        let mut rows = Vec::new();
        push_rows(&self.actions.embedded, count, &mut rows);
        rows
    }

    /// Returns the embeddings of all answered turns, `[outputs, embedding]`.
    pub fn output_rows(&self) -> Vec<f32> {
        let mut rows = Vec::new();
        for piece in &self.pieces {
            push_rows(&piece.embedded, piece.outputs(), &mut rows);
        }
        rows
    }

    /// Takes the gradients of [`Pass::output_rows`].
    pub fn set_output_gradients(&mut self, mut rows: &[f32]) {
        for piece in &mut self.pieces {
            let features = piece.embedded.features();
            let (own, others) = rows.split_at(piece.outputs() * features);
            set_lanes(&mut piece.gradient, &piece.embedded, own);
            rows = others;
        }
    }
}

/// Appends the first `count` lanes as rows.
fn push_rows(panel: &Panel, count: usize, rows: &mut Vec<f32>) {
    let (from, features) = (rows.len(), panel.features());
    rows.resize(from + count * features, 0.0);
    for feature in 0..features {
        for (lane, &value) in panel.row(feature)[..count].iter().enumerate() {
            rows[from + lane * features + feature] = value;
        }
    }
}

/// Makes `panel` as large as `like`, with the given rows as its first lanes and zeros
/// behind.
pub(super) fn set_lanes(panel: &mut Panel, like: &Panel, rows: &[f32]) {
    panel.reset(like.features(), like.width());
    for (lane, row) in rows.chunks_exact(like.features()).enumerate() {
        panel.set_column(lane, 0, row);
    }
}

impl Piece {
    /// Returns the number of answered turns.
    pub fn outputs(&self) -> usize {
        self.needed.as_ref().map_or(self.layout.tokens(), Vec::len)
    }
}
