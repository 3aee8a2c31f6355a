//! How good a model is: report files, gates, folds.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use serde_json::Value;
use serde_json::json;
use tabella::api;

use crate::json_schema::Schema;
use crate::workbench::Workbench;
use crate::workbench::program;

const CONFIG: &str = "\
recipe: default.v1
assistant_id: test
language: en
pipeline:
- name: WhitespaceTokenizer
- name: KeywordIntentClassifier
- name: RegexEntityExtractor
- name: FallbackClassifier
  threshold: 0.5
policies: []
";

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet, bye, order, out_of_scope]
entities: [dish, size]
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hi
    - hello
- intent: bye
  examples: |
    - bye
    - good night
- intent: order
  examples: |
    - i want [pizza](dish)
    - bring [pasta](dish)
- lookup: dish
  examples: |
    - pizza
    - soup
";

/// Two messages of `order` are one dish too many and a size that nobody learned;
/// one of `bye` is taken for `greet`, one of `greet` for nothing.
const TEST: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hi you
    - what a day
- intent: bye
  examples: |
    - bye bye
    - hi i mean so long
- intent: order
  examples: |
    - i want pizza and [soup](dish)
    - bring pasta [large](size)
- intent: out_of_scope
  examples: |
    - tell a joke
";

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", DOMAIN),
        ("data/nlu.yml", NLU),
        ("tests/nlu.yml", TEST),
    ])
}

fn trained() -> Workbench {
    let bench = bench();
    assert_eq!(run(&bench, &["train", "nlu"]).status.code(), Some(0));
    bench
}

fn run(bench: &Workbench, arguments: &[&str]) -> Output {
    let mut command = program(&bench.root(), bench.cache());
    command.args(arguments).output().unwrap()
}

