//! Reads the options a user wrote, one by one, and keeps every mistake.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::data;

/// A mistake in one option.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionProblem {
    /// The value is of the wrong kind or out of range.
    #[error("`{option}` must be {wanted}, not `{given}`")]
    Value {
        /// The option's name.
        option: String,
        /// What it may be.
        wanted: String,
        /// What was written, as JSON.
        given: String,
    },
    /// Rasa has the option, Tabella has not.
    #[error("`{option}: {given}` is not supported")]
    Unsupported {
        /// The option's name.
        option: String,
        /// What was written, as JSON.
        given: String,
    },
    /// Two options contradict each other.
    #[error("{0}")]
    Conflict(String),
}

/// All mistakes in the options of one component.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct OptionProblems(pub Vec<OptionProblem>);

/// The options that no question was asked about yet, and the mistakes so far.
pub(crate) struct Reader<'a> {
    left: BTreeMap<&'a str, &'a Value>,
    /// Every mistake found.
    pub problems: Vec<OptionProblem>,
    /// Sentences for the user about options that were read but do nothing here.
    pub remarks: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Starts to read `options`.
    pub fn new(options: &'a data::Options) -> Self {
        Self {
            left: options.iter().map(|(k, v)| (k.as_str(), v)).collect(),
            problems: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Returns what was written for an option, null included.
    pub fn raw(&mut self, option: &str) -> Option<&'a Value> {
        self.left.remove(option)
    }

    /// Returns whether an option was written and not read yet.
    pub fn is_given(&self, option: &str) -> bool {
        self.left.contains_key(option)
    }

    /// Returns an option through `read`, which gives `None` for a bad value.
    pub fn read<T>(
        &mut self,
        option: &str,
        default: T,
        wanted: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> T {
        let Some(value) = self.raw(option) else {
            return default;
        };
        read(value).unwrap_or_else(|| {
            self.problems.push(OptionProblem::Value {
                option: option.to_owned(),
                wanted: wanted.to_owned(),
                given: value.to_string(),
            });
            default
        })
    }

    /// Returns a truth value.
    pub fn flag(&mut self, option: &str, default: bool) -> bool {
        self.read(option, default, "true or false", Value::as_bool)
    }

    /// Returns a whole number of at least `least`.
    pub fn count(&mut self, option: &str, default: usize, least: usize) -> usize {
        let wanted = format!("a whole number of at least {least}");
        self.read(option, default, &wanted, |value| count(value, least))
    }

    /// Returns a number from `range`.
    pub fn number(&mut self, option: &str, default: f32, range: Range) -> f32 {
        self.read(option, default, range.wanted(), |value| {
            let number = value.as_f64()?;
            range.holds(number).then_some(number as f32)
        })
    }

    /// Returns what one of the `names` stands for.
    pub fn choice<T: Copy>(&mut self, option: &str, default: T, names: &[(&str, T)]) -> T {
        let list: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
        self.read(
            option,
            default,
            &format!("one of {}", list.join(", ")),
            |value| {
                let given = value.as_str()?;
                names
                    .iter()
                    .find(|(name, _)| *name == given)
                    .map(|(_, choice)| *choice)
            },
        )
    }

    /// Returns a list of strings.
    pub fn names(&mut self, option: &str) -> Vec<String> {
        self.read(option, Vec::new(), "a list of names", |value| {
            let list = value.as_array()?;
            list.iter()
                .map(|name| name.as_str().map(str::to_owned))
                .collect()
        })
    }

    /// Notes that an option was given a value that Tabella does not know.
    pub fn unsupported(&mut self, option: &str, given: &Value) {
        self.problems.push(OptionProblem::Unsupported {
            option: option.to_owned(),
            given: given.to_string(),
        });
    }

    /// Notes two options that contradict each other.
    pub fn conflict(&mut self, sentence: impl Into<String>) {
        self.problems.push(OptionProblem::Conflict(sentence.into()));
    }

    /// Returns the names that no question was asked about, sorted.
    pub fn unknown(&self) -> Vec<String> {
        self.left.keys().map(|name| (*name).to_owned()).collect()
    }
}

/// Returns a whole number of at least `least`; `3.0` is whole too.
pub(crate) fn count(value: &Value, least: usize) -> Option<usize> {
    let whole = value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        (number.fract() == 0.0 && (0.0..1e9).contains(&number)).then_some(number as u64)
    })?;
    let whole = usize::try_from(whole).ok()?;
    (whole >= least && whole < LARGEST_COUNT).then_some(whole)
}

/// Counts and widths above this are mistakes, and would only exhaust memory.
const LARGEST_COUNT: usize = 1 << 24;

/// The numbers that an option may be.
#[derive(Clone, Copy)]
pub(crate) enum Range {
    /// Any finite number.
    Any,
    /// Zero or more.
    NotNegative,
    /// More than zero.
    Positive,
    /// From 0 to below 1: a share that is dropped.
    Dropped,
    /// From 0 to 1.
    Share,
}

impl Range {
    fn holds(self, number: f64) -> bool {
        number.is_finite()
            && match self {
                Self::Any => true,
                Self::NotNegative => number >= 0.0,
                Self::Positive => number > 0.0,
                Self::Dropped => (0.0..1.0).contains(&number),
                Self::Share => (0.0..=1.0).contains(&number),
            }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Any => "a number",
            Self::NotNegative => "a number of at least 0",
            Self::Positive => "a number above 0",
            Self::Dropped => "a number from 0 to below 1",
            Self::Share => "a number from 0 to 1",
        }
    }
}
