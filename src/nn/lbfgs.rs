//! The minimum of a smooth function of many numbers, alone or with an L1 penalty.
//!
//! Sums run in eight fixed lanes, so the bits of a result depend on nothing but
//! its input.

use std::collections::VecDeque;
use std::ops::ControlFlow;

/// How to look for a minimum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lbfgs {
    /// How many steps are remembered to guess the curvature.
    pub memory: usize,
    /// Steps at most.
    pub max_iterations: usize,
    /// What the sum of magnitudes is multiplied with; 0 for a smooth function.
    pub l1: f64,
}

/// Where the search is after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Iterate {
    /// Steps done.
    pub iteration: usize,
    /// The function with its penalty.
    pub value: f64,
    /// Length of the gradient, or of what takes its place where the penalty has
    /// a kink.
    pub gradient_norm: f64,
    /// Its greatest magnitude.
    pub gradient_max: f64,
    /// Length of the point.
    pub point_norm: f64,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The caller was content, or wanted no more.
    Stopped,
    /// All steps were done.
    OutOfIterations,
    /// No step made it better: this is the minimum as far as numbers can tell.
    NoProgress,
}

/// Trials of one line search.
const TRIALS: usize = 30;
/// Of the decrease that the slope promises, so much must come true.
const SUFFICIENT: f64 = 1e-4;
/// The slope along a step must fall to this share.
const CURVATURE: f64 = 0.9;

impl Lbfgs {
    /// Moves `x` to the minimum of `objective`, which returns its value at a
    /// point and fills in the gradient (both without the penalty); asks `after`
    /// each step whether to go on.
    ///
    /// # Source
    ///
    /// Nocedal (1980) for the smooth case, with bisection for the weak Wolfe
    /// conditions; Andrew and Gao (2007), OWL-QN, with a penalty.
    pub fn minimise(
        &self,
        x: &mut [f64],
        objective: &mut dyn FnMut(&[f64], &mut [f64]) -> f64,
        after: &mut dyn FnMut(&Iterate) -> ControlFlow<()>,
    ) -> Ended {
        let mut gradient = vec![0.0; x.len()];
        let mut value = objective(x, &mut gradient) + self.penalty(x);
        let mut slope = self.pseudo_gradient(x, &gradient);
        let mut history = History::new(self.memory);
        for iteration in 1..=self.max_iterations {
            let mut direction = history.direction(&slope);
            if self.l1 > 0.0 {
                keep_descending(&mut direction, &slope);
            }
            let first = match history.steps.is_empty() {
                true => 1.0 / norm(&slope).max(f64::MIN_POSITIVE),
                false => 1.0,
            };
            let from = Point {
                x: x.to_vec(),
                gradient: gradient.clone(),
                value,
            };
            let Some(reached) = self.search(
                &from,
                &slope,
                &direction,
                first,
                x,
                &mut gradient,
                objective,
            ) else {
                x.copy_from_slice(&from.x);
                return Ended::NoProgress;
            };
            value = reached;
            slope = self.pseudo_gradient(x, &gradient);
            history.push(
                difference(x, &from.x),
                difference(&gradient, &from.gradient),
            );
            let iterate = Iterate {
                iteration,
                value,
                gradient_norm: norm(&slope),
                gradient_max: slope.iter().fold(0.0, |top, g| g.abs().max(top)),
                point_norm: norm(x),
            };
            if after(&iterate).is_break() {
                return Ended::Stopped;
            }
        }
        Ended::OutOfIterations
    }

