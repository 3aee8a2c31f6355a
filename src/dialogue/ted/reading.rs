//! Reads the options of `TEDPolicy` as a user writes them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::data;
use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::ted::Options;
use crate::nlu::diet::BatchStrategy;
use crate::nlu::diet::LossType;
use crate::nlu::diet::OptionProblems;
use crate::nlu::diet::Parsed;
use crate::nlu::diet::Range;
use crate::nlu::diet::Reader;
use crate::nlu::diet::Similarity;
use crate::nlu::diet::count;

impl Options {
    /// Reads the options of a `TEDPolicy`.
    ///
    /// # Errors
    ///
    /// If a value is wrong, not supported or contradicts another; all such
    /// options are named.
    pub fn parse(user: &data::Options) -> Result<Parsed<Self>, OptionProblems> {
        let mut reader = Reader::new(user);
        let mut options = Self::default();
        read_history(&mut reader, &mut options, user);
        read_sizes(&mut reader, &mut options);
        read_attention(&mut reader, &mut options);
        read_training(&mut reader, &mut options);
        read_loss(&mut reader, &mut options);
        read_dropout(&mut reader, &mut options);
        check_texts(&mut reader);
        note_what_does_nothing(&mut reader);
        check(&mut reader, &options);
        if !reader.problems.is_empty() {
            return Err(OptionProblems(reader.problems));
        }
        Ok(Parsed {
            options,
            unknown: reader.unknown(),
            remarks: reader.remarks,
        })
    }
}

fn read_history(reader: &mut Reader<'_>, options: &mut Options, user: &data::Options) {
    options.priority = reader.read(
        "priority",
        options.priority,
        "a whole number",
        Value::as_i64,
    );
    reader.raw("max_history");
    reader.raw("featurizer");
    match TrackerFeaturizer::from_options(user) {
        Ok(featurizer) => options.featurizer = featurizer,
        Err(error) => reader.conflict(error.to_string()),
    }
}

fn optional_count(value: &Value) -> Option<Option<usize>> {
    match value {
        Value::Null => Some(None),
        other => count(other, 1).map(Some),
    }
}

/// Reads widths and layers; a number alone is meant for the dialogue, or, for
/// `dense_dimension`, for everything that is not a text.
fn read_sizes(reader: &mut Reader<'_>, options: &mut Options) {
    let widths = &mut options.dense_dimension;
    let wanted = "a whole number above 0 or a map of attributes to such";
    let read = reader.read("dense_dimension", BTreeMap::new(), wanted, |value| {
        by_attribute(value, 1)
    });
    for (attribute, width) in [
        ("intent", &mut widths.intent),
        ("action_name", &mut widths.action_name),
        ("active_loop", &mut widths.active_loop),
        ("entities", &mut widths.entities),
        ("slots", &mut widths.slots),
    ] {
        *width = *read.get(attribute).or(read.get("")).unwrap_or(width);
    }
    for (option, target, least) in [
        ("transformer_size", &mut options.transformer_size, 1),
        (
            "number_of_transformer_layers",
            &mut options.number_of_transformer_layers,
            0,
        ),
    ] {
        let read = reader.read(option, BTreeMap::new(), wanted, |value| {
            by_attribute(value, least)
        });
        *target = *read.get("dialogue").or(read.get("")).unwrap_or(target);
    }
    options.encoding_dimension = reader.count("encoding_dimension", options.encoding_dimension, 1);
    options.embedding_dimension =
        reader.count("embedding_dimension", options.embedding_dimension, 1);
}

/// Reads a number, under the name `""`, or a number for each attribute.
fn by_attribute(value: &Value, least: usize) -> Option<BTreeMap<String, usize>> {
    if let Some(number) = count(value, least) {
        return Some(BTreeMap::from([(String::new(), number)]));
    }
    let known = [
        "text",
        "action_text",
        "label_action_text",
        "intent",
        "action_name",
        "label_action_name",
        "entities",
        "slots",
        "active_loop",
        "dialogue",
    ];
    let entries = value.as_object()?.iter().map(|(name, value)| {
        let is_known = known.contains(&name.as_str());
        is_known.then_some((name.clone(), count(value, least)?))
    });
    entries.collect()
}

fn read_attention(reader: &mut Reader<'_>, options: &mut Options) {
    options.number_of_attention_heads = reader.count(
        "number_of_attention_heads",
        options.number_of_attention_heads,
        1,
    );
    options.use_key_relative_attention = reader.flag("use_key_relative_attention", false);
    options.use_value_relative_attention = reader.flag("use_value_relative_attention", false);
    let wanted = "null or a whole number above 0";
    let distance = Some(options.max_relative_position);
    let distance = reader.read("max_relative_position", distance, wanted, optional_count);
    options.max_relative_position = distance.unwrap_or(0);
}

