//! What `tabella.yml` says: the assistants of a workspace, and what they share.

use std::path::PathBuf;

use serde::Deserialize;
use serde::Serialize;

use crate::data::Place;

/// Several assistants that are trained together.
///
/// Every path is relative to the folder of `tabella.yml`, or absolute if it was
/// written so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// The folder in which results are kept between runs, if one is named.
    pub cache: Option<PathBuf>,
    /// The assistants, sorted by name.
    pub members: Vec<Member>,
}

/// An assistant of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// What it is called; no two have the same name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Config files; each gives a variant of the assistant.
    pub configs: Vec<PathBuf>,
    /// Domain files and folders, its own before shared ones: where two define
    /// the same, the earlier wins.
    pub domain: Vec<PathBuf>,
    /// Training data files and folders, its own and shared ones.
    pub data: Vec<PathBuf>,
    /// The folder for its models.
    pub out: PathBuf,
    /// Where it is listed.
    #[serde(skip)]
    pub place: Place,
}
