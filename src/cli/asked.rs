//! What a training was asked for, whichever half is trained: what a watcher looks
//! at, and what the stream of events begins with.

use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::api::CacheSettings;
use crate::api::RunSettings;
use crate::cli::args::Half;
use crate::cli::args::OutputFlags;
use crate::cli::args::TrainArguments;

/// The flags that all trainings share, and what only some have.
pub struct Asked<'a> {
    want: &'static str,
    /// The configuration file.
    pub config: &'a Path,
    /// Domain files and folders.
    pub domain: &'a [PathBuf],
    /// Data files and folders.
    pub data: &'a [PathBuf],
    /// Where the archive goes.
    pub output: &'a OutputFlags,
    /// Whether every task is to run.
    pub force: bool,
    /// Whether it is only to be told what is stale.
    pub dry_run: bool,
    others: Vec<(&'static str, Value)>,
}

impl<'a> Asked<'a> {
    /// Returns what the arguments ask for.
    pub fn of(arguments: &'a TrainArguments) -> Self {
        match &arguments.half {
            None => {
                let flags = &arguments.both;
                Self {
                    want: "all",
                    config: &flags.config,
                    domain: &flags.domain,
                    data: &flags.data,
                    output: &flags.output,
                    force: flags.force,
                    dry_run: flags.dry_run,
                    others: vec![
                        ("augmentation", json!(flags.augmentation)),
                        ("persist_nlu_data", json!(flags.persist_nlu_data)),
                        ("num_threads", json!(flags.num_threads)),
                    ],
                }
            }
            Some(Half::Nlu(flags)) => Self {
                want: "nlu",
                config: &flags.config,
                domain: &flags.domain,
                data: &flags.nlu,
                output: &flags.output,
                force: flags.force,
                dry_run: flags.dry_run,
                others: vec![
                    ("persist_nlu_data", json!(flags.persist_nlu_data)),
                    ("num_threads", json!(flags.num_threads)),
                ],
            },
            Some(Half::Core(flags)) => Self {
                want: "core",
                config: &flags.config,
                domain: &flags.domain,
                data: &flags.stories,
                output: &flags.output,
                force: flags.force,
                dry_run: flags.dry_run,
                others: vec![("augmentation", json!(flags.augmentation))],
            },
        }
    }

    /// Returns all of it as one object, defaults included. Paths need not be text;
    /// what is not is shown as well as it can be.
    pub fn options(&self, run: &RunSettings, keep_going: bool) -> Value {
        let shown = |path: &Path| path.display().to_string();
        let all =
            |paths: &[PathBuf]| -> Vec<String> { paths.iter().map(|path| shown(path)).collect() };
        let mut options = json!({
            "want": self.want,
            "config": shown(self.config),
            "domain": all(self.domain),
            "data": all(self.data),
            "out": shown(&self.output.out),
            "fixed_model_name": self.output.fixed_model_name,
            "dry_run": self.dry_run,
            "force": self.force,
            "project": shown(&run.project),
            "cache": match &run.cache {
                CacheSettings::Folder(folder) => Some(shown(folder)),
                CacheSettings::Off => None,
            },
            "remote": run.remote.as_ref().map(|remote| remote.address()),
            "jobs": run.jobs,
            "max_memory": run.memory.map(|memory| memory.max_bytes),
            "keep_going": keep_going,
        });
        for (name, value) in &self.others {
            options[*name] = value.clone();
        }
        options
    }
}
