//! Guesses which name was meant.

/// Returns the candidate nearest to `name`, if it is near enough to be meant.
///
/// Near is a Damerau–Levenshtein distance of at most a third of the longer
/// name's code points, at least 1; names that differ in case alone are nearest.
/// The first in alphabetical order wins among equals.
pub fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let count = name.chars().count();
    let letters = letters(name);
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
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
