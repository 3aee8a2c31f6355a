//! Trackers, states and policies agree with what Rasa 3.6.21 recorded.
//!
//! Training projects are read here with a small reader of their YAML, so that
//! these tests do not depend on the order that `import` gives to stories.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;
use serde_json::json;
use tabella::data::Annotation;
use tabella::data::Checkpoint;
use tabella::data::Component;
use tabella::data::Domain;
use tabella::data::Entity;
use tabella::data::Event as StoryEvent;
use tabella::data::Form;
use tabella::data::Intent;
use tabella::data::MappingCondition;
use tabella::data::MappingKind;
use tabella::data::Place;
use tabella::data::Places;
use tabella::data::Response;
use tabella::data::STORY_START;
use tabella::data::Slot;
use tabella::data::SlotKind;
use tabella::data::SlotMapping;
use tabella::data::Step;
use tabella::data::StoryGraph;
use tabella::data::UsedEntities;
use tabella::data::Utterance;
use tabella::dialogue::Conversation;
use tabella::dialogue::Ensemble;
use tabella::dialogue::Event;
use tabella::dialogue::Memoization;
use tabella::dialogue::MemoizationOptions;
use tabella::dialogue::Outcome;
use tabella::dialogue::Parsed;
use tabella::dialogue::PolicyOptions;
use tabella::dialogue::Recall;
use tabella::dialogue::RuleOptions;
use tabella::dialogue::RulePolicy;
use tabella::dialogue::SlotsShown;
use tabella::dialogue::Tracker;
use tabella::dialogue::TrackerFeaturizer;
use tabella::dialogue::Trackers;
use tabella::dialogue::Universe;
use tabella::dialogue::evaluate;
use tabella::dialogue::failed_stories;
use tabella::dialogue::training_trackers;
use tabella::import::Sources;
use tabella::import::import_project;
use tabella::import::import_test_stories;

use crate::shared::shared;

#[test]
fn domains_have_the_indices_of_rasa() {
    for (_, golden) in bots() {
        let want = golden.json("domain.json");
        let universe = golden.universe();
        assert_eq!(json!(universe.intents()), want["intents"]);
        assert_eq!(json!(universe.entity_states()), want["entity_states"]);
        assert_eq!(json!(universe.slot_states()), want["slot_states"]);
        assert_eq!(json!(universe.actions()), want["action_names"]);
        let forms: Vec<&str> = universe
            .forms()
            .iter()
            .map(|form| form.name.as_str())
            .collect();
        assert_eq!(json!(forms), want["form_names"]);
        let slots: Vec<&str> = universe
            .slots()
            .iter()
            .map(|slot| slot.name.as_str())
            .collect();
        let names: Vec<&Value> = list(&want["slots"])
            .iter()
            .map(|slot| &slot["name"])
            .collect();
        assert_eq!(json!(slots), json!(names));
    }
}

#[test]
fn trackers_without_augmentation_are_those_of_rasa() {
    for (_, golden) in bots() {
        let want = golden.json("trackers.json");
        let want: BTreeSet<String> = list(&want["factor_0"])
            .iter()
            .map(recorded_tracker)
            .collect();
        let trackers = golden.trackers(0);
        let got: BTreeSet<String> = trackers.trackers.iter().map(shown_tracker).collect();
        assert_eq!(got, want);
        assert_eq!(trackers.trackers.len(), want.len());
    }
}

/// Which stories are glued is drawn at random, so that only where the limit of
/// ten times the factor is reached the number is the same.
#[test]
fn augmentation_stops_at_ten_times_its_factor() {
    for (name, golden) in bots() {
        let want = golden.json("trackers.json");
        let trackers = golden.trackers(5);
        if name == "tablebot" {
            assert_eq!(json!(trackers.trackers.len()), want["count_factor_5"]);
        }
        let augmented = trackers.trackers.iter().filter(|t| t.is_augmented).count();
        assert!((10..=50).contains(&augmented), "{augmented} glued stories");
    }
}

#[test]
fn trackers_come_back_from_their_bytes() {
    for (_, golden) in bots() {
        let trackers = golden.trackers(5);
        let bytes = trackers.to_bytes();
        let back = Trackers::from_bytes(&bytes).unwrap();
        assert_eq!(back.to_bytes(), bytes);
        let nameless = |tracker: &Tracker| {
            let mut tracker = tracker.clone();
            tracker.name.clear();
            shown_tracker(&tracker)
        };
        let want: Vec<String> = trackers.trackers.iter().map(nameless).collect();
        let got: Vec<String> = back.trackers.iter().map(nameless).collect();
        assert_eq!(got, want);
    }
}

