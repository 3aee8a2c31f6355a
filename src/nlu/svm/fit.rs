//! Finds the planes between every two intents.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::nlu::svm::SvmData;
use crate::nlu::svm::SvmModel;
use crate::nlu::svm::SvmOptions;
use crate::nlu::svm::platt::Sigmoid;
use crate::nlu::svm::search::best_price;
use crate::nlu::svm::solver::Gram;
use crate::nlu::svm::solver::Plane;
use crate::nlu::svm::solver::solve;

/// Parts into which the examples of two intents are cut to learn what a margin
/// means (libsvm).
const FOLDS: usize = 5;

/// How many pairs are worked on between two looks at whether to go on.
const PAIRS_AT_ONCE: usize = 64;

/// What was done of a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SvmStep {
    /// Pairs of intents done, in the search and at the end.
    pub done: usize,
    /// All of them.
    pub most: usize,
}

/// Two intents and their examples.
pub(super) struct Pair {
    /// The label whose margins are positive.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// The examples of both, those of the first before those of the second.
    members: Vec<usize>,
    /// How many are of the first.
    firsts: usize,
}

impl Pair {
    /// Returns the features of the examples.
    pub fn rows<'d>(&self, data: &'d SvmData) -> Vec<&'d [f32]> {
        self.members
            .iter()
            .map(|&member| data.row(member))
            .collect()
    }

    /// Returns places in [`Pair::rows`] and whether the example there is of the
    /// first intent, of the examples that are `seen`.
    pub fn examples(&self, seen: impl Fn(usize) -> bool) -> impl Iterator<Item = (usize, bool)> {
        let members = self.members.iter().enumerate();
        members
            .filter(move |(_, member)| seen(**member))
            .map(|(at, _)| (at, at < self.firsts))
    }
}

/// Returns every two intents, in the order of their names.
fn pairs(data: &SvmData) -> Vec<Pair> {
    let mut of = vec![Vec::new(); data.labels.len()];
    for (example, &label) in data.targets.iter().enumerate() {
        of[label as usize].push(example);
    }
    let mut pairs = Vec::new();
    for first in 0..of.len() {
        for second in first + 1..of.len() {
            pairs.push(Pair {
                first,
                second,
                members: [&of[first][..], &of[second][..]].concat(),
                firsts: of[first].len(),
            });
        }
    }
    pairs
}

/// Returns the prices of a mistake with the first and the second intent of a pair:
/// rare intents cost as much as frequent ones, over all examples that are `seen`.
pub(super) fn prices(
    data: &SvmData,
    price: f64,
    pair: &Pair,
    seen: impl Fn(usize) -> bool,
) -> (f64, f64) {
    let mut counts = vec![0_usize; data.labels.len()];
    for (example, &label) in data.targets.iter().enumerate() {
        counts[label as usize] += usize::from(seen(example));
    }
    let classes = counts.iter().filter(|count| **count > 0).count() as f64;
    let all: usize = counts.iter().sum();
    let of = |class: usize| price * all as f64 / (classes * counts[class].max(1) as f64);
    (of(pair.first), of(pair.second))
}

/// Finds the best price, and the planes with it; asks `on_step` from time to time
/// whether to go on, and returns nothing if it is to stop or there are not two
/// labels. The same data gives the same planes for any number of threads.
///
/// # Source
///
/// Rasa 3.6; scikit-learn `SVC` and libsvm.
pub fn fit(
    options: &SvmOptions,
    data: &SvmData,
    on_step: &mut dyn FnMut(SvmStep) -> ControlFlow<()>,
) -> Option<SvmModel> {
    if data.labels.len() < 2 {
        return None;
    }
    let pairs = pairs(data);
    let most = 2 * pairs.len();
    let mut go_on = |done: usize| on_step(SvmStep { done, most }).is_continue();
    let price = best_price(options, data, &pairs, &mut go_on)?;
    let mut planes = Vec::with_capacity(pairs.len());
    for some in pairs.chunks(PAIRS_AT_ONCE) {
        let found = some.par_iter().map(|pair| plane(data, price, pair));
        planes.extend(found.collect::<Vec<_>>());
        if !go_on(pairs.len() + planes.len()) {
            return None;
        }
    }
    Some(SvmModel::new(
        data.labels.clone(),
        data.columns,
        price,
        &planes,
    ))
}

