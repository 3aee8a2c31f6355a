//! A tokenizer with its options: which attributes are names, how names are
//! split, and the pattern that splits tokens further.

use rayon::prelude::*;
use serde::Deserialize;
use serde::Serialize;

use super::document::Attribute;
use super::document::Document;
use super::jieba::UserWords;
use super::jieba::Words;
use super::options::OptionError;
use super::options::read_options;
use super::python_regex::CaseSensitivity;
use super::python_regex::PythonRegex;
use super::token::CodePoints;
use super::token::Token;
use super::token::locate;
use super::whitespace::whitespace;
use crate::data::Example;
use crate::data::Options;

/// Options that all tokenizers have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenizerOptions {
    /// Whether names (of intents and actions) are split at the symbol.
    pub intent_tokenization_flag: bool,
    /// Where names are split.
    pub intent_split_symbol: String,
    /// Replaces each token by what this expression (Python syntax) finds in it.
    pub token_pattern: Option<String>,
    /// Splits a name into prefix and rest before it is tokenized (Rasa 3.6).
    pub prefix_separator_symbol: Option<String>,
}

impl Default for TokenizerOptions {
    fn default() -> Self {
        Self {
            intent_tokenization_flag: false,
            intent_split_symbol: "_".to_owned(),
            token_pattern: None,
            prefix_separator_symbol: None,
        }
    }
}

/// A tokenizer, ready for use.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    options: TokenizerOptions,
    pattern: Option<PythonRegex>,
    split: Split,
}

/// How texts are split.
#[derive(Clone, Debug)]
enum Split {
    /// `WhitespaceTokenizer`.
    Whitespace,
    /// `JiebaTokenizer`.
    Jieba(Words),
}

impl Tokenizer {
    /// Returns the `WhitespaceTokenizer` that these options describe.
    ///
    /// # Errors
    ///
    /// An option of the wrong type, an empty split symbol, or a
    /// `token_pattern` that is no expression or has more than one group.
    pub fn new(written: &Options) -> Result<Self, OptionError> {
        Self::with(read_options(written)?)
    }

    /// Returns the `JiebaTokenizer` that these options describe, with the words of
    /// its dictionaries. They are added when the first text is split.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::new`].
    pub fn jieba(options: TokenizerOptions, words: UserWords) -> Result<Self, OptionError> {
        Ok(Self {
            split: Split::Jieba(Words::with(words)),
            ..Self::with(options)?
        })
    }

    fn with(options: TokenizerOptions) -> Result<Self, OptionError> {
        if options.intent_split_symbol.is_empty() {
            return Err(OptionError::new("intent_split_symbol", "it is empty"));
        }
        let pattern = match &options.token_pattern {
            Some(pattern) => Some(token_pattern(pattern)?),
            None => None,
        };
        Ok(Self {
            options,
            pattern,
            split: Split::Whitespace,
        })
    }

    /// Splits a text that a user or bot says.
    pub fn text(&self, text: &str) -> Vec<Token> {
        let tokens = match &self.split {
            Split::Whitespace => whitespace(text),
            Split::Jieba(words) => words.split(text),
        };
        match &self.pattern {
            Some(pattern) => tokens
                .iter()
                .flat_map(|t| split_token(pattern, t))
                .collect(),
            None => tokens,
        }
    }

    /// Splits a name: a full retrieval label at `/`, then each part as the
    /// options say.
    ///
    /// # Source
    ///
    /// Rasa 3.6; `token_pattern` is for texts, not for names. A prefix that ends
    /// in `prefix_separator_symbol` and what follows it are split each by itself.
    pub fn name(&self, attribute: Attribute, name: &str) -> Vec<Token> {
        let mut words = Vec::new();
        match name.split_once('/') {
            Some((intent, key)) if attribute == Attribute::IntentResponseKey => {
                self.split_name(intent, &mut words);
                self.split_name(key, &mut words);
            }
            _ => self.split_name(name, &mut words),
        }
        locate(words, name)
    }

    /// Splits the attributes of a training example.
    pub fn example(&self, example: &Example) -> Document {
        let parts = [
            (Attribute::Text, Some(&example.text)),
            (Attribute::Intent, example.intent.as_ref()),
            (Attribute::Response, example.response.as_ref()),
            (
                Attribute::IntentResponseKey,
                example.intent_response_key.as_ref(),
            ),
        ];
        let mut document = Document::default();
        for (attribute, text) in parts {
            self.insert(&mut document, attribute, text.map_or("", String::as_str));
        }
        document
    }

    /// Splits all training examples, in order.
    pub fn examples(&self, examples: &[Example]) -> Vec<Document> {
        examples.par_iter().map(|e| self.example(e)).collect()
    }

