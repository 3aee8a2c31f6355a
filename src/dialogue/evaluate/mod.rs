//! Plays test stories against trained policies.
//!
//! ```text
//!   test stories ──▶ conversations ──▶ [evaluate] ──▶ Evaluation ──▶ Report
//!                                          │               └──▶ failed stories
//!                          Ensemble, parse ┘
//! ```
//!
//! Every action of a story is predicted from what came before it; whatever is
//! predicted, the story's own action is what happens.

mod failed;
mod report;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::data::Annotation;
use crate::data::StoryGraph;
use crate::dialogue::ACTION_UNLIKELY_INTENT;
use crate::dialogue::Ensemble;
use crate::dialogue::Event;
use crate::dialogue::Executed;
use crate::dialogue::Prediction;
use crate::dialogue::Tracker;
use crate::dialogue::Universe;
use crate::dialogue::UserMessage;
use crate::dialogue::ensemble::MAX_PREDICTIONS;
use crate::dialogue::training_trackers;

pub use failed::failed_stories;
pub use report::Report;
pub use report::Score;
pub use report::report;

/// What was understood of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The intent, without response key.
    pub intent: Option<String>,
    /// `base/key` if a response selector chose a key.
    pub full_intent: Option<String>,
    /// Probability of the intent.
    pub confidence: f64,
    /// Entities in order.
    pub entities: Vec<Annotation>,
}

/// Understands a message.
pub type Parse<'a> = &'a dyn Fn(&str) -> Parsed;

/// All test stories with what was predicted.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// One for each test story.
    pub conversations: Vec<Conversation>,
}

/// A test story with what was predicted.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// The story's name.
    pub name: String,
    /// Its events in order.
    pub turns: Vec<Turn>,
}

/// An event of a test story.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What the story says.
    pub event: Arc<Event>,
    /// What was predicted; none for events that nobody predicts.
    pub outcome: Option<Outcome>,
}

/// What was predicted instead of, or as, an event.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The action that would have run.
    Action {
        /// Its name or text.
        predicted: String,
        /// The policy that predicted it; none when there were too many
        /// predictions after one message.
        policy: Option<String>,
        /// How sure that policy was.
        confidence: f32,
        /// Whether `action_unlikely_intent` was predicted first.
        is_unlikely_intent: bool,
    },
    /// What was understood of a message.
    Message {
        /// The intent, with response key where the story gives one.
        intent: Option<String>,
        /// The entities.
        entities: Vec<Annotation>,
    },
}

/// What is predicted when a message led to too many actions.
pub const CIRCUIT_BREAKER: &str = "circuit breaker tripped";

/// Plays test stories against an ensemble. With `parse`, texts of messages are
/// understood anew and compared, too; without, messages are what the story
/// says.
///
/// # Source
///
/// Rasa 3.6 `rasa.core.test`. Differs from Rasa: of alternatives (`or`) in a
/// test story only the first is played.
pub fn evaluate(
    stories: &StoryGraph,
    ensemble: &Ensemble,
    universe: &Universe,
    parse: Option<Parse<'_>>,
) -> Evaluation {
    let trackers = training_trackers(stories, universe, 0);
    let play = |tracker: &Tracker| Player::new(ensemble, universe, parse).play(tracker);
    Evaluation {
        conversations: trackers.trackers.iter().map(play).collect(),
    }
}

struct Player<'a> {
    ensemble: &'a Ensemble,
    universe: &'a Universe,
    parse: Option<Parse<'a>>,
    so_far: Tracker,
    predictions: usize,
}

impl<'a> Player<'a> {
    fn new(ensemble: &'a Ensemble, universe: &'a Universe, parse: Option<Parse<'a>>) -> Self {
        Self {
            ensemble,
            universe,
            parse,
            so_far: Tracker::new(""),
            predictions: 0,
        }
    }

    /// The first event is given: it is what opens the conversation.
    fn play(mut self, tracker: &Tracker) -> Conversation {
        let mut turns = Vec::new();
        for (index, event) in tracker.events().iter().enumerate() {
            let outcome = match event.as_ref() {
                Event::Action(executed) if index > 0 => Some(self.action(executed)),
                Event::User(message) => self.message(message, event),
                _ => {
                    self.so_far.push_shared(Arc::clone(event));
                    None
                }
            };
            turns.push(Turn {
                event: Arc::clone(event),
                outcome,
            });
        }
        Conversation {
            name: tracker.name.clone(),
            turns,
        }
    }

    fn message(&mut self, message: &UserMessage, event: &Arc<Event>) -> Option<Outcome> {
        self.predictions = 0;
        let (Some(parse), Some(text)) = (self.parse, message.text.as_deref()) else {
            self.so_far.push_shared(Arc::clone(event));
            return None;
        };
        let parsed = parse(text);
        let intent = compared_intent(message, &parsed);
        let is_right = intent.as_deref() == wanted_intent(message)
            && spans(&parsed.entities) == spans(&message.entities);
        let heard = if is_right {
            message.clone()
        } else {
            UserMessage {
                text: message.text.clone(),
                intent: parsed.intent.clone(),
                intent_response_key: parsed.full_intent.clone(),
                confidence: parsed.confidence,
                entities: parsed.entities.as_slice().into(),
            }
        };
        self.so_far.push(Event::User(heard));
        Some(Outcome::Message {
            intent,
            entities: parsed.entities,
        })
    }