/// Returns the plane of a pair and what its margins mean.
///
/// The margins that tell it are of examples which the plane was not made of; the
/// k-th example of each intent is left out in turn k mod 5.
fn plane(data: &SvmData, price: f64, pair: &Pair) -> (Plane, Sigmoid) {
    let rows = pair.rows(data);
    let gram = Gram::of(&rows);
    let prices = prices(data, price, pair, |_| true);
    let all: Vec<(usize, bool)> = pair.examples(|_| true).collect();
    let turn = |&(at, is_first): &(usize, bool)| match is_first {
        true => at % FOLDS,
        false => (at - pair.firsts) % FOLDS,
    };
    let mut margins = Vec::with_capacity(all.len());
    for fold in 0..FOLDS {
        let (out, seen): (Vec<_>, Vec<_>) = all.iter().partition(|one| turn(one) == fold);
        let has = |class: bool| {
            seen.iter()
                .any(|(_, is_first): &(usize, bool)| *is_first == class)
        };
        let solution = (has(true) && has(false)).then(|| solve(&gram, &seen, prices));
        for (at, is_first) in out {
            let margin = match (&solution, has(true), has(false)) {
                (Some(solution), ..) => solution.margin(&gram, at),
                // libsvm: where only one is left to learn from, it is that one.
                (None, true, _) => 1.0,
                (None, _, true) => -1.0,
                (None, false, false) => 0.0,
            };
            margins.push((margin, is_first));
        }
    }
    let plane = solve(&gram, &all, prices).plane(&rows);
    (plane, Sigmoid::fit(&margins))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Three intents around points of a plane, with a fourth number that tells
    /// nothing.
    pub fn sample() -> SvmData {
        let centres = [[0.0, 1.0], [1.0, 0.0], [-0.7, -0.7]];
        let mut data = SvmData {
            labels: ["a", "b", "c"].map(str::to_owned).to_vec(),
            columns: 4,
            ..SvmData::default()
        };
        for at in 0..45 {
            let class = [0, 1, 2, 0, 1, 2, 0, 2, 2][at % 9];
            let noise = |k: usize| ((at * 37 + k * 101) % 97) as f32 / 97.0 - 0.5;
            let [x, y] = centres[class];
            let row = [x + 2.5 * noise(1), y + 2.5 * noise(2), noise(3), 0.5];
            data.rows.extend(row);
            data.targets.push(class as u32);
        }
        data
    }

    fn fitted(options: &SvmOptions) -> SvmModel {
        fit(options, &sample(), &mut |_| ControlFlow::Continue(())).unwrap()
    }

    #[test]
    fn weights_do_not_depend_on_the_number_of_threads() {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build()
                .unwrap()
                .install(|| fitted(&SvmOptions::default()).to_files())
        };
        let want = with(1);
        for threads in [2, 3, 8] {
            assert!(with(threads) == want, "{threads} threads");
        }
    }

    #[test]
    fn a_search_that_is_stopped_gives_no_model() {
        let options = SvmOptions::default();
        assert!(fit(&options, &sample(), &mut |_| ControlFlow::Break(())).is_none());
        let one = SvmData {
            labels: vec!["a".into()],
            columns: 1,
            rows: vec![1.0],
            targets: vec![0],
        };
        assert!(fit(&options, &one, &mut |_| ControlFlow::Continue(())).is_none());
    }

    #[test]
    fn intents_with_an_example_each_are_told_apart() {
        let data = SvmData {
            labels: ["a", "b"].map(str::to_owned).to_vec(),
            columns: 1,
            rows: vec![1.0, -1.0],
            targets: vec![0, 1],
        };
        let options = SvmOptions::default();
        let model = fit(&options, &data, &mut |_| ControlFlow::Continue(())).unwrap();
        let found = model.probabilities(&[1.0]).unwrap();
        assert!((found[0] + found[1] - 1.0).abs() < 1e-9, "{found:?}");
        assert!(model.margins(&[1.0])[0] > 0.9);
    }
}
