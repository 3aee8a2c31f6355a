//! Fills lookup tables: with the files that they name, and with the pieces of
//! one table that several files give.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::data::Lookup;
use crate::data::PhraseList;
use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::shortened;
use crate::digest::Digest;
use crate::import::FileKind;
use crate::import::ImportError;
use crate::import::InputFile;
use crate::import::nlu::NluPart;
use crate::import::shelf::Shelf;
use crate::import::shelf::Whole;

/// A file with a phrase of a lookup table on each line, as Markdown and JSON
/// name them.
#[derive(Clone, Debug)]
pub struct LookupFile {
    /// The table's name.
    pub name: String,
    /// The path as written.
    pub path: String,
    /// Where it was written.
    pub place: Place,
}

/// A file that was read: what it is, and its phrases.
type Loaded = (InputFile, Result<PhraseList, Diagnostic>);

/// Reads the files that entries name, each once, and makes one table of all
/// entries of a name.
///
/// Rasa: when the first element of an entry names an existing file, the entry is
/// that file, one phrase a line. The path is relative to the project's folder.
/// Differs from Rasa: the entries of a table are joined in the order of their
/// phrases, and not in that of the files which they stand in: what a file is
/// called has no meaning.
///
/// # Errors
///
/// If such a file is there but cannot be read.
pub fn fill(
    part: &mut NluPart,
    root: &Path,
    shelf: Shelf<'_>,
) -> Result<(Vec<InputFile>, Vec<Diagnostic>), ImportError> {
    let mut said = Vec::new();
    let mut entries = std::mem::take(&mut part.data.lookups);
    let mut named: Vec<(usize, LookupFile, PathBuf)> = entries
        .iter()
        .enumerate()
        .filter_map(|(at, entry)| inline_file(at, entry, root, shelf))
        .collect();
    let has_file = |at: usize| named.binary_search_by_key(&at, |one| one.0).is_ok();
    let others = entries.iter().enumerate().filter(|(at, _)| !has_file(*at));
    said.extend(others.filter_map(|(_, entry)| named_in_vain(entry)));
    for file in std::mem::take(&mut part.lookup_files) {
        match existing(&file, root, shelf) {
            Some(path) => named.push((entries.len(), file.clone(), path)),
            None => said.push(file.is_missing()),
        }
        entries.push(Lookup {
            name: file.name,
            place: file.place,
            ..Lookup::default()
        });
    }
    let loaded = load(&named, shelf)?;
    for (at, _, path) in &named {
        if let Some((_, Ok(phrases))) = loaded.get(path) {
            entries[*at].elements = phrases.clone();
        }
    }
    part.data.lookups = join(entries);
    let mut files = Vec::with_capacity(loaded.len());
    for (file, phrases) in loaded.into_values() {
        files.push(file);
        said.extend(phrases.err());
    }
    Ok((files, said))
}

/// Returns the file that an entry names with its first element.
fn inline_file(
    at: usize,
    entry: &Lookup,
    root: &Path,
    shelf: Shelf<'_>,
) -> Option<(usize, LookupFile, PathBuf)> {
    let first = entry.elements.first().filter(|first| is_path(first))?;
    let path = root.join(first);
    let file = LookupFile {
        name: entry.name.clone(),
        path: first.to_owned(),
        place: entry.place.clone(),
    };
    shelf.has_file(&path).then_some((at, file, path))
}

/// Returns whether a phrase looks like the path of a file at all.
fn is_path(phrase: &str) -> bool {
    phrase.contains(['/', '.']) && !phrase.contains('\n')
}

/// Suffixes of files that hold phrases.
const SUFFIXES: [&str; 5] = [".txt", ".csv", ".tsv", ".list", ".lst"];

