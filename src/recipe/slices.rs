//! The slices of a project that tasks read: each is a value with a digest of
//! its own, so that a change reaches only the tasks that could notice it.
//!
//! | slice | read by | holds | does not hold |
//! |---|---|---|---|
//! | messages | tokenizer, selectors | texts, intents, response keys and texts | annotations |
//! | keywords | keyword classifier | texts, intents | annotations, response keys and texts |
//! | annotated | classifiers that learn intents and entities | texts, intents, entities | response keys and texts |
//! | patterns | regex featurizer and extractor | regular expressions, lookup tables | – |
//! | entity types | regex extractor | names of annotated types | where they occur |
//! | synonyms | synonym mapper | text to value, annotated values included | – |
//! | responses | selectors (stored beside the model), package | all variations | – |
//! | core domain | trackers | what conversations are made of | texts of responses, session settings |
//! | policy domain | policies | what is seen of conversations | how slots are filled, slots without features |
//! | stories | trackers | steps | names, places |
//!
//! Lists of the domain are sorted by name: in which order somebody wrote them
//! down has no meaning. Differs from Rasa: there it decides which of two actions
//! wins that a policy finds equally likely, and a slot that no policy sees, or
//! another way to fill one, trains every policy again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::data::Domain;
use crate::data::Event;
use crate::data::Example;
use crate::data::Intent;
use crate::data::NluData;
use crate::data::Project;
use crate::data::Response;
use crate::data::SessionConfig;
use crate::data::Slot;
use crate::data::SlotKind;
use crate::data::StoryGraph;
use crate::data::UsedEntities;
use crate::dialogue::DEFAULT_INTENTS;
use crate::digest::Digest;
use crate::engine::Leaf;
use crate::nlu::Synonyms;
use crate::nlu::selector;
use crate::recipe::pieces;

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

/// The texts of a project with their intents, in the order of [`Messages`].
#[derive(Debug)]
pub struct Keywords(Arc<Project>);

impl Keywords {
    /// Returns the examples in canonical order. Nothing but their texts and intents
    /// is in this slice's digest.
    pub fn examples(&self) -> &[Example] {
        &self.0.nlu.examples
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
    project: Arc<Project>,
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
    /// A [`Domain`] without what conversations are not made of.
    pub core_domain: Leaf,
    /// A [`Domain`] without what no policy sees.
    pub policy_domain: Leaf,
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
        // The names of responses, of which there are many, are there once.
        let domain = sorted(without_texts(&project.domain));
        let core_domain = pruned(domain.clone());
        Self {
            project: Arc::clone(project),
            messages: messages(project),
            annotated: annotated(project),
            patterns: patterns(project),
            entity_types: entity_types_leaf(entity_types(project)),
            synonyms: synonyms(project),
            responses: responses_leaf(project, responses),
            retrieval_responses: retrieval_responses(project, retrieval),
            policy_domain: domain_leaf(for_policies(&core_domain)),
            core_domain: domain_leaf(core_domain),
            domain: domain_leaf(domain),
            stories: stories(project),
        }
    }

    /// Returns [`Keywords`], which one component reads that few pipelines have.
    pub fn keywords(&self) -> Leaf {
        keywords(&self.project)
    }
}

/// Returns the messages of a project.
pub fn messages(project: &Arc<Project>) -> Leaf {
    fn digest(example: &Example) -> Digest {
        Digest::of_value(&message(example))
    }
    let digests = project.nlu.examples.iter().map(digest);
    let leaf = of_digests(digests, Arc::new(Messages(Arc::clone(project))));
    let project = Arc::clone(project);
    leaf.with_items(move || pieces::messages(&project.nlu.examples, digest))
}

fn keywords(project: &Arc<Project>) -> Leaf {
    fn digest(example: &Example) -> Digest {
        Digest::of_value(&(&example.text, &example.intent))
    }
    let digests = project.nlu.examples.iter().map(digest);
    let leaf = of_digests(digests, Arc::new(Keywords(Arc::clone(project))));
    let project = Arc::clone(project);
    leaf.with_items(move || pieces::messages(&project.nlu.examples, digest))
}

