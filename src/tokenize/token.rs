//! A piece of a text, and the way from bytes to code points.

use serde::Deserialize;
use serde::Serialize;

/// A piece of a text. Its lemma is its text: no tokenizer here has another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The piece.
    pub text: String,
    /// First code point of the piece, counted from 0.
    pub start: usize,
    /// One past its last code point.
    pub end: usize,
}

impl Token {
    /// Returns the token `text` that begins at code point `start`.
    pub fn new(text: &str, start: usize) -> Self {
        Self {
            text: text.to_owned(),
            start,
            end: start + text.chars().count(),
        }
    }
}

/// Turns positions in bytes into positions in code points, and back.
#[derive(Clone, Debug)]
pub struct CodePoints {
    /// The byte at which each code point starts, and the length at the end;
    /// empty for ASCII, where both are the same.
    starts: Vec<u32>,
}

impl CodePoints {
    /// Returns the positions of `text`.
    pub fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self { starts: Vec::new() };
        }
        let starts = text.char_indices().map(|(byte, _)| byte as u32);
        Self {
            starts: starts.chain([text.len() as u32]).collect(),
        }
    }

    /// Returns the code point that starts at `byte`, or the one after it when
    /// none starts there.
    pub fn at_byte(&self, byte: usize) -> usize {
        match self.starts.is_empty() {
            true => byte,
            false => self
                .starts
                .partition_point(|&start| (start as usize) < byte),
        }
    }

    /// Returns the byte at which a code point starts; past the end, that of the
    /// end.
    pub fn byte_of(&self, code_point: usize) -> usize {
        match self.starts.last() {
            None => code_point,
            Some(&end) => *self.starts.get(code_point).unwrap_or(&end) as usize,
        }
    }

    /// Returns the piece of `text` between two code points, empty where there
    /// is none.
    pub fn slice<'t>(&self, text: &'t str, start: usize, end: usize) -> &'t str {
        let (first, last) = (self.byte_of(start), self.byte_of(end).min(text.len()));
        text.get(first..last).unwrap_or_default()
    }
}

/// Returns tokens for `words`, each found in `text` after the one before.
///
/// A word that is not found (which none of our splits can cause) is placed
/// where the search began.
pub(super) fn locate<'w>(words: impl IntoIterator<Item = &'w str>, text: &str) -> Vec<Token> {
    let (mut byte, mut point) = (0, 0);
    let mut tokens = Vec::new();
    for word in words {
        let skipped = text[byte..].find(word).unwrap_or(0);
        point += text[byte..byte + skipped].chars().count();
        let token = Token::new(word, point);
        byte = (byte + skipped + word.len()).min(text.len());
        point = token.end;
        tokens.push(token);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_and_bytes_agree() {
        let text = "a🍕é!";
        let points = CodePoints::of(text);
        assert_eq!(points.at_byte(5), 2);
        assert_eq!(points.byte_of(2), 5);
        assert_eq!(points.slice(text, 1, 3), "🍕é");
        assert_eq!(points.slice(text, 3, 9), "!");
        assert_eq!(CodePoints::of("abc").slice("abc", 1, 9), "bc");
    }
}
