//! Reads what users say: `intent` and `user` steps and their entities.

use serde_json::Value;
use serde_json::json;

use crate::data::Annotation;
use crate::data::Utterance;
use crate::diagnostic::did_you_mean;
use crate::diagnostic::shortened;
use crate::import::annotation;
use crate::import::stories::BlockReader;
use crate::import::stories::Purpose;
use crate::import::yaml::Entry;
use crate::import::yaml::Node;

impl BlockReader<'_, '_> {
    /// Reads an `intent` or `user` step.
    ///
    /// Rasa: entities are those of the annotated text where there is one. Differs
    /// from Rasa: an `intent` that is empty drops the step; 3.6 says so, too, and
    /// keeps it.
    pub(super) fn utterance(&mut self, step: &Node) -> Option<Utterance> {
        let mut utterance = Utterance::default();
        let text = step.get("user").filter(|node| !node.is_null());
        match step.get("intent") {
            Some(node) if node.is_null() => self.no_intent(node, text)?,
            Some(node) => {
                let name = self.reading.text(node, "`intent`")?.trim();
                let bare = name.strip_prefix('/').unwrap_or(name);
                if bare != name {
                    let about = self
                        .reading
                        .about("W408", node, format!("intent `{name}` starts with `/`"))
                        .help(format!("write `{bare}`"));
                    self.reading.diagnostics.push(about);
                }
                match bare.is_empty() {
                    true => self.no_intent(node, text)?,
                    false => self.intent(bare, node, &mut utterance),
                }
            }
            None => {}
        }
        if let Some(node) = text {
            let written = self.reading.text(node, "`user`")?.trim();
            self.user_text(written, node, &mut utterance);
        }
        if let Some(node) = step.get("entities") {
            self.entities(node, text.is_some(), &mut utterance);
        }
        Some(utterance)
    }

    /// Reports an empty intent. A step with a text goes on without it.
    fn no_intent(&mut self, node: &Node, text: Option<&Node>) -> Option<()> {
        let what = match text {
            Some(_) => "an intent without a name",
            None => "an intent without a name: the step is left out",
        };
        self.reading.say("W418", node, what);
        text.map(|_| ())
    }

    /// Reads `entities`, which count where no text has annotations of its own.
    fn entities(&mut self, node: &Node, has_text: bool, utterance: &mut Utterance) {
        if has_text {
            let about = self
                .reading
                .about("W439", node, "`entities` beside `user` count for nothing")
                .help("annotate the text: `[Rome](city)`");
            self.reading.diagnostics.push(about);
            return;
        }
        let items = self.reading.list(node, "`entities`");
        let entities = items.iter().filter_map(|item| self.entity(item));
        utterance.entities = entities.collect();
    }

    /// Takes over an intent's name; `base/key` is the base in training.
    fn intent(&mut self, name: &str, node: &Node, utterance: &mut Utterance) {
        utterance.intent = Some(name.to_owned());
        let Some((base, _)) = name.split_once('/') else {
            return;
        };
        utterance.intent_response_key = Some(name.to_owned());
        if self.purpose == Purpose::Training {
            utterance.intent = Some(base.to_owned());
            if self.is_test_file() {
                return;
            }
            let what = format!("retrieval intent `{name}` is written with its response key");
            let about = self.reading.about("W409", node, what).help(format!(
                "write `{base}`: stories know the base intent alone"
            ));
            self.reading.diagnostics.push(about);
        }
    }

    /// Returns whether the file is one of test stories by its name, which may
    /// name retrieval intents in full even where they are learned from.
    fn is_test_file(&self) -> bool {
        let name = self.reading.file.rsplit('/').next();
        name.is_some_and(|name| name.starts_with("test_"))
    }

