//! Responses: their placeholders, buttons and conditions, and the questions of
//! forms.

use std::collections::HashSet;

use serde_json::Value;

use crate::check::about;
use crate::check::lines::Lines;
use crate::check::unused::has_custom_actions;
use crate::check::uses::Uses;
use crate::data::Content;
use crate::data::Domain;
use crate::data::Place;
use crate::data::Project;
use crate::data::Response;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::SourceMap;
use crate::diagnostic::Suggestions;
use crate::diagnostic::shortened;
use crate::import::DEFAULT_ACTIONS;
use crate::import::DEFAULT_INTENTS;
use crate::import::DEFAULT_SLOTS;

/// What a domain has, for looking up.
struct Known<'d> {
    slots: HashSet<&'d str>,
    intents: HashSet<&'d str>,
    entities: HashSet<&'d str>,
    near_slots: Suggestions<'d>,
    near_intents: Suggestions<'d>,
    near_entities: Suggestions<'d>,
    /// Whether intents that are not here are nowhere.
    has_all_names: bool,
    /// To find what is not known in its response.
    lines: Lines<'d>,
}

impl<'d> Known<'d> {
    fn of(domain: &'d Domain, texts: &'d SourceMap, has_all_names: bool) -> Self {
        let slots = domain.slots.iter().map(|slot| slot.name.as_str());
        let slots: HashSet<&str> = slots.chain(DEFAULT_SLOTS.iter().copied()).collect();
        let intents = domain.intents.iter().map(|intent| intent.name.as_str());
        let intents: HashSet<&str> = intents.chain(DEFAULT_INTENTS.iter().copied()).collect();
        let entities: HashSet<&str> = domain.entities.iter().map(|e| e.name.as_str()).collect();
        Self {
            near_slots: Suggestions::new(slots.iter().copied()),
            near_intents: Suggestions::new(intents.iter().copied()),
            near_entities: Suggestions::new(entities.iter().copied()),
            slots,
            intents,
            entities,
            has_all_names,
            lines: Lines::new(texts),
        }
    }
}

/// Says what is odd about responses; which intents and responses are missing, only
/// if all their names are there.
pub fn check(
    project: &Project,
    uses: &Uses<'_>,
    texts: &SourceMap,
    has_all_names: bool,
    said: &mut Vec<Diagnostic>,
) {
    let domain = &project.domain;
    let mut known = Known::of(domain, texts, has_all_names);
    let has_custom = has_custom_actions(domain);
    for (name, variations) in domain.responses.iter() {
        let place = domain.response_places.of(name);
        if !name.starts_with("utter_") {
            let shown = shortened(name);
            let message = format!("response `{shown}` does not start with `utter_`");
            let help = "no story can name it: only `utter_…` is taken for a response";
            let mut diagnostic = about("W253", &place, name, message).help(help);
            if has_custom {
                // A custom action may send it by this name.
                diagnostic.severity = Severity::Note;
            }
            said.push(diagnostic);
        }
        // A custom action may fill placeholders with values of its own.
        let is_filled_by_slots = uses.is_run(name) || !has_custom;
        for response in variations {
            if is_filled_by_slots {
                placeholders(name, response, &place, &mut known, said);
            }
            buttons(name, response, &place, &mut known, said);
            conditions(name, response, &place, &mut known, said);
        }
    }
    if has_all_names {
        questions(domain, said);
        unwritten(domain, said);
    }
}

/// Returns the texts of a response in which slots are filled in.
fn texts(response: &Response) -> impl Iterator<Item = &str> {
    let own = ["text", "image"].into_iter();
    let own = own.filter_map(|key| response.get(key)?.as_str());
    own.chain(titles(response))
}

fn buttons_of(response: &Response) -> impl Iterator<Item = &Content> {
    let lists = ["buttons", "quick_replies"].into_iter();
    lists
        .filter_map(|key| response.get(key)?.as_list())
        .flatten()
}

fn titles(response: &Response) -> impl Iterator<Item = &str> {
    buttons_of(response).filter_map(|button| button.get("title")?.as_str())
}

/// Returns what the buttons of a response send.
pub fn payloads(response: &Response) -> impl Iterator<Item = &str> {
    buttons_of(response).filter_map(|button| button.get("payload")?.as_str())
}

/// Returns intent and the rest of a message such as `/inform{"city": "Rome"}`;
/// none of a message that is just a text.
pub fn command(payload: &str) -> Option<(&str, &str)> {
    let rest = payload.trim().strip_prefix('/')?;
    let end = rest.find(['{', ' ', '@']).unwrap_or(rest.len());
    let (intent, rest) = rest.split_at(end);
    let is_name = !intent.is_empty() && !intent.contains(['(', '{']);
    is_name.then_some((intent, rest.trim()))
}

/// Returns the names in braces that can be slots.
fn names_in_braces(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        let is_name = !name.is_empty()
            && !name.contains(|c: char| c.is_whitespace() || "\"':,[]()".contains(c));
        is_name.then_some(name)
    })
}

/// Returns the slots that a response names in texts and conditions.
pub fn slots(response: &Response) -> Vec<String> {
    let texts = texts(response).chain(payloads(response));
    let in_texts = texts.flat_map(names_in_braces).map(str::to_owned);
    in_texts.chain(conditional_slots(response)).collect()
}

