//! What `tabella.yml` says: the assistants of a workspace, and what they share.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::data::Place;
use crate::data::Remote;

/// Several assistants that are trained together.
///
/// Every path is relative to the folder of `tabella.yml`, or absolute if it was
/// written so.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workspace {
    /// The folder in which results are kept between runs, if one is named.
    pub cache: Option<PathBuf>,
    /// Where results of others are found, if that is said.
    pub remote: Option<Remote>,
    /// The assistants, sorted by name; one with several configs once for each.
    pub members: Vec<Arc<Member>>,
}

/// An assistant of a workspace, or the variant of one that a config gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// What it is called, `bot`, or `bot@small` for a variant; no two have the
    /// same name.
    pub name: String,
    /// The name without the variant.
    pub assistant: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether the folder was listed as one by that which it is in: it is no link.
    #[serde(skip)]
    pub is_listed: bool,
    /// Its config file.
    pub config: PathBuf,
    /// Domain files and folders, its own before shared ones: where two define
    /// the same, the earlier wins.
    pub domain: Vec<PathBuf>,
    /// Training data files and folders, its own and shared ones.
    pub data: Vec<PathBuf>,
    /// The folder for its models, or its archive if it ends in `.tar.gz`; no two
    /// have the same.
    pub out: PathBuf,
    /// Where it is listed.
    #[serde(skip)]
    pub place: Place,
}

impl Member {
    /// Returns whether the workspace file tells the same of both, wherever and however
    /// it lists them.
    pub fn is_told_as(&self, other: &Self) -> bool {
        let other = Self {
            place: self.place.clone(),
            is_listed: self.is_listed,
            ..other.clone()
        };
        *self == other
    }
}
