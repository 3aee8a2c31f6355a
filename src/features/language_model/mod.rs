//! Dense features of tokens from a language model of the BERT family that somebody
//! trained before, read from a folder.
//!
//! ```text
//!   folder ─┬▶ config.json ───────▶ config ─┐
//!           ├▶ model.safetensors ─▶ weights ─┴▶ Network ─┐
//!           └▶ tokenizer.json ────▶ SubTokens ───────────┴▶ Featurizer
//!
//!   Documents ─▶ sub-tokens of each token ─▶ panels ─▶ Network ─▶ mean by token ─▶ rows
//! ```
//!
//! The folder is one as Hugging Face's `transformers` writes it. Which of its files are
//! read is [`Parts`]; nothing else of it is looked at, and nothing is ever downloaded.
//!
//! Differs from Rasa: a model has hundreds of megabytes, so an archive does not hold its
//! weights but [`Wanted`], which says what the files must be; whoever loads the archive
//! says where they are.

mod config;
mod folder;
mod network;
mod options;
mod sub_tokens;
mod weights;

pub use config::Architecture;
pub use config::ConfigError;
pub use config::ModelConfig;
pub use folder::Beginning;
pub use folder::FolderError;
pub use folder::ModelFile;
pub use folder::Parts;
pub use folder::WANTED;
pub use folder::Wanted;
pub use folder::check_heads;
pub use folder::open;
pub use options::Options;
pub use weights::WeightsError;

use std::collections::HashMap;

use rayon::prelude::*;

use crate::features::FeatureRows;
use crate::features::language_model::network::Network;
use crate::features::language_model::sub_tokens::SubTokens;
use crate::matrix::Dense;
use crate::matrix::Layout;
use crate::matrix::pack;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// The most sub-tokens, special ones included, that Rasa gives to a model at once.
pub const MAX_SUB_TOKENS: usize = 512;

/// How many panels are worked on between two reports of progress.
const PANELS_AT_ONCE: usize = 32;

/// What is done with a text of more sub-tokens than the model can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Long {
    /// It is an error, as in training.
    Refused,
    /// The rest is not read, and the vectors of its tokens are zeros, as in answering.
    Cut,
}

/// Why there are no features.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// A text is too long to be trained on.
    #[error(
        "`{start}…` has {count} sub-tokens, and the language model reads {most} at most: shorten it"
    )]
    TooLong {
        /// Which document it is.
        document: usize,
        /// How it begins.
        start: String,
        /// Its sub-tokens, with the special ones.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// Whoever was told of the progress wanted no more.
    #[error("it was stopped")]
    Stopped,
}

/// A featurizer that is ready to work on messages.
pub struct Featurizer {
    sub_tokens: SubTokens,
    network: Network,
    most: usize,
}

impl std::fmt::Debug for Featurizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Featurizer")
            .field("config", self.network.config())
            .finish_non_exhaustive()
    }
}

/// A document as the model reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Reading {
    /// Sub-tokens between the two special ones.
    ids: Vec<u32>,
    /// How many of them each token has.
    counts: Vec<u32>,
}

/// What becomes of a [`Reading`].
struct Vectors {
    /// One a token, one after the other.
    tokens: Vec<f32>,
    sentence: Vec<f32>,
}

impl Featurizer {
    /// Puts a featurizer together.
    fn new(sub_tokens: SubTokens, network: Network) -> Self {
        let most = MAX_SUB_TOKENS.min(network.config().longest());
        Self {
            sub_tokens,
            network,
            most,
        }
    }

    /// Returns how many numbers a vector has.
    pub fn width(&self) -> usize {
        self.network.config().width
    }

