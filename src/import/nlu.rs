//! Reads `nlu` and `responses` of training data files.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::data::Example;
use crate::data::Lookup;
use crate::data::NluData;
use crate::data::Pattern;
use crate::data::Place;
use crate::data::Places;
use crate::data::Response;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::shortened;
use crate::import::annotation;
use crate::import::lookups::LookupFile;
use crate::import::reading::Reading;
use crate::import::responses;
use crate::import::responses::NamedResponse;
use crate::import::responses::Variations;
use crate::import::yaml::Node;
use crate::import::yaml::Scalar;
use crate::import::yaml::Style;
use crate::import::yaml::Yaml;

/// What one file says, or all of them together.
#[derive(Debug, Default)]
pub struct NluPart {
    /// The data; synonyms and responses are filled by [`merge`].
    pub data: NluData,
    /// Synonyms in order of writing: text, value, place.
    pub synonyms: Vec<(String, String, Place)>,
    /// Files that lookup tables name, in order of writing.
    pub lookup_files: Vec<LookupFile>,
    /// All responses, also those of no retrieval intent.
    pub responses: Vec<NamedResponse>,
}

/// A line of examples: its text, where it stands, and its own metadata.
struct Line<'n> {
    text: &'n str,
    place: Place,
    metadata: Option<Value>,
}

impl Line<'_> {
    /// Returns the place of a byte of the text.
    fn at(&self, byte: usize) -> Place {
        let before = self.text[..byte].chars().count() as u32;
        Place {
            column: self.place.column + before,
            ..self.place.clone()
        }
    }
}

/// The kinds of entries, with the keys that each may have.
const KINDS: &[(&str, &[&str])] = &[
    ("intent", &["intent", "metadata", "examples"]),
    ("synonym", &["synonym", "examples"]),
    ("regex", &["regex", "examples"]),
    ("lookup", &["lookup", "examples"]),
];

/// Reads the NLU sections of a file, and takes `nlu` out of its tree.
pub fn read(root: &mut Node, reading: &mut Reading) -> NluPart {
    let mut part = NluPart::default();
    if let Some(node) = root.take("nlu") {
        for item in reading.items(node, "`nlu`") {
            read_item(&item, &mut part, reading);
        }
    }
    if let Some(node) = root.get("responses") {
        part.responses = responses::read(node, Variations::Maps, reading);
    }
    part
}

/// Reads one entry of `nlu`; the first known key says what it is.
fn read_item(item: &Node, part: &mut NluPart, reading: &mut Reading) {
    let found = KINDS
        .iter()
        .find_map(|(kind, keys)| Some((*kind, *keys, item.get(kind)?)));
    let Some((kind, keys, name_node)) = found else {
        let key = item.entries().first().map(|entry| &*entry.key);
        let key = key.or(item.text()).unwrap_or_default();
        let about = reading
            .about("E301", item, "an entry of `nlu` is none that is known")
            .help("one of intent, synonym, regex, lookup")
            .suggest(key, KINDS.iter().map(|(kind, _)| *kind));
        reading.diagnostics.push(about);
        return;
    };
    check_keys(item, kind, keys, reading);
    let Some(name) = name(kind, name_node, reading) else {
        return;
    };
    let Some(examples) = item.get("examples").filter(|node| !node.is_null()) else {
        no_examples(kind, name, name_node, reading);
        return;
    };
    let lines = match (&examples.yaml, kind) {
        (Yaml::List(items), "intent") => list_lines(items, reading),
        (Yaml::Scalar(_), _) if examples.text().is_some() => block_lines(examples, reading),
        _ => {
            let what = format!(
                "the examples of {kind} `{name}` must be text, not {}",
                examples.kind()
            );
            let about = reading
                .about("E311", examples, what)
                .help("write them as a block: `examples: |`, one `- ` line each");
            reading.diagnostics.push(about);
            return;
        }
    };
    if lines.is_empty() {
        no_examples(kind, name, name_node, reading);
    }
    let place = reading.place(name_node);
    match kind {
        "intent" => {
            let metadata = item.get("metadata").map(Node::to_json);
            let metadata = metadata.filter(|value| !value.is_null()).map(Arc::new);
            for line in lines {
                add_example(name, line.text, &|byte| line.at(byte), part, reading);
                if let Some(example) = part.data.examples.last_mut() {
                    example.intent_metadata = metadata.clone();
                    example.metadata = line.metadata;
                    example.intent_place = place.clone();
                }
            }
        }
        "synonym" => part.synonyms.extend(
            lines
                .into_iter()
                .map(|line| (line.text.to_owned(), name.to_owned(), line.place)),
        ),
        "regex" => part
            .data
            .patterns
            .extend(lines.into_iter().map(|line| Pattern {
                name: name.to_owned(),
                pattern: line.text.to_owned(),
                place: line.place,
            })),
        _ => part.data.lookups.push(Lookup {
            name: name.to_owned(),
            elements: lines.iter().map(|line| line.text).collect(),
            place,
        }),
    }
}