fn conditional_slots(response: &Response) -> impl Iterator<Item = String> {
    let list = response.get("condition").and_then(Content::as_list);
    let name = |condition: &Content| Some(condition.get("name")?.as_str()?.to_owned());
    list.into_iter().flatten().filter_map(name)
}

fn placeholders(
    response: &str,
    variation: &Response,
    place: &Place,
    known: &mut Known<'_>,
    said: &mut Vec<Diagnostic>,
) {
    let unknown = texts(variation)
        .flat_map(names_in_braces)
        .filter(|name| !known.slots.contains(name));
    for name in unknown {
        let (shown, slot) = (shortened(response), shortened(name));
        let message = format!("response `{shown}` names slot `{slot}`, which is not defined");
        let mut diagnostic = about("W247", place, response, message)
            .help("the text is sent with the braces as they are")
            .suggest_of(name, &mut known.near_slots);
        known.lines.narrow_below(&mut diagnostic, "{", name);
        said.push(diagnostic);
    }
}

fn buttons(
    response: &str,
    variation: &Response,
    place: &Place,
    known: &mut Known<'_>,
    said: &mut Vec<Diagnostic>,
) {
    for payload in payloads(variation) {
        let Some((intent, rest)) = command(payload) else {
            continue;
        };
        let base = intent.split('/').next().unwrap_or(intent);
        if known.has_all_names && !known.intents.contains(base) {
            let (shown, intent) = (shortened(response), shortened(base));
            let message =
                format!("a button of `{shown}` sends intent `{intent}`, which is not defined");
            let about = about("W248", place, response, message);
            let mut about = about.suggest_of(base, &mut known.near_intents);
            known.lines.narrow_below(&mut about, "/", base);
            said.push(about);
        }
        // Placeholders are filled in before the message is read.
        if rest.is_empty() || rest.contains("{{") || rest.matches('{').count() > 1 {
            continue;
        }
        match serde_json::from_str::<Value>(rest) {
            Ok(Value::Object(map)) => {
                for entity in map.keys().filter(|e| !known.entities.contains(e.as_str())) {
                    let message = format!(
                        "a button of `{}` sends entity `{}`, which is not defined",
                        shortened(response),
                        shortened(entity)
                    );
                    let about = about("W248", place, response, message);
                    let mut about = about.suggest_of(entity, &mut known.near_entities);
                    known.lines.narrow_below(&mut about, "\"", entity);
                    said.push(about);
                }
            }
            _ if rest.starts_with('{') => {
                let (shown, rest) = (shortened(response), shortened(rest));
                let message = format!("a button of `{shown}` sends `{rest}`, which is no JSON");
                let help = "write entities as `/intent{\"entity\": \"value\"}`";
                said.push(about("W248", place, response, message).help(help));
            }
            _ => {}
        }
    }
}

fn conditions(
    response: &str,
    variation: &Response,
    place: &Place,
    known: &mut Known<'_>,
    said: &mut Vec<Diagnostic>,
) {
    for name in conditional_slots(variation) {
        if !known.slots.contains(name.as_str()) {
            let (shown, slot) = (shortened(response), shortened(&name));
            let message =
                format!("a condition of `{shown}` names slot `{slot}`, which is not defined");
            let about = about("W249", place, response, message);
            let mut about = about.suggest_of(&name, &mut known.near_slots);
            known.lines.narrow_below(&mut about, "name: ", &name);
            said.push(about);
        }
    }
}

/// Says which slots forms ask for without having a question.
fn questions(domain: &Domain, said: &mut Vec<Diagnostic>) {
    let actions: HashSet<&str> = domain.actions.iter().map(String::as_str).collect();
    let has = |name: &str| domain.responses.contains_key(name) || actions.contains(name);
    for form in &domain.forms {
        for slot in &form.required_slots {
            let asks = ["utter_ask", "action_ask"].iter().any(|prefix| {
                has(&format!("{prefix}_{slot}")) || has(&format!("{prefix}_{}_{slot}", form.name))
            });
            if !asks {
                let (of, slot) = (shortened(&form.name), shortened(slot));
                let message = format!("form `{of}` has no question for slot `{slot}`");
                let names = format!("`utter_ask_{slot}` or `utter_ask_{of}_{slot}`");
                let about = about("W250", &form.place, &form.name, message);
                said.push(about.help(format!("add the response {names}")));
            }
        }
    }
}

/// Says which responses are listed as actions and have no text.
fn unwritten(domain: &Domain, said: &mut Vec<Diagnostic>) {
    let retrieval: HashSet<String> = domain
        .intents
        .iter()
        .filter(|intent| intent.is_retrieval)
        .map(|intent| format!("utter_{}", intent.name))
        .collect();
    let mut near = Suggestions::new(domain.responses.keys().map(String::as_str));
    for name in &domain.actions {
        if name.starts_with("utter_")
            && !domain.responses.contains_key(name)
            && !retrieval.contains(name)
            && !DEFAULT_ACTIONS.contains(&name.as_str())
        {
            let place = domain.action_places.of(name);
            let shown = shortened(name);
            let message =
                format!("action `{shown}` is listed, but there is no response of that name");
            let about = about("W260", &place, name, message)
                .help("add it under `responses`")
                .suggest_of(name, &mut near);
            said.push(about);
        }
    }
}
