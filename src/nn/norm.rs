//! Layer normalisation over the features of each lane.

use crate::matrix::Panel;
use crate::matrix::layer_norm;
use crate::matrix::layer_norm_backward;
use crate::nn::gradients::Gradients;
use crate::nn::parameters::Parameters;
use crate::nn::parameters::TensorId;

/// ε, inside the square root (Rasa 3).
const EPSILON: f32 = 1e-6;

/// Layer normalisation with gain and bias, `[features]` each.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    /// γ, 1 at first.
    pub gain: TensorId,
    /// β, 0 at first.
    pub bias: TensorId,
}

/// Mean and inverse deviation of each lane, for the way back.
#[derive(Clone, Debug, Default)]
pub struct LayerNormCache {
    mean: Vec<f32>,
    inverse: Vec<f32>,
}

impl LayerNorm {
    /// Adds `<name>/gamma` and `<name>/beta`.
    pub fn new(parameters: &mut Parameters, name: &str, features: usize) -> Self {
        let ones = vec![1.0; features];
        let zeros = vec![0.0; features];
        Self {
            gain: parameters.add(&format!("{name}/gamma"), &[features], ones, 0.0),
            bias: parameters.add(&format!("{name}/beta"), &[features], zeros, 0.0),
        }
    }

    /// Normalises each lane.
    pub fn forward(
        &self,
        parameters: &Parameters,
        x: &Panel,
        y: &mut Panel,
        cache: &mut LayerNormCache,
    ) {
        y.reshape(x.features(), x.width());
        cache.mean.resize(x.width(), 0.0);
        cache.inverse.resize(x.width(), 0.0);
        layer_norm(
            &x.data,
            parameters.values(self.gain),
            parameters.values(self.bias),
            EPSILON,
            &mut y.data,
            &mut cache.mean,
            &mut cache.inverse,
        );
    }

    /// Replaces the gradient of the output by that of the input `x`, and adds those of
    /// gain and bias.
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        x: &Panel,
        cache: &LayerNormCache,
        dy: &mut Panel,
    ) {
        // Two tensors at once: one is taken out while the other is borrowed.
        let mut to_gain = vec![0.0; x.features()];
        let to_bias = gradients.of(parameters, self.bias);
        let gain = parameters.values(self.gain);
        layer_norm_backward(
            &x.data,
            gain,
            &cache.mean,
            &cache.inverse,
            &mut dy.data,
            &mut to_gain,
            to_bias,
        );
        let sums = gradients.of(parameters, self.gain).iter_mut();
        for (sum, value) in sums.zip(to_gain) {
            *sum += value;
        }
    }
}
