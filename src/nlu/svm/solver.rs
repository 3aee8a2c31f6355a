//! Two classes apart with the widest margin: sequential minimal optimisation.

use std::cell::RefCell;
use std::rc::Rc;

/// A plane between two classes: above 0 is the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Plane {
    /// One a column.
    pub weights: Vec<f64>,
    /// Added to the product.
    pub intercept: f64,
}

/// Steps of the search at most; libsvm's bound.
const MOST_STEPS: usize = 10_000_000;

/// The search ends when no two examples disagree more: the default of
/// scikit-learn's `tol`.
const TOLERANCE: f64 = 1e-3;

/// Stands in for a curvature that is not positive.
const LEAST_CURVATURE: f64 = 1e-12;

/// Returns the inner product of two rows; in eight sums, so that registers are
/// filled and the order is the same everywhere.
pub(super) fn product(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a.remainder().iter().zip(b.remainder());
    let rest: f64 = rest.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..8 {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Bytes of inner products that are kept at once, by all threads together: the
/// default of scikit-learn's `cache_size`.
pub const KEPT_BYTES: usize = 200 << 20;

/// Inner products of the examples of two classes. Where there is no room for all,
/// those of the examples that were looked at last are kept, and others are computed
/// again, to the same values.
pub(super) struct Gram<'r> {
    rows: &'r [&'r [f32]],
    /// Of each example with itself.
    diagonal: Vec<f64>,
    kept: RefCell<Kept>,
}

/// The products of some examples with all others.
struct Kept {
    rows: Vec<Option<Rc<Vec<f64>>>>,
    /// When each was last asked for.
    used: Vec<u64>,
    now: u64,
    count: usize,
    most: usize,
}

impl Kept {
    fn get(&mut self, example: usize) -> Option<Rc<Vec<f64>>> {
        self.now += 1;
        self.used[example] = self.now;
        self.rows[example].clone()
    }

    /// Keeps a row, and lets that go which was not asked for the longest.
    fn put(&mut self, example: usize, row: Rc<Vec<f64>>) {
        if self.count == self.most {
            let kept = (0..self.rows.len()).filter(|&at| self.rows[at].is_some());
            if let Some(oldest) = kept.min_by_key(|&at| self.used[at]) {
                self.rows[oldest] = None;
                self.count -= 1;
            }
        }
        self.rows[example] = Some(row);
        self.count += 1;
    }
}

impl<'r> Gram<'r> {
    /// Multiplies rows with each other, in this thread's part of [`KEPT_BYTES`].
    pub fn of(rows: &'r [&'r [f32]]) -> Self {
        Self::within(rows, KEPT_BYTES / rayon::current_num_threads().max(1))
    }

    /// Multiplies rows with each other in so many bytes, but those of two rows at
    /// least.
    fn within(rows: &'r [&'r [f32]], bytes: usize) -> Self {
        let count = rows.len();
        let most = (bytes / (size_of::<f64>() * count.max(1))).max(2);
        let mut gram = Self {
            rows,
            diagonal: rows.iter().map(|row| product(row, row)).collect(),
            kept: RefCell::new(Kept {
                rows: vec![None; count],
                used: vec![0; count],
                now: 0,
                count: 0,
                most,
            }),
        };
        if count <= most {
            gram.fill();
        }
        gram
    }

    /// Computes all products, each once for both of its examples.
    fn fill(&mut self) {
        let count = self.rows.len();
        let mut products = vec![vec![0.0; count]; count];
        for i in 0..count {
            for j in 0..=i {
                let value = product(self.rows[i], self.rows[j]);
                products[i][j] = value;
                products[j][i] = value;
            }
        }
        let kept = self.kept.get_mut();
        kept.rows = products.into_iter().map(|row| Some(Rc::new(row))).collect();
        kept.count = count;
    }

    /// Returns the products of an example with all.
    fn row(&self, example: usize) -> Rc<Vec<f64>> {
        let mut kept = self.kept.borrow_mut();
        if let Some(row) = kept.get(example) {
            return row;
        }
        let own = self.rows[example];
        let row: Vec<f64> = self.rows.iter().map(|other| product(own, other)).collect();
        let row = Rc::new(row);
        kept.put(example, Rc::clone(&row));
        row
    }

    /// Returns the sum of an example's products with some, each times its share.
    fn weighed(&self, example: usize, shares: &[(usize, f64)]) -> f64 {
        let row = self.kept.borrow_mut().get(example);
        let products = shares.iter().map(|&(at, share)| match &row {
            Some(row) => share * row[at],
            None => share * product(self.rows[example], self.rows[at]),
        });
        products.sum()
    }
}

