//! A trained model, loaded: messages in, parses and actions out.

use std::path::Path;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::api::MAX_MESSAGE_SIZE;
use crate::api::TrainError;
use crate::api::chain;
use crate::archive::ComponentEntry;
use crate::archive::Files;
use crate::archive::Model;
use crate::archive::TrainingType;
use crate::archive::latest_model;
use crate::archive::read_model;
use crate::data::Component;
use crate::data::Domain;
use crate::dialogue::Ensemble;
use crate::dialogue::LoadedPolicy;
use crate::dialogue::Universe;
use crate::nlu::ModelFolders;
use crate::nlu::Parse;
use crate::nlu::Pipeline;
use crate::nlu::SlashMessages;
use crate::nlu::diet;
use crate::recipe::is_untrained;

/// A model that can be asked.
pub struct Assistant {
    path: PathBuf,
    pipeline: Option<Pipeline>,
    core: Option<Core>,
}

/// The dialogue part of a model.
pub struct Core {
    /// What it was trained for.
    pub domain: Domain,
    /// The domain's index spaces.
    pub universe: Universe,
    /// The policies.
    pub ensemble: Ensemble,
}

impl Assistant {
    /// Loads the archive at `path`, or the latest one in the folder at `path`. Folders of
    /// language models are looked for in the working folder.
    ///
    /// # Errors
    ///
    /// If there is no model, it is not safe to use, or a component in it is not
    /// what it should be.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        Self::load_with(path, &ModelFolders::default())
    }

    /// Loads as [`Assistant::load`], with language models from other folders.
    ///
    /// # Errors
    ///
    /// As [`Assistant::load`].
    pub fn load_with(path: &Path, folders: &ModelFolders) -> Result<Self, TrainError> {
        let path = latest_model(path)?;
        let model = read_model(&path)?;
        Self::of(path, model, folders)
    }

    /// Loads a model that was read from `path`.
    ///
    /// # Errors
    ///
    /// If a component in it is not what it should be.
    pub fn of(path: PathBuf, mut model: Model, folders: &ModelFolders) -> Result<Self, TrainError> {
        let core = match model.metadata.training_type {
            TrainingType::Nlu => None,
            _ => Some(core(&mut model)?),
        };
        let pipeline = match model.metadata.training_type {
            TrainingType::Core => None,
            _ => {
                let universe = core.as_ref().map(|core| &core.universe);
                Some(pipeline(&mut model, universe, folders)?)
            }
        };
        Ok(Self {
            path,
            pipeline,
            core,
        })
    }

    /// Allows the programs to be run that components `command` of the model name, in
    /// the project's folder. Who does not trust a model must not.
    pub fn allow_commands(&mut self, folder: &Path) {
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.allow_commands(folder);
        }
    }

    /// Asks Duckling at `url`, wherever the configuration says it is: what Rasa
    /// takes from the environment variable `RASA_DUCKLING_HTTP_URL`, and so does
    /// `tabella parse`.
    ///
    /// # Errors
    ///
    /// If that is not the address of a server.
    pub fn ask_duckling_at(&mut self, url: &str) -> Result<(), TrainError> {
        let Some(pipeline) = &mut self.pipeline else {
            return Ok(());
        };
        pipeline
            .ask_duckling_at(url)
            .map_err(|error| TrainError::Load {
                component: "DucklingEntityExtractor".to_owned(),
                reason: error.reason,
            })
    }

    /// Returns the archive that was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Parses a message, as Rasa's `/model/parse` does.
    ///
    /// # Errors
    ///
    /// If the model has no NLU part, or the message is longer than
    /// [`MAX_MESSAGE_SIZE`].
    pub fn parse(&self, text: &str) -> Result<Parse, TrainError> {
        if text.len() > MAX_MESSAGE_SIZE {
            return Err(TrainError::TooLong { size: text.len() });
        }
        Ok(self.pipeline()?.parse(text))
    }

    /// Returns the NLU part.
    ///
    /// # Errors
    ///
    /// If the model has none.
    pub fn pipeline(&self) -> Result<&Pipeline, TrainError> {
        let missing = || TrainError::MissingPart {
            part: "NLU",
            model: self.path.clone(),
        };
        self.pipeline.as_ref().ok_or_else(missing)
    }

    /// Returns the dialogue part.
    ///
    /// # Errors
    ///
    /// If the model has none.
    pub fn core(&self) -> Result<&Core, TrainError> {
        let missing = || TrainError::MissingPart {
            part: "Core",
            model: self.path.clone(),
        };
        self.core.as_ref().ok_or_else(missing)
    }
}

fn pipeline(
    model: &mut Model,
    universe: Option<&Universe>,
    folders: &ModelFolders,
) -> Result<Pipeline, TrainError> {
    let mut parts: Vec<(Component, Files)> = Vec::new();
    for entry in &model.metadata.pipeline {
        let component = Component {
            name: entry.name.clone(),
            options: entry.options.clone(),
            ..Component::default()
        };
        parts.push((component, files_of(entry, &mut model.nlu, "nlu/")));
    }
    let slash = match universe {
        Some(universe) => SlashMessages {
            intents: universe.intents().iter().cloned().collect(),
            entities: universe.entities().iter().cloned().collect(),
        },
        None => SlashMessages::default(),
    };
    Pipeline::load(&parts, slash, folders).map_err(|error| TrainError::Load {
        component: "pipeline".to_owned(),
        reason: chain(&error),
    })
}

fn core(model: &mut Model) -> Result<Core, TrainError> {
    let domain: Domain = document(&model.core, "domain.json")?;
    let universe = Universe::new(&domain);
    let mut policies = Vec::new();
    for entry in &model.metadata.policies {
        let files = files_of(entry, &mut model.core, "core/");
        let policy = LoadedPolicy::from_files(&entry.name, &files);
        policies.push(policy.map_err(|error| TrainError::Load {
            component: entry.name.clone(),
            reason: chain(&error),
        })?);
    }
    Ok(Core {
        domain,
        universe,
        ensemble: Ensemble::new(policies),
    })
}

/// Takes the files of one component, by their own names.
pub(super) fn files_of(entry: &ComponentEntry, files: &mut Files, half: &str) -> Files {
    let own = |path: &String| {
        let below = path.strip_prefix(half)?;
        let name = below.rsplit('/').next()?.to_owned();
        Some((name, files.remove(below)?))
    };
    let mut own: Files = entry.files.iter().filter_map(own).collect();
    if is_untrained(&own) {
        own.retain(|name, _| !diet::FILES.contains(&name.as_str()));
    }
    own
}

fn document<T: DeserializeOwned>(files: &Files, name: &str) -> Result<T, TrainError> {
    let wrong = |reason: String| TrainError::Load {
        component: name.to_owned(),
        reason,
    };
    let bytes = files
        .get(name)
        .ok_or_else(|| wrong("it is missing".to_owned()))?;
    serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))
}
