//! What each layer of one training step of DIET costs, forward and backward, beside
//! the least it could: 64 sentences of 4 to 15 tokens (624 rows), 20,000 sparse inputs,
//! 217 entity tags, the default network; one thread.
//!
//! ```sh
//! cargo bench --bench layers             # -- avx2: as on a machine without AVX-512
//! ```
//!
//! The floor of products is their number of operations over the fastest dense product
//! of this machine, that of the other layers one reading and writing of what they read
//! and write.

#![allow(missing_docs)]

mod measuring;

use std::hint::black_box;

use measuring::best;
use tabella::matrix::AdamStep;
use tabella::matrix::GROUP;
use tabella::matrix::Kept;
use tabella::matrix::Layout;
use tabella::matrix::Panel;
use tabella::matrix::Strided;
use tabella::matrix::Write;
use tabella::matrix::adam_update;
use tabella::matrix::add;
use tabella::matrix::drop_elements;
use tabella::matrix::gelu;
use tabella::matrix::gelu_backward;
use tabella::matrix::gemm;
use tabella::matrix::layer_norm;
use tabella::matrix::layer_norm_backward;
use tabella::matrix::pack;
use tabella::nn::Attention;
use tabella::nn::AttentionCache;
use tabella::nn::Crf;
use tabella::nn::DotBatch;
use tabella::nn::DotLoss;
use tabella::nn::Draw;
use tabella::nn::Gradients;
use tabella::nn::LossKind;
use tabella::nn::Parameters;
use tabella::nn::Projections;
use tabella::nn::Queries;
use tabella::nn::Similarity;
use tabella::nn::Stream;

const SENTENCES: usize = 64;
const UNITS: usize = 256;
const LAYERS: usize = 2;
const TAGS: usize = 217;
const SPARSE: usize = 20_000 * 128;

fn main() {
    measuring::narrow();
    let mut stream = Stream::new(3);
    let lengths: Vec<usize> = (0..SENTENCES).map(|_| 4 + stream.below(12)).collect();
    let layouts = pack(&lengths);
    let machine = Machine::measured();
    println!(
        "peak {:.0} GFLOP/s, copy {:.1} GB/s (of what is read)",
        machine.flops / 1e9,
        machine.bytes / 1e9
    );
    println!("| layer | ms a step | floor | ratio |");
    println!("|---|---|---|---|");
    let rows = [
        products(&machine, &layouts),
        attention(&machine, &layouts),
        elements(
            &machine,
            &layouts,
            "GELU",
            &[4 * UNITS, 4 * UNITS, UNITS],
            |x, y| {
                gelu(x, y);
                gelu_backward(x, y);
            },
        ),
        norm(&machine, &layouts),
        elements(
            &machine,
            &layouts,
            "dropout",
            &[128, UNITS, UNITS, UNITS, UNITS, UNITS, 4 * UNITS, 4 * UNITS],
            |_, y| {
                let key = Draw::new(1).dropout(0.2);
                drop_elements(key, y);
                drop_elements(key, y);
            },
        ),
        crf(&machine, &lengths),
        loss(&machine),
        adam(),
    ];
    for (layer, seen, floor) in rows {
        println!(
            "| {layer} | {:.2} | {:.2} | {:.1} |",
            seen * 1e3,
            floor * 1e3,
            seen / floor
        );
    }
}