/// How much each example pulls at the plane.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    /// The example among those of the Gram matrix, and its signed share.
    pub pulls: Vec<(usize, f64)>,
    /// Added to the product.
    pub intercept: f64,
}

impl Solution {
    /// Returns the margin of an example of the same Gram matrix.
    pub fn margin(&self, gram: &Gram<'_>, example: usize) -> f64 {
        gram.weighed(example, &self.pulls) + self.intercept
    }

    /// Returns the plane, from the rows that the Gram matrix was made of.
    pub fn plane(&self, rows: &[&[f32]]) -> Plane {
        let mut weights = vec![0.0; rows.first().map_or(0, |row| row.len())];
        for &(at, pull) in &self.pulls {
            for (weight, &value) in weights.iter_mut().zip(rows[at]) {
                *weight += pull * f64::from(value);
            }
        }
        Plane {
            weights,
            intercept: self.intercept,
        }
    }
}

/// Separates some examples: of each its place in the Gram matrix, and whether it is
/// of the first class. `prices` are those of a mistake with one of the first and of
/// the second class.
///
/// # Source
///
/// Fan, Chen and Lin, *Working Set Selection Using Second Order Information for
/// Training Support Vector Machines* (2005), as libsvm 3.x has it, without shrinking,
/// which changes the way and not the end.
pub(super) fn solve(gram: &Gram<'_>, examples: &[(usize, bool)], prices: (f64, f64)) -> Solution {
    let mut search = Search::new(gram, examples, prices);
    let most = MOST_STEPS.max(examples.len().saturating_mul(100));
    for _ in 0..most {
        let Some((i, j)) = search.pair() else { break };
        search.step(i, j);
    }
    let examples = examples.iter().zip(&search.alpha).zip(&search.signs);
    let pulls = examples.filter(|((_, alpha), _)| **alpha > 0.0);
    Solution {
        pulls: pulls
            .map(|((&(at, _), alpha), sign)| (at, alpha * sign))
            .collect(),
        intercept: search.intercept(),
    }
}

/// ½ αᵀQα − Σα with Q = signs · products · signs, 0 ≤ α ≤ price and Σ sign·α = 0.
struct Search<'a> {
    gram: &'a Gram<'a>,
    /// Places in the Gram matrix.
    places: Vec<usize>,
    /// 1 for the first class, −1 for the second.
    signs: Vec<f64>,
    prices: Vec<f64>,
    alpha: Vec<f64>,
    /// Qα − 1.
    gradient: Vec<f64>,
}

impl<'a> Search<'a> {
    fn new(gram: &'a Gram<'a>, examples: &[(usize, bool)], (first, second): (f64, f64)) -> Self {
        let sign = |&(_, is_first): &(usize, bool)| if is_first { 1.0 } else { -1.0 };
        let price = |&(_, is_first): &(usize, bool)| if is_first { first } else { second };
        Self {
            gram,
            places: examples.iter().map(|(place, _)| *place).collect(),
            signs: examples.iter().map(sign).collect(),
            prices: examples.iter().map(price).collect(),
            alpha: vec![0.0; examples.len()],
            gradient: vec![-1.0; examples.len()],
        }
    }

