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
    /// The labels that occur with each attribute, whether it holds or not: one
    /// weight for each.
    pub pairs: Lists,
}

impl Data {
    /// Puts sentences with their tag ids in numbers.
    pub fn new<'a>(
        tags: TagSet,
        window: &Window,
        sentences: impl Iterator<Item = (Sentence<'a>, Vec<u32>)>,
    ) -> Self {
        let mut known = HashMap::new();
        let mut attributes = Lists::new();
        let mut places: Vec<Vec<u32>> = Vec::new();
        let (mut starts, mut right) = (vec![0], Vec::new());
        for (sentence, ids) in sentences {
            if ids.is_empty() {
                continue;
            }
            for (at, id) in ids.iter().enumerate() {
                window.attributes(sentence, at, &mut |name, truth| {
                    attributes.items.push(number(&mut known, name, truth));
                });
                attributes.end_list();
                for place in window.places(sentence, at) {
                    places.resize_with(places.len().max(place + 1), Vec::new);
                    if places[place].binary_search(id).is_err() {
                        places[place].push(*id);
                        places[place].sort_unstable();
                    }
                }
            }
            right.extend(ids);
            starts.push(right.len());
        }
        let (names, truths) = in_order(known, &mut attributes);
        let mut labels = right.clone();
        labels.sort_unstable();
        labels.dedup();
        let label = |id: &mut u32| *id = labels.partition_point(|label| label < id) as u32;
        right.iter_mut().for_each(label);
        places.iter_mut().flatten().for_each(label);
        let tokens = attributes.transposed(names.len());
        let truths = truths
            .iter()
            .map(|place| place.map(|place| &places[place][..]));
        let pairs = pairs(&tokens, &right, truths);
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

/// Numbers of attributes by name, with the place of those that are truths.
type Known = HashMap<String, (u32, Option<usize>)>;

fn number(known: &mut Known, name: &str, truth: Option<usize>) -> u32 {
    if let Some((number, _)) = known.get(name) {
        return *number;
    }
    let next = known.len() as u32;
    known.insert(name.to_owned(), (next, truth));
    next
}

/// Renumbers attributes so that their names ascend; returns the names, and the
/// places of those that are truths.
fn in_order(known: Known, attributes: &mut Lists) -> (Vec<String>, Vec<Option<usize>>) {
    let mut known: Vec<(String, (u32, Option<usize>))> = known.into_iter().collect();
    known.sort_unstable();
    let mut new = vec![0; known.len()];
    for (at, (_, (number, _))) in known.iter().enumerate() {
        new[*number as usize] = at as u32;
    }
    let items = attributes.items.iter_mut();
    items.for_each(|number| *number = new[*number as usize]);
    for token in 0..attributes.count() {
        let range = attributes.range(token);
        attributes.items[range].sort_unstable();
    }
    known
        .into_iter()
        .map(|(name, (_, truth))| (name, truth))
        .unzip()
}

/// Returns the labels of the tokens with each attribute; for a truth, of the
/// tokens of which it could hold.
fn pairs<'p>(
    tokens: &Lists,
    right: &[u32],
    truths: impl Iterator<Item = Option<&'p [u32]>>,
) -> Lists {
    let mut pairs = Lists::new();
    let mut labels = Vec::new();
    for (attribute, truth) in truths.enumerate() {
        labels.clear();
        match truth {
            Some(all) => labels.extend(all),
            None => {
                let tokens = tokens.of(attribute).iter();
                labels.extend(tokens.map(|&token| right[token as usize]));
            }
        }
        labels.sort_unstable();
        labels.dedup();
        pairs.items.extend(&labels);
        pairs.end_list();
    }
    pairs
}
