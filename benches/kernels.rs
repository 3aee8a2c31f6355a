//! How fast are the products, and one training step of an encoder at DIET's default
//! shape (64 sentences, 9.5 rows each, 20,000 sparse inputs, 30 active, 77 labels)?
//!
//! ```sh
//! cargo bench --bench kernels            # -- avx2: as on a machine without AVX-512
//! ```

#![allow(missing_docs)]

mod measuring;

use std::time::Instant;

use measuring::best;
use tabella::matrix::Csr;
use tabella::matrix::GROUP;
use tabella::matrix::Kept;
use tabella::matrix::Layout;
use tabella::matrix::Panel;
use tabella::matrix::Strided;
use tabella::matrix::Write;
use tabella::matrix::gelu;
use tabella::matrix::gelu_backward;
use tabella::matrix::gemm;
use tabella::matrix::pack;
use tabella::nn::Adam;
use tabella::nn::DotBatch;
use tabella::nn::DotLoss;
use tabella::nn::Draw;
use tabella::nn::Gradients;
use tabella::nn::Linear;
use tabella::nn::LinearOptions;
use tabella::nn::LossKind;
use tabella::nn::Parameters;
use tabella::nn::Placed;
use tabella::nn::Similarity;
use tabella::nn::SparseDropout;
use tabella::nn::SparseInput;
use tabella::nn::Stream;
use tabella::nn::Transformer;
use tabella::nn::TransformerCache;
use tabella::nn::TransformerOptions;
use tabella::nn::in_slots;

const SENTENCES: usize = 64;
const COLUMNS: usize = 20_000;
const LABELS: usize = 77;