    /// Whether an example may move in the direction of its sign, or against it.
    fn may_move(&self, at: usize, direction: f64) -> bool {
        match self.signs[at] * direction > 0.0 {
            true => self.alpha[at] < self.prices[at],
            false => self.alpha[at] > 0.0,
        }
    }

    /// Returns the two examples whose moves gain most; none at the optimum.
    fn pair(&self) -> Option<(usize, usize)> {
        let pull = |at: usize| -self.signs[at] * self.gradient[at];
        let (mut i, mut up) = (None, f64::NEG_INFINITY);
        for at in 0..self.alpha.len() {
            if self.may_move(at, 1.0) && pull(at) >= up {
                (i, up) = (Some(at), pull(at));
            }
        }
        let i = i?;
        let row = self.gram.row(self.places[i]);
        let own = self.gram.diagonal[self.places[i]];
        let (mut j, mut best, mut down) = (None, f64::INFINITY, f64::INFINITY);
        for at in 0..self.alpha.len() {
            if !self.may_move(at, -1.0) {
                continue;
            }
            down = down.min(pull(at));
            let gap = up - pull(at);
            if gap > 0.0 {
                let place = self.places[at];
                let other = self.gram.diagonal[place];
                let curvature = (own + other - 2.0 * row[place]).max(LEAST_CURVATURE);
                let gain = -gap * gap / curvature;
                if gain <= best {
                    (j, best) = (Some(at), gain);
                }
            }
        }
        (up - down >= TOLERANCE).then_some((i, j?))
    }

    /// Moves two examples against each other to where the loss is least.
    fn step(&mut self, i: usize, j: usize) {
        let (row_i, row_j) = (self.gram.row(self.places[i]), self.gram.row(self.places[j]));
        let (place_i, place_j) = (self.places[i], self.places[j]);
        let curvature = row_i[place_i] + row_j[place_j] - 2.0 * row_i[place_j];
        let gap = self.signs[j] * self.gradient[j] - self.signs[i] * self.gradient[i];
        // How far: as the loss wants it, but no further than the bounds let them.
        let room = |at: usize, direction: f64| match self.signs[at] * direction > 0.0 {
            true => self.prices[at] - self.alpha[at],
            false => self.alpha[at],
        };
        let (room_i, room_j) = (room(i, 1.0), room(j, -1.0));
        let length = (gap / curvature.max(LEAST_CURVATURE))
            .min(room_i)
            .min(room_j);
        for (at, direction, room) in [(i, 1.0, room_i), (j, -1.0, room_j)] {
            let grows = self.signs[at] * direction > 0.0;
            // A bound that is reached is reached exactly.
            self.alpha[at] = match (length >= room, grows) {
                (true, true) => self.prices[at],
                (true, false) => 0.0,
                (false, true) => self.alpha[at] + length,
                (false, false) => self.alpha[at] - length,
            };
        }
        for at in 0..self.alpha.len() {
            let place = self.places[at];
            self.gradient[at] += self.signs[at] * length * (row_i[place] - row_j[place]);
        }
    }

