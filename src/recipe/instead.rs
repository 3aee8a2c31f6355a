//! What to write instead of components and policies that are not built in:
//! those that Rasa itself has given up, and those that need foreign code.

/// Names with what does their work today.
const INSTEAD: &[(&[&str], &str)] = &[
    (
        &["KerasPolicy", "EmbeddingPolicy", "SklearnPolicy"],
        "`TEDPolicy` learns from the same stories",
    ),
    (
        &["FormPolicy"],
        "`RulePolicy` runs forms; write a rule that starts each: its intent, the form as `action`, and `active_loop`",
    ),
    (
        &["MappingPolicy"],
        "`RulePolicy`, and for each intent with `triggers` a rule of that intent and action",
    ),
    (
        &["FallbackPolicy"],
        "`FallbackClassifier` in the pipeline with `threshold`, and `RulePolicy` with `core_fallback_threshold` and `core_fallback_action_name`",
    ),
    (
        &["TwoStageFallbackPolicy"],
        "`FallbackClassifier` in the pipeline, `RulePolicy`, and a rule: intent `nlu_fallback`, action and active loop `action_two_stage_fallback`",
    ),
    (
        &["UnexpecTEDIntentPolicy"],
        "leave it out: the other policies predict without it",
    ),
    (
        &[
            "EmbeddingIntentClassifier",
            "MitieIntentClassifier",
            "MitieEntityExtractor",
            "SpacyEntityExtractor",
            "intent_classifier_tensorflow_embedding",
            "intent_classifier_mitie",
            "ner_mitie",
            "ner_spacy",
        ],
        "`DIETClassifier` learns intents and entities from the NLU data",
    ),
    (
        &[
            "SpacyTokenizer",
            "MitieTokenizer",
            "ConveRTTokenizer",
            "LanguageModelTokenizer",
            "tokenizer_whitespace",
            "tokenizer_spacy",
            "tokenizer_mitie",
        ],
        "`WhitespaceTokenizer`",
    ),
    (
        &[
            "MitieFeaturizer",
            "ConveRTFeaturizer",
            "intent_featurizer_spacy",
            "intent_featurizer_mitie",
        ],
        "`LanguageModelFeaturizer` with a local folder as `model_weights`, `WordVectorsFeaturizer` with a local file of `vectors`, or `CountVectorsFeaturizer`, once by words and once with `analyzer: char_wb`",
    ),
    (
        &["HFTransformersNLP"],
        "leave it out; `LanguageModelFeaturizer` takes its `model_name`, and as `model_weights` a local folder",
    ),
    (&["intent_entity_featurizer_regex"], "`RegexFeaturizer`"),
    (
        &["intent_featurizer_count_vectors"],
        "`CountVectorsFeaturizer`, once by words and once with `analyzer: char_wb`",
    ),
    (
        &["MitieNLP", "nlp_spacy", "nlp_mitie"],
        "leave it out, with the components that need its model",
    ),
    (
        &["DucklingHTTPExtractor", "ner_duckling_http", "ner_duckling"],
        "`DucklingEntityExtractor`, which asks a Duckling server at `url`",
    ),
    (&["ner_synonyms"], "`EntitySynonymMapper`"),
    (&["ner_crf"], "`CRFEntityExtractor`"),
    (&["intent_classifier_keyword"], "`KeywordIntentClassifier`"),
    (
        &["intent_classifier_sklearn"],
        "`SklearnIntentClassifier`, with `WordVectorsFeaturizer` before it",
    ),
];

/// Returns what does the work of a component or policy.
pub fn instead(name: &str) -> Option<&'static str> {
    let found = INSTEAD.iter().find(|(names, _)| names.contains(&name));
    found.map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogue::BUILT_IN_POLICIES;
    use crate::nlu::component::COMPONENTS;

    #[test]
    fn nothing_that_is_built_in_is_replaced() {
        for name in BUILT_IN_POLICIES {
            assert_eq!(instead(name), None, "{name}");
        }
        for known in COMPONENTS.iter().filter(|known| known.is_built) {
            assert_eq!(instead(known.name), None, "{}", known.name);
        }
    }
}
