//! Products over kept weights of which four neighbouring outputs share their inputs.
//!
//! A row of `x` that is loaded serves four outputs; on the way back a row of `dx` takes
//! from four; and four inputs with four outputs are sixteen dot products of eight rows.
//! The sums are those of `simd_kept`, in the same order.

#![allow(unsafe_code)]

use crate::matrix::Level;
use crate::matrix::Write;
use crate::matrix::level;

use super::simd::Lanes;
use super::simd::Plain;
#[cfg(target_arch = "x86_64")]
use super::simd::{Half, Wide};

/// Outputs of a group, which share their inputs.
///
/// Measured at the shapes of DIET: fours run near the dense product in all three
/// directions, twos do not. Square blocks of 4 inputs and 4 outputs are a tenth faster,
/// but leave a mask far less choice.
pub const GROUP: usize = 4;

/// Groups of outputs with the inputs that each keeps.
///
/// The weights of an entry lie together, one for each output of its group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups<'a> {
    /// `[groups + 1]`, ascending from 0 to the number of `indices`.
    pub offsets: &'a [u32],
    /// The input of each entry, below `inputs`; ascending within a group.
    pub indices: &'a [u32],
    pub inputs: usize,
}

impl Groups<'_> {
    fn outputs(&self) -> usize {
        GROUP * (self.offsets.len() - 1)
    }

    /// Returns the entries of a group.
    ///
    /// # Safety
    ///
    /// The group exists.
    #[inline(always)]
    unsafe fn entries(&self, group: usize) -> std::ops::Range<usize> {
        // SAFETY: there is one offset more than groups.
        unsafe {
            *self.offsets.get_unchecked(group) as usize
                ..*self.offsets.get_unchecked(group + 1) as usize
        }
    }
}

/// A product with its operands: `x` of the inputs, `y` of the outputs, one of them
/// written to.
#[derive(Clone, Copy)]
struct Task<'a> {
    groups: Groups<'a>,
    weights: *const f32,
    start: Option<&'a [f32]>,
    x: *mut f32,
    y: *mut f32,
    width: usize,
    write: Write,
}

/// Computes `y[o] = start[o] + Σ_i w[o, i] · x[i]` over kept weights, as
/// [`kept_product`](crate::matrix::kept_product) does.
///
/// The owner of the groups vouches for its offsets and indices.
///
/// # Panics
///
/// If the shapes disagree.
pub(super) fn group_forward(
    groups: Groups<'_>,
    weights: &[f32],
    start: Option<&[f32]>,
    x: &[f32],
    y: &mut [f32],
    width: usize,
) {
    assert_eq!(weights.len(), GROUP * groups.indices.len());
    assert!(width.is_multiple_of(16));
    assert_eq!(x.len(), groups.inputs * width);
    assert_eq!(y.len(), groups.outputs() * width);
    assert!(start.is_none_or(|start| start.len() == groups.outputs()));
    let task = Task {
        groups,
        weights: weights.as_ptr(),
        start,
        x: x.as_ptr().cast_mut(), // read only
        y: y.as_mut_ptr(),
        width,
        write: Write::Replace,
    };
    match level() {
        // SAFETY: the processor has the level; the shapes were checked above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { columns_wide::<FORWARD>(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { columns_half::<FORWARD>(task) },
        // SAFETY: as above.
        _ => unsafe { columns::<Plain, 1, FORWARD>(task) },
    }
}

/// Computes `dx[i] = Σ_o w[o, i] · dy[o]` over kept weights, or adds it: one sum over
/// ascending outputs, which `dx` holds between the groups.
///
/// The owner of the groups vouches for its offsets and indices.
///
/// # Panics
///
/// If the shapes disagree.
pub(super) fn group_back(
    groups: Groups<'_>,
    weights: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    width: usize,
    write: Write,
) {
    assert_eq!(weights.len(), GROUP * groups.indices.len());
    assert!(width.is_multiple_of(16));
    assert_eq!(dx.len(), groups.inputs * width);
    assert_eq!(dy.len(), groups.outputs() * width);
    let task = Task {
        groups,
        weights: weights.as_ptr(),
        start: None,
        x: dx.as_mut_ptr(),
        y: dy.as_ptr().cast_mut(), // read only
        width,
        write,
    };
    match level() {
        // SAFETY: the processor has the level; the shapes were checked above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { columns_wide::<BACK>(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { columns_half::<BACK>(task) },
        // SAFETY: as above.
        _ => unsafe { columns::<Plain, 1, BACK>(task) },
    }
}

