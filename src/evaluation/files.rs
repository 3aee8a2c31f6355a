//! The files of `rasa test nlu`, with its names and shapes.
//!
//! | files | are about |
//! |---|---|
//! | `intent_*` | intents |
//! | `response_selection_*` | responses; absent without retrieval intents |
//! | `<Extractor>_*` | the entities of one extractor, token by token |
//!
//! and of each kind `report.json`, `errors.json`, `successes.json` if wanted, and
//! `confusion_matrix` and `histogram` as `.png` and `.svg`.
//!
//! # Source
//!
//! Rasa 3.6 `rasa.nlu.test`. Differs from Rasa: without errors their file is there
//! and empty, so that none of an earlier test is left; pictures are SVG, too.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::evaluation::Answer;
use crate::evaluation::Answers;
use crate::evaluation::Choice;
use crate::evaluation::Confusion;
use crate::evaluation::Picture;
use crate::evaluation::histogram;
use crate::evaluation::scores::NO_LABEL;
use crate::nlu::score;

/// How many labels are told that one is confused with.
const CONFUSED_TOLD: usize = 3;

/// Files by name.
pub type ReportFiles = BTreeMap<String, Vec<u8>>;

/// Which files are wanted.
#[derive(Clone, Copy, Debug)]
pub struct ReportFlags {
    /// Whether messages with a wrong answer are written down.
    pub errors: bool,
    /// Whether messages with a right answer are written down.
    pub successes: bool,
    /// Whether pictures are drawn.
    pub pictures: bool,
}

impl Default for ReportFlags {
    /// Returns Rasa's defaults: all but the right answers.
    fn default() -> Self {
        Self {
            errors: true,
            successes: false,
            pictures: true,
        }
    }
}

/// Returns the files about `answers`; `extractors` are those of the pipeline that
/// learn.
pub fn report_files(answers: &Answers, extractors: &[String], flags: ReportFlags) -> ReportFiles {
    let mut writer = Writer {
        files: ReportFiles::new(),
        flags,
    };
    let messages = &answers.messages;
    let intents = chosen(messages, |answer| answer.intent.as_ref());
    writer.choices("intent", "intent", "Intents", &intents);
    let responses = chosen(messages, |answer| answer.response.as_ref());
    if !responses.is_empty() {
        let label = "intent_response_key";
        writer.choices("response_selection", label, "Responses", &responses);
    }
    for extractor in extractors {
        writer.entities(extractor, messages);
    }
    writer.files
}

/// Returns the names of all files that there can be.
pub fn report_names(extractors: &[String]) -> Vec<String> {
    let kinds = ["intent", "response_selection"];
    let kinds = kinds
        .into_iter()
        .chain(extractors.iter().map(String::as_str));
    let names = [
        "report.json",
        "errors.json",
        "successes.json",
        "confusion_matrix.png",
        "confusion_matrix.svg",
        "histogram.png",
        "histogram.svg",
    ];
    kinds
        .flat_map(|kind| names.map(|name| format!("{kind}_{name}")))
        .collect()
}

/// Returns the messages with a label of some kind, and what was chosen.
fn chosen(
    messages: &[Answer],
    pick: impl Fn(&Answer) -> Option<&Choice>,
) -> Vec<(&Answer, &Choice)> {
    let pairs = messages.iter().map(|answer| Some((answer, pick(answer)?)));
    pairs.flatten().collect()
}

struct Writer {
    files: ReportFiles,
    flags: ReportFlags,
}

impl Writer {
    /// Writes about labels that were chosen, one a message.
    fn choices(&mut self, prefix: &str, label: &str, title: &str, chosen: &[(&Answer, &Choice)]) {
        let pairs: Vec<_> = chosen.iter().map(|(_, choice)| choice.pair("")).collect();
        self.json(prefix, "report", &report(&pairs, None));
        let (right, wrong): (Vec<_>, Vec<_>) =
            chosen.iter().partition(|(_, choice)| choice.is_right());
        let told = |chosen: &[&(&Answer, &Choice)]| -> Vec<Value> {
            let entries = chosen
                .iter()
                .map(|(answer, choice)| entry(label, answer, choice));
            entries.collect()
        };
        if self.flags.errors {
            self.json(prefix, "errors", &told(&wrong));
        }
        if self.flags.successes {
            self.json(prefix, "successes", &told(&right));
        }
        let pairs: Vec<_> = chosen
            .iter()
            .map(|(_, choice)| choice.pair(NO_LABEL))
            .collect();
        let sureness = chosen
            .iter()
            .map(|(_, choice)| (choice.confidence, choice.is_right()));
        self.pictures(prefix, title, &pairs, &sureness.collect::<Vec<_>>());
    }

