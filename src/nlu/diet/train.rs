//! Training: batches, steps, epochs.

use std::borrow::Cow;
use std::ops::ControlFlow;

use crate::nlu::diet::BatchStrategy;
use crate::nlu::diet::Evaluation;
use crate::nlu::diet::LabelFeatures;
use crate::nlu::diet::Model;
use crate::nlu::diet::Options;
use crate::nlu::diet::TrainingData;
use crate::nlu::diet::held_out::Watch;
use crate::nlu::diet::masking::token_kinds;
use crate::nlu::diet::network::Network;
use crate::nlu::diet::network::Shape;
use crate::nlu::diet::step::Batch;
use crate::nlu::diet::step::Workspace;
use crate::nn;
use crate::nn::Adam;
use crate::nn::Draw;
use crate::nn::batch_size;
use crate::nn::epoch_batches;

/// How an epoch went.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochReport {
    /// Number of the epoch, counted from 0.
    pub epoch: usize,
    /// How many there will be at most.
    pub epochs: usize,
    /// Mean over the batches of the sum of all losses, with the regularisation
    /// loss as it was after the epoch.
    pub loss: f32,
    /// Mean over the batches of the share of examples whose label was at least as
    /// similar as its negatives; `None` when labels are not learnt.
    pub label_accuracy: Option<f32>,
    /// What came of asking examples that are held out, if that was done after the epoch.
    pub evaluation: Option<Evaluation>,
}

/// Why nothing was learnt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// No example has features.
    #[error("no training example has features")]
    NoExamples,
    /// Labels are to be told apart, but there are not two of them.
    #[error("at least two different labels are needed, not {0}")]
    TooFewLabels(usize),
    /// Neither labels nor entities are to be learnt.
    #[error("there are neither labels nor entities to learn")]
    NothingToLearn,
    /// Examples cannot be held out as asked.
    #[error(
        "`evaluate_on_number_of_examples: {wanted}` does not fit: of {examples} examples with \
         {labels} labels {labels} to {} can be held out",
        examples.saturating_sub(labels + 1)
    )]
    HeldOut {
        /// How many are to be held out.
        wanted: usize,
        /// How many there are.
        examples: usize,
        /// How many labels these have.
        labels: usize,
    },
    /// The caller asked to stop.
    #[error("training was interrupted")]
    Interrupted,
}

/// Branches of the seed.
const WEIGHTS: u64 = 0;
const ORDER: u64 = 1;
const STEPS: u64 = 2;
const HELD_OUT: u64 = 3;

/// Learns from examples, calling `on_epoch` after each epoch.
///
/// The seed is that of the options, or else `seed`. The same options, data and
/// seed give the same weights for any number of threads.
///
/// If some are held out, they are asked from time to time, also after the last epoch;
/// the model is that of the best evaluation if that is asked for, else that of the last
/// epoch.
///
/// Differs from Rasa: the displayed loss takes the regularisation at the end of
/// the epoch, and no F1 is displayed.
///
/// # Errors
///
/// If there is too little to learn from, or `on_epoch` breaks.
///
/// # Panics
///
/// If the parts of the data do not fit each other.
pub fn train(
    options: &Options,
    data: &TrainingData,
    seed: u64,
    on_epoch: &mut dyn FnMut(EpochReport) -> ControlFlow<()>,
) -> Result<Model, TrainError> {
    data.check();
    refuse_too_little(options, data)?;
    let draw = Draw::new(options.random_seed.unwrap_or(seed));
    let mut watch = None;
    let mut taught = None;
    if let Some(settings) = &options.held_out {
        let (asking, others) = Watch::new(settings, data, &mut draw.at(HELD_OUT).stream())?;
        (watch, taught) = (Some(asking), Some(others));
    }
    let mut trainer = Trainer::new(options, data, taught, draw);
    for epoch in 0..options.epochs {
        let mut report = trainer.epoch(epoch);
        if let Some(watch) = watch.as_mut()
            && watch.is_due(epoch, options.epochs)
        {
            trainer.model.embed_labels();
            report.evaluation = Some(watch.ask(&trainer.model));
        }
        if on_epoch(report).is_break() {
            return Err(TrainError::Interrupted);
        }
        if watch.as_ref().is_some_and(Watch::is_over) {
            break;
        }
    }
    if let Some(best) = watch.and_then(Watch::into_best) {
        return Ok(best);
    }
    trainer.model.embed_labels();
    Ok(trainer.model)
}

