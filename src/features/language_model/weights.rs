//! The tensors of a model from safetensors files: which there must be, and their values.
//!
//! A file is read once from front to back, so that it can be hashed meanwhile; tensors of
//! heads and poolers are passed over.

use std::collections::HashMap;
use std::io;
use std::io::Read;

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::features::half;
use crate::features::language_model::Architecture;
use crate::features::language_model::ModelConfig;

/// The longest header that is read; that of a model with thousands of tensors has less
/// than one megabyte.
const LONGEST_HEADER: u64 = 100 << 20;

/// What a tensor's name may begin with.
const PREFIXES: [&str; 5] = ["", "bert.", "roberta.", "distilbert.", "camembert."];

/// The tensor that every model has.
const WORDS: &str = "embeddings.word_embeddings.weight";

/// Files that do not hold the tensors of a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It ends too early.
    #[error("it is cut off: {0}")]
    Short(&'static str),
    /// Its header is none.
    #[error("it is not a safetensors file: {0}")]
    Header(String),
    /// A tensor is missing.
    #[error("there is no tensor `{0}`")]
    Missing(String),
    /// A tensor has another shape than the configuration says.
    #[error("the tensor `{name}` has the shape {found:?}, and by `config.json` it is {wanted:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape that it must have.
        wanted: Vec<usize>,
    },
    /// A tensor holds something else than floats of 16 or 32 bits.
    #[error("the tensor `{name}` holds {found}: only F32, F16 and BF16 are read")]
    Type {
        /// The tensor.
        name: String,
        /// What it holds.
        found: String,
    },
    /// A number is infinite, or none.
    #[error("the tensor `{0}` holds a number that is not finite")]
    NotFinite(String),
}

/// What a file says it holds.
#[derive(Clone, Debug)]
pub struct Header {
    metadata: Metadata,
    size: usize,
}

impl Header {
    /// Reads the header that a file begins with.
    pub fn read(mut file: impl Read) -> Result<Self, WeightsError> {
        let mut size = [0; 8];
        file.read_exact(&mut size)
            .map_err(cut("it has no header"))?;
        let size = u64::from_le_bytes(size);
        if size > LONGEST_HEADER {
            let told = format!("its header would have {size} bytes");
            return Err(WeightsError::Header(told));
        }
        let mut header = Vec::new();
        file.take(size).read_to_end(&mut header)?;
        if (header.len() as u64) < size {
            return Err(WeightsError::Short("its header is not whole"));
        }
        let told = |error: serde_json::Error| WeightsError::Header(error.to_string());
        Ok(Self {
            metadata: serde_json::from_slice(&header).map_err(told)?,
            size: header.len() + 8,
        })
    }

    /// Returns how many bytes a file with this header has.
    pub fn file_size(&self) -> u64 {
        (self.size as u64).saturating_add(self.metadata.data_len() as u64)
    }

    /// Returns whether a file that begins so may have a header: it is no longer than one
    /// may be, and JSON.
    pub fn may_be(beginning: &[u8]) -> bool {
        let is_short = Self::size_of(beginning).is_some_and(|size| size <= LONGEST_HEADER);
        is_short && beginning.get(8) == Some(&b'{')
    }

    /// Returns how many bytes it takes, if a file's beginning says so.
    pub fn size_of(beginning: &[u8]) -> Option<u64> {
        let size = beginning.first_chunk()?;
        u64::from_le_bytes(*size).checked_add(8)
    }
}

fn cut(what: &'static str) -> impl Fn(io::Error) -> WeightsError {
    move |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => WeightsError::Short(what),
        _ => WeightsError::Read(error),
    }
}

/// All tensors of a network: `T` is where each is, or its values.
#[derive(Clone, Debug)]
pub struct Tensors<T> {
    /// `[V, C]`.
    pub words: T,
    /// `[positions, C]`.
    pub positions: T,
    /// `[types, C]`.
    pub types: Option<T>,
    /// Of the embeddings.
    pub norm: Pair<T>,
    /// In order.
    pub layers: Vec<LayerTensors<T>>,
}

/// A matrix or gain, and its bias.
#[derive(Clone, Debug)]
pub struct Pair<T> {
    /// `[outputs, inputs]`, or `[C]`.
    pub weight: T,
    /// `[outputs]`, or `[C]`.
    pub bias: T,
}

