//! How two models differ: what they were made of, what they learned, and what
//! they answer.

mod weights;
mod answers;

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;

use crate::api::Assistant;
use crate::api::Observer;
use crate::api::TrainError;
use crate::api::in_project;
use crate::archive::ArchiveError;
use crate::archive::Files;
use crate::archive::Fingerprint;
use crate::archive::Model;
use crate::archive::latest_model;
use crate::archive::read_model;
use crate::digest::Digest;
use crate::engine::ItemChange;
use crate::engine::Items;
use crate::nlu::ModelFolders;
use crate::recipe::LABELS;
use crate::recipe::contents;

pub use answers::Answer;
pub use answers::AnswerDiff;
pub use answers::MessageFlip;
pub use answers::StoryDiff;
pub use answers::StoryFlip;
pub use answers::TurnFlip;
pub use weights::TensorDiff;
pub use weights::TensorState;

/// The version of a difference's JSON form (`schemas/diff.schema.json`).
pub const DIFF_VERSION: u32 = 1;

/// Arguments of [`diff`].
#[derive(Clone, Debug, Default)]
pub struct DiffOptions {
    /// The project's folder: relative paths start here.
    pub project: PathBuf,
    /// The first model: an archive, or a folder whose latest is meant.
    pub old: PathBuf,
    /// The second model.
    pub new: PathBuf,
    /// Files and folders with messages that both models are to parse.
    pub nlu: Vec<PathBuf>,
    /// Files and folders with test stories that both models are to play.
    pub stories: Vec<PathBuf>,
    /// A folder in which language models are looked for first.
    pub language_models: Option<PathBuf>,
    /// Who is told what is remarkable in those files.
    pub observer: Observer,
}

/// How two models differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelDiff {
    /// [`DIFF_VERSION`].
    pub diff_version: u32,
    /// The first archive.
    pub old: String,
    /// The second archive.
    pub new: String,
    /// Whether the models are the same, entry for entry.
    pub is_same: bool,
    /// What they say about themselves that differs.
    pub about: Vec<FieldDiff>,
    /// Components and their options that differ.
    pub components: Vec<ItemChange>,
    /// Intents, entity types and the like that networks learned to tell apart,
    /// and what else the domains list.
    pub labels: Vec<ItemChange>,
    /// Responses that differ.
    pub responses: Vec<ItemChange>,
    /// Digests of what they were trained from that differ.
    pub data: Vec<FieldDiff>,
    /// Files that differ; weights among them are compared tensor by tensor.
    pub files: Vec<FileDiff>,
    /// Tensors that differ.
    pub weights: Vec<TensorDiff>,
    /// Tensors there are in either.
    pub tensor_count: usize,
    /// What they answer to test messages.
    pub answers: Option<AnswerDiff>,
    /// What they predict in test stories.
    pub stories: Option<StoryDiff>,
}

/// One field with two values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldDiff {
    /// The field.
    pub name: String,
    /// Its value in the first model; none if it has none.
    pub old: Option<String>,
    /// Its value in the second.
    pub new: Option<String>,
}

/// A file of the archive that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// Its path in the archive.
    pub path: String,
    /// Its size in bytes in the first model; none if it is not there.
    pub old_size: Option<usize>,
    /// Its size in the second.
    pub new_size: Option<usize>,
}

/// Compares two models.
///
/// # Errors
///
/// If a model is missing or wrong, or the files with messages or stories are.
pub fn diff(options: &DiffOptions) -> Result<ModelDiff, TrainError> {
    let (old_path, old) = read(options, &options.old)?;
    let (new_path, new) = read(options, &options.new)?;
    let mut diff = of_models(&old, &new)?;
    diff.old = old_path.display().to_string();
    diff.new = new_path.display().to_string();
    if !options.nlu.is_empty() || !options.stories.is_empty() {
        let folders = ModelFolders {
            project: options.project.clone(),
            instead: options.language_models.clone(),
            is_closed: false,
        };
        let load = |path| Assistant::load_with(path, &folders);
        let pair = (load(&old_path)?, load(&new_path)?);
        if !options.nlu.is_empty() {
            diff.answers = Some(answers::messages(options, &pair)?);
        }
        if !options.stories.is_empty() {
            diff.stories = Some(answers::stories(options, &pair)?);
        }
    }
    Ok(diff)
}

