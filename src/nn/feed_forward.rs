//! A stack of linear layers, each followed by GELU and dropout.

use crate::matrix::Panel;
use crate::matrix::Write;
use crate::matrix::drop_elements;
use crate::matrix::gelu;
use crate::matrix::gelu_backward;
use crate::nn::gradients::Gradients;
use crate::nn::linear::Linear;
use crate::nn::linear::LinearOptions;
use crate::nn::parameters::Parameters;
use crate::nn::random::Draw;
use crate::nn::random::Stream;

/// Hidden layers (Rasa 3 `Ffnn`); without any, the identity.
#[derive(Clone, Debug)]
pub struct FeedForward {
    /// `<name>/hidden_<k>`.
    pub layers: Vec<Linear>,
    dropout: f32,
    inputs: usize,
}

/// What one panel leaves behind for the way back.
#[derive(Clone, Debug, Default)]
pub struct FeedForwardCache {
    /// Input of each layer, then the output of the last.
    between: Vec<Panel>,
    /// Each layer before its GELU.
    linear: Vec<Panel>,
    training: Option<Draw>,
}

impl FeedForward {
    /// Adds layers of the given sizes; `dropout` applies while training.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        inputs: usize,
        sizes: &[usize],
        (density, l2, dropout): (f32, f32, f32),
        stream: &mut Stream,
    ) -> Self {
        let options = LinearOptions {
            density,
            l2,
            bias: true,
        };
        let mut before = inputs;
        let mut layers = Vec::new();
        for (at, &size) in sizes.iter().enumerate() {
            let name = format!("{name}/hidden_{at}");
            layers.push(Linear::new(
                parameters,
                &name,
                (before, size),
                options,
                stream,
            ));
            before = size;
        }
        Self {
            layers,
            dropout,
            inputs,
        }
    }

    /// Returns the number of output features.
    pub fn outputs(&self) -> usize {
        self.layers
            .last()
            .map_or(self.inputs, |layer| layer.outputs)
    }

    /// Returns whether anything is dropped while training.
    pub fn drops(&self) -> bool {
        self.dropout > 0.0 && !self.layers.is_empty()
    }

    /// Computes the outputs of all lanes; `training` switches dropout on.
    pub fn forward(
        &self,
        parameters: &Parameters,
        training: Option<Draw>,
        x: &Panel,
        cache: &mut FeedForwardCache,
        y: &mut Panel,
    ) {
        cache
            .between
            .resize_with(self.layers.len() + 1, Panel::default);
        cache.linear.resize_with(self.layers.len(), Panel::default);
        cache.training = training.filter(|_| self.dropout > 0.0);
        cache.between[0].clone_from(x);
        for (at, layer) in self.layers.iter().enumerate() {
            let (before, after) = cache.between.split_at_mut(at + 1);
            let (linear, active) = (&mut cache.linear[at], &mut after[0]);
            layer.forward(parameters, &before[at], linear);
            active.reshape(linear.features(), linear.width());
            gelu(&linear.data, &mut active.data);
            if let Some(draw) = cache.training {
                drop_elements(draw.at(at as u64).dropout(self.dropout), &mut active.data);
            }
        }
        y.clone_from(&cache.between[self.layers.len()]);
    }

    /// Adds the gradients of all tensors and replaces the gradient of the output by
    /// that of the input.
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        cache: &FeedForwardCache,
        dy: &mut Panel,
    ) {
        let mut dx = Panel::default();
        for (at, layer) in self.layers.iter().enumerate().rev() {
            if let Some(draw) = cache.training {
                drop_elements(draw.at(at as u64).dropout(self.dropout), &mut dy.data);
            }
            gelu_backward(&cache.linear[at].data, &mut dy.data);
            let into = Some((&mut dx, Write::Replace));
            layer.backward(parameters, gradients, &cache.between[at], dy, into);
            std::mem::swap(dy, &mut dx);
        }
    }
}
