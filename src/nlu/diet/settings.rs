//! Reads each option of a network, over the defaults of its component.

use serde::Deserialize;
use serde_json::Value;

use crate::nlu::SplitByComma;
use crate::nlu::diet::BatchStrategy;
use crate::nlu::diet::HeldOut;
use crate::nlu::diet::LossType;
use crate::nlu::diet::OptionProblems;
use crate::nlu::diet::Options;
use crate::nlu::diet::Parsed;
use crate::nlu::diet::Sides;
use crate::nlu::diet::Similarity;
use crate::nlu::diet::reader::Range;
use crate::nlu::diet::reader::Reader;
use crate::nlu::diet::reader::count;

/// Returns the options, or all that is wrong with them.
pub(crate) fn finish<T>(reader: Reader<'_>, options: T) -> Result<Parsed<T>, OptionProblems> {
    if !reader.problems.is_empty() {
        return Err(OptionProblems(reader.problems));
    }
    Ok(Parsed {
        options,
        unknown: reader.unknown(),
        remarks: reader.remarks,
    })
}

/// Reads what `DIETClassifier` and `ResponseSelector` have in common, over the
/// component's own defaults.
pub(crate) fn read_network(reader: &mut Reader<'_>, defaults: Options) -> Options {
    let mut options = read_training(reader, defaults);
    read_architecture(reader, &mut options);
    read_loss(reader, &mut options);
    read_entities(reader, &mut options);
    note_what_does_nothing(reader);
    check(reader, &mut options);
    options
}

