//! Rasa's `WhitespaceTokenizer`: splits at white space after taking away
//! punctuation at the edges of words.

use std::sync::LazyLock;

use super::characters::Characters;
use super::characters::is_space;
use super::token::Token;
use super::token::locate;

/// `\w` of the `regex` package: letters, marks, decimal digits, connectors.
static WORD: LazyLock<Characters> = LazyLock::new(|| Characters::of(r"\w"));

/// Splits a text into words.
///
/// Three kinds of character runs become one space: punctuation before white
/// space or the end; punctuation after white space or the start unless a digit
/// follows; characters that no URL has between two that are neither digit nor
/// space. Words of nothing but emoji are dropped; when no word is left, the
/// whole text is one token.
///
/// The time is linear in the length of the text.
///
/// # Source
///
/// Rasa 3.6 `WhitespaceTokenizer`. The range of emoji is Rasa's, which reaches
/// from U+24C2 to U+1F251 and so counts Korean and most Chinese as emoji.
pub fn whitespace(text: &str) -> Vec<Token> {
    let spaced = blank_punctuation(text);
    let mut words = spaced
        .split(is_space)
        .filter(|word| !word.chars().all(is_emoji))
        .peekable();
    match words.peek() {
        Some(_) => locate(words, text),
        None => vec![Token::new(text, 0)],
    }
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1F600}'..='\u{1F64F}' | '\u{1F300}'..='\u{1F5FF}' | '\u{1F680}'..='\u{1F6FF}'
        | '\u{1F1E0}'..='\u{1F1FF}' | '\u{2702}'..='\u{27B0}' | '\u{24C2}'..='\u{1F251}'
        | '\u{200D}' | '\u{200C}')
}

/// `[^\w#@&]`
fn is_mark(c: char) -> bool {
    !WORD.contains(c) && !matches!(c, '#' | '@' | '&')
}

/// `[^\w._~:/?#\[\]()@!$&*+,;=-]`
fn is_foreign_to_urls(c: char) -> bool {
    !WORD.contains(c) && !"._~:/?#[]()@!$&*+,;=-".contains(c)
}

/// `[^0-9\s]`
fn is_solid(c: char) -> bool {
    !c.is_ascii_digit() && !c.is_whitespace()
}

/// A longest run of characters of one class, and where a match inside it that
/// has to back off may end.
#[derive(Clone, Copy, Default)]
struct Run {
    end: usize,
    /// Last position within the run that holds white space.
    last_space: Option<usize>,
    /// Last position within the run that holds something solid.
    last_solid: Option<usize>,
}

impl Run {
    fn starting(chars: &[char], start: usize, class: fn(char) -> bool) -> Self {
        let mut run = Run {
            end: start,
            ..Run::default()
        };
        while run.end < chars.len() && class(chars[run.end]) {
            if chars[run.end].is_whitespace() {
                run.last_space = Some(run.end);
            }
            if is_solid(chars[run.end]) {
                run.last_solid = Some(run.end);
            }
            run.end += 1;
        }
        run
    }

    /// Returns the furthest end after `start` that something solid follows.
    fn end_before_solid(&self, chars: &[char], start: usize) -> Option<usize> {
        match chars.get(self.end) {
            Some(&c) if self.end > start && is_solid(c) => Some(self.end),
            _ => self.last_solid.filter(|&end| end > start),
        }
    }

    /// Returns the furthest end after `start` that white space or the end of
    /// the text follows.
    fn end_before_space(&self, chars: &[char], start: usize) -> Option<usize> {
        if self.end == chars.len() && self.end > start {
            return Some(self.end);
        }
        self.last_space.filter(|&end| end > start)
    }
}

