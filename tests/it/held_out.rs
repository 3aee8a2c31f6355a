//! Examples that are held out say when a training has learnt enough, and hidden words
//! can be learnt beside intents.

use std::fmt::Write as _;
use std::process::Output;

use serde_json::Value;
use tabella::archive::Limits;
use tabella::archive::unpack;

use crate::workbench::Workbench;
use crate::workbench::program;

const DOMAIN: &str = "\
version: \"3.1\"
intents: [book, greet, leave]
entities: [city]
responses:
  utter_greet: [{text: hi}]
";

/// A project whose network has these options beside its epochs.
fn bench(options: &str) -> Workbench {
    let mut nlu = "version: \"3.1\"\nnlu:\n".to_owned();
    for (intent, words) in [
        ("book", "fly ride travel go get"),
        ("greet", "hello morning hi hey dear"),
        ("leave", "bye later off ciao end"),
    ] {
        let _ = write!(nlu, "- intent: {intent}\n  examples: |\n");
        for word in words.split(' ') {
            let _ = writeln!(nlu, "    - {word} now\n    - please {word}");
            if intent == "book" {
                let _ = writeln!(nlu, "    - {word} to [Rome](city)");
            }
        }
    }
    let config = format!(
        "recipe: default.v1\nlanguage: en\npipeline:\n- name: WhitespaceTokenizer\n\
         - name: CountVectorsFeaturizer\n- name: DIETClassifier\n  epochs: 200\n  \
         transformer_size: 32\n  constrain_similarities: true\n{options}policies: []\n"
    );
    Workbench::new(&[
        ("config.yml", &config),
        ("domain.yml", DOMAIN),
        ("data/nlu.yml", &nlu),
    ])
}

fn train(bench: &Workbench) -> Output {
    let mut program = program(&bench.root(), bench.cache());
    let out = program.args(["train", "nlu", "--json-events", "-"]);
    out.output().unwrap()
}

/// Returns how many epochs were learnt, and the last thing told of one.
fn epochs(out: &Output) -> (u64, String) {
    let text = String::from_utf8_lossy(&out.stdout);
    let mut events = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let last = events.rfind(|event: &Value| event["event"] == "progress");
    let last = last.unwrap_or_else(|| panic!("{text}"));
    let told = last["text"].as_str().unwrap_or_default().to_owned();
    (last["done"].as_u64().unwrap(), told)
}

#[test]
fn training_ends_early_if_that_is_asked_for_and_the_model_answers() {
    let bench = bench("  evaluate_on_number_of_examples: 8\n  early_stopping: 10\n");
    let out = train(&bench);
    assert!(out.status.success(), "{out:?}");
    let (epochs, told) = epochs(&out);
    assert!((11..200).contains(&epochs), "{epochs}");
    assert!(
        told.contains("held out: accuracy ") && told.contains(" F1 "),
        "{told}"
    );
    let mut parse = program(&bench.root(), bench.cache());
    let out = parse.args(["parse", "hello now"]).output().unwrap();
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(answer["intent"]["name"], "greet", "{answer}");
}

#[test]
fn more_than_can_be_held_out_is_an_error_that_says_how_many_there_are() {
    let bench = bench("  evaluate_on_number_of_examples: 33\n");
    let out = train(&bench);
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(65), "{said}");
    let want = "option `evaluate_on_number_of_examples` of `DIETClassifier` cannot be used: of 35 \
                examples with 3 labels 3 to 31 can be held out";
    // Before anything trains, with its place.
    assert!(
        said.contains("config.yml:") && !said.contains("run "),
        "{said}"
    );
    assert!(said.contains(want), "{said}");
}

#[test]
fn words_are_hidden_while_training_and_the_model_answers() {
    for (options, is_hidden) in [("  use_masked_language_model: true\n", true), ("", false)] {
        let bench = bench(options);
        assert!(train(&bench).status.success());
        let mut parse = program(&bench.root(), bench.cache());
        let out = parse.args(["parse", "please fly"]).output().unwrap();
        let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(answer["intent"]["name"], "book", "{answer}");
        let archive = bench.archive();
        let model = unpack(&archive[..], archive.len() as u64, &Limits::default()).unwrap();
        let names = model.nlu.keys();
        let weights = names
            .clone()
            .find(|name| name.ends_with("weights.safetensors"));
        let weights = String::from_utf8_lossy(&model.nlu[weights.unwrap()]);
        assert_eq!(weights.contains("text/mask/vector"), is_hidden);
    }
}
