//! Finds the weights of a logistic regression.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::data::Example;
use crate::features::FeatureRows;
use crate::matrix::Csr;
use crate::matrix::exp_f64;
use crate::matrix::ln_f64;
use crate::nlu::logistic::ClassWeight;
use crate::nlu::logistic::LogisticModel;
use crate::nlu::logistic::LogisticOptions;
use crate::nn::Lbfgs;

/// Steps that the search remembers.
const MEMORY: usize = 10;

/// The search ends when a step improves the loss by less than this share: the
/// default of SciPy's `ftol`.
const LEAST_IMPROVEMENT: f64 = 2.2e-9;

/// What a step of the search did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogisticStep {
    /// Steps done.
    pub done: usize,
    /// Steps at most.
    pub most: usize,
    /// The loss, penalty included.
    pub loss: f64,
}

/// Examples in numbers.
#[derive(Clone, Debug)]
pub struct LogisticData {
    /// Sorted.
    labels: Vec<String>,
    /// One row an example with an intent: its sentence features.
    rows: Csr,
    /// The label of each row.
    targets: Vec<u32>,
}

impl LogisticData {
    /// Takes the sentence features of the examples that have an intent.
    ///
    /// # Panics
    ///
    /// If there are not as many messages as examples.
    pub fn new(examples: &[Example], features: &FeatureRows) -> Self {
        assert_eq!(examples.len(), features.messages());
        let intents = || examples.iter().map(|example| example.intent.as_ref());
        let mut labels: Vec<String> = intents().flatten().cloned().collect();
        labels.sort_unstable();
        labels.dedup();
        let label = |(message, intent): (usize, Option<&String>)| {
            Some((message, labels.binary_search(intent?).ok()?))
        };
        let labelled: Vec<(usize, usize)> = intents().enumerate().filter_map(label).collect();
        let rows = features.all_sentence(labelled.iter().map(|(message, _)| *message));
        let targets = labelled.iter().map(|(_, label)| *label as u32).collect();
        Self {
            labels,
            rows,
            targets,
        }
    }

    /// Returns the weight of each example.
    fn example_weights(&self, weighting: Option<ClassWeight>) -> Vec<f64> {
        if weighting.is_none() {
            return vec![1.0; self.targets.len()];
        }
        let mut counts = vec![0.0; self.labels.len()];
        for &target in &self.targets {
            counts[target as usize] += 1.0;
        }
        let share = self.targets.len() as f64 / self.labels.len() as f64;
        let weight = |&target: &u32| share / counts[target as usize];
        self.targets.iter().map(weight).collect()
    }
}

/// Finds the weights with the least loss; asks `on_step` after each step whether
/// to go on, and returns nothing if it is to stop or there are not two labels.
///
/// The loss is the weighted sum of −ln p of the right labels, and half the sum of
/// the squares of all weights but the biases. Two labels share one row of
/// weights. The same data gives the same weights for any number of threads.
///
/// # Source
///
/// Rasa 3.6, which takes scikit-learn's `LogisticRegression` with its default
/// `C` of 1.
pub fn fit(
    options: &LogisticOptions,
    data: &LogisticData,
    on_step: &mut dyn FnMut(LogisticStep) -> ControlFlow<()>,
) -> Option<LogisticModel> {
    if data.labels.len() < 2 {
        return None;
    }
    let problem = Problem::new(options, data);
    let mut weights = vec![0.0; (data.rows.cols() + 1) * problem.outputs];
    let search = Lbfgs {
        memory: MEMORY,
        max_iterations: options.max_iter,
        l1: 0.0,
    };
    let (mut last, mut is_stopped) = (f64::INFINITY, false);
    search.minimise(
        &mut weights,
        &mut |x, gradient| problem.loss(x, gradient),
        &mut |iterate| {
            let gain = (last - iterate.value) / last.abs().max(iterate.value.abs()).max(1.0);
            last = iterate.value;
            let step = LogisticStep {
                done: iterate.iteration,
                most: options.max_iter,
                loss: iterate.value,
            };
            is_stopped = on_step(step).is_break();
            match is_stopped || iterate.gradient_max <= options.tol || gain <= LEAST_IMPROVEMENT {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        },
    );
    let weights = weights.iter().map(|&weight| weight as f32).collect();
    (!is_stopped).then(|| LogisticModel::new(data.labels.clone(), data.rows.cols(), weights))
}

/// The loss as a function of the weights `[columns + 1, outputs]`; the last row
/// are the biases.
struct Problem<'a> {
    data: &'a LogisticData,
    outputs: usize,
    example_weights: Vec<f64>,
    /// The features again, column by column: examples and values.
    columns: Vec<Vec<(u32, f32)>>,
}