fn refuse_too_little(options: &Options, data: &TrainingData) -> Result<(), TrainError> {
    if data.text.messages() == 0 {
        return Err(TrainError::NoExamples);
    }
    if options.intent_classification && data.labels.len() < 2 {
        return Err(TrainError::TooFewLabels(data.labels.len()));
    }
    if data.label_ids.is_empty() && data.tags.is_empty() {
        return Err(TrainError::NothingToLearn);
    }
    if let LabelFeatures::Text(rows) = &data.label_features {
        assert!((0..rows.messages()).all(|label| !rows.tokens(label).is_empty()));
    }
    Ok(())
}

struct Trainer<'a> {
    options: &'a Options,
    data: &'a TrainingData,
    /// The examples that are learnt; all if none.
    taught: Option<Vec<u32>>,
    /// As a [`Batch`] has it.
    token_kinds: Vec<u32>,
    /// What is learnt; the labels are embedded when it is asked.
    model: Model,
    adam: Adam,
    work: Workspace,
    draw: Draw,
    steps: u64,
}

impl<'a> Trainer<'a> {
    fn new(
        options: &'a Options,
        data: &'a TrainingData,
        taught: Option<Vec<u32>>,
        draw: Draw,
    ) -> Self {
        let shape = Shape::of(data);
        let token_kinds = match options.masks(shape.text) {
            true => token_kinds(&data.text),
            false => Vec::new(),
        };
        let network = Network::new(options, &shape, &mut draw.at(WEIGHTS).stream());
        Self {
            options,
            data,
            taught,
            token_kinds,
            model: Model::new(options, data, shape, network),
            adam: Adam::new(options.learning_rate),
            work: Workspace::default(),
            draw,
            steps: 0,
        }
    }

    fn epoch(&mut self, epoch: usize) -> EpochReport {
        let (mut loss, mut accuracy) = (0.0, 0.0);
        let batches = self.batches(epoch);
        for examples in &batches {
            let labels = self.model.network.encoded_labels(self.data, examples);
            let batch = Batch {
                options: self.options,
                data: self.data,
                examples,
                labels: &labels,
                token_kinds: &self.token_kinds,
                draw: self.draw.at(STEPS).at(self.steps),
            };
            let report = self.model.network.step(batch, &mut self.work);
            self.adam
                .step(&mut self.model.network.parameters, &self.work.slots);
            self.steps += 1;
            loss += report.loss;
            accuracy += report.label_accuracy;
        }
        let count = batches.len() as f32;
        EpochReport {
            epoch,
            epochs: self.options.epochs,
            loss: loss / count + self.model.network.parameters.l2_loss(),
            label_accuracy: self.model.network.label.as_ref().map(|_| accuracy / count),
            evaluation: None,
        }
    }

    /// Returns the examples of each batch of an epoch.
    fn batches(&self, epoch: usize) -> Vec<Vec<u32>> {
        let options = self.options;
        let [first, last] = options.batch_size;
        let size = batch_size((first, last), epoch, options.epochs);
        let mut stream = self.draw.at(ORDER).at(epoch as u64).stream();
        let strategy = match options.batch_strategy {
            BatchStrategy::Balanced if !self.data.label_ids.is_empty() => {
                nn::BatchStrategy::Balanced
            }
            _ => nn::BatchStrategy::Sequence,
        };
        let labels = self.taught_labels();
        let mut batches = epoch_batches(&labels, size, strategy, &mut stream);
        if let Some(taught) = &self.taught {
            let examples = batches.iter_mut().flatten();
            examples.for_each(|example| *example = taught[*example as usize]);
        }
        let is_small = batches
            .last()
            .is_some_and(|batch| batch.len() < size.div_ceil(2));
        if options.drop_small_last_batch && is_small && batches.len() > 1 {
            batches.pop();
        }
        batches
    }

    /// Returns the label of each example that is learnt; 0 when labels are not.
    fn taught_labels(&self) -> Cow<'_, [u32]> {
        let all = match self.data.label_ids.is_empty() {
            true => Cow::Owned(vec![0; self.data.text.messages()]),
            false => Cow::Borrowed(&self.data.label_ids[..]),
        };
        match &self.taught {
            None => all,
            Some(taught) => taught.iter().map(|&at| all[at as usize]).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::matrix::Level;
    use crate::matrix::set_level;
    use crate::nlu::diet::HeldOut;
    use crate::nlu::diet::LossType;
    use crate::nlu::diet::Sides;
    use crate::nlu::diet::Similarity;
    use crate::nlu::diet::samples::Learnt;
    use crate::nlu::diet::samples::tiny_options;
    use crate::nlu::diet::samples::toy;

    fn trained(options: &Options, data: &TrainingData) -> (Model, Vec<f32>) {
        let mut losses = Vec::new();
        let model = train(options, data, 7, &mut |report| {
            losses.push(report.loss);
            ControlFlow::Continue(())
        });
        (model.unwrap(), losses)
    }

    #[test]
    fn any_number_of_threads_finds_the_same_weights() {
        let data = toy(64, Learnt::All);
        let mut options = tiny_options();
        // Enough rows for several panels.
        options.batch_size = [64, 64];
        options.use_masked_language_model = true;
        options.held_out = Some(HeldOut {
            patience: 1,
            ..held_out(1)
        });
        let with = |threads: usize, options: &Options| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap()
                .install(|| trained(options, &data).0.to_files())
        };
        let one = with(1, &options);
        assert!(one == with(2, &options) && one == with(3, &options));
        options.random_seed = Some(8);
        assert!(one != with(1, &options));
    }

