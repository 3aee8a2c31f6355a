//! Why something is stale, down to the example, story or option, with its place
//! and with old and new.

use std::process::Command;
use std::process::Output;

use expect_test::Expect;
use expect_test::expect;
use regex::Regex;
use serde_json::Value;
use tabella::api;
use tabella::digest::encode;
use tabella::store::Access;
use tabella::store::Store;
use tabella::store::StoreSettings;

use crate::json_schema::Schema;
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
fn another_order_of_the_domain_is_no_reason() {
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
        expect![[r#""#]],
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

/// Runs the program on the project of a workbench.
fn tabella(bench: &Workbench, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tabella"))
        .args(arguments)
        .env_clear()
        .env("TABELLA_CACHE_DIR", bench.cache())
        .current_dir(bench.root())
        .output()
        .unwrap()
}

/// Returns standard output of a run that must end with `code`.
#[track_caller]
fn prints(bench: &Workbench, arguments: &[&str], code: i32) -> String {
    let output = tabella(bench, arguments);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json(bench: &Workbench, arguments: &[&str], schema: &str) -> Value {
    let value: Value = serde_json::from_str(&prints(bench, arguments, 0)).unwrap();
    let refusal = Schema::open(schema).refusal(&value);
    assert_eq!(refusal, None, "{value:#}");
    value
}

/// A project that was trained and then edited.
fn edited() -> Workbench {
    let bench = counter();
    bench.train().unwrap();
    bench.replace("data/nlu.yml", "    - hello\n", "    - hello\n    - hey\n");
    bench.replace("config.yml", "max_history: 3", "max_history: 4");
    bench
}

/// Times are not the same twice.
fn without_times(text: &str) -> String {
    let time = Regex::new(r"( *)\b\d+(\.\d)? m?s\b").unwrap();
    time.replace_all(text, " [TIME]").into_owned()
}

#[test]
fn a_status_is_a_tree_of_what_is_stale_and_ends_with_0() {
    let bench = edited();
    expect![[r#"
        3 of 9 tasks are stale, 2 more may be, about [TIME]
        ├─ featurize
        │  ├─ stale  nlu.0.WhitespaceTokenizer [TIME]
        │  │         `messages` changed: added example `hey` (intent: greet, data/nlu.yml:6)
        │  ├─ maybe  nlu.1.CountVectorsFeaturizer [TIME]
        │  │         depends on `nlu.0.WhitespaceTokenizer`
        │  └─ fresh  core.trackers
        ├─ train NLU
        │  ├─ stale  nlu.2.KeywordIntentClassifier [TIME]
        │  │         `messages` changed: added example `hey` (intent: greet, data/nlu.yml:6)
        │  └─ fresh  nlu.3.RegexEntityExtractor, nlu.4.EntitySynonymMapper
        ├─ train Core
        │  ├─ stale  core.0.MemoizationPolicy [TIME]
        │  │         option `featurizer.MaxHistory.max_history` changed from 3 to 4 (config.yml:14)
        │  └─ fresh  core.1.RulePolicy
        └─ package
           └─ maybe  package [TIME]
                     `nlu: fingerprint` changed: changed the data
                     `core: policies` changed: changed component `MemoizationPolicy` (featurizer.MaxHistory.max_history: 3 → 4, config.yml:14)
                     `core: fingerprint` changed: changed the configuration
        Core model should be retrained
        NLU model should be retrained
    "#]].assert_eq(&without_times(&prints(&bench, &["status"], 0)));
    bench.train().unwrap();
    expect![[r#"
        all 9 tasks are fresh
        ├─ featurize
        │  └─ fresh  nlu.0.WhitespaceTokenizer, nlu.1.CountVectorsFeaturizer, core.trackers
        ├─ train NLU
        │  └─ fresh  nlu.2.KeywordIntentClassifier, nlu.3.RegexEntityExtractor, nlu.4.EntitySynonymMapper
        ├─ train Core
        │  └─ fresh  core.0.MemoizationPolicy, core.1.RulePolicy
        └─ package
           └─ fresh  package
        nothing is stale: no training is required
    "#]].assert_eq(&prints(&bench, &["status"], 0));
}

#[test]
fn a_status_is_the_plan_of_a_dry_run_with_past_times() {
    let bench = edited();
    bench.train().unwrap();
    bench.replace("data/nlu.yml", "    - hey\n", "    - hey you\n");
    let mut status = json(&bench, &["status", "--json"], "dry-run.schema.json");
    let tokenizer = status["tasks"][0]["runs"].as_array().unwrap().clone();
    assert_eq!(tokenizer.len(), 2, "{tokenizer:?}");
    assert!(tokenizer[0]["started_ms"].as_u64() >= tokenizer[1]["started_ms"].as_u64());
    for task in status["tasks"].as_array_mut().unwrap() {
        task.as_object_mut().unwrap().remove("runs").unwrap();
    }
    let dry_run = bench.dry_run().dry_run_results.unwrap();
    assert_eq!(status, serde_json::to_value(dry_run).unwrap());
}

#[test]
fn looking_writes_nothing() {
    let bench = counter();
    for arguments in [&["status"][..], &["explain", "*"], &["key", "*"]] {
        prints(&bench, arguments, 0);
    }
    assert!(!bench.cache().exists());
    assert!(!bench.root().join("models").exists());
}

#[test]
fn graphs_name_every_task_and_state() {
    let bench = edited();
    let dot = prints(&bench, &["status", "--dot"], 0);
    assert!(
        dot.starts_with("digraph tabella {") && dot.ends_with("}\n"),
        "{dot}"
    );
    assert_eq!(dot.matches("shape=octagon").count(), 3, "{dot}");
    assert!(dot.contains("  t0 -> t1;\n"), "{dot}");
    let mermaid = prints(&bench, &["status", "--mermaid"], 0);
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    assert_eq!(mermaid.matches(":::stale").count(), 3, "{mermaid}");
    assert!(mermaid.contains("  t0 --> t1\n"), "{mermaid}");
}

/// Fails unless every element is closed in its turn.
#[track_caller]
fn check_markup(page: &str) {
    let tag = Regex::new(r"<(/?)([a-z0-9]+)([^<>]*?)(/?)>").unwrap();
    let body = page.strip_prefix("<!DOCTYPE html>").unwrap();
    assert_eq!(tag.replace_all(body, "").matches('<').count(), 0);
    let mut open = Vec::new();
    for found in tag.captures_iter(body) {
        match (&found[1], &found[2], &found[4]) {
            ("", "meta" | "br", _) | ("", _, "/") => {}
            ("", name, _) => open.push(name.to_owned()),
            (_, name, _) => assert_eq!(open.pop().as_deref(), Some(name), "{}", &found[0]),
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_page_is_whole_by_itself_and_takes_no_markup_from_the_user() {
    let bench = edited();
    let evil = "    - hello\n    - <script>alert(1)</script> \"&' <img src=http://x>\n";
    bench.replace("data/nlu.yml", "    - hello\n", evil);
    let name = prints(&bench, &["status", "--html", "page.html"], 0);
    assert_eq!(name, "page.html\n");
    let page = bench.read("page.html");
    assert_eq!(page, prints(&bench, &["status", "--html", "-"], 0));
    check_markup(&page);
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;&#39;"),
        "{page}"
    );
    for piece in [
        "<script",
        "<img",
        "<link",
        "href=\"http",
        "url(http",
        "@import",
    ] {
        assert!(!page.contains(piece), "{piece}");
    }
    assert!(page.contains("default-src 'none'") && page.contains("prefers-color-scheme: dark"));
    // Shapes and words as well as colours.
    for piece in [
        "may be spared",
        "stroke-dasharray",
        "<path class=\"shape\"",
        "UTC: ",
    ] {
        assert!(page.contains(piece), "{piece}");
    }
}

#[test]
fn a_page_that_cannot_be_written_ends_with_74_and_a_wrong_project_with_65() {
    let bench = edited();
    prints(&bench, &["status", "--html", "nowhere/page.html"], 74);
    prints(&bench, &["status", "--dot", "--json"], 64);
    bench.replace("config.yml", "RulePolicy", "RulePolcy");
    prints(&bench, &["status"], 65);
    prints(&bench, &["status", "--config", "none.yml"], 66);
}

#[test]
fn a_task_is_explained_by_its_two_manifests() {
    let bench = edited();
    let text = prints(&bench, &["explain", "MemoizationPolicy"], 0);
    expect![[r#"
        core.0.MemoizationPolicy: stale
          stage    train Core
          reads    core.trackers
          took [TIME]
                                                      last run      now
            key                                       52a74abb5a72  0a522f959746
          ≠ option featurizer.MaxHistory.max_history  3             4             config.yml:14
            9 parts are the same (--all shows them)
    "#]]
    .assert_eq(&without_times(&text));
    let text = prints(&bench, &["explain", "nlu.2", "--all"], 0);
    expect![[r#"
        nlu.2.KeywordIntentClassifier: stale
          stage    train NLU
          took [TIME]
                                   last run       now
            key                    8fe837f5f802   8f3c7225de43
          = kind                   "nlu.keyword"  "nlu.keyword"
          = version                1              1
          = option case_sensitive  true           true
          ≠ input messages         4c04022d2173   2e3be8d5e3ae
              added example `hey` (intent: greet, data/nlu.yml:6)
    "#]]
    .assert_eq(&without_times(&text));
    let text = prints(&bench, &["explain", "core.trackers"], 0);
    expect![[r#"
        core.trackers: fresh
          stage    featurize
          took [TIME]
          why      its result is in the cache
                 last run      now
            key  d7c93cc45068  d7c93cc45068
            5 parts are the same (--all shows them)
    "#]]
    .assert_eq(&without_times(&text));
    let all = json(&bench, &["explain", "*", "--json"], "explain.schema.json");
    let status = bench.dry_run().dry_run_results.unwrap();
    assert_eq!(all.as_array().unwrap().len(), status.tasks.len());
}

#[test]
fn an_explanation_names_every_changed_piece() {
    let bench = counter();
    bench.train().unwrap();
    let more: String = (0..20)
        .map(|count| format!("    - hello {count}\n"))
        .collect();
    bench.replace(
        "data/nlu.yml",
        "    - hello\n",
        &format!("    - hello\n{more}"),
    );
    let text = prints(&bench, &["explain", "WhitespaceTokenizer"], 0);
    for count in 0..20 {
        let line = format!(
            "added example `hello {count}` (intent: greet, data/nlu.yml:{})",
            count + 6
        );
        assert!(text.contains(&line), "{line} in {text}");
    }
}

#[test]
fn tasks_are_found_by_name_component_start_and_pattern() {
    let bench = edited();
    let named = |word: &str| -> Vec<String> {
        let explained = api::explain(&bench.options(), word).unwrap();
        explained.into_iter().map(|one| one.task.name).collect()
    };
    assert_eq!(named("core.trackers"), ["core.trackers"]);
    assert_eq!(named("RulePolicy"), ["core.1.RulePolicy"]);
    assert_eq!(named("pack"), ["package"]);
    assert_eq!(
        named("core.?.*"),
        ["core.0.MemoizationPolicy", "core.1.RulePolicy"]
    );
    let says = |word: &str, piece: &str| {
        let output = tabella(&bench, &["explain", word]);
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(piece), "{piece} in {text}");
    };
    says("RulePolcy", "did you mean `RulePolicy`?");
    says(
        "core.",
        "`core.trackers`, `core.0.MemoizationPolicy`, `core.1.RulePolicy`; say more",
    );
    says(
        "nothing*",
        "there is no task `nothing*`; there are `nlu.0.WhitespaceTokenizer`",
    );
}

#[test]
fn a_key_is_the_hash_of_what_is_printed_and_the_one_in_the_cache() {
    let bench = counter();
    bench.train().unwrap();
    let store = Store::open(&StoreSettings::new(bench.cache(), Access::ReadOnly));
    let keys = json(&bench, &["key", "*", "--json"], "key.schema.json");
    let keys = keys.as_array().unwrap();
    assert_eq!(keys.len(), 9);
    for key in keys {
        let task = key["task"].as_str().unwrap();
        let printed = key["key"].as_str().unwrap();
        let raw = tabella(&bench, &["key", "--raw", task]).stdout;
        let mut bytes = Vec::new();
        for part in key["parts"].as_array().unwrap() {
            encode(part, &mut bytes).unwrap();
        }
        assert!(bytes == raw, "{task}: the parts are not what is hashed");
        let context = key["context"].as_str().unwrap();
        let hash = blake3::Hash::from_bytes(blake3::derive_key(context, &raw));
        assert_eq!(hash.to_hex().as_str(), printed, "{task}");
        assert!(store.result(printed.parse().unwrap()).is_some(), "{task}");
        let text = prints(&bench, &["key", task], 0);
        assert!(text.ends_with(&format!("key      {printed}\n")), "{text}");
    }
}

#[test]
fn a_key_that_is_not_known_yet_says_what_must_run_first() {
    let bench = edited();
    let text = prints(&bench, &["key", "CountVectorsFeaturizer"], 0);
    assert!(text.ends_with("key      not known yet: `nlu.0.WhitespaceTokenizer` must run first\n"));
    prints(&bench, &["key", "--raw", "CountVectorsFeaturizer"], 65);
    prints(&bench, &["key", "--raw", "*"], 64);
}

/// Trains and returns the archive's path in the project.
fn trained(bench: &Workbench) -> String {
    let model = bench.train().unwrap().model.unwrap();
    let path = model.strip_prefix(bench.root()).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_model_is_explained_by_what_it_tells_and_what_the_cache_remembers() {
    let bench = counter();
    let model = trained(&bench);
    let name = |text: String| text.replace(&model, "[MODEL]");
    expect![[r#"
        [MODEL]: NLU and Core, by tabella 0.1.0
          made of  WhitespaceTokenizer, CountVectorsFeaturizer, KeywordIntentClassifier, RegexEntityExtractor, EntitySynonymMapper, FallbackClassifier, MemoizationPolicy, RulePolicy
          the project would give the same
    "#]].assert_eq(&name(prints(&bench, &["explain", &model], 0)));
    bench.replace("data/nlu.yml", "    - hello\n", "    - hello\n    - hey\n");
    bench.replace("config.yml", "max_history: 3", "max_history: 4");
    bench.replace("domain.yml", "See you.", "So long.");
    // Another model in between: it is not the last run that is compared with.
    bench.train().unwrap();
    bench.replace("data/nlu.yml", "    - hey\n", "    - hey you\n");
    expect![[r#"
        [MODEL]: NLU and Core, by tabella 0.1.0
          made of  WhitespaceTokenizer, CountVectorsFeaturizer, KeywordIntentClassifier, RegexEntityExtractor, EntitySynonymMapper, FallbackClassifier, MemoizationPolicy, RulePolicy
          the project differs from it:
            core: fingerprint
              changed the configuration
            core: policies
              changed component `MemoizationPolicy` (featurizer.MaxHistory.max_history: 3 → 4, config.yml:14)
            nlu: fingerprint
              changed the data
            responses
              changed response `utter_leave` (text: See you. → So long., domain.yml:19)
          changed since, task by task:
            nlu.0.WhitespaceTokenizer
              `messages` changed
                added example `hey you` (intent: greet, data/nlu.yml:6)
            nlu.2.KeywordIntentClassifier
              `messages` changed
                added example `hey you` (intent: greet, data/nlu.yml:6)
            core.0.MemoizationPolicy
              option `featurizer.MaxHistory.max_history` changed from 3 to 4 (config.yml:14)
    "#]].assert_eq(&name(prints(&bench, &["explain", &model], 0)));
    let value = json(
        &bench,
        &["explain", &model, "--json"],
        "explain-model.schema.json",
    );
    assert_eq!(value["is_current"], false);
    let without = prints(&bench, &["explain", &model, "--no-cache"], 0);
    assert!(
        without
            .contains("changed response `utter_leave` (text: See you. → So long., domain.yml:19)")
    );
    assert!(without.contains("the cache does not remember how 8 of 8 tasks were run for it"));
}

#[test]
fn a_model_that_is_none_is_not_explained() {
    let bench = counter();
    prints(&bench, &["explain", "models/none.tar.gz"], 66);
    bench.write("models/cut.tar.gz", "not gzip");
    prints(&bench, &["explain", "models/cut.tar.gz"], 65);
    prints(&bench, &["explain", "data"], 66);
}

const TEST_NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good morning
- intent: leave
  examples: |
    - so long
";

const TEST_STORIES: &str = "\
version: \"3.1\"
stories:
- story: wave
  steps:
  - intent: leave
  - action: utter_leave
- story: cook
  steps:
  - intent: greet
  - action: utter_greet
  - intent: order
    entities:
    - dish: soup
  - action: action_cook
";

#[test]
fn two_models_differ_in_what_they_were_made_of_and_in_what_they_answer() {
    let bench = counter();
    bench.write("tests/nlu.yml", TEST_NLU);
    bench.write("tests/stories.yml", TEST_STORIES);
    let old = trained(&bench);
    let same = [
        "diff",
        &old,
        &old,
        "--nlu",
        "tests/nlu.yml",
        "--stories",
        "tests/stories.yml",
    ];
    expect![[r#"
        [OLD] → [OLD]: the same
          answers: 0 of 3 messages differ
            every answer is the same
          stories: 0 of 2 are followed differently
            every story is followed in the same way
    "#]]
    .assert_eq(&prints(&bench, &same, 0).replace(&old, "[OLD]"));
    bench.replace("data/nlu.yml", "    - bye\n", "    - bye\n    - so long\n");
    bench.replace("config.yml", "max_history: 3", "max_history: 4");
    bench.replace("domain.yml", "See you.", "So long.");
    bench.replace(
        "data/stories.yml",
        "  - action: action_cook\n",
        "  - action: utter_greet\n",
    );
    let new = trained(&bench);
    let both = [
        "diff",
        &old,
        &new,
        "--nlu",
        "tests/nlu.yml",
        "--stories",
        "tests/stories.yml",
    ];
    let text = prints(&bench, &both, 1)
        .replace(&old, "[OLD]")
        .replace(&new, "[NEW]");
    let size = Regex::new(r"\(\d+ → \d+ bytes\)").unwrap();
    let digest = Regex::new(r"[0-9a-f]{12} → [0-9a-f]{12}").unwrap();
    let text = digest
        .replace_all(&text, "[DIGEST] → [DIGEST]")
        .into_owned();
    expect![[r#"
        [OLD] → [NEW]: different
          components
            changed component `MemoizationPolicy` (featurizer.MaxHistory.max_history: 3 → 4)
          responses
            changed response `utter_leave` (text: See you. → So long.)
          trained from
            NLU data         [DIGEST] → [DIGEST]
            stories          [DIGEST] → [DIGEST]
            responses        [DIGEST] → [DIGEST]
            policies         [DIGEST] → [DIGEST]
          files: 4 differ
            core/0.MemoizationPolicy/policy.json ([SIZES])
            core/responses.json (159 bytes)
            nlu/1.CountVectorsFeaturizer/fitted.json ([SIZES])
            nlu/2.KeywordIntentClassifier/fitted.json ([SIZES])
          answers: 1 of 3 messages differ
            "so long" (tests/nlu.yml:9): nlu_fallback 0.30 ✗ → leave 1.00 ✓
          stories: 1 of 2 are followed differently
            `cook`: right → wrong
              action_cook → utter_greet (the story says action_cook)
              action_listen → action_default_fallback (the story says action_listen)
    "#]]
    .assert_eq(&size.replace_all(&text, "([SIZES])"));
    let output = tabella(&bench, &[&both[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        Schema::open("diff.schema.json").refusal(&value),
        None,
        "{value:#}"
    );
}

#[test]
fn weights_are_compared_tensor_by_tensor() {
    let bench = counter();
    bench.replace(
        "config.yml",
        "- name: KeywordIntentClassifier\n",
        "- name: DIETClassifier\n  epochs: 1\n  transformer_size: 16\n  number_of_transformer_layers: 1\n",
    );
    let old = trained(&bench);
    bench.replace("config.yml", "epochs: 1", "epochs: 2");
    let new = trained(&bench);
    let output = tabella(&bench, &["diff", &old, &new, "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        Schema::open("diff.schema.json").refusal(&value),
        None,
        "{value:#}"
    );
    let weights = value["weights"].as_array().unwrap();
    assert!(!weights.is_empty() && weights.len() as u64 <= value["tensor_count"].as_u64().unwrap());
    for tensor in weights {
        assert_eq!(tensor["state"], "changed", "{tensor}");
        assert!(tensor["max_abs"].as_f64().unwrap() > 0.0, "{tensor}");
        assert!(
            tensor["cosine"]
                .as_f64()
                .is_none_or(|cosine| cosine.abs() <= 1.000_001),
            "{tensor}"
        );
    }
    bench.replace("config.yml", "transformer_size: 16", "transformer_size: 24");
    let wider = trained(&bench);
    let text = prints(&bench, &["diff", &new, &wider, "--all"], 1);
    assert!(
        text.contains("(transformer_size: 16 → 24)") && text.contains("  was ["),
        "{text}"
    );
}

#[test]
fn models_that_cannot_be_compared_end_with_65_and_66() {
    let bench = counter();
    let model = trained(&bench);
    prints(&bench, &["diff", &model, "none.tar.gz"], 66);
    prints(&bench, &["diff", &model], 64);
    bench.write("cut.tar.gz", "not gzip");
    let output = tabella(&bench, &["diff", "cut.tar.gz", &model, "--json"]);
    assert_eq!(output.status.code(), Some(65));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        value["error"].as_str().unwrap().contains("cut.tar.gz"),
        "{value}"
    );
    prints(&bench, &["diff", &model, &model, "--nlu", "none.yml"], 66);
}
