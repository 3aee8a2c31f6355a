//! Turns diagnostics into text: what, where, the line, a caret, what to do.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::SourceMap;

/// Whether text carries colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Letters alone.
    Plain,
    /// ANSI colours.
    Coloured,
}

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        match self {
            Paint::Plain => text.to_owned(),
            Paint::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

/// Code points of a source line that are shown at most.
const WINDOW: usize = 100;

/// Returns all diagnostics as text, one after the other, with an empty line
/// between.
///
/// Lines longer than 100 code points are cut around the caret.
pub fn render(diagnostics: &[Diagnostic], sources: &SourceMap, paint: Paint) -> String {
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut shown = String::new();
    for (index, diagnostic) in diagnostics.iter().enumerate() {
        if index > 0 {
            shown.push('\n');
        }
        let file: &str = &diagnostic.place.file;
        let lines = lines
            .entry(file)
            .or_insert_with(|| match sources.text(file) {
                Some(text) => text.split('\n').collect(),
                None => Vec::new(),
            });
        render_one(diagnostic, lines, paint, &mut shown);
    }
    shown
}

/// Appends one diagnostic; `lines` are those of its file.
fn render_one(diagnostic: &Diagnostic, lines: &[&str], paint: Paint, shown: &mut String) {
    let tone = match diagnostic.severity {
        Severity::Error => "1;31",
        Severity::Warning => "1;33",
        Severity::Note => "1;36",
    };
    let head = format!("{}[{}]", diagnostic.severity.word(), diagnostic.code);
    let head = paint.wrap(tone, &head);
    let message = visible(&diagnostic.message);
    put(shown, &format!("{head}: {}", paint.wrap("1", &message)));
    let place = &diagnostic.place;
    let width = place.line.to_string().len().max(1);
    let gap = " ".repeat(width);
    let rail = paint.wrap("34", "│");
    if !place.file.is_empty() {
        let arrow = paint.wrap("34", "──▶");
        let place = match place.is_known() {
            true => place.to_string(),
            false => place.file.to_string(),
        };
        put(shown, &format!("{gap} {arrow} {}", visible(&place)));
    }
    let line = (place.line as usize)
        .checked_sub(1)
        .and_then(|index| lines.get(index));
    if let Some(line) = line {
        let (text, before, under) = cut(line, place.column, diagnostic.length);
        put(shown, &format!("{gap}  {rail}"));
        let number = paint.wrap("34", &format!("{:>width$}", place.line));
        put(shown, &format!(" {number} {rail} {text}"));
        let caret = paint.wrap(tone, &"^".repeat(under));
        put(
            shown,
            &format!(" {gap} {rail} {}{caret}", " ".repeat(before)),
        );
    }
    for (word, text) in [("note", &diagnostic.note), ("help", &diagnostic.help)] {
        if let Some(text) = text {
            let sign = paint.wrap("34", "=");
            put(shown, &format!(" {gap} {sign} {word}: {}", visible(text)));
        }
    }
}

/// Appends a line.
fn put(shown: &mut String, line: &str) {
    writeln!(shown, "{}", line.trim_end()).expect("writing to a string cannot fail");
}

/// Returns the part of a line to show, the columns before the caret and the
/// number of carets. Tabs become one space, so that columns stay true. A line may
/// be as long as a file: only what is shown of it is copied.
fn cut(line: &str, column: u32, length: u32) -> (String, usize, usize) {
    let count = line.chars().count();
    let at = (column.max(1) as usize - 1).min(count);
    let first = if count <= WINDOW {
        0
    } else {
        at.saturating_sub(WINDOW / 2).min(count - WINDOW)
    };
    let last = count.min(first + WINDOW);
    let mut text = String::new();
    let mut before = at - first;
    if first > 0 {
        text.push('…');
        before += 1;
    }
    let window: String = line.chars().skip(first).take(last - first).collect();
    text.push_str(&visible(&window));
    if last < count {
        text.push('…');
    }
    let under = (length.max(1) as usize).min(last.saturating_sub(at).max(1));
    (text, before, under)
}

/// Replaces control characters, so that a file cannot steer the terminal, and
/// those that hide: what turns the direction of writing or has no width. Joiners
/// stay, which scripts and emoji need.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            '\u{ad}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Place;
    use expect_test::Expect;
    use expect_test::expect;

    fn check(text: &str, diagnostic: Diagnostic, want: Expect) {
        let mut sources = SourceMap::default();
        sources.insert("data/stories.yml".into(), text.into());
        want.assert_eq(&render(&[diagnostic], &sources, Paint::Plain));
    }

    fn place(line: u32, column: u32) -> Place {
        Place {
            file: "data/stories.yml".into(),
            line,
            column,
        }
    }

    #[test]
    fn shows_the_line_the_caret_and_the_help() {
        let text = "stories:\n- story: x\n  steps:\n  - intent: book_tabel\n";
        let diagnostic = Diagnostic::new(
            "W404",
            place(4, 13),
            "intent `book_tabel` is not in the domain",
        )
        .length(10)
        .help("did you mean `book_table`?");
        check(
            text,
            diagnostic,
            expect![[r#"
                warning[W404]: intent `book_tabel` is not in the domain
                  ──▶ data/stories.yml:4:13
                   │
                 4 │   - intent: book_tabel
                   │             ^^^^^^^^^^
                   = help: did you mean `book_table`?
            "#]],
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("{}x{}", "a".repeat(500), "b".repeat(500));
        let diagnostic = Diagnostic::new("E004", place(1, 501), "here");
        let mut sources = SourceMap::default();
        sources.insert("data/stories.yml".into(), text.into());
        let shown = render(&[diagnostic], &sources, Paint::Plain);
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[4].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[3].chars().nth(caret), Some('x'));
        assert!(lines[3].chars().count() < 120);
    }

    #[test]
    fn a_file_cannot_steer_the_terminal() {
        let diagnostic = Diagnostic::new("E004", place(1, 1), "here");
        let mut sources = SourceMap::default();
        sources.insert("data/stories.yml".into(), "\u{1b}[2J".into());
        assert!(!render(&[diagnostic], &sources, Paint::Plain).contains('\u{1b}'));
    }

    #[test]
    fn a_file_cannot_hide_or_turn_what_it_says() {
        assert_eq!(visible("or\u{200b}der\u{202e}"), "or\u{fffd}der\u{fffd}");
        assert_eq!(visible("👩\u{200d}🚀"), "👩\u{200d}🚀");
    }
}
