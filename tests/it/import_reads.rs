//! What files say is read as Rasa 3.6.21 reads it, whatever they look like.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

mod configs;
mod domains;
mod training_data;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use expect_test::Expect;
use expect_test::expect;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use tabella::data::Event;
use tabella::data::Project;
use tabella::data::SlotKind;
use tabella::diagnostic::Paint;
use tabella::diagnostic::Severity;
use tabella::diagnostic::render;
use tabella::import::DEFAULT_ACTIONS;
use tabella::import::DEFAULT_INTENTS;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::Want;
use tabella::import::import_project;
use tabella::import::import_test_stories;

use crate::shared::shared;

/// Reads a project folder of the usual shape.
fn import(root: &Path) -> Imported {
    let domain = ["domain.yml", "domain"]
        .into_iter()
        .map(PathBuf::from)
        .filter(|path| root.join(path).exists())
        .collect();
    let config = match root.join("config.yml").exists() {
        true => "config.yml".into(),
        false => PathBuf::new(),
    };
    import_project(&Sources {
        root: root.to_owned(),
        config,
        domain,
        data: vec!["data".into()],
        ..Sources::default()
    })
    .unwrap()
}

/// Writes files below a new folder.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn errors(imported: &Imported) -> Vec<String> {
    imported
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| format!("{} {} {}", d.code, d.place, d.message))
        .collect()
}

// --- What Rasa itself recorded ---------------------------------------------

fn sorted(mut list: Vec<Value>) -> Vec<Value> {
    list.sort_by_key(Value::to_string);
    list
}

/// Returns our examples in the words of Rasa's record.
fn examples(project: &Project) -> Vec<Value> {
    let entity = |e: &tabella::data::Annotation| {
        let mut map = json!({
            "start": e.start, "end": e.end, "entity": e.entity, "value": e.value,
        });
        if let Some(role) = &e.role {
            map["role"] = json!(role);
        }
        if let Some(group) = &e.group {
            map["group"] = json!(group);
        }
        map
    };
    let example = |e: &tabella::data::Example| {
        let mut map = json!({"text": e.text, "intent": e.intent});
        if let Some(key) = &e.intent_response_key {
            map["intent_response_key"] = json!(key);
        }
        if let Some(response) = &e.response {
            map["response"] = json!(response);
        }
        if !e.entities.is_empty() {
            map["entities"] = e.entities.iter().map(entity).collect();
        }
        map
    };
    project.nlu.examples.iter().map(example).collect()
}

fn check_nlu_golden(bot: &str) {
    let Some(golden) = shared(&format!("goldens/{bot}")) else {
        return;
    };
    let imported = import(&golden.join("project"));
    assert_eq!(errors(&imported), Vec::<String>::new());
    let project = &imported.project;
    let want = json_of(&golden.join("nlu_training_data.json"));
    // Entries without text or without intent come from domain and stories.
    let recorded: Vec<Value> = want["examples"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e.get("text").is_some() && e.get("intent").is_some())
        .cloned()
        .collect();
    assert_eq!(json!(recorded.len()), want["nlu_examples"]);
    assert_eq!(sorted(examples(project)), sorted(recorded));
    assert_eq!(json!(project.nlu.synonyms), want["entity_synonyms"]);
    let patterns: Vec<Value> = project
        .nlu
        .patterns
        .iter()
        .map(|p| json!({"name": p.name, "pattern": p.pattern}))
        .collect();
    assert_eq!(json!(patterns), want["regex_features"]);
    let lookups: Vec<Value> = project
        .nlu
        .lookups
        .iter()
        .map(|l| json!({"name": l.name, "elements": l.elements}))
        .collect();
    assert_eq!(
        sorted(lookups),
        sorted(want["lookup_tables"].as_array().unwrap().clone())
    );
}

#[test]
fn tripbot_has_the_examples_that_rasa_trains_on() {
    check_nlu_golden("tripbot");
}

#[test]
fn tablebot_has_the_examples_that_rasa_trains_on() {
    check_nlu_golden("tablebot");
}

#[test]
fn tedbot_has_the_examples_that_rasa_trains_on() {
    let Some(golden) = shared("goldens/tedbot") else {
        return;
    };
    let imported = import(&golden.join("project"));
    assert_eq!(errors(&imported), Vec::<String>::new());
}

fn kind_name(kind: &SlotKind) -> &'static str {
    match kind {
        SlotKind::Text => "text",
        SlotKind::Bool => "bool",
        SlotKind::List => "list",
        SlotKind::Float { .. } => "float",
        SlotKind::Categorical { .. } => "categorical",
        SlotKind::Any => "any",
    }
}

