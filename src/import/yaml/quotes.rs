//! Finds the quote that was not closed where it should have been: the parser takes
//! all lines up to the next one for text, and what follows there for the mistake.

use crate::import::yaml::cause::Cause;
use crate::import::yaml::tree::At;

/// Returns what is wrong where more follows a quoted text.
pub fn cause(text: &str, at: At) -> Option<Cause> {
    let before = &text[..offset(text, at)?];
    let closing = before.trim_end();
    let quote = closing.chars().next_back().filter(|c| "\"'".contains(*c))?;
    let inside = &closing[..closing.len() - 1];
    let open = opening(inside, quote)?;
    let inner = match quote {
        '"' => "a quote inside it is written `\\\"`; or put the text into single quotes",
        _ => "a quote inside it is written `''`; or put the text into double quotes",
    };
    let (line, column) = position(text, open);
    if line == at.line {
        return Some(Cause {
            at,
            what: "more follows the end of a quoted text".to_owned(),
            help: inner.to_owned(),
        });
    }
    Some(Cause {
        at: At {
            line,
            column,
            length: 1,
        },
        what: format!(
            "the quote that opens here is closed in line {}, where more follows",
            at.line
        ),
        help: format!("close it where the text ends; {inner}"),
    })
}

/// Returns the byte of the quote that opens what is `inside` up to its end.
fn opening(inside: &str, quote: char) -> Option<usize> {
    let mut rest = inside;
    loop {
        let at = rest.rfind(quote)?;
        let before = &rest[..at];
        let hidden = match quote {
            '"' => before.len() - before.trim_end_matches('\\').len(),
            _ => before.len() - before.trim_end_matches('\'').len(),
        };
        match (quote, hidden % 2) {
            (_, 0) => return Some(at),
            ('"', _) => rest = before,
            // Two of them are one that belongs to the text.
            _ => rest = &before[..before.len() - hidden],
        }
    }
}

/// Returns the byte of a place.
fn offset(text: &str, at: At) -> Option<usize> {
    let lines = text.split_inclusive('\n');
    let before: usize = lines
        .take(at.line.checked_sub(1)? as usize)
        .map(str::len)
        .sum();
    let rest = text.get(before..)?;
    let mut letters = rest.char_indices().map(|(at, _)| at);
    let at = letters.nth(at.column.checked_sub(1)? as usize);
    Some(before + at.unwrap_or(rest.len()))
}

/// Returns the line and column of a byte.
fn position(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..at];
    let line = before.matches('\n').count() as u32 + 1;
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (line, before[start..].chars().count() as u32 + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use crate::import::yaml::Environment;
    use crate::import::yaml::parse;

    #[track_caller]
    fn check(text: &str, (line, column): (u32, u32), what: &str, help: &str) {
        let values = BTreeMap::new();
        let text = Arc::new(text.to_owned());
        let mistakes = parse(&text, &mut Environment::new(&values)).unwrap_err();
        let first = &mistakes[0];
        assert_eq!((first.line, first.column), (line, column), "{first:?}");
        assert_eq!(first.message, format!("not valid YAML: {what}"));
        let found = first.help.as_deref().unwrap_or_default();
        assert!(found.contains(help), "{found}");
    }

    #[test]
    fn a_quote_that_is_not_closed_is_named_where_it_opens() {
        check(
            "r:\n- text: \"what\n- text: \"who\"\n",
            (2, 9),
            "the quote that opens here is closed in line 3, where more follows",
            "close it where the text ends",
        );
        check(
            "r:\n- text: 'what\n- text: \"I didn't \"\n",
            (2, 9),
            "the quote that opens here is closed in line 3, where more follows",
            "double quotes",
        );
        check(
            "r:\n- text: \"é \\\"x\\\" what\n- text: \"who\"\n",
            (2, 9),
            "the quote that opens here is closed in line 3, where more follows",
            "close it",
        );
    }

    #[test]
    fn a_quote_within_a_quoted_text_is_told_how_to_be_written() {
        let what = "more follows the end of a quoted text";
        check("a: 'what's up'\n", (1, 10), what, "`''`");
        check("a: 'it''s what's up'\n", (1, 16), what, "`''`");
        check("a: \"say \"hi\"\"\n", (1, 10), what, "`\\\"`");
    }
}
