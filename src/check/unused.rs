//! What a domain lists and nothing uses.
//!
//! A custom action may use anything, so where there are custom actions less is
//! certain, and less is said.

use std::collections::HashSet;

use crate::check::about;
use crate::check::uses::Uses;
use crate::data::Domain;
use crate::data::MappingKind;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Severity;
use crate::diagnostic::Suggestions;
use crate::diagnostic::shortened;
use crate::import::DEFAULT_INTENTS;
use crate::import::Extent;

/// Responses that default actions send.
const SENT_BY_DEFAULT_ACTIONS: [&str; 5] = [
    "utter_default",
    "utter_ask_rephrase",
    "utter_restart",
    "utter_back",
    "utter_goodbye",
];

/// Actions that Rasa runs by itself where they are listed.
const RUN_BY_RASA: [&str; 3] = [
    "action_validate_slot_mappings",
    "action_session_start",
    "action_default_fallback",
];

/// Components that find the entities of examples, and none of their own.
const LEARNERS: [&str; 3] = [
    "DIETClassifier",
    "CRFEntityExtractor",
    "RegexEntityExtractor",
];

/// Says what is not used; what a config may use, only if all of it was read.
pub fn check(project: &Project, uses: &Uses<'_>, config: Extent, said: &mut Vec<Diagnostic>) {
    let has_config = config == Extent::Whole;
    if !project.nlu.examples.is_empty() {
        intents_without_examples(project, uses, said);
        if has_config {
            entities(project, uses, said);
        }
    }
    if project.stories.steps.is_empty() {
        return;
    }
    intents(project, uses, said);
    responses(&project.domain, uses, said);
    if has_config {
        actions(project, uses, said);
    }
    forms(&project.domain, uses, said);
    slots(&project.domain, uses, said);
}

/// Custom actions apart from those of retrieval intents.
pub fn has_custom_actions(domain: &Domain) -> bool {
    let is_custom = |name: &String| !name.starts_with("utter_");
    domain.actions.iter().any(is_custom)
}

fn intents_without_examples(project: &Project, uses: &Uses<'_>, said: &mut Vec<Diagnostic>) {
    let intents = &project.domain.intents;
    let listed: HashSet<&str> = intents.iter().map(|one| one.name.as_str()).collect();
    let unlisted = uses.example_intents.keys().copied();
    let mut near = Suggestions::new(unlisted.filter(|name| !listed.contains(name)));
    for intent in intents {
        let name = intent.name.as_str();
        if DEFAULT_INTENTS.contains(&name)
            || uses.example_intents.contains_key(name)
            || uses.sent.contains(name)
            || name.starts_with("EXTERNAL")
        {
            continue;
        }
        let shown = shortened(name);
        let message = format!("intent `{shown}` has no examples: no message is ever taken for it");
        said.push(about("W240", &intent.place, name, message).suggest_of(name, &mut near));
    }
}

fn entities(project: &Project, uses: &Uses<'_>, said: &mut Vec<Diagnostic>) {
    // Other extractors bring entities of their own, which no example shows.
    let is_extractor = |name: &str| name.ends_with("Extractor") && !LEARNERS.contains(&name);
    let mut pipeline = project.config.pipeline.iter();
    if project.config.pipeline.is_empty() || pipeline.any(|one| is_extractor(&one.name)) {
        return;
    }
    let patterns = project.nlu.patterns.iter().map(|one| one.name.as_str());
    let tables = project.nlu.lookups.iter().map(|one| one.name.as_str());
    let found: HashSet<&str> = patterns.chain(tables).collect();
    for entity in &project.domain.entities {
        let name = entity.name.as_str();
        if !(uses.example_entities.contains_key(name)
            || uses.story_entities.contains_key(name)
            || found.contains(name))
        {
            let shown = shortened(name);
            let message =
                format!("entity `{shown}` is annotated in no example: it is never recognised");
            said.push(about("W246", &entity.place, name, message));
        }
    }
}

fn intents(project: &Project, uses: &Uses<'_>, said: &mut Vec<Diagnostic>) {
    let has_forms = !project.domain.forms.is_empty();
    for intent in &project.domain.intents {
        let name = intent.name.as_str();
        if DEFAULT_INTENTS.contains(&name)
            || !uses.example_intents.contains_key(name)
            || uses.intents.contains_key(name)
            || uses.mapped.contains(name)
            || has_forms && uses.answering.contains(name)
            || intent.triggers.is_some()
        {
            continue;
        }
        let shown = shortened(name);
        let message = format!("no story, rule or form says what to do after intent `{shown}`");
        said.push(about("W241", &intent.place, name, message));
    }
}

