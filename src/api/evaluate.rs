//! How good a model is on data that it has not seen.

use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::api::Assistant;
use crate::api::Findings;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::TrainError;
use crate::api::Validation;
use crate::api::checks;
use crate::api::shared::threads;
use crate::check::check_test_messages;
use crate::check::check_test_stories;
use crate::data::Annotation;
use crate::data::Example;
use crate::diagnostic::arrange;
use crate::diagnostic::has_errors;
use crate::dialogue;
use crate::dialogue::Outcome;
use crate::dialogue::Parsed;
use crate::evaluation::Answer;
use crate::evaluation::Answers;
use crate::evaluation::NluScores;
use crate::import::Imported;
use crate::import::import_nlu_files;
use crate::import::import_test_stories;
use crate::nlu::Entity;
use crate::nlu::Parse;
use crate::nlu::Pipeline;
use crate::nlu::command::UNASKED;
use crate::nlu::score;

/// Which messages a model is tested with, and what counts.
#[derive(Clone, Debug, Default)]
pub struct NluTest {
    /// Files and folders with labelled messages.
    pub nlu: Vec<PathBuf>,
    /// Intents of messages that the assistant is not meant for.
    pub out_of_scope: Vec<String>,
    /// Threads that messages are parsed with; one a core where not given.
    pub jobs: Option<usize>,
}

/// What a test of an NLU part tells.
#[derive(Clone, Debug)]
pub struct NluTested {
    /// How good the answers are.
    pub scores: NluScores,
    /// The answers.
    pub answers: Answers,
    /// The extractors of the pipeline that learn.
    pub extractors: Vec<String>,
}

/// Scores of a Core part, as `tabella test core --json` prints them.
#[derive(Clone, Debug, Serialize)]
pub struct CoreScores {
    /// How well the next action was predicted.
    pub action: ActionScores,
    /// How many stories were right from beginning to end.
    pub story: StoryScores,
    /// The stories that were not, as test stories with what was predicted.
    #[serde(skip)]
    pub failed: String,
}

/// How well actions were predicted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ActionScores {
    /// Share of actions that were predicted right.
    pub accuracy: f64,
    /// Actions that were predicted.
    pub total: usize,
    /// F1 over all actions together.
    pub micro_f1: f64,
    /// Mean of the actions' F1.
    pub macro_f1: f64,
}

/// How well whole stories were followed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StoryScores {
    /// Share of stories in which everything was right.
    pub accuracy: f64,
    /// Stories in which everything was right.
    pub correct: usize,
    /// All stories.
    pub total: usize,
}

/// Scores the NLU part on labelled messages.
///
/// # Errors
///
/// If the files cannot be read or hold mistakes, or the model has no NLU part.
///
/// # Source
///
/// Rasa 3.6 `rasa test nlu`: a fallback is undone, and entities are compared token
/// by token.
pub fn test_nlu(
    assistant: &Assistant,
    root: &std::path::Path,
    test: &NluTest,
    observer: &Observer,
) -> Result<NluTested, TrainError> {
    let mut imported = import_nlu_files(root, &test.nlu)?;
    let said = check_test_messages(&imported.project.nlu.examples);
    imported.diagnostics.extend(said);
    told(&mut imported, observer)?;
    let examples: Vec<&Example> = imported.project.nlu.examples.iter().collect();
    if examples.is_empty() {
        return Err(TrainError::NoNluData);
    }
    let pipeline = assistant.pipeline()?;
    if pipeline.has_unasked_commands() {
        observer.tell(Notice::Warning(UNASKED.to_owned()));
    }
    let tested = || NluTested::of(pipeline, &examples, &test.out_of_scope);
    Ok(threads(test.jobs)?.install(tested))
}

impl NluTested {
    /// Asks a pipeline about labelled messages, in parallel.
    pub fn of(pipeline: &Pipeline, examples: &[&Example], out_of_scope: &[String]) -> Self {
        let answer =
            |example: &&Example| Answer::of(example, pipeline.parse_offline(&example.text));
        let answers = Answers {
            messages: examples.par_iter().map(answer).collect(),
        };
        let extractors = pipeline.extractors().into_iter().map(str::to_owned);
        Self {
            scores: NluScores::of(&answers, out_of_scope),
            answers,
            extractors: extractors.collect(),
        }
    }
}

