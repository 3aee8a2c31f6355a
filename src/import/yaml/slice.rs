//! A piece of a file's text that shares it instead of copying it.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::ops::Range;
use std::sync::Arc;

/// Text that is part of a longer one, or all of it; a clone copies no letter. The
/// longer one stays where it is: an `Arc<str>` would be a copy of the file.
#[derive(Clone, Default)]
pub struct Slice {
    whole: Arc<String>,
    start: u32,
    end: u32,
}

impl Slice {
    /// Returns the bytes of `range`; both ends are at characters.
    ///
    /// # Panics
    ///
    /// If the text has 4 GiB or more: files of that size are not read.
    pub fn of(whole: &Arc<String>, range: Range<usize>) -> Self {
        let bound = |at: usize| u32::try_from(at).expect("files are smaller than 4 GiB");
        Self {
            whole: whole.clone(),
            start: bound(range.start),
            end: bound(range.end),
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.whole[self.start as usize..self.end as usize]
    }
}

impl From<String> for Slice {
    fn from(mut text: String) -> Self {
        text.shrink_to_fit();
        let length = text.len();
        Self::of(&Arc::new(text), 0..length)
    }
}

impl From<&str> for Slice {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl Deref for Slice {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Slice {
    fn borrow(&self) -> &str {
        self
    }
}

impl AsRef<str> for Slice {
    fn as_ref(&self) -> &str {
        self
    }
}

impl fmt::Debug for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl PartialEq<str> for Slice {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Slice {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<Slice> for &str {
    fn eq(&self, other: &Slice) -> bool {
        *self == other.as_str()
    }
}

impl PartialEq for Slice {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Slice {}
