//! Texts in blocks of lines: literal (`|`) and folded (`>`).

use crate::import::yaml::Slice;
use crate::import::yaml::Style;
use crate::import::yaml::quick::Cursor;
use crate::import::yaml::quick::GiveUp;
use crate::import::yaml::quick::scalars::Word;

/// What becomes of the line ends at the end of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chomp {
    /// `-`: none stays.
    Strip,
    /// One stays.
    Clip,
    /// `+`: all stay.
    Keep,
}

/// Reads a block that belongs to what is indented by `parent`; the cursor is
/// then at the start of the line behind it.
pub fn read(cursor: &mut Cursor<'_>, parent: isize) -> Result<Word, GiveUp> {
    let is_literal = cursor.byte() == b'|';
    cursor.at += 1;
    let (chomp, increment) = header(cursor)?;
    if cursor.is_at_end() {
        return Err(GiveUp);
    }
    cursor.next_line();
    let first_line = cursor.line;
    let blank_count = skip_blank_lines(cursor)?;
    let own = cursor.indent();
    let indent = match increment {
        Some(increment) => usize::try_from(parent).unwrap_or(0) + increment,
        None => own,
    };
    let is_odd = increment.is_some() && blank_count > 0;
    if own < indent || indent as isize <= parent || is_odd {
        return Err(GiveUp);
    }
    let at = cursor.place(cursor.line_start + indent, cursor.line_start + indent);
    let lines = Lines {
        indent,
        is_literal,
        blank_count,
    };
    cursor.at = cursor.line_start + indent;
    let text = lines.read(cursor, chomp)?;
    let style = match is_literal {
        true => Style::Literal {
            first_line,
            indent: indent as u32,
        },
        false => Style::Folded,
    };
    Ok(Word {
        text: Slice::from(text),
        style,
        at,
        is_one_line: false,
    })
}

/// Reads what stands behind `|` and `>`, up to the end of the line.
fn header(cursor: &mut Cursor<'_>) -> Result<(Chomp, Option<usize>), GiveUp> {
    let mut chomp = Chomp::Clip;
    let mut increment = None;
    loop {
        match cursor.byte() {
            b'+' if chomp == Chomp::Clip => chomp = Chomp::Keep,
            b'-' if chomp == Chomp::Clip => chomp = Chomp::Strip,
            digit @ b'1'..=b'9' if increment.is_none() => {
                increment = Some(usize::from(digit - b'0'));
            }
            _ => break,
        }
        cursor.at += 1;
    }
    cursor.end_line()?;
    Ok((chomp, increment))
}

/// Steps over the empty lines at the start of a block, to the first letter;
/// returns how many they were.
fn skip_blank_lines(cursor: &mut Cursor<'_>) -> Result<usize, GiveUp> {
    let mut deepest = 0;
    let mut count = 0;
    loop {
        cursor.skip_spaces()?;
        deepest = deepest.max(cursor.indent());
        if cursor.is_at_end() {
            return Err(GiveUp);
        }
        if cursor.byte() != b'\n' {
            break;
        }
        cursor.next_line();
        count += 1;
    }
    match cursor.indent() < deepest {
        true => Err(GiveUp),
        false => Ok(count),
    }
}

/// How the lines of a block are read.
struct Lines {
    /// Blanks at the start of each line that are not part of the text.
    indent: usize,
    is_literal: bool,
    /// Empty lines before the first.
    blank_count: usize,
}

impl Lines {
    /// Reads the lines from the first letter on.
    fn read(&self, cursor: &mut Cursor<'_>, chomp: Chomp) -> Result<String, GiveUp> {
        let mut text = "\n".repeat(self.blank_count);
        let mut was_spaced = true;
        let mut line_ends = 0;
        loop {
            let is_spaced = matches!(cursor.byte(), b' ' | b'\t');
            match line_ends {
                0 => {}
                1 if !self.is_literal && !was_spaced && !is_spaced => text.push(' '),
                _ => {
                    let folded = !self.is_literal && !was_spaced && !is_spaced;
                    let count = line_ends - usize::from(folded);
                    text.extend(std::iter::repeat_n('\n', count));
                }
            }
            was_spaced = is_spaced;
            let start = cursor.at;
            while cursor.byte() != b'\n' {
                cursor.at += 1;
            }
            text.push_str(&cursor.text[start..cursor.at]);
            if cursor.is_at_end() {
                if chomp != Chomp::Strip {
                    text.push('\n');
                }
                return Ok(text);
            }
            let (count, goes_on) = self.next_line(cursor)?;
            line_ends = count;
            if !goes_on {
                break;
            }
        }
        match chomp {
            Chomp::Strip => {}
            Chomp::Clip => text.push('\n'),
            Chomp::Keep => text.extend(std::iter::repeat_n('\n', line_ends)),
        }
        Ok(text)
    }

    /// Steps to the next line that is not empty. Returns how many line ends
    /// that were, and whether that line belongs to the block.
    fn next_line(&self, cursor: &mut Cursor<'_>) -> Result<(usize, bool), GiveUp> {
        let mut count = 0;
        loop {
            cursor.next_line();
            count += 1;
            let mut blanks = 0;
            while blanks < self.indent && cursor.byte_at(cursor.at + blanks) == b' ' {
                blanks += 1;
            }
            let byte = cursor.byte_at(cursor.at + blanks);
            if cursor.at + blanks >= cursor.text.len() {
                // Blanks without a line end at the end of a file.
                return match blanks {
                    0 => Ok((count, false)),
                    _ => Err(GiveUp),
                };
            }
            if byte == b'\n' {
                cursor.at += blanks;
                continue;
            }
            if blanks == self.indent {
                cursor.at += blanks;
                return Ok((count, true));
            }
            return match byte {
                b'\t' => Err(GiveUp),
                _ => Ok((count, false)),
            };
        }
    }
}