fn read_training(reader: &mut Reader<'_>, mut options: Options) -> Options {
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
    options.drop_small_last_batch = reader.flag("drop_small_last_batch", false);
    options.featurizers = reader.names("featurizers");
    options.held_out = HeldOut::read(reader);
    options
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

fn read_architecture(reader: &mut Reader<'_>, options: &mut Options) {
    let wanted = "a map of `text` and `label` to lists of whole numbers above 0";
    let sizes = options.hidden_layers_sizes.clone();
    options.hidden_layers_sizes = reader.read("hidden_layers_sizes", sizes.clone(), wanted, |v| {
        sides(v, sizes, |list| {
            list.as_array()?.iter().map(|size| count(size, 1)).collect()
        })
    });
    let wanted = "a map of `text` and `label` to whole numbers above 0";
    for (option, target) in [
        ("dense_dimension", &mut options.dense_dimension),
        ("concat_dimension", &mut options.concat_dimension),
    ] {
        let default = target.clone();
        *target = reader.read(option, default.clone(), wanted, |value| {
            sides(value, default, |size| count(size, 1))
        });
    }
    options.number_of_transformer_layers = reader.count(
        "number_of_transformer_layers",
        options.number_of_transformer_layers,
        0,
    );
    let wanted = "null or a whole number above 0";
    let default = options.transformer_size;
    options.transformer_size =
        reader.read("transformer_size", default, wanted, |value| match value {
            Value::Null => Some(0),
            other => count(other, 0),
        });
    options.number_of_attention_heads = reader.count(
        "number_of_attention_heads",
        options.number_of_attention_heads,
        1,
    );
    options.use_key_relative_attention = reader.flag("use_key_relative_attention", false);
    options.use_value_relative_attention = reader.flag("use_value_relative_attention", false);
    let wanted = "null or a whole number above 0";
    options.max_relative_position = reader.read(
        "max_relative_position",
        options.max_relative_position,
        wanted,
        |v| match v {
            Value::Null => Some(0),
            other => count(other, 0),
        },
    );
    options.unidirectional_encoder = reader.flag("unidirectional_encoder", false);
    options.use_masked_language_model = reader.flag("use_masked_language_model", false);
    options.embedding_dimension =
        reader.count("embedding_dimension", options.embedding_dimension, 1);
    read_dropout(reader, options);
}

fn read_dropout(reader: &mut Reader<'_>, options: &mut Options) {
    options.drop_rate = reader.number("drop_rate", options.drop_rate, Range::Dropped);
    options.drop_rate_attention = reader.number(
        "drop_rate_attention",
        options.drop_rate_attention,
        Range::Dropped,
    );
    options.use_sparse_input_dropout =
        reader.flag("use_sparse_input_dropout", options.use_sparse_input_dropout);
    options.use_dense_input_dropout =
        reader.flag("use_dense_input_dropout", options.use_dense_input_dropout);
    options.connection_density = reader.number(
        "connection_density",
        options.connection_density,
        Range::Share,
    );
    if reader.is_given("weight_sparsity") {
        let sparsity = reader.number("weight_sparsity", 0.0, Range::Share);
        options.connection_density = 1.0 - sparsity;
        let density = options.connection_density;
        let sentence =
            format!("`weight_sparsity` of Rasa 2.4 is read as `connection_density: {density}`");
        reader.remarks.push(sentence);
    }
}

/// Reads `{text: …, label: …}`; what is missing keeps its default.
fn sides<T>(
    value: &Value,
    default: Sides<T>,
    read: impl Fn(&Value) -> Option<T>,
) -> Option<Sides<T>> {
    let map = value.as_object()?;
    if map.keys().any(|key| key != "text" && key != "label") {
        return None;
    }
    let side = |name: &str, default: T| match map.get(name) {
        Some(value) => read(value),
        None => Some(default),
    };
    Some(Sides {
        text: side("text", default.text)?,
        label: side("label", default.label)?,
    })
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
    // `auto` is what margin loss makes of it in Rasa; `linear_norm` is gone since 3.0.
    reader.choice("model_confidence", (), &[("softmax", ()), ("auto", ())]);
    if options.loss_type == LossType::CrossEntropy && options.similarity_type == Similarity::Cosine
    {
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
    options.use_maximum_negative_similarity = reader.flag(
        "use_maximum_negative_similarity",
        options.use_maximum_negative_similarity,
    );
    options.scale_loss = reader.flag("scale_loss", options.scale_loss);
    options.constrain_similarities = reader.flag("constrain_similarities", false);
}

fn read_entities(reader: &mut Reader<'_>, options: &mut Options) {
    // A `ResponseSelector` has no tags, and writes null.
    options.bilou_flag = reader.read("BILOU_flag", options.bilou_flag, "true or false", |value| {
        value.as_bool().or(value.is_null().then_some(false))
    });
    let wanted = "true, false, or a map of entity types to true or false";
    let default = options.split_entities_by_comma.clone();
    options.split_entities_by_comma =
        reader.read("split_entities_by_comma", default, wanted, |value| {
            SplitByComma::deserialize(value).ok()
        });
}

/// Reads the options that Rasa has and that change nothing, or cannot be had.
fn note_what_does_nothing(reader: &mut Reader<'_>) {
    if reader.flag("share_hidden_layers", false) {
        reader.unsupported("share_hidden_layers", &Value::Bool(true));
    }
    reader.raw("tensorboard_log_level");
    reader.raw("run_eagerly");
    if reader
        .raw("tensorboard_log_directory")
        .is_some_and(|folder| !folder.is_null())
    {
        reader
            .remarks
            .push("`tensorboard_log_directory` is ignored: no logs are written".to_owned());
    }
}

fn check(reader: &mut Reader<'_>, options: &mut Options) {
    if options.number_of_transformer_layers == 0 {
        options.transformer_size = 0;
        if options.use_masked_language_model {
            reader.conflict("`use_masked_language_model` needs a transformer layer at least");
        }
        return;
    }
    if options.transformer_size == 0 {
        options.transformer_size = 256;
        let sentence =
            "`transformer_size` is not set although there are transformer layers: 256 is used";
        reader.remarks.push(sentence.to_owned());
    }
    let heads = options.number_of_attention_heads;
    if !options.transformer_size.is_multiple_of(heads) {
        let size = options.transformer_size;
        reader.conflict(format!(
            "`transformer_size` {size} is not a multiple of `number_of_attention_heads` {heads}"
        ));
    }
    let relative = options.use_key_relative_attention || options.use_value_relative_attention;
    if relative && options.max_relative_position == 0 {
        reader.conflict("relative attention needs `max_relative_position`");
    }
}
