//! From what Duckling answers to entities in Rasa's form.

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::EXTRACTOR;
use crate::nlu::Entity;

/// A piece of the text that Duckling found.
#[derive(Deserialize)]
struct Match {
    start: usize,
    end: usize,
    #[serde(alias = "text")]
    body: Option<String>,
    value: serde_json::Map<String, Value>,
    dim: String,
}

/// Returns the entities of an answer about a text of `length` code points; of all
/// kinds when none is `wanted`.
///
/// # Errors
///
/// What is not as it should be, in one sentence.
pub(super) fn entities(
    answer: &[u8],
    length: usize,
    wanted: &[String],
) -> Result<Vec<Entity>, String> {
    let matches: Vec<Match> = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    let outside = |found: &&Match| found.start > found.end || found.end > length;
    if let Some(Match { start, end, .. }) = matches.iter().find(outside) {
        let reason =
            format!("a piece from {start} to {end} of a text that has {length} characters");
        return Err(reason);
    }
    let is_wanted = |found: &Match| wanted.is_empty() || wanted.contains(&found.dim);
    let found = matches.into_iter().filter(is_wanted);
    Ok(found.map(entity).collect())
}

fn entity(found: Match) -> Entity {
    Entity {
        entity: found.dim,
        start: found.start,
        end: found.end,
        text: found.body,
        value: meaning(&found.value),
        confidence: Some(1.0),
        additional_info: Some(Value::Object(found.value)),
        extractor: Some(EXTRACTOR.to_owned()),
        ..Entity::default()
    }
}

/// Rasa 3.6: an interval means its two ends, anything else its value.
fn meaning(value: &serde_json::Map<String, Value>) -> Value {
    let end = |name: &str| {
        value
            .get(name)
            .map_or(Value::Null, |end| end["value"].clone())
    };
    match value.get("type").and_then(Value::as_str) {
        Some("interval") => json!({"to": end("to"), "from": end("from")}),
        _ => value.get("value").cloned().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = r#"[
        {"body": "5 €", "start": 4, "end": 7, "dim": "amount-of-money", "latent": false,
         "value": {"type": "value", "value": 5, "unit": "EUR"}},
        {"text": "until noon", "start": 8, "end": 18, "dim": "time",
         "value": {"type": "interval", "to": {"value": "12:00", "grain": "hour"}}}
    ]"#;

    #[test]
    fn values_and_intervals_have_rasas_form() {
        let found = entities(ANSWER.as_bytes(), 18, &[]).unwrap();
        let shown = serde_json::to_value(&found).unwrap();
        assert_eq!(
            shown,
            json!([
                {"entity": "amount-of-money", "start": 4, "end": 7, "text": "5 €", "value": 5,
                 "confidence": 1.0, "extractor": EXTRACTOR,
                 "additional_info": {"type": "value", "value": 5, "unit": "EUR"}},
                {"entity": "time", "start": 8, "end": 18, "text": "until noon",
                 "value": {"to": "12:00", "from": null}, "confidence": 1.0,
                 "additional_info": {"type": "interval", "to": {"value": "12:00", "grain": "hour"}},
                 "extractor": EXTRACTOR}
            ])
        );
    }

    #[test]
    fn only_wanted_kinds_are_taken() {
        let found = entities(ANSWER.as_bytes(), 18, &["time".to_owned()]).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].entity, "time");
    }

    #[test]
    fn other_answers_are_refused() {
        for answer in ["", "{}", "[1]", r#"[{"start": 0, "end": 1, "dim": "x"}]"#] {
            assert!(entities(answer.as_bytes(), 9, &[]).is_err(), "{answer}");
        }
        let error = entities(ANSWER.as_bytes(), 17, &[]).unwrap_err();
        assert!(error.contains("from 8 to 18"), "{error}");
    }
}
