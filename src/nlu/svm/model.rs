//! The planes between every two intents, in memory and on disk.

use serde::Deserialize;
use serde::Serialize;

use crate::nlu::Files;
use crate::nlu::diet::FILES;
use crate::nlu::diet::ModelError;
use crate::nlu::svm::platt::Sigmoid;
use crate::nlu::svm::platt::couple;
use crate::nlu::svm::solver::Plane;
use crate::nn::Parameters;

const FORMAT: u32 = 1;
const PLANES: &str = "planes";
const SCALES: &str = "scales";

/// Numbers that stand beside a plane: intercept, slope and shift.
const BESIDE: usize = 3;

/// A plane for every two labels, in the order (0, 1), (0, 2) … (1, 2) ….
#[derive(Clone, Debug, PartialEq)]
pub struct SvmModel {
    /// Sorted.
    labels: Vec<String>,
    /// Width of the features.
    columns: usize,
    /// The price of a mistake that was found to be best.
    price: f64,
    /// `[pairs, columns]`.
    planes: Vec<f32>,
    /// `[pairs, 3]`.
    scales: Vec<f32>,
}

/// `model.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    labels: Vec<String>,
    columns: usize,
    price: f64,
}

/// How many pairs so many labels make; none if there are too many to count.
fn pairs(labels: usize) -> Option<usize> {
    labels
        .checked_mul(labels.checked_sub(1)?)
        .map(|all| all / 2)
}

impl SvmModel {
    pub(super) fn new(
        labels: Vec<String>,
        columns: usize,
        price: f64,
        found: &[(Plane, Sigmoid)],
    ) -> Self {
        let planes = found.iter().flat_map(|(plane, _)| &plane.weights);
        let beside = |(plane, sigmoid): &(Plane, Sigmoid)| {
            [plane.intercept, sigmoid.slope, sigmoid.shift].map(|value| value as f32)
        };
        Self {
            labels,
            columns,
            price,
            planes: planes.map(|&weight| weight as f32).collect(),
            scales: found.iter().flat_map(beside).collect(),
        }
    }

    /// Returns the labels, sorted.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Returns the price of a mistake, `C`, that was found to be best.
    pub fn price(&self) -> f64 {
        self.price
    }

    /// Returns the margin of every pair.
    pub(super) fn margins(&self, row: &[f32]) -> Vec<f64> {
        let planes = self.planes.chunks_exact(self.columns);
        let margins = planes.zip(self.scales.chunks_exact(BESIDE));
        margins
            .map(|(plane, beside)| {
                let products = plane.iter().zip(row);
                let products = products.map(|(&w, &x)| f64::from(w) * f64::from(x));
                products.sum::<f64>() + f64::from(beside[0])
            })
            .collect()
    }

    /// Returns the probability of each label; none if the features are not as wide
    /// as those that it learnt from.
    pub fn probabilities(&self, row: &[f32]) -> Option<Vec<f64>> {
        if row.len() != self.columns {
            return None;
        }
        let count = self.labels.len();
        let mut table = vec![vec![0.0; count]; count];
        let mut margins = self.margins(row).into_iter();
        let mut beside = self.scales.chunks_exact(BESIDE);
        for i in 0..count {
            for j in i + 1..count {
                let (margin, beside) = (margins.next()?, beside.next()?);
                let sigmoid = Sigmoid {
                    slope: f64::from(beside[1]),
                    shift: f64::from(beside[2]),
                };
                table[i][j] = sigmoid.probability(margin);
                table[j][i] = 1.0 - table[i][j];
            }
        }
        Some(couple(&table))
    }

    /// Returns the model as files; the same model gives the same bytes.
    pub fn to_files(&self) -> Files {
        let description = Description {
            format: FORMAT,
            labels: self.labels.clone(),
            columns: self.columns,
            price: self.price,
        };
        let json = serde_json::to_vec(&description).expect("a description is plain values");
        let count = self.scales.len() / BESIDE;
        let mut parameters = Parameters::new();
        parameters.add(PLANES, &[count, self.columns], self.planes.clone(), 0.0);
        parameters.add(SCALES, &[count, BESIDE], self.scales.clone(), 0.0);
        let [model, weights] = FILES;
        Files::from([
            (model.to_owned(), json),
            (weights.to_owned(), parameters.to_safetensors()),
        ])
    }

