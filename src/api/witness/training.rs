//! A training asks a witness before, and leaves one behind.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use crate::api::KnownBy;
use crate::api::Notice;
use crate::api::TrainingResult;
use crate::api::shared::glance;
use crate::api::shared::tell_warnings;
use crate::api::training::Prepared;
use crate::api::training::Training;
use crate::api::witness::KeyStem;
use crate::api::witness::Outcome;
use crate::api::witness::PutWitness;
use crate::api::witness::Question;
use crate::api::witness::Reader;
use crate::api::witness::Testimony;
use crate::api::witness::WitnessSettings;
use crate::api::witness::fresh;
use crate::api::witness::report;
use crate::api::witness::told;
use crate::api::witness::value_digest;
use crate::archive::pointer;
use crate::digest::Digest;
use crate::engine::Event;
use crate::engine::Plan;
use crate::engine::PlanSettings;
use crate::engine::TaskId;
use crate::engine::TaskRef;
use crate::engine::plan;
use crate::import::Disks;
use crate::import::Earlier;
use crate::import::FileStamp;
use crate::import::Look;
use crate::import::Looks;
use crate::import::Seen;
use crate::import::Times;
use crate::import::clock_ns;
use crate::recipe::Report;
use crate::store::NewWitness;
use crate::store::Store;
use crate::store::Witness;

