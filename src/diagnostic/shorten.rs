//! Cuts what messages quote, so that they stay readable, and small however often
//! a huge name is used.

use std::borrow::Cow;

/// Code points of a quoted name or text that are shown.
const SHOWN: usize = 100;

/// Returns a name or text as messages quote it: its first 100 code points, and
/// `…` if there are more.
pub fn shortened(text: &str) -> Cow<'_, str> {
    shortened_to(SHOWN, text)
}

/// Returns the first `count` code points of a text, and `…` if there are more.
pub fn shortened_to(count: usize, text: &str) -> Cow<'_, str> {
    // Most are short, which their bytes tell at once.
    if text.len() <= count {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(count) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_letters() {
        assert_eq!(shortened_to(2, "äöü"), "äö…");
        assert_eq!(shortened_to(3, "äöü"), "äöü");
        assert_eq!(shortened(&"ä".repeat(200_000)).chars().count(), 101);
    }
}