const FORWARD: bool = true;
const BACK: bool = false;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn columns_wide<const FORWARD: bool>(task: Task<'_>) {
    // SAFETY: compiled for AVX-512; the caller checked the shapes.
    unsafe { columns::<Wide, 4, FORWARD>(task) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn columns_half<const FORWARD: bool>(task: Task<'_>) {
    // SAFETY: compiled for AVX2 and FMA; the caller checked the shapes.
    unsafe { columns::<Half, 1, FORWARD>(task) }
}

/// Covers the columns with strips of `16 · N`, then narrower ones.
#[inline(always)]
unsafe fn columns<L: Lanes, const N: usize, const FORWARD: bool>(task: Task<'_>) {
    let mut col = 0;
    // SAFETY: strips lie inside the width; the caller checked the shapes.
    unsafe {
        while col + 16 * N <= task.width {
            strip::<L, N, FORWARD>(task, col);
            col += 16 * N;
        }
        while N > 2 && col + 32 <= task.width {
            strip::<L, 2, FORWARD>(task, col);
            col += 32;
        }
        while col + 16 <= task.width {
            strip::<L, 1, FORWARD>(task, col);
            col += 16;
        }
    }
}

#[inline(always)]
unsafe fn strip<L: Lanes, const N: usize, const FORWARD: bool>(task: Task<'_>, col: usize) {
    // SAFETY: the caller checked the shapes, and the strip lies inside the width.
    unsafe {
        if FORWARD {
            strip_forward::<L, N>(task, col);
        } else {
            strip_back::<L, N>(task, col);
        }
    }
}

#[inline(always)]
unsafe fn strip_forward<L: Lanes, const N: usize>(task: Task<'_>, col: usize) {
    for group in 0..task.groups.offsets.len() - 1 {
        // SAFETY: entries are in range (the owner of the groups), columns inside the width.
        unsafe {
            let mut sums = [[L::splat(0.0); N]; GROUP];
            if let Some(start) = task.start {
                for out in 0..GROUP {
                    sums[out] = [L::splat(*start.get_unchecked(GROUP * group + out)); N];
                }
            }
            for entry in task.groups.entries(group) {
                let weights = task.weights.add(GROUP * entry);
                let input = *task.groups.indices.get_unchecked(entry) as usize;
                let lanes = load::<L, N>(task.x.add(input * task.width + col));
                for out in 0..GROUP {
                    let weight = L::splat(*weights.add(out));
                    for n in 0..N {
                        sums[out][n] = weight.mul_add(lanes[n], sums[out][n]);
                    }
                }
            }
            for out in 0..GROUP {
                let y = task.y.add((GROUP * group + out) * task.width + col);
                for n in 0..N {
                    sums[out][n].store(y.add(16 * n));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn strip_back<L: Lanes, const N: usize>(task: Task<'_>, col: usize) {
    // SAFETY: entries are in range (the owner of the groups), columns inside the width.
    unsafe {
        if task.write == Write::Replace {
            for input in 0..task.groups.inputs {
                for n in 0..N {
                    L::splat(0.0).store(task.x.add(input * task.width + col + 16 * n));
                }
            }
        }
        for group in 0..task.groups.offsets.len() - 1 {
            let mut lanes = [[L::splat(0.0); N]; GROUP];
            for out in 0..GROUP {
                lanes[out] = load::<L, N>(task.y.add((GROUP * group + out) * task.width + col));
            }
            for entry in task.groups.entries(group) {
                let weights = task.weights.add(GROUP * entry);
                let input = *task.groups.indices.get_unchecked(entry) as usize;
                let x = task.x.add(input * task.width + col);
                let mut sums = load::<L, N>(x);
                for out in 0..GROUP {
                    let weight = L::splat(*weights.add(out));
                    for n in 0..N {
                        sums[n] = weight.mul_add(lanes[out][n], sums[n]);
                    }
                }
                for n in 0..N {
                    sums[n].store(x.add(16 * n));
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn load<L: Lanes, const N: usize>(from: *const f32) -> [L; N] {
    // SAFETY: the caller vouches for `16 · N` values.
    unsafe {
        let mut lanes = [L::splat(0.0); N];
        for n in 0..N {
            lanes[n] = L::load(from.add(16 * n));
        }
        lanes
    }
}

/// Adds `Σ_t dy[o, t] · x[i, t]` to the gradient of each kept weight, as
/// [`kept_gradient`](crate::matrix::kept_gradient) does.
///
/// The owner of the groups vouches for its offsets and indices.
///
/// # Panics
///
/// If the shapes disagree.
pub(super) fn group_gradient(
    groups: Groups<'_>,
    x: &[f32],
    dy: &[f32],
    width: usize,
    gradient: &mut [f32],
) {
    assert_eq!(gradient.len(), GROUP * groups.indices.len());
    assert!(width.is_multiple_of(16));
    assert_eq!(x.len(), groups.inputs * width);
    assert_eq!(dy.len(), groups.outputs() * width);
    match level() {
        // SAFETY: the processor has the level; the shapes were checked above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { gradient_wide(groups, x, dy, width, gradient) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { gradient_half(groups, x, dy, width, gradient) },
        // SAFETY: as above.
        _ => unsafe { gradients::<Plain, 1, 4>(groups, x, dy, width, gradient) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn gradient_wide(
    groups: Groups<'_>,
    x: &[f32],
    dy: &[f32],
    width: usize,
    gradient: &mut [f32],
) {
    // SAFETY: compiled for AVX-512; the caller checked the shapes.
    unsafe { gradients::<Wide, 4, 16>(groups, x, dy, width, gradient) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn gradient_half(
    groups: Groups<'_>,
    x: &[f32],
    dy: &[f32],
    width: usize,
    gradient: &mut [f32],
) {
    // SAFETY: compiled for AVX2 and FMA; the caller checked the shapes.
    unsafe { gradients::<Half, 1, 4>(groups, x, dy, width, gradient) }
}

/// Takes `E` entries of a group at a time, then single ones; `G = E · GROUP` sums.
#[inline(always)]
unsafe fn gradients<L: Lanes, const E: usize, const G: usize>(
    groups: Groups<'_>,
    x: &[f32],
    dy: &[f32],
    width: usize,
    gradient: &mut [f32],
) {
    for group in 0..groups.offsets.len() - 1 {
        // SAFETY: the owner of the groups and the lengths of `x` and `dy` cover all reads.
        unsafe {
            let dy = dy.as_ptr().add(GROUP * group * width);
            let std::ops::Range { mut start, end } = groups.entries(group);
            while start + E <= end {
                dots::<L, E, G>(groups.indices, x, dy, width, start, gradient);
                start += E;
            }
            while start < end {
                dots::<L, 1, GROUP>(groups.indices, x, dy, width, start, gradient);
                start += 1;
            }
        }
    }
}

#[inline(always)]
unsafe fn dots<L: Lanes, const E: usize, const G: usize>(
    indices: &[u32],
    x: &[f32],
    dy: *const f32,
    width: usize,
    entry: usize,
    gradient: &mut [f32],
) {
    // SAFETY: the caller checked entries and widths; `dy` points at four rows.
    unsafe {
        let mut rows = [x.as_ptr(); E];
        for e in 0..E {
            rows[e] = rows[e].add(*indices.get_unchecked(entry + e) as usize * width);
        }
        let mut sums = [L::splat(0.0); G];
        for at in (0..width).step_by(16) {
            let mut lanes = [L::splat(0.0); GROUP];
            for out in 0..GROUP {
                lanes[out] = L::load(dy.add(out * width + at));
            }
            for e in 0..E {
                let x = L::load(rows[e].add(at));
                for out in 0..GROUP {
                    let g = e * GROUP + out;
                    sums[g] = lanes[out].mul_add(x, sums[g]);
                }
            }
        }
        let sums = L::sum_each(sums);
        for g in 0..G {
            *gradient.get_unchecked_mut(GROUP * entry + g) += sums[g];
        }
    }
}