    /// Reads the files that [`SvmModel::to_files`] wrote.
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
            labels,
            columns,
            price,
            ..
        } = description;
        if labels.len() < 2 || columns == 0 {
            return Err(ModelError::Mismatch(
                "fewer than two labels, or no features",
            ));
        }
        let bytes = file(weights)?;
        // Before memory is asked for.
        let count = pairs(labels.len()).filter(|count| {
            let all = columns
                .checked_add(BESIDE)
                .and_then(|one| one.checked_mul(*count));
            all.is_some_and(|all| all <= bytes.len() / 4)
        });
        let count = count.ok_or(ModelError::Mismatch("fewer weights than the model has"))?;
        let mut parameters = Parameters::new();
        let planes = parameters.add(PLANES, &[count, columns], vec![0.0; count * columns], 0.0);
        let scales = parameters.add(SCALES, &[count, BESIDE], vec![0.0; count * BESIDE], 0.0);
        parameters.load_safetensors(bytes)?;
        Ok(Self {
            labels,
            columns,
            price,
            planes: parameters.values(planes).to_vec(),
            scales: parameters.values(scales).to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::nlu::svm::SvmOptions;
    use crate::nlu::svm::fit;
    use crate::nlu::svm::fit::tests::sample;

    fn model() -> SvmModel {
        let options = SvmOptions::default();
        fit(&options, &sample(), &mut |_| ControlFlow::Continue(())).unwrap()
    }

    fn fitted(prices: &[f64]) -> SvmModel {
        let options = SvmOptions {
            c: prices.to_vec(),
            ..SvmOptions::default()
        };
        fit(&options, &sample(), &mut |_| ControlFlow::Continue(())).unwrap()
    }

    /// Recorded from scikit-learn 1.9.1: `SVC(kernel="linear", class_weight="balanced",
    /// decision_function_shape="ovo")`. Both searches end within 0.001 of the
    /// margins that the optimum has.
    #[test]
    fn planes_are_those_of_scikit_learn() {
        let recorded = [
            (1.0, [-1.0, 1.0, -0.0, 0.0, -0.1031]),
            (1.0, [-1.4837, 1.7872, -0.7593, 0.0, -0.909]),
            (1.0, [1.692, -1.252, -1.1001, 0.0, -0.4722]),
            (10.0, [-1.0001, 1.0003, 0.0, 0.0, -0.1031]),
            (10.0, [-1.9996, 2.0001, -0.0004, 0.0, -1.2062]),
            (10.0, [1.9999, -1.9999, -0.0002, 0.0, -0.7938]),
        ];
        for (at, (price, want)) in recorded.into_iter().enumerate() {
            let (model, pair) = (fitted(&[price]), at % 3);
            let plane = &model.planes[pair * 4..(pair + 1) * 4];
            let found = [plane, &model.scales[pair * 3..pair * 3 + 1]].concat();
            for (found, want) in found.iter().zip(want) {
                assert!(
                    (found - want).abs() < 3e-3,
                    "{price} {pair}: {found} {want}"
                );
            }
        }
    }

    /// Recorded from scikit-learn 1.9.1: `GridSearchCV` finds 2 to be best, and 1 to
    /// be worse.
    #[test]
    fn the_price_is_that_of_scikit_learn() {
        assert_eq!(model().price(), 2.0);
    }

    /// Recorded from scikit-learn 1.9.1: `predict_proba` with C = 1, the mean of 40
    /// seeds, whose standard deviation is up to 0.021.
    #[test]
    fn probabilities_are_near_those_that_scikit_learn_draws() {
        let recorded = [
            [0.879, 0.029, 0.092],
            [0.028, 0.65, 0.322],
            [0.053, 0.09, 0.857],
            [0.879, 0.029, 0.092],
            [0.028, 0.65, 0.322],
            [0.221, 0.255, 0.524],
        ];
        let (model, data) = (fitted(&[1.0]), sample());
        for (row, want) in data.rows.chunks_exact(4).zip(recorded) {
            let found = model.probabilities(row).unwrap();
            for (found, want) in found.iter().zip(want) {
                assert!((found - want).abs() < 0.06, "{found} {want}");
            }
        }
    }

    #[test]
    fn a_model_comes_back_from_its_files() {
        let files = model().to_files();
        assert_eq!(SvmModel::from_files(&files).unwrap(), model());
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        for columns in ["18446744073709551615", "5", "0"] {
            let mut files = model().to_files();
            let other =
                format!(r#"{{"format":1,"labels":["a","b","c"],"columns":{columns},"price":1.0}}"#);
            files.insert(FILES[0].to_owned(), other.into_bytes());
            assert!(SvmModel::from_files(&files).is_err(), "{columns}");
        }
    }

    #[test]
    fn features_of_another_width_are_not_read() {
        assert_eq!(model().probabilities(&[1.0; 3]), None);
    }
}
