//! What stands beside the words of NLU data and stories is kept or named.

use expect_test::expect;
use serde_json::json;
use tabella::data::Event;
use tabella::data::Project;
use tabella::diagnostic::Paint;
use tabella::diagnostic::render;
use tabella::digest::Digest;
use tabella::recipe::Slices;

use super::folder;
use super::import;

const DOMAIN: &str = "\
version: '3.1'
intents: [greet, thank]
entities: [city]
slots:
  city: {type: text, mappings: [{type: from_entity, entity: city}]}
  age: {type: float, mappings: [{type: from_text}]}
  tags: {type: list, mappings: [{type: from_text}]}
responses:
  utter_hi: [{text: hi}]
";

fn project(files: &[(&str, &str)]) -> Project {
    import(folder(files).path()).project
}

fn said(files: &[(&str, &str)]) -> String {
    let root = folder(files);
    let imported = import(root.path());
    render(&imported.diagnostics, &imported.sources, Paint::Plain)
}

#[test]
fn metadata_tells_examples_apart_and_trains_nothing() {
    let nlu = "\
nlu:
- intent: greet
  metadata: {mood: good}
  examples:
  - text: hello
    metadata: {from: web}
  - text: hello
    metadata: {from: phone}
  - text: hello
    metadata: {from: web}
";
    let read = project(&[("data/nlu.yml", nlu)]);
    let examples = &read.nlu.examples;
    assert_eq!(examples.len(), 2);
    assert_eq!(examples[0].metadata, Some(json!({"from": "phone"})));
    assert_eq!(examples[1].metadata, Some(json!({"from": "web"})));
    assert_eq!(
        examples[1].intent_metadata.as_deref(),
        Some(&json!({"mood": "good"}))
    );

    let other = nlu.replace("web", "shop").replace("good", "bad");
    let other = project(&[("data/nlu.yml", &other)]);
    let digests = |project: &Project| -> [Digest; 2] {
        let slices = Slices::of(&std::sync::Arc::new(project.clone()));
        [slices.messages.digest(), slices.annotated.digest()]
    };
    assert_eq!(digests(&read), digests(&other));
}

#[test]
fn a_default_intent_is_learned_whether_it_is_listed_or_not() {
    let digests = |intents: &str| -> [Digest; 2] {
        let domain = format!("entities: [city]\nintents:\n- greet\n{intents}");
        let slices = Slices::of(&std::sync::Arc::new(project(&[("domain.yml", &domain)])));
        [slices.core_domain.digest(), slices.policy_domain.digest()]
    };
    assert_eq!(digests("- restart\n- out_of_scope\n"), digests(""));
    // What it may carry is another matter, and so are names of one's own.
    assert_ne!(digests("- restart: {use_entities: []}\n"), digests(""));
    assert_ne!(digests("- again\n"), digests(""));
}

#[test]
fn slots_without_a_value_have_the_one_that_rasa_gives_them() {
    let stories = "\
stories:
- story: one
  metadata: {author: someone}
  steps:
  - intent: greet
  - slot_was_set: [city, tags, age]
";
    let files = [("domain.yml", DOMAIN), ("data/stories.yml", stories)];
    let events = &project(&files).stories.steps[0].events;
    let values: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Slot { name, value } => Some((&**name, value.clone())),
            _ => None,
        })
        .collect();
    let want = [
        ("city", json!("filled")),
        ("tags", json!(["filled"])),
        ("age", json!(null)),
    ];
    assert_eq!(values, want);
}

#[test]
fn an_intent_with_its_text_keeps_both_and_takes_entities_from_the_text() {
    let stories = "\
stories:
- story: one
  steps:
  - user: 'from [Rome](city)'
    intent: greet
  - user: '/greet{\"city\": [\"Oslo\", \"Rome\"]}'
    intent: greet
";
    let files = [("domain.yml", DOMAIN), ("data/stories.yml", stories)];
    let events = &project(&files).stories.steps[0].events;
    let [Event::User(first), Event::User(second)] = &events[..] else {
        panic!("two messages were written");
    };
    assert_eq!(first.intent.as_deref(), Some("greet"));
    assert_eq!(first.text.as_deref(), Some("from Rome"));
    assert_eq!(first.entities[0].value, json!("Rome"));
    let values: Vec<_> = second.entities.iter().map(|e| e.value.clone()).collect();
    assert_eq!(values, [json!("Oslo"), json!("Rome")]);
}

