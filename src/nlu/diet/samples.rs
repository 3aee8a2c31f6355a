//! Tiny made-up training data for the tests of this folder.

use serde_json::json;

use crate::features::FeatureRows;
use crate::matrix::Csr;
use crate::matrix::Dense;
use crate::nlu::TagKind;
use crate::nlu::diet::LabelFeatures;
use crate::nlu::diet::Options;
use crate::nlu::diet::Sides;
use crate::nlu::diet::TagColumn;
use crate::nlu::diet::TrainingData;
use crate::nn::Stream;

/// What of the made-up data is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Learnt {
    /// Labels and all kinds of tags.
    All,
    /// Labels alone.
    Labels,
    /// Tags alone.
    Tags,
}

/// Returns a network so small that each weight can be looked at.
pub(crate) fn tiny_options() -> Options {
    let sizes = |text, label| Sides { text, label };
    Options {
        transformer_size: 8,
        number_of_attention_heads: 2,
        dense_dimension: sizes(7, 5),
        embedding_dimension: 4,
        connection_density: 0.5,
        batch_size: [4, 6],
        number_of_negative_examples: 3,
        epochs: 3,
        constrain_similarities: true,
        ..Options::default()
    }
}

/// Returns rows in which every word is one column, for messages of words.
pub(crate) fn word_rows(messages: &[Vec<u32>], columns: usize) -> FeatureRows {
    let mut rows = FeatureRows {
        token_offsets: vec![0],
        sequence: Csr::new(columns),
        sentence: Csr::new(columns),
        ..FeatureRows::default()
    };
    for words in messages {
        words
            .iter()
            .for_each(|&word| rows.sequence.push_row([(word, 1.0)]));
        let mut sorted = words.clone();
        sorted.sort_unstable();
        sorted.dedup();
        rows.sentence
            .push_row(sorted.iter().map(|&word| (word, 1.0)));
        rows.token_offsets.push(rows.sequence.rows() as u32);
    }
    rows
}

/// Returns examples whose words 0, 1 and 2 decide their label, with tags at
/// words 3 and 4 whose role is the word before.
pub(crate) fn toy(count: usize, learnt: Learnt) -> TrainingData {
    let mut stream = Stream::new(11);
    let messages: Vec<Vec<u32>> = (0..count)
        .map(|example| {
            let mut words = vec![(example % 3) as u32];
            (0..2 + stream.below(3)).for_each(|_| words.push(3 + stream.below(6) as u32));
            words
        })
        .collect();
    let words = messages.concat();
    let before = |at: usize| if at == 0 { 0 } else { words[at - 1] };
    let tag = |tag: &dyn Fn(usize) -> u32| -> Vec<u32> {
        let tokens = 0..words.len();
        tokens
            .map(|at| {
                if words[at] < 5 && words[at] > 2 {
                    tag(at)
                } else {
                    0
                }
            })
            .collect()
    };
    let column = |kind: TagKind, labels: &[&str], ids| TagColumn {
        set: serde_json::from_value(json!({"kind": kind, "tagging": "bilou", "labels": labels}))
            .unwrap(),
        ids,
    };
    // Tags in BILOU order: 4 is a whole entity of the first name, 8 of the second.
    let tags = vec![
        column(
            TagKind::Entity,
            &["city", "date"],
            tag(&|at| 4 * (words[at] - 2)),
        ),
        column(
            TagKind::Role,
            &["from", "to"],
            tag(&|at| 4 + 4 * (before(at) % 2)),
        ),
        column(TagKind::Group, &["1"], tag(&|at| 4 * (before(at) % 2))),
    ];
    let label_ids: Vec<u32> = (0..count).map(|example| (example % 3) as u32).collect();
    let names = word_rows(&[vec![0, 1], vec![2], vec![1, 3]], 4);
    let (has_labels, has_tags) = (learnt != Learnt::Tags, learnt != Learnt::Labels);
    TrainingData {
        text: word_rows(&messages, 9),
        labels: ["a", "b", "c"]
            .iter()
            .filter(|_| has_labels)
            .map(|&l| l.to_owned())
            .collect(),
        label_features: match has_labels {
            true => LabelFeatures::Bag(names),
            false => LabelFeatures::Identity,
        },
        label_ids: if has_labels { label_ids } else { Vec::new() },
        tags: if has_tags { tags } else { Vec::new() },
    }
}

/// Gives rows dense features of so many columns; 0 for none.
pub(crate) fn add_dense(rows: &mut FeatureRows, sequence: usize, sentence: usize) {
    let mut stream = Stream::new(17);
    let mut filled = |rows: usize, cols: usize| {
        let mut dense = Dense::new(cols);
        for _ in 0..if cols > 0 { rows } else { 0 } {
            let values: Vec<f32> = (0..cols).map(|_| stream.uniform() - 0.5).collect();
            dense.push(&values);
        }
        dense
    };
    rows.dense_sequence = filled(rows.sequence.rows(), sequence);
    rows.dense_sentence = filled(rows.sentence.rows(), sentence);
}
