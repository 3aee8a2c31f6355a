//! Dense matrix products.
//!
//! Every output is one sum over k, front to back, with fused multiply-add; so
//! tile sizes, vector widths and threads cannot change a bit.

#![allow(unsafe_code)]

use crate::matrix::Level;
use crate::matrix::level;

use super::simd::Lanes;
use super::simd::Plain;
#[cfg(target_arch = "x86_64")]
use super::simd::{Half, Wide};

/// Whether a product replaces or is added to what the output holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The output is overwritten.
    Replace,
    /// The sums start from what the output holds.
    Add,
}

/// A matrix seen through strides: element `(m, k)` is `data[m · row + k · col]`.
///
/// A row-major `[m, k]` is `row = k, col = 1`; its transpose `row = 1, col = k`.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// The elements.
    pub data: &'a [f32],
    /// Distance between rows.
    pub row: usize,
    /// Distance between columns.
    pub col: usize,
}

/// Computes `C = A · B`, or adds it to `C`.
///
/// # Shapes
///
/// - `a`: `[m, k]` through strides
/// - `b`: `[k, n]`, rows `b_row` apart
/// - `c`: `[m, n]`, rows `c_row` apart
///
/// Each element is one sum over k in ascending order with fused multiply-add.
///
/// # Panics
///
/// If a matrix is too short for its shape.
pub fn gemm(
    (m, n, k): (usize, usize, usize),
    a: Strided<'_>,
    (b, b_row): (&[f32], usize),
    (c, c_row): (&mut [f32], usize),
    write: Write,
) {
    if m == 0 || n == 0 {
        return;
    }
    if k > 0 {
        assert!((m - 1) * a.row + (k - 1) * a.col < a.data.len());
        assert!(n <= b_row && (k - 1) * b_row + n <= b.len());
    }
    assert!(n <= c_row && (m - 1) * c_row + n <= c.len());
    let task = Gemm {
        shape: (m, n, k),
        a: (a.data.as_ptr(), a.row, a.col),
        b: (b.as_ptr(), b_row),
        c: (c.as_mut_ptr(), c_row),
        write,
    };
    match level() {
        // SAFETY: the processor has the level; the pointers are good for the
        // shapes, as asserted above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { gemm_wide(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { gemm_half(task) },
        // SAFETY: as above.
        _ => unsafe { gemm_tiles::<Plain, 4, 1>(task) },
    }
}

