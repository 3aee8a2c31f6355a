//! Panels: activations of whole sentences, feature-major, without padding
//! between sentences.
//!
//! A panel is `[features, width]`: one row a feature, one *lane* a token. The
//! width is a multiple of sixteen. Lanes behind the last token hold finite
//! values that mean nothing, and gradients there are zero.

use std::ops::Range;

/// Tokens that a panel is filled up to.
pub const PANEL_TOKENS: usize = 128;

/// A matrix `[features, width]`, row-major, whose width is a multiple of 16.
#[derive(Debug, Default, PartialEq)]
pub struct Panel {
    width: usize,
    /// `[features, width]`; `[f, t]` is feature `f` of the token in lane `t`.
    pub data: Vec<f32>,
}

impl Clone for Panel {
    fn clone(&self) -> Self {
        Self {
            width: self.width,
            data: self.data.clone(),
        }
    }

    /// Copies into the memory that is there.
    fn clone_from(&mut self, source: &Self) {
        self.width = source.width;
        self.data.clone_from(&source.data);
    }
}

impl Panel {
    /// Returns a panel of zeros.
    ///
    /// # Panics
    ///
    /// If `width` is not a multiple of 16.
    pub fn new(features: usize, width: usize) -> Self {
        let mut panel = Self::default();
        panel.reset(features, width);
        panel
    }

    /// Makes this a panel of zeros of the given shape, keeping its memory.
    ///
    /// # Panics
    ///
    /// If `width` is not a multiple of 16.
    pub fn reset(&mut self, features: usize, width: usize) {
        self.reshape(features, width);
        self.data.fill(0.0);
    }

    /// Gives the panel a shape, keeping its memory; what it holds is left over
    /// from before and must be overwritten.
    ///
    /// # Panics
    ///
    /// If `width` is not a multiple of 16.
    pub fn reshape(&mut self, features: usize, width: usize) {
        assert!(width.is_multiple_of(16));
        self.width = width;
        self.data.resize(features * width, 0.0);
    }

    /// Returns the number of lanes, a multiple of 16.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of features.
    pub fn features(&self) -> usize {
        self.data.len().checked_div(self.width).unwrap_or(0)
    }

    /// Returns the values of a feature, one a lane.
    pub fn row(&self, feature: usize) -> &[f32] {
        &self.data[feature * self.width..(feature + 1) * self.width]
    }

    /// Returns the features of a lane.
    pub fn column(&self, lane: usize) -> Vec<f32> {
        assert!(lane < self.width);
        self.data
            .iter()
            .skip(lane)
            .step_by(self.width)
            .copied()
            .collect()
    }

    /// Overwrites the features `from..from + values.len()` of a lane.
    ///
    /// # Panics
    ///
    /// If there is no such lane or feature.
    pub fn set_column(&mut self, lane: usize, from: usize, values: &[f32]) {
        assert!(lane < self.width);
        for (k, &value) in values.iter().enumerate() {
            self.data[(from + k) * self.width + lane] = value;
        }
    }

    /// Becomes the given lanes of `source`, in that order, then lanes of zeros.
    pub fn gather(&mut self, source: &Panel, lanes: &[u32]) {
        self.gather_features(source, 0..source.features(), lanes);
    }

    /// Becomes some features of the given lanes of `source`, then lanes of zeros.
    pub fn gather_features(&mut self, source: &Panel, features: Range<usize>, lanes: &[u32]) {
        self.reset(features.len(), padded(lanes.len()));
        for (own, feature) in features.enumerate() {
            let from = source.row(feature);
            let to = &mut self.data[own * self.width..];
            for (at, &lane) in lanes.iter().enumerate() {
                to[at] = from[lane as usize];
            }
        }
    }

    /// Adds lane `k` to the lane `lanes[k]` of `target`: the gradient of
    /// [`Panel::gather`].
    pub fn scatter_add(&self, target: &mut Panel, lanes: &[u32]) {
        assert_eq!(self.features(), target.features());
        self.scatter_add_features(target, 0, lanes);
    }

