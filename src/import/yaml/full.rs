//! Reads all of YAML: turns the events of the `saphyr` parser into a tree.

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::Span;
use saphyr_parser::Tag;

use crate::import::yaml::Environment;
use crate::import::yaml::Mistake;
use crate::import::yaml::Node;
use crate::import::yaml::Slice;
use crate::import::yaml::Style;
use crate::import::yaml::cause::cause;
use crate::import::yaml::hint::NO_TABS;
use crate::import::yaml::hint::hint;
use crate::import::yaml::lenient::Shifts;
use crate::import::yaml::tree;
use crate::import::yaml::tree::At;
use crate::import::yaml::tree::Shape;
use crate::import::yaml::tree::Tree;

/// Parses the one document of a text; places are those before it was shifted.
///
/// # Errors
///
/// The first thing that is not YAML, or every duplicate key, unknown tag and
/// unset variable if it is YAML.
pub fn parse(
    text: &str,
    shifts: &Shifts,
    environment: &mut Environment<'_>,
) -> Result<Node, Vec<Mistake>> {
    let mut reader = Reader {
        tree: Tree::new(environment),
        lines: Lines {
            text,
            line: 1,
            start: 0,
        },
        line_count: text.split('\n').count() as u32,
        shifts,
    };
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => reader.take(event, span),
            Err(error) => {
                let at = At {
                    line: error.marker().line() as u32,
                    column: error.marker().col() as u32 + 1,
                    length: 1,
                };
                let at = within(text, at);
                Err(match error.info() {
                    // Brackets, of which the parser looks at many in advance.
                    "recursion limit exceeded" => tree::too_deep(before(shifts, at)),
                    info => not_yaml(text, at, info, shifts),
                })
            }
        };
        if let Err(mistake) = step {
            return reader.tree.finish(Some(mistake));
        }
    }
    reader.tree.finish(None)
}

/// Returns a place that is in the text: the parser ends the last line of a file
/// that does not, and is then on one that is not there.
fn within(text: &str, at: At) -> At {
    let line_count = text.split('\n').count();
    if at.line as usize <= line_count {
        return at;
    }
    let last = text.rsplit('\n').next().unwrap_or_default();
    At {
        line: line_count as u32,
        column: last.chars().count() as u32 + 1,
        length: 1,
    }
}

/// Returns the mistake for a complaint of the parser, where it was made.
fn not_yaml(text: &str, at: At, complaint: &str, shifts: &Shifts) -> Mistake {
    let hint = hint(complaint);
    let (at, what, help) = match cause(text, at, complaint) {
        // What `lenient` mends is known by its complaint.
        Some(cause) => (cause.at, cause.what, Some(cause.help)),
        None if hint == Some(NO_TABS) => (at_tab(text, at), complaint.to_owned(), None),
        None => (at, complaint.to_owned(), None),
    };
    let at = before(shifts, at);
    let mut mistake = at.mistake("E004", format!("not valid YAML: {what}"));
    mistake.help = help.or(hint.map(str::to_owned));
    mistake
}

/// Returns a place as it was before lines were shifted.
fn before(shifts: &Shifts, at: At) -> At {
    let column = shifts.written(at.line, at.column);
    At { column, ..at }
}

/// Returns the place of the tab that the parser takes offence at: it may say where
/// the text began that it read before, in a line without one.
fn at_tab(text: &str, at: At) -> At {
    let lines = text.split('\n').zip(1..).skip(at.line.max(1) as usize - 1);
    let is_near = |line: &str, number: u32| match number == at.line {
        true => line.contains('\t'),
        false => line.trim_start_matches(' ').starts_with('\t'),
    };
    let mut near = lines.filter(|(line, number)| is_near(line, *number));
    match near.next() {
        Some((line, number)) if number > at.line => At {
            line: number,
            column: (line.len() - line.trim_start_matches(' ').len()) as u32 + 1,
            length: 1,
        },
        _ => at,
    }
}

struct Reader<'t, 'e, 'v> {
    tree: Tree<'e, 'v>,
    lines: Lines<'t>,
    line_count: u32,
    shifts: &'t Shifts,
}

impl Reader<'_, '_, '_> {
    /// Returns the place of a span, which is in the text as it was written.
    fn place(&self, span: Span) -> At {
        let one_line = span.start.line() == span.end.line();
        let length = match one_line {
            true => span.end.col().saturating_sub(span.start.col()) as u32,
            false => 1,
        };
        let at = At {
            line: span.start.line() as u32,
            column: span.start.col() as u32 + 1,
            length: length.max(1),
        };
        let at = match at.line > self.line_count {
            true => within(self.lines.text, at),
            false => at,
        };
        before(self.shifts, at)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Mistake> {
        match event {
            Event::DocumentStart(_) if self.tree.has_root() => Err(self
                .place(span)
                .mistake("E008", "a second YAML document in one file")),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), span)
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(Shape::List, anchor, tag.as_deref(), span)
            }
            Event::MappingStart(anchor, tag) => {
                self.start(Shape::Map, anchor, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.tree.end(),
            Event::Alias(anchor) => self.tree.alias(anchor, self.place(span)),
            _ => Ok(()),
        }
    }

    fn start(
        &mut self,
        shape: Shape,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Mistake> {
        let at = self.place(span);
        self.tree.start(shape, anchor, at)?;
        self.check_tag(tag, at);
        Ok(())
    }

    /// Reports a tag that is not one of YAML's own.
    fn check_tag(&mut self, tag: Option<&Tag>, at: At) {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema()
            && !(tag.handle == "!" && tag.suffix.is_empty())
        {
            let what = format!("unknown tag `{}{}`", tag.handle, tag.suffix);
            self.tree.say(at.mistake("E013", what));
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Mistake> {
        let mut at = self.place(span);
        self.check_tag(tag, at);
        let style = match style {
            ScalarStyle::Plain if tag.is_some_and(is_text_tag) => Style::Quoted,
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::Literal => {
                at.length = 1;
                self.literal(text, at.line)
            }
            ScalarStyle::Folded => {
                at.length = 1;
                Style::Folded
            }
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        };
        self.tree.scalar(Slice::from(text), style, anchor, at)
    }

    /// Finds where the text of a literal block stands in the file. `line` is
    /// that of its first line that is not empty, which is where the parser says
    /// that the block starts.
    fn literal(&mut self, text: &str, line: u32) -> Style {
        let first = text.trim_start_matches('\n');
        let blank = (text.len() - first.len()) as u32;
        let own = first.len() - first.trim_start_matches(' ').len();
        let all = self.lines.blanks(line);
        Style::Literal {
            first_line: line.saturating_sub(blank).max(1),
            indent: all.saturating_sub(own) as u32,
        }
    }
}

/// Finds lines that are asked for in the order in which they stand.
struct Lines<'t> {
    text: &'t str,
    /// The line, from 1, that starts at byte `start`.
    line: u32,
    start: usize,
}

impl Lines<'_> {
    /// Returns the blanks at the start of a line. One that is no further than
    /// the one asked for before counts as that.
    fn blanks(&mut self, line: u32) -> usize {
        while self.line < line {
            let rest = &self.text[self.start..];
            let Some(end) = rest.find('\n') else { return 0 };
            self.start += end + 1;
            self.line += 1;
        }
        let rest = &self.text.as_bytes()[self.start..];
        rest.iter().take_while(|byte| **byte == b' ').count()
    }
}

/// Returns whether a tag makes a plain scalar text.
fn is_text_tag(tag: &Tag) -> bool {
    (tag.is_yaml_core_schema() && tag.suffix == "str") || tag.suffix.is_empty()
}
