//! Conversations as the network reads them: every distinct turn once, and each
//! window of states as a list of turns, newest first.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::ActionState;
use crate::dialogue::Example;
use crate::dialogue::SlotState;
use crate::dialogue::State;
use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::Universe;
use crate::dialogue::ted::TrainError;
use crate::matrix::Csr;

/// Number of attributes of a turn.
pub(crate) const ATTRIBUTES: usize = 5;

/// What a turn consists of, in the order in which a turn's vector holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    /// The user's intent.
    Intent = 0,
    /// The bot's previous action.
    ActionName = 1,
    /// The active form.
    ActiveLoop = 2,
    /// The user's entities.
    Entities = 3,
    /// The slots that are set.
    Slots = 4,
}

impl Attribute {
    /// All attributes in order.
    pub const ALL: [Self; ATTRIBUTES] = [
        Self::Intent,
        Self::ActionName,
        Self::ActiveLoop,
        Self::Entities,
        Self::Slots,
    ];

    /// Returns Rasa's name of the attribute.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::ActionName => "action_name",
            Self::ActiveLoop => "active_loop",
            Self::Entities => "entities",
            Self::Slots => "slots",
        }
    }
}

/// What each column of each attribute's features stands for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FeatureNames {
    /// Intents, sorted.
    pub intent: Vec<String>,
    /// Actions in the order of their indices: the labels too.
    pub action_name: Vec<String>,
    /// Forms.
    pub active_loop: Vec<String>,
    /// Entity types, then those with roles, then those with groups.
    pub entities: Vec<String>,
    /// One name `slot_i` for each feature of each slot.
    pub slots: Vec<String>,
}

impl FeatureNames {
    /// Returns the names of a domain.
    pub fn new(universe: &Universe) -> Self {
        Self {
            intent: universe.intents().to_vec(),
            action_name: universe.actions().to_vec(),
            active_loop: universe
                .forms()
                .iter()
                .map(|form| form.name.clone())
                .collect(),
            entities: universe.entity_states().to_vec(),
            slots: universe.slot_states().to_vec(),
        }
    }

    /// Returns the names of one attribute.
    pub fn of(&self, attribute: Attribute) -> &[String] {
        match attribute {
            Attribute::Intent => &self.intent,
            Attribute::ActionName => &self.action_name,
            Attribute::ActiveLoop => &self.active_loop,
            Attribute::Entities => &self.entities,
            Attribute::Slots => &self.slots,
        }
    }
}

/// A turn: for each attribute the row of its table, if the turn has it.
pub(crate) type Turn = [Option<u32>; ATTRIBUTES];

/// The distinct turns of some conversations.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    /// For each attribute its distinct feature rows.
    pub tables: [Csr; ATTRIBUTES],
    /// The distinct turns, in order of their first occurrence.
    pub turns: Vec<Turn>,
    /// Turns by state, per attribute rows by content; only looked up in.
    seen: BTreeMap<Turn, u32>,
    rows: [BTreeMap<Vec<(u32, u32)>, u32>; ATTRIBUTES],
}

/// Turns states into rows of features.
///
/// # Source
///
/// Rasa 3.6 `SingleStateFeaturizer.encode_state` without end-to-end texts.
#[derive(Clone, Debug)]
pub(crate) struct StateEncoder {
    columns: [BTreeMap<String, u32>; ATTRIBUTES],
}

impl StateEncoder {
    /// Returns the encoder for these columns.
    pub fn new(names: &FeatureNames) -> Self {
        let columns = Attribute::ALL.map(|attribute| {
            let names = names.of(attribute).iter().cloned();
            names.zip(0..).collect()
        });
        Self { columns }
    }

    /// Returns no turns, with tables as wide as this encoder's rows.
    pub fn no_turns(&self) -> Turns {
        Turns {
            tables: [0, 1, 2, 3, 4].map(|at: usize| Csr::new(self.columns[at].len())),
            turns: Vec::new(),
            seen: BTreeMap::new(),
            rows: Default::default(),
        }
    }

    /// Adds the turn that a state shows, unless it is known, and returns its index.
    ///
    /// Names that are not in the domain leave their row without a value.
    pub fn intern(&self, turns: &mut Turns, state: &State) -> u32 {
        let mut turn: Turn = [None; ATTRIBUTES];
        for attribute in Attribute::ALL {
            if let Some(row) = self.row(state, attribute) {
                turn[attribute as usize] = Some(turns.row(attribute, row));
            }
        }
        let next = turns.turns.len() as u32;
        let index = *turns.seen.entry(turn).or_insert(next);
        if index == next {
            turns.turns.push(turn);
        }
        index
    }

