//! Ctrl-C, and the signals by which a program is asked to end.

use std::process;

use crate::cli::exit::Exit;
use crate::engine::CancelFlag;

/// Returns a flag that is set when the user interrupts. Who does so again does not
/// wait for the step that is under way: whenever the program ends, nothing is lost.
pub fn on_interrupt() -> CancelFlag {
    let cancel = CancelFlag::default();
    let flag = cancel.clone();
    // Without a handler Ctrl-C ends the program at once, which harms nothing either.
    let _ = ctrlc::set_handler(move || {
        if flag.is_set() {
            process::exit(Exit::Interrupted.code().into());
        }
        flag.set();
    });
    cancel
}
