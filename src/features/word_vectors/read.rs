//! Reads files of word vectors, in the forms in which they are handed around.
//!
//! | form | first line | then |
//! |---|---|---|
//! | word2vec as text, fastText | number of words, of numbers a word | a line a word: the word, its numbers |
//! | GloVe | – | the same |
//! | word2vec binary | number of words, of numbers a word | word, space, numbers of 4 bytes, little end first |
//!
//! Which it is, the beginning of the file tells: a binary file has what no text has
//! where the numbers of its first word are. A byte order mark is skipped. A file is read once, from the
//! beginning to where enough words were found; of what it says about itself only
//! the width is believed.

use std::io;
use std::io::BufRead;
use std::io::Read;

use super::table::Table;

/// Numbers that a vector may have. The largest in use have some thousands.
const MAX_WIDTH: usize = 8192;

/// Bytes that a word may have.
const MAX_WORD: usize = 4096;

/// Bytes that a number may take as text.
const MAX_NUMBER: usize = 40;

/// A file that is none of word vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// It has no word.
    #[error("it has no words")]
    Empty,
    /// Its beginning is that of something else.
    #[error("it does not begin as word2vec, fastText or GloVe files do")]
    NoVectors,
    /// A line says something else than those before.
    #[error("line {line}: {reason}")]
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong there.
        reason: String,
    },
    /// A word of a binary file is cut, too long or has no numbers.
    #[error("word {word}: {reason}")]
    Word {
        /// Counted from 1.
        word: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What the beginning of a file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Numbers a word.
    pub width: usize,
    /// Whether a line with numbers of words and numbers comes first.
    has_header: bool,
    is_binary: bool,
}

/// How many bytes from the beginning are enough for [`Head::of`].
pub const HEAD_SIZE: usize = MAX_WORD + MAX_WIDTH * MAX_NUMBER;

impl Head {
    /// Returns what the first bytes of a file tell.
    ///
    /// # Errors
    ///
    /// If they are not those of a file of word vectors.
    pub fn of(bytes: &[u8]) -> Result<Self, ReadError> {
        let bytes = without_mark(bytes);
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(ReadError::Empty);
        }
        let first = first_line(bytes);
        let announced = header(first);
        let width = match announced {
            Some(width) => width,
            None => numbers(first).ok_or(ReadError::NoVectors)?,
        };
        if width > MAX_WIDTH || announced == Some(0) {
            return Err(ReadError::NoVectors);
        }
        let mut head = Self {
            width,
            has_header: announced.is_some(),
            is_binary: false,
        };
        match head.has_header {
            true => {
                let rest = bytes.get(first.len() + 1..).unwrap_or_default();
                head.is_binary = head.find_form(rest)?;
            }
            false => headless(first, width)?,
        }
        Ok(head)
    }

    /// Returns whether what follows the first line is binary.
    fn find_form(&self, rest: &[u8]) -> Result<bool, ReadError> {
        let mut lines = rest.split(|&byte| byte == b'\n').zip(2..);
        let found = lines.find(|(line, _)| !line.iter().all(u8::is_ascii_whitespace));
        let (line, number) = found.ok_or(ReadError::Empty)?;
        let reason = match entry(line, self.width) {
            Err(_) if !is_text(rest, self.width) => return Ok(true),
            Err(reason) => reason,
            Ok(_) => match numbers(line) {
                Some(most) if most > self.width => {
                    let width = self.width;
                    format!("it has {most} numbers, where the first line says {width}")
                }
                _ => return Ok(false),
            },
        };
        Err(ReadError::Line {
            line: number,
            reason,
        })
    }
}

/// Says what is wrong with the first line of a file that does not begin with how
/// many numbers there are.
fn headless(first: &[u8], width: usize) -> Result<(), ReadError> {
    let wrong = |reason| ReadError::Line { line: 1, reason };
    let mut behind = fields(first).into_iter().flatten().skip(1);
    if let Some(field) = behind.find(|field| has_comma(field)) {
        return Err(wrong(no_number(field)));
    }
    if width == 0 {
        return Err(ReadError::NoVectors);
    }
    entry(first, width).map(drop).map_err(wrong)
}