    #[test]
    fn any_vector_instructions_find_the_same_weights() {
        let data = toy(12, Learnt::All);
        let options = Options {
            use_masked_language_model: true,
            ..tiny_options()
        };
        let with = |level: Level| {
            set_level(level);
            trained(&options, &data).0.to_files()
        };
        let portable = with(Level::Portable);
        assert!(portable == with(Level::Avx2));
        assert!(portable == with(Level::Avx512));
    }

    #[test]
    fn the_first_losses_are_these() {
        let options = Options {
            epochs: 6,
            ..tiny_options()
        };
        let (_, losses) = trained(&options, &toy(12, Learnt::All));
        let shown: Vec<String> = losses.iter().map(|loss| format!("{loss:.4}")).collect();
        expect!["24.0845 22.9725 22.1735 21.3537 22.5022 20.7020"].assert_eq(&shown.join(" "));
    }

    /// Returns the share of labels and of tags that are predicted right on the
    /// training data.
    fn learnt(options: &Options, data: &TrainingData) -> (f32, f32) {
        let options = &Options {
            intent_classification: !data.labels.is_empty(),
            ..options.clone()
        };
        let (model, _) = trained(options, data);
        let (mut labels, mut tags) = (0, 0);
        for (message, scores) in model.scores(&data.text).into_iter().enumerate() {
            let scores = scores.unwrap();
            if let Some(want) = data.label_ids.get(message) {
                let best = crate::nlu::diet::rank(&scores.labels, options)[0].0;
                labels += usize::from(best as u32 == *want);
            }
            if let Some(column) = data.tags.first() {
                let want = &column.ids[data.text.tokens(message)];
                let pairs = want.iter().zip(&scores.tags[0].ids);
                tags += pairs.filter(|(a, b)| a == b).count();
            }
        }
        let share = |right: usize, count: usize| right as f32 / count.max(1) as f32;
        (
            share(labels, data.text.messages()),
            share(tags, data.text.sequence.rows()),
        )
    }

    #[test]
    fn a_toy_set_is_learnt_whatever_the_options() {
        let options = Options {
            epochs: 60,
            learning_rate: 0.01,
            batch_size: [16, 16],
            ..tiny_options()
        };
        let (labels, tags) = learnt(&options, &toy(30, Learnt::All));
        assert!(labels > 0.95 && tags > 0.95, "{labels} {tags}");
        let (_, tags) = learnt(&options, &toy(30, Learnt::Tags));
        assert!(tags > 0.95, "{tags}");
        let margin = Options {
            loss_type: LossType::Margin,
            similarity_type: Similarity::Cosine,
            unidirectional_encoder: true,
            use_key_relative_attention: true,
            ..options.clone()
        };
        let (labels, _) = learnt(&margin, &toy(30, Learnt::Labels));
        assert!(labels > 0.95, "{labels}");
        let like_a_selector = Options {
            hidden_layers_sizes: Sides {
                text: vec![12, 8],
                label: vec![12, 8],
            },
            number_of_transformer_layers: 0,
            connection_density: 1.0,
            scale_loss: true,
            batch_strategy: BatchStrategy::Sequence,
            drop_small_last_batch: true,
            ..options
        };
        let (labels, _) = learnt(&like_a_selector, &toy(30, Learnt::Labels));
        assert!(labels > 0.95, "{labels}");
    }

    /// Trains with examples held out; returns the model, the epochs and their evaluations.
    fn watched(held_out: HeldOut, epochs: usize) -> (Model, Vec<(usize, Evaluation)>, usize) {
        let options = Options {
            epochs,
            learning_rate: 0.01,
            held_out: Some(held_out),
            ..tiny_options()
        };
        let (mut evaluations, mut last) = (Vec::new(), 0);
        let model = train(&options, &toy(40, Learnt::All), 7, &mut |report| {
            last = report.epoch + 1;
            evaluations.extend(report.evaluation.map(|evaluation| (last, evaluation)));
            ControlFlow::Continue(())
        });
        (model.unwrap(), evaluations, last)
    }

