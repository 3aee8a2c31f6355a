//! From margins to probabilities.

use crate::matrix::exp_f64;
use crate::matrix::ln_f64;

/// `1 / (1 + e^(slope·margin + shift))`: how likely the first class is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sigmoid {
    pub slope: f64,
    pub shift: f64,
}

/// No probability of one class against another is nearer to 0 or 1 (libsvm).
const LEAST: f64 = 1e-7;

fn exp(x: f64) -> f64 {
    exp_f64(x.clamp(-700.0, 700.0))
}

impl Sigmoid {
    /// Returns how likely the first class is.
    pub fn probability(self, margin: f64) -> f64 {
        let x = self.slope * margin + self.shift;
        let p = match x >= 0.0 {
            true => exp(-x) / (1.0 + exp(-x)),
            false => 1.0 / (1.0 + exp(x)),
        };
        p.clamp(LEAST, 1.0 - LEAST)
    }

    /// Finds the sigmoid under which margins and classes are most likely; each
    /// margin with whether it is one of the first class.
    ///
    /// # Source
    ///
    /// Lin, Lin and Weng, *A Note on Platt's Probabilistic Outputs for Support Vector
    /// Machines* (2007), with the constants of libsvm.
    pub fn fit(margins: &[(f64, bool)]) -> Self {
        let first = margins.iter().filter(|(_, is_first)| *is_first).count() as f64;
        let second = margins.len() as f64 - first;
        let (high, low) = ((first + 1.0) / (first + 2.0), 1.0 / (second + 2.0));
        let wanted: Vec<(f64, f64)> = margins
            .iter()
            .map(|&(margin, is_first)| (margin, if is_first { high } else { low }))
            .collect();
        let mut best = Self {
            slope: 0.0,
            shift: ln_f64((second + 1.0) / (first + 1.0)),
        };
        let mut loss = best.loss(&wanted);
        for _ in 0..100 {
            let Some((slope, shift, fall)) = best.direction(&wanted) else {
                break;
            };
            let mut length = 1.0;
            let next = loop {
                let next = Self {
                    slope: best.slope + length * slope,
                    shift: best.shift + length * shift,
                };
                let its_loss = next.loss(&wanted);
                if its_loss < loss + 1e-4 * length * fall {
                    break Some((next, its_loss));
                }
                length /= 2.0;
                if length < 1e-10 {
                    break None;
                }
            };
            let Some(next) = next else { break };
            (best, loss) = next;
        }
        best
    }

    fn loss(self, wanted: &[(f64, f64)]) -> f64 {
        let of = |&(margin, target): &(f64, f64)| {
            let x = self.slope * margin + self.shift;
            match x >= 0.0 {
                true => target * x + ln_f64(1.0 + exp(-x)),
                false => (target - 1.0) * x + ln_f64(1.0 + exp(x)),
            }
        };
        wanted.iter().map(of).sum()
    }

    /// Returns Newton's step and how steeply the loss falls along it; none where it
    /// is flat.
    fn direction(self, wanted: &[(f64, f64)]) -> Option<(f64, f64, f64)> {
        const SOME: f64 = 1e-12;
        let (mut h11, mut h22, mut h21, mut g1, mut g2) = (SOME, SOME, 0.0, 0.0, 0.0);
        for &(margin, target) in wanted {
            let x = self.slope * margin + self.shift;
            let e = exp(-x.abs());
            let (small, large) = (e / (1.0 + e), 1.0 / (1.0 + e));
            let p = if x >= 0.0 { small } else { large };
            let curvature = small * large;
            h11 += margin * margin * curvature;
            h22 += curvature;
            h21 += margin * curvature;
            g1 += margin * (target - p);
            g2 += target - p;
        }
        if g1.abs() < 1e-5 && g2.abs() < 1e-5 {
            return None;
        }
        let determinant = h11 * h22 - h21 * h21;
        let slope = -(h22 * g1 - h21 * g2) / determinant;
        let shift = -(h11 * g2 - h21 * g1) / determinant;
        Some((slope, shift, g1 * slope + g2 * shift))
    }
}

/// Returns one probability a class, from those of each class against each other:
/// `pairs[i][j]` is how likely `i` is if it is `i` or `j`.
///
/// # Source
///
/// Wu, Lin and Weng, *Probability Estimates for Multi-class Classification by
/// Pairwise Coupling* (2004), algorithm 2, with the constants of libsvm.
pub(super) fn couple(pairs: &[Vec<f64>]) -> Vec<f64> {
    let count = pairs.len();
    if count == 2 {
        return vec![pairs[0][1], pairs[1][0]];
    }
    let mut q = vec![vec![0.0; count]; count];
    for t in 0..count {
        for j in (0..count).filter(|&j| j != t) {
            q[t][t] += pairs[j][t] * pairs[j][t];
            q[t][j] = -pairs[j][t] * pairs[t][j];
        }
    }
    let mut p = vec![1.0 / count as f64; count];
    for _ in 0..count.max(100) {
        let product = |row: &Vec<f64>| row.iter().zip(&p).map(|(q, p)| q * p).sum::<f64>();
        let mut qp: Vec<f64> = q.iter().map(product).collect();
        let mut pqp: f64 = qp.iter().zip(&p).map(|(qp, p)| qp * p).sum();
        let error = qp.iter().map(|qp| (qp - pqp).abs()).fold(0.0, f64::max);
        if error < 0.005 / count as f64 {
            break;
        }
        for t in 0..count {
            let change = (pqp - qp[t]) / q[t][t];
            p[t] += change;
            let scale = 1.0 + change;
            pqp = (pqp + change * (change * q[t][t] + 2.0 * qp[t])) / scale / scale;
            for j in 0..count {
                qp[j] = (qp[j] + change * q[t][j]) / scale;
                p[j] /= scale;
            }
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_become_the_shares_that_were_seen() {
        // Three of four above, one of four below.
        let margins: Vec<(f64, bool)> = (0..400)
            .map(|at| {
                if at % 2 == 0 {
                    (1.0, at % 8 != 0)
                } else {
                    (-1.0, at % 8 == 1)
                }
            })
            .collect();
        let found = Sigmoid::fit(&margins);
        assert!((found.probability(1.0) - 0.75).abs() < 0.01, "{found:?}");
        assert!((found.probability(-1.0) - 0.25).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn margins_that_tell_nothing_give_the_prior() {
        let margins: Vec<(f64, bool)> = (0..40).map(|at| (0.0, at % 4 == 0)).collect();
        let found = Sigmoid::fit(&margins).probability(0.0);
        assert!((found - 0.25).abs() < 0.03, "{found}");
    }

    #[test]
    fn pairs_of_true_probabilities_give_them_back() {
        let want = [0.5, 0.3, 0.15, 0.05];
        let pair = |i: usize, j: usize| want[i] / (want[i] + want[j]);
        let pairs: Vec<Vec<f64>> = (0..4)
            .map(|i| (0..4).map(|j| pair(i, j)).collect())
            .collect();
        for (found, want) in couple(&pairs).iter().zip(want) {
            assert!((found - want).abs() < 0.005, "{found} {want}");
        }
    }
}