fn read_training(reader: &mut Reader<'_>, options: &mut Options) {
    if !reader.is_given("epochs") {
        let sentence = format!("`epochs` is not set: {} is used", options.epochs);
        reader.remarks.push(sentence);
    }
    options.epochs = reader.count("epochs", options.epochs, 0);
    let wanted = "a whole number above 0 or a list of two";
    options.batch_size = reader.read("batch_size", options.batch_size, wanted, batch_size);
    let strategies = [
        ("balanced", BatchStrategy::Balanced),
        ("sequence", BatchStrategy::Sequence),
    ];
    options.batch_strategy = reader.choice("batch_strategy", options.batch_strategy, &strategies);
    let wanted = "null or a whole number of at least 0";
    options.random_seed = reader.read("random_seed", None, wanted, |value| match value {
        Value::Null => Some(None),
        other => other.as_u64().map(Some),
    });
    options.learning_rate = reader.number("learning_rate", options.learning_rate, Range::Positive);
}

fn batch_size(value: &Value) -> Option<[usize; 2]> {
    if let Some(size) = count(value, 1) {
        return Some([size, size]);
    }
    match value.as_array()?.as_slice() {
        [first, last] => Some([count(first, 1)?, count(last, 1)?]),
        _ => None,
    }
}

fn read_loss(reader: &mut Reader<'_>, options: &mut Options) {
    let kinds = [
        ("cross_entropy", LossType::CrossEntropy),
        ("softmax", LossType::CrossEntropy),
        ("margin", LossType::Margin),
    ];
    options.loss_type = reader.choice("loss_type", options.loss_type, &kinds);
    let kinds = [
        ("auto", None),
        ("inner", Some(Similarity::Inner)),
        ("cosine", Some(Similarity::Cosine)),
    ];
    let chosen = reader.choice("similarity_type", None, &kinds);
    options.similarity_type = chosen.unwrap_or(match options.loss_type {
        LossType::CrossEntropy => Similarity::Inner,
        LossType::Margin => Similarity::Cosine,
    });
    reader.choice("model_confidence", (), &[("softmax", ()), ("auto", ())]);
    if options.softmax_confidence() && options.similarity_type == Similarity::Cosine {
        reader.conflict("`similarity_type: cosine` needs `loss_type: margin`");
    }
    options.number_of_negative_examples = reader.count(
        "number_of_negative_examples",
        options.number_of_negative_examples,
        1,
    );
    options.ranking_length = reader.count("ranking_length", options.ranking_length, 0);
    options.renormalize_confidences = reader.flag("renormalize_confidences", false);
    for (option, target, range) in [
        (
            "maximum_positive_similarity",
            &mut options.maximum_positive_similarity,
            Range::Any,
        ),
        (
            "maximum_negative_similarity",
            &mut options.maximum_negative_similarity,
            Range::Any,
        ),
        (
            "regularization_constant",
            &mut options.regularization_constant,
            Range::NotNegative,
        ),
        (
            "negative_margin_scale",
            &mut options.negative_margin_scale,
            Range::NotNegative,
        ),
    ] {
        *target = reader.number(option, *target, range);
    }
    for (option, target) in [
        (
            "use_maximum_negative_similarity",
            &mut options.use_maximum_negative_similarity,
        ),
        ("scale_loss", &mut options.scale_loss),
        (
            "constrain_similarities",
            &mut options.constrain_similarities,
        ),
    ] {
        *target = reader.flag(option, *target);
    }
}

fn read_dropout(reader: &mut Reader<'_>, options: &mut Options) {
    for (option, target) in [
        ("drop_rate_dialogue", &mut options.drop_rate_dialogue),
        ("drop_rate", &mut options.drop_rate),
        ("drop_rate_attention", &mut options.drop_rate_attention),
    ] {
        *target = reader.number(option, *target, Range::Dropped);
    }
    for (option, target) in [
        (
            "use_sparse_input_dropout",
            &mut options.use_sparse_input_dropout,
        ),
        (
            "use_dense_input_dropout",
            &mut options.use_dense_input_dropout,
        ),
    ] {
        *target = reader.flag(option, *target);
    }
    options.connection_density = reader.number(
        "connection_density",
        options.connection_density,
        Range::Share,
    );
    if reader.is_given("weight_sparsity") {
        options.connection_density = 1.0 - reader.number("weight_sparsity", 0.0, Range::Share);
        let density = options.connection_density;
        let sentence =
            format!("`weight_sparsity` of Rasa 2.4 is read as `connection_density: {density}`");
        reader.remarks.push(sentence);
    }
}

/// Checks the options that only matter to texts in stories.
fn check_texts(reader: &mut Reader<'_>) {
    let wanted = "a map of attributes to lists of whole numbers above 0";
    reader.read("hidden_layers_sizes", (), wanted, |value| {
        let sizes = |list: &Value| list.as_array()?.iter().map(|size| count(size, 1)).collect();
        value
            .as_object()?
            .values()
            .map(sizes)
            .collect::<Option<Vec<Vec<usize>>>>()
            .map(drop)
    });
    let wanted = "a whole number above 0 or a map of attributes to such";
    reader.read("concat_dimension", (), wanted, |value| {
        by_attribute(value, 1).map(drop)
    });
    reader.number("e2e_confidence_threshold", 0.5, Range::Share);
    reader.flag("entity_recognition", true);
    reader.flag("BILOU_flag", true);
    reader.names("featurizers");
    reader.raw("split_entities_by_comma");
}

