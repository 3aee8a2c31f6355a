//! Conditions that a model must meet.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

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
        let at = text.find(['<', '>']).ok_or_else(form)?;
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
        }
        let is_met = match self.bound {
            Bound::AtLeast => value >= self.limit,
            Bound::AtMost => value <= self.limit,
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
        let small = verdict("intent.accuracy.drop<=0.0625").unwrap();
        assert_eq!((small.value, small.is_met), (0.0625, true));
        assert!(!verdict("intent.accuracy.drop<=0.06").unwrap().is_met);
        let gate: Gate = "intent.accuracy.drop<=0".parse().unwrap();
        let alone = gate.verdict(&json!({"intent": {"accuracy": 1}}), None);
        assert_eq!(alone, Err(GateError::NoOther(gate.to_string())));
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
        assert!(unknown.ends_with("there are: intent.accuracy"), "{unknown}");
    }
}
