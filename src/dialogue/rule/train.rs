//! Learning the tables of the policy.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::data::Place;
use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::Example;
use crate::dialogue::RULE_SNIPPET;
use crate::dialogue::RuleOnly;
use crate::dialogue::SlotsShown;
use crate::dialogue::State;
use crate::dialogue::Tracker;
use crate::dialogue::TrackerFeaturizer;
use crate::dialogue::Trackers;
use crate::dialogue::Universe;
use crate::dialogue::rule::RuleError;
use crate::dialogue::rule::RuleOptions;
use crate::dialogue::rule::RulePolicy;
use crate::dialogue::rule::contradictions;
use crate::dialogue::rule::incomplete;
use crate::dialogue::rule::lookup::RuleTable;
use crate::dialogue::rule::lookup::after_snippet;
use crate::dialogue::rule::predict::DO_NOT_PREDICT_LOOP;
use crate::dialogue::rule::predict::LOOP_WAS_INTERRUPTED;
use crate::dialogue::states_text;

impl RulePolicy {
    /// Learns the rules, and what stories say about forms; glued stories are
    /// not looked at.
    ///
    /// Messages name stories and rules as far as `trackers` have names.
    ///
    /// # Errors
    ///
    /// If the fallback action is unknown, or rules are too long, incomplete or
    /// in contradiction (unless the options say not to look).
    ///
    /// # Source
    ///
    /// Rasa 3.6 `RulePolicy.train`.
    pub fn train(
        options: &RuleOptions,
        universe: &Universe,
        trackers: &Trackers,
    ) -> Result<Self, RuleError> {
        check_fallback(options, universe)?;
        let rules: Vec<&Tracker> = trackers.rules().collect();
        let stories: Vec<&Tracker> = trackers.stories().collect();
        if options.restrict_rules {
            check_messages(&rules)?;
        }
        if options.check_for_contradictions {
            let flaws = incomplete::flaws(&rules, universe);
            if !flaws.is_empty() {
                return Err(RuleError::Incomplete { flaws });
            }
        }
        let mut of_rules = Vec::new();
        let mut unhappy_paths = RuleTable::default();
        let (mut in_rules, mut in_stories) = (Mentioned::default(), Mentioned::default());
        each_example(&rules, universe, SlotsShown::Set, |example| {
            unhappy_path(&example, &mut unhappy_paths);
            in_rules.add(&example);
            of_rules.push(example);
        });
        each_example(&stories, universe, SlotsShown::All, |example| {
            unhappy_path(&example, &mut unhappy_paths);
            in_stories.add(&example);
        });
        let mut policy = Self {
            options: options.clone(),
            rules: rule_table(&of_rules),
            unhappy_paths,
            rule_only: RuleOnly::default(),
            rules_not_in_stories: BTreeSet::new(),
        };
        if options.check_for_contradictions {
            policy.rule_only = in_rules.without(&in_stories);
            policy.rules_not_in_stories =
                contradictions::check(&mut policy, &rules, &stories, universe)?;
        }
        Ok(policy)
    }

    /// Finds what [`train`](Self::train) would refuse. Where there are no rules
    /// no story contradicts one, and none is played.
    ///
    /// # Errors
    ///
    /// As [`train`](Self::train).
    pub fn check(
        options: &RuleOptions,
        universe: &Universe,
        trackers: &Trackers,
    ) -> Result<(), RuleError> {
        match trackers.rules().next() {
            Some(_) => Self::train(options, universe, trackers).map(drop),
            None => check_fallback(options, universe),
        }
    }
}

fn check_fallback(options: &RuleOptions, universe: &Universe) -> Result<(), RuleError> {
    match &options.core_fallback_action_name {
        Some(action) if universe.action_index(action).is_none() => {
            Err(RuleError::UnknownFallback {
                action: action.clone(),
            })
        }
        _ => Ok(()),
    }
}

