//! Compares the parts of a project with each other and with what trainers can
//! use: one set of rules for `validate`, `train` and `test`.
//!
//! ```text
//!   import ──▶ data::Project ──▶ [check] ──▶ Diagnostics ──▶ api
//! ```
//!
//! What is wrong with one file, and names that do not exist, is said by
//! `import`. Here is what shows only when all is read: what nothing uses, what
//! contradicts itself, what cannot be learned. Every check of one part is linear
//! in the size of the project: names are looked up in sets, what messages quote
//! is cut, and the nearest of many names is sought for few unknown ones.

mod uses;
mod lines;
mod unused;
mod names;
mod responses;
mod forms;
mod examples;
mod annotations;
mod patterns;
mod blocks;
mod slot_values;
mod conversations;
mod config;

use crate::data::Domain;
use crate::data::Example;
use crate::data::Place;
use crate::data::Project;
use crate::data::StoryGraph;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::SourceMap;
use crate::import::Extent;
use crate::import::Extents;

pub use conversations::check_conversations;

/// Returns what is odd about a project, conversations apart. `texts` are those
/// that the project was read from, for exact places; `extents` says how much of it
/// was read, and so what can be known ([`Extents`]).
pub fn check_project(project: &Project, texts: &SourceMap, extents: Extents) -> Vec<Diagnostic> {
    let mut said = Vec::new();
    let uses = uses::Uses::of(project);
    config::check(project, &mut said);
    examples::check(project, &uses, extents, &mut said);
    annotations::check(project, &uses, texts, &mut said);
    patterns::check(project, extents.nlu, &mut said);
    names::check(project, &uses, texts, &mut said);
    if extents.are_whole() && has_domain(project) {
        unused::check(project, &uses, extents.config, &mut said);
    }
    if extents.domain < Extent::Lost && has_domain(project) {
        let has_all_names = extents.have_all_names();
        responses::check(project, &uses, texts, has_all_names, &mut said);
        forms::check(&project.domain, has_all_names, &mut said);
        slot_values::check_domain(&project.domain, &mut said);
        slot_values::check_stories(&project.domain, &project.stories, &mut said);
    }
    blocks::check(&project.stories, extents.stories, &mut said);
    said
}

/// Returns what is odd about test stories for a model with this domain. `extent`
/// says how much of them was read.
pub fn check_test_stories(
    domain: &Domain,
    stories: &StoryGraph,
    extent: Extent,
) -> Vec<Diagnostic> {
    let mut said = Vec::new();
    slot_values::check_stories(domain, stories, &mut said);
    blocks::check(stories, extent, &mut said);
    said
}

/// Returns what is odd about messages that a model is tested with.
pub fn check_test_messages(examples: &[Example]) -> Vec<Diagnostic> {
    let mut said = Vec::new();
    examples::check_labels(examples, &mut said);
    said
}

/// Whether there is a domain to compare with; without one only NLU is trained.
fn has_domain(project: &Project) -> bool {
    let domain = &project.domain;
    !(domain.intents.is_empty()
        && domain.entities.is_empty()
        && domain.slots.is_empty()
        && domain.responses.is_empty()
        && domain.actions.is_empty()
        && domain.forms.is_empty())
}

/// Returns a diagnostic that underlines a name.
fn about(code: &'static str, place: &Place, name: &str, message: String) -> Diagnostic {
    Diagnostic::new(code, place.clone(), message).length(name.chars().count() as u32)
}
