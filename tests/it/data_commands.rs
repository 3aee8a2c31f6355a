//! `data convert`, `data migrate` and `data split` on the command line.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use serde_json::Value;
use serde_json::json;
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
        "new/data/nlu.yml from data/nlu.yml\nnew/domain.yml from domain.yml\n"
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

#[cfg(unix)]
#[test]
fn in_place_a_name_may_be_as_long_as_the_disk_allows() {
    let root = project();
    // With what is added for the original, 255 bytes.
    let name = format!("{}.yml", "n".repeat(255 - ".yml.bak".len()));
    fs::rename(
        root.path().join("data/nlu.yml"),
        root.path().join("data").join(&name),
    )
    .unwrap();
    let (code, text) = run(root.path(), &["convert", "--in-place"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(files(root.path())[&format!("data/{name}.bak")], NLU);
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

/// Writes files below a new folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

const JSON: &str = r#"{"rasa_nlu_data": {"common_examples": [
    {"text": "see you", "intent": "bye"}, {"text": "so long", "intent": "bye"}]}}"#;

#[test]
fn a_project_is_found_wherever_it_is() {
    let root = folder(&[
        ("bot/domain.yml", DOMAIN),
        ("bot/data/nlu.yml", NLU),
        ("bot/data/bye.json", JSON),
    ]);
    let at = |arguments: &[&str]| {
        let arguments = [arguments, &["--project", "./bot"]].concat();
        run(root.path(), &arguments)
    };
    let said = "new/data/bye.yml from data/bye.json\nnew/data/nlu.yml from data/nlu.yml\n\
                new/domain.yml from domain.yml\n";
    assert_eq!(at(&["convert", "--out", "new"]), (0, said.to_owned()));
    assert_eq!(at(&["migrate"]).0, 0);
    assert_eq!(at(&["split", "nlu"]).0, 0);
    assert_eq!(at(&["convert", "--in-place"]).0, 0);
    let files = files(root.path());
    assert!(files["bot/new/data/bye.yml"].contains("- intent: bye\n"));
    assert_eq!(files["bot/data/bye.yml"], files["bot/new/data/bye.yml"]);
    assert_eq!(files["bot/original_domain.yml"], DOMAIN);
    assert!(files["bot/train_test_split/training_data.yml"].contains("bye"));
}

#[test]
fn files_of_one_name_are_numbered() {
    let root = folder(&[
        ("data/a/nlu.md", "## intent:a\n- a\n"),
        ("data/b/nlu.md", "## intent:b\n- b\n"),
    ]);
    assert_eq!(run(root.path(), &["convert", "nlu"]).0, 0);
    let files = files(root.path());
    assert!(files["converted_data/nlu_converted.yml"].contains("- intent: a\n"));
    assert!(files["converted_data/nlu_converted2.yml"].contains("- intent: b\n"));
}

