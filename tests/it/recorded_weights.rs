//! Weights that Rasa recorded, in the form of our own files.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use safetensors::tensor::TensorView;

/// Returns a safetensors file as Tabella writes it from one whose masks are whole
/// kernels of 0 and 1, as TensorFlow has them; `rename` gives the name of a tensor,
/// of a mask that of its kernel and `.mask`, or `None` for what is left out.
pub fn packed(recorded: &[u8], rename: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let file = SafeTensors::deserialize(recorded).unwrap();
    let mut tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> = BTreeMap::new();
    for (name, view) in file.iter() {
        if let Some(name) = rename(name) {
            let floats = view.data().as_chunks::<4>().0.iter();
            let values = floats.map(|&four| f32::from_le_bytes(four)).collect();
            let before = tensors.insert(name, (view.shape().to_vec(), values));
            assert!(before.is_none(), "two tensors have one name");
        }
    }
    let mut written: BTreeMap<&str, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, (shape, values)) in &tensors {
        if name.ends_with(".mask") {
            let row = |row: &[f32]| -> Vec<u8> {
                let eights = row.chunks(8);
                let byte = |eight: &[f32]| {
                    let bits = eight.iter().enumerate();
                    bits.fold(0, |byte, (bit, &one)| byte | u8::from(one != 0.0) << bit)
                };
                eights.map(byte).collect()
            };
            let bits = values.chunks(shape[1]).flat_map(row).collect();
            let shape = vec![shape[0], shape[1].div_ceil(8)];
            written.insert(name, (Dtype::U8, shape, bits));
            continue;
        }
        let (shape, values) = match tensors.get(&format!("{name}.mask")) {
            Some((_, mask)) => {
                let kept = values.iter().zip(mask).filter(|(_, one)| **one != 0.0);
                let kept: Vec<f32> = kept.map(|(&value, _)| value).collect();
                (vec![kept.len()], kept)
            }
            None => (shape.clone(), values.clone()),
        };
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        written.insert(name, (Dtype::F32, shape, bytes.collect()));
    }
    let views = written.iter().map(|(name, (dtype, shape, data))| {
        let view = TensorView::new(*dtype, shape.clone(), data);
        (name, view.unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}
