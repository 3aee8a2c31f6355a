//! `LexicalSyntacticFeaturizer`: what a token and its neighbours look like.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::Deserialize;
use serde::Serialize;

use super::rows::FeatureRows;
use crate::matrix::Csr;
use crate::tokenize::Attribute;
use crate::tokenize::Document;
use crate::tokenize::OptionError;
use crate::tokenize::Token;
use crate::tokenize::python_case;
use crate::tokenize::python_case::Affix;

/// Options of the featurizer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Name under which classifiers choose the features.
    pub alias: Option<String>,
    /// Functions for each position of a window around the token; the window's
    /// middle is its element `len / 2`.
    pub features: Vec<Vec<String>>,
}

impl Default for Options {
    fn default() -> Self {
        let outer = ["low", "title", "upper"].map(str::to_owned).to_vec();
        let inner = ["BOS", "EOS", "low", "upper", "title", "digit"];
        Self {
            alias: None,
            features: vec![outer.clone(), inner.map(str::to_owned).to_vec(), outer],
        }
    }
}

/// Something that can be said of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    First,
    Last,
    Lower,
    Title,
    Upper,
    Digit,
    Affix(Affix),
}

impl Function {
    fn named(name: &str) -> Result<Self, OptionError> {
        if let Some(affix) = Affix::named(name) {
            return Ok(Self::Affix(affix));
        }
        Ok(match name {
            "BOS" => Self::First,
            "EOS" => Self::Last,
            "low" => Self::Lower,
            "title" => Self::Title,
            "upper" => Self::Upper,
            "digit" => Self::Digit,
            "pos" | "pos2" => {
                let reason = format!("`{name}` needs SpacyTokenizer, which is not built");
                return Err(OptionError::new("features", reason));
            }
            _ => {
                let reason = format!(
                    "`{name}` is not one of BOS, EOS, low, title, upper, digit, \
                     prefix2, prefix5, suffix1, suffix2, suffix3, suffix5"
                );
                return Err(OptionError::new("features", reason));
            }
        })
    }

    /// Returns what the function says of the token `at`, as Python writes it.
    fn value(self, tokens: &[Token], at: usize) -> String {
        let text = &tokens[at].text;
        let truth = match self {
            Self::First => at == 0,
            Self::Last => at + 1 == tokens.len(),
            Self::Lower => python_case::is_lower(text),
            Self::Title => python_case::is_title(text),
            Self::Upper => python_case::is_upper(text),
            Self::Digit => python_case::is_digit(text),
            Self::Affix(affix) => return affix.of(text).to_owned(),
        };
        if truth { "True" } else { "False" }.to_owned()
    }
}

/// The values that were seen in training, with their columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitted {
    options: Options,
    /// `<window element>###<function>` to value to column.
    columns: BTreeMap<String, BTreeMap<String, u32>>,
}

/// Learns which values occur at which position of the window.
///
/// # Errors
///
/// A function that does not exist, or one that needs part-of-speech tags.
///
/// # Source
///
/// Rasa 3.6: columns are numbered by window element, then function name, then
/// value. Only the text counts.
pub fn fit(options: &Options, corpus: &[Document]) -> Result<Fitted, OptionError> {
    let windows = windows(options)?;
    let mut seen: BTreeMap<(usize, &str), BTreeSet<String>> = BTreeMap::new();
    for document in corpus {
        let tokens = document.tokens(Attribute::Text);
        for at in 0..tokens.len() {
            for (element, name, function, place) in visible(&windows, tokens.len(), at) {
                let value = function.value(tokens, place);
                seen.entry((element, name)).or_default().insert(value);
            }
        }
    }
    let mut next = 0..;
    let columns = seen.into_iter().map(|((element, name), values)| {
        let numbered = values.into_iter().zip(next.by_ref()).collect();
        (key(element, name), numbered)
    });
    Ok(Fitted {
        columns: columns.collect(),
        options: options.clone(),
    })
}

type Window<'o> = Vec<(&'o str, Function)>;

fn windows(options: &Options) -> Result<Vec<Window<'_>>, OptionError> {
    let windows = options.features.iter();
    windows
        .map(|names| names.iter().map(|name| named(name)).collect())
        .collect()
}

fn named(name: &str) -> Result<(&str, Function), OptionError> {
    Ok((name, Function::named(name)?))
}

