//! The whole network: both sides, the tag heads, their weights.

use serde::Deserialize;
use serde::Serialize;

use crate::nlu::TagKind;
use crate::nlu::diet::Columns;
use crate::nlu::diet::LabelFeatures;
use crate::nlu::diet::LossType;
use crate::nlu::diet::Options;
use crate::nlu::diet::Similarity;
use crate::nlu::diet::TrainingData;
use crate::nlu::diet::input::parts_of;
use crate::nlu::diet::side::Side;
use crate::nlu::diet::tags::TagHead;
use crate::nn;
use crate::nn::DotLoss;
use crate::nn::LossKind;
use crate::nn::Parameters;
use crate::nn::Stream;

/// What decides the shapes of all tensors beside the options.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shape {
    /// Widths of the features of texts.
    pub text: Columns,
    /// What is known of a label; `None` when labels are not learnt.
    pub label: Option<LabelShape>,
    /// Kinds of tags and how many each has, entities first.
    pub tags: Vec<(TagKind, usize)>,
}

/// What is known of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LabelShape {
    /// Which one of so many it is.
    Identity(usize),
    /// The words of its name.
    Bag(Columns),
    /// A text.
    Text(Columns),
}

impl Shape {
    /// Returns the shape that fits some training data.
    pub fn of(data: &TrainingData) -> Self {
        let label = match &data.label_features {
            LabelFeatures::Identity => LabelShape::Identity(data.labels.len()),
            LabelFeatures::Bag(rows) => LabelShape::Bag(Columns::of(rows)),
            LabelFeatures::Text(rows) => LabelShape::Text(Columns::of(rows)),
        };
        let tags = data.tags.iter();
        Self {
            text: Columns::of(&data.text),
            label: (!data.label_ids.is_empty()).then_some(label),
            tags: tags
                .map(|column| (column.set.kind(), column.set.count()))
                .collect(),
        }
    }

    /// Returns the number of weights of such a network, masked ones included, so
    /// that a file can be compared with it before any memory is asked for.
    pub fn weights(&self, options: &Options) -> u64 {
        let hidden = &options.hidden_layers_sizes;
        let dense = &options.dense_dimension;
        let concat = &options.concat_dimension;
        let mut count = Count(0);
        let has_transformer = options.number_of_transformer_layers > 0;
        let read = |columns: Columns, all: bool| if all { columns } else { columns.of_last() };
        let text = read(self.text, has_transformer || !self.tags.is_empty());
        let mut units = count.input(text, dense.text, concat.text);
        units = count.stack(units, &hidden.text);
        let before = units;
        units = count.transformer(units, options);
        let dimension = options.embedding_dimension;
        if options.masks(self.text) {
            count.kernel(1, before, false);
            count.kernel(before, dimension, true);
            count.kernel(units, dimension, true);
        }
        if let Some(label) = self.label {
            count.kernel(units, dimension, true);
            let mut label_units = match label {
                LabelShape::Identity(labels) => labels,
                LabelShape::Bag(columns) => count.input(columns, dense.label, concat.label),
                LabelShape::Text(columns) => {
                    let columns = read(columns, has_transformer);
                    count.input(columns, dense.label, concat.label)
                }
            };
            label_units = count.stack(label_units, &hidden.label);
            if let LabelShape::Text(_) = label {
                label_units = count.transformer(label_units, options);
            }
            count.kernel(label_units, dimension, true);
        }
        let entities = self.tags.first().map_or(0, |(_, tags)| *tags);
        for &(kind, tags) in &self.tags {
            let beside = if kind == TagKind::Entity {
                0
            } else {
                dimension
            };
            if beside > 0 {
                count.kernel(entities, dimension, true);
            }
            count.kernel(units.saturating_add(beside), tags, true);
            count.kernel(tags, tags, false);
        }
        count.0
    }
}

/// A number of weights that stops at the largest number there is.
struct Count(u64);

impl Count {
    fn kernel(&mut self, inputs: usize, outputs: usize, bias: bool) {
        let rows = (inputs as u64).saturating_add(u64::from(bias));
        self.0 = self.0.saturating_add(rows.saturating_mul(outputs as u64));
    }

    /// Counts the input layers and returns how many features come out.
    fn input(&mut self, columns: Columns, units: usize, unified: usize) -> usize {
        let parts = parts_of(columns);
        for part in &parts {
            if part.sparse > 0 {
                self.kernel(part.sparse, units, true);
            }
        }
        match parts[..] {
            [a, b] if !a.is_like(b) => {
                self.kernel(a.units(units), unified, true);
                self.kernel(b.units(units), unified, true);
                unified
            }
            _ => parts.first().map_or(units, |part| part.units(units)),
        }
    }

    fn stack(&mut self, mut units: usize, sizes: &[usize]) -> usize {
        for &size in sizes {
            self.kernel(units, size, true);
            units = size;
        }
        units
    }

