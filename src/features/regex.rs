//! `RegexFeaturizer`: which patterns a token is part of.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::Deserialize;
use serde::Serialize;

use super::patterns::Matcher;
use super::patterns::NamedPattern;
use super::patterns::PatternChoice;
use super::patterns::PatternError;
use super::patterns::patterns;
use super::rows::FeatureRows;
use crate::data::NluData;
use crate::matrix::Csr;
use crate::tokenize::Attribute;
use crate::tokenize::CaseSensitivity;
use crate::tokenize::CodePoints;
use crate::tokenize::Document;

/// Options of the featurizer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Name under which classifiers choose the features.
    pub alias: Option<String>,
    /// Whether upper and lower case differ.
    pub case_sensitive: bool,
    /// Whether lookup tables count.
    pub use_lookup_tables: bool,
    /// Whether regular expressions count.
    pub use_regexes: bool,
    /// Whether phrases of a table match only whole words.
    pub use_word_boundaries: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alias: None,
            case_sensitive: true,
            use_lookup_tables: true,
            use_regexes: true,
            use_word_boundaries: true,
        }
    }
}

/// The patterns of the training data, compiled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Fitted {
    options: Options,
    patterns: Vec<NamedPattern>,
    /// One a pattern.
    #[serde(skip_serializing)]
    matchers: Vec<Matcher>,
}

#[derive(Deserialize)]
struct Stored {
    options: Options,
    patterns: Vec<NamedPattern>,
}

impl TryFrom<Stored> for Fitted {
    type Error = PatternError;

    fn try_from(stored: Stored) -> Result<Self, PatternError> {
        let case = match stored.options.case_sensitive {
            true => CaseSensitivity::Sensitive,
            false => CaseSensitivity::Insensitive,
        };
        let matchers: Result<Vec<_>, _> = stored.patterns.iter().map(|p| p.matcher(case)).collect();
        Ok(Self {
            matchers: matchers?,
            options: stored.options,
            patterns: stored.patterns,
        })
    }
}

/// Takes the patterns out of the training data.
///
/// # Errors
///
/// The first pattern that is no regular expression, with its place.
pub fn fit(options: &Options, data: &NluData) -> Result<Fitted, PatternError> {
    let choice = PatternChoice {
        use_lookup_tables: options.use_lookup_tables,
        use_regexes: options.use_regexes,
        use_word_boundaries: options.use_word_boundaries,
    };
    Fitted::try_from(Stored {
        options: options.clone(),
        patterns: patterns(data, choice),
    })
}

impl Fitted {
    /// Returns what the featurizer was fitted with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the patterns, in the order of their columns.
    pub fn patterns(&self) -> &[NamedPattern] {
        &self.patterns
    }

    /// Returns, for each pattern that some match of overlaps a token, a 1 in the
    /// token's row; and for each pattern that matches at all, one in the
    /// sentence row. Names have no features.
    ///
    /// # Shapes
    ///
    /// - `sequence`: `[tokens, patterns]`
    /// - `sentence`: `[documents, patterns]`
    pub fn rows(&self, documents: &[Document], attribute: Attribute) -> FeatureRows {
        let mut rows = FeatureRows::without_columns(documents, attribute);
        if !attribute.is_dense() || self.patterns.is_empty() {
            return rows;
        }
        let found: Vec<Hits> = documents
            .par_iter()
            .map(|document| self.hits(document, attribute))
            .collect();
        rows.sequence = Csr::new(self.patterns.len());
        rows.sentence = Csr::new(self.patterns.len());
        for hits in found {
            for token in hits.tokens {
                rows.sequence
                    .push_row(token.into_iter().map(|pattern| (pattern, 1.0)));
            }
            rows.sentence
                .push_row(hits.sentence.into_iter().map(|pattern| (pattern, 1.0)));
        }
        rows
    }