    /// Looks for a point along `direction` that is better by as much as its slope
    /// promises; leaves it in `x` and `gradient` and returns the value there.
    #[allow(clippy::too_many_arguments)]
    fn search(
        &self,
        from: &Point,
        slope: &[f64],
        direction: &[f64],
        first: f64,
        x: &mut [f64],
        gradient: &mut [f64],
        objective: &mut dyn FnMut(&[f64], &mut [f64]) -> f64,
    ) -> Option<f64> {
        let along = dot(slope, direction);
        if along >= 0.0 {
            return None;
        }
        let (mut low, mut high, mut step) = (0.0, f64::INFINITY, first);
        // A point that is better, while one is sought that also curves enough.
        let mut better = None;
        for _ in 0..TRIALS {
            self.walk(from, slope, direction, step, x);
            let value = objective(x, gradient) + self.penalty(x);
            let promised = match self.l1 > 0.0 {
                true => dot(slope, &difference(x, &from.x)),
                false => step * along,
            };
            if !value.is_finite() || value > from.value + SUFFICIENT * promised {
                high = step;
            } else if self.l1 == 0.0 && dot(gradient, direction) < CURVATURE * along {
                low = step;
                better = Some(step);
            } else {
                return Some(value);
            }
            step = match high.is_finite() {
                true => (low + high) / 2.0,
                false => low * 2.0,
            };
        }
        self.walk(from, slope, direction, better?, x);
        Some(objective(x, gradient))
    }

    /// Puts `from + step · direction` into `x`; with a penalty, numbers that would
    /// change their sign stay at 0.
    fn walk(&self, from: &Point, slope: &[f64], direction: &[f64], step: f64, x: &mut [f64]) {
        for (at, x) in x.iter_mut().enumerate() {
            *x = from.x[at] + step * direction[at];
            if self.l1 > 0.0 {
                let side = match from.x[at] == 0.0 {
                    true => -slope[at],
                    false => from.x[at],
                };
                if *x * side <= 0.0 {
                    *x = 0.0;
                }
            }
        }
    }

    fn penalty(&self, x: &[f64]) -> f64 {
        match self.l1 > 0.0 {
            true => self.l1 * lanes(x, x, |a, _| a.abs()),
            false => 0.0,
        }
    }

    /// Returns the gradient with the penalty; where that has a kink, the side on
    /// which the function falls, or 0 if it rises on both.
    fn pseudo_gradient(&self, x: &[f64], gradient: &[f64]) -> Vec<f64> {
        if self.l1 == 0.0 {
            return gradient.to_vec();
        }
        let each = x.iter().zip(gradient).map(|(&x, &g)| {
            if x != 0.0 {
                g + self.l1 * x.signum()
            } else if g < -self.l1 {
                g + self.l1
            } else if g > self.l1 {
                g - self.l1
            } else {
                0.0
            }
        });
        each.collect()
    }
}

/// Where a line search starts.
struct Point {
    x: Vec<f64>,
    gradient: Vec<f64>,
    value: f64,
}

/// What the last steps say of the curvature.
struct History {
    memory: usize,
    /// Change of the point, of the gradient, and one over their product.
    steps: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
}

impl History {
    fn new(memory: usize) -> Self {
        Self {
            memory,
            steps: VecDeque::new(),
        }
    }

    fn push(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let product = dot(&step, &change);
        // Without positive curvature the guess would lead uphill.
        if product <= f64::EPSILON * dot(&change, &change) || self.memory == 0 {
            return;
        }
        if self.steps.len() == self.memory {
            self.steps.pop_front();
        }
        self.steps.push_back((step, change, 1.0 / product));
    }

    /// Returns the direction of the next step: minus the gradient, times the
    /// guess of the inverse Hessian (two loops).
    fn direction(&self, slope: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = slope.iter().map(|g| -g).collect();
        let mut factors = Vec::with_capacity(self.steps.len());
        for (step, change, inverse) in self.steps.iter().rev() {
            let factor = inverse * dot(step, &direction);
            add_scaled(&mut direction, -factor, change);
            factors.push(factor);
        }
        if let Some((_, change, inverse)) = self.steps.back() {
            let scale = 1.0 / (inverse * dot(change, change));
            direction.iter_mut().for_each(|d| *d *= scale);
        }
        for ((step, change, inverse), factor) in self.steps.iter().zip(factors.iter().rev()) {
            let back = inverse * dot(change, &direction);
            add_scaled(&mut direction, factor - back, step);
        }
        direction
    }
}

