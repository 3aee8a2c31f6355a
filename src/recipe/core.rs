//! The tasks of the policies: training conversations, and what each policy
//! learns from them.
//!
//! ```text
//!   core domain, stories ─▶ core.trackers ─┬▶ trackers ──▶ memorising and rule policies
//!                                          └▶ augmented ─▶ networks
//!   policy domain ─────────────────────────────────────────▶ all of them
//! ```

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use crate::archive::ComponentEntry;
use crate::data::Component;
use crate::data::Domain;
use crate::data::Event;
use crate::data::Options;
use crate::data::Place;
use crate::data::Project;
use crate::diagnostic::Diagnostic;
use crate::dialogue::BUILT_IN_POLICIES;
use crate::dialogue::PolicyError;
use crate::dialogue::PolicyIssue;
use crate::dialogue::PolicyOptions;
use crate::dialogue::TABLE;
use crate::dialogue::Trackers;
use crate::dialogue::Universe;
use crate::dialogue::check_ways;
use crate::dialogue::policy_issues;
use crate::dialogue::ted;
use crate::dialogue::training_trackers;
use crate::engine::Input;
use crate::engine::Outputs;
use crate::engine::TaskContext;
use crate::engine::TaskError;
use crate::engine::TaskId;
use crate::engine::TaskPlaces;
use crate::engine::Turn;
use crate::recipe::Builder;
use crate::recipe::Draft;
use crate::recipe::Order;
use crate::recipe::Slices;
use crate::recipe::Stage;
use crate::recipe::Stories;
use crate::recipe::builder::places_of;
use crate::recipe::instead::instead;
use crate::recipe::nlu::options_map;
use crate::recipe::options::Written;
use crate::recipe::options::with_causes;
use crate::recipe::ordinals::ordinals;
use crate::recipe::seeds::seed;
use crate::recipe::slices::core_domain;

/// Algorithm versions: raised when the output for the same input changes.
const TRACKERS_VERSION: u32 = 1;
const MEMOIZATION_VERSION: u32 = 1;
const RULES_VERSION: u32 = 1;
const TED_VERSION: u32 = 3;

/// A policy whose options were read, with its place in the configuration.
struct Chosen<'a> {
    place: usize,
    /// How many of its name stand before it.
    ordinal: usize,
    policy: &'a Component,
    options: PolicyOptions,
}

