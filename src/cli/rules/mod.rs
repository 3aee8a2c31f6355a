//! `tabella rules`: a fragment of a build for make, ninja or just, or the files of one
//! for Bazel.
//!
//! One rule an assistant makes its archive from what its last training read, so
//! that the tool starts the program only when something of that has changed, and
//! whoever reads the archive is made again only when it is another one.

mod bazel;
mod just;
mod make;
mod ninja;
mod quote;

use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

use crate::api::DEFAULT_AUGMENTATION;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::api::Validation;
use crate::api::exec_reads;
use crate::api::in_project;
use crate::api::open_workspace;
use crate::cli::args::ValidationFlags;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::rules::bazel::BazelError;
use crate::cli::rules::quote::in_shell;
use crate::cli::rules::quote::is_plain;
use crate::cli::train::validation;
use crate::diagnostic::Paint;
use crate::diagnostic::render;
use crate::import::data_suffix;

/// `tabella rules`.
#[derive(Debug, Args)]
pub struct RulesArguments {
    /// Who reads the rules
    pub tool: Tool,
    /// Assistants of the workspace: names, or patterns such as 'shop-*'
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// All assistants of the workspace
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// The workspace file [default: `tabella.yml` here or in a folder above]
    #[arg(long, value_name = "FILE")]
    pub workspace: Option<PathBuf>,
    /// The folder of a project that is in no workspace
    #[arg(long, value_name = "DIR", default_value = ".", conflicts_with_all = WORKSPACE)]
    pub project: PathBuf,
    /// What that project is trained from.
    #[command(flatten)]
    pub source: SourceFlags,
    /// How it is trained, or all assistants are.
    #[command(flatten)]
    pub manner: MannerFlags,
    /// How the rules call this program, as a shell reads it; Bazel knows it by a label
    #[arg(long, value_name = "COMMAND", default_value = "tabella")]
    pub program: String,
}

/// What a project that is in no workspace is trained from, and where its archive goes: a
/// workspace says that itself.
#[derive(Debug, Args)]
pub struct SourceFlags {
    /// Its configuration file
    #[arg(long, short, value_name = "FILE", default_value = "config.yml", conflicts_with_all = WORKSPACE)]
    pub config: PathBuf,
    /// Its domain files and folders; the folder `domain` if there is no `domain.yml`
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "domain.yml", conflicts_with_all = WORKSPACE)]
    pub domain: Vec<PathBuf>,
    /// Its files and folders with NLU data, stories and rules
    #[arg(long, value_name = "PATH", num_args = 1.., default_value = "data", conflicts_with_all = WORKSPACE)]
    pub data: Vec<PathBuf>,
    /// Folder for its archive, or the archive's own path when it ends in .tar.gz
    #[arg(long, value_name = "DIR", default_value = "models", conflicts_with_all = WORKSPACE)]
    pub out: PathBuf,
    /// What its archive is called
    #[arg(long, value_name = "NAME", default_value = "model", conflicts_with_all = WORKSPACE)]
    pub fixed_model_name: String,
}

/// Flags of each training that change what is made of the same files.
#[derive(Debug, Args)]
pub struct MannerFlags {
    /// How many stories are glued to others
    #[arg(long, value_name = "N", default_value_t = DEFAULT_AUGMENTATION)]
    pub augmentation: usize,
    /// Put the NLU data into the archive
    #[arg(long)]
    pub persist_nlu_data: bool,
    /// How a project is checked before.
    #[command(flatten)]
    pub validation: ValidationFlags,
}

/// Flags that choose assistants of a workspace.
const WORKSPACE: [&str; 3] = ["names", "all", "workspace"];

/// A tool that rules are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Tool {
    /// GNU make: `include tabella.mk`
    Make,
    /// Ninja: `include tabella.ninja`
    Ninja,
    /// Just: `import 'tabella.just'`
    Just,
    /// Bazel: files in the tree, `tools/tabella/defs.bzl` and `BUILD.bazel` beside each assistant
    Bazel,
}

/// An assistant, as rules know it; all paths start where the tool runs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    /// What its rule is called.
    name: String,
    /// Folder of the archive.
    folder: String,
    /// Name of the archive, without its ending.
    model: String,
    /// The flag that finds its project, as a shell reads it.
    project: String,
    /// The other flags that tell what of it is stale.
    flags: String,
    /// Those that train it.
    train_flags: String,
    /// Whether it has test stories.
    has_tests: bool,
}

/// Why there are no rules.
enum Failure {
    Train(TrainError),
    Name(String),
    /// A path that ends a line of rules.
    Line(String),
    Bazel(BazelError),
}

