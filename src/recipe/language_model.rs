//! The task of `LanguageModelFeaturizer`: a folder with a language model gives features.
//!
//! ```text
//!   folder ────┬▶ rows
//!   documents ─┤
//!              └▶ what the folder's files are ─▶ archive
//! ```
//!
//! The folder's files are in the key by their names and digests, wherever the folder is.
//! The archive has its path as it is written in the configuration, and the digests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::archive::ComponentEntry;
use crate::data::Component;
use crate::data::ComponentFile;
use crate::digest::Digest;
use crate::engine::Input;
use crate::engine::Item;
use crate::engine::Items;
use crate::engine::Leaf;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::Turn;
use crate::features::language_model;
use crate::features::language_model::Architecture;
use crate::features::language_model::Beginning;
use crate::features::language_model::FolderError;
use crate::features::language_model::Long;
use crate::features::language_model::ModelFile;
use crate::features::language_model::Options;
use crate::features::language_model::Parts;
use crate::features::language_model::RowsError;
use crate::features::language_model::WANTED;
use crate::features::language_model::Wanted;
use crate::nlu::component;
use crate::recipe::Draft;
use crate::recipe::Messages;
use crate::recipe::Stage;
use crate::recipe::builder::places_of;
use crate::recipe::nlu::ATTRIBUTES;
use crate::recipe::nlu::Line;
use crate::recipe::nlu::decoded;
use crate::recipe::nlu::json_bytes;
use crate::recipe::nlu::rows_output;
use crate::recipe::options::Written;
use crate::recipe::options::with_causes;
use crate::tokenize::Document;

/// The algorithm version: raised when the output for the same input changes.
const VERSION: u32 = 1;

/// The option that names the folder.
const OPTION: &str = "model_weights";

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

/// The files of a folder by name.
type Files = BTreeMap<String, ModelFile>;

/// Adds a `LanguageModelFeaturizer`.
pub fn featurizer(
    line: &mut Line<'_>,
    place: usize,
    component: &Component,
) -> Option<ComponentEntry> {
    let options: Options = line.read(component)?;
    let written = Written(component);
    let architecture = match options.architecture() {
        Ok(architecture) => architecture,
        Err(error) => {
            written.wrong_option(&error, line.diagnostics);
            return None;
        }
    };
    if options.cache_dir.is_some() {
        let remark = "`cache_dir` is not used: Tabella downloads nothing";
        written.remark(remark, line.diagnostics);
    }
    let parts = match parts(component, &options, architecture) {
        Ok(parts) => parts,
        Err((reason, help)) => {
            written.wrong_with_help(OPTION, &reason, help, line.diagnostics);
            return None;
        }
    };
    let inputs = vec![
        Input::output("documents", line.tokenizer?, "documents"),
        Input::leaf("messages", line.slices.messages.clone()),
        Input::leaf("model", leaf(component, &parts)),
    ];
    let task = line.builder.add(Draft {
        name: format!("nlu.{place}.{}", component.name),
        stage: Stage::Featurize,
        kind: "nlu.featurize.language_model",
        version: VERSION,
        options: json!({ "model_name": options.model_name }),
        inputs,
        turn: Turn::Long,
        places: places_of(component),
        run: Box::new(move |context| rows(context, architecture)),
    });
    let alias = component::alias(place, component);
    line.dense.push(line.featurizers.len());
    line.featurizers.push((alias, task));
    Some(line.packed(place, component, &options, task, &[WANTED]))
}

/// Returns a file's name in its folder.
fn name(file: &ComponentFile) -> &str {
    file.name.rsplit(['/', '\\']).next().unwrap_or_default()
}

/// Chooses the files that are read; else returns what is wrong with the folder, and what
/// to do.
fn parts(
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

/// Returns the files that are read, known by their names and digests.
fn leaf(component: &Component, parts: &Parts) -> Leaf {
    let names = parts.names();
    let read = component
        .files
        .iter()
        .filter(|file| names.contains(name(file)));
    let items: Vec<Item> = read
        .clone()
        .map(|file| Item::new(file.name.clone(), file.digest, ""))
        .collect();
    let files = read.map(|file| {
        let own = ModelFile {
            path: file.path.clone(),
            digest: file.digest,
        };
        (name(file).to_owned(), own)
    });
    let files: Files = files.collect();
    let digest = Digest::of_value(&wanted(&files));
    Leaf::with_digest(digest, Arc::new(files)).with_items(move || Items(items.clone()))
}

fn wanted(files: &Files) -> Wanted {
    let digests = files.iter().map(|(name, file)| (name.clone(), file.digest));
    Wanted {
        files: digests.collect(),
    }
}

/// Reads the model, and what becomes of every text.
fn rows(context: &TaskContext<'_>, architecture: Architecture) -> Result<Outputs, TaskError> {
    let files: &Files = context.value("model")?;
    let documents: Vec<Document> = decoded(context, "documents")?;
    let model = language_model::open(files, architecture);
    let model = model.map_err(|error| TaskError::message(with_causes(&error)))?;
    let mut outputs = Outputs::from([(WANTED.to_owned(), json_bytes(&wanted(files))?)]);
    for attribute in ATTRIBUTES {
        let rows = model.rows(&documents, attribute, Long::Refused, &mut |done, most| {
            context.progress(done as u64, most as u64, "texts");
            !context.is_cancelled()
        });
        let rows = rows.map_err(|error| told(context, error))?;
        outputs.insert(rows_output(attribute), rows.to_bytes());
    }
    Ok(outputs)
}

/// Returns the error with the place of the example that it is about.
fn told(context: &TaskContext<'_>, error: RowsError) -> TaskError {
    let RowsError::TooLong { document, .. } = error else {
        return TaskError::Cancelled;
    };
    let examples = context
        .value::<Messages>("messages")
        .map(Messages::examples);
    let place = examples
        .ok()
        .and_then(|examples| Some(&examples.get(document)?.place));
    TaskError::message(match place {
        Some(place) => format!("{place}: {error}"),
        None => error.to_string(),
    })
}
