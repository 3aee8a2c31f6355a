//! A trained pipeline, loaded: text in, parse out.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::command::COMMAND;
use super::command::CommandComponent;
use super::component;
use super::crf::CrfExtractor;
use super::duckling::DucklingExtractor;
use super::fallback::FallbackClassifier;
use super::keyword::KeywordClassifier;
use super::logistic::LogisticClassifier;
use super::message::Message;
use super::message::Parse;
use super::model_folders::MODEL_FOLDERS_VARIABLE;
use super::model_folders::ModelFolders;
use super::regex_entities::RegexEntities;
use super::slash::SlashMessages;
use super::svm::SvmClassifier;
use super::synonyms::Synonyms;
use crate::data::Component;
use crate::features::FeatureRows;
use crate::features::count_vectors;
use crate::features::language_model;
use crate::features::language_model::FolderError;
use crate::features::language_model::Long;
use crate::features::language_model::ModelFile;
use crate::features::language_model::WANTED;
use crate::features::language_model::Wanted;
use crate::features::lexical_syntactic;
use crate::features::regex;
use crate::features::word_vectors;
use crate::features::word_vectors::Table;
use crate::features::word_vectors::TableError;
use crate::nlu::diet;
use crate::nlu::diet::ModelError;
use crate::nlu::selector;
use crate::tokenize::Attribute;
use crate::tokenize::Document;
use crate::tokenize::JiebaOptions;
use crate::tokenize::OptionError;
use crate::tokenize::Tokenizer;
use crate::tokenize::UserWords;
use crate::tokenize::read_options;

/// What a component learnt: contents by file name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The file in which featurizers, `JiebaTokenizer`, `RegexEntityExtractor`, `EntitySynonymMapper`,
/// `KeywordIntentClassifier` and `CRFEntityExtractor` keep what they learnt: JSON
/// of their types.
pub const FITTED: &str = "fitted.json";

/// A component that cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is not built, or does not exist.
    #[error(transparent)]
    Component(#[from] component::PipelineError),
    /// Its options make no sense.
    #[error("`{name}` cannot be loaded")]
    Options {
        /// The component.
        name: String,
        /// Which option.
        source: OptionError,
    },
    /// A file is missing.
    #[error("`{name}` has no file `{file}`")]
    Missing {
        /// The component.
        name: String,
        /// The file.
        file: String,
    },
    /// A file holds something else.
    #[error("`{file}` of `{name}` cannot be read")]
    Damaged {
        /// The component.
        name: String,
        /// The file.
        file: String,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Word vectors cannot be loaded.
    #[error("`{name}` cannot be loaded")]
    Vectors {
        /// The component.
        name: String,
        /// Why.
        source: TableError,
    },
    /// The folder of a language model is not there, or another.
    #[error(
        "`{name}` cannot read the language model in `{}`; have there the folder \
         `{written}` that it was trained with, or name the folder that it is in with \
         `{MODEL_FOLDERS_VARIABLE}`",
        folder.display()
    )]
    LanguageModel {
        /// The component.
        name: String,
        /// The folder as the configuration has it.
        written: String,
        /// Where it was looked for.
        folder: PathBuf,
        /// Why not.
        source: Box<FolderError>,
    },
    /// A network cannot be loaded.
    #[error("`{name}` cannot be loaded")]
    Network {
        /// The component.
        name: String,
        /// Why.
        source: ModelError,
    },
}

