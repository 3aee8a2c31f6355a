//! A conversation as a list of events, and the states that policies see of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::data::Place;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::Executed;
use crate::dialogue::Situation;
use crate::dialogue::SlotsShown;
use crate::dialogue::State;
use crate::dialogue::Universe;
use crate::dialogue::UserState;
use crate::dialogue::event_places::EventPlaces;
use crate::dialogue::state::SeenAction;

/// A conversation.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    /// Names of the stories it was made of, joined by ` > `. For messages only.
    pub name: String,
    /// Whether it was made of rules.
    pub is_rule: bool,
    /// Whether it was made by gluing stories at random.
    pub is_augmented: bool,
    events: Vec<Arc<Event>>,
    /// Where each event is written, for messages only.
    places: EventPlaces,
    situation: Situation,
}

/// Slots and loops that occur in rules but in no story: hidden from policies
/// that learn from stories.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleOnly {
    /// Slots that only rules set.
    #[serde(rename = "rule_only_slots")]
    pub slots: BTreeSet<String>,
    /// Forms that only rules activate.
    #[serde(rename = "rule_only_loops")]
    pub loops: BTreeSet<String>,
}

/// The turns of a conversation: a state before each action and a final one.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    /// One state before each of `actions`, then the final one.
    pub states: Vec<Arc<State>>,
    /// The actions in order.
    pub actions: Vec<Arc<Event>>,
    /// Where each of `actions` is written, as far as that is known; for messages
    /// only.
    pub places: Vec<Place>,
}

impl Turns {
    /// Returns action `index`.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn action(&self, index: usize) -> &Executed {
        self.actions[index]
            .as_action()
            .expect("only actions are collected")
    }
}

impl Tracker {
    /// Returns an empty conversation.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Adds an event.
    ///
    /// An event that undoes others makes the situation be computed anew, at the
    /// cost of a pass over all events.
    pub fn push(&mut self, event: Event) {
        self.push_shared(Arc::new(event));
    }

    /// Adds an event that another tracker may hold too.
    pub fn push_shared(&mut self, event: Arc<Event>) {
        let undoes = matches!(*event, Event::Undo | Event::Rewind);
        self.situation.update(&event);
        self.events.push(event);
        if undoes {
            self.situation = Situation::default();
            for event in self.applied_events() {
                self.situation.update(&event);
            }
        }
    }

    /// Makes room for so many placed events, and no more.
    pub fn reserve(&mut self, count: usize) {
        self.events.reserve_exact(count);
        self.places.reserve(count);
    }

    /// Adds an event that is written at a place.
    pub fn push_placed(&mut self, event: Arc<Event>, place: Place) {
        self.places.set(self.events.len(), place);
        self.push_shared(event);
    }

    /// Returns where an event is written, which may be unknown.
    pub fn place(&self, index: usize) -> Place {
        self.places.get(index)
    }

    /// Returns all events, in order.
    pub fn events(&self) -> &[Arc<Event>] {
        &self.events
    }

    /// Returns where the conversation stands.
    pub fn situation(&self) -> &Situation {
        &self.situation
    }

    /// Returns the events that policies see: without what was undone, and
    /// within a form without the turns that went as the form wanted.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `DialogueStateTracker.applied_events`.
    pub fn applied_events(&self) -> Vec<Arc<Event>> {
        let applied = self.applied().into_iter();
        applied.map(|(_, event)| Arc::clone(event)).collect()
    }

