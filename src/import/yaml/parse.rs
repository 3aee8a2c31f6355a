//! Turns the parser's events into the tree, within bounds.

use std::borrow::Cow;
use std::collections::HashSet;

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;
use saphyr_parser::Span;
use saphyr_parser::Tag;

use crate::import::yaml::Entry;
use crate::import::yaml::Environment;
use crate::import::yaml::Mistake;
use crate::import::yaml::Node;
use crate::import::yaml::Scalar;
use crate::import::yaml::Style;
use crate::import::yaml::Yaml;
use crate::import::yaml::lenient;

/// Lists and maps inside each other at most.
pub const DEPTH_LIMIT: usize = 64;

/// What all aliases of a file may expand to: bytes of text plus 64 a node.
pub const ALIAS_LIMIT: usize = 16 << 20;

/// Parses the one document of a text; an empty text is an empty map.
///
/// # Errors
///
/// The first thing that is not YAML, or every duplicate key, unknown tag and
/// unset variable if it is YAML.
pub fn parse(text: &str, environment: &mut Environment<'_>) -> Result<Node, Vec<Mistake>> {
    let mut parsed = parse_strictly(text, environment);
    let mut mended = Cow::Borrowed(text);
    for _ in 0..lenient::MEND_LIMIT {
        let Err(mistakes) = &parsed else { break };
        let Some(last) = mistakes.last().filter(|m| lenient::can_mend(&m.message)) else {
            break;
        };
        let Some(better) = lenient::mend(&mended, last.line, last.column) else {
            break;
        };
        parsed = parse_strictly(&better, environment);
        mended = Cow::Owned(better);
    }
    parsed
}

/// Parses what is YAML to the letter.
fn parse_strictly(text: &str, environment: &mut Environment<'_>) -> Result<Node, Vec<Mistake>> {
    let mut builder = Builder {
        lines: text.split('\n').collect(),
        environment,
        open: Vec::new(),
        anchors: Vec::new(),
        expanded: 0,
        root: None,
        mistakes: Vec::new(),
    };
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => Err(Mistake {
                code: "E004",
                line: error.marker().line() as u32,
                column: error.marker().col() as u32 + 1,
                length: 1,
                message: format!("not valid YAML: {}", error.info()),
                help: None,
            }),
        };
        if let Err(mistake) = step {
            builder.mistakes.push(mistake);
            return Err(builder.mistakes);
        }
    }
    if !builder.mistakes.is_empty() {
        return Err(builder.mistakes);
    }
    let empty = Node {
        line: 1,
        column: 1,
        length: 1,
        yaml: Yaml::Map(Vec::new()),
    };
    Ok(builder.root.filter(|root| !root.is_null()).unwrap_or(empty))
}

/// A list or map whose end was not seen yet.
struct Open {
    node: Node,
    /// The key whose value comes next.
    key: Option<Node>,
    /// Values of `<<`, applied at the end of the map.
    merges: Vec<Node>,
    anchor: usize,
    /// Size as counted for [`ALIAS_LIMIT`].
    size: usize,
    /// How much of it came from aliases, or is kept for some.
    copied: usize,
}

/// Builds the tree from events, without recursion.
struct Builder<'t, 'e, 'v> {
    lines: Vec<&'t str>,
    environment: &'e mut Environment<'v>,
    open: Vec<Open>,
    /// Finished anchored values by anchor number, with their sizes.
    anchors: Vec<Option<(Node, usize)>>,
    expanded: usize,
    root: Option<Node>,
    mistakes: Vec<Mistake>,
}

