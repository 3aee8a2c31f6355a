//! Products over kept weights only, whichever they are.
//!
//! Every output is one sum over ascending inputs with fused multiply-add, as
//! `simd_products` has it; weight gradients sum over tokens, in sixteen lanes joined
//! by one tree.

#![allow(unsafe_code)]

use crate::matrix::Level;
use crate::matrix::Write;
use crate::matrix::level;

use super::simd::Lanes;
use super::simd::Plain;
#[cfg(target_arch = "x86_64")]
use super::simd::{Half, Wide};

/// One side of a kept-weights matrix: for each output the inputs it keeps.
#[derive(Clone, Copy, Debug)]
pub struct KeptRows<'a> {
    offsets: &'a [u32],
    indices: &'a [u32],
    inputs: usize,
}

impl<'a> KeptRows<'a> {
    /// Checks once what the kernels rely on: output `o` has the entries
    /// `offsets[o]..offsets[o + 1]` of `indices`, each the index of an input.
    ///
    /// # Panics
    ///
    /// If the offsets do not ascend to the end of `indices`, or an index is not
    /// below `inputs`.
    pub fn new(offsets: &'a [u32], indices: &'a [u32], inputs: usize) -> Self {
        assert!(offsets.first() == Some(&0));
        assert_eq!(offsets[offsets.len() - 1] as usize, indices.len());
        assert!(offsets.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(indices.iter().all(|&index| (index as usize) < inputs));
        Self::trusted(offsets, indices, inputs)
    }

    /// Returns a pattern whose owner upholds what [`KeptRows::new`] checks.
    pub(super) fn trusted(offsets: &'a [u32], indices: &'a [u32], inputs: usize) -> Self {
        Self {
            offsets,
            indices,
            inputs,
        }
    }
}

/// Computes `y[o] = start[o] + Σ_i w[o, i] · x[i]` over kept weights.
///
/// # Shapes
///
/// - `weights`: one per entry of `kept`
/// - `x`: `[inputs, width]`, `y`: `[outputs, width]`, row-major, `width` a multiple of 16
/// - `start`: `[outputs]`, or `None` for zero; with [`Write::Add`] what `y` holds
///
/// Each element is one sum over ascending inputs with fused multiply-add: the
/// same bits as [`gemm`](crate::matrix::gemm) with zeros for the other weights.
///
/// # Panics
///
/// If the shapes disagree.
pub fn kept_product(
    kept: KeptRows<'_>,
    weights: &[f32],
    start: Option<&[f32]>,
    x: &[f32],
    y: &mut [f32],
    width: usize,
    write: Write,
) {
    let outputs = kept.offsets.len() - 1;
    assert_eq!(weights.len(), kept.indices.len());
    assert!(width.is_multiple_of(16));
    assert_eq!(x.len(), kept.inputs * width);
    assert_eq!(y.len(), outputs * width);
    assert!(start.is_none_or(|start| start.len() == outputs));
    let task = KeptProduct {
        offsets: kept.offsets,
        indices: kept.indices,
        weights,
        start,
        x: x.as_ptr(),
        y: y.as_mut_ptr(),
        width,
        write,
    };
    match level() {
        // SAFETY: the processor has the level; the shapes were checked above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { kept_product_wide(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { kept_product_half(task) },
        // SAFETY: as above.
        _ => unsafe { kept_product_columns::<Plain, 1, 1>(task) },
    }
}

#[derive(Clone, Copy)]
struct KeptProduct<'a> {
    offsets: &'a [u32],
    indices: &'a [u32],
    weights: &'a [f32],
    start: Option<&'a [f32]>,
    x: *const f32,
    y: *mut f32,
    width: usize,
    write: Write,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn kept_product_wide(task: KeptProduct<'_>) {
    // SAFETY: compiled for AVX-512; the caller checked the shapes.
    unsafe { kept_product_columns::<Wide, 8, 8>(task) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn kept_product_half(task: KeptProduct<'_>) {
    // SAFETY: compiled for AVX2 and FMA; the caller checked the shapes.
    unsafe { kept_product_columns::<Half, 4, 4>(task) }
}

/// Covers the columns with strips of up to `16 · N`; narrower strips take more
/// outputs at a time, so that about `N` sums are always in flight.
#[inline(always)]
unsafe fn kept_product_columns<L: Lanes, const R: usize, const N: usize>(task: KeptProduct<'_>) {
    let mut col = 0;
    // SAFETY: strips lie inside the width; the caller checked the shapes.
    unsafe {
        while N >= 8 && col + 128 <= task.width {
            kept_product_strip::<L, 1, 8>(task, col);
            col += 128;
        }
        while N >= 4 && col + 64 <= task.width {
            if N >= 8 {
                kept_product_strip::<L, 2, 4>(task, col);
            } else {
                kept_product_strip::<L, 1, 4>(task, col);
            }
            col += 64;
        }
        while N >= 4 && col + 32 <= task.width {
            if N >= 8 {
                kept_product_strip::<L, 4, 2>(task, col);
            } else {
                kept_product_strip::<L, 2, 2>(task, col);
            }
            col += 32;
        }
        while col + 16 <= task.width {
            kept_product_strip::<L, R, 1>(task, col);
            col += 16;
        }
    }
}

#[inline(always)]
unsafe fn kept_product_strip<L: Lanes, const R: usize, const N: usize>(
    task: KeptProduct<'_>,
    col: usize,
) {
    let outputs = task.offsets.len() - 1;
    let mut output = 0;
    // SAFETY: `output + R <= outputs`, or one output at a time.
    unsafe {
        while output + R <= outputs {
            kept_product_tile::<L, R, N>(task, output, col);
            output += R;
        }
        while output < outputs {
            kept_product_tile::<L, 1, N>(task, output, col);
            output += 1;
        }
    }
}

#[inline(always)]
unsafe fn kept_product_tile<L: Lanes, const R: usize, const N: usize>(
    task: KeptProduct<'_>,
    output: usize,
    col: usize,
) {
    let width = task.width;
    // SAFETY: entries are in range (`KeptRows::new`), columns inside the width.
    unsafe {
        let mut sums = [[L::splat(0.0); N]; R];
        let mut from = [0; R];
        let mut count = [0; R];
        let mut shared = usize::MAX;
        for r in 0..R {
            from[r] = *task.offsets.get_unchecked(output + r) as usize;
            count[r] = *task.offsets.get_unchecked(output + r + 1) as usize - from[r];
            shared = shared.min(count[r]);
            if task.write == Write::Add {
                for n in 0..N {
                    sums[r][n] = L::load(task.y.add((output + r) * width + col + 16 * n));
                }
            } else if let Some(start) = task.start {
                sums[r] = [L::splat(*start.get_unchecked(output + r)); N];
            }
        }
        let step = |sums: &mut [L; N], entry: usize| {
            let weight = L::splat(*task.weights.get_unchecked(entry));
            let input = *task.indices.get_unchecked(entry) as usize;
            let x = task.x.add(input * width + col);
            for n in 0..N {
                sums[n] = weight.mul_add(L::load(x.add(16 * n)), sums[n]);
            }
        };
        for k in 0..shared {
            for r in 0..R {
                step(&mut sums[r], from[r] + k);
            }
        }
        for r in 0..R {
            for k in shared..count[r] {
                step(&mut sums[r], from[r] + k);
            }
        }
        for r in 0..R {
            for n in 0..N {
                sums[r][n].store(task.y.add((output + r) * width + col + 16 * n));
            }
        }
    }
}

/// Adds `Σ_t dy[o, t] · x[i, t]` to the gradient of each kept weight.
///
/// # Shapes
///
/// As for [`kept_product`]; `gradient` has one value per entry. The sum over t
/// runs in sixteen lanes, front to back, joined by one tree.
///
/// # Panics
///
/// If the shapes disagree.
pub fn kept_gradient(
    kept: KeptRows<'_>,
    x: &[f32],
    dy: &[f32],
    width: usize,
    gradient: &mut [f32],
) {
    assert_eq!(gradient.len(), kept.indices.len());
    assert!(width.is_multiple_of(16));
    assert_eq!(x.len(), kept.inputs * width);
    assert_eq!(dy.len(), (kept.offsets.len() - 1) * width);
    match level() {
        // SAFETY: the processor has the level; the shapes were checked above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { kept_gradient_wide(kept, x, dy, width, gradient) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { kept_gradient_half(kept, x, dy, width, gradient) },
        // SAFETY: as above.
        _ => unsafe { kept_gradient_rows::<Plain, 1>(kept, x, dy, width, gradient) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn kept_gradient_wide(
    kept: KeptRows<'_>,
    x: &[f32],
    dy: &[f32],
    width: usize,
    gradient: &mut [f32],
) {
    // SAFETY: compiled for AVX-512; the caller checked the shapes.
    unsafe { kept_gradient_rows::<Wide, 16>(kept, x, dy, width, gradient) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn kept_gradient_half(
    kept: KeptRows<'_>,
    x: &[f32],
    dy: &[f32],
    width: usize,
    gradient: &mut [f32],
) {
    // SAFETY: compiled for AVX2 and FMA; the caller checked the shapes.
    unsafe { kept_gradient_rows::<Half, 6>(kept, x, dy, width, gradient) }
}

#[inline(always)]
unsafe fn kept_gradient_rows<L: Lanes, const G: usize>(
    kept: KeptRows<'_>,
    x: &[f32],
    dy: &[f32],
    width: usize,
    gradient: &mut [f32],
) {
    // SAFETY: `KeptRows::new` and the lengths of `x` and `dy` cover all reads.
    unsafe {
        for output in 0..kept.offsets.len() - 1 {
            let dy = dy.as_ptr().add(output * width);
            let mut entry = kept.offsets[output] as usize;
            let end = kept.offsets[output + 1] as usize;
            while entry + G <= end {
                dots::<L, G>(kept.indices, x, dy, width, entry, gradient);
                entry += G;
            }
            while G > 4 && entry + 4 <= end {
                dots::<L, 4>(kept.indices, x, dy, width, entry, gradient);
                entry += 4;
            }
            while entry < end {
                dots::<L, 1>(kept.indices, x, dy, width, entry, gradient);
                entry += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn dots<L: Lanes, const G: usize>(
    indices: &[u32],
    x: &[f32],
    dy: *const f32,
    width: usize,
    entry: usize,
    gradient: &mut [f32],
) {
    // SAFETY: the caller checked entries and widths.
    unsafe {
        let mut rows = [x.as_ptr(); G];
        for g in 0..G {
            rows[g] = x
                .as_ptr()
                .add(*indices.get_unchecked(entry + g) as usize * width);
        }
        let mut sums = [L::splat(0.0); G];
        for at in (0..width).step_by(16) {
            let lanes = L::load(dy.add(at));
            for g in 0..G {
                sums[g] = lanes.mul_add(L::load(rows[g].add(at)), sums[g]);
            }
        }
        let sums = L::sum_each(sums);
        for g in 0..G {
            *gradient.get_unchecked_mut(entry + g) += sums[g];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::simd::tests::same_on_all_levels;
    use crate::matrix::simd_products::tests::naive;
    use crate::matrix::simd_products::tests::noise;

    fn pattern(inputs: usize, outputs: usize) -> (Vec<u32>, Vec<u32>) {
        let draws = noise(inputs * outputs, 5);
        let mut offsets = vec![0];
        let mut indices = Vec::new();
        for output in 0..outputs {
            for input in 0..inputs {
                if draws[output * inputs + input] < -0.4 {
                    indices.push(input as u32);
                }
            }
            offsets.push(indices.len() as u32);
        }
        (offsets, indices)
    }

    #[test]
    fn kept_products_have_the_bits_of_dense_ones_with_zeros() {
        let (inputs, outputs) = (70, 33);
        let (offsets, indices) = pattern(inputs, outputs);
        let kept = KeptRows::new(&offsets, &indices, inputs);
        let weights = noise(indices.len(), 6);
        let mut dense = vec![0.0; outputs * inputs];
        for output in 0..outputs {
            for entry in offsets[output] as usize..offsets[output + 1] as usize {
                dense[output * inputs + indices[entry] as usize] = weights[entry];
            }
        }
        for width in [16, 48, 112, 128, 240] {
            let x = noise(inputs * width, 7);
            let got = same_on_all_levels(|| {
                let mut y = vec![f32::NAN; outputs * width];
                kept_product(kept, &weights, None, &x, &mut y, width, Write::Replace);
                y
            });
            assert_eq!(got, naive((outputs, width, inputs), &dense, &x));
            let added = same_on_all_levels(|| {
                let mut y = got.clone();
                kept_product(kept, &weights, None, &x, &mut y, width, Write::Add);
                y
            });
            assert!((added[5] - 2.0 * got[5]).abs() < 1e-4);
        }
    }

    #[test]
    fn kept_gradients_agree_on_all_levels_and_with_sums_in_f64() {
        let (inputs, outputs) = (90, 21);
        let (offsets, indices) = pattern(inputs, outputs);
        let kept = KeptRows::new(&offsets, &indices, inputs);
        for width in [16, 80, 128] {
            let (x, dy) = (noise(inputs * width, 8), noise(outputs * width, 9));
            let got = same_on_all_levels(|| {
                let mut gradient = vec![0.5; indices.len()];
                kept_gradient(kept, &x, &dy, width, &mut gradient);
                gradient
            });
            for output in 0..outputs {
                for entry in offsets[output] as usize..offsets[output + 1] as usize {
                    let input = indices[entry] as usize;
                    let want: f64 = (0..width)
                        .map(|t| {
                            f64::from(x[input * width + t]) * f64::from(dy[output * width + t])
                        })
                        .sum();
                    assert!((f64::from(got[entry]) - 0.5 - want).abs() < 1e-5);
                }
            }
        }
    }
}
