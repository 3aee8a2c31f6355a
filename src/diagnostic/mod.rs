//! Says what is wrong in the user's files, and where.
//!
//! ```text
//!   import ──▶ [diagnostic] ──▶ api, cli
//! ```
//!
//! A [`Diagnostic`] is a value: readers collect them, nothing is printed here.
//! A list is brought into the order of files and lines by [`arrange`] and
//! becomes text by [`render`], or by [`render_grouped`] if there may be many, JSON
//! by `serde`, or a log by [`sarif`].

mod codes;
mod pages;
mod render;
mod grouped;
pub mod sarif;
mod shorten;
mod sources;
mod suggest;

use std::cmp::Ordering;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeStruct;

use crate::data::Place;

pub use codes::CODES;
pub use codes::is_lint;
pub use codes::title;
pub use grouped::render_grouped;
pub use pages::Page;
pub use pages::page;
pub use render::Paint;
pub use render::render;
pub use render::visible;
pub use shorten::shortened;
pub use shorten::shortened_to;
pub use sources::SourceMap;
pub use suggest::Suggestions;
pub use suggest::did_you_mean;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing can be trained before it is mended.
    Error,
    /// Training goes on, but something is probably not as meant.
    Warning,
    /// Something worth knowing.
    Note,
}

impl Severity {
    /// Returns the word that is shown.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// One mistake, or one thing worth knowing, at one place.
///
/// Unlike a [`Place`] alone, two diagnostics at different places are different.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// A code of [`CODES`]; it never changes its meaning.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: one line, lower case, names in backticks, no full stop.
    pub message: String,
    /// Where it was written; the file alone when line is 0.
    pub place: Place,
    /// Code points to underline from the place on; 0 is shown as 1.
    pub length: u32,
    /// What else belongs to it, such as the other of two places.
    pub note: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns a diagnostic with the severity that its code's letter stands for. Line
    /// ends in the message, as of names that hold some, are written `\n`.
    ///
    /// # Panics
    ///
    /// If the code does not start with `E`, `W` or `N`.
    pub fn new(code: &'static str, place: Place, message: impl Into<String>) -> Self {
        let severity = match code.as_bytes().first() {
            Some(b'E') => Severity::Error,
            Some(b'W') => Severity::Warning,
            Some(b'N') => Severity::Note,
            _ => panic!("codes start with E, W or N, not `{code}`"),
        };
        Self {
            code,
            severity,
            message: one_line(message.into()),
            place,
            length: 1,
            note: None,
            help: None,
        }
    }

    /// Underlines this many code points.
    pub fn length(mut self, length: u32) -> Self {
        self.length = length;
        self
    }

    /// Adds what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(one_line(help.into()));
        self
    }

    /// Adds what else belongs to it.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(one_line(note.into()));
        self
    }

    /// Adds the nearest of `candidates` to `name` as help, if one is near.
    pub fn suggest<'a>(
        mut self,
        name: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        if let Some(near) = did_you_mean(name, candidates) {
            self.help = Some(format!("did you mean `{near}`?"));
        }
        self
    }

    /// Adds the nearest name as help, if one is near: as
    /// [`suggest`](Self::suggest) where many names may be unknown.
    pub fn suggest_of(mut self, name: &str, known: &mut Suggestions<'_>) -> Self {
        if let Some(near) = known.near(name) {
            self.help = Some(format!("did you mean `{near}`?"));
        }
        self
    }

    /// Compares by file, place, severity, code and words.
    fn order(&self, other: &Self) -> Ordering {
        let key = |d: &Self| {
            let place = &d.place;
            (place.line, place.column, d.severity, d.code)
        };
        self.place
            .file
            .cmp(&other.place.file)
            .then_with(|| key(self).cmp(&key(other)))
            .then_with(|| self.message.cmp(&other.message))
            .then_with(|| self.length.cmp(&other.length))
            .then_with(|| self.note.cmp(&other.note))
            .then_with(|| self.help.cmp(&other.help))
    }
}

/// Returns a text without line ends, behind which nobody would look for its rest.
fn one_line(text: String) -> String {
    match text.contains('\n') {
        true => text.replace('\n', "\\n"),
        false => text,
    }
}

impl PartialEq for Diagnostic {
    fn eq(&self, other: &Self) -> bool {
        self.order(other) == Ordering::Equal
    }
}

impl Eq for Diagnostic {}

impl Serialize for Diagnostic {
    /// Writes `code`, `severity`, `message`, `file`, `line`, `column`, `length`,
    /// `note` and `help`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Diagnostic", 9)?;
        map.serialize_field("code", self.code)?;
        map.serialize_field("severity", &self.severity)?;
        map.serialize_field("message", &self.message)?;
        map.serialize_field("file", &*self.place.file)?;
        map.serialize_field("line", &self.place.line)?;
        map.serialize_field("column", &self.place.column)?;
        map.serialize_field("length", &self.length)?;
        map.serialize_field("note", &self.note)?;
        map.serialize_field("help", &self.help)?;
        map.end()
    }
}

/// Sorts by file and place and drops what is said twice.
pub fn arrange(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(Diagnostic::order);
    diagnostics.dedup();
}

/// Returns whether any of them is an error.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, line: u32, code: &'static str) -> Diagnostic {
        let place = Place {
            file: file.into(),
            line,
            column: 1,
        };
        Diagnostic::new(code, place, "something")
    }

    #[test]
    fn lists_are_ordered_by_file_and_line_without_repeats() {
        let mut list = vec![
            at("b.yml", 1, "W404"),
            at("a.yml", 9, "E406"),
            at("a.yml", 2, "W404"),
            at("a.yml", 9, "E406"),
        ];
        arrange(&mut list);
        let shown: Vec<String> = list.iter().map(|d| d.place.to_string()).collect();
        assert_eq!(shown, ["a.yml:2:1", "a.yml:9:1", "b.yml:1:1"]);
        assert!(has_errors(&list));
    }

    #[test]
    fn the_same_words_at_another_line_are_another_diagnostic() {
        assert_ne!(at("a.yml", 1, "W404"), at("a.yml", 2, "W404"));
    }

    #[test]
    fn a_name_of_two_lines_is_told_in_one() {
        let message = format!("intent `{}` has no examples", "a\nb");
        let one = Diagnostic::new("W303", Place::default(), message).help("did you mean `c\nd`?");
        assert_eq!(one.message, r"intent `a\nb` has no examples");
        assert_eq!(one.help.as_deref(), Some(r"did you mean `c\nd`?"));
    }

    #[test]
    fn json_names_file_line_and_column() {
        let json = serde_json::to_value(at("a.yml", 3, "E406")).unwrap();
        assert_eq!(json["file"], "a.yml");
        assert_eq!(json["line"], 3);
        assert_eq!(json["severity"], "error");
    }
}
