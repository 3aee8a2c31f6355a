//! `tabella data validate`: shows what is wrong in a project's files.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use crate::api;
use crate::api::MemberValidation;
use crate::api::Subject;
use crate::api::ValidateOptions;
use crate::api::Validated;
use crate::cli::args::at_least_one;
use crate::cli::data::findings::Count;
use crate::cli::data::findings::as_json;
use crate::cli::data::findings::as_text;
use crate::cli::data::members;
use crate::cli::data::members::MemberNames;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::paint_of_output;
use crate::cli::output::print;
use crate::diagnostic::Severity;
use crate::diagnostic::sarif;

/// `tabella data validate`.
#[derive(Debug, Args)]
pub struct ValidateArguments {
    /// What to look at, if not everything
    #[command(subcommand)]
    part: Option<ValidatePart>,
    /// Which assistants of a workspace.
    #[command(flatten)]
    pub members: MemberNames,
    /// Files and folders with NLU data, stories and rules
    #[arg(long, value_name = "PATH", num_args = 1.., default_value = "data", global = true)]
    data: Vec<PathBuf>,
    /// The configuration file
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "config.yml",
        global = true
    )]
    config: PathBuf,
    /// Domain file or folder; the folder `domain` if there is no `domain.yml`
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "domain.yml", global = true)]
    domain: Vec<PathBuf>,
    /// End with 65 when there are warnings, too
    #[arg(long, global = true)]
    pub fail_on_warnings: bool,
    /// Turns over which stories are compared with each other [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one, global = true)]
    max_history: Option<usize>,
    /// The project's folder; relative paths start here
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    pub project: PathBuf,
    /// Write one JSON object to standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Write SARIF 2.1.0 to standard output, for editors and code hosts
    #[arg(long, conflicts_with = "json", global = true)]
    pub sarif: bool,
    /// Show errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// Parts of a project that can be checked alone.
#[derive(Debug, Subcommand)]
pub enum ValidatePart {
    /// Look at stories and rules alone: do they contradict each other?
    Stories,
}

/// Runs the command.
pub fn run(arguments: &ValidateArguments) -> Exit {
    let subject = match arguments.part {
        Some(ValidatePart::Stories) => Subject::Stories,
        None => Subject::Project,
    };
    if arguments.members.are_given() {
        let how = MemberValidation {
            subject,
            max_history: arguments.max_history,
            environment: environment(),
        };
        return members::run(arguments, how);
    }
    let options = ValidateOptions {
        project: arguments.project.clone(),
        domain: arguments.domain.clone(),
        config: arguments.config.clone(),
        data: arguments.data.clone(),
        subject,
        max_history: arguments.max_history,
        environment: environment(),
    };
    match api::validate(&options) {
        Ok(validated) => tell(arguments, validated),
        Err(error) => fail(Format::of(arguments.json), &error),
    }
}

/// Shows the findings on standard output.
fn tell(arguments: &ValidateArguments, validated: Validated) -> Exit {
    let Validated {
        mut findings,
        counts,
    } = validated;
    let count = Count::of(&findings.diagnostics);
    let failed = count.errors > 0 || arguments.fail_on_warnings && count.warnings > 0;
    let exit = if failed { Exit::BadInput } else { Exit::Done };
    if arguments.quiet {
        let is_error = |severity| severity == Severity::Error;
        findings.diagnostics.retain(|one| is_error(one.severity));
    }
    let told = (!arguments.quiet).then_some(&counts);
    let text = if arguments.json {
        as_json(&findings.diagnostics, &count, &counts)
    } else if arguments.sarif {
        sarif::log(&findings.diagnostics, &arguments.project)
    } else {
        as_text(&findings, &count, told, paint_of_output())
    };
    print(&text, exit)
}
