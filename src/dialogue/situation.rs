//! Where a conversation stands after some events: what a tracker knows now,
//! and the [`State`] that policies see of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::LazyLock;

use serde_json::Value;

use crate::data::Annotation;
use crate::data::Slot;
use crate::data::SlotKind;
use crate::dialogue::Event;
use crate::dialogue::Executed;
use crate::dialogue::Feature;
use crate::dialogue::SHOULD_NOT_BE_SET;
use crate::dialogue::SlotState;
use crate::dialogue::State;
use crate::dialogue::Universe;
use crate::dialogue::UserMessage;
use crate::dialogue::slot_features;
use crate::dialogue::state::Seen;
use crate::dialogue::state::SeenAction;

/// Which slots a state shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotsShown {
    /// Every slot with a feature that is not zero.
    All,
    /// Only slots that an event has set: initial values stay hidden.
    Set,
}

/// A form that is active.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ActiveLoop {
    /// Its name; the marker [`SHOULD_NOT_BE_SET`] in rules that forbid one.
    pub name: String,
    /// Whether it is to run without validating the last message.
    pub is_interrupted: bool,
    /// Whether it refused to run since it last ran.
    pub is_rejected: bool,
}

/// What a tracker knows after its events.
#[derive(Clone, Debug)]
pub struct Situation {
    set_slots: Arc<SetSlots>,
    latest_message: Option<Arc<Event>>,
    use_text: Option<bool>,
    latest_action: Option<Arc<Event>>,
    active_loop: Option<ActiveLoop>,
    followup: Option<Cow<'static, str>>,
    is_paused: bool,
}

/// The events that set slots, sorted by name: few of many, in every conversation.
#[derive(Clone, Debug, Default)]
struct SetSlots(Vec<Arc<Event>>);

impl SetSlots {
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|event| slot_of(event).0.cmp(name))
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.find(name).ok().map(|at| slot_of(&self.0[at]).1)
    }

    fn set(&mut self, event: &Arc<Event>) {
        match self.find(slot_of(event).0) {
            Ok(at) => self.0[at] = Arc::clone(event),
            Err(at) => self.0.insert(at, Arc::clone(event)),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|event| slot_of(event))
    }
}

/// Returns the name and the value of an event that sets a slot.
fn slot_of(event: &Event) -> (&str, &Value) {
    match event {
        Event::Slot { name, value } => (name, value),
        _ => ("", &Value::Null),
    }
}

impl Default for Situation {
    fn default() -> Self {
        Self {
            set_slots: Arc::default(),
            latest_message: None,
            use_text: None,
            latest_action: None,
            active_loop: None,
            followup: Some(Cow::Borrowed(crate::dialogue::ACTION_LISTEN)),
            is_paused: false,
        }
    }
}

impl Situation {
    /// Returns the slot's value, its initial one if no event set it.
    pub fn slot<'a>(&'a self, universe: &'a Universe, name: &str) -> &'a Value {
        let initial = || universe.slot(name).map(|slot| &slot.initial_value);
        let value = self.set_slots.value(name).or_else(initial);
        value.unwrap_or(&Value::Null)
    }

    /// Returns the last user message.
    pub fn latest_message(&self) -> Option<&UserMessage> {
        match self.latest_message.as_deref() {
            Some(Event::User(message)) => Some(message),
            _ => None,
        }
    }

    /// Returns the last action.
    pub fn latest_action(&self) -> Option<&Executed> {
        self.latest_action.as_deref().and_then(Event::as_action)
    }

