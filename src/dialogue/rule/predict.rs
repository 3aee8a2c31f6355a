//! Predicting with rules: default intents, forms, rules on text, rules on
//! intents, fallback, in this order.

use std::sync::Arc;

use crate::dialogue::ACTION_LISTEN;
use crate::dialogue::Event;
use crate::dialogue::LastInput;
use crate::dialogue::Prediction;
use crate::dialogue::Situation;
use crate::dialogue::SlotsShown;
use crate::dialogue::State;
use crate::dialogue::Tracker;
use crate::dialogue::Universe;
use crate::dialogue::featurizer::without_text;
use crate::dialogue::prediction::with_input;
use crate::dialogue::rule::RulePolicy;
use crate::dialogue::rule::lookup::feature_key;

/// Value of an unhappy path in which the form runs without validating.
pub const LOOP_WAS_INTERRUPTED: &str = "loop_was_interrupted";
/// Value of an unhappy path in which the form does not run.
pub const DO_NOT_PREDICT_LOOP: &str = "do_not_predict_loop_action";

/// Default intents and the actions that answer them.
pub const DEFAULT_ANSWERS: [(&str, &str); 3] = [
    ("restart", "action_restart"),
    ("back", "action_back"),
    ("session_start", "action_session_start"),
];

/// A conversation under way: the states of earlier turns, without the text of
/// messages whose intent is known, and where it stands.
pub struct Moment<'a> {
    /// One state for each action so far.
    pub past: &'a mut Vec<Arc<State>>,
    /// Where the conversation stands.
    pub now: &'a Situation,
    /// The domain.
    pub universe: &'a Universe,
}

/// What the rules say.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The next action; none when no rule fits.
    pub action: Option<String>,
    /// What led to it.
    pub source: Source,
    /// Whether the form is to run without validating.
    pub is_back_from_unhappy_path: bool,
    /// Whether the user's message was not looked at.
    pub is_no_user: bool,
    /// Whether the text of the message was looked at.
    pub is_end_to_end: bool,
}

/// What led to a decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Source {
    /// No rule.
    #[default]
    Nothing,
    /// A rule's key.
    Rule(String),
    /// A default intent, by its sentence.
    DefaultIntent(String),
    /// A form on its happy path, by its sentence.
    Loop(String),
}

impl Source {
    /// Returns the source as a text; none without a rule.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Rule(text) | Self::DefaultIntent(text) | Self::Loop(text) => Some(text),
        }
    }
}

/// Returns how a default intent is named as a source.
pub fn default_source(intent: &str) -> String {
    format!("predicting default action with intent {intent}")
}

/// Returns how a form that runs is named as a source.
pub fn loop_source(form: &str) -> String {
    format!("handling active loops and forms - {form}")
}

/// Returns how listening after a form is named as a source.
pub fn loop_listen_source(form: &str) -> String {
    format!("{} - {ACTION_LISTEN}", loop_source(form))
}

impl RulePolicy {
    /// Predicts the next action.
    ///
    /// # Source
    ///
    /// Rasa 3.6 `RulePolicy._predict`.
    pub fn predict(&self, tracker: &Tracker, universe: &Universe) -> Prediction {
        let turns = tracker.turns(universe, SlotsShown::All);
        let mut states = turns.states;
        states.pop();
        let mut past: Vec<Arc<State>> = states.iter().map(without_text).collect();
        let mut situation = Situation::default();
        for event in tracker.applied_events() {
            situation.update(&event);
        }
        let mut moment = Moment {
            past: &mut past,
            now: &situation,
            universe,
        };
        let decision = self.decide(&mut moment);
        self.prediction(&decision, &mut moment)
    }

    fn prediction(&self, decision: &Decision, moment: &mut Moment<'_>) -> Prediction {
        let universe = moment.universe;
        let mut prediction = Prediction::none(Self::NAME, self.options.priority, universe);
        let index = |name: &str| universe.action_index(name);
        match decision.action.as_deref() {
            Some(action) => {
                if let Some(action) = index(action) {
                    prediction.probabilities[action] = self.score(moment.now);
                }
            }
            None => {
                if let Some(fallback) = self.options.fallback().and_then(index) {
                    prediction.probabilities[fallback] = self.options.core_fallback_threshold;
                }
            }
        }
        if decision.is_back_from_unhappy_path {
            prediction.events.push(Event::LoopInterrupted {
                is_interrupted: true,
            });
        }
        prediction.is_no_user = decision.is_no_user;
        prediction.is_end_to_end = decision.is_end_to_end;
        let source = match decision.source.text() {
            Some(text) => Some(text.to_owned()),
            None => moment.with_state(LastInput::Intent, feature_key),
        };
        prediction.hide_rule_turn =
            source.is_some_and(|source| self.rules_not_in_stories.contains(&source));
        prediction
    }

