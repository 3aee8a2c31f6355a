//! What policies see of a slot's value: a few numbers that depend on its type.

use serde_json::Value;

use crate::data::Slot;
use crate::data::SlotKind;

/// Returns how many features the slot has; 0 when policies do not see it.
pub fn count(slot: &Slot) -> usize {
    match &slot.kind {
        _ if !slot.influences => 0,
        SlotKind::Any => 0,
        SlotKind::Text | SlotKind::List => 1,
        SlotKind::Bool | SlotKind::Float { .. } => 2,
        SlotKind::Categorical { values } => values.len() + usize::from(!has_other(values)),
    }
}

/// Returns the features of `value` in this slot, as many as [`count`] says.
///
/// # Source
///
/// Rasa 3.6 `Slot.as_feature` of each slot type.
pub fn features(slot: &Slot, value: &Value) -> Vec<f64> {
    match &slot.kind {
        _ if !slot.influences => Vec::new(),
        SlotKind::Any => Vec::new(),
        SlotKind::Text => vec![flag(!value.is_null())],
        SlotKind::List => vec![flag(is_non_empty(value))],
        SlotKind::Bool => bool_of(value).map_or(vec![0.0; 2], |yes| vec![1.0, flag(yes)]),
        SlotKind::Float { min, max } => {
            number_of(value).map_or(vec![0.0; 2], |x| vec![1.0, scaled(x, *min, *max)])
        }
        SlotKind::Categorical { values } => one_of(values, value, count(slot)),
    }
}

fn has_other(values: &[String]) -> bool {
    values.iter().any(|value| value == "__other__")
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn is_non_empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Null => false,
    }
}

fn bool_of(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(yes) => Some(*yes),
        Value::Number(number) => number.as_f64().map(|x| x == 1.0),
        Value::String(text) if is_digits(text) => text.parse::<f64>().ok().map(|x| x == 1.0),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(yes) => Some(flag(*yes)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn scaled(x: f64, min: f64, max: f64) -> f64 {
    let range = (max - min).abs();
    let x = if x < max { x } else { max };
    let x = if x > min { x } else { min };
    (x - min) / if range > 0.0 { range } else { 1.0 }
}

fn one_of(values: &[String], value: &Value, count: usize) -> Vec<f64> {
    let mut features = vec![0.0; count];
    if value.is_null() {
        return features;
    }
    let text = match value {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string().to_lowercase(),
    };
    let position = values
        .iter()
        .position(|known| known.to_lowercase() == text)
        .or_else(|| values.iter().position(|known| known == "__other__"))
        .unwrap_or(count - 1);
    features[position] = 1.0;
    features
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::Place;

    fn slot(kind: SlotKind) -> Slot {
        Slot {
            name: "s".into(),
            kind,
            initial_value: Value::Null,
            influences: true,
            auto_fill: false,
            mappings: Vec::new(),
            place: Place::default(),
        }
    }

    #[test]
    fn floats_are_clamped_and_scaled() {
        let slot = slot(SlotKind::Float {
            min: 0.0,
            max: 10.0,
        });
        assert_eq!(features(&slot, &json!(15)), [1.0, 1.0]);
        assert_eq!(features(&slot, &json!("2.5")), [1.0, 0.25]);
        assert_eq!(features(&slot, &json!(null)), [0.0, 0.0]);
        assert_eq!(features(&slot, &json!("many")), [0.0, 0.0]);
    }

    #[test]
    fn categories_are_compared_in_lower_case_and_others_are_one_category() {
        let slot = slot(SlotKind::Categorical {
            values: vec!["small".into(), "large".into()],
        });
        assert_eq!(features(&slot, &json!("LARGE")), [0.0, 1.0, 0.0]);
        assert_eq!(features(&slot, &json!("huge")), [0.0, 0.0, 1.0]);
        assert_eq!(features(&slot, &json!(null)), [0.0, 0.0, 0.0]);
    }

    #[test]
    fn booleans_know_set_from_true() {
        let slot = slot(SlotKind::Bool);
        assert_eq!(features(&slot, &json!(true)), [1.0, 1.0]);
        assert_eq!(features(&slot, &json!("false")), [1.0, 0.0]);
        assert_eq!(features(&slot, &json!(1)), [1.0, 1.0]);
        assert_eq!(features(&slot, &json!("perhaps")), [0.0, 0.0]);
    }
}
