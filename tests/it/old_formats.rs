//! Training data in an older format means what it means in YAML, and mistakes
//! in it are named as exactly.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use expect_test::Expect;
use expect_test::expect;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use tabella::data::Domain;
use tabella::data::Event;
use tabella::data::NluData;
use tabella::diagnostic::Paint;
use tabella::diagnostic::render;
use tabella::import::FileKind;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::import_project;
use tabella::import::import_test_stories;
use tabella::import::import_texts;

use crate::shared::shared;

/// Reads files that are in memory.
fn read(files: &[(&str, &str)]) -> Imported {
    let files: Vec<(&str, &[u8])> = files
        .iter()
        .map(|(name, text)| (*name, text.as_bytes()))
        .collect();
    import_texts(&files).unwrap()
}

/// Returns what was read, as keys are made of it.
fn value(files: &[(&str, &str)]) -> Value {
    let project = read(files).project;
    json!([project.nlu, project.stories])
}

fn check_said(files: &[(&str, &str)], want: Expect) {
    let imported = read(files);
    want.assert_eq(&render(
        &imported.diagnostics,
        &imported.sources,
        Paint::Plain,
    ));
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

fn import(root: &Path, data: &[&str]) -> Imported {
    import_project(&Sources {
        root: root.to_owned(),
        data: data.iter().map(PathBuf::from).collect(),
        ..Sources::default()
    })
    .unwrap()
}

/// Returns codes with files and lines.
fn said(imported: &Imported) -> Vec<String> {
    let said = imported.diagnostics.iter();
    said.map(|d| format!("{} {}:{}", d.code, d.place.file, d.place.line))
        .collect()
}

// --- The same data, written in every format -----------------------------------

/// A piece of a message: text, and what it is marked as.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    mark: Option<(String, Option<String>, Option<String>)>,
}

#[derive(Clone, Debug)]
struct Message {
    intent: u8,
    pieces: Vec<Piece>,
}

impl Message {
    /// Returns the message with marks, as YAML and Markdown write it.
    fn marked(&self) -> String {
        let piece = |piece: &Piece| match &piece.mark {
            None => piece.text.clone(),
            Some((kind, None, None)) => format!("[{}]({kind})", piece.text),
            Some((kind, Some(value), None)) => format!("[{}]({kind}:{value})", piece.text),
            Some((kind, value, role)) => {
                let mut map = json!({"entity": kind});
                if let Some(value) = value {
                    map["value"] = json!(value);
                }
                if let Some(role) = role {
                    map["role"] = json!(role);
                }
                format!("[{}]{map}", piece.text)
            }
        };
        self.pieces.iter().map(piece).collect::<Vec<_>>().join(" ")
    }

    /// Returns the message and its synonyms, as JSON writes them.
    fn json(&self) -> (Value, Vec<Value>) {
        let mut text = String::new();
        let (mut entities, mut synonyms) = (Vec::new(), Vec::new());
        for piece in &self.pieces {
            if !text.is_empty() {
                text.push(' ');
            }
            let start = text.chars().count();
            text += &piece.text;
            let Some((kind, value, role)) = &piece.mark else {
                continue;
            };
            let value = value.as_ref().unwrap_or(&piece.text);
            let end = text.chars().count();
            let mut entity = json!({"start": start, "end": end, "entity": kind, "value": value});
            if let Some(role) = role {
                entity["role"] = json!(role);
            }
            entities.push(entity);
            if *value != piece.text {
                synonyms.push(json!({"value": value, "synonyms": [piece.text]}));
            }
        }
        let intent = format!("intent_{}", self.intent);
        (
            json!({"text": text, "intent": intent, "entities": entities}),
            synonyms,
        )
    }
}

fn any_message() -> impl Strategy<Value = Message> {
    let word = "[a-zé🍕]{1,5}( [a-z0-9]{1,3})?";
    let name = || "[a-z]{1,3}";
    let mark = prop::option::of((name(), prop::option::of(name()), prop::option::of(name())));
    let piece = (word, mark).prop_map(|(text, mark)| Piece { text, mark });
    let pieces = prop::collection::vec(piece, 1..4);
    (0..3u8, pieces).prop_map(|(intent, pieces)| Message { intent, pieces })
}

