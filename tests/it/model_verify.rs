//! `tabella verify` says whether a model is what a training wrote, and tells
//! everything that is wrong with it at once.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use expect_test::expect;
use regex::Regex;
use serde_json::Value;
use tabella::archive::Model;
use tabella::archive::pack;
use tabella::archive::read_model;

use crate::workbench::Workbench;

const CONFIG: &str = "\
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
  transformer_size: 16
policies:
- name: MemoizationPolicy
- name: RulePolicy
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

/// A trained project, and where its model is.
fn trained() -> (Workbench, PathBuf) {
    let bench = Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", DOMAIN),
        ("data/nlu.yml", NLU),
        ("data/stories.yml", STORIES),
    ]);
    let model = bench.train().unwrap().model.unwrap();
    (bench, model)
}

/// Runs `tabella verify` in the project; how it ended and what it printed, with
/// digests, sizes and the model's own name left out.
fn verify(bench: &Workbench, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tabella"))
        .arg("verify")
        .args(arguments)
        .env_clear()
        .current_dir(bench.root())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let text = Regex::new("[0-9a-f]{64}")
        .unwrap()
        .replace_all(&text, "[DIGEST]");
    let text = Regex::new("[0-9a-f]{16}")
        .unwrap()
        .replace_all(&text, "[NAME]");
    let text = Regex::new(r"\d+\.\d kB")
        .unwrap()
        .replace_all(&text, "[SIZE]");
    (output.status.code(), text.into_owned())
}

/// Packs the model again after `change`: every digest in it is right.
fn repacked(path: &PathBuf, change: impl FnOnce(&mut Model)) {
    let mut model = read_model(path).unwrap();
    change(&mut model);
    fs::write(path, pack(&model).unwrap().bytes).unwrap();
}

#[test]
fn a_trained_model_is_sound() {
    let (bench, _) = trained();
    let (code, text) = verify(&bench, &[]);
    expect![[r#"
        models/[NAME].tar.gz: sound
        read 10 files, [SIZE]; loaded 5 components, trained by tabella 0.1.0
        content [DIGEST]
    "#]]
    .assert_eq(&text);
    assert_eq!(code, Some(0));
}

#[test]
fn weights_of_another_shape_and_options_of_no_sense_are_told_together() {
    let (bench, path) = trained();
    repacked(&path, |model| {
        let weights = model.nlu.keys().find(|name| name.ends_with(".safetensors"));
        let name = weights.unwrap().clone();
        // A header of one tensor that no network has.
        let mut bytes = 62_u64.to_le_bytes().to_vec();
        bytes.extend(br#"{"other":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}    "#);
        bytes.truncate(8 + 62);
        bytes.extend([0; 8]);
        model.nlu.insert(name, bytes);
        let table = model.core.keys().find(|name| name.contains("RulePolicy"));
        let name = table.unwrap().clone();
        model.core.insert(name, b"[1]".to_vec());
        model
            .core
            .insert("domain.json".to_owned(), b"{\"intents\":7}".to_vec());
        model.metadata.pipeline[0].name = "MagicTokenizer".to_owned();
    });
    let (code, text) = verify(&bench, &[]);
    expect![[r#"
        models/[NAME].tar.gz: 4 problems
          `MagicTokenizer`: no NLU component is called `MagicTokenizer`
          `DIETClassifier`: `DIETClassifier` cannot be loaded: the parts of the model do not fit: fewer weights than the network has
          `RulePolicy`: `policy.json` of `RulePolicy` cannot be read: invalid type: sequence, expected struct RulePolicy at line 1 column 0
          `core/domain.json` cannot be read: invalid type: integer `7`, expected a sequence at line 1 column 12
        read 10 files, [SIZE]; loaded 2 components, trained by tabella 0.1.0
    "#]].assert_eq(&text);
    assert_eq!(code, Some(65));
}

#[test]
fn a_model_that_was_cut_off_or_is_none_is_told_so_once() {
    let (bench, path) = trained();
    let bytes = fs::read(&path).unwrap();
    for (bytes, want) in [
        (&b"no model at all"[..], "damaged or cut off"),
        (b"", "damaged or cut off"),
        (&bytes[..bytes.len() / 2], "damaged or cut off"),
        (&bytes[..bytes.len() - 1], "damaged or cut off"),
        (&[&bytes[..], b"x"].concat(), "bytes after the end"),
    ] {
        fs::write(&path, bytes).unwrap();
        let (code, text) = verify(&bench, &[]);
        assert_eq!(code, Some(65), "{text}");
        assert!(text.contains(": 1 problem\n"), "{text}");
        assert!(text.contains(want), "{text}");
    }
}

#[test]
fn every_changed_byte_is_found() {
    let (bench, path) = trained();
    let bytes = fs::read(&path).unwrap();
    for at in (10..bytes.len()).step_by(bytes.len() / 20) {
        let mut bytes = bytes.clone();
        bytes[at] ^= 4;
        fs::write(&path, &bytes).unwrap();
        let check = tabella::api::check_model(&bench.root().join("models")).unwrap();
        assert!(!check.problems.is_empty(), "byte {at}");
    }
}

#[test]
fn where_no_model_is_there_is_nothing_to_check() {
    let (bench, _) = trained();
    assert_eq!(verify(&bench, &["none.tar.gz"]).0, Some(66));
    assert_eq!(verify(&bench, &["data"]).0, Some(66));
    assert_eq!(verify(&bench, &["--frobnicate"]).0, Some(64));
    let (code, text) = verify(&bench, &["--json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &told["problems"]), (Some(0), &Value::Array(vec![])));
}
