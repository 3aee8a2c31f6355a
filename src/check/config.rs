//! Keys of the configuration that Rasa asks for.

use crate::data::Place;
use crate::data::Project;
use crate::diagnostic::Diagnostic;

/// Says which keys are missing. A configuration without `recipe` is of Rasa 2,
/// which knows no `assistant_id`.
pub fn check(project: &Project, said: &mut Vec<Diagnostic>) {
    let config = &project.config;
    let written = config.pipeline.iter().chain(&config.policies);
    let Some(first) = written.map(|one| &one.place).find(|place| place.is_known()) else {
        return;
    };
    let place = Place {
        file: first.file.clone(),
        ..Place::default()
    };
    let mut say = |code, message: &str, help: &str| {
        said.push(Diagnostic::new(code, place.clone(), message).help(help));
    };
    if config.recipe.is_some() && config.assistant_id.is_none() {
        say(
            "N130",
            "there is no `assistant_id`, which Rasa 3.6 asks for",
            "add `assistant_id: name-of-your-bot`; Rasa writes one of its own otherwise",
        );
    }
    if config.language.is_none() {
        say(
            "N132",
            "there is no `language`, which Rasa asks for",
            "add a line such as `language: en`",
        );
    }
}