    /// Returns what puts the free examples, which lie between their bounds, at a
    /// margin of 1.
    fn intercept(&self) -> f64 {
        let pull = |at: usize| -self.signs[at] * self.gradient[at];
        let all = || 0..self.alpha.len();
        let is_free = |at: &usize| self.alpha[*at] > 0.0 && self.alpha[*at] < self.prices[*at];
        let free = all().filter(is_free);
        let (sum, count) = free.fold((0.0, 0), |(sum, n), at| (sum + pull(at), n + 1));
        if count > 0 {
            return sum / f64::from(count);
        }
        let up = all().filter(|at| self.may_move(*at, 1.0)).map(pull);
        let down = all().filter(|at| self.may_move(*at, -1.0)).map(pull);
        let (up, down) = (
            up.fold(f64::NEG_INFINITY, f64::max),
            down.fold(f64::INFINITY, f64::min),
        );
        match (up.is_finite(), down.is_finite()) {
            (true, true) => (up + down) / 2.0,
            (true, false) => up,
            (false, true) => down,
            (false, false) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_points_are_separated_half_way() {
        let rows: [&[f32]; 2] = [&[3.0, 1.0], &[1.0, 1.0]];
        let gram = Gram::of(&rows);
        let found = solve(&gram, &[(0, true), (1, false)], (10.0, 10.0));
        let plane = found.plane(&rows);
        for (found, want) in plane.weights.iter().zip([1.0, 0.0]) {
            assert!((found - want).abs() < 1e-6, "{plane:?}");
        }
        assert!((plane.intercept + 2.0).abs() < 1e-6, "{plane:?}");
        assert!((found.margin(&gram, 0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn no_step_makes_the_optimum_better() {
        let rows: Vec<Vec<f32>> = (0..24)
            .map(|at| {
                (0..3)
                    .map(|k| ((at * 7 + k * 5) as f32 * 0.9).sin())
                    .collect()
            })
            .collect();
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let gram = Gram::of(&rows);
        let examples: Vec<(usize, bool)> = (0..24).map(|at| (at, at % 3 == 0)).collect();
        let prices = (4.0, 2.0);
        let mut search = Search::new(&gram, &examples, prices);
        while let Some((i, j)) = search.pair() {
            search.step(i, j);
        }
        // Every example is where its margin says it must be.
        let found = solve(&gram, &examples, prices);
        for at in 0..24 {
            let margin = found.margin(&gram, at) * search.signs[at];
            let (alpha, price) = (search.alpha[at], search.prices[at]);
            assert!((0.0..=price).contains(&alpha));
            let slack = 2e-3;
            assert!(alpha > 0.0 || margin > 1.0 - slack, "{at}: {margin}");
            assert!(alpha < price || margin < 1.0 + slack, "{at}: {margin}");
            let is_free = alpha > 0.0 && alpha < price;
            assert!(!is_free || (margin - 1.0).abs() < slack, "{at}: {margin}");
        }
        let balance: f64 = search
            .alpha
            .iter()
            .zip(&search.signs)
            .map(|(a, s)| a * s)
            .sum();
        assert!(balance.abs() < 1e-9, "{balance}");
    }

    #[test]
    fn with_room_for_few_products_the_plane_is_the_same() {
        let number = |at: usize, k: usize| ((at * 7 + k * 5) as f32 * 0.9).sin();
        let rows: Vec<Vec<f32>> = (0..60)
            .map(|at| (0..11).map(|k| number(at, k)).collect())
            .collect();
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let examples: Vec<(usize, bool)> = (0..60).map(|at| (at, at % 3 == 0)).collect();
        let found = |bytes: usize| {
            let gram = Gram::within(&rows, bytes);
            let solution = solve(&gram, &examples, (4.0, 2.0));
            let margins: Vec<f64> = (0..60).map(|at| solution.margin(&gram, at)).collect();
            let kept = gram.kept.borrow();
            let rows = kept.rows.iter().flatten().count();
            assert_eq!(rows, kept.count);
            (rows, (solution.plane(gram.rows), margins))
        };
        let (all, want) = found(KEPT_BYTES);
        assert_eq!(all, 60);
        for few in [2, 7] {
            let (rows, found) = found(few * 60 * 8);
            assert_eq!(rows, few);
            assert!(found == want, "{few} rows");
        }
    }

    #[test]
    fn equal_rows_of_both_classes_end_the_search() {
        let rows: [&[f32]; 4] = [&[1.0]; 4];
        let gram = Gram::of(&rows);
        let examples = [(0, true), (1, false), (2, true), (3, false)];
        let found = solve(&gram, &examples, (1.0, 1.0));
        assert!(found.margin(&gram, 0).abs() < 1.1);
    }
}
