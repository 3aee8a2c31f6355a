//! The dialogues' side of the network: windows of turns to an embedding each.
//!
//! A turn's attribute is encoded once for all turns that share it: dropout comes
//! after the encoding, so this is exact. Only `drop_rate`, which is 0 by default,
//! needs an encoding for each occurrence.

use rayon::prelude::*;

use crate::dialogue::ted::batch::Turns;
use crate::dialogue::ted::network::AttributeEncoder;
use crate::dialogue::ted::network::Network;
use crate::dialogue::ted::network::Outputs;
use crate::dialogue::ted::pass::Pass;
use crate::dialogue::ted::pass::Piece;
use crate::dialogue::ted::pass::TablePass;
use crate::matrix::Csr;
use crate::matrix::Panel;
use crate::matrix::Write;
use crate::matrix::drop_elements;
use crate::matrix::gelu;
use crate::matrix::gelu_backward;
use crate::matrix::pack;
use crate::matrix::padded;
use crate::nn::Draw;
use crate::nn::Gradients;
use crate::nn::Placed;
use crate::nn::SparseDropout;

/// Names of dropouts below the draw of a step.
const IN_TABLES: u64 = 0;
const IN_PIECES: u64 = 2;

/// Names of dropouts below the draw of a piece.
const IN_TURNS: u64 = 0;
const IN_TRANSFORMER: u64 = 1;

impl Network {
    /// Embeds the answered turns of some windows.
    ///
    /// `training` names the random numbers of this step and switches dropout on.
    pub fn dialogues(
        &self,
        turns: &Turns,
        windows: &[&[u32]],
        outputs: Outputs,
        training: Option<Draw>,
        pass: &mut Pass,
    ) {
        pass.training = training;
        self.place(turns, windows, outputs, pass);
        let draw = training.map(|draw| draw.at(IN_TABLES));
        for (at, (encoder, table)) in self.encoders.iter().zip(&mut pass.tables).enumerate() {
            let rows = &turns.tables[encoder.attribute as usize];
            self.encode(encoder, rows, draw.map(|draw| draw.at(at as u64)), table);
        }
        let tables = &pass.tables;
        let pieces = pass.pieces.par_iter_mut();
        pieces.for_each(|piece| self.embed_piece(tables, training, piece));
    }

    /// Packs the windows into panels, and gives every distinct row that they use a
    /// lane of its table's panel.
    fn place(&self, turns: &Turns, windows: &[&[u32]], outputs: Outputs, pass: &mut Pass) {
        let lengths: Vec<usize> = windows.iter().map(|window| window.len()).collect();
        let layouts = pack(&lengths);
        pass.tables
            .resize_with(self.encoders.len(), TablePass::default);
        pass.pieces.resize_with(layouts.len(), Piece::default);
        for ((piece, layout), at) in pass.pieces.iter_mut().zip(layouts).zip(0..) {
            piece.at = at;
            piece.needed = match outputs {
                Outputs::First => Some(layout.first_lanes()),
                Outputs::Last => Some(layout.last_lanes()),
                Outputs::All => None,
            };
            piece.sources.resize_with(self.encoders.len(), Vec::new);
            piece.layout = layout;
        }
        let is_distinct = pass.training.is_none() || self.input_drop_rates == [0.0, 0.0];
        for (at, (encoder, table)) in self.encoders.iter().zip(&mut pass.tables).enumerate() {
            let rows = turns.tables[encoder.attribute as usize].rows();
            let mut lane_of = vec![0_u32; rows];
            table.placed.clear();
            for piece in &mut pass.pieces {
                let first = piece.layout.first_sentence;
                let windows = &windows[first..first + piece.layout.spans.len()];
                let sources = &mut piece.sources[at];
                sources.clear();
                for &turn in windows.iter().copied().flatten() {
                    let row = turns.turns[turn as usize][encoder.attribute as usize];
                    sources.push(row.map_or(0, |row| {
                        let lane = &mut lane_of[row as usize];
                        if *lane == 0 || !is_distinct {
                            *lane = table.placed.len() as u32 + 1;
                            table.placed.push(Placed {
                                row,
                                panel: 0,
                                lane: *lane - 1,
                            });
                        }
                        *lane
                    }));
                }
            }
        }
    }

    fn encode(
        &self,
        encoder: &AttributeEncoder,
        rows: &Csr,
        draw: Option<Draw>,
        table: &mut TablePass,
    ) {
        let width = padded(table.placed.len());
        let units = encoder.dense.linear.outputs;
        let dense = match encoder.encoding {
            Some(_) => &mut table.dense,
            None => &mut table.encoded,
        };
        dense.reset(units, width);
        let panels = std::slice::from_mut(&mut *dense);
        let dropout = self.sparse_dropout(draw);
        encoder
            .dense
            .forward(&self.parameters, rows, &table.placed, dropout, panels, 0);
        self.drop_dense(draw, dense);
        if let Some(encoding) = &encoder.encoding {
            encoding.forward(&self.parameters, &table.dense, &mut table.encoding);
            table.encoded.reshape(encoding.outputs, width);
            gelu(&table.encoding.data, &mut table.encoded.data);
        }
    }

    fn sparse_dropout(&self, draw: Option<Draw>) -> Option<SparseDropout> {
        let rate = self.input_drop_rates[0];
        let draw = draw.filter(|_| rate > 0.0)?.at(0);
        Some(SparseDropout { draw, rate })
    }

    fn drop_dense(&self, draw: Option<Draw>, panel: &mut Panel) {
        let rate = self.input_drop_rates[1];
        if let Some(draw) = draw.filter(|_| rate > 0.0) {
            drop_elements(draw.at(1).dropout(rate), &mut panel.data);
        }
    }

