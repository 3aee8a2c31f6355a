//! The transformer encoder over the sentences of a panel.

use crate::matrix::Layout;
use crate::matrix::Panel;
use crate::matrix::Write;
use crate::matrix::add;
use crate::matrix::drop_elements;
use crate::matrix::exp_f64;
use crate::matrix::gelu;
use crate::matrix::gelu_backward;
use crate::matrix::sin_cos;
use crate::nn::attention::Attention;
use crate::nn::attention::AttentionCache;
use crate::nn::attention::Projections;
use crate::nn::attention::Queries;
use crate::nn::gradients::Gradients;
use crate::nn::linear::Linear;
use crate::nn::linear::LinearOptions;
use crate::nn::norm::LayerNorm;
use crate::nn::norm::LayerNormCache;
use crate::nn::parameters::Parameters;
use crate::nn::random::Draw;
use crate::nn::random::Stream;

/// What a [`Transformer`] is made of.
#[derive(Clone, Copy, Debug)]
pub struct TransformerOptions {
    /// Number of input features.
    pub inputs: usize,
    /// Width C of all layers; a multiple of `heads`.
    pub units: usize,
    /// Number of layers, at least 1.
    pub layers: usize,
    /// Number of attention heads H.
    pub heads: usize,
    /// Share of weights that exist (`connection_density`).
    pub density: f32,
    /// λ of the input kernel's `λ·Σw²`; the layers have none.
    pub l2: f32,
    /// Dropout probability between layers, while training.
    pub dropout: f32,
    /// Dropout probability of keys, while training.
    pub attention_dropout: f32,
    /// Whether a token sees itself and earlier tokens only.
    pub causal: bool,
    /// Whether keys have embeddings of distances.
    pub key_relative: bool,
    /// Whether values have embeddings of distances.
    pub value_relative: bool,
    /// Distances beyond this count as this; used with relative embeddings.
    pub max_distance: usize,
}

/// A pre-norm transformer encoder (Rasa 3 `TransformerEncoder`).
///
/// Input projection · √C + sinusoidal positions, dropout; per layer
/// `x + drop(Wo·attention(LN x))`, then `x + drop(W₂·drop(GELU(W₁·LN x)))`; a last
/// layer norm. All kernels are masked by `density`. The GELU that Rasa puts behind
/// the encoder is the caller's.
#[derive(Clone, Debug)]
pub struct Transformer {
    options: TransformerOptions,
    /// `<name>/input`.
    pub input: Linear,
    /// `<name>/layer_<l>/…`.
    pub layers: Vec<EncoderLayer>,
    /// `<name>/norm`.
    pub norm: LayerNorm,
}

/// The parts of one layer.
#[derive(Clone, Debug)]
pub struct EncoderLayer {
    /// `norm_attention`.
    pub norm_attention: LayerNorm,
    /// `query`, without bias.
    pub query: Linear,
    /// `key`, without bias.
    pub key: Linear,
    /// `value`, without bias.
    pub value: Linear,
    /// Heads, and embeddings of distances `key_relative`, `value_relative`.
    pub attention: Attention,
    /// `output`.
    pub output: Linear,
    /// `norm_feed_forward`.
    pub norm_feed_forward: LayerNorm,
    /// `widen`, to 4·C.
    pub widen: Linear,
    /// `narrow`, back to C.
    pub narrow: Linear,
}

/// What one panel leaves behind for the way back; reuse it from step to step.
#[derive(Clone, Debug, Default)]
pub struct TransformerCache {
    layers: Vec<LayerCache>,
    /// Input of the last layer norm.
    last: Panel,
    last_norm: LayerNormCache,
    training: Option<Draw>,
    scratch: Scratch,
    positions: Positions,
}

#[derive(Clone, Debug, Default)]
struct LayerCache {
    queries: Queries,
    is_partial: bool,
    x: Panel,
    norm_attention: LayerNormCache,
    normed: Panel,
    normed_queries: Panel,
    q: Panel,
    k: Panel,
    v: Panel,
    attention: AttentionCache,
    mixed: Panel,
    middle: Panel,
    norm_feed_forward: LayerNormCache,
    normed_middle: Panel,
    wide: Panel,
    active: Panel,
}

