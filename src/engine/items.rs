//! The labelled pieces of a value, and what changed between two lists of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::Serialize;

use crate::digest::Digest;

/// The labelled pieces that a value consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Items(pub Vec<Item>);

/// One piece of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What the user would call it. Two pieces may share a label.
    pub label: String,
    /// The digest of what it is.
    pub digest: Digest,
    /// Where it was written, as `file:line`; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What it is, in the user's words, such as `intent: greet`; a reason shows
    /// the parts that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The line of each part in the file of `place`; empty when they have no
    /// lines of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u32>,
}

impl Item {
    /// Returns a piece of which nothing more is known.
    pub fn new(label: impl Into<String>, digest: Digest, place: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            digest,
            place: place.into(),
            parts: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Adds what it is.
    pub fn with_parts(mut self, parts: Vec<String>) -> Self {
        self.parts = parts;
        self
    }

    /// Returns the place of the part `index`: the piece's own when the part has
    /// none.
    fn place_of(&self, index: usize) -> String {
        let file = self.place.rsplit_once(':').map(|(file, _)| file);
        match (file, self.lines.get(index)) {
            (Some(file), Some(line)) if *line > 0 => format!("{file}:{line}"),
            _ => self.place.clone(),
        }
    }
}

/// What became of one piece.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum ItemChange {
    /// A piece of this label is there with other contents.
    Changed {
        /// The label.
        label: String,
        /// Where it is now; the line of the first part that differs.
        place: String,
        /// Its parts that are gone or were different.
        old: Vec<String>,
        /// Its parts that came or are different.
        new: Vec<String>,
    },
    /// It was not there before.
    Added {
        /// The label.
        label: String,
        /// Where it is.
        place: String,
        /// Its parts.
        new: Vec<String>,
    },
    /// It is no longer there.
    Removed {
        /// The label.
        label: String,
        /// Where it was.
        place: String,
        /// Its parts.
        old: Vec<String>,
    },
    /// The pieces are the same, in another order.
    Reordered,
}

impl fmt::Display for ItemChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, label, place, what) = match self {
            Self::Changed {
                label,
                place,
                old,
                new,
            } => ("changed", label, place, difference_sentence(old, new)),
            Self::Added { label, place, new } => ("added", label, place, short(&new.join(", "))),
            Self::Removed { label, place, old } => {
                ("removed", label, place, short(&old.join(", ")))
            }
            Self::Reordered => return f.write_str("the same pieces in another order"),
        };
        write!(f, "{verb} {}", short_name(label))?;
        match (what.as_str(), place.as_str()) {
            ("", "") => Ok(()),
            ("", one) | (one, "") => write!(f, " ({one})"),
            (what, place) => write!(f, " ({what}, {place})"),
        }
    }
}

/// Code points of a text that a sentence shows.
const SHOWN: usize = 60;

/// Says what of a piece differs: `epochs: 3 → 4`.
fn difference_sentence(old: &[String], new: &[String]) -> String {
    match (old, new) {
        ([], []) => String::new(),
        ([], new) => format!("now also {}", short(&new.join(", "))),
        (old, []) => format!("no longer {}", short(&old.join(", "))),
        ([old], [new]) => match (old.split_once(": "), new.split_once(": ")) {
            (Some((name, old)), Some((same, new))) if name == same => {
                format!("{}: {} → {}", plain(name), short(old), short(new))
            }
            _ => format!("{} → {}", short(old), short(new)),
        },
        (old, new) => format!("{} → {}", short(&old.join(", ")), short(&new.join(", "))),
    }
}

/// Returns text that fits into a sentence on one line of a terminal.
fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", plain(&text[..end])),
        None => plain(text).into_owned(),
    }
}

/// Returns a label that fits; one that ends in a quoted name still does.
fn short_name(label: &str) -> String {
    let mut shown = short(label);
    if shown.len() < label.len() && shown.ends_with('…') && label.ends_with('`') {
        shown.push('`');
    }
    shown
}

/// Returns text without characters that a terminal would obey: control
/// characters are escaped.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => plain.extend(character.escape_default()),
            false => plain.push(character),
        }
    }
    Cow::Owned(plain)
}

impl Items {
    /// Returns what changed from `old` to `self`, sorted: changed, added,
    /// removed, each by label. Pieces that only moved to another place did not
    /// change.
    pub fn changes_since(&self, old: &Items) -> Vec<ItemChange> {
        let mut unmatched: HashMap<(&str, Digest), usize> = HashMap::new();
        for item in &old.0 {
            *unmatched.entry((&item.label, item.digest)).or_default() += 1;
        }
        let mut fresh: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in &self.0 {
            match unmatched.get_mut(&(item.label.as_str(), item.digest)) {
                Some(count) if *count > 0 => *count -= 1,
                _ => fresh.entry(&item.label).or_default().push(item),
            }
        }
        let mut gone: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        // Of equal pieces the last ones are gone.
        for item in old.0.iter().rev() {
            if let Some(count) = unmatched.get_mut(&(item.label.as_str(), item.digest))
                && *count > 0
            {
                *count -= 1;
                gone.entry(&item.label).or_default().push(item);
            }
        }
        pair(fresh, gone)
    }
}

