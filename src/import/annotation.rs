//! Takes the marks out of annotated messages: `[New York](city:NYC)`,
//! `[Rome]{"entity": "city", "role": "from"}`, `[x][{…}, {…}]`.

use std::ops::Range;

use serde_json::Map;
use serde_json::Value;

use crate::data::Annotation;
use crate::diagnostic::did_you_mean;

/// Mistakes of one message that are worth naming.
pub const MISTAKE_LIMIT: usize = 10;

/// A message without marks, and what the marks said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotated {
    /// The text.
    pub text: String,
    /// Entities in order of writing; offsets count code points of `text`.
    pub entities: Vec<Annotation>,
    /// Pieces whose value is another text: piece and value, in order.
    pub synonyms: Vec<(String, String)>,
    /// Annotations that are not valid, with the bytes of the written message that
    /// each takes.
    pub mistakes: Vec<(Range<usize>, String)>,
    /// Keys of annotations that are not read and near to one that is: the
    /// annotation's bytes, the key, and the one that may be meant.
    pub misspelt: Vec<(Range<usize>, String, &'static str)>,
}

/// What stands behind the marked piece.
enum Mark<'t> {
    /// `(type)` or `(type:value)`.
    Short(&'t str, Option<&'t str>),
    /// The inside of `{…}`.
    Map(&'t str),
    /// The inside of `[…]`: several maps for one piece (Rasa 3).
    Maps(&'t str),
}

/// Reads an annotated message.
///
/// Rasa 3.6's pattern, found from left to right: a piece in brackets without
/// `]` in it, then one of the three marks. The map ends at its first `}`. What
/// does not fit the pattern is text.
pub fn read(written: &str) -> Annotated {
    let mut read = Annotated {
        text: String::with_capacity(written.len()),
        ..Annotated::default()
    };
    let mut count = 0;
    let mut rest = 0;
    let mut copy = |to: usize, rest: &mut usize, read: &mut Annotated| {
        let piece = &written[*rest..to];
        read.text.push_str(piece);
        *rest = to;
        count += piece.chars().count();
        count
    };
    let mut from = 0;
    let mut marks = Marks::new(written);
    while let Some(open) = written[from..].find('[').map(|at| at + from) {
        let Some(close) = written[open..].find(']').map(|at| at + open) else {
            break;
        };
        let found = match close > open + 1 {
            true => marks.at(close + 1),
            false => None,
        };
        let Some((mark, end)) = found else {
            // No other piece can end at this bracket either.
            from = close + 1;
            continue;
        };
        copy(open, &mut rest, &mut read);
        rest = open + 1;
        let piece = &written[open + 1..close];
        let stop = copy(close, &mut rest, &mut read);
        let start = stop - piece.chars().count();
        let known = read.entities.len();
        take(mark, piece, (start, stop), open..end, &mut read);
        for entity in &read.entities[known..] {
            let value = match &entity.value {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            if value != piece {
                read.synonyms.push((piece.to_owned(), value));
            }
        }
        rest = end;
        from = end;
    }
    copy(written.len(), &mut rest, &mut read);
    read.text.shrink_to_fit();
    read.entities.shrink_to_fit();
    read
}

/// Finds marks, in time that is linear in the length of the whole message: what
/// is known not to close is not searched again.
struct Marks<'t> {
    written: &'t str,
    last_parenthesis: Option<usize>,
    last_brace: Option<usize>,
    /// Byte of a `:` after which nothing stands before its `)`.
    empty_value: Option<usize>,
}

impl<'t> Marks<'t> {
    fn new(written: &'t str) -> Self {
        Self {
            written,
            last_parenthesis: written.rfind(')'),
            last_brace: written.rfind('}'),
            empty_value: None,
        }
    }

    /// Returns the mark that starts at byte `at`, and where it ends. `at` may
    /// only grow from call to call.
    fn at(&mut self, at: usize) -> Option<(Mark<'t>, usize)> {
        let inner = self.written.get(at + 1..)?;
        match self.written.as_bytes().get(at)? {
            b'(' => self.short(at, inner),
            b'{' => {
                self.last_brace.filter(|last| *last > at)?;
                let end = inner.find('}').filter(|end| *end > 0)?;
                Some((Mark::Map(&inner[..end]), at + 1 + end + 1))
            }
            b'[' => {
                let end = inner.find([']', '\n'])?;
                let closed = inner.as_bytes()[end] == b']';
                closed.then(|| (Mark::Maps(&inner[..end]), at + 1 + end + 1))
            }
            _ => None,
        }
    }

    fn short(&mut self, at: usize, inner: &'t str) -> Option<(Mark<'t>, usize)> {
        self.last_parenthesis.filter(|last| *last > at)?;
        if self.empty_value.is_some_and(|colon| at < colon) {
            return None;
        }
        let end = inner.find([':', ')']).filter(|end| *end > 0)?;
        let kind = &inner[..end];
        if inner.as_bytes()[end] == b')' {
            return Some((Mark::Short(kind, None), at + 1 + end + 1));
        }
        let value = &inner[end + 1..];
        let stop = value.find(')')?;
        if stop == 0 {
            self.empty_value = Some(at + 1 + end);
            return None;
        }
        let mark = Mark::Short(kind, Some(&value[..stop]));
        Some((mark, at + 1 + end + 1 + stop + 1))
    }
}

/// Adds what one mark says about a piece.
fn take(
    mark: Mark<'_>,
    piece: &str,
    (start, end): (usize, usize),
    at: Range<usize>,
    read: &mut Annotated,
) {
    let entity = Annotation {
        start,
        end,
        value: Value::String(piece.to_owned()),
        ..Annotation::default()
    };
    match mark {
        Mark::Short(kind, value) => read.entities.push(Annotation {
            entity: kind.to_owned(),
            value: Value::String(value.unwrap_or(piece).to_owned()),
            ..entity
        }),
        Mark::Map(inner) => take_map(inner, entity, at, read),
        Mark::Maps(inner) => {
            let mut rest = inner;
            while let Some(open) = rest.find('{') {
                let after = &rest[open + 1..];
                let Some(end) = after.find('}') else { break };
                if end > 0 {
                    take_map(&after[..end], entity.clone(), at.clone(), read);
                }
                rest = &after[end + 1..];
            }
        }
    }
}

/// Keys of an annotation's map.
const KEYS: [&str; 4] = ["entity", "role", "group", "value"];

fn take_map(inner: &str, mut entity: Annotation, at: Range<usize>, read: &mut Annotated) {
    let map: Map<String, Value> = match serde_json::from_str(&format!("{{{inner}}}")) {
        Ok(map) => map,
        Err(error) => {
            // The place that serde names is one within the map.
            let why = error.to_string();
            let why = why.split(" at line").next().unwrap_or_default();
            let what = format!("`{{{inner}}}` is not a JSON map: {why}");
            read.mistakes.push((at, what));
            return;
        }
    };
    for key in map.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        if let Some(near) = did_you_mean(key, KEYS) {
            read.misspelt.push((at.clone(), key.clone(), near));
        }
    }
    let text = |key: &str| match map.get(key) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Null) | None => Ok(None),
        Some(_) => Err(format!("`{key}` of an entity must be text in quotes")),
    };
    let fields = || Ok((text("entity")?, text("role")?, text("group")?));
    match fields() {
        Ok((Some(kind), role, group)) if !kind.is_empty() => {
            entity.entity = kind;
            entity.role = role;
            entity.group = group;
        }
        Ok(_) => {
            let what = "an entity needs the key `entity` with its type".to_owned();
            read.mistakes.push((at, what));
            return;
        }
        Err(what) => {
            read.mistakes.push((at, what));
            return;
        }
    }
    match map.get("value") {
        Some(value @ (Value::String(_) | Value::Number(_))) => entity.value = value.clone(),
        Some(Value::Null) | None => {}
        Some(_) => {
            let what = "`value` of an entity must be text or a number".to_owned();
            read.mistakes.push((at, what));
            return;
        }
    }
    read.entities.push(entity);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, text: &str, want: &[(&str, usize, usize, &str)]) {
        let read = read(written);
        assert_eq!(read.text, text);
        assert_eq!(read.mistakes, []);
        let found: Vec<(&str, usize, usize, &str)> = read
            .entities
            .iter()
            .map(|e| (e.entity.as_str(), e.start, e.end, e.value.as_str().unwrap()))
            .collect();
        assert_eq!(found, want, "{written}");
    }

    #[test]
    fn short_marks_name_a_type_and_maybe_a_value() {
        let want = [("city", 7, 15, "NYC")];
        check(
            "fly to [New York](city:NYC) now",
            "fly to New York now",
            &want,
        );
        check(
            "call [me](name: you )",
            "call me",
            &[("name", 5, 7, " you ")],
        );
        check("[x](t:a:b)", "x", &[("t", 0, 1, "a:b")]);
    }

    #[test]
    fn offsets_count_code_points() {
        let want = [("dish", 8, 13, "pízza")];
        check("naïve 🍕 [pízza](dish)", "naïve 🍕 pízza", &want);
    }

    #[test]
    fn maps_name_roles_and_groups() {
        let read = read(r#"[a](b)[c]{"entity":"d","role":"r","group":"1","value":2}"#);
        assert_eq!(read.text, "ac");
        assert_eq!(read.entities[1].role.as_deref(), Some("r"));
        assert_eq!(read.entities[1].group.as_deref(), Some("1"));
        assert_eq!(read.entities[1].value, serde_json::json!(2));
        assert_eq!((read.entities[1].start, read.entities[1].end), (1, 2));
    }

    #[test]
    fn a_list_of_maps_marks_one_piece_twice() {
        let want = [("a", 0, 1, "x"), ("b", 0, 1, "y")];
        let written = r#"[x][{"entity": "a"}, {"entity": "b", "value": "y"}] z"#;
        check(written, "x z", &want);
        check("[a][b]", "a", &[]);
    }

    #[test]
    fn what_does_not_fit_is_text() {
        check("[a [b](c)", "a [b", &[("c", 0, 4, "a [b")]);
        for written in ["[x](y:) z", "[two] (city)", "[x]()", "[](y)", "[x", "a] b"] {
            check(written, written, &[]);
        }
        check("[x]() [y](z)", "[x]() y", &[("z", 6, 7, "y")]);
    }

    #[test]
    fn marks_that_never_close_take_linear_time() {
        for (mark, rest) in [("(", ""), ("(", ":)"), ("{", "")] {
            let written = format!("[a]{mark}").repeat(300_000) + rest;
            assert_eq!(read(&written).text.len(), written.len());
        }
    }

    #[test]
    fn broken_maps_are_mistakes_with_a_place() {
        for written in [
            r#"é [x]{"entity": "e", "value": "a}b"}"#,
            r#"é [x]{"role": "e"}"#,
            r#"é [x]{"entity": 5}"#,
            r#"é [x]{entity: "e"}"#,
        ] {
            assert_eq!(read(written).mistakes[0].0.start, 3, "{written}");
        }
    }
}
