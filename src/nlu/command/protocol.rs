//! The lines that go to a program and come back: `docs/command.md` in types.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use super::process::CommandError;
use crate::data::Annotation;
use crate::matrix::Dense;
use crate::nlu::Entity;
use crate::nlu::Intent;
use crate::nlu::Message;
use crate::tokenize::Attribute;
use crate::tokenize::Token;

/// An example that a program learns from.
pub struct Lesson<'e> {
    /// What the user wrote.
    pub text: &'e str,
    /// What is meant.
    pub intent: Option<&'e str>,
    /// The annotated pieces.
    pub entities: &'e [Annotation],
    /// The words, if there is a tokenizer before the program.
    pub tokens: &'e [Token],
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("requests are plain values");
    line.push(b'\n');
    line
}

/// Returns the lines that ask to learn: how many examples there are, then each.
pub(super) fn fit<'e>(
    options: &Value,
    lessons: impl ExactSizeIterator<Item = Lesson<'e>>,
) -> Vec<u8> {
    let count = lessons.len();
    let mut lines = line(&json!({"do": "fit", "options": options, "examples": count}));
    for lesson in lessons {
        let entities: Vec<Value> = lesson.entities.iter().map(annotation).collect();
        lines.extend(line(&json!({
            "text": lesson.text,
            "intent": lesson.intent,
            "entities": entities,
            "tokens": lesson.tokens,
        })));
    }
    lines
}

fn annotation(entity: &Annotation) -> Value {
    json!({
        "start": entity.start,
        "end": entity.end,
        "entity": entity.entity,
        "value": entity.value,
        "role": entity.role,
        "group": entity.group,
    })
}

/// Returns the line that gives what was learnt.
pub(super) fn load(options: &Value, learnt: &Value) -> Vec<u8> {
    line(&json!({"do": "load", "options": options, "learnt": learnt}))
}

/// Returns the line that asks for features.
pub(super) fn transform(text: &str, tokens: &[Token]) -> Vec<u8> {
    line(&json!({"do": "transform", "text": text, "tokens": tokens}))
}

/// Returns the line that asks for intent and entities.
pub(super) fn predict(message: &Message) -> Vec<u8> {
    let tokens = message.document.as_ref();
    let tokens = tokens.map(|document| document.tokens(Attribute::Text));
    line(&json!({
        "do": "predict",
        "text": message.text,
        "tokens": tokens.unwrap_or_default(),
        "intent": message.intent,
        "entities": message.entities,
    }))
}

pub(super) fn wrong(reason: impl Into<String>) -> CommandError {
    CommandError {
        reason: reason.into(),
        complaints: String::new(),
    }
}

/// Reads an answer; one that is an `error` is one.
fn answer<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, CommandError> {
    #[derive(Deserialize)]
    struct Failure {
        error: String,
    }
    if let Ok(Failure { error }) = serde_json::from_slice(line) {
        return Err(wrong(error));
    }
    serde_json::from_slice(line).map_err(|error| {
        let start: String = String::from_utf8_lossy(&line[..line.len().min(160)]).into();
        wrong(format!(
            "its answer is another: {error} in `{}`",
            start.trim_end()
        ))
    })
}

/// Returns what a program has learnt.
pub(super) fn learnt(line: &[u8]) -> Result<Value, CommandError> {
    #[derive(Deserialize)]
    struct Learnt {
        learnt: Value,
    }
    Ok(answer::<Learnt>(line)?.learnt)
}

/// Reads an answer that tells no more than that there is one.
pub(super) fn done(line: &[u8]) -> Result<(), CommandError> {
    answer::<serde_json::Map<String, Value>>(line).map(|_| ())
}

/// Features of a text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Features {
    /// Of the whole text; empty for none.
    pub sentence: Vec<f32>,
    /// Of each token; empty for none.
    pub sequence: Vec<Vec<f32>>,
}

/// Reads the features of a text of so many tokens.
pub(super) fn features(line: &[u8], tokens: usize) -> Result<Features, CommandError> {
    let found: Features = answer(line)?;
    let mut all = found.sequence.iter().flatten().chain(&found.sentence);
    if all.any(|value| !value.is_finite()) {
        return Err(wrong("a feature is no number to compute with"));
    }
    match found.sequence.is_empty() || found.sequence.len() == tokens {
        true => Ok(found),
        false => {
            let count = found.sequence.len();
            Err(wrong(format!(
                "features of {count} tokens for a text of {tokens}"
            )))
        }
    }
}

