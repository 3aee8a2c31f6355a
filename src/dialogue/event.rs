//! What happens in a conversation, as a tracker records it.

use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::data::Annotation;
use crate::data::Utterance;

/// The value by which a rule says that a slot or loop is not set.
pub const SHOULD_NOT_BE_SET: &str = "should_not_be_set";

/// One event of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The user said something.
    User(UserMessage),
    /// The bot ran an action or said a text.
    Action(Executed),
    /// A slot got a value.
    Slot {
        /// The slot's name.
        name: String,
        /// Its value; null empties the slot.
        value: Value,
    },
    /// A form became active, or none is any more.
    ActiveLoop {
        /// The form; [`SHOULD_NOT_BE_SET`] in rules that forbid one.
        name: Option<String>,
    },
    /// The form is to run without validating the message (unhappy path).
    LoopInterrupted {
        /// Whether it was interrupted.
        is_interrupted: bool,
    },
    /// An action refused to run.
    ActionRejected {
        /// The action.
        name: String,
    },
    /// Whether the last message's text, rather than its intent, was used.
    UserFeaturization {
        /// True for the text.
        use_text: bool,
    },
    /// Undoes everything from the last action on.
    Undo,
    /// Undoes everything from the last user message on.
    Rewind,
    /// Forgets everything.
    Restart,
    /// Begins a session; policies see nothing before it.
    SessionStarted,
    /// Gives every slot its initial value.
    ResetSlots,
    /// Names the next action.
    Followup {
        /// The action; none to predict as usual.
        name: Option<String>,
    },
    /// Stops the bot from predicting.
    Pause,
    /// Lets the bot predict again.
    Resume,
}

impl Event {
    /// Returns the event of an action that a policy can predict.
    pub fn action(name: &str) -> Self {
        Self::Action(Executed::name(name))
    }

    /// Returns the executed action, if the event is one.
    pub fn as_action(&self) -> Option<&Executed> {
        match self {
            Self::Action(executed) => Some(executed),
            _ => None,
        }
    }

    /// Returns whether the event is the action `name`.
    pub fn is_action(&self, name: &str) -> bool {
        self.as_action()
            .is_some_and(|executed| executed.is_name(name))
    }
}

/// A user message with what was understood of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UserMessage {
    /// The text, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The intent, without response key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// `base/key` of a retrieval intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_response_key: Option<String>,
    /// Probability of the intent.
    #[serde(default = "certain")]
    pub confidence: f64,
    /// Entities in order.
    #[serde(default, skip_serializing_if = "is_none")]
    pub entities: Arc<[Annotation]>,
}

fn is_none(entities: &Arc<[Annotation]>) -> bool {
    entities.is_empty()
}

fn certain() -> f64 {
    1.0
}

impl UserMessage {
    /// Returns the message of a story step, understood with certainty. Test
    /// stories name retrieval intents with their response key; what policies see
    /// is the base intent alone.
    pub fn of(utterance: &Utterance) -> Self {
        let base = |name: &String| match (&utterance.intent_response_key, name.split_once('/')) {
            (Some(_), Some((base, _))) => base.to_owned(),
            _ => name.clone(),
        };
        Self {
            text: utterance.text.clone(),
            intent: utterance.intent.as_ref().map(base),
            intent_response_key: utterance.intent_response_key.clone(),
            confidence: 1.0,
            entities: Arc::clone(&utterance.entities),
        }
    }
}

/// An action that ran: exactly one of `name` and `text` is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Executed {
    /// The action's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The text of an end-to-end action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether no policy is to learn it: what happens before a story begins.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_unpredictable: bool,
    /// Whether a rule that no story follows predicted it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hide_rule_turn: bool,
    /// The policy that predicted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// How sure that policy was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Executed {
    /// Returns the action of this name.
    pub fn name(name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..Self::default()
        }
    }

    /// Returns the end-to-end action that says `text`.
    pub fn text(text: &str) -> Self {
        Self {
            text: Some(text.to_owned()),
            ..Self::default()
        }
    }

    /// Returns the action's name, or its text.
    pub fn label(&self) -> &str {
        let label = self.name.as_deref().or(self.text.as_deref());
        label.unwrap_or_default()
    }

    /// Returns whether this is the action `name`, not a text.
    pub fn is_name(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name)
    }
}
