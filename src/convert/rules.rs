//! Rules that take over what policies of Rasa 1 and 2 did.

use crate::convert::emit::Tree;
use crate::convert::lines::VERSION;

/// A rule: an intent and what follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    name: String,
    steps: Vec<(String, String)>,
}

impl Rule {
    /// Returns the rule that an action answers an intent.
    pub fn answer(intent: &str, action: &str) -> Self {
        Self::of(intent, action, &[("action", action)])
    }

    /// Returns the rule that asks again what was meant.
    pub fn two_stage_fallback() -> Self {
        let action = "action_two_stage_fallback";
        let steps = [("action", action), ("active_loop", action)];
        Self::of("nlu_fallback", action, &steps)
    }

    fn of(intent: &str, action: &str, steps: &[(&str, &str)]) -> Self {
        let steps = [("intent", intent)]
            .into_iter()
            .chain(steps.iter().copied());
        Self {
            name: format!("map intent {intent} to {action}"),
            steps: steps
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

/// Returns the text of a file with these rules.
pub fn text(rules: &[Rule]) -> String {
    let rule = |rule: &Rule| {
        let steps = rule.steps.iter();
        let steps = steps.map(|(key, value)| Tree::Map(vec![(key.clone(), Tree::text(value))]));
        Tree::Map(vec![
            ("rule".to_owned(), Tree::text(&rule.name)),
            ("steps".to_owned(), Tree::List(steps.collect())),
        ])
    };
    let rules: Vec<String> = rules
        .iter()
        .map(|one| Tree::List(vec![rule(one)]).block(0))
        .collect();
    format!("version: \"{VERSION}\"\n\nrules:\n{}", rules.join("\n"))
}
