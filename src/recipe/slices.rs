//! The slices of a project that tasks read: each is a value with a digest of
//! its own, so that a change reaches only the tasks that could notice it.
//!
//! | slice | read by | holds | does not hold |
//! |---|---|---|---|
//! | messages | tokenizer, keyword classifier, selectors | texts, intents, response keys and texts | annotations |
//! | annotated | classifiers that learn intents and entities | texts, intents, entities | response keys and texts |
//! | patterns | regex featurizer and extractor | regular expressions, lookup tables | – |
//! | entity types | regex extractor | names of annotated types | where they occur |
//! | synonyms | synonym mapper | text to value, annotated values included | – |
//! | responses | selectors (stored beside the model), package | all variations | – |
//! | core domain | trackers, policies | what conversations are made of | texts of responses, session settings |
//! | stories | trackers | steps | names, places |

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::data::Domain;
use crate::data::Event;
use crate::data::Example;
use crate::data::NluData;
use crate::data::Place;
use crate::data::Project;
use crate::data::Response;
use crate::data::SessionConfig;
use crate::data::Step;
use crate::data::StoryGraph;
use crate::digest::Digest;
use crate::engine::Item;
use crate::engine::Items;
use crate::engine::Leaf;
use crate::nlu::Synonyms;
use crate::nlu::selector;

/// The messages of a project without their annotations.
#[derive(Debug)]
pub struct Messages(Arc<Project>);

/// What the digest of a message is made of.
#[derive(Serialize)]
struct Message<'a> {
    text: &'a str,
    intent: Option<&'a str>,
    intent_response_key: Option<&'a str>,
    response: Option<&'a str>,
}

impl Messages {
    /// Returns the examples in canonical order. Their entities are not in this
    /// slice's digest: only [`Annotated`] may be asked for them.
    pub fn examples(&self) -> &[Example] {
        &self.0.nlu.examples
    }
}

fn message(example: &Example) -> Message<'_> {
    Message {
        text: &example.text,
        intent: example.intent.as_deref(),
        intent_response_key: example.intent_response_key.as_deref(),
        response: example.response.as_deref(),
    }
}

/// The messages of a project with their entities, in the order of [`Messages`].
#[derive(Debug)]
pub struct Annotated(Arc<Project>);

impl Annotated {
    /// Returns the examples in canonical order. Their responses are not in this
    /// slice's digest: only [`Messages`] may be asked for them.
    pub fn examples(&self) -> &[Example] {
        &self.0.nlu.examples
    }
}

/// The stories and rules of a project.
#[derive(Debug)]
pub struct Stories(Arc<Project>);

impl Stories {
    /// Returns the steps of all stories and rules.
    pub fn graph(&self) -> &StoryGraph {
        &self.0.stories
    }
}

/// Every slice of one project, as leaves of its graph.
pub struct Slices {
    /// [`Messages`].
    pub messages: Leaf,
    /// [`Annotated`].
    pub annotated: Leaf,
    /// [`NluData`] with nothing but regular expressions and lookup tables.
    pub patterns: Leaf,
    /// Names of annotated entity types: `BTreeSet<String>`.
    pub entity_types: Leaf,
    /// What texts mean, ready for use: [`Synonyms`].
    pub synonyms: Leaf,
    /// Variations by response name: `BTreeMap<String, Vec<Response>>`.
    pub responses: Leaf,
    /// What selectors may say: [`selector::Responses`].
    pub retrieval_responses: Leaf,
    /// A [`Domain`] without what no policy reads.
    pub core_domain: Leaf,
    /// The whole [`Domain`] but the texts of responses.
    pub domain: Leaf,
    /// [`Stories`].
    pub stories: Leaf,
}

