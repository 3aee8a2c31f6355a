//! Says what a plain scalar means: the core schema of YAML 1.2, in which
//! `yes`, `no`, `on` and `off` are text.

use serde_json::Number;
use serde_json::Value;

/// Returns the value of a plain (unquoted) scalar.
///
/// Whole numbers that fit neither `i64` nor `u64` become `f64`. JSON has no
/// infinity and no NaN: `.inf` and `.nan` stay text.
pub fn plain_value(text: &str) -> Value {
    match text {
        _ if is_null(text) => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

/// Returns whether a plain scalar is null.
pub fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Returns whether a plain scalar is text (not null, boolean or number).
pub fn is_text(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-' | b'.' | b'~' | b'n' | b'N' | b't' | b'T' | b'f' | b'F') => {
            matches!(plain_value(text), Value::String(_))
        }
        Some(_) => true,
        None => false,
    }
}

/// Returns the number that the text is.
fn number(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !unsigned.is_empty() && digits(unsigned) {
        let text = text.strip_prefix('+').unwrap_or(text);
        let small = text.parse::<i64>().ok().map(Number::from);
        let large = || text.parse::<u64>().ok().map(Number::from);
        return small
            .or_else(large)
            .or_else(|| Number::from_f64(text.parse().ok()?));
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(rest) = text.strip_prefix(prefix) {
            let plain = rest.bytes().all(|b| b.is_ascii_alphanumeric());
            return plain
                .then(|| u64::from_str_radix(rest, radix).ok())
                .flatten()
                .map(Number::from);
        }
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|e| e.strip_prefix(['+', '-']).unwrap_or(e));
    let good = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|e| !e.is_empty() && digits(e));
    good.then(|| text.parse::<f64>().ok().and_then(Number::from_f64))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(text: &str, want: Value) {
        assert_eq!(plain_value(text), want, "{text}");
        assert_eq!(is_text(text), want.is_string(), "{text}");
        assert_eq!(is_null(text), want.is_null(), "{text}");
    }

    #[test]
    fn plain_words_have_the_types_of_yaml_1_2() {
        check("", Value::Null);
        check("~", Value::Null);
        check("yes", json!("yes"));
        check("off", json!("off"));
        check("True", json!(true));
        check("012", json!(12));
        check("0o17", json!(15));
        check("0xff", json!(255));
        check("0x", json!("0x"));
        check("-3", json!(-3));
        check("+.5", json!(0.5));
        check("1.", json!(1.0));
        check("1e3", json!(1000.0));
        check("1e", json!("1e"));
        check(".", json!("."));
        check("e5", json!("e5"));
        check("-", json!("-"));
        check("1_000", json!("1_000"));
        check("2021-01-01", json!("2021-01-01"));
        check(".inf", json!(".inf"));
        check("18446744073709551615", json!(u64::MAX));
    }
}
