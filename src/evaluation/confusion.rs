//! Which label was predicted for which, counted and drawn.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::evaluation::picture::Anchor;
use crate::evaluation::picture::Color;
use crate::evaluation::picture::Direction;
use crate::evaluation::picture::INK;
use crate::evaluation::picture::LETTER_HEIGHT;
use crate::evaluation::picture::Picture;
use crate::evaluation::picture::text_width;

/// More labels than this are not drawn: only those that are confused most.
const MOST_LABELS: usize = 150;

/// Longer labels end in an ellipsis, in letters.
const LONGEST_LABEL: usize = 40;

const MARGIN: u32 = 12;
const RIGHT: Color = [0x1f, 0x5f, 0xa8];
const WRONG: Color = [0xc2, 0x41, 0x0c];
const EMPTY: Color = [0xf4, 0xf4, 0xf4];
const LIGHT_INK: Color = [0xff, 0xff, 0xff];

/// How often each label was predicted for each.
#[derive(Clone, Debug, Default)]
pub struct Confusion {
    counts: BTreeMap<(String, String), u64>,
}

impl Confusion {
    /// Counts `(expected, predicted)` pairs.
    pub fn of(pairs: &[(String, String)]) -> Self {
        let mut confusion = Self::default();
        for pair in pairs {
            *confusion.counts.entry(pair.clone()).or_default() += 1;
        }
        confusion
    }

    /// Returns all labels, sorted.
    pub fn labels(&self) -> Vec<&str> {
        let both = self.counts.keys().flat_map(|(a, b)| [a.as_str(), b]);
        let labels: BTreeSet<&str> = both.collect();
        labels.into_iter().collect()
    }

    /// Returns the matrix: a row for each expected label, a column for each
    /// predicted one.
    pub fn picture(&self, title: &str) -> Picture {
        let all = self.labels();
        let labels = self.drawn(&all);
        let place: BTreeMap<&str, u32> = labels.iter().copied().zip(0..).collect();
        let layout = Layout::new(&labels);
        let mut title = title.to_owned();
        if labels.len() < all.len() {
            title = format!(
                "{title}: the {} of {} labels that are confused most",
                labels.len(),
                all.len()
            );
        }
        let mut picture = layout.empty(&title, &labels);
        let most = self.counts.values().max().copied().unwrap_or(1);
        for ((expected, predicted), count) in &self.counts {
            let cell = place
                .get(expected.as_str())
                .zip(place.get(predicted.as_str()));
            if let Some((row, column)) = cell {
                layout.cell(&mut picture, [*column, *row], *count, most);
            }
        }
        picture
    }

    /// Returns the labels that are drawn, sorted.
    fn drawn<'a>(&self, all: &[&'a str]) -> Vec<&'a str> {
        if all.len() <= MOST_LABELS {
            return all.to_vec();
        }
        let mut mistakes: BTreeMap<&str, u64> = BTreeMap::new();
        for ((expected, predicted), count) in &self.counts {
            if expected != predicted {
                *mistakes.entry(expected).or_default() += count;
                *mistakes.entry(predicted).or_default() += count;
            }
        }
        let mut drawn = all.to_vec();
        drawn.sort_by_key(|label| std::cmp::Reverse(mistakes.get(label)));
        drawn.truncate(MOST_LABELS);
        drawn.sort_unstable();
        drawn
    }
}

/// Where what is, in pixels.
struct Layout {
    labels: u32,
    cell: u32,
    /// Room for the longest label, beside and above.
    label: u32,
    top: u32,
}

impl Layout {
    fn new(labels: &[&str]) -> Self {
        let longest = labels.iter().map(|label| text_width(&shortened(label)));
        Self {
            labels: labels.len() as u32,
            cell: match labels.len() {
                0..=25 => 40,
                26..=60 => 30,
                _ => LETTER_HEIGHT + 4,
            },
            label: longest.max().unwrap_or(0) + MARGIN,
            top: 2 * (LETTER_HEIGHT + MARGIN),
        }
    }

    /// The upper left corner of the matrix.
    fn origin(&self) -> [u32; 2] {
        let axis = LETTER_HEIGHT + MARGIN;
        [MARGIN + axis + self.label, self.top + self.label]
    }

