//! `CountVectorsFeaturizer`: how often each term occurs in a token and in the
//! whole text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::HashMap;

use rayon::prelude::*;
use serde::Deserialize;
use serde::Serialize;

pub use super::ngrams::Accents;
pub use super::ngrams::Analyzer;
use super::ngrams::Terms;
use super::rows::FeatureRows;
pub use super::vocabulary::Limit;
use super::vocabulary::Limits;
pub use super::vocabulary::Vocabulary;
use super::vocabulary::learn;
use crate::matrix::Csr;
use crate::tokenize::Attribute;
use crate::tokenize::Document;
use crate::tokenize::OptionError;
use crate::tokenize::Token;
use crate::tokenize::is_word;

/// Options of the featurizer, with the defaults of Rasa 3.6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Name under which classifiers choose the features.
    pub alias: Option<String>,
    /// Whether all attributes share one vocabulary.
    pub use_shared_vocab: bool,
    /// What a term is.
    pub analyzer: Analyzer,
    /// Whether accents are taken away.
    pub strip_accents: Option<Accents>,
    /// Words that are no terms.
    pub stop_words: Option<Vec<String>>,
    /// Fewest documents for a term; holds for the text alone unless the
    /// vocabulary is shared.
    pub min_df: Limit,
    /// Most documents for a term.
    pub max_df: Limit,
    /// Shortest sequence of words or characters.
    pub min_ngram: usize,
    /// Longest sequence of words or characters.
    pub max_ngram: usize,
    /// How many of the most frequent terms are kept.
    pub max_features: Option<usize>,
    /// Whether case is ignored.
    pub lowercase: bool,
    /// The term that stands for words outside the vocabulary.
    #[serde(rename = "OOV_token")]
    pub oov_token: Option<String>,
    /// Words that are replaced by that term in training.
    #[serde(rename = "OOV_words")]
    pub oov_words: Vec<String>,
    /// Whether lemmas are counted; ours are the tokens' texts.
    pub use_lemma: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            alias: None,
            use_shared_vocab: false,
            analyzer: Analyzer::Word,
            strip_accents: None,
            stop_words: None,
            min_df: Limit::Count(1),
            max_df: Limit::Share(1.0),
            min_ngram: 1,
            max_ngram: 1,
            max_features: None,
            lowercase: true,
            oov_token: None,
            oov_words: Vec::new(),
            use_lemma: true,
        }
    }
}

impl Options {
    /// Returns the attributes that have features: names only count as words.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute> {
        let words = self.analyzer == Analyzer::Word;
        let all = Attribute::ALL.into_iter();
        all.filter(move |attribute| words || attribute.is_dense())
    }

    fn check(&self) -> Result<(), OptionError> {
        if self.min_ngram == 0 {
            return Err(OptionError::new("min_ngram", "it must be at least 1"));
        }
        if self.min_ngram > self.max_ngram {
            let reason = format!("{} is below `min_ngram` {}", self.max_ngram, self.min_ngram);
            return Err(OptionError::new("max_ngram", reason));
        }
        if self.max_features == Some(0) {
            return Err(OptionError::new("max_features", "it must be at least 1"));
        }
        for (name, limit) in [("min_df", self.min_df), ("max_df", self.max_df)] {
            if let Limit::Share(share) = limit
                && !(0.0..=1.0).contains(&share)
            {
                let reason = format!("{share} is not a part of 1; for a count write an integer");
                return Err(OptionError::new(name, reason));
            }
        }
        Ok(())
    }
}

/// The vocabularies that were learnt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    options: Options,
    /// By attribute; an attribute without usable text has none. A shared
    /// vocabulary stands here for each attribute.
    vocabularies: BTreeMap<Attribute, Vocabulary>,
    /// What the user should know, as sentences.
    #[serde(skip)]
    warnings: Vec<String>,
}

/// Learns the vocabulary of every attribute from all messages of training,
/// those that have an intent or action name alone included.
///
/// # Errors
///
/// An option that makes no sense.
///
/// # Source
///
/// Rasa 3.6. Messages without the attribute count as empty documents where
/// `min_df` or `max_df` is a share.
pub fn fit(options: &Options, corpus: &[Document]) -> Result<Fitted, OptionError> {
    options.check()?;
    let mut fitted = Fitted {
        options: options.clone(),
        vocabularies: BTreeMap::new(),
        warnings: Vec::new(),
    };
    let prepared = Prepared::of(options);
    match options.use_shared_vocab {
        true => fitted.learn_shared(&prepared, corpus),
        false => {
            for attribute in options.attributes() {
                fitted.learn_attribute(&prepared, corpus, attribute);
            }
        }
    }
    fitted.warn_of_unseen_oov(&prepared);
    Ok(fitted)
}

