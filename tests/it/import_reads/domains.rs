//! Domains of every version are read, and merged by the rules of their version.

use std::path::PathBuf;

use expect_test::Expect;
use expect_test::expect;
use serde_json::json;
use tabella::data::Domain;
use tabella::data::MappingKind;
use tabella::diagnostic::Paint;
use tabella::diagnostic::render;
use tabella::digest::Digest;
use tabella::import::Dialect;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::import_project;

use super::folder;

/// Reads domain files or folders of a project, without other data.
fn read(files: &[(&str, &str)], domain: &[&str]) -> Imported {
    let root = folder(files);
    import_project(&Sources {
        root: root.path().to_owned(),
        domain: domain.iter().map(PathBuf::from).collect(),
        ..Sources::default()
    })
    .unwrap()
}

fn domain(text: &str) -> Imported {
    read(&[("domain.yml", text)], &["domain.yml"])
}

#[track_caller]
fn check_said(imported: &Imported, want: Expect) {
    let said = render(&imported.diagnostics, &imported.sources, Paint::Plain);
    want.assert_eq(&said);
}

fn slot_names(domain: &Domain) -> Vec<&str> {
    domain.slots.iter().map(|slot| slot.name.as_str()).collect()
}

#[test]
fn a_domain_of_rasa_1_is_read_with_notes_of_what_has_changed() {
    let imported = domain(
        "\
intents: [greet]
entities: [city]
slots:
  city: {type: rasa.core.slots.TextSlot}
  seen: {type: unfeaturized, auto_fill: false}
  both: {type: rasa.shared.core.slots.BooleanSlot, initial_value: true}
templates:
  utter_greet:
  - Hello!
  - text: Hi {city}
actions: [action_look]
forms: [city_form]
",
    );
    check_said(
        &imported,
        expect![[r#"
            note[N221]: 3 slots have no `mappings`
              ──▶ domain.yml:4:3
               │
             4 │   city: {type: rasa.core.slots.TextSlot}
               │   ^^^^
               = note: they are filled as in Rasa 2: by the entity of the same name, and by forms
               = help: add `mappings` to each, as Rasa 3 wants: `[{type: from_entity, entity: …}]`, or `[{type: custom}]` if only actions set it

            note[N224]: type `unfeaturized` is read as `any`
              ──▶ domain.yml:5:16
               │
             5 │   seen: {type: unfeaturized, auto_fill: false}
               │                ^^^^^^^^^^^^
               = help: write `any`, or `text` with `influence_conversation: false`

            note[N211]: `templates` is read as `responses`, its name since Rasa 2
              ──▶ domain.yml:7:1
               │
             7 │ templates:
               │ ^^^^^^^^^
               = help: rename the section to `responses`: Rasa 2 and 3 overlook `templates`

            note[N222]: a form is listed by its name, as in Rasa 1
               ──▶ domain.yml:12:9
                │
             12 │ forms: [city_form]
                │         ^^^^^^^^^
                = note: each is read as a form and as the custom action of its name
                = help: write `forms: {name: {required_slots: […]}}`
        "#]],
    );
    let domain = &imported.project.domain;
    assert_eq!(imported.dialect, Dialect::Two);
    assert_eq!(domain.responses["utter_greet"].len(), 2);
    assert_eq!(domain.actions, ["action_look", "city_form"]);
    assert_eq!(domain.forms[0].name, "city_form");
    let filled: Vec<bool> = domain.slots.iter().map(|slot| slot.auto_fill).collect();
    assert_eq!(filled, [true, false, true]);
    assert_eq!(domain.slots[2].initial_value, json!(true));
}

#[test]
fn a_slot_of_rasa_3_without_mappings_is_filled_as_in_rasa_2() {
    let imported = domain(
        "\
version: '3.1'
entities: [dish]
slots:
  dish: {type: text}
  size: {type: text, mappings: [{type: from_text, conditions: [{active_loop: null}]}]}
",
    );
    assert!(!tabella::diagnostic::has_errors(&imported.diagnostics));
    let slots = &imported.project.domain.slots;
    assert_eq!(imported.dialect, Dialect::Three);
    assert!(slots[0].auto_fill && slots[0].mappings.is_empty());
    assert!(!slots[1].auto_fill);
    assert_eq!(slots[1].mappings[0].kind, MappingKind::FromText);
}

#[test]
fn forms_are_read_in_every_syntax() {
    let forms = |text: &str| {
        let text = format!("slots: {{a: {{type: text}}, b: {{type: text}}}}\nforms:\n{text}");
        let domain = domain(&text).project.domain;
        let shown = domain
            .forms
            .iter()
            .map(|form| format!("{}: {}", form.name, form.required_slots.join(", ")));
        shown.collect::<Vec<String>>()
    };
    assert_eq!(forms("  f: {required_slots: [b, a]}"), ["f: b, a"]);
    let mapped = "  f: {required_slots: {b: [{type: from_text}], a: []}}";
    assert_eq!(forms(mapped), ["f: b, a"]);
    assert_eq!(forms("  f: {b: [{type: from_text}]}"), ["f: b"]);
    assert_eq!(forms("  f:\n  g: {}"), ["f: ", "g: "]);
    assert_eq!(forms("- f\n- g: {required_slots: [a]}"), ["f: ", "g: a"]);
}

const FIRST: &str = "\
intents: [greet]
entities: [city]
slots:
  x: {type: text}
  z: {type: text}
actions: [zoo, look_form]
responses:
  utter_a: [{text: first}]
session_config: {session_expiration_time: 5}
";

const SECOND: &str = "\
intents: [greet, bye]
entities: [age]
slots:
  x: {type: bool}
  y: {type: text}
actions: [ape]
responses:
  utter_a: [{text: second}]
forms: {look_form: {x: [{type: from_text}]}}
session_config: {session_expiration_time: 9}
";

#[test]
fn in_a_folder_of_rasa_2_the_later_file_counts() {
    let files = [("domain/a.yml", FIRST), ("domain/b.yml", SECOND)];
    let imported = read(&files, &["domain"]);
    let domain = &imported.project.domain;
    assert_eq!(imported.dialect, Dialect::Two);
    assert_eq!(slot_names(domain), ["x", "y", "z"]);
    assert_eq!(domain.slots[0].kind, tabella::data::SlotKind::Bool);
    assert_eq!(domain.actions, ["ape", "zoo"]);
    assert_eq!(domain.session.expiration_minutes, 9.0);
    assert_eq!(
        domain.responses["utter_a"][0]
            .get("text")
            .and_then(|text| text.as_str()),
        Some("second")
    );
    check_said(
        &imported,
        expect![[r#"
            note[N221]: 2 slots have no `mappings`
              ──▶ domain/a.yml:4:3
               │
             4 │   x: {type: text}
               │   ^
               = note: they are filled as in Rasa 2: by the entity of the same name, and by forms
               = help: add `mappings` to each, as Rasa 3 wants: `[{type: from_entity, entity: …}]`, or `[{type: custom}]` if only actions set it

            note[N229]: intent `greet` is listed in two files
              ──▶ domain/b.yml:1:11
               │
             1 │ intents: [greet, bye]
               │           ^^^^^
               = note: first at domain/a.yml:1:11

            warning[W212]: slot `x` is defined in two files: the later one counts
              ──▶ domain/b.yml:4:3
               │
             4 │   x: {type: bool}
               │   ^
               = note: first at domain/a.yml:4:3

            note[N221]: 2 slots have no `mappings`
              ──▶ domain/b.yml:4:3
               │
             4 │   x: {type: bool}
               │   ^
               = note: they are filled as in Rasa 2: by the entity of the same name, and by forms
               = help: add `mappings` to each, as Rasa 3 wants: `[{type: from_entity, entity: …}]`, or `[{type: custom}]` if only actions set it

            warning[W212]: response `utter_a` is defined in two files: the later one counts
              ──▶ domain/b.yml:8:3
               │
             8 │   utter_a: [{text: second}]
               │   ^^^^^^^
               = note: first at domain/a.yml:8:3

            note[N223]: a form holds slot mappings, as in Rasa 2
              ──▶ domain/b.yml:9:9
               │
             9 │ forms: {look_form: {x: [{type: from_text}]}}
               │         ^^^^^^^^^
               = note: the mappings are read as those of the slots, while the form is active
               = help: list the slots' names under `required_slots`, and put their `mappings` under `slots`

            warning[W212]: `session_config` is set in two files: the later one counts
               ──▶ domain/b.yml:10:1
                │
             10 │ session_config: {session_expiration_time: 9}
                │ ^^^^^^^^^^^^^^
                = note: first at domain/a.yml:9:1
        "#]],
    );
}

#[test]
fn of_paths_that_are_named_the_earlier_counts_in_every_version() {
    let files = [("a.yml", FIRST), ("b.yml", SECOND)];
    let domain = read(&files, &["a.yml", "b.yml"]).project.domain;
    assert_eq!(slot_names(&domain), ["x", "y", "z"]);
    assert_eq!(domain.slots[0].kind, tabella::data::SlotKind::Text);
    assert_eq!(domain.session.expiration_minutes, 5.0);
    assert_eq!(
        domain.responses["utter_a"][0]
            .get("text")
            .and_then(|text| text.as_str()),
        Some("first")
    );
}

#[test]
fn in_a_folder_of_rasa_3_the_earlier_file_counts() {
    let version = |text: &str| format!("version: '3.1'\n{text}");
    let files = [
        ("domain/a.yml", &*version(FIRST)),
        ("domain/b.yml", &*version(SECOND)),
    ];
    let imported = read(&files, &["domain"]);
    let domain = &imported.project.domain;
    assert_eq!(imported.dialect, Dialect::Three);
    assert_eq!(slot_names(domain), ["x", "y", "z"]);
    assert_eq!(domain.actions, ["ape", "zoo"]);
    assert_eq!(domain.session.expiration_minutes, 5.0);
    assert_eq!(
        domain.responses["utter_a"][0]
            .get("text")
            .and_then(|text| text.as_str()),
        Some("first")
    );
    let said = imported.diagnostics.iter();
    let said = said.filter(|one| one.code == "W212" && one.message.contains("first one counts"));
    let said: Vec<&str> = said.map(|one| one.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "slot `x` is defined in two files: the first one counts",
            "response `utter_a` is defined in two files: the first one counts",
            "`session_config` is set in two files: the first one counts",
        ]
    );
}

#[test]
fn renaming_and_reordering_the_files_of_a_domain_changes_nothing() {
    let first = FIRST.replace("  x: {type: text}\n", "").replace("5}", "9}");
    let first = first.replace("text: first", "text: second");
    for version in ["2.0", "3.1"] {
        let version = |text: &str| format!("version: '{version}'\n{text}");
        let (one, other) = (version(&first), version(SECOND));
        let third = version("actions: [look_form]\nslots: {w: {type: list}}\n");
        let read = |names: [&str; 3]| {
            let files = [
                (names[0], one.as_str()),
                (names[1], other.as_str()),
                (names[2], third.as_str()),
            ];
            let imported = read(&files, &["domain"]);
            assert!(imported.diagnostics.iter().all(|one| one.code != "W212"));
            Digest::of_value(&imported.project.domain)
        };
        let digest = read(["domain/a.yml", "domain/b.yml", "domain/c.yml"]);
        assert_eq!(
            digest,
            read(["domain/z.yml", "domain/b.yml", "domain/c.yml"])
        );
        assert_eq!(
            digest,
            read(["domain/x/y.yml", "domain/z.yml", "domain/a.yml"])
        );
    }
}

#[test]
fn one_file_alone_keeps_the_order_of_its_lists() {
    let files = [
        ("domain/a.yml", FIRST),
        ("domain/b.yml", "version: '2.0'\n"),
    ];
    let domain = read(&files, &["domain"]).project.domain;
    assert_eq!(domain.actions, ["zoo", "look_form"]);
}

#[test]
fn what_every_rasa_refuses_is_refused_with_what_to_do() {
    let imported = domain(
        "\
intents:
- 5
- ask:
  use_entities: []
entities: [{city: {}}]
responses:
  utter_a:
  utter_b:
  - text: 5
  - txt: hi
    text: hi
  - text: hi
    buttons: [{title: 5}, go]
    attachment: file
slots:
forms:
session_config: {session_expiration_time: -1}
",
    );
    check_said(
        &imported,
        expect![[r#"
        error[E010]: an intent must be text, not a number
          ──▶ domain.yml:2:3
           │
         2 │ - 5
           │   ^
           = help: put it in quotes if text is meant

        error[E226]: an intent with options is a map of one name
          ──▶ domain.yml:3:3
           │
         3 │ - ask:
           │   ^
           = help: indent the options further than the name: `- name:`, then `    option: …`

        error[E208]: `city` is followed by a colon and nothing
          ──▶ domain.yml:5:13
           │
         5 │ entities: [{city: {}}]
           │             ^^^^
           = help: take the colon away, or indent the options below the name

        error[E219]: response `utter_a` has no variations
          ──▶ domain.yml:7:3
           │
         7 │   utter_a:
           │   ^^^^^^^
           = help: write `- text: …` below it

        error[E010]: `text` of response `utter_b` must be text, not a number
          ──▶ domain.yml:9:11
           │
         9 │   - text: 5
           │           ^
           = help: put it in quotes if text is meant

        error[E220]: a variation of response `utter_b` has the unknown key `txt`
           ──▶ domain.yml:10:5
            │
         10 │   - txt: hi
            │     ^^^
            = help: did you mean `text`?

        error[E010]: `title` in `buttons` of response `utter_b` must be text, not a number
           ──▶ domain.yml:13:23
            │
         13 │     buttons: [{title: 5}, go]
            │                       ^
            = help: put it in quotes if text is meant

        error[E010]: an item of `buttons` of response `utter_b` must be a map, not text
           ──▶ domain.yml:13:27
            │
         13 │     buttons: [{title: 5}, go]
            │                           ^^

        error[E010]: `attachment` of response `utter_b` must be a map, not text
           ──▶ domain.yml:14:17
            │
         14 │     attachment: file
            │                 ^^^^

        error[E010]: `slots` must be a map, not empty
           ──▶ domain.yml:15:6
            │
         15 │ slots:
            │      ^
            = help: take the line away, or write `slots: {}`

        error[E207]: `forms` must be a map of forms, not empty
           ──▶ domain.yml:16:6
            │
         16 │ forms:
            │      ^
            = help: take the line away, or write `forms: {}`

        error[E225]: a session cannot end before it began
           ──▶ domain.yml:17:43
            │
         17 │ session_config: {session_expiration_time: -1}
            │                                           ^^
            = help: write minutes of silence, or 0 for sessions without end
    "#]],
    );
}
