//! Reads stories and rules: `## name` or `>> name`, then `* intent{"entity":
//! "value"}`, `- action`, `- slot{"name": value}`, `- form{"name": …}` and
//! `> checkpoint`, one a line. In tests, `* intent: annotated text`.

mod message;

use crate::data::Checkpoint;
use crate::data::Event;
use crate::data::Place;
use crate::data::Utterance;
use crate::diagnostic::Diagnostic;
use crate::import::json;
use crate::import::markdown::lines;
use crate::import::markdown::lines::Line;
use crate::import::reading::Reading;
use crate::import::stories::Block;
use crate::import::stories::Item;
use crate::import::stories::Known;
use crate::import::stories::Purpose;
use crate::import::yaml::Entry;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

/// What lines that a form made start with, behind their bullet.
const FORM_PREFIX: &str = "form: ";

/// Events of Rasa that are no actions and teach nothing.
const PASSED_OVER: &[&str] = &[
    "action_execution_rejected",
    "agent",
    "bot",
    "cancel_reminder",
    "export",
    "followup",
    "loop_interrupted",
    "pause",
    "reminder",
    "reset_slots",
    "restart",
    "resume",
    "rewind",
    "session_started",
    "undo",
    "user",
    "user_featurization",
];

/// Returns whether a text is stories or rules: it has a heading and an action,
/// and most of its list items look like those of stories.
pub fn are_in(text: &str) -> bool {
    let (mut headings, mut actions, mut likely, mut unlikely) = (0, 0, 0, 0);
    for line in text.lines().map(str::trim) {
        headings += usize::from(line.starts_with("##") || line.starts_with(">>"));
        if let Some(item) = line.strip_prefix('*') {
            let message = item.split(['{', ':']).next().unwrap_or_default();
            match message.split(" OR ").all(|name| is_word(name.trim())) {
                true => likely += 1,
                false => unlikely += 1,
            }
        } else if let Some(item) = line.strip_prefix('-') {
            match is_action(item.trim()) {
                true => actions += 1,
                false => unlikely += 1,
            }
        }
    }
    headings > 0 && actions > 0 && likely + actions > unlikely
}

/// Returns whether a list item's text looks like an action or event.
pub fn is_action(text: &str) -> bool {
    text.starts_with(FORM_PREFIX) || is_word(text.split('{').next().unwrap_or_default().trim())
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

/// Reads the stories and rules of a file, in order.
pub fn read(text: &str, reading: &mut Reading, known: &Known<'_>, purpose: Purpose) -> Vec<Block> {
    let mut reader = Reader {
        reading,
        known,
        purpose,
        open: None,
        blocks: Vec::new(),
        said_test: false,
        said_outside: false,
    };
    let mut comment: Option<(u32, u32)> = None;
    for (index, raw) in text.split('\n').enumerate() {
        let line = lines::without_inner_comments(raw, index as u32 + 1);
        let (start, trimmed) = line.trimmed();
        if trimmed.starts_with(lines::OPENING) {
            comment = comment.or(Some(line.position(start)));
        } else if comment.is_some() {
            comment = comment.filter(|_| !trimmed.ends_with("-->"));
        } else if !trimmed.is_empty() {
            reader.line(&line, start, trimmed);
        }
    }
    reader.close();
    if let Some((line, column)) = comment {
        let place = reader.reading.at(line, column);
        let what = "a comment that never ends: the rest of the file is left out";
        let about = Diagnostic::new("W427", place, what)
            .length(lines::OPENING.len() as u32)
            .help("end it with `-->` at the end of a line");
        reader.reading.diagnostics.push(about);
    }
    reader.blocks
}

struct Reader<'r, 'd> {
    reading: &'r mut Reading,
    known: &'r Known<'d>,
    purpose: Purpose,
    open: Option<Open>,
    blocks: Vec<Block>,
    /// Whether it was said that this is a file of tests.
    said_test: bool,
    /// Whether it was said that something stands before the first heading.
    said_outside: bool,
}

/// The block of the last heading.
struct Open {
    block: Block,
    /// Code points of the heading's name.
    length: u32,
    /// Whether the heading is one of stories for certain: `##` or `>>`.
    certain: bool,
}

/// A part of a line: its text, and the byte of the line at which it starts.
#[derive(Clone, Copy)]
struct Part<'l> {
    line: &'l Line<'l>,
    start: usize,
    text: &'l str,
}

impl<'l> Part<'l> {
    /// Returns what is left after `length` bytes, without blanks around it.
    fn after(self, length: usize) -> Self {
        let rest = &self.text[length..];
        Self {
            start: self.start + self.text.len() - rest.trim_start().len(),
            text: rest.trim(),
            ..self
        }
    }

