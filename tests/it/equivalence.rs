//! Incremental equals clean: after any edits, whatever the cache holds by then,
//! the archive is the one that an empty cache gives, and training runs what the
//! dry run announced.
//!
//! `TABELLA_EDITS=500 cargo test --release equivalence` tries more edits than
//! usual, and `TABELLA_EDITS_SEED=7` others.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::TrainOptions;
use tabella::archive::Limits;
use tabella::archive::unpack;
use tabella::recipe::TaskState;
use tempfile::TempDir;

use crate::workbench::Workbench;

const DOMAIN: &str = "\
version: \"3.1\"
intents:
- greet
- leave
- order
- faq
entities:
- dish
- size
slots:
  dish:
    type: text
    mappings:
    - type: from_entity
      entity: dish
  size:
    type: categorical
    values:
    - small
    - large
    mappings:
    - type: from_entity
      entity: size
forms:
  order_form:
    required_slots:
    - dish
actions:
- action_bill
responses:
  utter_greet:
  - text: Good day!
  utter_leave:
  - text: See you.
  utter_order:
  - text: One {dish}, coming.
  utter_ask_dish:
  - text: Which dish?
  utter_faq/hours:
  - text: From nine to five.
  utter_faq/place:
  - text: At the corner.
session_config:
  session_expiration_time: 60
";

const CONFIG: &str = "\
recipe: default.v1
assistant_id: counter
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  max_ngram: 3
- name: KeywordIntentClassifier
- name: DIETClassifier
  epochs: 1
  transformer_size: 8
  number_of_transformer_layers: 1
- name: RegexEntityExtractor
- name: EntitySynonymMapper
- name: ResponseSelector
  epochs: 1
  transformer_size: 8
- name: FallbackClassifier
policies:
- name: MemoizationPolicy
- name: RulePolicy
- name: TEDPolicy
  max_history: 3
  epochs: 1
  transformer_size: 8
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good morning
    - hi there
- intent: leave
  examples: |
    - bye
    - see you
- intent: order
  examples: |
    - one [soup](dish) please
    - i want [bread](dish)
    - a [large](size) [salad](dish) for me
- intent: faq/hours
  examples: |
    - when are you open
    - your hours
- intent: faq/place
  examples: |
    - where are you
    - how do i find you
- synonym: soup
  examples: |
    - broth
- regex: number
  examples: |
    - \\d+
- lookup: dish
  examples: |
    - stew
    - pie
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: order and leave
  steps:
  - intent: greet
  - action: utter_greet
  - intent: order
    entities:
    - dish: soup
  - slot_was_set:
    - dish: soup
  - action: utter_order
  - checkpoint: served
- story: served and leave
  steps:
  - checkpoint: served
  - or:
    - intent: leave
    - intent: greet
  - action: utter_leave
- story: ask
  steps:
  - intent: faq
  - action: utter_faq
- story: only order
  steps:
  - intent: order
  - action: order_form
  - active_loop: order_form
  - active_loop: null
  - action: utter_order
";

const RULES: &str = "\
version: \"3.1\"
rules:
- rule: bill
  condition:
  - slot_was_set:
    - size: large
  steps:
  - intent: leave
  - action: action_bill
- rule: questions
  steps:
  - intent: faq
  - action: utter_faq
";

