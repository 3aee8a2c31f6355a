//! The same inputs give the same archive, byte for byte, wherever and however
//! they are trained.

use std::fs;
use std::path::Path;
use std::process::Command;

use tabella::api;
use tabella::api::CacheSettings;
use tabella::matrix::Level;
use tabella::matrix::set_level;
use tempfile::TempDir;

use crate::workbench::Workbench;

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 3
- name: WordVectorsFeaturizer
  vectors: words.vec
- name: KeywordIntentClassifier
- name: SklearnIntentClassifier
- name: LogisticRegressionClassifier
- name: CRFEntityExtractor
- name: DIETClassifier
  epochs: 3
  transformer_size: 32
  number_of_attention_heads: 2
  batch_size: 4
- name: ResponseSelector
  retrieval_intent: faq
  epochs: 2
  transformer_size: 16
policies:
- name: AugmentedMemoizationPolicy
- name: RulePolicy
- name: TEDPolicy
  epochs: 2
  transformer_size: 16
  number_of_attention_heads: 2
  batch_size: 4
";

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet, order, faq, bye]
entities: [drink]
slots:
  drink:
    type: text
    mappings:
    - type: from_entity
      entity: drink
responses:
  utter_greet: [{text: hi}]
  utter_order: [{text: here you are}]
  utter_bye: [{text: bye}]
";

const GREET: &str = "\
nlu:
- intent: greet
  examples: |
    - hello
    - good day
    - hi there
";

const BYE: &str = "\
- intent: bye
  examples: |
    - goodbye
    - see you
    - bye bye
";

const ORDER: &str = "\
nlu:
- intent: order
  examples: |
    - a [tea](drink) please
    - one [black coffee](drink)
    - can I have [café crème](drink) with milk
- regex: cup
  examples: |
    - \\bcups?\\b
- intent: faq/hours
  examples: |
    - when are you open
    - opening hours
- intent: faq/price
  examples: |
    - what does it cost
    - how much is it
responses:
  utter_faq/hours: [{text: always}]
  utter_faq/price: [{text: nothing}]
";

const FIRST: &str = "\
stories:
- story: a drink
  steps:
  - intent: greet
  - action: utter_greet
  - intent: order
    entities: [{drink: tea}]
  - slot_was_set: [{drink: tea}]
  - action: utter_order
";

const SECOND: &str = "\
- story: off again
  steps:
  - intent: greet
  - action: utter_greet
  - intent: bye
  - action: utter_bye
";

const RULES: &str = "\
rules:
- rule: questions
  steps:
  - intent: faq
  - action: utter_faq
";

const VECTORS: &str = "\
hello 0.5 -0.25 1.5
day 0.75 0.5 -1
tea -1.25 0.125 0.3
coffee -1.5 0.25 0.2
open 0.1 -0.9 0.7
bye 0.6 0.6 0.6
";

fn bench() -> Workbench {
    Workbench::new(&[
        ("config.yml", CONFIG),
        ("words.vec", VECTORS),
        ("domain.yml", DOMAIN),
        ("data/a.yml", &format!("{GREET}{BYE}")),
        ("data/b.yml", ORDER),
        ("data/c.yml", &format!("{FIRST}{SECOND}")),
        ("data/d.yml", RULES),
    ])
}

/// Trains with these threads and jobs from an empty cache.
fn with_threads(bench: &Workbench, threads: usize, jobs: usize) -> Vec<u8> {
    let other = TempDir::new().unwrap();
    let mut options = bench.options();
    options.run.cache = CacheSettings::Off;
    options.run.jobs = Some(jobs);
    options.nlu_additional_arguments.num_threads = Some(threads);
    options.output = other.path().join("models");
    fs::read(api::train(&options).unwrap().model.unwrap()).unwrap()
}

#[test]
fn any_number_of_threads_gives_the_same_archive() {
    let bench = bench();
    let one = with_threads(&bench, 1, 1);
    for (threads, jobs) in [(2, 1), (3, 2), (2, 4), (8, 3)] {
        let again = with_threads(&bench, threads, jobs);
        assert!(one == again, "{threads} threads, {jobs} jobs");
    }
}

#[test]
fn another_folder_and_another_order_of_files_give_the_same_archive() {
    let one = bench().clean_archive();
    let greet_last = Workbench::new(&[
        ("config.yml", CONFIG),
        ("words.vec", VECTORS),
        ("domain.yml", DOMAIN),
        ("data/z/nlu.yml", GREET),
        ("data/a/nlu.yml", &format!("nlu:\n{BYE}")),
        ("data/m.yml", ORDER),
        ("data/1.yml", RULES),
        ("data/2.yml", &format!("stories:\n{SECOND}")),
        ("data/3.yml", FIRST),
    ]);
    assert!(one == greet_last.clean_archive());
}

#[test]
fn every_level_of_kernels_gives_the_same_archive() {
    let bench = bench();
    let trained = |level| {
        set_level(level);
        with_threads(&bench, 2, 2)
    };
    let widest = trained(Level::Avx512);
    let same: Vec<bool> = [Level::Avx2, Level::Portable]
        .map(|level| trained(level) == widest)
        .to_vec();
    set_level(Level::Avx512);
    assert_eq!(same, [true, true]);
}

/// Runs the program with these variables; returns the archive.
fn trained_by_program(project: &Path, variables: &[(&str, &str)]) -> Vec<u8> {
    let out = TempDir::new().unwrap();
    let model = out.path().join("bot.tar.gz");
    let status = Command::new(env!("CARGO_BIN_EXE_tabella"))
        .args(["train", "--quiet", "--no-cache", "--project"])
        .arg(project)
        .arg("--out")
        .arg(&model)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    fs::read(model).unwrap()
}

#[test]
fn locale_time_zone_and_home_do_not_reach_the_archive() {
    let bench = bench();
    let plain = trained_by_program(&bench.root(), &[]);
    let turkish = [
        ("LC_ALL", "tr_TR.UTF-8"),
        ("LANG", "tr_TR.UTF-8"),
        ("TZ", "Asia/Kathmandu"),
        ("HOME", "/nowhere"),
        ("USER", "somebody"),
        ("SOURCE_DATE_EPOCH", "1"),
        ("RAYON_NUM_THREADS", "3"),
    ];
    assert!(plain == trained_by_program(&bench.root(), &turkish));
    assert!(plain == bench.clean_archive(), "program and library");
}
