//! Makes predicted BILOU tags consistent.

/// Rewrites every span that a `B-` tag opens so that it is closed and has one
/// label; changes `confidences` of the tokens whose label changed.
///
/// A span reaches over the `I-` tags that follow up to an `L-`, or to the last
/// `I-`. Where labels differ, the one with the highest harmonic mean of average
/// confidence and share of tokens wins, the first of equals. Tags that no `B-`
/// opens are left as they are.
///
/// # Panics
///
/// If there are not as many confidences as tags.
///
/// # Source
///
/// Rasa 3.6 `ensure_consistent_bilou_tagging`; mean, share and score are rounded
/// to two digits.
pub fn repair(tags: &mut [String], confidences: &mut [f64]) {
    assert_eq!(tags.len(), confidences.len(), "a confidence for each tag");
    for first in 0..tags.len() {
        if !tags[first].starts_with("B-") {
            continue;
        }
        let last = span_end(tags, first);
        let (label, score) = span_label(&tags[first..=last], &confidences[first..=last]);
        for at in first..=last {
            if label_of(&tags[at]) != label {
                confidences[at] = score;
            }
            let prefix = match (at == first, at == last) {
                (true, true) => "U-",
                (true, false) => "B-",
                (false, true) => "L-",
                (false, false) => "I-",
            };
            tags[at] = format!("{prefix}{label}");
        }
    }
}

fn label_of(tag: &str) -> &str {
    tag.get(2..).unwrap_or_default()
}

fn span_end(tags: &[String], first: usize) -> usize {
    let mut end = first;
    for (at, tag) in tags.iter().enumerate().skip(first + 1) {
        if tag.starts_with("L-") {
            return at;
        }
        if !tag.starts_with("I-") {
            break;
        }
        end = at;
    }
    end
}

/// Returns the label of a span and its score.
fn span_label(tags: &[String], confidences: &[f64]) -> (String, f64) {
    let mut best: Option<(&str, f64)> = None;
    for tag in tags {
        let label = label_of(tag);
        let same = tags
            .iter()
            .zip(confidences)
            .filter(|(tag, _)| label_of(tag) == label);
        let found: Vec<f64> = same.map(|(_, confidence)| *confidence).collect();
        let mean = rounded(found.iter().sum::<f64>() / found.len() as f64);
        let share = rounded(found.len() as f64 / tags.len() as f64);
        let score = match mean + share {
            0.0 => 0.0,
            total => rounded(2.0 * mean * share / total),
        };
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((label, score));
        }
    }
    let (label, score) = best.expect("a span has at least one tag");
    (label.to_owned(), score)
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round_ties_even() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &[&str], confidences: &[f64], after: &[&str], then: &[f64]) {
        let mut tags: Vec<String> = before.iter().map(|tag| (*tag).to_owned()).collect();
        let mut changed = confidences.to_vec();
        repair(&mut tags, &mut changed);
        assert_eq!(tags, after);
        assert_eq!(changed, then);
    }

    #[test]
    fn open_spans_are_closed() {
        check(&["B-a", "O"], &[0.9, 0.8], &["U-a", "O"], &[0.9, 0.8]);
        check(
            &["B-a", "I-a", "I-a"],
            &[1.0; 3],
            &["B-a", "I-a", "L-a"],
            &[1.0; 3],
        );
        check(
            &["B-a", "L-a", "L-a"],
            &[1.0; 3],
            &["B-a", "L-a", "L-a"],
            &[1.0; 3],
        );
        check(&["B-a", "B-a"], &[1.0; 2], &["U-a", "U-a"], &[1.0; 2]);
    }

    #[test]
    fn one_label_wins_a_span() {
        // a: 2·0.6·0.67/1.27 = 0.63; b: 2·0.9·0.33/1.23 = 0.48
        let tags = ["B-a", "I-b", "L-a"];
        check(
            &tags,
            &[0.6, 0.9, 0.6],
            &["B-a", "I-a", "L-a"],
            &[0.6, 0.63, 0.6],
        );
    }

    #[test]
    fn tags_outside_spans_stay() {
        check(
            &["I-a", "L-a", "U-b"],
            &[1.0; 3],
            &["I-a", "L-a", "U-b"],
            &[1.0; 3],
        );
    }
}