impl Slices {
    /// Returns the slices of `project`.
    pub fn of(project: &Arc<Project>) -> Self {
        let responses = all_responses(project);
        let retrieval: BTreeMap<_, _> = responses
            .iter()
            .filter(|(name, _)| name.contains('/'))
            .collect();
        let retrieval: BTreeMap<String, Vec<Response>> = retrieval
            .into_iter()
            .map(|(name, all)| (name.clone(), all.clone()))
            .collect();
        let domain = without_texts(&project.domain);
        Self {
            messages: messages(project),
            annotated: annotated(project),
            patterns: patterns(project),
            entity_types: Leaf::of_value(Arc::new(entity_types(project))),
            synonyms: synonyms(project),
            responses: responses_leaf(responses),
            retrieval_responses: retrieval_responses(project, retrieval),
            core_domain: domain_leaf(for_policies(&domain)),
            domain: domain_leaf(domain),
            stories: stories(project),
        }
    }
}

fn messages(project: &Arc<Project>) -> Leaf {
    let items = project.nlu.examples.iter().map(|example| {
        let label = match &example.intent {
            Some(intent) => format!("example `{}` of `{intent}`", shortened(&example.text)),
            None => format!("example `{}`", shortened(&example.text)),
        };
        item(label, &message(example), &example.place)
    });
    itemised(items.collect(), Arc::new(Messages(Arc::clone(project))))
}

fn annotated(project: &Arc<Project>) -> Leaf {
    let items = project.nlu.examples.iter().map(|example| {
        let label = format!("annotated example `{}`", shortened(&example.text));
        item(
            label,
            &(&example.text, &example.intent, &example.entities),
            &example.place,
        )
    });
    itemised(items.collect(), Arc::new(Annotated(Arc::clone(project))))
}

fn patterns(project: &Project) -> Leaf {
    let nlu = &project.nlu;
    let regexes = nlu
        .patterns
        .iter()
        .map(|pattern| item(format!("regex `{}`", pattern.name), pattern, &pattern.place));
    let lookups = nlu
        .lookups
        .iter()
        .map(|lookup| item(format!("lookup `{}`", lookup.name), lookup, &lookup.place));
    let items = regexes.chain(lookups).collect();
    let value = NluData {
        patterns: nlu.patterns.clone(),
        lookups: nlu.lookups.clone(),
        ..NluData::default()
    };
    itemised(items, Arc::new(value))
}

/// Annotated values count as synonyms too, so the slice is what the mapper would
/// learn: learning it costs less than hashing all it is learned from.
fn synonyms(project: &Project) -> Leaf {
    let synonyms = Synonyms::fit(&project.nlu);
    let items = synonyms.values().iter().map(|(text, value)| {
        item(
            format!("synonym `{text}` of `{value}`"),
            &(text, value),
            &Place::default(),
        )
    });
    itemised(items.collect(), Arc::new(synonyms))
}

/// Entity types of the NLU data and of stories: Rasa's extractor knows both.
fn entity_types(project: &Project) -> BTreeSet<String> {
    let examples = project
        .nlu
        .examples
        .iter()
        .flat_map(|example| &example.entities);
    let stories = project.stories.steps.iter().flat_map(|step| &step.events);
    let stories = stories.filter_map(|event| match event {
        Event::User(utterance) => Some(&utterance.entities),
        _ => None,
    });
    examples
        .chain(stories.flatten())
        .map(|annotation| annotation.entity.clone())
        .collect()
}

/// Responses of the domain and of the NLU data; Rasa 3.6 lets the latter win.
fn all_responses(project: &Project) -> BTreeMap<String, Vec<Response>> {
    let mut responses = project.domain.responses.clone();
    responses.extend(project.nlu.responses.clone());
    responses
}

fn retrieval_responses(project: &Project, responses: BTreeMap<String, Vec<Response>>) -> Leaf {
    let value = selector::Responses::of(&project.nlu.examples, &responses);
    let items = response_items(&responses);
    Leaf::of_value(Arc::new(value)).with_items(Arc::new(Items(items)))
}

/// The domain with names of responses only: texts are a slice of their own.
fn without_texts(domain: &Domain) -> Domain {
    let names = domain.responses.keys();
    Domain {
        responses: names.map(|name| (name.clone(), Vec::new())).collect(),
        ..domain.clone()
    }
}

