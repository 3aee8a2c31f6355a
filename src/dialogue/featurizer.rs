//! Conversations to training examples: windows of states with the action that
//! follows.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Map;
use serde_json::Value;

use crate::data::Options;
use crate::dialogue::Event;
use crate::dialogue::SlotsShown;
use crate::dialogue::State;
use crate::dialogue::Tracker;
use crate::dialogue::Turns;
use crate::dialogue::Universe;
use crate::digest::Digest;

/// An option within a policy's `featurizer` that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownOption {
    /// The class that has no such option.
    pub class: String,
    /// What was written.
    pub name: String,
    /// What the class knows.
    pub known: &'static [&'static str],
}

/// How a policy cuts conversations into examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackerFeaturizer {
    /// One example for each action, with the states that led to it.
    MaxHistory {
        /// How many of the last states are kept; none for all.
        max_history: Option<usize>,
        /// Whether equal examples are one.
        remove_duplicates: bool,
    },
    /// One example for each conversation, with all actions as labels.
    FullDialogue,
}

/// A `featurizer` option that cannot be followed, or a story that does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FeaturizerError {
    /// The option is not a list with one entry that has a name.
    #[error(
        "`featurizer` needs exactly one entry with a `name`, as in `- name: MaxHistoryTrackerFeaturizer`"
    )]
    Shape,
    /// A `state_featurizer` is not a list with one entry that has a name.
    #[error(
        "`state_featurizer` needs exactly one entry with a `name`, as in `- name: SingleStateFeaturizer`"
    )]
    StateShape,
    /// A class that is not built in.
    #[error("featurizer `{name}` is not known; known are {known}")]
    Unknown {
        /// The name written.
        name: String,
        /// Names that would do.
        known: &'static str,
    },
    /// An option has a value of the wrong type.
    #[error("`{option}` must be {wanted}, not `{value}`")]
    Value {
        /// The option.
        option: &'static str,
        /// What it must be.
        wanted: &'static str,
        /// What was written.
        value: String,
    },
    /// A conversation has two actions that nothing led to.
    #[error("story `{name}` has more than one action before its first user message")]
    TwoFirstActions {
        /// The story.
        name: String,
    },
}

/// A run of states of one conversation; windows of it share their storage.
#[derive(Clone, Debug)]
pub struct Window {
    states: Arc<[Arc<State>]>,
    start: usize,
    end: usize,
}

impl Window {
    /// Returns the states, oldest first.
    pub fn states(&self) -> &[Arc<State>] {
        &self.states[self.start..self.end]
    }
}

/// A training example.
#[derive(Clone, Debug)]
pub struct Example {
    /// What led there.
    pub window: Window,
    /// The action names or texts that follow: one for the last state, or with
    /// whole dialogues one for each state.
    pub labels: Vec<String>,
    /// For each label: the end-to-end message (text without intent) that came
    /// directly before that action, with its entities.
    pub messages: Vec<Option<Arc<Event>>>,
}

impl TrackerFeaturizer {
    /// Reads a policy's `featurizer` and `max_history` options; without
    /// `featurizer` it is [`MaxHistory`](Self::MaxHistory) with `max_history`.
    ///
    /// # Errors
    ///
    /// If an option has the wrong shape or names an unknown class.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `Policy._create_featurizer`: the policy's `max_history` is used
    /// unless the featurizer has its own.
    pub fn from_options(options: &Options) -> Result<Self, FeaturizerError> {
        let own = max_history(options.get("max_history"))?;
        let entry = match options.get("featurizer") {
            None | Some(Value::Null) => return Ok(Self::max_history(own)),
            Some(Value::Array(entries)) if entries.is_empty() => return Ok(Self::max_history(own)),
            Some(Value::Array(entries)) => match entries.as_slice() {
                [Value::Object(entry)] => entry,
                _ => return Err(FeaturizerError::Shape),
            },
            Some(_) => return Err(FeaturizerError::Shape),
        };
        check_state_featurizer(entry.get("state_featurizer"))?;
        match class_name(entry.get("name")).ok_or(FeaturizerError::Shape)? {
            "MaxHistoryTrackerFeaturizer" => Ok(Self::MaxHistory {
                max_history: match entry.get("max_history") {
                    None => own,
                    written => max_history(written)?,
                },
                remove_duplicates: flag(entry.get("remove_duplicates"))?,
            }),
            "FullDialogueTrackerFeaturizer" => Ok(Self::FullDialogue),
            name => Err(FeaturizerError::Unknown {
                name: name.to_owned(),
                known: "`MaxHistoryTrackerFeaturizer` and `FullDialogueTrackerFeaturizer`",
            }),
        }
    }

