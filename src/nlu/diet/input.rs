//! The first layers of a side: features of tokens and of whole messages into
//! panels.
//!
//! ```text
//!   sparse rows ─▶ kernel, dropout ─┐
//!   dense rows ─────────────────────┴▶ side by side [─▶ as wide as the other kind]
//! ```
//!
//! Rasa 3.6: tokens and messages whose features are not of the same width go
//! through a layer each that makes them so. Differs from Rasa: they do as well
//! where widths agree by chance alone, of other sparse and dense shares.

use std::ops::Range;

use rayon::prelude::*;

use crate::features::FeatureRows;
use crate::matrix::Csr;
use crate::matrix::Dense;
use crate::matrix::Layout;
use crate::matrix::Panel;
use crate::nlu::diet::Columns;
use crate::nlu::diet::packing::Packing;
use crate::nn::Draw;
use crate::nn::FeedForward;
use crate::nn::FeedForwardCache;
use crate::nn::Gradients;
use crate::nn::Parameters;
use crate::nn::Placed;
use crate::nn::SparseDropout;
use crate::nn::SparseInput;
use crate::nn::Stream;

/// What features are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A token.
    Sequence,
    /// A whole message.
    Sentence,
}

/// Widths of the features of tokens or of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartShape {
    of: Of,
    /// Sparse ones.
    pub sparse: usize,
    dense: usize,
}

impl PartShape {
    /// Returns how wide both kinds are side by side, the sparse ones being
    /// `sparse_units` behind their kernel.
    pub fn units(self, sparse_units: usize) -> usize {
        let sparse = if self.sparse > 0 { sparse_units } else { 0 };
        sparse.saturating_add(self.dense)
    }

    /// Returns whether tokens and messages may stand beside each other as they are.
    pub fn is_like(self, other: Self) -> bool {
        (self.sparse > 0, self.dense) == (other.sparse > 0, other.dense)
    }
}

/// Returns what there is of features: of tokens, then of messages.
pub(super) fn parts_of(columns: Columns) -> Vec<PartShape> {
    let sequence = PartShape {
        of: Of::Sequence,
        sparse: columns.sequence,
        dense: columns.dense_sequence,
    };
    let sentence = PartShape {
        of: Of::Sentence,
        sparse: columns.sentence,
        dense: columns.dense_sentence,
    };
    let parts = [sequence, sentence].into_iter();
    parts
        .filter(|part| part.sparse > 0 || part.dense > 0)
        .collect()
}

/// Where a side's features come from.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// Rows of tokens and of the whole message.
    Rows(RowsInput),
    /// Which one of so many labels it is.
    OneHot(usize),
}

/// The layers that read rows of features.
#[derive(Clone, Debug)]
pub(super) struct RowsInput {
    parts: Vec<Part>,
    /// Features of an input panel.
    panel_units: usize,
    /// Features that come out.
    units: usize,
}

/// The layers for tokens, or for messages.
#[derive(Clone, Debug)]
struct Part {
    of: Of,
    sparse: Option<SparseInput>,
    dense: usize,
    /// First feature of the panel that is theirs.
    from: usize,
    /// Makes them as wide as the other part.
    unify: Option<FeedForward>,
}

/// How wide things become, and how layers are made.
#[derive(Clone, Copy)]
pub(super) struct Widths {
    /// Of sparse features behind their kernel.
    pub sparse_units: usize,
    /// Of parts that differ.
    pub unified: usize,
    /// `connection_density`, λ and dropout rate of the layers for that.
    pub shares: (f32, f32, f32),
}

