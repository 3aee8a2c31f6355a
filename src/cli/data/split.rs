//! `tabella data split`: training data in two parts.

use std::path::PathBuf;

use clap::Args;
use clap::Subcommand;
use serde_json::json;

use crate::api::TrainError;
use crate::api::chain;
use crate::cli::data::language_of;
use crate::cli::data::write::WriteError;
use crate::cli::data::write::Written;
use crate::cli::data::write::write;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::convert::Split;
use crate::convert::SplitOptions;
use crate::convert::split_nlu;
use crate::convert::split_stories;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::Paint;
use crate::diagnostic::Severity;
use crate::diagnostic::render_grouped;
use crate::import::ImportError;
use crate::import::Sources;

/// `tabella data split`.
#[derive(Debug, Args)]
pub struct SplitArguments {
    /// What to split.
    #[command(subcommand)]
    what: What,
}

/// What can be split.
#[derive(Debug, Subcommand)]
enum What {
    /// Split NLU data: the examples of each intent by their hash
    Nlu(NluFlags),
    /// Split stories by their hash
    Stories(StoriesFlags),
}

/// Flags of `data split nlu`.
#[derive(Debug, Args)]
struct NluFlags {
    /// Files and folders with NLU data
    #[arg(long, short = 'u', value_name = "PATH", num_args = 1.., default_value = "data")]
    nlu: Vec<PathBuf>,
    /// How to split.
    #[command(flatten)]
    run: RunFlags,
}

/// Flags of `data split stories`.
#[derive(Debug, Args)]
struct StoriesFlags {
    /// Files and folders with stories
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "data")]
    stories: Vec<PathBuf>,
    /// How to split.
    #[command(flatten)]
    run: RunFlags,
}

/// Flags of both.
#[derive(Debug, Args)]
struct RunFlags {
    /// The part that trains, 0 to 1
    #[arg(long, value_name = "F", default_value_t = 0.8, value_parser = fraction)]
    training_fraction: f64,
    /// Another seed gives another split
    #[arg(long, value_name = "N")]
    random_seed: Option<u64>,
    /// The folder for both parts
    #[arg(long, value_name = "DIR", default_value = "train_test_split")]
    out: PathBuf,
    /// The project's folder; relative paths start here
    #[arg(long, value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Write one JSON object to standard output
    #[arg(long)]
    json: bool,
}

/// A way to split data.
type Splitter = fn(&Sources, &SplitOptions) -> Result<Split, ImportError>;

/// Runs the command.
pub fn run(arguments: &SplitArguments) -> Exit {
    let (paths, flags, split, noun): (_, _, Splitter, _) = match &arguments.what {
        What::Nlu(flags) => (&flags.nlu, &flags.run, split_nlu, "examples"),
        What::Stories(flags) => (&flags.stories, &flags.run, split_stories, "stories"),
    };
    let sources = Sources {
        root: flags.project.clone(),
        data: paths.clone(),
        language: language_of(&flags.project),
        environment: environment(),
        ..Sources::default()
    };
    let options = SplitOptions {
        training_fraction: flags.training_fraction,
        random_seed: flags.random_seed,
    };
    match split(&sources, &options) {
        Ok(split) => finish(flags, &split, noun),
        Err(error) => fail(Format::of(flags.json), &TrainError::from(error)),
    }
}

/// Writes both parts, unless the data are wrong, and says what is where.
fn finish(flags: &RunFlags, split: &Split, noun: &str) -> Exit {
    let errors = split.diagnostics.iter();
    let errors: Vec<Diagnostic> = errors
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .cloned()
        .collect();
    if !errors.is_empty() {
        complain(render_grouped(&errors, &split.sources, Paint::Plain).trim_end());
        return refuse(flags, "the data have errors", &errors, Exit::BadInput);
    }
    if split.training_count + split.test_count == 0 {
        return refuse(flags, &format!("there are no {noun}"), &[], Exit::NoInput);
    }
    let folder = flags.project.join(&flags.out);
    let files = split.files.iter();
    let files: Vec<Written> = files
        .map(|(name, text)| Written {
            path: folder.join(name),
            bytes: text.clone().into_bytes(),
            backup: None,
        })
        .collect();
    if let Err(error) = write(&files) {
        let exit = match error {
            WriteError::Exists(_) => Exit::BadInput,
            WriteError::Write { .. } => Exit::InputOutput,
        };
        return refuse(flags, &chain(&error), &[], exit);
    }
    let names = split.files.iter();
    let paths = names.map(|(name, _)| flags.out.join(name).display().to_string());
    let paths: Vec<String> = paths.collect();
    let (training, test) = (split.training_count, split.test_count);
    if !split.lost.is_empty() && !flags.json {
        complain(render_grouped(&split.lost, &split.sources, Paint::Plain).trim_end());
    }
    if flags.json {
        let object = json!({
            "written": paths,
            "training": training,
            "test": test,
            "diagnostics": split.lost,
        });
        return print(&object.to_string(), Exit::Done);
    }
    let sentence = format!("{training} {noun} train, {test} are tested with");
    print(&format!("{}\n{sentence}", paths.join("\n")), Exit::Done)
}

fn refuse(flags: &RunFlags, why: &str, diagnostics: &[Diagnostic], exit: Exit) -> Exit {
    complain(&format!("error: {why}"));
    match flags.json {
        true => {
            let object = json!({ "error": why, "diagnostics": diagnostics });
            print(&object.to_string(), exit)
        }
        false => exit,
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(fraction) if (0.0..=1.0).contains(&fraction) => Ok(fraction),
        _ => Err(format!("a number from 0 to 1 is needed, not `{text}`")),
    }
}