#[test]
fn what_is_not_understood_is_not_converted() {
    let mistakes = [
        (
            "data/a.md",
            "## intent:a\n- a\n## intnet:bye\n- bye\n",
            "E320",
        ),
        (
            "data/a.json",
            r#"{"rasa_nlu_data": {"common_examples": [],}}"#,
            "E023",
        ),
        (
            "data/a.json",
            r#"{"rasa_nlu_data": {"common_examples": [{"text": "a", "intent": "a",
               "entities": [{"start": 5, "end": 9, "value": "a", "entity": "b"}]}]}}"#,
            "E323",
        ),
        (
            "data/a.json",
            r#"{"rasa_nlu_data": {"common_examples": [{"text": "a", "intent": 7}]}}"#,
            "E010",
        ),
    ];
    for (path, text, code) in mistakes {
        let root = folder(&[("domain.yml", DOMAIN), (path, text)]);
        let before = files(root.path());
        let output = data(root.path(), &["convert"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(said.contains("E602") && said.contains(code), "{said}");
        assert_eq!(files(root.path()), before);
    }
}

#[test]
fn configs_with_mistakes_that_conversion_mends_are_converted() {
    let config = "language: ${TABELLA_NOT_SET}\npolicies:\n- name: FormPolicy\n";
    let domain = "forms:\n  a_form:\n    required_slots: []\n";
    let root = folder(&[("config.yml", config), ("domain.yml", domain)]);
    assert_eq!(run(root.path(), &["convert"]).0, 0);
    let files = files(root.path());
    assert!(files["converted_data/config.yml"].contains("RulePolicy"));
}

const DIALOGFLOW: [(&str, &str); 3] = [
    ("data/bye.json", r#"{"name": "bye", "responses": []}"#),
    (
        "data/bye_usersays_de.json",
        r#"[{"data": [{"text": "bis bald"}]}]"#,
    ),
    ("data/none.json", r#"{"name": "none", "responses": []}"#),
];

#[test]
fn dialogflow_is_read_in_the_language_of_the_project() {
    let mut given = DIALOGFLOW.to_vec();
    given.push(("config.yml", "language: de\n"));
    let root = folder(&given);
    assert_eq!(run(root.path(), &["convert", "nlu"]).0, 0);
    let output = data(root.path(), &["convert", "--out", "whole"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("W329") && said.contains("none.json"),
        "{said}"
    );
    assert_eq!(run(root.path(), &["split", "nlu"]).0, 0);
    let files = files(root.path());
    assert!(files["converted_data/bye_converted.yml"].contains("- bis bald"));
    assert!(files["whole/data/bye.yml"].contains("- bis bald"));
    assert!(files["train_test_split/training_data.yml"].contains("- bis bald"));
    let written = files.keys().filter(|path| !path.starts_with("data/"));
    let written: Vec<&str> = written.map(String::as_str).collect();
    assert_eq!(
        written,
        [
            "config.yml",
            "converted_data/bye_converted.yml",
            "train_test_split/test_data.yml",
            "train_test_split/training_data.yml",
            "whole/config.yml",
            "whole/data/bye.yml",
        ]
    );
}

#[test]
fn the_language_can_be_named() {
    let root = folder(&DIALOGFLOW);
    assert_eq!(run(root.path(), &["convert", "nlu", "-l", "de"]).0, 0);
    assert!(files(root.path())["converted_data/bye_converted.yml"].contains("- bis bald"));
}

#[test]
fn what_is_written_anew_makes_room() {
    let root = folder(&[
        ("data/a.json", JSON),
        ("data/a.yml", NLU),
        ("data/b.md", "## intent:b\n- b\n"),
        ("data/b.yml", "version: \"3.1\"\nnlu: []\n"),
    ]);
    assert_eq!(run(root.path(), &["convert", "--in-place"]).0, 0);
    let files = files(root.path());
    assert!(files["data/a.yml"].contains("- intent: greet\n"));
    assert!(files["data/a_converted.yml"].contains("- intent: bye\n"));
    assert!(files["data/b_converted.yml"].contains("- intent: b\n"));
    assert_eq!(files["data/a.json.bak"], JSON);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let root = project();
    let pipe = root.path().join("config.yml");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let output = data(root.path(), &["convert"]);
    assert_eq!(output.status.code(), Some(65));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("E602") && said.contains("E031"), "{said}");
}

#[test]
fn a_dry_run_says_what_is_in_the_way() {
    let root = project();
    fs::create_dir(root.path().join("new")).unwrap();
    fs::write(root.path().join("new/domain.yml"), "mine").unwrap();
    let arguments = ["convert", "--out", "new", "--dry-run"];
    let output = data(root.path(), &arguments);
    assert_eq!(output.status.code(), Some(65));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("new/domain.yml` is there already"), "{said}");
}

#[test]
fn where_one_file_cannot_be_written_none_is_and_that_is_told() {
    let root = project();
    let long = format!("data/{}.yml", "z".repeat(248));
    fs::write(root.path().join(long), NLU).unwrap();
    let before = files(root.path());
    let (code, text) = run(root.path(), &["convert", "--in-place", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 74);
    assert_eq!(report["written"], json!([]));
    let error = report["error"].as_str().unwrap();
    assert!(error.starts_with("cannot write"), "{error}");
    assert!(error.contains("and nothing is changed"), "{error}");
    assert_eq!(files(root.path()), before);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let root = folder(&[("shared/domain.yml", DOMAIN), ("data/nlu.yml", NLU)]);
    let link = root.path().join("domain.yml");
    std::os::unix::fs::symlink("shared/domain.yml", &link).unwrap();
    assert_eq!(run(root.path(), &["convert", "--in-place"]).0, 0);
    assert!(link.is_symlink());
    let files = files(root.path());
    assert!(files["shared/domain.yml"].contains("mappings:"));
    assert_eq!(files["domain.yml.bak"], DOMAIN);
}

#[test]
fn what_is_read_is_not_written_into() {
    let root = project();
    let before = files(root.path());
    for out in ["data", "data/new/deep", "./data/../data/new"] {
        let output = data(root.path(), &["convert", "--out", out]);
        assert_eq!(output.status.code(), Some(65), "{out}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("would be read with `data`"), "{said}");
    }
    assert_eq!(files(root.path()), before);
}

#[test]
fn old_test_stories_are_not_forgotten() {
    let root = project();
    fs::create_dir(root.path().join("tests")).unwrap();
    let stories = "## a\n* greet: hello\n  - utter_greet\n";
    fs::write(root.path().join("tests/stories.md"), stories).unwrap();
    let output = data(root.path(), &["convert"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("data convert core --data tests"), "{said}");
    let arguments = ["convert", "core", "--data", "tests", "--out", "new"];
    assert_eq!(run(root.path(), &arguments).0, 0);
    let files = files(root.path());
    assert!(
        files["new/stories_converted.yml"].contains("- user:"),
        "{files:?}"
    );
}