    /// Adds lane `k` to the features from `first` on of the lane `lanes[k]` of
    /// `target`: the gradient of [`Panel::gather_features`].
    pub fn scatter_add_features(&self, target: &mut Panel, first: usize, lanes: &[u32]) {
        for feature in 0..self.features() {
            let from = self.row(feature);
            let to = &mut target.data[(first + feature) * target.width..];
            for (at, &lane) in lanes.iter().enumerate() {
                to[lane as usize] += from[at];
            }
        }
    }
}

/// Returns `count` rounded up to a multiple of sixteen, at least 16.
pub fn padded(count: usize) -> usize {
    count.next_multiple_of(16).max(16)
}

/// The lanes of one sentence in a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First lane.
    pub start: u32,
    /// Number of tokens.
    pub count: u32,
}

/// Where the sentences of one panel lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Index of the panel's first sentence in the batch; the others follow.
    pub first_sentence: usize,
    /// Sentences in order, without gaps, from lane 0.
    pub spans: Vec<Span>,
    /// Lanes, a multiple of 16.
    pub width: usize,
}

impl Layout {
    /// Returns the number of tokens.
    pub fn tokens(&self) -> usize {
        self.spans
            .last()
            .map_or(0, |span| (span.start + span.count) as usize)
    }

    /// Returns the lane of each sentence's last token, for sentences that have one.
    pub fn last_lanes(&self) -> Vec<u32> {
        let with_tokens = self.spans.iter().filter(|span| span.count > 0);
        with_tokens
            .map(|span| span.start + span.count - 1)
            .collect()
    }

    /// Returns the lane of each sentence's first token, for sentences that have one.
    pub fn first_lanes(&self) -> Vec<u32> {
        let with_tokens = self.spans.iter().filter(|span| span.count > 0);
        with_tokens.map(|span| span.start).collect()
    }
}

/// Packs the sentences of a batch, in order, into panels of about
/// [`PANEL_TOKENS`]; a longer sentence has a panel of its own.
///
/// The result depends on the lengths alone.
pub fn pack(lengths: &[usize]) -> Vec<Layout> {
    let mut layouts: Vec<Layout> = Vec::new();
    for (sentence, &count) in lengths.iter().enumerate() {
        let full = layouts
            .last()
            .is_none_or(|layout| layout.tokens() + count > PANEL_TOKENS);
        if full {
            layouts.push(Layout {
                first_sentence: sentence,
                ..Layout::default()
            });
        }
        if let Some(layout) = layouts.last_mut() {
            layout.spans.push(Span {
                start: layout.tokens() as u32,
                count: count as u32,
            });
            layout.width = padded(layout.tokens());
        }
    }
    layouts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_fill_panels_in_order_and_long_ones_stand_alone() {
        let layouts = pack(&[100, 28, 1, 300, 5, 0]);
        let widths: Vec<_> = layouts.iter().map(|layout| layout.width).collect();
        assert_eq!(widths, [128, 16, 304, 16]);
        let firsts: Vec<_> = layouts.iter().map(|layout| layout.first_sentence).collect();
        assert_eq!(firsts, [0, 2, 3, 4]);
        assert_eq!(layouts[0].last_lanes(), [99, 127]);
        assert_eq!(layouts[3].last_lanes(), [4]);
    }

    #[test]
    fn scattering_returns_gathered_lanes_to_their_places() {
        let mut panel = Panel::new(2, 32);
        panel.set_column(5, 0, &[1.0, 2.0]);
        panel.set_column(20, 0, &[3.0, 4.0]);
        let mut gathered = Panel::default();
        gathered.gather(&panel, &[20, 5]);
        assert_eq!(gathered.column(0), [3.0, 4.0]);
        let mut back = Panel::new(2, 32);
        gathered.scatter_add(&mut back, &[20, 5]);
        assert_eq!(back, panel);
    }
}
