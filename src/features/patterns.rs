//! Regular expressions and lookup tables of the training data, and where they
//! match.

use std::ops::Range;

use aho_corasick::AhoCorasick;
use serde::Deserialize;
use serde::Serialize;

use crate::data::NluData;
use crate::data::PhraseList;
use crate::data::Place;
use crate::tokenize::CaseSensitivity;
use crate::tokenize::PythonRegex;
use crate::tokenize::is_word;

/// A named pattern.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedPattern {
    /// Name; an entity type when `RegexEntityExtractor` is to use it.
    pub name: String,
    /// What is looked for.
    #[serde(flatten)]
    pub form: PatternForm,
    /// Where it was written.
    #[serde(skip)]
    pub place: Place,
}

/// What a pattern looks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PatternForm {
    /// A regular expression (Python syntax).
    Regex {
        /// The expression.
        pattern: String,
    },
    /// Any of some phrases; where several start at one place, the first listed.
    Lookup {
        /// The phrases.
        elements: PhraseList,
        /// Whether a phrase must begin and end at a word boundary.
        word_boundaries: bool,
    },
}

/// A pattern that is no regular expression.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the pattern `{name}` cannot be used: {reason}")]
pub struct PatternError {
    /// The pattern's name.
    pub name: String,
    /// Where it was written; unknown in a loaded model.
    pub place: Place,
    /// What is wrong with it.
    pub reason: String,
}

/// Which patterns a component uses, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatternChoice {
    /// Whether lookup tables count.
    pub use_lookup_tables: bool,
    /// Whether regular expressions count.
    pub use_regexes: bool,
    /// Whether phrases of a table match only whole words.
    pub use_word_boundaries: bool,
}

/// Returns the patterns of the training data: regular expressions sorted by
/// name and expression, then lookup tables. Tables without phrases are left
/// out.
///
/// Differs from Rasa: empty phrases of a table are ignored, where Rasa's
/// expression would match at every word boundary.
pub fn patterns(data: &NluData, choice: PatternChoice) -> Vec<NamedPattern> {
    let mut found = Vec::new();
    if choice.use_regexes {
        found.extend(data.patterns.iter().map(|regex| NamedPattern {
            name: regex.name.clone(),
            form: PatternForm::Regex {
                pattern: regex.pattern.clone(),
            },
            place: regex.place.clone(),
        }));
        found.sort_by_cached_key(|pattern| format!("{}{}", pattern.name, pattern.expression()));
    }
    if choice.use_lookup_tables {
        for table in &data.lookups {
            let elements = match table.elements.iter().any(str::is_empty) {
                true => table.elements.iter().filter(|e| !e.is_empty()).collect(),
                false => table.elements.clone(),
            };
            if elements.is_empty() {
                continue;
            }
            found.push(NamedPattern {
                name: table.name.clone(),
                form: PatternForm::Lookup {
                    elements,
                    word_boundaries: choice.use_word_boundaries,
                },
                place: table.place.clone(),
            });
        }
    }
    found
}

impl NamedPattern {
    /// Returns the regular expression that Rasa would use: that of a table has
    /// every phrase escaped.
    pub fn expression(&self) -> String {
        match &self.form {
            PatternForm::Regex { pattern } => pattern.clone(),
            PatternForm::Lookup {
                elements,
                word_boundaries,
            } => {
                let edge = if *word_boundaries { r"\b" } else { "" };
                let phrases: Vec<String> = elements
                    .iter()
                    .map(|element| format!("{edge}{}{edge}", escape(element)))
                    .collect();
                format!("({})", phrases.join("|"))
            }
        }
    }

    /// Compiles the pattern.
    ///
    /// # Errors
    ///
    /// If it is no regular expression, or a table too large for memory.
    pub fn matcher(&self, case: CaseSensitivity) -> Result<Matcher, PatternError> {
        let wrong = |reason: String| PatternError {
            name: self.name.clone(),
            place: self.place.clone(),
            reason,
        };
        match &self.form {
            PatternForm::Regex { pattern } => PythonRegex::new(pattern, case)
                .map(Matcher::Regex)
                .map_err(|error| wrong(error.to_string())),
            PatternForm::Lookup {
                elements,
                word_boundaries,
            } => Phrases::new(elements, *word_boundaries, case)
                .map(Matcher::Phrases)
                .map_err(|error| wrong(error.to_string())),
        }
    }
}

/// Python's `re.escape`.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"()[]{}?*+-|^$\.&~#".contains(c) || " \t\n\r\x0b\x0c".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A compiled pattern.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// A regular expression.
    Regex(PythonRegex),
    /// The phrases of a table.
    Phrases(Phrases),
}

impl Matcher {
    /// Returns the bytes of all matches that do not overlap, from the left.
    pub fn find_all(&self, text: &str) -> Vec<Range<usize>> {
        match self {
            Self::Regex(regex) => regex.find_all(text),
            Self::Phrases(phrases) => phrases.find_all(text),
        }
    }
}

/// Many phrases, found in one pass over the text.
#[derive(Clone, Debug)]
pub struct Phrases {
    automaton: AhoCorasick,
    word_boundaries: bool,
    case: CaseSensitivity,
}

impl Phrases {
    fn new(
        elements: &PhraseList,
        word_boundaries: bool,
        case: CaseSensitivity,
    ) -> Result<Self, aho_corasick::BuildError> {
        let automaton = match case {
            CaseSensitivity::Sensitive => AhoCorasick::new(elements.iter())?,
            CaseSensitivity::Insensitive => {
                AhoCorasick::new(elements.iter().map(|e| Folded::of(e).text))?
            }
        };
        Ok(Self {
            automaton,
            word_boundaries,
            case,
        })
    }

