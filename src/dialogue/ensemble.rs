//! Lets the surest policy decide.

use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::LoadedPolicy;
use crate::dialogue::Prediction;
use crate::dialogue::RuleOnly;
use crate::dialogue::Tracker;
use crate::dialogue::Universe;

/// Most actions that are predicted for one user message.
pub const MAX_PREDICTIONS: usize = 10;

/// Policies that decide together.
#[derive(Clone, Debug, Default)]
pub struct Ensemble {
    policies: Vec<LoadedPolicy>,
    rule_only: RuleOnly,
}

impl Ensemble {
    /// Returns the ensemble of `policies`, in the order of the configuration.
    pub fn new(policies: Vec<LoadedPolicy>) -> Self {
        let rule_only = policies.iter().find_map(LoadedPolicy::rule_only).cloned();
        Self {
            rule_only: rule_only.unwrap_or_default(),
            policies,
        }
    }

    /// Returns the policies in order.
    pub fn policies(&self) -> &[LoadedPolicy] {
        &self.policies
    }

    /// Predicts the next action; none without policies.
    pub fn predict(&self, tracker: &Tracker, universe: &Universe) -> Option<Prediction> {
        let predictions = self
            .policies
            .iter()
            .map(|policy| policy.predict(tracker, universe, &self.rule_only))
            .collect();
        combine(tracker, predictions, universe)
    }
}

/// Returns the prediction that wins, with the events of all; none of none.
///
/// A rejected action is out of question. A prediction that does not look at
/// the user goes before those that do, one by text before those by intent.
/// Among the rest the surest wins, then the highest priority, then the first.
///
/// # Source
///
/// Rasa 3.6 `DefaultPolicyPredictionEnsemble.combine_predictions`.
pub fn combine(
    tracker: &Tracker,
    mut predictions: Vec<Prediction>,
    universe: &Universe,
) -> Option<Prediction> {
    if let Some(rejected) = rejected_action(tracker)
        && let Some(index) = universe.action_index(rejected)
    {
        for prediction in &mut predictions {
            prediction.probabilities[index] = 0.0;
        }
    }
    let is_no_user = predictions.iter().any(|p| p.is_no_user);
    let is_end_to_end = predictions.iter().any(|p| p.is_end_to_end);
    let is_candidate = |p: &Prediction| match is_no_user {
        true => p.is_no_user,
        false => p.is_end_to_end == is_end_to_end,
    };
    let mut best: Option<(&Prediction, f32)> = None;
    for prediction in predictions.iter().filter(|p| is_candidate(p)) {
        let (_, confidence) = prediction.best();
        let is_better = best.is_none_or(|(winner, sure)| {
            confidence > sure || (confidence == sure && prediction.priority > winner.priority)
        });
        if is_better {
            best = Some((prediction, confidence));
        }
    }
    let mut winner = best?.0.clone();
    winner.events = predictions.iter().flat_map(|p| p.events.clone()).collect();
    winner.events.append(&mut winner.optional_events);
    if tracker.situation().latest_action_name() == Some(ACTION_LISTEN) {
        winner.events.push(Event::UserFeaturization {
            use_text: winner.is_end_to_end,
        });
    }
    Some(winner)
}

/// The action that refused to run, if nothing ran since.
fn rejected_action(tracker: &Tracker) -> Option<&str> {
    let last = tracker
        .events()
        .iter()
        .rev()
        .find(|event| matches!(***event, Event::Action(_) | Event::ActionRejected { .. }))?;
    match last.as_ref() {
        Event::ActionRejected { name } => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Domain;

    fn prediction(policy: &str, priority: i64, confidence: f32) -> Prediction {
        let universe = Universe::new(&Domain::default());
        let mut prediction = Prediction::none(policy, priority, &universe);
        prediction.probabilities[0] = confidence;
        prediction
    }

    fn winner(predictions: Vec<Prediction>) -> String {
        let universe = Universe::new(&Domain::default());
        combine(&Tracker::new("t"), predictions, &universe)
            .unwrap()
            .policy
    }

    #[test]
    fn equally_sure_policies_are_ordered_by_priority_then_place() {
        assert_eq!(
            winner(vec![prediction("TED", 1, 1.0), prediction("Memo", 3, 1.0)]),
            "Memo"
        );
        assert_eq!(
            winner(vec![prediction("A", 3, 1.0), prediction("B", 3, 1.0)]),
            "A"
        );
        assert_eq!(
            winner(vec![prediction("Rule", 4, 0.3), prediction("TED", 1, 0.31)]),
            "TED"
        );
        assert_eq!(
            winner(vec![prediction("Rule", 4, 0.3), prediction("TED", 1, 0.25)]),
            "Rule"
        );
    }

    #[test]
    fn a_prediction_that_ignores_the_user_goes_first() {
        let mut form = prediction("Rule", 4, 0.5);
        form.is_no_user = true;
        assert_eq!(winner(vec![prediction("TED", 1, 0.9), form]), "Rule");
    }

    #[test]
    fn a_rejected_action_cannot_win() {
        let universe = Universe::new(&Domain::default());
        let mut tracker = Tracker::new("t");
        tracker.push(Event::ActionRejected {
            name: ACTION_LISTEN.into(),
        });
        let mut other = prediction("B", 1, 0.0);
        other.probabilities[1] = 0.2;
        let won = combine(&tracker, vec![prediction("A", 3, 1.0), other], &universe).unwrap();
        assert_eq!(won.best(), (1, 0.2));
    }
}
