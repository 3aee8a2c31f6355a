//! Sets of characters by Unicode property, with a table for ASCII.
//!
//! Python and Rust disagree on what a word is: Python's `re` takes letters,
//! numbers and `_`; the Unicode recommendation (Rust, and the `regex` package
//! that Rasa's tokenizer uses) adds marks and leaves out `½` and its like.

use std::sync::LazyLock;

use regex_syntax::hir::Class;
use regex_syntax::hir::HirKind;

/// A set of characters.
#[derive(Clone, Debug)]
pub struct Characters {
    ascii: [bool; 128],
    /// Inclusive, ascending, without overlap.
    ranges: Vec<(char, char)>,
}

impl Characters {
    /// Returns the characters that a class of the `regex` crate matches, such
    /// as `[\p{L}_]`.
    ///
    /// # Panics
    ///
    /// If `class` is not a class of characters: it is always our own.
    pub fn of(class: &str) -> Self {
        let hir = regex_syntax::parse(class).expect("our own classes are correct");
        let HirKind::Class(Class::Unicode(class)) = hir.kind() else {
            panic!("`{class}` is not a class of characters");
        };
        let ranges: Vec<(char, char)> = class.iter().map(|r| (r.start(), r.end())).collect();
        let mut ascii = [false; 128];
        for (code, flag) in ascii.iter_mut().enumerate() {
            let c = code as u8 as char;
            *flag = ranges.iter().any(|&(first, last)| first <= c && c <= last);
        }
        Self { ascii, ranges }
    }

    /// Returns whether `c` is in the set.
    pub fn contains(&self, c: char) -> bool {
        if c.is_ascii() {
            return self.ascii[c as usize];
        }
        let at = self.ranges.partition_point(|&(_, last)| last < c);
        self.ranges.get(at).is_some_and(|&(first, _)| first <= c)
    }
}

/// Returns whether Python's `re` counts `c` among `\w`: letters, numbers, `_`.
pub fn is_word(c: char) -> bool {
    static WORD: LazyLock<Characters> = LazyLock::new(|| Characters::of(r"[\p{L}\p{N}_]"));
    WORD.contains(c)
}

/// Returns whether Python's `str.isspace` holds for `c`: white space and the
/// four ASCII separators.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_not_words_for_python() {
        assert!(is_word('é') && is_word('½') && is_word('_') && is_word('字'));
        assert!(!is_word('\u{93e}') && !is_word('-') && !is_word('Ⓐ'));
    }

    #[test]
    fn separators_are_space_for_python() {
        assert!(is_space('\x1d') && is_space('\u{a0}') && !is_space('\u{200b}'));
    }
}
