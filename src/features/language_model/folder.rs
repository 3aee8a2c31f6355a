//! The files of a model's folder: which are read, and what they must be.
//!
//! | file | |
//! |---|---|
//! | `config.json` | the shape |
//! | `model.safetensors` | the weights; or, of several files, `model.safetensors.index.json` and those that it names |
//! | `tokenizer.json` | sub-tokens of every kind |
//! | `vocab.txt`, `tokenizer_config.json` | WordPiece, where there is no `tokenizer.json`; the second may be missing |

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufReader;
use std::io::Read;
use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::digest::Digest;
use crate::digest::HashingReader;
use crate::features::language_model::Architecture;
use crate::features::language_model::ConfigError;
use crate::features::language_model::Encoder;
use crate::features::language_model::Featurizer;
use crate::features::language_model::ModelConfig;
use crate::features::language_model::Splitter;
use crate::features::language_model::WeightsError;
use crate::features::language_model::network::Network;
use crate::features::language_model::sub_tokens::SubTokens;
use crate::features::language_model::weights::Collection;
use crate::features::language_model::weights::Header;
use crate::features::language_model::weights::Places;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const TOKENIZER: &str = "tokenizer.json";
const WORDS: &str = "vocab.txt";
const WORDS_CONFIG: &str = "tokenizer_config.json";

/// How a file begins that Git LFS left instead of the one that it keeps.
const POINTER: &[u8] = b"version https://git-lfs";

/// The longest file that is read as a whole; the sub-tokens of a hundred languages have
/// 20 MB.
const LONGEST: u64 = 256 << 20;

/// The name of the file in which an archive has a [`Wanted`].
pub const WANTED: &str = "language_model.json";

/// A folder that no model can be read from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file is missing.
    #[error("there is no `{0}`")]
    Missing(String),
    /// There are no sub-tokens.
    #[error("there is neither `tokenizer.json` nor `vocab.txt`")]
    NoTokenizer,
    /// The list of the weights' files is none.
    #[error("`{INDEX}` does not say which files there are: {0}")]
    Index(String),
    /// The configuration cannot be used.
    #[error("`{CONFIG}`")]
    Config(#[from] ConfigError),
    /// The weights cannot be used.
    #[error("`{file}`")]
    Weights {
        /// The file, or the list of files.
        file: String,
        /// Why.
        source: WeightsError,
    },
    /// The sub-tokens cannot be used.
    #[error("`{file}`: {reason}")]
    Tokenizer {
        /// The file.
        file: &'static str,
        /// Why.
        reason: String,
    },
    /// A file cannot be read.
    #[error("`{file}` cannot be read")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A file is what Git LFS leaves where it was not asked for the file.
    #[error("`{0}` is a pointer of Git LFS to the file: `git lfs pull` fetches it")]
    Pointer(String),
    /// The folder was not looked for.
    #[error("the folder was not looked for")]
    NotLookedFor,
    /// A file is not what it must be.
    #[error("`{0}` is another file than the one that was trained with")]
    Other(String),
}

/// The files of a folder that are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The weights' files, sorted.
    weights: Vec<String>,
    /// Where the weights' files are listed, if they are.
    has_index: bool,
    /// What the sub-tokens are read from.
    tokenizer: Vec<&'static str>,
}

impl Parts {
    /// Chooses among the files of a folder: their names, and the beginning of each.
    ///
    /// # Errors
    ///
    /// If one that is needed is missing.
    pub fn of(files: &BTreeMap<&str, &[u8]>) -> Result<Self, FolderError> {
        let has = |name: &str| files.contains_key(name);
        let missing = |name: &str| FolderError::Missing(name.to_owned());
        if !has(CONFIG) {
            return Err(missing(CONFIG));
        }
        let index = files.get(INDEX).filter(|_| !has(WEIGHTS));
        let weights = match index {
            Some(index) => listed(index)?,
            None => vec![WEIGHTS.to_owned()],
        };
        if let Some(other) = weights.iter().find(|name| !has(name)) {
            return Err(missing(other));
        }
        let words = [WORDS, WORDS_CONFIG].into_iter();
        let tokenizer = match (has(TOKENIZER), has(WORDS)) {
            (true, _) => vec![TOKENIZER],
            (false, true) => words.filter(|name| has(name)).collect(),
            (false, false) => return Err(FolderError::NoTokenizer),
        };
        Ok(Self {
            weights,
            has_index: index.is_some(),
            tokenizer,
        })
    }

