//! `tabella exec`: one step at a time, on declared files, gives what a training
//! gives, and each step reads what it must and nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Output;

use tabella::api;

use crate::workbench::Workbench;

const CONFIG: &str = "\
recipe: default.v1
assistant_id: exec
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: CountVectorsFeaturizer
- name: LogisticRegressionClassifier
- name: RegexEntityExtractor
- name: EntitySynonymMapper
policies:
- name: MemoizationPolicy
- name: RulePolicy
";

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet, order]
entities: [dish, drink]
slots:
  dish:
    type: text
    mappings:
    - type: from_entity
      entity: dish
responses:
  utter_greet:
  - text: Hi
  utter_ordered:
  - text: One {dish}
session_config:
  session_expiration_time: 60
  carry_over_slots_to_new_session: true
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hi
    - hello there
- intent: order
  examples: |
    - a [pizza](dish) please
    - I want [pasta](dish)
- regex: drink
  examples: |
    - tea|coffee
- synonym: pizza
  examples: |
    - margherita
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: order
  steps:
  - intent: order
    entities:
    - dish: pizza
  - slot_was_set:
    - dish: pizza
  - action: utter_ordered
rules:
- rule: greet
  steps:
  - intent: greet
  - action: utter_greet
";

const FILES: [(&str, &str); 4] = [
    ("bot/config.yml", CONFIG),
    ("bot/domain.yml", DOMAIN),
    ("bot/data/nlu.yml", NLU),
    ("bot/data/stories.yml", STORIES),
];

/// Runs `tabella exec` with nothing of this process's surroundings.
fn exec(bench: &Workbench, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tabella"))
        .env_clear()
        .current_dir(bench.root())
        .arg("exec")
        .args(words)
        .output()
        .unwrap()
}

#[track_caller]
fn must(bench: &Workbench, words: &[&str]) {
    let output = exec(bench, words);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}\n{text}");
    assert_eq!(output.stdout, b"", "a build tool shows what is printed");
}

#[track_caller]
fn refused(bench: &Workbench, words: &[&str], code: i32, text: &str) {
    let output = exec(bench, words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}\n{said}");
    assert!(said.contains(text), "{words:?}\n{said}");
}

const IMPORT: [&str; 16] = [
    "import",
    "--project",
    "bot",
    "--config",
    "bot/config.yml",
    "--domain",
    "bot/domain.yml",
    "--data",
    "bot/data/nlu.yml",
    "bot/data/stories.yml",
    "--nlu-portion",
    "nlu.portion",
    "--core-portion",
    "core.portion",
    "--package-portion",
    "package.portion",
];

fn import(bench: &Workbench) {
    must(bench, &IMPORT);
}

fn train(bench: &Workbench, half: &str) {
    let portion = format!("{half}.portion");
    let results = format!("{half}.results");
    must(bench, &["train", "--portion", &portion, "--out", &results]);
}

const PACKAGE: [&str; 8] = [
    "package",
    "--portion",
    "package.portion",
    "--results",
    "nlu.results",
    "core.results",
    "--out",
    "model.tar.gz",
];

/// All steps; returns every file they made.
fn all_steps(bench: &Workbench) -> BTreeMap<String, Vec<u8>> {
    import(bench);
    train(bench, "nlu");
    train(bench, "core");
    must(bench, &PACKAGE);
    made(&bench.root())
}

fn made(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let names = [
        "nlu.portion",
        "core.portion",
        "package.portion",
        "nlu.results",
        "core.results",
        "model.tar.gz",
    ];
    let file = |name: &str| (name.to_owned(), fs::read(root.join(name)).unwrap());
    names.map(file).into()
}

/// The files that differ.
fn changed(old: &BTreeMap<String, Vec<u8>>, new: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let differs = |name: &&String| old[*name] != new[*name];
    old.keys().filter(differs).cloned().collect()
}

/// What a training without a cache makes of the same files.
fn trained(bench: &Workbench) -> Vec<u8> {
    let mut options = bench.options();
    options.run.project = bench.root().join("bot");
    options.run.cache = api::CacheSettings::Off;
    options.fixed_model_name = Some("whole".to_owned());
    let model = api::train(&options).unwrap().model.unwrap();
    fs::read(model).unwrap()
}

