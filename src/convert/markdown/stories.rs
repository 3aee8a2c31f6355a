//! Markdown stories to `stories` and `rules`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::convert::emit::Tree;
use crate::convert::emit::word;
use crate::convert::lines::VERSION;
use crate::convert::markdown::lines;
use crate::convert::names;
use crate::convert::notes::Notes;
use crate::convert::written::comment_lines;
use crate::import::json;
use crate::import::yaml::Yaml;

/// A file of stories.
#[derive(Clone, Debug, Default)]
pub struct Stories {
    stories: Vec<Block>,
    rules: Vec<Block>,
    comments: Vec<String>,
}

/// A story or rule.
#[derive(Clone, Debug, Default)]
struct Block {
    name: String,
    comments: Vec<String>,
    steps: Vec<Step>,
}

/// A step, with the comments above it.
#[derive(Clone, Debug)]
struct Step {
    comments: Vec<String>,
    tree: Tree,
}

/// Converts Markdown stories; `retrieval` has the retrieval intents, whose actions
/// had other names.
pub fn stories(text: &str, retrieval: &BTreeSet<String>, notes: &mut Notes) -> Stories {
    let mut file = Stories::default();
    let mut comments: Vec<String> = Vec::new();
    let mut in_rule = false;
    for line in lines(text) {
        comments.extend(line.comments);
        let text = line.text.as_str();
        let name = match (text.strip_prefix(">>"), text.strip_prefix('#')) {
            (Some(name), _) => Some((true, name.trim_start_matches(['>', ' ']))),
            (_, Some(name)) => Some((false, name.trim_matches(['#', ' ']))),
            _ => None,
        };
        if let Some((is_rule, name)) = name {
            in_rule = is_rule;
            let blocks = if is_rule {
                &mut file.rules
            } else {
                &mut file.stories
            };
            blocks.push(Block {
                name: name.to_owned(),
                comments: std::mem::take(&mut comments),
                steps: Vec::new(),
            });
            continue;
        }
        if text.is_empty() {
            continue;
        }
        let blocks = if in_rule {
            &mut file.rules
        } else {
            &mut file.stories
        };
        let read = step(text, retrieval);
        match (read, blocks.last_mut()) {
            (Ok(Some(tree)), Some(block)) => block.add(tree, std::mem::take(&mut comments)),
            (Ok(_), _) => comments.push(text.to_owned()),
            (Err(what), _) => {
                notes.say("W601", line.number, format!("{what}: kept as a comment"));
                comments.push(text.to_owned());
            }
        }
    }
    file.comments = comments;
    file
}

impl Block {
    /// Adds a step; slots that are set one after the other become one step.
    fn add(&mut self, tree: Tree, comments: Vec<String>) {
        if let (
            Tree::Map(new),
            Some(Step {
                tree: Tree::Map(last),
                ..
            }),
        ) = (&tree, self.steps.last_mut())
            && let [(key, Tree::List(slots))] = new.as_slice()
            && let [(last_key, Tree::List(set))] = last.as_mut_slice()
            && key == "slot_was_set"
            && last_key == key
            && comments.is_empty()
        {
            set.extend(slots.iter().cloned());
            return;
        }
        self.steps.push(Step { comments, tree });
    }

    fn story(&self) -> String {
        let mut text = comment_lines(&self.comments, 0);
        text.push_str(&format!("- story: {}\n", word(&self.name)));
        text + &steps("steps", &self.steps)
    }

    /// Returns the text of a rule.
    ///
    /// In Markdown the action `...` says that anything may stand there. In YAML a
    /// rule has one behind its conditions unless it says `conversation_start`,
    /// and one at its end if it does not wait for the user.
    fn rule(&self) -> String {
        let marker = self.steps.iter().position(Step::is_marker);
        let marker = marker.filter(|at| self.steps[..*at].iter().all(Step::is_condition));
        let (condition, mut rest) = match marker {
            Some(at) => (&self.steps[..at], &self.steps[at + 1..]),
            None => (&[][..], &self.steps[..]),
        };
        let last = rest.split_last().filter(|(last, before)| {
            // The end of a rule is behind some step.
            last.is_marker() && !before.is_empty()
        });
        let last = last.map(|(last, before)| {
            rest = before;
            last
        });
        let mut text = comment_lines(&self.comments, 0);
        text.push_str(&format!("- rule: {}\n", word(&self.name)));
        match marker {
            Some(at) => text.push_str(&comment_lines(&self.steps[at].comments, 2)),
            None => text.push_str("  conversation_start: true\n"),
        }
        if !condition.is_empty() {
            text.push_str(&steps("condition", condition));
        }
        text.push_str(&steps("steps", rest));
        if let Some(last) = last {
            text.push_str(&comment_lines(&last.comments, 2));
            text.push_str("  wait_for_user_input: false\n");
        }
        text
    }
}

impl Step {
    /// Returns whether it stands for whatever was said before, or comes next.
    fn is_marker(&self) -> bool {
        self.tree == map(vec![("action", Tree::text("..."))])
    }

    /// Returns whether it can be a condition of a rule.
    fn is_condition(&self) -> bool {
        let Tree::Map(entries) = &self.tree else {
            return false;
        };
        matches!(entries.as_slice(), [(key, _)] if key == "slot_was_set" || key == "active_loop")
    }
}

/// Returns the text of a list of steps below its key.
fn steps(key: &str, steps: &[Step]) -> String {
    if steps.is_empty() {
        return format!("  {key}: []\n");
    }
    let mut text = format!("  {key}:\n");
    for step in steps {
        text.push_str(&comment_lines(&step.comments, 2));
        text.push_str(&Tree::List(vec![step.tree.clone()]).block(2));
    }
    text
}

