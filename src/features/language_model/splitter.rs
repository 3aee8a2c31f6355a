//! Documents to what a model reads of them.

use serde::Deserialize;
use serde::Serialize;

use crate::features::language_model::ModelConfig;
use crate::features::language_model::sub_tokens::SubTokens;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// The most sub-tokens, special ones included, that Rasa gives to a model at once.
pub const MAX_SUB_TOKENS: usize = 512;

/// What is done with a text of more sub-tokens than the model can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Long {
    /// It is an error, as in training.
    Refused,
    /// The rest is not read, and the vectors of its tokens are zeros, as in answering.
    Cut,
}

/// A text is too long to be trained on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{start}…` has {count} sub-tokens, and the language model reads {most} at most: shorten it"
)]
pub struct TooLong {
    /// Which document it is.
    pub document: usize,
    /// How it begins.
    pub start: String,
    /// Its sub-tokens, with the special ones.
    pub count: usize,
    /// How many there may be.
    pub most: usize,
}

/// A text as a model reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reading {
    /// Its sub-tokens between the two special ones, as many as are read.
    pub input: Vec<u32>,
    /// How many sub-tokens each token has, those that are not read too.
    pub counts: Vec<u32>,
}

/// Splits tokens into the sub-tokens of a model.
pub struct Splitter {
    sub_tokens: SubTokens,
    most: usize,
}

impl std::fmt::Debug for Splitter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Splitter")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl Splitter {
    /// Returns what splits for a model of this shape.
    pub(super) fn new(sub_tokens: SubTokens, config: &ModelConfig) -> Self {
        let most = MAX_SUB_TOKENS.min(config.longest());
        Self { sub_tokens, most }
    }

    /// Returns what is read of an attribute of each document: nothing if it does not
    /// have the attribute.
    ///
    /// # Errors
    ///
    /// If a text is too long and that is refused.
    pub fn readings(
        &self,
        documents: &[Document],
        attribute: Attribute,
        long: Long,
    ) -> impl Iterator<Item = Result<Option<Reading>, TooLong>> {
        let documents = documents.iter().enumerate();
        documents.map(move |(at, document)| self.reading(at, document, attribute, long))
    }

    fn reading(
        &self,
        at: usize,
        document: &Document,
        attribute: Attribute,
        long: Long,
    ) -> Result<Option<Reading>, TooLong> {
        let tokens = document.tokens(attribute);
        if tokens.is_empty() {
            return Ok(None);
        }
        let (first, last) = self.sub_tokens.around;
        let mut reading = Reading::default();
        reading.input.push(first);
        for token in tokens {
            let count = self.sub_tokens.split(&token.text, &mut reading.input);
            reading.counts.push(count as u32);
        }
        reading.input.push(last);
        let count = reading.input.len();
        if count > self.most && long == Long::Refused {
            let text = document.text(attribute).unwrap_or_default();
            return Err(TooLong {
                document: at,
                start: text.chars().take(20).collect(),
                count,
                most: self.most,
            });
        }
        reading.input.truncate(self.most);
        Ok(Some(reading))
    }
}
