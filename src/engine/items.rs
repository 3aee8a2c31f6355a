//! The labelled pieces of a value, and what changed between two lists of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::digest::Digest;

/// The labelled pieces that a value consists of, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Items(pub Vec<Item>);

/// One piece of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// What the user would call it. Two pieces may share a label.
    pub label: String,
    /// The digest of what it is.
    pub digest: Digest,
    /// Where it was written, as `file:line`; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
}

/// What became of one piece.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ItemChange {
    /// A piece of this label is there with other contents.
    Changed {
        /// The label.
        label: String,
        /// Where it is now.
        place: String,
    },
    /// It was not there before.
    Added {
        /// The label.
        label: String,
        /// Where it is.
        place: String,
    },
    /// It is no longer there.
    Removed {
        /// The label.
        label: String,
        /// Where it was.
        place: String,
    },
}

impl fmt::Display for ItemChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, label, place) = match self {
            Self::Changed { label, place } => ("changed", label, place),
            Self::Added { label, place } => ("added", label, place),
            Self::Removed { label, place } => ("removed", label, place),
        };
        write!(f, "{verb} {label}")?;
        if !place.is_empty() {
            write!(f, " ({place})")?;
        }
        Ok(())
    }
}

impl Items {
    /// Returns what changed from `old` to `self`, sorted: changed, added,
    /// removed, each by label. Pieces that only moved did not change.
    pub fn changes_since(&self, old: &Items) -> Vec<ItemChange> {
        let mut open: BTreeMap<(&str, Digest), Vec<&Item>> = BTreeMap::new();
        for item in &old.0 {
            let same = open.entry((&item.label, item.digest)).or_default();
            same.push(item);
        }
        let mut fresh: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in &self.0 {
            let same = open.get_mut(&(item.label.as_str(), item.digest));
            if same.and_then(Vec::pop).is_none() {
                fresh.entry(&item.label).or_default().push(item);
            }
        }
        let mut gone: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for ((label, _), items) in open {
            gone.entry(label).or_default().extend(items);
        }
        pair(fresh, gone)
    }
}

/// Pairs what is new with what is gone under the same label.
fn pair(
    fresh: BTreeMap<&str, Vec<&Item>>,
    mut gone: BTreeMap<&str, Vec<&Item>>,
) -> Vec<ItemChange> {
    let mut changes = Vec::new();
    for (label, items) in fresh {
        for item in items {
            let label = label.to_owned();
            let place = item.place.clone();
            changes.push(match gone.get_mut(item.label.as_str()).and_then(Vec::pop) {
                Some(_) => ItemChange::Changed { label, place },
                None => ItemChange::Added { label, place },
            });
        }
    }
    for item in gone.into_values().flatten() {
        changes.push(ItemChange::Removed {
            label: item.label.clone(),
            place: item.place.clone(),
        });
    }
    changes.sort();
    changes
}

#[cfg(test)]
mod tests {
    use expect_test::Expect;
    use expect_test::expect;

    use super::*;

    fn items(pieces: &[(&str, &str, &str)]) -> Items {
        let item = |&(label, contents, place): &(&str, &str, &str)| Item {
            label: label.to_owned(),
            digest: Digest::of(contents.as_bytes()),
            place: place.to_owned(),
        };
        Items(pieces.iter().map(item).collect())
    }

    #[track_caller]
    fn check(old: &[(&str, &str, &str)], new: &[(&str, &str, &str)], want: Expect) {
        let changes = items(new).changes_since(&items(old));
        let lines: Vec<String> = changes.iter().map(ItemChange::to_string).collect();
        want.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn moving_a_piece_is_no_change() {
        let old = [("hello", "1", "a.yml:3"), ("bye", "2", "a.yml:4")];
        let new = [("bye", "2", "b.yml:1"), ("hello", "1", "b.yml:2")];
        check(&old, &new, expect![[""]]);
    }

    #[test]
    fn changed_added_and_removed_pieces_are_told_apart() {
        let old = [("hello", "1", "a.yml:3"), ("bye", "2", "a.yml:4")];
        let new = [("hello", "x", "a.yml:3"), ("thanks", "3", "a.yml:5")];
        check(
            &old,
            &new,
            expect![[r#"
                changed hello (a.yml:3)
                added thanks (a.yml:5)
                removed bye (a.yml:4)"#]],
        );
    }

    #[test]
    fn a_second_piece_of_the_same_label_and_contents_counts() {
        let old = [("hello", "1", "a.yml:3")];
        let new = [("hello", "1", "a.yml:3"), ("hello", "1", "")];
        check(&old, &new, expect!["added hello"]);
        check(&new, &old, expect!["removed hello (a.yml:3)"]);
    }
}
