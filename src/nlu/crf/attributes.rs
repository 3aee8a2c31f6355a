//! What is said of a token and its neighbours, as names.
//!
//! A name is what python-crfsuite makes of Rasa's features: `0:title` for a truth
//! and `-1:low:hello` for a text, with the place in the window before it. A truth
//! that does not hold is an attribute of weight 0 there: it says nothing, but the
//! pair of it and the right tag is learnt. A dense feature is a number by its name,
//! `0:text_dense_features:text_dense_features:12`, which Rasa nests once too often.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::tokenize::OptionError;
use crate::tokenize::Token;
use crate::tokenize::python_case;
use crate::tokenize::python_case::Affix;

/// A text as a tagger sees it.
#[derive(Clone, Copy, Debug)]
pub struct Sentence<'a> {
    /// Its tokens.
    pub tokens: &'a [Token],
    /// The names of the regular expressions that match at each token; tokens
    /// beyond its end have none.
    pub patterns: &'a [BTreeSet<String>],
    /// The entity tag of each token, for roles and groups; empty for entities.
    pub entity_tags: &'a [String],
    /// The dense features of each token; tokens beyond its end have none.
    pub numbers: &'a [&'a [f32]],
}

/// How far an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Holds {
    /// It does.
    Wholly,
    /// It is a truth, of this place of the window: it might not hold there.
    Truth(usize),
    /// It is a number.
    Number(f32),
}

impl Holds {
    /// Returns what the attribute's weight is multiplied with.
    pub fn value(self) -> f32 {
        match self {
            Self::Wholly | Self::Truth(_) => 1.0,
            Self::Number(value) => value,
        }
    }
}

/// The function of dense features.
pub(super) const DENSE: &str = "text_dense_features";

/// Something that can be said of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Low,
    Title,
    Upper,
    Digit,
    Bias,
    Pattern,
    Dense,
    Affix(Affix),
}

impl Function {
    fn named(name: &str) -> Result<Self, OptionError> {
        let wrong = |reason: String| Err(OptionError::new("features", reason));
        if let Some(affix) = Affix::named(name) {
            return Ok(Self::Affix(affix));
        }
        Ok(match name {
            "low" => Self::Low,
            "title" => Self::Title,
            "upper" => Self::Upper,
            "digit" => Self::Digit,
            "bias" => Self::Bias,
            "pattern" => Self::Pattern,
            "pos" | "pos2" => {
                return wrong(format!("`{name}` needs SpacyTokenizer, which is not built"));
            }
            DENSE => Self::Dense,
            _ => {
                return wrong(format!(
                    "`{name}` is not one of low, title, upper, digit, bias, pattern, \
                     prefix2, prefix5, suffix1, suffix2, suffix3, suffix5, {DENSE}"
                ));
            }
        })
    }
}

/// The functions at each place of a window around a token.
#[derive(Clone, Debug)]
pub(super) struct Window {
    places: Vec<Vec<(String, Function)>>,
}

impl Window {
    /// Reads the functions by name.
    pub fn new(features: &[Vec<String>]) -> Result<Self, OptionError> {
        if features.len().is_multiple_of(2) {
            let reason = format!(
                "it takes an odd number of lists, so that one is of the token itself, not {}",
                features.len()
            );
            return Err(OptionError::new("features", reason));
        }
        let mut places = Vec::with_capacity(features.len());
        for names in features {
            let mut functions: Vec<(String, Function)> = Vec::with_capacity(names.len());
            for name in names {
                if functions.iter().all(|(known, _)| known != name) {
                    functions.push((name.clone(), Function::named(name)?));
                }
            }
            places.push(functions);
        }
        Ok(Self { places })
    }

    /// Returns the places whose neighbour of the token `at` is in the sentence.
    pub fn places(&self, sentence: Sentence<'_>, at: usize) -> impl Iterator<Item = usize> {
        let (middle, count) = (self.places.len() / 2, sentence.tokens.len());
        (0..self.places.len()).filter(move |place| (middle..middle + count).contains(&(at + place)))
    }

    /// Gives `take` the name of everything that holds for the token `at`, and how far.
    pub fn attributes(&self, sentence: Sentence<'_>, at: usize, take: &mut dyn FnMut(&str, Holds)) {
        let middle = self.places.len() / 2;
        let mut name = String::new();
        let (mut is_first, mut is_last) = (false, false);
        for (place, functions) in self.places.iter().enumerate() {
            let Some(token) = (at + place).checked_sub(middle) else {
                is_first = true;
                continue;
            };
            if token >= sentence.tokens.len() {
                is_last = true;
                continue;
            }
            name.clear();
            // Writing to a string cannot fail.
            let _ = write!(name, "{}:", place as i64 - middle as i64);
            let start = name.len();
            for (function_name, function) in functions {
                name.truncate(start);
                name.push_str(function_name);
                function.attributes(sentence, (token, place), &mut name, take);
            }
            if let Some(tag) = sentence.entity_tags.get(token) {
                name.truncate(start);
                let _ = write!(name, "entity:{tag}");
                take(&name, Holds::Wholly);
            }
        }
        if is_first {
            take("BOS", Holds::Wholly);
        }
        if is_last {
            take("EOS", Holds::Wholly);
        }
    }
}

