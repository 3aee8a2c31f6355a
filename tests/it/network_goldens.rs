//! With the weights that Rasa 3.6 found, our networks say what Rasa said.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;

use serde::Serialize;
use serde_json::Value;
use tabella::data::Component;
use tabella::data::NluData;
use tabella::data::Options;
use tabella::features::FeatureRows;
use tabella::features::count_vectors;
use tabella::features::lexical_syntactic;
use tabella::features::regex;
use tabella::nlu::FITTED;
use tabella::nlu::Files;
use tabella::nlu::ModelFolders;
use tabella::nlu::Pipeline;
use tabella::nlu::RegexEntities;
use tabella::nlu::RegexEntityOptions;
use tabella::nlu::SlashMessages;
use tabella::nlu::Synonyms;
use tabella::nlu::diet;
use tabella::nlu::diet::TrainingData;
use tabella::nlu::selector;
use tabella::tokenize::Attribute;
use tabella::tokenize::Document;
use tabella::tokenize::Tokenizer;
use tabella::tokenize::read_options;

use crate::featurizer_goldens::corpus;
use crate::featurizer_goldens::nlu_data;
use crate::recorded_weights::packed;
use crate::shared::shared;

fn golden(file: &str) -> Option<Value> {
    let path = shared(&format!("goldens/tripbot/{file}"))?;
    Some(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The featurizers of the assistant's pipeline, with what they learnt.
struct Featurizers {
    parts: Vec<(Component, Files)>,
    regex: regex::Fitted,
    lexical: lexical_syntactic::Fitted,
    words: count_vectors::Fitted,
    pieces: count_vectors::Fitted,
}

fn component(name: &str, options: &str, files: Files) -> (Component, Files) {
    let component = Component {
        name: name.to_owned(),
        options: serde_json::from_str(options).unwrap(),
        ..Component::default()
    };
    (component, files)
}

fn fitted(value: &impl Serialize) -> Files {
    Files::from([(FITTED.to_owned(), serde_json::to_vec(value).unwrap())])
}

const PIECES: &str = r#"{"analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4}"#;

impl Featurizers {
    fn new(recorded: &Value, data: &NluData) -> Self {
        let corpus = corpus(recorded);
        let plain = Options::new();
        let pieces: Options = serde_json::from_str(PIECES).unwrap();
        let regex = regex::fit(&read_options(&plain).unwrap(), data).unwrap();
        let lexical = lexical_syntactic::fit(&read_options(&plain).unwrap(), &corpus).unwrap();
        let words = count_vectors::fit(&read_options(&plain).unwrap(), &corpus).unwrap();
        let pieces = count_vectors::fit(&read_options(&pieces).unwrap(), &corpus).unwrap();
        Self {
            parts: vec![
                component("WhitespaceTokenizer", "{}", Files::new()),
                component("RegexFeaturizer", "{}", fitted(&regex)),
                component("LexicalSyntacticFeaturizer", "{}", fitted(&lexical)),
                component("CountVectorsFeaturizer", "{}", fitted(&words)),
                component("CountVectorsFeaturizer", PIECES, fitted(&pieces)),
            ],
            regex,
            lexical,
            words,
            pieces,
        }
    }

    fn rows(&self, documents: &[Document], attribute: Attribute) -> FeatureRows {
        FeatureRows::hstack(&[
            &self.regex.rows(documents, attribute),
            &self.lexical.rows(documents, attribute),
            &self.words.rows(documents, attribute),
            &self.pieces.rows(documents, attribute),
        ])
    }
}

/// Returns our name of one of Rasa's variables, or `None` for one that predictions
/// do not need.
fn our_name(theirs: &str) -> Option<String> {
    let path = theirs.strip_prefix("model/_tf_layers/")?;
    let path = path.strip_suffix("/.ATTRIBUTES/VARIABLE_VALUE")?;
    let mut name = path.to_owned();
    for (from, to) in [
        ("crf..entity", "entity"),
        ("crf..role", "role"),
        ("crf..group", "group"),
        ("embed..entity..logits/_dense", "entity/logits"),
        ("embed..role..logits/_dense", "role/logits"),
        ("embed..group..logits/_dense", "group/logits"),
        ("embed..role..tags/_dense", "role/tags"),
        ("embed..group..tags/_dense", "group/tags"),
        ("embed..text/_dense", "text/embed"),
        ("embed..label/_dense", "label/embed"),
        ("feature_combining_layer..label/", "label/"),
        ("ffnn..label/_ffn_layers/", "label/hidden_"),
        ("sequence_layer..text/_tf_layers/", "text/"),
        ("feature_combining/", ""),
        ("_tf_layers/sparse_dense..", ""),
        ("/_tf_layers/sparse_to_dense", ""),
        ("text/ffnn/_ffn_layers/", "text/hidden_"),
        ("transformer/_embedding", "transformer/input"),
        ("transformer/_layer_norm", "transformer/norm"),
        ("_enc_layers/", "layer_"),
        ("_ffn_layers/0/", "norm_feed_forward/"),
        ("_ffn_layers/1/", "widen/"),
        ("_ffn_layers/3/", "narrow/"),
        ("/_layer_norm/", "/norm_attention/"),
        ("_mha/_key_dense_layer", "key"),
        ("_mha/_query_dense_layer", "query"),
        ("_mha/_value_dense_layer", "value"),
        ("_mha/_output_dense_layer", "output"),
        ("kernel_mask", "kernel.mask"),
    ] {
        name = name.replace(from, to);
    }
    Some(name)
}

/// Returns Rasa's recorded weights in our form.
fn recorded_weights(component: &str) -> Vec<u8> {
    let file = shared(&format!("goldens/tripbot/weights_{component}.safetensors")).unwrap();
    let bytes = fs::read(file).unwrap();
    // Without a transformer nothing reads the tokens, and we have no layer for them.
    let unused = (component == "ResponseSelector").then_some("text/sequence/");
    packed(&bytes, |name| {
        let name = our_name(name)?;
        let read = unused.is_none_or(|unused| !name.starts_with(unused));
        read.then_some(name)
    })
}

/// Returns the files of a model with Rasa's weights.
fn recorded_model(component: &str, options: &diet::Options, data: &TrainingData) -> Files {
    let untrained = diet::Options {
        epochs: 0,
        ..options.clone()
    };
    let model = diet::train(&untrained, data, 1, &mut |_| ControlFlow::Continue(())).unwrap();
    let mut files = model.to_files();
    let weights = recorded_weights(component);
    files.insert("weights.safetensors".to_owned(), weights);
    files
}

const CLASSIFIER: &str = r#"{
    "epochs": 200, "learning_rate": 0.005, "random_seed": 42, "constrain_similarities": true,
    "embedding_dimension": 8, "connection_density": 0.5, "transformer_size": 32,
    "dense_dimension": {"text": 16, "label": 8}, "concat_dimension": {"text": 16, "label": 8},
    "number_of_attention_heads": 2, "number_of_transformer_layers": 2
}"#;

const SELECTOR: &str = r#"{
    "retrieval_intent": "faq", "epochs": 60, "random_seed": 42, "constrain_similarities": true,
    "embedding_dimension": 8, "hidden_layers_sizes": {"text": [16], "label": [16]},
    "dense_dimension": {"text": 16, "label": 16}, "concat_dimension": {"text": 16, "label": 16}
}"#;

