//! Which weights of a masked kernel are kept, and products with them.

use super::KeptRows;
use super::Write;
use super::kept_gradient;
use super::kept_product;

/// The kept weights of a kernel `[inputs, outputs]`, seen from both sides.
///
/// Weights are stored compactly, in *entry order*: outputs ascending, and within
/// an output the inputs ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    inputs: usize,
    outputs: usize,
    /// `[outputs + 1]` and per entry the input.
    offsets: Vec<u32>,
    indices: Vec<u32>,
    /// The same by input: `[inputs + 1]`, the output, and the entry it is.
    back_offsets: Vec<u32>,
    back_indices: Vec<u32>,
    back_entries: Vec<u32>,
}

impl Kept {
    /// Returns the pattern of a mask, row-major `[inputs, outputs]`.
    ///
    /// # Panics
    ///
    /// If the mask has another length.
    pub fn from_mask(inputs: usize, outputs: usize, mask: &[bool]) -> Self {
        assert_eq!(mask.len(), inputs * outputs);
        let (mut back_offsets, mut back_indices) = (vec![0], Vec::new());
        for input in 0..inputs {
            let row = &mask[input * outputs..(input + 1) * outputs];
            back_indices.extend((0..outputs as u32).filter(|&output| row[output as usize]));
            back_offsets.push(back_indices.len() as u32);
        }
        Self::from_rows(inputs, outputs, back_offsets, back_indices)
    }

    /// Returns the pattern that keeps nothing.
    pub fn none(inputs: usize, outputs: usize) -> Self {
        Self::from_rows(inputs, outputs, vec![0; inputs + 1], Vec::new())
    }

    /// Returns the pattern of which the outputs of each input are given: those of input
    /// i are `back_indices[back_offsets[i]..back_offsets[i + 1]]`, ascending.
    ///
    /// # Panics
    ///
    /// If an output does not exist, or the offsets do not fit.
    pub fn from_rows(
        inputs: usize,
        outputs: usize,
        back_offsets: Vec<u32>,
        back_indices: Vec<u32>,
    ) -> Self {
        assert!(back_offsets.len() == inputs + 1 && back_offsets.is_sorted());
        assert_eq!(back_offsets[inputs] as usize, back_indices.len());
        // Sorted by output, counting.
        let mut offsets = vec![0; outputs + 1];
        for &output in &back_indices {
            offsets[output as usize + 1] += 1;
        }
        for output in 0..outputs {
            offsets[output + 1] += offsets[output];
        }
        let mut next = offsets.clone();
        let mut indices = vec![0; back_indices.len()];
        let mut back_entries = Vec::with_capacity(back_indices.len());
        for input in 0..inputs {
            let row = back_offsets[input] as usize..back_offsets[input + 1] as usize;
            for &output in &back_indices[row] {
                let entry = next[output as usize];
                next[output as usize] += 1;
                indices[entry as usize] = input as u32;
                back_entries.push(entry);
            }
        }
        Self {
            inputs,
            outputs,
            offsets,
            indices,
            back_offsets,
            back_indices,
            back_entries,
        }
    }

