//! Stories and rules as conversations: which contradict each other, and which
//! rules cannot be followed. The policies' own code says so.

use std::cmp::Reverse;

use crate::data::Place;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::shortened;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Conflict;
use crate::dialogue::PolicyOptions;
use crate::dialogue::RuleError;
use crate::dialogue::RuleFlaw;
use crate::dialogue::RuleOptions;
use crate::dialogue::RulePolicy;
use crate::dialogue::TooManyWays;
use crate::dialogue::Trackers;
use crate::dialogue::Universe;
use crate::dialogue::Way;
use crate::dialogue::check_ways;
use crate::dialogue::conflicts;
use crate::dialogue::training_trackers;

/// Returns what contradicts what; `max_history` is how many turns stories are
/// compared over, all if `None`.
///
/// Contradictions of rules are errors where `RulePolicy` is configured, for it
/// refuses them; those of stories are warnings. Stories that become too many
/// conversations to compare are an error, and nothing else is said.
pub fn check_conversations(project: &Project, max_history: Option<usize>) -> Vec<Diagnostic> {
    if project.stories.steps.is_empty() {
        return Vec::new();
    }
    if let Err(error) = check_ways(&project.stories) {
        return vec![too_many(&error)];
    }
    let universe = Universe::new(&project.domain);
    let trackers = training_trackers(&project.stories, &universe, 0);
    let mut said: Vec<Diagnostic> = conflicts(&trackers, &universe, max_history)
        .iter()
        .filter_map(story_conflict)
        .collect();
    said.extend(rules(project, &universe, &trackers));
    said
}

fn too_many(error: &TooManyWays) -> Diagnostic {
    Diagnostic::new("E032", error.place.clone(), error.to_string())
        .length(error.story.chars().count() as u32)
        .help("let fewer stories meet: an `or` at a time, or a checkpoint less")
}

/// Returns the caret's length for an action: what is not written has none.
fn length(action: &str) -> u32 {
    match action {
        ACTION_LISTEN => 1,
        action => action.chars().count() as u32,
    }
}

/// Ways to go on that a note names beside the rare one.
const OTHERS: usize = 5;

/// One conflict, told at the way that fewest stories go.
fn story_conflict(conflict: &Conflict) -> Option<Diagnostic> {
    let mut ways: Vec<(&String, &Way)> = conflict.ways.iter().collect();
    ways.sort_by_key(|(_, way)| way.count);
    let ((action, rare), others) = ways.split_first()?;
    let (_, place) = rare.stories.first()?;
    let mut others = others.to_vec();
    others.sort_by_key(|(_, way)| Reverse(way.count));
    let message = format!(
        "after {}, {} with `{}`, and others go on otherwise",
        conflict.after,
        told(rare),
        shortened(action),
    );
    let mut notes: Vec<String> = others
        .iter()
        .take(OTHERS)
        .filter_map(|(action, way)| {
            let (_, place) = way.stories.first()?;
            let action = shortened(action);
            Some(format!("{} with `{action}` at {place}", told(way)))
        })
        .collect();
    if let more @ 1.. = others.len().saturating_sub(OTHERS) {
        let ways = if more == 1 { "way" } else { "ways" };
        notes.push(format!("and there are {more} more {ways}"));
    }
    let diagnostic = Diagnostic::new("W451", place.clone(), message)
        .length(length(action))
        .note(notes.join("; "))
        .help("let them differ before that point (an intent, a slot), or do the same there");
    Some(diagnostic)
}

/// Returns such as "story `a` goes on" or "stories `a`, `b` and 3 others go on".
fn told(way: &Way) -> String {
    let names = way.stories.iter().map(|(name, _)| shortened(name));
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [one] if way.count == 1 => format!("story {one} goes on"),
        [first, second] if way.count == 2 => format!("stories {first} and {second} go on"),
        [first, second, third] if way.count == 3 => {
            format!("stories {first}, {second} and {third} go on")
        }
        [first, second, ..] => {
            format!(
                "stories {first}, {second} and {} others go on",
                way.count - 2
            )
        }
        _ => format!("{} stories go on", way.count),
    }
}

/// What `RulePolicy` would refuse, if it is configured.
fn rules(project: &Project, universe: &Universe, trackers: &Trackers) -> Vec<Diagnostic> {
    let Some((options, place)) = rule_options(project) else {
        return Vec::new();
    };
    match RulePolicy::check(&options, universe, trackers) {
        Ok(()) => Vec::new(),
        Err(error) => rule_error(error, &place),
    }
}

fn rule_options(project: &Project) -> Option<(RuleOptions, Place)> {
    project.config.policies.iter().find_map(|policy| {
        match PolicyOptions::read(policy).ok()?.options {
            PolicyOptions::Rule(options) => Some((options, policy.place.clone())),
            _ => None,
        }
    })
}

fn rule_error(error: RuleError, place: &Place) -> Vec<Diagnostic> {
    match error {
        RuleError::UnknownFallback { .. } => {
            let help = "list it under `actions` of the domain, or name another one";
            let about = Diagnostic::new("E459", place.clone(), error.to_string());
            vec![about.help(help)]
        }
        RuleError::TooManyMessages { rules } => rules
            .into_iter()
            .map(|(name, place)| {
                let name = shortened(&name);
                let message = format!("rule `{name}` has more than one user message");
                let help = "write a story, or set `restrict_rules: false` of `RulePolicy`";
                Diagnostic::new("E454", place, message).help(help)
            })
            .collect(),
        RuleError::Incomplete { flaws } => {
            let of_flaw = |flaw: RuleFlaw| {
                let length = length(&flaw.action);
                Diagnostic::new("E453", flaw.place, flaw.message).length(length)
            };
            flaws.into_iter().map(of_flaw).collect()
        }
        RuleError::Contradictions { flaws } => flaws.into_iter().map(contradiction).collect(),
    }
}

fn contradiction(flaw: RuleFlaw) -> Diagnostic {
    let known = flaw.others.iter().filter(|(_, place)| place.is_known());
    let notes: Vec<String> = known
        .map(|(name, place)| format!("rule `{}` is at {place}", shortened(name)))
        .collect();
    let mut diagnostic = Diagnostic::new("E452", flaw.place, flaw.message)
        .length(length(&flaw.action))
        .help("do the same in both, or give the rule a condition that keeps it out of there");
    if !notes.is_empty() {
        diagnostic = diagnostic.note(notes.join("; "));
    }
    diagnostic
}