/// The domain without what no policy reads, as Rasa 3.6 prunes it before
/// training Core: session settings and the order of a form's questions.
fn for_policies(domain: &Domain) -> Domain {
    let mut pruned = Domain {
        session: SessionConfig::default(),
        ..domain.clone()
    };
    for form in &mut pruned.forms {
        form.required_slots.clear();
        form.ignored_intents.clear();
    }
    pruned
}

fn domain_leaf(domain: Domain) -> Leaf {
    let mut items = Vec::new();
    for intent in &domain.intents {
        items.push(item(
            format!("intent `{}`", intent.name),
            intent,
            &intent.place,
        ));
    }
    for entity in &domain.entities {
        items.push(item(
            format!("entity `{}`", entity.name),
            entity,
            &entity.place,
        ));
    }
    for slot in &domain.slots {
        items.push(item(format!("slot `{}`", slot.name), slot, &slot.place));
    }
    for form in &domain.forms {
        items.push(item(format!("form `{}`", form.name), form, &form.place));
    }
    for action in &domain.actions {
        items.push(item(
            format!("action `{action}`"),
            action,
            &Place::default(),
        ));
    }
    for response in domain.responses.keys() {
        items.push(item(
            format!("response `{response}`"),
            response,
            &Place::default(),
        ));
    }
    items.push(item(
        "session settings".to_owned(),
        &domain.session,
        &Place::default(),
    ));
    Leaf::of_value(Arc::new(domain)).with_items(Arc::new(Items(items)))
}

fn stories(project: &Arc<Project>) -> Leaf {
    let blocks = project.stories.steps.chunk_by(same_block);
    let items = blocks.map(|steps| {
        let first = &steps[0];
        let kind = if first.is_rule { "rule" } else { "story" };
        item(
            format!("{kind} `{}`", first.block_name),
            &steps,
            &first.place,
        )
    });
    let items = Arc::new(Items(items.collect()));
    let digest = Digest::of_value(&project.stories);
    Leaf::with_digest(digest, Arc::new(Stories(Arc::clone(project)))).with_items(items)
}

/// Whether two neighbouring steps were written as one story or rule.
fn same_block(a: &Step, b: &Step) -> bool {
    a.is_rule == b.is_rule
        && a.block_name == b.block_name
        && a.place.file == b.place.file
        && a.place.line == b.place.line
}

fn responses_leaf(responses: BTreeMap<String, Vec<Response>>) -> Leaf {
    let items = response_items(&responses);
    Leaf::of_value(Arc::new(responses)).with_items(Arc::new(Items(items)))
}

/// One item a variation, with its text: a changed text is one that went and one
/// that came.
fn response_items(responses: &BTreeMap<String, Vec<Response>>) -> Vec<Item> {
    let each = responses
        .iter()
        .flat_map(|(name, all)| all.iter().map(move |one| (name, one)));
    each.map(|(name, variation)| {
        let text = variation.0.get("text").and_then(|text| text.as_str());
        let label = match text {
            Some(text) => format!("response `{name}` \"{}\"", shortened(text)),
            None => format!("response `{name}`"),
        };
        item(label, variation, &Place::default())
    })
    .collect()
}

fn item<T: Serialize + ?Sized>(label: String, value: &T, place: &Place) -> Item {
    let place = if place.is_known() {
        format!("{}:{}", place.file, place.line)
    } else {
        String::new()
    };
    Item {
        label,
        digest: Digest::of_value(value),
        place,
    }
}

/// A leaf whose digest is that of its items' digests in order.
fn itemised<T: Send + Sync + 'static>(items: Vec<Item>, value: Arc<T>) -> Leaf {
    let digests: Vec<u8> = items
        .iter()
        .flat_map(|item| *item.digest.as_bytes())
        .collect();
    Leaf::with_digest(Digest::of(&digests), value).with_items(Arc::new(Items(items)))
}

/// Text that fits into a sentence.
fn shortened(text: &str) -> String {
    const CODE_POINTS: usize = 40;
    match text.char_indices().nth(CODE_POINTS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
