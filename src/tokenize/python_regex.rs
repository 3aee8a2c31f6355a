//! Regular expressions with the meaning that Python's `re` gives them.

use std::ops::Range;
use std::sync::LazyLock;

use fancy_regex::Regex;
use fancy_regex::RegexBuilder;

use super::characters::Characters;
use super::python_syntax::translate;

/// Whether upper and lower case differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaseSensitivity {
    /// `A` is not `a`.
    Sensitive,
    /// `re.IGNORECASE`.
    Insensitive,
}

/// A regular expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// It is not Python's syntax, or a part of it that is not supported.
    #[error("{reason} at character {at} of `{pattern}`")]
    Syntax {
        /// The expression.
        pattern: String,
        /// The place, in code points from 1.
        at: usize,
        /// What is wrong there.
        reason: String,
    },
    /// The engine refuses it.
    #[error("`{pattern}` is not a regular expression: {reason}")]
    Refused {
        /// The expression.
        pattern: String,
        /// What the engine says.
        reason: String,
    },
}

/// A compiled expression of Python's `re`.
///
/// `\b` and `$` mean slightly different things to Python and to the engine, and
/// the exact translation needs look-around, which is slow. So there are two
/// programs: a quick one for texts on which the meanings cannot differ (no mark
/// or joiner in it, no line break), and the exact one for the others.
///
/// Differs from Rasa: where the search backtracks more than a million steps, the
/// rest of the text counts as not matching, instead of running for hours.
#[derive(Clone, Debug)]
pub struct PythonRegex {
    quick: Regex,
    /// `None` when it is the same as the quick one.
    exact: Option<Regex>,
}

/// Characters that are part of a word for one of Python and the engine only.
static DISPUTED: LazyLock<Characters> = LazyLock::new(|| Characters::of(r"[\w~~[\p{L}\p{N}_]]"));

impl PythonRegex {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// When it is not one, or uses what is not supported (`\N{…}`, flags in the
    /// middle).
    pub fn new(pattern: &str, case: CaseSensitivity) -> Result<Self, RegexError> {
        let translated = translate(pattern).map_err(|(at, reason)| RegexError::Syntax {
            pattern: pattern.to_owned(),
            at: at + 1,
            reason,
        })?;
        let compile = |expression: &str| {
            let mut builder = RegexBuilder::new(expression);
            builder.case_insensitive(case == CaseSensitivity::Insensitive);
            builder.build().map_err(|error| RegexError::Refused {
                pattern: pattern.to_owned(),
                reason: error.to_string(),
            })
        };
        let differ = translated.quick != translated.exact;
        Ok(Self {
            quick: compile(&translated.quick)?,
            exact: if differ {
                Some(compile(&translated.exact)?)
            } else {
                None
            },
        })
    }

    /// Returns the number of groups.
    pub fn groups(&self) -> usize {
        self.quick.captures_len() - 1
    }

    /// Returns whether the expression matches somewhere.
    pub fn is_match(&self, text: &str) -> bool {
        self.program(text).is_match(text).unwrap_or(false)
    }

    /// Returns the bytes of all matches that do not overlap, from the left.
    pub fn find_all(&self, text: &str) -> Vec<Range<usize>> {
        let found = self.program(text).find_iter(text);
        found.map_while(Result::ok).map(|m| m.range()).collect()
    }

    /// Returns what `re.findall` would: of every match the first group, or all
    /// of it when there is no group.
    pub fn find_first_group(&self, text: &str) -> Vec<Range<usize>> {
        if self.groups() == 0 {
            return self.find_all(text);
        }
        let found = self.program(text).captures_iter(text);
        let groups = found
            .map_while(Result::ok)
            .map(|c| c.get(1).map(|m| m.range()));
        groups.flatten().collect()
    }

    fn program(&self, text: &str) -> &Regex {
        match &self.exact {
            Some(exact) if text.contains('\n') || is_disputed(text) => exact,
            _ => &self.quick,
        }
    }
}

fn is_disputed(text: &str) -> bool {
    !text.is_ascii() && text.chars().any(|c| DISPUTED.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, want: &[&str]) {
        let regex = PythonRegex::new(pattern, CaseSensitivity::Sensitive).unwrap();
        let found: Vec<&str> = regex.find_all(text).into_iter().map(|r| &text[r]).collect();
        assert_eq!(found, want, "{pattern}");
    }

    #[test]
    fn python_only_syntax_is_understood() {
        check(r"(?P<a>x)(?P=a)", "xxx", &["xx"]);
        check(r"\bx{,2}y", "xxy y", &["xxy", "y"]);
        check(r"a{b}", "a{b}", &["a{b}"]);
        check(r"[[]x[&&]", "[x&", &["[x&"]);
        check(r"air\ france\-1", "air france-1", &["air france-1"]);
        check(r"\u0041\x42", "AB", &["AB"]);
        check("(?x) a b # c\n | [ ]z", "ab z", &["ab", " z"]);
        check(r"x\Z", "x\nx", &["x"]);
        check(r"(?i)ab", "AB", &["AB"]);
        check(r"(?#note)a", "a", &["a"]);
        check(r"(?<!a)b(?=c)", "abc bc", &["b"]);
    }

    #[test]
    fn words_and_ends_are_those_of_python() {
        check(r"\b\w+\b", "नमस्ते ½x", &["नमस", "त", "½x"]);
        check(r"x$", "x\nx\n", &["x"]);
        check(r"(?m)x$", "x\nx\n", &["x", "x"]);
        check(r"\s", "\x1c", &["\x1c"]);
        check(r"(?a)\w+", "aéb", &["a", "b"]);
    }

    #[test]
    fn mistakes_have_a_place() {
        let error = PythonRegex::new("ab(c", CaseSensitivity::Sensitive).unwrap_err();
        assert!(error.to_string().contains("`ab(c`"), "{error}");
        let error = PythonRegex::new(r"ab\q", CaseSensitivity::Sensitive).unwrap_err();
        assert!(error.to_string().contains("character 3"), "{error}");
    }
}
