//! The last task: everything that was learned becomes one archive.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::archive::ComponentEntry;
use crate::archive::Fingerprint;
use crate::archive::Metadata;
use crate::archive::Model;
use crate::archive::Packed;
use crate::archive::TrainingType;
use crate::archive::Unrecorded;
use crate::archive::pack;
use crate::data::Domain;
use crate::data::NluData;
use crate::data::Options;
use crate::data::Project;
use crate::data::Response;
use crate::digest::Digest;
use crate::engine::Input;
use crate::engine::Items;
use crate::engine::Leaf;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::TaskPlaces;
use crate::engine::Turn;
use crate::nlu::selector::Responses;
use crate::recipe::Builder;
use crate::recipe::Draft;
use crate::recipe::Packaged;
use crate::recipe::Part;
use crate::recipe::Slices;
use crate::recipe::Stage;
use crate::recipe::pieces;

/// The output that is the archive's bytes.
pub const ARCHIVE: &str = "model.tar.gz";
/// The output that says what the archive is ([`PackageRecord`]).
pub const RECORD: &str = "record.json";

/// The algorithm version of packaging.
const VERSION: u32 = 3;

/// What the archive needs beside the files that tasks made.
pub struct PackageParts {
    /// Which halves were trained.
    pub training_type: TrainingType,
    /// Components with their options and files.
    pub pipeline: Vec<ComponentEntry>,
    /// Policies with their options and files.
    pub policies: Vec<ComponentEntry>,
    /// Whether the NLU data goes into the archive.
    pub persist_nlu_data: bool,
}

/// What the package task says of its archive, so that one in place is known
/// again without packing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PackageRecord {
    /// The digest of the manifest, which names the archive.
    pub manifest: Digest,
    /// The digest of the archive's bytes.
    pub file: Digest,
    /// Which halves it has.
    pub training_type: TrainingType,
    /// What it was trained from.
    pub fingerprint: Fingerprint,
}

/// The digests of one half for `fingerprint.json`.
#[derive(Clone, Debug, Serialize)]
struct Half {
    config: Digest,
    config_without_epochs: Digest,
    domain: Option<Digest>,
    labels: Option<Digest>,
    data: Digest,
}

/// The metadata of one half.
type Entries = Vec<ComponentEntry>;

/// `language` and the pipeline's metadata.
type Pipeline = (Option<String>, Entries);

/// `assistant_id`.
type Identity = Option<String>;

/// Adds the package task. Roles start with the part that is stale when they
/// change; see [`part_of_role`].
pub fn package(
    builder: &mut Builder,
    project: &Arc<Project>,
    slices: &Slices,
    parts: PackageParts,
) -> TaskId {
    let mut inputs: Vec<Input> = builder
        .packaged
        .iter()
        .map(|file| Input::output(&file.path, file.task, &file.output))
        .collect();
    let identity: Identity = project.config.assistant_id.clone();
    let assistant = Leaf::of_value(Arc::new(identity.clone()))
        .with_items(move || Items(vec![pieces::single("assistant_id", &identity)]));
    inputs.push(Input::leaf("assistant", assistant));
    if parts.training_type != TrainingType::Core {
        let half = nlu_half(project, slices, &parts.pipeline);
        let pipeline: Pipeline = (project.config.language.clone(), parts.pipeline);
        inputs.push(Input::leaf(
            "nlu: pipeline",
            pipeline_leaf(project, pipeline),
        ));
        inputs.push(Input::leaf("nlu: fingerprint", half_leaf(half)));
        inputs.push(Input::leaf(
            "nlu: responses",
            slices.retrieval_responses.clone(),
        ));
        if parts.persist_nlu_data {
            let data = Leaf::of_value(Arc::new(project.nlu.clone()));
            inputs.push(Input::leaf("nlu: training data", data));
        }
    }
    if parts.training_type != TrainingType::Nlu {
        let half = core_half(slices, &parts.policies);
        inputs.push(Input::leaf(
            "core: policies",
            policies_leaf(project, parts.policies),
        ));
        inputs.push(Input::leaf("core: fingerprint", half_leaf(half)));
        inputs.push(Input::leaf("core: domain", slices.domain.clone()));
        inputs.push(Input::leaf("responses", slices.responses.clone()));
    }
    let files = builder.packaged.clone();
    let response_files = builder.response_files.clone();
    let training_type = parts.training_type;
    builder.add(Draft {
        name: "package".to_owned(),
        stage: Stage::Package,
        kind: "package",
        version: VERSION,
        options: json!({ "training_type": training_type, "tabella": env!("CARGO_PKG_VERSION") }),
        inputs,
        turn: Turn::Usual,
        places: TaskPlaces::default(),
        run: Box::new(move |context| run(context, &files, &response_files, training_type)),
    })
}