fn annotated(project: &Arc<Project>) -> Leaf {
    fn digest(example: &Example) -> Digest {
        Digest::of_value(&(&example.text, &example.intent, &example.entities))
    }
    let digests = project.nlu.examples.iter().map(digest);
    let leaf = of_digests(digests, Arc::new(Annotated(Arc::clone(project))));
    let project = Arc::clone(project);
    leaf.with_items(move || pieces::annotated(&project.nlu.examples, digest))
}

fn patterns(project: &Project) -> Leaf {
    let nlu = &project.nlu;
    let value = Arc::new(NluData {
        patterns: nlu.patterns.clone(),
        lookups: nlu.lookups.clone(),
        ..NluData::default()
    });
    let regexes = value.patterns.iter().map(Digest::of_value);
    let lookups = value.lookups.iter();
    // A list goes to the hasher as it comes, a map is held back.
    let lookups = lookups.map(|table| Digest::of_value(&(&table.name, &table.elements)));
    let leaf = of_digests(regexes.chain(lookups), Arc::clone(&value));
    leaf.with_items(move || pieces::patterns(&value))
}

/// Annotated values count as synonyms too, so the slice is what the mapper would
/// learn: learning it costs less than hashing all it is learned from.
fn synonyms(project: &Project) -> Leaf {
    let synonyms = Arc::new(Synonyms::fit(&project.nlu));
    let digests = synonyms.values().iter().map(|pair| Digest::of_value(&pair));
    let leaf = of_digests(digests, Arc::clone(&synonyms));
    let places = project.nlu.synonym_places.clone();
    leaf.with_items(move || pieces::synonyms(&synonyms, &places))
}

/// Entity types of the NLU data and of stories: Rasa's extractor knows both.
pub fn entity_types(project: &Project) -> BTreeSet<String> {
    let examples = project
        .nlu
        .examples
        .iter()
        .flat_map(|example| &example.entities);
    let stories = project.stories.steps.iter().flat_map(|step| &step.events);
    let stories = stories.filter_map(|event| match event {
        Event::User(utterance) => Some(utterance.entities.iter()),
        _ => None,
    });
    examples
        .chain(stories.flatten())
        .map(|annotation| annotation.entity.clone())
        .collect()
}

/// Responses of the domain and of the NLU data; Rasa 3.6 lets the latter win.
fn all_responses(project: &Project) -> Arc<BTreeMap<String, Vec<Response>>> {
    let mut responses = Arc::clone(&project.domain.responses);
    let is_new = |(name, of_nlu): (&String, &Vec<Response>)| responses.get(name) != Some(of_nlu);
    // They are in the domain already when it was merged.
    if project.nlu.responses.iter().any(is_new) {
        Arc::make_mut(&mut responses).extend(project.nlu.responses.clone());
    }
    responses
}

fn entity_types_leaf(names: BTreeSet<String>) -> Leaf {
    let names = Arc::new(names);
    Leaf::of_value(Arc::clone(&names)).with_items(move || pieces::entity_types(&names))
}

fn retrieval_responses(project: &Arc<Project>, responses: BTreeMap<String, Vec<Response>>) -> Leaf {
    let value = Arc::new(selector::Responses::of(&project.nlu.examples, &responses));
    let project = Arc::clone(project);
    Leaf::of_value(Arc::clone(&value)).with_items(move || {
        let places = pieces::response_places(&project);
        let mut items = pieces::responses(&value.responses, &places);
        items
            .0
            .extend(pieces::retrieval_intents(&value.retrieval_intents).0);
        items
    })
}

