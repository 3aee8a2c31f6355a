//! A place in the text that only moves forward, and knows its line and column.

use std::sync::Arc;

use crate::import::yaml::quick::GiveUp;
use crate::import::yaml::quick::Step;
use crate::import::yaml::tree::At;

/// Where the parser is.
pub struct Cursor<'t> {
    /// The whole text.
    pub text: &'t Arc<String>,
    /// The byte that is looked at.
    pub at: usize,
    /// Its line, counted from 1.
    pub line: u32,
    /// The byte at which that line starts.
    pub line_start: usize,
    /// A byte of this line up to which code points were counted, and how many
    /// they are.
    counted: (usize, u32),
}

impl<'t> Cursor<'t> {
    /// Starts at the first byte.
    pub fn new(text: &'t Arc<String>) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
            line_start: 0,
            counted: (0, 0),
        }
    }

    /// Returns the byte that is looked at; the end is a line's end too.
    pub fn byte(&self) -> u8 {
        self.byte_at(self.at)
    }

    /// Returns a byte; the end is a line's end too.
    pub fn byte_at(&self, at: usize) -> u8 {
        self.text.as_bytes().get(at).copied().unwrap_or(b'\n')
    }

    /// Returns whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Returns whether a byte is a blank or the end of a line.
    pub fn is_blank_at(&self, at: usize) -> bool {
        matches!(self.byte_at(at), b' ' | b'\t' | b'\n')
    }

    /// Returns the bytes before this one on its line: its column, from 0, as
    /// long as only blanks and dashes stand before it.
    pub fn indent(&self) -> usize {
        self.at - self.line_start
    }

    /// Returns the place of a piece of this line, counting from the one that was
    /// asked for before.
    pub fn place(&mut self, start: usize, end: usize) -> At {
        let column = self.column(start);
        let length = self.column(end) - column;
        At {
            line: self.line,
            column: column + 1,
            length: length.max(1),
        }
    }

    /// Returns the code points before byte `at` on this line.
    fn column(&mut self, at: usize) -> u32 {
        let (known, count) = match self.counted {
            (known, _) if known < self.line_start => (self.line_start, 0),
            counted => counted,
        };
        let bytes = self.text.as_bytes();
        let code_points = |bytes: &[u8]| -> u32 {
            let starts = bytes.iter().filter(|byte| **byte & 0xc0 != 0x80);
            starts.count() as u32
        };
        let count = match at < known {
            true => count - code_points(&bytes[at..known]),
            false => count + code_points(&bytes[known..at]),
        };
        self.counted = (at, count);
        count
    }

    /// Steps over the end of a line.
    pub fn next_line(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    /// Steps over blanks.
    pub fn skip_spaces(&mut self) -> Step {
        while self.byte() == b' ' {
            self.at += 1;
        }
        match self.byte() {
            b'\t' => Err(GiveUp),
            _ => Ok(()),
        }
    }

    /// Steps over blanks and a comment; something else gives up.
    pub fn end_line(&mut self) -> Step {
        self.skip_spaces()?;
        if self.is_at_comment() {
            self.skip_comment();
        }
        match self.byte() {
            b'\n' => Ok(()),
            _ => Err(GiveUp),
        }
    }

    /// Returns whether a comment starts here.
    pub fn is_at_comment(&self) -> bool {
        self.byte() == b'#' && (self.at == self.line_start || self.byte_at(self.at - 1) == b' ')
    }

    /// Steps over the rest of the line.
    pub fn skip_comment(&mut self) {
        while self.byte() != b'\n' {
            self.at += 1;
        }
    }

    /// Steps over blanks, comments and line ends; returns whether something
    /// comes then.
    pub fn skip_to_content(&mut self) -> Result<bool, GiveUp> {
        loop {
            self.skip_spaces()?;
            if self.is_at_comment() {
                self.skip_comment();
            }
            if self.is_at_end() {
                return Ok(false);
            }
            if self.byte() != b'\n' {
                return match self.is_at_marker() {
                    true => Err(GiveUp),
                    false => Ok(true),
                };
            }
            self.next_line();
        }
    }

    /// Returns whether a directive or the mark of a document starts here.
    pub fn is_at_marker(&self) -> bool {
        let rest = &self.text.as_bytes()[self.at.min(self.text.len())..];
        let mark = rest.starts_with(b"---") || rest.starts_with(b"...");
        self.at == self.line_start && (mark || rest.starts_with(b"%"))
    }

    /// Returns whether the dash of a list's item stands here.
    pub fn is_at_dash(&self) -> bool {
        self.byte() == b'-' && self.is_blank_at(self.at + 1)
    }
}
