//! The actions' side of the network: every action's name to its embedding.

use crate::dialogue::ted::network::Network;
use crate::dialogue::ted::pass::Pass;
use crate::dialogue::ted::pass::set_lanes;
use crate::matrix::Panel;
use crate::matrix::Write;
use crate::matrix::add;
use crate::matrix::add_row_sums;
use crate::matrix::drop_elements;
use crate::matrix::gelu;
use crate::matrix::gelu_backward;
use crate::matrix::padded;
use crate::nn::Draw;
use crate::nn::Gradients;

/// Name of the dropout below the draw of a step.
const IN_LABELS: u64 = 1;

#[derive(Clone, Debug, Default)]
pub(super) struct ActionPass {
    /// `[encoding, actions]` before the activation.
    encoding: Panel,
    /// The same after activation and dropout.
    active: Panel,
    /// `[embedding, actions]`.
    pub(super) embedded: Panel,
}

impl Network {
    /// Embeds all actions; `training` as for [`Network::dialogues`].
    pub fn actions(&self, training: Option<Draw>, pass: &mut Pass) {
        let labels = &mut pass.actions;
        self.encode_actions(&mut labels.encoding);
        labels
            .active
            .reshape(labels.encoding.features(), labels.encoding.width());
        gelu(&labels.encoding.data, &mut labels.active.data);
        self.drop_labels(training, &mut labels.active);
        self.embed_label
            .forward(&self.parameters, &labels.active, &mut labels.embedded);
    }

    /// Encodes all actions: their features are one-hot, so action `a` has row `a` of
    /// the kernel.
    fn encode_actions(&self, encoding: &mut Panel) {
        let kernel = self.parameters.dense(self.encode_label.kernel);
        let units = self.encode_label.outputs;
        let bias = self
            .encode_label
            .bias
            .map(|bias| self.parameters.values(bias));
        encoding.reset(units, padded(self.actions));
        let width = encoding.width();
        for (unit, lanes) in encoding.data.chunks_exact_mut(width).enumerate() {
            let start = bias.map_or(0.0, |bias| bias[unit]);
            for (action, lane) in lanes[..self.actions].iter_mut().enumerate() {
                *lane = kernel[action * units + unit] + start;
            }
        }
    }

    /// Adds the gradients of the actions' layers, from those of their embeddings,
    /// `[actions, embedding]`.
    pub fn actions_backward(&self, gradients: &mut Gradients, pass: &Pass, rows: &[f32]) {
        let (parameters, labels) = (&self.parameters, &pass.actions);
        let (mut embedded, mut gradient) = (Panel::default(), Panel::default());
        set_lanes(&mut embedded, &labels.embedded, rows);
        let dx = Some((&mut gradient, Write::Replace));
        self.embed_label
            .backward(parameters, gradients, &labels.active, &embedded, dx);
        self.drop_labels(pass.training, &mut gradient);
        gelu_backward(&labels.encoding.data, &mut gradient.data);
        self.encode_actions_backward(gradients, &gradient);
    }

    fn encode_actions_backward(&self, gradients: &mut Gradients, gradient: &Panel) {
        let (parameters, units) = (&self.parameters, self.encode_label.outputs);
        if let Some(bias) = self.encode_label.bias {
            add_row_sums(
                &gradient.data,
                gradient.width(),
                gradients.of(parameters, bias),
            );
        }
        let mut by_action = vec![0.0; self.actions * units];
        for unit in 0..units {
            for (action, &value) in gradient.row(unit)[..self.actions].iter().enumerate() {
                by_action[action * units + unit] = value;
            }
        }
        let kernel = self.encode_label.kernel;
        if let Some((kept, _)) = parameters.kept(kernel) {
            by_action = kept.compact(&by_action);
        }
        add(&by_action, gradients.of(parameters, kernel));
    }

    fn drop_labels(&self, training: Option<Draw>, panel: &mut Panel) {
        let rate = self.drop_rate_dialogue;
        if let Some(draw) = training.filter(|_| rate > 0.0) {
            drop_elements(draw.at(IN_LABELS).dropout(rate), &mut panel.data);
        }
    }
}
