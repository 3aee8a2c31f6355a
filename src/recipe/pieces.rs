//! What slices consist of, in the user's words: the pieces that reasons name.
//!
//! Each piece has a label, where it was written and its parts (`intent: greet`);
//! a reason shows the parts that differ. Pieces are made only when somebody asks
//! why, so nothing here decides what is stale, and names, places and the order
//! of files stay out of every key.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::archive::ComponentEntry;
use crate::data::Annotation;
use crate::data::Checkpoint;
use crate::data::Component;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Example;
use crate::data::Intent;
use crate::data::NluData;
use crate::data::Place;
use crate::data::Places;
use crate::data::Project;
use crate::data::Response;
use crate::data::STORY_START;
use crate::data::Step;
use crate::data::StoryGraph;
use crate::data::UsedEntities;
use crate::data::Utterance;
use crate::digest::Digest;
use crate::engine::Item;
use crate::engine::Items;
use crate::nlu::Synonyms;
use crate::recipe::ordinals::ordinals;

/// Returns a piece whose contents are `value`.
fn piece<T: Serialize + ?Sized>(label: String, value: &T, place: &Place) -> Item {
    Item::new(label, Digest::of_value(value), file_line(place))
}

/// Returns a place as reasons show it; empty when unknown.
pub fn file_line(place: &Place) -> String {
    match place.is_known() {
        true => format!("{}:{}", place.file, place.line),
        false => String::new(),
    }
}

/// Returns the examples, whose contents `digest` tells, without annotations.
pub fn messages(examples: &[Example], digest: fn(&Example) -> Digest) -> Items {
    let item = |example: &Example| {
        let label = format!("example `{}`", example.text);
        let intent = example.intent_response_key.as_ref();
        let intent = intent.or(example.intent.as_ref());
        let parts = [("intent", intent), ("response", example.response.as_ref())];
        let parts = parts
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
        Item::new(label, digest(example), file_line(&example.place)).with_parts(parts.collect())
    };
    Items(examples.iter().map(item).collect())
}

/// Returns the examples, whose contents `digest` tells, as they are annotated.
pub fn annotated(examples: &[Example], digest: fn(&Example) -> Digest) -> Items {
    let item = |example: &Example| {
        let label = format!("annotated example `{}`", example.text);
        let mut parts = Vec::new();
        parts.extend(example.intent.iter().map(|name| format!("intent: {name}")));
        if !example.entities.is_empty() {
            parts.push(format!("annotated: {}", annotated_text(example)));
        }
        Item::new(label, digest(example), file_line(&example.place)).with_parts(parts)
    };
    Items(examples.iter().map(item).collect())
}

/// Returns the text with its annotations in Rasa's notation. Of annotations that
/// overlap the later ones stand at the end.
fn annotated_text(example: &Example) -> String {
    let characters: Vec<char> = example.text.chars().collect();
    let mut text = String::new();
    let mut overlapping = String::new();
    let mut at = 0;
    let mut entities: Vec<&Annotation> = example.entities.iter().collect();
    entities.sort_by_key(|entity| (entity.start, entity.end));
    for entity in entities {
        let end = entity.end.min(characters.len());
        let piece: String = characters[entity.start.min(end)..end].iter().collect();
        let shown = format!("[{piece}]{}", meaning(entity, &piece));
        if entity.start < at {
            overlapping.push(' ');
            overlapping.push_str(&shown);
            continue;
        }
        text.extend(&characters[at..entity.start.min(end)]);
        text.push_str(&shown);
        at = end;
    }
    text.extend(&characters[at..]);
    text + &overlapping
}

/// What stands behind the brackets of an annotation.
fn meaning(entity: &Annotation, piece: &str) -> String {
    let is_plain = entity.value.as_str() == Some(piece);
    if is_plain && entity.role.is_none() && entity.group.is_none() {
        return format!("({})", entity.entity);
    }
    let mut map = BTreeMap::from([("entity", Value::from(entity.entity.as_str()))]);
    let texts = [("role", &entity.role), ("group", &entity.group)];
    for (name, value) in texts {
        map.extend(value.as_deref().map(|value| (name, Value::from(value))));
    }
    if !is_plain {
        map.insert("value", entity.value.clone());
    }
    serde_json::to_string(&map).unwrap_or_default()
}

