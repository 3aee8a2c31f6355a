//! `tabella explain`: what a task or a model was made of beside what it is made
//! of now.

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use crate::api;
use crate::api::ModelExplanation;
use crate::api::TaskExplanation;
use crate::api::TrainOptions;
use crate::api::in_project;
use crate::archive::TrainingType;
use crate::cli::args::PlaceArguments;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::project::ProjectFlags;
use crate::cli::report::state_word;
use crate::cli::screen::Screen;
use crate::cli::screen::duration;
use crate::engine::Row;
use crate::engine::RowPart;
use crate::engine::RowState;
use crate::engine::Stale;
use crate::recipe::TaskState;

/// `tabella explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// A task: its name, its component's name, how its name starts, or a pattern with * and ?;
    /// or a model: an archive, or a folder whose latest archive is meant
    #[arg(value_name = "TASK|MODEL")]
    pub what: String,
    /// Show what is the same, too
    #[arg(long)]
    pub all: bool,
    /// What.
    #[command(flatten)]
    pub project: ProjectFlags,
    /// Where.
    #[command(flatten)]
    pub place: PlaceArguments,
}

/// Runs the command.
pub fn run(arguments: &ExplainArguments) -> Exit {
    let place = &arguments.place;
    let screen = Arc::new(Screen::new(place.quiet));
    let options = match arguments.project.options(place, &screen) {
        Ok(options) => options,
        Err(error) => return fail(Format::of(place.json), &error),
    };
    if is_model(arguments) {
        return model(arguments, &options);
    }
    match api::explain(&options, &arguments.what) {
        Ok(tasks) if place.json => {
            let text = serde_json::to_string_pretty(&tasks).expect("explanations are plain values");
            print(&text, Exit::Done)
        }
        Ok(tasks) => {
            let texts: Vec<String> = tasks
                .iter()
                .map(|task| as_text(task, arguments.all))
                .collect();
            print(&texts.join("\n\n"), Exit::Done)
        }
        Err(error) => fail(Format::of(place.json), &error),
    }
}

/// Whether a model is meant: a path, or the name of a folder. A task of that name
/// can be given as a pattern.
fn is_model(arguments: &ExplainArguments) -> bool {
    let what = &arguments.what;
    what.ends_with(".tar.gz")
        || what.contains(std::path::MAIN_SEPARATOR)
        || in_project(&arguments.place.project, Path::new(what)).is_dir()
}

fn model(arguments: &ExplainArguments, options: &TrainOptions) -> Exit {
    let json = arguments.place.json;
    match api::explain_model(options, Path::new(&arguments.what)) {
        Ok(model) if json => {
            let text = serde_json::to_string_pretty(&model).expect("explanations are plain values");
            print(&text, Exit::Done)
        }
        Ok(model) => print(&model_text(&model, arguments.all), Exit::Done),
        Err(error) => fail(Format::of(json), &error),
    }
}

fn model_text(model: &ModelExplanation, all: bool) -> String {
    let parts = match model.training_type {
        TrainingType::Nlu => "NLU",
        TrainingType::Core => "Core",
        TrainingType::Both => "NLU and Core",
    };
    let version = &model.tabella_version;
    let mut lines = vec![format!("{}: {parts}, by tabella {version}", model.model)];
    if all {
        for component in &model.components {
            lines.push(format!("  {}", component.name));
            let options = component.options.iter();
            lines.extend(options.map(|(name, value)| format!("    {name}: {value}")));
        }
    } else {
        let names: Vec<&str> = model
            .components
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        lines.push(format!("  made of  {}", names.join(", ")));
    }
    lines.push(match model.is_current {
        true => "  the project would give the same".to_owned(),
        false => "  the project differs from it:".to_owned(),
    });
    for (role, changes) in &model.differences {
        lines.push(format!("    {role}"));
        lines.extend(changes.iter().map(|change| format!("      {change}")));
    }
    lines.extend(since_lines(model));
    lines.join("\n")
}

/// What changed for each task since the run that made the model's files.
fn since_lines(model: &ModelExplanation) -> Vec<String> {
    let mut lines = Vec::new();
    let mut forgotten = 0;
    for since in &model.tasks {
        let Some(reasons) = &since.reasons else {
            forgotten += 1;
            continue;
        };
        if !reasons.is_empty() {
            lines.push(format!("    {}", since.task));
        }
        for reason in reasons {
            match reason {
                Stale::InputChanged { role, changes, .. } => {
                    lines.push(format!("      `{role}` changed"));
                    lines.extend(changes.iter().map(|change| format!("        {change}")));
                }
                reason => lines.push(format!("      {reason}")),
            }
        }
    }
    if !lines.is_empty() {
        lines.insert(0, "  changed since, task by task:".to_owned());
    }
    if forgotten > 0 {
        let all = model.tasks.len();
        lines.push(format!(
            "  the cache does not remember how {forgotten} of {all} tasks were run for it"
        ));
    }
    lines
}

