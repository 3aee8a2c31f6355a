//! Findings as SARIF 2.1.0, which editors and code hosts show beside the lines.
//!
//! One run; a rule for each code that occurs, with its page as help; a result
//! for each diagnostic. Files are named relative to where the command ran
//! (`%SRCROOT%`), columns count code points.

use std::collections::BTreeSet;
use std::path::Component;
use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::page;
use crate::diagnostic::title;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A diagnostic, and the assistants of a workspace that it is about.
pub struct Found<'a> {
    /// What is wrong.
    pub diagnostic: &'a Diagnostic,
    /// Names; none outside a workspace.
    pub assistants: Vec<&'a str>,
}

/// Returns the log. `project` is the project's folder as it was typed.
pub fn log(diagnostics: &[Diagnostic], project: &Path) -> String {
    let found = diagnostics.iter().map(|diagnostic| Found {
        diagnostic,
        assistants: Vec::new(),
    });
    log_of(&found.collect::<Vec<_>>(), project)
}

/// Returns the log of what was found in several assistants; files are named from
/// `folder`.
pub fn log_of(found: &[Found<'_>], folder: &Path) -> String {
    let codes: BTreeSet<&str> = found.iter().map(|one| one.diagnostic.code).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    let results: Vec<Value> = found
        .iter()
        .map(|one| {
            let mut result = result(one.diagnostic, &codes, folder);
            if !one.assistants.is_empty() {
                result["properties"] = json!({ "assistants": one.assistants });
            }
            result
        })
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "tabella",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
                }
            },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).expect("the log has plain values")
}

fn level(severity: Severity) -> &'static str {
    severity.word()
}

fn rule(code: &str) -> Value {
    let title = title(code).unwrap_or(code);
    let severity = match code.as_bytes().first() {
        Some(b'E') => Severity::Error,
        Some(b'W') => Severity::Warning,
        _ => Severity::Note,
    };
    let (meaning, remedy) = match page(code) {
        Some(page) => (page.meaning, page.remedy),
        None => (title.to_owned(), String::new()),
    };
    json!({
        "id": code,
        "shortDescription": { "text": title },
        "fullDescription": { "text": meaning },
        "help": { "text": format!("{meaning}\n\n{remedy}").trim() },
        "defaultConfiguration": { "level": level(severity) },
    })
}

fn result(one: &Diagnostic, codes: &[&str], project: &Path) -> Value {
    let mut text = one.message.clone();
    for (word, more) in [("note", &one.note), ("help", &one.help)] {
        if let Some(more) = more {
            text.push_str(&format!("\n{word}: {more}"));
        }
    }
    let mut result = json!({
        "ruleId": one.code,
        "ruleIndex": codes.binary_search(&one.code).unwrap_or(0),
        "level": level(one.severity),
        "message": { "text": text },
    });
    if !one.place.file.is_empty() {
        let location = json!({ "physicalLocation": physical(one, project) });
        result["locations"] = json!([location]);
    }
    result
}

fn physical(one: &Diagnostic, project: &Path) -> Value {
    let Place { file, line, column } = &one.place;
    let mut physical = json!({ "artifactLocation": artifact(file, project) });
    if one.place.is_known() {
        let column = (*column).max(1);
        physical["region"] = json!({
            "startLine": line,
            "startColumn": column,
            "endLine": line,
            "endColumn": column + one.length.max(1),
        });
    }
    physical
}

/// Names a file by a URI: relative where it lies below the project.
fn artifact(file: &str, project: &Path) -> Value {
    if file.starts_with('/') {
        return json!({ "uri": format!("file://{}", encoded(file)) });
    }
    if project.is_absolute() {
        return json!({ "uri": encoded(file), "uriBaseId": "%SRCROOT%" });
    }
    let mut path: Vec<String> = project
        .components()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    path.push(file.to_owned());
    json!({ "uri": encoded(&path.join("/")), "uriBaseId": "%SRCROOT%" })
}

/// Returns a path with everything but unreserved characters percent-encoded.
fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        assert_eq!(encoded("data/nlu.yml"), "data/nlu.yml");
        assert_eq!(encoded("a b/ü#1%.yml"), "a%20b/%C3%BC%231%25.yml");
    }

    #[test]
    fn files_are_named_from_where_the_command_ran() {
        let uri = |file: &str, project: &str| {
            let artifact = artifact(file, Path::new(project));
            artifact["uri"].as_str().unwrap().to_owned()
        };
        assert_eq!(uri("data/nlu.yml", "."), "data/nlu.yml");
        assert_eq!(uri("data/nlu.yml", "./bots/one"), "bots/one/data/nlu.yml");
        assert_eq!(uri("data/nlu.yml", "/bots/one"), "data/nlu.yml");
        assert_eq!(uri("/else where.yml", "bots"), "file:///else%20where.yml");
    }
}