impl Function {
    /// Completes `name`, which ends with the function's, by its value; a truth is
    /// taken when it holds.
    fn attributes(
        self,
        sentence: Sentence<'_>,
        (token, place): (usize, usize),
        name: &mut String,
        take: &mut dyn FnMut(&str, Holds),
    ) {
        let truth = Holds::Truth(place);
        let text = &sentence.tokens[token].text;
        let value = match self {
            Self::Title if python_case::is_title(text) => return take(name, truth),
            Self::Upper if python_case::is_upper(text) => return take(name, truth),
            Self::Digit if python_case::is_digit(text) => return take(name, truth),
            Self::Title | Self::Upper | Self::Digit => return,
            Self::Pattern => {
                let end = name.len();
                for pattern in sentence.patterns.get(token).into_iter().flatten() {
                    name.truncate(end);
                    let _ = write!(name, ":{pattern}");
                    take(name, truth);
                }
                return;
            }
            Self::Dense => return numbers(sentence.numbers.get(token), name, take),
            Self::Low => &text.to_lowercase(),
            Self::Bias => "bias",
            Self::Affix(affix) => affix.of(text),
        };
        name.push(':');
        name.push_str(value);
        take(name, Holds::Wholly);
    }
}

/// Takes each number of a token.
fn numbers(numbers: Option<&&[f32]>, name: &mut String, take: &mut dyn FnMut(&str, Holds)) {
    name.push(':');
    name.push_str(DENSE);
    let end = name.len();
    for (at, &value) in numbers.into_iter().copied().flatten().enumerate() {
        name.truncate(end);
        let _ = write!(name, ":{at}");
        take(name, Holds::Number(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::crf::CrfOptions;

    fn said(features: &[&[&str]], sentence: Sentence<'_>, at: usize) -> Vec<String> {
        let names = |place: &&[&str]| place.iter().map(|&name| name.to_owned()).collect();
        let features: Vec<Vec<String>> = features.iter().map(names).collect();
        let window = Window::new(&features).unwrap();
        let mut said = Vec::new();
        window.attributes(sentence, at, &mut |name, _| said.push(name.to_owned()));
        said
    }

    fn tokens() -> [Token; 2] {
        [Token::new("To", 0), Token::new("ROME12", 3)]
    }

    #[test]
    fn truths_are_names_and_texts_are_values() {
        let tokens = tokens();
        let patterns = [BTreeSet::new(), BTreeSet::from(["zip".to_owned()])];
        let sentence = Sentence {
            tokens: &tokens,
            patterns: &patterns,
            entity_tags: &[],
            numbers: &[],
        };
        let inner = [
            "low", "bias", "prefix2", "suffix3", "upper", "digit", "pattern",
        ];
        let features: [&[&str]; 3] = [&["title", "low"], &inner, &["low"]];
        assert_eq!(
            said(&features, sentence, 1),
            [
                "-1:title",
                "-1:low:to",
                "0:low:rome12",
                "0:bias:bias",
                "0:prefix2:RO",
                "0:suffix3:E12",
                "0:upper",
                "0:pattern:zip",
                "EOS",
            ]
        );
        assert_eq!(said(&features, sentence, 0)[0], "0:low:to");
    }

    #[test]
    fn roles_see_the_entity_tags_around_them() {
        let (tokens, tags) = (tokens(), ["O", "U-city"].map(str::to_owned));
        let sentence = Sentence {
            tokens: &tokens,
            patterns: &[],
            entity_tags: &tags,
            numbers: &[],
        };
        assert_eq!(
            said(&[&[], &[], &[]], sentence, 0),
            ["0:entity:O", "1:entity:U-city", "BOS"]
        );
    }

    #[test]
    fn dense_features_are_numbers_by_name() {
        let tokens = tokens();
        let sentence = Sentence {
            tokens: &tokens,
            patterns: &[],
            entity_tags: &[],
            numbers: &[&[0.5, -1.0], &[0.0, 2.0]],
        };
        let window = [vec![DENSE.to_owned()], Vec::new(), Vec::new()];
        let mut said = Vec::new();
        let window = Window::new(&window).unwrap();
        window.attributes(sentence, 1, &mut |name, holds| {
            said.push((name.to_owned(), holds.value()));
        });
        let name = |at: usize| format!("-1:{DENSE}:{DENSE}:{at}");
        assert_eq!(
            said,
            [(name(0), 0.5), (name(1), -1.0), ("EOS".to_owned(), 1.0)]
        );
    }

    #[test]
    fn what_cannot_be_asked_is_named() {
        let mut options = CrfOptions::default();
        options.check().unwrap();
        options.features[1].push("pos".into());
        let error = options.check().unwrap_err();
        assert!(error.to_string().contains("SpacyTokenizer"), "{error}");
        options.features.pop();
        let error = options.check().unwrap_err();
        assert!(error.to_string().contains("odd number"), "{error}");
    }
}
