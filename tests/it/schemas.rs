//! The schemas of the archive's documents and the types that read them accept
//! and refuse the same samples; reports of dry runs are as their schema says.

#![allow(clippy::unwrap_used)] // clippy sees tests only in functions marked so

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tabella::api::Sample;
use tabella::archive::Fingerprint;
use tabella::archive::Manifest;
use tabella::archive::Metadata;

use crate::json_schema::Schema;
use crate::json_schema::folder;
use crate::workbench::Workbench;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[track_caller]
fn check<T: DeserializeOwned>(name: &str) {
    let schema = Schema::open(&format!("{name}.json"));
    for (kind, want) in [("valid", true), ("invalid", false)] {
        let mut count = 0;
        for entry in fs::read_dir(folder().join("samples").join(name).join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let sample = json(&path);
            let refusal = schema.refusal(&sample);
            let shown = path.display();
            assert_eq!(refusal.is_none(), want, "schema, {shown}: {refusal:?}");
            let read = serde_json::from_value::<T>(sample);
            assert_eq!(read.is_ok(), want, "type, {shown}");
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

/// Checks the samples of a schema of what a command tells.
#[track_caller]
fn check_told(name: &str) {
    let schema = Schema::open(&format!("{name}.schema.json"));
    for (kind, want) in [("valid", true), ("invalid", false)] {
        let samples = fs::read_dir(folder().join("samples").join(name).join(kind));
        for entry in samples.unwrap() {
            let path = entry.unwrap().path();
            let refusal = schema.refusal(&json(&path));
            assert_eq!(refusal.is_none(), want, "{}: {refusal:?}", path.display());
        }
    }
}

#[test]
fn the_schemas_of_what_commands_tell_take_and_refuse_their_samples() {
    for name in [
        "cache-stats",
        "cache-check",
        "model-check",
        "nlu-test",
        "workspace-report",
    ] {
        check_told(name);
    }
}

#[test]
fn what_is_told_of_a_cache_is_as_its_schema_says() {
    let bench = bench();
    let options = bench.options();
    let stats = || serde_json::to_value(tabella::api::cache_stats(&options.run).unwrap()).unwrap();
    let check = || {
        let check = tabella::api::check_cache(
            &options,
            false,
            Some(Sample {
                percent: 50,
                seed: 7,
            }),
        )
        .unwrap();
        serde_json::to_value(check).unwrap()
    };
    let stats_schema = Schema::open("cache-stats.schema.json");
    let check_schema = Schema::open("cache-check.schema.json");
    assert_eq!(stats_schema.refusal(&stats()), None);
    assert_eq!(check_schema.refusal(&check()), None);
    bench.train().unwrap();
    assert_eq!(stats_schema.refusal(&stats()), None);
    let sound = check();
    assert_eq!(check_schema.refusal(&sound), None);
    assert_eq!(sound["reruns"].as_array().unwrap().len(), 3);
    fs::remove_dir_all(bench.cache().join("blobs")).unwrap();
    let bad = check();
    assert_eq!(check_schema.refusal(&bad), None);
    assert!(!bad["problems"].as_array().unwrap().is_empty());
}

#[test]
fn the_schemas_of_runs_take_and_refuse_their_samples() {
    check_told("events");
    check_told("training");
}

#[test]
fn what_is_told_of_a_model_is_as_its_schema_says() {
    let bench = bench();
    let model = bench.train().unwrap().model.unwrap();
    let schema = Schema::open("model-check.schema.json");
    let told = || serde_json::to_value(tabella::api::check_model(&model).unwrap()).unwrap();
    assert_eq!(schema.refusal(&told()), None);
    let bytes = fs::read(&model).unwrap();
    fs::write(&model, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(schema.refusal(&told()), None);
    assert!(!told()["problems"].as_array().unwrap().is_empty());
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

fn report_schema() -> Schema {
    Schema::open("dry-run.schema.json")
}

/// Returns the report of a dry run, which must be as the schema says.
#[track_caller]
fn report(bench: &Workbench, force: bool) -> Value {
    let mut options = bench.options();
    options.dry_run = true;
    options.force_training = force;
    let result = tabella::api::train(&options).unwrap();
    let report = serde_json::to_value(result.dry_run_results.unwrap()).unwrap();
    let refusal = report_schema().refusal(&report);
    assert_eq!(refusal, None, "{report:#}");
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
        ("/report_version", 1.into()),
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
        assert!(schema.refusal(&bad).is_some(), "{pointer}");
    }
    for key in good.as_object().unwrap().keys() {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(key);
        assert!(schema.refusal(&bad).is_some(), "without {key}");
    }
    let mut bad = good.clone();
    bad["tasks"][stale]["reasons"][0]["sometimes"] = true.into();
    assert!(schema.refusal(&bad).is_some(), "an unknown key");
}
