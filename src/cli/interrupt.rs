//! Ctrl-C, and the signals by which a program is asked to end.

use std::process;
use std::time::Duration;
use std::time::Instant;

use crate::cli::exit::Exit;
use crate::engine::CancelFlag;

/// Signals that come together are one: `timeout` sends two, and so may a terminal that
/// is closed.
const TOGETHER: Duration = Duration::from_secs(1);

/// Returns a flag that is set when the user interrupts. Who does so again does not
/// wait for the step that is under way: the cache loses nothing by it, but events and
/// traces have no end.
pub fn on_interrupt() -> CancelFlag {
    let cancel = CancelFlag::default();
    let flag = cancel.clone();
    // Without a handler Ctrl-C ends the program at once, which harms nothing either.
    let mut first: Option<Instant> = None;
    let _ = ctrlc::set_handler(move || {
        if first.is_some_and(|first| first.elapsed() > TOGETHER) {
            process::exit(Exit::Interrupted.code().into());
        }
        first.get_or_insert_with(Instant::now);
        flag.set();
    });
    cancel
}
