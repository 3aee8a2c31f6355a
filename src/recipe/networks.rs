//! The tasks of the networks that learn intents, entities and responses.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use serde_json::json;

use crate::archive::ComponentEntry;
use crate::archive::Files;
use crate::data::Component;
use crate::data::Example;
use crate::diagnostic::Diagnostic;
use crate::engine::Input;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::Turn;
use crate::features::FeatureRows;
use crate::nlu::diet;
use crate::nlu::diet::Corpus;
use crate::nlu::diet::TrainingData;
use crate::nlu::selector;
use crate::nlu::selector::RESPONSES;
use crate::nn::Parameters;
use crate::recipe::Annotated;
use crate::recipe::Draft;
use crate::recipe::Messages;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::nlu::Line;
use crate::recipe::nlu::decoded;
use crate::recipe::nlu::options_map;
use crate::recipe::nlu::rows_output;
use crate::recipe::options::Written;
use crate::recipe::seeds::seed;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// Algorithm versions: raised when the output for the same input changes.
const DIET_VERSION: u32 = 3;
const SELECTOR_VERSION: u32 = 3;

/// Adds a `DIETClassifier`.
pub fn diet(
    line: &mut Line<'_>,
    place: usize,
    ordinal: usize,
    component: &Component,
) -> Option<ComponentEntry> {
    let options = parsed(line, component, diet::Options::parse(&component.options))?;
    let label = |example: &Example| match options.intent_classification {
        true => example.intent.clone(),
        false => Some(String::new()),
    };
    tell_what_fits(line, component, &options, &label)?;
    let seed = seed(&component.options, &component.name, ordinal);
    let mut inputs = vec![
        Input::leaf("annotated", line.slices.annotated.clone()),
        Input::output("texts", line.tokenizer?, "texts"),
    ];
    let chosen = chosen(line, component, &options.featurizers)?;
    inputs.extend(rows_inputs(line, &chosen, Attribute::Text));
    inputs.extend(rows_inputs(line, &chosen, Attribute::Intent));
    if options.intent_classification {
        let help = "set `intent_classification: false` to learn entities alone";
        tell_too_little(line, component, help);
    }
    let count = chosen.len();
    // Names of featurizers are not in the key: see `merged`.
    let task_options = diet::Options {
        featurizers: Vec::new(),
        ..options.clone()
    };
    let run = move |context: &TaskContext<'_>| {
        let examples = context.value::<Annotated>("annotated")?.examples();
        let data = in_numbers(context, examples, count, Attribute::Intent, |corpus| {
            TrainingData::of_intents(&task_options, corpus)
        })?;
        learn(context, &task_options, &data, seed)
    };
    Some(add(
        line,
        place,
        component,
        ("nlu.diet", DIET_VERSION),
        &options,
        seed,
        inputs,
        run,
    ))
}

/// Tells beforehand what Rasa logs while training: that there is nothing to learn.
pub fn tell_too_little(line: &mut Line<'_>, component: &Component, help: &str) {
    if line.intent_count < 2 {
        let message = format!(
            "`{}` learns nothing: it takes two intents at least, and the data has {}",
            component.name, line.intent_count
        );
        let diagnostic = Diagnostic::new("W110", component.place.clone(), message);
        line.diagnostics.push(diagnostic.help(help));
    }
}

/// Tells beforehand that the data has too few examples for those that are to be held out;
/// none then. Where there is too little to learn at all, nothing is held out.
fn tell_what_fits(
    line: &mut Line<'_>,
    component: &Component,
    options: &diet::Options,
    label_of: &dyn Fn(&Example) -> Option<String>,
) -> Option<()> {
    let Some(held_out) = &options.held_out else {
        return Some(());
    };
    let learnt: Vec<String> = line.examples.iter().filter_map(label_of).collect();
    let labels = learnt.iter().collect::<BTreeSet<_>>().len();
    let least = if options.intent_classification { 2 } else { 1 };
    let bounds = diet::HeldOut::bounds(learnt.len(), labels);
    if labels < least || bounds.contains(&held_out.examples) {
        return Some(());
    }
    let (examples, from, to) = (learnt.len(), bounds.start(), bounds.end());
    let reason = match bounds.is_empty() {
        true => format!("{examples} examples with {labels} labels are too few to hold any out"),
        false => {
            format!("of {examples} examples with {labels} labels {from} to {to} can be held out")
        }
    };
    Written(component).wrong(diet::HELD_OUT, &reason, line.diagnostics);
    None
}

