//! A YAML file that is edited as text: where each value, key and comment stands.
//!
//! Unlike the tree that readers use, this one keeps aliases as they are written
//! and knows where values end; it judges nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;

use crate::import::yaml;

/// The text of a file, and its tree.
#[derive(Debug)]
pub struct Source {
    /// The text, with `\n` at line ends.
    pub text: String,
    /// The top-level value.
    pub root: Piece,
    /// Comments from `#` on, in order.
    pub comments: Vec<Range<usize>>,
    /// Values with an anchor, by its number.
    anchors: BTreeMap<usize, Piece>,
    bytes: Vec<u8>,
    /// Whether `text` is what `bytes` say but for byte order mark and line ends:
    /// neither were `\u` escapes decoded, nor was anything mended.
    is_literal: bool,
}

/// A value and the bytes of the text that it takes.
#[derive(Clone, Debug)]
pub struct Piece {
    /// From its anchor or tag on, if it has one; else from its first letter. A
    /// block scalar's is where its content starts.
    pub range: Range<usize>,
    /// What it is.
    pub shape: Shape,
}

/// The shape of a value.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A word, number or text, after unquoting.
    Scalar(String, ScalarStyle),
    /// A list; whether it is in brackets.
    List(Vec<Piece>, bool),
    /// A map of keys and values; whether it is in braces.
    Map(Vec<(Piece, Piece)>, bool),
    /// The value that the anchor of this number names.
    Alias(usize),
}

impl Piece {
    /// Returns the text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Returns whether nothing is written, or null.
    pub fn is_null(&self) -> bool {
        match &self.shape {
            Shape::Scalar(text, ScalarStyle::Plain) => yaml::scalar::plain_value(text).is_null(),
            _ => false,
        }
    }

    /// Returns the items of a list; none of anything else.
    pub fn items(&self) -> &[Piece] {
        match &self.shape {
            Shape::List(items, _) => items,
            _ => &[],
        }
    }

    /// Returns the entries of a map; none of anything else.
    pub fn entries(&self) -> &[(Piece, Piece)] {
        match &self.shape {
            Shape::Map(entries, _) => entries,
            _ => &[],
        }
    }

    /// Returns the entry of a key.
    pub fn entry(&self, key: &str) -> Option<&(Piece, Piece)> {
        let mut entries = self.entries().iter();
        entries.find(|(at, _)| at.text() == Some(key))
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &str) -> Option<&Piece> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Returns whether it is written in brackets or braces.
    pub fn is_flow(&self) -> bool {
        matches!(self.shape, Shape::List(_, true) | Shape::Map(_, true))
    }
}

