//! Which weights of a masked kernel are kept, and products with them.

use super::KeptRows;
use super::Write;
use super::kept_gradient;
use super::kept_product;
use super::simd_groups::GROUP;
use super::simd_groups::Groups;
use super::simd_groups::group_back;
use super::simd_groups::group_forward;
use super::simd_groups::group_gradient;

/// The kept weights of a kernel `[inputs, outputs]`, seen from both sides.
///
/// If each [`GROUP`] of neighbouring outputs keeps the same inputs, weights are held, and
/// multiplied, by groups; else each for itself. The sums are the same ones.
///
/// Weights are stored compactly, in *entry order*: groups of outputs ascending, within a
/// group the inputs ascending, and of an input its outputs ascending. Of single weights,
/// that is by outputs and then by inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    inputs: usize,
    outputs: usize,
    /// Outputs of a group: [`GROUP`], or 1 for single weights.
    group: usize,
    /// `[groups + 1]` and per entry the input.
    offsets: Vec<u32>,
    indices: Vec<u32>,
    /// The same by input: `[inputs + 1]`, the group, and the entry it is.
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
        assert!(
            back_indices
                .iter()
                .all(|&output| (output as usize) < outputs)
        );
        let is_even = outputs.is_multiple_of(GROUP);
        let groups = is_even.then(|| whole_groups(&back_offsets, &back_indices));
        match groups.flatten() {
            Some((offsets, indices)) => Self::of(inputs, outputs, GROUP, offsets, indices),
            None => Self::of(inputs, outputs, 1, back_offsets, back_indices),
        }
    }

    /// Returns the pattern of which the groups of each input are given.
    fn of(
        inputs: usize,
        outputs: usize,
        group: usize,
        back_offsets: Vec<u32>,
        back_indices: Vec<u32>,
    ) -> Self {
        // Sorted by group, counting.
        let mut offsets = vec![0; outputs / group + 1];
        for &group in &back_indices {
            offsets[group as usize + 1] += 1;
        }
        for group in 0..offsets.len() - 1 {
            offsets[group + 1] += offsets[group];
        }
        let mut next = offsets.clone();
        let mut indices = vec![0; back_indices.len()];
        let mut back_entries = Vec::with_capacity(back_indices.len());
        for input in 0..inputs {
            let row = back_offsets[input] as usize..back_offsets[input + 1] as usize;
            for &group in &back_indices[row] {
                let entry = next[group as usize];
                next[group as usize] += 1;
                indices[entry as usize] = input as u32;
                back_entries.push(entry);
            }
        }
        Self {
            inputs,
            outputs,
            group,
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
        self.indices.len() * self.group
    }

    /// Returns whether weights are held by groups of [`GROUP`] outputs.
    pub fn is_grouped(&self) -> bool {
        self.group == GROUP
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
        let mut weights = vec![0.0; self.stored()];
        for (place, at) in self.places() {
            weights[at] = kernel[place];
        }
        weights
    }

    /// Returns the kernel `[inputs, outputs]`, with zeros where nothing is kept.
    pub fn expand(&self, weights: &[f32]) -> Vec<f32> {
        let mut kernel = vec![0.0; self.inputs * self.outputs];
        for (place, at) in self.places() {
            kernel[place] = weights[at];
        }
        kernel
    }

    /// Returns each kept weight's place in the row-major kernel, ascending, and its
    /// place in entry order.
    fn places(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        (0..self.inputs).flat_map(move |input| {
            self.row(input).flat_map(move |at| {
                let first = input * self.outputs + self.back_indices[at] as usize * self.group;
                let weight = self.back_entries[at] as usize * self.group;
                (0..self.group).map(move |output| (first + output, weight + output))
            })
        })
    }

    /// Returns where the groups of an input are, in `back_indices`.
    fn row(&self, input: usize) -> std::ops::Range<usize> {
        self.back_offsets[input] as usize..self.back_offsets[input + 1] as usize
    }

    /// Returns the weights in the order of the kernel: row by row.
    ///
    /// # Panics
    ///
    /// If there is not one weight for each that is kept.
    pub fn by_row(&self, weights: &[f32]) -> Vec<f32> {
        assert_eq!(weights.len(), self.stored());
        self.places().map(|(_, at)| weights[at]).collect()
    }

    /// Returns weights that are ordered row by row in entry order: what
    /// [`Kept::by_row`] does, undone.
    ///
    /// # Panics
    ///
    /// If there is not one weight for each that is kept.
    pub fn by_entry(&self, by_row: &[f32]) -> Vec<f32> {
        assert_eq!(by_row.len(), self.stored());
        let mut weights = vec![0.0; by_row.len()];
        for ((_, at), &weight) in self.places().zip(by_row) {
            weights[at] = weight;
        }
        weights
    }

    /// Reorders single weights by input, as [`Kept::input_gradient`] wants them; leaves
    /// `transposed` empty where weights are grouped, which are read from both sides.
    ///
    /// # Panics
    ///
    /// If there is not one weight for each that is kept.
    pub fn transpose(&self, weights: &[f32], transposed: &mut Vec<f32>) {
        assert_eq!(weights.len(), self.stored());
        transposed.clear();
        if !self.is_grouped() {
            let entries = self.back_entries.iter();
            transposed.extend(entries.map(|&entry| weights[entry as usize]));
        }
    }

    /// Returns the outputs whose weight of an input is kept, ascending.
    pub fn outputs_of(&self, input: usize) -> impl Iterator<Item = usize> + '_ {
        let groups = self.back_indices[self.row(input)].iter();
        groups.flat_map(move |&group| {
            let first = group as usize * self.group;
            first..first + self.group
        })
    }

    fn singles_by_output(&self) -> KeptRows<'_> {
        KeptRows::trusted(&self.offsets, &self.indices, self.inputs)
    }

    fn singles_by_input(&self) -> KeptRows<'_> {
        KeptRows::trusted(&self.back_offsets, &self.back_indices, self.outputs)
    }

    fn groups(&self) -> Groups<'_> {
        Groups {
            offsets: &self.offsets,
            indices: &self.indices,
            inputs: self.inputs,
        }
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
        if self.is_grouped() {
            group_forward(self.groups(), weights, start, x, y, width);
        } else {
            let (rows, write) = (self.singles_by_output(), Write::Replace);
            kept_product(rows, weights, start, x, y, width, write);
        }
    }

    /// Computes `dx = Wᵀ·dy`, or adds it; `transposed` is what [`Kept::transpose`]
    /// makes of the weights.
    pub fn input_gradient(
        &self,
        weights: &[f32],
        transposed: &[f32],
        dy: &[f32],
        dx: &mut [f32],
        width: usize,
        write: Write,
    ) {
        if self.is_grouped() {
            group_back(self.groups(), weights, dy, dx, width, write);
        } else {
            let rows = self.singles_by_input();
            kept_product(rows, transposed, None, dy, dx, width, write);
        }
    }

    /// Adds the gradient of each kept weight.
    pub fn weight_gradient(&self, x: &[f32], dy: &[f32], width: usize, gradient: &mut [f32]) {
        if self.is_grouped() {
            group_gradient(self.groups(), x, dy, width, gradient);
        } else {
            kept_gradient(self.singles_by_output(), x, dy, width, gradient);
        }
    }
}

