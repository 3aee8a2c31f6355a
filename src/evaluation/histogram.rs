//! How sure predictions were: right ones to the left, wrong ones to the right.

use crate::evaluation::picture::Anchor;
use crate::evaluation::picture::Color;
use crate::evaluation::picture::Direction;
use crate::evaluation::picture::INK;
use crate::evaluation::picture::LETTER_HEIGHT;
use crate::evaluation::picture::Picture;
use crate::evaluation::picture::text_width;

/// Bins between no confidence and all of it.
const BINS: usize = 20;

const MARGIN: u32 = 12;
const BAR: u32 = LETTER_HEIGHT + 4;
/// The longest bar.
const LENGTH: u32 = 260;
/// Room for the bounds of a bin, between the bars.
const BOUNDS: u32 = 120;
const RIGHT: Color = [0x1f, 0x5f, 0xa8];
const WRONG: Color = [0xc2, 0x41, 0x0c];

/// Returns the picture of predictions, given the confidence of each and whether
/// it was right.
pub fn histogram(title: &str, predictions: &[(f64, bool)]) -> Picture {
    let mut bins = [[0_u64; 2]; BINS];
    for (confidence, is_right) in predictions {
        // What is no number is no confidence at all.
        let bin = (confidence * BINS as f64) as usize;
        bins[bin.min(BINS - 1)][usize::from(!is_right)] += 1;
    }
    let most = bins.iter().flatten().max().copied().unwrap_or(0).max(1);
    let count = text_width(&most.to_string()) + MARGIN;
    let middle = MARGIN + count + LENGTH + BOUNDS / 2;
    let head = 2 * (LETTER_HEIGHT + MARGIN) + MARGIN;
    let width = (2 * middle).max(text_width(title) + 2 * MARGIN);
    let mut picture = Picture::new(width, head + BINS as u32 * BAR + MARGIN);
    let line = MARGIN + LETTER_HEIGHT / 2;
    picture.text(title, [MARGIN, line], Anchor::Start, Direction::Right, INK);
    let line = line + LETTER_HEIGHT + MARGIN;
    let side = BOUNDS / 2 + MARGIN;
    picture.text(
        "right",
        [middle - side, line],
        Anchor::End,
        Direction::Right,
        RIGHT,
    );
    picture.text(
        "confidence",
        [middle, line],
        Anchor::Middle,
        Direction::Right,
        INK,
    );
    picture.text(
        "wrong",
        [middle + side, line],
        Anchor::Start,
        Direction::Right,
        WRONG,
    );
    // The surest are at the top.
    for (row, (bin, counts)) in (0..).zip(bins.iter().enumerate().rev()) {
        let top = head + row * BAR;
        let line = top + BAR / 2;
        let bounds = format!("{:.2} - {:.2}", bound(bin), bound(bin + 1));
        picture.text(
            bounds,
            [middle, line],
            Anchor::Middle,
            Direction::Right,
            INK,
        );
        let [right, wrong] = counts.map(|count| length(count, most));
        let left = middle - BOUNDS / 2 - right;
        picture.area([left, top + 1], [right, BAR - 2], RIGHT);
        picture.area([middle + BOUNDS / 2, top + 1], [wrong, BAR - 2], WRONG);
        if counts[0] > 0 {
            let at = [left - MARGIN / 2, line];
            picture.text(
                counts[0].to_string(),
                at,
                Anchor::End,
                Direction::Right,
                INK,
            );
        }
        if counts[1] > 0 {
            let at = [middle + BOUNDS / 2 + wrong + MARGIN / 2, line];
            picture.text(
                counts[1].to_string(),
                at,
                Anchor::Start,
                Direction::Right,
                INK,
            );
        }
    }
    picture
}

fn bound(bin: usize) -> f64 {
    bin as f64 / BINS as f64
}

/// Returns the length of a bar; whatever there is can be seen.
fn length(count: u64, most: u64) -> u32 {
    match count {
        0 => 0,
        count => ((count as f64 / most as f64 * f64::from(LENGTH)) as u32).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prediction_is_counted_in_its_bin_and_on_its_side() {
        let predictions = [
            (1.0, true),
            (0.97, true),
            (0.0, false),
            (f64::NAN, false),
            (0.5, true),
        ];
        let svg = histogram("intents", &predictions).svg();
        let row = |text: &str| {
            let all: Vec<&str> = svg.lines().collect();
            let at = all.iter().position(|line| line.contains(text)).unwrap();
            let texts = all[at + 1..].iter().take(4);
            let texts = texts.filter(|line| line.starts_with("<text")).take(1);
            texts
                .map(|line| line.contains("text-anchor=\"end\""))
                .next()
        };
        assert_eq!(svg.matches(">2</text>").count(), 2);
        assert_eq!(row(">0.95 - 1.00<"), Some(true));
        assert_eq!(row(">0.00 - 0.05<"), Some(false));
        assert_eq!(row(">0.50 - 0.55<"), Some(true));
    }
}
