//! What the user wrote beside a component's name, as a typed value.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Map;
use serde_json::Value;

use crate::data::Options;

/// An option of a component that cannot be what the user wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("option `{option}` cannot be used: {reason}")]
pub struct OptionError {
    /// The option's name.
    pub option: String,
    /// What is wrong with its value.
    pub reason: String,
}

impl OptionError {
    /// Returns an error about one option.
    pub fn new(option: &str, reason: impl Into<String>) -> Self {
        Self {
            option: option.to_owned(),
            reason: reason.into(),
        }
    }
}

/// Returns the typed options: those that were written, and defaults for the
/// others. Unknown ones are ignored here; see [`unknown_options`].
///
/// # Errors
///
/// The first option, by name, whose value has the wrong type.
pub fn read_options<T>(written: &Options) -> Result<T, OptionError>
where
    T: Default + Serialize + DeserializeOwned,
{
    let mut all = defaults::<T>();
    for (name, value) in written {
        if !all.contains_key(name) {
            continue;
        }
        let mut one = defaults::<T>();
        one.insert(name.clone(), value.clone());
        if let Err(error) = serde_json::from_value::<T>(Value::Object(one)) {
            return Err(OptionError::new(name, error.to_string()));
        }
        all.insert(name.clone(), value.clone());
    }
    Ok(serde_json::from_value(Value::Object(all)).expect("each option was accepted by itself"))
}

/// Returns the names of the options that `T` does not have, sorted.
pub fn unknown_options<T: Default + Serialize>(written: &Options) -> Vec<String> {
    let known = defaults::<T>();
    let unknown = written.keys().filter(|name| !known.contains_key(*name));
    unknown.cloned().collect()
}

fn defaults<T: Default + Serialize>() -> Map<String, Value> {
    match serde_json::to_value(T::default()) {
        Ok(Value::Object(map)) => map,
        _ => panic!("options are a struct of plain values"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        count: u32,
        name: Option<String>,
    }

    impl Default for Sample {
        fn default() -> Self {
            Self {
                count: 3,
                name: None,
            }
        }
    }

    #[test]
    fn absent_options_have_defaults_and_unknown_ones_are_named() {
        let written = Options::from([("name".into(), json!("x")), ("nmae".into(), json!("y"))]);
        let read: Sample = read_options(&written).unwrap();
        assert_eq!((read.count, read.name.as_deref()), (3, Some("x")));
        assert_eq!(unknown_options::<Sample>(&written), ["nmae"]);
    }

    #[test]
    fn a_wrong_type_names_the_option() {
        let written = Options::from([("count".into(), json!("many"))]);
        let error = read_options::<Sample>(&written).unwrap_err();
        assert_eq!(error.option, "count");
        assert!(error.reason.contains("expected u32"), "{error}");
    }
}