/// Replaces the three kinds of runs by one space each. A run is looked at once:
/// positions inside a known run share what is known of it.
fn blank_punctuation(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let (mut marks, mut foreign) = (Run::default(), Run::default());
    let mut at = 0;
    while at < chars.len() {
        if at >= marks.end {
            marks = Run::starting(&chars, at, is_mark);
        }
        if at >= foreign.end {
            foreign = Run::starting(&chars, at, is_foreign_to_urls);
        }
        match match_end(&chars, at, &marks, &foreign) {
            Some(end) => {
                out.push(' ');
                at = end;
            }
            None => {
                out.push(chars[at]);
                at += 1;
            }
        }
    }
    out
}

/// Returns where a match that starts at `at` ends; the alternatives in order.
fn match_end(chars: &[char], at: usize, marks: &Run, foreign: &Run) -> Option<usize> {
    let starts_mark = is_mark(chars[at]);
    if starts_mark && let Some(end) = marks.end_before_space(chars, at) {
        return Some(end);
    }
    if starts_mark
        && chars[at].is_whitespace()
        && marks.end > at + 1
        && let Some(end) = marks.end_before_solid(chars, at + 1)
    {
        return Some(end);
    }
    if at == 0
        && starts_mark
        && let Some(end) = marks.end_before_solid(chars, 0)
    {
        return Some(end);
    }
    if at > 0 && is_solid(chars[at - 1]) && is_foreign_to_urls(chars[at]) {
        return foreign.end_before_solid(chars, at);
    }
    None
}

#[cfg(test)]
mod tests {
    use fancy_regex::Regex;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, want: &[(&str, usize)]) {
        let tokens = whitespace(text);
        let shown: Vec<(&str, usize)> = tokens.iter().map(|t| (&*t.text, t.start)).collect();
        assert_eq!(shown, want);
    }

    #[test]
    fn punctuation_at_the_edges_of_words_is_left_out() {
        check(
            "I'd like 10.5 kg!",
            &[("I", 0), ("d", 2), ("like", 4), ("10.5", 9), ("kg", 14)],
        );
        check(
            "mail me@x.org, now",
            &[("mail", 0), ("me@x.org", 5), ("now", 15)],
        );
        check(
            "joeys-pizza #1 (best)",
            &[("joeys-pizza", 0), ("#1", 12), ("best", 16)],
        );
        check("5,000 - 6,000 €", &[("5,000", 0), ("6,000", 8)]);
        check(
            "that's $3.50, ok?",
            &[("that", 0), ("s", 5), ("$3.50", 7), ("ok", 14)],
        );
        check("-5 degrees", &[("-5", 0), ("degrees", 3)]);
        check("¿Qué tal?", &[("Qué", 1), ("tal", 5)]);
        check("Zürich's café", &[("Zürich", 0), ("s", 7), ("café", 9)]);
        check("@user: hello", &[("@user", 0), ("hello", 7)]);
        check("1st. of May", &[("1st", 0), ("of", 5), ("May", 8)]);
        check("foo 👍 bar", &[("foo", 0), ("bar", 6)]);
    }

    #[test]
    fn urls_and_joined_words_stay_whole() {
        for text in [
            "http://a.b/c?d=e&f",
            "wait...what",
            "x=1;y=2",
            "a/b",
            "👍",
            "...",
            "",
        ] {
            check(text, &[(text, 0)]);
        }
    }

    proptest! {
        #[test]
        fn the_scan_replaces_what_the_expression_replaces(
            text in r#"([a-b]|[0-3]|[ \t\n]| |[.,;:!'"-]|[#@&_]|é|👍|€|¿|\x{301}|\x{200d}|½|字){0,24}"#,
        ) {
            let expression = Regex::new(concat!(
                r"[^\w#@&]+(?=\s|\z)|(\s|^)[^\w#@&]+(?=[^0-9\s])|",
                r"(?<=[^0-9\s])[^\w._~:/?\#\[\]()@!$&*+,;=\-]+(?=[^0-9\s])"
            )).unwrap();
            prop_assert_eq!(blank_punctuation(&text), expression.replace_all(&text, " "));
        }
    }
}
