//! The arguments of the training functions, with Rasa's names and defaults,
//! and how a run goes about its work.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::Observer;
use crate::api::Shared;
use crate::api::Validation;
use crate::api::WitnessSettings;
use crate::data::RemoteExec;
use crate::digest::Digest;
use crate::engine::CancelFlag;
use crate::engine::OnFailure;
use crate::import::REST_NS;
use crate::import::StampsProve;
use crate::import::stamps_prove;
use crate::remote::RemoteCache;
use crate::store::CacheLimits;
use crate::store::RemoteStore;

/// Rasa's default for how many stories are glued to how many others.
pub const DEFAULT_AUGMENTATION: usize = 50;

/// Arguments of [`train`](crate::api::train), as in Rasa 2.4 `rasa.train.train`.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Domain files or folders; earlier ones win where they disagree.
    pub domain: Vec<PathBuf>,
    /// The configuration file.
    pub config: PathBuf,
    /// Files and folders with NLU data, stories and rules.
    pub training_files: Vec<PathBuf>,
    /// Where the archive goes: a folder, or a file name that ends in `.tar.gz`.
    pub output: PathBuf,
    /// Tells what is stale instead of training; writes nothing.
    pub dry_run: bool,
    /// Runs every task again.
    pub force_training: bool,
    /// The archive's name, instead of one made from its content.
    pub fixed_model_name: Option<String>,
    /// Puts the NLU data into the archive.
    pub persist_nlu_training_data: bool,
    /// What Core training takes beside its data.
    pub core_additional_arguments: CoreArguments,
    /// What NLU training takes beside its data.
    pub nlu_additional_arguments: NluArguments,
    /// A model to start from: not there yet, answered with an error.
    pub model_to_finetune: Option<PathBuf>,
    /// The part of the epochs that finetuning would run.
    pub finetuning_epoch_fraction: f64,
    /// How the project is checked before anything trains.
    pub validation: Validation,
    /// Tabella's own: folder, cache, threads.
    pub run: RunSettings,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            domain: vec!["domain.yml".into()],
            config: "config.yml".into(),
            training_files: vec!["data".into()],
            output: "models".into(),
            dry_run: false,
            force_training: false,
            fixed_model_name: None,
            persist_nlu_training_data: false,
            core_additional_arguments: CoreArguments::default(),
            nlu_additional_arguments: NluArguments::default(),
            model_to_finetune: None,
            finetuning_epoch_fraction: 1.0,
            validation: Validation::default(),
            run: RunSettings::default(),
        }
    }
}

/// Arguments of [`train_core`](crate::api::train_core).
#[derive(Clone, Debug)]
pub struct TrainCoreOptions {
    /// Domain files or folders; earlier ones win where they disagree.
    pub domain: Vec<PathBuf>,
    /// The configuration file.
    pub config: PathBuf,
    /// Files and folders with stories and rules.
    pub stories: Vec<PathBuf>,
    /// Where the archive goes.
    pub output: PathBuf,
    /// A folder that gets the files unpacked, instead of an archive.
    pub train_path: Option<PathBuf>,
    /// The archive's name, instead of one made from its content.
    pub fixed_model_name: Option<String>,
    /// What training takes beside its data.
    pub additional_arguments: CoreArguments,
    /// A model to start from: not there yet, answered with an error.
    pub model_to_finetune: Option<PathBuf>,
    /// The part of the epochs that finetuning would run.
    pub finetuning_epoch_fraction: f64,
    /// Tabella's own: tells what is stale instead of training.
    pub dry_run: bool,
    /// Tabella's own: runs every task again.
    pub force_training: bool,
    /// How the project is checked before anything trains.
    pub validation: Validation,
    /// Tabella's own: folder, cache, threads.
    pub run: RunSettings,
}

impl Default for TrainCoreOptions {
    fn default() -> Self {
        let both = TrainOptions::default();
        Self {
            domain: both.domain,
            config: both.config,
            stories: both.training_files,
            output: both.output,
            train_path: None,
            fixed_model_name: None,
            additional_arguments: CoreArguments::default(),
            model_to_finetune: None,
            finetuning_epoch_fraction: 1.0,
            dry_run: false,
            force_training: false,
            validation: Validation::default(),
            run: RunSettings::default(),
        }
    }
}

