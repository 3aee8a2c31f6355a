//! `data split`: nothing is lost, and what is added moves nothing.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use expect_test::expect;
use proptest::prelude::*;
use tabella::convert::Split;
use tabella::convert::SplitOptions;
use tabella::convert::split_nlu;
use tabella::convert::split_stories;
use tabella::data::Example;
use tabella::data::NluData;
use tabella::import::Sources;
use tabella::import::import_nlu_files;

fn sources(files: &[(String, String)]) -> (tempfile::TempDir, Sources) {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join("data").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let sources = Sources {
        root: root.path().to_owned(),
        data: vec!["data".into()],
        ..Sources::default()
    };
    (root, sources)
}

fn files(files: &[(&str, &str)]) -> Vec<(String, String)> {
    let files = files.iter();
    files
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

/// Reads a part with the reader of training data.
fn read(split: &Split, names: &[&str]) -> NluData {
    let there = split
        .files
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()));
    let (root, _) = sources(&there.cloned().collect::<Vec<_>>());
    let imported = import_nlu_files(root.path(), &["data".into()]).unwrap();
    assert_eq!(
        imported
            .diagnostics
            .iter()
            .filter(|d| d.code.starts_with('E'))
            .count(),
        0
    );
    imported.project.nlu
}

const DATA: &str = "\
version: '3.1'
nlu:
- intent: greet
  metadata: {tone: kind}
  examples: |
    - hello
    - good day
    - hey
- intent: order
  examples:
  - text: a [pizza](dish:Pizza)
    metadata: {from: web}
  - text: 'two [calzone]{\"entity\": \"dish\"} please'
  - text: the usual
- intent: faq/hours
  examples: |
    - open today?
    - when do you open
- intent: once
  examples: |
    - only this
- synonym: Pizza
  examples: |
    - pizze
- regex: zip
  examples: |
    - \\d{5}
- lookup: dish
  examples: |
    - pizza
    - calzone
responses:
  utter_faq/hours:
  - text: At nine.
  utter_greet:
  - text: Hi
";

