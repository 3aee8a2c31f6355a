//! Exponential, logarithm, error function and their kin, from `mul_add` alone.
//!
//! No libm: these give the same bits on every processor and vector width. The
//! `f32` ones are free of branches, so that loops over them become vector code.

// Coefficients stand as they were published.
#![allow(clippy::excessive_precision)]

/// Returns `eˣ`; relative error below 2·10⁻⁷.
///
/// Below −87.3 the result is 0, above 88.37 it stays at 2.4·10³⁸.
///
/// # Source
///
/// Cephes `expf`: reduction by ln 2 and a polynomial of degree 5.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it rounds to an integer
    let clamped = if x > 88.37 { 88.37 } else { x };
    let clamped = if clamped < -87.3 { -87.3 } else { clamped };
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let power = shifted - ROUND;
    let r = power.mul_add(-0.693_359_4, clamped);
    let r = power.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4_f32.mul_add(r, 1.398_2e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 5.000_000_1e-1);
    let p = p.mul_add(r * r, r) + 1.0;
    // The low bits of `shifted` are the integer; 127 is the exponent's bias.
    let scale = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    if x < -87.3 { 0.0 } else { p * scale }
}

/// Returns the natural logarithm of a positive normal number; error below
/// 2·10⁻⁷ relative, or 10⁻⁷ absolute near 1.
///
/// # Source
///
/// Cephes `logf`.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // Mantissa to [√½, √2): move the exponent so that it counts from √½.
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let exponent = (bits as i32 >> 23) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff).wrapping_add(0x3f35_04f3)) - 1.0;
    let z = m * m;
    let p = 7.037_683_6e-2_f32.mul_add(m, -1.151_461e-1);
    let p = p.mul_add(m, 1.167_699_9e-1);
    let p = p.mul_add(m, -1.242_014_1e-1);
    let p = p.mul_add(m, 1.424_932_3e-1);
    let p = p.mul_add(m, -1.666_805_8e-1);
    let p = p.mul_add(m, 2.000_071_5e-1);
    let p = p.mul_add(m, -2.499_999_4e-1);
    let p = p.mul_add(m, 3.333_333_1e-1);
    let y = exponent.mul_add(-2.121_944_4e-4, p * z * m);
    let y = z.mul_add(-0.5, y);
    exponent.mul_add(0.693_359_4, m + y)
}

/// Returns the error function; absolute error below 5·10⁻⁷.
///
/// # Source
///
/// The rational approximation on [−4, 4] that TensorFlow uses for `erf` (Eigen,
/// `generic_fast_erf_float`).
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let z = x * x;
    let p = (-2.726_142_3e-10_f32).mul_add(z, 2.770_681_4e-8);
    let p = p.mul_add(z, -2.101_024e-6);
    let p = p.mul_add(z, -5.692_506_5e-5);
    let p = p.mul_add(z, -7.349_906_3e-4);
    let p = p.mul_add(z, -2.954_599_8e-3);
    let p = p.mul_add(z, -1.609_603_3e-2);
    let q = (-1.456_607_2e-5_f32).mul_add(z, -2.133_740_6e-4);
    let q = q.mul_add(z, -1.682_827e-3);
    let q = q.mul_add(z, -7.373_329e-3);
    let q = q.mul_add(z, -1.426_473_9e-2);
    let y = x * p / q;
    let y = if y > 1.0 { 1.0 } else { y };
    if y < -1.0 { -1.0 } else { y }
}

/// Returns the hyperbolic tangent; absolute error below 4·10⁻⁷.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    // tanh |x| = (1 − e^(−2|x|)) / (1 + e^(−2|x|)), and its series near 0,
    // where the difference would cancel.
    let a = x.abs();
    let e = exp(-2.0 * a);
    let far = (1.0 - e) / (1.0 + e);
    let z = a * a;
    let near = (2.0_f32 / 15.0).mul_add(z, -1.0 / 3.0);
    let near = (near * z).mul_add(a, a);
    let y = if a < 0.06 { near } else { far };
    if x < 0.0 { -y } else { y }
}

