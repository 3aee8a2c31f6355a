//! One training from files to archive, whichever function asked for it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::Findings;
use crate::api::Notice;
use crate::api::Phase;
use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::TrainingResult;
use crate::api::Validation;
use crate::api::checks;
use crate::api::memory::OwnMemory;
use crate::api::notice::planned_tasks;
use crate::api::remote::hand_over;
use crate::api::run_tasks::packaged;
use crate::api::run_tasks::run_tasks;
use crate::api::shared::open_store;
use crate::api::shared::tell_warnings;
use crate::api::shared::threads;
use crate::api::shared::tidy;
use crate::api::situation::Situation;
use crate::api::situation::situation;
use crate::archive::Packed;
use crate::archive::TrainingType;
use crate::archive::archive_path;
use crate::archive::holds;
use crate::archive::latest_model;
use crate::archive::place;
use crate::archive::read_model;
use crate::check::check_conversations;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::SourceMap;
use crate::diagnostic::arrange;
use crate::digest::Digest;
use crate::engine::Outcome;
use crate::engine::Plan;
use crate::engine::PlanSettings;
use crate::engine::Planned;
use crate::engine::Results;
use crate::engine::TaskId;
use crate::engine::memory_estimates;
use crate::engine::plan_with;
use crate::import::Extent;
use crate::import::Eyes;
use crate::import::ImportError;
use crate::import::Imported;
use crate::import::Looks;
use crate::import::Seen;
use crate::import::Sources;
use crate::import::Want;
use crate::import::clock_ns;
use crate::import::import_project;
use crate::recipe::ARCHIVE;
use crate::recipe::Order;
use crate::recipe::PackageRecord;
use crate::recipe::Part;
use crate::recipe::RECORD;
use crate::recipe::Recipe;
use crate::recipe::Report;
use crate::recipe::fingerprint_parts;
use crate::recipe::recipe;
use crate::recipe::report;
use crate::store::Access;
use crate::store::Far;
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

