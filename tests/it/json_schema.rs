//! A small validator for the JSON Schemas in `schemas/`.

#![allow(clippy::unwrap_used)] // clippy sees tests only in functions marked so

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;

use regex::Regex;
use serde_json::Value;

/// The folder of schemas and samples.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

/// A schema of the folder, with those that it refers to.
pub struct Schema {
    name: String,
    files: RefCell<HashMap<String, Rc<Value>>>,
}

impl Schema {
    /// Returns the schema in a file.
    pub fn open(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            files: RefCell::default(),
        }
    }

    /// Returns the schema itself.
    pub fn json(&self) -> Rc<Value> {
        self.file(&self.name)
    }

    fn file(&self, name: &str) -> Rc<Value> {
        let mut files = self.files.borrow_mut();
        let read = || {
            let bytes = fs::read(folder().join(name)).unwrap();
            Rc::new(serde_json::from_slice(&bytes).unwrap())
        };
        files.entry(name.to_owned()).or_insert_with(read).clone()
    }

    /// Returns where `value` is not as the schema says; `None` if it is.
    ///
    /// # Panics
    ///
    /// At a keyword that is not known here, so that none is skipped silently.
    pub fn refusal(&self, value: &Value) -> Option<String> {
        self.check(&self.name, &self.json(), value, "").err()
    }

    /// Checks `value`, which stands at `path`, by the part `schema` of `file`.
    fn check(&self, file: &str, schema: &Value, value: &Value, path: &str) -> Result<(), String> {
        let keywords = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Bool(false) => return Err(format!("{path}: nothing may stand here")),
            schema => schema.as_object().unwrap(),
        };
        let wrong = |keyword: &str, rule: &Value| Err(format!("{path}: {keyword} {rule}: {value}"));
        let fits = |schema: &Value| self.check(file, schema, value, path).is_ok();
        let list = |rule: &Value| rule.as_array().unwrap().clone();
        for (keyword, rule) in keywords {
            match keyword.as_str() {
                "$schema" | "title" | "description" | "$defs" | "definitions" | "default"
                | "then" | "else" => {}
                "$ref" => self.check_reference(file, rule.as_str().unwrap(), value, path)?,
                "allOf" => {
                    for schema in list(rule) {
                        self.check(file, &schema, value, path)?;
                    }
                }
                "anyOf" if !list(rule).iter().any(fits) => {
                    let refusals = list(rule);
                    let refusals = refusals
                        .iter()
                        .filter_map(|schema| self.check(file, schema, value, path).err());
                    // The refusal furthest inside is the one that was meant.
                    return Err(refusals.max_by_key(String::len).unwrap());
                }
                "not" if fits(rule) => return wrong(keyword, rule),
                "if" => {
                    let branch = if fits(rule) { "then" } else { "else" };
                    if let Some(branch) = keywords.get(branch) {
                        self.check(file, branch, value, path)?;
                    }
                }
                "anyOf" | "not" => {}
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(file, rule, item, &format!("{path}/{index}"))?;
                    }
                }
                "properties" => {
                    for (key, rule) in rule.as_object().unwrap() {
                        if let Some(value) = value.get(key) {
                            self.check(file, rule, value, &format!("{path}/{key}"))?;
                        }
                    }
                }
                "propertyNames" => {
                    for key in value.as_object().into_iter().flat_map(|map| map.keys()) {
                        self.check(file, rule, &Value::from(key.as_str()), path)?;
                    }
                }
                "additionalProperties" => {
                    let known = keywords.get("properties").and_then(Value::as_object);
                    for (key, value) in value.as_object().into_iter().flatten() {
                        if !known.is_some_and(|known| known.contains_key(key)) {
                            self.check(file, rule, value, &format!("{path}/{key}"))?;
                        }
                    }
                }
                _ if !is_simple_rule_kept(keyword, rule, value) => return wrong(keyword, rule),
                _ => {}
            }
        }
        Ok(())
    }

    fn check_reference(
        &self,
        file: &str,
        reference: &str,
        value: &Value,
        path: &str,
    ) -> Result<(), String> {
        let (target, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        let target = if target.is_empty() { file } else { target };
        let root = self.file(target);
        let schema = root.pointer(pointer);
        let schema = schema.unwrap_or_else(|| panic!("{file}: no `{reference}`"));
        self.check(target, schema, value, path)
    }
}

/// Checks a rule that looks at nothing inside the value.
fn is_simple_rule_kept(keyword: &str, rule: &Value, value: &Value) -> bool {
    let at_least = |size: Option<usize>| size.is_none_or(|n| n as u64 >= rule.as_u64().unwrap());
    let map = value.as_object();
    match keyword {
        "type" => match rule {
            Value::Array(names) => names
                .iter()
                .any(|name| is_of_type(value, name.as_str().unwrap())),
            name => is_of_type(value, name.as_str().unwrap()),
        },
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "pattern" => {
            let pattern = Regex::new(rule.as_str().unwrap()).unwrap();
            value.as_str().is_none_or(|value| pattern.is_match(value))
        }
        "minimum" => value
            .as_f64()
            .is_none_or(|value| value >= rule.as_f64().unwrap()),
        "maximum" => value
            .as_f64()
            .is_none_or(|value| value <= rule.as_f64().unwrap()),
        "minLength" => at_least(value.as_str().map(|text| text.chars().count())),
        "minItems" => at_least(value.as_array().map(Vec::len)),
        "minProperties" => at_least(map.map(|map| map.len())),
        "maxProperties" => map.is_none_or(|map| map.len() as u64 <= rule.as_u64().unwrap()),
        "required" => map.is_none_or(|map| {
            let mut keys = rule.as_array().unwrap().iter();
            keys.all(|key| map.contains_key(key.as_str().unwrap()))
        }),
        other => panic!("keyword `{other}` is not known to this test"),
    }
}

/// Returns whether `value` is of the JSON Schema type `name`.
fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type `{other}` is not known to this test"),
    }
}
