//! Compares what NLU data, stories and domain say about each other.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use foldhash::HashSet;

use crate::data::Annotation;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Example;
use crate::data::MappingKind;
use crate::data::Place;
use crate::data::STORY_START;
use crate::data::Slot;
use crate::data::SlotMapping;
use crate::data::StoryGraph;
use crate::data::UsedEntities;
use crate::data::Utterance;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::diagnostic::Suggestions;
use crate::diagnostic::shortened;
use crate::import::extent::Extent;
use crate::import::extent::Extents;
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
    extents: Extents,
    texts: &SourceMap,
) -> Vec<Diagnostic> {
    let mut check = Check {
        has_all_names: extents.have_all_names(),
        ..Check::new(domain)
    };
    if extents.stories == Extent::Whole {
        check.checkpoints(stories);
    }
    if has_domain == HasDomain::Yes {
        check.domain();
        check.nlu(nlu, texts);
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

/// Entities whose type is sought in its line: each takes a walk through a file.
const SOUGHT: usize = 100;

/// Moves a diagnostic from the start of an example to the type of an annotation,
/// where its line shows it.
fn at_type(mut about: Diagnostic, entity: &str, texts: &SourceMap) -> Diagnostic {
    let length = std::mem::replace(&mut about.length, 1);
    let text = texts.text(&about.place.file);
    let line = (about.place.line as usize).checked_sub(1);
    let line = text.zip(line);
    let Some(line) = line.and_then(|(text, line)| text.split('\n').nth(line)) else {
        return about;
    };
    let is_type = |at: &usize| {
        let (before, after) = (&line[..*at], &line[at + entity.len()..]);
        before.ends_with("](") && after.starts_with([')', ':'])
            || before.ends_with('"') && after.starts_with('"') && before.contains("]{")
    };
    let mut found = line.match_indices(entity).map(|(at, _)| at);
    if let Some(at) = found.find(is_type) {
        about.place.column = line[..at].chars().count() as u32 + 1;
        about.length = length;
    }
    about
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
    intents: Known<'d>,
    entities: Known<'d>,
    actions: Known<'d>,
    forms: Known<'d>,
    /// Whether intents and actions that are not here are nowhere.
    has_all_names: bool,
    said: Vec<Diagnostic>,
}

/// Names of a kind that the domain has, and what unknown ones may have meant.
struct Known<'d> {
    kind: &'static str,
    names: HashSet<&'d str>,
    near: Suggestions<'d>,
}

impl<'d> Known<'d> {
    fn new(kind: &'static str, names: BTreeSet<&'d str>) -> Self {
        Self {
            kind,
            near: Suggestions::new(names.iter().copied()),
            names: names.into_iter().collect(),
        }
    }

    /// Returns a diagnostic if a name is not among the known ones.
    fn unknown(&mut self, code: &'static str, place: &Place, name: &str) -> Option<Diagnostic> {
        if self.names.contains(name) {
            return None;
        }
        let message = format!("{} `{}` is not in the domain", self.kind, shortened(name));
        let about = about_name(code, place, name, message);
        Some(about.suggest_of(name, &mut self.near))
    }
}

impl<'d> Check<'d> {
    fn new(domain: &'d Domain) -> Self {
        let intents = domain.intents.iter().map(|intent| intent.name.as_str());
        let intents = intents.chain(DEFAULT_INTENTS.iter().copied());
        let entities = domain.entities.iter().map(|entity| entity.name.as_str());
        let forms = domain.forms.iter().map(|form| form.name.as_str());
        Self {
            domain,
            intents: Known::new("intent", intents.collect()),
            entities: Known::new("entity", entities.collect()),
            actions: Known::new("action", actions(domain)),
            forms: Known::new("form", forms.collect()),
            has_all_names: true,
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
                if !self.entities.names.contains(base) {
                    let what = format!(
                        "intent `{}` names entity `{}`, which is not in the domain",
                        shortened(&intent.name),
                        shortened(base)
                    );
                    let about = match intent.entity_places.0.get(name) {
                        Some(place) => about_name("W216", place, name, what),
                        None => about_name("W216", &intent.place, &intent.name, what),
                    };
                    let about = about.suggest_of(base, &mut self.entities.near);
                    self.said.push(about);
                }
            }
        }
        for slot in &self.domain.slots {
            self.mappings(slot);
        }
    }

    /// Checks what a slot's mappings name.
    fn mappings(&mut self, slot: &Slot) {
        let mut say = |mapping: &SlotMapping, name: &str, known: &mut Known<'_>| {
            if !known.names.contains(name) {
                let what = format!(
                    "a mapping of slot `{}` names {} `{}`, which is not in the domain",
                    shortened(&slot.name),
                    known.kind,
                    shortened(name)
                );
                let about = match mapping.places.0.get(name) {
                    Some(place) => about_name("W215", place, name, what),
                    None => about_name("W215", &slot.place, &slot.name, what),
                };
                self.said.push(about.suggest_of(name, &mut known.near));
            }
        };
        for mapping in &slot.mappings {
            if let MappingKind::FromEntity { entity, .. } = &mapping.kind {
                say(mapping, entity, &mut self.entities);
            }
            let intents = mapping.intents.iter().chain(&mapping.not_intents);
            for intent in intents.filter(|_| self.has_all_names) {
                say(mapping, intent, &mut self.intents);
            }
            for condition in &mapping.conditions {
                if let Some(name) = &condition.active_loop {
                    say(mapping, name, &mut self.forms);
                }
            }
        }
    }

    /// Checks the intents and entities of examples; each name once.
    fn nlu(&mut self, nlu: &NluPart, texts: &SourceMap) {
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
            let about = self.intents.unknown("W309", place, intent);
            let about = about.map(|about| match is_named {
                true => about,
                false => about.length(1),
            });
            self.said.extend(about);
        }
        let mut sought = 0;
        for (entity, example) in first_of_entity {
            let about = self.entities.unknown("W310", &example.place, entity);
            sought += usize::from(about.is_some());
            self.said.extend(about.map(|about| match sought {
                0..=SOUGHT => at_type(about, entity, texts),
                _ => about.length(1),
            }));
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
            Event::Action(name) if self.has_all_names => {
                let about = self.actions.unknown("W405", place, name);
                self.said.extend(about);
            }
            Event::ActiveLoop(Some(name)) if name != TWO_STAGE_FALLBACK => {
                let about = self.forms.unknown("W415", place, name);
                self.said.extend(about);
            }
            _ => {}
        }
    }

    fn utterance(&mut self, utterance: &Utterance, place: &Place) {
        if let Some(intent) = utterance.intent.as_ref().filter(|_| self.has_all_names) {
            let base = intent.split('/').next().unwrap_or(intent);
            let about = self.intents.unknown("W404", place, base);
            self.said.extend(about);
        }
    }

    /// Reports start checkpoints that no step ends in: nothing gets there.
    fn checkpoints(&mut self, stories: &StoryGraph) {
        let ends = stories.steps.iter().flat_map(|step| &step.end_checkpoints);
        let ends: BTreeSet<&str> = ends.map(|checkpoint| checkpoint.name.as_str()).collect();
        let mut near = Suggestions::new(ends.iter().copied());
        for step in &stories.steps {
            for start in &step.start_checkpoints {
                let name = start.name.as_str();
                if name != STORY_START && !ends.contains(name) {
                    let name_shown = shortened(name);
                    let what = format!(
                        "no story ends in checkpoint `{name_shown}`: this one is never told"
                    );
                    let about = about_name("W416", &step.place, &step.block_name, what);
                    self.said.push(about.suggest_of(name, &mut near));
                }
            }
        }
    }
}