/// Returns what follows a byte order mark, if there is one.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn first_line(bytes: &[u8]) -> &[u8] {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    lines.next().unwrap_or_default()
}

/// Returns how many numbers a line ends with. The word before them may have spaces
/// in it, or be a number.
fn numbers(line: &[u8]) -> Option<usize> {
    let fields: Vec<&str> = fields(line)?.collect();
    let is_number = |field: &&&str| field.parse::<f32>().is_ok();
    let numbers = fields.iter().rev().take_while(is_number).count();
    Some(numbers.min(fields.len().saturating_sub(1)))
}

/// Whether there is text where a binary file has the numbers of its first word.
fn is_text(rest: &[u8], width: usize) -> bool {
    let space = rest.iter().position(|&byte| byte == b' ');
    let after = &rest[space.map_or(0, |at| at + 1)..];
    let after = &after[..after.len().min(width * 4)];
    let is_utf8 = match std::str::from_utf8(after) {
        Ok(_) => true,
        // The last letter may be cut.
        Err(error) => error.error_len().is_none(),
    };
    let is_control = |byte: &u8| byte.is_ascii_control() && !b"\t\r\n".contains(byte);
    is_utf8 && !after.iter().any(is_control)
}

/// Returns the width that a first line announces, if it is one that does.
fn header(line: &[u8]) -> Option<usize> {
    let mut fields = fields(line)?;
    let (words, width) = (fields.next()?, fields.next()?);
    words.parse::<u64>().ok()?;
    match fields.next() {
        None => width.parse().ok(),
        Some(_) => None,
    }
}

/// Returns what stands between spaces and tabs; nothing if it is not text.
fn fields(line: &[u8]) -> Option<impl DoubleEndedIterator<Item = &str>> {
    let line = std::str::from_utf8(line).ok()?;
    let fields = line.trim_end_matches(['\r', ' ', '\t']).split([' ', '\t']);
    Some(fields.filter(|field| !field.is_empty()))
}

/// Returns the word of a line and its numbers. Some words of GloVe have spaces in
/// them, so numbers are counted from the end.
fn entry(line: &[u8], width: usize) -> Result<(String, Vec<f32>), String> {
    let text = String::from_utf8_lossy(line);
    let mut rest = text.trim_end_matches(['\r', ' ', '\t']);
    let mut numbers = vec![0.0; width];
    for at in (0..width).rev() {
        let (before, field) = rest
            .rsplit_once([' ', '\t'])
            .ok_or_else(|| format!("it has fewer than {width} numbers"))?;
        let number: f32 = field.parse().map_err(|_| no_number(field))?;
        if !number.is_finite() {
            return Err(format!("`{}` is no number to compute with", shown(field)));
        }
        numbers[at] = number;
        rest = before.trim_end_matches([' ', '\t']);
    }
    match rest.is_empty() {
        true => Err("it has no word".to_owned()),
        false => Ok((rest.to_owned(), numbers)),
    }
}

fn no_number(field: &str) -> String {
    let shown = shown(field);
    match has_comma(field) {
        true => format!("`{shown}` is no number: write a point instead of the comma"),
        false => format!("`{shown}` is no number"),
    }
}

/// Whether it is a number with a decimal comma.
fn has_comma(field: &str) -> bool {
    field.contains(',') && field.replacen(',', ".", 1).parse::<f32>().is_ok()
}

fn shown(field: &str) -> String {
    field.chars().take(30).collect()
}

