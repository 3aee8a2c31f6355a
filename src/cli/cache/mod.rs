//! `tabella cache`: looking after what is kept between runs.

mod text;

use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::SystemTime;

use clap::Args;
use clap::Subcommand;
use serde::Serialize;

use crate::api;
use crate::api::CoreArguments;
use crate::api::DEFAULT_AUGMENTATION;
use crate::api::NluArguments;
use crate::api::Notice;
use crate::api::Observer;
use crate::api::RunSettings;
use crate::api::Sample;
use crate::api::TrainError;
use crate::api::TrainOptions;
use crate::cli::amounts::Limit;
use crate::cli::amounts::age;
use crate::cli::amounts::size;
use crate::cli::cache_dir::cache_folder;
use crate::cli::cache_dir::limits;
use crate::cli::environment::environment;
use crate::cli::exit::Exit;
use crate::cli::interrupt::on_interrupt;
use crate::cli::output::Format;
use crate::cli::output::fail;
use crate::cli::output::print;
use crate::cli::screen::Screen;
use crate::store::CacheError;

/// `tabella cache`.
#[derive(Debug, Args)]
pub struct CacheArguments {
    /// What to do with it.
    #[command(subcommand)]
    pub action: CacheAction,
    /// Where.
    #[command(flatten)]
    pub place: CachePlace,
}

/// What can be done with a cache.
#[derive(Debug, Subcommand)]
pub enum CacheAction {
    /// Show what is in it: results, sizes, ages, hit rate
    Stats(LimitFlags),
    /// Check every entry, and whether tasks still give what it says
    Verify(VerifyFlags),
    /// Remove what is old or too much, never what this project needs
    Gc(GcFlags),
    /// Write what this project needs to one file
    Export(ExportFlags),
    /// Take over what an export wrote, once all of it is verified
    Import(ImportFlags),
    /// Remove it as a whole
    Clear,
}

/// Where the cache and the project are.
#[derive(Debug, Args)]
pub struct CachePlace {
    /// The project's folder; relative paths start here
    #[arg(long, value_name = "DIR", default_value = ".", global = true)]
    pub project: PathBuf,
    /// The cache [default: the user's cache folder]
    #[arg(long, value_name = "DIR", env = "TABELLA_CACHE_DIR", global = true)]
    pub cache_dir: Option<PathBuf>,
    /// Write machine-readable JSON to standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// How much a cache may hold.
#[derive(Debug, Args)]
pub struct LimitFlags {
    /// Size of all entries, such as 5GB, or none [default: 5GB]
    #[arg(long, value_name = "SIZE", env = "TABELLA_CACHE_MAX_SIZE", value_parser = size)]
    pub max_size: Option<Limit<u64>>,
    /// Time since the last use, such as 30d or 4w, or none [default: 30d]
    #[arg(long, value_name = "AGE", env = "TABELLA_CACHE_MAX_AGE", value_parser = age)]
    pub max_age: Option<Limit<u32>>,
}

/// What a project is trained from; its keys depend on it.
#[derive(Debug, Args)]
pub struct ProjectFlags {
    /// Files and folders with NLU data, stories and rules
    #[arg(long, value_name = "PATH", num_args = 1.., default_value = "data")]
    pub data: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = "config.yml")]
    pub config: PathBuf,
    /// Domain file or folder; the folder `domain` if there is no `domain.yml`
    #[arg(long, short, value_name = "PATH", num_args = 1.., default_value = "domain.yml")]
    pub domain: Vec<PathBuf>,
    /// How many stories are glued to others
    #[arg(long, value_name = "N", default_value_t = DEFAULT_AUGMENTATION)]
    pub augmentation: usize,
    /// Put the NLU data into the archive
    #[arg(long)]
    pub persist_nlu_data: bool,
}

/// `tabella cache verify`.
#[derive(Debug, Args)]
pub struct VerifyFlags {
    /// Drop what is bad; the next training makes it again
    #[arg(long)]
    pub repair: bool,
    /// Run a sample of the project's tasks again and compare, such as 10%; another one each time
    #[arg(long, value_name = "N%", value_parser = percent)]
    pub rerun: Option<u32>,
    /// Draw the sample that a run before drew, whose seed it told
    #[arg(long, value_name = "N", requires = "rerun")]
    pub seed: Option<u64>,
    /// Threads for numeric work; the result must not depend on it
    #[arg(long, value_name = "N")]
    pub num_threads: Option<usize>,
    /// The project.
    #[command(flatten)]
    pub project: ProjectFlags,
}

/// `tabella cache gc`.
#[derive(Debug, Args)]
pub struct GcFlags {
    /// Tell what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// What may stay.
    #[command(flatten)]
    pub limits: LimitFlags,
    /// The project whose results stay.
    #[command(flatten)]
    pub project: ProjectFlags,
}

/// `tabella cache export`.
#[derive(Debug, Args)]
pub struct ExportFlags {
    /// The file to write
    pub file: PathBuf,
    /// The project.
    #[command(flatten)]
    pub project: ProjectFlags,
}

/// `tabella cache import`.
#[derive(Debug, Args)]
pub struct ImportFlags {
    /// The file to read
    pub file: PathBuf,
}

fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.parse() {
        Ok(percent @ 1..=100) => Ok(percent),
        _ => Err(format!("a part from 1% to 100% is needed, not `{text}`")),
    }
}

/// Runs the command.
pub fn run(arguments: &CacheArguments) -> Exit {
    let format = Format::of(arguments.place.json);
    match act(arguments, format) {
        Ok((text, exit)) => print(&text, exit),
        Err(error) => fail(format, &error),
    }
}

/// What is shown, and how the program ends.
type Told = (String, Exit);

fn act(arguments: &CacheArguments, format: Format) -> Result<Told, TrainError> {
    let run = settings(&arguments.place);
    match &arguments.action {
        CacheAction::Stats(flags) => stats(flags, run, format),
        CacheAction::Verify(flags) => verify(flags, run, format),
        CacheAction::Gc(flags) => gc(flags, run, format),
        CacheAction::Export(flags) => export(flags, run, format),
        CacheAction::Import(flags) => {
            let imported = api::import_cache(&run, &flags.file)?;
            let text = || text::imported(&imported, &flags.file);
            Ok((shown(format, &imported, text), Exit::Done))
        }
        CacheAction::Clear => {
            let cleared = api::clear_cache(&run)?;
            let text = || text::cleared(&cleared, &place(&run));
            Ok((shown(format, &cleared, text), Exit::Done))
        }
    }
}

fn stats(flags: &LimitFlags, mut run: RunSettings, format: Format) -> Result<Told, TrainError> {
    run.cache_limits = limits(flags.max_size, flags.max_age);
    let stats = api::cache_stats(&run)?;
    Ok((shown(format, &stats, || text::stats(&stats)), Exit::Done))
}

fn verify(flags: &VerifyFlags, run: RunSettings, format: Format) -> Result<Told, TrainError> {
    let here = place(&run);
    let mut options = options(&flags.project, run);
    options.nlu_additional_arguments = NluArguments {
        num_threads: flags.num_threads,
    };
    let sample = flags.rerun.map(|percent| Sample {
        percent,
        seed: flags.seed.unwrap_or_else(new_seed),
    });
    let Some(check) = api::check_cache(&options, flags.repair, sample)? else {
        return Ok(nothing_there(format, &here));
    };
    let exit = if check.is_sound {
        Exit::Done
    } else {
        Exit::BadInput
    };
    Ok((shown(format, &check, || text::check(&check, sample)), exit))
}

/// Returns a number that is another one each time, and short enough to be typed.
fn new_seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let nanos = since.map_or(0, |time| time.as_nanos() as u64);
    (nanos ^ u64::from(process::id()).rotate_left(20)) % 1_000_000_007
}

fn gc(flags: &GcFlags, mut run: RunSettings, format: Format) -> Result<Told, TrainError> {
    run.cache_limits = limits(flags.limits.max_size, flags.limits.max_age);
    let (here, limits) = (place(&run), run.cache_limits);
    let options = options(&flags.project, run);
    let Some(collected) = api::collect_cache(&options, flags.dry_run)? else {
        return Ok(nothing_there(format, &here));
    };
    let text = || text::collected(&collected, &limits, flags.dry_run);
    Ok((shown(format, &collected, text), Exit::Done))
}

fn export(flags: &ExportFlags, run: RunSettings, format: Format) -> Result<Told, TrainError> {
    let options = options(&flags.project, run);
    let export = api::export_cache(&options, &flags.file)?;
    let text = || text::exported(&export, &flags.file);
    Ok((shown(format, &export, text), Exit::Done))
}

/// Returns what is told where there is no cache.
fn nothing_there(format: Format, folder: &str) -> Told {
    let text = match format {
        Format::Text => format!("there is no cache yet: {folder}"),
        Format::Json => "null".to_owned(),
    };
    (text, Exit::Done)
}

fn shown<T: Serialize>(format: Format, value: &T, text: impl Fn() -> String) -> String {
    match format {
        Format::Text => text(),
        Format::Json => serde_json::to_string_pretty(value)
            .expect("what is told has string keys and plain values"),
    }
}

/// Returns the cache folder as the user sees it.
fn place(run: &RunSettings) -> String {
    match &run.cache {
        api::CacheSettings::Folder(folder) => folder.display().to_string(),
        api::CacheSettings::Off => CacheError::NoFolder.to_string(),
    }
}

/// How to run: notices go to the screen, Ctrl-C sets the flag.
fn settings(place: &CachePlace) -> RunSettings {
    let cancel = on_interrupt();
    let screen = Arc::new(Screen::new(place.quiet));
    RunSettings {
        project: place.project.clone(),
        cache: cache_folder(place.cache_dir.as_ref()),
        environment: environment(),
        cancel,
        observer: Observer::new(move |notice: Notice| screen.show(&notice)),
        ..RunSettings::default()
    }
}

fn options(flags: &ProjectFlags, run: RunSettings) -> TrainOptions {
    TrainOptions {
        domain: flags.domain.clone(),
        config: flags.config.clone(),
        training_files: flags.data.clone(),
        persist_nlu_training_data: flags.persist_nlu_data,
        core_additional_arguments: CoreArguments {
            augmentation_factor: flags.augmentation,
        },
        run,
        ..TrainOptions::default()
    }
}
