//! Entity annotations that cannot be learned: they cut words in two, lie over
//! each other, or are none at all.

use std::collections::HashSet;

use rayon::prelude::*;

use crate::check::lines::Lines;
use crate::check::uses::Uses;
use crate::data::Annotation;
use crate::data::Component;
use crate::data::Example;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::diagnostic::shortened;
use crate::diagnostic::shortened_to;
use crate::tokenize::Token;
use crate::tokenize::Tokenizer;

/// Code points of a marked piece that messages show.
const SHOWN: usize = 60;

/// Findings of a kind in one example that are told.
const MOST: usize = 20;

/// What is odd about an annotation, and the piece that it marks.
type Found<'p> = (Diagnostic, &'p str);

/// Says what is odd about annotations.
pub fn check(project: &Project, uses: &Uses<'_>, texts: &SourceMap, said: &mut Vec<Diagnostic>) {
    let tokenizer = tokenizer(&project.config.pipeline);
    let listed = project.domain.entities.iter().map(|one| one.name.as_str());
    let types: HashSet<&str> = listed
        .chain(uses.example_entities.keys().copied())
        .collect();
    let found: Vec<Vec<Found<'_>>> = project
        .nlu
        .examples
        .par_iter()
        .map(|example| {
            let mut found = Vec::new();
            found.extend(unclosed(example, &types));
            if !example.entities.is_empty() {
                overlaps(example, &mut found);
                if let Some(tokenizer) = &tokenizer {
                    misaligned(example, &tokenizer.text(&example.text), &mut found);
                }
            }
            found
        })
        .collect();
    let mut lines = Lines::new(texts);
    for (mut diagnostic, piece) in found.into_iter().flatten() {
        lines.narrow(&mut diagnostic, piece);
        said.push(diagnostic);
    }
}

/// The project's tokenizer, if it is one whose words are known here.
fn tokenizer(pipeline: &[Component]) -> Option<Tokenizer> {
    let found = pipeline.iter().find(|one| one.name.ends_with("Tokenizer"));
    let known = found.filter(|one| one.name == "WhitespaceTokenizer");
    known.and_then(|one| Tokenizer::new(&one.options).ok())
}

/// Pieces of a text by code points.
struct Pieces<'t> {
    text: &'t str,
    /// Where each code point begins.
    offsets: Vec<usize>,
}

impl<'t> Pieces<'t> {
    fn of(text: &'t str) -> Self {
        Self {
            text,
            offsets: text.char_indices().map(|(offset, _)| offset).collect(),
        }
    }

    /// Returns the piece that an annotation marks.
    fn marked(&self, annotation: &Annotation) -> &'t str {
        let at = |count: usize| self.offsets.get(count).copied();
        let at = |count| at(count).unwrap_or(self.text.len());
        let range = at(annotation.start)..at(annotation.end);
        self.text.get(range).unwrap_or_default()
    }
}

/// Adds what is told of some annotations of an example: of many, the first and
/// how many more there are.
fn tell<'p, T>(list: &[T], about: impl Fn(&T) -> Found<'p>, found: &mut Vec<Found<'p>>) {
    found.extend(list.iter().take(MOST).map(about));
    let more = list.len().saturating_sub(MOST);
    if let (Some((last, _)), 1..) = (found.last_mut(), more) {
        last.note = Some(format!("it is so with {more} more in this example"));
    }
}

fn misaligned<'p>(example: &'p Example, tokens: &[Token], found: &mut Vec<Found<'p>>) {
    let starts = |one: &Annotation| tokens.binary_search_by_key(&one.start, |token| token.start);
    let ends = |one: &Annotation| tokens.binary_search_by_key(&one.end, |token| token.end);
    let cutting: Vec<&Annotation> = example
        .entities
        .iter()
        .filter(|one| starts(one).is_err() || ends(one).is_err())
        .collect();
    if cutting.is_empty() {
        return;
    }
    let pieces = Pieces::of(&example.text);
    let about = |annotation: &&'p Annotation| {
        let piece = pieces.marked(annotation);
        let what = match (starts(annotation).is_ok(), piece == piece.trim()) {
            (_, false) => "has blanks at its edge",
            (false, true) => "does not start where a word starts",
            (true, true) => "does not end where a word ends",
        };
        let message = format!(
            "entity `{}` marks `{}`, which {what}: it is not learned",
            shortened(&annotation.entity),
            shortened_to(SHOWN, piece)
        );
        let mut diagnostic = Diagnostic::new("W342", example.place.clone(), message);
        let words = words(annotation, tokens);
        if !words.is_empty() {
            let help = format!("mark whole words; here they are {}", words.join(", "));
            diagnostic = diagnostic.help(help);
        }
        (diagnostic, piece)
    };
    tell(&cutting, about, found);
}