#[derive(Clone, Copy)]
struct Gemm {
    shape: (usize, usize, usize),
    a: (*const f32, usize, usize),
    b: (*const f32, usize),
    c: (*mut f32, usize),
    write: Write,
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn gemm_wide(task: Gemm) {
    // SAFETY: compiled for AVX-512; the caller vouches for the pointers.
    unsafe { gemm_tiles::<Wide, 6, 4>(task) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn gemm_half(task: Gemm) {
    // SAFETY: compiled for AVX2 and FMA; the caller vouches for the pointers.
    unsafe { gemm_tiles::<Half, 6, 1>(task) }
}

/// Covers C with tiles of `R` rows and `16 · N` columns, then narrower ones.
#[inline(always)]
unsafe fn gemm_tiles<L: Lanes, const R: usize, const N: usize>(task: Gemm) {
    let (rows, cols, _) = task.shape;
    let mut col = 0;
    // SAFETY: tiles lie inside C; the caller vouches for the pointers.
    unsafe {
        while col + 16 * N <= cols {
            gemm_rows::<L, R, N>(task, col, rows);
            col += 16 * N;
        }
        if N > 2 && col + 32 <= cols {
            gemm_rows::<L, R, 2>(task, col, rows);
            col += 32;
        }
        while col + 16 <= cols {
            gemm_rows::<L, R, 1>(task, col, rows);
            col += 16;
        }
        for row in 0..rows {
            for col in col..cols {
                gemm_one(task, row, col);
            }
        }
    }
}

#[inline(always)]
unsafe fn gemm_rows<L: Lanes, const R: usize, const N: usize>(task: Gemm, col: usize, rows: usize) {
    let mut row = 0;
    // SAFETY: `row + R <= rows`, or one row at a time.
    unsafe {
        while row + R <= rows {
            gemm_tile::<L, R, N>(task, row, col);
            row += R;
        }
        while row < rows {
            gemm_tile::<L, 1, N>(task, row, col);
            row += 1;
        }
    }
}

#[inline(always)]
unsafe fn gemm_tile<L: Lanes, const R: usize, const N: usize>(task: Gemm, row: usize, col: usize) {
    let (_, _, depth) = task.shape;
    let (a, a_row, a_col) = task.a;
    let (b, b_row) = task.b;
    let (c, c_row) = task.c;
    // SAFETY: the tile lies inside C, and its rows and columns inside A and B.
    unsafe {
        let mut sums = [[L::splat(0.0); N]; R];
        if task.write == Write::Add {
            for r in 0..R {
                for n in 0..N {
                    sums[r][n] = L::load(c.add((row + r) * c_row + col + 16 * n));
                }
            }
        }
        let mut a_at = a.add(row * a_row);
        let mut b_at = b.add(col);
        for _ in 0..depth {
            let mut lanes = [L::splat(0.0); N];
            for n in 0..N {
                lanes[n] = L::load(b_at.add(16 * n));
            }
            for r in 0..R {
                let factor = L::splat(*a_at.add(r * a_row));
                for n in 0..N {
                    sums[r][n] = factor.mul_add(lanes[n], sums[r][n]);
                }
            }
            a_at = a_at.wrapping_add(a_col);
            b_at = b_at.wrapping_add(b_row);
        }
        for r in 0..R {
            for n in 0..N {
                sums[r][n].store(c.add((row + r) * c_row + col + 16 * n));
            }
        }
    }
}

/// One element, for the columns that fill no lanes.
#[inline(always)]
unsafe fn gemm_one(task: Gemm, row: usize, col: usize) {
    let (_, _, depth) = task.shape;
    let (a, a_row, a_col) = task.a;
    let (b, b_row) = task.b;
    // SAFETY: `(row, col)` lies inside C, and its row and column inside A and B.
    unsafe {
        let at = task.c.0.add(row * task.c.1 + col);
        let mut sum = if task.write == Write::Add { *at } else { 0.0 };
        for k in 0..depth {
            sum = (*a.add(row * a_row + k * a_col)).mul_add(*b.add(k * b_row + col), sum);
        }
        *at = sum;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::matrix::simd::tests::same_on_all_levels;

    pub(crate) fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            })
            .collect()
    }

    pub(crate) fn naive((m, n, k): (usize, usize, usize), a: &[f32], b: &[f32]) -> Vec<f32> {
        let mut c = vec![0.0_f32; m * n];
        for row in 0..m {
            for col in 0..n {
                for depth in 0..k {
                    c[row * n + col] =
                        a[row * k + depth].mul_add(b[depth * n + col], c[row * n + col]);
                }
            }
        }
        c
    }

    #[test]
    fn dense_products_have_the_bits_of_the_plain_triple_loop() {
        for (m, n, k) in [
            (1, 1, 1),
            (7, 16, 3),
            (13, 77, 20),
            (6, 64, 31),
            (25, 128, 9),
            (3, 40, 0),
        ] {
            let (a, b) = (noise(m * k, 1), noise(k * n, 2));
            let mut transposed = vec![0.0; m * k];
            for row in 0..m {
                for depth in 0..k {
                    transposed[depth * m + row] = a[row * k + depth];
                }
            }
            let want = naive((m, n, k), &a, &b);
            for (data, row, col) in [(&a, k, 1), (&transposed, 1, m)] {
                let got = same_on_all_levels(|| {
                    let mut c = vec![f32::NAN; m * n];
                    let a = Strided { data, row, col };
                    gemm((m, n, k), a, (&b, n), (&mut c, n), Write::Replace);
                    c
                });
                assert_eq!(got, want);
            }
        }
    }
}