#[test]
fn states_and_labels_are_those_of_rasa() {
    for (_, golden) in bots() {
        let want = golden.json("states.json");
        let last_five = TrackerFeaturizer::max_history(Some(5));
        let all = TrackerFeaturizer::max_history(None);
        let whole = TrackerFeaturizer::FullDialogue;
        for (key, featurizer) in [
            ("max_history_5", last_five),
            ("max_history_none", all),
            ("full_dialogue_stories", whole),
        ] {
            let got = golden.examples(featurizer, false, SlotsShown::All);
            assert_eq!(got, recorded_examples(&want[key]), "{key}");
        }
        let got = golden.examples(whole, true, SlotsShown::Set);
        assert_eq!(got, recorded_examples(&want["full_dialogue_rules"]));
    }
}

#[test]
fn memorised_turns_are_those_of_rasa() {
    for (name, golden) in bots() {
        let policies = match name {
            "tablebot" => vec![("MemoizationPolicy0", Recall::Exact, json!(3))],
            _ => vec![
                ("MemoizationPolicy0", Recall::Exact, Value::Null),
                ("AugmentedMemoizationPolicy1", Recall::Augmented, json!(4)),
            ],
        };
        for (file, recall, max_history) in policies {
            let options = BTreeMap::from([("max_history".to_owned(), max_history)]);
            let (options, unknown) = MemoizationOptions::read(recall, &options).unwrap();
            assert!(unknown.is_empty());
            let policy = Memoization::train(&options, &golden.universe(), &golden.trackers(50));
            let want = golden.json(&format!("memoization_train_{file}.json"));
            let want: BTreeMap<String, String> = list(&want["lookup"])
                .iter()
                .map(|entry| {
                    (
                        as_written(&entry["decoded"]),
                        text(&entry["action"]).unwrap(),
                    )
                })
                .collect();
            assert_eq!(policy.lookup(), &want);
            let back: Memoization =
                serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
            assert_eq!(back, policy);
        }
    }
}

/// The recorded training forgot `use_entities: []` of one intent: its keys show
/// an entity that the states recorded beside them, and all predictions, hide.
fn as_written(key: &Value) -> String {
    let key = text(key).unwrap();
    key.replace(
        "{entities: [cuisine], intent: book_table}",
        "{intent: book_table}",
    )
}

#[test]
fn rule_tables_are_those_of_rasa() {
    for (name, golden) in bots() {
        let policy = golden.rule_policy();
        let number = if name == "tablebot" { 1 } else { 2 };
        let folder = format!("archive/components/train_RulePolicy{number}");
        let want = &golden.json(&format!("{folder}/rule_policy.json"))["lookup"];
        let table = |pairs: Vec<(&str, &str)>| json!(pairs.into_iter().collect::<BTreeMap<_, _>>());
        assert_eq!(table(policy.rules().collect()), want["rules"]);
        assert_eq!(
            table(policy.unhappy_paths().collect()),
            want["rules_for_loop_unhappy_path"]
        );
        let mut sources = texts(&want["rules_not_in_stories"]);
        sources.sort();
        assert_eq!(json!(policy.rules_not_in_stories()), json!(sources));
        let want = golden.json(&format!("{folder}/rule_only_data.json"));
        assert_eq!(json!(policy.rule_only()), want);
        let back: RulePolicy =
            serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
        assert_eq!(back, policy);
    }
}