impl Training<'_> {
    /// Returns the outcome without reading the project, if a witness knows it. A glance
    /// at the cache is enough, unless there is something to keep anew; a cache that
    /// has something to complain about is left to the run that opens it to train.
    pub fn as_witnessed(&self) -> Option<TrainingResult> {
        let is_asked = matches!(self.run.witness, WitnessSettings::Ask { .. });
        if !is_asked || self.force || self.train_path.is_some() {
            return None;
        }
        let glanced;
        let store: &Store = match &self.run.shared {
            Some(shared) => shared.store.as_deref()?,
            None => {
                glanced = glance(self.run)?;
                &glanced
            }
        };
        self.heard_in(store)
    }

    fn heard_in(&self, store: &Store) -> Option<TrainingResult> {
        let project = self.project_name();
        let witness = store.witness(&project)?;
        if witness.key != self.witness_key()? {
            return None;
        }
        let question = Question {
            root: &self.run.project,
            environment: &self.run.environment,
            times: Times {
                now_ns: clock_ns(),
                rest_ns: self.run.rest_ns,
                disks: &Disks::new(self.run.stamps_prove),
            },
            handed_to: self.run.handed_to().filter(|_| !self.dry_run),
        };
        let mut heard = question.hear(&witness)?;
        let report = self.report_as_before(&witness, store)?;
        if self.run.shared.is_none() && !store.take_warnings().is_empty() {
            return None;
        }
        if self.run.observer.wants().looks {
            let packed = heard.looks.as_deref().unwrap_or(witness.looks());
            let looks = Reader::new(packed, &self.run.project)?.testimony()?.looks;
            self.run.observer.tell(Notice::LookedAt(Arc::new(looks)));
        }
        let renewal = heard.renewal(&witness, store.today());
        if !self.dry_run && renewal.is_some() {
            self.store().renew_witnesses(renewal.as_slice());
        }
        if let Some(shared) = &self.run.shared {
            shared.keep(witness.results());
        }
        let by = heard.by;
        self.tell_as_before(store, project, &heard.outcome, &report, by);
        Some(self.result_as_before(heard.outcome, report))
    }

    /// Returns what the last run with a witness looked at, for files whose stamps say
    /// that they are as they were; nothing where everything is to be read.
    pub fn earlier(&self) -> Earlier {
        let trusts = matches!(
            self.run.witness,
            WitnessSettings::Ask { .. } | WitnessSettings::Asked { .. }
        );
        if !trusts {
            return Earlier::default();
        }
        let (run, name) = (self.run.clone(), self.project_name());
        let looks = move || {
            let shared = run.shared.as_ref().and_then(|shared| shared.store.clone());
            let store = shared.or_else(|| glance(&run).map(Arc::new));
            let witness = store.and_then(|store| store.witness(&name));
            let testimony =
                witness.and_then(|witness| Reader::new(witness.looks(), &run.project)?.testimony());
            testimony.map(|said| said.looks).unwrap_or_default()
        };
        Earlier::new(looks, self.run.rest_ns, self.run.stamps_prove)
    }

    /// Returns the report of a dry run that finds nothing stale. Beside others it
    /// names no tasks: what is fresh is only counted there.
    fn report_as_before(&self, witness: &Witness, store: &Store) -> Option<Report> {
        match self.run.shared {
            Some(_) => Some(fresh(Vec::new())),
            None => report(&store.told(witness)?, &store.costs(&witness.results())),
        }
    }

    /// Tells what the run would tell that finds nothing to do.
    fn tell_as_before(
        &self,
        store: &Store,
        project: String,
        outcome: &Outcome,
        report: &Report,
        by: KnownBy,
    ) {
        let observer = &self.run.observer;
        observer.tell(Notice::AsBefore {
            warnings: outcome.warning_count as usize,
            tasks: outcome.task_count as usize,
            by,
        });
        for text in &outcome.said {
            observer.tell(Notice::Warning(text.clone()));
        }
        tell_warnings(store, None, observer);
        if self.dry_run {
            return;
        }
        let project: Arc<str> = project.into();
        for (index, task) in report.tasks.iter().enumerate() {
            let task = TaskRef {
                id: TaskId::from_index(index),
                project: Arc::clone(&project),
                name: task.name.as_str().into(),
            };
            observer.tell(Notice::Task(Event::Reused { task }));
        }
    }

    fn result_as_before(&self, outcome: Outcome, report: Report) -> TrainingResult {
        let tasks = outcome.task_count as usize;
        match self.dry_run {
            true => TrainingResult {
                tasks,
                dry_run_results: Some(report),
                ..TrainingResult::default()
            },
            false => TrainingResult {
                model: Some(outcome.model),
                tasks,
                ..TrainingResult::default()
            },
        }
    }

    /// Puts a witness of a training that is over, if the next one would find nothing to
    /// do, and returns it. `since_ns` is the clock before the archive at `model`, whose
    /// bytes have the digest `file`, was put in its place.
    pub fn bear_witness(
        &self,
        prepared: &Prepared,
        model: &Path,
        file: Digest,
        since_ns: i64,
    ) -> Option<PutWitness> {
        let store = &prepared.store;
        let is_asked = self.run.witness != WitnessSettings::Off;
        if !is_asked || self.train_path.is_some() || !store.is_writable() {
            return None;
        }
        let mut again = None;
        if self.force || !prepared.plan.is_all_fresh() {
            let settings = PlanSettings::default();
            again = Some(plan(&prepared.recipe.graph, store, settings));
        }
        let plan = again.as_ref().unwrap_or(&prepared.plan);
        let witness = self.witness(prepared, plan, model, file, since_ns)?;
        let project = self.project_name();
        store.put_witness(&project, &witness);
        Some(PutWitness {
            project,
            root: self.run.project.clone(),
            results: witness.results,
        })
    }

    fn witness(
        &self,
        prepared: &Prepared,
        plan: &Plan,
        model: &Path,
        file: Digest,
        since_ns: i64,
    ) -> Option<NewWitness> {
        let Prepared { recipe, store, .. } = prepared;
        let is_in_place = || self.model_in_place(prepared.training_type).as_deref() == Some(model);
        if store.folder().is_none() || !plan.is_all_fresh() || !is_in_place() {
            return None;
        }
        let mut looks = prepared.looks.clone();
        looks.add_all(archive_looks(model, file, since_ns)?);
        if looks.is_torn {
            return None;
        }
        let report = crate::recipe::report(recipe, plan, BTreeSet::new(), false);
        let told = told(&report)?;
        let value = |(name, value): (&String, &Option<String>)| {
            (name.clone(), value_digest(value.as_deref()))
        };
        let testimony = Testimony {
            outcome: Outcome {
                task_count: u32::try_from(report.tasks.len()).ok()?,
                warning_count: u32::try_from(prepared.said.warnings).ok()?,
                model: model.to_owned(),
                said: prepared.said.sentences.clone(),
            },
            handed_to: None,
            variables: prepared.environment.iter().map(value).collect(),
            looks,
        };
        let keys: BTreeSet<Digest> = plan.tasks().iter().filter_map(|task| task.key).collect();
        Some(NewWitness {
            key: self.witness_key()?,
            results: keys.into_iter().collect(),
            looks: testimony.packed(&self.run.project),
            told,
        })
    }

    /// Returns the digest of all that decides the outcome apart from files; none
    /// when no witness is asked.
    fn witness_key(&self) -> Option<Digest> {
        let stem = KeyStem::of(self)?;
        Some(stem.key([self.domain, self.data], [self.config, self.output]))
    }
}

/// Returns looks at the archive, which was found or put in its place after
/// `since_ns`, and at the pointer beside it.
fn archive_looks(model: &Path, file: Digest, since_ns: i64) -> Option<Looks> {
    let mut looks = Looks::default();
    let (pointer, bytes) = pointer(model);
    for (path, digest) in [(model, file), (&pointer, Digest::of(&bytes))] {
        // A stamp that is younger than the clock was proves nothing.
        let stamp = FileStamp::of(&std::fs::metadata(path).ok()?);
        let seen = Seen::Bytes(digest);
        looks.add(
            path.to_owned(),
            Look {
                seen,
                stamp,
                since_ns,
            },
        );
    }
    Some(looks)
}
