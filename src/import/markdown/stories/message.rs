//! Reads a message of the user: `intent`, `intent{"entity": "value"}`, or in
//! tests `intent: annotated text`.

use crate::data::Annotation;
use crate::data::Utterance;
use crate::diagnostic::Diagnostic;
use crate::import::annotation;
use crate::import::json;
use crate::import::markdown::stories::Part;
use crate::import::markdown::stories::Reader;
use crate::import::stories::Purpose;
use crate::import::yaml::Yaml;

/// The parts of a message, as written, each with the byte at which it starts.
pub struct Written<'t> {
    /// The intent.
    pub intent: &'t str,
    /// The map of entities.
    pub entities: Option<(usize, &'t str)>,
    /// The text of a test.
    pub text: Option<(usize, &'t str)>,
}

/// Takes a message apart.
///
/// Rasa 2.8's two patterns, told apart by the colon behind intent and entities.
/// A confidence, `@0.9`, is overlooked.
pub fn split(message: &str) -> Written<'_> {
    let end = message.find(['{', ':']).unwrap_or(message.len());
    let intent = message[..end].trim();
    let intent = intent.split('@').next().unwrap_or(intent);
    let intent = intent.trim_start_matches('/').trim_end();
    let mut rest = end;
    let mut entities = None;
    if message[rest..].starts_with('{') {
        let length = json::length_of_value(&message[rest..]).unwrap_or(message.len() - rest);
        entities = Some((rest, &message[rest..rest + length]));
        rest += length;
        rest += message[rest..].len() - message[rest..].trim_start().len();
    }
    let text = message[rest..].strip_prefix(':').map(|text| {
        let start = message.len() - text.trim_start().len();
        (start, text.trim())
    });
    Written {
        intent,
        entities,
        text,
    }
}

impl Reader<'_, '_> {
    /// Reads a message; `written` are the parts of `part`.
    pub(super) fn message(&mut self, part: Part<'_>, written: &Written<'_>) -> Utterance {
        let mut utterance = Utterance::default();
        self.intent(part, written.intent, &mut utterance);
        if let Some((start, map)) = written.entities {
            let at = Part {
                start: part.start + start,
                text: map,
                ..part
            };
            utterance.entities = self.entities(at).into();
        }
        if let Some((start, text)) = written.text
            && self.purpose == Purpose::Test
        {
            let at = Part {
                start: part.start + start,
                text,
                ..part
            };
            self.text(at, &mut utterance);
        }
        utterance
    }

    /// Takes over an intent's name; `base/key` is the base in training.
    fn intent(&mut self, part: Part<'_>, name: &str, utterance: &mut Utterance) {
        utterance.intent = Some(name.to_owned());
        let Some((base, _)) = name.split_once('/') else {
            return;
        };
        utterance.intent_response_key = Some(name.to_owned());
        if self.purpose == Purpose::Training {
            utterance.intent = Some(base.to_owned());
            let what = format!("retrieval intent `{name}` is written with its response key");
            let about = part.about("W409", what, self.reading).help(format!(
                "write `{base}`: stories know the base intent alone"
            ));
            self.say(about);
        }
    }

    /// Reads `{"entity": "value"}`; a list of values is several entities.
    fn entities(&mut self, part: Part<'_>) -> Vec<Annotation> {
        let mut entities = Vec::new();
        for entry in self.map(Some(part), "W423").unwrap_or_default() {
            let place = self.reading.place(&entry.at);
            let length = entry.at.length;
            let about = self.known.unknown_entity(&entry.key, &place, length);
            self.reading.diagnostics.extend(about);
            let values = match &entry.value.yaml {
                Yaml::List(items) => items.iter().map(|item| item.to_json()).collect(),
                _ => vec![entry.value.to_json()],
            };
            entities.extend(values.into_iter().map(|value| Annotation {
                entity: entry.key.to_string(),
                value,
                ..Annotation::default()
            }));
        }
        entities
    }

    /// Reads the text of a test: annotated, or `/intent{"entity": "value"}`.
    fn text(&mut self, part: Part<'_>, utterance: &mut Utterance) {
        if let Some(command) = part.text.strip_prefix('/') {
            utterance.text = Some(part.text.to_owned());
            if let Some(at) = command.find('{') {
                utterance.entities = self.entities(part.after(1 + at)).into();
            }
            return;
        }
        let annotated = annotation::read(part.text);
        for (at, what) in annotated
            .mistakes
            .into_iter()
            .take(annotation::MISTAKE_LIMIT)
        {
            let place = part.after(at.start).place(self.reading);
            self.say(Diagnostic::new("E306", place, what));
        }
        for entity in &annotated.entities {
            let place = part.place(self.reading);
            let length = part.text.chars().count() as u32;
            let about = self.known.unknown_entity(&entity.entity, &place, length);
            self.reading.diagnostics.extend(about);
        }
        utterance.text = Some(annotated.text);
        utterance.entities = annotated.entities.into();
    }
}
