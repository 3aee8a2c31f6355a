//! Which row of the features goes to which lane of which panel.

use crate::features::FeatureRows;
use crate::matrix::Layout;
use crate::matrix::pack;
use crate::nlu::diet::Columns;
use crate::nn::Placed;

/// Which positions of a message the network looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Positions {
    /// Every token, then the sentence as one more position if it has features.
    All,
    /// The last of these alone.
    Last,
}

/// Messages laid out in panels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packing {
    /// One a panel; spans count all positions.
    pub layouts: Vec<Layout>,
    /// Rows of `FeatureRows::sequence` and where they go.
    pub sequence: Vec<Placed>,
    /// Rows of `FeatureRows::sentence` and where they go.
    pub sentence: Vec<Placed>,
}

impl Packing {
    /// Lays out messages in the order given. The result depends on their lengths
    /// alone.
    ///
    /// # Panics
    ///
    /// If a message does not exist.
    pub fn new(rows: &FeatureRows, messages: &[u32], positions: Positions) -> Self {
        let columns = Columns::of(rows);
        let tokens: Vec<_> = messages
            .iter()
            .map(|&message| match columns.has_sequence() {
                false => 0..0,
                true => rows.tokens(message as usize),
            })
            .collect();
        let sentences = usize::from(columns.has_sentence());
        let lengths: Vec<usize> = tokens
            .iter()
            .map(|range| match positions {
                Positions::All => range.len() + sentences,
                Positions::Last => (range.len() + sentences).min(1),
            })
            .collect();
        let mut packing = Self {
            layouts: pack(&lengths),
            ..Self::default()
        };
        for panel in 0..packing.layouts.len() {
            packing.place(panel, messages, &tokens, sentences > 0);
        }
        packing
    }

    fn place(
        &mut self,
        panel: usize,
        messages: &[u32],
        tokens: &[std::ops::Range<usize>],
        has_sentence: bool,
    ) {
        let layout = &self.layouts[panel];
        for (at, span) in layout.spans.iter().enumerate() {
            let message = layout.first_sentence + at;
            let placed = |row: u32, position: u32| Placed {
                row,
                panel: panel as u32,
                lane: span.start + position,
            };
            let from_sequence = span.count - u32::from(has_sentence && span.count > 0);
            let last_rows = tokens[message].end as u32 - from_sequence;
            for position in 0..from_sequence {
                self.sequence.push(placed(last_rows + position, position));
            }
            if has_sentence {
                self.sentence.push(placed(messages[message], from_sequence));
            }
        }
    }

    /// Returns the number of messages.
    pub fn messages(&self) -> usize {
        self.layouts.iter().map(|layout| layout.spans.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Csr;

    fn rows(sentence_columns: usize) -> FeatureRows {
        let mut rows = FeatureRows {
            token_offsets: vec![0, 2, 3],
            sequence: Csr::new(4),
            sentence: Csr::new(sentence_columns),
            ..FeatureRows::default()
        };
        (0..3).for_each(|_| rows.sequence.push_row([(0, 1.0)]));
        (0..2).for_each(|_| rows.sentence.push_row([]));
        rows
    }

    fn shown(placed: &[Placed]) -> Vec<(u32, u32)> {
        placed.iter().map(|place| (place.row, place.lane)).collect()
    }

    #[test]
    fn the_sentence_stands_behind_its_tokens() {
        let packing = Packing::new(&rows(2), &[1, 0], Positions::All);
        assert_eq!(packing.layouts[0].last_lanes(), [1, 4]);
        assert_eq!(shown(&packing.sequence), [(2, 0), (0, 2), (1, 3)]);
        assert_eq!(shown(&packing.sentence), [(1, 1), (0, 4)]);
        assert_eq!(packing.messages(), 2);
    }

    #[test]
    fn the_last_position_is_the_sentence_or_the_last_token() {
        let packing = Packing::new(&rows(2), &[1, 0], Positions::Last);
        assert_eq!(shown(&packing.sentence), [(1, 0), (0, 1)]);
        assert!(packing.sequence.is_empty());
        let packing = Packing::new(&rows(0), &[1, 0], Positions::Last);
        assert_eq!(shown(&packing.sequence), [(2, 0), (1, 1)]);
        assert!(packing.sentence.is_empty());
    }
}
