//! Element-wise loops and reductions, compiled for every vector level.
//!
//! Reductions over features run sequentially in each lane; reductions over
//! tokens in sixteen lanes joined by one tree.

#![allow(unsafe_code)]

use super::functions::erf;
use super::functions::exp;
use super::functions::ln;
use super::functions::tanh;
use super::simd::tree_sum;
use super::simd::vectorised;

/// What [`adam_update`] needs besides the tensors.
#[derive(Clone, Copy, Debug)]
pub struct AdamStep {
    /// Learning rate times `√(1 − β₂ᵗ) / (1 − β₁ᵗ)`.
    pub rate: f32,
    /// `1 − β₁`: how far the mean moves to each gradient.
    pub mean_gain: f32,
    /// `1 − β₂`, for the mean square.
    pub square_gain: f32,
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// λ of the term `λ·Σw²`, or 0.
    pub l2: f32,
}

/// Key of a mask of dropped elements; see [`drop_elements`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropKey {
    /// Two halves of the key.
    pub key: [u32; 2],
    /// An element whose hash is below this is dropped.
    pub threshold: u32,
    /// Factor of the elements that stay.
    pub scale: f32,
}

/// Returns the hash of one element under a key.
///
/// # Source
///
/// The `lowbias32` finaliser (C. Wellons), with half of the key before and half
/// of it between the multiplications.
#[inline(always)]
pub fn hash_element(key: [u32; 2], element: u32) -> u32 {
    let h = element ^ key[0];
    let h = (h ^ (h >> 16))
        .wrapping_mul(0x7feb_352d)
        .wrapping_add(key[1]);
    let h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

vectorised! {
    /// Computes `y = x·Φ(x)`, the GELU with the exact error function.
    pub fn gelu(x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
        }
    }

    /// Computes `y = ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`, the GELU by a hyperbolic
    /// tangent.
    pub fn gelu_tanh(x: &[f32], y: &mut [f32]) {
        const SCALE: f32 = 0.797_884_6; // √(2 / π)
        for (y, &x) in y.iter_mut().zip(x) {
            let bent = (0.044_715 * x * x).mul_add(x, x);
            *y = 0.5 * x * (1.0 + tanh(SCALE * bent));
        }
    }

    /// Multiplies `dy` by the derivative of [`gelu`] at `x`.
    pub fn gelu_backward(x: &[f32], dy: &mut [f32]) {
        const SCALE: f32 = 0.398_942_3; // 1 / √(2π)
        for (dy, &x) in dy.iter_mut().zip(x) {
            let cumulative = 0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
            *dy *= (x * SCALE).mul_add(exp(-0.5 * x * x), cumulative);
        }
    }

    /// Adds `x` to `y`.
    pub fn add(x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }

    /// Adds `factor · x` to `y`; the product is rounded, too.
    pub fn add_scaled(factor: f32, x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += factor * x;
        }
    }

    /// Multiplies `y` by `factor`.
    pub fn scale(factor: f32, y: &mut [f32]) {
        for y in y {
            *y *= factor;
        }
    }

    /// Replaces each value by its exponential.
    pub fn exp_each(y: &mut [f32]) {
        for y in y {
            *y = exp(*y);
        }
    }

    /// Replaces each value by its natural logarithm; values are positive and normal.
    pub fn ln_each(y: &mut [f32]) {
        for y in y {
            *y = ln(*y);
        }
    }

    /// Zeroes the dropped elements of `x` and scales the others; element `k` of
    /// the slice is `k` to the hash.
    pub fn drop_elements(key: DropKey, x: &mut [f32]) {
        for (element, x) in x.iter_mut().enumerate() {
            let hash = hash_element(key.key, element as u32);
            *x = if hash < key.threshold { 0.0 } else { *x * key.scale };
        }
    }

    /// Adds the sum of each row of `x` `[rows, width]` to `sums`; `width` is a
    /// multiple of 16.
    pub fn add_row_sums(x: &[f32], width: usize, sums: &mut [f32]) {
        for (row, sum) in x.chunks_exact(width).zip(sums) {
            let mut lanes = [0.0_f32; 16];
            for part in row.chunks_exact(16) {
                for lane in 0..16 {
                    lanes[lane] += part[lane];
                }
            }
            *sum += tree_sum(lanes);
        }
    }

    /// Normalises each lane of `x` `[features, width]` over its features.
    ///
    /// `y[f, t] = gain[f] · (x[f, t] − mean[t]) · inverse[t] + bias[f]` with
    /// `inverse = 1 / √(variance + ε)`, the variance being the biased one. `mean`
    /// and `inverse` (`[width]`) are results, too.
    pub fn layer_norm(
        x: &[f32],
        gain: &[f32],
        bias: &[f32],
        epsilon: f32,
        y: &mut [f32],
        mean: &mut [f32],
        inverse: &mut [f32],
    ) {
        let width = mean.len();
        let mut from = 0;
        while from < width {
            // The sums of a strip are as many as hide the time that an addition takes.
            if from + 64 <= width {
                norm_strip::<4>(x, gain, bias, epsilon, y, mean, inverse, from);
                from += 64;
            } else {
                norm_strip::<1>(x, gain, bias, epsilon, y, mean, inverse, from);
                from += 16;
            }
        }
    }

    /// Replaces `dy` by the gradient of [`layer_norm`] with respect to `x`, and adds
    /// those with respect to `gain` and `bias`.
    pub fn layer_norm_backward(
        x: &[f32],
        gain: &[f32],
        mean: &[f32],
        inverse: &[f32],
        dy: &mut [f32],
        gain_gradient: &mut [f32],
        bias_gradient: &mut [f32],
    ) {
        let (features, width) = (gain.len(), mean.len());
        let count = features as f32;
        for f in 0..features {
            let (mut to_gain, mut to_bias) = ([0.0_f32; 16], [0.0_f32; 16]);
            for from in (0..width).step_by(16) {
                let x: &[f32; 16] = sixteen(x, f * width + from);
                let dy: &[f32; 16] = sixteen(dy, f * width + from);
                let (mean, inverse) = (sixteen(mean, from), sixteen(inverse, from));
                for l in 0..16 {
                    to_gain[l] = dy[l].mul_add((x[l] - mean[l]) * inverse[l], to_gain[l]);
                    to_bias[l] += dy[l];
                }
            }
            gain_gradient[f] += tree_sum(to_gain);
            bias_gradient[f] += tree_sum(to_bias);
        }
        for from in (0..width).step_by(16) {
            let (mean, inverse) = (sixteen(mean, from), sixteen(inverse, from));
            let (mut sum, mut along) = ([0.0_f32; 16], [0.0_f32; 16]);
            for f in 0..features {
                let x: &[f32; 16] = sixteen(x, f * width + from);
                let dy: &[f32; 16] = sixteen(dy, f * width + from);
                for l in 0..16 {
                    let g = dy[l] * gain[f];
                    sum[l] += g;
                    along[l] = g.mul_add((x[l] - mean[l]) * inverse[l], along[l]);
                }
            }
            for f in 0..features {
                let x: &[f32; 16] = sixteen(x, f * width + from);
                let dy = sixteen_mut(dy, f * width + from);
                for l in 0..16 {
                    let normal = (x[l] - mean[l]) * inverse[l];
                    let g = dy[l] * gain[f] - sum[l] / count - normal * (along[l] / count);
                    dy[l] = g * inverse[l];
                }
            }
        }
    }

    /// Replaces each column of `s` `[rows, width]` by its softmax.
    pub fn softmax_columns(s: &mut [f32], width: usize) {
        let rows = s.len() / width;
        for from in (0..width).step_by(16) {
            let mut top = [f32::NEG_INFINITY; 16];
            for row in 0..rows {
                let s: &[f32; 16] = sixteen(s, row * width + from);
                for l in 0..16 {
                    top[l] = if s[l] > top[l] { s[l] } else { top[l] };
                }
            }
            let mut sum = [0.0_f32; 16];
            for row in 0..rows {
                let s = sixteen_mut(s, row * width + from);
                for l in 0..16 {
                    s[l] = exp(s[l] - top[l]);
                    sum[l] += s[l];
                }
            }
            for row in 0..rows {
                let s = sixteen_mut(s, row * width + from);
                for l in 0..16 {
                    s[l] /= sum[l];
                }
            }
        }
    }

    /// Replaces `dp` by the gradient of [`softmax_columns`] with respect to its
    /// input; `p` is its output.
    pub fn softmax_columns_backward(p: &[f32], dp: &mut [f32], width: usize) {
        let rows = p.len() / width;
        for from in (0..width).step_by(16) {
            let mut along = [0.0_f32; 16];
            for row in 0..rows {
                let (p, dp) = (sixteen(p, row * width + from), sixteen(dp, row * width + from));
                for l in 0..16 {
                    along[l] = p[l].mul_add(dp[l], along[l]);
                }
            }
            for row in 0..rows {
                let p: &[f32; 16] = sixteen(p, row * width + from);
                let dp = sixteen_mut(dp, row * width + from);
                for l in 0..16 {
                    dp[l] = p[l] * (dp[l] - along[l]);
                }
            }
        }
    }

    /// Moves weights one step of Adam along the gradient `g` (which is scratch).
    ///
    /// Where `g > 0` the gradient of the L2 term is added first, and only there.
    pub fn adam_update(step: AdamStep, w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        let twice = 2.0 * step.l2;
        for (((w, m), v), &g) in w.iter_mut().zip(m).zip(v).zip(g) {
            let g = if g > 0.0 { twice.mul_add(*w, g) } else { g };
            *m = (g - *m).mul_add(step.mean_gain, *m);
            *v = g.mul_add(g, -*v).mul_add(step.square_gain, *v);
            *w -= *m * step.rate / (v.sqrt() + step.epsilon);
        }
    }
}

