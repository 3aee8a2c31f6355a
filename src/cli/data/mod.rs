//! `tabella data`: works on a project's files, without training.
//!
//! One file a subcommand, with its arguments beside its code.

mod convert;
mod split;
mod validate;
mod members;
mod findings;
mod write;

use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;

use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::import::Sources;
use crate::import::Want;
use crate::import::import_project;

/// `tabella data`.
#[derive(Debug, Args)]
pub struct DataArguments {
    /// What to do with the files.
    #[command(subcommand)]
    pub command: DataCommand,
}

/// The commands of `tabella data`.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Say what is wrong or remarkable in a project's files
    Validate(validate::ValidateArguments),
    /// Bring older formats into the form of YAML 3.1
    Convert(convert::ConvertArguments),
    /// Cut training data in two: to learn from and to test with
    Split(split::SplitArguments),
    /// Bring a domain of version 2.0 into the form of 3.1
    Migrate(convert::MigrateArguments),
}

/// Runs the command.
pub fn run(arguments: &DataArguments) -> Exit {
    match &arguments.command {
        DataCommand::Validate(arguments) => validate::run(arguments),
        DataCommand::Convert(arguments) => convert::run(arguments),
        DataCommand::Split(arguments) => split::run(arguments),
        DataCommand::Migrate(arguments) => convert::migrate(arguments),
    }
}

/// Returns the language in the usual config of a project, if it has one.
fn language_of(project: &Path) -> Option<String> {
    let config = PathBuf::from("config.yml");
    if !project.join(&config).is_file() {
        return None;
    }
    // Whoever works with the config says what is wrong with it.
    let imported = import_project(&Sources {
        root: project.to_owned(),
        config,
        want: Want::Nlu,
        environment: environment(),
        ..Sources::default()
    });
    imported.ok()?.project.config.language
}
