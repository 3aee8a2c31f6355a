//! Reads NLU data: sections such as `## intent:greet` with list items below.

use std::borrow::Cow;

use crate::data::Lookup;
use crate::data::Pattern;
use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::import::lookups::LookupFile;
use crate::import::markdown::lines;
use crate::import::markdown::lines::Line;
use crate::import::nlu;
use crate::import::nlu::NluPart;
use crate::import::reading::Reading;

/// The kinds of sections.
const SECTIONS: [&str; 4] = ["intent", "synonym", "regex", "lookup"];

/// Returns whether a line starts a section of NLU data.
pub fn is_section(line: &str) -> bool {
    let heading = line.trim_start().strip_prefix("##").unwrap_or_default();
    let kind = heading.trim_start();
    SECTIONS
        .iter()
        .any(|section| matches!(kind.strip_prefix(section), Some(rest) if rest.starts_with(':')))
}

/// What a heading says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading<'t> {
    /// A section of a known kind starts, with a name.
    Section(&'static str, &'t str),
    /// A section of another kind starts.
    Unknown(&'t str),
    /// Nothing starts: it has no kind, or no name.
    Untyped,
}

/// Returns what a line, stripped, says as a heading: `## kind:name`. Lines with
/// another mark are no headings, as in Rasa.
pub fn heading(text: &str) -> Option<Heading<'_>> {
    let rest = text.strip_prefix("##")?;
    let Some((kind, name)) = rest.split_once(':').filter(|(kind, _)| !kind.is_empty()) else {
        return Some(Heading::Untyped);
    };
    let (kind, name) = (kind.trim(), name.trim());
    let section = SECTIONS.iter().find(|section| **section == kind);
    Some(match section {
        None => Heading::Unknown(kind),
        Some(_) if name.is_empty() => Heading::Untyped,
        Some(section) => Heading::Section(section, name),
    })
}

/// Reads the sections of a file.
///
/// Rasa 2.8. Differs from Rasa: a heading is one at the start of its line only,
/// and blanks around names are no part of them.
pub fn read(text: &str, reading: &mut Reading) -> NluPart {
    let mut reader = Reader {
        reading,
        part: NluPart::default(),
        section: Section::None,
        goes_on: false,
        said_untyped: false,
    };
    for line in lines::without_comments(text) {
        reader.line(&line);
    }
    reader.part
}

/// What the last heading said.
enum Section {
    /// No heading was seen.
    None,
    /// Items go into it.
    Of(&'static str, String),
    /// The heading was wrong: its items are passed over.
    Wrong,
}

struct Reader<'r> {
    reading: &'r mut Reading,
    part: NluPart,
    section: Section,
    /// Whether the last lookup table is of this section: each section is a piece
    /// of its table.
    goes_on: bool,
    /// Whether it was said that a heading within the section starts nothing.
    said_untyped: bool,
}