impl RowsInput {
    /// Adds `<name>/sequence` and `<name>/sentence`, as far as there are such
    /// features, and what makes them equally wide.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        columns: Columns,
        widths: Widths,
        stream: &mut Stream,
    ) -> Self {
        let (_, l2, _) = widths.shares;
        let shapes = parts_of(columns);
        let mut parts = Vec::with_capacity(shapes.len());
        for shape in &shapes {
            let name = format!("{name}/{}", shape.of.name());
            let inner = (shape.sparse, widths.sparse_units);
            let sparse =
                (shape.sparse > 0).then(|| SparseInput::new(parameters, &name, inner, l2, stream));
            parts.push(Part {
                of: shape.of,
                sparse,
                dense: shape.dense,
                from: 0,
                unify: None,
            });
        }
        let all: Vec<usize> = shapes
            .iter()
            .map(|shape| shape.units(widths.sparse_units))
            .collect();
        let units = all.first().copied().unwrap_or(widths.sparse_units);
        let (panel_units, units) = match (&shapes[..], &mut parts[..]) {
            ([a, b], [tokens, messages]) if !a.is_like(*b) => {
                messages.from = all[0];
                for (part, &inputs) in [tokens, messages].into_iter().zip(&all) {
                    let name = format!("{name}/unify_{}", part.of.name());
                    let sizes = [widths.unified];
                    let shares = widths.shares;
                    let layers =
                        FeedForward::new(parameters, &name, inputs, &sizes, shares, stream);
                    part.unify = Some(layers);
                }
                (all.iter().sum(), widths.unified)
            }
            _ => (units, units),
        };
        Self {
            parts,
            panel_units,
            units,
        }
    }
}

impl Of {
    fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Sentence => "sentence",
        }
    }

    /// The branch of a step's draw.
    fn branch(self) -> u64 {
        match self {
            Self::Sequence => 0,
            Self::Sentence => 1,
        }
    }

    fn rows(self, rows: &FeatureRows) -> (&Csr, &Dense) {
        match self {
            Self::Sequence => (&rows.sequence, &rows.dense_sequence),
            Self::Sentence => (&rows.sentence, &rows.dense_sentence),
        }
    }

    fn placed(self, packing: &Packing) -> &[Placed] {
        match self {
            Self::Sequence => &packing.sequence,
            Self::Sentence => &packing.sentence,
        }
    }

    /// Returns the lanes of tokens, or of messages, where each message has a lane
    /// of its own behind its tokens.
    fn lanes(self, layout: &Layout) -> Vec<u32> {
        match self {
            Self::Sentence => layout.last_lanes(),
            Self::Sequence => {
                let tokens = |span: &crate::matrix::Span| {
                    span.start..span.start + span.count.saturating_sub(1)
                };
                layout.spans.iter().flat_map(tokens).collect()
            }
        }
    }
}

impl Part {
    fn sparse_units(&self) -> usize {
        self.sparse.map_or(0, |sparse| sparse.linear.outputs)
    }

    fn features(&self) -> Range<usize> {
        self.from..self.from + self.sparse_units() + self.dense
    }

    fn dropout(&self, draw: Option<Draw>, rate: Option<f32>) -> Option<SparseDropout> {
        let draw = draw?.at(self.of.branch());
        Some(SparseDropout { draw, rate: rate? })
    }
}

/// What one panel leaves behind where parts are made equally wide.
#[derive(Clone, Debug, Default)]
pub(super) struct Unified {
    /// `[units, lanes]`.
    pub out: Panel,
    lanes: [Vec<u32>; 2],
    caches: [FeedForwardCache; 2],
}

