//! What a policy says about the next action, and the states it looks at.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::ACTION_UNLIKELY_INTENT;
use crate::dialogue::Event;
use crate::dialogue::RuleOnly;
use crate::dialogue::State;
use crate::dialogue::Tracker;
use crate::dialogue::Universe;
use crate::dialogue::featurizer::without_text;

/// A policy's opinion on the next action.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Prediction {
    /// The policy's class name.
    pub policy: String,
    /// Decides between policies that are equally sure.
    pub priority: i64,
    /// `[actions]`, by index of [`Universe::actions`].
    pub probabilities: Vec<f32>,
    /// Events to add to the conversation whichever policy wins.
    pub events: Vec<Event>,
    /// Events to add if this policy wins.
    pub optional_events: Vec<Event>,
    /// Whether it looked at the message's text and not at its intent.
    pub is_end_to_end: bool,
    /// Whether it did not look at the user's message at all.
    pub is_no_user: bool,
    /// Whether policies that learn from stories are not to see the turn.
    pub hide_rule_turn: bool,
    /// What the policy adds for the caller; null for nothing.
    pub metadata: Value,
}

impl Prediction {
    /// Returns a prediction in which nothing is likely.
    pub fn none(policy: &str, priority: i64, universe: &Universe) -> Self {
        Self {
            policy: policy.to_owned(),
            priority,
            probabilities: vec![0.0; universe.actions().len()],
            ..Self::default()
        }
    }

    /// Returns the first most likely action and its probability.
    pub fn best(&self) -> (usize, f32) {
        let mut best = (0, f32::NEG_INFINITY);
        for (action, &probability) in self.probabilities.iter().enumerate() {
            if probability > best.1 {
                best = (action, probability);
            }
        }
        best
    }
}

/// Which side of the last user message a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastInput {
    /// Its intent and entities.
    Intent,
    /// Its text.
    Text,
}

/// Returns the states that a policy which learns from stories predicts from,
/// oldest first and not yet cut to its history.
///
/// # Source
///
/// Rasa 3.6 `TrackerFeaturizer.prediction_states` with
/// `ignore_rule_only_turns` and `ignore_action_unlikely_intent`.
pub fn prediction_states(
    tracker: &Tracker,
    universe: &Universe,
    rule_only: &RuleOnly,
    input: LastInput,
) -> Vec<Arc<State>> {
    let mut states = tracker.states_without_rule_turns(universe, rule_only);
    states.retain(|state| state.prev_action_name() != Some(ACTION_UNLIKELY_INTENT));
    if let Some(last) = states.last_mut() {
        *last = with_input(last, input);
    }
    states.iter().map(without_text).collect()
}

/// Returns the state with only one side of the message it answers.
pub(crate) fn with_input(state: &Arc<State>, input: LastInput) -> Arc<State> {
    if state.prev_action_name() != Some(ACTION_LISTEN) {
        return Arc::clone(state);
    }
    let mut state = State::clone(state);
    match input {
        LastInput::Intent => state.user.text = None,
        LastInput::Text => {
            state.user.intent = None;
            state.user.entities.clear();
        }
    }
    Arc::new(state)
}
