//! Keeps the texts that were read, so that a diagnostic can show its line.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Texts by the path that is shown.
///
/// A text is what the parser saw: without byte order mark, with `\n` alone at
/// line ends, and in files of pure ASCII with `\uXXXX` already decoded.
#[derive(Clone, Default)]
pub struct SourceMap {
    texts: BTreeMap<Arc<str>, Arc<str>>,
}

impl fmt::Debug for SourceMap {
    /// Names the files; their texts would bury everything else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.texts.keys()).finish()
    }
}

impl SourceMap {
    /// Keeps a text; a second text of the same path replaces the first.
    pub fn insert(&mut self, file: Arc<str>, text: Arc<str>) {
        self.texts.insert(file, text);
    }

    /// Returns the text of a file.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.texts.get(file).map(|text| &**text)
    }

    /// Takes over all texts of another map.
    pub fn extend(&mut self, other: SourceMap) {
        self.texts.extend(other.texts);
    }
}
