//! Finds the weights: epochs of batches, loss, gradients, Adam.

#[cfg(test)]
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::data;
use crate::data::StoryGraph;
use crate::dialogue::Example;
use crate::dialogue::SlotsShown;
use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::Trackers;
use crate::dialogue::Universe;
use crate::dialogue::ted::Model;
use crate::dialogue::ted::Options;
use crate::dialogue::ted::batch::FeatureNames;
use crate::dialogue::ted::batch::StateEncoder;
use crate::dialogue::ted::batch::TrainingData;
use crate::dialogue::ted::batch::Window;
use crate::dialogue::ted::network::Network;
use crate::dialogue::ted::pass::Pass;
use crate::nlu::diet;
use crate::nn::Adam;
use crate::nn::BatchStrategy;
use crate::nn::DotBatch;
use crate::nn::DotLoss;
use crate::nn::DotLossResult;
use crate::nn::Draw;
use crate::nn::Gradients;
use crate::nn::LossKind;
use crate::nn::Similarity;
#[cfg(test)]
use crate::nn::TensorId;
use crate::nn::batch_size;
use crate::nn::epoch_batches;
use crate::nn::in_slots;

/// Examples that a `TEDPolicy` cannot learn from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A story holds words instead of an intent or action.
    #[error("`TEDPolicy` cannot learn from texts in stories (end-to-end training) yet: `{text}`")]
    EndToEnd {
        /// The words.
        text: String,
    },
    /// The caller asked to stop.
    #[error("training was interrupted")]
    Interrupted,
    /// A story that cannot be cut into examples.
    #[error("a story does not fit `TEDPolicy`'s featurizer: {0}")]
    Story(String),
    /// An action that the domain does not have.
    #[error("action `{name}` is not in the domain")]
    UnknownAction {
        /// The action.
        name: String,
    },
}

/// Finds stories that [`train`] would refuse, before anything is trained.
///
/// # Errors
///
/// [`TrainError::EndToEnd`] for the first text in a story; rules are not looked at, as
/// the policy does not learn from them.
pub fn check_stories(graph: &StoryGraph) -> Result<(), TrainError> {
    let stories = graph.steps.iter().filter(|step| !step.is_rule);
    let text = stories
        .flat_map(|step| &step.events)
        .find_map(|event| match event {
            data::Event::BotText(text) => Some(text),
            data::Event::User(message) if message.intent.is_none() => message.text.as_ref(),
            _ => None,
        });
    match text {
        Some(text) => Err(TrainError::EndToEnd { text: text.clone() }),
        None => Ok(()),
    }
}

/// Returns the examples that the policy learns from: those of all stories, glued ones
/// included.
///
/// # Errors
///
/// If whole dialogues are learned from and a story has two unpredictable actions.
pub fn examples(
    options: &Options,
    universe: &Universe,
    trackers: &Trackers,
) -> Result<Vec<Example>, TrainError> {
    let stories = trackers.stories_with_augmented();
    let examples = options
        .featurizer
        .examples(stories, universe, SlotsShown::All);
    examples.map_err(|error| TrainError::Story(error.to_string()))
}

/// How an epoch went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochReport {
    /// Number of the epoch, counted from 0.
    pub epoch: usize,
    /// How many there will be.
    pub epochs: usize,
    /// Mean over the batches of loss and L2 term.
    pub loss: f32,
    /// Mean over the batches of the share of examples whose action was at least as
    /// similar as the wrong ones drawn.
    pub label_accuracy: f32,
}

/// Names of the random numbers below the seed.
const WEIGHTS: u64 = 0;
const ORDER: u64 = 1;
const STEPS: u64 = 2;
/// Below the draw of a step: dropout, and wrong examples.
const DROPOUT: u64 = 0;
const NEGATIVES: u64 = 1;

/// Trains a policy on the examples that its featurizer made.
///
/// The seed is that of the options, or else `seed`. The weights depend on the arguments
/// alone, not on the number of threads. Without examples the model predicts zeros.
///
/// # Errors
///
/// If an example holds texts without intent, or actions that are not in the domain, or
/// `on_epoch` breaks.
///
/// # Source
///
/// Rasa 3.6 `TEDPolicy.train` without end-to-end texts.
pub fn train(
    options: &Options,
    universe: &Universe,
    examples: &[Example],
    seed: u64,
    on_epoch: &mut dyn FnMut(EpochReport) -> ControlFlow<()>,
) -> Result<Model, TrainError> {
    let names = FeatureNames::new(universe);
    let encoder = StateEncoder::new(&names);
    let data = TrainingData::new(&encoder, &options.featurizer, examples)?;
    let present = data.present();
    if !present.contains(&true) {
        return Ok(Model::new(options.clone(), names, present, None));
    }
    let draw = Draw::new(options.random_seed.unwrap_or(seed));
    let mut stream = draw.at(WEIGHTS).stream();
    let network = Network::new(options, &names, present, &mut stream);
    let mut training = Training::new(options, network, draw.at(STEPS));
    let mut order = draw.at(ORDER).stream();
    let strategy = strategy(options);
    let labels: Vec<u32> = data
        .windows
        .iter()
        .map(|window| window.actions[0])
        .collect();
    let sizes = (options.batch_size[0], options.batch_size[1]);
    for epoch in 0..options.epochs {
        let size = batch_size(sizes, epoch, options.epochs);
        let batches = epoch_batches(&labels, size, strategy, &mut order);
        let (mut loss, mut accuracy) = (0.0, 0.0);
        for batch in &batches {
            let windows: Vec<&Window> = batch
                .iter()
                .map(|&example| &data.windows[example as usize])
                .collect();
            let result = training.step(&data, &windows);
            loss += result.loss;
            accuracy += result.accuracy;
        }
        let count = batches.len() as f32;
        let report = EpochReport {
            epoch,
            epochs: options.epochs,
            loss: loss / count,
            label_accuracy: accuracy / count,
        };
        if on_epoch(report).is_break() {
            return Err(TrainError::Interrupted);
        }
    }
    Ok(Model::new(
        options.clone(),
        names,
        present,
        Some(training.network),
    ))
}

