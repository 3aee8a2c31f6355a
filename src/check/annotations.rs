//! Entity annotations that cannot be learned: they cut words in two, lie over
//! each other, or are none at all.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::data::Annotation;
use crate::data::Component;
use crate::data::Example;
use crate::data::Place;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::tokenize::Token;
use crate::tokenize::Tokenizer;

/// Says what is odd about annotations.
pub fn check(project: &Project, texts: &SourceMap, said: &mut Vec<Diagnostic>) {
    let tokenizer = tokenizer(&project.config.pipeline);
    let found: Vec<Vec<Diagnostic>> = project
        .nlu
        .examples
        .par_iter()
        .map(|example| {
            let mut found = Vec::new();
            unclosed(example, &mut found);
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
    for mut diagnostic in found.into_iter().flatten() {
        lines.narrow(&mut diagnostic);
        said.push(diagnostic);
    }
}

/// The project's tokenizer, if it is one whose words are known here.
fn tokenizer(pipeline: &[Component]) -> Option<Tokenizer> {
    let found = pipeline.iter().find(|one| one.name.ends_with("Tokenizer"));
    let known = found.filter(|one| one.name == "WhitespaceTokenizer");
    known.and_then(|one| Tokenizer::new(&one.options).ok())
}

/// Returns the piece of a text that an annotation marks.
fn piece<'t>(text: &'t str, annotation: &Annotation) -> &'t str {
    let at = |count: usize| {
        let mut indices = text.char_indices().map(|(index, _)| index);
        indices.nth(count).unwrap_or(text.len())
    };
    text.get(at(annotation.start)..at(annotation.end))
        .unwrap_or_default()
}

fn misaligned(example: &Example, tokens: &[Token], found: &mut Vec<Diagnostic>) {
    for annotation in &example.entities {
        let starts = tokens.binary_search_by_key(&annotation.start, |token| token.start);
        let ends = tokens.binary_search_by_key(&annotation.end, |token| token.end);
        if starts.is_ok() && ends.is_ok() {
            continue;
        }
        let piece = piece(&example.text, annotation);
        let what = match (starts.is_ok(), piece == piece.trim()) {
            (_, false) => "has blanks at its edge",
            (false, true) => "does not start where a word starts",
            (true, true) => "does not end where a word ends",
        };
        let words: Vec<String> = tokens
            .iter()
            .filter(|token| token.start < annotation.end && token.end > annotation.start)
            .take(4)
            .map(|token| format!("`{}`", token.text))
            .collect();
        let mut diagnostic = Diagnostic::new(
            "W342",
            example.place.clone(),
            format!(
                "entity `{}` marks `{piece}`, which {what}: it is not learned",
                annotation.entity
            ),
        );
        if !words.is_empty() {
            let help = format!("mark whole words; here they are {}", words.join(", "));
            diagnostic = diagnostic.help(help);
        }
        found.push(diagnostic);
    }
}

/// Entities that lie over each other; the reader of JSON says so itself.
fn overlaps(example: &Example, found: &mut Vec<Diagnostic>) {
    if example.place.file.ends_with(".json") {
        return;
    }
    let mut sorted: Vec<&Annotation> = example.entities.iter().collect();
    sorted.sort_by_key(|annotation| (annotation.start, annotation.end));
    for pair in sorted.windows(2) {
        let [one, other] = pair else { continue };
        if other.start < one.end && one.entity != other.entity {
            let message = format!(
                "entities `{}` and `{}` lie over each other in `{}`: one of them is learned",
                one.entity,
                other.entity,
                piece(&example.text, other)
            );
            found.push(Diagnostic::new("W343", example.place.clone(), message));
        }
    }
}

/// Brackets that look like the start of an annotation, left in the text.
fn unclosed(example: &Example, found: &mut Vec<Diagnostic>) {
    let text = example.text.as_str();
    let Some(open) = text.find('[') else { return };
    let Some(close) = text[open..].find(']').map(|at| at + open) else {
        return;
    };
    let rest = &text[close + 1..];
    let what = match rest.trim_start().chars().next() {
        Some('(' | '{') if rest.starts_with(' ') => "a blank stands between `]` and the type",
        Some('(') if !rest.contains(')') => "`)` is missing",
        Some('{') if !rest.contains('}') => "`}` is missing",
        Some('(') => "the type or the value is empty",
        _ => return,
    };
    let message = format!("an annotation is left as text: {what}");
    let help = "write `[text](type)`, or `[text]{\"entity\": \"type\", \"value\": \"…\"}`";
    found.push(Diagnostic::new("W352", example.place.clone(), message).help(help));
}

/// The lines of files, to find where in its line an annotation stands.
struct Lines<'t> {
    texts: &'t SourceMap,
    lines: HashMap<String, Vec<&'t str>>,
}

impl<'t> Lines<'t> {
    fn new(texts: &'t SourceMap) -> Self {
        Self {
            texts,
            lines: HashMap::new(),
        }
    }

    /// Moves a diagnostic that quotes a marked piece from the start of the
    /// example to that piece, where the line shows it.
    fn narrow(&mut self, diagnostic: &mut Diagnostic) {
        let Some(piece) = diagnostic.message.split('`').nth(3) else {
            return;
        };
        let Some((column, length)) = self.find(&diagnostic.place, piece) else {
            return;
        };
        diagnostic.place.column = column;
        diagnostic.length = length;
    }

    fn find(&mut self, place: &Place, piece: &str) -> Option<(u32, u32)> {
        let text = self.texts.text(&place.file)?;
        let lines = self
            .lines
            .entry(place.file.to_string())
            .or_insert_with(|| text.split('\n').collect());
        let line = lines.get((place.line as usize).checked_sub(1)?)?;
        let at = line.find(&format!("[{piece}]"))?;
        let column = line[..at].chars().count() as u32 + 2;
        Some((column, piece.chars().count() as u32))
    }
}