/// A list item: its text, and the byte of its line at which it starts.
struct Item<'l> {
    line: &'l Line<'l>,
    start: usize,
    text: Cow<'l, str>,
    /// Bytes of `text` that were written as two.
    escapes: Vec<usize>,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line<'_>) {
        let (start, text) = line.trimmed();
        if text.is_empty() {
            return;
        }
        if let Some(rest) = text.strip_prefix(['-', '*', '+']) {
            let rest_start = start + 1 + rest.len() - rest.trim_start().len();
            self.item(line, rest_start, rest.trim_start());
        } else if text.starts_with('#') {
            self.heading(line, start, text);
        } else {
            self.other(line, start, text);
        }
    }

    /// Reads `## kind:name`.
    fn heading(&mut self, line: &Line<'_>, start: usize, text: &str) {
        let (section, name) = match heading(text) {
            None => return,
            Some(Heading::Untyped) => return self.untyped(line, start, text),
            Some(Heading::Unknown(kind)) => return self.unknown(line, start, text, kind),
            Some(Heading::Section(section, name)) => (section, name),
        };
        let name_start = text.len() - name.len();
        let place = self.place(line, start + name_start);
        self.section = Section::Of(section, name.to_owned());
        self.goes_on = false;
        self.said_untyped = false;
        let is_name = match section {
            "intent" => nlu::is_label(name, &place, self.reading),
            _ => nlu::is_short(name, &place, self.reading),
        };
        if !is_name {
            self.section = Section::Wrong;
        }
    }

    /// Reports a section of a kind that is not known.
    fn unknown(&mut self, line: &Line<'_>, start: usize, text: &str, kind: &str) {
        let blanks = text[2..].len() - text[2..].trim_start().len();
        let what = format!("a section of kind `{kind}` is not known");
        let about = Diagnostic::new("E320", self.place(line, start + 2 + blanks), what)
            .length(kind.chars().count() as u32)
            .help("one of intent, synonym, regex, lookup")
            .suggest(kind, SECTIONS);
        self.reading.diagnostics.push(about);
        self.section = Section::Wrong;
    }

    /// Reports the first heading within a section that starts none.
    fn untyped(&mut self, line: &Line<'_>, start: usize, text: &str) {
        let Section::Of(kind, name) = &self.section else {
            return;
        };
        if std::mem::replace(&mut self.said_untyped, true) {
            return;
        }
        let what = format!("this heading starts nothing: what follows belongs to {kind} `{name}`");
        let about = Diagnostic::new("W322", self.place(line, start), what)
            .length(text.chars().count() as u32)
            .help("write `## intent:name`, or make it a comment: `<!-- … -->`");
        self.reading.diagnostics.push(about);
    }

    fn item(&mut self, line: &Line<'_>, start: usize, text: &str) {
        let place = self.place(line, start);
        let (section, name) = match &self.section {
            Section::Of(section, name) => (*section, name.clone()),
            Section::Wrong => return,
            Section::None => return self.outside(line, start, text),
        };
        if text.is_empty() {
            let what = "an example without text is left out";
            let about = Diagnostic::new("W305", place, what);
            self.reading.diagnostics.push(about);
            return;
        }
        let item = Item::new(line, start, text, section);
        match section {
            "intent" => {
                let file = self.reading.file.clone();
                let at = |byte: usize| item.place(byte, &file);
                nlu::add_example(&name, &item.text, &at, &mut self.part, self.reading);
            }
            "synonym" => self
                .part
                .synonyms
                .push((item.text.into_owned(), name, place)),
            "regex" => self.part.data.patterns.push(Pattern {
                name,
                pattern: item.text.into_owned(),
                place,
            }),
            _ => self.phrase(name, item.text.into_owned(), place),
        }
    }

    /// Adds a phrase to a lookup table.
    fn phrase(&mut self, name: String, phrase: String, place: Place) {
        let goes_on = std::mem::replace(&mut self.goes_on, true);
        match self.part.data.lookups.last_mut() {
            Some(table) if goes_on => table.elements.extend([phrase]),
            _ => self.part.data.lookups.push(Lookup {
                name,
                elements: vec![phrase].into(),
                place,
            }),
        }
    }

    /// Reads a line that is neither item nor heading: in a lookup table it names
    /// a file.
    fn other(&mut self, line: &Line<'_>, start: usize, text: &str) {
        let place = self.place(line, start);
        match &self.section {
            Section::Of("lookup", name) => self.part.lookup_files.push(LookupFile {
                name: name.clone(),
                path: text.to_owned(),
                place,
            }),
            Section::Of(..) => {
                let about = Diagnostic::new("W304", place, "a line without a dash is left out")
                    .length(text.chars().count() as u32)
                    .help("start each example with `- `");
                self.reading.diagnostics.push(about);
            }
            Section::None | Section::Wrong => {}
        }
    }

    /// Reports the first item that stands before all headings.
    fn outside(&mut self, line: &Line<'_>, start: usize, text: &str) {
        let what = "what stands before the first heading is left out";
        let about = Diagnostic::new("W321", self.place(line, start), what)
            .length(text.chars().count() as u32)
            .help("write a heading above it: `## intent:name`");
        self.reading.diagnostics.push(about);
        self.section = Section::Wrong;
    }

    fn place(&self, line: &Line<'_>, byte: usize) -> Place {
        let (number, column) = line.position(byte);
        self.reading.at(number, column)
    }
}

impl<'l> Item<'l> {
    /// Takes an item of a section of some kind.
    ///
    /// Escapes of control characters are decoded. Differs from Rasa: not in
    /// regular expressions, which have the same escapes and where `\b` is the
    /// edge of a word.
    fn new(line: &'l Line<'l>, start: usize, text: &'l str, section: &str) -> Self {
        let mut item = Self {
            line,
            start,
            text: Cow::Borrowed(text),
            escapes: Vec::new(),
        };
        if section != "regex" && text.contains('\\') {
            let (text, escapes) = decode(text);
            item.text = Cow::Owned(text);
            item.escapes = escapes;
        }
        item
    }