/// Rasa 3.6: examples with several labels cannot be balanced.
fn strategy(options: &Options) -> BatchStrategy {
    match (options.featurizer, options.batch_strategy) {
        (TrackerFeaturizer::FullDialogue, _) => BatchStrategy::Sequence,
        (_, diet::BatchStrategy::Balanced) => BatchStrategy::Balanced,
        (_, diet::BatchStrategy::Sequence) => BatchStrategy::Sequence,
    }
}

fn dot_loss(options: &Options) -> DotLoss {
    DotLoss {
        kind: match options.loss_type {
            diet::LossType::CrossEntropy => LossKind::CrossEntropy {
                constrain: options.constrain_similarities,
            },
            diet::LossType::Margin => LossKind::Margin {
                positive: options.maximum_positive_similarity,
                negative: options.maximum_negative_similarity,
                nearest_only: options.use_maximum_negative_similarity,
                scale: options.negative_margin_scale,
            },
        },
        similarity: match options.similarity_type {
            diet::Similarity::Inner => Similarity::Inner,
            diet::Similarity::Cosine => Similarity::Cosine,
        },
        scale_loss: options.scale_loss,
        negatives: options.number_of_negative_examples,
    }
}

/// A network that is being trained, with all that is reused from step to step.
pub(super) struct Training {
    pub network: Network,
    loss: DotLoss,
    adam: Adam,
    draw: Draw,
    steps: u64,
    pass: Pass,
    slots: Vec<Gradients>,
    /// Gradients of the layers that all pieces share.
    shared: Gradients,
}

impl Training {
    pub fn new(options: &Options, network: Network, draw: Draw) -> Self {
        Self {
            network,
            loss: dot_loss(options),
            adam: Adam::new(options.learning_rate),
            draw,
            steps: 0,
            pass: Pass::default(),
            slots: Vec::new(),
            shared: Gradients::new(),
        }
    }

    /// Moves the weights along the gradient of one batch.
    fn step(&mut self, data: &TrainingData, windows: &[&Window]) -> DotLossResult {
        let draw = self.draw.at(self.steps);
        self.steps += 1;
        let mut result = self.gradients(data, windows, draw);
        result.loss += self.network.parameters.l2_loss();
        self.slots.push(std::mem::take(&mut self.shared));
        self.adam.step(&mut self.network.parameters, &self.slots);
        self.shared = self.slots.pop().unwrap_or_default();
        result
    }

    /// Computes loss and gradients of a batch into `slots` and `shared`.
    pub fn gradients(
        &mut self,
        data: &TrainingData,
        windows: &[&Window],
        draw: Draw,
    ) -> DotLossResult {
        let (network, pass) = (&self.network, &mut self.pass);
        let dropout = Some(draw.at(DROPOUT));
        let turns: Vec<&[u32]> = windows.iter().map(|window| &window.turns[..]).collect();
        network.dialogues(&data.turns, &turns, network.outputs(), dropout, pass);
        network.actions(dropout, pass);
        let result = self.loss.apply(
            DotBatch {
                dimension: pass.actions().features(),
                inputs: &pass.output_rows(),
                labels: &pass.action_rows(network.action_count()),
                kinds: network.action_count(),
                label_of: &labels(windows),
                alike: None,
                shares: Some(&shares(windows)),
            },
            draw.at(NEGATIVES),
        );
        pass.set_output_gradients(&result.d_inputs);
        in_slots(&mut self.slots, &mut pass.pieces, |gradients, piece| {
            network.piece_backward(dropout, gradients, piece);
        });
        self.shared.clear();
        network.tables_backward(&data.turns, &mut self.shared, pass);
        network.actions_backward(&mut self.shared, pass, &result.d_labels);
        result
    }

    /// Returns the gradient of every tensor after [`Training::gradients`].
    #[cfg(test)]
    pub fn summed_gradients(&self) -> BTreeMap<TensorId, Vec<f32>> {
        let parameters = &self.network.parameters;
        let sum = |id| {
            let mut sum = vec![0.0; parameters.values(id).len()];
            for part in self
                .slots
                .iter()
                .chain([&self.shared])
                .filter_map(|slot| slot.get(id))
            {
                crate::matrix::add(part, &mut sum);
            }
            (id, sum)
        };
        parameters.ids().map(sum).collect()
    }
}

fn labels(windows: &[&Window]) -> Vec<u32> {
    windows
        .iter()
        .flat_map(|window| window.actions.iter().copied())
        .collect()
}

/// Returns the share of each answered turn: the mean over the turns of a dialogue, then
/// over dialogues.
fn shares(windows: &[&Window]) -> Vec<f32> {
    let share = |window: &Window| 1.0 / (windows.len() * window.actions.len()) as f32;
    let shares = windows
        .iter()
        .map(|window| vec![share(window); window.actions.len()]);
    shares.collect::<Vec<_>>().concat()
}
