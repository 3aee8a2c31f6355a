//! A trained network, in memory and on disk.
//!
//! ```text
//!   model.json            options, labels, names of tags, widths of features; "format": 2
//!   weights.safetensors   all tensors; of masked kernels what is kept, and the masks
//! ```
//!
//! The features of the labels, unless they have none, are in `model.json` as the
//! hex digits of [`FeatureRows::to_bytes`].
//!
//! Reading trusts nothing: options are checked as if a user had written them,
//! and widths are compared with the size of the weights before any memory is
//! asked for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use crate::features::DecodeError;
use crate::features::FeatureRows;
use crate::nlu::Files;
use crate::nlu::TagKind;
use crate::nlu::TagSet;
use crate::nlu::diet::Columns;
use crate::nlu::diet::LabelFeatures;
use crate::nlu::diet::OptionProblems;
use crate::nlu::diet::Options;
use crate::nlu::diet::TrainingData;
use crate::nlu::diet::network::LabelShape;
use crate::nlu::diet::network::Network;
use crate::nlu::diet::network::Shape;
use crate::nlu::diet::passage::Messages;
use crate::nn::WeightsError;

const MODEL: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";

/// The names of a model's files.
pub const FILES: [&str; 2] = [MODEL, WEIGHTS];

const FORMAT: u32 = 2;

/// A trained network with all that predictions need.
#[derive(Clone, Debug)]
pub struct Model {
    pub(crate) options: Options,
    pub(crate) labels: Vec<String>,
    label_features: LabelFeatures,
    /// Tags of each kind; entities first.
    pub(crate) tags: Vec<TagSet>,
    shape: Shape,
    pub(crate) network: Network,
    /// `[labels, embedding_dimension]`.
    pub(crate) label_embeddings: Vec<f32>,
}