/// Returns `(sin x, cos x)` in double precision for |x| below 10⁶; error below 10⁻¹².
pub fn sin_cos(x: f64) -> (f64, f64) {
    let turns = (x * std::f64::consts::FRAC_2_PI).round();
    // π/2 in two parts, the first with few enough bits to multiply exactly.
    let r = x - turns * 1.570_796_326_734_125_6 - turns * 6.077_100_506_506_192e-11;
    let z = r * r;
    let (mut sine, mut cosine) = (0.0, 0.0);
    for k in (0..10).rev() {
        let even = f64::from(2 * k + 1) * f64::from(2 * k + 2);
        let odd = f64::from(2 * k + 2) * f64::from(2 * k + 3);
        cosine = 1.0 - z / even * if k == 9 { 1.0 } else { cosine };
        sine = 1.0 - z / odd * if k == 9 { 1.0 } else { sine };
    }
    let sine = r * sine;
    match (turns as i64).rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// Returns `eˣ` in double precision for |x| below 700; relative error below 10⁻¹⁴.
pub fn exp_f64(x: f64) -> f64 {
    let power = (x * std::f64::consts::LOG2_E).round();
    let r = x - power * 6.931_471_803_691_238e-1 - power * 1.908_214_929_270_587_7e-10;
    let mut sum = 1.0;
    for k in (1..18).rev() {
        sum = 1.0 + r / f64::from(k) * sum;
    }
    sum * f64::from_bits(((power as i64 + 1023) as u64) << 52)
}

/// Returns the natural logarithm of a positive normal number in double
/// precision; error below 10⁻¹⁵ absolute near 1, 10⁻¹⁵ relative elsewhere.
pub fn ln_f64(x: f64) -> f64 {
    // Mantissa to [√½, √2): move the exponent so that it counts from √½.
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let bits = x.to_bits().wrapping_sub(ROOT_HALF);
    let exponent = ((bits as i64) >> 52) as f64;
    let m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff).wrapping_add(ROOT_HALF));
    // ln m = 2 artanh s, as a series in s².
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut sum = 0.0;
    for k in (0..12).rev() {
        sum = sum * z + 1.0 / f64::from(2 * k + 1);
    }
    let low = exponent * 1.908_214_929_270_587_7e-10 + 2.0 * s * sum;
    exponent * 6.931_471_803_691_238e-1 + low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worst(
        from: f32,
        to: f32,
        f: impl Fn(f32) -> f32,
        want: impl Fn(f64) -> f64,
        relative: bool,
    ) -> f64 {
        let count = 200_000;
        (0..=count)
            .map(|k| {
                let x = from + (to - from) * k as f32 / count as f32;
                let want = want(f64::from(x));
                let error = (f64::from(f(x)) - want).abs();
                if relative { error / want.abs() } else { error }
            })
            .fold(0.0, f64::max)
    }

    /// Abramowitz and Stegun 7.1.5 and 7.1.14, enough terms for f64.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn functions_keep_their_stated_errors() {
        assert!(worst(-87.0, 88.0, exp, f64::exp, true) < 2e-7);
        assert!(worst(1e-30, 1e-20, ln, f64::ln, true) < 2e-7);
        assert!(worst(0.01, 30.0, ln, f64::ln, false) < 3e-7);
        assert!(worst(0.9, 1.1, ln, f64::ln, false) < 1e-7);
        assert!(worst(-4.2, 4.2, erf, erf_series, false) < 5e-7);
        assert!(worst(-12.0, 12.0, tanh, f64::tanh, false) < 4e-7);
        for k in 0..20_000 {
            let x = f64::from(k) * 0.37 - 2000.0;
            let (sine, cosine) = sin_cos(x);
            assert!((sine - x.sin()).abs() < 1e-12 && (cosine - x.cos()).abs() < 1e-12);
            let x = x / 100.0;
            assert!((exp_f64(x) / x.exp() - 1.0).abs() < 1e-14);
            let y = 0.3 + f64::from(k) * f64::from(k) * 1e-3;
            assert!((ln_f64(y) - y.ln()).abs() < 2e-15 * y.ln().abs().max(0.5));
        }
        assert_eq!(exp(-1e9), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(ln(1.0), 0.0);
    }
}