fn test(bench: &Workbench, more: &[&str]) -> (i32, String, String) {
    let test = ["test", "nlu", "--nlu", "tests/nlu.yml"];
    let output = run(bench, &[&test[..], more].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn file(bench: &Workbench, name: &str) -> Value {
    let text = fs::read_to_string(bench.root().join("results").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn files(bench: &Workbench) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(bench.root().join("results")) else {
        return BTreeSet::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn intents_are_reported_as_rasa_does() {
    let bench = trained();
    let (code, _, told) = test(&bench, &["--successes"]);
    assert_eq!(code, 0, "{told}");
    let report = file(&bench, "intent_report.json");
    let greet = json!({
        "precision": 0.5, "recall": 0.5, "f1-score": 0.5, "support": 2,
        "confused_with": {"nlu_fallback": 1},
    });
    assert_eq!(report["greet"], greet);
    assert_eq!(report["bye"]["confused_with"], json!({"greet": 1}));
    assert_eq!(report["accuracy"], 4.0 / 7.0);
    assert_eq!(report["weighted avg"]["support"], 7);
    let labels: Vec<&String> = report.as_object().unwrap().keys().collect();
    let expected = [
        "accuracy",
        "bye",
        "greet",
        "macro avg",
        "micro avg",
        "order",
        "out_of_scope",
        "weighted avg",
    ];
    assert_eq!(labels, expected);
    let errors = file(&bench, "intent_errors.json");
    let wrong = json!({
        "text": "hi i mean so long",
        "intent": "bye",
        "intent_prediction": {"name": "greet", "confidence": 1.0},
    });
    assert!(errors.as_array().unwrap().contains(&wrong), "{errors:#}");
    assert_eq!(errors.as_array().unwrap().len(), 3);
    let right = file(&bench, "intent_successes.json");
    assert_eq!(right.as_array().unwrap().len(), 4);
}

#[test]
fn entities_are_reported_for_each_extractor_token_by_token() {
    let bench = trained();
    test(&bench, &["--successes"]);
    let report = file(&bench, "RegexEntityExtractor_report.json");
    let dish = json!({
        "precision": 0.5, "recall": 1.0, "f1-score": 2.0 / 3.0, "support": 1, "confused_with": {},
    });
    assert_eq!(report["dish"], dish);
    // The label of a token without entity is predicted rightly, too.
    assert_eq!(report["accuracy"], 21.0 / 23.0);
    assert_eq!(report["size"]["recall"], 0.0);
    // A message that is partly right is among both.
    let told = |name: &str| -> Vec<String> {
        let file = file(&bench, &format!("RegexEntityExtractor_{name}.json"));
        let entries = file.as_array().unwrap().iter();
        entries
            .map(|entry| entry["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(told("successes"), ["i want pizza and soup"]);
    assert_eq!(told("errors").len(), 2);
    let entry = &file(&bench, "RegexEntityExtractor_successes.json")[0];
    let soup = json!({"start": 17, "end": 21, "value": "soup", "entity": "dish"});
    assert_eq!(entry["entities"], json!([soup]));
    assert_eq!(entry["predicted_entities"].as_array().unwrap().len(), 2);
}

#[test]
fn flags_say_which_files_are_written() {
    let bench = trained();
    test(&bench, &["--no-reports"]);
    assert!(files(&bench).is_empty());
    test(&bench, &["--no-plot", "--no-errors"]);
    let reports = ["RegexEntityExtractor_report.json", "intent_report.json"];
    assert_eq!(files(&bench), reports.map(str::to_owned).into());
    test(&bench, &[]);
    let pictures = files(&bench)
        .into_iter()
        .filter(|name| !name.ends_with(".json"));
    let pictures: Vec<String> = pictures.collect();
    let expected = [
        "RegexEntityExtractor_confusion_matrix.png",
        "RegexEntityExtractor_confusion_matrix.svg",
        "RegexEntityExtractor_histogram.png",
        "RegexEntityExtractor_histogram.svg",
        "intent_confusion_matrix.png",
        "intent_confusion_matrix.svg",
        "intent_histogram.png",
        "intent_histogram.svg",
    ];
    assert_eq!(pictures, expected);
    let (_, _, told) = test(&bench, &["--out", "config.yml"]);
    assert!(told.contains("error: cannot write `config.yml`"), "{told}");
}

#[test]
fn what_is_told_is_as_its_schema_says() {
    let bench = trained();
    let schema = Schema::open("nlu-test.schema.json");
    let (code, told, _) = test(&bench, &["--json", "--gate", "intent.accuracy>=0.9"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(schema.refusal(&told), None, "{told:#}");
    assert_eq!(code, 10);
    // The keywords are sure of themselves, and nothing is no confidence at all.
    assert_eq!(told["calibration"]["bins"].as_array().unwrap().len(), 2);
    let beyond = json!({"messages": 1, "recall": 1.0, "false_alarms": 1.0 / 6.0});
    assert_eq!(told["out_of_scope"], beyond);
    let flags = [
        "--json",
        "--cross-validation",
        "--folds",
        "2",
        "--nlu",
        "data",
    ];
    let told = run(&bench, &[&["test", "nlu"], &flags[..]].concat());
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(schema.refusal(&told), None, "{told:#}");
}

#[test]
fn a_gate_that_is_not_met_ends_with_a_code_of_its_own() {
    let bench = trained();
    let gate = |more: &[&str]| test(&bench, &[&["--no-reports"], more].concat());
    let (code, text, _) = gate(&["--gate", "intent.accuracy>=0.5"]);
    assert_eq!(code, 0);
    assert!(
        text.ends_with("  gate intent.accuracy>=0.5: met (0.5714)\n"),
        "{text}"
    );
    let both = [
        "--gate",
        "intent.accuracy>=0.5",
        "--gate",
        "entity.micro_f1>=0.9",
    ];
    let (code, text, _) = gate(&both);
    assert_eq!(code, 10);
    assert!(
        text.contains("gate entity.micro_f1>=0.9: NOT MET"),
        "{text}"
    );

    // Against a model that knows more.
    let old = fs::read_dir(bench.root().join("models")).unwrap();
    let old = old.map(|entry| entry.unwrap().path());
    let old = old.filter(|path| path.extension().is_some_and(|end| end == "gz"));
    let old = old.last().unwrap();
    fs::rename(&old, bench.root().join("old.tar.gz")).unwrap();
    bench.replace(
        "data/nlu.yml",
        "    - hello\n",
        "    - hello\n    - what a day\n",
    );
    assert_eq!(run(&bench, &["train", "nlu"]).status.code(), Some(0));
    let drop = [
        "--gate",
        "intent.accuracy.drop<=0",
        "--against",
        "old.tar.gz",
    ];
    assert_eq!(gate(&drop).0, 0);
    let reverse = [
        &drop[..2],
        &["--model", "old.tar.gz", "--against", "models"],
    ]
    .concat();
    assert_eq!(gate(&reverse).0, 10);
}

#[test]
fn reports_of_an_earlier_test_do_not_stay() {
    let bench = trained();
    test(&bench, &["--successes"]);
    assert!(files(&bench).contains("intent_successes.json"));
    bench.write("results/notes.txt", "mine");
    test(&bench, &["--no-plot"]);
    let reports = [
        "RegexEntityExtractor_errors.json",
        "RegexEntityExtractor_report.json",
        "intent_errors.json",
        "intent_report.json",
        "notes.txt",
    ];
    assert_eq!(files(&bench), reports.map(str::to_owned).into());
}

#[test]
fn parts_without_messages_are_neither_trained_nor_counted() {
    let bench = bench();
    let done = folds(&bench, 40);
    assert_eq!(done.tested.scores.examples, 6);
    assert!(done.spread.examples.len() <= 6 && !done.spread.examples.contains(&0));
    bench.write(
        "data/nlu.yml",
        "nlu:\n- intent: greet\n  examples: |\n    - hi\n- intent: bye\n  examples: |\n    - bye\n",
    );
    let output = run(&bench, &["test", "nlu", "--cross-validation"]);
    assert_eq!(output.status.code(), Some(66));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("each message is the only one of its intent"),
        "{told}"
    );
}

#[test]
fn a_mistake_in_the_command_is_told_before_anything_is_trained() {
    let bench = bench();
    for flags in [
        ["--gate", "intent.acuracy>=1"],
        ["--against", "nowhere.tar.gz"],
    ] {
        let all = [&["test", "nlu", "--cross-validation"], &flags[..]].concat();
        let output = run(&bench, &all);
        assert!(matches!(output.status.code(), Some(64 | 66)), "{output:?}");
        assert!(!bench.cache().exists());
    }
}

#[test]
fn a_gate_that_says_nothing_is_a_mistake_in_the_command() {
    let bench = trained();
    let refused = |gate: &str| {
        let (code, _, told) = test(&bench, &["--no-reports", "--gate", gate]);
        assert_eq!(code, 64, "{told}");
        told
    };
    assert!(refused("intent.accuracy>0.9").contains("is no gate: write SCORE>=NUMBER"));
    assert!(refused("intents.accuracy>=0.9").contains("there is no score `intents.accuracy`"));
    assert!(refused("intent.accuracy.drop<=0").contains("name it with --against"));
}

/// Folds of a bot that learns in no time, with a cache.
fn folds(bench: &Workbench, count: usize) -> api::CrossValidated {
    api::cross_validate_nlu(&bench.folds(count), &|_, _| {}).unwrap()
}

fn results(bench: &Workbench) -> u64 {
    let stats = api::cache_stats(&bench.options().run).unwrap();
    let stats = serde_json::to_value(stats).unwrap();
    stats["results"].as_u64().unwrap()
}

#[test]
fn every_message_is_tested_once_with_a_model_that_has_not_seen_it() {
    let bench = bench();
    let done = folds(&bench, 3);
    // No keyword of a message is its own, and none contains another.
    assert_eq!((done.tested.scores.examples, done.untested), (6, 0));
    assert_eq!(done.tested.scores.intent.accuracy, 0.0);
    assert_eq!(done.spread.examples.iter().sum::<usize>(), 6);
    let mut texts: Vec<&str> = done
        .tested
        .answers
        .messages
        .iter()
        .map(|a| a.text.as_str())
        .collect();
    texts.sort_unstable();
    let all = [
        "bring pasta",
        "bye",
        "good night",
        "hello",
        "hi",
        "i want pizza",
    ];
    assert_eq!(texts, all);
    bench.append(
        "data/nlu.yml",
        "- intent: alone\n  examples: |\n    - one of a kind\n",
    );
    assert_eq!(folds(&bench, 3).untested, 1);
}

#[test]
fn folds_are_kept_in_the_cache_and_one_more_example_spares_its_own() {
    let bench = bench();
    // Enough that not all of them are in one fold.
    let more = "    - hello\n    - good day\n    - hey you\n    - how are things\n";
    bench.replace("data/nlu.yml", "    - hello\n", more);
    let first = folds(&bench, 3);
    let kept = results(&bench);
    let second = folds(&bench, 3);
    assert_eq!(results(&bench), kept);
    let answers = |done: &api::CrossValidated| format!("{:?}", done.tested.answers);
    assert_eq!(answers(&second), answers(&first));
    // The fold that the new text is tested in learns from what it did before.
    bench.replace(
        "data/nlu.yml",
        "    - hello\n",
        "    - hello\n    - hello there\n",
    );
    let third = folds(&bench, 3);
    assert_eq!(
        third.tested.scores.examples,
        first.tested.scores.examples + 1
    );
    // Tokens of all, each fold's choice of them, and what the two others learn and pack.
    assert_eq!(results(&bench) - kept, 1 + 3 + 2 * 2);
}