    fn score(&self, now: &Situation) -> f32 {
        match now.latest_message() {
            Some(message) if self.options.use_nlu_confidence_as_score => message.confidence as f32,
            _ => 1.0,
        }
    }

    /// Returns what the rules say about the next action.
    pub(super) fn decide(&self, moment: &mut Moment<'_>) -> Decision {
        let now = moment.now;
        let is_after_listen = now.latest_action_name() == Some(ACTION_LISTEN);
        let by_text = match is_after_listen {
            true => self.decide_by_rules(moment, LastInput::Text),
            false => Decision::default(),
        };
        if by_text.action.is_none()
            && let Some(decision) = default_answer(now)
        {
            return decision;
        }
        if let Some(decision) = happy_path(now) {
            return decision;
        }
        if by_text.action.is_some() {
            return Decision {
                is_end_to_end: true,
                ..by_text
            };
        }
        let mut by_intent = self.decide_by_rules(moment, LastInput::Intent);
        by_intent.is_back_from_unhappy_path |= by_text.is_back_from_unhappy_path;
        by_intent
    }

    fn decide_by_rules(&self, moment: &mut Moment<'_>, input: LastInput) -> Decision {
        let active_loop = moment.now.active_loop_name().map(str::to_owned);
        moment.with_state(input, |states| {
            let best = self.rules.best(states);
            let mut decision = Decision {
                action: best
                    .and_then(|key| self.rules.value(key))
                    .map(str::to_owned),
                source: best.map_or(Source::Nothing, |key| Source::Rule(key.to_owned())),
                ..Decision::default()
            };
            if let Some(active_loop) = &active_loop {
                self.mind_loop(&mut decision, best, active_loop, states);
            }
            decision
        })
    }

    /// Within a form a rule that says nothing of forms may end the turn, but
    /// then the form goes on, unless a story or rule says otherwise.
    fn mind_loop(
        &self,
        decision: &mut Decision,
        best: Option<&str>,
        active_loop: &str,
        states: &[Arc<State>],
    ) {
        let conditions = self.unhappy_paths.matching(states);
        let has = |wanted: &str| {
            let mut values = conditions.iter().map(|key| self.unhappy_paths.value(key));
            values.any(|value| value == Some(wanted))
        };
        let is_general = best
            .and_then(|key| self.rules.last_state(key))
            .is_some_and(|last| last.active_loop_name().is_none());
        if decision.action.as_deref() == Some(ACTION_LISTEN) && is_general {
            if !has(DO_NOT_PREDICT_LOOP) {
                decision.action = Some(active_loop.to_owned());
                return;
            }
            decision.action = None;
        }
        decision.is_back_from_unhappy_path = has(LOOP_WAS_INTERRUPTED);
    }
}

impl Moment<'_> {
    /// Calls `look` with all states, the present one last.
    pub fn with_state<T>(&mut self, input: LastInput, look: impl FnOnce(&[Arc<State>]) -> T) -> T {
        let state = Arc::new(self.now.state(self.universe, SlotsShown::All));
        self.past.push(without_text(&with_input(&state, input)));
        let seen = look(self.past);
        self.past.pop();
        seen
    }
}

fn default_answer(now: &Situation) -> Option<Decision> {
    if now.latest_action_name() != Some(ACTION_LISTEN) {
        return None;
    }
    let intent = now.latest_message()?.intent.as_deref()?;
    let (_, action) = DEFAULT_ANSWERS.iter().find(|(name, _)| *name == intent)?;
    Some(Decision {
        action: Some((*action).to_owned()),
        source: Source::DefaultIntent(default_source(intent)),
        ..Decision::default()
    })
}

/// The form runs after each message, and the bot listens after the form.
fn happy_path(now: &Situation) -> Option<Decision> {
    let active = now.active_loop().filter(|active| !active.is_rejected)?;
    now.latest_action()?;
    let (action, source) = match now.latest_action_name() {
        Some(latest) if latest == active.name => {
            (ACTION_LISTEN.to_owned(), loop_listen_source(&active.name))
        }
        _ => (active.name.clone(), loop_source(&active.name)),
    };
    Some(Decision {
        action: Some(action),
        source: Source::Loop(source),
        is_no_user: true,
        ..Decision::default()
    })
}
