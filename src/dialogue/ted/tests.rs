//! What the network as a whole promises, on a small assistant that has every
//! attribute of a turn.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use expect_test::expect;
use rayon::ThreadPoolBuilder;
use serde_json::Value;

use crate::data::Annotation;
use crate::data::Checkpoint;
use crate::data::Domain;
use crate::data::Entity;
use crate::data::Event;
use crate::data::Form;
use crate::data::Intent;
use crate::data::STORY_START;
use crate::data::Slot;
use crate::data::SlotKind;
use crate::data::Step;
use crate::data::StoryGraph;
use crate::data::Utterance;
use crate::dialogue::Example;
use crate::dialogue::State;
use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::Universe;
use crate::dialogue::ted;
use crate::dialogue::ted::EpochReport;
use crate::dialogue::ted::Model;
use crate::dialogue::ted::ModelError;
use crate::dialogue::ted::Options;
use crate::dialogue::ted::TrainError;
use crate::dialogue::ted::TurnWidths;
use crate::dialogue::ted::batch::FeatureNames;
use crate::dialogue::ted::batch::StateEncoder;
use crate::dialogue::ted::batch::TrainingData;
use crate::dialogue::ted::batch::Window;
use crate::dialogue::ted::network::Network;
use crate::dialogue::ted::train;
use crate::dialogue::ted::train::Training;
use crate::dialogue::training_trackers;
use crate::nlu::diet::LossType;
use crate::nlu::diet::Similarity;
use crate::nn::Draw;
use crate::nn::Stream;

fn domain() -> Domain {
    let intent = |name: &str| Intent {
        name: name.into(),
        ..Intent::default()
    };
    Domain {
        intents: ["greet", "order", "pay", "leave"].map(intent).to_vec(),
        entities: vec![Entity {
            name: "dish".into(),
            influences: true,
            ..Entity::default()
        }],
        slots: vec![Slot {
            name: "dish".into(),
            kind: SlotKind::Text,
            initial_value: Value::Null,
            influences: true,
            auto_fill: false,
            mappings: Vec::new(),
            place: Default::default(),
        }],
        actions: ["say_hello", "say_dishes", "say_price", "say_bye"]
            .map(String::from)
            .to_vec(),
        forms: vec![Form {
            name: "pay_form".into(),
            ..Form::default()
        }],
        ..Domain::default()
    }
}

fn user(intent: &str) -> Event {
    let utterance = Utterance {
        intent: Some(intent.into()),
        ..Utterance::default()
    };
    Event::User(utterance.into())
}

fn order(dish: &str) -> [Event; 2] {
    let utterance = Utterance {
        intent: Some("order".into()),
        entities: [Annotation {
            entity: "dish".into(),
            value: dish.into(),
            ..Annotation::default()
        }]
        .into(),
        ..Utterance::default()
    };
    [
        Event::User(utterance.into()),
        Event::Slot {
            name: "dish".into(),
            value: dish.into(),
        },
    ]
}

fn action(name: &str) -> Event {
    Event::Action(name.into())
}

fn story(events: Vec<Event>) -> Step {
    Step {
        start_checkpoints: vec![Checkpoint {
            name: STORY_START.into(),
            ..Checkpoint::default()
        }],
        events,
        ..Step::default()
    }
}

fn stories() -> StoryGraph {
    let [soup, soup_slot] = order("soup");
    let steps = vec![
        story(vec![
            user("greet"),
            action("say_hello"),
            user("order"),
            action("say_dishes"),
        ]),
        story(vec![
            soup.clone(),
            soup_slot.clone(),
            action("say_price"),
            user("leave"),
            action("say_bye"),
        ]),
        story(vec![
            soup,
            soup_slot,
            action("say_price"),
            user("pay"),
            action("pay_form"),
            Event::ActiveLoop(Some("pay_form".into())),
            user("greet"),
            action("say_hello"),
            action("pay_form"),
            user("pay"),
            action("pay_form"),
            Event::ActiveLoop(None),
            action("say_bye"),
        ]),
    ];
    StoryGraph { steps }
}

fn examples(graph: &StoryGraph, universe: &Universe, options: &Options) -> Vec<Example> {
    ted::examples(options, universe, &training_trackers(graph, universe, 2)).unwrap()
}