fn check_domain_golden(bot: &str) {
    let Some(golden) = shared(&format!("goldens/{bot}")) else {
        return;
    };
    let domain = import(&golden.join("project")).project.domain;
    let want = json_of(&golden.join("domain.json"));
    let mut intents: BTreeSet<&str> = domain.intents.iter().map(|i| i.name.as_str()).collect();
    intents.extend(DEFAULT_INTENTS);
    assert_eq!(json!(intents), want["intents"]);
    let mut actions: Vec<&str> = DEFAULT_ACTIONS.to_vec();
    actions.extend(domain.actions.iter().map(String::as_str));
    let responses = domain.responses.keys().map(String::as_str);
    actions.extend(responses.filter(|name| !domain.actions.iter().any(|a| a == name)));
    actions.extend(domain.forms.iter().map(|form| form.name.as_str()));
    assert_eq!(json!(actions), want["action_names"]);
    let slots: Vec<Value> = domain
        .slots
        .iter()
        .map(|s| json!([s.name, kind_name(&s.kind), s.influences, s.initial_value]))
        .collect();
    let added = ["requested_slot", "session_started_metadata"];
    let recorded: Vec<Value> = want["slots"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|s| !added.contains(&s["name"].as_str().unwrap()))
        .map(|s| json!([s["name"], s["type"], s["influence"], s["initial"]]))
        .collect();
    assert_eq!(slots, recorded);
    let core = &want["as_dict_core"];
    let names: Vec<&str> = domain.entities.iter().map(|e| e.name.as_str()).collect();
    let recorded: Vec<String> = core["entities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| match e {
            Value::Object(map) => map.keys().next().unwrap().clone(),
            name => name.as_str().unwrap().to_owned(),
        })
        .collect();
    assert_eq!(names, recorded);
    let mut states: Vec<String> = Vec::new();
    for entity in &domain.entities {
        let kinds = entity.roles.iter().chain(&entity.groups);
        states.extend(kinds.map(|kind| format!("{}#{kind}", entity.name)));
    }
    let recorded: BTreeSet<&str> = want["entity_states"]
        .as_array()
        .unwrap()
        .iter()
        .map(|state| state.as_str().unwrap())
        .filter(|state| state.contains('#'))
        .collect();
    assert_eq!(
        states.iter().map(String::as_str).collect::<BTreeSet<_>>(),
        recorded
    );
    for intent in &domain.intents {
        let recorded = &want["intent_properties"][&intent.name]["is_retrieval_intent"];
        assert_eq!(json!(intent.is_retrieval), json!(recorded == &json!(true)));
    }
}

#[test]
fn tripbot_has_the_domain_that_rasa_trains_with() {
    check_domain_golden("tripbot");
}

#[test]
fn tablebot_has_the_domain_that_rasa_trains_with() {
    check_domain_golden("tablebot");
}

/// Projects whose counts differ, with the cause.
const DIFFER: &[(&str, &str)] = &[
    (
        "crisos domain user_actions: 51 is read as 50",
        "Rasa counts a default action that the domain lists; we do not keep it",
    ),
    (
        "financial-demo domain user_actions: 69 is read as 67",
        "Rasa counts two default actions that the domain lists",
    ),
    (
        "repair-strategies-bot-migrated domain user_actions: 106 is read as 103",
        "Rasa counts three default actions that the domain lists",
    ),
];

/// Returns what our reading counts, in the words of the record.
fn counts(root: &Path) -> Value {
    let imported = import(root);
    let project = &imported.project;
    let own = import_project(&Sources {
        root: root.to_owned(),
        domain: vec!["domain.yml".into(), "domain".into()]
            .into_iter()
            .filter(|path: &PathBuf| root.join(path).exists())
            .collect(),
        want: Want::Core,
        ..Sources::default()
    })
    .unwrap()
    .project
    .domain;
    let mut intents: BTreeSet<&str> = own.intents.iter().map(|i| i.name.as_str()).collect();
    intents.extend(DEFAULT_INTENTS);
    let mut actions: BTreeSet<&str> = own.actions.iter().map(String::as_str).collect();
    actions.extend(own.responses.keys().map(String::as_str));
    let mut slots: BTreeSet<&str> = own.slots.iter().map(|s| s.name.as_str()).collect();
    slots.insert("session_started_metadata");
    if !own.forms.is_empty() {
        slots.insert("requested_slot");
    }
    if own
        .actions
        .iter()
        .any(|a| a == "action_query_knowledge_base")
    {
        slots.extend([
            "knowledge_base_listed_objects",
            "knowledge_base_last_object",
            "knowledge_base_last_object_type",
        ]);
    }
    let nlu = &project.nlu;
    let steps = &project.stories.steps;
    let entities: BTreeSet<&str> = nlu
        .examples
        .iter()
        .flat_map(|e| &e.entities)
        .map(|e| e.entity.as_str())
        .collect();
    let labels: BTreeSet<&Option<String>> = nlu.examples.iter().map(|e| &e.intent).collect();
    let with =
        |test: fn(&tabella::data::Example) -> bool| nlu.examples.iter().filter(|e| test(e)).count();
    // Rasa's record counts blocks by name, and all steps of rules by place.
    let blocks: BTreeSet<&str> = steps.iter().map(|s| s.block_name.as_str()).collect();
    let rules = steps.iter().filter(|s| s.is_rule);
    let rules: BTreeSet<String> = rules.map(|s| s.place.to_string()).collect();
    json!({
        "domain": {
            "intents": intents.len(), "entities": own.entities.len(), "slots": slots.len(),
            "user_actions": actions.len(), "forms": own.forms.len(),
            "responses": own.responses.len(),
        },
        "nlu": {
            "examples": nlu.examples.len(),
            "entity_examples": with(|e| !e.entities.is_empty()),
            "response_examples": with(|e| e.intent_response_key.is_some()),
            "intents": labels.len(), "entities": entities.len(),
            "synonyms": nlu.synonyms.len(), "regex_features": nlu.patterns.len(),
            "lookup_tables": nlu.lookups.len(), "responses": nlu.responses.len(),
        },
        "stories": {
            "story_steps": steps.len(), "blocks": blocks.len(), "rules": rules.len(),
        },
    })
}

/// Returns whether a folder holds training data that is not YAML.
fn has_other_formats(root: &Path) -> bool {
    walkdir::WalkDir::new(root)
        .into_iter()
        .filter_map(Result::ok)
        .any(|entry| {
            let suffix = entry.path().extension().and_then(|s| s.to_str());
            matches!(suffix, Some("md" | "json")) && entry.path().iter().any(|p| p == "data")
        })
}

#[test]
fn bots_of_other_people_have_the_counts_that_rasa_reads() {
    let Some(bots) = shared("bots") else { return };
    let reads = json_of(&bots.join("rasa-3.6.21-reads.json"));
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (bot, want) in reads.as_object().unwrap() {
        let root = bots.join(bot);
        if has_other_formats(&root) || !root.join("data").exists() {
            continue;
        }
        compared += 1;
        let ours = counts(&root);
        for part in ["domain", "nlu", "stories"] {
            let Some(want) = want.get(part).and_then(Value::as_object) else {
                continue;
            };
            for (what, ours) in ours[part].as_object().unwrap() {
                if want.get(what).is_some_and(|want| want != ours) {
                    let want = &want[what];
                    wrong.push(format!("{bot} {part} {what}: {want} is read as {ours}"));
                }
            }
        }
    }
    let listed: Vec<&str> = DIFFER.iter().map(|(what, _)| *what).collect();
    assert_eq!(wrong, listed);
    assert!(compared >= 15, "{compared}");
}