    /// Returns what is written within a policy's `featurizer` and read by nobody.
    ///
    /// Rasa 3.6 hands all of it to the class: an unknown name is a `TypeError`.
    pub fn unknown_options(options: &Options) -> Vec<UnknownOption> {
        let mut unknown = Vec::new();
        let Some(entry) = only_entry(options.get("featurizer")) else {
            return unknown;
        };
        let known = match class_name(entry.get("name")) {
            Some("MaxHistoryTrackerFeaturizer") => MAX_HISTORY_OPTIONS,
            _ => &MAX_HISTORY_OPTIONS[..2],
        };
        collect_unknown(entry, known, &mut unknown);
        if let Some(state) = only_entry(entry.get("state_featurizer")) {
            collect_unknown(state, &MAX_HISTORY_OPTIONS[..1], &mut unknown);
        }
        unknown
    }

    /// Returns the featurizer that keeps the last `max_history` states.
    pub fn max_history(max_history: Option<usize>) -> Self {
        Self::MaxHistory {
            max_history,
            remove_duplicates: true,
        }
    }

    /// Returns how many states a prediction looks at; none for all.
    pub fn history_len(&self) -> Option<usize> {
        match self {
            Self::MaxHistory { max_history, .. } => *max_history,
            Self::FullDialogue => None,
        }
    }

    /// Returns the states at the end of `states` that a prediction looks at.
    pub fn slice<'a>(&self, states: &'a [Arc<State>]) -> &'a [Arc<State>] {
        let len = self.history_len().unwrap_or(states.len());
        &states[states.len().saturating_sub(len)..]
    }

    /// Returns the examples of `trackers`, in their order.
    ///
    /// # Errors
    ///
    /// If whole dialogues are asked for and one has two unpredictable actions.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `MaxHistoryTrackerFeaturizer` and
    /// `FullDialogueTrackerFeaturizer`: duplicates go before the text of
    /// messages with an intent does.
    pub fn examples<'a>(
        &self,
        trackers: impl IntoIterator<Item = &'a Tracker>,
        universe: &Universe,
        shown: SlotsShown,
    ) -> Result<Vec<Example>, FeaturizerError> {
        let mut examples = Vec::new();
        self.each_example(trackers, universe, shown, |example| examples.push(example))?;
        Ok(examples)
    }

    /// Does what [`examples`](Self::examples) does and hands over each example as
    /// soon as it is made: those of a conversation hold all its states.
    ///
    /// # Errors
    ///
    /// As [`examples`](Self::examples).
    pub fn each_example<'a>(
        &self,
        trackers: impl IntoIterator<Item = &'a Tracker>,
        universe: &Universe,
        shown: SlotsShown,
        mut take: impl FnMut(Example),
    ) -> Result<(), FeaturizerError> {
        let mut seen = HashSet::new();
        for tracker in trackers {
            let turns = tracker.turns(universe, shown);
            let messages = end_to_end_messages(tracker);
            match *self {
                Self::MaxHistory {
                    max_history,
                    remove_duplicates,
                } => {
                    let windows = windows(&turns, &messages, max_history);
                    let digests = remove_duplicates.then(|| window_digests(&turns, max_history));
                    for (k, example) in windows {
                        if digests
                            .as_ref()
                            .is_none_or(|digests| seen.insert(digests[k]))
                        {
                            take(example);
                        }
                    }
                }
                Self::FullDialogue => {
                    let example = whole(&turns, &messages, &tracker.name)?;
                    example.into_iter().for_each(&mut take);
                }
            }
        }
        Ok(())
    }
}

/// What a `MaxHistoryTrackerFeaturizer` knows; others know the first of them.
const MAX_HISTORY_OPTIONS: &[&str] = &[
    "name",
    "state_featurizer",
    "max_history",
    "remove_duplicates",
];

fn only_entry(value: Option<&Value>) -> Option<&Map<String, Value>> {
    match value?.as_array()?.as_slice() {
        [Value::Object(entry)] => Some(entry),
        _ => None,
    }
}

fn collect_unknown(
    entry: &Map<String, Value>,
    known: &'static [&'static str],
    unknown: &mut Vec<UnknownOption>,
) {
    let class = class_name(entry.get("name")).unwrap_or_default();
    let names = entry.keys().filter(|name| !known.contains(&name.as_str()));
    unknown.extend(names.map(|name| UnknownOption {
        class: class.to_owned(),
        name: name.clone(),
        known,
    }));
}

fn class_name(name: Option<&Value>) -> Option<&str> {
    name.and_then(Value::as_str)?.rsplit('.').next()
}

fn max_history(value: Option<&Value>) -> Result<Option<usize>, FeaturizerError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().and_then(|n| usize::try_from(n).ok()) {
            Some(n) if n > 0 => Ok(Some(n)),
            _ => Err(FeaturizerError::Value {
                option: "max_history",
                wanted: "a whole number of at least 1, or null",
                value: value.to_string(),
            }),
        },
    }
}

