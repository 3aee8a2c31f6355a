//! Reads responses of retrieval intents: a heading, `* faq/opening`, and a
//! `- text` for each variation.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::data::Response;
use crate::diagnostic::Diagnostic;
use crate::import::markdown::stories;
use crate::import::nlu::NluPart;
use crate::import::reading::Reading;
use crate::import::responses::NamedResponse;

/// Returns whether some heading has `* intent/key` right below it and then a
/// text.
///
/// Rasa 2.8. Differs from Rasa: what looks like an action is no text, so that a
/// story that names a response key stays a story.
pub fn are_in(text: &str) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let mut next_text = None;
    for (index, line) in lines.iter().enumerate().rev() {
        let is_intent = line.starts_with('*')
            && line
                .split(':')
                .next()
                .is_some_and(|name| name.contains('/'));
        let below_heading = index > 0 && lines[index - 1].contains("##");
        if is_intent && below_heading && next_text == Some(true) {
            return true;
        }
        let line = line.trim();
        if !line.is_empty() {
            let text = line.strip_prefix('-').map(str::trim_start);
            next_text = Some(text.is_some_and(|text| !stories::is_action(text)));
        }
    }
    false
}

/// Reads the responses of a file.
///
/// Rasa 2.8 stores them as `faq/opening`, where nothing finds them. Differs from
/// Rasa: they are named `utter_faq/opening`, as in YAML, and a text keeps the
/// blanks after dashes in it.
pub fn read(text: &str, reading: &mut Reading) -> NluPart {
    let mut part = NluPart::default();
    let mut open: Option<NamedResponse> = None;
    for (index, line) in text.lines().enumerate() {
        let start = line.len() - line.trim_start().len();
        let trimmed = line.trim();
        let column = line[..start].chars().count() as u32 + 1;
        let place = reading.at(index as u32 + 1, column);
        if trimmed.is_empty() {
            continue;
        } else if trimmed.starts_with('#') {
            part.responses.extend(open.take());
        } else if let Some(name) = trimmed.strip_prefix('*') {
            let blanks = name.len() - name.trim_start().len();
            let mut place = place;
            place.column += 1 + blanks as u32;
            part.responses
                .extend(open.replace(named(name.trim(), place)));
        } else if let Some(text) = trimmed.strip_prefix('-') {
            match &mut open {
                Some(response) => response.variations.push(variation(text.trim())),
                None => {
                    let what = "a text that belongs to no intent is left out";
                    let about = Diagnostic::new("W335", place, what)
                        .length(trimmed.chars().count() as u32)
                        .help("write the intent above it: `* faq/opening`");
                    reading.diagnostics.push(about);
                }
            }
        } else {
            let about = Diagnostic::new("W304", place, "a line without a dash is left out")
                .length(trimmed.chars().count() as u32)
                .help("write a text on one line, with `\\n` for a new one");
            reading.diagnostics.push(about);
        }
    }
    part.responses.extend(open);
    part
}

fn named(intent: &str, place: crate::data::Place) -> NamedResponse {
    let bare = intent.strip_prefix("utter_").unwrap_or(intent);
    NamedResponse {
        name: format!("utter_{bare}"),
        place,
        variations: Vec::new(),
    }
}

fn variation(text: &str) -> Response {
    let text = Value::String(text.replace("\\n", "\n"));
    Response::from(BTreeMap::from([("text".to_owned(), text)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_intent_has_its_texts() {
        let mut reading = Reading::new("data/responses.md".into());
        let text = "# All\n- lost\n## a\n* faq/hours\n  - At nine - or\\nten.\n  - Never.\nword\n\
                    ## b\n* faq/b\n- B";
        let part = read(text, &mut reading);
        let shown: Vec<String> = part
            .responses
            .iter()
            .map(|r| format!("{} {} {}", r.name, r.place, serde_json::json!(r.variations)))
            .collect();
        assert_eq!(
            shown,
            [
                r#"utter_faq/hours data/responses.md:4:3 [{"text":"At nine - or\nten."},{"text":"Never."}]"#,
                r#"utter_faq/b data/responses.md:9:3 [{"text":"B"}]"#,
            ]
        );
        let codes: Vec<&str> = reading.diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(codes, ["W335", "W304"]);
    }
}
