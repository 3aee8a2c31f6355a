//! Plain words and quoted texts.

use crate::import::yaml::Slice;
use crate::import::yaml::Style;
use crate::import::yaml::quick::Cursor;
use crate::import::yaml::quick::GiveUp;
use crate::import::yaml::tree::At;

/// A scalar that was read.
pub struct Word {
    /// Its text.
    pub text: Slice,
    /// How it was written.
    pub style: Style,
    /// Where it was written.
    pub at: At,
    /// Whether it stands on one line, as keys do.
    pub is_one_line: bool,
}

/// What ended a plain word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A colon with a blank behind it: the word is a key.
    Colon,
    /// The end of the line.
    Line,
    /// A comment.
    Comment,
    /// In brackets: a comma or a bracket.
    Bracket,
}

/// Whether words stand between brackets, where commas and brackets end them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// No brackets.
    Block,
    /// `[…]` or `{…}`.
    Brackets,
}

/// Returns whether a plain word may start here, without a second look.
fn starts_plain(cursor: &Cursor<'_>, within: Within) -> bool {
    let next = cursor.byte_at(cursor.at + 1);
    match cursor.byte() {
        b'-' if within == Within::Brackets => next.is_ascii_alphanumeric(),
        b'-' => !cursor.is_blank_at(cursor.at + 1),
        b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' => false,
        b'>' | b'\'' | b'"' | b'%' | b'@' | b'`' | b'\n' | b'\t' => false,
        _ => true,
    }
}

/// Reads a plain word up to what ends it, on one line.
pub fn plain(cursor: &mut Cursor<'_>, within: Within) -> Result<(Word, Stop), GiveUp> {
    if !starts_plain(cursor, within) {
        return Err(GiveUp);
    }
    let start = cursor.at;
    let (end, stop) = plain_line(cursor, within)?;
    let word = Word {
        text: Slice::of(cursor.text, start..end),
        style: Style::Plain,
        at: cursor.place(start, end),
        is_one_line: true,
    };
    Ok((word, stop))
}

/// Steps to what ends a plain word on this line; returns the byte behind its
/// last letter.
fn plain_line(cursor: &mut Cursor<'_>, within: Within) -> Result<(usize, Stop), GiveUp> {
    let mut end = cursor.at;
    let stop = loop {
        let byte = cursor.byte();
        let ends = match byte {
            b'\n' => Some(Stop::Line),
            b'\t' => return Err(GiveUp),
            b'#' if cursor.byte_at(cursor.at.wrapping_sub(1)) == b' ' => Some(Stop::Comment),
            b':' if cursor.is_blank_at(cursor.at + 1) => Some(Stop::Colon),
            b':' if within == Within::Brackets && is_bracket(cursor.byte_at(cursor.at + 1)) => {
                return Err(GiveUp);
            }
            _ if within == Within::Brackets && is_bracket(byte) => Some(Stop::Bracket),
            _ => None,
        };
        if let Some(stop) = ends {
            break stop;
        }
        cursor.at += 1;
        if byte != b' ' {
            end = cursor.at;
        }
    };
    Ok((end, stop))
}

fn is_bracket(byte: u8) -> bool {
    matches!(byte, b',' | b'[' | b']' | b'{' | b'}')
}

/// Reads on a plain word in the lines below that are indented deeper than
/// `parent`.
pub fn go_on(cursor: &mut Cursor<'_>, word: &mut Word, parent: isize) -> Result<(), GiveUp> {
    let mut own: Option<String> = None;
    while let Some((start, line_count)) = next_line_of_plain(cursor, parent)? {
        let text = own.get_or_insert_with(|| word.text.to_string());
        match line_count {
            1 => text.push(' '),
            _ => text.extend(std::iter::repeat_n('\n', line_count - 1)),
        }
        for _ in 0..line_count {
            while cursor.byte() != b'\n' {
                cursor.at += 1;
            }
            cursor.next_line();
        }
        cursor.at = start;
        let (end, stop) = plain_line(cursor, Within::Block)?;
        text.push_str(&cursor.text[start..end]);
        match stop {
            Stop::Line => {}
            Stop::Comment => break,
            Stop::Colon | Stop::Bracket => return Err(GiveUp),
        }
    }
    if let Some(text) = own {
        word.text = Slice::from(text);
        word.at.length = 1;
        word.is_one_line = false;
    }
    Ok(())
}

/// Returns where the next line of a plain word starts, and how many lines below
/// this one that is.
fn next_line_of_plain(
    cursor: &Cursor<'_>,
    parent: isize,
) -> Result<Option<(usize, usize)>, GiveUp> {
    let mut at = cursor.at;
    let mut line_count = 0;
    let mut line_start = at;
    while at < cursor.text.len() && cursor.byte_at(at) == b'\n' {
        at += 1;
        line_count += 1;
        line_start = at;
        while cursor.byte_at(at) == b' ' {
            at += 1;
        }
    }
    if cursor.byte_at(at) == b'\t' {
        return Err(GiveUp);
    }
    let is_more =
        at < cursor.text.len() && (at - line_start) as isize > parent && cursor.byte_at(at) != b'#';
    Ok(is_more.then_some((at, line_count)))
}