fn main() {
    measuring::narrow();
    products();
    for needed in [Needed::All, Needed::Last] {
        steps(needed);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Needed {
    /// As with entity recognition.
    All,
    /// The sentence token only.
    Last,
}

fn products() {
    let mut stream = Stream::new(1);
    for (inputs, outputs) in [(256, 256), (256, 1024), (1024, 256)] {
        let width = 128;
        let kernel = stream.glorot_uniform(inputs, outputs);
        let x = stream.glorot_uniform(inputs, width);
        let dy = stream.glorot_uniform(outputs, width);
        let mut y = vec![0.0; outputs * width];
        let flops = 2e-9 * (inputs * outputs * width) as f64;
        let dense = best(|| {
            let a = Strided {
                data: &kernel,
                row: 1,
                col: outputs,
            };
            let shape = (outputs, width, inputs);
            gemm(shape, a, (&x, width), (&mut y, width), Write::Replace);
        });
        println!(
            "{inputs:4} to {outputs:4}: dense {:3.0} GFLOP/s",
            flops / dense
        );
        let single = stream.connections(inputs, outputs, 0.2);
        let groups = stream.grouped_connections((inputs, outputs), 0.2, GROUP);
        for (name, mask) in [("single", single), ("groups", groups)] {
            let kept = Kept::from_mask(inputs, outputs, &mask);
            let weights = kept.compact(&kernel);
            let forward = best(|| kept.forward(&weights, None, &x, &mut y, width));
            let (mut transposed, mut dx) = (Vec::new(), vec![0.0; inputs * width]);
            kept.transpose(&weights, &mut transposed);
            let back = best(|| {
                let write = Write::Replace;
                kept.input_gradient(&weights, &transposed, &dy, &mut dx, width, write);
            });
            let mut gradient = vec![0.0; kept.stored()];
            let backward = best(|| kept.weight_gradient(&x, &dy, width, &mut gradient));
            let flops = 2e-9 * (kept.stored() * width) as f64;
            println!(
                "              kept {name}: forward {:3.0}, input gradient {:3.0}, weight gradient {:3.0}",
                flops / forward,
                flops / back,
                flops / backward,
            );
        }
    }
}

struct Network {
    input: SparseInput,
    encoder: Transformer,
    embed: Linear,
    labels: Linear,
}

fn network(parameters: &mut Parameters) -> Network {
    let mut stream = Stream::new(7);
    let options = TransformerOptions {
        inputs: 128,
        units: 256,
        layers: 2,
        heads: 4,
        density: 0.2,
        l2: 0.002,
        dropout: 0.2,
        attention_dropout: 0.0,
        causal: false,
        key_relative: false,
        value_relative: false,
        max_distance: 0,
    };
    let embed = LinearOptions {
        density: 1.0,
        l2: 0.002,
        bias: true,
    };
    Network {
        input: SparseInput::new(parameters, "text", (COLUMNS, 128), 0.002, &mut stream),
        encoder: Transformer::new(parameters, "encoder", options, &mut stream),
        embed: Linear::new(parameters, "embed_text", (256, 20), embed, &mut stream),
        labels: Linear::new(parameters, "embed_label", (LABELS, 20), embed, &mut stream),
    }
}

/// One panel with all that a step needs of it.
#[derive(Default)]
struct Work {
    number: u64,
    layout: Layout,
    needed: Option<Vec<u32>>,
    x: Panel,
    cache: TransformerCache,
    normed: Panel,
    active: Panel,
    dy: Panel,
    dx: Panel,
}

fn steps(needed: Needed) {
    let mut stream = Stream::new(3);
    let lengths: Vec<usize> = (0..SENTENCES).map(|_| 4 + stream.below(12)).collect();
    let mut rows = Csr::new(COLUMNS);
    for _ in 0..lengths.iter().sum() {
        let mut columns: Vec<u32> = (0..30).map(|_| stream.below(COLUMNS) as u32).collect();
        columns.sort_unstable();
        columns.dedup();
        rows.push_row(columns.into_iter().map(|column| (column, 1.0)));
    }
    let right: Vec<u32> = (0..SENTENCES)
        .map(|_| stream.below(LABELS) as u32)
        .collect();
    let mut parameters = Parameters::new();
    let network = network(&mut parameters);
    let mut adam = Adam::new(0.001);
    let mut work: Vec<Work> = Vec::new();
    for (number, layout) in pack(&lengths).into_iter().enumerate() {
        work.push(Work {
            number: number as u64,
            needed: (needed == Needed::Last).then(|| layout.last_lanes()),
            layout,
            ..Work::default()
        });
    }
    let placed = place(&work);
    let (mut slots, mut heads, mut losses) = (Vec::new(), Gradients::new(), Vec::new());
    let (count, cpu) = (40, cpu_seconds());
    let wall = Instant::now();
    for step in 0..count {
        let draw = Draw::new(1).at(step);
        losses.push(train_step(
            &network,
            &mut parameters,
            &mut adam,
            &rows,
            &placed,
            &right,
            &mut work,
            &mut slots,
            &mut heads,
            draw,
        ));
    }
    println!(
        "{needed:?} tokens needed: {:.1} CPU ms, {:.1} ms a step; {} rows; loss {:.4} to {:.4}",
        (cpu_seconds() - cpu) * 1e3 / count as f64,
        wall.elapsed().as_secs_f64() * 1e3 / count as f64,
        rows.rows(),
        losses[0],
        losses[losses.len() - 1],
    );
}

fn place(work: &[Work]) -> Vec<Placed> {
    let mut placed = Vec::new();
    for (panel, own) in work.iter().enumerate() {
        for lane in 0..own.layout.tokens() as u32 {
            placed.push(Placed {
                row: placed.len() as u32,
                panel: panel as u32,
                lane,
            });
        }
    }
    placed
}

#[allow(clippy::too_many_lines)]
fn train_step(
    network: &Network,
    parameters: &mut Parameters,
    adam: &mut Adam,
    rows: &Csr,
    placed: &[Placed],
    right: &[u32],
    work: &mut [Work],
    slots: &mut Vec<Gradients>,
    heads: &mut Gradients,
    draw: Draw,
) -> f32 {
    // Sparse input, all panels at once.
    let dropout = Some(SparseDropout {
        draw: draw.at(0),
        rate: 0.2,
    });
    let mut inputs: Vec<Panel> = work
        .iter_mut()
        .map(|own| std::mem::take(&mut own.x))
        .collect();
    for (x, own) in inputs.iter_mut().zip(work.iter()) {
        x.reset(128, own.layout.width);
    }
    network
        .input
        .forward(parameters, rows, placed, dropout, &mut inputs, 0);
    for (own, x) in work.iter_mut().zip(inputs) {
        own.x = x;
    }
    // Encoder and GELU, panel by panel.
    let frozen = &*parameters;
    in_slots(slots, work, |_, own| {
        let draw = draw.at(1).at(own.number);
        let (needed, out) = (own.needed.as_deref(), &mut own.normed);
        let encoder = &network.encoder;
        encoder.forward(
            frozen,
            &own.layout,
            needed,
            Some(draw),
            &own.x,
            &mut own.cache,
            out,
        );
        own.active.reshape(out.features(), out.width());
        gelu(&out.data, &mut own.active.data);
    });
    // Embedding and loss of the whole batch, in one panel.
    let mut sentences = Panel::new(256, SENTENCES.next_multiple_of(16));
    let lanes = |own: &Work| match own.needed {
        Some(_) => (0..own.layout.spans.len() as u32).collect(),
        None => own.layout.last_lanes(),
    };
    for own in work.iter() {
        for (at, lane) in lanes(own).into_iter().enumerate() {
            let column = own.active.column(lane as usize);
            sentences.set_column(own.layout.first_sentence + at, 0, &column);
        }
    }
    let mut one_hot = Panel::new(LABELS, LABELS.next_multiple_of(16));
    for label in 0..LABELS {
        one_hot.set_column(label, label, &[1.0]);
    }
    let (mut a, mut b) = (Panel::default(), Panel::default());
    network.embed.forward(parameters, &sentences, &mut a);
    network.labels.forward(parameters, &one_hot, &mut b);
    let columns = |panel: &Panel, count| (0..count).flat_map(|lane| panel.column(lane)).collect();
    let (a, b): (Vec<f32>, Vec<f32>) = (columns(&a, SENTENCES), columns(&b, LABELS));
    let loss = DotLoss {
        kind: LossKind::CrossEntropy { constrain: true },
        similarity: Similarity::Inner,
        scale_loss: false,
        negatives: 20,
    };
    let batch = DotBatch {
        dimension: 20,
        inputs: &a,
        labels: &b,
        kinds: LABELS,
        label_of: right,
        alike: None,
        shares: None,
    };
    let result = loss.apply(batch, draw.at(2));
    // And back: heads into gradients of their own, panels into slots, sparse input.
    heads.clear();
    let (mut da, mut db) = (
        Panel::new(20, sentences.width()),
        Panel::new(20, one_hot.width()),
    );
    for (lane, row) in result.d_inputs.chunks_exact(20).enumerate() {
        da.set_column(lane, 0, row);
    }
    for (lane, row) in result.d_labels.chunks_exact(20).enumerate() {
        db.set_column(lane, 0, row);
    }
    let mut d_sentences = Panel::default();
    let into = Some((&mut d_sentences, Write::Replace));
    network
        .embed
        .backward(parameters, heads, &sentences, &da, into);
    network
        .labels
        .backward(parameters, heads, &one_hot, &db, None);
    let frozen = &*parameters;
    in_slots(slots, work, |gradients, own| {
        own.dy.reset(own.active.features(), own.active.width());
        for (at, lane) in lanes(own).into_iter().enumerate() {
            let column = d_sentences.column(own.layout.first_sentence + at);
            own.dy.set_column(lane as usize, 0, &column);
        }
        gelu_backward(&own.normed.data, &mut own.dy.data);
        let (dy, dx) = (&mut own.dy, Some(&mut own.dx));
        let encoder = &network.encoder;
        encoder.backward(
            frozen,
            gradients,
            &own.layout,
            &own.x,
            &mut own.cache,
            dy,
            dx,
        );
    });
    let back: Vec<Panel> = work
        .iter_mut()
        .map(|own| std::mem::take(&mut own.dx))
        .collect();
    network
        .input
        .backward(parameters, heads, rows, placed, dropout, &back, 0);
    for (own, dx) in work.iter_mut().zip(back) {
        own.dx = dx;
    }
    slots.push(std::mem::take(heads));
    adam.step(parameters, slots);
    *heads = slots.pop().expect("the heads were pushed last");
    result.loss
}

/// Returns the processor time of this process, in seconds, to a hundredth.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}