    /// Returns a message that has this attribute alone, such as the action
    /// names and intents that Rasa adds from domain and stories.
    pub fn single(&self, attribute: Attribute, text: &str) -> Document {
        let mut document = Document::default();
        self.insert(&mut document, attribute, text);
        document
    }

    /// Gives `document` an attribute, unless its text is empty.
    pub fn insert(&self, document: &mut Document, attribute: Attribute, text: &str) {
        if text.is_empty() {
            return;
        }
        let tokens = match attribute.is_dense() {
            true => self.text(text),
            false => self.name(attribute, text),
        };
        document.insert(attribute, text, tokens);
    }

    fn split_name<'n>(&self, name: &'n str, words: &mut Vec<&'n str>) {
        let prefix = self.options.prefix_separator_symbol.as_deref();
        match prefix
            .filter(|symbol| !symbol.is_empty())
            .and_then(|symbol| name.split_once(symbol))
        {
            Some((prefix, rest)) => {
                self.split_at_symbol(prefix, words);
                self.split_at_symbol(rest, words);
            }
            None => self.split_at_symbol(name, words),
        }
    }

    fn split_at_symbol<'n>(&self, name: &'n str, words: &mut Vec<&'n str>) {
        match self.options.intent_tokenization_flag {
            true => words.extend(name.split(self.options.intent_split_symbol.as_str())),
            false => words.push(name),
        }
    }
}

fn token_pattern(pattern: &str) -> Result<PythonRegex, OptionError> {
    let regex = PythonRegex::new(pattern, CaseSensitivity::Sensitive)
        .map_err(|error| OptionError::new("token_pattern", error.to_string()))?;
    match regex.groups() {
        0 | 1 => Ok(regex),
        groups => Err(OptionError::new(
            "token_pattern",
            format!("it has {groups} groups, and a token can be only one of them; use `(?:…)`"),
        )),
    }
}

/// Returns the non-empty matches (or what the only group matched) as tokens;
/// the token itself when there is none.
fn split_token(pattern: &PythonRegex, token: &Token) -> Vec<Token> {
    let points = CodePoints::of(&token.text);
    let mut found = Vec::new();
    for range in pattern.find_first_group(&token.text) {
        if !range.is_empty() {
            let start = token.start + points.at_byte(range.start);
            found.push(Token::new(&token.text[range], start));
        }
    }
    if found.is_empty() {
        found.push(token.clone());
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tokenizer(options: serde_json::Value) -> Tokenizer {
        Tokenizer::new(&serde_json::from_value(options).unwrap()).unwrap()
    }

    #[track_caller]
    fn check(tokenizer: &Tokenizer, attribute: Attribute, name: &str, want: &[(&str, usize)]) {
        let tokens = tokenizer.name(attribute, name);
        let shown: Vec<(&str, usize)> = tokens.iter().map(|t| (&*t.text, t.start)).collect();
        assert_eq!(shown, want);
    }

    #[test]
    fn names_stay_whole_unless_the_flag_is_set() {
        let plain = tokenizer(json!({}));
        check(&plain, Attribute::Intent, "ask_hours", &[("ask_hours", 0)]);
        check(
            &plain,
            Attribute::IntentResponseKey,
            "faq/ask_a",
            &[("faq", 0), ("ask_a", 4)],
        );
        let split =
            tokenizer(json!({"intent_tokenization_flag": true, "intent_split_symbol": "+"}));
        check(&split, Attribute::Intent, "a+b_c", &[("a", 0), ("b_c", 2)]);
        check(
            &split,
            Attribute::IntentResponseKey,
            "f+g/a",
            &[("f", 0), ("g", 2), ("a", 4)],
        );
    }

    #[test]
    fn a_prefix_is_split_off() {
        let options = json!({"intent_tokenization_flag": true, "prefix_separator_symbol": "."});
        let prefixed = tokenizer(options);
        check(
            &prefixed,
            Attribute::Intent,
            "a_b.c_d",
            &[("a", 0), ("b", 2), ("c", 4), ("d", 6)],
        );
    }

    #[test]
    fn a_pattern_splits_tokens_and_keeps_those_it_does_not_match() {
        let split = tokenizer(json!({"token_pattern": r"[a-z]+|\d+"}));
        let shown: Vec<(String, usize)> = split
            .text("é12ab ÄÖ")
            .into_iter()
            .map(|t| (t.text, t.start))
            .collect();
        assert_eq!(
            shown,
            [("12".into(), 1), ("ab".into(), 3), ("ÄÖ".into(), 6)]
        );
    }

    #[test]
    fn a_wrong_pattern_is_reported() {
        for pattern in ["(a", "(a)(b)"] {
            let options = Options::from([("token_pattern".into(), json!(pattern))]);
            assert_eq!(
                Tokenizer::new(&options).unwrap_err().option,
                "token_pattern"
            );
        }
    }
}
