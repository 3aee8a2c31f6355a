//! A table from rules to values, and the search for the rules that fit a
//! conversation.
//!
//! A key is the text of a rule's states. Rules are found by their last state,
//! so that a search looks at few of them however many there are.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::dialogue::ActionState;
use crate::dialogue::RULE_SNIPPET;
use crate::dialogue::SHOULD_NOT_BE_SET;
use crate::dialogue::SlotState;
use crate::dialogue::State;
use crate::dialogue::UserState;
use crate::dialogue::states_text;

/// Rules by the text of their states.
#[derive(Clone, Debug, Default)]
pub struct RuleTable {
    rules: BTreeMap<String, Rule>,
    by_last: BTreeMap<Option<ActionState>, BTreeMap<Input, Vec<String>>>,
}

/// Intent and text of a rule's last state.
type Input = (Option<String>, Option<String>);

#[derive(Clone, Debug)]
struct Rule {
    states: Vec<State>,
    value: String,
}

impl PartialEq for RuleTable {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for RuleTable {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for RuleTable {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = BTreeMap::<String, String>::deserialize(deserializer)?;
        let mut table = Self::default();
        for (key, value) in written {
            let states: Vec<State> =
                serde_json::from_str(&key).map_err(serde::de::Error::custom)?;
            table.insert(key, states, value);
        }
        Ok(table)
    }
}

impl RuleTable {
    /// Returns keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules
            .iter()
            .map(|(key, rule)| (key.as_str(), rule.value.as_str()))
    }

    /// Returns the value of `key`.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.rules.get(key).map(|rule| rule.value.as_str())
    }

    /// Returns the last state of the rule `key`.
    pub fn last_state(&self, key: &str) -> Option<&State> {
        self.rules.get(key)?.states.last()
    }

    /// Adds a rule, or changes its value.
    pub fn insert(&mut self, key: String, states: Vec<State>, value: String) {
        if let Some(rule) = self.rules.get_mut(&key) {
            rule.value = value;
            return;
        }
        if let Some(last) = states.last() {
            let input = (last.user.intent.clone(), last.user.text.clone());
            let same_action = self.by_last.entry(last.prev_action.clone()).or_default();
            same_action.entry(input).or_default().push(key.clone());
        }
        self.rules.insert(key, Rule { states, value });
    }

    /// Removes a rule; searches no longer find it.
    pub fn remove(&mut self, key: &str) {
        self.rules.remove(key);
    }

    /// Returns whether another rule begins with the states of `key`.
    pub fn has_longer(&self, key: &str) -> bool {
        let open = key.strip_suffix("}]").unwrap_or(key);
        self.rules
            .range::<str, _>((Bound::Included(open), Bound::Unbounded))
            .take_while(|(other, _)| other.starts_with(open))
            .any(|(other, _)| other != key)
    }

    /// Returns the keys of all rules that fit the end of a conversation.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `RulePolicy._get_possible_keys` and `_is_rule_applicable`.
    pub fn matching(&self, states: &[Arc<State>]) -> Vec<&str> {
        let Some(last) = states.last() else {
            return Vec::new();
        };
        let Some(candidates) = self.by_last.get(&last.prev_action) else {
            return Vec::new();
        };
        let fits_input = |(intent, text): &Input| {
            let fits =
                |rule: &Option<String>, said: &Option<String>| rule.is_none() || rule == said;
            last.prev_action.is_none()
                || (fits(intent, &last.user.intent) && fits(text, &last.user.text))
        };
        candidates
            .iter()
            .filter(|(input, _)| fits_input(input))
            .flat_map(|(_, keys)| keys)
            .filter(|key| {
                self.rules
                    .get(*key)
                    .is_some_and(|rule| applies(&rule.states, states))
            })
            .map(String::as_str)
            .collect()
    }

    /// Returns the longest key that fits; of equally long ones the smallest.
    ///
    /// Differs from Rasa: there the order of a Python set decides a tie.
    pub fn best(&self, states: &[Arc<State>]) -> Option<&str> {
        let mut best: Option<&str> = None;
        for key in self.matching(states) {
            let is_better = |best: &str| (best.len(), key) < (key.len(), best);
            if best.is_none_or(is_better) {
                best = Some(key);
            }
        }
        best
    }
}

/// Returns the key of some states: those after the last `...`; none if there
/// are no such states.
pub fn feature_key(states: &[Arc<State>]) -> Option<String> {
    let states = after_snippet(states);
    (!states.is_empty()).then(|| states_text(states))
}

/// Returns the states after the last one that follows `...`, itself left out.
pub fn after_snippet(states: &[Arc<State>]) -> &[Arc<State>] {
    let start = states
        .iter()
        .rposition(|state| state.prev_action_name() == Some(RULE_SNIPPET))
        .map_or(0, |position| position + 1);
    &states[start..]
}

/// A rule longer than the conversation is compared as far as that goes.
fn applies(rule: &[State], conversation: &[Arc<State>]) -> bool {
    rule.iter()
        .rev()
        .zip(conversation.iter().rev())
        .all(|(rule, now)| match (&rule.prev_action, &now.prev_action) {
            (None, None) => true,
            (Some(_), Some(_)) => matches(rule, now),
            _ => false,
        })
}

/// Everything that the rule's state says holds now.
fn matches(rule: &State, now: &State) -> bool {
    let is_loop_right = match &rule.active_loop {
        None => true,
        Some(wanted) if wanted.name == SHOULD_NOT_BE_SET => now.active_loop_name().is_none(),
        Some(_) => rule.active_loop == now.active_loop,
    };
    let is_slot_right = |(name, wanted): (&String, &SlotState)| match wanted {
        SlotState::Marker(_) => matches!(now.slots.get(name), None | Some(SlotState::Marker(_))),
        SlotState::Features(_) => now.slots.get(name) == Some(wanted),
    };
    is_loop_right
        && rule.prev_action == now.prev_action
        && is_user_right(&rule.user, &now.user)
        && rule.slots.iter().all(is_slot_right)
}

fn is_user_right(rule: &UserState, now: &UserState) -> bool {
    (rule.intent.is_none() || rule.intent == now.intent)
        && (rule.text.is_none() || rule.text == now.text)
        && (rule.entities.is_empty() || rule.entities == now.entities)
}
