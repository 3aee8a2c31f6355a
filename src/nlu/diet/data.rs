//! What a network is trained on: features of texts and labels, and tag ids.

use serde::Deserialize;
use serde::Serialize;

use crate::features::FeatureRows;
use crate::nlu::TagKind;
use crate::nlu::TagSet;

/// Examples and labels in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingData {
    /// Features of the text of each example.
    pub text: FeatureRows,
    /// What the label ids stand for, sorted.
    pub labels: Vec<String>,
    /// Features of each label.
    pub label_features: LabelFeatures,
    /// The label of each example; empty when labels are not learnt.
    pub label_ids: Vec<u32>,
    /// Tags of each token, for each kind of tag that is learnt: entity types
    /// first, then roles and groups.
    pub tags: Vec<TagColumn>,
}

/// Widths of features; 0 where a kind has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    /// Sparse ones of a token.
    pub sequence: usize,
    /// Sparse ones of a whole message.
    pub sentence: usize,
    /// Dense ones of a token.
    #[serde(default, skip_serializing_if = "is_none")]
    pub dense_sequence: usize,
    /// Dense ones of a whole message.
    #[serde(default, skip_serializing_if = "is_none")]
    pub dense_sentence: usize,
}

fn is_none(width: &usize) -> bool {
    *width == 0
}

impl Columns {
    /// Returns the widths of these features.
    pub fn of(rows: &FeatureRows) -> Self {
        Self {
            sequence: rows.sequence.cols(),
            sentence: rows.sentence.cols(),
            dense_sequence: rows.dense_sequence.cols(),
            dense_sentence: rows.dense_sentence.cols(),
        }
    }

    /// Returns whether tokens have features.
    pub fn has_sequence(self) -> bool {
        self.sequence > 0 || self.dense_sequence > 0
    }

    /// Returns whether whole messages have features.
    pub fn has_sentence(self) -> bool {
        self.sentence > 0 || self.dense_sentence > 0
    }

    /// Returns the widths that matter where only the last position is read: if
    /// that is the sentence, tokens have no layer.
    pub(crate) fn of_last(self) -> Self {
        match self.has_sentence() {
            true => Self {
                sequence: 0,
                dense_sequence: 0,
                ..self
            },
            false => self,
        }
    }
}

/// What the network sees of a label.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LabelFeatures {
    /// Which label it is, and nothing else.
    #[default]
    Identity,
    /// The words of its name, whatever their order; one message a label.
    Bag(FeatureRows),
    /// A text, read like that of an example; one message a label.
    Text(FeatureRows),
}

/// Tags of one kind for all tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct TagColumn {
    /// What the ids stand for.
    pub set: TagSet,
    /// Tag of each token of `text.sequence`; 0 is outside of any entity.
    pub ids: Vec<u32>,
}

/// Returns the messages that have text features: those with a token.
pub fn with_features(rows: &FeatureRows) -> Vec<usize> {
    (0..rows.messages())
        .filter(|&message| rows.has_columns() && !rows.tokens(message).is_empty())
        .collect()
}

impl TrainingData {
    /// Checks that the parts fit each other.
    ///
    /// # Panics
    ///
    /// If they do not: that is a mistake of whoever put them together.
    pub fn check(&self) {
        let messages = self.text.messages();
        assert_eq!(self.text.sentence.rows(), messages);
        assert!(self.label_ids.is_empty() || self.label_ids.len() == messages);
        assert!(
            self.label_ids
                .iter()
                .all(|&id| (id as usize) < self.labels.len())
        );
        if let LabelFeatures::Bag(rows) | LabelFeatures::Text(rows) = &self.label_features {
            assert_eq!(rows.messages(), self.labels.len());
        }
        let tokens = self.text.sequence.rows();
        assert!(self.tags.iter().all(|column| column.ids.len() == tokens));
        assert!(
            self.tags
                .first()
                .is_none_or(|column| column.set.kind() == TagKind::Entity)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Csr;

    fn rows(tokens: &[usize]) -> FeatureRows {
        let mut rows = FeatureRows {
            token_offsets: vec![0],
            sequence: Csr::new(9),
            sentence: Csr::new(9),
            ..FeatureRows::default()
        };
        for (message, &count) in tokens.iter().enumerate() {
            for token in 0..count {
                rows.sequence.push_row([(token as u32, message as f32)]);
            }
            rows.sentence.push_row([(8, message as f32)]);
            rows.token_offsets.push(rows.sequence.rows() as u32);
        }
        rows
    }

    #[test]
    fn messages_without_tokens_have_no_features() {
        assert_eq!(with_features(&rows(&[2, 0, 3])), [0, 2]);
        assert_eq!(with_features(&FeatureRows::default()), [0_usize; 0]);
    }
}
