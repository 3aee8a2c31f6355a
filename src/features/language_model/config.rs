//! What `config.json` says of a model: its shape, and how it computes.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Which network a model is; they differ in the names of their tensors, in how positions
/// are counted, and in what stands for a whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// BERT, such as LaBSE.
    Bert,
    /// DistilBERT: BERT without types of tokens.
    Distilbert,
    /// RoBERTa, XLM-RoBERTa: BERT whose positions begin behind the padding's.
    Roberta,
    /// CamemBERT: RoBERTa with sub-tokens of its own.
    Camembert,
}

impl Architecture {
    /// The values of the option `model_name`.
    pub const OPTIONS: [(&'static str, Architecture); 4] = [
        ("bert", Architecture::Bert),
        ("distilbert", Architecture::Distilbert),
        ("roberta", Architecture::Roberta),
        ("camembert", Architecture::Camembert),
    ];

    /// Returns what a value of the option `model_name` stands for.
    pub fn of_option(name: &str) -> Option<Self> {
        let mut options = Self::OPTIONS.into_iter();
        options.find_map(|(known, own)| (known == name).then_some(own))
    }

    /// Returns the values of `model_type` in `config.json` that go with it.
    pub fn model_types(self) -> &'static [&'static str] {
        match self {
            Self::Bert => &["bert"],
            Self::Distilbert => &["distilbert"],
            Self::Roberta => &["roberta", "xlm-roberta"],
            Self::Camembert => &["camembert"],
        }
    }

    /// Returns whether the first special token stands for the whole message.
    pub fn has_sentence_token(self) -> bool {
        matches!(self, Self::Bert | Self::Distilbert)
    }

    /// Returns whether positions are counted from behind the padding's, and padding is
    /// not counted.
    pub(super) fn skips_padding(self) -> bool {
        matches!(self, Self::Roberta | Self::Camembert)
    }
}

/// How the feed-forward layers bend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU with the exact error function.
    Gelu,
    /// GELU by a hyperbolic tangent.
    GeluTanh,
}

/// The shape of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelConfig {
    /// Which network it is.
    pub architecture: Architecture,
    /// Sub-tokens in the vocabulary, V.
    pub vocabulary: usize,
    /// Numbers in a vector, C.
    pub width: usize,
    /// Number of layers.
    pub layers: usize,
    /// Attention heads, H; they divide the width.
    pub heads: usize,
    /// Numbers between the two feed-forward layers.
    pub inner: usize,
    /// Rows of the table of positions.
    pub positions: usize,
    /// Rows of the table of token types; 0 if there is none.
    pub types: usize,
    /// ε of all layer norms.
    pub epsilon: f32,
    /// The activation of the feed-forward layers.
    pub activation: Activation,
    /// The sub-token that is padding.
    pub padding: u32,
}

/// A `config.json` that is none of a model that is read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is not JSON, or what it says has another type.
    #[error("it is not the JSON of a model's configuration")]
    Json(#[from] serde_json::Error),
    /// It is the configuration of another kind of model.
    #[error(
        "its `model_type` is `{found}`, and `model_name` asks for {}",
        one_of(wanted)
    )]
    Kind {
        /// What it is.
        found: String,
        /// What would do.
        wanted: &'static [&'static str],
    },
    /// Something is missing.
    #[error("it does not say `{0}`")]
    Missing(&'static str),
    /// Something cannot be.
    #[error("`{key}` is {value}: {reason}")]
    Value {
        /// What it says it of.
        key: &'static str,
        /// What it says.
        value: String,
        /// Why that cannot be.
        reason: &'static str,
    },
}

fn one_of(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}

/// Numbers beyond this are of no model: products of two of them stay exact.
const LARGEST: u64 = 1 << 24;

#[derive(Deserialize)]
struct Written {
    model_type: Option<String>,
    #[serde(flatten)]
    keys: BTreeMap<String, Value>,
}

