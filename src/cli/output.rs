//! Standard output and standard error; either may be closed or full.

use std::io;
use std::io::ErrorKind;
use std::io::IsTerminal;
use std::io::Write;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use serde_json::json;

use crate::api::TrainError;
use crate::api::chain;
use crate::archive::ArchiveError;
use crate::cli::exit::Exit;
use crate::diagnostic::Paint;

/// Writes `text` and a line end to standard output; returns `exit`, or that
/// writing failed. A reader who has had enough is no failure.
pub fn print(text: &str, exit: Exit) -> Exit {
    print_to_reader(text, exit).unwrap_or(exit)
}

/// Does that; none if there is no reader any more.
pub fn print_to_reader(text: &str, exit: Exit) -> Option<Exit> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => None,
        Err(error) => {
            complain(&format!("error: cannot write to standard output: {error}"));
            Some(Exit::InputOutput)
        }
        Ok(()) => Some(exit),
    }
}

/// Writes a line to standard error, if anybody can read it.
pub fn complain(text: &str) {
    // There is nowhere left to tell of a failure.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Returns whether standard output takes colours: a terminal, and no `NO_COLOR`.
pub fn paint_of_output() -> Paint {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match io::stdout().is_terminal() && !plain {
        true => Paint::Coloured,
        false => Paint::Plain,
    }
}

/// Locks `mutex`, whoever panicked with it.
pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a result is wanted on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    Text,
    /// One JSON object, also when there is no result.
    Json,
}

impl Format {
    /// Returns what `--json` asks for.
    pub fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// Returns what can be done about an error that does not say so itself.
fn remedy(error: &TrainError) -> Option<&'static str> {
    let is_missing = match error {
        TrainError::Archive(ArchiveError::NoModel { .. }) => true,
        TrainError::Archive(ArchiveError::Read { source, .. }) => {
            source.kind() == ErrorKind::NotFound
        }
        _ => false,
    };
    is_missing.then_some("train a model first (`tabella train`), or name one that is there")
}

/// Says why there is no result; the object on standard output is
/// `{"error": text, "diagnostics": […]}`. Diagnostics were shown as notices
/// already.
pub fn fail(format: Format, error: &TrainError) -> Exit {
    complain(&format!("error: {}", chain(error)));
    if let Some(help) = remedy(error) {
        complain(&format!("help: {help}"));
    }
    let exit = Exit::after(error);
    let diagnostics = match error {
        TrainError::Mistakes(findings) => json!(findings.diagnostics),
        _ => json!([]),
    };
    match format {
        Format::Text => exit,
        Format::Json => {
            let mut object = json!({ "error": chain(error), "diagnostics": diagnostics });
            if let TrainError::Tasks { failed, skipped } = error {
                object["failed"] = json!(failed);
                object["skipped"] = json!(skipped);
            }
            print(&object.to_string(), exit)
        }
    }
}
