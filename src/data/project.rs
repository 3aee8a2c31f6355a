//! Everything that training reads.

use serde::Deserialize;
use serde::Serialize;

use crate::data::Config;
use crate::data::Domain;
use crate::data::NluData;
use crate::data::StoryGraph;

/// A whole assistant, read and merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Pipeline and policies.
    pub config: Config,
    /// The merged domain, responses and actions of retrieval intents included.
    pub domain: Domain,
    /// NLU training data.
    pub nlu: NluData,
    /// Stories and rules.
    pub stories: StoryGraph,
}