/// Options brought into the form in which they are used.
struct Prepared<'o> {
    options: &'o Options,
    /// Sorted.
    stop_words: Vec<String>,
    oov_token: Option<String>,
    /// Sorted; empty without the token.
    oov_words: Vec<String>,
}

impl<'o> Prepared<'o> {
    fn of(options: &'o Options) -> Self {
        let lowered = |word: &String| match options.lowercase {
            true => word.to_lowercase(),
            false => word.clone(),
        };
        let mut stop_words = options.stop_words.clone().unwrap_or_default();
        stop_words.sort();
        let is_word = options.analyzer == Analyzer::Word;
        let oov_token = options.oov_token.as_ref().filter(|_| is_word).map(lowered);
        let mut oov_words: Vec<String> = options.oov_words.iter().map(lowered).collect();
        oov_words.sort();
        Self {
            options,
            stop_words,
            oov_token,
            oov_words,
        }
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            analyzer: self.options.analyzer,
            min_ngram: self.options.min_ngram,
            max_ngram: self.options.max_ngram,
            lowercase: self.options.lowercase,
            accents: self.options.strip_accents,
            stop_words: &self.stop_words,
        }
    }

    /// Returns the tokens of a message as they are counted.
    fn tokens(
        &self,
        document: &Document,
        attribute: Attribute,
        known: Option<&Vocabulary>,
    ) -> Vec<String> {
        let tokens = document.tokens(attribute).iter();
        tokens
            .map(|token| self.token(token, attribute, known))
            .collect()
    }

    fn token(&self, token: &Token, attribute: Attribute, known: Option<&Vocabulary>) -> String {
        let mut text = token.text.clone();
        if attribute.is_dense() {
            text = mask_numbers(&text).into_owned();
            if self.options.lowercase {
                text = text.to_lowercase();
            }
        }
        match &self.oov_token {
            Some(oov) if self.is_outside(&text, oov, known) => oov.clone(),
            _ => text,
        }
    }

    /// Returns whether a word counts as unknown: once the vocabulary has the
    /// token for it, every word that is not there, before only those listed.
    fn is_outside(&self, text: &str, oov: &str, known: Option<&Vocabulary>) -> bool {
        match known.filter(|known| known.contains_key(oov)) {
            Some(known) => !known.contains_key(text),
            None => self.oov_words.iter().any(|word| word == text),
        }
    }
}

/// Replaces numbers that are words by themselves, so that all of them are one
/// term.
fn mask_numbers(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let in_word = is_word(first);
        let end = rest.find(|c| is_word(c) != in_word).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let is_number = in_word && run.bytes().all(|byte| byte.is_ascii_digit());
        out.push_str(if is_number { "__NUMBER__" } else { run });
        rest = after;
    }
    Cow::Owned(out)
}

impl Fitted {
    fn learn_attribute(
        &mut self,
        prepared: &Prepared<'_>,
        corpus: &[Document],
        attribute: Attribute,
    ) {
        let documents: Vec<Vec<String>> = corpus
            .iter()
            .map(|document| prepared.tokens(document, attribute, None))
            .collect();
        if documents.iter().flatten().all(|token| token.is_empty()) {
            return;
        }
        let min_df = match attribute {
            Attribute::Text => self.options.min_df,
            _ => Limit::Count(1),
        };
        match learn(&prepared.terms(), &documents, self.limits(min_df)) {
            Ok(vocabulary) => {
                self.vocabularies.insert(attribute, vocabulary);
            }
            Err(reason) => self.warnings.push(format!(
                "CountVectorsFeaturizer has no features for `{}`: {reason}",
                attribute.name()
            )),
        }
    }

    fn learn_shared(&mut self, prepared: &Prepared<'_>, corpus: &[Document]) {
        let attributes: Vec<Attribute> = self.options.attributes().collect();
        let mut documents = Vec::new();
        for &attribute in &attributes {
            documents.extend(corpus.iter().map(|d| prepared.tokens(d, attribute, None)));
        }
        match learn(
            &prepared.terms(),
            &documents,
            self.limits(self.options.min_df),
        ) {
            Ok(vocabulary) => {
                let each = attributes.into_iter().map(|a| (a, vocabulary.clone()));
                self.vocabularies = each.collect();
            }
            Err(reason) => self
                .warnings
                .push(format!("CountVectorsFeaturizer has no features: {reason}")),
        }
    }

