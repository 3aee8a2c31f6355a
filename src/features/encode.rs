//! [`FeatureRows`] as bytes, for the cache.
//!
//! ```text
//! "TBFR" 1, or 2 with dense features     magic and version, 5 bytes
//! messages, then the number of tokens of each
//! sequence: cols, rows, then each row
//! sentence: the same
//! only of version 2:
//! dense sequence: cols; if not 0, the stored rows and their 4-byte values
//!     (little end first), then which of them each row is
//! dense sentence: the same
//! row: count, first column, gap to each next column,
//!      0 if every value is 1, else 1 and each value as 4 bytes (little end first)
//! ```
//!
//! All other numbers are LEB128 varints of at most 32 bits. Equal rows have
//! equal bytes. Reading checks every count against the bytes that are left
//! before it makes room for anything.

use super::rows::FeatureRows;
use crate::matrix::Csr;
use crate::matrix::Dense;

const MAGIC: &[u8; 5] = b"TBFR\x01";
const MAGIC_DENSE: &[u8; 5] = b"TBFR\x02";

/// Bytes that are not [`FeatureRows`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not feature rows: {reason} at byte {at}")]
pub struct DecodeError {
    /// Where reading stopped.
    pub at: usize,
    /// What was wrong there.
    pub reason: &'static str,
}

impl FeatureRows {
    /// Returns the rows as bytes; the format stands at the top of this file's
    /// module (`features::encode`): varint columns by difference, values only
    /// where one is not 1.
    pub fn to_bytes(&self) -> Vec<u8> {
        let is_dense = self.dense_sequence.cols() + self.dense_sentence.cols() > 0;
        let mut out = if is_dense { MAGIC_DENSE } else { MAGIC }.to_vec();
        write_number(&mut out, self.messages() as u32);
        for message in 0..self.messages() {
            write_number(&mut out, self.tokens(message).len() as u32);
        }
        write_matrix(&mut out, &self.sequence);
        write_matrix(&mut out, &self.sentence);
        if is_dense {
            write_dense(&mut out, &self.dense_sequence);
            write_dense(&mut out, &self.dense_sentence);
        }
        out
    }

    /// Returns the rows that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    ///
    /// If the bytes are cut short, too many, of another version, or describe
    /// rows that do not fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes, at: 0 };
        let magic = reader.take(MAGIC.len())?;
        let is_dense = magic == MAGIC_DENSE;
        if !is_dense && magic != MAGIC {
            return Err(DecodeError {
                at: 0,
                reason: "another format or version",
            });
        }
        let messages = reader.count()?;
        let mut token_offsets = Vec::with_capacity(messages + 1);
        let mut total = 0u32;
        token_offsets.push(total);
        for _ in 0..messages {
            total = match total.checked_add(reader.number()?) {
                Some(total) => total,
                None => return reader.wrong("too many tokens"),
            };
            token_offsets.push(total);
        }
        let sequence = reader.matrix(total as usize)?;
        let sentence = reader.matrix(messages)?;
        let (mut dense_sequence, mut dense_sentence) = (Dense::default(), Dense::default());
        if is_dense {
            dense_sequence = reader.dense(total as usize)?;
            dense_sentence = reader.dense(messages)?;
            if dense_sequence.cols() + dense_sentence.cols() == 0 {
                return reader.wrong("dense features without columns");
            }
        }
        if reader.at != bytes.len() {
            return reader.wrong("bytes after the end");
        }
        Ok(Self {
            token_offsets,
            sequence,
            sentence,
            dense_sequence,
            dense_sentence,
        })
    }
}

fn write_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn write_matrix(out: &mut Vec<u8>, matrix: &Csr) {
    write_number(out, matrix.cols() as u32);
    write_number(out, matrix.rows() as u32);
    for row in 0..matrix.rows() {
        let (columns, values) = matrix.row(row);
        write_number(out, columns.len() as u32);
        let mut last = 0;
        for &column in columns {
            write_number(out, column - last);
            last = column;
        }
        if columns.is_empty() {
            continue;
        }
        let plain = values.iter().all(|value| *value == 1.0);
        out.push(u8::from(!plain));
        if !plain {
            out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        }
    }
}