/// Returns the assistant's whole pipeline, with the networks that Rasa trained.
fn pipeline(recorded: &Value) -> Pipeline {
    let data = nlu_data(recorded);
    let featurizers = Featurizers::new(recorded, &data);
    let tokenizer = Tokenizer::new(&Options::new()).unwrap();
    let documents = tokenizer.examples(&data.examples);
    let texts = featurizers.rows(&documents, Attribute::Text);
    let corpus_of = |labels| diet::Corpus {
        examples: &data.examples,
        documents: &documents,
        texts: &texts,
        labels,
    };
    let intents = featurizers.rows(&documents, Attribute::Intent);
    let options = diet::Options::parse(&serde_json::from_str(CLASSIFIER).unwrap()).unwrap();
    let training = TrainingData::of_intents(&options.options, corpus_of(&intents));
    let classifier = recorded_model("DIETClassifier", &options.options, &training);

    let options = selector::Options::parse(&serde_json::from_str(SELECTOR).unwrap()).unwrap();
    let keys = featurizers.rows(&documents, options.options.label_attribute());
    let training = options.options.training_data(corpus_of(&keys));
    let mut selector = recorded_model("ResponseSelector", &options.options.network, &training);
    let said = golden("archive/components/train_ResponseSelector8/ResponseSelector.responses.json");
    let responses = serde_json::from_value(said.unwrap()).unwrap();
    let responses = selector::Responses::of(&data.examples, &responses);
    selector.insert(selector::RESPONSES.to_owned(), responses.to_json());

    let types = data.examples.iter().flat_map(|example| &example.entities);
    let types = types.map(|annotation| annotation.entity.clone()).collect();
    let patterns = RegexEntities::fit(&RegexEntityOptions::default(), &data, &types).unwrap();
    let mut parts = featurizers.parts;
    parts.extend([
        component("RegexEntityExtractor", "{}", fitted(&patterns)),
        component("DIETClassifier", CLASSIFIER, classifier),
        component("EntitySynonymMapper", "{}", fitted(&Synonyms::fit(&data))),
        component("ResponseSelector", SELECTOR, selector),
        component("FallbackClassifier", "{}", Files::new()),
    ]);
    Pipeline::load(&parts, SlashMessages::default(), &ModelFolders::default()).unwrap()
}

