//! What is trained when a part of the project is missing, and what each function
//! of Rasa's training page answers.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use tabella::api;
use tabella::api::CacheSettings;
use tabella::api::Notice;
use tabella::api::Observer;
use tabella::api::RunSettings;
use tabella::api::TrainCoreOptions;
use tabella::api::TrainError;
use tabella::api::TrainNluOptions;
use tabella::api::TrainOptions;
use tabella::api::Validation;
use tabella::archive::TrainingType;
use tabella::archive::read_model;

use crate::workbench::Workbench;

const DOMAIN: &str = "\
version: \"3.1\"
intents: [greet, leave]
responses:
  utter_greet:
  - text: Good day!
  utter_leave:
  - text: See you.
";

const CONFIG: &str = "\
recipe: default.v1
language: en
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: DIETClassifier
  epochs: 1
  transformer_size: 8
policies:
- name: MemoizationPolicy
- name: RulePolicy
";

const NLU: &str = "\
version: \"3.1\"
nlu:
- intent: greet
  examples: |
    - hello
    - hi there
- intent: leave
  examples: |
    - bye
    - see you
";

const STORIES: &str = "\
version: \"3.1\"
stories:
- story: polite
  steps:
  - intent: greet
  - action: utter_greet
  - intent: leave
  - action: utter_leave
";

const END_TO_END: &str = "\
version: \"3.1\"
stories:
- story: said
  steps:
  - user: hello there
  - action: utter_greet
";

/// A rule that says something else than the stories do.
const CONTRADICTION: &str = "\
version: \"3.1\"
rules:
- rule: stern
  steps:
  - intent: greet
  - action: utter_leave
";

const ALL: &[(&str, &str)] = &[
    ("config.yml", CONFIG),
    ("domain.yml", DOMAIN),
    ("data/nlu.yml", NLU),
    ("data/stories.yml", STORIES),
];

/// A project with the files of [`ALL`] but those left out.
fn without(left_out: &[&str]) -> Workbench {
    let files: Vec<(&str, &str)> = ALL
        .iter()
        .copied()
        .filter(|(path, _)| !left_out.contains(path))
        .collect();
    Workbench::new(&files)
}

/// Settings that write down warnings and the tasks that start.
fn listening(bench: &Workbench) -> (RunSettings, Arc<Mutex<Vec<String>>>) {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut run = bench.options().run;
    let log = Arc::clone(&heard);
    run.observer = Observer::new(move |notice| {
        let text = match notice {
            Notice::Warning(text) => format!("warning: {text}"),
            Notice::Task(event) => event.to_string(),
            _ => return,
        };
        log.lock().unwrap().push(text);
    });
    (run, heard)
}

/// Trains; returns the halves of the model and what was warned of.
#[track_caller]
fn trained(bench: &Workbench) -> (TrainingType, Vec<String>) {
    let (run, heard) = listening(bench);
    let mut options = bench.options();
    options.run = run;
    let result = api::train(&options).unwrap();
    assert_eq!(result.code, 0);
    let model = read_model(&result.model.unwrap()).unwrap();
    let mut heard = heard.lock().unwrap().clone();
    heard.retain(|line| line.starts_with("warning: "));
    (model.metadata.training_type, heard)
}

fn core_options(bench: &Workbench) -> TrainCoreOptions {
    TrainCoreOptions {
        run: bench.options().run,
        ..TrainCoreOptions::default()
    }
}

fn nlu_options(bench: &Workbench) -> TrainNluOptions {
    TrainNluOptions {
        run: bench.options().run,
        ..TrainNluOptions::default()
    }
}

#[test]
fn a_whole_project_gives_both_halves_and_no_warning() {
    assert_eq!(trained(&without(&[])), (TrainingType::Both, Vec::new()));
}

#[test]
fn without_a_domain_only_nlu_is_trained_and_a_dry_run_stays_one() {
    let bench = without(&["domain.yml"]);
    let dry = bench.dry_run();
    assert_eq!((dry.model, dry.code), (None, 2));
    assert!(!bench.root().join("models").exists());
    let (kind, warnings) = trained(&bench);
    assert_eq!(kind, TrainingType::Nlu);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("no valid domain"), "{warnings:?}");
    assert_eq!(bench.dry_run().code, 0);
}

#[test]
fn who_is_interrupted_while_a_project_is_read_does_not_wait_for_the_plan() {
    let bench = without(&[]);
    let mut options = TrainOptions {
        dry_run: true,
        ..bench.options()
    };
    let cancel = options.run.cancel.clone();
    options.run.observer = Observer::new(move |notice| {
        if let Notice::Began(_) = notice {
            cancel.set();
        }
    });
    let outcome = api::train(&options);
    assert!(
        matches!(outcome, Err(TrainError::Interrupted)),
        "{outcome:?}"
    );
}

