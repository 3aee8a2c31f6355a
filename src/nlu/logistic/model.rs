//! The weights of a logistic regression, in memory and on disk.

use serde::Deserialize;
use serde::Serialize;

use crate::matrix::Csr;
use crate::matrix::exp_f64;
use crate::nlu::Files;
use crate::nlu::diet::FILES;
use crate::nlu::diet::ModelError;
use crate::nn::Parameters;

const FORMAT: u32 = 1;
const TENSOR: &str = "weights";

/// One row of weights for each label, or a single one for two labels.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticModel {
    /// Sorted.
    labels: Vec<String>,
    /// Width of the features.
    columns: usize,
    /// `[columns + 1, outputs]`; the last row are the biases.
    weights: Vec<f32>,
}

/// `model.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    labels: Vec<String>,
    columns: usize,
}

/// How many rows of weights there are for this many labels.
fn outputs(labels: usize) -> usize {
    match labels {
        2 => 1,
        count => count,
    }
}

impl LogisticModel {
    /// Puts a model together.
    ///
    /// # Panics
    ///
    /// If `weights` are not `[columns + 1, outputs]`.
    pub(super) fn new(labels: Vec<String>, columns: usize, weights: Vec<f32>) -> Self {
        assert_eq!(weights.len(), (columns + 1) * outputs(labels.len()));
        Self {
            labels,
            columns,
            weights,
        }
    }

    /// Returns the labels, sorted.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Returns the probability of each label for one row of features; none if
    /// they are not as wide as those that it learnt from.
    pub fn probabilities(&self, rows: &Csr, row: usize) -> Option<Vec<f64>> {
        if rows.cols() != self.columns {
            return None;
        }
        let outputs = outputs(self.labels.len());
        let weights = |row: usize| &self.weights[row * outputs..(row + 1) * outputs];
        let mut scores: Vec<f64> = weights(self.columns)
            .iter()
            .map(|&w| f64::from(w))
            .collect();
        let (columns, values) = rows.row(row);
        for (&column, &value) in columns.iter().zip(values) {
            for (score, &weight) in scores.iter_mut().zip(weights(column as usize)) {
                *score += f64::from(value) * f64::from(weight);
            }
        }
        if let [score] = scores[..] {
            scores = vec![0.0, score];
        }
        let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for score in &mut scores {
            *score = exp_f64((*score - top).max(-700.0));
        }
        let sum: f64 = scores.iter().sum();
        scores.iter_mut().for_each(|score| *score /= sum);
        Some(scores)
    }

    /// Returns the model as files; the same model gives the same bytes.
    pub fn to_files(&self) -> Files {
        let description = Description {
            format: FORMAT,
            labels: self.labels.clone(),
            columns: self.columns,
        };
        let json = serde_json::to_vec(&description).expect("a description is plain values");
        let mut parameters = Parameters::new();
        let shape = [self.columns + 1, outputs(self.labels.len())];
        parameters.add(TENSOR, &shape, self.weights.clone(), 0.0);
        let [model, weights] = FILES;
        Files::from([
            (model.to_owned(), json),
            (weights.to_owned(), parameters.to_safetensors()),
        ])
    }

    /// Reads the files that [`LogisticModel::to_files`] wrote.
    ///
    /// # Errors
    ///
    /// If a file is missing or malformed, or the parts contradict each other.
    pub fn from_files(files: &Files) -> Result<Self, ModelError> {
        let file = |name| files.get(name).ok_or(ModelError::Missing(name));
        let [model, weights] = FILES;
        let description: Description = serde_json::from_slice(file(model)?)?;
        if description.format != FORMAT {
            return Err(ModelError::Format(description.format));
        }
        let Description {
            labels, columns, ..
        } = description;
        if labels.len() < 2 {
            return Err(ModelError::Mismatch("fewer than two labels"));
        }
        let bytes = file(weights)?;
        let outputs = outputs(labels.len());
        let count = columns
            .checked_add(1)
            .and_then(|rows| rows.checked_mul(outputs));
        // Before memory is asked for.
        let count = count.filter(|count| *count <= bytes.len() / 4);
        let count = count.ok_or(ModelError::Mismatch("fewer weights than the model has"))?;
        let mut parameters = Parameters::new();
        let id = parameters.add(TENSOR, &[columns + 1, outputs], vec![0.0; count], 0.0);
        parameters.load_safetensors(bytes)?;
        Ok(Self::new(labels, columns, parameters.values(id).to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> LogisticModel {
        let labels = ["a", "b", "c"].map(str::to_owned).to_vec();
        LogisticModel::new(labels, 1, vec![0.5, -1.0, 2.0, 0.0, 0.25, 1e-7])
    }

    #[test]
    fn a_model_comes_back_from_its_files() {
        let files = model().to_files();
        assert_eq!(LogisticModel::from_files(&files).unwrap(), model());
        assert_eq!(model().to_files(), files);
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let mut files = model().to_files();
        let huge = br#"{"format":1,"labels":["a","b","c"],"columns":18446744073709551615}"#;
        files.insert(FILES[0].to_owned(), huge.to_vec());
        let error = LogisticModel::from_files(&files).unwrap_err();
        assert!(matches!(error, ModelError::Mismatch(_)), "{error}");
        files.remove(FILES[0]);
        let error = LogisticModel::from_files(&files).unwrap_err();
        assert!(matches!(error, ModelError::Missing(_)), "{error}");
    }

    #[test]
    fn features_of_another_width_are_not_read() {
        let mut rows = Csr::new(2);
        rows.push_row([(1, 1.0)]);
        assert_eq!(model().probabilities(&rows, 0), None);
    }
}
