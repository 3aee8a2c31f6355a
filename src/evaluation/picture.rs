//! Pictures of rectangles and words: the same shapes as SVG, sharp at any size and
//! with every script, and as PNG, for places that show nothing else.

use std::fmt::Write;
use std::io;

use noto_sans_mono_bitmap::FontWeight;
use noto_sans_mono_bitmap::RasterHeight;
use noto_sans_mono_bitmap::get_raster;
use noto_sans_mono_bitmap::get_raster_width;

/// Height of a letter, in pixels.
pub const LETTER_HEIGHT: u32 = RasterHeight::Size16.val() as u32;

/// Width of a letter, in pixels: all are of the same width.
pub const LETTER_WIDTH: u32 = get_raster_width(FontWeight::Regular, RasterHeight::Size16) as u32;

/// What is drawn for a letter that the font of PNGs lacks.
const UNKNOWN_LETTER: char = '?';

/// Red, green and blue, each 0 to 255.
pub type Color = [u8; 3];

/// The color of words.
pub const INK: Color = [0x22, 0x22, 0x22];

const PAPER: Color = [0xff, 0xff, 0xff];

/// Which end of a text is where it is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Its first letter.
    Start,
    /// Its middle.
    Middle,
    /// Its last letter.
    End,
}

/// Which way a text runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From left to right.
    Right,
    /// From below to above.
    Up,
}

/// A picture, in pixels; shapes lie over those that were added before.
#[derive(Clone, Debug)]
pub struct Picture {
    width: u32,
    height: u32,
    shapes: Vec<Shape>,
}

#[derive(Clone, Debug)]
enum Shape {
    Area {
        corner: [u32; 2],
        size: [u32; 2],
        color: Color,
    },
    Text(Text),
}

#[derive(Clone, Debug)]
struct Text {
    text: String,
    /// Where the anchor is: the middle of the letters' height.
    at: [u32; 2],
    anchor: Anchor,
    direction: Direction,
    color: Color,
}

impl Text {
    /// Returns the first pixel of the text along its way, and its length.
    fn extent(&self) -> (i64, u32) {
        let length = text_width(&self.text);
        let before = match self.anchor {
            Anchor::Start => 0,
            Anchor::Middle => i64::from(length / 2),
            Anchor::End => i64::from(length),
        };
        let start = match self.direction {
            Direction::Right => i64::from(self.at[0]),
            Direction::Up => -i64::from(self.at[1]),
        };
        (start - before, length)
    }
}

/// Returns how wide a text is, in pixels.
pub fn text_width(text: &str) -> u32 {
    text.chars().count() as u32 * LETTER_WIDTH
}

impl Picture {
    /// Returns an empty picture.
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            shapes: Vec::new(),
        }
    }

    /// Adds a filled rectangle, given its upper left corner.
    pub fn area(&mut self, corner: [u32; 2], size: [u32; 2], color: Color) {
        self.shapes.push(Shape::Area {
            corner,
            size,
            color,
        });
    }

    /// Adds a text; `at` is the middle of its height.
    pub fn text(
        &mut self,
        text: impl Into<String>,
        at: [u32; 2],
        anchor: Anchor,
        direction: Direction,
        color: Color,
    ) {
        self.shapes.push(Shape::Text(Text {
            text: text.into(),
            at,
            anchor,
            direction,
            color,
        }));
    }

    /// Returns the picture as an SVG file.
    pub fn svg(&self) -> String {
        let Self { width, height, .. } = self;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"14\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
            hex(PAPER)
        );
        for shape in &self.shapes {
            match shape {
                Shape::Area {
                    corner: [x, y],
                    size: [width, height],
                    color,
                } => {
                    let color = hex(*color);
                    let _ = writeln!(
                        svg,
                        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{color}\"/>"
                    );
                }
                Shape::Text(text) => svg.push_str(&svg_text(text)),
            }
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// Returns the picture as a PNG file. Letters beyond Latin ones are `?`.
    ///
    /// # Errors
    ///
    /// If the picture has no area, or is larger than PNG can be.
    pub fn png(&self) -> io::Result<Vec<u8>> {
        let mut canvas = Canvas::new(self.width, self.height);
        for shape in &self.shapes {
            match shape {
                Shape::Area {
                    corner,
                    size,
                    color,
                } => canvas.area(*corner, *size, *color),
                Shape::Text(text) => canvas.text(text),
            }
        }
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&canvas.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }
}

fn svg_text(text: &Text) -> String {
    let [x, y] = text.at;
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let turn = match text.direction {
        Direction::Right => String::new(),
        Direction::Up => format!(" transform=\"rotate(-90 {x} {y})\""),
    };
    format!(
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\" dominant-baseline=\"central\" \
         fill=\"{}\"{turn}>{}</text>\n",
        hex(text.color),
        escaped(&text.text)
    )
}

