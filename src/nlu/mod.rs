//! Learns and predicts intents, entities and responses.
//!
//! ```text
//!   data::NluData, Documents, FeatureRows ──▶ [nlu] ──▶ what was learnt ──▶ archive
//!   text ──▶ Pipeline::parse ──▶ Parse
//! ```
//!
//! [`component`] knows every component by name; a loaded one changes a
//! [`Message`] as it passes.

mod message;
mod model_folders;
mod tags;
mod tag_entities;
mod bilou_repair;
mod regex_entities;
mod synonyms;
mod keyword;
mod fallback;
pub mod duckling;
pub mod command;
mod slash;
pub mod diet;
pub mod logistic;
pub mod svm;
pub mod crf;
pub mod selector;
pub mod component;
mod pipeline;
pub mod score;

pub use bilou_repair::repair;
pub use fallback::FALLBACK_INTENT;
pub use fallback::FallbackClassifier;
pub use fallback::FallbackOptions;
pub use keyword::KeywordClassifier;
pub use keyword::KeywordError;
pub use keyword::KeywordOptions;
pub use message::Entity;
pub use message::Intent;
pub use message::Message;
pub use message::Parse;
pub use message::RankedResponse;
pub use message::ResponseSelection;
pub use message::SelectedResponse;
pub use message::Selection;
pub use model_folders::MODEL_FOLDERS_VARIABLE;
pub use model_folders::ModelFolders;
pub use pipeline::FITTED;
pub use pipeline::Files;
pub use pipeline::LoadError;
pub use pipeline::LoadedComponent;
pub use pipeline::Pipeline;
pub use regex_entities::RegexEntities;
pub use regex_entities::RegexEntityOptions;
pub use slash::SlashMessages;
pub use synonyms::Synonyms;
pub use tag_entities::KindTags;
pub use tag_entities::SplitByComma;
pub use tag_entities::Tagged;
pub use tag_entities::entities;
pub use tag_entities::entities_of_kinds;
pub use tags::TagKind;
pub use tags::TagSet;
pub use tags::Tagging;
pub use tags::misaligned;