    /// Returns the name before a map, and the map if there is one.
    fn name_and_map(self) -> (Self, Option<Self>) {
        match self.text.find('{') {
            Some(at) => {
                let name = Self {
                    text: self.text[..at].trim(),
                    ..self
                };
                (name, Some(self.after(at)))
            }
            None => (self, None),
        }
    }

    fn place(self, reading: &Reading) -> Place {
        let (line, column) = self.line.position(self.start);
        reading.at(line, column)
    }

    fn about(self, code: &'static str, what: impl Into<String>, reading: &Reading) -> Diagnostic {
        let length = self.text.chars().count() as u32;
        Diagnostic::new(code, self.place(reading), what).length(length)
    }
}

impl Reader<'_, '_> {
    fn line(&mut self, line: &Line<'_>, start: usize, text: &str) {
        let part = Part { line, start, text };
        if let Some(variable) = variable(text) {
            let what = format!("`{variable}` stands for a variable, and stories have none");
            let about = part.about("E420", what, self.reading);
            self.say(about.help("write the value itself, without backticks"));
            return;
        }
        match text.as_bytes()[0] {
            b'>' if text.starts_with(">>") => self.heading(part, true),
            b'#' => self.heading(part, false),
            b'*' | b'-' if part.after(1).text.starts_with(FORM_PREFIX) => {}
            b'>' => self.checkpoint(part.after(1)),
            b'-' => self.event(part.after(1)),
            b'*' => self.user(part.after(1)),
            _ => {
                let about =
                    part.about("W426", "a line that says nothing is left out", self.reading);
                self.say(about.help("start it with `##`, `>`, `*` or `-`"));
            }
        }
    }

    fn say(&mut self, diagnostic: Diagnostic) {
        self.reading.diagnostics.push(diagnostic);
    }

    fn heading(&mut self, part: Part<'_>, is_rule: bool) {
        self.close();
        let marks: &[char] = if is_rule { &['>', ' '] } else { &['#', ' '] };
        let bare = part.text.trim_start_matches(marks);
        let name = match is_rule {
            true => bare,
            false => bare.trim_end_matches(marks),
        };
        let at = part.after(part.text.len() - bare.len());
        self.open = Some(Open {
            block: Block {
                name: name.to_owned(),
                place: at.place(self.reading),
                is_rule,
                starts: Vec::new(),
                items: Vec::new(),
            },
            length: name.chars().count() as u32,
            certain: is_rule || part.text.starts_with("##"),
        });
    }