#[test]
fn what_is_odd_in_stories_is_named_with_what_to_do() {
    let stories = "\
stories:
- story:
  steps:
  - checkpoint: one
    slot_was_set: [city]
  - intent:
  - intent: /greet
    entities: [{city: Rome, role: from}]
  - user: '[Rome](city)'
    intent: thank
    entities: [city]
  - user: /thank
  - user: '/thank{city}'
    intent: thank
  - or:
    - user: thanks
    - intent: thank
  - checkpoint:
  - intent: greet
    action: utter_hi
  - action: utter_hi
    actoin: utter_hi
  - or:
    - intent: greet
    - action: utter_hi
- story: two
  stesp: []
";
    let files = [("domain.yml", DOMAIN), ("data/stories.yml", stories)];
    expect![[r#"
        warning[W419]: a story without a name
          ──▶ data/stories.yml:2:8
           │
         2 │ - story:
           │        ^

        warning[W438]: checkpoint `one` is left out: a condition has no value
          ──▶ data/stories.yml:5:20
           │
         5 │     slot_was_set: [city]
           │                    ^^^^
           = help: write `- slot: value`

        warning[W418]: an intent without a name: the step is left out
          ──▶ data/stories.yml:6:11
           │
         6 │   - intent:
           │           ^

        warning[W408]: intent `/greet` starts with `/`
          ──▶ data/stories.yml:7:13
           │
         7 │   - intent: /greet
           │             ^^^^^^
           = help: write `greet`

        warning[W439]: `entities` beside `user` count for nothing
           ──▶ data/stories.yml:11:15
            │
         11 │     entities: [city]
            │               ^
            = help: annotate the text: `[Rome](city)`

        warning[W441]: a text that starts with `/` is learned as a text
           ──▶ data/stories.yml:12:11
            │
         12 │   - user: /thank
            │           ^^^^^^
            = help: write `intent: thank` if the intent is meant

        warning[W442]: what follows the intent is not a JSON map: it has no entities
           ──▶ data/stories.yml:13:11
            │
         13 │   - user: '/thank{city}'
            │           ^^^^^^^^^^^^^^

        warning[W437]: an alternative without `intent`: the whole `or` is left out
           ──▶ data/stories.yml:16:13
            │
         16 │     - user: thanks
            │             ^^^^^^
            = help: write the `intent` beside the text

        warning[W440]: a checkpoint without a name is left out
           ──▶ data/stories.yml:18:15
            │
         18 │   - checkpoint:
            │               ^

        error[E436]: `action` cannot stand beside `intent` in one step
           ──▶ data/stories.yml:20:5
            │
         20 │     action: utter_hi
            │     ^^^^^^
            = help: start a step of its own: `- action: …`

        error[E436]: `actoin` cannot stand beside `action` in one step
           ──▶ data/stories.yml:22:5
            │
         22 │     actoin: utter_hi
            │     ^^^^^^
            = help: did you mean `action`?

        error[E412]: an item cannot stand in an `or`
           ──▶ data/stories.yml:25:7
            │
         25 │     - action: utter_hi
            │       ^
            = help: only `intent`, with or without `user`, and `slot_was_set` can

        warning[W402]: story `two` has no steps: it is left out
           ──▶ data/stories.yml:26:10
            │
         26 │ - story: two
            │          ^^^

        error[E435]: a story has no `stesp`
           ──▶ data/stories.yml:27:3
            │
         27 │   stesp: []
            │   ^^^^^
            = help: did you mean `steps`?
    "#]]
    .assert_eq(&said(&files));
}

#[test]
fn what_is_odd_in_nlu_data_is_named_with_what_to_do() {
    let nlu = "\
nlu:
- intent: greet
  exmaples: |
    - hello
- intent: thank
  examples:
  - thanks
  - text: ''
  - txt: thank you
- lookup: city
  metadata: {from: web}
  examples: |
    - Rome
- regex: zip
  examples: 12345
- greet
";
    let files = [("domain.yml", DOMAIN), ("data/nlu.yml", nlu)];
    expect![[r#"
        warning[W303]: intent `greet` has no examples
          ──▶ data/nlu.yml:2:11
           │
         2 │ - intent: greet
           │           ^^^^^
           = help: write them as a block: `examples: |`, one `- ` line each

        error[E314]: an entry of kind `intent` has no `exmaples`
          ──▶ data/nlu.yml:3:3
           │
         3 │   exmaples: |
           │   ^^^^^^^^
           = help: did you mean `examples`?

        warning[W303]: intent `thank` has no examples
          ──▶ data/nlu.yml:5:11
           │
         5 │ - intent: thank
           │           ^^^^^
           = help: write them as a block: `examples: |`, one `- ` line each

        error[E315]: an example of a list is a map with `text`
          ──▶ data/nlu.yml:7:5
           │
         7 │   - thanks
           │     ^^^^^^
           = help: write `- text: …`, or all examples as a block: `examples: |`

        warning[W305]: an example without text is left out
          ──▶ data/nlu.yml:8:11
           │
         8 │   - text: ''
           │           ^^

        error[E314]: an entry of kind `example` has no `txt`
          ──▶ data/nlu.yml:9:5
           │
         9 │   - txt: thank you
           │     ^^^
           = help: did you mean `text`?

        warning[W305]: an example without `text` is left out
          ──▶ data/nlu.yml:9:5
           │
         9 │   - txt: thank you
           │     ^
           = help: write `- text: …`

        error[E314]: an entry of kind `lookup` has no `metadata`
           ──▶ data/nlu.yml:11:3
            │
         11 │   metadata: {from: web}
            │   ^^^^^^^^
            = help: one of lookup, examples

        error[E311]: the examples of regex `zip` must be text, not a number
           ──▶ data/nlu.yml:15:13
            │
         15 │   examples: 12345
            │             ^^^^^
            = help: write them as a block: `examples: |`, one `- ` line each

        error[E301]: an entry of `nlu` is none that is known
           ──▶ data/nlu.yml:16:3
            │
         16 │ - greet
            │   ^^^^^
            = help: one of intent, synonym, regex, lookup
    "#]]
    .assert_eq(&said(&files));
}

/// Returns codes and messages about files.
fn messages(files: &[(&str, &str)]) -> Vec<String> {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, t)| (*n, t.as_bytes())).collect();
    let imported = tabella::import::import_texts(&files).unwrap();
    let said = imported.diagnostics.iter();
    said.map(|d| {
        format!(
            "{} {}: {} ({})",
            d.code,
            d.place,
            d.message,
            d.help.as_deref().unwrap_or("-")
        )
    })
    .collect()
}

#[test]
fn a_file_that_nobody_reads_for_a_typo_is_named() {
    let story = "- story: s\n  steps:\n  - intent: a\n  - action: utter_a\n";
    let nlu = "- intent: a\n  examples: |\n    - x\n";
    expect![[r#"
        W026 data/a.yml:2:1: `storys` is no section: nothing of this file is read (did you mean `stories`?)
        W026 data/b.yml:1:1: `nlus` is no section: nothing of this file is read (did you mean `nlu`?)
        W026 data/c.yml:1:3: a list of `stories` without its name: nothing of this file is read (write `stories:` above it)
        W026 data/d.yml:1:1: `stories` is no section: nothing of this file is read (write `stories:` at the start of a line)
        W026 data/e.yml:1:1: `response` is no section: nothing of this file is read (did you mean `responses`?)"#]].assert_eq(
        &messages(&[
            ("data/a.yml", &format!("version: '3.1'\nstorys:\n{story}")),
            ("data/b.yml", &format!("nlus:\n{nlu}")),
            ("data/c.yml", story),
            ("data/d.yml", &format!("\"stories\":\n{story}")),
            ("data/e.yml", "response:\n  utter_a:\n  - text: x\n"),
        ])
        .join("\n"),
    );
    let bytes: Vec<u8> = "\u{feff}nlu: []\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let imported = tabella::import::import_texts(&[("data/nlu.yml", &bytes)]).unwrap();
    assert_eq!(imported.diagnostics[0].code, "W026");
}

#[test]
fn files_of_other_programs_are_passed_over() {
    let others = [
        ("data/empty.yml", ""),
        (
            "data/docker-compose.yml",
            "version: '3'\nservices:\n  rasa: {image: x}\n",
        ),
        (
            "data/ci.yml",
            "on: [push]\njobs:\n  test: {steps: [{run: make}]}\n",
        ),
        ("data/play.yml", "- hosts: all\n  roles: [web]\n"),
        ("data/roles.yml", "roles:\n- name: web\n"),
        ("data/alerts.yml", "rule:\n- alert: down\n"),
        (
            "data/endpoints.yml",
            "action_endpoint:\n  url: http://localhost\n",
        ),
        ("data/errors.json", "[{\"intent\": \"a\", \"text\": \"x\"}]"),
        ("data/broken.yml", "a: [\n"),
    ];
    assert_eq!(messages(&others), Vec::<String>::new());
}

#[test]
fn what_a_file_is_called_is_not_seen_in_lookup_tables() {
    let table = |names: &str| format!("nlu:\n- lookup: city\n  examples: |\n{names}");
    let (paris, rome) = (table("    - paris\n    - lyon\n"), table("    - rome\n"));
    let named = table("    - cities.txt\n");
    let cities = ("cities.txt", "oslo\nbergen\n");
    let read = |names: [&str; 3]| {
        let files = [
            (names[0], &*paris),
            (names[1], &*rome),
            (names[2], &*named),
            cities,
        ];
        let table = project(&files).nlu.lookups.remove(0);
        table.elements.iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let want = ["oslo", "bergen", "paris", "lyon", "rome"];
    assert_eq!(read(["data/a.yml", "data/b.yml", "data/c.yml"]), want);
    assert_eq!(read(["data/c.yml", "data/b.yml", "data/a.yml"]), want);
}

#[test]
fn an_example_without_an_intent_names_none_that_is_unknown() {
    let json = r#"{"rasa_nlu_data": {"common_examples": [{"text": "x"}, {"text": "y", "intent": "grete"}]}}"#;
    let said = messages(&[("domain.yml", DOMAIN), ("data/nlu.json", json)]);
    let of_intents: Vec<_> = said
        .iter()
        .filter(|said| said.starts_with("W309"))
        .collect();
    assert_eq!(of_intents.len(), 1, "{of_intents:?}");
}
