//! How many of the same name stand before each: what tells components of one name
//! apart, in seeds and in what is shown.

use std::collections::HashMap;

/// Returns for each name how many before it are the same, in one pass.
pub fn ordinals<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let ordinal = |name| {
        let count = counts.entry(name).or_default();
        *count += 1;
        *count - 1
    };
    names.into_iter().map(ordinal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_each_by_itself() {
        assert_eq!(ordinals(["a", "b", "a", "a", "b"]), [0, 0, 1, 2, 1]);
        assert_eq!(ordinals([]), [0; 0]);
    }
}
