//! What becomes of each JSON format, and what is said about it.

use std::path::Path;

use super::*;

/// Reads a file, with examples beside it if it is one of Dialogflow.
fn read_text(text: &str, examples: Option<&str>) -> (NluPart, Vec<String>) {
    let root = parse(text).unwrap().root;
    let kind = recognise(Path::new("data/a.json"), &root).unwrap();
    let examples = examples.map(|text| Examples {
        file: "data/a_en.json".into(),
        root: Some(parse(text).unwrap().root),
    });
    let mut reading = Reading::new("data/a.json".into());
    let part = read(kind, &root, examples.as_ref(), &mut reading);
    let said = reading.diagnostics.iter();
    let said = said.map(|d| format!("{} {} {}", d.code, d.place, d.message));
    (part, said.collect())
}

fn examples(part: &NluPart) -> Vec<String> {
    let example = |e: &crate::data::Example| {
        let mut shown = format!("{}: {}", e.intent.as_deref().unwrap_or("-"), e.text);
        for a in &e.entities {
            shown += &format!(" {}..{} {}={}", a.start, a.end, a.entity, a.value);
            let extra = a.role.iter().chain(&a.group);
            extra.for_each(|extra| shown += &format!("/{extra}"));
        }
        shown
    };
    part.data.examples.iter().map(example).collect()
}

fn synonyms(part: &NluPart) -> Vec<(&str, &str)> {
    let synonyms = part.synonyms.iter();
    synonyms.map(|s| (s.0.as_str(), s.1.as_str())).collect()
}

#[test]
fn rasas_own_format_is_read() {
    let (part, said) = read_text(
        r#"{"rasa_nlu_data": {
            "common_examples": [
                {"text": "to pízza Rome", "intent": "faq/go", "entities": [
                    {"start": 9, "end": 13, "entity": "city", "value": "ROM", "role": "to", "group": "1"},
                    {"start": 3.0, "end": 8, "entity": "dish"}]},
                {"text": "hi"}],
            "regex_features": [{"name": "zip", "pattern": "\\d{5}"}],
            "lookup_tables": [{"name": "a", "elements": ["x", "y"]}, {"name": "b", "elements": "b.txt"}],
            "entity_synonyms": [{"value": "NYC", "synonyms": ["new york", 1]}]}}"#,
        None,
    );
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(
        examples(&part),
        [
            r#"faq: to pízza Rome 3..8 dish="pízza" 9..13 city="ROM"/to/1"#,
            "-: hi"
        ]
    );
    let key = part.data.examples[0].intent_response_key.as_deref();
    assert_eq!(key, Some("faq/go"));
    assert_eq!(part.data.examples[0].place.to_string(), "data/a.json:3:26");
    assert_eq!(part.data.patterns[0].pattern, r"\d{5}");
    assert_eq!(part.data.lookups[0].elements, vec!["x", "y"].into());
    assert_eq!(part.lookup_files[0].path, "b.txt");
    assert_eq!(synonyms(&part), [("new york", "NYC"), ("1", "NYC")]);
}