fn pipeline_leaf(project: &Arc<Project>, pipeline: Pipeline) -> Leaf {
    let (project, pipeline) = (Arc::clone(project), Arc::new(pipeline));
    Leaf::of_value(Arc::clone(&pipeline)).with_items(move || {
        let mut items = pieces::components(&pipeline.1, &project.config.pipeline);
        items.0.push(pieces::single("language", &pipeline.0));
        items
    })
}

fn policies_leaf(project: &Arc<Project>, policies: Entries) -> Leaf {
    let (project, policies) = (Arc::clone(project), Arc::new(policies));
    Leaf::of_value(Arc::clone(&policies))
        .with_items(move || pieces::components(&policies, &project.config.policies))
}

fn half_leaf(half: Half) -> Leaf {
    let half = Arc::new(half);
    Leaf::of_value(Arc::clone(&half))
        .with_items(move || pieces::halves(half.config, half.domain, half.labels, half.data))
}

/// Returns the part that is stale when the input of this role changes; `None`
/// for what concerns all.
pub fn part_of_role(role: &str) -> Option<Part> {
    if role == "responses" {
        Some(Part::Responses)
    } else if role.starts_with("core") {
        Some(Part::Core)
    } else if role.starts_with("nlu") {
        Some(Part::Nlu)
    } else {
        None
    }
}

fn run(
    context: &TaskContext<'_>,
    files: &[Packaged],
    response_files: &[String],
    training_type: TrainingType,
) -> Result<Outputs, TaskError> {
    let model = model(context, files, response_files, training_type)?;
    let Packed {
        bytes,
        digest,
        training_type,
    } = pack(&model).map_err(TaskError::failed)?;
    let record = PackageRecord {
        manifest: digest,
        file: Digest::of(&bytes),
        training_type,
        fingerprint: model.fingerprint,
    };
    let record = serde_json::to_vec(&record).map_err(TaskError::failed)?;
    Ok(Outputs::from([
        (ARCHIVE.to_owned(), bytes),
        (RECORD.to_owned(), record),
    ]))
}

/// Puts the model together from what the tasks made.
fn model(
    context: &TaskContext<'_>,
    files: &[Packaged],
    response_files: &[String],
    training_type: TrainingType,
) -> Result<Model, TaskError> {
    let (mut core, mut nlu) = (BTreeMap::new(), BTreeMap::new());
    for file in files {
        let bytes = context.bytes(&file.path)?.to_vec();
        match file.path.split_once('/') {
            Some(("core", path)) => core.insert(path.to_owned(), bytes),
            Some((_, path)) => nlu.insert(path.to_owned(), bytes),
            None => return Err(TaskError::message(format!("no folder in `{}`", file.path))),
        };
    }
    let assistant_id = context.value::<Identity>("assistant")?.clone();
    let mut metadata = Metadata {
        archive_format: crate::archive::ARCHIVE_FORMAT,
        tabella_version: env!("CARGO_PKG_VERSION").to_owned(),
        rasa_formats: Default::default(),
        training_type,
        assistant_id,
        language: None,
        pipeline: Vec::new(),
        policies: Vec::new(),
    };
    let (mut core_half, mut nlu_half, mut nlg) = (None, None, None);
    if training_type != TrainingType::Core {
        let (language, pipeline) = context.value::<Pipeline>("nlu: pipeline")?;
        metadata.language = language.clone();
        metadata.pipeline = pipeline.clone();
        nlu_half = Some(context.value::<Half>("nlu: fingerprint")?);
        let responses: &Responses = context.value("nlu: responses")?;
        for path in response_files {
            let below = path.strip_prefix("nlu/").unwrap_or(path);
            nlu.insert(below.to_owned(), responses.to_json());
        }
        if let Ok(data) = context.value::<NluData>("nlu: training data") {
            nlu.insert("training_data.json".to_owned(), json_file(data)?);
        }
    }
    if training_type != TrainingType::Nlu {
        metadata.policies = context.value::<Entries>("core: policies")?.clone();
        core_half = Some(context.value::<Half>("core: fingerprint")?);
        let responses: &BTreeMap<String, Vec<Response>> = context.value("responses")?;
        nlg = Some(Digest::of_value(responses));
        core.insert(
            "domain.json".to_owned(),
            json_file(context.value::<Domain>("core: domain")?)?,
        );
        core.insert("responses.json".to_owned(), json_file(responses)?);
    }
    let fingerprint = fingerprint(core_half, nlu_half, nlg);
    Ok(Model {
        core,
        nlu,
        fingerprint,
        metadata,
    })
}

