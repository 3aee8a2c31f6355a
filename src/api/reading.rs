//! A training from files to graph: the project is read and checked, and what is found is
//! told.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::Findings;
use crate::api::Notice;
use crate::api::TrainError;
use crate::api::checks;
use crate::api::shared::threads;
use crate::api::training::Training;
use crate::archive::TrainingType;
use crate::check::check_conversations;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::SourceMap;
use crate::diagnostic::arrange;
use crate::engine::Plan;
use crate::engine::TaskId;
use crate::import::Extent;
use crate::import::Eyes;
use crate::import::ImportError;
use crate::import::Imported;
use crate::import::Looks;
use crate::import::Seen;
use crate::import::Sources;
use crate::import::Want;
use crate::import::import_project;
use crate::recipe::Order;
use crate::recipe::Recipe;
use crate::recipe::recipe;

/// What was told of a project's files, and would be told again while they are
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// How many warnings there were.
    pub warnings: usize,
    /// Warnings without a place in a file.
    pub sentences: Vec<String>,
}

impl Training<'_> {
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
        self.go_on()?;
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
            earlier: self.earlier(),
        })?;
        imported.looks.add_all(eyes.looks());
        self.go_on()?;
        Ok(imported)
    }

    /// Fails if the run is to stop: what was read so far was for nothing.
    pub(super) fn go_on(&self) -> Result<(), TrainError> {
        match self.run.cancel.is_set() {
            true => Err(TrainError::Interrupted),
            false => Ok(()),
        }
    }

    /// Tells findings, and fails if one of them keeps the project from being
    /// trained. Returns how many warnings were told.
    pub(super) fn tell(&self, findings: Findings) -> Result<usize, TrainError> {
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
    pub(super) fn check_conversations(
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

    pub(super) fn compare_conversations(
        &self,
        recipe: &Recipe,
        sources: SourceMap,
    ) -> Result<(), TrainError> {
        let mut diagnostics = check_conversations(&recipe.project, self.validation.max_history);
        self.go_on()?;
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
            learned: None,
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
}

pub fn has_core(recipe: &Recipe) -> bool {
    recipe.graph.ids().any(|id| is_core(recipe, id))
}

fn is_core(recipe: &Recipe, id: TaskId) -> bool {
    recipe.graph.task(id).name.starts_with("core.")
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
