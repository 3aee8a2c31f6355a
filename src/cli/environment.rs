//! The environment variables that a project's files may name.

use std::collections::BTreeMap;
use std::ffi::OsString;

/// Returns the environment as far as it is text: nothing else can stand in a
/// YAML file.
pub fn environment() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}
