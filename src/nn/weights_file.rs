//! Weights on disk.
//!
//! A network is a safetensors file: tensors sorted by name, `F32`, row-major,
//! kernels `[in, out]` as TensorFlow has them. Of a masked kernel only what the mask
//! keeps is written, row by row, as a tensor of one dimension; beside it stands
//! `<name>.mask`, `U8` of `[in, ⌈out / 8⌉]`: a bit for each element, the lowest bit
//! first, 1 where it is kept, bits beyond a row's end 0.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::HashMap;

use safetensors::Dtype;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use crate::matrix::Kept;
use crate::nn::parameters::Parameters;
use crate::nn::parameters::Tensor;

/// Suffix of the name under which a kernel's mask is written.
const MASK_SUFFIX: &str = ".mask";

/// Elements of a mask in one byte.
const BITS: usize = 8;

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
    /// A tensor holds numbers that are not finite, or a mask has bits beyond a row's end.
    #[error("tensor `{0}` holds values that cannot be")]
    Value(String),
}

/// What a file says of one tensor.
struct Read {
    kept: Option<Kept>,
    data: Vec<f32>,
}

impl Parameters {
    /// Returns the weights as a safetensors file; the same weights give the same bytes.
    pub fn to_safetensors(&self) -> Vec<u8> {
        let mut written: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::new();
        for tensor in &self.tensors {
            let (shape, values): (_, Cow<'_, [f32]>) = match &tensor.kept {
                Some(kept) => {
                    let name = format!("{}{MASK_SUFFIX}", tensor.name);
                    let shape = mask_shape(&tensor.shape);
                    written.insert(name, (Dtype::U8, shape, to_bits(kept)));
                    (vec![kept.stored()], kept.by_row(&tensor.data).into())
                }
                None => (tensor.shape.clone(), tensor.data.as_slice().into()),
            };
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            written.insert(tensor.name.clone(), (Dtype::F32, shape, bytes.collect()));
        }
        let views = written.iter().map(|(name, (dtype, shape, bytes))| {
            let view = TensorView::new(*dtype, shape.clone(), bytes);
            (name, view.expect("the bytes fill the shape"))
        });
        safetensors::serialize(views, None).expect("names and shapes are our own")
    }

