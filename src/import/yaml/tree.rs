//! Builds the tree of a file from what a parser finds, within bounds.

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::hash_map::Entry::Occupied;
use std::collections::hash_map::Entry::Vacant;

use crate::import::yaml::Entry;
use crate::import::yaml::Environment;
use crate::import::yaml::Mistake;
use crate::import::yaml::Node;
use crate::import::yaml::Scalar;
use crate::import::yaml::Slice;
use crate::import::yaml::Style;
use crate::import::yaml::Yaml;

/// Lists and maps inside each other at most.
pub const DEPTH_LIMIT: usize = 64;

/// What all aliases of a file may expand to: bytes of text plus 64 a node.
pub const ALIAS_LIMIT: usize = 16 << 20;

/// Entries of a map whose keys are compared with each other; those of longer
/// ones are hashed.
const COMPARED: usize = 8;

/// Where a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in code points, counted from 1.
    pub column: u32,
    /// Code points on that line, at least 1.
    pub length: u32,
}

impl At {
    /// Returns a node at this place.
    pub fn node(self, yaml: Yaml) -> Node {
        Node {
            line: self.line,
            column: self.column,
            length: self.length,
            yaml,
        }
    }

    /// Returns a mistake at this place.
    pub fn mistake(self, code: &'static str, message: impl Into<String>) -> Mistake {
        Mistake {
            code,
            line: self.line,
            column: self.column,
            length: self.length,
            message: message.into(),
            help: None,
        }
    }
}

/// The two shapes of a value with values inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A list.
    List,
    /// A map.
    Map,
}

/// A list or map whose end was not seen yet.
struct Open {
    at: At,
    shape: Shape,
    /// Where its items or entries start among those of all open ones.
    first: usize,
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

/// A tree under way. Items and entries wait on two stacks until their list or
/// map ends, so that each is exactly as large as what it holds.
pub struct Tree<'e, 'v> {
    environment: &'e mut Environment<'v>,
    open: Vec<Open>,
    items: Vec<Node>,
    entries: Vec<Entry>,
    /// Finished anchored values by anchor number, with their sizes.
    anchors: Vec<Option<(Node, usize)>>,
    expanded: usize,
    root: Option<Node>,
    mistakes: Vec<Mistake>,
}

impl<'e, 'v> Tree<'e, 'v> {
    /// Returns a tree without nodes.
    pub fn new(environment: &'e mut Environment<'v>) -> Self {
        Self {
            environment,
            open: Vec::new(),
            items: Vec::new(),
            entries: Vec::new(),
            anchors: Vec::new(),
            expanded: 0,
            root: None,
            mistakes: Vec::new(),
        }
    }

    /// Returns whether a whole value has been read.
    pub fn has_root(&self) -> bool {
        self.root.is_some()
    }

