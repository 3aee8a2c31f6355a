//! `tabella data validate`: shows what is wrong in a project's files.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::api;
use crate::api::Findings;
use crate::api::ValidateOptions;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::paint_of_output;
use crate::cli::output::print;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::render;

/// `tabella data validate`.
#[derive(Debug, Args)]
pub struct ValidateArguments {
    /// Files and folders with NLU data, stories and rules
    #[arg(long, value_name = "PATH", num_args = 1.., default_value = "data")]
    data: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "config.yml")]
    config: PathBuf,
    /// Domain file or folder
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "domain.yml")]
    domain: Vec<PathBuf>,
    /// End with 65 when there are warnings, too
    #[arg(long)]
    fail_on_warnings: bool,
    /// The project's folder; relative paths start here
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Write one JSON object to standard output
    #[arg(long)]
    json: bool,
    /// Show errors only
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command.
pub fn run(arguments: &ValidateArguments) -> Exit {
    let options = ValidateOptions {
        project: arguments.project.clone(),
        domain: arguments.domain.clone(),
        config: arguments.config.clone(),
        data: arguments.data.clone(),
        environment: environment(),
    };
    match api::validate(&options) {
        Ok(findings) => tell(arguments, &findings),
        Err(error) => fail(Format::of(arguments.json), &error),
    }
}

/// Shows the findings on standard output.
fn tell(arguments: &ValidateArguments, findings: &Findings) -> Exit {
    let count = Count::of(&findings.diagnostics);
    let failed = count.errors > 0 || arguments.fail_on_warnings && count.warnings > 0;
    let exit = if failed { Exit::BadInput } else { Exit::Done };
    let text = if arguments.json {
        let object = json!({
            "errors": count.errors,
            "warnings": count.warnings,
            "notes": count.notes,
            "diagnostics": findings.diagnostics,
        });
        object.to_string()
    } else {
        let is_shown = |one: &&Diagnostic| !arguments.quiet || one.severity == Severity::Error;
        let shown: Vec<Diagnostic> = findings
            .diagnostics
            .iter()
            .filter(is_shown)
            .cloned()
            .collect();
        let mut text = render(&shown, &findings.sources, paint_of_output());
        if !text.is_empty() {
            text.push('\n');
        }
        text + &count.sentence()
    };
    print(&text, exit)
}

/// How many diagnostics there are of each severity.
struct Count {
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Count {
    fn of(diagnostics: &[Diagnostic]) -> Self {
        let of = |severity| {
            diagnostics
                .iter()
                .filter(|d| d.severity == severity)
                .count()
        };
        Self {
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            notes: of(Severity::Note),
        }
    }

    /// Returns the last line of the output.
    fn sentence(&self) -> String {
        let parts: Vec<String> = [
            (self.errors, "error"),
            (self.warnings, "warning"),
            (self.notes, "note"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        })
        .collect();
        match parts.is_empty() {
            true => "nothing to complain about".to_owned(),
            false => parts.join(", "),
        }
    }
}