/// Options of a network that is small enough to be looked at weight by weight.
fn tiny() -> Options {
    Options {
        featurizer: TrackerFeaturizer::max_history(Some(3)),
        dense_dimension: TurnWidths {
            intent: 4,
            action_name: 4,
            active_loop: 3,
            entities: 3,
            slots: 3,
        },
        encoding_dimension: 5,
        transformer_size: 8,
        number_of_attention_heads: 2,
        connection_density: 0.5,
        embedding_dimension: 4,
        number_of_negative_examples: 5,
        batch_size: [8, 16],
        epochs: 10,
        learning_rate: 0.01,
        ..Options::default()
    }
}

/// Options of a network that learns the stories by heart.
fn small() -> Options {
    Options {
        dense_dimension: Options::default().dense_dimension,
        encoding_dimension: 16,
        transformer_size: 32,
        embedding_dimension: 10,
        ..tiny()
    }
}

fn trained(options: &Options, epochs: &mut Vec<EpochReport>) -> Model {
    let universe = Universe::new(&domain());
    let examples = examples(&stories(), &universe, options);
    let mut on_epoch = |epoch| {
        epochs.push(epoch);
        ControlFlow::Continue(())
    };
    train(options, &universe, &examples, 7, &mut on_epoch).unwrap()
}