/// Sets to 0 what would lead up the slope.
fn keep_descending(direction: &mut [f64], slope: &[f64]) {
    for (d, g) in direction.iter_mut().zip(slope) {
        if *d * g >= 0.0 {
            *d = 0.0;
        }
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn add_scaled(sum: &mut [f64], factor: f64, values: &[f64]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += factor * value;
    }
}

fn norm(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    lanes(a, b, |a, b| a * b)
}

/// Sums `f` over pairs in eight lanes, which are added in order at the end.
fn lanes(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: f64 = rest.map(|(a, b)| f(*a, *b)).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += f(a[lane], b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMOOTH: Lbfgs = Lbfgs {
        memory: 6,
        max_iterations: 200,
        l1: 0.0,
    };

    fn until(gradient: f64) -> impl FnMut(&Iterate) -> ControlFlow<()> {
        move |iterate| match iterate.gradient_max < gradient {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    #[test]
    fn a_curved_valley_is_followed_to_its_end() {
        // Rosenbrock's function, whose minimum is 0 at (1, 1).
        let mut x = [-1.2, 1.0];
        let mut rosenbrock = |x: &[f64], g: &mut [f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            g[0] = -2.0 * a - 400.0 * x[0] * b;
            g[1] = 200.0 * b;
            a * a + 100.0 * b * b
        };
        let ended = SMOOTH.minimise(&mut x, &mut rosenbrock, &mut until(1e-9));
        assert_eq!(ended, Ended::Stopped);
        assert!(
            (x[0] - 1.0).abs() < 1e-7 && (x[1] - 1.0).abs() < 1e-7,
            "{x:?}"
        );
    }

    /// `Σ cᵢ (xᵢ − tᵢ)² / 2`, of which each number can be found by itself.
    fn bowl(x: &[f64], g: &mut [f64]) -> f64 {
        let mut sum = 0.0;
        for (at, x) in x.iter().enumerate() {
            let (curve, target) = (1.0 + at as f64, 3.0 - at as f64);
            g[at] = curve * (x - target);
            sum += curve * (x - target) * (x - target) / 2.0;
        }
        sum
    }

    #[test]
    fn an_l1_penalty_shrinks_and_leaves_zeros() {
        let l1 = 2.5;
        let mut x = vec![0.0; 11];
        let search = Lbfgs { l1, ..SMOOTH };
        search.minimise(&mut x, &mut bowl, &mut until(1e-9));
        for (at, x) in x.iter().enumerate() {
            let (curve, target) = (1.0 + at as f64, 3.0 - at as f64);
            let want = target.signum() * (target.abs() - l1 / curve).max(0.0);
            assert!((x - want).abs() < 1e-8, "{at}: {x} {want}");
        }
        assert_eq!(x[3], 0.0);
    }

    #[test]
    fn at_the_minimum_there_is_no_progress() {
        let mut x: Vec<f64> = (0..4).map(|at| 3.0 - f64::from(at)).collect();
        let before = x.clone();
        let ended = SMOOTH.minimise(&mut x, &mut bowl, &mut until(0.0));
        assert_eq!(ended, Ended::NoProgress);
        assert_eq!(x, before);
    }

    #[test]
    fn the_caller_ends_the_search() {
        let mut x = vec![0.0; 3];
        let mut seen = 0;
        let ended = SMOOTH.minimise(&mut x, &mut bowl, &mut |iterate| {
            seen = iterate.iteration;
            ControlFlow::Break(())
        });
        assert_eq!((ended, seen), (Ended::Stopped, 1));
        let few = Lbfgs {
            max_iterations: 2,
            ..SMOOTH
        };
        let ended = few.minimise(&mut [0.0; 9], &mut bowl, &mut until(0.0));
        assert_eq!(ended, Ended::OutOfIterations);
    }
}
