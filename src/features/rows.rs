//! The features of one attribute of many messages, packed without padding.

use crate::matrix::Csr;
use crate::matrix::Dense;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// Features of one attribute (such as the text) of many messages.
///
/// Message `m` has the rows `token_offsets[m]..token_offsets[m + 1]` of
/// `sequence` and the row `m` of `sentence`. Featurizers that give no sentence
/// features leave `sentence` with 0 columns (and one empty row a message), and
/// those that give no sequence features leave `sequence` with 0 columns. Where there
/// are no dense features of a kind, its matrix has neither columns nor rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureRows {
    /// `[messages + 1]`, starting with 0.
    pub token_offsets: Vec<u32>,
    /// One row a token of every message, in order.
    pub sequence: Csr,
    /// One row a message.
    pub sentence: Csr,
    /// Dense features, one row a token.
    pub dense_sequence: Dense,
    /// Dense features, one row a message.
    pub dense_sentence: Dense,
}

impl FeatureRows {
    /// Returns the number of messages.
    pub fn messages(&self) -> usize {
        self.token_offsets.len().saturating_sub(1)
    }

    /// Returns the rows of `sequence` that belong to a message.
    ///
    /// # Panics
    ///
    /// If there is no such message.
    pub fn tokens(&self, message: usize) -> std::ops::Range<usize> {
        self.token_offsets[message] as usize..self.token_offsets[message + 1] as usize
    }

    /// Returns the features of several featurizers side by side.
    ///
    /// # Panics
    ///
    /// If the parts are of different messages.
    pub fn hstack(parts: &[&FeatureRows]) -> FeatureRows {
        let sequences: Vec<&Csr> = parts.iter().map(|part| &part.sequence).collect();
        let sentences: Vec<&Csr> = parts.iter().map(|part| &part.sentence).collect();
        let words: Vec<&Dense> = parts.iter().map(|part| &part.dense_sequence).collect();
        let texts: Vec<&Dense> = parts.iter().map(|part| &part.dense_sentence).collect();
        FeatureRows {
            token_offsets: parts
                .first()
                .map_or_else(Vec::new, |part| part.token_offsets.clone()),
            sequence: Csr::hstack(&sequences),
            sentence: Csr::hstack(&sentences),
            dense_sequence: Dense::hstack(&words),
            dense_sentence: Dense::hstack(&texts),
        }
    }

    /// Returns whether there are features at all.
    pub fn has_columns(&self) -> bool {
        let sparse = self.sequence.cols() + self.sentence.cols();
        sparse + self.dense_sequence.cols() + self.dense_sentence.cols() > 0
    }

    /// Returns the sentence features of messages in the order given, dense ones
    /// behind the sparse ones, as sparse rows.
    ///
    /// # Panics
    ///
    /// If there is no such message.
    pub fn all_sentence(&self, messages: impl IntoIterator<Item = usize>) -> Csr {
        let (sparse, dense) = (self.sentence.cols(), self.dense_sentence.cols());
        let mut rows = Csr::new(sparse + dense);
        for message in messages {
            let (columns, values) = self.sentence.row(message);
            let stored = columns.iter().copied().zip(values.iter().copied());
            let more: &[f32] = match dense {
                0 => &[],
                _ => self.dense_sentence.row(message),
            };
            let more = (sparse as u32..).zip(more.iter().copied());
            rows.push_row(stored.chain(more.filter(|(_, value)| *value != 0.0)));
        }
        rows
    }
}

impl FeatureRows {
    /// Returns rows without any column: one a token of the attribute, and one a
    /// document.
    pub fn without_columns(documents: &[Document], attribute: Attribute) -> FeatureRows {
        let mut rows = FeatureRows {
            token_offsets: vec![0],
            sequence: Csr::new(0),
            sentence: Csr::new(0),
            ..FeatureRows::default()
        };
        let mut total = 0;
        for document in documents {
            total += document.tokens(attribute).len() as u32;
            rows.token_offsets.push(total);
            rows.sentence.push_row([]);
        }
        (0..total).for_each(|_| rows.sequence.push_row([]));
        rows
    }
}