    fn action(&mut self, gold: &Executed) -> Outcome {
        let mut is_unlikely_intent = false;
        let (mut predicted, mut prediction) = self.predict(gold);
        if predicted == ACTION_UNLIKELY_INTENT && gold.label() != ACTION_UNLIKELY_INTENT {
            is_unlikely_intent = true;
            self.so_far.push(Event::action(ACTION_UNLIKELY_INTENT));
            (predicted, prediction) = self.predict(gold);
        }
        self.predictions += 1;
        let confidence = prediction.as_ref().map(|p| p.best().1);
        let policy = prediction.map(|p| p.policy);
        self.so_far.push(Event::Action(Executed {
            is_unpredictable: false,
            policy: policy.clone(),
            confidence: confidence.map(f64::from),
            ..gold.clone()
        }));
        Outcome::Action {
            predicted,
            policy,
            confidence: confidence.unwrap_or(0.0),
            is_unlikely_intent,
        }
    }

    /// A form that is predicted where the story does something else refuses to
    /// run, as it would have with a user.
    fn predict(&mut self, gold: &Executed) -> (String, Option<Prediction>) {
        if self.predictions >= MAX_PREDICTIONS {
            return (CIRCUIT_BREAKER.to_owned(), None);
        }
        let (predicted, prediction) = self.predict_once();
        let active = self.so_far.situation().active_loop_name();
        let is_form = |name: &str| self.universe.forms().iter().any(|form| form.name == name);
        if predicted != gold.label() && active == Some(&predicted) && is_form(&predicted) {
            self.so_far.push(Event::ActionRejected { name: predicted });
            return self.predict_once();
        }
        (predicted, prediction)
    }

    fn predict_once(&self) -> (String, Option<Prediction>) {
        let prediction = self.ensemble.predict(&self.so_far, self.universe);
        let best = prediction
            .as_ref()
            .map_or(0, |prediction| prediction.best().0);
        (self.universe.actions()[best].clone(), prediction)
    }
}

/// The intent as the story writes it: with response key if it has one.
fn wanted_intent(message: &UserMessage) -> Option<&str> {
    let full = message.intent_response_key.as_deref();
    full.or(message.intent.as_deref())
}

/// The understood intent, with response key unless the story gives none and the
/// intent is right without.
fn compared_intent(message: &UserMessage, parsed: &Parsed) -> Option<String> {
    if wanted_intent(message) == parsed.intent.as_deref() {
        return parsed.intent.clone();
    }
    parsed.full_intent.clone().or_else(|| parsed.intent.clone())
}

/// What is compared of entities: not their roles, order or number.
fn spans(entities: &[Annotation]) -> BTreeSet<(usize, usize, String, String)> {
    entities
        .iter()
        .map(|found| {
            let value = found.value.to_string();
            (found.start, found.end, found.entity.clone(), value)
        })
        .collect()
}

impl Turn {
    /// Returns whether what was predicted is what happened.
    pub fn is_right(&self) -> bool {
        match (self.event.as_ref(), &self.outcome) {
            (Event::Action(gold), Some(Outcome::Action { predicted, .. })) => {
                gold.label() == predicted
            }
            (Event::User(gold), Some(Outcome::Message { intent, entities })) => {
                wanted_intent(gold) == intent.as_deref() && spans(&gold.entities) == spans(entities)
            }
            _ => true,
        }
    }

    /// Returns whether `action_unlikely_intent` came between.
    pub fn has_warning(&self) -> bool {
        let unlikely = |outcome: &Outcome| {
            matches!(
                outcome,
                Outcome::Action {
                    is_unlikely_intent: true,
                    ..
                }
            )
        };
        self.outcome.as_ref().is_some_and(unlikely)
    }
}

impl Conversation {
    /// Returns whether everything was predicted as it happened.
    pub fn is_right(&self) -> bool {
        self.turns.iter().all(Turn::is_right)
    }

    /// Returns whether `action_unlikely_intent` came between.
    pub fn has_warning(&self) -> bool {
        self.turns.iter().any(Turn::has_warning)
    }
}

impl Evaluation {
    /// Returns the share of conversations that are right; 1 of none.
    pub fn conversation_accuracy(&self) -> f64 {
        let right = self.conversations.iter().filter(|c| c.is_right()).count();
        share(right, self.conversations.len())
    }

    /// Returns the share of actions that a policy which knows stories or rules
    /// by heart predicted; 1 of none.
    ///
    /// Differs from Rasa 3.6, which always reports 0, because it looks for
    /// policy names of Rasa 2.
    pub fn in_training_data_fraction(&self) -> f64 {
        let by_heart = [
            "MemoizationPolicy",
            "AugmentedMemoizationPolicy",
            "RulePolicy",
        ];
        let mut all = 0;
        let mut known = 0;
        for turn in self.conversations.iter().flat_map(|c| &c.turns) {
            if let Some(Outcome::Action {
                policy, confidence, ..
            }) = &turn.outcome
            {
                all += 1;
                let is_known = policy
                    .as_deref()
                    .is_some_and(|name| by_heart.contains(&name));
                known += usize::from(is_known && *confidence > 0.0);
            }
        }
        share(known, all)
    }
}

fn share(part: usize, all: usize) -> f64 {
    if all == 0 {
        1.0
    } else {
        part as f64 / all as f64
    }
}