    /// Returns the place of a byte of the text.
    fn place(&self, byte: usize, file: &std::sync::Arc<str>) -> Place {
        let longer = self.escapes.iter().filter(|escape| **escape < byte).count();
        let (line, column) = self.line.position(self.start + byte + longer);
        Place {
            file: file.clone(),
            line,
            column,
        }
    }
}

/// Replaces `\b`, `\f`, `\n`, `\r` and `\t` by what they stand for; returns the
/// bytes at which that stands, too.
fn decode(text: &str) -> (String, Vec<usize>) {
    let mut decoded = String::with_capacity(text.len());
    let mut escapes = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let meant = match (letter, letters.peek()) {
            ('\\', Some('b')) => '\u{8}',
            ('\\', Some('f')) => '\u{c}',
            ('\\', Some('n')) => '\n',
            ('\\', Some('r')) => '\r',
            ('\\', Some('t')) => '\t',
            _ => {
                decoded.push(letter);
                continue;
            }
        };
        letters.next();
        escapes.push(decoded.len());
        decoded.push(meant);
    }
    (decoded, escapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (NluPart, Reading) {
        let mut reading = Reading::new("data/nlu.md".into());
        let part = read(text, &mut reading);
        (part, reading)
    }

    fn said(text: &str) -> Vec<String> {
        let (_, reading) = read_text(text);
        let show = |d: &Diagnostic| format!("{} {}:{}", d.code, d.place.line, d.place.column);
        reading.diagnostics.iter().map(show).collect()
    }

    #[test]
    fn all_sections_are_read_in_order() {
        let (part, reading) = read_text(
            "Words before.\n## intent: faq/hours\n- when are [you](who:bot) open\n* hm\\nm\n+x\n\
             ## synonym:NYC\n- new york\n## regex:zip\n- \\b[0-9]{5}\n\
             ## lookup:dish\n- pizza\n-pasta\n  data/more.txt\n",
        );
        assert_eq!(reading.diagnostics, []);
        let examples = part.data.examples.iter().map(|e| e.text.as_str());
        let texts: Vec<&str> = examples.collect();
        assert_eq!(texts, ["when are you open", "hm\nm", "x"]);
        let key = part.data.examples[0].intent_response_key.as_deref();
        assert_eq!(key, Some("faq/hours"));
        assert_eq!(part.data.patterns[0].pattern, r"\b[0-9]{5}");
        assert_eq!(part.data.lookups[0].elements, vec!["pizza", "pasta"].into());
        assert_eq!(part.lookup_files[0].path, "data/more.txt");
        assert_eq!(part.lookup_files[0].place.to_string(), "data/nlu.md:13:3");
        let synonyms: Vec<&str> = part.synonyms.iter().map(|s| s.0.as_str()).collect();
        assert_eq!(synonyms, ["you", "new york"]);
    }

    #[test]
    fn each_section_of_a_lookup_table_is_a_piece_of_its_own() {
        let (part, _) = read_text("## lookup:dish\n- z\n- y\n## lookup:dish\n- a\n");
        let pieces = part.data.lookups.iter().map(|piece| piece.elements.len());
        assert_eq!(pieces.collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn mistakes_are_named_where_they_stand() {
        assert_eq!(said("- a\n- b\n## intent:x\n- c"), ["W321 1:3"]);
        assert_eq!(said("##  intnet:x\n- a\n## intent:y\n- b"), ["E320 1:5"]);
        assert_eq!(
            said("## intent:x\nhello\n-\n## y\n- z"),
            ["W304 2:1", "W305 3:2", "W322 4:1"]
        );
        assert_eq!(said("## intent:a/b/c\n- d"), ["E307 1:11"]);
        let written = "## intent:x\n- <!-- c -->a\\nb\\n [c]{\"entity\": 5}";
        assert_eq!(said(written), ["E306 2:20"]);
    }

    #[test]
    fn a_long_name_is_not_kept_for_each_line_below_it() {
        let below = "## x\n- a\n".repeat(50_000);
        let text = |length: usize| format!("## synonym:{}\n{below}", "n".repeat(length));
        assert_eq!(said(&text(1_000)), ["W322 2:1"]);
        assert_eq!(said(&text(50_000)), ["E337 1:12"]);
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        for piece in [
            "[",
            "[a](",
            "<!--",
            "## intent:a\n",
            "- \\n",
            "##",
            "-",
            "\\",
        ] {
            let (part, _) = read_text(&format!("## intent:x\n- {}", piece.repeat(100_000)));
            assert!(part.data.examples.len() <= 100_001);
        }
    }
}