    /// Returns `(inputs, outputs)`.
    pub fn shape(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    /// Returns the number of kept weights.
    pub fn stored(&self) -> usize {
        self.indices.len()
    }

    /// Returns the mask, row-major `[inputs, outputs]`.
    pub fn mask(&self) -> Vec<bool> {
        let mut mask = vec![false; self.inputs * self.outputs];
        for (place, _) in self.places() {
            mask[place] = true;
        }
        mask
    }

    /// Returns the kept weights of a kernel `[inputs, outputs]`.
    ///
    /// # Panics
    ///
    /// If the kernel has another size.
    pub fn compact(&self, kernel: &[f32]) -> Vec<f32> {
        assert_eq!(kernel.len(), self.inputs * self.outputs);
        self.places().map(|(place, _)| kernel[place]).collect()
    }

    /// Returns the kernel `[inputs, outputs]`, with zeros where nothing is kept.
    pub fn expand(&self, weights: &[f32]) -> Vec<f32> {
        let mut kernel = vec![0.0; self.inputs * self.outputs];
        for (place, entry) in self.places() {
            kernel[place] = weights[entry];
        }
        kernel
    }

    /// Returns the place in the row-major kernel of each entry.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.outputs).flat_map(move |output| {
            (self.offsets[output] as usize..self.offsets[output + 1] as usize)
                .map(move |entry| (self.indices[entry] as usize * self.outputs + output, entry))
        })
    }

    /// Reorders weights by input, as [`Kept::input_gradient`] wants them.
    ///
    /// # Panics
    ///
    /// If there is not one weight per entry.
    pub fn transpose(&self, weights: &[f32], transposed: &mut Vec<f32>) {
        assert_eq!(weights.len(), self.stored());
        transposed.clear();
        transposed.extend(
            self.back_entries
                .iter()
                .map(|&entry| weights[entry as usize]),
        );
    }

    /// Returns weights that are ordered by input in entry order: what
    /// [`Kept::transpose`] does, undone.
    ///
    /// # Panics
    ///
    /// If there is not one weight per entry.
    pub fn by_entry(&self, transposed: &[f32]) -> Vec<f32> {
        assert_eq!(transposed.len(), self.stored());
        let mut weights = vec![0.0; transposed.len()];
        for (&entry, &weight) in self.back_entries.iter().zip(transposed) {
            weights[entry as usize] = weight;
        }
        weights
    }

    /// Returns the outputs whose weight of an input is kept, ascending.
    pub fn outputs_of(&self, input: usize) -> &[u32] {
        let row = self.back_offsets[input] as usize..self.back_offsets[input + 1] as usize;
        &self.back_indices[row]
    }

    /// Returns the pattern by output, for [`kept_product`] and [`kept_gradient`].
    pub fn by_output(&self) -> KeptRows<'_> {
        KeptRows::trusted(&self.offsets, &self.indices, self.inputs)
    }

    fn by_input(&self) -> KeptRows<'_> {
        KeptRows::trusted(&self.back_offsets, &self.back_indices, self.outputs)
    }

    /// Computes `y = start + W·x` for panels `x [inputs, width]`, `y [outputs, width]`.
    pub fn forward(
        &self,
        weights: &[f32],
        start: Option<&[f32]>,
        x: &[f32],
        y: &mut [f32],
        width: usize,
    ) {
        kept_product(
            self.by_output(),
            weights,
            start,
            x,
            y,
            width,
            Write::Replace,
        );
    }

    /// Computes `dx = Wᵀ·dy`, or adds it; weights as [`Kept::transpose`] gives them.
    pub fn input_gradient(
        &self,
        transposed: &[f32],
        dy: &[f32],
        dx: &mut [f32],
        width: usize,
        write: Write,
    ) {
        kept_product(self.by_input(), transposed, None, dy, dx, width, write);
    }

    /// Adds the gradient of each kept weight.
    pub fn weight_gradient(&self, x: &[f32], dy: &[f32], width: usize, gradient: &mut [f32]) {
        kept_gradient(self.by_output(), x, dy, width, gradient);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_survive_compaction_and_both_sides_multiply_alike() {
        let (inputs, outputs, width) = (5, 3, 16);
        let mask: Vec<bool> = (0..15).map(|k| k % 4 != 1).collect();
        let kept = Kept::from_mask(inputs, outputs, &mask);
        assert_eq!(kept.mask(), mask);
        let kernel: Vec<f32> = (0..15)
            .map(|k| if mask[k] { k as f32 - 6.5 } else { 0.0 })
            .collect();
        let weights = kept.compact(&kernel);
        assert_eq!(kept.expand(&weights), kernel);
        let x: Vec<f32> = (0..inputs * width).map(|k| (k % 7) as f32).collect();
        let dy: Vec<f32> = (0..outputs * width).map(|k| (k % 5) as f32).collect();
        let mut y = vec![0.0; outputs * width];
        kept.forward(&weights, Some(&[1.0, 2.0, 3.0]), &x, &mut y, width);
        let mut transposed = Vec::new();
        kept.transpose(&weights, &mut transposed);
        let mut dx = vec![0.0; inputs * width];
        kept.input_gradient(&transposed, &dy, &mut dx, width, Write::Replace);
        for t in 0..width {
            for o in 0..outputs {
                let want: f32 = (0..inputs)
                    .map(|i| kernel[i * outputs + o] * x[i * width + t])
                    .sum();
                assert_eq!(y[o * width + t], want + o as f32 + 1.0);
            }
            for i in 0..inputs {
                let want: f32 = (0..outputs)
                    .map(|o| kernel[i * outputs + o] * dy[o * width + t])
                    .sum();
                assert_eq!(dx[i * width + t], want);
            }
        }
    }
}
