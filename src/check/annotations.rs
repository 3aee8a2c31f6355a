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
    let text = example.text.as_str();
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
        _ => return None,
    };
    let message = format!("an annotation is left as text: {what}");
    let help = "write `[text](type)`, or `[text]{\"entity\": \"type\", \"value\": \"…\"}`";
    let about = Diagnostic::new("W352", example.place.clone(), message);
    Some((about.help(help), piece))
}

/// Whether a text begins with an entity type in parentheses, as in `(city)`,
/// `(city:Rome)` and `(city#to)`.
fn names_type(text: &str, types: &HashSet<&str>) -> bool {
    let inside = text.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let name = inside.and_then(|(inside, _)| inside.split([':', '#']).next());
    name.is_some_and(|name| types.contains(name.trim()))
}
