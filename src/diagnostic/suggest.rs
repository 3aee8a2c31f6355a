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
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let other = candidate.chars().count();
        let limit = (count.max(other) / 3).max(1);
        if candidate == name || count.abs_diff(other) > limit {
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
}
