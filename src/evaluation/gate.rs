//! Conditions that a model must meet.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

/// The scores, but for those of single labels.
const KNOWN: [&str; 18] = [
    "examples",
    "intent.accuracy",
    "intent.micro_f1",
    "intent.macro_f1",
    "intent.weighted_f1",
    "entity.accuracy",
    "entity.micro_f1",
    "entity.macro_f1",
    "entity.weighted_f1",
    "response.accuracy",
    "response.micro_f1",
    "response.macro_f1",
    "response.weighted_f1",
    "calibration.expected_error",
    "calibration.greatest_error",
    "out_of_scope.messages",
    "out_of_scope.recall",
    "out_of_scope.false_alarms",
];

/// Scores that are worse the greater they are.
const LESS_IS_BETTER: [&str; 3] = [
    "calibration.expected_error",
    "calibration.greatest_error",
    "out_of_scope.false_alarms",
];

/// What a difference of shares may be off.
const ROUNDING: f64 = 1e-9;

/// A condition such as `intent.accuracy>=0.9` or `entity.micro_f1.drop<=0.01`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// Where the score is in the JSON of [`NluScores`](super::NluScores).
    pub score: String,
    /// Whether it is about how much worse the score is than the other model's.
    pub is_drop: bool,
    /// Which side is allowed.
    pub bound: Bound,
    /// The limit; it is allowed itself.
    pub limit: f64,
}

/// Which side of a limit is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The limit and more.
    AtLeast,
    /// The limit and less.
    AtMost,
}

/// Whether a condition is met.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The condition, as it is written.
    pub gate: String,
    /// What was measured.
    pub value: f64,
    /// Whether that is allowed.
    pub is_met: bool,
}

/// A condition that says nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GateError {
    /// It is not written like one.
    #[error(
        "`{0}` is no gate: write SCORE>=NUMBER, SCORE<=NUMBER or SCORE.drop<=NUMBER, such as `intent.accuracy>=0.9`"
    )]
    Form(String),
    /// There is no such score.
    #[error("there is no score `{score}` in this test; there are: {known}")]
    Unknown {
        /// What was asked for.
        score: String,
        /// What could be.
        known: String,
    },
    /// A drop is a difference from another model.
    #[error("`{0}` is about the difference from another model: name it with --against")]
    NoOther(String),
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, GateError> {
        let form = || GateError::Form(text.to_owned());
        // A label may have such letters itself.
        let at = text.rfind(['<', '>']).ok_or_else(form)?;
        let (score, rest) = text.split_at(at);
        let (bound, limit) = match rest.split_at_checked(2).ok_or_else(form)? {
            (">=", limit) => (Bound::AtLeast, limit),
            ("<=", limit) => (Bound::AtMost, limit),
            _ => return Err(form()),
        };
        let limit: f64 = limit.trim().parse().map_err(|_| form())?;
        let score = score.trim();
        let dropped = score.strip_suffix(".drop");
        let score = dropped.unwrap_or(score);
        if score.is_empty() || !limit.is_finite() {
            return Err(form());
        }
        if !KNOWN.contains(&score) && !is_of_label(score) {
            return Err(GateError::Unknown {
                score: score.to_owned(),
                known: KNOWN.join(", "),
            });
        }
        Ok(Self {
            score: score.to_owned(),
            is_drop: dropped.is_some(),
            bound,
            limit,
        })
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drop = if self.is_drop { ".drop" } else { "" };
        let bound = match self.bound {
            Bound::AtLeast => ">=",
            Bound::AtMost => "<=",
        };
        write!(f, "{}{drop}{bound}{}", self.score, self.limit)
    }
}

impl Gate {
    /// Looks at the scores of a model, and of another one for a drop; both as
    /// JSON.
    ///
    /// # Errors
    ///
    /// If there is no such score, or no other model.
    pub fn verdict(&self, scores: &Value, other: Option<&Value>) -> Result<Verdict, GateError> {
        let mut value = self.find(scores)?;
        if self.is_drop {
            let other = other.ok_or_else(|| GateError::NoOther(self.to_string()))?;
            value = self.find(other)? - value;
            if LESS_IS_BETTER.contains(&self.score.as_str()) {
                value = -value;
            }
        }
        let is_met = match self.bound {
            Bound::AtLeast => value >= self.limit - ROUNDING,
            Bound::AtMost => value <= self.limit + ROUNDING,
        };
        Ok(Verdict {
            gate: self.to_string(),
            value,
            is_met,
        })
    }

    fn find(&self, scores: &Value) -> Result<f64, GateError> {
        number(scores, &self.score).ok_or_else(|| {
            let mut known = Vec::new();
            names(scores, "", &mut known);
            GateError::Unknown {
                score: self.score.clone(),
                known: known.join(", "),
            }
        })
    }
}

