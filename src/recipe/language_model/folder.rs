//! The folder that a configuration names: which of its files are read, and what to do
//! about one that holds no model.

use std::collections::BTreeMap;
use std::path::Path;

use crate::data::Component;
use crate::data::ComponentFile;
use crate::features::language_model;
use crate::features::language_model::Architecture;
use crate::features::language_model::Beginning;
use crate::features::language_model::FolderError;
use crate::features::language_model::Options;
use crate::features::language_model::Parts;
use crate::recipe::language_model::name;
use crate::recipe::options::with_causes;

/// What to do about a model that is not there.
const DOWNLOAD: &str = "download the model by other means into a folder of the project – its \
    `config.json`, `model.safetensors`, and `tokenizer.json` or `vocab.txt` – and name that \
    folder with `model_weights`";

/// Files of other formats, and what to do with each.
const OTHER_FORMATS: [(&str, &str, &str); 6] = [
    ("model.safetensors", "pytorch_model.bin", TORCH),
    ("model.safetensors", "tf_model.h5", TENSORFLOW),
    ("model.safetensors", "flax_model.msgpack", FLAX),
    ("tokenizer.json", "merges.txt", FAST),
    ("tokenizer.json", "sentencepiece.bpe.model", FAST),
    ("tokenizer.json", "spiece.model", FAST),
];

const TORCH: &str = "write the weights as safetensors: in Python, \
    `transformers.AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True)`";

const TENSORFLOW: &str = "write the weights as safetensors: in Python with PyTorch and \
    transformers 4, `transformers.AutoModel.from_pretrained(FOLDER, from_tf=True)\
    .save_pretrained(FOLDER, safe_serialization=True)`";

const FLAX: &str = "write the weights as safetensors: in Python with PyTorch and \
    transformers 4, `transformers.AutoModel.from_pretrained(FOLDER, from_flax=True)\
    .save_pretrained(FOLDER, safe_serialization=True)`";

const FAST: &str = "write the sub-tokens as `tokenizer.json`: in Python, \
    `transformers.AutoTokenizer.from_pretrained(FOLDER, use_fast=True).save_pretrained(FOLDER)`";

/// Chooses the files that are read; else returns what is wrong with the folder, and what
/// to do.
pub fn parts(
    component: &Component,
    options: &Options,
    architecture: Architecture,
) -> Result<Parts, (String, &'static str)> {
    let written = options.model_weights.as_deref().unwrap_or_default();
    let hub_name = options.hub_name();
    if written.is_empty() {
        let reason = format!("it names no folder, and Rasa's `{hub_name}` is not downloaded");
        return Err((reason, DOWNLOAD));
    }
    if component.files.is_empty() {
        return Err(nothing(&component.folder.join(written), written));
    }
    let mut files = BTreeMap::new();
    for file in &component.files {
        let (head, size) = (&file.head[..], file.size);
        files.insert(name(file), Beginning { head, size });
    }
    if !component.files.iter().all(ComponentFile::is_here) {
        // They were looked at where they are.
        return Ok(Parts::of_names(files.into_keys()));
    }
    let heads = files.iter().map(|(&name, file)| (name, file.head));
    let checked = Parts::of(&heads.collect()).and_then(|parts| {
        language_model::check_heads(&parts, &files, architecture)?;
        Ok(parts)
    });
    checked.map_err(|error| {
        let folder = component.folder.join(written);
        (
            format!("`{written}`: {}", with_causes(&error)),
            help(&error, &folder),
        )
    })
}

/// Returns what to do about what is missing in a folder: to convert what is there
/// instead, or to download the model.
fn help(error: &FolderError, folder: &Path) -> &'static str {
    let missing = match error {
        FolderError::Missing(name) => name,
        FolderError::NoTokenizer => "tokenizer.json",
        _ => return DOWNLOAD,
    };
    let is_there = |&&(wanted, other, _): &&(&str, &str, &str)| {
        wanted == missing && folder.join(other).is_file()
    };
    OTHER_FORMATS
        .iter()
        .find(is_there)
        .map_or(DOWNLOAD, |&(_, _, help)| help)
}

/// Returns what is wrong with a path below which no file of a model is, and what to do.
fn nothing(path: &Path, written: &str) -> (String, &'static str) {
    if path.is_file() {
        let reason = format!("`{written}` is a file: name the folder that it is in");
        return (reason, DOWNLOAD);
    }
    if path.is_dir() {
        return (
            format!("the folder `{written}` holds no language model"),
            DOWNLOAD,
        );
    }
    let reason = format!("there is no folder `{written}`, and Tabella downloads nothing");
    (reason, DOWNLOAD)
}