/// Returns which groups of outputs each input keeps, as [`Kept::from_rows`] has single
/// outputs, or `None` if part of a group is kept.
fn whole_groups(offsets: &[u32], indices: &[u32]) -> Option<(Vec<u32>, Vec<u32>)> {
    let mut group_offsets = Vec::with_capacity(offsets.len());
    for &offset in offsets {
        group_offsets.push(offset / GROUP as u32);
        if !offset.is_multiple_of(GROUP as u32) {
            return None;
        }
    }
    let is_whole = |group: &[u32; GROUP]| {
        let first = group[0] - group[0] % GROUP as u32;
        (first..).zip(group).all(|(want, &output)| output == want)
    };
    let (groups, _) = indices.as_chunks::<GROUP>();
    let group_indices = groups.iter().map(|group| group[0] / GROUP as u32);
    let all = groups.iter().all(is_whole);
    all.then(|| (group_offsets, group_indices.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::simd::tests::same_on_all_levels;
    use crate::matrix::simd_products::tests::naive;
    use crate::matrix::simd_products::tests::noise;

    /// A mask of groups: two of them and an input keep nothing, one group keeps all.
    fn mask_of_groups(inputs: usize, outputs: usize) -> Vec<bool> {
        let draws = noise(inputs * outputs, 5);
        let of = |input: usize, output: usize| match output {
            4 | 12 => false,
            8 => true,
            _ => input != 5 && draws[input * outputs + output] < -0.4,
        };
        (0..inputs * outputs)
            .map(|at| of(at / outputs, at % outputs / GROUP * GROUP))
            .collect()
    }

    fn singles(kept: &Kept) -> Kept {
        let (inputs, outputs) = kept.shape();
        let (mut offsets, mut indices) = (vec![0], Vec::new());
        for input in 0..inputs {
            indices.extend(kept.outputs_of(input).map(|output| output as u32));
            offsets.push(indices.len() as u32);
        }
        Kept::of(inputs, outputs, 1, offsets, indices)
    }

    #[test]
    fn kernels_survive_compaction_and_both_sides_multiply_alike() {
        for (inputs, outputs, grouped) in [(5, 3, false), (8, 4, false), (41, 28, true)] {
            let count = inputs * outputs;
            let mask = match grouped {
                true => mask_of_groups(inputs, outputs),
                false => (0..count).map(|k| k % 4 != 1).collect(),
            };
            let kept = Kept::from_mask(inputs, outputs, &mask);
            assert_eq!(kept.is_grouped(), grouped);
            assert_eq!(kept.mask(), mask);
            let kernel: Vec<f32> = (0..count)
                .map(|k| if mask[k] { k as f32 - 6.5 } else { 0.0 })
                .collect();
            let weights = kept.compact(&kernel);
            assert_eq!(kept.expand(&weights), kernel);
            let by_row: Vec<f32> = (0..count).filter(|&k| mask[k]).map(|k| kernel[k]).collect();
            assert_eq!(kept.by_row(&weights), by_row);
            assert_eq!(kept.by_entry(&by_row), weights);
            multiplies(&kept, &kernel);
        }
    }

    /// Checks the products of whole numbers, which no order of summation changes.
    #[track_caller]
    fn multiplies(kept: &Kept, kernel: &[f32]) {
        let ((inputs, outputs), width) = (kept.shape(), 16);
        let weights = kept.compact(kernel);
        let start: Vec<f32> = (0..outputs).map(|o| o as f32 + 1.0).collect();
        let x: Vec<f32> = (0..inputs * width).map(|k| (k % 7) as f32).collect();
        let dy: Vec<f32> = (0..outputs * width).map(|k| (k % 5) as f32).collect();
        let mut y = vec![f32::NAN; outputs * width];
        kept.forward(&weights, Some(&start), &x, &mut y, width);
        let mut transposed = Vec::new();
        kept.transpose(&weights, &mut transposed);
        let mut dx = vec![f32::NAN; inputs * width];
        let write = Write::Replace;
        kept.input_gradient(&weights, &transposed, &dy, &mut dx, width, write);
        for t in 0..width {
            for o in 0..outputs {
                let products = (0..inputs).map(|i| kernel[i * outputs + o] * x[i * width + t]);
                assert_eq!(y[o * width + t], products.sum::<f32>() + start[o]);
            }
            for i in 0..inputs {
                let products = (0..outputs).map(|o| kernel[i * outputs + o] * dy[o * width + t]);
                assert_eq!(dx[i * width + t], products.sum::<f32>());
            }
        }
    }

    #[test]
    fn only_masks_of_whole_groups_are_held_by_groups() {
        let mask = mask_of_groups(40, 28);
        assert!(Kept::from_mask(40, 28, &mask).is_grouped());
        for at in [0, 39 * 28 + 27, 5 * 28 + 9] {
            let mut other = mask.clone();
            other[at] = !other[at];
            let kept = Kept::from_mask(40, 28, &other);
            assert!(!kept.is_grouped());
            assert_eq!(kept.mask(), other);
        }
        // Fours that do not begin at a multiple of four.
        let shifted: Vec<bool> = (0..64).map(|k| (2..6).contains(&(k % 8))).collect();
        assert!(!Kept::from_mask(8, 8, &shifted).is_grouped());
        assert!(!Kept::from_mask(8, 6, &[true; 48]).is_grouped());
    }

    #[test]
    fn groups_have_the_bits_of_dense_products_with_zeros() {
        let (inputs, outputs) = (65, 44);
        let kept = Kept::from_mask(inputs, outputs, &mask_of_groups(inputs, outputs));
        let weights = noise(kept.stored(), 6);
        let kernel = kept.expand(&weights);
        let mut transposed = vec![0.0; kernel.len()];
        for (at, &weight) in kernel.iter().enumerate() {
            transposed[at % outputs * inputs + at / outputs] = weight;
        }
        for width in [16, 48, 112, 128, 240] {
            let (x, dy) = (noise(inputs * width, 7), noise(outputs * width, 8));
            let y = same_on_all_levels(|| {
                let mut y = vec![f32::NAN; outputs * width];
                kept.forward(&weights, None, &x, &mut y, width);
                y
            });
            assert_eq!(y, naive((outputs, width, inputs), &transposed, &x));
            let dx = same_on_all_levels(|| {
                let mut dx = vec![f32::NAN; inputs * width];
                kept.input_gradient(&weights, &[], &dy, &mut dx, width, Write::Replace);
                dx
            });
            assert_eq!(dx, naive((inputs, width, outputs), &kernel, &dy));
        }
    }

    #[test]
    fn groups_have_the_bits_of_their_single_weights() {
        let (inputs, outputs) = (65, 44);
        let kept = Kept::from_mask(inputs, outputs, &mask_of_groups(inputs, outputs));
        let single = singles(&kept);
        let weights = noise(kept.stored(), 6);
        let of_single = single.compact(&kept.expand(&weights));
        let mut transposed = Vec::new();
        single.transpose(&of_single, &mut transposed);
        let start = noise(outputs, 9);
        for width in [16, 80, 128] {
            let (x, dy) = (noise(inputs * width, 7), noise(outputs * width, 8));
            let all = |kept: &Kept, weights: &[f32]| {
                same_on_all_levels(|| {
                    let mut y = vec![f32::NAN; outputs * width];
                    kept.forward(weights, Some(&start), &x, &mut y, width);
                    let mut dx = x.clone();
                    kept.input_gradient(weights, &transposed, &dy, &mut dx, width, Write::Add);
                    let mut gradient = vec![0.5; kept.stored()];
                    kept.weight_gradient(&x, &dy, width, &mut gradient);
                    [y, dx, kept.by_row(&gradient)].concat()
                })
            };
            assert_eq!(all(&kept, &weights), all(&single, &of_single));
        }
    }
}