/// The keys of Rasa 2.x's `fingerprint.json`. A half that was not trained has
/// the digests of nothing.
fn fingerprint(core: Option<&Half>, nlu: Option<&Half>, nlg: Option<Digest>) -> Fingerprint {
    let nothing = Digest::of_value(&());
    let of = |half: Option<&Half>, pick: fn(&Half) -> Option<Digest>| {
        half.and_then(pick).unwrap_or(nothing)
    };
    let without_epochs = (
        of(core, |half| Some(half.config_without_epochs)),
        of(nlu, |half| Some(half.config_without_epochs)),
    );
    Fingerprint {
        config: nothing,
        core_config: of(core, |half| Some(half.config)),
        nlu_config: of(nlu, |half| Some(half.config)),
        config_without_epochs: Digest::of_value(&without_epochs),
        domain: of(core, |half| half.domain),
        nlg: nlg.unwrap_or(nothing),
        project: Unrecorded,
        messages: of(nlu, |half| Some(half.data)),
        nlu_labels: of(nlu, |half| half.labels),
        stories: of(core, |half| Some(half.data)),
        trained_at: Unrecorded,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn json_file<T: Serialize>(value: &T) -> Result<Vec<u8>, TaskError> {
    serde_json::to_vec_pretty(value).map_err(TaskError::failed)
}

fn nlu_half(project: &Project, slices: &Slices, pipeline: &[ComponentEntry]) -> Half {
    let language = &project.config.language;
    let digests = [
        slices.messages.digest(),
        slices.annotated.digest(),
        slices.patterns.digest(),
        slices.synonyms.digest(),
        slices.retrieval_responses.digest(),
    ];
    Half {
        config: Digest::of_value(&(language, options(pipeline))),
        config_without_epochs: Digest::of_value(&(language, without_epochs(pipeline))),
        domain: None,
        labels: Some(labels(project)),
        data: Digest::of_value(&digests),
    }
}

fn core_half(slices: &Slices, policies: &[ComponentEntry]) -> Half {
    Half {
        config: Digest::of_value(&options(policies)),
        config_without_epochs: Digest::of_value(&without_epochs(policies)),
        domain: Some(slices.domain.digest()),
        labels: None,
        data: slices.stories.digest(),
    }
}

/// Names and options after defaults.
fn options(entries: &[ComponentEntry]) -> Vec<(&str, &Options)> {
    entries
        .iter()
        .map(|entry| (entry.name.as_str(), &entry.options))
        .collect()
}

fn without_epochs(entries: &[ComponentEntry]) -> Vec<(&str, Options)> {
    let without = |entry: &ComponentEntry| {
        let mut options = entry.options.clone();
        options.remove("epochs");
        options
    };
    entries
        .iter()
        .map(|entry| (entry.name.as_str(), without(entry)))
        .collect()
}

/// Intents, entities, roles and groups of the NLU data, each sorted.
fn labels(project: &Project) -> Digest {
    let examples = &project.nlu.examples;
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.dedup();
        names
    };
    let intents = sorted(
        examples
            .iter()
            .filter_map(|example| example.intent.clone())
            .collect(),
    );
    let annotations = || examples.iter().flat_map(|example| &example.entities);
    let entities = sorted(annotations().map(|entity| entity.entity.clone()).collect());
    let roles = sorted(
        annotations()
            .filter_map(|entity| entity.role.clone())
            .collect(),
    );
    let groups = sorted(
        annotations()
            .filter_map(|entity| entity.group.clone())
            .collect(),
    );
    Digest::of_value(&(intents, entities, roles, groups))
}
