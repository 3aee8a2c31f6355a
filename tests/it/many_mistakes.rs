//! A mistake that is made thousands of times is told in as much text as can be read,
//! and whole to programs.

#![allow(clippy::unwrap_used)] // clippy sees tests only in functions marked so

use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

/// How often the mistake is made.
const COUNT: usize = 3_000;

/// Bytes of text that a person is shown at most.
const READABLE: usize = 16_000;

const CONFIG: &str = "\
recipe: default.v1
assistant_id: pizza
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
policies:
- name: MemoizationPolicy
";

const DOMAIN: &str = "\
intents: [greet]
responses:
  utter_greet:
  - text: Hello!
";

const STORIES: &str = "\
stories:
- story: greet
  steps:
  - intent: greet
  - action: utter_greet
";

/// A project whose examples have a mistake each.
fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut nlu = "nlu:\n- intent: greet\n  examples: |\n    - hello\n".to_owned();
    for number in 0..COUNT {
        nlu += &format!("    - hello number {number} of [x]{{\"entity\": city}}\n");
    }
    write(folder.path(), "config.yml", CONFIG);
    write(folder.path(), "domain.yml", DOMAIN);
    write(folder.path(), "data/nlu.yml", &nlu);
    write(folder.path(), "data/stories.yml", STORIES);
    folder
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tabella"))
        .args(arguments)
        .env_clear()
        .env("TABELLA_CACHE_DIR", folder.join("cache"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn check_text(text: &[u8], first: &str, last: &str) {
    let text = str::from_utf8(text).unwrap();
    assert!(text.len() < READABLE, "{} bytes", text.len());
    // The first ones with their lines, some as a list, all others as a number.
    assert!(text.contains(&format!("──▶ {first}")), "{text}");
    assert!(text.contains("times more)"), "{text}");
    assert!(text.contains("more, which `--json` lists"), "{text}");
    assert!(text.contains(last), "{text}");
}

fn errors(json: &Value) -> usize {
    let all = json["diagnostics"].as_array().unwrap().iter();
    all.filter(|one| one["code"] == "E306").count()
}

#[test]
fn validate_shows_some_and_counts_the_others() {
    let folder = project();
    let output = run(folder.path(), &["data", "validate"]);
    assert_eq!(output.status.code(), Some(65));
    check_text(&output.stdout, "data/nlu.yml:5:", "3000 errors");
    let output = run(folder.path(), &["data", "validate", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(errors(&json), COUNT);
    let output = run(folder.path(), &["data", "validate", "--sarif"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["runs"][0]["results"].as_array().unwrap().len(), COUNT);
}

#[test]
fn a_training_shows_some_and_counts_the_others() {
    let folder = project();
    for arguments in [&["train"][..], &["train", "--dry-run"]] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(65));
        check_text(&output.stderr, "data/nlu.yml:5:", "3000 mistakes");
    }
    let output = run(folder.path(), &["train", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(errors(&json), COUNT);
}

#[test]
fn a_test_shows_some_and_counts_the_others() {
    let folder = project();
    fs::rename(
        folder.path().join("data/nlu.yml"),
        folder.path().join("test.yml"),
    )
    .unwrap();
    let nlu = "nlu:\n- intent: greet\n  examples: |\n    - hello\n    - good day\n";
    write(folder.path(), "data/nlu.yml", nlu);
    assert!(run(folder.path(), &["train"]).status.success());
    let output = run(folder.path(), &["test", "nlu", "--nlu", "test.yml"]);
    assert_eq!(output.status.code(), Some(65));
    check_text(&output.stderr, "test.yml:5:", "3000 mistakes");
    let output = run(
        folder.path(),
        &["test", "nlu", "--nlu", "test.yml", "--json"],
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(errors(&json), COUNT);
}

#[test]
fn a_split_and_a_conversion_show_some_and_count_the_others() {
    let folder = project();
    let output = run(folder.path(), &["data", "split", "nlu"]);
    assert_eq!(output.status.code(), Some(65));
    check_text(&output.stderr, "data/nlu.yml:5:", "the data have errors");
    let output = run(folder.path(), &["data", "convert", "--out", "converted"]);
    assert_eq!(output.status.code(), Some(65));
    check_text(&output.stderr, "data/nlu.yml:5:", "nothing is written");
}
