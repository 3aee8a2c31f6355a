//! The schemas of the archive's documents and the types that read them accept
//! and refuse the same samples; reports of dry runs are as their schema says.

#![allow(clippy::unwrap_used)] // clippy sees tests only in functions marked so

use std::fs;
use std::path::Path;

use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tabella::archive::Fingerprint;
use tabella::archive::Manifest;
use tabella::archive::Metadata;

use crate::workbench::Workbench;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Returns whether `value` is of the JSON Schema type `name`.
fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("type `{other}` is not known to this test"),
    }
}

/// Validates `value` by the keywords that our schemas use.
///
/// # Panics
///
/// At a keyword that it does not know, so that none is skipped silently.
fn is_valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let keywords = schema.as_object().unwrap();
    let properties = schema.get("properties").and_then(Value::as_object);
    let text = |rule: &Value| Regex::new(rule.as_str().unwrap()).unwrap();
    keywords
        .iter()
        .all(|(keyword, rule)| match keyword.as_str() {
            "$schema" | "title" | "description" | "$defs" => true,
            "$ref" => {
                let target = rule.as_str().unwrap().strip_prefix('#').unwrap();
                is_valid(root, root.pointer(target).unwrap(), value)
            }
            "type" => match rule {
                Value::Array(names) => names
                    .iter()
                    .any(|name| is_of_type(value, name.as_str().unwrap())),
                name => is_of_type(value, name.as_str().unwrap()),
            },
            "const" => rule == value,
            "enum" => rule.as_array().unwrap().contains(value),
            "pattern" => value
                .as_str()
                .is_none_or(|value| text(rule).is_match(value)),
            "minimum" => value
                .as_i64()
                .is_none_or(|value| value >= rule.as_i64().unwrap()),
            "items" => match value.as_array() {
                Some(items) => items.iter().all(|item| is_valid(root, rule, item)),
                None => true,
            },
            "required" => match value.as_object() {
                Some(map) => rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .all(|key| map.contains_key(key.as_str().unwrap())),
                None => true,
            },
            "properties" => rule.as_object().unwrap().iter().all(|(key, rule)| {
                value
                    .get(key)
                    .is_none_or(|value| is_valid(root, rule, value))
            }),
            "propertyNames" => match value.as_object() {
                Some(map) => map
                    .keys()
                    .all(|key| is_valid(root, rule, &Value::from(key.as_str()))),
                None => true,
            },
            "additionalProperties" => match value.as_object() {
                Some(map) => map
                    .iter()
                    .filter(|(key, _)| !properties.is_some_and(|known| known.contains_key(*key)))
                    .all(|(_, value)| match rule {
                        Value::Bool(allowed) => *allowed,
                        rule => is_valid(root, rule, value),
                    }),
                None => true,
            },
            other => panic!("keyword `{other}` is not known to this test"),
        })
}

#[track_caller]
fn check<T: DeserializeOwned>(name: &str) {
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let schema = json(&schemas.join(format!("{name}.json")));
    for (folder, want) in [("valid", true), ("invalid", false)] {
        let folder = schemas.join("samples").join(name).join(folder);
        let mut count = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let sample = json(&path);
            assert_eq!(
                is_valid(&schema, &schema, &sample),
                want,
                "schema, {}",
                path.display()
            );
            let read = serde_json::from_value::<T>(sample);
            assert_eq!(read.is_ok(), want, "type, {}", path.display());
            count += 1;
        }
        assert!(count > 0, "no samples for {name}");
    }
}

#[test]
fn the_schema_of_the_fingerprint_is_what_is_read() {
    check::<Fingerprint>("fingerprint");
}

#[test]
fn the_schema_of_the_metadata_is_what_is_read() {
    check::<Metadata>("metadata");
}

#[test]
fn the_schema_of_the_manifest_is_what_is_read() {
    check::<Manifest>("manifest");
}

const CONFIG: &str = "\
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
  transformer_size: 16
policies:
- name: MemoizationPolicy
";

const DOMAIN: &str = "\
intents: [greet, bye]
responses:
  utter_greet: [{text: hi}]
";