#[test]
fn test_stories_are_predicted_as_in_rasa() {
    for (name, golden) in bots() {
        let universe = golden.universe();
        let trackers = golden.trackers(50);
        let configs = match name {
            "tablebot" => vec![("MemoizationPolicy", json!(3)), ("RulePolicy", Value::Null)],
            _ => vec![
                ("MemoizationPolicy", Value::Null),
                ("AugmentedMemoizationPolicy", json!(4)),
                ("RulePolicy", Value::Null),
            ],
        };
        let policies = configs
            .into_iter()
            .map(|(name, max_history)| {
                let component = Component {
                    name: name.to_owned(),
                    options: BTreeMap::from([("max_history".to_owned(), max_history)]),
                    ..Component::default()
                };
                let options = PolicyOptions::read(&component).unwrap().options;
                let mut go_on = |_| ControlFlow::Continue(());
                options.train(&universe, &trackers, 0, &mut go_on).unwrap()
            })
            .collect();
        let ensemble = Ensemble::new(policies);
        let tests = golden.test_stories();
        let understood = understood(&tests);
        let parse = |text: &str| understood[text].clone();
        let evaluation = evaluate(&tests, &ensemble, &universe, Some(&parse));
        let got: BTreeSet<String> = evaluation.conversations.iter().map(predicted).collect();
        let recorded = golden.json("test_core.json");
        let actions = list(&recorded["result"]["actions"]);
        let want: Vec<String> = actions.iter().map(recorded_action).collect();
        let lines: Vec<&str> = got.iter().flat_map(|story| story.lines()).collect();
        let sorted = |mut lines: Vec<String>| {
            lines.sort();
            lines
        };
        let lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
        assert_eq!(sorted(lines), sorted(want));
        assert_eq!(evaluation.conversation_accuracy(), 1.0);
        assert_eq!(
            failed_stories(&evaluation),
            text(&recorded["failed"]).unwrap().trim_end().to_owned() + "\n"
        );
    }
}

/// Every message of the stories, understood as they say.
fn understood(stories: &StoryGraph) -> BTreeMap<String, Parsed> {
    let events = stories.steps.iter().flat_map(|step| &step.events);
    events
        .filter_map(|event| match event {
            StoryEvent::User(said) => Some((
                said.text.clone()?,
                Parsed {
                    intent: said.intent.clone(),
                    full_intent: said.intent_response_key.clone(),
                    confidence: 1.0,
                    entities: said.entities.to_vec(),
                },
            )),
            _ => None,
        })
        .collect()
}

/// One line for each predicted action: story, prediction, policy, confidence.
fn predicted(conversation: &Conversation) -> String {
    let mut lines = Vec::new();
    for turn in &conversation.turns {
        if let (
            Event::Action(gold),
            Some(Outcome::Action {
                predicted,
                policy,
                confidence,
                ..
            }),
        ) = (turn.event.as_ref(), &turn.outcome)
        {
            let gold = gold.label();
            lines.push(json!([gold, predicted, policy, confidence]).to_string());
        }
    }
    lines.join("\n")
}

fn recorded_action(action: &Value) -> String {
    let keys = ["action", "predicted", "policy", "confidence"];
    json!(keys.map(|key| &action[key])).to_string()
}

/// A recorded assistant.
struct Golden {
    folder: std::path::PathBuf,
    extra_actions: &'static [&'static str],
}

fn bots() -> Vec<(&'static str, Golden)> {
    let bots = [("tablebot", &[][..]), ("tripbot", &["utter_faq"][..])];
    bots.into_iter()
        .filter_map(|(name, extra_actions)| {
            let folder = shared(&format!("goldens/{name}"))?;
            let golden = Golden {
                folder,
                extra_actions,
            };
            Some((name, golden))
        })
        .collect()
}

