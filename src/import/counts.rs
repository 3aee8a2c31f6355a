//! Counts what was read, in Rasa's words.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::data::Domain;
use crate::data::NluData;
use crate::data::Project;
use crate::data::StoryGraph;
use crate::import::names::DEFAULT_INTENTS;

/// How much of everything a project holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Of the domain.
    pub domain: DomainCounts,
    /// Of the NLU data.
    pub nlu: NluCounts,
    /// Of stories and rules.
    pub stories: StoryCounts,
}

/// What a domain holds, with what Rasa adds to every domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DomainCounts {
    /// Intents, default intents included.
    pub intents: usize,
    /// Entity types.
    pub entities: usize,
    /// Slots, default slots included.
    pub slots: usize,
    /// Custom actions and responses.
    pub user_actions: usize,
    /// Forms.
    pub forms: usize,
    /// Responses by name.
    pub responses: usize,
}

/// What NLU data hold, without repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NluCounts {
    /// Messages.
    pub examples: usize,
    /// Messages with an intent.
    pub intent_examples: usize,
    /// Messages with an entity.
    pub entity_examples: usize,
    /// Messages of retrieval intents with a response key.
    pub response_examples: usize,
    /// Intents of messages, without response keys.
    pub intents: usize,
    /// Entity types of messages.
    pub entities: usize,
    /// Texts that stand for another.
    pub synonyms: usize,
    /// Regular expressions.
    pub regex_features: usize,
    /// Lookup tables.
    pub lookup_tables: usize,
}

/// What stories and rules hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StoryCounts {
    /// Stories and rules by file and name.
    pub blocks: usize,
    /// Pieces between checkpoints, copies for each `or` included.
    pub story_steps: usize,
    /// Rules by file and name.
    pub rules: usize,
}

impl Counts {
    /// Counts what a project holds.
    pub fn of(project: &Project) -> Self {
        Self {
            domain: DomainCounts::of(&project.domain),
            nlu: NluCounts::of(&project.nlu),
            stories: StoryCounts::of(&project.stories),
        }
    }
}

impl DomainCounts {
    fn of(domain: &Domain) -> Self {
        let intents = domain.intents.iter().map(|intent| intent.name.as_str());
        let intents: BTreeSet<&str> = intents.chain(DEFAULT_INTENTS.iter().copied()).collect();
        let actions = domain.actions.iter().chain(domain.responses.keys());
        let actions: BTreeSet<&str> = actions.map(String::as_str).collect();
        let mut slots: BTreeSet<&str> = domain.slots.iter().map(|s| s.name.as_str()).collect();
        slots.insert("session_started_metadata");
        if !domain.forms.is_empty() {
            slots.insert("requested_slot");
        }
        if actions.contains("action_query_knowledge_base") {
            slots.insert("knowledge_base_listed_objects");
            slots.insert("knowledge_base_last_object");
            slots.insert("knowledge_base_last_object_type");
        }
        Self {
            intents: intents.len(),
            entities: domain.entities.len(),
            slots: slots.len(),
            user_actions: actions.len(),
            forms: domain.forms.len(),
            responses: domain.responses.len(),
        }
    }
}

impl NluCounts {
    fn of(nlu: &NluData) -> Self {
        let examples = || nlu.examples.iter();
        let intents: BTreeSet<&str> = examples().filter_map(|e| e.intent.as_deref()).collect();
        let entities = examples().flat_map(|example| &example.entities);
        let entities: BTreeSet<&str> = entities.map(|entity| entity.entity.as_str()).collect();
        Self {
            examples: nlu.examples.len(),
            intent_examples: examples().filter(|e| e.intent.is_some()).count(),
            entity_examples: examples().filter(|e| !e.entities.is_empty()).count(),
            response_examples: examples()
                .filter(|e| e.intent_response_key.is_some())
                .count(),
            intents: intents.len(),
            entities: entities.len(),
            synonyms: nlu.synonyms.len(),
            regex_features: nlu.patterns.len(),
            lookup_tables: nlu.lookups.len(),
        }
    }
}

impl StoryCounts {
    fn of(stories: &StoryGraph) -> Self {
        let mut blocks: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut rules: BTreeSet<(&str, &str)> = BTreeSet::new();
        for step in &stories.steps {
            let name = (&*step.place.file, step.block_name.as_str());
            blocks.insert(name);
            if step.is_rule {
                rules.insert(name);
            }
        }
        Self {
            blocks: blocks.len(),
            story_steps: stories.steps.len(),
            rules: rules.len(),
        }
    }
}
