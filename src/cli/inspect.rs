//! `tabella inspect`: what a model archive holds.

use std::fmt::Write;

use serde_json::json;

use crate::api::TrainError;
use crate::api::in_project;
use crate::archive::ComponentEntry;
use crate::archive::Files;
use crate::archive::Model;
use crate::archive::latest_model;
use crate::archive::read_model;
use crate::cli::args::InspectArguments;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;

/// Runs the command.
pub fn run(arguments: &InspectArguments) -> Exit {
    let read = latest_model(&in_project(&arguments.project, &arguments.model))
        .and_then(|path| read_model(&path).map(|model| (path, model)));
    match read {
        Ok((path, model)) if arguments.json => {
            print(&as_json(&path.display().to_string(), &model), Exit::Done)
        }
        Ok((path, model)) => {
            let text = as_text(&path.display().to_string(), &model);
            print(text.trim_end(), Exit::Done)
        }
        Err(error) => fail(Format::of(arguments.json), &TrainError::from(error)),
    }
}

fn as_json(path: &str, model: &Model) -> String {
    let sizes = |files: &Files| -> serde_json::Value {
        files
            .iter()
            .map(|(name, bytes)| (name.clone(), json!(bytes.len())))
            .collect()
    };
    let object = json!({
        "model": path,
        "metadata": model.metadata,
        "fingerprint": model.fingerprint,
        "core": sizes(&model.core),
        "nlu": sizes(&model.nlu),
    });
    format!("{object:#}")
}

fn as_text(path: &str, model: &Model) -> String {
    let metadata = &model.metadata;
    let mut text = format!("{path}\n");
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<12} {value}");
    };
    line(
        "trained by",
        &format!("tabella {}", metadata.tabella_version),
    );
    line(
        "assistant",
        metadata
            .assistant_id
            .as_deref()
            .unwrap_or("(no assistant_id)"),
    );
    line("language", metadata.language.as_deref().unwrap_or("(none)"));
    components(&mut text, "pipeline", &metadata.pipeline);
    components(&mut text, "policies", &metadata.policies);
    files(&mut text, "nlu", &model.nlu);
    files(&mut text, "core", &model.core);
    text
}

fn components(text: &mut String, title: &str, entries: &[ComponentEntry]) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {title}");
    for (index, entry) in entries.iter().enumerate() {
        let _ = writeln!(text, "    {index} {}", entry.name);
    }
}

fn files(text: &mut String, folder: &str, files: &Files) {
    if files.is_empty() {
        return;
    }
    let _ = writeln!(text, "  {folder}/");
    for (name, bytes) in files {
        let _ = writeln!(text, "    {:>10}  {name}", bytes.len());
    }
}