    fn held_out(every: usize) -> HeldOut {
        HeldOut {
            examples: 10,
            every,
            checkpoint: false,
            patience: 0,
        }
    }

    #[test]
    fn examples_that_are_held_out_are_asked_when_it_is_their_time() {
        let epochs = |every| {
            let (_, evaluations, _) = watched(held_out(every), 7);
            let epochs = evaluations.iter().map(|(epoch, _)| *epoch);
            epochs.collect::<Vec<_>>()
        };
        assert_eq!(epochs(3), [3, 6, 7]);
        assert_eq!(epochs(0), [7]);
    }

    #[test]
    fn training_ends_when_nothing_gets_better_and_keeps_the_best() {
        let (best, evaluations, last) = watched(
            HeldOut {
                patience: 20,
                ..held_out(1)
            },
            200,
        );
        assert!(last < 200, "{last}");
        assert_eq!(evaluations.len(), last);
        let mean = |one: &Evaluation| {
            let scores: Vec<f32> = one
                .label_accuracy
                .iter()
                .chain(&one.tag_f1)
                .copied()
                .collect();
            scores.iter().sum::<f32>() / scores.len() as f32
        };
        let mut kept = &evaluations[0];
        for one in &evaluations {
            if mean(&one.1) > mean(&kept.1) {
                kept = one;
            }
        }
        assert_eq!(kept.0 + 20, last);
        assert!(kept.1.label_accuracy > Some(0.8), "{kept:?}");
        assert_eq!(asked_again(&best), kept.1);
    }

    #[test]
    fn the_best_checkpoint_is_kept_and_all_epochs_are_learnt() {
        let checkpoint = HeldOut {
            checkpoint: true,
            ..held_out(2)
        };
        let (best, evaluations, last) = watched(checkpoint, 40);
        assert_eq!((last, evaluations.len()), (40, 20));
        let mut kept = &evaluations[0].1;
        for (_, one) in &evaluations {
            if one.improves_on(kept) {
                kept = one;
            }
        }
        assert_eq!(asked_again(&best), *kept);
        // Without a choice it is that of the last epoch.
        let (last, evaluations, _) = watched(held_out(2), 40);
        assert_eq!(asked_again(&last), evaluations[19].1);
    }

    /// Asks a model for the examples that it was not taught.
    fn asked_again(model: &Model) -> Evaluation {
        let settings = held_out(1);
        let data = toy(40, Learnt::All);
        let mut stream = Draw::new(7).at(HELD_OUT).stream();
        let (mut watch, _) = Watch::new(&settings, &data, &mut stream).unwrap();
        watch.ask(model)
    }

    #[test]
    fn nothing_is_hidden_from_an_answer() {
        let options = Options {
            use_masked_language_model: true,
            ..tiny_options()
        };
        let data = toy(12, Learnt::All);
        let (mut model, _) = trained(&options, &data);
        let scores = model.scores(&data.text);
        let parameters = &mut model.network.parameters;
        let mask = parameters.find("text/mask/vector").unwrap();
        parameters.update(mask, |values| values.fill(9.0));
        assert_eq!(model.scores(&data.text), scores);
    }

    #[test]
    fn what_is_held_out_is_in_no_batch() {
        let (options, data) = (tiny_options(), toy(40, Learnt::All));
        let taught: Vec<u32> = (0..40).filter(|example| example % 4 > 0).collect();
        let trainer = Trainer::new(&options, &data, Some(taught.clone()), Draw::new(7));
        let mut seen = trainer.batches(0).concat();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, taught);
    }

    #[test]
    fn too_little_to_learn_is_an_error() {
        let mut quiet = |_| ControlFlow::Continue(());
        let options = tiny_options();
        let empty = toy(0, Learnt::All);
        let error = train(&options, &empty, 7, &mut quiet).unwrap_err();
        assert_eq!(error, TrainError::NoExamples);
        let mut single = toy(3, Learnt::Tags);
        let error = train(&options, &single, 7, &mut quiet).unwrap_err();
        assert_eq!(error, TrainError::TooFewLabels(0));
        single.tags.clear();
        let only_entities = Options {
            intent_classification: false,
            ..options.clone()
        };
        let error = train(&only_entities, &single, 7, &mut quiet).unwrap_err();
        assert_eq!(error, TrainError::NothingToLearn);
        let mut stop = |_| ControlFlow::Break(());
        let error = train(&options, &toy(9, Learnt::All), 7, &mut stop).unwrap_err();
        assert_eq!(error, TrainError::Interrupted);
    }
}
