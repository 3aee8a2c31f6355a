//! The optimiser.

use rayon::prelude::*;

use crate::matrix::AdamStep;
use crate::matrix::adam_update;
use crate::matrix::add;
use crate::nn::gradients::Gradients;
use crate::nn::parameters::Parameters;
use crate::nn::parameters::Tensor;
use crate::nn::parameters::TensorId;

/// Elements that one thread updates at a time; the result does not depend on it.
const CHUNK: usize = 16 * 1024;

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

#[cfg(test)]
mod tests {
    use super::*;

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
