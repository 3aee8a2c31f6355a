//! A converted project is the same project, in files of version 3.1.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use expect_test::Expect;
use expect_test::expect;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use tabella::convert::Conversion;
use tabella::convert::convert;
use tabella::diagnostic::Severity;
use tabella::import::FileKind;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::import_project;
use walkdir::WalkDir;

use crate::meaning::meaning;
use crate::shared::shared;

/// Returns the usual files of a project's folder, those that are there.
fn sources(root: &Path) -> Sources {
    let there = |names: &[&str]| -> Vec<PathBuf> {
        let names = names.iter().map(PathBuf::from);
        names.filter(|path| root.join(path).exists()).collect()
    };
    Sources {
        root: root.to_owned(),
        config: there(&["config.yml"]).pop().unwrap_or_default(),
        domain: there(&["domain.yml", "domain"]),
        data: there(&["data"]),
        ..Sources::default()
    }
}

/// Writes files below a new folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        write(root.path(), Path::new(path), text.as_bytes());
    }
    root
}

fn write(root: &Path, path: &Path, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes a conversion below a new folder.
fn written(conversion: &Conversion, root: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for output in &conversion.outputs {
        let path = output.path.strip_prefix(root).unwrap_or(&output.path);
        write(folder.path(), path, &output.bytes);
    }
    folder
}

/// Converts files and returns the text of one of the results.
#[track_caller]
fn check(files: &[(&str, &str)], path: &str, want: Expect) {
    let root = folder(files);
    let conversion = convert(&sources(root.path())).unwrap();
    let result = written(&conversion, root.path());
    want.assert_eq(&fs::read_to_string(result.path().join(path)).unwrap());
}

// --- What changes, and what stays -----------------------------------------

const DOMAIN: &str = "\
# The domain of a café.
version: '2.0'   # not the latest

intents: [order, bye]
entities:
  - dish  # eaten
  - number

slots:
  dish: &dish
    type: 'text'
    auto_fill: false # the form does it
    influence_conversation: true
  guests: {type: float, auto_fill: false, max_value: 10}
  notes:
    type: unfeaturized
  number:
    type: rasa.shared.core.slots.FloatSlot
# what to say
responses:
  utter_bye:
  - text: \"Bye, {dish}\"   # really

forms:
  table_form:   # the only one
    ignored_intents: [bye]
    required_slots:
      dish:
      - type: from_entity   # by name
        entity: dish
      # any number
      guests:
        - type: from_entity
          entity: number
          intent: [order]
        - {type: from_text, not_intent: bye}
";

#[test]
fn a_domain_of_rasa_2_is_edited_where_it_must_be() {
    check(
        &[("domain.yml", DOMAIN)],
        "domain.yml",
        expect![[r##"
            # The domain of a café.
            version: "3.1"   # not the latest

            intents: [order, bye]
            entities:
              - dish  # eaten
              - number

            slots:
              dish: &dish
                type: 'text'
                # the form does it
                influence_conversation: true
                mappings:
                - type: from_entity
                  entity: dish
                  conditions:
                  - active_loop: table_form
              guests: {type: float, max_value: 10, mappings: [{type: from_entity, entity: number, intent: [order], conditions: [{active_loop: table_form}]}, {type: from_text, not_intent: bye, conditions: [{active_loop: table_form, requested_slot: guests}]}]}
              notes:
                type: any
                mappings:
                - type: custom
              number:
                type: float
                mappings:
                - type: from_entity
                  entity: number
            # what to say
            responses:
              utter_bye:
              - text: "Bye, {dish}"   # really

            forms:
              table_form:   # the only one
                ignored_intents: [bye]
                required_slots:
                  # by name
                  - dish
                  # any number
                  - guests
        "##]],
    );
}

#[test]
fn a_domain_of_rasa_1_gets_responses_forms_and_actions() {
    let domain = "\
intents:
- greet
entities: []
actions:
- action_a
templates:
  utter_greet:
  - Hello!   # plain
  - |
    two
    lines
  - text: Hi
forms:
- a_form  # first
- b_form
";
    check(
        &[("domain.yml", domain)],
        "domain.yml",
        expect![[r#"
        version: "3.1"

        intents:
        - greet
        entities: []
        actions:
        - action_a
        - a_form
        - b_form
        responses:
          utter_greet:
          - text: Hello!   # plain
          - text: "two\nlines\n"
          - text: Hi
        forms:
          # first
          a_form:
            required_slots: []
          b_form:
            required_slots: []
    "#]],
    );
}

#[test]
fn forms_of_one_file_fill_slots_of_another() {
    let files = [
        ("domain/slots.yml", "slots:\n  dish:\n    type: text"),
        ("domain/entities.yml", "entities: [dish]\n"),
        (
            "domain/forms.yml",
            "forms:\n  a:\n    dish: [{type: from_text}]\n  b:\n    dish: [{type: from_text}]\n",
        ),
    ];
    check(
        &files,
        "domain/slots.yml",
        expect![[r#"
        version: "3.1"

        slots:
          dish:
            type: text
            mappings:
            - type: from_text
              conditions:
              - active_loop: a
                requested_slot: dish
              - active_loop: b
                requested_slot: dish
            - type: from_entity
              entity: dish"#]],
    );
    check(
        &files,
        "domain/forms.yml",
        expect![[r#"
        version: "3.1"

        forms:
          a:
            required_slots:
            - dish
          b:
            required_slots:
            - dish
    "#]],
    );
}

#[test]
fn slots_that_only_a_form_has_are_added() {
    let form = "\
forms:
  f:
    required_slots:
      other: # asked
      - type: from_text
      'no':
      - {type: from_entity, entity: city}
";
    for (slots, want) in [
        (
            "slots:\n  city: {type: text, auto_fill: false}\n",
            expect![[r#"
                version: "3.1"
                entities: [city]
                slots:
                  city: {type: text, mappings: [{type: custom}]}
                  "no":
                    type: text
                    influence_conversation: false
                    mappings:
                    - type: from_entity
                      entity: city
                      conditions:
                      - active_loop: f
                  other:
                    type: text
                    influence_conversation: false
                    mappings:
                    - type: from_text
                      conditions:
                      - active_loop: f
                        requested_slot: other
                forms:
                  f:
                    required_slots:
                      # asked
                      - other
                      - "no"
            "#]],
        ),
        (
            "slots: {city: {type: any}}\n",
            expect![[r#"
                version: "3.1"
                entities: [city]
                slots: {city: {type: any, mappings: [{type: from_entity, entity: city}]}, "no": {type: text, influence_conversation: false, mappings: [{type: from_entity, entity: city, conditions: [{active_loop: f}]}]}, other: {type: text, influence_conversation: false, mappings: [{type: from_text, conditions: [{active_loop: f, requested_slot: other}]}]}}
                forms:
                  f:
                    required_slots:
                      # asked
                      - other
                      - "no"
            "#]],
        ),
        (
            "slots: {}   # none\n",
            expect![[r#"
                version: "3.1"
                entities: [city]
                slots: {"no": {type: text, influence_conversation: false, mappings: [{type: from_entity, entity: city, conditions: [{active_loop: f}]}]}, other: {type: text, influence_conversation: false, mappings: [{type: from_text, conditions: [{active_loop: f, requested_slot: other}]}]}}   # none
                forms:
                  f:
                    required_slots:
                      # asked
                      - other
                      - "no"
            "#]],
        ),
        (
            "",
            expect![[r#"
                version: "3.1"
                entities: [city]
                forms:
                  f:
                    required_slots:
                      # asked
                      - other
                      - "no"

                slots:
                  "no":
                    type: text
                    influence_conversation: false
                    mappings:
                    - type: from_entity
                      entity: city
                      conditions:
                      - active_loop: f
                  other:
                    type: text
                    influence_conversation: false
                    mappings:
                    - type: from_text
                      conditions:
                      - active_loop: f
                        requested_slot: other
            "#]],
        ),
    ] {
        let domain = format!("version: \"2.0\"\nentities: [city]\n{slots}{form}");
        check(&[("domain.yml", &domain)], "domain.yml", want);
    }
    let said = notes(&[("domain.yml", form)]);
    expect![[r#"
        W601 domain.yml:4:1 slot `other` of form `f` is not under `slots`: it is added there, as text that stories do not see
        W601 domain.yml:6:1 slot `no` of form `f` is not under `slots`: it is added there, as text that stories do not see"#]].assert_eq(&said.join("\n"));
}

#[test]
fn policies_that_are_gone_become_rules() {
    let files = [
        (
            "config.yml",
            "\
language: en
pipeline:
  - name: WhitespaceTokenizer
  - name: DIETClassifier   # learns
policies:
  - name: MemoizationPolicy
  # falls back
  - name: FallbackPolicy   # below 0.4
    nlu_threshold: 0.4
  - name: MappingPolicy
  - name: FormPolicy
  - name: TEDPolicy
",
        ),
        (
            "domain.yml",
            "intents:\n- greet\n- bye: {triggers: utter_bye}\n- stop:\n    triggers: action_stop   # at once\n    use_entities: []\nactions: [action_stop]\nresponses:\n  utter_bye: [{text: Bye}]\n",
        ),
        ("data/nlu.yml", "nlu: []\n"),
    ];
    check(
        &files,
        "config.yml",
        expect![[r#"
        recipe: default.v1
        language: en
        pipeline:
          - name: WhitespaceTokenizer
          - name: DIETClassifier   # learns
          - name: FallbackClassifier
            threshold: 0.4
            ambiguity_threshold: 0.1
        policies:
          - name: MemoizationPolicy
          # falls back
          # below 0.4
          - name: RulePolicy
            core_fallback_threshold: 0.3
            core_fallback_action_name: action_default_fallback
          - name: TEDPolicy
    "#]],
    );
    check(
        &files,
        "domain.yml",
        expect![[r#"
        version: "3.1"

        intents:
        - greet
        - bye
        - stop:
            # at once
            use_entities: []
        actions: [action_stop]
        responses:
          utter_bye: [{text: Bye}]
    "#]],
    );
    check(
        &files,
        "data/rules.yml",
        expect![[r#"
        version: "3.1"

        rules:
        - rule: map intent nlu_fallback to action_default_fallback
          steps:
          - intent: nlu_fallback
          - action: action_default_fallback

        - rule: map intent bye to utter_bye
          steps:
          - intent: bye
          - action: utter_bye

        - rule: map intent stop to action_stop
          steps:
          - intent: stop
          - action: action_stop
    "#]],
    );
}

#[test]
fn old_names_in_stories_become_new_ones() {
    let stories = "\
version: \"2.0\"
stories:
- story: a   # first
  steps:
  - intent: /stop
  - action: action_deactivate_form   # ends it
  - or:
    - intent: /bye
    - intent: greet
";
    check(
        &[("data/stories.yml", stories)],
        "data/stories.yml",
        expect![[r#"
            version: "3.1"
            stories:
            - story: a   # first
              steps:
              - intent: stop
              - action: action_deactivate_loop   # ends it
              - or:
                - intent: bye
                - intent: greet
        "#]],
    );
}

#[test]
fn line_ends_and_marks_stay() {
    let root = folder(&[(
        "domain.yml",
        "\u{feff}# é\r\nversion: \"2.0\"\r\nslots:\r\n  a:\r\n    type: text\r\nintents: []\r\n",
    )]);
    let conversion = convert(&sources(root.path())).unwrap();
    let text = String::from_utf8(conversion.outputs[0].bytes.clone()).unwrap();
    assert_eq!(
        text,
        "\u{feff}# é\r\nversion: \"3.1\"\r\nslots:\r\n  a:\r\n    type: text\r\n    mappings:\r\n    - type: custom\r\nintents: []\r\n"
    );
}

// --- The same project ------------------------------------------------------

fn errors(imported: &Imported) -> Vec<String> {
    let errors = imported.diagnostics.iter();
    let errors = errors.filter(|d| d.severity == Severity::Error);
    errors
        .map(|d| format!("{} {} {}", d.code, d.place, d.message))
        .collect()
}

/// Notes and warnings that older formats are read with.
const OLD: &[&str] = &["N211", "N221", "N222", "N223", "N224", "W408", "W413"];

/// Checks that a project's conversion is the same project, keeps its comments and
/// need not be converted again. Returns what is wrong.
fn wrong(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let sources_before = sources(root);
    let before = import_project(&sources_before).unwrap();
    let mut conversion = convert(&sources_before).unwrap();
    // Rules that take over from policies are new.
    conversion.outputs.retain(|output| output.source.is_some());
    let folder = written(&conversion, root);
    let sources_after = sources(folder.path());
    let after = import_project(&sources_after).unwrap();
    let (a, b) = (meaning(&before.project), meaning(&after.project));
    for part in ["domain", "nlu", "stories"] {
        if a[part] != b[part] {
            wrong.push(format!(
                "{part}: {}",
                first_difference(&a[part], &b[part], "")
            ));
        }
    }
    if errors(&before).is_empty() && !errors(&after).is_empty() {
        wrong.push(format!("{:?}", errors(&after)));
    }
    let old = after.diagnostics.iter().filter(|d| OLD.contains(&d.code));
    wrong.extend(old.map(|d| format!("still old: {} {}", d.place, d.message)));
    for output in &conversion.outputs {
        if let Some(source) = &output.source {
            let text = fs::read_to_string(root.join(source)).unwrap();
            let new = String::from_utf8(output.bytes.clone()).unwrap();
            let lost = comments(source, &text)
                .into_iter()
                .filter(|c| !new.contains(c));
            wrong.extend(lost.map(|c| format!("{}: comment lost: {c}", source.display())));
        }
    }
    let again = convert(&sources_after).unwrap();
    let changed = again.outputs.iter().filter(|output| output.is_changed);
    wrong.extend(changed.map(|output| format!("changes again: {}", output.path.display())));
    wrong
}

/// Returns the texts of whole-line comments.
fn comments(path: &Path, text: &str) -> Vec<String> {
    if path.extension().is_some_and(|suffix| suffix == "md") {
        let inner = text.split("<!--").skip(1);
        let inner = inner.filter_map(|rest| rest.split_once("-->"));
        let lines = inner.flat_map(|(comment, _)| comment.lines());
        return lines.map(|line| line.trim().to_owned()).collect();
    }
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Returns where two values differ first.
fn first_difference(a: &Value, b: &Value, path: &str) -> String {
    match (a, b) {
        (Value::Array(x), Value::Array(y)) => {
            for (at, (a, b)) in x.iter().zip(y).enumerate() {
                if a != b {
                    return first_difference(a, b, &format!("{path}/{at}"));
                }
            }
            format!(
                "{path}: {} and {} items; {:?}",
                x.len(),
                y.len(),
                x.get(y.len()).or(y.get(x.len()))
            )
        }
        (Value::Object(x), Value::Object(y)) => {
            for (key, a) in x {
                if Some(a) != y.get(key) {
                    let b = y.get(key).unwrap_or(&Value::Null);
                    return first_difference(a, b, &format!("{path}/{key}"));
                }
            }
            format!("{path}: more keys")
        }
        _ => format!("{path}: {a} became {b}"),
    }
}

/// Returns the folders that hold a config or domain, with data.
fn projects(bots: &Path) -> Vec<PathBuf> {
    let folders = WalkDir::new(bots).sort_by_file_name();
    let folders = folders.into_iter().map(|entry| entry.unwrap().into_path());
    let is_project = |path: &PathBuf| {
        ["config.yml", "domain.yml", "domain"]
            .iter()
            .any(|name| path.join(name).exists())
            && path.join("data").is_dir()
    };
    folders.filter(is_project).collect()
}

#[test]
fn converted_bots_are_the_same_bots() {
    let Some(bots) = shared("bots") else { return };
    let mut all = Vec::new();
    let mut count = 0;
    for root in projects(&bots) {
        let name = root.strip_prefix(&bots).unwrap().display().to_string();
        let wrong = wrong(&root);
        count += 1;
        all.extend(
            wrong
                .into_iter()
                .take(4)
                .map(|what| format!("{name}: {what}")),
        );
    }
    assert!(count > 35, "only {count} bots");
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

#[test]
fn domains_are_migrated_as_rasa_migrates_them() {
    let Some(bots) = shared("bots") else { return };
    for name in ["rasa2-formbot", "repair-strategies-bot", "rasa-ch-faq"] {
        let conversion = convert(&sources(&bots.join(name))).unwrap();
        let ours = conversion
            .outputs
            .iter()
            .find(|output| output.kinds.contains(&FileKind::Domain));
        let ours: Value = serde_yaml::from_slice(&ours.unwrap().bytes).unwrap();
        let theirs = fs::read(bots.join(format!("{name}-migrated/domain.yml"))).unwrap();
        let mut theirs: Value = serde_yaml::from_slice(&theirs).unwrap();
        // Rasa drops what is empty.
        for (key, value) in ours.as_object().unwrap() {
            let is_empty = value.is_null() || *value == json!([]) || *value == json!({});
            if is_empty && theirs.get(key).is_none() {
                theirs[key] = value.clone();
            }
        }
        theirs["version"] = json!("3.1");
        let difference = first_difference(&ours, &theirs, "");
        assert!(ours == theirs, "{name}: {difference}");
    }
}

/// Returns the notes of a conversion, with their places in its files.
fn notes(files: &[(&str, &str)]) -> Vec<String> {
    let root = folder(files);
    let conversion = convert(&sources(root.path())).unwrap();
    let notes = conversion.diagnostics.iter();
    notes
        .map(|d| format!("{} {} {}", d.code, d.place, d.message))
        .collect()
}

#[track_caller]
fn check_same(files: &[(&str, &str)]) {
    let wrong = wrong(folder(files).path());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_file_of_a_newer_version_stays_as_it_is() {
    let domain = "version: \"3.1\"\nintents: [a]\n";
    let nlu = "version: '4.0'\nnlu:\n- intent: a\n  examples: |\n    - b\n";
    let files = [("domain.yml", domain), ("data/nlu.yml", nlu)];
    check_same(&files);
    check(
        &files,
        "data/nlu.yml",
        expect![[r#"
        version: '4.0'
        nlu:
        - intent: a
          examples: |
            - b
    "#]],
    );
    expect!["W017 data/nlu.yml:1:10 version `4.0` is newer than 3.1: the file is skipped"]
        .assert_eq(&notes(&files).join("\n"));
}

#[test]
fn headings_of_markdown_start_what_the_reader_says_they_start() {
    for heading in [
        "## intent : bye",
        "##intent:bye",
        "##  intent: bye",
        "## bye",
        "# intent:bye",
    ] {
        let nlu = format!("## lookup:mixed\n- a\n{heading}\n- ccc ddd\n");
        check_same(&[("domain.yml", "intents: [bye]\n"), ("data/nlu.md", &nlu)]);
    }
    check_same(&[
        ("domain.yml", "intents: [bye]\n"),
        ("data/nlu.md", "##intent:bye\n- ccc\n"),
    ]);
}

#[test]
fn a_lookup_table_keeps_its_file_and_its_phrases() {
    let cities = ("data/cities.txt", "rome\n paris \n\n");
    for lines in [
        "data/cities.txt",
        "- a\ndata/cities.txt",
        "cities.txt\n- a",
        "data/cities.txt\n## lookup:x\n- a",
    ] {
        let nlu = format!("## intent:a\n- b\n## lookup:x\n{lines}\n");
        check_same(&[
            ("domain.yml", "intents: [a]\n"),
            ("data/nlu.md", &nlu),
            cities,
        ]);
    }
    let nlu = "## intent:a\n- b\n## lookup:x\n- a\ndata/cities.txt\n";
    let said = notes(&[("data/nlu.md", nlu), cities]);
    assert_eq!(
        said,
        [
            "W601 data/nlu.md:5:1 lookup table `x` gets the phrases of `data/cities.txt`, not its name"
        ]
    );
}

#[test]
fn rules_of_markdown_hold_where_they_did() {
    let rules = "\
>> a rule
* greet
  - utter_greet
>> dots >
<!-- anywhere -->
  - ...
* bye
  - utter_bye
>> conditions
- slot{\"dish\": \"x\"}
- form{\"name\": \"a_form\"}
<!-- then -->
- ...
* bye
- utter_bye
<!-- at the end -->
- ...
>> dots within
* bye
- ...
- utter_bye
- ...
";
    let domain = "\
version: \"3.1\"
intents: [greet, bye]
slots: {dish: {type: text, mappings: [{type: custom}]}}
forms: {a_form: {required_slots: []}}
responses:
  utter_greet: [{text: hi}]
  utter_bye: [{text: bye}]
";
    let files = [("domain.yml", domain), ("data/rules.md", rules)];
    check_same(&files);
    check(
        &files,
        "data/rules.yml",
        expect![[r#"
        version: "3.1"

        rules:
        - rule: a rule
          conversation_start: true
          steps:
          - intent: greet
          - action: utter_greet

        - rule: dots >
          # anywhere
          steps:
          - intent: bye
          - action: utter_bye

        - rule: conditions
          # then
          condition:
          - slot_was_set:
            - dish: x
          - active_loop: a_form
          steps:
          - intent: bye
          - action: utter_bye
          # at the end
          wait_for_user_input: false

        - rule: dots within
          conversation_start: true
          steps:
          - intent: bye
          - action: "..."
          - action: utter_bye
          wait_for_user_input: false
    "#]],
    );
}

#[test]
fn json_keeps_order_and_all_that_can_be_written() {
    let nlu = r#"{"rasa_nlu_data": {
 "common_examples": [
  {"text": "zz b", "intent": "z"},
  {"text": " go to rome  ", "intent": "a", "entities": [{"start": 7, "end": 13, "entity": "city", "value": "rome  "}]},
  {"text": "aa", "intent": "z"},
  {"text": "a]b to rome", "intent": "a", "entities": [
   {"start": 0, "end": 3, "entity": "x", "value": "a]b"}, {"start": 7, "end": 11, "entity": "city", "value": "rome"}]},
  {"text": "nothing"},
  {"text": "a [b](c) literal", "intent": "a"}
 ],
 "regex_features": [{"name": "r", "pattern": " a\\d "}, {"name": "b", "pattern": "b"}],
 "lookup_tables": [{"name": "l", "elements": [" x "]}],
 "entity_synonyms": [{"value": "v", "synonyms": ["s "]}]}}"#;
    let files = [("data/nlu.json", nlu)];
    check(
        &files,
        "data/nlu.yml",
        expect![[r#"
            version: "3.1"

            nlu:
            - intent: z
              examples: |
                - zz b
                - aa

            - intent: a
              examples: |
                - go to [rome](city)

            - synonym: v
              examples: |
                - s

            - regex: r
              examples: |
                - [ ]a\d[ ]

            - regex: b
              examples: |
                - b

            - lookup: l
              examples: |
                - x
        "#]],
    );
    check(
        &files,
        "data/nlu_rest.json",
        expect![[r#"
        {
          "rasa_nlu_data": {
            "common_examples": [
              {
                "entities": [
                  {
                    "end": 3,
                    "entity": "x",
                    "start": 0,
                    "value": "a]b"
                  },
                  {
                    "end": 11,
                    "entity": "city",
                    "start": 7,
                    "value": "rome"
                  }
                ],
                "intent": "a",
                "text": "a]b to rome"
              },
              {
                "text": "nothing"
              },
              {
                "intent": "a",
                "text": "a [b](c) literal"
              }
            ]
          }
        }
    "#]],
    );
    expect![[r#"
        W601 data/nlu.json:0:0 synonym "s " of `v` loses the blanks at its ends
        W601 data/nlu.json:4:12 example " go to rome  " of intent `a` loses the blanks at its ends
        N604 data/nlu.json:6:12 example "a]b to rome" of intent `a` stays in JSON
        N604 data/nlu.json:8:12 example "nothing" without an intent stays in JSON
        N604 data/nlu.json:9:12 example "a [b](c) literal" of intent `a` stays in JSON
        W601 data/nlu.json:12:46 phrase " x " of lookup `l` loses the blanks at its ends"#]]
    .assert_eq(&notes(&files).join("\n"));
}

#[test]
fn what_yaml_cannot_say_stays_in_json_and_the_project_is_the_same() {
    let json = r#"{"rasa_nlu_data": {
 "common_examples": [
  {"text": "a]b", "intent": "a", "entities": [
   {"start": 0, "end": 3, "entity": "x", "value": 7, "role": "r", "group": "g"}]},
  {"text": "new york city", "intent": "a/b", "entities": [
   {"start": 0, "end": 8, "entity": "x", "value": "new york"},
   {"start": 4, "end": 13, "entity": "x", "value": "york city"}]},
  {"text": "q", "intent": "a", "entities": [{"start": 0, "end": 1, "entity": "x", "value": "a}b)"}]},
  {"text": "a}b", "intent": "a", "entities": [{"start": 0, "end": 3, "entity": "x", "value": "a}b"}]},
  {"text": "a [b](c) \"literal\"", "intent": "a"},
  {"text": "nothing"},
  {"text": "plain", "intent": "a"}
 ],
 "regex_features": [{"name": "r", "pattern": "(?x) a\n b"}],
 "lookup_tables": [{"name": "l", "elements": ["x\ny", "z"]}],
 "entity_synonyms": [{"value": "v", "synonyms": ["s\nt", "u"]}]}}"#;
    let domain = "intents: [a]\nentities: [x]\n";
    check_whole(&[("domain.yml", domain), ("data/nlu.json", json)]);
    // Nothing of this one would be YAML: it stays as it is.
    let json = r#"{"rasa_nlu_data": {"common_examples": [{"text": "[b](c)", "intent": "a"}]}}"#;
    let files = [("domain.yml", domain), ("data/nlu.json", json)];
    check_whole(&files);
    check(
        &files,
        "data/nlu.json",
        expect![[r#"{"rasa_nlu_data": {"common_examples": [{"text": "[b](c)", "intent": "a"}]}}"#]],
    );
    let markdown = "## intent:a\n- b\n## lookup:x\n- a\n- b\\nc\n## synonym:y\n- d\\ne\n";
    let files = [("domain.yml", domain), ("data/nlu.md", markdown)];
    check_whole(&files);
    expect![[r#"
        N604 data/nlu.md:5:1 lookup "b\nc" of `x` stays in JSON
        N604 data/nlu.md:7:1 synonym "d\ne" of `y` stays in JSON"#]]
    .assert_eq(&notes(&files).join("\n"));
}

/// Checks that the same project can be read from all files that are written.
#[track_caller]
fn check_whole(files: &[(&str, &str)]) {
    let root = folder(files);
    let sources_before = sources(root.path());
    let before = import_project(&sources_before).unwrap();
    assert_eq!(errors(&before), Vec::<String>::new());
    let conversion = convert(&sources_before).unwrap();
    let result = written(&conversion, root.path());
    let after = import_project(&sources(result.path())).unwrap();
    assert_eq!(meaning(&after.project), meaning(&before.project));
    assert!(!conversion.diagnostics.iter().any(|d| d.code == "W601"));
}

// --- Projects that nobody wrote --------------------------------------------

/// Slot names; entities of the same names may be there.
const NAMES: [&str; 4] = ["dish", "größe", "no", "1st"];

/// A slot as Rasa 2 has it, in lines or in braces, with comments.
fn slot() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["text", "bool", "unfeaturized", "'any'", "list"]);
    let fill = prop::sample::select(vec!["", "auto_fill: true", "auto_fill: false"]);
    let (braces, first) = (any::<bool>(), any::<bool>());
    (kind, fill, braces, first).prop_map(|(kind, fill, braces, first)| {
        let kind = format!("type: {kind}");
        let mut keys = vec![kind.as_str(), "initial_value: null"];
        if !fill.is_empty() {
            keys.insert(if first { 0 } else { 2 }, fill);
        }
        match braces {
            true => format!(" {{{}}}   # in braces\n", keys.join(", ")),
            false => {
                let lines = keys
                    .iter()
                    .map(|key| format!("    {key}  # {}\n", key.len()));
                format!("\n{}", lines.collect::<String>())
            }
        }
    })
}

/// Mappings of a slot in a form.
fn mappings() -> impl Strategy<Value = String> {
    let mapping = prop::sample::select(vec![
        "{type: from_entity, entity: dish}",
        "{type: from_text, not_intent: [bye]}",
        "{type: from_intent, intent: bye, value: false}",
        "{type: from_trigger_intent, intent: order, value: 'yes'}",
    ]);
    prop::collection::vec(mapping, 1..3).prop_map(|list| {
        list.iter()
            .map(|m| format!("      - {m}  # {}\n", m.len()))
            .collect()
    })
}

/// A domain of Rasa 2.
fn domain() -> impl Strategy<Value = String> {
    let slots = prop::collection::vec(slot(), 1..=NAMES.len());
    let entities = prop::sample::subsequence(NAMES.to_vec(), 1..4);
    let form = prop::collection::btree_map(prop::sample::select(NAMES.to_vec()), mappings(), 0..4);
    let forms = prop::collection::vec(form, 0..3);
    let (keyword, crlf) = (any::<bool>(), any::<bool>());
    (slots, entities, forms, keyword, crlf).prop_map(|(slots, entities, forms, keyword, crlf)| {
        let mut text =
            "# a domain\nversion: \"2.0\"\nintents: [order, bye]\nentities:\n".to_owned();
        for entity in entities {
            text += &format!("- '{entity}'\n");
        }
        text += "slots:\n";
        let known: Vec<&str> = NAMES.into_iter().take(slots.len()).collect();
        for (name, slot) in known.iter().zip(&slots) {
            text += &format!("  # about {name}\n  '{name}':{slot}");
        }
        text += if forms.is_empty() { "" } else { "forms:\n" };
        for (number, form) in forms.iter().enumerate() {
            text += &format!("  form_{number}:\n");
            text += if keyword { "    required_slots:\n" } else { "" };
            let deeper = if keyword { "  " } else { "" };
            for (name, mappings) in form.iter().filter(|(name, _)| known.contains(name)) {
                text += &format!("    {deeper}# asks {name}\n    {deeper}'{name}':\n{mappings}");
            }
        }
        match crlf {
            true => text.replace('\n', "\r\n"),
            false => text,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn converted_domains_are_the_same_domains(domain in domain()) {
        let root = folder(&[("domain.yml", &domain), ("data/nlu.yml", "nlu: []\n")]);
        let wrong = wrong(root.path());
        prop_assert!(wrong.is_empty(), "{domain}\n{wrong:#?}");
    }
}

/// NLU data and stories in Markdown.
fn markdown() -> impl Strategy<Value = (String, String)> {
    let example = prop::sample::select(vec![
        "- hello [you](who)",
        "* two [pizzas]{\"entity\": \"dish\", \"value\": \"pizza\"}  ",
        "+ a \\t tab: 'quoted' # no comment",
        "- ünï \"x\" {y} - z <!-- why -->",
        "<!-- a remark\nof two lines -->",
        "",
    ]);
    let kind = prop::sample::select(vec![
        "intent:a",
        "intent:faq/b",
        "synonym:yes",
        "regex:zip",
        "lookup: dish",
        "intent : a",
        "a",
    ]);
    let section = (kind, prop::collection::vec(example, 1..5));
    let nlu = prop::collection::vec(section, 1..5).prop_map(|sections| {
        let sections = sections.iter();
        let sections = sections.map(|(kind, lines)| format!("## {kind}\n{}\n\n", lines.join("\n")));
        sections.collect::<String>()
    });
    let step = prop::sample::select(vec![
        "* a{\"who\": \"you\", \"dish\": [\"x\", \"no\"]}",
        "* a OR faq  <!-- either -->",
        "- utter_hi",
        "  - action_deactivate_form",
        "- slot{\"dish\": \"1\", \"vip\": null}",
        "- form{\"name\": \"a_form\"}",
        "- active_loop{\"name\": null}",
        "> joint",
        "<!-- a remark -->",
    ]);
    let story = ("[a-z:#']{1,8}", prop::collection::vec(step, 1..7));
    let stories = prop::collection::vec(story, 1..4).prop_map(|stories| {
        let stories = stories.iter();
        let stories =
            stories.map(|(name, steps)| format!("## s {name}\n* a\n{}\n", steps.join("\n")));
        stories.collect::<String>()
    });
    (nlu, stories)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn converted_markdown_says_the_same((nlu, stories) in markdown()) {
        let domain = "intents: [a, faq]\nslots:\n  dish: {type: text}\n  vip: {type: bool}\n";
        let root = folder(&[
            ("domain.yml", domain),
            ("data/nlu.md", &format!("## intent:z\n- z\n\n{nlu}")),
            ("data/stories.md", &stories),
        ]);
        let wrong = wrong(root.path());
        prop_assert!(wrong.is_empty(), "{nlu}\n{stories}\n{wrong:#?}");
    }
}