/// What a rule is to be written for.
struct Member {
    name: String,
    options: TrainOptions,
    /// Its `output` from the current folder.
    out: PathBuf,
    /// The folder of results, if it is not the user's.
    cache: Option<PathBuf>,
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        Self::Train(error)
    }
}

/// Runs the command.
pub fn run(arguments: &RulesArguments) -> Exit {
    if arguments.tool == Tool::Bazel && !arguments.names.is_empty() {
        complain(
            "error: packages of Bazel are written for all assistants, as they share files: give `--all`",
        );
        return Exit::Usage;
    }
    let told = members(arguments).and_then(|members| match arguments.tool {
        Tool::Bazel => in_tree(&members),
        _ => fragment(arguments, &members),
    });
    match told {
        Ok(text) => print(text.trim_end(), Exit::Done),
        Err(Failure::Train(error)) => fail(Format::Text, &error),
        Err(Failure::Name(name)) => {
            complain(&format!(
                "error: rules cannot name `{name}`: use letters, digits and any of `._-+@/` in names of \
                 assistants and in the paths of their models"
            ));
            Exit::Usage
        }
        Err(Failure::Line(flags)) => {
            complain(&format!(
                "error: rules cannot name a path with a line end in it: {flags:?}; rename it"
            ));
            Exit::Usage
        }
        Err(Failure::Bazel(error)) => {
            complain(&format!("error: {error}"));
            match error {
                BazelError::Write { .. } => Exit::InputOutput,
                _ => Exit::BadInput,
            }
        }
    }
}

/// Returns the fragment for a tool that includes one.
fn fragment(arguments: &RulesArguments, members: &[Member]) -> Result<String, Failure> {
    let targets = members.iter().map(Target::of);
    let targets = targets.collect::<Result<Vec<Target>, Failure>>()?;
    let program = &arguments.program;
    Ok(match arguments.tool {
        Tool::Make => make::rules(&targets, program),
        Tool::Ninja => ninja::rules(&targets, program),
        _ => just::rules(&targets, program),
    })
}

/// Writes the files for Bazel; returns what was done.
fn in_tree(members: &[Member]) -> Result<String, Failure> {
    for Member { name, .. } in members {
        if !is_plain(name) || name.contains('/') {
            return Err(Failure::Name(name.clone()));
        }
    }
    let assistants = members.iter().map(|member| {
        Ok(bazel::Assistant {
            name: member.name.clone(),
            options: &member.options,
            reads: exec_reads(&member.options)?,
        })
    });
    let assistants = assistants.collect::<Result<Vec<bazel::Assistant<'_>>, TrainError>>()?;
    let written = bazel::write(&assistants, Path::new(".")).map_err(Failure::Bazel)?;
    for advice in &written.advice {
        complain(advice);
    }
    let here = env::current_dir().unwrap_or_default();
    let shown = |path: &PathBuf| {
        let path = path.strip_prefix(&here).unwrap_or(path);
        format!("wrote {}", path.display())
    };
    Ok(match written.files.is_empty() {
        true => "all files are as they should be".to_owned(),
        false => {
            let lines: Vec<String> = written.files.iter().map(shown).collect();
            lines.join("\n")
        }
    })
}

fn members(arguments: &RulesArguments) -> Result<Vec<Member>, Failure> {
    let is_workspace =
        arguments.all || arguments.workspace.is_some() || !arguments.names.is_empty();
    if !is_workspace {
        let source = &arguments.source;
        let mut options = TrainOptions {
            config: source.config.clone(),
            domain: source.domain.clone(),
            training_files: source.data.clone(),
            output: source.out.clone(),
            ..TrainOptions::default()
        };
        arguments.manner.apply(&mut options);
        options.run.project = arguments.project.clone();
        return Ok(vec![Member {
            name: source.fixed_model_name.clone(),
            out: in_project(&arguments.project, &options.output),
            options,
            cache: None,
        }]);
    }
    let observer = Observer::new(|notice: Notice| {
        if let Notice::Diagnosed(findings) = notice {
            let text = render(&findings.diagnostics, &findings.sources, Paint::Plain);
            complain(text.trim_end());
        }
    });
    let file = arguments.workspace.as_deref();
    let workspace = open_workspace(file, Path::new("."), &environment(), &observer)?;
    let members = match arguments.names.is_empty() {
        true => workspace.members().to_vec(),
        false => workspace.select(&arguments.names)?,
    };
    let cache = workspace.workspace.cache.as_ref();
    let cache = cache.map(|cache| in_project(&workspace.root, cache));
    let mut options = workspace.options_of(&members);
    for options in &mut options {
        arguments.manner.apply(options);
    }
    let members = members.into_iter().zip(options);
    let members = members.map(|(member, options)| Member {
        out: in_project(&workspace.root, &member.out),
        name: member.name.clone(),
        options,
        cache: cache.clone(),
    });
    Ok(members.collect())
}

