//! Dense and sparse matrices, products, reductions.
//!
//! ```text
//!   features ──▶ Csr, Dense ──▶ nn ──▶ Panel ──▶ [gemm, kept products, loops] ──▶ Panel
//! ```
//!
//! The bits of every result are the same on all vector levels. The files
//! `simd*.rs` are the only ones of the crate with `unsafe` code.

mod dense;
mod functions;
mod kept;
mod panel;
mod simd;
mod simd_groups;
mod simd_kept;
mod simd_loops;
mod simd_products;
mod sparse;

pub use dense::Dense;
pub use functions::erf;
pub use functions::exp;
pub use functions::exp_f64;
pub use functions::ln;
pub use functions::ln_f64;
pub use functions::sin_cos;
pub use functions::tanh;
pub use kept::Kept;
pub use panel::Layout;
pub use panel::PANEL_TOKENS;
pub use panel::Panel;
pub use panel::Span;
pub use panel::pack;
pub use panel::padded;
pub use simd::Level;
pub use simd::level;
pub use simd::set_level;
pub use simd::widest_level;
pub use simd_groups::GROUP;
pub use simd_kept::KeptRows;
pub use simd_kept::kept_gradient;
pub use simd_kept::kept_product;
pub use simd_loops::AdamStep;
pub use simd_loops::DropKey;
pub use simd_loops::adam_update;
pub use simd_loops::add;
pub use simd_loops::add_row_sums;
pub use simd_loops::add_scaled;
pub use simd_loops::drop_elements;
pub use simd_loops::exp_each;
pub use simd_loops::gelu;
pub use simd_loops::gelu_backward;
pub use simd_loops::gelu_tanh;
pub use simd_loops::hash_element;
pub use simd_loops::layer_norm;
pub use simd_loops::layer_norm_backward;
pub use simd_loops::ln_each;
pub use simd_loops::scale;
pub use simd_loops::softmax_columns;
pub use simd_loops::softmax_columns_backward;
pub use simd_products::Strided;
pub use simd_products::Write;
pub use simd_products::gemm;
pub use sparse::Csr;