/// Normalises `16 · N` lanes from `from` on; see [`layer_norm`].
#[inline(always)]
fn norm_strip<const N: usize>(
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    epsilon: f32,
    y: &mut [f32],
    mean: &mut [f32],
    inverse: &mut [f32],
    from: usize,
) {
    let (features, width) = (gain.len(), mean.len());
    let count = features as f32;
    let mut sum = [[0.0_f32; 16]; N];
    for f in 0..features {
        for n in 0..N {
            let x: &[f32; 16] = sixteen(x, f * width + from + 16 * n);
            for l in 0..16 {
                sum[n][l] += x[l];
            }
        }
    }
    let centre = sum.map(|lanes| lanes.map(|sum| sum / count));
    let mut squares = [[0.0_f32; 16]; N];
    for f in 0..features {
        for n in 0..N {
            let x: &[f32; 16] = sixteen(x, f * width + from + 16 * n);
            for l in 0..16 {
                let d = x[l] - centre[n][l];
                squares[n][l] = d.mul_add(d, squares[n][l]);
            }
        }
    }
    let inv = squares.map(|lanes| lanes.map(|sum| 1.0 / (sum / count + epsilon).sqrt()));
    for f in 0..features {
        for n in 0..N {
            let x: &[f32; 16] = sixteen(x, f * width + from + 16 * n);
            let y = sixteen_mut(y, f * width + from + 16 * n);
            for l in 0..16 {
                y[l] = ((x[l] - centre[n][l]) * inv[n][l]).mul_add(gain[f], bias[f]);
            }
        }
    }
    for n in 0..N {
        *sixteen_mut(mean, from + 16 * n) = centre[n];
        *sixteen_mut(inverse, from + 16 * n) = inv[n];
    }
}

