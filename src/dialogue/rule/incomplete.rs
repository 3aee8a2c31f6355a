//! Finds rules that leave out what an action of theirs does in other rules.
//!
//! When an action sets a slot or a form in one rule, the policy can only follow
//! another rule with that action if the slot or form is written there too.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::diagnostic::shortened;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::RULE_SNIPPET;
use crate::dialogue::SHOULD_NOT_BE_SET;
use crate::dialogue::SlotsShown;
use crate::dialogue::State;
use crate::dialogue::Tracker;
use crate::dialogue::Universe;
use crate::dialogue::rule::RuleFlaw;
use crate::dialogue::slot_features;

/// What an action does directly after it ran, in any rule.
#[derive(Default)]
struct Effects {
    slots: BTreeSet<String>,
    loops: BTreeSet<String>,
}

/// Returns each place where a rule is incomplete.
///
/// # Source
///
/// Rasa 3.6 `RulePolicy._check_for_incomplete_rules`.
pub fn flaws(rules: &[&Tracker], universe: &Universe) -> Vec<RuleFlaw> {
    let effects = effects(rules, universe);
    let mut flaws = Vec::new();
    for rule in rules {
        let turns = rule.turns(universe, SlotsShown::All);
        for (k, state) in turns.states.iter().enumerate() {
            let next = turns.states.get(k + 1);
            let next = next.map_or(Some(ACTION_LISTEN), |next| next.prev_action_name());
            let Some(action) = state.prev_action_name() else {
                continue;
            };
            if action == RULE_SNIPPET || next == Some(RULE_SNIPPET) {
                continue;
            }
            let Some(effects) = effects.get(action) else {
                continue;
            };
            let before = k.checked_sub(1).map(|k| turns.places[k].clone());
            let missing = [
                missing_slots(action, rule, effects, state),
                missing_loop(action, rule, effects, state),
            ];
            flaws.extend(missing.into_iter().flatten().map(|message| RuleFlaw {
                message,
                action: action.to_owned(),
                place: before.clone().unwrap_or_default(),
                others: Vec::new(),
            }));
        }
    }
    flaws
}

fn effects<'a>(rules: &[&'a Tracker], universe: &Universe) -> BTreeMap<&'a str, Effects> {
    let is_seen = |name: &str| {
        let slot = universe.slot(name);
        slot.is_some_and(|slot| slot_features::count(slot) > 0)
    };
    let mut effects: BTreeMap<&str, Effects> = BTreeMap::new();
    for rule in rules {
        let mut action = None;
        for event in rule.events() {
            match (event.as_ref(), action) {
                (Event::Action(executed), _) => action = Some(executed.label()),
                (Event::User(_), _) => action = None,
                (Event::Slot { name, .. }, Some(action)) if is_seen(name) => {
                    effects
                        .entry(action)
                        .or_default()
                        .slots
                        .insert(name.clone());
                }
                (Event::ActiveLoop { name: Some(name) }, Some(action)) => {
                    effects
                        .entry(action)
                        .or_default()
                        .loops
                        .insert(name.clone());
                }
                _ => {}
            }
        }
    }
    effects
}

const HINT: &str = "or, if the rule goes on after that action, add `wait_for_user_input: false`";

fn missing_slots(action: &str, rule: &Tracker, effects: &Effects, state: &State) -> Option<String> {
    let missing: Vec<String> = effects
        .slots
        .iter()
        .filter(|name| !state.slots.contains_key(*name))
        .map(|name| format!("`{}`", shortened(name)))
        .collect();
    (!missing.is_empty()).then(|| {
        format!(
            "action `{}` does not set {} in rule `{}` as it does in other rules: \
             add the slots after it, {HINT}",
            shortened(action),
            missing.join(", "),
            shortened(&rule.name)
        )
    })
}

fn missing_loop(action: &str, rule: &Tracker, effects: &Effects, state: &State) -> Option<String> {
    let now = state
        .active_loop
        .as_ref()
        .map(|active| active.name.as_str());
    if effects.loops.is_empty() || now.is_some_and(|now| effects.loops.contains(now)) {
        return None;
    }
    let shown = |name: &String| match name.as_str() {
        SHOULD_NOT_BE_SET => "`active_loop: null`".to_owned(),
        name => format!("`active_loop: {}`", shortened(name)),
    };
    let expected: Vec<String> = effects.loops.iter().map(shown).collect();
    Some(format!(
        "action `{}` sets no active loop in rule `{}` as it does in other rules: \
         add {} after it, {HINT}",
        shortened(action),
        shortened(&rule.name),
        expected.join(" or ")
    ))
}
