//! Sparse matrices in compressed rows.

/// A sparse matrix of `f32`, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Csr {
    cols: usize,
    /// `[rows + 1]`; row `r` is `indices[offsets[r]..offsets[r + 1]]`.
    offsets: Vec<u32>,
    /// Column of each stored value, ascending within a row.
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl Csr {
    /// Returns a matrix of `cols` columns without rows.
    pub fn new(cols: usize) -> Self {
        Self {
            cols,
            offsets: vec![0],
            indices: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Returns the number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Returns the number of stored values.
    pub fn stored(&self) -> usize {
        self.indices.len()
    }

    /// Returns the columns and values of a row.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        (&self.indices[range.clone()], &self.values[range])
    }

    /// Appends a row given as `(column, value)` in ascending order of columns.
    ///
    /// # Panics
    ///
    /// If the columns do not ascend or lie outside the matrix.
    pub fn push_row(&mut self, entries: impl IntoIterator<Item = (u32, f32)>) {
        let first = self.indices.len();
        for (col, value) in entries {
            assert!((col as usize) < self.cols, "column {col} of {}", self.cols);
            assert!(self.indices.len() == first || self.indices[self.indices.len() - 1] < col);
            self.indices.push(col);
            self.values.push(value);
        }
        self.offsets.push(self.indices.len() as u32);
    }

    /// Returns some rows in the order given.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn select(&self, rows: impl IntoIterator<Item = usize>) -> Csr {
        let mut chosen = Csr::new(self.cols);
        for row in rows {
            let (columns, values) = self.row(row);
            chosen.indices.extend_from_slice(columns);
            chosen.values.extend_from_slice(values);
            chosen.offsets.push(chosen.indices.len() as u32);
        }
        chosen
    }

    /// Returns the matrices side by side: columns of the first, then of the
    /// second, and so on.
    ///
    /// # Panics
    ///
    /// If the numbers of rows differ.
    pub fn hstack(parts: &[&Csr]) -> Csr {
        let mut joined = Csr::new(parts.iter().map(|part| part.cols).sum());
        let rows = parts.first().map_or(0, |part| part.rows());
        assert!(
            parts.iter().all(|part| part.rows() == rows),
            "parts differ in rows"
        );
        for row in 0..rows {
            let mut shift = 0;
            for part in parts {
                let (indices, values) = part.row(row);
                joined
                    .indices
                    .extend(indices.iter().map(|index| index + shift));
                joined.values.extend_from_slice(values);
                shift += part.cols as u32;
            }
            joined.offsets.push(joined.indices.len() as u32);
        }
        joined
    }
}
