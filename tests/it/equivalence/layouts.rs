//! Ways to write the same contents otherwise: in other files, another order,
//! another notation. Nothing is stale after any of them.

use std::collections::BTreeMap;

use serde_yaml::Mapping;
use serde_yaml::Value;

/// The files of a project by their paths.
pub type Files = BTreeMap<String, String>;

/// A name and what it does to the files, whatever was done to them before.
pub type Layout = (&'static str, fn(&mut Files));

/// All ways, in the order in which they are done.
pub const LAYOUTS: &[Layout] = &[
    ("entries in reverse", reverse_entries),
    ("examples in reverse", reverse_examples),
    ("keys in reverse", reverse_keys),
    ("names of the domain in reverse", reverse_names),
    ("examples as maps", examples_as_maps),
    ("one intent in two blocks", blocks_in_two),
    ("an entry a file", split_data),
    ("all data in one file", merge_data),
    ("the domain in a folder", split_domain),
    ("NLU data as Markdown", nlu_as_markdown),
    ("stories as Markdown", stories_as_markdown),
    ("examples twice", examples_twice),
    ("flow style", flow_style),
    ("single quotes", single_quotes),
    ("comments", comments),
    ("data in other folders", move_data),
    ("files of no interest", more_files),
    ("CRLF", carriage_returns),
    ("byte order marks", byte_order_marks),
];

fn is_yaml(path: &str) -> bool {
    path.ends_with(".yml")
}

fn parsed(text: &str) -> Mapping {
    serde_yaml::from_str(text).unwrap()
}

fn written(mapping: &Mapping) -> String {
    serde_yaml::to_string(mapping).unwrap()
}

/// Rewrites the files that `is_meant` names.
fn rewrite(files: &mut Files, is_meant: fn(&str) -> bool, mut change: impl FnMut(&mut Mapping)) {
    for (path, text) in files.iter_mut().filter(|(path, _)| is_meant(path)) {
        if is_yaml(path) {
            let mut mapping = parsed(text);
            change(&mut mapping);
            *text = written(&mapping);
        }
    }
}

fn is_data(path: &str) -> bool {
    path.starts_with("data/")
}

fn is_domain(path: &str) -> bool {
    path.starts_with("domain")
}

/// Sections of data files.
const SECTIONS: [&str; 3] = ["nlu", "stories", "rules"];

fn sections(mapping: &mut Mapping) -> impl Iterator<Item = &mut Vec<Value>> {
    let lists = mapping.iter_mut();
    let lists = lists.filter(|(key, _)| SECTIONS.contains(&key.as_str().unwrap()));
    lists.map(|(_, list)| list.as_sequence_mut().unwrap())
}

fn reverse_entries(files: &mut Files) {
    rewrite(files, is_data, |mapping| {
        sections(mapping).for_each(|list| list.reverse())
    });
}

/// Changes every block of the NLU data but tables: of two phrases that both fit,
/// the one that stands first is found.
fn change_blocks(files: &mut Files, change: fn(&mut Value)) {
    rewrite(files, is_data, |mapping| {
        let blocks = mapping.get_mut("nlu").and_then(Value::as_sequence_mut);
        let blocks = blocks.into_iter().flatten();
        blocks
            .filter(|block| block["lookup"].is_null())
            .for_each(change);
    });
}

/// The lines of a block, however they are written.
fn examples(block: &Value) -> Vec<String> {
    match &block["examples"] {
        Value::String(text) => text.lines().map(|line| line[2..].to_owned()).collect(),
        Value::Sequence(list) => {
            let text = |entry: &Value| entry["text"].as_str().unwrap().to_owned();
            list.iter().map(text).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn lines(examples: Vec<String>) -> Value {
    let lines: Vec<String> = examples.iter().map(|line| format!("- {line}\n")).collect();
    Value::String(lines.concat())
}

fn reverse_examples(files: &mut Files) {
    change_blocks(files, |block| {
        block["examples"] = lines(examples(block).into_iter().rev().collect());
    });
}

fn examples_twice(files: &mut Files) {
    change_blocks(files, |block| {
        // A pattern that is there twice is two features.
        if block["regex"].is_null() {
            let once = examples(block);
            block["examples"] = lines([once.clone(), once].concat());
        }
    });
}

/// Only examples of intents may be maps.
fn examples_as_maps(files: &mut Files) {
    change_blocks(files, |block| {
        if block["intent"].is_string() {
            let map = |text: String| Mapping::from_iter([("text".into(), text.into())]);
            block["examples"] = examples(block).into_iter().map(map).collect();
        }
    });
}

fn blocks_in_two(files: &mut Files) {
    rewrite(files, is_data, |mapping| {
        let Some(blocks) = mapping.get_mut("nlu").and_then(Value::as_sequence_mut) else {
            return;
        };
        for mut block in std::mem::take(blocks) {
            if block["lookup"].is_string() {
                blocks.push(block);
                continue;
            }
            let mut first = examples(&block);
            let second = first.split_off(first.len() / 2);
            for half in [first, second] {
                if !half.is_empty() {
                    block["examples"] = lines(half);
                    blocks.push(block.clone());
                }
            }
        }
    });
}

fn reverse_keys(files: &mut Files) {
    rewrite(files, |_| true, reverse_map);
}

fn reverse_map(mapping: &mut Mapping) {
    let entries = std::mem::take(mapping).into_iter();
    let entries: Vec<(Value, Value)> = entries.collect();
    mapping.extend(entries.into_iter().rev());
    mapping.values_mut().for_each(reverse_within);
}

fn reverse_within(value: &mut Value) {
    match value {
        Value::Mapping(mapping) => reverse_map(mapping),
        Value::Sequence(list) => list.iter_mut().for_each(reverse_within),
        _ => {}
    }
}

fn reverse_names(files: &mut Files) {
    rewrite(files, is_domain, |mapping| {
        for key in ["intents", "entities", "actions"] {
            if let Some(list) = mapping.get_mut(key).and_then(Value::as_sequence_mut) {
                list.reverse();
            }
        }
    });
}

/// Takes the YAML files of a kind away and returns what they hold.
fn taken(files: &mut Files, is_meant: fn(&str) -> bool) -> Vec<(String, Mapping)> {
    let paths = files.keys().filter(|path| is_yaml(path) && is_meant(path));
    let paths: Vec<String> = paths.cloned().collect();
    let take = |path: String| {
        let mapping = parsed(&files.remove(&path).unwrap());
        (path, mapping)
    };
    paths.into_iter().map(take).collect()
}

fn section(key: &str, value: Value) -> Mapping {
    Mapping::from_iter([("version".into(), "3.1".into()), (key.into(), value)])
}

fn split_data(files: &mut Files) {
    for (path, mut mapping) in taken(files, is_data) {
        let folder = path.trim_end_matches(".yml");
        for key in SECTIONS {
            let Some(Value::Sequence(list)) = mapping.remove(key) else {
                continue;
            };
            for (index, entry) in list.into_iter().enumerate() {
                let text = written(&section(key, Value::Sequence(vec![entry])));
                files.insert(format!("{folder}/{key}-{index}.yml"), text);
            }
        }
    }
}

fn merge_data(files: &mut Files) {
    let mut all = Mapping::from_iter([("version".into(), "3.1".into())]);
    for (_, mut mapping) in taken(files, is_data) {
        for key in SECTIONS {
            if let Some(Value::Sequence(more)) = mapping.remove(key) {
                let list = all.entry(key.into()).or_insert(Value::Sequence(Vec::new()));
                list.as_sequence_mut().unwrap().extend(more);
            }
        }
    }
    files.insert("data/all.yml".into(), written(&all));
}

fn split_domain(files: &mut Files) {
    for (_, mapping) in taken(files, is_domain) {
        for (key, value) in mapping {
            let key = key.as_str().unwrap();
            if key != "version" {
                files.insert(format!("domain/{key}.yml"), written(&section(key, value)));
            }
        }
    }
}

/// Writes a section of every data file as Markdown, if `text` can; the rest of
/// the file stays.
fn as_markdown(files: &mut Files, key: &str, text: fn(&[Value]) -> Option<String>) {
    for (path, mut mapping) in taken(files, is_data) {
        let list = mapping.get(key).and_then(Value::as_sequence);
        if let Some(markdown) = list.and_then(|list| text(list)) {
            mapping.remove(key);
            files.insert(path.replace(".yml", &format!(".{key}.md")), markdown);
        }
        if SECTIONS.iter().any(|key| mapping.contains_key(*key)) {
            files.insert(path, written(&mapping));
        }
    }
}

fn nlu_as_markdown(files: &mut Files) {
    as_markdown(files, "nlu", |blocks| {
        let mut text = String::new();
        for block in blocks {
            if block.get("metadata").is_some() {
                return None;
            }
            let kinds = ["intent", "synonym", "regex", "lookup"];
            let kind = kinds.into_iter().find(|kind| block[*kind].is_string())?;
            text += &format!("## {kind}:{}\n", block[kind].as_str()?);
            let lines = examples(block).into_iter();
            text.extend(lines.map(|line| format!("- {line}\n")));
            text += "\n";
        }
        Some(text)
    });
}

fn stories_as_markdown(files: &mut Files) {
    as_markdown(files, "stories", |stories| {
        let mut text = String::new();
        for story in stories {
            text += &format!("## {}\n", story["story"].as_str()?);
            for step in story["steps"].as_sequence()? {
                text += &markdown_step(step)?;
            }
            text += "\n";
        }
        Some(text)
    });
}

fn markdown_step(step: &Value) -> Option<String> {
    let (key, value) = step
        .as_mapping()?
        .iter()
        .find(|(key, _)| *key != "entities")?;
    Some(match key.as_str()? {
        "intent" => format!("* {}\n", markdown_turn(step)?),
        "or" => {
            let turns = value.as_sequence()?.iter().map(markdown_turn);
            format!("* {}\n", turns.collect::<Option<Vec<_>>>()?.join(" OR "))
        }
        "action" => format!("  - {}\n", value.as_str()?),
        "checkpoint" => format!("> {}\n", value.as_str()?),
        "active_loop" => {
            let name = serde_json::to_string(value).unwrap();
            format!("  - form{{\"name\": {name}}}\n")
        }
        "slot_was_set" => format!("  - slot{}\n", json_of_maps(value)?),
        _ => return None,
    })
}

fn markdown_turn(step: &Value) -> Option<String> {
    let entities = match step.get("entities") {
        Some(list) => json_of_maps(list)?,
        None => String::new(),
    };
    Some(format!("{}{entities}", step["intent"].as_str()?))
}

/// A list of maps as one map in JSON.
fn json_of_maps(list: &Value) -> Option<String> {
    let maps = list.as_sequence()?.iter().map(Value::as_mapping);
    let maps: Option<Vec<&Mapping>> = maps.collect();
    let map: Mapping = maps?
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    Some(serde_json::to_string(&map).unwrap())
}

/// Every section on one line. Its key stands at the start of the line: there Rasa
/// looks for it, before it reads a file as YAML.
fn flow_style(files: &mut Files) {
    for (_, text) in files.iter_mut().filter(|(path, _)| is_yaml(path)) {
        let sections = parsed(text).into_iter();
        let line = |(key, value): (Value, Value)| {
            let value = serde_json::to_string(&value).unwrap();
            format!("{}: {value}\n", key.as_str().unwrap())
        };
        *text = sections.map(line).collect();
    }
}

/// Puts words of lists and values of keys into single quotes.
fn single_quotes(files: &mut Files) {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '/')
            && !["null", "true", "false"].contains(&word)
    };
    for (path, text) in files.iter_mut().filter(|(path, _)| is_yaml(path)) {
        if is_data(path) {
            // Lists may be lines of examples there.
            continue;
        }
        let quoted = |line: &str| match line.rsplit_once(['-', ':']) {
            Some((before, word)) if word.starts_with(' ') && is_word(&word[1..]) => {
                let mark = &line[before.len()..before.len() + 1];
                format!("{before}{mark} '{}'\n", &word[1..])
            }
            _ => format!("{line}\n"),
        };
        *text = text.lines().map(quoted).collect();
    }
}

fn comments(files: &mut Files) {
    for (path, text) in files.iter_mut() {
        if is_yaml(path) {
            *text = format!("# The beginning of {path}.\n\n{text}\n# And its end.\n");
        }
    }
}

fn move_data(files: &mut Files) {
    for (path, text) in std::mem::take(files) {
        let path = match path.strip_prefix("data/") {
            // It is named by its path.
            Some("sizes.txt") => path,
            Some(name) => format!("data/more of it/0 {}", name.replace(".yml", ".yaml")),
            None => path,
        };
        files.insert(path, text);
    }
}

fn more_files(files: &mut Files) {
    let more = [
        ("data/README.txt", "Here are the data.\n"),
        ("data/.draft.yml.swp", "nlu:\n- intent: greet\n"),
        ("actions/actions.py", "print('hello')\n"),
        ("tests/test_stories.yml", "stories: []\n"),
    ];
    files.extend(more.map(|(path, text)| (path.to_owned(), text.to_owned())));
}

fn carriage_returns(files: &mut Files) {
    for text in files.values_mut() {
        *text = text.replace('\n', "\r\n");
    }
}

fn byte_order_marks(files: &mut Files) {
    for text in files.values_mut() {
        text.insert(0, '\u{feff}');
    }
}
