//! Files that components of the pipeline name in their options: word vectors,
//! language models, dictionaries, programs. Each is read once, to hash it, and not kept: it may be
//! larger than memory. A large one that is as an import before has seen it is not read
//! again.
//!
//! A file that is not there is the component's to complain about: it knows what
//! the file is for.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::data::Component;
use crate::data::ComponentFile;
use crate::digest::Digest;
use crate::digest::HashingReader;
use crate::import::FileKind;
use crate::import::ImportError;
use crate::import::InputFile;
use crate::import::looks::Eyes;
use crate::import::looks::FileStamp;
use crate::import::looks::Look;
use crate::import::looks::Seen;
use crate::import::looks::clock_ns;
use crate::import::shelf::Shelf;
use crate::import::walk::Names;

/// Options whose values are paths of files or folders.
const NAMED: &[(&str, &[&str])] = &[
    ("WordVectorsFeaturizer", &["vectors"]),
    ("SpacyNLP", &["vectors"]),
    ("LanguageModelFeaturizer", &[MODEL_FOLDER]),
    ("JiebaTokenizer", &["dictionary_path"]),
    ("command", &["run", "reads"]),
];

/// The option whose value is the folder of a language model. Such a folder often holds
/// the weights several times, in formats that are not read.
const MODEL_FOLDER: &str = "model_weights";

/// Returns whether a file of a language model's folder may be read.
fn may_be_of_model(name: &str) -> bool {
    let names = [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ];
    let is_weights = |name: &str| name.ends_with(".safetensors") || name.ends_with(".index.json");
    names.contains(&name) || name.starts_with("model") && is_weights(name)
}

/// From how many bytes on a file is not read again only to hash it, if its stamp proves
/// that it is as it was.
const LARGE: u64 = 1 << 20;

/// How much of the beginning of a file is kept, to tell what it is.
const HEAD_SIZE: usize = ComponentFile::HEAD_SIZE;

/// Finds the files of all components and notes them there; returns what was opened.
///
/// # Errors
///
/// If a file that is there cannot be read.
pub fn find(
    pipeline: &mut [Component],
    root: &Path,
    shelf: Shelf<'_>,
) -> Result<Vec<InputFile>, ImportError> {
    let mut opened = Vec::new();
    for component in pipeline {
        component.folder = root.to_owned();
        let options = NAMED.iter().find(|(name, _)| *name == component.name);
        for option in options.map_or(&[][..], |(_, options)| options) {
            for written in paths(component.options.get(*option)) {
                // An argument may be a folder without being read, and vectors are
                // no folder's; a language model is no file's.
                let is_file = matches!(*option, "run" | "vectors");
                let is_folder = *option == MODEL_FOLDER;
                let has_file = shelf.has_file(&root.join(&written));
                if is_file && !has_file || is_folder && (has_file || written.is_empty()) {
                    continue;
                }
                for (name, path) in files_at(&written, root, shelf)? {
                    let last = name.rsplit('/').next().unwrap_or_default();
                    if is_folder && !may_be_of_model(last) {
                        continue;
                    }
                    let Hashed { digest, size, head } = hashed(&path, shelf)?;
                    opened.push(InputFile {
                        path: path.clone(),
                        shown: name.as_str().into(),
                        digest,
                        kinds: vec![FileKind::Component],
                    });
                    component.files.push(ComponentFile {
                        option: (*option).to_owned(),
                        name,
                        path,
                        digest,
                        size,
                        head,
                    });
                }
            }
        }
    }
    Ok(opened)
}

/// Reads a file that a component names once more, where a project was not read from
/// its own files.
///
/// # Errors
///
/// If it cannot be read.
pub fn component_file(option: &str, name: &str, path: &Path) -> Result<ComponentFile, ImportError> {
    let Hashed { digest, size, head } = hashed(path, Shelf::Disk(&Eyes::default()))?;
    Ok(ComponentFile {
        option: option.to_owned(),
        name: name.to_owned(),
        path: path.to_owned(),
        digest,
        size,
        head,
    })
}