#[test]
fn the_steps_make_the_archive_of_a_training_to_the_byte_and_themselves_again() {
    let bench = Workbench::new(&FILES);
    let first = all_steps(&bench);
    assert_eq!(first["model.tar.gz"], trained(&bench));

    let elsewhere = Workbench::new(&FILES);
    let second = all_steps(&elsewhere);
    assert_eq!(changed(&first, &second), [""; 0]);
}

#[test]
fn an_edit_changes_the_portions_of_the_steps_that_could_notice_it() {
    let edits: [(&str, &str, &str, &[&str]); 10] = [
        // An example: Core never runs.
        (
            "bot/data/nlu.yml",
            "    - hi\n",
            "    - hi\n    - hey\n",
            &["nlu.portion", "package.portion"],
        ),
        // The text of a response: nothing trains.
        (
            "bot/domain.yml",
            "text: Hi",
            "text: Good day",
            &["package.portion"],
        ),
        // A story: NLU never runs.
        (
            "bot/data/stories.yml",
            "  - action: utter_ordered\n",
            "  - action: utter_ordered\n  - action: utter_greet\n",
            &["core.portion", "package.portion"],
        ),
        // Session settings are read when the bot runs.
        (
            "bot/domain.yml",
            "session_expiration_time: 60",
            "session_expiration_time: 30",
            &["package.portion"],
        ),
        // Comments and empty lines move everything below them.
        (
            "bot/data/nlu.yml",
            "nlu:\n",
            "# all that people say\n\nnlu:\n",
            &[],
        ),
        // The name of a story has no meaning.
        (
            "bot/data/stories.yml",
            "story: order",
            "story: ordering a dish",
            &[],
        ),
        // An option of a policy.
        (
            "bot/config.yml",
            "- name: MemoizationPolicy",
            "- name: MemoizationPolicy\n  max_history: 3",
            &["core.portion", "package.portion"],
        ),
        // An option of a component.
        (
            "bot/config.yml",
            "- name: CountVectorsFeaturizer",
            "- name: CountVectorsFeaturizer\n  max_ngram: 2",
            &["nlu.portion", "package.portion"],
        ),
        // The language is in the archive, and no component learns from it.
        (
            "bot/config.yml",
            "language: en",
            "language: de",
            &["package.portion"],
        ),
        // An entity type that only a story knows: an extractor may know it too.
        (
            "bot/data/stories.yml",
            "    - dish: pizza\n  - slot",
            "    - dish: pizza\n    - drink: tea\n  - slot",
            &["core.portion", "nlu.portion", "package.portion"],
        ),
    ];
    for (file, old, new, expected) in edits {
        let bench = Workbench::new(&FILES);
        let before = all_steps(&bench);
        bench.replace(file, old, new);
        let after = all_steps(&bench);
        let mut portions = changed(&before, &after);
        portions.retain(|name| name.ends_with(".portion"));
        assert_eq!(portions, expected, "{new}");
        assert_eq!(after["model.tar.gz"], trained(&bench), "{new}");
    }
}

#[test]
fn one_task_runs_from_the_results_of_those_above_it() {
    let bench = Workbench::new(&FILES);
    let whole = all_steps(&bench);
    let tasks = [
        "nlu.0.WhitespaceTokenizer",
        "nlu.1.RegexFeaturizer",
        "nlu.2.CountVectorsFeaturizer",
        "nlu.3.LogisticRegressionClassifier",
    ];
    let graph = api::keys(&options(&bench), "nlu.*").unwrap();
    let mut above: Vec<String> = Vec::new();
    let mut ran = 0;
    for task in graph.iter().map(|key| key.task.clone()) {
        let out = format!("{ran}.results");
        let mut words = vec!["train", "--portion", "nlu.portion", "--task", &task];
        if !above.is_empty() {
            words.push("--results");
            words.extend(above.iter().map(String::as_str));
        }
        words.extend(["--out", &out]);
        must(&bench, &words);
        above.push(out.clone());
        ran += 1;
    }
    assert!(ran >= tasks.len(), "{ran} tasks");
    let mut words = vec!["package", "--portion", "package.portion", "--results"];
    words.extend(above.iter().map(String::as_str));
    words.extend(["core.results", "--out", "pieces.tar.gz"]);
    must(&bench, &words);
    let pieces = fs::read(bench.root().join("pieces.tar.gz")).unwrap();
    assert_eq!(pieces, whole["model.tar.gz"]);

    refused(
        &bench,
        &[
            "train",
            "--portion",
            "nlu.portion",
            "--task",
            tasks[3],
            "--out",
            "x",
        ],
        65,
        "there is no result of",
    );
    refused(
        &bench,
        &[
            "train",
            "--portion",
            "nlu.portion",
            "--task",
            "nlu.9.X",
            "--out",
            "x",
        ],
        64,
        "there is no task `nlu.9.X`",
    );
}