#[test]
fn both_parts_hold_what_they_need() {
    let (_root, sources) = sources(&files(&[("nlu.yml", DATA)]));
    let split = split_nlu(&sources, &SplitOptions::default()).unwrap();
    assert_eq!(split.diagnostics, []);
    let shown: Vec<String> = split
        .files
        .iter()
        .map(|(name, text)| format!("# {name}\n{text}"))
        .collect();
    expect![[r##"
        # training_data.yml
        version: "3.1"

        nlu:
        - intent: faq/hours
          examples: |
            - when do you open

        - intent: greet
          metadata:
            tone: kind
          examples: |
            - hello
            - hey

        - intent: once
          examples: |
            - only this

        - intent: order
          examples:
          - text: "a [pizza](dish:Pizza)"
            metadata:
              from: web
          - text: the usual

        - synonym: Pizza
          examples: |
            - pizze

        - regex: zip
          examples: |
            - \d{5}

        - lookup: dish
          examples: |
            - pizza
            - calzone

        # test_data.yml
        version: "3.1"

        nlu:
        - intent: faq/hours
          examples: |
            - open today?

        - intent: greet
          metadata:
            tone: kind
          examples: |
            - good day

        - intent: order
          examples: |
            - two [calzone]{"entity": "dish"} please

        # nlg_training_data.yml
        version: "3.1"

        responses:
          utter_faq/hours:
          - text: At nine.

        # nlg_test_data.yml
        version: "3.1"

        responses:
          utter_faq/hours:
          - text: At nine.
    "##]]
    .assert_eq(&shown.join("\n"));
    assert_eq!((split.training_count, split.test_count), (6, 3));
}

#[test]
fn stories_are_split_by_their_steps_and_rules_train() {
    let stories = "\
stories:
- story: a
  steps: [{intent: a}, {action: utter_a}]
- story: b
  steps: [{intent: b}, {action: utter_b}]
- story: c
  steps: [{intent: c}, {action: utter_c}]
- story: joined
  steps: [{checkpoint: x}, {action: utter_c}]
rules:
- rule: r
  steps: [{intent: r}, {action: utter_r}]
";
    let names = |text: &str| -> BTreeSet<String> {
        let names = text
            .lines()
            .filter_map(|line| line.strip_prefix("- story: "));
        names.map(str::to_owned).collect()
    };
    let split = |text: &str| {
        let (_root, sources) = sources(&files(&[("stories.yml", text)]));
        split_stories(&sources, &SplitOptions::default()).unwrap()
    };
    let first = split(stories);
    let [training, test] = [0, 1].map(|at| names(&first.files[at].1));
    assert!(training.contains("joined"));
    assert!(first.files[0].1.contains("- rule: r"));
    assert!(!test.is_empty() && training.is_disjoint(&test));
    assert_eq!(training.len() + test.len(), 4);
    let renamed = split(&stories.replace("story: b", "story: z"));
    let test_renamed = names(&renamed.files[1].1);
    let as_before = |name: &String| {
        if name == "b" {
            "z".to_owned()
        } else {
            name.clone()
        }
    };
    assert_eq!(test_renamed, test.iter().map(as_before).collect());
}

#[test]
fn a_markdown_file_is_split_like_yaml() {
    let yaml =
        "nlu:\n- intent: greet\n  examples: |\n    - hello\n    - good [day](time)\n    - hey\n";
    let markdown = "## intent:greet\n- hey\n<!-- kind -->\n- good [day](time)\n* hello\n";
    let split = |name: &str, text: &str| {
        let (_root, sources) = sources(&files(&[(name, text)]));
        split_nlu(&sources, &SplitOptions::default()).unwrap().files
    };
    assert_eq!(split("nlu.yml", yaml), split("nlu.md", markdown));
}

/// Intents with texts, as a person could have them.
#[test]
fn what_yaml_cannot_say_is_in_json_in_both_parts() {
    let message = |text: &str, intent: &str| {
        format!(r#"{{"text": "{text}", "intent": "{intent}", "entities": []}}"#)
    };
    let mut messages: Vec<String> = (0..40)
        .map(|n| message(&format!("a [b](c) literal {n}"), "a"))
        .collect();
    messages.extend((0..40).map(|n| message(&format!("plain {n}"), "a")));
    messages.extend((0..20).map(|n| format!(r#"{{"text": "of nothing {n}"}}"#)));
    messages.push(message("only [this](one)", "faq/once"));
    let json = format!(
        r#"{{"rasa_nlu_data": {{
            "common_examples": [{}],
            "regex_features": [{{"name": "r", "pattern": "(?x)\n a"}}],
            "lookup_tables": [{{"name": "l", "elements": ["b\nc", "d"]}}],
            "entity_synonyms": [{{"value": "v", "synonyms": ["d\ne", "f"]}}]}}}}"#,
        messages.join(", ")
    );
    let written = files(&[
        ("nlu.json", &json),
        ("nlg.yml", "responses:\n  utter_faq/once:\n  - text: Yes\n"),
    ]);
    let (root, sources) = sources(&written);
    let split = split_nlu(&sources, &SplitOptions::default()).unwrap();
    let names: Vec<&str> = split.files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "training_data.yml",
            "test_data.yml",
            "training_data_rest.json",
            "test_data_rest.json",
            "nlg_training_data.yml",
        ]
    );
    assert!(
        split.lost.iter().all(|said| said.code == "N604"),
        "{:?}",
        split.lost
    );
    assert_eq!(split.lost.len(), 40 + 20 + 1 + 1 + 1 + 1);
    let parts = ["training_data", "test_data"].map(|name| {
        let names = [".yml", "_rest.json"].map(|end| format!("{name}{end}"));
        let answers = format!("nlg_{name}.yml");
        read(&split, &[&names[0], &names[1], &answers])
    });
    let [training, test] = parts;
    assert_eq!(split.training_count, training.examples.len());
    assert_eq!(split.test_count, test.examples.len());
    let holds = |part: &NluData, start: &str| {
        let of_kind = part
            .examples
            .iter()
            .filter(|one| one.text.starts_with(start));
        of_kind.count()
    };
    for start in ["a [b]", "plain", "of nothing"] {
        assert!(holds(&training, start) > holds(&test, start), "{start}");
        assert!(holds(&test, start) > 0, "{start}");
    }
    // Nothing is lost: both parts together are what was there.
    let whole = import_nlu_files(root.path(), &["data".into()]).unwrap();
    let whole = whole.project.nlu;
    let mut examples = [training.examples.clone(), test.examples].concat();
    let key = |one: &Example| (one.intent.clone(), one.text.clone());
    examples.sort_by_key(key);
    let mut all = whole.examples;
    all.sort_by_key(key);
    assert_eq!(examples, all);
    assert_eq!(training.synonyms, whole.synonyms);
    assert_eq!(training.patterns, whole.patterns);
    let phrases = |data: &NluData| -> BTreeSet<String> {
        let all = data.lookups.iter().flat_map(|table| table.elements.iter());
        all.map(str::to_owned).collect()
    };
    let (ours, theirs) = (
        phrases(&training),
        BTreeSet::from(["b\nc".into(), "d".into()]),
    );
    assert_eq!(ours, theirs);
    assert_eq!(test.patterns, []);
}

