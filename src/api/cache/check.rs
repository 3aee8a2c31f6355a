//! Whether a cache is sound: compared with itself, and with what tasks give
//! when they run again.

use std::path::PathBuf;

use serde::Serialize;

use crate::api::Notice;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::cache::folder;
use crate::api::cache::lossy;
use crate::api::cache::open;
use crate::api::cache::planned;
use crate::digest::Digest;
use crate::engine::Manifest;
use crate::engine::Recheck;
use crate::engine::Verdict;
use crate::engine::recheck;
use crate::engine::sample;
use crate::store::Access;
use crate::store::CacheError;
use crate::store::CheckSettings;
use crate::store::Problem;
use crate::store::ResultRow;
use crate::store::Store;
use crate::store::Verification;
use crate::store::Warning;

/// What a check of the cache found (`schemas/cache-check.schema.json`).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CacheCheck {
    /// The version of this form: 1.
    pub check_version: u32,
    /// Where the cache is.
    #[serde(serialize_with = "lossy")]
    pub folder: PathBuf,
    /// Whether everything was sound, or is now that the rest was dropped. What
    /// gave something else when it ran again is never forgiven.
    pub is_sound: bool,
    /// Whether what was bad has been dropped.
    pub is_repaired: bool,
    /// What was found.
    #[serde(flatten)]
    pub verification: Verification,
    /// The seed that the sample of tasks was drawn with; none if there was none.
    pub seed: Option<u64>,
    /// Tasks that ran again, in the order of the graph.
    pub reruns: Vec<RecheckReport>,
}

/// Which part of the project's fresh tasks runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How much of them, from 1 to 100.
    pub percent: u32,
    /// The same seed draws the same sample of the same tasks.
    pub seed: u64,
}

/// A task that ran again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecheckReport {
    /// Its name.
    pub task: String,
    /// Its key.
    pub key: Digest,
    /// Whether it gave what the cache says.
    pub verdict: RecheckVerdict,
    /// The outputs that came out differently.
    pub different: Vec<RecheckedOutput>,
    /// Why it failed, or what it reads was lost; none otherwise.
    pub message: Option<String>,
}

/// Whether a task gave what the cache says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecheckVerdict {
    /// It did.
    Same,
    /// It gave something else.
    Different,
    /// It failed.
    Failed,
    /// It could not run.
    InputLost,
}

/// An output that came out differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecheckedOutput {
    /// Its name.
    pub output: String,
    /// Its digest in the cache, if it is there.
    pub stored: Option<Digest>,
    /// Its digest now, if the task gave it.
    pub again: Option<Digest>,
}

/// Checks the whole cache, and with `sample` runs that part of the
/// project's fresh tasks again. With `repair` what is bad is dropped: damaged
/// bytes, results without them, and results that came out differently. None if
/// there is no cache.
///
/// # Errors
///
/// If the cache cannot be opened, tasks are to run again and the project cannot
/// be read, or the check was interrupted.
pub fn check_cache(
    options: &TrainOptions,
    repair: bool,
    sample: Option<Sample>,
) -> Result<Option<CacheCheck>, TrainError> {
    let run = &options.run;
    let mut check = CacheCheck {
        check_version: 1,
        folder: folder(run)?,
        is_sound: true,
        is_repaired: false,
        verification: Verification::default(),
        seed: sample.map(|sample| sample.seed),
        reruns: Vec::new(),
    };
    let access = if repair {
        Access::ReadWrite
    } else {
        Access::ReadOnly
    };
    let store = match open(run, access) {
        Ok(Some(store)) => store,
        Ok(None) => return Ok(None),
        Err(CacheError::Unusable(Warning::Damaged { cause, .. })) => {
            check
                .verification
                .problems
                .push(Problem::Database { cause });
            check.is_sound = false;
            return Ok(Some(check));
        }
        Err(error) => return Err(error.into()),
    };
    let settings = CheckSettings {
        key_of: &|row| described_key(&store, row),
        is_cancelled: &|| run.cancel.is_set(),
    };
    check.verification = store.check(&settings)?;
    if run.cancel.is_set() {
        return Err(TrainError::Interrupted);
    }
    if repair && !check.verification.problems.is_empty() {
        check.is_repaired = store.repair(&check.verification.problems);
    }
    if let Some(sample) = sample {
        check.reruns = rerun(options, &store, sample, repair)?;
    }
    let is_same = |rerun: &RecheckReport| rerun.verdict == RecheckVerdict::Same;
    let is_whole = check.is_repaired || check.verification.problems.is_empty();
    check.is_sound = is_whole && check.reruns.iter().all(is_same);
    for warning in store.take_warnings() {
        run.observer.tell(Notice::Warning(warning.to_string()));
    }
    Ok(Some(check))
}

/// Returns the key that the description of a result gives. A result without one
/// was repaired, and is taken at its word.
fn described_key(store: &Store, row: &ResultRow) -> Option<Digest> {
    let Some(digest) = row.manifest.get(Manifest::NAME) else {
        return Some(row.key);
    };
    let manifest: Manifest = serde_json::from_slice(&store.blob(*digest)?).ok()?;
    Some(manifest.key())
}

/// Runs a sample of the project's fresh tasks again.
fn rerun(
    options: &TrainOptions,
    store: &Store,
    part: Sample,
    repair: bool,
) -> Result<Vec<RecheckReport>, TrainError> {
    let planned = planned(options, store)?;
    let ids = sample(&planned.plan, part.percent, part.seed);
    let observer = &options.run.observer;
    let on_event = |event| observer.tell(Notice::Task(event));
    let cancel = &options.run.cancel;
    let rechecks = recheck(
        &planned.graph,
        &planned.plan,
        store,
        &ids,
        cancel,
        &on_event,
    );
    if cancel.is_set() {
        return Err(TrainError::Interrupted);
    }
    let is_different = |one: &&Recheck| matches!(one.verdict, Verdict::Different(_));
    let bad: Vec<Digest> = rechecks
        .iter()
        .filter(is_different)
        .map(|one| one.key)
        .collect();
    if repair {
        store.forget(&bad);
    }
    let name = |one: &Recheck| planned.graph.task(one.task).name.clone();
    Ok(rechecks.iter().map(|one| report(name(one), one)).collect())
}

fn report(task: String, recheck: &Recheck) -> RecheckReport {
    let mut report = RecheckReport {
        task,
        key: recheck.key,
        verdict: RecheckVerdict::Same,
        different: Vec::new(),
        message: None,
    };
    match &recheck.verdict {
        Verdict::Same => {}
        Verdict::Different(differences) => {
            report.verdict = RecheckVerdict::Different;
            let outputs = differences.iter().map(|one| RecheckedOutput {
                output: one.output.clone(),
                stored: one.stored,
                again: one.again,
            });
            report.different = outputs.collect();
        }
        Verdict::Failed(message) => {
            report.verdict = RecheckVerdict::Failed;
            report.message = Some(message.clone());
        }
        Verdict::InputLost { role } => {
            report.verdict = RecheckVerdict::InputLost;
            report.message = Some(format!("the cache has lost `{role}`, which it reads"));
        }
    }
    report
}
