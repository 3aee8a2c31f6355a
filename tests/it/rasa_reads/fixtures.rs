//! Rasa's own test data, file by file: each is read alone as Rasa 3.6.21 reads
//! it, with the same counts or the same refusal.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use expect_test::expect;
use serde_json::Value;
use serde_json::json;
use tabella::diagnostic::Diagnostic;
use tabella::diagnostic::Severity;
use tabella::import::Imported;
use tabella::import::Sources;
use tabella::import::Want;
use tabella::import::import_project;
use walkdir::WalkDir;

use super::domain_counts;
use crate::shared::shared;

/// Disagreements that are meant, by what is said about them, and why.
const CAUSES: &[(&str, &str)] = &[(
    "domain: read, Rasa refuses it: YamlValidationException",
    "slots without `mappings` are read, as Rasa 2.8.12 reads them",
)];

/// Reads one file by itself.
fn read(root: &Path, file: &str, want: Want) -> Imported {
    import_project(&Sources {
        root: root.to_owned(),
        data: vec![file.into()],
        want,
        ..Sources::default()
    })
    .unwrap()
}

/// Returns the first error whose code starts with one of these digits.
fn refusal(diagnostics: &[Diagnostic], digits: &[char]) -> Option<Value> {
    let errors = diagnostics.iter();
    let mut errors = errors.filter(|d| d.severity == Severity::Error);
    let error = errors.find(|d| d.code[1..].starts_with(digits))?;
    let text = format!(
        "{} at line {}: {}",
        error.code, error.place.line, error.message
    );
    Some(json!(text))
}

fn nlu(root: &Path, file: &str) -> Value {
    let imported = read(root, file, Want::Nlu);
    if let Some(refusal) = refusal(&imported.diagnostics, &['0', '2', '3']) {
        return refusal;
    }
    let nlu = &imported.project.nlu;
    let with_entities = nlu.examples.iter().filter(|e| !e.entities.is_empty());
    let all = read(root, file, Want::All).project;
    json!({
        "examples": nlu.examples.len(),
        "entity_examples": with_entities.count(),
        "synonyms": nlu.synonyms.len(),
        "regex_features": nlu.patterns.len(),
        "lookup_tables": nlu.lookups.len(),
        // Rasa keeps all responses of the file with its NLU data.
        "responses": all.domain.responses.len(),
    })
}

fn stories(root: &Path, file: &str) -> Value {
    let imported = read(root, file, Want::All);
    if let Some(refusal) = refusal(&imported.diagnostics, &['0', '4']) {
        return refusal;
    }
    let steps = &imported.project.stories.steps;
    let names: BTreeSet<&str> = steps.iter().map(|s| s.block_name.as_str()).collect();
    let rules = steps.iter().filter(|step| step.is_rule);
    let rules: BTreeSet<&str> = rules.map(|s| s.block_name.as_str()).collect();
    json!({"blocks": names.len(), "story_steps": steps.len(), "rules": rules.len()})
}

fn domain(root: &Path, file: &str) -> Value {
    domain_counts(&Sources {
        root: root.to_owned(),
        domain: vec![file.into()],
        ..Sources::default()
    })
}

/// Returns what differs between a part as Rasa read it and as we do.
fn difference(rasa: &Value, ours: &Value) -> Option<String> {
    match (rasa, ours) {
        (Value::String(_), Value::String(_)) => None,
        (Value::Object(rasa), Value::Object(ours)) => {
            let differ = ours
                .iter()
                .filter(|(key, value)| rasa.get(*key) != Some(value));
            let said = differ.map(|(key, value)| {
                let rasa = rasa.get(key).unwrap_or(&Value::Null);
                format!("{key} {value}, Rasa {rasa}")
            });
            let said: Vec<String> = said.collect();
            (!said.is_empty()).then(|| said.join("; "))
        }
        (Value::String(why), _) => {
            let why = why.trim_start_matches("error ");
            let why: String = why.chars().take(110).collect();
            Some(format!("read, Rasa refuses it: {why}"))
        }
        (_, ours) => Some(format!("refused, Rasa reads it: {ours}")),
    }
}

