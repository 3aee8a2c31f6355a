//! Reads the YAML that people write: block lists and maps, words, quoted texts,
//! blocks of lines, brackets, comments.
//!
//! What it does not know for sure (anchors, tags, tabs, several documents,
//! anything odd and all mistakes) makes it give up, and the full parser reads
//! the file from its start. So there is one rule: **whatever this parser reads,
//! the full one reads too, as the same tree**; tests compare the two. What it is
//! for: it is many times faster, and words are slices of the file's text
//! instead of copies.
//!
//! Two differences are meant: the place of a quoted text or a bracket does not
//! include the blanks behind it, and further lines of a quoted text may be
//! indented as they like.

mod cursor;
mod scalars;
mod block_scalar;
mod brackets;

use std::sync::Arc;

use crate::import::yaml::Environment;
use crate::import::yaml::Mistake;
use crate::import::yaml::Node;
use crate::import::yaml::Slice;
use crate::import::yaml::Style;
use crate::import::yaml::quick::cursor::Cursor;
use crate::import::yaml::quick::scalars::Stop;
use crate::import::yaml::quick::scalars::Within;
use crate::import::yaml::quick::scalars::Word;
use crate::import::yaml::tree::At;
use crate::import::yaml::tree::Shape;
use crate::import::yaml::tree::Tree;

/// Bytes that a key may have; the full parser knows the rule for longer ones.
const KEY_LIMIT: usize = 1000;

/// The full parser has to look at this file.
#[derive(Clone, Copy, Debug)]
pub struct GiveUp;

impl From<Mistake> for GiveUp {
    fn from(_: Mistake) -> Self {
        Self
    }
}

/// A step of the parser.
type Step = Result<(), GiveUp>;

/// Parses a text, or returns `None` for the full parser to do it.
///
/// The inner result has mistakes that do not keep a file from being parsed:
/// duplicate keys and unset variables.
pub fn parse(
    text: &Arc<String>,
    environment: &mut Environment<'_>,
) -> Option<Result<Node, Vec<Mistake>>> {
    if text.contains('\0') || text.contains('\r') || text.contains('\u{feff}') {
        return None;
    }
    let mut parser = Parser {
        cursor: Cursor::new(text),
        tree: Tree::new(environment),
    };
    parser.document().ok()?;
    Some(parser.tree.finish(None))
}

struct Parser<'t, 'e, 'v> {
    cursor: Cursor<'t>,
    tree: Tree<'e, 'v>,
}