/// Adds a `ResponseSelector`.
pub fn selector(
    line: &mut Line<'_>,
    place: usize,
    ordinal: usize,
    component: &Component,
) -> Option<ComponentEntry> {
    let options = parsed(
        line,
        component,
        selector::Options::parse(&component.options),
    )?;
    tell_what_fits(line, component, &options.network, &|one| {
        options.label_of(one)
    })?;
    let seed = seed(&component.options, &component.name, ordinal);
    let label = options.label_attribute();
    let mut inputs = vec![
        Input::leaf("messages", line.slices.messages.clone()),
        Input::output("texts", line.tokenizer?, "texts"),
    ];
    let chosen = chosen(line, component, &options.network.featurizers)?;
    inputs.extend(rows_inputs(line, &chosen, Attribute::Text));
    inputs.extend(rows_inputs(line, &chosen, label));
    let count = chosen.len();
    let mut task_options = options.clone();
    task_options.network.featurizers.clear();
    let run = move |context: &TaskContext<'_>| {
        let examples = context.value::<Messages>("messages")?.examples();
        let data = in_numbers(context, examples, count, label, |corpus| {
            task_options.training_data(corpus)
        })?;
        learn(context, &task_options.network, &data, seed)
    };
    let version = ("nlu.response_selector", SELECTOR_VERSION);
    let mut entry = add(line, place, component, version, &options, seed, inputs, run);
    let path = format!("nlu/{place}.{}/{RESPONSES}", component.name);
    line.builder.response_files.push(path.clone());
    entry.files.push(path);
    Some(entry)
}