    /// Notes a mistake; the rest is still read.
    pub fn say(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// Returns the root; nothing at all is an empty map.
    ///
    /// # Errors
    ///
    /// All mistakes, and `last` if the parser had to stop there.
    pub fn finish(mut self, last: Option<Mistake>) -> Result<Node, Vec<Mistake>> {
        self.mistakes.extend(last);
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        let start = At {
            line: 1,
            column: 1,
            length: 1,
        };
        let root = self.root.filter(|root| !root.is_null());
        Ok(root.unwrap_or_else(|| start.node(Yaml::Map(Vec::new()))))
    }

    /// Starts a list or map; `anchor` is 0 for none.
    ///
    /// # Errors
    ///
    /// Beyond [`DEPTH_LIMIT`].
    pub fn start(&mut self, shape: Shape, anchor: usize, at: At) -> Result<(), Mistake> {
        if self.open.len() >= DEPTH_LIMIT {
            return Err(too_deep(at));
        }
        self.open.push(Open {
            at,
            shape,
            first: match shape {
                Shape::List => self.items.len(),
                Shape::Map => self.entries.len(),
            },
            key: None,
            merges: Vec::new(),
            anchor,
            size: 64,
            copied: 0,
        });
        Ok(())
    }

    /// Ends the list or map that was started last.
    ///
    /// # Errors
    ///
    /// As [`Tree::scalar`].
    pub fn end(&mut self) -> Result<(), Mistake> {
        let open = self.open.pop().expect("a parser ends what it started");
        let yaml = match open.shape {
            Shape::List => Yaml::List(self.items.drain(open.first..).collect()),
            Shape::Map => {
                let mut entries: Vec<Entry> = self.entries.drain(open.first..).collect();
                self.report_repeats(&entries);
                self.merge(&mut entries, open.merges);
                Yaml::Map(entries)
            }
        };
        let node = open.at.node(yaml);
        self.put(node, open.anchor, open.size, open.copied)
    }

    /// Adds a scalar; a plain one has its variables expanded.
    ///
    /// # Errors
    ///
    /// If it cannot stand here, or if its anchor makes too much of the file.
    pub fn scalar(
        &mut self,
        text: Slice,
        style: Style,
        anchor: usize,
        at: At,
    ) -> Result<(), Mistake> {
        let size = 64 + text.len();
        let mut scalar = Scalar { text, style };
        if style == Style::Plain {
            match self.environment.expand(&scalar.text) {
                Some(Ok(text)) => {
                    scalar = Scalar {
                        text: Slice::from(text),
                        style: Style::Quoted,
                    };
                }
                Some(Err(names)) => {
                    let what = format!("not set in the environment: `{names}`");
                    self.mistakes.push(at.mistake("E011", what));
                }
                None => {}
            }
        }
        self.put(at.node(Yaml::Scalar(scalar)), anchor, size, 0)
    }

    /// Adds a copy of the value that has this anchor.
    ///
    /// # Errors
    ///
    /// If that value is not finished, or the copies become too large or deep.
    pub fn alias(&mut self, anchor: usize, at: At) -> Result<(), Mistake> {
        let known = self.anchors.get(anchor).and_then(Option::as_ref);
        let Some(&(_, size)) = known else {
            return Err(at.mistake("E007", "an alias inside the value that it names"));
        };
        self.expand(size, at)?;
        let (node, _) = self.anchors[anchor].as_ref().expect("it was just found");
        if self.open.len() + depth(node) > DEPTH_LIMIT {
            return Err(too_deep(at));
        }
        let node = node.clone();
        self.put(node, 0, size, size)
    }

    /// Puts a finished value where it belongs. What was `copied` already counts
    /// as expanded when an anchor keeps it once more: else anchors inside each
    /// other could multiply a file.
    fn put(
        &mut self,
        node: Node,
        anchor: usize,
        size: usize,
        mut copied: usize,
    ) -> Result<(), Mistake> {
        if anchor > 0 {
            self.expand(copied, place(&node))?;
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
        if open.shape == Shape::List {
            self.items.push(node);
            return Ok(());
        }
        let Some(at) = open.key.take() else {
            if !matches!(node.yaml, Yaml::Scalar(_)) {
                return Err(node.mistake("E010", "a key must be a word, not a list or map"));
            }
            open.key = Some(node);
            return Ok(());
        };
        let Yaml::Scalar(Scalar { text, style }) = &at.yaml else {
            return Ok(());
        };
        if *text == "<<" && *style == Style::Plain {
            open.merges.push(node);
        } else {
            self.entries.push(Entry {
                key: text.clone(),
                at,
                value: node,
            });
        }
        Ok(())
    }

    /// Reports keys that stand twice in a map.
    fn report_repeats(&mut self, entries: &[Entry]) {
        let mut seen: HashMap<&str, &Node> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let key = entry.key.as_str();
            let mut before = entries[..index].iter();
            let first = match entries.len() <= COMPARED {
                true => before.find(|one| one.key == *key).map(|one| &one.at),
                false => match seen.entry(key) {
                    Occupied(first) => Some(*first.get()),
                    Vacant(free) => {
                        free.insert(&entry.at);
                        None
                    }
                },
            };
            if let Some(first) = first {
                let line = first.line;
                let what = format!("key `{key}` stands twice in this map, first in line {line}");
                let mistake = entry.at.mistake("E005", what);
                let help = "join what stands under the two, or rename one of them";
                self.mistakes.push(mistake.help(help));
            }
        }
    }

    /// Adds what `<<` brings in and is not written.
    fn merge(&mut self, entries: &mut Vec<Entry>, merges: Vec<Node>) {
        if merges.is_empty() {
            return;
        }
        let written = entries.iter().map(|entry| entry.key.as_str().to_owned());
        let mut seen: HashSet<String> = written.collect();
        for merge in merges {
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
                entries.extend(
                    added
                        .into_iter()
                        .filter(|e| seen.insert(e.key.as_str().to_owned())),
                );
            }
        }
    }

    /// Counts bytes that are about to be copied because of what stands at `at`.
    fn expand(&mut self, size: usize, at: At) -> Result<(), Mistake> {
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

/// Returns the mistake for what stands deeper than [`DEPTH_LIMIT`].
pub fn too_deep(at: At) -> Mistake {
    let what = format!("more than {DEPTH_LIMIT} lists and maps inside each other");
    at.mistake("E006", what)
}

fn place(node: &Node) -> At {
    At {
        line: node.line,
        column: node.column,
        length: node.length,
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