    /// Reads weights into this network, and forgets the optimiser's state of them;
    /// nothing is changed on error.
    ///
    /// # Errors
    ///
    /// If the bytes are malformed, tensors are missing, unknown or of another shape
    /// or type, or values are not finite.
    pub fn load_safetensors(&mut self, bytes: &[u8]) -> Result<(), WeightsError> {
        let file = SafeTensors::deserialize(bytes)?;
        self.refuse_unknown(&file)?;
        let read: Result<Vec<Read>, WeightsError> = self
            .tensors
            .iter()
            .map(|tensor| Read::of(&file, tensor))
            .collect();
        for (tensor, read) in self.tensors.iter_mut().zip(read?) {
            tensor.kept = read.kept;
            tensor.data = read.data;
            tensor.mean.clear();
            tensor.square.clear();
            tensor.refresh();
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

impl Read {
    fn of(file: &SafeTensors<'_>, tensor: &Tensor) -> Result<Self, WeightsError> {
        let name = &tensor.name;
        if tensor.kept.is_none() {
            let data = read_f32(file, name, &tensor.shape)?;
            return Ok(Self { kept: None, data });
        }
        let mask = format!("{name}{MASK_SUFFIX}");
        let bits = read_bytes(file, &mask, &mask_shape(&tensor.shape), Dtype::U8)?;
        // What is kept is counted before there is memory for it.
        let by_row = read_f32(file, name, &[ones(bits)])?;
        let kept = from_bits(tensor.shape[0], tensor.shape[1], bits);
        let kept = kept.ok_or(WeightsError::Value(mask))?;
        Ok(Self {
            data: kept.by_entry(&by_row),
            kept: Some(kept),
        })
    }
}

/// Returns a masked kernel of a file, whole, with zeros where nothing is kept: its
/// shape and its values; `None` if the file has no masked kernel of this name.
pub fn masked_kernel(file: &SafeTensors<'_>, name: &str) -> Option<([usize; 2], Vec<f32>)> {
    let mask = file.tensor(&format!("{name}{MASK_SUFFIX}")).ok()?;
    let &[inputs, width] = mask.shape() else {
        return None;
    };
    let by_row = read_f32(file, name, &[ones(mask.data())]).ok()?;
    let rows = || mask.data().chunks(width.max(1));
    // Every output is connected.
    let outputs = rows().flat_map(|row| kept_of(row).max()).max()? + 1;
    let mut kernel = vec![0.0; inputs * outputs];
    let places = rows()
        .enumerate()
        .flat_map(|(input, row)| kept_of(row).map(move |output| input * outputs + output));
    for (place, value) in places.zip(by_row) {
        kernel[place] = value;
    }
    Some(([inputs, outputs], kernel))
}

/// Returns whether a tensor of a file is a mask.
pub fn is_mask(file: &SafeTensors<'_>, name: &str) -> bool {
    let kernel = name.strip_suffix(MASK_SUFFIX);
    kernel.is_some_and(|kernel| file.tensor(kernel).is_ok())
}

/// Returns the shape of a kernel's mask.
fn mask_shape(kernel: &[usize]) -> Vec<usize> {
    vec![kernel[0], kernel[1].div_ceil(BITS)]
}

fn to_bits(kept: &Kept) -> Vec<u8> {
    let (inputs, outputs) = kept.shape();
    let width = outputs.div_ceil(BITS);
    let mut bits = vec![0; inputs * width];
    for (input, row) in bits.chunks_mut(width.max(1)).enumerate() {
        for output in kept.outputs_of(input) {
            row[output / BITS] |= 1 << (output % BITS);
        }
    }
    bits
}

fn ones(bits: &[u8]) -> usize {
    bits.iter().map(|eight| eight.count_ones() as usize).sum()
}

/// Returns which outputs a row of a mask keeps, ascending.
fn kept_of(row: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let bits = |(byte, &eight): (usize, &u8)| {
        let set = (0..BITS).filter(move |bit| eight >> bit & 1 == 1);
        set.map(move |bit| byte * BITS + bit)
    };
    row.iter().enumerate().flat_map(bits)
}

/// Returns the pattern, unless a bit lies beyond a row's end.
fn from_bits(inputs: usize, outputs: usize, bits: &[u8]) -> Option<Kept> {
    let (mut offsets, mut indices) = (vec![0], Vec::with_capacity(ones(bits)));
    for row in bits.chunks(outputs.div_ceil(BITS).max(1)) {
        if kept_of(row).any(|output| output >= outputs) {
            return None;
        }
        indices.extend(kept_of(row).map(|output| output as u32));
        offsets.push(indices.len() as u32);
    }
    (offsets.len() == inputs + 1).then(|| Kept::from_rows(inputs, outputs, offsets, indices))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::parameters::TensorId;
    use crate::nn::parameters::add_kernel;
    use crate::nn::random::Stream;

    fn with_weights(mut parameters: Parameters) -> (Parameters, TensorId, TensorId) {
        let mut stream = Stream::new(5);
        let masked = add_kernel(&mut parameters, "b/masked", (6, 11), 0.3, 0.0, &mut stream);
        add_kernel(&mut parameters, "c/whole", (3, 2), 1.0, 0.0, &mut stream);
        add_kernel(&mut parameters, "d/groups", (11, 20), 0.3, 0.0, &mut stream);
        let bias = parameters.add("a/bias", &[4], vec![0.5; 4], 0.0);
        (parameters, masked, bias)
    }

    fn network() -> (Parameters, TensorId, TensorId) {
        with_weights(Parameters::new())
    }

    #[test]
    fn weights_survive_the_file_with_their_mask() {
        let (written, masked, _) = network();
        let bytes = written.to_safetensors();
        for into in [Parameters::new(), Parameters::unset()] {
            let (mut read, ..) = with_weights(into);
            read.update(masked, |values| values.fill(9.0));
            read.load_safetensors(&bytes).unwrap();
            assert_eq!(read.dense(masked), written.dense(masked));
            assert_eq!(read.values(masked), written.values(masked));
            let groups = read.find("d/groups").unwrap();
            assert!(read.kept(groups).unwrap().0.is_grouped());
            assert_eq!(read.dense(groups), written.dense(groups));
            assert_eq!(read.values(groups), written.values(groups));
            assert_eq!(read.to_safetensors(), bytes);
        }
    }

    #[test]
    fn a_masked_kernel_takes_the_room_of_what_is_kept() {
        let (written, masked, _) = network();
        let bytes = written.to_safetensors();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (kept, by_row) = written.kept(masked).unwrap();
        let values = file.tensor("b/masked").unwrap();
        assert_eq!(values.shape(), [kept.stored()]);
        assert_eq!(
            read_f32(&file, "b/masked", &[kept.stored()]).unwrap(),
            by_row
        );
        let mask = file.tensor("b/masked.mask").unwrap();
        assert_eq!(mask.shape(), [6, 2]);
        let bit = |at: usize| mask.data()[at / 11 * 2 + at % 11 / 8] >> (at % 11 % 8) & 1 == 1;
        let read: Vec<bool> = (0..66).map(bit).collect();
        assert_eq!(read, kept.mask());
    }

    #[test]
    fn a_mask_with_bits_beyond_its_rows_is_refused() {
        let (mut parameters, ..) = network();
        let bytes = parameters.to_safetensors();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mask = file.tensor("b/masked.mask").unwrap().data();
        let at = mask.as_ptr() as usize - bytes.as_ptr() as usize;
        let mut longer = bytes.clone();
        // One bit moves beyond the row's end: as many are kept as before.
        let last = (0..3).find(|bit| longer[at + 1] >> bit & 1 == 1).unwrap();
        longer[at + 1] ^= 1 << last | 0b1000;
        let error = parameters.load_safetensors(&longer);
        assert!(matches!(error, Err(WeightsError::Value(name)) if name == "b/masked.mask"));
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
    fn a_masked_kernel_of_a_file_is_whole_again() {
        let (written, masked, _) = network();
        let bytes = written.to_safetensors();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let kernel = ([6, 11], written.dense(masked));
        assert_eq!(masked_kernel(&file, "b/masked"), Some(kernel));
        let groups = written.dense(written.find("d/groups").unwrap());
        assert_eq!(masked_kernel(&file, "d/groups"), Some(([11, 20], groups)));
        assert_eq!(masked_kernel(&file, "c/whole"), None);
        assert!(is_mask(&file, "b/masked.mask") && !is_mask(&file, "b/masked"));
    }

    #[test]
    fn a_mask_of_ones_beside_few_values_is_refused_by_their_number() {
        let (mut parameters, ..) = network();
        let bytes = parameters.to_safetensors();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mask = file.tensor("b/masked.mask").unwrap().data();
        let at = mask.as_ptr() as usize - bytes.as_ptr() as usize;
        let mut full = bytes.clone();
        full[at..at + 12].fill(0xff);
        let error = parameters.load_safetensors(&full);
        assert!(
            matches!(error, Err(WeightsError::Shape { .. })),
            "{error:?}"
        );
    }
}
