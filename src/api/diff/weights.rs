//! Compares the weights of two models, tensor by tensor.

use std::collections::BTreeSet;

use safetensors::Dtype;
use safetensors::SafeTensors;
use serde::Serialize;

use crate::nn::is_mask;
use crate::nn::masked_kernel;

/// A tensor that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorDiff {
    /// The file in the archive.
    pub file: String,
    /// The tensor's name.
    pub name: String,
    /// How it differs.
    pub state: TensorState,
    /// Its shape in the second model, or in the first if it is gone.
    pub shape: Vec<usize>,
    /// Its shape in the first model, if that was another.
    pub old_shape: Option<Vec<usize>>,
    /// The largest distance of two numbers at the same place; none unless both
    /// tensors have the same shape and hold 32-bit floats.
    pub max_abs: Option<f64>,
    /// The cosine of the angle between the two tensors as vectors; none where
    /// `max_abs` is, and when one is zero.
    pub cosine: Option<f64>,
}

/// How a tensor differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TensorState {
    /// Same shape, other numbers.
    Changed,
    /// Another shape or type.
    Reshaped,
    /// Only in the second model.
    Added,
    /// Only in the first model.
    Removed,
}

/// Adds the tensors that differ to `diffs`; returns how many there are in either.
/// Bytes that are no weights count as none: that the file differs is told anyway.
pub fn compare(
    file: &str,
    old: Option<&[u8]>,
    new: Option<&[u8]>,
    diffs: &mut Vec<TensorDiff>,
) -> usize {
    let (old, new) = (parsed(old), parsed(new));
    let mut names = BTreeSet::new();
    for tensors in [&old, &new].into_iter().flatten() {
        // A mask is told by the zeros of its kernel.
        names.extend(
            tensors
                .names()
                .into_iter()
                .filter(|name| !is_mask(tensors, name)),
        );
    }
    for name in &names {
        let tensor = |side: &Option<SafeTensors<'_>>| {
            let file = side.as_ref()?;
            if let Some((shape, kernel)) = masked_kernel(file, name) {
                let bytes = kernel.iter().flat_map(|value| value.to_le_bytes());
                return Some((Dtype::F32, shape.to_vec(), bytes.collect()));
            }
            let found = file.tensor(name).ok()?;
            Some((found.dtype(), found.shape().to_vec(), found.data().to_vec()))
        };
        if let Some(diff) = compared(file, name, tensor(&old), tensor(&new)) {
            diffs.push(diff);
        }
    }
    names.len()
}

fn parsed(bytes: Option<&[u8]>) -> Option<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes?).ok()
}

/// Type, shape and bytes of a tensor.
type Tensor = (Dtype, Vec<usize>, Vec<u8>);

fn compared(
    file: &str,
    name: &str,
    old: Option<Tensor>,
    new: Option<Tensor>,
) -> Option<TensorDiff> {
    let mut diff = TensorDiff {
        file: file.to_owned(),
        name: name.to_owned(),
        state: TensorState::Changed,
        shape: Vec::new(),
        old_shape: None,
        max_abs: None,
        cosine: None,
    };
    match (old, new) {
        (Some(old), Some(new)) if old == new => return None,
        (None, None) => return None,
        (Some(old), None) => (diff.state, diff.shape) = (TensorState::Removed, old.1),
        (None, Some(new)) => (diff.state, diff.shape) = (TensorState::Added, new.1),
        (Some(old), Some(new)) if (&old.0, &old.1) != (&new.0, &new.1) => {
            diff.state = TensorState::Reshaped;
            diff.old_shape = Some(old.1);
            diff.shape = new.1;
        }
        (Some(old), Some(new)) => {
            if new.0 == Dtype::F32 {
                let distance = distance(&floats(&old.2), &floats(&new.2));
                (diff.max_abs, diff.cosine) = (Some(distance.0), distance.1);
            }
            diff.shape = new.1;
        }
    }
    Some(diff)
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    let each = bytes.chunks_exact(4);
    each.map(|four| f64::from(f32::from_le_bytes([four[0], four[1], four[2], four[3]])))
        .collect()
}

/// Largest distance, and cosine unless one side is zero. Sums run in `f64`, left
/// to right.
fn distance(old: &[f64], new: &[f64]) -> (f64, Option<f64>) {
    let (mut largest, mut dot, mut old_squares, mut new_squares) = (0.0f64, 0.0, 0.0, 0.0);
    for (a, b) in old.iter().zip(new) {
        largest = largest.max((a - b).abs());
        dot += a * b;
        old_squares += a * a;
        new_squares += b * b;
    }
    let length = f64::sqrt(old_squares * new_squares);
    (largest, (length > 0.0).then(|| dot / length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Parameters;
    use crate::nn::Stream;
    use crate::nn::add_kernel;

    #[test]
    fn masked_kernels_are_compared_place_by_place() {
        let network = |seed| {
            let (mut parameters, mut stream) = (Parameters::new(), Stream::new(seed));
            add_kernel(&mut parameters, "k", (9, 16), 0.2, 0.0, &mut stream);
            parameters
        };
        let (old, new) = (network(1), network(2));
        let mut diffs = Vec::new();
        let count = compare(
            "weights",
            Some(&old.to_safetensors()),
            Some(&new.to_safetensors()),
            &mut diffs,
        );
        assert_eq!(count, 1);
        let whole = |parameters: &Parameters| -> Vec<f64> {
            let id = parameters.find("k").unwrap();
            parameters.dense(id).into_iter().map(f64::from).collect()
        };
        let (largest, cosine) = distance(&whole(&old), &whole(&new));
        assert_eq!(diffs[0].name, "k");
        assert_eq!(diffs[0].state, TensorState::Changed);
        assert_eq!(diffs[0].shape, [9, 16]);
        assert_eq!((diffs[0].max_abs, diffs[0].cosine), (Some(largest), cosine));
    }

    #[test]
    fn distances_are_those_of_school() {
        assert_eq!(distance(&[3.0, 4.0], &[4.0, 3.0]), (1.0, Some(0.96)));
        assert_eq!(distance(&[1.0, 0.0], &[-2.0, 0.0]), (3.0, Some(-1.0)));
        assert_eq!(distance(&[0.0], &[1.0]), (1.0, None));
    }
}