/// Reads a quoted text. Its further lines may be indented as they like, as in
/// Rasa: YAML asks for the indentation of what they belong to.
pub fn quoted(cursor: &mut Cursor<'_>) -> Result<Word, GiveUp> {
    let (start, line) = (cursor.at, cursor.line);
    let mut at = cursor.place(start, start + 1);
    let text = match quoted_as_is(cursor) {
        Some(text) => text,
        None => Slice::from(unquote(cursor)?),
    };
    let is_one_line = cursor.line == line;
    if is_one_line {
        at = cursor.place(start, cursor.at);
    }
    Ok(Word {
        text,
        style: Style::Quoted,
        at,
        is_one_line,
    })
}

/// Reads a quoted text if it means its very letters; else the cursor stays.
fn quoted_as_is(cursor: &mut Cursor<'_>) -> Option<Slice> {
    let quote = cursor.byte();
    let start = cursor.at + 1;
    let rest = &cursor.text.as_bytes()[start..];
    let ends = |byte: &u8| *byte == quote || *byte == b'\n' || (*byte == b'\\' && quote == b'"');
    let end = start + rest.iter().position(ends)?;
    let is_doubled = quote == b'\'' && cursor.byte_at(end + 1) == quote;
    if cursor.byte_at(end) != quote || is_doubled {
        return None;
    }
    cursor.at = end + 1;
    Some(Slice::of(cursor.text, start..end))
}

/// Reads a quoted text with escapes, doubled quotes or several lines, up to
/// behind its closing quote.
fn unquote(cursor: &mut Cursor<'_>) -> Result<String, GiveUp> {
    let quote = cursor.byte();
    cursor.at += 1;
    let mut text = String::new();
    loop {
        if cursor.is_at_end() {
            return Err(GiveUp);
        }
        match cursor.byte() {
            b'\'' if quote == b'\'' && cursor.byte_at(cursor.at + 1) == b'\'' => {
                text.push('\'');
                cursor.at += 2;
            }
            byte if byte == quote => {
                cursor.at += 1;
                return Ok(text);
            }
            b'\\' if quote == b'"' && cursor.byte_at(cursor.at + 1) == b'\n' => {
                cursor.at += 1;
                let line_count = skip_lines(cursor)?;
                text.extend(std::iter::repeat_n('\n', line_count - 1));
            }
            b'\\' if quote == b'"' => text.push(escape(cursor)?),
            b' ' | b'\t' | b'\n' => blanks(cursor, &mut text)?,
            _ => {
                let start = cursor.at;
                while !matches!(cursor.byte(), b' ' | b'\t' | b'\n' | b'\\' | b'\'' | b'"') {
                    cursor.at += 1;
                }
                // One letter that means nothing between these quotes.
                if cursor.at == start {
                    cursor.at += 1;
                }
                text.push_str(&cursor.text[start..cursor.at]);
            }
        }
    }
}

/// Takes blanks, or folds the line ends among them.
fn blanks(cursor: &mut Cursor<'_>, text: &mut String) -> Result<(), GiveUp> {
    let start = cursor.at;
    while matches!(cursor.byte(), b' ' | b'\t') {
        cursor.at += 1;
    }
    if cursor.byte() != b'\n' {
        text.push_str(&cursor.text[start..cursor.at]);
        return Ok(());
    }
    match skip_lines(cursor)? {
        1 => text.push(' '),
        line_count => text.extend(std::iter::repeat_n('\n', line_count - 1)),
    }
    Ok(())
}

/// Steps over line ends and the blanks behind each; returns how many.
fn skip_lines(cursor: &mut Cursor<'_>) -> Result<usize, GiveUp> {
    let mut line_count = 0;
    while cursor.byte() == b'\n' {
        if cursor.is_at_end() {
            return Err(GiveUp);
        }
        cursor.next_line();
        line_count += 1;
        if cursor.is_at_marker() {
            return Err(GiveUp);
        }
        cursor.skip_spaces()?;
    }
    Ok(line_count)
}

/// Reads an escape of a text in double quotes.
fn escape(cursor: &mut Cursor<'_>) -> Result<char, GiveUp> {
    let letter = match cursor.byte_at(cursor.at + 1) {
        b'0' => '\0',
        b'a' => '\x07',
        b'b' => '\x08',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\x0b',
        b'f' => '\x0c',
        b'r' => '\r',
        b'e' => '\x1b',
        byte @ (b' ' | b'"' | b'/' | b'\\') => char::from(byte),
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        b'x' => return hex(cursor, 2),
        b'u' => return hex(cursor, 4),
        b'U' => return hex(cursor, 8),
        _ => return Err(GiveUp),
    };
    cursor.at += 2;
    Ok(letter)
}

fn hex(cursor: &mut Cursor<'_>, digits: usize) -> Result<char, GiveUp> {
    let start = cursor.at + 2;
    let text = cursor.text.get(start..start + digits).ok_or(GiveUp)?;
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(GiveUp);
    }
    cursor.at = start + digits;
    let code = u32::from_str_radix(text, 16).map_err(|_| GiveUp)?;
    char::from_u32(code).ok_or(GiveUp)
}