impl Parser<'_, '_, '_> {
    /// Reads the one document, a list or a map.
    fn document(&mut self) -> Step {
        if self.cursor.text.starts_with("---\n") {
            self.cursor.at = 3;
            self.cursor.next_line();
        }
        if !self.cursor.skip_to_content()? {
            return Err(GiveUp);
        }
        self.value(-1, Where::OwnLine)?;
        match self.cursor.skip_to_content()? {
            true => Err(GiveUp),
            false => Ok(()),
        }
    }

    /// Reads a value of what is indented by `parent`, up to the end of its last
    /// line.
    ///
    /// Recursion is as deep as lists and maps stand inside each other, which
    /// the tree bounds.
    fn value(&mut self, parent: isize, stands: Where) -> Step {
        let cursor = &mut self.cursor;
        let indent = cursor.indent();
        match cursor.byte() {
            b'-' if cursor.is_at_dash() => match stands {
                Where::OwnLine => self.list(indent, Indented::Yes),
                Where::BehindKey => Err(GiveUp),
            },
            b'|' | b'>' => {
                let word = block_scalar::read(cursor, parent)?;
                self.scalar(word, parent)
            }
            b'[' | b'{' => {
                brackets::value(cursor, &mut self.tree, parent)?;
                cursor.end_line()
            }
            b'"' | b'\'' => {
                let word = scalars::quoted(cursor)?;
                cursor.skip_spaces()?;
                if cursor.byte() == b':' {
                    return self.map(indent, word, stands);
                }
                cursor.end_line()?;
                self.scalar(word, parent)
            }
            _ => {
                let (mut word, stop) = scalars::plain(cursor, Within::Block)?;
                match stop {
                    Stop::Colon => return self.map(indent, word, stands),
                    Stop::Line => scalars::go_on(cursor, &mut word, parent)?,
                    Stop::Comment | Stop::Bracket => {}
                }
                cursor.end_line()?;
                self.scalar(word, parent)
            }
        }
    }

    /// Adds a value that is not written.
    fn nothing(&mut self, at: At) -> Step {
        let text = Slice::of(self.cursor.text, 0..0);
        Ok(self.tree.scalar(text, Style::Plain, 0, at)?)
    }

    /// Adds a scalar, which is never a whole file.
    fn scalar(&mut self, word: Word, parent: isize) -> Step {
        match parent {
            ..0 => Err(GiveUp),
            _ => Ok(self.tree.scalar(word.text, word.style, 0, word.at)?),
        }
    }

    /// Reads the items of a list whose dashes stand at `indent`.
    fn list(&mut self, indent: usize, indented: Indented) -> Step {
        let mut is_first = true;
        loop {
            let cursor = &mut self.cursor;
            let dash = cursor.place(cursor.at, cursor.at);
            cursor.at += 1;
            cursor.skip_spaces()?;
            let is_empty = cursor.byte() == b'\n' || cursor.is_at_comment();
            if is_empty {
                cursor.skip_comment();
            }
            let behind = cursor.place(cursor.at, cursor.at);
            if is_first {
                let at = match indented {
                    Indented::Yes => dash,
                    Indented::No => behind,
                };
                self.tree.start(Shape::List, 0, at)?;
                is_first = false;
            }
            if !is_empty || (cursor.skip_to_content()? && cursor.indent() > indent) {
                self.value(indent as isize, Where::OwnLine)?;
            } else {
                self.nothing(behind)?;
            }
            let cursor = &mut self.cursor;
            if !cursor.skip_to_content()? || cursor.indent() < indent {
                break;
            }
            if cursor.indent() > indent {
                return Err(GiveUp);
            }
            if !cursor.is_at_dash() {
                match indented {
                    Indented::Yes => return Err(GiveUp),
                    Indented::No => break,
                }
            }
        }
        Ok(self.tree.end()?)
    }

    /// Reads the entries of a map whose keys stand at `indent`; the first key
    /// has been read, up to its colon.
    fn map(&mut self, indent: usize, first: Word, stands: Where) -> Step {
        if stands == Where::BehindKey {
            return Err(GiveUp);
        }
        let mut at = first.at;
        at.length = 1;
        self.tree.start(Shape::Map, 0, at)?;
        let mut key = first;
        loop {
            self.entry(indent, key)?;
            let cursor = &mut self.cursor;
            if !cursor.skip_to_content()? || cursor.indent() < indent {
                break;
            }
            if cursor.indent() > indent {
                return Err(GiveUp);
            }
            key = self.key()?;
        }
        Ok(self.tree.end()?)
    }

    /// Reads a key up to its colon.
    fn key(&mut self) -> Result<Word, GiveUp> {
        match self.cursor.byte() {
            b'"' | b'\'' => {
                let word = scalars::quoted(&mut self.cursor)?;
                self.cursor.skip_spaces()?;
                Ok(word)
            }
            _ => match scalars::plain(&mut self.cursor, Within::Block)? {
                (word, Stop::Colon) => Ok(word),
                _ => Err(GiveUp),
            },
        }
    }

    /// Takes a key and reads its value; the cursor is at the colon.
    fn entry(&mut self, indent: usize, key: Word) -> Step {
        let cursor = &mut self.cursor;
        let is_colon = cursor.byte() == b':' && cursor.is_blank_at(cursor.at + 1);
        if !key.is_one_line || !is_colon || cursor.indent() - indent > KEY_LIMIT {
            return Err(GiveUp);
        }
        let colon = cursor.place(cursor.at, cursor.at);
        self.tree.scalar(key.text, key.style, 0, key.at)?;
        cursor.at += 1;
        cursor.skip_spaces()?;
        if cursor.byte() != b'\n' && !cursor.is_at_comment() {
            return self.value(indent as isize, Where::BehindKey);
        }
        let is_more = cursor.skip_to_content()?;
        if is_more && cursor.indent() > indent {
            self.value(indent as isize, Where::OwnLine)
        } else if is_more && cursor.indent() == indent && cursor.is_at_dash() {
            self.list(indent, Indented::No)
        } else {
            self.nothing(colon)
        }
    }
}

