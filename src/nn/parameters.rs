//! The weights of a network under stable names, their gradients, and both on disk.
//!
//! On disk a network is a safetensors file: tensors sorted by name, `F32`, kernels
//! `[in, out]` as TensorFlow has them. A masked kernel is written whole, with zeros,
//! beside `<name>.mask` (`U8`, 0 or 1, same shape).

use std::collections::BTreeMap;
use std::collections::HashMap;

use rayon::prelude::*;
use safetensors::Dtype;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::matrix::AdamStep;
use crate::matrix::Kept;
use crate::matrix::adam_update;
use crate::matrix::add;
use crate::nn::random::Stream;

/// Suffix of the name under which a kernel's mask is written.
const MASK_SUFFIX: &str = ".mask";

/// Elements that one thread updates at a time; the result does not depend on it.
const CHUNK: usize = 16 * 1024;

/// Weights that do not fit the network they are read into.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The bytes are not a safetensors file.
    #[error("weights are not in safetensors format")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor is not there.
    #[error("weights lack the tensor `{0}`")]
    Missing(String),
    /// The network has no such tensor.
    #[error("the network has no tensor `{0}`")]
    Unknown(String),
    /// A tensor has another type or shape than the network's.
    #[error("tensor `{name}` should be {want:?} but is {found:?}")]
    Shape {
        /// Name of the tensor.
        name: String,
        /// Shape in the network.
        want: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor holds numbers that are not finite, or a mask other than 0 and 1.
    #[error("tensor `{0}` holds values that cannot be")]
    Value(String),
}

/// A tensor of one [`Parameters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorId(usize);

/// One tensor with the state of its optimiser.
#[derive(Clone, Debug)]
struct Tensor {
    name: String,
    /// Full shape; kernels are `[in, out]`.
    shape: Vec<usize>,
    /// Row-major, or the kept weights in entry order.
    data: Vec<f32>,
    kept: Option<Kept>,
    /// Kept weights by input.
    transposed: Vec<f32>,
    /// λ of `λ·Σw²`, or 0.
    l2: f32,
    /// Adam's means of gradient and square, as long as `data`; empty before the
    /// first step.
    mean: Vec<f32>,
    square: Vec<f32>,
}

/// All weights of a network.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    tensors: Vec<Tensor>,
}

