//! All training conversations, and their form as bytes.
//!
//! The bytes are JSON: `{"version": 1, "events": [...], "trackers": [...],
//! "unreached_checkpoints": [...]}`. `events` holds each distinct event once, in
//! order of first use; a tracker is `{"rule": bool, "augmented": bool, "events":
//! [index, …]}`. Names of stories are not in it: a renamed story is the same
//! story. A reader refuses any other version.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;

use crate::dialogue::Event;
use crate::dialogue::Tracker;

/// Number of the byte format; raised with each change.
const VERSION: u32 = 1;

/// Training conversations: stories, glued stories, then rules.
#[derive(Clone, Debug, Default)]
pub struct Trackers {
    /// The conversations.
    pub trackers: Vec<Tracker>,
    /// Checkpoints of the user's that nothing leads to or goes on from.
    pub unreached_checkpoints: Vec<String>,
}

/// Bytes that are not training conversations.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackersError {
    /// The bytes are not JSON of the expected shape.
    #[error("trackers cannot be read")]
    Json(#[from] serde_json::Error),
    /// Another version wrote them.
    #[error("trackers have version {found}, not {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A tracker names an event that is not there.
    #[error("trackers have no event {index}")]
    Event {
        /// The index found.
        index: usize,
    },
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    events: Vec<Event>,
    trackers: Vec<WrittenTracker>,
    unreached_checkpoints: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct WrittenTracker {
    rule: bool,
    augmented: bool,
    events: Vec<usize>,
}

impl Trackers {
    /// Returns stories that were not glued: what memorising policies learn from.
    pub fn stories(&self) -> impl Iterator<Item = &Tracker> {
        self.trackers
            .iter()
            .filter(|tracker| !tracker.is_rule && !tracker.is_augmented)
    }

    /// Returns stories, glued ones included: what networks learn from.
    pub fn stories_with_augmented(&self) -> impl Iterator<Item = &Tracker> {
        self.trackers.iter().filter(|tracker| !tracker.is_rule)
    }

    /// Returns the rules.
    pub fn rules(&self) -> impl Iterator<Item = &Tracker> {
        self.trackers.iter().filter(|tracker| tracker.is_rule)
    }

    /// Takes the names of `named`, which the same stories made.
    ///
    /// # Panics
    ///
    /// If the numbers of conversations differ.
    pub fn take_names(&mut self, named: &Self) {
        assert_eq!(self.trackers.len(), named.trackers.len(), "same stories");
        for (tracker, named) in self.trackers.iter_mut().zip(&named.trackers) {
            tracker.name.clone_from(&named.name);
        }
    }

    /// Returns the conversations as bytes, without names.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut events = Vec::new();
        let mut indices: BTreeMap<String, usize> = BTreeMap::new();
        let mut index_of = |event: &Arc<Event>| {
            let text = serde_json::to_string(event).expect("events are plain values");
            *indices.entry(text).or_insert_with(|| {
                events.push(Event::clone(event));
                events.len() - 1
            })
        };
        let trackers = self
            .trackers
            .iter()
            .map(|tracker| WrittenTracker {
                rule: tracker.is_rule,
                augmented: tracker.is_augmented,
                events: tracker.events().iter().map(&mut index_of).collect(),
            })
            .collect();
        let written = Written {
            version: VERSION,
            events,
            trackers,
            unreached_checkpoints: self.unreached_checkpoints.clone(),
        };
        serde_json::to_vec(&written).expect("trackers are plain values")
    }

    /// Returns the conversations that [`to_bytes`](Self::to_bytes) wrote; they
    /// have empty names.
    ///
    /// # Errors
    ///
    /// If the bytes are of another version or not of this format.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrackersError> {
        let written: Written = serde_json::from_slice(bytes)?;
        if written.version != VERSION {
            return Err(TrackersError::Version {
                found: written.version,
            });
        }
        let events: Vec<Arc<Event>> = written.events.into_iter().map(Arc::new).collect();
        let mut trackers = Vec::with_capacity(written.trackers.len());
        for record in written.trackers {
            let mut tracker = Tracker::new("");
            tracker.is_rule = record.rule;
            tracker.is_augmented = record.augmented;
            for index in record.events {
                let event = events.get(index).ok_or(TrackersError::Event { index })?;
                tracker.push_shared(Arc::clone(event));
            }
            trackers.push(tracker);
        }
        Ok(Self {
            trackers,
            unreached_checkpoints: written.unreached_checkpoints,
        })
    }
}