fn hex([red, green, blue]: Color) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Returns a text as XML has it, without what XML cannot have.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            letter if letter.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Pixels, row by row; what lies outside is not drawn.
struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Canvas {
    fn new(width: u32, height: u32) -> Self {
        let count = width as usize * height as usize;
        Self {
            width,
            height,
            pixels: PAPER.repeat(count),
        }
    }

    fn area(&mut self, [left, top]: [u32; 2], [width, height]: [u32; 2], color: Color) {
        let right = left.saturating_add(width).min(self.width);
        for y in top..top.saturating_add(height).min(self.height) {
            for x in left..right {
                self.mix(i64::from(x), i64::from(y), color, 255);
            }
        }
    }

    fn text(&mut self, text: &Text) {
        let (start, _) = text.extent();
        let half = i64::from(LETTER_HEIGHT / 2);
        for (index, letter) in text.text.chars().enumerate() {
            let along = start + index as i64 * i64::from(LETTER_WIDTH);
            for (row, weights) in raster(letter).rows().enumerate() {
                let across = row as i64 - half;
                for (column, weight) in weights.iter().enumerate() {
                    let along = along + column as i64;
                    let (x, y) = match text.direction {
                        Direction::Right => (along, i64::from(text.at[1]) + across),
                        Direction::Up => (i64::from(text.at[0]) + across, -along),
                    };
                    self.mix(x, y, text.color, *weight);
                }
            }
        }
    }

    /// Lays a color over a pixel; `weight` is 0 for nothing, 255 for all of it.
    fn mix(&mut self, x: i64, y: i64, color: Color, weight: u8) {
        let is_inside =
            (0..i64::from(self.width)).contains(&x) && (0..i64::from(self.height)).contains(&y);
        if !is_inside || weight == 0 {
            return;
        }
        let at = (y as usize * self.width as usize + x as usize) * 3;
        let weight = u16::from(weight);
        for (pixel, color) in self.pixels[at..at + 3].iter_mut().zip(color) {
            let mixed = u16::from(*pixel) * (255 - weight) + u16::from(color) * weight;
            *pixel = (mixed / 255) as u8;
        }
    }
}

fn raster(letter: char) -> noto_sans_mono_bitmap::RasterizedChar {
    let raster = |letter| get_raster(letter, FontWeight::Regular, RasterHeight::Size16);
    raster(letter)
        .or_else(|| raster(UNKNOWN_LETTER))
        .expect("the font has a question mark")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RED: Color = [255, 0, 0];

    /// Returns width and pixels.
    fn decoded(png: &[u8]) -> (u32, Vec<Color>) {
        let mut reader = png::Decoder::new(io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let pixels = pixels.chunks(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]);
        (info.width, pixels.collect())
    }

    fn inked(picture: &Picture) -> Vec<[u32; 2]> {
        let (width, pixels) = decoded(&picture.png().unwrap());
        let inked = pixels.iter().enumerate().filter(|(_, p)| **p != PAPER);
        inked
            .map(|(at, _)| [at as u32 % width, at as u32 / width])
            .collect()
    }

    #[test]
    fn an_area_is_where_it_was_put_and_ends_with_the_picture() {
        let mut picture = Picture::new(4, 3);
        picture.area([2, 1], [1, 9], RED);
        assert_eq!(inked(&picture), [[2, 1], [2, 2]]);
        picture.area([9, 9], [u32::MAX, u32::MAX], RED);
        assert_eq!(inked(&picture).len(), 2);
    }

    #[test]
    fn a_text_that_is_turned_is_the_same_text() {
        let mut lying = Picture::new(60, 40);
        lying.text("Fgé", [4, 20], Anchor::Start, Direction::Right, INK);
        let mut standing = Picture::new(40, 61);
        standing.text("Fgé", [20, 56], Anchor::Start, Direction::Up, INK);
        let mut turned: Vec<[u32; 2]> = inked(&lying).iter().map(|[x, y]| [*y, 60 - x]).collect();
        turned.sort_by_key(|[x, y]| (*y, *x));
        assert!(turned.len() > 30);
        assert_eq!(inked(&standing), turned);
    }

    #[test]
    fn a_text_ends_or_has_its_middle_where_it_is_put() {
        let columns = |anchor| {
            let mut picture = Picture::new(100, 20);
            picture.text("IIII", [50, 10], anchor, Direction::Right, INK);
            let columns: Vec<u32> = inked(&picture).iter().map(|[x, _]| *x).collect();
            (
                *columns.iter().min().unwrap(),
                *columns.iter().max().unwrap(),
            )
        };
        let width = text_width("IIII");
        let (first, last) = columns(Anchor::Start);
        assert!(first >= 50 && last < 50 + width);
        assert_eq!(columns(Anchor::End), (first - width, last - width));
        assert_eq!(
            columns(Anchor::Middle),
            (first - width / 2, last - width / 2)
        );
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_the_file() {
        let mut picture = Picture::new(10, 10);
        picture.text(
            "</text>&\0\u{1b}",
            [0, 0],
            Anchor::Start,
            Direction::Right,
            INK,
        );
        assert!(
            picture
                .svg()
                .contains(">&lt;/text&gt;&amp;\u{fffd}\u{fffd}</text>")
        );
        assert!(!inked(&picture).is_empty());
    }
}
