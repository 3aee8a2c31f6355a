//! `tabella data`: works on a project's files, without training.
//!
//! One file a subcommand, with its arguments beside its code.

mod validate;
mod findings;
mod sarif;

use clap::Args;
use clap::Subcommand;

use crate::cli::exit::Exit;

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
}

/// Runs the command.
pub fn run(arguments: &DataArguments) -> Exit {
    match &arguments.command {
        DataCommand::Validate(arguments) => validate::run(arguments),
    }
}
