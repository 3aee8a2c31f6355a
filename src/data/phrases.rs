//! The phrases of a lookup table, of which there may be millions.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

/// A list of texts that are kept in one piece of memory; a clone shares it.
///
/// The lines of a file cost nothing beside its letters, other phrases four bytes
/// each, where a `Vec<String>` costs some fifty.
#[derive(Clone, Default)]
pub struct PhraseList(Arc<Kept>);

/// Where phrases stand in a text.
#[derive(Clone)]
enum Kept {
    /// Those of a file: what a line holds but for the blanks around it, if that is
    /// anything; and how many there are.
    Lines { text: String, count: usize },
    /// Any: one after the other, and the byte behind the last one of each.
    Pieces { text: String, ends: Vec<u32> },
}

impl Default for Kept {
    fn default() -> Self {
        Self::Pieces {
            text: String::new(),
            ends: Vec::new(),
        }
    }
}

/// Where a phrase stands in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PhraseId(pub u32);

impl PhraseList {
    /// Bytes that all phrases of a table may have together: 4 GiB less one.
    pub const SIZE_LIMIT: usize = u32::MAX as usize;

    /// Returns the lines of a file's text without the blanks around them; empty
    /// lines are none. The text is kept as it is.
    ///
    /// # Panics
    ///
    /// If the text is longer than [`PhraseList::SIZE_LIMIT`].
    pub fn of_lines(text: String) -> Self {
        assert!(
            text.len() <= Self::SIZE_LIMIT,
            "tables are smaller than 4 GiB"
        );
        let count = count(&text);
        Self(Arc::new(Kept::Lines { text, count }))
    }

    /// Returns how many phrases there are.
    pub fn len(&self) -> usize {
        match &*self.0 {
            Kept::Lines { count, .. } => *count,
            Kept::Pieces { ends, .. } => ends.len(),
        }
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the first phrase.
    pub fn first(&self) -> Option<&str> {
        self.iter().next()
    }

    /// Returns the phrases in order of writing.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.ids().map(|(_, phrase)| phrase)
    }

    /// Returns the phrases in order of writing, and where each stands.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = (PhraseId, &str)> {
        Phrases {
            rest: match &*self.0 {
                Kept::Lines { text, .. } => Rest::Lines { text, at: 0 },
                Kept::Pieces { text, ends } => Rest::Pieces { text, ends, at: 0 },
            },
            left: self.len(),
        }
    }

    /// Returns the phrase that stands there.
    ///
    /// # Panics
    ///
    /// If none of this list does.
    pub fn at(&self, PhraseId(id): PhraseId) -> &str {
        let id = id as usize;
        match &*self.0 {
            Kept::Lines { text, .. } => trimmed(line(&text[id..]).0),
            Kept::Pieces { text, ends } => piece(text, ends, id),
        }
    }
}

/// Returns the line that a text starts with, and the bytes that it takes.
fn line(text: &str) -> (&str, usize) {
    match text.bytes().position(|byte| byte == b'\n') {
        Some(end) => (&text[..end], end + 1),
        None => (text, text.len()),
    }
}

/// Returns a line without the blanks around it, of which most have none.
fn trimmed(line: &str) -> &str {
    let is_letter = |byte: &u8| matches!(byte, b'!'..=b'~');
    match line.as_bytes() {
        [one] | [one, .., _] if !is_letter(one) => line.trim(),
        [.., last] if !is_letter(last) => line.trim(),
        _ => line,
    }
}

/// Returns how many lines of a text hold something.
fn count(text: &str) -> usize {
    let is_blank = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ');
    let holds_something = |line: &&[u8]| match line.iter().find(|byte| !is_blank(byte)) {
        None => false,
        Some(0..0x80) => true,
        // It may be a blank that is not of ASCII.
        Some(_) => std::str::from_utf8(line).is_ok_and(|line| !line.trim().is_empty()),
    };
    let lines = text.as_bytes().split(|byte| *byte == b'\n');
    lines.filter(holds_something).count()
}

/// Returns the piece of this number.
fn piece<'t>(text: &'t str, ends: &[u32], number: usize) -> &'t str {
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start as usize..ends[number] as usize]
}

/// The phrases that come next, and how many they are.
struct Phrases<'p> {
    rest: Rest<'p>,
    left: usize,
}

/// Where the next phrase is looked for.
enum Rest<'p> {
    Lines {
        text: &'p str,
        at: usize,
    },
    Pieces {
        text: &'p str,
        ends: &'p [u32],
        at: usize,
    },
}

impl<'p> Iterator for Phrases<'p> {
    type Item = (PhraseId, &'p str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let id = |at: usize| PhraseId(u32::try_from(at).expect("tables are smaller than 4 GiB"));
        match &mut self.rest {
            Rest::Lines { text, at } => loop {
                let start = *at;
                let (line, length) = line(&text[start..]);
                *at += length;
                let phrase = trimmed(line);
                if !phrase.is_empty() || length == 0 {
                    return Some((id(start), phrase));
                }
            },
            Rest::Pieces { text, ends, at } => {
                *at += 1;
                Some((id(*at - 1), piece(text, ends, *at - 1)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Phrases<'_> {}

impl PartialEq for PhraseList {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.iter().eq(other.iter())
    }
}

impl Eq for PhraseList {}

impl<T: AsRef<str>> Extend<T> for PhraseList {
    /// Adds phrases at the end.
    ///
    /// # Panics
    ///
    /// If all of them together are longer than [`PhraseList::SIZE_LIMIT`].
    fn extend<I: IntoIterator<Item = T>>(&mut self, phrases: I) {
        if let Kept::Lines { .. } = &*self.0 {
            let pieces: Self = self.iter().collect();
            *self = pieces;
        }
        let Kept::Pieces { text, ends } = Arc::make_mut(&mut self.0) else {
            return;
        };
        for phrase in phrases {
            text.push_str(phrase.as_ref());
            let end = u32::try_from(text.len());
            ends.push(end.expect("tables are smaller than 4 GiB"));
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
        assert!(PhraseList::of_lines(" \n\n\u{2003}\u{a0}\n".to_owned()).is_empty());
        assert_eq!(phrases, PhraseList::from(vec!["a", "b c", "dé"]));
    }

    #[test]
    fn they_are_a_list_of_texts_in_json() {
        let phrases: PhraseList = ["x", "", "y"].into_iter().collect();
        let json = serde_json::to_string(&phrases).unwrap();
        assert_eq!(json, r#"["x","","y"]"#);
        assert_eq!(serde_json::from_str::<PhraseList>(&json).unwrap(), phrases);
    }

    #[test]
    fn a_phrase_is_found_again_where_it_stands() {
        let lines = PhraseList::of_lines("\n a\n\nb c\r\nd".to_owned());
        for list in [&lines, &lines.iter().collect()] {
            assert!(list.ids().all(|(id, phrase)| list.at(id) == phrase));
            assert_eq!(list.ids().len(), 3);
        }
    }

    #[test]
    fn phrases_are_added_to_those_of_a_file() {
        let mut phrases = PhraseList::of_lines("a\n\n b\n".to_owned());
        phrases.extend([" c\n"]);
        assert_eq!(phrases.iter().collect::<Vec<_>>(), ["a", "b", " c\n"]);
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