impl Parameters {
    /// Returns a network without tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a tensor; `l2` is the λ of its term `λ·Σw²`, 0 for none.
    ///
    /// # Panics
    ///
    /// If the name is taken, or the values do not fill the shape.
    pub fn add(&mut self, name: &str, shape: &[usize], values: Vec<f32>, l2: f32) -> TensorId {
        assert!(self.find(name).is_none(), "tensor `{name}` exists");
        assert_eq!(values.len(), shape.iter().product::<usize>());
        self.tensors.push(Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            data: values,
            kept: None,
            transposed: Vec::new(),
            l2,
            mean: Vec::new(),
            square: Vec::new(),
        });
        TensorId(self.tensors.len() - 1)
    }

    /// Adds a kernel of which only the weights in `kept` exist; `kernel` is
    /// `[in, out]`, and what it holds elsewhere is ignored.
    ///
    /// # Panics
    ///
    /// If the name is taken, or the sizes disagree.
    pub fn add_kept(&mut self, name: &str, kernel: &[f32], kept: Kept, l2: f32) -> TensorId {
        let (inputs, outputs) = kept.shape();
        let id = self.add(name, &[inputs, outputs], kernel.to_vec(), l2);
        let tensor = &mut self.tensors[id.0];
        tensor.data = kept.compact(kernel);
        tensor.kept = Some(kept);
        tensor.refresh();
        id
    }

    /// Returns the tensor of a name.
    pub fn find(&self, name: &str) -> Option<TensorId> {
        let at = self.tensors.iter().position(|tensor| tensor.name == name);
        at.map(TensorId)
    }

    /// Returns all tensors in the order of their adding.
    pub fn ids(&self) -> impl Iterator<Item = TensorId> + use<> {
        (0..self.tensors.len()).map(TensorId)
    }

    /// Returns the name of a tensor.
    pub fn name(&self, id: TensorId) -> &str {
        &self.tensors[id.0].name
    }

    /// Returns the full shape of a tensor.
    pub fn shape(&self, id: TensorId) -> &[usize] {
        &self.tensors[id.0].shape
    }

    /// Returns the values: row-major, or for a masked kernel its kept weights in
    /// entry order.
    pub fn values(&self, id: TensorId) -> &[f32] {
        &self.tensors[id.0].data
    }

    /// Changes the values in place.
    pub fn update(&mut self, id: TensorId, change: impl FnOnce(&mut [f32])) {
        let tensor = &mut self.tensors[id.0];
        change(&mut tensor.data);
        tensor.refresh();
    }

    /// Returns the pattern of a masked kernel, and its weights by input.
    pub fn kept(&self, id: TensorId) -> Option<(&Kept, &[f32])> {
        let tensor = &self.tensors[id.0];
        tensor
            .kept
            .as_ref()
            .map(|kept| (kept, &tensor.transposed[..]))
    }

    /// Returns the whole tensor, row-major, zeros where a mask has dropped it.
    pub fn dense(&self, id: TensorId) -> Vec<f32> {
        let tensor = &self.tensors[id.0];
        match &tensor.kept {
            Some(kept) => kept.expand(&tensor.data),
            None => tensor.data.clone(),
        }
    }

    /// Overwrites a whole tensor, row-major; a mask stays as it is.
    ///
    /// # Panics
    ///
    /// If the values do not fill the shape.
    pub fn set_dense(&mut self, id: TensorId, values: &[f32]) {
        let tensor = &mut self.tensors[id.0];
        assert_eq!(values.len(), tensor.shape.iter().product::<usize>());
        tensor.data = match &tensor.kept {
            Some(kept) => kept.compact(values),
            None => values.to_vec(),
        };
        tensor.refresh();
    }

    /// Replaces the mask of a masked kernel together with its values `[in, out]`,
    /// as recorded ones are loaded; forgets the optimiser's state of it.
    ///
    /// # Panics
    ///
    /// If the tensor is not masked, or the sizes disagree.
    pub fn set_masked(&mut self, id: TensorId, kernel: &[f32], mask: &[bool]) {
        let tensor = &mut self.tensors[id.0];
        assert!(tensor.kept.is_some(), "`{}` has no mask", tensor.name);
        let kept = Kept::from_mask(tensor.shape[0], tensor.shape[1], mask);
        tensor.data = kept.compact(kernel);
        tensor.kept = Some(kept);
        tensor.mean.clear();
        tensor.square.clear();
        tensor.refresh();
    }

    /// Returns `Σ λ·w²` over all tensors with an L2 term: the regularisation loss.
    pub fn l2_loss(&self) -> f32 {
        let with_l2 = self.tensors.iter().filter(|tensor| tensor.l2 > 0.0);
        with_l2
            .map(|tensor| {
                let squares: f64 = tensor.data.iter().map(|&w| f64::from(w * w)).sum();
                tensor.l2 * squares as f32
            })
            .sum()
    }

    /// Returns the weights as a safetensors file; the same weights give the same bytes.
    pub fn to_safetensors(&self) -> Vec<u8> {
        let mut written: BTreeMap<String, (Dtype, &[usize], Vec<u8>)> = BTreeMap::new();
        for (tensor, id) in self.tensors.iter().zip(self.ids()) {
            let dense = self.dense(id);
            let bytes = dense.iter().flat_map(|value| value.to_le_bytes()).collect();
            written.insert(tensor.name.clone(), (Dtype::F32, &tensor.shape, bytes));
            if let Some(kept) = &tensor.kept {
                let mask = kept.mask().into_iter().map(u8::from).collect();
                let name = format!("{}{MASK_SUFFIX}", tensor.name);
                written.insert(name, (Dtype::U8, &tensor.shape, mask));
            }
        }
        let views = written.iter().map(|(name, (dtype, shape, bytes))| {
            let view = TensorView::new(*dtype, shape.to_vec(), bytes);
            (name, view.expect("the bytes fill the shape"))
        });
        safetensors::serialize(views, None).expect("names and shapes are our own")
    }

    /// Reads weights into this network; nothing is changed on error.
    ///
    /// # Errors
    ///
    /// If the bytes are malformed, tensors are missing, unknown or of another shape
    /// or type, or values are not finite.
    pub fn load_safetensors(&mut self, bytes: &[u8]) -> Result<(), WeightsError> {
        let file = SafeTensors::deserialize(bytes)?;
        self.refuse_unknown(&file)?;
        let mut loaded = Vec::new();
        for tensor in &self.tensors {
            let values = read_f32(&file, &tensor.name, &tensor.shape)?;
            let kept = match &tensor.kept {
                Some(_) => Some(read_mask(&file, &tensor.name, &tensor.shape)?),
                None => None,
            };
            loaded.push((values, kept));
        }
        for (id, (values, kept)) in self.ids().zip(loaded) {
            match kept {
                Some(mask) => self.set_masked(id, &values, &mask),
                None => self.set_dense(id, &values),
            }
        }
        Ok(())
    }

    fn refuse_unknown(&self, file: &SafeTensors<'_>) -> Result<(), WeightsError> {
        let known: HashMap<&str, bool> = self
            .tensors
            .iter()
            .map(|tensor| (tensor.name.as_str(), tensor.kept.is_some()))
            .collect();
        for name in file.names() {
            let masked = name
                .strip_suffix(MASK_SUFFIX)
                .and_then(|name| known.get(name));
            if !known.contains_key(name) && masked != Some(&true) {
                return Err(WeightsError::Unknown(name.to_owned()));
            }
        }
        Ok(())
    }
}