/// Reports keys that an entry cannot have; both Rasas refuse them.
fn check_keys(item: &Node, kind: &str, keys: &[&str], reading: &mut Reading) {
    for entry in item.entries() {
        if !keys.contains(&&*entry.key) {
            let what = format!("an entry of kind `{kind}` has no `{}`", entry.key);
            let about = reading
                .about("E314", &entry.at, what)
                .help(format!("one of {}", keys.join(", ")))
                .suggest(&entry.key, keys.iter().copied());
            reading.diagnostics.push(about);
        }
    }
}

/// Returns the name of an entry, if it is one.
fn name<'n>(kind: &str, node: &'n Node, reading: &mut Reading) -> Option<&'n str> {
    let name = match node.is_null() {
        true => "",
        false => reading.text(node, &format!("`{kind}`"))?.trim(),
    };
    if name.is_empty() {
        reading.say("W302", node, format!("{kind} without a name"));
        return None;
    }
    let place = reading.place(node);
    let is_name = match kind {
        "intent" => is_label(name, &place, reading),
        _ => is_short(name, &place, reading),
    };
    is_name.then_some(name)
}

/// Code points of a name at most: each example keeps that of its intent.
const NAME_LIMIT: usize = 1_000;

/// Returns whether a name is not too long, and says so if it is.
pub fn is_short(name: &str, place: &Place, reading: &mut Reading) -> bool {
    let is_short = name.len() <= NAME_LIMIT || name.chars().count() <= NAME_LIMIT;
    if !is_short {
        let what = format!("a name may have {NAME_LIMIT} letters, and this one has more");
        let about = Diagnostic::new("E337", place.clone(), what);
        reading
            .diagnostics
            .push(about.help("its examples may have got into it"));
    }
    is_short
}

/// Returns whether a name can be that of an intent, maybe with a response key,
/// and says so if it cannot.
pub fn is_label(name: &str, place: &Place, reading: &mut Reading) -> bool {
    if !is_short(name, place, reading) {
        return false;
    }
    let good = name.matches('/').count() <= 1;
    if !good {
        let what = format!("intent `{name}` has more than one `/`");
        let about = Diagnostic::new("E307", place.clone(), what)
            .length(name.chars().count() as u32)
            .help("a retrieval intent is written `intent/response_key`");
        reading.diagnostics.push(about);
    }
    good
}

fn no_examples(kind: &str, name: &str, node: &Node, reading: &mut Reading) {
    let about = reading
        .about("W303", node, format!("{kind} `{name}` has no examples"))
        .help("write them as a block: `examples: |`, one `- ` line each");
    reading.diagnostics.push(about);
}

/// Returns the lines of a block of examples, without dashes.
///
/// Rasa: a line must start with `-` in the block's first column; blanks around
/// the rest are dropped, tabs are not. Differs from Rasa: an empty line is no
/// reason for a warning.
fn block_lines<'n>(node: &'n Node, reading: &mut Reading) -> Vec<Line<'n>> {
    let Yaml::Scalar(Scalar { text, style }) = &node.yaml else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let place = match style {
            Style::Literal { first_line, indent } => {
                reading.at(first_line + index as u32, indent + 1)
            }
            _ => reading.place(node),
        };
        if let Some(rest) = line.strip_prefix('-') {
            let text = rest.trim_matches([' ', '\r']);
            let blanks = rest.len() - rest.trim_start_matches([' ', '\r']).len();
            let place = Place {
                column: place.column + 1 + blanks as u32,
                ..place
            };
            if text.is_empty() {
                let what = "an example without text is left out";
                reading
                    .diagnostics
                    .push(Diagnostic::new("W305", place, what));
            } else {
                lines.push(Line {
                    text,
                    place,
                    metadata: None,
                });
            }
        } else if !line.trim().is_empty() {
            let about = Diagnostic::new("W304", place, "a line without a dash is left out")
                .length(line.chars().count() as u32)
                .help("start each example with `- ` in the first column of the block");
            reading.diagnostics.push(about);
        }
    }
    lines
}

