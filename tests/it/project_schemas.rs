//! The schemas of a project's files and the readers accept and refuse the same.
//!
//! What only a comparison between sections or files can find – an unknown intent
//! in a story, a form that asks for an unknown slot, an annotation inside a text,
//! a key that stands twice – no schema can say; there are no samples of it.

#![allow(clippy::unwrap_used)] // Test helpers may fail as tests do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use tabella::diagnostic::Diagnostic;
use tabella::diagnostic::Severity;
use tabella::import::Sources;
use tabella::import::import_project;
use tabella::import::import_workspace;
use walkdir::WalkDir;

use crate::json_schema::Schema;
use crate::json_schema::folder;
use crate::shared::shared;

/// Reads one file by itself and returns the errors in it.
fn errors(path: &Path, kind: &str) -> Vec<String> {
    let mut diagnostics = diagnostics(path, kind);
    diagnostics.retain(|d| d.severity == Severity::Error);
    let shown = |d: &Diagnostic| format!("{} {}: {}", d.code, d.place, d.message);
    diagnostics.iter().map(shown).collect()
}

fn diagnostics(path: &Path, kind: &str) -> Vec<Diagnostic> {
    let here = |wanted: bool| match wanted {
        true => vec![path.to_owned()],
        false => Vec::new(),
    };
    match kind {
        "workspace" => {
            let root = tempfile::tempdir().unwrap();
            for file in [
                "bots/lemon/config.yml",
                "bots/lemon/domain.yml",
                "bots/lemon/data/nlu.yml",
                "shared/data/nlu.yml",
                "shared/domain.yml",
                "shared/light.yml",
                "shared/heavy.yml",
            ] {
                let file = root.path().join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, "").unwrap();
            }
            let copy = root.path().join("tabella.yml");
            fs::copy(path, &copy).unwrap();
            import_workspace(&copy, &BTreeMap::new())
                .unwrap()
                .diagnostics
        }
        _ => {
            let sources = Sources {
                config: match kind {
                    "config" => path.to_owned(),
                    _ => PathBuf::new(),
                },
                domain: here(matches!(kind, "domain" | "rasa")),
                data: here(matches!(kind, "nlu" | "stories" | "rules" | "rasa")),
                ..Sources::default()
            };
            import_project(&sources).unwrap().diagnostics
        }
    }
}

/// Reads YAML with a reader that is not ours.
fn yaml(path: &Path) -> Option<Value> {
    serde_yaml::from_str(&fs::read_to_string(path).ok()?).ok()
}

#[track_caller]
fn check(name: &str) {
    let schema = Schema::open(&format!("{name}.schema.json"));
    for kind in ["valid", "invalid"] {
        let samples = folder().join("samples").join(name).join(kind);
        let mut count = 0;
        for entry in fs::read_dir(samples).unwrap() {
            let path = entry.unwrap().path();
            let refusal = schema.refusal(&yaml(&path).unwrap());
            let errors = errors(&path, name);
            let shown = path.display();
            match kind {
                "valid" => {
                    assert_eq!(refusal, None, "{shown}");
                    assert!(errors.is_empty(), "{shown}: {errors:#?}");
                }
                _ => {
                    assert!(refusal.is_some(), "the schema accepts {shown}");
                    assert!(!errors.is_empty(), "the reader accepts {shown}");
                }
            }
            count += 1;
        }
        assert!(count > 0, "no {kind} samples of {name}");
    }
}

#[test]
fn the_schema_of_domains_is_what_is_read() {
    check("domain");
}

#[test]
fn the_schema_of_configs_is_what_is_read() {
    check("config");
}

#[test]
fn the_schema_of_nlu_data_is_what_is_read() {
    check("nlu");
}

#[test]
fn the_schema_of_stories_is_what_is_read() {
    check("stories");
}

#[test]
fn the_schema_of_rules_is_what_is_read() {
    check("rules");
}

#[test]
fn the_schema_of_mixed_files_is_what_is_read() {
    check("rasa");
}

#[test]
fn the_schema_of_workspaces_is_what_is_read() {
    check("workspace");
}

#[test]
fn every_key_of_the_schemas_says_what_it_is_for() {
    fn visit(schema: &Value, path: &str, silent: &mut Vec<String>) {
        let Some(map) = schema.as_object() else {
            return;
        };
        for (key, property) in map
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let says = ["description", "title", "$ref", "const", "not"];
            let is_open = property
                .as_object()
                .is_some_and(|p| p.keys().any(|keyword| says.contains(&keyword.as_str())));
            let plain = ["button_type", "quick_replies", "elements", "name"];
            // Inside `if` and `then` keys are looked at, not described.
            let looked_at =
                path.contains("/if") || path.contains("/then") || path.contains("/anyOf");
            if !is_open && !looked_at && !plain.contains(&key.as_str()) {
                silent.push(format!("{path}/{key}"));
            }
        }
        for (key, inner) in map {
            let path = format!("{path}/{key}");
            match inner {
                Value::Array(items) => items.iter().for_each(|item| visit(item, &path, silent)),
                // A key may be called as a keyword is.
                Value::Object(named) if key == "properties" => {
                    let named = named.iter();
                    named.for_each(|(name, inner)| visit(inner, &format!("{path}/{name}"), silent));
                }
                inner => visit(inner, &path, silent),
            }
        }
    }
    let names = ["domain", "config", "nlu", "stories", "rules", "workspace"];
    let mut silent = Vec::new();
    for name in names {
        let schema = Schema::open(&format!("{name}.schema.json"));
        visit(&schema.json(), name, &mut silent);
    }
    assert_eq!(silent, Vec::<String>::new());
}

/// Returns every YAML file below a folder, sorted.
fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let files = WalkDir::new(folder).sort_by_file_name();
    let files = files.into_iter().map(|entry| entry.unwrap().into_path());
    let is_yaml = |path: &PathBuf| {
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        matches!(suffix, Some("yml" | "yaml"))
    };
    files.filter(is_yaml).collect()
}

#[test]
fn what_is_read_of_real_projects_is_accepted_by_the_schemas() {
    let Some(bots) = shared("bots") else { return };
    let mixed = Schema::open("rasa.schema.json");
    let config = Schema::open("config.schema.json");
    let mut accepted = 0;
    let mut wrong = Vec::new();
    for path in yaml_files(&bots) {
        let Some(value) = yaml(&path) else { continue };
        let has = |key: &str| value.get(key).is_some();
        let is_config = has("pipeline") || has("policies");
        let sections = ["intents", "slots", "responses", "nlu", "stories", "rules"];
        if !is_config && !sections.iter().any(|key| has(key)) {
            continue;
        }
        let (schema, kind) = match is_config {
            true => (&config, "config"),
            false => (&mixed, "rasa"),
        };
        match schema.refusal(&value) {
            None => accepted += 1,
            Some(refusal) if errors(&path, kind).is_empty() => {
                let path = path.strip_prefix(&bots).unwrap();
                wrong.push(format!("{}: {refusal}", path.display()));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(accepted > 200, "only {accepted} files are accepted");
}
