//! `command`: a program of the user's learns, gives features and answers; it runs
//! again when what it reads changes, and never because a model says so.
#![cfg(unix)]

use serde_json::Value;
use tabella::api::Assistant;
use tabella::api::cross_validate_nlu;
use tabella::nlu::Parse;

use crate::workbench::Workbench;
use crate::workbench::mistakes;
use crate::workbench::program;

pub const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: command
  run: [sh, finder.sh]
  reads: [words]
  does: [fit, transform, predict]
- name: SklearnIntentClassifier
policies:
- name: RulePolicy
";

/// Counts what it learns from, gives how long a text is as its feature, and finds
/// the first letter.
pub const FINDER: &str = r#"
count=0
while read -r line; do
  case "$line" in
  '{"do":"fit"'*)
    examples=${line##*\"examples\":}
    examples=${examples%%[!0-9]*}
    while [ "$count" -lt "$examples" ]; do
      read -r example
      count=$((count + 1))
    done
    echo "{\"learnt\": $count}" ;;
  '{"do":"load"'*)
    learnt=${line##*\"learnt\":}
    learnt=${learnt%%,*}
    learnt=${learnt%\}}
    case "$learnt" in *options*) echo '{"error": "no order"}'; exit ;; esac
    echo '{}' ;;
  '{"do":"transform"'*)
    echo "{\"sentence\": [${#line}, 1]}" ;;
  *)
    value=$(cat words/kind.txt)
    echo "{\"entities\": [{\"entity\": \"$value\", \"start\": 0, \"end\": 1, \"value\": $learnt}]}" ;;
  esac
done
"#;

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: short
  examples: |
    - yes
    - no
    - ok
- intent: long
  examples: |
    - a text that goes on and on and on and on
    - another one that does not come to an end soon
";

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        ("domain.yml", "version: \"3.1\"\nintents: [short, long]\n"),
        ("data/nlu.yml", NLU),
        ("finder.sh", FINDER),
        ("words/kind.txt", "letter"),
    ])
}

fn parsed(bench: &Workbench, text: &str) -> Parse {
    let mut assistant = Assistant::load(&bench.train().unwrap().model.unwrap()).unwrap();
    assistant.allow_commands(&bench.root());
    assistant.parse(text).unwrap()
}

#[test]
fn a_program_learns_and_gives_features_and_answers() {
    let bench = bench();
    let parse = parsed(
        &bench,
        "a text that is as long as those that it has learnt from",
    );
    assert_eq!(parse.warnings, [""; 0]);
    assert_eq!(parse.intent.name.as_deref(), Some("long"));
    let entity = serde_json::to_value(&parse.entities[0]).unwrap();
    assert_eq!(entity["entity"], "letter");
    assert_eq!(entity["value"], 5, "what it has learnt comes back");
    assert_eq!(entity["extractor"], "command");
    assert_eq!(parsed(&bench, "hm").intent.name.as_deref(), Some("short"));
    assert!(bench.archive() == bench.clean_archive());
}

#[test]
fn its_features_are_those_of_the_examples_that_a_fold_learns_from() {
    let done = cross_validate_nlu(&bench().folds(2), &|_, _| {}).unwrap();
    assert_eq!(done.spread.examples.len(), 2);
    assert!(done.tested.scores.examples > 0);
}

#[test]
fn it_runs_again_when_what_it_reads_changes() {
    let bench = bench();
    bench.train().unwrap();
    let (fit, rows) = ("nlu.1.command.fit", "nlu.1.command");
    bench.append("finder.sh", "# no more\n");
    // It gives the same, and what follows is spared.
    assert_eq!(bench.ran_of_pipeline(), [fit, rows]);
    bench.write("words/kind.txt", "sign");
    assert_eq!(bench.ran_of_pipeline(), [fit, rows]);
    bench.write("words/more.txt", "");
    assert_eq!(bench.ran_of_pipeline(), [fit, rows]);
    bench.replace("config.yml", "  does:", "  timeout: 30\n  does:");
    assert_eq!(bench.ran_of_pipeline(), [""; 0]);
    bench.replace("config.yml", "  does:", "  options: {a: 1}\n  does:");
    assert_eq!(bench.ran_of_pipeline(), [fit, rows]);
    let classifier = "nlu.2.SklearnIntentClassifier";
    bench.append(
        "data/nlu.yml",
        "    - one more of the long ones, which are long\n",
    );
    let all = bench.ran_of_pipeline();
    assert_eq!(all, ["nlu.0.WhitespaceTokenizer", fit, rows, classifier]);
}

#[test]
fn a_program_that_fails_fails_the_training_with_what_it_says() {
    let bench = bench();
    bench.write("finder.sh", "echo 'cannot count' >&2\nexit 4\n");
    let told = format!("{:?}", bench.train().unwrap_err());
    for part in ["config.yml:5", "exit status: 4", "cannot count"] {
        assert!(told.contains(part), "{told}");
    }
    bench.write("finder.sh", "exec sleep 1000\n");
    bench.replace("config.yml", "  does:", "  timeout: 0.3\n  does:");
    let told = format!("{:?}", bench.train().unwrap_err());
    assert!(told.contains("no answer in 0.3 s"), "{told}");
}

#[test]
fn a_program_that_fails_on_a_message_is_warned_of_and_started_anew() {
    let bench = bench();
    let model = bench.train().unwrap().model.unwrap();
    let mut assistant = Assistant::load(&model).unwrap();
    assistant.allow_commands(&bench.root());
    bench.write("finder.sh", "echo 'not today' >&2\nexit 4\n");
    let parse = assistant.parse("hm").unwrap();
    assert!(parse.entities.is_empty());
    assert!(
        parse.warnings[0].contains("not today"),
        "{:?}",
        parse.warnings
    );
    bench.write("finder.sh", FINDER);
    assert_eq!(assistant.parse("hm").unwrap().entities.len(), 1);
}

#[test]
fn a_model_runs_nothing_unless_that_is_asked_for() {
    let bench = bench();
    bench.train().unwrap();
    let root = bench.root();
    let run = |arguments: &[&str]| {
        let mut parse = program(&root, bench.cache());
        parse.env("PATH", "/usr/bin:/bin").args(arguments);
        let output = parse.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let (out, told) = run(&["parse", "hm", "yes"]);
    let parse: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!(parse["entities"].as_array().unwrap().len(), 0);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("`--run-commands` allows it"), "{told}");
    let (out, told) = run(&["parse", "--run-commands", "hm"]);
    assert_eq!(told, "");
    let parse: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(parse["entities"][0]["value"], 5);
}

#[test]
fn what_cannot_be_run_is_told_before_anything_trains() {
    let bench = bench();
    bench.remove("words");
    assert_eq!(
        mistakes(&bench.train().unwrap_err()),
        "E107 config.yml:7:10: option `reads` of `command` cannot be used: there is no file \
         `words`, and no folder with files"
    );
    bench.replace(
        "config.yml",
        "  run: [sh, finder.sh]\n  reads: [words]\n",
        "",
    );
    let told = mistakes(&bench.train().unwrap_err());
    assert!(told.contains("option `run` of `command`"), "{told}");
    bench.replace("config.yml", "- name: WhitespaceTokenizer\n", "");
    let told = mistakes(&bench.train().unwrap_err());
    assert!(
        told.contains("`command` needs a tokenizer before it"),
        "{told}"
    );
}