#[derive(Clone, Debug, Default)]
struct Scratch {
    a: Panel,
    b: Panel,
    c: Panel,
    d: Panel,
}

/// Which random numbers a dropout takes, below the layer's draw.
const AFTER_INPUT: u64 = 0;
const IN_ATTENTION: u64 = 1;
const AFTER_ATTENTION: u64 = 2;
const IN_FEED_FORWARD: u64 = 3;
const AFTER_FEED_FORWARD: u64 = 4;

impl Transformer {
    /// Adds all tensors below `<name>/`.
    ///
    /// # Panics
    ///
    /// If there is no layer, or the heads do not divide the units.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        options: TransformerOptions,
        stream: &mut Stream,
    ) -> Self {
        assert!(options.layers > 0 && options.units.is_multiple_of(options.heads));
        let linear = LinearOptions {
            density: options.density,
            l2: options.l2,
            bias: true,
        };
        let shape = (options.inputs, options.units);
        let input = Linear::new(parameters, &format!("{name}/input"), shape, linear, stream);
        let layers = (0..options.layers)
            .map(|layer| {
                let name = format!("{name}/layer_{layer}");
                EncoderLayer::new(parameters, &name, options, stream)
            })
            .collect();
        let norm = LayerNorm::new(parameters, &format!("{name}/norm"), options.units);
        Self {
            options,
            input,
            layers,
            norm,
        }
    }

    /// Returns whether anything is dropped while training.
    pub fn drops(&self) -> bool {
        self.options.dropout > 0.0 || self.options.attention_dropout > 0.0
    }

    /// Encodes a panel of sentences.
    ///
    /// With `needed` (ascending lanes) only these tokens come out: lane k of `out` is the
    /// lane `needed[k]` of `x`, and the last layer computes nothing for the others.
    /// Without, all lanes come out. `training` switches dropout on; it must differ from
    /// panel to panel and step to step.
    ///
    /// # Shapes
    ///
    /// - `x`: `[inputs, layout.width]`
    /// - `out`: `[units, layout.width]`, or `[units, needed, padded to 16]`
    pub fn forward(
        &self,
        parameters: &Parameters,
        layout: &Layout,
        needed: Option<&[u32]>,
        training: Option<Draw>,
        x: &Panel,
        cache: &mut TransformerCache,
        out: &mut Panel,
    ) {
        cache
            .layers
            .resize_with(self.layers.len(), LayerCache::default);
        cache.training = training;
        let mut running = std::mem::take(&mut cache.last);
        self.input.forward(parameters, x, &mut running);
        cache.positions.add(layout, &mut running);
        self.drop(training.map(|draw| draw.at(AFTER_INPUT)), &mut running);
        for (at, layer) in self.layers.iter().enumerate() {
            let needed = needed.filter(|_| at + 1 == self.layers.len());
            let draw = training.map(|draw| draw.at(1 + at as u64));
            let own = &mut cache.layers[at];
            own.queries = Queries::new(&layout.spans, needed);
            own.is_partial = needed.is_some();
            std::mem::swap(&mut own.x, &mut running);
            self.layer_forward(parameters, layer, layout, draw, own, &mut cache.scratch);
            std::mem::swap(&mut running, &mut cache.scratch.a);
        }
        cache.last = running;
        self.norm
            .forward(parameters, &cache.last, out, &mut cache.last_norm);
    }

    /// Leaves the output of the layer in `scratch.a`.
    fn layer_forward(
        &self,
        parameters: &Parameters,
        layer: &EncoderLayer,
        layout: &Layout,
        draw: Option<Draw>,
        own: &mut LayerCache,
        scratch: &mut Scratch,
    ) {
        let norm = &layer.norm_attention;
        norm.forward(parameters, &own.x, &mut own.normed, &mut own.norm_attention);
        if own.is_partial {
            own.normed_queries.gather(&own.normed, &own.queries.lanes);
            layer
                .query
                .forward(parameters, &own.normed_queries, &mut own.q);
        } else {
            layer.query.forward(parameters, &own.normed, &mut own.q);
        }
        layer.key.forward(parameters, &own.normed, &mut own.k);
        layer.value.forward(parameters, &own.normed, &mut own.v);
        let projections = Projections {
            q: &own.q,
            k: &own.k,
            v: &own.v,
        };
        layer.attention.forward(
            parameters,
            projections,
            &layout.spans,
            &own.queries,
            draw.map(|draw| draw.at(IN_ATTENTION)),
            &mut own.attention,
            &mut own.mixed,
        );
        layer
            .output
            .forward(parameters, &own.mixed, &mut own.middle);
        self.drop(draw.map(|draw| draw.at(AFTER_ATTENTION)), &mut own.middle);
        if own.is_partial {
            scratch.b.gather(&own.x, &own.queries.lanes);
            add(&scratch.b.data, &mut own.middle.data);
        } else {
            add(&own.x.data, &mut own.middle.data);
        }
        let norm = &layer.norm_feed_forward;
        let normed = &mut own.normed_middle;
        norm.forward(parameters, &own.middle, normed, &mut own.norm_feed_forward);
        layer.widen.forward(parameters, normed, &mut own.wide);
        own.active.reshape(own.wide.features(), own.wide.width());
        gelu(&own.wide.data, &mut own.active.data);
        self.drop(draw.map(|draw| draw.at(IN_FEED_FORWARD)), &mut own.active);
        layer
            .narrow
            .forward(parameters, &own.active, &mut scratch.a);
        self.drop(draw.map(|draw| draw.at(AFTER_FEED_FORWARD)), &mut scratch.a);
        add(&own.middle.data, &mut scratch.a.data);
    }

    /// Adds the gradients of all tensors and writes that of the input.
    ///
    /// `dy` is the gradient of `out`, zero in lanes without a token; it is used up. `x`
    /// and `cache` are those of [`Transformer::forward`].
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        layout: &Layout,
        x: &Panel,
        cache: &mut TransformerCache,
        dy: &mut Panel,
        dx: Option<&mut Panel>,
    ) {
        let TransformerCache {
            layers,
            last,
            last_norm,
            training,
            scratch,
            ..
        } = cache;
        self.norm
            .backward(parameters, gradients, last, last_norm, dy);
        for (at, layer) in self.layers.iter().enumerate().rev() {
            let draw = training.map(|draw| draw.at(1 + at as u64));
            let own = &mut layers[at];
            self.layer_backward(parameters, gradients, layer, layout, draw, own, dy, scratch);
        }
        self.drop(training.map(|draw| draw.at(AFTER_INPUT)), dy);
        let scaled = (self.options.units as f32).sqrt();
        crate::matrix::scale(scaled, &mut dy.data);
        let dx = dx.map(|dx| (dx, Write::Replace));
        self.input.backward(parameters, gradients, x, dy, dx);
    }

    /// Turns the gradient of the layer's output into that of its input.
    fn layer_backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        layer: &EncoderLayer,
        layout: &Layout,
        draw: Option<Draw>,
        own: &mut LayerCache,
        dy: &mut Panel,
        scratch: &mut Scratch,
    ) {
        let Scratch { a, b, c, d } = scratch;
        // Feed forward: `a` is the gradient of its output, then of its input.
        a.clone_from(dy);
        self.drop(draw.map(|draw| draw.at(AFTER_FEED_FORWARD)), a);
        let dx = Some((&mut *b, Write::Replace));
        layer
            .narrow
            .backward(parameters, gradients, &own.active, a, dx);
        self.drop(draw.map(|draw| draw.at(IN_FEED_FORWARD)), b);
        gelu_backward(&own.wide.data, &mut b.data);
        let dx = Some((&mut *a, Write::Replace));
        layer
            .widen
            .backward(parameters, gradients, &own.normed_middle, b, dx);
        let norm = &layer.norm_feed_forward;
        norm.backward(
            parameters,
            gradients,
            &own.middle,
            &own.norm_feed_forward,
            a,
        );
        add(&a.data, &mut dy.data);
        // Attention: `dy` is now the gradient of the residual stream in the middle.
        a.clone_from(dy);
        self.drop(draw.map(|draw| draw.at(AFTER_ATTENTION)), a);
        let dx = Some((&mut *b, Write::Replace));
        layer
            .output
            .backward(parameters, gradients, &own.mixed, a, dx);
        let projections = Projections {
            q: &own.q,
            k: &own.k,
            v: &own.v,
        };
        layer.attention.backward(
            parameters,
            gradients,
            projections,
            &layout.spans,
            &own.queries,
            &own.attention,
            b,
            (a, c, d),
        );
        let (dq, dk, dv) = (&*a, &*c, &*d);
        let dx = Some((&mut *b, Write::Replace));
        layer
            .key
            .backward(parameters, gradients, &own.normed, dk, dx);
        let dx = Some((&mut *b, Write::Add));
        layer
            .value
            .backward(parameters, gradients, &own.normed, dv, dx);
        if own.is_partial {
            let dx = Some((&mut *c, Write::Replace));
            layer
                .query
                .backward(parameters, gradients, &own.normed_queries, dq, dx);
            c.scatter_add(b, &own.queries.lanes);
        } else {
            let dx = Some((&mut *b, Write::Add));
            layer
                .query
                .backward(parameters, gradients, &own.normed, dq, dx);
        }
        let norm = &layer.norm_attention;
        norm.backward(parameters, gradients, &own.x, &own.norm_attention, b);
        if own.is_partial {
            dy.scatter_add(b, &own.queries.lanes);
        } else {
            add(&dy.data, &mut b.data);
        }
        std::mem::swap(dy, b);
    }

    fn drop(&self, draw: Option<Draw>, panel: &mut Panel) {
        if let Some(draw) = draw.filter(|_| self.options.dropout > 0.0) {
            drop_elements(draw.dropout(self.options.dropout), &mut panel.data);
        }
    }
}