    /// Reads an annotated text, or `/intent{"entity": "value"}`.
    fn user_text(&mut self, written: &str, node: &Node, utterance: &mut Utterance) {
        if let Some(command) = written.strip_prefix('/') {
            self.command(written, command, node, utterance);
            return;
        }
        let annotated = annotation::read(written);
        for (_, what) in annotated.mistakes {
            self.reading.say("E306", node, what);
        }
        for (_, key, near) in annotated.misspelt {
            let what = format!("an annotation has no `{}`: it is not read", shortened(&key));
            let about = self.reading.about("W353", node, what);
            let about = about.help(format!("did you mean `{near}`?"));
            self.reading.diagnostics.push(about);
        }
        for entity in &annotated.entities {
            self.check_entity(&entity.entity, node);
        }
        utterance.text = Some(annotated.text);
        utterance.entities = annotated.entities.into();
    }

    /// Reads `intent@0.9{"entity": "value", "other": ["one", "two"]}`.
    ///
    /// Rasa: the step's own `intent` counts; without one, the step is a text to
    /// learn from. Test stories take the intent from the text.
    fn command(&mut self, written: &str, command: &str, node: &Node, utterance: &mut Utterance) {
        let (head, json) = match command.find('{') {
            Some(at) => command.split_at(at),
            None => (command, ""),
        };
        let name = head.split('@').next().unwrap_or(head).trim();
        utterance.text = Some(written.to_owned());
        match (self.purpose, &utterance.intent) {
            (_, Some(_)) => {}
            (Purpose::Test, None) => utterance.intent = Some(name.to_owned()),
            (Purpose::Training, None) => {
                let what = "a text that starts with `/` is learned as a text";
                let about = self
                    .reading
                    .about("W441", node, what)
                    .help(format!("write `intent: {name}` if the intent is meant"));
                self.reading.diagnostics.push(about);
            }
        }
        if json.is_empty() {
            return;
        }
        let Ok(Value::Object(map)) = serde_json::from_str(json) else {
            let what = "what follows the intent is not a JSON map: it has no entities";
            self.reading.say("W442", node, what);
            return;
        };
        let mut entities = Vec::new();
        for (entity, value) in map {
            self.check_entity(&entity, node);
            let values = match value {
                Value::Array(values) => values,
                value => vec![value],
            };
            let annotations = values.into_iter().map(|value| Annotation {
                entity: entity.clone(),
                value,
                ..Annotation::default()
            });
            entities.extend(annotations);
        }
        utterance.entities = entities.into();
    }

    /// Reads an item of `entities`: a type, or a map of type to value with
    /// maybe a role and a group.
    fn entity(&mut self, item: &Node) -> Option<Annotation> {
        if let Some(name) = item.text() {
            self.check_entity(name, item);
            return Some(Annotation {
                entity: name.to_owned(),
                value: json!(""),
                ..Annotation::default()
            });
        }
        let named = |entry: &&Entry| !["role", "group"].contains(&&*entry.key);
        let Some(entry) = item.entries().iter().find(named) else {
            let what = "an entity is a type, or a map of type to value";
            self.reading.say("E010", item, what);
            return None;
        };
        self.check_entity(&entry.key, &entry.at);
        self.other_keys(item, entry);
        let mut word = |key: &str| {
            let node = item.get(key).filter(|node| !node.is_null())?;
            self.reading
                .text(node, &format!("`{key}`"))
                .map(str::to_owned)
        };
        Some(Annotation {
            entity: entry.key.to_string(),
            value: entry.value.to_json(),
            role: word("role"),
            group: word("group"),
            ..Annotation::default()
        })
    }

    /// Warns of a key beside the type that is near to `role` or `group`.
    fn other_keys(&mut self, item: &Node, of_type: &Entry) {
        let types = [of_type.key.as_str(), "role", "group"];
        let others = item.entries().iter();
        for other in others.filter(|one| !types.contains(&one.key.as_str())) {
            let key = other.key.as_str();
            if let Some(near) = did_you_mean(key, ["role", "group"]) {
                let what = format!("an entity has no `{}`: it is not read", shortened(key));
                let about = self.reading.about("W353", &other.at, what);
                let about = about.help(format!("did you mean `{near}`?"));
                self.reading.diagnostics.push(about);
            }
        }
    }

    /// Reports an entity that the domain does not have.
    fn check_entity(&mut self, name: &str, node: &Node) {
        let place = self.reading.place(node);
        let about = self.known.unknown_entity(name, &place, node.length);
        self.reading.diagnostics.extend(about);
    }
}
