//! Sentences in numbers: attributes, tags, and the pairs of them that occur.

use std::collections::HashMap;

use crate::nlu::TagSet;
use crate::nlu::crf::Sentence;
use crate::nlu::crf::attributes::Window;

/// Lists of different lengths, end to end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lists {
    /// `[lists + 1]`; list `l` is `items[offsets[l]..offsets[l + 1]]`.
    pub offsets: Vec<usize>,
    pub items: Vec<u32>,
}

impl Lists {
    fn new() -> Self {
        Self {
            offsets: vec![0],
            items: Vec::new(),
        }
    }

    fn end_list(&mut self) {
        self.offsets.push(self.items.len());
    }

    pub fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn range(&self, list: usize) -> std::ops::Range<usize> {
        self.offsets[list]..self.offsets[list + 1]
    }

    pub fn of(&self, list: usize) -> &[u32] {
        &self.items[self.range(list)]
    }

    /// Returns for each item below `count` the lists that it is in, ascending.
    fn transposed(&self, count: usize) -> Lists {
        let mut offsets = vec![0; count + 1];
        for &item in &self.items {
            offsets[item as usize + 1] += 1;
        }
        for at in 0..count {
            offsets[at + 1] += offsets[at];
        }
        let mut next = offsets.clone();
        let mut items = vec![0; self.items.len()];
        for list in 0..self.count() {
            for &item in self.of(list) {
                items[next[item as usize]] = list as u32;
                next[item as usize] += 1;
            }
        }
        Lists { offsets, items }
    }
}

/// All sentences with tokens, in numbers.
#[derive(Clone, Debug)]
pub(super) struct Data {
    /// What is tagged.
    pub tags: TagSet,
    /// The tags that occur, ascending; their places are the labels below.
    pub labels: Vec<u32>,
    /// Names of attributes, sorted.
    pub names: Vec<String>,
    /// `[sentences + 1]`: the first token of each.
    pub sentences: Vec<usize>,
    /// The right label of each token.
    pub right: Vec<u32>,
    /// The attributes of each token, sorted.
    pub attributes: Lists,
    /// The tokens with each attribute.
    pub tokens: Lists,
    /// The labels that occur with each attribute: one weight for each.
    pub pairs: Lists,
}

impl Data {
    /// Puts sentences with their tag ids in numbers.
    pub fn new<'a>(
        tags: TagSet,
        window: &Window,
        sentences: impl Iterator<Item = (Sentence<'a>, Vec<u32>)>,
    ) -> Self {
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut attributes = Lists::new();
        let (mut starts, mut right) = (vec![0], Vec::new());
        for (sentence, ids) in sentences {
            if ids.is_empty() {
                continue;
            }
            for at in 0..ids.len() {
                window.attributes(sentence, at, &mut |name| {
                    let next = known.len() as u32;
                    let id = match known.get(name) {
                        Some(id) => *id,
                        None => *known.entry(name.to_owned()).or_insert(next),
                    };
                    attributes.items.push(id);
                });
                attributes.end_list();
            }
            right.extend(ids);
            starts.push(right.len());
        }
        let names = in_order(known, &mut attributes);
        let mut labels = right.clone();
        labels.sort_unstable();
        labels.dedup();
        for id in &mut right {
            *id = labels.partition_point(|label| label < id) as u32;
        }
        let tokens = attributes.transposed(names.len());
        let pairs = pairs(&tokens, &right);
        Self {
            tags,
            labels,
            names,
            sentences: starts,
            right,
            attributes,
            tokens,
            pairs,
        }
    }
}

/// Renumbers attributes so that their names ascend; returns the names.
fn in_order(known: HashMap<String, u32>, attributes: &mut Lists) -> Vec<String> {
    let mut names: Vec<(String, u32)> = known.into_iter().collect();
    names.sort_unstable();
    let mut place = vec![0; names.len()];
    for (at, (_, id)) in names.iter().enumerate() {
        place[*id as usize] = at as u32;
    }
    attributes
        .items
        .iter_mut()
        .for_each(|id| *id = place[*id as usize]);
    for token in 0..attributes.count() {
        let range = attributes.range(token);
        attributes.items[range].sort_unstable();
    }
    names.into_iter().map(|(name, _)| name).collect()
}

fn pairs(tokens: &Lists, right: &[u32]) -> Lists {
    let mut pairs = Lists::new();
    let mut labels = Vec::new();
    for attribute in 0..tokens.count() {
        labels.clear();
        labels.extend(
            tokens
                .of(attribute)
                .iter()
                .map(|&token| right[token as usize]),
        );
        labels.sort_unstable();
        labels.dedup();
        pairs.items.extend(&labels);
        pairs.end_list();
    }
    pairs
}
