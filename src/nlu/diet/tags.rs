//! The heads that tag tokens: one conditional random field a kind of tag.

use crate::matrix::Layout;
use crate::matrix::Panel;
use crate::matrix::Write;
use crate::nlu::TagKind;
use crate::nlu::diet::Options;
use crate::nn::Crf;
use crate::nn::CrfConfidence;
use crate::nn::CrfLesson;
use crate::nn::Gradients;
use crate::nn::Linear;
use crate::nn::LinearOptions;
use crate::nn::Parameters;
use crate::nn::Stream;
use crate::nn::TensorId;

/// Scores tags of one kind.
///
/// Roles and groups also see the entity tag: the right one while training, the
/// predicted one afterwards.
#[derive(Clone, Debug)]
pub(crate) struct TagHead {
    /// What the tags say.
    pub kind: TagKind,
    /// Number of tags, the one for "outside" included.
    pub tags: usize,
    /// Entity tag to `embedding_dimension` features.
    projection: Option<Linear>,
    logits: Linear,
    transitions: TensorId,
}

/// One panel on its way through a head, and what it leaves behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct TagPiece {
    /// Encoded positions, with the projected entity tags below them.
    input: Panel,
    /// `[tags, lanes]`.
    logits: Panel,
    /// One a message that has tokens.
    pub lessons: Vec<CrfLesson>,
}

/// The tags of the tokens of one panel.
#[derive(Clone, Copy)]
pub(crate) struct PanelTags<'a> {
    /// Where the messages lie; the last lane of each is the sentence if
    /// `has_sentence`.
    pub layout: &'a Layout,
    /// Whether the last position of a message is no token.
    pub has_sentence: bool,
    /// Entity tag of each lane, 0 for lanes that hold no token.
    pub entities: &'a [u32],
}

impl PanelTags<'_> {
    /// Returns first lane and number of tokens of each message that has tokens.
    pub fn tokens(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let beside = u32::from(self.has_sentence);
        let spans = self
            .layout
            .spans
            .iter()
            .filter(move |span| span.count > beside);
        spans.map(move |span| (span.start as usize, (span.count - beside) as usize))
    }
}

impl TagHead {
    /// Adds the tensors below the name of the kind.
    pub fn new(
        parameters: &mut Parameters,
        options: &Options,
        kind: TagKind,
        (tags, entity_tags): (usize, usize),
        units: usize,
        stream: &mut Stream,
    ) -> Self {
        let (name, l2) = (name_of(kind), options.regularization_constant);
        let linear = LinearOptions {
            density: 1.0,
            l2,
            bias: true,
        };
        let dimension = options.embedding_dimension;
        let projection = (kind != TagKind::Entity).then(|| {
            let shape = (entity_tags, dimension);
            Linear::new(parameters, &format!("{name}/tags"), shape, linear, stream)
        });
        let inputs = units + projection.map_or(0, |_| dimension);
        let shape = (inputs, tags);
        let logits = Linear::new(parameters, &format!("{name}/logits"), shape, linear, stream);
        let values = stream.glorot_uniform(tags, tags);
        let transitions = parameters.add(&format!("{name}/transitions"), &[tags, tags], values, l2);
        Self {
            kind,
            tags,
            projection,
            logits,
            transitions,
        }
    }

    /// Returns the field of this step's transitions.
    pub fn crf(&self, parameters: &Parameters) -> Crf {
        Crf::new(parameters.values(self.transitions), self.tags)
    }

    /// Scores the tags of every lane.
    pub fn forward(
        &self,
        parameters: &Parameters,
        encoded: &Panel,
        tags: PanelTags<'_>,
        piece: &mut TagPiece,
    ) {
        let (units, width) = (encoded.features(), encoded.width());
        piece.input.reshape(self.logits.inputs, width);
        piece.input.data[..units * width].copy_from_slice(&encoded.data);
        if let Some(projection) = &self.projection {
            let kernel = parameters.values(projection.kernel);
            let bias = projection
                .bias
                .map_or(&[][..], |bias| parameters.values(bias));
            for lane in 0..width {
                let tag = tags.entities.get(lane).map_or(0, |&tag| tag as usize);
                let row = &kernel[tag * projection.outputs..(tag + 1) * projection.outputs];
                for (at, (weight, bias)) in row.iter().zip(bias).enumerate() {
                    piece.input.data[(units + at) * width + lane] = weight + bias;
                }
            }
        }
        self.logits
            .forward(parameters, &piece.input, &mut piece.logits);
    }

