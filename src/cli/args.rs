//! What can be typed: commands, flags and their help.

use std::path::PathBuf;

use clap::Args;
use clap::Parser;
use clap::Subcommand;

use crate::api::DEFAULT_AUGMENTATION;
use crate::cli::amounts::Limit;
use crate::cli::amounts::age;
use crate::cli::amounts::size;
use crate::cli::cache::CacheArguments;
use crate::cli::data::DataArguments;
use crate::cli::depfile::DepfileFlags;
use crate::cli::diff::DiffArguments;
use crate::cli::exec::ExecArguments;
use crate::cli::explain::ExplainArguments;
use crate::cli::explain_code::ExplainCodeArguments;
use crate::cli::key::KeyArguments;
use crate::cli::remote::RemoteArguments;
use crate::cli::remote::RemoteExecArguments;
use crate::cli::rules::RulesArguments;
use crate::cli::status::StatusArguments;
use crate::cli::test::TestNluFlags;
use crate::cli::verify::VerifyArguments;
use crate::cli::workspace::MemberArguments;

/// The command line as a whole.
#[derive(Debug, Parser)]
#[command(
    name = "tabella",
    version,
    about = "Trains Rasa assistants the way a good build system compiles code",
    after_help = EXIT_CODES,
    disable_help_subcommand = true
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, or nothing to do
  1-7  `train --dry-run`: 1 Core + 2 NLU + 4 responses are stale
  8    `train --dry-run --force`
  1    `diff`: the models are not the same
  10   `test`: a gate is not met, or a prediction is wrong that may not be
  64   the command line is wrong        65   the project's files are wrong
  66   a file or model is not there     70   a bug in Tabella
  74   reading or writing failed        69   a task needs more than --max-memory
  130  interrupted";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train what is stale and write a model archive
    Train(Box<TrainArguments>),
    /// Parse messages: one JSON object a line, as Rasa's /model/parse
    Parse(ParseArguments),
    /// Score a model on labelled data
    Test(TestArguments),
    /// Show what a model archive holds
    Inspect(InspectArguments),
    /// Show what is stale and why, as a tree, a graph or a page
    Status(Box<StatusArguments>),
    /// Show what a task or a model was made of beside what it is made of now
    Explain(Box<ExplainArguments>),
    /// Show what a task's key is the hash of
    Key(Box<KeyArguments>),
    /// Check a model archive: sizes, digests, shapes of weights
    Verify(VerifyArguments),
    /// Write rules that train assistants from make, ninja, just or Bazel
    Rules(RulesArguments),
    /// Run one step of a training on declared files, for build tools such as Bazel
    Exec(ExecArguments),
    /// Look after what is kept between runs
    Cache(Box<CacheArguments>),
    /// Show how two models differ
    Diff(DiffArguments),
    /// Check, convert or split a project's files, without training
    Data(DataArguments),
    /// Say more about a code such as W404, or list all codes
    ExplainCode(ExplainCodeArguments),
}

