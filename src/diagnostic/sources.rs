//! Gives the texts that were read, so that a diagnostic can show its line.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::OnceLock;

/// Texts by the path that is shown.
///
/// A text is what the parser saw: without byte order mark, with `\n` alone at
/// line ends, and in files of pure ASCII with `\uXXXX` already decoded. Most are
/// never shown: those of files may be fetched when somebody asks for them.
#[derive(Clone, Default)]
pub struct SourceMap {
    texts: BTreeMap<Arc<str>, Source>,
}

/// Where a text is.
#[derive(Clone)]
enum Source {
    Here(Arc<str>),
    There(Arc<There>),
}

/// A text that is fetched once, if at all.
struct There {
    fetch: Box<Fetch>,
    text: OnceLock<Option<String>>,
}

type Fetch = dyn Fn() -> Option<String> + Send + Sync;

impl fmt::Debug for SourceMap {
    /// Names the files; their texts would bury everything else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.texts.keys()).finish()
    }
}

impl SourceMap {
    /// Keeps a text; a second text of the same path replaces the first.
    pub fn insert(&mut self, file: Arc<str>, text: Arc<str>) {
        self.texts.insert(file, Source::Here(text));
    }

    /// Keeps how a text is fetched; `None` if it is not there any more as it was.
    pub fn insert_fetched(
        &mut self,
        file: Arc<str>,
        fetch: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) {
        let there = There {
            fetch: Box::new(fetch),
            text: OnceLock::new(),
        };
        self.texts.insert(file, Source::There(Arc::new(there)));
    }

    /// Returns the text of a file.
    pub fn text(&self, file: &str) -> Option<&str> {
        match self.texts.get(file)? {
            Source::Here(text) => Some(text),
            Source::There(there) => there.text.get_or_init(|| (there.fetch)()).as_deref(),
        }
    }

    /// Takes over all texts of another map.
    pub fn extend(&mut self, other: SourceMap) {
        self.texts.extend(other.texts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_fetched_when_it_is_asked_for_and_once() {
        let fetched = Arc::new(OnceLock::new());
        let mut sources = SourceMap::default();
        let seen = Arc::clone(&fetched);
        sources.insert_fetched("a".into(), move || {
            seen.set(()).ok().map(|()| "x\n".to_owned())
        });
        sources.insert_fetched("gone".into(), || None);
        let clone = sources.clone();
        assert!(fetched.get().is_none());
        assert_eq!(sources.text("a"), Some("x\n"));
        assert_eq!(clone.text("a"), Some("x\n"));
        assert_eq!(sources.text("gone"), None);
    }
}