/// Returns the texts of a list of examples with their own metadata.
fn list_lines<'n>(items: &'n [Node], reading: &mut Reading) -> Vec<Line<'n>> {
    let mut lines = Vec::new();
    for item in items.iter().filter(|item| !item.is_null()) {
        if !matches!(item.yaml, Yaml::Map(_)) {
            let about = reading
                .about("E315", item, "an example of a list is a map with `text`")
                .help("write `- text: …`, or all examples as a block: `examples: |`");
            reading.diagnostics.push(about);
            continue;
        }
        check_keys(item, "example", &["text", "metadata"], reading);
        let Some(node) = item.get("text").filter(|node| !node.is_null()) else {
            let about = reading
                .about("W305", item, "an example without `text` is left out")
                .help("write `- text: …`");
            reading.diagnostics.push(about);
            continue;
        };
        let Some(text) = reading.text(node, "an example's `text`") else {
            continue;
        };
        let text = text.trim_matches([' ', '\r', '\n']);
        let place = reading.place(node);
        let metadata = item.get("metadata").filter(|node| !node.is_null());
        match text.is_empty() {
            true => reading.say("W305", node, "an example without text is left out"),
            false => lines.push(Line {
                text,
                place,
                metadata: metadata.map(Node::to_json),
            }),
        }
    }
    lines
}

/// Adds one annotated message, and the synonyms that its annotations imply.
/// `at` tells where a byte of the message stands.
pub fn add_example(
    intent: &str,
    written: &str,
    at: &dyn Fn(usize) -> Place,
    part: &mut NluPart,
    reading: &mut Reading,
) {
    let annotated = annotation::read(written);
    let mistakes = annotated.mistakes.iter().take(annotation::MISTAKE_LIMIT);
    let length = |range: &Range<usize>| written[range.clone()].chars().count() as u32;
    for (range, what) in mistakes {
        let about = Diagnostic::new("E306", at(range.start), what.clone()).length(length(range));
        reading.diagnostics.push(about.help(
            "write `[text]{\"entity\": \"type\", \"value\": \"…\"}`; the map ends at its first `}`",
        ));
    }
    let misspelt = annotated.misspelt.iter().take(annotation::MISTAKE_LIMIT);
    for (range, key, near) in misspelt {
        let what = format!("an annotation has no `{}`: it is not read", shortened(key));
        let about = Diagnostic::new("W353", at(range.start), what).length(length(range));
        reading
            .diagnostics
            .push(about.help(format!("did you mean `{near}`?")));
    }
    let place = at(0);
    for (piece, value) in annotated.synonyms {
        part.synonyms.push((piece, value, place.clone()));
    }
    let (base, key) = match intent.split_once('/') {
        Some((base, _)) => (base, Some(intent.to_owned())),
        None => (intent, None),
    };
    part.data.examples.push(Example {
        text: annotated.text,
        intent: Some(base.to_owned()),
        intent_response_key: key,
        entities: annotated.entities,
        place,
        ..Example::default()
    });
}

/// Makes one of the parts of all files, in canonical order.
///
/// Rasa 3.6: equal examples count once; of two meanings of a synonym and of two
/// definitions of a response the later one counts, with a warning.
pub fn merge(parts: Vec<NluPart>) -> (NluPart, Vec<Diagnostic>) {
    let mut said = Vec::new();
    let more = parts.iter().skip(1).map(|part| part.data.examples.len());
    let more = more.sum();
    let mut parts = parts.into_iter();
    let mut all = parts.next().unwrap_or_default();
    // Of most projects they are the largest part: they are not copied for one more.
    all.data.examples.reserve_exact(more);
    for part in parts {
        all.data.examples.extend(part.data.examples);
        all.data.patterns.extend(part.data.patterns);
        all.data.lookups.extend(part.data.lookups);
        all.lookup_files.extend(part.lookup_files);
        all.synonyms.extend(part.synonyms);
        all.responses.extend(part.responses);
    }
    sort_examples(&mut all.data.examples);
    let data = &mut all.data;
    data.patterns
        .sort_by(|a, b| (&a.name, &a.pattern).cmp(&(&b.name, &b.pattern)));
    merge_synonyms(&mut all, &mut said);
    merge_responses(&mut all, &mut said);
    (all, said)
}

