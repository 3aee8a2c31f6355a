//! A portion of a project as a file: what one step of a build reads.
//!
//! # Format 1
//!
//! One JSON object, without spaces, in the one way it can be written:
//!
//! | field | content |
//! |---|---|
//! | `tabella_portion` | the version of the format, 1 |
//! | `of` | `nlu`, `core` or `package` |
//! | `training_type` | which halves the project trains; null if this one is none of them |
//! | `augmentation` | how many stories are glued to others |
//! | `persist_nlu_data` | whether the NLU data goes into the archive |
//! | `learned` | the numbers of the examples that are learnt from, where not all are: in a fold of a cross-validation |
//! | `folder` | where a component `command` runs; null if there is none |
//! | `files` | the files that components name: `component` (its number in the pipeline), `option`, `name` and `path`, without `..` between; where the file is on another machine, and its tasks run there, `elsewhere` with `digest` and `size` instead of a `path` |
//! | `project` | the project, as far as the step reads it |
//!
//! There is no place of a file in it: a line that moved gives the same bytes.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde::de::Error as _;

use crate::api::TrainError;
use crate::api::plain_path;
use crate::archive::TrainingType;
use crate::archive::write_if_changed;
use crate::data::Component;
use crate::data::ComponentFile;
use crate::data::Project;
use crate::digest::Digest;
use crate::import::component_file;
use crate::nlu::command::COMMAND;
use crate::recipe::Recipe;
use crate::recipe::core_portion;
use crate::recipe::nlu_portion;
use crate::store::may_be_replaced;

/// The version of the format.
pub const PORTION_VERSION: u32 = 1;

/// The step that a portion is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Training the NLU half.
    Nlu,
    /// Training the Core half.
    Core,
    /// Making the archive; its portion is the whole project.
    Package,
}

/// What a step of a build reads of a project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portion {
    tabella_portion: u32,
    /// The step.
    pub of: Step,
    /// Which halves the project trains; none if the step has nothing to do.
    pub training_type: Option<TrainingType>,
    /// How many stories are glued to others.
    pub augmentation: usize,
    /// Whether the NLU data goes into the archive.
    pub persist_nlu_data: bool,
    /// Which examples are learnt from, as [`Order::learned`](crate::recipe::Order::learned).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<Arc<[u32]>>,
    folder: Option<PathBuf>,
    files: Vec<NamedFile>,
    /// The project, as far as the step reads it.
    pub project: Project,
}

/// A file that a component names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedFile {
    component: usize,
    option: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    elsewhere: Option<Elsewhere>,
}

/// A file that is on another machine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Elsewhere {
    digest: Digest,
    size: u64,
}

/// Where a file of the component with a number in the pipeline is; none if it is on
/// another machine.
type Place<'a> = dyn Fn(usize, &ComponentFile) -> Option<PathBuf> + 'a;

impl NamedFile {
    /// Returns all of a pipeline.
    fn all(pipeline: &[Component], place: &Place<'_>) -> Vec<Self> {
        let all = pipeline.iter().enumerate().flat_map(|(component, one)| {
            one.files.iter().map(move |file| {
                let path = place(component, file);
                let elsewhere = Elsewhere {
                    digest: file.digest,
                    size: file.size,
                };
                Self {
                    component,
                    option: file.option.clone(),
                    name: file.name.clone(),
                    elsewhere: path.is_none().then_some(elsewhere),
                    path,
                }
            })
        });
        all.collect()
    }

    /// Reads the file; one that is on another machine is known by what is told of it.
    fn find(&self) -> Result<ComponentFile, TrainError> {
        match (&self.path, self.elsewhere) {
            (Some(path), _) => Ok(component_file(&self.option, &self.name, path)?),
            (None, elsewhere) => {
                let empty = Elsewhere {
                    digest: Digest::of(b""),
                    size: 0,
                };
                let Elsewhere { digest, size } = elsewhere.unwrap_or(empty);
                Ok(ComponentFile {
                    option: self.option.clone(),
                    name: self.name.clone(),
                    path: PathBuf::new(),
                    digest,
                    size,
                    head: Arc::default(),
                })
            }
        }
    }
}

/// The part of the format that no version changes.
#[derive(Deserialize)]
struct Header {
    tabella_portion: u32,
}

/// Why a file is not a portion that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PortionError {
    /// It cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is something else.
    #[error("`{}` is not what `tabella exec import` writes", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It has a file for a component that is not there.
    #[error("`{}` is not what `tabella exec import` writes: no component names `{name}`", path.display())]
    NoComponent {
        /// The portion.
        path: PathBuf,
        /// The file.
        name: String,
    },
    /// It would take the place of something else.
    #[error(
        "`{}` is there and is nothing that this step writes: it is left alone; give another path",
        path.display()
    )]
    Occupied {
        /// The path.
        path: PathBuf,
    },
    /// Another version of the program wrote it.
    #[error(
        "`{}` has format {version}, and this program reads {PORTION_VERSION}; write it with the same \
         program",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It is for another step.
    #[error("`{}` is for another step; give the {wanted} that `tabella exec import` wrote", path.display())]
    OtherStep {
        /// The file.
        path: PathBuf,
        /// What is wanted, in words.
        wanted: &'static str,
    },
}