/// A piece of a file and what it can be replaced by.
type Edit = (&'static str, &'static str, &'static str);

/// Edits that can be made in any combination: each touches a line of its own.
const EDITS: &[Edit] = &[
    // The domain.
    (
        "domain.yml",
        "- leave\n",
        "- leave:\n    use_entities: []\n",
    ),
    ("domain.yml", "Good day!", "Welcome!"),
    (
        "domain.yml",
        "  - text: See you.\n",
        "  - text: See you.\n  - text: So long.\n",
    ),
    (
        "domain.yml",
        "  utter_ask_dish:\n",
        "  utter_spare:\n  - text: Hm.\n  utter_ask_dish:\n",
    ),
    ("domain.yml", "    - small\n", "    - small\n    - huge\n"),
    (
        "domain.yml",
        "  size:\n    type: categorical\n",
        "  size:\n    type: categorical\n    influence_conversation: false\n",
    ),
    (
        "domain.yml",
        "  dish:\n    type: text\n",
        "  dish:\n    type: text\n    initial_value: stew\n",
    ),
    (
        "domain.yml",
        "    - dish\nactions",
        "    - dish\n    - size\nactions",
    ),
    (
        "domain.yml",
        "  order_form:\n",
        "  order_form:\n    ignored_intents:\n    - greet\n",
    ),
    (
        "domain.yml",
        "- action_bill\n",
        "- action_bill\n- action_help\n",
    ),
    (
        "domain.yml",
        "- size\nslots",
        "- size:\n    roles:\n    - cup\nslots",
    ),
    (
        "domain.yml",
        "session_expiration_time: 60",
        "session_expiration_time: 5",
    ),
    ("domain.yml", "From nine to five.", "Always."),
    ("domain.yml", "- greet\n- leave", "- greet # hello\n- leave"),
    // The configuration.
    ("config.yml", "language: en", "language: de"),
    (
        "config.yml",
        "assistant_id: counter",
        "assistant_id: waiter",
    ),
    (
        "config.yml",
        "- name: WhitespaceTokenizer\n",
        "- name: WhitespaceTokenizer\n  intent_tokenization_flag: true\n  intent_split_symbol: /\n",
    ),
    (
        "config.yml",
        "- name: RegexFeaturizer\n",
        "- name: RegexFeaturizer\n  use_word_boundaries: false\n",
    ),
    (
        "config.yml",
        "- name: LexicalSyntacticFeaturizer\n",
        "- name: LexicalSyntacticFeaturizer\n  features: [[low], [low, title], [low]]\n",
    ),
    (
        "config.yml",
        "- name: CountVectorsFeaturizer\n- name",
        "- name: CountVectorsFeaturizer\n  alias: words\n- name",
    ),
    (
        "config.yml",
        "  max_ngram: 3\n",
        "  max_ngram: 4\n  alias: letters\n",
    ),
    (
        "config.yml",
        "- name: KeywordIntentClassifier\n",
        "- name: KeywordIntentClassifier\n  case_sensitive: false\n",
    ),
    (
        "config.yml",
        "- name: DIETClassifier\n  epochs: 1\n",
        "- name: DIETClassifier\n  epochs: 2\n",
    ),
    (
        "config.yml",
        "  number_of_transformer_layers: 1\n",
        "  number_of_transformer_layers: 1\n  constrain_similarities: true\n",
    ),
    (
        "config.yml",
        "- name: RegexEntityExtractor\n",
        "- name: RegexEntityExtractor\n  use_word_boundaries: false\n",
    ),
    (
        "config.yml",
        "- name: ResponseSelector\n",
        "- name: ResponseSelector\n  retrieval_intent: faq\n",
    ),
    (
        "config.yml",
        "- name: FallbackClassifier\n",
        "- name: FallbackClassifier\n  threshold: 0.5\n",
    ),
    (
        "config.yml",
        "- name: MemoizationPolicy\n",
        "- name: MemoizationPolicy\n  max_history: 2\n",
    ),
    (
        "config.yml",
        "- name: RulePolicy\n",
        "- name: RulePolicy\n  core_fallback_threshold: 0.5\n",
    ),
    (
        "config.yml",
        "- name: TEDPolicy\n",
        "- name: AugmentedMemoizationPolicy\n  priority: 2\n- name: TEDPolicy\n  random_seed: 3\n",
    ),
    ("config.yml", "  max_history: 3\n", "  max_history: 4\n"),
    // NLU data.
    ("data/nlu.yml", "    - hello\n", "    - hello\n    - hey\n"),
    (
        "data/nlu.yml",
        "    - good morning\n    - hi there\n",
        "    - hi there\n    - good morning\n",
    ),
    ("data/nlu.yml", "    - see you\n", ""),
    (
        "data/nlu.yml",
        "[soup](dish)",
        "[soup]{\"entity\": \"dish\", \"role\": \"first\"}",
    ),
    ("data/nlu.yml", "[bread](dish)", "bread"),
    (
        "data/nlu.yml",
        "[salad](dish)",
        "[salad]{\"entity\": \"dish\", \"value\": \"soup\"}",
    ),
    (
        "data/nlu.yml",
        "    - your hours\n",
        "    - your hours\n    - hello\n",
    ),
    (
        "data/nlu.yml",
        "- intent: faq/place\n",
        "- intent: faq/where\n",
    ),
    (
        "data/nlu.yml",
        "    - broth\n",
        "    - broth\n    - bouillon\n",
    ),
    ("data/nlu.yml", "\\d+", "\\d{2}"),
    ("data/nlu.yml", "    - pie\n", "    - pie\n    - cake\n"),
    (
        "data/nlu.yml",
        "- regex: number\n",
        "# numbers\n- regex: number\n",
    ),
    // Stories and rules.
    ("data/stories.yml", "story: only order", "story: hungry"),
    (
        "data/stories.yml",
        "  - action: utter_leave\n",
        "  - action: utter_leave\n  - action: action_bill\n",
    ),
    (
        "data/stories.yml",
        "    - dish: soup\n  - slot",
        "    - dish: pie\n  - slot",
    ),
    (
        "data/stories.yml",
        "    - intent: greet\n  - action: utter_leave",
        "    - intent: order\n  - action: utter_leave",
    ),
    (
        "data/stories.yml",
        "  - checkpoint: served\n- story",
        "  - checkpoint: done\n- story",
    ),
    ("data/stories.yml", "  - active_loop: null\n", ""),
    (
        "data/rules.yml",
        "    - size: large\n",
        "    - size: small\n",
    ),
    ("data/rules.yml", "rule: questions", "rule: asked"),
    (
        "data/rules.yml",
        "  - action: action_bill\n",
        "  - action: action_bill\n    wait_for_user_input: false\n",
    ),
];

/// Edits of how training is called, after those of the files.
const CALLS: usize = 2;

/// Numbers that look random, from a counter.
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

/// Which edits are in force.
struct Present(Vec<bool>);

impl Present {
    /// Writes the project with these edits.
    fn write(&self, bench: &Workbench) {
        let files = [
            ("domain.yml", DOMAIN),
            ("config.yml", CONFIG),
            ("data/nlu.yml", NLU),
            ("data/stories.yml", STORIES),
            ("data/rules.yml", RULES),
        ];
        for (path, text) in files {
            let mut text = text.to_owned();
            for ((file, old, new), is_in_force) in EDITS.iter().zip(&self.0) {
                if *file == path && *is_in_force {
                    assert_eq!(text.matches(old).count(), 1, "`{old}` in {path}:\n{text}");
                    text = text.replace(old, new);
                }
            }
            bench.write(path, &text);
        }
    }

    fn options(&self, bench: &Workbench, cache: &Path) -> TrainOptions {
        let mut options = bench.options();
        options.run.cache = CacheSettings::Folder(cache.to_owned());
        options.persist_nlu_training_data = self.0[EDITS.len()];
        if self.0[EDITS.len() + 1] {
            options.core_additional_arguments.augmentation_factor = 0;
        }
        options
    }

    fn names(&self) -> Vec<&str> {
        let edits = EDITS.iter().map(|(_, old, _)| *old);
        let calls = ["persist", "no augmentation"];
        let named = edits.chain(calls).zip(&self.0);
        named.filter(|(_, on)| **on).map(|(name, _)| name).collect()
    }
}

/// What a training gave, mistakes included.
fn outcome(options: &TrainOptions) -> Result<Vec<u8>, String> {
    let result = api::train(options).map_err(|error| error.to_string())?;
    Ok(fs::read(result.model.expect("a training gives a model")).unwrap())
}

/// The files in which two archives differ, or the mistakes.
fn difference(one: &Result<Vec<u8>, String>, other: &Result<Vec<u8>, String>) -> Vec<String> {
    let (one, other) = match (one, other) {
        (Ok(one), Ok(other)) => (files(one), files(other)),
        _ => {
            let shown = |outcome: &Result<Vec<u8>, String>| format!("{:?}", outcome.as_ref().err());
            return vec![shown(one), shown(other)];
        }
    };
    let paths: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differing = paths
        .into_iter()
        .filter(|path| one.get(*path) != other.get(*path));
    differing.cloned().collect()
}

fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let model = unpack(archive, archive.len() as u64, &Limits::default()).unwrap();
    let core = model
        .core
        .into_iter()
        .map(|(path, bytes)| (format!("core/{path}"), bytes));
    let nlu = model
        .nlu
        .into_iter()
        .map(|(path, bytes)| (format!("nlu/{path}"), bytes));
    let mut files: BTreeMap<String, Vec<u8>> = core.chain(nlu).collect();
    files.insert(
        "metadata.json".into(),
        serde_json::to_vec(&model.metadata).unwrap(),
    );
    files.insert(
        "fingerprint.json".into(),
        serde_json::to_vec(&model.fingerprint).unwrap(),
    );
    files
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Trains with the warm cache as the dry run says, and with an empty one. Returns
/// whether there is an archive: some edits contradict each other.
#[track_caller]
fn check(bench: &Workbench, present: &Present) -> bool {
    let warm = present.options(bench, bench.cache());
    let mut dry = warm.clone();
    dry.dry_run = true;
    let report = api::train(&dry);
    let before = bench.log().lines().count();
    let incremental = outcome(&warm);
    let elsewhere = TempDir::new().unwrap();
    let mut clean = present.options(bench, &elsewhere.path().join("cache"));
    clean.run.observer = Default::default();
    clean.output = elsewhere.path().join("models");
    let names = present.names();
    let clean = outcome(&clean);
    if incremental != clean {
        panic!(
            "not what an empty cache gives: {:?}\nwith {names:#?}",
            difference(&incremental, &clean)
        );
    }
    if incremental.is_err() {
        return false;
    }
    let log = bench.log();
    let ran: Vec<&str> = log
        .lines()
        .skip(before)
        .filter_map(|line| line.strip_prefix("run "))
        .filter_map(|line| line.trim_start().split(':').next())
        .collect();
    for task in report.unwrap().dry_run_results.unwrap().tasks {
        let has_run = ran.contains(&task.name.as_str());
        match task.state {
            TaskState::Fresh => assert!(!has_run, "{} ran: {names:#?}", task.name),
            TaskState::Stale => assert!(has_run, "{} did not run: {names:#?}", task.name),
            TaskState::MayBeSpared => {}
        }
    }
    assert_eq!(api::train(&dry).unwrap().code, 0, "{names:#?}");
    true
}

#[test]
fn after_any_edits_the_archive_is_the_clean_one() {
    let bench = Workbench::new(&[]);
    let mut draws = Draws(number("TABELLA_EDITS_SEED", 1));
    let mut present = Present(vec![false; EDITS.len() + CALLS]);
    let (count, mut archive_count) = (number("TABELLA_EDITS", 24), 0);
    for _ in 0..count {
        // One edit or a few at a time; often one is taken back.
        for _ in 0..=draws.below(3) {
            let edit = draws.below(present.0.len());
            present.0[edit] = !present.0[edit];
        }
        present.write(&bench);
        archive_count += u64::from(check(&bench, &present));
    }
    assert!(
        archive_count * 2 >= count,
        "{archive_count} of {count} gave an archive"
    );
}

#[test]
fn after_each_edit_alone_the_archive_is_the_clean_one() {
    let bench = Workbench::new(&[]);
    let count = EDITS.len() + CALLS;
    let mut present = Present(vec![false; count]);
    present.write(&bench);
    assert!(check(&bench, &present));
    // A tenth of them each time, all of them when asked to.
    let stride = if number("TABELLA_EDITS", 0) > 0 {
        1
    } else {
        10
    };
    for edit in (0..count).step_by(stride) {
        present.0[edit] = true;
        present.write(&bench);
        check(&bench, &present);
        present.0[edit] = false;
    }
}

#[test]
fn a_featurizer_that_is_called_otherwise_trains_nothing() {
    let bench = Workbench::new(&[]);
    let present = Present(vec![false; EDITS.len() + CALLS]);
    present.write(&bench);
    let config = |name: &str, list: &str| {
        let alias = format!("- name: CountVectorsFeaturizer\n  alias: {name}\n- name");
        let classifier = format!("- name: DIETClassifier\n  featurizers: {list}\n");
        let selector = format!("- name: ResponseSelector\n  featurizers: {list}\n");
        CONFIG
            .replace("- name: CountVectorsFeaturizer\n- name", &alias)
            .replace("- name: DIETClassifier\n", &classifier)
            .replace("- name: ResponseSelector\n", &selector)
    };
    bench.write("config.yml", &config("words", "[words]"));
    assert!(check(&bench, &present));
    bench.write("config.yml", &config("tokens", "[tokens, tokens]"));
    assert!(check(&bench, &present));
    let result = api::train(&present.options(&bench, bench.cache())).unwrap();
    assert_eq!(result.ran, 0);
}
