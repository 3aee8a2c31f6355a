//! Keeps domain and NLU data in step where both know about the same thing:
//! retrieval intents, their responses and actions, and bot texts of stories.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use crate::data::Content;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Intent;
use crate::data::StoryGraph;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Suggestions;
use crate::import::dialect::Dialect;
use crate::import::nlu;
use crate::import::nlu::NluPart;

/// Brings retrieval intents, their actions and all responses of the NLU files
/// into the domain, and responses of retrieval intents into the NLU data.
///
/// Rasa 3.6's `ResponsesSyncImporter`: the NLU data wins; Rasa 2.8: the domain
/// does, and its lists are sorted as after any merge. Differs from Rasa:
/// `use_entities` of a retrieval intent stays as the domain has it.
pub fn sync(domain: &mut Domain, part: &mut NluPart, dialect: Dialect) {
    let retrieval: BTreeSet<String> = nlu::retrieval_intents(&part.data)
        .into_iter()
        .map(str::to_owned)
        .collect();
    add_retrieval(domain, &retrieval);
    let responses = Arc::make_mut(&mut domain.responses);
    for response in &part.responses {
        let variations = response.variations.clone();
        let name = response.name.clone();
        match dialect {
            Dialect::Two => drop(responses.entry(name).or_insert(variations)),
            Dialect::Three => drop(responses.insert(name, variations)),
        }
    }
    if dialect == Dialect::Two && !(retrieval.is_empty() && part.responses.is_empty()) {
        domain.actions.sort();
        domain.entities.sort_by(|a, b| a.name.cmp(&b.name));
    }
    let of_retrieval = domain
        .responses
        .iter()
        .filter(|(name, _)| name.contains('/'));
    part.data.responses = of_retrieval
        .map(|(name, variations)| (name.clone(), variations.clone()))
        .collect();
    fill_responses(part);
}

/// Sees to it that the domain has these retrieval intents and their actions.
fn add_retrieval(domain: &mut Domain, retrieval: &BTreeSet<String>) {
    let mut missing = Vec::new();
    for name in retrieval {
        match domain.intents.binary_search_by(|i| i.name.cmp(name)) {
            Ok(at) => domain.intents[at].is_retrieval = true,
            Err(_) => missing.push(Intent {
                name: name.clone(),
                is_retrieval: true,
                ..Intent::default()
            }),
        }
    }
    domain.intents.extend(missing);
    domain.intents.sort_by(|a, b| a.name.cmp(&b.name));
    let known: HashSet<&String> = domain.actions.iter().collect();
    let actions = retrieval.iter().map(|name| format!("utter_{name}"));
    let actions: Vec<String> = actions.filter(|name| !known.contains(name)).collect();
    domain.actions.extend(actions);
}

/// Adds the domain's responses of retrieval intents to the NLU data, whose own
/// win.
pub fn take_responses(domain: &Domain, part: &mut NluPart) {
    for (name, variations) in domain.responses.iter() {
        if name.contains('/') {
            let own = part.data.responses.entry(name.clone());
            own.or_insert_with(|| variations.clone());
        }
    }
}

/// Gives each example of a retrieval intent the text that answers it: that of
/// the last variation with a text, or else the response's name.
pub fn fill_responses(part: &mut NluPart) {
    let data = &mut part.data;
    for example in &mut data.examples {
        let Some(key) = &example.intent_response_key else {
            continue;
        };
        let name = format!("utter_{key}");
        example.response = data.responses.get(&name).map(|variations| {
            let texts = variations.iter().rev().filter_map(|v| v.get("text"));
            let text = texts.filter_map(Content::as_str).next();
            text.map_or(name, str::to_owned)
        });
    }
}

/// Names the retrieval intents whose keys have no response.
pub fn unanswered(domain: &Domain, part: &NluPart) -> Vec<Diagnostic> {
    let mut named: BTreeSet<&str> = BTreeSet::new();
    let known = domain.responses.keys().map(String::as_str);
    let mut near = Suggestions::new(known.filter(|name| name.contains('/')));
    let mut said = Vec::new();
    for example in &part.data.examples {
        let Some(key) = &example.intent_response_key else {
            continue;
        };
        let name = format!("utter_{key}");
        if !domain.responses.contains_key(&name) && named.insert(key) {
            let what = format!("intent `{key}` has no response `{name}`");
            let about = Diagnostic::new("W217", example.place.clone(), what)
                .help("add it under `responses`")
                .suggest_of(&name, &mut near);
            said.push(about);
        }
    }
    said
}

/// Adds the bot texts of stories to the domain's actions.
///
/// Rasa 3.6's `E2EImporter`: the two lists become one sorted list if the
/// stories have any.
pub fn add_bot_texts(domain: &mut Domain, stories: &StoryGraph) {
    let events = stories.steps.iter().flat_map(|step| &step.events);
    let texts: BTreeSet<&str> = events
        .filter_map(|event| match event {
            Event::BotText(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    if texts.is_empty() {
        return;
    }
    domain
        .e2e_actions
        .extend(texts.into_iter().map(str::to_owned));
    domain.e2e_actions.sort();
    domain.e2e_actions.dedup();
}
