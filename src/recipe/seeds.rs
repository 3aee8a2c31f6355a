//! Where randomness starts: a number for each trainer.

use serde_json::Value;

use crate::data::Options;
use crate::digest::Digest;

/// Returns the seed of a trainer: from its `random_seed`, or a fixed one for its
/// role. The role is the component's name and how many of that name stand before
/// it, so that another component in between changes nothing.
pub fn seed(options: &Options, component: &str, ordinal: usize) -> u64 {
    let chosen = options.get("random_seed").and_then(Value::as_i64);
    let digest = Digest::of_value_in("tabella seed v1", &(chosen, component, ordinal));
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn seeds_differ_by_role_and_by_the_users_choice() {
        let none = Options::new();
        let chosen = Options::from([("random_seed".to_owned(), json!(42))]);
        let first = seed(&none, "DIETClassifier", 0);
        assert_eq!(first, seed(&none, "DIETClassifier", 0));
        assert_ne!(first, seed(&none, "DIETClassifier", 1));
        assert_ne!(first, seed(&none, "TEDPolicy", 0));
        assert_ne!(first, seed(&chosen, "DIETClassifier", 0));
    }
}