/// Writes examples below headings.
fn nlu_markdown(messages: &[Message]) -> String {
    let section = |m: &Message| format!("## intent:intent_{}\n- {}\n", m.intent, m.marked());
    let mut text: String = messages.iter().map(section).collect();
    text += "## synonym:one\n- uno\n## regex:zip\n- \\b\\d{5}\n## lookup:dish\n- pizza\n- pasta\n";
    text
}

fn nlu_yaml(messages: &[Message]) -> String {
    let section = |m: &Message| {
        let marked = m.marked();
        format!(
            "- intent: intent_{}\n  examples: |\n    - {marked}\n",
            m.intent
        )
    };
    let sections: String = messages.iter().map(section).collect();
    format!(
        "nlu:\n{sections}- synonym: one\n  examples: |\n    - uno\n- regex: zip\n  \
         examples: |\n    - \\b\\d{{5}}\n- lookup: dish\n  examples: |\n    - pizza\n    - pasta\n"
    )
}

fn nlu_json(messages: &[Message]) -> String {
    let (mut examples, mut synonyms) = (Vec::new(), Vec::new());
    for message in messages {
        let (example, theirs) = message.json();
        examples.push(example);
        synonyms.extend(theirs);
    }
    synonyms.push(json!({"value": "one", "synonyms": ["uno"]}));
    let data = json!({"rasa_nlu_data": {
        "common_examples": examples,
        "entity_synonyms": synonyms,
        "regex_features": [{"name": "zip", "pattern": "\\b\\d{5}"}],
        "lookup_tables": [{"name": "dish", "elements": ["pizza", "pasta"]}],
    }});
    serde_json::to_string_pretty(&data).unwrap()
}

/// A line of a story, in both formats.
#[derive(Clone, Debug)]
enum Step {
    User(Vec<(u8, Option<String>)>),
    Action(u8),
    Slot(u8, Value),
    Loop(Option<u8>),
    Checkpoint(u8),
}

impl Step {
    fn markdown(&self) -> String {
        match self {
            Self::User(names) => {
                let name = |(name, entity): &(u8, Option<String>)| match entity {
                    Some(value) => format!("i{name}{}", json!({"e": value})),
                    None => format!("i{name}"),
                };
                let names: Vec<String> = names.iter().map(name).collect();
                format!("* {}", names.join(" OR "))
            }
            Self::Action(name) => format!("  - utter_{name}"),
            Self::Slot(name, value) => format!("  - slot{{\"s{name}\": {value}}}"),
            Self::Loop(Some(name)) => format!("  - form{{\"name\": \"f{name}\"}}"),
            Self::Loop(None) => "  - active_loop{\"name\": null}".to_owned(),
            Self::Checkpoint(name) => format!("> c{name}"),
        }
    }

    fn yaml(&self) -> Value {
        let user = |(name, entity): &(u8, Option<String>)| match entity {
            Some(value) => json!({"intent": format!("i{name}"), "entities": [{"e": value}]}),
            None => json!({"intent": format!("i{name}")}),
        };
        match self {
            Self::User(names) if names.len() == 1 => user(&names[0]),
            Self::User(names) => json!({"or": names.iter().map(user).collect::<Vec<_>>()}),
            Self::Action(name) => json!({"action": format!("utter_{name}")}),
            Self::Slot(name, value) => {
                json!({"slot_was_set": [{format!("s{name}"): value}]})
            }
            Self::Loop(name) => json!({"active_loop": name.map(|name| format!("f{name}"))}),
            Self::Checkpoint(name) => json!({"checkpoint": format!("c{name}")}),
        }
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        "[a-zé ]{0,4}".prop_map(Value::from),
        prop::collection::vec(0..3, 0..3).prop_map(Value::from),
    ];
    let name = (0..3u8, prop::option::of("[a-zé]{1,3}"));
    prop_oneof![
        prop::collection::vec(name, 1..3).prop_map(Step::User),
        (0..3u8).prop_map(Step::Action),
        (0..3u8, value).prop_map(|(name, value)| Step::Slot(name, value)),
        prop::option::of(0..2u8).prop_map(Step::Loop),
        (0..3u8).prop_map(Step::Checkpoint),
    ]
}