/// Returns the first words that an annotation touches, in backticks.
fn words(annotation: &Annotation, tokens: &[Token]) -> Vec<String> {
    let first = tokens.partition_point(|token| token.end <= annotation.start);
    let touched = tokens[first..]
        .iter()
        .take_while(|token| token.start < annotation.end);
    let shown = touched.map(|token| format!("`{}`", shortened_to(SHOWN, &token.text)));
    shown.take(4).collect()
}

/// Entities that lie over each other; the reader of JSON says so itself.
fn overlaps<'p>(example: &'p Example, found: &mut Vec<Found<'p>>) {
    if is_json(example) {
        return;
    }
    let mut sorted: Vec<&Annotation> = example.entities.iter().collect();
    sorted.sort_by_key(|annotation| (annotation.start, annotation.end));
    let pairs = sorted.iter().zip(sorted.iter().skip(1));
    let pairs: Vec<_> = pairs
        .filter(|(one, other)| other.start < one.end && one.entity != other.entity)
        .collect();
    if pairs.is_empty() {
        return;
    }
    let pieces = Pieces::of(&example.text);
    let about = |(one, other): &(&&'p Annotation, &&'p Annotation)| {
        let piece = pieces.marked(other);
        let message = format!(
            "entities `{}` and `{}` lie over each other in `{}`: one of them is learned",
            shortened(&one.entity),
            shortened(&other.entity),
            shortened_to(SHOWN, piece)
        );
        let place = example.place.clone();
        (Diagnostic::new("W343", place, message), piece)
    };
    tell(&pairs, about, found);
}

/// JSON gives entities beside the text, where brackets are letters like others.
fn is_json(example: &Example) -> bool {
    example.place.file.ends_with(".json")
}

/// Brackets that look like the start of an annotation, left in the text. `types`
/// are the entity types that there are.
fn unclosed<'p>(example: &'p Example, types: &HashSet<&str>) -> Option<Found<'p>> {
    if is_json(example) {
        return None;
    }
    let (piece, what) = open(&example.text, types).or_else(|| mistyped(&example.text, types))?;
    let message = format!("an annotation is left as text: {what}");
    let help = "write `[text](type)`, or `[text]{\"entity\": \"type\", \"value\": \"…\"}`";
    let about = Diagnostic::new("W352", example.place.clone(), message);
    Some((about.help(help), piece))
}

/// Returns the piece in the first square brackets, and what is wrong behind them.
fn open<'t>(text: &'t str, types: &HashSet<&str>) -> Option<(&'t str, &'static str)> {
    let (_, rest) = text.split_once('[')?;
    let (piece, rest) = rest.split_once(']')?;
    let after_blank = rest.trim_start();
    let has_blank = rest.starts_with(' ');
    let what = match after_blank.chars().next() {
        // Parentheses stand after brackets in plain texts, too.
        Some('(') if has_blank && !names_type(after_blank, types) => return None,
        Some('(' | '{') if has_blank => "a blank stands between `]` and the type",
        Some('(') if !rest.contains(')') => "`)` is missing",
        Some('{') if !rest.contains('}') => "`}` is missing",
        Some('(') => "the type or the value is empty",
        Some('[') if rest.starts_with("[{") && !rest.contains("}]") => "`]` is missing",
        _ => return None,
    };
    Some((piece, what))
}