fn write_dense(out: &mut Vec<u8>, matrix: &Dense) {
    write_number(out, matrix.cols() as u32);
    if matrix.cols() > 0 {
        write_number(out, (matrix.stored().len() / matrix.cols()) as u32);
        out.extend(matrix.stored().iter().flat_map(|value| value.to_le_bytes()));
        for &place in matrix.places() {
            write_number(out, place);
        }
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn wrong<T>(&self, reason: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError {
            at: self.at,
            reason,
        })
    }

    fn take(&mut self, length: usize) -> Result<&'b [u8], DecodeError> {
        match self.bytes[self.at..].get(..length) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => self.wrong("cut short"),
        }
    }

    fn number(&mut self) -> Result<u32, DecodeError> {
        let mut number = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return match u32::try_from(number) {
                    Ok(number) => Ok(number),
                    Err(_) => self.wrong("a number over 32 bits"),
                };
            }
        }
        self.wrong("a number over 32 bits")
    }

    /// Reads how many things follow, of which each has at least one byte.
    fn count(&mut self) -> Result<usize, DecodeError> {
        let count = self.number()? as usize;
        match count <= self.bytes.len() - self.at {
            true => Ok(count),
            false => self.wrong("more announced than there is"),
        }
    }

    fn matrix(&mut self, rows_wanted: usize) -> Result<Csr, DecodeError> {
        let cols = self.number()?;
        let rows = self.count()?;
        if rows != rows_wanted {
            return self.wrong("the wrong number of rows");
        }
        let mut matrix = Csr::new(cols as usize);
        let mut columns = Vec::new();
        for _ in 0..rows {
            self.columns(cols, &mut columns)?;
            match columns.is_empty() || self.take(1)?[0] == 0 {
                true => matrix.push_row(columns.iter().map(|&column| (column, 1.0))),
                false => {
                    let values = self.take(columns.len() * 4)?.chunks_exact(4);
                    let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                    matrix.push_row(columns.iter().copied().zip(values));
                }
            }
        }
        Ok(matrix)
    }

    fn dense(&mut self, rows: usize) -> Result<Dense, DecodeError> {
        let cols = self.number()? as usize;
        if cols == 0 {
            return Ok(Dense::default());
        }
        let count = self.number()? as usize;
        let Some(size) = count.checked_mul(cols).and_then(|all| all.checked_mul(4)) else {
            return self.wrong("more announced than there is");
        };
        let values = self.take(size)?.chunks_exact(4);
        let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let stored: Vec<f32> = values.collect();
        let mut places = Vec::new();
        for _ in 0..rows {
            places.push(self.number()?);
        }
        match Dense::from_parts(cols, stored, places) {
            Some(matrix) => Ok(matrix),
            None => self.wrong("a row that is not stored"),
        }
    }

    fn columns(&mut self, cols: u32, columns: &mut Vec<u32>) -> Result<(), DecodeError> {
        columns.clear();
        let mut column = 0u32;
        for place in 0..self.count()? {
            let gap = self.number()?;
            column = match column.checked_add(gap) {
                Some(column) if column < cols && (gap > 0 || place == 0) => column,
                _ => return self.wrong("a column outside the matrix or out of order"),
            };
            columns.push(column);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> FeatureRows {
        let mut sequence = Csr::new(1000);
        sequence.push_row([(0, 1.0), (999, 1.0)]);
        sequence.push_row([]);
        sequence.push_row([(300, 2.5)]);
        let mut sentence = Csr::new(3);
        sentence.push_row([(1, 1.0)]);
        sentence.push_row([(0, -1.0), (2, 1.0)]);
        FeatureRows {
            token_offsets: vec![0, 2, 3],
            sequence,
            sentence,
            ..FeatureRows::default()
        }
    }

    fn with_dense() -> FeatureRows {
        let mut rows = sample();
        rows.dense_sequence =
            Dense::from_parts(2, vec![0.5, -1.0, 3.0, 4.0], vec![0, 1, 0]).unwrap();
        rows
    }

    #[test]
    fn rows_come_back_as_they_were() {
        for rows in [
            sample(),
            with_dense(),
            FeatureRows {
                token_offsets: vec![0],
                sequence: Csr::new(0),
                sentence: Csr::new(0),
                ..FeatureRows::default()
            },
        ] {
            assert_eq!(FeatureRows::from_bytes(&rows.to_bytes()), Ok(rows));
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        for rows in [sample(), with_dense()] {
            let bytes = rows.to_bytes();
            for length in 0..bytes.len() {
                assert!(
                    FeatureRows::from_bytes(&bytes[..length]).is_err(),
                    "{length}"
                );
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(FeatureRows::from_bytes(&longer).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..60), at in 0usize..40, new: u8) {
            let _ = FeatureRows::from_bytes(&bytes);
            bytes.splice(0..0, *MAGIC);
            let _ = FeatureRows::from_bytes(&bytes);
            bytes.splice(0..MAGIC.len(), *MAGIC_DENSE);
            let _ = FeatureRows::from_bytes(&bytes);
            let mut changed = with_dense().to_bytes();
            let at = at % changed.len();
            changed[at] = new;
            if let Ok(rows) = FeatureRows::from_bytes(&changed) {
                prop_assert_eq!(rows.sequence.rows(), *rows.token_offsets.last().unwrap() as usize);
            }
        }
    }
}