/// A component that is ready to work on messages.
#[derive(Clone, Debug)]
pub enum LoadedComponent {
    /// `WhitespaceTokenizer` or `JiebaTokenizer`.
    Tokenizer(Tokenizer),
    /// `RegexFeaturizer` with its alias.
    Regex(String, regex::Fitted),
    /// `LexicalSyntacticFeaturizer` with its alias.
    LexicalSyntactic(String, lexical_syntactic::Fitted),
    /// `CountVectorsFeaturizer` with its alias.
    CountVectors(String, count_vectors::Fitted),
    /// `WordVectorsFeaturizer` or `SpacyFeaturizer` with its alias.
    WordVectors(String, Box<word_vectors::Featurizer>),
    /// `LanguageModelFeaturizer` with its alias.
    LanguageModel(String, Arc<language_model::Featurizer>),
    /// `SpacyNLP`: what it gives is with those who use it.
    Spacy,
    /// `RegexEntityExtractor`.
    RegexEntities(RegexEntities),
    /// `EntitySynonymMapper`.
    Synonyms(Synonyms),
    /// `KeywordIntentClassifier`.
    Keyword(KeywordClassifier),
    /// `LogisticRegressionClassifier`.
    Logistic(Box<LogisticClassifier>),
    /// `SklearnIntentClassifier`.
    Svm(Box<SvmClassifier>),
    /// `CRFEntityExtractor`.
    Crf(Box<CrfExtractor>),
    /// `DucklingEntityExtractor`.
    Duckling(Box<DucklingExtractor>),
    /// `command`.
    Command(Box<CommandComponent>),
    /// `FallbackClassifier`.
    Fallback(FallbackClassifier),
    /// `DIETClassifier`.
    Diet(Box<diet::Classifier>),
    /// `ResponseSelector`.
    Selector(Box<selector::Selector>),
}

impl LoadedComponent {
    /// Loads the component at a place of the pipeline.
    ///
    /// # Errors
    ///
    /// If it is not built, its options make no sense, or its files are not what
    /// training wrote.
    pub fn load(
        place: usize,
        component: &Component,
        files: &Files,
        folders: &ModelFolders,
    ) -> Result<Self, LoadError> {
        let name = component.name.as_str();
        component::find(name)?;
        let alias = component::alias(place, component);
        let wrong = |source| LoadError::Options {
            name: name.to_owned(),
            source,
        };
        let broken = |source| LoadError::Network {
            name: name.to_owned(),
            source,
        };
        Ok(match name {
            "WhitespaceTokenizer" => {
                Self::Tokenizer(Tokenizer::new(&component.options).map_err(wrong)?)
            }
            "JiebaTokenizer" => {
                let options: JiebaOptions = read_options(&component.options).map_err(wrong)?;
                let words: UserWords = fitted(name, files)?;
                let loaded = Tokenizer::jieba(options.tokenizer, words);
                Self::Tokenizer(loaded.map_err(wrong)?)
            }
            "RegexFeaturizer" => Self::Regex(alias, fitted(name, files)?),
            "LexicalSyntacticFeaturizer" => Self::LexicalSyntactic(alias, fitted(name, files)?),
            "CountVectorsFeaturizer" => Self::CountVectors(alias, fitted(name, files)?),
            "WordVectorsFeaturizer" | "SpacyFeaturizer" => {
                let options: word_vectors::Options =
                    read_options(&component.options).map_err(wrong)?;
                let table = Table::from_files(|file| files.get(file).map(Vec::as_slice));
                let table = table.map_err(|source| LoadError::Vectors {
                    name: name.to_owned(),
                    source,
                })?;
                let featurizer = word_vectors::Featurizer {
                    case_sensitive: options.case_sensitive,
                    pooling: options.pooling,
                    table,
                };
                Self::WordVectors(alias, Box::new(featurizer))
            }
            "LanguageModelFeaturizer" => {
                let options = read_options(&component.options).map_err(wrong)?;
                let loaded = language_model(name, &options, files, folders)?;
                Self::LanguageModel(alias, Arc::new(loaded))
            }
            "SpacyNLP" => Self::Spacy,
            "RegexEntityExtractor" => Self::RegexEntities(fitted(name, files)?),
            "EntitySynonymMapper" => Self::Synonyms(fitted(name, files)?),
            "KeywordIntentClassifier" => Self::Keyword(fitted(name, files)?),
            "FallbackClassifier" => Self::Fallback(FallbackClassifier {
                options: read_options(&component.options).map_err(wrong)?,
            }),
            "DucklingEntityExtractor" => {
                let options = read_options(&component.options).map_err(wrong)?;
                Self::Duckling(Box::new(DucklingExtractor::new(options).map_err(wrong)?))
            }
            COMMAND => {
                let options = read_options(&component.options).map_err(wrong)?;
                let learnt = match files.is_empty() {
                    true => serde_json::Value::Null,
                    false => fitted(name, files)?,
                };
                Self::Command(Box::new(CommandComponent::new(alias, options, learnt)))
            }
            "CRFEntityExtractor" => Self::Crf(Box::new(fitted(name, files)?)),
            "LogisticRegressionClassifier" => {
                let options = read_options(&component.options).map_err(wrong)?;
                let loaded = LogisticClassifier::load(options, files);
                Self::Logistic(Box::new(loaded.map_err(broken)?))
            }
            "SklearnIntentClassifier" => {
                let loaded = SvmClassifier::load(files);
                Self::Svm(Box::new(loaded.map_err(broken)?))
            }
            "DIETClassifier" => {
                let loaded = diet::Classifier::load(&component.options, files);
                Self::Diet(Box::new(loaded.map_err(broken)?))
            }
            "ResponseSelector" => {
                let loaded = selector::Selector::load(&component.options, files);
                Self::Selector(Box::new(loaded.map_err(broken)?))
            }
            _ => unreachable!("every component that is built has an arm"),
        })
    }

