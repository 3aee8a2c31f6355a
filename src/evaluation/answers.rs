//! What a model answered beside what was expected, in one row a message.

use crate::data::Annotation;
use crate::data::Example;
use crate::nlu::Entity;
use crate::nlu::FALLBACK_INTENT;
use crate::nlu::Parse;
use crate::nlu::score::Span;
use crate::nlu::score::token_labels;
use crate::tokenize::Token;

/// The answers to labelled messages, in their order.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// One for each message.
    pub messages: Vec<Answer>,
}

/// What became of one message.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The message.
    pub text: String,
    /// The intent, where one was expected.
    pub intent: Option<Choice>,
    /// The intent that the pipeline gave, `nlu_fallback` included.
    pub answered: Option<String>,
    /// The response, where one was expected.
    pub response: Option<Choice>,
    /// The tokens, where the pipeline has a tokenizer.
    pub tokens: Vec<Token>,
    /// The entities that were expected.
    pub expected: Vec<Annotation>,
    /// The entities that were found, by all extractors.
    pub found: Vec<Entity>,
}

/// A label that was chosen among others.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// What was expected.
    pub expected: String,
    /// What was predicted, if anything.
    pub predicted: Option<String>,
    /// How sure the model was.
    pub confidence: f64,
}

impl Choice {
    /// Returns whether what was expected was predicted.
    pub fn is_right(&self) -> bool {
        self.predicted.as_ref() == Some(&self.expected)
    }

    /// Returns the expected and the predicted label; `none` stands for nothing.
    pub fn pair(&self, none: &str) -> (String, String) {
        let predicted = self.predicted.as_deref().unwrap_or(none);
        (self.expected.clone(), predicted.to_owned())
    }
}

impl Answer {
    /// Returns the row of a message that was parsed.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `rasa test nlu`: a fallback is undone, which is to say that the
    /// intent ranked second stands for it.
    pub fn of(example: &Example, parse: Parse) -> Self {
        Self {
            text: example.text.clone(),
            intent: example.intent.as_ref().map(|expected| {
                let (predicted, confidence) = without_fallback(&parse);
                Choice {
                    expected: expected.clone(),
                    predicted,
                    confidence,
                }
            }),
            response: response(example, &parse),
            tokens: tokens(&parse),
            expected: example.entities.clone(),
            answered: parse.intent.name,
            found: parse.entities,
        }
    }

    /// Returns, for each token, the expected and the predicted label; only the
    /// entities of one extractor count, if it is given.
    pub fn token_pairs(&self, extractor: Option<&str>) -> Vec<(String, String)> {
        let expected: Vec<Span> = self.expected.iter().map(annotated).collect();
        let found = self.found_by(extractor).map(predicted).collect::<Vec<_>>();
        let expected = token_labels(&self.tokens, &expected);
        let found = token_labels(&self.tokens, &found);
        expected.into_iter().zip(found).collect()
    }

    /// Returns the entities that an extractor found, or all.
    pub fn found_by(&self, extractor: Option<&str>) -> impl Iterator<Item = &Entity> {
        let is_by = move |entity: &&Entity| match extractor {
            Some(name) => entity.extractor.as_deref() == Some(name),
            None => true,
        };
        self.found.iter().filter(is_by)
    }
}

fn without_fallback(parse: &Parse) -> (Option<String>, f64) {
    let ranking = parse.intent_ranking.as_deref().unwrap_or_default();
    let is_fallback = parse.intent.name.as_deref() == Some(FALLBACK_INTENT);
    let intent = match ranking {
        [_, second, ..] if is_fallback => second,
        _ => &parse.intent,
    };
    (intent.name.clone(), intent.confidence)
}

/// The selector for the example's own intent answers, or the one for all.
fn response(example: &Example, parse: &Parse) -> Option<Choice> {
    let expected = example.intent_response_key.clone()?;
    let selections = &parse.response_selector.as_ref()?.selections;
    let intent = example.intent.as_deref().unwrap_or_default();
    let selection = selections
        .get(intent)
        .or_else(|| selections.get("default"))?;
    Some(Choice {
        expected,
        predicted: selection.response.intent_response_key.clone(),
        confidence: selection.response.confidence,
    })
}

fn tokens(parse: &Parse) -> Vec<Token> {
    let characters: Vec<char> = parse.text.chars().collect();
    let spans = parse.text_tokens.iter().flatten();
    let token = |&[start, end]: &[usize; 2]| {
        let text: String = characters[start..end].iter().collect();
        Token::new(&text, start)
    };
    spans.map(token).collect()
}

fn annotated(entity: &Annotation) -> Span {
    Span {
        start: entity.start,
        end: entity.end,
        label: label(&entity.entity, &entity.role, &entity.group),
    }
}

fn predicted(entity: &Entity) -> Span {
    Span {
        start: entity.start,
        end: entity.end,
        label: label(&entity.entity, &entity.role, &entity.group),
    }
}

fn label(
    entity: &str,
    role: &Option<String>,
    group: &Option<String>,
) -> (String, Option<String>, Option<String>) {
    (entity.to_owned(), role.clone(), group.clone())
}