/// Puts ranked intents that are as good as impossible in the order of their names:
/// which of them comes first is beyond the precision of `f32`.
fn settle(parse: &mut Value) {
    let ranking = parse["intent_ranking"].as_array_mut().unwrap();
    let possible = ranking.partition_point(|intent| intent["confidence"].as_f64().unwrap() > 1e-5);
    ranking[possible..].sort_by_key(|intent| intent["name"].to_string());
}

/// Compares two values, numbers to 1e-4.
#[track_caller]
fn check_close(ours: &Value, theirs: &Value, path: &str) {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() < 1e-4, "{path}: {a}, not {b}");
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{path}: {ours}, not {theirs}");
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                check_close(a, b, &format!("{path}[{at}]"));
            }
        }
        (Value::Object(a), Value::Object(b)) => {
            let names: BTreeSet<&String> = a.keys().collect();
            assert_eq!(names, b.keys().collect(), "{path}: {ours}, not {theirs}");
            for (name, value) in a {
                check_close(value, &b[name], &format!("{path}.{name}"));
            }
        }
        _ => assert_eq!(ours, theirs, "{path}"),
    }
}

#[test]
fn every_probe_is_understood_as_by_rasa() {
    let Some(recorded) = golden("nlu_training_data.json") else {
        return;
    };
    let pipeline = pipeline(&recorded);
    let parsed = golden("parse.json").unwrap();
    let mut networks_said = 0;
    for theirs in items(&parsed) {
        let text = theirs["text"].as_str().unwrap();
        let mut ours = serde_json::to_value(pipeline.parse(text)).unwrap();
        let mut theirs = theirs.clone();
        settle(&mut ours);
        settle(&mut theirs);
        check_close(&ours, &theirs, text);
        let entities = items(&ours["entities"]);
        networks_said += entities
            .filter(|e| e["extractor"] == "DIETClassifier")
            .count();
    }
    assert_eq!(networks_said, 30);
}