/// Compares the gradient of every tensor with central differences of the loss.
#[track_caller]
fn check_gradients(options: &Options) {
    let universe = Universe::new(&domain());
    let examples = examples(&stories(), &universe, options);
    let names = FeatureNames::new(&universe);
    let encoder = StateEncoder::new(&names);
    let data = TrainingData::new(&encoder, &options.featurizer, &examples).unwrap();
    assert_eq!(data.present(), [true; 5]);
    let network = Network::new(options, &names, data.present(), &mut Stream::new(3));
    let mut training = Training::new(options, network, Draw::new(1));
    let windows: Vec<&Window> = data.windows.iter().collect();
    let draw = Draw::new(5);
    training.gradients(&data, &windows, draw);
    let gradients = training.summed_gradients();
    for id in training.network.parameters.ids() {
        let name = training.network.parameters.name(id).to_owned();
        let gradient = gradients[&id].clone();
        let largest = (0..gradient.len())
            .max_by(|&a, &b| gradient[a].abs().total_cmp(&gradient[b].abs()))
            .unwrap();
        for element in [largest, gradient.len() / 2] {
            let mut at = |shift: f32| {
                let parameters = &mut training.network.parameters;
                parameters.update(id, |values| values[element] += shift);
                let loss = training.gradients(&data, &windows, draw).loss;
                training
                    .network
                    .parameters
                    .update(id, |values| values[element] -= shift);
                loss
            };
            let slope = (at(5e-3) - at(-5e-3)) / 1e-2;
            let difference = (gradient[element] - slope).abs();
            assert!(
                difference < 2e-3 + 0.02 * slope.abs(),
                "{name}[{element}]: {} but the loss rises by {slope}",
                gradient[element]
            );
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    check_gradients(&Options {
        scale_loss: false,
        ..tiny()
    });
}

#[test]
fn gradients_of_two_layers_relative_attention_and_constrained_loss_agree_too() {
    check_gradients(&Options {
        scale_loss: false,
        number_of_transformer_layers: 2,
        use_key_relative_attention: true,
        use_value_relative_attention: true,
        max_relative_position: 2,
        constrain_similarities: true,
        drop_rate_attention: 0.2,
        ..tiny()
    });
}

#[test]
fn gradients_of_dropped_inputs_agree_too() {
    check_gradients(&Options {
        scale_loss: false,
        drop_rate: 0.3,
        ..tiny()
    });
}

#[test]
fn gradients_without_transformer_agree_too() {
    check_gradients(&Options {
        scale_loss: false,
        number_of_transformer_layers: 0,
        ..tiny()
    });
}

#[test]
fn gradients_of_whole_dialogues_agree_too() {
    check_gradients(&Options {
        scale_loss: false,
        featurizer: TrackerFeaturizer::FullDialogue,
        ..tiny()
    });
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let files = [1, 8].map(|threads| {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| trained(&tiny(), &mut Vec::new()).to_files())
    });
    assert_eq!(files[0], files[1]);
}

#[test]
fn the_first_losses_are_known() {
    let mut epochs = Vec::new();
    trained(&tiny(), &mut epochs);
    let losses: Vec<String> = epochs
        .iter()
        .map(|epoch| format!("{:.4}", epoch.loss))
        .collect();
    expect!["2.8531 2.4437 2.6337 2.6994 2.6874 2.3453 2.3722 2.3545 2.3376 16.0237"]
        .assert_eq(&losses.join(" "));
}

/// Returns the share of examples whose action is predicted.
fn accuracy(model: &Model, options: &Options) -> f32 {
    let universe = Universe::new(&domain());
    let examples = examples(&stories(), &universe, options);
    let (mut right, mut all) = (0, 0);
    for example in &examples {
        let states = example.window.states();
        let first = states.len() - example.labels.len();
        for (at, label) in example.labels.iter().enumerate() {
            let confidences = model.confidences(&states[..=first + at]);
            let best = (0..confidences.len())
                .max_by(|&a, &b| confidences[a].total_cmp(&confidences[b]))
                .unwrap();
            right += usize::from(&universe.actions()[best] == label);
            all += 1;
        }
    }
    right as f32 / all as f32
}

#[test]
fn a_small_set_of_stories_is_learned() {
    // With so few units, three of sixteen seeds leave one to three of the 33 answers
    // unlearned; it was one seed when each weight of a mask was drawn for itself.
    let options = Options {
        epochs: 200,
        random_seed: Some(1),
        ..small()
    };
    assert_eq!(accuracy(&trained(&options, &mut Vec::new()), &options), 1.0);
}

#[test]
fn whole_dialogues_are_learned() {
    let options = Options {
        featurizer: TrackerFeaturizer::FullDialogue,
        epochs: 200,
        ..small()
    };
    assert_eq!(accuracy(&trained(&options, &mut Vec::new()), &options), 1.0);
}

#[test]
fn margin_loss_learns_too_and_answers_with_similarities() {
    let options = Options {
        loss_type: LossType::Margin,
        similarity_type: Similarity::Cosine,
        epochs: 100,
        ..small()
    };
    let model = trained(&options, &mut Vec::new());
    assert!(accuracy(&model, &options) > 0.9);
    assert!(
        model
            .confidences(&[])
            .iter()
            .all(|confidence| (-1.001..1.001).contains(confidence))
    );
}

#[test]
fn a_model_survives_its_files() {
    let model = trained(&tiny(), &mut Vec::new());
    let files = model.to_files();
    let read = Model::from_files(&files).unwrap();
    assert_eq!(read.to_files(), files);
    let states = [Arc::new(State::default())];
    assert_eq!(read.confidences(&states), model.confidences(&states));
}

#[test]
fn confidences_sum_to_one() {
    let model = trained(&tiny(), &mut Vec::new());
    let sum: f32 = model
        .confidences(&[Arc::new(State::default())])
        .iter()
        .sum();
    assert!((sum - 1.0).abs() < 1e-5);
}

#[test]
fn without_examples_everything_is_zero() {
    let universe = Universe::new(&domain());
    let model = train(&tiny(), &universe, &[], 7, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(model.confidences(&[]), vec![0.0; universe.actions().len()]);
    let files = model.to_files();
    assert!(files.keys().eq(ted::FILES));
    assert_eq!(Model::from_files(&files).unwrap().to_files(), files);
}

#[test]
fn texts_in_stories_are_refused() {
    let universe = Universe::new(&domain());
    let said = Utterance {
        text: Some("good day".into()),
        ..Utterance::default()
    };
    let said = Event::User(said.into());
    let graph = StoryGraph {
        steps: vec![story(vec![said, action("say_hello")])],
    };
    let examples = examples(&graph, &universe, &tiny());
    let error = train(&tiny(), &universe, &examples, 7, &mut |_| {
        ControlFlow::Continue(())
    });
    let error = error.unwrap_err();
    assert_eq!(ted::check_stories(&graph), Err(error.clone()));
    assert_eq!(ted::check_stories(&stories()), Ok(()));
    assert_eq!(
        error,
        TrainError::EndToEnd {
            text: "good day".into()
        }
    );
}

#[test]
fn training_stops_when_asked() {
    let universe = Universe::new(&domain());
    let examples = examples(&stories(), &universe, &tiny());
    let mut epochs = 0;
    let error = train(&tiny(), &universe, &examples, 7, &mut |_| {
        epochs += 1;
        ControlFlow::Break(())
    });
    assert_eq!((error.unwrap_err(), epochs), (TrainError::Interrupted, 1));
}

#[test]
fn names_that_the_domain_lacks_do_no_harm() {
    let model = trained(&tiny(), &mut Vec::new());
    let state: State = serde_json::from_str(
        r#"{"prev_action": {"action_name": "action_listen"},
            "user": {"intent": "sing", "entities": ["song"]},
            "slots": {"song": [1.0], "dish": "should_not_be_set"},
            "active_loop": {"name": "song_form"}}"#,
    )
    .unwrap();
    assert!(
        model
            .confidences(&[Arc::new(state)])
            .iter()
            .all(|confidence| confidence.is_finite())
    );
}

#[track_caller]
fn refused(change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>)) -> ModelError {
    let mut files = trained(
        &Options {
            epochs: 1,
            ..tiny()
        },
        &mut Vec::new(),
    )
    .to_files();
    change(&mut files);
    Model::from_files(&files).unwrap_err()
}