type Stories = Vec<Vec<Step>>;

/// Stories of which each has an event, so that none is left out.
fn any_stories() -> impl Strategy<Value = Stories> {
    let story = prop::collection::vec(any_step(), 0..6).prop_map(|mut steps| {
        steps.push(Step::Action(0));
        steps
    });
    prop::collection::vec(story, 1..5)
}

fn stories_markdown(stories: &Stories) -> String {
    let mut text = String::new();
    for (index, steps) in stories.iter().enumerate() {
        text += &format!("## story {index}\n");
        steps
            .iter()
            .for_each(|step| text += &format!("{}\n", step.markdown()));
    }
    text
}

fn stories_yaml(stories: &Stories) -> String {
    let story = |(index, steps): (usize, &Vec<Step>)| {
        let steps: Vec<Value> = steps.iter().map(Step::yaml).collect();
        format!("- story: story {index}\n  steps: {}\n", json!(steps))
    };
    let stories: String = stories.iter().enumerate().map(story).collect();
    format!("stories:\n{stories}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nlu_data_means_the_same_in_every_format(
        messages in prop::collection::vec(any_message(), 1..6),
    ) {
        let yaml = value(&[("data/nlu.yml", &nlu_yaml(&messages))]);
        let markdown = nlu_markdown(&messages);
        prop_assert_eq!(&yaml, &value(&[("data/nlu.md", &markdown)]), "{}", markdown);
        let json = nlu_json(&messages);
        prop_assert_eq!(&yaml, &value(&[("data/nlu.json", &json)]), "{}", json);
    }

    #[test]
    fn stories_mean_the_same_in_every_format(stories in any_stories()) {
        let yaml = value(&[("data/stories.yml", &stories_yaml(&stories))]);
        let markdown = stories_markdown(&stories);
        prop_assert_eq!(&yaml, &value(&[("data/stories.md", &markdown)]), "{}", markdown);
    }

    #[test]
    fn line_ends_marks_and_comments_change_nothing(
        messages in prop::collection::vec(any_message(), 1..5),
        stories in any_stories(),
    ) {
        let (nlu, told) = (nlu_markdown(&messages), stories_markdown(&stories));
        let json = nlu_json(&messages);
        let plain = value(&[("data/n.md", &nlu), ("data/s.md", &told), ("data/j.json", &json)]);
        let crlf = |text: &str| format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let files = [("data/n.md", &*crlf(&nlu)), ("data/s.md", &*crlf(&told)), ("data/j.json", &*crlf(&json))];
        prop_assert_eq!(&plain, &value(&files));
        let nlu = nlu.replace('\n', " <!-- and\nmore -->\n\n");
        let told = told.replace('\n', " <!-- a word --> \n<!--\nmore\n-->\n\n");
        let json = json.replace('\n', "\n\t\n");
        let files = [("data/n.md", &*nlu), ("data/s.md", &*told), ("data/j.json", &*json)];
        prop_assert_eq!(&plain, &value(&files));
    }
}

// --- What Rasa itself converted ------------------------------------------------

/// Starts of texts that Rasa's records have in another form than the files that
/// they were made of: other offsets, or another text, by hand.
const CHANGED_SINCE: &[&str] = &["show me chines", "restaurante central de la India"];

/// Returns examples as text, so that two lists of them can be compared. Blanks
/// at their ends, which one record has, are left out.
fn examples(nlu: &NluData) -> Vec<String> {
    let examples = nlu.examples.iter();
    let is_same = |text: &str| !CHANGED_SINCE.iter().any(|start| text.starts_with(start));
    let examples = examples.filter(|e| is_same(&e.text));
    examples
        .map(|e| json!([e.intent, e.text.trim_end(), e.entities]).to_string())
        .collect()
}

