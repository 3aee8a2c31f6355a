//! Multi-head attention among the tokens of each sentence of a panel.
//!
//! Keys are rows and queries are lanes of the scores, so that the softmax over keys
//! runs in sixteen queries at once. Nothing is padded beyond the lanes.

use std::ops::Range;

use crate::matrix::Panel;
use crate::matrix::Span;
use crate::matrix::Strided;
use crate::matrix::Write;
use crate::matrix::gemm;
use crate::matrix::padded;
use crate::matrix::scale;
use crate::matrix::softmax_columns;
use crate::matrix::softmax_columns_backward;
use crate::nn::gradients::Gradients;
use crate::nn::parameters::Parameters;
use crate::nn::parameters::TensorId;
use crate::nn::random::Draw;

/// What attention does beside the plain product.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Number of heads H; each has `units / H` features.
    pub heads: usize,
    /// Whether a token sees itself and earlier tokens only.
    pub causal: bool,
    /// Probability of hiding a key from a query while training.
    pub dropout: f32,
    /// m: distances beyond count as m.
    pub max_distance: usize,
    /// Embeddings of distances added to keys: `[heads, distances, units / heads]`.
    pub key_relative: Option<TensorId>,
    /// The same added to values.
    pub value_relative: Option<TensorId>,
}

/// The queries of a panel: for each, its lane among the keys, by sentence.
#[derive(Clone, Debug, Default)]
pub struct Queries {
    /// `[queries]`; lane of the query's token among the keys.
    pub lanes: Vec<u32>,
    /// Per sentence the range of its queries.
    pub ranges: Vec<Range<usize>>,
}

impl Queries {
    /// Returns the queries at the given lanes, which ascend, or at all lanes.
    ///
    /// # Panics
    ///
    /// If the lanes do not ascend, or one belongs to no sentence.
    pub fn new(spans: &[Span], needed: Option<&[u32]>) -> Self {
        let tokens = spans.last().map_or(0, |span| span.start + span.count);
        let lanes: Vec<u32> = match needed {
            Some(lanes) => lanes.to_vec(),
            None => (0..tokens).collect(),
        };
        assert!(lanes.is_sorted() && lanes.iter().all(|&lane| lane < tokens));
        let ranges = spans.iter().map(|span| {
            let first = lanes.partition_point(|&lane| lane < span.start);
            first..lanes.partition_point(|&lane| lane < span.start + span.count)
        });
        Self {
            ranges: ranges.collect(),
            lanes,
        }
    }
}

/// Probabilities of all heads and sentences, for the way back.
#[derive(Clone, Debug, Default)]
pub struct AttentionCache {
    /// Per sentence and head `[keys, padded queries]`, one after another.
    probabilities: Vec<f32>,
}

/// Queries, keys and values: `[units, width]` each, heads one below the other.
#[derive(Clone, Copy, Debug)]
pub struct Projections<'a> {
    /// Lanes as [`Queries::lanes`] counts them.
    pub q: &'a Panel,
    /// Lanes as the spans count them.
    pub k: &'a Panel,
    /// Lanes as the spans count them.
    pub v: &'a Panel,
}

/// One head of one sentence.
struct Piece<'a> {
    /// First feature of the head.
    feature: usize,
    depth: usize,
    span: Span,
    queries: Range<usize>,
    /// Position of each query in its sentence.
    positions: Vec<usize>,
    /// Queries, padded.
    lanes: usize,
    /// Number of the piece among the panel's, for dropout.
    number: usize,
    head: usize,
    attention: &'a Attention,
}

impl Attention {
    /// Returns how many distances have an embedding: `2m + 1`, or `m + 1` if causal.
    pub fn distances(&self) -> usize {
        match self.causal {
            true => self.max_distance + 1,
            false => 2 * self.max_distance + 1,
        }
    }

