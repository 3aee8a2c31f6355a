//! Sentences in numbers: attributes, tags, and the pairs of them that occur.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::nlu::TagSet;
use crate::nlu::crf::Sentence;
use crate::nlu::crf::attributes::Holds;
use crate::nlu::crf::attributes::Window;

/// Lists of different lengths, end to end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lists {
    /// `[lists + 1]`; list `l` is `items[offsets[l]..offsets[l + 1]]`.
    pub offsets: Vec<usize>,
    pub items: Vec<u32>,
    /// The value of each item; empty if all are 1.
    values: Vec<f32>,
}

impl Lists {
    fn new() -> Self {
        Self {
            offsets: vec![0],
            items: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Appends an item to the last list.
    fn push(&mut self, item: u32, value: f32) {
        if value != 1.0 && self.values.is_empty() {
            self.values.resize(self.items.len(), 1.0);
        }
        // Where all are 1 so far there is none yet, not even of the first item.
        if value != 1.0 || !self.values.is_empty() {
            self.values.push(value);
        }
        self.items.push(item);
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

    /// Returns the items of a list with their values.
    pub fn valued(&self, list: usize) -> impl Iterator<Item = (u32, f32)> {
        let value = |at: usize| self.values.get(at).copied().unwrap_or(1.0);
        self.range(list).map(move |at| (self.items[at], value(at)))
    }

    /// Puts the items of a list in ascending order.
    fn sort(&mut self, list: usize) {
        let mut sorted: Vec<(u32, f32)> = self.valued(list).collect();
        sorted.sort_unstable_by_key(|(item, _)| *item);
        for (at, (item, value)) in self.range(list).zip(sorted) {
            self.items[at] = item;
            if let Some(own) = self.values.get_mut(at) {
                *own = value;
            }
        }
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
        let mut values = vec![0.0; self.values.len()];
        for list in 0..self.count() {
            for (item, value) in self.valued(list) {
                let at = next[item as usize];
                items[at] = list as u32;
                if let Some(own) = values.get_mut(at) {
                    *own = value;
                }
                next[item as usize] += 1;
            }
        }
        Lists {
            offsets,
            items,
            values,
        }
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
                window.attributes(sentence, at, &mut |name, holds| {
                    attributes.push(number(&mut known, name, holds), holds.value());
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
        let (names, kinds) = in_order(known, &mut attributes);
        let mut labels = right.clone();
        labels.sort_unstable();
        labels.dedup();
        let label = |id: &mut u32| *id = labels.partition_point(|label| label < id) as u32;
        right.iter_mut().for_each(label);
        places.iter_mut().flatten().for_each(label);
        let tokens = attributes.transposed(names.len());
        let pairs = pairs(&tokens, &right, &kinds, &places);
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

/// What an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A text: it holds or is not there.
    Text,
    /// A truth, of a place of the window.
    Truth(usize),
    /// A number.
    Number,
}

/// Numbers of attributes by name, with what they are.
type Known = HashMap<String, (u32, Kind)>;

fn number(known: &mut Known, name: &str, holds: Holds) -> u32 {
    if let Some((number, _)) = known.get(name) {
        return *number;
    }
    let next = known.len() as u32;
    let kind = match holds {
        Holds::Wholly => Kind::Text,
        Holds::Truth(place) => Kind::Truth(place),
        Holds::Number(_) => Kind::Number,
    };
    known.insert(name.to_owned(), (next, kind));
    next
}

/// Renumbers attributes so that their names ascend; returns the names, and what each is.
fn in_order(known: Known, attributes: &mut Lists) -> (Vec<String>, Vec<Kind>) {
    let mut known: Vec<(String, (u32, Kind))> = known.into_iter().collect();
    known.sort_unstable();
    let mut new = vec![0; known.len()];
    for (at, (_, (number, _))) in known.iter().enumerate() {
        new[*number as usize] = at as u32;
    }
    let items = attributes.items.iter_mut();
    items.for_each(|number| *number = new[*number as usize]);
    for token in 0..attributes.count() {
        attributes.sort(token);
    }
    known
        .into_iter()
        .map(|(name, (_, kind))| (name, kind))
        .unzip()
}

/// Returns the labels of the tokens with each attribute; for a truth, of the
/// tokens of which it could hold. A number has no pair with a label whose tokens sum
/// to less than 0.
///
/// # Source
///
/// CRFsuite takes that sum for how often a pair occurs, and leaves out what occurs less
/// often than 0 times.
fn pairs(tokens: &Lists, right: &[u32], kinds: &[Kind], places: &[Vec<u32>]) -> Lists {
    let mut pairs = Lists::new();
    let mut labels = Vec::new();
    for (attribute, kind) in kinds.iter().enumerate() {
        labels.clear();
        match kind {
            Kind::Truth(place) => labels.extend(&places[*place]),
            Kind::Text => {
                let tokens = tokens.of(attribute).iter();
                labels.extend(tokens.map(|&token| right[token as usize]));
            }
            Kind::Number => labels.extend(with_sums(tokens, right, attribute)),
        }
        labels.sort_unstable();
        labels.dedup();
        pairs.items.extend(&labels);
        pairs.end_list();
    }
    pairs
}

/// Returns the labels with whose tokens the numbers of an attribute do not sum to less
/// than 0.
fn with_sums(tokens: &Lists, right: &[u32], attribute: usize) -> Vec<u32> {
    let mut sums: BTreeMap<u32, f64> = BTreeMap::new();
    for (token, value) in tokens.valued(attribute) {
        *sums.entry(right[token as usize]).or_default() += f64::from(value);
    }
    let kept = sums.into_iter().filter(|(_, sum)| *sum >= 0.0);
    kept.map(|(label, _)| label).collect()
}
