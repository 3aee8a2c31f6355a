//! What forms and slot mappings name beyond entities, which `import` compares:
//! conditions, actions, ignored intents; and intents that start actions.

use std::collections::HashMap;
use std::collections::HashSet;

use crate::check::about;
use crate::data::Domain;
use crate::data::MappingKind;
use crate::data::Slot;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Suggestions;
use crate::diagnostic::shortened;
use crate::import::DEFAULT_INTENTS;

/// The slots that a form asks for.
type Asked<'d> = HashSet<&'d str>;

/// Says what has no effect and, if all intents and actions are there, what names
/// none of them.
pub fn check(domain: &Domain, has_all_names: bool, said: &mut Vec<Diagnostic>) {
    let forms: HashMap<&str, Asked<'_>> = domain
        .forms
        .iter()
        .map(|form| {
            let slots = form.required_slots.iter().map(String::as_str);
            (form.name.as_str(), slots.collect())
        })
        .collect();
    let actions: HashSet<&str> = domain.actions.iter().map(String::as_str).collect();
    let mut near = Suggestions::new(actions.iter().copied());
    for slot in &domain.slots {
        conditions(slot, &forms, said);
        if has_all_names {
            actions_of(slot, &actions, &mut near, said);
        }
    }
    if has_all_names {
        ignored_intents(domain, said);
    }
    triggers(domain, said);
}

/// Rasa 3.6: a mapping with the condition that a form is active is for a slot
/// of that form, unless an intent that starts the form fills it.
fn conditions(slot: &Slot, forms: &HashMap<&str, Asked<'_>>, said: &mut Vec<Diagnostic>) {
    for mapping in &slot.mappings {
        if matches!(mapping.kind, MappingKind::FromTriggerIntent { .. }) {
            continue;
        }
        for condition in &mapping.conditions {
            let form = condition.active_loop.as_deref();
            let Some((form, asked)) = form.and_then(|name| forms.get_key_value(name)) else {
                continue;
            };
            // A form may ask for slots that only its action knows.
            if asked.is_empty() || asked.contains(slot.name.as_str()) {
                continue;
            }
            let message = format!(
                "a mapping of slot `{}` applies in form `{}`, which does not ask for the slot",
                shortened(&slot.name),
                shortened(form)
            );
            let help = "list it under `required_slots` of the form, or drop the condition";
            let about = match mapping.places.0.get(form.to_owned()) {
                Some(place) => about("W254", place, form, message),
                None => about("W254", &slot.place, &slot.name, message),
            };
            said.push(about.help(help));
        }
    }
}

fn actions_of(
    slot: &Slot,
    actions: &HashSet<&str>,
    near: &mut Suggestions<'_>,
    said: &mut Vec<Diagnostic>,
) {
    for mapping in &slot.mappings {
        let MappingKind::Custom { action: Some(name) } = &mapping.kind else {
            continue;
        };
        if !actions.contains(name.as_str()) {
            let message = format!(
                "a mapping of slot `{}` names action `{}`, which is not in the domain",
                shortened(&slot.name),
                shortened(name)
            );
            let about = match mapping.places.0.get(name) {
                Some(place) => about("W257", place, name, message),
                None => about("W257", &slot.place, &slot.name, message),
            };
            said.push(about.suggest_of(name, near));
        }
    }
}

fn ignored_intents(domain: &Domain, said: &mut Vec<Diagnostic>) {
    let intents = domain.intents.iter().map(|intent| intent.name.as_str());
    let intents: HashSet<&str> = intents.chain(DEFAULT_INTENTS.iter().copied()).collect();
    let mut near = Suggestions::new(intents.iter().copied());
    for form in &domain.forms {
        for name in &form.ignored_intents {
            if !intents.contains(name.as_str()) {
                let message = format!(
                    "form `{}` ignores intent `{}`, which is not in the domain",
                    shortened(&form.name),
                    shortened(name)
                );
                let about = about("W258", &form.place, &form.name, message);
                said.push(about.suggest_of(name, &mut near));
            }
        }
    }
}

/// Rasa 3.6 refuses `triggers`; the policy that followed them is gone.
fn triggers(domain: &Domain, said: &mut Vec<Diagnostic>) {
    for intent in &domain.intents {
        if let Some(action) = &intent.triggers {
            let message = format!(
                "intent `{}` has `triggers: {}`, which no policy follows any more",
                shortened(&intent.name),
                shortened(action)
            );
            let help = "write a rule: the intent, then the action";
            said.push(about("W255", &intent.place, &intent.name, message).help(help));
        }
    }
}