impl Source {
    /// Reads a file, or returns `None` if it is not one document of YAML.
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let text = yaml::text::decode(&bytes).ok()?;
        let written = std::str::from_utf8(&bytes).ok()?;
        let plain = written.trim_start_matches('\u{feff}').replace("\r\n", "\n");
        let mut is_literal = plain.replace('\r', "\n") == text;
        let (text, (root, anchors)) = match parse(&text) {
            Some(parsed) => (text, parsed),
            None => {
                let mended = yaml::mended(&text);
                let parsed = parse(&mended)?;
                is_literal = false;
                (mended, parsed)
            }
        };
        let mut source = Self {
            comments: Vec::new(),
            anchors,
            text,
            root,
            bytes,
            is_literal,
        };
        source.comments = source.find_comments();
        Some(source)
    }

    /// Returns the bytes of the file with edits of the text put in.
    ///
    /// All that is not edited stays as it was, with its own line ends; what is
    /// new gets those of the first line. A file whose `\u` escapes were decoded
    /// gets the letters that they stand for, and one that was mended stays so.
    pub fn with(&self, edits: &Edits) -> Vec<u8> {
        let text = edits.apply(&self.text);
        if edits.list.is_empty() {
            return self.bytes.clone();
        }
        let is_crlf = self
            .bytes
            .iter()
            .position(|b| *b == b'\n')
            .is_some_and(|at| at > 0 && self.bytes[at - 1] == b'\r');
        if !self.is_literal {
            return match is_crlf {
                true => text.replace('\n', "\r\n").into_bytes(),
                false => text.into_bytes(),
            };
        }
        let offsets = self.offsets();
        let mut bytes = Vec::with_capacity(self.bytes.len() + text.len());
        let mut from = 0;
        for (range, new) in edits.sorted() {
            bytes.extend(&self.bytes[from..offsets[range.start]]);
            match is_crlf {
                true => bytes.extend(new.replace('\n', "\r\n").into_bytes()),
                false => bytes.extend(new.as_bytes()),
            }
            from = offsets[range.end];
        }
        bytes.extend(&self.bytes[from..]);
        bytes
    }

    /// Returns the place in `bytes` of every place in `text`.
    fn offsets(&self) -> Vec<usize> {
        let mark = match self.bytes.starts_with(b"\xef\xbb\xbf") {
            true => 3,
            false => 0,
        };
        let mut offsets = Vec::with_capacity(self.text.len() + 1);
        let mut at = mark;
        for byte in self.text.bytes() {
            offsets.push(at);
            let is_pair = byte == b'\n' && self.bytes[at..].starts_with(b"\r\n");
            at += if is_pair { 2 } else { 1 };
        }
        offsets.push(at);
        offsets
    }

    /// Finds comments in what lies between scalars.
    fn find_comments(&self) -> Vec<Range<usize>> {
        let mut scalars = Vec::new();
        self.root.collect_scalars(&mut scalars);
        scalars.sort_by_key(|range| range.start);
        let mut comments = Vec::new();
        let mut from = 0;
        for scalar in scalars
            .into_iter()
            .chain(std::iter::once(self.text.len()..self.text.len()))
        {
            if scalar.start > from {
                self.comments_between(from..scalar.start, &mut comments);
            }
            from = from.max(scalar.end);
        }
        comments
    }

    fn comments_between(&self, gap: Range<usize>, comments: &mut Vec<Range<usize>>) {
        let mut at = gap.start;
        while let Some(hash) = self.text[at..gap.end].find('#').map(|found| at + found) {
            let before = self.text[..hash].chars().next_back();
            if !before.is_none_or(char::is_whitespace) {
                at = hash + 1;
                continue;
            }
            let end = self.text[hash..]
                .find('\n')
                .map_or(self.text.len(), |n| hash + n);
            comments.push(hash..end);
            at = end.min(gap.end);
        }
    }

    /// Returns the start of the line that a place is on.
    pub fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// Returns the start of the line after the one that a place is on.
    pub fn line_end(&self, at: usize) -> usize {
        self.text[at..]
            .find('\n')
            .map_or(self.text.len(), |n| at + n + 1)
    }

    /// Returns the column of a place, counted from 0 in bytes.
    pub fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// Returns the line of a place, counted from 1.
    pub fn line(&self, at: usize) -> u32 {
        self.text[..at].matches('\n').count() as u32 + 1
    }

    /// Returns where the last letter of a value ends, without a line end.
    pub fn end(&self, piece: &Piece) -> usize {
        piece.range.start + self.text[piece.range.clone()].trim_end().len()
    }

    /// Returns what an alias means; any other value is what it is.
    pub fn meant<'p>(&'p self, piece: &'p Piece) -> &'p Piece {
        match piece.shape {
            Shape::Alias(anchor) => self.anchors.get(&anchor).unwrap_or(piece),
            _ => piece,
        }
    }

    /// Returns the value of a key of a map, or of the maps that it brings in.
    pub fn get<'p>(&'p self, map: &'p Piece, key: &str) -> Option<&'p Piece> {
        let map = self.meant(map);
        let own = map.get(key).map(|value| self.meant(value));
        own.or_else(|| {
            let merged = self.meant(map.get("<<")?);
            match merged.items() {
                [] => self.meant(merged).get(key),
                maps => maps.iter().find_map(|map| self.meant(map).get(key)),
            }
            .map(|value| self.meant(value))
        })
    }

    /// Returns the place behind the colon of a key.
    pub fn behind_colon(&self, key: &Piece) -> usize {
        let from = key.range.end;
        self.text[from..]
            .find(':')
            .map_or(from, |colon| from + colon + 1)
    }

    /// Returns the comments that start in a range, with their `#`.
    pub fn comments_in(&self, range: Range<usize>) -> Vec<&str> {
        let from = self.comments.partition_point(|c| c.start < range.start);
        let inside = self.comments[from..].iter();
        let inside = inside.take_while(|comment| comment.start < range.end);
        inside.map(|comment| &self.text[comment.clone()]).collect()
    }
}

