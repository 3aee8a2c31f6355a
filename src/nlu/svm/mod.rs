//! `SklearnIntentClassifier`: intents from dense sentence features by linear
//! support vector machines, one for every two intents.
//!
//! ```text
//!   SvmData ─▶ search: the best C by cross-validation ─▶ fit ─▶ SvmModel ─▶ files
//!                 └ solver (SMO)                          └ platt    └─▶ SvmClassifier ─▶ Message
//! ```
//!
//! The optimum is that of scikit-learn's `SVC(kernel="linear", probability=True,
//! class_weight="balanced")`, found by the same steps to the same tolerance.
//! Differs from Rasa: the folds by which margins become probabilities are not drawn,
//! so the same data gives the same probabilities.

mod fit;
mod model;
mod platt;
mod search;
mod solver;

pub use fit::SvmStep;
pub use fit::fit;
pub use model::SvmModel;
pub use solver::KEPT_BYTES;

use serde::Deserialize;
use serde::Serialize;

use crate::data::Example;
use crate::features::FeatureRows;
use crate::nlu::Files;
use crate::nlu::Intent;
use crate::nlu::Message;
use crate::nlu::diet::ModelError;
use crate::tokenize::OptionError;

/// How many intents are ranked at most.
const RANKING_LENGTH: usize = 10;

/// Options of the classifier: Rasa 3.6's names and defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SvmOptions {
    /// Prices of a mistake, of which the best is found.
    #[serde(rename = "C")]
    pub c: Vec<f64>,
    /// Read and not used: a linear kernel has none.
    pub gamma: Vec<f64>,
    /// How alike two texts are.
    pub kernels: Vec<Kernel>,
    /// Into how many parts the data is cut at most to find the best price.
    pub max_cross_validation_folds: usize,
    /// What is best.
    pub scoring_function: Scoring,
    /// Read and not used: as many threads work as the run has.
    pub num_threads: i64,
}

impl Default for SvmOptions {
    fn default() -> Self {
        Self {
            c: vec![1.0, 2.0, 5.0, 10.0, 20.0, 100.0],
            gamma: vec![0.1],
            kernels: vec![Kernel::Linear],
            max_cross_validation_folds: 5,
            scoring_function: Scoring::F1Weighted,
            num_threads: 1,
        }
    }
}

impl SvmOptions {
    /// Returns what no training can be made of.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn check(&self) -> Result<(), OptionError> {
        let is_price = |c: &f64| *c > 0.0 && *c <= 1e9;
        if self.c.is_empty() || !self.c.iter().all(is_price) {
            let reason = "it must be a list of numbers greater than 0, and 1e9 at most";
            return Err(OptionError::new("C", reason));
        }
        if self.kernels.is_empty() {
            return Err(OptionError::new("kernels", "it takes one at least"));
        }
        match self.max_cross_validation_folds {
            0 | 1 => Err(OptionError::new(
                "max_cross_validation_folds",
                "it takes two parts at least",
            )),
            _ => Ok(()),
        }
    }
}

/// How alike two texts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// By the inner product of their features.
    Linear,
}

/// Scores of scikit-learn by which prices are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scoring {
    /// Mean of the intents' F1, weighted by how often they occur.
    F1Weighted,
    /// Mean of the intents' F1.
    F1Macro,
    /// F1 over all messages together: the share of right ones.
    F1Micro,
    /// The share of right ones.
    Accuracy,
}

/// Examples in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SvmData {
    /// Sorted.
    pub labels: Vec<String>,
    /// Numbers a row.
    pub columns: usize,
    /// `[examples, columns]`.
    pub rows: Vec<f32>,
    /// The label of each row.
    pub targets: Vec<u32>,
}

impl SvmData {
    /// Takes the dense sentence features of the examples that have an intent and a
    /// token.
    ///
    /// # Panics
    ///
    /// If there are not as many messages as examples.
    pub fn new(examples: &[Example], features: &FeatureRows) -> Self {
        assert_eq!(examples.len(), features.messages());
        let dense = &features.dense_sentence;
        if dense.cols() == 0 {
            return Self::default();
        }
        let intents = examples.iter().map(|example| example.intent.as_ref());
        let intents = intents.enumerate();
        let labelled: Vec<(usize, &String)> = intents
            .filter(|(at, _)| !features.tokens(*at).is_empty())
            .filter_map(|(at, intent)| Some((at, intent?)))
            .collect();
        let mut labels: Vec<String> = labelled.iter().map(|(_, label)| (*label).clone()).collect();
        labels.sort_unstable();
        labels.dedup();
        let id = |label: &String| labels.binary_search(label).ok().map(|id| id as u32);
        Self {
            columns: dense.cols(),
            rows: labelled
                .iter()
                .flat_map(|(at, _)| dense.row(*at))
                .copied()
                .collect(),
            targets: labelled.iter().filter_map(|(_, label)| id(label)).collect(),
            labels,
        }
    }

    /// Returns the features of an example.
    fn row(&self, example: usize) -> &[f32] {
        &self.rows[example * self.columns..(example + 1) * self.columns]
    }
}

/// A `SklearnIntentClassifier` that is ready to work on messages.
#[derive(Clone, Debug)]
pub struct SvmClassifier {
    /// `None` when there was nothing to tell apart.
    model: Option<SvmModel>,
}

impl SvmClassifier {
    /// Returns a classifier; without a model it says that it does not know.
    pub fn new(model: Option<SvmModel>) -> Self {
        Self { model }
    }

    /// Loads a classifier from the files of its model, of which there are none when
    /// there was nothing to tell apart.
    ///
    /// # Errors
    ///
    /// If the files are no model.
    pub fn load(files: &Files) -> Result<Self, ModelError> {
        let model = match files.is_empty() {
            true => None,
            false => Some(SvmModel::from_files(files)?),
        };
        Ok(Self { model })
    }

    /// Sets the intent of a message and the ranking, of ten intents at most.
    ///
    /// Rasa 3.6: an intent that was set before is overwritten; a message without
    /// features has none.
    pub fn process(&self, message: &mut Message) {
        let rows = message.features(&[]);
        let found = self.model.as_ref().zip(rows).and_then(|(model, rows)| {
            let dense = &rows.dense_sentence;
            let row = (dense.rows() > 0).then(|| dense.row(0))?;
            Some((model.labels(), model.probabilities(row)?))
        });
        let ranking = found.map(|(labels, probabilities)| {
            let mut ranking: Vec<(&String, f64)> = labels.iter().zip(probabilities).collect();
            // Rasa turns an ascending order round, so of equal ones the last leads.
            ranking.reverse();
            ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
            let best = ranking.into_iter().take(RANKING_LENGTH);
            best.map(|(name, p)| Intent::named(name, p)).collect()
        });
        let ranking: Vec<Intent> = ranking.unwrap_or_default();
        message.intent = Some(ranking.first().cloned().unwrap_or_default());
        message.intent_ranking = Some(ranking);
    }
}