/// The tensors of one layer.
#[derive(Clone, Debug)]
pub struct LayerTensors<T> {
    /// `[C, C]`.
    pub query: Pair<T>,
    /// `[C, C]`.
    pub key: Pair<T>,
    /// `[C, C]`.
    pub value: Pair<T>,
    /// `[C, C]`.
    pub output: Pair<T>,
    /// Behind the attention.
    pub norm_attention: Pair<T>,
    /// `[inner, C]`.
    pub widen: Pair<T>,
    /// `[C, inner]`.
    pub narrow: Pair<T>,
    /// Behind the feed-forward layers.
    pub norm: Pair<T>,
}

/// Names of a layer's parts, in the order of [`LayerTensors`].
const BERT: [&str; 8] = [
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
];
const DISTILBERT: [&str; 8] = [
    "attention.q_lin",
    "attention.k_lin",
    "attention.v_lin",
    "attention.out_lin",
    "sa_layer_norm",
    "ffn.lin1",
    "ffn.lin2",
    "output_layer_norm",
];

/// Returns something of each tensor by its name and shape.
fn each<T>(
    config: &ModelConfig,
    of: &mut impl FnMut(&str, &[usize]) -> Result<T, WeightsError>,
) -> Result<Tensors<T>, WeightsError> {
    let (width, inner) = (config.width, config.inner);
    let (stem, parts) = match config.architecture {
        Architecture::Distilbert => ("transformer.layer", DISTILBERT),
        _ => ("encoder.layer", BERT),
    };
    let mut pair = |name: &str, shape: &[usize]| {
        Ok::<_, WeightsError>(Pair {
            weight: of(&format!("{name}.weight"), shape)?,
            bias: of(&format!("{name}.bias"), &shape[..1])?,
        })
    };
    let norm = pair("embeddings.LayerNorm", &[width])?;
    let mut layers = Vec::new();
    for layer in 0..config.layers {
        let mut part =
            |at: usize, shape: &[usize]| pair(&format!("{stem}.{layer}.{}", parts[at]), shape);
        layers.push(LayerTensors {
            query: part(0, &[width, width])?,
            key: part(1, &[width, width])?,
            value: part(2, &[width, width])?,
            output: part(3, &[width, width])?,
            norm_attention: part(4, &[width])?,
            widen: part(5, &[inner, width])?,
            narrow: part(6, &[width, inner])?,
            norm: part(7, &[width])?,
        });
    }
    let types = "embeddings.token_type_embeddings.weight";
    Ok(Tensors {
        words: of(WORDS, &[config.vocabulary, width])?,
        positions: of(
            "embeddings.position_embeddings.weight",
            &[config.positions, width],
        )?,
        types: match config.types {
            0 => None,
            count => Some(of(types, &[count, width])?),
        },
        norm,
        layers,
    })
}

/// Where the tensors of a network are in some files.
pub struct Places {
    /// By the file's number and the name in it: the name that is asked for.
    wanted: HashMap<(usize, String), String>,
}

impl Places {
    /// Finds every tensor.
    ///
    /// # Errors
    ///
    /// The first that is missing, or is not what the configuration says.
    pub fn find(config: &ModelConfig, headers: &[Header]) -> Result<Self, WeightsError> {
        let has = |name: &str| headers.iter().any(|one| one.metadata.info(name).is_some());
        let prefix = PREFIXES
            .iter()
            .find(|prefix| has(&format!("{prefix}{WORDS}")));
        let prefix = prefix.ok_or_else(|| WeightsError::Missing(WORDS.to_owned()))?;
        let mut wanted = HashMap::new();
        each(config, &mut |name, shape| {
            let mut spellings = spellings(prefix, name).into_iter();
            let found = spellings.find_map(|spelling| {
                let mut files = headers.iter().enumerate();
                let (file, info) = files
                    .find_map(|(file, header)| Some((file, header.metadata.info(&spelling)?)))?;
                Some((file, spelling, info))
            });
            let Some((file, spelling, info)) = found else {
                return Err(WeightsError::Missing(format!("{prefix}{name}")));
            };
            if info.shape != shape {
                return Err(WeightsError::Shape {
                    name: spelling,
                    found: info.shape.clone(),
                    wanted: shape.to_vec(),
                });
            }
            if Kind::of(info.dtype).is_none() {
                let found = format!("{:?}", info.dtype);
                return Err(WeightsError::Type {
                    name: spelling,
                    found,
                });
            }
            wanted.insert((file, spelling), name.to_owned());
            Ok(())
        })?;
        Ok(Self { wanted })
    }
}