impl EncoderLayer {
    fn new(
        parameters: &mut Parameters,
        name: &str,
        options: TransformerOptions,
        stream: &mut Stream,
    ) -> Self {
        let units = options.units;
        let mut linear = |parameters: &mut Parameters, part: &str, shape, bias| {
            let linear = LinearOptions {
                density: options.density,
                l2: 0.0,
                bias,
            };
            Linear::new(parameters, &format!("{name}/{part}"), shape, linear, stream)
        };
        let square = (units, units);
        let query = linear(parameters, "query", square, false);
        let key = linear(parameters, "key", square, false);
        let value = linear(parameters, "value", square, false);
        let output = linear(parameters, "output", square, true);
        let widen = linear(parameters, "widen", (units, 4 * units), true);
        let narrow = linear(parameters, "narrow", (4 * units, units), true);
        let mut attention = Attention {
            heads: options.heads,
            causal: options.causal,
            dropout: options.attention_dropout,
            max_distance: options.max_distance,
            key_relative: None,
            value_relative: None,
        };
        let shape = [options.heads, attention.distances(), units / options.heads];
        let mut relative = |part: &str| {
            let values = stream.glorot_uniform(shape[0] * shape[1], shape[2]);
            parameters.add(&format!("{name}/{part}"), &shape, values, 0.0)
        };
        attention.key_relative = options.key_relative.then(|| relative("key_relative"));
        attention.value_relative = options.value_relative.then(|| relative("value_relative"));
        Self {
            norm_attention: LayerNorm::new(parameters, &format!("{name}/norm_attention"), units),
            query,
            key,
            value,
            attention,
            output,
            norm_feed_forward: LayerNorm::new(
                parameters,
                &format!("{name}/norm_feed_forward"),
                units,
            ),
            widen,
            narrow,
        }
    }
}