impl Stories {
    /// Returns the text of the file.
    pub fn text(&self) -> String {
        let mut text = format!("version: \"{VERSION}\"\n");
        if !self.stories.is_empty() {
            let stories: Vec<String> = self.stories.iter().map(Block::story).collect();
            text.push_str(&format!("\nstories:\n{}", stories.join("\n")));
        }
        if !self.rules.is_empty() {
            let rules: Vec<String> = self.rules.iter().map(Block::rule).collect();
            text.push_str(&format!("\nrules:\n{}", rules.join("\n")));
        }
        if !self.comments.is_empty() {
            text.push('\n');
            text.push_str(&comment_lines(&self.comments, 0));
        }
        text
    }
}

fn map(entries: Vec<(&str, Tree)>) -> Tree {
    let entries = entries.into_iter();
    Tree::Map(
        entries
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

/// Reads a line of a story; `None` is one that Rasa overlooks.
fn step(line: &str, retrieval: &BTreeSet<String>) -> Result<Option<Tree>, String> {
    let mark = line.chars().next().unwrap_or_default();
    let rest = line[mark.len_utf8()..].trim();
    match mark {
        '*' | '-' if rest.starts_with("form:") || rest.starts_with("form :") => Ok(None),
        '>' => {
            let (name, slots) = call(rest)?;
            let mut step = vec![("checkpoint", Tree::text(name))];
            if !slots.is_empty() {
                step.push(("slot_was_set", pairs(slots)));
            }
            Ok(Some(map(step)))
        }
        '*' => {
            let mut said = Vec::new();
            for alternative in rest.split(" OR ") {
                said.push(utterance(alternative.trim())?);
            }
            match said.len() {
                1 => Ok(said.pop()),
                _ => Ok(Some(map(vec![("or", Tree::List(said))]))),
            }
        }
        '-' => event(rest, retrieval).map(Some),
        _ => Err("a line that means nothing".to_owned()),
    }
}

/// A name and the map behind it, in order; of a key that stands twice the latter
/// counts.
type Call<'t> = (&'t str, Vec<(String, Value)>);

/// Reads `name{"key": "value"}`.
fn call(text: &str) -> Result<Call<'_>, String> {
    let Some(brace) = text.find('{') else {
        return Ok((text.trim(), Vec::new()));
    };
    let map = json::parse(&text[brace..]).map(|parsed| parsed.root.yaml);
    let Ok(Yaml::Map(entries)) = map else {
        return Err(format!("`{}` is not a JSON map", &text[brace..]));
    };
    let mut map: Vec<(String, Value)> = Vec::new();
    for entry in entries {
        let (key, value) = (entry.key.to_string(), entry.value.to_json());
        match map.iter_mut().find(|(known, _)| *known == key) {
            Some(known) => known.1 = value,
            None => map.push((key, value)),
        }
    }
    Ok((text[..brace].trim(), map))
}

/// Returns a list of maps of one entry each.
fn pairs(map: Vec<(String, Value)>) -> Tree {
    let pair = |(key, value): (String, Value)| Tree::Map(vec![(key, Tree::json(&value))]);
    Tree::List(map.into_iter().map(pair).collect())
}

/// Reads `intent{"entity": "value"}`, or `intent: text` of an end-to-end story.
fn utterance(text: &str) -> Result<Tree, String> {
    let text = text.strip_prefix('/').unwrap_or(text);
    let colon = text.find(':');
    let brace = text.find('{').unwrap_or(text.len());
    if let Some(colon) = colon.filter(|colon| *colon < brace) {
        let (intent, said) = (text[..colon].trim(), text[colon + 1..].trim());
        return Ok(map(vec![
            ("user", Tree::text(said)),
            ("intent", Tree::text(intent)),
        ]));
    }
    let (intent, entities) = call(text)?;
    let mut listed = Vec::new();
    for (entity, value) in entities {
        let values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        for value in values {
            listed.push(Tree::Map(vec![(entity.clone(), Tree::json(&value))]));
        }
    }
    let mut step = vec![("intent", Tree::text(intent))];
    if !listed.is_empty() {
        step.push(("entities", Tree::List(listed)));
    }
    Ok(map(step))
}

/// Events of Rasa 1 that a story of Rasa 3 cannot have.
const NO_STEPS: &[&str] = &[
    "restart",
    "rewind",
    "undo",
    "reset_slots",
    "reminder",
    "cancel_reminder",
    "pause",
    "resume",
    "followup",
    "export",
    "agent",
    "bot",
    "user",
];

/// Reads what follows a dash: an action or an event.
fn event(text: &str, retrieval: &BTreeSet<String>) -> Result<Tree, String> {
    let (name, values) = call(text)?;
    match name {
        "slot" => Ok(map(vec![("slot_was_set", pairs(values))])),
        "form" | "active_loop" => {
            let form = values.iter().find(|(key, _)| key == "name");
            let form = form.map_or(&Value::Null, |(_, form)| form);
            Ok(map(vec![("active_loop", Tree::json(form))]))
        }
        name if NO_STEPS.contains(&name) => Err(format!("event `{name}` cannot be kept")),
        _ if !values.is_empty() => Err(format!("an action with values, `{name}`")),
        "" => Err("an action without a name".to_owned()),
        name => {
            let name = names::action(name, retrieval);
            Ok(map(vec![("action", Tree::text(&name))]))
        }
    }
}
