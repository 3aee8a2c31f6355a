//! What is shown of a panic: one line with its place, and no trace unless the
//! user asked for one.

use std::env;
use std::panic;
use std::panic::AssertUnwindSafe;
use std::panic::PanicHookInfo;
use std::panic::catch_unwind;

use crate::cli::exit::Exit;
use crate::cli::output::complain;

/// Runs `work`; a panic in it ends the program as a bug.
pub fn guarded(work: impl FnOnce() -> Exit) -> Exit {
    if env::var_os("RUST_BACKTRACE").is_none_or(|value| value.is_empty() || value == "0") {
        panic::set_hook(Box::new(|info| complain(&line(info))));
    }
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        complain("error: this is a bug in Tabella; please report it with the lines above");
        Exit::Internal
    })
}

fn line(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    match info.location() {
        Some(place) => format!("bug at {}:{}: {text}", place.file(), place.line()),
        None => format!("bug: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_as_a_bug_and_other_work_as_it_says() {
        let before = panic::take_hook();
        let exit = guarded(|| panic!("an invariant does not hold"));
        panic::set_hook(before);
        assert_eq!(exit, Exit::Internal);
        assert_eq!(guarded(|| Exit::Usage), Exit::Usage);
        let _ = panic::take_hook();
    }
}
