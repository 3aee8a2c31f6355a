//! Keeps a bug met in one assistant from ending the work on the others.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use crate::api::TrainError;

/// Works on one assistant. A panic is a failure of this one alone.
pub fn guarded<T>(work: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(TrainError::Task {
            task: "import".to_owned(),
            message: "panicked: a bug in Tabella, please report it with these lines".to_owned(),
            is_bug: true,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::chain;
    use crate::import::Looks;

    #[test]
    fn a_bug_in_reading_one_assistant_says_nothing_of_the_others() {
        let error = guarded::<Looks>(|| panic!("made for this test")).unwrap_err();
        assert!(chain(&error).contains("a bug in Tabella"), "{error}");
        assert!(guarded(|| Ok(Looks::default())).is_ok());
    }
}