impl Portion {
    /// Returns the portion of a project that `step` reads.
    pub fn of(step: Step, recipe: &Recipe) -> Self {
        let (project, order) = (&recipe.project, &recipe.order);
        let halves = order.training_type;
        let (training_type, project) = match step {
            Step::Nlu => (
                (halves != TrainingType::Core).then_some(TrainingType::Nlu),
                nlu_portion(project),
            ),
            Step::Core => (
                (halves != TrainingType::Nlu).then_some(TrainingType::Core),
                core_portion(project),
            ),
            Step::Package => (Some(halves), Project::clone(project)),
        };
        let project = training_type.map(|_| project).unwrap_or_default();
        let pipeline = &project.config.pipeline;
        let program = pipeline.iter().find(|one| one.name == COMMAND);
        Self {
            tabella_portion: PORTION_VERSION,
            of: step,
            training_type,
            // An edit of what a step does not read must not reach it.
            augmentation: match (step, training_type) {
                (Step::Nlu, _) | (_, None) => 0,
                _ => order.augmentation,
            },
            persist_nlu_data: step == Step::Package && order.persist_nlu_data,
            learned: order.learned.clone().filter(|_| step != Step::Core),
            folder: program.map(|component| component.folder.clone()),
            // A step may run where there are no folders but those of its files, so that
            // `a/../b` would lead nowhere.
            files: NamedFile::all(pipeline, &|_, file| Some(plain_path(&file.path))),
            project,
        }
    }

    /// Says where the files are that components name, on a machine where no programs
    /// of components run.
    pub fn place_files(&mut self, place: &Place<'_>) {
        self.files = NamedFile::all(&self.project.config.pipeline, place);
        self.folder = None;
    }

    /// Writes the portion to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or something else is there.
    pub fn write(&self, path: &Path) -> Result<(), TrainError> {
        must_be_free(path, BEGIN)?;
        let bytes = serde_json::to_vec(self).expect("a project has string keys and plain values");
        write_if_changed(path, &bytes)?;
        Ok(())
    }

    /// Reads a portion, and the files that its components name.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is nothing that [`Portion::write`] wrote.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let bytes = fs::read(path).map_err(|source| PortionError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mut portion = parsed(&bytes, path)?;
        portion.find_files(path)?;
        Ok(portion)
    }
}

impl Portion {
    /// Returns whether the examples that are learnt from are there, each once.
    fn has_what_it_learns(&self) -> bool {
        let learned = self.learned.as_deref().unwrap_or_default();
        let count = self.project.nlu.examples.len();
        learned.is_sorted_by(|a, b| a < b) && learned.last().is_none_or(|&at| (at as usize) < count)
    }

    /// Reads the files that components name.
    fn find_files(&mut self, path: &Path) -> Result<(), TrainError> {
        let pipeline = &mut self.project.config.pipeline;
        for component in pipeline.iter_mut() {
            component.folder = self.folder.clone().unwrap_or_default();
        }
        for file in &self.files {
            let component = pipeline.get_mut(file.component);
            let component = component.ok_or_else(|| PortionError::NoComponent {
                path: path.to_owned(),
                name: file.name.clone(),
            })?;
            component.files.push(file.find()?);
        }
        Ok(())
    }
}

/// What a portion begins with.
const BEGIN: &[u8] = b"{\"tabella_portion\":";

/// Fails if something is there that does not begin so: it is somebody else's.
pub fn must_be_free(path: &Path, begin: &[u8]) -> Result<(), TrainError> {
    match may_be_replaced(path, begin)? {
        true => Ok(()),
        false => Err(PortionError::Occupied {
            path: path.to_owned(),
        }
        .into()),
    }
}

fn parsed(bytes: &[u8], path: &Path) -> Result<Portion, PortionError> {
    let path = || path.to_owned();
    let portion = serde_json::from_slice::<Portion>(bytes);
    let version = match &portion {
        Ok(portion) => portion.tabella_portion,
        Err(_) => serde_json::from_slice::<Header>(bytes)
            .map_or(PORTION_VERSION, |header| header.tabella_portion),
    };
    if version != PORTION_VERSION {
        let path = path();
        return Err(PortionError::Version { path, version });
    }
    let portion = portion.and_then(|portion| match portion.has_what_it_learns() {
        true => Ok(portion),
        false => Err(serde_json::Error::custom("it learns from other examples")),
    });
    portion.map_err(|source| PortionError::Foreign {
        path: path(),
        source,
    })
}
