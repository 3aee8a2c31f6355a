//! Every NLU component by name: what it is, what it needs before it, whether it
//! learns, whether it is built.

use std::collections::BTreeSet;

use crate::data::Component;
use crate::nlu::command::COMMAND;

/// What a component does. Some do several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Splits texts.
    Tokenizer,
    /// Gives sparse features.
    SparseFeaturizer,
    /// Gives dense features.
    DenseFeaturizer,
    /// Predicts intents.
    IntentClassifier,
    /// Finds entities.
    EntityExtractor,
    /// Changes entities that were found.
    EntityMapper,
    /// Chooses responses.
    ResponseSelector,
    /// Provides pre-trained vectors.
    LanguageModel,
}

impl Kind {
    /// Returns what to call a component of this kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tokenizer => "a tokenizer",
            Self::SparseFeaturizer => "a sparse featurizer",
            Self::DenseFeaturizer => "a dense featurizer",
            Self::IntentClassifier => "an intent classifier",
            Self::EntityExtractor => "an entity extractor",
            Self::EntityMapper => "an entity mapper",
            Self::ResponseSelector => "a response selector",
            Self::LanguageModel => "a language model",
        }
    }
}

/// A component that Rasa or Tabella has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Class name.
    pub name: &'static str,
    /// What it does.
    pub kinds: &'static [Kind],
    /// Of each group, one kind must come before it in the pipeline.
    pub requires: &'static [&'static [Kind]],
    /// Whether it learns from the training data.
    pub is_trainable: bool,
    /// Whether Tabella has it.
    pub is_built: bool,
}

const TOKENS: &[&[Kind]] = &[&[Kind::Tokenizer]];
const FEATURES: &[&[Kind]] = &[&[Kind::SparseFeaturizer, Kind::DenseFeaturizer]];
const MODEL: &[&[Kind]] = &[&[Kind::LanguageModel]];
const MODEL_AND_TOKENS: &[&[Kind]] = &[&[Kind::LanguageModel], &[Kind::Tokenizer]];

const fn known(
    name: &'static str,
    kinds: &'static [Kind],
    requires: &'static [&'static [Kind]],
) -> Known {
    Known {
        name,
        kinds,
        requires,
        is_trainable: false,
        is_built: false,
    }
}

const fn built(known: Known) -> Known {
    Known {
        is_built: true,
        ..known
    }
}

const fn trainable(known: Known) -> Known {
    Known {
        is_trainable: true,
        ..known
    }
}