/// Where the project is and where results are kept.
#[derive(Clone, Debug, Args)]
pub struct PlaceArguments {
    /// The project's folder; relative paths start here
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    pub project: PathBuf,
    /// Where results are kept between runs [default: the user's cache folder]
    #[arg(long, value_name = "DIR", env = "TABELLA_CACHE_DIR", global = true)]
    pub cache_dir: Option<PathBuf>,
    /// How much the cache may hold, such as 5GB, or none [default: 5GB]
    #[arg(long, value_name = "SIZE", env = "TABELLA_CACHE_MAX_SIZE", global = true, value_parser = size)]
    pub cache_max_size: Option<Limit<u64>>,
    /// How long after its last use a result is kept, such as 30d, or none [default: 30d]
    #[arg(long, value_name = "AGE", env = "TABELLA_CACHE_MAX_AGE", global = true, value_parser = age)]
    pub cache_max_age: Option<Limit<u32>>,
    /// Keep no results and use none, whatever `--cache-dir` says
    #[arg(long, global = true)]
    pub no_cache: bool,
    /// Results of others.
    #[command(flatten)]
    pub remote: RemoteArguments,
    /// Read all files, even where their stamps say that nothing has changed
    #[arg(long, global = true)]
    pub verify_inputs: bool,
    /// Tasks that may run at the same time, and threads that they compute with [default: one a core]
    #[arg(long, value_name = "N", global = true, value_parser = at_least_one)]
    pub jobs: Option<usize>,
    /// Write machine-readable JSON to standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors, and where the archive is if its name was not given
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// `tabella train`.
#[derive(Debug, Args)]
pub struct TrainArguments {
    /// Train one half only
    #[command(subcommand)]
    pub half: Option<Half>,
    /// Which assistants of a workspace.
    #[command(flatten)]
    pub members: MemberArguments,
    /// Start no other assistant when one has failed
    #[arg(long)]
    pub fail_fast: bool,
    /// The flags of a whole training.
    #[command(flatten)]
    pub both: TrainFlags,
    /// How it goes on, and what is told of it.
    #[command(flatten)]
    pub run: RunFlags,
    /// Where.
    #[command(flatten)]
    pub place: PlaceArguments,
    /// What was read, as a rule.
    #[command(flatten)]
    pub depfile: DepfileFlags,
}

/// How a training goes on, and what is told of it.
#[derive(Clone, Debug, Args)]
pub struct RunFlags {
    /// After a failure go on with what does not depend on it
    #[arg(long, short, global = true)]
    pub keep_going: bool,
    /// Write a line of JSON for everything that happens, as it happens (`-` for standard output)
    #[arg(long, value_name = "FILE", global = true)]
    pub json_events: Option<PathBuf>,
    /// Write a trace of the run, for Perfetto and chrome://tracing
    #[arg(long, value_name = "FILE", global = true)]
    pub trace: Option<PathBuf>,
    /// Run fewer tasks at once so that the program stays below SIZE by estimate, such as 2GB
    #[arg(long, value_name = "SIZE", env = "TABELLA_MAX_MEMORY", global = true, value_parser = size)]
    pub max_memory: Option<Limit<u64>>,
    /// Train again whenever something that is read changes, until Ctrl-C
    #[arg(long, global = true)]
    pub watch: bool,
    /// Tell at the end where time, memory and bytes went
    #[arg(long, global = true)]
    pub profile: bool,
    /// Other machines.
    #[command(flatten)]
    pub remote_exec: RemoteExecArguments,
}

/// Flags of `tabella train`.
#[derive(Debug, Args)]
pub struct TrainFlags {
    /// Files and folders with NLU data, stories and rules
    #[arg(long, value_name = "PATH", num_args = 1.., default_value = "data")]
    pub data: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "config.yml")]
    pub config: PathBuf,
    /// Domain file or folder; the folder `domain` if there is no `domain.yml`
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "domain.yml")]
    pub domain: Vec<PathBuf>,
    /// Print what is stale and why, train nothing and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How many stories are glued to others
    #[arg(long, value_name = "N", default_value_t = DEFAULT_AUGMENTATION)]
    pub augmentation: usize,
    /// Threads to compute with; the result does not depend on it [default: as `--jobs`]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub num_threads: Option<usize>,
    /// Put the NLU data into the archive
    #[arg(long)]
    pub persist_nlu_data: bool,
    /// Run every task again
    #[arg(long)]
    pub force: bool,
    /// Start from a trained model (not there yet)
    #[arg(long, value_name = "MODEL", num_args = 0..=1, default_missing_value = "models")]
    pub finetune: Option<PathBuf>,
    /// The part of the epochs that finetuning runs
    #[arg(long, value_name = "F", default_value_t = 1.0)]
    pub epoch_fraction: f64,
    /// How the project is checked before.
    #[command(flatten)]
    pub validation: ValidationFlags,
    /// Where the archive goes.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// How a project is checked before it is trained.
#[derive(Debug, Args)]
pub struct ValidationFlags {
    /// Check only what cannot be trained at all
    #[arg(long)]
    pub skip_validation: bool,
    /// Train nothing when there is a warning
    #[arg(long, conflicts_with = "skip_validation")]
    pub fail_on_validation_warnings: bool,
    /// Turns over which stories are compared with each other [default: all]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub validation_max_history: Option<usize>,
}

/// Where an archive goes and what it is called.
#[derive(Debug, Args)]
pub struct OutputFlags {
    /// Folder for the archive, or the archive's own path when it ends in .tar.gz
    #[arg(long, value_name = "DIR", default_value = "models")]
    pub out: PathBuf,
    /// Name of the archive [default: made from its content]
    #[arg(long, value_name = "NAME")]
    pub fixed_model_name: Option<String>,
}

impl OutputFlags {
    /// Returns whether they say what the archive is called.
    pub fn names_archive(&self) -> bool {
        self.fixed_model_name.is_some() || self.out.to_string_lossy().ends_with(".tar.gz")
    }
}