/// Replaces a piece of `model.json`.
fn lie(files: &mut BTreeMap<String, Vec<u8>>, from: &str, to: &str) {
    let json = files.get_mut("model.json").unwrap();
    let text = String::from_utf8(json.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    *json = text.replace(from, to).into_bytes();
}

#[test]
fn broken_or_lying_files_are_refused() {
    let error = refused(|files| drop(files.remove("model.json")));
    assert!(matches!(error, ModelError::Missing("model.json")));
    let error = refused(|files| drop(files.remove("weights.safetensors")));
    assert!(matches!(error, ModelError::Missing("weights.safetensors")));
    let error = refused(|files| files.get_mut("model.json").unwrap().truncate(100));
    assert!(matches!(error, ModelError::Description(_)));
    let error = refused(|files| files.get_mut("weights.safetensors").unwrap().truncate(1000));
    assert!(matches!(
        error,
        ModelError::Weights(_) | ModelError::Mismatch(_)
    ));
    let error = refused(|files| lie(files, "\"format\": 2", "\"format\": 1"));
    assert!(matches!(error, ModelError::Format(1)));
    let error = refused(|files| lie(files, "\"entities\",\n", "\"moods\",\n"));
    assert!(matches!(error, ModelError::Mismatch(_)), "{error}");
    let error = refused(|files| {
        lie(
            files,
            "\"encoding_dimension\": 5",
            "\"encoding_dimension\": 6",
        )
    });
    assert!(matches!(error, ModelError::Weights(_)), "{error}");
    for (from, to) in [
        (
            "\"transformer_size\": 8",
            "\"transformer_size\": 800000000000",
        ),
        (
            "\"number_of_transformer_layers\": 1",
            "\"number_of_transformer_layers\": 100000000000",
        ),
        (
            "\"number_of_attention_heads\": 2",
            "\"number_of_attention_heads\": 0",
        ),
        (
            "\"embedding_dimension\": 4",
            "\"embedding_dimension\": 18446744073709551615",
        ),
        ("\"intent\": 4", "\"intent\": 18446744073709551615"),
        ("\"transformer_size\": 8", "\"transformer_size\": 16000000"),
        (
            "\"number_of_transformer_layers\": 1",
            "\"number_of_transformer_layers\": 16000000",
        ),
        (
            "\"embedding_dimension\": 4",
            "\"embedding_dimension\": 16000000",
        ),
        ("\"intent\": 4", "\"intent\": 16000000"),
    ] {
        let error = refused(|files| lie(files, from, to));
        assert!(
            matches!(error, ModelError::Mismatch(_) | ModelError::Options(_)),
            "{to}: {error}"
        );
    }
}
