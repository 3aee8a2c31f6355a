//! Markdown of Rasa 1 and 2 to YAML: NLU data, responses and stories.
//!
//! Lines are turned one by one, so that comments stay where they were; a line that
//! means nothing is kept as a comment.

mod nlu;
mod responses;
mod stories;

use crate::import::markdown as import;

pub use nlu::Tables;
pub use nlu::nlu;
pub use responses::responses;
pub use stories::stories;

/// Returns the text of a Markdown file, with `\n` at line ends.
pub fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    text.trim_start_matches('\u{feff}').replace('\r', "\n")
}

/// A line without its comments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// Counted from 1.
    pub number: u32,
    /// The text, stripped.
    pub text: String,
    /// Lines of the comments that end on it.
    pub comments: Vec<String>,
}

/// Cuts a text into lines and takes comments (`<!-- … -->`) out of them. A
/// comment that does not end is text.
pub fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut line = Line::default();
    let mut number = 1;
    let mut rest = text;
    loop {
        let open = rest.find("<!--");
        let close = open.and_then(|open| Some(open + comment_length(&rest[open..])?));
        let (plain, comment, after) = match (open, close) {
            (Some(open), Some(close)) => (&rest[..open], &rest[open..close], &rest[close..]),
            _ => (rest, "", ""),
        };
        for (index, piece) in plain.split('\n').enumerate() {
            if index > 0 {
                finish(&mut line, &mut lines);
                number += 1;
            }
            line.number = number;
            line.text.push_str(piece);
        }
        if comment.is_empty() {
            break;
        }
        number += comment.matches('\n').count() as u32;
        line.number = number;
        let inner = comment.trim_start_matches("<!--");
        let inner = inner.trim_end_matches('>').trim_end_matches('!');
        let inner = inner.trim_end_matches('-').lines().map(str::trim);
        let inner = inner.filter(|line| !line.is_empty()).map(str::to_owned);
        line.comments.extend(inner);
        rest = after;
    }
    finish(&mut line, &mut lines);
    lines
}

fn finish(line: &mut Line, lines: &mut Vec<Line>) {
    let mut done = std::mem::take(line);
    done.text = done.text.trim().to_owned();
    lines.push(done);
}

/// Returns the bytes of the comment that a text starts with.
fn comment_length(text: &str) -> Option<usize> {
    let mut from = 4;
    loop {
        let dashes = from + text.get(from..)?.find("--")?;
        let after = text[dashes + 2..].trim_start_matches('!');
        if after.starts_with('>') {
            return Some(text.len() - after.len() + 1);
        }
        from = dashes + 1;
    }
}

/// Decodes the escapes that Rasa decodes in Markdown.
pub fn unescaped(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        let letter = match rest.as_bytes().get(at + 1) {
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            _ => None,
        };
        match letter {
            Some(letter) => {
                decoded.push(letter);
                rest = &rest[at + 2..];
            }
            None => {
                decoded.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    decoded + rest
}

/// What a Markdown file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Messages, synonyms, expressions, tables.
    Nlu,
    /// Responses of retrieval intents.
    Responses,
    /// Stories.
    Stories,
}

/// Returns what a Markdown file holds, as its reader knows it.
pub fn content(text: &str) -> Content {
    match import::recognise(text) {
        Some(import::Kind::Nlu) => Content::Nlu,
        Some(import::Kind::Responses) => Content::Responses,
        Some(import::Kind::Stories) | None => Content::Stories,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_taken_out_of_lines() {
        let read = lines("a <!-- one --> b\n<!-- two\nthree --!>c\n<!-- open\nd -->");
        let shown: Vec<(u32, &str, String)> = read
            .iter()
            .map(|l| (l.number, l.text.as_str(), l.comments.join("|")))
            .collect();
        let want = [
            (1, "a  b", "one".to_owned()),
            (3, "c", "two|three".to_owned()),
            (5, "", "open|d".to_owned()),
        ];
        assert_eq!(shown, want);
        assert_eq!(lines("<!-- open\nx").len(), 2);
    }

    #[test]
    fn many_comments_that_do_not_end_take_linear_time() {
        assert_eq!(lines(&"<!--".repeat(200_000)).len(), 1);
    }

    #[test]
    fn only_five_escapes_are_decoded() {
        assert_eq!(unescaped(r"a\n\d\\t"), "a\n\\d\\\t");
    }
}
