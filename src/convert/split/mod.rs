//! Cuts training data in two: what is learned from, and what is tested with.
//!
//! # Which side
//!
//! The side of an example is decided by its content alone: its place on a circle
//! of 2⁶⁴ – the first eight bytes of the BLAKE3 hash of seed, label, text and
//! entities – lies within the training fraction or not. So no file order, shuffle
//! or other example moves it, and two spellings of the same example are on the
//! same side. The fraction of an intent with `n` examples is met up to chance:
//! `√(f(1 − f)/n)`.
//!
//! Each class (an intent, or response key of a retrieval intent) is looked at by
//! itself. If the fraction is neither 0 nor 1, a class has an example in each part:
//! of a part that would be empty the nearest example stands in, and it goes back
//! when another one fills the part. Nothing else ever moves. The only example of a
//! class trains.
//!
//! Differs from Rasa: `rasa data split nlu` shuffles, so that one more example may
//! move any other; it tests with the only example of a class, which then cannot be
//! learned; and it gives synonyms, expressions and tables to both parts, where here
//! they train only.

mod nlu;
mod stories;

use std::fs;

use serde::Serialize;

use crate::convert::Format;
use crate::convert::format;
use crate::convert::in_language;
use crate::convert::json;
use crate::convert::markdown;
use crate::convert::markdown::Content;
use crate::convert::markdown::Tables;
use crate::convert::notes::Notes;
use crate::convert::rest::Rest;
use crate::convert::source::Source;
use crate::convert::written::NluFile;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::diagnostic::arrange;
use crate::diagnostic::has_errors;
use crate::digest::Digest;
use crate::import::FileKind;
use crate::import::ImportError;
use crate::import::Imported;
use crate::import::InputFile;
use crate::import::Sources;
use crate::import::Want;
use crate::import::import_project;

/// How to split.
#[derive(Clone, Copy, Debug)]
pub struct SplitOptions {
    /// The part that trains, 0 to 1.
    pub training_fraction: f64,
    /// Another seed gives another split.
    pub random_seed: Option<u64>,
}

impl Default for SplitOptions {
    /// Rasa's defaults: four of five examples train, no seed.
    fn default() -> Self {
        Self {
            training_fraction: 0.8,
            random_seed: None,
        }
    }
}

/// Data in two parts.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// Names and texts of the files.
    pub files: Vec<(String, String)>,
    /// How many examples or stories train.
    pub training_count: usize,
    /// How many are tested with.
    pub test_count: usize,
    /// What is wrong with the data; nothing is split if there are errors.
    pub diagnostics: Vec<Diagnostic>,
    /// What could not be kept of files that are not YAML, and what stays in JSON.
    pub lost: Vec<Diagnostic>,
    /// The texts that diagnostics point into.
    pub sources: SourceMap,
}

/// Splits NLU data into `training_data.yml` and `test_data.yml`, with the responses
/// of retrieval intents in `nlg_training_data.yml` and `nlg_test_data.yml`. What YAML
/// has no way to say is in `training_data_rest.json` and `test_data_rest.json`.
///
/// # Errors
///
/// Only if a file or folder that exists cannot be read.
pub fn split_nlu(sources: &Sources, options: &SplitOptions) -> Result<Split, ImportError> {
    let sources = Sources {
        want: Want::Nlu,
        ..sources.clone()
    };
    let (imported, files) = open(&sources, &[FileKind::Nlu])?;
    let sources = in_language(&sources, &imported);
    let mut read = Vec::new();
    let mut rest = Rest::default();
    let mut lost = Vec::new();
    for file in &files {
        let mut notes = Notes::on(file.0.shown.clone());
        let mut of_file = Rest::default();
        read.extend(nlu_file(&sources, file, &mut of_file, &mut notes)?);
        of_file.tell_kept(&mut notes);
        rest.extend(of_file);
        lost.extend(notes.diagnostics);
    }
    arrange(&mut lost);
    let split = nlu::split(read, rest, options);
    Ok(finish(imported, Split { lost, ..split }))
}

/// Splits stories into `training_stories.yml` and `test_stories.yml`. Rules train,
/// and so do stories that checkpoints join to others.
///
/// # Errors
///
/// Only if a file or folder that exists cannot be read.
pub fn split_stories(sources: &Sources, options: &SplitOptions) -> Result<Split, ImportError> {
    let (imported, files) = open(sources, &[FileKind::Stories])?;
    let sources: Vec<Source> = files.iter().filter_map(stories_file).collect();
    let split = stories::split(&sources, options);
    Ok(finish(imported, split))
}

