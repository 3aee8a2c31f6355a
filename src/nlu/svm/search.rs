//! Which price of a mistake is best, by cross-validation.

use rayon::prelude::*;

use crate::nlu::svm::Scoring;
use crate::nlu::svm::SvmData;
use crate::nlu::svm::SvmOptions;
use crate::nlu::svm::fit::Pair;
use crate::nlu::svm::fit::prices;
use crate::nlu::svm::solver::Gram;
use crate::nlu::svm::solver::Plane;
use crate::nlu::svm::solver::solve;

/// How many pairs of intents are worked on between two looks at whether to go on.
const PAIRS_AT_ONCE: usize = 64;

/// Returns the best of several prices; of equally good ones the first. None if
/// `go_on`, which is told how many pairs are done, stops it.
///
/// # Source
///
/// Rasa 3.6, which takes scikit-learn's `GridSearchCV` with folds that are
/// stratified and not shuffled.
pub(super) fn best_price(
    options: &SvmOptions,
    data: &SvmData,
    pairs: &[Pair],
    go_on: &mut dyn FnMut(usize) -> bool,
) -> Option<f64> {
    if let [only] = options.c[..] {
        return Some(only);
    }
    let count = fold_count(options, data);
    let folds = folds(&data.targets, count);
    let classes = data.labels.len();
    let examples = data.targets.len();
    // `[price, example, class]`: in how many pairs it won.
    let mut votes = vec![0_u32; options.c.len() * examples * classes];
    for (chunk, some) in pairs.chunks(PAIRS_AT_ONCE).enumerate() {
        let planes: Vec<Vec<Option<Plane>>> = some
            .par_iter()
            .map(|pair| planes(options, data, pair, &folds, count))
            .collect();
        votes
            .par_chunks_mut(classes)
            .enumerate()
            .for_each(|(at, votes)| {
                let (price, example) = (at / examples, at % examples);
                let row = data.row(example);
                for (pair, planes) in some.iter().zip(&planes) {
                    if let Some(plane) = &planes[price * count + folds[example]] {
                        let winner = if plane.margin(row) > 0.0 {
                            pair.first
                        } else {
                            pair.second
                        };
                        votes[winner] += 1;
                    }
                }
            });
        if !go_on(chunk * PAIRS_AT_ONCE + some.len()) {
            return None;
        }
    }
    let scores = votes.chunks_exact(examples * classes).map(|votes| {
        let winners: Vec<usize> = votes.chunks_exact(classes).map(most).collect();
        mean_score(options.scoring_function, data, &folds, count, &winners)
    });
    let mut best = (f64::NEG_INFINITY, None);
    for (score, &price) in scores.zip(&options.c) {
        if score > best.0 {
            best = (score, Some(price));
        }
    }
    best.1.or_else(|| options.c.first().copied())
}

/// Returns the planes of a pair for each price and fold, `[price, fold]`; none
/// where the fold leaves only one of both intents.
fn planes(
    options: &SvmOptions,
    data: &SvmData,
    pair: &Pair,
    folds: &[usize],
    count: usize,
) -> Vec<Option<Plane>> {
    let rows = pair.rows(data);
    let gram = Gram::of(&rows);
    let mut planes = Vec::with_capacity(options.c.len() * count);
    for &price in &options.c {
        for fold in 0..count {
            let is_seen = |example: usize| folds[example] != fold;
            let (first, second) = prices(data, price, pair, is_seen);
            let seen: Vec<(usize, bool)> = pair.examples(is_seen).collect();
            let has = |class: bool| seen.iter().any(|(_, is_first)| *is_first == class);
            let is_pair = has(true) && has(false);
            planes.push(is_pair.then(|| solve(&gram, &seen, (first, second)).plane(&rows)));
        }
    }
    planes
}

impl Plane {
    /// Returns the margin of a row.
    pub fn margin(&self, row: &[f32]) -> f64 {
        let products = self.weights.iter().zip(row);
        products
            .map(|(weight, &value)| weight * f64::from(value))
            .sum::<f64>()
            + self.intercept
    }
}

/// Returns the first class of those with the most votes.
fn most(votes: &[u32]) -> usize {
    let mut best = 0;
    for (class, &count) in votes.iter().enumerate() {
        if count > votes[best] {
            best = class;
        }
    }
    best
}