#[test]
fn an_example_that_yaml_cannot_say_moves_no_other() {
    let data = |more: &str| {
        let messages: Vec<String> = (0..30)
            .map(|n| format!(r#"{{"text": "[a](b) {n}", "intent": "i"}}"#))
            .collect();
        let messages = messages.join(", ");
        format!(r#"{{"rasa_nlu_data": {{"common_examples": [{messages}{more}]}}}}"#)
    };
    let tested = |json: &str| -> BTreeSet<String> {
        let (_root, sources) = sources(&files(&[("nlu.json", json)]));
        let split = split_nlu(&sources, &SplitOptions::default()).unwrap();
        let test = read(&split, &["test_data.yml", "test_data_rest.json"]);
        test.examples.into_iter().map(|one| one.text).collect()
    };
    let before = tested(&data(""));
    let after = tested(&data(
        r#", {"text": "[c](d)", "intent": "i"}, {"text": "e", "intent": "i"}"#,
    ));
    assert!(before.len() > 1 && before.is_subset(&after));
}

fn intents() -> impl Strategy<Value = BTreeMap<String, BTreeSet<String>>> {
    let text = prop_oneof![
        "[a-z]{1,4}( [a-z]{1,4}){0,2}",
        "[a-z]{1,4} \\[[a-z]{1,4}\\]\\(dish(:[a-z]{1,3})?\\)",
        "[a-zé🍕:#'\"{}\\\\-]{1,6}",
    ];
    // Whether `\u` starts an escape depends on the whole file: on its being ASCII.
    let text = text.prop_filter("an escape", |text| !text.contains("\\u"));
    let texts = prop::collection::btree_set(text, 1..12);
    prop::collection::btree_map("[a-c]|faq/[ab]", texts, 1..4)
}

fn document<'a>(intents: impl Iterator<Item = (&'a String, &'a BTreeSet<String>)>) -> String {
    let mut text = "nlu:\n".to_owned();
    for (intent, texts) in intents {
        text += &format!("- intent: {intent}\n  examples: |\n");
        for example in texts.iter().rev() {
            text += &format!("    - {example}\n");
        }
    }
    text
}

/// Returns the side of each example by label, text and entities.
fn sides(split: &Split) -> BTreeMap<(String, String, String), bool> {
    let mut sides = BTreeMap::new();
    for (name, trains) in [("training_data.yml", true), ("test_data.yml", false)] {
        for example in read(split, &[name]).examples {
            let label = example.intent_response_key.or(example.intent).unwrap();
            let entities = serde_json::to_string(&example.entities).unwrap();
            let before = sides.insert((label, example.text, entities), trains);
            assert_eq!(before, None, "an example is in both parts");
        }
    }
    sides
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_example_is_in_one_part_whatever_file_it_is_in(
        intents in intents(),
        fraction in 0.1..0.9f64,
        seed in prop::option::of(0..9u64),
    ) {
        let options = SplitOptions { training_fraction: fraction, random_seed: seed };
        let one = vec![("one.yml".to_owned(), document(intents.iter()))];
        let many: Vec<(String, String)> = intents
            .iter()
            .enumerate()
            .map(|(at, entry)| (format!("{}.yml", 9 - at), document(std::iter::once(entry))))
            .collect();
        let (root, one) = sources(&one);
        let (_other, many) = sources(&many);
        let split = split_nlu(&one, &options).unwrap();
        prop_assert_eq!(&split.files, &split_nlu(&many, &options).unwrap().files);

        let all = import_nlu_files(root.path(), &["data".into()]).unwrap().project.nlu;
        let sides = sides(&split);
        prop_assert_eq!(sides.len(), all.examples.len());
        let mut parts: BTreeMap<&str, Vec<bool>> = BTreeMap::new();
        for ((label, ..), trains) in &sides {
            parts.entry(label).or_default().push(*trains);
        }
        for sides in parts.values() {
            prop_assert!(sides.contains(&true));
            prop_assert!(sides.len() == 1 || sides.contains(&false));
        }
    }

    #[test]
    fn an_added_example_moves_none_but_a_stand_in(
        intents in intents(),
        fraction in 0.1..0.9f64,
        added in "[a-z]{6,8}",
    ) {
        let options = SplitOptions { training_fraction: fraction, random_seed: None };
        let split = |intents: &BTreeMap<String, BTreeSet<String>>| {
            let (_root, sources) = sources(&[("nlu.yml".to_owned(), document(intents.iter()))]);
            sides(&split_nlu(&sources, &options).unwrap())
        };
        let before = split(&intents);
        let mut more = intents.clone();
        let (label, texts) = more.iter_mut().next().unwrap();
        texts.insert(added);
        let label = label.clone();
        let after = split(&more);
        let moved = before.iter().filter(|(example, trains)| after[*example] != **trains);
        let moved: Vec<_> = moved.collect();
        prop_assert!(moved.len() <= 1, "{moved:?}");
        for ((of, ..), trains) in moved {
            prop_assert_eq!(of, &label);
            // It was alone on its side, for want of another.
            let same = before.iter().filter(|((of, ..), side)| *of == label && *side == trains);
            prop_assert_eq!(same.count(), 1);
        }
    }
}