/// Reads the first `most` words of a file, all without; `on_words` is told how many
/// were read from time to time, and may stop the reading.
///
/// # Errors
///
/// If it is no file of word vectors, or damaged, or `on_words` stops it.
pub fn read(
    file: impl Read,
    most: Option<usize>,
    on_words: &mut dyn FnMut(usize) -> Result<(), io::Error>,
) -> Result<Table, ReadError> {
    let mut reader = io::BufReader::with_capacity(HEAD_SIZE, file);
    let head = {
        // A pipe-like reader may give less than there is at once.
        let mut start = Vec::new();
        (&mut reader)
            .take(HEAD_SIZE as u64)
            .read_to_end(&mut start)?;
        let head = Head::of(&start)?;
        (head, start)
    };
    let (head, start) = head;
    let mut words = Words {
        reader: without_mark(&start).chain(reader),
        head,
        line: 0,
        buffer: Vec::new(),
    };
    if head.has_header {
        words.next_line()?;
    }
    let (mut found, mut vectors) = (Vec::new(), Vec::new());
    while most.is_none_or(|most| found.len() < most) {
        let Some((word, numbers)) = words.next_word()? else {
            break;
        };
        vectors.extend(numbers);
        found.push(word);
        if found.len().is_multiple_of(TOLD_EVERY) {
            on_words(found.len())?;
        }
    }
    match found.is_empty() {
        true => Err(ReadError::Empty),
        false => Ok(Table::of(found, head.width, &vectors)),
    }
}

const TOLD_EVERY: usize = 10_000;

/// The words of a file, one after the other.
struct Words<R> {
    reader: R,
    head: Head,
    /// Lines, or words of a binary file, so far.
    line: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Words<R> {
    /// Reads a line of bounded length without its end; false at the end.
    fn next_line(&mut self) -> Result<bool, ReadError> {
        self.buffer.clear();
        self.line += 1;
        let most = HEAD_SIZE as u64;
        let count = (&mut self.reader)
            .take(most)
            .read_until(b'\n', &mut self.buffer)?;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        } else if count as u64 == most {
            let reason = format!("it is longer than {most} bytes");
            return Err(ReadError::Line {
                line: self.line,
                reason,
            });
        }
        Ok(count > 0)
    }

    fn next_word(&mut self) -> Result<Option<(String, Vec<f32>)>, ReadError> {
        if self.head.is_binary {
            return self.next_binary();
        }
        while self.next_line()? {
            if !self.buffer.iter().all(u8::is_ascii_whitespace) {
                let found = entry(&self.buffer, self.head.width);
                let line = self.line;
                return found
                    .map(Some)
                    .map_err(|reason| ReadError::Line { line, reason });
            }
        }
        Ok(None)
    }