    /// Returns the picture with nothing in its cells.
    fn empty(&self, title: &str, labels: &[&str]) -> Picture {
        let [left, top] = self.origin();
        let size = self.labels * self.cell;
        let width = (left + size + MARGIN).max(text_width(title) + 2 * MARGIN);
        let mut picture = Picture::new(width, top + size + MARGIN);
        let line = MARGIN + LETTER_HEIGHT / 2;
        picture.text(title, [MARGIN, line], Anchor::Start, Direction::Right, INK);
        let axis = line + LETTER_HEIGHT + MARGIN;
        picture.text(
            "predicted",
            [left + size / 2, axis],
            Anchor::Middle,
            Direction::Right,
            INK,
        );
        picture.text(
            "expected",
            [line, top + size / 2],
            Anchor::Middle,
            Direction::Up,
            INK,
        );
        picture.area([left, top], [size, size], EMPTY);
        for (label, index) in labels.iter().zip(0..) {
            let label = shortened(label);
            let middle = index * self.cell + self.cell / 2;
            let beside = [left - MARGIN / 2, top + middle];
            picture.text(label.clone(), beside, Anchor::End, Direction::Right, INK);
            let above = [left + middle, top - MARGIN / 2];
            picture.text(label, above, Anchor::Start, Direction::Up, INK);
        }
        picture
    }

    /// Draws a count: the darker the more, on a scale of magnitudes.
    fn cell(&self, picture: &mut Picture, [column, row]: [u32; 2], count: u64, most: u64) {
        let [left, top] = self.origin();
        let corner = [left + column * self.cell, top + row * self.cell];
        let shade = 0.25 + 0.75 * ((count as f64).ln_1p() / (most as f64).ln_1p());
        let color = if row == column { RIGHT } else { WRONG };
        picture.area(corner, [self.cell - 1, self.cell - 1], shaded(color, shade));
        let text = count.to_string();
        if text_width(&text) < self.cell {
            let middle = [corner[0] + self.cell / 2, corner[1] + self.cell / 2];
            let ink = if shade > 0.55 { LIGHT_INK } else { INK };
            picture.text(text, middle, Anchor::Middle, Direction::Right, ink);
        }
    }
}

fn shaded(color: Color, shade: f64) -> Color {
    color.map(|part| (255.0 - shade * (255.0 - f64::from(part))) as u8)
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LONGEST_LABEL {
        return label.to_owned();
    }
    let start: String = label.chars().take(LONGEST_LABEL - 3).collect();
    format!("{start}...")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(count: usize, of: impl Fn(usize) -> (String, String)) -> Vec<(String, String)> {
        (0..count).map(of).collect()
    }

    #[test]
    fn a_row_is_what_was_expected_and_a_column_what_came() {
        let all = [("a", "a"), ("a", "b"), ("a", "b")];
        let owned = all.map(|(a, b)| (a.to_owned(), b.to_owned()));
        let svg = Confusion::of(&owned).picture("intents").svg();
        let place = |text: &str| {
            let line = svg
                .lines()
                .find(|line| line.ends_with(&format!(">{text}</text>")));
            let line = line.unwrap();
            let number = |name: &str| -> u32 {
                let from = line.split(&format!(" {name}=\"")).nth(1).unwrap();
                from.split('"').next().unwrap().parse().unwrap()
            };
            (number("x"), number("y"))
        };
        // Two of `a` became `b`: in the first row, one cell to the right.
        assert_eq!(place("2").1, place("1").1);
        assert_eq!(place("2").0, place("1").0 + 40);
    }

    #[test]
    fn of_very_many_labels_the_most_confused_are_drawn() {
        let all = pairs(400, |i| {
            let other = if i >= 390 { 0 } else { i };
            (format!("l{i:03}"), format!("l{other:03}"))
        });
        let confusion = Confusion::of(&all);
        assert_eq!(confusion.labels().len(), 400);
        let svg = confusion.picture("intents").svg();
        assert!(svg.contains("the 150 of 400 labels"));
        assert!(svg.contains(">l399<") && svg.contains(">l000<") && !svg.contains(">l389<"));
    }

    #[test]
    fn nothing_can_be_drawn() {
        let picture = Confusion::default().picture("intents");
        assert!(picture.png().is_ok());
    }
}