fn read(options: &DiffOptions, path: &Path) -> Result<(PathBuf, Model), ArchiveError> {
    let path = latest_model(&in_project(&options.project, path))?;
    let model = read_model(&path)?;
    Ok((path, model))
}

fn of_models(old: &Model, new: &Model) -> Result<ModelDiff, TrainError> {
    let (old_parts, new_parts) = (contents(old)?, contents(new)?);
    let nothing = Items::default();
    let changes = |roles: &[&str]| -> Vec<ItemChange> {
        let each = roles.iter().flat_map(|role| {
            let new = new_parts.get(role).unwrap_or(&nothing);
            new.changes_since(old_parts.get(role).unwrap_or(&nothing))
        });
        each.collect()
    };
    let (files, weights, tensor_count) = files(old, new);
    Ok(ModelDiff {
        diff_version: DIFF_VERSION,
        old: String::new(),
        new: String::new(),
        is_same: old == new,
        about: about(old, new),
        components: changes(&["nlu: pipeline", "core: policies"]),
        labels: changes(&[LABELS, "core: domain"]),
        responses: changes(&["responses", "nlu: responses"]),
        data: data(&old.fingerprint, &new.fingerprint),
        files,
        weights,
        tensor_count,
        answers: None,
        stories: None,
    })
}

fn about(old: &Model, new: &Model) -> Vec<FieldDiff> {
    let fields = |model: &Model| {
        let metadata = &model.metadata;
        let training_type = serde_json::to_value(metadata.training_type).unwrap_or_default();
        [
            ("tabella version", Some(metadata.tabella_version.clone())),
            ("parts", training_type.as_str().map(str::to_owned)),
            ("assistant_id", metadata.assistant_id.clone()),
            ("language", metadata.language.clone()),
        ]
    };
    different(fields(old), fields(new))
}

fn data(old: &Fingerprint, new: &Fingerprint) -> Vec<FieldDiff> {
    let fields = |print: &Fingerprint| {
        [
            ("NLU data", print.messages),
            ("NLU labels", print.nlu_labels),
            ("stories", print.stories),
            ("domain", print.domain),
            ("responses", print.nlg),
            ("pipeline", print.nlu_config),
            ("policies", print.core_config),
        ]
        .map(|(name, digest): (_, Digest)| (name, Some(digest.to_string())))
    };
    different(fields(old), fields(new))
}

fn different<const N: usize>(
    old: [(&str, Option<String>); N],
    new: [(&str, Option<String>); N],
) -> Vec<FieldDiff> {
    let pairs = old.into_iter().zip(new);
    let differ = pairs.filter(|((_, old), (_, new))| old != new);
    differ
        .map(|((name, old), (_, new))| FieldDiff {
            name: name.to_owned(),
            old,
            new,
        })
        .collect()
}

/// Files that differ, tensors of those that hold weights, and how many tensors
/// there are.
fn files(old: &Model, new: &Model) -> (Vec<FileDiff>, Vec<TensorDiff>, usize) {
    let (mut files, mut tensors, mut count) = (Vec::new(), Vec::new(), 0);
    for (folder, old, new) in [("core", &old.core, &new.core), ("nlu", &old.nlu, &new.nlu)] {
        for (name, (old, new)) in side_by_side(old, new) {
            let path = format!("{folder}/{name}");
            if path.ends_with(".safetensors") {
                count += weights::compare(&path, old, new, &mut tensors);
            }
            if old != new {
                files.push(FileDiff {
                    path,
                    old_size: old.map(<[u8]>::len),
                    new_size: new.map(<[u8]>::len),
                });
            }
        }
    }
    (files, tensors, count)
}

/// The bytes of one file in the first and the second model.
type Sides<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

fn side_by_side<'a>(old: &'a Files, new: &'a Files) -> BTreeMap<&'a str, Sides<'a>> {
    let names = old.keys().chain(new.keys());
    let bytes = |files: &'a Files, name: &str| files.get(name).map(Vec::as_slice);
    names
        .map(|name| (name.as_str(), (bytes(old, name), bytes(new, name))))
        .collect()
}
