//! From one confidence a label to the list that a prediction shows.

use crate::nlu::diet::Options;

/// How many labels Rasa ranks when it is not told.
const RANKED_BY_DEFAULT: usize = 10;

/// Returns the labels with the highest confidences, best first, at most ten.
///
/// Rasa 3.6: confidences beyond the first `ranking_length` count as 0, and the
/// others are made to sum to 1 only if `renormalize_confidences` is set. Of two
/// equal ones the label with the greater id comes first.
///
/// Differs from Rasa: a `ranking_length` of 0 ranks ten labels; Rasa 3.6 would
/// rank none.
pub fn rank(confidences: &[f32], options: &Options) -> Vec<(usize, f32)> {
    let mut ranked: Vec<(usize, f32)> = confidences.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.cmp(&a.0)));
    let length = options.ranking_length;
    if 0 < length && length < ranked.len() {
        ranked.truncate(length);
        let sum: f32 = ranked.iter().map(|(_, confidence)| confidence).sum();
        if options.renormalize_confidences && options.softmax_confidence() && sum > 0.0 {
            ranked
                .iter_mut()
                .for_each(|(_, confidence)| *confidence /= sum);
        }
    }
    ranked.truncate(RANKED_BY_DEFAULT);
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_labels_the_later_one_leads() {
        let ranked = rank(&[0.25, 0.25, 0.5], &Options::default());
        assert_eq!(ranked, [(2, 0.5), (1, 0.25), (0, 0.25)]);
    }

    #[test]
    fn a_short_ranking_is_renormalised_when_asked() {
        let mut options = Options {
            ranking_length: 2,
            ..Options::default()
        };
        assert_eq!(rank(&[0.5, 0.25, 0.25], &options), [(0, 0.5), (2, 0.25)]);
        options.renormalize_confidences = true;
        assert_eq!(
            rank(&[0.5, 0.125, 0.375], &options),
            [(0, 0.5 / 0.875), (2, 0.375 / 0.875)]
        );
    }

    #[test]
    fn no_more_than_ten_are_ranked() {
        assert_eq!(rank(&[0.1; 15], &Options::default()).len(), 10);
    }
}
