//! What `data validate` says to a person who made a mistake, and to programs.

#![allow(clippy::unwrap_used)] // clippy sees tests only in functions marked so

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use expect_test::Expect;
use expect_test::expect;
use serde_json::Value;
use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::RunSettings;
use tabella::api::TrainError;
use tabella::api::TrainOptions;
use tabella::api::ValidateOptions;
use tabella::diagnostic::CODES;
use tempfile::TempDir;

use crate::json_schema::Schema;
use crate::json_schema::folder;
use crate::shared::shared;

const CONFIG: &str = "\
recipe: default.v1
assistant_id: pizza
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
policies:
- name: MemoizationPolicy
- name: RulePolicy
";

const DOMAIN: &str = "\
version: \"3.1\"
intents:
- greet
- order
- inform
- bye
entities:
- dish
slots:
  dish:
    type: categorical
    values: [pizza, pasta]
    mappings:
    - type: from_entity
      entity: dish
  member:
    type: bool
    mappings:
    - type: custom
  price:
    type: float
    max_value: 100
    mappings:
    - type: custom
forms:
  order_form:
    required_slots: [dish]
responses:
  utter_greet:
  - text: Hello!
    buttons:
    - title: I am hungry
      payload: /order
  utter_bye:
  - text: Good bye!
  utter_ask_dish:
  - text: What would you like?
  utter_ordered:
  - text: Your {dish} is on its way.
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good day
- intent: order
  examples: |
    - I am hungry
    - bring me something
- intent: inform
  examples: |
    - a [pizza](dish) please
    - [pasta](dish), and quickly
- intent: bye
  examples: |
    - good bye
    - see you
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: a member comes in
  steps:
  - slot_was_set:
    - member: true
  - intent: greet
  - action: utter_greet
- story: somebody is hungry
  steps:
  - intent: order
  - action: order_form
  - active_loop: order_form
  - slot_was_set:
    - dish: pizza
  - active_loop: null
  - action: utter_ordered
rules:
- rule: say good bye
  steps:
  - intent: bye
  - action: utter_bye
";

/// A project without a fault, in a folder of its own.
struct Project {
    folder: TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self {
            folder: TempDir::new().unwrap(),
        };
        project.write("config.yml", CONFIG);
        project.write("domain.yml", DOMAIN);
        project.write("data/nlu.yml", NLU);
        project.write("data/stories.yml", STORIES);
        project
    }

    /// A project with some text of a file replaced by another.
    fn with(path: &str, old: &str, new: &str) -> Self {
        Self::new().and(path, old, new)
    }

    fn and(self, path: &str, old: &str, new: &str) -> Self {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(old), "`{old}` in {text}");
        self.write(path, &text.replacen(old, new, 1));
        self
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Runs the program; returns its exit code and standard output.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_tabella"))
            .args(arguments)
            .env_clear()
            .env("TABELLA_CACHE_DIR", self.path("cache"))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), out)
    }

    /// Compares what `data validate` prints, and how it ends.
    #[track_caller]
    fn shows(&self, want: Expect) {
        let (code, out) = self.run(&["data", "validate"]);
        want.assert_eq(&format!("{out}exit {code}\n"));
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let (code, out) = self.run(arguments);
        (code, serde_json::from_str(&out).unwrap())
    }

    /// The codes that are found, sorted, each once.
    fn codes(&self) -> Vec<String> {
        let options = ValidateOptions {
            project: self.folder.path().to_owned(),
            ..ValidateOptions::default()
        };
        let found = api::validate(&options).unwrap().findings.diagnostics;
        let mut codes: Vec<String> = found.iter().map(|one| one.code.to_owned()).collect();
        codes.sort();
        codes.dedup();
        codes
    }
}

