//! `validate`: what is wrong with a project, without training it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::api::Findings;
use crate::api::TrainError;
use crate::api::training::there_or_named;
use crate::import::Sources;
use crate::import::Want;
use crate::import::import_project;

/// Arguments of [`validate`], with the defaults of `rasa data validate`.
#[derive(Clone, Debug)]
pub struct ValidateOptions {
    /// The project's folder: relative paths start here, and places in messages
    /// are shown relative to it.
    pub project: PathBuf,
    /// Domain files or folders; earlier ones win where they disagree.
    pub domain: Vec<PathBuf>,
    /// The configuration file; none is needed when it is the default.
    pub config: PathBuf,
    /// Files and folders with NLU data, stories and rules.
    pub data: Vec<PathBuf>,
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
            environment: BTreeMap::new(),
        }
    }
}

/// Returns all that is wrong or remarkable in a project's files. Nothing is
/// trained or written.
///
/// # Errors
///
/// Only if a file or folder that exists cannot be read.
pub fn validate(options: &ValidateOptions) -> Result<Findings, TrainError> {
    let project = options.project.as_path();
    crate::api::training::must_be_folder(project)?;
    let config = there_or_named(project, std::slice::from_ref(&options.config), "config.yml");
    let imported = import_project(&Sources {
        root: project.to_owned(),
        config: config.into_iter().next().unwrap_or_default(),
        domain: there_or_named(project, &options.domain, "domain.yml"),
        data: there_or_named(project, &options.data, "data"),
        want: Want::All,
        environment: options.environment.clone(),
    })?;
    Ok(Findings {
        diagnostics: imported.diagnostics,
        sources: imported.sources,
    })
}
