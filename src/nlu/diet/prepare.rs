//! From annotated messages and their features to what a network is trained on.

use std::collections::BTreeMap;

use crate::data::Example;
use crate::features::FeatureRows;
use crate::nlu::TagKind;
use crate::nlu::TagSet;
use crate::nlu::Tagging;
use crate::nlu::diet::LabelFeatures;
use crate::nlu::diet::Options;
use crate::nlu::diet::TagColumn;
use crate::nlu::diet::TrainingData;
use crate::nlu::diet::with_features;
use crate::tokenize::Attribute;
use crate::tokenize::Document;

/// Annotated messages with all that was made of them; one entry an example in
/// each.
#[derive(Clone, Copy)]
pub struct Corpus<'a> {
    /// The messages.
    pub examples: &'a [Example],
    /// Their tokens.
    pub documents: &'a [Document],
    /// Features of their texts, of all featurizers that the component uses.
    pub texts: &'a FeatureRows,
    /// Features of the attribute that holds their labels, of the same featurizers.
    pub labels: &'a FeatureRows,
}

/// How the features of a label are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LabelReading {
    /// As the words of a name.
    Bag,
    /// As a text.
    Text,
}

/// Finds the label of an example.
type LabelOf<'a> = &'a dyn Fn(&Example) -> Option<String>;

impl TrainingData {
    /// Returns what a `DIETClassifier` learns from.
    ///
    /// Rasa 3.6: with intent classification, examples without an intent are left
    /// out; entities are learnt if any example has one, roles and groups likewise;
    /// examples without features are left out.
    ///
    /// # Panics
    ///
    /// If the parts of the corpus are of different lengths.
    pub fn of_intents(options: &Options, corpus: Corpus<'_>) -> Self {
        let sets = match options.entity_recognition {
            true => tag_sets(options, corpus.examples),
            false => Vec::new(),
        };
        let label = |example: &'_ Example| example.intent.clone();
        Self::new(
            corpus,
            options.intent_classification.then_some(&label),
            LabelReading::Bag,
            sets,
        )
    }

    /// Puts examples with a label, or all of them without `label`, in numbers.
    pub(crate) fn new(
        corpus: Corpus<'_>,
        label: Option<LabelOf<'_>>,
        reading: LabelReading,
        sets: Vec<TagSet>,
    ) -> Self {
        let count = corpus.examples.len();
        assert_eq!(corpus.documents.len(), count);
        assert_eq!(corpus.texts.messages(), count);
        let labels_of: Vec<Option<String>> = match label {
            Some(label) => corpus.examples.iter().map(label).collect(),
            None => vec![None; count],
        };
        let mut first_with = BTreeMap::new();
        for (example, label) in labels_of.iter().enumerate() {
            if let Some(label) = label {
                first_with.entry(label.clone()).or_insert(example);
            }
        }
        let mut chosen = with_features(corpus.texts);
        chosen.retain(|&example| label.is_none() || labels_of[example].is_some());
        let labels: Vec<String> = first_with.keys().cloned().collect();
        let id = |example: &usize| {
            let label = labels_of[*example].as_ref()?;
            labels.binary_search(label).ok().map(|id| id as u32)
        };
        let columns = sets.into_iter().map(|set| tag_column(set, corpus, &chosen));
        Self {
            text: corpus.texts.select(&chosen),
            tags: columns.collect(),
            label_features: label_features(corpus.labels, first_with.into_values(), reading),
            label_ids: chosen.iter().filter_map(id).collect(),
            labels,
        }
    }
}