impl Golden {
    fn json(&self, file: &str) -> Value {
        let text = fs::read_to_string(self.folder.join(file)).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn universe(&self) -> Universe {
        let path = self.folder.join("project/domain.yml");
        Universe::new(&read_domain(
            &yaml(&path),
            &slot_order(&path),
            self.extra_actions,
        ))
    }

    fn stories(&self) -> StoryGraph {
        let mut steps = Vec::new();
        for file in ["stories.yml", "rules.yml"] {
            let data = yaml(&self.folder.join("project/data").join(file));
            read_blocks(&data, &mut steps);
        }
        StoryGraph { steps }
    }

    fn test_stories(&self) -> StoryGraph {
        let path = self.folder.join("project/domain.yml");
        let domain = read_domain(&yaml(&path), &slot_order(&path), self.extra_actions);
        let tests = [self.folder.join("project/tests/test_stories.yml")];
        let imported = import_test_stories(&self.folder, &tests, &domain).unwrap();
        imported.project.stories
    }

    fn trackers(&self, augmentation: usize) -> Trackers {
        training_trackers(&self.stories(), &self.universe(), augmentation)
    }

    fn rule_policy(&self) -> RulePolicy {
        let (options, _) = RuleOptions::read(&BTreeMap::new()).unwrap();
        RulePolicy::train(&options, &self.universe(), &self.trackers(50)).unwrap()
    }

    fn examples(
        &self,
        featurizer: TrackerFeaturizer,
        of_rules: bool,
        shown: SlotsShown,
    ) -> Vec<String> {
        let trackers = self.trackers(0);
        let chosen = trackers
            .trackers
            .iter()
            .filter(|tracker| tracker.is_rule == of_rules);
        let examples = featurizer
            .examples(chosen, &self.universe(), shown)
            .unwrap();
        let mut shown: Vec<String> = examples
            .iter()
            .map(|example| {
                json!({"states": example.window.states(), "label": example.labels}).to_string()
            })
            .collect();
        shown.sort();
        shown
    }
}

fn recorded_examples(value: &Value) -> Vec<String> {
    let mut shown: Vec<String> = list(value).iter().map(Value::to_string).collect();
    shown.sort();
    shown
}

fn recorded_tracker(tracker: &Value) -> String {
    let events: Vec<Value> = list(&tracker["events"])
        .iter()
        .map(|event| match event["event"].as_str().unwrap() {
            "action" => json!(["action", event["name"], event["action_text"]]),
            "user" => json!([
                "user",
                event["parse_data"]["intent"]["name"],
                event["text"],
                event["parse_data"]["entities"]
            ]),
            "slot" => json!(["slot", event["name"], event["value"]]),
            "active_loop" => json!(["active_loop", event["name"]]),
            other => panic!("unexpected event {other}"),
        })
        .collect();
    json!([tracker["sender"], tracker["rule"], events]).to_string()
}

fn shown_tracker(tracker: &Tracker) -> String {
    let events: Vec<Value> = tracker
        .events()
        .iter()
        .map(|event| match event.as_ref() {
            Event::Action(executed) => json!(["action", executed.name, executed.text]),
            Event::User(message) => json!([
                "user",
                message.intent,
                message.text,
                message
                    .entities
                    .iter()
                    .map(shown_entity)
                    .collect::<Vec<_>>()
            ]),
            Event::Slot { name, value } => json!(["slot", name, value]),
            Event::ActiveLoop { name } => json!(["active_loop", name]),
            other => panic!("unexpected event {other:?}"),
        })
        .collect();
    json!([tracker.name, tracker.is_rule, events]).to_string()
}

fn shown_entity(entity: &Annotation) -> Value {
    let mut shown = json!({"entity": entity.entity, "value": entity.value});
    for (key, part) in [("role", &entity.role), ("group", &entity.group)] {
        if let Some(part) = part {
            shown[key] = json!(part);
        }
    }
    shown
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        many => list(many).iter().filter_map(text).collect(),
    }
}

