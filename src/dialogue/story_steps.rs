//! What a story step makes happen in a conversation, the unsaid included.

use serde_json::Value;

use crate::data::Annotation;
use crate::data::Event as StoryEvent;
use crate::data::MappingKind;
use crate::data::Place;
use crate::data::STORY_START;
use crate::data::Slot;
use crate::data::SlotKind;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::Executed;
use crate::dialogue::SHOULD_NOT_BE_SET;
use crate::dialogue::Universe;
use crate::dialogue::UserMessage;
use crate::dialogue::story_order::Joint;

/// Returns the events of a step and where each is written: listening before each
/// user message, slots filled by its entities after it, and a final listening
/// where a story ends.
///
/// In a step that starts a conversation the first action before any user
/// message is marked unpredictable. In a rule an emptied slot or loop becomes
/// the marker that it must not be set. Of alternatives, which only test stories
/// have, the first is taken.
///
/// # Source
///
/// Rasa 3.6 `StoryStep.explicit_events` and `TrainingDataGenerator`.
pub fn explicit_events(joint: &Joint<'_>, universe: &Universe) -> Vec<(Event, Place)> {
    let mut events: Vec<(Event, Place)> = Vec::new();
    let starts_conversation = joint.starts.iter().any(|start| start.name == STORY_START);
    let mut is_first = starts_conversation;
    let mut place = &joint.step.place;
    for (index, event) in joint.step.events.iter().enumerate() {
        place = joint.step.event_places.get(index).unwrap_or(place);
        is_first &= !is_user_message(event);
        for mut event in story_events(event, universe) {
            if matches!(event, Event::User(_)) && !ends_listening(&events) {
                events.push(listening(place));
            }
            if let Event::Action(executed) = &mut event {
                executed.is_unpredictable = is_first;
                is_first = false;
            }
            if joint.step.is_rule {
                event = marked(event);
            }
            events.push((event, place.clone()));
        }
    }
    if joint.ends.is_empty() {
        events.push(listening(place));
    }
    events
}

/// Whether the first of the alternatives, if there are some, is a message.
fn is_user_message(event: &StoryEvent) -> bool {
    match event {
        StoryEvent::Or(events) => events.first().is_some_and(is_user_message),
        event => matches!(event, StoryEvent::User(_)),
    }
}

/// Listening is not written: it stands where what comes after it does.
fn listening(place: &Place) -> (Event, Place) {
    (Event::action(ACTION_LISTEN), place.clone())
}

fn ends_listening(events: &[(Event, Place)]) -> bool {
    let last = events.last();
    last.is_some_and(|(event, _)| event.is_action(ACTION_LISTEN))
}

/// Returns what one event of a story makes happen: for a user message also the
/// slots that its entities fill.
pub fn story_events(event: &StoryEvent, universe: &Universe) -> Vec<Event> {
    match event {
        StoryEvent::User(utterance) => {
            let message = UserMessage::of(utterance);
            let slots = slots_for_entities(&message.entities, universe);
            let mut events = vec![Event::User(message)];
            events.extend(slots);
            events
        }
        StoryEvent::Or(events) => events
            .first()
            .map_or(Vec::new(), |first| story_events(first, universe)),
        StoryEvent::Action(name) => vec![Event::action(name)],
        StoryEvent::BotText(text) => vec![Event::Action(Executed::text(text))],
        StoryEvent::Slot { name, value } => vec![Event::Slot {
            name: name.as_ref().to_owned(),
            value: value.clone(),
        }],
        StoryEvent::ActiveLoop(name) => vec![Event::ActiveLoop { name: name.clone() }],
    }
}

/// Rules tell "not set" from "not mentioned".
fn marked(event: Event) -> Event {
    match event {
        Event::ActiveLoop { name: None } => Event::ActiveLoop {
            name: Some(SHOULD_NOT_BE_SET.to_owned()),
        },
        Event::Slot {
            name,
            value: Value::Null,
        } => Event::Slot {
            name,
            value: SHOULD_NOT_BE_SET.into(),
        },
        event => event,
    }
}

/// Returns the slots that entities fill outside of any form: list slots take
/// all values, others the last one.
///
/// # Source
///
/// Rasa 3.6 `Domain.slots_for_entities`; a slot of a Rasa 2 domain that an
/// entity of its own name fills (`auto_fill`) counts as mapped from it.
pub fn slots_for_entities<'u>(entities: &'u [Annotation], universe: &'u Universe) -> Vec<Event> {
    if !universe.stores_entities_as_slots() || entities.is_empty() {
        return Vec::new();
    }
    let fill = |slot: &Slot| {
        let mut values = matching_values(slot, entities);
        let value = match slot.kind {
            SlotKind::List if !values.is_empty() => Value::Array(values),
            _ => values.pop()?,
        };
        Some(Event::Slot {
            name: slot.name.clone(),
            value,
        })
    };
    let types = entities.iter().map(|found| found.entity.as_str());
    universe.filled_by(types).filter_map(fill).collect()
}

fn matching_values(slot: &Slot, entities: &[Annotation]) -> Vec<Value> {
    let mut values = Vec::new();
    let mut is_mapped = false;
    for mapping in &slot.mappings {
        let MappingKind::FromEntity {
            entity,
            role,
            group,
        } = &mapping.kind
        else {
            continue;
        };
        let in_form = |first: &crate::data::MappingCondition| first.active_loop.is_some();
        if mapping.conditions.first().is_some_and(in_form) {
            continue;
        }
        is_mapped = true;
        let matches = |found: &&Annotation| {
            found.entity == *entity && found.role == *role && found.group == *group
        };
        values.extend(
            entities
                .iter()
                .filter(matches)
                .map(|found| found.value.clone()),
        );
    }
    if !is_mapped && slot.auto_fill {
        let same_name = entities.iter().filter(|found| found.entity == slot.name);
        values.extend(same_name.map(|found| found.value.clone()));
    }
    values
}
