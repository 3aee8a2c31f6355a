//! What an archive says about itself: who wrote it, and the components whose
//! files it holds.

use serde::Deserialize;
use serde::Serialize;

use crate::data::Options;

/// The archive format that this version writes, and the newest that it reads.
pub const ARCHIVE_FORMAT: u32 = 1;

/// `metadata.json`: all that is needed to load the components again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// Always [`ARCHIVE_FORMAT`] in what this version writes.
    pub archive_format: u32,
    /// The version of Tabella that trained.
    pub tabella_version: String,
    /// The versions of Rasa's formats that the model keeps to.
    pub rasa_formats: RasaFormats,
    /// Which parts were trained.
    pub training_type: TrainingType,
    /// `assistant_id` of the configuration.
    pub assistant_id: Option<String>,
    /// `language` of the configuration.
    pub language: Option<String>,
    /// NLU components in pipeline order; empty without NLU.
    pub pipeline: Vec<ComponentEntry>,
    /// Policies in order; empty without Core.
    pub policies: Vec<ComponentEntry>,
}

/// Versions of Rasa's formats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RasaFormats {
    /// The newest version of the training data format that is read.
    pub training_data: String,
    /// The generation of Rasa whose archive layout and fingerprint keys these are.
    pub archive: String,
}

impl Default for RasaFormats {
    fn default() -> Self {
        Self {
            training_data: "3.1".to_owned(),
            archive: "2.x".to_owned(),
        }
    }
}

/// Which parts of an assistant a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingType {
    /// NLU alone.
    Nlu,
    /// Core alone.
    Core,
    /// Both.
    Both,
}

impl TrainingType {
    /// Returns what Rasa puts before the names of such models: `nlu-`, `core-`
    /// or nothing.
    pub fn name_prefix(self) -> &'static str {
        match self {
            Self::Nlu => "nlu-",
            Self::Core => "core-",
            Self::Both => "",
        }
    }
}

/// A component or policy as it was trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentEntry {
    /// The class name.
    pub name: String,
    /// Every option, defaults filled in.
    pub options: Options,
    /// Paths in the archive of what the component learned, sorted.
    pub files: Vec<String>,
}
