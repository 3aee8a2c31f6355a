//! Finds where in a file a piece stands of which only the beginning of the whole
//! is known.

use std::collections::HashMap;

use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;

/// Bytes of a line beyond which no exact place is sought: many may share it.
const LONGEST_LINE: usize = 10_000;

/// Lines below a key in which a name of its value is sought.
const LINES: usize = 200;

/// Bytes that one check looks through for names at most.
const SOUGHT: usize = 16 << 20;

/// The lines of files.
pub struct Lines<'t> {
    texts: &'t SourceMap,
    lines: HashMap<String, Vec<&'t str>>,
    /// Bytes that may still be looked through for names.
    left: usize,
}

impl<'t> Lines<'t> {
    /// Takes the texts that a project was read from.
    pub fn new(texts: &'t SourceMap) -> Self {
        Self {
            texts,
            lines: HashMap::new(),
            left: SOUGHT,
        }
    }

    /// Moves a diagnostic from the start of the example to the piece that it is
    /// about, where the line shows it: within brackets, or with those it has itself.
    pub fn narrow(&mut self, diagnostic: &mut Diagnostic, piece: &str) {
        if piece.is_empty() {
            return;
        }
        let Some((column, length)) = self.find(&diagnostic.place, piece) else {
            return;
        };
        diagnostic.place.column = column;
        diagnostic.length = length;
    }

    fn find(&mut self, place: &Place, piece: &str) -> Option<(u32, u32)> {
        let line = *self.of(place)?.first()?;
        if line.len() > LONGEST_LINE || piece.len() > line.len() {
            return None;
        }
        let at = match piece.contains(['[', ']', '(', ')']) {
            true => line.find(piece)?,
            false => line.find(&format!("[{piece}]"))? + 1,
        };
        let column = line[..at].chars().count() as u32 + 1;
        Some((column, piece.chars().count() as u32))
    }

    /// Moves a diagnostic from the start of the example to a bracket that stands
    /// behind the annotation of a piece.
    pub fn narrow_behind(&mut self, diagnostic: &mut Diagnostic, piece: &str, bracket: char) {
        let place = &diagnostic.place;
        let line = self.of(place).and_then(|lines| lines.first().copied());
        let Some(line) = line.filter(|line| line.len() <= LONGEST_LINE) else {
            return;
        };
        let marked = format!("[{piece}]");
        let behind = |(start, _): (usize, &str)| {
            let mark = start + marked.len();
            let closing = match line[mark..].chars().next()? {
                '(' => ')',
                '{' => '}',
                '[' => ']',
                _ => return None,
            };
            let end = mark + line[mark..].find(closing)? + 1;
            line[end..].starts_with(bracket).then_some(end)
        };
        if let Some(at) = line.match_indices(&marked).find_map(behind) {
            diagnostic.place.column = line[..at].chars().count() as u32 + 1;
            diagnostic.length = 1;
        }
    }

    /// Moves a diagnostic to a name of which only an example is known that has it: to
    /// the name in the example's line, or else in the nearest line above that names
    /// an intent.
    pub fn narrow_to_name(&mut self, diagnostic: &mut Diagnostic, name: &str) {
        if let Some((line, column)) = self.named(&diagnostic.place, name) {
            diagnostic.place.line = line;
            diagnostic.place.column = column;
        }
    }

    fn named(&mut self, place: &Place, name: &str) -> Option<(u32, u32)> {
        let own = *self.of(place)?.first()?;
        let mut behind = own.chars().skip((place.column as usize).checked_sub(1)?);
        if own.len() > LONGEST_LINE || name.chars().all(|letter| behind.next() == Some(letter)) {
            return None;
        }
        let mut left = self.left;
        let mut found = None;
        for number in (1..=place.line).rev() {
            let at = Place {
                line: number,
                ..place.clone()
            };
            let line = *self.of(&at)?.first()?;
            if line.len() > left {
                break;
            }
            left -= line.len();
            if number < place.line && !line.contains("intent") {
                continue;
            }
            if let Some(at) = word(line, name) {
                found = Some((number, line[..at].chars().count() as u32 + 1));
                break;
            }
        }
        self.left = left;
        found
    }

    /// Moves a diagnostic from the key of a map to a name within its value: the
    /// first that stands behind `before`, as a word of its own.
    pub fn narrow_below(&mut self, diagnostic: &mut Diagnostic, before: &str, name: &str) {
        if let Some((line, column)) = self.below(&diagnostic.place, before, name) {
            diagnostic.place.line = line;
            diagnostic.place.column = column;
            diagnostic.length = name.chars().count() as u32;
        }
    }

    fn below(&mut self, place: &Place, before: &str, name: &str) -> Option<(u32, u32)> {
        let indent = (place.column as usize).checked_sub(1)?;
        let piece = format!("{before}{name}");
        let mut left = self.left;
        let lines = self.of(place)?.iter().take(LINES);
        let mut found = None;
        for (number, line) in lines.enumerate() {
            let inner = line.trim_start();
            let is_out = match line.len() - inner.len() {
                own if own == indent => !inner.starts_with(['-', '#']),
                own => own < indent,
            };
            let is_end = number > 0 && is_out && !inner.is_empty();
            if is_end || line.len() > LONGEST_LINE || line.len() > left {
                break;
            }
            left -= line.len();
            // The key itself is not meant.
            let from = if number == 0 {
                inner.find(':').unwrap_or(0)
            } else {
                0
            };
            let from = from + line.len() - inner.len();
            let is_word = |at: &usize| {
                let after = line[from + at + piece.len()..].chars().next();
                !after.is_some_and(|after| after.is_alphanumeric() || "_-".contains(after))
            };
            let mut places = line[from..].match_indices(&piece).map(|(at, _)| at);
            if let Some(at) = places.find(is_word) {
                let column = line[..from + at + before.len()].chars().count() as u32 + 1;
                found = Some((place.line + number as u32, column));
                break;
            }
        }
        self.left = left;
        found
    }

    /// Returns the lines from a place on.
    fn of(&mut self, place: &Place) -> Option<&[&'t str]> {
        let text = self.texts.text(&place.file)?;
        let lines = self
            .lines
            .entry(place.file.to_string())
            .or_insert_with(|| text.split('\n').collect());
        lines.get((place.line as usize).checked_sub(1)?..)
    }
}

/// Returns where a name stands in a line as a word of its own.
fn word(line: &str, name: &str) -> Option<usize> {
    let is_part = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
    let is_word = |at: &usize| {
        let before = line[..*at].chars().next_back();
        let after = line[at + name.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    let mut places = line.match_indices(name).map(|(at, _)| at);
    places.find(is_word)
}
