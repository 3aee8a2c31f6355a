//! Whether a model archive is what a training wrote: every entry against the
//! manifest, and every component against its weights.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;
use serde::Serializer;

use crate::api::TrainError;
use crate::api::assistant::files_of;
use crate::api::chain;
use crate::archive::ArchiveError;
use crate::archive::ComponentEntry;
use crate::archive::Files;
use crate::archive::Flaw;
use crate::archive::Limits;
use crate::archive::Model;
use crate::archive::TrainingType;
use crate::archive::examine;
use crate::archive::latest_model;
use crate::data::Component;
use crate::data::Domain;
use crate::data::Response;
use crate::dialogue::LoadedPolicy;
use crate::digest::Digest;
use crate::nlu::LoadError;
use crate::nlu::LoadedComponent;
use crate::nlu::ModelFolders;

/// What was found in a model archive (`schemas/model-check.schema.json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelCheck {
    /// The version of this form: 1.
    pub check_version: u32,
    /// The archive.
    #[serde(serialize_with = "lossy")]
    pub model: PathBuf,
    /// The digest of its manifest, which names the model; none if there is none.
    pub digest: Option<Digest>,
    /// The version of Tabella that trained it, if that can be read.
    pub tabella_version: Option<String>,
    /// Entries that were read.
    pub entries: usize,
    /// Their size in bytes.
    pub bytes: u64,
    /// Components and policies that were loaded, weights and all.
    pub components: usize,
    /// Everything that is wrong.
    pub problems: Vec<ModelProblem>,
}

/// Something wrong with a model archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelProblem {
    /// The entry it is about, if it is about one.
    pub path: Option<String>,
    /// The component or policy that cannot be loaded, if it is about one.
    pub component: Option<String>,
    /// What is wrong.
    pub text: String,
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Checks the archive at `path`, or the latest one in the folder at `path`, and
/// tells everything that is wrong at once. It proves that the archive is whole
/// and fits together, not who made it: there is no signature.
///
/// # Errors
///
/// If there is no model or it cannot be read at all.
pub fn check_model(path: &Path) -> Result<ModelCheck, TrainError> {
    let path = latest_model(path)?;
    let read_error = |source| ArchiveError::Read {
        path: path.clone(),
        source,
    };
    let file = File::open(&path).map_err(read_error)?;
    let packed_bytes = file.metadata().map_err(read_error)?.len();
    let bytes = BufReader::with_capacity(1 << 16, file);
    let examination = examine(bytes, packed_bytes, &Limits::default());
    let mut check = ModelCheck {
        check_version: 1,
        model: path,
        digest: examination.digest,
        tabella_version: None,
        entries: examination.entries,
        bytes: examination.bytes,
        components: 0,
        problems: examination
            .flaws
            .iter()
            .map(ModelProblem::of_flaw)
            .collect(),
    };
    if let Some(mut model) = examination.model {
        check.tabella_version = Some(model.metadata.tabella_version.clone());
        load(&mut model, &mut check);
    }
    Ok(check)
}

impl ModelProblem {
    fn of_flaw(flaw: &Flaw) -> Self {
        Self {
            path: flaw.path().map(str::to_owned),
            component: None,
            text: chain(flaw),
        }
    }

    fn of_entry(path: &str, error: &dyn std::error::Error) -> Self {
        Self {
            path: Some(path.to_owned()),
            component: None,
            text: format!("`{path}` cannot be read: {}", chain(error)),
        }
    }

    fn of_component(entry: &ComponentEntry, error: &dyn std::error::Error) -> Self {
        Self {
            path: None,
            component: Some(entry.name.clone()),
            text: format!("`{}`: {}", entry.name, chain(error)),
        }
    }
}

/// Loads every part of the model whose files have no flaw of their own, and takes these.
fn load(model: &mut Model, check: &mut ModelCheck) {
    let flawed: Vec<String> = check
        .problems
        .iter()
        .filter_map(|p| p.path.clone())
        .collect();
    let is_whole = |entry: &&ComponentEntry| entry.files.iter().all(|file| !flawed.contains(file));
    let mut problems = Vec::new();
    let metadata = &model.metadata;
    for (place, entry) in metadata.pipeline.iter().enumerate() {
        if !is_whole(&entry) {
            continue;
        }
        let component = Component {
            name: entry.name.clone(),
            options: entry.options.clone(),
            ..Component::default()
        };
        let files = files_of(entry, &mut model.nlu, "nlu/");
        match LoadedComponent::load(place, &component, &files, &ModelFolders::closed()) {
            // The folder of a language model is no part of the archive.
            Ok(_) | Err(LoadError::LanguageModel { .. }) => check.components += 1,
            Err(error) => problems.push(ModelProblem::of_component(entry, &error)),
        }
    }
    for entry in metadata.policies.iter().filter(is_whole) {
        let files = files_of(entry, &mut model.core, "core/");
        match LoadedPolicy::from_files(&entry.name, &files) {
            Ok(_) => check.components += 1,
            Err(error) => problems.push(ModelProblem::of_component(entry, &error)),
        }
    }
    if metadata.training_type != TrainingType::Nlu {
        problems.extend(document::<Domain>(&model.core, "domain.json", &flawed));
        type Responses = std::collections::BTreeMap<String, Vec<Response>>;
        problems.extend(document::<Responses>(
            &model.core,
            "responses.json",
            &flawed,
        ));
    }
    check.problems.extend(problems);
}

/// Reads a document of the Core part; what is wrong with it, if anything.
fn document<T: serde::de::DeserializeOwned>(
    core: &Files,
    name: &str,
    flawed: &[String],
) -> Option<ModelProblem> {
    let path = format!("core/{name}");
    if flawed.contains(&path) {
        return None;
    }
    let Some(bytes) = core.get(name) else {
        return Some(ModelProblem::of_flaw(&Flaw::Missing { path }));
    };
    let error = serde_json::from_slice::<T>(bytes).err()?;
    Some(ModelProblem::of_entry(&path, &error))
}