    fn limits(&self, min_df: Limit) -> Limits {
        Limits {
            min_df,
            max_df: self.options.max_df,
            max_features: self.options.max_features,
        }
    }

    fn warn_of_unseen_oov(&mut self, prepared: &Prepared<'_>) {
        if prepared.oov_token.is_none() && !prepared.oov_words.is_empty() {
            let warning = "`OOV_words` has no effect without `OOV_token` and words as terms";
            self.warnings.push(warning.to_owned());
        }
        let (Some(oov), Some(text)) =
            (&prepared.oov_token, self.vocabularies.get(&Attribute::Text))
        else {
            return;
        };
        if !text.contains_key(oov) {
            self.warnings.push(format!(
                "`OOV_token` is `{oov}`, which no training example has; unknown words are ignored"
            ));
        }
    }

    /// Returns what the featurizer was fitted with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the vocabulary of each attribute that has one.
    pub fn vocabularies(&self) -> &BTreeMap<Attribute, Vocabulary> {
        &self.vocabularies
    }

    /// Returns what the user should know about the fit; empty in a loaded model.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Returns how often each term occurs in each token and in each text. Names
    /// have no sentence features, and an attribute without vocabulary none at
    /// all.
    ///
    /// # Shapes
    ///
    /// - `sequence`: `[tokens, terms]`
    /// - `sentence`: `[documents, terms]`; `[documents, 0]` for names
    pub fn rows(&self, documents: &[Document], attribute: Attribute) -> FeatureRows {
        let mut rows = FeatureRows::without_columns(documents, attribute);
        let Some(vocabulary) = self.vocabularies.get(&attribute) else {
            return rows;
        };
        let prepared = Prepared::of(&self.options);
        let found: Vec<Vec<Counted>> = documents
            .par_chunks(DOCUMENTS_TOGETHER)
            .map(|chunk| {
                let mut counter = Counter {
                    prepared: &prepared,
                    terms: prepared.terms(),
                    vocabulary,
                    known: HashMap::new(),
                };
                chunk
                    .iter()
                    .map(|document| counter.count(document, attribute))
                    .collect()
            })
            .collect();
        rows.sequence = Csr::new(vocabulary.len());
        if attribute.is_dense() {
            rows.sentence = Csr::new(vocabulary.len());
        }
        for counted in found.into_iter().flatten() {
            for token in counted.tokens {
                rows.sequence.push_row(token);
            }
            if attribute.is_dense() {
                rows.sentence.push_row(counted.sentence);
            }
        }
        rows
    }
}

/// Documents that share one memory of counted tokens.
const DOCUMENTS_TOGETHER: usize = 512;

/// `(column, count)`, ascending.
type Row = Vec<(u32, f32)>;

struct Counted {
    /// `[token]`
    tokens: Vec<Row>,
    sentence: Row,
}

struct Counter<'f> {
    prepared: &'f Prepared<'f>,
    terms: Terms<'f>,
    vocabulary: &'f Vocabulary,
    /// Rows of the tokens seen before.
    known: HashMap<String, Row>,
}

impl Counter<'_> {
    fn count(&mut self, document: &Document, attribute: Attribute) -> Counted {
        let tokens = self
            .prepared
            .tokens(document, attribute, Some(self.vocabulary));
        let rows: Vec<Row> = tokens.iter().map(|token| self.token(token)).collect();
        let sentence = match (attribute.is_dense(), self.terms.are_within_tokens()) {
            (false, _) => Row::new(),
            (true, true) => sum(rows.iter().flatten().copied().collect()),
            (true, false) => self.text(&tokens.join(" ")),
        };
        Counted {
            tokens: rows,
            sentence,
        }
    }

    fn token(&mut self, token: &str) -> Row {
        if let Some(row) = self.known.get(token) {
            return row.clone();
        }
        let row = self.text(token);
        self.known.insert(token.to_owned(), row.clone());
        row
    }

    fn text(&self, text: &str) -> Row {
        let mut entries = Row::new();
        self.terms.of(text, &mut |term| {
            if let Some(&column) = self.vocabulary.get(term) {
                entries.push((column, 1.0));
            }
        });
        sum(entries)
    }
}