/// Scores the Core part on test stories. Steps that give the user's text are
/// parsed by the NLU part, if there is one.
///
/// # Errors
///
/// If the files cannot be read or hold mistakes, or the model has no Core part.
///
/// # Source
///
/// Rasa 3.6 `rasa test core`: whatever is predicted, the story goes on as it is
/// written.
pub fn test_core(
    assistant: &Assistant,
    root: &std::path::Path,
    stories: &[PathBuf],
    observer: &Observer,
) -> Result<CoreScores, TrainError> {
    let evaluation = evaluation(assistant, root, stories, observer)?;
    let correct = evaluation
        .conversations
        .iter()
        .filter(|c| c.is_right())
        .count();
    let total = evaluation.conversations.len();
    Ok(CoreScores {
        action: action_scores(&evaluation),
        story: StoryScores {
            accuracy: correct as f64 / total.max(1) as f64,
            correct,
            total,
        },
        failed: dialogue::failed_stories(&evaluation),
    })
}

/// Plays test stories.
///
/// # Errors
///
/// As [`test_core`].
pub fn evaluation(
    assistant: &Assistant,
    root: &std::path::Path,
    stories: &[PathBuf],
    observer: &Observer,
) -> Result<dialogue::Evaluation, TrainError> {
    let core = assistant.core()?;
    let mut imported = import_test_stories(root, stories, &core.domain)?;
    let extent = imported.extents.stories;
    let said = check_test_stories(&core.domain, &imported.project.stories, extent);
    imported.diagnostics.extend(said);
    told(&mut imported, observer)?;
    if imported.project.stories.steps.is_empty() {
        return Err(TrainError::NoStories);
    }
    let pipeline = assistant.pipeline().ok();
    // The stories say what servers found; what was learnt is measured.
    let parse =
        |text: &str| pipeline.map_or_else(Parsed::default, |p| parsed(p.parse_offline(text)));
    let parse: Option<dialogue::Parse<'_>> = match pipeline {
        Some(_) => Some(&parse),
        None => None,
    };
    let graph = &imported.project.stories;
    Ok(dialogue::evaluate(
        graph,
        &core.ensemble,
        &core.universe,
        parse,
    ))
}

fn action_scores(evaluation: &dialogue::Evaluation) -> ActionScores {
    let turns = evaluation
        .conversations
        .iter()
        .flat_map(|conversation| &conversation.turns);
    let pairs: Vec<(String, String)> = turns
        .filter_map(|turn| match (turn.event.as_ref(), &turn.outcome) {
            (dialogue::Event::Action(gold), Some(Outcome::Action { predicted, .. })) => {
                Some((gold.label().to_owned(), predicted.clone()))
            }
            _ => None,
        })
        .collect();
    let report = score::report(&pairs, None);
    ActionScores {
        accuracy: report.accuracy,
        total: pairs.len(),
        micro_f1: report.micro.f1,
        macro_f1: report.macro_mean.f1,
    }
}

/// What a story needs to know of a parse.
fn parsed(parse: Parse) -> Parsed {
    let full = parse.response_selector.as_ref().and_then(|selector| {
        let selection = selector.selections.get(parse.intent.name.as_deref()?);
        let selection = selection.or_else(|| selector.selections.get("default"))?;
        selection.response.intent_response_key.clone()
    });
    let annotation = |entity: Entity| Annotation {
        start: entity.start,
        end: entity.end,
        entity: entity.entity,
        value: match entity.value {
            Value::Null => Value::String(String::new()),
            value => value,
        },
        role: entity.role,
        group: entity.group,
    };
    Parsed {
        intent: parse.intent.name,
        full_intent: full,
        confidence: parse.intent.confidence,
        entities: parse.entities.into_iter().map(annotation).collect(),
    }
}

/// Tells findings, and fails if there is an error among them.
pub fn told(imported: &mut Imported, observer: &Observer) -> Result<(), TrainError> {
    let mut diagnostics = std::mem::take(&mut imported.diagnostics);
    arrange(&mut diagnostics);
    let findings = Findings {
        diagnostics,
        sources: imported.sources.clone(),
    };
    let findings = checks::told(&findings, &Validation::default());
    if !findings.diagnostics.is_empty() {
        observer.tell(Notice::Diagnosed(Arc::clone(&findings)));
    }
    match has_errors(&findings.diagnostics) {
        true => Err(TrainError::Mistakes(findings)),
        false => Ok(()),
    }
}