/// The domain with names of responses only: texts are a slice of their own.
fn without_texts(domain: &Domain) -> Domain {
    let names = domain.responses.keys();
    // The rest one by one: a clone of the whole would be one of all texts.
    Domain {
        responses: Arc::new(names.map(|name| (name.clone(), Vec::new())).collect()),
        intents: domain.intents.clone(),
        entities: domain.entities.clone(),
        slots: domain.slots.clone(),
        actions: domain.actions.clone(),
        forms: domain.forms.clone(),
        e2e_actions: domain.e2e_actions.clone(),
        session: domain.session.clone(),
        store_entities_as_slots: domain.store_entities_as_slots,
        response_places: domain.response_places.clone(),
        action_places: domain.action_places.clone(),
    }
}

/// The domain with its lists sorted by name. Values of a categorical slot keep
/// their order, which is that of its features; so do a form's questions.
fn sorted(mut domain: Domain) -> Domain {
    domain.intents.sort_by(|a, b| a.name.cmp(&b.name));
    domain.entities.sort_by(|a, b| a.name.cmp(&b.name));
    for entity in &mut domain.entities {
        entity.roles.sort();
        entity.groups.sort();
    }
    domain.slots.sort_by(|a, b| a.name.cmp(&b.name));
    domain.forms.sort_by(|a, b| a.name.cmp(&b.name));
    domain.actions.sort();
    domain.e2e_actions.sort();
    domain
}

/// Returns the domain without what conversations are not made of, as Rasa 3.6
/// prunes it before training Core: session settings and the order of a form's
/// questions. A default intent is there whether or not it is listed.
pub fn core_domain(project: &Project) -> Domain {
    pruned(sorted(without_texts(&project.domain)))
}

/// Does so with a domain that is sorted and has no texts.
fn pruned(domain: Domain) -> Domain {
    let mut pruned = Domain {
        session: SessionConfig::default(),
        ..domain
    };
    for form in &mut pruned.forms {
        form.required_slots.clear();
        form.ignored_intents.clear();
    }
    for intent in &mut pruned.intents {
        intent.triggers = None;
        intent.is_retrieval = false;
    }
    let is_default = |name: &str| DEFAULT_INTENTS.contains(&name);
    let says_more = |intent: &Intent| intent.used_entities != UsedEntities::All;
    pruned
        .intents
        .retain(|intent| !is_default(&intent.name) || says_more(intent));
    pruned
}

/// The domain without what no policy sees: slots without features, and how slots
/// are filled, which is done when conversations are made.
fn for_policies(core_domain: &Domain) -> Domain {
    let mut pruned = Domain {
        store_entities_as_slots: true,
        ..core_domain.clone()
    };
    let is_seen = |slot: &Slot| slot.influences && slot.kind != SlotKind::Any;
    pruned.slots.retain(is_seen);
    for slot in &mut pruned.slots {
        slot.mappings.clear();
        slot.auto_fill = false;
    }
    pruned
}

fn domain_leaf(domain: Domain) -> Leaf {
    let domain = Arc::new(domain);
    Leaf::of_value(Arc::clone(&domain)).with_items(move || pieces::domain(&domain))
}

fn stories(project: &Arc<Project>) -> Leaf {
    let digest = Digest::of_value(&project.stories.steps);
    let leaf = Leaf::with_digest(digest, Arc::new(Stories(Arc::clone(project))));
    let project = Arc::clone(project);
    leaf.with_items(move || pieces::stories(&project.stories))
}

fn responses_leaf(project: &Arc<Project>, responses: Arc<BTreeMap<String, Vec<Response>>>) -> Leaf {
    let project = Arc::clone(project);
    // All of them as one map would be held back until its last key is known.
    let digests = responses.iter().map(|pair| Digest::of_value(&pair));
    of_digests(digests, Arc::clone(&responses))
        .with_items(move || pieces::responses(&responses, &pieces::response_places(&project)))
}

/// A leaf whose digest is that of its pieces' digests in order.
fn of_digests<T: Send + Sync + 'static>(
    digests: impl Iterator<Item = Digest>,
    value: Arc<T>,
) -> Leaf {
    let digests: Vec<u8> = digests.flat_map(|digest| *digest.as_bytes()).collect();
    Leaf::with_digest(Digest::of(&digests), value)
}
