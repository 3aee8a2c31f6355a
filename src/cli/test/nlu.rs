//! `tabella test nlu`: scores, report files, gates.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::value_parser;
use serde::Serialize;
use serde_json::json;

use crate::api;
use crate::api::Assistant;
use crate::api::CrossValidated;
use crate::api::CrossValidation;
use crate::api::NluTest;
use crate::api::NluTested;
use crate::api::Observer;
use crate::api::Spread;
use crate::api::TrainError;
use crate::api::Validation;
use crate::api::in_project;
use crate::cli::args::PlaceArguments;
use crate::cli::environment::model_folders;
use crate::cli::exit::Exit;
use crate::cli::output::Format;
use crate::cli::output::complain;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::replace::replace;
use crate::cli::screen::Screen;
use crate::cli::test::text;
use crate::cli::train::settings;
use crate::evaluation::Gate;
use crate::evaluation::GateError;
use crate::evaluation::NluScores;
use crate::evaluation::ReportFlags;
use crate::evaluation::Verdict;
use crate::evaluation::report_files;
use crate::evaluation::report_names;

/// Flags of `tabella test nlu`.
#[derive(Debug, Args)]
pub struct TestNluFlags {
    /// Files and folders with labelled messages
    #[arg(long, short = 'u', value_name = "PATH", num_args = 1.., default_value = "data")]
    pub nlu: Vec<PathBuf>,
    /// An archive, or a folder whose latest archive is meant
    #[arg(
        long,
        short,
        value_name = "PATH",
        default_value = "models",
        conflicts_with = "cross_validation"
    )]
    pub model: PathBuf,
    /// Run the programs that components `command` of the model name
    #[arg(long)]
    pub run_commands: bool,
    /// What is written down, and what is demanded.
    #[command(flatten)]
    pub report: ReportArguments,
    /// Training and testing with parts of the data.
    #[command(flatten)]
    pub folds: FoldArguments,
    /// Project, cache, output.
    #[command(flatten)]
    pub place: PlaceArguments,
}

/// What is written down, and what is demanded.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Folder of the report files
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub out: PathBuf,
    /// Write no report files
    #[arg(long)]
    pub no_reports: bool,
    /// Write down messages with a right answer, too
    #[arg(long)]
    pub successes: bool,
    /// Do not write down messages with a wrong answer
    #[arg(long)]
    pub no_errors: bool,
    /// Draw no confusion matrix and no histogram
    #[arg(long)]
    pub no_plot: bool,
    /// An intent of messages that the assistant is not meant for; may be repeated
    #[arg(long, value_name = "INTENT", default_value = "out_of_scope")]
    pub out_of_scope: Vec<String>,
    /// What a score must be, such as intent.accuracy>=0.9 or entity.micro_f1.drop<=0.01; may be repeated
    #[arg(long, value_name = "CONDITION")]
    pub gate: Vec<Gate>,
    /// The model that a drop is measured from
    #[arg(long, value_name = "MODEL")]
    pub against: Option<PathBuf>,
}

/// Training and testing with parts of the data.
#[derive(Debug, Args)]
pub struct FoldArguments {
    /// Train with parts of the data and test with the rest, each part in turn
    #[arg(long)]
    pub cross_validation: bool,
    /// How many parts
    #[arg(long, short, value_name = "N", default_value_t = 5, requires = "cross_validation",
          value_parser = value_parser!(u16).range(2..))]
    pub folds: u16,
    /// Another seed, other parts
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "cross_validation"
    )]
    pub seed: u64,
    /// The configuration file, to train with
    #[arg(
        long,
        short,
        value_name = "FILE",
        default_value = "config.yml",
        requires = "cross_validation"
    )]
    pub config: PathBuf,
    /// Domain, for the responses of retrieval intents
    #[arg(long, short, value_name = "PATH", num_args = 1.., requires = "cross_validation")]
    pub domain: Vec<PathBuf>,
}

/// The result, as `--json` prints it.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    scores: &'a NluScores,
    /// How much the folds differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    folds: Option<&'a Spread>,
    #[serde(skip_serializing_if = "<[Verdict]>::is_empty")]
    gates: &'a [Verdict],
}

/// Runs the command.
pub fn run(flags: &TestNluFlags) -> Exit {
    match test(flags) {
        Ok(exit) => exit,
        Err(Failure::Error(error)) => fail(Format::of(flags.place.json), &error),
        Err(Failure::Gate(error)) => {
            complain(&format!("error: {error}"));
            if flags.place.json {
                let told = json!({"error": error.to_string(), "diagnostics": []});
                return print(&told.to_string(), Exit::Usage);
            }
            Exit::Usage
        }
    }
}

/// Why there is no result.
enum Failure {
    Error(TrainError),
    Gate(GateError),
}

