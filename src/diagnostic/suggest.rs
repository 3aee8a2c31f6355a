//! Guesses which name was meant.

use std::collections::HashMap;

/// Code points of a name beyond which nothing is guessed: the distance between
/// two names takes time with the product of their lengths.
const LONGEST: usize = 200;

/// Names for which the nearest is sought, of one list of candidates. Whoever has
/// more unknown names than that did not mistype them.
const BUDGET: usize = 200;

/// The names that may have been meant, for many unknown ones: each is sought
/// once, and no more than 200 are.
#[derive(Debug, Default)]
pub struct Suggestions<'a> {
    candidates: Vec<&'a str>,
    found: HashMap<String, Option<&'a str>>,
}

impl<'a> Suggestions<'a> {
    /// Takes names that exist.
    pub fn new(candidates: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            candidates: candidates.into_iter().collect(),
            found: HashMap::new(),
        }
    }

    /// Returns the candidate nearest to `name`, as [`did_you_mean`].
    pub fn near(&mut self, name: &str) -> Option<&'a str> {
        if let Some(near) = self.found.get(name) {
            return *near;
        }
        if self.found.len() >= BUDGET {
            return None;
        }
        let near = did_you_mean(name, self.candidates.iter().copied());
        self.found.insert(name.to_owned(), near);
        near
    }
}

/// Returns the candidate nearest to `name`, if it is near enough to be meant.
///
/// Near is a Damerau–Levenshtein distance of at most a third of the longer
/// name's code points, at least 1; names that differ in case alone are nearest.
/// The first in alphabetical order wins among equals. Names of more than 200 code
/// points are near to nothing.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if name.chars().nth(LONGEST).is_some() {
        return None;
    }
    let lower = name.to_lowercase();
    let count = name.chars().count();
    let letters = letters(name);
    let mut best: Option<(usize, &'a str)> = None;
    // A code point has 4 bytes at most, and a near name half as many more of them.
    let longest = 4 * (2 * count + 1);
    for candidate in candidates.into_iter().filter(|one| one.len() <= longest) {
        let other = candidate.chars().count();
        let limit = (count.max(other) / 3).max(1);
        if candidate == name || count.abs_diff(other) > limit {
            continue;
        }
        if distance_at_least(&letters, candidate) > limit {
            continue;
        }
        let distance = if candidate.to_lowercase() == lower {
            0
        } else {
            strsim::damerau_levenshtein(name, candidate)
        };
        if distance <= limit && best.is_none_or(|best| (distance, candidate) < best) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How often each kind of letter stands in a name: Latin letters without case,
/// and all others in a few groups.
fn letters(name: &str) -> [i32; 32] {
    let mut counts = [0; 32];
    for letter in name.chars() {
        counts[kind(letter)] += 1;
    }
    counts
}

fn kind(letter: char) -> usize {
    match letter {
        'a'..='z' | 'A'..='Z' => usize::from(letter as u8 & 31),
        '0'..='9' => 27 + letter as usize % 4,
        '_' => 31,
        _ => 0,
    }
}

/// Returns a bound that the distance to a candidate is not below: every step
/// removes, adds or changes one letter, or swaps two. Most candidates are ruled
/// out by it, at a fraction of the cost.
fn distance_at_least(letters: &[i32; 32], candidate: &str) -> usize {
    let mut left = *letters;
    for letter in candidate.chars() {
        left[kind(letter)] -= 1;
    }
    let (mut more, mut fewer) = (0, 0);
    for count in left {
        more += count.max(0);
        fewer += (-count).max(0);
    }
    more.max(fewer) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapped_letters_are_near() {
        let names = ["greet", "book_table", "book_cable_car"];
        assert_eq!(did_you_mean("book_tabel", names), Some("book_table"));
    }

    #[test]
    fn unlike_names_are_not_suggested() {
        assert_eq!(did_you_mean("weather", ["greet", "bye"]), None);
    }

    #[test]
    fn another_case_is_nearest() {
        assert_eq!(did_you_mean("Greet", ["greed", "greet"]), Some("greet"));
    }

    #[test]
    fn so_many_unknown_names_are_not_sought_one_by_one() {
        let names: Vec<String> = (0..=BUDGET).map(|one| format!("name_{one:05}x")).collect();
        let known = ["name_00000", "name_00200"];
        let mut known = Suggestions::new(known);
        let near: Vec<_> = names.iter().map(|name| known.near(name)).collect();
        assert_eq!(near[0], Some("name_00000"));
        assert_eq!(near[BUDGET], None);
        // What was found stays.
        assert_eq!(known.near(&names[0]), Some("name_00000"));
    }

    #[test]
    fn nothing_is_near_to_a_huge_name() {
        let (one, other) = ("a".repeat(200_000), format!("{}b", "a".repeat(199_999)));
        assert_eq!(did_you_mean(&one, [other.as_str()]), None);
        assert_eq!(did_you_mean("aaa", [other.as_str()]), None);
    }

    #[test]
    fn the_bound_is_never_above_the_distance() {
        let names = [
            "",
            "greet",
            "Greet",
            "book_table",
            "book_tabel",
            "kniga_1",
            "книга",
            "9_9",
        ];
        for a in names {
            for b in names {
                let distance = strsim::damerau_levenshtein(a, b);
                assert!(distance_at_least(&letters(a), b) <= distance, "{a} {b}");
            }
        }
        assert_eq!(distance_at_least(&letters("abc"), "xyzw"), 4);
    }
}
