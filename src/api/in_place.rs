//! The archive of a training: the one that is in place, and putting one there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::api::TrainError;
use crate::api::run_tasks::packaged;
use crate::api::training::Prepared;
use crate::api::training::Training;
use crate::api::training::in_project;
use crate::archive::Packed;
use crate::archive::TrainingType;
use crate::archive::archive_path;
use crate::archive::holds;
use crate::archive::latest_model;
use crate::archive::place;
use crate::archive::read_model;
use crate::digest::Digest;
use crate::engine::Planned;
use crate::engine::Results;
use crate::recipe::ARCHIVE;
use crate::recipe::PackageRecord;
use crate::recipe::Part;
use crate::recipe::RECORD;
use crate::recipe::Recipe;
use crate::recipe::fingerprint_parts;
use crate::store::RemoteStore;
use crate::store::Store;

impl Training<'_> {
    /// Returns the archive that a training would replace or be beside.
    pub fn model_in_place(&self, kind: TrainingType) -> Option<PathBuf> {
        let out = in_project(&self.run.project, self.output);
        let fixed = self
            .fixed_name
            .and_then(|name| archive_path(&out, Some(name), kind, &Digest::of(b"")).ok());
        fixed
            .filter(|path| path.exists())
            .or_else(|| latest_model(&out).ok())
    }

    /// Returns the parts that differ from the archive in place although no task
    /// is stale.
    pub(super) fn stale_beyond_tasks(
        &self,
        in_place: &Path,
        prepared: &Prepared,
    ) -> BTreeSet<Part> {
        let Prepared {
            recipe,
            plan,
            store,
            training_type,
            ..
        } = prepared;
        let all = || Part::of(*training_type);
        let package = plan.task(recipe.package);
        if package.is_stale() {
            return BTreeSet::new();
        }
        let record = record_of(package, store, self.run.remote());
        let Some(record) = record else {
            return match package.is_fresh() {
                true => BTreeSet::new(),
                false => all(),
            };
        };
        if holds(in_place, &record.file) {
            return BTreeSet::new();
        }
        match read_model(in_place) {
            Ok(model) => {
                let parts = fingerprint_parts(&model.fingerprint, &record.fingerprint);
                if parts.is_empty() { all() } else { parts }
            }
            Err(_) => all(),
        }
    }

    /// Writes the archive unless it is there; returns its path and whether it
    /// had to be written.
    pub(super) fn put_in_place(
        &self,
        recipe: &Recipe,
        results: &Results<'_>,
        record: &PackageRecord,
    ) -> Result<(PathBuf, bool), TrainError> {
        let archive = || packaged(recipe, results, ARCHIVE);
        if let Some(folder) = self.train_path {
            return self.unpack_into(&in_project(&self.run.project, folder), &archive()?);
        }
        let out = in_project(&self.run.project, self.output);
        let path = archive_path(
            &out,
            self.fixed_name,
            record.training_type,
            &record.manifest,
        )?;
        if holds(&path, &record.file) {
            crate::archive::point_to(&path)?;
            return Ok((path, false));
        }
        let packed = Packed {
            bytes: archive()?.to_vec(),
            digest: record.manifest,
            training_type: record.training_type,
        };
        let placed = place(&packed, &out, self.fixed_name)?;
        Ok((placed.path, placed.is_new))
    }

    /// Writes the files of the archive into a folder, as Rasa does when it is
    /// given `train_path`.
    fn unpack_into(&self, folder: &Path, archive: &[u8]) -> Result<(PathBuf, bool), TrainError> {
        let model = crate::archive::unpack(
            archive,
            archive.len() as u64,
            &crate::archive::Limits::default(),
        )?;
        for (half, files) in [("core", &model.core), ("nlu", &model.nlu)] {
            for (name, bytes) in files {
                let path = folder.join(half).join(name);
                let write = || {
                    fs::create_dir_all(path.parent().unwrap_or(folder))?;
                    fs::write(&path, bytes)
                };
                write().map_err(|source| TrainError::Write {
                    path: path.clone(),
                    source,
                })?;
            }
        }
        Ok((folder.to_owned(), true))
    }
}

/// Reads the record of the package task.
pub fn package_record(recipe: &Recipe, results: &Results<'_>) -> Result<PackageRecord, TrainError> {
    let record = packaged(recipe, results, RECORD)?;
    serde_json::from_slice(&record).map_err(|error| TrainError::Task {
        task: "package".to_owned(),
        message: error.to_string(),
        is_bug: true,
    })
}

/// Reads the record of a package task that need not run: from the cache, or from
/// the remote one. Nothing is kept.
fn record_of(
    package: &Planned,
    store: &Store,
    remote: Option<&dyn RemoteStore>,
) -> Option<PackageRecord> {
    let bytes = match &package.remote {
        Some(result) => remote?.fetch(&[*result.outputs.get(RECORD)?])?.pop()?,
        None => {
            let record = store.result(package.key?)?.outputs.get(RECORD)?.digest;
            store.blob(record)?
        }
    };
    serde_json::from_slice(&bytes).ok()
}
