//! Which halves a project has data for, and what to say when one is missing.

use crate::api::TrainError;
use crate::archive::TrainingType;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Project;
use crate::import::Want;

/// What will be trained.
pub struct Situation {
    /// Which halves.
    pub training_type: TrainingType,
    /// What to tell when that is less than was wanted.
    pub warning: Option<&'static str>,
}

/// Returns what can be trained of what is wanted.
///
/// | domain | stories | NLU data | result |
/// |---|---|---|---|
/// | empty | any | any | NLU only, with a warning |
/// | given | none | none | an error |
/// | given | none | some | NLU only, with a warning |
/// | given | some | none | Core only, with a warning |
/// | given | some | some | both |
///
/// # Source
///
/// Rasa 2.4 `train_async`. Differs from Rasa: an empty domain is noticed before
/// anything is trained, a dry run stays one, and no option is dropped (as in
/// Rasa 3.6); missing data is an error with a non-zero exit code; and a part is
/// trained only when stale, whichever half is missing.
///
/// # Errors
///
/// When nothing can be trained, or stories need a half that was not asked for.
pub fn situation(project: &Project, want: Want) -> Result<Situation, TrainError> {
    match want {
        Want::Nlu => nlu_only(project),
        Want::Core => core_only(project),
        Want::All => both(project),
    }
}

fn both(project: &Project) -> Result<Situation, TrainError> {
    let has_stories = !project.stories.steps.is_empty();
    let has_nlu = has_nlu_data(project);
    let (training_type, warning) = match (is_empty(&project.domain), has_stories, has_nlu) {
        (_, false, false) => return Err(TrainError::NoTrainingData),
        (true, _, false) => return Err(TrainError::NoDomain),
        (true, _, true) => (
            TrainingType::Nlu,
            Some(
                "there is no valid domain, so only an NLU model is trained; give one with `--domain`",
            ),
        ),
        (false, false, true) => (
            TrainingType::Nlu,
            Some("there are no stories or rules, so only an NLU model is trained"),
        ),
        (false, true, false) => (
            TrainingType::Core,
            Some("there is no NLU data, so only a Core model is trained"),
        ),
        (false, true, true) => (TrainingType::Both, None),
    };
    Ok(Situation {
        training_type,
        warning,
    })
}

fn nlu_only(project: &Project) -> Result<Situation, TrainError> {
    if !has_nlu_data(project) {
        return Err(TrainError::NoNluData);
    }
    Ok(Situation {
        training_type: TrainingType::Nlu,
        warning: None,
    })
}

fn core_only(project: &Project) -> Result<Situation, TrainError> {
    if is_empty(&project.domain) {
        return Err(TrainError::NoDomain);
    }
    if project.stories.steps.is_empty() {
        return Err(TrainError::NoStories);
    }
    if has_end_to_end(project) {
        return Err(TrainError::EndToEndNeedsNlu);
    }
    Ok(Situation {
        training_type: TrainingType::Core,
        warning: None,
    })
}

/// Whether there are examples, synonyms, regular expressions or lookup tables.
fn has_nlu_data(project: &Project) -> bool {
    let nlu = &project.nlu;
    !(nlu.examples.is_empty()
        && nlu.synonyms.is_empty()
        && nlu.patterns.is_empty()
        && nlu.lookups.is_empty())
}

/// Whether the domain is what a project without one has.
pub fn is_empty(domain: &Domain) -> bool {
    let nothing = Domain {
        store_entities_as_slots: domain.store_entities_as_slots,
        ..Domain::default()
    };
    *domain == nothing
}

/// Whether a story has a text in place of an intent or action.
fn has_end_to_end(project: &Project) -> bool {
    project
        .stories
        .steps
        .iter()
        .flat_map(|step| &step.events)
        .any(|event| match event {
            Event::User(utterance) => utterance.text.is_some() && utterance.intent.is_none(),
            Event::BotText(_) => true,
            _ => false,
        })
}
