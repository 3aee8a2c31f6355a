//! The three parts of an assistant that can be stale on their own, and the
//! dry-run codes that name them.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use crate::archive::TrainingType;

/// A part of the archive, as `train --dry-run` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Policies and the domain they know.
    Core,
    /// The NLU pipeline.
    Nlu,
    /// Texts of responses.
    Responses,
}

impl Part {
    /// Every part, in the order of their codes.
    pub const ALL: [Part; 3] = [Part::Core, Part::Nlu, Part::Responses];

    /// Returns the parts that a training of this type gives.
    pub fn of(training_type: TrainingType) -> BTreeSet<Part> {
        match training_type {
            TrainingType::Nlu => BTreeSet::from([Part::Nlu]),
            TrainingType::Core => BTreeSet::from([Part::Core, Part::Responses]),
            TrainingType::Both => BTreeSet::from(Part::ALL),
        }
    }

    /// Returns the part's bit in the exit code of a dry run (Rasa 2.4).
    pub fn code(self) -> u8 {
        match self {
            Part::Core => 1,
            Part::Nlu => 2,
            Part::Responses => 4,
        }
    }

    /// Returns Rasa's sentence for a stale part.
    pub fn sentence(self) -> &'static str {
        match self {
            Part::Core => "Core model should be retrained",
            Part::Nlu => "NLU model should be retrained",
            Part::Responses => "responses in the domain should be updated",
        }
    }
}
