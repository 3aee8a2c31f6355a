//! `tabella diff`: how two models differ. As with diff(1) the exit code is 0 when
//! they are the same and 1 when not.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::api;
use crate::api::Answer;
use crate::api::AnswerDiff;
use crate::api::DiffOptions;
use crate::api::FieldDiff;
use crate::api::FileDiff;
use crate::api::ModelDiff;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::StoryDiff;
use crate::api::TensorDiff;
use crate::api::TensorState;
use crate::cli::environment::model_folders;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::screen::Screen;
use crate::engine::ItemChange;

/// `tabella diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The first archive, or a folder whose latest archive is meant
    pub old: PathBuf,
    /// The second archive
    pub new: PathBuf,
    /// Files and folders with messages; shows those whose answer is another
    #[arg(long, short = 'u', value_name = "PATH", num_args = 1..)]
    pub nlu: Vec<PathBuf>,
    /// Files and folders with test stories; shows those that are followed differently
    #[arg(long, short, value_name = "PATH", num_args = 1..)]
    pub stories: Vec<PathBuf>,
    /// Show all that differs, however much it is
    #[arg(long)]
    pub all: bool,
    /// The project's folder; relative paths start here
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Write the differences as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Lines of a section that are shown without `--all`.
const LINES_SHOWN: usize = 12;

/// Runs the command.
pub fn run(arguments: &DiffArguments) -> Exit {
    let screen = Arc::new(Screen::new(false));
    let observer = Observer::new(move |notice: Notice| {
        screen.show(&notice);
        screen.show_notes();
    });
    let diff = api::diff(&DiffOptions {
        project: arguments.project.clone(),
        old: arguments.old.clone(),
        new: arguments.new.clone(),
        nlu: arguments.nlu.clone(),
        stories: arguments.stories.clone(),
        language_models: model_folders(&arguments.project).instead,
        observer,
    });
    match diff {
        Ok(diff) => {
            let text = match arguments.json {
                true => serde_json::to_string_pretty(&diff).expect("differences are plain values"),
                false => as_text(&diff, arguments.all),
            };
            let exit = if diff.is_same {
                Exit::Done
            } else {
                Exit::Different
            };
            print(&text, exit)
        }
        Err(error) => fail(Format::of(arguments.json), &error),
    }
}

fn as_text(diff: &ModelDiff, all: bool) -> String {
    let word = if diff.is_same {
        "the same"
    } else {
        "different"
    };
    let mut text = vec![format!("{} → {}: {word}", diff.old, diff.new)];
    let mut section = |title: String, lines: Vec<String>| {
        if lines.is_empty() {
            return;
        }
        let shown = if all { lines.len() } else { LINES_SHOWN };
        text.push(format!("  {title}"));
        text.extend(lines.iter().take(shown).map(|line| format!("    {line}")));
        if lines.len() > shown {
            text.push(format!(
                "    and {} more (--all shows them)",
                lines.len() - shown
            ));
        }
    };
    section("model".to_owned(), diff.about.iter().map(field).collect());
    section("components".to_owned(), changes(&diff.components));
    section("labels and domain".to_owned(), changes(&diff.labels));
    section("responses".to_owned(), changes(&diff.responses));
    section(
        "trained from".to_owned(),
        diff.data.iter().map(field).collect(),
    );
    let title = format!(
        "weights: {} of {} tensors differ",
        diff.weights.len(),
        diff.tensor_count
    );
    section(title, tensors(&diff.weights));
    let title = format!("files: {} differ", diff.files.len());
    section(title, diff.files.iter().map(file).collect());
    if let Some(answers) = &diff.answers {
        let (title, lines) = messages(answers);
        section(title, lines);
    }
    if let Some(stories) = &diff.stories {
        let (title, lines) = stories_lines(stories);
        section(title, lines);
    }
    text.join("\n")
}