impl Piece {
    fn collect_scalars(&self, ranges: &mut Vec<Range<usize>>) {
        match &self.shape {
            Shape::Scalar(..) | Shape::Alias(_) => ranges.push(self.range.clone()),
            Shape::List(items, _) => items.iter().for_each(|i| i.collect_scalars(ranges)),
            Shape::Map(entries, _) => {
                for (key, value) in entries {
                    key.collect_scalars(ranges);
                    value.collect_scalars(ranges);
                }
            }
        }
    }
}

/// Lists and maps inside each other at most, as in the reader of all files.
const DEPTH_LIMIT: usize = 64;

/// A list or map that is not complete yet.
struct Open {
    start: usize,
    is_map: bool,
    anchor: usize,
    pieces: Vec<Piece>,
}

/// Parses the one document of a text; an empty text is an empty map.
fn parse(text: &str) -> Option<(Piece, BTreeMap<usize, Piece>)> {
    // The parser counts letters, edits count bytes.
    let mut bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    bytes.push(text.len());
    let byte = |index: usize| *bytes.get(index).unwrap_or(&text.len());
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    let mut anchors = BTreeMap::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.ok()?;
        let (start, end) = (byte(span.start.index()), byte(span.end.index()));
        let (piece, anchor) = match event {
            Event::Scalar(value, style, anchor, _) => {
                let shape = Shape::Scalar(value.into_owned(), style);
                let range = start..quote_end(&text[start..], style).map_or(end, |n| start + n);
                (Piece { range, shape }, anchor)
            }
            Event::Alias(anchor) => {
                let shape = Shape::Alias(anchor);
                let range = start..end;
                (Piece { range, shape }, 0)
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                if open.len() >= DEPTH_LIMIT {
                    return None;
                }
                open.push(Open {
                    start,
                    is_map: matches!(event, Event::MappingStart(..)),
                    anchor,
                    pieces: Vec::new(),
                });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let open = open.pop()?;
                let anchor = open.anchor;
                (close(text, open, start), anchor)
            }
            _ => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, piece.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.pieces.push(piece),
            None if root.is_none() => root = Some(piece),
            None => return None,
        }
    }
    let empty = Piece {
        range: text.len()..text.len(),
        shape: Shape::Map(Vec::new(), false),
    };
    let root = root.filter(|root| !root.is_null()).unwrap_or(empty);
    Some((root, anchors))
}

/// Returns a finished list or map; `at` is where the parser saw its end.
fn close(text: &str, open: Open, at: usize) -> Piece {
    let is_flow = at > open.start
        && matches!(text.as_bytes().get(at), Some(b']' | b'}'))
        && starts_flow(&text[open.start..]);
    let last = open
        .pieces
        .last()
        .map_or(open.start, |piece| piece.range.end);
    let end = if is_flow { at + 1 } else { last };
    let mut pieces = open.pieces.into_iter();
    let shape = match open.is_map {
        false => Shape::List(pieces.collect(), is_flow),
        true => {
            let mut entries = Vec::new();
            while let (Some(key), Some(value)) = (pieces.next(), pieces.next()) {
                entries.push((key, value));
            }
            Shape::Map(entries, is_flow)
        }
    };
    Piece {
        range: open.start..end,
        shape,
    }
}

