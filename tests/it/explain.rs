//! Why something is stale, down to the example, story or option, with its place
//! and with old and new.

use expect_test::Expect;
use expect_test::expect;

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
actions:
- action_cook
responses:
  utter_greet:
  - text: Good day!
  utter_leave:
  - text: See you.
  - text: Bye.
";

const CONFIG: &str = "\
recipe: default.v1
assistant_id: counter
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
  min_ngram: 1
- name: KeywordIntentClassifier
- name: RegexEntityExtractor
- name: EntitySynonymMapper
- name: FallbackClassifier
policies:
- name: MemoizationPolicy
  max_history: 3
- name: RulePolicy
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good morning
- intent: leave
  examples: |
    - bye
    - see you
- intent: order
  examples: |
    - one [soup](dish) please
    - i want [bread](dish)
- synonym: soup
  examples: |
    - broth
- lookup: dish
  examples: |
    - soup
    - bread
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
  - action: action_cook
  - intent: leave
  - action: utter_leave
rules:
- rule: leave
  steps:
  - intent: leave
  - action: utter_leave
";

/// A project that trains at once: nothing in it is a network.
pub fn counter() -> Workbench {
    Workbench::new(&[
        ("domain.yml", DOMAIN),
        ("config.yml", CONFIG),
        ("data/nlu.yml", NLU),
        ("data/stories.yml", STORIES),
    ])
}

/// Trains, edits, and compares the reasons of all stale tasks but for those that
/// wait for others.
#[track_caller]
fn check(edit: impl Fn(&Workbench), want: Expect) {
    let bench = counter();
    bench.train().unwrap();
    edit(&bench);
    let report = bench.dry_run().dry_run_results.unwrap();
    let mut lines = Vec::new();
    for task in &report.tasks {
        for why in task.why.iter().filter(|why| !why.starts_with("depends on")) {
            lines.push(format!("{}: {why}", task.name));
        }
    }
    want.assert_eq(&lines.join("\n"));
}