/// Returns what to say of a table without a file whose one phrase looks like the
/// name of one.
fn named_in_vain(entry: &Lookup) -> Option<Diagnostic> {
    let phrase = entry
        .elements
        .first()
        .filter(|_| entry.elements.len() == 1)?;
    let is_name = !phrase.contains(char::is_whitespace);
    if !is_name || !SUFFIXES.iter().any(|suffix| phrase.ends_with(suffix)) {
        return None;
    }
    let (name, phrase) = (shortened(&entry.name), shortened(phrase));
    let what = format!("lookup table `{name}` has the phrase `{phrase}` and no file of that name");
    let about = Diagnostic::new("W047", entry.place.clone(), what);
    Some(about.help("paths are relative to the project's folder"))
}

/// Returns the path of a file: relative to the project, or to the file that
/// names it.
fn existing(file: &LookupFile, root: &Path, shelf: Shelf<'_>) -> Option<PathBuf> {
    let beside = Path::new(&*file.place.file).parent();
    let beside = root.join(beside.unwrap_or(Path::new("")));
    let mut paths = [root.join(&file.path), beside.join(&file.path)].into_iter();
    paths.find(|path| shelf.has_file(path))
}

impl LookupFile {
    /// Returns what to say if there is no such file.
    fn is_missing(&self) -> Diagnostic {
        let what = format!("lookup file `{}` is not there", self.path);
        Diagnostic::new("W331", self.place.clone(), what)
            .length(self.path.chars().count() as u32)
            .note(format!("lookup table `{}` does without it", self.name))
            .help("paths are relative to the project's folder")
    }
}

/// Reads each file once, however many tables name it.
fn load(
    named: &[(usize, LookupFile, PathBuf)],
    shelf: Shelf<'_>,
) -> Result<BTreeMap<PathBuf, Loaded>, ImportError> {
    let mut first: HashMap<&Path, &LookupFile> = HashMap::new();
    for (_, file, path) in named {
        first.entry(path).or_insert(file);
    }
    first
        .into_par_iter()
        .map(|(path, file)| Ok((path.to_owned(), load_phrases(path, file, shelf)?)))
        .collect()
}

/// Reads the phrases of a lookup file.
fn load_phrases(path: &Path, file: &LookupFile, shelf: Shelf<'_>) -> Result<Loaded, ImportError> {
    let shown: Arc<str> = file.path.as_str().into();
    let loaded = shelf.load(path, &shown, PhraseList::SIZE_LIMIT)?;
    let input = InputFile {
        path: path.to_owned(),
        digest: match &loaded {
            Ok(whole) => whole.digest,
            Err(_) => Digest::of(b""),
        },
        kinds: vec![FileKind::Lookup],
        shown,
    };
    let phrases = loaded.and_then(|Whole { mut bytes, .. }| {
        if bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        String::from_utf8(bytes)
            .map(PhraseList::of_lines)
            .map_err(|_| {
                let what = format!("lookup file `{}` is not UTF-8", file.path);
                let about = Diagnostic::new("E312", file.place.clone(), what);
                about.length(file.name.chars().count() as u32)
            })
    });
    Ok((input, phrases))
}

/// Joins entries of the same name, sorted by their phrases, and sorts by name.
/// A table stands where its first entry does.
fn join(entries: Vec<Lookup>) -> Vec<Lookup> {
    let mut by_name: BTreeMap<String, (Place, Vec<PhraseList>)> = BTreeMap::new();
    for entry in entries {
        let table = by_name.entry(entry.name);
        let (_, pieces) = table.or_insert_with(|| (entry.place, Vec::new()));
        pieces.push(entry.elements);
    }
    let tables = by_name.into_iter().map(|(name, (place, mut pieces))| {
        pieces.sort_by(|a, b| a.iter().cmp(b.iter()));
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        let elements = pieces.reduce(|mut all, piece| {
            all.extend(piece.iter());
            all
        });
        Lookup {
            name,
            place,
            elements: elements.unwrap_or_default(),
        }
    });
    tables.collect()
}