/// Name, seconds seen, seconds of the floor.
type Row = (&'static str, f64, f64);

/// What this machine can do at most, on one core.
struct Machine {
    /// Operations a second.
    flops: f64,
    /// Bytes that are read and written again a second, out of the nearest cache.
    bytes: f64,
}

impl Machine {
    fn measured() -> Self {
        let mut stream = Stream::new(1);
        let (inputs, outputs, width) = (256, 256, 128);
        let kernel = stream.glorot_uniform(inputs, outputs);
        let x = stream.glorot_uniform(inputs, width);
        let mut y = vec![0.0; outputs * width];
        let product = best(|| {
            let a = Strided {
                data: &kernel,
                row: 1,
                col: outputs,
            };
            let shape = (outputs, width, inputs);
            gemm(shape, a, (&x, width), (&mut y, width), Write::Replace);
        });
        let copy = best(|| {
            y.copy_from_slice(black_box(&kernel[..outputs * width]));
            black_box(&mut y);
        });
        Self {
            flops: (2 * inputs * outputs * width) as f64 / product,
            bytes: (4 * outputs * width) as f64 / copy,
        }
    }
}

/// Returns the best times of all panels together.
fn over(layouts: &[Layout], mut work: impl FnMut(&Layout)) -> f64 {
    layouts.iter().map(|layout| best(|| work(layout))).sum()
}

fn tokens(layouts: &[Layout]) -> f64 {
    layouts.iter().map(Layout::tokens).sum::<usize>() as f64
}

/// The masked kernels of the encoder: outputs, gradients of inputs and of weights.
fn products(machine: &Machine, layouts: &[Layout]) -> Row {
    let shapes = [
        (1, 128, UNITS),
        (4 * LAYERS, UNITS, UNITS),
        (LAYERS, UNITS, 4 * UNITS),
        (LAYERS, 4 * UNITS, UNITS),
    ];
    let mut stream = Stream::new(5);
    let (mut seen, mut stored) = (0.0, 0.0);
    for (count, inputs, outputs) in shapes {
        let kernel = stream.glorot_uniform(inputs, outputs);
        let kept = Kept::from_mask(
            inputs,
            outputs,
            &stream.grouped_connections((inputs, outputs), 0.2, GROUP),
        );
        let weights = kept.compact(&kernel);
        let mut transposed = Vec::new();
        kept.transpose(&weights, &mut transposed);
        let mut gradient = vec![0.0; kept.stored()];
        let time = over(layouts, |layout| {
            let width = layout.width;
            let x = vec![0.5; inputs * width];
            let (mut y, mut dx) = (vec![0.0; outputs * width], vec![0.0; inputs * width]);
            kept.forward(&weights, None, &x, &mut y, width);
            kept.input_gradient(&weights, &transposed, &y, &mut dx, width, Write::Replace);
            kept.weight_gradient(&x, &y, width, &mut gradient);
        });
        seen += count as f64 * time;
        stored += (count * kept.stored()) as f64;
    }
    let operations = 3.0 * 2.0 * stored * tokens(layouts);
    (
        "products with kept weights",
        seen,
        operations / machine.flops,
    )
}

fn attention(machine: &Machine, layouts: &[Layout]) -> Row {
    let attention = Attention {
        heads: 4,
        causal: false,
        dropout: 0.0,
        max_distance: 0,
        key_relative: None,
        value_relative: None,
    };
    let parameters = Parameters::new();
    let (mut gradients, mut cache) = (Gradients::new(), AttentionCache::default());
    let mut pairs = 0.0;
    let seen = over(layouts, |layout| {
        let mut panel = Panel::new(UNITS, layout.width);
        panel.data.fill(0.1);
        let queries = Queries::new(&layout.spans, None);
        let projections = Projections {
            q: &panel,
            k: &panel,
            v: &panel,
        };
        let mut out = Panel::default();
        attention.forward(
            &parameters,
            projections,
            &layout.spans,
            &queries,
            None,
            &mut cache,
            &mut out,
        );
        let (mut dq, mut dk, mut dv) = (Panel::default(), Panel::default(), Panel::default());
        attention.backward(
            &parameters,
            &mut gradients,
            projections,
            &layout.spans,
            &queries,
            &cache,
            &out,
            (&mut dq, &mut dk, &mut dv),
        );
    });
    for span in layouts.iter().flat_map(|layout| &layout.spans) {
        pairs += f64::from(span.count * span.count);
    }
    // Scores and sums, and the gradients of both operands of each.
    let operations = 6.0 * 2.0 * pairs * UNITS as f64 * LAYERS as f64;
    (
        "attention",
        LAYERS as f64 * seen,
        operations / machine.flops,
    )
}

/// What is done to each element of activations, forward and backward.
fn elements(
    machine: &Machine,
    layouts: &[Layout],
    name: &'static str,
    features: &[usize],
    work: impl Fn(&[f32], &mut [f32]),
) -> Row {
    let features: usize = features.iter().sum();
    let x = vec![0.3; 4 * UNITS * 256];
    let mut y = x.clone();
    let mut seen = 0.0;
    for layout in layouts {
        // In pieces of one activation, as a pass has them.
        let piece = UNITS * layout.width;
        let time = best(|| work(&x[..piece], &mut y[..piece]));
        seen += time * features as f64 / UNITS as f64;
    }
    let bytes = 2.0 * 4.0 * features as f64 * tokens(layouts);
    (name, seen, bytes / machine.bytes)
}

fn norm(machine: &Machine, layouts: &[Layout]) -> Row {
    let (gain, bias) = (vec![1.0; UNITS], vec![0.0; UNITS]);
    let (mut to_gain, mut to_bias) = (vec![0.0; UNITS], vec![0.0; UNITS]);
    let count = 2 * LAYERS + 1;
    let seen = over(layouts, |layout| {
        let width = layout.width;
        let x: Vec<f32> = (0..UNITS * width).map(|at| (at % 7) as f32).collect();
        let (mut y, mut mean, mut inverse) =
            (vec![0.0; x.len()], vec![0.0; width], vec![0.0; width]);
        layer_norm(&x, &gain, &bias, 1e-6, &mut y, &mut mean, &mut inverse);
        layer_norm_backward(
            &x,
            &gain,
            &mean,
            &inverse,
            &mut y,
            &mut to_gain,
            &mut to_bias,
        );
    });
    let bytes = 2.0 * 4.0 * (count * UNITS) as f64 * tokens(layouts);
    ("LayerNorm", count as f64 * seen, bytes / machine.bytes)
}

fn crf(machine: &Machine, lengths: &[usize]) -> Row {
    let mut stream = Stream::new(9);
    let crf = Crf::new(&stream.glorot_uniform(TAGS, TAGS), TAGS);
    let logits = stream.glorot_uniform(16, TAGS);
    let factors = vec![1.0 / SENTENCES as f32; SENTENCES];
    let mut gradient = vec![0.0; TAGS * TAGS];
    let seen = best(|| {
        let lesson = |&count: &usize| {
            let right: Vec<u32> = (0..count as u32).map(|token| token % 5).collect();
            crf.learn(&logits[..count * TAGS], &right)
        };
        let lessons: Vec<_> = lengths.iter().map(lesson).collect();
        crf.add_transition_gradient(&lessons, &factors, &mut gradient);
    });
    let steps: usize = lengths.iter().map(|count| count - 1).sum();
    // Forward, backward and the expected transitions.
    let operations = 3.0 * 2.0 * (steps * TAGS * TAGS) as f64;
    ("CRF of 217 tags", seen, operations / machine.flops)
}

fn loss(machine: &Machine) -> Row {
    let (dimension, labels, negatives) = (20, 77, 20);
    let mut stream = Stream::new(4);
    let inputs = stream.glorot_uniform(SENTENCES, dimension);
    let of_labels = stream.glorot_uniform(labels, dimension);
    let right: Vec<u32> = (0..SENTENCES)
        .map(|_| stream.below(labels) as u32)
        .collect();
    let loss = DotLoss {
        kind: LossKind::CrossEntropy { constrain: true },
        similarity: Similarity::Inner,
        scale_loss: false,
        negatives,
    };
    let batch = DotBatch {
        dimension,
        inputs: &inputs,
        labels: &of_labels,
        kinds: labels,
        label_of: &right,
        alike: None,
        shares: None,
    };
    let seen = best(|| {
        loss.apply(batch, Draw::new(1));
    });
    // A similarity, and its gradient for both sides.
    let operations = (3 * 2 * SENTENCES * (1 + 4 * negatives) * dimension) as f64;
    ("loss of the labels", seen, operations / machine.flops)
}

fn adam() -> Row {
    let step = AdamStep {
        rate: 0.001,
        mean_gain: 0.1,
        square_gain: 0.001,
        epsilon: 1e-7,
        l2: 0.002,
    };
    let kernel = vec![0.01; SPARSE];
    let (mut w, mut m, mut v) = (kernel.clone(), kernel.clone(), kernel.clone());
    let seen = best(|| adam_update(step, &mut w, &mut m, &mut v, &kernel));
    // An addition reads two numbers and writes one; this reads four and writes three.
    let addition = best(|| add(black_box(&kernel), &mut w));
    let floor = addition * 7.0 / 3.0;
    (
        "Adam of one sparse layer (2.6 million weights)",
        seen,
        floor,
    )
}
