//! Linear layers over panels: dense, or with kept weights only.

use crate::matrix::Panel;
use crate::matrix::Strided;
use crate::matrix::Write;
use crate::matrix::add_row_sums;
use crate::matrix::gemm;
use crate::nn::gradients::Gradients;
use crate::nn::parameters::Parameters;
use crate::nn::parameters::TensorId;
use crate::nn::parameters::add_kernel;
use crate::nn::random::Stream;

/// `y = Wᵀ·x + b` in each lane, with a kernel `W [inputs, outputs]`.
///
/// If the kernel is masked, only its kept weights are multiplied.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`.
    pub kernel: TensorId,
    /// `[outputs]`.
    pub bias: Option<TensorId>,
    /// Number of input features.
    pub inputs: usize,
    /// Number of output features.
    pub outputs: usize,
}

/// How a [`Linear`] is made.
#[derive(Clone, Copy, Debug)]
pub struct LinearOptions {
    /// Share of weights that exist; 1 for all of them.
    pub density: f32,
    /// λ of the kernel's `λ·Σw²`, or 0.
    pub l2: f32,
    /// Whether there is a bias; it starts at zero and has no L2 term.
    pub bias: bool,
}

impl Linear {
    /// Adds the tensors `<name>/kernel` (glorot uniform) and `<name>/bias`.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        (inputs, outputs): (usize, usize),
        options: LinearOptions,
        stream: &mut Stream,
    ) -> Self {
        let kernel = format!("{name}/kernel");
        let shape = (inputs, outputs);
        let kernel = add_kernel(
            parameters,
            &kernel,
            shape,
            options.density,
            options.l2,
            stream,
        );
        let bias = options.bias.then(|| {
            let zeros = vec![0.0; outputs];
            parameters.add(&format!("{name}/bias"), &[outputs], zeros, 0.0)
        });
        Self {
            kernel,
            bias,
            inputs,
            outputs,
        }
    }

    /// Computes the outputs of all lanes.
    ///
    /// # Panics
    ///
    /// If `x` does not have as many features as the layer has inputs.
    pub fn forward(&self, parameters: &Parameters, x: &Panel, y: &mut Panel) {
        assert_eq!(x.features(), self.inputs);
        let width = x.width();
        y.reshape(self.outputs, width);
        let bias = self.bias.map(|bias| parameters.values(bias));
        let weights = parameters.values(self.kernel);
        if let Some((kept, _)) = parameters.kept(self.kernel) {
            return kept.forward(weights, bias, &x.data, &mut y.data, width);
        }
        for output in 0..self.outputs {
            let start = bias.map_or(0.0, |bias| bias[output]);
            y.data[output * width..(output + 1) * width].fill(start);
        }
        let a = Strided {
            data: weights,
            row: 1,
            col: self.outputs,
        };
        let shape = (self.outputs, width, self.inputs);
        gemm(shape, a, (&x.data, width), (&mut y.data, width), Write::Add);
    }

    /// Adds the gradients of kernel and bias, and writes (or adds) that of the input.
    ///
    /// `dy` is the gradient of the output, zero in lanes without a token.
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        x: &Panel,
        dy: &Panel,
        dx: Option<(&mut Panel, Write)>,
    ) {
        let width = x.width();
        assert_eq!((dy.features(), dy.width()), (self.outputs, width));
        if let Some(bias) = self.bias {
            add_row_sums(&dy.data, width, gradients.of(parameters, bias));
        }
        let gradient = gradients.of(parameters, self.kernel);
        let kept = parameters.kept(self.kernel);
        match kept {
            Some((kept, _)) => kept.weight_gradient(&x.data, &dy.data, width, gradient),
            None => self.dense_gradient(x, dy, gradient),
        }
        let Some((dx, write)) = dx else { return };
        match write {
            Write::Replace => dx.reshape(self.inputs, width),
            Write::Add => assert_eq!((dx.features(), dx.width()), (self.inputs, width)),
        }
        if let Some((kept, transposed)) = kept {
            let weights = parameters.values(self.kernel);
            let (dy, dx) = (&dy.data, &mut dx.data);
            return kept.input_gradient(weights, transposed, dy, dx, width, write);
        }
        let a = Strided {
            data: parameters.values(self.kernel),
            row: self.outputs,
            col: 1,
        };
        let shape = (self.inputs, width, self.outputs);
        gemm(shape, a, (&dy.data, width), (&mut dx.data, width), write);
    }

    /// Adds `Σ_t x[i, t] · dy[o, t]`, one sum over ascending lanes.
    fn dense_gradient(&self, x: &Panel, dy: &Panel, gradient: &mut [f32]) {
        let width = x.width();
        let mut by_lane = vec![0.0; width * self.outputs];
        for output in 0..self.outputs {
            for (lane, &value) in dy.row(output).iter().enumerate() {
                by_lane[lane * self.outputs + output] = value;
            }
        }
        let a = Strided {
            data: &x.data,
            row: width,
            col: 1,
        };
        let shape = (self.inputs, self.outputs, width);
        let b = (&by_lane[..], self.outputs);
        gemm(shape, a, b, (gradient, self.outputs), Write::Add);
    }
}