    /// Puts into `marks` the names of the patterns that a row of `rows` has a 1
    /// for, and takes out those that it has a 0 for: one set for each row of
    /// `rows.sequence`. Of patterns with the same name the last counts.
    /// `CRFEntityExtractor` reads this.
    ///
    /// # Panics
    ///
    /// If there are not as many sets as rows, or `rows` are of another featurizer.
    pub fn mark(&self, rows: &FeatureRows, marks: &mut [BTreeSet<String>]) {
        if self.patterns.is_empty() {
            return;
        }
        assert_eq!(rows.sequence.rows(), marks.len());
        assert_eq!(rows.sequence.cols(), self.patterns.len());
        let named = self.patterns.iter().zip(0u32..);
        let last: BTreeMap<&str, u32> = named.map(|(p, at)| (p.name.as_str(), at)).collect();
        for (row, marks) in marks.iter_mut().enumerate() {
            let (columns, _) = rows.sequence.row(row);
            marks.retain(|name| !last.contains_key(name.as_str()));
            for &column in columns {
                let name = &self.patterns[column as usize].name;
                if last.get(name.as_str()) == Some(&column) {
                    marks.insert(name.clone());
                }
            }
        }
    }

    fn hits(&self, document: &Document, attribute: Attribute) -> Hits {
        let tokens = document.tokens(attribute);
        let mut hits = Hits {
            tokens: vec![Vec::new(); tokens.len()],
            sentence: Vec::new(),
        };
        let Some(text) = document.text(attribute).filter(|_| !tokens.is_empty()) else {
            return hits;
        };
        let points = CodePoints::of(text);
        for (matcher, column) in self.matchers.iter().zip(0u32..) {
            let matches = matcher.find_all(text);
            if matches.is_empty() {
                continue;
            }
            hits.sentence.push(column);
            for range in matches {
                let (start, end) = (points.at_byte(range.start), points.at_byte(range.end));
                for (token, row) in tokens.iter().zip(&mut hits.tokens) {
                    if token.start < end && token.end > start && row.last() != Some(&column) {
                        row.push(column);
                    }
                }
            }
        }
        hits
    }
}

/// Columns of the patterns that matched.
struct Hits {
    /// `[token]`, ascending columns each.
    tokens: Vec<Vec<u32>>,
    sentence: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Pattern;
    use crate::tokenize::Tokenizer;

    fn data(patterns: &[(&str, &str)]) -> NluData {
        let pattern = |&(name, pattern): &(&str, &str)| Pattern {
            name: name.into(),
            pattern: pattern.into(),
            ..Pattern::default()
        };
        NluData {
            patterns: patterns.iter().map(pattern).collect(),
            ..NluData::default()
        }
    }

    #[test]
    fn a_match_marks_all_tokens_that_it_touches() {
        let fitted = fit(
            &Options::default(),
            &data(&[("b", r"é ye"), ("a", "nothing")]),
        )
        .unwrap();
        let tokenizer = Tokenizer::new(&Default::default()).unwrap();
        let document = tokenizer.single(Attribute::Text, "é yes no");
        let rows = fitted.rows(std::slice::from_ref(&document), Attribute::Text);
        assert_eq!(rows.sequence.row(0).0, [1]);
        assert_eq!(rows.sequence.row(1).0, [1]);
        assert!(rows.sequence.row(2).0.is_empty());
        assert_eq!(rows.sentence.row(0).0, [1]);
        let mut marks = vec![BTreeSet::from(["a".to_owned(), "c".to_owned()]); 3];
        fitted.mark(&rows, &mut marks);
        let marks: Vec<Vec<String>> = marks.into_iter().map(Vec::from_iter).collect();
        assert_eq!(marks, [vec!["b", "c"], vec!["b", "c"], vec!["c"]]);
    }

    #[test]
    fn what_was_fitted_survives_json() {
        let fitted = fit(&Options::default(), &data(&[("a", "x+")])).unwrap();
        let json = serde_json::to_string(&fitted).unwrap();
        let back: Fitted = serde_json::from_str(&json).unwrap();
        assert_eq!(back.patterns(), fitted.patterns());
        assert!(serde_json::from_str::<Fitted>(&json.replace("x+", "(")).is_err());
    }
}
