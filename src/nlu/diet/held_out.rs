//! Held-out examples: which they are, and whether training still makes the network
//! understand more of them.
//!
//! ```text
//!   examples ──▶ split ─┬─▶ taught: batches, steps, epochs ──▶ Model
//!                       └─▶ asked ──▶ [Watch]: better than any before? ◀──┘
//! ```

use std::ops::RangeInclusive;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;
use serde_json::Value;
use serde_json::json;

use crate::features::FeatureRows;
use crate::nlu::diet::Model;
use crate::nlu::diet::TrainError;
use crate::nlu::diet::TrainingData;
use crate::nlu::diet::rank;
use crate::nlu::diet::reader::Reader;
use crate::nlu::diet::reader::count;
use crate::nn::Stream;

/// Epochs between two evaluations, unless configured.
const USUALLY: usize = 20;

/// The option that holds examples out.
pub const HELD_OUT: &str = "evaluate_on_number_of_examples";

const EVERY: &str = "evaluate_every_number_of_epochs";
const CHECKPOINT: &str = "checkpoint_model";
const PATIENCE: &str = "early_stopping";

/// Examples that are asked while the others are learnt, and what follows from the
/// answers.
///
/// Written under the names that a user would write. How often they are asked is written
/// only where something follows from the answers: else it decides nothing but what is
/// told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldOut {
    /// How many (`evaluate_on_number_of_examples`).
    pub examples: usize,
    /// Epochs between two evaluations (`evaluate_every_number_of_epochs`); 0 for one
    /// after the last epoch alone.
    pub every: usize,
    /// Whether the model is that of the best evaluation, not of the last epoch
    /// (`checkpoint_model`).
    pub checkpoint: bool,
    /// After so many evaluations in a row that were no better training ends, and the
    /// model is that of the best one; 0 for never (`early_stopping`). The better one is
    /// that whose scores have the greater mean: while several rise, one of them may fall.
    pub patience: usize,
}

impl Serialize for HeldOut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(HELD_OUT, &self.examples)?;
        if self.chooses() {
            let every = match self.every {
                0 => json!(-1),
                every => json!(every),
            };
            map.serialize_entry(EVERY, &every)?;
        }
        if self.checkpoint {
            map.serialize_entry(CHECKPOINT, &true)?;
        }
        if self.patience > 0 {
            map.serialize_entry(PATIENCE, &self.patience)?;
        }
        map.end()
    }
}

impl HeldOut {
    /// Reads what is held out; none if nothing is.
    ///
    /// `early_stopping` is an option of our own; with it every epoch is evaluated
    /// unless it is said how many are.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let examples = reader.count(HELD_OUT, 0, 0);
        let wanted = "false or a whole number of at least 0";
        let patience = reader.read(PATIENCE, 0, wanted, |value| match value {
            Value::Bool(false) => Some(0),
            other => count(other, 0),
        });
        let checkpoint = reader.flag(CHECKPOINT, false);
        if examples == 0 {
            reader.raw(EVERY);
            without_any(reader, patience, checkpoint);
            return None;
        }
        let wanted = "-1 or a whole number above 0";
        let default = if patience > 0 { 1 } else { USUALLY };
        let every = reader.read(EVERY, default, wanted, |value| match value.as_i64() {
            Some(-1) => Some(0),
            _ => count(value, 1),
        });
        if patience > 0 && every == 0 {
            let sentence =
                format!("`{PATIENCE}` needs more than the one evaluation of `{EVERY}: -1`");
            reader.conflict(sentence);
        }
        Some(Self {
            examples,
            every,
            checkpoint,
            patience,
        })
    }

    /// Returns how many of so many examples with so many labels can be held out: one a
    /// label at least, with one more than that left.
    ///
    /// Rasa 3.6: `RasaModelData.split`.
    pub fn bounds(examples: usize, labels: usize) -> RangeInclusive<usize> {
        labels.max(1)..=examples.saturating_sub(labels + 1)
    }

    fn is_due(&self, epoch: usize, epochs: usize) -> bool {
        let is_last = epoch + 1 == epochs;
        is_last || self.every > 0 && (epoch + 1).is_multiple_of(self.every)
    }

    fn chooses(&self) -> bool {
        self.checkpoint || self.patience > 0
    }

    fn is_better(&self, one: &Evaluation, other: &Evaluation) -> bool {
        match self.patience {
            0 => one.improves_on(other),
            _ => one.mean() > other.mean(),
        }
    }
}

/// Says what cannot be, or does nothing, where no examples are held out.
fn without_any(reader: &mut Reader<'_>, patience: usize, checkpoint: bool) {
    if patience > 0 {
        reader.conflict(format!(
            "`{PATIENCE}` needs `{HELD_OUT}`: without examples that are held out nobody knows \
             when to stop"
        ));
    }
    if checkpoint {
        reader.remarks.push(format!(
            "`{CHECKPOINT}` is ignored: without `{HELD_OUT}` there is nothing to choose a \
             checkpoint by"
        ));
    }
}

