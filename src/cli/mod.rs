//! What the user types and sees; the only room that prints.
//!
//! Results go to standard output, progress and messages to standard error. One
//! file a command; `args` is what can be typed.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod amounts;
mod args;
mod asked;
mod bug;
mod cache;
mod cache_dir;
mod data;
mod depfile;
mod diff;
mod displays;
mod environment;
mod exec;
mod exit;
mod explain;
mod explain_code;
mod inspect;
mod interrupt;
mod jobserver;
mod key;
mod output;
mod parse;
mod product;
mod project;
mod reader;
mod remote;
mod replace;
mod report;
mod rules;
mod screen;
mod status;
mod test;
mod train;
mod verify;
mod watch;
mod workspace;

use std::env;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::thread;

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::json;

use crate::cli::args::Arguments;
use crate::cli::args::Command;
use crate::cli::args::PlaceArguments;
use crate::cli::args::TestHalf;
use crate::cli::exit::Exit;
use crate::cli::jobserver::Share;
use crate::cli::output::complain;
use crate::cli::output::print;

/// Runs the program on the arguments of this process.
///
/// The exit code is 0 when all went well, the code of a dry run, or one of the
/// failures in the README's table; failures never collide with dry-run codes.
pub fn run() -> ExitCode {
    let given = match exec::expanded(env::args_os()) {
        Ok(given) => given,
        Err((file, error)) => {
            complain(&format!(
                "error: cannot read `@{}`: {error}",
                file.display()
            ));
            return Exit::NoInput.into();
        }
    };
    let arguments = match Arguments::try_parse_from(given) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error).into(),
    };
    let exit = bug::guarded(|| match arguments.command {
        Command::Train(mut arguments) => {
            let _share = share(&mut arguments.place);
            train::run(&arguments)
        }
        Command::Parse(arguments) => parse::run(&arguments),
        Command::Test(mut arguments) => {
            let _share = match &mut arguments.half {
                TestHalf::Nlu(flags) => share(&mut flags.place),
                TestHalf::Core(_) => None,
            };
            test::run(&arguments)
        }
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Exec(arguments) => exec::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Key(arguments) => key::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Cache(arguments) => cache::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Data(arguments) => data::run(&arguments),
        Command::ExplainCode(arguments) => explain_code::run(&arguments),
    });
    exit.into()
}

/// Takes part in the jobserver of a make that started this program, unless the user
/// says how many jobs there may be. What is returned is held until the end.
fn share(place: &mut PlaceArguments) -> Option<Share> {
    if place.jobs.is_some() {
        return None;
    }
    let flags = env::var("MAKEFLAGS").ok()?;
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = Share::of(&flags, cores);
    if matches!(share, Share::OneJob) && !place.quiet {
        let text = "warning: make's jobserver cannot be reached: one job at a time; start the recipe with `+`";
        complain(text);
    }
    place.jobs = share.jobs();
    Some(share)
}

/// Shows help or what is wrong with the command line; the latter as JSON too
/// when that was asked for.
fn usage(error: &clap::Error) -> Exit {
    // Nothing is left to do when the stream is closed.
    let _ = error.print();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return Exit::Done;
    }
    if env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first);
        let object = json!({ "error": first, "diagnostics": [] });
        return print(&object.to_string(), Exit::Usage);
    }
    Exit::Usage
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn no_flag_is_about_one_that_its_command_does_not_have() {
        Arguments::command().debug_assert();
    }
}
