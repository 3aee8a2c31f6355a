//! Mends one thing that YAML forbids and Rasa reads: a quoted text that goes on
//! in lines indented no deeper than its key.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::import::yaml::Mistake;
use crate::import::yaml::Node;

/// Texts that are mended in a file at most.
const MEND_LIMIT: usize = 200;

/// Bytes that are parsed again at most, over all mends of a file.
const PARSE_LIMIT: usize = 32 << 20;

/// The parser's word for it.
pub const COMPLAINT: &str = "invalid indentation in quoted scalar";

/// Blanks that were put before lines of a text, so that places are those of the text
/// as it was written.
#[derive(Debug, Default)]
pub struct Shifts {
    by_line: BTreeMap<u32, u32>,
}

impl Shifts {
    /// Returns how many blanks were put before a line, counted from 1.
    pub fn before(&self, line: u32) -> u32 {
        self.by_line.get(&line).copied().unwrap_or(0)
    }

    /// Returns the column as it was written, of one in the mended text.
    pub fn written(&self, line: u32, column: u32) -> u32 {
        column.saturating_sub(self.before(line)).max(1)
    }
}

/// Parses a text, and once more after each quoted text that could be mended.
/// The larger the file, the fewer are. `parse` names places as they were written.
///
/// # Errors
///
/// Those of `parse`.
pub fn parse(
    text: &str,
    mut parse: impl FnMut(&str, &Shifts) -> Result<Node, Vec<Mistake>>,
) -> Result<Node, Vec<Mistake>> {
    let mut shifts = Shifts::default();
    let mut parsed = parse(text, &shifts);
    let mut mended = Cow::Borrowed(text);
    for _ in 0..MEND_LIMIT.min(PARSE_LIMIT / text.len().max(1)) {
        let Err(mistakes) = &parsed else { break };
        let Some(last) = mistakes.last().filter(|m| m.message.contains(COMPLAINT)) else {
            break;
        };
        let column = last.column + shifts.before(last.line);
        let Some((better, line_count)) = mend(&mended, last.line, column) else {
            break;
        };
        for line in last.line + 1..=last.line + line_count {
            *shifts.by_line.entry(line).or_default() += column;
        }
        parsed = parse(&better, &shifts);
        mended = Cow::Owned(better);
    }
    parsed
}

/// Indents the further lines of the quoted text that starts at a line and
/// column (from 1), each by `column` blanks, and says how many there are. Blanks at
/// the start of such lines are not part of the text, so its value stays the same.
///
/// Returns `None` if no quoted text starts there, or if it has no further line.
fn mend(text: &str, line: u32, column: u32) -> Option<(String, u32)> {
    let start = offset(text, line, column)?;
    let end = start + quoted_length(&text[start..])?;
    let quoted = &text[start..end];
    if !quoted.contains('\n') {
        return None;
    }
    let indent = format!("\n{}", " ".repeat(column as usize));
    let mended = quoted.replace('\n', &indent);
    let line_count = quoted.matches('\n').count() as u32;
    Some(([&text[..start], &mended, &text[end..]].concat(), line_count))
}

/// Returns the byte at which a line and column stand.
fn offset(text: &str, line: u32, column: u32) -> Option<usize> {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.checked_sub(1)? as usize)
        .map(str::len)
        .sum();
    let rest = text.get(before..)?;
    let (at, _) = rest.char_indices().nth(column.checked_sub(1)? as usize)?;
    Some(before + at)
}

/// Returns the bytes from the opening quote to the closing one.
fn quoted_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.first().filter(|b| matches!(b, b'"' | b'\''))?;
    let mut at = 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 2,
            b'\'' if quote == b'\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
            _ if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_lines_are_indented_and_nothing_else() {
        let text = "a:\n  - t: \"é \\\" x\n  y\n\n  z\"\n  - u: 1\n";
        let want = "a:\n  - t: \"é \\\" x\n          y\n        \n          z\"\n  - u: 1\n";
        assert_eq!(mend(text, 2, 8), Some((want.to_owned(), 3)));
        assert_eq!(mend(text, 1, 1), None);
        assert_eq!(mend("a: 'it''s'", 1, 4), None);
    }
}