/// Returns the bytes up to the closing quote of a quoted scalar: the parser counts
/// what follows on the line in.
fn quote_end(text: &str, style: ScalarStyle) -> Option<usize> {
    let quote = match style {
        ScalarStyle::SingleQuoted => b'\'',
        ScalarStyle::DoubleQuoted => b'"',
        _ => return None,
    };
    let bytes = text.as_bytes();
    let mut at = bytes.iter().position(|byte| *byte == quote)? + 1;
    while let Some(&byte) = bytes.get(at) {
        let is_pair = quote == b'\'' && byte == quote && bytes.get(at + 1) == Some(&quote);
        match byte {
            b'\\' if quote == b'"' => at += 2,
            _ if is_pair => at += 2,
            _ if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Returns whether a value starts with a bracket, behind anchor and tag.
fn starts_flow(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let first = words.find(|word| !word.starts_with(['&', '!']));
    first.is_some_and(|word| word.starts_with(['[', '{']))
}

/// Edits of a text, in any order; no two may touch the same letters.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    list: Vec<(Range<usize>, String)>,
}

impl Edits {
    /// Puts `new` in the place of a range.
    pub fn replace(&mut self, range: Range<usize>, new: impl Into<String>) {
        self.list.push((range, new.into()));
    }

    /// Puts `new` before a place; of several at one place the first comes first.
    pub fn insert(&mut self, at: usize, new: impl Into<String>) {
        self.replace(at..at, new);
    }

    /// Adds all of another list.
    pub fn extend(&mut self, other: Edits) {
        self.list.extend(other.list);
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn sorted(&self) -> Vec<&(Range<usize>, String)> {
        let mut sorted: Vec<_> = self.list.iter().collect();
        sorted.sort_by_key(|(range, _)| (range.start, range.end));
        sorted
    }

    fn apply(&self, text: &str) -> String {
        let mut new = String::with_capacity(text.len());
        let mut from = 0;
        for (range, piece) in self.sorted() {
            new.push_str(&text[from..range.start]);
            new.push_str(piece);
            from = range.end;
        }
        new + &text[from..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Source {
        Source::read(text.as_bytes().to_vec()).unwrap()
    }

    #[track_caller]
    fn check(text: &str, key: &str, want: &str) {
        let source = read(text);
        let piece = source.root.get(key).unwrap();
        let end = source.end(piece);
        assert_eq!(&source.text[piece.range.start..end], want);
    }

    #[test]
    fn values_know_where_they_start_and_end() {
        let text = "é: {a: [1, 'x}'], b: {}} # c\nl:\n- a: 1\n  b: |\n    text\n\n# end\nw: \"q\n  r\"\nn:\n";
        check(text, "é", "{a: [1, 'x}'], b: {}}");
        check(text, "l", "a: 1\n  b: |\n    text");
        check(text, "w", "\"q\n  r\"");
        check(text, "n", "");
    }

    #[test]
    fn comments_are_what_no_scalar_holds() {
        let text = "# a\nb: '# ''c' # d\ne: |  # f\n  # g\nh: x#i # j\nl: \"\\\"\"   # m\n# k";
        let source = read(text);
        let all = source.comments_in(0..text.len());
        assert_eq!(all, ["# a", "# d", "# f", "# j", "# m", "# k"]);
    }

    #[test]
    fn what_is_not_edited_keeps_its_line_ends_and_its_mark() {
        let text = "\u{feff}a: 1\r\nb: 2\nc: é\r\n";
        let source = read(text);
        let mut edits = Edits::default();
        let b = &source.root.entry("b").unwrap().1;
        edits.replace(b.range.clone(), "3");
        edits.insert(source.text.len(), "d: 4\n");
        let bytes = source.with(&edits);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "\u{feff}a: 1\r\nb: 3\nc: é\r\nd: 4\r\n"
        );
    }

    #[test]
    fn a_file_that_nests_too_deeply_is_not_read() {
        let text = format!("a: {}", "[".repeat(100_000));
        assert!(Source::read(text.into_bytes()).is_none());
    }

    #[test]
    fn a_file_without_edits_is_the_same_bytes() {
        let text = "a: \\u00e9\r\n";
        let source = read(text);
        assert_eq!(source.with(&Edits::default()), text.as_bytes());
    }
}