/// Adds the tasks of every policy; returns what the archive says of them.
pub fn tasks(
    builder: &mut Builder,
    project: &Arc<Project>,
    slices: &Slices,
    order: &Order,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<ComponentEntry> {
    let policies = &project.config.policies;
    let ordinals = ordinals(policies.iter().map(|policy| policy.name.as_str()));
    let mut chosen = Vec::with_capacity(policies.len());
    for (place, (policy, ordinal)) in policies.iter().zip(ordinals).enumerate() {
        if let Some(options) = read(policy, diagnostics) {
            chosen.push(Chosen {
                place,
                ordinal,
                policy,
                options,
            });
        }
    }
    tell_issues(project, &chosen, diagnostics);
    refuse_end_to_end(project, &chosen, diagnostics);
    let trackers = trackers(builder, slices, order.augmentation);
    chosen
        .into_iter()
        .map(|chosen| {
            let stories = (project, order.augmentation);
            policy(builder, slices, trackers, stories, chosen)
        })
        .collect()
}

/// Reads a policy's options; tells what is unknown or wrong.
fn read(policy: &Component, diagnostics: &mut Vec<Diagnostic>) -> Option<PolicyOptions> {
    let written = Written(policy);
    match PolicyOptions::read(policy) {
        Ok(parsed) => {
            let known: Vec<String> = written_options(&parsed.options).into_keys().collect();
            written.unknown(&parsed.unknown, &known, diagnostics);
            written.unknown_within("featurizer", diagnostics);
            for remark in &parsed.remarks {
                written.remark(remark, diagnostics);
            }
            Some(parsed.options)
        }
        Err(error) => {
            let code = match error {
                PolicyError::Options { .. } => "E107",
                _ => "E106",
            };
            let message = with_causes(&error);
            let diagnostic = Diagnostic::new(code, policy.place.clone(), message);
            diagnostics.push(match instead(&policy.name) {
                Some(what) => diagnostic.help(format!("instead: {what}")),
                None => diagnostic.suggest(&policy.name, BUILT_IN_POLICIES),
            });
            None
        }
    }
}

/// The options after defaults. The enum's tag is the kind of policy.
fn written_options(options: &PolicyOptions) -> Options {
    match json!(options) {
        Value::Object(map) => map.values().next().map(options_map).unwrap_or_default(),
        _ => Options::new(),
    }
}

/// Tells what is odd about the choice of policies.
fn tell_issues(project: &Project, chosen: &[Chosen<'_>], diagnostics: &mut Vec<Diagnostic>) {
    let place = chosen
        .first()
        .map_or_else(Place::default, |first| first.policy.place.clone());
    if project.config.policies.is_empty() {
        let message = "there are no policies, so nothing decides what the bot does";
        diagnostics.push(Diagnostic::new("W111", place, message));
        return;
    }
    let priorities: Vec<(&str, i64)> = chosen
        .iter()
        .map(|chosen| (chosen.options.name(), chosen.options.priority()))
        .collect();
    let universe = Universe::new(&project.domain);
    let has = |rules: bool| {
        project
            .stories
            .steps
            .iter()
            .any(|step| step.is_rule == rules)
    };
    for issue in policy_issues(&priorities, &universe, has(false), has(true)) {
        if matches!(issue, PolicyIssue::NoRules) && project.config.policies_are_default {
            // Nobody asked for the policy.
            continue;
        }
        let code = if issue.is_error() { "E112" } else { "W111" };
        let about = match &issue {
            PolicyIssue::NoRules => chosen.iter().find(|one| one.policy.name == "RulePolicy"),
            PolicyIssue::EqualPriorities { policies, .. } => chosen
                .iter()
                .find(|one| policies.contains(&one.policy.name)),
            _ => None,
        };
        let place = about.map_or(&place, |chosen| &chosen.policy.place);
        diagnostics.push(Diagnostic::new(code, place.clone(), issue.to_string()));
    }
}

/// Networks that would have to read texts of stories are not there yet.
fn refuse_end_to_end(project: &Project, chosen: &[Chosen<'_>], diagnostics: &mut Vec<Diagnostic>) {
    let is_network = |chosen: &&Chosen<'_>| matches!(chosen.options, PolicyOptions::Ted(_));
    let Some(Chosen { policy, .. }) = chosen.iter().find(is_network) else {
        return;
    };
    for step in &project.stories.steps {
        let text = step.events.iter().position(|event| match event {
            Event::User(utterance) => utterance.text.is_some() && utterance.intent.is_none(),
            Event::BotText(_) => true,
            _ => false,
        });
        if let Some(index) = text {
            let place = step.event_places.get(index).unwrap_or(&step.place).clone();
            let message = format!(
                "`{}` does not learn from texts of stories yet (end-to-end training)",
                policy.name
            );
            let help =
                "give the user's intent and the bot's action instead, or leave the policy out";
            diagnostics.push(Diagnostic::new("E113", place, message).help(help));
            return;
        }
    }
}

fn universe(context: &TaskContext<'_>) -> Result<Universe, TaskError> {
    Ok(Universe::new(context.value::<Domain>("domain")?))
}

/// Adds the task that turns stories and rules into conversations.
fn trackers(builder: &mut Builder, slices: &Slices, augmentation: usize) -> TaskId {
    builder.add(Draft {
        name: "core.trackers".to_owned(),
        stage: Stage::Featurize,
        kind: "core.trackers",
        version: TRACKERS_VERSION,
        options: json!({ "augmentation": augmentation }),
        inputs: vec![
            Input::leaf("domain", slices.core_domain.clone()),
            Input::leaf("stories", slices.stories.clone()),
        ],
        turn: Turn::Check,
        places: TaskPlaces::default(),
        run: Box::new(move |context| {
            let stories: &Stories = context.value("stories")?;
            check_ways(stories.graph()).map_err(TaskError::failed)?;
            let all = training_trackers(stories.graph(), &universe(context)?, augmentation);
            let (augmented, plain) = all
                .trackers
                .into_iter()
                .partition(|tracker| tracker.is_augmented);
            let plain = Trackers {
                trackers: plain,
                unreached_checkpoints: all.unreached_checkpoints,
            };
            let augmented = Trackers {
                trackers: augmented,
                ..Trackers::default()
            };
            Ok(Outputs::from([
                ("trackers".to_owned(), plain.to_bytes()),
                ("augmented".to_owned(), augmented.to_bytes()),
            ]))
        }),
    })
}

fn read_trackers(context: &TaskContext<'_>, role: &str) -> Result<Trackers, TaskError> {
    Trackers::from_bytes(context.bytes(role)?).map_err(TaskError::failed)
}

/// Adds the task of one policy. Only networks learn from glued stories.
fn policy(
    builder: &mut Builder,
    slices: &Slices,
    trackers: TaskId,
    (project, augmentation): (&Arc<Project>, usize),
    chosen: Chosen<'_>,
) -> ComponentEntry {
    let names = Arc::clone(project);
    let Chosen {
        place,
        ordinal,
        policy,
        options,
    } = chosen;
    let is_network = matches!(options, PolicyOptions::Ted(_));
    let (kind, version) = kind(&options);
    let turn = match &options {
        PolicyOptions::Ted(_) => Turn::Long,
        // Rules that contradict stories are the user's to mend.
        PolicyOptions::Rule(_) => Turn::Check,
        _ => Turn::Usual,
    };
    let mut inputs = vec![
        Input::leaf("domain", slices.policy_domain.clone()),
        Input::output("trackers", trackers, "trackers"),
    ];
    let mut written = written_options(&options);
    let entry = ComponentEntry {
        name: policy.name.clone(),
        options: written.clone(),
        files: Vec::new(),
    };
    let seed = seed(&policy.options, &policy.name, ordinal);
    if is_network {
        inputs.push(Input::output("augmented", trackers, "augmented"));
        written.insert("seed".to_owned(), json!(seed));
    }
    let run = move |context: &TaskContext<'_>| {
        let mut trackers = read_trackers(context, "trackers")?;
        if is_network {
            trackers
                .trackers
                .extend(read_trackers(context, "augmented")?.trackers);
        }
        let mut on_epoch = |epoch| shown(context, epoch);
        let universe = universe(context)?;
        let mut trained = options.train(&universe, &trackers, seed, &mut on_epoch);
        if let Err(PolicyError::Rules(_)) = trained {
            // Conversations have no names; a message about them needs some.
            let all = Universe::new(&core_domain(&names));
            let mut named = training_trackers(&names.stories, &all, augmentation);
            named.trackers.retain(|tracker| !tracker.is_augmented);
            trackers.take_names(&named);
            trained = options.train(&universe, &trackers, seed, &mut on_epoch);
        }
        context.check_cancelled()?;
        Ok(trained.map_err(TaskError::failed)?.to_files())
    };
    let files: &[&str] = if is_network { &ted::FILES } else { &[TABLE] };
    let task = builder.add(Draft {
        name: format!("core.{place}.{}", policy.name),
        stage: Stage::TrainCore,
        kind,
        version,
        options: json!(written),
        inputs,
        turn,
        places: places_of(policy),
        run: Box::new(run),
    });
    packed(builder, place, task, files, entry)
}

/// The kind of a policy's task, with the version of its algorithm.
fn kind(options: &PolicyOptions) -> (&'static str, u32) {
    match options.name() {
        "MemoizationPolicy" => ("core.memoization", MEMOIZATION_VERSION),
        "AugmentedMemoizationPolicy" => ("core.augmented_memoization", MEMOIZATION_VERSION),
        ted::NAME => ("core.ted", TED_VERSION),
        _ => ("core.rules", RULES_VERSION),
    }
}

/// Shows an epoch, and stops when the run is to stop.
fn shown(context: &TaskContext<'_>, epoch: ted::EpochReport) -> ControlFlow<()> {
    let text = format!("loss {:.3}", epoch.loss);
    context.progress(epoch.epoch as u64 + 1, epoch.epochs as u64, &text);
    match context.is_cancelled() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Puts outputs of a policy into the archive, below its own folder.
fn packed(
    builder: &mut Builder,
    place: usize,
    task: TaskId,
    outputs: &[&str],
    mut entry: ComponentEntry,
) -> ComponentEntry {
    for output in outputs {
        let path = format!("core/{place}.{}/{output}", entry.name);
        builder.pack(task, output, path.clone());
        entry.files.push(path);
    }
    entry
}