impl Input {
    /// Returns how many features come out.
    pub fn units(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.units,
            Self::OneHot(units) => *units,
        }
    }

    /// Returns how many features an input panel has.
    pub fn panel_units(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.panel_units,
            Self::OneHot(units) => *units,
        }
    }

    /// Returns whether parts are made equally wide.
    pub fn is_unified(&self) -> bool {
        self.parts().iter().any(|part| part.unify.is_some())
    }

    /// Returns whether something is dropped where they are.
    pub fn drops(&self) -> bool {
        let layers = self.parts().iter().filter_map(|part| part.unify.as_ref());
        layers.into_iter().any(FeedForward::drops)
    }

    fn parts(&self) -> &[Part] {
        match self {
            Self::Rows(rows) => &rows.parts,
            Self::OneHot(_) => &[],
        }
    }

    /// Returns the features of a panel that were sparse, which dropout is for. Of
    /// labels that are no more than themselves nothing is ever dropped.
    pub fn dropped(&self) -> Vec<Range<usize>> {
        let sparse = |part: &Part| part.from..part.from + part.sparse_units();
        let mut ranges: Vec<_> = self.parts().iter().map(sparse).collect();
        ranges.dedup();
        ranges.retain(|range| !range.is_empty());
        ranges
    }

    /// Writes rows into their lanes; `draw` and `rate` are those of the dropout of
    /// sparse values.
    pub fn fill(
        &self,
        parameters: &Parameters,
        rows: &FeatureRows,
        packing: &Packing,
        (draw, rate): (Option<Draw>, Option<f32>),
        panels: &mut [Panel],
    ) {
        for part in self.parts() {
            let ((sparse, dense), placed) = (part.of.rows(rows), part.of.placed(packing));
            if let Some(layer) = &part.sparse {
                let dropout = part.dropout(draw, rate);
                layer.forward(parameters, sparse, placed, dropout, panels, part.from);
            }
            if part.dense > 0 {
                let from = part.from + part.sparse_units();
                fill_dense(dense, placed, panels, from);
            }
        }
    }

    /// Adds the gradients of the layers of sparse rows.
    pub fn fill_backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        rows: &FeatureRows,
        packing: &Packing,
        (draw, rate): (Option<Draw>, Option<f32>),
        panel_gradients: &[Panel],
    ) {
        for part in self.parts() {
            let Some(layer) = &part.sparse else { continue };
            let ((sparse, _), placed) = (part.of.rows(rows), part.of.placed(packing));
            let dropout = part.dropout(draw, rate);
            let lanes = panel_gradients;
            layer.backward(
                parameters, gradients, sparse, placed, dropout, lanes, part.from,
            );
        }
    }

    /// Makes all lanes of a panel equally wide.
    pub fn unify(
        &self,
        parameters: &Parameters,
        layout: &Layout,
        draw: Option<Draw>,
        input: &Panel,
        unified: &mut Unified,
    ) {
        unified.out.reset(self.units(), input.width());
        let (mut own, mut wide) = (Panel::default(), Panel::default());
        for (at, part) in self.parts().iter().enumerate() {
            let Some(layers) = &part.unify else { continue };
            let lanes = part.of.lanes(layout);
            own.gather_features(input, part.features(), &lanes);
            let draw = draw.map(|draw| draw.at(part.of.branch()));
            layers.forward(parameters, draw, &own, &mut unified.caches[at], &mut wide);
            wide.scatter_add(&mut unified.out, &lanes);
            unified.lanes[at] = lanes;
        }
    }

    /// Adds the gradients of the layers for that, and returns that of the input.
    pub fn unify_backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        unified: &Unified,
        gradient: &Panel,
    ) -> Panel {
        let mut input = Panel::new(self.panel_units(), gradient.width());
        let mut own = Panel::default();
        for (at, part) in self.parts().iter().enumerate() {
            let Some(layers) = &part.unify else { continue };
            let lanes = &unified.lanes[at];
            own.gather(gradient, lanes);
            layers.backward(parameters, gradients, &unified.caches[at], &mut own);
            own.scatter_add_features(&mut input, part.from, lanes);
        }
        input
    }
}

/// Writes dense rows into the features from `from` on of their lanes.
fn fill_dense(rows: &Dense, placed: &[Placed], panels: &mut [Panel], from: usize) {
    panels.par_iter_mut().enumerate().for_each(|(at, panel)| {
        let first = placed.partition_point(|place| (place.panel as usize) < at);
        let after = placed.partition_point(|place| (place.panel as usize) <= at);
        for place in &placed[first..after] {
            panel.set_column(place.lane as usize, from, rows.row(place.row as usize));
        }
    });
}