fn yaml(path: &Path) -> Value {
    serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A list entry that is a name, or a map of one name to its options.
fn named(entry: &Value) -> (String, Value) {
    match entry {
        Value::String(name) => (name.clone(), Value::Null),
        other => {
            let (name, options) = other.as_object().unwrap().iter().next().unwrap();
            (name.clone(), options.clone())
        }
    }
}

/// The names of the slots as they stand in the file; JSON maps sort them.
fn slot_order(path: &Path) -> Vec<String> {
    let domain: serde_yaml::Value =
        serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let slots = domain["slots"].as_mapping().unwrap();
    slots
        .keys()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

fn read_domain(domain: &Value, slot_order: &[String], extra_actions: &[&str]) -> Domain {
    let mut actions = texts(&domain["actions"]);
    actions.extend(extra_actions.iter().map(|name| (*name).to_owned()));
    let map = |key: &str| domain[key].as_object().cloned().unwrap_or_default();
    let mut intents: Vec<Intent> = list(&domain["intents"]).iter().map(read_intent).collect();
    intents.sort_by(|a, b| a.name.cmp(&b.name));
    Domain {
        intents,
        entities: list(&domain["entities"]).iter().map(read_entity).collect(),
        slots: slot_order
            .iter()
            .map(|name| read_slot(name, &domain["slots"][name]))
            .collect(),
        responses: map("responses")
            .keys()
            .map(|name| (name.clone(), vec![Response::from(BTreeMap::new())]))
            .collect::<BTreeMap<_, _>>()
            .into(),
        actions,
        forms: map("forms")
            .iter()
            .map(|(name, form)| Form {
                name: name.clone(),
                required_slots: texts(&form["required_slots"]),
                ignored_intents: texts(&form["ignored_intents"]),
                place: Place::default(),
            })
            .collect(),
        store_entities_as_slots: true,
        ..Domain::default()
    }
}

fn read_intent(entry: &Value) -> Intent {
    let (name, options) = named(entry);
    let used_entities = match &options["use_entities"] {
        Value::Bool(false) => UsedEntities::Only(Vec::new()),
        Value::Array(_) => UsedEntities::Only(texts(&options["use_entities"])),
        _ => UsedEntities::All,
    };
    Intent {
        name,
        used_entities,
        ..Intent::default()
    }
}

fn read_entity(entry: &Value) -> Entity {
    let (name, options) = named(entry);
    Entity {
        name,
        roles: texts(&options["roles"]),
        groups: texts(&options["groups"]),
        influences: options["influence_conversation"] != json!(false),
        place: Place::default(),
    }
}

fn read_slot(name: &str, slot: &Value) -> Slot {
    let kind = match slot["type"].as_str().unwrap() {
        "text" => SlotKind::Text,
        "bool" => SlotKind::Bool,
        "list" => SlotKind::List,
        "float" => SlotKind::Float {
            min: slot["min_value"].as_f64().unwrap_or(0.0),
            max: slot["max_value"].as_f64().unwrap_or(1.0),
        },
        "categorical" => SlotKind::Categorical {
            values: texts(&slot["values"]),
        },
        _ => SlotKind::Any,
    };
    Slot {
        name: name.to_owned(),
        kind,
        initial_value: slot["initial_value"].clone(),
        influences: slot["influence_conversation"] != json!(false),
        auto_fill: false,
        mappings: list(&slot["mappings"]).iter().map(read_mapping).collect(),
        place: Place::default(),
    }
}

fn read_mapping(mapping: &Value) -> SlotMapping {
    let value = mapping["value"].clone();
    let kind = match mapping["type"].as_str().unwrap() {
        "from_entity" => MappingKind::FromEntity {
            entity: text(&mapping["entity"]).unwrap(),
            role: text(&mapping["role"]),
            group: text(&mapping["group"]),
        },
        "from_intent" => MappingKind::FromIntent { value },
        "from_text" => MappingKind::FromText,
        _ => MappingKind::Custom { action: None },
    };
    let condition = |condition: &Value| MappingCondition {
        active_loop: text(&condition["active_loop"]),
        requested_slot: text(&condition["requested_slot"]),
    };
    SlotMapping {
        kind,
        intents: texts(&mapping["intent"]),
        not_intents: texts(&mapping["not_intent"]),
        conditions: list(&mapping["conditions"]).iter().map(condition).collect(),
        places: Places::default(),
    }
}

fn read_blocks(data: &Value, steps: &mut Vec<Step>) {
    for block in list(&data["stories"]) {
        let name = text(&block["story"]).unwrap();
        read_block(&name, false, list(&block["steps"]), steps);
    }
    for block in list(&data["rules"]) {
        let name = text(&block["rule"]).unwrap();
        let mut inner = list(&block["condition"]).to_vec();
        if block["conversation_start"] != json!(true) {
            inner.push(json!({"action": "..."}));
        }
        inner.extend_from_slice(list(&block["steps"]));
        if block["wait_for_user_input"] == json!(false) {
            inner.push(json!({"action": "..."}));
        }
        read_block(&name, true, &inner, steps);
    }
}

fn read_block(name: &str, is_rule: bool, inner: &[Value], steps: &mut Vec<Step>) {
    let mut open = vec![Step {
        block_name: name.to_owned(),
        is_rule,
        ..Step::default()
    }];
    for (number, step) in inner.iter().enumerate() {
        if let Some(checkpoint) = step["checkpoint"].as_str() {
            let checkpoint = Checkpoint {
                name: checkpoint.to_owned(),
                conditions: BTreeMap::new(),
            };
            if number == 0 {
                open[0].start_checkpoints.push(checkpoint);
            } else {
                let next = follow(&mut open, checkpoint);
                steps.extend(std::mem::replace(&mut open, vec![next]));
            }
        } else if let Some(alternatives) = step["or"].as_array() {
            let base = open.remove(0);
            open = alternatives
                .iter()
                .map(|alternative| {
                    let mut copy = base.clone();
                    copy.events.extend(read_events(alternative));
                    copy
                })
                .collect();
            let joint = Checkpoint {
                name: format!("GENR_OR_{name}_{number}"),
                conditions: BTreeMap::new(),
            };
            let next = follow(&mut open, joint);
            steps.extend(std::mem::replace(&mut open, vec![next]));
        } else {
            open[0].events.extend(read_events(step));
        }
    }
    for mut step in open {
        if step.events.is_empty() {
            continue;
        }
        if step.start_checkpoints.is_empty() {
            step.start_checkpoints.push(start());
        }
        steps.push(step);
    }
    for step in steps {
        if step.start_checkpoints.is_empty() {
            step.start_checkpoints.push(start());
        }
    }
}

fn start() -> Checkpoint {
    Checkpoint {
        name: STORY_START.to_owned(),
        conditions: BTreeMap::new(),
    }
}

/// Ends all open steps in `joint`; returns the step that goes on from there.
fn follow(open: &mut [Step], joint: Checkpoint) -> Step {
    for step in open.iter_mut() {
        step.end_checkpoints.push(joint.clone());
    }
    Step {
        block_name: open[0].block_name.clone(),
        is_rule: open[0].is_rule,
        start_checkpoints: vec![joint],
        ..Step::default()
    }
}

fn read_events(step: &Value) -> Vec<StoryEvent> {
    if step.get("intent").is_some() || step.get("user").is_some() {
        return vec![StoryEvent::User(read_utterance(step).into())];
    }
    if let Some(action) = step["action"].as_str() {
        return vec![StoryEvent::Action(action.into())];
    }
    if let Some(name) = step.get("active_loop") {
        return vec![StoryEvent::ActiveLoop(text(name))];
    }
    list(&step["slot_was_set"])
        .iter()
        .map(|slot| {
            let (name, value) = named(slot);
            StoryEvent::Slot {
                name: name.into(),
                value,
            }
        })
        .collect()
}

fn read_utterance(step: &Value) -> Utterance {
    let entity = |entry: &Value| {
        let map = entry.as_object().unwrap();
        let (entity, value) = map
            .iter()
            .find(|(key, _)| !["role", "group"].contains(&key.as_str()))
            .unwrap();
        Annotation {
            entity: entity.clone(),
            value: value.clone(),
            role: text(&entry["role"]),
            group: text(&entry["group"]),
            ..Annotation::default()
        }
    };
    Utterance {
        intent: text(&step["intent"]),
        intent_response_key: None,
        text: None,
        entities: list(&step["entities"]).iter().map(entity).collect(),
    }
}

/// Domain and stories of an assistant as `import` reads them.
fn imported(bot: &str) -> Option<(Universe, StoryGraph)> {
    let root = shared(&format!("bots/{bot}"))?;
    let sources = Sources {
        root: root.clone(),
        domain: vec!["domain.yml".into()],
        data: vec!["data".into()],
        ..Sources::default()
    };
    let project = import_project(&sources).unwrap().project;
    Some((Universe::new(&project.domain), project.stories))
}

#[test]
fn real_assistants_train_without_contradictions() {
    for bot in [
        "rasa3-formbot",
        "rasa3-moodbot",
        "rasa3-rules",
        "financial-demo",
        "helpdesk-assistant",
    ] {
        let Some((universe, stories)) = imported(bot) else {
            return;
        };
        let trackers = training_trackers(&stories, &universe, 5);
        let (options, _) = RuleOptions::read(&BTreeMap::new()).unwrap();
        let policy = RulePolicy::train(&options, &universe, &trackers).unwrap();
        let rules = trackers.rules().count();
        assert_eq!(rules == 0, policy.rules().count() == 0, "{bot}");
        let again = Trackers::from_bytes(&trackers.to_bytes()).unwrap();
        let same = RulePolicy::train(&options, &universe, &again).unwrap();
        assert_eq!(same, policy, "{bot}: names of stories must not matter");
    }
}

#[test]
fn end_to_end_stories_keep_their_texts_as_states_and_actions() {
    let Some((universe, stories)) = imported("rasa3-e2ebot") else {
        return;
    };
    let trackers = training_trackers(&stories, &universe, 0);
    let examples = TrackerFeaturizer::max_history(None)
        .examples(trackers.stories(), &universe, SlotsShown::All)
        .unwrap();
    let said = examples
        .iter()
        .flat_map(|example| example.window.states())
        .any(|state| state.user.text.is_some() && state.user.intent.is_none());
    assert!(said);
    for example in &examples {
        assert!(universe.action_index(&example.labels[0]).is_some());
    }
}