#[test]
fn a_domain_of_defaults_alone_is_an_empty_one() {
    let bench = without(&[]);
    bench.write("domain.yml", "version: \"3.1\"\nintents: []\n");
    bench.remove("data/stories.yml");
    let (kind, warnings) = trained(&bench);
    assert_eq!(kind, TrainingType::Nlu);
    assert!(warnings[0].contains("no valid domain"), "{warnings:?}");
}

#[test]
fn without_stories_only_nlu_is_trained() {
    let bench = without(&["data/stories.yml"]);
    let (kind, warnings) = trained(&bench);
    assert_eq!(kind, TrainingType::Nlu);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("no stories or rules"), "{warnings:?}");
}

#[test]
fn without_nlu_data_only_core_is_trained() {
    let bench = without(&["data/nlu.yml"]);
    assert_eq!(bench.dry_run().code, 5);
    let (kind, warnings) = trained(&bench);
    assert_eq!(kind, TrainingType::Core);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("no NLU data"), "{warnings:?}");
}

#[test]
fn without_any_data_there_is_an_error_and_no_archive() {
    for left_out in [
        &["data/nlu.yml", "data/stories.yml"][..],
        &["data/nlu.yml", "data/stories.yml", "domain.yml"],
    ] {
        let bench = without(left_out);
        let error = bench.train().unwrap_err();
        assert!(matches!(error, TrainError::NoTrainingData), "{error:?}");
        assert!(!bench.root().join("models").exists());
        assert!(!bench.cache().exists());
    }
}

#[test]
fn stories_alone_without_a_domain_are_an_error() {
    let bench = without(&["data/nlu.yml", "domain.yml"]);
    let error = bench.train().unwrap_err();
    assert!(
        matches!(error, TrainError::NoDomain | TrainError::Mistakes(_)),
        "{error:?}"
    );
}

#[test]
fn end_to_end_stories_are_refused_by_train_core() {
    let bench = without(&[]);
    bench.write("data/stories.yml", END_TO_END);
    let error = api::train_core(&core_options(&bench)).unwrap_err();
    assert!(matches!(error, TrainError::EndToEndNeedsNlu), "{error:?}");
}

#[test]
fn train_core_and_train_nlu_give_their_half_alone() {
    let bench = without(&[]);
    let core = api::train_core(&core_options(&bench)).unwrap().unwrap();
    let core = read_model(&core).unwrap();
    assert_eq!(core.metadata.training_type, TrainingType::Core);
    assert!(core.nlu.is_empty() && !core.core.is_empty());
    let nlu = api::train_nlu(&nlu_options(&bench)).unwrap().unwrap();
    let nlu = read_model(&nlu).unwrap();
    assert_eq!(nlu.metadata.training_type, TrainingType::Nlu);
    assert!(nlu.core.is_empty() && !nlu.nlu.is_empty());
}

#[test]
fn train_nlu_leaves_its_work_for_train() {
    let bench = without(&[]);
    api::train_nlu(&nlu_options(&bench)).unwrap();
    bench.train().unwrap();
    assert!(!bench.log().contains("run     nlu."), "{}", bench.log());
}

#[test]
fn a_half_without_its_data_is_an_error() {
    let bench = without(&["data/stories.yml"]);
    let error = api::train_core(&core_options(&bench)).unwrap_err();
    assert!(matches!(error, TrainError::NoStories), "{error:?}");
    let bench = without(&["data/nlu.yml"]);
    let error = api::train_nlu(&nlu_options(&bench)).unwrap_err();
    assert!(matches!(error, TrainError::NoNluData), "{error:?}");
}

#[test]
fn a_train_path_gets_the_files_and_is_returned() {
    let bench = without(&[]);
    let mut options = nlu_options(&bench);
    options.train_path = Some(PathBuf::from("unpacked"));
    let answer = api::train_nlu(&options).unwrap().unwrap();
    assert_eq!(answer, bench.root().join("unpacked"));
    assert!(answer.join("nlu/2.DIETClassifier").is_dir());
    assert!(!bench.root().join("models").exists());
    let mut options = core_options(&bench);
    options.train_path = Some(PathBuf::from("unpacked"));
    assert_eq!(api::train_core(&options).unwrap().unwrap(), answer);
    assert!(answer.join("core/domain.json").is_file());
}

