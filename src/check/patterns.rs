//! Regular expressions that cannot be used or match nothing at all, and lookup
//! tables without use.

use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use rayon::prelude::*;

use crate::check::about;
use crate::data::Lookup;
use crate::data::Pattern;
use crate::data::PhraseList;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::shortened;
use crate::import::Extent;
use crate::tokenize::CaseSensitivity;
use crate::tokenize::PythonRegex;

/// Components that use regular expressions and lookup tables.
const USERS: [&str; 2] = ["RegexFeaturizer", "RegexEntityExtractor"];

/// Says what is odd about patterns.
pub fn check(project: &Project, extent: Extent, said: &mut Vec<Diagnostic>) {
    let pipeline = &project.config.pipeline;
    let is_used = pipeline
        .iter()
        .any(|one| USERS.contains(&one.name.as_str()));
    let found: Vec<Option<Diagnostic>> = project
        .nlu
        .patterns
        .par_iter()
        .map(|pattern| regex(pattern, is_used))
        .collect();
    said.extend(found.into_iter().flatten());
    let tables: Vec<Vec<Diagnostic>> = project.nlu.lookups.par_iter().map(table).collect();
    // A table may be empty for a file that could not be read.
    let is_known = |one: &Diagnostic| extent == Extent::Whole || one.code != "W347";
    said.extend(tables.into_iter().flatten().filter(is_known));
}

fn regex(pattern: &Pattern, is_used: bool) -> Option<Diagnostic> {
    let Pattern {
        name,
        pattern,
        place,
    } = pattern;
    let shown = shortened(name);
    match PythonRegex::new(pattern, CaseSensitivity::Sensitive) {
        Err(error) => {
            let message = format!("regex `{shown}` cannot be used: {error}");
            let mut diagnostic = about("E345", place, pattern, message);
            if !is_used {
                // No component of the pipeline will trip over it.
                diagnostic.severity = Severity::Warning;
            }
            Some(diagnostic)
        }
        Ok(regex) if regex.is_match("") => {
            let message = format!("regex `{shown}` matches everywhere: it fits the empty text");
            let help = "make it need at least one character, such as `+` in place of `*`";
            Some(about("W346", place, pattern, message).help(help))
        }
        Ok(_) => None,
    }
}

fn table(table: &Lookup) -> Vec<Diagnostic> {
    let name = &table.name;
    let shown = shortened(name);
    let mut said = Vec::new();
    if table.elements.iter().all(|phrase| phrase.is_empty()) {
        let message = format!("lookup table `{shown}` has no phrases");
        said.push(about("W347", &table.place, name, message));
    }
    if let Some((count, first)) = repeats(&table.elements) {
        let first = shortened(first);
        let message = match count {
            1 => format!("lookup table `{shown}` lists `{first}` twice"),
            _ => format!("lookup table `{shown}` repeats {count} phrases, such as `{first}`"),
        };
        said.push(about("N357", &table.place, name, message));
    }
    said
}

/// Returns how many phrases of a table stand in it before, and the first that
/// stands there again.
///
/// Phrases are told apart by 64 bits of hash, eight bytes each: a table holds
/// millions, and to look at those that are alike would be to jump about in it.
fn repeats(phrases: &PhraseList) -> Option<(usize, &str)> {
    let mut hashes: Vec<u64> = phrases.iter().map(hash).collect();
    hashes.sort_unstable();
    let mut count = 0;
    let mut repeated: Vec<u64> = Vec::new();
    for run in hashes.chunk_by(|a, b| a == b).filter(|run| run.len() > 1) {
        count += run.len() - 1;
        repeated.push(run[0]);
    }
    let is_repeated = |phrase: &&str| repeated.binary_search(&hash(phrase)).is_ok();
    let first = (count > 0).then(|| phrases.iter().find(is_repeated))?;
    first.map(|first| (count, first))
}

fn hash(phrase: &str) -> u64 {
    FixedState::with_seed(0).hash_one(phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_that_stands_there_before_is_counted() {
        let of = |phrases: &[&str]| phrases.iter().copied().collect::<PhraseList>();
        let table = of(&["b", "a", "b", "c", "a", "b"]);
        assert_eq!(repeats(&table), Some((3, "b")));
        assert_eq!(repeats(&of(&["b", "a", "c"])), None);
    }
}
