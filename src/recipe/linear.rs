//! The tasks of the linear models: logistic regression, support vector machines and
//! conditional random fields.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde::Serialize;
use serde_json::json;

use crate::archive::ComponentEntry;
use crate::data::Component;
use crate::engine::Input;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::Turn;
use crate::features::FeatureRows;
use crate::features::regex;
use crate::nlu::FITTED;
use crate::nlu::TagKind;
use crate::nlu::TagSet;
use crate::nlu::crf;
use crate::nlu::crf::CrfExtractor;
use crate::nlu::crf::CrfOptions;
use crate::nlu::crf::Sentence;
use crate::nlu::diet::FILES;
use crate::nlu::logistic;
use crate::nlu::logistic::LogisticData;
use crate::nlu::logistic::LogisticOptions;
use crate::nlu::svm;
use crate::nlu::svm::SvmData;
use crate::nlu::svm::SvmOptions;
use crate::recipe::Annotated;
use crate::recipe::Draft;
use crate::recipe::Messages;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::networks::chosen;
use crate::recipe::networks::rows;
use crate::recipe::networks::rows_inputs;
use crate::recipe::networks::tell_too_little;
use crate::recipe::networks::untrained;
use crate::recipe::nlu::Line;
use crate::recipe::nlu::decoded;
use crate::recipe::nlu::json_bytes;
use crate::recipe::nlu::options_map;
use crate::recipe::nlu::rows_output;
use crate::recipe::options::Written;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// Algorithm versions: raised when the output for the same input changes.
const LOGISTIC_VERSION: u32 = 1;
const SVM_VERSION: u32 = 1;
const CRF_VERSION: u32 = 1;

/// A component that one task learns.
struct Learner<'a, O> {
    /// Which algorithm it is, and its version.
    version: (&'static str, u32),
    options: &'a O,
    /// Options that do not reach what is learned.
    ignored: &'a [&'a str],
    /// What the task gives.
    files: &'a [&'a str],
}

impl<O: Serialize> Learner<'_, O> {
    /// Adds the task of the component at a place of the pipeline.
    fn add(
        &self,
        line: &mut Line<'_>,
        (place, component): (usize, &Component),
        inputs: Vec<Input>,
        run: impl Fn(&TaskContext<'_>) -> Result<Outputs, TaskError> + Send + Sync + 'static,
    ) -> ComponentEntry {
        let mut options = options_map(self.options);
        for name in self.ignored {
            options.remove(*name);
        }
        let (kind, version) = self.version;
        let task = line.builder.add(Draft {
            name: format!("nlu.{place}.{}", component.name),
            stage: Stage::TrainNlu,
            kind,
            version,
            options: json!(options),
            inputs,
            turn: Turn::Long,
            places: places_of(component),
            run: Box::new(run),
        });
        line.packed(place, component, self.options, task, self.files)
    }
}

/// Returns what a task gives that learned a model, was stopped, or had too little
/// to learn from.
fn learned(context: &TaskContext<'_>, model: Option<Outputs>) -> Result<Outputs, TaskError> {
    match model {
        Some(files) => Ok(files),
        None if context.is_cancelled() => Err(TaskError::Cancelled),
        None => Ok(untrained()),
    }
}

/// Adds a `LogisticRegressionClassifier`.
pub fn logistic(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
) -> Option<ComponentEntry> {
    let options: LogisticOptions = line.read(component)?;
    if let Err(error) = options.check() {
        Written(component).wrong_option(&error, line.diagnostics);
        return None;
    }
    let chosen = chosen(line, component, &options.featurizers)?;
    tell_too_little(line, component, "add examples of a second intent");
    let mut inputs = vec![Input::leaf("messages", line.slices.messages.clone())];
    inputs.extend(rows_inputs(line, &chosen, Attribute::Text));
    let (task_options, count) = (options.clone(), chosen.len());
    let run = move |context: &TaskContext<'_>| {
        let examples = context.value::<Messages>("messages")?.examples();
        let data = LogisticData::new(examples, &rows(context, count, Attribute::Text)?);
        let model = logistic::fit(&task_options, &data, &mut |step| {
            shown(context, step.done, step.most, step.loss)
        });
        learned(context, model.map(|model| model.to_files()))
    };
    // Neither reaches the weights, and which featurizers are chosen is in the inputs.
    let ignored = ["featurizers", "ranking_length", "random_state", "solver"];
    let learner = Learner {
        version: ("nlu.logistic", LOGISTIC_VERSION),
        options: &options,
        ignored: &ignored,
        files: &FILES,
    };
    Some(learner.add(line, (place, component), inputs, run))
}

