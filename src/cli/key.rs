//! `tabella key`: what a task's key is the hash of.
//!
//! The parts are printed from the description that is hashed. `--raw` writes the
//! bytes themselves, so that another program can hash them again:
//!
//! ```text
//! tabella key --raw nlu.4.DIETClassifier | b3sum --derive-key "tabella task key v1"
//! ```
//!
//! The bytes are the canonical encoding ([`crate::digest::encode`]) of each part
//! of `--json`, one after the other.

use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use crate::api;
use crate::api::TaskKey;
use crate::cli::args::PlaceArguments;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::project::ProjectFlags;
use crate::cli::screen::Screen;

/// `tabella key`.
#[derive(Debug, Args)]
pub struct KeyArguments {
    /// A task: its name, its component's name, how its name starts, or a pattern with * and ?
    pub task: String,
    /// Write the bytes that are hashed
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// What.
    #[command(flatten)]
    pub project: ProjectFlags,
    /// Where.
    #[command(flatten)]
    pub place: PlaceArguments,
}

/// Runs the command.
pub fn run(arguments: &KeyArguments) -> Exit {
    let place = &arguments.place;
    let screen = Arc::new(Screen::new(place.quiet));
    let options = match arguments.project.options(place, &screen) {
        Ok(options) => options,
        Err(error) => return fail(Format::of(place.json), &error),
    };
    match api::keys(&options, &arguments.task) {
        Ok(keys) if arguments.raw => raw(&keys),
        Ok(keys) if place.json => {
            let text = serde_json::to_string_pretty(&keys).expect("keys are plain values");
            print(&text, Exit::Done)
        }
        Ok(keys) => {
            let texts: Vec<String> = keys.iter().map(as_text).collect();
            print(&texts.join("\n\n"), Exit::Done)
        }
        Err(error) => fail(Format::of(place.json), &error),
    }
}

/// Writes the bytes of one key. Bytes of a key that is not known would be hashed
/// to another.
fn raw(keys: &[TaskKey]) -> Exit {
    let [key] = keys else {
        complain("error: `--raw` writes the bytes of one task; the pattern takes several");
        return Exit::Usage;
    };
    if key.image.key.is_none() {
        complain(&format!(
            "error: `{}` has no key yet: {}",
            key.task,
            waits(key)
        ));
        return Exit::BadInput;
    }
    let mut out = io::stdout().lock();
    match out.write_all(&key.image.bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format!("error: cannot write to standard output: {error}"));
            Exit::InputOutput
        }
        _ => Exit::Done,
    }
}

fn as_text(key: &TaskKey) -> String {
    let mut lines = vec![
        format!("task     {}", key.task),
        format!("context  {}", key.image.context),
    ];
    lines.extend(key.image.parts.iter().map(part_line));
    for (role, task) in &key.image.unknown {
        lines.push(format!(
            "input    {role} = not known before `{task}` has run"
        ));
    }
    lines.push(match key.image.key {
        Some(digest) => format!("key      {digest}"),
        None => format!("key      not known yet: {}", waits(key)),
    });
    lines.join("\n")
}

fn waits(key: &TaskKey) -> String {
    let mut tasks: Vec<String> = key
        .image
        .unknown
        .values()
        .map(|t| format!("`{t}`"))
        .collect();
    tasks.sort();
    tasks.dedup();
    format!("{} must run first", tasks.join(", "))
}

/// A part on a line. Values are as JSON, so that text and numbers differ.
fn part_line(part: &Value) -> String {
    let (name, value) = match part.as_object().and_then(|map| map.iter().next()) {
        Some(entry) => entry,
        None => return part.to_string(),
    };
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    match name.as_str() {
        "Option" => format!("option   {} = {}", text("name"), value["value"]),
        "Input" => format!("input    {} = {}", text("role"), text("digest")),
        _ => {
            let shown = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!("{:<8} {shown}", name.to_lowercase())
        }
    }
}
