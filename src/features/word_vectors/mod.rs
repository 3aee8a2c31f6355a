//! Dense features of words from a file of vectors that somebody trained before.
//!
//! ```text
//!   file ─▶ read ─▶ Table ─┬▶ archive ─▶ Featurizer ─▶ features of a message
//!   Documents ─────────────┴▶ rows
//! ```
//!
//! A model must answer the same wherever it is, so its archive holds the vectors
//! themselves, of the first [`Options::max_words`] words of the file: those files
//! begin with the most frequent words. Values are kept as 16-bit floats, and what
//! is trained sees the same rounded values.
//!
//! Two components are made of it: `WordVectorsFeaturizer`, which Rasa does not
//! have, and `SpacyFeaturizer` where `SpacyNLP` names a file of vectors.

mod read;
mod table;

pub use read::Head;
pub use read::ReadError;
pub use read::read;
pub use table::FILES;
pub use table::Table;
pub use table::TableError;

use std::collections::HashMap;

use serde::Deserialize;
use serde::Serialize;

use crate::features::FeatureRows;
use crate::matrix::Dense;
use crate::tokenize::Attribute;
use crate::tokenize::Document;
use crate::tokenize::OptionError;

/// Options of `WordVectorsFeaturizer`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// How others call it.
    pub alias: Option<String>,
    /// The file, relative to the project: word2vec as text or binary, fastText's
    /// `.vec`, or GloVe.
    pub vectors: Option<String>,
    /// How many words are taken from the beginning of the file; null for all.
    pub max_words: Option<usize>,
    /// Whether a word that the file does not have as it is written is not looked up
    /// in lower case either.
    pub case_sensitive: bool,
    /// How the vectors of its words become that of a message.
    pub pooling: Pooling,
}

/// Words that are taken unless the options say otherwise. With 300 numbers each
/// they take 60 MB in the archive.
pub const MAX_WORDS: usize = 100_000;

impl Default for Options {
    fn default() -> Self {
        Self {
            alias: None,
            vectors: None,
            max_words: Some(MAX_WORDS),
            case_sensitive: false,
            pooling: Pooling::Mean,
        }
    }
}

impl Options {
    /// Returns what nothing can be read with.
    ///
    /// # Errors
    ///
    /// The first option that cannot be.
    pub fn check(&self) -> Result<(), OptionError> {
        match self.max_words {
            Some(0) => Err(OptionError::new("max_words", "it takes one word at least")),
            _ => Ok(()),
        }
    }
}

/// How the vectors of words become one. Words without a vector do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The greatest value of each number.
    Max,
}

impl Pooling {
    /// Returns what these vectors are together; zeros if they all are.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `SpacyFeaturizer`: vectors of zeros do not count.
    fn pool<'v>(self, vectors: impl Iterator<Item = &'v [f32]>, pooled: &mut [f32]) {
        pooled.fill(0.0);
        let mut count = 0;
        for vector in vectors.filter(|vector| vector.iter().any(|&value| value != 0.0)) {
            count += 1;
            for (sum, &value) in pooled.iter_mut().zip(vector) {
                match self {
                    Self::Mean => *sum += value,
                    Self::Max if count == 1 => *sum = value,
                    Self::Max => *sum = sum.max(value),
                }
            }
        }
        if self == Self::Mean && count > 1 {
            pooled.iter_mut().for_each(|sum| *sum /= count as f32);
        }
    }
}

/// A featurizer that is ready to work on messages.
#[derive(Clone, Debug)]
pub struct Featurizer {
    /// Whether words are looked up as they are written and not otherwise.
    pub case_sensitive: bool,
    /// How messages are made of words.
    pub pooling: Pooling,
    /// The vectors.
    pub table: Table,
}

impl Featurizer {
    /// Returns the place of a word's vector; that of zeros if it has none.
    fn place(&self, word: &str) -> Option<usize> {
        let found = self.table.find(word);
        match found.is_some() || self.case_sensitive {
            true => found,
            false => self.table.find(&word.to_lowercase()),
        }
    }

