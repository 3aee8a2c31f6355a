//! The batches of an epoch: sizes that grow, labels in balance.

use crate::nn::random::Stream;

/// How an epoch's examples are put in order (Rasa's `batch_strategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchStrategy {
    /// Shuffled.
    Sequence,
    /// Shuffled, then dealt so that each batch has its share of every label; rare
    /// labels repeat.
    Balanced,
}

/// Returns the batch size of an epoch, counted from 0, growing linearly from the first
/// of `sizes` to the last: `⌊b₀ + epoch·(b₁ − b₀)/(epochs − 1)⌋`.
pub fn batch_size(sizes: (usize, usize), epoch: usize, epochs: usize) -> usize {
    let (first, last) = (sizes.0 as i64, sizes.1 as i64);
    if epochs <= 1 {
        return sizes.0.max(1);
    }
    let grown = first * (epochs as i64 - 1) + epoch as i64 * (last - first);
    (grown / (epochs as i64 - 1)).max(1) as usize
}

/// Returns the batches of one epoch as indices of examples.
///
/// `labels` has one label per example, counted from 0. With
/// [`BatchStrategy::Balanced`] (Rasa 3 `RasaBatchDataGenerator`): labels are visited in
/// random rounds, each giving its next `⌊count/total · size⌋ + 1` examples; a label that
/// was exhausted sits out every other round; the epoch ends when all have been. The last
/// batch may be small.
///
/// # Panics
///
/// If `size` is 0.
pub fn epoch_batches(
    labels: &[u32],
    size: usize,
    strategy: BatchStrategy,
    stream: &mut Stream,
) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0..labels.len() as u32).collect();
    stream.shuffle(&mut order);
    if strategy == BatchStrategy::Balanced {
        order = balanced(&order, labels, size, stream);
    }
    order.chunks(size).map(<[u32]>::to_vec).collect()
}

fn balanced(order: &[u32], labels: &[u32], size: usize, stream: &mut Stream) -> Vec<u32> {
    let kinds = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut groups = vec![Vec::new(); kinds];
    for &example in order {
        groups[labels[example as usize] as usize].push(example);
    }
    groups.retain(|group| !group.is_empty());
    let mut next = vec![0; groups.len()];
    let mut cycles = vec![0_u32; groups.len()];
    let mut skipped = vec![false; groups.len()];
    let mut left = groups.len();
    let mut dealt = Vec::new();
    let mut rounds: Vec<usize> = (0..groups.len()).collect();
    while left > 0 {
        stream.shuffle(&mut rounds);
        for &group in &rounds {
            if cycles[group] > 0 && !skipped[group] {
                skipped[group] = true;
                continue;
            }
            skipped[group] = false;
            let count = groups[group].len();
            let share = count * size / order.len() + 1;
            let end = (next[group] + share).min(count);
            dealt.extend_from_slice(&groups[group][next[group]..end]);
            next[group] = end;
            if end == count {
                next[group] = 0;
                left -= usize::from(cycles[group] == 0);
                cycles[group] += 1;
            }
            if left == 0 {
                break;
            }
        }
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_linearly_from_first_to_last() {
        let sizes: Vec<_> = (0..5)
            .map(|epoch| batch_size((64, 256), epoch, 5))
            .collect();
        assert_eq!(sizes, [64, 112, 160, 208, 256]);
        assert_eq!(batch_size((64, 256), 0, 1), 64);
        assert_eq!(batch_size((32, 32), 7, 10), 32);
    }

    #[test]
    fn balanced_epochs_hold_every_example_and_repeat_rare_labels() {
        let labels: Vec<u32> = (0..100)
            .map(|k| u32::from(k >= 90) + u32::from(k >= 98))
            .collect();
        let batches = epoch_batches(&labels, 10, BatchStrategy::Balanced, &mut Stream::new(2));
        let all: Vec<u32> = batches.concat();
        for example in 0..100 {
            assert!(all.contains(&example));
        }
        let rare = all.iter().filter(|&&example| example >= 98).count();
        assert!(rare > 2, "{rare}");
        let again = epoch_batches(&labels, 10, BatchStrategy::Balanced, &mut Stream::new(2));
        assert_eq!(batches, again);
    }

    #[test]
    fn plain_epochs_are_permutations() {
        let batches = epoch_batches(&[0; 25], 10, BatchStrategy::Sequence, &mut Stream::new(2));
        assert_eq!(batches.len(), 3);
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..25).collect::<Vec<_>>());
    }
}
