//! Compares what NLU data, stories and domain say about each other.

use std::collections::BTreeSet;
use std::collections::HashSet;

use crate::data::Annotation;
use crate::data::Domain;
use crate::data::Event;
use crate::data::MappingKind;
use crate::data::Place;
use crate::data::STORY_START;
use crate::data::Slot;
use crate::data::StoryGraph;
use crate::data::UsedEntities;
use crate::data::Utterance;
use crate::diagnostic::Diagnostic;
use crate::import::names::DEFAULT_ACTIONS;
use crate::import::names::DEFAULT_INTENTS;
use crate::import::nlu::NluPart;
use crate::import::stories::about_name;

/// The one loop that every assistant has without a form of its own (Rasa 3.6).
const TWO_STAGE_FALLBACK: &str = "action_two_stage_fallback";

/// Whether there is a domain to compare with. Without one only NLU is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasDomain {
    /// Names are compared.
    Yes,
    /// Nothing is.
    No,
}

/// Returns what is amiss between the parts of a project.
pub fn check(
    domain: &Domain,
    nlu: &NluPart,
    stories: &StoryGraph,
    has_domain: HasDomain,
) -> Vec<Diagnostic> {
    let mut check = Check::new(domain);
    check.checkpoints(stories);
    if has_domain == HasDomain::Yes {
        check.domain();
        check.nlu(nlu);
        check.stories(stories);
    }
    check.said
}

/// Returns whether the domain has an action of this name, of any kind.
pub fn is_action(domain: &Domain, name: &str) -> bool {
    DEFAULT_ACTIONS.contains(&name)
        || domain.responses.contains_key(name)
        || domain.actions.iter().any(|action| action == name)
        || domain.forms.iter().any(|form| form.name == name)
        || domain.e2e_actions.iter().any(|text| text == name)
}

/// The names of a domain, and what was said so far.
struct Check<'d> {
    domain: &'d Domain,
    intents: BTreeSet<&'d str>,
    entities: BTreeSet<&'d str>,
    actions: BTreeSet<&'d str>,
    forms: BTreeSet<&'d str>,
    said: Vec<Diagnostic>,
}

/// Returns a diagnostic if a name is not among the known ones.
fn unknown(
    code: &'static str,
    place: &Place,
    what: &str,
    name: &str,
    known: &BTreeSet<&str>,
) -> Option<Diagnostic> {
    if known.contains(name) {
        return None;
    }
    let message = format!("{what} `{name}` is not in the domain");
    Some(about_name(code, place, name, message).suggest(name, known.iter().copied()))
}

impl<'d> Check<'d> {
    fn new(domain: &'d Domain) -> Self {
        let intents = domain.intents.iter().map(|intent| intent.name.as_str());
        let entities = domain.entities.iter().map(|entity| entity.name.as_str());
        let forms: BTreeSet<&str> = domain.forms.iter().map(|form| form.name.as_str()).collect();
        let actions = domain.actions.iter().chain(&domain.e2e_actions);
        let actions = actions.chain(domain.responses.keys()).map(String::as_str);
        Self {
            domain,
            intents: intents.chain(DEFAULT_INTENTS.iter().copied()).collect(),
            entities: entities.collect(),
            actions: actions
                .chain(DEFAULT_ACTIONS.iter().copied())
                .chain(forms.iter().copied())
                .collect(),
            forms,
            said: Vec::new(),
        }
    }

    /// Checks names within the domain.
    fn domain(&mut self) {
        for intent in &self.domain.intents {
            let (UsedEntities::Only(named) | UsedEntities::AllBut(named)) = &intent.used_entities
            else {
                continue;
            };
            for name in named {
                let base = name.split('#').next().unwrap_or(name);
                if !self.entities.contains(base) {
                    let what = format!(
                        "intent `{}` names entity `{base}`, which is not in the domain",
                        intent.name
                    );
                    let about = about_name("W216", &intent.place, &intent.name, what);
                    self.said
                        .push(about.suggest(base, self.entities.iter().copied()));
                }
            }
        }
        for slot in &self.domain.slots {
            self.mappings(slot);
        }
    }

    /// Checks what a slot's mappings name.
    fn mappings(&mut self, slot: &Slot) {
        let mut say = |kind: &str, name: &str, known: &BTreeSet<&str>| {
            if !known.contains(name) {
                let what = format!(
                    "a mapping of slot `{}` names {kind} `{name}`, which is not in the domain",
                    slot.name
                );
                let about = about_name("W215", &slot.place, &slot.name, what);
                self.said.push(about.suggest(name, known.iter().copied()));
            }
        };
        for mapping in &slot.mappings {
            if let MappingKind::FromEntity { entity, .. } = &mapping.kind {
                say("entity", entity, &self.entities);
            }
            for intent in mapping.intents.iter().chain(&mapping.not_intents) {
                say("intent", intent, &self.intents);
            }
            for condition in &mapping.conditions {
                if let Some(name) = &condition.active_loop {
                    say("form", name, &self.forms);
                }
            }
        }
    }

    /// Checks the intents and entities of examples; each name once.
    fn nlu(&mut self, nlu: &NluPart) {
        let mut said: HashSet<&str> = HashSet::new();
        for example in &nlu.data.examples {
            let intent = example.intent.as_deref().unwrap_or_default();
            if said.insert(intent) {
                let about = unknown("W309", &example.place, "intent", intent, &self.intents);
                self.said.extend(about);
            }
        }
        said.clear();
        for example in &nlu.data.examples {
            for Annotation { entity, .. } in &example.entities {
                if said.insert(entity) {
                    let about = unknown("W310", &example.place, "entity", entity, &self.entities);
                    self.said.extend(about);
                }
            }
        }
    }

    /// Checks the names in stories, each where it is used.
    fn stories(&mut self, stories: &StoryGraph) {
        for step in &stories.steps {
            for (event, place) in step.events.iter().zip(&step.event_places) {
                self.event(event, place);
            }
        }
    }

    fn event(&mut self, event: &Event, place: &Place) {
        match event {
            Event::User(utterance) => self.utterance(utterance, place),
            Event::Or(events) => {
                for event in events {
                    self.event(event, place);
                }
            }
            Event::Action(name) => {
                let about = unknown("W405", place, "action", name, &self.actions);
                self.said.extend(about);
            }
            Event::ActiveLoop(Some(name)) if name != TWO_STAGE_FALLBACK => {
                self.said
                    .extend(unknown("W415", place, "form", name, &self.forms));
            }
            _ => {}
        }
    }

    fn utterance(&mut self, utterance: &Utterance, place: &Place) {
        if let Some(intent) = &utterance.intent {
            let base = intent.split('/').next().unwrap_or(intent);
            let about = unknown("W404", place, "intent", base, &self.intents);
            self.said.extend(about);
        }
    }

    /// Reports start checkpoints that no step ends in: nothing gets there.
    fn checkpoints(&mut self, stories: &StoryGraph) {
        let ends = stories.steps.iter().flat_map(|step| &step.end_checkpoints);
        let ends: BTreeSet<&str> = ends.map(|checkpoint| checkpoint.name.as_str()).collect();
        for step in &stories.steps {
            for start in &step.start_checkpoints {
                let name = start.name.as_str();
                if name != STORY_START && !ends.contains(name) {
                    let what =
                        format!("no story ends in checkpoint `{name}`: this one is never told");
                    let about = about_name("W416", &step.place, &step.block_name, what);
                    self.said.push(about.suggest(name, ends.iter().copied()));
                }
            }
        }
    }
}
