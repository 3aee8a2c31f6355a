//! The `tabella` program: a call into [`tabella::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    tabella::cli::run()
}
