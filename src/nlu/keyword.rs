//! `KeywordIntentClassifier`: the intent of the first training text that the
//! message contains.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::message::Intent;
use super::message::Message;
use crate::data::Example;
use crate::tokenize::CaseSensitivity;
use crate::tokenize::PythonRegex;

/// Options of the classifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeywordOptions {
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
}

impl Default for KeywordOptions {
    fn default() -> Self {
        Self {
            case_sensitive: true,
        }
    }
}

/// A training text that is no regular expression, which keywords must be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the keyword `{keyword}` cannot be used: {reason}")]
pub struct KeywordError {
    /// The text.
    pub keyword: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The keywords, compiled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct KeywordClassifier {
    options: KeywordOptions,
    /// Keyword and intent, in the order of the examples.
    keywords: Vec<(String, String)>,
    /// One a keyword.
    #[serde(skip_serializing)]
    expressions: Vec<PythonRegex>,
}

#[derive(Deserialize)]
struct Stored {
    options: KeywordOptions,
    keywords: Vec<(String, String)>,
}

impl TryFrom<Stored> for KeywordClassifier {
    type Error = KeywordError;

    fn try_from(stored: Stored) -> Result<Self, KeywordError> {
        let case = match stored.options.case_sensitive {
            true => CaseSensitivity::Sensitive,
            false => CaseSensitivity::Insensitive,
        };
        let compile = |(keyword, _): &(String, String)| {
            PythonRegex::new(&format!(r"\b{keyword}\b"), case).map_err(|error| KeywordError {
                keyword: keyword.clone(),
                reason: error.to_string(),
            })
        };
        let expressions: Result<Vec<_>, _> = stored.keywords.iter().map(compile).collect();
        Ok(Self {
            expressions: expressions?,
            options: stored.options,
            keywords: stored.keywords,
        })
    }
}

impl KeywordClassifier {
    /// Takes the texts of examples with an intent. Texts with two intents are
    /// left out, and so are texts that a text of another intent contains.
    ///
    /// Every keyword is tried on every other one, so time grows with the square
    /// of their number: the classifier is for small assistants.
    ///
    /// # Errors
    ///
    /// A text that is no regular expression.
    ///
    /// # Source
    ///
    /// Rasa 3.6. Keywords are tried in the order of the examples.
    pub fn fit(options: &KeywordOptions, examples: &[Example]) -> Result<Self, KeywordError> {
        let mut keywords: Vec<(String, String)> = Vec::new();
        let mut intents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for example in examples {
            let Some(intent) = &example.intent else {
                continue;
            };
            let seen = intents.entry(&example.text).or_default();
            if seen.is_empty() {
                keywords.push((example.text.clone(), intent.clone()));
            }
            seen.insert(intent);
        }
        keywords.retain(|(keyword, _)| intents[keyword.as_str()].len() == 1);
        let all = Self::try_from(Stored {
            options: options.clone(),
            keywords,
        })?;
        let mut kept = all.clone();
        kept.keywords.clear();
        kept.expressions.clear();
        for (entry, expression) in all.keywords.iter().zip(&all.expressions) {
            let is_inside =
                |other: &(String, String)| other.1 != entry.1 && expression.is_match(&other.0);
            if !all.keywords.iter().any(is_inside) {
                kept.keywords.push(entry.clone());
                kept.expressions.push(expression.clone());
            }
        }
        Ok(kept)
    }

    /// Sets the intent of the first keyword that the text contains, with
    /// confidence 1. Without one, an intent that was set before stays.
    pub fn process(&self, message: &mut Message) {
        let found = self
            .expressions
            .iter()
            .position(|e| e.is_match(&message.text));
        match found {
            Some(at) => message.intent = Some(Intent::named(&self.keywords[at].1, 1.0)),
            None => {
                message.intent.get_or_insert_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classifier(examples: &[(&str, &str)]) -> KeywordClassifier {
        let example = |&(text, intent): &(&str, &str)| Example {
            text: text.into(),
            intent: Some(intent.into()),
            ..Example::default()
        };
        let examples: Vec<Example> = examples.iter().map(example).collect();
        KeywordClassifier::fit(&KeywordOptions::default(), &examples).unwrap()
    }

    #[track_caller]
    fn check(classifier: &KeywordClassifier, text: &str, want: Option<&str>) {
        let mut message = Message::new(text);
        classifier.process(&mut message);
        assert_eq!(message.intent.unwrap().name.as_deref(), want);
    }

    #[test]
    fn the_first_keyword_in_the_text_decides() {
        let some = classifier(&[("hello", "greet"), ("bye", "part"), ("colou?r", "paint")]);
        check(&some, "oh hello, bye", Some("greet"));
        check(&some, "a color", Some("paint"));
        check(&some, "Hello", None);
        check(&some, "hellos", None);
    }

    #[test]
    fn ambiguous_keywords_are_left_out() {
        let some = classifier(&[("go", "a"), ("go", "b"), ("car", "a"), ("old car", "b")]);
        check(&some, "go", None);
        check(&some, "car", None);
        check(&some, "my old car", Some("b"));
    }
}
