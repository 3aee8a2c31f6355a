//! Reads a policy's options: each has a default, and what no policy knows is
//! told apart from what it cannot take.

use serde::de::DeserializeOwned;

use crate::data::Options;
use crate::dialogue::FeaturizerError;
use crate::nlu::diet::OptionProblems;

/// Options that a policy cannot take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// A value of the wrong type.
    #[error("option `{name}` cannot be `{value}`")]
    Value {
        /// The option.
        name: String,
        /// What was written, as JSON.
        value: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Options of a network that are wrong, not supported or contradict each other.
    #[error(transparent)]
    Network(#[from] OptionProblems),
    /// The featurizer cannot be made.
    #[error(transparent)]
    Featurizer(#[from] FeaturizerError),
}

/// Options that are taken one by one; what is left is unknown.
pub(crate) struct Taking<'a> {
    options: &'a Options,
    known: Vec<&'static str>,
}

impl<'a> Taking<'a> {
    /// Begins with all of `options`.
    pub fn new(options: &'a Options) -> Self {
        Self {
            options,
            known: Vec::new(),
        }
    }

    /// Returns the option `name`, or `default` when it is not written.
    pub fn or<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
        default: T,
    ) -> Result<T, OptionError> {
        self.known.push(name);
        let Some(value) = self.options.get(name) else {
            return Ok(default);
        };
        T::deserialize(value).map_err(|source| OptionError::Value {
            name: name.to_owned(),
            value: value.to_string(),
            source,
        })
    }

    /// Returns the names that were written and never taken, apart from
    /// `elsewhere`, which somebody else reads.
    pub fn unknown(self, elsewhere: &[&str]) -> Vec<String> {
        self.options
            .keys()
            .filter(|name| !self.known.contains(&name.as_str()))
            .filter(|name| !elsewhere.contains(&name.as_str()))
            .cloned()
            .collect()
    }
}
