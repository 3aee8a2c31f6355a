//! The linear-chain conditional random field: likelihood, its gradient, decoding.
//!
//! Scores are unary logits `[T, L]`, row-major, and transitions `[L, L]` from row to
//! column; there are no start or stop scores.

use crate::matrix::Strided;
use crate::matrix::Write;
use crate::matrix::exp_each;
use crate::matrix::gemm;
use crate::matrix::ln;
use crate::matrix::ln_each;
use crate::matrix::padded;

/// Transitions of this step, ready for [`Crf::learn`].
#[derive(Clone, Debug)]
pub struct Crf {
    tags: usize,
    /// `[L, L]`; from row to column.
    transitions: Vec<f32>,
    /// Their exponentials, and those transposed; rows padded with zeros to whole lanes.
    exponentials: Vec<f32>,
    transposed: Vec<f32>,
}

/// What one sentence teaches.
#[derive(Clone, Debug)]
pub struct CrfLesson {
    /// Log-likelihood of the right tags.
    pub log_likelihood: f32,
    /// `[T, L]`; gradient of the *negative* log-likelihood with respect to the logits.
    pub d_logits: Vec<f32>,
    /// `[T − 1, L]` and `[T − 1, L padded]`: the outer product of row t of both, times the
    /// exponential of the transitions, is the probability of each transition from t to
    /// t + 1.
    left: Vec<f32>,
    right: Vec<f32>,
    tags: Vec<u32>,
}

/// Which confidence [`Crf::decode`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrfConfidence {
    /// Rasa 3's: for all tokens but the last two, that of tag 0 (or of tag 1, where the
    /// next confidence is exactly 1) instead of the decoded tag.
    Rasa,
    /// That of the decoded tag.
    ///
    /// Differs from Rasa: it indexes with the confidence where it means the tag.
    Tag,
}

impl Crf {
    /// Prepares transitions `[tags, tags]`.
    ///
    /// # Panics
    ///
    /// If there are not `tags²` of them.
    pub fn new(transitions: &[f32], tags: usize) -> Self {
        assert_eq!(transitions.len(), tags * tags);
        let mut all = transitions.to_vec();
        exp_each(&mut all);
        let width = padded(tags);
        let (mut exponentials, mut transposed) = (vec![0.0; tags * width], vec![0.0; tags * width]);
        for (at, &value) in all.iter().enumerate() {
            exponentials[at / tags * width + at % tags] = value;
            transposed[at % tags * width + at / tags] = value;
        }
        Self {
            tags,
            transitions: transitions.to_vec(),
            exponentials,
            transposed,
        }
    }

    /// Computes the log-likelihood of the right tags, and its gradients, by the
    /// forward–backward algorithm.
    ///
    /// # Panics
    ///
    /// If `logits` are not `[T, L]`, there is no token, or a tag does not exist.
    ///
    /// # Source
    ///
    /// Lafferty, McCallum and Pereira (2001).
    pub fn learn(&self, logits: &[f32], right: &[u32]) -> CrfLesson {
        let (count, tags) = (right.len(), self.tags);
        assert!(count > 0 && logits.len() == count * tags);
        let row = |t: usize| t * tags..(t + 1) * tags;
        // alpha[t, l]: log-score of all paths that end in l at t; beta: that leave it.
        let mut alpha = logits.to_vec();
        let mut beta = vec![0.0; count * tags];
        for t in 1..count {
            let sums = self.step(&alpha[row(t - 1)], Direction::Forward);
            crate::matrix::add(&sums, &mut alpha[row(t)]);
        }
        for t in (0..count - 1).rev() {
            let mut next = logits[row(t + 1)].to_vec();
            crate::matrix::add(&beta[row(t + 1)], &mut next);
            beta[row(t)].copy_from_slice(&self.step(&next, Direction::Backward));
        }
        let norm = log_sum_exp(&alpha[row(count - 1)]);
        let mut d_logits: Vec<f32> = alpha.iter().zip(&beta).map(|(a, b)| a + b - norm).collect();
        exp_each(&mut d_logits);
        let (mut left, mut after) = (Vec::new(), Vec::new());
        for t in 0..count - 1 {
            let top = highest(&alpha[row(t)]);
            left.extend(alpha[row(t)].iter().map(|a| a - top));
            let next = logits[row(t + 1)].iter().zip(&beta[row(t + 1)]);
            after.extend(next.map(|(logit, b)| logit + b + top - norm));
            after.resize((t + 1) * padded(tags), f32::NEG_INFINITY);
        }
        exp_each(&mut left);
        exp_each(&mut after);
        let mut score = 0.0;
        for (t, &tag) in right.iter().enumerate() {
            score += logits[t * tags + tag as usize];
            d_logits[t * tags + tag as usize] -= 1.0;
            if t > 0 {
                score += self.transitions[right[t - 1] as usize * tags + tag as usize];
            }
        }
        CrfLesson {
            log_likelihood: score - norm,
            d_logits,
            left,
            right: after,
            tags: right.to_vec(),
        }
    }

