//! `validate`: what is wrong with a project, without training it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::ThreadPoolBuilder;

use crate::api::DEFAULT_AUGMENTATION;
use crate::api::Findings;
use crate::api::TrainError;
use crate::api::Validation;
use crate::api::checks;
use crate::api::reading::domain_paths;
use crate::api::reading::must_be_folder;
use crate::api::reading::there_or_named;
use crate::api::situation::is_empty;
use crate::api::situation::situation;
use crate::archive::TrainingType;
use crate::check::check_conversations;
use crate::data::Place;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::arrange;
use crate::diagnostic::has_errors;
use crate::import::Counts;
use crate::import::Extent;
use crate::import::Eyes;
use crate::import::Sources;
use crate::import::Want;
use crate::import::import_project;
use crate::recipe::Order;
use crate::recipe::recipe;

/// Warnings of a training that Rasa's validator always fails for: names in
/// stories, rules and examples that the domain does not have.
const FAILING: [&str; 5] = ["W309", "W404", "W405", "W415", "W424"];

/// What to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// The whole project.
    #[default]
    Project,
    /// Stories and rules alone, as `rasa data validate stories`.
    Stories,
}

/// Arguments of [`validate`], with the defaults of `rasa data validate`.
#[derive(Clone, Debug)]
pub struct ValidateOptions {
    /// The project's folder: relative paths start here, and places in messages
    /// are shown relative to it.
    pub project: PathBuf,
    /// Domain files or folders; earlier ones win where they disagree.
    pub domain: Vec<PathBuf>,
    /// The configuration file.
    pub config: PathBuf,
    /// Files and folders with NLU data, stories and rules.
    pub data: Vec<PathBuf>,
    /// What to look at.
    pub subject: Subject,
    /// How many turns stories are compared over; all if `None`.
    pub max_history: Option<usize>,
    /// The environment that `${NAME}` in the project's files is looked up in.
    pub environment: BTreeMap<String, String>,
}

impl Default for ValidateOptions {
    fn default() -> Self {
        Self {
            project: PathBuf::from("."),
            domain: vec!["domain.yml".into()],
            config: "config.yml".into(),
            data: vec!["data".into()],
            subject: Subject::Project,
            max_history: None,
            environment: BTreeMap::new(),
        }
    }
}

/// What [`validate`] found.
#[derive(Clone, Debug, Default)]
pub struct Validated {
    /// What is wrong or remarkable.
    pub findings: Findings,
    /// How much was read, as far as it could be.
    pub counts: Counts,
}

/// Returns all that is wrong or remarkable in a project's files. Nothing is
/// trained or written.
///
/// It is what [`train`](crate::api::train) finds, with two differences: remarks
/// on style are told one by one, and names that the domain does not have are
/// errors.
///
/// # Errors
///
/// If a file or folder that exists cannot be read, or there is nothing to check.
///
/// # Source
///
/// Rasa 3.6 `rasa data validate`. Differs from Rasa: unknown actions and forms
/// are errors like unknown intents; contradicting rules, which Rasa finds while
/// it trains, are found here; and what is found first leaves out no more than
/// what cannot be known yet ([`Extents`](crate::import::Extents)).
pub fn validate(options: &ValidateOptions) -> Result<Validated, TrainError> {
    let project = options.project.as_path();
    must_be_folder(project)?;
    let eyes = Eyes::default();
    let mut imported = import_project(&Sources {
        root: project.to_owned(),
        config: options.config.clone(),
        domain: domain_paths(project, &options.domain, &eyes),
        data: there_or_named(project, &options.data, "data", &eyes),
        want: Want::All,
        environment: options.environment.clone(),
        ..Sources::default()
    })?;
    let counts = Counts::of(&imported.project);
    let mut diagnostics = checks::findings(&mut imported, &Validation::default());
    let has_errors = has_errors(&diagnostics);
    let extents = imported.extents;
    let project = Arc::new(std::mem::take(&mut imported.project));
    if !has_errors {
        diagnostics.extend(trainers(&project)?);
    } else if extents.config == Extent::Whole {
        // Data that could not be read are no sign of which half is to be trained.
        let said = recipe_of(&project, TrainingType::Both)?;
        diagnostics.extend(said.into_iter().filter(is_of_config_alone));
    }
    if extents.domain.max(extents.stories) == Extent::Whole {
        diagnostics.extend(check_conversations(&project, options.max_history));
    }
    if options.subject == Subject::Stories {
        let is_kept = |one: &Diagnostic| one.severity == Severity::Error || is_of_stories(one);
        diagnostics.retain(is_kept);
    }
    for diagnostic in &mut diagnostics {
        if FAILING.contains(&diagnostic.code) {
            diagnostic.severity = Severity::Error;
        }
    }
    arrange(&mut diagnostics);
    let sources = imported.sources;
    Ok(Validated {
        findings: Findings {
            diagnostics,
            sources,
        },
        counts,
    })
}

/// Whether a diagnostic is about the configuration, whatever the data lack.
fn is_of_config_alone(diagnostic: &Diagnostic) -> bool {
    let is_of_config = diagnostic.code.as_bytes().get(1) == Some(&b'1');
    is_of_config && !["W110", "W111"].contains(&diagnostic.code)
}

fn is_of_stories(diagnostic: &Diagnostic) -> bool {
    diagnostic.code.as_bytes().get(1) == Some(&b'4')
}

/// What the trainers say about the project as a whole and about the
/// configuration, before they train.
fn trainers(project: &Arc<Project>) -> Result<Vec<Diagnostic>, TrainError> {
    let situation = situation(project, Want::All)?;
    let mut said = recipe_of(project, situation.training_type)?;
    // Other halves are left out on purpose; a domain rather got lost.
    let lost = situation.warning.filter(|_| is_empty(&project.domain));
    said.extend(lost.map(|warning| Diagnostic::new("W501", Place::default(), warning)));
    Ok(said)
}

/// What is said when the graph of a training is made.
fn recipe_of(
    project: &Arc<Project>,
    training_type: TrainingType,
) -> Result<Vec<Diagnostic>, TrainError> {
    let order = Order {
        training_type,
        augmentation: DEFAULT_AUGMENTATION,
        persist_nlu_data: false,
        project_name: "".into(),
        learned: None,
    };
    let pool = ThreadPoolBuilder::new().num_threads(1).build();
    let pool = Arc::new(pool.map_err(TrainError::Threads)?);
    Ok(match recipe(project, &order, pool) {
        Ok(recipe) => recipe.warnings,
        Err(diagnostics) => diagnostics,
    })
}