    /// Returns the features of an attribute: a row a token and one a message. Names
    /// have none.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `SpacyFeaturizer`, with vectors that depend on the word alone.
    pub fn rows(&self, documents: &[Document], attribute: Attribute) -> FeatureRows {
        let mut rows = FeatureRows::without_columns(documents, attribute);
        if !attribute.is_dense() {
            return rows;
        }
        let width = self.table.width();
        let mut words = Dense::new(width);
        let mut sentences = Dense::new(width);
        let mut known: HashMap<Option<usize>, u32> = HashMap::new();
        let (mut vector, mut pooled) = (vec![0.0; width], vec![0.0; width]);
        for document in documents {
            let first = words.rows();
            for token in document.tokens(attribute) {
                let place = self.place(&token.text);
                match known.get(&place) {
                    Some(&stored) => words.push_again(stored),
                    None => {
                        self.table.copy(place, &mut vector);
                        known.insert(place, words.push(&vector));
                    }
                }
            }
            let own = (first..words.rows()).map(|row| words.row(row));
            self.pooling.pool(own, &mut pooled);
            sentences.push(&pooled);
        }
        rows.dense_sequence = words;
        rows.dense_sentence = sentences;
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenize::Tokenizer;

    fn featurizer(pooling: Pooling, case_sensitive: bool) -> Featurizer {
        let text = "red 1 0 -2\nRome 0 4 2\nblue 3 1 0\n";
        Featurizer {
            case_sensitive,
            pooling,
            table: read(text.as_bytes(), None, &mut |_| Ok(())).unwrap(),
        }
    }

    fn documents(texts: &[&str]) -> Vec<Document> {
        let tokenizer = Tokenizer::new(&Default::default()).unwrap();
        let document = |text: &&str| tokenizer.single(Attribute::Text, text);
        texts.iter().map(document).collect()
    }

    #[test]
    fn words_without_a_vector_are_zeros_and_do_not_count() {
        let documents = documents(&["red blue sea red", "sea"]);
        let rows = featurizer(Pooling::Mean, false).rows(&documents, Attribute::Text);
        assert_eq!(rows.dense_sequence.row(2), [0.0; 3]);
        let third = 1.0 / 3.0;
        let mean = [5.0 * third, third, -4.0 * third];
        for (found, want) in rows.dense_sentence.row(0).iter().zip(mean) {
            assert!((found - want).abs() < 1e-6, "{found} {want}");
        }
        assert_eq!(rows.dense_sentence.row(1), [0.0; 3]);
        assert_eq!(rows.dense_sequence.stored().len(), 9, "each word once");
        let most = featurizer(Pooling::Max, false).rows(&documents, Attribute::Text);
        assert_eq!(most.dense_sentence.row(0), [3.0, 1.0, 0.0]);
    }

    #[test]
    fn case_is_given_up_only_where_that_is_allowed() {
        let documents = documents(&["RED Rome rome"]);
        let rows = featurizer(Pooling::Mean, false).rows(&documents, Attribute::Text);
        assert_eq!(rows.dense_sequence.row(0), [1.0, 0.0, -2.0]);
        assert_eq!(rows.dense_sequence.row(1), [0.0, 4.0, 2.0]);
        assert_eq!(rows.dense_sequence.row(2), [0.0; 3]);
        let strict = featurizer(Pooling::Mean, true).rows(&documents, Attribute::Text);
        assert_eq!(strict.dense_sequence.row(0), [0.0; 3]);
    }

    #[test]
    fn names_have_no_vectors() {
        let tokenizer = Tokenizer::new(&Default::default()).unwrap();
        let name = [tokenizer.single(Attribute::Intent, "red")];
        let rows = featurizer(Pooling::Mean, false).rows(&name, Attribute::Intent);
        assert_eq!(
            (rows.dense_sequence.cols(), rows.dense_sentence.cols()),
            (0, 0)
        );
    }
}