    fn embed_piece(&self, tables: &[TablePass], training: Option<Draw>, piece: &mut Piece) {
        let draw = training.map(|draw| draw.at(IN_PIECES).at(piece.at));
        piece.turns.reset(self.turn_width, piece.layout.width);
        for ((encoder, table), sources) in self.encoders.iter().zip(tables).zip(&piece.sources) {
            let own = encoder.rows_of(&mut piece.turns);
            for (feature, row) in own.chunks_exact_mut(piece.layout.width).enumerate() {
                let from = table.encoded.row(feature);
                for (value, &source) in row.iter_mut().zip(sources) {
                    if source > 0 {
                        *value = from[source as usize - 1];
                    }
                }
            }
            self.drop_turns(encoder, draw, &mut piece.turns);
        }
        let needed = piece.needed.as_deref();
        match (&self.transformer, needed) {
            (Some(transformer), _) => transformer.forward(
                &self.parameters,
                &piece.layout,
                needed,
                draw.map(|draw| draw.at(IN_TRANSFORMER)),
                &piece.turns,
                &mut piece.cache,
                &mut piece.hidden,
            ),
            (None, Some(needed)) => piece.hidden.gather(&piece.turns, needed),
            (None, None) => piece.hidden.clone_from(&piece.turns),
        }
        piece
            .active
            .reshape(piece.hidden.features(), piece.hidden.width());
        gelu(&piece.hidden.data, &mut piece.active.data);
        self.embed_dialogue
            .forward(&self.parameters, &piece.active, &mut piece.embedded);
    }

    /// Drops elements of an encoded attribute of every turn; multiplies gradients
    /// just the same.
    fn drop_turns(&self, encoder: &AttributeEncoder, draw: Option<Draw>, turns: &mut Panel) {
        let rate = self.drop_rate_dialogue;
        if let Some(draw) = draw.filter(|_| rate > 0.0 && encoder.encoding.is_some()) {
            let draw = draw.at(IN_TURNS).at(encoder.attribute as u64);
            drop_elements(draw.dropout(rate), encoder.rows_of(turns));
        }
    }

    /// Adds the gradients of the layers that a piece went through alone, from
    /// [`Piece::gradient`].
    pub fn piece_backward(
        &self,
        training: Option<Draw>,
        gradients: &mut Gradients,
        piece: &mut Piece,
    ) {
        let draw = training.map(|draw| draw.at(IN_PIECES).at(piece.at));
        let (parameters, mut hidden) = (&self.parameters, Panel::default());
        let dx = Some((&mut hidden, Write::Replace));
        self.embed_dialogue
            .backward(parameters, gradients, &piece.active, &piece.gradient, dx);
        gelu_backward(&piece.hidden.data, &mut hidden.data);
        match (&self.transformer, &piece.needed) {
            (Some(transformer), _) => transformer.backward(
                parameters,
                gradients,
                &piece.layout,
                &piece.turns,
                &mut piece.cache,
                &mut hidden,
                Some(&mut piece.turns_gradient),
            ),
            (None, Some(needed)) => {
                piece
                    .turns_gradient
                    .reset(self.turn_width, piece.layout.width);
                hidden.scatter_add(&mut piece.turns_gradient, needed);
            }
            (None, None) => piece.turns_gradient = hidden,
        }
        for encoder in &self.encoders {
            self.drop_turns(encoder, draw, &mut piece.turns_gradient);
        }
    }

    /// Adds the gradients of the attributes' layers, after those of all pieces.
    pub fn tables_backward(&self, turns: &Turns, gradients: &mut Gradients, pass: &mut Pass) {
        let draw = pass.training.map(|draw| draw.at(IN_TABLES));
        for (at, (encoder, table)) in self.encoders.iter().zip(&mut pass.tables).enumerate() {
            table
                .gradient
                .reset(encoder.width, padded(table.placed.len()));
            for piece in &pass.pieces {
                encoder.collect(
                    &piece.turns_gradient,
                    &piece.sources[at],
                    &mut table.gradient,
                );
            }
            let rows = &turns.tables[encoder.attribute as usize];
            let draw = draw.map(|draw| draw.at(at as u64));
            self.encode_backward(encoder, rows, draw, gradients, table);
        }
    }

    fn encode_backward(
        &self,
        encoder: &AttributeEncoder,
        rows: &Csr,
        draw: Option<Draw>,
        gradients: &mut Gradients,
        table: &mut TablePass,
    ) {
        let parameters = &self.parameters;
        let mut dense = Panel::default();
        match &encoder.encoding {
            Some(encoding) => {
                gelu_backward(&table.encoding.data, &mut table.gradient.data);
                let dx = Some((&mut dense, Write::Replace));
                encoding.backward(parameters, gradients, &table.dense, &table.gradient, dx);
            }
            None => std::mem::swap(&mut dense, &mut table.gradient),
        }
        self.drop_dense(draw, &mut dense);
        let dropout = self.sparse_dropout(draw);
        let panels = std::slice::from_ref(&dense);
        encoder.dense.backward(
            parameters,
            gradients,
            rows,
            &table.placed,
            dropout,
            panels,
            0,
        );
    }
}

impl AttributeEncoder {
    /// Adds the gradients of all turns of a panel to the lanes they came from.
    fn collect(&self, turns: &Panel, sources: &[u32], gradient: &mut Panel) {
        let width = gradient.width();
        for feature in 0..self.width {
            let from = turns.row(self.from + feature);
            let to = &mut gradient.data[feature * width..(feature + 1) * width];
            for (&value, &source) in from.iter().zip(sources) {
                if source > 0 {
                    to[source as usize - 1] += value;
                }
            }
        }
    }
}