impl ModelConfig {
    /// Reads `config.json` of a model of the kind that is asked for. A file without
    /// `model_type` is of any.
    ///
    /// # Errors
    ///
    /// If it is not JSON, of another kind, or of a model that cannot be computed.
    pub fn read(bytes: &[u8], architecture: Architecture) -> Result<Self, ConfigError> {
        let written: Written = serde_json::from_slice(bytes)?;
        if let Some(found) = written.model_type
            && !architecture.model_types().contains(&found.as_str())
        {
            let wanted = architecture.model_types();
            return Err(ConfigError::Kind { found, wanted });
        }
        let keys = Keys(&written.keys);
        keys.must_be("position_embedding_type", "absolute")?;
        let config = match architecture {
            Architecture::Distilbert => Self::distilbert(keys)?,
            _ => Self::bert(keys, architecture)?,
        };
        config.check()
    }

    fn bert(keys: Keys<'_>, architecture: Architecture) -> Result<Self, ConfigError> {
        let padding = if architecture.skips_padding() { 1 } else { 0 };
        Ok(Self {
            architecture,
            vocabulary: keys.count("vocab_size")?,
            width: keys.count("hidden_size")?,
            layers: keys.count("num_hidden_layers")?,
            heads: keys.count("num_attention_heads")?,
            inner: keys.count("intermediate_size")?,
            positions: keys.count("max_position_embeddings")?,
            types: keys.count("type_vocab_size")?,
            epsilon: keys.epsilon("layer_norm_eps")?,
            activation: keys.activation("hidden_act")?,
            padding: keys.index("pad_token_id", padding)?,
        })
    }

    fn distilbert(keys: Keys<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            architecture: Architecture::Distilbert,
            vocabulary: keys.count("vocab_size")?,
            width: keys.count("dim")?,
            layers: keys.count("n_layers")?,
            heads: keys.count("n_heads")?,
            inner: keys.count("hidden_dim")?,
            positions: keys.count("max_position_embeddings")?,
            types: 0,
            epsilon: 1e-12,
            activation: keys.activation("activation")?,
            padding: keys.index("pad_token_id", 0)?,
        })
    }

    fn check(self) -> Result<Self, ConfigError> {
        let wrong = |key, value: usize, reason| ConfigError::Value {
            key,
            value: value.to_string(),
            reason,
        };
        if !self.width.is_multiple_of(self.heads) {
            let key = match self.architecture {
                Architecture::Distilbert => "n_heads",
                _ => "num_attention_heads",
            };
            let reason = "it must divide the width of the model";
            return Err(wrong(key, self.heads, reason));
        }
        if self.longest() < 3 || self.positions < self.longest() {
            let reason = "there must be room for a sub-token and two special ones";
            return Err(wrong("max_position_embeddings", self.positions, reason));
        }
        Ok(self)
    }

    /// Returns the position of a sequence's first sub-token.
    pub(super) fn first_position(&self) -> usize {
        match self.architecture.skips_padding() {
            true => self.padding as usize + 1,
            false => 0,
        }
    }

    /// Returns how many sub-tokens have a position.
    pub fn longest(&self) -> usize {
        self.positions.saturating_sub(self.first_position())
    }
}

/// What a configuration says, by name.
#[derive(Clone, Copy)]
struct Keys<'a>(&'a BTreeMap<String, Value>);