    /// Chooses among files that are on another machine, where all that is read was found
    /// to be there. Of several files with weights all are taken for read.
    pub fn of_names<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let names: BTreeSet<&str> = names.collect();
        let has_index = names.contains(INDEX) && !names.contains(WEIGHTS);
        let is_weights = |name: &&str| match has_index {
            true => name.ends_with(".safetensors"),
            false => *name == WEIGHTS,
        };
        let weights = names.iter().copied().filter(is_weights);
        let is_words = |name: &&'static str| names.contains(*name);
        Self {
            weights: weights.map(str::to_owned).collect(),
            has_index,
            tokenizer: match names.contains(TOKENIZER) {
                true => vec![TOKENIZER],
                false => [WORDS, WORDS_CONFIG].into_iter().filter(is_words).collect(),
            },
        }
    }

    /// Returns the names of all files that are read, sorted.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = self.encoder_names();
        names.extend(self.splitter_names());
        names
    }

    /// Returns the names of the files that texts are split with, sorted.
    pub fn splitter_names(&self) -> BTreeSet<&str> {
        self.tokenizer.iter().copied().chain([CONFIG]).collect()
    }

    /// Returns the names of the files that the network is read from, sorted.
    pub fn encoder_names(&self) -> BTreeSet<&str> {
        let weights = self.weights.iter().map(String::as_str);
        let index = self.has_index.then_some(INDEX);
        weights.chain(index).chain([CONFIG]).collect()
    }

    /// Returns what to call the file or files of the weights.
    fn weights_name(&self) -> &str {
        match &self.weights[..] {
            [one] => one,
            _ => INDEX,
        }
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Returns the files that hold the weights. They stand beside their list.
fn listed(index: &[u8]) -> Result<Vec<String>, FolderError> {
    let told = |error: serde_json::Error| FolderError::Index(error.to_string());
    let index: Index = serde_json::from_slice(index).map_err(told)?;
    let files: BTreeSet<String> = index.weight_map.into_values().collect();
    let is_name = |name: &str| !name.is_empty() && !name.contains(['/', '\\']);
    if let Some(other) = files.iter().find(|name| !is_name(name)) {
        return Err(FolderError::Index(format!(
            "`{other}` is not in the folder"
        )));
    }
    match files.is_empty() {
        true => Err(FolderError::Index("it names none".to_owned())),
        false => Ok(files.into_iter().collect()),
    }
}

/// The beginning of a file.
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// Its first bytes.
    pub head: &'a [u8],
    /// How many bytes it has.
    pub size: u64,
}

/// Finds out what is wrong with a model as far as the beginnings of its files show it: its
/// configuration, the names and shapes of its tensors, and whether they end too early.
///
/// # Errors
///
/// The first mistake.
pub fn check_heads(
    parts: &Parts,
    files: &BTreeMap<&str, Beginning<'_>>,
    architecture: Architecture,
) -> Result<(), FolderError> {
    let head = |name: &str| files.get(name).map_or(&[][..], |file| file.head);
    let mut names = parts.names().into_iter();
    if let Some(name) = names.find(|name| head(name).starts_with(POINTER)) {
        return Err(FolderError::Pointer(name.to_owned()));
    }
    let config = ModelConfig::read(head(CONFIG), architecture)?;
    let mut headers = Vec::with_capacity(parts.weights.len());
    for file in &parts.weights {
        let (head, size) = (
            head(file),
            files.get(file.as_str()).map_or(0, |file| file.size),
        );
        let is_in_head = Header::size_of(head).is_none_or(|size| size <= head.len() as u64);
        if !is_in_head && size > head.len() as u64 && Header::may_be(head) {
            return Ok(());
        }
        let header = Header::read(head).map_err(of_file(file))?;
        if header.file_size() > size {
            let short = WeightsError::Short("a tensor is not whole");
            return Err(of_file(file)(short));
        }
        headers.push(header);
    }
    Places::find(&config, &headers).map_err(of_file(parts.weights_name()))?;
    Ok(())
}

fn of_file(file: &str) -> impl Fn(WeightsError) -> FolderError {
    move |source| FolderError::Weights {
        file: file.to_owned(),
        source,
    }
}

/// What the files of a folder must be: what an archive says instead of having them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The BLAKE3 digest of each file by its name.
    pub files: BTreeMap<String, Digest>,
}

/// A file that is there.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// The digest that its bytes must have.
    pub digest: Digest,
}

/// Reads a model from files by name, each of which must have its digest.
///
/// # Errors
///
/// If one is missing, is another, or does not hold what it should.
pub fn open(files: &Files, architecture: Architecture) -> Result<Featurizer, FolderError> {
    Ok(Featurizer {
        splitter: open_splitter(files, architecture)?,
        encoder: open_encoder(files, architecture)?,
    })
}

