//! Writes test stories as YAML, with what was predicted beside each mistake.

use std::fmt::Write as _;

use crate::data::Annotation;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::Executed;
use crate::dialogue::UserMessage;
use crate::dialogue::evaluate::Conversation;
use crate::dialogue::evaluate::Evaluation;
use crate::dialogue::evaluate::Outcome;
use crate::dialogue::evaluate::Turn;
use crate::dialogue::evaluate::wanted_intent;

/// Returns the stories that failed, as `failed_test_stories.yml` holds them:
/// `# predicted: X` stands after each step that was predicted differently.
pub fn failed_stories(evaluation: &Evaluation) -> String {
    let failed: Vec<&Conversation> = evaluation
        .conversations
        .iter()
        .filter(|conversation| !conversation.is_right())
        .collect();
    if failed.is_empty() {
        return "# None of the test stories failed - all good!\n".to_owned();
    }
    let mut out = String::from("version: \"3.1\"\nstories:\n");
    for conversation in failed {
        writeln!(out, "- story: {}\n  steps:", quoted(&conversation.name))
            .expect("writing to a string cannot fail");
        for turn in &conversation.turns {
            write_turn(&mut out, turn);
        }
    }
    out
}

fn write_turn(out: &mut String, turn: &Turn) {
    let lines = match turn.event.as_ref() {
        Event::Action(executed) if executed.is_name(ACTION_LISTEN) && turn.is_right() => return,
        Event::Action(executed) => vec![action_line(executed)],
        Event::User(message) => message_lines(message),
        Event::Slot { name, value } => vec![
            "slot_was_set:".to_owned(),
            format!("- {}: {value}", quoted(name)),
        ],
        Event::ActiveLoop { name } => vec![format!(
            "active_loop: {}",
            name.as_deref().map_or("null".to_owned(), quoted)
        )],
        _ => return,
    };
    for (number, line) in lines.iter().enumerate() {
        let lead = if number == 0 { "  - " } else { "    " };
        let note = if number == 0 {
            note(turn)
        } else {
            String::new()
        };
        writeln!(out, "{lead}{line}{note}").expect("writing to a string cannot fail");
    }
}

fn action_line(executed: &Executed) -> String {
    match (&executed.name, &executed.text) {
        (None, Some(text)) => format!("bot: {}", quoted(text)),
        _ => format!("action: {}", quoted(executed.label())),
    }
}

fn message_lines(message: &UserMessage) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(intent) = wanted_intent(message) {
        lines.push(format!("intent: {}", quoted(intent)));
    }
    if let Some(text) = &message.text {
        lines.push(format!(
            "user: {}",
            quoted(&annotated(text, &message.entities))
        ));
    } else if !message.entities.is_empty() {
        lines.push("entities:".to_owned());
        for found in message.entities.iter() {
            lines.push(format!("- {}: {}", quoted(&found.entity), found.value));
        }
    }
    lines
}

/// Puts the entities back into the text as `[piece]{"entity": …}`.
fn annotated(text: &str, entities: &[Annotation]) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut sorted: Vec<&Annotation> = entities.iter().collect();
    sorted.sort_by_key(|found| found.start);
    let mut out = String::new();
    let mut at = 0;
    for found in sorted {
        if found.start < at || found.end > chars.len() || found.start >= found.end {
            continue;
        }
        let piece: String = chars[found.start..found.end].iter().collect();
        let mut marks = vec![format!("\"entity\": {}", quoted(&found.entity))];
        if found.value.as_str() != Some(&piece) {
            marks.push(format!("\"value\": {}", found.value));
        }
        for (name, part) in [("role", &found.role), ("group", &found.group)] {
            if let Some(part) = part {
                marks.push(format!("\"{name}\": {}", quoted(part)));
            }
        }
        out.extend(&chars[at..found.start]);
        write!(out, "[{piece}]{{{}}}", marks.join(", ")).expect("writing to a string cannot fail");
        at = found.end;
    }
    out.extend(&chars[at..]);
    out
}

fn note(turn: &Turn) -> String {
    let said = match (&turn.outcome, turn.is_right()) {
        (_, true) if turn.has_warning() => "action_unlikely_intent".to_owned(),
        (_, true) | (None, _) => return String::new(),
        (Some(Outcome::Action { predicted, .. }), false) => predicted.clone(),
        (Some(Outcome::Message { intent, entities }), false) => {
            let Event::User(message) = turn.event.as_ref() else {
                return String::new();
            };
            let text = message.text.as_deref().unwrap_or_default();
            let intent = intent.as_deref().unwrap_or("None");
            format!("{intent}: {}", annotated(text, entities))
        }
    };
    format!("  # predicted: {}", said.replace(['\n', '\r'], " "))
}

/// Returns the text as a JSON string where YAML would read it differently.
fn quoted(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-/. ".contains(c))
        && !text.ends_with(' ')
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if is_plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
