//! Reads the sections of one domain file; `merge` makes one domain of several.

mod labels;
mod slots;
mod forms;
mod merge;

use foldhash::HashSet;
use foldhash::HashSetExt;

use crate::data::Entity;
use crate::data::Intent;
use crate::data::Place;
use crate::data::SessionConfig;
use crate::data::Slot;
use crate::import::dialect::Signs;
use crate::import::domain::forms::FormPart;
use crate::import::reading::Reading;
use crate::import::responses;
use crate::import::responses::NamedResponse;
use crate::import::responses::Variations;
use crate::import::yaml::Node;
use crate::import::yaml::Yaml;

pub use merge::merge;

/// What one file says.
#[derive(Debug, Default)]
pub struct DomainPart {
    /// Index of the path that the file was found by: a file of its own, or the
    /// folder that holds it.
    pub group: usize,
    /// What it says about the version that it was written for.
    pub signs: Signs,
    /// Whether a section has another shape than it must have: its names are not
    /// known.
    pub is_short: bool,
    intents: Vec<Intent>,
    entities: Vec<Entity>,
    slots: Vec<Slot>,
    responses: Vec<NamedResponse>,
    actions: Vec<(String, Place)>,
    forms: Vec<FormPart>,
    e2e_actions: Vec<String>,
    session: Option<(SessionConfig, Place)>,
    store_entities_as_slots: Option<(bool, Place)>,
    /// Places of `triggers`, checked when all actions are known.
    triggers: Vec<(String, Place)>,
}

/// Reads the domain sections of a file.
pub fn read(root: &Node, reading: &mut Reading) -> DomainPart {
    let mut part = DomainPart {
        signs: Signs::of_domain(root),
        ..DomainPart::default()
    };
    for entry in root.entries() {
        let value = &entry.value;
        part.is_short |= !has_shape(&entry.key, value);
        match entry.key.as_str() {
            "intents" => labels::intents(value, &mut part, reading),
            "entities" => labels::entities(value, &mut part, reading),
            "slots" => part.slots = slots::read(value, reading),
            "responses" => {
                let read = responses::read(value, Variations::Maps, reading);
                part.responses.extend(read);
            }
            "actions" => labels::actions(value, &mut part, reading),
            "forms" => part.forms = forms::read(value, reading),
            "e2e_actions" => part.e2e_actions = reading.names(Some(value), "`e2e_actions`"),
            "session_config" => {
                part.session = Some((session(value, reading), reading.place(&entry.at)));
            }
            "config" => {
                reading.misspelt("W261", value, "`config`", &["store_entities_as_slots"]);
                let mut options = value.entries().iter();
                if let Some(store) = options.find(|one| one.key == *"store_entities_as_slots") {
                    let flag = reading.flag(Some(&store.value), "`store_entities_as_slots`");
                    let place = reading.place(&store.at);
                    part.store_entities_as_slots = flag.map(|flag| (flag, place));
                }
            }
            "templates" => templates(value, &entry.at, &mut part, reading),
            _ => {}
        }
    }
    sdk_forms(&mut part, reading);
    keep_first(&mut part.responses, reading);
    part
}

/// Returns whether a section that lists names is a list or map, as it must be.
fn has_shape(section: &str, value: &Node) -> bool {
    match section {
        "intents" | "entities" | "actions" => {
            matches!(value.yaml, Yaml::List(_)) || value.is_null()
        }
        "slots" | "responses" | "templates" => {
            matches!(value.yaml, Yaml::Map(_)) || value.is_null()
        }
        "forms" => !matches!(value.yaml, Yaml::Scalar(_)) || value.is_null(),
        _ => true,
    }
}

/// Reads `templates`, the name of `responses` in Rasa 1.
///
/// Differs from Rasa: 2.0 and later take no notice of the section, so that the
/// bot has nothing to say.
fn templates(node: &Node, at: &Node, part: &mut DomainPart, reading: &mut Reading) {
    let read = responses::read(node, Variations::MapsAndTexts, reading);
    part.responses.extend(read);
    let what = "`templates` is read as `responses`, its name since Rasa 2";
    let about = reading
        .about("N211", at, what)
        .help("rename the section to `responses`: Rasa 2 and 3 overlook `templates`");
    reading.diagnostics.push(about);
}

/// Reports responses that stand in `responses` and in `templates`; the first of
/// the file is kept.
fn keep_first(responses: &mut Vec<NamedResponse>, reading: &mut Reading) {
    let listed = responses.iter().map(|r| (r.name.as_str(), &r.place));
    labels::report_repeats("response", listed, reading);
    let mut seen = HashSet::new();
    responses.retain(|response| seen.insert(response.name.clone()));
}

/// Makes the forms that are listed by name alone custom actions, too.
///
/// Rasa 2: their code is the SDK's `FormAction`. One that is listed under
/// `actions` besides is refused, as there.
fn sdk_forms(part: &mut DomainPart, reading: &mut Reading) {
    let names = part.forms.iter().filter(|form| form.is_action);
    let names: Vec<(String, Place)> = names
        .map(|part| (part.form.name.clone(), part.form.place.clone()))
        .collect();
    if names.is_empty() {
        return;
    }
    part.actions.extend(names);
    let listed = part
        .actions
        .iter()
        .map(|(name, place)| (name.as_str(), place));
    labels::report_repeats("action", listed, reading);
}

/// Keys of `session_config`.
const SESSION_KEYS: &[&str] = &[
    "session_expiration_time",
    "carry_over_slots_to_new_session",
    // Rasa 3.7 and later have it.
    "start_session_after_expiry",
];

/// Reads `session_config`.
fn session(node: &Node, reading: &mut Reading) -> SessionConfig {
    reading.expect_map(node, "`session_config`");
    reading.misspelt("W261", node, "`session_config`", SESSION_KEYS);
    let default = SessionConfig::default();
    let minutes = node.get("session_expiration_time");
    let carry = node.get("carry_over_slots_to_new_session");
    if let Some(node) = minutes
        && node.to_json().as_f64().is_some_and(|minutes| minutes < 0.0)
    {
        let about = reading
            .about("E225", node, "a session cannot end before it began")
            .help("write minutes of silence, or 0 for sessions without end");
        reading.diagnostics.push(about);
    }
    SessionConfig {
        expiration_minutes: reading
            .number(minutes, "`session_expiration_time`")
            .unwrap_or(default.expiration_minutes),
        carry_over_slots: reading
            .flag(carry, "`carry_over_slots_to_new_session`")
            .unwrap_or(default.carry_over_slots),
    }
}