    /// Returns the last action's name; none for a text or no action.
    pub fn latest_action_name(&self) -> Option<&str> {
        match self.latest_action().map(SeenAction::of) {
            Some(SeenAction::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Returns the active loop; the marker of rules counts as none.
    pub fn active_loop(&self) -> Option<&ActiveLoop> {
        let active = self.active_loop.as_ref()?;
        (active.name != SHOULD_NOT_BE_SET).then_some(active)
    }

    /// Returns the active loop's name.
    pub fn active_loop_name(&self) -> Option<&str> {
        self.active_loop().map(|active| active.name.as_str())
    }

    /// Returns the action that an event asked to be next.
    pub fn followup(&self) -> Option<&str> {
        self.followup.as_deref()
    }

    /// Returns whether the bot is not to predict.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Takes an event into account.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `DialogueStateTracker.update` and `apply_to` of each event.
    pub fn update(&mut self, event: &Arc<Event>) {
        match event.as_ref() {
            Event::User(message) => {
                self.use_text = featurized_by_text(message);
                self.latest_message = Some(Arc::clone(event));
                self.followup = None;
            }
            Event::Action(executed) => {
                self.latest_action = Some(Arc::clone(event));
                self.followup = None;
                if let Some(active) = &mut self.active_loop {
                    active.is_interrupted = false;
                    active.is_rejected &= !executed.is_name(&active.name);
                }
            }
            Event::Slot { .. } => Arc::make_mut(&mut self.set_slots).set(event),
            Event::ActiveLoop { name } => {
                self.active_loop = name.as_ref().map(|name| ActiveLoop {
                    name: name.clone(),
                    ..ActiveLoop::default()
                });
            }
            Event::LoopInterrupted { is_interrupted } => {
                if let Some(active) = &mut self.active_loop {
                    active.is_interrupted = *is_interrupted;
                }
            }
            Event::ActionRejected { name } => {
                if let Some(active) = &mut self.active_loop {
                    active.is_rejected |= active.name == *name;
                }
            }
            Event::UserFeaturization { use_text } => self.use_text = Some(*use_text),
            Event::ResetSlots => self.set_slots = Arc::default(),
            Event::Followup { name } => self.followup = name.clone().map(Cow::Owned),
            Event::Pause => self.is_paused = true,
            Event::Resume => self.is_paused = false,
            Event::Restart | Event::SessionStarted => *self = Self::default(),
            // Applied by the tracker, which drops the events they undo.
            Event::Undo | Event::Rewind => {}
        }
    }

    /// Returns what policies see.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `Domain.get_active_state`.
    pub fn state(&self, universe: &Universe, shown: SlotsShown) -> State {
        self.seen(universe, shown).into_state()
    }

    /// Returns the same without a copy of it.
    pub fn seen<'s>(&'s self, universe: &'s Universe, shown: SlotsShown) -> Seen<'s> {
        let mut seen = Seen {
            active_loop: self.active_loop.as_ref().map(|active| &*active.name),
            prev_action: self.latest_action().map(SeenAction::of),
            slots: self.slot_states(universe, shown),
            entities: Vec::new(),
            intent: None,
            text: None,
        };
        if let Some(message) = self.latest_message() {
            if self.use_text != Some(false) {
                seen.text = message.text.as_deref().filter(|text| !text.is_empty());
            }
            if self.use_text != Some(true) {
                seen.intent = message.intent.as_deref();
                seen.entities = entity_labels(&message.entities);
                let is_used = |label: &str| universe.is_entity_used(seen.intent, label);
                seen.entities.retain(|label| is_used(label));
            }
        }
        seen
    }

    /// Returns what is seen of slots, sorted by name.
    fn slot_states<'s>(
        &'s self,
        universe: &'s Universe,
        shown: SlotsShown,
    ) -> Vec<(&'s str, Cow<'s, SlotState>)> {
        let state = |slot: &'s Slot, value: &Value| {
            let state = slot_state(slot, value)?;
            Some((slot.name.as_str(), state))
        };
        // Few slots are set, and hardly any has an initial value.
        let set = self.set_slots.iter();
        let set = set.filter_map(|(name, value)| state(universe.slot(name)?, value));
        let mut states: Vec<_> = set.collect();
        if shown == SlotsShown::All {
            let set_count = states.len();
            let is_unset = |slot: &&Slot| self.set_slots.value(&slot.name).is_none();
            let unset = universe.initial_slots().filter(is_unset);
            states.extend(unset.filter_map(|slot| state(slot, &slot.initial_value)));
            if states.len() > set_count {
                states.sort_by_key(|(name, _)| *name);
            }
        }
        states
    }
}

/// Returns what policies see of a slot with this value; none if that is nothing.
fn slot_state(slot: &Slot, value: &Value) -> Option<Cow<'static, SlotState>> {
    /// What is seen of nearly every slot that is set.
    static ONE: LazyLock<SlotState> = LazyLock::new(|| SlotState::Features(vec![Feature(1.0)]));
    // What is empty has no feature that is not zero.
    if value.is_null() || slot_features::count(slot) == 0 {
        return None;
    }
    if value.as_str() == Some(SHOULD_NOT_BE_SET) {
        let marker = SlotState::Marker(SHOULD_NOT_BE_SET.to_owned());
        return Some(Cow::Owned(marker));
    }
    if slot.kind == SlotKind::Text {
        return Some(Cow::Borrowed(&ONE));
    }
    let features = slot_features::features(slot, value);
    let is_seen = features.iter().any(|&x| x != 0.0);
    let seen = || SlotState::Features(features.into_iter().map(Feature).collect());
    is_seen.then(seen).map(Cow::Owned)
}

/// Rasa: a message with text alone is seen as text, one with an intent alone as
/// intent; where both are known the policy chooses.
fn featurized_by_text(message: &UserMessage) -> Option<bool> {
    let has_text = message.text.as_ref().is_some_and(|text| !text.is_empty());
    match (has_text, message.intent.is_some()) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

/// Returns the labels of entities, sorted, each once.
fn entity_labels(entities: &[Annotation]) -> Vec<Cow<'_, str>> {
    let mut labels = Vec::with_capacity(entities.len());
    for found in entities {
        labels.push(Cow::Borrowed(found.entity.as_str()));
        for part in [&found.role, &found.group].into_iter().flatten() {
            labels.push(Cow::Owned(format!("{}#{part}", found.entity)));
        }
    }
    labels.sort_unstable();
    labels.dedup();
    labels
}
