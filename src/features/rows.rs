//! The features of one attribute of many messages, packed without padding.

use crate::matrix::Csr;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// Sparse features of one attribute (such as the text) of many messages.
///
/// Message `m` has the rows `token_offsets[m]..token_offsets[m + 1]` of
/// `sequence` and the row `m` of `sentence`. Featurizers that give no sentence
/// features leave `sentence` with 0 columns (and one empty row a message), and
/// those that give no sequence features leave `sequence` with 0 columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureRows {
    /// `[messages + 1]`, starting with 0.
    pub token_offsets: Vec<u32>,
    /// One row a token of every message, in order.
    pub sequence: Csr,
    /// One row a message.
    pub sentence: Csr,
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
        FeatureRows {
            token_offsets: parts
                .first()
                .map_or_else(Vec::new, |part| part.token_offsets.clone()),
            sequence: Csr::hstack(&sequences),
            sentence: Csr::hstack(&sentences),
        }
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
