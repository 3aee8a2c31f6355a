//! The policies that are built in: their names, options, training and
//! prediction behind one type each, and what is wrong with a choice of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::Serialize;

use crate::data::Component;
use crate::dialogue::Memoization;
use crate::dialogue::MemoizationOptions;
use crate::dialogue::OptionError;
use crate::dialogue::Prediction;
use crate::dialogue::Recall;
use crate::dialogue::RuleError;
use crate::dialogue::RuleOnly;
use crate::dialogue::RuleOptions;
use crate::dialogue::RulePolicy;
use crate::dialogue::Tracker;
use crate::dialogue::Trackers;
use crate::dialogue::Universe;
use crate::dialogue::ted;
use crate::nlu::diet::Parsed;

/// Class names of the policies that are built in.
pub const BUILT_IN_POLICIES: [&str; 4] = [
    "MemoizationPolicy",
    "AugmentedMemoizationPolicy",
    RulePolicy::NAME,
    ted::NAME,
];

/// Class names of Rasa's policies that are not built in.
const ELSEWHERE: [&str; 6] = [
    "UnexpecTEDIntentPolicy",
    "SklearnPolicy",
    "MappingPolicy",
    "FallbackPolicy",
    "FormPolicy",
    "TwoStageFallbackPolicy",
];

/// A policy that cannot be made or trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// One of Rasa's that is not built in.
    #[error("policy `{name}` is not built in; built in are {}", BUILT_IN_POLICIES.join(", "))]
    NotBuiltIn {
        /// The name written.
        name: String,
    },
    /// A name that nobody knows.
    #[error("policy `{name}` is not known; built in are {}", BUILT_IN_POLICIES.join(", "))]
    Unknown {
        /// The name written.
        name: String,
    },
    /// Options that the policy cannot take.
    #[error("policy `{name}` cannot be configured like this")]
    Options {
        /// The policy.
        name: String,
        /// What is wrong.
        source: OptionError,
    },
    /// Rules that cannot be followed.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// Stories that `TEDPolicy` cannot learn from, or training was broken off.
    #[error(transparent)]
    Ted(#[from] ted::TrainError),
}

/// Files that are no policy of the name they are read under.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFilesError {
    /// The name is none of [`BUILT_IN_POLICIES`].
    #[error("policy `{0}` is not known")]
    Unknown(String),
    /// There is no `policy.json`.
    #[error("policy `{0}` lacks the file `policy.json`")]
    Missing(String),
    /// `policy.json` cannot be read.
    #[error("`policy.json` of `{name}` cannot be read")]
    Json {
        /// The policy.
        name: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A `TEDPolicy` cannot be read.
    #[error(transparent)]
    Ted(#[from] ted::ModelError),
}

/// The file of a policy that is a table.
pub const TABLE: &str = "policy.json";

/// A policy as configured: options with all defaults.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum PolicyOptions {
    /// `MemoizationPolicy` and `AugmentedMemoizationPolicy`.
    Memoization(MemoizationOptions),
    /// `RulePolicy`.
    Rule(RuleOptions),
    /// `TEDPolicy`.
    Ted(Box<ted::Options>),
}

impl PolicyOptions {
    /// Reads an entry of `policies`, with the option names that the policy does not
    /// know and what should be said about the others.
    ///
    /// # Errors
    ///
    /// If the policy is not built in, or an option has the wrong type.
    pub fn read(component: &Component) -> Result<Parsed<Self>, PolicyError> {
        let name = component.name.as_str();
        let options = &component.options;
        let memoization = |recall| {
            let (read, unknown) = MemoizationOptions::read(recall, options)?;
            Ok((Self::Memoization(read), unknown, Vec::new()))
        };
        let read = match name.rsplit('.').next().unwrap_or(name) {
            "MemoizationPolicy" => memoization(Recall::Exact),
            "AugmentedMemoizationPolicy" => memoization(Recall::Augmented),
            RulePolicy::NAME => RuleOptions::read(options)
                .map(|(read, unknown)| (Self::Rule(read), unknown, Vec::new())),
            ted::NAME => ted::Options::parse(options)
                .map(|read| {
                    (
                        Self::Ted(Box::new(read.options)),
                        read.unknown,
                        read.remarks,
                    )
                })
                .map_err(OptionError::from),
            class => {
                let name = name.to_owned();
                return Err(match ELSEWHERE.contains(&class) {
                    true => PolicyError::NotBuiltIn { name },
                    false => PolicyError::Unknown { name },
                });
            }
        };
        match read {
            Ok((options, unknown, remarks)) => Ok(Parsed {
                options,
                unknown,
                remarks,
            }),
            Err(source) => Err(PolicyError::Options {
                name: name.to_owned(),
                source,
            }),
        }
    }