/// Rasa 3.6: as many as the rarest intent has five examples, between 2 and what
/// the options say.
fn fold_count(options: &SvmOptions, data: &SvmData) -> usize {
    let mut counts = vec![0; data.labels.len()];
    data.targets
        .iter()
        .for_each(|&label| counts[label as usize] += 1);
    let rarest: usize = counts.into_iter().min().unwrap_or(0);
    options.max_cross_validation_folds.min(rarest / 5).max(2)
}

/// Returns the fold of each example.
///
/// # Source
///
/// scikit-learn `StratifiedKFold`, which deals out classes in the order in which
/// they first occur.
fn folds(targets: &[u32], count: usize) -> Vec<usize> {
    let mut order: Vec<u32> = Vec::new();
    let mut rank = std::collections::HashMap::new();
    for &target in targets {
        rank.entry(target).or_insert_with(|| {
            order.push(target);
            order.len() - 1
        });
    }
    let mut sorted: Vec<usize> = targets.iter().map(|target| rank[target]).collect();
    sorted.sort_unstable();
    // `[class, fold]`: how many of a class go to a fold.
    let mut shares = vec![vec![0; count]; order.len()];
    for (at, class) in sorted.into_iter().enumerate() {
        shares[class][at % count] += 1;
    }
    let mut next = vec![0; order.len()];
    let fold_of = |target: &u32| {
        let class = rank[target];
        while shares[class][next[class]] == 0 {
            next[class] += 1;
        }
        shares[class][next[class]] -= 1;
        next[class]
    };
    targets.iter().map(fold_of).collect()
}

/// Returns the mean score of the folds.
fn mean_score(
    scoring: Scoring,
    data: &SvmData,
    folds: &[usize],
    count: usize,
    winners: &[usize],
) -> f64 {
    let of = |fold: usize| {
        let own = (0..winners.len()).filter(|&example| folds[example] == fold);
        let pairs: Vec<(usize, usize)> = own
            .map(|example| (data.targets[example] as usize, winners[example]))
            .collect();
        score(scoring, data.labels.len(), &pairs)
    };
    (0..count).map(of).sum::<f64>() / count as f64
}

/// Scores pairs of right and predicted classes, as scikit-learn does.
fn score(scoring: Scoring, classes: usize, pairs: &[(usize, usize)]) -> f64 {
    let right = pairs.iter().filter(|(want, found)| want == found).count();
    if matches!(scoring, Scoring::Accuracy | Scoring::F1Micro) {
        return right as f64 / pairs.len().max(1) as f64;
    }
    let (mut hit, mut found, mut wanted) = (vec![0; classes], vec![0; classes], vec![0; classes]);
    for &(want, guess) in pairs {
        wanted[want] += 1;
        found[guess] += 1;
        hit[want] += usize::from(want == guess);
    }
    let seen = (0..classes).filter(|&class| wanted[class] + found[class] > 0);
    let (mut sum, mut weights) = (0.0, 0.0);
    for class in seen {
        let f1 = 2.0 * hit[class] as f64 / (wanted[class] + found[class]) as f64;
        let weight = match scoring {
            Scoring::F1Weighted => wanted[class] as f64,
            _ => 1.0,
        };
        sum += weight * f1;
        weights += weight;
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from scikit-learn 1.9.1: `StratifiedKFold(3)`.
    #[test]
    fn folds_are_those_of_scikit_learn() {
        let targets = [1, 0, 1, 2, 2, 0, 1, 1, 0, 2, 1, 0, 1];
        let recorded = [0, 0, 0, 0, 1, 0, 1, 1, 1, 2, 2, 2, 2];
        assert_eq!(folds(&targets, 3), recorded);
    }

    /// Recorded from scikit-learn 1.9.1: `f1_score` by each average.
    #[test]
    fn scores_are_those_of_scikit_learn() {
        let pairs = [(0, 0), (0, 1), (1, 1), (1, 1), (2, 0), (2, 2), (2, 1)];
        for (scoring, want) in [
            (Scoring::F1Weighted, 0.5476190476190476),
            (Scoring::F1Macro, 0.5555555555555555),
            (Scoring::F1Micro, 0.5714285714285714),
            (Scoring::Accuracy, 0.5714285714285714),
        ] {
            let found = score(scoring, 3, &pairs);
            assert!((found - want).abs() < 1e-12, "{scoring:?}: {found}");
        }
    }
}
