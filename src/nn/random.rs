//! Seeded random numbers from integer arithmetic alone.
//!
//! Two kinds: a [`Draw`] names one use (step, layer, …) and gives each element its
//! number without any state, so that the order of work cannot matter; a [`Stream`]
//! gives one number after another, for shuffles and initial weights.

use crate::matrix::DropKey;
use crate::matrix::hash_element;

/// Mixes 64 bits.
///
/// # Source
///
/// Steele, Lea and Flood, *Fast Splittable Pseudorandom Number Generators* (2014),
/// the finaliser of SplitMix64.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A name for random numbers: a function of the seed and of the path of
/// [`Draw::at`] calls, without state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw(u64);

impl Draw {
    /// Returns the root of a seed.
    pub fn new(seed: u64) -> Self {
        Self(mix(seed.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }

    /// Returns the branch for a step, a layer, a panel and so on.
    pub fn at(self, index: u64) -> Self {
        Self(mix(self.0
            ^ mix(index
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .wrapping_add(1))))
    }

    /// Returns 32 random bits for an element.
    pub fn bits(self, element: u32) -> u32 {
        hash_element(self.key(), element)
    }

    /// Returns a number in `[0, 1)` for an element.
    pub fn uniform(self, element: u32) -> f32 {
        (self.bits(element) >> 8) as f32 / (1 << 24) as f32
    }

    /// Returns an index below `count` for an element.
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    pub fn below(self, element: u32, count: usize) -> usize {
        assert!(count > 0);
        ((u64::from(self.bits(element)) * count as u64) >> 32) as usize
    }

    /// Returns the key of dropping elements with probability `rate`, the others
    /// being scaled by `1 / (1 − rate)`.
    pub fn dropout(self, rate: f32) -> DropKey {
        DropKey {
            key: self.key(),
            threshold: threshold(rate),
            scale: 1.0 / (1.0 - rate),
        }
    }

    /// Returns whether an element falls below `rate`.
    pub fn falls(self, element: u32, rate: f32) -> bool {
        self.bits(element) < threshold(rate)
    }

    /// Returns a stream that starts here.
    pub fn stream(self) -> Stream {
        Stream(self.0)
    }

    fn key(self) -> [u32; 2] {
        [self.0 as u32, (self.0 >> 32) as u32]
    }
}

/// Returns the number of 32-bit hashes that lie below a probability.
fn threshold(rate: f32) -> u32 {
    (f64::from(rate) * 4_294_967_296.0) as u32
}

/// A sequence of random numbers: SplitMix64.
#[derive(Clone, Debug)]
pub struct Stream(u64);

impl Stream {
    /// Returns the stream of a seed.
    pub fn new(seed: u64) -> Self {
        Draw::new(seed).stream()
    }

    /// Returns the next 64 bits.
    pub fn next_bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number in `[0, 1)`.
    pub fn uniform(&mut self) -> f32 {
        (self.next_bits() >> 40) as f32 / (1 << 24) as f32
    }

    /// Returns an index below `count`, each as likely as the others to 2⁻³².
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        assert!(count > 0);
        (((self.next_bits() >> 32) * count as u64) >> 32) as usize
    }

    /// Shuffles in place (Fisher and Yates, from the end).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// Returns a kernel `[inputs, outputs]`, uniform in `±√(6 / (inputs + outputs))`.
    ///
    /// # Source
    ///
    /// Glorot and Bengio (2010), eq. 16; Keras `glorot_uniform`.
    pub fn glorot_uniform(&mut self, inputs: usize, outputs: usize) -> Vec<f32> {
        let limit = (6.0 / (inputs + outputs) as f32).sqrt();
        (0..inputs * outputs)
            .map(|_| (2.0 * self.uniform() - 1.0) * limit)
            .collect()
    }

    /// Returns a mask `[inputs, outputs]`: each element with probability `density`,
    /// and those that tile an identity, so that nothing is left unconnected.
    ///
    /// Rasa 3 `RandomlyConnectedDense`.
    pub fn connections(&mut self, inputs: usize, outputs: usize, density: f32) -> Vec<bool> {
        let side = inputs.min(outputs).max(1);
        (0..inputs * outputs)
            .map(|at| {
                let (input, output) = (at / outputs, at % outputs);
                let drawn = self.uniform() < density;
                drawn || input % side == output % side
            })
            .collect()
    }

    /// Returns a mask `[inputs, outputs]` in which each `group` of neighbouring outputs
    /// keeps the same inputs, and of as many elements as [`Stream::connections`] keeps on
    /// average.
    ///
    /// Elements that tile an identity are kept with their groups, so that nothing is left
    /// unconnected. The other inputs of a group are drawn from all. Differs from Rasa, where
    /// an output has as many inputs as chance gives it: here all have, to one, equally many.
    ///
    /// # Panics
    ///
    /// If `group` does not divide the outputs.
    pub fn grouped_connections(
        &mut self,
        (inputs, outputs): (usize, usize),
        density: f32,
        group: usize,
    ) -> Vec<bool> {
        assert!(outputs.is_multiple_of(group));
        let (groups, side) = (outputs / group, inputs.min(outputs).max(1));
        let density = f64::from(density);
        let share = density + (1.0 - density) / side as f64;
        let count = (share * (inputs * groups) as f64).round() as usize;
        let mut mask = vec![false; inputs * outputs];
        for at in 0..groups {
            let quota = count * (at + 1) / groups - count * at / groups;
            let own = at * group..(at + 1) * group;
            let tiles = |input: usize| own.clone().any(|output| input % side == output % side);
            let mut order: Vec<usize> = (0..inputs).collect();
            self.shuffle(&mut order);
            order.sort_by_key(|&input| !tiles(input));
            let least = (0..inputs).filter(|&input| tiles(input)).count();
            for &input in &order[..quota.max(least)] {
                let first = input * outputs;
                mask[first + own.start..first + own.end].fill(true);
            }
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_their_path_only() {
        let draw = Draw::new(7).at(3).at(1);
        assert_eq!(draw, Draw::new(7).at(3).at(1));
        assert_ne!(draw, Draw::new(7).at(1).at(3));
        assert_ne!(Draw::new(7).at(0), Draw::new(7));
        let mean: f32 = (0..10_000).map(|k| draw.uniform(k)).sum::<f32>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.01);
    }

    #[test]
    fn the_stream_is_splitmix64() {
        // First outputs of the reference implementation for the state 1234567.
        let mut stream = Stream(1_234_567);
        assert_eq!(stream.next_bits(), 6_457_827_717_110_365_317);
        assert_eq!(stream.next_bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn shuffles_keep_every_item() {
        let mut items: Vec<u32> = (0..50).collect();
        Stream::new(1).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn every_input_and_output_is_connected() {
        let mask = Stream::new(3).connections(30, 7, 0.0);
        assert!((0..30).all(|i| mask[i * 7 + i % 7]));
        assert_eq!(mask.iter().filter(|&&kept| kept).count(), 30);
        let mask = Stream::new(3).connections(100, 100, 0.2);
        let kept = mask.iter().filter(|&&kept| kept).count();
        assert!((1_900..2_300).contains(&kept), "{kept}");
    }

    #[test]
    fn groups_keep_as_much_as_elements_would_spread_evenly() {
        for (inputs, outputs, density) in [(256, 1024, 0.2), (1024, 256, 0.2), (21, 12, 0.5)] {
            let mask = Stream::new(3).grouped_connections((inputs, outputs), density, 4);
            let kept = mask.iter().filter(|&&kept| kept).count() as f32;
            let share = density + (1.0 - density) / inputs.min(outputs) as f32;
            assert!((kept - share * mask.len() as f32).abs() <= 2.0, "{kept}");
            let inputs_of = |o: usize| (0..inputs).filter(|i| mask[i * outputs + o]).count();
            let each: Vec<usize> = (0..outputs).map(inputs_of).collect();
            let (least, most) = (each.iter().min().unwrap(), each.iter().max().unwrap());
            assert!(most - least <= 1, "{least} to {most}");
            let (groups, _) = mask.as_chunks::<4>();
            assert!(
                groups
                    .iter()
                    .all(|group| group.iter().all(|&kept| kept == group[0]))
            );
        }
    }

    #[test]
    fn every_input_and_output_is_connected_in_its_group() {
        for (inputs, outputs) in [(33, 12), (12, 32), (3, 16), (16, 16)] {
            let mask = Stream::new(3).grouped_connections((inputs, outputs), 0.0, 4);
            let side = inputs.min(outputs);
            for (input, row) in mask.chunks_exact(outputs).enumerate() {
                let is_kept = |first: usize| (0..4).any(|o| (first + o) % side == input % side);
                let want = (0..outputs).map(|output| is_kept(output / 4 * 4));
                assert_eq!(row, want.collect::<Vec<_>>());
            }
        }
        assert!(
            Stream::new(3)
                .grouped_connections((8, 0), 0.2, 4)
                .is_empty()
        );
    }
}