/// Yields `(element, name, function, token)` for what a token sees.
fn visible<'w>(
    windows: &'w [Window<'w>],
    count: usize,
    at: usize,
) -> impl Iterator<Item = (usize, &'w str, Function, usize)> {
    let middle = windows.len() / 2;
    windows
        .iter()
        .enumerate()
        .flat_map(move |(element, window)| {
            let place = (at + element)
                .checked_sub(middle)
                .filter(|place| *place < count);
            let functions = place.map(|place| {
                window
                    .iter()
                    .map(move |&(name, function)| (element, name, function, place))
            });
            functions.into_iter().flatten()
        })
}

fn key(element: usize, name: &str) -> String {
    format!("{element}###{name}")
}

impl Fitted {
    /// Returns what the featurizer was fitted with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the columns by `<window element>###<function>` and value.
    pub fn columns(&self) -> &BTreeMap<String, BTreeMap<String, u32>> {
        &self.columns
    }

    /// Returns one row a token of the text, 1 in the column of each value that
    /// was seen in training; other attributes have no features.
    ///
    /// # Shapes
    ///
    /// - `sequence`: `[tokens, number of values seen]`
    /// - `sentence`: `[documents, 0]`
    pub fn rows(&self, documents: &[Document], attribute: Attribute) -> FeatureRows {
        if attribute != Attribute::Text {
            return FeatureRows::without_columns(documents, attribute);
        }
        let windows = windows(&self.options).unwrap_or_default();
        let indexed = self.indexed(&windows);
        let found: Vec<Vec<Vec<u32>>> = documents
            .par_iter()
            .map(|document| document_rows(&indexed, document.tokens(Attribute::Text)))
            .collect();
        let width = self.columns.values().map(BTreeMap::len).sum();
        let mut rows = FeatureRows::without_columns(documents, attribute);
        rows.sequence = Csr::new(width);
        for row in found.into_iter().flatten() {
            rows.sequence
                .push_row(row.into_iter().map(|column| (column, 1.0)));
        }
        rows
    }

    fn indexed(&self, windows: &[Window<'_>]) -> Vec<Indexed<'_>> {
        let named = windows.iter().enumerate().map(|(element, window)| {
            let columns = window.iter().filter_map(|&(name, function)| {
                Some((function, self.columns.get(&key(element, name))?))
            });
            columns.collect()
        });
        named.collect()
    }
}

/// The functions of one window element with the columns of their values.
type Indexed<'f> = Vec<(Function, &'f BTreeMap<String, u32>)>;

fn document_rows(indexed: &[Indexed<'_>], tokens: &[Token]) -> Vec<Vec<u32>> {
    let middle = indexed.len() / 2;
    let row = |at: usize| {
        let mut row = Vec::new();
        for (element, functions) in indexed.iter().enumerate() {
            let place = (at + element).checked_sub(middle);
            let Some(place) = place.filter(|place| *place < tokens.len()) else {
                continue;
            };
            let columns = functions.iter().filter_map(|(function, columns)| {
                columns.get(&function.value(tokens, place)).copied()
            });
            row.extend(columns);
        }
        row.sort_unstable();
        row.dedup();
        row
    };
    (0..tokens.len()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_function_is_named() {
        let options = Options {
            features: vec![vec!["lwo".into()]],
            ..Options::default()
        };
        let error = fit(&options, &[]).unwrap_err();
        assert!(error.to_string().contains("`lwo`"), "{error}");
    }

    #[test]
    fn unseen_values_and_places_outside_the_sentence_have_no_column() {
        let options = Options {
            features: vec![vec!["suffix1".into()], vec!["BOS".into()]],
            ..Options::default()
        };
        let mut document = Document::default();
        document.insert(
            Attribute::Text,
            "x y",
            vec![Token::new("x", 0), Token::new("y", 2)],
        );
        let fitted = fit(&options, std::slice::from_ref(&document)).unwrap();
        document.insert(
            Attribute::Text,
            "z y",
            vec![Token::new("z", 0), Token::new("y", 2)],
        );
        let rows = fitted.rows(&[document], Attribute::Text);
        // Columns: suffix of the word before (x), BOS False, BOS True.
        assert_eq!(rows.sequence.cols(), 3);
        assert_eq!(rows.sequence.row(0).0, [2]);
        assert_eq!(rows.sequence.row(1).0, [1]);
    }
}
