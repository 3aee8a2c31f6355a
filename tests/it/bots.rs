//! Assistants that other people wrote train without an error and answer the
//! messages of their own data.
//!
//! Components that need a pretrained model are left out of a copied
//! configuration, and every `epochs` is cut to 2: quality is measured elsewhere.

use std::fs;
use std::path::Path;

use serde_yaml::Mapping;
use serde_yaml::Value;
use tabella::api;
use tabella::api::Assistant;

use crate::shared::shared;
use crate::workbench::Workbench;

/// What to change before a bot can be trained here.
struct Bot {
    folder: &'static str,
    /// The configuration's name there; `None` when it has none of its own.
    config: Option<&'static str>,
    domain: &'static str,
    data: &'static str,
}

const fn bot(folder: &'static str) -> Bot {
    Bot {
        folder,
        config: Some("config.yml"),
        domain: "domain.yml",
        data: "data",
    }
}

const BOTS: &[Bot] = &[
    bot("rasa2-moodbot"),
    bot("rasa3-moodbot"),
    bot("rasa3-formbot"),
    bot("rasa2-formbot-migrated"),
    bot("rasa3-rules"),
    bot("rasa3-responseselectorbot"),
    bot("financial-demo"),
    bot("helpdesk-assistant"),
    bot("repair-strategies-bot-migrated"),
    bot("envirocar"),
    Bot {
        config: Some("config_diet.yml"),
        domain: "domain",
        ..bot("crisos")
    },
    Bot {
        config: None,
        data: ".",
        ..bot("nlu-training-data")
    },
    Bot {
        config: None,
        data: ".",
        ..bot("lookup-ee-benchmark")
    },
];

/// Components that need a pretrained model.
const LEFT_OUT: &[&str] = &[
    "SpacyNLP",
    "SpacyTokenizer",
    "SpacyFeaturizer",
    "SpacyEntityExtractor",
    "LanguageModelFeaturizer",
    "UnexpecTEDIntentPolicy",
];

fn components(config: &mut Mapping, key: &str) -> Vec<Value> {
    let list = match config.get(key) {
        Some(Value::Sequence(list)) => list.clone(),
        _ => Vec::new(),
    };
    let name = |entry: &Value| entry["name"].as_str().unwrap_or("").to_owned();
    let mut kept: Vec<Value> = list
        .into_iter()
        .filter(|entry| !LEFT_OUT.contains(&name(entry).as_str()))
        .collect();
    for entry in &mut kept {
        if let Some(map) = entry.as_mapping_mut()
            && map.contains_key("epochs")
        {
            map.insert("epochs".into(), 2.into());
        }
    }
    kept
}

/// Makes a configuration that trains here, and quickly.
fn adapted(text: &str) -> String {
    let mut config: Mapping = serde_yaml::from_str(text).unwrap();
    let mut pipeline = components(&mut config, "pipeline");
    let has = |pipeline: &[Value], name: &str| pipeline.iter().any(|entry| entry["name"] == name);
    if !has(&pipeline, "CountVectorsFeaturizer") {
        let featurizer: Value = serde_yaml::from_str("name: CountVectorsFeaturizer").unwrap();
        pipeline.insert(0, featurizer);
    }
    if !has(&pipeline, "WhitespaceTokenizer") {
        let tokenizer: Value = serde_yaml::from_str("name: WhitespaceTokenizer").unwrap();
        pipeline.insert(0, tokenizer);
    }
    // `RegexEntityExtractor` may stand before the tokenizer in Rasa, too.
    config.insert("pipeline".into(), Value::Sequence(pipeline));
    let mut policies = components(&mut config, "policies");
    if policies.is_empty() {
        policies.push(serde_yaml::from_str("{name: TEDPolicy, epochs: 2}").unwrap());
        policies.push(serde_yaml::from_str("name: RulePolicy").unwrap());
    }
    config.insert("policies".into(), Value::Sequence(policies));
    serde_yaml::to_string(&config).unwrap()
}

const OWN_CONFIG: &str = "\
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- {name: DIETClassifier, epochs: 2}
- name: EntitySynonymMapper
policies: []
";

/// Some texts of the bot's own examples.
fn messages(root: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.unwrap();
        if entry
            .path()
            .extension()
            .is_none_or(|suffix| suffix != "yml")
        {
            continue;
        }
        let text = fs::read_to_string(entry.path()).unwrap();
        let Ok(Value::Mapping(file)) = serde_yaml::from_str::<Value>(&text) else {
            continue;
        };
        let blocks = file.get("nlu").and_then(Value::as_sequence);
        for block in blocks.into_iter().flatten() {
            if block["intent"].is_string()
                && let Some(first) = block["examples"]
                    .as_str()
                    .and_then(|all| all.lines().next())
            {
                texts.push(first.trim_start_matches("- ").to_owned());
            }
        }
    }
    texts.truncate(5);
    texts
}

#[test]
fn bots_of_other_people_train_and_answer() {
    for bot in BOTS {
        let Some(source) = shared(&format!("bots/{}", bot.folder)) else {
            return;
        };
        let bench = Workbench::copy_of(&source);
        let config = match bot.config {
            Some(name) => adapted(&bench.read(name)),
            None => OWN_CONFIG.to_owned(),
        };
        bench.write("tabella-config.yml", &config);
        let mut options = bench.options();
        options.config = "tabella-config.yml".into();
        options.domain = vec![bot.domain.into()];
        options.training_files = vec![bot.data.into()];
        let result = match api::train(&options) {
            Ok(result) => result,
            Err(error) => panic!("{}: {error:?}", bot.folder),
        };
        let model = result.model.expect("a training gives a model");
        let assistant = Assistant::load(&model).unwrap();
        let texts = messages(&source);
        assert!(!texts.is_empty(), "{} has messages", bot.folder);
        for text in &texts {
            let parse = serde_json::to_value(assistant.parse(text).unwrap()).unwrap();
            assert_eq!(parse["text"], text.as_str(), "{}", bot.folder);
            assert!(
                parse["intent"]["confidence"].is_number(),
                "{}: {parse}",
                bot.folder
            );
        }
        assert_eq!(
            api::train(&options).unwrap().ran,
            0,
            "{} is up to date",
            bot.folder
        );
    }
}