/// How well held-out examples are understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Share of the examples whose label is the nearest of all; `None` when labels are
    /// not learnt.
    ///
    /// Differs from Rasa 3.6, which compares the right label with a sample of others.
    pub label_accuracy: Option<f32>,
    /// F1 over all tokens that are in an entity or said to be, for each kind of tag that
    /// is learnt; entities first. Roles and groups are asked with the entities that were
    /// found, not with the right ones.
    pub tag_f1: Vec<f32>,
}

impl Evaluation {
    /// Returns whether nothing is worse than in another evaluation, and something better.
    ///
    /// Rasa 3.6: `RasaModelCheckpoint`.
    pub fn improves_on(&self, other: &Self) -> bool {
        let both = || self.scores().zip(other.scores());
        both().all(|(own, other)| own >= other) && both().any(|(own, other)| own > other)
    }

    /// Returns the mean of all scores.
    fn mean(&self) -> f32 {
        self.scores().sum::<f32>() / self.scores().count().max(1) as f32
    }

    fn scores(&self) -> impl Iterator<Item = f32> {
        self.label_accuracy.iter().chain(&self.tag_f1).copied()
    }

    fn of(model: &Model, asked: &Asked) -> Self {
        let scores = model.scores(&asked.texts);
        let mut right = 0;
        let mut counts = vec![Counts::default(); asked.tags.len()];
        for (message, scores) in scores.iter().enumerate() {
            let Some(scores) = scores else { continue };
            if let Some(&label) = asked.labels.get(message) {
                let best = rank(&scores.labels, model.options()).first().copied();
                right += usize::from(best.is_some_and(|(best, _)| best as u32 == label));
            }
            let tokens = asked.texts.tokens(message);
            for (count, (right, found)) in
                counts.iter_mut().zip(asked.tags.iter().zip(&scores.tags))
            {
                count.add(&right[tokens.clone()], &found.ids);
            }
        }
        let all = asked.texts.messages().max(1) as f32;
        Self {
            label_accuracy: (!asked.labels.is_empty()).then_some(right as f32 / all),
            tag_f1: counts.iter().map(Counts::f1).collect(),
        }
    }
}

/// Tags that are right, found and there, those for "outside" left out.
#[derive(Clone, Copy, Default)]
struct Counts {
    right: usize,
    found: usize,
    there: usize,
}

impl Counts {
    fn add(&mut self, there: &[u32], found: &[u32]) {
        for (there, found) in there.iter().zip(found) {
            self.there += usize::from(*there != 0);
            self.found += usize::from(*found != 0);
            self.right += usize::from(*there != 0 && there == found);
        }
    }

    /// Twice the right ones of all that are found or there; 0 if there are none.
    fn f1(&self) -> f32 {
        2.0 * self.right as f32 / (self.found + self.there).max(1) as f32
    }
}

/// Examples that are not learnt.
struct Asked {
    texts: FeatureRows,
    /// Empty when labels are not learnt.
    labels: Vec<u32>,
    /// Per kind one a token.
    tags: Vec<Vec<u32>>,
}

impl Asked {
    fn new(data: &TrainingData, examples: &[u32]) -> Self {
        let chosen: Vec<usize> = examples.iter().map(|&at| at as usize).collect();
        let labels = chosen.iter().filter_map(|&at| data.label_ids.get(at));
        let tags = data.tags.iter().map(|column| {
            let tokens = chosen.iter().flat_map(|&at| data.text.tokens(at));
            tokens.map(|token| column.ids[token]).collect()
        });
        Self {
            texts: data.text.select(&chosen),
            labels: labels.copied().collect(),
            tags: tags.collect(),
        }
    }
}

/// Asks the network from time to time, and keeps the best.
pub(super) struct Watch<'a> {
    settings: &'a HeldOut,
    asked: Asked,
    best: Option<(Evaluation, Model)>,
    /// Evaluations since the best one.
    since: usize,
}

impl<'a> Watch<'a> {
    /// Holds examples out; returns the others, too.
    ///
    /// # Errors
    ///
    /// If they are too many or too few for the data.
    pub fn new(
        settings: &'a HeldOut,
        data: &TrainingData,
        stream: &mut Stream,
    ) -> Result<(Self, Vec<u32>), TrainError> {
        let labels = match data.label_ids.is_empty() {
            true => &vec![0; data.text.messages()],
            false => &data.label_ids,
        };
        let (taught, asked) = split(labels, settings.examples, stream)?;
        let watch = Self {
            settings,
            asked: Asked::new(data, &asked),
            best: None,
            since: 0,
        };
        Ok((watch, taught))
    }

