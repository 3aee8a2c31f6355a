//! The policy that follows rules, keeps forms going and falls back.
//!
//! ```text
//!   rules, stories ──▶ train ──▶ RulePolicy { rules, unhappy paths, … }
//!                        └──▶ contradictions ──▶ messages
//! ```

mod contradictions;
mod incomplete;
mod lookup;
mod predict;
mod train;

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::data;
use crate::data::Place;
use crate::dialogue::OptionError;
use crate::dialogue::RuleOnly;
use crate::dialogue::options::Taking;
use crate::dialogue::rule::lookup::RuleTable;

/// Options of the policy, with Rasa 3.6's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleOptions {
    /// Decides between policies that are equally sure; 4 by default.
    pub priority: i64,
    /// How sure the fallback is; 0.3 by default.
    pub core_fallback_threshold: f32,
    /// What runs when no rule fits; `action_default_fallback` by default.
    pub core_fallback_action_name: Option<String>,
    /// Whether there is a fallback; true by default.
    pub enable_fallback_prediction: bool,
    /// Whether a rule may have one user message only; true by default.
    pub restrict_rules: bool,
    /// Whether rules are compared with each other and with stories; true by
    /// default.
    pub check_for_contradictions: bool,
    /// Whether the intent's confidence stands for 1; false by default.
    pub use_nlu_confidence_as_score: bool,
}

impl RuleOptions {
    /// Reads what the user wrote; also returns the names nobody knows.
    ///
    /// # Errors
    ///
    /// If a value has the wrong type.
    pub fn read(options: &data::Options) -> Result<(Self, Vec<String>), OptionError> {
        let mut taking = Taking::new(options);
        let fallback = Some("action_default_fallback".to_owned());
        let read = Self {
            priority: taking.or("priority", 4)?,
            core_fallback_threshold: taking.or("core_fallback_threshold", 0.3)?,
            core_fallback_action_name: taking.or("core_fallback_action_name", fallback)?,
            enable_fallback_prediction: taking.or("enable_fallback_prediction", true)?,
            restrict_rules: taking.or("restrict_rules", true)?,
            check_for_contradictions: taking.or("check_for_contradictions", true)?,
            use_nlu_confidence_as_score: taking.or("use_nlu_confidence_as_score", false)?,
        };
        Ok((read, taking.unknown(&["featurizer", "max_history"])))
    }

    /// Returns the fallback action, if there is a fallback.
    pub(crate) fn fallback(&self) -> Option<&str> {
        let name = self.core_fallback_action_name.as_deref();
        name.filter(|_| self.enable_fallback_prediction)
    }
}

/// Rules that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The fallback action is not in the domain.
    #[error("the fallback action of RulePolicy is not in the domain: `{action}`")]
    UnknownFallback {
        /// The action.
        action: String,
    },
    /// Rules with more than one user message.
    #[error(
        "rules may have one user message only (or set `restrict_rules: false`): {}",
        quoted(rules)
    )]
    TooManyMessages {
        /// Their names, and where the first message too many stands.
        rules: Vec<(String, Place)>,
    },
    /// Rules that leave out what their actions do in other rules.
    #[error("rules are incomplete:\n{}", sentences(flaws))]
    Incomplete {
        /// Each of them.
        flaws: Vec<RuleFlaw>,
    },
    /// Rules that contradict each other or stories.
    #[error("rules and stories contradict each other:\n{}", sentences(flaws))]
    Contradictions {
        /// Each of them.
        flaws: Vec<RuleFlaw>,
    },
}

/// Something that is wrong with a rule, or between a rule and a story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFlaw {
    /// What is wrong, as one sentence.
    pub message: String,
    /// The action that it is about.
    pub action: String,
    /// Where that action stands, as far as conversations know it.
    pub place: Place,
    /// Rules that it contradicts, and where each says so.
    pub others: Vec<(String, Place)>,
}

fn quoted(names: &[(String, Place)]) -> String {
    let quoted: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn sentences(flaws: &[RuleFlaw]) -> String {
    let messages: Vec<&str> = flaws.iter().map(|flaw| flaw.message.as_str()).collect();
    messages.join("\n")
}

/// Rules as learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RulePolicy {
    options: RuleOptions,
    rules: RuleTable,
    #[serde(rename = "rules_for_loop_unhappy_path")]
    unhappy_paths: RuleTable,
    #[serde(flatten)]
    rule_only: RuleOnly,
    rules_not_in_stories: BTreeSet<String>,
}

impl RulePolicy {
    /// The policy's class name.
    pub const NAME: &'static str = "RulePolicy";

    /// Returns the options it was trained with.
    pub fn options(&self) -> &RuleOptions {
        &self.options
    }