/// Adds up what is in the same column. Counts are whole numbers, so the order
/// does not matter.
fn sum(mut entries: Row) -> Row {
    entries.sort_unstable_by_key(|&(column, _)| column);
    entries.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    entries
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tokenize::Tokenizer;
    use crate::tokenize::read_options;

    fn documents(texts: &[&str]) -> Vec<Document> {
        let tokenizer = Tokenizer::new(&Default::default()).unwrap();
        texts
            .iter()
            .map(|text| tokenizer.single(Attribute::Text, text))
            .collect()
    }

    fn fitted(options: serde_json::Value, texts: &[&str]) -> Fitted {
        let written = serde_json::from_value(options).unwrap();
        fit(&read_options(&written).unwrap(), &documents(texts)).unwrap()
    }

    #[track_caller]
    fn check_terms(fitted: &Fitted, want: &[&str]) {
        let terms: Vec<&str> = fitted.vocabularies()[&Attribute::Text]
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(terms, want);
    }

    #[test]
    fn numbers_are_one_term() {
        assert_eq!(
            mask_numbers("10.5 12b ½3 7"),
            "__NUMBER__.__NUMBER__ 12b ½3 __NUMBER__"
        );
        let fitted = fitted(json!({}), &["room 12b 34"]);
        check_terms(&fitted, &["12b", "__number__", "room"]);
        let rows = fitted.rows(&documents(&["10.5"]), Attribute::Text);
        assert_eq!(rows.sequence.row(0), (&[1][..], &[2.0][..]));
    }

    #[test]
    fn unknown_words_become_the_token_once_it_was_seen() {
        let options = json!({"OOV_token": "OOV", "OOV_words": ["Bad"]});
        let learnt = fitted(options.clone(), &["good bad"]);
        check_terms(&learnt, &["good", "oov"]);
        let rows = learnt.rows(&documents(&["other good"]), Attribute::Text);
        assert_eq!(rows.sequence.row(0).0, [1]);
        let unseen = fitted(options, &["good"]);
        assert!(unseen.warnings()[0].contains("`oov`"));
        let rows = unseen.rows(&documents(&["other"]), Attribute::Text);
        assert!(rows.sequence.row(0).0.is_empty());
    }

    #[test]
    fn limits_count_documents() {
        let texts = ["a b", "a c", "a b d"];
        check_terms(&fitted(json!({"min_df": 2}), &texts), &["a", "b"]);
        check_terms(&fitted(json!({"max_df": 0.7}), &texts), &["b", "c", "d"]);
        check_terms(&fitted(json!({"max_df": 2, "min_df": 0.5}), &texts), &["b"]);
        check_terms(&fitted(json!({"max_features": 2}), &texts), &["a", "b"]);
        let none = fitted(json!({"min_df": 4}), &texts);
        assert!(none.vocabularies().is_empty());
        assert_eq!(none.warnings().len(), 1);
    }

    #[test]
    fn word_pairs_occur_in_sentences_only() {
        let fitted = fitted(json!({"max_ngram": 2}), &["a b"]);
        let rows = fitted.rows(&documents(&["a b"]), Attribute::Text);
        assert_eq!(rows.sequence.row(0).0, [0]);
        assert_eq!(rows.sentence.row(0).0, [0, 1, 2]);
    }

    #[test]
    fn the_sum_over_tokens_is_the_count_of_the_text() {
        let texts = ["Book a table, 2 of us", "né à 10:30"];
        let fitted = fitted(json!({"analyzer": "char_wb", "max_ngram": 4}), &texts);
        let rows = fitted.rows(&documents(&texts), Attribute::Text);
        let prepared = Prepared::of(fitted.options());
        let counter = Counter {
            prepared: &prepared,
            terms: prepared.terms(),
            vocabulary: &fitted.vocabularies()[&Attribute::Text],
            known: HashMap::new(),
        };
        let whole = counter.text("book a table __number__ of us");
        let (columns, values) = rows.sentence.row(0);
        let summed: Row = columns
            .iter()
            .copied()
            .zip(values.iter().copied())
            .collect();
        assert_eq!(summed, whole);
    }

    #[test]
    fn senseless_options_are_refused() {
        for (options, name) in [
            (json!({"min_ngram": 3}), "max_ngram"),
            (json!({"min_df": 1.5}), "min_df"),
        ] {
            let written = serde_json::from_value(options).unwrap();
            let error = fit(&read_options(&written).unwrap(), &[]).unwrap_err();
            assert_eq!(error.option, name);
        }
        let wrong = serde_json::from_value(json!({"analyzer": "words"})).unwrap();
        let error = read_options::<Options>(&wrong).unwrap_err();
        assert_eq!(error.option, "analyzer");
    }
}