    fn next_binary(&mut self) -> Result<Option<(String, Vec<f32>)>, ReadError> {
        self.buffer.clear();
        let wrong = |reason| ReadError::Word {
            word: self.line,
            reason,
        };
        let most = MAX_WORD as u64;
        let count = (&mut self.reader)
            .take(most)
            .read_until(b' ', &mut self.buffer)?;
        if count == 0 || self.buffer.iter().all(u8::is_ascii_whitespace) && count < MAX_WORD {
            return Ok(None);
        }
        if self.buffer.pop() != Some(b' ') {
            return Err(wrong("no space after it"));
        }
        let word = String::from_utf8_lossy(&self.buffer);
        // Some programs end the numbers with a line end, some do not.
        let word = word.trim_start_matches('\n').to_owned();
        let mut bytes = vec![0; self.head.width * 4];
        self.reader
            .read_exact(&mut bytes)
            .map_err(|_| wrong("it is cut"))?;
        let numbers = bytes.chunks_exact(4);
        let numbers: Vec<f32> = numbers
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(wrong("a number that cannot be computed with"));
        }
        self.line += 1;
        Ok(Some((word, numbers)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(bytes: &[u8]) -> Result<Table, ReadError> {
        read(bytes, None, &mut |_| Ok(()))
    }

    fn binary(words: &[(&str, [f32; 2])], end: &str) -> Vec<u8> {
        let mut bytes = format!("{} 2\n", words.len()).into_bytes();
        for (word, numbers) in words {
            bytes.extend(format!("{word} ").bytes());
            bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
            bytes.extend(end.bytes());
        }
        bytes
    }

    #[test]
    fn all_forms_give_the_same_table() {
        let want = table(b"sea 0.5 -1\nby 2 3e1\n").unwrap();
        assert_eq!((want.width(), want.words().len()), (2, 2));
        assert_eq!(table(b"2 2\nsea 0.5 -1 \nby 2 30").unwrap(), want);
        assert_eq!(table(b"sea\t.5\t-1\r\n\r\nby 2.0 30\r\n").unwrap(), want);
        let words = [("sea", [0.5, -1.0]), ("by", [2.0, 30.0])];
        for end in ["\n", ""] {
            assert_eq!(table(&binary(&words, end)).unwrap(), want, "{end:?}");
        }
    }

    #[test]
    fn text_with_a_mistake_is_not_taken_for_binary() {
        let say = |text: &str| table(text.as_bytes()).unwrap_err().to_string();
        for (text, told) in [
            (
                "2 2\nalpha 1e39 0\nb 1 2\n",
                "line 2: `1e39` is no number to compute with",
            ),
            ("3 4\na 1 2\nb 1 2\n", "line 2: it has fewer than 4 numbers"),
            (
                "1 2\n\na 1 2 3\n",
                "line 3: it has 3 numbers, where the first line says 2",
            ),
            (
                "1 2\na 0,5 1,5\n",
                "line 2: `1,5` is no number: write a point instead of the comma",
            ),
            (
                "a 0,5 1\n",
                "line 1: `0,5` is no number: write a point instead of the comma",
            ),
            ("a 1e39 0\n", "line 1: `1e39` is no number to compute with"),
            ("2 2\nzwölf à é\n", "line 2: `é` is no number"),
            ("2 2\n", "it has no words"),
        ] {
            assert_eq!(say(text), told, "{text:?}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_word() {
        let text = "2 2\nsea 0.5 -1\nby 2 30\n";
        let want = table(text.as_bytes()).unwrap();
        for text in [text, "sea 0.5 -1\nby 2 30\n"] {
            let marked = format!("\u{feff}{text}");
            assert_eq!(table(marked.as_bytes()).unwrap(), want, "{text:?}");
        }
    }

    #[test]
    fn words_may_have_spaces_and_numbers_may_be_words() {
        let found = table(b". . . 1 2\n7 3 4\n").unwrap();
        assert_eq!(found.words(), [". . .", "7"]);
    }

    #[test]
    fn no_more_words_are_read_than_wanted() {
        let found = read(&b"a 1\nb 2\nc broken\n"[..], Some(2), &mut |_| Ok(())).unwrap();
        assert_eq!(found.words(), ["a", "b"]);
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let say = |bytes: &[u8]| table(bytes).unwrap_err().to_string();
        assert_eq!(say(b"a 1 2\nb 1\n"), "line 2: it has fewer than 2 numbers");
        assert_eq!(say(b"a 1 2\n\nb 1 x2\n"), "line 3: `x2` is no number");
        assert_eq!(
            say(b"a 1 2\nb inf 1\n"),
            "line 2: `inf` is no number to compute with"
        );
        assert_eq!(say(b" \n"), "it has no words");
        for none in [
            &b"hello world"[..],
            b"a\n",
            b"0 0\n",
            b"\x1f\x8b\x08",
            b"9 99999999\n",
        ] {
            assert!(matches!(table(none), Err(ReadError::NoVectors)), "{none:?}");
        }
        let cut = binary(&[("sea", [1.0, 2.0])], "");
        assert_eq!(say(&cut[..cut.len() - 1]), "word 1: it is cut");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = table(&bytes);
            let _ = table(&[b"3 2\n", &bytes[..]].concat());
            let _ = table(&[b"a 1 2\n", &bytes[..]].concat());
        }
    }
}
