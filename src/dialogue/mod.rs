//! Learns what the bot does next.
//!
//! ```text
//!   data::StoryGraph ──▶ generate ──▶ Trackers ──▶ Turns, Example ──▶ policies
//!   data::Domain ──▶ Universe ─────────┴───────────────┘                │
//!   conversation ──▶ Tracker ──▶ Ensemble ──▶ next action ◀─────────────┘
//! ```
//!
//! A [`Universe`] holds the index spaces of a domain; a [`Tracker`] is a
//! conversation; a [`State`] is one turn as policies see it. Behaviour follows
//! Rasa 3.6.21 wherever versions differ.

mod universe;
mod slot_features;
mod event;
mod state;
mod situation;
mod event_places;
mod tracker;
mod trackers;
mod story_order;
mod story_steps;
mod shared_events;
mod generate;
mod featurizer;
mod options;
mod prediction;
mod memoization;
mod rule;
mod conflicts;
mod ways;
/// `TEDPolicy`.
pub mod ted;
mod policy;
mod ensemble;
mod evaluate;

pub use conflicts::Conflict;
pub use conflicts::Way;
pub use conflicts::conflicts;
pub use ensemble::Ensemble;
pub use ensemble::MAX_PREDICTIONS;
pub use ensemble::combine;
pub use evaluate::CIRCUIT_BREAKER;
pub use evaluate::Conversation;
pub use evaluate::Evaluation;
pub use evaluate::Outcome;
pub use evaluate::Parse;
pub use evaluate::Parsed;
pub use evaluate::Report;
pub use evaluate::Score;
pub use evaluate::Turn;
pub use evaluate::evaluate;
pub use evaluate::failed_stories;
pub use evaluate::report;
pub use event::Event;
pub use event::Executed;
pub use event::SHOULD_NOT_BE_SET;
pub use event::UserMessage;
pub use featurizer::Example;
pub use featurizer::FeaturizerError;
pub use featurizer::TrackerFeaturizer;
pub use featurizer::UnknownOption;
pub use featurizer::Window;
pub use generate::training_trackers;
pub use memoization::Memoization;
pub use memoization::MemoizationOptions;
pub use memoization::Recall;
pub use options::OptionError;
pub use policy::BUILT_IN_POLICIES;
pub use policy::LoadedPolicy;
pub use policy::PolicyError;
pub use policy::PolicyFilesError;
pub use policy::PolicyIssue;
pub use policy::PolicyOptions;
pub use policy::TABLE;
pub use policy::policy_issues;
pub use prediction::LastInput;
pub use prediction::Prediction;
pub use prediction::prediction_states;
pub use rule::RuleError;
pub use rule::RuleFlaw;
pub use rule::RuleOptions;
pub use rule::RulePolicy;
pub use situation::ActiveLoop;
pub use situation::Situation;
pub use situation::SlotsShown;
pub use state::ActionState;
pub use state::Feature;
pub use state::LoopState;
pub use state::SlotState;
pub use state::State;
pub use state::UserState;
pub use state::states_text;
pub use story_steps::story_events;
pub use tracker::RuleOnly;
pub use tracker::Tracker;
pub use tracker::Turns;
pub use trackers::Trackers;
pub use trackers::TrackersError;
pub use universe::ACTION_LISTEN;
pub use universe::ACTION_UNLIKELY_INTENT;
pub use universe::DEFAULT_ACTIONS;
pub use universe::DEFAULT_INTENTS;
pub use universe::REQUESTED_SLOT;
pub use universe::RULE_SNIPPET;
pub use universe::Universe;
pub use ways::TooManyWays;
pub use ways::check_ways;