impl<'a> Problem<'a> {
    fn new(options: &LogisticOptions, data: &'a LogisticData) -> Self {
        let mut columns = vec![Vec::new(); data.rows.cols()];
        for example in 0..data.rows.rows() {
            let (at, values) = data.rows.row(example);
            for (&column, &value) in at.iter().zip(values) {
                columns[column as usize].push((example as u32, value));
            }
        }
        Self {
            data,
            outputs: match data.labels.len() {
                2 => 1,
                count => count,
            },
            example_weights: data.example_weights(options.class_weight),
            columns,
        }
    }

    fn loss(&self, weights: &[f64], gradient: &mut [f64]) -> f64 {
        let outputs = self.outputs;
        // First the scores, then what each of them is too high by.
        let mut errors = vec![0.0; self.data.targets.len() * outputs];
        let losses: Vec<f64> = errors
            .par_chunks_mut(outputs)
            .enumerate()
            .with_min_len(16)
            .map(|(example, errors)| self.example(example, weights, errors))
            .collect();
        gradient
            .par_chunks_mut(outputs)
            .enumerate()
            .with_min_len(16)
            .for_each(|(row, sums)| self.row_gradient(row, weights, &errors, sums));
        let (penalised, _) = weights.split_at(self.columns.len() * outputs);
        let squares: f64 = penalised.iter().map(|weight| weight * weight).sum();
        losses.iter().sum::<f64>() + squares / 2.0
    }

    /// Returns the loss of one example and the gradient of its scores.
    fn example(&self, example: usize, weights: &[f64], errors: &mut [f64]) -> f64 {
        let (columns, values) = self.data.rows.row(example);
        scores(columns, values, self.columns.len(), weights, errors);
        let target = self.data.targets[example] as usize;
        let weight = self.example_weights[example];
        if let [score] = errors {
            let sign = match target {
                1 => 1.0,
                _ => -1.0,
            };
            // ln(1 + e^−m), without overflow for margins of either sign.
            let margin = sign * *score;
            let e = exp_f64(-margin.abs().min(700.0));
            let loss = ln_f64(1.0 + e) + (-margin).max(0.0);
            let wrong = if margin >= 0.0 { e } else { 1.0 } / (1.0 + e);
            *score = -sign * wrong * weight;
            return loss * weight;
        }
        let own = errors[target];
        let top = errors.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        errors
            .iter_mut()
            .for_each(|score| *score = exp_f64((*score - top).max(-700.0)));
        let sum: f64 = errors.iter().sum();
        errors.iter_mut().for_each(|p| *p *= weight / sum);
        errors[target] -= weight;
        (top - own + ln_f64(sum)) * weight
    }

    /// Sums the gradient of the weights of one feature, or of the biases.
    fn row_gradient(&self, row: usize, weights: &[f64], errors: &[f64], sums: &mut [f64]) {
        let of = |example: usize| &errors[example * self.outputs..(example + 1) * self.outputs];
        match self.columns.get(row) {
            Some(column) => {
                sums.copy_from_slice(&weights[row * self.outputs..(row + 1) * self.outputs]);
                for &(example, value) in column {
                    let errors = of(example as usize).iter();
                    let value = f64::from(value);
                    sums.iter_mut()
                        .zip(errors)
                        .for_each(|(sum, e)| *sum += value * e);
                }
            }
            None => {
                sums.fill(0.0);
                for example in 0..self.data.targets.len() {
                    let errors = of(example).iter();
                    sums.iter_mut().zip(errors).for_each(|(sum, e)| *sum += e);
                }
            }
        }
    }
}

