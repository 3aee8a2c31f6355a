//! Values that stories and rules give to slots, beside the slots' types.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;

use serde_json::Value;

use crate::data::Domain;
use crate::data::Event;
use crate::data::Place;
use crate::data::Slot;
use crate::data::SlotKind;
use crate::data::StoryGraph;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Suggestions;
use crate::diagnostic::shortened;

/// Words that YAML 1.1 takes for true or false and YAML 1.2 for text.
const OLD_BOOLEANS: [&str; 6] = ["yes", "no", "on", "off", "y", "n"];

/// Values of a slot that a message lists.
const LISTED: usize = 10;

/// A slot, and its values for looking up.
struct Typed<'d> {
    slot: &'d Slot,
    values: HashSet<&'d str>,
    near: Suggestions<'d>,
}

impl<'d> Typed<'d> {
    fn of(slot: &'d Slot) -> Self {
        let values = match &slot.kind {
            SlotKind::Categorical { values } => values.as_slice(),
            _ => &[],
        };
        let values = values.iter().map(String::as_str);
        Self {
            slot,
            values: values.clone().collect(),
            near: Suggestions::new(values),
        }
    }
}

/// Says which values of a domain do not fit its own slots.
pub fn check_domain(domain: &Domain, said: &mut Vec<Diagnostic>) {
    for slot in &domain.slots {
        initial_value(slot, said);
        values(slot, said);
    }
}

/// Says which values in stories do not fit.
pub fn check_stories(domain: &Domain, stories: &StoryGraph, said: &mut Vec<Diagnostic>) {
    let slots = domain.slots.iter();
    let mut slots: HashMap<&str, Typed<'_>> = slots
        .map(|slot| (slot.name.as_str(), Typed::of(slot)))
        .collect();
    let required = domain.forms.iter().flat_map(|form| &form.required_slots);
    let required: HashSet<&str> = required.map(String::as_str).collect();
    let mut near = Suggestions::new(required.iter().copied());
    // Without a list of its slots, only the form's action knows what it asks for.
    let open_ended = domain
        .forms
        .iter()
        .any(|form| form.required_slots.is_empty());
    for step in &stories.steps {
        for (index, event) in step.events.iter().enumerate() {
            let Event::Slot { name, value } = event else {
                continue;
            };
            let place = step.event_places.get(index).unwrap_or(&step.place);
            if &**name == "requested_slot" {
                if !open_ended {
                    said.extend(requested(value, &required, &mut near, place));
                }
            } else if let Some(slot) = slots.get_mut(&**name) {
                said.extend(misfit(slot, value).map(|misfit| misfit.at(place, name)));
            }
        }
    }
}

/// A value that a slot cannot have.
struct Misfit {
    code: &'static str,
    message: String,
    help: Option<String>,
}

impl Misfit {
    fn at(self, place: &Place, name: &str) -> Diagnostic {
        let mut about = Diagnostic::new(self.code, place.clone(), self.message);
        about.help = self.help;
        about.length(name.chars().count() as u32)
    }
}

/// How a value is written in YAML.
fn written(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        value => Cow::Owned(value.to_string()),
    }
}

/// How messages show a value.
fn shown(value: &Value) -> String {
    shortened(&written(value)).into_owned()
}

fn misfit(typed: &mut Typed<'_>, value: &Value) -> Option<Misfit> {
    if value.is_null() {
        return None;
    }
    let slot = typed.slot;
    match &slot.kind {
        SlotKind::Bool => bool_misfit(slot, value),
        SlotKind::Float { .. } => float_misfit(slot, value),
        SlotKind::List => (!value.is_array()).then(|| wrong_type(slot, value, "a list")),
        SlotKind::Categorical { values } => categorical_misfit(typed, values, value),
        SlotKind::Text | SlotKind::Any => None,
    }
}

