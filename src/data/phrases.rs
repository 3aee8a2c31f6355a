//! The phrases of a lookup table, of which there may be millions.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

/// A list of texts that are kept in one piece of memory; a clone shares it.
///
/// It costs four bytes a phrase beside the letters, where a `Vec<String>` costs
/// some fifty.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PhraseList(Arc<Kept>);

#[derive(Clone, Default, PartialEq, Eq)]
struct Kept {
    /// All phrases, one after the other.
    text: String,
    /// The byte behind the last one of each phrase.
    ends: Vec<u32>,
}

impl PhraseList {
    /// Bytes that all phrases of a table may have together: 4 GiB less one.
    pub const SIZE_LIMIT: usize = u32::MAX as usize;

    /// Returns the lines of a file's text without the blanks around them; empty
    /// lines are none. The text's memory is used again.
    ///
    /// # Panics
    ///
    /// If the text is longer than [`PhraseList::SIZE_LIMIT`].
    pub fn of_lines(text: String) -> Self {
        let mut ends = Vec::with_capacity(text.bytes().filter(|byte| *byte == b'\n').count() + 1);
        let mut bytes = text.into_bytes();
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            let rest = &bytes[from..];
            let length = rest.iter().position(|byte| *byte == b'\n');
            let length = length.unwrap_or(rest.len());
            let line = std::str::from_utf8(&rest[..length]).expect("a line of a text is text");
            let phrase = line.trim();
            if !phrase.is_empty() {
                let start = from + line.len() - line.trim_start().len();
                let end = start + phrase.len();
                bytes.copy_within(start..end, to);
                to += end - start;
                ends.push(u32::try_from(to).expect("tables are smaller than 4 GiB"));
            }
            from += length + 1;
        }
        bytes.truncate(to);
        bytes.shrink_to_fit();
        ends.shrink_to_fit();
        let text = String::from_utf8(bytes).expect("phrases are whole pieces of a text");
        Self(Arc::new(Kept { text, ends }))
    }

    /// Returns how many phrases there are.
    pub fn len(&self) -> usize {
        self.0.ends.len()
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.ends.is_empty()
    }

    /// Returns the first phrase.
    pub fn first(&self) -> Option<&str> {
        self.iter().next()
    }

    /// Returns the phrases in order of writing.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        let mut start = 0;
        self.0.ends.iter().map(move |end| {
            let phrase = &self.0.text[start..*end as usize];
            start = *end as usize;
            phrase
        })
    }
}

impl<T: AsRef<str>> Extend<T> for PhraseList {
    /// Adds phrases at the end.
    ///
    /// # Panics
    ///
    /// If all of them together are longer than [`PhraseList::SIZE_LIMIT`].
    fn extend<I: IntoIterator<Item = T>>(&mut self, phrases: I) {
        let kept = Arc::make_mut(&mut self.0);
        for phrase in phrases {
            kept.text.push_str(phrase.as_ref());
            let end = u32::try_from(kept.text.len());
            kept.ends.push(end.expect("tables are smaller than 4 GiB"));
        }
    }
}

impl<T: AsRef<str>> FromIterator<T> for PhraseList {
    fn from_iter<I: IntoIterator<Item = T>>(phrases: I) -> Self {
        let mut all = Self::default();
        all.extend(phrases);
        all
    }
}

impl<T: AsRef<str>> From<Vec<T>> for PhraseList {
    fn from(phrases: Vec<T>) -> Self {
        phrases.into_iter().collect()
    }
}

impl fmt::Debug for PhraseList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for PhraseList {
    /// Writes a list of texts.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for PhraseList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<String>::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lose_the_blanks_around_them() {
        let phrases = PhraseList::of_lines("a\r\n\n \u{a0}b c \n\tdé\u{2003}\n".to_owned());
        assert_eq!(phrases.iter().collect::<Vec<_>>(), ["a", "b c", "dé"]);
        assert_eq!(phrases.len(), 3);
        assert!(PhraseList::of_lines(" \n\n".to_owned()).is_empty());
    }

    #[test]
    fn they_are_a_list_of_texts_in_json() {
        let phrases: PhraseList = ["x", "", "y"].into_iter().collect();
        let json = serde_json::to_string(&phrases).unwrap();
        assert_eq!(json, r#"["x","","y"]"#);
        assert_eq!(serde_json::from_str::<PhraseList>(&json).unwrap(), phrases);
    }

    #[test]
    fn what_is_added_to_a_clone_is_not_in_the_original() {
        let one = PhraseList::from(vec!["x"]);
        let mut two = one.clone();
        two.extend(["y"]);
        assert_eq!((one.len(), two.len()), (1, 2));
        assert_eq!(two.first(), Some("x"));
    }
}
