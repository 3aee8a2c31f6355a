//! Names that are others in Rasa 3.

use std::collections::BTreeSet;

/// Returns the name of an action in Rasa 3.
///
/// Rasa 2: `action_deactivate_form` is a loop's now, and the action of a retrieval
/// intent is `utter_faq` where Rasa 1 had `respond_faq`.
pub fn action(name: &str, retrieval: &BTreeSet<String>) -> String {
    if name == "action_deactivate_form" {
        return "action_deactivate_loop".to_owned();
    }
    match name.strip_prefix("respond_") {
        Some(intent) if retrieval.contains(intent) => format!("utter_{intent}"),
        _ => name.to_owned(),
    }
}