#[test]
fn of_a_project_without_a_fault_only_its_size_is_told() {
    Project::new().shows(expect![[r#"
        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        nothing to complain about
        exit 0
    "#]]);
}

#[test]
fn a_typo_in_the_intent_of_a_story_names_the_one_that_was_meant() {
    Project::with("data/stories.yml", "intent: order", "intent: odrer").shows(expect![[r#"
        error[W404]: intent `odrer` is not in the domain
           ──▶ data/stories.yml:11:13
            │
         11 │   - intent: odrer
            │             ^^^^^
            = help: did you mean `order`?

        warning[W241]: no story, rule or form says what to do after intent `order`
          ──▶ domain.yml:4:3
           │
         4 │ - order
           │   ^^^^^

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 error, 1 warning; `tabella explain-code CODE` says more
        exit 65
    "#]]);
}

#[test]
fn a_typo_in_the_intent_of_examples_shows_at_both_ends() {
    Project::with("data/nlu.yml", "intent: inform", "intent: infrom").shows(expect![[r#"
        error[W309]: intent `infrom` is not in the domain
           ──▶ data/nlu.yml:11:11
            │
         11 │ - intent: infrom
            │           ^^^^^^
            = help: did you mean `inform`?

        warning[W240]: intent `inform` has no examples: no message is ever taken for it
          ──▶ domain.yml:5:3
           │
         5 │ - inform
           │   ^^^^^^
           = help: did you mean `infrom`?

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 error, 1 warning; `tabella explain-code CODE` says more
        exit 65
    "#]]);
}

#[test]
fn a_typo_in_an_action_and_a_form_names_those_that_were_meant() {
    Project::with("data/stories.yml", "utter_greet", "utter_gret")
        .and(
            "data/stories.yml",
            "active_loop: order_form",
            "active_loop: order_from",
        )
        .shows(expect![[r#"
            error[W405]: action `utter_gret` is not in the domain
              ──▶ data/stories.yml:8:13
               │
             8 │   - action: utter_gret
               │             ^^^^^^^^^^
               = help: did you mean `utter_greet`?

            error[W415]: form `order_from` is not in the domain
               ──▶ data/stories.yml:13:18
                │
             13 │   - active_loop: order_from
                │                  ^^^^^^^^^^
                = help: did you mean `order_form`?

            warning[W242]: no story, rule or form sends response `utter_greet`
               ──▶ domain.yml:29:3
                │
             29 │   utter_greet:
                │   ^^^^^^^^^^^

            read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            2 errors, 1 warning; `tabella explain-code CODE` says more
            exit 65
        "#]]);
}

#[test]
fn a_typo_in_a_slot_type_lists_the_types() {
    Project::with("domain.yml", "type: bool", "type: boolean").shows(expect![[r#"
        error[E202]: unknown slot type `boolean`
           ──▶ domain.yml:17:11
            │
         17 │     type: boolean
            │           ^^^^^^^
            = help: one of text, bool, list, float, categorical, any

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 error; `tabella explain-code CODE` says more
        exit 65
    "#]]);
}

#[test]
fn wrong_indentation_shows_where_reading_stopped() {
    Project::with("domain.yml", "- order\n", " - order\n").shows(expect![[r#"
        error[W309]: intent `greet` is not in the domain
          ──▶ data/nlu.yml:3:11
           │
         3 │ - intent: greet
           │           ^^^^^

        error[W309]: intent `order` is not in the domain
          ──▶ data/nlu.yml:7:11
           │
         7 │ - intent: order
           │           ^^^^^

        error[W404]: intent `greet` is not in the domain
          ──▶ data/stories.yml:7:13
           │
         7 │   - intent: greet
           │             ^^^^^

        error[W404]: intent `order` is not in the domain
           ──▶ data/stories.yml:11:13
            │
         11 │   - intent: order
            │             ^^^^^

        warning[W240]: intent `greet - order` has no examples: no message is ever taken for it
          ──▶ domain.yml:3:3
           │
         3 │ - greet
           │   ^^^^^

        warning[W252]: intent `greet - order` looks like two entries of a list
          ──▶ domain.yml:3:3
           │
         3 │ - greet
           │   ^^^^^
           = help: the second line is indented further than the first, so it goes on with it

        warning[W248]: a button of `utter_greet` sends intent `order`, which is not defined
           ──▶ domain.yml:33:17
            │
         33 │       payload: /order
            │                 ^^^^^

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        4 errors, 3 warnings; `tabella explain-code CODE` says more
        exit 65
    "#]]);
}

#[test]
fn a_broken_annotation_shows_what_is_wrong_with_it() {
    Project::with("data/nlu.yml", "[pizza](dish)", "[pizza] (dish)")
        .and("data/nlu.yml", "[pasta](dish)", "[pasta]{\"entity\": dish}")
        .shows(expect![[r#"
            warning[W352]: an annotation is left as text: a blank stands between `]` and the type
               ──▶ data/nlu.yml:13:10
                │
             13 │     - a [pizza] (dish) please
                │          ^^^^^
                = help: write `[text](type)`, or `[text]{"entity": "type", "value": "…"}`

            error[E306]: `{"entity": dish}` is not a JSON map: expected value
               ──▶ data/nlu.yml:14:7
                │
             14 │     - [pasta]{"entity": dish}, and quickly
                │       ^^^^^^^^^^^^^^^^^^^^^^^
                = help: write `[text]{"entity": "type", "value": "…"}`; the map ends at its first `}`

            read 8 examples of 4 intents with 0 entities; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            1 error, 1 warning; `tabella explain-code CODE` says more
            exit 65
        "#]]);
}

/// What is said about a project, without its size: code, place, message, help.
fn told(project: &Project) -> String {
    let options = ValidateOptions {
        project: project.folder.path().to_owned(),
        ..ValidateOptions::default()
    };
    let found = api::validate(&options).unwrap().findings.diagnostics;
    let lines = found.iter().map(|one| {
        let help = one.help.as_deref().unwrap_or("no help");
        format!("{} {} {}; {help}", one.code, one.place, one.message)
    });
    lines.collect::<Vec<String>>().join("\n")
}

#[test]
fn a_step_without_a_blank_behind_its_colon_is_told_how_to_be_written() {
    let project = Project::with("data/stories.yml", "intent: order", "intent:order");
    let told = told(&project);
    let want = "E401 data/stories.yml:11:5 a step is none that is known; write `intent: order`";
    assert!(told.contains(want), "{told}");
}

#[test]
fn a_step_with_a_key_of_an_older_format_is_told_the_present_one() {
    let step = |old: &str, new: &str| told(&Project::with("data/stories.yml", old, new));
    let told = step("active_loop: order_form", "form: order_form");
    assert!(
        told.contains("none that is known; write `active_loop: …`"),
        "{told}"
    );
    let told = step("intent: order", "intent: [order, greet]");
    assert!(told.contains("not a list; write one here"), "{told}");
}

#[test]
fn a_file_that_is_no_text_is_named_though_nothing_in_it_is_known() {
    let project = Project::new();
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    fs::write(project.path("data/more.yml"), wide(NLU)).unwrap();
    fs::write(project.path("data/gone.yml"), [0; 512]).unwrap();
    expect![[r#"
        W026 data/gone.yml:0:0 `data/gone.yml` holds NUL characters, which no text does: nothing of it is read; bring back an older copy, or take it away
        W026 data/more.yml:0:0 `data/more.yml` is UTF-16: nothing of it is read; save it as UTF-8"#]]
    .assert_eq(&told(&project));
}

#[test]
fn an_odd_character_is_named_where_the_name_is_written() {
    let told = told(&Project::with(
        "data/nlu.yml",
        "- intent: order",
        "- intent: \"ord\u{200b}er\"",
    ));
    let want = "W042 data/nlu.yml:7:12 intent `ord\u{200b}er` holds";
    assert!(told.contains(want), "{told}");
}

#[test]
fn a_map_in_place_of_a_list_is_told_how_to_become_one() {
    let told = told(&Project::with(
        "domain.yml",
        "  - text: Good bye!",
        "    text: Good bye!",
    ));
    let want = "must be a list, not a map; put `- ` before each item";
    assert!(told.contains(want), "{told}");
}

#[test]
fn a_bracket_too_many_behind_an_annotation_is_shown() {
    let map = r#"[pizza]{"entity": "dish"}}"#;
    Project::with("data/nlu.yml", "[pizza](dish)", map)
        .and("data/nlu.yml", "[pasta](dish)", "[pasta](dish))")
        .shows(expect![[r#"
            warning[W359]: a `}` too many stands behind the annotation of `pizza`: it stays in the text
               ──▶ data/nlu.yml:13:34
                │
             13 │     - a [pizza]{"entity": "dish"}} please
                │                                  ^
                = help: take the `}` away

            warning[W359]: a `)` too many stands behind the annotation of `pasta`: it stays in the text
               ──▶ data/nlu.yml:14:20
                │
             14 │     - [pasta](dish)), and quickly
                │                    ^
                = help: take the `)` away

            read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            2 warnings; `tabella explain-code CODE` says more
            exit 0
        "#]]);
}

#[test]
fn a_missing_or_wrong_bracket_of_an_annotation_is_shown() {
    Project::with("data/nlu.yml", "[pizza](dish)", "[pizza(dish)")
        .and("data/nlu.yml", "[pasta](dish)", "(pasta)[dish]")
        .shows(expect![[r#"
            warning[W352]: an annotation is left as text: `]` is missing
               ──▶ data/nlu.yml:13:9
                │
             13 │     - a [pizza(dish) please
                │         ^^^^^^^^^^^^
                = help: write `[text](type)`, or `[text]{"entity": "type", "value": "…"}`

            warning[W352]: an annotation is left as text: round and square brackets are swapped
               ──▶ data/nlu.yml:14:7
                │
             14 │     - (pasta)[dish], and quickly
                │       ^^^^^^^^^^^^^
                = help: write `[text](type)`, or `[text]{"entity": "type", "value": "…"}`

            warning[W241]: no story, rule or form says what to do after intent `inform`
              ──▶ domain.yml:5:3
               │
             5 │ - inform
               │   ^^^^^^

            warning[W246]: entity `dish` is annotated in no example: it is never recognised
              ──▶ domain.yml:8:3
               │
             8 │ - dish
               │   ^^^^

            read 8 examples of 4 intents with 0 entities; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            4 warnings; `tabella explain-code CODE` says more
            exit 0
        "#]]);
}

#[test]
fn an_annotation_that_cuts_a_word_shows_the_words() {
    Project::with("data/nlu.yml", "[pasta](dish)", "[past](dish)a").shows(expect![[r#"
        warning[W342]: entity `dish` marks `past`, which does not end where a word ends: it is not learned
           ──▶ data/nlu.yml:14:8
            │
         14 │     - [past](dish)a, and quickly
            │        ^^^^
            = help: mark whole words; here they are `pasta`

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 warning; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

#[test]
fn a_text_under_two_intents_names_both_places() {
    Project::with("data/nlu.yml", "- bring me something", "- hello").shows(expect![[r#"
        warning[W340]: `hello` is an example of both `greet` and `order`
           ──▶ data/nlu.yml:10:7
            │
         10 │     - hello
            │       ^^^^^
            = note: `greet` has it at data/nlu.yml:5:7
            = help: keep it under the intent that it means, or join the two intents

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 warning; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

/// A project with a mistake of each kind that shows only when parts are compared.
fn with_many_mistakes() -> Project {
    Project::with("data/nlu.yml", "- bring me something", "- hello")
        .and("data/stories.yml", "intent: greet", "intent: gret")
        .and("config.yml", "ionPolicy", "ionPolicy\n  max_histroy: 3")
        .and("domain.yml", "payload: /order", "payload: /odrer")
}

#[test]
fn an_error_hides_only_what_cannot_be_known_because_of_it() {
    let project = with_many_mistakes();
    let whole = ["W108", "W241", "W248", "W340", "W404"];
    assert_eq!(project.codes(), whole);

    // Whether something is used, nobody knows before all can be read.
    let project = project.and("data/stories.yml", "  - intent: bye", "   - intent: bye");
    assert_eq!(project.codes(), ["E004", "W108", "W248", "W340"]);

    let project = with_many_mistakes().and("data/stories.yml", "- slot_was_set", "- slot_is_set");
    assert_eq!(project.codes(), ["E401", "W108", "W248", "W340", "W404"]);

    // The story and the button name intents that may stand in the domain.
    let project = with_many_mistakes().and("domain.yml", "- greet", " - greet");
    assert_eq!(project.codes(), ["E004", "W108", "W340"]);
    let project = with_many_mistakes().and("domain.yml", "intents:\n- greet", "intents: greet\nx:");
    assert_eq!(project.codes(), ["E010", "W108", "W340"]);

    // Flawed as it is, the slot has a name.
    let project = with_many_mistakes().and("domain.yml", "type: bool", "typ: bool");
    assert_eq!(
        project.codes(),
        ["E202", "W108", "W248", "W261", "W340", "W404"]
    );

    let project = with_many_mistakes().and("data/nlu.yml", "examples: |", "exmaples: |");
    assert_eq!(project.codes(), ["E314", "W108", "W248", "W303", "W404"]);

    let project = with_many_mistakes().and("config.yml", "- name: RegexFeaturizer", "- Regex");
    assert_eq!(project.codes(), ["E101", "W241", "W248", "W340", "W404"]);
}

#[test]
fn what_nlu_data_define_is_not_missed_while_they_cannot_be_read() {
    // A retrieval intent, its action and a response, which no domain lists.
    let project = Project::new()
        .and("data/nlu.yml", "nlu:\n", "nlu:\n- intent: chitchat/ask_name\n  examples: |\n    - who are you\n    - your name please\n")
        .and("data/stories.yml", "rules:\n", "rules:\n- rule: chat\n  steps:\n  - intent: chitchat\n  - action: utter_chitchat\n- rule: hello\n  steps:\n  - intent: inform\n  - action: utter_hello\n")
        .and("domain.yml", "/order\n", "/chitchat\n")
        .and("domain.yml", "[dish]\n", "[dish]\n    ignored_intents: [chitchat]\nactions:\n- utter_hello\n");
    let text = fs::read_to_string(project.path("data/nlu.yml")).unwrap();
    let responses =
        "responses:\n  utter_chitchat/ask_name:\n  - text: Ann\n  utter_hello:\n  - text: Hello\n";
    project.write("data/nlu.yml", &format!("{text}{responses}"));
    assert_eq!(project.codes(), [""; 0]);
    let project = project.and("data/nlu.yml", "nlu:\n", "nlu: [\n");
    assert_eq!(project.codes(), ["E004"]);
}

#[test]
fn what_the_configuration_runs_is_not_missed_while_it_cannot_be_read() {
    let project = Project::with(
        "config.yml",
        "- name: RulePolicy\n",
        "- name: RulePolicy\n  core_fallback_action_name: action_help\n",
    )
    .and(
        "domain.yml",
        "forms:\n",
        "actions:\n- action_help\nforms:\n",
    );
    assert_eq!(project.codes(), [""; 0]);
    let project = project.and("config.yml", "pipeline:\n", "pipeline: [\n");
    assert_eq!(project.codes(), ["E004"]);
}

#[test]
fn an_option_that_nobody_knows_is_marked_by_its_name() {
    let project = Project::with("config.yml", "  epochs: 1", "  epochs: 1\n  epoch: 1");
    project.shows(expect![[r#"
        warning[W108]: `DIETClassifier` has no option `epoch`: it is ignored
           ──▶ config.yml:10:3
            │
         10 │   epoch: 1
            │   ^^^^^
            = help: did you mean `epochs`?

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 warning; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

#[test]
fn an_option_that_nobody_knows_is_found_within_another() {
    let featurizer = "ionPolicy\n  featurizer:\n  - name: MaxHistoryTrackerFeaturizer\n    max_histroy: 3\n    state_featurizer:\n    - {name: SingleStateFeaturizer, size: 2}";
    let project = Project::with("config.yml", "ionPolicy", featurizer);
    project.shows(expect![[r#"
        warning[W108]: `MaxHistoryTrackerFeaturizer` in `featurizer` of `MemoizationPolicy` has no option `max_histroy`: it is ignored
           ──▶ config.yml:12:3
            │
         12 │   featurizer:
            │   ^^^^^^^^^^
            = help: did you mean `max_history`?

        warning[W108]: `SingleStateFeaturizer` in `featurizer` of `MemoizationPolicy` has no option `size`: it is ignored
           ──▶ config.yml:12:3
            │
         12 │   featurizer:
            │   ^^^^^^^^^^

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        2 warnings; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

#[test]
fn a_component_that_does_not_exist_is_told_with_those_of_its_kind() {
    Project::with("config.yml", "RegexFeaturizer", "ToneOfVoiceClassifier").shows(expect![[r#"
        error[E106]: no NLU component is called `ToneOfVoiceClassifier`
          ──▶ config.yml:6:3
           │
         6 │ - name: ToneOfVoiceClassifier
           │   ^
           = help: there are `DIETClassifier`, `FallbackClassifier`, `KeywordIntentClassifier`, `LogisticRegressionClassifier`, `SklearnIntentClassifier`

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 error; `tabella explain-code CODE` says more
        exit 65
    "#]]);
}

#[test]
fn stories_are_compared_while_nlu_data_have_an_error() {
    let project = Project::new();
    project.write(
        "data/more.yml",
        "version: \"3.1\"\nstories:\n- story: odd\n  steps:\n  - intent: bye\n  - action: utter_greet\n",
    );
    assert_eq!(project.codes(), ["E452"]);
    let project = project.and("data/nlu.yml", "- good bye", "- good [bye]{\"entity\": 5}");
    assert_eq!(project.codes(), ["E306", "E452"]);
    // A training that cannot begin tells them, too.
    let options = TrainOptions {
        run: RunSettings {
            project: project.path(""),
            cache: CacheSettings::Off,
            ..RunSettings::default()
        },
        ..TrainOptions::default()
    };
    let Err(TrainError::Mistakes(findings)) = api::train(&options) else {
        panic!("a broken annotation is trained");
    };
    let errors = findings.diagnostics.iter().map(|one| one.code);
    let errors: Vec<&str> = errors.filter(|code| code.starts_with('E')).collect();
    assert_eq!(errors, ["E452", "E306"]);
}

#[test]
fn misspelt_keys_that_rasa_passes_over_are_told_where_they_stand() {
    Project::with(
        "domain.yml",
        "- order\n",
        "- order: {use_entites: [dish]}\n",
    )
    .and("domain.yml", "- dish\n", "- dish: {role: [main, side]}\n")
    .and(
        "domain.yml",
        "    values: [pizza",
        "    initial_valu: x\n    values: [pizza",
    )
    .and(
        "domain.yml",
        "entity: dish",
        "entity: dish\n      intnt: inform",
    )
    .and("domain.yml", "title: I am", "titel: I am")
    .and(
        "domain.yml",
        "version:",
        "session_config: {session_expiration_tim: 5}\nversion:",
    )
    .and("domain.yml", "responses:", "respones: {}\nresponses:")
    .and(
        "data/nlu.yml",
        "[pizza](dish)",
        "[pizza]{\"entity\": \"dish\", \"rol\": \"main\"}",
    )
    .and("data/nlu.yml", "version:", "nlus: []\nversion:")
    .and(
        "data/stories.yml",
        "- intent: order",
        "- intent: order\n    entities: [{dish: pizza, rol: main}]",
    )
    .and("config.yml", "policies:", "polices: []\npolicies:")
    .shows(expect![[r#"
        warning[W123]: a configuration has no `polices`: it is not read
           ──▶ config.yml:10:1
            │
         10 │ polices: []
            │ ^^^^^^^
            = help: did you mean `policies`?

        warning[W218]: unknown section `nlus`
          ──▶ data/nlu.yml:1:1
           │
         1 │ nlus: []
           │ ^^^^
           = help: did you mean `nlu`?

        warning[W353]: an annotation has no `rol`: it is not read
           ──▶ data/nlu.yml:14:9
            │
         14 │     - a [pizza]{"entity": "dish", "rol": "main"} please
            │         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            = help: did you mean `role`?

        warning[W353]: an entity has no `rol`: it is not read
           ──▶ data/stories.yml:12:30
            │
         12 │     entities: [{dish: pizza, rol: main}]
            │                              ^^^
            = help: did you mean `role`?

        warning[W261]: `session_config` has no `session_expiration_tim`: it is not read
          ──▶ domain.yml:1:18
           │
         1 │ session_config: {session_expiration_tim: 5}
           │                  ^^^^^^^^^^^^^^^^^^^^^^
           = help: did you mean `session_expiration_time`?

        warning[W261]: intent `order` has no `use_entites`: it is not read
          ──▶ domain.yml:5:11
           │
         5 │ - order: {use_entites: [dish]}
           │           ^^^^^^^^^^^
           = help: did you mean `use_entities`?

        warning[W261]: entity `dish` has no `role`: it is not read
          ──▶ domain.yml:9:10
           │
         9 │ - dish: {role: [main, side]}
           │          ^^^^
           = help: did you mean `roles`?

        warning[W261]: slot `dish` has no `initial_valu`: it is not read
           ──▶ domain.yml:13:5
            │
         13 │     initial_valu: x
            │     ^^^^^^^^^^^^
            = help: did you mean `initial_value`?

        warning[W261]: a mapping of slot `dish` has no `intnt`: it is not read
           ──▶ domain.yml:18:7
            │
         18 │       intnt: inform
            │       ^^^^^
            = help: did you mean `intent`?

        warning[W218]: unknown section `respones`
           ──▶ domain.yml:31:1
            │
         31 │ respones: {}
            │ ^^^^^^^^
            = help: did you mean `responses`?

        warning[W261]: an item of `buttons` has no `titel`: it is not read
           ──▶ domain.yml:36:7
            │
         36 │     - titel: I am hungry
            │       ^^^^^
            = help: did you mean `title`?

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        11 warnings; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

#[test]
fn keys_of_other_programs_are_no_typos() {
    Project::with("domain.yml", "- order\n", "- order: {colour: red}\n")
        .and(
            "domain.yml",
            "title: I am",
            "type: postback\n      url: x\n      title: I am",
        )
        .and("domain.yml", "version:", "x-anchors: {}\nversion:")
        .and("config.yml", "policies:", "spaces: []\npolicies:")
        .and(
            "data/nlu.yml",
            "[pizza](dish)",
            "[pizza]{\"entity\": \"dish\", \"extractor\": \"x\"}",
        )
        .shows(expect![[r#"
            read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            nothing to complain about
            exit 0
        "#]]);
}

#[test]
fn a_form_with_a_misspelt_key_is_not_taken_for_one_of_rasa_2() {
    let project = Project::with(
        "domain.yml",
        "required_slots: [dish]",
        "required_slot: [dish]",
    );
    // The form has no slots, so that nobody asks for one.
    assert_eq!(project.codes(), ["W242", "W261"]);
    let project = project.and("domain.yml", "dish]", "dish]\n    ignored_intents: [bye]");
    assert_eq!(project.codes(), ["W242", "W261"]);
}

#[test]
fn names_that_are_not_known_are_marked_where_they_stand() {
    Project::with(
        "domain.yml",
        "entity: dish",
        "entity: dihs\n      intent: [inform, odrer]",
    )
    .and(
        "domain.yml",
        "- order\n",
        "- order: {use_entities: [dihs]}\n",
    )
    .and("data/nlu.yml", "a [pizza](dish)", "dishy [pizza](dishy)")
    .shows(expect![[r#"
        warning[W355]: entity `dishy` has one example only
           ──▶ data/nlu.yml:13:7
            │
         13 │     - dishy [pizza](dishy) please
            │       ^
            = help: add more: a model learns from what examples have in common

        warning[W310]: entity `dishy` is not in the domain
           ──▶ data/nlu.yml:13:21
            │
         13 │     - dishy [pizza](dishy) please
            │                     ^^^^^
            = help: did you mean `dish`?

        warning[W355]: entity `dish` has one example only
           ──▶ data/nlu.yml:14:7
            │
         14 │     - [pasta](dish), and quickly
            │       ^
            = help: add more: a model learns from what examples have in common

        warning[W216]: intent `order` names entity `dihs`, which is not in the domain
          ──▶ domain.yml:4:26
           │
         4 │ - order: {use_entities: [dihs]}
           │                          ^^^^
           = help: did you mean `dish`?

        warning[W215]: a mapping of slot `dish` names entity `dihs`, which is not in the domain
           ──▶ domain.yml:15:15
            │
         15 │       entity: dihs
            │               ^^^^
            = help: did you mean `dish`?

        warning[W215]: a mapping of slot `dish` names intent `odrer`, which is not in the domain
           ──▶ domain.yml:16:24
            │
         16 │       intent: [inform, odrer]
            │                        ^^^^^
            = help: did you mean `order`?

        read 8 examples of 4 intents with 2 entities; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        6 warnings; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

#[test]
fn stories_that_contradict_each_other_name_both_places() {
    let project = Project::new();
    project.write(
        "data/more.yml",
        "stories:\n- story: another member\n  steps:\n  - slot_was_set:\n    - member: true\n  \
         - intent: greet\n  - action: utter_ordered\n",
    );
    project.shows(expect![[r#"
        warning[W451]: after intent `greet`, story `a member comes in` goes on with `utter_greet`, and others go on otherwise
          ──▶ data/stories.yml:8:13
           │
         8 │   - action: utter_greet
           │             ^^^^^^^^^^^
           = note: story `another member` goes on with `utter_ordered` at data/more.yml:7:13
           = help: let them differ before that point (an intent, a slot), or do the same there

        read 8 examples of 4 intents with 1 entity; 3 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 warning; `tabella explain-code CODE` says more
        exit 0
    "#]]);
    let (code, out) = project.run(&["data", "validate", "stories", "--max-history", "1"]);
    assert_eq!(code, 0);
    assert!(out.contains("W451"), "{out}");
}

#[test]
fn a_rule_that_contradicts_a_story_names_both_places() {
    let project = Project::new();
    project.write(
        "data/rules.yml",
        "rules:\n- rule: greet everybody\n  steps:\n  - intent: greet\n  - action: utter_ordered\n",
    );
    project.shows(expect![[r#"
        error[E452]: action `utter_greet` in story `a member comes in` contradicts `greet everybody`, which wants `utter_ordered`
          ──▶ data/stories.yml:8:13
           │
         8 │   - action: utter_greet
           │             ^^^^^^^^^^^
           = note: rule `greet everybody` is at data/rules.yml:5:13
           = help: do the same in both, or give the rule a condition that keeps it out of there

        read 8 examples of 4 intents with 1 entity; 2 stories and 2 rules; a domain of 4 actions, 5 slots and 1 form
        1 error; `tabella explain-code CODE` says more
        exit 65
    "#]]);
}

#[test]
fn words_that_are_booleans_in_yaml_1_1_are_told() {
    Project::with("data/stories.yml", "member: true", "member: yes")
        .and(
            "domain.yml",
            "values: [pizza, pasta]",
            "values: [pizza, no]",
        )
        .shows(expect![[r#"
            warning[W040]: slot `member` gets the text `yes`: only YAML 1.1 takes it for true
              ──▶ data/stories.yml:6:7
               │
             6 │     - member: yes
               │       ^^^^^^
               = help: write `true`

            note[N041]: `no` is text here; tools that read YAML 1.1 take it for false
               ──▶ domain.yml:12:21
                │
             12 │     values: [pizza, no]
                │                     ^^
                = help: write `"no"`

            read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            1 warning, 1 note; `tabella explain-code CODE` says more
            exit 0
        "#]]);
    Project::with(
        "domain.yml",
        "type: float\n",
        "type: float\n    influence_conversation: off\n",
    )
    .shows(expect![[r#"
        error[E010]: `influence_conversation` must be true or false, not text
           ──▶ domain.yml:22:29
            │
         22 │     influence_conversation: off
            │                             ^^^
            = help: write `false`: in YAML 1.2 this is text

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        1 error; `tabella explain-code CODE` says more
        exit 65
    "#]]);
}

#[test]
fn values_that_do_not_fit_their_slot_are_told() {
    Project::with("data/stories.yml", "dish: pizza", "dish: pizzza")
        .and(
            "data/stories.yml",
            "- member: true",
            "- member: true\n    - price: cheap",
        )
        .shows(expect![[r#"
            warning[W456]: slot `price` gets `cheap`, but its type needs a number
              ──▶ data/stories.yml:7:7
               │
             7 │     - price: cheap
               │       ^^^^^

            warning[W455]: `pizzza` is none of the values of slot `dish`
               ──▶ data/stories.yml:16:7
                │
             16 │     - dish: pizzza
                │       ^^^^
                = help: did you mean `pizza`?

            read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            2 warnings; `tabella explain-code CODE` says more
            exit 0
        "#]]);
}

#[test]
fn dashes_and_tabs_that_become_part_of_examples_are_told() {
    Project::with("data/nlu.yml", "- hello", "- - hello")
        .and("data/nlu.yml", "- good day", "-good day")
        .and("data/nlu.yml", "- I am hungry", "-\tI am hungry")
        .and("data/nlu.yml", "- bring me something", "bring me something")
        .shows(expect![[r#"
            warning[W349]: two dashes: the second one is part of the example
              ──▶ data/nlu.yml:5:5
               │
             5 │     - - hello
               │     ^^^^^^^^^
               = help: take one dash away

            note[N350]: no blank between dash and example
              ──▶ data/nlu.yml:6:5
               │
             6 │     -good day
               │     ^^
               = help: write `- `

            warning[W358]: a tab after the dash is part of the example
              ──▶ data/nlu.yml:9:5
               │
             9 │     - I am hungry
               │     ^^
               = help: put a blank in its place

            warning[W344]: intent `order` has one example only
              ──▶ data/nlu.yml:9:6
               │
             9 │     - I am hungry
               │      ^
               = help: add more: a model learns from what examples have in common

            warning[W304]: a line without a dash is left out
               ──▶ data/nlu.yml:10:5
                │
             10 │     bring me something
                │     ^^^^^^^^^^^^^^^^^^
                = help: start each example with `- ` in the first column of the block

            read 7 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            4 warnings, 1 note; `tabella explain-code CODE` says more
            exit 0
        "#]]);
}

#[test]
fn examples_without_a_bar_are_told() {
    let text = NLU.replacen("examples: |", "examples: >", 1);
    let project = Project::new();
    project.write("data/nlu.yml", &text);
    project.shows(expect![[r#"
        warning[W348]: all examples are read as one
          ──▶ data/nlu.yml:5:5
           │
         5 │     - hello
           │     ^
           = help: write `examples: |`, and below it one `- ` line for each

        warning[W344]: intent `greet` has one example only
          ──▶ data/nlu.yml:5:7
           │
         5 │     - hello
           │       ^
           = help: add more: a model learns from what examples have in common

        read 7 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        2 warnings; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

#[test]
fn markdown_within_yaml_is_told_once() {
    Project::with(
        "data/nlu.yml",
        "    - hello\n",
        "    ## intent:greet\n    - hello\n",
    )
    .shows(expect![[r#"
        warning[W304]: a line without a dash is left out
          ──▶ data/nlu.yml:5:5
           │
         5 │     ## intent:greet
           │     ^^^^^^^^^^^^^^^
           = help: start each example with `- ` in the first column of the block

        warning[W351]: this is Markdown, and the file is YAML
          ──▶ data/nlu.yml:5:5
           │
         5 │     ## intent:greet
           │     ^^^^^^^^^^^^^^^
           = help: each intent is an entry `- intent: name` of `nlu`, each example a `- ` line

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
        2 warnings; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

#[test]
fn responses_with_unknown_slots_buttons_and_conditions_are_told() {
    Project::with("domain.yml", "{dish}", "{dihs}")
        .and("domain.yml", "/order", "'/ordre{\"dihs\": \"pizza\"}'")
        .and(
            "domain.yml",
            "- text: What would you like?",
            "- text: What would you like?\n    condition:\n    - type: slot\n      name: membr\n      value: true",
        )
        .shows(expect![[r#"
            warning[W248]: a button of `utter_greet` sends intent `ordre`, which is not defined
               ──▶ domain.yml:33:18
                │
             33 │       payload: '/ordre{"dihs": "pizza"}'
                │                  ^^^^^
                = help: did you mean `order`?

            warning[W248]: a button of `utter_greet` sends entity `dihs`, which is not defined
               ──▶ domain.yml:33:25
                │
             33 │       payload: '/ordre{"dihs": "pizza"}'
                │                         ^^^^
                = help: did you mean `dish`?

            warning[W249]: a condition of `utter_ask_dish` names slot `membr`, which is not defined
               ──▶ domain.yml:40:13
                │
             40 │       name: membr
                │             ^^^^^
                = help: did you mean `member`?

            warning[W247]: response `utter_ordered` names slot `dihs`, which is not defined
               ──▶ domain.yml:43:17
                │
             43 │   - text: Your {dihs} is on its way.
                │                 ^^^^
                = help: did you mean `dish`?

            read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            4 warnings; `tabella explain-code CODE` says more
            exit 0
        "#]]);
}

#[test]
fn a_quote_that_was_never_opened_is_told() {
    Project::with("data/stories.yml", "intent: greet", "intent: greet\"")
        .and("domain.yml", "is on its way.", "is \"on its way\"")
        .shows(expect![[r#"
            error[W404]: intent `greet"` is not in the domain
              ──▶ data/stories.yml:7:13
               │
             7 │   - intent: greet"
               │             ^^^^^^
               = help: did you mean `greet`?

            warning[W252]: intent `greet"` holds `"`, which ends a name in messages such as `/intent{"entity": "value"}`
              ──▶ data/stories.yml:7:13
               │
             7 │   - intent: greet"
               │             ^^^^^^
               = help: use letters, digits, `_` and `-`

            warning[W044]: `greet"` ends in a quote that was never opened
              ──▶ data/stories.yml:7:18
               │
             7 │   - intent: greet"
               │                  ^
               = help: put a quote before it too, or take this one away

            warning[W241]: no story, rule or form says what to do after intent `greet`
              ──▶ domain.yml:3:3
               │
             3 │ - greet
               │   ^^^^^

            read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            1 error, 3 warnings; `tabella explain-code CODE` says more
            exit 65
        "#]]);
}

#[test]
fn names_with_characters_that_nobody_sees_or_that_look_alike_are_told() {
    Project::with("data/stories.yml", "intent: greet", "intent: gr\u{435}et")
        .and(
            "data/stories.yml",
            "intent: order",
            "intent: \"order\u{200b}\"",
        )
        .shows(expect![[r#"
            error[W404]: intent `grеet` is not in the domain
              ──▶ data/stories.yml:7:13
               │
             7 │   - intent: grеet
               │             ^^^^^
               = help: did you mean `greet`?

            warning[W043]: intent `grеet` mixes Latin and Cyrillic letters: `е` is Cyrillic
              ──▶ data/stories.yml:7:13
               │
             7 │   - intent: grеet
               │             ^^^^^

            error[W404]: intent `order�` is not in the domain
               ──▶ data/stories.yml:11:13
                │
             11 │   - intent: "order�"
                │             ^^^^^^
                = help: did you mean `order`?

            warning[W042]: intent `order�` holds the invisible character U+200B
               ──▶ data/stories.yml:11:14
                │
             11 │   - intent: "order�"
                │              ^^^^^^
                = help: type the name anew: the character came in by copying

            warning[W241]: no story, rule or form says what to do after intent `greet`
              ──▶ domain.yml:3:3
               │
             3 │ - greet
               │   ^^^^^

            warning[W241]: no story, rule or form says what to do after intent `order`
              ──▶ domain.yml:4:3
               │
             4 │ - order
               │   ^^^^^

            read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 4 actions, 5 slots and 1 form
            2 errors, 4 warnings; `tabella explain-code CODE` says more
            exit 65
        "#]]);
}

#[test]
fn what_nothing_uses_is_told_in_lists() {
    let lots: String = (0..4)
        .map(|n| format!("  utter_{n}:\n  - text: x\n"))
        .collect();
    let project = Project::new().and("domain.yml", "- dish\n", "- dish\n- drink\n");
    project.write(
        "domain.yml",
        &(fs::read_to_string(project.path("domain.yml")).unwrap() + &lots),
    );
    project.shows(expect![[r#"
        warning[W242]: a response is sent by no story, rule or form (4 times)
          domain.yml:41:3  no story, rule or form sends response `utter_0`
          domain.yml:43:3  no story, rule or form sends response `utter_1`
          domain.yml:45:3  no story, rule or form sends response `utter_2`
          domain.yml:47:3  no story, rule or form sends response `utter_3`

        warning[W246]: entity `drink` is annotated in no example: it is never recognised
          ──▶ domain.yml:9:3
           │
         9 │ - drink
           │   ^^^^^

        read 8 examples of 4 intents with 1 entity; 2 stories and 1 rule; a domain of 8 actions, 5 slots and 1 form
        5 warnings; `tabella explain-code CODE` says more
        exit 0
    "#]]);
}

#[test]
fn each_trap_is_found_by_its_code() {
    let found = |path: &str, old: &str, new: &str| Project::with(path, old, new).codes();
    let (nlu, domain, stories) = ("data/nlu.yml", "domain.yml", "data/stories.yml");
    assert_eq!(found("config.yml", "assistant_id: pizza\n", ""), ["N130"]);
    assert_eq!(found("config.yml", "language: en\n", ""), ["N132"]);
    assert_eq!(
        found("config.yml", "- name: RulePolicy\n", ""),
        ["E112", "W111"]
    );
    assert_eq!(
        found(domain, "- inform\n", "- inform\n- Inform\n"),
        ["W240", "W251"]
    );
    assert_eq!(
        found(domain, "utter_ask_dish", "utter_ask_dihs"),
        ["W242", "W250"]
    );
    assert_eq!(
        found(domain, "[pizza, pasta]", "[pizza, pasta, pizza]"),
        ["W259"]
    );
    let form = |line: &str| {
        found(
            domain,
            "    required_slots",
            &format!("    {line}\n    required_slots"),
        )
    };
    assert_eq!(form("ignored_intents: grete"), ["W258"]);
    let mapping = "      entity: dish\n";
    let condition = "      conditions: [{active_loop: order_form}]\n";
    assert_eq!(
        found(domain, mapping, &format!("{mapping}{condition}")),
        [""; 0]
    );
    let other = Project::with(domain, mapping, &format!("{mapping}{condition}"));
    let other = other.and(domain, "required_slots: [dish]", "required_slots: [price]");
    assert!(other.codes().contains(&"W254".to_owned()));
    let custom = "- type: custom\n";
    assert_eq!(
        found(
            domain,
            custom,
            "- type: custom\n      action: action_find\n"
        ),
        ["W257"]
    );
    assert_eq!(
        found(domain, "- bye\n", "- bye: {triggers: utter_bye}\n"),
        ["W255"]
    );
    assert_eq!(found(nlu, "- good day", "- hello"), ["N341", "W344"]);
    assert_eq!(
        found(nlu, "- bring me something", "bring me something"),
        ["W304", "W344"]
    );
    let regex = |pattern: &str| format!("nlu:\n- regex: zip\n  examples: |\n    - {pattern}\n");
    assert_eq!(found(nlu, "nlu:\n", &regex("[0-9{5}")), ["E345"]);
    assert_eq!(found(nlu, "nlu:\n", &regex("[0-9]*")), ["W346"]);
    let table = "nlu:\n- lookup: dish\n  examples: |\n    - pizza\n    - pizza\n";
    assert_eq!(found(nlu, "nlu:\n", table), ["N357"]);
    assert_eq!(
        found(
            nlu,
            "[pizza](dish)",
            "[pizza]{\"entity\": \"dish\", \"role\": \"main\"}"
        ),
        ["W356"]
    );
    assert_eq!(
        found(stories, "somebody is hungry", "a member comes in"),
        ["W450"]
    );
    assert_eq!(
        found(stories, "action: utter_ordered", "checkpoint: done"),
        ["W242", "W462"]
    );
    assert_eq!(
        found(stories, "dish: pizza", "requested_slot: dihs"),
        ["W457"]
    );
}

#[test]
fn rules_that_cannot_be_followed_are_told_at_their_line() {
    let project = Project::new();
    project.write(
        "data/rules.yml",
        "rules:\n- rule: two messages\n  steps:\n  - intent: greet\n  - action: utter_greet\n  \
         - intent: inform\n  - action: utter_ordered\n",
    );
    project.shows(expect![[r#"
        error[E454]: rule `two messages` has more than one user message
          ──▶ data/rules.yml:6:13
           │
         6 │   - intent: inform
           │             ^
           = help: write a story, or set `restrict_rules: false` of `RulePolicy`

        read 8 examples of 4 intents with 1 entity; 2 stories and 2 rules; a domain of 4 actions, 5 slots and 1 form
        1 error; `tabella explain-code CODE` says more
        exit 65
    "#]]);
}

#[test]
fn warnings_fail_only_when_asked_to() {
    let project = Project::with("data/nlu.yml", "- bring me something", "- hello");
    assert_eq!(project.run(&["data", "validate"]).0, 0);
    assert_eq!(
        project.run(&["data", "validate", "--fail-on-warnings"]).0,
        65
    );
    let (code, out) = project.run(&["data", "validate", "--quiet"]);
    assert_eq!((code, out.lines().count()), (0, 1), "{out}");
}

#[test]
fn a_training_tells_the_same_before_anything_trains() {
    let project = Project::with("data/nlu.yml", "- bring me something", "- hello").and(
        "domain.yml",
        "- dish\n",
        "- dish\n- drink\n",
    );
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tabella"))
            .args(arguments)
            .env_clear()
            .env("TABELLA_CACHE_DIR", project.path("cache"))
            .current_dir(project.folder.path())
            .output()
            .unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), err)
    };
    let (code, err) = run(&["train", "--dry-run"]);
    assert_eq!(code, 7, "{err}");
    assert!(
        err.contains("W340") && err.contains("1 more warning"),
        "{err}"
    );
    let (code, err) = run(&["train", "--dry-run", "--skip-validation"]);
    assert_eq!(code, 7, "{err}");
    assert!(!err.contains("W340"), "{err}");
    for more in [&[][..], &["--dry-run"]] {
        let arguments = [&["train", "--fail-on-validation-warnings"], more].concat();
        let (code, err) = run(&arguments);
        assert_eq!(code, 65, "{err}");
        assert!(
            err.contains("W340") && err.contains("none is allowed"),
            "{err}"
        );
    }
    assert!(!project.path("models").exists());
}

/// A project with an error, a warning, a note, and a file of an odd name.
fn mixed() -> Project {
    let project = Project::with("data/nlu.yml", "- good day", "- hello").and(
        "data/stories.yml",
        "intent: order",
        "intent: odrer",
    );
    project.write(
        "data/more of #1.yml",
        "nlu:\n- intent: greet\n  examples: |\n    - - hi\n",
    );
    project
}

#[test]
fn the_report_is_as_its_schema_says() {
    let schema = Schema::open("validation.schema.json");
    for project in [Project::new(), mixed()] {
        let (_, report) = project.json(&["data", "validate", "--json"]);
        assert_eq!(schema.refusal(&report), None);
    }
    let (code, report) = mixed().json(&["data", "validate", "--json"]);
    assert_eq!(code, 65);
    assert_eq!(report["errors"], 1);
    for (kind, want) in [("valid", true), ("invalid", false)] {
        for entry in fs::read_dir(folder().join("samples/validation").join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let sample: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let refusal = schema.refusal(&sample);
            assert_eq!(refusal.is_none(), want, "{}: {refusal:?}", path.display());
        }
    }
}

#[test]
fn the_sarif_log_has_what_the_format_requires() {
    let (code, log) = mixed().json(&["data", "validate", "--sarif"]);
    assert_eq!(code, 65);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(run["tool"]["driver"]["name"], "tabella");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 3);
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let physical = &result["locations"][0]["physicalLocation"];
        let region = &physical["region"];
        let number = |key: &str| region[key].as_u64().unwrap();
        assert!(number("startLine") >= 1 && number("startColumn") >= 1);
        assert!(number("endColumn") > number("startColumn"));
        let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
        assert!(
            uri.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-._~/%".contains(c)),
            "{uri}"
        );
    }
    for rule in rules {
        for key in ["shortDescription", "fullDescription", "help"] {
            assert!(!rule[key]["text"].as_str().unwrap().is_empty());
        }
    }
    let text = log.to_string();
    assert!(text.contains("data/more%20of%20%231.yml"), "{text}");
}

#[test]
fn every_code_can_be_explained() {
    let project = Project::new();
    let (code, out) = project.run(&["explain-code", "w404"]);
    assert_eq!(code, 0);
    expect![[r#"
        W404: an intent of a story is not in the domain

        A story or rule names an intent that the domain does not have: it never happens, so the story is never told. It is a warning in `tabella train`, and an error in `tabella data validate`, as in Rasa's validator.

        For example:

            - story: book
              steps:
              - intent: book_tabel
              - action: utter_booked

        What to do: Correct the name, or list the intent in the domain.
    "#]].assert_eq(&out);
    let (code, list) = project.run(&["explain-code"]);
    assert_eq!((code, list.lines().count()), (0, CODES.len()));
    let (_, pages) = project.json(&["explain-code", "--json"]);
    assert_eq!(pages.as_array().unwrap().len(), CODES.len());
    let (code, _) = project.run(&["explain-code", "E404"]);
    assert_eq!(code, 64);
}

#[test]
fn correct_bots_of_other_people_get_few_remarks() {
    let Some(bots) = shared("bots") else { return };
    for (bot, most) in [
        ("rasa2-moodbot", 1),
        ("rasa3-e2ebot", 0),
        ("rasa3-responseselectorbot", 2),
    ] {
        let options = ValidateOptions {
            project: bots.join(bot),
            ..ValidateOptions::default()
        };
        let mut found = api::validate(&options).unwrap().findings.diagnostics;
        // Components that are not built in are another matter.
        found.retain(|one| one.code.as_bytes()[1] != b'1');
        assert!(found.len() <= most, "{bot}: {found:#?}");
    }
}

#[test]
fn a_folder_stands_for_a_domain_that_is_not_there() {
    let project = Project::new();
    let (_, before) = project.json(&["data", "validate", "--json"]);
    fs::create_dir(project.path("domain")).unwrap();
    fs::rename(project.path("domain.yml"), project.path("domain/all.yml")).unwrap();
    let (_, after) = project.json(&["data", "validate", "--json"]);
    assert_eq!(after["counts"], before["counts"]);
    assert!(after["counts"]["domain"]["responses"].as_u64() > Some(0));
}

#[test]
fn a_missing_configuration_is_told_and_so_is_a_missing_domain() {
    let project = Project::new();
    fs::remove_file(project.path("config.yml")).unwrap();
    assert_eq!(project.codes(), ["E003"]);
    let (code, _) = project.run(&["data", "validate"]);
    assert_eq!(code, 65);

    let project = Project::new();
    fs::remove_file(project.path("domain.yml")).unwrap();
    let (code, out) = project.run(&["data", "validate"]);
    let warning = "warning[W501]: there is no valid domain, so only an NLU model is trained; \
                   give one with `--domain`";
    assert!(out.contains(warning), "{out}");
    assert_eq!(code, 0);
}

#[test]
fn texts_that_have_no_intent_stand_under_no_two() {
    let synonym = "nlu:\n- intent: ''\n  examples: |\n    - hello\n";
    let project = Project::with("data/nlu.yml", "nlu:\n", synonym);
    assert!(!project.codes().contains(&"W340".to_owned()));
}

#[test]
fn brackets_before_parentheses_are_an_annotation_only_if_they_name_an_entity() {
    let codes = |text: &str| Project::with("data/nlu.yml", "- hello", text).codes();
    assert_eq!(codes("- a [pizza] (dish) please"), ["W352"]);
    assert_eq!(codes("- a [pizza] (dish:pizza) please"), ["W352"]);
    assert_eq!(codes("- see [1] (the first note)"), [""; 0]);
    let project = Project::new();
    let json = r#"{"rasa_nlu_data": {"common_examples": [
        {"text": "hello [you](", "intent": "greet", "entities": []}]}}"#;
    project.write("data/more.json", json);
    assert!(!project.codes().contains(&"W352".to_owned()));
}

#[test]
fn a_role_that_no_story_uses_is_only_noted() {
    let severity = |step: &str| {
        let marked = "[pizza]{\"entity\": \"dish\", \"role\": \"main\"}";
        let project = Project::with("data/nlu.yml", "[pizza](dish)", marked).and(
            "data/stories.yml",
            "  - intent: order\n",
            step,
        );
        let (_, json) = project.json(&["data", "validate", "--json"]);
        let found = json["diagnostics"].as_array().unwrap();
        let found = found.iter().find(|one| one["code"] == "W356").unwrap();
        found["severity"].as_str().unwrap().to_owned()
    };
    assert_eq!(severity("  - intent: order\n"), "note");
    let step = "  - intent: order\n    entities:\n    - dish: pizza\n      role: main\n";
    assert_eq!(severity(step), "warning");
}

#[test]
fn of_many_annotations_in_a_line_the_first_are_told_at_once() {
    let line = format!("- {}", "[a](dish)".repeat(50_000));
    let project = Project::with("data/nlu.yml", "- a [pizza](dish) please", &line);
    let (_, json) = project.json(&["data", "validate", "--json"]);
    let found = json["diagnostics"].as_array().unwrap();
    let found: Vec<_> = found.iter().filter(|one| one["code"] == "W342").collect();
    // They are the same words at the same place.
    assert!(!found.is_empty() && found.len() <= 20, "{found:#?}");
    let notes = found.iter().filter_map(|one| one["note"].as_str());
    let notes: Vec<&str> = notes.collect();
    assert_eq!(notes, ["it is so with 49980 more in this example"]);
}

#[test]
fn huge_names_are_cut_where_messages_quote_them() {
    let name = "x".repeat(5000);
    let text = format!("Your {{{name}}} is on its way.");
    let project = Project::with("domain.yml", "Your {dish} is on its way.", &text);
    let (_, json) = project.json(&["data", "validate", "--json"]);
    let found = json["diagnostics"].as_array().unwrap();
    let found = found.iter().find(|one| one["code"] == "W247").unwrap();
    let message = found["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("`{}…`", "x".repeat(100))),
        "{message}"
    );
}

#[test]
fn of_many_values_of_a_slot_ten_are_listed() {
    let values: Vec<String> = (0..30).map(|one| format!("value_{one:02}")).collect();
    let values = format!("values: [pizza, {}]", values.join(", "));
    let project = Project::with("domain.yml", "values: [pizza, pasta]", &values).and(
        "data/stories.yml",
        "dish: pizza",
        "dish: something",
    );
    let (_, json) = project.json(&["data", "validate", "--json"]);
    let found = json["diagnostics"].as_array().unwrap();
    let found = found.iter().find(|one| one["code"] == "W455").unwrap();
    assert_eq!(
        found["help"],
        "its values are pizza, value_00, value_01, value_02, value_03, value_04, value_05, \
         value_06, value_07, value_08 and 21 more"
    );
}

#[test]
fn a_typo_in_a_component_names_the_one_that_was_meant() {
    let project = Project::with("config.yml", "WhitespaceTokenizer", "WhitespaceTokeniser");
    let (code, out) = project.run(&["data", "validate"]);
    assert_eq!(code, 65);
    assert!(
        out.contains("= help: did you mean `WhitespaceTokenizer`?"),
        "{out}"
    );
}

#[test]
fn nothing_is_said_about_rules_that_default_policies_could_follow() {
    let start = CONFIG.find("policies:").unwrap();
    let project = Project::with("config.yml", &CONFIG[start..], "");
    let start = STORIES.find("rules:").unwrap();
    let project = project.and("data/stories.yml", &STORIES[start..], "");
    assert!(!project.codes().contains(&"W111".to_owned()));
}
