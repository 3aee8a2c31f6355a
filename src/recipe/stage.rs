//! The stages that tasks are shown under.

/// A stage of a training, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Texts and stories become numbers.
    Featurize,
    /// Components of the pipeline learn.
    TrainNlu,
    /// Policies learn.
    TrainCore,
    /// The archive is made.
    Package,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 4] = [
        Stage::Featurize,
        Stage::TrainNlu,
        Stage::TrainCore,
        Stage::Package,
    ];

    /// Returns the stage's name as it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Featurize => "featurize",
            Stage::TrainNlu => "train NLU",
            Stage::TrainCore => "train Core",
            Stage::Package => "package",
        }
    }
}