/// Returns the paths that an option's value names.
fn paths(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(path)) => vec![path.clone()],
        Some(Value::Array(list)) => {
            let paths = list.iter().filter_map(Value::as_str);
            paths.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the file at a path, or the files of the folder there by name.
fn files_at(
    written: &str,
    root: &Path,
    shelf: Shelf<'_>,
) -> Result<Vec<(String, PathBuf)>, ImportError> {
    let path = root.join(written);
    if shelf.has_file(&path) {
        return Ok(vec![(written.to_owned(), path)]);
    }
    let Shelf::Disk(eyes) = shelf else {
        return Ok(Vec::new());
    };
    if eyes.kind(&path) != Seen::Folder {
        return Ok(Vec::new());
    }
    let wrong = |source| ImportError::Read {
        path: path.clone(),
        source,
    };
    // Before it is listed: what comes meanwhile is then another listing.
    eyes.add(&path, Look::at_folder(&path, Names::All).map_err(wrong)?);
    let mut files = Vec::new();
    for entry in fs::read_dir(&path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if eyes.kind(&entry.path()) == Seen::File {
            let shown = format!("{}/{name}", written.trim_end_matches('/'));
            files.push((shown, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}

/// What is kept of a file.
struct Hashed {
    digest: Digest,
    size: u64,
    head: Arc<[u8]>,
}

/// Reads a file to its end.
fn hashed(path: &Path, shelf: Shelf<'_>) -> Result<Hashed, ImportError> {
    let read = match shelf {
        Shelf::Memory(files) => {
            let bytes = files.get(path).copied().unwrap_or_default();
            Ok(Hashed {
                digest: Digest::of(bytes),
                size: bytes.len() as u64,
                head: bytes[..bytes.len().min(HEAD_SIZE)].into(),
            })
        }
        Shelf::Disk(eyes) => streamed(path, eyes),
    };
    read.map_err(|source| ImportError::Read {
        path: path.to_owned(),
        source,
    })
}

fn streamed(path: &Path, eyes: &Eyes) -> io::Result<Hashed> {
    let since_ns = clock_ns();
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() >= LARGE
        && let Some(look) = eyes.seen_earlier(path)
        && let Seen::Bytes(digest) = look.seen
    {
        let mut head = Vec::new();
        file.take(HEAD_SIZE as u64).read_to_end(&mut head)?;
        eyes.add(path, look);
        return Ok(Hashed {
            digest,
            size: metadata.len(),
            head: head.into(),
        });
    }
    let stamp = FileStamp::of(&metadata);
    let mut reader = HashingReader::new(file);
    let mut head = Vec::new();
    (&mut reader)
        .take(HEAD_SIZE as u64)
        .read_to_end(&mut head)?;
    let digest = reader.finish()?;
    let seen = Seen::Bytes(digest);
    let look = Look {
        seen,
        stamp,
        since_ns,
    };
    eyes.add(path, look);
    Ok(Hashed {
        digest,
        size: metadata.len(),
        head: head.into(),
    })
}

#[cfg(test)]
#[cfg(unix)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::FileTimes;
    use std::fs::OpenOptions;

    use super::*;
    use crate::import::Earlier;
    use crate::import::Looks;

    #[test]
    fn a_large_file_is_read_again_only_if_it_may_be_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("words.vec");
        let digest = |earlier: &Earlier| {
            let eyes = Eyes::with_earlier(earlier.clone());
            let hashed = hashed(&path, Shelf::Disk(&eyes)).unwrap();
            assert_eq!(hashed.size, LARGE + 8);
            assert_eq!(hashed.head[..], fs::read(&path).unwrap()[..HEAD_SIZE]);
            assert_eq!(eyes.looks().seen[&path].seen, Seen::Bytes(hashed.digest));
            hashed.digest
        };
        let write = |letter: u8| {
            fs::write(&path, vec![letter; LARGE as usize + 8]).unwrap();
            Digest::of(&fs::read(&path).unwrap())
        };
        let first = write(b'a');
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(digest(&Earlier::default()), first);
        // What was seen is made up, so that it shows whether it is believed.
        let made_up = Digest::of(b"made up");
        let seen = |since_ns: i64, prove: fn(&Path) -> bool| {
            let mut looks = Looks::default();
            let look = Look {
                seen: Seen::Bytes(made_up),
                stamp: FileStamp::of(&fs::metadata(&path).unwrap()),
                since_ns,
            };
            looks.add(path.clone(), look);
            // What was just written may be looked at as if it had been at rest.
            Earlier::new(move || looks, -1_000_000_000, prove)
        };
        let rested = seen(clock_ns(), |_| true);
        assert_eq!(digest(&rested), made_up);
        assert_eq!(digest(&seen(0, |_| true)), first);
        assert_eq!(digest(&seen(clock_ns(), |_| false)), first);
        // As many bytes, and the modification time set back, until the clock ticks.
        let stamp = || FileStamp::of(&fs::metadata(&path).unwrap());
        let before = stamp();
        let mut second = first;
        while stamp() == before {
            second = write(b'b');
            let file = OpenOptions::new().append(true).open(&path).unwrap();
            let times = FileTimes::new().set_modified(modified);
            file.set_times(times).unwrap();
        }
        assert_eq!(digest(&rested), second);
    }
}