/// Returns a piece in front of an entity type in brackets, with those, where the
/// brackets of one of the two are others than they must be.
fn mistyped<'t>(text: &'t str, types: &HashSet<&str>) -> Option<(&'t str, &'static str)> {
    // Where square brackets were opened that were not closed, and any at all.
    let mut open_square = None;
    let mut last_open = None;
    for (at, bracket) in text.match_indices(['[', ']', '(', ')']) {
        if let "[" | "(" = bracket {
            open_square = open_square.or_else(|| (bracket == "[").then_some(at));
            last_open = Some((at, bracket));
            continue;
        }
        let closed = last_open.take().filter(|(start, open)| {
            matches!((*open, bracket), ("[", "]") | ("(", ")"))
                && is_type(&text[start + 1..at], types)
        });
        let what = closed.and_then(|(start, open)| {
            let before = text[..start].chars().next_back()?;
            match (open, before) {
                ("[", ')') => Some((start, "round and square brackets are swapped")),
                ("(", ']') if open_square.is_none() => Some((start, "`[` is missing")),
                ("(", '}') => Some((start, "its piece stands in braces, not in `[…]`")),
                ("(", letter) if letter.is_alphanumeric() && open_square.is_some() => {
                    Some((start, "`]` is missing"))
                }
                _ => None,
            }
        });
        if let Some((start, what)) = what {
            let mut letters = text[..start].char_indices();
            let blank = letters.rfind(|(_, letter)| letter.is_whitespace());
            let words = blank.map_or(0, |(at, blank)| at + blank.len_utf8());
            let first = open_square.filter(|_| what == "`]` is missing");
            return Some((&text[first.unwrap_or(words)..=at], what));
        }
        if bracket == "]" {
            open_square = None;
        }
    }
    None
}

/// Whether a text begins with an entity type in parentheses, as in `(city)`,
/// `(city:Rome)` and `(city#to)`.
fn names_type(text: &str, types: &HashSet<&str>) -> bool {
    let inside = text.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    inside.is_some_and(|(inside, _)| is_type(inside, types))
}

/// Whether what stands in brackets is an entity type, maybe with value and role.
fn is_type(inside: &str, types: &HashSet<&str>) -> bool {
    let name = inside.split([':', '#']).next();
    name.is_some_and(|name| types.contains(name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Option<(&str, &str)>) {
        let types = HashSet::from(["size", "dish"]);
        let found = open(text, &types).or_else(|| mistyped(text, &types));
        assert_eq!(found, want, "{text}");
    }

    #[test]
    fn a_bracket_that_is_missing_or_another_one_is_found_before_a_type() {
        check(
            "a [large(size) pizza",
            Some(("[large(size)", "`]` is missing")),
        );
        check(
            "a [very large(size:L) pizza",
            Some(("[very large(size:L)", "`]` is missing")),
        );
        check(
            "a large](size) pizza",
            Some(("large](size)", "`[` is missing")),
        );
        let swapped = "round and square brackets are swapped";
        check("a (large)[size] pizza", Some(("(large)[size]", swapped)));
        let braces = "its piece stands in braces, not in `[…]`";
        check("a {large}(size)", Some(("{large}(size)", braces)));
        check(
            r#"a [large][{"entity": "size"} b"#,
            Some(("large", "`]` is missing")),
        );
        check("é](size)", Some(("é](size)", "`[` is missing")));
        // Blanks of more than one byte, as French and Chinese have them.
        for blank in ["\u{a0}", "\u{202f}", "\u{3000}"] {
            let missing = Some(("large](size)", "`[` is missing"));
            check(&format!("une{blank}large](size)"), missing);
            check(
                &format!("{blank}(large)[size]"),
                Some(("(large)[size]", swapped)),
            );
            check(
                &format!("{blank}{{large}}(size)"),
                Some(("{large}(size)", braces)),
            );
        }
    }

    #[test]
    fn brackets_of_plain_texts_are_left_alone() {
        for text in [
            "a large (size) pizza",
            "any size(s) of dish(es)?",
            "what is f(size)",
            "[1] see (size)",
            "a [b] large(size)",
            "(large) [size]",
            "](other) [x(other)",
            "((((size",
            ")](])[(",
            "x[size]",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn many_brackets_take_linear_time() {
        for part in ["[", "(", "](", "[(", "[x(", "(x)["] {
            let text = part.repeat(500_000);
            let types = HashSet::from(["size"]);
            assert_eq!(mistyped(&text, &types), None);
        }
    }
}
