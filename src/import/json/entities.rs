//! What the JSON formats share: texts with entities that are named by offsets.

use serde_json::Value;

use crate::data::Annotation;
use crate::data::Example;
use crate::diagnostic::did_you_mean;
use crate::import::nlu;
use crate::import::nlu::NluPart;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// Adds an example with a text; `label` may have a response key. Its entities
/// are put into the order of the text, in which the other formats write them.
pub fn add_example(
    text: (&str, &Node),
    label: Option<(&str, &Node)>,
    mut entities: Vec<Annotation>,
    part: &mut NluPart,
    reading: &mut Reading,
) {
    let (text, node) = text;
    if text.trim().is_empty() {
        return reading.say("W305", node, "an example without text is left out");
    }
    entities.sort_by_key(|entity| (entity.start, entity.end));
    let mut example = Example {
        text: text.to_owned(),
        entities,
        place: reading.place(node),
        ..Example::default()
    };
    if let Some((label, at)) = label.filter(|(label, _)| !label.trim().is_empty()) {
        let label = label.trim();
        if !nlu::is_label(label, &reading.place(at), reading) {
            return;
        }
        let key = label.contains('/').then(|| label.to_owned());
        let base = label.split('/').next().unwrap_or(label);
        example.intent = Some(base.to_owned());
        example.intent_response_key = key;
    }
    part.data.examples.push(example);
}

/// Letters of a text that a note shows at most.
const SHOWN: usize = 60;

/// A text whose entities are read.
pub struct Marked<'t> {
    letters: Vec<char>,
    /// Offsets of entities that were read, with where they were written.
    spans: Vec<(usize, usize, &'t Node)>,
}

impl<'t> Marked<'t> {
    /// Returns a text whose entities were not read yet.
    pub fn new(text: &str) -> Self {
        Self {
            letters: text.chars().collect(),
            spans: Vec::new(),
        }
    }

    /// Returns the entity at two offsets in code points; `value` is the piece
    /// itself if not given.
    ///
    /// Python: a piece that ends behind the text ends with it.
    pub fn entity(
        &mut self,
        node: &'t Node,
        (start, end): (&Node, &Node),
        extra: usize,
        reading: &mut Reading,
    ) -> Option<Annotation> {
        let from = offset(start, "the start of an entity", reading)?;
        let to = offset(end, "the end of an entity", reading)?.saturating_add(extra);
        let count = self.letters.len();
        if from >= count || from >= to {
            let what = match from >= count {
                true => format!("an entity starts at {from}, but the text has {count} letters"),
                false => format!("an entity ends at {to}, which is not after its start {from}"),
            };
            let about = reading.about("E323", start, what).note(self.shown());
            reading
                .diagnostics
                .push(about.help("count letters from 0; the end is one past the last"));
            return None;
        }
        if to > count {
            let what = format!("an entity ends at {to}, but the text has {count} letters");
            let about = reading.about("W334", end, what).note(self.shown());
            reading
                .diagnostics
                .push(about.help("it is taken to end with the text"));
        }
        let to = to.min(count);
        self.spans.push((from, to, node));
        Some(Annotation {
            start: from,
            end: to,
            value: Value::String(self.letters[from..to].iter().collect()),
            ..Annotation::default()
        })
    }

    /// Returns the start of the text, for a note: a text may be long, and wrong in
    /// many places.
    fn shown(&self) -> String {
        let start: String = self.letters.iter().take(SHOWN).collect();
        let rest = if self.letters.len() > SHOWN {
            "…"
        } else {
            ""
        };
        format!("the text is `{start}{rest}`")
    }

    /// Reports entities that overlap.
    pub fn finish(mut self, reading: &mut Reading) {
        self.spans.sort_by_key(|(start, end, _)| (*start, *end));
        for pair in self.spans.windows(2) {
            let [(_, end, _), (start, _, node)] = pair else {
                continue;
            };
            if start < end {
                let about = reading
                    .about("W324", node, "an entity overlaps another one of its text")
                    .note(self.shown())
                    .help("only one of them can be learnt");
                reading.diagnostics.push(about);
            }
        }
    }
}

/// Reads an offset: a whole number that is not negative.
fn offset(node: &Node, what: &str, reading: &mut Reading) -> Option<usize> {
    let number = match node.to_json() {
        Value::Number(number) => number,
        _ => {
            reading.wrong(node, what, "a number");
            return None;
        }
    };
    let whole = number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        (number >= 0.0 && number.fract() == 0.0 && number < 1e15).then_some(number as u64)
    });
    if whole.is_none() {
        let message = format!("{what} must be a whole number from 0 on");
        reading.say("E323", node, message);
    }
    whole.map(|number| number as usize)
}

/// Returns the items of a list under a key; none if the key is not there.
pub fn items<'n>(map: &'n Node, key: &str, reading: &mut Reading) -> &'n [Node] {
    match map.get(key) {
        Some(node) => reading.list(node, &format!("`{key}`")),
        None => &[],
    }
}

/// Returns the value of a key that must be there.
pub fn required<'n>(map: &'n Node, key: &str, reading: &mut Reading) -> Option<&'n Node> {
    if !matches!(map.yaml, Yaml::Map(_)) {
        reading.wrong(map, &format!("what has `{key}`"), "a map");
        return None;
    }
    let value = map.get(key);
    if value.is_none() {
        let mut about = reading.about("E326", map, format!("`{key}` is missing here"));
        let keys = map.entries().iter().map(|entry| &*entry.key);
        if let Some(near) = did_you_mean(key, keys) {
            about = about.help(format!("is it what `{near}` is meant to be?"));
        }
        reading.diagnostics.push(about);
    }
    value
}

/// Returns the text of an example; one without is left out.
pub fn example_text<'n>(item: &'n Node, reading: &mut Reading) -> Option<(&'n str, &'n Node)> {
    reading.expect_map(item, "an example");
    let found = text(item, "text", reading);
    if found.is_none() && item.get("text").is_none_or(Node::is_null) {
        reading.say("W305", item, "an example without `text` is left out");
    }
    found
}

/// Returns the text of a key; null and a missing key are none.
pub fn text<'n>(map: &'n Node, key: &str, reading: &mut Reading) -> Option<(&'n str, &'n Node)> {
    let node = map.get(key).filter(|node| !node.is_null())?;
    Some((reading.text(node, &format!("`{key}`"))?, node))
}
