//! Only what is stale reruns, with the reason, and the archive is the one that
//! an empty cache gives. What ran is read from the log of events.

use std::fs;

use expect_test::Expect;
use expect_test::expect;
use tabella::recipe::TaskState;

use crate::workbench::Workbench;

const DOMAIN: &str = "\
version: \"3.1\"
intents:
- greet
- leave
- order
entities:
- dish
slots:
  dish:
    type: text
    mappings:
    - type: from_entity
      entity: dish
responses:
  utter_greet:
  - text: Good day!
  utter_leave:
  - text: See you.
  utter_order:
  - text: One {dish}, coming.
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
- name: DIETClassifier
  epochs: 3
  transformer_size: 16
  number_of_transformer_layers: 1
- name: EntitySynonymMapper
- name: FallbackClassifier
policies:
- name: MemoizationPolicy
- name: RulePolicy
- name: TEDPolicy
  max_history: 3
  epochs: 3
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
    - good night
- intent: order
  examples: |
    - one [soup](dish) please
    - i want [bread](dish)
    - a [salad](dish) for me
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
  - intent: leave
  - action: utter_leave
- story: only order
  steps:
  - intent: order
  - action: utter_order
";

const RULES: &str = "\
version: \"3.1\"
rules:
- rule: leave
  steps:
  - intent: leave
  - action: utter_leave
";

fn counter() -> Workbench {
    Workbench::new(&[
        ("domain.yml", DOMAIN),
        ("config.yml", CONFIG),
        ("data/nlu.yml", NLU),
        ("data/stories.yml", STORIES),
        ("data/rules.yml", RULES),
    ])
}

/// Trains, edits, and checks: the dry run before names what will run, training
/// runs no more than that, the log is as expected, the archive is the clean one,
/// and afterwards nothing is stale.
#[track_caller]
fn check(edit: impl Fn(&Workbench), want: Expect) {
    let bench = counter();
    bench.train().unwrap();
    edit(&bench);
    let report = bench.dry_run().dry_run_results.unwrap();
    let result = bench.train().unwrap();
    let log: Vec<String> = bench
        .log()
        .lines()
        .filter(|line| line.starts_with("run ") || line.starts_with("spare "))
        .map(str::to_owned)
        .collect();
    want.assert_eq(&log.join("\n"));
    for task in &report.tasks {
        let ran = log
            .iter()
            .any(|line| line.starts_with("run ") && line.contains(&format!(" {}:", task.name)));
        match task.state {
            TaskState::Fresh | TaskState::Remote => {
                assert!(!ran, "{} was not announced", task.name)
            }
            TaskState::Stale => assert!(ran, "{} was announced", task.name),
            TaskState::MayBeSpared => {}
        }
    }
    let archive = fs::read(result.model.unwrap()).unwrap();
    assert!(
        archive == bench.clean_archive(),
        "the archive is not the clean one"
    );
    assert_eq!(bench.dry_run().code, 0);
}

/// Edits that mean nothing.
#[track_caller]
fn check_nothing(edit: impl Fn(&Workbench)) {
    let bench = counter();
    let first = bench.train().unwrap();
    edit(&bench);
    assert_eq!(bench.dry_run().code, 0);
    let second = bench.train().unwrap();
    assert_eq!((second.ran, second.is_new), (0, false), "{}", bench.log());
    assert_eq!(first.model, second.model);
    assert!(fs::read(second.model.unwrap()).unwrap() == bench.clean_archive());
}

#[test]
fn a_second_training_does_nothing() {
    check_nothing(|_| {});
}

#[test]
fn comments_line_ends_and_a_byte_order_mark_are_nothing() {
    check_nothing(|bench| {
        for file in [
            "domain.yml",
            "config.yml",
            "data/nlu.yml",
            "data/stories.yml",
        ] {
            let text = bench.read(file).replace('\n', "\r\n");
            bench.write(file, &format!("\u{feff}# a comment\r\n{text}"));
        }
    });
}

