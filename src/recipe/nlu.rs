//! The tasks of the pipeline: tokens, features, and what each component learns.
//!
//! ```text
//!   messages ─▶ tokenizer ─┬▶ documents ─▶ featurizer ─┬▶ fitted ─▶ archive
//!                          └▶ texts ─┐                 └▶ rows ──┐
//!   annotations ─────────────────────┴───────▶ classifier ◀──────┘
//! ```
//!
//! | output | of | holds |
//! |---|---|---|
//! | `documents` | tokenizer | tokens of every attribute of every example |
//! | `texts` | tokenizer | tokens of the text alone, so that labels do not reach those who read it |
//! | `rows.*` | featurizer | features of one attribute of every example |
//! | `fitted.json`, `*.safetensors` | all | what goes into the archive |

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use crate::archive::ComponentEntry;
use crate::data::Component;
use crate::data::Example;
use crate::data::NluData;
use crate::data::Options;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::engine::Input;
use crate::engine::Leaf;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::features::FeatureRows;
use crate::features::count_vectors;
use crate::features::lexical_syntactic;
use crate::features::regex;
use crate::nlu::FITTED;
use crate::nlu::FallbackOptions;
use crate::nlu::KeywordClassifier;
use crate::nlu::KeywordOptions;
use crate::nlu::RegexEntities;
use crate::nlu::RegexEntityOptions;
use crate::nlu::Synonyms;
use crate::nlu::command::COMMAND;
use crate::nlu::component;
use crate::nlu::component::COMPONENTS;
use crate::nlu::component::PipelineError;
use crate::nlu::duckling::DIMENSIONS;
use crate::nlu::duckling::DucklingOptions;
use crate::recipe::Builder;
use crate::recipe::Draft;
use crate::recipe::Fold;
use crate::recipe::Keywords;
use crate::recipe::Messages;
use crate::recipe::Slices;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::command;
use crate::recipe::instead::instead;
use crate::recipe::jieba;
use crate::recipe::language_model;
use crate::recipe::linear;
use crate::recipe::networks;
use crate::recipe::options::Written;
use crate::recipe::ordinals::ordinals;
use crate::recipe::vectors;
use crate::recipe::vectors::Vectors;
use crate::tokenize::Attribute;
use crate::tokenize::Document;
use crate::tokenize::Tokenizer;
use crate::tokenize::TokenizerOptions;

/// Attributes of examples that are featurized.
pub const ATTRIBUTES: [Attribute; 4] = [
    Attribute::Text,
    Attribute::Intent,
    Attribute::IntentResponseKey,
    Attribute::Response,
];

/// Outputs of a tokenizer: all attributes, and the text alone.
pub const DOCUMENTS: [&str; 2] = ["documents", "texts"];

/// Algorithm versions: raised when the output for the same input changes.
const TOKENIZER_VERSION: u32 = 1;
const REGEX_FEATURIZER_VERSION: u32 = 1;
const LEXICAL_FEATURIZER_VERSION: u32 = 1;
const COUNT_VECTORS_VERSION: u32 = 1;
const REGEX_ENTITIES_VERSION: u32 = 1;
const SYNONYMS_VERSION: u32 = 1;
const KEYWORD_VERSION: u32 = 1;

/// What to do about a `SpacyNLP` that needs spaCy.
const NO_VECTORS: &str = "instead: name a file of word vectors (word2vec, fastText's `.vec`, \
    GloVe) with `vectors`, or leave it out, with the components that need its model";

/// A pipeline while its tasks are made.
pub struct Line<'a> {
    /// Where tasks go.
    pub builder: &'a mut Builder,
    /// What they read.
    pub slices: &'a Slices,
    /// The task that gives the tokens of the examples that are learnt from.
    pub tokenizer: Option<TaskId>,
    /// The task that gives the tokens of all examples of the project.
    pub tokenizer_of_all: Option<TaskId>,
    /// Which examples are learnt from, if not all.
    pub fold: Option<Fold>,
    /// Featurizers so far, with their aliases.
    pub featurizers: Vec<(String, TaskId)>,
    /// Which of them give dense features.
    pub dense: Vec<usize>,
    /// Tasks of the `RegexFeaturizer`s so far.
    pub regexes: Vec<TaskId>,
    /// Word vectors that a language model before gives.
    pub vectors: Option<Vectors>,
    /// The configuration's `language`.
    pub language: Option<&'a str>,
    /// Distinct intents in the data.
    pub intent_count: usize,
    /// The examples that are learnt from.
    pub examples: &'a [Example],
    /// What is wrong with the configuration.
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