/// `train nlu` and `train core`.
#[derive(Debug, Subcommand)]
pub enum Half {
    /// Train the NLU part only
    Nlu(TrainNluFlags),
    /// Train the dialogue part only
    Core(TrainCoreFlags),
}

/// Flags of `tabella train nlu`.
#[derive(Debug, Args)]
pub struct TrainNluFlags {
    /// Files and folders with NLU data
    #[arg(long, short = 'u', value_name = "PATH", num_args = 1.., default_value = "data")]
    pub nlu: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "config.yml")]
    pub config: PathBuf,
    /// Domain, for the responses of retrieval intents
    #[arg(long, short, value_name = "PATH", num_args = 1..)]
    pub domain: Vec<PathBuf>,
    /// Threads to compute with [default: as `--jobs`]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub num_threads: Option<usize>,
    /// Put the NLU data into the archive
    #[arg(long)]
    pub persist_nlu_data: bool,
    /// Print what is stale and why, train nothing and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Run every task again
    #[arg(long)]
    pub force: bool,
    /// Start from a trained model (not there yet)
    #[arg(long, value_name = "MODEL", num_args = 0..=1, default_missing_value = "models")]
    pub finetune: Option<PathBuf>,
    /// Where the archive goes.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// Flags of `tabella train core`.
#[derive(Debug, Args)]
pub struct TrainCoreFlags {
    /// Files and folders with stories and rules
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "data")]
    pub stories: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "config.yml")]
    pub config: PathBuf,
    /// Domain file or folder; the folder `domain` if there is no `domain.yml`
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "domain.yml")]
    pub domain: Vec<PathBuf>,
    /// How many stories are glued to others
    #[arg(long, value_name = "N", default_value_t = DEFAULT_AUGMENTATION)]
    pub augmentation: usize,
    /// Print what is stale and why, train nothing and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Run every task again
    #[arg(long)]
    pub force: bool,
    /// Start from a trained model (not there yet)
    #[arg(long, value_name = "MODEL", num_args = 0..=1, default_missing_value = "models")]
    pub finetune: Option<PathBuf>,
    /// Where the archive goes.
    #[command(flatten)]
    pub output: OutputFlags,
}

/// `tabella parse`.
#[derive(Debug, Args)]
pub struct ParseArguments {
    /// Messages; without any, each line of standard input is one
    pub text: Vec<String>,
    /// An archive, or a folder whose latest archive is meant
    #[arg(long, short, value_name = "PATH", default_value = "models")]
    pub model: PathBuf,
    /// The project's folder; a relative model path starts here
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Run the programs that components `command` of the model name
    #[arg(long)]
    pub run_commands: bool,
}

/// `tabella test`.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// Which half to score.
    #[command(subcommand)]
    pub half: TestHalf,
}

/// `test nlu` and `test core`.
#[derive(Debug, Subcommand)]
pub enum TestHalf {
    /// Score intents, entities and responses on labelled messages
    Nlu(Box<TestNluFlags>),
    /// Score actions and whole stories on test stories
    Core(TestCoreFlags),
}

/// Flags of `tabella test core`.
#[derive(Debug, Args)]
pub struct TestCoreFlags {
    /// Files and folders with test stories
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "tests")]
    pub stories: Vec<PathBuf>,
    /// End with code 10 when a story is not predicted as it is written
    #[arg(long)]
    pub fail_on_prediction_errors: bool,
    /// Which model and how to show the scores.
    #[command(flatten)]
    pub model: ScoredModel,
}

/// The model that is scored.
#[derive(Debug, Args)]
pub struct ScoredModel {
    /// An archive, or a folder whose latest archive is meant
    #[arg(long, short, value_name = "PATH", default_value = "models")]
    pub model: PathBuf,
    /// The project's folder; relative paths start here
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Write the scores as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Run the programs that components `command` of the model name
    #[arg(long)]
    pub run_commands: bool,
}

/// `tabella inspect`.
#[derive(Debug, Args)]
pub struct InspectArguments {
    /// An archive, or a folder whose latest archive is meant
    #[arg(default_value = "models")]
    pub model: PathBuf,
    /// The project's folder; a relative model path starts here
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub project: PathBuf,
    /// Write the description as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Reads a whole number of at least 1.
pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!(
            "a whole number of at least 1 is needed, not `{text}`"
        )),
        Ok(number) => Ok(number),
    }
}