/// What was told of a project's files, and would be told again while they are
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// How many warnings there were.
    pub warnings: usize,
    /// Warnings without a place in a file.
    pub sentences: Vec<String>,
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
        let store = self.store_with_witness();
        if let Some(result) = store.as_ref().and_then(|store| self.as_witnessed(store)) {
            return Ok(result);
        }
        let prepared = self.prepare_with(store)?;
        if self.dry_run {
            return Ok(self.tell_staleness(&prepared));
        }
        let result = self.execute(&prepared);
        // Those who train side by side wait once, when all is done.
        if self.run.shared.is_none() {
            hand_over(self.run);
        }
        result
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
        self.prepare_with(None)
    }

    /// Does that with the cache, if it was opened already.
    fn prepare_with(&self, store: Option<Arc<Store>>) -> Result<Prepared, TrainError> {
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
            let store = store.unwrap_or_else(|| self.store());
            let settings = PlanSettings { force: self.force };
            let plan = plan_with(&recipe.graph, &store, self.run.far(), settings);
            (store, plan)
        });
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
        Ok(Made {
            recipe,
            training_type,
            sources,
            looks,
            environment,
            said,
        })
    }

    /// Reads the project; tells what is remarkable, refuses what is wrong.
    pub fn import(&self, said: &mut Said) -> Result<Imported, TrainError> {
        let mut imported = self.read()?;
        let paths = imported.files.iter().map(|file| file.path.clone());
        self.run.observer.tell(Notice::Opened(paths.collect()));
        if self.run.observer.wants().looks {
            let looks = Arc::new(imported.looks.clone());
            self.run.observer.tell(Notice::LookedAt(looks));
        }
        let mut findings = Findings {
            diagnostics: checks::findings(&mut imported, self.validation),
            sources: imported.sources.clone(),
        };
        if checks::must_stop(&findings, self.validation) && self.can_compare(&imported) {
            // No plan will be made, after which they would be compared.
            let max_history = self.validation.max_history;
            let said = check_conversations(&imported.project, max_history);
            findings.diagnostics.extend(said);
            arrange(&mut findings.diagnostics);
        }
        said.warnings += self.tell(findings)?;
        Ok(imported)
    }

    /// Reads the project only to learn what it is made of; mistakes in it are
    /// nobody's business.
    pub fn looks(&self) -> Result<Looks, TrainError> {
        self.read().map(|imported| imported.looks)
    }

    /// Reads the project, whatever is wrong with it.
    pub fn read(&self) -> Result<Imported, TrainError> {
        let project = &self.run.project;
        must_be_folder(project)?;
        let eyes = Eyes::default();
        let mut imported = import_project(&Sources {
            root: project.clone(),
            config: self.config.to_owned(),
            domain: domain_paths(project, self.domain, &eyes),
            data: there_or_named(project, self.data, "data", &eyes),
            want: self.want,
            language: None,
            environment: self.run.environment.clone(),
        })?;
        imported.looks.add_all(eyes.looks());
        Ok(imported)
    }

    /// Tells findings, and fails if one of them keeps the project from being
    /// trained. Returns how many warnings were told.
    fn tell(&self, findings: Findings) -> Result<usize, TrainError> {
        if findings.diagnostics.is_empty() {
            return Ok(0);
        }
        let told = checks::told(&findings, self.validation);
        let observer = &self.run.observer;
        observer.tell(Notice::Diagnosed(Arc::clone(&told)));
        if checks::must_stop(&findings, self.validation) {
            return Err(TrainError::Mistakes(told));
        }
        let is_warning = |one: &&Diagnostic| one.severity == Severity::Warning;
        Ok(told.diagnostics.iter().filter(is_warning).count())
    }

    /// Returns whether stories and rules can be compared with each other, whatever is
    /// wrong elsewhere: they and the domain were read whole, and there is a policy to
    /// learn from them.
    fn can_compare(&self, imported: &Imported) -> bool {
        let extents = imported.extents;
        !self.validation.skip
            && self.want != Want::Nlu
            && !imported.project.config.policies.is_empty()
            && extents.domain.max(extents.stories) == Extent::Whole
    }

    /// Compares stories and rules with each other, if a policy is to learn from
    /// them. Those that a policy learned from before were compared then, but what
    /// was told may have been let pass: where warnings fail, all are compared.
    fn check_conversations(
        &self,
        recipe: &Recipe,
        plan: &Plan,
        sources: SourceMap,
    ) -> Result<(), TrainError> {
        let is_due = match self.validation.fail_on_warnings {
            true => has_core(recipe),
            false => {
                let mut due = plan.tasks().iter().filter(|task| !task.is_fresh());
                due.any(|task| is_core(recipe, task.id))
            }
        };
        match self.validation.skip || !is_due {
            true => Ok(()),
            false => self.compare_conversations(recipe, sources),
        }
    }

    fn compare_conversations(&self, recipe: &Recipe, sources: SourceMap) -> Result<(), TrainError> {
        let mut diagnostics = check_conversations(&recipe.project, self.validation.max_history);
        arrange(&mut diagnostics);
        self.tell(Findings {
            diagnostics,
            sources,
        })
        .map(|_| ())
    }

    /// Makes the graph; tells what is remarkable about it.
    pub fn recipe(
        &self,
        imported: Imported,
        kind: TrainingType,
        said: &mut Said,
    ) -> Result<Recipe, TrainError> {
        let order = Order {
            training_type: kind,
            augmentation: self.augmentation,
            persist_nlu_data: self.persist_nlu_data,
            project_name: self.project_name().into(),
        };
        // One a core where neither is given.
        let pool = match &self.run.shared {
            Some(shared) => shared.pool()?,
            None => threads(self.num_threads.or(self.run.jobs))?,
        };
        let project = Arc::new(imported.project);
        match recipe(&project, &order, pool) {
            Ok(mut recipe) => {
                let diagnostics = std::mem::take(&mut recipe.warnings);
                said.warnings += self.tell(Findings {
                    diagnostics,
                    sources: imported.sources,
                })?;
                Ok(recipe)
            }
            Err(diagnostics) => {
                self.tell(Findings {
                    diagnostics,
                    sources: imported.sources,
                })?;
                unreachable!("a recipe is refused with errors")
            }
        }
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
        tell_warnings(&prepared.store, self.run.far(), &self.run.observer);
        report
    }

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
    fn stale_beyond_tasks(&self, in_place: &Path, prepared: &Prepared) -> BTreeSet<Part> {
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
        let record = record_of(package, store, self.run.far());
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

    /// Executes the plan and puts the archive in its place.
    fn execute(&self, prepared: &Prepared) -> Result<TrainingResult, TrainError> {
        let Prepared {
            recipe,
            plan,
            store,
            ..
        } = prepared;
        let memory = self.memory(prepared)?;
        let memory = memory.as_ref();
        run_tasks(self.run, recipe, plan, store, memory, None, |results| {
            self.finish(prepared, results)
        })
    }

    /// Puts the archive in its place.
    fn finish(
        &self,
        prepared: &Prepared,
        results: &Results<'_>,
    ) -> Result<TrainingResult, TrainError> {
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
        self.bear_witness(prepared, &model, record.file, since_ns);
        match &self.run.shared {
            Some(shared) => shared.keep(results.keys()),
            None if ran + fetched > 0 => {
                tidy(store, &self.run.cache_limits, &results.keys(), observer)
            }
            None => {}
        }
        Ok(TrainingResult {
            model: Some(model),
            code: 0,
            ran,
            fetched,
            tasks: recipe.graph.len(),
            is_new,
            dry_run_results: None,
        })
    }

    /// Returns how much memory there is for tasks; refuses a plan with a task that
    /// is estimated to need more.
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
        let largest = estimates.into_iter().max_by_key(|(_, estimate)| *estimate);
        match largest {
            Some((id, estimate)) if estimate > memory.left() => {
                let task = recipe.graph.task(id).name.clone();
                Err(memory.refusal(task, estimate, false))
            }
            _ => Ok(Some(memory)),
        }
    }

    /// Writes the archive unless it is there; returns its path and whether it
    /// had to be written.
    fn put_in_place(
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

fn has_core(recipe: &Recipe) -> bool {
    recipe.graph.ids().any(|id| is_core(recipe, id))
}

fn is_core(recipe: &Recipe, id: TaskId) -> bool {
    recipe.graph.task(id).name.starts_with("core.")
}

/// Reads the record of the package task.
fn package_record(recipe: &Recipe, results: &Results<'_>) -> Result<PackageRecord, TrainError> {
    let record = packaged(recipe, results, RECORD)?;
    serde_json::from_slice(&record).map_err(|error| TrainError::Task {
        task: "package".to_owned(),
        message: error.to_string(),
        is_bug: true,
    })
}

/// Returns what tells the history of the project in the folder `root` from others
/// in the cache: where it lies, and what of it is trained. `root` is its real path.
pub fn project_name(root: &Path, config: &Path, want: Want) -> String {
    format!("{}|{}|{want:?}", root.display(), config.display())
}

/// Fails if the project's folder cannot be opened.
pub fn must_be_folder(project: &Path) -> Result<(), TrainError> {
    match fs::read_dir(project) {
        Ok(_) => Ok(()),
        Err(source) => Err(TrainError::Import(ImportError::Read {
            path: project.to_owned(),
            source,
        })),
    }
}

/// Returns the domain's paths. When they are the default and it is not there,
/// the folder `domain` stands for it.
///
/// Differs from Rasa: it reads such a folder only when it is named.
pub fn domain_paths(project: &Path, paths: &[PathBuf], eyes: &Eyes) -> Vec<PathBuf> {
    let named = there_or_named(project, paths, "domain.yml", eyes);
    let folder = project.join("domain");
    match named.is_empty() && eyes.kind(&folder) == Seen::Folder {
        true => vec!["domain".into()],
        false => named,
    }
}

/// Returns the paths, or none when they are the default and it is not there:
/// only a path that somebody named must exist.
pub fn there_or_named(
    project: &Path,
    paths: &[PathBuf],
    default: &str,
    eyes: &Eyes,
) -> Vec<PathBuf> {
    let is_there = |path: &Path| eyes.kind(&project.join(path)) != Seen::Nothing;
    match paths {
        [path] if path == Path::new(default) && !is_there(path) => Vec::new(),
        _ => paths.to_vec(),
    }
}

/// Returns where `path` is: relative to the project's folder unless it is
/// absolute, and written without `./`.
pub fn in_project(project: &Path, path: &Path) -> PathBuf {
    if project == Path::new(".") {
        return path.to_owned();
    }
    project.join(path)
}

/// Reads the record of a package task that need not run: from the cache, or from
/// the remote one. Nothing is kept.
fn record_of(package: &Planned, store: &Store, far: Option<&dyn Far>) -> Option<PackageRecord> {
    let bytes = match &package.far {
        Some(result) => far?.fetch(&[*result.outputs.get(RECORD)?])?.pop()?,
        None => {
            let record = store.result(package.key?)?.outputs.get(RECORD)?.digest;
            store.blob(record)?
        }
    };
    serde_json::from_slice(&bytes).ok()
}