/// Pairs what is new with what is gone under the same label, the first with the
/// first. `gone` stands in reverse.
fn pair(
    fresh: BTreeMap<&str, Vec<&Item>>,
    mut gone: BTreeMap<&str, Vec<&Item>>,
) -> Vec<ItemChange> {
    let mut changes = Vec::new();
    for (label, items) in fresh {
        for item in items {
            changes.push(match gone.get_mut(label).and_then(Vec::pop) {
                Some(old) => changed(old, item),
                None => ItemChange::Added {
                    label: label.to_owned(),
                    place: item.place.clone(),
                    new: item.parts.clone(),
                },
            });
        }
    }
    for item in gone.into_values().flatten() {
        changes.push(ItemChange::Removed {
            label: item.label.clone(),
            place: item.place.clone(),
            old: item.parts.clone(),
        });
    }
    changes.sort();
    changes
}

fn changed(old: &Item, new: &Item) -> ItemChange {
    let same_start = same_count(old.parts.iter(), new.parts.iter());
    let (old_rest, new_rest) = (&old.parts[same_start..], &new.parts[same_start..]);
    let same_end = same_count(old_rest.iter().rev(), new_rest.iter().rev());
    let old_rest = &old_rest[..old_rest.len() - same_end];
    let new_rest = &new_rest[..new_rest.len() - same_end];
    let (mut gone, mut came) = (without(old_rest, new_rest), without(new_rest, old_rest));
    if gone.is_empty() && came.is_empty() {
        // The parts between only changed places.
        (gone, came) = (old_rest.to_vec(), new_rest.to_vec());
    }
    ItemChange::Changed {
        label: new.label.clone(),
        place: new.place_of(same_start.min(new.lines.len().saturating_sub(1))),
        old: gone,
        new: came,
    }
}

/// Returns how many pairs are equal from the start.
fn same_count<'a>(
    a: impl Iterator<Item = &'a String>,
    b: impl Iterator<Item = &'a String>,
) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// Returns the parts that are not among `others`, each of which counts once.
fn without(parts: &[String], others: &[String]) -> Vec<String> {
    let mut open: HashMap<&str, usize> = HashMap::new();
    for other in others {
        *open.entry(other).or_default() += 1;
    }
    let mut is_new = |part: &&String| match open.get_mut(part.as_str()) {
        Some(count) if *count > 0 => {
            *count -= 1;
            false
        }
        _ => true,
    };
    parts.iter().filter(|part| is_new(part)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use expect_test::Expect;
    use expect_test::expect;

    use super::*;

    fn items(pieces: &[(&str, &str, &str)]) -> Items {
        let item = |&(label, contents, place): &(&str, &str, &str)| {
            Item::new(label, Digest::of(contents.as_bytes()), place)
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
        check(&new, &old, expect!["removed hello"]);
    }

    /// Returns one piece `it` in `f.yml`, whose parts stand from line 2 on.
    fn piece(parts: &[&str]) -> Items {
        let digest = Digest::of(parts.join("\n").as_bytes());
        let mut item = Item::new("it", digest, "f.yml:1")
            .with_parts(parts.iter().map(ToString::to_string).collect());
        item.lines = (2..).take(parts.len()).collect();
        Items(vec![item])
    }

    #[track_caller]
    fn check_parts(old: &[&str], new: &[&str], want: Expect) {
        let changes = piece(new).changes_since(&piece(old));
        let lines: Vec<String> = changes.iter().map(ItemChange::to_string).collect();
        want.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_changed_part_is_shown_old_and_new_at_its_own_line() {
        check_parts(
            &["intent: greet", "action: wave", "intent: bye"],
            &["intent: greet", "action: smile", "intent: bye"],
            expect!["changed it (action: wave → smile, f.yml:3)"],
        );
        check_parts(
            &["a: 1", "b: 2", "c: 3"],
            &["a: 9", "b: 2", "c: 8"],
            expect!["changed it (a: 1, c: 3 → a: 9, c: 8, f.yml:2)"],
        );
    }

    #[test]
    fn parts_that_came_or_went_are_named_alone() {
        check_parts(
            &["a", "c"],
            &["a", "b", "c"],
            expect!["changed it (now also b, f.yml:3)"],
        );
        check_parts(
            &["a", "b"],
            &["a"],
            expect!["changed it (no longer b, f.yml:2)"],
        );
        check_parts(
            &["a", "b"],
            &["b", "a"],
            expect!["changed it (a, b → b, a, f.yml:2)"],
        );
    }

    #[test]
    fn several_pieces_of_one_label_are_paired_in_order() {
        let of = |parts: &[&str]| {
            let each = parts.iter().map(|part| {
                let digest = Digest::of(part.as_bytes());
                Item::new("it", digest, "").with_parts(vec![format!("text: {part}")])
            });
            Items(each.collect())
        };
        let changes = of(&["a", "B", "c", "D"]).changes_since(&of(&["a", "b", "c", "d"]));
        let lines: Vec<String> = changes.iter().map(ItemChange::to_string).collect();
        expect![[r#"
            changed it (text: b → B)
            changed it (text: d → D)"#]]
        .assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_sentence_is_one_short_line_whatever_the_user_wrote() {
        let long = format!("example `{}`", "ä".repeat(100));
        let change = ItemChange::Added {
            label: long,
            place: String::new(),
            new: vec!["text: \u{1b}[31mred\nline".to_owned()],
        };
        let shown = change.to_string();
        assert!(shown.starts_with("added example `äää") && shown.contains("ä…` ("));
        assert!(shown.ends_with("(text: \\u{1b}[31mred\\nline)"), "{shown}");
    }
}