/// Returns the features of the first example of each label, or nothing but the
/// identity if one of them has none.
fn label_features(
    rows: &FeatureRows,
    firsts: impl Iterator<Item = usize>,
    reading: LabelReading,
) -> LabelFeatures {
    let firsts: Vec<usize> = firsts.collect();
    let all_have = || {
        firsts
            .iter()
            .all(|&example| !rows.tokens(example).is_empty())
    };
    if firsts.is_empty() || !rows.has_columns() || !all_have() {
        return LabelFeatures::Identity;
    }
    let chosen = rows.select(&firsts);
    match reading {
        LabelReading::Bag => LabelFeatures::Bag(chosen),
        LabelReading::Text => LabelFeatures::Text(chosen),
    }
}

/// Returns the tags of each kind that occurs; none without entities.
fn tag_sets(options: &Options, examples: &[Example]) -> Vec<TagSet> {
    let tagging = match options.bilou_flag {
        true => Tagging::Bilou,
        false => Tagging::Plain,
    };
    let sets = TagKind::ALL.map(|kind| TagSet::of(examples, kind, tagging));
    let sets = sets.into_iter().filter(|set| !set.labels().is_empty());
    sets.collect()
}

fn tag_column(set: TagSet, corpus: Corpus<'_>, chosen: &[usize]) -> TagColumn {
    let ids = chosen.iter().flat_map(|&example| {
        let tokens = corpus.documents[example].tokens(Attribute::Text);
        set.ids(tokens, &corpus.examples[example].entities)
    });
    TagColumn {
        ids: ids.collect(),
        set,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Annotation;
    use crate::matrix::Csr;
    use crate::tokenize::Tokenizer;

    fn example(text: &str, intent: Option<&str>, city: Option<(usize, usize)>) -> Example {
        let annotation = |(start, end)| Annotation {
            start,
            end,
            entity: "city".into(),
            ..Annotation::default()
        };
        Example {
            text: text.into(),
            intent: intent.map(str::to_owned),
            entities: city.into_iter().map(annotation).collect(),
            ..Example::default()
        }
    }

    /// Returns rows with one column, which is 1 everywhere.
    fn ones(documents: &[Document], attribute: Attribute) -> FeatureRows {
        let mut rows = FeatureRows::without_columns(documents, attribute);
        let fill = |count: usize| {
            let mut matrix = Csr::new(1);
            (0..count).for_each(|_| matrix.push_row([(0, 1.0)]));
            matrix
        };
        rows.sequence = fill(rows.sequence.rows());
        rows.sentence = fill(documents.len());
        rows
    }

    fn prepared(options: &Options, examples: &[Example]) -> TrainingData {
        let documents = Tokenizer::new(&Default::default())
            .unwrap()
            .examples(examples);
        let corpus = Corpus {
            examples,
            documents: &documents,
            texts: &ones(&documents, Attribute::Text),
            labels: &ones(&documents, Attribute::Intent),
        };
        let data = TrainingData::of_intents(options, corpus);
        data.check();
        data
    }

    #[test]
    fn examples_without_intent_or_text_are_left_out() {
        let examples = [
            example("to New York", Some("go"), Some((3, 11))),
            example("well", None, None),
            example("", Some("bye"), None),
            example("see you", Some("bye"), None),
        ];
        let data = prepared(&Options::default(), &examples);
        assert_eq!(data.labels, ["bye", "go"]);
        assert_eq!(data.label_ids, [1, 0]);
        assert_eq!(data.text.token_offsets, [0, 3, 5]);
        assert_eq!(data.tags[0].ids, [0, 1, 3, 0, 0]);
        assert!(matches!(&data.label_features, LabelFeatures::Bag(rows) if rows.messages() == 2));
    }

    #[test]
    fn without_intents_every_text_counts_and_without_entities_no_tag_does() {
        let options = Options {
            intent_classification: false,
            ..Options::default()
        };
        let examples = [
            example("well", None, None),
            example("Rome", Some("go"), Some((0, 4))),
        ];
        let data = prepared(&options, &examples);
        assert_eq!((data.text.messages(), data.labels.len()), (2, 0));
        assert_eq!(data.tags.len(), 1);
        assert!(prepared(&options, &examples[..1]).tags.is_empty());
    }
}
