//! A trained policy and what it answers: one confidence an action.

use std::sync::Arc;

use crate::dialogue::LastInput;
use crate::dialogue::Prediction;
use crate::dialogue::RuleOnly;
use crate::dialogue::State;
use crate::dialogue::Tracker;
use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::Universe;
use crate::dialogue::prediction_states;
use crate::dialogue::ted::NAME;
use crate::dialogue::ted::Options;
use crate::dialogue::ted::batch::ATTRIBUTES;
use crate::dialogue::ted::batch::FeatureNames;
use crate::dialogue::ted::batch::StateEncoder;
use crate::dialogue::ted::batch::in_network_order;
use crate::dialogue::ted::network::Network;
use crate::dialogue::ted::network::Outputs;
use crate::dialogue::ted::pass::Pass;
use crate::matrix::Panel;
use crate::matrix::exp;
use crate::nlu::diet::Similarity;

/// A trained `TEDPolicy`.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) options: Options,
    pub(super) names: FeatureNames,
    pub(super) present: [bool; ATTRIBUTES],
    /// None when there was nothing to train on.
    pub(super) network: Option<Network>,
    encoder: StateEncoder,
    /// Embedding of each action, of length 1 if cosines are compared.
    actions: Vec<Vec<f32>>,
}

impl Model {
    pub(super) fn new(
        options: Options,
        names: FeatureNames,
        present: [bool; ATTRIBUTES],
        network: Option<Network>,
    ) -> Self {
        let encoder = StateEncoder::new(&names);
        let mut actions = Vec::new();
        if let Some(network) = &network {
            let mut pass = Pass::default();
            network.actions(None, &mut pass);
            let count = names.action_name.len();
            actions = (0..count)
                .map(|at| compared(pass.actions(), at, &options))
                .collect();
        }
        Self {
            options,
            names,
            present,
            network,
            encoder,
            actions,
        }
    }

    /// Returns the options that it was trained with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Predicts the next action of a conversation; what is `rule_only` is not looked at.
    pub fn predict(
        &self,
        tracker: &Tracker,
        universe: &Universe,
        rule_only: &RuleOnly,
    ) -> Prediction {
        let mut prediction = Prediction::none(NAME, self.options.priority, universe);
        let states = prediction_states(tracker, universe, rule_only, LastInput::Intent);
        let confidences = self.confidences(&states);
        for (name, confidence) in self.names.action_name.iter().zip(confidences) {
            if let Some(action) = universe.action_index(name) {
                prediction.probabilities[action] = confidence;
            }
        }
        prediction
    }

    /// Returns the confidence of each action after these states, oldest first; only the
    /// last `max_history` of them are looked at.
    ///
    /// They are probabilities, or similarities if the model was trained with margin
    /// loss. Without training data all are 0.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `TEDPolicy.predict_action_probabilities`.
    pub fn confidences(&self, states: &[Arc<State>]) -> Vec<f32> {
        let Some(network) = &self.network else {
            return vec![0.0; self.names.action_name.len()];
        };
        let featurizer = &self.options.featurizer;
        let mut turns = self.encoder.no_turns();
        let states = featurizer.slice(states).iter();
        let mut window: Vec<u32> = states
            .map(|state| self.encoder.intern(&mut turns, state))
            .collect();
        if window.is_empty() {
            window.push(self.encoder.intern(&mut turns, &State::default()));
        }
        let window = in_network_order(featurizer, window);
        let outputs = match featurizer {
            TrackerFeaturizer::MaxHistory { .. } => Outputs::First,
            TrackerFeaturizer::FullDialogue => Outputs::Last,
        };
        let mut pass = Pass::default();
        network.dialogues(&turns, &[&window], outputs, None, &mut pass);
        let dialogue = compared(&pass.pieces[0].embedded, 0, &self.options);
        let mut confidences: Vec<f32> = self
            .actions
            .iter()
            .map(|action| dot(action, &dialogue))
            .collect();
        if self.options.softmax_confidence() {
            softmax(&mut confidences);
        }
        rank(&mut confidences, &self.options);
        confidences
    }
}

/// Returns a lane, of length 1 if cosines are compared.
fn compared(panel: &Panel, lane: usize, options: &Options) -> Vec<f32> {
    let mut values = panel.column(lane);
    if options.similarity_type == Similarity::Cosine {
        let length = dot(&values, &values).max(1e-12).sqrt();
        values.iter_mut().for_each(|value| *value /= length);
    }
    values
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn softmax(values: &mut [f32]) {
    let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values
        .iter_mut()
        .for_each(|value| *value = exp(*value - top));
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
}

/// Keeps the `ranking_length` highest confidences and makes the others 0.
///
/// Of two equal ones the action with the greater index is kept. Nothing is cut
/// when `ranking_length` is 0 or not below the number of actions; what is kept is
/// made to sum to 1 only if `renormalize_confidences` is set.
///
/// # Source
///
/// Rasa 3.6 `rank_and_mask`.
pub(crate) fn rank(confidences: &mut [f32], options: &Options) {
    let length = options.ranking_length;
    if length == 0 || length >= confidences.len() {
        return;
    }
    let mut order: Vec<usize> = (0..confidences.len()).collect();
    order.sort_by(|&a, &b| confidences[b].total_cmp(&confidences[a]).then(b.cmp(&a)));
    for &action in &order[length..] {
        confidences[action] = 0.0;
    }
    let sum: f32 = order[..length]
        .iter()
        .map(|&action| confidences[action])
        .sum();
    if options.renormalize_confidences && sum > 0.0 {
        confidences
            .iter_mut()
            .for_each(|confidence| *confidence /= sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(options: Options) -> [f32; 4] {
        let mut confidences = [0.25, 0.125, 0.25, 0.375];
        rank(&mut confidences, &options);
        confidences
    }

    #[test]
    fn only_the_highest_keep_their_confidence() {
        let options = Options {
            ranking_length: 2,
            ..Options::default()
        };
        assert_eq!(ranked(options), [0.0, 0.0, 0.25, 0.375]);
    }

    #[test]
    fn nothing_is_cut_by_default_or_when_all_fit() {
        assert_eq!(ranked(Options::default()), [0.25, 0.125, 0.25, 0.375]);
        let options = Options {
            ranking_length: 4,
            ..Options::default()
        };
        assert_eq!(ranked(options), [0.25, 0.125, 0.25, 0.375]);
    }

    #[test]
    fn what_is_kept_sums_to_one_if_asked() {
        let options = Options {
            ranking_length: 1,
            renormalize_confidences: true,
            ..Options::default()
        };
        assert_eq!(ranked(options), [0.0, 0.0, 0.0, 1.0]);
    }
}
