//! `tabella exec`: one step of a training on declared files, for build tools that
//! keep results themselves.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::Subcommand;

use crate::api::CoreArguments;
use crate::api::DEFAULT_AUGMENTATION;
use crate::api::ExecOptions;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::PortionPaths;
use crate::api::RunSettings;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::exec_import;
use crate::api::exec_package;
use crate::api::exec_train;
use crate::cli::args::ValidationFlags;
use crate::cli::args::at_least_one;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::interrupt::on_interrupt;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::screen::Screen;
use crate::cli::train::validation;
use crate::import::data_suffix;

/// `tabella exec`.
#[derive(Debug, Args)]
#[command(
    after_help = "All paths start at the current folder. An argument `@FILE` stands for the lines of FILE.\n\
                  Nothing but errors and warnings is printed; no cache, clock or network is used."
)]
pub struct ExecArguments {
    /// The step
    #[command(subcommand)]
    pub step: Step,
}

/// The steps.
#[derive(Debug, Subcommand)]
pub enum Step {
    /// Read and check a project; write what each other step reads of it
    Import(Box<ImportFlags>),
    /// Train the half that a portion is of; write its results
    Train(TrainFlags),
    /// Make the archive from results
    Package(PackageFlags),
}

/// Flags of `tabella exec import`.
#[derive(Debug, Args)]
pub struct ImportFlags {
    /// The project's folder, which messages and names of files start from
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Files and folders with NLU data, stories and rules
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    pub data: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE")]
    pub config: PathBuf,
    /// Domain files and folders
    #[arg(long, short, value_name = "PATH", num_args = 1..)]
    pub domain: Vec<PathBuf>,
    /// How many stories are glued to others
    #[arg(long, value_name = "N", default_value_t = DEFAULT_AUGMENTATION)]
    pub augmentation: usize,
    /// Put the NLU data into the archive
    #[arg(long)]
    pub persist_nlu_data: bool,
    /// How the project is checked before.
    #[command(flatten)]
    pub validation: ValidationFlags,
    /// Where to write what training NLU reads
    #[arg(long, value_name = "FILE")]
    pub nlu_portion: PathBuf,
    /// Where to write what training Core reads
    #[arg(long, value_name = "FILE")]
    pub core_portion: PathBuf,
    /// Where to write what packaging reads
    #[arg(long, value_name = "FILE")]
    pub package_portion: PathBuf,
}

/// Flags of `tabella exec train`.
#[derive(Debug, Args)]
pub struct TrainFlags {
    /// What `tabella exec import` wrote for NLU or Core
    #[arg(long, value_name = "FILE")]
    pub portion: PathBuf,
    /// Train this task alone, from the results of all above it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub task: Vec<String>,
    /// Results of tasks above
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub results: Vec<PathBuf>,
    /// Where to write the results
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Tasks at the same time, and threads that they compute with [default: one a core]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub jobs: Option<usize>,
}

/// Flags of `tabella exec package`.
#[derive(Debug, Args)]
pub struct PackageFlags {
    /// What `tabella exec import` wrote for packaging
    #[arg(long, value_name = "FILE")]
    pub portion: PathBuf,
    /// Results of NLU and Core
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub results: Vec<PathBuf>,
    /// Where to write the archive
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &ExecArguments) -> Exit {
    match done(&arguments.step) {
        Ok(()) => Exit::Done,
        Err(error) => fail(Format::Text, &error),
    }
}

fn done(step: &Step) -> Result<(), TrainError> {
    match step {
        Step::Import(flags) => {
            let screen = Arc::new(Screen::new(false));
            let (options, paths) = import(flags, &screen);
            let done = exec_import(&options, &paths);
            screen.show_notes();
            done
        }
        Step::Train(flags) => {
            let options = ExecOptions {
                portion: flags.portion.clone(),
                results: flags.results.clone(),
                out: flags.out.clone(),
                run: settings(flags.jobs, &Arc::new(Screen::new(true))),
            };
            exec_train(&options, &flags.task)
        }
        Step::Package(flags) => exec_package(&ExecOptions {
            portion: flags.portion.clone(),
            results: flags.results.clone(),
            out: flags.out.clone(),
            run: settings(None, &Arc::new(Screen::new(true))),
        }),
    }
}

