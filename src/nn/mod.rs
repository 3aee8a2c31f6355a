//! Layers, forward beside backward; losses, Adam, seeded random. Knows no chatbot.
//!
//! ```text
//!   Csr ──▶ SparseInput ──▶ panels ──▶ FeedForward, Transformer ──▶ Linear ──▶ DotLoss, Crf
//!                                                                                 │
//!   Parameters ◀── Adam ◀── Gradients, one per slot ◀── backward, in reverse ◀────┘
//! ```
//!
//! Weights live in `Parameters` under stable names; layers hold only their ids. A
//! forward pass leaves what its backward pass needs in an explicit cache. Panels are
//! shared out to slots by `in_slots`, which depends on the data alone, and `Adam`
//! adds the slots in order: the number of threads cannot reach a weight.

mod random;
mod parameters;
mod weights_file;
mod gradients;
mod adam;
mod linear;
mod sparse_input;
mod norm;
mod attention;
mod transformer;
mod feed_forward;
mod dot_loss;
mod crf;
mod batches;
mod lbfgs;

pub use adam::Adam;
pub use attention::Attention;
pub use attention::AttentionCache;
pub use attention::Projections;
pub use attention::Queries;
pub use batches::BatchStrategy;
pub use batches::batch_size;
pub use batches::epoch_batches;
pub use crf::Crf;
pub use crf::CrfConfidence;
pub use crf::CrfLesson;
pub use dot_loss::DotBatch;
pub use dot_loss::DotLoss;
pub use dot_loss::DotLossResult;
pub use dot_loss::LossKind;
pub use dot_loss::Similarity;
pub use dot_loss::scale_factors;
pub use feed_forward::FeedForward;
pub use feed_forward::FeedForwardCache;
pub use gradients::Gradients;
pub use gradients::MAX_SLOTS;
pub use gradients::in_slots;
pub use lbfgs::Ended;
pub use lbfgs::Iterate;
pub use lbfgs::Lbfgs;
pub use linear::Linear;
pub use linear::LinearOptions;
pub use norm::LayerNorm;
pub use norm::LayerNormCache;
pub use parameters::Parameters;
pub use parameters::TensorId;
pub use parameters::add_kernel;
pub use random::Draw;
pub use random::Stream;
pub use sparse_input::Placed;
pub use sparse_input::SparseDropout;
pub use sparse_input::SparseInput;
pub use transformer::EncoderLayer;
pub use transformer::Transformer;
pub use transformer::TransformerCache;
pub use transformer::TransformerOptions;
pub use weights_file::WeightsError;
pub use weights_file::is_mask;
pub use weights_file::masked_kernel;