    fn pieces<'a>(
        &'a self,
        units: usize,
        spans: &'a [Span],
        queries: &'a Queries,
    ) -> Vec<Piece<'a>> {
        assert!(
            units.is_multiple_of(self.heads),
            "heads must divide the units"
        );
        let depth = units / self.heads;
        let mut pieces = Vec::new();
        for (span, range) in spans.iter().zip(&queries.ranges) {
            let lanes = queries.lanes[range.clone()].iter();
            let positions: Vec<usize> = lanes.map(|lane| (lane - span.start) as usize).collect();
            for head in (0..self.heads).filter(|_| !range.is_empty()) {
                pieces.push(Piece {
                    feature: head * depth,
                    depth,
                    span: *span,
                    queries: range.clone(),
                    positions: positions.clone(),
                    lanes: padded(range.len()),
                    number: pieces.len(),
                    head,
                    attention: self,
                });
            }
        }
        pieces
    }

    /// Writes `out [units, query lanes]`: for each query the values of its sentence,
    /// weighted by `softmax(q·k / √depth)`.
    ///
    /// `draw` switches attention dropout on: a hidden key has 10⁹ subtracted from its
    /// score (Rasa 3), so that a query whose keys are all hidden sees all alike.
    pub fn forward(
        &self,
        parameters: &Parameters,
        projections: Projections<'_>,
        spans: &[Span],
        queries: &Queries,
        draw: Option<Draw>,
        cache: &mut AttentionCache,
        out: &mut Panel,
    ) {
        let Projections { q, k, v } = projections;
        out.reset(q.features(), q.width());
        cache.probabilities.clear();
        for piece in self.pieces(q.features(), spans, queries) {
            let queries = piece.take_queries(q);
            let from = cache.probabilities.len();
            cache
                .probabilities
                .resize(from + piece.keys() * piece.lanes, 0.0);
            let p = &mut cache.probabilities[from..];
            piece.times_lanes(k, &queries, p, Side::PerKey, Write::Replace);
            if let Some(relative) = self.key_relative {
                piece.add_relative_scores(parameters.values(relative), &queries, p);
            }
            scale(1.0 / (piece.depth as f32).sqrt(), p);
            piece.hide(draw, p);
            softmax_columns(p, piece.lanes);
            let mut sums = vec![0.0; piece.depth * piece.lanes];
            piece.times_lanes(v, p, &mut sums, Side::PerFeature, Write::Replace);
            if let Some(relative) = self.value_relative {
                let by_distance = piece.by_distance(p);
                piece.relative_times(parameters.values(relative), &by_distance, &mut sums);
            }
            piece.give_queries(&sums, out);
        }
    }

    /// Writes the gradients of queries, keys and values, and adds those of the
    /// embeddings of distances. `d_out` is the gradient of `out`.
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        projections: Projections<'_>,
        spans: &[Span],
        queries: &Queries,
        cache: &AttentionCache,
        d_out: &Panel,
        (dq, dk, dv): (&mut Panel, &mut Panel, &mut Panel),
    ) {
        let Projections { q, k, v } = projections;
        dq.reset(q.features(), q.width());
        dk.reset(k.features(), k.width());
        dv.reset(v.features(), v.width());
        let mut from = 0;
        for piece in self.pieces(q.features(), spans, queries) {
            let size = piece.keys() * piece.lanes;
            let p = &cache.probabilities[from..from + size];
            from += size;
            let d_sums = piece.take_queries(d_out);
            let mut dp = vec![0.0; size];
            piece.times_lanes(v, &d_sums, &mut dp, Side::PerKey, Write::Replace);
            if let Some(relative) = self.value_relative {
                piece.add_relative_scores(parameters.values(relative), &d_sums, &mut dp);
                let by_distance = piece.by_distance(p);
                let gradient = gradients.of(parameters, relative);
                piece.add_relative_gradient(&by_distance, &d_sums, gradient);
            }
            piece.outer(&d_sums, p, dv);
            softmax_columns_backward(p, &mut dp, piece.lanes);
            scale(1.0 / (piece.depth as f32).sqrt(), &mut dp);
            let queries = piece.take_queries(q);
            piece.outer(&queries, &dp, dk);
            let mut d_queries = vec![0.0; piece.depth * piece.lanes];
            piece.times_lanes(k, &dp, &mut d_queries, Side::PerFeature, Write::Replace);
            if let Some(relative) = self.key_relative {
                let by_distance = piece.by_distance(&dp);
                piece.relative_times(parameters.values(relative), &by_distance, &mut d_queries);
                let gradient = gradients.of(parameters, relative);
                piece.add_relative_gradient(&by_distance, &queries, gradient);
            }
            piece.give_queries(&d_queries, dq);
        }
    }
}

/// Which side of a head's `[depth, keys]` matrix the result has as rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    /// `[keys, lanes] = Mᵀ · [depth, lanes]`.
    PerKey,
    /// `[depth, lanes] = M · [keys, lanes]`.
    PerFeature,
}