/// Drops repeated examples and sorts the rest by content. Of equal examples the
/// first in file order is kept, for its place.
fn sort_examples(examples: &mut Vec<Example>) {
    fn words(example: &Example) -> (&Option<String>, &Option<String>, &str) {
        let (intent, key) = (&example.intent, &example.intent_response_key);
        (intent, key, &example.text)
    }
    fn is_plain(example: &Example) -> bool {
        example.entities.is_empty()
            && example.intent_metadata.is_none()
            && example.metadata.is_none()
    }
    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("annotations are plain values")
    }
    // Examples of one entry share its metadata, however long it is.
    let of_intent = |a: &Example, b: &Example| match a.intent_metadata == b.intent_metadata {
        true => Ordering::Equal,
        false => json(&a.intent_metadata).cmp(&json(&b.intent_metadata)),
    };
    let rest = |a: &Example, b: &Example| {
        let entities = json(&a.entities).cmp(&json(&b.entities));
        let both = entities.then_with(|| of_intent(a, b));
        both.then_with(|| json(&a.metadata).cmp(&json(&b.metadata)))
    };
    let by_content = |a: &Example, b: &Example| {
        words(a)
            .cmp(&words(b))
            .then_with(|| match is_plain(a) && is_plain(b) {
                true => Ordering::Equal,
                false => rest(a, b),
            })
    };
    // Most are told apart by their label and a few letters: to look at the examples
    // themselves would be to jump about in memory.
    let ranks = label_ranks(examples).into_iter().enumerate();
    let mut order: Vec<(u32, u64, usize)> = ranks
        .map(|(at, rank)| (rank, first_letters(&examples[at].text), at))
        .collect();
    order.sort_unstable_by(|a, b| {
        let by_start = (a.0, a.1).cmp(&(b.0, b.1));
        let by_content = || by_content(&examples[a.2], &examples[b.2]);
        by_start.then_with(by_content).then(a.2.cmp(&b.2))
    });
    put_in_order(examples, order.into_iter().map(|(_, _, at)| at).collect());
    examples.dedup();
}

/// Returns for each example how many labels come before its own.
fn label_ranks(examples: &[Example]) -> Vec<u32> {
    type Label<'e> = (Option<&'e str>, Option<&'e str>);
    fn label(example: &Example) -> Label<'_> {
        let (intent, key) = (&example.intent, &example.intent_response_key);
        (intent.as_deref(), key.as_deref())
    }
    // Those of an entry have the same one.
    let entries = || examples.chunk_by(|a, b| label(a) == label(b));
    let labels: BTreeSet<Label<'_>> = entries().map(|entry| label(&entry[0])).collect();
    let ranks: BTreeMap<Label<'_>, u32> = labels.into_iter().zip(0..).collect();
    let ranked = entries().map(|entry| (ranks[&label(&entry[0])], entry.len()));
    ranked
        .flat_map(|(rank, count)| std::iter::repeat_n(rank, count))
        .collect()
}

/// Returns the first eight bytes of a text as a number: texts are in its order as far
/// as it tells them apart.
fn first_letters(text: &str) -> u64 {
    let mut first = [0; 8];
    let count = text.len().min(first.len());
    first[..count].copy_from_slice(&text.as_bytes()[..count]);
    u64::from_be_bytes(first)
}

/// Brings items into an order, in place: `order[n]` is the index of the `n`th.
fn put_in_order<T>(items: &mut [T], mut order: Vec<usize>) {
    for first in 0..items.len() {
        // Each gives its place to the one that belongs there, once around; who is in
        // place is its own successor.
        let mut at = first;
        while order[at] != first {
            let from = std::mem::replace(&mut order[at], at);
            items.swap(at, from);
            at = from;
        }
        order[at] = at;
    }
}