/// Returns regular expressions and lookup tables.
pub fn patterns(nlu: &NluData) -> Items {
    let regexes = nlu.patterns.iter().map(|pattern| {
        let label = format!("regex `{}`", pattern.name);
        piece(label, pattern, &pattern.place)
            .with_parts(vec![format!("pattern: {}", pattern.pattern)])
    });
    let lookups = nlu.lookups.iter().map(|lookup| {
        let label = format!("lookup `{}`", lookup.name);
        let phrases = lookup.elements.iter();
        piece(label, &(&lookup.name, &lookup.elements), &lookup.place)
            .with_parts(phrases.map(|phrase| format!("phrase: {phrase}")).collect())
    });
    Items(regexes.chain(lookups).collect())
}

/// Returns names of entity types.
pub fn entity_types(names: &BTreeSet<String>) -> Items {
    let item = |name: &String| piece(format!("entity type `{name}`"), name, &Place::default());
    Items(names.iter().map(item).collect())
}

/// Returns what texts mean. `places` tells where that was written.
pub fn synonyms(synonyms: &Synonyms, places: &Places) -> Items {
    let lower: BTreeMap<String, &Place> = places
        .0
        .iter()
        .map(|(text, place)| (text.to_lowercase(), place))
        .collect();
    let nowhere = Place::default();
    let item = |(text, value): (&String, &String)| {
        let place = lower.get(text).copied().unwrap_or(&nowhere);
        piece(format!("synonym `{text}`"), &(text, value), place)
            .with_parts(vec![format!("value: {value}")])
    };
    Items(synonyms.values().iter().map(item).collect())
}

/// Returns where responses are written: what the NLU data says goes before the
/// domain.
pub fn response_places(project: &Project) -> Places {
    let mut places = project.domain.response_places.clone();
    let of_nlu = project.nlu.response_places.0.iter();
    let of_nlu = of_nlu.map(|(name, place)| (name.clone(), place.clone()));
    Arc::make_mut(&mut places.0).extend(of_nlu);
    places
}

/// Returns responses, one piece a variation.
pub fn responses(responses: &BTreeMap<String, Vec<Response>>, places: &Places) -> Items {
    let each = responses
        .iter()
        .flat_map(|(name, all)| all.iter().map(move |one| (name, one)));
    let item = |(name, variation): (&String, &Response)| {
        piece(format!("response `{name}`"), variation, &places.of(name))
            .with_parts(fields(variation, &[]))
    };
    Items(each.map(item).collect())
}

/// Returns names of retrieval intents.
pub fn retrieval_intents(names: &[String]) -> Items {
    let item = |name: &String| {
        piece(
            format!("retrieval intent `{name}`"),
            name,
            &Place::default(),
        )
    };
    Items(names.iter().map(item).collect())
}

/// Returns everything in a domain but texts of responses.
pub fn domain(domain: &Domain) -> Items {
    let nowhere = Place::default();
    let mut items = Vec::new();
    items.extend(domain.intents.iter().map(intent));
    items.extend(domain.entities.iter().map(|entity| {
        piece(format!("entity `{}`", entity.name), entity, &entity.place)
            .with_parts(fields(entity, &["name"]))
    }));
    items.extend(domain.slots.iter().map(|slot| {
        piece(format!("slot `{}`", slot.name), slot, &slot.place)
            .with_parts(fields(slot, &["name"]))
    }));
    items.extend(domain.forms.iter().map(|form| {
        piece(format!("form `{}`", form.name), form, &form.place)
            .with_parts(fields(form, &["name"]))
    }));
    items.extend(domain.actions.iter().map(|action| {
        let place = domain.action_places.of(action);
        piece(format!("action `{action}`"), action, &place)
    }));
    items.extend(domain.responses.keys().map(|name| {
        let place = domain.response_places.of(name);
        piece(format!("name of response `{name}`"), name, &place)
    }));
    items.extend(
        domain
            .e2e_actions
            .iter()
            .map(|text| piece(format!("bot text `{text}`"), text, &nowhere)),
    );
    items.push(
        piece("session settings".to_owned(), &domain.session, &nowhere)
            .with_parts(fields(&domain.session, &[])),
    );
    let store = domain.store_entities_as_slots;
    items.push(
        piece("`store_entities_as_slots`".to_owned(), &store, &nowhere)
            .with_parts(vec![format!("value: {store}")]),
    );
    Items(items)
}