#[inline(always)]
fn sixteen(values: &[f32], from: usize) -> &[f32; 16] {
    values[from..from + 16]
        .try_into()
        .expect("sixteen values were cut")
}

#[inline(always)]
fn sixteen_mut(values: &mut [f32], from: usize) -> &mut [f32; 16] {
    (&mut values[from..from + 16])
        .try_into()
        .expect("sixteen values were cut")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::simd::tests::same_on_all_levels;

    fn wave(count: usize) -> Vec<f32> {
        (0..count)
            .map(|k| ((k * 37 % 101) as f32 - 50.0) * 0.07)
            .collect()
    }

    #[test]
    fn every_loop_has_the_same_bits_on_all_levels() {
        let (features, width) = (24, 48);
        let x = wave(features * width);
        let gain = wave(features);
        let results = same_on_all_levels(|| {
            let (mut y, mut z) = (vec![0.0; x.len()], x.clone());
            let (mut mean, mut inverse) = (vec![0.0; width], vec![0.0; width]);
            layer_norm(&x, &gain, &gain, 1e-6, &mut y, &mut mean, &mut inverse);
            let (mut dgain, mut dbias) = (vec![0.0; features], vec![0.0; features]);
            gelu_backward(&x, &mut z);
            layer_norm_backward(&x, &gain, &mean, &inverse, &mut z, &mut dgain, &mut dbias);
            let mut p = x.clone();
            softmax_columns(&mut p, width);
            let mut dp = y.clone();
            softmax_columns_backward(&p, &mut dp, width);
            let mut g = vec![0.0; x.len()];
            gelu(&x, &mut g);
            let mut t = vec![0.0; x.len()];
            gelu_tanh(&x, &mut t);
            let key = DropKey {
                key: [3, 5],
                threshold: 1 << 30,
                scale: 4.0 / 3.0,
            };
            drop_elements(key, &mut g);
            let (mut m, mut v, mut w) = (g.clone(), p.clone(), x.clone());
            let step = AdamStep {
                rate: 0.01,
                mean_gain: 0.1,
                square_gain: 0.001,
                epsilon: 1e-7,
                l2: 0.1,
            };
            adam_update(step, &mut w, &mut m, &mut v, &dp);
            add_row_sums(&g, width, &mut dgain);
            add_scaled(0.3, &x, &mut g);
            [y, z, p, dp, g, t, m, v, w, dgain, dbias, mean, inverse].concat()
        });
        assert!(results.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn about_the_asked_share_is_dropped_under_every_key() {
        for seed in 0..20_u32 {
            let key = [seed, seed.wrapping_mul(77_777)];
            let mut x = vec![1.0; 40_000];
            drop_elements(
                DropKey {
                    key,
                    threshold: (0.2 * 4_294_967_296.0) as u32,
                    scale: 1.25,
                },
                &mut x,
            );
            let dropped = x.iter().filter(|&&x| x == 0.0).count();
            assert!((7_600..8_400).contains(&dropped), "{dropped}");
        }
    }
}