    /// Works on a message: adds tokens, features, an intent or entities.
    pub fn process(&self, message: &mut Message) {
        match self {
            Self::Tokenizer(tokenizer) => {
                let mut document = Document::default();
                let tokens = tokenizer.text(&message.text);
                document.insert(Attribute::Text, &message.text, tokens);
                message.document = Some(document);
            }
            Self::Regex(alias, fitted) => {
                add_features(message, alias, |texts| fitted.rows(texts, Attribute::Text));
                mark_patterns(message, fitted);
            }
            Self::LexicalSyntactic(alias, fitted) => {
                add_features(message, alias, |texts| fitted.rows(texts, Attribute::Text));
            }
            Self::CountVectors(alias, fitted) => {
                add_features(message, alias, |texts| fitted.rows(texts, Attribute::Text));
            }
            Self::WordVectors(alias, featurizer) => {
                add_features(message, alias, |texts| {
                    featurizer.rows(texts, Attribute::Text)
                });
            }
            Self::LanguageModel(alias, featurizer) => {
                add_features(message, alias, |texts| {
                    let rows = featurizer.rows(texts, Attribute::Text, Long::Cut, &mut |_, _| true);
                    rows.expect("nothing is refused, and nobody stops it")
                });
            }
            Self::Spacy => {}
            Self::RegexEntities(entities) => entities.process(message),
            Self::Synonyms(synonyms) => synonyms.process(message),
            Self::Keyword(keyword) => keyword.process(message),
            Self::Duckling(duckling) => duckling.process(message),
            Self::Command(command) => command.process(message),
            Self::Fallback(fallback) => fallback.process(message),
            Self::Logistic(classifier) => classifier.process(message),
            Self::Svm(classifier) => classifier.process(message),
            Self::Crf(extractor) => extractor.process(message),
            Self::Diet(classifier) => classifier.process(message),
            Self::Selector(selector) => selector.process(message),
        }
    }
}

fn fitted<T: DeserializeOwned>(name: &str, files: &Files) -> Result<T, LoadError> {
    document(name, files, FITTED)
}

fn document<T: DeserializeOwned>(name: &str, files: &Files, file: &str) -> Result<T, LoadError> {
    let bytes = files.get(file).ok_or_else(|| LoadError::Missing {
        name: name.to_owned(),
        file: file.to_owned(),
    })?;
    serde_json::from_slice(bytes).map_err(|source| LoadError::Damaged {
        name: name.to_owned(),
        file: file.to_owned(),
        source,
    })
}

/// Reads a language model from its folder, whose files must be those that were trained
/// with.
fn language_model(
    name: &str,
    options: &language_model::Options,
    files: &Files,
    folders: &ModelFolders,
) -> Result<language_model::Featurizer, LoadError> {
    let wanted: Wanted = document(name, files, WANTED)?;
    let architecture = options
        .architecture()
        .map_err(|source| LoadError::Options {
            name: name.to_owned(),
            source,
        })?;
    let written = options.model_weights.clone().unwrap_or_default();
    let folder = folders.find(&written);
    let files = wanted.files.into_iter().map(|(file, digest)| {
        let path = folder.join(&file);
        (file, ModelFile { path, digest })
    });
    let opened = match folders.is_closed {
        true => Err(FolderError::NotLookedFor),
        false => language_model::open(&files.collect(), architecture),
    };
    opened.map_err(|source| LoadError::LanguageModel {
        name: name.to_owned(),
        written,
        folder,
        source: Box::new(source),
    })
}