    /// Ends the block of the last heading. One without steps is left out; a
    /// title that stands above all stories needs none.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if !open.block.items.is_empty() {
            self.blocks.push(open.block);
        } else if open.certain {
            let kind = if open.block.is_rule { "rule" } else { "story" };
            let what = format!("{kind} `{}` has no steps: it is left out", open.block.name);
            let about = Diagnostic::new("W402", open.block.place, what);
            self.say(about.length(open.length));
        }
    }

    /// Returns the open block; without one, says once that there is none.
    fn block(&mut self, part: Part<'_>) -> Option<&mut Block> {
        if self.open.is_none() && !self.said_outside {
            self.said_outside = true;
            let what = "this belongs to no story: there is no heading above it";
            let about = part.about("E425", what, self.reading);
            self.say(about.help("write a heading above it: `## name`"));
        }
        self.open.as_mut().map(|open| &mut open.block)
    }

    fn push(&mut self, part: Part<'_>, item: Item) {
        if let Some(block) = self.block(part) {
            block.items.push(item);
        }
    }

    /// Reads the map behind a name; what is no map of JSON is a mistake.
    fn map(&mut self, map: Option<Part<'_>>, code: &'static str) -> Option<Vec<Entry>> {
        let Some(part) = map else {
            return Some(Vec::new());
        };
        let (line, column) = part.line.position(part.start);
        let wrong = match json::parse_at(part.text, line, column) {
            Ok(parsed) => match parsed.root.yaml {
                Yaml::Map(entries) => return Some(entries),
                _ => part.about(code, "a map in braces must stand here", self.reading),
            },
            Err(mistake) => {
                let place = self.reading.at(mistake.line, mistake.column);
                Diagnostic::new(code, place, mistake.message).length(mistake.length)
            }
        };
        self.say(wrong.help("write JSON: `{\"name\": \"value\"}`"));
        None
    }

    fn checkpoint(&mut self, part: Part<'_>) {
        let (name, map) = part.name_and_map();
        let Some(conditions) = self.map(map, "E421") else {
            return;
        };
        let item = Item::Checkpoint(name.text.to_owned());
        let Some(block) = self.block(part) else {
            return;
        };
        if block.is_rule {
            let about = name.about(
                "E411",
                "a `checkpoint` cannot stand in a rule",
                self.reading,
            );
            self.say(about.help("write a story instead"));
        } else if block.items.is_empty() {
            let values = conditions.into_iter();
            block.starts.push(Checkpoint {
                name: name.text.to_owned(),
                conditions: values
                    .map(|entry| (entry.key.to_string(), entry.value.to_json()))
                    .collect(),
            });
        } else {
            block.items.push(item);
            if !conditions.is_empty() {
                let what = "conditions of a checkpoint after the start are left out";
                let about = map.unwrap_or(name).about("W410", what, self.reading);
                self.say(about);
            }
        }
    }

    /// Reads what follows a dash: an action, or an event with its map.
    fn event(&mut self, part: Part<'_>) {
        let (name, map) = part.name_and_map();
        match name.text {
            "" => {
                let what = "an action without a name is left out";
                let about = part.about("W414", what, self.reading).length(1);
                self.say(about);
            }
            "slot" => self.slots(name, map),
            "form" | "active_loop" => self.active_loop(name, map),
            "action_deactivate_form" => {
                let what = "`action_deactivate_form` is now `action_deactivate_loop`";
                let about = name.about("W413", what, self.reading);
                self.say(about);
                self.action("action_deactivate_loop", name);
            }
            event if PASSED_OVER.contains(&event) => {
                let what = format!("`{event}` is an event that teaches nothing: it is left out");
                let about = name.about("W422", what, self.reading);
                self.say(about);
            }
            action => self.action(action, name),
        }
    }

    fn action(&mut self, action: &str, part: Part<'_>) {
        let place = part.place(self.reading);
        self.push(
            part,
            Item::Event(Event::Action(self.known.name(action)), place),
        );
    }

    fn slots(&mut self, name: Part<'_>, map: Option<Part<'_>>) {
        let Some(entries) = self.map(map, "E421") else {
            return;
        };
        if entries.is_empty() {
            let about = name.about("E421", "no slot is named", self.reading);
            self.say(about.help("write `- slot{\"name\": \"value\"}`"));
        }
        for entry in entries {
            let place = self.reading.place(&entry.at);
            let length = entry.at.length;
            let about = self.known.unknown_slot("W424", &entry.key, &place, length);
            self.reading.diagnostics.extend(about);
            let event = Event::Slot {
                name: self.known.name(&entry.key),
                value: entry.value.to_json(),
            };
            self.push(name, Item::Event(event, place));
        }
    }

    fn active_loop(&mut self, name: Part<'_>, map: Option<Part<'_>>) {
        let Some(entries) = self.map(map, "E421") else {
            return;
        };
        let place = name.place(self.reading);
        match entries.iter().find(|entry| entry.key == *"name") {
            Some(entry) => {
                let node: &Node = &entry.value;
                let at = self.reading.place(node);
                let form = self.reading.text_or_null(Some(node), "the name of a form");
                self.push(name, Item::Event(Event::ActiveLoop(form), at));
            }
            None => {
                let what = "no form is named";
                let about = Diagnostic::new("E421", place, what).length(4);
                self.say(about.help("write `- active_loop{\"name\": \"a_form\"}`"));
            }
        }
    }

    /// Reads a message of the user, or several of which any may come.
    fn user(&mut self, part: Part<'_>) {
        let mut events = Vec::new();
        let mut from = 0;
        for text in part.text.split(" OR ") {
            let alternative = Part {
                text: &part.text[from..from + text.len()],
                start: part.start + from,
                ..part
            };
            from += text.len() + " OR ".len();
            let alternative = alternative.after(0);
            let place = alternative.place(self.reading);
            let utterance = self.utterance(alternative);
            let utterance = utterance.map(|one| Event::User(self.known.utterance(one)));
            events.extend(utterance.map(|event| (event, place)));
        }
        if events.len() > 1 {
            let place = part.place(self.reading);
            self.push(part, Item::Or(events, place));
        } else if let Some((event, place)) = events.pop() {
            self.push(part, Item::Event(event, place));
        }
    }

    fn utterance(&mut self, part: Part<'_>) -> Option<Utterance> {
        if part.text.is_empty() {
            let what = "a message without an intent is left out";
            let about = part.about("W428", what, self.reading).length(1);
            self.say(about);
            return None;
        }
        let written = message::split(part.text);
        if written.text.is_some() && self.purpose == Purpose::Training && !self.said_test {
            self.said_test = true;
            let what = "a test story is read as a training story: its texts are left out";
            let about = part.about("W429", what, self.reading);
            self.say(about.help("move tests out of the training data"));
        }
        Some(self.message(part, &written))
    }
}

/// Returns the first name in backticks.
fn variable(text: &str) -> Option<&str> {
    let mut quoted = text.split('`');
    quoted.next();
    let name = quoted.next()?;
    let closed = quoted.next().is_some();
    (closed && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
