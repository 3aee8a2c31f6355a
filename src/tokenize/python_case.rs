//! What Python says of the letters of a text.

use std::sync::LazyLock;

use crate::tokenize::Characters;

static TITLE: LazyLock<Characters> = LazyLock::new(|| Characters::of(r"\p{Lt}"));

/// Returns Python's `str.islower`: no upper or title case, and something lower.
pub fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase)
        && !text.chars().any(|c| c.is_uppercase() || TITLE.contains(c))
}

/// Returns Python's `str.isupper`: no lower or title case, and something upper.
pub fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase)
        && !text.chars().any(|c| c.is_lowercase() || TITLE.contains(c))
}

/// Returns Python's `str.istitle`: upper case only after what has no case, lower case
/// only after what has.
pub fn is_title(text: &str) -> bool {
    let (mut after_cased, mut any) = (false, false);
    for c in text.chars() {
        let upper = c.is_uppercase() || TITLE.contains(c);
        let lower = c.is_lowercase();
        if upper && after_cased || lower && !after_cased {
            return false;
        }
        after_cased = upper || lower;
        any |= after_cased;
    }
    any
}

/// Returns Python's `str.isdigit`: decimal digits and single digits in other dress,
/// such as `²` and `①`.
pub fn is_digit(text: &str) -> bool {
    static DIGIT: LazyLock<Characters> = LazyLock::new(|| {
        Characters::of(concat!(
            r"[\p{Nd}\u{B2}\u{B3}\u{B9}\u{1369}-\u{1371}\u{19DA}\u{2070}\u{2074}-\u{2079}",
            r"\u{2080}-\u{2089}\u{2460}-\u{2468}\u{2474}-\u{247C}\u{2488}-\u{2490}\u{24EA}",
            r"\u{24F5}-\u{24FD}\u{24FF}\u{2776}-\u{277E}\u{2780}-\u{2788}\u{278A}-\u{2792}",
            r"\u{10A40}-\u{10A43}\u{10E60}-\u{10E68}\u{11052}-\u{1105A}\u{1F100}-\u{1F10A}]"
        ))
    });
    !text.is_empty() && text.chars().all(|c| DIGIT.contains(c))
}

/// A beginning or an end of a text, as featurizers are asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affix {
    /// So many code points at the beginning.
    Prefix(usize),
    /// So many at the end.
    Suffix(usize),
}

impl Affix {
    /// Returns what Rasa calls by this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "prefix5" => Self::Prefix(5),
            "prefix2" => Self::Prefix(2),
            "suffix5" => Self::Suffix(5),
            "suffix3" => Self::Suffix(3),
            "suffix2" => Self::Suffix(2),
            "suffix1" => Self::Suffix(1),
            _ => return None,
        })
    }

    /// Returns this piece of a text; all of it if that is shorter.
    pub fn of(self, text: &str) -> &str {
        match self {
            Self::Prefix(count) => prefix(text, count),
            Self::Suffix(count) => suffix(text, count),
        }
    }
}

/// Returns the first `count` code points of a text.
fn prefix(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count);
    end.map_or(text, |(byte, _)| &text[..byte])
}

/// Returns the last `count` code points of a text.
fn suffix(text: &str, count: usize) -> &str {
    let start = text.char_indices().rev().nth(count.saturating_sub(1));
    match start {
        Some((byte, _)) if count > 0 => &text[byte..],
        _ if count > 0 => text,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_what_python_says() {
        assert!(is_lower("a1") && is_lower("ªb") && !is_lower("1") && !is_lower("aB"));
        assert!(is_upper("A-1") && !is_upper("Aǅ") && !is_upper("!"));
        assert!(is_title("New-York") && is_title("ǅa") && is_title("A1B") && !is_title("McD"));
        assert!(is_digit("12²") && is_digit("٣") && !is_digit("½") && !is_digit(""));
    }

    #[test]
    fn ends_are_counted_in_code_points() {
        assert_eq!((prefix("añb", 2), suffix("añb", 2)), ("añ", "ñb"));
        assert_eq!((prefix("añ", 5), suffix("añ", 5)), ("añ", "añ"));
        assert_eq!((prefix("añ", 0), suffix("añ", 0)), ("", ""));
    }
}