fn intent(intent: &Intent) -> Item {
    let list = |names: &[String]| format!("[{}]", names.join(", "));
    let mut parts = match &intent.used_entities {
        UsedEntities::All => Vec::new(),
        UsedEntities::Only(names) => vec![format!("use_entities: {}", list(names))],
        UsedEntities::AllBut(names) => vec![format!("ignore_entities: {}", list(names))],
    };
    if intent.is_retrieval {
        parts.push("is_retrieval_intent: true".to_owned());
    }
    parts.extend(
        intent
            .triggers
            .iter()
            .map(|name| format!("triggers: {name}")),
    );
    piece(format!("intent `{}`", intent.name), intent, &intent.place).with_parts(parts)
}

/// Returns stories and rules, one piece each, whose parts are what happens.
pub fn stories(graph: &StoryGraph) -> Items {
    let item = |steps: &[Step]| {
        let first = &steps[0];
        let kind = if first.is_rule { "rule" } else { "story" };
        let label = format!("{kind} `{}`", first.block_name);
        let mut item = piece(label, steps, &first.place);
        for step in steps {
            step_parts(step, &mut item);
        }
        item
    };
    Items(graph.steps.chunk_by(same_block).map(item).collect())
}

/// Whether two neighbouring steps were written as one story or rule.
fn same_block(a: &Step, b: &Step) -> bool {
    a.is_rule == b.is_rule
        && a.block_name == b.block_name
        && a.place.file == b.place.file
        && a.place.line == b.place.line
}

/// Adds checkpoints and events of a step to its story. Checkpoints that stand
/// for the way a story was written have no name that the user knows.
fn step_parts(step: &Step, item: &mut Item) {
    let mut part = |text: String, line: u32| {
        item.parts.push(text);
        item.lines.push(line);
    };
    for checkpoint in &step.start_checkpoints {
        if let Some(text) = checkpoint_part(checkpoint) {
            part(text, step.place.line);
        }
    }
    for (index, event) in step.events.iter().enumerate() {
        // The marker before a rule is not written by the user.
        if step.is_rule && *event == Event::Action("...".into()) {
            continue;
        }
        let place = step.event_places.get(index).unwrap_or(&step.place);
        part(event_part(event), place.line);
    }
    for checkpoint in &step.end_checkpoints {
        if let Some(text) = checkpoint_part(checkpoint) {
            part(text, step.place.line);
        }
    }
}

fn checkpoint_part(checkpoint: &Checkpoint) -> Option<String> {
    let name = &checkpoint.name;
    if name == STORY_START || name.starts_with("GENR_") {
        return None;
    }
    Some(match checkpoint.conditions.is_empty() {
        true => format!("checkpoint: {name}"),
        false => format!("checkpoint: {name} {}", json(&checkpoint.conditions)),
    })
}

fn event_part(event: &Event) -> String {
    match event {
        Event::User(utterance) => utterance_part(utterance),
        Event::Action(name) => format!("action: {name}"),
        Event::BotText(text) => format!("bot: {text}"),
        Event::Slot { name, value } => format!("slot_was_set: {name}: {}", shown(value)),
        Event::ActiveLoop(name) => {
            format!("active_loop: {}", name.as_deref().unwrap_or("null"))
        }
        Event::Or(events) => {
            let each: Vec<String> = events.iter().map(event_part).collect();
            format!("or: {}", each.join(" | "))
        }
    }
}

