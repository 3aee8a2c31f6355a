//! A trained model as values, before it is packed and after it was verified.

use std::collections::BTreeMap;

use crate::archive::Fingerprint;
use crate::archive::Metadata;

/// Files of one part of a model: path below `core/` or `nlu/` to bytes.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// What the policies learned, and the domain; empty without Core.
    pub core: Files,
    /// What the NLU components learned; empty without NLU.
    pub nlu: Files,
    /// What it was trained from.
    pub fingerprint: Fingerprint,
    /// What it says about itself.
    pub metadata: Metadata,
}