    /// Returns whether the network is to be asked after an epoch, counted from 0.
    pub fn is_due(&self, epoch: usize, epochs: usize) -> bool {
        self.settings.is_due(epoch, epochs)
    }

    /// Asks a network as it is now.
    pub fn ask(&mut self, model: &Model) -> Evaluation {
        let evaluation = Evaluation::of(model, &self.asked);
        let best = self.best.as_ref();
        match best.is_none_or(|(best, _)| self.settings.is_better(&evaluation, best)) {
            true if self.settings.chooses() => {
                self.best = Some((evaluation.clone(), model.snapshot()));
                self.since = 0;
            }
            _ => self.since += 1,
        }
        evaluation
    }

    /// Returns whether to go on is in vain.
    pub fn is_over(&self) -> bool {
        (1..=self.since).contains(&self.settings.patience)
    }

    /// Returns the network that the evaluations chose, if they do.
    pub fn into_best(self) -> Option<Model> {
        self.best.map(|(_, model)| model)
    }
}

/// Returns the examples to learn, and those to hold out: of each label its share of
/// `wanted`, and never all of its examples; both in order.
fn split(
    label_of: &[u32],
    wanted: usize,
    stream: &mut Stream,
) -> Result<(Vec<u32>, Vec<u32>), TrainError> {
    let kinds = label_of.iter().max().map_or(0, |last| *last as usize + 1);
    let mut examples: Vec<Vec<u32>> = vec![Vec::new(); kinds];
    for (example, label) in label_of.iter().enumerate() {
        examples[*label as usize].push(example as u32);
    }
    examples.retain(|of_label| !of_label.is_empty());
    if !HeldOut::bounds(label_of.len(), examples.len()).contains(&wanted) {
        return Err(TrainError::HeldOut {
            wanted,
            examples: label_of.len(),
            labels: examples.len(),
        });
    }
    let room: Vec<usize> = examples.iter().map(|of_label| of_label.len() - 1).collect();
    let mut asked = Vec::with_capacity(wanted);
    let mut taught = Vec::with_capacity(label_of.len() - wanted);
    for (of_label, share) in examples.iter_mut().zip(shares(&room, wanted)) {
        stream.shuffle(of_label);
        asked.extend(&of_label[..share]);
        taught.extend(&of_label[share..]);
    }
    asked.sort_unstable();
    taught.sort_unstable();
    Ok((taught, asked))
}

/// Deals `wanted` out in proportion to `room`, which is at least as much in all: the
/// whole parts first, then one each where most is cut off.
fn shares(room: &[usize], wanted: usize) -> Vec<usize> {
    let all: usize = room.iter().sum();
    let mut shares: Vec<usize> = room.iter().map(|own| own * wanted / all.max(1)).collect();
    let mut order: Vec<usize> = (0..room.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(room[at] * wanted % all.max(1)));
    let left = wanted - shares.iter().sum::<usize>();
    for at in order.into_iter().take(left) {
        shares[at] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_label_gives_its_share_and_keeps_one_example_at_least() {
        let labels: Vec<u32> = (0..100)
            .map(|example| match example {
                0 => 2,
                1..=9 => 0,
                _ => 1,
            })
            .collect();
        let (taught, asked) = split(&labels, 20, &mut Stream::new(3)).unwrap();
        let count = |chosen: &[u32], label| {
            let labels = chosen.iter().map(|&at| labels[at as usize]);
            labels.filter(|own| *own == label).count()
        };
        assert_eq!([0, 1, 2].map(|label| count(&asked, label)), [2, 18, 0]);
        assert_eq!([0, 1, 2].map(|label| count(&taught, label)), [7, 72, 1]);
        let mut all = [taught, asked].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<u32>>());
    }

    #[test]
    fn too_many_or_too_few_are_refused() {
        let labels = [0, 0, 0, 1, 1, 1, 1];
        let refused = |wanted| split(&labels, wanted, &mut Stream::new(3)).is_err();
        let outcomes = [1, 2, 4, 5].map(refused);
        assert_eq!(outcomes, [true, false, false, true]);
    }

    #[test]
    fn an_evaluation_is_better_if_nothing_is_worse() {
        let of = |label_accuracy, f1| Evaluation {
            label_accuracy: Some(label_accuracy),
            tag_f1: vec![f1],
        };
        assert!(of(0.8, 0.5).improves_on(&of(0.7, 0.5)));
        assert!(!of(0.8, 0.4).improves_on(&of(0.7, 0.5)));
        assert!(!of(0.7, 0.5).improves_on(&of(0.7, 0.5)));
    }

    #[test]
    fn tags_outside_of_entities_do_not_count() {
        let mut counts = Counts::default();
        counts.add(&[0, 0, 1, 2], &[0, 1, 1, 1]);
        assert_eq!(counts.f1(), 2.0 / 5.0);
        assert_eq!(Counts::default().f1(), 0.0);
    }
}