/// Adds a `SklearnIntentClassifier`, which reads dense features alone.
pub fn svm(line: &mut Line<'_>, place: usize, component: &Component) -> Option<ComponentEntry> {
    let options: SvmOptions = line.read(component)?;
    if let Err(error) = options.check() {
        Written(component).wrong_option(&error, line.diagnostics);
        return None;
    }
    tell_too_little(line, component, "add examples of a second intent");
    let chosen = line.dense.clone();
    let mut inputs = vec![Input::leaf("messages", line.slices.messages.clone())];
    inputs.extend(rows_inputs(line, &chosen, Attribute::Text));
    let (task_options, count) = (options.clone(), chosen.len());
    let run = move |context: &TaskContext<'_>| {
        let examples = context.value::<Messages>("messages")?.examples();
        let data = SvmData::new(examples, &rows(context, count, Attribute::Text)?);
        let model = svm::fit(&task_options, &data, &mut |step| {
            context.progress(step.done as u64, step.most as u64, "pairs");
            match context.is_cancelled() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        learned(context, model.map(|model| model.to_files()))
    };
    // Neither reaches the weights.
    let ignored = ["gamma", "num_threads"];
    let learner = Learner {
        version: ("nlu.svm", SVM_VERSION),
        options: &options,
        ignored: &ignored,
        files: &FILES,
    };
    Some(learner.add(line, (place, component), inputs, run))
}

/// Adds a `CRFEntityExtractor`.
pub fn crf(line: &mut Line<'_>, place: usize, component: &Component) -> Option<ComponentEntry> {
    let options: CrfOptions = line.read(component)?;
    if let Err(error) = options.check() {
        Written(component).wrong_option(&error, line.diagnostics);
        return None;
    }
    let mut inputs = vec![
        Input::leaf("annotated", line.slices.annotated.clone()),
        Input::output("texts", line.tokenizer?, "texts"),
    ];
    let regexes = match options.reads_patterns() {
        true => line.regexes.clone(),
        false => Vec::new(),
    };
    for (at, task) in regexes.iter().enumerate() {
        let rows = rows_output(Attribute::Text);
        inputs.push(Input::output(patterns_role(at), *task, FITTED));
        inputs.push(Input::output(matches_role(at), *task, rows));
    }
    let dense = dense(line, component, &options)?;
    inputs.extend(rows_inputs(line, &dense, Attribute::Text));
    let (task_options, counts) = (options.clone(), (regexes.len(), dense.len()));
    let run = move |context: &TaskContext<'_>| learn_tags(context, &task_options, counts);
    let learner = Learner {
        version: ("nlu.crf", CRF_VERSION),
        options: &options,
        ignored: &[],
        files: &[FITTED],
    };
    Some(learner.add(line, (place, component), inputs, run))
}

/// Returns the dense featurizers that a `CRFEntityExtractor` reads.
fn dense(line: &mut Line<'_>, component: &Component, options: &CrfOptions) -> Option<Vec<usize>> {
    if !options.reads_numbers() {
        return Some(Vec::new());
    }
    let mut chosen = chosen(line, component, &options.featurizers)?;
    chosen.retain(|place| line.dense.contains(place));
    if chosen.is_empty() {
        let remark = "`text_dense_features` is nothing without a dense featurizer before it";
        Written(component).remark(remark, line.diagnostics);
    }
    Some(chosen)
}

fn patterns_role(at: usize) -> String {
    format!("patterns {at}")
}

fn matches_role(at: usize) -> String {
    format!("matches {at} of text")
}

/// Learns entities, roles and groups, as far as the examples have them.
fn learn_tags(
    context: &TaskContext<'_>,
    options: &CrfOptions,
    (regexes, dense): (usize, usize),
) -> Result<Outputs, TaskError> {
    let examples = context.value::<Annotated>("annotated")?.examples();
    let documents: Vec<Document> = decoded(context, "texts")?;
    let marks = marks(context, &documents, regexes)?;
    let rows = rows(context, dense, Attribute::Text)?.dense_sequence;
    let numbers: Vec<&[f32]> = (0..rows.rows()).map(|row| rows.row(row)).collect();
    let mut start = 0;
    let mut sentences = Vec::with_capacity(examples.len());
    for (example, document) in examples.iter().zip(&documents) {
        let tokens = document.tokens(Attribute::Text);
        let sentence = Sentence {
            tokens,
            patterns: marks.get(start..start + tokens.len()).unwrap_or_default(),
            entity_tags: &[],
            numbers: numbers.get(start..start + tokens.len()).unwrap_or_default(),
        };
        start += tokens.len();
        sentences.push((sentence, &example.entities[..]));
    }
    let sets = TagKind::ALL.map(|kind| TagSet::of(examples, kind, options.tagging()));
    let sets: Vec<TagSet> = sets
        .into_iter()
        .filter(|set| !set.labels().is_empty())
        .collect();
    let taggers = crf::fit(options, &sets, &sentences, &mut |step| {
        shown(context, step.done, step.most, step.loss)
    });
    let taggers = taggers
        .map_err(TaskError::failed)?
        .ok_or(TaskError::Cancelled)?;
    let fitted = json_bytes(&CrfExtractor::new(options.clone(), taggers))?;
    Ok(Outputs::from([(FITTED.to_owned(), fitted)]))
}

/// Returns the patterns that match at each token of all texts, end to end; empty
/// without featurizers that look for them.
fn marks(
    context: &TaskContext<'_>,
    documents: &[Document],
    regexes: usize,
) -> Result<Vec<BTreeSet<String>>, TaskError> {
    if regexes == 0 {
        return Ok(Vec::new());
    }
    let tokens = documents
        .iter()
        .map(|document| document.tokens(Attribute::Text).len());
    let mut marks = vec![BTreeSet::new(); tokens.sum()];
    for at in 0..regexes {
        let fitted: regex::Fitted = decoded(context, &patterns_role(at))?;
        let bytes = context.bytes(&matches_role(at))?;
        let rows = FeatureRows::from_bytes(bytes).map_err(TaskError::failed)?;
        fitted.mark(&rows, &mut marks);
    }
    Ok(marks)
}

/// Shows a step, and stops when the run is to stop.
fn shown(context: &TaskContext<'_>, done: usize, most: usize, loss: f64) -> ControlFlow<()> {
    context.progress(done as u64, most as u64, &format!("loss {loss:.3}"));
    match context.is_cancelled() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}