/// Appends rows, which make the matrix as wide as they are if they are the first.
pub(super) fn append<'r>(
    matrix: &mut Option<Dense>,
    rows: impl Iterator<Item = &'r [f32]>,
) -> Result<(), CommandError> {
    for row in rows {
        let matrix = matrix.get_or_insert_with(|| Dense::new(row.len()));
        if row.len() != matrix.cols() {
            let (now, before) = (row.len(), matrix.cols());
            return Err(wrong(format!(
                "{now} features, and before there were {before}"
            )));
        }
        if matrix.cols() > 0 {
            matrix.push(row);
        }
    }
    Ok(())
}

/// Gives each message its row; zeros where it has none.
pub(super) fn spread(rows: Option<Dense>, present: impl Iterator<Item = bool>) -> Dense {
    let Some(rows) = rows.filter(|rows| rows.cols() > 0) else {
        return Dense::default();
    };
    let mut all = Dense::new(rows.cols());
    let mut next = 0;
    for present in present {
        match present {
            true => {
                all.push(rows.row(next));
                next += 1;
            }
            false => {
                all.push(&vec![0.0; rows.cols()]);
            }
        }
    }
    all
}

/// What a program makes of a message. What it does not name stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Told {
    /// The best intent.
    pub intent: Option<Intent>,
    /// All intents, best first.
    pub intent_ranking: Option<Vec<Intent>>,
    /// Entities that it found, beside those that there are.
    pub entities: Vec<Entity>,
}

/// Reads what a program makes of a text of `length` code points.
pub(super) fn told(line: &[u8], length: usize) -> Result<Told, CommandError> {
    let told: Told = answer(line)?;
    let is_outside = |entity: &&Entity| entity.start > entity.end || entity.end > length;
    match told.entities.iter().find(is_outside) {
        None => Ok(told),
        Some(Entity { start, end, .. }) => Err(wrong(format!(
            "an entity from {start} to {end} of a text that has {length} characters"
        ))),
    }
}

impl Told {
    /// Writes it into the message.
    pub(super) fn tell(self, message: &mut Message) {
        if self.intent.is_some() {
            message.intent = self.intent;
        }
        if self.intent_ranking.is_some() {
            message.intent_ranking = self.intent_ranking;
        }
        for mut entity in self.entities {
            entity
                .extractor
                .get_or_insert_with(|| super::COMMAND.to_owned());
            message.entities.push(entity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_a_program_tells_is_its_answer() {
        let error = done(br#"{"error": "no model"}"#).unwrap_err();
        assert_eq!(error.to_string(), "no model");
        let error = learnt(b"{}").unwrap_err().to_string();
        assert!(error.contains("missing field `learnt`"), "{error}");
        let error = done(b"Traceback").unwrap_err().to_string();
        assert!(error.contains("`Traceback`"), "{error}");
    }

    #[test]
    fn features_must_fit_the_tokens() {
        let line = br#"{"sentence": [1], "sequence": [[1, 2], [3, 4]]}"#;
        assert_eq!(features(line, 2).unwrap().sequence[1], [3.0, 4.0]);
        assert!(features(line, 3).is_err());
        assert!(features(br#"{"sentence": [1e99]}"#, 0).is_err());
        let mut rows = None;
        append(&mut rows, [&[1.0, 2.0][..]].into_iter()).unwrap();
        assert!(append(&mut rows, [&[1.0][..]].into_iter()).is_err());
    }

    #[test]
    fn what_is_told_is_added_and_the_rest_stays() {
        let mut message = Message::new("to Rome");
        message.intent = Some(Intent::named("go", 0.5));
        let line = br#"{"entities": [{"entity": "city", "start": 3, "end": 7, "value": "Rome"}]}"#;
        told(line, 7).unwrap().tell(&mut message);
        assert_eq!(message.intent, Some(Intent::named("go", 0.5)));
        assert_eq!(message.entities[0].extractor.as_deref(), Some("command"));
        assert!(told(line, 6).is_err());
    }
}
