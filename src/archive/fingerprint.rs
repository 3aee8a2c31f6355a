//! The digests by which Rasa 2.x decides what to retrain, under its keys.
//!
//! They are for readers of the archive. Tabella itself decides by the keys of
//! its tasks, which are finer.

use serde::Deserialize;
use serde::Serialize;

use crate::digest::Digest;

/// `fingerprint.json`: what a model was trained from, as digests.
///
/// Differs from Rasa: the digests are BLAKE3, and a configuration that is empty
/// has the digest of the empty map instead of `""`.
///
/// # Source
///
/// Rasa 2.4 `rasa.model.model_fingerprint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fingerprint {
    /// The configuration but for `language`, `pipeline` and `policies`.
    pub config: Digest,
    /// `policies`.
    pub core_config: Digest,
    /// `language` and `pipeline`.
    pub nlu_config: Digest,
    /// The whole configuration without any component's `epochs`.
    pub config_without_epochs: Digest,
    /// The domain but for the texts of its responses.
    pub domain: Digest,
    /// The responses.
    pub nlg: Digest,
    /// Rasa hashes the git remote here; see [`Unrecorded`].
    pub project: Unrecorded,
    /// The NLU data.
    pub messages: Digest,
    /// Intents, entities, roles, groups and actions.
    #[serde(rename = "nlu_labels")]
    pub nlu_labels: Digest,
    /// Stories and rules.
    pub stories: Digest,
    /// Rasa records the time here; see [`Unrecorded`].
    #[serde(rename = "trained_at")]
    pub trained_at: Unrecorded,
    /// The version of Tabella that trained.
    pub version: String,
}

/// Something Rasa records and Tabella does not, since it would make archives of
/// equal inputs differ from one checkout or moment to the next. Written `null`,
/// which Rasa's own readers accept: neither key takes part in a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unrecorded;