/// Reads the options that Rasa has and that change nothing, or cannot be had.
fn note_what_does_nothing(reader: &mut Reader<'_>) {
    if reader.flag("use_masked_language_model", false) {
        reader.unsupported("use_masked_language_model", &Value::Bool(true));
    }
    if let Some(given) = reader.raw("evaluate_on_number_of_examples")
        && given.as_u64() != Some(0)
    {
        reader.unsupported("evaluate_on_number_of_examples", given);
    }
    // Rasa never reads `drop_rate_label`, and lets the featurizer alone decide
    // whether the encoder is unidirectional.
    for option in [
        "drop_rate_label",
        "unidirectional_encoder",
        "evaluate_every_number_of_epochs",
        "tensorboard_log_level",
        "use_gpu",
        "run_eagerly",
    ] {
        reader.raw(option);
    }
    if reader
        .raw("tensorboard_log_directory")
        .is_some_and(|folder| !folder.is_null())
    {
        reader
            .remarks
            .push("`tensorboard_log_directory` is ignored: no logs are written".to_owned());
    }
    if reader.flag("checkpoint_model", false) {
        let sentence = "`checkpoint_model` is ignored: without `evaluate_on_number_of_examples` \
                        there is nothing to choose a checkpoint by";
        reader.remarks.push(sentence.to_owned());
    }
}

fn check(reader: &mut Reader<'_>, options: &Options) {
    if options.number_of_transformer_layers == 0 {
        return;
    }
    let (size, heads) = (options.transformer_size, options.number_of_attention_heads);
    if !size.is_multiple_of(heads) {
        reader.conflict(format!(
            "`transformer_size` {size} is not a multiple of `number_of_attention_heads` {heads}"
        ));
    }
    let relative = options.use_key_relative_attention || options.use_value_relative_attention;
    if relative && options.max_relative_position == 0 {
        reader.conflict("relative attention needs `max_relative_position`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(user: Value) -> Result<Parsed<Options>, OptionProblems> {
        Options::parse(&serde_json::from_value(user).unwrap())
    }

    #[test]
    fn defaults_are_rasas() {
        let parsed = parse(json!({"epochs": 1})).unwrap();
        assert_eq!(parsed.options, Options::default());
        assert!(parsed.unknown.is_empty() && parsed.remarks.is_empty());
    }

    #[test]
    fn a_number_is_meant_for_the_dialogue() {
        let user = json!({"epochs": 1, "transformer_size": 64, "dense_dimension": 10,
            "number_of_transformer_layers": {"text": 3, "dialogue": 2}});
        let options = parse(user).unwrap().options;
        assert_eq!(options.transformer_size, 64);
        assert_eq!(options.number_of_transformer_layers, 2);
        assert_eq!(options.dense_dimension.slots, 10);
    }

    #[test]
    fn a_partial_map_keeps_the_other_defaults() {
        let options = parse(json!({"epochs": 1, "dense_dimension": {"intent": 8}}))
            .unwrap()
            .options;
        assert_eq!(
            (
                options.dense_dimension.intent,
                options.dense_dimension.slots
            ),
            (8, 20)
        );
    }

    #[test]
    fn max_history_may_stand_in_the_featurizer() {
        let featurizer = json!([{"name": "MaxHistoryTrackerFeaturizer", "max_history": 3,
            "state_featurizer": [{"name": "SingleStateFeaturizer"}]}]);
        let parsed = parse(json!({"max_history": 9, "featurizer": featurizer})).unwrap();
        assert_eq!(parsed.options.featurizer.history_len(), Some(3));
        let featurizer = json!([{"name": "MaxHistoryTrackerFeaturizer"}]);
        let parsed = parse(json!({"max_history": 9, "featurizer": featurizer})).unwrap();
        assert_eq!(parsed.options.featurizer.history_len(), Some(9));
    }

    #[test]
    fn all_mistakes_are_named_at_once() {
        let problems = parse(json!({
            "epochs": -1,
            "transformer_size": 130,
            "featurizer": [{"name": "FullTrackerFeaturizer"}],
            "use_masked_language_model": true,
            "dense_dimension": {"moods": 3},
        }))
        .unwrap_err();
        assert_eq!(problems.0.len(), 5, "{problems}");
    }

    #[test]
    fn options_after_defaults_are_options_too() {
        let featurizer = json!([{"name": "FullDialogueTrackerFeaturizer"}]);
        for user in [
            json!({"epochs": 1, "max_history": 4, "learning_rate": 0.01}),
            json!({"epochs": 3, "loss_type": "margin", "featurizer": featurizer}),
        ] {
            let options = parse(user).unwrap().options;
            let parsed = parse(serde_json::to_value(&options).unwrap()).unwrap();
            assert_eq!(parsed.options, options);
            assert!(parsed.unknown.is_empty() && parsed.remarks.is_empty());
        }
    }

    #[test]
    fn unknown_options_are_reported() {
        let parsed = parse(json!({"epochs": 1, "epoch": 2})).unwrap();
        assert_eq!(parsed.unknown, ["epoch"]);
    }
}