fn responses(domain: &Domain, uses: &Uses<'_>, said: &mut Vec<Diagnostic>) {
    let retrieval: HashSet<&str> = domain
        .intents
        .iter()
        .filter(|intent| intent.is_retrieval)
        .map(|intent| intent.name.as_str())
        .collect();
    let triggered: HashSet<&str> = triggers(domain).collect();
    let has_custom = has_custom_actions(domain);
    for (name, place) in domain.response_places.0.iter() {
        let of_retrieval = name.strip_prefix("utter_").is_some_and(|rest| {
            let base = rest.split('/').next().unwrap_or(rest);
            retrieval.contains(base)
        });
        if of_retrieval
            || uses.is_run(name)
            || SENT_BY_DEFAULT_ACTIONS.contains(&name.as_str())
            || triggered.contains(name.as_str())
        {
            continue;
        }
        let message = format!(
            "no story, rule or form sends response `{}`",
            shortened(name)
        );
        let mut diagnostic = about("W242", place, name, message);
        if has_custom {
            diagnostic.severity = Severity::Note;
            diagnostic = diagnostic.help("nothing to do if a custom action sends it");
        }
        said.push(diagnostic);
    }
}

fn triggers(domain: &Domain) -> impl Iterator<Item = &str> {
    let triggers = domain.intents.iter();
    triggers.filter_map(|intent| intent.triggers.as_deref())
}

fn actions(project: &Project, uses: &Uses<'_>, said: &mut Vec<Diagnostic>) {
    let domain = &project.domain;
    let mut used: HashSet<&str> = triggers(domain).collect();
    for mapping in domain.slots.iter().flat_map(|slot| &slot.mappings) {
        if let MappingKind::Custom {
            action: Some(action),
        } = &mapping.kind
        {
            used.insert(action);
        }
    }
    let policies = project.config.policies.iter();
    let fallbacks = policies.flat_map(|policy| policy.options.values());
    used.extend(fallbacks.filter_map(serde_json::Value::as_str));
    let forms = domain.forms.iter().map(|form| form.name.as_str());
    let forms: HashSet<&str> = forms.collect();
    let is_of_form = |name: &str| {
        let validated = name.strip_prefix("validate_");
        forms.contains(name) || validated.is_some_and(|form| forms.contains(form))
    };
    for name in &domain.actions {
        let known = name.as_str();
        if uses.is_run(known)
            || used.contains(known)
            || is_of_form(known)
            || RUN_BY_RASA.contains(&known)
            || known.starts_with("utter_")
        {
            continue;
        }
        let place = domain.action_places.of(known);
        let message = format!("no story, rule or form runs action `{}`", shortened(name));
        let diagnostic = about("W243", &place, name, message);
        said.push(diagnostic.help("nothing to do if another action starts it"));
    }
}

fn forms(domain: &Domain, uses: &Uses<'_>, said: &mut Vec<Diagnostic>) {
    for form in &domain.forms {
        let name = form.name.as_str();
        if !uses.actions.contains_key(name) && !uses.loops.contains_key(name) {
            let message = format!("no story or rule starts form `{}`", shortened(name));
            said.push(about("W245", &form.place, name, message));
        }
    }
}

/// Slots that nothing reads. What influences is read by policies, if anything
/// fills it; custom actions may read any.
fn slots(domain: &Domain, uses: &Uses<'_>, said: &mut Vec<Diagnostic>) {
    if has_custom_actions(domain) {
        return;
    }
    let mut read: HashSet<String> = HashSet::new();
    for response in domain.responses.values().flatten() {
        read.extend(crate::check::responses::slots(response));
    }
    let required = domain.forms.iter().flat_map(|form| &form.required_slots);
    read.extend(required.cloned());
    for slot in &domain.slots {
        let name = slot.name.as_str();
        let is_filled = !slot.mappings.is_empty() || slot.auto_fill;
        let is_seen = slot.influences && (is_filled || !slot.initial_value.is_null());
        if !is_seen && !uses.slots.contains_key(name) && !read.contains(name) {
            let message = format!("nothing reads slot `{}`", shortened(name));
            said.push(about("W244", &slot.place, name, message));
        }
    }
}