    /// Returns the same with the index of each.
    pub fn applied(&self) -> Vec<Applied<'_>> {
        let loops = self.loop_names();
        let mut applied: Vec<Applied<'_>> = Vec::with_capacity(self.events.len());
        for event in self.events.iter().enumerate() {
            match event.1.as_ref() {
                Event::Restart | Event::SessionStarted => applied.clear(),
                Event::Undo => undo_to(&mut applied, |event| event.as_action().is_some()),
                Event::Rewind => {
                    undo_to(&mut applied, |event| matches!(event, Event::User(_)));
                    undo_to(&mut applied, |event| event.as_action().is_some());
                }
                Event::Action(executed) => match &executed.name {
                    Some(name)
                        if loops.contains(name.as_str()) && is_happy_path(name, &applied) =>
                    {
                        undo_to_loop(&mut applied, name);
                    }
                    _ => applied.push(event),
                },
                _ => applied.push(event),
            }
        }
        applied
    }

    fn loop_names(&self) -> BTreeSet<&str> {
        self.events
            .iter()
            .filter_map(|event| match event.as_ref() {
                Event::ActiveLoop { name } => name.as_deref(),
                _ => None,
            })
            .collect()
    }

    /// Looks at where the conversation stands before each applied action, in order:
    /// that action's index among all events comes first.
    pub fn each_turn(&self, mut look: impl FnMut(usize, &Situation, &Executed)) {
        let mut situation = Situation::default();
        for (index, event) in self.applied() {
            if let Some(executed) = event.as_action() {
                look(index, &situation, executed);
            }
            situation.update(event);
        }
    }

    /// Returns the state before each applied action and the final one.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `Domain.states_for_tracker_history`.
    pub fn turns(&self, universe: &Universe, shown: SlotsShown) -> Turns {
        let mut turns = Turns::default();
        let mut situation = Situation::default();
        for (index, event) in self.applied() {
            if event.as_action().is_some() {
                turns
                    .states
                    .push(Arc::new(situation.state(universe, shown)));
                turns.actions.push(Arc::clone(event));
                turns.places.push(self.place(index));
            }
            situation.update(event);
        }
        turns
            .states
            .push(Arc::new(situation.state(universe, shown)));
        turns
    }

    /// Returns the states as a policy that learns from stories sees them:
    /// turns that only rules know are hidden.
    ///
    /// The action of the last visible turn stays the previous action of the
    /// next visible one; after anything but `action_listen` the user's part is
    /// that of the previous visible state.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `Domain.states_for_tracker_history` with
    /// `ignore_rule_only_turns`.
    pub fn states_without_rule_turns(
        &self,
        universe: &Universe,
        rule_only: &RuleOnly,
    ) -> Vec<Arc<State>> {
        let mut walk = HidingWalk::default();
        let mut situation = Situation::default();
        for event in self.applied_events() {
            if let Some(executed) = event.as_action() {
                walk.turn(&situation, executed.hide_rule_turn, universe, rule_only);
            }
            situation.update(&event);
        }
        walk.turn(&situation, false, universe, rule_only);
        walk.states
    }
}

#[derive(Default)]
struct HidingWalk {
    states: Vec<Arc<State>>,
    last_visible_action: Option<crate::dialogue::ActionState>,
    is_hidden: bool,
}

impl HidingWalk {
    fn turn(&mut self, now: &Situation, hide: bool, universe: &Universe, rule_only: &RuleOnly) {
        if !self.is_hidden {
            let last = now.latest_action().map(SeenAction::of);
            self.last_visible_action = last.map(SeenAction::to_owned);
        }
        if now.followup().is_none() && now.latest_action_name() != now.active_loop_name() {
            self.is_hidden = hide;
        }
        if self.is_hidden {
            return;
        }
        let mut state = now.state(universe, SlotsShown::All);
        state
            .slots
            .retain(|name, _| !rule_only.slots.contains(name));
        if state
            .active_loop_name()
            .is_some_and(|name| rule_only.loops.contains(name))
        {
            state.active_loop = None;
        }
        if let Some(previous) = self.states.last()
            && state.prev_action_name() != Some(ACTION_LISTEN)
        {
            state.user = UserState::clone(&previous.user);
        }
        if self.last_visible_action.is_some() {
            state.prev_action.clone_from(&self.last_visible_action);
        }
        self.states.push(Arc::new(state));
    }
}

/// An event that counts, and its index among all.
pub type Applied<'t> = (usize, &'t Arc<Event>);