fn check_messages(rules: &[&Tracker]) -> Result<(), RuleError> {
    let too_long: BTreeMap<String, Place> = rules
        .iter()
        .filter_map(|rule| Some((rule.name.clone(), second_message(rule)?)))
        .collect();
    if too_long.is_empty() {
        return Ok(());
    }
    Err(RuleError::TooManyMessages {
        rules: too_long.into_iter().collect(),
    })
}

/// Returns where the second user message stands: the listening before it does.
fn second_message(rule: &Tracker) -> Option<Place> {
    let mut messages = 0;
    let mut place = Place::default();
    for (index, event) in rule.events().iter().enumerate() {
        match event.as_ref() {
            Event::Action(_) => place = rule.place(index),
            Event::User(_) => messages += 1,
            _ => {}
        }
        if messages == 2 {
            return Some(place);
        }
    }
    None
}

fn each_example(
    trackers: &[&Tracker],
    universe: &Universe,
    shown: SlotsShown,
    take: impl FnMut(Example),
) {
    TrackerFeaturizer::max_history(None)
        .each_example(trackers.iter().copied(), universe, shown, take)
        .expect("windows of states fit every story");
}

/// Rules whose key leads to one action; those that lead to `...` only say that
/// nothing is known.
fn rule_table(examples: &[Example]) -> RuleTable {
    let mut found: BTreeMap<String, Option<(Vec<State>, String)>> = BTreeMap::new();
    for example in examples {
        let states = after_snippet(example.window.states());
        if states.is_empty() {
            continue;
        }
        let action = &example.labels[0];
        let known = found
            .entry(states_text(states))
            .or_insert_with(|| Some((plain(states), action.clone())));
        if known.as_ref().is_some_and(|(_, known)| known != action) {
            *known = None;
        }
    }
    let mut table = RuleTable::default();
    for (key, rule) in found {
        if let Some((states, action)) = rule
            && action != RULE_SNIPPET
        {
            table.insert(key, states, action);
        }
    }
    table
}

fn plain(states: &[Arc<State>]) -> Vec<State> {
    states.iter().map(|state| State::clone(state)).collect()
}

/// Adds what a rule or story does within a form other than letting it run.
fn unhappy_path(example: &Example, table: &mut RuleTable) {
    let states = example.window.states();
    let Some(last) = states.last() else { return };
    let Some(active_loop) = last.active_loop_name() else {
        return;
    };
    let is_after_listen = last.prev_action_name() == Some(ACTION_LISTEN);
    let runs_loop = example.labels[0] == active_loop;
    let value = match (is_after_listen, runs_loop) {
        (true, true) => LOOP_WAS_INTERRUPTED,
        (false, false) => DO_NOT_PREDICT_LOOP,
        _ => return,
    };
    let reduced = last_two_turns(states);
    let states = after_snippet(&reduced);
    if !states.is_empty() {
        table.insert(states_text(states), plain(states), value.to_owned());
    }
}

/// The last state, and of the one before only what the bot had done.
fn last_two_turns(states: &[Arc<State>]) -> Vec<Arc<State>> {
    match states {
        [.., before, last] if before.prev_action.is_some() => {
            let before = State {
                prev_action: before.prev_action.clone(),
                ..State::default()
            };
            vec![Arc::new(before), Arc::clone(last)]
        }
        [.., last] => vec![Arc::clone(last)],
        [] => Vec::new(),
    }
}

/// Slots and forms that examples mention.
#[derive(Default)]
struct Mentioned {
    slots: BTreeSet<String>,
    loops: BTreeSet<String>,
}

impl Mentioned {
    fn add(&mut self, example: &Example) {
        // The last state of each window is enough: the others end other windows.
        let Some(state) = example.window.states().last() else {
            return;
        };
        for name in state.slots.keys() {
            if !self.slots.contains(name) {
                self.slots.insert(name.clone());
            }
        }
        if let Some(name) = state.active_loop_name()
            && !self.loops.contains(name)
        {
            self.loops.insert(name.to_owned());
        }
    }

    fn without(&self, others: &Self) -> RuleOnly {
        RuleOnly {
            slots: self.slots.difference(&others.slots).cloned().collect(),
            loops: self.loops.difference(&others.loops).cloned().collect(),
        }
    }
}