    /// Returns the features of an attribute, `None` when the state has it not.
    fn row(&self, state: &State, attribute: Attribute) -> Option<Vec<(u32, f32)>> {
        let columns = &self.columns[attribute as usize];
        let one = |name: &str| columns.get(name).map(|&column| (column, 1.0));
        let is_new_message = state.prev_action_name() == Some(ACTION_LISTEN);
        let mut row: Vec<(u32, f32)> = match attribute {
            Attribute::Intent => {
                let intent = state.user.intent.as_ref().filter(|_| is_new_message)?;
                one(intent).into_iter().collect()
            }
            Attribute::Entities => {
                if !is_new_message || state.user.entities.is_empty() {
                    return None;
                }
                state
                    .user
                    .entities
                    .iter()
                    .filter_map(|name| one(name))
                    .collect()
            }
            Attribute::ActionName => match state.prev_action.as_ref()? {
                ActionState::Name(name) => one(name).into_iter().collect(),
                ActionState::Text(_) => return None,
            },
            Attribute::ActiveLoop => {
                let name = &state.active_loop.as_ref()?.name;
                one(name).into_iter().collect()
            }
            Attribute::Slots => {
                if state.slots.is_empty() {
                    return None;
                }
                slot_row(state, columns)
            }
        };
        row.sort_by_key(|&(column, _)| column);
        row.dedup_by_key(|&mut (column, _)| column);
        Some(row)
    }
}

fn slot_row(state: &State, columns: &BTreeMap<String, u32>) -> Vec<(u32, f32)> {
    let mut row = Vec::new();
    for (name, slot) in &state.slots {
        let SlotState::Features(features) = slot else {
            continue;
        };
        for (i, feature) in features.iter().enumerate() {
            let value = feature.0 as f32;
            if let Some(&column) = columns.get(&format!("{name}_{i}"))
                && value != 0.0
            {
                row.push((column, value));
            }
        }
    }
    row
}

impl Turns {
    fn row(&mut self, attribute: Attribute, row: Vec<(u32, f32)>) -> u32 {
        let table = &mut self.tables[attribute as usize];
        let key = row
            .iter()
            .map(|&(column, value)| (column, value.to_bits()))
            .collect();
        let next = table.rows() as u32;
        let index = *self.rows[attribute as usize].entry(key).or_insert(next);
        if index == next {
            table.push_row(row);
        }
        index
    }
}

/// Turns of a conversation and the actions that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Indices of turns, at least one; newest first unless whole dialogues are
    /// learned from.
    pub turns: Vec<u32>,
    /// For each of the first positions in `turns` the index of the action.
    pub actions: Vec<u32>,
}

/// All examples of a training run.
#[derive(Clone, Debug)]
pub(crate) struct TrainingData {
    /// Distinct turns of all examples.
    pub turns: Turns,
    /// The examples in the order given.
    pub windows: Vec<Window>,
}

impl TrainingData {
    /// Returns the examples as turns.
    ///
    /// # Errors
    ///
    /// If an example holds a text without intent, a bot's text, or an action that
    /// is not in the domain.
    pub fn new(
        encoder: &StateEncoder,
        featurizer: &TrackerFeaturizer,
        examples: &[Example],
    ) -> Result<Self, TrainError> {
        let mut turns = encoder.no_turns();
        let mut by_address: HashMap<*const State, u32> = HashMap::new();
        let mut windows = Vec::with_capacity(examples.len());
        let has_labels = |example: &&Example| !example.labels.is_empty();
        for example in examples.iter().filter(has_labels) {
            let mut window = Vec::with_capacity(example.window.states().len());
            for state in example.window.states() {
                let turn = match by_address.entry(Arc::as_ptr(state)) {
                    Entry::Occupied(known) => *known.get(),
                    Entry::Vacant(place) => {
                        refuse_texts(state)?;
                        *place.insert(encoder.intern(&mut turns, state))
                    }
                };
                window.push(turn);
            }
            windows.push(Window {
                turns: in_network_order(featurizer, window),
                actions: actions(encoder, &example.labels)?,
            });
        }
        Ok(Self { turns, windows })
    }

    /// Returns which attributes any example has.
    pub fn present(&self) -> [bool; ATTRIBUTES] {
        [0, 1, 2, 3, 4].map(|at: usize| self.turns.tables[at].rows() > 0)
    }
}

/// Returns turns in the order in which the network reads them.
///
/// Rasa 3.6: with a `MaxHistoryTrackerFeaturizer` the newest turn comes first, so
/// that its position is always the same.
pub(crate) fn in_network_order(featurizer: &TrackerFeaturizer, mut turns: Vec<u32>) -> Vec<u32> {
    if matches!(featurizer, TrackerFeaturizer::MaxHistory { .. }) {
        turns.reverse();
    }
    turns
}

fn refuse_texts(state: &State) -> Result<(), TrainError> {
    if let Some(ActionState::Text(text)) = &state.prev_action {
        return Err(TrainError::EndToEnd { text: text.clone() });
    }
    match &state.user.text {
        Some(text) if state.user.intent.is_none() => {
            Err(TrainError::EndToEnd { text: text.clone() })
        }
        _ => Ok(()),
    }
}

fn actions(encoder: &StateEncoder, labels: &[String]) -> Result<Vec<u32>, TrainError> {
    let known = &encoder.columns[Attribute::ActionName as usize];
    labels
        .iter()
        .map(|label| match known.get(label) {
            Some(&action) => Ok(action),
            None => Err(TrainError::UnknownAction {
                name: label.clone(),
            }),
        })
        .collect()
}