/// Fills `scores` with a row's features times `weights`, biases included.
fn scores(columns: &[u32], values: &[f32], biases: usize, weights: &[f64], scores: &mut [f64]) {
    let outputs = scores.len();
    let of = |row: usize| &weights[row * outputs..(row + 1) * outputs];
    scores.copy_from_slice(of(biases));
    for (&column, &value) in columns.iter().zip(values) {
        let value = f64::from(value);
        let weights = of(column as usize).iter();
        scores
            .iter_mut()
            .zip(weights)
            .for_each(|(score, w)| *score += value * w);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(intents: &[&str], features: &[&[(u32, f32)]]) -> LogisticData {
        let examples: Vec<Example> = intents
            .iter()
            .map(|intent| Example {
                intent: Some((*intent).to_owned()),
                ..Example::default()
            })
            .collect();
        let mut rows = FeatureRows {
            token_offsets: vec![0; features.len() + 1],
            sentence: Csr::new(3),
            ..FeatureRows::default()
        };
        for row in features {
            rows.sentence.push_row(row.iter().copied());
        }
        LogisticData::new(&examples, &rows)
    }

    fn both() -> [LogisticData; 2] {
        let rows: &[&[(u32, f32)]] = &[
            &[(0, 1.0)],
            &[(0, 2.0), (2, 1.0)],
            &[(1, 1.0)],
            &[(1, 1.0), (2, 0.5)],
            &[(2, 3.0)],
        ];
        [
            data(&["a", "a", "b", "b", "c"], rows),
            data(&["a", "a", "b", "b", "b"], rows),
        ]
    }

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        for data in both() {
            let problem = Problem::new(&LogisticOptions::default(), &data);
            let count = 4 * problem.outputs;
            let weights: Vec<f64> = (0..count).map(|at| (at as f64 * 0.7).sin()).collect();
            let mut gradient = vec![0.0; count];
            problem.loss(&weights, &mut gradient);
            let mut unused = vec![0.0; count];
            for at in 0..count {
                let mut loss = |change: f64| {
                    let mut moved = weights.clone();
                    moved[at] += change;
                    problem.loss(&moved, &mut unused)
                };
                let want = (loss(1e-5) - loss(-1e-5)) / 2e-5;
                assert!(
                    (gradient[at] - want).abs() < 1e-8,
                    "{at}: {} {want}",
                    gradient[at]
                );
            }
        }
    }

    #[test]
    fn training_examples_are_told_apart() {
        for data in both() {
            let options = LogisticOptions::default();
            let model = fit(&options, &data, &mut |_| ControlFlow::Continue(())).unwrap();
            for (example, &target) in data.targets.iter().enumerate() {
                let found = model.probabilities(&data.rows, example).unwrap();
                let best = found.iter().copied().fold(0.0, f64::max);
                assert_eq!(found[target as usize], best, "{found:?}");
                assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }

    /// Recorded from scikit-learn 1.9.1, whose minimum is the same as that of the
    /// version that Rasa 3.6 takes.
    #[test]
    fn probabilities_are_those_of_scikit_learn() {
        let recorded: [&[[f64; 3]]; 2] = [
            &[
                [0.62758, 0.30138, 0.07103],
                [0.77832, 0.11107, 0.11061],
                [0.20912, 0.71942, 0.07146],
                [0.20474, 0.67086, 0.1244],
                [0.09012, 0.09864, 0.81125],
            ],
            &[
                [0.6716, 0.3284, f64::NAN],
                [0.78495, 0.21505, f64::NAN],
                [0.32323, 0.67677, f64::NAN],
                [0.28428, 0.71572, f64::NAN],
                [0.20766, 0.79234, f64::NAN],
            ],
        ];
        for (data, recorded) in both().into_iter().zip(recorded) {
            let options = LogisticOptions::default();
            let model = fit(&options, &data, &mut |_| ControlFlow::Continue(())).unwrap();
            for (example, want) in recorded.iter().enumerate() {
                let found = model.probabilities(&data.rows, example).unwrap();
                for (found, want) in found.iter().zip(want) {
                    assert!((found - want).abs() < 1e-4, "{example}: {found} {want}");
                }
            }
        }
    }

    #[test]
    fn a_search_that_is_stopped_gives_no_model() {
        let [data, _] = both();
        let options = LogisticOptions::default();
        assert!(fit(&options, &data, &mut |_| ControlFlow::Break(())).is_none());
    }
}