    /// Returns action by rule key, sorted.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules.iter()
    }

    /// Returns what is special on unhappy paths, by key, sorted.
    pub fn unhappy_paths(&self) -> impl Iterator<Item = (&str, &str)> {
        self.unhappy_paths.iter()
    }

    /// Returns slots and loops that occur in rules only.
    pub fn rule_only(&self) -> &RuleOnly {
        &self.rule_only
    }

    /// Returns sources of predictions that no story agrees with: their turns
    /// are hidden from policies that learn from stories.
    pub fn rules_not_in_stories(&self) -> &BTreeSet<String> {
        &self.rules_not_in_stories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Domain;
    use crate::data::Event;
    use crate::data::Form;
    use crate::data::Intent;
    use crate::data::STORY_START;
    use crate::data::Step;
    use crate::data::StoryGraph;
    use crate::data::Utterance;
    use crate::dialogue::Tracker;
    use crate::dialogue::Universe;
    use crate::dialogue::training_trackers;

    fn universe() -> Universe {
        Universe::new(&Domain {
            intents: ["hi", "order", "stop"]
                .map(|name| Intent {
                    name: name.into(),
                    ..Intent::default()
                })
                .into(),
            actions: vec!["utter_a".into(), "utter_b".into()],
            forms: vec![Form {
                name: "form".into(),
                ..Form::default()
            }],
            ..Domain::default()
        })
    }

    fn user(intent: &str) -> Event {
        let utterance = Utterance {
            intent: Some(intent.into()),
            ..Utterance::default()
        };
        Event::User(utterance.into())
    }

    fn action(name: &str) -> Event {
        Event::Action(name.into())
    }

    fn block(name: &str, is_rule: bool, mut events: Vec<Event>) -> Step {
        if is_rule {
            events.insert(0, action("..."));
        }
        Step {
            block_name: name.into(),
            is_rule,
            start_checkpoints: vec![crate::data::Checkpoint {
                name: STORY_START.into(),
                ..Default::default()
            }],
            events,
            ..Step::default()
        }
    }

    fn train(steps: Vec<Step>) -> Result<RulePolicy, RuleError> {
        let universe = universe();
        let trackers = training_trackers(&StoryGraph { steps }, &universe, 0);
        let (options, _) = RuleOptions::read(&data::Options::new()).unwrap();
        RulePolicy::train(&options, &universe, &trackers)
    }

    fn rule_on_hi() -> Step {
        block("greet", true, vec![user("hi"), action("utter_a")])
    }

    #[test]
    fn a_story_that_contradicts_a_rule_is_named_with_it() {
        let story = block("other", false, vec![user("hi"), action("utter_b")]);
        let error = train(vec![rule_on_hi(), story]).unwrap_err();
        let RuleError::Contradictions { flaws } = error else {
            panic!("{error}");
        };
        assert_eq!(
            sentences(&flaws),
            "action `utter_b` in story `other` contradicts `greet`, which wants `utter_a`"
        );
    }

    #[test]
    fn rules_that_want_different_things_contradict_each_other() {
        let other = block("other", true, vec![user("hi"), action("utter_b")]);
        let error = train(vec![rule_on_hi(), other]).unwrap_err();
        let RuleError::Contradictions { flaws } = error else {
            panic!("{error}");
        };
        assert_eq!(flaws.len(), 2);
    }

    #[test]
    fn a_rule_with_two_messages_is_refused() {
        let events = vec![
            user("hi"),
            action("utter_a"),
            user("stop"),
            action("utter_b"),
        ];
        let error = train(vec![block("long", true, events)]).unwrap_err();
        assert!(matches!(error, RuleError::TooManyMessages { rules } if rules[0].0 == "long"));
    }

    #[test]
    fn a_rule_that_forgets_the_form_it_starts_is_incomplete() {
        let full = vec![
            user("order"),
            action("form"),
            Event::ActiveLoop(Some("form".into())),
        ];
        let short = vec![user("stop"), action("form")];
        let error =
            train(vec![block("full", true, full), block("short", true, short)]).unwrap_err();
        let RuleError::Incomplete { flaws } = error else {
            panic!("{error}");
        };
        assert_eq!(flaws.len(), 1);
        assert!(
            flaws[0].message.contains("`active_loop: form`"),
            "{}",
            flaws[0].message
        );
    }

    #[test]
    fn a_form_goes_on_after_a_rule_that_interrupts_it() {
        let start = vec![
            user("order"),
            action("form"),
            Event::ActiveLoop(Some("form".into())),
        ];
        let policy = train(vec![rule_on_hi(), block("start", true, start)]).unwrap();
        let universe = universe();
        let mut tracker = Tracker::new("t");
        use crate::dialogue::Event as Happened;
        let say = |tracker: &mut Tracker, intent: &str| {
            tracker.push(Happened::action("action_listen"));
            tracker.push(Happened::User(crate::dialogue::UserMessage {
                intent: Some(intent.into()),
                ..Default::default()
            }));
        };
        let next = |tracker: &Tracker| {
            let (best, _) = policy.predict(tracker, &universe).best();
            universe.actions()[best].clone()
        };
        say(&mut tracker, "order");
        assert_eq!(next(&tracker), "form");
        tracker.push(Happened::action("form"));
        tracker.push(Happened::ActiveLoop {
            name: Some("form".into()),
        });
        assert_eq!(next(&tracker), "action_listen");
        say(&mut tracker, "hi");
        assert_eq!(next(&tracker), "form");
        tracker.push(Happened::ActionRejected {
            name: "form".into(),
        });
        assert_eq!(next(&tracker), "utter_a");
        tracker.push(Happened::action("utter_a"));
        assert_eq!(next(&tracker), "form");
    }

    #[test]
    fn without_a_fitting_rule_the_fallback_is_predicted() {
        let policy = train(vec![rule_on_hi()]).unwrap();
        let universe = universe();
        let mut tracker = Tracker::new("t");
        tracker.push(crate::dialogue::Event::action("utter_b"));
        let (best, confidence) = policy.predict(&tracker, &universe).best();
        assert_eq!(universe.actions()[best], "action_default_fallback");
        assert_eq!(confidence, 0.3);
    }
}
