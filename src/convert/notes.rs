//! What a conversion has to say: each note with its place.

use std::sync::Arc;

use crate::data::Place;
use crate::diagnostic::Diagnostic;

/// The file that is converted, and what was said about it.
#[derive(Debug)]
pub struct Notes {
    file: Arc<str>,
    /// In order of saying.
    pub diagnostics: Vec<Diagnostic>,
}

impl Notes {
    /// Starts on a file.
    pub fn on(file: Arc<str>) -> Self {
        Self {
            file,
            diagnostics: Vec::new(),
        }
    }

    /// Returns the place of a line, counted from 1; 0 for the whole file.
    pub fn at(&self, line: u32) -> Place {
        Place {
            file: self.file.clone(),
            line,
            column: line.min(1),
        }
    }

    /// Says something about a line.
    pub fn say(&mut self, code: &'static str, line: u32, what: impl Into<String>) {
        let place = self.at(line);
        self.diagnostics.push(Diagnostic::new(code, place, what));
    }

    /// Says something about a place; the file is this one if it names none.
    pub fn say_at(&mut self, code: &'static str, place: &Place, what: impl Into<String>) {
        let mut place = place.clone();
        if !place.is_known() {
            place.file = self.file.clone();
        }
        self.diagnostics.push(Diagnostic::new(code, place, what));
    }

    /// Says what to do about the last thing that was said.
    pub fn help(&mut self, help: impl Into<String>) {
        if let Some(last) = self.diagnostics.last_mut() {
            last.help = Some(help.into());
        }
    }
}