    /// Returns the policy's class name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memoization(options) => options.recall.name(),
            Self::Rule(_) => RulePolicy::NAME,
            Self::Ted(_) => ted::NAME,
        }
    }

    /// Returns what decides between policies that are equally sure.
    pub fn priority(&self) -> i64 {
        match self {
            Self::Memoization(options) => options.priority,
            Self::Rule(options) => options.priority,
            Self::Ted(options) => options.priority,
        }
    }

    /// Trains the policy. Only networks draw random numbers, from `seed` unless the
    /// options have one, and only they have epochs.
    ///
    /// # Errors
    ///
    /// If the rules cannot be followed, a network cannot learn from the stories, or
    /// `on_epoch` breaks.
    pub fn train(
        &self,
        universe: &Universe,
        trackers: &Trackers,
        seed: u64,
        on_epoch: &mut dyn FnMut(ted::EpochReport) -> ControlFlow<()>,
    ) -> Result<LoadedPolicy, PolicyError> {
        Ok(match self {
            Self::Memoization(options) => {
                LoadedPolicy::Memoization(Memoization::train(options, universe, trackers))
            }
            Self::Rule(options) => {
                LoadedPolicy::Rule(RulePolicy::train(options, universe, trackers)?)
            }
            Self::Ted(options) => {
                let examples = ted::examples(options, universe, trackers)?;
                let model = ted::train(options, universe, &examples, seed, on_epoch)?;
                LoadedPolicy::Ted(Box::new(model))
            }
        })
    }
}

/// A policy that has learned.
#[derive(Clone, Debug)]
pub enum LoadedPolicy {
    /// `MemoizationPolicy` and `AugmentedMemoizationPolicy`.
    Memoization(Memoization),
    /// `RulePolicy`.
    Rule(RulePolicy),
    /// `TEDPolicy`.
    Ted(Box<ted::Model>),
}

impl LoadedPolicy {
    /// Returns the policy's class name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memoization(policy) => policy.options().recall.name(),
            Self::Rule(_) => RulePolicy::NAME,
            Self::Ted(_) => ted::NAME,
        }
    }

    /// Predicts the next action; policies that learn from stories do not see
    /// what is `rule_only`.
    pub fn predict(
        &self,
        tracker: &Tracker,
        universe: &Universe,
        rule_only: &RuleOnly,
    ) -> Prediction {
        match self {
            Self::Memoization(policy) => policy.predict(tracker, universe, rule_only),
            Self::Rule(policy) => policy.predict(tracker, universe),
            Self::Ted(policy) => policy.predict(tracker, universe, rule_only),
        }
    }

    /// Returns slots and loops that only rules know, if this is the policy that
    /// knows rules.
    pub fn rule_only(&self) -> Option<&RuleOnly> {
        match self {
            Self::Rule(policy) => Some(policy.rule_only()),
            Self::Memoization(_) | Self::Ted(_) => None,
        }
    }

    /// Returns the policy as files by name; the same policy gives the same bytes.
    pub fn to_files(&self) -> BTreeMap<String, Vec<u8>> {
        let table = |json: serde_json::Result<Vec<u8>>| {
            let json = json.expect("tables are plain values");
            BTreeMap::from([(TABLE.to_owned(), json)])
        };
        match self {
            Self::Memoization(policy) => table(serde_json::to_vec(policy)),
            Self::Rule(policy) => table(serde_json::to_vec(policy)),
            Self::Ted(policy) => policy.to_files(),
        }
    }

    /// Reads what [`to_files`](Self::to_files) of the policy called `name` wrote; other
    /// files are ignored.
    ///
    /// # Errors
    ///
    /// If the name is not known, or a file is missing or malformed.
    pub fn from_files(
        name: &str,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, PolicyFilesError> {
        if !BUILT_IN_POLICIES.contains(&name) {
            return Err(PolicyFilesError::Unknown(name.to_owned()));
        }
        if name == ted::NAME {
            return Ok(Self::Ted(Box::new(ted::Model::from_files(files)?)));
        }
        let json = files
            .get(TABLE)
            .ok_or_else(|| PolicyFilesError::Missing(name.to_owned()))?;
        let read = match name {
            RulePolicy::NAME => serde_json::from_slice(json).map(Self::Rule),
            _ => serde_json::from_slice(json).map(Self::Memoization),
        };
        read.map_err(|source| PolicyFilesError::Json {
            name: name.to_owned(),
            source,
        })
    }
}