    /// Returns the features of an attribute: a row a token and one a message. Names
    /// have none. `progress` is told how many of how many different texts are done, and
    /// returns whether to go on.
    ///
    /// A token is the mean of its sub-tokens. A message is, for BERT and DistilBERT, what
    /// became of `[CLS]`; for the others the mean of all sub-tokens. The bits do not
    /// depend on the other documents, the number of threads or the vector level.
    ///
    /// # Errors
    ///
    /// If a text is too long and that is refused, or `progress` said no.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `LanguageModelFeaturizer`. Differs from Rasa: a token in which the model
    /// sees nothing (a lone control character) has a vector of zeros; Rasa has none for
    /// it, so that all tokens behind it get another's.
    pub fn rows(
        &self,
        documents: &[Document],
        attribute: Attribute,
        long: Long,
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<FeatureRows, RowsError> {
        let mut rows = FeatureRows::without_columns(documents, attribute);
        if !attribute.is_dense() {
            return Ok(rows);
        }
        let (readings, places) = self.readings(documents, attribute, long)?;
        let vectors = self.vectors(&readings, progress)?;
        rows.dense_sequence = Dense::new(self.width());
        rows.dense_sentence = Dense::new(self.width());
        let mut stored = Stored {
            vectors: &vectors,
            places: vec![None; readings.len()],
            nothing: None,
        };
        for place in places {
            stored.push(place, &mut rows);
        }
        Ok(rows)
    }

    /// Returns the different readings, and which of them each document has: none if it
    /// does not have the attribute.
    fn readings(
        &self,
        documents: &[Document],
        attribute: Attribute,
        long: Long,
    ) -> Result<(Vec<Reading>, Vec<Option<usize>>), RowsError> {
        let mut known: HashMap<Reading, usize> = HashMap::new();
        let mut readings = Vec::new();
        let mut places = Vec::with_capacity(documents.len());
        for (at, document) in documents.iter().enumerate() {
            let tokens = document.tokens(attribute);
            if tokens.is_empty() {
                places.push(None);
                continue;
            }
            let mut reading = Reading::default();
            for token in tokens {
                let count = self.sub_tokens.split(&token.text, &mut reading.ids);
                reading.counts.push(count as u32);
            }
            let count = reading.ids.len() + 2;
            if count > self.most && long == Long::Refused {
                let text = document.text(attribute).unwrap_or_default();
                return Err(RowsError::TooLong {
                    document: at,
                    start: text.chars().take(20).collect(),
                    count,
                    most: self.most,
                });
            }
            let place = *known.entry(reading).or_insert_with_key(|reading| {
                readings.push(reading.clone());
                readings.len() - 1
            });
            places.push(Some(place));
        }
        Ok((readings, places))
    }

    /// Returns what becomes of each reading.
    fn vectors(
        &self,
        readings: &[Reading],
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<Vectors>, RowsError> {
        let inputs: Vec<Vec<u32>> = readings.iter().map(|reading| self.input(reading)).collect();
        let lengths: Vec<usize> = inputs.iter().map(Vec::len).collect();
        let mut vectors = Vec::with_capacity(readings.len());
        for layouts in pack(&lengths).chunks(PANELS_AT_ONCE) {
            let of_panel = |layout: &Layout| {
                let first = layout.first_sentence;
                let sentences = first..first + layout.spans.len();
                self.panel(layout, &inputs[sentences.clone()], &readings[sentences])
            };
            let done: Vec<Vec<Vectors>> = layouts.par_iter().map(of_panel).collect();
            vectors.extend(done.into_iter().flatten());
            if !progress(vectors.len(), readings.len()) {
                return Err(RowsError::Stopped);
            }
        }
        Ok(vectors)
    }

    /// Returns the sub-tokens with the special ones around them, as many as are read.
    fn input(&self, reading: &Reading) -> Vec<u32> {
        let (first, last) = self.sub_tokens.around;
        let mut input = Vec::with_capacity(reading.ids.len() + 2);
        input.push(first);
        input.extend_from_slice(&reading.ids);
        input.push(last);
        input.truncate(self.most);
        input
    }

    /// Returns what becomes of the readings in one panel.
    fn panel(&self, layout: &Layout, inputs: &[Vec<u32>], readings: &[Reading]) -> Vec<Vectors> {
        let states = self.network.forward(layout, inputs);
        let sentences = layout.spans.iter().zip(readings);
        let of_sentence = sentences.map(|(span, reading)| {
            let (start, end) = (span.start as usize, (span.start + span.count) as usize);
            // The first and the last are special; of a text that was cut the last is not,
            // and Rasa drops its vector all the same.
            let own: Vec<Vec<f32>> = (start + 1..end - 1).map(|at| states.column(at)).collect();
            let sentence = match self.network.config().architecture.has_sentence_token() {
                true => states.column(start),
                false => mean(self.width(), own.len(), own.iter()),
            };
            Vectors {
                tokens: self.by_token(reading, &own),
                sentence,
            }
        });
        of_sentence.collect()
    }

    /// Returns the mean of each token's sub-tokens; those that were not read are zeros.
    fn by_token(&self, reading: &Reading, own: &[Vec<f32>]) -> Vec<f32> {
        let mut tokens = Vec::with_capacity(reading.counts.len() * self.width());
        let mut from = 0;
        for &count in &reading.counts {
            let to = from + count as usize;
            let read = own.get(from.min(own.len())..to.min(own.len()));
            let read = read.unwrap_or_default().iter();
            tokens.extend(mean(self.width(), count as usize, read));
            from = to;
        }
        tokens
    }
}

/// Returns the sum of vectors divided by how many there are, or would be: those that are
/// missing are zeros.
fn mean<'v>(width: usize, count: usize, vectors: impl Iterator<Item = &'v Vec<f32>>) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for vector in vectors {
        for (sum, value) in sum.iter_mut().zip(vector) {
            *sum += value;
        }
    }
    if count > 1 {
        sum.iter_mut().for_each(|sum| *sum /= count as f32);
    }
    sum
}

/// Vectors on their way into rows, each different text stored once.
struct Stored<'a> {
    vectors: &'a [Vectors],
    /// Where the first token and the sentence of each are stored.
    places: Vec<Option<(u32, u32)>>,
    /// Where the zeros of documents without the attribute are.
    nothing: Option<u32>,
}

impl Stored<'_> {
    /// Appends the rows of a document.
    fn push(&mut self, place: Option<usize>, rows: &mut FeatureRows) {
        let (sequence, sentence) = (&mut rows.dense_sequence, &mut rows.dense_sentence);
        let width = sentence.cols();
        match (place, self.nothing) {
            (None, Some(nothing)) => sentence.push_again(nothing),
            (None, None) => self.nothing = Some(sentence.push(&vec![0.0; width])),
            (Some(place), _) => {
                let own = &self.vectors[place];
                let tokens = own.tokens.chunks_exact(width);
                if let Some((first, stored)) = self.places[place] {
                    (first..)
                        .zip(tokens)
                        .for_each(|(at, _)| sequence.push_again(at));
                    return sentence.push_again(stored);
                }
                let first = (sequence.stored().len() / width) as u32;
                tokens.for_each(|token| _ = sequence.push(token));
                self.places[place] = Some((first, sentence.push(&own.sentence)));
            }
        }
    }
}