/// Returns how a tensor may be called: layer norms of old files have `gamma` and `beta`.
fn spellings(prefix: &str, name: &str) -> Vec<String> {
    let mut spellings = vec![format!("{prefix}{name}")];
    for (new, old) in [("LayerNorm.weight", "gamma"), ("LayerNorm.bias", "beta")] {
        if let Some(stem) = name.strip_suffix(new) {
            spellings.push(format!("{prefix}{stem}LayerNorm.{old}"));
        }
    }
    spellings
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    F32,
    F16,
    Bf16,
}

impl Kind {
    fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F32 => Some(Self::F32),
            Dtype::F16 => Some(Self::F16),
            Dtype::BF16 => Some(Self::Bf16),
            _ => None,
        }
    }

    fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Writes the values of as many numbers as there are.
    fn values(self, bytes: &[u8], values: &mut [f32]) {
        let short = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
        for (value, b) in values.iter_mut().zip(bytes.chunks_exact(self.size())) {
            *value = match self {
                Self::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
                Self::F16 => half::to_f32(short(b)),
                Self::Bf16 => f32::from_bits(u32::from(short(b)) << 16),
            };
        }
    }
}

/// A tensor as it is in its file. The table of words is kept so: its rows are needed one
/// by one, and it is most of a model of many languages.
#[derive(Clone, Debug)]
pub struct Tensor {
    name: String,
    kind: Kind,
    bytes: Vec<u8>,
}

impl Tensor {
    /// Writes the row `row`, as many numbers as there is room for.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, row: usize, values: &mut [f32]) {
        let size = values.len() * self.kind.size();
        self.kind
            .values(&self.bytes[row * size..(row + 1) * size], values);
    }

    /// Returns the tensor as it is in its file.
    ///
    /// # Errors
    ///
    /// If a number is not finite.
    pub fn finite(self) -> Result<Self, WeightsError> {
        let mut values = [0.0; 1 << 10];
        for bytes in self.bytes.chunks(values.len() * self.kind.size()) {
            let values = &mut values[..bytes.len() / self.kind.size()];
            self.kind.values(bytes, values);
            if !values.iter().all(|value| value.is_finite()) {
                return Err(WeightsError::NotFinite(self.name));
            }
        }
        Ok(self)
    }

    /// Returns all values.
    ///
    /// # Errors
    ///
    /// If one is not finite.
    pub fn into_values(self) -> Result<Vec<f32>, WeightsError> {
        let mut values = vec![0.0; self.bytes.len() / self.kind.size()];
        self.kind.values(&self.bytes, &mut values);
        match values.iter().all(|value| value.is_finite()) {
            true => Ok(values),
            false => Err(WeightsError::NotFinite(self.name)),
        }
    }
}

/// Tensors on their way from files to a network.
pub struct Collection {
    places: Places,
    found: HashMap<String, Tensor>,
}

impl Collection {
    /// Returns an empty one of the tensors at these places.
    pub fn new(places: Places) -> Self {
        Self {
            places,
            found: HashMap::new(),
        }
    }

    /// Reads those that a file has; its header must be the one that the places are of.
    pub fn read(
        &mut self,
        number: usize,
        header: &Header,
        mut file: impl Read,
    ) -> Result<(), WeightsError> {
        pass(&mut file, header.size as u64)?;
        let mut at = 0;
        for name in header.metadata.offset_keys() {
            let Some(info) = header.metadata.info(&name) else {
                continue;
            };
            let (start, end) = info.data_offsets;
            let Some(wanted) = self.places.wanted.get(&(number, name.clone())) else {
                continue;
            };
            let Some(kind) = Kind::of(info.dtype) else {
                continue;
            };
            pass(&mut file, (start - at) as u64)?;
            let mut bytes = Vec::new();
            let size = end - start;
            (&mut file).take(size as u64).read_to_end(&mut bytes)?;
            if bytes.len() < size {
                return Err(WeightsError::Short("a tensor is not whole"));
            }
            at = end;
            self.found
                .insert(wanted.clone(), Tensor { name, kind, bytes });
        }
        Ok(())
    }

    /// Returns the tensors.
    pub fn tensors(mut self, config: &ModelConfig) -> Result<Tensors<Tensor>, WeightsError> {
        each(config, &mut |name, _| {
            let found = self.found.remove(name);
            found.ok_or_else(|| WeightsError::Missing(name.to_owned()))
        })
    }
}

/// Reads over some bytes.
fn pass(file: &mut impl Read, count: u64) -> Result<(), WeightsError> {
    let passed = io::copy(&mut file.take(count), &mut io::sink())?;
    match passed == count {
        true => Ok(()),
        false => Err(WeightsError::Short("a tensor is not whole")),
    }
}
