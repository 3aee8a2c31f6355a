//! Events that stand in many conversations are kept once.

use std::hash::BuildHasher;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::Arc;

use foldhash::HashSet;
use foldhash::fast::RandomState;
use serde_json::Value;

use crate::dialogue::Event;

/// The events so far, by a hash of what they say.
#[derive(Default)]
pub struct KnownEvents {
    hashes: RandomState,
    events: HashSet<Known>,
}

/// An event with its hash.
struct Known(u64, Arc<Event>);

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 && self.1 == other.1
    }
}

impl Eq for Known {}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl KnownEvents {
    /// Returns the event, in the memory of an equal one before it if there was
    /// one.
    pub fn share(&mut self, event: Event) -> Arc<Event> {
        let Some(hash) = self.hash(&event) else {
            return Arc::new(event);
        };
        let event = Known(hash, Arc::new(event));
        if let Some(Known(_, same)) = self.events.get(&event) {
            return Arc::clone(same);
        }
        let shared = Arc::clone(&event.1);
        self.events.insert(event);
        shared
    }

    /// Returns a hash of all that tells such events apart; none of those that
    /// hardly ever come twice.
    fn hash(&self, event: &Event) -> Option<u64> {
        let hashes = &self.hashes;
        match event {
            Event::User(message) if message.entities.is_empty() => {
                let names = (&message.intent, &message.intent_response_key);
                Some(hashes.hash_one((0, names, &message.text)))
            }
            Event::Action(executed) => {
                let name = (&executed.name, &executed.text);
                Some(hashes.hash_one((1, name, executed.is_unpredictable)))
            }
            Event::Slot { name, value } => match value {
                Value::Null => Some(hashes.hash_one((2, name))),
                Value::Bool(value) => Some(hashes.hash_one((3, name, value))),
                Value::String(value) => Some(hashes.hash_one((4, name, value))),
                _ => None,
            },
            Event::ActiveLoop { name } => Some(hashes.hash_one((5, name))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::Executed;

    #[test]
    fn equal_events_are_one_and_others_are_not() {
        let mut known = KnownEvents::default();
        let first = known.share(Event::action("utter_a"));
        assert!(Arc::ptr_eq(&first, &known.share(Event::action("utter_a"))));
        let other = Event::Action(Executed {
            hide_rule_turn: true,
            ..Executed::name("utter_a")
        });
        assert_eq!(*known.share(other.clone()), other);
        let slot = |value: Value| Event::Slot {
            name: "s".to_owned(),
            value,
        };
        for value in [Value::Null, true.into(), "true".into(), 1.into()] {
            assert_eq!(*known.share(slot(value.clone())), slot(value));
        }
    }
}