/// Where a value starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// First on its line, or behind dashes.
    OwnLine,
    /// On the line of its key, where no block list or map can start.
    BehindKey,
}

/// Whether the dashes of a list stand deeper than the key above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Indented {
    /// They do, or there is no key.
    Yes,
    /// They stand below the key's first letter.
    No,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::yaml::Yaml;
    use crate::import::yaml::full;
    use crate::import::yaml::lenient;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::fmt::Write;
    use std::fs;
    use std::path::Path;

    fn quick(text: &str) -> Option<Result<Node, Vec<Mistake>>> {
        let values = BTreeMap::new();
        parse(&Arc::new(text.to_owned()), &mut Environment::new(&values))
    }

    fn full(text: &str) -> Result<Node, Vec<Mistake>> {
        let values = BTreeMap::new();
        lenient::parse(text, |text, shifts| {
            full::parse(text, shifts, &mut Environment::new(&values))
        })
    }

    /// Writes all of a tree but what is meant to differ.
    fn show(node: &Node, out: &mut String) {
        write!(out, "{}:{}", node.line, node.column).unwrap();
        match &node.yaml {
            Yaml::Scalar(scalar) => {
                if scalar.style != Style::Quoted {
                    write!(out, "+{}", node.length).unwrap();
                }
                writeln!(out, " {:?} {:?}", scalar.style, scalar.text).unwrap();
            }
            Yaml::List(items) => {
                writeln!(out, " [").unwrap();
                items.iter().for_each(|item| show(item, out));
                writeln!(out, "]").unwrap();
            }
            Yaml::Map(entries) => {
                writeln!(out, " {{").unwrap();
                for entry in entries {
                    show(&entry.at, out);
                    show(&entry.value, out);
                }
                writeln!(out, "}}").unwrap();
            }
        }
    }

    fn shown(parsed: Result<Node, Vec<Mistake>>) -> String {
        let mut out = String::new();
        match parsed {
            Ok(root) => show(&root, &mut out),
            Err(mistakes) => {
                for Mistake {
                    code, line, column, ..
                } in mistakes
                {
                    writeln!(out, "{code} {line}:{column}").unwrap();
                }
            }
        }
        out
    }

    /// Returns whether the quick parser read it, having compared the two.
    #[track_caller]
    fn same(text: &str) -> bool {
        match quick(text) {
            Some(parsed) => {
                let (ours, theirs) = (shown(parsed), shown(full(text)));
                let mut lines = ours.lines().zip(theirs.lines());
                if let Some((ours, theirs)) = lines.find(|(ours, theirs)| ours != theirs) {
                    panic!("{ours} for {theirs} in:\n{text}");
                }
                assert_eq!(ours.len(), theirs.len(), "{text}");
                true
            }
            None => false,
        }
    }

    #[track_caller]
    fn check_read(text: &str) {
        assert!(same(text), "gave up: {text}");
    }

    #[test]
    fn what_people_write_is_read() {
        for text in [
            "a: 1\nb:\n- x\n-  y # why\n-\n- - z\n  - k: v\n    l:\n      m\nc:\n",
            "---\n# first\n\na:   b c  \n\n  # deep\nd: e#f\n",
            "a: first\n  second\n\n   third # end\nb: x:y http://z\n",
            "a: |\n  x\n\n   y\n  z\n\n\nb: |-\n    t\nc: >+\n\n  f\n  g\n\n   h\n  i\n\n",
            "a: |2\n   x\n  y\n",
            "a: 'it''s' # c\n\"b\": \"\\u00e9\\n\\\"\"\n'c' : \"é\"\n",
            "a: \"one\n  two \\\n   three\n\n\n  four\"\nb: 'x\n y '\n",
            "a: [x, 'y',\"z\" , [], {k: v, \"l\":1}, \n  q r,]\nb: {}\n",
            "é: ü\nlist:\n  - ключ: wörter\n  -\n    a\n  - # c\n    b: c\n",
            "- a\n- b: c\n  d: e\n-\n",
            "a:\n-\n- # c\n-   \n- x\nb:\n  -\n",
            "a: ~\nb: -5\nc: +\n",
            "{\"a\": [1, 2],\n \"b\": \"c\"}\n",
            "a: \"x\ny\"\nb: z",
            "a:\n    b: c\n    d:\n     - e\n\n     - f",
        ] {
            check_read(text);
        }
    }

    #[test]
    fn duplicate_keys_are_found_at_the_same_places() {
        check_read("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n");
    }

    #[test]
    fn what_is_odd_is_left_to_the_full_parser() {
        for text in [
            "",
            "# nothing\n",
            "a",
            "a: b: c\n",
            "a: b\n c: d\n",
            "a: 1\n b: 2\n",
            " a: 1\nb: 2\n",
            "a: &x b\n",
            "a: !!str 1\n",
            "? a\n: b\n",
            "a:\tb\n",
            "a: \"b\n",
            "a: [b\n",
            "a: [b, c: d]\n",
            "a: 1\n---\nb: 2\n",
            "a: \"b\" c\n",
            "a: |\n x\n  y\n z\n \n ",
            "%YAML 1.2\n---\na: b\n",
            "- a\nb: c\n",
            "a: b # c\n  d\n",
        ] {
            assert!(!same(text), "read: {text}");
        }
    }

    #[test]
    fn samples_are_the_same_trees() {
        let shared = std::env::var_os("TABELLA_YAML_SAMPLES").map(std::path::PathBuf::from);
        let own = ["examples", "schemas"].map(|f| Path::new(env!("CARGO_MANIFEST_DIR")).join(f));
        let (mut read, mut left) = (0, Vec::new());
        for folder in own.into_iter().chain(shared) {
            for entry in walkdir::WalkDir::new(folder).into_iter().flatten() {
                let is_yaml = entry.path().extension().is_some_and(|end| end == "yml");
                let text = is_yaml.then(|| fs::read_to_string(entry.path()).ok());
                match text.flatten().map(|text| same(&text.replace("\r\n", "\n"))) {
                    Some(true) => read += 1,
                    Some(false) => left.push(entry.into_path()),
                    None => {}
                }
            }
        }
        assert!(read > 10 * left.len(), "{read} read, left: {left:#?}");
    }

    /// Pieces of which lines are made that look like YAML.
    fn piece() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "a",
            "b",
            "é",
            "key",
            ": ",
            ":",
            "- ",
            "-",
            " ",
            "  ",
            "\n",
            "\n",
            "\n  ",
            "\n    ",
            "\n- ",
            "\"",
            "'",
            "''",
            "\\",
            "\\n",
            "[",
            "]",
            "{",
            "}",
            ", ",
            ",",
            "#",
            " # ",
            "|",
            ">",
            "|-",
            ">+",
            "|2",
            "~",
            "1.5",
            "true",
            "<<",
            "x: y",
            "k: v\n",
            "- i\n",
            "---",
            "...",
            "&x ",
            "*x",
            "!t ",
            "?",
            "%",
            "\t",
            "word word",
            "\n\n",
            "a:\n",
            "- k: v\n",
            "@",
            "`",
        ])
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn any_text_is_the_same_tree_or_left(pieces in prop::collection::vec(piece(), 0..24)) {
            same(&pieces.concat());
        }

        #[test]
        fn any_text_in_a_map_is_the_same_tree_or_left(
            pieces in prop::collection::vec(piece(), 0..12),
            deep in any::<bool>(),
        ) {
            let before = if deep { "a:\n  b: " } else { "a:\n- b\n- " };
            same(&(before.to_owned() + &pieces.concat() + "\n"));
        }
    }
}
