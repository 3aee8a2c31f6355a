//! Where the names of a domain are used: the first place of each.

use foldhash::HashMap;
use foldhash::HashSet;

use crate::data::Annotation;
use crate::data::Event;
use crate::data::MappingKind;
use crate::data::Place;
use crate::data::Project;
use crate::data::UsedEntities;
use crate::data::Utterance;

/// First places by name.
pub type Places<'p> = HashMap<&'p str, &'p Place>;

/// What stories, rules, forms and examples use.
#[derive(Default)]
pub struct Uses<'p> {
    /// Intents in stories and rules, without response keys.
    pub intents: Places<'p>,
    /// Actions in stories and rules, forms among them.
    pub actions: Places<'p>,
    /// Forms in stories and rules that become active.
    pub loops: Places<'p>,
    /// Slots in stories and rules.
    pub slots: Places<'p>,
    /// Entity types in stories and rules.
    pub story_entities: Places<'p>,
    /// Roles and groups in stories and rules: `role` or `group`, entity type, name.
    pub story_parts: HashSet<(&'static str, &'p str, &'p str)>,
    /// Intents of examples, without response keys.
    pub example_intents: Places<'p>,
    /// Entity types of examples.
    pub example_entities: Places<'p>,
    /// Names by which forms ask for their slots: `utter_ask_…`, `action_ask_…`.
    pub questions: HashSet<String>,
    /// Intents and entities that slot mappings and forms name.
    pub mapped: HashSet<&'p str>,
    /// Intents whose examples hold an entity that a slot is mapped from: in a
    /// form they answer its question.
    pub answering: HashSet<&'p str>,
    /// Intents that buttons send.
    pub sent: HashSet<String>,
}

impl<'p> Uses<'p> {
    /// Looks through a project once.
    pub fn of(project: &'p Project) -> Self {
        let mut uses = Self::default();
        for step in &project.stories.steps {
            for (index, event) in step.events.iter().enumerate() {
                let place = step.event_places.get(index).unwrap_or(&step.place);
                uses.event(event, place);
            }
            for start in &step.start_checkpoints {
                for slot in start.conditions.keys() {
                    uses.slots.entry(slot).or_insert(&step.place);
                }
            }
        }
        for example in &project.nlu.examples {
            if let Some(intent) = &example.intent {
                uses.example_intents.entry(intent).or_insert(&example.place);
            }
            for Annotation { entity, .. } in &example.entities {
                uses.example_entities
                    .entry(entity)
                    .or_insert(&example.place);
            }
        }
        uses.domain(project);
        for example in &project.nlu.examples {
            let is_mapped = |one: &Annotation| uses.mapped.contains(one.entity.as_str());
            if example.entities.iter().any(is_mapped) {
                uses.answering.extend(example.intent.as_deref());
            }
        }
        uses
    }

    fn event(&mut self, event: &'p Event, place: &'p Place) {
        match event {
            Event::User(utterance) => self.utterance(utterance, place),
            Event::Or(events) => {
                for event in events {
                    self.event(event, place);
                }
            }
            Event::Action(name) => {
                self.actions.entry(name).or_insert(place);
            }
            Event::ActiveLoop(Some(name)) => {
                self.loops.entry(name).or_insert(place);
            }
            Event::Slot { name, .. } => {
                self.slots.entry(name).or_insert(place);
            }
            Event::ActiveLoop(None) | Event::BotText(_) => {}
        }
    }

    fn utterance(&mut self, utterance: &'p Utterance, place: &'p Place) {
        if let Some(intent) = &utterance.intent {
            let base = intent.split('/').next().unwrap_or(intent);
            self.intents.entry(base).or_insert(place);
        }
        for annotation in utterance.entities.iter() {
            let entity = annotation.entity.as_str();
            self.story_entities.entry(entity).or_insert(place);
            for (kind, name) in [("role", &annotation.role), ("group", &annotation.group)] {
                let part = name.as_deref().map(|name| (kind, entity, name));
                self.story_parts.extend(part);
            }
        }
    }

    fn domain(&mut self, project: &'p Project) {
        let domain = &project.domain;
        for form in &domain.forms {
            self.mapped
                .extend(form.ignored_intents.iter().map(String::as_str));
            for slot in &form.required_slots {
                for prefix in ["utter_ask", "action_ask"] {
                    self.questions.insert(format!("{prefix}_{slot}"));
                    self.questions
                        .insert(format!("{prefix}_{}_{slot}", form.name));
                }
            }
        }
        for mapping in domain.slots.iter().flat_map(|slot| &slot.mappings) {
            let intents = mapping.intents.iter().chain(&mapping.not_intents);
            self.mapped.extend(intents.map(String::as_str));
            if let MappingKind::FromEntity { entity, .. } = &mapping.kind {
                self.mapped.insert(entity);
            }
        }
        for intent in &domain.intents {
            if let UsedEntities::Only(names) | UsedEntities::AllBut(names) = &intent.used_entities {
                self.mapped.extend(names.iter().map(String::as_str));
            }
        }
        for response in domain.responses.values().flatten() {
            let payloads = crate::check::responses::payloads(response);
            self.sent.extend(payloads.filter_map(|payload| {
                let (intent, _) = crate::check::responses::command(payload)?;
                Some(intent.split('/').next().unwrap_or(intent).to_owned())
            }));
        }
    }

    /// Returns whether a story, rule or form runs this action or response.
    pub fn is_run(&self, name: &str) -> bool {
        self.actions.contains_key(name) || self.questions.contains(name)
    }
}
