//! What an assistant project *is*: plain values without behaviour.
//!
//! ```text
//!   import ──▶ [data] ──▶ tokenize, features, nlu, dialogue, recipe
//! ```
//!
//! Every value here serialises to the same JSON whatever file it came from and
//! wherever it stood there: a [`Place`] is never serialised and never makes two
//! values unequal. Keys are made of that JSON, so a moved or split file is the
//! same project.

mod place;
mod phrases;
mod config;
mod response;
mod domain;
mod example;
mod story;
mod project;
mod remote_exec;
mod remote;
mod workspace;

pub use config::Component;
pub use config::ComponentFile;
pub use config::Config;
pub use config::OptionPlace;
pub use config::Options;
pub use domain::Domain;
pub use domain::Entity;
pub use domain::Form;
pub use domain::Intent;
pub use domain::MappingCondition;
pub use domain::MappingKind;
pub use domain::SessionConfig;
pub use domain::Slot;
pub use domain::SlotKind;
pub use domain::SlotMapping;
pub use domain::UsedEntities;
pub use example::Annotation;
pub use example::Example;
pub use example::Lookup;
pub use example::NluData;
pub use example::Pattern;
pub use phrases::PhraseId;
pub use phrases::PhraseList;
pub use place::Place;
pub use place::Places;
pub use project::Project;
pub use remote::Remote;
pub use remote::RemoteMode;
pub use remote::time_ms;
pub use remote_exec::RemoteExec;
pub use response::Content;
pub use response::Response;
pub use story::Checkpoint;
pub use story::Event;
pub use story::STORY_START;
pub use story::Step;
pub use story::StoryGraph;
pub use story::Utterance;
pub use workspace::Member;
pub use workspace::Workspace;
