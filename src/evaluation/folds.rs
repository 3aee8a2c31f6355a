//! Which part of the data an example is tested in.
//!
//! The fold of an example is decided by its content alone: the place of its hash
//! on a circle that is cut in equal parts. So one more example moves no other (but
//! for a class whose texts all fall in one part, of which one goes to the next),
//! and of the trainings of all folds those that learn from what did not change are
//! found in the cache. How many examples of an intent are in a fold is met up to
//! chance.
//!
//! Differs from Rasa, which shuffles examples and deals them out evenly
//! (scikit-learn's `StratifiedKFold`).

use std::collections::BTreeMap;

use crate::data::Example;
use crate::digest::Digest;

/// Another context, another cut.
const CONTEXT: &str = "tabella 2026 folds of cross-validation v1";

/// Returns the fold of each example, below `count`; none for the only text of its
/// class, which is never tested: nothing could have learned it.
///
/// A class is an intent, or a response key of one. Texts of the same class that
/// are alike are in one fold. If all texts of a class are in one fold, one of
/// them goes to the next, so that each fold can be learned from the others.
///
/// # Panics
///
/// If `count` is 0.
pub fn folds(examples: &[Example], count: usize, seed: u64) -> Vec<Option<usize>> {
    assert!(count > 0, "data cannot be cut in no parts");
    let mut classes: BTreeMap<_, BTreeMap<u64, Vec<usize>>> = BTreeMap::new();
    for (index, example) in examples.iter().enumerate() {
        let class = (&example.intent, &example.intent_response_key);
        let place = place(example, seed);
        let places = classes.entry(class).or_default();
        places.entry(place).or_default().push(index);
    }
    let mut folds = vec![None; examples.len()];
    for places in classes.into_values() {
        if places.len() < 2 {
            continue;
        }
        let fold = |place: u64| ((u128::from(place) * count as u128) >> 64) as usize;
        let all: Vec<usize> = places.keys().map(|place| fold(*place)).collect();
        let is_in_one = all.iter().all(|fold| *fold == all[0]);
        let last = places.len() - 1;
        for (at, indices) in places.into_values().enumerate() {
            let moves = usize::from(is_in_one && at == last);
            let fold = (all[at] + moves) % count;
            for index in indices {
                folds[index] = Some(fold);
            }
        }
    }
    folds
}

/// Returns the place of an example on a circle of 2⁶⁴.
fn place(example: &Example, seed: u64) -> u64 {
    let content = (
        &example.text,
        &example.intent,
        &example.intent_response_key,
        &example.entities,
    );
    Digest::of_value_in(CONTEXT, &(seed, content)).on_circle()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(intent: &str, text: &str) -> Example {
        Example {
            text: text.to_owned(),
            intent: Some(intent.to_owned()),
            ..Example::default()
        }
    }

    fn many(intent: &str, count: usize) -> Vec<Example> {
        (0..count)
            .map(|i| example(intent, &format!("text {i}")))
            .collect()
    }

    #[test]
    fn one_more_example_moves_no_other() {
        let mut examples = [many("a", 200), many("b", 50)].concat();
        let before = folds(&examples, 5, 0);
        examples.insert(100, example("a", "one more"));
        let mut after = folds(&examples, 5, 0);
        assert!(after.remove(100).is_some());
        assert_eq!(after, before);
        assert_ne!(folds(&examples, 5, 1), folds(&examples, 5, 0));
    }

    #[test]
    fn folds_are_about_as_large_as_each_other() {
        let mut sizes = [0; 5];
        for fold in folds(&many("a", 2_000), 5, 0) {
            sizes[fold.unwrap()] += 1;
        }
        assert!(
            sizes.iter().all(|size| (300..500).contains(size)),
            "{sizes:?}"
        );
    }

    #[test]
    fn whatever_is_tested_can_be_learned_from_the_other_folds() {
        for seed in 0..50 {
            let examples = [many("two", 2), many("three", 3), many("one", 1)].concat();
            let folds = folds(&examples, 2, seed);
            assert!(folds[..2].contains(&Some(0)) && folds[..2].contains(&Some(1)));
            assert!(folds[2..5].contains(&Some(0)) && folds[2..5].contains(&Some(1)));
            assert_eq!(folds[5], None);
        }
    }

    #[test]
    fn the_same_text_is_never_learned_and_tested() {
        let examples = [many("a", 20), many("a", 20)].concat();
        let folds = folds(&examples, 4, 0);
        assert_eq!(folds[..20], folds[20..]);
    }
}