/// Returns whether a score is that of one label.
fn is_of_label(score: &str) -> bool {
    let kinds = ["intent.labels.", "entity.labels.", "response.labels."];
    let values = [".precision", ".recall", ".f1-score", ".support"];
    kinds.iter().any(|kind| score.starts_with(kind))
        && values.iter().any(|value| score.ends_with(value))
}

/// Finds a number by the names on the way to it; names may have dots in them.
fn number(value: &Value, path: &str) -> Option<f64> {
    let Value::Object(map) = value else {
        return value.as_f64().filter(|_| path.is_empty());
    };
    map.iter().find_map(|(name, value)| {
        let rest = path.strip_prefix(name.as_str())?;
        match rest.strip_prefix('.') {
            Some(rest) => number(value, rest),
            None => number(value, rest).filter(|_| rest.is_empty()),
        }
    })
}

/// Lists the scores that are there, those of single labels left out.
fn names(value: &Value, before: &str, known: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter().filter(|(name, _)| *name != "labels") {
                let dot = if before.is_empty() { "" } else { "." };
                names(value, &format!("{before}{dot}{name}"), known);
            }
        }
        Value::Number(_) => known.push(before.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evaluation::Answer;
    use crate::evaluation::Answers;
    use crate::evaluation::Choice;
    use crate::evaluation::NluScores;

    fn verdict(gate: &str) -> Result<Verdict, GateError> {
        let scores = json!({"intent": {"accuracy": 0.875, "labels": {"a.b": {"f1-score": 0.5}}}});
        let other = json!({"intent": {"accuracy": 0.9375}});
        gate.parse::<Gate>()?.verdict(&scores, Some(&other))
    }

    #[test]
    fn a_limit_is_allowed_itself() {
        assert!(verdict("intent.accuracy>=0.875").unwrap().is_met);
        assert!(verdict("intent.accuracy <= 0.875").unwrap().is_met);
        assert!(!verdict("intent.accuracy>=0.876").unwrap().is_met);
        assert!(verdict("intent.labels.a.b.f1-score>=0.5").unwrap().is_met);
    }

    #[test]
    fn a_drop_is_how_much_worse_the_model_is() {
        let scores = |accuracy: f64| json!({"intent": {"accuracy": accuracy}});
        let gate: Gate = "intent.accuracy.drop<=0.1".parse().unwrap();
        assert!(
            gate.verdict(&scores(0.7), Some(&scores(0.8)))
                .unwrap()
                .is_met
        );
        let errors = |error: f64| json!({"calibration": {"expected_error": error}});
        let gate: Gate = "calibration.expected_error.drop<=0.1".parse().unwrap();
        let worse = gate.verdict(&errors(0.5), Some(&errors(0.25))).unwrap();
        assert_eq!((worse.value, worse.is_met), (0.25, false));
        let small = verdict("intent.accuracy.drop<=0.0625").unwrap();
        assert_eq!((small.value, small.is_met), (0.0625, true));
        assert!(!verdict("intent.accuracy.drop<=0.06").unwrap().is_met);
        let gate: Gate = "intent.accuracy.drop<=0".parse().unwrap();
        let alone = gate.verdict(&json!({"intent": {"accuracy": 1}}), None);
        assert_eq!(alone, Err(GateError::NoOther(gate.to_string())));
    }

    #[test]
    fn what_can_be_asked_for_is_what_there_is() {
        let answer = |intent: &str| Answer {
            text: String::new(),
            intent: Some(choice(intent)),
            answered: Some(intent.to_owned()),
            response: Some(choice(intent)),
            tokens: Vec::new(),
            expected: Vec::new(),
            found: Vec::new(),
        };
        let answers = Answers {
            messages: vec![answer("beyond"), answer("greet")],
        };
        let scores = NluScores::of(&answers, &["beyond".to_owned()]);
        let mut there = Vec::new();
        names(&json!(scores), "", &mut there);
        there.sort_unstable();
        let mut known = KNOWN.map(str::to_owned);
        known.sort_unstable();
        assert_eq!(there, known);
    }

    fn choice(label: &str) -> Choice {
        Choice {
            expected: label.to_owned(),
            predicted: Some(label.to_owned()),
            confidence: 0.5,
        }
    }

    #[test]
    fn what_is_no_gate_is_told_so() {
        for text in [
            "",
            ">=1",
            "intent",
            "intent.accuracy>0.9",
            "a>=",
            "a>=nan",
            "a>=é",
            "a>",
            ".drop<=1",
        ] {
            assert_eq!(text.parse::<Gate>(), Err(GateError::Form(text.to_owned())));
        }
        let unknown = verdict("intent.acuracy>=1").unwrap_err().to_string();
        assert!(
            unknown.contains("there are: examples, intent.accuracy,"),
            "{unknown}"
        );
        let absent = verdict("response.accuracy>=1").unwrap_err().to_string();
        assert!(absent.ends_with("there are: intent.accuracy"), "{absent}");
    }
}
