//! `tabella verify`: whether a model archive is what a training wrote.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;

use crate::api::ModelCheck;
use crate::api::check_model;
use crate::api::in_project;
use crate::cli::amounts::Count;
use crate::cli::amounts::shown_size;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;

/// `tabella verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// An archive, or a folder whose latest archive is meant
    #[arg(default_value = "models")]
    pub model: PathBuf,
    /// The project's folder; a relative model path starts here
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Write what was found as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub fn run(arguments: &VerifyArguments) -> Exit {
    let format = Format::of(arguments.json);
    let check = match check_model(&in_project(&arguments.project, &arguments.model)) {
        Ok(check) => check,
        Err(error) => return fail(format, &error),
    };
    let exit = match check.problems.is_empty() {
        true => Exit::Done,
        false => Exit::BadInput,
    };
    let text = match format {
        Format::Text => as_text(&check),
        Format::Json => serde_json::to_string_pretty(&check)
            .expect("what is told has string keys and plain values"),
    };
    print(&text, exit)
}

fn as_text(check: &ModelCheck) -> String {
    let found = match check.problems.len() {
        0 => "sound".to_owned(),
        count => Count(count, "problem").to_string(),
    };
    let mut text = format!("{}: {found}\n", check.model.display());
    for problem in &check.problems {
        let _ = writeln!(text, "  {}", problem.text);
    }
    if check.entries > 0 {
        let by = match &check.tabella_version {
            Some(version) => format!(", trained by tabella {version}"),
            None => String::new(),
        };
        let _ = writeln!(
            text,
            "read {}, {}; loaded {}{by}",
            Count(check.entries, "file"),
            shown_size(check.bytes),
            Count(check.components, "component")
        );
    }
    if let Some(digest) = check.digest.filter(|_| check.problems.is_empty()) {
        let _ = writeln!(text, "content {digest}");
    }
    text.trim_end().to_owned()
}
