//! A trained policy as two files, and back.
//!
//! `model.json` holds the format's number (2), the options after defaults, what each
//! feature column stands for, and which attributes have weights; `weights.safetensors`
//! the weights, none when there was nothing to train on. The same model gives the same
//! bytes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::data;
use crate::dialogue::ted::Model;
use crate::dialogue::ted::Options;
use crate::dialogue::ted::batch::ATTRIBUTES;
use crate::dialogue::ted::batch::Attribute;
use crate::dialogue::ted::batch::FeatureNames;
use crate::dialogue::ted::network::Network;
use crate::nlu::diet::OptionProblems;
use crate::nn::Parameters;
use crate::nn::WeightsError;

const FORMAT: u32 = 2;
const DESCRIPTION: &str = "model.json";
const WEIGHTS: &str = "weights.safetensors";

/// The names of a model's files.
pub const FILES: [&str; 2] = [DESCRIPTION, WEIGHTS];

/// Files that are no trained policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file is not there.
    #[error("a TEDPolicy lacks the file `{0}`")]
    Missing(&'static str),
    /// The description cannot be read.
    #[error("`model.json` of a TEDPolicy cannot be read")]
    Description(#[from] serde_json::Error),
    /// The description is of another version of the format.
    #[error(
        "`model.json` of a TEDPolicy has format {0}, this program reads format {FORMAT}: train the model again"
    )]
    Format(u32),
    /// The options in the description are none that a user could write.
    #[error("`model.json` of a TEDPolicy has wrong options")]
    Options(#[from] OptionProblems),
    /// The description contradicts itself or the weights.
    #[error("`model.json` of a TEDPolicy does not fit its weights: {0}")]
    Mismatch(&'static str),
    /// The weights cannot be read.
    #[error("the weights of a TEDPolicy cannot be read")]
    Weights(#[from] WeightsError),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    format: u32,
    options: data::Options,
    features: FeatureNames,
    /// Attributes with weights; none when there was nothing to train on.
    attributes: Vec<String>,
}

impl Model {
    /// Returns the model as files by name.
    pub fn to_files(&self) -> BTreeMap<String, Vec<u8>> {
        let attributes = Attribute::ALL
            .into_iter()
            .filter(|&at| self.present[at as usize]);
        let description = Description {
            format: FORMAT,
            options: written(&self.options),
            features: self.names.clone(),
            attributes: attributes
                .map(|attribute| attribute.name().to_owned())
                .collect(),
        };
        let mut json =
            serde_json::to_vec_pretty(&description).expect("the description is plain data");
        json.push(b'\n');
        let mut files = BTreeMap::from([(DESCRIPTION.to_owned(), json)]);
        let weights = match &self.network {
            Some(network) => network.parameters.to_safetensors(),
            None => Parameters::new().to_safetensors(),
        };
        files.insert(WEIGHTS.to_owned(), weights);
        files
    }

    /// Reads what [`Model::to_files`] wrote; other files are ignored.
    ///
    /// # Errors
    ///
    /// If a file is missing or malformed, or the two do not fit together. Nothing is
    /// allocated that the files are not large enough for.
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, ModelError> {
        let json = files
            .get(DESCRIPTION)
            .ok_or(ModelError::Missing(DESCRIPTION))?;
        let format: FormatOnly = serde_json::from_slice(json)?;
        if format.format != FORMAT {
            return Err(ModelError::Format(format.format));
        }
        let Description {
            options,
            features,
            attributes,
            ..
        } = serde_json::from_slice(json)?;
        let options = Options::parse(&options)?.options;
        let present = Attribute::ALL.map(|at| attributes.iter().any(|name| name == at.name()));
        if present.iter().filter(|&&present| present).count() != attributes.len() {
            return Err(ModelError::Mismatch(
                "an attribute is unknown or listed twice",
            ));
        }
        if attributes.is_empty() {
            return Ok(Self::new(options, features, present, None));
        }
        let weights = files.get(WEIGHTS).ok_or(ModelError::Missing(WEIGHTS))?;
        check_sizes(&options, &features, present, weights.len())?;
        let mut network = Network::unset(&options, &features, present);
        network.parameters.load_safetensors(weights)?;
        Ok(Self::new(options, features, present, Some(network)))
    }
}

/// Returns options as a user would write them.
fn written(options: &Options) -> data::Options {
    let value = serde_json::to_value(options).expect("options are plain data");
    serde_json::from_value(value).expect("options are a map")
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Checks that the weights file can hold the network that the description asks for,
/// so that a lying description costs no memory.
fn check_sizes(
    options: &Options,
    names: &FeatureNames,
    present: [bool; ATTRIBUTES],
    bytes: usize,
) -> Result<(), ModelError> {
    let layers = options.number_of_transformer_layers;
    let (units, encoding) = (options.transformer_size, options.encoding_dimension);
    let wide = |a: usize, b: usize| (a as u128) * (b as u128);
    let mut weights = wide(names.action_name.len(), encoding)
        + wide(encoding, options.embedding_dimension)
        + wide(layers, 12).saturating_mul(wide(units, units));
    for attribute in Attribute::ALL
        .into_iter()
        .filter(|&at| present[at as usize])
    {
        let width = options.dense_dimension.of(attribute);
        weights = weights.saturating_add(wide(names.of(attribute).len() + 1, width));
    }
    if options.use_key_relative_attention || options.use_value_relative_attention {
        let distances = wide(options.max_relative_position, 1);
        weights = weights.saturating_add(distances.saturating_mul(wide(layers, units)));
    }
    // A mask takes a bit an element, so no weight has less.
    if weights > 8 * bytes as u128 {
        return Err(ModelError::Mismatch("the weights are too few"));
    }
    Ok(())
}