    /// Finds what the alternation of all phrases would: the leftmost place where
    /// any matches, there the first listed, and on from its end.
    fn find_all(&self, text: &str) -> Vec<Range<usize>> {
        let mut candidates: Vec<(usize, usize, usize)> = match self.case {
            CaseSensitivity::Sensitive => self.candidates(text, |byte| byte),
            CaseSensitivity::Insensitive => {
                let folded = Folded::of(text);
                self.candidates(&folded.text, |byte| folded.original(byte))
            }
        };
        if self.word_boundaries {
            candidates.retain(|c| is_boundary(text, c.0) && is_boundary(text, c.2));
        }
        candidates.sort_unstable();
        let mut from = 0;
        let mut found = Vec::new();
        for (start, _, end) in candidates {
            if start >= from {
                found.push(start..end);
                from = end;
            }
        }
        found
    }

    /// Returns `(start, phrase, end)` of every occurrence.
    fn candidates(&self, text: &str, at: impl Fn(usize) -> usize) -> Vec<(usize, usize, usize)> {
        let matches = self.automaton.find_overlapping_iter(text);
        let triples = matches.map(|m| (at(m.start()), m.pattern().as_usize(), at(m.end())));
        triples.collect()
    }
}

/// Python's `\b` at a byte of `text`.
fn is_boundary(text: &str, byte: usize) -> bool {
    let before = text[..byte].chars().next_back().is_some_and(is_word);
    before != text[byte..].chars().next().is_some_and(is_word)
}

/// A text without case, character by character.
struct Folded {
    text: String,
    /// `(byte in the folded text, byte in the original)` where they begin to
    /// differ by another distance; empty when they never do.
    shifts: Vec<(usize, usize)>,
}

impl Folded {
    fn of(original: &str) -> Self {
        let mut text = String::with_capacity(original.len());
        let mut shifts = Vec::new();
        for (byte, c) in original.char_indices() {
            let known = shifts
                .last()
                .map_or(text.len(), |&(f, o): &(usize, usize)| text.len() - f + o);
            if known != byte {
                shifts.push((text.len(), byte));
            }
            text.push(fold(c));
        }
        let known = shifts
            .last()
            .map_or(text.len(), |&(f, o)| text.len() - f + o);
        if known != original.len() {
            shifts.push((text.len(), original.len()));
        }
        Self { text, shifts }
    }

    fn original(&self, byte: usize) -> usize {
        let after = self.shifts.partition_point(|&(folded, _)| folded <= byte);
        match after.checked_sub(1) {
            Some(at) => byte - self.shifts[at].0 + self.shifts[at].1,
            None => byte,
        }
    }
}

/// Maps characters that `re.IGNORECASE` takes for equal to the same one: those
/// with one lower-case form, and the pairs that Python lists besides.
fn fold(c: char) -> char {
    let mut lower = c.to_lowercase();
    let first = lower.next().unwrap_or(c);
    match first {
        'ı' => 'i',
        'ſ' => 's',
        'µ' => 'μ',
        '\u{345}' | '\u{1fbe}' => 'ι',
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        '\u{3d0}' => 'β',
        '\u{3f5}' => 'ε',
        '\u{3d1}' => 'θ',
        '\u{3f0}' => 'κ',
        '\u{3d6}' => 'π',
        '\u{3f1}' => 'ρ',
        'ς' => 'σ',
        '\u{3d5}' => 'φ',
        '\u{1e9b}' => '\u{1e61}',
        '\u{fb06}' => '\u{fb05}',
        // `İ` alone has two lower-case characters, of which the first counts.
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lookup(elements: &[&str], word_boundaries: bool) -> NamedPattern {
        NamedPattern {
            name: "table".into(),
            form: PatternForm::Lookup {
                elements: elements.iter().collect(),
                word_boundaries,
            },
            place: Place::default(),
        }
    }

    #[test]
    fn the_first_listed_phrase_wins_where_several_start() {
        let table = lookup(&["new", "new york", "york city"], true);
        let found = table
            .matcher(CaseSensitivity::Sensitive)
            .unwrap()
            .find_all("new york city");
        assert_eq!(found, [0..3, 4..13]);
    }

    #[test]
    fn case_is_folded_by_character() {
        let table = lookup(&["ÄPFEL", "ΟΔΟΣ"], true);
        let matcher = table.matcher(CaseSensitivity::Insensitive).unwrap();
        assert_eq!(matcher.find_all("İ äpfel, οδος"), [3..9, 11..19]);
    }

    #[test]
    fn a_wrong_expression_names_its_pattern() {
        let pattern = NamedPattern {
            name: "zip".into(),
            form: PatternForm::Regex {
                pattern: "(".into(),
            },
            place: Place::default(),
        };
        let error = pattern.matcher(CaseSensitivity::Sensitive).unwrap_err();
        assert!(error.to_string().contains("`zip`"), "{error}");
    }

    proptest! {
        #[test]
        fn tables_match_what_their_expression_matches(
            elements in prop::collection::vec("[aBé+ -]{1,4}", 1..5),
            text in "[abBéÉ+ -]{0,20}",
            boundaries: bool,
            sensitive: bool,
        ) {
            let case = match sensitive {
                true => CaseSensitivity::Sensitive,
                false => CaseSensitivity::Insensitive,
            };
            let elements: Vec<&str> = elements.iter().map(String::as_str).collect();
            let table = lookup(&elements, boundaries);
            let regex = PythonRegex::new(&table.expression(), case).unwrap();
            let fast = table.matcher(case).unwrap();
            prop_assert_eq!(fast.find_all(&text), regex.find_all(&text));
        }
    }
}
