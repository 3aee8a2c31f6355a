//! Predicted tags to entities.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::message::Entity;
use super::tags::TagKind;
use crate::tokenize::CodePoints;
use crate::tokenize::Token;

/// `split_entities_by_comma`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SplitByComma {
    /// For every entity type.
    All(bool),
    /// By entity type; types that are not listed are split.
    Each(BTreeMap<String, bool>),
}

impl Default for SplitByComma {
    fn default() -> Self {
        Self::All(true)
    }
}

impl SplitByComma {
    fn splits(&self, entity: &str) -> bool {
        match self {
            Self::All(split) => *split,
            Self::Each(map) => map.get(entity).copied().unwrap_or(true),
        }
    }
}

/// Tags of one kind with their confidences, one each a token.
#[derive(Clone, Copy, Debug)]
pub struct Tagged<'t> {
    /// Names such as `B-city`, `city` or `O`.
    pub tags: &'t [String],
    /// Between 0 and 1.
    pub confidences: &'t [f64],
}

impl<'t> Tagged<'t> {
    fn label(&self, at: usize) -> Option<&'t str> {
        let tag = self.tags[at].as_str();
        (tag != "O").then(|| split_prefix(tag).1)
    }
}

/// Returns the prefix letter of a BILOU tag, and the label.
fn split_prefix(tag: &str) -> (Option<u8>, &str) {
    match tag.as_bytes() {
        [prefix @ (b'B' | b'I' | b'L' | b'U'), b'-', ..] => (Some(*prefix), &tag[2..]),
        _ => (None, tag),
    }
}

/// Names of tags with their confidences, one each a token, of one kind.
pub type KindTags = (TagKind, Vec<String>, Vec<f64>);

/// Joins tokens of the same tags to entities: types, roles and groups as far as
/// `tagged` has them; none without types. See [`entities`].
///
/// # Panics
///
/// If some tags or confidences are fewer than the tokens.
pub fn entities_of_kinds(
    text: &str,
    tokens: &[Token],
    tagged: &[KindTags],
    split: &SplitByComma,
    extractor: &str,
) -> Vec<Entity> {
    let of = |wanted: TagKind| {
        let found = tagged.iter().find(|(kind, ..)| *kind == wanted);
        found.map(|(_, tags, confidences)| Tagged { tags, confidences })
    };
    let (role, group) = (of(TagKind::Role), of(TagKind::Group));
    of(TagKind::Entity).map_or_else(Vec::new, |entity| {
        entities(text, tokens, entity, role, group, split, extractor)
    })
}

/// Joins tokens of the same tag to entities; of several confidences the least
/// counts.
///
/// # Panics
///
/// If some tags or confidences are fewer than the tokens.
///
/// # Source
///
/// Rasa 3.6 `convert_predictions_into_entities`. Two tokens of one entity may be
/// one character apart, or three when the type is not split by comma; which
/// characters these are does not matter.
pub fn entities(
    text: &str,
    tokens: &[Token],
    entity: Tagged<'_>,
    role: Option<Tagged<'_>>,
    group: Option<Tagged<'_>>,
    split: &SplitByComma,
    extractor: &str,
) -> Vec<Entity> {
    let mut found: Vec<Entity> = Vec::new();
    let mut last = ("O", None, None);
    let mut last_end = 0;
    for (at, token) in tokens.iter().enumerate() {
        let tag = entity.tags[at].as_str();
        if tag != "O" {
            let marks = (
                role.and_then(|r| r.label(at)),
                group.and_then(|g| g.label(at)),
            );
            let label = split_prefix(tag).1;
            let gap = token.start.saturating_sub(last_end);
            let joins = gap <= 1 || gap <= 3 && !split.splits(label);
            let new = starts_entity(tag, last.0) || (last.1, last.2) != marks || !joins;
            let confidence = |kind: Option<Tagged<'_>>| kind.map(|kind| kind.confidences[at]);
            match found.last_mut().filter(|_| !new) {
                Some(open) => {
                    open.end = token.end;
                    lower(&mut open.confidence_entity, Some(entity.confidences[at]));
                    lower(&mut open.confidence_role, confidence(role));
                    lower(&mut open.confidence_group, confidence(group));
                }
                None => found.push(Entity {
                    entity: label.to_owned(),
                    start: token.start,
                    end: token.end,
                    confidence_entity: Some(entity.confidences[at]),
                    role: marks.0.map(str::to_owned),
                    confidence_role: marks.0.and(confidence(role)),
                    group: marks.1.map(str::to_owned),
                    confidence_group: marks.1.and(confidence(group)),
                    extractor: Some(extractor.to_owned()),
                    ..Entity::default()
                }),
            }
            (last.1, last.2) = marks;
        }
        last.0 = tag;
        last_end = token.end;
    }
    let points = CodePoints::of(text);
    for entity in &mut found {
        let piece = points.slice(text, entity.start, entity.end);
        entity.value = Value::String(piece.to_owned());
    }
    found
}

fn starts_entity(tag: &str, last: &str) -> bool {
    match split_prefix(tag).0 {
        Some(b'U') => true,
        Some(b'B') => tag != last,
        Some(_) => last == "O",
        None => tag != last,
    }
}

fn lower(known: &mut Option<f64>, new: Option<f64>) {
    if let (Some(known), Some(new)) = (known, new) {
        *known = known.min(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenize::Tokenizer;

    #[track_caller]
    fn check(text: &str, tags: &[&str], split: SplitByComma, want: &[&str]) {
        let tokens = Tokenizer::new(&Default::default()).unwrap().text(text);
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let confidences: Vec<f64> = (0..tags.len()).map(|at| 1.0 - at as f64 / 10.0).collect();
        let tagged = Tagged {
            tags: &tags,
            confidences: &confidences,
        };
        let found = entities(text, &tokens, tagged, None, None, &split, "X");
        let shown: Vec<String> = found
            .iter()
            .map(|e| {
                format!(
                    "{}={} {:?}",
                    e.entity,
                    e.value.as_str().unwrap(),
                    e.confidence_entity.unwrap()
                )
            })
            .collect();
        assert_eq!(shown, want);
    }

    #[test]
    fn tokens_of_one_span_are_one_entity() {
        check(
            "é New York x",
            &["O", "B-c", "L-c", "O"],
            SplitByComma::default(),
            &["c=New York 0.8"],
        );
        check(
            "a b",
            &["U-c", "U-c"],
            SplitByComma::default(),
            &["c=a 1.0", "c=b 0.9"],
        );
        check(
            "a b",
            &["I-c", "L-c"],
            SplitByComma::default(),
            &["c=a b 0.9"],
        );
        check("a b", &["c", "c"], SplitByComma::default(), &["c=a b 0.9"]);
    }

    #[test]
    fn commas_split_unless_the_type_forbids_it() {
        let tags = ["c", "c", "d", "d"];
        let apart = ["c=a 1.0", "c=b 0.9", "d=e 0.8", "d=f 0.7"];
        check("a, b e, f", &tags, SplitByComma::default(), &apart);
        let each = SplitByComma::Each(BTreeMap::from([("c".into(), false)]));
        check(
            "a, b e, f",
            &tags,
            each,
            &["c=a, b 0.9", "d=e 0.8", "d=f 0.7"],
        );
    }
}
