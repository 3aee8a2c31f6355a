//! Sizes and ages, as they are typed and as they are shown.

use std::fmt;

/// A limit that was typed; `none` for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<T>(pub Option<T>);

/// Reads a size: `5GB`, `500 MB`, `1.5GiB`, `none`. A unit is needed: a bare
/// number could be bytes or megabytes.
///
/// # Errors
///
/// What is wrong, for a person.
pub fn size(text: &str) -> Result<Limit<u64>, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let wrong = || format!("a size such as `5GB`, `500MB` or `none` is needed, not `{text}`");
    let (number, unit) = split(text);
    let unit: u64 = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = number * unit as f64;
    if !(0.0..=1e18).contains(&bytes) {
        return Err(wrong());
    }
    Ok(Limit(Some(bytes as u64)))
}

/// Reads an age in days: `30d`, `4w`, `none`.
///
/// # Errors
///
/// What is wrong, for a person.
pub fn age(text: &str) -> Result<Limit<u32>, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let wrong = || format!("an age such as `30d`, `4w` or `none` is needed, not `{text}`");
    let (number, unit) = split(text);
    let days: u32 = match unit {
        "d" => 1,
        "w" => 7,
        _ => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let days = number.checked_mul(days).ok_or_else(wrong)?;
    Ok(Limit(Some(days)))
}

/// Splits a number from its unit.
fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Returns a size as a person says it: `512 bytes`, `1.2 MB`.
pub fn shown_size(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        1 => "1 byte".to_owned(),
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

/// How many there are of something whose plural ends in `s`.
pub struct Count(pub usize, pub &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        match count {
            1 => write!(f, "1 {noun}"),
            _ => write!(f, "{count} {noun}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("5GB", 5_000_000_000),
            ("500 MB", 500_000_000),
            ("1.5gib", 1_610_612_736),
            ("0b", 0),
        ] {
            assert_eq!(size(text), Ok(Limit(Some(bytes))), "{text}");
        }
        assert_eq!(size("none"), Ok(Limit(None)));
        for text in [
            "",
            "5",
            "GB",
            "-5GB",
            "5 gb gb",
            "1e3MB",
            "NaNGB",
            "9999999999TB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_are_days_or_weeks() {
        assert_eq!(age("30d"), Ok(Limit(Some(30))));
        assert_eq!(age("4w"), Ok(Limit(Some(28))));
        assert_eq!(age("none"), Ok(Limit(None)));
        for text in ["", "30", "d", "1.5d", "-1d", "9999999999d", "4000000000w"] {
            assert!(age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_read_like_speech() {
        let shown: Vec<String> = [0, 1, 999, 1_234, 5_000_000, 31_000_000_000]
            .map(shown_size)
            .into();
        let want = [
            "0 bytes",
            "1 byte",
            "999 bytes",
            "1.2 kB",
            "5.0 MB",
            "31.0 GB",
        ];
        assert_eq!(shown, want);
    }
}