impl Tensor {
    fn refresh(&mut self) {
        if let Some(kept) = &self.kept {
            kept.transpose(&self.data, &mut self.transposed);
        }
    }
}

fn read_bytes<'a>(
    file: &SafeTensors<'a>,
    name: &str,
    shape: &[usize],
    dtype: Dtype,
) -> Result<&'a [u8], WeightsError> {
    let view = file
        .tensor(name)
        .map_err(|_| WeightsError::Missing(name.to_owned()))?;
    if view.shape() != shape || view.dtype() != dtype {
        return Err(WeightsError::Shape {
            name: name.to_owned(),
            want: shape.to_vec(),
            found: view.shape().to_vec(),
        });
    }
    Ok(view.data())
}

fn read_f32(file: &SafeTensors<'_>, name: &str, shape: &[usize]) -> Result<Vec<f32>, WeightsError> {
    let bytes = read_bytes(file, name, shape, Dtype::F32)?;
    let values: Vec<f32> = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|&four| f32::from_le_bytes(four))
        .collect();
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(WeightsError::Value(name.to_owned())),
    }
}

fn read_mask(
    file: &SafeTensors<'_>,
    name: &str,
    shape: &[usize],
) -> Result<Vec<bool>, WeightsError> {
    let name = format!("{name}{MASK_SUFFIX}");
    let bytes = read_bytes(file, &name, shape, Dtype::U8)?;
    match bytes.iter().all(|&byte| byte <= 1) {
        true => Ok(bytes.iter().map(|&byte| byte == 1).collect()),
        false => Err(WeightsError::Value(name)),
    }
}

/// Gradients of some tensors, summed over part of a batch.
///
/// A tensor that no layer has touched has no gradient, and is not moved.
#[derive(Clone, Debug, Default)]
pub struct Gradients {
    /// Per tensor as long as its values, or empty.
    buffers: Vec<Vec<f32>>,
    touched: Vec<bool>,
}

impl Gradients {
    /// Returns gradients of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all gradients, keeping the memory.
    pub fn clear(&mut self) {
        self.touched.fill(false);
    }

    /// Returns the gradient of a tensor to add to; zeros at first.
    pub fn of(&mut self, parameters: &Parameters, id: TensorId) -> &mut [f32] {
        if self.buffers.len() <= id.0 {
            self.buffers.resize(id.0 + 1, Vec::new());
            self.touched.resize(id.0 + 1, false);
        }
        let buffer = &mut self.buffers[id.0];
        if !self.touched[id.0] {
            self.touched[id.0] = true;
            buffer.clear();
            buffer.resize(parameters.values(id).len(), 0.0);
        }
        buffer
    }

    /// Returns the gradient of a tensor, if a layer has touched it.
    pub fn get(&self, id: TensorId) -> Option<&[f32]> {
        let touched = self.touched.get(id.0).copied().unwrap_or(false);
        touched.then(|| &self.buffers[id.0][..])
    }
}