    /// Returns the probability of each tag at each token, `[T, L]`.
    ///
    /// # Panics
    ///
    /// If `logits` are not `[T, L]`.
    pub fn marginals(&self, logits: &[f32]) -> Vec<f32> {
        let count = logits.len() / self.tags;
        if count == 0 {
            return Vec::new();
        }
        let mut probabilities = self.learn(logits, &vec![0; count]).d_logits;
        // The gradient is the probability less what is right.
        for row in probabilities.chunks_exact_mut(self.tags) {
            row[0] += 1.0;
        }
        probabilities
    }

    /// Adds the gradient of `Σ factor · (−log-likelihood)` with respect to the
    /// transitions, lesson by lesson.
    ///
    /// # Panics
    ///
    /// If the numbers of factors and lessons, or of tags, differ.
    pub fn add_transition_gradient(
        &self,
        lessons: &[CrfLesson],
        factors: &[f32],
        gradient: &mut [f32],
    ) {
        let tags = self.tags;
        assert_eq!(lessons.len(), factors.len());
        let width = padded(tags);
        let mut expected = vec![0.0; tags * width];
        for (lesson, &factor) in lessons.iter().zip(factors) {
            let left: Vec<f32> = lesson.left.iter().map(|value| value * factor).collect();
            let a = Strided {
                data: &left,
                row: 1,
                col: tags,
            };
            let shape = (tags, width, lesson.tags.len() - 1);
            let (right, sums) = ((&lesson.right[..], width), (&mut expected[..], width));
            gemm(shape, a, right, sums, Write::Add);
        }
        let rows = gradient.chunks_exact_mut(tags).enumerate();
        for (from, row) in rows {
            let at = from * width..from * width + tags;
            let products = expected[at.clone()].iter().zip(&self.exponentials[at]);
            for (sum, (expected, exponential)) in row.iter_mut().zip(products) {
                *sum += expected * exponential;
            }
        }
        for (lesson, &factor) in lessons.iter().zip(factors) {
            for pair in lesson.tags.windows(2) {
                gradient[pair[0] as usize * tags + pair[1] as usize] -= factor;
            }
        }
    }

    /// Returns `ln Σᵢ exp(from[i] + transition[i, j])` for each j, or with the
    /// transitions reversed.
    fn step(&self, from: &[f32], direction: Direction) -> Vec<f32> {
        let tags = self.tags;
        let top = highest(from);
        let mut weights: Vec<f32> = from.iter().map(|value| value - top).collect();
        exp_each(&mut weights);
        let matrix = match direction {
            Direction::Forward => &self.exponentials,
            Direction::Backward => &self.transposed,
        };
        let width = padded(tags);
        let mut sums = vec![0.0; width];
        let a = Strided {
            data: &weights,
            row: tags,
            col: 1,
        };
        let shape = (1, width, tags);
        gemm(
            shape,
            a,
            (matrix, width),
            (&mut sums, width),
            Write::Replace,
        );
        sums.truncate(tags);
        let is_safe = |sum: &f32| *sum > 1e-30 && *sum < 1e30;
        if !sums.iter().all(is_safe) {
            return self.slow_step(from, direction);
        }
        ln_each(&mut sums);
        sums.iter().map(|sum| sum + top).collect()
    }

