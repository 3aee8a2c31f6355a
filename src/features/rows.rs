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

    /// Returns the features of some messages, in the order given.
    ///
    /// # Panics
    ///
    /// If there is no such message.
    pub fn select(&self, messages: &[usize]) -> FeatureRows {
        let tokens = || messages.iter().flat_map(|&message| self.tokens(message));
        let mut token_offsets = vec![0];
        let mut total = 0;
        for &message in messages {
            total += self.tokens(message).len() as u32;
            token_offsets.push(total);
        }
        FeatureRows {
            token_offsets,
            sequence: self.sequence.select(tokens()),
            sentence: self.sentence.select(messages.iter().copied()),
            dense_sequence: selected(&self.dense_sequence, tokens()),
            dense_sentence: selected(&self.dense_sentence, messages.iter().copied()),
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

/// Returns some rows; of a matrix without columns, which has none, nothing.
fn selected(matrix: &Dense, rows: impl Iterator<Item = usize>) -> Dense {
    match matrix.cols() {
        0 => Dense::default(),
        _ => matrix.select(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three messages of one, no and two tokens, with features of every kind.
    fn rows() -> FeatureRows {
        let (mut sequence, mut sentence) = (Csr::new(4), Csr::new(2));
        let (mut words, mut texts) = (Dense::new(2), Dense::new(1));
        for token in 0..3 {
            sequence.push_row([(token, 1.0), (3, token as f32)]);
            words.push(&[token as f32, -1.0]);
        }
        for message in 0..3 {
            sentence.push_row([(message % 2, message as f32)]);
            texts.push(&[message as f32]);
        }
        FeatureRows {
            token_offsets: vec![0, 1, 1, 3],
            sequence,
            sentence,
            dense_sequence: words,
            dense_sentence: texts,
        }
    }

    #[test]
    fn messages_that_are_chosen_keep_their_features() {
        let all = rows();
        assert_eq!(all.select(&[0, 1, 2]), all);
        let some = all.select(&[2, 0]);
        assert_eq!((some.messages(), some.tokens(0)), (2, 0..2));
        assert_eq!(some.sequence.row(0), all.sequence.row(1));
        assert_eq!(some.sequence.row(2), all.sequence.row(0));
        assert_eq!(some.sentence.row(0), all.sentence.row(2));
        assert_eq!(some.dense_sequence.row(1), all.dense_sequence.row(2));
        assert_eq!(some.dense_sentence.row(0), all.dense_sentence.row(2));
    }

    #[test]
    fn what_has_no_dense_features_gets_none() {
        let sparse = FeatureRows {
            dense_sequence: Dense::default(),
            dense_sentence: Dense::default(),
            ..rows()
        };
        let some = sparse.select(&[1, 2]);
        assert_eq!(some.dense_sequence, Dense::default());
        assert_eq!(some.sentence.rows(), 2);
    }
}