fn merge_synonyms(all: &mut NluPart, said: &mut Vec<Diagnostic>) {
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for (text, value, place) in std::mem::take(&mut all.synonyms) {
        let before = all.data.synonyms.get(&text).filter(|old| **old != value);
        if let (Some(old), Some(first)) = (before, places.get(&text)) {
            let what = format!("`{text}` means both `{old}` and `{value}`: the latter counts");
            let about = Diagnostic::new("W308", place.clone(), what)
                .note(format!("`{old}` at {first}"))
                .length(text.chars().count() as u32);
            said.push(about);
        }
        places.insert(text.clone(), place);
        all.data.synonyms.insert(text, value);
    }
    all.data.synonym_places = Places(places.into());
}

/// Keeps the last definition of each response, and in the data those of
/// retrieval intents.
fn merge_responses(all: &mut NluPart, said: &mut Vec<Diagnostic>) {
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<NamedResponse> = Vec::new();
    for response in std::mem::take(&mut all.responses) {
        match index.get(&response.name) {
            Some(&at) => {
                if kept[at].variations != response.variations {
                    let name = &response.name;
                    let what = format!("response `{name}` is defined twice: the latter counts");
                    let about = Diagnostic::new("W313", response.place.clone(), what)
                        .note(format!("first at {}", kept[at].place))
                        .length(name.chars().count() as u32);
                    said.push(about);
                }
                kept[at] = response;
            }
            None => {
                index.insert(response.name.clone(), kept.len());
                kept.push(response);
            }
        }
    }
    let of_retrieval = kept.iter().filter(|response| response.name.contains('/'));
    all.data.responses = of_retrieval
        .map(|response| (response.name.clone(), response.variations.clone()))
        .collect::<BTreeMap<String, Vec<Response>>>();
    let places = kept.iter();
    let places = places.map(|response| (response.name.clone(), response.place.clone()));
    all.data.response_places = Places(Arc::new(places.collect()));
    all.responses = kept;
}

/// Returns the full labels of retrieval intents, and their base names.
pub fn retrieval_intents(data: &NluData) -> HashSet<&str> {
    data.examples
        .iter()
        .filter(|example| example.intent_response_key.is_some())
        .filter_map(|example| example.intent.as_deref())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example(intent: Option<&str>, key: Option<&str>, text: &str) -> Example {
        Example {
            text: text.to_owned(),
            intent: intent.map(str::to_owned),
            intent_response_key: key.map(str::to_owned),
            ..Example::default()
        }
    }

    proptest! {
        #[test]
        fn examples_are_sorted_by_label_and_text(
            written in prop::collection::vec(
                (prop::option::of("[ab]{0,2}"), prop::option::of("[ab]"), "[aé\u{1}]{0,10}"),
                0..40,
            ),
        ) {
            let words = |one: &Example| {
                (one.intent.clone(), one.intent_response_key.clone(), one.text.clone())
            };
            let examples = written.iter().map(|(intent, key, text)| {
                example(intent.as_deref(), key.as_deref(), text)
            });
            let mut examples: Vec<Example> = examples.collect();
            let mut want: Vec<_> = examples.iter().map(words).collect();
            want.sort();
            want.dedup();
            sort_examples(&mut examples);
            let sorted: Vec<_> = examples.iter().map(words).collect();
            prop_assert_eq!(sorted, want);
        }

        #[test]
        fn items_are_brought_into_any_order(
            order in (0_usize..40).prop_flat_map(|count| {
                Just((0..count).collect::<Vec<usize>>()).prop_shuffle()
            }),
        ) {
            let mut items: Vec<String> = (0..order.len()).map(|at| at.to_string()).collect();
            let want: Vec<String> = order.iter().map(|&at| items[at].clone()).collect();
            put_in_order(&mut items, order);
            prop_assert_eq!(items, want);
        }
    }

    #[test]
    fn one_that_comes_from_the_end_to_the_front_takes_no_quadratic_time() {
        let count = 1_000_000;
        let mut items: Vec<usize> = (0..count).collect();
        let order = (0..count).map(|at| (at + count - 1) % count);
        put_in_order(&mut items, order.collect());
        assert_eq!(
            (items[0], items[1], items[count - 1]),
            (count - 1, 0, count - 2)
        );
    }
}
