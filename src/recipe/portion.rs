//! The portion of a project that one half of a training reads, as a project of its
//! own: where halves are trained apart, an edit reaches only those that could
//! notice it.
//!
//! | portion | holds | does not hold |
//! |---|---|---|
//! | NLU | language, pipeline, examples, synonyms, patterns, lookup tables, names of entity types in stories; texts that selectors learn | policies, the domain, stories, metadata, all other texts |
//! | Core | policies, what conversations are made of, stories and rules | the pipeline, NLU data, texts, session settings |
//!
//! Tasks of a portion have the names and keys that they have in the whole project.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::data::Annotation;
use crate::data::Component;
use crate::data::Config;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Example;
use crate::data::NluData;
use crate::data::Project;
use crate::data::Response;
use crate::data::Step;
use crate::data::StoryGraph;
use crate::data::Utterance;
use crate::recipe::slices::core_domain;
use crate::recipe::slices::entity_types;

/// Returns what the NLU half of `project` reads.
pub fn nlu_portion(project: &Project) -> Project {
    let nlu = &project.nlu;
    let selects = |component: &Component| component.name == "ResponseSelector";
    let has_selector = project.config.pipeline.iter().any(selects);
    let retrieved = |all: &BTreeMap<String, Vec<Response>>| match has_selector {
        true => retrieval_responses(all),
        false => BTreeMap::new(),
    };
    Project {
        config: Config {
            language: project.config.language.clone(),
            pipeline: project.config.pipeline.clone(),
            ..Config::default()
        },
        domain: Domain {
            responses: retrieved(&project.domain.responses),
            ..Domain::default()
        },
        nlu: NluData {
            examples: nlu.examples.iter().map(without_metadata).collect(),
            synonyms: nlu.synonyms.clone(),
            patterns: nlu.patterns.clone(),
            lookups: nlu.lookups.clone(),
            responses: retrieved(&nlu.responses),
            ..NluData::default()
        },
        stories: naming(entity_types(project)),
    }
}

/// Returns what the Core half of `project` reads.
pub fn core_portion(project: &Project) -> Project {
    Project {
        config: Config {
            policies: project.config.policies.clone(),
            ..Config::default()
        },
        domain: core_domain(project),
        nlu: NluData::default(),
        stories: project.stories.clone(),
    }
}

fn retrieval_responses(all: &BTreeMap<String, Vec<Response>>) -> BTreeMap<String, Vec<Response>> {
    let retrieved = all.iter().filter(|(name, _)| name.contains('/'));
    retrieved
        .map(|(name, variations)| (name.clone(), variations.clone()))
        .collect()
}

fn without_metadata(example: &Example) -> Example {
    Example {
        text: example.text.clone(),
        intent: example.intent.clone(),
        intent_response_key: example.intent_response_key.clone(),
        response: example.response.clone(),
        entities: example.entities.clone(),
        ..Example::default()
    }
}

/// One story that names the entity types: all that NLU components learn from
/// stories.
fn naming(types: BTreeSet<String>) -> StoryGraph {
    let entities = types.into_iter().map(|entity| Annotation {
        start: 0,
        end: 0,
        entity,
        value: serde_json::Value::Null,
        role: None,
        group: None,
    });
    let utterance = Utterance {
        entities: entities.collect(),
        ..Utterance::default()
    };
    let step = Step {
        events: vec![Event::User(Arc::new(utterance))],
        ..Step::default()
    };
    StoryGraph { steps: vec![step] }
}