#[test]
fn a_moved_file_and_a_split_file_are_nothing() {
    check_nothing(|bench| {
        let nlu = bench.read("data/nlu.yml");
        bench.remove("data/nlu.yml");
        let (first, second) = nlu.split_at(nlu.find("- intent: order").unwrap());
        bench.write("data/deep/greetings.yml", first);
        bench.write(
            "data/orders.yml",
            &format!("version: \"3.1\"\nnlu:\n{second}"),
        );
        let rules = bench.read("data/rules.yml");
        bench.remove("data/rules.yml");
        bench.write("data/deep/rules.yml", &rules);
    });
}

#[test]
fn shuffled_examples_and_renamed_stories_are_nothing() {
    check_nothing(|bench| {
        bench.replace(
            "data/nlu.yml",
            "    - hello\n    - good morning\n",
            "    - good morning\n    - hello\n",
        );
        bench.replace("data/stories.yml", "story: only order", "story: hungry");
    });
}

#[test]
fn a_response_text_packages_and_trains_nothing() {
    check(
        |bench| bench.replace("domain.yml", "Good day!", "Welcome!"),
        expect![
            "run     package: `responses` changed: changed response `utter_greet` (text: Good day! → Welcome!, domain.yml:15)"
        ],
    );
}

#[test]
fn a_text_of_a_retrieval_intent_is_no_business_of_keywords() {
    let bench = counter();
    bench.replace("domain.yml", "- order\n", "- order\n- faq\n");
    bench.append(
        "domain.yml",
        "  utter_faq/hours:\n  - text: From nine to five.\n",
    );
    bench.append(
        "data/nlu.yml",
        "- intent: faq/hours\n  examples: |\n    - when are you open\n",
    );
    let pipeline = "- name: WhitespaceTokenizer\n- name: KeywordIntentClassifier\n";
    let config = format!("language: en\npipeline:\n{pipeline}policies:\n- name: RulePolicy\n");
    bench.write("config.yml", &config);
    bench.train().unwrap();
    bench.replace("domain.yml", "From nine to five.", "Day and night.");
    bench.train().unwrap();
    let log = bench.log();
    let ran: Vec<&str> = log
        .lines()
        .filter(|line| line.starts_with("run "))
        .collect();
    let is_keywords = |line: &&str| line.contains("KeywordIntentClassifier");
    assert!(!ran.is_empty() && !ran.iter().any(is_keywords), "{log}");
}