impl Builder<'_, '_, '_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Mistake> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(place(span).mistake("E008", "a second YAML document in one file"))
            }
            Event::Scalar(text, style, anchor, tag) => {
                let node = self.scalar(&text, style, tag.as_deref(), span);
                let size = 64 + text.len();
                self.finish(node, anchor, size, 0)
            }
            Event::SequenceStart(anchor, tag) => {
                self.start(Yaml::List(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::MappingStart(anchor, tag) => {
                self.start(Yaml::Map(Vec::new()), anchor, tag.as_deref(), span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let mut open = self.open.pop().expect("the parser closes what it opened");
                self.merge(&mut open);
                self.finish(open.node, open.anchor, open.size, open.copied)
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Ok(()),
        }
    }

    fn start(
        &mut self,
        yaml: Yaml,
        anchor: usize,
        tag: Option<&Tag>,
        span: Span,
    ) -> Result<(), Mistake> {
        let mut node = place(span);
        if self.open.len() >= DEPTH_LIMIT {
            let what = format!("more than {DEPTH_LIMIT} lists and maps inside each other");
            return Err(node.mistake("E006", what));
        }
        node.yaml = yaml;
        self.check_tag(tag, &node);
        self.open.push(Open {
            node,
            key: None,
            merges: Vec::new(),
            anchor,
            size: 64,
            copied: 0,
        });
        Ok(())
    }

    /// Reports a tag that is not one of YAML's own.
    fn check_tag(&mut self, tag: Option<&Tag>, node: &Node) {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema()
            && !(tag.handle == "!" && tag.suffix.is_empty())
        {
            let what = format!("unknown tag `{}{}`", tag.handle, tag.suffix);
            self.mistakes.push(node.mistake("E013", what));
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
        let mut node = place(span);
        self.check_tag(tag, &node);
        let style = match style {
            ScalarStyle::Plain if tag.is_some_and(is_text_tag) => Style::Quoted,
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::Literal => {
                node.length = 1;
                self.literal(text, node.line)
            }
            ScalarStyle::Folded => {
                node.length = 1;
                Style::Folded
            }
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        };
        let mut scalar = Scalar {
            text: text.to_owned(),
            style,
        };
        if style == Style::Plain {
            match self.environment.expand(text) {
                Some(Ok(text)) => {
                    scalar = Scalar {
                        text,
                        style: Style::Quoted,
                    };
                }
                Some(Err(names)) => {
                    let what = format!("not set in the environment: `{names}`");
                    self.mistakes.push(node.mistake("E011", what));
                }
                None => {}
            }
        }
        node.yaml = Yaml::Scalar(scalar);
        node
    }

    /// Finds where the text of a literal block stands in the file. `line` is
    /// that of its first line that is not empty, which is where the parser says
    /// that the block starts.
    fn literal(&self, text: &str, line: u32) -> Style {
        let first = text.trim_start_matches('\n');
        let blank = (text.len() - first.len()) as u32;
        let own = first.len() - first.trim_start_matches(' ').len();
        let source = self.lines.get(line as usize - 1).unwrap_or(&"");
        let all = source.len() - source.trim_start_matches(' ').len();
        Style::Literal {
            first_line: line.saturating_sub(blank).max(1),
            indent: all.saturating_sub(own) as u32,
        }
    }

    /// Puts a finished value where it belongs. What was `copied` already counts
    /// as expanded when an anchor keeps it once more: else anchors inside each
    /// other could multiply a file.
    fn finish(
        &mut self,
        node: Node,
        anchor: usize,
        size: usize,
        mut copied: usize,
    ) -> Result<(), Mistake> {
        if anchor > 0 {
            self.expand(copied, &node)?;
            copied = size;
            if self.anchors.len() <= anchor {
                self.anchors.resize(anchor + 1, None);
            }
            self.anchors[anchor] = Some((node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.size += size;
        open.copied += copied;
        match (&mut open.node.yaml, open.key.take()) {
            (Yaml::List(items), _) => items.push(node),
            (Yaml::Map(_), None) => {
                if !matches!(node.yaml, Yaml::Scalar(_)) {
                    return Err(node.mistake("E010", "a key must be a word, not a list or map"));
                }
                open.key = Some(node);
            }
            (Yaml::Map(entries), Some(at)) => {
                let Yaml::Scalar(Scalar { text, style }) = &at.yaml else {
                    return Ok(());
                };
                if text == "<<" && *style == Style::Plain {
                    open.merges.push(node);
                } else {
                    entries.push(Entry {
                        key: text.clone(),
                        at,
                        value: node,
                    });
                }
            }
            (Yaml::Scalar(_), _) => {}
        }
        Ok(())
    }

    /// Reports duplicate keys and adds what `<<` brings in.
    fn merge(&mut self, open: &mut Open) {
        let Yaml::Map(entries) = &mut open.node.yaml else {
            return;
        };
        let mut seen: HashSet<String> = HashSet::with_capacity(entries.len());
        for entry in entries.iter() {
            if !seen.insert(entry.key.clone()) {
                let what = format!("key `{}` stands twice in this map", entry.key);
                self.mistakes.push(entry.at.mistake("E005", what));
            }
        }
        for merge in open.merges.drain(..) {
            let maps = match merge.yaml {
                Yaml::List(maps) => maps,
                _ => vec![merge],
            };
            for map in maps {
                let Yaml::Map(added) = map.yaml else {
                    self.mistakes
                        .push(map.mistake("E010", "`<<` needs a map or a list of maps"));
                    continue;
                };
                entries.extend(added.into_iter().filter(|e| seen.insert(e.key.clone())));
            }
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Mistake> {
        let at = place(span);
        let known = self.anchors.get(anchor).and_then(Option::as_ref);
        let Some(&(_, size)) = known else {
            return Err(at.mistake("E007", "an alias inside the value that it names"));
        };
        self.expand(size, &at)?;
        let (node, _) = self.anchors[anchor].as_ref().expect("it was just found");
        if self.open.len() + depth(node) > DEPTH_LIMIT {
            let what = format!("more than {DEPTH_LIMIT} lists and maps inside each other");
            return Err(at.mistake("E006", what));
        }
        let node = node.clone();
        self.finish(node, 0, size, size)
    }

    /// Counts bytes that are about to be copied because of what stands at `at`.
    fn expand(&mut self, size: usize, at: &Node) -> Result<(), Mistake> {
        self.expanded += size;
        match self.expanded > ALIAS_LIMIT {
            true => {
                let what = format!("aliases expand to more than {ALIAS_LIMIT} bytes");
                Err(at.mistake("E007", what))
            }
            false => Ok(()),
        }
    }
}

/// Returns how many lists and maps stand inside each other.
fn depth(node: &Node) -> usize {
    match &node.yaml {
        Yaml::Scalar(_) => 0,
        Yaml::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Yaml::Map(entries) => 1 + entries.iter().map(|e| depth(&e.value)).max().unwrap_or(0),
    }
}

/// Returns an empty node at the place of a span.
fn place(span: Span) -> Node {
    let one_line = span.start.line() == span.end.line();
    let length = match one_line {
        true => span.end.col().saturating_sub(span.start.col()) as u32,
        false => 1,
    };
    Node {
        line: span.start.line() as u32,
        column: span.start.col() as u32 + 1,
        length: length.max(1),
        yaml: Yaml::Scalar(Scalar {
            text: String::new(),
            style: Style::Plain,
        }),
    }
}

/// Returns whether a tag makes a plain scalar text.
fn is_text_tag(tag: &Tag) -> bool {
    (tag.is_yaml_core_schema() && tag.suffix == "str") || tag.suffix.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeMap;

    fn read(text: &str) -> Result<Node, Vec<Mistake>> {
        let values = BTreeMap::new();
        parse(text, &mut Environment::new(&values))
    }

    #[track_caller]
    fn check_mistake(text: &str, want: (&str, u32, u32)) {
        let mistakes = read(text).unwrap_err();
        let first = &mistakes[0];
        assert_eq!((first.code, first.line, first.column), want, "{first:?}");
    }

    #[test]
    fn values_are_those_of_a_second_yaml_reader() {
        let documents = [
            "a: 1\nb: [x, 'y', \"z\\n\", ~, true, 2.5]\nc: {d: e, f: null}\n",
            "nlu:\n- intent: greet\n  examples: |\n    - hi\n\n    - hé [a](b)\n",
            "text: >\n  folded\n  lines\n\n  here\nkeep: |+\n  x\n\n",
            "base: &b {x: 1, y: 2}\nuse: *b\n",
            "plain: some words # comment\nurl: http://a.b/c#d\nneg: -5\nyes: no\n",
            "- a\n-  - b\n   - c\n- ? k\n  : v\n",
            "multi: first\n  second\n\n  third\n",
            "",
        ];
        for text in documents {
            let ours = read(text).unwrap().to_json();
            let theirs: Option<Value> = serde_yaml::from_str(text).unwrap();
            let theirs = theirs.filter(|v| !v.is_null());
            let theirs = theirs.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
            assert_eq!(ours, theirs, "{text}");
        }
    }

    #[test]
    fn nodes_know_their_line_column_and_length() {
        let root = read("é: 1\nlist:\n- ключ: wörter\n").unwrap();
        let Yaml::List(items) = &root.get("list").unwrap().yaml else {
            panic!("a list was written");
        };
        let value = items[0].get("ключ").unwrap();
        assert_eq!((value.line, value.column, value.length), (3, 9, 6));
        let key = &items[0].entries()[0].at;
        assert_eq!((key.line, key.column, key.length), (3, 3, 4));
    }

    #[test]
    fn lines_of_a_literal_block_are_found_again() {
        let root = read("a:\n  b: |  # why\n\n      x\n     y\n").unwrap_err();
        assert_eq!(root[0].code, "E004");
        let root = read("a:\n  b: |  # why\n\n     x\n      y\n").unwrap();
        let Yaml::Scalar(scalar) = &root.get("a").unwrap().get("b").unwrap().yaml else {
            panic!("a scalar was written");
        };
        assert_eq!(scalar.text, "\nx\n y\n");
        let want = Style::Literal {
            first_line: 3,
            indent: 5,
        };
        assert_eq!(scalar.style, want);
    }

    #[test]
    fn duplicate_keys_are_all_named() {
        let mistakes = read("a: 1\nb: {c: 1, c: 2}\na: 3\n").unwrap_err();
        let places: Vec<(u32, u32)> = mistakes.iter().map(|m| (m.line, m.column)).collect();
        assert_eq!(places, [(2, 11), (3, 1)]);
    }

    #[test]
    fn merge_keys_bring_in_what_is_not_written() {
        let root = read("a: &a {x: 1, y: 1}\nb:\n  <<: *a\n  y: 2\n").unwrap();
        assert_eq!(
            root.get("b").unwrap().to_json(),
            serde_json::json!({"x": 1, "y": 2})
        );
    }

    #[test]
    fn quoted_texts_may_go_on_at_any_indentation() {
        let root = read("r:\n  - text: \"one\n  two\n\n  three\"\n  - text: 'x\n  y'\n").unwrap();
        let want = serde_json::json!({"r": [{"text": "one two\nthree"}, {"text": "x y"}]});
        assert_eq!(root.to_json(), want);
    }

    #[test]
    fn hostile_files_end_in_a_mistake() {
        check_mistake("a: [1\nb: 2\n", ("E004", 2, 2));
        check_mistake("a: 1\n---\nb: 2\n", ("E008", 2, 1));
        check_mistake("a: &a [*a]\n", ("E007", 1, 8));
        check_mistake("a: !python/object x\n", ("E013", 1, 4));
        check_mistake(&format!("a: {}", "[".repeat(200)), ("E006", 1, 67));
        check_mistake("a: ${GONE}\n", ("E011", 1, 4));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let inner = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{inner}]\n");
        }
        let mistakes = read(&bomb).unwrap_err();
        assert_eq!(mistakes[0].code, "E007");
    }

    #[test]
    fn anchors_inside_each_other_do_not_multiply_a_file() {
        let nested = |levels: usize| {
            let open: String = (0..levels).map(|level| format!("&a{level} [")).collect();
            let words = "word, ".repeat(20_000);
            format!("a: {open}{words}{}\n", "]".repeat(levels))
        };
        assert!(read(&nested(2)).is_ok());
        let mistakes = read(&nested(60)).unwrap_err();
        assert_eq!(mistakes[0].code, "E007");
    }
}