    /// The same with a maximum of its own for each sum, where exponentials of the
    /// transitions leave the range of `f32`.
    fn slow_step(&self, from: &[f32], direction: Direction) -> Vec<f32> {
        let tags = self.tags;
        let sums = (0..tags).map(|j| {
            let paths = from.iter().enumerate().map(|(i, value)| {
                value
                    + match direction {
                        Direction::Forward => self.transitions[i * tags + j],
                        Direction::Backward => self.transitions[j * tags + i],
                    }
            });
            log_sum_exp(&paths.collect::<Vec<_>>())
        });
        sums.collect()
    }

    /// Returns the most likely tags and their confidences (Viterbi).
    ///
    /// Of equal paths the one with the lowest tags wins. Logits are `[T, L]`.
    pub fn decode(&self, logits: &[f32], kind: CrfConfidence) -> (Vec<u32>, Vec<f32>) {
        let tags = self.tags;
        let count = logits.len() / tags;
        if count == 0 {
            return (Vec::new(), Vec::new());
        }
        // Row t: the score of the best path to each tag at t, and where it comes from.
        let (mut scores, mut back) = (logits.to_vec(), vec![0_u32; count * tags]);
        for t in 1..count {
            let (before, after) = scores.split_at_mut(t * tags);
            let (from, to) = (&before[(t - 1) * tags..], &mut after[..tags]);
            self.best_steps(from, to, &mut back[t * tags..(t + 1) * tags]);
        }
        let last = &scores[(count - 1) * tags..];
        let (mut path, mut sure) = (vec![0_u32; count], vec![0.0; count]);
        path[count - 1] = best_of(last) as u32;
        sure[count - 1] = top_softmax(last);
        for t in (0..count - 1).rev() {
            let next = path[t + 1] as usize;
            path[t] = back[(t + 1) * tags + next];
            let column = match kind {
                CrfConfidence::Rasa if t + 2 < count => (sure[t + 1] as usize).min(tags - 1),
                _ => next,
            };
            let from = scores[t * tags..(t + 1) * tags].iter().enumerate();
            let paths = from.map(|(i, score)| score + self.transitions[i * tags + column]);
            sure[t] = top_softmax(&paths.collect::<Vec<f32>>());
        }
        (path, sure)
    }