    fn transformer(&mut self, inputs: usize, options: &Options) -> usize {
        if options.number_of_transformer_layers == 0 {
            return inputs;
        }
        let units = options.transformer_size;
        self.kernel(inputs, units, true);
        let mut layer = Count(0);
        (0..3).for_each(|_| layer.kernel(units, units, false));
        layer.kernel(units, units, true);
        layer.kernel(units, units.saturating_mul(4), true);
        layer.kernel(units.saturating_mul(4), units, true);
        layer.kernel(units, 4, false);
        let sides = if options.unidirectional_encoder { 1 } else { 2 };
        let distances = sides * options.max_relative_position + 1;
        for relative in [
            options.use_key_relative_attention,
            options.use_value_relative_attention,
        ] {
            if relative {
                layer.kernel(distances, units, false);
            }
        }
        let layers = (options.number_of_transformer_layers as u64).saturating_mul(layer.0);
        self.0 = self.0.saturating_add(layers);
        self.kernel(units, 2, false);
        units
    }
}

/// Layers and weights.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// All weights.
    pub parameters: Parameters,
    /// The side that reads texts.
    pub text: Side,
    /// The side that reads labels, if they are learnt.
    pub label: Option<Side>,
    /// Kinds of tags, entities first.
    pub heads: Vec<TagHead>,
    /// Whether the last position of a text is no token.
    pub has_sentence: bool,
}

impl Network {
    /// Returns a network with weights drawn from `stream`.
    pub fn new(options: &Options, shape: &Shape, stream: &mut Stream) -> Self {
        Self::with(Parameters::new(), options, shape, stream)
    }

    /// Returns a network whose weights will be read from a file.
    pub fn unset(options: &Options, shape: &Shape) -> Self {
        Self::with(Parameters::unset(), options, shape, &mut Stream::new(0))
    }

    fn with(
        mut parameters: Parameters,
        options: &Options,
        shape: &Shape,
        stream: &mut Stream,
    ) -> Self {
        let (has_tags, has_labels) = (!shape.tags.is_empty(), shape.label.is_some());
        let text = Side::text(
            &mut parameters,
            options,
            shape.text,
            has_tags,
            has_labels,
            stream,
        );
        let label = shape.label.map(|label| match label {
            LabelShape::Identity(labels) => {
                Side::label_identity(&mut parameters, options, labels, stream)
            }
            LabelShape::Bag(columns) => Side::label_bag(&mut parameters, options, columns, stream),
            LabelShape::Text(columns) => {
                Side::label_text(&mut parameters, options, columns, stream)
            }
        });
        let entities = shape.tags.first().map_or(0, |(_, tags)| *tags);
        let heads = shape.tags.iter().map(|&(kind, tags)| {
            let tags = (tags, entities);
            TagHead::new(&mut parameters, options, kind, tags, text.units, stream)
        });
        let heads = heads.collect();
        Self {
            parameters,
            text,
            label,
            heads,
            has_sentence: shape.text.has_sentence(),
        }
    }
}

/// Returns the loss that compares texts with labels.
pub(crate) fn label_loss(options: &Options) -> DotLoss {
    let kind = match options.loss_type {
        LossType::CrossEntropy => LossKind::CrossEntropy {
            constrain: options.constrain_similarities,
        },
        LossType::Margin => LossKind::Margin {
            positive: options.maximum_positive_similarity,
            negative: options.maximum_negative_similarity,
            nearest_only: options.use_maximum_negative_similarity,
            scale: options.negative_margin_scale,
        },
    };
    DotLoss {
        kind,
        similarity: match options.similarity_type {
            Similarity::Inner => nn::Similarity::Inner,
            Similarity::Cosine => nn::Similarity::Cosine,
        },
        scale_loss: options.scale_loss,
        negatives: options.number_of_negative_examples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlu::diet::Sides;

    fn check(options: Options, shape: Shape) {
        let masked = Options {
            use_masked_language_model: true,
            ..options.clone()
        };
        for options in [options, masked] {
            check_one(&options, &shape);
        }
    }

    fn check_one(options: &Options, shape: &Shape) {
        let network = Network::new(options, shape, &mut Stream::new(1));
        let parameters = &network.parameters;
        let made = parameters
            .ids()
            .map(|id| parameters.shape(id).iter().product::<usize>());
        assert_eq!(shape.weights(options), made.sum::<usize>() as u64);
    }

    #[test]
    fn weights_are_counted_before_they_are_made() {
        let text = Columns {
            sequence: 7,
            sentence: 5,
            ..Columns::default()
        };
        let small = Options {
            transformer_size: 8,
            number_of_attention_heads: 2,
            use_key_relative_attention: true,
            use_value_relative_attention: true,
            hidden_layers_sizes: Sides {
                text: vec![6, 5],
                label: vec![3],
            },
            ..Options::default()
        };
        let tags = vec![(TagKind::Entity, 9), (TagKind::Role, 5)];
        for label in [
            None,
            Some(LabelShape::Identity(4)),
            Some(LabelShape::Bag(text)),
            Some(LabelShape::Text(text)),
        ] {
            let tags = tags.clone();
            check(small.clone(), Shape { text, label, tags });
        }
        for (sequence, dense_sentence) in [(7, 4), (7, 0), (0, 3), (0, 4)] {
            let text = Columns {
                sequence,
                dense_sequence: 4,
                dense_sentence,
                ..Columns::default()
            };
            let tags = tags.clone();
            let label = Some(LabelShape::Text(text));
            check(small.clone(), Shape { text, label, tags });
        }
        let options = Options {
            number_of_transformer_layers: 0,
            ..small
        };
        let label = Some(LabelShape::Text(text));
        let tags = Vec::new();
        check(options, Shape { text, label, tags });
    }
}