#[test]
fn mistakes_are_named_where_they_stand() {
    let check = |data: &str, want: &[&str]| {
        let (_, said) = read_text(&format!("{{\"rasa_nlu_data\":\n{data}}}"), None);
        assert_eq!(said, want, "{data}");
    };
    let example = |entities: &str| {
        format!(r#"{{"common_examples": [{{"text": "añb", "entities": [{entities}]}}]}}"#)
    };
    check(
        "[]",
        &["E010 data/a.json:2:1 `rasa_nlu_data` must be a map, not a list"],
    );
    check(
        r#"{"common_examples": {}}"#,
        &["E010 data/a.json:2:21 `common_examples` must be a list, not a map"],
    );
    check(
        &example(r#"{"start": 1, "end": 2}"#),
        &["E326 data/a.json:2:51 `entity` is missing here"],
    );
    check(
        &example(r#"{"start": 3, "end": 4, "entity": "e"}"#),
        &["E323 data/a.json:2:61 an entity starts at 3, but the text has 3 letters"],
    );
    check(
        &example(r#"{"start": 2, "end": 9, "entity": "e"}"#),
        &["W334 data/a.json:2:71 an entity ends at 9, but the text has 3 letters"],
    );
    check(
        &example(r#"{"start": -1, "end": "x", "entity": 5}"#),
        &["E323 data/a.json:2:61 the start of an entity must be a whole number from 0 on"],
    );
    check(
        &example(r#"{"start":0,"end":2,"entity":"a"},{"start":1,"end":3,"entity":"b"}"#),
        &["W324 data/a.json:2:84 an entity overlaps another one of its text"],
    );
    check(
        r#"{"common_exmaples": []}, "more": 1"#,
        &[
            "E327 data/a.json:2:26 key `more` cannot stand beside `rasa_nlu_data`",
            "W333 data/a.json:2:2 section `common_exmaples` is not known",
        ],
    );
    check(
        r#"{"common_examples": [{"intent": "a"}]}"#,
        &["W305 data/a.json:2:22 an example without `text` is left out"],
    );
}

#[test]
fn exports_of_luis_are_read() {
    let (part, said) = read_text(
        r#"{"luis_schema_version": "8.1", "utterances": [
            {"text": "to Rome", "intent": "go", "entities": [
                {"entity": "city", "startPos": 3, "endPos": 6, "role": "to"}]},
            {"text": "hm", "intent": "None", "entities": null}],
            "regex_features": [{"name": "a", "pattern": "x", "activated": true},
                               {"name": "b", "pattern": "y", "activated": false}],
            "regex_entities": [{"name": "c", "regexPattern": "z"}]}"#,
        None,
    );
    assert_eq!(
        said,
        ["W328 data/a.json:1:25 schema `8.1` of LUIS is not known: it is read as one of 7.0"]
    );
    assert_eq!(
        examples(&part),
        [r#"go: to Rome 3..7 city="Rome"/to"#, "None: hm"]
    );
    let names: Vec<&str> = part.data.patterns.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
}

#[test]
fn exports_of_wit_are_read() {
    let (part, said) = read_text(
        r#"{"utterances": [
            {"text": "to Rome", "intent": "go", "entities": [
                {"entity": "city:to", "start": 3, "end": 7, "body": "Rome", "entities": []}]},
            {"text": "hm", "entities": []},
            {"text": "passed over"}]}"#,
        None,
    );
    assert_eq!(said, Vec::<String>::new());
    let want = [r#"go: to Rome 3..7 city="Rome"/to"#, "out_of_scope: hm"];
    assert_eq!(examples(&part), want);
}

#[test]
fn exports_of_dialogflow_are_read() {
    let (part, said) = read_text(
        r#"{"name": "go", "responses": []}"#,
        Some(
            r#"[{"data": [{"text": "to "}, {"text": "Rome", "alias": "city", "meta": "@city"},
                {"text": " now", "meta": "@sys.ignore"}]}, {"data": 1}]"#,
        ),
    );
    assert_eq!(
        said,
        [
            "E010 data/a_en.json:2:69 `data` must be a list, not a number",
            "W305 data/a_en.json:2:60 an example without text is left out",
        ]
    );
    assert_eq!(examples(&part), [r#"go: to Rome now 3..7 city="Rome""#]);
    let entries = r#"[{"value": "Rome", "synonyms": ["Rome", "roma", "@city"]}]"#;
    let (part, said) = read_text(r#"{"name": "city", "isEnum": true}"#, Some(entries));
    assert_eq!(said, Vec::<String>::new());
    assert_eq!(part.data.lookups[0].elements, vec!["Rome", "roma"].into());
    assert_eq!(synonyms(&part).len(), 3);
    let pattern = r#"{"name": "zip", "isEnum": false, "isRegexp": true}"#;
    let (part, _) = read_text(pattern, Some(r#"[{"value": "a", "synonyms": ["\\d"]}]"#));
    assert_eq!(part.data.patterns[0].pattern, r"\d");
    let (part, said) = read_text(r#"{"name": "go", "responses": []}"#, None);
    assert_eq!((part.data.examples.len(), said.len()), (0, 0));
}

#[test]
fn files_are_known_by_their_keys() {
    let kind = |name: &str, text: &str| recognise(Path::new(name), &parse(text).unwrap().root);
    assert_eq!(
        kind("a", r#"{"utterances": 1, "rasa_nlu_data": 1}"#),
        Some(Kind::Wit)
    );
    assert_eq!(kind("a", r#"{"version": 1}"#), Some(Kind::DialogflowOther));
    assert_eq!(kind("a", r#"{"version": 1, "x": 2}"#), None);
    assert_eq!(
        kind("a_entries_en.json", "[]"),
        Some(Kind::DialogflowExamples)
    );
    assert_eq!(kind("a.json", "[]"), None);
}

#[test]
fn a_long_text_is_not_repeated_for_each_mistake_in_it() {
    let text = "x".repeat(20_000);
    let entities = r#"{"start": 90000, "end": 90001, "entity": "e"},"#.repeat(5_000);
    let data = format!(
        r#"{{"rasa_nlu_data": {{"common_examples": [{{"text": "{text}", "entities": [{entities}{{}}]}}]}}}}"#
    );
    let root = parse(&data).unwrap().root;
    let mut reading = Reading::new("a.json".into());
    read(Kind::Rasa, &root, None, &mut reading);
    let notes = reading.diagnostics.iter().filter_map(|d| d.note.as_ref());
    assert!(notes.map(String::len).sum::<usize>() < 1_000_000);
}
