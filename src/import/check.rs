//! Compares what NLU data, stories and domain say about each other.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;

use crate::data::Annotation;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Example;
use crate::data::MappingKind;
use crate::data::Place;
use crate::data::STORY_START;
use crate::data::Slot;
use crate::data::StoryGraph;
use crate::data::UsedEntities;
use crate::data::Utterance;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::did_you_mean;
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

/// Returns the names of all actions of the domain, of any kind.
pub fn actions(domain: &Domain) -> BTreeSet<&str> {
    let actions = domain.actions.iter().chain(&domain.e2e_actions);
    let actions = actions.chain(domain.responses.keys());
    let forms = domain.forms.iter().map(|form| &form.name);
    let named = actions.chain(forms).map(String::as_str);
    named.chain(DEFAULT_ACTIONS.iter().copied()).collect()
}

/// Keeps the example that stands first in the files.
fn keep_first<'e>(first: &mut BTreeMap<&'e str, &'e Example>, name: &'e str, example: &'e Example) {
    fn at(example: &Example) -> (&str, u32, u32) {
        let place = &example.place;
        (&place.file, place.line, place.column)
    }
    let kept = first.entry(name).or_insert(example);
    if at(example) < at(kept) {
        *kept = example;
    }
}

/// The names of a domain, and what was said so far.
struct Check<'d> {
    domain: &'d Domain,
    intents: BTreeSet<&'d str>,
    entities: BTreeSet<&'d str>,
    actions: BTreeSet<&'d str>,
    forms: BTreeSet<&'d str>,
    near: Near<'d>,
    said: Vec<Diagnostic>,
}

/// Unknown names for which the nearest known one is looked for: each is compared
/// with all that are known, and among more the first are enough.
const SUGGESTION_LIMIT: usize = 200;

/// What unknown names may have been meant to be, by kind and name.
#[derive(Default)]
struct Near<'d>(HashMap<(&'static str, String), Option<&'d str>>);

impl<'d> Near<'d> {
    /// Returns a diagnostic if a name of some kind is not among the known ones.
    fn unknown(
        &mut self,
        code: &'static str,
        place: &Place,
        (kind, name): (&'static str, &str),
        known: &BTreeSet<&'d str>,
    ) -> Option<Diagnostic> {
        if known.contains(name) {
            return None;
        }
        let message = format!("{kind} `{name}` is not in the domain");
        let about = about_name(code, place, name, message);
        Some(about.suggest(name, self.nearest(kind, name, known)))
    }

    fn nearest(
        &mut self,
        kind: &'static str,
        name: &str,
        known: &BTreeSet<&'d str>,
    ) -> Option<&'d str> {
        let key = (kind, name.to_owned());
        if let Some(near) = self.0.get(&key) {
            return *near;
        }
        if self.0.len() >= SUGGESTION_LIMIT {
            return None;
        }
        let near = did_you_mean(name, known.iter().copied());
        self.0.insert(key, near);
        near
    }
}

impl<'d> Check<'d> {
    fn new(domain: &'d Domain) -> Self {
        let intents = domain.intents.iter().map(|intent| intent.name.as_str());
        let entities = domain.entities.iter().map(|entity| entity.name.as_str());
        let forms: BTreeSet<&str> = domain.forms.iter().map(|form| form.name.as_str()).collect();
        Self {
            domain,
            intents: intents.chain(DEFAULT_INTENTS.iter().copied()).collect(),
            entities: entities.collect(),
            actions: actions(domain),
            near: Near::default(),
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
        let mut first: BTreeMap<&str, &Example> = BTreeMap::new();
        let mut first_of_entity: BTreeMap<&str, &Example> = BTreeMap::new();
        for example in &nlu.data.examples {
            if let Some(intent) = &example.intent {
                keep_first(&mut first, intent, example);
            }
            for Annotation { entity, .. } in &example.entities {
                keep_first(&mut first_of_entity, entity, example);
            }
        }
        for (intent, example) in first {
            let (place, is_named) = match example.intent_place.is_known() {
                true => (&example.intent_place, true),
                false => (&example.place, false),
            };
            let about = self
                .near
                .unknown("W309", place, ("intent", intent), &self.intents);
            let about = about.map(|about| match is_named {
                true => about,
                false => about.length(1),
            });
            self.said.extend(about);
        }
        for (entity, example) in first_of_entity {
            let (place, name) = (&example.place, ("entity", entity));
            let about = self.near.unknown("W310", place, name, &self.entities);
            self.said.extend(about.map(|about| about.length(1)));
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
                let name = ("action", name.as_str());
                let about = self.near.unknown("W405", place, name, &self.actions);
                self.said.extend(about);
            }
            Event::ActiveLoop(Some(name)) if name != TWO_STAGE_FALLBACK => {
                let name = ("form", name.as_str());
                let about = self.near.unknown("W415", place, name, &self.forms);
                self.said.extend(about);
            }
            _ => {}
        }
    }

    fn utterance(&mut self, utterance: &Utterance, place: &Place) {
        if let Some(intent) = &utterance.intent {
            let base = intent.split('/').next().unwrap_or(intent);
            let name = ("intent", base);
            let about = self.near.unknown("W404", place, name, &self.intents);
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