/// Codes of positions: `sin(pos · ω)` in even features, `cos` in odd ones,
/// `ω = 10000^(−2⌊i/2⌋/C)`. They are kept, as they cost as much as a layer.
#[derive(Clone, Debug, Default)]
struct Positions {
    /// How many positions have codes.
    count: usize,
    /// `[features, count]`.
    codes: Vec<f32>,
}

impl Positions {
    /// Multiplies by √C and adds the position of each token in its sentence.
    fn add(&mut self, layout: &Layout, x: &mut Panel) {
        let (units, width) = (x.features(), x.width());
        let factor = (units as f32).sqrt();
        let longest = layout.spans.iter().map(|span| span.count as usize).max();
        self.reach(units, longest.unwrap_or(0));
        for feature in 0..units {
            let codes = &self.codes[feature * self.count..(feature + 1) * self.count];
            let row = &mut x.data[feature * width..(feature + 1) * width];
            for span in &layout.spans {
                let lanes = &mut row[span.start as usize..(span.start + span.count) as usize];
                for (lane, code) in lanes.iter_mut().zip(codes) {
                    *lane = *lane * factor + code;
                }
            }
        }
    }

    /// Computes the codes of at least `count` positions, unless they are there.
    fn reach(&mut self, units: usize, count: usize) {
        if count <= self.count && self.codes.len() == units * self.count {
            return;
        }
        self.count = count.next_power_of_two();
        self.codes.clear();
        for feature in 0..units {
            let power = -2.0 * (feature / 2) as f64 / units as f64;
            let omega = exp_f64(power * std::f64::consts::LN_10 * 4.0);
            self.codes.extend((0..self.count).map(|position| {
                let (sine, cosine) = sin_cos(position as f64 * omega);
                if feature % 2 == 0 {
                    sine as f32
                } else {
                    cosine as f32
                }
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::pack;
    use crate::nn::parameters::TensorId;

    struct Case {
        parameters: Parameters,
        transformer: Transformer,
        layout: Layout,
        x: Panel,
        needed: Option<Vec<u32>>,
    }

    fn case(change: impl Fn(&mut TransformerOptions), needed: Option<Vec<u32>>) -> Case {
        let mut options = TransformerOptions {
            inputs: 6,
            units: 8,
            layers: 2,
            heads: 2,
            density: 0.5,
            l2: 0.0,
            dropout: 0.3,
            attention_dropout: 0.0,
            causal: false,
            key_relative: false,
            value_relative: false,
            max_distance: 2,
        };
        change(&mut options);
        let mut stream = Stream::new(11);
        let mut parameters = Parameters::new();
        let transformer = Transformer::new(&mut parameters, "t", options, &mut stream);
        for id in parameters.ids() {
            parameters.update(id, |values| {
                for value in values {
                    *value += 0.6 * stream.uniform() - 0.3;
                }
            });
        }
        let layout = pack(&[5, 1, 7, 4]).remove(0);
        let mut x = Panel::new(6, layout.width);
        for value in &mut x.data {
            *value = 2.0 * stream.uniform() - 1.0;
        }
        Case {
            parameters,
            transformer,
            layout,
            x,
            needed,
        }
    }

    impl Case {
        fn output(&self, cache: &mut TransformerCache) -> Panel {
            let mut out = Panel::default();
            let draw = Some(Draw::new(3));
            self.transformer.forward(
                &self.parameters,
                &self.layout,
                self.needed.as_deref(),
                draw,
                &self.x,
                cache,
                &mut out,
            );
            out
        }

        /// Weights of a linear loss over the outputs of real tokens.
        fn slope(&self, out: &Panel) -> Panel {
            let tokens = self.needed.as_ref().map_or(self.layout.tokens(), Vec::len);
            let mut slope = Panel::new(out.features(), out.width());
            for lane in 0..tokens {
                for feature in 0..out.features() {
                    slope.data[feature * out.width() + lane] =
                        ((feature * 7 + lane * 3) % 11) as f32 / 5.0 - 1.0;
                }
            }
            slope
        }

        fn loss(&self) -> f64 {
            let out = self.output(&mut TransformerCache::default());
            let slope = self.slope(&out);
            let products = out.data.iter().zip(&slope.data);
            products.map(|(y, s)| f64::from(*y) * f64::from(*s)).sum()
        }

        fn gradients(&self) -> (Gradients, Panel) {
            let mut cache = TransformerCache::default();
            let mut dy = self.slope(&self.output(&mut cache));
            let (mut gradients, mut dx) = (Gradients::new(), Panel::default());
            self.transformer.backward(
                &self.parameters,
                &mut gradients,
                &self.layout,
                &self.x,
                &mut cache,
                &mut dy,
                Some(&mut dx),
            );
            (gradients, dx)
        }
    }

    #[track_caller]
    fn close(name: &str, got: f32, plus: f64, minus: f64, step: f64) {
        let want = (plus - minus) / (2.0 * step);
        let error = (f64::from(got) - want).abs();
        assert!(error < 0.02 + 0.02 * want.abs(), "{name}: {got} for {want}");
    }

    fn check(mut case: Case) {
        const STEP: f32 = 4e-3;
        let (gradients, dx) = case.gradients();
        let ids: Vec<TensorId> = case.parameters.ids().collect();
        for id in ids {
            let name = case.parameters.name(id).to_owned();
            let own = gradients
                .get(id)
                .unwrap_or_else(|| panic!("{name}"))
                .to_vec();
            for at in (0..own.len()).step_by(1 + own.len() / 12) {
                let mut at_shift = |by: f32| {
                    let before = case.parameters.values(id)[at];
                    case.parameters
                        .update(id, |values| values[at] = before + by);
                    let loss = case.loss();
                    case.parameters.update(id, |values| values[at] = before);
                    loss
                };
                let (plus, minus) = (at_shift(STEP), at_shift(-STEP));
                close(&name, own[at], plus, minus, f64::from(STEP));
            }
        }
        for at in (0..case.x.data.len()).step_by(7) {
            let before = case.x.data[at];
            case.x.data[at] = before + STEP;
            let plus = case.loss();
            case.x.data[at] = before - STEP;
            let minus = case.loss();
            case.x.data[at] = before;
            close("input", dx.data[at], plus, minus, f64::from(STEP));
        }
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        check(case(|_| {}, None));
    }

    #[test]
    fn gradients_of_dense_kernels_agree_with_finite_differences() {
        check(case(|options| options.density = 1.0, None));
    }

    #[test]
    fn gradients_of_needed_tokens_agree_with_finite_differences() {
        check(case(|_| {}, Some(vec![4, 5, 12, 14, 16])));
    }

    #[test]
    fn gradients_with_distances_and_a_causal_mask_agree_with_finite_differences() {
        let relative = |options: &mut TransformerOptions| {
            options.key_relative = true;
            options.value_relative = true;
        };
        check(case(relative, None));
        let causal = |options: &mut TransformerOptions| {
            relative(options);
            options.causal = true;
        };
        check(case(causal, Some(vec![3, 5, 12, 16])));
    }

    #[test]
    fn gradients_with_hidden_keys_agree_with_finite_differences() {
        check(case(|options| options.attention_dropout = 0.3, None));
    }

    #[test]
    fn needed_tokens_come_out_as_if_all_had() {
        let whole = case(|options| options.dropout = 0.0, None);
        let all = whole.output(&mut TransformerCache::default());
        let needed = vec![4, 5, 12, 16];
        let part = case(|options| options.dropout = 0.0, Some(needed.clone()));
        let some = part.output(&mut TransformerCache::default());
        for (at, lane) in needed.into_iter().enumerate() {
            assert_eq!(some.column(at), all.column(lane as usize));
        }
    }

    #[test]
    fn a_causal_token_does_not_see_the_future() {
        let mut case = case(|options| options.causal = true, None);
        let before = case.output(&mut TransformerCache::default());
        case.x.set_column(3, 0, &[9.0; 6]);
        let after = case.output(&mut TransformerCache::default());
        for lane in [0, 1, 2, 5, 6, 12] {
            assert_eq!(before.column(lane), after.column(lane));
        }
        assert_ne!(before.column(4), after.column(4));
    }

    #[test]
    fn positions_start_anew_in_every_sentence() {
        let layout = pack(&[2, 2]).remove(0);
        let mut x = Panel::new(4, 16);
        Positions::default().add(&layout, &mut x);
        assert_eq!(x.column(0), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(x.column(1), x.column(3));
        let want = [1_f64.sin(), 1_f64.cos(), 0.01_f64.sin(), 0.01_f64.cos()];
        for (got, want) in x.column(1).iter().zip(want) {
            assert!((f64::from(*got) - want).abs() < 1e-7);
        }
    }
}
