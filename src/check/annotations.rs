//! Entity annotations that cannot be learned: they cut words in two, lie over
//! each other, end in a bracket too many, or are none at all.

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

/// What is odd about an annotation, and where that is.
type Found<'p> = (Diagnostic, Spot<'p>);

/// Where in an example something is odd.
enum Spot<'p> {
    /// At the piece that is marked.
    Piece(&'p str),
    /// At the bracket behind the annotation of a piece.
    Behind(&'p str, char),
}

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
                let strays = strays(example);
                tell_strays(example, &strays, &mut found);
                if let Some(tokenizer) = &tokenizer {
                    misaligned(example, &tokenizer.text(&example.text), &strays, &mut found);
                }
            }
            found
        })
        .collect();
    let mut lines = Lines::new(texts);
    for (mut diagnostic, spot) in found.into_iter().flatten() {
        match spot {
            Spot::Piece(piece) => lines.narrow(&mut diagnostic, piece),
            Spot::Behind(piece, bracket) => lines.narrow_behind(&mut diagnostic, piece, bracket),
        }
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

fn misaligned<'p>(
    example: &'p Example,
    tokens: &[Token],
    strays: &[Stray<'p>],
    found: &mut Vec<Found<'p>>,
) {
    let starts = |one: &Annotation| tokens.binary_search_by_key(&one.start, |token| token.start);
    let ends = |one: &Annotation| tokens.binary_search_by_key(&one.end, |token| token.end);
    let cutting: Vec<&Annotation> = example
        .entities
        .iter()
        .filter(|one| starts(one).is_err() || ends(one).is_err())
        .filter(|one| strays.binary_search_by_key(&one.end, Stray::at).is_err())
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
        (diagnostic, Spot::Piece(piece))
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
        (Diagnostic::new("W343", place, message), Spot::Piece(piece))
    };
    tell(&pairs, about, found);
}

/// A closing bracket behind an annotation that closes nothing.
struct Stray<'p> {
    annotation: &'p Annotation,
    bracket: char,
}

impl Stray<'_> {
    /// Returns where it stands in the text.
    fn at(&self) -> usize {
        self.annotation.end
    }
}

/// Returns the brackets too many behind annotations, as in `[x](city)}`, in the order
/// of the text. Several round ones are a smile.
fn strays(example: &Example) -> Vec<Stray<'_>> {
    const OPENING: [char; 3] = ['(', '[', '{'];
    const CLOSING: [char; 3] = [')', ']', '}'];
    if is_json(example) || !example.text.contains(CLOSING) {
        return Vec::new();
    }
    let mut sorted: Vec<&Annotation> = example.entities.iter().collect();
    sorted.sort_by_key(|annotation| annotation.end);
    let mut annotations = sorted.into_iter().peekable();
    let mut strays = Vec::new();
    let mut open = [0_usize; 3];
    let mut letters = example.text.chars().enumerate().peekable();
    while let Some((at, bracket)) = letters.next() {
        let is_smile = bracket == ')' && letters.peek().is_some_and(|(_, next)| *next == ')');
        while annotations.next_if(|one| one.end < at).is_some() {}
        if let Some(kind) = OPENING.iter().position(|known| *known == bracket) {
            open[kind] += 1;
        } else if let Some(kind) = CLOSING.iter().position(|known| *known == bracket) {
            let before = annotations.peek().filter(|one| one.end == at);
            match (open[kind], before) {
                (0, Some(annotation)) if !is_smile => strays.push(Stray {
                    annotation,
                    bracket,
                }),
                (count, _) => open[kind] = count.saturating_sub(1),
            }
        }
    }
    strays
}

fn tell_strays<'p>(example: &'p Example, strays: &[Stray<'p>], found: &mut Vec<Found<'p>>) {
    if strays.is_empty() {
        return;
    }
    let pieces = Pieces::of(&example.text);
    let about = |Stray {
                     annotation,
                     bracket,
                 }: &Stray<'p>| {
        let piece = pieces.marked(annotation);
        let message = format!(
            "a `{bracket}` too many stands behind the annotation of `{}`: it stays in the text",
            shortened_to(SHOWN, piece)
        );
        let about = Diagnostic::new("W359", example.place.clone(), message);
        let about = about.help(format!("take the `{bracket}` away"));
        (about, Spot::Behind(piece, *bracket))
    };
    tell(strays, about, found);
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
    Some((about.help(help), Spot::Piece(piece)))
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
    use crate::import::annotation;

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

    #[track_caller]
    fn check_strays(written: &str, want: &[char]) {
        let read = annotation::read(written);
        let example = Example {
            text: read.text,
            entities: read.entities,
            ..Example::default()
        };
        let found: Vec<char> = strays(&example).iter().map(|one| one.bracket).collect();
        assert_eq!(found, want, "{written}");
    }

    #[test]
    fn a_bracket_behind_an_annotation_closes_something_or_is_too_many() {
        check_strays(r#"[x]{"entity": "city"}}"#, &['}']);
        check_strays(
            r#"é [x]{"entity": "city"}} and [y](city)) or [z](city)]"#,
            &['}', ')', ']'],
        );
        check_strays(r#"[x][{"entity": "a"}, {"entity": "b"}]]"#, &[']']);
        check_strays("} [x](city)}, { [y](city)} }", &['}']);
        for text in [
            "({[x](city)})",
            "(to [x](city))",
            "[[x](city)]",
            "[x](city) )",
            "[x](city))))",
            "[x](city):)",
        ] {
            check_strays(text, &[]);
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