/// Drops events from the end up to and including the last one that `is_target`.
fn undo_to(applied: &mut Vec<Applied<'_>>, is_target: impl Fn(&Event) -> bool) {
    while let Some((_, event)) = applied.pop() {
        if is_target(event) {
            break;
        }
    }
}

/// Returns whether the form runs again because the user answered it: not for
/// the first time, and no other action came between.
fn is_happy_path(name: &str, applied: &[Applied<'_>]) -> bool {
    let mut next_action: Option<&str> = None;
    for (_, event) in applied.iter().rev() {
        match event.as_ref() {
            Event::ActiveLoop { name: None } => return false,
            Event::ActionRejected { name: rejected } if rejected == name => return false,
            Event::User(_) if next_action.is_some_and(|next| next != name) => return false,
            Event::Action(executed) if executed.is_name(name) => return true,
            Event::Action(executed) => next_action = executed.name.as_deref(),
            _ => {}
        }
    }
    false
}

/// Drops turns since the form last ran; other events, such as slots, stay.
fn undo_to_loop(applied: &mut Vec<Applied<'_>>, name: &str) {
    let start = applied
        .iter()
        .rposition(|(_, event)| event.is_action(name))
        .map_or(0, |position| position + 1);
    let tail = applied.split_off(start);
    applied.extend(tail.into_iter().filter(|(_, event)| {
        !matches!(
            ***event,
            Event::Action(_) | Event::User(_) | Event::UserFeaturization { .. }
        )
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::UserMessage;

    fn user(intent: &str) -> Event {
        Event::User(UserMessage {
            intent: Some(intent.into()),
            ..UserMessage::default()
        })
    }

    fn tracker(events: Vec<Event>) -> Tracker {
        let mut tracker = Tracker::new("t");
        for event in events {
            tracker.push(event);
        }
        tracker
    }

    fn shown(tracker: &Tracker) -> Vec<String> {
        tracker
            .applied_events()
            .iter()
            .map(|event| match event.as_ref() {
                Event::User(message) => format!("user {}", message.intent.clone().unwrap()),
                Event::Action(executed) => executed.label().to_owned(),
                Event::Slot { name, .. } => format!("slot {name}"),
                Event::ActiveLoop { name } => format!("loop {}", name.clone().unwrap_or_default()),
                other => format!("{other:?}"),
            })
            .collect()
    }

    fn form(name: Option<&str>) -> Event {
        Event::ActiveLoop {
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn turns_in_which_the_form_was_answered_collapse() {
        let slot = Event::Slot {
            name: "size".into(),
            value: 1.into(),
        };
        let tracker = tracker(vec![
            Event::action(ACTION_LISTEN),
            user("order"),
            Event::action("form"),
            form(Some("form")),
            Event::action(ACTION_LISTEN),
            user("inform"),
            slot,
            Event::action("form"),
            form(None),
        ]);
        let want = [
            "action_listen",
            "user order",
            "form",
            "loop form",
            "slot size",
            "loop ",
        ];
        assert_eq!(shown(&tracker), want);
    }

    #[test]
    fn turns_in_which_the_form_was_left_stay() {
        let tracker = tracker(vec![
            user("order"),
            Event::action("form"),
            form(Some("form")),
            Event::action(ACTION_LISTEN),
            user("stop"),
            Event::action("utter_sure"),
            Event::action(ACTION_LISTEN),
            user("no"),
            Event::action("form"),
        ]);
        assert_eq!(shown(&tracker).len(), 9);
    }

    #[test]
    fn undo_and_rewind_drop_whole_turns() {
        let mut events = vec![
            Event::action(ACTION_LISTEN),
            user("a"),
            Event::action("utter_a"),
            Event::action(ACTION_LISTEN),
        ];
        events.push(Event::Undo);
        assert_eq!(
            shown(&tracker(events.clone())),
            ["action_listen", "user a", "utter_a"]
        );
        events.push(Event::Rewind);
        assert!(shown(&tracker(events)).is_empty());
    }
}
