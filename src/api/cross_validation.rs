//! How good models of a project are on data that each has not seen: the NLU data
//! is cut in folds, and each is tested with a model of all others.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use rayon::ThreadPool;
use serde::Serialize;

use crate::api::Assistant;
use crate::api::Findings;
use crate::api::Observer;
use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::Validation;
use crate::api::evaluate::NluTested;
use crate::api::reading::Said;
use crate::api::remote::hand_over;
use crate::api::run_tasks::Tasks;
use crate::api::run_tasks::jobs;
use crate::api::run_tasks::packaged;
use crate::api::run_tasks::places;
use crate::api::run_tasks::run_tasks;
use crate::api::shared::threads;
use crate::api::shared::tidy;
use crate::api::training::Training;
use crate::archive::Limits;
use crate::archive::TrainingType;
use crate::archive::unpack;
use crate::data::Example;
use crate::data::Project;
use crate::digest::Digest;
use crate::engine::Places;
use crate::engine::PlanSettings;
use crate::engine::plan_with;
use crate::evaluation::Answers;
use crate::evaluation::NluScores;
use crate::evaluation::folds;
use crate::import::Want;
use crate::nlu::ModelFolders;
use crate::recipe::ARCHIVE;
use crate::recipe::Order;
use crate::recipe::recipe;
use crate::store::Store;

/// What is tested, and how.
#[derive(Clone, Debug)]
pub struct CrossValidation {
    /// Files and folders with NLU data.
    pub nlu: Vec<PathBuf>,
    /// The configuration file.
    pub config: PathBuf,
    /// Domain files and folders.
    pub domain: Vec<PathBuf>,
    /// How many parts the data is cut in; at least 2.
    pub folds: usize,
    /// Another seed, other folds.
    pub seed: u64,
    /// Threads for numeric work.
    pub num_threads: Option<usize>,
    /// Intents of messages that the assistant is not meant for.
    pub out_of_scope: Vec<String>,
    /// How the project is checked before.
    pub validation: Validation,
    /// Folder, cache, threads, observer.
    pub run: RunSettings,
}

/// What the folds tell together.
#[derive(Clone, Debug)]
pub struct CrossValidated {
    /// The answers to all messages that were tested, and their scores.
    pub tested: NluTested,
    /// Messages that are the only ones of their class and were not tested.
    pub untested: usize,
    /// How much the folds differ.
    pub spread: Spread,
}

/// A score in each fold.
#[derive(Clone, Debug, Serialize)]
pub struct Spread {
    /// How many messages were tested.
    pub examples: Vec<usize>,
    /// Share of intents that is right.
    pub intent_accuracy: Vec<f64>,
    /// Mean of the intents' F1, weighted by how often they occur.
    pub intent_weighted_f1: Vec<f64>,
    /// F1 over all labelled tokens together.
    pub entity_micro_f1: Vec<f64>,
    /// Share of responses that is right, where there are any.
    pub response_accuracy: Vec<f64>,
}

/// Trains a model for each fold and tests it with what it has not seen. Tasks are
/// kept in the cache as those of other trainings are; no archive is written. Of
/// each fold `on_fold` is told as soon as it is done, counted from 0.
///
/// # Errors
///
/// As [`train_nlu`](crate::api::train_nlu); and if there is nothing to test with.
/// A fold without messages is left out.
///
/// # Source
///
/// Rasa 3.6 `rasa test nlu --cross-validation`. Differs from Rasa: which fold an
/// example is in depends on its content alone; models are not scored on what they
/// were trained with.
pub fn cross_validate_nlu(
    options: &CrossValidation,
    on_fold: &(dyn Fn(usize, &NluScores) + Sync),
) -> Result<CrossValidated, TrainError> {
    let training = training(options);
    let mut said = Said::default();
    let imported = training.import(&mut said)?;
    if imported.project.nlu.examples.is_empty() {
        return Err(TrainError::NoNluData);
    }
    // What is wrong with the configuration is told once, of the whole.
    let whole = training.recipe(imported, TrainingType::Nlu, &mut said)?;
    let work = Work {
        folds: folds(&whole.project.nlu.examples, options.folds, options.seed),
        project: whole.project,
        name: training.project_name(),
        store: training.store(),
        pool: threads(options.num_threads.or(options.run.jobs))?,
        options,
        on_fold,
        places: places(&options.run),
        keys: Mutex::default(),
    };
    if work.folds.iter().all(Option::is_none) {
        return Err(TrainError::NothingToTest);
    }
    let tested = work.all();
    hand_over(&options.run);
    let tested = tested?;
    let keys = std::mem::take(&mut *work.keys.lock().unwrap_or_else(PoisonError::into_inner));
    tidy(
        &work.store,
        &options.run.cache_limits,
        &keys,
        &options.run.observer,
    );
    let untested = work.folds.iter().filter(|fold| fold.is_none()).count();
    Ok(together(tested, untested, &options.out_of_scope))
}

fn training(options: &CrossValidation) -> Training<'_> {
    Training {
        want: Want::Nlu,
        config: &options.config,
        domain: &options.domain,
        data: &options.nlu,
        output: Path::new(""),
        fixed_name: None,
        train_path: None,
        persist_nlu_data: false,
        augmentation: 0,
        num_threads: options.num_threads,
        dry_run: false,
        force: false,
        finetune: None,
        validation: &options.validation,
        run: &options.run,
    }
}

/// What becomes of a fold.
type Tested = Result<NluTested, TrainError>;

