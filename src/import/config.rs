//! Reads `config.yml`.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::json;

use crate::data::Component;
use crate::data::Config;
use crate::data::OptionPlace;
use crate::import::importers;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// What Rasa's template of a project has as `assistant_id`.
const PLACEHOLDER_ID: &str = "placeholder_default";

/// Keys of a config. Some are of other recipes and programs.
const KEYS: &[&str] = &[
    "version",
    "recipe",
    "assistant_id",
    "language",
    "additional_languages",
    "pipeline",
    "policies",
    "importers",
    "imports",
    "train_schema",
    "predict_schema",
    "core_target",
    "nlu_target",
];

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
            "language" => language(value, &mut config, reading),
            "pipeline" => config.pipeline = components(value, "pipeline", reading),
            "policies" => config.policies = components(value, "policies", reading),
            "importers" | "imports" => {}
            _ => {
                config.other.insert(entry.key.to_string(), value.to_json());
            }
        }
    }
    reading.misspelt("W123", root, "a configuration", KEYS);
    check_recipe(root, &config, reading);
    if let Some(node) = root.get("assistant_id")
        && node.text() == Some(PLACEHOLDER_ID)
    {
        let about = reading
            .about(
                "W115",
                node,
                "`assistant_id` is still the one of the template",
            )
            .help("write a name of your own: it tells this assistant's messages from others'");
        reading.diagnostics.push(about);
    }
    importers::check(root, reading);
    auto_configure(root, &mut config, reading);
    config
}

/// Says what to do about a recipe other than `default.v1`.
fn check_recipe(root: &Node, config: &Config, reading: &mut Reading) {
    let recipe = config.recipe.as_deref().filter(|r| *r != "default.v1");
    let (Some(recipe), Some(node)) = (recipe, root.get("recipe")) else {
        return;
    };
    let what = format!("recipe `{recipe}` cannot be trained");
    let about = reading.about("E103", node, what);
    let about = match recipe {
        "graph.v1" => about
            .note("it describes a graph of Python classes; Tabella makes its own graph")
            .help("write `recipe: default.v1`, and the components of `train_schema` under `pipeline` and `policies`"),
        _ => about
            .help("write `recipe: default.v1`")
            .suggest(recipe, ["default.v1"]),
    };
    reading.diagnostics.push(about);
}

/// Reads `language`: one, or a list whose first is the main one.
///
/// Differs from Rasa, which refuses a list. Components know one language; the
/// others are kept as `additional_languages`, which newer versions of Rasa call
/// them, and nothing is trained for them.
fn language(node: &Node, config: &mut Config, reading: &mut Reading) {
    let Yaml::List(items) = &node.yaml else {
        config.language = reading.text_or_null(Some(node), "`language`");
        return;
    };
    let texts = items
        .iter()
        .filter_map(|item| reading.text(item, "a language"));
    let mut languages: Vec<String> = texts.map(str::to_owned).collect();
    if languages.len() > 1 {
        let rest = Value::from(languages.split_off(1));
        config.other.insert("additional_languages".to_owned(), rest);
        let what = format!(
            "of several languages the first one, `{}`, is trained",
            languages[0]
        );
        let about = reading
            .about("N114", node, what)
            .help("train a model for each other language, with a config of its own");
        reading.diagnostics.push(about);
    }
    config.language = languages.pop();
}

/// Fills a missing or null pipeline, and missing or null policies.
///
/// Rasa 2 fills empty ones too; Rasa 3 takes `[]` at its word, and so do we.
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
    if let Some(name) = node.text() {
        template(node, name, what, reading);
        return Vec::new();
    }
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
        no_name(node, reading);
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
        let place = OptionPlace {
            name: reading.place(&entry.at),
            value: reading.place(&entry.value),
            value_length: entry.value.length,
        };
        component.option_places.insert(entry.key.to_string(), place);
        component
            .options
            .insert(entry.key.to_string(), entry.value.to_json());
    }
    Some(component)
}

/// Says that a component has no name: where it has a key that is near to it, once.
fn no_name(node: &Node, reading: &mut Reading) {
    const WHAT: &str = "a component without `name`";
    let keys = node.entries().iter();
    let mut near = keys.filter_map(|entry| {
        let about = reading.about("E101", &entry.at, WHAT);
        let about = about.suggest(&entry.key, ["name"]);
        about.help.is_some().then_some(about)
    });
    let about = near.next();
    let about = about.unwrap_or_else(|| reading.about("E101", node, WHAT));
    reading.diagnostics.push(about);
}

/// Names of whole pipelines in Rasa 1 and before, with what they stood for in
/// today's components.
const TEMPLATES: &[(&[&str], &str)] = &[
    (
        &["supervised_embeddings", "tensorflow_embedding"],
        "WhitespaceTokenizer, RegexFeaturizer, LexicalSyntacticFeaturizer, CountVectorsFeaturizer, \
         CountVectorsFeaturizer with `analyzer: char_wb`, `min_ngram: 1` and `max_ngram: 4`, \
         DIETClassifier, EntitySynonymMapper",
    ),
    (
        &[
            "pretrained_embeddings_spacy",
            "spacy_sklearn",
            "pretrained_embeddings_convert",
            "mitie",
            "mitie_sklearn",
        ],
        "WhitespaceTokenizer, RegexFeaturizer, LexicalSyntacticFeaturizer, CountVectorsFeaturizer, \
         DIETClassifier, EntitySynonymMapper; word vectors of spaCy, ConveRT or MITIE are not built in",
    ),
    (&["keyword"], "KeywordIntentClassifier"),
];

/// Says what to write instead of the name of a whole pipeline.
fn template(node: &Node, name: &str, what: &str, reading: &mut Reading) {
    let known = TEMPLATES.iter().find(|(names, _)| names.contains(&name));
    let about = match known {
        Some((_, components)) => reading
            .about(
                "E116",
                node,
                format!("`{name}` is a pipeline of Rasa 1 by its name"),
            )
            .help(format!(
                "list its components, each as `- name: …`: {components}"
            )),
        None => {
            let names = TEMPLATES
                .iter()
                .flat_map(|(names, _)| names.iter().copied());
            reading
                .about(
                    "E116",
                    node,
                    format!("`{what}` is a list of components, not a name"),
                )
                .help("write each as `- name: …`")
                .suggest(name, names)
        }
    };
    reading.diagnostics.push(about);
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

/// Rasa 3.6's default policies; 2.8 had the same, and 2.4 had no
/// `UnexpecTEDIntentPolicy` yet.
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