impl Keys<'_> {
    fn wrong(&self, key: &'static str, reason: &'static str) -> ConfigError {
        let value = self.0.get(key).map_or_else(String::new, Value::to_string);
        ConfigError::Value {
            key,
            value: shortened(value),
            reason,
        }
    }

    /// Returns a number of things, of which there is one at least.
    fn count(&self, key: &'static str) -> Result<usize, ConfigError> {
        let value = self.0.get(key).ok_or(ConfigError::Missing(key))?;
        match value.as_u64() {
            Some(count @ 1..=LARGEST) => Ok(count as usize),
            _ => Err(self.wrong(key, "it must be a whole number from 1 to 16777216")),
        }
    }

    /// Returns which sub-token something is.
    fn index(&self, key: &'static str, default: u32) -> Result<u32, ConfigError> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => match value.as_u64() {
                Some(index @ 0..=LARGEST) => Ok(index as u32),
                _ => Err(self.wrong(key, "it must be a whole number from 0 to 16777216")),
            },
        }
    }

    fn epsilon(&self, key: &'static str) -> Result<f32, ConfigError> {
        match self.0.get(key).map(Value::as_f64) {
            None => Ok(1e-12),
            Some(Some(value)) if value > 0.0 && value < 1.0 => Ok(value as f32),
            Some(_) => Err(self.wrong(key, "it must be a number between 0 and 1")),
        }
    }

    fn activation(&self, key: &'static str) -> Result<Activation, ConfigError> {
        match self.0.get(key).map(Value::as_str) {
            None | Some(Some("gelu" | "gelu_python")) => Ok(Activation::Gelu),
            Some(Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh")) => Ok(Activation::GeluTanh),
            Some(_) => Err(self.wrong(key, "it must be `gelu` or `gelu_new`")),
        }
    }

    /// Refuses another value than the one that can be computed, if there is any.
    fn must_be(&self, key: &'static str, only: &'static str) -> Result<(), ConfigError> {
        match self.0.get(key) {
            Some(Value::String(value)) if value == only => Ok(()),
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(self.wrong(key, "only `absolute` positions can be computed")),
        }
    }
}

/// Returns the beginning of a value that is long.
fn shortened(value: String) -> String {
    match value.chars().count() {
        0..=40 => value,
        _ => value.chars().take(40).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config() -> Value {
        json!({
            "model_type": "bert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 5, "max_position_embeddings": 16,
            "type_vocab_size": 2, "hidden_act": "gelu_new", "layer_norm_eps": 1e-5,
        })
    }

    fn read(value: &Value, architecture: Architecture) -> Result<ModelConfig, String> {
        let bytes = serde_json::to_vec(value).unwrap();
        ModelConfig::read(&bytes, architecture).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refuses(key: &str, value: Value, want: &str) {
        let mut config = config();
        config[key] = value;
        assert_eq!(read(&config, Architecture::Bert).unwrap_err(), want);
    }

    #[test]
    fn the_shape_is_read() {
        let read = read(&config(), Architecture::Bert).unwrap();
        assert_eq!((read.width, read.heads, read.inner), (8, 2, 5));
        assert_eq!(read.activation, Activation::GeluTanh);
        assert_eq!((read.epsilon, read.longest()), (1e-5, 16));
    }

    #[test]
    fn robertas_positions_begin_behind_the_paddings() {
        let mut config = config();
        config["model_type"] = json!("xlm-roberta");
        let read = read(&config, Architecture::Roberta).unwrap();
        assert_eq!((read.first_position(), read.longest()), (2, 14));
    }

    #[test]
    fn what_cannot_be_computed_is_refused() {
        let whole = "it must be a whole number from 1 to 16777216";
        refuses(
            "hidden_size",
            json!(-1),
            &format!("`hidden_size` is -1: {whole}"),
        );
        refuses(
            "vocab_size",
            json!(1e30),
            &format!("`vocab_size` is 1e+30: {whole}"),
        );
        let want = "`num_attention_heads` is 3: it must divide the width of the model";
        refuses("num_attention_heads", json!(3), want);
        let want = "`hidden_act` is \"relu\": it must be `gelu` or `gelu_new`";
        refuses("hidden_act", json!("relu"), want);
        let want = "`position_embedding_type` is \"relative_key\": only `absolute` positions can be computed";
        refuses("position_embedding_type", json!("relative_key"), want);
        let want = "`max_position_embeddings` is 2: there must be room for a sub-token and two special ones";
        refuses("max_position_embeddings", json!(2), want);
        let want = "its `model_type` is `gpt2`, and `model_name` asks for `bert`";
        refuses("model_type", json!("gpt2"), want);
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut short = config();
        short.as_object_mut().unwrap().remove("intermediate_size");
        let told = read(&short, Architecture::Bert).unwrap_err();
        assert_eq!(told, "it does not say `intermediate_size`");
        let told = read(&json!([]), Architecture::Bert).unwrap_err();
        assert_eq!(told, "it is not the JSON of a model's configuration");
    }
}