fn changes(changes: &[ItemChange]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

fn field(field: &FieldDiff) -> String {
    let shown = |value: &Option<String>| match value {
        Some(value) => undigested(value).to_owned(),
        None => "none".to_owned(),
    };
    format!(
        "{:<16} {} → {}",
        field.name,
        shown(&field.old),
        shown(&field.new)
    )
}

/// Cuts a digest: it is long, and its beginning tells it apart.
fn undigested(value: &str) -> &str {
    let is_digest = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let start = if is_digest { value.get(..12) } else { None };
    start.unwrap_or(value)
}

fn file(file: &FileDiff) -> String {
    match (file.old_size, file.new_size) {
        (Some(old), Some(new)) if old == new => format!("{} ({old} bytes)", file.path),
        (Some(old), Some(new)) => format!("{} ({old} → {new} bytes)", file.path),
        (None, _) => format!("{} is new", file.path),
        (_, None) => format!("{} is gone", file.path),
    }
}

/// Tensors, those that turned farthest first.
fn tensors(weights: &[TensorDiff]) -> Vec<String> {
    let mut sorted: Vec<&TensorDiff> = weights.iter().collect();
    let turned = |tensor: &TensorDiff| tensor.cosine.unwrap_or(-2.0);
    sorted.sort_by(|a, b| turned(a).total_cmp(&turned(b)));
    let width = sorted
        .iter()
        .map(|t| t.name.chars().count())
        .max()
        .unwrap_or(0);
    let line = |tensor: &TensorDiff| {
        let how = match tensor.state {
            TensorState::Added => "is new".to_owned(),
            TensorState::Removed => "is gone".to_owned(),
            TensorState::Reshaped => {
                format!("was {:?}", tensor.old_shape.as_deref().unwrap_or_default())
            }
            TensorState::Changed => match (tensor.max_abs, tensor.cosine) {
                (Some(largest), Some(cosine)) => {
                    format!("max |Δ| {largest:.2e}  cosine {cosine:.6}")
                }
                (Some(largest), None) => format!("max |Δ| {largest:.2e}"),
                _ => "differs".to_owned(),
            },
        };
        let component = tensor
            .file
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder);
        let shape = format!("{:?}", tensor.shape);
        format!("{component}  {:<width$}  {shape:<12}  {how}", tensor.name)
    };
    sorted.into_iter().map(line).collect()
}

fn messages(answers: &AnswerDiff) -> (String, Vec<String>) {
    let title = format!(
        "answers: {} of {} messages differ",
        answers.flips.len(),
        answers.messages
    );
    let mut lines = Vec::new();
    for flip in &answers.flips {
        lines.push(format!(
            "{:?} ({}): {} → {}",
            flip.text,
            flip.place,
            answer(&flip.old, flip.expected.as_deref()),
            answer(&flip.new, flip.expected.as_deref())
        ));
    }
    if lines.is_empty() {
        lines.push("every answer is the same".to_owned());
    }
    (title, lines)
}

/// An answer, and whether its intent or response is the one that was wanted.
fn answer(answer: &Answer, expected: Option<&str>) -> String {
    let intent = answer.intent.as_deref().unwrap_or("no intent");
    let is_right = [answer.intent.as_deref(), answer.response.as_deref()].contains(&expected);
    let mark = match expected {
        None => "",
        Some(_) if is_right => " ✓",
        Some(_) => " ✗",
    };
    let mut text = format!("{intent} {:.2}{mark}", answer.confidence);
    if let Some(response) = &answer.response {
        text.push_str(&format!(", {response}"));
    }
    for entity in &answer.entities {
        text.push_str(&format!(", {entity}"));
    }
    text
}

fn stories_lines(stories: &StoryDiff) -> (String, Vec<String>) {
    let title = format!(
        "stories: {} of {} are followed differently",
        stories.flips.len(),
        stories.stories
    );
    let word = |is_right| if is_right { "right" } else { "wrong" };
    let mut lines = Vec::new();
    for flip in &stories.flips {
        let (old, new) = (word(flip.old_is_right), word(flip.new_is_right));
        lines.push(format!("`{}`: {old} → {new}", flip.story));
        for turn in &flip.turns {
            let wanted = match &turn.expected {
                Some(expected) => format!(" (the story says {expected})"),
                None => String::new(),
            };
            lines.push(format!("  {} → {}{wanted}", turn.old, turn.new));
        }
    }
    if lines.is_empty() {
        lines.push("every story is followed in the same way".to_owned());
    }
    (title, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_any_letters_are_shown_and_digests_are_cut() {
        // As long as a digest, with a letter of two bytes where one is cut.
        let name = format!("{}é{}", "a".repeat(11), "a".repeat(51));
        let about = FieldDiff {
            name: "assistant_id".to_owned(),
            old: Some(name.clone()),
            new: Some("0123456789ab".repeat(6)[..64].to_owned()),
        };
        assert_eq!(
            field(&about),
            format!("assistant_id     {name} → 0123456789ab")
        );
    }
}