    /// Adds the best way from the scores `from` to each score in `to`, and notes
    /// the tag that it starts at: the lowest of equals.
    fn best_steps(&self, from: &[f32], to: &mut [f32], back: &mut [u32]) {
        let mut best = vec![f32::NEG_INFINITY; to.len()];
        let rows = self.transitions.chunks_exact(self.tags);
        for (i, (score, row)) in from.iter().zip(rows).enumerate() {
            for ((best, back), transition) in best.iter_mut().zip(&mut *back).zip(row) {
                let path = score + transition;
                if path > *best {
                    (*best, *back) = (path, i as u32);
                }
            }
        }
        for (to, best) in to.iter_mut().zip(best) {
            *to += best;
        }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

fn highest(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn log_sum_exp(values: &[f32]) -> f32 {
    let top = highest(values);
    ln(exponentials(values, top).iter().sum()) + top
}

/// Returns the first index of the highest value.
fn best_of(values: &[f32]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best
}

/// Returns the highest value of the softmax.
fn top_softmax(values: &[f32]) -> f32 {
    let top = highest(values);
    1.0 / exponentials(values, top).iter().sum::<f32>()
}

/// Returns the exponential of each value less the highest.
fn exponentials(values: &[f32], top: f32) -> Vec<f32> {
    let mut all: Vec<f32> = values.iter().map(|value| value - top).collect();
    exp_each(&mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::random::Stream;

    fn noise(count: usize, seed: u64) -> Vec<f32> {
        let mut stream = Stream::new(seed);
        (0..count).map(|_| 4.0 * stream.uniform() - 2.0).collect()
    }

    /// Every path with its score, in f64.
    fn paths(logits: &[f32], transitions: &[f32], tags: usize) -> Vec<(Vec<u32>, f64)> {
        let count = logits.len() / tags;
        (0..tags.pow(count as u32))
            .map(|number| {
                let path: Vec<u32> = (0..count)
                    .map(|t| (number / tags.pow(t as u32) % tags) as u32)
                    .collect();
                let mut score = 0.0;
                for t in 0..count {
                    score += f64::from(logits[t * tags + path[t] as usize]);
                    if t > 0 {
                        let at = path[t - 1] as usize * tags + path[t] as usize;
                        score += f64::from(transitions[at]);
                    }
                }
                (path, score)
            })
            .collect()
    }

    #[test]
    fn likelihood_and_gradients_agree_with_all_paths_counted() {
        let (count, tags) = (4, 3);
        for scale in [1.0, 120.0] {
            // The second scale drives exponentials out of range: the slow step.
            let logits = noise(count * tags, 1);
            let transitions: Vec<f32> = noise(tags * tags, 2).iter().map(|x| x * scale).collect();
            let right = [0, 2, 1, 1];
            let crf = Crf::new(&transitions, tags);
            let lesson = crf.learn(&logits, &right);
            let all = paths(&logits, &transitions, tags);
            let top = all.iter().map(|path| path.1).fold(f64::MIN, f64::max);
            let sum: f64 = all.iter().map(|path| (path.1 - top).exp()).sum();
            let own = all.iter().find(|path| path.0 == right).unwrap().1;
            let want = own - top - sum.ln();
            assert!((f64::from(lesson.log_likelihood) - want).abs() < 1e-5 * want.abs().max(1.0));
            let mut unary = vec![0.0; count * tags];
            let mut pairs = vec![0.0; tags * tags];
            let right = (right.to_vec(), f64::NAN);
            let weighted = all.iter().map(|path| (path, (path.1 - top).exp() / sum));
            for (path, p) in weighted.chain([(&right, -1.0)]) {
                for t in 0..count {
                    unary[t * tags + path.0[t] as usize] += p;
                }
                for pair in path.0.windows(2) {
                    pairs[pair[0] as usize * tags + pair[1] as usize] += p;
                }
            }
            for (got, want) in lesson.d_logits.iter().zip(&unary) {
                assert!((f64::from(*got) - want).abs() < 1e-4, "{got} {want}");
            }
            if scale == 1.0 {
                let mut gradient = vec![0.0; tags * tags];
                crf.add_transition_gradient(&[lesson], &[0.5], &mut gradient);
                for (got, want) in gradient.iter().zip(&pairs) {
                    assert!((f64::from(*got) - 0.5 * want).abs() < 1e-5, "{got} {want}");
                }
            }
        }
    }

    #[test]
    fn decoding_finds_the_best_of_all_paths() {
        let (count, tags) = (5, 3);
        for seed in 0..20 {
            let (logits, transitions) = (noise(count * tags, seed), noise(tags * tags, seed + 99));
            let (path, sure) = Crf::new(&transitions, tags).decode(&logits, CrfConfidence::Tag);
            let all = paths(&logits, &transitions, tags);
            let best = all.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            assert_eq!(path, best.0);
            assert!(sure.iter().all(|&p| p > 1.0 / tags as f32 && p <= 1.0));
        }
    }

    #[test]
    fn early_confidences_are_those_of_tag_0_as_in_rasa() {
        let (count, tags) = (5, 3);
        let (logits, transitions) = (noise(count * tags, 3), vec![0.0; tags * tags]);
        let crf = Crf::new(&transitions, tags);
        let (_, true_ones) = crf.decode(&logits, CrfConfidence::Tag);
        let (_, rasa) = crf.decode(&logits, CrfConfidence::Rasa);
        assert_eq!(rasa[3..], true_ones[3..]);
        // Without transitions all columns are alike, so both agree throughout.
        assert_eq!(rasa, true_ones);
        let crf = Crf::new(&noise(tags * tags, 8), tags);
        let (_, true_ones) = crf.decode(&logits, CrfConfidence::Tag);
        let (_, rasa) = crf.decode(&logits, CrfConfidence::Rasa);
        assert_eq!(rasa[3..], true_ones[3..]);
        assert_ne!(rasa[..3], true_ones[..3]);
    }
}