fn utterance_part(utterance: &Utterance) -> String {
    let intent = utterance.intent_response_key.as_ref();
    let mut text = match (intent.or(utterance.intent.as_ref()), &utterance.text) {
        (Some(intent), None) => format!("intent: {intent}"),
        (Some(intent), Some(text)) => format!("intent: {intent} \"{text}\""),
        (None, text) => format!("user: {}", text.as_deref().unwrap_or_default()),
    };
    for entity in utterance.entities.iter() {
        text.push_str(&format!(" [{}: {}]", entity.entity, shown(&entity.value)));
        for (name, value) in [("role", &entity.role), ("group", &entity.group)] {
            if let Some(value) = value {
                text.push_str(&format!(" ({name} {value})"));
            }
        }
    }
    text
}

/// Returns what the archive says of the pipeline or the policies: one piece a
/// component, whose parts are its options after defaults.
pub fn components(entries: &[ComponentEntry], written: &[Component]) -> Items {
    let mut items = Vec::with_capacity(entries.len());
    let ordinals = ordinals(entries.iter().map(|entry| entry.name.as_str()));
    for (index, (entry, ordinal)) in entries.iter().zip(ordinals).enumerate() {
        let label = match ordinal {
            0 => format!("component `{}`", entry.name),
            _ => format!("component `{}` no. {}", entry.name, ordinal + 1),
        };
        let written = written.get(index).filter(|one| one.name == entry.name);
        let place = written.map_or_else(Place::default, |one| one.place.clone());
        let mut item = piece(label, entry, &place);
        for (name, value) in &entry.options {
            let line = |name: &str| {
                let place = written.and_then(|one| one.option_places.get(name));
                place.map(|place| place.name.line)
            };
            option_parts(name, value, &mut |name, last, value| {
                let own = line(last).or_else(|| line(name));
                item.parts.push(format!("{name}: {}", shown(value)));
                item.lines.push(own.unwrap_or(place.line));
            });
        }
        items.push(item);
    }
    Items(items)
}

/// Tells `take` the name, the last piece of the name and the value of an option,
/// and instead of a map those of its entries.
fn option_parts(name: &str, value: &Value, take: &mut impl FnMut(&str, &str, &Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                option_parts(&format!("{name}.{key}"), value, take);
            }
        }
        value => take(name, name.rsplit('.').next().unwrap_or(name), value),
    }
}

/// Returns a single value under its name.
pub fn single<T: Serialize>(name: &str, value: &T) -> Item {
    let shown = serde_json::to_value(value).map_or_else(|_| String::new(), |value| shown(&value));
    piece(format!("`{name}`"), value, &Place::default()).with_parts(vec![format!("value: {shown}")])
}

/// Returns what the fingerprint of one half is made of: nothing but digests.
pub fn halves(
    config: Digest,
    domain: Option<Digest>,
    labels: Option<Digest>,
    data: Digest,
) -> Items {
    let pieces = [
        ("the configuration", Some(config)),
        ("the domain", domain),
        ("the labels", labels),
        ("the data", Some(data)),
    ];
    let item = |(label, digest): (&str, Option<Digest>)| Some(Item::new(label, digest?, ""));
    Items(pieces.into_iter().filter_map(item).collect())
}

/// Returns the fields of a value but for those in `without`, each as
/// `name: value`; fields of a value in a field count as its own.
fn fields<T: Serialize>(value: &T, without: &[&str]) -> Vec<String> {
    let mut parts = Vec::new();
    if let Ok(Value::Object(map)) = serde_json::to_value(value) {
        for (name, value) in map {
            match value {
                Value::Null => {}
                Value::Object(inner) => {
                    let inner = inner.iter();
                    parts.extend(inner.map(|(name, value)| format!("{name}: {}", shown(value))));
                }
                _ if without.contains(&name.as_str()) => {}
                value => parts.push(format!("{name}: {}", shown(&value))),
            }
        }
    }
    parts
}

/// Returns a value as the user would write it: text without quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