/// Arguments of [`train_nlu`](crate::api::train_nlu).
#[derive(Clone, Debug)]
pub struct TrainNluOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// Files and folders with NLU data.
    pub nlu_data: Vec<PathBuf>,
    /// Where the archive goes.
    pub output: PathBuf,
    /// A folder that gets the files unpacked, instead of an archive.
    pub train_path: Option<PathBuf>,
    /// The archive's name, instead of one made from its content.
    pub fixed_model_name: Option<String>,
    /// Puts the NLU data into the archive.
    pub persist_nlu_training_data: bool,
    /// What training takes beside its data.
    pub additional_arguments: NluArguments,
    /// A domain, for the responses of retrieval intents.
    pub domain: Vec<PathBuf>,
    /// A model to start from: not there yet, answered with an error.
    pub model_to_finetune: Option<PathBuf>,
    /// The part of the epochs that finetuning would run.
    pub finetuning_epoch_fraction: f64,
    /// Tabella's own: tells what is stale instead of training.
    pub dry_run: bool,
    /// Tabella's own: runs every task again.
    pub force_training: bool,
    /// How the project is checked before anything trains.
    pub validation: Validation,
    /// Tabella's own: folder, cache, threads.
    pub run: RunSettings,
}

impl Default for TrainNluOptions {
    fn default() -> Self {
        let both = TrainOptions::default();
        Self {
            config: both.config,
            nlu_data: both.training_files,
            output: both.output,
            train_path: None,
            fixed_model_name: None,
            persist_nlu_training_data: false,
            additional_arguments: NluArguments::default(),
            domain: Vec::new(),
            model_to_finetune: None,
            finetuning_epoch_fraction: 1.0,
            dry_run: false,
            force_training: false,
            validation: Validation::default(),
            run: RunSettings::default(),
        }
    }
}

/// `core_additional_arguments`: what Core training takes beside its data.
#[derive(Clone, Debug)]
pub struct CoreArguments {
    /// How many stories are glued to others; 0 for none.
    pub augmentation_factor: usize,
}

impl Default for CoreArguments {
    fn default() -> Self {
        Self {
            augmentation_factor: DEFAULT_AUGMENTATION,
        }
    }
}

/// `nlu_additional_arguments`: what NLU training takes beside its data.
#[derive(Clone, Debug, Default)]
pub struct NluArguments {
    /// Threads for numeric work; `None` for one a core. The result does not
    /// depend on it.
    pub num_threads: Option<usize>,
}

/// How a run goes about its work; nothing here reaches a key or an archive.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The project's folder: relative paths start here, and places in messages
    /// are shown relative to it.
    pub project: PathBuf,
    /// Where results are kept.
    pub cache: CacheSettings,
    /// How much the cache may hold; what is beyond goes at most once a day, after
    /// a run that trained something.
    pub cache_limits: CacheLimits,
    /// Where results of others are found, if somewhere.
    pub remote: Option<Arc<RemoteCache>>,
    /// How tasks that take long run on the machines behind the remote cache, if
    /// they are to.
    pub remote_exec: Option<RemoteExec>,
    /// Tasks that may run at the same time, and threads for their numeric work
    /// unless those are given apart; `None` for one a core.
    pub jobs: Option<usize>,
    /// What to do when a task fails.
    pub on_failure: OnFailure,
    /// How much memory the process may take, by estimates; `None` for any.
    pub memory: Option<MemoryLimit>,
    /// The environment that `${NAME}` in the project's files is looked up in.
    pub environment: BTreeMap<String, String>,
    /// Cache and threads, if others that run beside this one use them, too.
    /// What is fresh in a dry run is then counted and not named.
    pub shared: Option<Arc<Shared>>,
    /// Whether it may be found out without reading the project that there is
    /// nothing to do.
    pub witness: WitnessSettings,
    /// How long a file must have been at rest when it was read for its stamp alone
    /// to be trusted later, in nanoseconds: more than a tick of the file system's
    /// clock.
    pub rest_ns: i64,
    /// Tells of which disks stamps prove anything.
    pub stamps_prove: StampsProve,
    /// Set from outside to stop soon; nothing half-written is left.
    pub cancel: CancelFlag,
    /// Who is told what happens.
    pub observer: Observer,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            project: PathBuf::from("."),
            cache: CacheSettings::Off,
            cache_limits: CacheLimits::default(),
            remote: None,
            remote_exec: None,
            jobs: None,
            shared: None,
            on_failure: OnFailure::Stop,
            memory: None,
            environment: BTreeMap::new(),
            witness: WitnessSettings::Off,
            rest_ns: REST_NS,
            stamps_prove,
            cancel: CancelFlag::default(),
            observer: Observer::default(),
        }
    }
}

impl RunSettings {
    /// Returns the remote cache as plans and runs know it.
    pub(super) fn remote(&self) -> Option<&dyn RemoteStore> {
        self.remote
            .as_deref()
            .map(|remote| remote as &dyn RemoteStore)
    }

    /// Returns the remote cache that results are handed to, if there is one.
    pub(super) fn handed_to(&self) -> Option<Digest> {
        self.remote.as_ref()?.handed_to()
    }
}

/// How much memory the process may take while tasks run.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimit {
    /// For the process as a whole, in bytes.
    pub max_bytes: u64,
    /// Tells how much the process has at the moment, in bytes.
    pub in_use: fn() -> u64,
}

/// Where results of tasks are kept between runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheSettings {
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere: every run starts from nothing.
    Off,
}