impl MannerFlags {
    fn apply(&self, options: &mut TrainOptions) {
        options.core_additional_arguments.augmentation_factor = self.augmentation;
        options.persist_nlu_training_data = self.persist_nlu_data;
        options.validation = validation(&self.validation);
    }
}

impl Target {
    fn of(member: &Member) -> Result<Self, Failure> {
        let Member {
            name,
            options,
            out,
            cache,
        } = member;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let file = text(Path::new(out.file_name().unwrap_or_default()));
        let (folder, model) = match file.strip_suffix(".tar.gz") {
            Some(model) => (out.parent().unwrap_or(Path::new("")), model.to_owned()),
            None => (out.as_path(), name.clone()),
        };
        let folder = match folder.as_os_str().is_empty() {
            true => ".".to_owned(),
            false => text(folder),
        };
        for (name, may_be_path) in [(name.as_str(), false), (&folder, true), (&model, false)] {
            if !is_plain(name) || (name.contains('/') && !may_be_path) {
                return Err(Failure::Name(name.to_owned()));
            }
        }
        let mut flags = Vec::new();
        for (flag, paths) in [
            ("--config", std::slice::from_ref(&options.config)),
            ("--domain", &options.domain[..]),
            ("--data", &options.training_files[..]),
            ("--out", std::slice::from_ref(&options.output)),
        ] {
            let paths: Vec<String> = paths.iter().map(|path| in_shell(&text(path))).collect();
            if !paths.is_empty() {
                flags.push(format!("{flag} {}", paths.join(" ")));
            }
        }
        if !file.ends_with(".tar.gz") {
            flags.push(format!("--fixed-model-name {}", in_shell(&model)));
        }
        let augmentation = options.core_additional_arguments.augmentation_factor;
        if augmentation != DEFAULT_AUGMENTATION {
            flags.push(format!("--augmentation {augmentation}"));
        }
        if options.persist_nlu_training_data {
            flags.push("--persist-nlu-data".to_owned());
        }
        if let Some(cache) = cache {
            let flag = match cache.is_absolute() {
                true => in_shell(&text(cache)),
                // From here, not from the project's folder.
                false => format!("\"$PWD\"/{}", in_shell(&text(cache))),
            };
            flags.push(format!("--cache-dir {flag}"));
        }
        let project = format!("--project {}", in_shell(&text(&options.run.project)));
        let written = [&project].into_iter().chain(&flags);
        // What follows would be read as a rule.
        let ends_line = |flag: &&String| flag.contains(['\n', '\r']);
        if let Some(flag) = { written }.find(ends_line) {
            return Err(Failure::Line(flag.clone()));
        }
        Ok(Self {
            name: name.to_owned(),
            folder,
            model,
            project,
            flags: flags.join(" "),
            train_flags: [flags, checks(&options.validation)].concat().join(" "),
            has_tests: has_test_stories(&options.run.project.join("tests")),
        })
    }

    /// Returns the path of the archive.
    fn archive(&self) -> String {
        match self.folder.as_str() {
            "." => format!("{}.tar.gz", self.model),
            folder => format!("{folder}/{}.tar.gz", self.model),
        }
    }

    /// Returns the path of the archive as a shell finds it from any folder.
    fn archive_from_anywhere(&self) -> String {
        match self.archive() {
            archive if archive.starts_with('/') => archive,
            archive => format!("\"$PWD\"/{archive}"),
        }
    }

    /// Returns the path of a file beside the archive, hidden.
    fn beside(&self, ending: &str) -> String {
        match self.folder.as_str() {
            "." => format!(".{}.{ending}", self.model),
            folder => format!("{folder}/.{}.{ending}", self.model),
        }
    }
}

/// Returns the flags that check a project so.
fn checks(validation: &Validation) -> Vec<String> {
    let mut flags = Vec::new();
    if validation.skip {
        flags.push("--skip-validation".to_owned());
    }
    if validation.fail_on_warnings {
        flags.push("--fail-on-validation-warnings".to_owned());
    }
    if let Some(turns) = validation.max_history {
        flags.push(format!("--validation-max-history {turns}"));
    }
    flags
}

/// Returns whether there are files in a folder that Rasa takes for test stories.
fn has_test_stories(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| PathBuf::from(entry.file_name()));
    names.any(|name| name.to_string_lossy().starts_with("test_") && data_suffix(&name).is_some())
}