fn flag(value: Option<&Value>) -> Result<bool, FeaturizerError> {
    match value {
        None => Ok(true),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(value) => Err(FeaturizerError::Value {
            option: "remove_duplicates",
            wanted: "true or false",
            value: value.to_string(),
        }),
    }
}

fn check_state_featurizer(value: Option<&Value>) -> Result<(), FeaturizerError> {
    let entry = match value {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(entries)) => match entries.as_slice() {
            [] => return Ok(()),
            [Value::Object(entry)] => entry,
            _ => return Err(FeaturizerError::StateShape),
        },
        Some(_) => return Err(FeaturizerError::StateShape),
    };
    match class_name(entry.get("name")).ok_or(FeaturizerError::StateShape)? {
        // The other two are Rasa 2's; without texts in stories all three are the same.
        "SingleStateFeaturizer"
        | "BinarySingleStateFeaturizer"
        | "LabelTokenizerSingleStateFeaturizer" => Ok(()),
        name => Err(FeaturizerError::Unknown {
            name: name.to_owned(),
            known: "`SingleStateFeaturizer`",
        }),
    }
}

/// For each applied action the message directly before it, if it is text that
/// no intent explains.
fn end_to_end_messages(tracker: &Tracker) -> Vec<Option<Arc<Event>>> {
    let mut messages = Vec::new();
    let mut latest: Option<Arc<Event>> = None;
    for event in tracker.applied_events() {
        match event.as_ref() {
            Event::User(message) => {
                let is_text = message.text.is_some() && message.intent.is_none();
                latest = is_text.then(|| Arc::clone(&event));
            }
            Event::Action(_) => messages.push(latest.take()),
            _ => {}
        }
    }
    messages
}

/// Drops the text of messages whose intent is known.
fn cleaned(states: &[Arc<State>]) -> Arc<[Arc<State>]> {
    states.iter().map(without_text).collect()
}

/// Returns the state without the text of a message whose intent is known.
pub(crate) fn without_text(state: &Arc<State>) -> Arc<State> {
    if state.user.intent.is_none() || state.user.text.is_none() {
        return Arc::clone(state);
    }
    let mut state = State::clone(state);
    state.user.text = None;
    Arc::new(state)
}

/// Each predictable action's index and example.
fn windows(
    turns: &Turns,
    messages: &[Option<Arc<Event>>],
    max_history: Option<usize>,
) -> Vec<(usize, Example)> {
    let states = cleaned(&turns.states);
    (0..turns.actions.len())
        .filter(|&k| !turns.action(k).is_unpredictable)
        .map(|k| {
            let end = k + 1;
            let window = Window {
                states: Arc::clone(&states),
                start: end - max_history.unwrap_or(end).min(end),
                end,
            };
            let labels = vec![turns.action(k).label().to_owned()];
            let messages = vec![messages[k].clone()];
            let example = Example {
                window,
                labels,
                messages,
            };
            (k, example)
        })
        .collect()
}

/// For each action a digest of its window and label.
fn window_digests(turns: &Turns, max_history: Option<usize>) -> Vec<Digest> {
    let states: Vec<Digest> = turns.states.iter().map(|state| state.digest()).collect();
    let mut all_before = Digest::of(b"");
    let mut digests = Vec::with_capacity(turns.actions.len());
    for k in 0..turns.actions.len() {
        let mut bytes = Vec::new();
        match max_history {
            Some(len) => {
                for state in &states[(k + 1).saturating_sub(len)..=k] {
                    bytes.extend_from_slice(state.as_bytes());
                }
            }
            None => {
                bytes.extend_from_slice(all_before.as_bytes());
                bytes.extend_from_slice(states[k].as_bytes());
                all_before = Digest::of(&bytes);
            }
        }
        bytes.push(0);
        bytes.extend_from_slice(turns.action(k).label().as_bytes());
        digests.push(Digest::of(&bytes));
    }
    digests
}

fn whole(
    turns: &Turns,
    messages: &[Option<Arc<Event>>],
    name: &str,
) -> Result<Option<Example>, FeaturizerError> {
    let predictable: Vec<usize> = (0..turns.actions.len())
        .filter(|&k| !turns.action(k).is_unpredictable)
        .collect();
    let start = turns.actions.len() - predictable.len();
    if start > 1 {
        return Err(FeaturizerError::TwoFirstActions {
            name: name.to_owned(),
        });
    }
    if predictable.is_empty() {
        return Ok(None);
    }
    Ok(Some(Example {
        window: Window {
            states: cleaned(&turns.states),
            start,
            end: turns.actions.len(),
        },
        labels: predictable
            .iter()
            .map(|&k| turns.action(k).label().to_owned())
            .collect(),
        messages: predictable.iter().map(|&k| messages[k].clone()).collect(),
    }))
}
