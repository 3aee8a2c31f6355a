//! What is written so that it means something else than it looks like: a
//! missing `|`, a dash too many, a quote too few, words that YAML 1.1 reads
//! otherwise.
//!
//! The readers take what is there; this pass over the same tree says where that
//! is hardly what was meant.

use crate::data::Place;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::shortened;
use crate::import::reading::Reading;
use crate::import::yaml::Node;
use crate::import::yaml::Scalar;
use crate::import::yaml::Style;
use crate::import::yaml::Yaml;

/// Words that YAML 1.1 takes for true or false.
const OLD_BOOLEANS: &[&str] = &[
    "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n",
    "N",
];

/// Returns what a word meant in YAML 1.1, if that was true or false.
pub fn old_boolean(word: &str) -> Option<bool> {
    let is_true = ["yes", "on", "y"].contains(&word.to_lowercase().as_str());
    OLD_BOOLEANS.contains(&word).then_some(is_true)
}

/// Sections of domains and training data, which may stand in one file.
const SECTIONS: &[&str] = &[
    "version",
    "intents",
    "entities",
    "slots",
    "responses",
    "actions",
    "forms",
    "e2e_actions",
    "session_config",
    "config",
    "templates",
    "nlu",
    "stories",
    "rules",
];

/// Looks for traps in all sections of a file.
pub fn read(root: &Node, reading: &mut Reading) {
    sections(root, reading);
    for entry in items(root.get("nlu")) {
        if let Some(examples) = entry.get("examples") {
            self::examples(examples, reading);
        }
    }
    let slots = root.get("slots").map(Node::entries).unwrap_or_default();
    for slot in slots {
        for value in items(slot.value.get("values")) {
            value_word(value, reading);
        }
    }
    odd_quotes(root, reading);
}

/// Says which values end in a quote that was never opened.
///
/// Rasa reads the quote as a letter of the value, as YAML says.
fn odd_quotes(node: &Node, reading: &mut Reading) {
    match &node.yaml {
        Yaml::List(items) => items.iter().for_each(|item| odd_quotes(item, reading)),
        Yaml::Map(entries) => {
            for entry in entries {
                odd_quotes(&entry.value, reading);
            }
        }
        Yaml::Scalar(scalar) if ends_in_odd_quote(scalar) => {
            let text = shortened(&scalar.text);
            let message = format!("`{text}` ends in a quote that was never opened");
            let mut about = reading.about("W044", node, message);
            // On one line it is as long as it looks: the quote is its last letter.
            if node.length as usize == scalar.text.chars().count() {
                about.place.column += node.length - 1;
                about.length = 1;
            }
            let help = "put a quote before it too, or take this one away";
            reading.diagnostics.push(about.help(help));
        }
        Yaml::Scalar(_) => {}
    }
}

/// Returns whether a value without quotes around it ends in one, and not because
/// it quotes something, or means inches.
fn ends_in_odd_quote(Scalar { text, style }: &Scalar) -> bool {
    let before = text.strip_suffix('"');
    *style == Style::Plain
        && before.is_some_and(|before| !before.ends_with(|letter: char| letter.is_numeric()))
        && text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1
}

/// Names sections that nobody reads, if they look like a typo.
fn sections(root: &Node, reading: &mut Reading) {
    for entry in root.entries() {
        let key = entry.key.as_str();
        if SECTIONS.contains(&key) {
            continue;
        }
        let about = reading
            .about("W218", &entry.at, format!("unknown section `{key}`"))
            .suggest(key, SECTIONS.iter().copied());
        if about.help.is_some() {
            reading.diagnostics.push(about);
        }
    }
}

fn items(node: Option<&Node>) -> &[Node] {
    match node.map(|node| &node.yaml) {
        Some(Yaml::List(items)) => items,
        _ => &[],
    }
}

fn examples(node: &Node, reading: &mut Reading) {
    let Yaml::Scalar(Scalar { text, style }) = &node.yaml else {
        return;
    };
    match style {
        Style::Literal { first_line, indent } => {
            let mut is_markdown = false;
            for (index, line) in text.split('\n').enumerate() {
                let place = reading.at(first_line + index as u32, indent + 1);
                let said = line_trap(line, place, &mut is_markdown);
                reading.diagnostics.extend(said);
            }
        }
        _ if text.trim_start().starts_with('-') && text.contains(" - ") => {
            let about = reading
                .about("W348", node, "all examples are read as one")
                .help("write `examples: |`, and below it one `- ` line for each");
            reading.diagnostics.push(about);
        }
        _ => {}
    }
}

/// A line of a block of examples. Markdown is said once a block.
fn line_trap(line: &str, place: Place, is_markdown: &mut bool) -> Option<Diagnostic> {
    let length = line.chars().count() as u32;
    let Some(rest) = line.strip_prefix('-') else {
        let looks = line.starts_with("##") || line.starts_with("* ") || line.starts_with("<!--");
        if !looks || std::mem::replace(is_markdown, true) {
            return None;
        }
        let about = Diagnostic::new("W351", place, "this is Markdown, and the file is YAML");
        let help = "each intent is an entry `- intent: name` of `nlu`, each example a `- ` line";
        return Some(about.length(length).help(help));
    };
    if rest.trim_start_matches(' ').starts_with("- ") {
        let message = "two dashes: the second one is part of the example";
        let about = Diagnostic::new("W349", place, message);
        return Some(about.length(length).help("take one dash away"));
    }
    match rest.chars().next() {
        Some('\t') => {
            let message = "a tab after the dash is part of the example";
            let about = Diagnostic::new("W358", place, message);
            Some(about.length(2).help("put a blank in its place"))
        }
        Some(c) if !c.is_whitespace() => {
            let about = Diagnostic::new("N350", place, "no blank between dash and example");
            Some(about.length(2).help("write `- `"))
        }
        _ => None,
    }
}

/// A value of a categorical slot that other tools read as true or false.
fn value_word(node: &Node, reading: &mut Reading) {
    let Yaml::Scalar(Scalar { text, style }) = &node.yaml else {
        return;
    };
    if *style == Style::Plain
        && let Some(meaning) = old_boolean(text)
    {
        let message =
            format!("`{text}` is text here; tools that read YAML 1.1 take it for {meaning}");
        let about = reading
            .about("N041", node, message)
            .help(format!("write `\"{text}\"`"));
        reading.diagnostics.push(about);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_means_inches_or_closes_another_is_none_that_was_never_opened() {
        let is_odd = |text: &str, style: Style| {
            let text = text.into();
            ends_in_odd_quote(&Scalar { text, style })
        };
        for (text, want) in [
            ("greet\"", true),
            ("say \"hi\" and \"", true),
            ("say \"hi\"", false),
            ("a screen of 55\"", false),
            ("\"", true),
            ("", false),
        ] {
            assert_eq!(is_odd(text, Style::Plain), want, "{text}");
            assert!(!is_odd(text, Style::Quoted), "{text}");
        }
    }
}
