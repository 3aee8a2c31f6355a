//! Dense matrices whose rows repeat.

use std::collections::HashMap;

/// A dense matrix of `f32`, in which a row that occurs often is stored once: words
/// repeat, and so do their vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dense {
    cols: usize,
    /// `[stored, cols]`, row-major.
    stored: Vec<f32>,
    /// Which stored row each row is.
    rows: Vec<u32>,
}

impl Dense {
    /// Returns a matrix of `cols` columns without rows.
    pub fn new(cols: usize) -> Self {
        Self {
            cols,
            ..Self::default()
        }
    }

    /// Puts a matrix together; none if a row is not stored, or a stored one not
    /// whole.
    pub fn from_parts(cols: usize, stored: Vec<f32>, rows: Vec<u32>) -> Option<Self> {
        let count = stored.len().checked_div(cols)?;
        let is_whole = count * cols == stored.len();
        let all_stored = rows.iter().all(|&row| (row as usize) < count);
        (is_whole && all_stored).then_some(Self { cols, stored, rows })
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Returns the number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Returns the stored rows one after the other, `[stored, cols]`.
    pub fn stored(&self) -> &[f32] {
        &self.stored
    }

    /// Returns which stored row each row is.
    pub fn places(&self) -> &[u32] {
        &self.rows
    }

    /// Returns the values of a row.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        let start = self.rows[row] as usize * self.cols;
        &self.stored[start..start + self.cols]
    }

    /// Appends a row and returns where it is stored.
    ///
    /// # Panics
    ///
    /// If it does not have as many values as there are columns.
    pub fn push(&mut self, values: &[f32]) -> u32 {
        assert_eq!(values.len(), self.cols);
        let place = self.stored.len().checked_div(self.cols).unwrap_or(0) as u32;
        self.stored.extend_from_slice(values);
        self.rows.push(place);
        place
    }

    /// Appends a row that is stored at a place already.
    ///
    /// # Panics
    ///
    /// If none is stored there.
    pub fn push_again(&mut self, place: u32) {
        assert!((place as usize + 1) * self.cols <= self.stored.len());
        self.rows.push(place);
    }

    /// Returns some rows in the order given; what is stored comes in the order in
    /// which it is first needed.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn select(&self, rows: impl IntoIterator<Item = usize>) -> Dense {
        let mut chosen = Dense::new(self.cols);
        let mut known: HashMap<u32, u32> = HashMap::new();
        for row in rows {
            match known.get(&self.rows[row]) {
                Some(&place) => chosen.push_again(place),
                None => {
                    let place = chosen.push(self.row(row));
                    known.insert(self.rows[row], place);
                }
            }
        }
        chosen
    }

    /// Returns the matrices side by side; those without columns count for nothing.
    ///
    /// # Panics
    ///
    /// If the numbers of rows of the others differ.
    pub fn hstack(parts: &[&Dense]) -> Dense {
        let parts: Vec<&&Dense> = parts.iter().filter(|part| part.cols > 0).collect();
        match parts[..] {
            [] => return Dense::default(),
            [part] => return (*part).clone(),
            _ => {}
        }
        let rows = parts[0].rows();
        assert!(
            parts.iter().all(|part| part.rows() == rows),
            "parts differ in rows"
        );
        let mut joined = Dense::new(parts.iter().map(|part| part.cols).sum());
        let mut known: HashMap<Vec<u32>, u32> = HashMap::new();
        for row in 0..rows {
            let places: Vec<u32> = parts.iter().map(|part| part.rows[row]).collect();
            match known.get(&places) {
                Some(&place) => joined.push_again(place),
                None => {
                    let values: Vec<&[f32]> = parts.iter().map(|part| part.row(row)).collect();
                    let place = joined.push(&values.concat());
                    known.insert(places, place);
                }
            }
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Dense {
        let mut rows = Dense::new(2);
        rows.push(&[1.0, 2.0]);
        rows.push(&[3.0, 4.0]);
        rows.push_again(0);
        rows
    }

    #[test]
    fn repeated_rows_are_stored_once() {
        let rows = sample();
        assert_eq!((rows.rows(), rows.stored().len()), (3, 4));
        assert_eq!(rows.row(2), [1.0, 2.0]);
        let chosen = rows.select([1, 1, 2]);
        assert_eq!(chosen.stored(), [3.0, 4.0, 1.0, 2.0]);
        assert_eq!(chosen.places(), [0, 0, 1]);
    }

    #[test]
    fn side_by_side_repetitions_stay_repetitions() {
        let mut other = Dense::new(1);
        let place = other.push(&[9.0]);
        (0..2).for_each(|_| other.push_again(place));
        let joined = Dense::hstack(&[&sample(), &Dense::default(), &other]);
        assert_eq!(joined.cols(), 3);
        assert_eq!(joined.row(1), [3.0, 4.0, 9.0]);
        assert_eq!(joined.places(), [0, 1, 0]);
    }

    #[test]
    fn parts_that_do_not_fit_are_no_matrix() {
        assert!(Dense::from_parts(2, vec![0.0; 3], vec![0]).is_none());
        assert!(Dense::from_parts(2, vec![0.0; 4], vec![2]).is_none());
        assert!(Dense::from_parts(0, Vec::new(), Vec::new()).is_none());
        assert!(Dense::from_parts(2, vec![0.0; 4], vec![1, 0, 1]).is_some());
    }
}