/// Every project that is YAML in the form of Rasa 2 or 3, with the number of
/// errors that are found in it, if any.
#[test]
fn bots_of_other_people_are_read_without_errors() {
    let Some(bots) = shared("bots") else { return };
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&bots).unwrap() {
        let root = entry.unwrap().path();
        let name = root.file_name().unwrap().to_string_lossy().into_owned();
        if root.join("data").exists() && !has_other_formats(&root) && !name.starts_with("fixtures")
        {
            let imported = import(&root);
            wrong.extend(
                errors(&imported)
                    .into_iter()
                    .map(|e| format!("{name}: {e}")),
            );
        }
    }
    wrong.sort();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn ten_thousand_examples_are_read() {
    let Some(data) = shared("datasets/BANKING77/train.yml") else {
        return;
    };
    let imported = import_project(&Sources {
        root: data.parent().unwrap().to_owned(),
        data: vec!["train.yml".into()],
        want: Want::Nlu,
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(errors(&imported), Vec::<String>::new());
    let labels: BTreeSet<_> = imported
        .project
        .nlu
        .examples
        .iter()
        .map(|e| &e.intent)
        .collect();
    assert_eq!(labels.len(), 77);
}

// --- What is wrong, and where ------------------------------------------------

/// Compares all that is said about a project with what is wanted.
#[track_caller]
fn check_said(files: &[(&str, &str)], want: Expect) {
    let root = folder(files);
    let imported = import(root.path());
    want.assert_eq(&render(
        &imported.diagnostics,
        &imported.sources,
        Paint::Plain,
    ));
}

const CONFIG: &str = "pipeline: []\npolicies: []\n";

const DOMAIN: &str = "\
version: '3.1'
intents: [greet, book_table]
entities: [dish]
slots:
  dish:
    type: text
    mappings: [{type: from_entity, entity: dish}]
  vip:
    type: bool
    mappings: [{type: custom}]
responses:
  utter_greet: [{text: Hello}]
forms:
  table_form: {required_slots: [dish]}
";

#[test]
fn a_sound_project_has_nothing_to_say() {
    let nlu = "nlu:\n- intent: greet\n  examples: |\n    - hi\n    - hello there\n";
    let stories = "stories:\n- story: x\n  steps:\n  - intent: greet\n  - action: utter_greet\n";
    check_said(
        &[
            ("config.yml", CONFIG),
            ("domain.yml", DOMAIN),
            ("data/nlu.yml", nlu),
            ("data/stories.yml", stories),
        ],
        expect![""],
    );
}

#[test]
fn typing_errors_in_stories_are_named_with_what_was_meant() {
    let stories = "\
stories:
- story: first
  steps:
  - intent: book_tabel
    entities: [{dihs: pizza}]
  - action: utter_gret
  - slot_was_set: [{dsh: pizza}, vip]
  - active_loop: table_from
  - checkpiont: here
- story: second
- rule: third
  steps: []
rules:
- rule: fourth
  steps:
  - checkpoint: somewhere
  - bot: Hello
";
    check_said(
        &[
            ("config.yml", CONFIG),
            ("domain.yml", DOMAIN),
            ("data/stories.yml", stories),
        ],
        expect![[r#"
            warning[W404]: intent `book_tabel` is not in the domain
              ──▶ data/stories.yml:4:13
               │
             4 │   - intent: book_tabel
               │             ^^^^^^^^^^
               = help: did you mean `book_table`?

            warning[W417]: entity `dihs` is not in the domain
              ──▶ data/stories.yml:5:17
               │
             5 │     entities: [{dihs: pizza}]
               │                 ^^^^
               = help: did you mean `dish`?

            warning[W405]: action `utter_gret` is not in the domain
              ──▶ data/stories.yml:6:13
               │
             6 │   - action: utter_gret
               │             ^^^^^^^^^^
               = help: did you mean `utter_greet`?

            warning[W424]: slot `dsh` is not in the domain
              ──▶ data/stories.yml:7:21
               │
             7 │   - slot_was_set: [{dsh: pizza}, vip]
               │                     ^^^
               = help: did you mean `dish`?

            warning[W407]: slot `vip` is named without its value
              ──▶ data/stories.yml:7:34
               │
             7 │   - slot_was_set: [{dsh: pizza}, vip]
               │                                  ^^^
               = help: write `- vip: value`; without it the slot counts as empty

            warning[W415]: form `table_from` is not in the domain
              ──▶ data/stories.yml:8:18
               │
             8 │   - active_loop: table_from
               │                  ^^^^^^^^^^
               = help: did you mean `table_form`?

            error[E401]: a step is none that is known
              ──▶ data/stories.yml:9:5
               │
             9 │   - checkpiont: here
               │     ^
               = help: did you mean `checkpoint`?

            warning[W402]: story `second` has no steps: it is left out
               ──▶ data/stories.yml:10:10
                │
             10 │ - story: second
                │          ^^^^^^

            error[E403]: an entry of this section is none without `story`
               ──▶ data/stories.yml:11:3
                │
             11 │ - rule: third
                │   ^
                = help: write `- story: name` and `steps` below it

            error[E411]: a `checkpoint` cannot stand in a rule
               ──▶ data/stories.yml:16:5
                │
             16 │   - checkpoint: somewhere
                │     ^
                = help: write a story instead

            error[E411]: a `bot` step cannot stand in a rule
               ──▶ data/stories.yml:17:5
                │
             17 │   - bot: Hello
                │     ^
                = help: write a story instead
        "#]],
    );
}

#[test]
fn mistakes_in_nlu_data_are_all_named() {
    let nlu = "\
nlu:
- intent: greet
  examples: |
    - hi [x]{\"entity\": dish}
    hello
    -
- intent: gret
  examples: |
    - good [day](dihs)
- intent: a/b/c
  examples: |
    - x
- synonym: two
  examples: [2, zwei]
- regex:
  examples: |
    - x
- lokup: y
- intent: greet
  examples: |
    - [2](dish:two)
    - [2](dish:deux)
- intent: 5
  examples: |
    - five
";
    check_said(
        &[
            ("config.yml", CONFIG),
            ("domain.yml", DOMAIN),
            ("data/nlu.yml", nlu),
        ],
        expect![[r#"
            error[E306]: `{"entity": dish}` is not a JSON map: expected value
              ──▶ data/nlu.yml:4:10
               │
             4 │     - hi [x]{"entity": dish}
               │          ^^^^^^^^^^^^^^^^^^^
               = help: write `[text]{"entity": "type", "value": "…"}`; the map ends at its first `}`

            warning[W304]: a line without a dash is left out
              ──▶ data/nlu.yml:5:5
               │
             5 │     hello
               │     ^^^^^
               = help: start each example with `- ` in the first column of the block

            warning[W305]: an example without text is left out
              ──▶ data/nlu.yml:6:6
               │
             6 │     -
               │      ^

            warning[W309]: intent `gret` is not in the domain
              ──▶ data/nlu.yml:7:11
               │
             7 │ - intent: gret
               │           ^^^^
               = help: did you mean `greet`?

            warning[W310]: entity `dihs` is not in the domain
              ──▶ data/nlu.yml:9:18
               │
             9 │     - good [day](dihs)
               │                  ^^^^
               = help: did you mean `dish`?

            error[E307]: intent `a/b/c` has more than one `/`
               ──▶ data/nlu.yml:10:11
                │
             10 │ - intent: a/b/c
                │           ^^^^^
                = help: a retrieval intent is written `intent/response_key`

            error[E311]: the examples of synonym `two` must be text, not a list
               ──▶ data/nlu.yml:14:13
                │
             14 │   examples: [2, zwei]
                │             ^
                = help: write them as a block: `examples: |`, one `- ` line each

            warning[W302]: regex without a name
               ──▶ data/nlu.yml:15:8
                │
             15 │ - regex:
                │        ^

            error[E301]: an entry of `nlu` is none that is known
               ──▶ data/nlu.yml:18:3
                │
             18 │ - lokup: y
                │   ^
                = help: did you mean `lookup`?

            warning[W308]: `2` means both `two` and `deux`: the latter counts
               ──▶ data/nlu.yml:22:7
                │
             22 │     - [2](dish:deux)
                │       ^
                = note: `two` at data/nlu.yml:21:7

            error[E010]: `intent` must be text, not a number
               ──▶ data/nlu.yml:23:11
                │
             23 │ - intent: 5
                │           ^
                = help: put it in quotes if text is meant
        "#]],
    );
}

#[test]
fn mistakes_in_a_domain_are_all_named() {
    let domain = "\
version: '3.1'
intents:
- greet
- greet
- bye:
- book: {use_entities: [dihs], triggers: utter_no}
entities: [dish]
slots:
  a: {type: txt, mappings: [{type: custom}]}
  b: {type: text}
  c: {type: float, min_value: 2, max_value: 1, mappings: [{type: from_entity}]}
  d: {type: any, influence_conversation: true, mappings: [{type: from_txt}]}
  e: {type: my.own.Slot, mappings: []}
  f: {type: categorical, values: [~, x], mappings: {type: custom}}
responses:
  utter_x: [{image: y}, plain]
templates: {}
forms:
  f: {required_slots: [bb]}
";
    check_said(
        &[("config.yml", CONFIG), ("domain.yml", domain)],
        expect![[r#"
            error[E003]: `data` does not exist
              ──▶ data

            error[E201]: intent `greet` is listed twice
              ──▶ domain.yml:4:3
               │
             4 │ - greet
               │   ^^^^^
               = note: first at domain.yml:3:3

            error[E208]: `bye` is followed by a colon and nothing
              ──▶ domain.yml:5:3
               │
             5 │ - bye:
               │   ^^^
               = help: take the colon away, or indent the options below the name

            warning[W216]: intent `book` names entity `dihs`, which is not in the domain
              ──▶ domain.yml:6:25
               │
             6 │ - book: {use_entities: [dihs], triggers: utter_no}
               │                         ^^^^
               = help: did you mean `dish`?

            error[E210]: unknown action `utter_no`
              ──▶ domain.yml:6:42
               │
             6 │ - book: {use_entities: [dihs], triggers: utter_no}
               │                                          ^^^^^^^^

            error[E202]: unknown slot type `txt`
              ──▶ domain.yml:9:13
               │
             9 │   a: {type: txt, mappings: [{type: custom}]}
               │             ^^^
               = help: did you mean `text`?

            note[N221]: one slot has no `mappings`
               ──▶ domain.yml:10:3
                │
             10 │   b: {type: text}
                │   ^
                = note: they are filled as in Rasa 2: by the entity of the same name, and by forms
                = help: add `mappings` to each, as Rasa 3 wants: `[{type: from_entity, entity: …}]`, or `[{type: custom}]` if only actions set it

            error[E205]: slot `c` has `min_value` 2 that is not below `max_value` 1
               ──▶ domain.yml:11:31
                │
             11 │   c: {type: float, min_value: 2, max_value: 1, mappings: [{type: from_entity}]}
                │                               ^

            error[E204]: a `from_entity` mapping of slot `c` needs `entity`
               ──▶ domain.yml:11:59
                │
             11 │   c: {type: float, min_value: 2, max_value: 1, mappings: [{type: from_entity}]}
                │                                                           ^
                = help: write `entity: …` below `type`, in the same column

            error[E205]: slot `d` of type `any` cannot influence
               ──▶ domain.yml:12:42
                │
             12 │   d: {type: any, influence_conversation: true, mappings: [{type: from_txt}]}
                │                                          ^^^^
                = help: set it to false, or give the slot another type

            error[E204]: unknown mapping type `from_txt`
               ──▶ domain.yml:12:66
                │
             12 │   d: {type: any, influence_conversation: true, mappings: [{type: from_txt}]}
                │                                                                  ^^^^^^^^
                = help: did you mean `from_text`?

            error[E202]: slot type `my.own.Slot` is Python code
               ──▶ domain.yml:13:13
                │
             13 │   e: {type: my.own.Slot, mappings: []}
                │             ^^^^^^^^^^^
                = help: slots of own classes cannot be trained without that code

            warning[W214]: an empty value of slot `f` is left out
               ──▶ domain.yml:14:35
                │
             14 │   f: {type: categorical, values: [~, x], mappings: {type: custom}}
                │                                   ^

            error[E204]: the mappings of slot `f` are a list, not a map
               ──▶ domain.yml:14:52
                │
             14 │   f: {type: categorical, values: [~, x], mappings: {type: custom}}
                │                                                    ^

            error[E209]: a variation of response `utter_x` has neither `text` nor `custom`
               ──▶ domain.yml:16:13
                │
             16 │   utter_x: [{image: y}, plain]
                │             ^

            error[E209]: a variation of response `utter_x` is a map
               ──▶ domain.yml:16:25
                │
             16 │   utter_x: [{image: y}, plain]
                │                         ^^^^^
                = help: write `- text: …`

            note[N211]: `templates` is read as `responses`, its name since Rasa 2
               ──▶ domain.yml:17:1
                │
             17 │ templates: {}
                │ ^^^^^^^^^
                = help: rename the section to `responses`: Rasa 2 and 3 overlook `templates`

            warning[W206]: form `f` asks for unknown slot `bb`
               ──▶ domain.yml:19:3
                │
             19 │   f: {required_slots: [bb]}
                │   ^
                = help: did you mean `b`?
        "#]],
    );
}

#[test]
fn mistakes_in_a_config_are_named_and_defaults_told() {
    let config = "\
language: en
pipeline:
- WhitespaceTokenizer
- nam: X
importers: [{name: MultiProjectImporter}]
";
    check_said(
        &[("config.yml", config)],
        expect![[r#"
            note[N105]: no `policies`: Rasa's default is used
              ──▶ config.yml:1:1
               │
             1 │ language: en
               │ ^^^^^^^^
               = note: without UnexpecTEDIntentPolicy, which is not built yet

            error[E101]: a component is a map with a `name`
              ──▶ config.yml:3:3
               │
             3 │ - WhitespaceTokenizer
               │   ^^^^^^^^^^^^^^^^^^^
               = help: write `- name: WhitespaceTokenizer`

            error[E101]: a component without `name`
              ──▶ config.yml:4:3
               │
             4 │ - nam: X
               │   ^^^
               = help: did you mean `name`?

            error[E003]: `data` does not exist
              ──▶ data
        "#]],
    );
}

#[test]
fn older_formats_are_read_with_a_note() {
    let config = CONFIG;
    check_said(
        &[
            ("config.yml", config),
            ("data/nlu.md", "## intent:greet\n- hi\n"),
            ("data/stories.md", "## a\n* greet\n  - utter_greet\n"),
            ("data/README.md", "## Read me\n* first\n"),
            ("data/nlu.json", "{\"rasa_nlu_data\": {}}"),
            ("data/package.json", "{}"),
            ("data/new.yml", "version: '4.0'\nnlu: []\n"),
        ],
        expect![[r#"
            warning[W017]: version `4.0` is newer than 3.1: the file is skipped
              ──▶ data/new.yml:1:10
               │
             1 │ version: '4.0'
               │          ^^^^^
               = help: if it holds nothing that is newer, write `version: "3.1"`

            note[N022]: NLU data in JSON: an older format, which is read all the same
              ──▶ data/nlu.json
               = help: `tabella data convert` writes it as YAML

            note[N022]: NLU data in Markdown: an older format, which is read all the same
              ──▶ data/nlu.md
               = help: `tabella data convert` writes it as YAML

            note[N022]: stories in Markdown: an older format, which is read all the same
              ──▶ data/stories.md
               = help: `tabella data convert` writes it as YAML
        "#]],
    );
}

#[test]
fn what_is_defined_in_two_domain_files_is_taken_from_the_first() {
    let a = "slots:\n  x: {type: text, mappings: [{type: custom}]}\nactions: [one]\n";
    let b = "slots:\n  x: {type: bool, mappings: [{type: custom}]}\nactions: [two]\n";
    let files = [
        ("config.yml", CONFIG),
        ("domain/a.yml", a),
        ("domain/b.yml", b),
    ];
    let root = folder(&files);
    let imported = import(root.path());
    let domain = &imported.project.domain;
    assert_eq!(domain.slots[0].kind, SlotKind::Text);
    assert_eq!(domain.actions, ["one", "two"]);
    check_said(
        &files,
        expect![[r#"
        error[E003]: `data` does not exist
          ──▶ data

        warning[W212]: slot `x` is defined in two files: the first one counts
          ──▶ domain/b.yml:2:3
           │
         2 │   x: {type: bool, mappings: [{type: custom}]}
           │   ^
           = note: first at domain/a.yml:2:3
    "#]],
    );
}

#[test]
fn yaml_that_is_none_is_named_and_the_rest_still_read() {
    check_said(
        &[
            ("config.yml", "pipeline: []\npolicies: []\npipeline: []\n"),
            ("domain.yml", "intents: [greet\nslots: {}\n"),
            (
                "data/nlu.yml",
                "nlu:\n- intent: greet\n  examples: |\n    hi\n",
            ),
            ("data/more.yml", "nlu: {}\n"),
        ],
        expect![[r#"
            error[E005]: key `pipeline` stands twice in this map, first in line 1
              ──▶ config.yml:3:1
               │
             3 │ pipeline: []
               │ ^^^^^^^^
               = help: join what stands under the two, or rename one of them

            error[E010]: `nlu` must be a list, not a map
              ──▶ data/more.yml:1:6
               │
             1 │ nlu: {}
               │      ^
               = help: put `- ` before each item, on a line of its own

            warning[W303]: intent `greet` has no examples
              ──▶ data/nlu.yml:2:11
               │
             2 │ - intent: greet
               │           ^^^^^
               = help: write them as a block: `examples: |`, one `- ` line each

            warning[W304]: a line without a dash is left out
              ──▶ data/nlu.yml:4:5
               │
             4 │     hi
               │     ^^
               = help: start each example with `- ` in the first column of the block

            error[E004]: not valid YAML: illegal placement of ':' indicator
              ──▶ domain.yml:2:6
               │
             2 │ slots: {}
               │      ^
               = help: a comma or a closing bracket is missing, here or above; text with brackets is put into quotes
        "#]],
    );
}

#[test]
fn paths_that_do_not_exist_are_named() {
    let root = folder(&[]);
    let imported = import_project(&Sources {
        root: root.path().to_owned(),
        config: "config.yml".into(),
        domain: vec!["domain.yml".into()],
        data: vec!["data".into()],
        ..Sources::default()
    })
    .unwrap();
    expect![[r#"
        error[E003]: `config.yml` does not exist
          ──▶ config.yml

        error[E003]: `data` does not exist
          ──▶ data

        error[E003]: `domain.yml` does not exist
          ──▶ domain.yml
    "#]]
    .assert_eq(&render(
        &imported.diagnostics,
        &imported.sources,
        Paint::Plain,
    ));
}

#[test]
fn every_code_that_is_given_is_in_the_table() {
    let files = walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let mut given = BTreeSet::new();
    for entry in files.into_iter().filter_map(Result::ok) {
        if !entry.file_type().is_file() || entry.path().ends_with("diagnostic/codes.rs") {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        for piece in text.split('"') {
            let number = piece.get(1..).unwrap_or_default();
            let is_code = piece.starts_with(['E', 'W', 'N'])
                && number.len() == 3
                && number.bytes().all(|b| b.is_ascii_digit());
            if is_code {
                given.insert(piece.to_owned());
            }
        }
    }
    let table: BTreeSet<String> = tabella::diagnostic::CODES
        .iter()
        .filter(|(_, about)| !about.starts_with("no longer given"))
        .map(|(code, _)| (*code).to_owned())
        .collect();
    assert_eq!(given, table);
}

// --- Stories -----------------------------------------------------------------

/// Shows the steps of a story file, one a line.
fn steps_of(stories: &str) -> String {
    let root = folder(&[("domain.yml", DOMAIN), ("data/stories.yml", stories)]);
    let imported = import(root.path());
    let mut shown = String::new();
    for step in &imported.project.stories.steps {
        let names = |points: &[tabella::data::Checkpoint]| {
            let names: Vec<&str> = points.iter().map(|c| c.name.as_str()).collect();
            names.join("|")
        };
        let events: Vec<String> = step
            .events
            .iter()
            .map(|event| match event {
                Event::User(u) => u.intent.as_deref().unwrap_or("~").to_owned(),
                Event::Action(name) => name.to_string(),
                Event::BotText(text) => format!("'{text}'"),
                Event::Slot { name, value } => format!("{name}={value}"),
                Event::ActiveLoop(name) => format!("loop {}", name.as_deref().unwrap_or("~")),
                Event::Or(list) => format!("or {}", list.len()),
            })
            .collect();
        let (from, to) = (names(&step.start_checkpoints), names(&step.end_checkpoints));
        shown += &format!("{from} > {} > {to}\n", events.join(", "));
    }
    shown
}

#[test]
fn an_or_becomes_copies_that_meet_in_a_checkpoint() {
    let stories = "\
stories:
- story: x
  steps:
  - intent: greet
  - or: [{intent: greet}, {intent: book_table}]
  - action: utter_greet
  - or: [{slot_was_set: [{vip: true}]}, {slot_was_set: [{vip: false}]}]
";
    expect![[r#"
        STORY_START > greet, book_table > GENR_OR_f4dc0300d91a0bb9_0
        STORY_START > greet, greet > GENR_OR_f4dc0300d91a0bb9_0
        GENR_OR_f4dc0300d91a0bb9_0 > utter_greet, vip=false > GENR_OR_f4dc0300d91a0bb9_1
        GENR_OR_f4dc0300d91a0bb9_0 > utter_greet, vip=true > GENR_OR_f4dc0300d91a0bb9_1
    "#]]
    .assert_eq(&steps_of(stories));
}

#[test]
fn the_order_of_alternatives_has_no_meaning() {
    let story = |or: &str| {
        let text = format!("stories:\n- story: x\n  steps:\n  - or: [{or}]\n");
        steps_of(&text)
    };
    assert_eq!(
        story("{intent: greet}, {intent: book_table}"),
        story("{intent: book_table}, {intent: greet}")
    );
}

#[test]
fn files_that_are_not_text_are_named_with_their_line() {
    let root = folder(&[("data/nlu.yml", "")]);
    let bytes = b"nlu:\n- intent: gr\xfc\xdfe\n  examples: |\n    - x\n";
    fs::write(root.path().join("data/nlu.yml"), bytes).unwrap();
    let imported = import(root.path());
    expect![[r#"
        error[E001]: not UTF-8 from byte 17 on
          ──▶ data/nlu.yml:2:13
           │
         2 │ - intent: gr��e
           │             ^
           = help: save the file as UTF-8
    "#]]
    .assert_eq(&render(
        &imported.diagnostics,
        &imported.sources,
        Paint::Plain,
    ));
}

#[test]
fn checkpoints_cut_stories_into_steps() {
    let stories = "\
stories:
- story: x
  steps:
  - intent: greet
  - checkpoint: a
  - checkpoint: b
  - action: utter_greet
- story: y
  steps:
  - checkpoint: a
    slot_was_set: [vip: true]
  - checkpoint: b
  - slot_was_set: [dish]
  - active_loop: null
";
    expect![[r#"
        STORY_START > greet > a
        STORY_START > greet > b
        a|b > utter_greet > 
        a|b > dish="filled", loop ~ > 
    "#]]
    .assert_eq(&steps_of(stories));
}

#[test]
fn rules_start_with_conditions_and_the_marker_of_a_snippet() {
    let stories = "\
rules:
- rule: a
  condition: [{active_loop: table_form}, {slot_was_set: [{vip: true}]}]
  wait_for_user_input: false
  steps:
  - intent: greet
- rule: b
  conversation_start: true
  steps:
  - intent: greet
";
    expect![[r#"
        STORY_START > loop table_form, vip=true, ..., greet, ... > 
        STORY_START > greet > 
    "#]]
    .assert_eq(&steps_of(stories));
}

#[test]
fn end_to_end_stories_keep_their_texts_and_tell_the_domain() {
    let stories = "\
stories:
- story: x
  steps:
  - user: 'I want [pizza](dish)'
  - bot: Great!
";
    let root = folder(&[("domain.yml", DOMAIN), ("data/stories.yml", stories)]);
    let project = import(root.path()).project;
    let Event::User(user) = &project.stories.steps[0].events[0] else {
        panic!("a user step was written");
    };
    assert_eq!(user.intent, None);
    assert_eq!(user.text.as_deref(), Some("I want pizza"));
    assert_eq!((user.entities[0].start, user.entities[0].end), (7, 12));
    assert_eq!(project.domain.e2e_actions, ["Great!"]);
}

#[test]
fn test_stories_keep_texts_full_intents_and_alternatives() {
    let stories = "\
stories:
- story: x
  steps:
  - user: 'when do you [open](dish)?'
    intent: faq/opening
  - or:
    - user: yes
      intent: greet
    - intent: book_table
    - slot_was_set: [{vip: true}]
  - action: utter_faq
";
    let root = folder(&[("domain.yml", DOMAIN), ("tests/test_stories.yml", stories)]);
    let domain = import(root.path()).project.domain;
    let imported = import_test_stories(root.path(), &["tests".into()], &domain).unwrap();
    let events = &imported.project.stories.steps[0].events;
    let Event::User(user) = &events[0] else {
        panic!("a user step was written");
    };
    assert_eq!(user.intent.as_deref(), Some("faq/opening"));
    assert_eq!(user.text.as_deref(), Some("when do you open?"));
    assert_eq!(user.entities[0].entity, "dish");
    let Event::Or(list) = &events[1] else {
        panic!("an `or` was written");
    };
    let (Event::User(one), Event::User(other), Event::Slot { name, .. }) =
        (&list[0], &list[1], &list[2])
    else {
        panic!("two messages and a slot were written");
    };
    assert_eq!(one.text.as_deref(), Some("yes"));
    assert_eq!(other.intent.as_deref(), Some("book_table"));
    assert_eq!(&**name, "vip");
}

// --- What cannot be seen in the result ---------------------------------------

/// One example of a generated project: its intent and its words.
type Words = (u8, String);

/// Writes NLU data with these examples, each under a heading of its own.
fn nlu_file(examples: &[Words]) -> String {
    let mut text = "nlu:\n".to_owned();
    for (intent, words) in examples {
        text += &format!("- intent: intent_{intent}\n  examples: |\n    - {words}\n");
    }
    text
}

/// Writes one story for each list of intents; `prefix` starts their names.
fn story_file(stories: &[Vec<u8>], prefix: &str) -> String {
    let mut text = "stories:\n".to_owned();
    for (index, intents) in stories.iter().enumerate() {
        text += &format!("- story: {prefix} {index}\n  steps:\n");
        for intent in intents {
            text += &format!("  - or:\n    - intent: intent_{intent}\n    - intent: other\n");
            text += "  - action: utter_x\n";
        }
    }
    text
}

fn serialised(files: &[(&str, &str)]) -> String {
    let root = folder(files);
    serde_json::to_string(&import(root.path()).project).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn how_a_project_is_written_down_cannot_be_seen_in_it(
        examples in prop::collection::vec((0..4u8, "[a-zé]{1,6}( [a-z]{1,6}(\\]\\(dish\\))?)?"), 1..12),
        stories in prop::collection::vec(prop::collection::vec(0..4u8, 1..4), 1..5),
        cut in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let domain = "intents: [a]\nslots: {}\nactions: [b]\n";
        let nlu = nlu_file(&examples);
        let told = story_file(&stories, "story");
        let plain = serialised(&[
            ("config.yml", CONFIG), ("domain.yml", domain),
            ("data/nlu.yml", &nlu), ("data/stories.yml", &told),
        ]);

        let crlf = |text: &str| text.replace('\n', "\r\n");
        prop_assert_eq!(&plain, &serialised(&[
            ("config.yml", &crlf(CONFIG)), ("domain.yml", &crlf(domain)),
            ("data/nlu.yml", &crlf(&nlu)), ("data/stories.yml", &crlf(&told)),
        ]));

        let marked = |text: &str| format!("\u{feff}# a comment\n\n{text}\n# another\n");
        prop_assert_eq!(&plain, &serialised(&[
            ("config.yml", &marked(CONFIG)), ("domain.yml", &marked(domain)),
            ("data/nlu.yml", &marked(&nlu)), ("data/stories.yml", &marked(&told)),
        ]));

        let mut shuffled = examples.clone();
        shuffled.sort_by_key(|(intent, words)| {
            let letters = words.bytes().map(u64::from).sum::<u64>();
            (letters + u64::from(*intent) * 7 + 1).wrapping_mul(seed | 1)
        });
        let at = cut.index(shuffled.len() + 1);
        let (left, right) = shuffled.split_at(at);
        let mut back = stories.clone();
        back.reverse();
        prop_assert_eq!(&plain, &serialised(&[
            ("config.yml", CONFIG), ("domain.yml", domain),
            ("data/z/one.yml", &nlu_file(left)), ("data/a.yaml", &nlu_file(right)),
            ("data/b.yml", &story_file(&back, "renamed")),
        ]));
    }
}

#[test]
fn another_word_is_another_project() {
    let one = [(
        "data/nlu.yml",
        "nlu:\n- intent: a\n  examples: |\n    - x\n",
    )];
    let two = [(
        "data/nlu.yml",
        "nlu:\n- intent: a\n  examples: |\n    - y\n",
    )];
    assert_ne!(serialised(&one), serialised(&two));
}

#[test]
fn a_file_that_is_named_twice_counts_once() {
    let root = folder(&[(
        "data/nlu.yml",
        "nlu:\n- intent: a\n  examples: |\n    - x\n",
    )]);
    let imported = import_project(&Sources {
        root: root.path().to_owned(),
        data: vec!["data".into(), "data/nlu.yml".into(), "./data".into()],
        want: Want::Nlu,
        ..Sources::default()
    })
    .unwrap();
    let shown: Vec<&str> = imported.files.iter().map(|f| &*f.shown).collect();
    assert_eq!(shown, ["data/nlu.yml"]);
}

#[test]
fn variables_of_the_environment_are_told_to_the_caller() {
    let root = folder(&[("config.yml", "pipeline: []\npolicies: []\nkey: ${NAME}\n")]);
    let imported = import_project(&Sources {
        root: root.path().to_owned(),
        config: "config.yml".into(),
        environment: BTreeMap::from([("NAME".to_owned(), "value".to_owned())]),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(imported.project.config.other["key"], json!("value"));
    assert_eq!(imported.environment["NAME"].as_deref(), Some("value"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_links_into_itself_is_read_once() {
    let root = folder(&[(
        "data/nlu.yml",
        "nlu:\n- intent: a\n  examples: |\n    - x\n",
    )]);
    std::os::unix::fs::symlink(root.path().join("data"), root.path().join("data/again")).unwrap();
    let imported = import(root.path());
    assert_eq!(imported.project.nlu.examples.len(), 1);
    assert!(imported.diagnostics.iter().any(|d| d.code == "W020"));
}

#[test]
fn a_link_that_leads_nowhere_is_passed_over() {
    let nlu = "nlu:\n- intent: a\n  examples: |\n    - x\n";
    let root = folder(&[("data/nlu.yml", nlu)]);
    let links = [
        ("gone.yml", "nowhere.yml"),
        ("one.yml", "other.yml"),
        ("other.yml", "one.yml"),
        ("self", "self"),
        (".#nlu.yml", "somebody@host.42"),
    ];
    for (link, target) in links {
        std::os::unix::fs::symlink(target, root.path().join("data").join(link)).unwrap();
    }
    let imported = import(root.path());
    assert_eq!(imported.project.nlu.examples.len(), 1);
    let said = imported.diagnostics.iter();
    let said = said.filter(|d| d.code == "W046");
    let said: Vec<&str> = said.map(|d| &*d.place.file).collect();
    assert_eq!(said, ["data/gone.yml", "data/one.yml", "data/other.yml"]);
    assert!(errors(&imported).is_empty());
}

#[test]
fn a_lookup_file_that_is_not_there_is_named() {
    let entry =
        |name: &str, phrases: &str| format!("- lookup: {name}\n  examples: |\n    - {phrases}\n");
    let nlu = [
        "nlu:\n",
        &entry("city", "data/citys.txt"),
        &entry("there", "data/there.txt"),
        &entry("files", "a.txt\n    - b.txt"),
        &entry("said", "what is in a.txt"),
        &entry("dish", "pizza"),
    ];
    let root = folder(&[
        ("data/nlu.yml", &nlu.concat()),
        ("data/there.txt", "x\ny\n"),
    ]);
    let imported = import(root.path());
    let said = imported.diagnostics.iter();
    let said = said.filter(|d| d.code == "W047");
    let said: Vec<String> = said.map(|d| format!("{} {}", d.place, d.message)).collect();
    expect![["data/nlu.yml:2:11 lookup table `city` has the phrase `data/citys.txt` and no file of that name"]]
        .assert_eq(&said.join("\n"));
}

#[test]
fn forms_of_rasa_2_give_their_mappings_to_slots() {
    let domain = "\
version: '2.0'
entities: [dish]
slots:
  dish: {type: text}
  note: {type: text, auto_fill: false}
forms:
  order:
    required_slots:
      dish: [{type: from_entity, entity: dish}]
      note: [{type: from_text}]
";
    let root = folder(&[("domain.yml", domain), ("data/nlu.yml", "nlu: []\n")]);
    let imported = import(root.path());
    assert_eq!(errors(&imported), Vec::<String>::new());
    let slots = &imported.project.domain.slots;
    let condition = |slot: usize| &slots[slot].mappings[0].conditions[0];
    assert_eq!(condition(0).active_loop.as_deref(), Some("order"));
    assert_eq!(condition(0).requested_slot, None);
    assert_eq!(condition(1).requested_slot.as_deref(), Some("note"));
    assert!(slots[0].auto_fill && !slots[1].auto_fill);
    assert_eq!(
        imported.project.domain.forms[0].required_slots,
        ["dish", "note"]
    );
}
