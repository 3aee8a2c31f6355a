//! Dense features of tokens from a language model of the BERT family that somebody
//! trained before, read from a folder.
//!
//! ```text
//!   folder ─┬▶ config.json ───────▶ config ─┐
//!           ├▶ model.safetensors ─▶ weights ─┴▶ Encoder ───┐
//!           └▶ tokenizer.json ────▶ SubTokens ─▶ Splitter ─┴▶ Featurizer
//!
//!   Documents ─▶ Splitter ─▶ Readings ─▶ Encoder ─▶ Vectors ─▶ rows
//! ```
//!
//! The vectors of a text depend on nothing but its sub-tokens and the model, so that each
//! different text goes through the model once, together with any others or alone.
//!
//! The folder is one as Hugging Face's `transformers` writes it. Which of its files are
//! read is [`Parts`]; nothing else of it is looked at, and nothing is ever downloaded.
//!
//! Differs from Rasa: a model has hundreds of megabytes, so an archive does not hold its
//! weights but [`Wanted`], which says what the files must be; whoever loads the archive
//! says where they are.

mod config;
mod encoder;
mod folder;
mod network;
mod options;
mod splitter;
mod sub_tokens;
mod weights;

pub use config::Architecture;
pub use config::ConfigError;
pub use config::ModelConfig;
pub use encoder::Encoder;
pub use encoder::Stopped;
pub use encoder::Vectors;
pub use folder::Beginning;
pub use folder::FolderError;
pub use folder::ModelFile;
pub use folder::Parts;
pub use folder::WANTED;
pub use folder::Wanted;
pub use folder::check_heads;
pub use folder::open;
pub use folder::open_encoder;
pub use folder::open_splitter;
pub use options::Options;
pub use splitter::Long;
pub use splitter::MAX_SUB_TOKENS;
pub use splitter::Reading;
pub use splitter::Splitter;
pub use splitter::TooLong;
pub use weights::WeightsError;

use std::collections::HashMap;

use crate::features::FeatureRows;
use crate::matrix::Dense;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// Why there are no features.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// A text is too long to be trained on.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Whoever was told of the progress wanted no more.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A featurizer that is ready to work on messages.
#[derive(Debug)]
pub struct Featurizer {
    splitter: Splitter,
    encoder: Encoder,
}

impl Featurizer {
    /// Returns how many numbers a vector has.
    pub fn width(&self) -> usize {
        self.encoder.width()
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
        if !attribute.is_dense() {
            return Ok(FeatureRows::without_columns(documents, attribute));
        }
        let mut known: HashMap<Reading, usize> = HashMap::new();
        let mut readings = Vec::new();
        let mut places = Vec::with_capacity(documents.len());
        for reading in self.splitter.readings(documents, attribute, long) {
            let place = |reading: Reading| {
                *known.entry(reading).or_insert_with_key(|reading| {
                    readings.push(reading.clone());
                    readings.len() - 1
                })
            };
            places.push(reading?.map(place));
        }
        let vectors = self.encoder.vectors(&readings, progress)?;
        Ok(rows(documents, attribute, &places, &vectors, self.width()))
    }
}

/// Returns the features of an attribute that is featurized, from the vectors of `width`
/// numbers of its different texts; `places` says which of them each document has.
///
/// # Panics
///
/// If a place is beyond the vectors.
pub fn rows(
    documents: &[Document],
    attribute: Attribute,
    places: &[Option<usize>],
    vectors: &[Vectors],
    width: usize,
) -> FeatureRows {
    let mut rows = FeatureRows::without_columns(documents, attribute);
    rows.dense_sequence = Dense::new(width);
    rows.dense_sentence = Dense::new(width);
    let mut stored = Stored {
        vectors,
        places: vec![None; vectors.len()],
        nothing: None,
    };
    for place in places {
        stored.push(*place, &mut rows);
    }
    rows
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
