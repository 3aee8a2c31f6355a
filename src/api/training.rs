//! One training from files to archive, whichever function asked for it.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::Notice;
use crate::api::Phase;
use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::TrainingResult;
use crate::api::Validation;
use crate::api::in_place::package_record;
use crate::api::memory::OwnMemory;
use crate::api::notice::planned_tasks;
use crate::api::reading::Said;
use crate::api::reading::has_core;
use crate::api::remote::hand_over;
use crate::api::remote::note_all_handed;
use crate::api::run_tasks::Tasks;
use crate::api::run_tasks::run_tasks;
use crate::api::run_tasks::sender;
use crate::api::shared::open_store;
use crate::api::shared::tell_warnings;
use crate::api::shared::tidy;
use crate::api::situation::Situation;
use crate::api::situation::situation;
use crate::api::witness::PutWitness;
use crate::api::witness::handed;
use crate::archive::TrainingType;
use crate::diagnostic::SourceMap;
use crate::digest::Digest;
use crate::engine::Outcome;
use crate::engine::Plan;
use crate::engine::PlanSettings;
use crate::engine::RemoteExecutor;
use crate::engine::Results;
use crate::engine::TaskId;
use crate::engine::Turn;
use crate::engine::memory_estimates;
use crate::engine::plan_with;
use crate::import::Looks;
use crate::import::Want;
use crate::import::clock_ns;
use crate::recipe::Part;
use crate::recipe::Recipe;
use crate::recipe::Report;
use crate::recipe::report;
use crate::store::Access;
use crate::store::Store;

/// A project as a graph, with the plan of its training.
pub struct Prepared {
    /// The graph.
    pub recipe: Recipe,
    /// What would run.
    pub plan: Plan,
    /// The cache that the plan was made with.
    pub store: Arc<Store>,
    /// Which halves there are data for.
    pub training_type: TrainingType,
    /// Everything of the project that was looked at.
    pub looks: Looks,
    /// Environment variables that the files name, with their values if set.
    pub environment: BTreeMap<String, Option<String>>,
    /// What was told of the project's files.
    pub said: Said,
}

/// A project as a graph, with what it was made of.
struct Made {
    recipe: Recipe,
    training_type: TrainingType,
    sources: SourceMap,
    looks: Looks,
    environment: BTreeMap<String, Option<String>>,
    said: Said,
}

/// What came of a training, and the witness that it put.
type Done = (TrainingResult, Option<PutWitness>);

/// What is to be trained and where it goes.
pub struct Training<'a> {
    /// Which halves are wanted; a missing half of data can make it fewer.
    pub want: Want,
    /// The configuration file.
    pub config: &'a Path,
    /// Domain files and folders.
    pub domain: &'a [PathBuf],
    /// Data files and folders.
    pub data: &'a [PathBuf],
    /// Folder or file of the archive.
    pub output: &'a Path,
    /// The archive's name.
    pub fixed_name: Option<&'a str>,
    /// A folder for the unpacked files instead of an archive.
    pub train_path: Option<&'a Path>,
    /// Whether the NLU data goes into the archive.
    pub persist_nlu_data: bool,
    /// How many stories are glued to others.
    pub augmentation: usize,
    /// Threads for numeric work.
    pub num_threads: Option<usize>,
    /// Whether to tell what is stale and train nothing.
    pub dry_run: bool,
    /// Whether to run every task.
    pub force: bool,
    /// A model to finetune, which is refused.
    pub finetune: Option<&'a Path>,
    /// How the project is checked before.
    pub validation: &'a Validation,
    /// Folder, cache, threads, observer.
    pub run: &'a RunSettings,
}

