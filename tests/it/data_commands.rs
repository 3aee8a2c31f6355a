//! `data convert`, `data migrate` and `data split` on the command line.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use walkdir::WalkDir;

const DOMAIN: &str =
    "version: \"2.0\"   # old\nslots:\n  dish:\n    type: text\nentities: [dish]\n";
const NLU: &str =
    "version: \"2.0\"\nnlu:\n- intent: greet\n  examples: |\n    - hello\n    - hey\n";

fn project() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("data")).unwrap();
    fs::write(root.path().join("domain.yml"), DOMAIN).unwrap();
    fs::write(root.path().join("data/nlu.yml"), NLU).unwrap();
    root
}

fn data(root: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tabella"))
        .arg("data")
        .args(arguments)
        .current_dir(root)
        .output()
        .unwrap()
}

/// Runs a command and returns its exit code and standard output.
fn run(root: &Path, arguments: &[&str]) -> (i32, String) {
    let output = data(root, arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

/// Returns all files with their contents.
fn files(root: &Path) -> BTreeMap<String, String> {
    let entries = WalkDir::new(root).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let named = files.map(|entry| {
        let path = entry.path().strip_prefix(root).unwrap();
        let text = fs::read_to_string(entry.path()).unwrap();
        (path.display().to_string(), text)
    });
    named.collect()
}

#[test]
fn a_project_is_converted_into_a_folder_of_its_own() {
    let root = project();
    let (code, text) = run(root.path(), &["convert", "--out", "new"]);
    assert_eq!(code, 0);
    assert_eq!(
        text,
        "new/data/nlu.yml from ./data/nlu.yml\nnew/domain.yml from ./domain.yml\n"
    );
    let files = files(root.path());
    assert_eq!(files["domain.yml"], DOMAIN);
    assert!(files["new/domain.yml"].starts_with("version: \"3.1\"   # old\n"));
    assert!(files["new/data/nlu.yml"].starts_with("version: \"3.1\"\n"));
}

#[test]
fn nothing_is_overwritten_and_nothing_half_done() {
    let root = project();
    fs::create_dir(root.path().join("new")).unwrap();
    fs::write(root.path().join("new/domain.yml"), "mine").unwrap();
    let before = files(root.path());
    let output = data(root.path(), &["convert", "--out", "new"]);
    assert_eq!(output.status.code(), Some(65));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("new/domain.yml` is there already"), "{said}");
    assert_eq!(files(root.path()), before);
}

#[test]
fn a_dry_run_writes_nothing() {
    let root = project();
    let before = files(root.path());
    let (code, text) = run(root.path(), &["convert", "--dry-run", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, report["written"].as_array().unwrap().len()), (0, 2));
    assert_eq!(files(root.path()), before);
}

#[test]
fn in_place_the_originals_are_kept() {
    let root = project();
    fs::write(root.path().join("data/old.md"), "## intent:bye\n- bye\n").unwrap();
    assert_eq!(run(root.path(), &["convert", "--in-place"]).0, 0);
    let after = files(root.path());
    assert_eq!(after["domain.yml.bak"], DOMAIN);
    assert_eq!(after["data/nlu.yml.bak"], NLU);
    assert!(after["domain.yml"].contains("mappings:"));
    assert!(after["data/old.yml"].contains("- intent: bye\n"));
    assert!(after.contains_key("data/old.md.bak") && !after.contains_key("data/old.md"));
    let (code, text) = run(root.path(), &["convert", "--in-place"]);
    assert_eq!((code, text.as_str()), (0, "nothing to convert\n"));
    assert_eq!(files(root.path()), after);
}

#[test]
fn what_is_not_yaml_stops_it_all() {
    let root = project();
    fs::write(root.path().join("data/broken.yml"), "nlu: [1\n").unwrap();
    let before = files(root.path());
    let output = data(root.path(), &["convert"]);
    assert_eq!(output.status.code(), Some(65));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("E602") && said.contains("E004"), "{said}");
    assert_eq!(files(root.path()), before);
}

#[test]
fn rasas_own_forms_name_files_as_rasa_does() {
    let root = project();
    let arguments = [
        "convert", "nlu", "-f", "yaml", "--data", "data", "--out", "out",
    ];
    assert_eq!(run(root.path(), &arguments).0, 0);
    assert_eq!(run(root.path(), &["migrate"]).0, 0);
    let files = files(root.path());
    assert!(files["out/nlu_converted.yml"].starts_with("version: \"3.1\"\n"));
    assert!(files["new_domain.yml"].contains("mappings:"));
    assert_eq!(files["original_domain.yml"], DOMAIN);
    assert_eq!(files.len(), 5);
}

#[test]
fn nlu_data_are_split_with_rasas_flags() {
    let root = project();
    let arguments = [
        "split",
        "nlu",
        "-u",
        "data",
        "--training-fraction",
        "0.5",
        "--json",
    ];
    let (code, text) = run(root.path(), &arguments);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &report["training"], &report["test"]),
        (0, &1.into(), &1.into())
    );
    let files = files(root.path());
    assert!(files.contains_key("train_test_split/training_data.yml"));
    assert!(files.contains_key("train_test_split/test_data.yml"));
    assert_eq!(run(root.path(), &["split", "nlu"]).0, 65);
    assert_eq!(
        run(root.path(), &["split", "nlu", "--training-fraction", "2"]).0,
        64
    );
    assert_eq!(run(root.path(), &["split", "stories"]).0, 66);
}