/// Adds what can stand in the place of a component that is not there: what does its
/// work, what was meant, or what there is of its kind.
fn in_its_place(about: Diagnostic, name: &str) -> Diagnostic {
    if let Some(what) = instead(name) {
        return about.help(format!("instead: {what}"));
    }
    let built = COMPONENTS.iter().filter(|known| known.is_built);
    let built: Vec<&str> = built.map(|known| known.name).collect();
    let about = about.suggest(name, built.iter().copied());
    match about.help {
        Some(_) => about,
        None => about.help(format!("there are {}", of_kind(name, &built))),
    }
}

/// Returns, in backticks, the names that end in the word that a name ends in; all of
/// them if none does.
fn of_kind(name: &str, names: &[&str]) -> String {
    let word = name
        .rfind(char::is_uppercase)
        .map_or(name, |at| &name[at..]);
    let has_kind = names.iter().any(|one| one.ends_with(word));
    let of_kind = names.iter().filter(|one| !has_kind || one.ends_with(word));
    let of_kind: Vec<String> = of_kind.map(|one| format!("`{one}`")).collect();
    of_kind.join(", ")
}

/// Adds the tasks of every component; returns what the archive says of them.
pub fn tasks(
    builder: &mut Builder,
    project: &Arc<Project>,
    slices: &Slices,
    fold: Option<Fold>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ComponentEntry> {
    let pipeline = &project.config.pipeline;
    let wrong = component::check(pipeline);
    for (place, error) in &wrong {
        let component = &pipeline[*place];
        let about = Diagnostic::new("E106", component.place.clone(), error.to_string());
        diagnostics.push(match error {
            PipelineError::Unknown { name } | PipelineError::NotBuilt { name } => {
                in_its_place(about, name)
            }
            PipelineError::NoVectors { .. } => about.help(NO_VECTORS),
            _ => about,
        });
    }
    if pipeline.is_empty() {
        let at = crate::data::Place::default();
        diagnostics.push(Diagnostic::new(
            "E106",
            at,
            "the pipeline has no components",
        ));
    }
    if !wrong.is_empty() {
        return Vec::new();
    }
    let intents: BTreeSet<&str> = project
        .nlu
        .examples
        .iter()
        .filter_map(|example| example.intent.as_deref())
        .collect();
    let mut line = Line {
        builder,
        slices,
        tokenizer: None,
        tokenizer_of_all: None,
        fold,
        featurizers: Vec::new(),
        dense: Vec::new(),
        regexes: Vec::new(),
        vectors: None,
        language: project.config.language.as_deref(),
        intent_count: intents.len(),
        examples: &project.nlu.examples,
        diagnostics,
    };
    let mut entries = Vec::with_capacity(pipeline.len());
    let ordinals = ordinals(pipeline.iter().map(|component| component.name.as_str()));
    for (place, (component, ordinal)) in pipeline.iter().zip(ordinals).enumerate() {
        if let Some(entry) = line.component(place, ordinal, component) {
            entries.push(entry);
        }
    }
    entries
}

impl Line<'_> {
    /// Adds the task of one component, if it has one.
    fn component(
        &mut self,
        place: usize,
        ordinal: usize,
        component: &Component,
    ) -> Option<ComponentEntry> {
        match component.name.as_str() {
            "WhitespaceTokenizer" => self.tokenizer(place, component),
            "JiebaTokenizer" => jieba::tokenizer(self, place, component),
            "RegexFeaturizer" => self.regex_featurizer(place, component),
            "LexicalSyntacticFeaturizer" => self.lexical_featurizer(place, component),
            "CountVectorsFeaturizer" => self.count_vectors(place, component),
            "RegexEntityExtractor" => self.regex_entities(place, component),
            "EntitySynonymMapper" => self.synonyms(place, component),
            "KeywordIntentClassifier" => self.keyword(place, component),
            "FallbackClassifier" => {
                let options: FallbackOptions = self.read(component)?;
                Some(entry(component, &options, &[]))
            }
            "WordVectorsFeaturizer" => vectors::featurizer(self, place, component),
            "LanguageModelFeaturizer" => language_model::featurizer(self, place, component),
            "SpacyNLP" => vectors::model(self, place, component),
            "SpacyFeaturizer" => vectors::spacy_featurizer(self, place, component),
            COMMAND => command::command(self, place, component),
            "DucklingEntityExtractor" => self.duckling(component),
            "CRFEntityExtractor" => linear::crf(self, place, component),
            "LogisticRegressionClassifier" => linear::logistic(self, place, component),
            "SklearnIntentClassifier" => linear::svm(self, place, component),
            "DIETClassifier" => networks::diet(self, place, ordinal, component),
            _ => networks::selector(self, place, ordinal, component),
        }
    }

    /// Returns the messages of all examples of the project.
    pub fn all_messages(&self) -> Leaf {
        let fold = self.fold.as_ref();
        fold.map_or(&self.slices.messages, |fold| &fold.messages)
            .clone()
    }

    /// Returns how many examples the project has.
    pub fn all_examples(&self) -> usize {
        let fold = self.fold.as_ref();
        fold.map_or(self.examples.len(), |fold| fold.examples)
    }

    /// Notes the task that splits [all messages](Self::all_messages).
    pub fn add_tokenizer(&mut self, place: usize, component: &Component, all: TaskId) {
        let fold = self.fold.as_ref();
        let chosen = fold.map(|fold| fold.documents(place, component, all));
        self.tokenizer_of_all = Some(all);
        self.tokenizer = Some(chosen.map_or(all, |chosen| self.builder.add(chosen)));
    }

    /// Notes the task of a featurizer that gives dense features of all examples: each
    /// example's depend on nothing but its text.
    pub fn add_dense(&mut self, place: usize, component: &Component, all: TaskId) {
        let fold = self.fold.as_ref();
        let chosen = fold.map(|fold| fold.rows(place, component, all));
        let task = chosen.map_or(all, |chosen| self.builder.add(chosen));
        self.add_learned(place, component, task);
    }

    /// Notes the task of a featurizer that gives dense features of the examples that
    /// are learnt from.
    pub fn add_learned(&mut self, place: usize, component: &Component, task: TaskId) {
        self.dense.push(self.featurizers.len());
        let alias = component::alias(place, component);
        self.featurizers.push((alias, task));
    }

    /// Reads a component's options; tells what is unknown or wrong.
    pub fn read<T: Default + Serialize + DeserializeOwned>(
        &mut self,
        component: &Component,
    ) -> Option<T> {
        Written(component).read(self.diagnostics)
    }

    fn tokenizer(&mut self, place: usize, component: &Component) -> Option<ComponentEntry> {
        let options: TokenizerOptions = self.read(component)?;
        let written = component.options.clone();
        let tokenizer = match Tokenizer::new(&written) {
            Ok(tokenizer) => tokenizer,
            Err(error) => {
                Written(component).wrong_option(&error, self.diagnostics);
                return None;
            }
        };
        let run = move |context: &TaskContext<'_>| tokenize(&tokenizer, context.value("messages")?);
        let inputs = vec![Input::leaf("messages", self.all_messages())];
        let task = self.builder.add(Draft {
            name: format!("nlu.{place}.{}", component.name),
            stage: Stage::Featurize,
            kind: "nlu.tokenize.whitespace",
            version: TOKENIZER_VERSION,
            options: json!(options),
            inputs,
            turn: Turn::Usual,
            places: places_of(component),
            run: Box::new(run),
        });
        self.add_tokenizer(place, component, task);
        Some(entry(component, &options, &[]))
    }

    /// Adds a featurizer: `learn` fits it to the documents, `rows` gives the
    /// features of one attribute of them.
    fn featurizer<O: Serialize, F: Serialize + 'static>(
        &mut self,
        place: usize,
        component: &Component,
        options: &O,
        (kind, version): (&'static str, u32),
        more: Vec<Input>,
        learn: impl Fn(&TaskContext<'_>, &[Document]) -> Result<F, TaskError> + Send + Sync + 'static,
        rows: fn(&F, &[Document], Attribute) -> FeatureRows,
    ) -> Option<ComponentEntry> {
        let tokenizer = self.tokenizer?;
        let mut inputs = vec![Input::output("documents", tokenizer, "documents")];
        inputs.extend(more);
        let run = move |context: &TaskContext<'_>| {
            let documents: Vec<Document> = decoded(context, "documents")?;
            let fitted = learn(context, &documents)?;
            let mut outputs = Outputs::from([(FITTED.to_owned(), json_bytes(&fitted)?)]);
            for attribute in ATTRIBUTES {
                let rows = rows(&fitted, &documents, attribute);
                outputs.insert(rows_output(attribute), rows.to_bytes());
            }
            Ok(outputs)
        };
        let task = self.builder.add(Draft {
            name: format!("nlu.{place}.{}", component.name),
            stage: Stage::Featurize,
            kind,
            version,
            options: without_alias(options),
            inputs,
            turn: Turn::Usual,
            places: places_of(component),
            run: Box::new(run),
        });
        self.featurizers
            .push((component::alias(place, component), task));
        Some(self.packed(place, component, options, task, &[FITTED]))
    }

    fn regex_featurizer(&mut self, place: usize, component: &Component) -> Option<ComponentEntry> {
        let options: regex::Options = self.read(component)?;
        let patterns = vec![Input::leaf("patterns", self.slices.patterns.clone())];
        let nameless = regex::Options {
            alias: None,
            ..options.clone()
        };
        let learn = move |context: &TaskContext<'_>, _: &[Document]| {
            let data: &NluData = context.value("patterns")?;
            regex::fit(&nameless, data).map_err(TaskError::failed)
        };
        let version = ("nlu.featurize.regex", REGEX_FEATURIZER_VERSION);
        let rows = regex::Fitted::rows;
        let entry = self.featurizer(place, component, &options, version, patterns, learn, rows)?;
        let (_, task) = self.featurizers.last()?;
        self.regexes.push(*task);
        Some(entry)
    }

    fn lexical_featurizer(
        &mut self,
        place: usize,
        component: &Component,
    ) -> Option<ComponentEntry> {
        let options: lexical_syntactic::Options = self.read(component)?;
        // Options that cannot be used are found here, not while training.
        if let Err(error) = lexical_syntactic::fit(&options, &[]) {
            Written(component).wrong_option(&error, self.diagnostics);
            return None;
        }
        let nameless = lexical_syntactic::Options {
            alias: None,
            ..options.clone()
        };
        let learn = move |_: &TaskContext<'_>, documents: &[Document]| {
            lexical_syntactic::fit(&nameless, documents).map_err(TaskError::failed)
        };
        let version = ("nlu.featurize.lexical", LEXICAL_FEATURIZER_VERSION);
        let rows = lexical_syntactic::Fitted::rows;
        self.featurizer(place, component, &options, version, Vec::new(), learn, rows)
    }

    fn count_vectors(&mut self, place: usize, component: &Component) -> Option<ComponentEntry> {
        let options: count_vectors::Options = self.read(component)?;
        if let Err(error) = count_vectors::fit(&options, &[]) {
            Written(component).wrong_option(&error, self.diagnostics);
            return None;
        }
        let nameless = count_vectors::Options {
            alias: None,
            ..options.clone()
        };
        let learn = move |_: &TaskContext<'_>, documents: &[Document]| {
            count_vectors::fit(&nameless, documents).map_err(TaskError::failed)
        };
        let version = ("nlu.featurize.count_vectors", COUNT_VECTORS_VERSION);
        let rows = count_vectors::Fitted::rows;
        self.featurizer(place, component, &options, version, Vec::new(), learn, rows)
    }

    /// Adds a component that learns one file without features.
    fn simple<O: Serialize>(
        &mut self,
        place: usize,
        component: &Component,
        options: &O,
        (kind, version): (&'static str, u32),
        inputs: Vec<Input>,
        run: impl Fn(&TaskContext<'_>) -> Result<Vec<u8>, TaskError> + Send + Sync + 'static,
    ) -> ComponentEntry {
        let task = self.builder.add(Draft {
            name: format!("nlu.{place}.{}", component.name),
            stage: Stage::TrainNlu,
            kind,
            version,
            options: json!(options),
            inputs,
            turn: Turn::Usual,
            places: places_of(component),
            run: Box::new(move |context| Ok(Outputs::from([(FITTED.to_owned(), run(context)?)]))),
        });
        self.packed(place, component, options, task, &[FITTED])
    }

    fn regex_entities(&mut self, place: usize, component: &Component) -> Option<ComponentEntry> {
        let options: RegexEntityOptions = self.read(component)?;
        let inputs = vec![
            Input::leaf("patterns", self.slices.patterns.clone()),
            Input::leaf("entity types", self.slices.entity_types.clone()),
        ];
        let fit_options = options.clone();
        let version = ("nlu.regex_entities", REGEX_ENTITIES_VERSION);
        Some(self.simple(
            place,
            component,
            &options,
            version,
            inputs,
            move |context| {
                let fitted = RegexEntities::fit(
                    &fit_options,
                    context.value("patterns")?,
                    context.value("entity types")?,
                )
                .map_err(TaskError::failed)?;
                json_bytes(&fitted)
            },
        ))
    }

    fn synonyms(&mut self, place: usize, component: &Component) -> Option<ComponentEntry> {
        let options: NoOptions = self.read(component)?;
        let inputs = vec![Input::leaf("synonyms", self.slices.synonyms.clone())];
        let version = ("nlu.synonyms", SYNONYMS_VERSION);
        Some(
            self.simple(place, component, &options, version, inputs, |context| {
                json_bytes(context.value::<Synonyms>("synonyms")?)
            }),
        )
    }

    fn keyword(&mut self, place: usize, component: &Component) -> Option<ComponentEntry> {
        let options: KeywordOptions = self.read(component)?;
        let inputs = vec![Input::leaf("messages", self.slices.keywords())];
        let fit_options = options.clone();
        let version = ("nlu.keyword", KEYWORD_VERSION);
        Some(self.simple(
            place,
            component,
            &options,
            version,
            inputs,
            move |context| {
                let messages: &Keywords = context.value("messages")?;
                let fitted = KeywordClassifier::fit(&fit_options, messages.examples())
                    .map_err(TaskError::failed)?;
                json_bytes(&fitted)
            },
        ))
    }

    /// Adds a component that learns nothing: only the archive knows of it.
    fn duckling(&mut self, component: &Component) -> Option<ComponentEntry> {
        let written = Written(component);
        let options: DucklingOptions = self.read(component)?;
        if let Err(error) = options.check() {
            written.wrong_option(&error, self.diagnostics);
            return None;
        }
        if options.url.is_none() {
            let remark = "without `url` it asks nobody, unless `RASA_DUCKLING_HTTP_URL` is set";
            written.remark(remark, self.diagnostics);
        }
        for name in options.dimensions.iter().flatten() {
            if !DIMENSIONS.contains(&name.as_str()) {
                let message = format!("Duckling itself finds no `{name}`");
                written.remark_about("dimensions", message, name, DIMENSIONS, self.diagnostics);
            }
        }
        let options = options.with_language(self.language);
        Some(entry(component, &options, &[]))
    }

    /// Puts outputs of a component into the archive, below its own folder.
    pub fn packed<O: Serialize>(
        &mut self,
        place: usize,
        component: &Component,
        options: &O,
        task: TaskId,
        outputs: &[&str],
    ) -> ComponentEntry {
        let paths: Vec<String> = outputs
            .iter()
            .map(|output| format!("nlu/{place}.{}/{output}", component.name))
            .collect();
        for (output, path) in outputs.iter().zip(&paths) {
            self.builder.pack(task, output, path.clone());
        }
        entry(component, options, &paths)
    }
}

/// Options of a component that has none.
#[derive(Default, Serialize, serde::Deserialize)]
struct NoOptions {}

/// Splits every example.
pub fn tokenize(tokenizer: &Tokenizer, messages: &Messages) -> Result<Outputs, TaskError> {
    let documents = tokenizer.examples(messages.examples());
    let texts: Vec<Document> = documents.iter().map(text_only).collect();
    Ok(Outputs::from([
        ("documents".to_owned(), json_bytes(&documents)?),
        ("texts".to_owned(), json_bytes(&texts)?),
    ]))
}

fn text_only(document: &Document) -> Document {
    let mut text = Document::default();
    if let Some(written) = document.text(Attribute::Text) {
        text.insert(
            Attribute::Text,
            written,
            document.tokens(Attribute::Text).to_vec(),
        );
    }
    text
}

/// Returns the name of the output with an attribute's rows.
pub fn rows_output(attribute: Attribute) -> String {
    format!("rows.{}", attribute.name())
}

/// Returns what a component says of itself in the archive.
pub fn entry<O: Serialize>(component: &Component, options: &O, files: &[String]) -> ComponentEntry {
    ComponentEntry {
        name: component.name.clone(),
        options: options_map(options),
        files: files.to_vec(),
    }
}

/// Options after defaults, as they are written into the archive.
pub fn options_map<O: Serialize>(options: &O) -> Options {
    match json!(options) {
        Value::Object(map) => map.into_iter().collect(),
        _ => Options::new(),
    }
}

/// An alias is how others call a featurizer; what it computes is the same. So it
/// is not in the key, and `fit` is not given it either: the archive has it beside
/// the component's name.
fn without_alias<O: Serialize>(options: &O) -> Value {
    let mut options = json!(options);
    if let Some(map) = options.as_object_mut() {
        map.remove("alias");
    }
    options
}

/// Returns a value that another task wrote as JSON.
pub fn decoded<T: DeserializeOwned>(context: &TaskContext<'_>, role: &str) -> Result<T, TaskError> {
    serde_json::from_slice(context.bytes(role)?).map_err(TaskError::failed)
}

/// Returns a value as JSON.
pub fn json_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, TaskError> {
    serde_json::to_vec(value).map_err(TaskError::failed)
}