fn wrong_type(slot: &Slot, value: &Value, wanted: &str) -> Misfit {
    Misfit {
        code: "W456",
        message: format!(
            "slot `{}` gets `{}`, but its type needs {wanted}",
            shortened(&slot.name),
            shown(value)
        ),
        help: None,
    }
}

/// Rasa: numbers, and the words true and false in any case, are taken too.
fn bool_misfit(slot: &Slot, value: &Value) -> Option<Misfit> {
    let text = match value {
        Value::Bool(_) | Value::Number(_) => return None,
        Value::String(text) => text.trim().to_lowercase(),
        _ => return Some(wrong_type(slot, value, "true or false")),
    };
    if ["true", "false"].contains(&text.as_str()) || text.parse::<f64>().is_ok() {
        return None;
    }
    if !OLD_BOOLEANS.contains(&text.as_str()) {
        return Some(wrong_type(slot, value, "true or false"));
    }
    let meant = ["yes", "on", "y"].contains(&text.as_str());
    Some(Misfit {
        code: "W040",
        message: format!(
            "slot `{}` gets the text `{text}`: only YAML 1.1 takes it for {meant}",
            shortened(&slot.name)
        ),
        help: Some(format!("write `{meant}`")),
    })
}

fn float_misfit(slot: &Slot, value: &Value) -> Option<Misfit> {
    let is_number = match value {
        Value::Number(_) => true,
        Value::String(text) => text.trim().parse::<f64>().is_ok(),
        _ => false,
    };
    (!is_number).then(|| wrong_type(slot, value, "a number"))
}

/// Rasa compares without regard to case; a value that is none of the slot's is
/// seen as `__other__`.
fn categorical_misfit(typed: &mut Typed<'_>, values: &[String], value: &Value) -> Option<Misfit> {
    let text = written(value).to_lowercase();
    if typed.values.contains(text.as_str()) || text == "__other__" {
        return None;
    }
    let help = match typed.near.near(&text) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("its values are {}", listed(values)),
    };
    Some(Misfit {
        code: "W455",
        message: format!(
            "`{}` is none of the values of slot `{}`",
            shown(value),
            shortened(&typed.slot.name)
        ),
        help: Some(help),
    })
}

/// Returns the first values of a slot, and how many more there are.
fn listed(values: &[String]) -> String {
    let shown: Vec<_> = values
        .iter()
        .take(LISTED)
        .map(|one| shortened(one))
        .collect();
    match values.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn requested(
    value: &Value,
    required: &HashSet<&str>,
    near: &mut Suggestions<'_>,
    place: &Place,
) -> Option<Diagnostic> {
    let name = value.as_str()?;
    if required.contains(name) {
        return None;
    }
    let message = format!("no form asks for slot `{}`", shortened(name));
    let about = Diagnostic::new("W457", place.clone(), message).length(14);
    Some(about.suggest_of(name, near))
}

fn initial_value(slot: &Slot, said: &mut Vec<Diagnostic>) {
    if let Some(mut misfit) = misfit(&mut Typed::of(slot), &slot.initial_value) {
        misfit.message = format!("initial value: {}", misfit.message);
        said.push(misfit.at(&slot.place, &slot.name));
    }
}

/// Says which values of a categorical slot are missing, repeated, or text only
/// to YAML 1.2.
fn values(slot: &Slot, said: &mut Vec<Diagnostic>) {
    let SlotKind::Categorical { values } = &slot.kind else {
        return;
    };
    let mut say = |code, message| {
        said.push(crate::check::about(code, &slot.place, &slot.name, message));
    };
    if values.is_empty() {
        let message = format!("categorical slot `{}` has no values", shortened(&slot.name));
        say("W259", message);
    }
    let mut seen: HashSet<&str> = HashSet::new();
    for value in values {
        if !seen.insert(value) {
            let (slot, value) = (shortened(&slot.name), shortened(value));
            let message = format!("slot `{slot}` lists value `{value}` twice");
            say("W259", message);
        }
    }
}