fn as_text(explained: &TaskExplanation, all: bool) -> String {
    let task = &explained.task;
    let mut lines = vec![format!("{}: {}", task.name, state_word(task.state))];
    let mut about = |name: &str, value: String| lines.push(format!("  {name:<9}{value}"));
    about("stage", task.stage.clone());
    if !task.reads.is_empty() {
        about("reads", task.reads.join(", "));
    }
    if let Some(ms) = task.last_ms {
        about("took", duration(ms));
    }
    let beside = task.reasons.iter().filter(|reason| !is_in_table(reason));
    lines.extend(beside.map(|reason| format!("  why      {reason}")));
    if task.state == TaskState::Remote {
        lines.push("  why      its result is in the remote cache".to_owned());
    }
    if task.state == TaskState::Fresh {
        lines.push("  why      its result is in the cache".to_owned());
    }
    lines.extend(table(explained, all));
    lines.join("\n")
}

/// Whether the table tells the reason, and in full.
fn is_in_table(reason: &Stale) -> bool {
    matches!(
        reason,
        Stale::KindChanged { .. }
            | Stale::AlgorithmChanged { .. }
            | Stale::OptionChanged { .. }
            | Stale::InputAdded { .. }
            | Stale::InputRemoved { .. }
            | Stale::InputChanged { .. }
    )
}

/// The rows side by side, and below each what of it differs.
fn table(explained: &TaskExplanation, all: bool) -> Vec<String> {
    let manifests = &explained.manifests;
    let rows = &manifests.rows;
    let is_shown = |row: &&Row| all || row.state != RowState::Same;
    let same_count = rows
        .iter()
        .filter(|row| row.state == RowState::Same)
        .count();
    let shown: Vec<&Row> = rows.iter().filter(is_shown).collect();
    let key = |key: Option<crate::digest::Digest>| key.map(|key| key.to_string());
    let (old_key, new_key) = (key(manifests.last_key), key(manifests.key));
    let mut cells = vec![
        [
            String::new(),
            "last run".to_owned(),
            "now".to_owned(),
            String::new(),
        ],
        [
            "key".to_owned(),
            old_key
                .as_deref()
                .map_or("not known", abbreviated)
                .to_owned(),
            new_key
                .as_deref()
                .map_or("not known yet", abbreviated)
                .to_owned(),
            String::new(),
        ],
    ];
    cells.extend(shown.iter().map(|row| row_cells(row)));
    let width = |column: usize| {
        let widths = cells.iter().map(|cells| cells[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (name, old, new) = (width(0), width(1), width(2));
    let mut lines = Vec::new();
    for (index, [a, b, c, d]) in cells.iter().enumerate() {
        let mark = match index.checked_sub(2) {
            Some(row) => mark(shown[row].state),
            None => ' ',
        };
        let line = format!("  {mark} {a:<name$}  {b:<old$}  {c:<new$}  {d}");
        lines.push(line.trim_end().to_owned());
        if let Some(row) = index.checked_sub(2) {
            let changes = shown[row].changes.iter();
            lines.extend(changes.map(|change| format!("      {change}")));
        }
    }
    if !all && same_count > 0 {
        let what = if same_count == 1 {
            "part is"
        } else {
            "parts are"
        };
        lines.push(format!(
            "    {same_count} {what} the same (--all shows them)"
        ));
    }
    lines
}

fn mark(state: RowState) -> char {
    match state {
        RowState::Same => '=',
        RowState::Changed => '≠',
        RowState::Added => '+',
        RowState::Removed => '-',
        RowState::Unknown => '?',
    }
}

/// Name, then, now, and where it is from.
fn row_cells(row: &Row) -> [String; 4] {
    let name = match row.part {
        RowPart::Kind => "kind".to_owned(),
        RowPart::Version => "version".to_owned(),
        RowPart::Option => format!("option {}", row.name),
        RowPart::Input => format!("input {}", row.name),
    };
    let cell = |value: &Option<Value>| match (value, row.part) {
        (None, _) => "–".to_owned(),
        (Some(Value::String(digest)), RowPart::Input) => abbreviated(digest).to_owned(),
        (Some(value), _) => value.to_string(),
    };
    let from = match (&row.from, row.state) {
        (Some(task), RowState::Unknown) => format!("not known before `{task}` has run"),
        (Some(task), _) => format!("from `{task}`"),
        (None, RowState::Same) => String::new(),
        (None, _) => row.place.clone(),
    };
    [name, cell(&row.old), cell(&row.new), from]
}

/// Hex digits of a digest that tell it apart for a person.
const DIGITS_SHOWN: usize = 12;

fn abbreviated(digest: &str) -> &str {
    digest.get(..DIGITS_SHOWN).unwrap_or(digest)
}
