//! Lines of a Markdown file without comments, each of whose bytes still knows
//! where it stood in the file.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

/// What a comment starts with.
pub const OPENING: &str = "<!--";

/// A line without comments. Where a comment held line breaks, what stands
/// before and after it is one line.
#[derive(Debug)]
pub struct Line<'t> {
    /// The text, with blanks around it.
    pub text: Cow<'t, str>,
    /// The pieces that it was put together from; never empty.
    pieces: Vec<Piece>,
    /// Code points before every [`STRIDE`]th byte, once they were asked for.
    counts: OnceCell<Vec<u32>>,
}

/// Bytes of a long line that are counted together, so that the columns of all
/// its parts are found in linear time.
const STRIDE: usize = 512;

/// A piece of a line that stood in the file as it is.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Its first byte in the line.
    byte: usize,
    /// The line in the file, counted from 1.
    line: u32,
    /// The column in the file, in code points, counted from 1.
    column: u32,
}

impl Line<'_> {
    /// Returns line and column in the file of a byte of the text.
    pub fn position(&self, byte: usize) -> (u32, u32) {
        let after = self.pieces.partition_point(|piece| piece.byte <= byte);
        let piece = self.pieces[after.saturating_sub(1)];
        let before = self.code_points(byte) - self.code_points(piece.byte);
        (piece.line, piece.column + before)
    }

    /// Returns the number of code points that start before a byte.
    fn code_points(&self, byte: usize) -> u32 {
        let bytes = self.text.as_bytes();
        let starts = |bytes: &[u8]| bytes.iter().filter(|b| **b & 0xc0 != 0x80).count() as u32;
        let byte = byte.min(bytes.len());
        let counts = self.counts.get_or_init(|| {
            let mut counts = vec![0];
            for block in bytes.chunks_exact(STRIDE) {
                counts.push(counts.last().copied().unwrap_or_default() + starts(block));
            }
            counts
        });
        let block = byte / STRIDE;
        counts[block] + starts(&bytes[block * STRIDE..byte])
    }

    /// Returns the text without blanks around it, and the byte at which it
    /// starts.
    pub fn trimmed(&self) -> (usize, &str) {
        let start = self.text.len() - self.text.trim_start().len();
        (start, self.text.trim())
    }
}

/// Returns the lines of a text without its comments, as NLU data has them.
///
/// Rasa 2.8: a comment ends at `-->` or `--!>`, on whatever line that is; one
/// that never ends is no comment.
pub fn without_comments(text: &str) -> Vec<Line<'_>> {
    put_together(text, 1, &comments(text))
}

/// Returns a line without the comments that end on it, as stories have them.
///
/// Rasa 2.8: such a comment ends at `-->` alone.
pub fn without_inner_comments(text: &str, number: u32) -> Line<'_> {
    let mut spans = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find(OPENING).map(|at| from + at) {
        let Some(close) = text[open + OPENING.len()..].find("-->") else {
            break;
        };
        from = open + OPENING.len() + close + 3;
        spans.push(open..from);
    }
    let mut lines = put_together(text, number, &spans);
    lines.pop().expect("a text has at least one line")
}

/// Returns where the comments of a text stand.
fn comments(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find(OPENING).map(|at| from + at) {
        let Some(end) = end_of_comment(text, open + OPENING.len()) else {
            break; // No later comment ends either.
        };
        spans.push(open..end);
        from = end;
    }
    spans
}

/// Returns the byte after the next `--`, any number of `!`, and `>`.
fn end_of_comment(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += text[at..].find("--")? + 1;
        let rest = text[at + 1..].trim_start_matches('!');
        if rest.starts_with('>') {
            return Some(text.len() - rest.len() + 1);
        }
    }
}

/// Cuts what is left of a text into lines.
fn put_together<'t>(text: &'t str, number: u32, comments: &[Range<usize>]) -> Vec<Line<'t>> {
    let mut lines = Vec::new();
    let mut open: Option<Line<'t>> = None;
    let mut cursor = Piece {
        byte: 0,
        line: number,
        column: 1,
    };
    let stops = comments.iter().map(|span| span.start);
    let stops = stops.chain(std::iter::once(text.len()));
    let starts = std::iter::once(0).chain(comments.iter().map(|span| span.end));
    for (start, end) in starts.zip(stops) {
        cursor.advance(&text[cursor.byte..start]);
        for part in text[start..end].split_inclusive('\n') {
            let kept = part.strip_suffix('\n').unwrap_or(part);
            append(&mut open, kept, cursor);
            cursor.advance(part);
            if kept.len() < part.len() {
                lines.extend(open.take());
            }
        }
    }
    if lines.is_empty() && open.is_none() {
        append(&mut open, "", cursor);
    }
    lines.extend(open);
    lines
}

impl Piece {
    /// Moves over a text.
    fn advance(&mut self, text: &str) {
        self.byte += text.len();
        self.line += text.matches('\n').count() as u32;
        self.column = match text.rfind('\n') {
            Some(at) => 1 + text[at + 1..].chars().count() as u32,
            None => self.column + text.chars().count() as u32,
        };
    }
}

/// Appends a piece to the line that is open, or opens one with it.
fn append<'t>(open: &mut Option<Line<'t>>, text: &'t str, at: Piece) {
    match open {
        Some(line) => {
            let byte = line.text.len();
            line.text.to_mut().push_str(text);
            line.pieces.push(Piece { byte, ..at });
        }
        None => {
            *open = Some(Line {
                text: Cow::Borrowed(text),
                pieces: vec![Piece { byte: 0, ..at }],
                counts: OnceCell::new(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(String, u32, u32)> {
        without_comments(text)
            .iter()
            .map(|line| {
                let (start, trimmed) = line.trimmed();
                let (number, column) = line.position(start);
                (trimmed.to_owned(), number, column)
            })
            .filter(|(text, ..)| !text.is_empty())
            .collect()
    }

    fn want(lines: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
        let own = |(text, line, column): &(&str, u32, u32)| ((*text).to_owned(), *line, *column);
        lines.iter().map(own).collect()
    }

    #[test]
    fn comments_are_left_out_and_places_stay_true() {
        let text = "<!-- a\nb --> - é one\n  - two <!-- c --!> x\n<!----->- three";
        let lines = [("- é one", 2, 7), ("- two  x", 3, 3), ("- three", 4, 9)];
        assert_eq!(shown(text), want(&lines));
        let line = &without_comments(text)[1];
        assert_eq!(line.position(line.text.find('x').unwrap()), (3, 21));
    }

    #[test]
    fn a_comment_that_never_ends_is_text() {
        assert_eq!(
            shown("- a <!-- b\n- c"),
            want(&[("- a <!-- b", 1, 1), ("- c", 2, 1)])
        );
        assert_eq!(shown(""), want(&[]));
    }

    #[test]
    fn a_line_of_a_story_loses_the_comments_that_end_on_it() {
        let line = without_inner_comments("  > a <!-- b --> c <!-- d", 7);
        assert_eq!(line.text, "  > a  c <!-- d");
        assert_eq!(line.position(line.text.find('c').unwrap()), (7, 18));
    }

    #[test]
    fn comments_without_end_take_linear_time() {
        for piece in ["<!--", "--", "--!", "<!-- -->", "<!--\n", "-"] {
            let text = piece.repeat(200_000);
            assert!(without_comments(&text).len() <= 200_001);
        }
        let bangs = format!("<!--{}", "--!!!!!!!!!!".repeat(100_000));
        assert_eq!(without_comments(&bangs).len(), 1);
    }
}