/// Reads tokens and features and puts examples in numbers.
fn in_numbers(
    context: &TaskContext<'_>,
    examples: &[Example],
    featurizers: usize,
    label: Attribute,
    put: impl Fn(Corpus<'_>) -> TrainingData,
) -> Result<TrainingData, TaskError> {
    let documents: Vec<Document> = decoded(context, "texts")?;
    let texts = rows(context, featurizers, Attribute::Text)?;
    let labels = rows(context, featurizers, label)?;
    Ok(put(Corpus {
        examples,
        documents: &documents,
        texts: &texts,
        labels: &labels,
    }))
}

/// Trains a network; where there is too little to learn from, as in Rasa, the
/// model is one that answers nothing.
fn learn(
    context: &TaskContext<'_>,
    options: &diet::Options,
    data: &TrainingData,
    seed: u64,
) -> Result<Outputs, TaskError> {
    match diet::train(options, data, seed, &mut |epoch| shown(context, epoch)) {
        Ok(model) => Ok(model.to_files()),
        Err(diet::TrainError::Interrupted) => Err(TaskError::Cancelled),
        Err(error @ diet::TrainError::HeldOut { .. }) => Err(TaskError::failed(error)),
        Err(_) => Ok(untrained()),
    }
}

/// The files of a network that had nothing to learn from: a model that is null,
/// and no weights.
pub fn untrained() -> Outputs {
    let [model, weights] = diet::FILES;
    Outputs::from([
        (model.to_owned(), b"null\n".to_vec()),
        (weights.to_owned(), Parameters::new().to_safetensors()),
    ])
}

/// Returns whether these are the files of a network that learned nothing.
pub fn is_untrained(files: &Files) -> bool {
    files
        .get(diet::FILES[0])
        .is_some_and(|model| model.trim_ascii() == b"null")
}

/// Adds the task of a network and packs what it learns.
fn add<O: serde::Serialize>(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
    (kind, version): (&'static str, u32),
    options: &O,
    seed: u64,
    inputs: Vec<Input>,
    run: impl Fn(&TaskContext<'_>) -> Result<Outputs, TaskError> + Send + Sync + 'static,
) -> ComponentEntry {
    let task = line.builder.add(Draft {
        name: format!("nlu.{place}.{}", component.name),
        stage: Stage::TrainNlu,
        kind,
        version,
        options: merged(options, seed),
        inputs,
        turn: Turn::Long,
        places: places_of(component),
        run: Box::new(run),
    });
    line.packed(place, component, options, task, &diet::FILES)
}

/// Options and seed side by side, so that a reason names the option.
fn merged<O: serde::Serialize>(options: &O, seed: u64) -> serde_json::Value {
    let mut all = options_map(options);
    // Which featurizers are chosen is in the inputs.
    all.remove("featurizers");
    all.insert("seed".to_owned(), json!(seed));
    json!(all)
}

/// Takes a network's options, or tells everything that is wrong with them.
fn parsed<O: serde::Serialize>(
    line: &mut Line<'_>,
    component: &Component,
    parsed: Result<diet::Parsed<O>, diet::OptionProblems>,
) -> Option<O> {
    let written = Written(component);
    match parsed {
        Ok(parsed) => {
            let mut known: Vec<String> = options_map(&parsed.options).into_keys().collect();
            known.extend(diet::UNWRITTEN.map(str::to_owned));
            written.unknown(&parsed.unknown, &known, line.diagnostics);
            for remark in &parsed.remarks {
                written.remark(remark, line.diagnostics);
            }
            Some(parsed.options)
        }
        Err(problems) => {
            written.problems(&problems, line.diagnostics);
            None
        }
    }
}

/// The featurizers that a component uses: those it names, or all before it.
pub fn chosen(
    line: &mut Line<'_>,
    component: &Component,
    aliases: &[String],
) -> Option<Vec<usize>> {
    if aliases.is_empty() {
        return Some((0..line.featurizers.len()).collect());
    }
    let mut chosen = Vec::new();
    for alias in aliases {
        match line.featurizers.iter().position(|(name, _)| name == alias) {
            Some(index) => chosen.push(index),
            None => {
                let known: Vec<&str> = line
                    .featurizers
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect();
                let reason = format!(
                    "no featurizer before it is called `{alias}`; there are {}",
                    known.join(", ")
                );
                Written(component).wrong("featurizers", &reason, line.diagnostics);
                return None;
            }
        }
    }
    // Features stand in pipeline order, however they are listed.
    chosen.sort_unstable();
    chosen.dedup();
    Some(chosen)
}

pub fn rows_inputs(line: &Line<'_>, chosen: &[usize], attribute: Attribute) -> Vec<Input> {
    let input = |(place, index): (usize, &usize)| {
        let task = line.featurizers[*index].1;
        Input::output(rows_role(place, attribute), task, rows_output(attribute))
    };
    chosen.iter().enumerate().map(input).collect()
}

fn rows_role(place: usize, attribute: Attribute) -> String {
    format!("features {place} of {}", attribute.name())
}

/// Reads the rows of all chosen featurizers and puts them side by side.
pub fn rows(
    context: &TaskContext<'_>,
    count: usize,
    attribute: Attribute,
) -> Result<FeatureRows, TaskError> {
    let mut parts = Vec::with_capacity(count);
    for place in 0..count {
        let bytes = context.bytes(&rows_role(place, attribute))?;
        parts.push(FeatureRows::from_bytes(bytes).map_err(TaskError::failed)?);
    }
    Ok(FeatureRows::hstack(&parts.iter().collect::<Vec<_>>()))
}

/// Shows an epoch, and stops when the run is to stop.
fn shown(context: &TaskContext<'_>, epoch: diet::EpochReport) -> ControlFlow<()> {
    let mut text = format!("loss {:.3}", epoch.loss);
    if let Some(accuracy) = epoch.label_accuracy {
        text += &format!(", accuracy {accuracy:.3}");
    }
    if let Some(evaluation) = &epoch.evaluation {
        text += &held_out_text(evaluation);
    }
    context.progress(epoch.epoch as u64 + 1, epoch.epochs as u64, &text);
    match context.is_cancelled() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

fn held_out_text(evaluation: &diet::Evaluation) -> String {
    let mut text = ", held out:".to_owned();
    if let Some(accuracy) = evaluation.label_accuracy {
        text += &format!(" accuracy {accuracy:.3}");
    }
    for f1 in &evaluation.tag_f1 {
        text += &format!(" F1 {f1:.3}");
    }
    text
}
