//! What two models answer to the same messages and predict in the same stories.

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::api::Assistant;
use crate::api::TrainError;
use crate::api::diff::DiffOptions;
use crate::api::evaluate::evaluation;
use crate::api::evaluate::told;
use crate::dialogue::Conversation;
use crate::dialogue::Event;
use crate::dialogue::Outcome;
use crate::import::import_nlu_files;
use crate::nlu::Parse;

/// What two models answer to the same messages.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerDiff {
    /// Messages that were parsed.
    pub messages: usize,
    /// Those whose answer is another, in canonical order.
    pub flips: Vec<MessageFlip>,
}

/// A message that two models understand differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessageFlip {
    /// The message.
    pub text: String,
    /// Where it is written, as `file:line`.
    pub place: String,
    /// The intent that it is labelled with, or the full name of the response.
    pub expected: Option<String>,
    /// What the first model says.
    pub old: Answer,
    /// What the second model says.
    pub new: Answer,
}

/// What a model says to a message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The intent.
    pub intent: Option<String>,
    /// How sure it is. No difference by itself.
    pub confidence: f64,
    /// The entities, as `[start:end] type = value`, with role and group.
    pub entities: Vec<String>,
    /// The full name of the response that a selector for the intent chose.
    pub response: Option<String>,
}

impl Answer {
    fn of(parse: Parse) -> Self {
        let response = parse.response_selector.as_ref().and_then(|selector| {
            let own = selector.selections.get(parse.intent.name.as_deref()?);
            let selection = own.or_else(|| selector.selections.get("default"))?;
            selection.response.intent_response_key.clone()
        });
        let entities = parse.entities.iter().map(|entity| {
            let value = match &entity.value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let mut shown = format!(
                "[{}:{}] {} = {value}",
                entity.start, entity.end, entity.entity
            );
            for (name, value) in [("role", &entity.role), ("group", &entity.group)] {
                if let Some(value) = value {
                    shown.push_str(&format!(" ({name} {value})"));
                }
            }
            shown
        });
        Self {
            entities: entities.collect(),
            confidence: parse.intent.confidence,
            intent: parse.intent.name,
            response,
        }
    }

    /// Whether both say the same, however sure they are.
    fn agrees(&self, other: &Self) -> bool {
        (&self.intent, &self.entities, &self.response)
            == (&other.intent, &other.entities, &other.response)
    }
}

/// Parses messages with both models.
pub fn messages(
    options: &DiffOptions,
    (old, new): &(Assistant, Assistant),
) -> Result<AnswerDiff, TrainError> {
    let mut imported = import_nlu_files(&options.project, &options.nlu)?;
    told(&mut imported, &options.observer)?;
    let examples = &imported.project.nlu.examples;
    if examples.is_empty() {
        return Err(TrainError::NoNluData);
    }
    let (old, new) = (old.pipeline()?, new.pipeline()?);
    let flip = |example: &crate::data::Example| {
        let (old, new) = (
            Answer::of(old.parse_offline(&example.text)),
            Answer::of(new.parse_offline(&example.text)),
        );
        let expected = example.intent_response_key.clone();
        (!old.agrees(&new)).then(|| MessageFlip {
            text: example.text.clone(),
            place: format!("{}:{}", example.place.file, example.place.line),
            expected: expected.or_else(|| example.intent.clone()),
            old,
            new,
        })
    };
    Ok(AnswerDiff {
        messages: examples.len(),
        flips: examples.par_iter().filter_map(flip).collect(),
    })
}

/// What two models predict in the same stories.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoryDiff {
    /// Stories that were played.
    pub stories: usize,
    /// Those in which something else is predicted.
    pub flips: Vec<StoryFlip>,
}

/// A story that two models follow differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoryFlip {
    /// The story's name.
    pub story: String,
    /// Whether the first model is right from beginning to end.
    pub old_is_right: bool,
    /// Whether the second is.
    pub new_is_right: bool,
    /// What they predict differently, in order.
    pub turns: Vec<TurnFlip>,
}

/// A turn of a story that two models see differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TurnFlip {
    /// What the story says; none where that is no action or message.
    pub expected: Option<String>,
    /// What the first model predicts.
    pub old: String,
    /// What the second model predicts.
    pub new: String,
}

/// Plays test stories with both models.
pub fn stories(
    options: &DiffOptions,
    (old, new): &(Assistant, Assistant),
) -> Result<StoryDiff, TrainError> {
    let play = |assistant| {
        evaluation(
            assistant,
            &options.project,
            &options.stories,
            &options.observer,
        )
    };
    let (old, new) = (play(old)?.conversations, play(new)?.conversations);
    let pairs = old.iter().zip(&new);
    Ok(StoryDiff {
        stories: old.len(),
        flips: pairs
            .filter_map(|(old, new)| story_flip(old, new))
            .collect(),
    })
}

fn story_flip(old: &Conversation, new: &Conversation) -> Option<StoryFlip> {
    let turns: Vec<TurnFlip> = old
        .turns
        .iter()
        .zip(&new.turns)
        .filter_map(|(old, new)| {
            let (before, after) = (shown(old.outcome.as_ref()), shown(new.outcome.as_ref()));
            (before != after).then(|| TurnFlip {
                expected: match old.event.as_ref() {
                    Event::Action(gold) => Some(gold.label().to_owned()),
                    _ => None,
                },
                old: before,
                new: after,
            })
        })
        .collect();
    (!turns.is_empty()).then(|| StoryFlip {
        story: old.name.clone(),
        old_is_right: old.is_right(),
        new_is_right: new.is_right(),
        turns,
    })
}

fn shown(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => "nothing".to_owned(),
        Some(Outcome::Action { predicted, .. }) => predicted.clone(),
        Some(Outcome::Message { intent, entities }) => {
            let mut text = intent.clone().unwrap_or_else(|| "no intent".to_owned());
            for entity in entities {
                text.push_str(&format!(" [{}: {}]", entity.entity, entity.value));
            }
            text
        }
    }
}
