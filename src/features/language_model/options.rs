//! The options of `LanguageModelFeaturizer`.

use serde::Deserialize;
use serde::Serialize;

use crate::features::language_model::Architecture;
use crate::tokenize::OptionError;

/// Options of `LanguageModelFeaturizer`, with Rasa's names and defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// How others call it.
    pub alias: Option<String>,
    /// What kind of model it is.
    pub model_name: String,
    /// The folder of the model, relative to the project or absolute.
    ///
    /// Differs from Rasa: it is never the name of a model to download.
    pub model_weights: Option<String>,
    /// Where Rasa keeps what it downloads; not used.
    pub cache_dir: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alias: None,
            model_name: "bert".to_owned(),
            model_weights: None,
            cache_dir: None,
        }
    }
}

/// What Rasa reads if no weights are named.
const DEFAULT_WEIGHTS: &[(&str, &str)] = &[
    ("bert", "rasa/LaBSE"),
    ("distilbert", "distilbert-base-uncased"),
    ("roberta", "roberta-base"),
    ("camembert", "camembert-base"),
];

impl Options {
    /// Returns what kind of model is asked for.
    ///
    /// # Errors
    ///
    /// If models of that name are not read.
    pub fn architecture(&self) -> Result<Architecture, OptionError> {
        Architecture::of_option(&self.model_name).ok_or_else(|| {
            let names = Architecture::OPTIONS.map(|(name, _)| format!("`{name}`"));
            let reason = format!(
                "there is no network for `{}`; there are {}",
                self.model_name,
                names.join(", ")
            );
            OptionError::new("model_name", reason)
        })
    }

    /// Returns the name of the model that Rasa downloads for this kind if none is named.
    pub fn hub_name(&self) -> &str {
        let of_kind = DEFAULT_WEIGHTS.iter();
        let mut of_kind = of_kind.filter(|(kind, _)| *kind == self.model_name);
        of_kind.next().map_or("", |(_, weights)| weights)
    }
}
