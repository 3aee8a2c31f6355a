//! What a policy sees at one turn, as a value that can be ordered, hashed and
//! written the way Rasa writes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::Hash;
use std::hash::Hasher;

use serde::Deserialize;
use serde::Serialize;

use crate::dialogue::Executed;
use crate::digest::Digest;

/// One turn of a conversation; empty parts are absent from its JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct State {
    /// The form that is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_loop: Option<LoopState>,
    /// What the bot did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev_action: Option<ActionState>,
    /// Features by slot name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<String, SlotState>,
    /// What the user said last.
    #[serde(default, skip_serializing_if = "UserState::is_empty")]
    pub user: UserState,
}

/// The active form, or the marker that none may be active.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LoopState {
    /// The form's name.
    pub name: String,
}

/// The previous action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ActionState {
    /// An action with a name.
    #[serde(rename = "action_name")]
    Name(String),
    /// An end-to-end text.
    #[serde(rename = "action_text")]
    Text(String),
}

/// What a policy sees of a slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SlotState {
    /// Features of its value.
    Features(Vec<Feature>),
    /// The marker `should_not_be_set` of rules.
    Marker(String),
}

/// What a policy sees of the last user message.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserState {
    /// Entity labels, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    /// The intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl UserState {
    /// Returns whether nothing is known of the user.
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty() && self.intent.is_none() && self.text.is_none()
    }
}

/// A number of a slot's features, compared and hashed by its bits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Feature(pub f64);

impl PartialEq for Feature {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Feature {}

impl PartialOrd for Feature {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Feature {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Hash for Feature {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl State {
    /// Returns whether nothing at all is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the previous action's name; none for a text or no action.
    pub fn prev_action_name(&self) -> Option<&str> {
        match &self.prev_action {
            Some(ActionState::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Returns the form that is active; the marker of rules counts as none.
    pub fn active_loop_name(&self) -> Option<&str> {
        let name = self.active_loop.as_ref()?.name.as_str();
        (name != crate::dialogue::SHOULD_NOT_BE_SET).then_some(name)
    }

    /// Returns the digest of the state's text.
    pub fn digest(&self) -> Digest {
        self.seen().digest(&mut String::with_capacity(256))
    }

    /// Appends the state the way Python's `json.dumps` with sorted keys does:
    /// `", "` and `": "` between parts, everything but ASCII escaped.
    pub fn write(&self, out: &mut String) {
        self.seen().write(out);
    }

    /// Returns the same state without owning its parts.
    fn seen(&self) -> Seen<'_> {
        let slots = self.slots.iter();
        let entities = self.user.entities.iter();
        Seen {
            active_loop: self.active_loop.as_ref().map(|active| &*active.name),
            prev_action: self.prev_action.as_ref().map(ActionState::as_seen),
            slots: slots
                .map(|(name, slot)| (name.as_str(), Cow::Borrowed(slot)))
                .collect(),
            entities: entities.map(|label| label.as_str().into()).collect(),
            intent: self.user.intent.as_deref(),
            text: self.user.text.as_deref(),
        }
    }
}

impl ActionState {
    fn as_seen(&self) -> SeenAction<'_> {
        match self {
            Self::Name(name) => SeenAction::Name(name),
            Self::Text(text) => SeenAction::Text(text),
        }
    }
}

/// A [`State`] whose parts belong to a conversation: to hash one is to look at it,
/// and there are many.
#[derive(Debug)]
pub struct Seen<'s> {
    /// The name of the form that is active, or the marker.
    pub active_loop: Option<&'s str>,
    /// What the bot did last.
    pub prev_action: Option<SeenAction<'s>>,
    /// What is seen of slots, sorted by name.
    pub slots: Vec<(&'s str, Cow<'s, SlotState>)>,
    /// Entity labels, sorted.
    pub entities: Vec<Cow<'s, str>>,
    /// The user's intent.
    pub intent: Option<&'s str>,
    /// The user's text.
    pub text: Option<&'s str>,
}

/// An [`ActionState`] of somebody else.
#[derive(Clone, Copy, Debug)]
pub enum SeenAction<'s> {
    /// An action with a name.
    Name(&'s str),
    /// An end-to-end text.
    Text(&'s str),
}

impl<'s> SeenAction<'s> {
    /// Returns what is seen of an action that ran.
    pub fn of(executed: &'s Executed) -> Self {
        match (&executed.name, &executed.text) {
            (None, Some(text)) => Self::Text(text),
            _ => Self::Name(executed.label()),
        }
    }

    /// Returns an own copy.
    pub fn to_owned(self) -> ActionState {
        match self {
            Self::Name(name) => ActionState::Name(name.to_owned()),
            Self::Text(text) => ActionState::Text(text.to_owned()),
        }
    }
}

impl Seen<'_> {
    /// Returns an own copy.
    pub fn into_state(self) -> State {
        let slots = self.slots.into_iter();
        let entities = self.entities.into_iter();
        State {
            active_loop: self.active_loop.map(|name| LoopState {
                name: name.to_owned(),
            }),
            prev_action: self.prev_action.map(SeenAction::to_owned),
            slots: slots
                .map(|(name, slot)| (name.to_owned(), slot.into_owned()))
                .collect(),
            user: UserState {
                entities: entities.map(Cow::into_owned).collect(),
                intent: self.intent.map(str::to_owned),
                text: self.text.map(str::to_owned),
            },
        }
    }

    /// Returns the digest of the state's text; `text` is the memory for it.
    pub fn digest(&self, text: &mut String) -> Digest {
        text.clear();
        self.write(text);
        Digest::of(text.as_bytes())
    }

    /// Appends what [`State::write`] says.
    fn write(&self, out: &mut String) {
        let mut parts = Parts::open(out);
        if let Some(active_loop) = self.active_loop {
            parts.key("active_loop");
            write_pair(parts.out, "name", active_loop);
        }
        if let Some(action) = self.prev_action {
            parts.key("prev_action");
            match action {
                SeenAction::Name(name) => write_pair(parts.out, "action_name", name),
                SeenAction::Text(text) => write_pair(parts.out, "action_text", text),
            }
        }
        if !self.slots.is_empty() {
            parts.key("slots");
            self.write_slots(parts.out);
        }
        if !self.entities.is_empty() || self.intent.is_some() || self.text.is_some() {
            parts.key("user");
            self.write_user(parts.out);
        }
        parts.close();
    }

    fn write_slots(&self, out: &mut String) {
        let mut parts = Parts::open(out);
        for (name, slot) in &self.slots {
            parts.key(name);
            match &**slot {
                SlotState::Marker(marker) => write_text(parts.out, marker),
                SlotState::Features(features) => {
                    write_list(parts.out, features, |out, feature| {
                        write_float(out, feature.0);
                    });
                }
            }
        }
        parts.close();
    }

    fn write_user(&self, out: &mut String) {
        let mut parts = Parts::open(out);
        if !self.entities.is_empty() {
            parts.key("entities");
            write_list(parts.out, &self.entities, |out, label| {
                write_text(out, label)
            });
        }
        if let Some(intent) = self.intent {
            parts.key("intent");
            write_text(parts.out, intent);
        }
        if let Some(text) = self.text {
            parts.key("text");
            write_text(parts.out, text);
        }
        parts.close();
    }
}

/// Returns the text of a list of states, as [`State::write`] writes each.
pub fn states_text<S: AsRef<State>>(states: &[S]) -> String {
    let mut out = String::new();
    write_list(&mut out, states, |out, state| state.as_ref().write(out));
    out
}

impl AsRef<State> for State {
    fn as_ref(&self) -> &State {
        self
    }
}

/// Writes the members of a JSON object with their separators.
struct Parts<'a> {
    out: &'a mut String,
    is_first: bool,
}

impl<'a> Parts<'a> {
    fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self {
            out,
            is_first: true,
        }
    }