/// Runs `work` on every item, in a number of slots that depends on the number of
/// items alone: slot `s` takes the items `s`, `s + slots`, … one after another and
/// adds to its own gradients.
///
/// `slots` is made as long as needed and cleared first; pass it to [`Adam::step`].
pub fn in_slots<T: Send>(
    slots: &mut Vec<Gradients>,
    items: &mut [T],
    work: impl Fn(&mut Gradients, &mut T) + Sync,
) {
    let count = items.len().min(MAX_SLOTS);
    slots.resize_with(count, Gradients::new);
    let mut shares: Vec<Vec<&mut T>> = (0..count).map(|_| Vec::new()).collect();
    for (at, item) in items.iter_mut().enumerate() {
        shares[at % count].push(item);
    }
    slots
        .par_iter_mut()
        .zip(shares)
        .for_each(|(gradients, share)| {
            gradients.clear();
            for item in share {
                work(gradients, item);
            }
        });
}

/// Slots of [`in_slots`]: a power of two, as threads often are, and few enough that
/// the gradients of a default DIET stay below 20 MB.
pub const MAX_SLOTS: usize = 8;

/// The Adam optimiser over all tensors; its moments live beside the weights.
///
/// `w ← w − η·√(1−β₂ᵗ)/(1−β₁ᵗ) · m / (√v + ε)` with β₁ 0.9, β₂ 0.999 and ε 10⁻⁷.
///
/// Rasa 3 adds the gradient of an L2 term only to the elements whose own gradient is
/// above zero, and leaves tensors without a gradient alone; so does this.
///
/// # Source
///
/// Kingma and Ba (2015), the form before section 2.1; Keras `Adam`.
#[derive(Clone, Debug)]
pub struct Adam {
    /// Learning rate η, per step.
    pub learning_rate: f32,
    /// β₁ᵗ and β₂ᵗ.
    powers: [f64; 2],
}

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.999;

impl Adam {
    /// Returns the optimiser before its first step.
    pub fn new(learning_rate: f32) -> Self {
        Self {
            learning_rate,
            powers: [1.0, 1.0],
        }
    }

    /// Moves all weights one step along the sum of the slots' gradients, which are
    /// added in the order of the slots.
    ///
    /// # Panics
    ///
    /// If a gradient belongs to another network.
    pub fn step(&mut self, parameters: &mut Parameters, slots: &[Gradients]) {
        self.powers[0] *= BETA_1;
        self.powers[1] *= BETA_2;
        let correction = (1.0 - self.powers[1]).sqrt() / (1.0 - self.powers[0]);
        let step = AdamStep {
            rate: (f64::from(self.learning_rate) * correction) as f32,
            mean_gain: (1.0 - BETA_1) as f32,
            square_gain: (1.0 - BETA_2) as f32,
            epsilon: 1e-7,
            l2: 0.0,
        };
        let tensors = parameters.tensors.par_iter_mut().enumerate();
        tensors.for_each(|(at, tensor)| {
            let parts: Vec<&[f32]> = slots
                .iter()
                .filter_map(|slot| slot.get(TensorId(at)))
                .collect();
            if !parts.is_empty() {
                let step = AdamStep {
                    l2: tensor.l2,
                    ..step
                };
                tensor.move_along(step, &parts);
            }
        });
    }
}

impl Tensor {
    fn move_along(&mut self, step: AdamStep, parts: &[&[f32]]) {
        let count = self.data.len();
        assert!(parts.iter().all(|part| part.len() == count));
        self.mean.resize(count, 0.0);
        self.square.resize(count, 0.0);
        let moments = self
            .mean
            .par_chunks_mut(CHUNK)
            .zip(self.square.par_chunks_mut(CHUNK));
        let weights = self.data.par_chunks_mut(CHUNK).zip(moments);
        weights.enumerate().for_each(|(chunk, (w, (m, v)))| {
            let range = chunk * CHUNK..chunk * CHUNK + w.len();
            if let [only] = parts {
                return adam_update(step, w, m, v, &only[range]);
            }
            let mut sum = parts[0][range.clone()].to_vec();
            for part in &parts[1..] {
                add(&part[range.clone()], &mut sum);
            }
            adam_update(step, w, m, v, &sum);
        });
        self.refresh();
    }
}

