//! Gradients of the weights, in slots that are added up in a fixed order.

use rayon::prelude::*;

use crate::nn::parameters::Parameters;
use crate::nn::parameters::TensorId;

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
/// `slots` is made as long as needed and cleared first; pass it to [`Adam::step`](crate::nn::Adam::step).
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
