//! Writes entities into the texts that they were found in: the reverse of
//! [`annotation::read`].

use serde_json::Value;

use crate::data::Annotation;
use crate::import::annotation;

/// Returns a text with its entities marked, or `None` if no marks can say it: the
/// entities overlap, a piece holds `]`, a value both `}` and `)`, or the text looks
/// marked.
pub fn annotated(text: &str, entities: &[Annotation]) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    let piece = |from: usize, to: usize| -> Option<String> {
        Some(letters.get(from..to)?.iter().collect())
    };
    let mut sorted: Vec<&Annotation> = entities.iter().collect();
    sorted.sort_by_key(|entity| (entity.start, entity.end));
    let mut written = String::with_capacity(text.len());
    let mut at = 0;
    for same in sorted.chunk_by(|a, b| (a.start, a.end) == (b.start, b.end)) {
        let (start, end) = (same[0].start, same[0].end);
        let marked = piece(start, end)?;
        written.push_str(&piece(at, start)?);
        written.push_str(&format!("[{marked}]{}", mark(&marked, same)));
        at = end;
    }
    written.push_str(&piece(at, letters.len())?);
    let read = annotation::read(&written);
    let is_same = read.text == text
        && read.mistakes.is_empty()
        && read.entities.len() == sorted.len()
        && read.entities.iter().zip(&sorted).all(|(a, b)| a == *b);
    is_same.then_some(written)
}

/// Returns the mark behind a piece.
fn mark(piece: &str, entities: &[&Annotation]) -> String {
    match entities {
        [entity] if is_short(entity) && entity.value == *piece => format!("({})", entity.entity),
        [entity] => match (map(piece, entity), entity.value.as_str()) {
            // A map ends at its first brace.
            (map, Some(value)) if map[1..map.len() - 1].contains('}') && is_short(entity) => {
                format!("({}:{value})", entity.entity)
            }
            (map, _) => map,
        },
        several => {
            let maps: Vec<String> = several.iter().map(|entity| map(piece, entity)).collect();
            format!("[{}]", maps.join(", "))
        }
    }
}

/// Returns whether type and value say it all, and the type can stand in parentheses.
fn is_short(entity: &Annotation) -> bool {
    entity.role.is_none() && entity.group.is_none() && !entity.entity.contains([':', ')'])
}

fn map(piece: &str, entity: &Annotation) -> String {
    let text = |text: &String| Value::String(text.clone());
    let mut pairs = vec![("entity", text(&entity.entity))];
    pairs.extend(entity.role.as_ref().map(|role| ("role", text(role))));
    pairs.extend(entity.group.as_ref().map(|group| ("group", text(group))));
    if entity.value != *piece {
        pairs.push(("value", entity.value.clone()));
    }
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("\"{key}\": {value}"))
        .collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(written: &str) {
        let read = annotation::read(written);
        assert_eq!(
            annotated(&read.text, &read.entities).as_deref(),
            Some(written)
        );
    }

    #[test]
    fn marks_are_written_as_they_are_read() {
        check("fly to [New York]{\"entity\": \"city\", \"role\": \"to\", \"value\": \"NYC\"} now");
        check("naïve 🍕 [pízza](dish)");
        check("[2]{\"entity\": \"n\", \"value\": 2}[x](y)");
        check("[x][{\"entity\": \"a\"}, {\"entity\": \"b\", \"value\": \"y\"}] z");
        check("[x](a:{y}) z");
        check("a [b] c");
    }

    #[test]
    fn what_no_mark_can_say_is_refused() {
        let entity = |start, end, value: &str| Annotation {
            start,
            end,
            entity: "e".to_owned(),
            value: value.into(),
            ..Annotation::default()
        };
        assert_eq!(annotated("a]b", &[entity(0, 3, "a]b")]), None);
        assert_eq!(
            annotated("abc", &[entity(0, 2, "ab"), entity(1, 3, "bc")]),
            None
        );
        assert_eq!(annotated("abc", &[entity(0, 1, "a})")]), None);
        assert_eq!(annotated("abc", &[entity(0, 9, "abc")]), None);
        assert_eq!(annotated("[a](b)", &[]), None);
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_so_that_it_is_read_again(written in "([a-c:é\\[\\](){}\" ]|\\[[a-c]\\]\\([a-c]\\)){0,12}") {
            let read = annotation::read(&written);
            if let Some(again) = annotated(&read.text, &read.entities) {
                let again = annotation::read(&again);
                prop_assert_eq!(again.text, read.text);
                prop_assert_eq!(again.entities, read.entities);
            }
        }
    }
}