/// Every component of Rasa 3.6, and those of our own, sorted by name.
pub const COMPONENTS: &[Known] = &[
    built(trainable(known(
        "CRFEntityExtractor",
        &[Kind::EntityExtractor],
        TOKENS,
    ))),
    built(trainable(known(
        "CountVectorsFeaturizer",
        &[Kind::SparseFeaturizer],
        TOKENS,
    ))),
    built(trainable(known(
        "DIETClassifier",
        &[Kind::IntentClassifier, Kind::EntityExtractor],
        FEATURES,
    ))),
    built(known(
        "DucklingEntityExtractor",
        &[Kind::EntityExtractor],
        &[],
    )),
    built(trainable(known(
        "EntitySynonymMapper",
        &[Kind::EntityMapper],
        &[&[Kind::EntityExtractor]],
    ))),
    built(known(
        "FallbackClassifier",
        &[Kind::IntentClassifier],
        &[&[Kind::IntentClassifier]],
    )),
    built(known("JiebaTokenizer", &[Kind::Tokenizer], &[])),
    built(trainable(known(
        "KeywordIntentClassifier",
        &[Kind::IntentClassifier],
        &[],
    ))),
    built(known(
        "LanguageModelFeaturizer",
        &[Kind::DenseFeaturizer],
        TOKENS,
    )),
    built(trainable(known(
        "LexicalSyntacticFeaturizer",
        &[Kind::SparseFeaturizer],
        TOKENS,
    ))),
    built(trainable(known(
        "LogisticRegressionClassifier",
        &[Kind::IntentClassifier],
        FEATURES,
    ))),
    known(
        "MitieEntityExtractor",
        &[Kind::EntityExtractor],
        MODEL_AND_TOKENS,
    ),
    known(
        "MitieFeaturizer",
        &[Kind::DenseFeaturizer],
        MODEL_AND_TOKENS,
    ),
    trainable(known(
        "MitieIntentClassifier",
        &[Kind::IntentClassifier],
        MODEL_AND_TOKENS,
    )),
    known("MitieNLP", &[Kind::LanguageModel], &[]),
    known("MitieTokenizer", &[Kind::Tokenizer], &[]),
    built(trainable(known(
        "RegexEntityExtractor",
        &[Kind::EntityExtractor],
        &[],
    ))),
    built(trainable(known(
        "RegexFeaturizer",
        &[Kind::SparseFeaturizer],
        TOKENS,
    ))),
    built(trainable(known(
        "ResponseSelector",
        &[Kind::ResponseSelector],
        FEATURES,
    ))),
    built(trainable(known(
        "SklearnIntentClassifier",
        &[Kind::IntentClassifier],
        &[&[Kind::DenseFeaturizer]],
    ))),
    known("SpacyEntityExtractor", &[Kind::EntityExtractor], MODEL),
    built(known(
        "SpacyFeaturizer",
        &[Kind::DenseFeaturizer],
        MODEL_AND_TOKENS,
    )),
    built(known("SpacyNLP", &[Kind::LanguageModel], &[])),
    known("SpacyTokenizer", &[Kind::Tokenizer], MODEL),
    built(known("WhitespaceTokenizer", &[Kind::Tokenizer], &[])),
    built(known(
        "WordVectorsFeaturizer",
        &[Kind::DenseFeaturizer],
        TOKENS,
    )),
    built(trainable(known(
        COMMAND,
        &[
            Kind::DenseFeaturizer,
            Kind::IntentClassifier,
            Kind::EntityExtractor,
        ],
        &[],
    ))),
];

/// A pipeline that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// No component of Rasa has this name.
    #[error("no NLU component is called `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// Rasa has it and Tabella has not.
    #[error("`{name}` is not built into Tabella")]
    NotBuilt {
        /// The name.
        name: String,
    },
    /// It stands for a model of another program and names no vectors instead.
    #[error("`{name}` names no `vectors`, and the models of spaCy need Python")]
    NoVectors {
        /// The component.
        name: String,
    },
    /// Something must come before it.
    #[error("`{name}` needs {} before it in the pipeline", one_of(needed))]
    Misses {
        /// The component.
        name: String,
        /// Any of these would do.
        needed: Vec<Kind>,
    },
    /// A second tokenizer.
    #[error("`{name}` is a second tokenizer; a pipeline has one")]
    SecondTokenizer {
        /// The component.
        name: String,
    },
    /// Two featurizers with one alias.
    #[error("the alias `{alias}` stands for two featurizers")]
    SameAlias {
        /// The alias.
        alias: String,
    },
}

fn one_of(kinds: &[Kind]) -> String {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(" or ")
}

/// Returns what is known of a component.
///
/// # Errors
///
/// If it does not exist or is not built.
pub fn find(name: &str) -> Result<&'static Known, PipelineError> {
    let name = name.to_owned();
    match COMPONENTS.iter().find(|known| known.name == name) {
        None => Err(PipelineError::Unknown { name }),
        Some(known) if !known.is_built => Err(PipelineError::NotBuilt { name }),
        Some(known) => Ok(known),
    }
}

/// Returns the alias of a featurizer: what its options say, or
/// `component_<place>_<name>`.
pub fn alias(place: usize, component: &Component) -> String {
    let written = component
        .options
        .get("alias")
        .and_then(|alias| alias.as_str());
    written.map_or_else(
        || format!("component_{place}_{}", component.name),
        str::to_owned,
    )
}