const NLU: &str = "\
nlu:
- intent: greet
  examples: |
    - hello
    - good day
- intent: bye
  examples: |
    - goodbye
    - see you
";

const STORIES: &str = "\
stories:
- story: hello
  steps:
  - intent: greet
  - action: utter_greet
";

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", DOMAIN),
        ("data/nlu.yml", NLU),
        ("data/stories.yml", STORIES),
    ])
}

fn report_schema() -> Value {
    json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/dry-run.schema.json"))
}

/// Returns the report of a dry run, which must be as the schema says.
#[track_caller]
fn report(bench: &Workbench, force: bool) -> Value {
    let mut options = bench.options();
    options.dry_run = true;
    options.force_training = force;
    let result = tabella::api::train(&options).unwrap();
    let report = serde_json::to_value(result.dry_run_results.unwrap()).unwrap();
    let schema = report_schema();
    assert!(is_valid(&schema, &schema, &report), "{report:#}");
    report
}

/// Returns the values of a key of all tasks, or of all their reasons.
fn all<'a>(report: &'a Value, key: &str) -> Vec<&'a Value> {
    let tasks = report["tasks"].as_array().unwrap();
    let reasons = tasks
        .iter()
        .flat_map(|task| task["reasons"].as_array().unwrap());
    tasks
        .iter()
        .chain(reasons)
        .filter_map(|value| value.get(key))
        .collect()
}

#[test]
fn reports_of_every_kind_are_as_their_schema_says() {
    let bench = bench();
    let new = report(&bench, false);
    assert_eq!(new["code"], 7);
    assert!(all(&new, "reason").contains(&&Value::from("never_run")));

    bench.train().unwrap();
    let fresh = report(&bench, false);
    assert_eq!(fresh["code"], 0);
    assert!(all(&fresh, "state").iter().all(|state| **state == "fresh"));

    let forced = report(&bench, true);
    assert_eq!(forced["code"], 8);
    assert!(all(&forced, "reason").contains(&&Value::from("forced")));

    bench.replace("data/nlu.yml", "- see you", "- see you soon");
    bench.replace("config.yml", "epochs: 1", "epochs: 2");
    let edited = report(&bench, false);
    assert_eq!(edited["code"], 2);
    assert!(all(&edited, "state").contains(&&Value::from("may_be_spared")));
    for reason in ["input_changed", "option_changed", "upstream"] {
        assert!(all(&edited, "reason").contains(&&Value::from(reason)));
    }
    let changes = all(&edited, "changes");
    let labels = serde_json::to_string(&changes).unwrap();
    assert!(labels.contains("see you soon") && labels.contains("data/nlu.yml:9"));
}

#[test]
fn what_is_not_a_report_is_refused_by_the_schema() {
    let bench = bench();
    bench.train().unwrap();
    bench.replace("data/nlu.yml", "- see you", "- see you soon");
    let good = report(&bench, false);
    let schema = report_schema();
    let stale = good["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .position(|task| task["state"] == "stale")
        .unwrap();
    let wrong: [(&str, Value); 8] = [
        ("/report_version", 2.into()),
        ("/code", 9.into()),
        ("/parts", Value::from(vec!["nlg"])),
        ("/stale_count", (-1).into()),
        ("/estimate_ms", "soon".into()),
        ("/tasks/STALE/state", "old".into()),
        ("/tasks/STALE/reasons/0/reason", "because".into()),
        ("/tasks/STALE/last_ms", 0.5.into()),
    ];
    for (pointer, value) in wrong {
        let mut bad = good.clone();
        let pointer = pointer.replace("STALE", &stale.to_string());
        *bad.pointer_mut(&pointer).unwrap() = value;
        assert!(!is_valid(&schema, &schema, &bad), "{pointer}");
    }
    for key in good.as_object().unwrap().keys() {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(key);
        assert!(!is_valid(&schema, &schema, &bad), "without {key}");
    }
    let mut bad = good.clone();
    bad["tasks"][stale]["reasons"][0]["sometimes"] = true.into();
    assert!(!is_valid(&schema, &schema, &bad), "an unknown key");
}
