//! One conditional random field, learnt: sentences in, tags out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::nlu::TagSet;
use crate::nlu::Tagging;
use crate::nlu::crf::Sentence;
use crate::nlu::crf::attributes::Window;
use crate::nlu::crf::data::Data;
use crate::nlu::crf::fit::split;
use crate::nn::Crf;

/// Weights of attributes and transitions for the tags of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Tagger {
    stored: Stored,
    crf: Crf,
    /// What the tags are called, one a label.
    names: Vec<String>,
}

/// A tagger on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    tags: TagSet,
    /// The tags that occurred, by id: labels below count them from 0.
    labels: Vec<u32>,
    /// `[labels, labels]`, from row to column.
    transitions: Vec<f32>,
    /// Label and weight by attribute; weights of 0 are left out.
    attributes: BTreeMap<String, Vec<(u32, f32)>>,
}

/// A file whose parts contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
struct Mismatch(&'static str);

impl TryFrom<Stored> for Tagger {
    type Error = Mismatch;

    fn try_from(stored: Stored) -> Result<Self, Mismatch> {
        let count = stored.labels.len();
        if !stored.labels.is_sorted_by(|a, b| a < b) {
            return Err(Mismatch("labels do not ascend"));
        }
        if stored
            .labels
            .last()
            .is_some_and(|&id| id as usize >= stored.tags.count())
        {
            return Err(Mismatch("a label that is no tag"));
        }
        if count.checked_mul(count) != Some(stored.transitions.len()) {
            return Err(Mismatch("transitions of another number of labels"));
        }
        let mut weights = stored.attributes.values().flatten();
        if weights.any(|(label, _)| *label as usize >= count) {
            return Err(Mismatch("a weight of no label"));
        }
        Ok(Self {
            crf: Crf::new(&stored.transitions, count),
            names: stored
                .labels
                .iter()
                .map(|&id| stored.tags.name(id))
                .collect(),
            stored,
        })
    }
}

impl From<Tagger> for Stored {
    fn from(tagger: Tagger) -> Self {
        tagger.stored
    }
}

impl Tagger {
    /// Keeps the weights that are not 0.
    pub(super) fn new(data: &Data, weights: &[f64]) -> Self {
        let (pairs, transitions) = split(weights, data.pairs.items.len());
        let mut attributes = BTreeMap::new();
        for (attribute, name) in data.names.iter().enumerate() {
            let range = data.pairs.range(attribute);
            let labels = data.pairs.items[range.clone()].iter().copied();
            let weights = labels.zip(pairs[range].iter().copied());
            let kept: Vec<(u32, f32)> = weights.filter(|(_, weight)| *weight != 0.0).collect();
            if !kept.is_empty() {
                attributes.insert(name.clone(), kept);
            }
        }
        let stored = Stored {
            tags: data.tags.clone(),
            labels: data.labels.clone(),
            transitions,
            attributes,
        };
        Self::try_from(stored).expect("the parts were made for each other")
    }

    /// Returns what is tagged.
    pub fn tags(&self) -> &TagSet {
        &self.stored.tags
    }

    /// Returns how many attributes have a weight.
    pub fn attribute_count(&self) -> usize {
        self.stored.attributes.len()
    }

    /// Returns the most likely tag of each token by itself, with its confidence:
    /// with BILOU, that of all tags of the same label together.
    ///
    /// # Source
    ///
    /// Rasa 3.6.
    pub(super) fn tag(&self, window: &Window, sentence: Sentence<'_>) -> (Vec<String>, Vec<f64>) {
        let count = self.names.len();
        if count == 0 {
            return (
                vec!["O".to_owned(); sentence.tokens.len()],
                vec![1.0; sentence.tokens.len()],
            );
        }
        let mut logits = vec![0.0; sentence.tokens.len() * count];
        for (at, row) in logits.chunks_exact_mut(count).enumerate() {
            window.attributes(sentence, at, &mut |name, holds| {
                for &(label, weight) in self.stored.attributes.get(name).into_iter().flatten() {
                    row[label as usize] += weight * holds.value();
                }
            });
        }
        let marginals = self.crf.marginals(&logits);
        let rows = marginals.chunks_exact(count);
        rows.map(|row| self.most_likely(row)).unzip()
    }

    fn most_likely(&self, row: &[f32]) -> (String, f64) {
        let mut best = 0;
        for (label, p) in row.iter().enumerate() {
            if *p > row[best] {
                best = label;
            }
        }
        let confidence = match self.stored.tags.tagging() {
            Tagging::Plain => f64::from(row[best]),
            Tagging::Bilou => {
                let same = row.iter().zip(&self.names);
                let same = same.filter(|(_, name)| label_of(name) == label_of(&self.names[best]));
                same.map(|(p, _)| f64::from(*p)).sum()
            }
        };
        (self.names[best].clone(), confidence.min(1.0))
    }
}

/// Returns the label of a BILOU tag.
fn label_of(tag: &str) -> &str {
    tag.get(2..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let fine = json!({
            "tags": {"kind": "entity", "tagging": "bilou", "labels": ["city"]},
            "labels": [0, 4],
            "transitions": [0.5, -1.0, 0.0, 2.0],
            "attributes": {"0:title": [[1, 1.5]]},
        });
        let tagger: Tagger = serde_json::from_value(fine.clone()).unwrap();
        assert_eq!(serde_json::to_value(&tagger).unwrap(), fine);
        for (key, wrong) in [
            ("labels", json!([4, 0])),
            ("labels", json!([0, 5])),
            ("transitions", json!([0.5])),
            ("attributes", json!({"0:title": [[2, 1.5]]})),
        ] {
            let mut broken = fine.clone();
            broken[key] = wrong;
            assert!(serde_json::from_value::<Tagger>(broken).is_err(), "{key}");
        }
    }
}