    fn key(&mut self, key: &str) {
        if !self.is_first {
            self.out.push_str(", ");
        }
        self.is_first = false;
        write_text(self.out, key);
        self.out.push_str(": ");
    }

    fn close(self) {
        self.out.push('}');
    }
}

fn write_pair(out: &mut String, key: &str, value: &str) {
    let mut parts = Parts::open(out);
    parts.key(key);
    write_text(parts.out, value);
    parts.close();
}

fn write_list<T>(out: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write(out, item);
    }
    out.push(']');
}

fn write_text(out: &mut String, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    out.push('"');
    if text.bytes().all(is_plain) {
        out.push_str(text);
        out.push('"');
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("writing to a string cannot fail");
                }
            }
        }
    }
    out.push('"');
}

/// Writes a number as Python's `repr` does: shortest digits, always a point or
/// an exponent, exponents with sign and two digits outside 1e-4..1e16.
fn write_float(out: &mut String, x: f64) {
    // Most features are flags.
    if x == 1.0 {
        out.push_str("1.0");
        return;
    }
    let magnitude = x.abs();
    if x == 0.0 || (1e-4..1e16).contains(&magnitude) {
        write!(out, "{x:?}").expect("writing to a string cannot fail");
        return;
    }
    let text = format!("{x:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    write!(out, "{digits}e{sign}{exponent:0>2}").expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_written_like_python_writes_them() {
        let state = State {
            prev_action: Some(ActionState::Name("action_listen".into())),
            slots: BTreeMap::from([
                (
                    "b".into(),
                    SlotState::Features(vec![Feature(1.0), Feature(0.05)]),
                ),
                ("a".into(), SlotState::Marker("should_not_be_set".into())),
            ]),
            user: UserState {
                text: Some("caf\u{e9} \u{1f600} \"x\"".into()),
                ..UserState::default()
            },
            ..State::default()
        };
        assert_eq!(
            states_text(&[State::default(), state]),
            "[{}, {\"prev_action\": {\"action_name\": \"action_listen\"}, \
             \"slots\": {\"a\": \"should_not_be_set\", \"b\": [1.0, 0.05]}, \
             \"user\": {\"text\": \"caf\\u00e9 \\ud83d\\ude00 \\\"x\\\"\"}}]"
        );
    }

    #[test]
    fn small_and_large_numbers_have_python_exponents() {
        let mut out = String::new();
        for x in [1e-5, 1.5e-7, 1e16, 0.0001, 123456.0] {
            write_float(&mut out, x);
            out.push(' ');
        }
        assert_eq!(out, "1e-05 1.5e-07 1e+16 0.0001 123456.0 ");
    }

    #[test]
    fn states_come_back_from_their_text() {
        let state = State {
            active_loop: Some(LoopState {
                name: "form".into(),
            }),
            prev_action: Some(ActionState::Text("Hi".into())),
            slots: BTreeMap::from([("b".into(), SlotState::Features(vec![Feature(1.0)]))]),
            user: UserState {
                entities: vec!["city".into()],
                intent: Some("go".into()),
                text: None,
            },
        };
        let text = states_text(&[&state].map(State::clone));
        let back: Vec<State> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, [state]);
    }
}