/// Returns what a component does, and what must come before it: of a program its
/// options say both.
fn roles(known: &Known, component: &Component) -> (Vec<Kind>, &'static [&'static [Kind]]) {
    if known.name != COMMAND {
        return (known.kinds.to_vec(), known.requires);
    }
    let does = component
        .options
        .get("does")
        .and_then(|does| does.as_array());
    let does =
        |what: &str, unless: bool| does.map_or(unless, |does| does.iter().any(|one| one == what));
    let mut kinds = Vec::new();
    if does("predict", true) {
        kinds.extend([Kind::IntentClassifier, Kind::EntityExtractor]);
    }
    match does("transform", false) {
        true => {
            kinds.push(Kind::DenseFeaturizer);
            (kinds, TOKENS)
        }
        false => (kinds, &[]),
    }
}

/// Returns everything that is wrong with a pipeline, with the place in it.
pub fn check(pipeline: &[Component]) -> Vec<(usize, PipelineError)> {
    let mut errors = Vec::new();
    let mut before: BTreeSet<Kind> = BTreeSet::new();
    let mut aliases = BTreeSet::new();
    for (place, component) in pipeline.iter().enumerate() {
        let name = component.name.clone();
        let known = match find(&name) {
            Ok(known) => known,
            Err(error) => {
                errors.push((place, error));
                // What it would have provided counts, so that nothing is said twice.
                let known = COMPONENTS.iter().find(|known| known.name == name);
                before.extend(known.map_or(&[][..], |known| known.kinds));
                continue;
            }
        };
        if name == "SpacyNLP" && !component.options.contains_key("vectors") {
            let name = name.clone();
            errors.push((place, PipelineError::NoVectors { name }));
        }
        let (kinds, requires) = roles(known, component);
        for needed in requires {
            if !needed.iter().any(|kind| before.contains(kind)) {
                let (name, needed) = (name.clone(), needed.to_vec());
                errors.push((place, PipelineError::Misses { name, needed }));
            }
        }
        if kinds.contains(&Kind::Tokenizer) && before.contains(&Kind::Tokenizer) {
            errors.push((place, PipelineError::SecondTokenizer { name }));
        }
        let is_featurizer = |kind| matches!(kind, &Kind::SparseFeaturizer | &Kind::DenseFeaturizer);
        if kinds.iter().any(is_featurizer) {
            let alias = alias(place, component);
            if !aliases.insert(alias.clone()) {
                errors.push((place, PipelineError::SameAlias { alias }));
            }
        }
        before.extend(kinds);
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pipeline(names: &[&str]) -> Vec<Component> {
        let component = |name: &&str| Component {
            name: (*name).to_owned(),
            ..Component::default()
        };
        names.iter().map(component).collect()
    }

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(
            COMPONENTS
                .windows(2)
                .all(|pair| pair[0].name < pair[1].name)
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let errors = check(&pipeline(&["RegexFeaturizer", "FallbackClassifier"]));
        let said: Vec<String> = errors.iter().map(|(at, e)| format!("{at} {e}")).collect();
        assert_eq!(
            said,
            [
                "0 `RegexFeaturizer` needs a tokenizer before it in the pipeline",
                "1 `FallbackClassifier` needs an intent classifier before it in the pipeline",
            ]
        );
        let fine = [
            "WhitespaceTokenizer",
            "RegexFeaturizer",
            "DIETClassifier",
            "FallbackClassifier",
        ];
        assert_eq!(check(&pipeline(&fine)), []);
    }

    #[test]
    fn components_that_are_not_built_are_told_from_unknown_ones() {
        assert!(matches!(
            find("MitieNLP"),
            Err(PipelineError::NotBuilt { .. })
        ));
        assert!(matches!(
            find("Dietclassifier"),
            Err(PipelineError::Unknown { .. })
        ));
    }

    #[test]
    fn an_alias_is_used_once() {
        let mut twice = pipeline(&[
            "WhitespaceTokenizer",
            "RegexFeaturizer",
            "LexicalSyntacticFeaturizer",
        ]);
        twice[1].options.insert("alias".into(), json!("same"));
        twice[2].options.insert("alias".into(), json!("same"));
        let errors = check(&twice);
        assert_eq!(
            errors,
            [(
                2,
                PipelineError::SameAlias {
                    alias: "same".into()
                }
            )]
        );
    }
}