impl Piece<'_> {
    fn keys(&self) -> usize {
        self.span.count as usize
    }

    /// Copies the head's features of the queries: `[depth, lanes]`.
    fn take_queries(&self, panel: &Panel) -> Vec<f32> {
        let mut taken = vec![0.0; self.depth * self.lanes];
        for (feature, row) in taken.chunks_exact_mut(self.lanes).enumerate() {
            let from = &panel.row(self.feature + feature)[self.queries.clone()];
            row[..from.len()].copy_from_slice(from);
        }
        taken
    }

    fn give_queries(&self, taken: &[f32], panel: &mut Panel) {
        let width = panel.width();
        for (feature, row) in taken.chunks_exact(self.lanes).enumerate() {
            let to = &mut panel.data[(self.feature + feature) * width..][self.queries.clone()];
            to.copy_from_slice(&row[..to.len()]);
        }
    }

    /// Multiplies the head's keys or values with something per query.
    fn times_lanes(&self, panel: &Panel, b: &[f32], c: &mut [f32], side: Side, write: Write) {
        let width = panel.width();
        let data = &panel.data[self.feature * width + self.span.start as usize..];
        let (rows, depth, row, col) = match side {
            Side::PerKey => (self.keys(), self.depth, 1, width),
            Side::PerFeature => (self.depth, self.keys(), width, 1),
        };
        let a = Strided { data, row, col };
        let shape = (rows, self.lanes, depth);
        gemm(shape, a, (b, self.lanes), (c, self.lanes), write);
    }

    /// Writes `[depth, keys] = [depth, lanes] · [keys, lanes]ᵀ` into the panel.
    fn outer(&self, per_feature: &[f32], per_key: &[f32], panel: &mut Panel) {
        let width = padded(self.keys());
        let mut by_query = vec![0.0; self.queries.len() * width];
        for key in 0..self.keys() {
            for query in 0..self.queries.len() {
                by_query[query * width + key] = per_key[key * self.lanes + query];
            }
        }
        let mut sums = vec![0.0; self.depth * width];
        let a = Strided {
            data: per_feature,
            row: self.lanes,
            col: 1,
        };
        let shape = (self.depth, width, self.queries.len());
        gemm(
            shape,
            a,
            (&by_query, width),
            (&mut sums, width),
            Write::Replace,
        );
        let stride = panel.width();
        for (feature, row) in sums.chunks_exact(width).enumerate() {
            let start = (self.feature + feature) * stride + self.span.start as usize;
            panel.data[start..start + self.keys()].copy_from_slice(&row[..self.keys()]);
        }
    }

    /// Returns the embedding of the distance from a query to a key, if it has one.
    fn distance(&self, query: usize, key: usize) -> Option<usize> {
        let far = self.attention.max_distance as isize;
        let distance = key as isize - self.positions[query] as isize;
        if self.attention.causal && distance > 0 {
            return None;
        }
        Some((distance.clamp(-far, far) + far) as usize)
    }

    /// Subtracts 10⁹ from the scores that dropout hides, and hides the future.
    fn hide(&self, draw: Option<Draw>, scores: &mut [f32]) {
        let rate = self.attention.dropout;
        if let Some(draw) = draw.filter(|_| rate > 0.0) {
            let draw = draw.at(self.number as u64);
            for (element, score) in scores.iter_mut().enumerate() {
                if draw.falls(element as u32, rate) {
                    *score -= 1e9;
                }
            }
        }
        if self.attention.causal {
            for key in 0..self.keys() {
                for (query, &position) in self.positions.iter().enumerate() {
                    if key > position {
                        scores[key * self.lanes + query] -= 1e9;
                    }
                }
            }
        }
    }

    fn embeddings<'a>(&self, relative: &'a [f32]) -> &'a [f32] {
        let size = self.attention.distances() * self.depth;
        &relative[self.head * size..(self.head + 1) * size]
    }

    /// Adds to each score the product of query and embedding of the distance.
    fn add_relative_scores(&self, relative: &[f32], queries: &[f32], scores: &mut [f32]) {
        let distances = self.attention.distances();
        let mut products = vec![0.0; distances * self.lanes];
        let a = Strided {
            data: self.embeddings(relative),
            row: self.depth,
            col: 1,
        };
        let shape = (distances, self.lanes, self.depth);
        let c = (&mut products[..], self.lanes);
        gemm(shape, a, (queries, self.lanes), c, Write::Replace);
        for key in 0..self.keys() {
            for query in 0..self.queries.len() {
                if let Some(distance) = self.distance(query, key) {
                    scores[key * self.lanes + query] += products[distance * self.lanes + query];
                }
            }
        }
    }

    /// Sums `[keys, lanes]` over the keys at each distance: `[distances, lanes]`.
    fn by_distance(&self, per_key: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0; self.attention.distances() * self.lanes];
        for key in 0..self.keys() {
            for query in 0..self.queries.len() {
                if let Some(distance) = self.distance(query, key) {
                    sums[distance * self.lanes + query] += per_key[key * self.lanes + query];
                }
            }
        }
        sums
    }

    /// Adds `embeddingsᵀ · by_distance` to `[depth, lanes]`.
    fn relative_times(&self, relative: &[f32], by_distance: &[f32], sums: &mut [f32]) {
        let a = Strided {
            data: self.embeddings(relative),
            row: 1,
            col: self.depth,
        };
        let shape = (self.depth, self.lanes, self.attention.distances());
        let b = (by_distance, self.lanes);
        gemm(shape, a, b, (sums, self.lanes), Write::Add);
    }

    /// Adds `by_distance · [depth, lanes]ᵀ` to the gradient of the embeddings.
    fn add_relative_gradient(
        &self,
        by_distance: &[f32],
        per_feature: &[f32],
        gradient: &mut [f32],
    ) {
        let distances = self.attention.distances();
        let mut transposed = vec![0.0; self.lanes * self.depth];
        for feature in 0..self.depth {
            for lane in 0..self.lanes {
                transposed[lane * self.depth + feature] = per_feature[feature * self.lanes + lane];
            }
        }
        let size = distances * self.depth;
        let own = &mut gradient[self.head * size..(self.head + 1) * size];
        let a = Strided {
            data: by_distance,
            row: self.lanes,
            col: 1,
        };
        let shape = (distances, self.depth, self.lanes);
        gemm(
            shape,
            a,
            (&transposed, self.depth),
            (own, self.depth),
            Write::Add,
        );
    }
}