/// The folds of one project.
struct Work<'a> {
    options: &'a CrossValidation,
    on_fold: &'a (dyn Fn(usize, &NluScores) + Sync),
    project: Arc<Project>,
    /// The fold of each example.
    folds: Vec<Option<usize>>,
    name: String,
    store: Arc<Store>,
    pool: Arc<ThreadPool>,
    /// Places for tasks of all folds, if some are on other machines.
    places: Option<Arc<Places>>,
    /// Keys of results that were used.
    keys: Mutex<BTreeSet<Digest>>,
}

impl Work<'_> {
    /// Tests all folds, several at a time; what fails first ends it.
    fn all(&self) -> Result<Vec<NluTested>, TrainError> {
        let next = AtomicUsize::new(0);
        let taken: BTreeSet<usize> = self.folds.iter().flatten().copied().collect();
        let done: Vec<(usize, Mutex<Option<Tested>>)> = taken
            .into_iter()
            .map(|fold| (fold, Mutex::new(None)))
            .collect();
        let (run, count) = (&self.options.run, done.len());
        let there = run.remote_exec.as_ref().map_or(0, |exec| exec.jobs.get());
        let workers = jobs(run).get().saturating_add(there).min(count);
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some((fold, place)) = done.get(at) else {
                    break;
                };
                let tested = self.fold(*fold, workers);
                if tested.is_err() {
                    next.store(done.len(), Ordering::Relaxed);
                }
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(tested);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(work);
            }
        });
        let done = done.into_iter();
        let done =
            done.filter_map(|(_, one)| one.into_inner().unwrap_or_else(PoisonError::into_inner));
        done.collect()
    }

    /// Trains with all folds but one and tests with that one.
    fn fold(&self, fold: usize, workers: usize) -> Result<NluTested, TrainError> {
        let examples = self.project.nlu.examples.iter();
        let (tested, others): (Vec<_>, Vec<_>) = (0..)
            .zip(examples)
            .zip(&self.folds)
            .partition(|(_, own)| **own == Some(fold));
        let learned = others.into_iter().map(|((number, _), _)| number);
        let tested: Vec<&Example> = tested
            .into_iter()
            .map(|((_, example), _)| example)
            .collect();
        let mut assistant = self.trained(learned.collect(), fold, workers)?;
        // Its programs are the project's own, and were run to train it.
        if let Some(component) = self.project.config.pipeline.first() {
            assistant.allow_commands(&component.folder);
        }
        let pipeline = assistant.pipeline()?;
        let out_of_scope = &self.options.out_of_scope;
        let tested = || NluTested::of(pipeline, &tested, out_of_scope);
        let tested = self.pool.install(tested);
        (self.on_fold)(fold, &tested.scores);
        Ok(tested)
    }

    fn trained(
        &self,
        learned: Arc<[u32]>,
        fold: usize,
        workers: usize,
    ) -> Result<Assistant, TrainError> {
        let name = format!("fold {} of {}", fold + 1, self.options.folds);
        let order = Order {
            training_type: TrainingType::Nlu,
            augmentation: 0,
            persist_nlu_data: false,
            project_name: format!("{}|{name}", self.name).into(),
            learned: Some(learned),
        };
        let recipe =
            recipe(&self.project, &order, Arc::clone(&self.pool)).map_err(|diagnostics| {
                TrainError::Mistakes(Arc::new(Findings {
                    diagnostics,
                    ..Findings::default()
                }))
            })?;
        let settings = PlanSettings { force: false };
        let remote = self.options.run.remote();
        let plan = plan_with(&recipe.graph, &self.store, remote, settings);
        let mut run = self.options.run.clone();
        run.jobs = Some((jobs(&run).get() / workers).max(1));
        // All folds have the same tasks: only whole folds are told.
        run.observer = Observer::default();
        let tasks = Tasks {
            recipe: &recipe,
            plan: &plan,
            store: &self.store,
            memory: None,
            only: None,
            handed: HashSet::new(),
            places: self.places.clone(),
        };
        let archive = run_tasks(&run, tasks, |results| {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            keys.extend(results.keys());
            packaged(&recipe, results, ARCHIVE)
        })?;
        let model = unpack(archive.as_slice(), archive.len() as u64, &Limits::default())?;
        let component = self.project.config.pipeline.first();
        let folders = ModelFolders {
            project: component.map_or_else(PathBuf::new, |first| first.folder.clone()),
            instead: None,
            is_closed: false,
        };
        Assistant::of(PathBuf::from(name), model, &folders)
    }
}

/// Puts the folds together.
fn together(tested: Vec<NluTested>, untested: usize, out_of_scope: &[String]) -> CrossValidated {
    let scores = |pick: fn(&NluScores) -> f64| tested.iter().map(|t| pick(&t.scores)).collect();
    let responses = tested.iter().filter_map(|t| t.scores.response.as_ref());
    let spread = Spread {
        examples: tested.iter().map(|t| t.scores.examples).collect(),
        intent_accuracy: scores(|scores| scores.intent.accuracy),
        intent_weighted_f1: scores(|scores| scores.intent.weighted_f1),
        entity_micro_f1: scores(|scores| scores.entity.micro_f1),
        response_accuracy: responses.map(|averages| averages.accuracy).collect(),
    };
    let extractors = tested.first().map(|t| t.extractors.clone());
    let messages = tested.into_iter().flat_map(|t| t.answers.messages);
    let answers = Answers {
        messages: messages.collect(),
    };
    CrossValidated {
        tested: NluTested {
            scores: NluScores::of(&answers, out_of_scope),
            answers,
            extractors: extractors.unwrap_or_default(),
        },
        untested,
        spread,
    }
}