#[test]
fn a_new_example_never_touches_core() {
    check(
        |bench| bench.replace("data/nlu.yml", "    - hello\n", "    - hello\n    - hey\n"),
        expect![[r#"
            run     nlu.0.WhitespaceTokenizer: `messages` changed: added example `hey` (intent: greet, data/nlu.yml:6)
            run     nlu.1.RegexFeaturizer: depends on `nlu.0.WhitespaceTokenizer`
            run     nlu.2.LexicalSyntacticFeaturizer: depends on `nlu.0.WhitespaceTokenizer`
            run     nlu.3.CountVectorsFeaturizer: depends on `nlu.0.WhitespaceTokenizer`
            run     nlu.4.DIETClassifier: `annotated` changed: added annotated example `hey` (intent: greet, data/nlu.yml:6); depends on `nlu.0.WhitespaceTokenizer`, `nlu.1.RegexFeaturizer`, `nlu.2.LexicalSyntacticFeaturizer` and 1 more
            run     package: `nlu: fingerprint` changed: changed the data; depends on `nlu.1.RegexFeaturizer`, `nlu.2.LexicalSyntacticFeaturizer`, `nlu.3.CountVectorsFeaturizer` and 1 more"#]],
    );
}

#[test]
fn a_new_story_never_touches_nlu() {
    check(
        |bench| {
            bench.append(
                "data/stories.yml",
                "- story: rude\n  steps:\n  - intent: greet\n  - action: utter_greet\n  \
                 - intent: leave\n  - action: utter_leave\n",
            );
        },
        expect![[r#"
            run     core.trackers: `stories` changed: added story `rude` (intent: greet, action: utter_greet, intent: leave, action: u…, data/stories.yml:19)
            run     core.1.RulePolicy: depends on `core.trackers`
            run     core.0.MemoizationPolicy: depends on `core.trackers`
            run     core.2.TEDPolicy: depends on `core.trackers`
            run     package: `core: fingerprint` changed: changed the data; depends on `core.0.MemoizationPolicy`, `core.1.RulePolicy`, `core.2.TEDPolicy`"#]],
    );
}

#[test]
fn an_option_of_the_classifier_retrains_the_classifier_alone() {
    check(
        |bench| bench.replace("config.yml", "transformer_size: 16", "transformer_size: 24"),
        expect![[r#"
            run     nlu.4.DIETClassifier: option `transformer_size` changed from 16 to 24 (config.yml:11)
            run     package: `nlu: pipeline` changed: changed component `DIETClassifier` (transformer_size: 16 → 24, config.yml:11); `nlu: fingerprint` changed: changed the configuration; depends on `nlu.4.DIETClassifier`"#]],
    );
}

#[test]
fn an_option_of_a_policy_retrains_that_policy_alone() {
    check(
        |bench| {
            bench.replace(
                "config.yml",
                "max_history: 3\n  epochs: 3",
                "max_history: 3\n  epochs: 4",
            )
        },
        expect![[r#"
            run     core.2.TEDPolicy: option `epochs` changed from 3 to 4 (config.yml:20)
            run     package: `core: policies` changed: changed component `TEDPolicy` (epochs: 3 → 4, config.yml:20); `core: fingerprint` changed: changed the configuration; depends on `core.2.TEDPolicy`"#]],
    );
}

#[test]
fn a_removed_annotation_leaves_tokens_and_features_alone() {
    check(
        |bench| bench.replace("data/nlu.yml", "[salad](dish)", "salad"),
        expect![[r#"
            run     nlu.5.EntitySynonymMapper: `synonyms` changed: removed synonym `salad` (value: salad)
            run     nlu.4.DIETClassifier: `annotated` changed: changed annotated example `a salad for me` (no longer annotated: a [salad](dish) for me, data/nlu.yml:17)
            run     package: `nlu: fingerprint` changed: changed the data; depends on `nlu.4.DIETClassifier`, `nlu.5.EntitySynonymMapper`"#]],
    );
}

#[test]
fn a_fallback_threshold_packages_and_trains_nothing() {
    check(
        |bench| {
            bench.replace(
                "config.yml",
                "- name: FallbackClassifier\n",
                "- name: FallbackClassifier\n  threshold: 0.5\n",
            );
        },
        expect![
            "run     package: `nlu: pipeline` changed: changed component `FallbackClassifier` (threshold: 0.3 → 0.5, config.yml:15); `nlu: fingerprint` changed: changed the configuration"
        ],
    );
}

#[test]
fn going_back_finds_everything_in_the_cache() {
    let bench = counter();
    let first = bench.train().unwrap();
    bench.replace("data/nlu.yml", "    - hello\n", "    - hello\n    - hey\n");
    bench.train().unwrap();
    bench.replace("data/nlu.yml", "    - hello\n    - hey\n", "    - hello\n");
    let back = bench.train().unwrap();
    assert_eq!(back.ran, 0);
    assert_eq!(back.model, first.model);
    assert_eq!(bench.dry_run().code, 0);
}

#[test]
fn a_deleted_archive_is_restored_without_training() {
    let bench = counter();
    let first = bench.archive();
    bench.remove("models");
    assert_eq!(bench.dry_run().code, 7);
    let result = bench.train().unwrap();
    assert_eq!((result.ran, result.is_new), (0, true));
    assert!(fs::read(result.model.unwrap()).unwrap() == first);
}

#[test]
fn force_runs_every_task_to_the_same_bytes() {
    let bench = counter();
    let first = bench.archive();
    let mut options = bench.options();
    options.force_training = true;
    let result = tabella::api::train(&options).unwrap();
    assert_eq!(result.ran, result.tasks);
    assert!(fs::read(result.model.unwrap()).unwrap() == first);
}

#[test]
fn a_dry_run_writes_nothing() {
    let bench = counter();
    assert_eq!(bench.dry_run().code, 7);
    assert!(!bench.cache().exists());
    assert!(!bench.root().join("models").exists());
}