    /// Writes about the entities of one extractor.
    fn entities(&mut self, extractor: &str, messages: &[Answer]) {
        let by_message: Vec<_> = messages
            .iter()
            .map(|answer| answer.token_pairs(Some(extractor)))
            .collect();
        let pairs: Vec<_> = by_message.iter().flatten().cloned().collect();
        self.json(extractor, "report", &report(&pairs, Some(score::NO_ENTITY)));
        let told = |is_told: fn(&(String, String)) -> bool| -> Vec<Value> {
            let both = messages.iter().zip(&by_message);
            let told = both.filter(|(_, pairs)| pairs.iter().any(is_told));
            told.map(|(answer, _)| entities(answer)).collect()
        };
        if self.flags.errors {
            self.json(extractor, "errors", &told(|(a, b)| a != b));
        }
        if self.flags.successes {
            // A message is here and among the errors if it is both.
            let is_found = |(a, b): &(String, String)| a == b && a != score::NO_ENTITY;
            self.json(extractor, "successes", &told(is_found));
        }
        let sureness: Vec<(f64, bool)> = messages
            .iter()
            .flat_map(|answer| sureness(answer, extractor))
            .collect();
        self.pictures(
            extractor,
            &format!("Entities of {extractor}"),
            &pairs,
            &sureness,
        );
    }

    fn pictures(
        &mut self,
        prefix: &str,
        title: &str,
        pairs: &[(String, String)],
        sureness: &[(f64, bool)],
    ) {
        if !self.flags.pictures {
            return;
        }
        let confusion = Confusion::of(pairs).picture(&format!("{title}: expected and predicted"));
        self.picture(prefix, "confusion_matrix", &confusion);
        let sureness = histogram(&format!("{title}: confidence of predictions"), sureness);
        self.picture(prefix, "histogram", &sureness);
    }

    fn picture(&mut self, prefix: &str, name: &str, picture: &Picture) {
        let svg = picture.svg().into_bytes();
        self.files.insert(format!("{prefix}_{name}.svg"), svg);
        let png = picture
            .png()
            .expect("a picture that was laid out has an area");
        self.files.insert(format!("{prefix}_{name}.png"), png);
    }

    fn json(&mut self, prefix: &str, name: &str, value: &impl Serialize) {
        let mut text = serde_json::to_string_pretty(value).expect("names are strings");
        text.push('\n');
        let file = format!("{prefix}_{name}.json");
        self.files.insert(file, text.into_bytes());
    }
}

/// Returns scikit-learn's report with the labels that each is confused with.
fn report(pairs: &[(String, String)], excluded: Option<&str>) -> Value {
    let report = score::report(pairs, excluded);
    let mut all = Map::new();
    for (label, scores) in &report.labels {
        let mut told = json!(scores);
        let confused = report.confused_with.get(label);
        told["confused_with"] = json!(most_confused(confused, excluded));
        all.insert(label.clone(), told);
    }
    all.insert("accuracy".to_owned(), json!(report.accuracy));
    all.insert("micro avg".to_owned(), json!(report.micro));
    all.insert("macro avg".to_owned(), json!(report.macro_mean));
    all.insert("weighted avg".to_owned(), json!(report.weighted));
    Value::Object(all)
}

/// Returns the labels that a label is confused with most; of two that are
/// predicted as often the later one by name.
fn most_confused(
    confused: Option<&BTreeMap<String, u64>>,
    excluded: Option<&str>,
) -> BTreeMap<String, u64> {
    let counts = confused.into_iter().flatten();
    let mut counts: Vec<(&String, &u64)> = counts.collect();
    counts.sort_by_key(|(label, count)| std::cmp::Reverse((**count, *label)));
    counts.truncate(CONFUSED_TOLD);
    let told = counts
        .into_iter()
        .filter(|(label, _)| Some(label.as_str()) != excluded);
    told.map(|(label, count)| (label.clone(), *count)).collect()
}

fn entry(label: &str, answer: &Answer, choice: &Choice) -> Value {
    let (target, prediction) = match label {
        "intent" => ("intent".to_owned(), "intent_prediction".to_owned()),
        label => (format!("{label}_target"), format!("{label}_prediction")),
    };
    let predicted = choice.predicted.as_deref().unwrap_or_default();
    json!({
        "text": answer.text,
        target: choice.expected,
        prediction: {"name": predicted, "confidence": choice.confidence},
    })
}

/// Returns the entities of a message; those found by all extractors, as in a parse.
fn entities(answer: &Answer) -> Value {
    let expected = answer.expected.iter().map(|entity| {
        let mut told = json!({
            "start": entity.start,
            "end": entity.end,
            "value": entity.value,
            "entity": entity.entity,
        });
        for (name, label) in [("role", &entity.role), ("group", &entity.group)] {
            if let Some(label) = label {
                told[name] = json!(label);
            }
        }
        told
    });
    json!({
        "text": answer.text,
        "entities": expected.collect::<Vec<_>>(),
        "predicted_entities": answer.found,
    })
}

/// How sure an extractor was of each token that it labelled, and whether it was
/// right.
fn sureness(answer: &Answer, extractor: &str) -> Vec<(f64, bool)> {
    let pairs = answer.token_pairs(Some(extractor));
    let confidence = |start: usize, end: usize| {
        let mut found = answer.found_by(Some(extractor));
        let covering = found.find(|entity| entity.start < end && start < entity.end);
        covering.and_then(|entity| entity.confidence_entity)
    };
    let tokens = answer.tokens.iter().zip(pairs);
    let sure = tokens.filter_map(|(token, (expected, predicted))| {
        let confidence = confidence(token.start, token.end)?;
        Some((confidence, expected == predicted))
    });
    sure.collect()
}
