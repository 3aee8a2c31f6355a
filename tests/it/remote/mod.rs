//! A remote cache is shared by machines, costs little when it fails, and never
//! fails a training. Real servers, and some that lie.
#![cfg(unix)]

mod executor;
mod liar;
mod proxy;
mod reapi;
mod servers;

mod auth;
mod execution;
mod faults;
mod lying_executor;
mod grpc;
mod sent_files;
mod sharing;
mod tls;
mod workspace;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use tabella::api;
use tabella::api::Notice;
use tabella::api::Observer;
use tabella::api::TrainError;
use tabella::api::TrainOptions;
use tabella::api::TrainingResult;
use tabella::data::Remote;
use tabella::data::RemoteMode;
use tabella::remote::RemoteCache;

use crate::workbench::Workbench;

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: LogisticRegressionClassifier
policies:
- name: MemoizationPolicy
- name: RulePolicy
";

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet, bye]
responses:
  utter_greet: [{text: hi}]
  utter_bye: [{text: bye}]
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - good day
    - hi there
- intent: bye
  examples: |
    - goodbye
    - see you
    - so long
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: short
  steps:
  - intent: greet
  - action: utter_greet
  - intent: bye
  - action: utter_bye
";

/// A checkout on a machine of its own: a folder and a cache that no other has.
pub struct Machine {
    pub bench: Workbench,
    told: Arc<Mutex<Vec<String>>>,
}

impl Machine {
    pub fn new() -> Self {
        let bench = Workbench::new(&[
            ("config.yml", CONFIG),
            ("domain.yml", DOMAIN),
            ("data/nlu.yml", NLU),
            ("data/stories.yml", STORIES),
        ]);
        Self {
            bench,
            told: Arc::default(),
        }
    }

    /// Returns the options of a training with this remote cache.
    pub fn options(&self, remote: &Remote) -> TrainOptions {
        let mut options = self.bench.options();
        let cancel = options.run.cancel.clone();
        let cache = RemoteCache::new(remote, &|_| None, move || cancel.is_set()).unwrap();
        options.run.remote = Some(Arc::new(cache));
        let (told, observer) = (Arc::clone(&self.told), options.run.observer.clone());
        options.run.observer = Observer::new(move |notice| {
            match &notice {
                Notice::Warning(text) | Notice::Info(text) => {
                    told.lock().unwrap().push(text.clone())
                }
                Notice::Task(tabella::engine::Event::StoreWarning { warning }) => {
                    told.lock().unwrap().push(warning.to_string());
                }
                _ => {}
            }
            observer.tell(notice);
        });
        options
    }

    /// Trains with a remote cache.
    pub fn try_train(&self, remote: &Remote) -> Result<TrainingResult, TrainError> {
        self.told.lock().unwrap().clear();
        self.bench.train_with(&self.options(remote))
    }

    #[track_caller]
    pub fn train(&self, remote: &Remote) -> TrainingResult {
        self.try_train(remote).unwrap()
    }

    /// Tells what is stale with a remote cache.
    #[track_caller]
    pub fn dry_run(&self, remote: &Remote) -> TrainingResult {
        let mut options = self.options(remote);
        options.dry_run = true;
        api::train(&options).unwrap()
    }

    /// Returns what was told in the last training apart from its tasks.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// Returns the warnings about the remote cache in the last training.
    pub fn warnings(&self) -> Vec<String> {
        let mut told = self.told();
        told.retain(|text| text.starts_with("remote cache"));
        told
    }

    /// Returns the models that there are, by name.
    pub fn models(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.bench.files("models").into_iter();
        let archives = files.filter(|(path, _)| path.extension().is_some_and(|end| end == "gz"));
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        archives.map(|(path, bytes)| (name(&path), bytes)).collect()
    }
}

pub fn reading(url: impl Into<String>) -> Remote {
    Remote {
        timeout_ms: 20_000,
        ..Remote::new(url)
    }
}

pub fn writing(url: impl Into<String>) -> Remote {
    Remote {
        mode: RemoteMode::ReadWrite,
        ..reading(url)
    }
}

/// Returns what it gives and how long it takes.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let since = Instant::now();
    let done = work();
    (done, since.elapsed())
}
