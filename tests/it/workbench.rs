//! A project in a temporary folder, trained through the public API, with the
//! log of what happened.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;

use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::CrossValidation;
use tabella::api::Notice;
use tabella::api::Observer;
use tabella::api::TrainError;
use tabella::api::TrainOptions;
use tabella::api::TrainingResult;
use tabella::api::Validation;
use tabella::diagnostic::Severity;
use tabella::engine::Event;
use tempfile::TempDir;

/// The program in a folder, with a cache and nothing else of this process's
/// surroundings.
pub fn program(folder: &Path, cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tabella"));
    command
        .env_clear()
        .env("TABELLA_CACHE_DIR", cache)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// An assistant in a folder of its own, with a cache beside it.
pub struct Workbench {
    folder: TempDir,
    cache: PathBuf,
    log: Arc<Mutex<Vec<String>>>,
}

impl Workbench {
    /// Returns a workbench with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        Self::within(TempDir::new().unwrap(), files)
    }

    /// Returns a workbench in a folder whose name has a space, an apostrophe and a dollar.
    pub fn oddly_named(files: &[(&str, &str)]) -> Self {
        Self::within(TempDir::with_prefix("it's a $folder ").unwrap(), files)
    }

    fn within(folder: TempDir, files: &[(&str, &str)]) -> Self {
        let cache = folder.path().join("cache");
        let bench = Self {
            folder,
            cache,
            log: Arc::default(),
        };
        for (path, text) in files {
            bench.write(path, text);
        }
        bench
    }

    /// Returns a workbench with a copy of a project that lies elsewhere.
    pub fn copy_of(source: &Path) -> Self {
        Self::new(&[]).with_copy_of(source)
    }

    /// Adds a copy of a project that lies elsewhere.
    pub fn with_copy_of(self, source: &Path) -> Self {
        for entry in walkdir::WalkDir::new(source) {
            let entry = entry.unwrap();
            if entry.file_type().is_file() {
                let path = entry.path().strip_prefix(source).unwrap();
                let target = self.root().join(path);
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                // By content: the originals may be read-only.
                fs::write(target, fs::read(entry.path()).unwrap()).unwrap();
            }
        }
        self
    }

    /// Returns the project's folder.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Returns the cache's folder.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: &str) {
        let target = self.root().join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, text).unwrap();
    }

    /// Reads a file of the project.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    /// Removes a file or folder of the project.
    pub fn remove(&self, path: &str) {
        let target = self.root().join(path);
        if target.is_dir() {
            fs::remove_dir_all(target).unwrap();
        } else {
            fs::remove_file(target).unwrap();
        }
    }

    /// Returns every file below a folder of the project, by its path in the
    /// project; none if the folder is not there.
    pub fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = walkdir::WalkDir::new(self.root().join(folder)).into_iter();
        let files = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file());
        let file = |entry: walkdir::DirEntry| {
            let path = entry.path().strip_prefix(self.root()).unwrap();
            (path.to_owned(), fs::read(entry.path()).unwrap())
        };
        files.map(file).collect()
    }

    /// Puts files in the place of others.
    pub fn put(&self, old: &BTreeMap<PathBuf, Vec<u8>>, new: &BTreeMap<PathBuf, Vec<u8>>) {
        for path in old.keys().filter(|path| !new.contains_key(*path)) {
            fs::remove_file(self.root().join(path)).unwrap();
        }
        for (path, bytes) in new
            .iter()
            .filter(|(path, bytes)| old.get(*path) != Some(bytes))
        {
            let target = self.root().join(path);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, bytes).unwrap();
        }
    }

    /// Replaces a piece of a file, which must be there exactly once.
    #[track_caller]
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert_eq!(text.matches(old).count(), 1, "`{old}` in {path}:\n{text}");
        self.write(path, &text.replace(old, new));
    }

    /// Appends to a file.
    pub fn append(&self, path: &str, more: &str) {
        self.write(path, &(self.read(path) + more));
    }

    /// Returns the options of a training of this project with its own cache.
    pub fn options(&self) -> TrainOptions {
        let mut options = TrainOptions::default();
        options.run.project = self.root();
        options.run.cache = CacheSettings::Folder(self.cache.clone());
        options.run.jobs = Some(1);
        let log = Arc::clone(&self.log);
        options.run.observer = Observer::new(move |notice| {
            if let Notice::Task(event) = &notice
                && !matches!(event, Event::Loaded { .. } | Event::Stored { .. })
            {
                log.lock().unwrap().push(event.to_string());
            }
        });
        options
    }

    /// Returns options for so many folds of the NLU data.
    pub fn folds(&self, folds: usize) -> CrossValidation {
        CrossValidation {
            nlu: vec!["data".into()],
            config: "config.yml".into(),
            domain: vec!["domain.yml".into()],
            folds,
            seed: 0,
            num_threads: Some(1),
            out_of_scope: Vec::new(),
            validation: Validation::default(),
            run: self.options().run,
        }
    }

    /// Trains and returns the outcome.
    pub fn train(&self) -> Result<TrainingResult, TrainError> {
        self.train_with(&self.options())
    }

    /// Trains with these options, made from [`options`](Self::options), and
    /// returns the outcome.
    pub fn train_with(&self, options: &TrainOptions) -> Result<TrainingResult, TrainError> {
        self.log.lock().unwrap().clear();
        api::train(options)
    }

    /// Trains, and returns the archive's bytes.
    #[track_caller]
    pub fn archive(&self) -> Vec<u8> {
        let result = self.train().unwrap();
        fs::read(result.model.expect("a training gives a model")).unwrap()
    }

    /// Trains with an empty cache into another folder; returns the archive.
    #[track_caller]
    pub fn clean_archive(&self) -> Vec<u8> {
        let other = TempDir::new().unwrap();
        let mut options = self.options();
        options.run.cache = CacheSettings::Folder(other.path().join("cache"));
        options.run.observer = Observer::default();
        options.output = other.path().join("models");
        let result = api::train(&options).unwrap();
        fs::read(result.model.expect("a training gives a model")).unwrap()
    }

    /// Tells what is stale.
    #[track_caller]
    pub fn dry_run(&self) -> TrainingResult {
        let mut options = self.options();
        options.dry_run = true;
        api::train(&options).unwrap()
    }

    /// Trains, and returns the tasks of the pipeline that ran.
    pub fn ran_of_pipeline(&self) -> Vec<String> {
        self.train().unwrap();
        let log = self.log();
        let run = log
            .lines()
            .filter_map(|line| line.strip_prefix("run ")?.trim().split(':').next());
        let run = run.filter(|name| name.starts_with("nlu."));
        run.map(str::to_owned).collect()
    }

    /// Returns what the last training did, a line a task.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }
}

/// Returns the mistakes that a training names, a line each.
pub fn mistakes(error: &TrainError) -> String {
    let TrainError::Mistakes(findings) = error else {
        return error.to_string();
    };
    let errors = findings
        .diagnostics
        .iter()
        .filter(|one| one.severity == Severity::Error);
    let lines: Vec<String> = errors
        .map(|one| format!("{} {}: {}", one.code, one.place, one.message))
        .collect();
    lines.join("\n")
}