/// A file and its content.
type File = (InputFile, Vec<u8>);

/// Reads the files of some kinds; none if anything is wrong with the project.
fn open(sources: &Sources, kinds: &[FileKind]) -> Result<(Imported, Vec<File>), ImportError> {
    let imported = import_project(sources)?;
    let mut files = Vec::new();
    let is_wrong = has_errors(&imported.diagnostics);
    for input in imported.files.iter().filter(|_| !is_wrong) {
        if input.kinds.iter().any(|kind| kinds.contains(kind)) {
            let path = input.path.clone();
            let bytes = fs::read(&path).map_err(|source| ImportError::Read { path, source })?;
            files.push((input.clone(), bytes));
        }
    }
    Ok((imported, files))
}

/// Returns the NLU data of a file as it is written, but for the `rest`.
fn nlu_file(
    sources: &Sources,
    (input, bytes): &File,
    rest: &mut Rest,
    notes: &mut Notes,
) -> Result<Option<NluFile>, ImportError> {
    let text = || markdown::text(bytes);
    Ok(match format(&input.path, bytes) {
        Format::Yaml => Source::read(bytes.clone()).map(|source| NluFile::read(&source)),
        Format::Json => {
            let file;
            (file, *rest) = json::nlu(sources, &input.path, notes)?;
            Some(file)
        }
        Format::Markdown(Content::Responses) => Some(markdown::responses(&text(), notes)),
        Format::Markdown(_) => {
            let tables = Tables::new(&sources.root, &input.path);
            Some(markdown::nlu(&text(), &tables, rest, notes))
        }
    })
}

/// Returns the stories of a file.
fn stories_file((input, bytes): &File) -> Option<Source> {
    if format(&input.path, bytes) != Format::Yaml {
        let mut notes = Notes::on(input.shown.clone());
        let stories = markdown::stories(&markdown::text(bytes), &Default::default(), &mut notes);
        return Source::read(stories.text().into_bytes());
    }
    Source::read(bytes.clone())
}

fn finish(imported: Imported, split: Split) -> Split {
    Split {
        diagnostics: imported.diagnostics,
        sources: imported.sources,
        ..split
    }
}

/// The context of the hashes that decide; another layout is another context.
const CONTEXT: &str = "tabella training and test data v1";

/// Returns the place of a value on the circle.
fn place<T: Serialize>(options: &SplitOptions, value: &T) -> u64 {
    Digest::of_value_in(CONTEXT, &(options.random_seed, value)).on_circle()
}

/// Returns for each place whether it trains. Equal places are on the same side.
fn sides(places: &[u64], fraction: f64) -> Vec<bool> {
    let trains = |place: u64| (place as f64) < fraction * 2f64.powi(64);
    let mut sides: Vec<bool> = places.iter().map(|place| trains(*place)).collect();
    if fraction <= 0.0 || fraction >= 1.0 {
        return sides;
    }
    let lowest = places.iter().min();
    let highest = places.iter().max();
    if !sides.contains(&true) {
        set(places, lowest, true, &mut sides);
    } else if !sides.contains(&false) && lowest != highest {
        set(places, highest, false, &mut sides);
    }
    sides
}

fn set(places: &[u64], which: Option<&u64>, side: bool, sides: &mut [bool]) {
    for (place, trains) in places.iter().zip(sides) {
        if Some(place) == which {
            *trains = side;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u64 = 1 << 63;

    #[test]
    fn places_within_the_fraction_train() {
        assert_eq!(
            sides(&[0, HALF, HALF - 4096, u64::MAX], 0.5),
            [true, false, true, false]
        );
    }

    #[test]
    fn the_nearest_stands_in_for_a_part_that_would_be_empty() {
        assert_eq!(
            sides(&[HALF + 2, HALF, u64::MAX], 0.1),
            [false, true, false]
        );
        assert_eq!(sides(&[3, 1, 2], 0.9), [false, true, true]);
        assert_eq!(sides(&[u64::MAX], 0.1), [true]);
        assert_eq!(sides(&[5, 5], 0.1), [true, true]);
        assert!(sides(&[], 0.5).is_empty());
    }

    #[test]
    fn all_or_nothing_is_just_that() {
        assert_eq!(sides(&[0, u64::MAX], 0.0), [false, false]);
        assert!(sides(&[0, u64::MAX], 1.0)[0]);
    }
}
