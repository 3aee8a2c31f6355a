//! `TEDPolicy` with weights that Rasa 3.6.21 found gives Rasa's confidences.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;
use tabella::dialogue::State;
use tabella::dialogue::Universe;
use tabella::dialogue::ted;
use tabella::dialogue::training_trackers;
use tabella::import::Sources;
use tabella::import::import_project;

use crate::recorded_weights::packed;
use crate::shared::shared;

/// Similarities are sums of a few hundred products in `f32`; TensorFlow adds them in
/// another order.
const TOLERANCE: f32 = 1e-4;

#[test]
fn every_distribution_over_actions_is_rasas() {
    let Some(bot) = shared("goldens/tedbot") else {
        return;
    };
    let model = recorded_model(&bot);
    let recorded = json_file(&bot.join("ted_predictions.json"));
    let mut compared = 0;
    for dialogue in recorded["dialogues"].as_array().unwrap() {
        for turn in dialogue["turns"].as_array().unwrap() {
            let confidences = model.confidences(&states(&turn["states"]));
            let wanted: Vec<f32> = serde_json::from_value(turn["probabilities"].clone()).unwrap();
            assert_eq!(confidences.len(), wanted.len());
            for (action, (got, want)) in confidences.iter().zip(&wanted).enumerate() {
                assert!(
                    (got - want).abs() < TOLERANCE,
                    "{}, action {action}: {got} instead of {want}",
                    dialogue["tracker"]
                );
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 12);
}

/// Rasa answers all of its own stories after 25 epochs; we may take 100, as which epoch
/// suffices is luck in either.
#[test]
fn our_training_answers_all_stories_as_rasas_does() {
    let Some(bot) = shared("goldens/tedbot") else {
        return;
    };
    let sources = Sources {
        root: bot.join("project"),
        config: "config.yml".into(),
        domain: vec!["domain.yml".into()],
        data: vec!["data".into()],
        ..Sources::default()
    };
    let project = import_project(&sources).unwrap().project;
    let universe = Universe::new(&project.domain);
    let options = ted::Options {
        epochs: 100,
        ..options(&bot.join("project/config.yml"))
    };
    let trackers = training_trackers(&project.stories, &universe, 50);
    let examples = ted::examples(&options, &universe, &trackers).unwrap();
    let mut on_epoch = |_| ControlFlow::Continue(());
    let model = ted::train(&options, &universe, &examples, 0, &mut on_epoch).unwrap();
    let recorded = json_file(&bot.join("ted_predictions.json"));
    for dialogue in recorded["dialogues"].as_array().unwrap() {
        for turn in dialogue["turns"].as_array().unwrap() {
            let confidences = model.confidences(&states(&turn["states"]));
            let wanted = turn["expected"].as_str().unwrap();
            let wanted = confidences[universe.action_index(wanted).unwrap()];
            assert!(
                confidences.iter().all(|&confidence| confidence <= wanted),
                "{turn}"
            );
        }
    }
}

fn states(recorded: &Value) -> Vec<Arc<State>> {
    serde_json::from_value::<Vec<State>>(recorded.clone())
        .unwrap()
        .into_iter()
        .map(Arc::new)
        .collect()
}

/// Returns the model that a bot's recorded weights make; its columns are those of
/// `tripbot`, which has the same domain.
fn recorded_model(bot: &Path) -> ted::Model {
    let featurizer = bot.join("../tripbot/archive/components/train_TEDPolicy3/featurizer.json");
    let columns = json_file(&featurizer)["state_featurizer"]["feature_states"].clone();
    let features: BTreeMap<&str, Vec<String>> =
        ["intent", "action_name", "active_loop", "entities", "slots"]
            .map(|attribute| (attribute, in_order(&columns[attribute])))
            .into();
    let description = json!({
        "format": 2,
        "options": options(&bot.join("project/config.yml")),
        "features": features,
        "attributes": ["intent", "action_name", "entities", "slots"],
    });
    let recorded = fs::read(bot.join("weights_ted_policy.safetensors")).unwrap();
    let files = BTreeMap::from([
        (
            "model.json".to_owned(),
            description.to_string().into_bytes(),
        ),
        ("weights.safetensors".to_owned(), renamed(&recorded)),
    ]);
    ted::Model::from_files(&files).unwrap()
}

fn in_order(columns: &Value) -> Vec<String> {
    let mut names: Vec<(u64, String)> = columns
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, column)| (column.as_u64().unwrap(), name.clone()))
        .collect();
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

fn options(config: &Path) -> ted::Options {
    let config: Value = serde_yaml::from_str(&fs::read_to_string(config).unwrap()).unwrap();
    let policies = config["policies"].as_array().unwrap();
    let policy = policies.iter().find(|policy| policy["name"] == "TEDPolicy");
    let mut written: BTreeMap<String, Value> =
        serde_json::from_value(policy.unwrap().clone()).unwrap();
    written.remove("name");
    let parsed = ted::Options::parse(&written).unwrap();
    assert!(parsed.unknown.is_empty());
    parsed.options
}

/// Returns the weights under our names, the optimiser's state left out.
fn renamed(recorded: &[u8]) -> Vec<u8> {
    packed(recorded, |name| {
        let name = name.strip_prefix("model/_tf_layers/")?;
        let name = name.replace("/.ATTRIBUTES/VARIABLE_VALUE", "");
        let names = NAMES.iter();
        Some(names.fold(name, |name, (theirs, ours)| name.replace(theirs, ours)))
    })
}

/// Parts of TensorFlow's names and ours, applied one after another.
const NAMES: [(&str, &str); 22] = [
    ("..", "."),
    ("sparse_dense_concat_layer", "sparse_to_dense"),
    ("/_tf_layers/sparse_to_dense", ""),
    ("encoding_layer.", "encoding."),
    ("/_ffn_layers/0/kernel_mask", "/kernel_mask"),
    (
        "encoding.label_action_name/_ffn_layers/0",
        "encoding.label_action_name",
    ),
    ("encoding.action_name/_ffn_layers/0", "encoding.action_name"),
    ("encoding.intent/_ffn_layers/0", "encoding.intent"),
    ("/_dense/", "/"),
    ("/_embedding/", "/input/"),
    ("/_enc_layers/", "/layer_"),
    ("/_ffn_layers/0/", "/norm_feed_forward/"),
    ("/_ffn_layers/1/", "/widen/"),
    ("/_ffn_layers/3/", "/narrow/"),
    ("dialogue/_layer_norm/", "dialogue/norm/"),
    ("/_layer_norm/", "/norm_attention/"),
    ("/_mha/_query_dense_layer", "/query"),
    ("/_mha/_key_dense_layer", "/key"),
    ("/_mha/_value_dense_layer", "/value"),
    ("/_mha/_output_dense_layer", "/output"),
    ("kernel_mask", "kernel.mask"),
    ("//", "/"),
];

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
