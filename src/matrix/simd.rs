//! Vector levels of the processor, and sixteen lanes of `f32` on each of them.
//!
//! Every kernel is written once over [`Lanes`] (or once as a plain loop) and
//! compiled three times: AVX-512, AVX2 with FMA, and portable. All three give the
//! same bits, because a lane only ever does IEEE operations in an order that the
//! kernel fixes: sums run sequentially with fused multiply-add, or over sixteen
//! virtual lanes that [`Lanes::sum`] joins as one tree.

#![allow(unsafe_code)]

use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Which vector instructions the kernels use. The results do not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No particular instructions; slow where the compiler target has no FMA.
    Portable = 1,
    /// AVX2 and FMA.
    Avx2 = 2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512 = 3,
}

/// 0 until somebody asked.
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// Returns the widest level that this processor offers.
pub fn widest_level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let has_avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (has_avx2, has_avx512) {
            (true, true) => Level::Avx512,
            (true, false) => Level::Avx2,
            _ => Level::Portable,
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    Level::Portable
}

/// Returns the level in use: the widest, unless [`set_level`] narrowed it.
pub fn level() -> Level {
    match LEVEL.load(Ordering::Relaxed) {
        3 => Level::Avx512,
        2 => Level::Avx2,
        1 => Level::Portable,
        _ => set_level(Level::Avx512),
    }
}

/// Makes all kernels of this process use `wanted`, or the widest level below
/// that the processor offers, and returns the one chosen.
pub fn set_level(wanted: Level) -> Level {
    let chosen = wanted.min(widest_level());
    LEVEL.store(chosen as u8, Ordering::Relaxed);
    chosen
}

/// Sixteen `f32`.
///
/// # Safety
///
/// Methods of [`Wide`] and [`Half`] may only be called inside functions that are
/// compiled for, and running on, AVX-512 or AVX2 with FMA. Pointers must be good
/// for sixteen values; they need no alignment.
pub(super) unsafe trait Lanes: Copy {
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn splat(value: f32) -> Self;
    /// Returns `self · factor + sum`, rounded once.
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// Returns the sum of the lanes: `l` with `l + 8`, then 4, 2, 1.
    unsafe fn sum(self) -> f32;

    /// Returns [`Lanes::sum`] of each.
    #[inline(always)]
    unsafe fn sum_each<const G: usize>(each: [Self; G]) -> [f32; G] {
        let mut sums = [0.0; G];
        for g in 0..G {
            // SAFETY: the caller keeps the promise of the trait.
            sums[g] = unsafe { each[g].sum() };
        }
        sums
    }
}

/// Portable lanes; the oracle of the others.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 16]);