#[test]
fn every_file_of_rasas_own_tests_is_read_as_rasa_reads_it() {
    let Some(bots) = shared("bots") else { return };
    let root = bots.join("fixtures-rasa3");
    let record = fs::read_to_string(bots.join("fixtures-rasa3-reads.json")).unwrap();
    let record: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(&record).unwrap();
    let mut agree: BTreeMap<&str, usize> = BTreeMap::new();
    let mut refused = String::new();
    let mut table = String::new();
    for (file, parts) in &record {
        for (part, read) in [
            ("domain", domain as fn(&Path, &str) -> Value),
            ("nlu", nlu),
            ("stories", stories),
        ] {
            let Some(rasa) = parts.get(part) else {
                continue;
            };
            let ours = read(&root, file);
            if let (Value::String(_), Value::String(ours)) = (rasa, &ours) {
                writeln!(refused, "{file} {part}: {ours}").unwrap();
            }
            match difference(rasa, &ours) {
                None => *agree.entry(part).or_default() += 1,
                Some(said) => {
                    let said = format!("{part}: {said}");
                    let cause = CAUSES.iter().find(|(what, _)| said.starts_with(what));
                    let cause = cause.map_or("NO CAUSE", |(_, why)| *why);
                    writeln!(table, "{file} {said}\n    {cause}").unwrap();
                }
            }
        }
    }
    let head = format!("{} files; parts that agree: {agree:?}\n", record.len());
    expect![[r#"
        204 files; parts that agree: {"domain": 76, "nlu": 106, "stories": 84}
        test_domains/form.yml domain: read, Rasa refuses it: YamlValidationException: Failed to validate 'test_domains/form.yml'. Please make sure the file is correct and 
            slots without `mappings` are read, as Rasa 2.8.12 reads them
        test_domains/people_form.yml domain: read, Rasa refuses it: YamlValidationException: Failed to validate 'test_domains/people_form.yml'. Please make sure the file is corre
            slots without `mappings` are read, as Rasa 2.8.12 reads them
        test_domains/query_form.yml domain: read, Rasa refuses it: YamlValidationException: Failed to validate 'test_domains/query_form.yml'. Please make sure the file is correc
            slots without `mappings` are read, as Rasa 2.8.12 reads them
    "#]].assert_eq(&(head + &table));
    expect![[r#"
        test_domains/custom_slot_domain.yml domain: E202 test_domains/custom_slot_domain.yml:10:11 slot type `data.test_classes.custom_slots.LimitSlot` is Python code
        test_domains/duplicate_actions.yml domain: E201 test_domains/duplicate_actions.yml:35:5 action `utter_default` is listed twice
        test_domains/duplicate_entities.yml domain: E201 test_domains/duplicate_entities.yml:20:4 entity `name` is listed twice
        test_domains/duplicate_intents.yml domain: E201 test_domains/duplicate_intents.yml:5:4 intent `default` is listed twice
        test_domains/duplicate_responses.yml nlu: E005 at line 22: key `utter_greet` stands twice in this map, first in line 16
        test_domains/empty_response_format.yml domain: E219 test_domains/empty_response_format.yml:16:3 response `utter_greet` has no variations
        test_domains/empty_response_format.yml nlu: E219 at line 16: response `utter_greet` has no variations
        test_domains/invalid_format.yml nlu: E004 at line 15: not valid YAML: simple key expect ':'
        test_domains/missing_text_for_templates.yml domain: E209 test_domains/missing_text_for_templates.yml:8:7 a variation of response `utter_greet` is a map
        test_domains/missing_text_for_templates.yml nlu: E209 at line 8: a variation of response `utter_greet` is a map
        test_domains/wrong_custom_response_format.yml domain: E209 test_domains/wrong_custom_response_format.yml:17:7 a variation of response `utter_greet` has neither `text` nor `custom`
        test_domains/wrong_custom_response_format.yml nlu: E209 at line 17: a variation of response `utter_greet` has neither `text` nor `custom`
        test_domains/wrong_response_format.yml domain: E209 test_domains/wrong_response_format.yml:17:7 a variation of response `utter_greet` is a map
        test_domains/wrong_response_format.yml nlu: E209 at line 17: a variation of response `utter_greet` is a map
        test_mixed_yaml_training_data/training_data.yml stories: E403 at line 15: an entry of this section is none without `story`
    "#]].assert_eq(&refused);
}

/// Rasa's test data of three versions, with broken files on purpose: whatever is
/// in a file, alone or with its neighbours, reading ends and says something.
#[test]
fn no_file_of_rasas_own_tests_stops_the_readers() {
    let folders = [
        ("fixtures-rasa1", 50),
        ("fixtures-rasa2", 500),
        ("fixtures-rasa3", 500),
    ];
    for (folder, examples) in folders {
        let Some(root) = shared(&format!("bots/{folder}")) else {
            return;
        };
        let mut count = 0;
        for entry in WalkDir::new(&root).into_iter().map(Result::unwrap) {
            let path: PathBuf = entry.path().strip_prefix(&root).unwrap().to_owned();
            if !entry.file_type().is_file() {
                continue;
            }
            let imported = import_project(&Sources {
                root: root.clone(),
                config: path.clone(),
                domain: vec![path.clone()],
                data: vec![path.clone()],
                ..Sources::default()
            })
            .unwrap();
            assert!(!imported.files.is_empty(), "{}", path.display());
            count += 1;
        }
        assert!(count > 50, "{folder}: {count}");
        let all = Sources {
            root: root.clone(),
            domain: vec![".".into()],
            data: vec![".".into()],
            ..Sources::default()
        };
        let imported = import_project(&all).unwrap();
        assert!(imported.project.nlu.examples.len() >= examples, "{folder}");
    }
}

/// Returns counts of a project that imports others, with nothing named but its
/// config.
fn imported_counts(part: &str) -> Option<String> {
    let root = shared(&format!("bots/fixtures-rasa3/{part}"))?;
    let imported = import_project(&Sources {
        root,
        config: "config.yml".into(),
        ..Sources::default()
    })
    .unwrap();
    let project = &imported.project;
    let domain = &project.domain;
    let names: Vec<&str> = domain.intents.iter().map(|i| i.name.as_str()).collect();
    Some(format!(
        "{}; {} responses, {} examples, {} steps",
        names.join(" "),
        domain.responses.len(),
        project.nlu.examples.len(),
        project.stories.steps.len(),
    ))
}

/// The counts are sums of those that Rasa reads of the files one by one.
#[test]
fn projects_of_rasas_own_tests_are_brought_in_with_those_that_they_import() {
    let Some(two) = imported_counts("test_multiproject") else {
        return;
    };
    expect!["bot_challenge goodbye greet tell_joke; 4 responses, 32 examples, 4 steps"]
        .assert_eq(&two);
    let chained = imported_counts("test_multi_domain").unwrap();
    expect!["affirm deny goodbye greet mood_great mood_unhappy; 5 responses, 53 examples, 4 steps"]
        .assert_eq(&chained);
}
