//! Carrying results from one cache to another, as one file.

use std::path::Path;

use serde::Serialize;

use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::cache::folder;
use crate::api::cache::open;
use crate::api::cache::planned;
use crate::api::in_project;
use crate::engine::Manifest;
use crate::store::Access;
use crate::store::Bundle;
use crate::store::BundleFlaw;
use crate::store::Bundled;
use crate::store::CacheError;
use crate::store::Export;
use crate::store::Imported;
use crate::store::Store;
use crate::store::StoreSettings;
use crate::store::Warning;

/// What was exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CacheExport {
    /// What the file holds.
    #[serde(flatten)]
    pub file: Bundled,
    /// How many tasks the project has.
    pub tasks: usize,
    /// The tasks whose result is not in the cache.
    pub missing: Vec<String>,
    /// Results that were left out because the cache has damaged them.
    pub damaged: usize,
}

/// Writes the results that a training of the project would find now to a file,
/// and nothing else of the cache.
///
/// # Errors
///
/// If the project or the cache cannot be read, there is no result, or the file
/// cannot be written.
pub fn export_cache(options: &TrainOptions, path: &Path) -> Result<CacheExport, TrainError> {
    let run = &options.run;
    let Some(store) = open(run, Access::ReadOnly)? else {
        let folder = folder(run)?;
        return Err(CacheError::NothingToExport { folder }.into());
    };
    let planned = planned(options, &store)?;
    let path = in_project(&run.project, path);
    let keys = planned.fresh_keys();
    let file = store.export(&keys, Export::Cache, &path)?;
    let stale = planned.plan.stale();
    let missing = stale.map(|task| planned.graph.task(task.id).name.clone());
    Ok(CacheExport {
        file,
        tasks: planned.graph.len(),
        missing: missing.collect(),
        damaged: keys.len() - file.results,
    })
}

/// Takes over what an export wrote. The whole file is verified before anything
/// is kept; a result that is here already stays as it is.
///
/// # Errors
///
/// If the file is not exactly as an export writes it, or the cache cannot be
/// written to.
pub fn import_cache(run: &RunSettings, path: &Path) -> Result<Imported, TrainError> {
    let bundle = open_bundle(&in_project(&run.project, path))?;
    let folder = folder(run)?;
    let store = Store::open(&StoreSettings::new(folder, Access::ReadWrite));
    let refusal = store.take_warnings().into_iter().find(|warning| {
        let is_usable = matches!(
            warning,
            Warning::NoLog { .. }
                | Warning::Damaged {
                    moved_to: Some(_),
                    ..
                }
        );
        !is_usable
    });
    if let Some(warning) = refusal {
        return Err(CacheError::Unusable(warning).into());
    }
    Ok(bundle.import_into(&store)?)
}

/// Opens what an export wrote, and verifies all of it.
///
/// # Errors
///
/// If the file is not exactly as an export writes it.
pub fn open_bundle(path: &Path) -> Result<Bundle, CacheError> {
    let bundle = Bundle::open(path)?;
    check_keys(&bundle)?;
    Ok(bundle)
}

/// Refuses a file in which a result stands under a key that its own description
/// does not give.
///
/// # Errors
///
/// If there is one, or the file cannot be read.
pub fn check_keys(bundle: &Bundle) -> Result<(), CacheError> {
    for result in bundle.results() {
        let Some(digest) = result.manifest.get(Manifest::NAME) else {
            // It was lost before the export.
            continue;
        };
        let manifest: Option<Manifest> = serde_json::from_slice(&bundle.blob(*digest)?).ok();
        if manifest.is_none_or(|manifest| manifest.key() != result.key) {
            return Err(bundle.flaw(BundleFlaw::WrongKey {
                key: result.key,
                kind: result.kind.clone(),
            }));
        }
    }
    Ok(())
}