// SAFETY: uses no special instructions; reads and writes sixteen values.
unsafe impl Lanes for Plain {
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the pointer is good for sixteen values.
        Plain(unsafe { from.cast::<[f32; 16]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the pointer is good for sixteen values.
        unsafe { to.cast::<[f32; 16]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Plain([value; 16])
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        let mut lanes = sum.0;
        for lane in 0..16 {
            lanes[lane] = self.0[lane].mul_add(factor.0[lane], lanes[lane]);
        }
        Plain(lanes)
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        tree_sum(self.0)
    }
}

/// Returns the sum of sixteen lanes: `l` with `l + 8`, then 4, 2, 1.
#[inline(always)]
pub(super) fn tree_sum(mut lanes: [f32; 16]) -> f32 {
    for half in [8, 4, 2, 1] {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
    }
    lanes[0]
}

/// One AVX-512 register.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Wide(__m512);

// SAFETY: callers run on AVX-512, as the trait demands.
#[cfg(target_arch = "x86_64")]
unsafe impl Lanes for Wide {
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as the trait demands.
        Wide(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as the trait demands.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as the trait demands.
        Wide(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: as the trait demands.
        Wide(unsafe { _mm512_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: as the trait demands.
        unsafe {
            let low = _mm512_castps512_ps256(self.0);
            let high = _mm512_extractf32x8_ps::<1>(self.0);
            sum_eight(_mm256_add_ps(low, high))
        }
    }

    /// Adds and transposes together: four rounds of pairs instead of sixteen
    /// separate trees, with the same additions.
    #[inline(always)]
    unsafe fn sum_each<const G: usize>(each: [Self; G]) -> [f32; G] {
        let mut sums = [0.0; G];
        if G != 16 {
            for g in 0..G {
                // SAFETY: as the trait demands.
                sums[g] = unsafe { each[g].sum() };
            }
            return sums;
        }
        // SAFETY: as the trait demands; `sums` holds sixteen values.
        unsafe {
            let zero = _mm512_setzero_ps();
            let mut halves = [zero; 8];
            for pair in 0..8 {
                let (a, b) = (each[2 * pair].0, each[2 * pair + 1].0);
                halves[pair] = _mm512_add_ps(
                    _mm512_shuffle_f32x4::<0x44>(a, b),
                    _mm512_shuffle_f32x4::<0xEE>(a, b),
                );
            }
            let mut quads = [zero; 4];
            for pair in 0..4 {
                let (a, b) = (halves[2 * pair], halves[2 * pair + 1]);
                quads[pair] = _mm512_add_ps(
                    _mm512_shuffle_f32x4::<0x88>(a, b),
                    _mm512_shuffle_f32x4::<0xDD>(a, b),
                );
            }
            let mut pairs = [zero; 2];
            for pair in 0..2 {
                let a = _mm512_castps_pd(quads[2 * pair]);
                let b = _mm512_castps_pd(quads[2 * pair + 1]);
                pairs[pair] = _mm512_add_ps(
                    _mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                    _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)),
                );
            }
            let mixed = _mm512_add_ps(
                _mm512_shuffle_ps::<0x88>(pairs[0], pairs[1]),
                _mm512_shuffle_ps::<0xDD>(pairs[0], pairs[1]),
            );
            // Lane `4 q + r` now holds the sum of number `q + 4 r`.
            let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            _mm512_storeu_ps(sums.as_mut_ptr(), _mm512_permutexvar_ps(order, mixed));
        }
        sums
    }
}

/// Two AVX2 registers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
pub(super) struct Half(__m256, __m256);

// SAFETY: callers run on AVX2 with FMA, as the trait demands.
#[cfg(target_arch = "x86_64")]
unsafe impl Lanes for Half {
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: as the trait demands.
        unsafe { Half(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as the trait demands.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as the trait demands.
        unsafe { Half(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: as the trait demands.
        unsafe {
            Half(
                _mm256_fmadd_ps(self.0, factor.0, sum.0),
                _mm256_fmadd_ps(self.1, factor.1, sum.1),
            )
        }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: as the trait demands.
        unsafe { sum_eight(_mm256_add_ps(self.0, self.1)) }
    }

    /// Adds and transposes together where there are four, with the same additions.
    #[inline(always)]
    unsafe fn sum_each<const G: usize>(each: [Self; G]) -> [f32; G] {
        let mut sums = [0.0; G];
        if G != 4 {
            for g in 0..G {
                // SAFETY: as the trait demands.
                sums[g] = unsafe { each[g].sum() };
            }
            return sums;
        }
        // SAFETY: as the trait demands; `sums` holds four values.
        unsafe {
            let mut eights = [_mm256_setzero_ps(); 4];
            for g in 0..4 {
                eights[g] = _mm256_add_ps(each[g].0, each[g].1);
            }
            let [a, b, c, d] = eights;
            let ab = _mm256_add_ps(
                _mm256_permute2f128_ps::<0x20>(a, b),
                _mm256_permute2f128_ps::<0x31>(a, b),
            );
            let cd = _mm256_add_ps(
                _mm256_permute2f128_ps::<0x20>(c, d),
                _mm256_permute2f128_ps::<0x31>(c, d),
            );
            let (ab, cd) = (_mm256_castps_pd(ab), _mm256_castps_pd(cd));
            // Two of a and two of c, then of b and of d.
            let pairs = _mm256_add_ps(
                _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd)),
                _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd)),
            );
            let ones = _mm256_add_ps(
                _mm256_shuffle_ps::<0x88>(pairs, pairs),
                _mm256_shuffle_ps::<0xDD>(pairs, pairs),
            );
            let (ac, bd) = (
                _mm256_castps256_ps128(ones),
                _mm256_extractf128_ps::<1>(ones),
            );
            _mm_storeu_ps(sums.as_mut_ptr(), _mm_unpacklo_ps(ac, bd));
        }
        sums
    }
}

/// Returns the sum of eight lanes: `l` with `l + 4`, then 2, 1.
///
/// # Safety
///
/// The processor must have AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn sum_eight(lanes: __m256) -> f32 {
    // SAFETY: the caller runs on AVX2.
    unsafe {
        let four = _mm_add_ps(
            _mm256_castps256_ps128(lanes),
            _mm256_extractf128_ps::<1>(lanes),
        );
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        let one = _mm_add_ss(two, _mm_shuffle_ps::<1>(two, two));
        _mm_cvtss_f32(one)
    }
}

/// Compiles a plain loop for every level and calls the one in use.
macro_rules! vectorised {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $body:block)*) => {$(
        $(#[$meta])*
        $vis fn $name($($arg: $ty),*) {
            #[inline(always)]
            fn body($($arg: $ty),*) $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn wide($($arg: $ty),*) {
                body($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn half($($arg: $ty),*) {
                body($($arg),*)
            }
            match $crate::matrix::level() {
                // SAFETY: the level is never above what the processor offers.
                #[cfg(target_arch = "x86_64")]
                $crate::matrix::Level::Avx512 => unsafe { wide($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::matrix::Level::Avx2 => unsafe { half($($arg),*) },
                _ => body($($arg),*),
            }
        }
    )*};
}
pub(super) use vectorised;

#[cfg(test)]
pub(crate) mod tests {
    use super::Level;
    use super::set_level;
    use super::widest_level;
    use std::sync::Mutex;

    /// Runs `compute` on every level and asserts that the bits agree.
    #[track_caller]
    pub(crate) fn same_on_all_levels(mut compute: impl FnMut() -> Vec<f32>) -> Vec<f32> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        set_level(Level::Portable);
        let want = compute();
        let mut seen = Vec::new();
        for level in [Level::Avx2, Level::Avx512] {
            if level <= widest_level() {
                set_level(level);
                seen.push((level, compute()));
            }
        }
        set_level(Level::Avx512);
        drop(turn);
        for (level, got) in seen {
            assert_eq!(want.len(), got.len());
            for index in 0..want.len() {
                let (a, b) = (want[index], got[index]);
                assert!(
                    a.to_bits() == b.to_bits(),
                    "{level:?} differs at {index}: {a} and {b}"
                );
            }
        }
        want
    }
}