/// Files that are no model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file is missing.
    #[error("the model has no file `{0}`")]
    Missing(&'static str),
    /// The description is not JSON of the right form.
    #[error("`model.json` cannot be read")]
    Json(#[from] serde_json::Error),
    /// The description was written by another version.
    #[error(
        "`model.json` has format {0}, this program reads format {FORMAT}: train the model again"
    )]
    Format(u32),
    /// The description has options that cannot be.
    #[error("`model.json` has impossible options")]
    Options(#[from] OptionProblems),
    /// Parts of the model contradict each other.
    #[error("the parts of the model do not fit: {0}")]
    Mismatch(&'static str),
    /// The responses of a selector are not JSON of the right form.
    #[error("`responses.json` cannot be read")]
    Responses(#[source] serde_json::Error),
    /// The features of the labels cannot be read.
    #[error("`label_rows` of `model.json` cannot be read")]
    Labels(#[from] DecodeError),
    /// The weights cannot be read.
    #[error("`weights.safetensors` cannot be read")]
    Weights(#[from] WeightsError),
}

/// `model.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    options: BTreeMap<String, Value>,
    labels: Vec<String>,
    tags: Vec<TagSet>,
    shape: Shape,
    label_rows: Option<String>,
}

impl Model {
    /// Puts a model together.
    pub(crate) fn new(
        options: &Options,
        data: &TrainingData,
        shape: Shape,
        network: Network,
    ) -> Self {
        let tags = data.tags.iter();
        let mut model = Self {
            options: options.clone(),
            labels: data.labels.clone(),
            label_features: data.label_features.clone(),
            tags: tags.map(|column| column.set.clone()).collect(),
            shape,
            network,
            label_embeddings: Vec::new(),
        };
        model.embed_labels();
        model
    }

    /// Returns the model as it is now, for keeping.
    pub(crate) fn snapshot(&self) -> Self {
        Self {
            options: self.options.clone(),
            labels: self.labels.clone(),
            label_features: self.label_features.clone(),
            tags: self.tags.clone(),
            shape: self.shape.clone(),
            network: Network {
                parameters: self.network.parameters.without_moments(),
                text: self.network.text.clone(),
                label: self.network.label.clone(),
                heads: self.network.heads.clone(),
                has_sentence: self.network.has_sentence,
            },
            label_embeddings: self.label_embeddings.clone(),
        }
    }

    /// Returns the options it was trained with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the labels, sorted; confidences come in this order.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Returns the tags of each kind, entities first.
    pub fn tags(&self) -> &[TagSet] {
        &self.tags
    }

    /// Returns the widths of the features that texts must have.
    pub fn columns(&self) -> Columns {
        self.shape.text
    }

    /// Returns whether features are as wide as those it was trained on.
    pub fn reads(&self, rows: &FeatureRows) -> bool {
        Columns::of(rows) == self.columns()
    }

    /// Embeds the labels with the weights as they are now.
    pub(crate) fn embed_labels(&mut self) {
        let Some(label) = &self.network.label else {
            return;
        };
        let all: Vec<u32> = (0..self.labels.len() as u32).collect();
        let messages = Messages {
            rows: match &self.label_features {
                LabelFeatures::Identity => None,
                LabelFeatures::Bag(rows) | LabelFeatures::Text(rows) => Some(rows),
            },
            chosen: &all,
        };
        self.label_embeddings = label.embed_all(&self.network.parameters, messages);
    }

    /// Returns the model as files; the same model gives the same bytes.
    pub fn to_files(&self) -> Files {
        let options = serde_json::to_value(&self.options).expect("options are plain values");
        let description = Description {
            format: FORMAT,
            options: serde_json::from_value(options).expect("options are a map"),
            labels: self.labels.clone(),
            tags: self.tags.clone(),
            shape: self.shape.clone(),
            label_rows: match &self.label_features {
                LabelFeatures::Bag(rows) | LabelFeatures::Text(rows) => Some(hex(&rows.to_bytes())),
                LabelFeatures::Identity => None,
            },
        };
        let json = serde_json::to_vec(&description).expect("a description is plain values");
        let weights = self.network.parameters.to_safetensors();
        Files::from([(MODEL.to_owned(), json), (WEIGHTS.to_owned(), weights)])
    }

    /// Reads the files that [`Model::to_files`] wrote.
    ///
    /// # Errors
    ///
    /// If a file is missing or malformed, or the parts contradict each other.
    pub fn from_files(files: &Files) -> Result<Self, ModelError> {
        let file = |name| files.get(name).ok_or(ModelError::Missing(name));
        let description: Description = serde_json::from_slice(file(MODEL)?)?;
        if description.format != FORMAT {
            return Err(ModelError::Format(description.format));
        }
        let parsed = Options::parse(&description.options)?;
        if !parsed.unknown.is_empty() {
            return Err(ModelError::Mismatch("options of no `DIETClassifier`"));
        }
        let Description {
            labels,
            tags,
            shape,
            label_rows,
            ..
        } = description;
        let rows = || {
            let bytes = label_rows.as_deref().and_then(unhex);
            let bytes = bytes.ok_or(ModelError::Mismatch("labels without features"))?;
            FeatureRows::from_bytes(&bytes).map_err(ModelError::from)
        };
        let label_features = match shape.label {
            None | Some(LabelShape::Identity(_)) => LabelFeatures::Identity,
            Some(LabelShape::Bag(_)) => LabelFeatures::Bag(rows()?),
            Some(LabelShape::Text(_)) => LabelFeatures::Text(rows()?),
        };
        check_shape(&labels, &label_features, &tags, &shape)?;
        let weights = file(WEIGHTS)?;
        // A mask takes a bit an element, so no weight has less.
        if shape.weights(&parsed.options) > weights.len() as u64 * 8 {
            return Err(ModelError::Mismatch("fewer weights than the network has"));
        }
        let mut network = Network::unset(&parsed.options, &shape);
        network.parameters.load_safetensors(weights)?;
        let mut model = Self {
            options: parsed.options,
            labels,
            label_features,
            tags,
            shape,
            network,
            label_embeddings: Vec::new(),
        };
        model.embed_labels();
        Ok(model)
    }
}

/// Checks everything that [`Network::new`] and predictions rely on.
fn check_shape(
    labels: &[String],
    label_features: &LabelFeatures,
    tags: &[TagSet],
    shape: &Shape,
) -> Result<(), ModelError> {
    let columns = match label_features {
        LabelFeatures::Bag(rows) | LabelFeatures::Text(rows) => {
            if rows.messages() != labels.len() {
                return Err(ModelError::Mismatch("features of another number of labels"));
            }
            if (0..labels.len()).any(|label| rows.tokens(label).is_empty()) {
                return Err(ModelError::Mismatch("a label without features"));
            }
            Some(Columns::of(rows))
        }
        LabelFeatures::Identity => None,
    };
    let fits = match shape.label {
        None => labels.is_empty(),
        Some(LabelShape::Identity(count)) => count == labels.len() && count > 0,
        Some(LabelShape::Bag(shape) | LabelShape::Text(shape)) => {
            Some(shape) == columns && shape != Columns::default() && !labels.is_empty()
        }
    };
    if !fits {
        return Err(ModelError::Mismatch("labels of another shape"));
    }
    if shape.text == Columns::default() {
        return Err(ModelError::Mismatch("texts without features"));
    }
    let kinds: Vec<TagKind> = tags.iter().map(TagSet::kind).collect();
    let counts = tags.iter().map(|set| (set.kind(), set.count()));
    let in_order = kinds.is_sorted_by(|a, b| a < b);
    let entities_first = kinds.first().is_none_or(|kind| *kind == TagKind::Entity);
    if !in_order || !entities_first || !counts.eq(shape.tags.iter().copied()) {
        return Err(ModelError::Mismatch("tags of another shape"));
    }
    if !tags.is_empty() && !shape.text.has_sequence() {
        return Err(ModelError::Mismatch("tags of tokens without features"));
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::nlu::diet::samples::Learnt;
    use crate::nlu::diet::samples::add_dense;
    use crate::nlu::diet::samples::tiny_options;
    use crate::nlu::diet::samples::toy;
    use crate::nlu::diet::train;

    fn model(learnt: Learnt) -> (Model, TrainingData) {
        let data = toy(9, learnt);
        let options = Options {
            intent_classification: learnt != Learnt::Tags,
            ..tiny_options()
        };
        let model = train(&options, &data, 1, &mut |_| ControlFlow::Continue(()));
        (model.unwrap(), data)
    }

    #[test]
    fn a_model_comes_back_from_its_files() {
        for learnt in [Learnt::All, Learnt::Labels, Learnt::Tags] {
            let (model, data) = model(learnt);
            let files = model.to_files();
            let again = Model::from_files(&files).unwrap();
            assert!(again.to_files() == files);
            assert_eq!(again.scores(&data.text), model.scores(&data.text));
        }
    }

    #[test]
    fn a_model_of_dense_features_comes_back_too() {
        for (sequence, sentence) in [(3, 3), (3, 2)] {
            let mut data = toy(9, Learnt::All);
            add_dense(&mut data.text, sequence, sentence);
            let options = tiny_options();
            let model = train(&options, &data, 1, &mut |_| ControlFlow::Continue(())).unwrap();
            let again = Model::from_files(&model.to_files()).unwrap();
            assert_eq!(again.scores(&data.text), model.scores(&data.text));
            let alone = data.text.select(&[4]);
            assert_eq!(model.scores(&alone)[0], model.scores(&data.text)[4]);
        }
    }

    #[test]
    fn messages_are_scored_alike_alone_and_together() {
        let (model, data) = model(Learnt::All);
        let together = model.scores(&data.text);
        for (message, scores) in together.iter().enumerate() {
            let alone = data.text.select(&[message]);
            assert_eq!(&model.scores(&alone)[0], scores);
        }
    }

    /// Returns the error of a model whose description was changed.
    fn refused(change: impl Fn(&mut Value)) -> ModelError {
        let mut files = model(Learnt::All).0.to_files();
        let mut description = serde_json::from_slice(&files[MODEL]).unwrap();
        change(&mut description);
        files.insert(MODEL.to_owned(), serde_json::to_vec(&description).unwrap());
        Model::from_files(&files).unwrap_err()
    }

    #[test]
    fn files_that_contradict_each_other_are_refused() {
        let mismatch = |change: &dyn Fn(&mut Value)| {
            let error = refused(change);
            assert!(matches!(error, ModelError::Mismatch(_)), "{error:?}");
        };
        mismatch(&|d| d["labels"] = serde_json::json!(["a"]));
        mismatch(&|d| d["options"]["epoch"] = 1.into());
        mismatch(&|d| d["shape"]["text"]["sequence"] = 0.into());
        mismatch(&|d| d["shape"]["text"]["sequence"] = 1_000_000_000_u64.into());
        mismatch(&|d| d["options"]["number_of_transformer_layers"] = 16_000_000.into());
        mismatch(&|d| d["options"]["transformer_size"] = 16_000_000.into());
        mismatch(&|d| d["tags"][0]["labels"] = serde_json::json!(["city"]));
        mismatch(&|d| {
            let tags = d["tags"].as_array_mut().unwrap();
            tags.reverse();
        });
        mismatch(&|d| d["shape"]["label"] = serde_json::json!({"identity": 4_000_000_000_u64}));
        assert!(matches!(
            refused(|d| d["format"] = 1.into()),
            ModelError::Format(1)
        ));
        let heads = refused(|d| d["options"]["number_of_attention_heads"] = 0.into());
        assert!(matches!(heads, ModelError::Options(_)));
        let wider = refused(|d| d["options"]["embedding_dimension"] = 3.into());
        assert!(matches!(wider, ModelError::Weights(_)));
    }

    #[test]
    fn no_cut_or_changed_byte_makes_reading_panic() {
        let files = model(Learnt::All).0.to_files();
        for name in FILES {
            let mut less = files.clone();
            less.remove(name);
            assert!(matches!(
                Model::from_files(&less),
                Err(ModelError::Missing(_))
            ));
            let bytes = &files[name];
            let steps = bytes.len() / 60 + 1;
            for at in (0..bytes.len().min(4000)).step_by(steps.min(40)) {
                let mut cut = files.clone();
                cut.insert(name.to_owned(), bytes[..at].to_vec());
                assert!(Model::from_files(&cut).is_err());
                let mut changed = files.clone();
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x11;
                changed.insert(name.to_owned(), bytes);
                let _ = Model::from_files(&changed);
            }
        }
    }
}