/// Adds a glorot-uniform kernel `[inputs, outputs]`, masked if `density` is below 1.
///
/// The numbers depend on `stream` only, which is advanced.
pub fn add_kernel(
    parameters: &mut Parameters,
    name: &str,
    (inputs, outputs): (usize, usize),
    density: f32,
    l2: f32,
    stream: &mut Stream,
) -> TensorId {
    let kernel = stream.glorot_uniform(inputs, outputs);
    if density >= 1.0 {
        return parameters.add(name, &[inputs, outputs], kernel, l2);
    }
    let mask = stream.connections(inputs, outputs, density);
    let kept = Kept::from_mask(inputs, outputs, &mask);
    parameters.add_kept(name, &kernel, kept, l2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> (Parameters, TensorId, TensorId) {
        let mut parameters = Parameters::new();
        let mut stream = Stream::new(5);
        let masked = add_kernel(&mut parameters, "b/masked", (6, 4), 0.3, 0.0, &mut stream);
        let bias = parameters.add("a/bias", &[4], vec![0.5; 4], 0.0);
        (parameters, masked, bias)
    }

    #[test]
    fn weights_survive_the_file_with_their_mask() {
        let (written, masked, _) = network();
        let bytes = written.to_safetensors();
        let (mut read, ..) = network();
        read.update(masked, |values| values.fill(9.0));
        read.load_safetensors(&bytes).unwrap();
        assert_eq!(read.dense(masked), written.dense(masked));
        assert_eq!(read.to_safetensors(), bytes);
    }

    #[test]
    fn files_of_other_networks_are_refused() {
        let (mut parameters, masked, bias) = network();
        let mut wider = Parameters::new();
        wider.add("a/bias", &[5], vec![0.0; 5], 0.0);
        let error = parameters.load_safetensors(&wider.to_safetensors());
        assert!(matches!(
            error,
            Err(WeightsError::Missing(_) | WeightsError::Shape { .. })
        ));
        let mut more = parameters.clone();
        more.add("c", &[1], vec![0.0], 0.0);
        let error = parameters.load_safetensors(&more.to_safetensors());
        assert!(matches!(error, Err(WeightsError::Unknown(name)) if name == "c"));
        let mut broken = parameters.clone();
        broken.update(bias, |values| values[0] = f32::NAN);
        let error = parameters.load_safetensors(&broken.to_safetensors());
        assert!(matches!(error, Err(WeightsError::Value(_))));
        let bytes = parameters.to_safetensors();
        for cut in [0, 7, 20, bytes.len() - 1] {
            assert!(parameters.load_safetensors(&bytes[..cut]).is_err());
        }
        assert!(parameters.kept(masked).is_some());
    }

    #[test]
    fn adam_moves_as_computed_by_hand() {
        let mut parameters = Parameters::new();
        let id = parameters.add("w", &[3], vec![1.0, 1.0, 1.0], 0.5);
        let still = parameters.add("still", &[1], vec![1.0], 0.5);
        let mut adam = Adam::new(0.1);
        let mut slots = vec![Gradients::new(), Gradients::new()];
        slots[0]
            .of(&parameters, id)
            .copy_from_slice(&[1.0, -2.0, 0.0]);
        slots[1]
            .of(&parameters, id)
            .copy_from_slice(&[1.0, -1.0, 0.0]);
        adam.step(&mut parameters, &slots);
        // The first step is η·sign(g); the L2 gradient counts where g > 0 only.
        let w = parameters.values(id).to_vec();
        assert!((w[0] - 0.9).abs() < 1e-6 && (w[1] - 1.1).abs() < 1e-6 && w[2] == 1.0);
        adam.step(&mut parameters, &slots);
        // g₀: 2 + 1·1 = 3, then 2 + 0.9 = 2.9; g₁: −3 twice; the moments by hand.
        let m = 0.9 * 0.3 + 0.1 * 2.9;
        let v: f64 = 0.999 * 0.009 + 0.001 * 2.9 * 2.9;
        let rate = 0.1 * (1.0 - 0.998_001_f64).sqrt() / (1.0 - 0.81);
        let want = 0.9 - rate * m / (v.sqrt() + 1e-7);
        let w = parameters.values(id);
        assert!((f64::from(w[0]) - want).abs() < 1e-6, "{} {want}", w[0]);
        assert!((w[1] - 1.2).abs() < 1e-6);
        assert_eq!(parameters.values(still), [1.0]);
    }
}