/// Something odd about a choice of policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyIssue {
    /// Policies that nothing decides between.
    EqualPriorities {
        /// The priority.
        priority: i64,
        /// Their names, in order.
        policies: Vec<String>,
    },
    /// Without `RulePolicy` nothing answers the intents `restart`, `back` and
    /// `session_start`.
    DefaultIntentsUnanswered,
    /// There are rules, but no `RulePolicy`.
    RulesUnused,
    /// There is a `RulePolicy`, but no rule.
    NoRules,
    /// There are no stories, but policies that learn from them.
    NoStories,
    /// There are forms, but no `RulePolicy` to run them. This one is an error.
    FormsWithoutRulePolicy {
        /// The forms.
        forms: Vec<String>,
    },
}

impl PolicyIssue {
    /// Returns whether training must not go on.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::FormsWithoutRulePolicy { .. })
    }
}

impl std::fmt::Display for PolicyIssue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::EqualPriorities { priority, policies } => write!(
                f,
                "policies have the same priority {priority}, so their order decides: {}",
                policies.join(", ")
            ),
            Self::DefaultIntentsUnanswered => f.write_str(
                "without `RulePolicy` nothing answers the intents `restart`, `back` and \
                 `session_start`",
            ),
            Self::RulesUnused => {
                f.write_str("there are rules, but no `RulePolicy` that would follow them")
            }
            Self::NoRules => f.write_str("there is a `RulePolicy`, but no rule"),
            Self::NoStories => {
                f.write_str("there are policies that learn from stories, but no story")
            }
            Self::FormsWithoutRulePolicy { forms } => write!(
                f,
                "forms need `RulePolicy` among the policies: {}",
                forms.join(", ")
            ),
        }
    }
}

/// Returns what is odd about `policies`, given as name and priority, for a
/// project with these data.
///
/// # Source
///
/// Rasa 3.6 `DefaultV1RecipeValidator`.
pub fn policy_issues(
    policies: &[(&str, i64)],
    universe: &Universe,
    has_stories: bool,
    has_rules: bool,
) -> Vec<PolicyIssue> {
    let mut issues = Vec::new();
    let mut by_priority: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (name, priority) in policies {
        by_priority
            .entry(*priority)
            .or_default()
            .push((*name).to_owned());
    }
    for (priority, policies) in by_priority {
        if policies.len() > 1 {
            issues.push(PolicyIssue::EqualPriorities { priority, policies });
        }
    }
    let follows_rules = policies.iter().any(|(name, _)| *name == RulePolicy::NAME);
    let follows_stories = policies.iter().any(|(name, _)| *name != RulePolicy::NAME);
    if !follows_rules {
        issues.push(PolicyIssue::DefaultIntentsUnanswered);
        let forms: Vec<String> = universe
            .forms()
            .iter()
            .map(|form| form.name.clone())
            .collect();
        if !forms.is_empty() {
            issues.push(PolicyIssue::FormsWithoutRulePolicy { forms });
        }
        if has_rules {
            issues.push(PolicyIssue::RulesUnused);
        }
    } else if !has_rules {
        issues.push(PolicyIssue::NoRules);
    }
    if follows_stories && !has_stories {
        issues.push(PolicyIssue::NoStories);
    }
    issues
}