#[test]
fn an_added_example_is_named_with_its_intent_and_line() {
    check(
        |bench| bench.replace("data/nlu.yml", "    - hello\n", "    - hello\n    - hey\n"),
        expect![[r#"
            nlu.0.WhitespaceTokenizer: `messages` changed: added example `hey` (intent: greet, data/nlu.yml:6)
            nlu.2.KeywordIntentClassifier: `messages` changed: added example `hey` (intent: greet, data/nlu.yml:6)
            package: `nlu: fingerprint` changed: changed the data"#]],
    );
}

#[test]
fn a_removed_example_is_named_with_its_old_text_and_line() {
    check(
        |bench| bench.replace("data/nlu.yml", "    - see you\n", ""),
        expect![[r#"
            nlu.0.WhitespaceTokenizer: `messages` changed: removed example `see you` (intent: leave, data/nlu.yml:10)
            nlu.2.KeywordIntentClassifier: `messages` changed: removed example `see you` (intent: leave, data/nlu.yml:10)
            package: `nlu: fingerprint` changed: changed the data"#]],
    );
}

#[test]
fn a_changed_intent_is_named_old_and_new() {
    check(
        |bench| {
            bench.replace("data/nlu.yml", "    - see you\n", "");
            bench.replace(
                "data/nlu.yml",
                "    - hello\n",
                "    - hello\n    - see you\n",
            );
        },
        expect![[r#"
            nlu.0.WhitespaceTokenizer: `messages` changed: changed example `see you` (intent: leave → greet, data/nlu.yml:6)
            nlu.2.KeywordIntentClassifier: `messages` changed: changed example `see you` (intent: leave → greet, data/nlu.yml:6)
            package: `nlu: fingerprint` changed: changed the data"#]],
    );
}

#[test]
fn a_changed_annotation_is_shown_as_it_is_written() {
    check(
        |bench| {
            bench.replace(
                "data/nlu.yml",
                "[bread](dish)",
                "[bread]{\"entity\": \"dish\", \"value\": \"loaf\"}",
            )
        },
        expect![[r#"
            nlu.4.EntitySynonymMapper: `synonyms` changed: changed synonym `bread` (value: bread → loaf, data/nlu.yml:14), added synonym `loaf` (value: loaf)
            package: `nlu: fingerprint` changed: changed the data"#]],
    );
}

#[test]
fn a_changed_step_of_a_story_is_shown_old_and_new_at_its_line() {
    check(
        |bench| {
            bench.replace(
                "data/stories.yml",
                "action: action_cook",
                "action: utter_greet",
            )
        },
        expect![[r#"
            core.trackers: `stories` changed: changed story `order and leave` (action: action_cook → utter_greet, data/stories.yml:10)
            package: `core: fingerprint` changed: changed the data"#]],
    );
}

#[test]
fn a_removed_rule_is_named_with_its_steps() {
    check(
        |bench| {
            let text = bench.read("data/stories.yml");
            let end = text.find("rules:").unwrap();
            bench.write("data/stories.yml", &text[..end]);
        },
        expect![[r#"
            core.trackers: `stories` changed: removed rule `leave` (intent: leave, action: utter_leave, data/stories.yml:14)
            package: `core: fingerprint` changed: changed the data"#]],
    );
}

#[test]
fn a_response_is_named_old_and_new() {
    check(
        |bench| bench.replace("domain.yml", "See you.", "So long."),
        expect![
            "package: `responses` changed: changed response `utter_leave` (text: See you. → So long., domain.yml:19)"
        ],
    );
}

#[test]
fn an_option_is_named_old_and_new_at_its_line() {
    check(
        |bench| {
            bench.replace("config.yml", "max_history: 3", "max_history: 4");
            bench.replace("config.yml", "  min_ngram: 1\n", "  max_ngram: 2\n");
        },
        expect![[r#"
            nlu.1.CountVectorsFeaturizer: option `max_ngram` changed from 1 to 2 (config.yml:7)
            core.0.MemoizationPolicy: option `featurizer.MaxHistory.max_history` changed from 3 to 4 (config.yml:14)
            package: `nlu: pipeline` changed: changed component `CountVectorsFeaturizer` (max_ngram: 1 → 2, config.yml:7)
            package: `nlu: fingerprint` changed: changed the configuration
            package: `core: policies` changed: changed component `MemoizationPolicy` (featurizer.MaxHistory.max_history: 3 → 4, config.yml:14)
            package: `core: fingerprint` changed: changed the configuration"#]],
    );
}

#[test]
fn an_option_of_a_component_without_a_task_is_named() {
    check(
        |bench| {
            bench.replace(
                "config.yml",
                "- name: FallbackClassifier\n",
                "- name: FallbackClassifier\n  threshold: 0.5\n",
            )
        },
        expect![[r#"
            package: `nlu: pipeline` changed: changed component `FallbackClassifier` (threshold: 0.3 → 0.5, config.yml:12)
            package: `nlu: fingerprint` changed: changed the configuration"#]],
    );
}

#[test]
fn a_slot_an_intent_and_an_action_are_named() {
    check(
        |bench| {
            bench.replace("domain.yml", "type: text\n", "type: list\n");
            bench.replace(
                "domain.yml",
                "- greet\n",
                "- greet:\n    use_entities: []\n",
            );
            bench.replace(
                "domain.yml",
                "- action_cook\n",
                "- action_cook\n- action_bake\n",
            );
        },
        expect![[r#"
            core.trackers: `domain` changed: changed intent `greet` (now also use_entities: [], domain.yml:3), changed slot `dish` (type: text → list, domain.yml:10), added action `action_bake` (domain.yml:17)
            core.0.MemoizationPolicy: `domain` changed: changed intent `greet` (now also use_entities: [], domain.yml:3), changed slot `dish` (type: text → list, domain.yml:10), added action `action_bake` (domain.yml:17)
            core.1.RulePolicy: `domain` changed: changed intent `greet` (now also use_entities: [], domain.yml:3), changed slot `dish` (type: text → list, domain.yml:10), added action `action_bake` (domain.yml:17)
            package: `core: fingerprint` changed: changed the domain
            package: `core: domain` changed: changed intent `greet` (now also use_entities: [], domain.yml:3), changed slot `dish` (type: text → list, domain.yml:10), added action `action_bake` (domain.yml:17)"#]],
    );
}

#[test]
fn a_synonym_and_a_lookup_table_are_named() {
    check(
        |bench| {
            bench.replace("data/nlu.yml", "    - broth\n", "    - broth\n    - stew\n");
            bench.replace(
                "data/nlu.yml",
                "    - soup\n    - bread",
                "    - soup\n    - salad",
            );
        },
        expect![[r#"
            nlu.3.RegexEntityExtractor: `patterns` changed: changed lookup `dish` (phrase: bread → salad, data/nlu.yml:19)
            nlu.4.EntitySynonymMapper: `synonyms` changed: added synonym `stew` (value: soup, data/nlu.yml:18)
            package: `nlu: fingerprint` changed: changed the data"#]],
    );
}

#[test]
fn another_order_of_the_domain_is_said_to_be_that() {
    check(
        |bench| {
            bench.replace(
                "domain.yml",
                "- action_cook\n",
                "- action_cook\n- action_bake\n",
            );
            bench.train().unwrap();
            bench.replace(
                "domain.yml",
                "- action_cook\n- action_bake\n",
                "- action_bake\n- action_cook\n",
            );
        },
        expect![[r#"
            core.trackers: `domain` changed: the same pieces in another order
            core.0.MemoizationPolicy: `domain` changed: the same pieces in another order
            core.1.RulePolicy: `domain` changed: the same pieces in another order
            package: `core: fingerprint` changed: changed the domain
            package: `core: domain` changed: the same pieces in another order"#]],
    );
}

#[test]
fn a_renamed_file_a_renamed_story_and_other_lines_are_no_reasons() {
    check(
        |bench| {
            for (old, new) in [
                ("data/nlu.yml", "data/a/b.yml"),
                ("data/stories.yml", "data/c.yml"),
            ] {
                let text = bench.read(old);
                bench.remove(old);
                bench.write(new, &format!("# moved\n\n{text}"));
            }
            bench.replace("data/c.yml", "story: order and leave", "story: hungry");
        },
        expect![[r#""#]],
    );
}