fn options(bench: &Workbench) -> api::TrainOptions {
    let mut options = bench.options();
    options.run.project = bench.root().join("bot");
    options
}

#[test]
fn half_a_project_gives_half_an_archive() {
    let nlu_only = Workbench::new(&FILES);
    nlu_only.write("bot/data/stories.yml", "version: \"3.1\"\n");
    let steps = all_steps(&nlu_only);
    assert_eq!(steps["model.tar.gz"], trained(&nlu_only));

    let core_only = Workbench::new(&FILES);
    core_only.write("bot/data/nlu.yml", "version: \"3.1\"\n");
    let steps = all_steps(&core_only);
    assert_eq!(steps["model.tar.gz"], trained(&core_only));
}

#[test]
fn files_of_another_project_or_step_are_refused_and_nothing_is_written() {
    let bench = Workbench::new(&FILES);
    all_steps(&bench);
    fs::remove_file(bench.root().join("model.tar.gz")).unwrap();

    // Results that are older than the project.
    bench.replace("bot/data/nlu.yml", "    - hi\n", "    - hi\n    - hey\n");
    import(&bench);
    refused(&bench, &PACKAGE, 65, "there is no result of `nlu.");
    assert!(!bench.root().join("model.tar.gz").exists());

    // Nothing of others is written over, which is told before anything trains.
    let config = bench.read("bot/config.yml");
    let mut import = IMPORT;
    import[import.len() - 1] = "bot/config.yml";
    let train = [
        "train",
        "--portion",
        "nlu.portion",
        "--out",
        "bot/config.yml",
    ];
    let mut package = PACKAGE;
    package[package.len() - 1] = "nlu.portion";
    refused(
        &bench,
        &import,
        65,
        "`bot/config.yml` is there and is nothing that this step writes",
    );
    refused(
        &bench,
        &train,
        65,
        "not a cache export, so it is not replaced",
    );
    refused(
        &bench,
        &package,
        65,
        "`nlu.portion` is there and is nothing that this step writes",
    );
    assert_eq!(bench.read("bot/config.yml"), config);
    let nowhere = ["train", "--portion", "nlu.portion", "--out", "no/folder/x"];
    refused(&bench, &nowhere, 74, "no/folder/x");

    let portion = |name: &str| ["train", "--portion", name, "--out", "x"].map(str::to_owned);
    for (name, code, text) in [
        ("package.portion", 65, "is for another step"),
        (
            "bot/config.yml",
            65,
            "is not what `tabella exec import` writes",
        ),
        ("missing.portion", 66, "cannot read `missing.portion`"),
    ] {
        let words = portion(name);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refused(&bench, &words, code, text);
        assert!(!bench.root().join("x").exists());
    }
    let newer = bench.read("nlu.portion").replacen(":1,", ":2,", 1);
    bench.write("newer.portion", &newer);
    let words = portion("newer.portion");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    refused(&bench, &words, 65, "has format 2, and this program reads 1");

    // Results that were changed on the way.
    let path = bench.root().join("nlu.results");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    refused(&bench, &PACKAGE, 65, "nlu.results");
}

#[test]
fn mistakes_are_told_with_their_place_before_anything_trains() {
    let bench = Workbench::new(&FILES);
    bench.replace("bot/data/stories.yml", "utter_ordered\n", "utter_orderd\n");
    let words = [
        "import",
        "--project",
        "bot",
        "--config",
        "bot/config.yml",
        "--domain",
        "bot/domain.yml",
        "--data",
        "bot/data",
        "--fail-on-validation-warnings",
        "--nlu-portion",
        "n",
        "--core-portion",
        "c",
        "--package-portion",
        "p",
    ];
    refused(&bench, &words, 65, "data/stories.yml:10:");
    assert!(!bench.root().join("n").exists());
}
