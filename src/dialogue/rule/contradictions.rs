//! Plays all rules and stories against the rules: whatever a rule predicts and
//! another rule or a story does differently is a contradiction.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::data::Place;
use crate::diagnostic::shortened;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::Executed;
use crate::dialogue::LastInput;
use crate::dialogue::RULE_SNIPPET;
use crate::dialogue::Situation;
use crate::dialogue::SlotsShown;
use crate::dialogue::State;
use crate::dialogue::Tracker;
use crate::dialogue::Universe;
use crate::dialogue::featurizer::without_text;
use crate::dialogue::rule::RuleError;
use crate::dialogue::rule::RuleFlaw;
use crate::dialogue::rule::RulePolicy;
use crate::dialogue::rule::lookup::feature_key;
use crate::dialogue::rule::predict::DEFAULT_ANSWERS;
use crate::dialogue::rule::predict::Decision;
use crate::dialogue::rule::predict::Moment;
use crate::dialogue::rule::predict::Source;
use crate::dialogue::rule::predict::default_source;
use crate::dialogue::rule::predict::loop_listen_source;
use crate::dialogue::rule::predict::loop_source;

/// Rule names and the actions they want, with where they say so, by what a
/// prediction came from.
type Sources = BTreeMap<String, BTreeMap<(String, String), Place>>;

/// An action of a conversation beside what the rules predict there.
struct Compared {
    gold: String,
    place: Place,
    /// None when a story meets no rule.
    predicted: Option<String>,
    source: Option<String>,
    is_own_source: bool,
}

/// Checks `policy` against all conversations; rules that a story shows to end
/// too early are dropped from it. Returns the sources that no story agrees
/// with.
///
/// # Errors
///
/// If rules contradict each other or stories.
///
/// # Source
///
/// Rasa 3.6 `RulePolicy._analyze_rules`. What differs for every conversation
/// (default intents, forms) is a source of its own.
pub fn check(
    policy: &mut RulePolicy,
    rules: &[&Tracker],
    stories: &[&Tracker],
    universe: &Universe,
) -> Result<BTreeSet<String>, RuleError> {
    let mut sources = Sources::new();
    for rule in rules {
        replay(policy, rule, universe, |_, compared| {
            collect(&mut sources, rule, compared);
        });
    }
    let mut used = BTreeSet::new();
    let mut flaws = Vec::new();
    for tracker in stories.iter().chain(rules) {
        replay(policy, tracker, universe, |policy, compared| {
            if !tracker.is_rule
                && compared.predicted.as_ref() == Some(&compared.gold)
                && let Some(source) = &compared.source
            {
                used.insert(source.clone());
            }
            flaws.extend(flaw(policy, &sources, tracker, &compared));
        });
    }
    if !flaws.is_empty() {
        return Err(RuleError::Contradictions { flaws });
    }
    let defaults = DEFAULT_ANSWERS
        .iter()
        .map(|(intent, _)| default_source(intent));
    let forms = universe
        .forms()
        .iter()
        .flat_map(|form| [loop_source(&form.name), loop_listen_source(&form.name)]);
    let all = sources.into_keys().chain(defaults).chain(forms);
    Ok(all.filter(|source| !used.contains(source)).collect())
}

fn collect(sources: &mut Sources, rule: &Tracker, compared: Compared) {
    let Some(source) = compared.source else {
        return;
    };
    let entry = match (compared.is_own_source, compared.predicted) {
        (true, Some(predicted)) => (source.clone(), predicted),
        _ => (rule.name.clone(), compared.gold),
    };
    let entries = sources.entry(source).or_default();
    entries.entry(entry).or_insert(compared.place);
}

