//! Entity annotations as one tag a token.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::data::Annotation;
use crate::data::Example;
use crate::tokenize::Token;

/// What is tagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TagKind {
    /// The entity type.
    Entity,
    /// The role.
    Role,
    /// The group.
    Group,
}

impl TagKind {
    /// Every kind, in the order in which they are predicted.
    pub const ALL: [TagKind; 3] = [TagKind::Entity, TagKind::Role, TagKind::Group];

    /// Returns the label of this kind that an annotation has.
    pub fn label(self, annotation: &Annotation) -> Option<&str> {
        match self {
            Self::Entity => Some(&annotation.entity),
            Self::Role => annotation.role.as_deref(),
            Self::Group => annotation.group.as_deref(),
        }
    }
}

/// How a span of tokens is tagged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tagging {
    /// Beginning, inside, last, unit: tags `B-`, `I-`, `L-`, `U-`.
    #[default]
    Bilou,
    /// The label alone.
    Plain,
}

/// The tags of one kind and their ids.
///
/// Id 0 is `O`. With BILOU, label `k` of the sorted labels has the ids `4k + 1`
/// to `4k + 4` for `B-`, `I-`, `L-`, `U-`; plain, the id `k + 1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagSet {
    kind: TagKind,
    tagging: Tagging,
    /// Sorted.
    labels: Vec<String>,
}

const PREFIXES: [&str; 4] = ["B-", "I-", "L-", "U-"];
const BEGINNING: usize = 0;
const INSIDE: usize = 1;
const LAST: usize = 2;
const UNIT: usize = 3;

impl TagSet {
    /// Returns the tags for the labels that occur in `examples`.
    pub fn of(examples: &[Example], kind: TagKind, tagging: Tagging) -> Self {
        let annotations = examples.iter().flat_map(|example| &example.entities);
        let labels: BTreeSet<&str> = annotations.filter_map(|a| kind.label(a)).collect();
        Self {
            kind,
            tagging,
            labels: labels.into_iter().map(str::to_owned).collect(),
        }
    }

    /// Returns what is tagged.
    pub fn kind(&self) -> TagKind {
        self.kind
    }

    /// Returns how spans are tagged.
    pub fn tagging(&self) -> Tagging {
        self.tagging
    }

    /// Returns the sorted labels.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Returns how many tags there are, `O` included.
    pub fn count(&self) -> usize {
        match self.tagging {
            Tagging::Bilou => 4 * self.labels.len() + 1,
            Tagging::Plain => self.labels.len() + 1,
        }
    }

    /// Returns the name of a tag, such as `B-city`; `O` for 0 and for ids that
    /// do not exist.
    pub fn name(&self, id: u32) -> String {
        let Some(at) = (id as usize).checked_sub(1) else {
            return "O".to_owned();
        };
        let (label, prefix) = match self.tagging {
            Tagging::Bilou => (at / 4, PREFIXES[at % 4]),
            Tagging::Plain => (at, ""),
        };
        match self.labels.get(label) {
            Some(label) => format!("{prefix}{label}"),
            None => "O".to_owned(),
        }
    }

    /// Returns the tag id of each token.
    ///
    /// With BILOU, annotations that do not start and end where tokens do have no
    /// tags, and a later annotation overwrites an earlier one. Plain, a token
    /// has the label of the annotation that shares most characters with it, the
    /// first of equals.
    pub fn ids(&self, tokens: &[Token], annotations: &[Annotation]) -> Vec<u32> {
        let labelled: Vec<(usize, &Annotation)> = annotations
            .iter()
            .filter_map(|a| Some((self.position(a)?, a)))
            .collect();
        match self.tagging {
            Tagging::Bilou => bilou(tokens, &labelled),
            Tagging::Plain => {
                let label = |token| {
                    let best = best_overlap(token, labelled.iter().map(|(_, a)| (a.start, a.end)));
                    best.map_or(0, |at| labelled[at].0 as u32 + 1)
                };
                tokens.iter().map(label).collect()
            }
        }
    }

    fn position(&self, annotation: &Annotation) -> Option<usize> {
        let label = self.kind.label(annotation)?;
        self.labels
            .binary_search_by(|known| known.as_str().cmp(label))
            .ok()
    }
}

fn bilou(tokens: &[Token], labelled: &[(usize, &Annotation)]) -> Vec<u32> {
    let mut ids = vec![0; tokens.len()];
    for &(label, annotation) in labelled {
        let Some((first, last)) = aligned(tokens, annotation) else {
            continue;
        };
        let id = |prefix: usize| (4 * label + prefix + 1) as u32;
        if first == last {
            ids[first] = id(UNIT);
            continue;
        }
        ids[first..=last].fill(id(INSIDE));
        ids[first] = id(BEGINNING);
        ids[last] = id(LAST);
    }
    ids
}

/// Returns the first and last token of an annotation that coincides with tokens.
fn aligned(tokens: &[Token], annotation: &Annotation) -> Option<(usize, usize)> {
    let first = tokens
        .iter()
        .position(|token| token.start == annotation.start)?;
    let last = tokens
        .iter()
        .position(|token| token.end == annotation.end)?;
    (first <= last).then_some((first, last))
}

/// Returns the annotations that do not start and end where tokens do: training
/// ignores them, of which the user should be told.
pub fn misaligned<'a>(tokens: &[Token], annotations: &'a [Annotation]) -> Vec<&'a Annotation> {
    let all = annotations.iter();
    all.filter(|annotation| aligned(tokens, annotation).is_none())
        .collect()
}

/// Returns which span shares most characters with the token; the first of
/// equals.
pub(super) fn best_overlap(
    token: &Token,
    spans: impl Iterator<Item = (usize, usize)>,
) -> Option<usize> {
    let shared = spans.map(|(start, end)| {
        let (from, to) = (token.start.max(start), token.end.min(end));
        to.saturating_sub(from)
    });
    let mut best = (0, None);
    for (at, shared) in shared.enumerate() {
        if shared > best.0 {
            best = (shared, Some(at));
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotation(entity: &str, start: usize, end: usize) -> Annotation {
        Annotation {
            start,
            end,
            entity: entity.into(),
            ..Annotation::default()
        }
    }

    fn set(tagging: Tagging) -> TagSet {
        let example = Example {
            entities: vec![annotation("dish", 0, 1), annotation("city", 0, 1)],
            ..Example::default()
        };
        TagSet::of(&[example], TagKind::Entity, tagging)
    }

    fn tokens() -> [Token; 3] {
        [
            Token::new("New", 0),
            Token::new("York", 4),
            Token::new("pizza", 9),
        ]
    }

    #[test]
    fn spans_become_bilou_tags() {
        let set = set(Tagging::Bilou);
        assert_eq!(set.count(), 9);
        let found = [annotation("city", 0, 8), annotation("dish", 9, 14)];
        let ids = set.ids(&tokens(), &found);
        assert_eq!(ids, [1, 3, 8]);
        assert_eq!(set.name(3), "L-city");
        assert_eq!(set.name(99), "O");
    }

    #[test]
    fn annotations_between_tokens_are_ignored_and_told() {
        let found = [annotation("city", 1, 8)];
        assert_eq!(set(Tagging::Bilou).ids(&tokens(), &found), [0, 0, 0]);
        assert_eq!(misaligned(&tokens(), &found).len(), 1);
        assert_eq!(set(Tagging::Plain).ids(&tokens(), &found), [1, 1, 0]);
    }
}
