//! The portion of a project that one half of a training reads, as a project of its
//! own: where halves are trained apart, an edit reaches only those that could
//! notice it.
//!
//! | portion | holds | does not hold |
//! |---|---|---|
//! | NLU | pipeline, examples; synonyms, patterns, lookup tables, names of entity types in stories and texts of retrieval intents, as far as a component learns them | policies, language, the domain, stories, metadata, all other texts |
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
    let has = |part: &str| {
        let mut pipeline = project.config.pipeline.iter();
        pipeline.any(|component| component.name.contains(part))
    };
    let retrieved = |all: &BTreeMap<String, Vec<Response>>| match has("ResponseSelector") {
        true => retrieval_responses(all),
        false => BTreeMap::new(),
    };
    let has_patterns = has("Regex");
    Project {
        config: Config {
            pipeline: project.config.pipeline.iter().map(as_trained).collect(),
            ..Config::default()
        },
        domain: Domain {
            responses: retrieved(&project.domain.responses).into(),
            ..Domain::default()
        },
        nlu: NluData {
            examples: nlu.examples.iter().map(without_metadata).collect(),
            synonyms: if_so(has("EntitySynonymMapper"), &nlu.synonyms),
            patterns: if_so(has_patterns, &nlu.patterns),
            lookups: if_so(has_patterns, &nlu.lookups),
            responses: retrieved(&nlu.responses),
            ..NluData::default()
        },
        stories: match has_patterns {
            true => naming(entity_types(project)),
            false => StoryGraph::default(),
        },
    }
}

fn if_so<T: Clone + Default>(is_read: bool, value: &T) -> T {
    if is_read { value.clone() } else { T::default() }
}

/// A component without what is only read when messages are parsed.
fn as_trained(component: &Component) -> Component {
    let mut component = component.clone();
    if component.name == "FallbackClassifier" {
        component.options.clear();
    }
    component
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