    /// Compares the scores with the right tags of this kind, a lane each.
    pub fn learn(&self, crf: &Crf, right: &[u32], tags: PanelTags<'_>, piece: &mut TagPiece) {
        piece.lessons.clear();
        for (first, count) in tags.tokens() {
            let logits = self.rows(&piece.logits, first, count);
            piece
                .lessons
                .push(crf.learn(&logits, &right[first..first + count]));
        }
    }

    /// Returns the most likely tags and their confidences of each message that
    /// has tokens.
    pub fn decode(
        &self,
        crf: &Crf,
        tags: PanelTags<'_>,
        piece: &TagPiece,
    ) -> Vec<(Vec<u32>, Vec<f32>)> {
        let messages = tags.tokens();
        messages
            .map(|(first, count)| {
                let logits = self.rows(&piece.logits, first, count);
                crf.decode(&logits, CrfConfidence::Rasa)
            })
            .collect()
    }

    /// Returns some lanes as rows: `[count, tags]`.
    fn rows(&self, logits: &Panel, first: usize, count: usize) -> Vec<f32> {
        let mut rows = vec![0.0; count * self.tags];
        for tag in 0..self.tags {
            let lanes = &logits.row(tag)[first..first + count];
            for (at, value) in lanes.iter().enumerate() {
                rows[at * self.tags + tag] = *value;
            }
        }
        rows
    }

    /// Adds the gradients of `Σ factor · (−log-likelihood)`, and that of the
    /// encoded positions to `encoded_gradient`. There is one factor a lesson.
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        crf: &Crf,
        tags: PanelTags<'_>,
        piece: &mut TagPiece,
        factors: &[f32],
        encoded_gradient: &mut Panel,
    ) {
        let transitions = gradients.of(parameters, self.transitions);
        crf.add_transition_gradient(&piece.lessons, factors, transitions);
        let width = piece.logits.width();
        let mut dy = Panel::new(self.tags, width);
        let lessons = piece.lessons.iter().zip(factors);
        for ((first, count), (lesson, factor)) in tags.tokens().zip(lessons) {
            for tag in 0..self.tags {
                let lanes = &mut dy.data[tag * width + first..][..count];
                for (at, lane) in lanes.iter_mut().enumerate() {
                    *lane = lesson.d_logits[at * self.tags + tag] * factor;
                }
            }
        }
        let mut dx = Panel::default();
        let into = Some((&mut dx, Write::Replace));
        self.logits
            .backward(parameters, gradients, &piece.input, &dy, into);
        let units = encoded_gradient.features();
        crate::matrix::add(&dx.data[..units * width], &mut encoded_gradient.data);
        if let Some(projection) = &self.projection {
            let below = &dx.data[units * width..];
            add_projection_gradient(projection, parameters, gradients, tags, below, width);
        }
    }
}

/// Returns the name below which the tensors of a kind stand.
fn name_of(kind: TagKind) -> &'static str {
    match kind {
        TagKind::Entity => "entity",
        TagKind::Role => "role",
        TagKind::Group => "group",
    }
}

/// Adds the gradients of kernel and bias, lane by lane; the input is one-hot.
fn add_projection_gradient(
    projection: &Linear,
    parameters: &Parameters,
    gradients: &mut Gradients,
    tags: PanelTags<'_>,
    dy: &[f32],
    width: usize,
) {
    let outputs = projection.outputs;
    let kernel = gradients.of(parameters, projection.kernel);
    for (first, count) in tags.tokens() {
        for lane in first..first + count {
            let row = &mut kernel[tags.entities[lane] as usize * outputs..][..outputs];
            for (at, sum) in row.iter_mut().enumerate() {
                *sum += dy[at * width + lane];
            }
        }
    }
    if let Some(bias) = projection.bias {
        crate::matrix::add_row_sums(dy, width, gradients.of(parameters, bias));
    }
}
