//! Reads `config.yml`.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use crate::data::Component;
use crate::data::Config;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// Reads the config of one file. A missing pipeline or missing policies become
/// Rasa 3.6's defaults, in memory alone.
pub fn read(root: &Node, reading: &mut Reading) -> Config {
    let mut config = Config::default();
    for entry in root.entries() {
        let value = &entry.value;
        match entry.key.as_str() {
            "recipe" => config.recipe = reading.text_or_null(Some(value), "`recipe`"),
            "assistant_id" => {
                config.assistant_id = reading.text_or_null(Some(value), "`assistant_id`");
            }
            "language" => config.language = reading.text_or_null(Some(value), "`language`"),
            "pipeline" => config.pipeline = components(value, "pipeline", reading),
            "policies" => config.policies = components(value, "policies", reading),
            "importers" => check_importers(value, reading),
            _ => {
                config.other.insert(entry.key.to_string(), value.to_json());
            }
        }
    }
    if let Some(recipe) = config.recipe.as_deref().filter(|r| *r != "default.v1")
        && let Some(node) = root.get("recipe")
    {
        let what = format!("recipe `{recipe}` is not known");
        let about = reading
            .about("E103", node, what)
            .help("only `default.v1` is");
        reading.diagnostics.push(about);
    }
    auto_configure(root, &mut config, reading);
    config
}

/// Fills a missing or null pipeline, and missing or null policies.
fn auto_configure(root: &Node, config: &mut Config, reading: &mut Reading) {
    let missing = |key: &str| root.get(key).is_none_or(Node::is_null);
    let start = root
        .entries()
        .first()
        .map_or_else(|| root.clone(), |entry| entry.at.clone());
    if missing("pipeline") {
        config.pipeline = default_pipeline();
        config.pipeline_is_default = true;
        let at = root.get("pipeline").unwrap_or(&start).clone();
        reading.say("N104", &at, "no `pipeline`: Rasa's default is used");
    }
    if missing("policies") {
        config.policies = default_policies();
        config.policies_are_default = true;
        let at = root.get("policies").unwrap_or(&start).clone();
        let about = reading
            .about("N105", &at, "no `policies`: Rasa's default is used")
            .note("without UnexpecTEDIntentPolicy, which is not built yet");
        reading.diagnostics.push(about);
    }
}

/// Reads the list of a pipeline or of policies.
fn components(node: &Node, what: &str, reading: &mut Reading) -> Vec<Component> {
    let what = format!("`{what}`");
    reading
        .list(node, &what)
        .iter()
        .filter_map(|item| component(item, reading))
        .collect()
}

/// Reads one component; module paths of Python are left out.
fn component(node: &Node, reading: &mut Reading) -> Option<Component> {
    let Yaml::Map(entries) = &node.yaml else {
        let mut about = reading.about("E101", node, "a component is a map with a `name`");
        if let Some(name) = node.text() {
            about = about.help(format!("write `- name: {name}`"));
        }
        reading.diagnostics.push(about);
        return None;
    };
    let Some(name) = node.get("name").filter(|name| !name.is_null()) else {
        reading.say("E101", node, "a component without `name`");
        return None;
    };
    let name = reading.text(name, "`name`")?;
    let name = name.rsplit('.').next().unwrap_or(name).to_owned();
    let mut component = Component {
        name,
        place: reading.place(node),
        ..Component::default()
    };
    for entry in entries.iter().filter(|entry| entry.key != "name") {
        let place = reading.place(&entry.value);
        component.option_places.insert(entry.key.to_string(), place);
        component
            .options
            .insert(entry.key.to_string(), entry.value.to_json());
    }
    Some(component)
}

/// Accepts `importers` that say what is done anyway.
fn check_importers(node: &Node, reading: &mut Reading) {
    for item in reading.list(node, "`importers`") {
        let name = item.get("name").and_then(Node::text).unwrap_or_default();
        let name = name.rsplit('.').next().unwrap_or(name);
        if name != "RasaFileImporter" {
            let what = format!("importer `{name}` is not built yet");
            let about = reading
                .about("E102", item, what)
                .help("name the files of all projects with `--data` and `--domain`");
            reading.diagnostics.push(about);
        }
    }
}

/// Rasa 3.6's default pipeline.
fn default_pipeline() -> Vec<Component> {
    vec![
        default("WhitespaceTokenizer", json!({})),
        default("RegexFeaturizer", json!({})),
        default("LexicalSyntacticFeaturizer", json!({})),
        default("CountVectorsFeaturizer", json!({})),
        default(
            "CountVectorsFeaturizer",
            json!({"analyzer": "char_wb", "min_ngram": 1, "max_ngram": 4}),
        ),
        default(
            "DIETClassifier",
            json!({"epochs": 100, "constrain_similarities": true}),
        ),
        default("EntitySynonymMapper", json!({})),
        default(
            "ResponseSelector",
            json!({"epochs": 100, "constrain_similarities": true}),
        ),
        default(
            "FallbackClassifier",
            json!({"threshold": 0.3, "ambiguity_threshold": 0.1}),
        ),
    ]
}

/// Rasa 3.6's default policies.
///
/// Differs from Rasa: without `UnexpecTEDIntentPolicy`, which is not built yet.
fn default_policies() -> Vec<Component> {
    vec![
        default("MemoizationPolicy", json!({})),
        default("RulePolicy", json!({})),
        default(
            "TEDPolicy",
            json!({"max_history": 5, "epochs": 100, "constrain_similarities": true}),
        ),
    ]
}

fn default(name: &str, options: Value) -> Component {
    let options = match options {
        Value::Object(map) => map.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    Component {
        name: name.to_owned(),
        options,
        ..Component::default()
    }
}
