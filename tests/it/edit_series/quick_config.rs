//! Makes configurations quick to train, always in the same way:
//!
//! - components that Tabella does not have are left out; of those of Rasa 1, each
//!   that has a successor is replaced by it, and the mapper of synonyms goes to the
//!   end, where an extractor of entities is before it;
//! - networks run one epoch, with layers a few numbers wide.
//!
//! What else an author writes, and so changes, stays as it is.

use serde_yaml::Mapping;
use serde_yaml::Value;

const LEFT_OUT: &[&str] = &[
    "CRFEntityExtractor",
    "DucklingEntityExtractor",
    "DucklingHTTPExtractor",
    "SpacyEntityExtractor",
    "SpacyNLP",
    "FallbackPolicy",
    "TwoStageFallbackPolicy",
    "MappingPolicy",
];

const REPLACED: &[(&str, &str)] = &[
    ("EmbeddingIntentClassifier", "DIETClassifier"),
    ("EmbeddingPolicy", "TEDPolicy"),
    ("FormPolicy", "RulePolicy"),
];

const DIET: &str = "
epochs: 1
transformer_size: 8
number_of_transformer_layers: 1
number_of_attention_heads: 2
embedding_dimension: 4
dense_dimension: {text: 8, label: 4}
concat_dimension: {text: 8, label: 4}
";

const TED: &str = "
epochs: 1
transformer_size: 8
number_of_transformer_layers: 1
number_of_attention_heads: 2
embedding_dimension: 4
encoding_dimension: 8
dense_dimension: {intent: 4, action_name: 4, active_loop: 4, entities: 4, slots: 4}
";

/// Returns a configuration that trains here, and quickly.
pub fn quick(text: &str) -> String {
    let mut config: Mapping = serde_yaml::from_str(text).unwrap();
    for key in ["pipeline", "policies"] {
        let list = config.get_mut(key).and_then(Value::as_sequence_mut);
        let list = list.expect("the bots choose their components");
        list.retain(|entry| !LEFT_OUT.contains(&entry["name"].as_str().unwrap()));
        list.iter_mut().for_each(component);
        list.sort_by_key(|entry| entry["name"] == "EntitySynonymMapper");
    }
    serde_yaml::to_string(&config).unwrap()
}

fn component(entry: &mut Value) {
    let name = entry["name"].as_str().unwrap();
    let replaced = REPLACED.iter().find(|(old, _)| *old == name);
    let name = replaced.map_or(name.to_owned(), |(_, new)| (*new).to_owned());
    entry["name"] = name.as_str().into();
    let sizes = match name.as_str() {
        "DIETClassifier" => DIET,
        "TEDPolicy" => TED,
        _ => return,
    };
    let sizes: Mapping = serde_yaml::from_str(sizes).unwrap();
    entry.as_mapping_mut().unwrap().extend(sizes);
}
