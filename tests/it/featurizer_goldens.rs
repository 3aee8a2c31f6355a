//! Tokens, vocabularies and feature rows are those that Rasa 3.6 recorded.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use tabella::data::Annotation;
use tabella::data::Component;
use tabella::data::Example;
use tabella::data::Lookup;
use tabella::data::NluData;
use tabella::data::Options;
use tabella::data::Pattern;
use tabella::features::FeatureRows;
use tabella::features::count_vectors;
use tabella::features::lexical_syntactic;
use tabella::features::regex;
use tabella::matrix::Csr;
use tabella::nlu::FITTED;
use tabella::nlu::FallbackClassifier;
use tabella::nlu::FallbackOptions;
use tabella::nlu::Files;
use tabella::nlu::Intent;
use tabella::nlu::Message;
use tabella::nlu::ModelFolders;
use tabella::nlu::Parse;
use tabella::nlu::Pipeline;
use tabella::nlu::RegexEntities;
use tabella::nlu::RegexEntityOptions;
use tabella::nlu::SlashMessages;
use tabella::nlu::Synonyms;
use tabella::nlu::TagKind;
use tabella::nlu::TagSet;
use tabella::nlu::Tagging;
use tabella::tokenize::Attribute;
use tabella::tokenize::Document;
use tabella::tokenize::Token;
use tabella::tokenize::Tokenizer;
use tabella::tokenize::read_options;

use crate::shared::shared;

const BOTS: [&str; 2] = ["tablebot", "tripbot"];

