//! `LogisticRegressionClassifier`: intents from the sentence features by a linear
//! model.
//!
//! ```text
//!   sentence features, intents ─▶ fit ─▶ LogisticModel ─▶ files
//!                                               └──▶ LogisticClassifier ─▶ Message
//! ```

mod fit;
mod model;

pub use fit::LogisticData;
pub use fit::LogisticStep;
pub use fit::fit;
pub use model::LogisticModel;

use serde::Deserialize;
use serde::Serialize;

use crate::nlu::Files;
use crate::nlu::Intent;
use crate::nlu::Message;
use crate::nlu::diet::ModelError;
use crate::tokenize::OptionError;

/// Options of the classifier: Rasa 3.6's names and defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogisticOptions {
    /// `balanced`: rare intents count as much as frequent ones. Null: every
    /// example counts once.
    pub class_weight: Option<ClassWeight>,
    /// Steps at most.
    pub max_iter: usize,
    /// How the minimum is looked for.
    pub solver: Solver,
    /// The search ends when no slope is steeper.
    pub tol: f64,
    /// Read and not used: the search starts at 0, and nothing is drawn.
    pub random_state: Option<i64>,
    /// How many intents are ranked; 0 for all.
    pub ranking_length: usize,
    /// Aliases of the featurizers that are used; none for all.
    ///
    /// Differs from Rasa: there it has no such option.
    pub featurizers: Vec<String>,
}

impl Default for LogisticOptions {
    fn default() -> Self {
        Self {
            class_weight: Some(ClassWeight::Balanced),
            max_iter: 100,
            solver: Solver::Lbfgs,
            tol: 1e-4,
            random_state: Some(42),
            ranking_length: 10,
            featurizers: Vec::new(),
        }
    }
}

impl LogisticOptions {
    /// Returns what no training can be made of.
    ///
    /// # Errors
    ///
    /// The first option that is out of range.
    pub fn check(&self) -> Result<(), OptionError> {
        if self.max_iter == 0 {
            return Err(OptionError::new("max_iter", "it takes one step at least"));
        }
        match self.tol > 0.0 && self.tol.is_finite() {
            true => Ok(()),
            false => Err(OptionError::new("tol", "it must be greater than 0")),
        }
    }
}

/// How examples are weighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeight {
    /// By one over the number of examples with the same intent.
    Balanced,
}

/// The names of scikit-learn's solvers whose minimum is the same.
///
/// Differs from Rasa: it is always looked for by L-BFGS. `liblinear`, which
/// minimises something else, is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// Limited-memory BFGS.
    Lbfgs,
    /// Newton steps by conjugate gradients.
    NewtonCg,
    /// Newton steps by Cholesky factors.
    NewtonCholesky,
    /// Stochastic average gradient.
    Sag,
    /// The same with an unbiased gradient.
    Saga,
}

/// A `LogisticRegressionClassifier` that is ready to work on messages.
#[derive(Clone, Debug)]
pub struct LogisticClassifier {
    options: LogisticOptions,
    /// `None` when there was nothing to tell apart.
    model: Option<LogisticModel>,
}

impl LogisticClassifier {
    /// Returns a classifier; without a model it says that it does not know.
    pub fn new(options: LogisticOptions, model: Option<LogisticModel>) -> Self {
        Self { options, model }
    }

    /// Loads a classifier from the files of its model, of which there are none when
    /// there was nothing to tell apart.
    ///
    /// # Errors
    ///
    /// If the files are no model.
    pub fn load(options: LogisticOptions, files: &Files) -> Result<Self, ModelError> {
        let model = match files.is_empty() {
            true => None,
            false => Some(LogisticModel::from_files(files)?),
        };
        Ok(Self { options, model })
    }

    /// Sets the intent of a message and the ranking.
    ///
    /// Rasa 3.6: an intent that was set before is overwritten.
    ///
    /// Differs from Rasa: a message without features has no intent.
    pub fn process(&self, message: &mut Message) {
        let rows = message.features(&self.options.featurizers);
        let ranking = self.model.as_ref().zip(rows).and_then(|(model, rows)| {
            let probabilities = model.probabilities(&rows.all_sentence([0]), 0)?;
            let mut ranking: Vec<(&String, f64)> =
                model.labels().iter().zip(probabilities).collect();
            // Of equal ones the first by name leads.
            ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
            let length = match self.options.ranking_length {
                0 => ranking.len(),
                length => length,
            };
            let best = ranking.into_iter().take(length);
            Some(best.map(|(name, p)| Intent::named(name, p)).collect())
        });
        let ranking: Vec<Intent> = ranking.unwrap_or_default();
        message.intent = Some(ranking.first().cloned().unwrap_or_default());
        message.intent_ranking = Some(ranking);
    }
}