fn flaw(
    policy: &mut RulePolicy,
    sources: &Sources,
    tracker: &Tracker,
    compared: &Compared,
) -> Option<RuleFlaw> {
    let predicted = compared.predicted.as_deref()?;
    let source = compared.source.as_deref()?;
    if predicted == compared.gold {
        return None;
    }
    if ends_too_early(policy, source, tracker, predicted) {
        policy.rules.remove(source);
        return None;
    }
    let contradicting: BTreeMap<&str, &Place> = sources
        .get(source)?
        .iter()
        .filter(|((_, action), _)| *action != compared.gold)
        .map(|((name, _), place)| (name.as_str(), place))
        .collect();
    if contradicting.is_empty() {
        return None;
    }
    let kind = if tracker.is_rule { "rule" } else { "story" };
    let names: Vec<String> = contradicting
        .keys()
        .map(|name| format!("`{}`", shortened(name)))
        .collect();
    let wanted = match policy.options.core_fallback_action_name.as_deref() {
        Some(fallback) if fallback == predicted => String::new(),
        _ => format!(", which wants `{}`", shortened(predicted)),
    };
    let message = format!(
        "action `{}` in {kind} `{}` contradicts {}{wanted}",
        shortened(&compared.gold),
        shortened(&tracker.name),
        names.join(", ")
    );
    Some(RuleFlaw {
        message,
        action: compared.gold.clone(),
        place: compared.place.clone(),
        others: contradicting
            .into_iter()
            .map(|(name, place)| (name.to_owned(), place.clone()))
            .collect(),
    })
}

/// A rule of one turn that listens although a longer rule goes on: a story that
/// goes on, too, is right.
fn ends_too_early(policy: &RulePolicy, source: &str, tracker: &Tracker, predicted: &str) -> bool {
    !tracker.is_rule
        && predicted == ACTION_LISTEN
        && source.matches("prev_action").count() <= 1
        && policy.rules.value(source).is_some()
        && policy.rules.has_longer(source)
}

/// Calls `compare` for each action that can be predicted.
fn replay(
    policy: &mut RulePolicy,
    tracker: &Tracker,
    universe: &Universe,
    mut compare: impl FnMut(&mut RulePolicy, Compared),
) {
    let mut past: Vec<Arc<State>> = Vec::new();
    let mut now = Situation::default();
    let mut is_unpredictable = true;
    for (index, event) in tracker.applied() {
        if let Some(executed) = event.as_action() {
            if executed.is_name(RULE_SNIPPET) {
                is_unpredictable = true;
            } else if is_unpredictable || executed.is_unpredictable {
                is_unpredictable = false;
            } else {
                let at = (tracker, index);
                let compared = predict(policy, &mut past, &mut now, universe, at, executed);
                compare(policy, compared);
            }
            let state = Arc::new(now.state(universe, SlotsShown::All));
            past.push(without_text(&state));
        }
        now.update(event);
    }
}

/// Predicts; a form that is predicted where something else happens refuses to
/// run, as it would with a user.
fn predict(
    policy: &RulePolicy,
    past: &mut Vec<Arc<State>>,
    now: &mut Situation,
    universe: &Universe,
    at: (&Tracker, usize),
    executed: &Executed,
) -> Compared {
    let gold = executed.label();
    let mut decision = policy.decide(&mut Moment {
        past,
        now,
        universe,
    });
    if let Some(active) = now.active_loop_name()
        && decision.action.as_deref() == Some(active)
        && active != gold
    {
        let name = active.to_owned();
        now.update(&Arc::new(Event::ActionRejected { name }));
        decision = policy.decide(&mut Moment {
            past,
            now,
            universe,
        });
    }
    let moment = &mut Moment {
        past,
        now,
        universe,
    };
    compared(policy, &decision, moment, at, executed)
}

/// A rule must always predict something; a story may meet no rule.
fn compared(
    policy: &RulePolicy,
    decision: &Decision,
    moment: &mut Moment<'_>,
    (tracker, index): (&Tracker, usize),
    executed: &Executed,
) -> Compared {
    let fallback = policy.options.fallback().unwrap_or(ACTION_LISTEN);
    let predicted = match &decision.action {
        Some(action) => Some(action.clone()),
        None if tracker.is_rule => Some(fallback.to_owned()),
        None => None,
    };
    let source = match decision.source.text() {
        Some(text) => Some(text.to_owned()),
        None if tracker.is_rule => moment.with_state(LastInput::Intent, feature_key),
        None => None,
    };
    Compared {
        gold: executed.label().to_owned(),
        place: tracker.place(index),
        predicted,
        source,
        is_own_source: matches!(decision.source, Source::DefaultIntent(_) | Source::Loop(_)),
    }
}