fn add_features(message: &mut Message, alias: &str, rows: impl Fn(&[Document]) -> FeatureRows) {
    if let Some(document) = &message.document {
        let rows = rows(std::slice::from_ref(document));
        message.features.push((alias.to_owned(), rows));
    }
}

/// Notes which patterns match at which token, from the features just added.
fn mark_patterns(message: &mut Message, fitted: &regex::Fitted) {
    if let Some((_, rows)) = message.features.last() {
        message
            .patterns
            .resize_with(rows.sequence.rows(), Default::default);
        fitted.mark(rows, &mut message.patterns);
    }
}

/// Loaded components in order.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// The components.
    pub components: Vec<LoadedComponent>,
    /// What messages that start with `/` may name.
    pub slash: SlashMessages,
}

impl Pipeline {
    /// Loads each component with its files, and language models from their folders.
    ///
    /// # Errors
    ///
    /// The first component that cannot be loaded.
    pub fn load(
        parts: &[(Component, Files)],
        slash: SlashMessages,
        folders: &ModelFolders,
    ) -> Result<Self, LoadError> {
        let parts = parts.iter().enumerate();
        let components = parts.map(|(place, (component, files))| {
            LoadedComponent::load(place, component, files, folders)
        });
        Ok(Self {
            components: components.collect::<Result<_, _>>()?,
            slash,
        })
    }

    /// Returns the names of the components that find entities with what they
    /// learned.
    pub fn extractors(&self) -> Vec<&'static str> {
        let name = |component: &LoadedComponent| match component {
            LoadedComponent::RegexEntities(_) => Some("RegexEntityExtractor"),
            LoadedComponent::Crf(_) => Some("CRFEntityExtractor"),
            LoadedComponent::Diet(_) => Some("DIETClassifier"),
            _ => None,
        };
        self.components.iter().filter_map(name).collect()
    }

    /// Understands a text.
    ///
    /// # Source
    ///
    /// Rasa 3.6: a text that spells out an intent of the domain (`/greet`) is
    /// taken at its word, and no component is asked.
    pub fn parse(&self, text: &str) -> Parse {
        self.passed(text, |_| true)
    }

    /// Understands a text with what was learnt, and asks no server.
    ///
    /// # Source
    ///
    /// Rasa 3.6: `rasa test` leaves out what extractors found that do not learn.
    pub fn parse_offline(&self, text: &str) -> Parse {
        self.passed(text, |component| {
            !matches!(component, LoadedComponent::Duckling(_))
        })
    }

    fn passed(&self, text: &str, is_asked: impl Fn(&LoadedComponent) -> bool) -> Parse {
        if let Some(message) = self.slash.read(text) {
            return message.into_parse();
        }
        let mut message = Message::new(text);
        for component in self.components.iter().filter(|one| is_asked(one)) {
            component.process(&mut message);
        }
        message.into_parse()
    }

    /// Returns whether it names programs that were not allowed to be run.
    pub fn has_unasked_commands(&self) -> bool {
        let is_unasked = |component: &LoadedComponent| match component {
            LoadedComponent::Command(command) => !command.is_allowed(),
            _ => false,
        };
        self.components.iter().any(is_unasked)
    }

    /// Allows the programs that the pipeline names to be run in a folder.
    pub fn allow_commands(&mut self, folder: &Path) {
        for component in &mut self.components {
            if let LoadedComponent::Command(command) = component {
                command.allow(folder);
            }
        }
    }

    /// Asks Duckling at `url` from now on, wherever the pipeline says it is.
    ///
    /// # Errors
    ///
    /// If that is not the address of a server.
    pub fn ask_duckling_at(&mut self, url: &str) -> Result<(), OptionError> {
        for component in &mut self.components {
            if let LoadedComponent::Duckling(duckling) = component {
                duckling.ask_at(url)?;
            }
        }
        Ok(())
    }
}