/// Returns a recorded file of one assistant.
fn golden(bot: &str, file: &str) -> Option<Value> {
    let path = shared(&format!("goldens/{bot}/{file}"))?;
    Some(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn annotation(value: &Value) -> Annotation {
    Annotation {
        start: value["start"].as_u64().unwrap_or(0) as usize,
        end: value["end"].as_u64().unwrap_or(0) as usize,
        entity: string(&value["entity"]).unwrap(),
        value: value["value"].clone(),
        role: string(&value["role"]),
        group: string(&value["group"]),
    }
}

/// Returns the NLU data of the assistant, without what Rasa adds to it.
pub(crate) fn nlu_data(recorded: &Value) -> NluData {
    let example = |example: &Value| Example {
        text: string(&example["text"]).unwrap_or_default(),
        intent: string(&example["intent"]),
        intent_response_key: string(&example["intent_response_key"]),
        response: string(&example["response"]),
        entities: items(&example["entities"]).map(annotation).collect(),
        ..Example::default()
    };
    let pattern = |pattern: &Value| Pattern {
        name: string(&pattern["name"]).unwrap(),
        pattern: string(&pattern["pattern"]).unwrap(),
        ..Pattern::default()
    };
    let lookup = |table: &Value| Lookup {
        name: string(&table["name"]).unwrap(),
        elements: items(&table["elements"]).filter_map(string).collect(),
        ..Lookup::default()
    };
    let synonyms = recorded["entity_synonyms"].as_object().unwrap().iter();
    let with_text = items(&recorded["examples"]).filter(|e| e["text"].is_string());
    NluData {
        examples: with_text.map(example).collect(),
        synonyms: synonyms
            .map(|(k, v)| (k.clone(), string(v).unwrap()))
            .collect(),
        patterns: items(&recorded["regex_features"]).map(pattern).collect(),
        lookups: items(&recorded["lookup_tables"]).map(lookup).collect(),
        responses: BTreeMap::new(),
        ..NluData::default()
    }
}

/// Returns all messages that Rasa trains on, action names and intents included.
pub(crate) fn corpus(recorded: &Value) -> Vec<Document> {
    let tokenizer = Tokenizer::new(&Options::new()).unwrap();
    let document = |example: &Value| {
        let mut document = Document::default();
        for attribute in Attribute::ALL {
            let text = example[attribute.name()].as_str().unwrap_or("");
            tokenizer.insert(&mut document, attribute, text);
        }
        document
    };
    items(&recorded["examples"]).map(document).collect()
}

fn check_tokens(rows: &Value, split: impl Fn(&str) -> Vec<Token>) -> usize {
    for row in items(rows) {
        let text = row["text"].as_str().unwrap();
        let tokens: Vec<Value> = split(text)
            .into_iter()
            .map(|token| serde_json::json!([token.text, token.start, token.end]))
            .collect();
        assert_eq!(Value::Array(tokens), row["tokens"], "{text}");
    }
    items(rows).count()
}

#[test]
fn tokens_are_those_of_rasa() {
    for bot in BOTS {
        let Some(probes) = golden(bot, "tokens_probe.json") else {
            return;
        };
        let plain = Tokenizer::new(&Options::new()).unwrap();
        assert!(check_tokens(&probes, |text| plain.text(text)) > 20);
        let training = golden(bot, "tokens_train.json").unwrap();
        assert!(check_tokens(&training, |text| plain.text(text)) > 20);

        let split = golden(bot, "tokens_probe_token_pattern.json").unwrap();
        let options = Options::from([("token_pattern".to_owned(), split["token_pattern"].clone())]);
        let tokenizer = Tokenizer::new(&options).unwrap();
        assert!(check_tokens(&split["rows"], |text| tokenizer.text(text)) > 20);
    }
}

/// A fitted featurizer of any kind.
enum Fitted {
    Regex(regex::Fitted),
    LexicalSyntactic(lexical_syntactic::Fitted),
    CountVectors(count_vectors::Fitted),
}

impl Fitted {
    fn new(recorded: &Value, corpus: &[Document], data: &NluData) -> Self {
        let written: Options = serde_json::from_value(recorded["config"].clone()).unwrap();
        match recorded["component"].as_str().unwrap() {
            "RegexFeaturizer" => {
                let options: regex::Options = read_options(&written).unwrap();
                Self::Regex(regex::fit(&options, data).unwrap())
            }
            "LexicalSyntacticFeaturizer" => {
                let options = read_options(&written).unwrap();
                Self::LexicalSyntactic(lexical_syntactic::fit(&options, corpus).unwrap())
            }
            "CountVectorsFeaturizer" => {
                let options = read_options(&written).unwrap();
                Self::CountVectors(count_vectors::fit(&options, corpus).unwrap())
            }
            other => panic!("a recorded component without test: {other}"),
        }
    }

    fn rows(&self, documents: &[Document], attribute: Attribute) -> FeatureRows {
        match self {
            Self::Regex(fitted) => fitted.rows(documents, attribute),
            Self::LexicalSyntactic(fitted) => fitted.rows(documents, attribute),
            Self::CountVectors(fitted) => fitted.rows(documents, attribute),
        }
    }

    fn options(&self) -> Value {
        match self {
            Self::Regex(fitted) => serde_json::to_value(fitted.options()),
            Self::LexicalSyntactic(fitted) => serde_json::to_value(fitted.options()),
            Self::CountVectors(fitted) => serde_json::to_value(fitted.options()),
        }
        .unwrap()
    }

    fn check_learnt(&self, name: &str, recorded: &Value) {
        match self {
            Self::Regex(fitted) => {
                let ours: Vec<Value> = fitted
                    .patterns()
                    .iter()
                    .map(|p| serde_json::json!({"name": p.name, "pattern": p.expression()}))
                    .collect();
                assert_eq!(Value::Array(ours), recorded["patterns"], "{name}");
            }
            Self::LexicalSyntactic(fitted) => {
                let theirs: BTreeMap<String, Value> = items(&recorded["feature_to_idx_dict"])
                    .map(|pair| {
                        let (window, function) = (&pair[0][0], pair[0][1].as_str().unwrap());
                        (format!("{window}###{function}"), pair[1].clone())
                    })
                    .collect();
                assert!(!theirs.is_empty());
                let ours = serde_json::to_value(fitted.columns()).unwrap();
                assert_eq!(ours, serde_json::to_value(theirs).unwrap(), "{name}");
            }
            Self::CountVectors(fitted) => {
                let ours = serde_json::to_value(fitted.vocabularies()).unwrap();
                let theirs = recorded["vocabularies"].as_object().unwrap();
                assert_eq!(
                    &ours.as_object().unwrap().keys().collect::<BTreeSet<_>>(),
                    &theirs.keys().collect::<BTreeSet<_>>(),
                    "{name}"
                );
                for (attribute, vocabulary) in theirs {
                    assert_eq!(&ours[attribute], vocabulary, "{name} {attribute}");
                }
            }
        }
    }
}

/// Returns a matrix as it was recorded: `[rows, cols, [[r, c, v]…]]`.
fn shown(matrix: &Csr, rows: std::ops::Range<usize>) -> Value {
    let mut entries = Vec::new();
    for row in rows.clone() {
        let (columns, values) = matrix.row(row);
        for (column, value) in columns.iter().zip(values) {
            entries.push(serde_json::json!([
                row - rows.start,
                column,
                f64::from(*value)
            ]));
        }
    }
    serde_json::json!([rows.len(), matrix.cols(), entries])
}

/// Returns a recorded matrix with all values as floats, entries sorted.
fn normal(recorded: &Value) -> Value {
    let mut entries: Vec<(u64, u64, f64)> = items(&recorded[2])
        .map(|e| {
            (
                e[0].as_u64().unwrap(),
                e[1].as_u64().unwrap(),
                e[2].as_f64().unwrap(),
            )
        })
        .collect();
    entries.sort_by_key(|&(row, column, _)| (row, column));
    serde_json::json!([recorded[0], recorded[1], entries])
}

/// Which rows were recorded. Where a featurizer gives no features, the recorder
/// left none for probes, but those of the featurizer before for examples.
#[derive(Clone, Copy, PartialEq)]
enum Rows {
    Probes,
    Examples,
}

fn check_matrix(place: &str, kind: Rows, ours: &Csr, shown: Value, recorded: &Value) {
    match (ours.cols(), kind) {
        (0, Rows::Probes) => assert!(recorded.is_null(), "{place}: {recorded}"),
        (0, Rows::Examples) => {}
        _ => assert_eq!(shown, normal(recorded), "{place}"),
    }
}

fn check_rows(name: &str, fitted: &Fitted, kind: Rows, recorded: &Value) -> usize {
    let tokenizer = Tokenizer::new(&Options::new()).unwrap();
    let texts: Vec<&str> = items(recorded)
        .map(|row| row["text"].as_str().unwrap())
        .collect();
    let documents: Vec<Document> = texts
        .iter()
        .map(|text| tokenizer.single(Attribute::Text, text))
        .collect();
    let rows = fitted.rows(&documents, Attribute::Text);
    let rows = FeatureRows::from_bytes(&rows.to_bytes()).unwrap();
    for (message, row) in items(recorded).enumerate() {
        let place = format!("{name}: {}", texts[message]);
        let sequence = shown(&rows.sequence, rows.tokens(message));
        check_matrix(&place, kind, &rows.sequence, sequence, &row["sequence"]);
        let sentence = shown(&rows.sentence, message..message + 1);
        check_matrix(&place, kind, &rows.sentence, sentence, &row["sentence"]);
    }
    texts.len()
}

#[test]
fn every_recorded_featurizer_learns_and_counts_the_same() {
    for bot in BOTS {
        let Some(recorded) = golden(bot, "nlu_training_data.json") else {
            return;
        };
        let (corpus, data) = (corpus(&recorded), nlu_data(&recorded));
        let featurizers = golden(bot, "featurizers.json").unwrap();
        let featurizers = featurizers.as_object().unwrap();
        assert!(featurizers.len() >= 12);
        for (name, recorded) in featurizers {
            let name = format!("{bot} {name}");
            let fitted = Fitted::new(recorded, &corpus, &data);
            assert_eq!(fitted.options(), recorded["resolved_config"], "{name}");
            fitted.check_learnt(&name, recorded);
            assert!(check_rows(&name, &fitted, Rows::Probes, &recorded["probe_rows"]) > 20);
            assert!(check_rows(&name, &fitted, Rows::Examples, &recorded["train_rows"]) > 20);
        }
    }
}

#[test]
fn annotations_become_the_recorded_bilou_tags() {
    for bot in BOTS {
        let Some(recorded) = golden(bot, "bilou_train.json") else {
            return;
        };
        let data = nlu_data(&golden(bot, "nlu_training_data.json").unwrap());
        let tokenizer = Tokenizer::new(&Options::new()).unwrap();
        let mut compared = 0;
        for (kind, name) in TagKind::ALL.into_iter().zip(["entity", "role", "group"]) {
            let set = TagSet::of(&data.examples, kind, Tagging::Bilou);
            let Some(ids) = recorded["tag_id_dict"][name].as_object() else {
                assert!(set.labels().is_empty(), "{bot} {name}");
                continue;
            };
            assert_eq!(set.count(), ids.len(), "{bot} {name}");
            for (tag, id) in ids {
                assert_eq!(&set.name(id.as_u64().unwrap() as u32), tag);
            }
            for example in items(&recorded["examples"]) {
                let text = example["text"].as_str().unwrap();
                let annotations = data.examples.iter().find(|e| e.text == text).unwrap();
                let tokens = tokenizer.text(text);
                let tags: Vec<String> = set
                    .ids(&tokens, &annotations.entities)
                    .into_iter()
                    .map(|id| set.name(id))
                    .collect();
                assert_eq!(serde_json::json!(tags), example[name], "{bot} {text}");
                compared += 1;
            }
        }
        assert!(compared > 8);
    }
}

#[test]
fn synonyms_are_those_that_rasa_stored() {
    for (bot, place) in [("tablebot", 5), ("tripbot", 7)] {
        let file = format!("archive/components/train_EntitySynonymMapper{place}/synonyms.json");
        let Some(recorded) = golden(bot, &file) else {
            return;
        };
        let data = nlu_data(&golden(bot, "nlu_training_data.json").unwrap());
        let ours = serde_json::to_value(Synonyms::fit(&data)).unwrap();
        assert_eq!(ours, recorded, "{bot}");
    }
}

/// Returns the pipeline of the components that are not networks, trained, and
/// loaded from what they would store.
fn pipeline(data: &NluData) -> Pipeline {
    let types: BTreeSet<String> = data
        .examples
        .iter()
        .flat_map(|example| example.entities.iter().map(|entity| entity.entity.clone()))
        .collect();
    let entities = RegexEntities::fit(&RegexEntityOptions::default(), data, &types).unwrap();
    let component = |name: &str, fitted: Option<Vec<u8>>| {
        let component = Component {
            name: name.to_owned(),
            ..Component::default()
        };
        let files: Files = fitted
            .into_iter()
            .map(|bytes| (FITTED.to_owned(), bytes))
            .collect();
        (component, files)
    };
    let parts = [
        component("WhitespaceTokenizer", None),
        component(
            "RegexEntityExtractor",
            Some(serde_json::to_vec(&entities).unwrap()),
        ),
        component(
            "EntitySynonymMapper",
            Some(serde_json::to_vec(&Synonyms::fit(data)).unwrap()),
        ),
    ];
    Pipeline::load(&parts, SlashMessages::default(), &ModelFolders::default()).unwrap()
}

#[test]
fn patterns_and_synonyms_give_the_recorded_entities() {
    let Some(recorded) = golden("tripbot", "parse.json") else {
        return;
    };
    let data = nlu_data(&golden("tripbot", "nlu_training_data.json").unwrap());
    let pipeline = pipeline(&data);
    let mut found = 0;
    for parse in items(&recorded) {
        let text = parse["text"].as_str().unwrap();
        let ours = serde_json::to_value(pipeline.parse(text)).unwrap();
        assert_eq!(ours["text_tokens"], parse["text_tokens"], "{text}");
        let theirs: Vec<&Value> = items(&parse["entities"])
            .filter(|entity| entity["extractor"] == "RegexEntityExtractor")
            .collect();
        assert_eq!(ours["entities"], serde_json::json!(theirs), "{text}");
        found += theirs.len();
    }
    assert!(found > 15);
}

#[test]
fn a_parse_holds_all_that_rasa_answers() {
    for bot in BOTS {
        let Some(recorded) = golden(bot, "parse.json") else {
            return;
        };
        let data = nlu_data(&golden(bot, "nlu_training_data.json").unwrap());
        let (synonyms, tokenizer) = (Synonyms::fit(&data), pipeline(&data));
        for theirs in items(&recorded) {
            let parse: Parse = serde_json::from_value(theirs.clone()).unwrap();
            assert_eq!(&serde_json::to_value(&parse).unwrap(), theirs);

            // What the components before the mapper and the end have said.
            let mut message = Message::new(&parse.text);
            tokenizer.components[0].process(&mut message);
            message.response_selector = parse.response_selector.clone();
            message.intent_ranking = parse.intent_ranking.clone();
            message.intent = Some(Intent {
                full_retrieval_intent_name: None,
                ..parse.intent.clone()
            });
            message.entities = parse.entities.clone();
            let letters: Vec<char> = parse.text.chars().collect();
            for entity in &mut message.entities {
                entity.value = letters[entity.start..entity.end]
                    .iter()
                    .collect::<String>()
                    .into();
                entity.processors.clear();
            }
            synonyms.process(&mut message);
            assert_eq!(message.into_parse(), parse);
        }
    }
}

#[test]
fn an_unlikely_intent_falls_back_as_recorded() {
    let Some(recorded) = golden("tablebot", "parse.json") else {
        return;
    };
    let classifier = FallbackClassifier {
        options: FallbackOptions {
            threshold: 0.4,
            ambiguity_threshold: 0.1,
        },
    };
    let mut fallbacks = 0;
    for theirs in items(&recorded) {
        let parse: Parse = serde_json::from_value(theirs.clone()).unwrap();
        let fell_back = parse.intent.name.as_deref() == Some("nlu_fallback");
        let ranking = parse.intent_ranking.clone().unwrap();
        let before = ranking[usize::from(fell_back)..].to_vec();
        let mut message = Message::new(&parse.text);
        message.intent = before.first().cloned();
        message.intent_ranking = Some(before);
        classifier.process(&mut message);
        assert_eq!(message.intent, Some(parse.intent));
        assert_eq!(message.intent_ranking, Some(ranking));
        fallbacks += usize::from(fell_back);
    }
    assert!(fallbacks > 0);
}