/// Compares files of one format with what Rasa made of them in another one.
fn check_converted(version: &str, from: &str, to: &str, language: &str) {
    let Some(root) = shared(&format!("bots/{version}")) else {
        return;
    };
    let scratch = folder(&[("config.yml", &format!("language: {language}\n"))]);
    let read = |path: &str| {
        let imported = import_project(&Sources {
            root: root.clone(),
            config: scratch.path().join("config.yml"),
            data: vec![path.into()],
            ..Sources::default()
        });
        imported.unwrap().project.nlu
    };
    let (from, to) = (read(from), read(to));
    assert!(!from.examples.is_empty());
    assert_eq!(examples(&from), examples(&to));
    // Rasa writes down no synonym that is its own value.
    let changing = |nlu: &NluData| {
        let synonyms = nlu.synonyms.iter().filter(|(text, value)| text != value);
        synonyms
            .map(|(text, value)| (text.clone(), value.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(changing(&from), changing(&to));
}

#[test]
fn exports_of_other_programs_are_read_as_rasa_converts_them() {
    let dialogflow = "examples/dialogflow";
    for (version, luis) in [
        ("fixtures-rasa1", "demo-restaurants.json"),
        ("fixtures-rasa2", "demo-restaurants_v7.json"),
    ] {
        let luis = format!("examples/luis/{luis}");
        check_converted(version, &luis, "test/luis_converted_to_rasa.json", "en");
        for language in ["en", "es"] {
            let to = format!("test/dialogflow_{language}_converted_to_rasa.json");
            check_converted(version, dialogflow, &to, language);
        }
    }
}

#[test]
fn markdown_is_read_as_rasa_converts_it() {
    let markdown = "examples/rasa/demo-rasa.md";
    check_converted(
        "fixtures-rasa1",
        markdown,
        "test/md_converted_to_json.json",
        "en",
    );
    let json = "examples/rasa/demo-rasa.json";
    check_converted("fixtures-rasa1", json, "test/json_converted_to_md.md", "en");
}

// --- Which files count ----------------------------------------------------------

#[test]
fn what_is_no_training_data_is_passed_over() {
    let root = folder(&[
        ("data/README.md", "# Bot\n\n## Use\n- run `make`\n"),
        ("data/report.json", "{\"accuracy\": 0.9}"),
        ("data/tracker.json", "{\"events\": []"),
        ("data/list.json", "[1, 2]"),
        ("data/models/model.tar.gz", "\u{1f}\u{8b}"),
        ("data/picture.md", "\0"),
        ("data/.hidden.md", "## intent:a\n- b\n"),
        ("notes.md", "Nothing.\n"),
    ]);
    let imported = import(root.path(), &["data"]);
    assert_eq!(imported.project.nlu.examples.len(), 1, "hidden files count");
    assert_eq!(said(&imported), ["N022 data/.hidden.md:0"]);
    let kinds = |kind: FileKind| {
        let files = imported.files.iter();
        files.filter(|file| file.kinds.contains(&kind)).count()
    };
    assert_eq!((kinds(FileKind::Nlu), kinds(FileKind::Stories)), (1, 0));
    let named = import(root.path(), &["notes.md"]);
    assert_eq!(said(&named), ["W024 notes.md:0"]);
}

#[test]
fn lookup_files_are_found_in_the_project_or_beside() {
    let root = folder(&[
        ("words.txt", "one\n two \n\n"),
        ("data/more/dishes.txt", "pizza\r\npasta\r\n"),
        (
            "data/more/nlu.md",
            "## lookup:dish\n- soup\n  dishes.txt\n## lookup:word\nwords.txt\n",
        ),
        (
            "data/nlu.json",
            r#"{"rasa_nlu_data": {"lookup_tables": [{"name": "gone", "elements": "data/gone.txt"}]}}"#,
        ),
    ]);
    let imported = import(root.path(), &["data"]);
    let tables = imported.project.nlu.lookups.iter();
    let tables: Vec<(&str, Vec<&str>)> = tables
        .map(|table| (table.name.as_str(), table.elements.iter().collect()))
        .collect();
    let want = [
        ("dish", vec!["pizza", "pasta", "soup"]),
        ("gone", vec![]),
        ("word", vec!["one", "two"]),
    ];
    assert_eq!(tables, want);
    let files = imported.files.iter();
    let lookups = files.filter(|file| file.kinds == [FileKind::Lookup]);
    assert_eq!(lookups.count(), 2);
    assert!(said(&imported).contains(&"W331 data/nlu.json:1".to_owned()));
}

#[test]
fn the_language_of_the_config_chooses_examples_of_dialogflow() {
    let intent = r#"{"name": "hi", "responses": []}"#;
    let examples = |text: &str| format!(r#"[{{"data": [{{"text": "{text}"}}]}}]"#);
    let files = [
        ("data/hi.json", intent),
        ("data/hi_usersays_en.json", &*examples("hello")),
        ("data/hi_usersays_es.json", &*examples("hola")),
    ];
    let texts = |config: &str| {
        let mut files = files.to_vec();
        files.push(("config.yml", config));
        let imported = read(&files);
        let texts = imported.project.nlu.examples.iter();
        texts.map(|e| e.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts("pipeline: []\n"), ["hello"]);
    assert_eq!(texts("language: es\n"), ["hola"]);
    assert_eq!(texts("language: de\n"), Vec::<String>::new());
}

#[test]
fn tests_in_markdown_keep_texts_entities_and_alternatives() {
    let root = folder(&[(
        "bot/tests/conversation_tests.md",
        "## happy\n* greet: hello OR hi: [you](who)\n  - utter_greet\n* faq/hours: when?\n  - utter_faq\n",
    )]);
    let domain = Domain::default();
    let read = |path: &str| {
        let imported = import_test_stories(root.path(), &[path.into()], &domain).unwrap();
        imported.project.stories.steps
    };
    let steps = read("bot");
    assert_eq!(steps, read("bot/tests/conversation_tests.md"));
    let Event::Or(alternatives) = &steps[0].events[0] else {
        panic!("an `or` stays one event");
    };
    let Event::User(second) = &alternatives[1] else {
        panic!("its alternatives are messages");
    };
    assert_eq!(second.text.as_deref(), Some("you"));
    assert_eq!(second.entities[0].entity, "who");
    let Event::User(asked) = &steps[0].events[2] else {
        panic!("a message stays one");
    };
    assert_eq!(asked.intent.as_deref(), Some("faq/hours"));
}

// --- What is said about mistakes --------------------------------------------------

#[test]
fn mistakes_in_markdown_nlu_data_are_shown() {
    check_said(
        &[(
            "data/nlu.md",
            "## intnet:greet\n- hi\n\n## intent:order\n- a [pizza]{\"entity\": dish}\n\
             two <!-- more\n --> words\n## lookup:dish\nfood.txt\n",
        )],
        expect![[r#"
            note[N022]: NLU data in Markdown: an older format, which is read all the same
              ──▶ data/nlu.md
               = help: `tabella data convert` writes it as YAML

            error[E320]: a section of kind `intnet` is not known
              ──▶ data/nlu.md:1:4
               │
             1 │ ## intnet:greet
               │    ^^^^^^
               = help: did you mean `intent`?

            error[E306]: `{"entity": dish}` is not a JSON map: expected value
              ──▶ data/nlu.md:5:5
               │
             5 │ - a [pizza]{"entity": dish}
               │     ^^^^^^^^^^^^^^^^^^^^^^^
               = help: write `[text]{"entity": "type", "value": "…"}`; the map ends at its first `}`

            warning[W304]: a line without a dash is left out
              ──▶ data/nlu.md:6:1
               │
             6 │ two <!-- more
               │ ^^^^^^^^^^
               = help: start each example with `- `

            warning[W331]: lookup file `food.txt` is not there
              ──▶ data/nlu.md:9:1
               │
             9 │ food.txt
               │ ^^^^^^^^
               = note: lookup table `dish` does without it
               = help: paths are relative to the project's folder
        "#]],
    );
}

#[test]
fn mistakes_in_markdown_stories_are_shown() {
    check_said(
        &[
            (
                "domain.yml",
                "intents: [order]\nentities: [dish]\nactions: [utter_ok]\n\
                 slots:\n  dish: {type: text, mappings: [{type: from_entity, entity: dish}]}\n",
            ),
            (
                "data/stories.md",
                "## happy path\n* order{\"dihs\": \"pizza\"} OR oder\n  - utter_ok\n\
                 \x20 - slot{\"dihs\": \"pizza\"}\n  - slot{\"dish\": pizza}\n  - form\n* `order`\n",
            ),
        ],
        expect![[r#"
            note[N022]: stories in Markdown: an older format, which is read all the same
              ──▶ data/stories.md
               = help: `tabella data convert` writes it as YAML

            warning[W417]: entity `dihs` is not in the domain
              ──▶ data/stories.md:2:9
               │
             2 │ * order{"dihs": "pizza"} OR oder
               │         ^^^^^^
               = help: did you mean `dish`?

            warning[W404]: intent `oder` is not in the domain
              ──▶ data/stories.md:2:29
               │
             2 │ * order{"dihs": "pizza"} OR oder
               │                             ^^^^
               = help: did you mean `order`?

            warning[W424]: slot `dihs` is not in the domain
              ──▶ data/stories.md:4:10
               │
             4 │   - slot{"dihs": "pizza"}
               │          ^^^^^^
               = help: did you mean `dish`?

            error[E421]: not valid JSON: a value was expected, not `p`
              ──▶ data/stories.md:5:18
               │
             5 │   - slot{"dish": pizza}
               │                  ^
               = help: write JSON: `{"name": "value"}`

            error[E421]: no form is named
              ──▶ data/stories.md:6:5
               │
             6 │   - form
               │     ^^^^
               = help: write `- active_loop{"name": "a_form"}`

            error[E420]: `order` stands for a variable, and stories have none
              ──▶ data/stories.md:7:1
               │
             7 │ * `order`
               │ ^^^^^^^^^
               = help: write the value itself, without backticks
        "#]],
    );
}

#[test]
fn mistakes_in_json_are_shown() {
    check_said(
        &[
            (
                "data/nlu.json",
                "{\n  \"rasa_nlu_data\": {\n    \"common_examples\": [\n      {\"text\": \"to Rome\", \
                 \"intent\": \"go\", \"entities\": [\n        {\"start\": 3, \"end\": 7, \"entty\": \
                 \"city\"},\n        {\"start\": 30, \"end\": 37, \"entity\": \"city\"}]},\n      \
                 {\"text\": 5}\n    ]\n  }\n}\n",
            ),
            (
                "data/more.json",
                "{\"rasa_nlu_data\": {\"common_examples\": [{\"text\": \"a\",}]}}",
            ),
        ],
        expect![[r#"
            error[E023]: not valid JSON: nothing stands after the last comma
              ──▶ data/more.json:1:53
               │
             1 │ {"rasa_nlu_data": {"common_examples": [{"text": "a",}]}}
               │                                                     ^
               = help: take that comma away

            note[N022]: NLU data in JSON: an older format, which is read all the same
              ──▶ data/nlu.json
               = help: `tabella data convert` writes it as YAML

            error[E326]: `entity` is missing here
              ──▶ data/nlu.json:5:9
               │
             5 │         {"start": 3, "end": 7, "entty": "city"},
               │         ^
               = help: is it what `entty` is meant to be?

            error[E323]: an entity starts at 30, but the text has 7 letters
              ──▶ data/nlu.json:6:19
               │
             6 │         {"start": 30, "end": 37, "entity": "city"}]},
               │                   ^^
               = note: the text is `to Rome`
               = help: count letters from 0; the end is one past the last

            error[E010]: `text` must be text, not a number
              ──▶ data/nlu.json:7:16
               │
             7 │       {"text": 5}
               │                ^
               = help: put it in quotes if text is meant
        "#]],
    );
}
