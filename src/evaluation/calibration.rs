//! Whether confidence means what it says: of the predictions that are 80 % sure,
//! four of five should be right.

use serde::Serialize;

/// Bins between no confidence and all of it.
const BINS: usize = 10;

/// How far confidence is from accuracy.
///
/// # Source
///
/// Guo et al., “On Calibration of Modern Neural Networks”, 2017, equation 3, with
/// ten bins of the same width.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The mean of the bins' distances, weighted by their predictions: the
    /// expected calibration error, 0 to 1.
    pub expected_error: f64,
    /// The greatest distance of a bin.
    pub greatest_error: f64,
    /// The bins that hold predictions, from the least sure on.
    pub bins: Vec<Bin>,
}

/// Predictions of about the same confidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// The least confidence of the bin.
    pub from: f64,
    /// The greatest.
    pub to: f64,
    /// How many predictions there are.
    pub count: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The share of them that is right.
    pub accuracy: f64,
}

impl Calibration {
    /// Returns the calibration of predictions, given the confidence of each and
    /// whether it was right; none without predictions.
    pub fn of(predictions: &[(f64, bool)]) -> Option<Self> {
        let mut sums = [(0_usize, 0.0, 0_usize); BINS];
        for (confidence, is_right) in predictions {
            let confidence = match confidence.is_nan() {
                // What is no number is no confidence at all.
                true => 0.0,
                false => confidence.clamp(0.0, 1.0),
            };
            let bin = ((confidence * BINS as f64) as usize).min(BINS - 1);
            let (count, sum, right) = &mut sums[bin];
            *count += 1;
            *sum += confidence;
            *right += usize::from(*is_right);
        }
        let bins: Vec<Bin> = (0..)
            .zip(sums)
            .filter(|(_, (count, ..))| *count > 0)
            .map(|(bin, (count, sum, right))| Bin {
                from: f64::from(bin) / BINS as f64,
                to: f64::from(bin + 1) / BINS as f64,
                count,
                confidence: sum / count as f64,
                accuracy: right as f64 / count as f64,
            })
            .collect();
        let distance = |bin: &Bin| (bin.accuracy - bin.confidence).abs();
        let weighted = bins.iter().map(|bin| distance(bin) * bin.count as f64);
        let sum: f64 = weighted.sum();
        (!predictions.is_empty()).then(|| Self {
            expected_error: sum / predictions.len() as f64,
            greatest_error: bins.iter().map(distance).fold(0.0, f64::max),
            bins,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confidence_that_means_what_it_says_has_no_error() {
        let mut predictions = vec![(0.75, true); 3];
        predictions.push((0.75, false));
        let calibration = Calibration::of(&predictions).unwrap();
        assert_eq!(calibration.expected_error, 0.0);
        assert_eq!(calibration.bins.len(), 1);
    }

    #[test]
    fn bins_weigh_as_much_as_they_hold() {
        let predictions = [
            (0.95, false),
            (0.15, false),
            (0.15, false),
            (0.15, true),
            (1.0, true),
        ];
        let calibration = Calibration::of(&predictions).unwrap();
        // (0.975 - 0.5) · 2/5 + (1/3 - 0.15) · 3/5
        assert!((calibration.expected_error - 0.3).abs() < 1e-12);
        assert!((calibration.greatest_error - 0.475).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number_is_not_sure() {
        let calibration = Calibration::of(&[(f64::NAN, false), (-1.0, false)]).unwrap();
        assert_eq!(
            (calibration.bins.len(), calibration.expected_error),
            (1, 0.0)
        );
        assert_eq!(Calibration::of(&[]), None);
    }
}
