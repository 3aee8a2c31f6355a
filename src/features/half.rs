//! Floats of 16 bits (IEEE 754 binary16), in which vectors and weights are kept.

/// Returns the nearest half, of two equally near the even one; what is too large
/// for one becomes the largest.
pub(super) fn from_f32(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let size = bits & 0x7fff_ffff;
    // 65,504 is the largest, 2⁻²⁵ rounds to zero.
    if size >= 0x477f_f000 {
        return sign | 0x7bff;
    }
    if size < 0x3880_0000 {
        // Below 2⁻¹⁴ the steps are even: adding ½ puts them at the end of the word.
        let shifted = f32::from_bits(size) + 0.5;
        return sign | (shifted.to_bits() - 0x3f00_0000) as u16;
    }
    let odd = (size >> 13) & 1;
    sign | ((size + 0xfff + odd - 0x3800_0000) >> 13) as u16
}

/// Returns the value of a half.
pub(super) fn to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let size = u32::from(half & 0x7fff);
    let value = match size {
        // Without leading one: so many times 2⁻²⁴.
        0..0x400 => size as f32 * f32::from_bits(0x3380_0000),
        0x400..0x7c00 => f32::from_bits((size << 13) + 0x3800_0000),
        _ => f32::from_bits((size << 13) | 0x7f80_0000),
    };
    f32::from_bits(value.to_bits() | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_half_comes_back() {
        for half in (0..0x7c00).flat_map(|half| [half, half | 0x8000]) {
            assert_eq!(from_f32(to_f32(half)), half, "{half:#x}");
        }
    }

    #[test]
    fn values_between_go_to_the_nearer_and_the_even_one() {
        for half in 0..0x7bff_u16 {
            let (low, high) = (to_f32(half), to_f32(half + 1));
            assert!(low < high);
            let middle = low / 2.0 + high / 2.0;
            assert_eq!(from_f32(middle), half + (half & 1), "{half:#x}");
            assert_eq!(from_f32(f32::from_bits(middle.to_bits() - 1)), half);
            assert_eq!(from_f32(f32::from_bits(middle.to_bits() + 1)), half + 1);
        }
    }

    #[test]
    fn known_values_have_known_bits() {
        for (value, half) in [
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (0.1, 0x2e66),
            (65504.0, 0x7bff),
        ] {
            assert_eq!(from_f32(value), half, "{value}");
        }
        assert_eq!(from_f32(1e30), 0x7bff);
    }
}
