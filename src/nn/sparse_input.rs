//! The first layer of a network: sparse rows into panels.

use rayon::prelude::*;

use crate::matrix::Csr;
use crate::matrix::Panel;
use crate::matrix::add_scaled;
use crate::nn::gradients::Gradients;
use crate::nn::linear::Linear;
use crate::nn::linear::LinearOptions;
use crate::nn::parameters::Parameters;
use crate::nn::random::Draw;
use crate::nn::random::Stream;

/// A row of a sparse matrix and the lane that its output goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Row of the sparse matrix.
    pub row: u32,
    /// Panel of the batch.
    pub panel: u32,
    /// Lane of the panel.
    pub lane: u32,
}

/// Sparse dropout: each stored value is dropped with probability `rate`, and the
/// others are not scaled (Rasa 3 `SparseDropout`).
#[derive(Clone, Copy, Debug)]
pub struct SparseDropout {
    /// Names the random numbers of this step and layer.
    pub draw: Draw,
    /// Probability of dropping.
    pub rate: f32,
}

/// `y = Σ value · kernel[column] + bias` over the stored values of a row.
#[derive(Clone, Copy, Debug)]
pub struct SparseInput {
    /// Kernel `[columns, units]` and bias.
    pub linear: Linear,
}

impl SparseInput {
    /// Adds `<name>/kernel` and `<name>/bias`; `l2` is the λ of the kernel.
    pub fn new(
        parameters: &mut Parameters,
        name: &str,
        (columns, units): (usize, usize),
        l2: f32,
        stream: &mut Stream,
    ) -> Self {
        let options = LinearOptions {
            density: 1.0,
            l2,
            bias: true,
        };
        Self {
            linear: Linear::new(parameters, name, (columns, units), options, stream),
        }
    }

    /// Writes the outputs of the placed rows into features `from..from + units` of
    /// their lanes; other lanes and features stay as they are.
    ///
    /// `placed` is ordered by panel. Row number k of it has the elements
    /// `k · 2¹⁶ + stored` to the dropout, `stored` counting within the row.
    ///
    /// # Panics
    ///
    /// If `placed` is not ordered, or rows, lanes or features do not exist.
    pub fn forward(
        &self,
        parameters: &Parameters,
        rows: &Csr,
        placed: &[Placed],
        dropout: Option<SparseDropout>,
        panels: &mut [Panel],
        from: usize,
    ) {
        assert_eq!(rows.cols(), self.linear.inputs);
        assert!(placed.is_sorted_by_key(|place| place.panel));
        let kernel = parameters.values(self.linear.kernel);
        let units = self.linear.outputs;
        let bias = self.linear.bias.map(|bias| parameters.values(bias));
        panels.par_iter_mut().enumerate().for_each(|(at, panel)| {
            let first = placed.partition_point(|place| (place.panel as usize) < at);
            let after = placed.partition_point(|place| (place.panel as usize) <= at);
            let mut sum = vec![0.0; units];
            for ordinal in first..after {
                match bias {
                    Some(bias) => sum.copy_from_slice(bias),
                    None => sum.fill(0.0),
                }
                let (columns, values) = rows.row(placed[ordinal].row as usize);
                for (stored, (&column, &value)) in columns.iter().zip(values).enumerate() {
                    if !is_dropped(dropout, ordinal, stored) {
                        let weights = &kernel[column as usize * units..][..units];
                        add_scaled(value, weights, &mut sum);
                    }
                }
                panel.set_column(placed[ordinal].lane as usize, from, &sum);
            }
        });
    }

    /// Adds the gradients of kernel and bias, from the gradients of the lanes.
    ///
    /// Arguments as in [`SparseInput::forward`]. Each kernel row has one owner, which
    /// adds its rows in the order of `placed`.
    pub fn backward(
        &self,
        parameters: &Parameters,
        gradients: &mut Gradients,
        rows: &Csr,
        placed: &[Placed],
        dropout: Option<SparseDropout>,
        lane_gradients: &[Panel],
        from: usize,
    ) {
        let units = self.linear.outputs;
        let mut by_row = vec![0.0; placed.len() * units];
        by_row
            .par_chunks_mut(units.max(1))
            .zip(placed)
            .for_each(|(row, place)| {
                let panel = &lane_gradients[place.panel as usize];
                for (unit, value) in row.iter_mut().enumerate() {
                    *value = panel.data[(from + unit) * panel.width() + place.lane as usize];
                }
            });
        if let Some(bias) = self.linear.bias {
            let gradient = gradients.of(parameters, bias);
            for row in by_row.chunks_exact(units) {
                for (sum, &value) in gradient.iter_mut().zip(row) {
                    *sum += value;
                }
            }
        }
        let index = Transposed::new(rows, placed, dropout);
        let gradient = gradients.of(parameters, self.linear.kernel);
        gradient
            .par_chunks_mut(OWNED_ROWS * units.max(1))
            .enumerate()
            .for_each(|(chunk, owned)| {
                for (at, sums) in owned.chunks_exact_mut(units).enumerate() {
                    for &(ordinal, value) in index.of(chunk * OWNED_ROWS + at) {
                        let row = &by_row[ordinal as usize * units..][..units];
                        add_scaled(value, row, sums);
                    }
                }
            });
    }
}

/// Kernel rows that one task owns; the result does not depend on it.
const OWNED_ROWS: usize = 256;

/// Returns whether a stored value is dropped in this step.
fn is_dropped(dropout: Option<SparseDropout>, ordinal: usize, stored: usize) -> bool {
    dropout.is_some_and(|dropout| {
        let element = (ordinal as u32).wrapping_mul(1 << 16) + stored as u32;
        dropout.draw.falls(element, dropout.rate)
    })
}

