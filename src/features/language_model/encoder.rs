//! What a model makes of texts: a vector of each token and one of each text.

use rayon::prelude::*;

use crate::features::language_model::Reading;
use crate::features::language_model::network::Network;
use crate::matrix::Layout;
use crate::matrix::pack;

/// How many panels are worked on between two reports of progress.
const PANELS_AT_ONCE: usize = 32;

/// Whoever was told of the progress wanted no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was stopped")]
pub struct Stopped;

/// What becomes of a [`Reading`].
#[derive(Clone, Debug, PartialEq)]
pub struct Vectors {
    /// One a token, one after the other.
    pub tokens: Vec<f32>,
    /// That of the text.
    pub sentence: Vec<f32>,
}

/// The network of a language model.
pub struct Encoder(Network);

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Encoder").field(self.0.config()).finish()
    }
}

impl Encoder {
    /// Returns the encoder with this network.
    pub(super) fn new(network: Network) -> Self {
        Self(network)
    }

    /// Returns how many numbers a vector has.
    pub fn width(&self) -> usize {
        self.0.config().width
    }

    /// Returns what becomes of each reading. `progress` is told how many of how many are
    /// done, and returns whether to go on.
    ///
    /// # Errors
    ///
    /// If `progress` said no.
    pub fn vectors(
        &self,
        readings: &[Reading],
        progress: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Vec<Vectors>, Stopped> {
        let lengths = readings.iter().map(|reading| reading.input.len());
        let lengths: Vec<usize> = lengths.collect();
        let mut vectors = Vec::with_capacity(readings.len());
        for layouts in pack(&lengths).chunks(PANELS_AT_ONCE) {
            let of_panel = |layout: &Layout| {
                let first = layout.first_sentence;
                self.panel(layout, &readings[first..first + layout.spans.len()])
            };
            let done: Vec<Vec<Vectors>> = layouts.par_iter().map(of_panel).collect();
            vectors.extend(done.into_iter().flatten());
            if !progress(vectors.len(), readings.len()) {
                return Err(Stopped);
            }
        }
        Ok(vectors)
    }

    /// Returns what becomes of the readings in one panel.
    fn panel(&self, layout: &Layout, readings: &[Reading]) -> Vec<Vectors> {
        let inputs: Vec<&[u32]> = readings.iter().map(|one| &one.input[..]).collect();
        let states = self.0.forward(layout, &inputs);
        let sentences = layout.spans.iter().zip(readings);
        let of_sentence = sentences.map(|(span, reading)| {
            let (start, end) = (span.start as usize, (span.start + span.count) as usize);
            // The first and the last are special; of a text that was cut the last is not,
            // and Rasa drops its vector all the same.
            let own: Vec<Vec<f32>> = (start + 1..end - 1).map(|at| states.column(at)).collect();
            let sentence = match self.0.config().architecture.has_sentence_token() {
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

impl Vectors {
    /// Packs vectors of `width` numbers: the width and how many readings there are, how
    /// many tokens each has, then all numbers, the tokens' before the text's; each four
    /// bytes, little-endian.
    pub fn packed(all: &[Self], width: usize) -> Vec<u8> {
        let numbers = all.iter().map(|one| one.tokens.len() + width + 1);
        let mut bytes = Vec::with_capacity(8 + 4 * numbers.sum::<usize>());
        let mut push = |number: usize| bytes.extend((number as u32).to_le_bytes());
        push(width);
        push(all.len());
        all.iter().for_each(|one| push(one.tokens.len() / width));
        let numbers = all.iter().flat_map(|one| [&one.tokens, &one.sentence]);
        for number in numbers.flatten() {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    /// Reads packed vectors, and their width; nothing if the bytes are of another form.
    pub fn unpacked(bytes: &[u8]) -> Option<(Vec<Self>, usize)> {
        let (words, []) = bytes.as_chunks::<4>() else {
            return None;
        };
        let number = |word: &[u8; 4]| u32::from_le_bytes(*word) as usize;
        let ([width, count], words) = words.split_first_chunk()?;
        let width = Some(number(width)).filter(|&width| width > 0)?;
        let (counts, mut words) = words.split_at_checked(number(count))?;
        let mut take = |count: usize| {
            let (taken, rest) = words.split_at_checked(count)?;
            words = rest;
            Some(taken.iter().copied().map(f32::from_le_bytes).collect())
        };
        let mut all = Vec::with_capacity(counts.len());
        for tokens in counts {
            all.push(Self {
                tokens: take(number(tokens).checked_mul(width)?)?,
                sentence: take(width)?,
            });
        }
        words.is_empty().then_some((all, width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_vectors_are_read_as_they_were() {
        let all = [
            Vectors {
                tokens: vec![1.0, -2.0, 3.5, f32::MIN_POSITIVE],
                sentence: vec![0.0, -0.0],
            },
            Vectors {
                tokens: vec![],
                sentence: vec![7.0, 8.0],
            },
        ];
        let bytes = Vectors::packed(&all, 2);
        assert_eq!(Vectors::unpacked(&bytes), Some((all.to_vec(), 2)));
        for end in 0..bytes.len() {
            assert_eq!(Vectors::unpacked(&bytes[..end]), None);
        }
        let huge = [[0xff; 4]; 3].concat();
        assert_eq!(Vectors::unpacked(&huge), None);
        assert_eq!(Vectors::unpacked(&[0; 16]), None);
        assert_eq!(
            Vectors::unpacked(&Vectors::packed(&[], 2)),
            Some((vec![], 2))
        );
    }
}
