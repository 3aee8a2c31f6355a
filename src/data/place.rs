//! Where in the user's files a value was written.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;

/// A line and column in a file of the project.
///
/// Two places are always equal, and a place is never serialised: where
/// something was written is not part of what it is.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The file's path as the user would write it; empty when unknown.
    pub file: Arc<str>,
    /// Line, counted from 1; 0 when unknown.
    pub line: u32,
    /// Column in code points, counted from 1; 0 when unknown.
    pub column: u32,
}

impl Place {
    /// Returns whether the place is known.
    pub fn is_known(&self) -> bool {
        self.line > 0
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Where things of one kind were written, by name. As with a [`Place`], two are
/// always equal. A clone shares them.
#[derive(Clone, Debug, Default)]
pub struct Places(pub Arc<BTreeMap<String, Place>>);

impl Places {
    /// Returns where `name` was written, which may be unknown.
    pub fn of(&self, name: &str) -> Place {
        self.0.get(name).cloned().unwrap_or_default()
    }
}

impl PartialEq for Places {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