impl From<TrainError> for Failure {
    fn from(error: TrainError) -> Self {
        Self::Error(error)
    }
}

fn test(flags: &TestNluFlags) -> Result<Exit, Failure> {
    let drop = flags.report.gate.iter().find(|gate| gate.is_drop);
    if let (Some(gate), None) = (drop, &flags.report.against) {
        return Err(Failure::Gate(GateError::NoOther(gate.to_string())));
    }
    let screen = Arc::new(Screen::new(flags.place.quiet));
    let observer = run_observer(&screen);
    // Whether there is such a model, one wants to know before training any.
    let against = flags.report.against.as_ref();
    let against = against.map(|model| model_tested(flags, model, &observer));
    let against = against.transpose()?.map(|tested| tested.scores);
    let (tested, folds) = match flags.folds.cross_validation {
        true => {
            let done = cross_validated(flags, settings(&flags.place, &screen)?)?;
            (done.tested, Some((done.spread, done.untested)))
        }
        false => (model_tested(flags, &flags.model, &observer)?, None),
    };
    screen.show_notes();
    if !flags.report.no_reports {
        write_reports(flags, &tested)?;
    }
    let verdicts = verdicts(flags, &tested.scores, against.as_ref())?;
    let text = match flags.place.json {
        true => text::json(&Told {
            scores: &tested.scores,
            folds: folds.as_ref().map(|(spread, _)| spread),
            gates: &verdicts,
        }),
        false => text::nlu(&tested.scores, folds.as_ref(), &verdicts),
    };
    let exit = match verdicts.iter().all(|verdict| verdict.is_met) {
        true => Exit::Done,
        false => Exit::BelowGate,
    };
    Ok(print(&text, exit))
}

fn run_observer(screen: &Arc<Screen>) -> Observer {
    let screen = Arc::clone(screen);
    Observer::new(move |notice| screen.show(&notice))
}

fn model_tested(
    flags: &TestNluFlags,
    model: &Path,
    observer: &Observer,
) -> Result<NluTested, TrainError> {
    let path = in_project(&flags.place.project, model);
    let folders = model_folders(&flags.place.project);
    let mut assistant = Assistant::load_with(&path, &folders)?;
    if flags.run_commands {
        assistant.allow_commands(&flags.place.project);
    }
    let test = NluTest {
        nlu: flags.nlu.clone(),
        out_of_scope: flags.report.out_of_scope.clone(),
        jobs: flags.place.jobs,
    };
    api::test_nlu(&assistant, &flags.place.project, &test, observer)
}

fn cross_validated(
    flags: &TestNluFlags,
    run: api::RunSettings,
) -> Result<CrossValidated, TrainError> {
    let FoldArguments {
        folds,
        seed,
        config,
        domain,
        ..
    } = &flags.folds;
    let options = CrossValidation {
        nlu: flags.nlu.clone(),
        config: config.clone(),
        domain: domain.clone(),
        folds: usize::from(*folds),
        seed: *seed,
        num_threads: None,
        out_of_scope: flags.report.out_of_scope.clone(),
        validation: Validation::default(),
        run,
    };
    api::cross_validate_nlu(&options, &|fold, scores| {
        if !flags.place.quiet {
            complain(&text::fold(fold, options.folds, scores));
        }
    })
}

/// Looks at all conditions.
fn verdicts(
    flags: &TestNluFlags,
    scores: &NluScores,
    against: Option<&NluScores>,
) -> Result<Vec<Verdict>, Failure> {
    let other = against.map(|scores| json!(scores));
    let scores = json!(scores);
    let verdicts = flags.report.gate.iter();
    let verdicts = verdicts.map(|gate| gate.verdict(&scores, other.as_ref()));
    verdicts.collect::<Result<_, _>>().map_err(Failure::Gate)
}

/// Writes the report files into their folder, which is made if need be; none of an
/// earlier test is left there.
fn write_reports(flags: &TestNluFlags, tested: &NluTested) -> Result<(), TrainError> {
    let report = &flags.report;
    let folder = in_project(&flags.place.project, &report.out);
    let flags = ReportFlags {
        errors: !report.no_errors,
        successes: report.successes,
        pictures: !report.no_plot,
    };
    let failed = |path: &Path, source| TrainError::Write {
        path: path.to_owned(),
        source,
    };
    fs::create_dir_all(&folder).map_err(|source| failed(&folder, source))?;
    let files = report_files(&tested.answers, &tested.extractors, flags);
    for name in report_names(&tested.extractors) {
        let path = folder.join(&name);
        if !files.contains_key(&name) && path.is_file() {
            fs::remove_file(&path).map_err(|source| failed(&path, source))?;
        }
    }
    for (name, bytes) in files {
        let path = folder.join(name);
        replace(&path, &bytes).map_err(|source| failed(&path, source))?;
    }
    Ok(())
}