/// For each column the placed rows that have a value there, in their order.
struct Transposed {
    offsets: Vec<u32>,
    entries: Vec<(u32, f32)>,
}

impl Transposed {
    fn new(rows: &Csr, placed: &[Placed], dropout: Option<SparseDropout>) -> Self {
        let mut offsets = vec![0_u32; rows.cols() + 2];
        let each = |visit: &mut dyn FnMut(u32, u32, f32)| {
            for (ordinal, place) in placed.iter().enumerate() {
                let (columns, values) = rows.row(place.row as usize);
                for (stored, (&column, &value)) in columns.iter().zip(values).enumerate() {
                    if !is_dropped(dropout, ordinal, stored) {
                        visit(ordinal as u32, column, value);
                    }
                }
            }
        };
        // Counting sort: counts two places up, so that the fill leaves the starts.
        each(&mut |_, column, _| offsets[column as usize + 2] += 1);
        for at in 1..offsets.len() {
            offsets[at] += offsets[at - 1];
        }
        let mut entries = vec![(0, 0.0); offsets[offsets.len() - 1] as usize];
        each(&mut |ordinal, column, value| {
            let next = &mut offsets[column as usize + 1];
            entries[*next as usize] = (ordinal, value);
            *next += 1;
        });
        Self { offsets, entries }
    }

    fn of(&self, column: usize) -> &[(u32, f32)] {
        &self.entries[self.offsets[column] as usize..self.offsets[column + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::adam::Adam;
    use crate::nn::gradients::in_slots;

    fn rows(columns: usize, count: usize) -> Csr {
        let mut rows = Csr::new(columns);
        for row in 0..count {
            let stored = (0..columns).filter(|column| (column * 5 + row * 3) % 7 < 2);
            rows.push_row(stored.map(|column| (column as u32, 1.0 + (column % 3) as f32)));
        }
        rows
    }

    fn placed(count: usize) -> Vec<Placed> {
        (0..count)
            .map(|k| Placed {
                row: (count - 1 - k) as u32,
                panel: (k / 6) as u32,
                lane: (k % 6) as u32,
            })
            .collect()
    }

    #[test]
    fn gradients_agree_with_finite_differences() {
        let (rows, placed) = (rows(9, 10), placed(10));
        let mut parameters = Parameters::new();
        let layer = SparseInput::new(&mut parameters, "s", (9, 4), 0.0, &mut Stream::new(1));
        let dropout = Some(SparseDropout {
            draw: Draw::new(5),
            rate: 0.4,
        });
        let slope = |panel: usize, at: usize| ((at * 5 + panel) % 9) as f32 - 4.0;
        let loss = |parameters: &Parameters| -> f64 {
            let mut panels = vec![Panel::new(5, 16), Panel::new(5, 16)];
            layer.forward(parameters, &rows, &placed, dropout, &mut panels, 1);
            let mut sum = 0.0;
            for place in &placed {
                for feature in 1..5 {
                    let at = feature * 16 + place.lane as usize;
                    let panel = place.panel as usize;
                    sum += f64::from(panels[panel].data[at] * slope(panel, at));
                }
            }
            sum
        };
        let mut gradients = Gradients::new();
        let mut back = vec![Panel::new(5, 16), Panel::new(5, 16)];
        for (panel, own) in back.iter_mut().enumerate() {
            for (at, value) in own.data.iter_mut().enumerate() {
                *value = slope(panel, at);
            }
        }
        layer.backward(
            &parameters,
            &mut gradients,
            &rows,
            &placed,
            dropout,
            &back,
            1,
        );
        for id in [layer.linear.kernel, layer.linear.bias.unwrap()] {
            let own = gradients.get(id).unwrap().to_vec();
            assert!(own.iter().any(|&value| value != 0.0));
            for at in 0..own.len() {
                let mut at_shift = |by: f32| {
                    parameters.update(id, |values| values[at] += by);
                    let loss = loss(&parameters);
                    parameters.update(id, |values| values[at] -= by);
                    loss
                };
                let want = (at_shift(0.25) - at_shift(-0.25)) / 0.5;
                assert!(
                    (f64::from(own[at]) - want).abs() < 1e-3,
                    "{} {want}",
                    own[at]
                );
            }
        }
    }

    #[test]
    fn weights_do_not_depend_on_the_number_of_threads() {
        let train = || {
            let (rows, placed) = (rows(600, 60), placed(60));
            let mut parameters = Parameters::new();
            let mut stream = Stream::new(1);
            let layer = SparseInput::new(&mut parameters, "s", (600, 16), 0.1, &mut stream);
            let options = LinearOptions {
                density: 0.3,
                l2: 0.0,
                bias: true,
            };
            let next = Linear::new(&mut parameters, "n", (16, 24), options, &mut stream);
            let (mut adam, mut slots) = (Adam::new(0.01), Vec::new());
            for _ in 0..4 {
                let mut panels = vec![Panel::new(16, 16); 10];
                layer.forward(&parameters, &rows, &placed, None, &mut panels, 0);
                in_slots(&mut slots, &mut panels, |gradients, x| {
                    let mut y = Panel::default();
                    next.forward(&parameters, x, &mut y);
                    let mut dx = Panel::default();
                    let into = Some((&mut dx, crate::matrix::Write::Replace));
                    next.backward(&parameters, gradients, x, &y, into);
                    *x = dx;
                });
                let mut own = Gradients::new();
                layer.backward(&parameters, &mut own, &rows, &placed, None, &panels, 0);
                slots.push(own);
                adam.step(&mut parameters, &slots);
            }
            parameters.to_safetensors()
        };
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            pool.build().unwrap().install(train)
        };
        let want = with(1);
        for threads in [2, 3, 8] {
            assert!(with(threads) == want, "{threads} threads");
        }
    }
}