#[test]
fn a_model_to_finetune_is_refused_by_every_function() {
    let bench = without(&[]);
    let model = Some(PathBuf::from("models"));
    let mut options = bench.options();
    options.model_to_finetune = model.clone();
    let mut core = core_options(&bench);
    core.model_to_finetune = model.clone();
    let mut nlu = nlu_options(&bench);
    nlu.model_to_finetune = model;
    let errors = [
        api::train(&options).err(),
        api::train_core(&core).err(),
        api::train_nlu(&nlu).err(),
    ];
    for error in errors {
        let error = error.expect("finetuning is not there");
        assert!(
            matches!(error, TrainError::NoFinetuning { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn the_async_functions_answer_as_the_others_do() {
    let bench = without(&[]);
    let plain = bench.train().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let waited = runtime.block_on(api::train_async(bench.options())).unwrap();
    assert_eq!(waited.model, plain.model);
    assert_eq!(waited.ran, 0);
    let core = runtime.block_on(api::train_core_async(core_options(&bench)));
    assert_eq!(
        core.unwrap(),
        api::train_core(&core_options(&bench)).unwrap()
    );
    let nlu = runtime.block_on(api::train_nlu_async(nlu_options(&bench)));
    assert_eq!(nlu.unwrap(), api::train_nlu(&nlu_options(&bench)).unwrap());
}

#[test]
fn nlu_data_goes_into_the_archive_when_asked_for() {
    let bench = without(&[]);
    let mut options = bench.options();
    options.persist_nlu_training_data = true;
    let model = api::train(&options).unwrap().model.unwrap();
    let model = read_model(&model).unwrap();
    let data = &model.nlu["training_data.json"];
    assert!(String::from_utf8_lossy(data).contains("hi there"));
    let plain = bench.train().unwrap().model.unwrap();
    let plain = read_model(&plain).unwrap();
    assert!(!plain.nlu.contains_key("training_data.json"));
}

#[test]
fn a_fixed_name_is_the_name_and_is_replaced_when_stale() {
    let bench = without(&[]);
    let mut options = bench.options();
    options.fixed_model_name = Some("counter".to_owned());
    let first = api::train(&options).unwrap();
    let path = bench.root().join("models/counter.tar.gz");
    assert_eq!(first.model.as_deref(), Some(path.as_path()));
    let bytes = fs::read(&path).unwrap();
    bench.replace("domain.yml", "Good day!", "Welcome!");
    let mut dry = options.clone();
    dry.dry_run = true;
    assert_eq!(api::train(&dry).unwrap().code, 4);
    let second = api::train(&options).unwrap();
    assert_eq!((second.model, second.is_new), (first.model, true));
    assert!(fs::read(&path).unwrap() != bytes);
    assert_eq!(api::train(&dry).unwrap().code, 0);
}

#[test]
fn handle_domain_if_not_exists_trains_nlu_with_the_options_given() {
    let bench = without(&["domain.yml"]);
    let mut options = bench.options();
    options.fixed_model_name = Some("nlu".to_owned());
    options.persist_nlu_training_data = true;
    let path = api::handle_domain_if_not_exists(&options).unwrap().unwrap();
    assert_eq!(path, bench.root().join("models/nlu.tar.gz"));
    let model = read_model(&path).unwrap();
    assert_eq!(model.metadata.training_type, TrainingType::Nlu);
    assert!(model.nlu.contains_key("training_data.json"));
}

#[test]
fn a_forced_dry_run_answers_eight_when_there_is_a_model_and_seven_when_not() {
    let bench = without(&[]);
    let forced = |bench: &Workbench| {
        let mut options = bench.options();
        options.dry_run = true;
        options.force_training = true;
        api::train(&options).unwrap().code
    };
    assert_eq!(forced(&bench), 7);
    bench.train().unwrap();
    assert_eq!(forced(&bench), 8);
    // A model in place that has nothing in common with the project is one, too.
    bench.replace("data/nlu.yml", "- hello", "- hullo");
    bench.replace("data/stories.yml", "  - intent: leave\n", "");
    bench.replace("domain.yml", "Good day!", "Welcome!");
    assert_eq!(forced(&bench), 8);
}

#[test]
fn rules_that_contradict_stories_are_found_before_a_network_learns() {
    let bench = without(&[]);
    // Of several stories, some are glued to others.
    bench.append(
        "data/stories.yml",
        "- story: short\n  steps:\n  - intent: leave\n  - action: utter_leave\n",
    );
    bench.write("data/rules.yml", CONTRADICTION);
    for (jobs, skip) in [(1, false), (1, true), (2, true)] {
        let (mut run, heard) = listening(&bench);
        run.jobs = Some(jobs);
        run.cache = CacheSettings::Off;
        let options = TrainOptions {
            run,
            validation: Validation {
                skip,
                ..Validation::default()
            },
            ..TrainOptions::default()
        };
        let error = api::train(&options).unwrap_err();
        let heard = heard.lock().unwrap().join("\n");
        assert!(!heard.contains("run     nlu.2.DIETClassifier"), "{heard}");
        match &error {
            TrainError::Mistakes(findings) if !skip => {
                let found = &findings.diagnostics[0];
                assert_eq!(found.code, "E452");
                assert!(found.message.contains("stern"), "{found:?}");
            }
            TrainError::Task {
                task,
                message,
                is_bug,
            } if skip => {
                assert_eq!((task.as_str(), *is_bug), ("core.1.RulePolicy", false));
                assert!(message.contains("stern"), "{message}");
            }
            other => panic!("{other:?}"),
        }
        assert!(!bench.root().join("models").exists());
    }
}
