//! Predictions in numbers: a confidence a label, a tag a token.

use rayon::prelude::*;

use crate::features::FeatureRows;
use crate::matrix::Panel;
use crate::matrix::exp;
use crate::nlu::TagKind;
use crate::nlu::diet::Columns;
use crate::nlu::diet::Model;
use crate::nlu::diet::Similarity;
use crate::nlu::diet::passage::Messages;
use crate::nlu::diet::passage::Piece;
use crate::nlu::diet::side::Side;
use crate::nlu::diet::tags::PanelTags;
use crate::nlu::diet::tags::TagPiece;
use crate::nn::Crf;
use crate::nn::Parameters;

/// What the network makes of one message.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// One confidence a label; empty when labels are not learnt.
    pub labels: Vec<f32>,
    /// Tags of all tokens, for each kind that is learnt; entities first.
    pub tags: Vec<TokenTags>,
}

/// Tags of one kind for the tokens of a message.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenTags {
    /// What the tags say.
    pub kind: TagKind,
    /// Tag of each token; 0 is outside of any entity.
    pub ids: Vec<u32>,
    /// Confidence of each tag.
    ///
    /// Rasa 3.6: those of all tokens but the last two are the confidence of tag 0
    /// at that place instead.
    pub confidences: Vec<f32>,
}

/// Messages that are held in memory at once.
const CHUNK: usize = 512;

impl Model {
    /// Scores messages; `None` for those without features. The others come out
    /// the same whatever stands beside them.
    ///
    /// # Panics
    ///
    /// If the features are not as wide as those of the training data.
    pub fn scores(&self, rows: &FeatureRows) -> Vec<Option<Scores>> {
        assert_eq!(
            Columns::of(rows),
            self.columns(),
            "features of another width"
        );
        let mut scores = vec![None; rows.messages()];
        let chosen: Vec<u32> = (0..rows.messages() as u32)
            .filter(|&message| !rows.tokens(message as usize).is_empty())
            .collect();
        let heads = self.network.heads.iter();
        let crfs: Vec<Crf> = heads
            .map(|head| head.crf(&self.network.parameters))
            .collect();
        for chunk in chosen.chunks(CHUNK) {
            let messages = Messages {
                rows: Some(rows),
                chosen: chunk,
            };
            let side = &self.network.text;
            let pieces = side.forward_all(&self.network.parameters, messages);
            let panels = pieces
                .par_iter()
                .map(|piece| self.panel_scores(piece, &crfs));
            let found: Vec<Vec<Scores>> = panels.collect();
            for (&message, found) in chunk.iter().zip(found.into_iter().flatten()) {
                scores[message as usize] = Some(found);
            }
        }
        scores
    }

    fn panel_scores(&self, piece: &Piece, crfs: &[Crf]) -> Vec<Scores> {
        let messages = piece.layout.spans.len();
        let mut scores = vec![Scores::default(); messages];
        if self.network.label.is_some() {
            for (message, scores) in scores.iter_mut().enumerate() {
                scores.labels = self.confidences(&piece.embedding.column(message));
            }
        }
        let mut entities = vec![0; piece.layout.width];
        for (head, crf) in self.network.heads.iter().zip(crfs) {
            let tags = PanelTags {
                layout: &piece.layout,
                has_sentence: self.network.has_sentence,
                entities: &entities,
            };
            let mut tagged = TagPiece::default();
            head.forward(&self.network.parameters, &piece.encoded, tags, &mut tagged);
            let decoded = head.decode(crf, tags, &tagged);
            if head.kind == TagKind::Entity && self.network.heads.len() > 1 {
                let firsts: Vec<usize> = tags.tokens().map(|(first, _)| first).collect();
                for (first, (ids, _)) in firsts.into_iter().zip(&decoded) {
                    entities[first..first + ids.len()].copy_from_slice(ids);
                }
            }
            for (scores, (ids, confidences)) in scores.iter_mut().zip(decoded) {
                let kind = head.kind;
                scores.tags.push(TokenTags {
                    kind,
                    ids,
                    confidences,
                });
            }
        }
        scores
    }

    /// Returns one confidence a label for an embedded text.
    fn confidences(&self, text: &[f32]) -> Vec<f32> {
        let text = self.comparable(text);
        let labels = self.label_embeddings.chunks_exact(text.len());
        let mut values: Vec<f32> = labels
            .map(|label| {
                let products = text.iter().zip(self.comparable(label));
                products.map(|(a, b)| a * b).sum()
            })
            .collect();
        if self.options.softmax_confidence() {
            let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            values
                .iter_mut()
                .for_each(|value| *value = exp(*value - top));
            let sum: f32 = values.iter().sum();
            values.iter_mut().for_each(|value| *value /= sum);
        }
        values
    }

    /// Returns an embedding as it is compared: of length 1 for cosines.
    fn comparable(&self, embedding: &[f32]) -> Vec<f32> {
        let mut values = embedding.to_vec();
        if self.options.similarity_type == Similarity::Cosine {
            let squares: f32 = values.iter().map(|value| value * value).sum();
            let length = squares.max(1e-12).sqrt();
            values.iter_mut().for_each(|value| *value /= length);
        }
        values
    }
}

impl Side {
    /// Takes messages through the side without noise.
    pub fn forward_all(&self, parameters: &Parameters, messages: Messages<'_>) -> Vec<Piece> {
        let packing = self.pack(messages);
        let mut inputs: Vec<Panel> = Vec::new();
        self.read(parameters, messages, &packing, None, &mut inputs);
        let panels = inputs.par_iter_mut().zip(&packing.layouts);
        let pieces = panels.map(|(input, layout)| {
            let mut piece = Piece::default();
            self.forward(parameters, layout, None, input, &mut piece);
            piece
        });
        pieces.collect()
    }

    /// Returns the embeddings of messages, `[messages, dimension]`.
    pub fn embed_all(&self, parameters: &Parameters, messages: Messages<'_>) -> Vec<f32> {
        let mut rows = Vec::new();
        for piece in self.forward_all(parameters, messages) {
            for message in 0..piece.layout.spans.len() {
                rows.extend(piece.embedding.column(message));
            }
        }
        rows
    }
}
