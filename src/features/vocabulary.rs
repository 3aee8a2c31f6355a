//! Learns the vocabulary of a count vectorizer: all terms within limits.

use std::collections::BTreeMap;
use std::collections::HashMap;

use serde::Deserialize;
use serde::Serialize;

use super::ngrams::Terms;

/// Terms with their columns: `0..len` in the order of the terms.
pub type Vocabulary = BTreeMap<String, u32>;

/// A limit on the number of documents that a term occurs in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Limit {
    /// So many documents.
    Count(u64),
    /// This part of all documents.
    Share(f64),
}

impl Limit {
    fn of(self, documents: usize) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Share(share) => share * documents as f64,
        }
    }
}

/// Which terms are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub min_df: Limit,
    pub max_df: Limit,
    pub max_features: Option<usize>,
}

/// How often terms occur; `[term]` by number of first occurrence.
#[derive(Default)]
struct Counts {
    numbers: HashMap<String, u32>,
    terms: Vec<String>,
    occurrences: Vec<u64>,
    documents: Vec<u64>,
    last_document: Vec<usize>,
}

impl Counts {
    fn number(&mut self, term: &str) -> u32 {
        if let Some(&number) = self.numbers.get(term) {
            return number;
        }
        let number = self.terms.len() as u32;
        self.numbers.insert(term.to_owned(), number);
        self.terms.push(term.to_owned());
        self.occurrences.push(0);
        self.documents.push(0);
        self.last_document.push(usize::MAX);
        number
    }

    fn add(&mut self, number: u32, document: usize) {
        let at = number as usize;
        self.occurrences[at] += 1;
        if self.last_document[at] != document {
            self.last_document[at] = document;
            self.documents[at] += 1;
        }
    }
}

/// Returns the vocabulary of `documents`, each given as its tokens.
///
/// # Errors
///
/// A sentence saying why no term is left.
///
/// # Source
///
/// scikit-learn 1.1 `CountVectorizer`, with NumPy's choice among terms that are
/// equally frequent at the limit of `max_features`.
pub(super) fn learn(
    terms: &Terms<'_>,
    documents: &[Vec<String>],
    limits: Limits,
) -> Result<Vocabulary, String> {
    let counts = count(terms, documents);
    if counts.terms.is_empty() {
        return Err("its texts have no terms".to_owned());
    }
    let least = limits.min_df.of(documents.len());
    let most = limits.max_df.of(documents.len());
    if most < least {
        return Err("`max_df` allows fewer documents than `min_df` asks for".to_owned());
    }
    let mut sorted: Vec<usize> = (0..counts.terms.len()).collect();
    sorted.sort_unstable_by(|a, b| counts.terms[*a].cmp(&counts.terms[*b]));
    sorted.retain(|&term| (least..=most).contains(&(counts.documents[term] as f64)));
    if let Some(limit) = limits.max_features.filter(|limit| sorted.len() > *limit) {
        let frequency: Vec<i64> = sorted
            .iter()
            .map(|&t| counts.occurrences[t] as i64)
            .collect();
        sorted = most_frequent(&frequency, limit)
            .into_iter()
            .map(|at| sorted[at])
            .collect();
    }
    if sorted.is_empty() {
        return Err("no term is within `min_df` and `max_df`".to_owned());
    }
    let terms = sorted.into_iter().map(|term| counts.terms[term].clone());
    Ok(terms.zip(0..).collect())
}

fn count(terms: &Terms<'_>, documents: &[Vec<String>]) -> Counts {
    let mut counts = Counts::default();
    let mut known: HashMap<&str, Vec<u32>> = HashMap::new();
    let mut numbers = Vec::new();
    for (place, tokens) in documents.iter().enumerate() {
        if !terms.are_within_tokens() {
            numbers.clear();
            terms.of(&tokens.join(" "), &mut |term| {
                numbers.push(counts.number(term))
            });
            numbers.iter().for_each(|&number| counts.add(number, place));
            continue;
        }
        for token in tokens {
            let numbers = known.entry(token).or_insert_with(|| {
                let mut numbers = Vec::new();
                terms.of(token, &mut |term| numbers.push(counts.number(term)));
                numbers
            });
            numbers.iter().for_each(|&number| counts.add(number, place));
        }
    }
    counts
}

/// Returns the places of the `limit` largest frequencies, ascending.
fn most_frequent(frequency: &[i64], limit: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..frequency.len()).collect();
    let levels = 2 * frequency.len().max(1).ilog2();
    sort_unstably(&mut order, &|place| -frequency[place], levels);
    order.truncate(limit);
    order.sort_unstable();
    order
}

/// Sorts places by their key, leaving equal ones in the order in which NumPy's
/// default `argsort` leaves them: which of equally frequent terms are kept
/// depends on it. Beyond `levels` of cutting, which NumPy leaves to a heap sort,
/// equal ones keep their order.
///
/// # Source
///
/// The behaviour of NumPy 1.23 (quick sort around the median of three, insertion
/// sort up to 16 elements), checked against recorded vocabularies.
fn sort_unstably(places: &mut [usize], key: &impl Fn(usize) -> i64, levels: u32) {
    if places.len() <= 16 || levels == 0 {
        return places.sort_by_key(|&place| key(place));
    }
    let last = places.len() - 1;
    let middle = last / 2;
    for (low, high) in [(0, middle), (middle, last), (0, middle)] {
        if key(places[high]) < key(places[low]) {
            places.swap(low, high);
        }
    }
    let pivot = key(places[middle]);
    places.swap(middle, last - 1);
    let (mut from, mut to) = (0, last - 1);
    loop {
        from += 1;
        while key(places[from]) < pivot {
            from += 1;
        }
        to -= 1;
        while pivot < key(places[to]) {
            to -= 1;
        }
        if from >= to {
            break;
        }
        places.swap(from, to);
    }
    places.swap(from, last - 1);
    let (low, high) = places.split_at_mut(from);
    sort_unstably(low, key, levels - 1);
    sort_unstably(&mut high[1..], key, levels - 1);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_most_frequent_are_kept(frequency in prop::collection::vec(1i64..9, 1..200), limit in 1usize..40) {
            let kept = most_frequent(&frequency, limit);
            prop_assert_eq!(kept.len(), limit.min(frequency.len()));
            let least = kept.iter().map(|&at| frequency[at]).min().unwrap();
            for at in 0..frequency.len() {
                prop_assert!(kept.contains(&at) || frequency[at] <= least);
            }
        }
    }
}