fn import(flags: &ImportFlags, screen: &Arc<Screen>) -> (TrainOptions, PortionPaths) {
    let from_project = |path: &PathBuf| from_folder(&flags.project, path);
    let options = TrainOptions {
        domain: flags.domain.iter().map(from_project).collect(),
        config: from_project(&flags.config),
        // What has another ending is named by others: a lookup table.
        training_files: flags
            .data
            .iter()
            .filter(|path| data_suffix(path).is_some() || !path.is_file())
            .map(from_project)
            .collect(),
        persist_nlu_training_data: flags.persist_nlu_data,
        core_additional_arguments: CoreArguments {
            augmentation_factor: flags.augmentation,
        },
        validation: validation(&flags.validation),
        run: RunSettings {
            project: flags.project.clone(),
            environment: environment(),
            ..settings(None, screen)
        },
        ..TrainOptions::default()
    };
    let paths = PortionPaths {
        nlu: flags.nlu_portion.clone(),
        core: flags.core_portion.clone(),
        package: flags.package_portion.clone(),
    };
    (options, paths)
}

/// How to run: notices go to the screen, Ctrl-C sets the flag.
fn settings(jobs: Option<usize>, screen: &Arc<Screen>) -> RunSettings {
    let cancel = on_interrupt();
    let screen = Arc::clone(screen);
    RunSettings {
        jobs,
        cancel,
        observer: Observer::new(move |notice: Notice| screen.show(&notice)),
        ..RunSettings::default()
    }
}

/// Returns how `path`, which starts at the current folder as `folder` does, is
/// written from there.
fn from_folder(folder: &Path, path: &Path) -> PathBuf {
    let plain = |path: &Path| -> Vec<OsString> {
        let parts = path.components().filter(|part| *part != Component::CurDir);
        parts.map(|part| part.as_os_str().to_owned()).collect()
    };
    let (from, to) = (plain(folder), plain(path));
    let goes_up = folder.components().any(|part| part == Component::ParentDir);
    if path.is_absolute() != folder.is_absolute() || goes_up {
        return std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    }
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(OsString::from(".."), from.len() - shared);
    let short: PathBuf = up.chain(to[shared..].iter().cloned()).collect();
    let real = |path: &Path| fs::canonicalize(path).ok();
    // Behind a link `..` leads elsewhere.
    match shared < from.len() && real(&folder.join(&short)) != real(path) {
        true => std::path::absolute(path).unwrap_or(short),
        false => short,
    }
}

/// Returns the arguments of this process, each `@FILE` of `tabella exec` replaced by
/// the lines of that file: a command line can be too long for the system.
///
/// # Errors
///
/// If such a file cannot be read; with its path.
pub fn expanded(
    arguments: impl Iterator<Item = OsString>,
) -> Result<Vec<OsString>, (OsString, io::Error)> {
    let mut waiting: VecDeque<OsString> = arguments.collect();
    if waiting.get(1).is_none_or(|command| command != "exec") {
        return Ok(waiting.into());
    }
    let mut expanded = Vec::with_capacity(waiting.len());
    while let Some(argument) = waiting.pop_front() {
        let file = argument.to_str().and_then(|text| text.strip_prefix('@'));
        let Some(file) = file else {
            expanded.push(argument);
            continue;
        };
        // Lines are taken as they are: a file cannot name itself for ever.
        let text = fs::read_to_string(file).map_err(|error| (file.into(), error))?;
        expanded.extend(text.lines().map(OsString::from));
    }
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_from_the_projects_folder() {
        let cases = [
            ("bots/a", "bots/a/data/nlu.yml", "data/nlu.yml"),
            ("bots/a", "shared/domain.yml", "../../shared/domain.yml"),
            ("./bots/a", "bots/./a/config.yml", "config.yml"),
            (".", "config.yml", "config.yml"),
            ("/p/a", "/p/b/x.yml", "../b/x.yml"),
        ];
        for (folder, path, from_there) in cases {
            assert_eq!(
                from_folder(Path::new(folder), Path::new(path)),
                Path::new(from_there)
            );
        }
    }

    #[test]
    fn a_file_of_arguments_stands_for_its_lines_and_only_for_exec() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("arguments");
        fs::write(&file, "--data\na b.yml\n@not-a-file\n").unwrap();
        let at = OsString::from(format!("@{}", file.display()));
        let given = |command: &str| vec!["tabella".into(), command.into(), at.clone()].into_iter();
        let told: Vec<OsString> = ["tabella", "exec", "--data", "a b.yml", "@not-a-file"]
            .map(OsString::from)
            .to_vec();
        assert_eq!(expanded(given("exec")).unwrap(), told);
        assert_eq!(expanded(given("parse")).unwrap()[2], at);
        let missing = ["tabella", "exec", "@/no/such/file"].map(OsString::from);
        assert!(expanded(missing.into_iter()).is_err());
    }
}
