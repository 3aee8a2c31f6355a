//! Policies that know stories by heart: `MemoizationPolicy`, and
//! `AugmentedMemoizationPolicy`, which forgets older turns until one fits.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::data;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::LastInput;
use crate::dialogue::OptionError;
use crate::dialogue::Prediction;
use crate::dialogue::RuleOnly;
use crate::dialogue::SlotsShown;
use crate::dialogue::State;
use crate::dialogue::Tracker;
use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::Trackers;
use crate::dialogue::Universe;
use crate::dialogue::options::Taking;
use crate::dialogue::prediction_states;
use crate::dialogue::states_text;

/// Which of the two policies it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recall {
    /// `MemoizationPolicy`: the last turns as they are.
    Exact,
    /// `AugmentedMemoizationPolicy`: also with the oldest turns forgotten.
    Augmented,
}

impl Recall {
    /// Returns the policy's class name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "MemoizationPolicy",
            Self::Augmented => "AugmentedMemoizationPolicy",
        }
    }
}

/// Options of both policies, with Rasa 3.6's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoizationOptions {
    /// Which of the two policies it is.
    pub recall: Recall,
    /// Decides between policies that are equally sure; 3 by default.
    pub priority: i64,
    /// How many turns are compared; all by default.
    pub featurizer: TrackerFeaturizer,
    /// Whether keys are compressed in the archive; true by default.
    pub enable_feature_string_compression: bool,
    /// Whether the intent's confidence stands for 1; false by default.
    pub use_nlu_confidence_as_score: bool,
}

impl MemoizationOptions {
    /// Reads what the user wrote; also returns the names nobody knows.
    ///
    /// # Errors
    ///
    /// If a value has the wrong type.
    pub fn read(
        recall: Recall,
        options: &data::Options,
    ) -> Result<(Self, Vec<String>), OptionError> {
        let mut taking = Taking::new(options);
        let read = Self {
            recall,
            priority: taking.or("priority", 3)?,
            featurizer: TrackerFeaturizer::from_options(options)?,
            enable_feature_string_compression: taking
                .or("enable_feature_string_compression", true)?,
            use_nlu_confidence_as_score: taking.or("use_nlu_confidence_as_score", false)?,
        };
        Ok((read, taking.unknown(&["featurizer", "max_history"])))
    }
}

/// Stories known by heart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memoization {
    options: MemoizationOptions,
    /// Action by key: the text of the states without double quotes.
    lookup: BTreeMap<String, String>,
}

impl Memoization {
    /// Learns `trackers` by heart. Turns that different actions follow are
    /// forgotten; rules and glued stories are not looked at.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `MemoizationPolicy._create_lookup_from_states`. A featurizer of
    /// whole dialogues is taken as one without limit.
    pub fn train(options: &MemoizationOptions, universe: &Universe, trackers: &Trackers) -> Self {
        let history = options.featurizer.history_len();
        let examples = TrackerFeaturizer::max_history(history)
            .examples(trackers.stories(), universe, SlotsShown::All)
            .expect("windows of states fit every story");
        let mut lookup = BTreeMap::new();
        let mut ambiguous = BTreeSet::new();
        for example in &examples {
            let key = key(example.window.states());
            let action = &example.labels[0];
            if ambiguous.contains(&key) {
                continue;
            }
            match lookup.get(&key) {
                None => {
                    lookup.insert(key, action.clone());
                }
                Some(known) if known == action => {}
                Some(_) => {
                    lookup.remove(&key);
                    ambiguous.insert(key);
                }
            }
        }
        Self {
            options: options.clone(),
            lookup,
        }
    }

    /// Returns the options it was trained with.
    pub fn options(&self) -> &MemoizationOptions {
        &self.options
    }

    /// Returns the action for each key; keys are not compressed.
    pub fn lookup(&self) -> &BTreeMap<String, String> {
        &self.lookup
    }

    /// Returns how many turns are compared; none for all.
    pub fn max_history(&self) -> Option<usize> {
        self.options.featurizer.history_len()
    }

    /// Predicts the action that follows the same turns in a story.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `MemoizationPolicy.predict_action_probabilities`: a message is
    /// looked at as intent, so a story whose last message is text alone does
    /// not match.
    pub fn predict(
        &self,
        tracker: &Tracker,
        universe: &Universe,
        rule_only: &RuleOnly,
    ) -> Prediction {
        let name = self.options.recall.name();
        let mut prediction = Prediction::none(name, self.options.priority, universe);
        let action = self
            .recall(tracker, universe, rule_only)
            .and_then(|action| universe.action_index(action));
        if let Some(action) = action {
            prediction.probabilities[action] = score(&self.options, tracker);
        }
        prediction
    }

    fn recall(&self, tracker: &Tracker, universe: &Universe, rule_only: &RuleOnly) -> Option<&str> {
        let states = prediction_states(tracker, universe, rule_only, LastInput::Intent);
        let states = self.options.featurizer.slice(&states).to_vec();
        match (self.find(&states), self.options.recall) {
            (Some(action), _) => Some(action),
            (None, Recall::Exact) => None,
            (None, Recall::Augmented) => {
                self.recall_with_less(tracker, states, universe, rule_only)
            }
        }
    }

    fn find(&self, states: &[Arc<State>]) -> Option<&str> {
        self.lookup.get(&key(states)).map(String::as_str)
    }

    /// Forgets the oldest turns one by one until the rest is known.
    fn recall_with_less(
        &self,
        tracker: &Tracker,
        mut old_states: Vec<Arc<State>>,
        universe: &Universe,
        rule_only: &RuleOnly,
    ) -> Option<&str> {
        let applied = tracker.applied_events();
        let trimmed = trimmed(&applied, self.max_history());
        let mut rest = from_action(trimmed, 0)?;
        loop {
            let mut shorter = Tracker::new("");
            for event in rest {
                shorter.push_shared(Arc::clone(event));
            }
            let states = prediction_states(&shorter, universe, rule_only, LastInput::Intent);
            let states = self.options.featurizer.slice(&states).to_vec();
            if states != old_states {
                if let Some(action) = self.find(&states) {
                    return Some(action);
                }
                old_states = states;
            }
            rest = from_action(rest, 1)?;
        }
    }
}

/// Returns the text of the states without double quotes.
fn key(states: &[Arc<State>]) -> String {
    states_text(states).replace('"', "")
}

fn score(options: &MemoizationOptions, tracker: &Tracker) -> f32 {
    match tracker.situation().latest_message() {
        Some(message) if options.use_nlu_confidence_as_score => message.confidence as f32,
        _ => 1.0,
    }
}

/// Returns the last events: back to the first `action_listen` that has more
/// than `max_history` actions from it on.
fn trimmed(applied: &[Arc<Event>], max_history: Option<usize>) -> &[Arc<Event>] {
    let Some(max_history) = max_history else {
        return applied;
    };
    let mut actions = 0;
    for (index, event) in applied.iter().enumerate().rev() {
        if event.as_action().is_some() {
            actions += 1;
            if actions > max_history && event.is_action(ACTION_LISTEN) {
                return &applied[index..];
            }
        }
    }
    applied
}

/// Returns the events from the first action on (`skip` 0) or the second (1).
fn from_action(events: &[Arc<Event>], skip: usize) -> Option<&[Arc<Event>]> {
    let (index, _) = events
        .iter()
        .enumerate()
        .filter(|(_, event)| event.as_action().is_some())
        .nth(skip)?;
    Some(&events[index..])
}