impl Training<'_> {
    /// Trains, or tells what is stale.
    pub fn run(&self) -> Result<TrainingResult, TrainError> {
        self.refuse_finetuning()?;
        if let Some(result) = self.as_witnessed() {
            return Ok(result);
        }
        let prepared = self.prepare()?;
        if self.dry_run {
            return Ok(self.tell_staleness(&prepared));
        }
        let done = self.execute(&prepared);
        match &self.run.shared {
            // Those who train side by side wait once, when all is done.
            Some(shared) => {
                let put = done.as_ref().ok().and_then(|(_, put)| put.clone());
                put.into_iter().for_each(|put| shared.keep_witness(put));
            }
            None if hand_over(self.run) => {
                let put = done.as_ref().map(|(_, put)| put.as_slice());
                note_all_handed(self.run, &prepared.store, put.unwrap_or_default());
            }
            None => {}
        }
        done.map(|(result, _)| result)
    }

    fn refuse_finetuning(&self) -> Result<(), TrainError> {
        match self.finetune {
            Some(model) => Err(TrainError::NoFinetuning {
                model: model.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Reads the project and finds out what would run. Every command that tells
    /// or trains starts here.
    pub fn prepare(&self) -> Result<Prepared, TrainError> {
        self.refuse_finetuning()?;
        let observer = &self.run.observer;
        let Made {
            recipe,
            training_type,
            sources,
            looks,
            environment,
            said,
        } = observer.phase(Phase::Import, || self.made())?;
        let (store, plan) = observer.phase(Phase::Plan, || {
            let store = self.store();
            let settings = PlanSettings { force: self.force };
            let plan = plan_with(&recipe.graph, &store, self.run.remote(), settings);
            (store, plan)
        });
        self.go_on()?;
        if observer.wants().plan {
            let tasks = planned_tasks(&recipe.graph, &plan);
            observer.tell(Notice::Planned(Arc::new(tasks)));
        }
        self.check_conversations(&recipe, &plan, sources)?;
        Ok(Prepared {
            recipe,
            plan,
            store,
            training_type,
            looks,
            environment,
            said,
        })
    }

    /// Reads the project and makes its graph; looks at no result.
    pub fn graph(&self) -> Result<(Recipe, TrainingType), TrainError> {
        let made = self.made()?;
        Ok((made.recipe, made.training_type))
    }

    /// Reads the project, compares its stories and rules, and makes its graph.
    pub fn checked_graph(&self) -> Result<Recipe, TrainError> {
        let made = self.made()?;
        if !self.validation.skip && has_core(&made.recipe) {
            self.compare_conversations(&made.recipe, made.sources)?;
        }
        Ok(made.recipe)
    }

    fn made(&self) -> Result<Made, TrainError> {
        let mut said = Said::default();
        let mut imported = self.import(&mut said)?;
        let Situation {
            training_type,
            warning,
        } = situation(&imported.project, self.want)?;
        if let Some(warning) = warning {
            self.run.observer.tell(Notice::Warning(warning.to_owned()));
            said.sentences.push(warning.to_owned());
        }
        let sources = imported.sources.clone();
        let looks = std::mem::take(&mut imported.looks);
        let environment = std::mem::take(&mut imported.environment);
        let recipe = self.recipe(imported, training_type, &mut said)?;
        self.go_on()?;
        Ok(Made {
            recipe,
            training_type,
            sources,
            looks,
            environment,
            said,
        })
    }

    /// Returns what tells this project's history from others in the cache.
    pub fn project_name(&self) -> String {
        let root = fs::canonicalize(&self.run.project).unwrap_or_else(|_| self.run.project.clone());
        project_name(&root, self.config, self.want)
    }

    /// Returns the cache: the one that is shared, or one opened for this run.
    pub fn store(&self) -> Arc<Store> {
        let shared = self.run.shared.as_ref();
        if let Some(store) = shared.and_then(|shared| shared.store.as_ref()) {
            return Arc::clone(store);
        }
        let access = match self.dry_run {
            true => Access::ReadOnly,
            false => Access::ReadWrite,
        };
        Arc::new(open_store(self.run, access))
    }

    fn tell_staleness(&self, prepared: &Prepared) -> TrainingResult {
        let report = self.report(prepared);
        TrainingResult {
            code: report.code,
            tasks: report.tasks.len(),
            dry_run_results: Some(report),
            ..TrainingResult::default()
        }
    }

    /// Returns what is stale and why.
    pub fn report(&self, prepared: &Prepared) -> Report {
        let in_place = self.model_in_place(prepared.training_type);
        let beyond = match &in_place {
            Some(model) => self.stale_beyond_tasks(model, prepared),
            None => Part::of(prepared.training_type),
        };
        // Rasa 2.4 tells of a forced training only when there is a model.
        let is_forced = self.force && in_place.is_some();
        let report = report(&prepared.recipe, &prepared.plan, beyond, is_forced);
        tell_warnings(&prepared.store, self.run.remote(), &self.run.observer);
        report
    }

    /// Executes the plan and puts the archive in its place; returns the witness as well
    /// that it put.
    fn execute(&self, prepared: &Prepared) -> Result<Done, TrainError> {
        let Prepared {
            recipe,
            plan,
            store,
            ..
        } = prepared;
        let memory = self.memory(prepared)?;
        let memory = memory.as_ref();
        // The witness that says so goes when the run is noted.
        let handed = self.handed(store);
        let shared = self.run.shared.as_ref();
        let tasks = Tasks {
            recipe,
            plan,
            store,
            memory,
            only: None,
            handed,
            places: shared.and_then(|shared| shared.places.clone()),
        };
        run_tasks(self.run, tasks, |results| self.finish(prepared, results))
    }

    /// Puts the archive in its place.
    fn finish(&self, prepared: &Prepared, results: &Results<'_>) -> Result<Done, TrainError> {
        let Prepared { recipe, store, .. } = prepared;
        let observer = &self.run.observer;
        let outcomes = || recipe.graph.ids().map(|id| results.outcome(id));
        let ran = outcomes().filter(|one| matches!(one, Outcome::Ran { .. }));
        let ran = ran.count();
        let fetched = outcomes().filter(|one| *one == Outcome::Fetched).count();
        let since_ns = clock_ns();
        let record = package_record(recipe, results)?;
        let (model, is_new) =
            observer.phase(Phase::Place, || self.put_in_place(recipe, results, &record))?;
        let put = self.bear_witness(prepared, &model, record.file, since_ns);
        match &self.run.shared {
            Some(shared) => shared.keep(results.keys()),
            None if ran + fetched > 0 => {
                tidy(store, &self.run.cache_limits, &results.keys(), observer)
            }
            None => {}
        }
        let result = TrainingResult {
            model: Some(model),
            code: 0,
            ran,
            fetched,
            tasks: recipe.graph.len(),
            is_new,
            dry_run_results: None,
        };
        Ok((result, put))
    }

    /// Returns the keys of results that were handed to the remote cache.
    fn handed(&self, store: &Store) -> HashSet<Digest> {
        let to = self.run.handed_to();
        let of = |to| handed(store, &self.project_name(), &self.run.project, to);
        to.map_or(HashSet::new(), of)
    }

    /// Returns how much memory there is for tasks; refuses a plan with a task that
    /// is estimated to need more and is not to run elsewhere.
    fn memory(&self, prepared: &Prepared) -> Result<Option<OwnMemory>, TrainError> {
        let Some(limit) = self.run.memory else {
            return Ok(None);
        };
        let Prepared {
            recipe,
            plan,
            store,
            ..
        } = prepared;
        let shared = self.run.shared.as_ref();
        let shared = shared.and_then(|shared| shared.memory.clone());
        let memory = OwnMemory::new(limit, shared, prepared);
        let estimates = memory_estimates(&recipe.graph, plan, store, &*memory.estimate);
        let sender = sender(self.run, recipe, store);
        let is_sent = |id: TaskId| {
            let is_long = recipe.graph.task(id).turn == Turn::Long;
            is_long && sender.as_ref().is_some_and(|sender| sender.takes(id))
        };
        let here = estimates.into_iter().filter(|(id, _)| !is_sent(*id));
        let largest = here.max_by_key(|(_, estimate)| *estimate);
        match largest {
            Some((id, estimate)) if estimate > memory.left() => {
                let task = recipe.graph.task(id).name.clone();
                Err(memory.refusal(task, estimate, false))
            }
            _ => Ok(Some(memory)),
        }
    }
}

/// Returns what tells the history of the project in the folder `root` from others
/// in the cache: where it lies, and what of it is trained. `root` is its real path.
pub fn project_name(root: &Path, config: &Path, want: Want) -> String {
    format!("{}|{}|{want:?}", root.display(), config.display())
}

/// Returns where `path` is: relative to the project's folder unless it is
/// absolute, and written without `./`.
pub fn in_project(project: &Path, path: &Path) -> PathBuf {
    if project == Path::new(".") {
        return path.to_owned();
    }
    project.join(path)
}