/// Reads what a model splits texts with; its weights are not looked at.
///
/// # Errors
///
/// As [`open`].
pub fn open_splitter(files: &Files, architecture: Architecture) -> Result<Splitter, FolderError> {
    let (parts, config) = parts_and_config(files, architecture)?;
    Ok(Splitter::new(sub_tokens(files, &parts, &config)?, &config))
}

/// Reads the weights of a model.
///
/// # Errors
///
/// As [`open`].
pub fn open_encoder(files: &Files, architecture: Architecture) -> Result<Encoder, FolderError> {
    let (parts, config) = parts_and_config(files, architecture)?;
    Ok(Encoder::new(network(files, &parts, config)?))
}

/// The files of a folder by name.
type Files = BTreeMap<String, ModelFile>;

fn parts_and_config(
    files: &Files,
    architecture: Architecture,
) -> Result<(Parts, ModelConfig), FolderError> {
    let index = files.get(INDEX).map(|_| whole(files, INDEX)).transpose()?;
    let empty: &[u8] = &[];
    let names = files.keys().map(|name| match (name.as_str(), &index) {
        (INDEX, Some(index)) => (INDEX, &index[..]),
        (name, _) => (name, empty),
    });
    let parts = Parts::of(&names.collect())?;
    let config = ModelConfig::read(&whole(files, CONFIG)?, architecture)?;
    Ok((parts, config))
}

fn sub_tokens(
    files: &Files,
    parts: &Parts,
    config: &ModelConfig,
) -> Result<SubTokens, FolderError> {
    let name = parts.tokenizer[0];
    let bytes = whole(files, name)?;
    let (architecture, vocabulary) = (config.architecture, config.vocabulary);
    let read = match parts.tokenizer[..] {
        [TOKENIZER] => SubTokens::of_json(&bytes, architecture, vocabulary),
        [_, config] => {
            let config = whole(files, config)?;
            SubTokens::of_words(&bytes, Some(&config), architecture, vocabulary)
        }
        _ => SubTokens::of_words(&bytes, None, architecture, vocabulary),
    };
    read.map_err(|reason| FolderError::Tokenizer { file: name, reason })
}

fn network(files: &Files, parts: &Parts, config: ModelConfig) -> Result<Network, FolderError> {
    let mut headers = Vec::with_capacity(parts.weights.len());
    for file in &parts.weights {
        headers.push(Header::read(opened(files, file)?).map_err(of_file(file))?);
    }
    let wrong = of_file(parts.weights_name());
    let places = Places::find(&config, &headers).map_err(&wrong)?;
    let mut collection = Collection::new(places);
    for (number, (file, header)) in parts.weights.iter().zip(&headers).enumerate() {
        let mut reader = HashingReader::new(opened(files, file)?);
        let read = collection.read(number, header, &mut reader);
        // Another file is told as such, whatever is wrong in it.
        finished(files, file, reader)?;
        read.map_err(of_file(file))?;
    }
    let tensors = collection.tensors(&config).map_err(&wrong)?;
    Network::new(config, tensors).map_err(&wrong)
}

fn opened(files: &Files, name: &str) -> Result<BufReader<File>, FolderError> {
    let missing = || FolderError::Missing(name.to_owned());
    let file = files.get(name).ok_or_else(missing)?;
    // A pipe would wait for somebody who writes.
    if fs::metadata(&file.path).is_ok_and(|found| !found.is_file()) {
        let source = io::Error::other("it is no regular file");
        return Err(unread(name)(source));
    }
    match File::open(&file.path) {
        Ok(opened) => Ok(BufReader::with_capacity(1 << 17, opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing()),
        Err(source) => Err(unread(name)(source)),
    }
}

fn unread(name: &str) -> impl Fn(io::Error) -> FolderError {
    move |source| FolderError::Read {
        file: name.to_owned(),
        source,
    }
}

/// Reads a file to its end, and compares it with what it must be.
fn finished<R: Read>(
    files: &Files,
    name: &str,
    reader: HashingReader<R>,
) -> Result<(), FolderError> {
    let digest = reader.finish().map_err(unread(name))?;
    match files.get(name).is_some_and(|file| file.digest == digest) {
        true => Ok(()),
        false => Err(FolderError::Other(name.to_owned())),
    }
}

/// Returns the bytes of a file.
fn whole(files: &Files, name: &str) -> Result<Vec<u8>, FolderError> {
    let mut reader = HashingReader::new(opened(files, name)?);
    let mut bytes = Vec::new();
    let read = (&mut reader).take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(unread(name))?;
    if bytes.len() as u64 > LONGEST {
        let source = io::Error::from(io::ErrorKind::FileTooLarge);
        return Err(unread(name)(source));
    }
    finished(files, name, reader)?;
    Ok(bytes)
}
