//! What `config.yml` says: the language, the pipeline and the policies.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::data::Place;
use crate::digest::Digest;

/// Options of a component as the user wrote them, without `name`.
pub type Options = BTreeMap<String, Value>;

/// The training configuration of one assistant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// `recipe`, such as `default.v1`.
    pub recipe: Option<String>,
    /// `assistant_id` of Rasa 3; carried into the archive's metadata.
    pub assistant_id: Option<String>,
    /// `language`, such as `en`.
    pub language: Option<String>,
    /// NLU components in pipeline order, after auto-configuration.
    pub pipeline: Vec<Component>,
    /// Policies in order, after auto-configuration.
    pub policies: Vec<Component>,
    /// Whether `pipeline` was missing and is Rasa's default.
    #[serde(skip)]
    pub pipeline_is_default: bool,
    /// Whether `policies` was missing and is Rasa's default.
    #[serde(skip)]
    pub policies_are_default: bool,
    /// Every other top-level key, as written.
    pub other: BTreeMap<String, Value>,
}

/// One entry of `pipeline` or `policies`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// The class name without its Python module path.
    pub name: String,
    /// What the user wrote beside `name`.
    pub options: Options,
    /// Where the entry starts.
    #[serde(skip)]
    pub place: Place,
    /// Where each option was written.
    #[serde(skip)]
    pub option_places: BTreeMap<String, OptionPlace>,
    /// The files that its options name, as far as they are there.
    #[serde(skip)]
    pub files: Vec<ComponentFile>,
    /// The project's folder.
    #[serde(skip)]
    pub folder: PathBuf,
}

/// A file that a component's options name, as it was when the project was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentFile {
    /// The option.
    pub option: String,
    /// The path as written; that of the folder and the name, if that was named.
    pub name: String,
    /// Where it is; empty if that is on another machine. There is a name, a digest and
    /// a size then, and nothing else: tasks that read it can be told, and not run.
    pub path: PathBuf,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// Its beginning: all of it up to [`ComponentFile::HEAD_SIZE`] bytes.
    pub head: Arc<[u8]>,
}

impl ComponentFile {
    /// How many bytes of the beginning of a file are kept at most.
    pub const HEAD_SIZE: usize = 512 << 10;

    /// Returns whether it is on this machine.
    pub fn is_here(&self) -> bool {
        !self.path.as_os_str().is_empty()
    }
}

/// Where an option of a component stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionPlace {
    /// Where its name is.
    pub name: Place,
    /// Where its value starts.
    pub value: Place,
    /// How many code points of the value's first line are the value.
    pub value_length: u32,
}
