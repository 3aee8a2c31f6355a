//! Cuts a text into the terms that a count vectorizer counts.

use serde::Deserialize;
use serde::Serialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use crate::tokenize::is_space;
use crate::tokenize::is_word;

/// What a term is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Analyzer {
    /// A word, or several in a row.
    #[default]
    Word,
    /// Some characters in a row.
    Char,
    /// Some characters in a row within a word padded by one space on each side.
    CharWb,
}

/// How accents are taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accents {
    /// Decompose (NFKD) and keep what is ASCII.
    Ascii,
    /// Decompose (NFKD) and drop combining characters.
    Unicode,
}

/// How texts become terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'o> {
    pub analyzer: Analyzer,
    pub min_ngram: usize,
    pub max_ngram: usize,
    pub lowercase: bool,
    pub accents: Option<Accents>,
    /// Sorted.
    pub stop_words: &'o [String],
}

impl Terms<'_> {
    /// Returns whether the terms of a text are those of its tokens together.
    pub fn are_within_tokens(&self) -> bool {
        match self.analyzer {
            Analyzer::Word => self.max_ngram == 1,
            Analyzer::Char => false,
            Analyzer::CharWb => true,
        }
    }

    /// Calls `emit` with each term of `text`, repeated ones included.
    ///
    /// # Source
    ///
    /// scikit-learn 1.1 `CountVectorizer` with the token pattern `\b\w+\b`.
    pub fn of(&self, text: &str, emit: &mut impl FnMut(&str)) {
        let text = self.prepare(text);
        match self.analyzer {
            Analyzer::Word => self.words(&text, emit),
            Analyzer::Char => self.characters(&collapse_space(&text), emit),
            Analyzer::CharWb => {
                let mut padded = String::new();
                for word in text.split(is_space).filter(|word| !word.is_empty()) {
                    padded.clear();
                    padded.extend([" ", word, " "]);
                    self.padded_word(&padded, emit);
                }
            }
        }
    }

    fn prepare(&self, text: &str) -> String {
        let text = match self.lowercase {
            true => text.to_lowercase(),
            false => text.to_owned(),
        };
        match self.accents {
            Some(Accents::Ascii) => text.nfkd().filter(char::is_ascii).collect(),
            Some(Accents::Unicode) if !text.is_ascii() => {
                let kept = text.nfkd().filter(|c| canonical_combining_class(*c) == 0);
                kept.collect()
            }
            _ => text,
        }
    }

    fn words(&self, text: &str, emit: &mut impl FnMut(&str)) {
        let is_stop = |word: &str| {
            let found = self
                .stop_words
                .binary_search_by(|stop| stop.as_str().cmp(word));
            found.is_ok()
        };
        let words: Vec<&str> = text
            .split(|c| !is_word(c))
            .filter(|word| !word.is_empty() && !is_stop(word))
            .collect();
        if self.max_ngram == 1 {
            return words.into_iter().for_each(emit);
        }
        for length in self.min_ngram..=self.max_ngram.min(words.len()) {
            for window in words.windows(length) {
                emit(&window.join(" "));
            }
        }
    }

    fn characters(&self, text: &str, emit: &mut impl FnMut(&str)) {
        let starts = starts(text);
        let count = starts.len() - 1;
        for length in self.min_ngram..=self.max_ngram.min(count) {
            for first in 0..=count - length {
                emit(&text[starts[first]..starts[first + length]]);
            }
        }
    }

    /// The whole word counts once for the first length that it does not exceed,
    /// and no longer one is tried.
    fn padded_word(&self, word: &str, emit: &mut impl FnMut(&str)) {
        let starts = starts(word);
        let count = starts.len() - 1;
        for length in self.min_ngram..=self.max_ngram {
            if length >= count {
                return emit(word);
            }
            for first in 0..=count - length {
                emit(&word[starts[first]..starts[first + length]]);
            }
        }
    }
}

/// The byte at which each character starts, and the length.
fn starts(text: &str) -> Vec<usize> {
    let starts = text.char_indices().map(|(byte, _)| byte);
    starts.chain([text.len()]).collect()
}

/// Replaces runs of two or more white-space characters by one space.
fn collapse_space(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let mut is_run = false;
        while is_space(c) && chars.next_if(|next| is_space(*next)).is_some() {
            is_run = true;
        }
        out.push(if is_run { ' ' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(terms: Terms<'_>, text: &str, want: &[&str]) {
        let mut found = Vec::new();
        terms.of(text, &mut |term| found.push(term.to_owned()));
        assert_eq!(found, want);
    }

    fn terms(analyzer: Analyzer, min_ngram: usize, max_ngram: usize) -> Terms<'static> {
        Terms {
            analyzer,
            min_ngram,
            max_ngram,
            lowercase: true,
            accents: None,
            stop_words: &[],
        }
    }

    #[test]
    fn padded_words_stop_at_their_length() {
        check(
            terms(Analyzer::CharWb, 1, 4),
            "hi a",
            &[
                " ", "h", "i", " ", " h", "hi", "i ", " hi", "hi ", " hi ", " ", "a", " ", " a",
                "a ", " a ",
            ],
        );
        let five = [" he", "hel", "ell", "llo", "lo "];
        check(terms(Analyzer::CharWb, 3, 3), "hello", &five);
    }

    #[test]
    fn words_are_runs_of_word_characters() {
        check(
            terms(Analyzer::Word, 1, 1),
            "It's a-B_c ½",
            &["it", "s", "a", "b_c", "½"],
        );
        check(
            terms(Analyzer::Word, 1, 2),
            "a b c",
            &["a", "b", "c", "a b", "b c"],
        );
        check(terms(Analyzer::Word, 2, 2), "a", &[]);
    }

    #[test]
    fn stop_words_go_before_words_are_joined() {
        let stop_words = ["the".to_owned()];
        let with_stop = Terms {
            stop_words: &stop_words,
            ..terms(Analyzer::Word, 2, 2)
        };
        check(with_stop, "in the end", &["in end"]);
    }

    #[test]
    fn characters_cross_words_and_runs_of_space_count_once() {
        check(
            terms(Analyzer::Char, 2, 2),
            "a  \tb\tc",
            &["a ", " b", "b\t", "\tc"],
        );
    }

    #[test]
    fn accents_are_taken_away_after_lowering() {
        let of = |accents| Terms {
            accents: Some(accents),
            ..terms(Analyzer::Word, 1, 1)
        };
        check(of(Accents::Unicode), "ÉLAN ﬁn ñ", &["elan", "fin", "n"]);
        check(of(Accents::Ascii), "Élan ß字x", &["elan", "x"]);
    }
}
