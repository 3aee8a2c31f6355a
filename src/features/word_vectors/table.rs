//! The vectors of some words, in memory and on disk.
//!
//! ```text
//!   words.json            the words, sorted
//!   vectors.safetensors   "vectors" [words, width], 16-bit floats
//! ```

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::features::half;

const WORDS: &str = "words.json";
const VECTORS: &str = "vectors.safetensors";
const TENSOR: &str = "vectors";

/// The names of a table's files.
pub const FILES: [&str; 2] = [WORDS, VECTORS];

/// Vectors by word.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Sorted, each once.
    words: Vec<String>,
    width: usize,
    /// `[words, width]`, as 16-bit floats.
    vectors: Vec<u16>,
}

/// Files that are no table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// A file is missing.
    #[error("there is no file `{0}`")]
    Missing(&'static str),
    /// The words cannot be read.
    #[error("`words.json` cannot be read")]
    Words(#[from] serde_json::Error),
    /// The vectors cannot be read.
    #[error("`vectors.safetensors` cannot be read")]
    Vectors(#[from] safetensors::SafeTensorError),
    /// Parts contradict each other.
    #[error("the parts of the table do not fit: {0}")]
    Mismatch(&'static str),
}

impl Table {
    /// Returns the table of words and vectors in the order in which they were read;
    /// of two vectors of one word the first counts.
    pub(super) fn of(words: Vec<String>, width: usize, vectors: &[f32]) -> Self {
        let mut order: Vec<usize> = (0..words.len()).collect();
        order.sort_by(|&a, &b| words[a].cmp(&words[b]).then(a.cmp(&b)));
        order.dedup_by(|later, earlier| words[*later] == words[*earlier]);
        let row = |&at: &usize| vectors[at * width..(at + 1) * width].iter();
        let vectors = order.iter().flat_map(row);
        let vectors = vectors.map(|&value| half::from_f32(value)).collect();
        let mut words = words;
        let take = |&at: &usize| std::mem::take(&mut words[at]);
        Self {
            words: order.iter().map(take).collect(),
            width,
            vectors,
        }
    }

    /// Returns how many numbers a vector has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the words, sorted.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Returns the place of a word.
    pub(super) fn find(&self, word: &str) -> Option<usize> {
        let found = self.words.binary_search_by(|own| own.as_str().cmp(word));
        found.ok()
    }

    /// Writes the vector at a place into `vector`; zeros without a place.
    pub(super) fn copy(&self, place: Option<usize>, vector: &mut [f32]) {
        match place {
            None => vector.fill(0.0),
            Some(place) => {
                let own = &self.vectors[place * self.width..(place + 1) * self.width];
                for (value, &half) in vector.iter_mut().zip(own) {
                    *value = half::to_f32(half);
                }
            }
        }
    }

    /// Returns the table as files; the same table gives the same bytes.
    pub fn to_files(&self) -> BTreeMap<String, Vec<u8>> {
        let bytes: Vec<u8> = self.vectors.iter().flat_map(|v| v.to_le_bytes()).collect();
        let shape = vec![self.words.len(), self.width];
        let view =
            TensorView::new(Dtype::F16, shape, &bytes).expect("the shape is that of the bytes");
        let vectors = safetensors::serialize([(TENSOR, view)], None).expect("one tensor fits");
        let words = serde_json::to_vec(&self.words).expect("words are texts");
        BTreeMap::from([(WORDS.to_owned(), words), (VECTORS.to_owned(), vectors)])
    }

    /// Reads the files that [`Table::to_files`] wrote.
    ///
    /// # Errors
    ///
    /// If a file is missing or malformed, or the parts contradict each other.
    pub fn from_files<'f>(file: impl Fn(&str) -> Option<&'f [u8]>) -> Result<Self, TableError> {
        let words = file(WORDS).ok_or(TableError::Missing(WORDS))?;
        let vectors = file(VECTORS).ok_or(TableError::Missing(VECTORS))?;
        let words: Vec<String> = serde_json::from_slice(words)?;
        if !words.is_sorted_by(|a, b| a < b) {
            return Err(TableError::Mismatch("words that are not sorted"));
        }
        let tensors = SafeTensors::deserialize(vectors)?;
        let view = tensors.tensor(TENSOR)?;
        let &[rows, width] = view.shape() else {
            return Err(TableError::Mismatch("vectors of another shape"));
        };
        if view.dtype() != Dtype::F16 || rows != words.len() || width == 0 {
            return Err(TableError::Mismatch("vectors of other words"));
        }
        let halves = view.data().chunks_exact(2);
        Ok(Self {
            words,
            width,
            vectors: halves.map(|b| u16::from_le_bytes([b[0], b[1]])).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let words = ["b", "a", "b"].map(str::to_owned).to_vec();
        Table::of(words, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    }

    fn loaded(files: &BTreeMap<String, Vec<u8>>) -> Result<Table, TableError> {
        Table::from_files(|name| files.get(name).map(Vec::as_slice))
    }

    #[test]
    fn words_are_sorted_and_the_first_of_two_counts() {
        let table = table();
        assert_eq!(table.words(), ["a", "b"]);
        let mut vector = [0.0; 2];
        table.copy(table.find("b"), &mut vector);
        assert_eq!(vector, [1.0, 2.0]);
        assert_eq!(table.find("c"), None);
    }

    #[test]
    fn a_table_comes_back_from_its_files() {
        let files = table().to_files();
        assert_eq!(loaded(&files).unwrap(), table());
    }

    #[test]
    fn files_that_do_not_fit_are_refused() {
        for words in [r#"["a"]"#, r#"["b", "a"]"#, r#"["a", "a"]"#, "{}"] {
            let mut files = table().to_files();
            files.insert(WORDS.to_owned(), words.into());
            assert!(loaded(&files).is_err(), "{words}");
        }
        let files = table().to_files();
        for length in 0..files[VECTORS].len() {
            let mut cut = files.clone();
            cut.insert(VECTORS.to_owned(), files[VECTORS][..length].to_vec());
            assert!(loaded(&cut).is_err(), "{length}");
        }
    }
}
