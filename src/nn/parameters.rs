//! The weights of a network under stable names.

use crate::matrix::GROUP;
use crate::matrix::Kept;
use crate::nn::random::Stream;

/// A tensor of one [`Parameters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorId(pub(super) usize);

/// One tensor with the state of its optimiser.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub(super) name: String,
    /// Full shape; kernels are `[in, out]`.
    pub(super) shape: Vec<usize>,
    /// Row-major, or the kept weights in entry order.
    pub(super) data: Vec<f32>,
    pub(super) kept: Option<Kept>,
    /// Kept weights by input, as [`Kept::transpose`] gives them.
    pub(super) transposed: Vec<f32>,
    /// λ of `λ·Σw²`, or 0.
    pub(super) l2: f32,
    /// Adam's means of gradient and square, as long as `data`; empty before the
    /// first step.
    pub(super) mean: Vec<f32>,
    pub(super) square: Vec<f32>,
}

/// All weights of a network.
#[derive(Clone, Debug, Default)]
pub struct Parameters {
    pub(super) tensors: Vec<Tensor>,
    /// Whether kernels have no values yet.
    unset: bool,
}

impl Parameters {
    /// Returns a network without tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the same weights, without what an optimiser knows of them.
    pub fn without_moments(&self) -> Self {
        let tensors = self.tensors.iter().map(|tensor| Tensor {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            data: tensor.data.clone(),
            kept: tensor.kept.clone(),
            transposed: tensor.transposed.clone(),
            l2: tensor.l2,
            mean: Vec::new(),
            square: Vec::new(),
        });
        Self {
            tensors: tensors.collect(),
            unset: self.unset,
        }
    }

    /// Returns a network without tensors whose weights will be read from a file:
    /// [`add_kernel`] gives its kernels no values.
    pub fn unset() -> Self {
        Self {
            tensors: Vec::new(),
            unset: true,
        }
    }

    /// Adds a tensor; `l2` is the λ of its term `λ·Σw²`, 0 for none.
    ///
    /// # Panics
    ///
    /// If the name is taken, or the values do not fill the shape.
    pub fn add(&mut self, name: &str, shape: &[usize], values: Vec<f32>, l2: f32) -> TensorId {
        assert_eq!(values.len(), shape.iter().product::<usize>());
        self.push(name, shape, values, None, l2)
    }

    /// Adds a kernel of which only the weights in `kept` exist; `kernel` is
    /// `[in, out]`, and what it holds elsewhere is ignored.
    ///
    /// # Panics
    ///
    /// If the name is taken, or the sizes disagree.
    pub fn add_kept(&mut self, name: &str, kernel: &[f32], kept: Kept, l2: f32) -> TensorId {
        let (inputs, outputs) = kept.shape();
        let weights = kept.compact(kernel);
        self.push(name, &[inputs, outputs], weights, Some(kept), l2)
    }

    fn push(
        &mut self,
        name: &str,
        shape: &[usize],
        data: Vec<f32>,
        kept: Option<Kept>,
        l2: f32,
    ) -> TensorId {
        assert!(self.find(name).is_none(), "tensor `{name}` exists");
        let mut tensor = Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            data,
            kept,
            transposed: Vec::new(),
            l2,
            mean: Vec::new(),
            square: Vec::new(),
        };
        tensor.refresh();
        self.tensors.push(tensor);
        TensorId(self.tensors.len() - 1)
    }

    /// Returns the tensor of a name.
    pub fn find(&self, name: &str) -> Option<TensorId> {
        let at = self.tensors.iter().position(|tensor| tensor.name == name);
        at.map(TensorId)
    }

    /// Returns all tensors in the order of their adding.
    pub fn ids(&self) -> impl Iterator<Item = TensorId> + use<> {
        (0..self.tensors.len()).map(TensorId)
    }

    /// Returns the name of a tensor.
    pub fn name(&self, id: TensorId) -> &str {
        &self.tensors[id.0].name
    }

    /// Returns the full shape of a tensor.
    pub fn shape(&self, id: TensorId) -> &[usize] {
        &self.tensors[id.0].shape
    }

    /// Returns the values: row-major, or for a masked kernel its kept weights in
    /// entry order.
    pub fn values(&self, id: TensorId) -> &[f32] {
        &self.tensors[id.0].data
    }

    /// Changes the values in place.
    pub fn update(&mut self, id: TensorId, change: impl FnOnce(&mut [f32])) {
        let tensor = &mut self.tensors[id.0];
        change(&mut tensor.data);
        tensor.refresh();
    }

    /// Returns the pattern of a masked kernel, and its weights as [`Kept::transpose`]
    /// gives them.
    pub fn kept(&self, id: TensorId) -> Option<(&Kept, &[f32])> {
        let tensor = &self.tensors[id.0];
        tensor
            .kept
            .as_ref()
            .map(|kept| (kept, &tensor.transposed[..]))
    }

    /// Returns the whole tensor, row-major, zeros where a mask has dropped it.
    pub fn dense(&self, id: TensorId) -> Vec<f32> {
        let tensor = &self.tensors[id.0];
        match &tensor.kept {
            Some(kept) => kept.expand(&tensor.data),
            None => tensor.data.clone(),
        }
    }

    /// Overwrites a whole tensor, row-major; a mask stays as it is.
    ///
    /// # Panics
    ///
    /// If the values do not fill the shape.
    pub fn set_dense(&mut self, id: TensorId, values: &[f32]) {
        let tensor = &mut self.tensors[id.0];
        assert_eq!(values.len(), tensor.shape.iter().product::<usize>());
        tensor.data = match &tensor.kept {
            Some(kept) => kept.compact(values),
            None => values.to_vec(),
        };
        tensor.refresh();
    }

    /// Returns `Σ λ·w²` over all tensors with an L2 term: the regularisation loss.
    pub fn l2_loss(&self) -> f32 {
        let with_l2 = self.tensors.iter().filter(|tensor| tensor.l2 > 0.0);
        with_l2
            .map(|tensor| {
                let squares: f64 = tensor.data.iter().map(|&w| f64::from(w * w)).sum();
                tensor.l2 * squares as f32
            })
            .sum()
    }
}

impl Tensor {
    /// Brings [`Tensor::transposed`] up to date with the values.
    pub(super) fn refresh(&mut self) {
        if let Some(kept) = &self.kept {
            kept.transpose(&self.data, &mut self.transposed);
        }
    }
}

/// Adds a glorot-uniform kernel `[inputs, outputs]`, masked if `density` is below 1: by
/// groups of outputs, which are multiplied faster, if it consists of such.
///
/// The numbers depend on `stream` only, which is advanced; for weights that will be
/// read ([`Parameters::unset`]) none are drawn.
pub fn add_kernel(
    parameters: &mut Parameters,
    name: &str,
    (inputs, outputs): (usize, usize),
    density: f32,
    l2: f32,
    stream: &mut Stream,
) -> TensorId {
    if parameters.unset {
        let kept = (density < 1.0).then(|| Kept::none(inputs, outputs));
        return parameters.push(name, &[inputs, outputs], Vec::new(), kept, l2);
    }
    let kernel = stream.glorot_uniform(inputs, outputs);
    if density >= 1.0 {
        return parameters.add(name, &[inputs, outputs], kernel, l2);
    }
    let mask = match outputs.is_multiple_of(GROUP) {
        true => stream.grouped_connections((inputs, outputs), density, GROUP),
        false => stream.connections(inputs, outputs, density),
    };
    let kept = Kept::from_mask(inputs, outputs, &mask);
    parameters.add_kept(name, &kernel, kept, l2)
}
