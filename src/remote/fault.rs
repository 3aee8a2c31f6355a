//! What can go wrong with a call, by what follows from it.

/// A call that gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It may work in a moment: a connection was cut, the server is busy.
    Passing(String),
    /// Nothing came for as long as the time-out, or too little.
    Slow,
    /// The server does not let whoever asks.
    Refused(String),
    /// The server does not take anything.
    NotTaken(String),
    /// The answer is not what it should be: other bytes, nonsense.
    Wrong(String),
    /// Nothing will change about it soon.
    Lasting(String),
}

impl Fault {
    /// Returns whether the call is worth making again.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Passing(_))
    }

    /// Returns what happened, as the rest of a sentence.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Passing(text)
            | Self::Refused(text)
            | Self::NotTaken(text)
            | Self::Wrong(text)
            | Self::Lasting(text) => text,
            Self::Slow => "it does not answer in time",
        }
    }
}

/// Returns an error and its causes as one line.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
